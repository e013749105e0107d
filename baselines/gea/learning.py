"""What all stages share: an optimiser with a schedule, checkpoints that a killed training goes on from, and curves."""

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

from harness.core import UserError

__all__ = ["Curves", "Learner", "cosine"]

CHECKPOINT_S = 60.0
SAY_S = 10.0


def cosine(step: int, steps: int, warmup: float) -> float:
    """The share of the learning rate: rises linearly over the first `warmup` of the steps, then falls to 0 by half a cosine."""
    rise = max(1, int(warmup * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


class Curves:
    """Figures over time, for TensorBoard, and a line for people now and then."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder))
        self._say, self._said = say, 0.0

    def add(self, step: int, total: int, figures: Mapping[str, float]) -> None:
        """Figures of one step."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)
        if time.monotonic() - self._said > SAY_S or step == total:
            self._said = time.monotonic()
            self._say(
                f"step {step}/{total}  "
                + "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
            )

    def close(self) -> None:
        """Flush."""
        self._writer.close()


class Learner:
    """AdamW over what learns in a module, with its state on disk: FOLDER/step-N/{model,optimizer}.safetensors and state.json."""

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
        """`identity` is what a checkpoint must have been made with. `muon`: the matrices of the model's blocks are learned by Muon, in steps of the size
        of AdamW's (arXiv 2502.16982). Raises UserError when the folder holds another training."""
        self.module, self._folder, self._clip, self._identity = (
            module,
            folder,
            clip,
            json.loads(json.dumps(dict(identity))),
        )
        self._named = {
            name: weight for name, weight in module.named_parameters() if weight.requires_grad
        }
        self._lr = lr
        inner, others = [], []
        for name, weight in self._named.items():
            (inner if muon and weight.ndim == 2 and ".layers." in name else others).append(weight)
        self._optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(others, lr=lr, weight_decay=weight_decay)
        ]
        if inner:
            self._optimizers.append(
                torch.optim.Muon(
                    inner, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
                )
            )
        self._saved = time.monotonic()
        self.step = 0
        self.extra: dict[str, Any] = {}
        """JSON values that go with a checkpoint."""
        self._restore()

    def add(self, loss: Tensor) -> None:
        """A part of the next update's loss, whose graph is then let go. Raises FloatingPointError on a loss that is no number."""
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"the loss is {loss.item()} at step {self.step}: lower the learning rate"
            )
        loss.backward()

    def learn(self, loss: Tensor, share: float = 1.0) -> float:
        """One update by this loss alone: see `add` and `update`."""
        self.add(loss)
        return self.update(share)

    def update(self, share: float = 1.0) -> float:
        """One update by what was added; returns the norm of the gradient. `share` of the learning rate."""
        norm = float(nn.utils.clip_grad_norm_(self._named.values(), self._clip))
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self._lr * share
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return norm

    def checkpoint(self, *, now: bool = False) -> None:
        """Save, at most once a minute unless `now`."""
        if not now and time.monotonic() - self._saved < CHECKPOINT_S:
            return
        self._saved = time.monotonic()
        fresh = self._folder / f"step-{self.step}"
        making = self._folder / "new"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        save_file(
            {
                name: value.detach().cpu().contiguous().clone()
                for name, value in self._state().items()
            },
            making / "model.safetensors",
        )
        names = {id(weight): name for name, weight in self._named.items()}
        moments = {
            f"{kind}.{names[id(weight)]}": value.detach().cpu().float().contiguous().clone()
            for optimizer in self._optimizers
            for weight, state in optimizer.state.items()
            for kind, value in state.items()
        }
        save_file(moments, making / "optimizer.safetensors")
        (making / "state.json").write_text(
            json.dumps({"step": self.step, "identity": self._identity, "extra": self.extra})
        )
        shutil.rmtree(fresh, ignore_errors=True)
        os.replace(making, fresh)
        for old in self._checkpoints()[:-1]:
            shutil.rmtree(old)

    def _checkpoints(self) -> list[Path]:
        return sorted(
            self._folder.glob("step-*"), key=lambda path: int(path.name.partition("-")[2])
        )

    def _state(self) -> dict[str, Tensor]:
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
        found = self._checkpoints()
        if not found:
            return
        state = json.loads((found[-1] / "state.json").read_text())
        if state["identity"] != self._identity:
            mine, theirs = self._identity, state["identity"]
            other = [name for name in mine if mine[name] != theirs.get(name)]
            raise UserError(
                f"{self._folder} holds a training with another {other[0] if other else 'configuration'}: choose another --out, or remove that folder"
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
                owner[id(weight)].state[weight] = {
                    kind: value.to(weight.device) if kind != "step" else value
                    for kind, value in kinds.items()
                }
