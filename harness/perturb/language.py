"""The instruction: typos, case, paraphrase, distracting sentences, missing words, and none at all.

What stands in quotation marks, and words with digits in them, are never touched: they are data that the task compares. Each perturbation is
a function of the instruction, so an instruction reads the same at every step.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import numpy as np

from harness.perturb.effects import Body, Effect, NotApplicable, RandomStreams

__all__ = ["Distractor", "InstructionBlackout", "LetterCase", "Paraphrase", "Typos", "WordDropout"]

DATA = re.compile(r"\"[^\"]*\"|\S*\d\S*")
"""What is not language: quotations, and words with digits."""

PHRASES: dict[str, tuple[str, ...]] = {
    "go to": ("walk to", "move to", "head to", "get to", "proceed to"),
    "pick up": ("grab", "take", "collect", "lift up"),
    "open": ("open up",),
    "put": ("place", "set", "lay"),
    "then": ("and then", "and later"),
    "find": ("locate", "look for"),
    "reach": ("get to", "arrive at"),
    "push": ("shove",),
    "close": ("shut",),
    "click on": ("click", "press"),
    "enter": ("type", "write"),
    "turn on": ("switch on",),
    "turn off": ("switch off",),
    "insert": ("put", "stick"),
    "rotate": ("turn",),
    "navigate to": ("travel to", "go to"),
}
"""Phrase -> phrases that mean the same. None names a colour, an object or a relation, and none of theirs is replaced."""

FRAMES = (
    "Please {}",
    "Here is what to do: {}",
    "You should do this: {}",
    "{} Thank you!",
    "I would like this done: {}",
    "Your job: {}",
)

DISTRACTORS = (
    "It is a fine day today.", "Somebody is whistling outside.", "The meeting was moved to Friday.", "My neighbour likes old films.",
    "Lunch will be late again.", "The radio plays a slow song.", "Nobody has watered the plants.", "Trains run every ten minutes.",
)  # fmt: skip

NEIGHBOURS = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        [
            "s",
            "v",
            "x",
            "s",
            "w",
            "d",
            "f",
            "g",
            "u",
            "k",
            "j",
            "k",
            "n",
            "b",
            "i",
            "o",
            "w",
            "e",
            "a",
            "r",
            "y",
            "c",
            "e",
            "c",
            "t",
            "z",
        ],
    )
)
"""A key beside each letter's on a QWERTY keyboard."""


class _Words(Effect):
    """Changes the instruction."""

    def __init__(self, streams: RandomStreams, body: Body) -> None:
        super().__init__(streams, body)
        self._said: dict[str, str] = {}
        if not body.instruction.strip():
            raise NotApplicable("there is no instruction here")
        if _is_json(body.instruction):
            raise NotApplicable("the instruction is JSON, not language")

    def say(self, instruction: str) -> str:
        """As `change` makes it, remembered."""
        if instruction not in self._said:
            self._said[instruction] = (
                self.change(instruction, self.streams.episode())
                if instruction.strip()
                else instruction
            )
        return self._said[instruction]

    def change(self, instruction: str, rng: np.random.Generator) -> str:
        """The instruction as the agent reads it."""
        raise NotImplementedError


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """(part, whether it is language), in order; joined they are the text."""
    end = 0
    for data in DATA.finditer(text):
        yield text[end : data.start()], True
        yield data.group(), False
        end = data.end()
    yield text[end:], True


def _in_language(text: str, change: Callable[[str], str]) -> str:
    return "".join(change(part) if language else part for part, language in _parts(text))


class Typos(_Words):
    """Each letter inside a word of four or more is mistyped with probability `share`: swapped with the next, dropped, doubled, or its neighbour on
    the keyboard."""

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._share = share

    def change(self, instruction: str, rng: np.random.Generator) -> str:
        """At least one letter is mistyped where there is any to mistype."""
        places = [
            k
            for word, at in _words(instruction)
            if len(word) >= 4
            for k in range(at + 1, at + len(word) - 1)
        ]
        if not places:
            return instruction
        draws, kinds = rng.random(len(places)), rng.integers(4, size=len(places))
        wrong = {
            place: int(kind)
            for place, draw, kind in zip(places, draws, kinds)
            if draw < self._share
        }
        if not wrong:
            first = int(draws.argmin())
            wrong = {places[first]: int(kinds[first])}
        letters = list(instruction)
        for place, kind in wrong.items():
            letter = instruction[place]
            if kind == 0 and place + 1 not in wrong:
                letters[place], letters[place + 1] = instruction[place + 1], letter
            elif kind == 1:
                letters[place] = ""
            elif kind == 2:
                letters[place] = letter * 2
            else:
                letters[place] = NEIGHBOURS.get(letter, letter * 2)
        return "".join(letters)


def _words(text: str) -> Iterator[tuple[str, int]]:
    """(word, where it starts) of all words of letters in the language of a text."""
    at = 0
    for part, language in _parts(text):
        if language:
            for match in re.finditer(r"[A-Za-z]+", part):
                yield match.group(), at + match.start()
        at += len(part)


class LetterCase(_Words):
    """In another `style`: lower, title, upper, or random or inverse letters."""

    def __init__(self, streams: RandomStreams, body: Body, style: str) -> None:
        super().__init__(streams, body)
        self._style = style

    def change(self, instruction: str, rng: np.random.Generator) -> str:
        """Letters only."""
        up = rng.random(len(instruction)) < 0.5
        styles: dict[str, Callable[[str], str]] = {
            "lower": str.lower,
            "title": lambda part: re.sub(
                r"[A-Za-z]+", lambda word: word.group().capitalize(), part
            ),
            "upper": str.upper,
            "random": lambda part: "".join(
                c.upper() if up[k] else c.lower() for k, c in enumerate(part)
            ),
            "alternating": lambda part: "".join(
                c.upper() if k % 2 else c.lower() for k, c in enumerate(part)
            ),
        }
        return _in_language(instruction, styles[self._style])


class Paraphrase(_Words):
    """The same in other words: a `share` of the phrases of the lexicon is replaced, and with `frame` a sentence is put around it.

    Where nothing of the lexicon occurs, or none of it was drawn, a sentence is put around it in any case.
    """

    def __init__(self, streams: RandomStreams, body: Body, share: float, frame: bool) -> None:
        super().__init__(streams, body)
        self._share, self._frame = share, frame

    def change(self, instruction: str, rng: np.random.Generator) -> str:
        """No colour, object, relation, quotation or number changes."""
        frame = FRAMES[int(rng.integers(len(FRAMES)))]

        def other(match: re.Match[str]) -> str:
            draw, choices = rng.random(), PHRASES[match.group().lower()]
            chosen = choices[int(rng.integers(len(choices)))]
            if draw >= self._share:
                return match.group()
            return chosen.capitalize() if match.group()[0].isupper() else chosen

        said = _in_language(instruction, lambda part: _PHRASE.sub(other, part))
        return frame.format(said) if self._frame or said == instruction else said


_PHRASE = re.compile(
    r"(?<![\w'-])(?<!and )(?<!press )(?<!the )(?<!an )(?:"
    + "|".join(sorted(PHRASES, key=len, reverse=True))
    + r")(?![\w'-])(?! to\b)",
    re.IGNORECASE,
)
"""Not the adjectives: an open door, close to, press enter."""


class Distractor(_Words):
    """`count` sentences that have nothing to do with the task stand before and after it."""

    def __init__(self, streams: RandomStreams, body: Body, count: int) -> None:
        super().__init__(streams, body)
        self._count = count

    def change(self, instruction: str, rng: np.random.Generator) -> str:
        """The instruction itself stays whole."""
        chosen = [DISTRACTORS[k] for k in rng.permutation(len(DISTRACTORS))[: self._count].tolist()]
        before = int(rng.integers(2))
        first, last = chosen[before::2], chosen[1 - before :: 2]
        whole = (
            instruction
            if instruction.rstrip().endswith((".", "!", "?")) or not last
            else f"{instruction}."
        )
        return " ".join([*first, whole, *last])


class WordDropout(_Words):
    """Each word is missing with probability `share`; one word at least is left, and one is missing where there are two."""

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._share = share

    def change(self, instruction: str, rng: np.random.Generator) -> str:
        """Words are what stands between blanks."""
        words = instruction.split()
        draws = rng.random(len(words))
        kept = [word for word, draw in zip(words, draws) if draw >= self._share]
        if len(kept) == len(words) > 1:
            kept = [word for word, draw in zip(words, draws) if draw != draws.min()]
        return " ".join(kept or [words[int(draws.argmax())]])


class InstructionBlackout(_Words):
    """The last `share` of the words is missing; at 1 the agent is told nothing at all: does it read its instruction?"""

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._share = share

    def change(self, instruction: str, rng: np.random.Generator) -> str:
        """The first words."""
        words = instruction.split()
        return " ".join(words[: int(len(words) * (1 - self._share))])
