"""The training: the loss of the next action, and of the reward that it brings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.decision_transformer.config import Config
from baselines.decision_transformer.data import Episodes, Windows
from baselines.decision_transformer.model import Model
from baselines.learning.config_file import FILE
from baselines.learning.learner import Learner, Metrics, cosine_schedule
from baselines.learning.stages import (
    CHECKPOINTS,
    data_digest,
    need_data,
    need_validation,
    record_stage,
)
from harness.core import UserError, stream
from harness.demos.trainer import TrainingRequest

__all__ = ["losses", "train"]

STAGE = "offline"


def train(request: TrainingRequest, say: Callable[[str], None]) -> Path:
    """Learn from the recorded episodes of `request.data`; returns the folder of the weights.

    With `request.validation`, training.json also says how well rewards are estimated there.
    """
    need_data(request.data)
    if request.init is not None or request.tasks:
        raise UserError("a decision transformer learns from --data alone, and starts from nothing")
    if request.validation:
        need_validation(request.data, request.validation)
    config = _configuration(request)
    if request.threads:
        torch.set_num_threads(request.threads)
    episodes = Episodes(request.data, config)
    steps = request.steps or config.steps
    torch.manual_seed(int(stream(request.seed, "decision-transformer").integers(2**31)))
    model = Model(config, episodes.body)
    for name, values in zip(("mean", "std"), episodes.moments()):
        model.get_buffer(name).copy_(torch.from_numpy(values))
    body = episodes.body
    say(
        f"{episodes.count} episodes, {episodes.steps} steps, returns from {body.lowest:.6g} to "
        f"{body.highest:.6g}; {sum(w.numel() for w in model.parameters()) / 1e6:.2f} million "
        "parameters"
    )
    learner = Learner(
        model,
        request.out / CHECKPOINTS / STAGE,
        config.lr,
        config.weight_decay,
        config.clip,
        {
            "configuration": dataclasses.asdict(config),
            "data": data_digest(request.data),
            "seed": request.seed,
            "steps": steps,
        },
    )
    config.save(request.out)
    metrics = Metrics(request.out / CHECKPOINTS / "curves", say)
    model.train()
    while learner.step < steps:
        windows = episodes.draw(stream(request.seed, STAGE, step=learner.step), config.batch)
        action, reward = losses(model, windows)
        norm = learner.learn(action + reward, cosine_schedule(learner.step, steps, config.warmup))
        told = {"action": action.item(), "reward": reward.item(), "gradient": norm}
        metrics.add(learner.step, steps, told)
        learner.checkpoint()
    learner.checkpoint(now=True)
    metrics.close()
    model.eval().save(request.out)
    made: dict[str, Any] = {
        "steps": steps,
        "seed": request.seed,
        "data": [folder.name for folder in request.data],
        "episodes": episodes.count,
        "returns": [body.lowest, body.highest],
    }
    if request.validation:
        made |= {"validation": [folder.name for folder in request.validation]}
        made |= _account(model, Episodes(request.validation, config))
        say(
            f"returns of {made['validation_episodes']} other episodes are estimated with a mean "
            f"error of {made['return_error']:.4g}"
        )
    record_stage(request.out, STAGE, made)
    return request.out


def _configuration(request: TrainingRequest) -> Config:
    """That of the folder, or of a file, or the default, with the changes."""
    file = request.out / FILE
    if request.config is not None:
        file = Path(request.config)
        file = file / FILE if file.is_dir() else file
        if not file.is_file():
            raise UserError(f"--config {request.config}: there is no such file")
    if file.is_file():
        return Config.read(file, request.changes)
    return Config.from_json(request.changes)


def losses(model: Model, windows: Windows) -> tuple[Tensor, Tensor]:
    """The losses of actions and of rewards, each a mean over the steps inside of episodes.

    Cross-entropy of choices; mean squared error of scaled actions; mean squared error of rewards,
    in units of their root mean square.
    """
    inside = windows.inside
    predicted = model(windows.returns, windows.times, windows.observations, windows.actions)
    if model.choices:
        action = F.cross_entropy(predicted[inside], windows.actions[inside])
    else:
        action = F.mse_loss(predicted[inside], windows.actions[inside])
    # What follows the last step of an episode is not seen.
    both = inside[:, 1:]
    seen = windows.observations
    estimated = model.rewards(seen[:, :-1][both], windows.actions[:, :-1][both], seen[:, 1:][both])
    unit = model.body.reward
    reward = F.mse_loss(estimated / unit, windows.rewards[:, :-1][both] / unit)
    return action, reward


@torch.no_grad()
def _account(model: Model, episodes: Episodes) -> dict[str, Any]:
    """How well the returns of episodes are estimated, without the rewards of their last steps."""
    errors, returns = list[float](), list[float]()
    for window in episodes.whole():
        seen, actions = window.observations[0], window.actions[0]
        told = window.rewards[0, :-1].double().sum()
        estimated = model.rewards(seen[:-1], actions[:-1], seen[1:]).double().sum()
        errors.append(float(estimated - told))
        returns.append(float(told))
    return {
        "validation_episodes": len(errors),
        "return_error": float(np.abs(errors).mean()),
        "return_bias": float(np.mean(errors)),
        "return_deviation": float(np.std(returns)),
    }
