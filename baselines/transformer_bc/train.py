"""`bench train transformer-bc`: behavioural cloning, which can be resumed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional as F

from baselines.learning.best_weights import BestWeights
from baselines.learning.config_file import FILE as CONFIG
from baselines.learning.learner import Learner, Metrics, cosine_schedule
from baselines.learning.stages import (
    CHECKPOINTS,
    data_digest,
    device,
    need_data,
    need_validation,
    record_stage,
)
from baselines.learning.text_tokenizer import NanoTokenizer
from baselines.transformer_bc.config import Config
from baselines.transformer_bc.data import Examples, action_names, instructions
from baselines.transformer_bc.inputs import Query
from baselines.transformer_bc.model import FILE, Model
from harness.core import UserError, stream
from harness.demos.trainer import TrainingRequest

__all__ = ["configuration", "train"]

COUNT, AT_ONCE = 1024, 256
"""Examples that are measured for validation, always the same ones, and how many in one pass."""


def configuration(request: TrainingRequest) -> Config:
    """The configuration of a request, with the actions of its demonstrations.

    Without a file it is that of the folder `out`, where a training may have begun, or the default.
    Raises UserError when the file or a change is not valid, or there are no demonstrations.
    """
    need_data(request.data)
    if request.init is not None:
        raise UserError("a transformer-bc starts from nothing: leave --init out")
    file = Path(request.config) if request.config is not None else request.out / CONFIG
    if request.config is not None and not file.is_file():
        raise UserError(
            f"--config {request.config}: there is no such file; transformer-bc has no recipes: "
            "name a JSON file, or change the default with --set FIELD=VALUE"
        )
    config = (
        Config.read(file, request.changes) if file.is_file() else Config.from_json(request.changes)
    )
    if request.steps is not None:
        config = dataclasses.replace(config, steps=request.steps)
    return dataclasses.replace(config, actions=action_names(request.data))


def train(request: TrainingRequest, say: Callable[[str], None]) -> Path:
    """Train a model, report progress to `say`, and return the folder of weights.

    The same request continues from the last checkpoint. Raises UserError when the request lacks
    something, or the folder holds another training.
    """
    if request.threads:
        torch.set_num_threads(request.threads)
    torch.manual_seed(request.seed)
    config, out = configuration(request), request.out
    said = instructions(request.data)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = NanoTokenizer.train(said, config.words)
    model = Model(config, tokenizer).to(device()).train()
    learner = Learner(
        model,
        out / CHECKPOINTS / "bc",
        config.lr,
        config.weight_decay,
        config.clip,
        {
            "configuration": dataclasses.asdict(config),
            "data": data_digest(request.data),
            "seed": request.seed,
        },
    )
    # Only now: a folder with another training stays as it is.
    tokenizer.save(out)
    config.save(out)
    examples = Examples(request.data, config, tokenizer)
    best = _best_weights(model, learner, request, say)
    count = sum(weight.numel() for weight in model.parameters())
    say(
        f"{examples.steps} steps of demonstrations with {len(said)} sentences; "
        f"{count / 1e6:.2f} million parameters learn, on {device()}"
    )
    metrics = Metrics(out / CHECKPOINTS / "curves", say)
    while learner.step < config.steps:
        # The stream is keyed by the step, so that a resumed training draws the same numbers.
        queries, answers = examples.draw(
            stream(request.seed, "bc", step=learner.step), config.batch
        )
        loss = _loss(model(queries), answers)
        factor = cosine_schedule(learner.step, config.steps, config.warmup)
        norm = learner.learn(loss, factor)
        metrics.add(learner.step, config.steps, {"bc/loss": loss.item(), "bc/gradient": norm})
        best.look(config.steps)
        learner.checkpoint()
    learner.checkpoint(now=True)
    metrics.close()
    best.restore()
    model.save(out / FILE)
    record_stage(
        out,
        "bc",
        {
            "steps": config.steps,
            "seed": request.seed,
            "data": [folder.name for folder in request.data],
            "episodes": data_digest(request.data),
            "sentences": said,
        },
    )
    return out


def _loss(logits: torch.Tensor, answers: list[int]) -> torch.Tensor:
    return F.cross_entropy(logits, torch.tensor(answers, device=logits.device))


def _best_weights(
    model: Model, learner: Learner, request: TrainingRequest, say: Callable[[str], None]
) -> BestWeights:
    config, queries, answers = model.config, list[Query](), list[int]()
    if config.validate_every:
        need_validation(request.data, request.validation)
        examples = Examples(request.validation, config, model.tokenizer)
        queries, answers = examples.draw(stream(0, "validation"), COUNT)

    def measure() -> float:
        losses = [
            float(_loss(model(queries[k : k + AT_ONCE]), answers[k : k + AT_ONCE]))
            for k in range(0, COUNT, AT_ONCE)
        ]
        return sum(losses) / len(losses)

    file = request.out / CHECKPOINTS / "best.safetensors"
    return BestWeights(model, learner, file, config.validate_every, measure, model.save, say)
