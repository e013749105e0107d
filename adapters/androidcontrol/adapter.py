"""AndroidControl: the adapter. See the class."""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from adapters.androidcontrol.data import SPLITS, Steps, folder_of, missing_data
from adapters.androidcontrol.records import Episode, elements
from adapters.androidcontrol.rules import KINDS, RULES, recorded, right
from harness.core import (
    UI,
    Adapter,
    BadAction,
    Box,
    Brief,
    Case,
    Element,
    Elements,
    Missing,
    Task,
    Text,
    TimeStep,
    UIAction,
    UserError,
)

__all__ = ["AndroidControlAdapter"]

LEVELS = ("high", "low")
BEFORE = ("image_before_1", "image_before_2")
"""The screens one and two actions ago. With the current one they are the three that GEA reads."""


class AndroidControlAdapter(Adapter):
    """One recorded step: the screen, the actions before it, and one answer, which ends the episode.

    `params`: `split` (`test`, or a part of it: `idd`, `app-unseen`, `task-unseen`,
    `category-unseen`), `level` (the instruction is the episode's goal: `high`, or the step's own:
    `low`), `rule` (`grid` or `box`, see rules.py), and `data`, the folder that
    `python -m adapters.androidcontrol` made, unless it is at $ANDROIDCONTROL_DATA or
    ~/.cache/androidcontrol.

    Case.seed -> step: the n steps of the split are shuffled by a hash of episode and step; seed s
    plays number s % n.

    Views:
        image           uint8 (H, W, 3)  the screenshot, RGB, row 0 at the top; H x W is that of the
                                         episode's device, for many 2400 x 1080 px
        image_before_1, image_before_2   the same one and two actions ago; black where the episode
                                         had not begun
        dom             Elements         the visible nodes of the accessibility trees; boxes in the
                                         pixels of `image`. Some steps have none
        text_history    Text             the recorded actions before this one, as lines of JSON with
                                         UIAction's fields
    Actions: UI, at points in the pixels of `image` or at a `ref` of `dom`, which stands for the
    center of its box; an unknown ref does nothing and counts in the metric `unknown_refs`. The
    no-op is `wait`; it is correct where waiting was recorded.
    Success, reward 1: the rule accepts the action in place of the recorded one. Metrics: `episode`
    and `episode_step` identify the step, `split_steps` is the number of steps of the split,
    `same_kind` is 1 if the kind of action was the recorded one.

    The expert gives the recorded action. Steps whose action UIAction cannot express, such as typing
    an empty text, are left out when the data are prepared.

    Raises UserError on an unknown param value.
    """

    path_params: ClassVar[tuple[str, ...]] = ("data", "split")
    packages: ClassVar[tuple[str, ...]] = ("google-crc32c", "pillow")
    redraws: ClassVar[bool] = False
    extra: ClassVar[str] = "androidcontrol"

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        absent = super().missing(task)
        if absent is None:
            missing = missing_data(task.params if task is not None else {})
            absent = None if missing is None else Missing(*missing)
        return absent

    @classmethod
    def env_key(cls, task: Task) -> str:
        return "androidcontrol"

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        return True

    def __init__(self, task: Task) -> None:
        self._views: Mapping[str, Callable[[], Any]] = {
            "image": lambda: self._screen(0),
            "dom": lambda: self._elements,
            **{name: functools.partial(self._screen, ago) for ago, name in enumerate(BEFORE, 1)},
            "text_history": self._history,
        }

    def reset(self, case: Case) -> TimeStep:
        """Read the case's step. Raises BadRecord where the file is damaged."""
        params = case.task.params
        for name, choices in (("split", (*SPLITS,)), ("level", LEVELS), ("rule", RULES)):
            if params.get(name) not in choices:
                raise UserError(
                    f"task {case.task.id}: the param {name} is one of {', '.join(choices)}, "
                    f"got {params.get(name)!r}"
                )
        data = Steps.of(folder_of(params))
        order = data.orders.get(params["split"])
        if not order:
            raise UserError(
                f"task {case.task.id}: the split {params['split']} is not among the data in "
                f"{data.folder}"
            )
        number, self._step = order[case.seed % len(order)]
        self._episode: Episode = data.episode(number)
        self._recorded = recorded(self._episode, self._step)
        self._rule = params["rule"]
        self._elements: tuple[Element, ...] = elements(self._episode.forests[self._step])
        self.brief, self._action = _brief(*self._episode.sizes[self._step])
        self._instruction = (
            self._episode.goal
            if params["level"] == "high"
            else self._episode.instructions[self._step]
        )
        self._metrics = {
            "episode": float(number),
            "episode_step": float(self._step),
            "split_steps": float(len(order)),
        }
        self._state = hashlib.blake2b(
            f"{number} {self._step} {params['level']}".encode(), digest_size=8
        ).digest()
        return TimeStep(self._views, self._instruction, success=False, metrics=self._metrics)

    def step(self, action: Any) -> TimeStep:
        given = self._action.validate(action)
        metrics = {**self._metrics, "same_kind": float(given.kind == self._recorded.kind)}
        success = False
        if given.ref is not None:
            element = next((each for each in self._elements if each.ref == given.ref), None)
            if element is None:
                metrics["unknown_refs"] = 1.0
            else:
                x, y = element.center
                given = UIAction(given.kind, x=x, y=y, text=given.text, direction=given.direction)
        if given.ref is None:
            success = right(
                given, self._recorded, self._episode.sizes[self._step], self._elements, self._rule
            )
        self._state = hashlib.blake2b(self._state + given.encode().encode(), digest_size=8).digest()
        return TimeStep(
            self._views, self._instruction, float(success), True, False, success, metrics
        )

    def render(self) -> np.ndarray:
        return self._screen(0)

    def expert(self, executed: Any) -> UIAction:
        return self._recorded

    def state(self) -> bytes:
        return self._state

    def _screen(self, ago: int) -> np.ndarray:
        """The screenshot `ago` actions ago, (H, W, 3) uint8 RGB, in the size of the current one."""
        from PIL import Image

        size = self._episode.sizes[self._step]
        if ago > self._step:
            return np.zeros((size[1], size[0], 3), np.uint8)
        with Image.open(
            io.BytesIO(self._episode.screenshots[self._step - ago]), formats=["PNG"]
        ) as picture:
            shown = picture.convert("RGB")
            return np.asarray(shown if shown.size == size else shown.resize(size)).copy()

    def _history(self) -> str:
        return "\n".join(_action_json(self._episode, step) for step in range(self._step))


def _action_json(episode: Episode, step: int) -> str:
    """A recorded action as JSON: as a UIAction, or, where that cannot express it, as recorded."""
    try:
        return recorded(episode, step).encode()
    except BadAction:
        return episode.actions[step]


@functools.lru_cache(maxsize=16)
def _brief(width: int, height: int) -> tuple[Brief, UI]:
    action = UI(
        width,
        height,
        tuple(dict.fromkeys(KINDS.values())),
        texts=("text",),
        max_length=10_000,
        meaning="one action, points in the pixels of image; type enters text where the focus is, "
        "scroll shows what lies in its direction",
    )
    screen = Box((height, width, 3), "uint8", 0, 255, "px", "RGB, the screen")
    brief = Brief(
        observation={
            "image": screen,
            "dom": Elements(
                "what is visible, by the accessibility trees; boxes in the pixels of image"
            ),
            **{
                name: Box(screen.shape, "uint8", 0, 255, "px", f"the screen {ago} actions ago")
                for ago, name in enumerate(BEFORE, 1)
            },
            "text_history": Text(10_000_000, meaning="the actions before, a line of JSON each"),
        },
        action=action,
        embodiment="a person at an Android phone, who taps, presses long, scrolls, types, "
        "opens apps, and goes back or home",
        simulator=f"recorded screens of Android apps, {width} x {height} px",
    )
    return brief, action
