"""The sentences of the worded BabyAI levels: one grammar with synonyms, and its split.

A sentence is VERB the COLOUR NOUN, for each of three kinds of missions: 648 in all. Held out are
132 of them, those whose indices add up to a multiple of five. So every word and every object
occurs among the others, and what is new in a held-out sentence is how its words are put together.
"""

from __future__ import annotations

import functools

__all__ = ["COLOURS", "KINDS", "NOUNS", "SPLITS", "VERBS", "objects_of", "sentences"]

VERBS = {
    "GoTo": ("go to", "walk to", "move to", "head to", "approach", "reach"),
    "PickUp": ("pick up", "grab", "take", "lift", "collect", "get"),
    "EscapeFrom": (
        "escape from",
        "run away from",
        "move away from",
        "get away from",
        "flee from",
        "keep clear of",
    ),
}
"""By the kind of mission."""
KINDS = tuple(VERBS)
COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
NOUNS = {
    "ball": "ball",
    "sphere": "ball",
    "box": "box",
    "crate": "box",
    "key": "key",
    "latchkey": "key",
}
"""Noun -> MiniGrid's type of the object."""
SPLITS = ("train", "held-out")
EVERY = 5
"""One sentence in so many is held out."""


@functools.lru_cache(maxsize=len(KINDS) * len(SPLITS))
def objects_of(kind: str, split: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """(MiniGrid's type, colour) of an object -> the sentences of a split that name it."""
    found: dict[tuple[str, str], list[str]] = {}
    for v, verb in enumerate(VERBS[kind]):
        for c, colour in enumerate(COLOURS):
            for n, (noun, thing) in enumerate(NOUNS.items()):
                if ((v + c + n) % EVERY == 0) == (split == "held-out"):
                    found.setdefault((thing, colour), []).append(f"{verb} the {colour} {noun}")
    return {named: tuple(said) for named, said in found.items()}


def sentences(kind: str, split: str) -> tuple[str, ...]:
    """All sentences of one of KINDS in one of SPLITS."""
    return tuple(text for said in objects_of(kind, split).values() for text in said)
