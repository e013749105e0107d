"""Perturbed instructions: typos, letter case, distractors, and missing words.

Names, numbers and quoted texts are compared letter by letter: they may be missing, but they are
never altered. The result depends only on the instruction and the episode's random stream, so an
instruction reads the same at every step.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import numpy as np

from harness.perturb.effects import Body, Effect, NotApplicable, RandomStreams
from harness.perturb.wording import exact_spans

__all__ = ["Distractor", "Instruction", "InstructionBlackout", "LetterCase", "Typos", "WordDropout"]

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


class Instruction(Effect):
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

    def need_change(self) -> None:
        """Raises NotApplicable if the instruction at the start stays as it is."""
        if self.say(self.body.instruction) == self.body.instruction:
            raise NotApplicable("it changes nothing in this instruction")


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """(part, whether it may be altered) in order; the parts joined are the text."""
    at = 0
    for start, end in exact_spans(text):
        yield text[at:start], True
        yield text[start:end], False
        at = end
    yield text[at:], True


def _in_language(text: str, change: Callable[[str], str]) -> str:
    return "".join(change(part) if language else part for part, language in _parts(text))


class Typos(Instruction):
    """Each letter inside a word of four or more letters is mistyped with probability `share`.

    It is swapped with the next one, dropped, doubled, or replaced by a neighbour on the keyboard.
    At least one letter is mistyped if the instruction has any such word.
    """

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._share = share
        self.need_change()

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
            letter, following = instruction[place], instruction[place + 1]
            if kind == 0 and place + 1 not in wrong and following != letter:
                letters[place], letters[place + 1] = following, letter
            elif kind == 1:
                letters[place] = ""
            elif kind == 3 and letter in NEIGHBOURS:
                letters[place] = NEIGHBOURS[letter]
            else:
                letters[place] = letter * 2
        return "".join(letters)


def _words(text: str) -> Iterator[tuple[str, int]]:
    """(word, index of its first letter) for all words of letters in a text that may be altered."""
    at = 0
    for part, language in _parts(text):
        if language:
            for match in re.finditer(r"[A-Za-z]+", part):
                yield match.group(), at + match.start()
        at += len(part)


class LetterCase(Instruction):
    """Letters in another `style`: lower, title, upper, random or alternating case."""

    def __init__(self, streams: RandomStreams, body: Body, style: str) -> None:
        super().__init__(streams, body)
        self._style = style
        self.need_change()

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
        said = _in_language(instruction, styles[self._style])
        if said == instruction and self._style == "random":
            return _in_language(instruction, str.swapcase)
        return said


class Distractor(Instruction):
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


class WordDropout(Instruction):
    """Each word is missing with probability `share`; words are separated by spaces.

    At least one word is left, and of two or more words at least one is missing.
    """

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._share = share
        self.need_change()

    def change(self, instruction: str, rng: np.random.Generator) -> str:
        words = instruction.split()
        draws = rng.random(len(words))
        kept = [word for word, draw in zip(words, draws) if draw >= self._share]
        if len(kept) == len(words) > 1:
            kept = [word for word, draw in zip(words, draws) if draw != draws.min()]
        return " ".join(kept or [words[int(draws.argmax())]])


class InstructionBlackout(Instruction):
    """The last `share` of the words is missing; with 1 the instruction is empty.

    Shows whether the agent reads its instruction at all.
    """

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._share = share

    def change(self, instruction: str, rng: np.random.Generator) -> str:
        words = instruction.split()
        return " ".join(words[: int(len(words) * (1 - self._share))])
