"""Gripper (planning competition, 1998) with three rooms. The size is the number of balls."""

from __future__ import annotations

import itertools

import numpy as np

from adapters.pddl.strips import Domain, Problem

__all__ = ["DOMAIN"]

PDDL = """
(define (domain gripper)
  (:requirements :strips :typing)
  (:types room ball hand)
  (:predicates (robot-in ?room - room) (in ?ball - ball ?room - room) \
(carries ?hand - hand ?ball - ball) (free ?hand - hand)
    (door ?from ?to - room))
  (:action move
    :parameters (?from ?to - room)
    :precondition (and (robot-in ?from) (door ?from ?to))
    :effect (and (robot-in ?to) (not (robot-in ?from))))
  (:action pick
    :parameters (?ball - ball ?room - room ?hand - hand)
    :precondition (and (in ?ball ?room) (robot-in ?room) (free ?hand))
    :effect (and (carries ?hand ?ball) (not (in ?ball ?room)) (not (free ?hand))))
  (:action drop
    :parameters (?ball - ball ?room - room ?hand - hand)
    :precondition (and (carries ?hand ?ball) (robot-in ?room))
    :effect (and (in ?ball ?room) (free ?hand) (not (carries ?hand ?ball)))))
"""
ROOMS = ("room1", "room2", "room3")
HANDS = ("left", "right")


def _draw(rng: np.random.Generator, size: int) -> Problem:
    balls = [f"ball{number}" for number in range(1, size + 1)]
    objects = [
        *((room, "room") for room in ROOMS),
        *((ball, "ball") for ball in balls),
        *((hand, "hand") for hand in HANDS),
    ]
    now, wanted = ([ROOMS[place] for place in rng.integers(3, size=size)] for _ in range(2))
    init = [
        ("robot-in", ROOMS[int(rng.integers(3))]),
        *(("free", hand) for hand in HANDS),
        *zip(itertools.repeat("in"), balls, now),
    ]
    doors = [("door", one, other) for one, other in itertools.permutations(ROOMS, 2)]
    return Problem(
        tuple(objects), (*init, *doors), tuple(zip(itertools.repeat("in"), balls, wanted))
    )


DOMAIN = Domain(
    pddl=PDDL,
    about="A robot with two hands, left and right, carries balls between rooms; "
    "each hand holds one ball. There is a door between any two rooms.",
    facts={
        "robot-in": "the robot is in {0}",
        "in": "{0} is in {1}",
        "carries": "the {0} hand holds {1}",
        "free": "the {0} hand is empty",
        "door": "there is a door between {0} and {1}",
    },
    actions={
        "move": "go from {0} to {1}",
        "pick": "pick up {0} in {1} with the {2} hand",
        "drop": "put {0} down in {1} from the {2} hand",
    },
    draw=_draw,
    untold=("door",),
)
