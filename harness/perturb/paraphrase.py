"""The same instruction in other words."""

from __future__ import annotations

import bisect
import re

import numpy as np

from harness.perturb.effects import Body, RandomStreams
from harness.perturb.language import Instruction
from harness.perturb.wording import exact_spans, reviewed

__all__ = ["FRAMES", "PHRASES", "Paraphrase"]

PARTICLES = (
    "it|them|him|her|us|you|yourself|up|down|out|off|on|in|into|to|over|away|back|together|with|by|"
    "for|from|at|that|whether|if|where|how|why|what|which"
)
THING = rf"(?!(?:{PARTICLES})\b)[\w\"]"
"""How the object of a verb begins: not with a word that makes another verb of it, as in "find out",
and not with a pronoun, before which some synonyms do not fit, as in "open up it"."""
IT = rf"(?:it|them)\b|{THING}"
ANYTHING = r"[\w\"]"

PHRASES: dict[str, tuple[tuple[str, ...], str]] = {
    "go to": (("walk to", "move to", "head to", "get to", "proceed to"), ANYTHING),
    "navigate to": (("travel to", "go to"), ANYTHING),
    "pick up": (("grab", "take", "collect"), THING),
    "retrieve": (("fetch", "get"), IT),
    "open": (("open up",), THING),
    "close": (("shut",), IT),
    "put": (("place", "set"), IT),
    "place": (("put", "set"), r"(?:the|it|them|both)\b"),
    "insert": (("put",), IT),
    "rotate": (("turn",), IT),
    "reach": (("get to", "arrive at"), r"the\b"),
    "find": (("locate", "look for"), IT),
    "turn on": (("switch on",), THING),
    "turn off": (("switch off",), THING),
    "click on": (("click", "press"), IT),
    "enter": (("type", "write"), r"\""),
}
"""Verb -> (synonyms, how its object must begin for all of them to fit).

No verb or synonym names a colour, an object or a relation.
"""
THENS = ("and then", "and after that")

FRAMES = (
    "Please do this: {}",
    "Here is what to do: {}",
    "Here is your task: {}",
    "{} Thank you!",
    "I would like this done: {}",
    "Your task is this: {}",
)
"""Sentences around an instruction that fit any text, be it a command or not."""

_CLAUSE = r"(?:^|(?<=[.!?:;,]\s)|(?<=\n)" + "".join(
    rf"|(?<=\b{word}\s)" for word in ("and", "then", "or", "to", "you", "please")
)
_VERB = re.compile(
    rf"{_CLAUSE})(?:"
    + "|".join(
        rf"{verb}(?=\s+(?:{after}))"
        for verb, (_, after) in sorted(PHRASES.items(), key=lambda item: -len(item[0]))
    )
    + r")|(?<=,\s)then(?=\s)",
    re.IGNORECASE,
)
"""A verb at the beginning of a clause, before its object: not "the open door", "press enter" or
"reach over the wall"; and "then" between two clauses."""


class Paraphrase(Instruction):
    """The same in other words: colours, objects, relations, names and numbers stay.

    Each phrase is replaced with probability `share`: of an instruction of our suites, the phrases
    that `paraphrases.txt` marks; of any other one, the verbs of PHRASES that begin a clause. With
    `frame`, or if no phrase was replaced, the instruction is put into one of the sentences of
    FRAMES.
    """

    def __init__(self, streams: RandomStreams, body: Body, share: float, frame: bool) -> None:
        super().__init__(streams, body)
        self._share, self._frame = share, frame

    def change(self, instruction: str, rng: np.random.Generator) -> str:
        frame = FRAMES[int(rng.integers(len(FRAMES)))]
        known = reviewed(instruction)
        if known is None:
            said = _by_rule(instruction, self._share, rng)
        else:
            said = known[0].said(known[1], self._share, rng)
        if not self._frame and said != instruction:
            return said
        if frame.startswith("{}") and not said.rstrip().endswith((".", "!", "?")):
            said = f"{said.rstrip()}."
        return frame.format(said)


def _by_rule(instruction: str, share: float, rng: np.random.Generator) -> str:
    exact = exact_spans(instruction)

    def synonym(match: re.Match[str]) -> str:
        before = bisect.bisect_right(exact, match.span()) - 1
        if before >= 0 and match.start() < exact[before][1]:
            return match.group()
        verb = match.group().lower()
        choices = THENS if verb == "then" else PHRASES[verb][0]
        # Both numbers are drawn in any case: other severities then choose the same synonyms.
        draw, chosen = rng.random(), choices[int(rng.integers(len(choices)))]
        if draw >= share:
            return match.group()
        return chosen.capitalize() if match.group()[0].isupper() else chosen

    return _VERB.sub(synonym, instruction)
