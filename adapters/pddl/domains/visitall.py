"""Visit-all (planning competition, 2011) on a grid with holes.

The size n is the side of the grid; n + 1 cells are to be visited.
"""

from __future__ import annotations

import numpy as np

from adapters.pddl.strips import Domain, Problem

__all__ = ["DOMAIN"]

PDDL = """
(define (domain visitall)
  (:requirements :strips :typing)
  (:types cell)
  (:predicates (robot-at ?cell - cell) (visited ?cell - cell) (touch ?one ?other - cell))
  (:action move
    :parameters (?from ?to - cell)
    :precondition (and (robot-at ?from) (touch ?from ?to))
    :effect (and (robot-at ?to) (visited ?to) (not (robot-at ?from)))))
"""
HOLES = 0.2
"""Probability that a cell is missing."""


def _draw(rng: np.random.Generator, size: int) -> Problem:
    """The cells reachable from a random start; redrawn while they are at most half of the grid."""
    while True:
        free = {
            divmod(int(place), size) for place in np.flatnonzero(rng.random(size * size) >= HOLES)
        }
        start = divmod(int(rng.integers(size * size)), size)
        seen, edge = {start}, [start]
        while edge:
            row, column = edge.pop()
            near = {
                (row + 1, column),
                (row - 1, column),
                (row, column + 1),
                (row, column - 1),
            } & free - seen
            seen |= near
            edge += near
        if start in free and len(seen) > size * size // 2:
            break
    cells = sorted(seen)
    names = {cell: f"cell-{cell[0] + 1}-{cell[1] + 1}" for cell in cells}
    touch = [
        ("touch", names[one], names[other])
        for one in cells
        for other in cells
        if abs(one[0] - other[0]) + abs(one[1] - other[1]) == 1
    ]
    others = [cell for cell in cells if cell != start]
    goals = sorted(rng.choice(len(others), min(size + 1, len(others)), replace=False))
    return Problem(
        tuple((name, "cell") for name in names.values()),
        (("robot-at", names[start]), ("visited", names[start]), *touch),
        tuple(("visited", names[others[place]]) for place in goals),
    )


DOMAIN = Domain(
    pddl=PDDL,
    about="A robot moves on a grid, from a cell to one that it shares a side with. "
    "cell-2-3 is in row 2, column 3; there are no other cells than those named.",
    facts={
        "robot-at": "the robot is at {0}",
        "visited": "{0} has been visited",
        "touch": "{0} and {1} share a side",
    },
    actions={"move": "go from {0} to {1}"},
    draw=_draw,
    untold=("touch",),
)
