"""Perturbed instructions: typos, letter case, paraphrase, distractors, and missing words.

Quoted text and words with digits are data that the task compares: they may be missing, but they are
never altered. The result depends only on the instruction and the episode's random stream, so an
instruction reads the same at every step.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import numpy as np

from harness.perturb.effects import Body, Effect, NotApplicable, RandomStreams

__all__ = ["Distractor", "InstructionBlackout", "LetterCase", "Paraphrase", "Typos", "WordDropout"]

DATA = re.compile(r"\"[^\"]*\"|\S*\d\S*")
"""Data rather than language: quoted text, and words with digits."""

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
"""Phrase -> synonyms. Phrases and synonyms name no colour, object or relation."""

FRAMES = (
    "Please {}",
    "Here is what to do: {}",
    "You should do this: {}",
    "{} Thank you!",
    "I would like this done: {}",
    "Your job: {}",
)

DISTRACTORS = (
    "It is a fine day today.",
    "Somebody is whistling outside.",
    "The meeting was moved to Friday.",
    "My neighbour likes old films.",
    "Lunch will be late again.",
    "The radio plays a slow song.",
    "Nobody has watered the plants.",
    "Trains run every ten minutes.",
)

NEIGHBOURS = dict(zip("abcdefghijklmnopqrstuvwxyz", "svxswdfgukjknbiowearycectz"))
"""Letter -> a neighbouring key on a QWERTY keyboard."""


class _Words(Effect):
    """Base of effects on the instruction."""

    def __init__(self, streams: RandomStreams, body: Body) -> None:
        super().__init__(streams, body)
        self._said: dict[str, str] = {}
        if not body.instruction.strip():
            raise NotApplicable("there is no instruction here")
        if _is_json(body.instruction):
            raise NotApplicable("the instruction is JSON, not language")

    def say(self, instruction: str) -> str:
        if instruction not in self._said:
            self._said[instruction] = (
                self.change(instruction, self.streams.episode())
                if instruction.strip()
                else instruction
            )
        return self._said[instruction]

    def change(self, instruction: str, rng: np.random.Generator) -> str:
        """The changed instruction; `rng` is a fresh generator of the episode's stream."""
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
    """(part, whether it is language rather than data) in order; the parts joined are the text."""
    end = 0
    for data in DATA.finditer(text):
        yield text[end : data.start()], True
        yield data.group(), False
        end = data.end()
    yield text[end:], True


def _in_language(text: str, change: Callable[[str], str]) -> str:
    return "".join(change(part) if language else part for part, language in _parts(text))


class Typos(_Words):
    """Each letter inside a word of four or more letters is mistyped with probability `share`.

    It is swapped with the next one, dropped, doubled, or replaced by a neighbour on the keyboard.
    At least one letter is mistyped if the instruction has any such word.
    """

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._share = share

    def change(self, instruction: str, rng: np.random.Generator) -> str:
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
            # The letter with the lowest draw: the one that higher severities mistype first.
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
    """(word, index of its first letter) for all words of letters in a text, except in data."""
    at = 0
    for part, language in _parts(text):
        if language:
            for match in re.finditer(r"[A-Za-z]+", part):
                yield match.group(), at + match.start()
        at += len(part)


class LetterCase(_Words):
    """Letters in another `style`: lower, title, upper, random or alternating case."""

    def __init__(self, streams: RandomStreams, body: Body, style: str) -> None:
        super().__init__(streams, body)
        self._style = style

    def change(self, instruction: str, rng: np.random.Generator) -> str:
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
    """The same in other words: colours, objects, relations, quoted text and numbers stay.

    Each phrase of PHRASES is replaced by a synonym with probability `share`. With `frame`, or if no
    phrase was replaced, the instruction is put into one of the sentences of FRAMES.
    """

    def __init__(self, streams: RandomStreams, body: Body, share: float, frame: bool) -> None:
        super().__init__(streams, body)
        self._share, self._frame = share, frame

    def change(self, instruction: str, rng: np.random.Generator) -> str:
        frame = FRAMES[int(rng.integers(len(FRAMES)))]

        def synonym(match: re.Match[str]) -> str:
            # Both numbers are drawn in any case: other severities then choose the same synonyms.
            draw, choices = rng.random(), PHRASES[match.group().lower()]
            chosen = choices[int(rng.integers(len(choices)))]
            if draw >= self._share:
                return match.group()
            return chosen.capitalize() if match.group()[0].isupper() else chosen

        said = _in_language(instruction, lambda part: _PHRASE.sub(synonym, part))
        return frame.format(said) if self._frame or said == instruction else said


_PHRASE = re.compile(
    r"(?<![\w'-])(?<!and )(?<!press )(?<!the )(?<!an )(?:"
    + "|".join(sorted(PHRASES, key=len, reverse=True))
    + r")(?![\w'-])(?! to\b)",
    re.IGNORECASE,
)
"""Matches phrases used as verbs, not "the open door", "close to" or "press enter"."""


class Distractor(_Words):
    """`count` sentences that have nothing to do with the task, before and after the instruction.

    The instruction itself stays whole.
    """

    def __init__(self, streams: RandomStreams, body: Body, count: int) -> None:
        super().__init__(streams, body)
        self._count = count

    def change(self, instruction: str, rng: np.random.Generator) -> str:
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
    """Each word is missing with probability `share`; words are separated by spaces.

    At least one word is left, and of two or more words at least one is missing.
    """

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._share = share

    def change(self, instruction: str, rng: np.random.Generator) -> str:
        words = instruction.split()
        draws = rng.random(len(words))
        kept = [word for word, draw in zip(words, draws) if draw >= self._share]
        if len(kept) == len(words) > 1:
            kept = [word for word, draw in zip(words, draws) if draw != draws.min()]
        return " ".join(kept or [words[int(draws.argmax())]])


class InstructionBlackout(_Words):
    """The last `share` of the words is missing; with 1 the instruction is empty.

    Shows whether the agent reads its instruction at all.
    """

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._share = share

    def change(self, instruction: str, rng: np.random.Generator) -> str:
        words = instruction.split()
        return " ".join(words[: int(len(words) * (1 - self._share))])
