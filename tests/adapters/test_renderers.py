"""Simulators that draw by OpenGL or Vulkan name what draws, and to ask them changes nothing."""

from __future__ import annotations

import mujoco.egl
import numpy as np
import pytest
from simulatorcases import make_case, tasks

from adapters._gl_strings import current_renderer, renderer_strings
from harness.core.lane import Lane, build_adapter
from harness.records.registry import load

OPENGL = {
    "metaworld/reach-v3": "image",
    "miniworld/Hallway": "depth",
    "fetch/reach": "image",
    "pointmaze/umaze": "image",
}
DRAWN = {**OPENGL, "maniskill/PushCube": "image"}
BY_ITSELF = {"minigrid/FourRooms": "image", "atari/pong": "image", "vizdoom/my_way_home": "image"}


def lane_of(name: str) -> Lane:
    task = tasks()[name]
    return Lane(build_adapter(load(task.adapter), task))


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWN)
def test_it_has_a_name_that_does_not_change(name: str) -> None:
    lane, case = lane_of(name), make_case(tasks()[name])
    try:
        first = lane.reset(case)
        image = first.observation[DRAWN[name]]()
        said = lane.adapter.renderer_info()
        assert 10 < len(said) < 200
        assert said.isprintable()
        if name in OPENGL:
            # Vendor, renderer and version.
            assert said.count(", ") >= 2
            assert said.endswith(current_renderer())
        else:
            assert said.startswith("Vulkan, ")
        assert np.array_equal(lane.reset(case).observation[DRAWN[name]](), image)
        assert lane.adapter.renderer_info() == said
    finally:
        lane.adapter.close()


@pytest.mark.parametrize("name", BY_ITSELF)
def test_what_draws_by_itself_has_none(name: str) -> None:
    lane, case = lane_of(name), make_case(tasks()[name])
    try:
        value = lane.reset(case).observation[BY_ITSELF[name]]
        assert (value() if callable(value) else value).ndim == 3
        assert lane.adapter.renderer_info() == ""
    finally:
        lane.adapter.close()


def test_no_adapter_makes_a_context_to_answer() -> None:
    """Where nothing was drawn, MuJoCo has no context, and that is what is said."""
    lane = lane_of("metaworld/reach-v3")
    try:
        lane.reset(make_case(tasks()["metaworld/reach-v3"]))
        assert lane.adapter.renderer_info() == ""
    finally:
        lane.adapter.close()


def test_the_driver_of_the_current_context_answers() -> None:
    context = mujoco.egl.GLContext(8, 8)
    context.make_current()
    try:
        assert current_renderer().count(", ") >= 2
    finally:
        context.free()


def test_strings_that_a_driver_does_not_give_are_left_out() -> None:
    assert renderer_strings(lambda name: None) == ""
    given = {0x1F00: b"Mesa", 0x1F01: None, 0x1F02: b"4.5 \xff"}
    assert renderer_strings(given.get) == "Mesa, 4.5 �"
