"""`--agent torchscript:FILE.pt`: a network that `torch.jit.save` wrote.

A TorchScript archive holds code, which runs in TorchScript's own interpreter, and weights. The file
is one that you name, and is trusted as your own module is.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.core import Turn, UserError
from harness.policies.drawing import torch_drawn_by
from harness.policies.network import ONLY, Network

__all__ = ["TorchScript"]


class TorchScript(Network):
    """A TorchScript module. Its `forward` takes the inputs as tensors.

    The arguments are called like the profile's keys, or there is one: the tensor of the only key,
    or a `Dict[str, Tensor]` with all of them. A number comes in the dtype of the view or the
    profile, but float64 as float32. What it draws is drawn by the turn.
    """

    def _load(self, path: str) -> None:
        try:
            import torch
        except ImportError as fault:
            raise UserError(f"{path} needs torch, which is not installed: {fault}") from fault
        torch.set_num_threads(1)
        try:
            with warnings.catch_warnings():
                # torch 2.9 and later advise torch.export, which the file's maker may heed.
                warnings.simplefilter("ignore", DeprecationWarning)
                loaded = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError) as fault:
            raise UserError(
                f"{path} is no file of torch.jit.save: {' '.join(str(fault).split())[:200]}; "
                "save the network with torch.jit.script(network).save(FILE)"
            ) from fault
        self._module = loaded.eval()
        schema = self._module.forward.schema
        self._arguments = {each.name: str(each.type) for each in schema.arguments[1:]}

    def _run(self, inputs: Mapping[str, Any], turn: Turn) -> np.ndarray:
        import torch

        tensors = {key: _tensor(key, value) for key, value in inputs.items()}
        given, named = self._given(tensors)
        # The optimiser changes last digits from the third call on.
        plain = torch.jit.optimized_execution(False)  # type: ignore[attr-defined]
        with torch_drawn_by(turn), torch.inference_mode(), plain:
            output = self._module(*given, **named)
        if not isinstance(output, torch.Tensor):
            raise ValueError(f"the network returns a {type(output).__name__}; expected a tensor")
        found: np.ndarray = output.float().numpy() if output.is_floating_point() else output.numpy()
        return found

    def _given(self, tensors: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """(positional, named) arguments of `forward`."""
        names = list(self._arguments)
        if set(names) == set(tensors):
            return [], tensors
        if len(names) == 1:
            if self._arguments[names[0]].startswith("Dict"):
                return [tensors], {}
            if len(tensors) == 1:
                return list(tensors.values()), {}
        shown = ", ".join(tensors if ONLY not in tensors else ["one view"])
        raise ValueError(f"forward takes {', '.join(names) or 'nothing'}, and is given {shown}")


def _tensor(key: str, value: Any) -> Any:
    import torch

    if not isinstance(value, np.ndarray):
        raise ValueError(f"the input {key} is a text, which no tensor holds")
    wide = value.dtype == np.float64
    return torch.from_numpy(np.ascontiguousarray(value, np.float32 if wide else value.dtype))
