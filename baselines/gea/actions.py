"""Actions as tokens and back, and the grammar that decoding follows: what an episode's action space allows, and nothing else.

    Box            one code of each codebook (rvq.py), as tokens behind those of the text
    Discrete       its name as text ("pickup"), or its number where names are missing or shared
    MultiDiscrete  numbers, each behind a space
    Text           the text; one of the admissible commands where the agent sees them
    UI             a line such as "click 17 23", "type hello", "type at 3 4 hello", "key Enter", "scroll down at 25 25", "drag 1 2 3 4";
                   places are blocks of a grid over the screen, 50 x 50 in the paper. The amount of a scroll is left to the environment

Every text answer ends with the tokenizer's end token.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from baselines.gea.rvq import ActionTokenizer, denormalised, normalised
from baselines.gea.words import Words
from harness.core import UI, ActionSpec, BadAction, Box, Discrete, MultiDiscrete, UIAction
from harness.core.ui import DIRECTIONS, FIELDS

__all__ = ["ActionCodec", "Grammar"]

State = frozenset["_Node"]


class _Node:
    """A state of the automaton: which token leads where, and where one may go without a token."""

    __slots__ = ("edges", "final", "free", "skips", "span")

    def __init__(self) -> None:
        self.edges: dict[int, list[_Node]] = {}
        self.span: tuple[int, int, _Node] | None = None
        """Tokens from the first to below the second."""
        self.free: _Node | None = None
        """Any token that text may consist of."""
        self.skips: list[_Node] = []
        self.final = False


class Grammar:
    """A set of answers, as an automaton over tokens. `state = grammar.start`, then `step` for each token until `over`."""

    def __init__(self, start: _Node, writable: np.ndarray) -> None:
        self._writable = writable
        self.start = _closed([start])

    def allowed(self, state: State) -> np.ndarray:
        """The tokens that may come next: int64, sorted."""
        single = sorted({token for node in state for token in node.edges})
        parts = [np.asarray(single, np.int64)]
        parts += [np.arange(node.span[0], node.span[1]) for node in state if node.span is not None]
        if any(node.free is not None for node in state):
            parts.append(self._writable)
        return np.unique(np.concatenate(parts)) if len(parts) > 1 else parts[0]

    def step(self, state: State, token: int) -> State:
        """The state behind a token. Raises KeyError when it was not allowed."""
        reached: list[_Node] = []
        for node in state:
            reached += node.edges.get(token, ())
            if node.span is not None and node.span[0] <= token < node.span[1]:
                reached.append(node.span[2])
            if node.free is not None and self._is_writable(token):
                reached.append(node.free)
        if not reached:
            raise KeyError(token)
        return _closed(reached)

    def over(self, state: State) -> bool:
        """Whether the answer is complete."""
        return any(node.final for node in state)

    def takes(self, tokens: Iterable[int]) -> bool:
        """Whether these tokens are an answer."""
        state = self.start
        try:
            for token in tokens:
                state = self.step(state, token)
        except KeyError:
            return False
        return self.over(state)

    def _is_writable(self, token: int) -> bool:
        place = int(np.searchsorted(self._writable, token))
        return place < len(self._writable) and self._writable[place] == token


def _closed(nodes: Iterable[_Node]) -> State:
    found: set[_Node] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += node.skips
    return frozenset(found)


class ActionCodec:
    """Between actions and tokens, for any action spec. Text tokens come first, then the codes, codebook by codebook."""

    def __init__(self, words: Words, tokenizer: ActionTokenizer, screen: int) -> None:
        self.words, self.tokenizer, self._screen = words, tokenizer, screen
        config = tokenizer.config
        self._dims, self._codebooks, self._codes = config.dims, config.codebooks, config.codes
        self.size = words.size + config.codebooks * config.codes
        """All tokens."""
        self._writable = np.asarray(sorted(words.writable()), np.int64)
        self._kept = functools.lru_cache(maxsize=256)(self._of_spec)

    # To tokens

    def tokens(self, spec: ActionSpec, action: Any, observation: Mapping[str, Any]) -> list[int]:
        """The answer that says `action`. An element named by its ref becomes the place of its middle."""
        if isinstance(spec, Box):
            return self.all_tokens(spec, [action], [observation])[0]
        said = self._said(spec, action, observation)
        return [token for part in said for token in self.words.encode(part)] + [self.words.eos]

    def all_tokens(
        self, spec: ActionSpec, actions: Sequence[Any], observations: Sequence[Mapping[str, Any]]
    ) -> list[list[int]]:
        """The answers that say these actions: continuous ones are encoded at once."""
        if not isinstance(spec, Box):
            return [
                self.tokens(spec, action, observation)
                for action, observation in zip(actions, observations)
            ]
        codes = self.tokenizer.encode(
            np.stack([normalised(spec, action, self._dims) for action in actions])
        )
        return (codes + self.words.size + self._codes * np.arange(self._codebooks)).tolist()

    def _said(self, spec: ActionSpec, action: Any, observation: Mapping[str, Any]) -> list[str]:
        if isinstance(spec, Discrete):
            return [_names(spec)[int(action)]]
        if isinstance(spec, MultiDiscrete):
            return [f" {int(number)}" for number in action]
        if isinstance(spec, UI):
            return self._screen_words(spec, action, observation)
        return [action]

    def _screen_words(
        self, spec: UI, action: UIAction, observation: Mapping[str, Any]
    ) -> list[str]:
        centers = {element.ref: element.center for element in observation.get("dom", ())}
        at = self._place(spec, action.x, action.y, action.ref, centers)
        to = self._place(spec, action.to_x, action.to_y, action.to_ref, centers)
        form = FIELDS[action.kind]
        if ("at" in form.needs and at is None) or ("to" in form.needs and to is None):
            return ["wait"]
        if action.kind == "drag":
            return ["drag", *(at or ()), *(to or ())]
        if action.kind == "scroll":
            return ["scroll", f" {action.direction}", *([" at", *at] if at else [])]
        named = [f" {action.text}"] if action.text is not None else []
        if "at" in form.needs:
            return [
                action.kind,
                *(at or ()),
                *([" with", f" {action.modifier}"] if action.modifier else []),
            ]
        return [action.kind, *([" at", *at] if at else []), *named]

    def _place(
        self,
        spec: UI,
        x: float | None,
        y: float | None,
        ref: int | None,
        centers: Mapping[int, Any],
    ) -> list[str] | None:
        if ref is not None:
            x, y = centers.get(ref, (None, None))
        if x is None or y is None:
            return None
        return [
            f" {min(self._screen - 1, max(0, int(v * self._screen / size)))}"
            for v, size in ((x, spec.width), (y, spec.height))
        ]

    # From tokens

    def action(self, spec: ActionSpec, tokens: Sequence[int]) -> Any:
        """The action that an answer says; the one that does nothing where free text says none."""
        if isinstance(spec, Box):
            codes = [
                [(token - self.words.size) % self._codes for token in tokens[: self._codebooks]]
            ]
            return denormalised(spec, self.tokenizer.decode(codes)[0])
        text = self.words.decode([token for token in tokens if token < self.words.size])
        if isinstance(spec, Discrete):
            return _names(spec).index(text.strip())
        if isinstance(spec, MultiDiscrete):
            return np.asarray([int(word) for word in text.split()], np.int64)
        if isinstance(spec, UI):
            try:
                return spec.coerce(self._screen_action(spec, text))[0]
            except (BadAction, ValueError, IndexError):  # free text of blanks alone, say
                return spec.noop()
        return text[: spec.max_length]

    def _screen_action(self, spec: UI, text: str) -> UIAction:
        kind, _, rest = text.partition(" ")
        form = FIELDS[kind]

        def point(x: str, y: str) -> tuple[float, float]:
            return (int(x) + 0.5) * spec.width / self._screen, (
                int(y) + 0.5
            ) * spec.height / self._screen

        fields: dict[str, Any] = {}
        words = rest.split(" ")
        if kind == "drag":
            fields["x"], fields["y"] = point(*words[:2])
            fields["to_x"], fields["to_y"] = point(*words[2:4])
        elif "at" in form.needs:
            fields["x"], fields["y"] = point(*words[:2])
            if words[2:3] == ["with"]:
                fields["modifier"] = " ".join(words[3:])
        elif kind == "scroll":
            fields["direction"] = words[0]
            if words[1:2] == ["at"]:
                fields["x"], fields["y"] = point(*words[2:4])
        elif "text" in form.needs:
            if (
                "at" in form.takes
                and words[0] == "at"
                and all(word.isdigit() for word in words[1:3])
                and len(words) > 3
            ):
                fields["x"], fields["y"] = point(*words[1:3])
                rest = " ".join(words[3:])
            fields["text"] = rest[: spec.max_length]
        return UIAction(kind, **fields)

    # The grammar

    def grammar(self, spec: ActionSpec, observation: Mapping[str, Any]) -> Grammar:
        """What may be answered now: all of the spec, or of a Text the admissible commands where they are seen."""
        commands = (
            observation.get("admissible")
            if not isinstance(spec, (Box, Discrete, MultiDiscrete, UI))
            else None
        )
        if commands:
            return Grammar(self._one_of(list(commands), self._ended()), self._writable)
        return self._kept(spec)

    def _of_spec(self, spec: ActionSpec) -> Grammar:
        return Grammar(self._root(spec), self._writable)

    def _root(self, spec: ActionSpec) -> _Node:
        if isinstance(spec, Box):
            node = _final()
            for level in reversed(range(self._codebooks)):
                before = _Node()
                begin = self.words.size + level * self._codes
                before.span = begin, begin + self._codes, node
                node = before
            return node
        ended = self._ended()
        if isinstance(spec, Discrete):
            return self._one_of(_names(spec), ended)
        if isinstance(spec, MultiDiscrete):
            for count in reversed(spec.nvec):
                ended = self._one_of([f" {number}" for number in range(count)], ended)
            return ended
        return self._screen_grammar(spec, ended) if isinstance(spec, UI) else self._text(ended)

    def _screen_grammar(self, spec: UI, ended: _Node) -> _Node:
        numbers = [f" {number}" for number in range(self._screen)]

        def place(then: _Node) -> _Node:
            return self._one_of(numbers, self._one_of(numbers, then))

        root = _Node()
        for kind in spec.kinds:
            form = FIELDS[kind]
            rest = ended
            if kind == "drag":
                rest = place(place(ended))
            elif kind == "scroll":
                rest = self._one_of(
                    [f" {direction}" for direction in DIRECTIONS],
                    _either(ended, self._one_of([" at"], place(ended))),
                )
            elif "at" in form.needs:
                held = (
                    [
                        self._one_of(
                            [" with"], self._one_of([f" {key}" for key in spec.modifiers], ended)
                        )
                    ]
                    if spec.modifiers
                    else []
                )
                rest = place(_either(ended, *(held if "modifier" in form.takes else ())))
            elif "text" in form.needs:
                named = {"key": spec.keys, "open_app": spec.apps}.get(kind, ())
                said = (
                    self._one_of([f" {name}" for name in named], ended)
                    if named
                    else self._text(ended, " ")
                )
                rest = (
                    _either(said, self._one_of([" at"], place(said)))
                    if "at" in form.takes
                    else said
                )
            root.skips.append(self._one_of([kind], rest))
        return root

    def _ended(self) -> _Node:
        node = _Node()
        node.edges[self.words.eos] = [_final()]
        return node

    def _text(self, ended: _Node, begin: str = "") -> _Node:
        """Free text of one token at least, then the end. `begin` stands ahead of it, as part of its first token or alone."""
        more = _Node()
        more.free = more
        more.skips.append(ended)
        first = _Node()
        first.free = more
        if begin:
            first.free = None
            spaced = self._writable_after(begin)
            for token in spaced:
                first.edges[token] = [more]
        return first

    @functools.lru_cache(maxsize=4)  # noqa: B019 - a codec lives as long as its model
    def _writable_after(self, begin: str) -> tuple[int, ...]:
        return tuple(
            int(token)
            for token in self._writable
            if self.words.decode([int(token)]).startswith(begin)
        )

    def _one_of(self, texts: Sequence[str], then: _Node) -> _Node:
        """A trie of texts, each leading to `then`."""
        root = _Node()
        for text in texts:
            node = root
            for token in self.words.encode(text):
                below = node.edges.setdefault(token, [])
                if not below:
                    below.append(_Node())
                node = below[0]
            if then not in node.skips:
                node.skips.append(then)
        return root


def _final() -> _Node:
    node = _Node()
    node.final = True
    return node


def _either(*nodes: _Node) -> _Node:
    root = _Node()
    root.skips += nodes
    return root


@functools.lru_cache(maxsize=256)
def _names(spec: Discrete) -> tuple[str, ...]:
    """Each choice in words that no other has."""
    names = tuple(name.strip() for name in spec.names)
    return names if len(set(names)) == spec.n and all(names) else tuple(map(str, range(spec.n)))
