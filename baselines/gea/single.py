"""`nano` on a CPU: one turn at a time, in few operations.

What `Policy.decide` computes for a batch, this computes for one prompt. With some dozens of tokens
of 128 channels, the general code spends most of its time between the products of matrices. Here

- there is no batch and no padding, and nothing is computed for a critic;
- buffers are made once. Small operations are NumPy's, which begin sooner, on the memory of tensors;
  products are PyTorch's, whose threads the agent sets: NumPy's would depend on the environment;
- the channels of queries and keys lie so that their rotation is one product of complex numbers;
- keys and values of the introduction stay in the buffer while it stays the same;
- logits are computed only of the tokens that the grammar allows.

Sums are added up in another order than in `decide`, so numbers agree up to rounding (1e-6). An
answer depends on nothing but its prompt, whatever else is asked at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.gea.decoding import AnswerDecoder
from baselines.gea.grammar import Grammar
from baselines.gea.llama import EPSILON, FusedBlock
from baselines.gea.nano import Nano
from baselines.gea.prompt import Prompt
from baselines.gea.single_inputs import InputRows

__all__ = ["SingleTurns"]

INTRODUCTIONS = 64
"""Whose keys and values are kept."""
FEW = 128
"""Tokens whose output weights are gathered; of more, those of a range are multiplied in place."""


@dataclass(frozen=True)
class _Block:
    """The matrices of a block, each (channels read, channels made)."""

    qkv: Tensor
    out: Tensor
    gate_up: Tensor
    down: Tensor


class SingleTurns:
    """Answers prompts with the weights of `nano`, which must stay as they are."""

    def __init__(self, nano: Nano) -> None:
        llama = nano.model
        self._nano = nano
        self._inputs = InputRows(nano)
        self._width, self._heads = nano.width, llama.heads
        with torch.no_grad():
            order = _pairs_side_by_side(self._width, self._heads)
            self._blocks = [_prepared(FusedBlock.of(block), order) for block in llama.layers]
            table = torch.cat([llama.embed_tokens.weight, nano.code_embedding.weight])
            outputs = torch.cat([llama.embed_tokens.weight, nano.code_head.weight])
            self._outputs = (outputs * llama.norm.weight).contiguous()
            """(tokens, width): text, then codes; the last normalisation's weights are part of it.
            """
            self._table: np.ndarray = table.numpy().copy()
            self._frequencies = llama.inverse_frequencies[: self._width // self._heads // 2]
        self._mlp = self._blocks[0].down.shape[0] if self._blocks else 0
        self._introductions: dict[tuple[int, ...], list[np.ndarray]] = {}
        self._loaded: tuple[int, ...] = ()
        """The introduction whose keys and values are at the begin of the buffers."""
        self._hidden = torch.zeros(0, self._width)
        self._reserve(256)

    @torch.inference_mode()
    def answer(
        self,
        prompt: Prompt,
        grammar: Grammar,
        rng: np.random.Generator | None = None,
        temperature: float = 1.0,
    ) -> AnswerDecoder:
        """The answer within its grammar: the likeliest one, or with `rng` one that is sampled."""
        config, tokenizer = self._nano.config, self._nano.text_tokenizer
        answer = AnswerDecoder(grammar, config.answer_tokens, tokenizer.eos)
        begin, ids, features = self._sequence(prompt)
        ids += answer.tokens  # those at its begin that have no alternative
        end = begin + len(ids)
        self._reserve(end + config.answer_tokens + 1)
        self._load(prompt.introduction[:-1])
        self._embed(ids)
        for place, rows in features:
            self._hidden_rows[place : place + len(rows)] = rows
        while not answer.complete:
            last = self._last_hidden(begin, end)
            fed = len(answer.tokens)
            answer.choose(self._log_probabilities(last, answer.alternatives, temperature), rng)
            new = answer.tokens[fed:]
            self._embed(new)
            begin, end = end, end + len(new)
        return answer

    def _sequence(self, prompt: Prompt) -> tuple[int, list[int], list[tuple[int, np.ndarray]]]:
        """(tokens of the introduction that are left out, the ids of all others, features).

        The last token of the introduction is never left out. Features are rows and where they
        stand among the ids, which are 0 there.
        """
        introduction = prompt.introduction
        ids = list(introduction[-1:])
        features = []
        last = len(prompt.steps) - 1
        for number, step in enumerate(prompt.steps):
            rows = self._inputs.of(step, past=number < last)
            if len(rows):
                features.append((len(ids), rows))
                ids += [0] * len(rows)
            if number == last:
                ids += step.text
            else:
                ids += step.text[: self._nano.config.text_tokens // 4]
                ids += prompt.actions[number]
        return max(0, len(introduction) - 1), ids, features

    def _reserve(self, length: int) -> None:
        """Make the buffers, or make them longer."""
        if length <= len(self._hidden):
            return
        length = max(length, 2 * len(self._hidden))
        width = self._width
        self._hidden, self._normed = torch.zeros(length, width), torch.zeros(length, width)
        self._gate_up = torch.zeros(length, 2 * self._mlp)
        self._hidden_rows, self._normed_rows = self._hidden.numpy(), self._normed.numpy()
        self._qkv = [torch.zeros(length, 3 * width) for _ in self._blocks]
        self._qkv_rows = [each.numpy() for each in self._qkv]
        # (1, heads, length, channels) each: queries, keys and values
        parts = [each.view(length, 3, self._heads, -1).permute(1, 2, 0, 3) for each in self._qkv]
        self._attended = [(each[0:1], each[1:2], each[2:3]) for each in parts]
        self._causal = torch.full((length, length), -torch.inf).triu(1)
        angles = torch.arange(length, dtype=torch.float32)[:, None] * self._frequencies
        turns = torch.polar(torch.ones_like(angles), angles)
        self._turns: np.ndarray = turns.repeat(1, 2 * self._heads).numpy()
        """complex64 (length, width): by how much queries and keys are turned at each position."""
        self._loaded = ()

    def _load(self, introduction: tuple[int, ...]) -> None:
        """Have the keys and values of an introduction at the begin of the buffers."""
        if introduction == self._loaded:
            return
        count = len(introduction)
        kept = self._introductions.get(introduction) if count else []
        if kept is None:
            self._embed(introduction)
            self._last_hidden(0, count)
            if len(self._introductions) >= INTRODUCTIONS:
                self._introductions.clear()
            kept = [rows[:count].copy() for rows in self._qkv_rows]
            self._introductions[introduction] = kept
        else:
            for rows, known in zip(self._qkv_rows, kept):
                rows[:count] = known
        self._loaded = introduction

    def _embed(self, ids: Any) -> None:
        """Put the embeddings of tokens at the begin of the hidden states."""
        self._hidden_rows[: len(ids)] = self._table[list(ids)]

    def _last_hidden(self, begin: int, end: int) -> Tensor:
        """(width,): the normalised hidden state of the last of the tokens begin <= i < end.

        Their embeddings are the first rows of the hidden states. Keys and values of the tokens
        before are in the buffers; those of these tokens are added.
        """
        count, width, mlp = end - begin, self._width, self._mlp
        hidden, hidden_rows = self._hidden[:count], self._hidden_rows[:count]
        normed, normed_rows = self._normed[:count], self._normed_rows[:count]
        causal = None if count == 1 else self._causal[begin:end, :end]
        turns = self._turns[begin:end]
        for number, block in enumerate(self._blocks):
            _normalise(hidden_rows, normed_rows)
            torch.mm(normed, block.qkv, out=self._qkv[number][begin:end])
            turned = self._qkv_rows[number][begin:end, : 2 * width].view(np.complex64)
            np.multiply(turned, turns, out=turned)
            queries, keys, values = self._attended[number]
            if number == len(self._blocks) - 1:
                # Of the earlier tokens only the keys and values are needed.
                hidden, hidden_rows = hidden[-1:], hidden_rows[-1:]
                normed, normed_rows = normed[-1:], normed_rows[-1:]
                begin, count, causal = end - 1, 1, None
            mixed = F.scaled_dot_product_attention(
                queries.narrow(2, begin, count),
                keys.narrow(2, 0, end),
                values.narrow(2, 0, end),
                causal,
            )
            hidden.addmm_(mixed.transpose(1, 2).reshape(count, width), block.out)
            _normalise(hidden_rows, normed_rows)
            gate_up = torch.mm(normed, block.gate_up, out=self._gate_up[:count])
            gate, up = gate_up[:, :mlp], gate_up[:, mlp:]
            hidden.addmm_(F.silu(gate).mul_(up), block.down)
        _normalise(hidden_rows[-1:], normed_rows[-1:])
        return normed[-1]

    def _log_probabilities(
        self, hidden: Tensor, tokens: np.ndarray, temperature: float
    ) -> np.ndarray:
        """float64 (n,): of `tokens`, int64 (n,) and sorted, among themselves."""
        first, count = int(tokens[0]), len(tokens)
        if count == int(tokens[-1]) - first + 1:
            weights = self._outputs[first : first + count]
            logits = torch.mv(weights, hidden).numpy()
        elif count <= FEW:
            logits = torch.mv(self._outputs[torch.from_numpy(tokens)], hidden).numpy()
        else:
            logits = torch.mv(self._outputs, hidden).numpy()[tokens]
        scores = (logits / np.float32(temperature)).astype(np.float64)
        scores -= scores.max()
        result: np.ndarray = scores - np.log(np.exp(scores).sum())
        return result


def _normalise(values: np.ndarray, out: np.ndarray) -> None:
    """The root mean square normalisation without weights, of float32 (T, width)."""
    squares = np.einsum("ij,ij->i", values, values)
    squares /= values.shape[1]
    squares += EPSILON
    np.divide(values, np.sqrt(squares, out=squares)[:, None], out=out)


def _pairs_side_by_side(width: int, heads: int) -> Tensor:
    """int64 (width,): the channels of all heads, each i followed by its partner i + channels / 2.

    The two are a complex number then, which the rotary embedding multiplies by another one.
    """
    channels = width // heads
    return torch.arange(width).view(heads, 2, channels // 2).transpose(1, 2).reshape(-1)


def _prepared(block: FusedBlock, order: Tensor) -> _Block:
    """The matrices as they are multiplied from the right, channels of queries and keys in order."""
    queries, keys, values = block.qkv.chunk(3)
    return _Block(
        torch.cat([queries[order], keys[order], values]).t().contiguous(),
        block.out.t().contiguous(),
        block.gate_up.t().contiguous(),
        block.down.t().contiguous(),
    )
