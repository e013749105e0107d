"""A view that an agent asks for and does not use is named, and none that it does use."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import planted_watchers
import pytest
from conftest import Said

from harness.compare.pairs import read_scored_run
from harness.core import Agent, Case, Turn
from harness.probes.modalities import _loss
from harness.probes.modality_use import LEAST_PLAYS, altered_plays, judged_use, use_sentence
from harness.records.catalogue import select_tasks
from harness.records.registry import load
from harness.stats import Interval

NOTHING, WIDE = Interval(0.0, -0.07, 0.07), Interval(0.0, -0.2, 0.2)
LARGE = Interval(0.5, 0.3, 0.7)
WORDS = ("--suite", "babyai", "--tasks", "babyai/GoToLocalS8N7", "--workers", 0)


class Raises(Agent):
    """Answers nothing."""

    reads = ("grid",)

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        raise ValueError("no answer")


@pytest.mark.parametrize(
    ("plays", "altered", "lost", "use"),
    [
        (LEAST_PLAYS, 0, WIDE, "ignores"),
        (LEAST_PLAYS - 1, 0, WIDE, "undecided"),
        (200, 0, NOTHING, "ignores"),
        (200, 1, NOTHING, "small"),
        (200, 1, WIDE, "undecided"),
        (200, None, WIDE, "undecided"),
        (200, None, NOTHING, "small"),
        (20, 20, LARGE, "uses"),
    ],
)
def test_what_is_said_by_actions_and_by_what_is_lost(
    plays: int, altered: int | None, lost: Interval, use: str
) -> None:
    assert judged_use(plays, altered, lost, lost) == use


def test_sentences_name_the_view_and_how_sure_that_is() -> None:
    assert use_sentence("other image", "ignores", 20, 0, WIDE) == (
        "does not use image: another episode's changes no action in any of 20 plays (at 95 %: in "
        "less than 14 % of all)"
    )
    assert use_sentence("other image", "uses", 20, 20, LARGE).startswith(
        "uses image: another episode"
    )
    assert use_sentence("grid", "small", 200, 3, NOTHING) == (
        "needs grid little: an empty one costs 0 (-7 to 7) points, and changes actions in 3 of 200 "
        "plays"
    )
    assert use_sentence("empty words", "undecided", 5, 0, WIDE) == (
        "cannot tell whether it needs its instruction: an empty one costs 0 (-20 to 20) points in "
        "5 plays"
    )


def test_the_interval_of_a_loss_holds_it_however_large_it_is() -> None:
    """By the chance of each count of lost plays: 93.3 % and more, near a loss of all, too."""
    plays = 20
    intervals = [_loss([np.repeat([1.0, 0.0], (k, plays - k))], np.ones(1)) for k in range(21)]
    for truth in (0.0, 0.01, 0.05, 0.1, 0.3, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0):
        covered = sum(
            math.comb(plays, k) * truth**k * (1 - truth) ** (plays - k)
            for k, each in enumerate(intervals)
            if each.low <= truth <= each.high
        )
        assert covered >= 0.933, truth
    assert intervals[0].low == -intervals[0].high


def test_tiles_are_read_off_as_minigrid_drew_them() -> None:
    from harness.cli.names import suites_named

    ((_, task),) = select_tasks(suites_named("babyai"), "babyai/GoToLocalS8N7")
    adapter = load(task.adapter)(task)
    for seed in range(task.first_seed, task.first_seed + 5):
        seen = {name: draw() for name, draw in adapter.reset(Case(task, seed)).observation.items()}
        ahead = planted_watchers.cells(seen["image_partial"], 8)
        shown = seen["grid"][..., 0] > 0
        assert (ahead[..., :2][shown] == seen["grid"][..., :2][shown]).all()
        whole = planted_watchers.cells(seen["image"], 42)
        assert (whole[..., 0] > 0).all()
        assert (whole[..., 2] >= 0).sum() == 1
    adapter.close()


def test_the_camera_that_is_not_used_is_named(bench_here: Callable[..., Said]) -> None:
    """Of an agent that looks at both: the wiring check of its run has nothing to say."""
    said = bench_here(
        "probe", "instruction", "--agent", "planted_watchers:MapOnly", *WORDS,
        "--episodes", LEAST_PLAYS, "--arms", "pictures", "--out", "probed", "--format", "json",
    )  # fmt: skip
    assert said.code == 0, said.err
    told = json.loads(said.out)
    rows = {each["modality"]: each for each in told["arms"]["modalities"]}
    assert rows["other image_partial"]["use"] == "ignores"
    assert rows["other image_partial"]["altered"] == 0
    assert rows["other image"]["use"] == "uses"
    assert [each for each in told["verdicts"] if each.startswith("does not use")] == [
        use_sentence("other image_partial", "ignores", LEAST_PLAYS, 0, WIDE)
    ]
    shown = bench_here("report", "probed/asked")
    assert "never read" not in shown.out


def test_a_view_that_is_never_read_is_said_not_to_be_used(
    bench_here: Callable[..., Said],
) -> None:
    """The wiring check of a run and the probe agree."""
    said = bench_here(
        "probe", "modalities", "--agent", "planted_watchers:MapOnly", "--agent-arg", "looks=false",
        *WORDS, "--episodes", LEAST_PLAYS, "--out", "probed", "--withhold", "image_partial",
    )  # fmt: skip
    assert "does not use image_partial: an empty one changes no action" in " ".join(
        said.out.split()
    )
    shown = bench_here("report", "probed/whole")
    assert "a view that the agent asks for is never read" in shown.out


def test_an_agent_that_raises_is_not_said_to_ignore_anything(
    bench_here: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "test_modality_use", sys.modules[__name__])
    agent = ("--agent", "test_modality_use:Raises", *WORDS, "--episodes", LEAST_PLAYS)
    said = bench_here("probe", "modalities", *agent, "--out", "probed", "--format", "json")
    assert {row["use"] for row in json.loads(said.out)["modalities"]} == {"undecided"}
    whole = read_scored_run(tmp_path / "probed" / "whole")
    assert altered_plays(whole, whole, list(whole.values)) is None
