"""`bench probe rl-robustness` on agents of which it is known what they withstand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calibration.areas import coverage
from conftest import Said, plan_of
from findings import printed_again
from rlarms import SUITE

from leaderboards.perturbed_results import FAILED, SUCCEEDED, CaseArrays
from leaderboards.rl_robustness import _area_minus_control

Bench = Callable[..., Said]
SFT = "sft=planted:ErrsOnSurprise"
RL = "rl=toys:GoodAgent"
FORGOT = "forgot=planted:ErrsOnWord,word=elsewhere"


@pytest.fixture
def probe(bench_here: Bench) -> Callable[..., Said]:
    def go(*more: object) -> Said:
        return bench_here(
            "probe", "rl-robustness", "--suite", "rlarms:SUITE", "--workers", 0, "--out", "out",
            "--perturb", "action_random:2,5,burst:3", *more,
        )  # fmt: skip

    return go


def arm(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in found["arms"] if each["name"] == name)


def test_what_each_arm_withstands_is_found(probe: Callable[..., Said], bench_here: Bench) -> None:
    arms = ("--arm", SFT, "--arm", RL, "--arm", FORGOT)
    candidates = ("--candidate", "noop", "--candidate", "planted:ErrsOnSurprise")
    options = (*arms, *candidates, "--played", "*/played")
    said = probe(*options, "--format", "json", "--figure", "arms.png")
    assert said.code == 0, said.err
    assert Path("arms.png").stat().st_size > 1000
    found = json.loads(said.out)
    assert (found["base"], found["base_success"]) == ("sft", 1.0)
    beside = found["against_matched"]
    assert beside["name"] == "rl"
    assert beside["undisturbed"]["difference"]["value"] == 0
    assert [each["matched"] for each in found["candidates"]] == [False, True]
    assert [each["difference"]["value"] for each in found["candidates"]] == [-1.0, 0.0]

    rl, forgot, matched = (arm(found, name) for name in ("rl", "forgot", "matched"))
    assert rl["undisturbed"]["difference"]["value"] == 0
    assert rl["undisturbed"]["pairs"] == 12
    assert forgot["undisturbed"]["difference"]["value"] == -0.5
    gains = {(each["perturbation"], each["severity"]): each["gain"] for each in rl["gains"]}
    assert set(gains) == {("action_random", 2), ("action_random", 5), ("burst", 3)}
    assert gains["action_random", 5]["low"] > 0.3
    assert beside["gains"] == rl["gains"], "the base and the match are one agent here"
    (area,) = rl["area_gains"]
    assert (area["perturbation"], area["severities"], area["cases"]) == (
        "action_random",
        [2, 5],
        12,
    )
    assert area["gain"]["low"] > 0
    assert [each["gain"]["value"] for each in matched["gains"]] == [0.0] * 3

    burst = {each["name"]: each["conditions"][-1] for each in found["arms"]}
    assert burst["rl"]["recovery"]["value"] == 1.0
    assert burst["sft"]["recovery"]["value"] < 0.5
    assert burst["rl"]["recovery_n"] == burst["sft"]["recovery_n"] > 3
    assert rl["conditions"][1]["retention"]["value"] == 1.0

    (elsewhere,) = forgot["not_played_by_rl"]
    assert (elsewhere["domain"], elsewhere["tasks"]) == ("games", 1)
    assert elsewhere["difference"]["value"] == -1.0
    assert elsewhere["difference"]["high"] < -0.15

    again = probe(*options)
    assert "against matched" in again.out
    assert "No candidate" not in again.out
    printed_again(bench_here, "out", again.out)
    far = probe(*arms, *candidates[:2])
    assert far.code == 0, far.err
    assert "No candidate succeeds as often as rl" in far.out
    assert "domains that RL did not play" in again.out
    assert "recovered from a burst" in again.out
    matching = json.loads((Path("out") / "matching" / "arm" / "run.json").read_text())
    assert matching["plan"]["seed"] != 0, "the match is decided on other cases"


def test_an_area_is_that_of_its_trapezoids() -> None:
    """Success at 0, 1, 3: control 1, then 1 and 0: (1 + 2 * 0.5) / 3 - 1."""
    from harness.perturb import parse_conditions
    from harness.play.planning import make_plan

    spec, _ = plan_of("GoodAgent", SUITE.tasks, 2)
    plan = make_plan(
        [(SUITE, SUITE.tasks[0])], spec, episodes=2, seed=0,
        perturb=parse_conditions("action_random:1,3", ()),
    )  # fmt: skip
    arrays = CaseArrays(plan)
    arrays.state[0][:, 0] = [SUCCEEDED, SUCCEEDED, FAILED]
    found = _area_minus_control(arrays, 0, "action_random", [1, 3])
    assert found is not None
    assert found[0] == pytest.approx(2 / 3 - 1)
    assert np.isnan(found[1]), "it has no result"
    assert _area_minus_control(arrays, 0, "action_random", [1, 2]) is None


@pytest.mark.parametrize("world", ["the new one loses less", "hardly a success"])
def test_the_gain_of_an_area_is_covered(world: str) -> None:
    """tests/calibration/areas.py has the whole table."""
    assert coverage(80, world, 3, 10) >= 0.88


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--arm", SFT), "two arms"),
        (("--arm", SFT, "--arm", SFT), "taken"),
        (("--arm", "x", "--arm", RL), "NAME=AGENT"),
        (("--arm", "../x=noop", "--arm", RL), "NAME=AGENT"),
        (("--arm", SFT, "--arm", "rl=nopo"), "noop"),
        (("--arm", SFT, "--arm", "rl=noop,k"), "--agent-arg"),
        (("--arm", SFT, "--arm", RL, "--match", "rl"), "--candidate"),
        (("--arm", SFT, "--arm", RL, "--perturb", "burts"), "burst"),
        (("--arm", SFT, "--arm", RL, "--figure", "x.txt"), "figure"),
        (("--arm", SFT, "--arm", RL, "--suite", "rlarms:SCORED"), "success"),
    ],
)
def test_wrong_use_is_told_in_one_line(
    probe: Callable[..., Said], more: tuple[object, ...], told: str
) -> None:
    said = probe(*more)
    assert said.code == 2
    assert told in said.err
    assert "Traceback" not in said.err
