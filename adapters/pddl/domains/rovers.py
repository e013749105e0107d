"""Rovers, a small version after the planning competition of 2002: two rovers, six places.

The size is the number of samples.
"""

from __future__ import annotations

import itertools

import numpy as np

from adapters.pddl.strips import Atom, Domain, Problem

__all__ = ["DOMAIN"]

PDDL = """
(define (domain rovers)
  (:requirements :strips :typing)
  (:types rover place sample kind)
  (:predicates (at ?rover - rover ?place - place) (lies-at ?sample - sample ?place - place) \
(idle ?rover - rover)
    (full ?rover - rover) (analysed ?rover - rover ?sample - sample) (sent ?sample - sample) \
(path ?from ?to - place)
    (made-of ?sample - sample ?kind - kind) (analyses ?rover - rover ?kind - kind) \
(sees-lander ?place - place))
  (:action navigate
    :parameters (?rover - rover ?from ?to - place)
    :precondition (and (at ?rover ?from) (path ?from ?to))
    :effect (and (at ?rover ?to) (not (at ?rover ?from))))
  (:action take
    :parameters (?rover - rover ?sample - sample ?kind - kind ?place - place)
    :precondition (and (at ?rover ?place) (lies-at ?sample ?place) (made-of ?sample ?kind) \
(analyses ?rover ?kind) (idle ?rover))
    :effect (and (analysed ?rover ?sample) (full ?rover) (not (idle ?rover)) \
(not (lies-at ?sample ?place))))
  (:action empty
    :parameters (?rover - rover)
    :precondition (full ?rover)
    :effect (and (idle ?rover) (not (full ?rover))))
  (:action send
    :parameters (?rover - rover ?sample - sample ?place - place)
    :precondition (and (analysed ?rover ?sample) (at ?rover ?place) (sees-lander ?place))
    :effect (sent ?sample)))
"""
PLACES = tuple(f"place{number}" for number in range(1, 7))
KINDS = ("soil", "rock")


def _draw(rng: np.random.Generator, size: int) -> Problem:
    """Places form a random tree with two additional paths. rover1 analyses soil and rover2 rock;
    each can also analyse the other kind with probability 0.3."""
    samples = [f"sample{number}" for number in range(1, size + 1)]
    paths = {(int(rng.integers(place)), place) for place in range(1, len(PLACES))}
    spare = [pair for pair in itertools.combinations(range(len(PLACES)), 2) if pair not in paths]
    paths |= {spare[place] for place in rng.choice(len(spare), 2, replace=False)}
    init: list[Atom] = []
    for number, rover in enumerate(("rover1", "rover2")):
        init += [
            ("at", rover, PLACES[int(rng.integers(6))]),
            ("idle", rover),
            ("analyses", rover, KINDS[number]),
        ]
        if rng.random() < 0.3:
            init.append(("analyses", rover, KINDS[1 - number]))
    for sample in samples:
        init += [
            ("lies-at", sample, PLACES[int(rng.integers(6))]),
            ("made-of", sample, KINDS[int(rng.integers(2))]),
        ]
    init.append(("sees-lander", PLACES[int(rng.integers(6))]))
    for one, other in sorted(paths):
        init += [("path", PLACES[one], PLACES[other]), ("path", PLACES[other], PLACES[one])]
    objects = [("rover1", "rover"), ("rover2", "rover"), *((place, "place") for place in PLACES)]
    objects += [*((sample, "sample") for sample in samples), *((kind, "kind") for kind in KINDS)]
    return Problem(tuple(objects), tuple(init), tuple(("sent", sample) for sample in samples))


DOMAIN = Domain(
    pddl=PDDL,
    about="Two rovers take samples, analyse them at once and send the results to a lander. "
    "A rover has room for one sample and must empty itself before it takes the next; "
    "the results of earlier ones stay known to it.",
    facts={
        "at": "{0} is at {1}",
        "lies-at": "{0} lies at {1}",
        "idle": "{0} has room for a sample",
        "full": "{0} is full",
        "analysed": "{0} knows the results of {1}",
        "sent": "the results of {0} have been sent",
        "path": "a path leads from {0} to {1}",
        "made-of": "{0} is made of {1}",
        "analyses": "{0} can analyse {1}",
        "sees-lander": "the lander can be seen from {0}",
    },
    actions={
        "navigate": "drive {0} from {1} to {2}",
        "take": "let {0} take and analyse {1}, which is made of {2}, at {3}",
        "empty": "let {0} throw away the sample it holds",
        "send": "let {0} send the results of {1} from {2}",
    },
    draw=_draw,
)
