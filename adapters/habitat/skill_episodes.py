"""How an episode of pick, place or nav begins: drawn from the case alone. Metres, y up.

What habitat-lab draws at random, with its numbers: a start within 2 m of the receptacle, turned
towards it with a noise of N(0, 1.57) rad as in the GEA paper (arXiv 2412.08442, appendix), and for
nav anywhere at least 3 m away, with any heading.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from adapters.habitat import homes, things
from adapters.habitat.flat import Flat, Rectangle
from adapters.habitat.homes import Receptacle
from harness.core import Case

__all__ = ["INSTRUCTIONS", "Episode", "draw"]

INSTRUCTIONS = {
    "pick": "Pick up the {thing} from the {receptacle}.",
    "place": "Place the {thing} on the {receptacle}.",
    "nav": "Go to the {receptacle}.",
}
NEAREST, NOISE, FARTHEST = 2.0, 1.57, 3.0
"""m, rad, m: the greatest distance of a start of pick and place, the noise of its heading, and the
least distance of a start of nav."""
OTHERS, BESIDE = 3, 2
"""Objects on other receptacles, and at most so many beside the one to pick."""
GAP = 0.02
"""m between the bounding circles of two objects."""
TRIES = 400
FLOOR, ARM_TOP, ARM_WIDE = 0.15, 0.72, 0.14
"""m. Above FLOOR the navmesh lies on furniture; the arm clears what is lower than ARM_TOP, and
reaches ARM_WIDE to each side."""

if TYPE_CHECKING:
    Snap = Callable[[np.ndarray], np.ndarray | None]
    """A point (3,) -> the nearest point of the navmesh, or None."""
    Way = Callable[[np.ndarray, np.ndarray], float]
    """Two points of the navmesh -> the geodesic distance, m."""


@dataclasses.dataclass(frozen=True)
class Episode:
    """Coordinates are those of the scene."""

    home: int
    instruction: str
    thing: str
    """The object to pick, or in the gripper at the start of place; empty for nav."""
    receptacle: str
    goals: tuple[Receptacle, ...]
    """Where it goes: all receptacles of that name, in the home's coordinates."""
    corner: np.ndarray
    """Of the home in the scene, (3,)."""
    placed: tuple[tuple[str, np.ndarray, float], ...]
    """(name, place (3,), turn in rad) of each object; that of what is held is any."""
    start: np.ndarray
    """Of the base, (3,), on the floor."""
    heading: float
    """rad about y; 0 looks along x."""


def draw(case: Case, kind: str, split: str, snap: Snap, way: Way) -> Episode:
    """Draw the episode of a case. Raises RuntimeError where a home allows none."""
    rng = case.rng("episode")
    numbers = homes.SPLITS[split]
    number = int(numbers[int(rng.integers(len(numbers)))])
    home = homes.build(number)
    corner = homes.corner(dataclasses.replace(home, number=number - numbers[0]))
    found = homes.receptacles(home)
    for _ in range(TRIES):
        target = found[int(rng.integers(len(found)))]
        goals = tuple(each for each in found if each.name == target.name)
        names = [str(name) for name in rng.permutation(list(things.THINGS))]
        thing = "" if kind == "nav" else names[0]
        placed = _objects(rng, kind, names, target, found)
        if placed is None:
            continue
        focus = placed[0][1] if kind == "pick" else target.centre
        begin = (
            _far(rng, home, corner, goals, snap, way)
            if kind == "nav"
            else _close(rng, home, corner, target, focus, snap)
        )
        if begin is None:
            continue
        start, heading = begin
        return Episode(
            number,
            INSTRUCTIONS[kind].format(thing=thing, receptacle=target.name),
            thing,
            target.name,
            goals,
            corner,
            tuple((name, place + corner, turn) for name, place, turn in placed),
            start,
            heading,
        )
    raise RuntimeError(f"home {number} has no start for {kind} in {TRIES} draws")


def _objects(
    rng: np.random.Generator,
    kind: str,
    names: Sequence[str],
    target: Receptacle,
    found: Sequence[Receptacle],
) -> list[tuple[str, np.ndarray, float]] | None:
    """Objects and their places; the one to pick, or to place, is the first. None if it has no
    room."""
    if kind == "nav":
        return _scatter(rng, names[: OTHERS + 1], found, [])
    if kind == "place":
        held = (names[0], np.array([0.0, -1.0, 0.0]), 0.0)  # below the floor until it is held
        return [held, *_scatter(rng, names[1 : OTHERS + 1], found, [])]
    first = _spot(rng, names[0], target, [])
    if first is None:
        return None
    beside = _scatter(rng, names[1 : BESIDE + 1], [target], [first])
    others = [each for each in found if each is not target]
    return [first, *beside, *_scatter(rng, names[BESIDE + 1 : BESIDE + OTHERS + 1], others, [])]


def _scatter(
    rng: np.random.Generator,
    names: Sequence[str],
    on: Sequence[Receptacle],
    there: Sequence[tuple[str, np.ndarray, float]],
) -> list[tuple[str, np.ndarray, float]]:
    """Objects on receptacles, each on a random one; those without room are left out."""
    placed: list[tuple[str, np.ndarray, float]] = []
    for name in names:
        spot = _spot(rng, name, on[int(rng.integers(len(on)))], [*there, *placed])
        if spot is not None:
            placed.append(spot)
    return placed


def _spot(
    rng: np.random.Generator,
    name: str,
    on: Receptacle,
    others: Sequence[tuple[str, np.ndarray, float]],
) -> tuple[str, np.ndarray, float] | None:
    """A free place on top of a receptacle, or None."""
    reach, half = _radius(name), float(things.size(things.THINGS[name])[1]) / 2
    top = on.top
    for _ in range(20):
        x = float(rng.uniform(top.x0, top.x1))
        z = float(rng.uniform(top.z0, top.z1))
        turn = float(rng.uniform(-math.pi, math.pi))
        place = np.array([x, on.height + half + 0.002, z])
        clear = all(
            math.hypot(other[0] - x, other[2] - z) > reach + _radius(label) + GAP
            or abs(other[1] - place[1]) > 0.5
            for label, other, _ in others
        )
        if clear:
            return (name, place, turn)
    return None


def _radius(name: str) -> float:
    """Of the circle around an object as seen from above, m."""
    x, _, z = things.size(things.THINGS[name])
    return math.hypot(float(x), float(z)) / 2


def _close(
    rng: np.random.Generator,
    home: Flat,
    corner: np.ndarray,
    target: Receptacle,
    focus: np.ndarray,
    snap: Snap,
) -> tuple[np.ndarray, float] | None:
    """A start within NEAREST of `focus`, in the receptacle's room, where the arm is free."""
    room = home.rooms[target.piece.room].floor
    for _ in range(TRIES):
        x, z = focus[[0, 2]] + rng.uniform(-NEAREST, NEAREST, 2)
        noise = float(rng.normal(0.0, NOISE))
        if math.hypot(x - focus[0], z - focus[2]) > NEAREST:
            continue
        heading = math.atan2(-(focus[2] - z), focus[0] - x) + noise
        point = Rectangle(float(x), float(z), float(x), float(z))
        if not room.contains(point) or not arm_is_free(home, room, x, z, heading):
            continue
        start = _stand(corner + np.array([x, 0.0, z]), snap)
        if start is not None:
            return start, math.remainder(heading, 2 * math.pi)
    return None


def _far(
    rng: np.random.Generator,
    home: Flat,
    corner: np.ndarray,
    goals: Sequence[Receptacle],
    snap: Snap,
    way: Way,
) -> tuple[np.ndarray, float] | None:
    """A start at least FARTHEST from every goal, with a path to each."""
    for _ in range(TRIES):
        x, z = float(rng.uniform(0.0, home.width)), float(rng.uniform(0.0, home.depth))
        heading = float(rng.uniform(-math.pi, math.pi))
        centres = [goal.centre for goal in goals]
        if any(math.hypot(x - centre[0], z - centre[2]) <= FARTHEST for centre in centres):
            continue
        inside = [
            floor
            for floor in (home.corridor, *(room.floor for room in home.rooms))
            if floor.contains(Rectangle(x, z, x, z))
        ]
        if not inside or not arm_is_free(home, inside[0], x, z, heading):
            continue
        start = _stand(corner + np.array([x, 0.0, z]), snap)
        if start is None:
            continue
        ends = [snap(goal.before() + corner) for goal in goals]
        if all(end is not None and math.isfinite(way(start, end)) for end in ends):
            return start, heading
    return None


def _stand(point: np.ndarray, snap: Snap) -> np.ndarray | None:
    """`point` (3,) on the floor, if a base can stand there."""
    snapped = snap(point)
    if snapped is None or snapped[1] > FLOOR:
        return None
    if math.hypot(snapped[0] - point[0], snapped[2] - point[2]) > 0.01:
        return None
    return np.array([snapped[0], 0.0, snapped[2]])


def arm_is_free(home: Flat, room: Rectangle, x: float, z: float, heading: float) -> bool:
    """Whether the arm, as it is at the start, is inside of `room` and above no tall furniture."""
    cos, sin = math.cos(heading), math.sin(heading)
    for ahead, left in ARM_FROM_ABOVE:
        at_x, at_z = x + cos * ahead - sin * left, z - sin * ahead - cos * left
        spot = Rectangle(at_x, at_z, at_x, at_z).grown(ARM_WIDE)
        if not room.contains(spot):
            return False
        if any(piece.floor.meets(spot) and piece.height > ARM_TOP for piece in home.pieces):
            return False
    return True


ARM_FROM_ABOVE = ((0.23, -0.1), (0.29, -0.12), (0.47, -0.19), (0.58, -0.24), (0.64, -0.24))
"""(ahead, to the left) of the arm at `fetch.START`, m; a test compares them with its kinematics."""
