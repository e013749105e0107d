"""`bench explain` names the step and the cause of planted faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toys
from conftest import Notes, Said, plan_of
from findings import printed_again

from harness.compare.pairs import read_scored_run
from harness.core import Suite
from harness.perturb import parse_conditions
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.probes.explain import STEP, Explanation, causes, explain_case
from harness.probes.flips import flips_of, recorded
from harness.probes.fork import Brancher
from harness.records.control_clock import ControlClock
from harness.records.identity import AgentSpec

HORIZON = 40


def explained(
    folder: Path,
    agent: str,
    args: dict[str, Any] | None = None,
    *,
    base: str = "GoodAgent",
    clock: ControlClock | None = None,
    perturb: str = "",
    **task: Any,
) -> list[Explanation]:
    """All flipped cases of BASE against a planted agent, explained."""
    spec, runs = None, []
    for name, entry, given in (("base", base, {}), ("new", agent, args or {})):
        asked = toys.toy_task(**task)
        spec, _ = plan_of(entry, [asked], 6, **given)
        made = make_plan(
            [(Suite("toys", "toys", (asked,), 6), asked)],
            spec,
            episodes=6,
            seed=0,
            perturb=parse_conditions(perturb, ()) if perturb else (),
            clock=clock,
        )
        play(spec, ["toys"], made, folder / name, RunOptions(), Notes())
        runs.append(read_scored_run(folder / name))
    flips = flips_of(*runs)
    assert flips.worse
    episodes = [recorded(run, flips.worse) for run in runs]
    assert isinstance(spec, AgentSpec)
    with Brancher(spec.build(), clock, 60.0) as brancher:
        return [
            explain_case(brancher, episodes[0][key], episodes[1][key], clock=clock is not None)
            for key in flips.worse
        ]


@pytest.mark.parametrize("step", [0, 1, 3])
def test_the_step_of_the_fault_is_named(tmp_path: Path, step: int) -> None:
    found = explained(tmp_path, "planted:ErrsAtStep", {"step": step, "horizon": HORIZON})
    assert len(found) >= 3
    for each in found:
        assert each.switches == (step,)
        assert each.whole
        assert each.cause == STEP
        assert each.seen is not None
        assert each.seen.answer == (0,)
        assert each.base_action in (1, 2, 3, 4)


def test_the_word_is_named(tmp_path: Path) -> None:
    found = explained(tmp_path, "planted:ErrsOnWord", {"word": "purple"}, marker="purple")
    assert [each.cause for each in found] == ["without the word 'purple'"] * 6
    assert causes(found).rows[0][3] == "without the word 'purple'"


def test_the_view_is_named(tmp_path: Path) -> None:
    found = explained(tmp_path, "planted:ErrsOnView")
    assert [each.cause for each in found] == ["with image blanked"] * 6


def test_the_chunk_is_named(tmp_path: Path) -> None:
    found = explained(tmp_path, "planted:ErrsInChunk")
    assert {each.cause for each in found} == {"asked at every step"}


def test_the_delay_is_named(tmp_path: Path) -> None:
    found = explained(
        tmp_path,
        "planted:ErrsAfterDelay",
        control_hz=10.0,
        clock=ControlClock(None, (0.15,)),
    )
    assert {each.cause for each in found} == {"with answers that act at once"}


def test_the_perturbation_is_named(tmp_path: Path) -> None:
    found = explained(tmp_path, "planted:ErrsOnTypos", perturb="word_dropout:5")
    assert {each.cause for each in found} == {"without word_dropout:5"}


def test_in_a_long_episode_a_switch_is_sought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.probes.explain.WHOLE", 2)
    found = explained(tmp_path, "planted:ErrsAtStep", {"step": 2, "horizon": HORIZON})
    assert {each.switches for each in found if len(each.switches) and not each.whole} == {(2,)}
    assert any("there may be more" in line for each in found for line in each.lines())


def test_what_does_not_repeat_is_not_explained(tmp_path: Path) -> None:
    found = explained(tmp_path, "planted:ErrsByCount")
    assert {each.unexplained.split(":")[0] for each in found} == {
        "NEW's episode does not come out as recorded when it is played again"
    }
    assert {each.cause for each in found} == {""}


def test_recorded_actions_do_not_act_through_a_perturbation(tmp_path: Path) -> None:
    found = explained(tmp_path, "planted:ErrsOnWord", {"word": "go"}, perturb="action_sticky:1")
    assert len(found) >= 6
    assert {each.unexplained for each in found} == {
        "",
        "action_sticky:1 changes the actions, so the recorded ones cannot act again",
    }


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs `good` and `bad` of a user's own suite."""
    folder = tmp_path_factory.mktemp("explained")
    tasks = [toys.toy_task(marker="purple", marker_seeds=[0, 1])]
    for name, agent, args in (
        ("good", "toys:GoodAgent", {}),
        ("bad", "planted:ErrsOnWord", {"word": "purple"}),
    ):
        spec, plan = plan_of(agent, tasks, 3, **args)
        play(spec, ["toys"], plan, folder / name, RunOptions(), Notes())
    return folder


BAD = ("--agent", "planted:ErrsOnWord", "--agent-arg", "word=purple", "--trust")


def test_the_command_says_it(two_runs: Path, bench_here: Callable[..., Said]) -> None:
    runs = two_runs / "good", two_runs / "bad"
    said = bench_here("explain", *runs, *BAD, "--video", "videos", "--out", "kept")
    assert said.code == 0
    printed_again(bench_here, "kept", said.out)
    assert "toys/goal@1, seed 0: BASE succeeds, NEW fails" in said.out
    assert "succeeds again without the word 'purple'" in said.out
    assert said.out.rstrip().endswith(
        "2 of 3 paired cases came out worse; 2 of them are explained above"
    )
    assert len(list(Path("videos").glob("*.mp4"))) == 2
    one = bench_here("explain", *runs, "toys/goal:1", *BAD, "--format", "json")
    (case,) = json.loads(one.out)["cases"]
    assert case["seed"] == 1
    assert case["whole"]
    assert case["restored"] == [{"kind": "word", "what": "purple"}]


def test_a_strangers_task_is_not_imported(two_runs: Path, bench_here: Callable[..., Said]) -> None:
    said = bench_here("explain", two_runs / "good", two_runs / "bad", *BAD[:-1])
    assert said.code == 2
    assert "toys/goal@1 is not played" in said.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("good", "good", "--agent", "toys:GoodAgent"), "none came out worse"),
        (("bad", "good", "--agent", "toys:GoodAgent"), "2 the other way round"),
        (("good", "bad"), "name that agent with --agent"),
        (("good", "bad", "--agent", "toys:GoodAgent"), "is not the agent of"),
        (("good", "bad", "nothing", *BAD), "no case 'nothing' came out differently"),
        (("good", "nowhere", *BAD), "there is no base"),
        (("good", "bad", *BAD, "--cases", "0"), "--cases"),
    ],
)
def test_what_cannot_be_explained_is_one_line(
    two_runs: Path, bench_here: Callable[..., Said], words: tuple[str, ...], why: str
) -> None:
    runs = [two_runs / word if word in ("good", "bad") else word for word in words]
    said = bench_here("explain", *runs, *(() if "--trust" in words else ("--trust",)))
    assert said.code == 2
    assert why in said.err
    assert said.err.count("\n") == 1
