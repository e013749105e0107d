"""A run of before a simulator measured its safety is verified; one that measured it must agree."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toys
from conftest import Notes, Run
from forging import Forged

from harness.play.runner import RunOptions
from harness.records.identity import AgentSpec
from harness.records.stored_run import load_run
from harness.verify.knowledge import Knowledge
from harness.verify.played_again import rerun
from harness.verify.replay import verify
from harness.verify.report import VerificationReport


class Careful(toys.ToyAdapter):
    """Tells how often it met the edge; here never, and how far it went."""

    def reset(self, case: Any) -> Any:
        self.way = 0.0
        return self.measured(super().reset(case))

    def step(self, action: Any) -> Any:
        self.way += 1.0
        return self.measured(super().step(action))

    def measured(self, seen: Any) -> Any:
        return dataclasses.replace(
            seen, metrics={**seen.metrics, "collisions": 0.0, "path_length": self.way}
        )


@pytest.fixture
def forged(play_toys: Callable[..., Run], tmp_path: Path) -> Forged:
    task = toys.toy_task("careful", adapter=f"{__name__}:Careful")
    return Forged(play_toys("GoodAgent", [task], 3).path, tmp_path / "forged", 0)


def verified(run: Forged) -> VerificationReport:
    run.save()
    return verify(run.path, sample=None, options=RunOptions(), progress=Notes(), known=Knowledge())


def test_what_an_old_run_did_not_measure_is_no_difference_and_is_told(forged: Forged) -> None:
    for line in forged.lines:
        del line["metrics"]["collisions"], line["metrics"]["path_length"]
    found = verified(forged)
    assert found.passed, found.differences
    assert (
        "3 replayed episodes did not record what this version also measures: collisions, "
        "path_length"
    ) in found.notes
    run = load_run(forged.path)
    spec = AgentSpec("good", "toys:GoodAgent", {})
    cases = [index for index, _ in run.cases()]
    again = rerun(run, cases, spec, RunOptions(), Notes())
    assert (again.done, list(again.differences)) == (3, [])


def test_an_unchanged_run_has_no_such_note(forged: Forged) -> None:
    found = verified(forged)
    assert found.passed
    assert not any("also measures" in note for note in found.notes)


@pytest.mark.parametrize("name", ["collisions", "path_length"])
def test_a_metric_that_both_have_must_be_equal(forged: Forged, name: str) -> None:
    forged.pick()["metrics"][name] += 1.0
    assert [each.what for each in verified(forged).differences] == [f"metrics.{name}"]


def test_a_metric_of_another_name_may_not_be_left_out(forged: Forged) -> None:
    line = forged.pick()
    (name,) = line["metrics"].keys() - {"collisions", "path_length"}
    del line["metrics"][name]
    assert [each.what for each in verified(forged).differences] == [f"metrics.{name}"]


def test_a_metric_that_no_replay_gives_is_a_difference(forged: Forged) -> None:
    forged.pick()["metrics"]["drops"] = 0.0
    assert [each.what for each in verified(forged).differences] == ["metrics.drops"]
