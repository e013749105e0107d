"""`bench train gea`: the stages tokenizer, sft and rl, each of which goes on where it was interrupted."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from baselines.gea.config import Config
from baselines.gea.data import Examples, continuous_actions, texts
from baselines.gea.learning import Curves, Learner, cosine
from baselines.gea.policy import FILE, Policy
from baselines.gea.rvq import FILE as ACTIONS
from baselines.gea.rvq import ActionTokenizer
from baselines.gea.words import FILE as WORDS
from baselines.gea.words import OwnWords
from harness.core import Suite, Task, UserError, stream

__all__ = ["STAGES", "Job", "configuration", "train"]

STAGES = ("tokenizer", "sft", "rl")
TRAINING = "training"
MADE = "training.json"
HELD_OUT = 0.05
UNUSED_STEPS = 100
"""Of the action tokenizer, where no demonstration has continuous actions."""
RECIPES = Path(__file__).parent / "recipes"


@dataclasses.dataclass(frozen=True)
class Job:
    """One call of `bench train gea`."""

    data: tuple[Path, ...]
    out: Path
    config: Config
    seed: int = 0
    tasks: Sequence[tuple[Suite, Task]] = ()
    """Where `rl` plays."""
    steps: int | None = None
    """Instead of the configuration's; of `rl` steps of the environments."""
    init: Path | None = None
    """Weights that `sft` or `rl` begin with."""
    threads: int = 0


def configuration(out: Path, name: str | None, changes: Mapping[str, Any]) -> Config:
    """That of `--config`, a recipe's name or a JSON file, else the one in `out`, else nano's; with changes. Raises UserError."""
    if name is None:
        file = out / "config.json"
        return Config.read(file, changes) if file.is_file() else Config.of(changes)
    file = Path(name) if name.endswith(".json") else RECIPES / f"{name}.json"
    if not file.is_file():
        known = ", ".join(sorted(recipe.stem for recipe in RECIPES.glob("*.json")))
        raise UserError(f"--config {name!r}: there is no such file; the recipes are {known}")
    return Config.read(file, changes)


def train(stage: str, job: Job, say: Callable[[str], None]) -> Path:
    """Run a stage; returns the folder of weights. Raises UserError on wrong use."""
    if job.threads:
        torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)
    _begin_from(job)
    if stage == "tokenizer":
        _tokenizer(job, say)
    elif stage == "sft":
        _sft(job, say)
    elif stage == "rl":
        from baselines.gea.ppo import rl

        rl(job, say)
    else:
        raise UserError(f"--stage {stage!r}: there are {', '.join(STAGES)}")
    return job.out


def _begin_from(job: Job) -> None:
    """Copy what `init` has and `out` lacks."""
    if job.init is None:
        return
    Config.load(job.init)
    job.out.mkdir(parents=True, exist_ok=True)
    for name in (WORDS, ACTIONS, FILE, MADE):
        if (job.init / name).is_file() and not (job.out / name).is_file():
            shutil.copyfile(job.init / name, job.out / name)


def device() -> str:
    """The GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def identity(stage: str, job: Job) -> dict[str, Any]:
    """What a checkpoint of this stage depends on."""
    data = hashlib.blake2b(digest_size=8)
    for folder in job.data:
        file = folder / "episodes.parquet"
        if file.is_file():
            data.update(file.read_bytes())
    tasks = [task.id for _, task in job.tasks]
    return {
        "stage": stage,
        "configuration": dataclasses.asdict(job.config),
        "data": data.hexdigest(),
        "seed": job.seed,
        "tasks": tasks,
    }


def _needs_data(job: Job) -> None:
    if not job.data:
        raise UserError(
            "name demonstrations with --data; `bench demos --suite S --episodes N --out DATA` records some"
        )


def _tokenizer(job: Job, say: Callable[[str], None]) -> None:
    """Words for nano, and the codes of continuous actions."""
    _needs_data(job)
    config = job.config
    config.save(job.out)
    if config.backbone == "nano":
        words = OwnWords.train(texts(job.data, config), config.words)
        words.save(job.out)
        say(f"{words.size} words")
    actions = continuous_actions(job.data, config.rvq.dims)
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
    held = stream(job.seed, "held out").permutation(len(actions))
    apart = max(1, int(HELD_OUT * len(actions)))
    test, learned = actions[held[:apart]], actions[held[apart:] if len(actions) > 1 else held]
    tokenizer = ActionTokenizer(config.rvq).to(device()).train()
    known = {**identity("tokenizer", job), "steps": steps}
    learner = Learner(
        tokenizer,
        job.out / TRAINING / "tokenizer",
        config.rvq.lr,
        config.weight_decay,
        config.clip,
        known,
    )
    curves = Curves(job.out / TRAINING / "curves", say)
    if (
        learner.step == 0
    ):  # the first batch places the codes: one that is large enough for all of them
        first = stream(job.seed, "codes").integers(len(learned), size=8 * config.rvq.codes)
        with torch.no_grad():
            tokenizer.losses(torch.as_tensor(learned[first], device=device()))
    while learner.step < steps:
        rng = stream(job.seed, "tokenizer", step=learner.step)
        torch.manual_seed(int(rng.integers(2**31)))
        batch = torch.as_tensor(
            learned[rng.integers(len(learned), size=config.rvq.batch)], device=device()
        )
        error, commitment = tokenizer.losses(batch)
        learner.learn(error + commitment)
        curves.add(
            learner.step,
            steps,
            {"tokenizer/mse": error.item(), "tokenizer/commitment": commitment.item()},
        )
        learner.checkpoint()
    tokenizer.eval()
    with torch.no_grad():
        back = tokenizer.decode(tokenizer.encode(test))
    say(
        f"mean squared error on {len(test)} held-out actions: {float(((back - test) ** 2).mean()):.5f} (range -1 to 1, {config.rvq.dims} elements)"
    )
    learner.checkpoint(now=True)
    curves.close()
    tokenizer.save(job.out)


def _sft(job: Job, say: Callable[[str], None]) -> None:
    """Imitate: cross-entropy of the expert's tokens."""
    _needs_data(job)
    config = job.config
    policy = Policy.new(config, job.out, device())
    config.save(job.out)
    if (job.out / FILE).is_file() and job.init is not None:
        policy.restore(job.out / FILE)
    for weight in policy.codec.tokenizer.parameters():
        weight.requires_grad_(False)
    examples = Examples(job.data, config, policy.backbone.words, policy.codec)
    count = sum(weight.numel() for weight in policy.parameters() if weight.requires_grad)
    say(
        f"{examples.steps} steps of demonstrations; {count / 1e6:.1f} million parameters learn, on {device()}"
    )
    steps = job.steps or config.steps
    known = {**identity("sft", job), "steps": steps}
    learner = Learner(
        policy,
        job.out / TRAINING / "sft",
        config.lr,
        config.weight_decay,
        config.clip,
        known,
        muon=config.muon,
    )
    curves = Curves(job.out / TRAINING / "curves", say)
    policy.train()
    while learner.step < steps:
        rng = stream(job.seed, "sft", step=learner.step)
        torch.manual_seed(int(rng.integers(2**31)))
        prompts, answers = examples.draw(rng, config.batch)
        loss = policy.sft_loss(prompts, answers)
        norm = learner.learn(loss, cosine(learner.step, steps, config.warmup))
        curves.add(learner.step, steps, {"sft/loss": loss.item(), "sft/gradient": norm})
        learner.checkpoint()
    learner.checkpoint(now=True)
    curves.close()
    policy.save(job.out / FILE)
    _note(job, "sft", steps)


def _note(job: Job, stage: str, steps: int) -> None:
    """training.json: what the weights were made with."""
    file = job.out / MADE
    made = json.loads(file.read_text()) if file.is_file() else {}
    made[stage] = {
        "steps": steps,
        "seed": job.seed,
        "data": [folder.name for folder in job.data],
        "tasks": [task.id for _, task in job.tasks],
    }
    file.write_text(json.dumps(made, indent=1) + "\n")
