"""ViZDoom (the Farama `vizdoom` package): its single-player scenarios, played on the engine that comes with it."""

from __future__ import annotations

import dataclasses
import math
import os
import shlex
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from adapters._geodesics import Field, Floor
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
"""Map units in a metre, as the package's maintainers have it (their issue 230)."""
DEPTH_STEP, DEPTH_FIRST = 100 / 14, 9.0
"""Map units: a value v of the depth buffer is a distance of about DEPTH_STEP * v + DEPTH_FIRST along the optical axis, give or take 4. The
slope is the maintainers' (issue 192), the offset measured against the walls of my_way_home."""
WIDTH, HEIGHT = 320, 240
PLAYER_RADIUS, VEST_REACH = 16 / METRE, 36 / METRE
"""m; the player touches a thing whose radius is 20 map units. Both are squares in the engine, discs here."""
CLOSE, SQUEEZE = 0.3, 0.15
"""m: the expert is at a corner of its path when that near to it; it may graze walls by as much, since players slide along them."""
PLACE = ("POSITION_X", "POSITION_Y", "POSITION_Z", "ANGLE")


@dataclass(frozen=True)
class _Scenario:
    instruction: str
    prize: bool = False
    """A positive reward ends it: that is its success."""
    skills: tuple[int, ...] = ()
    """Of the engine's skills 1, 3 and 5 those at which it plays otherwise than at its own; 2 and 4 play as 3."""


SCENARIOS: Mapping[str, _Scenario] = {
    "my_way_home": _Scenario("Find the green vest in this maze of rooms.", prize=True),
    "health_gathering": _Scenario(
        "The floor is acid: stay alive by collecting medkits.", skills=(1,)
    ),
    "health_gathering_supreme": _Scenario(
        "The floor of this maze is acid: stay alive by collecting medkits, and avoid the poison vials.",
        skills=(1,),
    ),
    "deadly_corridor": _Scenario(
        "Get to the green vest at the end of the corridor alive; enemies stand on both sides.",
        skills=(1, 3),
    ),
    "basic": _Scenario("Shoot the monster at the opposite wall.", prize=True),
    "defend_the_center": _Scenario(
        "Shoot as many of the approaching monsters as you can and stay alive; ammunition is limited.",
        skills=(1, 5),
    ),
    "defend_the_line": _Scenario(
        "Shoot as many of the approaching monsters as you can and stay alive.", skills=(1, 5)
    ),
    "predict_position": _Scenario(
        "Hit the moving monster with the only rocket that you have.", prize=True
    ),
    "take_cover": _Scenario("Stay alive: dodge the fireballs.", skills=(1, 5)),
    "deathmatch": _Scenario(
        "Kill as many monsters as you can; weapons, armour and medkits lie around.", skills=(1, 5)
    ),
}
DIFFICULTY = SimulatorPerturbation(
    "difficulty",
    "another skill of the engine: of 1, 3 and 5, where the scenario plays otherwise than at its own, the one of this place",
    ({"place": 0}, {"place": 1}),
)


class VizDoomAdapter(Adapter):
    """One scenario; one kept engine, a process of its own, plays all its cases.

    `task.params`: `scenario` (one of SCENARIOS; the package's file of that name sets buttons, rewards, skill and time limit), `frame_skip`.
    Case.seed -> start: the engine is seeded with `case.simulator_seed` ahead of every episode.

    Views (the engine draws at every step, they are copied when read; after the last step they show the frame before it, since the engine
    has none then):
        image    uint8 (240, 320, 3)  RGB
        depth    float32 (240, 320)   m along the optical axis, in steps of 0.17 m, up to 43 m
        proprio  float32 (n,)         the scenario's own game variables (health, ammunition...), as its brief names them
        state    float32 (n + 4,)     these, then privileged: x, y, z (m) and heading (rad)
    World frame: x east, y north, z up; headings counter-clockwise from x. Doom has no metre: 128 map units are 3 m.

    Actions: Discrete, nothing or one of the scenario's buttons, held for `frame_skip` tics of 1/35 s, as in the package's Vizdoom*-v1
    environments; the mouse-like buttons of deathmatch are left out.

    Reward: the scenario's, summed over the tics; its time limit truncates. Success: only where a prize ends the scenario: an episode in
    which a step's reward is above 0. Metrics: the game variables by name; in my_way_home `path_length` (m), at the end also
    `shortest_path` (m, of a disc of 16 map units radius) and `spl` (Anderson et al. 2018, arXiv 1807.06757).

    Expert: in my_way_home alone. It knows the map, follows the shortest path to the vest, and gives up where it finds none.

    The engine writes `_vizdoom/` and `_vizdoom.ini` into its working directory and outlives a killed parent: it is started through a script
    that first goes to a temporary folder, removed with the adapter, and, where util-linux's `setpriv` is, has it killed with us.
    """

    packages: ClassVar[tuple[str, ...]] = ("vizdoom",)
    extra: ClassVar[str] = "vizdoom"

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        """The difficulty, where it changes anything: my_way_home, basic and predict_position are the same at every skill."""
        places = (
            len(DIFFICULTY.levels)
            if task is None
            else len(SCENARIOS[task.params["scenario"]].skills)
        )
        return (
            (dataclasses.replace(DIFFICULTY, levels=DIFFICULTY.levels[:places]),) if places else ()
        )

    @classmethod
    def env_key(cls, task: Task) -> str:
        """One kept engine a scenario and frame skip."""
        return "vizdoom/{scenario}/{frame_skip}".format_map(task.params)

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        """In my_way_home: the other scenarios are won by aiming and dodging, not by knowing the way."""
        return task.params["scenario"] == "my_way_home"

    def __init__(self, task: Task) -> None:
        import vizdoom

        name = task.params["scenario"]
        if name not in SCENARIOS:
            raise UserError(
                f"task {task.id}: there is no scenario {name!r}; there are {', '.join(SCENARIOS)}"
            )
        self._scenario, self._skip = SCENARIOS[name], int(task.params["frame_skip"])
        self._game: Any = vizdoom.DoomGame()
        self._game.load_config(os.path.join(vizdoom.scenarios_path, f"{name}.cfg"))
        self._folder = tempfile.mkdtemp(prefix="vizdoom-")
        self._end = weakref.finalize(self, _end, self._game, self._folder)
        self._game.set_vizdoom_path(
            _launcher(self._folder, os.path.join(os.path.dirname(vizdoom.__file__), "vizdoom"))
        )
        self._game.set_doom_config_path(os.path.join(self._folder, "vizdoom.ini"))
        self._game.set_window_visible(False)
        self._game.set_mode(vizdoom.Mode.PLAYER)
        self._game.set_screen_format(vizdoom.ScreenFormat.RGB24)
        self._game.set_depth_buffer_enabled(True)
        self._own_skill = self._skill = int(self._game.get_doom_skill())
        own = list(self._game.get_available_game_variables())
        self._game.set_available_game_variables(
            [*own, *(getattr(vizdoom.GameVariable, place) for place in PLACE)]
        )
        self._buttons = [
            button
            for button in self._game.get_available_buttons()
            if not vizdoom.is_delta_button(button)
        ]
        self._game.set_available_buttons(self._buttons)
        self._names = [variable.name.lower() for variable in own]
        self._seeks, self._variables = (
            self.has_expert(task),
            (vizdoom.GameVariable.POSITION_X, vizdoom.GameVariable.POSITION_Y),
        )
        if self._seeks:
            self._game.set_sectors_info_enabled(True)
            self._game.set_objects_info_enabled(True)
        self._views: dict[str, Callable[[], Any]] = {
            "image": self._image,
            "depth": self._depth,
            "state": self._privileged,
        }
        if own:
            self._views["proprio"] = self._proprio
        self.brief = self._describe()

    def reset(self, case: Case) -> TimeStep:
        """Start an episode with the case's seed."""
        self._set_skill(case)
        self._game.set_seed(case.simulator_seed)
        if self._game.is_running():
            self._game.new_episode()
        else:
            self._game.init()
        self._first = self._last = self._game.get_state()
        self._walked, self._field, self._gave_up = 0.0, None, False
        self._start = self._at = self._now()
        self._path: list[np.ndarray] = []
        return TimeStep(
            self._views,
            self._scenario.instruction,
            success=False if self._scenario.prize else None,
            metrics=self._metrics(),
        )

    def _set_skill(self, case: Case) -> None:
        """The case's skill, from the next episode on."""
        params, skill = case.simulator_perturbation(DIFFICULTY.name), self._own_skill
        if params is not None:
            skills = self._scenario.skills
            if not 0 <= params["place"] < len(skills):
                raise UserError(
                    f"this scenario plays otherwise at {len(skills)} other skills, so there is none of place {params['place']}"
                )
            skill = skills[params["place"]]
        if self._game.is_running() and skill != self._skill:
            self._game.send_game_command(
                f"skill {skill - 1}"
            )  # the package's own set_doom_skill means 1 whatever it says, once it runs
        elif skill != self._skill:
            self._game.set_doom_skill(skill)
        self._skill = skill

    def step(self, action: Any) -> TimeStep:
        """Hold a button, or none, for `frame_skip` tics."""
        action = self.brief.action.validate(action)
        reward = float(
            self._game.make_action(
                [int(number == action) for number in range(1, len(self._buttons) + 1)], self._skip
            )
        )
        over = self._game.is_episode_finished()
        if not over:
            self._last = self._game.get_state()
        if self._seeks:
            before, self._at = self._at, self._now()
            self._walked += math.dist(before, self._at)
        truncated = over and self._game.is_episode_timeout_reached()
        success = reward > 0 if self._scenario.prize else None
        metrics = self._metrics()
        if self._seeks and (over or success):  # the engine ends the episode a tic after the prize
            shortest = self._way().shortest(*self._start)
            metrics["shortest_path"], metrics["spl"] = (
                shortest,
                shortest / max(shortest, self._walked) if success else 0.0,
            )
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
        """(240, 320, 3) uint8 RGB, the player's view."""
        return self._image()

    def expert(self, executed: Any) -> int | None:
        """Turn towards the farthest visible corner of the shortest path, or walk to it."""
        if not self._seeks:
            return super().expert(executed)
        here, floor = np.array(self._place()), self._way().floor
        while len(self._path) > 1 and (
            math.dist(here, self._path[0]) < CLOSE or floor.clear(here, self._path[1], SQUEEZE)
        ):
            del self._path[0]
        if not self._path or not floor.clear(here, self._path[0], SQUEEZE):
            self._path = self._way().path(*self._place())[1:]
        if not self._path:
            self._gave_up = True
            return None
        return self._towards(self._path[0] if len(self._path) > 1 else self._way().goal)

    def state(self) -> bytes:
        """The tic and all game variables, place and heading among them."""
        return b"%d" % self._game.get_episode_time() + self._last.game_variables.tobytes()

    def close(self) -> None:
        """End the engine and remove its folder."""
        self._end()

    def _towards(self, goal: np.ndarray) -> int:
        x, y = self._place()
        names = [button.name for button in self._buttons]
        angle = math.atan2(goal[1] - y, goal[0] - x) - math.radians(self._last.game_variables[-1])
        angle = (angle + math.pi) % (2 * math.pi) - math.pi
        turn = "TURN_LEFT" if angle > 0 else "TURN_RIGHT"
        return 1 + names.index("MOVE_FORWARD" if abs(angle) < math.radians(8) else turn)

    def _way(self) -> Field:
        """The distances to the vest. It stands where it stood at the start, and is gone from the last frame."""
        if self._field is None:
            lines = [
                line for sector in self._first.sectors for line in sector.lines if line.is_blocking
            ]
            walls = np.array([[(line.x1, line.y1), (line.x2, line.y2)] for line in lines]) / METRE
            vest = next(item for item in self._first.objects if item.name == "GreenArmor")
            (low_x, low_y), (high_x, high_y) = walls.min((0, 1)), walls.max((0, 1))
            floor = Floor(walls, [], PLAYER_RADIUS, (low_x, high_x, low_y, high_y))
            self._field = floor.field(
                (vest.position_x / METRE, vest.position_y / METRE), VEST_REACH
            )
        return self._field

    def _now(self) -> tuple[float, float]:
        """The player's place, also after the last step, and a tic ahead of the frame that is shown."""
        x, y = (self._game.get_game_variable(variable) / METRE for variable in self._variables)
        return float(x), float(y)

    def _place(self) -> tuple[float, float]:
        x, y, _, _ = self._last.game_variables[-len(PLACE) :]
        return float(x) / METRE, float(y) / METRE

    def _metrics(self) -> dict[str, float]:
        metrics = {
            name: float(value) for name, value in zip(self._names, self._last.game_variables)
        }
        if self._seeks:
            metrics["path_length"] = self._walked
        if self._gave_up:
            metrics["expert_gave_up"] = 1.0
        return metrics

    def _image(self) -> np.ndarray:
        return self._last.screen_buffer.copy()

    def _depth(self) -> np.ndarray:
        return (
            self._last.depth_buffer.astype(np.float32) * np.float32(DEPTH_STEP)
            + np.float32(DEPTH_FIRST)
        ) / np.float32(METRE)

    def _proprio(self) -> np.ndarray:
        return self._last.game_variables[: len(self._names)].astype(np.float32)

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
                (count + len(PLACE),),
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
            embodiment="the player of a first-person shooter, who walks, turns and shoots with one button at a time",
            simulator="ViZDoom, the ZDoom engine with the free maps and textures of Freedoom",
            control_hz=TICS_PER_SECOND / self._skip,
        )


def _launcher(folder: str, engine: str) -> str:
    """A script that starts the engine in `folder`."""
    path = os.path.join(folder, "vizdoom")
    with_us = "setpriv --pdeathsig KILL " if shutil.which("setpriv") else ""
    with open(path, "w") as script:
        script.write(
            f'#!/bin/sh\ncd {shlex.quote(folder)} && exec {with_us}{shlex.quote(engine)} "$@"\n'
        )
    os.chmod(path, 0o700)
    return path


def _end(game: Any, folder: str) -> None:
    game.close()
    shutil.rmtree(folder, ignore_errors=True)
