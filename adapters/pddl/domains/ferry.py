"""Ferry: cars travel between ports on a ferry that holds one car.

The size is the number of cars; there are as many ports, but at least three.
"""

from __future__ import annotations

import itertools

import numpy as np

from adapters.pddl.strips import Domain, Problem

__all__ = ["DOMAIN"]

PDDL = """
(define (domain ferry)
  (:requirements :strips :typing)
  (:types car port)
  (:predicates (ferry-at ?port - port) (at ?car - car ?port - port) (aboard ?car - car) \
(deck-empty) (route ?from ?to - port))
  (:action sail
    :parameters (?from ?to - port)
    :precondition (and (ferry-at ?from) (route ?from ?to))
    :effect (and (ferry-at ?to) (not (ferry-at ?from))))
  (:action board
    :parameters (?car - car ?port - port)
    :precondition (and (at ?car ?port) (ferry-at ?port) (deck-empty))
    :effect (and (aboard ?car) (not (at ?car ?port)) (not (deck-empty))))
  (:action debark
    :parameters (?car - car ?port - port)
    :precondition (and (aboard ?car) (ferry-at ?port))
    :effect (and (at ?car ?port) (deck-empty) (not (aboard ?car)))))
"""


def _draw(rng: np.random.Generator, size: int) -> Problem:
    cars = [f"car{number}" for number in range(1, size + 1)]
    ports = [f"port{number}" for number in range(1, max(3, size) + 1)]
    now, wanted = (
        [ports[place] for place in rng.integers(len(ports), size=size)] for _ in range(2)
    )
    init = [
        ("ferry-at", ports[int(rng.integers(len(ports)))]),
        ("deck-empty",),
        *zip(itertools.repeat("at"), cars, now),
    ]
    routes = [("route", one, other) for one, other in itertools.permutations(ports, 2)]
    objects = (*((car, "car") for car in cars), *((port, "port") for port in ports))
    return Problem(objects, (*init, *routes), tuple(zip(itertools.repeat("at"), cars, wanted)))


DOMAIN = Domain(
    pddl=PDDL,
    about="A ferry that holds one car carries cars between ports. "
    "It can sail from any port to any other.",
    facts={
        "ferry-at": "the ferry is at {0}",
        "at": "{0} is at {1}",
        "aboard": "{0} is on the ferry",
        "deck-empty": "no car is on the ferry",
        "route": "there is a route from {0} to {1}",
    },
    actions={
        "sail": "sail from {0} to {1}",
        "board": "let {0} drive onto the ferry at {1}",
        "debark": "let {0} drive off the ferry at {1}",
    },
    draw=_draw,
    untold=("route",),
)
