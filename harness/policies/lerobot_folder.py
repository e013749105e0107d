"""What the folder of a LeRobot policy says, read without LeRobot, and whether it is safe to load.

Source of the format: lerobot/policies/pretrained.py and lerobot/processor/pipeline.py, 0.4.4.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.core import UserError

__all__ = ["NEEDED", "action_size", "features_of", "has_device", "read_config", "steps_seen"]

LARGEST_CONFIG = 1 << 24
"""Bytes of a JSON file of the folder; they have thousands."""
UNSAFE = (".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth")
"""Files whose readers run code that they hold."""
NEEDED = ("model.safetensors", "policy_preprocessor.json", "policy_postprocessor.json")
PREFIXES = ("observation.images.", "observation.")
WITHOUT_CHUNKS = {
    "groot": "its processors take their statistics from a dataset",
    "reward_classifier": "it gives rewards, no actions",
    "tdmpc": "it plans from the plan of the step before",
}
"""Types that cannot be asked turn by turn, and why."""


def read_config(path: str) -> dict[str, Any]:
    """`config.json` of a policy's folder, once it is known that the folder is safe to load.

    Raises UserError with the remedy.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(f"{path} is no folder: write lerobot:FOLDER, the one with config.json")
    inner = folder / "pretrained_model"
    if not (folder / "config.json").exists() and (inner / "config.json").exists():
        raise UserError(f"the policy lies in a folder of {path}: write lerobot:{inner}")
    unsafe = sorted(each.name for each in folder.rglob("*") if each.suffix.lower() in UNSAFE)
    if unsafe:
        raise UserError(
            f"{path} holds {unsafe[0]}, which can run code when it is loaded; LeRobot's own format "
            "is safetensors: load and save the policy once with its save_pretrained, or remove the "
            "file if it is not needed"
        )
    if not (folder / "config.json").exists():
        raise UserError(
            f"{path} has no config.json: write lerobot:FOLDER, the one that save_pretrained wrote"
        )
    config = _json(folder / "config.json")
    lacks = [name for name in NEEDED if not (folder / name).exists()]
    if lacks:
        raise UserError(
            f"{path} lacks {lacks[0]}; LeRobot before 0.4 kept the statistics inside the weights: "
            "convert it with lerobot's migrate_policy_normalization.py"
        )
    for name in NEEDED[1:]:
        for step in _steps(folder / name):
            if "registry_name" not in step:
                raise UserError(
                    f"{path}/{name} names the Python class {step.get('class')!r} for a step; only "
                    "steps of LeRobot's own registry are run"
                )
    kind = config.get("type")
    if kind in WITHOUT_CHUNKS:
        raise UserError(f"{path} is of the type {kind}: {WITHOUT_CHUNKS[kind]}")
    return config


def features_of(
    config: Mapping[str, Any], views: Mapping[str, str] | None, path: str
) -> dict[str, str]:
    """Input feature -> view. Raises UserError if a feature has no view."""
    inputs = config.get("input_features")
    if not isinstance(inputs, Mapping) or not inputs:
        raise UserError(f"{path}/config.json names no input_features")
    named = {} if views is None else views
    if not isinstance(named, Mapping) or not all(isinstance(v, str) for v in named.values()):
        raise UserError(f"views={views!r}: write a table of features and views")
    unknown = [feature for feature in named if feature not in inputs]
    if unknown:
        raise UserError(f"views: there is no feature {unknown[0]}; it has {', '.join(inputs)}")
    found = {}
    for feature, said in inputs.items():
        shape = said.get("shape") if isinstance(said, Mapping) else None
        if not isinstance(shape, list) or not all(type(size) is int for size in shape):
            raise UserError(f"{path}/config.json: {feature} has no shape")
        prefix = next((each for each in PREFIXES if feature.startswith(each)), "")
        found[feature] = named.get(feature, feature.removeprefix(prefix))
    return found


def steps_seen(config: Mapping[str, Any]) -> int:
    """How many observations the policy looks at."""
    count = config.get("n_obs_steps", 1)
    if type(count) is not int or not 1 <= count <= 1000:
        raise UserError(f"config.json: n_obs_steps is {count!r}")
    return count


def action_size(config: Mapping[str, Any]) -> int:
    """How many numbers an action of the policy has. Raises UserError."""
    outputs = config.get("output_features")
    action = outputs.get("action") if isinstance(outputs, Mapping) else None
    shape = action.get("shape") if isinstance(action, Mapping) else None
    if not isinstance(shape, list) or not all(type(size) is int for size in shape):
        raise UserError("config.json: output_features has no action with a shape")
    return int(np.prod(shape))


def has_device(path: str, name: str) -> bool:
    """Whether the processor of this file puts tensors on a device. Raises UserError."""
    return any(step["registry_name"] == "device_processor" for step in _steps(Path(path, name)))


def _steps(file: Path) -> list[Mapping[str, Any]]:
    steps = _json(file).get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, Mapping) for step in steps):
        raise UserError(f"{file} names no steps")
    return steps


def _json(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > LARGEST_CONFIG:
            raise UserError(f"{file} is larger than {LARGEST_CONFIG} bytes")
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as fault:
        raise UserError(f"{file} cannot be read: {fault.strerror}") from None
    except (ValueError, RecursionError) as fault:
        raise UserError(f"{file} is no JSON: {fault}") from None
    if not isinstance(content, dict):
        raise UserError(f"{file} holds no table")
    return content
