"""What CALVIN's own oracle, calvin_env's `Tasks`, answers to wrong behaviours.

The oracle compares two descriptions of the scene, in calvin_env's own format; they are written by
hand here, so that the simulator is not needed, only calvin_env and its configuration of tasks.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

calvin_env = pytest.importorskip("calvin_env")
omegaconf = pytest.importorskip("omegaconf")

from calvin_env.envs.tasks import Tasks  # noqa: E402 - where calvin_env is installed

from adapters.calvin.chains import TASKS  # noqa: E402

TABLE, ROBOT = 1, 9
LINKS = {"base_link": 0, "plank_link": 1, "drawer_link": 2}
ON_TABLE, ON_PLANK, IN_DRAWER = ((0, 0, TABLE, 0, link) for link in LINKS.values())
HELD = (0, 0, ROBOT, 0, 0)
"""Contacts: element 2 is the other body, element 4 its link."""


def block(uid: int, *contacts: tuple[int, ...], at: tuple[float, ...] = (0.0, 0.0, 0.46)) -> Any:
    return {
        "uid": uid,
        "current_pos": at,
        "current_orn": (0.0, 0.0, 0.0, 1.0),
        "current_lin_vel": (0.0, 0.0, 0.0),
        "current_ang_vel": (0.0, 0.0, 0.0),
        "contacts": contacts,
    }


def scene() -> Any:
    """Red and blue lie on the table, pink on the sliding door's plank; all is closed and off."""
    return {
        "robot_info": {"uid": ROBOT, "contacts": []},
        "scene_info": {
            "fixed_objects": {"table": {"uid": TABLE, "links": LINKS}},
            "movable_objects": {
                "block_red": block(2, ON_TABLE, at=(0.1, -0.1, 0.46)),
                "block_blue": block(3, ON_TABLE, at=(-0.1, -0.1, 0.46)),
                "block_pink": block(4, ON_PLANK, at=(0.2, 0.1, 0.5)),
            },
            "doors": {
                "base__slide": {"current_state": 0.0},
                "base__drawer": {"current_state": 0.0},
            },
            "lights": {"lightbulb": {"logical_state": 0}, "led": {"logical_state": 0}},
        },
    }


@pytest.fixture(scope="module")
def oracle() -> Any:
    root = Path(calvin_env.__file__).resolve().parents[1]
    config = omegaconf.OmegaConf.load(root / "conf" / "tasks" / "new_playtable_tasks.yaml")
    return Tasks(config["tasks"])


def turned(degrees: float) -> Any:
    from scipy.spatial.transform import Rotation

    return tuple(Rotation.from_euler("z", degrees, degrees=True).as_quat())


def done(oracle: Any, change: Any) -> set[str]:
    """The tasks that are done once `change` was made to the scene."""
    before, now = scene(), scene()
    change(now["scene_info"], now["robot_info"])
    return set(oracle.get_task_info(copy.deepcopy(before), now))


def test_the_oracle_knows_the_tasks_of_our_chains(oracle: Any) -> None:
    assert set(oracle.tasks) == set(TASKS)


def test_what_changes_nothing_does_nothing(oracle: Any) -> None:
    assert done(oracle, lambda scene, robot: None) == set()


def moved(name: str, *, by: tuple[float, float, float], degrees: float = 0, held: bool = False):
    def change(scene: Any, robot: Any) -> None:
        thing = scene["movable_objects"][name]
        thing["current_pos"] = tuple(a + b for a, b in zip(thing["current_pos"], by))
        thing["current_orn"] = turned(degrees)
        if held:
            thing["contacts"] = (HELD,)
            robot["contacts"] = [(0, 0, thing["uid"], 0, 0)]

    return change


def door(name: str, to: float):
    def change(scene: Any, robot: Any) -> None:
        scene["doors"][name]["current_state"] = to

    return change


WRONG = {
    "a push half as far": (moved("block_red", by=(0.05, 0, 0)), set()),
    "a push the other way": (moved("block_red", by=(-0.12, 0, 0)), {"push_red_block_left"}),
    "a push of another block": (moved("block_blue", by=(0.12, 0, 0)), {"push_blue_block_right"}),
    "carried instead of pushed": (moved("block_red", by=(0.12, 0, 0), held=True), set()),
    "a turn half as far": (moved("block_red", by=(0, 0, 0), degrees=40), set()),
    "a turn the other way": (
        moved("block_red", by=(0, 0, 0), degrees=-70),
        {"rotate_red_block_right"},
    ),
    "a turn while it is pushed away": (moved("block_red", by=(0.06, 0.09, 0), degrees=70), set()),
    "tossed up, not held": (moved("block_red", by=(0, 0, 0.1)), set()),
    "held, not lifted": (moved("block_red", by=(0, 0, 0.01), held=True), set()),
    "another block lifted": (
        moved("block_blue", by=(0, 0, 0.1), held=True),
        {"lift_blue_block_table"},
    ),
    "the drawer opened by a third": (door("base__drawer", 0.08), set()),
    "the door moved by a quarter": (door("base__slide", 0.14), set()),
    "the door pushed beyond where it already is": (door("base__slide", -0.01), set()),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_behaviour_does_not_what_was_asked(oracle: Any, what: str) -> None:
    change, expected = WRONG[what]
    assert done(oracle, change) == expected


def test_half_a_drawer_and_a_quarter_of_the_door_are_enough(oracle: Any) -> None:
    """The benchmark's thresholds: 0.12 of 0.24 m, and 0.15 of 0.56 m."""
    assert done(oracle, door("base__drawer", 0.125)) == {"open_drawer"}
    assert done(oracle, door("base__slide", 0.155)) == {"move_slider_left"}


def test_the_other_light_is_not_the_one_that_was_asked_for(oracle: Any) -> None:
    def change(scene: Any, robot: Any) -> None:
        scene["lights"]["led"]["logical_state"] = 1

    assert done(oracle, change) == {"turn_on_led"}
