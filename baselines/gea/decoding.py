"""Constrained decoding of one answer: only tokens that its grammar allows are ever chosen."""

from __future__ import annotations

import numpy as np

from baselines.gea.grammar import Grammar

__all__ = ["AnswerDecoder"]


class AnswerDecoder:
    """An answer under construction. Tokens without an alternative are added without the model."""

    def __init__(self, grammar: Grammar, longest: int, eos: int) -> None:
        """`longest`: tokens after which the answer ends as soon as the grammar allows `eos`."""
        self._grammar, self._longest, self._eos = grammar, longest, eos
        self._state = grammar.start
        self.tokens: list[int] = []
        self.allowed: list[np.ndarray | None] = []
        """For each token, the sorted ids it was chosen from; None if it was the only one."""
        self.log_probability = 0.0
        """Sum over all tokens with an alternative."""
        self.complete = False
        self.alternatives = np.zeros(0, np.int64)
        """int64 (n,), sorted: the ids of which the next token is one, until it is complete."""
        self._advance()

    def _advance(self) -> None:
        """Add tokens up to the next one that has an alternative."""
        while not self.complete:
            allowed = self._grammar.allowed(self._state)
            if len(self.tokens) >= self._longest and self._eos in allowed:
                allowed = np.asarray([self._eos], np.int64)  # only a free text is that long
            if len(allowed) != 1:
                self.alternatives = allowed
                return
            self._add(int(allowed[0]), None)

    def choose(self, log_probabilities: np.ndarray, rng: np.random.Generator | None) -> None:
        """Add the most likely token, or with `rng` a sampled one, and all that follow from it.

        `log_probabilities`: float64 (n,), of the `alternatives`.
        """
        if rng is None:
            index = int(log_probabilities.argmax())
        else:
            # Inverse transform sampling. `min`: rounding may leave the sum below the number drawn.
            cdf = np.cumsum(np.exp(log_probabilities))
            index = min(int(np.searchsorted(cdf, rng.random())), len(log_probabilities) - 1)
        self.log_probability += float(log_probabilities[index])
        self._add(int(self.alternatives[index]), self.alternatives)
        self._advance()

    def _add(self, token: int, allowed: np.ndarray | None) -> None:
        self.tokens.append(token)
        self.allowed.append(allowed)
        self._state = self._grammar.next_state(self._state, token)
        self.complete = self._grammar.is_complete(self._state)
