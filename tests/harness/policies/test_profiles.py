"""Profiles: what they make of our views and of a policy's actions, and what they refuse."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from adapters.libero.spaces import make_brief
from harness.core import Answer, Box, Brief, Turn, UserError
from harness.policies.profiles import Profile, load_profile, profile_names
from harness.policies.profiles.rotations import convert

ROTATIONS = {
    "axis_angle": lambda r: r.as_rotvec(),
    "euler_xyz": lambda r: r.as_euler("xyz"),
    "euler_xyz_intrinsic": lambda r: r.as_euler("XYZ"),
    "quaternion_xyzw": lambda r: r.as_quat(canonical=True),
    "quaternion_wxyz": lambda r: np.roll(r.as_quat(canonical=True), 1),
    "rot6d": lambda r: r.as_matrix()[:, :2].T.ravel(),
    "matrix": lambda r: r.as_matrix().ravel(),
}
KITCHEN: Brief = make_brief(256, 79)[0]


def turn_of(brief: Brief, views: dict[str, Any], step: int = 0) -> Turn:
    return Turn(brief, "open the drawer", (views,), (), step, "e")


def written(tmp_path: Path, text: str) -> Profile:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    return load_profile(file)


ACTION = """
[action]
normalisation = { method = "none" }
[[action.field]]
name = "eef_position"
size = 3
kind = "delta"
"""


@pytest.mark.parametrize("old", ROTATIONS)
@pytest.mark.parametrize("new", ROTATIONS)
def test_rotations_are_those_of_scipy(old: str, new: str) -> None:
    for rotation in [*Rotation.random(50, random_state=3), Rotation.identity()]:
        found = convert(ROTATIONS[old](rotation), old, new)
        assert np.allclose(found, ROTATIONS[new](rotation), atol=1e-6), (old, new)


def test_a_quaternion_with_negative_w_keeps_its_angle() -> None:
    """robosuite's quat2axisangle, with which LIBERO's data were made, gives angles to 2 pi."""
    x, y, z, w = 0.999, 0.01, 0.02, -0.03
    vector = convert(np.array([x, y, z, w]), "quaternion_xyzw", "axis_angle")
    assert np.linalg.norm(vector) > np.pi
    assert vector[0] > 0
    again = Rotation.from_rotvec(vector)
    assert (again * Rotation.from_quat([x, y, z, w]).inv()).magnitude() < 1e-6


def test_libero_is_seen_as_openpis_client_sends_it() -> None:
    """Against the lines of its client: flip both axes of the raw picture, pad, convert."""
    from PIL import Image

    rng = np.random.default_rng(0)
    raw = {name: rng.integers(0, 256, (256, 256, 3), np.uint8) for name in ("scene", "hand")}
    quaternion = Rotation.from_rotvec([3.0, 0.2, -0.1]).as_quat()
    proprio = np.concatenate([np.arange(7.0), [0.1, 0.2, 0.3], quaternion, [0.04, -0.04]])
    views = {
        "image": raw["scene"][::-1],  # our adapter turns row 0 to the top
        "image_wrist": raw["hand"][::-1],
        "proprio": proprio.astype(np.float32),
    }
    seen = load_profile("openpi-libero").observation(turn_of(KITCHEN, views))
    assert seen["prompt"] == "open the drawer"
    for key, name in (("observation/image", "scene"), ("observation/wrist_image", "hand")):
        theirs = Image.fromarray(np.ascontiguousarray(raw[name][::-1, ::-1]))
        theirs = theirs.resize((224, 224), resample=Image.BILINEAR)
        assert np.array_equal(seen[key], np.asarray(theirs))
    w = quaternion[3]
    turned = quaternion[:3] * 2 * np.arccos(w) / np.sqrt(1 - w * w)
    state = np.concatenate([[0.1, 0.2, 0.3], turned, [0.04, -0.04]])
    assert np.allclose(seen["observation/state"], state, atol=1e-5)
    assert seen["observation/state"].dtype == np.float32


def test_a_picture_that_is_not_square_is_padded_like_openpis() -> None:
    profile = load_profile("openpi-droid")
    body = Brief({"image": Box((90, 160, 3), "uint8", 0, 255)}, Box((8,)), "", "")
    picture = np.full((90, 160, 3), 200, np.uint8)
    seen = profile.images[0].value({"image": picture})
    assert seen.shape == (224, 224, 3)
    assert (seen[:49] == 0).all()
    assert (seen[-49:] == 0).all()
    assert (seen[60:160] == 200).all()
    assert not [each for each in profile.mismatches(body) if each.code == "view-size"]


def test_pictures_as_torch_takes_them() -> None:
    profile = load_profile("lerobot-pusht")
    picture = np.zeros((96, 96, 3), np.uint8)
    picture[0, 5] = [255, 51, 0]
    seen = profile.images[0].value({"image": picture})
    assert seen.shape == (3, 96, 96)
    assert seen.dtype == np.float32
    assert np.allclose(seen[:, 0, 5], [1.0, 0.2, 0.0])


def test_an_action_is_unnormalised_mapped_and_cut(tmp_path: Path) -> None:
    profile = written(
        tmp_path,
        """
[action]
chunk = 4
execute = 2
clip = [-1.0, 1.0]
[action.normalisation]
method = "quantiles"
q01 = [-0.1, -0.1, -0.1, -1, -1, -1, 0]
q99 = [0.1, 0.1, 0.1, 1, 1, 1, 1]
mask = [true, true, true, true, true, true, false]
[[action.field]]
name = "eef_position"
size = 3
kind = "delta"
unit = "m"
to_scale = 0.05
[[action.field]]
name = "eef_rotation"
size = 3
kind = "delta"
representation = "axis_angle"
unit = "rad"
scale = 0.5
[[action.field]]
name = "gripper"
size = 1
kind = "command"
sign = "positive opens"
range = [0.0, 1.0]
invert = true
binarise = true
""",
    )
    chunk = np.zeros((4, 7))
    chunk[0] = [0.5, 0, 2.0, 0, 0.5, 0, 0.8]
    chunk[2, 6] = 0.1
    now, rest = profile.actions(chunk, KITCHEN)
    assert (len(now), len(rest)) == (2, 2)
    assert np.allclose(now[0], [1.0, 0, 2.0, 0, 0.5, 0, -1.0])  # 0.8 is open: ours opens at -1
    assert rest[0][6] == 1.0
    assert now[0].dtype == np.float32
    answer = profile.answer(chunk[None], turn_of(KITCHEN, {}), memory=3)
    assert isinstance(answer, Answer)
    assert (len(answer.actions), len(answer.rest), answer.memory) == (2, 2, 3)


def test_a_rotation_of_an_action_is_converted(tmp_path: Path) -> None:
    profile = written(
        tmp_path,
        """
[action]
normalisation = { method = "none" }
[[action.field]]
name = "eef_rotation"
size = 6
kind = "delta"
representation = "rot6d"
to = "axis_angle"
to_scale = 0.5
[[action.field]]
name = "padding"
size = 2
ignore = true
""",
    )
    turn = Rotation.from_rotvec([0.1, -0.2, 0.3])
    (action,), _ = profile.actions([*turn.as_matrix()[:, :2].T.ravel(), 9.0, 9.0], KITCHEN)
    assert np.allclose(action[3:6], [0.2, -0.4, 0.6], atol=1e-6)
    assert np.array_equal(action[:3], [0, 0, 0])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (np.zeros((4, 6)), "have 6 elements; the profile openpi-libero says 7"),
        (np.zeros((2, 4, 7)), "has the shape (2, 4, 7)"),
        (np.zeros((0, 7)), "has the shape (0, 7)"),
        (np.full(7, np.nan), "NaN or infinity"),
        ("left", "no array of numbers"),
        ([[1.0], [1.0, 2.0]], "no array of numbers"),
        ({"actions": 1}, "no array of numbers"),
    ],
)
def test_a_wrong_answer_is_named(answer: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        load_profile("openpi-libero").actions(answer, KITCHEN)


def test_the_body_rests_until_things_have_settled(tmp_path: Path) -> None:
    profile = written(tmp_path, f"settle = 3\n{ACTION}")
    first = profile.settling(turn_of(KITCHEN, {}))
    assert first is not None
    assert [each.tolist() for each in first.actions] == [KITCHEN.action.noop().tolist()] * 3
    assert profile.settling(turn_of(KITCHEN, {}, step=3)) is None


@pytest.mark.parametrize(
    ("file", "key", "content"),
    [
        ("norm_stats.json", "norm_stats.actions", {"norm_stats": {"actions": {}}}),
        ("stats.json", "action", {"action": {}}),
        ("dataset_statistics.json", "libero.action", {"libero": {"action": {}}}),
    ],
)
def test_statistics_come_from_the_files_of_others(
    tmp_path: Path, file: str, key: str, content: dict[str, Any]
) -> None:
    rows = content
    for part in key.split("."):
        rows = rows[part]
    rows.update(mean=[1.0, 2.0, 3.0], std=[0.5, 0.5, 2.0], q01=[0, 0, 0], q99=[2, 2, 2])
    (tmp_path / file).write_text(json.dumps(content))
    profile = written(
        tmp_path,
        ACTION.replace(
            '{ method = "none" }',
            f'{{ method = "mean_std", statistics = "{file}", key = "{key}" }}',
        ),
    )
    assert profile.action.normalisation.outside(np.ones(3)).tolist() == [1.5, 2.5, 5.0]
    assert profile.files == (str(tmp_path / "mine.toml"), str(tmp_path / file))
    values = np.array([0.3, -0.2, 0.9])
    there = profile.action.normalisation
    assert np.allclose(there.inside(there.outside(values)), values)


def test_a_vector_is_normalised_and_padded(tmp_path: Path) -> None:
    profile = written(
        tmp_path,
        f"""
batch = true
prompt = "task"
{ACTION}
[[vector]]
key = "state"
size = 4
parts = [
  {{ view = "proprio", start = 7, size = 3, scale = 2.0, offset = 1.0 }},
  {{ constant = [0.5] }},
]
normalisation = {{ method = "min_max", min = [0, 0, 0, 0], max = [2, 2, 2, 1] }}
""",
    )
    views = {"proprio": np.arange(16, dtype=np.float32) / 10}
    seen = profile.observation(turn_of(KITCHEN, views))
    assert np.allclose(seen["state"], [[1.4, 1.6, 1.8, 0.0]], atol=1e-6)
    assert seen["task"] == ["open the drawer"]
    assert profile.reads == ("proprio",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("titel = 'x'" + ACTION, "the unknown key 'titel'; did you mean title?"),
        (ACTION + "\n[[image]]\nkey = 'a'\nveiw = 'image'", "did you mean view?"),
        (ACTION + "\n[[image]]\nkey = 'a'", "lacks 'view'"),
        (ACTION + "\n[[image]]\nkey = 'a'\nview = 'b'\nflip = 'up'", "not one of 'horizontal'"),
        (ACTION + "\n[[image]]\nkey = 'a'\nview = 'b'\nresize = [0, 4]", "from 1 to 8192"),
        (ACTION + "\n[[image]]\nkey = 'a'\nview = 'b'\nresize = 84", "no list"),
        (ACTION + "\n[[vector]]\nkey = 's'\nparts = []", "parts is empty"),
        (ACTION + "\n[[vector]]\nkey = 's'\nparts = [{ view = 'a' }]", "neither a field nor"),
        (ACTION + "\n[[vector]]\nkey = 's'\nparts = [{ size = 1 }]", "either a view or a constant"),
        (ACTION + "\n[[image]]\nkey = 'a'\nview = 'b'\n" * 2, "two keys are called 'a'"),
        ("control_hz = -1" + ACTION, "not above 0"),
        ("control_hz = nan" + ACTION, "not a number"),
        ("settle = true" + ACTION, "a whole number"),
        ("title = 'x'", "lacks 'action'"),
        (ACTION.replace("delta", "relative"), "not one of 'absolute'"),
        (ACTION.replace("size = 3", "size = 0"), "a whole number from 1"),
        (ACTION.replace("none", "median"), "not one of 'none', 'mean_std'"),
        (ACTION + "to = 'rot6d'", "no representation of its own"),
        (ACTION + "[action2]", "unknown key 'action2'; did you mean action?"),
        (ACTION.replace("[[", "chunk = 2\nexecute = 3\n[["), "but a chunk has 2 actions"),
        (
            ACTION.replace('"none"', '"mean_std", mean = [1], std = [1, 2]'),
            "different lengths",
        ),
        (ACTION.replace('"none"', '"mean_std", mean = [1], std = ["a"]'), "is not a list of num"),
        (ACTION.replace('"none"', '"mean_std", statistics = "no.json"'), "no.json"),
        ("[", "cannot be read"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError) as told:
        written(tmp_path, text)
    assert said in str(told.value)
    assert "mine.toml" in str(told.value)


def test_an_unknown_name_is_refused_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean openpi-libero"):
        load_profile("openpi-librero")
    with pytest.raises(UserError, match="there is no file"):
        load_profile(tmp_path / "absent.toml")


def test_hostile_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        load_profile("/dev/zero.toml")
    endless = tmp_path / "endless.toml"
    endless.symlink_to("/dev/zero")
    with pytest.raises(UserError):
        load_profile(endless)
    with pytest.raises(UserError):
        written(tmp_path, "a = " + "[" * 100_000)
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"deep\.json"):
        written(tmp_path, ACTION.replace('"none"', '"mean_std", statistics = "deep.json"'))
    parts = ", ".join(["{ constant = [1] }"] * 101)
    with pytest.raises(UserError, match="at most 100"):
        written(tmp_path, f"{ACTION}\n[[vector]]\nkey = 's'\nparts = [{parts}]")


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_that_comes_with_bench_can_be_served(name: str) -> None:
    """What an agent sees behind a server is what a client of the policy sends."""
    profile = load_profile(name)
    assert profile.title
    assert profile.source
    brief = profile.brief()
    rng = np.random.default_rng(1)
    sent: dict[str, Any] = {profile.prompt_key: "go"} if profile.prompt_key else {}
    for image in profile.images:
        assert image.shape is not None
        picture = rng.integers(0, 256, (*image.shape, 3), np.uint8)
        sent[image.key] = image.value({image.view: picture})
        assert np.array_equal(image.upright(sent[image.key]), picture)
    for vector in profile.vectors:
        assert vector.size is not None
        sent[vector.key] = rng.random(vector.size, np.float32)
    views = profile.views(sent)
    assert set(views) == set(brief.observation)
    assert profile.prompt(sent) == ("go" if profile.prompt_key else "")
    total = sum(vector.size or 0 for vector in profile.vectors)
    assert sum(view.size for view in views.values() if view.ndim == 1) == total
    chunk = [brief.action.sample(rng) for _ in range(3)]
    assert np.allclose(profile.answer_out(chunk), np.stack(chunk), atol=1e-6)
    with pytest.raises(ValueError, match="the profile"):
        profile.answer_out([np.zeros(profile.action.size + 1)])


def test_what_a_client_sends_wrongly_is_named() -> None:
    profile = load_profile("metaworld-image")
    good = {"image": np.zeros((3, 84, 84), np.uint8)}
    assert profile.views(good)["image"].shape == (84, 84, 3)
    for wrong in ({}, {"image": np.zeros((84, 84, 4))}, {"image": "x"}, {"image": np.zeros(3)}):
        with pytest.raises(ValueError, match="image"):
            profile.views(wrong)


ODD: list[Any] = [
    None, True, -1, 0, 3, 1e308, float("inf"), "", "x", "quaternion_xyzw", "none", [], [[]], [1],
    [1, 2], [0, 0], ["a"], [None], {}, {"a": 1}, [{}], [{"view": "proprio", "size": 4}],
]  # fmt: skip


def changed(value: Any, rng: np.random.Generator) -> Any:
    """The value with one of its parts replaced by something odd, or left out."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = list(value)[int(rng.integers(len(value)))]
        if rng.random() < 0.1:
            return {name: each for name, each in value.items() if name != key}
        return {**value, key: changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = int(rng.integers(len(value)))
        return [*value[:place], changed(value[place], rng), *value[place + 1 :]]
    return ODD[int(rng.integers(len(ODD)))]


def test_odd_values_are_refused_or_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a file says: a profile that is read can be compared, and answers or says why not."""
    from harness.policies.profiles import reader

    rng = np.random.default_rng(5)
    whole = {name: reader.read_toml(reader.FOLDER / f"{name}.toml") for name in profile_names()}
    views = {
        "image": np.zeros((256, 256, 3), np.uint8),
        "image_wrist": np.zeros((256, 256, 3), np.uint8),
        "proprio": np.linspace(0.1, 1.0, 16, dtype=np.float32),
    }
    read = answered = 0
    for number in range(1500):
        content = whole[profile_names()[number % len(whole)]]
        for _ in range(int(rng.integers(1, 3))):
            content = changed(content, rng)
        if not isinstance(content, dict):
            continue
        monkeypatch.setattr(reader, "read_toml", lambda file, content=content: content)
        try:
            profile = load_profile("odd.toml")
        except UserError:
            continue
        read += 1
        if profile.missing(KITCHEN) is not None:
            continue
        profile.observation(turn_of(KITCHEN, views))
        profile.actions(np.zeros(profile.action.size), KITCHEN)
        answered += 1
    assert read > 100
    assert answered > 20
