"""Executed actions of perturbed episodes: honest ones are never accused, others are named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core import (
    ActionSpec,
    Box,
    Brief,
    Case,
    Discrete,
    MultiDiscrete,
    Perturbation,
    Task,
    Text,
)
from harness.perturb.pipeline import Pipeline
from harness.perturb.registry import REGISTRY
from harness.records.plan import Plan
from harness.verify.draws import Draws
from harness.verify.perturbed import check_executed, check_severities

NAMES = [kind.name for kind in REGISTRY.values() if kind.group in ("action", "burst")]
REAL = ("action_noise", "action_scale", "action_bias")
"""These need actions that are real numbers."""
BOX = Box((3,), "float32", -1.0, np.array([1.0, 2.0, 1.0]))
SPECS: dict[str, ActionSpec] = {
    "box": BOX,
    "double": Box((2,), "float64", 0.0, 1.0),
    "discrete": Discrete(5),
    "buttons": MultiDiscrete((2, 2, 3)),
    "text": Text(choices=("look", "go", "take")),
}
TASK = Task("toys/any@1", "games", "toys:ToyAdapter", max_steps=200)


def brief(spec: ActionSpec) -> Brief:
    return Brief({}, spec, "a body", "a simulator")


def played(case: Case, spec: ActionSpec, agent: Callable[[int], Any], steps: int) -> list[Any]:
    """The executed actions of an agent that sends `agent(step)`."""
    pipeline = Pipeline.of(case, brief(spec), 1, "")
    sent = [spec.coerce(agent(step))[0] for step in range(steps)]
    return sent if pipeline is None else [pipeline.act(a, step) for step, a in enumerate(sent)]


def wrong_in(case: Case, body: Brief, actions: Sequence[Any]) -> str | None:
    return check_executed(case, body, actions, Draws())


def random_agent(spec: ActionSpec, seed: int) -> Callable[[int], Any]:
    rng = np.random.default_rng([seed, 7])
    return lambda _: spec.sample(rng)


def lazy_agent(spec: ActionSpec, seed: int) -> Callable[[int], Any]:
    return lambda _: spec.noop()


def steady_agent(spec: ActionSpec, seed: int) -> Callable[[int], Any]:
    """Always one action, at the end of its range."""
    action = spec.sample(np.random.default_rng(seed))
    steady = np.sign(action) if isinstance(action, np.ndarray) else action
    return lambda _: steady


def level(name: str, severity: int) -> Perturbation:
    return Perturbation(name, severity, dict(REGISTRY[name].levels[severity - 1]))


@settings(max_examples=150, deadline=None)
@given(
    names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
    severities=st.lists(st.integers(1, 5), min_size=3, max_size=3),
    spec=st.sampled_from(sorted(SPECS)),
    agent=st.sampled_from([random_agent, lazy_agent, steady_agent]),
    seed=st.integers(0, 10_000),
    steps=st.integers(1, 120),
)
def test_what_was_honestly_perturbed_is_never_accused(
    names: list[str], severities: list[int], spec: str, agent: Any, seed: int, steps: int
) -> None:
    if spec not in ("box", "double"):
        names = [name for name in names if name not in REAL]
    case = Case(TASK, seed, tuple(map(level, names, severities)))
    actions = played(case, SPECS[spec], agent(SPECS[spec], seed), steps)
    assert wrong_in(case, brief(SPECS[spec]), actions) is None


@pytest.mark.parametrize("severity", [2, 4])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "action_scale"])
def test_the_clean_cases_actions_are_not_a_perturbed_cases(name: str, severity: int) -> None:
    """An agent at the end of its range: a tenth of noise or bias must show."""
    case = Case(TASK, 3, (level(name, severity),))
    clean = [BOX.sample(np.random.default_rng([3, step])) for step in range(60)]
    assert wrong_in(Case(TASK, 3), brief(BOX), clean) is None
    if name in REAL:
        clean = [np.where(np.arange(3) % 2, BOX.bounds()[1], BOX.bounds()[0])] * 60
    assert wrong_in(case, brief(BOX), clean) is not None


def test_a_gain_bounds_the_actions() -> None:
    case = Case(TASK, 3, (level("action_scale", 4),))
    full = [np.array([1.0, 2.0, 1.0], np.float32)] * 5
    wrong = wrong_in(case, brief(BOX), full)
    assert wrong is not None
    assert wrong.startswith("action 1 is [1. 2. 1.], the perturbation lets")


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("action_random", "box"),
        ("action_random", "discrete"),
        ("action_random", "text"),
        ("action_sticky", "box"),
        ("action_sticky", "discrete"),
        ("action_dropout", "box"),
        ("action_noise", "box"),
        ("burst", "box"),
        ("burst", "discrete"),
    ],
)
def test_a_high_severity_under_the_name_of_a_low_one_is_told_by_its_draws(
    name: str, spec: str
) -> None:
    case = Case(TASK, 5, (level(name, 5),))
    actions = played(case, SPECS[spec], random_agent(SPECS[spec], 5), 150)
    renamed = Case(TASK, 5, (level(name, 1),))
    assert wrong_in(case, brief(SPECS[spec]), actions) is None
    wrong = wrong_in(renamed, brief(SPECS[spec]), actions)
    assert wrong is not None
    assert f"{name}:1" in wrong


@pytest.mark.parametrize("name", ["action_noise", "action_sticky", "action_random"])
def test_many_short_episodes_tell_what_one_does_not(name: str) -> None:
    """Twelve steps each; honest ones of the low severity are not accused, however many."""
    named, honest = Draws(), Draws()
    spec = SPECS["discrete"] if name == "action_sticky" else BOX
    said = []
    for seed in range(40):
        low, high = (Case(TASK, seed, (level(name, severity),)) for severity in (1, 5))
        agent = random_agent(spec, seed)
        actions = played(high, spec, agent, 12)
        said.append(check_executed(low, brief(spec), actions, named))
        actions = played(low, spec, agent, 12)
        assert check_executed(low, brief(spec), actions, honest) is None
    assert said[0] is None
    assert f"{name}:1" in str(said[-1])


def test_random_actions_of_another_stream_are_named() -> None:
    case = Case(TASK, 5, (level("burst", 3),))
    other = Case(TASK, 6, (level("burst", 3),))
    actions = played(other, BOX, random_agent(BOX, 5), 60)
    assert "the perturbation's is" in str(wrong_in(case, brief(BOX), actions))


def test_where_the_screen_moves_nothing_is_said() -> None:
    parts = (level("ui_zoom", 3), level("action_random", 3))
    assert wrong_in(Case(TASK, 1, parts), brief(BOX), [BOX.noop()] * 9) is None


@pytest.mark.parametrize("params", [{"share": 0.6}, {"share": 2.0}, {"sigma": 1.0}])
def test_severities_have_the_parameters_of_the_registry(params: dict[str, float]) -> None:
    plan = Plan((), perturbations=((Perturbation("action_random", 1, params),),))
    differences, claims = check_severities(plan, "bench run --perturb action_random:1")
    if params == {"share": 0.6}:
        assert [each.what for each in differences] == ["the severity"]
        assert "action_random:5" in str(differences[0].expected)
        differences, claims = check_severities(plan, "bench run --perturb own.toml")
    assert not differences
    assert claims == [f"levels of the user's own ({plan.perturbations[0][0]})"]


def test_simulator_side_and_absent_parameters_are_not_judged() -> None:
    plan = Plan(
        (), perturbations=((Perturbation("friction", 2, {"x": 1}), Perturbation("occlusion", 2)),)
    )
    assert check_severities(plan, None) == ([], [])
