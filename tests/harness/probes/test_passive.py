"""What the lines of every run give away about the agent's wiring."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
import wired
from conftest import Run, Said, read_lines

from harness.core import Box, Discrete, Field, Result
from harness.play.noted_views import NotedViews
from harness.play.wiring_notes import wiring_notes
from harness.probes.wiring.passive import Passive, warnings
from leaderboards.render import render
from leaderboards.report import load_report

GRIPPER = Field("gripper", 1, "command", unit="1", sign="positive closes")
SPEC = Box((2,), low=-1.0, high=1.0, layout=(Field("joint_position", 1, "delta"), GRIPPER))


def line(actions: Sequence[Any], spec: Any = SPEC, seed: int = 0, **told: Any) -> Result:
    """A finished episode that took these actions."""
    timing = told.pop("timing", None) or {"wiring": {**wiring_notes(actions, spec), **told}}
    return Result(
        case=f"{seed}", task="a/one", seed=seed, perturbations=(), status="finished", success=False,
        score=0.0, normalised=None, steps=len(actions), ended="horizon", metrics={}, error=None,
        digest="d", protocol="p", timing=timing, start=f"s{seed}", success_ever=None,
        success_end=None, first_success=None,
    )  # fmt: skip


def codes(*lines: Result) -> list[str]:
    passive = Passive()
    for each in lines:
        passive.add(each)
    return [row.code for row in passive.rows()]


def moving(seed: int, count: int = 60) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).uniform(-1, 1, (count, 2)).astype(np.float32))


def test_what_actions_give_away() -> None:
    assert codes(line(moving(0)), line(moving(1))) == []
    assert codes(line([np.ones(2)] * 60)) == ["equal"]
    assert codes(line([np.ones(2)] * 30), line([-np.ones(2)] * 30)) == []
    assert codes(line([each * [1, 0] for each in moving(0)])) == ["constant"]
    assert codes(line([each * 1e-4 for each in moving(0)])) == ["tiny"]
    assert codes(line([each * 1e-4 for each in moving(0)]), line(moving(1))) == []
    assert codes(line([3] * 60, Discrete(4)), line([3] * 9, Discrete(4))) == ["equal"]
    assert codes(line([3, 4] * 30, Discrete(5))) == []
    assert codes(line([3] * 10, Discrete(5))) == []
    assert codes(line(["look"] * 60, None)) == ["equal"]
    assert codes(line([np.zeros(0)] * 60, Box((0,)))) == []
    assert codes(*[line(moving(0), seed=seed) for seed in range(5)]) == ["repeated"]
    assert codes(*[line(moving(seed), seed=seed) for seed in range(5)]) == []
    assert codes(*[line(moving(0), seed=seed % 4) for seed in range(8)]) == []


def test_every_action_was_clipped() -> None:
    clipped = line(moving(0))
    clipped.metrics["clipped_actions"] = 60.0  # type: ignore[index]
    assert codes(clipped) == ["clipped"]
    assert codes(clipped, line(moving(1))) == []


def test_an_element_is_named_as_its_field_and_judged_by_its_family() -> None:
    passive = Passive()
    passive.add(line([each * [1, 0] for each in moving(0)]))
    (row,) = passive.rows()
    assert row.what == "element 1 (gripper) of the actions is always 0"
    passive.add(dataclasses.replace(line(moving(1)), task="a/other"))
    assert passive.rows() == ()
    assert [each.code for each in passive.findings()] == ["constant"]


def test_an_episode_that_says_nothing_refutes() -> None:
    still = line([3] * 60, Discrete(4))
    assert codes(still, line([3, 4] * 5, timing={"asked": 10})) == []


def test_what_a_stranger_writes_says_nothing() -> None:
    for told in (
        [], 1, {"equal": 3, "first": [], "tiny": 1, "constant": [1], "unread": "ab"},
        {"constant": {"0": "x"}, "unread": [1, {}]}, {"unread": [str(k) for k in range(999)]},
    ):  # fmt: skip
        assert codes(line(moving(0), timing={"wiring": told})) == []


def test_reading_a_view_is_noted() -> None:
    views = {"a": 1, "b": 2}
    readings: dict[str, tuple[Callable[[Any], Any], set[str]]] = {
        "one": (lambda seen: seen["a"], {"b"}),
        "none": (lambda seen: (list(seen), "a" in seen, len(seen), seen.unnoted("a")), {"a", "b"}),
        "get": (lambda seen: seen.get("b"), {"a"}),
        "pop": (lambda seen: seen.pop("a"), {"b"}),
        "items": (lambda seen: dict(seen.items()), set()),
        "values": (lambda seen: list(seen.values()), set()),
        "dict": (dict, set()),
        "unpacked": (lambda seen: {**seen}, set()),
        "joined": (lambda seen: seen | {}, set()),
        "copied": (lambda seen: seen.copy(), set()),
    }
    for name, (read, left) in readings.items():
        unread = set(views)
        read(NotedViews(views, unread))
        assert unread == left, name


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_view_that_is_never_read(play_toys: Callable[..., Run], lanes: int) -> None:
    run = play_toys("wired:OneEyed", [wired.wired_task()], 6, lanes=lanes)
    report = load_report(run.path)
    assert [(row.code, row.count) for row in report.wiring] == [("unread", 6)]
    wrong = "a view that the agent asks for is never read in 1 task"
    for format in ("text", "markdown"):
        assert wrong in " ".join(render(report, format).split())
    told = json.loads(render(report, "json"))["wiring"]
    assert told == [
        {
            "task": "toys/grasp@1", "code": "unread",
            "what": "the view image_side is asked for and never read", "count": 6,
        },
    ]  # fmt: skip


def test_a_healthy_run_says_nothing(play_toys: Callable[..., Run]) -> None:
    run = play_toys("GoodAgent", [toys.toy_task()], 20)
    report = load_report(run.path)
    assert report.wiring == ()
    assert "wiring" not in json.loads(render(report, "json"))


def test_a_run_that_goes_on_says_the_same(
    play_toys: Callable[..., Run], bench_here: Callable[..., Said]
) -> None:
    run = play_toys("baselines.simple:Noop", [toys.toy_task()], 4)
    said = bench_here("probe", "wiring", "--run", run.path)
    assert said.out == "toys/goal@1: all actions are equal: stay (of 160)\n"
    lines = (run.path / "episodes.jsonl").read_text().splitlines(keepends=True)
    (run.path / "episodes.jsonl").write_text("".join(lines[:2]))
    play_toys("baselines.simple:Noop", [toys.toy_task()], 4)
    assert bench_here("probe", "wiring", "--run", run.path).out == said.out
    assert warnings(load_report(run.path).wiring) == ["all actions are equal in 1 task"]


def test_an_older_run_is_refused(
    play_toys: Callable[..., Run], bench_here: Callable[..., Said]
) -> None:
    run = play_toys("GoodAgent", [toys.toy_task()], 1)
    (row,) = read_lines(Path(run.path))
    del row["timing"]["wiring"]
    (run.path / "episodes.jsonl").write_text(json.dumps(row) + "\n")
    said = bench_here("probe", "wiring", "--run", run.path)
    assert said.code == 2
    assert "play it again" in said.err
