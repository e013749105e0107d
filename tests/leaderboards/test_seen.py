"""What an agent had seen: leaks are counted, gaps are named where they are, and nothing else is."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seentoys
import toys
from calibration.seen import AXES, WORLDS, covered, named
from conftest import Notes, plan_of

from harness.cli.report import report
from harness.cli.seen import report_seen
from harness.compare.pairs import pair_up, read_scored_run
from harness.core import Agent, Case, Task, UserError
from harness.demos import Demos
from harness.demos.record import RecordingOptions, record
from harness.play.factors import factors_of_run
from harness.play.planning import Suite
from harness.play.runner import RunOptions, play
from harness.probes.seen import seen_of_run
from harness.records.factor_file import FILE as FACTORS
from harness.records.stored_run import load_run
from harness.records.training_data import (
    FILE,
    TrainingData,
    read_training_data,
    start_key,
    write_training_data,
)
from harness.stats import newcombe
from harness.stats.gaps import gap_within_tasks
from harness.testing import ContractError, check_adapter
from harness.verify.difference import Difference
from harness.verify.knowledge import Knowledge
from harness.verify.replay import verify
from leaderboards.seen import SeenReport, seen_report
from leaderboards.seen_tables import render_seen

EPISODES = 60


def task(name: str = "seen", kind: str = "SeenToy") -> Task:
    return toys.toy_task(name, adapter=f"seentoys:{kind}", max_steps=14, size=4)


def played(
    folder: Path, agent: str, *tasks: Task, training_data: Path | None = None, **args: Any
) -> Path:
    spec, plan = plan_of(agent, tasks, EPISODES, **args)
    options = RunOptions(workers=0, training_data=training_data)
    return play(spec, ["toys"], plan, folder, options, Notes()).path


def told(run: Path, data: Path, *controls: Path) -> SeenReport:
    stored = load_run(run)
    found = read_training_data(data)
    seen = seen_of_run(stored, found)
    return seen_report(stored, found, seen, [load_run(each) for each in controls])


def start_of(seed: int) -> list[float]:
    toy = seentoys.SeenToy(task())
    return toy.reset(Case(task(), seed)).observation["state"].tolist()  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Demonstrations of 60 starts of the few hundred that there are."""
    folder = tmp_path_factory.mktemp("demos") / "demos"
    suite = Suite("toys", "toys", (task(),), EPISODES)
    options = RecordingOptions(views=("state",))
    record([(suite, task())], folder, options, RunOptions(workers=0), Notes(), episodes=EPISODES)
    return folder


@pytest.fixture(scope="module")
def memorised(demos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of an agent that knows these starts by heart."""
    folder = tmp_path_factory.mktemp("memorised")
    starts = [start_of(row.seed) for row in Demos(demos).rows]
    (folder / "starts.json").write_text(json.dumps(starts))
    file = str(folder / "starts.json")
    return played(folder / "run", "seentoys:Memoriser", task(), training_data=demos, file=file)


def test_demonstrations_say_where_they_start_and_what_they_are_about(demos: Path) -> None:
    rows = Demos(demos).rows
    assert {len(row.start) for row in rows} == {16}
    assert json.loads(rows[0].factors)["object"].startswith("column ")
    data = read_training_data(demos)
    assert data.axes["start"] == {start_key(row.start, json.loads(row.factors)) for row in rows}
    assert data.axes["instruction"] == {row.instruction for row in rows}
    assert data.axes["task"] == {"toys/seen@1"}
    assert data.description == "60 episodes of experts in toys"


def test_an_agent_that_memorised_starts_is_named_and_its_leaks_are_counted(
    demos: Path, memorised: Path, tmp_path: Path
) -> None:
    chance, good = (
        played(tmp_path / name, name, task()) for name in ("RandomAgent", "ExpertAgent")
    )
    found = told(memorised, memorised / FILE, good, chance)
    known = {tuple(start_of(row.seed)) for row in Demos(demos).rows}
    seeds = [result.seed for result in load_run(memorised).results()]
    leaked = sum(tuple(start_of(seed)) in known for seed in seeds)
    assert 5 < leaked < 55
    assert (found.leaked, found.starts) == (leaked, EPISODES)
    gaps = {each.axis: each for each in found.gaps}
    assert gaps["start"].better
    assert gaps["start"].seen == 1.0
    expert, uniform = gaps["start"].controls
    assert (expert.agent, expert.gap.value, uniform.agent) == ("ExpertAgent", 0.0, "RandomAgent")
    for healthy in (good, chance):
        named_axes = [each.axis for each in told(healthy, demos).gaps if each.better]
        assert named_axes == []
    text = render_seen(found, "text")
    assert f"{leaked} of 60 starts were in the training data" in text
    assert "start: better on what it had seen" in text
    assert max(map(len, text.splitlines())) <= 80
    assert json.loads(render_seen(found, "json"))["leaked"] == leaked
    assert "start: better" in render_seen(found, "markdown")
    with pytest.raises(UserError, match="--seen has no csv"):
        render_seen(found, "csv")


def test_the_run_keeps_what_was_said_and_nothing_else_changes(
    memorised: Path, demos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    description = "60 episodes of experts in toys"
    assert load_run(memorised).description["agent"]["training_data"] == description
    plain = played(tmp_path / "plain", "GoodAgent", task())
    said = played(tmp_path / "said", "GoodAgent", task(), training_data=demos)
    lines = [(each / "episodes.jsonl").read_text() for each in (plain, said)]
    cases = [
        [
            {key: value for key, value in json.loads(line).items() if key != "timing"}
            for line in text.splitlines()
        ]
        for text in lines
    ]
    assert cases[0] == cases[1]
    assert report_seen(plain, "text", None, [], trust=True, full=False) == 0
    assert "what it was trained on: unknown" in " ".join(capsys.readouterr().out.split())
    assert report_seen(said, "json", None, [], trust=True, full=False) == 0
    assert json.loads(capsys.readouterr().out)["description"] == description
    before = (said / FACTORS).read_bytes()
    factors_of_run(load_run(said), lambda count: pytest.fail(f"{count} are reset again"))
    assert (said / FACTORS).read_bytes() == before


def test_prescribed_against_resampled_starts_needs_no_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    anew = dataclasses.replace(task("anew"), params={**task().params, "starts": "resampled"})
    file = tmp_path / "starts.json"
    file.write_text(json.dumps([start_of(seed) for seed in range(EPISODES)]))
    by_heart = played(tmp_path / "heart", "seentoys:Memoriser", task(), anew, file=str(file))
    good = played(tmp_path / "good", "GoodAgent", task(), anew)
    found, healthy = (
        seen_report(load_run(each), None, None, [load_run(good)]) for each in (by_heart, good)
    )
    assert found.resampled is not None
    assert healthy.resampled is not None
    assert (found.resampled.tasks, found.resampled.seen, found.resampled.better) == (1, 1.0, True)
    assert (healthy.resampled.gap.value, healthy.resampled.better) == (0.0, False)
    assert found.resampled.controls[0].gap.value == 0.0
    text = " ".join(render_seen(found, "text").split())
    assert "prescribed starts: better from them: +" in text
    assert "nothing is claimed of seen and unseen" in text
    assert "prescribed against resampled starts" in render_seen(found, "latex")
    assert json.loads(render_seen(found, "json"))["resampled"]["better"] is True
    lone = played(tmp_path / "lone", "GoodAgent", anew)
    assert seen_report(load_run(lone), None, None).resampled is None
    with pytest.raises(UserError, match=r"make no pairs.*bench report RUN --seen"):
        pair_up(
            read_scored_run(played(tmp_path / "other", "GoodAgent", task())), read_scored_run(lone)
        )
    assert report_seen(by_heart, "html", None, [good], trust=True, full=False) == 0
    page = capsys.readouterr().out
    assert page.startswith("<!doctype html>")
    assert "better from them" in page


def test_what_was_written_of_factors_is_verified(tmp_path: Path) -> None:
    spec, plan = plan_of("GoodAgent", [task()], 3)
    run = play(spec, ["toys"], plan, tmp_path / "run", RunOptions(workers=0), Notes()).path
    factors_of_run(load_run(run))
    known = Knowledge(tasks={task().id: task()})

    def differences() -> list[Difference]:
        options = RunOptions(workers=0)
        found = verify(run, sample=None, options=options, progress=Notes(), known=known)
        return list(found.differences)

    assert not differences()
    file = run / FACTORS
    first, *others = file.read_text().splitlines()
    line = json.loads(first)
    line["factors"]["object"] = "column 99"
    file.write_text("\n".join([json.dumps(line), *others]) + "\n")
    (found,) = differences()
    assert (found.what, found.recorded) == ("factors.jsonl: object", "column 99")
    assert str(found.expected).startswith("column ")


def test_what_digests_do_not_prove_is_not_claimed(demos: Path, tmp_path: Path) -> None:
    axes = {**read_training_data(demos).axes, "start": frozenset({"0" * 16})}
    data = TrainingData(description="none of these", axes=axes)
    for kind, known in (("SeenToy", {False}), ("ContinuousToy", set()), ("UncoveredToy", set())):
        run = load_run(played(tmp_path / kind, "GoodAgent", task(kind=kind)))
        seen = seen_of_run(run, data)
        assert {each.seen["start"] for each in seen.episodes if "start" in each.seen} == known
        notes = render_seen(seen_report(run, data, seen), "text")
        assert ("real numbers" in notes) == (kind == "ContinuousToy")
        assert ("does not cover" in notes) == (kind == "UncoveredToy")
    bare = TrainingData(description="a task", axes={"task": frozenset({"toys/seen@1"})})
    run = load_run(tmp_path / "SeenToy")
    found = seen_report(run, bare, seen_of_run(run, bare))
    assert [each.axis for each in found.tasks[0].axes] == ["task"]
    assert (found.starts, found.gaps) == (0, ())


def test_an_axis_between_tasks_has_no_gap(demos: Path, tmp_path: Path) -> None:
    run = load_run(played(tmp_path / "two", "GoodAgent", task(), task("other")))
    data = TrainingData(description="one", axes={"task": frozenset({"toys/seen@1"})})
    found = seen_report(run, data, seen_of_run(run, data))
    (between,) = found.between
    assert (between.axis, between.n_seen, between.n_unseen) == ("task", EPISODES, EPISODES)
    assert (between.seen, between.unseen, found.gaps) == (1.0, 1.0, ())
    assert "no gap within tasks" in " ".join(render_seen(found, "text").split())


def test_wrong_factors_are_found(tmp_path: Path) -> None:
    run = load_run(played(tmp_path / "run", "GoodAgent", task(kind="FactorUnknown")))
    _, reasons = factors_of_run(run)
    assert next(iter(reasons)).startswith("its start fails: SimulatorFault: factors() gave")
    with pytest.raises(ContractError, match="goes another way"):
        check_adapter(task(kind="FactorMoves"), seeds=[0, 1])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "does not say what was trained on"),
        ('{"schema": 1, "description": "x", "axes": {"weather": []}}', "no axis 'weather'"),
        ('{"schema": 1, "description": "x", "axes": {"task": [3]}}', "not a text"),
        ('{"schema": 2, "description": "x", "axes": {}}', "a whole number from 1 to 1"),
        (json.dumps({"schema": 1, "description": "x" * 1001, "axes": {}}), "more than 1000"),
        (None, "name a folder of `bench demos`"),
    ],
)
def test_a_file_that_is_none_is_refused(content: str | None, said: str, tmp_path: Path) -> None:
    file = tmp_path / "said.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UserError, match=said):
        read_training_data(file)


def test_it_is_refused_before_anything_is_played(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="name a folder"):
        played(tmp_path / "run", "GoodAgent", task(), training_data=tmp_path / "none")
    assert not (tmp_path / "run").exists()
    with pytest.raises(UserError, match="goes with --seen"):
        report(tmp_path, training_data=tmp_path)
    with pytest.raises(UserError, match="leave one of them out"):
        report(tmp_path, "json", stages=True, seen=True)


def test_an_agent_may_say_it_by_itself(tmp_path: Path) -> None:
    write_training_data(tmp_path, "a task", {"task": ["toys/seen@1"]})

    class Said(Agent):
        training_data = str(tmp_path)

        def act(self, turns: Any) -> Any:
            return [turn.brief.action.noop() for turn in turns]

    assert read_training_data(Said.trained_on({})).description == "a task"


def test_the_gap_is_newcombes_for_one_task_and_covers() -> None:
    gap, one = gap_within_tasks(([7], [10]), ([30], [90])), newcombe((30, 7), (90, 10))
    assert (gap.value, gap.low, gap.high) == pytest.approx((one.value, one.low, one.high), abs=1e-9)
    rng = np.random.default_rng(1)
    for world in (WORLDS[1], WORLDS[7]):
        assert covered(world, 400, rng)[0] >= 92
    two = gap_within_tasks(([7, 7], [10, 10]), ([30, 30], [90, 90]))
    assert two.low > gap.low
    assert AXES == 4
    assert named((0.5,), 100, 200, rng) <= 5
