"""The gate's outcome `progress`: what it finds sooner, what it never overrules, what it refuses."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from calibration.progress import ALPHA, MARGIN, WORLDS, shares, simulated, verdicts
from conftest import Notes, Run, plan_of

from harness.cli.progress import find_progress_of_base
from harness.compare import verdict
from harness.compare.case_tables import Pair
from harness.compare.gate import Gate, Gated, GateOptions, judge_gate
from harness.compare.pairs import TaskPairs, read_scored_run
from harness.compare.progress import RunProgress, compare_progress
from harness.compare.saved_runs import open_run
from harness.core import UserError
from harness.play.runner import RunOptions, play
from harness.probes.progress import progress_of, refuse_without_progress
from harness.records.identity import AgentSpec
from harness.stats import sign_flip
from leaderboards.compare import of_gate
from leaderboards.compare_render import comparison_to_json, render_compared

Play = Callable[..., Run]
STAGED = toys.toy_task("staged", adapter="stagedtoys:StagedToy", max_steps=24)
PLAIN = toys.toy_task("plain", max_steps=24)
OUTCOME = {"outcome": "progress", "margin": 0.1}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("progress") / "base"
    spec, plan = plan_of("ExpertAgent", [STAGED, PLAIN], 12)
    return play(spec, ["toys"], plan, folder, RunOptions(workers=0), Notes()).path


def gate(base: Path, agent: str, out: Path, **options: Any) -> Gated:
    judged = GateOptions(**{**OUTCOME, **options})
    side = read_scored_run(base)
    entry = agent if ":" in agent else f"toys:{agent}"
    judge = Gate(AgentSpec(agent, entry, {}), side, judged)
    played = judge.play(out, RunOptions(workers=0), Notes())
    return judge_gate(side, played.path, judged, progress_of)


def pairs_of(base: np.ndarray, new: np.ndarray, whole: int) -> list[TaskPairs]:
    """The pairs of one run of the simulation, by success; arrays of shape (tasks, pairs)."""
    return [
        TaskPairs(
            toys.toy_task(f"t{task}"),
            "toys",
            [
                Pair(k, (), float(one == whole), float(other == whole))
                for k, (one, other) in enumerate(zip(base[task], new[task]))
            ],
            own_streams=True,
        )
        for task in range(len(base))
    ]


def progress_from(reached: np.ndarray, whole: int) -> RunProgress:
    values = {
        (f"toys/t{task}@1", k, ()): n / whole
        for task, row in enumerate(reached.tolist())
        for k, n in enumerate(row)
    }
    return RunProgress(values=values, tasks=frozenset(name for name, _, _ in values))


def test_the_simulation_says_what_the_gate_says_and_success_is_never_overruled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verdict, "sign_flip", lambda each: sign_flip(each, 1000))
    said = []
    for world in (WORLDS[1], WORLDS[3], WORLDS[-1]):
        base, new = simulated(world, world.new, 30, 2, np.random.default_rng(3))
        for k, (success, _, joint) in enumerate(verdicts(world, base, new)):
            tasks = pairs_of(base[k], new[k], 4)
            told = progress_from(base[k], 4), progress_from(new[k], 4)
            found = compare_progress(tasks, *told, MARGIN, ALPHA)
            assert (found.verdict, found.success_verdict) == (joint, success)
            assert joint == "regress" or success != "regress"
            said.append((success, joint))
    assert ("inconclusive", "regress") in said


def test_it_finds_a_loss_sooner_and_errs_no_more_often() -> None:
    weak = WORLDS[0]
    by_success, _, by_progress = shares(weak, weak.new, 48, "regress", 150)
    assert by_progress > by_success + 0.2
    assert shares(weak, weak.base, 48, "regress", 200)[2] <= 0.05 + 2 * 0.016


def test_a_gate_by_progress_names_it_and_counts_what_was_reached(
    base: Path, tmp_path: Path
) -> None:
    found = gate(base, "RandomAgent", tmp_path / "random", tasks="*staged")
    comparison = found.comparison
    (row,) = comparison.tasks
    assert (comparison.outcome, row.measure, comparison.verdict) == (
        "progress",
        "progress",
        "regress",
    )
    assert row.new is not None
    assert 0 < row.new.value < 1
    assert comparison.why.startswith("by success,")
    rule = json.loads((tmp_path / "random" / "run.json").read_text())["stopping"]
    assert rule.endswith(", outcome progress")
    with pytest.raises(UserError, match="outcome progress"):
        gate(base, "RandomAgent", tmp_path / "random", tasks="*staged", outcome="success")
    compared = of_gate(found, read_scored_run(base))
    text = render_compared(compared, "text")
    assert "outcome progress" in " ".join(text.split())
    assert "success itself:" in text
    told = comparison_to_json(compared)
    assert (told["outcome"], told["success_verdict"]) == ("progress", "regress")
    same = gate(base, "ExpertAgent", tmp_path / "same")
    assert same.comparison.tasks[1].measure == "success"
    assert any("1 of 2 tasks without stages" in note for note in same.notes)


def test_where_progress_is_not_known_there_is_no_verdict(tmp_path: Path, play_toys: Play) -> None:
    run = play_toys("RandomAgent", [STAGED], 12, out="random")
    known = gate(run.path, "RandomAgent", tmp_path / "again", margin=0.5)
    assert known.comparison.verdict == "pass"
    shutil.rmtree(tmp_path / "again" / "traces")
    (tmp_path / "again" / "stages.jsonl").unlink()
    judged = GateOptions(outcome="progress", margin=0.5)
    found = judge_gate(read_scored_run(run.path), tmp_path / "again", judged, progress_of)
    assert (found.comparison.verdict, found.comparison.exit_code) == ("none", 4)
    assert "is not known: it has no recorded actions" in found.comparison.why


def test_what_has_no_progress_is_refused_before_anything_is_played(
    base: Path, tmp_path: Path, play_toys: Play
) -> None:
    with pytest.raises(UserError, match="leave --sequential out"):
        gate(base, "ExpertAgent", tmp_path / "none", sequential=True)
    plain = play_toys("ExpertAgent", [PLAIN], 2, out="plain")
    with pytest.raises(UserError, match="no task of the base has stages"):
        refuse_without_progress(read_scored_run(plain.path).plan)


def test_an_archived_base_brings_its_stages_with_it(tmp_path: Path, play_toys: Play) -> None:
    run = play_toys("RandomAgent", [STAGED], 6, out="random")
    lone, whole = tmp_path / "lone.zip", tmp_path / "whole.zip"
    names = ["run.json", "episodes.jsonl"]
    for archive in (lone, whole):
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for name in names:
                file.write(run.path / name, name)
        progress_of(read_scored_run(run.path))
        names.append("stages.jsonl")
    with open_run(str(lone)) as side, pytest.raises(UserError, match="bench report RUN --stages"):
        find_progress_of_base(side, side.plan)
    with open_run(str(whole)) as side:
        find_progress_of_base(side, side.plan)
        assert progress_of(side, replay=False) == progress_of(read_scored_run(run.path))
