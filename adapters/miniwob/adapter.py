"""MiniWoB++ (Farama's `miniwob` package): the adapter. See the class."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from adapters.miniwob.browser import VARIABLE, Browser, chromium
from adapters.miniwob.experts import EXPERTS, Expert
from adapters.miniwob.goals import PAGES, Choices
from adapters.miniwob.lines import LINES
from adapters.miniwob.page import KEYS, MODIFIERS, Page
from adapters.miniwob.rendering import arial, browser_version, fonts
from adapters.miniwob.stages import Course, stages_of
from harness.core import (
    GOAL,
    UI,
    Adapter,
    Box,
    Brief,
    Case,
    Element,
    Elements,
    Goal,
    Missing,
    SimulatorPerturbation,
    Task,
    TimeStep,
    UIAction,
    UserError,
    asked_goal,
)

__all__ = ["MiniWobAdapter"]

SCREEN, WINDOW = (160, 210), (500, 320)
FLIGHT_SCREEN, FLIGHT_WINDOW = (375, 667), (600, 800)
"""(width, height) in px, those of the package (miniwob/constants.py)."""
FONTS = (("serif", 1.0), ("monospace", 1.0), ("serif", 1.15), ("monospace", 1.2), ("serif", 1.4))
FONT = SimulatorPerturbation(
    "font",
    "all text in another font, scaled",
    tuple({"family": family, "scale": scale} for family, scale in FONTS),
)
KINDS = (
    "click",
    "double_click",
    "hover",
    "mouse_down",
    "mouse_up",
    "drag",
    "type",
    "key",
    "scroll",
    "wait",
)


class MiniWobAdapter(Adapter):
    """A page of MiniWoB++ in headless Chromium.

    One kept adapter, with one browser, plays all tasks; every episode loads its page afresh.

    `task.params`: `name`, the page's (`click-button`, `flight.Alaska`); `mode`, the package's data
    mode, which affects five pages and the flights: `train` (the package's default) or `test`; and
    `threshold`, the raw reward from which on an answer is right (1 where it is not given).

    Views, computed when read:
        image   uint8 (210, 160, 3)  RGB, row 0 at the top, (667, 375, 3) for flights: the screen,
                                     with the instruction on yellow
        dom     Elements             the elements of the page, scrolled into view or not, except
                                     the instruction's; boxes in CSS pixels, as in `image`
    Action: UI, at points in the pixels of `image`. Actions are the browser's own mouse and keyboard
    events, not JavaScript calls; except that `type` on a drop-down list (`select`) chooses the
    typed entry, because the list that Chromium drops down appears on no screenshot. A ref that is
    not in the newest `dom` or has no position does nothing and counts in the metric `unknown_refs`.
    The no-op is `wait`. A held mouse button is released where it is before it is pressed again.

    Time: the page's clock stands still between actions; Date, timers and animation frames are
    replaced. Each action is executed at once, then the clock advances by 1 / control_hz seconds
    (0.25). CSS transitions and the blinking of the text cursor are off. The page's own time limit
    (10 s in most) and the decay of its reward are disabled: the reward is the package's
    `raw_reward`, -1 to 1, given at the end, when it is a metric too (-1 where the page computes no
    number). Success: the raw reward reaches the threshold, and what the page itself forgets to
    check holds (`OVERSIGHTS` in page.js). Links and forms that would leave the page do nothing.

    The page's seed is `case.simulator_seed`. The instruction is the package's utterance (JSON for
    flights).

    The expert reads the page by JavaScript, so it is privileged; see experts/.

    Raises UserError on an unknown param value or where no browser is installed, and BrowserError
    where the browser fails.
    """

    packages = ("miniwob", "pillow")
    path_params = ("name",)
    redraws = False
    own_streams = True
    extra = "ui"

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        missing = super().missing(task)
        if missing is None and chromium() is None:
            return Missing(
                "no Chromium or Chrome is installed",
                f"apt-get install chromium, or set {VARIABLE} to the browser's path",
            )
        return missing

    @classmethod
    def versions(cls) -> Mapping[str, str]:
        """Those of the packages, the browser's, and the set of installed fonts."""
        binary = chromium()
        return {
            **super().versions(),
            "browser": browser_version(binary) if binary else "-",
            "fonts": fonts(),
        }

    @classmethod
    def limited(cls) -> Missing | None:
        # The pages ask for Arial. With the widths of another font their layout differs, and with it
        # what lies at a point.
        font = arial()
        if not font or any(name in font for name in ("Arial", "Liberation Sans", "Arimo")):
            return None
        return Missing(
            f"pages are set in {font} instead of Arial, so their layout differs",
            "apt-get install fonts-liberation",
        )

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        chosen = task is None or task.params["name"] in PAGES
        return (FONT, GOAL) if chosen else (FONT,)

    @classmethod
    def env_key(cls, task: Task) -> str:
        return "miniwob"

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        return task.params["name"] in EXPERTS

    @classmethod
    def stages(cls, task: Task) -> tuple[str, ...]:
        return stages_of(task.params["name"])

    @classmethod
    def failure_modes(cls, task: Task) -> tuple[str, ...]:
        return ("invalid_action", "stopped_early")

    def __init__(self, task: Task) -> None:
        self._opened: Page | None = None
        self._browser: Browser | None = None
        self._views: Mapping[str, Callable[[], Any]] = {"image": self._image, "dom": self._dom}
        self._report: dict[str, Any] = {}
        self._expert: Expert | None = None
        self._course: Course | None = None
        self._choices: Choices | None = None
        self._asked: Goal | None = None
        self._gave_up = False
        self._name = ""
        self._prepare(task)

    def _prepare(self, task: Task) -> None:
        """Find the task's page, and make the brief for its screen."""
        name = task.params["name"]
        found = importlib.util.find_spec("miniwob")  # without importing it
        if found is None or not found.submodule_search_locations:
            raise UserError(
                f"task {task.id}: the package miniwob is not installed: "
                "pip install 'generalist-bench[ui]'"
            )
        self._html = Path(next(iter(found.submodule_search_locations))) / "html"
        flight = name.startswith("flight.")
        self._path = f"{name.replace('.', '/')}/wrapper.html" if flight else f"miniwob/{name}.html"
        if not (self._html / self._path).is_file():
            raise UserError(
                f"task {task.id}: miniwob has no page {self._path}; "
                "see https://miniwob.farama.org/environments/list"
            )
        self._screen, self._window = (FLIGHT_SCREEN, FLIGHT_WINDOW) if flight else (SCREEN, WINDOW)
        hz = task.control_hz
        if not hz or task.params["mode"] not in ("train", "test"):
            raise UserError(f"task {task.id}: needs control_hz, and a mode that is train or test")
        threshold = task.params.get("threshold", 1.0)
        if not isinstance(threshold, (int, float)) or not 0 < threshold <= 1:
            raise UserError(f"task {task.id}: threshold is above 0, at most 1; got {threshold!r}")
        self._threshold = float(threshold)
        self._step_ms = 1000 / hz
        self.brief, self._action = _brief(*self._screen, hz)

    def reset(self, case: Case) -> TimeStep:
        self._prepare(case.task)
        if self._opened is None:
            binary = chromium()
            if binary is None:
                raise UserError(
                    "no Chromium or Chrome is installed: apt-get install chromium, "
                    f"or set {VARIABLE}"
                )
            self._browser = Browser(binary)
            self._opened = Page(self._browser, self._html)
        self._course = None
        self._expert, self._gave_up = None, False
        self._name = case.task.params["name"]
        font, mode = case.simulator_perturbation("font"), case.task.params["mode"]
        style = "" if font is None else _STYLE.format(**font)
        self._report = self._page.open(
            self._path, self._screen, self._window, case.simulator_seed, mode, self._step_ms, style
        )
        self._choices = self._asked = None
        if case.simulator_perturbation(GOAL.name) is not None:
            self._asked = asked_goal(case, self.other_goals(case))
            if self._asked is not None:
                self._choices_now().ask(self._asked)
        return self._timestep()

    def step(self, action: Any) -> TimeStep:
        self._report = self._page.step(self._action.validate(action))
        return self._timestep()

    @property
    def _page(self) -> Page:
        assert self._opened is not None, "reset comes first"
        return self._opened

    def _timestep(self) -> TimeStep:
        report = self._report
        done = bool(report["done"])
        # Two points on one another make no angle: the page computes NaN, which arrives as None.
        raw = report["reward"]
        reward = 0.0 if not done else -1.0 if raw is None else float(raw)
        right = done and reward >= self._threshold and bool(report["sound"])
        if self._asked is not None:
            right = self._asked.id in self.goals_met(None)
            reward = 0.0 if not done else 1.0 if right else -1.0
        metrics = {"raw_reward": reward} if done else {}
        if self._page.unknown_refs:
            metrics["unknown_refs"] = float(self._page.unknown_refs)
        if self._gave_up:
            metrics["expert_gave_up"] = 1.0
        return TimeStep(self._views, self._instruction, reward, done, False, right, metrics)

    @property
    def _instruction(self) -> str:
        said: str = self._report["utterance"]
        return said if self._asked is None else self._asked.instruction

    def _image(self) -> np.ndarray:
        return self._page.image()

    def _dom(self) -> tuple[Element, ...]:
        return self._page.elements()

    def render(self) -> np.ndarray:
        return self._image()

    def lines_drawn(self) -> list[list[Any]]:
        """Where the picture shows the lines of text, with what they say: see lines.py."""
        rows: list[list[Any]] = self._page.ask(LINES)
        return rows

    def expert(self, executed: Any) -> UIAction | None:
        make = EXPERTS.get(self._name)
        if make is None:
            raise UserError(f"no script plays {self._name}")
        if self._gave_up:
            return None
        if self._expert is None:
            self._expert = make()
        action = self._expert(self._page, self._instruction)
        self._gave_up = action is None
        return action

    def stage(self) -> int:
        if self._course is None:
            self._course = Course(self._name, self._instruction, self._page)
        return self._course.stage(done=bool(self._report["done"]))

    def failure_mode(self) -> tuple[str, ...]:
        return ("stopped_early",) if self._report["done"] else ()

    def other_goals(self, case: Case) -> tuple[Goal, ...]:
        """Another choice on the page, of the pages in goals.py."""
        return self._choices_now().others if self._name in PAGES else ()

    def _choices_now(self) -> Choices:
        if self._choices is None:
            self._choices = Choices(self._name, self._report["utterance"], self._page)
        return self._choices

    def goals_met(self, executed: Any) -> tuple[str, ...]:
        return () if self._choices is None else self._choices.met(done=bool(self._report["done"]))

    def state(self) -> bytes:
        return int(self._report["state"]).to_bytes(7, "little") if self._report else b""

    def close(self) -> None:
        if self._browser is not None:
            self._browser.close()


_STYLE = (
    "* {{ font-family: {family} !important; }} "
    "#query, #area {{ font-size: calc(10px * {scale}) !important; }}"
)
"""CSS of the font perturbation; unperturbed text has 10 px."""


@functools.lru_cache(maxsize=8)
def _brief(width: int, height: int, hz: float) -> tuple[Brief, UI]:
    action = UI(
        width,
        height,
        KINDS,
        keys=KEYS,
        modifiers=tuple(MODIFIERS),
        texts=("a", "0", "hello"),
        meaning="points in the pixels of image; typing into a drop-down list chooses the entry "
        "that is typed; the page's clock advances by one period after each action and stands "
        "still in between",
    )
    brief = Brief(
        observation={
            "image": Box((height, width, 3), "uint8", 0, 255, "px", "RGB, the screen"),
            "dom": Elements(
                "the elements of the page in document order; boxes in the pixels of image"
            ),
        },
        action=action,
        embodiment="a person at a web browser, with a mouse and a keyboard, who clicks, drags, "
        "scrolls and types on one page",
        simulator=f"a web page of {width} x {height} px in headless Chromium",
        control_hz=hz,
    )
    return brief, action
