"""Language Rearrangement (arXiv 2310.17722, apple/ml-llarp): instructions in a flat, followed by skills, on habitat. See the class."""

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
SMALLEST = 1000
"""Bytes: a smaller data file is a pointer of git-lfs, not the data."""


class LangRAdapter(Adapter):
    """A Fetch robot in a furnished flat, which goes to places, picks things up, puts them down, and opens and closes doors: each a skill that
    the simulator executes at once. `params`: `split`, a file of ml-llarp's datasets (`new_scenes`, `rephrasing`, ...), `root`, the checkout of
    ml-llarp, if it is not at $LLARP_ROOT, and `tokenizer`, the folder of one (`data/hf_llama_7B/` in the checkout): the task loads it,
    though nothing that an agent sees here was made by it.

    Case.seed -> episode: the one of that index in the file (100 each), anew after the last.

    Views: image, uint8 (224, 224, 3), RGB, row 0 at the top: from the robot's head.
    Action: Discrete, 70 skills; `names` tells them. A skill that is not possible now does nothing, and counts in the metric `invalid_actions`.
    None does nothing for sure: the no-op is the first, which goes somewhere.

    Success: the goal of the instruction holds, which ends the episode. Reward: the task's own, with penalties and subgoals. Metric:
    `task_progress`, the share of subgoals that were reached. No expert.

    Written against habitat-lab 0.3.0 and ml-llarp as they are published, and not run: see docs/reproductions/langr.md.
    """

    packages: ClassVar[tuple[str, ...]] = ("habitat-sim", "habitat-lab")
    guide: ClassVar[str] = (
        "in a Python 3.9 of its own: conda install habitat-sim==0.3.0 withbullet headless -c conda-forge -c aihabitat; pip install -e habitat-lab of "
        "habitat-lab v0.3.0; git clone https://github.com/apple/ml-llarp; pip install -e ml-llarp; there, python -m "
        f"habitat_sim.utils.datasets_download --uids rearrange_task_assets; set {VARIABLE} to it; then --interpreter langr=THAT/PYTHON"
    )

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        """The packages, the checkout, or its data."""
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
        """One environment holds the episodes of one file."""
        return str(task.params.get("split"))

    def __init__(self, task: Task) -> None:
        root = _root(task)
        if root is None:
            raise UserError(f"task {task.id}: set {VARIABLE} to a checkout of apple/ml-llarp")
        self._root = root
        self._luck = random.getstate(), np.random.get_state()
        with _inside(root):
            self._env: Any = _environment(task, root)
        self._episodes = list(self._env.episodes)
        skills = self._env.task.actions[SKILLS]
        names = tuple(" ".join([name, *values]) for name, values in skills._action_datas)
        self._views = {"image": lambda: self._image}
        self.brief = _brief(self._env.observation_space[CAMERA].shape, names)

    def reset(self, case: Case) -> TimeStep:
        """Start the episode of the seed's index."""
        with self._there():
            self._env.seed(case.simulator_seed)  # where the robot stands is drawn
            self._env.episode_iterator = iter([self._episodes[case.seed % len(self._episodes)]])
            seen = self._env.reset()
        self._steps, self._last = 0, 0
        return self._told(seen, False)

    def step(self, action: Any) -> TimeStep:
        """Execute one skill."""
        self._last = int(self.brief.action.validate(action))
        self._steps += 1
        with self._there():
            seen = self._env.step({"action": self._last})
        return self._told(seen, True)

    def render(self) -> np.ndarray:
        """The view `image`."""
        return self._image.copy()

    def state(self) -> bytes:
        """The step, the skill and what it came to."""
        metrics = self._env.get_metrics()
        told = [
            self._steps,
            self._last,
            *(float(metrics.get(name, 0.0)) for name in (SUCCESS, PROGRESS, INVALID)),
        ]
        return np.asarray(told, np.float64).tobytes()

    def close(self) -> None:
        """Free the simulator."""
        self._env.close()

    @contextlib.contextmanager
    def _there(self) -> Iterator[None]:
        """In the checkout, and with this episode's own luck in the global generators, from which habitat and ml-llarp draw."""
        outside = random.getstate(), np.random.get_state()
        random.setstate(self._luck[0])
        np.random.set_state(self._luck[1])
        try:
            with _inside(self._root):
                yield
        finally:
            self._luck = random.getstate(), np.random.get_state()
            random.setstate(outside[0])
            np.random.set_state(outside[1])

    def _told(self, seen: Any, rewarded: bool) -> TimeStep:
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
    told = (task.params.get("root") if task is not None else None) or os.environ.get(VARIABLE)
    return Path(told).expanduser() if told else None


def _episodes(root: Path, task: Task) -> Path:
    return root / "datasets" / f"{task.params.get('split')}.pickle"


def _tokenizer(task: Task) -> str:
    return str(task.params.get("tokenizer", "data/hf_llama_7B/"))


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """With `folder` as the working directory, for the paths in ml-llarp's configurations start there."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _brief(shape: tuple[int, ...], names: tuple[str, ...]) -> Brief:
    return Brief(
        observation={
            "image": Box((*shape[:2], 3), "uint8", 0, 255, "px", "RGB, from the robot's head")
        },
        action=Discrete(
            len(names),
            names=names,
            meaning="one skill; what is not possible now does nothing; none does nothing for sure",
        ),
        embodiment="a Fetch robot in a furnished flat: goes to furniture, picks up and puts down one thing, opens and closes cabinets and the fridge",
        simulator="Language Rearrangement on habitat, skills executed at once",
    )
