"""A run checked against itself and against a replay: an honest run passes, and whatever was done to
its files is named."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import toys
from conftest import Notes, Run, Said, plan_of

from harness.core import Perturbation, Task
from harness.play.runner import RunOptions, play
from harness.records.plan import Plan, PlanItem, protocol_hash
from harness.records.run_file import read_run
from harness.records.traces import encode_actions, read_traces
from harness.verify import replay
from harness.verify.integrity import examine

SEEDS = 20
TASKS = (
    toys.toy_task(),
    toys.toy_task("glide", action="box"),
    toys.toy_task("batch", adapter="toys:BatchedToy"),
    toys.toy_task("survive", success=None, max_steps=20),
    toys.toy_task("stay", success="end", max_steps=20),
)
KNOWN = {task.id: task for task in TASKS}


def check(
    path: Path, sample: int | None = None, known: Mapping[str, Task] = KNOWN, **options: Any
) -> replay.VerificationReport:
    return replay.verify(
        path, sample=sample, options=RunOptions(**options), progress=Notes(), known=known.get
    )


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of an agent that acts by chance: some episodes succeed, most fail."""
    path = tmp_path_factory.mktemp("honest") / "run"
    spec, plan = plan_of("RandomAgent", TASKS, 3)
    play(spec, ["toys"], plan, path, RunOptions(), Notes())
    return path


class Tampered:
    """A copy of a run, to be changed.

    `lines` and `traces` are lists of plain dictionaries, `run` is run.json.
    """

    def __init__(self, honest: Path, path: Path, seed: int) -> None:
        shutil.copytree(honest, path)
        self.path = path
        self.rng = np.random.default_rng(seed)
        self.run = json.loads((path / "run.json").read_text())
        self.lines = [
            json.loads(line) for line in (path / "episodes.jsonl").read_text().splitlines()
        ]
        (self.part,) = (path / "traces").iterdir()
        with self.part.open("rb") as file:
            self.traces = list(msgpack.Unpacker(file))

    def pick(self, wanted: Callable[[dict[str, Any]], bool] = lambda line: True) -> dict[str, Any]:
        chosen = [line for line in self.lines if wanted(line)]
        return chosen[int(self.rng.integers(len(chosen)))]

    def trace(self, line: dict[str, Any]) -> dict[str, Any]:
        return next(trace for trace in self.traces if trace["case"] == line["case"])

    def save(self) -> None:
        (self.path / "run.json").write_text(json.dumps(self.run))
        (self.path / "episodes.jsonl").write_text(
            "".join(json.dumps(line) + "\n" for line in self.lines)
        )
        self.part.write_bytes(b"".join(map(msgpack.packb, self.traces)))


def rated(line: dict[str, Any]) -> bool:
    return line["success"] is not None


def changed_score(run: Tampered) -> None:
    run.pick()["score"] += float(run.rng.integers(1, 9))


def changed_metric(run: Tampered) -> None:
    run.pick()["metrics"]["distance"] += 0.5


def changed_steps(run: Tampered) -> None:
    run.pick()["steps"] -= 1


def made_up_success(run: Tampered) -> None:
    line = run.pick(lambda line: line["success"] is False)
    line |= {"success": True, "ended": "success"}


def hidden_failure(run: Tampered) -> None:
    """A failure that becomes a fault of the agent's, cut short, with a trace to fit."""
    line = run.pick(rated)
    line |= {
        "status": "agent_error",
        "ended": "agent_error",
        "success": False,
        "score": None,
        "normalised": None,
        "error": "it broke",
    }


def swapped_seeds(run: Tampered) -> None:
    one = run.pick()
    other = run.pick(lambda line: line["task"] == one["task"] and line["seed"] != one["seed"])
    one["seed"], other["seed"] = other["seed"], one["seed"]


def swapped_results(run: Tampered) -> None:
    """Two episodes that trade everything but their names, traces and digests included."""
    one = run.pick()
    other = run.pick(lambda line: line["task"] == one["task"] and line["digest"] != one["digest"])
    names = one.keys() - {"case", "task", "seed", "perturbations"}
    for left, right, both in (
        (one, other, names),
        (run.trace(one), run.trace(other), ("actions", "digest")),
    ):
        for name in both:
            left[name], right[name] = right[name], left[name]


def truncated_trace(run: Tampered) -> None:
    line = run.pick(lambda line: line["steps"] > 2)
    _edit(run.trace(line), lambda actions: actions[: -int(run.rng.integers(1, len(actions)))])


def truncated_to_fit(run: Tampered) -> None:
    """Line and trace both end early."""
    line = run.pick(lambda line: line["steps"] > 2 and line["ended"] != "success")
    _edit(run.trace(line), lambda actions: actions[:-1])
    line["steps"] -= 1


def another_action(run: Tampered) -> None:
    """One that may change nothing that is seen: against a wall, say."""

    def other(actions: np.ndarray) -> np.ndarray:
        changed = actions.copy()
        changed[int(run.rng.integers(len(changed)))] = 0 if changed.dtype.kind != "f" else 0.25
        return (
            changed
            if (changed != actions).any()
            else (actions + 1) % 5
            if changed.dtype.kind != "f"
            else -actions
        )

    _edit(run.trace(run.pick()), other)


def foreign_trace(run: Tampered) -> None:
    """A trace of another run's case, in the place of ours."""
    trace = run.trace(run.pick())
    trace |= {"seed": trace["seed"] + 1000, "case": f"{run.rng.integers(1 << 60):020x}"}


def damaged_trace(run: Tampered) -> None:
    actions = run.trace(run.pick())["actions"]
    actions["data"] = actions["data"][:-4] + bytes(4) if len(actions["data"]) % 2 else b"nothing"


def another_digest(run: Tampered) -> None:
    line = run.pick()
    line["digest"] = run.trace(line)["digest"] = f"{run.rng.integers(1 << 60):020x}"


def another_protocol(run: Tampered) -> None:
    run.pick()["protocol"] = "0123456789ab"


def easier_rules(run: Tampered) -> None:
    """The task of the plan gets another horizon, and every hash is made to fit."""
    line = run.pick()
    plan = Plan.from_json(run.run["plan"])
    items = []
    for item in plan.items:
        if item.task.id == line["task"]:
            task = Task(
                **{
                    **{name: getattr(item.task, name) for name in Task.__dataclass_fields__},
                    "max_steps": 1000,
                }
            )
            item = PlanItem(
                item.suite,
                task,
                item.episodes,
                protocol_hash(task, item.packages),
                item.packages,
                item.env_key,
            )
        items.append(item)
    changed = Plan(tuple(items), plan.seed)
    run.run["plan"] = changed.to_json()
    for each in run.lines:
        place = changed.locate(each["task"], each["seed"], ())
        assert place is not None
        old, each["case"], each["protocol"] = (
            each["case"],
            changed.case(*place).id,
            changed.items[place[0]].protocol,
        )
        next(trace for trace in run.traces if trace["case"] == old)["case"] = each["case"]


def missing_case(run: Tampered) -> None:
    line = run.pick()
    run.lines.remove(line)
    run.traces.remove(run.trace(line))


def repeated_case(run: Tampered) -> None:
    run.lines.insert(int(run.rng.integers(len(run.lines))), dict(run.pick()))


def foreign_case(run: Tampered) -> None:
    run.pick()["seed"] += 77


def unreadable_line(run: Tampered) -> None:
    del run.pick()["steps"]


def another_instruction(run: Tampered) -> None:
    run.trace(run.pick())["instruction"] = "do as you like"


def fewer_planned(run: Tampered) -> None:
    run.run["plan"]["items"][int(run.rng.integers(len(TASKS)))]["episodes"] = 2


def _edit(trace: dict[str, Any], edit: Callable[[np.ndarray], np.ndarray]) -> None:
    given = trace["actions"]
    array = edit(
        np.frombuffer(zlib.decompress(given["data"]), given["dtype"]).reshape(given["shape"])
    )
    trace["actions"] = encode_actions(array.tolist() if given["plain"] else list(array))


REGISTRY: dict[Callable[[Tampered], None], str | tuple[str, ...]] = {
    changed_score: "score",
    changed_metric: "metrics.distance",
    changed_steps: "the trace's length",
    made_up_success: "success",
    hidden_failure: "status",
    swapped_seeds: "the case's id",
    swapped_results: "digest",
    truncated_trace: "the trace's length",
    truncated_to_fit: "the actions",
    another_action: ("digest", "the actions"),
    foreign_trace: "foreign trace",
    damaged_trace: "the actions",
    another_digest: "digest",
    another_protocol: "the protocol",
    easier_rules: "the task's rules",
    missing_case: "missing case",
    repeated_case: "repeated case",
    foreign_case: "foreign case",
    unreadable_line: "line ",
    another_instruction: "the instruction",
    fewer_planned: "the plan's hash",
}


def test_an_honest_run_passes(honest: Path) -> None:
    found = check(honest)
    assert found.passed, found.differences
    assert (found.lines, found.replayed) == (15, 15)


@pytest.mark.parametrize("kind", REGISTRY, ids=lambda kind: kind.__name__)
def test_whatever_was_done_is_named(
    honest: Path, tmp_path: Path, kind: Callable[[Tampered], None]
) -> None:
    for seed in range(SEEDS):
        run = Tampered(honest, tmp_path / str(seed), seed)
        kind(run)
        run.save()
        named = [difference.what for difference in check(run.path).differences]
        assert any(what.startswith(REGISTRY[kind]) for what in named), (seed, named)


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


def test_a_sample_hangs_on_the_files_alone(honest: Path, tmp_path: Path) -> None:
    def chosen(path: Path) -> list[str]:
        described = read_run(path)
        plan = replay.plan_of(described)
        files = examine(path, described, plan, KNOWN.get)
        return [plan.case(*place).id for place in replay._sample(files.playable, files.digest, 5)]

    first = chosen(honest)
    assert len(set(first)) == 5
    assert chosen(honest) == first
    run = Tampered(honest, tmp_path / "run", 0)
    run.pick()["timing"]["worker"] = "another"
    run.save()
    assert chosen(run.path) != first
    assert check(honest, sample=5).replayed == 5


def test_an_agents_errors_are_replayed_up_to_there(play_toys: Callable[..., Run]) -> None:
    tasks = [
        toys.toy_task("late", marker="7 7", action="box"),
        toys.toy_task("nan", marker="raise", marker_seeds=[1, 2]),
    ]
    run = play_toys("RaiseOn", tasks, 4)
    assert {line["status"] for line in run.results} == {"finished", "agent_error"}
    found = check(run.path, known={})
    assert found.passed, found.differences


def test_errors_of_the_simulator_have_nothing_to_replay(play_toys: Callable[..., Run]) -> None:
    run = play_toys("GoodAgent", [toys.toy_task("bad", fault="raise_on_step", fault_seeds=[1])], 3)
    found = check(run.path, known={})
    assert found.passed
    assert found.replayed == 2
    assert found.notes == [
        "1 cases ended in an error that was not the agent's: there is nothing to play again"
    ]


def test_nothing_to_play_is_not_verified(play_toys: Callable[..., Run]) -> None:
    run = play_toys("GoodAgent", [toys.toy_task("bad", fault="missing")], 2)
    found = check(run.path, known={})
    assert not found.passed
    assert "not verified" in found.as_text()


def test_a_simulator_that_keeps_something_is_found(play_toys: Callable[..., Run]) -> None:
    run = play_toys("GoodAgent", [toys.toy_task("leak", fault="leaky_state")], 4)
    assert not check(run.path, known={}, shuffle=3).passed


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
    found = check(run.path, known={})
    assert found.passed, found.differences
    assert found.notes == ["within a tolerance, without digests: its solver stops by the clock"]
    monkeypatch.setattr(Inexact, "nondeterminism", "")
    assert {difference.what for difference in check(run.path, known={}).differences} == {
        "digest",
        "the trace's digest",
    }


def test_the_images_are_compared_but_do_not_count(
    play_toys: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = play_toys("ImageAgent", [toys.toy_task()], 3)
    assert all(len(trace.pixels) == 16 for trace in read_traces(run.path))
    assert check(run.path).notes == []
    draw = toys.ToyAdapter.draw
    monkeypatch.setattr(toys.ToyAdapter, "draw", lambda *args: draw(*args) // 2)
    found = check(run.path)
    assert found.passed
    assert found.notes == [
        "the first images of 3 of 3 episodes are drawn otherwise here: another machine or driver"
    ]


def test_perturbed_episodes_are_replayed_as_they_were_executed(tmp_path: Path) -> None:
    spec, plan = plan_of("GoodAgent", [toys.toy_task(), toys.toy_task("glide", action="box")], 4)
    conditions = (
        (Perturbation("action_random", 4, {"share": 0.5}),),
        (Perturbation("action_random", 1, {"share": 0.05}),),
    )
    plan = Plan(plan.items, plan.seed, conditions)
    play(spec, ["toys"], plan, tmp_path / "run", RunOptions(), Notes())
    found = check(tmp_path / "run", known={})
    assert found.passed, found.differences
    assert found.replayed == 24


def test_the_command_line(bench_here: Callable[..., Said]) -> None:
    assert (
        bench_here(
            "run", "--agent", "uniform", "--suite", "toysuite:QUICK", "--workers", 0, "--out", "run"
        ).code
        == 0
    )
    said = bench_here("verify", "run", "--sample", "all")
    assert (said.code, said.out) == (0, "")
    assert "all as recorded" in said.err
    file = Path("run/episodes.jsonl")
    file.write_text(file.read_text().replace('"success": false', '"success": true', 1))
    said = bench_here("verify", "run", "--sample", "all")
    assert said.code == 1
    assert "success" in said.out
    assert bench_here("verify", "nowhere").code == 2
    assert "--invariance" in bench_here("verify", "run", "--agent", "uniform").err
    assert "sample" in bench_here("verify", "run", "--sample", "few").err
