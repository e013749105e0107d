"""The towers of Hanoi, from any legal arrangement to any other. The size is the number of discs."""

from __future__ import annotations

import itertools

import numpy as np

from adapters.pddl.strips import Atom, Domain, Problem

__all__ = ["DOMAIN"]

PDDL = """
(define (domain hanoi)
  (:requirements :strips :typing)
  (:types disc peg - thing)
  (:predicates (on ?disc - disc ?thing - thing) (clear ?thing - thing) \
(smaller ?disc - disc ?thing - thing))
  (:action move
    :parameters (?disc - disc ?from ?to - thing)
    :precondition (and (on ?disc ?from) (clear ?disc) (clear ?to) (smaller ?disc ?to))
    :effect (and (on ?disc ?to) (clear ?from) (not (on ?disc ?from)) (not (clear ?to)))))
"""
PEGS = ("peg1", "peg2", "peg3")


def _towers(rng: np.random.Generator, discs: list[str]) -> tuple[list[Atom], list[Atom]]:
    """Each disc on a random peg: (the `on` facts, the `clear` facts)."""
    tops: list[str] = [*PEGS]
    on: list[Atom] = []
    for disc in reversed(discs):
        peg = int(rng.integers(3))
        on.append(("on", disc, tops[peg]))
        tops[peg] = disc
    return on, [("clear", top) for top in tops]


def _draw(rng: np.random.Generator, size: int) -> Problem:
    discs = [f"disc{number}" for number in range(1, size + 1)]
    on, clear = _towers(rng, discs)
    goal, _ = _towers(rng, discs)
    smaller = [("smaller", small, large) for small, large in itertools.combinations(discs, 2)]
    smaller += [("smaller", disc, peg) for disc in discs for peg in PEGS]
    objects = (*((disc, "disc") for disc in discs), *((peg, "peg") for peg in PEGS))
    return Problem(objects, (*on, *clear, *smaller), tuple(goal))


DOMAIN = Domain(
    pddl=PDDL,
    about="Discs lie on three pegs, never a larger one on a smaller one; one disc is moved at a "
    "time. disc1 is the smallest, disc2 is larger, and so on; any disc may lie on an empty peg.",
    facts={
        "on": "{0} is on {1}",
        "clear": "nothing is on {0}",
        "smaller": "{0} is smaller than {1}, or {1} is a peg",
    },
    actions={
        "move": "move {0} from {1} (the disc or peg under it) to {2} (a disc or an empty peg)"
    },
    draw=_draw,
    untold=("smaller",),
)
