"""Where both agents read drawn views, only episodes that one renderer drew make a pair."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import paintedtoys
import pytest
import toys
from conftest import Notes, Said, read_lines

from harness.compare.gate import Gate, GateOptions, judge_gate
from harness.compare.pairs import ScoredRun, TaskPairs, pair_notes, pair_up, read_scored_run
from harness.compare.renderers import Drawn
from harness.core import Suite, Task, Turn, UserError
from harness.core.agent import ALL_VIEWS
from harness.perturb.parse import parse_conditions
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.records.identity import AgentSpec
from harness.records.live_agent import live

EPISODES = 6
PAINTED = paintedtoys.painted_task()
PLAIN = toys.toy_task("plain")
MESA, NVIDIA = "egl, Mesa, llvmpipe", "egl, NVIDIA Corporation, NVIDIA A100"
IMAGE, STATE, ANY = ("image",), ("state",), (ALL_VIEWS,)
Play = Callable[..., Path]


def still(turns: Sequence[Turn]) -> list[Any]:
    return [turn.brief.action.noop() for turn in turns]


def spec_of(name: str, reads: tuple[str, ...]) -> AgentSpec:
    return live(still, reads, 1, name)


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Play on a machine that draws by `renderer`; returns the run directory."""

    def go(
        name: str,
        renderer: str,
        reads: tuple[str, ...] = IMAGE,
        tasks: Sequence[Task] = (PAINTED,),
        perturb: str = "",
    ) -> Path:
        monkeypatch.setenv(paintedtoys.VARIABLE, renderer)
        spec = spec_of(f"{tmp_path.name}-{name}", reads)
        chosen = [(Suite("toys", "toys", (task,), EPISODES), task) for task in tasks]
        conditions = parse_conditions(perturb, ()) if perturb else ()
        plan = make_plan(chosen, spec, episodes=EPISODES, seed=0, perturb=conditions)
        play(spec, ["toys"], plan, tmp_path / name, RunOptions(workers=0), Notes())
        return tmp_path / name

    return go


def change(run: Path, seeds: Sequence[int], renderer: str | None) -> None:
    """Write another renderer into the lines of some seeds; None: as if it was not recorded."""
    lines = read_lines(run)
    for line in lines:
        if line["seed"] in seeds:
            line["timing"].pop("renderer", None)
            line["timing"] |= {} if renderer is None else {"renderer": renderer}
    (run / "episodes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def counts(tasks: Sequence[TaskPairs]) -> list[tuple[int, int, int]]:
    """For each task: pairs, cases drawn apart, pairs of which one renderer is unknown."""
    return [(len(each.pairs), each.apart, each.renderer_unknown) for each in tasks]


def runs(*paths: Path) -> list[ScoredRun]:
    return [read_scored_run(path) for path in paths]


@pytest.mark.parametrize(
    ("base", "new", "differs", "unknown"),
    [
        (MESA, MESA, False, False),
        (MESA, NVIDIA, True, False),
        (MESA, "", False, False),
        ("", NVIDIA, False, False),
        (None, NVIDIA, False, True),
        (MESA, None, False, True),
        (None, None, False, False),
        (None, "", False, False),
    ],
)
def test_what_two_lines_say_together(
    base: str | None, new: str | None, differs: bool, unknown: bool
) -> None:
    drawn = Drawn(base, new)
    assert (drawn.differs, drawn.unknown) == (differs, unknown)


def test_one_renderer_makes_pairs_and_two_do_not(
    played: Play, bench_here: Callable[..., Said]
) -> None:
    here, there = played("here", MESA), played("there", MESA)
    assert counts(pair_up(*runs(here, there))) == [(EPISODES, 0, 0)]
    elsewhere = played("elsewhere", NVIDIA)
    with pytest.raises(UserError, match="different renderers drew them"):
        pair_up(*runs(here, elsewhere))
    said = bench_here("compare", here, elsewhere)
    assert (said.code, said.out) == (2, "")
    assert len(said.err.splitlines()) == 1
    for part in (repr(MESA), repr(NVIDIA), "Play both with one renderer"):
        assert part in said.err


def test_what_perturbations_cost_is_compared_with_one_renderer(
    played: Play, bench_here: Callable[..., Said]
) -> None:
    base, same, other = (
        played(name, renderer, perturb="action_random:2")
        for name, renderer in (("base", MESA), ("same", MESA), ("other", NVIDIA))
    )
    assert bench_here("compare", base, same, "--robustness").code == 0
    said = bench_here("compare", base, other, "--robustness")
    assert (said.code, said.out) == (2, "")
    assert "Play both with one renderer" in said.err


@pytest.mark.parametrize(
    ("base", "new"), [(STATE, STATE), (STATE, IMAGE), (IMAGE, STATE), (IMAGE, ANY), (ANY, ANY)]
)
def test_who_reads_nothing_drawn_is_compared_whatever_drew(
    played: Play, base: tuple[str, ...], new: tuple[str, ...]
) -> None:
    """The agent that may read any view reads none."""
    tasks = pair_up(*runs(played("base", MESA, base), played("new", NVIDIA, new)))
    assert counts(tasks) == [(EPISODES, 0, 0)]
    assert not [note for note in pair_notes(tasks) if "render" in note or "drawn" in note]


def test_of_a_run_on_two_machines_some_cases_pair(
    played: Play, bench_here: Callable[..., Said]
) -> None:
    base, new = played("base", MESA), played("new", MESA)
    change(new, (1, 4), NVIDIA)
    tasks = pair_up(*runs(base, new))
    assert counts(tasks) == [(EPISODES - 2, 2, 0)]
    assert {pair.seed for pair in tasks[0].pairs} == {0, 2, 3, 5}
    assert tasks[0].drawn == Drawn(MESA, NVIDIA)
    said = bench_here("compare", base, new)
    told = " ".join(said.out.split())
    assert "2 of 6 cases were drawn by different renderers in the two runs" in told
    assert repr(MESA) in told
    assert repr(NVIDIA) in told
    assert "no partner" not in told


def test_tasks_that_are_drawn_alike_are_compared(played: Play) -> None:
    both = (PAINTED, PLAIN)
    tasks = pair_up(*runs(played("base", MESA, tasks=both), played("new", NVIDIA, tasks=both)))
    assert counts(tasks) == [(0, EPISODES, 0), (EPISODES, 0, 0)]


@pytest.mark.parametrize("old", ["base", "new"])
def test_where_one_run_does_not_say_it_they_pair_and_it_is_said(played: Play, old: str) -> None:
    paths = {"base": played("base", MESA), "new": played("new", NVIDIA)}
    change(paths[old], range(EPISODES), None)
    tasks = pair_up(*runs(*paths.values()))
    assert counts(tasks) == [(EPISODES, 0, EPISODES)]
    (note,) = pair_notes(tasks)
    assert "is not recorded in one of the runs for 6 of 6 cases" in note
    change(paths["base"], range(EPISODES), None)
    change(paths["new"], range(EPISODES), None)
    assert not list(pair_notes(pair_up(*runs(*paths.values()))))


def test_old_lines_of_who_reads_the_state_need_no_renderer(played: Play) -> None:
    base, new = played("base", MESA, STATE), played("new", NVIDIA)
    assert all("renderer" not in line["timing"] for line in read_lines(base))
    assert counts(pair_up(*runs(base, new))) == [(EPISODES, 0, 0)]


@pytest.mark.parametrize("sequential", [False, True])
def test_a_gate_stops_after_a_round_that_another_renderer_drew(
    played: Play, monkeypatch: pytest.MonkeyPatch, sequential: bool, tmp_path: Path
) -> None:
    base = read_scored_run(played("base", MESA))
    options = GateOptions(sequential=sequential)
    monkeypatch.setenv(paintedtoys.VARIABLE, NVIDIA)
    gate = Gate(spec_of(tmp_path.name, IMAGE), base, options)
    with pytest.raises(UserError, match="Play both with one renderer"):
        gate.play(tmp_path / "gate", RunOptions(workers=0, lanes=1), Notes())
    assert len(read_lines(tmp_path / "gate")) == 1
    with pytest.raises(UserError, match="Play both with one renderer"):
        judge_gate(base, tmp_path / "gate", options)


@pytest.mark.parametrize("sequential", [False, True])
def test_a_gate_judges_the_pairs_that_one_renderer_drew(
    played: Play, monkeypatch: pytest.MonkeyPatch, sequential: bool, tmp_path: Path
) -> None:
    path = played("base", MESA, tasks=(PAINTED, PLAIN))
    # None of the painted task's pairs is left.
    base, options = read_scored_run(path), GateOptions(sequential=sequential)
    monkeypatch.setenv(paintedtoys.VARIABLE, NVIDIA)
    gate = Gate(spec_of(tmp_path.name, IMAGE), base, options)
    ran = gate.play(tmp_path / "gate", RunOptions(workers=0), Notes())
    judged = judge_gate(base, ran.path, options)
    assert [row.task for row in judged.comparison.tasks] == [PLAIN.id]
    assert [row.n for row in judged.comparison.tasks] == [EPISODES]
    assert any("drawn by different renderers" in note for note in judged.notes)
