"""Values of a range: where a perturbation may be set, what a case says of it, and what it does."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from simulatorcases import tasks

import adapters
from baselines.simple import Uniform
from harness.core import AT, Case, Missing, Perturbation, UserError
from harness.perturb import parse_conditions, resolve
from harness.records.plan import label
from harness.records.registry import load


def resolved(name: str, text: str) -> tuple[Perturbation, ...] | Missing:
    task = tasks()[name]
    (condition,) = parse_conditions(text, {"friction", "mass", "start", "light", "camera"})
    return resolve(condition, task, load(task.adapter), Uniform)


def case_at(name: str, text: str) -> Case:
    found = resolved(name, text)
    assert not isinstance(found, Missing)
    return Case(tasks()[name], tasks()[name].first_seed, found)


def test_a_value_is_an_ordinary_perturbation_with_its_parameter() -> None:
    case = case_at("metaworld/reach-v3", "friction=0.37+mass=3")
    assert case.simulator_perturbation("friction") == {"factor": 0.37, AT: 0.37}
    assert label(case.perturbations) == "friction=0.37:1+mass=3.0:1"
    assert case.id == case_at("metaworld/reach-v3", "friction=0.37+mass=3").id
    assert case.id != case_at("metaworld/reach-v3", "friction=0.38+mass=3").id


@pytest.mark.parametrize("text", ["friction=0.04", "friction=2.1", "mass=-1", "camera=0.31"])
def test_a_value_out_of_its_range_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="lies in its range, 0"):
        resolved("metaworld/reach-v3", text)


def test_what_has_severities_only_is_a_row_that_says_so() -> None:
    found = resolved("metaworld/reach-v3", "start=3")
    assert isinstance(found, Missing)
    assert "severities only" in found.reason


def test_declared_ranges_are_in_order_and_hold_their_nominal_value() -> None:
    ranged: dict[str, set[str]] = {}
    for family, entry in adapters.ADAPTERS.items():
        for each in load(entry).simulator_perturbations():
            if each.range is not None:
                ranged.setdefault(family, set()).add(each.name)
                assert set(each.levels[0]) == {each.range.parameter}
                assert each.range.low <= each.range.nominal <= each.range.high
                assert each.range.low < each.range.high
                assert not each.range.logarithmic or each.range.low > 0
    for family in ("metaworld", "maniskill", "fetch"):
        assert len(ranged[family]) >= 4


def _friction(model: Any) -> float:
    return float(model.geom_friction[:, 0].sum())


def _mass(model: Any) -> float:
    free = [model.jnt_bodyid[k] for k in range(model.njnt) if model.jnt_type[k] == 0]
    return float(model.body_mass[free].sum())


def _light(model: Any) -> float:
    return float(model.light_diffuse.sum() + model.vis.headlight.diffuse.sum())


MUJOCO: list[tuple[str, str, Callable[[Any], float]]] = [
    (task, name, read)
    for task in ("metaworld/push-v3", "fetch/push")
    for name, read in (("friction", _friction), ("mass", _mass), ("light", _light))
]


@pytest.mark.parametrize(("name", "perturbation", "read"), MUJOCO)
def test_the_simulator_has_the_value_that_was_asked_for(
    name: str, perturbation: str, read: Callable[[Any], float]
) -> None:
    task = tasks()[name]
    kind = load(task.adapter)
    if (missing := kind.missing(task)) is not None:
        pytest.skip(missing.reason)
    adapter = kind(task)
    env = adapter._env
    model = env.unwrapped.model
    before = read(model)
    for value in (0.6, 1.0, 1.7):
        adapter.reset(case_at(name, f"{perturbation}={value}"))
        assert math.isclose(read(model), value * before, rel_tol=1e-5)
    adapter.reset(Case(task, task.first_seed))
    assert read(model) == before
    adapter.close()


def test_a_camera_is_moved_by_the_metres_that_were_asked_for() -> None:
    name = "metaworld/push-v3"
    task = tasks()[name]
    kind = load(task.adapter)
    if (missing := kind.missing(task)) is not None:
        pytest.skip(missing.reason)
    adapter = kind(task)
    places = adapter._env.model.cam_pos
    before = places.copy()
    adapter.reset(case_at(name, "camera=0.07"))
    moved = ((places - before) ** 2).sum(axis=1) ** 0.5
    assert moved == pytest.approx([0.07] * len(before))
    adapter.close()
