"""Where ALFWorld's games come from: the official files, or synthetic games drawn here.

A synthetic game takes one of ALFRED's floor plans with the receptacles and object classes that the
package lists for it, puts one or two objects of each class anywhere they fit, and asks for one of
the six goals in the package's wording and PDDL. The official games are derived from rooms of the
THOR simulator; the user downloads their files.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.core import UserError

__all__ = ["TASK_TYPES", "Game", "official", "official_folder", "synthetic"]

TASK_TYPES = (
    "pick_and_place_simple",
    "look_at_obj_in_light",
    "pick_clean_then_place_in_recep",
    "pick_heat_then_place_in_recep",
    "pick_cool_then_place_in_recep",
    "pick_two_obj_and_place",
)
CHANGES = {
    "clean": ("Cleanable", "SinkBasin"),
    "heat": ("Heatable", "Microwave"),
    "cool": ("Coolable", "Fridge"),
}
"""Change that a task asks for -> (the property that allows it, the receptacle that performs it)."""
PROPERTIES = {
    "Cleanable": "cleanable",
    "Heatable": "heatable",
    "Coolable": "coolable",
    "Toggleable": "toggleable",
    "Sliceable": "sliceable",
}
LAMP, LAMP_STANDS = "DeskLamp", ("Desk", "Dresser", "SideTable")
PLANS = (*range(1, 31), *range(201, 231), *range(301, 331), *range(401, 431))
"""Kitchens, living rooms, bedrooms and bathrooms."""
STOVE_BURNERS = 4
CONSTANTS = ("SinkBasinType", "MicrowaveType", "FridgeType"), ("KnifeType", "ButterKnifeType")
"""Types that the domain's actions name and that must therefore exist: (receptacles, objects)."""
SPELLING = (
    ("|", "_bar_"),
    ("+", "_plus_"),
    ("-", "_minus_"),
    (".", "_dot_"),
    (",", "_comma_"),
    ("#", "-"),
)
"""How the package spells its names in PDDL; `#` stands for the hyphen before a type."""


@dataclass(frozen=True)
class Game:
    """A game: PDDL domain and problem, and TextWorld's grammar, which contains the task as text.

    `target` and `parent` are the goal's object and receptacle classes, such as `Mug` and `Fridge`.
    """

    domain: str
    grammar: str
    problem: str
    task_type: str
    target: str
    parent: str


def official_folder(params: Mapping[str, Any]) -> Path:
    """The folder of the split, below `params["data"]`, $ALFWORLD_DATA or ~/.cache/alfworld."""
    base = params.get("data") or os.environ.get("ALFWORLD_DATA") or "~/.cache/alfworld"
    split: str = params["split"]
    return Path(base).expanduser() / "json_2.1.1" / split


@functools.lru_cache(maxsize=4)
def _official_files(folder: Path) -> tuple[Path, ...]:
    """The games that the package selects (alfred_tw_env.py), sorted by path: those known to be
    solvable, without sliced objects and movable receptacles."""
    files = []
    for path in sorted(folder.glob("**/game.tw-pddl")):
        kind = json.loads(path.with_name("traj_data.json").read_text())["task_type"]
        if (
            kind in TASK_TYPES
            and "movable" not in str(path)
            and "Sliced" not in str(path)
            and json.loads(path.read_text()).get("solvable")
        ):
            files.append(path)
    return tuple(files)


def official(folder: Path, number: int) -> Game:
    """Game `number` modulo the number of games in a folder. Raises UserError if it holds none."""
    files = _official_files(folder)
    if not files:
        raise UserError(
            f"{folder} holds no game that is known to be solvable "
            "(game.tw-pddl next to traj_data.json): run alfworld-download"
        )
    path = files[number % len(files)]
    data = json.loads(path.read_text())
    recorded = json.loads(path.with_name("traj_data.json").read_text())
    params = recorded["pddl_params"]
    return Game(
        data["pddl_domain"],
        data["grammar"],
        data["pddl_problem"],
        recorded["task_type"],
        params["object_target"],
        params["parent_target"],
    )


def synthetic(task_type: str, rng: np.random.Generator) -> Game:
    """Draw a game of this task type.

    Floor plans are drawn until one has what the goal needs, then an object and a receptacle that go
    together.
    """
    from alfworld.gen import constants, goal_library
    from alfworld.info import ALFRED_PDDL_PATH, ALFRED_TWL2_PATH

    fits: Mapping[str, Any] = constants.VAL_RECEPTACLE_OBJECTS
    allowed, station = next(
        (CHANGES[word] for word in CHANGES if f"_{word}_" in task_type), (None, None)
    )
    lamp = task_type == "look_at_obj_in_light"
    goals: list[tuple[str, str]] = []
    while not goals:
        receptacles, portable = _floor_plan(int(rng.choice(PLANS)))
        places = sorted({_class_of(name) for name in receptacles})
        stands = [name for name in receptacles if _class_of(name) in LAMP_STANDS]
        if (station and station not in places) or (lamp and not stands):
            continue
        goals = [
            (kind, place)
            for kind in portable
            if allowed is None or kind in constants.VAL_ACTION_OBJECTS[allowed]
            for place in places
            if kind in fits.get(place, ())
            and place != station
            and any(kind in fits.get(other, ()) for other in places if other != place)
        ]
    target, parent = goals[rng.integers(len(goals))]
    things: list[tuple[str, str, str]] = []  # name, class, receptacle
    for kind in portable:
        wanted = kind == target
        two = wanted and task_type == "pick_two_obj_and_place"
        count = 2 if two else int(rng.integers(1, 3))
        # Targets start outside the goal's receptacles, so that the goal does not hold at first.
        avoided = parent if wanted and not lamp else None
        free = [
            name
            for name in receptacles
            if kind in fits.get(_class_of(name), ()) and _class_of(name) != avoided
        ]
        things += [
            (f"{kind}|{number}", kind, free[rng.integers(len(free))])
            for number in range(count)
            if free
        ]
    if lamp:
        things.append((f"{LAMP}|0", LAMP, stands[rng.integers(len(stands))]))
    goal = goal_library.gdict[task_type]
    words = goal["templates"][rng.integers(len(goal["templates"]))]
    task = words.format(obj=target.lower(), recep=parent.lower(), toggle=LAMP.lower(), mrecep="")
    aim = goal["pddl"].format(obj=target, recep=parent, toggle=LAMP)
    return Game(
        Path(ALFRED_PDDL_PATH).read_text(),
        Path(ALFRED_TWL2_PATH).read_text().replace("UNKNOWN GOAL", task),
        _problem(receptacles, things, constants) + aim.replace("#", "-"),
        task_type,
        target,
        parent,
    )


def _problem(
    receptacles: tuple[str, ...], things: list[tuple[str, str, str]], constants: Any
) -> str:
    """Objects and initial state in PDDL: each receptacle has a location in front of it, and the
    agent starts at one in the middle of the room."""
    fits = constants.VAL_RECEPTACLE_OBJECTS
    places = sorted({_class_of(name) for name in receptacles})
    kinds = sorted({kind for _, kind, _ in things})
    place_types = dict.fromkeys([*(f"{place}Type" for place in places), *CONSTANTS[0]])
    kind_types = dict.fromkeys([*(f"{kind}Type" for kind in kinds), *CONSTANTS[1]])
    where = {name: f"loc|{number}" for number, name in enumerate(receptacles)}
    lines = [
        *(f"{name} # receptacle {spot} # location" for name, spot in where.items()),
        *(f"{name} # object" for name, _, _ in things),
        *(f"{name} # rtype" for name in place_types),
        *(f"{name} # otype" for name in kind_types),
        ") (:init (= (total-cost) 0) (atLocation agent1 loc|middle)",
    ]
    for name, spot in where.items():
        lines.append(
            f"(receptacleAtLocation {name} {spot}) (receptacleType {name} {_class_of(name)}Type)"
        )
        if _class_of(name) in constants.OPENABLE_CLASS_SET:
            lines.append(f"(openable {name})")
    lines += [
        f"(canContain {place}Type {kind}Type)"
        for place in places
        for kind in kinds
        if kind in fits.get(place, ())
    ]
    for name, kind, place in things:
        lines.append(
            f"(objectType {name} {kind}Type) (inReceptacle {name} {place}) "
            f"(objectAtLocation {name} {where[place]})"
        )
        lines += [
            f"({words} {name})"
            for words, of in ((w, constants.VAL_ACTION_OBJECTS[p]) for p, w in PROPERTIES.items())
            if kind in of
        ]
        lines += [f"(pickupable {name})"] if kind != LAMP else []
        lines += (
            [f"(isReceptacleObject {name})"] if kind in constants.MOVABLE_RECEPTACLES_SET else []
        )
    # The hyphen of total-cost belongs to PDDL and is kept from the spelling of names.
    text = ("\n".join(lines) + ")").replace("total-cost", "total~cost")
    for sign, spelt in SPELLING:
        text = text.replace(sign, spelt)
    return (
        "(define (problem synthetic) (:domain alfred) "
        "(:objects agent1 - agent loc_bar_middle - location\n" + text.replace("~", "-")
    )


@functools.lru_cache(maxsize=len(PLANS))
def _floor_plan(number: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(receptacle names, classes of the portable objects that fit somewhere), in a fixed order."""
    from alfworld.gen import constants

    folder = Path(constants.__file__).parent / "layouts"
    known = constants.RECEPTACLES - constants.MOVABLE_RECEPTACLES_SET
    reached = sorted(json.loads((folder / f"FloorPlan{number}-openable.json").read_text()))
    classes = sorted(json.loads((folder / f"FloorPlan{number}-objects.json").read_text()))
    receptacles = [name for name in reached if _class_of(name) in known]
    for kind in sorted(known & set(classes) - {_class_of(name) for name in receptacles}):
        receptacles += [
            f"{kind}|{copy}" for copy in range(STOVE_BURNERS if kind == "StoveBurner" else 1)
        ]
    fits = {
        kind
        for name in receptacles
        for kind in constants.VAL_RECEPTACLE_OBJECTS.get(_class_of(name), ())
    }
    return tuple(receptacles), tuple(kind for kind in classes if kind in fits and kind not in known)


def _class_of(name: str) -> str:
    """`Sink|-01.90|+00.97|-01.50|SinkBasin` is a SinkBasin, `Drawer|+00.95|...` a Drawer."""
    first, last = name.split("|")[0], name.split("|")[-1]
    return last if last.endswith("Basin") else first
