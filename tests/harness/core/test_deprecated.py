"""Old names that users may still write: they do what they did, and a warning says the new name."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from conftest import Notes, plan_of

import harness.core
from harness.core import (
    UI,
    BadAction,
    Box,
    Case,
    Discrete,
    MultiDiscrete,
    Perturbation,
    SimulatorPerturbation,
    Suite,
    Task,
    Text,
    TimeStep,
    UIAction,
)
from harness.perturb import parse_conditions
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.records.stored_run import load_run

RENAMED = r" is called \w+(\(\))? now$"
TASK = toys.toy_task()
DRIFT = SimulatorPerturbation("drift", "the start moves by `cells`", ({"cells": 1}, {"cells": 2}))

# Methods of the specs

SPECS: dict[str, tuple[Any, Any]] = {
    "Box": (Box((2,), low=-1.0, high=1.0), np.array([0.5, -0.25], np.float32)),
    "Discrete": (Discrete(3), 2),
    "MultiDiscrete": (MultiDiscrete((2, 3)), np.array([1, 2])),
    "Text": (Text(choices=("look", "go")), "look"),
    "UI": (UI(10, 10, ("click", "wait")), UIAction("click", x=1.0, y=2.0)),
}


@pytest.mark.parametrize(("spec", "action"), SPECS.values(), ids=SPECS)
def test_the_old_methods_of_a_spec_do_what_the_new_ones_do(spec: Any, action: Any) -> None:
    with pytest.warns(DeprecationWarning, match=r"^take\(\) is called coerce\(\) now$"):
        taken, clipped = spec.take(action)
    assert np.array_equal(taken, spec.coerce(action)[0])
    assert clipped is spec.coerce(action)[1] is False
    with pytest.warns(DeprecationWarning, match=r"^check\(\) is called validate\(\) now$"):
        assert np.array_equal(spec.check(action), spec.validate(action))
    with pytest.warns(DeprecationWarning, match=r"^nothing\(\) is called noop\(\) now$"):
        assert np.array_equal(spec.nothing(), spec.noop())


@pytest.mark.parametrize("spec", [spec for spec, _ in SPECS.values()], ids=SPECS)
def test_the_old_methods_refuse_what_the_new_ones_refuse(spec: Any) -> None:
    for old in (spec.take, spec.check):
        with pytest.warns(DeprecationWarning, match=RENAMED), pytest.raises(BadAction):
            old(object())


def test_what_has_to_be_clipped_is_clipped_or_refused_as_before() -> None:
    box = Box((1,), low=-1.0, high=1.0)
    with pytest.warns(DeprecationWarning, match=RENAMED):
        taken, clipped = box.take(np.array([3.0]))
    assert (taken.tolist(), clipped) == ([1.0], True)
    with (
        pytest.warns(DeprecationWarning, match=RENAMED),
        pytest.raises(BadAction, match="outside its bounds"),
    ):
        box.check(np.array([3.0]))


def use_old_names() -> None:
    Discrete(3).nothing()
    Case(TASK, 0).native("drift")
    harness.core.Native  # noqa: B018
    type("Old", (toys.ToyAdapter,), {"inexact": "it is not"})


def test_the_warning_points_at_the_line_that_has_the_old_name() -> None:
    with pytest.warns(DeprecationWarning, match=RENAMED) as told:
        use_old_names()
    assert [warning.filename for warning in told] == [__file__] * 4


def test_the_new_names_warn_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for spec, action in SPECS.values():
            spec.coerce(action)
            spec.validate(action)
            spec.noop()
            spec.problem(action)
        Box((1,), noop=0.5)
        Discrete(3, noop=1)
        Case(TASK, 0).simulator_perturbation("drift")
        type("New", (toys.ToyAdapter,), {"nondeterminism": "it is not"})


# The field `noop`


def test_constructors_still_take_noop() -> None:
    assert Box((2,), noop=(0.5, -0.5)) == Box((2,), neutral=(0.5, -0.5))
    assert Box((2,), noop=(0.5, -0.5)).noop().tolist() == [0.5, -0.5]
    assert Box((1,), "float32", 0.0, 1.0, "m", "height", 0.5).noop().tolist() == [0.5], "by place"
    assert Discrete(4, noop=3) == Discrete(4, neutral=3)
    assert Discrete(4, noop=3).noop() == 3
    assert Discrete(4, (), "", 3).noop() == 3, "by place"


def test_noop_0_is_a_value_as_any_other() -> None:
    assert Box((1,), low=-1.0, high=1.0, neutral=1.0, noop=0.0).noop().tolist() == [0.0]
    assert Discrete(4, neutral=2, noop=0).noop() == 0


@pytest.mark.parametrize("noop", [-1, 4])
def test_a_noop_that_does_not_exist_is_refused(noop: int) -> None:
    with pytest.raises(ValueError, match="neutral below n"):
        Discrete(4, noop=noop)


# Names of modules and of Case


def test_native_is_called_simulator_perturbation() -> None:
    with pytest.warns(DeprecationWarning, match=r"harness\.core\.Native is called Simulator"):
        from harness.core import Native
    assert Native is SimulatorPerturbation
    case = Case(TASK, 0, (Perturbation("drift", 2, {"cells": 2}),))
    with pytest.warns(DeprecationWarning, match=r"Case\.native is called simulator_perturbation"):
        assert case.native("drift") == {"cells": 2}
    with pytest.warns(DeprecationWarning, match=RENAMED):
        assert case.native("friction") is None
    with pytest.raises(AttributeError, match="has no attribute 'Natives'"):
        harness.core.Natives  # noqa: B018


def test_the_checks_are_found_by_their_old_module(monkeypatch: pytest.MonkeyPatch) -> None:
    import harness.testing

    monkeypatch.delitem(sys.modules, "harness.contract", raising=False)
    with pytest.warns(DeprecationWarning, match=r"harness\.contract is called harness\.testing"):
        old = importlib.import_module("harness.contract")
    for name in ("ContractError", "check_adapter", "check_agent"):
        assert getattr(old, name) is getattr(harness.testing, name)


# Hooks of adapters

HOOKS = {
    "natives": "simulator_perturbations",
    "affinity": "env_key",
    "listed": "fixed_episode_list",
}
ANSWERS: dict[str, Any] = {"natives": (DRIFT,), "affinity": "one for all", "listed": True}


def hook(answer: Any) -> classmethod:
    return classmethod(lambda cls, task=None: answer)


@pytest.mark.parametrize("base", [toys.ToyAdapter, toys.BatchedToy])
@pytest.mark.parametrize(("old", "new"), HOOKS.items())
def test_a_hook_with_its_old_name_is_called(base: type[Any], old: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"^Mine.{old} is called {new} now$"):
        mine = type("Mine", (base,), {old: hook(ANSWERS[old])})
    assert getattr(mine, new)(TASK) == getattr(mine, old)(TASK) == ANSWERS[old]
    assert getattr(mine, new)(TASK) != getattr(base, new)(TASK), "the base is as it was"


def test_nondeterminism_by_its_old_name() -> None:
    with pytest.warns(DeprecationWarning, match=r"^Mine\.inexact is called nondeterminism now$"):
        mine = type("Mine", (toys.ToyAdapter,), {"inexact": "threads"})
    assert (mine.nondeterminism, mine.inexact) == ("threads", "threads")
    assert toys.ToyAdapter.nondeterminism == ""


@pytest.mark.parametrize(("old", "new"), HOOKS.items())
def test_a_hook_with_its_new_name_is_found_by_the_old_one(old: str, new: str) -> None:
    """An adapter that asks another one, or its base class, by the old name."""
    mine = type("Mine", (toys.ToyAdapter,), {new: hook(ANSWERS[old])})
    assert getattr(mine, old)(TASK) == ANSWERS[old]


@pytest.mark.parametrize(("old", "new"), HOOKS.items())
def test_the_most_derived_class_wins_whatever_its_name_for_a_hook(old: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=RENAMED):
        first = type("First", (toys.ToyAdapter,), {old: hook("first")})
    second = type("Second", (first,), {new: hook("second")})
    with pytest.warns(DeprecationWarning, match=RENAMED):
        third = type("Third", (second,), {old: hook("third")})
    plain = type("Plain", (third,), {})
    for kind, answer in ((first, "first"), (second, "second"), (third, "third"), (plain, "third")):
        assert getattr(kind, old)(TASK) == getattr(kind, new)(TASK) == answer


@pytest.mark.parametrize(("old", "new"), HOOKS.items())
def test_a_hook_may_come_from_a_mixin(old: str, new: str) -> None:
    for name in (old, new):
        mixin = type("Mixin", (), {name: hook(ANSWERS[old])})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if name == old else "error")
            mine = type("Mine", (mixin, toys.ToyAdapter), {})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            mine = type("Derived", (mine,), {})
        assert getattr(mine, old)(TASK) == getattr(mine, new)(TASK) == ANSWERS[old]


def test_super_is_the_base_by_either_name() -> None:
    with pytest.warns(DeprecationWarning, match=RENAMED):

        class Old(toys.ToyAdapter):
            @classmethod
            def affinity(cls, task: Task) -> str:
                return f"old {super().affinity(task)}"

    class New(Old):
        @classmethod
        def env_key(cls, task: Task) -> str:
            return f"new {super().env_key(task)}"

    assert New.env_key(TASK) == New.affinity(TASK) == f"new old {toys.ToyAdapter.env_key(TASK)}"


def test_an_old_adapter_plays_its_own_perturbation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As somebody wrote it once: with `natives`, `affinity`, `case.native` and `check`."""
    with pytest.warns(DeprecationWarning, match=RENAMED):

        class OldToy(toys.ToyAdapter):
            @classmethod
            def natives(cls, task: Task | None = None) -> Sequence[SimulatorPerturbation]:
                return (DRIFT,)

            @classmethod
            def affinity(cls, task: Task) -> str:
                return "old"

            def reset(self, case: Case) -> TimeStep:
                super().reset(case)
                drift = case.native("drift")
                self.shift(0 if drift is None else drift["cells"])
                return self.seen()

            def step(self, action: Any) -> TimeStep:
                return super().step(self.brief.action.check(action))

    monkeypatch.setattr(toys, "OldToy", OldToy, raising=False)
    task = toys.toy_task("old", adapter="toys:OldToy")
    suite = Suite("toys", "toys", (task,), 4)
    spec, _ = plan_of("GoodAgent", [task], 4)
    conditions = parse_conditions("drift:1", {"drift"})
    plan = make_plan([(suite, task)], spec, episodes=None, seed=0, perturb=conditions)
    assert [item.env_key for item in plan.items] == ["toys:OldToy old"]
    assert plan.perturbations == ((Perturbation("drift", 1, {"cells": 1}),),)
    with pytest.warns(DeprecationWarning, match=RENAMED):
        play(spec, ["toys"], plan, tmp_path / "run", RunOptions(), Notes())
    found = dict(load_run(tmp_path / "run").cases())
    assert {result.status for result in found.values()} == {"finished"}
    moved = [found[i].digest != found[i._replace(condition=0)].digest for i in found if i.condition]
    assert moved == [True] * 4
