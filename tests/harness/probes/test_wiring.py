"""`bench probe wiring` names the wires that were crossed, and no other."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import wired
import wired_pose
from conftest import Said, plan_of
from findings import printed_again

from harness.core import Agent, Answer, Box, Brief, Discrete, Field, Turn
from harness.probes.changes import Change
from harness.probes.fork import Brancher
from harness.probes.wiring.actions import of_actions
from harness.probes.wiring.episodes import Played, Stage, better
from harness.probes.wiring.passive import Finding
from harness.probes.wiring.pictures import of_pictures, of_vectors, other_edge, zoomed
from harness.probes.wiring.race import Arm, Race
from harness.probes.wiring.senses import Senses
from harness.probes.wiring.verdict import Verdict, diagnose
from harness.records.plan import CaseIndex

CASES = 20


def diagnosed(agent: Agent, task: Any = None, most: int = 150) -> Verdict:
    """What is said of an agent on the toy."""
    asked = task or wired.wired_task(words=True)
    _, plan = plan_of("wired:Broken", [asked], CASES)
    cases = [plan.case(CaseIndex(0, 0, number)) for number in range(CASES)]
    with Brancher(agent, None, 60.0) as brancher:
        return diagnose(Stage(brancher, agent, lambda result: result.score, True, most), cases)


FAULTS = ("turned", "cropped", "cameras", "gripper_sign", "chunk", "late", "first_only", "deaf")
"""The rest are planted by tests/faults/wiring.py."""


@pytest.mark.parametrize("fault", FAULTS)
def test_the_fault_is_named_first(fault: str) -> None:
    found = diagnosed(wired.Broken(fault))
    assert found.faults, "\n".join(found.lines())
    assert found.faults[0] in wired.FAULTS[fault], "\n".join(found.lines())
    assert len(found.race.unchanged) <= CASES
    assert found.episodes <= 150


@pytest.mark.parametrize("fault", ["quaternion_order", "euler", "newest_first"])
def test_a_fault_of_vectors_is_named_first(fault: str) -> None:
    found = diagnosed(wired_pose.Posed(fault), wired_pose.pose_task())
    assert found.faults, "\n".join(found.lines())
    assert found.faults[0] in wired_pose.FAULTS[fault], "\n".join(found.lines())


def test_nothing_is_sought_where_it_succeeds() -> None:
    found = diagnosed(wired.Broken())
    assert found.race.healthy
    assert found.faults == []
    assert found.episodes == 8


def test_a_policy_that_fails_in_half_of_the_cases_has_none_of_these() -> None:
    found = diagnosed(wired.Broken(errs=0.5))
    assert not found.race.healthy
    assert found.race.named == []
    said = "\n".join(found.lines())
    assert "none of these" in said, said


def test_views_that_nobody_declared_are_not_called_unused() -> None:
    class All(wired.Broken):
        reads = ("*",)

    found = diagnosed(All("late"))
    assert found.faults[0] in wired.FAULTS["late"]
    found = diagnosed(All("chunk"))
    assert found.faults[0] in wired.FAULTS["chunk"]
    found = diagnosed(All(errs=0.5))
    assert found.faults == []


def test_the_episodes_are_bounded() -> None:
    found = diagnosed(wired.Broken(errs=0.5), most=60)
    assert found.episodes <= 60
    assert found.race.stopped == "no further episodes are allowed"


def test_a_change_that_helps_by_chance_is_seldom_named() -> None:
    """At most ALPHA of races with 20 arms that help and hurt equally often name any."""
    rng = np.random.default_rng(0)
    change = Change(kind="views", what="", says="nothing")
    wrong = 0
    for _ in range(200):
        values = rng.choice([0.0, 0.5, 1.0], size=(20, 20), p=[0.4, 0.2, 0.4])
        wrong += any(Arm(change=change, values=list(row), arms=20).named for row in values)
    assert wrong <= 10


def test_what_came_further() -> None:
    def played(success: bool | None, progress: float | None, agreement: float | None) -> Played:
        return Played(success=success, progress=progress, agreement=agreement)

    won, lost = played(True, 1.0, 0.1), played(False, 0.0, 0.9)
    for dense in (True, False):
        assert better(won, lost, dense=dense) == 1.0
        assert better(lost, won, dense=dense) == 0.0
        assert better(won, played(True, 0.5, 0.9), dense=dense) == 0.5
        assert better(played(None, 2.0, None), played(None, 1.0, None), dense=dense) == 1.0
    assert better(lost, played(False, 0.0, 0.1), dense=True) == 1.0
    assert better(lost, played(False, 0.5, 0.1), dense=True) == 0.0
    assert better(lost, played(False, 0.0, 0.85), dense=True) == 0.5
    assert better(lost, played(False, 0.5, 0.1), dense=False) == 0.5
    assert better(played(False, None, None), lost, dense=True) == 0.5


@pytest.mark.parametrize(("failures", "faults"), [(1, []), (10, ["unused"])])
def test_what_is_not_used_is_no_fault_of_a_policy_that_mostly_succeeds(
    failures: int, faults: list[str]
) -> None:
    unchanged = [
        Played(success=number >= failures, progress=None, agreement=None) for number in range(20)
    ]
    found = Verdict(
        race=Race(unchanged=unchanged, arms=(), healthy=False, stopped="all cases are played"),
        findings=[Finding(code="unused", what="unused", count=20)],
        episodes=20,
    )
    assert found.faults == faults
    assert ("note: unused" in found.lines()) is not bool(faults)


def brief_of(action: Box, **views: Box) -> Brief:
    return Brief(observation=views, action=action, embodiment="", simulator="")


def test_only_what_fits_the_brief_is_tried() -> None:
    plain = brief_of(Box((2,), low=-1.0, high=1.0), image=Box((16, 12, 3), "uint8", 0, 255))
    said = [str(each) for each in (*of_pictures(plain), *of_vectors(plain), *of_actions(plain))]
    assert not any("exchanged" in each and "rows" in each for each in said)
    assert not any("gripper" in each or "normalised" in each for each in said)
    cells = brief_of(Box((1,)), grid=Box((7, 7, 3), "uint8", 0, 10))
    assert [str(each) for each in of_pictures(cells)] == [
        "grid turned by 180 degrees", "grid turned upside down", "grid mirrored",
        "grid with rows and columns exchanged", "grid turned by 90 degrees clockwise",
        "grid turned by 90 degrees counterclockwise",
        "grid with what it says of a cell in reverse order",
    ]  # fmt: skip
    turning = Field("eef_rotation", 3, "delta", "world", "rad", "axis_angle")
    quaternion = Field("eef_rotation", 4, "absolute", "world", "1", "quaternion_xyzw")
    arm = brief_of(Box((3,), layout=(turning,)), state=Box((4,), layout=(quaternion,)))
    assert [str(each) for each in of_vectors(arm)] == ["state: eef_rotation as quaternion_wxyz"]
    other = dataclasses.replace(quaternion, name="object_rotation")
    two = brief_of(Box((1,)), state=Box((8,), layout=(quaternion, other)))
    assert "state: all rotations as quaternion_wxyz" in [str(each) for each in of_vectors(two)]
    assert "action: eef_rotation read as euler_xyz" in [str(each) for each in of_actions(arm)]


def test_what_is_seen_is_turned_by_a_quarter() -> None:
    brief = brief_of(Box((1,)), image=Box((8, 8, 3), "uint8", 0, 255))
    changes = {str(each): each for each in of_pictures(brief)}
    image = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    turn = Turn(brief, "", ({"image": image},), (), 0, "e")
    clockwise = changes["image turned by 90 degrees clockwise"].turn(turn)
    shown = clockwise.observation["image"]
    assert (shown[0, -1] == image[0, 0]).all()  # what was above on the left is on the right
    assert (shown[-1, -1] == image[0, -1]).all()
    back = changes["image turned by 90 degrees counterclockwise"].turn(clockwise)
    assert (back.observation["image"] == image).all()


def test_choices_are_counted_from_another_first_one() -> None:
    brief = Brief(observation={}, action=Discrete(3), embodiment="", simulator="")
    lower, higher = of_actions(brief)
    assert [lower.answer(action) for action in (0, 1, 2)] == [2, 0, 1]
    assert [higher.answer(np.int64(action)) for action in (0, 1, 2)] == [1, 2, 0]
    several = lower.answer(Answer([1, 2], rest=[0]))
    assert (list(several.actions), list(several.rest)) == ([0, 1], [2])
    assert lower.answer(7) == 7, "whoever executes it says what is wrong with it"
    two = dataclasses.replace(brief, action=Discrete(2))
    assert len(list(of_actions(two))) == 1, "lower and higher are the same"
    assert not list(of_actions(dataclasses.replace(brief, action=Discrete(1))))


def test_axes_of_a_movement_are_turned_where_no_picture_is_seen() -> None:
    hand = Field("eef_position", 3, "delta", "world", "m")
    action = Box((4,), low=-1.0, high=1.0, layout=(hand, Field("gripper", 1, "command")))
    changes = {str(each): each for each in of_actions(brief_of(action, state=Box((3,))))}
    moved = {
        what: change.answer(np.array([1, 2, 3, 0.5])).tolist()
        for what, change in changes.items()
        if "eef_position" in what
    }
    assert moved == {
        "the sign of eef_position x turned": [-1, 2, 3, 0.5],
        "the sign of eef_position y turned": [1, -2, 3, 0.5],
        "the sign of eef_position z turned": [1, 2, -3, 0.5],
        "x and y of eef_position exchanged": [2, 1, 3, 0.5],
        "eef_position turned by 90 degrees about z": [-2, 1, 3, 0.5],
        "eef_position turned by -90 degrees about z": [2, -1, 3, 0.5],
        "eef_position turned by 180 degrees about z": [-1, -2, 3, 0.5],
    }
    seeing = brief_of(action, image=Box((16, 16, 3), "uint8", 0, 255))
    target = dataclasses.replace(hand, kind="absolute")
    holding = dataclasses.replace(action, layout=(target, action.layout[1]))
    for brief in (seeing, brief_of(holding, state=Box((3,)))):
        assert not any("eef_position" in str(each) for each in of_actions(brief))


def test_rotations_are_converted() -> None:
    quaternion = Field("rotation", 4, "absolute", "world", "1", "quaternion_xyzw")
    brief = brief_of(Box((1,)), state=Box((4,), layout=(quaternion,)))
    (change,) = of_vectors(brief)
    seen = {"state": np.array([0, 0, 0, 1], np.float32)}
    turn = Turn(brief, "", (seen,), (), 0, "e")
    shown = change.turn(turn).observation["state"]
    assert shown.tolist() == [1, 0, 0, 0]
    assert shown.dtype == np.float32


def test_pictures_are_zoomed_about_their_centre() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    image[8:12, 8:12] = 255
    assert zoomed(image, 2.0).sum() == 4 * image.sum()
    assert zoomed(image, 0.5).sum() == image.sum() / 4


def test_the_outer_tenth_of_a_picture_is_another() -> None:
    image = np.arange(400, dtype=np.uint8).reshape(20, 20) // 2
    found = other_edge(image)
    assert (found[2:18, 2:18] == image[2:18, 2:18]).all()
    assert (found != image).sum() >= 140


@dataclasses.dataclass
class Told:
    """A stage whose agent answers what it was shown `age` requests before, in 12 steps; a blank
    view, 0, gets another answer in about two of three."""

    age: int
    most: int = 150
    episodes: int = 0
    instructions: tuple[str, ...] = ("go",)
    briefs: dict[str, Brief] = dataclasses.field(
        default_factory=lambda: {"task": brief_of(Box((1,)), state=Box((1,)))}
    )

    def executed(self, case: Any) -> list[int]:
        return [0] * 12

    def shadow(self, case: Any, actions: list[int], change: Change) -> Any:
        self.episodes += 1
        brief, seen = (
            self.briefs["task"],
            np.random.default_rng(case.seed).integers(3, size=(12, 1)),
        )
        turns = [Turn(brief, "go", ({"state": seen[step]},), (), step, "e") for step in range(12)]
        shown = [change.turn(turn).observation["state"] for turn in turns]
        answers = [(int(shown[max(0, step - self.age)][0]),) for step in range(12)]
        return SimpleNamespace(answers=answers)


@pytest.mark.parametrize(
    ("age", "code"), [(0, None), (1, "late"), (2, "late"), (4, "late"), (12, "first_only")]
)
def test_how_old_it_is_what_is_followed(age: int, code: str | None) -> None:
    """Also in episodes of 12 steps, in which what was seen 4 requests before shows but once."""
    cases: Any = [SimpleNamespace(id=str(number), seed=number) for number in range(20)]
    stage: Any = Told(age)
    found = Senses(stage, cases).age()
    assert [each.code for each in found] == ([code] if code else [])
    assert code != "late" or f" {age} requests before" in found[0].what


@pytest.fixture
def suite(tmp_path: Path) -> str:
    """A user's suite of the toy, in the folder of `bench_here`."""
    (tmp_path / "grasping.py").write_text(
        "import wired\nfrom harness.core import Suite\n"
        "SUITES = (Suite('grasping', 'Grasping', (wired.wired_task(),), 20),)\n"
    )
    return "grasping"


def test_the_command_says_it(suite: str, bench_here: Callable[..., Said]) -> None:
    words = ("probe", "wiring", "--agent", "wired:Broken", "--suite", suite)
    said = bench_here(*words, "--agent-arg", "fault=turned")
    assert said.code == 0, said.err
    assert "unchanged: 0 of 12 cases succeed" in said.out
    assert "1. all pictures turned by 180 degrees: 0/12 -> 12/12" in said.out
    told = json.loads(bench_here(*words, "--format", "json", "--cases", "9").out)
    assert told["schema"] == 1
    assert told["healthy"]
    assert told["faults"] == []


def test_an_interrupted_probe_goes_on(
    suite: str, tmp_path: Path, bench_here: Callable[..., Said]
) -> None:
    words = ("probe", "wiring", "--agent", "wired:Broken", "--suite", suite, "--out", "kept.jsonl")
    faulty = ("--agent-arg", "fault=cameras", "--episodes", "90")
    first = bench_here(*words, *faulty)
    assert first.code == 0, first.err
    printed_again(bench_here, "kept.probe.json", first.out)
    kept = (tmp_path / "kept.jsonl").read_text()
    lines = kept.splitlines(keepends=True)
    (tmp_path / "kept.jsonl").write_text("".join(lines[:9]) + lines[9][:9])
    assert bench_here(*words, *faulty).out == first.out
    assert (tmp_path / "kept.jsonl").read_text() == kept
    other = bench_here(*words, "--agent-arg", "fault=bgr")
    assert other.code == 2
    assert "is of another agent" in other.err
    (tmp_path / "kept.jsonl").write_text(lines[0] + "{}\n")
    broken = bench_here(*words, *faulty)
    assert broken.code == 2
    assert "line 2 is no episode: remove that line" in broken.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "name the policy with --agent"),
        (("--run", ".", "--agent", "noop"), "--run plays nothing"),
        (("--run", "."), "run.json"),
        (("--agent", "noop", "--suite", "babyai", "--tasks", "nothing"), "nothing"),
        (("--agent", "noop", "--suite", "babyai", "--cases", "0"), "--cases"),
        (
            ("--agent", "noop", "--suite", "babyai", "--tasks", "*GoToObj", "--progress", "way"),
            "has no such metric",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(
    bench_here: Callable[..., Said], words: tuple[str, ...], why: str
) -> None:
    said = bench_here("probe", "wiring", *words)
    assert said.code == 2
    assert why in said.err
    assert said.err.count("\n") == 1
