"""Blocksworld with four actions, as in the planning competition of 2000 and in PlanBench.

The size is the number of blocks.
"""

from __future__ import annotations

import itertools

import numpy as np

from adapters.pddl.strips import Atom, Domain, Problem

__all__ = ["DOMAIN"]

PDDL = """
(define (domain blocksworld)
  (:requirements :strips :typing)
  (:types block)
  (:predicates (on ?x ?y - block) (on-table ?x - block) (clear ?x - block) (hand-empty) \
(holding ?x - block))
  (:action pick-up
    :parameters (?x - block)
    :precondition (and (clear ?x) (on-table ?x) (hand-empty))
    :effect (and (holding ?x) (not (clear ?x)) (not (on-table ?x)) (not (hand-empty))))
  (:action put-down
    :parameters (?x - block)
    :precondition (holding ?x)
    :effect (and (on-table ?x) (clear ?x) (hand-empty) (not (holding ?x))))
  (:action stack
    :parameters (?x ?y - block)
    :precondition (and (holding ?x) (clear ?y))
    :effect (and (on ?x ?y) (clear ?x) (hand-empty) (not (holding ?x)) (not (clear ?y))))
  (:action unstack
    :parameters (?x ?y - block)
    :precondition (and (on ?x ?y) (clear ?x) (hand-empty))
    :effect (and (holding ?x) (clear ?y) (not (on ?x ?y)) (not (clear ?x)) (not (hand-empty)))))
"""


def _piles(rng: np.random.Generator, size: int) -> tuple[list[Atom], list[Atom]]:
    """A random arrangement: (the `on` facts, all other facts)."""
    piles: list[list[str]] = []
    for number in rng.permutation(size):
        place = int(rng.integers(len(piles) + 1))
        if place == len(piles):
            piles.append([])
        piles[place].append(f"b{number + 1}")
    on: list[Atom] = [
        ("on", upper, lower) for pile in piles for lower, upper in itertools.pairwise(pile)
    ]
    ends: list[Atom] = [
        atom for pile in piles for atom in (("on-table", pile[0]), ("clear", pile[-1]))
    ]
    return on, [*ends, ("hand-empty",)]


def _draw(rng: np.random.Generator, size: int) -> Problem:
    """Two random arrangements; the goal holds only `on` facts, as in the competition."""
    blocks = tuple((f"b{number}", "block") for number in range(1, size + 1))
    on, rest = _piles(rng, size)
    goal, _ = _piles(rng, size)
    return Problem(blocks, (*on, *rest), tuple(goal))


DOMAIN = Domain(
    pddl=PDDL,
    about="Blocks lie on a table or on one another, one on one; a hand moves one block at a time. "
    "A block is clear when nothing lies on it and the hand does not hold it.",
    facts={
        "on": "{0} is on {1}",
        "on-table": "{0} is on the table",
        "clear": "{0} is clear",
        "hand-empty": "the hand is empty",
        "holding": "the hand holds {0}",
    },
    actions={
        "pick-up": "pick up block {0} from the table",
        "put-down": "put block {0} down on the table",
        "stack": "put block {0} on block {1}",
        "unstack": "take block {0} off block {1}",
    },
    draw=_draw,
)
