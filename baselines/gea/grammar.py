"""The grammar of answers: an automaton over tokens that accepts the actions of a spec.

It is a nondeterministic finite automaton with epsilon transitions, which is simulated by tracking
the set of nodes that the tokens so far can reach. Decoding may choose only tokens that lead on
from there, so that every answer is an action; only a free text may still be refused by the spec.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from baselines.learning.text_tokenizer import TextTokenizer
from harness.core import UI, ActionSpec, Box, Discrete, MultiDiscrete
from harness.core.ui import DIRECTIONS, FIELDS

__all__ = ["ActionGrammars", "Grammar", "choice_names"]


class _Node:
    """A node of the automaton. An answer is complete in a `final` node."""

    __slots__ = ("edges", "epsilon", "final", "free_text", "token_range")

    def __init__(self) -> None:
        self.edges: dict[int, list[_Node]] = {}
        """Token to nodes."""
        self.token_range: tuple[int, int, _Node] | None = None
        """(first, end, node): the tokens first <= token < end lead to the node."""
        self.free_text: _Node | None = None
        """Where every token leads that free text may consist of."""
        self.epsilon: list[_Node] = []
        """Nodes that are reached without a token."""
        self.final = False


State = frozenset[_Node]
"""The nodes that the tokens so far can have reached."""


class Grammar:
    """A set of answers. Begin with `state = start`, then apply `next_state` for each token."""

    def __init__(self, start: _Node, free_text_ids: np.ndarray) -> None:
        """`free_text_ids`: int64 (n,), sorted: the tokens that free text may consist of."""
        self._free_text_ids = free_text_ids
        self.start = _epsilon_closure([start])
        # The answers of an episode pass through few states, again and again.
        self._allowed: dict[State, np.ndarray] = {}
        self._next: dict[tuple[State, int], State] = {}

    def allowed(self, state: State) -> np.ndarray:
        """int64 (n,), sorted: the tokens that may come next. Not to be written to."""
        if state not in self._allowed:
            self._allowed[state] = self._tokens_after(state)
        return self._allowed[state]

    def _tokens_after(self, state: State) -> np.ndarray:
        single = sorted({token for node in state for token in node.edges})
        parts = [np.asarray(single, np.int64)]
        parts += [
            np.arange(node.token_range[0], node.token_range[1])
            for node in state
            if node.token_range is not None
        ]
        if any(node.free_text is not None for node in state):
            parts.append(self._free_text_ids)
        return np.unique(np.concatenate(parts)) if len(parts) > 1 else parts[0]

    def next_state(self, state: State, token: int) -> State:
        """The state after a token. Raises KeyError when the token is not allowed."""
        found = self._next.get((state, token))
        if found is None:
            found = self._next[state, token] = self._state_after(state, token)
        return found

    def _state_after(self, state: State, token: int) -> State:
        reached: list[_Node] = []
        for node in state:
            reached += node.edges.get(token, ())
            if node.token_range is not None and node.token_range[0] <= token < node.token_range[1]:
                reached.append(node.token_range[2])
            if node.free_text is not None and self._is_free_text(token):
                reached.append(node.free_text)
        if not reached:
            raise KeyError(token)
        return _epsilon_closure(reached)

    def is_complete(self, state: State) -> bool:
        """Whether the answer is complete."""
        return any(node.final for node in state)

    def accepts(self, tokens: Iterable[int]) -> bool:
        """Whether these tokens are a complete answer."""
        state = self.start
        try:
            for token in tokens:
                state = self.next_state(state, token)
        except KeyError:
            return False
        return self.is_complete(state)

    def _is_free_text(self, token: int) -> bool:
        position = int(np.searchsorted(self._free_text_ids, token))
        return position < len(self._free_text_ids) and self._free_text_ids[position] == token


class ActionGrammars:
    """Builds the grammar of an action space; actions.py describes the answers."""

    def __init__(self, tokenizer: TextTokenizer, codebooks: int, codes: int, screen: int) -> None:
        """`codes` per codebook, the first of which is token `tokenizer.size`.

        `screen`: blocks per side of the grid over a screen.
        """
        self._tokenizer, self._screen = tokenizer, screen
        self._codebooks, self._codes = codebooks, codes
        self._free_text_ids = np.asarray(sorted(tokenizer.free_text_ids()), np.int64)
        # Cached for each object, since a cache on the class would keep all models alive.
        self._of_spec = functools.lru_cache(maxsize=256)(self._build)
        self._of_commands = functools.lru_cache(maxsize=16)(self._build_commands)
        self._free_text_after = functools.lru_cache(maxsize=4)(self._ids_beginning_with)

    def grammar(self, spec: ActionSpec, observation: Mapping[str, Any]) -> Grammar:
        """All actions of the spec; for texts only the admissible commands, if they are observed."""
        commands = (
            observation.get("admissible")
            if not isinstance(spec, (Box, Discrete, MultiDiscrete, UI))
            else None
        )
        if commands:
            return self._of_commands(tuple(commands))
        return self._of_spec(spec)

    def _build_commands(self, commands: tuple[str, ...]) -> Grammar:
        return Grammar(self._one_of(commands, self._end()), self._free_text_ids)

    def _build(self, spec: ActionSpec) -> Grammar:
        return Grammar(self._root(spec), self._free_text_ids)

    # Automata are built from the end: every helper is given the node that comes after its part.

    def _root(self, spec: ActionSpec) -> _Node:
        if isinstance(spec, Box):
            node = _final()
            for level in reversed(range(self._codebooks)):
                before = _Node()
                begin = self._tokenizer.size + level * self._codes
                before.token_range = begin, begin + self._codes, node
                node = before
            return node
        end = self._end()
        if isinstance(spec, Discrete):
            return self._one_of(choice_names(spec), end)
        if isinstance(spec, MultiDiscrete):
            for count in reversed(spec.nvec):
                end = self._one_of([f" {number}" for number in range(count)], end)
            return end
        return self._ui(spec, end) if isinstance(spec, UI) else self._free_text(end)

    def _ui(self, spec: UI, end: _Node) -> _Node:
        numbers = [f" {number}" for number in range(self._screen)]

        def place(then: _Node) -> _Node:
            return self._one_of(numbers, self._one_of(numbers, then))

        root = _Node()
        for kind in spec.kinds:
            signature = FIELDS[kind]
            rest = end
            if kind == "drag":
                rest = place(place(end))
            elif kind == "scroll":
                rest = self._one_of(
                    [f" {direction}" for direction in DIRECTIONS],
                    _union(end, self._one_of([" at"], place(end))),
                )
            elif "at" in signature.needs:
                modifiers = (
                    [
                        self._one_of(
                            [" with"], self._one_of([f" {key}" for key in spec.modifiers], end)
                        )
                    ]
                    if spec.modifiers
                    else []
                )
                rest = place(_union(end, *(modifiers if "modifier" in signature.takes else ())))
            elif "text" in signature.needs:
                names = {"key": spec.keys, "open_app": spec.apps}.get(kind, ())
                text = (
                    self._one_of([f" {name}" for name in names], end)
                    if names
                    else self._free_text(end, " ")
                )
                rest = (
                    _union(text, self._one_of([" at"], place(text)))
                    if "at" in signature.takes
                    else text
                )
            root.epsilon.append(self._one_of([kind], rest))
        return root

    def _end(self) -> _Node:
        """The tokenizer's end token, then the end of the answer."""
        node = _Node()
        node.edges[self._tokenizer.eos] = [_final()]
        return node

    def _free_text(self, then: _Node, prefix: str = "") -> _Node:
        """Free text of at least one token, the first of which begins with `prefix`."""
        more = _Node()
        more.free_text = more
        more.epsilon.append(then)
        first = _Node()
        if prefix:
            for token in self._free_text_after(prefix):
                first.edges[token] = [more]
        else:
            first.free_text = more
        return first

    def _ids_beginning_with(self, prefix: str) -> tuple[int, ...]:
        return tuple(
            int(token)
            for token in self._free_text_ids
            if self._tokenizer.decode([int(token)]).startswith(prefix)
        )

    def _one_of(self, texts: Sequence[str], then: _Node) -> _Node:
        """A trie of the tokens of texts, each of which leads to `then`."""
        root = _Node()
        for text in texts:
            node = root
            for token in self._tokenizer.encode(text):
                children = node.edges.setdefault(token, [])
                if not children:
                    children.append(_Node())
                node = children[0]
            if then not in node.epsilon:
                node.epsilon.append(then)
        return root


def _final() -> _Node:
    node = _Node()
    node.final = True
    return node


def _union(*nodes: _Node) -> _Node:
    """A node from which any of these is reached."""
    root = _Node()
    root.epsilon += nodes
    return root


def _epsilon_closure(nodes: Iterable[_Node]) -> State:
    """The nodes and all that are reached from them without a token."""
    found: set[_Node] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += node.epsilon
    return frozenset(found)


@functools.lru_cache(maxsize=256)
def choice_names(spec: Discrete) -> tuple[str, ...]:
    """The choices' names, or their numbers where names are missing or not distinct."""
    names = tuple(name.strip() for name in spec.names)
    return names if len(set(names)) == spec.n and all(names) else tuple(map(str, range(spec.n)))
