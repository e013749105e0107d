"""Stages and modes of a run: found by replay, kept beside it, checked, and never guessed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import stagedtoys
import toys
from conftest import Notes, plan_of, read_lines

from harness.cli.compare import compare
from harness.cli.report import report
from harness.cli.stages import compare_stages as compare_stages_command
from harness.cli.stages import report_stages
from harness.compare.pairs import read_scored_run
from harness.core import UserError
from harness.core.failure_modes import FAILURE_MODES
from harness.play.runner import RunOptions, play
from harness.probes.stage_changes import StageChanges, compare_stages
from harness.records.stage_file import FILE, EpisodeStages, StageWriter, read_stage_file
from harness.records.stored_run import load_run
from harness.stats.intervals import clopper_pearson
from harness.testing import ContractError, check_adapter
from harness.verify import replay
from harness.verify.knowledge import Knowledge
from harness.verify.stages import StagedEpisode, stages_of_run
from leaderboards.stage_compare import render_changes
from leaderboards.stage_tables import render_stages
from leaderboards.stages import stage_report

TASK = toys.toy_task("staged", adapter="stagedtoys:StagedToy", max_steps=24)
PLAIN = toys.toy_task("plain", max_steps=24)
EPISODES = 12


def played(folder: Path, agent: str, *, tasks: Any = (TASK, PLAIN), **args: Any) -> Path:
    """A run of toys by an agent."""
    spec, plan = plan_of(agent, tasks, EPISODES, **args)
    play(spec, ["toys"], plan, folder, RunOptions(workers=0), Notes())
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run that mostly fails at random, one that goes to another goal, and a good one."""
    folder = tmp_path_factory.mktemp("staged")
    return {
        "random": played(folder / "random", "RandomAgent"),
        "corner": played(folder / "corner", "stagedtoys:ToCorner"),
        "good": played(folder / "good", "GoodAgent"),
    }


def of_task(found: list[StagedEpisode], name: str) -> list[StagedEpisode]:
    return [each for each in found if each.result.task.startswith(f"toys/{name}@")]


def test_failures_are_replayed_once(runs: dict[str, Path]) -> None:
    told: list[int] = []
    before = (runs["random"] / "episodes.jsonl").read_bytes()
    first = stages_of_run(load_run(runs["random"]), told.append)
    again = stages_of_run(load_run(runs["random"]), told.append)
    failed = sum(not each.result.success for each in first)
    assert told == [failed]
    assert first == again
    assert (runs["random"] / "episodes.jsonl").read_bytes() == before
    assert len(first) == 2 * EPISODES
    assert not any(each.unknown for each in first)


def test_stages_and_modes_are_what_happened(runs: dict[str, Path]) -> None:
    found = stages_of_run(load_run(runs["corner"]))
    staged = of_task(found, "staged")
    assert any(not each.result.success for each in staged)
    for each in staged:
        assert each.found is not None
        if each.result.success:
            assert (each.found.stage, each.found.modes, each.found.progress) == (3, (), 1.0)
        else:
            assert each.found.modes[0] == "other_goal"
            assert each.found.stage < 3
    # Without hooks, the corner is no other goal: it did nothing in the end, which alone is told.
    for each in of_task(found, "plain"):
        assert each.found is not None
        assert each.found.stages == ()
        assert each.result.success or each.found.modes in (("out_of_time",), ("never_moved",
                                                           "out_of_time"))  # fmt: skip


def test_the_hooks_change_no_case_and_no_result(runs: dict[str, Path], tmp_path: Path) -> None:
    bare = toys.toy_task("staged", max_steps=24)
    other = played(tmp_path / "bare", "RandomAgent", tasks=(bare,))
    one, two = (
        [(each.seed, each.start, each.digest) for each in load_run(path).results() if path]
        for path in (other, runs["random"])
    )
    assert set(one) <= set(two)


def test_an_episode_that_does_not_come_out_as_recorded_is_unknown(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(runs["random"], changed)
    (changed / FILE).unlink(missing_ok=True)
    lines = read_lines(changed)
    wrong = next(line for line in lines if not line["success"] and "staged" in line["task"])
    wrong["digest"] = "0" * 20
    (changed / "episodes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = stages_of_run(load_run(changed))
    (unknown,) = [each for each in found if each.unknown]
    assert unknown.result.case == wrong["case"]
    assert "does not come out as recorded" in unknown.unknown
    assert wrong["case"] not in read_stage_file(changed)
    shutil.rmtree(changed / "traces")
    (changed / FILE).unlink()
    assert {each.unknown for each in stages_of_run(load_run(changed))} == {
        "", "it has no recorded actions"
    }  # fmt: skip


def line_of(**fields: Any) -> EpisodeStages:
    row: dict[str, Any] = {
        "case": "c", "digest": "d", "stages": ("near", "there"), "stage": 1,
        "modes": ("loop",), "looked_for": ("loop", "out_of_time"), **fields,
    }  # fmt: skip
    return EpisodeStages(**row)


def test_a_stage_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    lines = [line_of(case=str(number)) for number in range(3)]
    with StageWriter(tmp_path) as writer:
        for each in lines:
            writer.append(each)
    assert list(read_stage_file(tmp_path).values()) == lines
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"rules": 1, "case": "torn')
    assert len(read_stage_file(tmp_path)) == 3
    with StageWriter(tmp_path) as writer:
        writer.append(line_of(case="3"))
    assert len(read_stage_file(tmp_path)) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"stage": 3},
        {"stage": True},
        {"stage": "1"},
        {"modes": ["tired"]},
        {"modes": ["dropped"]},
        {"modes": ["out_of_time", "loop"]},
        {"stages": [1]},
        {"stages": "near"},
        {"case": None},
        {"more": 1},
    ],
)
def test_a_line_of_a_stranger_is_refused_in_one_line(tmp_path: Path, change: Any) -> None:
    line = {"rules": 1, **vars(line_of()), **change}
    (tmp_path / FILE).write_text(json.dumps(line) + "\n")
    with pytest.raises(UserError, match=r"line 1: .* Remove that file"):
        read_stage_file(tmp_path)


def test_lines_by_other_rules_are_made_again(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps({"rules": 2, **vars(line_of())}) + "\n")
    assert read_stage_file(tmp_path) == {}


def test_verify_replays_what_the_file_says(runs: dict[str, Path], tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(runs["corner"], changed)
    stages_of_run(load_run(changed))
    known = Knowledge(tasks={each.id: each for each in (TASK, PLAIN)})

    def check() -> Any:
        return replay.verify(
            changed, sample=None, options=RunOptions(workers=0), progress=Notes(), known=known
        )

    assert not check().differences
    file = changed / FILE
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[0]["stage"] = 2 if lines[0]["stage"] != 2 else 1
    lines[0]["stages"] = list(stagedtoys.STAGES)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    named = {each.what for each in check().differences}
    assert named
    assert all(each.startswith("stages.jsonl: stage") for each in named)


def test_the_funnel_has_the_exact_intervals_of_a_rate(runs: dict[str, Path]) -> None:
    run = load_run(runs["random"])
    episodes = stages_of_run(run)
    found = stage_report(run, episodes)
    (funnel,) = found.funnels
    assert (funnel.tasks, funnel.n, funnel.unknown) == ((TASK.id,), EPISODES, 0)
    reached = [share.reached.value for share in funnel.stages]
    assert reached == sorted(reached, reverse=True)
    for number, share in enumerate(funnel.stages):
        k = sum(each.found.stage > number for each in of_task(episodes, "staged") if each.found)
        expected = clopper_pearson(k, EPISODES)
        assert (share.reached.value, share.reached.low, share.reached.high) == pytest.approx(
            (k / EPISODES, expected.low, expected.high)
        )
    assert found.without == {"toys": 1}
    (modes,) = found.modes
    everywhere = [row for row in modes.modes if row.tasks == 2]
    assert sum(row.episodes for row in modes.modes) == 2 * EPISODES
    assert {row.mode for row in everywhere} >= {"success", "out_of_time"}


def test_an_unknown_episode_widens_the_bounds(runs: dict[str, Path]) -> None:
    run = load_run(runs["random"])
    episodes = of_task(stages_of_run(run), "staged")
    failed = next(number for number, each in enumerate(episodes) if not each.result.success)
    known = stage_report(run, episodes).funnels[0].stages[0].reached
    episodes[failed] = StagedEpisode(
        index=episodes[failed].index, result=episodes[failed].result, found=None, unknown="lost"
    )
    found = stage_report(run, episodes)
    wider = found.funnels[0].stages[0].reached
    assert (found.unknown, found.funnels[0].unknown) == ({"lost": 1}, 1)
    assert wider.low is not None
    assert wider.high is not None
    assert known.low is not None
    assert wider.low <= known.low or wider.high - wider.low > 0


@pytest.mark.parametrize("format", ["text", "markdown", "latex", "json"])
def test_every_format_tells_stages_and_modes(runs: dict[str, Path], format: str) -> None:
    run = load_run(runs["corner"])
    text = render_stages(stage_report(run, stages_of_run(run)), format)
    assert "half way" in text
    assert "other_goal" in text.replace("\\", "")
    if format == "json":
        assert json.loads(text)["schema"] == 1


def test_a_stranger_s_adapter_is_not_imported(
    runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match=r"would import .*--trust allows it"):
        report_stages(runs["corner"], "text", trust=False, full=False)
    assert report_stages(runs["corner"], "text", trust=True, full=False) == 0
    assert "other_goal" in capsys.readouterr().out
    assert report_stages(runs["corner"], "html", trust=True, full=False) == 0
    assert "most others: other_goal" in capsys.readouterr().out
    with pytest.raises(UserError, match="--stages has no csv"):
        report_stages(runs["corner"], "csv", trust=True, full=False)
    with pytest.raises(UserError, match="leave --against"):
        report(runs["corner"], against="gea", stages=True)
    with pytest.raises(UserError, match="--stages prints no other report: leave --training-data"):
        report(runs["corner"], stages=True, training_data=runs["corner"])
    with pytest.raises(UserError, match="print html one at a time"):
        report(runs["corner"], "html", stages=True, seen=True)
    assert report(runs["corner"], stages=True, seen=True, trust=True) == 0
    both = capsys.readouterr().out
    assert both.index("FAILURE MODES") < both.index("what it was trained on: unknown")
    names = str(runs["good"]), str(runs["corner"])
    with pytest.raises(UserError, match="leave --robustness"):
        compare(*names, robustness=True, stages=True)
    assert compare_stages_command(*names, 0.05, "markdown", trust=True, full=False) == 0
    assert "moved" in capsys.readouterr().out
    assert compare_stages_command(*names, 0.05, "html", trust=True, full=False) == 0
    assert "differences: navigation, modes" in capsys.readouterr().out


def changes(runs: dict[str, Path], base: str, new: str) -> StageChanges:
    sides = [read_scored_run(runs[name]) for name in (base, new)]
    first, second = (stages_of_run(side.stored) for side in sides)
    return compare_stages(sides[0], sides[1], (first, second), 0.05)


def test_compare_names_the_stage_and_the_mode_that_moved(runs: dict[str, Path]) -> None:
    found = changes(runs, "good", "corner")
    moved = {(row.kind, row.name): row for row in found.rows if row.moved}
    assert ("mode", "other_goal") in moved
    assert ("stage", "at the goal") in moved
    assert (
        moved["mode", "other_goal"].difference.value
        > 0
        > (moved["stage", "at the goal"].difference.value)
    )
    assert all(row.adjusted >= row.p for row in found.rows)
    assert min(row.adjusted for row in found.rows) == pytest.approx(
        min(row.p for row in found.rows) * len(found.rows)
    )
    assert "other_goal" in render_changes(found, "text")
    assert json.loads(render_changes(found, "json"))["rows"][0]["kind"] == "stage"


def test_a_run_beside_itself_moves_nothing(runs: dict[str, Path]) -> None:
    found = changes(runs, "random", "random")
    assert not any(row.moved for row in found.rows)
    assert {row.p for row in found.rows} == {1.0}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("StageFalls", "it never falls"),
        ("StageMoves", "asking must change nothing"),
        ("StageBeyond", r"stage\(\) gave 4"),
        ("StageTwice", "two stages have one name"),
        ("ModeUnknown", "failure_modes gave"),
        ("ModeUndeclared", r"failure_mode\(\) gave"),
    ],
)
def test_the_contract_names_wrong_hooks(name: str, words: str) -> None:
    task = toys.toy_task("wrong", adapter=f"stagedtoys:{name}")
    with pytest.raises(ContractError, match=words):
        check_adapter(task, another_process=False)


def test_the_contract_passes_right_ones() -> None:
    check_adapter(TASK, another_process=False)


def test_every_mode_has_a_meaning() -> None:
    assert all(what and not what.endswith(".") for what in FAILURE_MODES.values())
