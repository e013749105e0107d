"""`--agent onnx:FILE.onnx`: a network in ONNX's format, run by ONNX Runtime on the CPU.

The file holds a graph and its weights, and no code beside the runtime's own operators.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.core import Turn, UserError
from harness.policies.network import ONLY, Network

__all__ = ["Onnx"]

INSTALL = "pip install 'generalist-bench[onnx]'"
DTYPES = {
    "tensor(bool)": "bool", "tensor(double)": "float64", "tensor(float)": "float32",
    "tensor(float16)": "float16", "tensor(int32)": "int32", "tensor(int64)": "int64",
    "tensor(uint8)": "uint8",
}  # fmt: skip


class Onnx(Network):
    """An ONNX model. Its inputs are called like the profile's keys, or there is one of any name.

    Numbers are converted to the dtype of the input. The first output is the action. The weights
    must be in the file itself, and the graph may draw nothing at random.
    """

    def _load(self, path: str) -> None:
        try:
            import onnxruntime
        except ImportError as fault:
            raise UserError(f"{path} needs onnxruntime: {INSTALL}") from fault
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        options.log_severity_level = 3
        try:
            # As bytes: weights in another file would not be part of the agent's fingerprint.
            with open(path, "rb") as file:
                content = file.read()
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as fault:
            raise UserError(
                f"{path} cannot be loaded: {' '.join(str(fault).split())[:300]}; save the model "
                "with its weights in the one file"
            ) from fault
        self._inputs = {each.name: str(each.type) for each in self._session.get_inputs()}

    def _run(self, inputs: Mapping[str, Any], turn: Turn) -> np.ndarray:
        if len(self._inputs) == len(inputs) == 1:
            inputs = {name: next(iter(inputs.values())) for name in self._inputs}
        if set(inputs) != set(self._inputs):
            given = ", ".join(inputs if ONLY not in inputs else ["one view"])
            raise ValueError(f"the model takes {', '.join(self._inputs)}, and is given {given}")
        fed = {name: self._fed(name, value) for name, value in inputs.items()}
        return np.asarray(self._session.run(None, fed)[0])

    def _fed(self, name: str, value: Any) -> np.ndarray:
        kind = self._inputs[name]
        if kind == "tensor(string)":
            return np.asarray(value, object)
        if kind not in DTYPES or not isinstance(value, np.ndarray):
            raise ValueError(f"the input {name} is a {kind}, and is given a {type(value).__name__}")
        return np.ascontiguousarray(value, DTYPES[kind])
