"""Atari 2600 games in the Arcade Learning Environment, through ale-py's own interface.

Views (all drawn only when read):
    image       (H, W, 3) uint8 RGB, at each pixel the brighter of the last two frames; 210 x 160
                for all games of the published score table
    image_gray  (84, 84) uint8 luma, DQN's preprocessing without the stack: the pixelwise maximum of
                the last two frames, averaged over areas
    state       (128,) uint8, the console's RAM

The console draws many objects in every other frame only, and frames are seen in steps of
`frame_skip`: with the current frame alone some objects would never be seen. Where no no-op precedes
it, an episode's first observation has no frame before it.

One step repeats the action for `frame_skip` frames of 1/60 s and adds up the game's points; losing
a life does not end the episode.

Protocols:
- No-op starts after Mnih et al. 2015 (doi 10.1038/nature14236), as in dqn_zoo/gym_atari.py: 1 to
  `noop_max` frames, uniform, whose points are dropped.
- Sticky actions after Machado et al. 2018 (arXiv 1709.06009): in every frame, with probability
  `sticky`, the action executed in the previous frame is executed again.

Two of the emulator's own mechanisms are replaced, because both make an episode of a kept emulator
depend on earlier ones. Its `reset_game` leaves something behind in 30 of the 104 games, so every
episode starts from a snapshot taken right after the game was loaded (at that point the emulator's
seed makes no difference in any game). Its sticky actions draw from a generator that only a reload
(84 ms) can seed, so here the draws come from the case.
"""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from adapters._params import levels, settings_of
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
        f"the {name} of the cartridge: one other than the task's, by its place (from 0) among them",
        levels("place", *range(5)),
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
    """The probability, per frame, that the previous frame's action is executed again."""
    noop_max: int = 0
    """The greatest number of no-op frames at the start; 0 for none."""
    frame_skip: int = 4
    """Frames per step."""
    mode: int | None = None
    """The cartridge's game mode; None is its default."""
    difficulty: int | None = None
    """The position of the cartridge's difficulty switch; None is its default."""
    full_action_space: bool = False
    """Offer all 18 actions of the joystick instead of those that do something in this game."""

    def __post_init__(self) -> None:
        if not 0 <= self.sticky <= 1 or self.noop_max < 0 or self.frame_skip < 1:
            raise UserError(
                f"atari: needs 0 <= sticky <= 1, noop_max >= 0 and frame_skip >= 1; got {self}"
            )


class AtariAdapter(Adapter):
    """One console with one game.

    `Task.params` are the fields of `_Settings`. The views and protocols are described in the
    module's docstring.

    Actions: Discrete, the joystick positions that do something in the game; the first one does
    nothing (except in backgammon and video_checkers, which have no such action).
    Reward: the game's points in the step, unclipped.
    Metrics: `lives` (0 where the game has none) and `frames`, the no-ops included. There is no
    success and no expert.
    An episode ends with the game: the protocols' limit of 108,000 frames is the task's horizon.

    Raises UserError for a game, a mode or a difficulty that does not exist.
    """

    packages: ClassVar[tuple[str, ...]] = ("ale-py",)
    redraws: ClassVar[bool] = False
    own_streams: ClassVar[bool] = True
    start_kind: ClassVar[str] = "countable"
    privileged_views: ClassVar[tuple[str, ...]] = ("state",)
    extra: ClassVar[str] = "atari"

    def __init__(self, task: Task) -> None:
        self._settings = settings = settings_of(task, _Settings, "atari")
        self._consoles: dict[tuple[int | None, int | None], tuple[Any, Any]] = {}
        """By mode and difficulty: the emulator, and its snapshot right after loading."""
        self._ale: Any
        self._start: Any
        self._select_console(settings.mode, settings.difficulty)
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
        """Whether the previous frame is kept; it begins when a picture is first read."""
        self._luma_before = np.zeros((height, width), np.uint8)
        self._image_before = np.zeros((height, width, 3), np.uint8)
        self._rows, self._columns = _area_weights(height), _area_weights(width).T
        self._instruction = f"Play {settings.game.replace('_', ' ').title()}."
        self.brief = Brief(
            observation={
                "image": Box(
                    (height, width, 3),
                    "uint8",
                    0,
                    255,
                    meaning="the screen, RGB, the last two frames pooled",
                ),
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
            embodiment="The player of an Atari 2600 video game: a joystick with eight directions "
            "and a fire button, and the screen.",
            simulator="Arcade Learning Environment, an emulator of the Atari 2600 console.",
            control_hz=FRAMES_PER_SECOND / settings.frame_skip,
        )

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        return PERTURBATIONS

    def _select_console(self, mode: int | None, difficulty: int | None) -> None:
        """Each mode and difficulty has its own console: changing them in one leaves traces."""
        if (mode, difficulty) not in self._consoles:
            ale = _load(dataclasses.replace(self._settings, mode=mode, difficulty=difficulty))
            self._consoles[mode, difficulty] = ale, ale.cloneState(include_rng=True)
        self._ale, self._start = self._consoles[mode, difficulty]
        self._views = {
            "image": self._image,
            "image_gray": self._gray,
            "state": self._ale.getRAM,
        }

    def _setting_of(self, case: Case, name: str) -> int | None:
        """The case's mode or difficulty, as `name` says.

        Raises UserError where the perturbation asks for one that the cartridge does not have.
        """
        own: int | None = getattr(self._settings, name)
        params = case.simulator_perturbation(name)
        if params is None:
            return own
        default, _ = self._consoles[self._settings.mode, self._settings.difficulty]
        others = list(
            default.getAvailableModes() if name == "mode" else default.getAvailableDifficulties()
        )
        others.remove(others[0] if own is None else own)  # a cartridge starts with its first one
        if params["place"] >= len(others):
            what = "modes" if name == "mode" else "difficulties"
            raise UserError(
                f"{self._settings.game} has {len(others)} other {what}, so there is none at "
                f"place {params['place']}"
            )
        return int(others[params["place"]])

    def reset(self, case: Case) -> TimeStep:
        self._select_console(self._setting_of(case, "mode"), self._setting_of(case, "difficulty"))
        self._sticky = case.rng("sticky")
        noops = (
            int(case.rng("noop").integers(1, self._settings.noop_max + 1))
            if self._settings.noop_max
            else 0
        )
        self._executed = [self._noop] * noops
        self._held = self._noop
        self._luma_before.fill(0)
        self._replay_executed()
        return self._timestep(0.0)

    def step(self, action: Any) -> TimeStep:
        chosen = self._actions[self._choices.validate(action)]
        ale, settings = self._ale, self._settings
        draws = self._sticky.random(settings.frame_skip).tolist() if settings.sticky else None
        reward = 0
        for frame in range(settings.frame_skip):
            if draws is None or draws[frame] >= settings.sticky:
                self._held = chosen
            if frame == settings.frame_skip - 1:
                self._keep_frame()
            self._executed.append(self._held)
            reward += ale.act(self._held)
        return self._timestep(float(reward))

    def render(self) -> np.ndarray:
        return self._image()

    def state(self) -> bytes:
        ram: bytes = self._ale.getRAM().tobytes()
        return ram

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
        # A snapshot leaves out the points and lives as some games count them; a reset restores
        # those.
        self._ale.reset_game()
        self._ale.restoreState(self._start)

    def _image(self) -> np.ndarray:
        brighter = np.flatnonzero(self._luma_before > self._luma())  # fast where they are few
        image: np.ndarray = self._ale.getScreenRGB()
        image.reshape(-1, 3)[brighter] = self._image_before.reshape(-1, 3)[brighter]
        return image

    def _gray(self) -> np.ndarray:
        frame = np.maximum(self._luma(), self._luma_before).astype(np.float32)
        # The sums stay below 2**24, so they are exact in float32 and the same on every machine.
        gray: np.ndarray = np.floor(self._rows @ frame @ self._columns / frame.size + 0.5)
        return gray.astype(np.uint8)

    def _luma(self) -> np.ndarray:
        """The luma of the current frame; afterwards the frame before it is known.

        Keeping that frame costs time in every step, so it begins with the first reader, who may
        come late: then the episode is emulated again. The actions of the frames alone decide what
        happens, so the state is the same again afterwards.
        """
        if not self._pooling:
            self._pooling = True
            self._replay_executed()
        luma: np.ndarray = self._ale.getScreenGrayscale()
        return luma

    def _replay_executed(self) -> None:
        """Play the actions of all frames of the episode so far from its start."""
        self._rewind()
        for action in self._executed[:-1]:
            self._ale.act(action)
        for action in self._executed[-1:]:
            self._keep_frame()
            self._ale.act(action)

    def _keep_frame(self) -> None:
        """Keep the current frame as the one before the next, if anybody reads pictures."""
        if self._pooling:
            self._ale.getScreenGrayscale(self._luma_before)
            self._ale.getScreenRGB(self._image_before)


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


def _area_weights(size: int) -> np.ndarray:
    """How a line of `size` pixels is averaged into 84 equal parts, float32 (84, size).

    Element [i, j] is the length of part i that pixel j covers, in units of which a part is `size`
    long and a pixel 84.
    """
    parts, pixels = np.arange(GRAY_SIZE)[:, None] * size, np.arange(size)[None] * GRAY_SIZE
    overlap: np.ndarray = np.minimum(parts + size, pixels + GRAY_SIZE) - np.maximum(parts, pixels)
    return np.clip(overlap, 0, None).astype(np.float32)
