"""AndroidControl: the adapter. See the class."""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from adapters.androidcontrol.data import SPLITS, Steps, folder_of, lacks
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
"""The screens one and two actions ago; with the present one they are the three steps that GEA looks at."""


class AndroidControlAdapter(Adapter):
    """One recorded step: the screen, what was done before in its episode, and one action to be given, which ends it.

    `params`: `split` (`test`, or a part of it: `idd`, `app-unseen`, `task-unseen`, `category-unseen`), `level` (`high`: the episode's goal is
    the instruction; `low`: the step's), `rule` (`grid` or `box`, see rules.py), and `data`, the folder that
    `python -m adapters.androidcontrol` made, if it is not at $ANDROIDCONTROL_DATA or ~/.cache/androidcontrol.

    Case.seed -> step: all steps of the split are shuffled by a hash of episode and step; the seed counts along them, anew after the last.

    Views:
        image           uint8 (H, W, 3)  the screenshot, RGB, row 0 at the top; H x W is the episode's device, 1080 x 2400 px for many
        image_before_1, image_before_2   the same one and two actions ago, black at the start of an episode
        dom             Elements         the accessibility trees, what is visible of them; boxes in the pixels of `image`. Some steps have none
        text_history    Text             the recorded actions before this one, a line of JSON each, UIAction's fields
    Actions: UI, points in the pixels of `image`, or a `ref` of `dom`, which stands for the middle of its box; an unknown ref does nothing and
    is counted in the metric `unknown_refs`. The no-op is `wait`; as an action it is right where waiting was recorded.
    Success, reward 1: the action is as good as the recorded one by the rule. Metrics: `episode` and `episode_step` name the step,
    `split_steps` is how many the split has, `same_kind` 1 where the kind of action was the recorded one.

    The expert gives the recorded action. Steps of which no action can be given, an empty text for one, are left out when the data are prepared.

    Raises UserError where a param does not exist.
    """

    packages: ClassVar[tuple[str, ...]] = ("google-crc32c", "pillow")
    extra: ClassVar[str] = "androidcontrol"

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        """The packages, or the data."""
        absent = super().missing(task)
        if absent is None:
            missing = lacks(task.params if task is not None else {})
            absent = None if missing is None else Missing(*missing)
        return absent

    @classmethod
    def env_key(cls, task: Task) -> str:
        """One kept adapter for all tasks."""
        return "androidcontrol"

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        """Always."""
        return True

    def __init__(self, task: Task) -> None:
        self._views: Mapping[str, Callable[[], Any]] = {
            "image": lambda: self._screen(0),
            "dom": lambda: self._seen,
            **{name: functools.partial(self._screen, ago) for ago, name in enumerate(BEFORE, 1)},
            "text_history": self._history,
        }

    def reset(self, case: Case) -> TimeStep:
        """Read the case's step. Raises BadRecord where the file is damaged."""
        params = case.task.params
        for name, choices in (("split", (*SPLITS,)), ("level", LEVELS), ("rule", RULES)):
            if params.get(name) not in choices:
                raise UserError(
                    f"task {case.task.id}: the param {name} is one of {', '.join(choices)}, got {params.get(name)!r}"
                )
        data = Steps.of(folder_of(params))
        order = data.orders.get(params["split"])
        if not order:
            raise UserError(
                f"task {case.task.id}: the split {params['split']} is not among the data in {data.folder}"
            )
        number, self._step = order[case.seed % len(order)]
        self._episode: Episode = data.episode(number)
        self._true = recorded(self._episode, self._step)
        self._rule = params["rule"]
        self._seen: tuple[Element, ...] = elements(self._episode.forests[self._step])
        self.brief = _brief(*self._episode.sizes[self._step])
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
        """Compare the action with the recorded one; the episode is over."""
        given: UIAction = self.brief.action.validate(action)  # type: ignore[assignment]
        metrics = {**self._metrics, "same_kind": float(given.kind == self._true.kind)}
        success = False
        if given.ref is not None:
            element = next((each for each in self._seen if each.ref == given.ref), None)
            if element is None:
                metrics["unknown_refs"] = 1.0
            else:
                x, y = element.center
                given = UIAction(given.kind, x=x, y=y, text=given.text, direction=given.direction)
        if given.ref is None:
            success = right(
                given, self._true, self._episode.sizes[self._step], self._seen, self._rule
            )
        self._state = hashlib.blake2b(self._state + given.encode().encode(), digest_size=8).digest()
        return TimeStep(
            self._views, self._instruction, float(success), True, False, success, metrics
        )

    def render(self) -> np.ndarray:
        """The view `image`."""
        return self._screen(0)

    def expert(self, executed: Any) -> UIAction:
        """The recorded action."""
        return self._true

    def state(self) -> bytes:
        """Which step it is, and what was answered."""
        return self._state

    def _screen(self, ago: int) -> np.ndarray:
        """The screenshot of so many actions ago, in the size of the present one."""
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
        return "\n".join(_told(self._episode, step) for step in range(self._step))


def _told(episode: Episode, step: int) -> str:
    """A recorded action as JSON: in our words, or, where we have none, as it was recorded."""
    try:
        return recorded(episode, step).encode()
    except BadAction:
        return episode.actions[step]


@functools.lru_cache(maxsize=16)
def _brief(width: int, height: int) -> Brief:
    screen = Box((height, width, 3), "uint8", 0, 255, "px", "RGB, the screen")
    return Brief(
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
        action=UI(
            width,
            height,
            tuple(dict.fromkeys(KINDS.values())),
            texts=("text",),
            max_length=10_000,
            meaning="one action, points in the pixels of image; type enters text where the focus is, scroll shows what lies in its direction",
        ),
        embodiment="a person at an Android phone, who taps, presses long, scrolls, types, opens apps, and goes back or home",
        simulator=f"recorded screens of Android apps, {width} x {height} px",
    )
