"""Language Rearrangement (arXiv 2310.17722, apple/ml-llarp): instructions followed by skills."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from harness.core import Adapter, Box, Brief, Case, Discrete, Missing, Task, TimeStep, UserError

__all__ = ["LangRAdapter"]

VARIABLE = "LLARP_ROOT"
SKILLS = "pddl_hl_action"
SUCCESS, PROGRESS, REWARD = "predicate_task_success", "task_progress", "subgoal_reward"
INVALID = "num_invalid_actions"
CAMERA = "head_rgb"
LLARP_STEPS = 32
"""max_episode_steps in ml-llarp's llarp/config/task/language_rearrangement.yaml."""
SMALLEST = 1000
"""Bytes; a smaller data file is a git-lfs pointer, not the data."""


class LangRAdapter(Adapter):
    """A Fetch robot in a furnished flat executes one skill per step.

    It goes to places, picks things up, puts them down, and opens and closes doors; the simulator
    executes a skill at once. `params`: `split`, a file of ml-llarp's datasets (`new_scenes`,
    `rephrasing`, ...), `root`, the checkout of ml-llarp unless it is at $LLARP_ROOT, and
    `tokenizer`, the folder of a tokenizer (default `data/hf_llama_7B/` in the checkout), which the
    task loads although no view depends on it.

    Case.seed -> episode: number seed % n of the n episodes in the file (100 each).

    Views: image, uint8 (224, 224, 3), RGB, row 0 at the top, from the robot's head.
    Action: Discrete, 70 skills, listed in `names`. A skill that is not possible now does nothing
    and counts in the metric `invalid_actions`. No skill is certain to do nothing: the no-op is the
    first one, which goes somewhere.

    Success: the goal of the instruction holds, which ends the episode. Reward: the task's own, with
    penalties and subgoals. Metric: `task_progress`, the fraction of subgoals reached. No expert.

    Written against the published habitat-lab 0.3.0 and ml-llarp, and not run: see
    docs/reproductions/langr.md.
    """

    code_params: ClassVar[tuple[str, ...]] = ("tokenizer",)
    path_params: ClassVar[tuple[str, ...]] = ("root", "split", "tokenizer")
    packages: ClassVar[tuple[str, ...]] = ("habitat-sim", "habitat-lab")
    redraws: ClassVar[bool] = False
    guide: ClassVar[str] = (
        "in a separate Python 3.9: conda install habitat-sim==0.3.0 withbullet headless "
        "-c conda-forge -c aihabitat; pip install -e habitat-lab of habitat-lab v0.3.0; "
        "git clone https://github.com/apple/ml-llarp; pip install -e ml-llarp; there, python -m "
        "habitat_sim.utils.datasets_download --uids rearrange_task_assets; "
        f"set {VARIABLE} to it; then --interpreter langr=THAT/PYTHON"
    )

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        absent = super().missing(task)
        if absent is not None:
            return absent
        root = _root(task)
        if importlib.util.find_spec("llarp") is None or root is None:
            return Missing(
                f"ml-llarp is not installed, or {VARIABLE} does not say where it is", cls.guide
            )
        needed = [root / "data" / "replica_cad", root / "data" / "objects" / "ycb"]
        if task is not None:
            needed += [_episodes(root, task), root / _tokenizer(task)]
        for path in needed:
            if not path.exists() or (path.suffix == ".pickle" and path.stat().st_size < SMALLEST):
                return Missing(f"there is no {path}", cls.guide)
        return None

    @classmethod
    def env_key(cls, task: Task) -> str:
        """One environment serves the episodes of one file."""
        return str(task.params.get("split"))

    def __init__(self, task: Task) -> None:
        root = _root(task)
        if root is None:
            raise UserError(f"task {task.id}: set {VARIABLE} to a checkout of apple/ml-llarp")
        self._root = root
        self._random_states = random.getstate(), np.random.get_state()
        with _working_directory(root):
            self._env: Any = _environment(task, root)
        self._episodes = list(self._env.episodes)
        skills = self._env.task.actions[SKILLS]
        names = tuple(" ".join([name, *values]) for name, values in skills._action_datas)
        self._views = {"image": lambda: self._image}
        self.brief, self._action = _brief(self._env.observation_space[CAMERA].shape, names)

    def reset(self, case: Case) -> TimeStep:
        if (case.task.max_steps or 0) > LLARP_STEPS:
            raise UserError(
                f"task {case.task.id}: ml-llarp ends every episode after {LLARP_STEPS} steps: set "
                f"max_steps to at most {LLARP_STEPS}; got {case.task.max_steps}"
            )
        with self._surroundings():
            self._env.seed(case.simulator_seed)  # the robot's initial pose is drawn
            self._env.episode_iterator = iter([self._episodes[case.seed % len(self._episodes)]])
            seen = self._env.reset()
        self._steps, self._last = 0, 0
        return self._timestep(seen, False)

    def step(self, action: Any) -> TimeStep:
        self._last = int(self._action.validate(action))
        self._steps += 1
        with self._surroundings():
            seen = self._env.step({"action": self._last})
        return self._timestep(seen, True)

    def render(self) -> np.ndarray:
        return self._image.copy()

    def state(self) -> bytes:
        metrics = self._env.get_metrics()
        values = [
            self._steps,
            self._last,
            *(float(metrics.get(name, 0.0)) for name in (SUCCESS, PROGRESS, INVALID)),
        ]
        return np.asarray(values, np.float64).tobytes()

    def close(self) -> None:
        self._env.close()

    @contextlib.contextmanager
    def _surroundings(self) -> Iterator[None]:
        """Set the working directory to the checkout, and the global random generators, from which
        habitat and ml-llarp draw, to this episode's states; restore both afterwards."""
        outside = random.getstate(), np.random.get_state()
        random.setstate(self._random_states[0])
        np.random.set_state(self._random_states[1])
        try:
            with _working_directory(self._root):
                yield
        finally:
            self._random_states = random.getstate(), np.random.get_state()
            random.setstate(outside[0])
            np.random.set_state(outside[1])

    def _timestep(self, seen: Any, rewarded: bool) -> TimeStep:
        self._image = np.ascontiguousarray(np.asarray(seen[CAMERA], np.uint8)[..., :3])
        metrics = self._env.get_metrics()
        success = bool(metrics[SUCCESS])
        over = bool(self._env.episode_over) and rewarded
        extra = {
            "invalid_actions": float(metrics.get(INVALID, 0.0)),
            "task_progress": float(metrics.get(PROGRESS, 0.0)),
        }
        reward = float(metrics[REWARD]) if rewarded else 0.0
        return TimeStep(
            self._views,
            str(self._env.task.lang_goal),
            reward,
            over or success,
            False,
            success,
            extra,
        )


def _environment(task: Task, root: Path) -> Any:
    import habitat
    import llarp.config
    import llarp.config.default_structured_configs
    import llarp.dataset.episodes
    import llarp.task
    from habitat.config.default import get_config

    config = get_config(
        "task/language_rearrangement.yaml",
        overrides=[
            f"habitat.dataset.data_path={_episodes(root, task)}",
            f"habitat.task.tokenizer_name={_tokenizer(task)}",
            "habitat.environment.iterator_options.shuffle=False",
        ],
        configs_dir=str(Path(llarp.config.__file__).parent),
    )
    return habitat.Env(config)


def _root(task: Task | None) -> Path | None:
    root = (task.params.get("root") if task is not None else None) or os.environ.get(VARIABLE)
    return Path(root).expanduser() if root else None


def _episodes(root: Path, task: Task) -> Path:
    return root / "datasets" / f"{task.params.get('split')}.pickle"


def _tokenizer(task: Task) -> str:
    return str(task.params.get("tokenizer", "data/hf_llama_7B/"))


@contextlib.contextmanager
def _working_directory(folder: Path) -> Iterator[None]:
    """Change to `folder`, to which the paths in ml-llarp's configurations are relative."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _brief(shape: tuple[int, ...], names: tuple[str, ...]) -> tuple[Brief, Discrete]:
    action = Discrete(
        len(names),
        names=names,
        meaning="one skill; what is not possible now does nothing; none does nothing for sure",
    )
    brief = Brief(
        observation={
            "image": Box((*shape[:2], 3), "uint8", 0, 255, "px", "RGB, from the robot's head")
        },
        action=action,
        embodiment="a Fetch robot in a furnished flat: goes to furniture, picks up and puts down "
        "one thing, opens and closes cabinets and the fridge",
        simulator="Language Rearrangement on habitat, skills executed at once",
    )
    return brief, action
