"""Any registered Gymnasium environment: its own observations, actions, time limit and rewards.

Views, by the kind of each part of the observation space (Dict and Tuple are taken apart); converted
when read:
    image        uint8 (H, W, 3) of at least 16 x 16
    state        any other Box, and MultiBinary as int8 0 or 1
    state_index  Discrete (counted from 0) and MultiDiscrete (flat)
    text         Text, and any other space whose samples are strings; Graph and OneOf, as JSON
    texts        Sequence: a text for each of its items, as JSON unless it is a text
Where a kind occurs more than once, each is called KIND_KEY, say `state_achieved_goal`. A text under
the key `mission` or `instruction` is the instruction, not a view.

Actions: Box, Discrete (counted from 0 whatever the space's start), MultiDiscrete and MultiBinary
(both flat), Text, and Dict and Tuple of these but Text, as one flat array. A Sequence, a OneOf, and
a Dict or Tuple that holds one or a Text, are a text of JSON: see adapters/_gym_json.py. Other
spaces (Graph, stacked sequences) are refused: register the environment with an action wrapper.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from adapters._gym_interface import (
    NO_PICTURES,
    behind,
    make,
    registered,
    reset,
    step,
)
from adapters._gym_spaces import Path, action_of, as_it_is, parts_of, pick, view_of
from harness.core import (
    Adapter,
    Box,
    Brief,
    Case,
    Missing,
    Spec,
    Task,
    Text,
    Texts,
    TimeStep,
    UserError,
)
from harness.core.values import BadValue, as_flag, as_number, as_text

__all__ = ["GymAdapter", "TwoKeys", "UnstartableEnvironment", "success_of"]

SUCCESS_KEYS = ("success", "is_success")
INSTRUCTION_KEYS = ("mission", "instruction")
STATE_BYTES = 4096
"""Parts of an observation up to this size enter the digest of every step."""


def _balance(state: np.ndarray) -> int:
    """CartPole by linear feedback: push towards where cart and pole lean and move.

    It lasts all 500 steps in each of 500 episodes.
    """
    position, velocity, angle, turning = state
    return int(position + 2 * velocity + 20 * angle + 4 * turning > 0)


def _swing(state: np.ndarray) -> int:
    """MountainCar: push the way the car moves, and turn round a little early on the slopes.

    Its mean return over 1,000 episodes is -105.5, the worst -121.
    """
    position, velocity = state
    return 2 if velocity > 0.009 * (position + 0.5) - 0.0002 else 0


EXPERTS: Mapping[str, Callable[[np.ndarray], int]] = {
    "CartPole-v1": _balance,
    "MountainCar-v0": _swing,
}
"""Closed-form controllers that solve an environment by Gymnasium's `reward_threshold`.

That is a mean return of 475 (CartPole) and -110 (MountainCar) over 100 episodes.
"""


class GymAdapter(Adapter):
    """One registered environment of Gymnasium.

    `task.params`: `id`, say `CartPole-v1`; `kwargs`, the arguments of `gymnasium.make`; and
    `success_key`, the key of the info that says success, where it is none of SUCCESS_KEYS or these
    disagree. An id may name the module that registers it: `minigrid:MiniGrid-Empty-5x5-v0`. For the
    views and actions see the module's docstring.

    The environment is made once and reset with `seed=case.simulator_seed`. Whether that restores
    everything is up to the environment; `bench verify --invariance` checks it.
    Success, where the task has one, is `info["success"]` or `info["is_success"]` of the reset or
    step; False while the info has neither, or None. An environment that says it nowhere in an
    episode is at fault, not a failure.
    Expert: only for the environments in EXPERTS, without kwargs.

    Raises UserError, with the remedy, for an id, arguments or a space that cannot be used, and for
    a dependency that is not installed. Raises BadValue for what is the environment's fault: a
    success that is no bool, two keys that disagree, a reward that is no finite number, text that is
    no UTF-8, a part of an observation that is missing.
    """

    code_params: ClassVar[tuple[str, ...]] = ("id", "kwargs")
    packages: ClassVar[tuple[str, ...]] = ("gymnasium",)
    extra: ClassVar[str] = "gym"
    own_streams: ClassVar[bool] = True

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        """Gymnasium, or the module that the id names.

        Dependencies of that module are noticed only when the environment is made.
        """
        module = task.params["id"].rpartition(":")[0].partition(".")[0] if task else ""
        if module and importlib.util.find_spec(module) is None:
            return Missing(
                f"the module {module} is not installed",
                f"install the package that provides {module}",
            )
        return super().missing(task)

    @classmethod
    def modules(cls, task: Task) -> tuple[str, ...]:
        entry = registered(task.params["id"]).entry_point
        while isinstance(entry, functools.partial):
            entry = entry.func
        module = entry.partition(":")[0] if isinstance(entry, str) else entry.__module__
        wrapped = behind(task.params["id"], task.params.get("kwargs", {}))
        return *super().modules(task), module, *wrapped

    @classmethod
    def env_key(cls, task: Task) -> str:
        limit = [task.max_steps] if task.max_steps is not None else []
        arguments = task.params.get("kwargs", {})
        return json.dumps(["gym", task.params["id"], arguments, *limit], sort_keys=True)

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        # Arguments may change the game that the controller solves.
        return task.params["id"] in EXPERTS and not task.params.get("kwargs")

    def __init__(self, task: Task) -> None:
        self._task, self._steps, self._told = task, 0, False
        self._expert = EXPERTS[task.params["id"]] if self.has_expert(task) else None
        self._env = make(task.params["id"], _arguments(task))
        name = type(self._env.unwrapped).__name__
        action, self._convert = action_of(self._env.action_space, self._env.unwrapped)
        self._observed: Any = None
        self._instruction: Path | None = None
        self._small: list[Callable[[], bytes]] = []
        specs: dict[str, Spec] = {}
        self._views: dict[str, Callable[[], Any]] = {}
        parts = [
            (path, *view_of(space, path))
            for path, space in parts_of(self._env.observation_space, ())
        ]
        kinds = [kind for _, kind, _, _ in parts]
        for path, kind, spec, read in parts:
            if (
                not isinstance(spec, Box)
                or int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize <= STATE_BYTES
            ):
                self._small.append(functools.partial(self._bytes, path, read, spec))
            if kind == "text" and path and path[-1] in INSTRUCTION_KEYS:
                self._instruction = path
                continue
            view = (
                kind
                if kinds.count(kind) == 1
                else re.sub(r"\W+", "_", "_".join(map(str, (kind, *path))))
            )
            if view in specs:
                raise UserError(
                    f"{name}: two parts of the observation would both be called {view}; rename one "
                    "with an observation wrapper"
                )
            specs[view] = spec
            self._views[view] = functools.partial(self._read, path, read)
        self.brief = Brief(
            observation=specs,
            action=action,
            embodiment=f"The agent of the environment class {name}.",
            simulator="An environment with Gymnasium's interface.",
            control_hz=task.control_hz,
        )

    def _read(self, path: Path, read: Callable[[Any], Any]) -> Any:
        return read(pick(self._observed, path))

    def reset(self, case: Case) -> TimeStep:
        self._task, self._steps, self._told = case.task, 0, False
        self._observed, info = reset(self._env, case.simulator_seed)
        return self._timestep(0.0, False, False, info)

    def step(self, action: Any) -> TimeStep:
        checked = self.brief.action.validate(action)
        self._observed, reward, terminated, truncated, info = step(
            self._env, self._convert(checked)
        )
        self._steps += 1
        return self._timestep(
            as_number(reward, "the reward"),
            as_flag(terminated, "terminated"),
            as_flag(truncated, "truncated"),
            info,
        )

    def expert(self, executed: Any) -> int:
        return super().expert(executed) if self._expert is None else self._expert(self._observed)

    def render(self) -> np.ndarray:
        """`env.render()`, for environments with the render mode rgb_array."""
        import gymnasium

        if self._env.render_mode != "rgb_array":
            raise UserError(NO_PICTURES)
        try:
            return np.asarray(self._env.render(), np.uint8)
        except (ImportError, gymnasium.error.DependencyNotInstalled) as lack:
            raise UserError(f"no frame can be drawn: {lack}") from lack

    def state(self) -> bytes:
        """The small parts of the observation: Gymnasium's interface offers no more."""
        return b"".join(part() for part in self._small)

    def _bytes(self, path: Path, read: Callable[[Any], Any], spec: Spec) -> bytes:
        value = pick(self._observed, path)
        if isinstance(spec, Texts) or (isinstance(spec, Text) and read is not as_it_is):
            return json.dumps(read(value)).encode()
        part = np.asarray(value)
        if part.dtype.hasobject:  # its bytes would be addresses
            raise BadValue(f"the observation holds objects: {part!r:.200}")
        return part.tobytes()

    def close(self) -> None:
        self._env.close()

    def _timestep(
        self, reward: float, terminated: bool, truncated: bool, info: Mapping[str, Any]
    ) -> TimeStep:
        instruction = ""
        if self._instruction is not None:
            instruction = as_text(pick(self._observed, self._instruction), "the instruction")
        success = None
        if self._task.success is not None:
            said = success_of(info, self._task.params.get("success_key"))
            self._told = self._told or said is not None
            success = bool(said)
            if not self._told and (terminated or truncated or self._steps == self._task.max_steps):
                raise BadValue(
                    f"the task has the success rule {self._task.success!r}, and no info of the "
                    "episode says success: name its key as success_key in the task's params, or "
                    "give the task no success rule"
                )
        return TimeStep(dict(self._views), instruction, reward, terminated, truncated, success)


def _arguments(task: Task) -> dict[str, Any]:
    """The arguments of `gymnasium.make`.

    A horizon of the task beyond the environment's own limit raises that limit.
    """
    arguments = dict(task.params.get("kwargs", {}))
    if task.max_steps is not None:
        own = registered(task.params["id"]).max_episode_steps
        if own is not None and task.max_steps > own:
            arguments.setdefault("max_episode_steps", task.max_steps)
    return arguments


class UnstartableEnvironment(GymAdapter):
    """Stands for an environment that failed when `task_for` tried it: it cannot run here."""

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        if task is None:
            return super().missing()
        return Missing(str(task.params["reason"]), str(task.params["remedy"]))


class TwoKeys(BadValue):
    """Two keys of an info both say success, and not the same."""


def success_of(info: Any, key: str | None) -> bool | None:
    """What an info says of success, under `key` or else under SUCCESS_KEYS; None: nothing.

    A value of None is not told yet. Raises BadValue where it is no bool, and TwoKeys.
    """
    if not isinstance(info, Mapping):
        raise BadValue(f"the info is {info!r:.200}: expected a mapping")
    told = {
        name: as_flag(info[name], f"info[{name!r}]")
        for name in ((key,) if key is not None else SUCCESS_KEYS)
        if info.get(name) is not None
    }
    if len(set(told.values())) > 1:
        said = " and ".join(f"info[{name!r}] is {value}" for name, value in told.items())
        raise TwoKeys(
            f"two success keys disagree: {said}; name the one that counts: gym:ID?success_key=KEY, "
            "or success_key in a task's params"
        )
    return next(iter(told.values()), None)
