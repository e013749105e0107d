"""What LIBERO's own predicates of goals answer to wrong behaviours, on scenes written by hand.

The simulator is not needed, only the package: `Scene` has what the package's object states ask for.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("libero")
pytest.importorskip("robosuite")

from libero.libero.envs.object_states import ObjectState, SiteObjectState
from libero.libero.envs.objects.site_object import SiteObject
from libero.libero.envs.predicates import eval_predicate_fn

HALF = np.array([0.1, 0.1, 0.05])
"""m: half the size of a region."""


class Scene:
    """Things by name with their places (m), contacts, and one joint each."""

    def __init__(self, places: dict[str, Any], contacts: set[frozenset[str]], joint: float = 0.0):
        self.objects = {name: Thing(name) for name in places}
        self.objects_dict = self.fixtures_dict = self.objects
        self.obj_body_id = {name: k for k, name in enumerate(places)}
        self.contacts = contacts
        self.object_sites_dict = {"region": SiteObject("region", size=HALF)}
        self.sim = SimpleNamespace(
            data=SimpleNamespace(
                body_xpos=np.array(list(places.values())),
                get_site_xpos=lambda name: np.zeros(3),
                get_site_xmat=lambda name: np.eye(3),
                qpos=np.array([joint]),
            ),
            model=SimpleNamespace(get_joint_qpos_addr=lambda joint: 0),
        )

    def get_object(self, name: str) -> Any:
        return self.objects.get(name)

    def check_contact(self, one: Any, other: Any) -> bool:
        return frozenset((one.name, other.name)) in self.contacts


class Thing:
    """A drawer where it has to be one: open from 0.1 m on, closed below 0.005 m."""

    joints = ("slide",)

    def __init__(self, name: str) -> None:
        self.name = name

    def is_open(self, qpos: float) -> bool:
        return qpos > 0.1

    def is_close(self, qpos: float) -> bool:
        return qpos < 0.005


TOUCHING = {frozenset(("bowl", "plate"))}


@pytest.mark.parametrize(
    ("what", "bowl", "contacts", "expected"),
    [
        ("on the plate", (0.01, 0.0, 0.05), TOUCHING, True),
        ("held above it", (0.01, 0.0, 0.15), set(), False),
        ("pushed against its rim", (0.09, 0.0, 0.01), TOUCHING, False),
        ("near its rim", (0.035, 0.0, 0.05), TOUCHING, False),
        ("below it", (0.0, 0.0, -0.03), TOUCHING, False),
        ("on the table at its place, untouched", (0.2, 0.2, 0.0), set(), False),
    ],
)
def test_on_a_thing(what: str, bowl: Any, contacts: Any, expected: bool) -> None:
    scene = Scene({"bowl": bowl, "plate": (0.0, 0.0, 0.0)}, contacts)
    found = eval_predicate_fn("on", ObjectState(scene, "bowl"), ObjectState(scene, "plate"))
    assert bool(found) is expected


@pytest.mark.parametrize(
    ("what", "bowl", "contacts", "parent", "expected"),
    [
        ("on the stove's plate", (0.0, 0.0, 0.06), {frozenset(("bowl", "stove"))}, "stove", True),
        ("held above the stove", (0.0, 0.0, 0.12), set(), "stove", False),
        ("beside the plate", (0.12, 0.0, 0.06), {frozenset(("bowl", "stove"))}, "stove", False),
        ("beside the region of the table", (0.12, 0.0, 0.06), set(), "table", False),
        # The table is no object of LIBERO's, so that nobody asks for a contact with it.
        ("held 9 cm above the region of the table", (0.0, 0.0, 0.14), set(), "table", True),
        ("held 11 cm above it", (0.0, 0.0, 0.16), set(), "table", False),
    ],
)
def test_on_a_region(what: str, bowl: Any, contacts: Any, parent: str, expected: bool) -> None:
    scene = Scene({"bowl": bowl, "stove": (0.0, 0.0, 0.0)}, contacts)
    site = SiteObjectState(scene, "region", parent)
    assert bool(eval_predicate_fn("on", ObjectState(scene, "bowl"), site)) is expected


@pytest.mark.parametrize(
    ("what", "bowl", "expected"),
    [
        ("in the drawer", (0.0, 0.0, 0.0), True),
        ("before the drawer", (0.12, 0.0, 0.0), False),
        ("on top of the cabinet", (0.0, 0.0, 0.08), False),
    ],
)
def test_in_a_region(what: str, bowl: Any, expected: bool) -> None:
    scene = Scene({"bowl": bowl, "cabinet": (0.0, 0.0, 0.0)}, set())
    site = SiteObjectState(scene, "region", "cabinet")
    assert bool(eval_predicate_fn("in", ObjectState(scene, "bowl"), site)) is expected


@pytest.mark.parametrize(("joint", "opened", "closed"), [(0.0, False, True), (0.05, False, False)])
def test_a_drawer_half_open_is_neither(joint: float, opened: bool, closed: bool) -> None:
    drawer = ObjectState(Scene({"drawer": (0.0, 0.0, 0.0)}, set(), joint), "drawer")
    assert bool(eval_predicate_fn("open", drawer)) is opened
    assert bool(eval_predicate_fn("close", drawer)) is closed
