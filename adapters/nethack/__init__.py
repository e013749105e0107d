"""NetHack (the `nle` package, arXiv 2006.13760) and MiniHack (`minihack`, arXiv 2109.13202).

Traps of the packages, which the adapter avoids:
- A game depends on the clock: the phase of the moon, Friday the 13th, midnight. `fix_moon_phase`
  takes all of that from the seed.
- The game's list of high scores outlives an episode in a kept environment, and what it prints at
  the next death follows from it. The list is emptied before every episode.
- `NetHackChallenge-v0` gives up after half as many steps without a turn as it is told, since every
  step asks twice whether it is to. Here the adapter counts.
- `NetHackChallenge-v0` refuses seeds, as its contest asked; here the refusal is taken away.
- MiniHack gives the status of success to the wrong way of a memento as well, whose reward is -1.
  Here a success has to be paid for.
- Boxoban's levels are read in the order of a folder's listing, and drawn from Python's own random
  stream. Here they are sorted, and the stream is the case's. With `nle` 1.3.0 their `reset` asks
  for goals that it only sets afterwards.
- `nle` wants one exact version of gymnasium, so `bench doctor --fix nethack` installs it into a
  separate interpreter.
"""

from __future__ import annotations

import importlib.util
import os
import random
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from adapters._params import settings_of
from adapters._temporary import finally_here
from adapters.nethack.keys import names_of, neutral_of
from adapters.nethack.progression import progression
from adapters.nethack.words import inventory, lines_of, scene, text_of, whole
from harness.core import (
    Adapter,
    Box,
    Brief,
    Case,
    Discrete,
    Missing,
    Task,
    Text,
    TimeStep,
    UserError,
)

__all__ = ["NetHackAdapter"]

KEYS = (
    "glyphs", "chars", "colors", "blstats", "message", "inv_strs", "inv_letters",
    "screen_descriptions", "tty_chars", "tty_colors", "tty_cursor",
)  # fmt: skip
STATS = (
    "x", "y", "strength percentage", "strength", "dexterity", "constitution", "intelligence",
    "wisdom", "charisma", "points", "hit points", "most hit points", "depth", "gold", "energy",
    "most energy", "armor class", "monster level", "experience level", "experience points", "turn",
    "hunger", "burden", "dungeon", "level of it", "condition", "alignment",
)  # fmt: skip
"""The elements of NLE's `blstats`."""
X, Y, POINTS, DEPTH, EXPERIENCE, TURN = (
    STATS.index(name) for name in ("x", "y", "points", "depth", "experience level", "turn")
)
CHALLENGE = "NetHackChallenge-v0"
BOXOBAN = "MiniHack-Boxoban-"
LEVELS = "boxoban-levels-master"
"""The folder of MiniHack's data into which its script downloads Boxoban's levels."""
UNLIMITED = 10**9
MORE, PROMPT = 13, b"--More--"
MOST_PAGES = 100
"""Pages of a message that are turned in one step."""
GOALS = {
    "NetHackScore": "Play NetHack and gather as many points as you can.",
    "NetHackStaircase": "Find the staircase down and stand on it.",
    "NetHackStaircasePet": "Find the staircase down and stand on it with your pet beside you.",
    "NetHackGold": "Gather as much gold as you can.",
    "NetHackEat": "Eat as much as you can, whenever you are hungry.",
    "NetHackScout": "Explore as much of the dungeon as you can.",
    "NetHackOracle": "Find the Oracle, deep in the dungeon, and stand beside her.",
    "NetHackChallenge": "Get as far as possible in NetHack.",
    "MiniHack-Boxoban": "Push every boulder onto a fountain, by walking into it from behind.",
}
"""The beginning of a game's id -> the instruction. The packages have none; these are ours."""
OTHER_GOAL = "Explore the level, overcome what is in the way, and reach the stairs down."


@dataclass(frozen=True)
class _Settings:
    """A task's params."""

    id: str
    """A name of the packages' registry, such as `NetHackScore-v0` or `MiniHack-River-v0`."""
    no_progress: int | None = None
    """Steps in a row without a turn of the game after which the episode is truncated."""
    skip_more: bool = False
    """Whether long messages are turned by the adapter and shown as one."""

    def __post_init__(self) -> None:
        if self.no_progress is not None and self.no_progress < 1:
            raise UserError(
                "nethack: no_progress is a number of steps from 1 on, or absent; got "
                f"{self.no_progress}"
            )


class NetHackAdapter(Adapter):
    """One game of NLE's or MiniHack's registry, seen on a terminal of 24 lines of 80 characters.

    `task.params`: `id`, `no_progress` and `skip_more`, see `_Settings`.
    Case.seed -> game: both of the game's generators begin with numbers from the case's stream, and
    are never seeded anew.

    Views:
        image           uint8 (336, 1264, 3)  RGB, the map of 79 x 21 cells as tiles of 16 px, by
                                              NLE itself
        grid            uint8 (79, 21, 2)     the map's cells, [x, y]: character and colour
        proprio         float32 (27,)         NLE's `blstats`: the numbers of the bottom lines and
                                              some more; STATS names them. 0 once a game is over
        text            Text                  message, what is in sight in words, cursor, map and
                                              inventory, as BALROG shows them
        text_screen     Text                  the terminal's 24 lines
        text_inventory  Text                  what is carried
    The map is what the hero knows; nothing of the rest is shown.

    Actions: Discrete, the keys of that game, with their keys in brackets. The no-op is `esc`, or
    where there is none, the key that only waits a turn, or else the first one, which walks.
    Reward: the package's. Success: the package's own, with a reward above 0, in games that have a
    task to solve; None in the others. Dying and quitting terminate; `no_progress` truncates; the
    package's own limit of steps is lifted, for the task's horizon.
    Metrics: `points`, `experience_level` and `turns` now; in games of NetHack also `depth`, the
    deepest level so far, and `progression`, 0 to 1, see progression.py.
    No expert.

    Raises UserError where `id` names no such game.
    """

    packages: ClassVar[tuple[str, ...]] = ("nle", "minihack")
    redraws: ClassVar[bool] = False
    own_streams: ClassVar[bool] = True
    code_params: ClassVar[tuple[str, ...]] = ("id",)
    derived_views: ClassVar[tuple[str, ...]] = ("text",)
    guide: ClassVar[str] = "bench doctor --fix nethack"
    requirements: ClassVar[tuple[str, ...]] = (
        "nle==1.3.0",
        "minihack==1.0.2",
        "numpy<2",
        "setuptools<81",  # MiniHack imports its pkg_resources
    )
    pythons: ClassVar[tuple[str, ...]] = ("3.11", "3.12", "3.10")

    @classmethod
    def env_key(cls, task: Task) -> str:
        return f"nethack/{task.params['id']}"

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        absent = super().missing(task)
        if absent is not None or task is None or not str(task.params["id"]).startswith(BOXOBAN):
            return absent
        spec = importlib.util.find_spec("minihack")
        folder = os.path.dirname(spec.origin) if spec is not None and spec.origin else ""
        if os.path.isdir(os.path.join(folder, "dat", LEVELS)):
            return None
        return Missing(
            "Boxoban's levels are not there",
            "python -m minihack.scripts.download_boxoban_levels, in the interpreter of nethack",
        )

    def __init__(self, task: Task) -> None:
        settings = settings_of(task, _Settings, "nethack")
        self._name = settings.id
        self._env = _make(task, settings)
        self._close = finally_here(self, self._env.close)
        self._index = {name: self._env._observation_keys.index(name) for name in KEYS}
        self._solvable = hasattr(self._env.StepStatus, "TASK_SUCCESSFUL")
        self._is_nethack = self._name.startswith("NetHack")
        self._frame = np.zeros(self._picture_shape(), np.uint8)
        self._views: Mapping[str, Callable[[], Any]] = {
            "image": self._image,
            "grid": self._grid,
            "proprio": self._proprio,
            "text": self._text,
            "text_screen": lambda: "\n".join(lines_of(self._now("tty_chars"))),
            "text_inventory": self._inventory,
        }
        self.brief = _brief(self._env.actions, self._frame.shape)

    def reset(self, case: Case) -> TimeStep:
        settings = settings_of(case.task, _Settings, "nethack")
        self._turns_pages, self._patience = settings.skip_more, settings.no_progress
        for name in ("record", "logfile", "xlogfile"):
            with open(os.path.join(self._env.nethack._vardir, name), "w"):
                pass  # emptied
        core, display = (int(number) for number in case.rng("game").integers(2**31, size=2))
        self._env.nethack.set_initial_seeds(core, display, False, None)
        before = random.getstate()
        random.seed(case.simulator_seed)  # Boxoban draws its level from it
        if self._name.startswith(BOXOBAN):
            self._env._goal_pos_set = set()  # of no level, until its reset has found them
        try:
            self._env.reset()
        finally:
            random.setstate(before)
        self._over, self._turned = False, ""
        self._deepest = self._most_experienced = 1
        self._idle = 0
        self._stats = self._now("blstats").copy()
        return self._timestep(0.0, self._env.StepStatus.RUNNING, False)

    def step(self, action: Any) -> TimeStep:
        _, reward, done, _, info = self._env.step(self.brief.action.validate(action))
        self._turned = ""
        pages = 0
        while self._turns_pages and not done and pages < MOST_PAGES and self._asks_for_more():
            self._turned += f"{text_of(self._now('message'))}\n"
            more = list(map(int, self._env.actions)).index(MORE)
            _, gained, done, _, info = self._env.step(more)
            reward += gained
            pages += 1
        stands_still = self._now("blstats")[TURN] == self._stats[TURN]
        self._idle = self._idle + 1 if stands_still else 0
        return self._timestep(float(reward), info["end_status"], bool(info["is_ascended"]))

    def render(self) -> np.ndarray:
        """The map as tiles, uint8 (336, 1264, 3)."""
        return self._image()

    def state(self) -> bytes:
        """The numbers of the status lines and checksums of map, message and inventory.

        Nothing of the last screen, which names the year.
        """
        if self._over:
            return b"over"
        sums = [
            zlib.crc32(self._now(name).tobytes())
            for name in ("glyphs", "colors", "message", "inv_strs", "tty_cursor")
        ]
        return self._stats.tobytes() + struct.pack("<5I", *sums)

    def close(self) -> None:
        self._close()

    def _timestep(self, reward: float, status: Any, ascended: bool) -> TimeStep:
        kinds = self._env.StepStatus
        self._over = status != kinds.RUNNING
        if not self._over:
            # Once a game is over they are all 0.
            self._stats = self._now("blstats").copy()
        self._deepest = max(self._deepest, int(self._stats[DEPTH]))
        self._most_experienced = max(self._most_experienced, int(self._stats[EXPERIENCE]))
        metrics = {
            "points": float(self._stats[POINTS]),
            "experience_level": float(self._stats[EXPERIENCE]),
            "turns": float(self._stats[TURN]),
        }
        if self._is_nethack:
            reached = progression(self._deepest, self._most_experienced)
            metrics["progression"] = 1.0 if ascended else reached
            metrics["depth"] = float(self._deepest)
        return TimeStep(
            self._views,
            _goal(self._name),
            reward,
            terminated=self._over,
            truncated=self._patience is not None and self._idle >= self._patience,
            success=self._is_solved(reward, status) if self._solvable else None,
            metrics=metrics,
        )

    def _is_solved(self, reward: float, status: Any) -> bool:
        """Whether the package calls the task solved, and pays for it.

        It gives the same status where the hero of a memento takes the wrong way, at a reward of -1.
        """
        return bool(status == self._env.StepStatus.TASK_SUCCESSFUL and reward > 0)

    def _now(self, name: str) -> np.ndarray:
        """The game's own memory, which the next step changes."""
        found: np.ndarray = self._env.last_observation[self._index[name]]
        return found

    def _asks_for_more(self) -> bool:
        return PROMPT in self._now("tty_chars").tobytes()

    def _picture_shape(self) -> tuple[int, ...]:
        from nle import nethack

        if not self._env.nethack.setup_tiles():
            raise RuntimeError("NLE cannot load its tiles")
        shape: tuple[int, ...] = nethack.TILE_RENDER_SHAPE
        return shape

    def _image(self) -> np.ndarray:
        self._env.nethack.draw_frame(self._frame)
        return self._frame.copy()

    def _grid(self) -> np.ndarray:
        return np.stack([self._now("chars").T, self._now("colors").T], axis=-1)

    def _proprio(self) -> np.ndarray:
        return self._now("blstats").astype(np.float32)

    def _inventory(self) -> str:
        return inventory(self._now("inv_letters"), self._now("inv_strs"))

    def _text(self) -> str:
        x, y = int(self._stats[X]), int(self._stats[Y])
        descriptions = self._now("screen_descriptions")
        row, column = (int(place) for place in self._now("tty_cursor"))
        on_map = 1 <= row <= descriptions.shape[0] and column < descriptions.shape[1]
        return whole(
            self._turned + text_of(self._now("message")),
            scene(descriptions, x, y),
            (row, column),
            text_of(descriptions[row - 1, column]) if on_map else "not on the map",
            lines_of(self._now("tty_chars")),
            self._inventory(),
        )


def _make(task: Task, settings: _Settings) -> Any:
    """The package's environment, without a limit of steps of its own."""
    import gymnasium
    import minihack  # registers its games
    import nle  # registers its games

    name = settings.id
    known = name.startswith(("MiniHack-", "NetHack")) and name in gymnasium.registry
    if not known or "-Custom-" in name:
        raise UserError(
            f"task {task.id}: neither {nle.__name__} nor {minihack.__name__} has a game {name!r}"
        )
    options = {"no_progress_timeout": UNLIMITED} if name == CHALLENGE else {}
    env: Any = gymnasium.make(
        name,
        disable_env_checker=True,
        observation_keys=KEYS,
        max_episode_steps=UNLIMITED,
        fix_moon_phase=True,
        **options,
    ).unwrapped
    if name == CHALLENGE:
        del env.nethack.set_initial_seeds  # of this instance, which only raises
    if name.startswith(BOXOBAN):
        env._levels.sort()
    return env


def _goal(name: str) -> str:
    found = GOALS.get(name.rpartition("-v")[0])
    return found or next(
        (goal for start, goal in GOALS.items() if name.startswith(f"{start}-")), OTHER_GOAL
    )


def _brief(actions: Any, picture: tuple[int, ...]) -> Brief:
    return Brief(
        observation={
            "image": Box(
                picture, "uint8", 0, 255, "px", "RGB, the map as tiles of 16 px, north at the top"
            ),
            "grid": Box(
                (79, 21, 2), "uint8", 0, 255,
                meaning="the map's cells, [x, y] from the north-west corner: the character that "
                "stands there, and its colour, 0 to 15",
            ),
            "proprio": Box((len(STATS),), meaning=", ".join(STATS)),
            "text": Text(meaning="message, what is in sight, cursor, map and inventory"),
            "text_screen": Text(meaning="the terminal: message, map, and two lines of status"),
            "text_inventory": Text(meaning="what is carried, a line each"),
        },
        action=Discrete(
            len(actions),
            names_of(actions),
            "a key of the game, in brackets. A prompt that asks for a thing or a direction is "
            "answered with the action whose key it names",
            neutral_of(actions),
        ),
        embodiment="the hero of a dungeon crawl on a map of square cells, who walks in eight "
        "directions, fights, and uses what it carries",
        simulator="NetHack 3.6",
    )  # fmt: skip
