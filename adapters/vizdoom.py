"""ViZDoom (the Farama `vizdoom` package): its single-player scenarios, on the engine it ships."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from adapters._geodesics import DistanceField, Floor, spl
from adapters._temporary import finally_here
from adapters._vizdoom_scenarios import DIFFICULTY, SCENARIOS, Scenario
from harness.core import (
    Adapter,
    Box,
    Brief,
    Case,
    Discrete,
    SimulatorPerturbation,
    Task,
    TimeStep,
    UserError,
)

__all__ = ["VizDoomAdapter"]

TICS_PER_SECOND = 35
METRE = 128 / 3
"""Map units per metre, by the package's maintainers (their issue 230)."""
DEPTH_STEP, DEPTH_FIRST = 100 / 14, 9.0
"""Map units: a value v of the depth buffer is about DEPTH_STEP * v + DEPTH_FIRST, give or take 4.

That is the distance along the optical axis. The slope is the maintainers' (issue 192); the offset
was measured against the walls of my_way_home.
"""
WIDTH, HEIGHT = 320, 240
PLAYER_RADIUS, VEST_REACH = 16 / METRE, 36 / METRE
"""m: the player's radius, and the distance at which it touches the vest, whose radius is 20 map
units. Both are squares in the engine and discs here."""
CLOSE, GRAZE = 0.3, 0.15
"""m: how near the expert has to come to a corner of its path, and how much nearer to walls than its
radius it may plan to come, since players slide along walls."""
MEMORY = "/dev/shm/ViZDoom"
"""How the names of that memory begin; ViZDoom removes them only at an orderly end."""
POSE = ("POSITION_X", "POSITION_Y", "POSITION_Z", "ANGLE")


class VizDoomAdapter(Adapter):
    """One scenario; one kept engine, a separate process, plays all its cases.

    `task.params`: `scenario` (one of SCENARIOS; the package's file of that name sets buttons,
    rewards, skill level and time limit) and `frame_skip` (tics per step).
    Case.seed -> start: the engine is seeded with `case.simulator_seed` before every episode.

    Views (the engine draws at every step; they are copied when read; after the last step, for which
    the engine has no frame, they show the frame before):
        image    uint8 (240, 320, 3)  RGB
        depth    float32 (240, 320)   m along the optical axis, in steps of 0.17 m, up to 43 m
        proprio  float32 (n,)         the scenario's own game variables (health, ammunition...), as
                                      its brief names them; absent where it has none
        state    float32 (n + 4,)     these, then privileged: x, y, z (m) and heading (rad)
    World frame: x east, y north, z up; headings counter-clockwise from x. Doom has no metre: 128
    map units are taken as 3 m.

    Actions: Discrete, nothing or one of the scenario's buttons, held for `frame_skip` tics of
    1/35 s, as in the package's Vizdoom*-v1 environments; the mouse-like buttons of deathmatch are
    left out.

    Reward: the scenario's, summed over the tics; its time limit truncates. A horizon of the task
    beyond that limit raises it.
    Success: only in scenarios that a positive reward ends: a step's reward is above 0.
    Metrics: the game variables by name; in my_way_home `path_length` (m), and at the end
    `shortest_path` (m, of a disc of 16 map units radius) and `spl` (Anderson et al. 2018, arXiv
    1807.06757).

    Expert: only in my_way_home. It knows the map, follows the shortest path to the vest, and gives
    up where it finds none.

    The engine writes `_vizdoom/` and `_vizdoom.ini` into its working directory and outlives a
    killed parent. So it is started by a script that first changes to a temporary folder, which is
    removed with the adapter, and that has it killed with its parent where util-linux's `setpriv`
    is installed.
    """

    packages: ClassVar[tuple[str, ...]] = ("vizdoom",)
    redraws: ClassVar[bool] = False
    own_streams: ClassVar[bool] = True
    privileged_views: ClassVar[tuple[str, ...]] = ("state",)
    extra: ClassVar[str] = "vizdoom"
    scenarios: ClassVar[Mapping[str, Scenario]] = SCENARIOS

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        """The difficulty; none in scenarios that are the same at every skill level."""
        count = (
            len(DIFFICULTY.levels)
            if task is None
            else len(cls.scenarios[task.params["scenario"]].skills)
        )
        if not count:
            return ()
        return (dataclasses.replace(DIFFICULTY, levels=DIFFICULTY.levels[:count]),)

    @classmethod
    def env_key(cls, task: Task) -> str:
        return "vizdoom/{scenario}/{frame_skip}".format_map(task.params)

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        # The other scenarios are won by aiming and dodging, not by knowing the way.
        return bool(task.params["scenario"] == "my_way_home")

    def __init__(self, task: Task) -> None:
        import vizdoom

        name = task.params["scenario"]
        if name not in self.scenarios:
            raise UserError(
                f"task {task.id}: there is no scenario {name!r}; there are "
                f"{', '.join(self.scenarios)}"
            )
        self._scenario, self._skip = self.scenarios[name], int(task.params["frame_skip"])
        self._game: Any = vizdoom.DoomGame()
        self._game.load_config(os.path.join(vizdoom.scenarios_path, f"{name}.cfg"))
        self._folder = tempfile.mkdtemp(prefix="vizdoom-")
        self._shut_down = finally_here(self, _shut_down, self._game, self._folder)
        self._game.set_vizdoom_path(
            _launcher(self._folder, os.path.join(os.path.dirname(vizdoom.__file__), "vizdoom"))
        )
        self._game.set_doom_config_path(os.path.join(self._folder, "vizdoom.ini"))
        self._game.set_window_visible(False)
        self._game.set_mode(vizdoom.Mode.PLAYER)
        self._game.set_screen_format(vizdoom.ScreenFormat.RGB24)
        self._game.set_depth_buffer_enabled(True)
        self._own_skill = self._skill = int(self._game.get_doom_skill())
        self._own_limit: int = self._game.get_episode_timeout()
        """Tics; 0: none."""
        own = list(self._game.get_available_game_variables())
        self._game.set_available_game_variables(
            [*own, *(getattr(vizdoom.GameVariable, name) for name in POSE)]
        )
        self._buttons = [
            button
            for button in self._game.get_available_buttons()
            if not vizdoom.is_delta_button(button)
        ]
        self._game.set_available_buttons(self._buttons)
        self._names = [variable.name.lower() for variable in own]
        self._navigates = self.has_expert(task)
        self._variables = (vizdoom.GameVariable.POSITION_X, vizdoom.GameVariable.POSITION_Y)
        if self._navigates:
            self._game.set_sectors_info_enabled(True)
            self._game.set_objects_info_enabled(True)
        self._distances: DistanceField | None = None
        self._views: dict[str, Callable[[], Any]] = {
            "image": self._image,
            "depth": self._depth,
            "state": self._privileged,
        }
        if own:
            self._views["proprio"] = self._proprio
        self.brief = self._describe()

    def reset(self, case: Case) -> TimeStep:
        self._set_skill(case)
        if self._own_limit:
            # Also in a running engine this takes effect with the next episode.
            horizon = (case.task.max_steps or 0) * self._skip
            self._game.set_episode_timeout(max(self._own_limit, horizon))
        self._game.set_seed(case.simulator_seed)
        if self._game.is_running():
            self._game.new_episode()
        else:
            self._game.init()
            _forget_memory()
        self._first = self._last = self._game.get_state()
        self._walked, self._distances, self._gave_up = 0.0, None, False
        self._start = self._at = self._current_position()
        self._path: list[np.ndarray] = []
        return TimeStep(
            self._views,
            self._scenario.instruction,
            success=False if self._scenario.ends_by_reward else None,
            metrics=self._metrics(),
        )

    def _set_skill(self, case: Case) -> None:
        """Set the case's skill level, which takes effect with the next episode."""
        params, skill = case.simulator_perturbation(DIFFICULTY.name), self._own_skill
        if params is not None:
            skills = self._scenario.skills
            if not 0 <= params["place"] < len(skills):
                raise UserError(
                    f"this scenario plays differently at {len(skills)} other skill levels, so "
                    f"there is none at place {params['place']}"
                )
            skill = skills[params["place"]]
        if self._game.is_running() and skill != self._skill:
            # In a running engine the package's set_doom_skill sets 1, whatever it is given.
            self._game.send_game_command(f"skill {skill - 1}")
        elif skill != self._skill:
            self._game.set_doom_skill(skill)
        self._skill = skill

    def step(self, action: Any) -> TimeStep:
        action = self.brief.action.validate(action)
        pressed = [int(number == action) for number in range(1, len(self._buttons) + 1)]
        reward = float(self._game.make_action(pressed, self._skip))
        over = self._game.is_episode_finished()
        if not over:
            self._last = self._game.get_state()
        if self._navigates:
            before, self._at = self._at, self._current_position()
            self._walked += math.dist(before, self._at)
        truncated = over and self._game.is_episode_timeout_reached()
        success = reward > 0 if self._scenario.ends_by_reward else None
        metrics = self._metrics()
        # The engine ends the episode one tic after the reward of the vest.
        if self._navigates and (over or success):
            shortest = self._distance_field().shortest(*self._start)
            metrics["shortest_path"] = shortest
            metrics["spl"] = spl(bool(success), shortest, self._walked)
        return TimeStep(
            self._views,
            self._scenario.instruction,
            reward,
            over and not truncated,
            truncated,
            success,
            metrics,
        )

    def render(self) -> np.ndarray:
        """The player's view, uint8 (240, 320, 3)."""
        return self._image()

    def expert(self, executed: Any) -> int | None:
        """Turn towards the farthest visible corner of the shortest path, or walk to it."""
        if not self._navigates:
            refused: int | None = super().expert(executed)
            return refused
        here, distances = np.array(self._shown_position()), self._distance_field()
        floor = distances.floor
        while len(self._path) > 1 and (
            math.dist(here, self._path[0]) < CLOSE or floor.is_clear(here, self._path[1], GRAZE)
        ):
            del self._path[0]
        if not self._path or not floor.is_clear(here, self._path[0], GRAZE):
            self._path = distances.path(*self._shown_position())[1:]
        if not self._path:
            self._gave_up = True
            return None
        return self._towards(self._path[0] if len(self._path) > 1 else distances.goal)

    def state(self) -> bytes:
        """The tic and all game variables, position and heading among them."""
        variables: bytes = self._last.game_variables.tobytes()
        return b"%d" % self._game.get_episode_time() + variables

    def close(self) -> None:
        self._shut_down()

    def _towards(self, goal: np.ndarray) -> int:
        """The action that turns to `goal`, (x, y) in m, or walks once it lies within 8 degrees."""
        x, y = self._shown_position()
        names = [button.name for button in self._buttons]
        angle = math.atan2(goal[1] - y, goal[0] - x) - math.radians(self._last.game_variables[-1])
        angle = (angle + math.pi) % (2 * math.pi) - math.pi
        turn = "TURN_LEFT" if angle > 0 else "TURN_RIGHT"
        return 1 + names.index("MOVE_FORWARD" if abs(angle) < math.radians(8) else turn)

    def _distance_field(self) -> DistanceField:
        """The distances to the vest, whose place is read from the first frame.

        It does not move, and it is gone from the last frame.
        """
        if self._distances is None:
            lines = [
                line for sector in self._first.sectors for line in sector.lines if line.is_blocking
            ]
            walls = np.array([[(line.x1, line.y1), (line.x2, line.y2)] for line in lines]) / METRE
            vest = next(item for item in self._first.objects if item.name == "GreenArmor")
            (low_x, low_y), (high_x, high_y) = walls.min((0, 1)), walls.max((0, 1))
            floor = Floor(walls, [], PLAYER_RADIUS, (low_x, high_x, low_y, high_y))
            self._distances = floor.distances_to(
                (vest.position_x / METRE, vest.position_y / METRE), VEST_REACH
            )
        return self._distances

    def _current_position(self) -> tuple[float, float]:
        """The player's x, y (m); known also after the last step, one tic ahead of the frame."""
        x, y = (self._game.get_game_variable(variable) / METRE for variable in self._variables)
        return float(x), float(y)

    def _shown_position(self) -> tuple[float, float]:
        """The player's x, y (m) in the frame that the views show."""
        x, y, _, _ = self._last.game_variables[-len(POSE) :]
        return float(x) / METRE, float(y) / METRE

    def _metrics(self) -> dict[str, float]:
        metrics = {
            name: float(value) for name, value in zip(self._names, self._last.game_variables)
        }
        if self._navigates:
            metrics["path_length"] = self._walked
        if self._gave_up:
            metrics["expert_gave_up"] = 1.0
        return metrics

    def _image(self) -> np.ndarray:
        image: np.ndarray = self._last.screen_buffer.copy()
        return image

    def _depth(self) -> np.ndarray:
        values: np.ndarray = self._last.depth_buffer.astype(np.float32)
        units = values * np.float32(DEPTH_STEP) + np.float32(DEPTH_FIRST)
        return units / np.float32(METRE)

    def _proprio(self) -> np.ndarray:
        variables: np.ndarray = self._last.game_variables
        return variables[: len(self._names)].astype(np.float32)

    def _privileged(self) -> np.ndarray:
        *own, x, y, z, angle = self._last.game_variables
        return np.array([*own, x / METRE, y / METRE, z / METRE, math.radians(angle)], np.float32)

    def _describe(self) -> Brief:
        named, count = ", ".join(self._names), len(self._names)
        views: dict[str, Any] = {
            "image": Box(
                (HEIGHT, WIDTH, 3), "uint8", 0, 255, "px", "RGB, the player's view, 90 degrees wide"
            ),
            "depth": Box(
                (HEIGHT, WIDTH),
                low=0.0,
                high=44.0,
                unit="m",
                meaning="distance along the optical axis, in steps of 0.17 m",
            ),
            "state": Box(
                (count + len(POSE),),
                meaning=f"{named + '; then ' if count else ''}x, y, z (m), heading (rad)",
            ),
        }
        if count:
            views["proprio"] = Box((count,), meaning=named)
        buttons = tuple(button.name.lower() for button in self._buttons)
        return Brief(
            observation=views,
            action=Discrete(
                1 + len(buttons), ("nothing", *buttons), "a button, held until the next action"
            ),
            embodiment="the player of a first-person shooter, who walks, turns and shoots with one "
            "button at a time",
            simulator="ViZDoom, the ZDoom engine with the free maps and textures of Freedoom",
            control_hz=TICS_PER_SECOND / self._skip,
        )


def _launcher(folder: str, engine: str) -> str:
    """Write a script that starts the engine in `folder`, and return its path."""
    path = os.path.join(folder, "vizdoom")
    with_parent = "setpriv --pdeathsig KILL " if shutil.which("setpriv") else ""
    with open(path, "w") as script:
        script.write(
            f'#!/bin/sh\ncd {shlex.quote(folder)} && exec {with_parent}{shlex.quote(engine)} "$@"\n'
        )
    os.chmod(path, 0o700)
    return path


def _forget_memory() -> None:
    """Take away the names of the memory that this process shares with its engine.

    Both have it open by now, and go on using it. Whatever happens to them, none of it is left.
    """
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            shared = {line.split(maxsplit=5)[-1].strip() for line in maps if MEMORY in line}
    except OSError:  # no Linux
        return
    for path in shared:
        with contextlib.suppress(OSError):
            os.unlink(path)


def _shut_down(game: Any, folder: str) -> None:
    game.close()
    shutil.rmtree(folder, ignore_errors=True)
