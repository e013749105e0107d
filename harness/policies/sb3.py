"""`--agent sb3:FILE.zip`: a checkpoint of Stable-Baselines3, as its own `save` wrote it.

The file is read by SB3's loader, which unpickles: a checkpoint that you name is trusted as your own
module is. No command loads a checkpoint because a run or an entry names it.

Source of the format: stable_baselines3/common/save_util.py.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.core import Agent, Answer, Brief, Missing, Turn, UserError
from harness.policies.drawing import torch_drawn_by
from harness.policies.gym_spaces import (
    action_problem,
    as_observation,
    parts_of,
    problem,
    views_read,
)

__all__ = ["SB3"]

INSTALL = "pip install 'generalist-bench[sb3]'"
LARGEST_DATA = 1 << 28
"""Bytes; the part of a checkpoint that describes it is a fraction of this."""
NO_STATISTICS = "none"
"""The value of `vecnormalize` of a checkpoint that was trained without VecNormalize."""
MODULES = {
    "stable_baselines3.dqn": "DQN",
    "stable_baselines3.sac": "SAC",
    "stable_baselines3.td3": "TD3",
    "sb3_contrib.ars": "ARS",
    "sb3_contrib.common.recurrent": "RecurrentPPO",
    "sb3_contrib.crossq": "CrossQ",
    "sb3_contrib.qrdqn": "QRDQN",
    "sb3_contrib.tqc": "TQC",
}
"""Where the class of a checkpoint's policy lives -> its algorithm."""
ALGORITHMS = ("A2C", "DDPG", "DQN", "PPO", "SAC", "TD3")
CONTRIBUTED = ("ARS", "CrossQ", "QRDQN", "RecurrentPPO", "TQC", "TRPO")
"""Those of the package sb3-contrib."""
FOR_PREDICTION: dict[str, Any] = {
    "buffer_size": 1,
    "replay_buffer_class": None,
    "replay_buffer_kwargs": {},
    "lr_schedule": float,
    "clip_range": float,
    "optimize_memory_usage": False,
}
"""What a checkpoint needs to learn on is replaced: a replay buffer alone may take gigabytes."""


class SB3(Agent):
    """A policy that was trained with Stable-Baselines3, or with sb3-contrib where it is installed.

    Views: `state`, `image`, `state_index`, by the kind of the observation space; of a Dict those
    that are called like its keys, or as adapters.gym names them.
    The action space and the observation space must be those of the task. Turns are answered one at
    a time, on one thread of the CPU, so that no answer depends on the batch.
    """

    def __init__(
        self,
        path: str,
        algo: str = "",
        vecnormalize: str = "",
        deterministic: bool = True,
        views: Mapping[str, str] | str | None = None,
        stack: int = 1,
    ) -> None:
        """Load a checkpoint.

        `path`: the zip file. `algo`: its class, such as PPO; empty: as its data say.
        `vecnormalize`: the statistics that VecNormalize saved, or `none`.
        `deterministic`: the most likely action; False: one that is drawn by the turn's generator.
        `views`: the view of the observation, or for a Dict that of each key.
        `stack`: how many observations VecFrameStack joined.

        Raises UserError if a file cannot be read, or its statistics were forgotten.
        """
        import torch

        torch.set_num_threads(1)
        name = algo or algorithm_of(path)
        kind = _class_of(name, path)
        try:
            self._model = kind.load(path, device="cpu", custom_objects=FOR_PREDICTION)
        except Exception as fault:
            raise UserError(
                f"{path} is no checkpoint of {name} that can be loaded here: "
                f"{type(fault).__name__}: {' '.join(str(fault).split())[:300]}"
            ) from fault
        self._statistics = _statistics(vecnormalize, path)
        if not vecnormalize:
            _look_for_forgotten_statistics(path, self._model)
        self._parts = parts_of(self._model.observation_space, views)
        self._recurrent = name == "RecurrentPPO"
        self._deterministic = deterministic
        self._stack = stack
        self.reads = views_read(self._parts)  # type: ignore[misc]
        self.history = stack  # type: ignore[misc]

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        """The views of its observation space; one observation, or as many as are stacked."""
        space, _ = _spaces(arguments["path"])
        stack = arguments.get("stack", 1)
        if type(stack) is not int or stack < 1:
            raise UserError(f"stack={stack!r}: write how many observations are joined, 1 or more")
        return views_read(parts_of(space, arguments.get("views"))), stack

    @classmethod
    def unfit(cls, arguments: Mapping[str, Any], brief: Brief) -> Missing | None:
        """Why this checkpoint cannot play with this body."""
        observed, acted = _spaces(arguments["path"])
        parts = parts_of(observed, arguments.get("views"))
        wrong = problem(parts, brief, arguments.get("stack", 1)) or action_problem(
            acted, brief.action
        )
        if wrong is None:
            return None
        return Missing(
            f"{arguments['path']} does not fit: {wrong}",
            "play the task that it was trained on, or name the view of its observation with "
            "--agent-arg views=VIEW, and how many frames it joins with --agent-arg stack=N",
        )

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """One action for each turn, each by itself."""
        return [self._answer(turn) for turn in turns]

    def _answer(self, turn: Turn) -> Any:
        observation = as_observation(self._parts, turn.observations, self._stack)
        if self._statistics is not None:
            observation = self._statistics.normalize_obs(observation)
        with contextlib.nullcontext() if self._deterministic else self._drawn_by(turn):
            action, memory = self._model.predict(
                observation,
                state=turn.memory,
                episode_start=np.array([turn.memory is None]),
                deterministic=self._deterministic,
            )
        action = int(action) if np.ndim(action) == 0 else np.ravel(action)
        if hasattr(self._model.action_space, "low"):
            action = np.asarray(action).reshape(self._model.action_space.shape)
        return Answer([action], memory) if self._recurrent else action

    @contextlib.contextmanager
    def _drawn_by(self, turn: Turn) -> Iterator[None]:
        """Seed what SB3 draws from, the global generators, with the turn's; restore them after."""
        before = np.random.get_state()
        with torch_drawn_by(turn) as seed:
            np.random.seed(seed)
            self._model.action_space.seed(seed)
            if getattr(self._model, "use_sde", False):
                self._model.policy.reset_noise()
            try:
                yield
            finally:
                np.random.set_state(before)


def algorithm_of(path: str) -> str:
    """The algorithm that a checkpoint was trained with, as its data tell. Raises UserError."""
    data = _data(path)
    policy = data.get("policy_class")
    module = str(policy.get("__module__", "")) if isinstance(policy, Mapping) else ""
    for start, name in MODULES.items():
        if module.startswith(start):
            return name
    if module.startswith("sb3_contrib.common.maskable"):
        raise UserError(f"{path}: MaskablePPO needs masks of actions, which no view carries")
    if "cg_max_steps" in data:
        return "TRPO"
    if "clip_range" in data:
        return "PPO"
    if "n_steps" in data and "gae_lambda" in data:
        return "A2C"
    raise UserError(
        f"{path} does not tell its algorithm; name it: --agent-arg algo=NAME, one of "
        f"{', '.join((*ALGORITHMS, *CONTRIBUTED))}"
    )


def _data(path: str) -> dict[str, Any]:
    """What a checkpoint says of itself, as JSON, nothing unpickled. Raises UserError."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("data").file_size > LARGEST_DATA:
                raise UserError(f"{path}: its description is larger than {LARGEST_DATA} bytes")
            data = json.loads(archive.read("data"))
    except OSError as fault:
        raise UserError(f"{path} cannot be read: {fault.strerror or fault}") from None
    except (KeyError, ValueError, RecursionError, zipfile.BadZipFile) as fault:
        raise UserError(
            f"{path} is no checkpoint of Stable-Baselines3 ({fault}); write sb3:FILE.zip with the "
            "file that model.save made"
        ) from None
    if not isinstance(data, dict):
        raise UserError(f"{path} is no checkpoint of Stable-Baselines3: its data is no table")
    return data


def _spaces(path: str) -> tuple[Any, Any]:
    try:
        stamp = os.stat(path).st_mtime_ns
    except OSError as fault:
        raise UserError(f"{path} cannot be read: {fault.strerror or fault}") from None
    return _read_spaces(path, stamp)


@functools.lru_cache(maxsize=8)
def _read_spaces(path: str, stamp: int) -> tuple[Any, Any]:
    """(observation space, action space), by SB3's own reader; nothing else is unpickled."""
    data = _data(path)
    wanted = ("observation_space", "action_space")
    if not all(name in data for name in wanted):
        raise UserError(f"{path} is no checkpoint of Stable-Baselines3: it names no spaces")
    _class_of(ALGORITHMS[0], path)
    reading = importlib.import_module("stable_baselines3.common.save_util")
    try:
        found = reading.json_to_data(json.dumps({name: data[name] for name in wanted}))
    except Exception as fault:
        raise UserError(f"{path}: its spaces cannot be read: {fault}") from fault
    return found["observation_space"], found["action_space"]


def _class_of(name: str, path: str) -> Any:
    package = "sb3_contrib" if name in CONTRIBUTED else "stable_baselines3"
    if name not in (*ALGORITHMS, *CONTRIBUTED):
        raise UserError(f"algo={name}: write one of {', '.join((*ALGORITHMS, *CONTRIBUTED))}")
    try:
        return getattr(importlib.import_module(package), name)
    except ImportError as fault:
        install = INSTALL if package == "stable_baselines3" else "pip install sb3-contrib"
        raise UserError(f"{path} needs {package}, which is not installed: {install}") from fault


def _statistics(file: str, path: str) -> Any:
    """The saved VecNormalize; None: there is none. Raises UserError."""
    if not file or file == NO_STATISTICS:
        return None
    saving = importlib.import_module("stable_baselines3.common.save_util")
    try:
        found = saving.load_from_pkl(file)
    except Exception as fault:
        raise UserError(f"vecnormalize={file} cannot be read: {fault}") from fault
    if not hasattr(found, "normalize_obs"):
        raise UserError(f"vecnormalize={file} holds a {type(found).__name__}, no VecNormalize")
    return found


def _look_for_forgotten_statistics(path: str, model: Any) -> None:
    """Raises UserError if the checkpoint was trained on normalised observations, by all signs."""
    remedy = f"name them with --agent-arg vecnormalize=FILE.pkl, or write {NO_STATISTICS}"
    lying = sorted(
        each.name
        for each in Path(path).resolve().parent.glob("*.pkl")
        if "vecnormalize" in each.name.lower().replace("_", "")
    )
    if lying:
        raise UserError(f"statistics of VecNormalize lie beside {path}: {lying[0]}; {remedy}")
    last, original = getattr(model, "_last_obs", None), getattr(model, "_last_original_obs", None)
    if _differ(last, original) or _outside(last, model.observation_space):
        raise UserError(
            f"{path} was trained on observations that VecNormalize had scaled, and its statistics "
            f"are not in the file; {remedy}"
        )


def _differ(last: Any, original: Any) -> bool:
    if last is None or original is None:
        return False
    if isinstance(last, Mapping):
        return any(_differ(value, original.get(key)) for key, value in last.items())
    return not np.array_equal(last, original)


def _outside(last: Any, space: Any) -> bool:
    if last is None:
        return False
    if isinstance(last, Mapping):
        return any(_outside(value, space[key]) for key, value in last.items())
    low, high = getattr(space, "low", None), getattr(space, "high", None)
    if low is None or high is None or np.shape(last)[1:] != np.shape(low):
        return False
    return bool(((last < low) | (last > high)).any())
