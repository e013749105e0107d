"""The stage `games`: a model that sees maps and scenes learns to play games from their pictures.

By imitation of teachers (`bench demos`). Only the eyes for games learn, those of
baselines/gea/game_eyes.py; the gradient comes through the rest of the model, which stays as it is,
as in prompt tuning (arXiv 2104.08691), so that whatever shows no game is answered as before. The
loss is the sum of

    the cross-entropy of the teacher's answers, among those that the grammar allows
    the same for a layer that names the action straight from what the eyes see: it is not kept
    the mean squared error of a layer that tells the numbers of the state from that, where a
        recording holds the view `state`: it is not kept, either, and whoever plays sees no state

The first one costs more than the others, so it is left out at first. At the end, games are set
apart from frames of maps and scenes, by the mean colours of places, which costs next to nothing.
Demonstrations whose data set has the weight 0 are not learned: they too show what is no game.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.gea.backbone import IGNORED, IMAGE
from baselines.gea.config import Config
from baselines.gea.frames import read_frames
from baselines.gea.game_eyes import FEATURES, ROWS, GameEyes, colours, stacked
from baselines.gea.job import Job, identity, record_stage
from baselines.gea.nano import Nano
from baselines.gea.played import PICTURE, Example, PlayedGames
from baselines.gea.policy import FILE, Policy
from baselines.gea.see import begun
from baselines.learning.learner import Learner, Metrics, cosine_schedule
from baselines.learning.stages import CHECKPOINTS, device
from harness.core import ActionSpec, UserError, stream
from harness.demos import Demos

__all__ = ["games", "player"]

RATE = 1e-3
"""The learning rate, instead of the configuration's, which is SFT's."""
WARMUP = 0.05
STEPS, BATCH = 3000, 64
ALONE = 0.7
"""Share of the updates, at first, in which the eyes learn without the rest of the model."""
APART, SHOWN, AT_ONCE, APART_RATE = 6000, 6000, 256, 1e-3
"""Updates that set games apart, pictures of games that they draw from, and those of each kind in
one of them."""
LOOK_AGAIN, HARDEST = 250, 1000
"""Updates after which the hardest pictures are found again, and how many of each kind these are."""
BRIGHTER = 0.2
"""By how much brightness varies there."""
EPISODES, GAMES = "episodes.parquet", "games"


def player(config: Config) -> Config:
    """The configuration of a model that sees, once it has eyes for games, too."""
    return dataclasses.replace(config, games=True)


def games(job: Job, say: Callable[[str], None]) -> None:
    """Train the eyes for games of the weights in `init`, for `job.steps` updates.

    Weights in `out` are continued. Raises UserError without weights that see, demonstrations of
    games, or frames of what is no game.
    """
    if job.init is None or Config.load(job.init).vision != "reader":
        raise UserError(
            "--stage games starts from weights that see maps and scenes, made by `--stage see`: "
            "name them with --init"
        )
    played = [folder for folder in job.data if (folder / EPISODES).is_file()]
    shown = [folder for folder in job.data if folder not in played]
    if not played or not shown:
        raise UserError(
            "--stage games learns from demonstrations of games, made by `bench demos`, and from "
            "frames of what is no game, made by `bench train gea --stage frames`: name both with "
            "--data"
        )
    # A call that continues finds the player's configuration in `out`, of which it makes the same.
    job = dataclasses.replace(job, config=player(job.config))
    policy = begun(job)
    for weight in policy.parameters():
        weight.requires_grad_(False)
    loss = GameLoss(policy, played, shown, job.config).to(device())
    say(f"{loss.games.steps} steps of demonstrations; {loss.count} pictures of no game")
    steps = job.steps or STEPS
    learner = Learner(
        loss,
        job.out / CHECKPOINTS / "games",
        RATE,
        job.config.weight_decay,
        job.config.clip,
        {**identity("games", job), "steps": steps},
    )
    metrics = Metrics(job.out / CHECKPOINTS / "curves", say)
    while learner.step < steps:
        with policy.autocast():
            rng = stream(job.seed, "games", step=learner.step)
            parts = loss(rng, through=learner.step >= ALONE * steps)
        total = torch.stack([value for name, value in parts.items() if name != "right"]).sum()
        norm = learner.learn(total, cosine_schedule(learner.step, steps, WARMUP))
        told = {f"games/{name}": value.item() for name, value in parts.items()}
        metrics.add(learner.step, steps, told | {"games/gradient": norm})
        learner.checkpoint()
    learner.checkpoint(now=True)
    metrics.close()
    torch.manual_seed(job.seed)
    say("games are set apart: " + loss.set_apart(stream(job.seed, "apart")))
    for weight in policy.parameters():
        weight.requires_grad_(True)
    policy.save(job.out / FILE)
    record_stage(job, "games", steps)


class GameLoss(nn.Module):
    """The eyes for games of a policy, with what they need to learn."""

    def __init__(
        self, policy: Policy, played: Sequence[Path], shown: Sequence[Path], config: Config
    ) -> None:
        """`played`: folders of demonstrations; `shown`: of frames; `config`: says which count."""
        super().__init__()
        backbone = policy.backbone
        assert isinstance(backbone, Nano)
        assert backbone.reader is not None
        assert backbone.reader.game is not None
        self.eyes: GameEyes = backbone.reader.game.requires_grad_(True)
        self._backbone, self._codec = [backbone], policy.codec  # in a list: it does not learn
        self.games = PlayedGames(played, config, backbone.text_tokenizer, policy.codec)
        self._labels = {answer: number for number, answer in enumerate(self.games.answers)}
        self.told = nn.Linear(FEATURES, len(self._labels))
        self.state = nn.Linear(FEATURES, self.games.numbers) if self.games.numbers else None
        pictures = [
            *(frames.pictures for frames in read_frames(shown)),
            *(each for folder in played if _weight(folder, config) == 0 for each in _of(folder)),
        ]
        self._others = torch.cat([_colours(each) for each in pictures])
        self._allowed: dict[tuple[str, tuple[int, ...]], list[np.ndarray | None]] = {}

    @property
    def count(self) -> int:
        """Pictures that are of no game."""
        return len(self._others)

    def forward(self, rng: np.random.Generator, *, through: bool) -> dict[str, Tensor]:
        """The parts of the loss by name, and how often the likeliest answer is the teacher's.

        `through`: whether the answers of the model are among them.
        """
        where = self.told.weight.device
        drawn = self.games.draw(rng, BATCH)
        stacks = torch.stack([_stack(each) for each in drawn]).to(where)
        features = self.eyes.look(stacks.contiguous(memory_format=torch.channels_last))
        labels = torch.tensor([self._labels[each.answer] for each in drawn], device=where)
        named = self.told(features).float()
        parts = {
            "named": F.cross_entropy(named, labels),
            "right": (named.argmax(1) == labels).float().mean(),
        }
        if self.state is not None:
            parts["state"] = _errors(self.state(features).float(), drawn)
        if through:
            parts["answer"], parts["right"] = self._answered(drawn, self.eyes.rows(features))
        return parts

    def _answered(self, drawn: Sequence[Example], rows: Tensor) -> tuple[Tensor, Tensor]:
        """(the cross-entropy of the answers, the share of their tokens that is the likeliest).

        `rows`: (N, ROWS, width), of the last steps.
        """
        backbone = self._backbone[0]
        answers = [each.answer for each in drawn]
        for each, made in zip(drawn, rows):
            for step in each.prompt.steps:
                step.features.update(rows=[], past=[], grids=[])
            each.prompt.steps[-1].features["rows"] = [(IMAGE, made)]
        batch = backbone.collate([each.prompt for each in drawn], answers)
        embeds, positions = backbone.embed(batch), backbone.positions(batch)
        longest = max(map(len, answers))
        # No gradient goes to what stands before the rows, which are the last of each prompt.
        begin = embeds.shape[1] - longest - ROWS
        cache = backbone.new_cache()
        with torch.no_grad():
            before = embeds[:, :begin], batch.mask[:, :begin], positions[:, :begin]
            backbone.run_model(*before, cache)
        hidden, _ = backbone.run_model(embeds[:, begin:], batch.mask, positions[:, begin:], cache)
        chosen = batch.targets[:, -longest:] != IGNORED
        logits = backbone.logits(hidden[:, -longest - 1 : -1][chosen])
        allowed = torch.zeros_like(logits, dtype=torch.bool)
        row, decided = 0, []
        for each in drawn:
            for ids in self._choices(each.spec, each.answer):
                if ids is not None:
                    allowed[row, torch.from_numpy(ids)] = True
                    decided.append(row)
                row += 1
        among = logits.masked_fill(~allowed, -torch.inf)[decided]
        wanted = batch.targets[:, -longest:][chosen][decided]
        # A sum over the tokens of an answer, as its probability is their product.
        loss = F.cross_entropy(among, wanted, reduction="sum") / len(answers)
        return loss, (among.argmax(1) == wanted).float().mean()

    def set_apart(self, rng: np.random.Generator) -> str:
        """Learn what is a game, and say what the logits are of games and of all that is none."""
        where = self.told.weight.device
        drawn = self.games.draw(rng, SHOWN)
        shown = torch.cat([colours(_stack(each)[None, -3:]) for each in drawn])
        return tell_apart(self.eyes, shown.to(where), self._others.to(where), rng)

    def _choices(self, spec: ActionSpec, answer: tuple[int, ...]) -> list[np.ndarray | None]:
        """For each token of an answer, the ids it was chosen from; None where it is the only one.

        What an observation adds to a grammar is left out: no game has admissible commands.
        """
        key = repr(spec), answer
        if key not in self._allowed:
            grammar = self._codec.grammar(spec, {})
            state, found = grammar.start, []
            for token in answer:
                ids = grammar.allowed(state)
                found.append(ids if len(ids) > 1 else None)
                state = grammar.next_state(state, token)
            self._allowed[key] = found
        return self._allowed[key]


def _errors(told: Tensor, drawn: Sequence[Example]) -> Tensor:
    """The mean squared error of all numbers that the examples have, of `told` (N, most numbers)."""
    wanted = torch.full(told.shape, torch.nan)
    for row, each in zip(wanted, drawn):
        row[: len(each.numbers)] = torch.from_numpy(each.numbers)
    wanted = wanted.to(told.device)
    given = wanted.isfinite()
    return (told[given] - wanted[given]).square().sum() / given.sum().clamp(min=1)


def tell_apart(eyes: GameEyes, shown: Tensor, others: Tensor, rng: np.random.Generator) -> str:
    """Learn to tell the colours of games from those of what is none, and say the logits of both.

    Half of what is drawn are the hardest ones: one map in a thousand that is read as a game would
    still be a loss.
    """
    kinds, signs = (shown, others), (1, -1)
    wanted = torch.tensor([1.0, 0.0], device=shown.device).repeat_interleave(AT_ONCE)
    optimizer = torch.optim.AdamW(eyes.kind.parameters(), lr=APART_RATE)
    hardest: list[Tensor] = []
    for step in range(APART):
        for group in optimizer.param_groups:
            group["lr"] = APART_RATE * cosine_schedule(step, APART, WARMUP)
        if step % LOOK_AGAIN == 0:
            with torch.no_grad():
                logits = [sign * eyes.game_logit(each) for each, sign in zip(kinds, signs)]
            hardest = [each.argsort()[:HARDEST] for each in logits]
        some = []
        for each, hard in zip(kinds, hardest):
            places = torch.as_tensor(rng.integers(len(each), size=AT_ONCE), device=each.device)
            again = rng.integers(len(hard), size=AT_ONCE // 2)
            places[: AT_ONCE // 2] = hard[again]
            some.append(_brighter(each[places], rng))
        loss = F.binary_cross_entropy_with_logits(eyes.game_logit(torch.cat(some)), wanted)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    with torch.no_grad():
        least, most = eyes.game_logit(shown).min(), eyes.game_logit(others).max()
    return f"logits {least:.1f} or more, those of others {most:.1f} or less"


def _weight(folder: Path, config: Config) -> float:
    """Of a data set of games; 0 where it shows none."""
    return config.data_set(folder.name, GAMES)[1] if config.datasets else 1.0


def _of(folder: Path) -> Iterator[np.ndarray]:
    """The pictures of each episode in a folder of demonstrations, uint8 (steps, H, W, 3)."""
    demos = Demos(folder)
    for row in demos.rows:
        yield np.stack(
            [frame.observation[PICTURE] for frame in demos.read(row.index, (PICTURE,)).frames]
        )


def _stack(example: Example) -> Tensor:
    last = example.prompt.steps[-1]
    return stacked(last.images[0], last.images_before(0))


def _colours(pictures: np.ndarray) -> Tensor:
    """(N, 3 * COLOURS^2), of uint8 (N, H, W, 3)."""
    return torch.cat(
        [
            colours(torch.as_tensor(each[None]).movedim(-1, 1).float() / 127.5 - 1)
            for each in pictures
        ]
    )


def _brighter(colours: Tensor, rng: np.random.Generator) -> Tensor:
    """Colours in [-1, 1] of pictures of which each is brighter or darker by its own share."""
    share = 1 + rng.uniform(-BRIGHTER, BRIGHTER, (len(colours), 1))
    factor = torch.as_tensor(share, dtype=torch.float32, device=colours.device)
    return ((colours.float() + 1) * factor - 1).clamp(-1, 1)
