"""`bench train gea`: tokenizer, sft, rl, offline, frames, see, games, pages. All resume."""

from __future__ import annotations

import dataclasses
import functools
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from baselines.gea.agent import GEA
from baselines.gea.bins import BinTokenizer
from baselines.gea.config import Config
from baselines.gea.data import Examples, continuous_actions, tokenizer_texts
from baselines.gea.frames import record_frames
from baselines.gea.games import games
from baselines.gea.job import Job, identity, record_stage
from baselines.gea.offline import offline
from baselines.gea.page_frames import DRAWN, record_pages
from baselines.gea.pages import pages
from baselines.gea.policy import FILE, Policy, trained_tokens
from baselines.gea.ppo import rl
from baselines.gea.rvq import FILE as ACTIONS
from baselines.gea.rvq import ActionTokenizer
from baselines.gea.see import frames_configuration, see
from baselines.gea.validation import best_weights
from baselines.learning import parallel
from baselines.learning.learner import Learner, Metrics, cosine_schedule
from baselines.learning.stages import CHECKPOINTS, MADE, device, need_data
from baselines.learning.text_tokenizer import FILE as WORDS
from baselines.learning.text_tokenizer import NanoTokenizer
from harness.core import UserError, stream
from harness.host.loading import load_adapter

__all__ = ["STAGES", "Job", "configuration", "train"]

STAGES = ("tokenizer", "sft", "rl", "offline", "frames", "see", "games", "pages")
HELD_OUT = 0.05
"""Share of the actions that the action tokenizer is tested on."""
UNUSED_STEPS = 100
"""Updates of the action tokenizer when no demonstration has continuous actions."""
FRAMES = 1000
"""Of each task, that the stage `frames` records."""
RECIPES = Path(__file__).parent / "recipes"


def configuration(out: Path, name: str | None, changes: Mapping[str, Any]) -> Config:
    """The configuration `name`, a recipe or a JSON file, with some fields changed.

    Without a name, that of the folder `out`, or else nano's. Raises UserError when there is no such
    file or it is not valid.
    """
    if name is None:
        file = out / "config.json"
        return Config.read(file, changes) if file.is_file() else Config.from_json(changes)
    file = Path(name) if name.endswith(".json") else RECIPES / f"{name}.json"
    if not file.is_file():
        known = ", ".join(sorted(recipe.stem for recipe in RECIPES.glob("*.json")))
        raise UserError(f"--config {name!r}: there is no such file; the recipes are {known}")
    return Config.read(file, changes)


def train(stage: str, job: Job, say: Callable[[str], None]) -> Path:
    """Run a stage, report progress to `say`, and return the folder of weights.

    Raises UserError when the job lacks something that the stage needs.
    """
    if stage != "tokenizer" and job.config.processes > 1 and parallel.size() == 1:
        _copy_initial_weights(job)
        each = dataclasses.replace(job, threads=job.threads or 1)
        parallel.launch(functools.partial(train, stage, each), job.config.processes, say)
        return job.out
    if job.threads:
        torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)
    if parallel.size() == 1 and stage not in ("frames", "see", "games", "pages"):
        _copy_initial_weights(job)
    if stage == "tokenizer":
        _tokenizer(job, say)
    elif stage == "sft":
        _sft(job, say)
    elif stage == "rl":
        rl(job, say)
    elif stage == "offline":
        offline(job, say)
    elif stage == "frames":
        _frames(job, say)
    elif stage == "see":
        see(job, say)
    elif stage == "games":
        games(job, say)
    elif stage == "pages":
        pages(job, say)
    else:
        raise UserError(f"--stage {stage!r}: there are {', '.join(STAGES)}")
    return job.out


def _copy_initial_weights(job: Job) -> None:
    """Copy the files that `init` has and `out` lacks."""
    if job.init is None:
        return
    Config.load(job.init)  # raises UserError when there are no weights
    job.out.mkdir(parents=True, exist_ok=True)
    for name in (WORDS, ACTIONS, FILE, MADE):
        if (job.init / name).is_file() and not (job.out / name).is_file():
            shutil.copyfile(job.init / name, job.out / name)


def _frames(job: Job, say: Callable[[str], None]) -> None:
    """Record pictures, with what the model in `init` reads of the same moments."""
    if not job.tasks:
        raise UserError("--stage frames plays: name the suites with --suite")
    tasks = [task for _, task in job.tasks]
    shown = [task for task in tasks if hasattr(load_adapter(task.adapter), DRAWN)]
    if shown:
        record_pages(shown, job.out, job.steps or FRAMES, job.seed, say)
    tasks = [task for task in tasks if task not in shown]
    if not tasks:
        return
    config = frames_configuration(job)

    def model() -> GEA:
        return GEA(weights=str(job.init))

    record_frames(tasks, job.out, config, job.steps or FRAMES, job.seed, say, model)


def _tokenizer(job: Job, say: Callable[[str], None]) -> None:
    """Train nano's text tokenizer, and the codes of continuous actions."""
    need_data(job.data)
    config = job.config
    config.save(job.out)
    if config.backbone == "nano":
        text_tokenizer = NanoTokenizer.train(tokenizer_texts(job.data, config), config.words)
        text_tokenizer.save(job.out)
        say(f"{text_tokenizer.size} words")
    actions = continuous_actions(job.data, config.rvq.dims)
    if config.rvq.kind == "uniform":
        lost = BinTokenizer(config.rvq).error(actions) if len(actions) else 0.0
        say(f"bins are not learned: mean squared error {lost:.2g} on {len(actions)} actions")
        return
    steps = job.steps or (config.rvq.steps if len(actions) else UNUSED_STEPS)
    if not len(actions):
        say(
            "the demonstrations have no continuous actions: the codes are learned from uniform ones"
        )
        actions = (
            stream(job.seed, "no actions")
            .uniform(-1, 1, (20_000, config.rvq.dims))
            .astype(np.float32)
        )
    order = stream(job.seed, "held out").permutation(len(actions))
    count = max(1, int(HELD_OUT * len(actions)))
    test = actions[order[:count]]
    training = actions[order[count:] if len(actions) > 1 else order]
    tokenizer = ActionTokenizer(config.rvq).to(device()).train()
    learner = Learner(
        tokenizer,
        job.out / CHECKPOINTS / "tokenizer",
        config.rvq.lr,
        config.weight_decay,
        config.clip,
        {**identity("tokenizer", job), "steps": steps},
    )
    metrics = Metrics(job.out / CHECKPOINTS / "curves", say)
    if learner.step == 0:
        # The first batch places the codes by k-means, so it must have several actions per code.
        first = stream(job.seed, "codes").integers(len(training), size=8 * config.rvq.codes)
        with torch.no_grad():
            tokenizer.losses(torch.as_tensor(training[first], device=device()))
    while learner.step < steps:
        # Both streams are keyed by the step, so that a resumed training draws the same numbers.
        # PyTorch's own generator replaces unused codes.
        rng = stream(job.seed, "tokenizer", step=learner.step)
        torch.manual_seed(int(rng.integers(2**31)))
        batch = torch.as_tensor(
            training[rng.integers(len(training), size=config.rvq.batch)], device=device()
        )
        error, commitment = tokenizer.losses(batch)
        factor = (
            cosine_schedule(learner.step, steps, config.rvq.warmup) if config.rvq.warmup else 1.0
        )
        learner.learn(error + commitment, factor)
        metrics.add(
            learner.step,
            steps,
            {"tokenizer/mse": error.item(), "tokenizer/commitment": commitment.item()},
        )
        learner.checkpoint()
    tokenizer.eval()
    say(
        f"mean squared error on {len(test)} held-out actions: {tokenizer.error(test):.5f} "
        f"(range -1 to 1, without padding to {config.rvq.dims} elements)"
    )
    learner.checkpoint(now=True)
    metrics.close()
    tokenizer.save(job.out)


def _start(policy: Policy, job: Job) -> None:
    """Give a new policy the weights of `init`, or those of the part of them that it keeps."""
    kept = job.config.initialise
    if job.init is None or not (job.out / FILE).is_file():
        if kept != "all" and job.config.backbone == "nano":
            raise UserError(
                f"initialise is {kept!r}, and nano has no weights yet: name some with --init"
            )
        return
    fresh = {name: value.clone() for name, value in policy.state_dict().items()}
    policy.restore(job.out / FILE)
    if kept != "all":
        part = policy.backbone.part
        forgotten = {
            name: value
            for name, value in fresh.items()
            if part(name.removeprefix("backbone.")) != kept
        }
        policy.load_state_dict(forgotten, strict=False)


def _sft(job: Job, say: Callable[[str], None]) -> None:
    """Supervised fine-tuning: cross-entropy of the expert's actions."""
    need_data(job.data)
    config = job.config
    policy = Policy.new(config, job.out, device())
    config.save(job.out)
    _start(policy, job)
    for weight in policy.codec.action_tokenizer.parameters():
        weight.requires_grad_(False)
    examples = Examples(job.data, config, policy.backbone.text_tokenizer, policy.codec)
    count = sum(weight.numel() for weight in policy.parameters() if weight.requires_grad)
    say(
        f"{examples.steps} steps of demonstrations; "
        f"{count / 1e6:.1f} million parameters learn, on {device()}"
    )
    steps = job.steps or config.steps
    learner = Learner(
        policy,
        job.out / CHECKPOINTS / "sft",
        config.lr,
        config.weight_decay,
        config.clip,
        {**identity("sft", job), "steps": steps},
        muon=config.muon,
    )
    metrics = Metrics(job.out / CHECKPOINTS / "curves", say)
    best = best_weights(policy, learner, job, say)
    policy.train()
    while learner.step < steps:
        part = [parallel.rank()] if parallel.rank() else []
        rng = stream(job.seed, "sft", *part, step=learner.step)
        torch.manual_seed(int(rng.integers(2**31)))
        prompts, answers = examples.draw(rng, config.batch // parallel.size(), augment=True)
        loss = policy.sft_loss(prompts, answers)
        share = float(trained_tokens(prompts, answers))
        share /= parallel.total(share)
        norm = learner.learn(share * loss, cosine_schedule(learner.step, steps, config.warmup))
        metrics.add(learner.step, steps, {"sft/loss": loss.item(), "sft/gradient": norm})
        best.look(steps)
        learner.checkpoint()
    learner.checkpoint(now=True)
    metrics.close()
    best.restore()
    if not parallel.rank():
        policy.save(job.out / FILE)
        record_stage(job, "sft", steps)
