"""Elevator, after miconic (planning competition, 2000).

The size is the number of passengers; there are two more floors than passengers.
"""

from __future__ import annotations

import itertools

import numpy as np

from adapters.pddl.strips import Atom, Domain, Problem

__all__ = ["DOMAIN"]

PDDL = """
(define (domain elevator)
  (:requirements :strips :typing)
  (:types floor passenger)
  (:predicates (lift-at ?floor - floor) (waits-at ?who - passenger ?floor - floor) \
(inside ?who - passenger) (served ?who - passenger)
    (wants ?who - passenger ?floor - floor) (above ?high ?low - floor))
  (:action up
    :parameters (?from ?to - floor)
    :precondition (and (lift-at ?from) (above ?to ?from))
    :effect (and (lift-at ?to) (not (lift-at ?from))))
  (:action down
    :parameters (?from ?to - floor)
    :precondition (and (lift-at ?from) (above ?from ?to))
    :effect (and (lift-at ?to) (not (lift-at ?from))))
  (:action board
    :parameters (?who - passenger ?floor - floor)
    :precondition (and (lift-at ?floor) (waits-at ?who ?floor))
    :effect (and (inside ?who) (not (waits-at ?who ?floor))))
  (:action leave
    :parameters (?who - passenger ?floor - floor)
    :precondition (and (lift-at ?floor) (inside ?who) (wants ?who ?floor))
    :effect (and (served ?who) (not (inside ?who)))))
"""


def _draw(rng: np.random.Generator, size: int) -> Problem:
    floors = [f"floor{number}" for number in range(1, size + 3)]
    people = [f"p{number}" for number in range(1, size + 1)]
    trips = [rng.choice(len(floors), 2, replace=False) for _ in people]
    init: list[Atom] = [("lift-at", floors[int(rng.integers(len(floors)))])]
    init += [("waits-at", who, floors[start]) for who, (start, _) in zip(people, trips)]
    init += [("wants", who, floors[end]) for who, (_, end) in zip(people, trips)]
    above = [("above", high, low) for low, high in itertools.combinations(floors, 2)]
    objects = (*((floor, "floor") for floor in floors), *((who, "passenger") for who in people))
    return Problem(objects, (*init, *above), tuple(("served", who) for who in people))


DOMAIN = Domain(
    pddl=PDDL,
    about="A lift takes passengers to the floors they want to go to; it holds any number of them. "
    "floor1 is the lowest, floor2 is above it, and so on.",
    facts={
        "lift-at": "the lift is at {0}",
        "waits-at": "{0} waits at {1}",
        "inside": "{0} is in the lift",
        "served": "{0} has arrived",
        "wants": "{0} wants to go to {1}",
        "above": "{0} is above {1}",
    },
    actions={
        "up": "go up from {0} to {1}, any number of floors",
        "down": "go down from {0} to {1}, any number of floors",
        "board": "let {0} in at {1}",
        "leave": "let {0} out at {1}",
    },
    draw=_draw,
    untold=("above",),
)
