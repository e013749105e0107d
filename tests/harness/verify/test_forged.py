"""Forgeries in which every hash and id fits: each is named. Honest runs of all kinds pass."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toys
from conftest import Notes, Run, plan_of
from forging import FORGERIES, KNOWN, SUITE, Forged, honest_run

from harness.cli.verification import stops_of
from harness.compare.early_stopping import GateRounds, WidthRounds
from harness.compare.pairs import read_scored_run
from harness.core import Case, Perturbation, Task, TimeStep
from harness.play.runner import RunOptions, play
from harness.records.stored_run import load_run
from harness.records.traces import encode_actions
from harness.verify.knowledge import Knowledge
from harness.verify.replay import verify
from harness.verify.report import VerificationReport

NOTHING = Knowledge(stops=stops_of)


def check(path: Path, known: Knowledge = NOTHING, **options: Any) -> VerificationReport:
    return verify(path, sample=None, options=RunOptions(**options), progress=Notes(), known=known)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return honest_run(tmp_path_factory.mktemp("honest") / "run")


def test_the_honest_run_passes(honest: Path) -> None:
    found = check(honest, KNOWN)
    assert found.passed, (found.differences, found.unchecked)
    assert found.replayed == found.lines == 40
    assert "what could not run, and cannot be tried here (toys/bad@1)" in found.claims


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_each_forgery_is_named(
    honest: Path, tmp_path: Path, forge: Callable[[Forged], None]
) -> None:
    run = Forged(honest, tmp_path / "run", 0)
    forge(run)
    run.save()
    found = check(run.path, KNOWN)
    named = [difference.what for difference in found.differences]
    assert FORGERIES[forge] in named, (found.differences, found.unchecked)
    assert not found.passed


def test_tasks_that_share_seeds_cannot_be_said_to_share_nothing(
    honest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toys.ToyAdapter, "own_streams", False)
    found = check(honest, KNOWN)
    assert "own_streams" in {difference.what for difference in found.differences}
    assert not found.passed


def test_a_part_of_a_suite_is_told_and_passes(honest: Path, tmp_path: Path) -> None:
    run = Forged(honest, tmp_path / "run", 0)
    run.without(lambda item: item.task.name != "toys/stay")
    run.with_item(SUITE.tasks[0], episodes=2)
    run.save()
    found = check(run.path, KNOWN)
    assert found.passed, found.differences
    assert "a part of toys: 3 of 4 tasks, 6 of 8 episodes" in found.notes


def test_what_a_sample_leaves_out_of_the_rows_is_said(honest: Path) -> None:
    found = verify(honest, sample=1, options=RunOptions(), progress=Notes(), known=KNOWN)
    assert found.passed
    assert "2 more rows of what could not run, which the sample left out" in found.claims


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that stopped at different episodes of its tasks, because they were easy enough."""
    path = tmp_path_factory.mktemp("stopped") / "run"
    tasks = (toys.toy_task(), toys.toy_task("far", size=12, max_steps=12))
    spec, plan = plan_of("GoodAgent", tasks, 60)
    play(spec, ["toys"], plan, path, RunOptions(), Notes(), WidthRounds(plan, 0.4))
    return path


def change(path: Path, to: Path, **fields: Any) -> Path:
    shutil.copytree(path, to)
    run = json.loads((path / "run.json").read_text())
    for name, value in fields.items():
        if value is None:
            del run[name]
        else:
            run[name] = value
    (to / "run.json").write_text(json.dumps(run))
    return to


def test_a_run_that_a_rule_stopped_passes(stopped: Path) -> None:
    ends = load_run(stopped).description["stopped"]
    assert all(0 < end < 60 for end in ends.values()), "it did stop early"
    found = check(stopped)
    assert found.passed, found.differences


@pytest.mark.parametrize("by", [-1, 1])
def test_where_a_rule_stops_is_computed_again(stopped: Path, tmp_path: Path, by: int) -> None:
    ends = dict(load_run(stopped).description["stopped"])
    ends["toys/far@1"] += by
    found = check(change(stopped, tmp_path / "run", stopped=ends))
    (difference,) = (each for each in found.differences if each.what == "stopped")
    assert (difference.task, difference.recorded) == ("toys/far@1", ends["toys/far@1"])
    assert str(ends["toys/far@1"] - by) in str(difference.expected)


def test_what_a_rule_stopped_cannot_be_said_to_go_on(stopped: Path, tmp_path: Path) -> None:
    found = check(change(stopped, tmp_path / "run", stopped=None))
    assert "stopped" in {each.what for each in found.differences}


def test_no_other_rule_may_be_claimed(stopped: Path, tmp_path: Path) -> None:
    for number, rule in enumerate(("until width 0.3", "until we won", "until width nan")):
        found = check(change(stopped, tmp_path / str(number), stopping=rule))
        assert {each.what for each in found.differences} & {"stopped", "the stopping rule"}, rule


def test_a_gate_stops_at_a_round_of_all_tasks(tmp_path: Path) -> None:
    """Where it decides depends on its base, which is not in its files: that is a claim."""
    tasks = (toys.toy_task(), toys.toy_task("far", size=12, max_steps=12))
    spec, plan = plan_of("GoodAgent", tasks, 40)
    play(spec, ["toys"], plan, tmp_path / "base", RunOptions(), Notes())
    spec, plan = plan_of("RandomAgent", tasks, 40)
    base = read_scored_run(tmp_path / "base").values
    rounds = GateRounds(plan, base, margin=0.05, alpha=0.05, sequential=True)
    play(spec, ["toys"], plan, tmp_path / "new", RunOptions(), Notes(), rounds)
    ends = load_run(tmp_path / "new").description["stopped"]
    found = check(tmp_path / "new")
    assert found.passed, found.differences
    assert "the round at which the gate decided, because its base is not here" in found.claims
    lucky = {**ends, "toys/goal@1": ends["toys/goal@1"] - 1}
    found = check(change(tmp_path / "new", tmp_path / "lucky", stopped=lucky))
    assert "stopped" in {each.what for each in found.differences}


def test_an_error_may_have_a_trace_that_ends_nowhere(
    play_toys: Callable[..., Run], tmp_path: Path
) -> None:
    """A kill between trace and line, and a simulator that breaks at the next try, leave that."""
    run = play_toys("GoodAgent", [toys.toy_task("bad", fault="raise_on_step", fault_seeds=[1])], 3)
    forged = Forged(run.path, tmp_path / "forged", 0)
    (line,) = (line for line in forged.lines if line["status"] == "error")
    other = forged.pick(lambda line: line["status"] == "finished")
    forged.traces.append({**forged.trace(other), "case": line["case"], "seed": line["seed"]})
    forged.save()
    found = check(forged.path)
    assert found.passed, found.differences
    assert found.replayed == found.chosen == 2


class Gives(toys.ToyAdapter):
    """Its expert gives up after some steps, and its metrics say so."""

    def expert(self, executed: Any) -> Any:
        self.asked += 1
        return None if self.asked > 2 else super().expert(executed)

    def reset(self, case: Any) -> Any:
        self.asked = 0
        return super().reset(case)

    def step(self, action: Any) -> Any:
        seen = super().step(action)
        if self.asked <= 2:
            return seen
        return dataclasses.replace(seen, metrics={**seen.metrics, "expert_gave_up": 1.0})


class AsksTheExpert(toys.ExpertAgent):
    """Goes right when the expert has given up."""

    def act(self, turns: Any) -> Any:
        return [2 if turn.expert is None else turn.expert for turn in turns]


HONEST: dict[str, tuple[str, list[Task], dict[str, Any]]] = {
    "an expert that gave up": (
        f"{__name__}:AsksTheExpert",
        [toys.toy_task("gives", adapter=f"{__name__}:Gives")],
        {},
    ),
    "chunks": ("ChunkAgent", list(toys.TASKS), {"lanes": 2}),
    "clipped actions": ("NaNAgent", [toys.toy_task("glide", action="box")], {}),
    "a task that cannot run": ("GoodAgent", [toys.toy_task(), SUITE.tasks[3]], {}),
    "starts that are solved": (
        "GoodAgent",
        [toys.toy_task("solved", fault="solved_at_reset", fault_seeds=[1]), toys.toy_task()],
        {},
    ),
    "starts that are solved, side by side": (
        "GoodAgent",
        [toys.toy_task("solved", fault="solved_at_reset", fault_seeds=[1])],
        {"lanes": 3},
    ),
    "a view that is not there": ("ReadsSmell", list(toys.TASKS), {}),
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_runs_are_not_accused(name: str, play_toys: Callable[..., Run]) -> None:
    agent, tasks, options = HONEST[name]
    run = play_toys(agent, tasks, 3, **options)
    known = Knowledge(tasks={task.id: task for task in tasks}, stops=stops_of)
    found = check(run.path, known)
    assert not found.differences
    assert not found.unchecked
    assert found.replayed == found.chosen


class SolvedAtFirst(toys.ToyAdapter):
    """Its first two draws of every start are solved."""

    def reset(self, case: Case) -> TimeStep:
        seen = super().reset(case)
        return dataclasses.replace(seen, success=True) if case.draw < 2 else seen


def test_a_start_that_was_drawn_again_is_drawn_again_in_a_replay(
    play_toys: Callable[..., Run],
) -> None:
    run = play_toys("GoodAgent", [toys.toy_task("lucky", adapter=f"{__name__}:SolvedAtFirst")], 3)
    assert all(line["steps"] for line in run.results)
    found = check(run.path)
    assert found.passed, found.differences
    assert found.replayed == 3


def test_what_was_solved_at_its_start_has_no_step(
    play_toys: Callable[..., Run], tmp_path: Path
) -> None:
    run = play_toys("GoodAgent", [toys.toy_task("solved", fault="solved_at_reset")], 2)
    found = check(run.path)
    assert found.passed, found.differences
    assert found.replayed == 2
    forged = Forged(run.path, tmp_path / "forged", 0)
    forged.lines[0]["steps"] = 3
    forged.save()
    assert "ended" in {each.what for each in check(forged.path).differences}


def test_a_failure_cannot_be_said_to_be_solved_at_its_start(honest: Path, tmp_path: Path) -> None:
    run = Forged(honest, tmp_path / "run", 0)
    line = run.pick(lambda line: line["success"] is False)
    line |= {"success": True, "ended": "solved_at_start", "steps": 0}
    line |= {"success_ever": True, "success_end": True, "first_success": 0}
    run.trace(line)["actions"] = encode_actions([])
    run.save()
    named = {each.what for each in check(run.path, KNOWN).differences}
    assert {"success", "ended"} & named or "the actions" in named


def test_a_noisy_case_does_not_begin_with_the_clean_images(tmp_path: Path) -> None:
    """What an agent answers to a noisy image cannot be checked; that it saw one can."""
    noise = (Perturbation("image_noise", 1, {"sigma": 0.08}),)
    spec, plan = plan_of("ImageAgent", [toys.toy_task()], 3)
    plan = dataclasses.replace(plan, perturbations=(noise,))
    play(spec, ["toys"], plan, tmp_path / "run", RunOptions(), Notes())
    found = check(tmp_path / "run")
    assert found.passed, found.differences
    assert "that the agent was shown image_noise" in found.claims
    run = Forged(tmp_path / "run", tmp_path / "forged", 0)
    for trace in run.traces:
        of_seed = [other for other in run.traces if other["seed"] == trace["seed"]]
        trace["pixels"] = of_seed[0]["pixels"]
    run.save()
    whats = [each.what for each in check(run.path).differences]
    assert whats == ["the first images"] * 3


def test_a_run_interrupted_and_resumed_is_not_accused(tmp_path: Path) -> None:
    spec, plan = plan_of("RandomAgent", toys.TASKS, 4)
    path = tmp_path / "run"
    play(spec, ["toys"], plan, path, RunOptions(), Notes())
    lines = (path / "episodes.jsonl").read_text().splitlines(keepends=True)
    (path / "episodes.jsonl").write_text("".join(lines[:5]) + lines[5][:20])
    assert not check(path).passed, "seven cases are missing"
    play(spec, ["toys"], plan, path, RunOptions(), Notes())
    found = check(path)
    assert found.passed, found.differences
