"""A run checked against itself and against a replay: an honest run passes, and whatever was done to
its files is named."""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import paintedtoys
import pytest
import toys
from conftest import Notes, Run, Said, plan_of
from tampering import CHANGES, TASKS, Tampered

from harness.cli.verification import stops_of
from harness.core import Perturbation, Suite, Task
from harness.play.runner import RunOptions, play
from harness.records.plan import CaseIndex, Plan
from harness.records.stored_run import load_run
from harness.records.traces import read_traces
from harness.verify import episode_replay, replay
from harness.verify.integrity import check_files
from harness.verify.knowledge import Knowledge
from harness.verify.report import VerificationReport
from harness.verify.sampling import uniform

SEEDS = 20
TOYS = Suite("toys", "toys", TASKS, 3)
KNOWN = Knowledge(tasks={task.id: task for task in TASKS}, suite={"toys": TOYS}.get, stops=stops_of)
NOTHING = Knowledge(stops=stops_of)


def check(
    path: Path,
    sample: int | None = None,
    known: Knowledge = KNOWN,
    sample_seed: int | None = None,
    **options: Any,
) -> VerificationReport:
    return replay.verify(
        path,
        sample=sample,
        sample_seed=sample_seed,
        options=RunOptions(**options),
        progress=Notes(),
        known=known,
    )


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of an agent that acts at random: some episodes succeed, most fail."""
    path = tmp_path_factory.mktemp("honest") / "run"
    spec, plan = plan_of("RandomAgent", TASKS, 3)
    play(spec, ["toys"], plan, path, RunOptions(), Notes())
    return path


def test_an_honest_run_passes(honest: Path) -> None:
    found = check(honest)
    assert found.passed, found.differences
    assert (found.lines, found.replayed) == (15, 15)


def test_every_replay_multiplies_with_the_kernels_of_its_run(
    honest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    @contextlib.contextmanager
    def spy(machine: object) -> Iterator[None]:
        asked.append(machine)
        yield
        asked.append("as before")

    for module in (replay, episode_replay):
        monkeypatch.setattr(module, "kernels_of", spy)
    machine = load_run(honest).description["machine"]
    check(honest, 1)
    assert asked == [machine, "as before"]
    episode = episode_replay.find_episode(honest, f"{TASKS[0].id}:0")
    with episode_replay.EpisodeReplay(episode):
        assert asked[2:] == [machine]
    assert asked[2:] == [machine, "as before"]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_whatever_was_done_is_named(
    honest: Path, tmp_path: Path, change: Callable[[Tampered], None]
) -> None:
    for seed in range(SEEDS):
        run = Tampered(honest, tmp_path / str(seed), seed)
        change(run)
        run.save()
        named = [difference.what for difference in check(run.path).differences]
        assert any(what.startswith(CHANGES[change]) for what in named), (seed, named)


@pytest.mark.parametrize(
    "options",
    [{"lanes": 3}, pytest.param({"workers": 2, "lanes": 2}, marks=pytest.mark.slow)],
    ids=str,
)
def test_it_does_not_matter_how_it_is_replayed(
    honest: Path, ray_here: None, options: dict[str, Any]
) -> None:
    assert check(honest, **options).passed


def test_files_cut_by_hand_are_named_not_raised(honest: Path, tmp_path: Path) -> None:
    for file, keep in (("episodes.jsonl", 0.5), ("traces/part-0000.msgpack", 0.7)):
        path = tmp_path / file[:3]
        shutil.copytree(honest, path)
        content = (path / file).read_bytes()
        (path / file).write_bytes(content[: int(len(content) * keep)])
        assert {difference.what for difference in check(path).differences} & {
            "missing case",
            "missing trace",
            "3 missing cases",
            "4 missing cases",
        }
    (path / file).write_bytes(b"\xc1" + content)
    assert "damaged traces" in {difference.what for difference in check(path).differences}


@pytest.mark.parametrize(
    "line",
    ["null", "5", "{", "[" * 100_000, '{"case": 1}', '{"steps": ' + "9" * 5000 + "}"],
    ids=["null", "number", "torn", "deep", "case", "long"],
)
def test_a_line_that_is_no_result_is_named_not_raised(
    honest: Path, tmp_path: Path, line: str
) -> None:
    path = tmp_path / "run"
    shutil.copytree(honest, path)
    lines = (path / "episodes.jsonl").read_text().splitlines()
    (path / "episodes.jsonl").write_text("\n".join([lines[0], line, *lines[1:], ""]))
    found = check_files(load_run(path), KNOWN)
    assert [difference.what for difference in found.differences] == ["line 2"]
    assert len(found.playable) == 15, "the other lines are checked all the same"


def test_nobody_knows_the_sample_before(honest: Path) -> None:
    """The verifier draws its own seed and says it; with that seed the sample is the same again."""
    files = check_files(load_run(honest), KNOWN)

    def drawn(seed: int) -> list[CaseIndex]:
        return uniform(files.playable, 5, np.random.default_rng(seed))

    first, second = (check(honest, sample=5) for _ in range(2))
    assert first.sample_seed is not None
    assert second.sample_seed is not None
    assert first.sample_seed != second.sample_seed
    assert (first.playable, first.chosen, first.replayed) == (15, 5, 5)
    seed = first.sample_seed
    assert f"sample seed {seed}; repeat with --sample-seed {seed}" in first.remarks()
    assert check(honest, sample=5, sample_seed=7).sample_seed == 7
    assert drawn(7) == drawn(7)
    assert len({tuple(drawn(seed)) for seed in range(20)}) > 15
    assert check(honest, sample=15).sample_seed is None, "nothing was left to chance"


def test_every_case_is_drawn_with_the_same_chance() -> None:
    """Also where one task has many more episodes than another."""
    cases = [CaseIndex(0, 0, k) for k in range(18)] + [CaseIndex(1, 0, k) for k in range(2)]
    rng = np.random.default_rng(0)
    count = Counter(case for _ in range(2000) for case in uniform(cases, 5, rng))
    assert set(count) == set(cases)
    assert max(abs(times / 2000 - 0.25) for times in count.values()) < 0.05


def test_an_agents_errors_are_replayed_up_to_there(play_toys: Callable[..., Run]) -> None:
    tasks = [
        toys.toy_task("late", marker="7 7", action="box"),
        toys.toy_task("nan", marker="raise", marker_seeds=[1, 2]),
    ]
    run = play_toys("RaiseOn", tasks, 4)
    assert {line["status"] for line in run.results} == {"finished", "agent_error"}
    found = check(run.path, known=NOTHING)
    assert found.passed, found.differences


def test_errors_of_the_simulator_have_nothing_to_replay(play_toys: Callable[..., Run]) -> None:
    run = play_toys("GoodAgent", [toys.toy_task("bad", fault="raise_on_step", fault_seeds=[1])], 3)
    found = check(run.path, known=NOTHING)
    assert found.passed
    assert found.replayed == 2
    assert "that 1 case ended in an error that was not the agent's" in found.claims


def test_nothing_to_play_is_not_verified(play_toys: Callable[..., Run]) -> None:
    run = play_toys("GoodAgent", [toys.toy_task("bad", fault="missing")], 2)
    found = check(run.path, known=NOTHING)
    assert not found.passed
    assert "not verified" in found.as_text()


def test_a_simulator_that_keeps_something_is_found(play_toys: Callable[..., Run]) -> None:
    run = play_toys("GoodAgent", [toys.toy_task("leak", fault="leaky_state")], 4)
    assert not check(run.path, known=NOTHING, shuffle=3).passed


class Inexact(toys.ToyAdapter):
    """The sum of the state differs in the last digits from one environment to the next."""

    nondeterminism = "its solver stops by the clock"
    tolerance = 1e-6
    made = 0

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        type(self).made += 1

    def state(self) -> bytes:
        return super().state() + bytes([self.made % 256])


def test_a_tolerance_only_where_it_is_declared(
    play_toys: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = play_toys("GoodAgent", [toys.toy_task("loose", adapter=f"{__name__}:Inexact")], 3)
    found = check(run.path, known=NOTHING)
    assert found.passed, found.differences
    assert found.notes == ["within a tolerance, without digests: its solver stops by the clock"]
    monkeypatch.setattr(Inexact, "nondeterminism", "")
    assert {difference.what for difference in check(run.path, known=NOTHING).differences} == {
        "digest",
        "the trace's digest",
        "start",
    }


def test_the_images_are_compared_but_do_not_count(
    play_toys: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = play_toys("ImageAgent", [toys.toy_task()], 3)
    assert all(len(trace.pixels) == 16 for trace in read_traces(run.path))
    assert check(run.path, known=NOTHING).notes == []
    draw = toys.ToyAdapter.draw
    monkeypatch.setattr(toys.ToyAdapter, "draw", lambda *args: draw(*args) // 2)
    found = check(run.path, known=NOTHING)
    assert found.passed
    assert found.notes == [
        "the first images of 3 of 3 episodes are drawn differently here: another machine or driver"
    ]


@pytest.mark.parametrize(
    ("here", "why"),
    [("nvidia", "by 'nvidia', not by 'mesa'"), ("mesa", "although 'mesa' drew both")],
)
def test_the_renderers_of_other_images_are_named(
    play_toys: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, here: str, why: str
) -> None:
    monkeypatch.setenv(paintedtoys.VARIABLE, "mesa")
    run = play_toys("ImageAgent", [paintedtoys.painted_task()], 3)
    monkeypatch.setenv(paintedtoys.VARIABLE, here)
    assert check(run.path, known=NOTHING).notes == []
    draw = toys.ToyAdapter.draw
    monkeypatch.setattr(toys.ToyAdapter, "draw", lambda *args: draw(*args) // 2)
    found = check(run.path, known=NOTHING)
    assert found.passed
    assert found.notes == [f"the first images of 3 of 3 episodes are drawn differently here: {why}"]


def test_perturbed_episodes_are_replayed_as_they_were_executed(tmp_path: Path) -> None:
    spec, plan = plan_of("GoodAgent", [toys.toy_task(), toys.toy_task("glide", action="box")], 4)
    conditions = (
        (Perturbation("action_random", 4, {"share": 0.5}),),
        (Perturbation("action_random", 1, {"share": 0.05}),),
    )
    plan = Plan(plan.items, plan.seed, conditions)
    play(spec, ["toys"], plan, tmp_path / "run", RunOptions(), Notes())
    found = check(tmp_path / "run", known=NOTHING)
    assert found.passed, found.differences
    assert found.replayed == 24


def test_the_command_line(bench_here: Callable[..., Said]) -> None:
    assert (
        bench_here(
            "run", "--agent", "uniform", "--suite", "toysuite:QUICK", "--workers", 0, "--out", "run"
        ).code
        == 0
    )
    said = bench_here("verify", "run", "--sample", "all", "--trust")
    assert (said.code, said.out) == (0, "")
    assert "all as recorded" in said.err
    file = Path("run/episodes.jsonl")
    file.write_text(file.read_text().replace('"success": false', '"success": true', 1))
    said = bench_here("verify", "run", "--sample", "all", "--trust")
    assert said.code == 1
    assert "success" in said.out
    assert bench_here("verify", "nowhere").code == 2
    assert "--invariance" in bench_here("verify", "run", "--agent", "uniform").err
    assert "sample" in bench_here("verify", "run", "--sample", "few").err
