"""The thousand chains of CALVIN's evaluation and the initial state of each, without a simulator.

The preconditions of tasks, the way chains are drawn and the initial poses are those of
`calvin_agent/evaluation` (mees/calvin, multistep_sequences.py and utils.py), which was run and gave
the same 1000 chains and states. A chain is redrawn until each of its five tasks is possible and no
two of them belong to one category.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Union

import numpy as np

__all__ = [
    "ARM", "CHAINS", "LENGTH", "TASKS", "Chain", "beginning_with", "chains", "drawn", "scene_of",
    "starts",
]  # fmt: skip

CHAINS, LENGTH = 1000, 5
COLOURS = ("red", "blue", "pink")
State = Mapping[str, Union[str, int]]
Change = tuple[State, State]
"""(precondition, effect)."""


@dataclass(frozen=True)
class Move:
    """A task: its category, which occurs at most once in a chain, and the ways to achieve it."""

    category: int
    ways: tuple[Change, ...]


@dataclass(frozen=True)
class Chain:
    """An initial state and the tasks, in order."""

    start: State
    tasks: tuple[str, ...]


def _lifted(block: str, place: str) -> Iterator[Change]:
    held: State = {block: "grasped", "grasped": 1}
    if place == "slider":  # only the half that the door does not cover can be reached
        yield {block: "slider_left", "slider": "right", "grasped": 0}, held
        yield {block: "slider_right", "slider": "left", "grasped": 0}, held
    else:
        yield (
            {block: place, **({"drawer": "open"} if place == "drawer" else {}), "grasped": 0},
            held,
        )


def _moves() -> Iterator[tuple[str, Move]]:
    """The tasks in the order of CALVIN's own table, on which the random draws depend."""
    blocks = [f"{colour}_block" for colour in COLOURS]
    for verb, block in itertools.product(("rotate", "push"), blocks):
        for side in ("right", "left"):
            yield f"{verb}_{block}_{side}", Move(1, (({block: "table", "grasped": 0}, {}),))
    for category, name, thing, to, before in (
        (2, "move_slider_left", "slider", "left", "right"),
        (2, "move_slider_right", "slider", "right", "left"),
        (3, "open_drawer", "drawer", "open", "closed"),
        (3, "close_drawer", "drawer", "closed", "open"),
    ):
        yield name, Move(category, (({thing: before, "grasped": 0}, {thing: to}),))
    for block in blocks:
        for category, place in enumerate(("table", "slider", "drawer"), 4):
            yield f"lift_{block}_{place}", Move(category, tuple(_lifted(block, place)))
    into_slider: list[Change] = [
        ({block: "grasped", "slider": side}, {block: f"slider_{side}", "grasped": 0})
        for block in blocks
        for side in SIDES
    ]
    yield "place_in_slider", Move(7, tuple(into_slider))
    into_drawer: list[Change] = [
        ({block: "grasped", "drawer": "open"}, {block: "drawer", "grasped": 0}) for block in blocks
    ]
    yield "place_in_drawer", Move(7, tuple(into_drawer))
    stacking: list[Change] = []
    unstacking: list[Change] = []
    for top, bottom in itertools.permutations(blocks, 2):
        stacked: State = {top: "stacked_top", bottom: "stacked_bottom", "grasped": 0}
        stacking.append(({top: "grasped", bottom: "table"}, stacked))
        unstacking.append((stacked, {top: "table", bottom: "table"}))
    yield "stack_block", Move(10, tuple(stacking))
    yield "unstack_block", Move(11, tuple(unstacking))
    for light in ("lightbulb", "led"):
        for name, off, on in (("on", 0, 1), ("off", 1, 0)):
            yield f"turn_{name}_{light}", Move(8, (({light: off, "grasped": 0}, {light: on}),))
    pushed: list[Change] = [
        ({block: "table", "drawer": "open", "grasped": 0, ALL_OTHERS: block}, {block: "drawer"})
        for block in blocks
    ]
    yield "push_into_drawer", Move(9, tuple(pushed))


SIDES = ("right", "left")
ALL_OTHERS = "all others"
"""Key of a condition: all blocks except the given one lie in the slider."""
TASKS: Mapping[str, Move] = dict(_moves())


def _holds(state: State, condition: State) -> bool:
    for name, value in condition.items():
        if name == ALL_OTHERS:
            others = [state[f"{colour}_block"] for colour in COLOURS if f"{colour}_block" != value]
            if not all(str(place).startswith("slider_") for place in others):
                return False
        elif state[name] != value:
            return False
    return True


def _possible(start: State, names: Sequence[str]) -> bool:
    """Whether each task can be achieved in exactly one way after those before it, and no two
    belong to one category."""
    if len({TASKS[name].category for name in names}) < len(names):
        return False
    state = dict(start)
    for name in names:
        after = [change for condition, change in TASKS[name].ways if _holds(state, condition)]
        if len(after) != 1:
            return False
        state.update(after[0])
    return True


@functools.lru_cache(maxsize=1)
def starts() -> tuple[State, ...]:
    """The 192 initial states: one or two blocks on the table, at most one in each half of the
    slider."""
    places = ("table", "slider_right", "slider_left")
    choices: Mapping[str, Sequence[str | int]] = {
        "led": (0, 1),
        "lightbulb": (0, 1),
        "slider": SIDES,
        "drawer": ("closed", "open"),
        **{f"{colour}_block": places for colour in COLOURS},
        "grasped": (0,),
    }
    states = (dict(zip(choices, values)) for values in itertools.product(*choices.values()))
    return tuple(
        state for state in states if _spread([str(state[f"{colour}_block"]) for colour in COLOURS])
    )


def _spread(places: Sequence[str]) -> bool:
    return (
        places.count("table") in (1, 2)
        and places.count("slider_right") < 2
        and places.count("slider_left") < 2
    )


def drawn(start: int, count: int) -> list[tuple[str, ...]]:
    """The first `count` chains that CALVIN draws from initial state number `start`.

    Takes seconds, since most draws are impossible.
    """
    rng, names, found = np.random.RandomState(start), [*TASKS], list[tuple[str, ...]]()
    while len(found) < count:
        names_drawn = tuple(str(name) for name in rng.choice(names, size=LENGTH, replace=False))
        if _possible(starts()[start], names_drawn):
            found.append(names_drawn)
    return found


@functools.lru_cache(maxsize=1)
def chains() -> tuple[Chain, ...]:
    """The 1000 chains in the order of CALVIN's evaluation, read from chains.txt.

    A line holds the number of the initial state and those of the five tasks. They are what `drawn`
    gives, with equally many for each initial state, save one more for the first ones, shuffled with
    seed 0; drawing them takes minutes.
    """
    names = [*TASKS]
    lines = (Path(__file__).parent / "chains.txt").read_text().splitlines()
    numbers = (tuple(map(int, line.split())) for line in lines)
    return tuple(
        Chain(starts()[first], tuple(names[k] for k in others)) for first, *others in numbers
    )


@functools.lru_cache(maxsize=len(TASKS))
def beginning_with(first: str) -> tuple[Chain, ...]:
    """The chains whose first task is `first`, in the order of `chains`; none of most tasks."""
    return tuple(chain for chain in chains() if chain.tasks[0] == first)


ARM = (
    0.02586889, -0.2313129, 0.5712808, 3.09045411, -0.02908596, 1.50013585, 0.07999963,
    -1.21779124, 1.03987629, 2.11978254, -2.34205014, -0.87015899, 1.64119093, 0.55344928, 1.0,
)  # fmt: skip
"""The arm's initial `robot_obs`: position (m) and Euler angles (rad) of the hand, width of the
gripper (m), seven joints (rad), the gripper's command."""
IN_SLIDER = {
    "slider_left": (-2.40851662e-01, 9.24044687e-02, 4.60990009e-01),
    "slider_right": (7.03416330e-02, 9.24044687e-02, 4.60990009e-01),
}
ON_TABLE = (
    (5.00000896e-02, -1.20000177e-01, 4.59990009e-01),
    (2.29995412e-01, -1.19995140e-01, 4.59990010e-01),
)
TURNED = (np.pi / 2 - np.pi / 8, np.pi / 2 + np.pi / 8)


def scene_of(start: State) -> np.ndarray:
    """An initial state as `scene_obs`, float64 (24,).

    0-5: slider (m), drawer (m), button, switch, lightbulb, LED; then for the red, blue and pink
    block: position (m) and Euler angles (rad). Which place on the table a block takes, and its
    rotation, are drawn with a hash of the state as seed.
    """
    rng = np.random.RandomState(_fnv1(f"dict_values({[*start.values()]})"))
    table = [np.array(place) for place in ON_TABLE]
    rng.shuffle(table)
    scene = np.zeros(24)
    scene[0] = 0.28 if start["slider"] == "left" else 0.0
    scene[1] = 0.22 if start["drawer"] == "open" else 0.0
    scene[3] = 0.088 if start["lightbulb"] == 1 else 0.0
    scene[4:6] = start["lightbulb"], start["led"]
    free = {"red": 0, "blue": 1 if start["red_block"] == "table" else 0, "pink": 1}
    for at, colour in zip((6, 12, 18), COLOURS):
        place = str(start[f"{colour}_block"])
        scene[at : at + 3] = IN_SLIDER[place] if place in IN_SLIDER else table[free[colour]]
        scene[at + 5] = rng.uniform(*TURNED)
    return scene


def _fnv1(text: str) -> int:
    """32-bit FNV-1 as pyhash computes it: starting from 0 instead of the offset basis."""
    value = 0
    for byte in text.encode():
        value = (value * 0x01000193 & 0xFFFFFFFF) ^ byte
    return value
