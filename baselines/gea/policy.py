"""The model as a policy: it samples answers, scores them, and estimates the value of a state."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.gea.actions import ActionCodec
from baselines.gea.backbone import IGNORED, PAD, Backbone, Batch
from baselines.gea.bins import load_tokenizer
from baselines.gea.config import Config
from baselines.gea.critic import critic_layers, mean_images
from baselines.gea.decoding import AnswerDecoder
from baselines.gea.grammar import Grammar
from baselines.gea.prompt import Prompt
from baselines.learning.text_tokenizer import NanoTokenizer
from harness.core import DOMAINS, UserError

__all__ = ["Decision", "Policy", "length_buckets", "trained_tokens"]

FILE = "model.safetensors"
SFT_PARTS = 4
"""Forward passes per batch of SFT, by length: less padding is computed."""


@dataclass(frozen=True)
class Decision:
    """One answer, and what PPO needs to learn from it."""

    tokens: tuple[int, ...]
    allowed: tuple[np.ndarray | None, ...]
    """For each token, int64 (n,): the sorted ids that the grammar allowed; None if just one."""
    log_probability: float
    """Of the answer, among the answers that the grammar allowed."""
    values: np.ndarray
    """float32 (domains,): the critic's estimates, normalised by PopArt."""
    hidden: np.ndarray
    """float32 (width,): the critic's input, the hidden state at the end of the prompt.

    With `critic_images` (2 width,): the mean of the images' rows follows.
    """


class Policy(nn.Module):
    """Backbone, action codec and critic.

    The names of modules, parameters and buffers are those of the tensors in model.safetensors.
    """

    mean: Tensor
    """float32 (domains,): PopArt's moving mean of the returns."""
    square: Tensor
    """float32 (domains,): PopArt's moving mean of the squared returns."""
    seen: Tensor
    """float32 (domains,): number of returns so far."""

    def __init__(self, config: Config, backbone: Backbone, codec: ActionCodec) -> None:
        super().__init__()
        self.config, self.backbone, self.codec = config, backbone, codec
        width = backbone.width
        self.critic, self.value_head = critic_layers(config, width)
        self.auxiliary = nn.Linear(width, config.numbers) if config.auxiliary else None
        """Predicts numbers of the demonstrations during SFT; it is not saved with the weights."""
        self.register_buffer("mean", torch.zeros(len(DOMAINS)))
        self.register_buffer("square", torch.ones(len(DOMAINS)))
        self.register_buffer("seen", torch.zeros(len(DOMAINS)))

    def see_as(self, config: Config) -> None:
        """See contexts as another configuration of the same weights says."""
        self.config = self.backbone.config = config

    # Building, saving, loading

    @classmethod
    def new(cls, config: Config, folder: Path, device: str = "cpu") -> Policy:
        """A policy before SFT, with the tokenizers in a folder that the stage `tokenizer` wrote.

        Raises UserError when the folder has none, or the backbone does not load.
        """
        tokenizer = load_tokenizer(folder, config.rvq)
        codes = config.rvq.tokens * config.rvq.codes
        if config.backbone == "nano":
            from baselines.gea.nano import Nano

            backbone: Backbone = Nano(config, NanoTokenizer.load(folder), codes)
        else:
            from baselines.gea.pretrained import Pretrained

            backbone = Pretrained(config, codes)
        codec = ActionCodec(backbone.text_tokenizer, tokenizer, config.screen)
        policy = cls(config, backbone, codec)
        tokenizer.to(device)
        return policy.to(device)

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu") -> Policy:
        """The policy in a folder of weights, ready to act. Raises UserError when there is none."""
        where = Path(folder)
        config = Config.load(where)
        if not (where / FILE).is_file():
            raise UserError(
                f"{folder} has no {FILE}: bench train gea --stage sft --data DATA --out {folder}"
            )
        policy = cls.new(config, where, device)
        policy.restore(where / FILE)
        return policy.eval()

    def saved_tensors(self) -> dict[str, Tensor]:
        """What model.safetensors holds: trainable weights, and PopArt's moments.

        Frozen weights are left out: under LoRA, the backbone is loaded from where it came from.
        """
        trained = {
            name: weight
            for name, weight in self.named_parameters()
            if weight.requires_grad and not name.startswith("auxiliary.")
        }
        return {**trained, "mean": self.mean, "square": self.square, "seen": self.seen}

    def save(self, file: Path) -> None:
        """Write model.safetensors atomically."""
        temporary = file.with_suffix(".new")
        save_file(
            {
                name: value.detach().cpu().contiguous().clone()
                for name, value in self.saved_tensors().items()
            },
            temporary,
        )
        temporary.chmod(0o644)  # safetensors writes files that only their owner can read
        os.replace(temporary, file)

    def restore(self, file: Path) -> None:
        """Load what `save` wrote. Raises UserError when it belongs to another model."""
        found, expected = load_file(file), self.saved_tensors()
        wrong = sorted(found.keys() ^ expected.keys()) or [
            name for name in expected if expected[name].shape != found[name].shape
        ]
        if wrong:
            raise UserError(
                f"{file} does not hold the model that {Path(file).parent}/config.json describes: "
                f"{wrong[0]} differs"
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
    ) -> list[Decision]:
        """One answer per prompt, token by token within its grammar.

        Greedy, or with `rngs`, one per prompt, sampled at this temperature.
        """
        backbone = self.backbone
        backbone.encode_inputs([step for prompt in prompts for step in prompt.steps], keep=True)
        batch = backbone.collate(prompts)
        positions = backbone.positions(batch)
        hidden, cache = backbone.last_hidden(
            backbone.embed(batch), batch.mask, positions, backbone.new_cache()
        )
        ends = hidden[:, -1]
        seen = self._critic_inputs(ends, batch)
        values = self.value(seen).cpu().numpy()
        # (B,): the position after the prompt. Qwen2-VL has three positions per token, of which the
        # largest counts.
        following = positions.movedim(-2, 0).reshape(len(prompts), -1).amax(1) + 1
        answers = [
            AnswerDecoder(grammar, self.config.answer_tokens, backbone.text_tokenizer.eos)
            for grammar in grammars
        ]
        mask = batch.mask
        fed = [0] * len(answers)  # the tokens of each answer that the model has seen
        logits = backbone.logits(ends)
        while True:
            for number, answer in enumerate(answers):
                # Tokens without an alternative run ahead of the model and are fed to it first.
                if not answer.complete and len(answer.tokens) == fed[number]:
                    allowed = torch.from_numpy(answer.alternatives).to(logits.device)
                    logs = (logits[number, allowed] / temperature).log_softmax(-1)
                    answer.choose(
                        logs.cpu().numpy().astype(np.float64),
                        None if rngs is None else rngs[number],
                    )
            if all(answer.complete for answer in answers):
                break
            # Feed all tokens that are new, on the left with masked padding where others have more.
            new = [
                [] if answer.complete else answer.tokens[seen:]
                for answer, seen in zip(answers, fed)
            ]
            count = max(map(len, new))
            tokens = torch.tensor(
                [[PAD] * (count - len(part)) + part for part in new], device=mask.device
            )
            present = [[0] * (count - len(part)) + [1] * len(part) for part in new]
            mask = torch.cat([mask, torch.tensor(present, device=mask.device)], 1)
            begin = torch.tensor(
                [seen + len(part) - count for part, seen in zip(new, fed)], device=mask.device
            )
            position = (following + begin)[:, None] + torch.arange(count, device=mask.device)
            position = position.clamp(min=0).expand(*positions.shape[:-1], count)
            fed = [seen + len(part) for part, seen in zip(new, fed)]
            hidden, cache = backbone.last_hidden(
                backbone.embed_tokens(tokens), mask, position, cache
            )
            logits = backbone.logits(hidden[:, -1])
        return [
            Decision(
                tuple(answer.tokens), tuple(answer.allowed), answer.log_probability, value, end
            )
            for answer, value, end in zip(answers, values, seen.float().cpu().numpy())
        ]

    # Learning

    def value(self, hidden: Tensor) -> Tensor:
        """float32 (..., domains): estimates normalised by PopArt, from hidden states (..., width).

        A return is `value * return_std() + mean`.
        """
        values: Tensor = self.value_head(self.critic(hidden.to(self.value_head.weight.dtype)))
        return values.float()

    def autocast(self) -> torch.autocast:
        """The precision of training: bfloat16 matrix products if the configuration says so."""
        return torch.autocast(
            self.backbone.device.type, torch.bfloat16, enabled=self.config.mixed_precision
        )

    def sft_loss(self, prompts: Sequence[Prompt], answers: Sequence[Sequence[int]]) -> Tensor:
        """Mean cross-entropy over the tokens of the answers and of the supervised past actions.

        Each token is predicted among all tokens, without a grammar. Where prompts have auxiliary
        numbers, the error of their prediction is added.
        """
        losses, errors, count = [], [], 0
        for part in length_buckets(prompts, SFT_PARTS):
            with self.autocast():
                hidden, batch = self.backbone.hidden_states(
                    [prompts[number] for number in part], [answers[number] for number in part]
                )
            targets = batch.targets[:, 1:]  # each place predicts the next token
            trained = targets != IGNORED
            losses.append(
                F.cross_entropy(
                    self.backbone.logits(hidden[:, :-1][trained]), targets[trained], reduction="sum"
                )
            )
            count += int(trained.sum())
            if self.auxiliary is not None and any(prompts[n].auxiliary is not None for n in part):
                begin = batch.ids.shape[1] - max(len(answers[number]) for number in part) - 1
                errors.append(
                    self._auxiliary_errors(
                        hidden[:, begin].float(), [prompts[n].auxiliary for n in part]
                    )
                )
        loss = torch.stack(losses).sum() / count
        return loss + self.config.auxiliary_share * torch.cat(errors).mean() if errors else loss

    def answer_losses(
        self, prompts: Sequence[Prompt], answers: Sequence[Sequence[int]]
    ) -> tuple[Tensor, Tensor]:
        """(cross-entropies (B,) of whole answers, the critic's values (B, domains)).

        Tokens are predicted as in sft_loss. The critic's gradient does not reach the backbone.
        """
        with self.autocast():
            hidden, batch = self.backbone.hidden_states(prompts, answers, past=False)
        logits = self.backbone.logits(hidden[:, :-1])
        losses = F.cross_entropy(
            logits.transpose(1, 2),
            batch.targets[:, -logits.shape[1] :],
            ignore_index=IGNORED,
            reduction="none",
        ).sum(1)
        return losses, self.value(self._critic_inputs(hidden[:, 0], batch).detach())

    def _auxiliary_errors(self, hidden: Tensor, numbers: Sequence[np.ndarray | None]) -> Tensor:
        """(n,): the squared errors of all numbers that are given, from hidden states (B, width)."""
        assert self.auxiliary is not None
        wanted = np.full((len(numbers), self.config.numbers), np.nan, np.float32)
        for row, given in zip(wanted, numbers):
            if given is not None:
                n = min(len(row), len(given))
                row[:n] = given[:n]
        targets = torch.from_numpy(wanted).to(hidden.device)
        present = targets.isfinite()
        errors: Tensor = (self.auxiliary(hidden)[present] - targets[present]) ** 2
        return errors

    def evaluate(
        self, prompts: Sequence[Prompt], decisions: Sequence[Decision]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(log-probabilities (B,), entropies (B,), values (B, domains)) under the current weights.

        Probabilities are those of `decide` at the configured temperature. The entropy is the mean
        over the tokens that had an alternative, each as a share of its largest possible value,
        the logarithm of the number of allowed tokens.
        """
        with self.autocast():
            answers = [decision.tokens for decision in decisions]
            hidden, batch = self.backbone.hidden_states(prompts, answers, past=False)
            # The place before a token predicts it, so the last one predicts nothing.
            logits = self.backbone.logits(hidden[:, :-1])
        seen = self._critic_inputs(hidden[:, 0], batch)
        logits = logits / self.config.temperature
        log_probabilities, entropies = [], []
        for number, decision in enumerate(decisions):
            total, entropy, count = logits.new_zeros(()), logits.new_zeros(()), 0
            for place, (token, allowed) in enumerate(zip(decision.tokens, decision.allowed)):
                if allowed is None:
                    continue
                logs = logits[
                    number, place, torch.from_numpy(allowed).to(logits.device)
                ].log_softmax(-1)
                total = total + logs[int(np.searchsorted(allowed, token))]
                entropy = entropy - (logs.exp() * logs).sum() / np.log(len(allowed))
                count += 1
            log_probabilities.append(total)
            entropies.append(entropy / max(1, count))
        return torch.stack(log_probabilities), torch.stack(entropies), self.value(seen)

    def _critic_inputs(self, ends: Tensor, batch: Batch) -> Tensor:
        """(B, width) or (B, 2 width): what the critic sees of prompts that end in `ends`."""
        if not self.config.critic_images:
            return ends
        return torch.cat([ends, mean_images(batch, ends)], -1)

    def return_std(self) -> Tensor:
        """float32 (domains,): PopArt's standard deviation of the returns."""
        return (self.square - self.mean**2).clamp(min=1e-8).sqrt().clamp(1e-4, 1e6)

    @torch.no_grad()
    def update_popart(self, returns: Tensor, domains: Tensor) -> None:
        """PopArt (arXiv 1602.07714; one pair of moments per domain as in arXiv 1809.04474).

        Moves the moments m and v of each domain towards n new returns G, by a step b:

            m' = m + b (mean(G) - m),  v' = v + b (mean(G^2) - v),  s = sqrt(v - m^2)

        and the value head so that no unnormalised value changes (proposition 1):

            weight' = weight s / s',  bias' = (s bias + m - m') / s'

        `returns`: float32 (N,); `domains`: int64 (N,), indices into DOMAINS.
        """
        mean, std = self.mean.clone(), self.return_std()
        for domain in sorted(set(domains.tolist())):
            new = returns[domains == domain]
            self.seen[domain] += len(new)
            # n steps of size `popart` at once. While few returns have been seen, the plain mean of
            # all of them counts instead: a moving average would depend on its initial value for
            # long, and the head would be trained on targets of the wrong scale.
            step = max(
                1 - (1 - self.config.popart) ** len(new), len(new) / float(self.seen[domain])
            )
            self.mean[domain] += step * (new.mean() - self.mean[domain])
            self.square[domain] += step * ((new**2).mean() - self.square[domain])
        new_std = self.return_std()
        self.value_head.weight.mul_((std / new_std)[:, None])
        self.value_head.bias.copy_((std * self.value_head.bias + mean - self.mean) / new_std)


def trained_tokens(prompts: Sequence[Prompt], answers: Sequence[Sequence[int]]) -> int:
    """The number of tokens whose cross-entropy `Policy.sft_loss` is the mean of."""
    return sum(
        len(answer) + sum(len(prompt.actions[step]) for step in set(prompt.supervised))
        for prompt, answer in zip(prompts, answers)
    )


def length_buckets(prompts: Sequence[Prompt], parts: int) -> list[np.ndarray]:
    """int64 (n,) each: the indices of prompts of similar length, in at most `parts` parts.

    A batch is padded to its longest prompt, and padding costs as much as tokens do.
    """
    order = sorted(
        range(len(prompts)),
        key=lambda number: (
            len(prompts[number].introduction)
            + sum(len(step.text) for step in prompts[number].steps)
        ),
    )
    return np.array_split(order, min(parts, len(order)))
