"""Probes that play offer the same options, which one place declares."""

from __future__ import annotations

import dataclasses

import pytest
import typer

from harness.cli.probe import probe
from harness.cli.probe_runs import PlayOptions, with_play_options

SHARED = [field.name for field in dataclasses.fields(PlayOptions)]


@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("memory", []),
        ("modalities", []),
        ("instruction", []),
        ("consistency", []),
        ("region", []),
        ("forgetting", []),
        ("alignment", []),
        ("rl-robustness", ["replicas", "out", "agent_arg", "ray_address"]),
    ],
)
def test_the_options_stand_together_in_one_order(name: str, without: list[str]) -> None:
    command = typer.main.get_command(probe).commands[name]  # type: ignore[attr-defined]
    options = {each.name: each for each in command.params}
    expected = [each for each in SHARED if each not in without]
    start = [*options].index(expected[0])
    assert [*options][start : start + len(expected)] == expected
    if "out" in expected:
        assert f"runs/{name}-AGENT" in options["out"].help
    assert "play" not in options


def test_what_is_given_arrives_and_the_rest_has_its_default() -> None:
    heard: list[tuple[int, PlayOptions]] = []

    @with_play_options(out="Where.", without=("ray_address",))
    def command(*, seed: int = 3, play: PlayOptions) -> int:
        """What it does."""
        heard.append((seed, play))
        return 0

    app = typer.Typer()
    app.command()(command)
    app(["--seed", "5", "--workers", "2", "--agent-arg", "k=1"], standalone_mode=False)
    assert heard == [(5, PlayOptions(workers="2", agent_arg=["k=1"]))]
    assert command.__doc__ == "What it does."
    with pytest.raises(Exception, match="No such option"):
        app(["--ray-address", "auto"], standalone_mode=False)
