"""Several processes that learn one model together, each from examples and episodes of its own.

Gradients are added up over the processes before each update, so the losses of each must be shares
of the whole loss: a sum over its examples, divided by the number in all processes. The weights are
the same everywhere then, without being sent again. Between GPUs this is done by NCCL, between CPUs
by gloo. Alone, every function here does nothing.

`launch` starts the processes by Ray (harness/play/ray_group.py), one for each GPU.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from harness.core import UserError

__all__ = ["everyone", "launch", "member", "rank", "same_weights", "size", "sum_gradients", "total"]

Say = Callable[[str], None]
"""Whom to tell about progress."""


def size() -> int:
    """How many processes learn together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this one, from 0. The first one writes what is written."""
    return dist.get_rank() if dist.is_initialized() else 0


def everyone(value: Any) -> list[Any]:
    """The value that each process gives, by its number: small ones, they are pickled."""
    if size() == 1:
        return [value]
    found: list[Any] = [None] * size()
    dist.all_gather_object(found, value)
    return found


def total(value: float) -> float:
    """The sum of what all processes give."""
    return float(sum(everyone(value)))


def sum_gradients(weights: Sequence[Tensor]) -> None:
    """Replace the gradients by their sums over all processes.

    A gradient that only other processes have counts as 0; one that nobody has stays away, since an
    optimiser takes no step there.
    """
    if size() == 1:
        return
    have = everyone([weight.grad is not None for weight in weights])
    for weight, somewhere in zip(weights, map(any, zip(*have))):
        if somewhere:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
            dist.all_reduce(weight.grad)


def same_weights(module: nn.Module) -> None:
    """Give all processes the weights and buffers of the first one."""
    if size() > 1:
        for tensor in (*module.parameters(), *module.buffers()):
            dist.broadcast(tensor.data, 0)


@contextlib.contextmanager
def member(number: int, count: int, meeting: Path) -> Iterator[None]:
    """Be process `number` of `count` on one machine, which meet by a file that does not exist yet.

    By a file, as PyTorch's server would listen on every interface; gradients stay on the loopback.
    """
    loopback = "lo" if sys.platform == "linux" else "lo0"
    for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        os.environ.setdefault(name, loopback)
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(
        backend, init_method=meeting.resolve().as_uri(), rank=number, world_size=count
    )
    try:
        yield
    finally:
        dist.destroy_process_group()


def launch(train: Callable[[Say], Any], count: int, say: Say) -> None:
    """Run `train`, which must be picklable, in `count` processes of this machine.

    Raises UserError if Ray or a GPU is missing, and what a process raised.
    """
    try:
        from harness.play.ray_group import run_together
    except ImportError:
        raise UserError(
            "several processes need Ray: pip install 'generalist-bench[ray]', or processes=1"
        ) from None
    gpus = torch.cuda.device_count()
    if gpus and gpus < count:
        raise UserError(f"processes is {count}, and there are {gpus} GPUs: one is needed for each")
    run_together(functools.partial(_take_part, train), count, gpus > 0, say)


def _take_part(
    train: Callable[[Say], Any], number: int, count: int, meeting: Path, say: Say
) -> None:
    with member(number, count, meeting):
        train(say)
