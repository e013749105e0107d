"""Crafter (the `crafter` package, arXiv 2109.06780): survival in a generated world, with 22
achievements.

Two traps of the package, which the adapter avoids:
- It keeps the creatures of a region in a set and draws one of them by its place in it. The order of
  a set of objects follows their addresses in memory, so equal seeds and actions take another course
  in another process. Here the regions keep the order in which creatures entered them.
- At night it draws the noise of the picture from the generator that also moves the creatures.
  Drawing a second picture, or one of another size, changes what happens. Here exactly the package's
  own draws are made at every step, and a picture is drawn later, from where the generator was.
"""

from __future__ import annotations

import collections
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from adapters._crafter_words import possessions, scene
from harness.core import Adapter, Box, Brief, Case, Discrete, Task, Text, TimeStep

__all__ = ["ACHIEVEMENTS", "ACTIONS", "CrafterAdapter"]

ACTIONS = (
    "noop", "move west", "move east", "move north", "move south", "do", "sleep",
    "place stone", "place table", "place furnace", "place plant",
    "make wood pickaxe", "make stone pickaxe", "make iron pickaxe",
    "make wood sword", "make stone sword", "make iron sword",
)  # fmt: skip
"""The package's, in its order; its left, right, up and down are west, east, north and south."""
ACHIEVEMENTS = (
    "collect_coal", "collect_diamond", "collect_drink", "collect_iron", "collect_sapling",
    "collect_stone", "collect_wood", "defeat_skeleton", "defeat_zombie", "eat_cow", "eat_plant",
    "make_iron_pickaxe", "make_iron_sword", "make_stone_pickaxe", "make_stone_sword",
    "make_wood_pickaxe", "make_wood_sword", "place_furnace", "place_plant", "place_stone",
    "place_table", "wake_up",
)  # fmt: skip
ITEMS = (
    "health", "food", "drink", "energy", "sapling", "wood", "stone", "coal", "iron", "diamond",
    "wood_pickaxe", "stone_pickaxe", "iron_pickaxe", "wood_sword", "stone_sword", "iron_sword",
)  # fmt: skip
INSTRUCTION = (
    "Stay alive and unlock as many of these achievements as you can, each once: "
    f"{', '.join(name.replace('_', ' ') for name in ACHIEVEMENTS)}."
)
"""Ours: the package has no instruction."""
WORLD, SEEN = 64, (9, 7)
"""Cells: a side of the world; what the screen shows of it, from west to east and north to south."""
OUTSIDE = 255
FRAME = 576
"""px, a side of a frame for people."""
DUSK = 0.5
"""The daylight, of at most 1, below which a picture has noise (the package's engine.py)."""


class CrafterAdapter(Adapter):
    """One episode of Crafter: a world of 64 x 64 cells, seen from above through a window.

    `task.params`: none. Case.seed -> world: that of the first episode of
    `crafter.Env(seed=case.simulator_seed)`.

    Views:
        image           uint8 (64, 64, 3)  RGB, the package's: 9 x 7 cells of 7 px around the
                                           player, below them what it has. At night it is dark and
                                           noisy, while the player sleeps nearly black
        proprio         float32 (16,)      how many of each of ITEMS the player has, 0 to 9: the
                                           numbers below the map
        text            Text               the same cells and numbers in words, as BALROG shows
                                           them; at night too
        text_inventory  Text               its last part: the player's condition and inventory
        state           uint8 (64, 64)     privileged: the package's code of each cell of the
                                           world, [x, y], x to the east and y to the south
    Actions: Discrete(17), the package's. A step is one action; what is not possible does nothing.

    Reward: the package's: 1 in a step that unlocks achievements, and a tenth of the health that was
    gained or lost. Dying terminates; the task's horizon is the only limit.
    Metrics: `achievements`, how many of the 22 are unlocked; `unlocked_<name>`, 1 or 0, for each,
    from whose means reports make Crafter's score. There is no success.
    No expert.
    """

    packages: ClassVar[tuple[str, ...]] = ("crafter", "opensimplex")
    extra: ClassVar[str] = "crafter"
    redraws: ClassVar[bool] = False
    own_streams: ClassVar[bool] = True
    start_kind: ClassVar[str] = "countable"
    privileged_views: ClassVar[tuple[str, ...]] = ("state",)
    derived_views: ClassVar[tuple[str, ...]] = ("text", "text_inventory")

    @classmethod
    def env_key(cls, task: Task) -> str:
        return "crafter"

    def __init__(self, task: Task) -> None:
        import crafter

        self._env: Any = crafter.Env(area=(WORLD, WORLD), length=None, seed=0)
        self._world: Any = self._env._world
        self._noise_shape = tuple(
            self._env._local_view._grid * (self._env._size // self._env._view)
        )
        self._dusk: Any = None
        _keep_order(self._world)
        # The package draws at the end of every reset and step; here that is put off.
        self._env._obs = self._draw_noise
        self._names = _names(self._env)
        self._views: Mapping[str, Callable[[], Any]] = {
            "image": self._image,
            "proprio": self._proprio,
            "text": self._text,
            "text_inventory": self._inventory,
            "state": self._cells,
        }
        self.brief = _brief(self._names)

    def reset(self, case: Case) -> TimeStep:
        self._env._seed, self._env._episode = case.simulator_seed, 0
        self._env.reset()
        return self._timestep(0.0)

    def step(self, action: Any) -> TimeStep:
        _, reward, _, _ = self._env.step(self.brief.action.validate(action))
        return self._timestep(float(reward))

    def render(self) -> np.ndarray:
        """The screen, uint8 (576, 576, 3)."""
        return self._draw((FRAME, FRAME))

    def state(self) -> bytes:
        """Checksums of the cells and of the generator, and all numbers of the player."""
        player = self._env._player
        numbers = (
            *map(int, player.pos),
            *player.facing,
            *map(int, player.inventory.values()),
            *map(int, player.achievements.values()),
            zlib.crc32(self._cells().tobytes()),
            zlib.crc32(self._world.random.get_state()[1].tobytes()),
        )
        return struct.pack(f"<{len(numbers)}q", *numbers)

    def _timestep(self, reward: float) -> TimeStep:
        player = self._env._player
        unlocked = {
            f"unlocked_{name}": float(player.achievements[name] > 0) for name in ACHIEVEMENTS
        }
        metrics = {"achievements": sum(unlocked.values()), **unlocked}
        return TimeStep(
            self._views, INSTRUCTION, reward, terminated=bool(player.health <= 0), metrics=metrics
        )

    def _draw_noise(self) -> None:
        """Draw from the world's generator what the package's own picture draws from it."""
        self._dusk = None
        if self._world.daylight < DUSK:
            self._dusk = self._world.random.get_state()
            self._world.random.uniform(size=self._noise_shape)

    def _draw(self, size: tuple[int, int] | None = None) -> np.ndarray:
        """The screen, by a generator that is where the world's was after the last step."""
        kept = self._world.random
        if self._dusk is not None:
            self._world.random = np.random.RandomState()
            self._world.random.set_state(self._dusk)
        try:
            picture: np.ndarray = self._env.render(size)
        finally:
            self._world.random = kept
        return picture

    def _image(self) -> np.ndarray:
        return self._draw()

    def _proprio(self) -> np.ndarray:
        inventory = self._env._player.inventory
        return np.array([inventory[name] for name in ITEMS], np.float32)

    def _cells(self) -> np.ndarray:
        cells: np.ndarray = self._env._sem_view()
        return cells

    def _text(self) -> str:
        player, (width, height) = self._env._player, SEEN
        padded = np.full((WORLD + 2 * width, WORLD + 2 * width), OUTSIDE, np.uint8)
        padded[width:-width, width:-width] = self._cells()
        x, y = (int(place) + width for place in player.pos)
        window = padded[x - width // 2 : x + width // 2 + 1, y - height // 2 : y + height // 2 + 1]
        seen = scene(
            window,
            self._names,
            (width // 2, height // 2),
            player.facing,
            sleeping=player.sleeping,
            dead=player.health <= 0,
        )
        return f"{seen}\n\n{self._inventory()}"

    def _inventory(self) -> str:
        return possessions(self._env._player.inventory)


class _InOrder(dict[Any, None]):
    """What the package uses of a set, in the order in which things were added."""

    def add(self, thing: Any) -> None:
        self[thing] = None

    def remove(self, thing: Any) -> None:
        del self[thing]


def _keep_order(world: Any) -> None:
    """Have the world keep the creatures of its regions in the order in which they came."""
    original = world.reset

    def reset(seed: int | None = None) -> None:
        original(seed)
        world._chunks = collections.defaultdict(_InOrder)

    world.reset = reset


def _names(env: Any) -> tuple[str, ...]:
    """The names of the codes of cells, from 0 on: materials, then creatures."""
    codes = {**env._world._mat_ids, **env._sem_view._obj_ids}
    names = {code: getattr(kind, "__name__", kind) for kind, code in codes.items()}
    return tuple(str(names[code]).lower() for code in range(len(names)))


def _brief(names: tuple[str, ...]) -> Brief:
    size = (WORLD, WORLD)
    codes = ", ".join(f"{code} {name}" for code, name in enumerate(names) if code)
    return Brief(
        observation={
            "image": Box(
                (64, 64, 3), "uint8", 0, 255, "px",
                "RGB: 9 x 7 cells around the player, north at the top, and below them what it has; "
                "dark and noisy at night",
            ),
            "proprio": Box(
                (len(ITEMS),), low=0.0, high=9.0, meaning=f"number of {', '.join(ITEMS)}"
            ),
            "text": Text(
                meaning="the nearest of each kind in sight, what the player faces, its condition "
                "and its inventory"
            ),
            "text_inventory": Text(meaning="the player's condition and its inventory"),
            "state": Box(
                size, "uint8", 0, len(names) - 1,
                meaning=f"the whole world, [x, y] from the north-west corner: {codes}",
            ),
        },
        action=Discrete(
            len(ACTIONS),
            ACTIONS,
            "move turns to a side and walks there if the cell is free; do collects, drinks, eats "
            "or hits what the player faces; place needs the material, make also a table nearby, "
            "and iron a furnace too",
        ),
        embodiment="a person in a world of square cells, seen from above, who walks in four "
        "directions, hungers, thirsts and tires",
        simulator="Crafter, an open world with day and night",
    )  # fmt: skip
