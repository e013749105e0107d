"""Actions as tokens, and back.

    Box            one code of each codebook (rvq.py) or element (bins.py); these tokens follow
                   those of the text
    Discrete       its name ("pickup"), or its number where names are missing or not distinct
    MultiDiscrete  numbers, each after a space
    Text           the text
    UI             "click 17 23", "type hello", "type at 3 4 hello", "key Enter", "drag 1 2 3 4",
                   "scroll down at 25 25" and so on

A place on a screen is a block (column, row) of a grid, 50 x 50 in the paper. How far to scroll is
left to the environment. Every answer in text ends with the tokenizer's end token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from baselines.gea.bins import Tokenizer
from baselines.gea.grammar import ActionGrammars, Grammar, choice_names
from baselines.gea.rvq import denormalise_action, normalise_action
from baselines.learning.text_tokenizer import TextTokenizer
from harness.core import UI, ActionSpec, BadAction, Box, Discrete, MultiDiscrete, UIAction
from harness.core.ui import FIELDS

__all__ = ["ActionCodec"]


class ActionCodec:
    """Converts between actions and token ids, for any action spec.

    Ids below `text_tokenizer.size` are text; code k of codebook (or element) c is
    `text_tokenizer.size + c * codes + k`. `size` is the number of all ids.
    """

    def __init__(
        self, text_tokenizer: TextTokenizer, action_tokenizer: Tokenizer, screen: int
    ) -> None:
        """`screen`: blocks per side of the grid over a screen."""
        self.text_tokenizer, self.action_tokenizer = text_tokenizer, action_tokenizer
        self._screen = screen
        config = action_tokenizer.config
        self._dims, self._tokens, self._codes = config.dims, config.tokens, config.codes
        self.size = text_tokenizer.size + config.tokens * config.codes
        self._grammars = ActionGrammars(text_tokenizer, config.tokens, config.codes, screen)

    def grammar(self, spec: ActionSpec, observation: Mapping[str, Any]) -> Grammar:
        """What may be answered: all actions of the spec.

        For texts, only the admissible commands, if they are observed.
        """
        return self._grammars.grammar(spec, observation)

    # To tokens

    def encode(self, spec: ActionSpec, action: Any, observation: Mapping[str, Any]) -> list[int]:
        """The token ids of an action. An element's ref becomes the block of its centre."""
        if isinstance(spec, Box):
            return self.encode_all(spec, [action], [observation])[0]
        # Each part is encoded by itself, as in the grammar: BPE would merge tokens across parts.
        parts = self._text_parts(spec, action, observation)
        return [token for part in parts for token in self.text_tokenizer.encode(part)] + [
            self.text_tokenizer.eos
        ]

    def encode_all(
        self, spec: ActionSpec, actions: Sequence[Any], observations: Sequence[Mapping[str, Any]]
    ) -> list[list[int]]:
        """The token ids of several actions; continuous ones are encoded in one batch."""
        if not isinstance(spec, Box):
            return [
                self.encode(spec, action, observation)
                for action, observation in zip(actions, observations)
            ]
        codes = self.action_tokenizer.encode(
            np.stack([normalise_action(spec, action, self._dims) for action in actions])
        )
        offsets = self._codes * np.arange(self._tokens)
        tokens: list[list[int]] = (codes + self.text_tokenizer.size + offsets).tolist()
        return tokens

    def _text_parts(
        self, spec: ActionSpec, action: Any, observation: Mapping[str, Any]
    ) -> list[str]:
        if isinstance(spec, Discrete):
            return [choice_names(spec)[int(action)]]
        if isinstance(spec, MultiDiscrete):
            return [f" {int(number)}" for number in action]
        if isinstance(spec, UI):
            return self._ui_parts(spec, action, observation)
        return [action]

    def _ui_parts(self, spec: UI, action: UIAction, observation: Mapping[str, Any]) -> list[str]:
        centers = {element.ref: element.center for element in observation.get("dom", ())}
        at = self._block(spec, action.x, action.y, action.ref, centers)
        to = self._block(spec, action.to_x, action.to_y, action.to_ref, centers)
        signature = FIELDS[action.kind]
        if ("at" in signature.needs and at is None) or ("to" in signature.needs and to is None):
            return ["wait"]  # the element is not on the page
        if action.kind == "drag":
            return ["drag", *(at or ()), *(to or ())]
        if action.kind == "scroll":
            return ["scroll", f" {action.direction}", *([" at", *at] if at else [])]
        text = [f" {action.text}"] if action.text is not None else []
        if "at" in signature.needs:
            return [
                action.kind,
                *(at or ()),
                *([" with", f" {action.modifier}"] if action.modifier else []),
            ]
        return [action.kind, *([" at", *at] if at else []), *text]

    def _block(
        self,
        spec: UI,
        x: float | None,
        y: float | None,
        ref: int | None,
        centers: Mapping[int, Any],
    ) -> list[str] | None:
        """The column and row of a point in pixels, or of an element's centre."""
        if ref is not None:
            x, y = centers.get(ref, (None, None))
        if x is None or y is None:
            return None
        return [
            f" {min(self._screen - 1, max(0, int(v * self._screen / size)))}"
            for v, size in ((x, spec.width), (y, spec.height))
        ]

    # From tokens

    def decode(self, spec: ActionSpec, tokens: Sequence[int]) -> Any:
        """The action of an answer that the grammar accepts.

        A free text may turn out to be no valid action; the result is then the no-op.
        """
        if isinstance(spec, Box):
            codes = [
                [
                    (token - self.text_tokenizer.size) % self._codes
                    for token in tokens[: self._tokens]
                ]
            ]
            return denormalise_action(spec, self.action_tokenizer.decode(codes)[0])
        size = self.text_tokenizer.size
        text = self.text_tokenizer.decode([token for token in tokens if token < size])
        if isinstance(spec, Discrete):
            return choice_names(spec).index(text.strip())
        if isinstance(spec, MultiDiscrete):
            return np.asarray([int(word) for word in text.split()], np.int64)
        if isinstance(spec, UI):
            try:
                return spec.coerce(self._ui_action(spec, text))[0]
            except (BadAction, ValueError, IndexError):  # for example, a text of blanks only
                return spec.noop()
        return text[: spec.max_length]

    def _ui_action(self, spec: UI, text: str) -> UIAction:
        kind, _, rest = text.partition(" ")
        signature = FIELDS[kind]

        def point(column: str, row: str) -> tuple[float, float]:
            """The centre of a block, in pixels."""
            x = (int(column) + 0.5) * spec.width / self._screen
            return x, (int(row) + 0.5) * spec.height / self._screen

        fields: dict[str, Any] = {}
        words = rest.split(" ")
        if kind == "drag":
            fields["x"], fields["y"] = point(*words[:2])
            fields["to_x"], fields["to_y"] = point(*words[2:4])
        elif "at" in signature.needs:
            fields["x"], fields["y"] = point(*words[:2])
            if words[2:3] == ["with"]:
                fields["modifier"] = " ".join(words[3:])
        elif kind == "scroll":
            fields["direction"] = words[0]
            if words[1:2] == ["at"]:
                fields["x"], fields["y"] = point(*words[2:4])
        elif "text" in signature.needs:
            # "type at 3 4" types "at 3 4": a place counts as one only if a text follows it.
            if (
                "at" in signature.takes
                and words[0] == "at"
                and all(word.isdigit() for word in words[1:3])
                and len(words) > 3
            ):
                fields["x"], fields["y"] = point(*words[1:3])
                rest = " ".join(words[3:])
            fields["text"] = rest[: spec.max_length]
        return UIAction(kind, **fields)
