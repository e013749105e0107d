"""What simulators perturb themselves: it takes effect, it is the same again, and the next episode knows nothing of it."""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Any

import numpy as np
import pytest

import suites
from harness.catalogue import find_suites
from harness.core import Case, Perturbation, Task, UserError
from harness.load import load
from harness.perturb import KINDS


@functools.lru_cache(maxsize=1)
def tasks() -> dict[str, Task]:
    return {task.name: task for name in suites.SUITES for task in find_suites(name, suites.SUITES)[0].tasks}


def case(task: Task, name: str = "", severity: int = 3) -> Case:
    if not name:
        return Case(task, task.first_seed)
    native = next(native for native in load(task.adapter).natives(task) if native.name == name)
    return Case(task, task.first_seed, (Perturbation(name, severity, native.levels[severity - 1]),))


def trail(adapter: Any, played: Case, view: str, steps: int = 6) -> list[str]:
    """Digests of the state and of a view, step by step, under actions drawn from a fixed stream."""
    rng, seen = np.random.default_rng(0), adapter.reset(played)
    found = []
    for _ in range(steps):
        value = seen.observation[view]
        value = value() if callable(value) else value
        found.append(
            hashlib.md5(adapter.state() + (value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())).hexdigest()
        )
        seen = adapter.step(adapter.brief.action.sample(rng))
        if seen.terminated or seen.truncated:
            break
    return found


FAMILIES = [
    ("babyai/GoToRedBall", "size", "grid"),
    ("babyai/GoToRedBall", "distractors", "image_partial"),
    ("atari/pong", "mode", "state"),
    ("atari/pong", "difficulty", "state"),
    ("fetch/push", "friction", "state"),
    ("fetch/push", "mass", "state"),
    ("metaworld/drawer-open-v3", "start", "state"),
    ("metaworld/drawer-open-v3", "light", "image"),
    ("metaworld/drawer-open-v3", "texture", "image"),
    ("metaworld/drawer-open-v3", "camera", "image"),
    ("miniwob/click-button", "font", "image"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "native", "view"), FAMILIES, ids=[f"{name}-{native}" for name, native, _ in FAMILIES])
def test_it_takes_effect_and_is_forgotten(name: str, native: str, view: str) -> None:
    task = tasks()[name]
    kind = load(task.adapter)
    if (missing := kind.missing(task) or (kind.limited() if view == "image" else None)) is not None:
        pytest.skip(missing.reason)
    severity, steps = (1, 40) if native in ("mode", "difficulty") else (5, 3) if view == "image" else (5, 60)
    adapter = kind(task)
    clean = trail(adapter, case(task), view, steps)
    changed = trail(adapter, case(task, native, severity), view, steps)
    assert changed != clean
    assert trail(adapter, case(task), view, steps) == clean
    assert trail(adapter, case(task, native, severity), view, steps) == changed
    assert trail(adapter, Case(task, task.first_seed, (Perturbation(native, 0),)), view, steps) == clean
    adapter.close()


@pytest.mark.parametrize(("name", "native"), [("minigrid/FourRooms", "distractors"), ("atari/pong", "mode"), ("pointmaze/umaze", "mass")])
def test_what_has_none_says_so(name: str, native: str) -> None:
    task = tasks()[name]
    kind = load(task.adapter)
    if (missing := kind.missing(task)) is not None:
        pytest.skip(missing.reason)
    adapter = kind(task)
    with pytest.raises(UserError, match=r"no |other"):
        adapter.reset(case(task, native, 5))
    adapter.reset(case(task))
    adapter.close()


def test_names_and_severities() -> None:
    import adapters

    for entry in adapters.ADAPTERS.values():
        for native in load(entry).natives():
            assert native.name not in KINDS, "one of ours: a native of this name would be taken for it"
            assert 1 <= len(native.levels) <= 5
            assert len({tuple(level) for level in native.levels}) == 1
            json.dumps(native.levels, allow_nan=False)


@pytest.mark.slow
@pytest.mark.parametrize("native", ["friction", "mass", "light", "camera"])
def test_maniskill(native: str) -> None:
    task = tasks()["maniskill-planner/PushCube"]
    kind = load(task.adapter)
    if (missing := kind.missing(task)) is not None:
        pytest.skip(missing.reason)
    adapter = kind(task)
    if native in ("light", "camera"):
        clean, changed, again = (trail(adapter, each, "image", 1) for each in (case(task), case(task, native), case(task)))
        assert changed != clean
        assert again == clean
        return

    def numbers() -> tuple[float, float]:
        from sapien import physx

        body = adapter._env.scene.actors["cube"]._objs[0].find_component_by_type(physx.PhysxRigidDynamicComponent)
        return body.mass, body.collision_shapes[0].physical_material.static_friction

    adapter.reset(case(task))
    before = numbers()
    adapter.reset(case(task, native))
    factor = {"friction": (1.0, 0.4), "mass": (3.0, 1.0)}[native]
    assert numbers() == pytest.approx((before[0] * factor[0], before[1] * factor[1]))
    adapter.reset(case(task))
    assert numbers() == before
    adapter.close()
