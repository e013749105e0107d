"""Procgen: sixteen games whose levels are generated from a seed (arXiv 1912.01588).

It is driven through the gym3 interface of its C library. The package that distributes it today,
procgen-mirror, is OpenAI's code with a copy of Qt; it needs the gym of 2022 and numpy 1, so
`bench doctor --fix procgen` installs it into a separate interpreter. It also runs in this one
where it is installed.

View (the library draws it at every step):
    image       (64, 64, 3) uint8 RGB, what the published agents see

A level is one number, and it decides everything: the library's own seed (`rand_seed`) changes
nothing in an episode that begins a level. So each case gets a new environment of exactly one level,
which takes 0.5 ms once the pictures are loaded (2 s, once per process).
"""

from __future__ import annotations

import difflib
import zlib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from adapters._params import settings_of
from harness.core import Adapter, Box, Brief, Case, Discrete, Task, TimeStep, UserError

__all__ = ["GAMES", "ProcgenAdapter"]

GAMES = {
    "bigfish": "Eat fish smaller than you and grow; touch none that is larger.",
    "bossfight": "Destroy the boss's ship when its shield is down; dodge its shots.",
    "caveflyer": "Fly through the caves to the friendly ship; shoot targets on the way and touch "
    "no wall.",
    "chaser": "Eat all the orbs in the maze; the enemies can be eaten only after a star.",
    "climber": "Climb the platforms to the top and collect the stars; avoid the flying monsters.",
    "coinrun": "Get to the coin at the right end of the level; avoid saws, pits and enemies.",
    "dodgeball": "Hit all enemies with balls and do not get hit, then go to the door; touch no "
    "wall.",
    "fruitbot": "Collect fruit, avoid other food, pass the gates and reach the end.",
    "heist": "Steal the gem: collect the keys that open the locks of their colour.",
    "jumper": "Find the carrot in the cave; the needle points to it. You can jump twice in the "
    "air; avoid spikes.",
    "leaper": "Cross the lanes of cars and the river of logs to the finish line.",
    "maze": "Find the cheese in the maze.",
    "miner": "Dig for all the diamonds, then go to the exit; let nothing fall on you.",
    "ninja": "Jump along the ledges to the mushroom; avoid the bombs, or hit them with stars.",
    "plunder": "Sink the enemy ships with cannonballs and spare the friendly ones.",
    "starpilot": "Shoot the enemies, and fly on without being hit.",
}
"""Game -> instruction. The package has no instructions; these are the project's."""
TIME_LIMITS = {"bigfish": 6000, "bossfight": 4000, "plunder": 4000, "leaper": 500, "maze": 500}
"""Steps (procgen/src/game.cpp and the games' own files); 1000 in the others."""
ACTIONS = (
    "left down", "left", "left up", "down", "nothing", "up", "right down", "right", "right up",
    "D", "A", "W", "S", "Q", "E",
)  # fmt: skip
NOTHING = 4
HIGHEST_LEVEL = 2**31 - 1
STATE_BYTES = 1 << 20
STATE_EVERY = 16
"""Every how many steps the full state enters the digest.

Reading it takes 0.2 ms, five times as long as a step. Rewards and ends enter the digest at every
step.
"""


@dataclass(frozen=True)
class _Settings:
    """A task's params."""

    game: str
    levels: int | None = None
    """The level is the seed modulo this number, 200 for the published training levels.

    None: the level is the seed.
    """
    mode: str = "easy"
    """`easy`, `hard`, and in some games `extreme` and `memory`."""

    def __post_init__(self) -> None:
        if self.game not in GAMES:
            near = difflib.get_close_matches(str(self.game), GAMES, 3) or GAMES
            raise UserError(
                f"there is no Procgen game {self.game!r}; did you mean {', '.join(near)}?"
            )
        if self.levels is not None and self.levels < 1:
            raise UserError(f"procgen: levels must be at least 1, or absent; got {self.levels}")
        if self.mode not in ("easy", "hard", "extreme", "memory"):
            raise UserError(
                f"procgen: the mode must be easy, hard, extreme or memory; got {self.mode!r}"
            )


class ProcgenAdapter(Adapter):
    """Any of the sixteen games; one adapter plays all of them.

    `Task.params` are the fields of `_Settings`.

    Actions: Discrete(15), eight directions, nothing and six buttons, as the package numbers them;
    what a button does depends on the game.
    Metric: `level_complete`, 1 where the level's goal was reached. There is no success and no
    expert.
    The game's own time limit truncates; any other end terminates. The library has no frame of a
    level that has ended, so after the last step the view stays at the frame before.

    Raises UserError for a game, a mode or a level that does not exist, and for a horizon beyond the
    game's own time limit, which the library does not let go of.
    """

    packages: ClassVar[tuple[str, ...]] = ("procgen-mirror",)
    start_kind: ClassVar[str] = "countable"
    redraws: ClassVar[bool] = False
    guide: ClassVar[str] = "bench doctor --fix procgen"
    requirements: ClassVar[tuple[str, ...]] = ("procgen-mirror==0.10.7", "numpy<2")
    pythons: ClassVar[tuple[str, ...]] = ("3.11", "3.10", "3.9")

    @classmethod
    def env_key(cls, task: Task) -> str:
        return "procgen"  # one kept process for all games, which loads the pictures once

    def __init__(self, task: Task) -> None:
        _limit_of(task)
        import procgen

        self._make: Any = procgen.ProcgenGym3Env
        self._env: Any = None
        self._render_env: Any = None
        self._image = np.zeros((64, 64, 3), np.uint8)
        self._choices = Discrete(
            len(ACTIONS), ACTIONS, "a direction or a button, held for one step", NOTHING
        )
        self.brief = Brief(
            observation={
                "image": Box(
                    (64, 64, 3),
                    "uint8",
                    0,
                    255,
                    meaning="the screen, RGB; its middle follows the player in most games",
                )
            },
            action=self._choices,
            embodiment="The player of a two-dimensional video game: a stick with eight directions, "
            "six buttons, and the screen.",
            simulator="Procgen, sixteen games with generated levels.",
            control_hz=15.0,
        )

    def reset(self, case: Case) -> TimeStep:
        settings = settings_of(case.task, _Settings, "procgen")
        level = case.seed if settings.levels is None else case.seed % settings.levels
        if not 0 <= level <= HIGHEST_LEVEL:
            raise UserError(
                f"task {case.task.id}: Procgen has levels from 0 to {HIGHEST_LEVEL}, not {level}"
            )
        self._free()
        self._options = {
            "num": 1, "num_threads": 0, "env_name": settings.game, "rand_seed": 0,
            "distribution_mode": settings.mode, "num_levels": 1, "start_level": level,
        }  # fmt: skip
        self._env = self._make(**self._options)
        self._buffer = self._env._ffi.new("char[]", STATE_BYTES)
        self._limit = _limit_of(case.task)
        self._instruction = GAMES[settings.game]
        self._steps = 0
        self._over = False
        self._see()
        return TimeStep({"image": self._image}, self._instruction, metrics={"level_complete": 0})

    def step(self, action: Any) -> TimeStep:
        self._env.act(np.array([self._choices.validate(action)], np.int32))
        reward, _, first = self._env.observe()
        self._steps += 1
        self._over = bool(first[0])
        if not self._over:
            self._see()
            return TimeStep(
                {"image": self._image},
                self._instruction,
                float(reward[0]),
                metrics={"level_complete": 0},
            )
        complete = int(self._env.get_info()[0]["prev_level_complete"])
        late = self._steps >= self._limit and not complete
        metrics = {"level_complete": complete}
        return TimeStep(
            {"image": self._image},
            self._instruction,
            float(reward[0]),
            not late,
            late,
            metrics=metrics,
        )

    def render(self) -> np.ndarray:
        """The screen, uint8 (512, 512, 3), drawn by a second environment in the same state.

        After the last step it is the view, enlarged.
        """
        if self._over:
            return self._image.repeat(8, axis=0).repeat(8, axis=1)
        if self._render_env is None:
            self._render_env = self._make(render_mode="rgb_array", **self._options)
        self._render_env.set_state([self._saved()])
        return np.array(self._render_env.get_info()[0]["rgb"])

    def state(self) -> bytes:
        """A checksum of the game's full state, every STATE_EVERY steps; else empty."""
        if self._steps % STATE_EVERY or self._over:
            return b""
        return zlib.crc32(self._saved()).to_bytes(4, "little")

    def close(self) -> None:
        self._free()

    def _see(self) -> None:
        # Copied, because the library draws into the same memory again.
        self._image = np.array(self._env.observe()[1]["rgb"][0])

    def _saved(self) -> bytes:
        length = self._env.call_c_func("get_state", 0, self._buffer, STATE_BYTES)
        return bytes(self._env._ffi.buffer(self._buffer, length))

    def _free(self) -> None:
        for env in (self._env, self._render_env):
            if env is not None:
                env.close()
        self._env = self._render_env = None


def _limit_of(task: Task) -> int:
    """The game's own limit in steps. Raises UserError where the task's horizon is beyond it."""
    game = settings_of(task, _Settings, "procgen").game
    limit = TIME_LIMITS.get(game, 1000)
    if (task.max_steps or 0) > limit:
        raise UserError(
            f"task {task.id}: {game} ends every level after {limit} steps: set max_steps to at "
            f"most {limit}, or leave it out; got {task.max_steps}"
        )
    return limit
