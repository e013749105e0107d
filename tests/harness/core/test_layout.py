"""Layouts of vectors: what they refuse, and what they leave as it was."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest

from harness.core import Box, Field

HAND = Field("eef_position", 3, "delta", "world", "m", scale=0.01)
GRIPPER = Field("gripper", 1, "command", unit="1", sign="positive closes")
VECTOR = Box((4,), low=-1.0, high=1.0, layout=(HAND, GRIPPER))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "relative"}, "the kind 'relative' is not one of"),
        ({"frame": "table"}, "the frame 'table' is not one of"),
        ({"sign": "up"}, "the sign 'up' is not one of"),
        ({"representation": "quaternion"}, "the representation 'quaternion' is not one of"),
        ({"representation": "rot6d"}, "rot6d has 6 elements, not 3"),
        ({"size": 0}, "a name and a size from 1 on"),
        ({"name": ""}, "a name and a size from 1 on"),
        ({"name": 3}, "its name and its unit are texts"),
        ({"unit": None}, "its name and its unit are texts"),
        ({"scale": 0.0}, "is not a number other than 0"),
        ({"scale": float("nan")}, "is not a number other than 0"),
        ({"scale": (1.0, 2.0)}, "or one for each of 3 elements"),
    ],
)
def test_a_field_says_what_is_wrong_with_it(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        dataclasses.replace(HAND, **changes)


@pytest.mark.parametrize(
    ("shape", "layout", "said"),
    [
        ((5,), (HAND, GRIPPER), "its layout has 4 elements, the vector 5"),
        ((2, 2), (HAND, GRIPPER), "only a vector has a layout"),
        ((6,), (HAND, HAND), "two fields 'eef_position'"),
        ((4,), [HAND, GRIPPER], "a layout is a tuple of"),
        ((4,), ("eef",), "a layout is a tuple of"),
    ],
)
def test_a_layout_covers_its_vector_exactly(
    shape: tuple[int, ...], layout: object, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Box(shape, layout=layout)  # type: ignore[arg-type]


def test_which_fields_a_body_holds_that_is_told_nothing() -> None:
    held = [
        Field("eef_position", 3, "absolute", "base", "m"),
        GRIPPER,
        Field("left/gripper", 1, "delta", unit="m"),
    ]
    let_go = [HAND, Field("joint_velocity", 7, "velocity"), Field("joint_torque", 2, "torque")]
    assert all(field.holds for field in held)
    assert not any(field.holds for field in let_go)
    assert held[2].quantity == "gripper"


def test_a_layout_changes_nothing_that_a_box_is_compared_by() -> None:
    plain = Box((4,), low=-1.0, high=1.0)
    assert plain == VECTOR
    assert hash(plain) == hash(VECTOR)
    assert repr(plain) == repr(VECTOR)
    assert np.array_equal(
        plain.sample(np.random.default_rng(0)), VECTOR.sample(np.random.default_rng(0))
    )


def test_copies_keep_the_layout() -> None:
    for twin in (
        pickle.loads(pickle.dumps(VECTOR)),
        copy.deepcopy(VECTOR),
        dataclasses.replace(VECTOR, meaning="other"),
    ):
        assert twin.layout == (HAND, GRIPPER)
