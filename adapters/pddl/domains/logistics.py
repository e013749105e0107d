"""Logistics (planning competition, 1998) with two cities of two places.

The size is the number of packages.
"""

from __future__ import annotations

import itertools

import numpy as np

from adapters.pddl.strips import Atom, Domain, Problem

__all__ = ["DOMAIN"]

PDDL = """
(define (domain logistics)
  (:requirements :strips :typing)
  (:types package vehicle place - object truck plane - vehicle airport - place)
  (:predicates (at ?what - package ?place - place) (parked ?vehicle - vehicle ?place - place)
    (inside ?what - package ?vehicle - vehicle) (road ?from ?to - place) \
(airway ?from ?to - airport))
  (:action load
    :parameters (?what - package ?vehicle - vehicle ?place - place)
    :precondition (and (at ?what ?place) (parked ?vehicle ?place))
    :effect (and (inside ?what ?vehicle) (not (at ?what ?place))))
  (:action unload
    :parameters (?what - package ?vehicle - vehicle ?place - place)
    :precondition (and (inside ?what ?vehicle) (parked ?vehicle ?place))
    :effect (and (at ?what ?place) (not (inside ?what ?vehicle))))
  (:action drive
    :parameters (?truck - truck ?from ?to - place)
    :precondition (and (parked ?truck ?from) (road ?from ?to))
    :effect (and (parked ?truck ?to) (not (parked ?truck ?from))))
  (:action fly
    :parameters (?plane - plane ?from ?to - airport)
    :precondition (and (parked ?plane ?from) (airway ?from ?to))
    :effect (and (parked ?plane ?to) (not (parked ?plane ?from)))))
"""
AIRPORTS = ("city1-airport", "city2-airport")
OFFICES = ("city1-office", "city2-office")


def _draw(rng: np.random.Generator, size: int) -> Problem:
    packages = [f"package{number}" for number in range(1, size + 1)]
    places = (*AIRPORTS, *OFFICES)
    start, end = ([places[place] for place in rng.integers(4, size=size)] for _ in range(2))
    init: list[Atom] = [*zip(itertools.repeat("at"), packages, start)]
    for airport, office, truck in zip(AIRPORTS, OFFICES, ("truck1", "truck2")):
        init += [
            ("parked", truck, (airport, office)[int(rng.integers(2))]),
            ("road", airport, office),
            ("road", office, airport),
        ]
    init += [
        ("parked", "plane1", AIRPORTS[int(rng.integers(2))]),
        ("airway", *AIRPORTS),
        ("airway", *AIRPORTS[::-1]),
    ]
    objects = [
        *((what, "package") for what in packages),
        ("truck1", "truck"),
        ("truck2", "truck"),
        ("plane1", "plane"),
    ]
    objects += [
        *((place, "airport") for place in AIRPORTS),
        *((place, "place") for place in OFFICES),
    ]
    return Problem(tuple(objects), tuple(init), tuple(zip(itertools.repeat("at"), packages, end)))


DOMAIN = Domain(
    pddl=PDDL,
    about="Trucks carry packages between the two places of their city, the airport and the office; "
    "a plane carries them between the airports. Each vehicle holds any number of packages.",
    facts={
        "at": "{0} is at {1}",
        "parked": "{0} is at {1}",
        "inside": "{0} is in {1}",
        "road": "a road leads from {0} to {1}",
        "airway": "planes fly from {0} to {1}",
    },
    actions={
        "load": "load {0} into {1} (a truck or a plane) at {2}",
        "unload": "unload {0} from {1} at {2}",
        "drive": "drive {0} from {1} to {2} in the same city",
        "fly": "fly {0} from airport {1} to airport {2}",
    },
    draw=_draw,
    untold=("road", "airway"),
)
