"""Wrong wirings are refused before anything moves, each with its code."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from adapters.libero.spaces import make_brief
from adapters.metaworld import ACTION as METAWORLD
from harness.core import Box, Brief, Discrete, Field, UserError
from harness.core.lane import build_adapter
from harness.policies.profiles import CODES, Profile, load_profile
from harness.policies.profiles.reader import FOLDER
from harness.records.catalogue import find_suites
from harness.records.registry import load
from suites import SUITES

KITCHEN: Brief = make_brief(256, 79)[0]
BARE = Brief(
    {**KITCHEN.observation, "proprio": Box((16,))}, Box((7,), low=-1.0, high=1.0), "", "", 20.0
)
"""The same body, which does not say what its elements are."""


def picture(height: int, width: int) -> Box:
    return Box((height, width, 3), "uint8", 0, 255)


PUSHT = Brief(
    {
        "image": picture(96, 96),
        "proprio": Box((2,), layout=(Field("body_position", 2, "absolute", "world", "px"),)),
    },
    Box(
        (2,),
        low=0.0,
        high=512.0,
        layout=(Field("body_position", 2, "absolute", "world", "px"),),
    ),
    "a disc on a plane",
    "gym-pusht",
    10.0,
)
ARMS = tuple(
    field
    for side in ("left", "right")
    for field in (
        Field(f"{side}/joint_position", 6, "absolute", "", "rad"),
        Field(f"{side}/gripper", 1, "absolute", "", "1", sign="positive opens"),
    )
)
ALOHA = Brief(
    {"image": picture(480, 640), "proprio": Box((14,), layout=ARMS)},
    Box((14,), layout=ARMS),
    "two ViperX arms",
    "gym-aloha",
    50.0,
)
DROID = Brief(
    {
        "image": picture(180, 320),
        "image_wrist": picture(180, 320),
        "proprio": Box(
            (8,),
            layout=(
                Field("joint_position", 7, "absolute", "", "rad"),
                Field("gripper", 1, "absolute", "", "1", sign="positive closes"),
            ),
        ),
    },
    Box(
        (8,),
        layout=(
            Field("joint_velocity", 7, "velocity", "", "rad/s"),
            Field("gripper", 1, "absolute", "", "1", sign="positive closes"),
        ),
    ),
    "a Franka arm",
    "a declared one",
    15.0,
)
TABLE = Brief(
    {
        "image": picture(224, 224),
        "proprio": Box(
            (4,),
            layout=(
                Field("eef_position", 3, "absolute", "world", "m"),
                Field("gripper", 1, "absolute", "", "1", sign="positive opens"),
            ),
        ),
    },
    METAWORLD,
    "a Sawyer",
    "Meta-World",
    80.0,
)


@pytest.mark.parametrize(
    ("name", "brief"),
    [
        ("openpi-libero", KITCHEN),
        ("lerobot-libero", KITCHEN),
        ("lerobot-pusht", PUSHT),
        ("lerobot-aloha", ALOHA),
        ("openpi-droid", DROID),
        ("lerobot-metaworld", TABLE),
        ("metaworld-image", TABLE),
    ],
)
def test_the_profiles_fit_their_bodies(name: str, brief: Brief) -> None:
    profile = load_profile(name)
    assert profile.mismatches(brief) == ()
    assert profile.missing(brief) is None


def changed(tmp_path: Path, name: str, *changes: tuple[str, str]) -> Profile:
    """The profile that comes with bench, with texts replaced; each must be there."""
    text = (FOLDER / f"{name}.toml").read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    return load_profile(file)


WIRINGS: dict[str, tuple[str, str, tuple[tuple[str, str], ...], Brief, str, str]] = {
    # what is wrong: (profile, code, changes, body, the other side's value, remedy)
    "a picture is not flipped": (
        "openpi-libero", "orientation", (('flip = "horizontal"\n', ""),), KITCHEN,
        "image upright", 'write flip = "horizontal"',
    ),
    "a picture is turned on its head": (
        "lerobot-metaworld", "orientation",
        (('key = "observation.image"', 'key = "i"\nflip = "both"'),), TABLE,
        "image turned by 180 degrees", "leave flip out",
    ),
    "blue and red are swapped": (
        "openpi-libero", "colour-order", (('colours = "rgb"', 'colours = "rgb"\nbgr = true'),),
        KITCHEN, "image as BGR", "write bgr = false",
    ),
    "the cameras are swapped": (
        "openpi-libero", "camera",
        (('view = "image"\n', 'view = "X"\n'), ('view = "image_wrist"', 'view = "image"'),
         ('view = "X"', 'view = "image_wrist"')),
        KITCHEN, "image_wrist from one of the hand", "name one of image",
    ),
    "the gripper's sign is turned": (
        "openpi-libero", "gripper-sign", (('sign = "positive closes"', 'sign = "positive opens"'),),
        KITCHEN, "'positive closes'", "write invert = true",
    ),
    "the gripper's sign is turned twice": (
        "openpi-libero", "gripper-sign",
        (('sign = "positive closes"', 'sign = "positive closes"\ninvert = true'),),
        KITCHEN, "'positive closes'", "write invert = false",
    ),
    "the gripper is read with the other sign": (
        "lerobot-metaworld", "gripper-sign",
        (('unit = "1", sign = "positive opens"', 'unit = "1", sign = "positive closes"'),),
        TABLE, "'positive opens'", "turn it with scale = -1",
    ),
    "the quaternion has w first": (
        "openpi-libero", "rotation-representation",
        (('from = "quaternion_xyzw"', 'from = "quaternion_wxyz"'),), KITCHEN,
        "quaternion_xyzw", 'write from = "quaternion_xyzw"',
    ),
    "raw elements are taken for another quaternion": (
        "openpi-libero", "rotation-representation",
        (('field = "eef_rotation", size = 4, from = "quaternion_xyzw", '
          'representation = "axis_angle"',
          'start = 10, size = 4, representation = "quaternion_wxyz"'), ("size = 8", "size = 9")),
        KITCHEN, "quaternion_xyzw", 'write from = "quaternion_xyzw"',
    ),
    "the action turns by Euler angles": (
        "openpi-libero", "rotation-representation",
        (('representation = "axis_angle"\nscale', 'representation = "euler_xyz"\nscale'),),
        KITCHEN, "'axis_angle'", 'write to = "axis_angle"',
    ),
    "statistics are forgotten": (
        "openpi-libero", "missing-statistics", (('"none"', '"quantiles"'),),
        KITCHEN, "quantiles without q01 and q99", "write q01 and q99",
    ),
    "nothing is said of normalisation": (
        "openpi-libero", "missing-statistics", (('normalisation = { method = "none" }', ""),),
        KITCHEN, "nothing says whether its numbers are normalised", 'method = "none"',
    ),
    "an element never changed in the data": (
        "metaworld-image", "degenerate-statistics",
        (('"none"', '"min_max", min = [0, 0, 0, 1], max = [1, 1, 1, 1]'),),
        TABLE, "no spread in element 3", "leave the element out with mask",
    ),
    "statistics are those of another body": (
        "metaworld-image", "dimension", (('"none"', '"mean_std", mean = [0], std = [1]'),),
        TABLE, "4", "check the parts",
    ),
    "a view has another name": (
        "openpi-libero", "missing-view", (('"image_wrist"', '"image_gripper"'),), KITCHEN,
        "image, image_wrist, proprio, state", "did you mean image_wrist?",
    ),
    "a view is no picture": (
        "metaworld-image", "view-kind", (('view = "image"', 'view = "proprio"'),), TABLE,
        "proprio: float32 (4,)", "name a view that is uint8",
    ),
    "a picture is too large": (
        "metaworld-image", "view-size", (("resize = [84, 84]\n", ""),), TABLE,
        "image of 224 x 224 px", "write resize = [84, 84]",
    ),
    "a field has another name": (
        "openpi-libero", "missing-field", (('field = "eef_position"', 'field = "eef_positions"'),),
        KITCHEN, "proprio with joint_position", "did you mean eef_position or",
    ),
    "the policy moves joints": (
        "openpi-droid", "missing-field", (), KITCHEN, "eef_position, eef_rotation, gripper",
        "mark it with ignore = true",
    ),
    "the state has an element too many": (
        "lerobot-metaworld", "dimension", (("size = 4\nparts", "size = 5\nparts"),), TABLE, "4",
        "check the parts",
    ),
    "the hand is told in its own frame": (
        "openpi-libero", "frame",
        (('frame = "world"\nunit = "m"\nscale', 'frame = "eef"\nunit = "m"\nscale'),),
        KITCHEN, "'world'", "rotate it in the policy",
    ),
    "the hand is told where to go": (
        "openpi-libero", "kind",
        (('"delta"\nframe = "world"\nunit = "m"', '"absolute"\nframe = "world"\nunit = "m"'),),
        KITCHEN, "delta", "play another control mode",
    ),
    "the hand is told millimetres": (
        "openpi-libero", "unit", (('unit = "m"\nscale = 0.05', 'unit = "mm"\nscale = 50'),),
        KITCHEN, "'m'", "convert it in the policy",
    ),
    "the hand moves too far": (
        "openpi-libero", "scale", (("scale = 0.05", "scale = 1.0"),), KITCHEN, "1 as 0.05 m",
        "write to_scale = 0.05",
    ),
    "the policy is slower": (
        "openpi-libero", "rate", (("control_hz = 20.0", "control_hz = 10.0"),), KITCHEN, "20",
        "leave control_hz out",
    ),
    "the task has buttons": (
        "metaworld-image", "action-kind", (),
        Brief(TABLE.observation, Discrete(4), "", "", 80.0), "Discrete", "play the tasks",
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WIRINGS)
def test_a_wrong_wiring_is_refused_before_the_run(tmp_path: Path, wrong: str) -> None:
    name, code, changes, brief, ours, remedy = WIRINGS[wrong]
    profile = changed(tmp_path, name, *changes)
    found = [each for each in profile.mismatches(brief) if each.code == code]
    assert found, [each.reason for each in profile.mismatches(brief)]
    assert found[0].fatal
    assert found[0].ours == ours or ours in found[0].ours
    assert remedy in found[0].remedy
    missing = profile.missing(brief)
    assert missing is not None
    assert f"{code}: the policy expects {found[0].theirs}, the task has" in missing.reason
    assert "--profile-check off" in missing.remedy
    assert profile.missing(brief, "off") is None


def test_every_code_is_shown_by_a_wrong_wiring() -> None:
    """But for what is only a warning."""
    assert {code for _, code, *_ in WIRINGS.values()} | {"unknown-layout"} == set(CODES)


def test_one_wrong_thing_is_one_mismatch(tmp_path: Path) -> None:
    for name, code, changes, brief, *_ in WIRINGS.values():
        if changes and code not in ("camera", "orientation", "colour-order", "missing-view"):
            found = changed(tmp_path, name, *changes).mismatches(brief)
            assert len(found) == 1, (name, changes, [each.reason for each in found])


def test_what_a_task_does_not_say_is_a_warning() -> None:
    profile = load_profile("openpi-libero")
    found = profile.mismatches(BARE)
    fatal = [each.code for each in found if each.fatal]
    assert fatal == ["missing-field"] * 3  # the state is named by fields, and there are none
    assert [each.code for each in found if not each.fatal] == ["unknown-layout"]
    raw = load_profile("metaworld-image")
    bare = Brief(TABLE.observation, Box((4,)), "", "", None)
    assert {(each.code, each.fatal) for each in raw.mismatches(bare)} == {
        ("unknown-layout", False),
        ("rate", False),
    }
    assert raw.missing(bare) is None
    small = Brief(TABLE.observation, Box((3,)), "", "", None)
    assert [each.code for each in raw.mismatches(small) if each.fatal] == ["dimension"]


def test_a_difference_to_the_last_target_is_told_and_played(tmp_path: Path) -> None:
    profile = changed(tmp_path, "metaworld-image", ("target_delta", "delta"))
    (found,) = profile.mismatches(TABLE)
    assert (found.code, found.fatal) == ("kind", False)
    assert profile.missing(TABLE) is None


def test_an_optional_view_may_be_absent(tmp_path: Path) -> None:
    profile = changed(
        tmp_path, "openpi-libero", ('view = "image_wrist"', 'view = "image_depth"\noptional = true')
    )
    assert profile.mismatches(KITCHEN) == ()
    assert profile.reads == ("image", "image_depth?", "proprio")


def test_another_word_for_the_check_is_refused() -> None:
    with pytest.raises(UserError, match="write on or off"):
        load_profile("openpi-libero").missing(KITCHEN, "maybe")


def as_played(suite: str, task: str, **params: Any) -> Brief:
    (found,) = (each for each in find_suites(suite, SUITES)[0].tasks if each.name == task)
    found = dataclasses.replace(found, params={**found.params, **params})
    adapter = build_adapter(load(found.adapter), found)
    try:
        return adapter.brief
    finally:
        adapter.close()


def test_metaworld_fits_as_it_is_played() -> None:
    pytest.importorskip("metaworld")
    brief = as_played("metaworld", "metaworld/reach-v3")
    for name in ("lerobot-metaworld", "metaworld-image"):
        assert load_profile(name).mismatches(brief) == ()


def test_maniskill_fits_in_the_control_mode_that_a_profile_means() -> None:
    pytest.importorskip("mani_skill")
    for name, mode in (
        ("maniskill-joints", "pd_joint_delta_pos"),
        ("maniskill-hand", "pd_ee_delta_pos"),
    ):
        brief = as_played("maniskill-planner", "maniskill-planner/PickCube", control_mode=mode)
        assert load_profile(name).mismatches(brief) == ()
        other = "maniskill-hand" if name == "maniskill-joints" else "maniskill-joints"
        fatal = {each.code for each in load_profile(other).mismatches(brief) if each.fatal}
        assert fatal == {"missing-field"}
