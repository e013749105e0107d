"""MiniGrid and BabyAI (the Farama `minigrid` package): any level of its registry.

Traps of the package: the wheel lacks the pictures that the MiniGrid-WFC-* levels are made from, so
those cannot be built; the `-v0` of a level that has a `-v1` warns; MiniGrid-Playground has no goal.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import struct
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from adapters import (
    _babyai_bot,
    _babyai_goals,
    _babyai_skills,
    _grid_stages,
    _minigrid_goals,
    _worded_levels,
)
from adapters._grid_levels import Levels
from adapters._grid_specs import PARTIAL_TILE, PIXELS, brief_of
from adapters._grid_words import scene
from adapters._params import levels
from harness.core import (
    GOAL,
    Adapter,
    Case,
    Goal,
    SimulatorPerturbation,
    Skill,
    SkillCall,
    SkillEnd,
    Task,
    TimeStep,
    UserError,
    asked_goal,
)

__all__ = ["MiniGridAdapter"]

THINGS = re.compile(r"(?:(?:red|green|blue|purple|yellow|grey) )?(?:ball|box|key|door)\b")
"""The objects that a mission names."""
STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""The offset of the cell ahead, (x, y), by direction: right, down, left, up."""
NO_EXPERT = (
    "BabyAI-KeyInBox",
    "BabyAI-PutNextS5N2Carrying",
    "BabyAI-PutNextS6N3Carrying",
    "BabyAI-PutNextS7N4Carrying",
)
"""Levels that the bot cannot solve, by its own docstring; it solved 0 of 10 episodes of each."""
PERTURBATIONS = (
    SimulatorPerturbation(
        "size",
        "the size of the rooms, or of the map: larger by this many cells",
        levels("cells", 1, 2, 3, 4, 6),
    ),
    SimulatorPerturbation(
        "distractors",
        "the number of objects that the mission does not mention: more by this count",
        levels("count", 1, 2, 3, 4, 5),
    ),
)

_pack = struct.Struct("<hhbi").pack


class MiniGridAdapter(Adapter):
    """One level of MiniGrid or BabyAI.

    An agent on a grid of cells turns, walks, carries and opens things to fulfil a mission, which is
    one sentence. `task.params`: `id`, the level, say `BabyAI-GoTo-v0`; `image`, false where the
    view of the whole map is not offered; `split`, of the sentences of a worded level, `train` or
    `held-out`. The levels `MiniGrid-MemoryVisible...` and `BabyAI-Worded...` are ours, see
    _memory_levels.py and _worded_levels.py.

    Views, each drawn only when it is read (MiniGrid itself draws `grid` at every step, which is
    most of the cost of its step):
        grid           uint8 (7, 7, 3), 0..10    what the agent sees: [x, y] -> (object, colour,
                                                 state) in MiniGrid's numbers; the agent is at
                                                 [3, 6] and looks towards y = 0
        direction      Discrete(4)               where it looks on the map: right, down, left, up
        image_partial  uint8 (56, 56, 3), RGB    `grid` as a picture, 8 px per cell, as drawn by
                                                 RGBImgPartialObsWrapper
        image          uint8 (336, 336, 3), RGB  the whole map from above, as in the GEA paper
                                                 (arXiv 2412.08442, appendix D)
        text_scene     Text                      what is in `grid` in words, from where the agent
                                                 stands: "a red ball 2 steps ahead and 1 to the
                                                 left"; and what it carries
    `image` is drawn with the largest whole number of pixels per cell that fits (42 for an 8x8 map,
    which fills it; 15 for 22x22) and centred on black, so nothing is resampled. The cells in the
    agent's sight are highlighted, as is MiniGrid's default; the paper does not say whether it does.

    Actions: Discrete(7), left, right, forward, pickup, drop, toggle, done. The no-op is `done`.
    Where `done` ends the episode (MiniGrid-GoToDoor, MiniGrid-GoToObject) the no-op is `drop`,
    which does nothing while nothing is carried. MiniGrid-Dynamic-Obstacles has only the first three
    actions, each of which does something; the no-op there is `left`. A BabyAI goal that holds from
    the start is noticed at the first action.

    The instruction is the mission. Reward: the level's, 1 - 0.9 steps / limit at success, -1 for
    running into a moving ball. Success: the episode ends with a reward above 0, BabyAI's own rule
    (scripts/evaluate.py: return > 0). With `Task.max_steps=None` the level's own limit truncates; a
    horizon beyond that limit raises it, also in the reward.
    The simulator's seed is exactly `case.seed`: BabyAI's protocol counts from 1,000,000,000.

    Expert: BabyAIBot, on BabyAI levels only; to escape, a shortest way. The bot can plan in circles
    for ever (UnlockToUnlock, seldom GoToImpUnlock and Unlock), break its own assertions and find no
    place to drop what it carries, and it refuses to go on once a box was opened. Then it gives up:
    `expert` returns None until the next reset, and the metric `expert_gave_up` is 1 from the next
    step on. Planning is limited by a count of subgoals, not by a clock.
    Skills, on BabyAI levels: what the bot can do for a planner, see _babyai_skills.py. They read
    the simulator's grid, so whoever has them played is privileged.

    Raises UserError where `id` names no level, and if the environment variable BABYAI_DONE_ACTIONS
    is set, which changes when BabyAI counts a mission as fulfilled.
    """

    code_params = ("id",)
    packages = ("minigrid", "gymnasium")
    redraws = False
    derived_views = ("text_scene",)
    start_kind = "countable"
    extra = "minigrid"

    @classmethod
    def env_key(cls, task: Task) -> str:
        whole = "" if task.params.get("image", True) else " in part"
        split = f" {task.params['split']}" if "split" in task.params else ""
        return f"minigrid/{task.params['id']}{split}{whole}"

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        return task.params["id"].startswith("BabyAI-") and not task.params["id"].startswith(
            NO_EXPERT
        )

    @classmethod
    def skills(cls, task: Task) -> tuple[Skill, ...]:
        level = task.params["id"]
        skilled = level.startswith("BabyAI-") and not _worded_levels.escapes(level)
        return _babyai_skills.SKILLS if skilled else ()

    @classmethod
    def stages(cls, task: Task) -> tuple[str, ...]:
        return _grid_stages.stages_of(task.params["id"])

    @classmethod
    def failure_modes(cls, task: Task) -> tuple[str, ...]:
        return _grid_stages.modes_of(task.params["id"])

    def __init__(self, task: Task) -> None:
        level = task.params["id"]
        if not level.startswith(("BabyAI-", "MiniGrid-")):
            raise UserError(
                f"task {task.id}: the levels of minigrid are called BabyAI-... or MiniGrid-..., "
                f"got {level!r}"
            )
        with contextlib.redirect_stdout(sys.stderr):
            import gymnasium
            from minigrid.envs.babyai.core import verifier

            self._split = {k: v for k, v in task.params.items() if k == "split"}
            if self._split and not level.startswith(_worded_levels.PREFIX):
                raise UserError(
                    f"task {task.id}: only the levels {_worded_levels.PREFIX}... have a split"
                )
            try:
                self._levels = Levels(level, **self._split)
            except gymnasium.error.Error as unknown:
                page = "https://minigrid.farama.org/environments"
                raise UserError(
                    f"task {task.id}: no level of minigrid is called {level!r}; see {page} "
                    f"({unknown})"
                ) from unknown
        self._level, self._env = level, self._levels.first
        self._own_limit: int | None = None
        self._course: _grid_stages.Course | None = None
        self._missions: _babyai_goals.Missions | _minigrid_goals.LevelGoals | None = None
        self._horizon: int | None = None
        """The limit of `_env` in steps, while a task's horizon has raised it."""
        if verifier.use_done_actions:
            raise UserError(
                "the environment variable BABYAI_DONE_ACTIONS changes when a BabyAI level is "
                "solved: unset it"
            )
        self._views: Mapping[str, Callable[[], Any]] = {
            "grid": self._grid,
            "direction": self._direction,
            "text_scene": self._text_scene,
            "image_partial": self._image_partial,
            "image": self._image,
        }
        self._bot: Any = None
        self._controller: _babyai_skills.Controller | None = None
        self._has_bot, self._gave_up = self.has_expert(task), False
        image = bool(task.params.get("image", True))
        self.brief = brief_of(level, int(self._env.action_space.n), image)
        self._views = {name: self._views[name] for name in self.brief.observation}
        self._going = TimeStep(self._views)

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        offers = task is None or cls._offers_goals(task)
        return (*PERTURBATIONS, GOAL) if offers else PERTURBATIONS

    @classmethod
    def _offers_goals(cls, task: Task) -> bool:
        """Whether it is known which other goals can be reached: by the expert, or by a search."""
        return cls.has_expert(task) or _minigrid_goals.has_goals(task.params["id"])

    def reset(self, case: Case) -> TimeStep:
        if self._own_limit is not None:
            self._env.max_steps, self._own_limit = self._own_limit, None
        self._env = self._levels.of(case)
        # Levels print "Sampling rejected" while they are generated.
        with contextlib.redirect_stdout(None):
            self._env.reset(seed=case.seed)
        horizon = case.task.max_steps
        # Only now: most levels of BabyAI compute their limit from the mission.
        if horizon is not None and horizon > self._env.max_steps:
            self._own_limit, self._env.max_steps = self._env.max_steps, horizon
        self._bot, self._gave_up, self._controller = None, False, None
        self._course, self._horizon, self._missions = None, horizon, None
        asked = None
        if case.simulator_perturbation(GOAL.name) is not None:
            asked = asked_goal(case, self.other_goals(case))
        if asked is not None:
            self._missions_of(case).ask(asked)
        self._going = TimeStep(self._views, self._env.mission, success=False)
        return self._going

    def step(self, action: Any) -> TimeStep:
        _, reward, terminated, truncated, _ = self._env.step(self.brief.action.validate(action))
        if not (reward or terminated or truncated):
            # All such steps are the same value, since the views read the simulator when called.
            return self._going
        won = bool((terminated or truncated) and reward > 0)
        going = self._going
        return TimeStep(
            self._views,
            going.instruction,
            float(reward),
            bool(terminated),
            bool(truncated),
            won,
            going.metrics,
        )

    def render(self) -> np.ndarray:
        """The view `image`."""
        return self._image()

    def expert(self, executed: Any) -> int | None:
        """The bot's action, or None where it has given up (see the class)."""
        if not self._has_bot:
            refused: int | None = super().expert(executed)
            return refused
        if self._gave_up:
            return None
        try:
            if self._bot is None:
                # A bot made later in an episode has executed nothing yet.
                self._bot, executed = self._made_bot(), None
            self._bot.stack.pushed = 0
            return int(self._bot.replan(executed))
        except _babyai_bot.faults():
            self._gave_up = True
            self._going = TimeStep(
                self._views, self._going.instruction, success=False, metrics={"expert_gave_up": 1.0}
            )
            return None

    def _made_bot(self) -> Any:
        if _worded_levels.escapes(self._level):
            return _worded_levels.EscapeBot(self._env, _babyai_bot.BoundedStack())
        return _babyai_bot.made(self._env)

    def skill_objects(self) -> Mapping[str, tuple[str, ...]]:
        return self._skilled().objects()

    def skill(self, call: SkillCall, taken: int, executed: Any) -> int | SkillEnd:
        return self._skilled().act(call, taken, executed)

    def expert_plan(self) -> tuple[SkillCall, ...]:
        return self._skilled().plan()

    def _skilled(self) -> _babyai_skills.Controller:
        """The controller of this episode, made when it is first asked for, at its start."""
        if self._controller is None:
            self._controller = _babyai_skills.Controller(self._env)
        return self._controller

    def stage(self) -> int:
        if self._course is None:
            self._course = _grid_stages.Course(self._env, self._level, self._horizon)
        return self._course.stage()

    def failure_mode(self) -> tuple[str, ...]:
        return () if self._course is None else self._course.failure_mode()

    def _missions_of(self, case: Case) -> _babyai_goals.Missions | _minigrid_goals.LevelGoals:
        if self._missions is None:
            if _minigrid_goals.has_goals(self._level):
                self._missions = _minigrid_goals.LevelGoals(self._env, self._level)
            else:
                split = self._split.get("split", "train")
                self._missions = _babyai_goals.Missions(self._env, self._level, split, case)
        return self._missions

    def other_goals(self, case: Case) -> tuple[Goal, ...]:
        """Other missions about the scene, see _babyai_goals.py and _minigrid_goals.py."""
        return self._missions_of(case).others if self._offers_goals(case.task) else ()

    def goals_met(self, executed: Any) -> tuple[str, ...]:
        return () if self._missions is None else self._missions.met(executed)

    def factors(self, case: Case) -> dict[str, str]:
        grid = self._env.grid
        boxed = [
            (place, *inside.encode())
            for place, each in enumerate(grid.grid)
            if (inside := getattr(each, "contains", None)) is not None
        ]
        cells = hashlib.blake2b(grid.encode().tobytes() + repr(boxed).encode(), digest_size=8)
        named = sorted({" ".join(found.split()) for found in THINGS.findall(self._env.mission)})
        objects = {"object": ", ".join(named)} if named else {}
        return {**objects, "scene": f"cells {cells.hexdigest()}"}

    def state(self) -> bytes:
        """What actions change, in 1 us.

        Position, direction and steps, then type, colour and state of the objects carried and ahead.
        """
        env = self._env
        (x, y), (dx, dy), carried = env.agent_pos, STEPS[env.agent_dir], env.carrying
        ahead = env.grid.get(x + dx, y + dy)
        here = _pack(x, y, env.agent_dir, env.step_count)
        if carried is not None:
            here += b"c%d,%d,%d" % carried.encode()
        return here if ahead is None else here + b"a%d,%d,%d" % ahead.encode()

    def close(self) -> None:
        self._levels.close()

    def _grid(self) -> np.ndarray:
        grid, visible = self._env.gen_obs_grid()
        encoded: np.ndarray = grid.encode(visible)
        return encoded

    def _direction(self) -> int:
        return int(self._env.agent_dir)

    def _text_scene(self) -> str:
        from minigrid.core.constants import IDX_TO_COLOR

        carried = self._env.carrying
        held = None if carried is None else carried.encode()
        return scene(self._grid(), held, [IDX_TO_COLOR[each] for each in range(len(IDX_TO_COLOR))])

    def _image_partial(self) -> np.ndarray:
        image: np.ndarray = self._env.get_pov_render(tile_size=PARTIAL_TILE)
        return image

    def _image(self) -> np.ndarray:
        tile = PIXELS // max(self._env.width, self._env.height)
        drawn = self._env.get_full_render(highlight=True, tile_size=tile)
        height, width = drawn.shape[:2]
        top, left = (PIXELS - height) // 2, (PIXELS - width) // 2
        image = np.zeros((PIXELS, PIXELS, 3), np.uint8)
        image[top : top + height, left : left + width] = drawn
        return image
