"""What refuses an entry, and what cannot be checked here: renderers, lost processes, conditions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import paintedtoys
import pytest
from conftest import Notes, Run
from submitting import SUBMISSION, SUITES, Forger, check_entry, ours

from harness.cli.names import agent_named, perturbations_named, suites_named
from harness.core import UserError
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.records import linear_algebra
from harness.records.catalogue import select_tasks
from harness.verify.knowledge import Knowledge
from leaderboards.submissions.check import (
    Examined,
    Settings,
    conclude,
    examine,
    new_seed,
    replay,
    unplayed,
)
from leaderboards.submissions.entry import read_entry
from leaderboards.submissions.verdict import ACCEPTED, NOT_HERE, REFUSED, Verdict
from leaderboards.submissions.write import add

PAINTED = paintedtoys.painted_task()
TOYS = Knowledge(tasks={PAINTED.id: PAINTED})
SETTINGS = Settings(sample="all", seed="5eed")


def check_toys(entry: Path, folder: Path) -> Verdict:
    folder.mkdir()
    found = examine(entry, folder, TOYS, frozenset({"toys"}), SETTINGS)
    if isinstance(found, Verdict):
        return found
    return conclude(found, replay(found.run, TOYS, SETTINGS, RunOptions(), Notes()), SETTINGS)


@pytest.fixture
def painted(play_toys: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three episodes of an agent that reads images, which "mesa" drew."""
    monkeypatch.setenv(paintedtoys.VARIABLE, "mesa")
    return play_toys("ImageAgent", [PAINTED], 3).path


@pytest.mark.parametrize(("here", "outcome"), [("mesa", REFUSED), ("nvidia", NOT_HERE)])
def test_a_replay_that_differs_under_another_renderer_is_not_refused(
    painted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str, outcome: str
) -> None:
    run = Forger(painted, tmp_path / "forged", 0)
    run.lines[0]["metrics"]["distance"] += 0.5
    entry = run.submit(tmp_path / "entries")
    monkeypatch.setenv(paintedtoys.VARIABLE, here)
    verdict = check_toys(entry, tmp_path / "unpacked")
    assert verdict.outcome == outcome
    assert "metrics.distance" in verdict.reasons[0]
    assert ("another renderer draws than here" in verdict.reasons[0]) == (outcome == NOT_HERE)


def test_another_renderer_alone_changes_nothing_and_excuses_no_contradiction(
    painted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(paintedtoys.VARIABLE, "nvidia")
    honest = Forger(painted, tmp_path / "honest", 0).submit(tmp_path / "a")
    assert check_toys(honest, tmp_path / "b").outcome == ACCEPTED
    assert read_entry(honest).described["played"]["renderers"] == ["mesa"]
    run = Forger(painted, tmp_path / "forged", 0)
    run.lines[0]["steps"] += 1
    verdict = check_toys(run.submit(tmp_path / "c"), tmp_path / "d")
    assert verdict.outcome == REFUSED
    assert "the trace's length" in verdict.reasons[0]


def test_a_replay_that_differs_with_other_kernels_is_not_refused(
    painted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Forger(painted, tmp_path / "forged", 0)
    run.lines[0]["metrics"]["distance"] += 0.5
    entry = run.submit(tmp_path / "entries")
    monkeypatch.setattr(linear_algebra, "kernels", lambda: "OpenBLAS Other")
    verdict = check_toys(entry, tmp_path / "unpacked")
    assert verdict.outcome == NOT_HERE
    assert "numpy's kernels are OpenBLAS Other here" in verdict.reasons[0]


def test_a_simulator_that_ends_the_process_refuses_nobody(good: Path, tmp_path: Path) -> None:
    (tmp_path / "unpacked").mkdir()
    found = examine(good, tmp_path / "unpacked", ours(), SUITES, SETTINGS)
    assert isinstance(found, Examined)
    verdict = unplayed(found, SETTINGS, "a simulator ended the process")
    assert (verdict.outcome, verdict.reasons) == (NOT_HERE, ("a simulator ended the process",))
    assert verdict.entry == found.entry.digest


def perturbed_run(path: Path) -> Path:
    spec = agent_named("uniform", {})
    tasks = select_tasks(suites_named("babyai"), "babyai/GoToRedBall")
    conditions = perturbations_named("action_random:3,typos:2")
    plan = make_plan(tasks, spec, episodes=2, seed=0, perturb=conditions)
    play(spec, ["babyai"], plan, path, RunOptions(command="bench run"), Notes())
    return path


@pytest.mark.parametrize("sample", ["all", "1"])
def test_perturbed_episodes_are_checked_too(tmp_path: Path, sample: str) -> None:
    run = perturbed_run(tmp_path / "run")
    entry = add(run, "Agent", SUBMISSION, tmp_path / "a", known=ours(), suites=SUITES).path
    conditions = read_entry(entry).described["results"]["conditions"]
    assert [name.partition(":")[0].partition("@")[0] for name in conditions] == [
        "action_random", "typos",
    ]  # fmt: skip
    verdict = check_entry(entry, tmp_path / "unpacked", sample=sample)
    assert verdict.outcome == ACCEPTED, verdict.reasons
    assert verdict.replayed + verdict.starts == verdict.playable == 6


def test_a_start_that_no_replay_was_drawn_for_is_found(tmp_path: Path) -> None:
    """The forger changes five of six starts; with one replay, at most one can be met there."""
    run = Forger(perturbed_run(tmp_path / "run"), tmp_path / "forged", 0)
    for line in run.lines[:5]:
        line["start"] = "0" * 16
    verdict = check_entry(run.submit(tmp_path / "entries"), tmp_path / "unpacked", sample="1")
    assert verdict.outcome == REFUSED
    assert "start is 0000000000000000" in verdict.reasons[0]


def test_seeds_cannot_be_guessed_and_shares_are_counted() -> None:
    seeds = {new_seed() for _ in range(100)}
    assert len(seeds) == 100
    assert {len(seed) for seed in seeds} == {32}
    wanted = {sample: dataclasses.replace(SETTINGS, sample=sample) for sample in ("4%", "7", "all")}
    assert [each.wanted(1000) for each in wanted.values()] == [40, 7, None]
    assert wanted["4%"].wanted(3) == 1


def test_arguments_that_move_the_cursor_are_refused(run: Path, tmp_path: Path) -> None:
    """Several lines, as of a prompt, are none of that."""
    for text, refused in (("first\nsecond", False), ("\x1b[2J", True)):
        changed = Forger(run, tmp_path / f"run-{refused}", 0)
        changed.run["agent"]["args"] = {"prompt": [text]}
        changed.save()
        options = {"known": ours(), "suites": SUITES}
        entries = tmp_path / f"entries-{refused}"
        if refused:
            with pytest.raises(UserError, match="control a terminal"):
                add(changed.path, "Agent", SUBMISSION, entries, **options)  # type: ignore[arg-type]
        else:
            assert add(changed.path, "Agent", SUBMISSION, entries, **options)  # type: ignore[arg-type]
