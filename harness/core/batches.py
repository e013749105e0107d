"""One view of many turns as one array: what a model wants. Standard library and numpy, Python 3.9.

Torch is not imported: whoever has a tensor has it already.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.core.nouns import Turn

__all__ = ["batch_of", "is_tensor", "on_host"]


def is_tensor(value: Any) -> bool:
    """Whether it is a tensor of torch."""
    torch = sys.modules.get("torch")
    # Not isinstance, which would ask a foreign value for its __class__.
    return torch is not None and issubclass(type(value), torch.Tensor)


def batch_of(turns: Sequence[Turn], view: str) -> Any:
    """The newest `view` of all turns as one array, or as one tensor if the view is one.

    Shape (turns, *shape of the view); not to be written to. Where the rows lie one after the other
    in one array or tensor, as the lanes of a batched simulator do, it is that memory, on its
    device, and nothing is copied. Else they are stacked. The views must have one shape and dtype.
    """
    rows = [turn.observations[-1][view] for turn in turns]
    if is_tensor(rows[0]):
        return _tensor(rows)
    return _array(rows)


def on_host(answers: Any) -> Any:
    """A tensor of answers as an array in the host's memory, by one copy; any other value as it is.

    Raises TypeError where numpy lacks its dtype.
    """
    return answers.detach().cpu().numpy() if is_tensor(answers) and answers.ndim else answers


def _tensor(rows: Sequence[Any]) -> Any:
    torch, first = sys.modules["torch"], rows[0]
    pointers = [row.data_ptr() for row in rows]
    step = _step(pointers)
    if (
        step > 0
        and step % first.element_size() == 0
        and all(row.shape == first.shape and row.stride() == first.stride() for row in rows)
        and all(row.dtype == first.dtype and row.device == first.device for row in rows)
    ):
        # Even distances may be chance: it is one memory if the last row ends within the first's.
        apart, size = step // first.element_size(), first.element_size()
        begin = first.storage_offset()
        last = begin + apart * (len(rows) - 1)
        reach = sum((n - 1) * each for n, each in zip(first.shape, first.stride()))
        if first.numel() and (last + reach + 1) * size <= first.untyped_storage().nbytes():
            return first.as_strided((len(rows), *first.shape), (apart, *first.stride()), begin)
    return torch.stack(list(rows))


def _array(rows: Sequence[Any]) -> np.ndarray:
    first = rows[0]
    if not isinstance(first, np.ndarray) or first.base is None or not first.size:
        return np.stack(rows)
    for row in rows:
        if (
            not isinstance(row, np.ndarray)
            or row.base is not first.base
            or row.shape != first.shape
            or row.strides != first.strides
            or row.dtype != first.dtype
        ):
            return np.stack(rows)
    step = _step([row.__array_interface__["data"][0] for row in rows])
    if step <= 0:
        return np.stack(rows)
    strides = (step, *first.strides)
    return np.lib.stride_tricks.as_strided(
        first, (len(rows), *first.shape), strides, writeable=False
    )


def _step(addresses: Sequence[int]) -> int:
    """The bytes from each row to the next; 0 where they differ, or there is one row only."""
    steps = {after - before for before, after in zip(addresses, addresses[1:])}  # noqa: RUF007
    return steps.pop() if len(steps) == 1 else 0
