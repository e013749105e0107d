"""What all trainings share: an optimiser, its schedule, checkpoints to resume from, and metrics."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from baselines.learning import parallel
from harness.core import UserError

__all__ = ["Learner", "Metrics", "cosine_schedule"]

CHECKPOINT_S = 60.0
"""Seconds between checkpoints."""
SAY_S = 10.0
"""Seconds between lines of progress."""


def cosine_schedule(step: int, steps: int, warmup: float) -> float:
    """The factor of the learning rate at a step, from 0 to 1.

    It rises linearly over the first `warmup` of the steps and then falls by half a cosine.
    """
    rise = max(1, int(warmup * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


class Metrics:
    """Writes metrics for TensorBoard, and a line of progress every few seconds."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # Of several processes, the first one writes what it sees itself.
        self._writer: Any = None if parallel.rank() else SummaryWriter(str(folder))
        self._say, self._said = say, 0.0

    def add(self, step: int, total: int, values: Mapping[str, float]) -> None:
        """The metrics of one step of `total`."""
        if self._writer is None:
            return
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        if time.monotonic() - self._said > SAY_S or step == total:
            self._said = time.monotonic()
            self._say(
                f"step {step}/{total}  "
                + "  ".join(f"{name} {value:.4g}" for name, value in values.items())
            )

    def close(self) -> None:
        """Flush what was added."""
        if self._writer is not None:
            self._writer.close()


class Learner:
    """AdamW over the trainable weights of a module, with checkpoints.

    A checkpoint is FOLDER/step-N/{model,optimizer}.safetensors and state.json. A new Learner on the
    same folder continues from the last one.
    """

    def __init__(
        self,
        module: nn.Module,
        folder: Path,
        lr: float,
        weight_decay: float,
        clip: float,
        identity: Mapping[str, Any],
        *,
        muon: bool = False,
    ) -> None:
        """`clip`: the largest norm of the gradient. `identity`: what a checkpoint depends on.

        `muon`: train the matrices of the model's layers by Muon, with updates scaled to the size
        of AdamW's (arXiv 2502.16982). Raises UserError when the folder holds the checkpoints of a
        training with another identity.
        """
        self.module, self._folder, self._clip = module, folder, clip
        # Through JSON, so that it compares equal to what a checkpoint has stored.
        self._identity = json.loads(json.dumps(dict(identity)))
        self._named = {
            name: weight for name, weight in module.named_parameters() if weight.requires_grad
        }
        self._lr = lr
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, weight in self._named.items():
            (matrices if muon and weight.ndim == 2 and ".layers." in name else others).append(
                weight
            )
        self._optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(others, lr=lr, weight_decay=weight_decay)
        ]
        if matrices:
            self._optimizers.append(
                torch.optim.Muon(
                    matrices, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
                )
            )
        self._saved = time.monotonic()
        self.step = 0
        """Number of updates so far."""
        self.extra: dict[str, Any] = {}
        """JSON values that are stored with a checkpoint."""
        self._restore()
        parallel.same_weights(module)

    def add(self, loss: Tensor) -> None:
        """Add the gradient of a part of the next update's loss, and free its graph.

        Several processes each add their shares of it (parallel.py).

        Raises FloatingPointError when the loss is not finite.
        """
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"the loss is {loss.item()} at step {self.step}: lower the learning rate"
            )
        torch.autograd.backward(loss)

    def learn(self, loss: Tensor, lr_factor: float = 1.0) -> float:
        """One update by a single loss: `add`, then `update`."""
        self.add(loss)
        return self.update(lr_factor)

    def update(self, lr_factor: float = 1.0) -> float:
        """One update by the gradients added, at `lr_factor` times the learning rate.

        Returns the norm of the gradient before clipping.
        """
        parallel.sum_gradients(list(self._named.values()))
        norm = float(nn.utils.clip_grad_norm_(self._named.values(), self._clip))
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self._lr * lr_factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return norm

    def checkpoint(self, *, now: bool = False) -> None:
        """Save a checkpoint and delete older ones, at most once a minute unless `now`.

        Of several processes, the first one does.
        """
        if parallel.rank() or (not now and time.monotonic() - self._saved < CHECKPOINT_S):
            return
        self._saved = time.monotonic()
        target = self._folder / f"step-{self.step}"
        partial = self._folder / "new"  # renamed when complete: a killed save leaves the old one
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_file(
            {
                name: value.detach().cpu().contiguous().clone()
                for name, value in self._state().items()
            },
            partial / "model.safetensors",
        )
        names = {id(weight): name for name, weight in self._named.items()}
        moments = {
            f"{kind}.{names[id(weight)]}": value.detach().cpu().float().contiguous().clone()
            for optimizer in self._optimizers
            for weight, state in optimizer.state.items()
            for kind, value in state.items()
        }
        save_file(moments, partial / "optimizer.safetensors")
        (partial / "state.json").write_text(
            json.dumps({"step": self.step, "identity": self._identity, "extra": self.extra})
        )
        shutil.rmtree(target, ignore_errors=True)
        os.replace(partial, target)
        for old in self._checkpoints()[:-1]:
            shutil.rmtree(old)

    def _checkpoints(self) -> list[Path]:
        return sorted(
            self._folder.glob("step-*"), key=lambda path: int(path.name.partition("-")[2])
        )

    def _state(self) -> dict[str, Tensor]:
        """Trainable weights and persistent buffers, without those of a pretrained model."""
        buffers = {
            name: value
            for name, value in self.module.named_buffers()
            if name in self.module.state_dict()
        }
        return {
            **self._named,
            **{name: value for name, value in buffers.items() if "model." not in name},
        }

    def _restore(self) -> None:
        """Continue from the last checkpoint, if there is one."""
        found = self._checkpoints()
        if not found:
            return
        state = json.loads((found[-1] / "state.json").read_text())
        if state["identity"] != self._identity:
            mine, theirs = self._identity, state["identity"]
            differing = [name for name in mine if mine[name] != theirs.get(name)]
            raise UserError(
                f"{self._folder} holds a training with another "
                f"{differing[0] if differing else 'configuration'}: choose another --out, "
                "or remove that folder"
            )
        self.step, self.extra = state["step"], state["extra"]
        self.module.load_state_dict(load_file(found[-1] / "model.safetensors"), strict=False)
        moments = load_file(found[-1] / "optimizer.safetensors")
        owner = {
            id(weight): optimizer
            for optimizer in self._optimizers
            for group in optimizer.param_groups
            for weight in group["params"]
        }
        for name, weight in self._named.items():
            kinds = {
                key.partition(".")[0]: value
                for key, value in moments.items()
                if key.partition(".")[2] == name
            }
            if kinds:
                # PyTorch keeps an optimiser's step count on the CPU.
                owner[id(weight)].state[weight] = {
                    kind: value.to(weight.device) if kind != "step" else value
                    for kind, value in kinds.items()
                }
