"""Perturbations by the simulators: each takes effect, reproducibly, and not on the next episode."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from simulatorcases import make_case, step_digests, tasks

from harness.core import Case, Perturbation, UserError
from harness.perturb import REGISTRY
from harness.records.registry import load

FAMILIES = [
    ("babyai/GoToRedBall", "size", "grid"),
    ("babyai/GoToRedBall", "distractors", "image_partial"),
    ("atari/pong", "mode", "state"),
    ("atari/pong", "difficulty", "state"),
    ("fetch/push", "friction", "state"),
    ("fetch/push", "mass", "state"),
    ("fetch/push", "camera", "image"),
    ("fetch/push", "camera", "image_external"),
    ("pointmaze/umaze", "camera", "image"),
    ("metaworld/drawer-open-v3", "start", "state"),
    ("metaworld/drawer-open-v3", "light", "image"),
    ("metaworld/drawer-open-v3", "texture", "image"),
    ("metaworld/drawer-open-v3", "camera", "image"),
    ("miniwob/click-button", "font", "image"),
    ("miniworld/FourRooms", "light", "image"),
    ("miniworld/FourRooms", "camera", "depth"),
    ("miniworld/FourRooms", "texture", "image"),
    ("vizdoom/defend_the_line", "difficulty", "state"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "perturbation", "view"),
    FAMILIES,
    ids=[f"{name}-{perturbation}" for name, perturbation, _ in FAMILIES],
)
def test_a_perturbation_takes_effect_and_the_next_episode_is_clean(
    name: str, perturbation: str, view: str
) -> None:
    task = tasks()[name]
    kind = load(task.adapter)
    if (
        missing := kind.missing(task)
        or (kind.limited() if view.startswith(("image", "depth")) else None)
    ) is not None:
        pytest.skip(missing.reason)
    severity, steps = (
        (1, 40)
        if perturbation in ("mode", "difficulty")
        else (5, 3)
        if view.startswith(("image", "depth"))
        else (5, 60)
    )
    adapter = kind(task)
    clean = step_digests(adapter, make_case(task), view, steps)
    changed = step_digests(adapter, make_case(task, perturbation, severity), view, steps)
    assert changed != clean
    assert step_digests(adapter, make_case(task), view, steps) == clean
    assert step_digests(adapter, make_case(task, perturbation, severity), view, steps) == changed
    assert (
        step_digests(
            adapter,
            Case(task, task.first_seed, (Perturbation(perturbation, 0),)),
            view,
            steps,
        )
        == clean
    )
    adapter.close()


@pytest.mark.parametrize(
    ("name", "perturbation"),
    [("minigrid/FourRooms", "distractors"), ("atari/pong", "mode"), ("pointmaze/umaze", "mass")],
)
def test_a_task_without_the_perturbation_refuses_it(name: str, perturbation: str) -> None:
    task = tasks()[name]
    kind = load(task.adapter)
    if (missing := kind.missing(task)) is not None:
        pytest.skip(missing.reason)
    adapter = kind(task)
    with pytest.raises(UserError, match=r"no |other"):
        adapter.reset(make_case(task, perturbation, 5))
    adapter.reset(make_case(task))
    adapter.close()


def test_names_are_unique_and_severities_well_formed() -> None:
    import adapters

    for entry in adapters.ADAPTERS.values():
        for perturbation in load(entry).simulator_perturbations():
            assert perturbation.name not in REGISTRY, "the harness has a perturbation of this name"
            assert 1 <= len(perturbation.levels) <= 5
            assert len({tuple(level) for level in perturbation.levels}) == 1
            json.dumps(perturbation.levels, allow_nan=False)


def first_image(adapter: Any, played: Case, view: str) -> np.ndarray:
    """A view of the first observation."""
    value = adapter.reset(played).observation[view]()
    return np.asarray(value, np.float64)


@pytest.mark.parametrize(
    ("name", "perturbation"),
    [("fetch/push", "camera"), ("pointmaze/umaze", "camera")]
    + [("miniworld/FourRooms", perturbation) for perturbation in ("light", "camera", "texture")],
)
def test_visual_perturbations_leave_the_state_as_it_was(name: str, perturbation: str) -> None:
    """The states are the same at every step; the picture differs more at a higher severity."""
    task = tasks()[name]
    kind = load(task.adapter)
    if (missing := kind.missing(task) or kind.limited()) is not None:
        pytest.skip(missing.reason)
    adapter = kind(task)
    assert step_digests(adapter, make_case(task, perturbation, 5), "state", 40) == step_digests(
        adapter, make_case(task), "state", 40
    )
    clean = first_image(adapter, make_case(task), "image")
    differences = [
        np.abs(
            first_image(adapter, make_case(task, perturbation, severity), "image") - clean
        ).mean()
        for severity in (1, 3, 5)
    ]
    assert 0 < differences[0] < differences[1] < differences[2]
    adapter.close()


def test_a_camera_moves_in_one_direction_at_all_severities() -> None:
    from adapters._mujoco_gl import FreeCamera

    task = tasks()["fetch/push"]
    kind = load(task.adapter)
    if (missing := kind.missing(task)) is not None:
        pytest.skip(missing.reason)
    adapter, shifts = kind(task), []
    for severity in (1, 3, 5):
        adapter.reset(make_case(task, "camera", severity))
        assert isinstance(adapter._camera, FreeCamera)
        shifts.append(np.subtract(adapter._camera.lookat, adapter._front.lookat))
    adapter.close()
    assert np.allclose([np.linalg.norm(shift) for shift in shifts], [0.01, 0.05, 0.15])
    assert np.allclose(shifts[0] / 0.01, shifts[2] / 0.15)


def test_a_moved_camera_does_not_move_a_carried_object() -> None:
    """MiniWorld places a carried object by the camera's height, which must stay for it."""
    task = tasks()["miniworld/PutNext"]
    kind = load(task.adapter)
    if (missing := kind.missing(task)) is not None:
        pytest.skip(missing.reason)
    adapter = kind(task)

    def carried(played: Case) -> list[bytes]:
        found, seen, executed = [], adapter.reset(played), None
        while adapter._env.agent.carrying is None and len(found) < 150:
            seen.observation["image"]()
            executed = adapter.expert(executed)
            seen = adapter.step(executed)
            found.append(adapter.state())
        assert adapter._env.agent.carrying is not None
        return found

    assert carried(make_case(task, "camera", 5)) == carried(make_case(task))
    adapter.close()


def test_vizdoom_offers_difficulty_only_where_it_has_an_effect() -> None:
    """An engine that played another difficulty plays as a fresh one does."""
    offered = {
        name: load(task.adapter).simulator_perturbations(task)
        for name, task in tasks().items()
        if name.startswith("vizdoom/")
    }
    assert {
        name for name, simulator_perturbations in offered.items() if not simulator_perturbations
    } == {
        "vizdoom/my_way_home",
        "vizdoom/basic",
        "vizdoom/predict_position",
    }
    task = tasks()["vizdoom/defend_the_line"]
    kind = load(task.adapter)
    if (missing := kind.missing(task)) is not None:
        pytest.skip(missing.reason)
    fresh, kept = kind(task), kind(task)
    clean, easy, hard = (
        step_digests(kept, each, "state", 60)
        for each in (
            make_case(task),
            make_case(task, "difficulty", 1),
            make_case(task, "difficulty", 2),
        )
    )
    assert len({str(clean), str(easy), str(hard)}) == 3
    assert step_digests(fresh, make_case(task, "difficulty", 2), "state", 60) == hard
    assert step_digests(fresh, make_case(task), "state", 60) == clean
    fresh.close()
    kept.close()
