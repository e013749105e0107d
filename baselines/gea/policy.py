"""The model as a policy: it decides within a grammar, says how likely its answers are, and values where it stands."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.gea.actions import ActionCodec, Grammar
from baselines.gea.backbone import IGNORED, PAD, Backbone
from baselines.gea.config import Config
from baselines.gea.prompt import Prompt
from baselines.gea.rvq import ActionTokenizer
from baselines.gea.words import OwnWords
from harness.core import DOMAINS, UserError

__all__ = ["Choice", "Policy", "alike"]

FILE = "model.safetensors"
PARTS = 4
INTRODUCTIONS = 64
"""Whose keys and values are kept."""


@dataclass(frozen=True)
class Choice:
    """One answer."""

    tokens: tuple[int, ...]
    allowed: tuple[np.ndarray | None, ...]
    """Of each token, which ones the grammar allowed; None where it was the only one."""
    log_probability: float
    """Among what was allowed."""
    values: np.ndarray
    """Of the critic, normalised by PopArt, per domain: see Policy.value."""
    hidden: np.ndarray
    """(width,) float32: the state at the end of the prompt, which the critic looks at."""


class Policy(nn.Module):
    """Backbone, action codec and critic."""

    mean: Tensor
    square: Tensor
    seen: Tensor

    def __init__(self, config: Config, backbone: Backbone, codec: ActionCodec) -> None:
        super().__init__()
        self.config, self.backbone, self.codec = config, backbone, codec
        self._kept: dict[tuple[int, ...], Any] = {}
        width = backbone.width
        layers: list[nn.Module] = []
        for _ in range(3):
            layers += [nn.Linear(width, width), nn.GELU()]
        self.critic = nn.Sequential(*layers)
        self.value_head = nn.Linear(width, len(DOMAINS))
        nn.init.zeros_(self.value_head.weight)
        nn.init.zeros_(self.value_head.bias)
        self.register_buffer("mean", torch.zeros(len(DOMAINS)))
        self.register_buffer("square", torch.ones(len(DOMAINS)))
        self.register_buffer("seen", torch.zeros(len(DOMAINS)))

    # Building, saving, loading

    @classmethod
    def new(cls, config: Config, folder: Path, device: str = "cpu") -> Policy:
        """With the words and codes of a folder that the stage `tokenizer` wrote, and a backbone that has not learned from us yet."""
        tokenizer = ActionTokenizer.load(folder, config.rvq)
        codes = config.rvq.codebooks * config.rvq.codes
        if config.backbone == "nano":
            from baselines.gea.nano import Nano

            backbone: Backbone = Nano(config, OwnWords.load(folder), codes)
        else:
            from baselines.gea.pretrained import Pretrained

            backbone = Pretrained(config, codes)
        policy = cls(config, backbone, ActionCodec(backbone.words, tokenizer, config.screen))
        tokenizer.to(device)
        return policy.to(device)

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu") -> Policy:
        """Weights that `save` wrote, ready to act. Raises UserError when there are none."""
        where = Path(folder)
        config = Config.load(where)
        if not (where / FILE).is_file():
            raise UserError(
                f"{folder} has no {FILE}: bench train gea --stage sft --data DATA --out {folder}"
            )
        policy = cls.new(config, where, device)
        policy.restore(where / FILE)
        return policy.eval()

    def kept(self) -> dict[str, Tensor]:
        """What is saved: what learns, and buffers of ours; of a backbone with LoRA not the backbone."""
        learned = {name: weight for name, weight in self.named_parameters() if weight.requires_grad}
        return {**learned, "mean": self.mean, "square": self.square, "seen": self.seen}

    def save(self, file: Path) -> None:
        """Write model.safetensors, in one step."""
        temporary = file.with_suffix(".new")
        save_file(
            {
                name: value.detach().cpu().contiguous().clone()
                for name, value in self.kept().items()
            },
            temporary,
        )
        temporary.chmod(0o644)  # safetensors writes for the owner alone
        os.replace(temporary, file)

    def restore(self, file: Path) -> None:
        """Take weights from a file. Raises UserError when they are of another model."""
        found, wanted = load_file(file), self.kept()
        wrong = sorted(found.keys() ^ wanted.keys()) or [
            name for name in wanted if wanted[name].shape != found[name].shape
        ]
        if wrong:
            raise UserError(
                f"{file} holds another model than its {Path(file).parent}/config.json describes: {wrong[0]}"
            )
        self.load_state_dict(found, strict=False)

    # Acting

    @torch.inference_mode()
    def decide(
        self,
        prompts: Sequence[Prompt],
        grammars: Sequence[Grammar],
        rngs: Sequence[np.random.Generator] | None = None,
        temperature: float = 1.0,
    ) -> list[Choice]:
        """An answer to each prompt: the likeliest token at each step, or, with `rngs`, one drawn with its probability at this temperature."""
        backbone = self.backbone
        backbone.look_at([seen for prompt in prompts for seen in prompt.looks], keep=True)
        batch = backbone.lay_out(prompts)
        positions = backbone.positions(batch)
        known, past = self._introduced(prompts)
        hidden, past = backbone.lm(
            backbone.embeds(batch)[:, known:], batch.mask, positions[..., known:], past
        )
        ends = hidden[:, -1]
        values = self.value(ends).cpu().numpy()
        following = positions.movedim(-2, 0).reshape(len(prompts), -1).amax(1) + 1
        rows = [
            _Row(grammar, self.config.answer_tokens, backbone.words.eos) for grammar in grammars
        ]
        mask, done = batch.mask, 0
        logits = backbone.logits(ends)
        while True:
            for number, row in enumerate(rows):
                if not row.over and len(row.tokens) == done:
                    row.choose(logits[number] / temperature, None if rngs is None else rngs[number])
            if all(row.over for row in rows):
                break
            fed = [row.tokens[done] if done < len(row.tokens) else PAD for row in rows]
            there = [int(done < len(row.tokens)) for row in rows]
            mask = torch.cat([mask, torch.tensor(there, device=mask.device)[:, None]], 1)
            place = (following + done).expand(*positions.shape[:-1])[..., None]
            embeds = backbone.embed_tokens(torch.tensor(fed, device=mask.device)[:, None])
            hidden, past = backbone.lm(embeds, mask, place, past)
            logits = backbone.logits(hidden[:, -1])
            done += 1
        return [
            Choice(tuple(row.tokens), tuple(row.allowed), row.log_probability, value, end)
            for row, value, end in zip(rows, values, ends.float().cpu().numpy())
        ]

    def _introduced(self, prompts: Sequence[Prompt]) -> tuple[int, Any]:
        """(tokens, their keys and values) of the introduction, which does not change within an episode, where one is asked alone. They are always
        computed by themselves, so an answer is the same whether they were kept."""
        backbone = self.backbone
        said = prompts[0].text[:-1]  # one token is left to ask with, should nothing follow
        if len(prompts) > 1 or not said or not backbone.shares_past:
            return 0, backbone.new_past()
        if said not in self._kept:
            if len(self._kept) >= INTRODUCTIONS:
                self._kept.clear()
            ids = torch.tensor([said], device=backbone.device)
            places = torch.arange(len(said), device=ids.device)[None]
            self._kept[said] = backbone.lm(
                backbone.embed_tokens(ids), torch.ones_like(ids), places, backbone.new_past()
            )[1]
        return len(said), list(self._kept[said])

    def train(self, mode: bool = True) -> Policy:
        """As of any module; what is kept is forgotten, as the weights may change."""
        self._kept.clear()
        return super().train(mode)

    # Learning

    def value(self, hidden: Tensor) -> Tensor:
        """(..., domains), normalised."""
        return self.value_head(self.critic(hidden.to(self.value_head.weight.dtype))).float()

    def precision(self) -> torch.autocast:
        """As the configuration says: matrices are multiplied in bfloat16, or as they are."""
        return torch.autocast(
            self.backbone.device.type, torch.bfloat16, enabled=self.config.mixed_precision
        )

    def sft_loss(self, prompts: Sequence[Prompt], answers: Sequence[Sequence[int]]) -> Tensor:
        """Cross-entropy of the answers' tokens alone, over all tokens there are; computed in parts of like length."""
        losses, count = [], 0
        for part in alike(prompts, PARTS):
            with self.precision():
                hidden, batch = self.backbone.hidden(
                    [prompts[number] for number in part], [answers[number] for number in part]
                )
            targets = batch.targets[:, 1:]
            learned = targets != IGNORED
            losses.append(
                F.cross_entropy(
                    self.backbone.logits(hidden[:, :-1][learned]), targets[learned], reduction="sum"
                )
            )
            count += int(learned.sum())
        return torch.stack(losses).sum() / count

    def evaluate(
        self, prompts: Sequence[Prompt], choices: Sequence[Choice]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(log-probability of each answer among what was allowed, entropy as a share of its largest, values (B, domains))."""
        with self.precision():
            logits, hidden = self.backbone(prompts, [choice.tokens for choice in choices])
        logits = logits / self.config.temperature
        probabilities, entropies = [], []
        for number, choice in enumerate(choices):
            total, entropy, count = logits.new_zeros(()), logits.new_zeros(()), 0
            for place, (token, allowed) in enumerate(zip(choice.tokens, choice.allowed)):
                if allowed is None:
                    continue
                logs = logits[
                    number, place, torch.from_numpy(allowed).to(logits.device)
                ].log_softmax(-1)
                total = total + logs[int(np.searchsorted(allowed, token))]
                entropy = entropy - (logs.exp() * logs).sum() / np.log(len(allowed))
                count += 1
            probabilities.append(total)
            entropies.append(entropy / max(1, count))
        return torch.stack(probabilities), torch.stack(entropies), self.value(hidden)

    def deviation(self) -> Tensor:
        """(domains,): the standard deviation of returns, by PopArt's moments."""
        return (self.square - self.mean**2).clamp(min=1e-8).sqrt().clamp(1e-4, 1e6)

    @torch.no_grad()
    def follow_returns(self, returns: Tensor, domains: Tensor) -> None:
        """PopArt (arXiv 1602.07714): move the moments towards these returns, and the head so that no value changes. The first returns count in
        full, and the moving mean begins behind them: else the head would chase targets of another size for long."""
        mean, deviation = self.mean.clone(), self.deviation()
        for domain in domains.unique().tolist():
            of = returns[domains == domain]
            self.seen[domain] += len(of)
            step = max(1 - (1 - self.config.popart) ** len(of), len(of) / float(self.seen[domain]))
            self.mean[domain] += step * (of.mean() - self.mean[domain])
            self.square[domain] += step * ((of**2).mean() - self.square[domain])
        after = self.deviation()
        self.value_head.weight.mul_((deviation / after)[:, None])
        self.value_head.bias.copy_((deviation * self.value_head.bias + mean - self.mean) / after)


def alike(prompts: Sequence[Prompt], parts: int) -> list[np.ndarray]:
    """The numbers of prompts in parts of like length: what is padded is computed too."""
    order = sorted(
        range(len(prompts)),
        key=lambda number: (
            len(prompts[number].text) + sum(len(seen.text) for seen in prompts[number].looks)
        ),
    )
    return np.array_split(order, min(parts, len(order)))


class _Row:
    """One answer being made. Tokens without an alternative are taken without asking the model."""

    def __init__(self, grammar: Grammar, longest: int, eos: int) -> None:
        self._grammar, self._longest, self._eos = grammar, longest, eos
        self._state = grammar.start
        self.tokens: list[int] = []
        self.allowed: list[np.ndarray | None] = []
        self.log_probability = 0.0
        self.over = False
        self._follow()

    def _follow(self) -> None:
        while not self.over:
            allowed = self._grammar.allowed(self._state)
            if len(self.tokens) >= self._longest and self._eos in allowed:
                allowed = np.asarray([self._eos], np.int64)  # free text ends here
            if len(allowed) != 1:
                self._allowed = allowed
                return
            self._take(int(allowed[0]), None)

    def choose(self, logits: Tensor, rng: np.random.Generator | None) -> None:
        """Take the next token, and all behind it that have no alternative."""
        logs = (
            logits[torch.from_numpy(self._allowed).to(logits.device)]
            .log_softmax(-1)
            .cpu()
            .numpy()
            .astype(np.float64)
        )
        if rng is None:
            place = int(logs.argmax())
        else:
            place = min(int(np.searchsorted(np.cumsum(np.exp(logs)), rng.random())), len(logs) - 1)
        self.log_probability += float(logs[place])
        self._take(int(self._allowed[place]), self._allowed)
        self._follow()

    def _take(self, token: int, allowed: np.ndarray | None) -> None:
        self.tokens.append(token)
        self.allowed.append(allowed)
        self._state = self._grammar.step(self._state, token)
        self.over = self._grammar.over(self._state)
