"""Atari 2600 games in the Arcade Learning Environment, through ale-py's own interface.

Views (all drawn only when read):
    image       (H, W, 3) uint8 RGB, the screen as it is now; 210 x 160 for all games of the published score table
    image_gray  (84, 84) uint8 luma, DQN's preprocessing without the stack: the brighter of the last two frames, averaged over areas; the
                first one of an episode has no frame before it
    state       (128,) uint8, the console's RAM

One step repeats the action for `frame_skip` frames of 1/60 s and adds up the game's points; the loss of a life ends nothing.
Protocols: no-op starts after Mnih et al. 2015 (doi 10.1038/nature14236) as in dqn_zoo/gym_atari.py (1 to `noop_max` frames, uniform, their
points dropped); sticky actions after Machado et al. 2018 (arXiv 1709.06009): in every frame, with probability `sticky`, the action executed
in the frame before is executed again.

Two of the emulator's own mechanisms are replaced, because both make an episode depend on the ones before it in a kept emulator: its
`reset_game` keeps something in 30 of the 104 games, so every episode starts from a snapshot taken right after the game was loaded (where
the emulator's seed makes no difference in any game); and its sticky actions draw from a generator that only a reload (84 ms) can seed, so
the draws come from the case.
"""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

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

__all__ = ["AtariAdapter"]

FRAMES_PER_SECOND = 60
GRAY_SIZE = 84
PERTURBATIONS = tuple(
    SimulatorPerturbation(
        name,
        f"another {name} of the cartridge: of those that it has beside the task's, the one of this place",
        tuple({"place": k} for k in range(5)),
    )
    for name in ("mode", "difficulty")
)
TWO_PLAYERS = frozenset({"combat", "joust", "maze_craze", "warlords"})
"""ROMs in the package that the emulator cannot play alone."""


@dataclass(frozen=True)
class _Settings:
    """A task's params."""

    game: str
    """In snake case, as ale-py names it: `ms_pacman`."""
    sticky: float = 0.0
    noop_max: int = 0
    frame_skip: int = 4
    mode: int | None = None
    """The cartridge's game mode; None is its default."""
    difficulty: int | None = None
    full_action_space: bool = False
    """All 18 actions of the joystick in place of those that do something in this game."""

    def __post_init__(self) -> None:
        if not 0 <= self.sticky <= 1 or self.noop_max < 0 or self.frame_skip < 1:
            raise UserError(
                f"atari: needs 0 <= sticky <= 1, noop_max >= 0 and frame_skip >= 1; got {self}"
            )


class AtariAdapter(Adapter):
    """One console with one game. Actions: the joystick positions that do something in it, the first one being none (but for backgammon and
    video_checkers, which have to act). Metrics: `lives` (0 where the game has none) and `frames`, the no-ops included. No success, no expert.

    `Task.params` are the fields of `_Settings`. The 108,000 frames of the protocols are the task's horizon: here an episode ends with the
    game. Raises UserError for a game, a mode or a difficulty that does not exist.
    """

    packages: ClassVar[tuple[str, ...]] = ("ale-py",)
    extra: ClassVar[str] = "atari"

    def __init__(self, task: Task) -> None:
        try:
            self._settings = settings = _Settings(**task.params)
        except TypeError as wrong:
            raise UserError(
                f"task {task.id}: its params do not fit the atari adapter: {wrong}"
            ) from None
        self._consoles: dict[tuple[int | None, int | None], tuple[Any, Any]] = {}
        self._ale: Any
        self._start: Any
        self._choose(settings.mode, settings.difficulty)
        everything = self._ale.getLegalActionSet()
        self._noop = everything[0]
        self._actions = (
            everything if settings.full_action_space else self._ale.getMinimalActionSet()
        )
        names = tuple(action.name for action in self._actions)
        self._choices = Discrete(
            len(names), names, "a joystick position, held until the next action"
        )
        height, width = self._ale.getScreenDims()
        self._pooling = False
        self._before = np.zeros((height, width), np.uint8)
        self._rows, self._columns = _areas(height), _areas(width).T
        self._instruction = f"Play {settings.game.replace('_', ' ').title()}."
        self.brief = Brief(
            observation={
                "image": Box((height, width, 3), "uint8", 0, 255, meaning="the screen, RGB"),
                "image_gray": Box(
                    (GRAY_SIZE, GRAY_SIZE),
                    "uint8",
                    0,
                    255,
                    meaning="the screen's luma, the last two frames pooled",
                ),
                "state": Box((128,), "uint8", 0, 255, meaning="the console's RAM"),
            },
            action=self._choices,
            embodiment="The player of an Atari 2600 video game: a joystick with eight directions and a fire button, and the screen.",
            simulator="Arcade Learning Environment, an emulator of the Atari 2600 console.",
            control_hz=FRAMES_PER_SECOND / settings.frame_skip,
        )

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        """Game modes and difficulties."""
        return PERTURBATIONS

    def _choose(self, mode: int | None, difficulty: int | None) -> None:
        """A console for each mode and difficulty: changing them in one would leave something behind."""
        if (mode, difficulty) not in self._consoles:
            ale = _load(dataclasses.replace(self._settings, mode=mode, difficulty=difficulty))
            self._consoles[mode, difficulty] = ale, ale.cloneState(include_rng=True)
        self._ale, self._start = self._consoles[mode, difficulty]
        self._views = {
            "image": self._ale.getScreenRGB,
            "image_gray": self._gray,
            "state": self._ale.getRAM,
        }

    def _another(self, case: Case, name: str) -> int | None:
        """The mode or difficulty of a case. Raises UserError where the cartridge has no other one."""
        params, own = case.simulator_perturbation(name), getattr(self._settings, name)
        if params is None:
            return own
        default, _ = self._consoles[self._settings.mode, self._settings.difficulty]
        there = list(
            default.getAvailableModes() if name == "mode" else default.getAvailableDifficulties()
        )
        there.remove(
            there[0] if own is None else own
        )  # the first one is what the cartridge begins with
        if params["place"] >= len(there):
            raise UserError(
                f"{self._settings.game} has {len(there)} other {'modes' if name == 'mode' else 'difficulties'}"
            )
        return int(there[params["place"]])

    def reset(self, case: Case) -> TimeStep:
        """Start from the snapshot, after a number of no-ops that the case draws."""
        self._choose(self._another(case, "mode"), self._another(case, "difficulty"))
        self._sticky = case.rng("sticky")
        noops = (
            int(case.rng("noop").integers(1, self._settings.noop_max + 1))
            if self._settings.noop_max
            else 0
        )
        self._executed = [self._noop] * noops
        self._held = self._noop
        self._rewind()
        for action in self._executed:
            self._ale.act(action)
        self._steps = 0
        self._before.fill(0)
        return self._timestep(0.0)

    def step(self, action: Any) -> TimeStep:
        """Hold the joystick for `frame_skip` frames, the sticky ones excepted."""
        chosen = self._actions[self._choices.validate(action)]
        ale, settings = self._ale, self._settings
        draws = self._sticky.random(settings.frame_skip).tolist() if settings.sticky else None
        reward = 0
        for frame in range(settings.frame_skip):
            if draws is None or draws[frame] >= settings.sticky:
                self._held = chosen
            if self._pooling and frame == settings.frame_skip - 1:
                ale.getScreenGrayscale(self._before)
            self._executed.append(self._held)
            reward += ale.act(self._held)
        self._steps += 1
        return self._timestep(float(reward))

    def render(self) -> np.ndarray:
        """The screen, (H, W, 3) uint8 RGB."""
        return self._ale.getScreenRGB()

    def state(self) -> bytes:
        """The console's RAM."""
        return self._ale.getRAM().tobytes()

    def _timestep(self, reward: float) -> TimeStep:
        metrics = {"lives": self._ale.lives(), "frames": self._ale.getEpisodeFrameNumber()}
        return TimeStep(
            dict(self._views),
            self._instruction,
            reward,
            terminated=self._ale.game_over(),
            metrics=metrics,
        )

    def _rewind(self) -> None:
        self._ale.reset_game()  # what a snapshot leaves out: points and lives as some games count them
        self._ale.restoreState(self._start)

    def _gray(self) -> np.ndarray:
        if not self._pooling:
            self._pooling = True
            if self._steps:
                self._return_to_frame_before()
        frame = np.maximum(self._ale.getScreenGrayscale(), self._before).astype(np.float32)
        # The sums stay under 2**24: exact in float32, so the same on every machine.
        return np.floor(self._rows @ frame @ self._columns / frame.size + 0.5).astype(np.uint8)

    def _return_to_frame_before(self) -> None:
        """Keeping the frame before costs 13 us a step, so it begins with the first reader. Who comes late finds it by emulating the episode
        again, which ends in the state where it began: nothing else decides what happens than the frames' actions."""
        self._rewind()
        for action in self._executed[:-1]:
            self._ale.act(action)
        self._ale.getScreenGrayscale(self._before)
        self._ale.act(self._executed[-1])


def _load(settings: _Settings) -> Any:
    """The emulator with the game loaded, its mode set, just reset."""
    import ale_py
    from ale_py import roms

    games = sorted(set(roms.get_all_rom_ids()) - TWO_PLAYERS)
    if settings.game not in games:
        near = difflib.get_close_matches(settings.game, games, 3) or games
        raise UserError(
            f"there is no Atari game {settings.game!r}; did you mean {', '.join(near)}?"
        )
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    ale: Any = ale_py.ALEInterface()
    ale.setInt("random_seed", 0)
    ale.setFloat("repeat_action_probability", 0.0)
    ale.loadROM(roms.get_rom_path(settings.game))
    for name, wanted, there, choose in (
        ("mode", settings.mode, ale.getAvailableModes(), ale.setMode),
        ("difficulty", settings.difficulty, ale.getAvailableDifficulties(), ale.setDifficulty),
    ):
        if wanted is not None:
            if wanted not in there:
                raise UserError(
                    f"{settings.game} has no {name} {wanted}; it has {', '.join(map(str, there))}"
                )
            choose(wanted)
    ale.reset_game()
    return ale


def _areas(size: int) -> np.ndarray:
    """(84, size): how much of each of 84 equal parts of a line each of its `size` pixels covers; a part is `size` units long."""
    parts, pixels = np.arange(GRAY_SIZE)[:, None] * size, np.arange(size)[None] * GRAY_SIZE
    return np.clip(
        np.minimum(parts + size, pixels + GRAY_SIZE) - np.maximum(parts, pixels), 0, None
    ).astype(np.float32)
