"""One page of MiniWoB++ in a browser: loading it, reading it, and acting on it with the browser's
own mouse and keyboard events."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from adapters.miniwob.browser import Browser
from harness.core import Element, UIAction

__all__ = ["KEYS", "MODIFIERS", "Page"]

SCRIPT = Path(__file__).with_name("page.js")
MODIFIERS = {"Control": 2, "Shift": 8}
"""Bits of the protocol's `modifiers`."""
DRAG_MOVES = 5
"""Mouse moves between the ends of a drag."""
GARBAGE = 50
"""Pages opened between garbage collections, without which the renderer takes three times the
memory. Costs 1 ms per page."""
EDITS = {"A": "selectAll", "C": "copy", "V": "paste", "X": "cut", "Z": "undo"}
NAMED = {
    "Enter": (13, "\r"), "Tab": (9, ""), "Backspace": (8, ""), "Delete": (46, ""),
    "Escape": (27, ""), "Space": (32, " "), "Home": (36, ""), "End": (35, ""), "PageUp": (33, ""),
    "PageDown": (34, ""), "ArrowLeft": (37, ""), "ArrowUp": (38, ""), "ArrowRight": (39, ""),
    "ArrowDown": (40, ""),
}  # fmt: skip
"""Key -> (virtual key code, the text that it types)."""
KEYS = (*NAMED, "Shift+Tab", *(f"Control+{letter}" for letter in EDITS))


class Page:
    """The page of one task at a time; each `open` loads a fresh document."""

    def __init__(self, browser: Browser, html: Path) -> None:
        self._browser, self._html = browser, html
        self._step_ms = 0.0
        self._window = self._screen = (0, 0)
        self._pointer: tuple[float, float] | None = None
        self._pressed = self._copied = False
        self._now = 0.0
        self._openings = 0
        self.unknown_refs = 0
        browser.call("Page.enable")
        browser.call("Page.setLifecycleEventsEnabled", enabled=True)
        browser.call("Emulation.setFocusEmulationEnabled", enabled=True)
        browser.call("Page.addScriptToEvaluateOnNewDocument", source=SCRIPT.read_text())

    def open(
        self,
        path: str,
        screen: tuple[int, int],
        window: tuple[int, int],
        seed: int,
        mode: str,
        step_ms: float,
        style: str = "",
    ) -> dict[str, Any]:
        """Load the page at `path` and start its episode; returns the first report.

        `screen` is the part of the `window` that is shown to the agent, both (width, height) in px;
        `style` holds additional CSS rules. A report is what `bench.report()` of page.js returns.
        """
        browser = self._browser
        self._leave()
        if window != self._window:
            width, height = self._window = window
            browser.call(
                "Emulation.setDeviceMetricsOverride",
                width=width,
                height=height,
                deviceScaleFactor=1,
                mobile=False,
            )
        self._screen, self._step_ms, self._now, self.unknown_refs = screen, step_ms, 0.0, 0
        self._openings += 1
        if self._openings % GARBAGE == 0:
            browser.call("HeapProfiler.collectGarbage")
        browser.forget()
        opened = browser.call("Page.navigate", url=(self._html / path).as_uri())
        browser.event("Page.lifecycleEvent", name="load", loaderId=opened["loaderId"])
        if style:
            browser.evaluate(
                "void document.head.append(Object.assign(document.createElement('style'), "
                f"{{textContent: {json.dumps(style)}}}))"
            )
        browser.evaluate(f"bench.begin({seed}, {mode!r})", wait=True)
        return self._advance(1)

    def _leave(self) -> None:
        """Release the mouse button, move the pointer off the page, and empty the clipboard, which
        all pages of the browser share."""
        numbers = []
        if self._pressed:
            numbers.append(self._mouse("mouseReleased", *(self._pointer or (0.0, 0.0))))
        if self._pointer is not None:
            numbers.append(self._mouse("mouseMoved", self._window[0] - 1.0, self._window[1] - 1.0))
        self._browser.answers(numbers)
        self._pointer, self._pressed = None, False
        if self._copied:
            self._browser.evaluate(
                "document.addEventListener('copy', e => { "
                "e.clipboardData.setData('text/plain', ''); e.preventDefault(); "
                "}, {once: true, capture: true});document.execCommand('copy')"
            )
            self._copied = False

    def step(self, action: UIAction) -> dict[str, Any]:
        """Execute an action, advance the page's clock by a step, and return a report."""
        self._act(action)
        return self._advance(self._step_ms)

    def _advance(self, milliseconds: float) -> dict[str, Any]:
        """Advance the clock; when an element comes under the pointer, tell the page at that
        time."""
        self._now += milliseconds
        moves = 0
        while True:
            # A page that moves elements at every frame gets a bounded number of mouse events.
            watch = (
                self._pointer is not None and not self._pressed and moves < 2 + milliseconds / 16
            )
            x, y = self._pointer if watch and self._pointer else ("null", "null")
            report = self._browser.evaluate(
                f"bench.advance({self._now}, {x}, {y}) ? null : bench.report()"
            )
            if report is not None:
                return dict(report)
            moves += 1
            self._browser.answers([self._mouse("mouseMoved", float(x), float(y))])

    def _act(self, action: UIAction) -> None:
        kind = action.kind
        at = self._place(action.ref, action.x, action.y)
        if action.ref is not None and at is None and kind != "type":
            return
        browser = self._browser
        if kind in ("click", "double_click"):
            self._click(
                *_known(at),
                2 if kind == "double_click" else 1,
                MODIFIERS.get(action.modifier or "", 0),
            )
        elif kind == "hover":
            browser.answers([self._mouse("mouseMoved", *_known(at))])
            self._unscroll()
        elif kind in ("mouse_down", "mouse_up"):
            if kind == "mouse_down":
                self._let_go()
            browser.answers([self._mouse("mouseMoved", *_known(at))])
            self._unscroll()
            if kind == "mouse_down":
                browser.answers([self._mouse("mousePressed", *_known(at))])
            else:
                self._release(*_known(at))
        elif kind == "drag":
            to = self._place(action.to_ref, action.to_x, action.to_y)
            if action.to_ref is not None:  # to find it may have scrolled the page
                at = self._place(action.ref, action.x, action.y)
            if at is not None and to is not None:
                self._drag(*at, *to)
        elif kind == "type":
            self._type(action, at)
        elif kind == "key":
            if at is not None:
                self._click(*at)
            self._press(action.text or "")
        elif kind == "scroll":
            self._scroll(action, at)

    def _place(
        self, ref: int | None, x: float | None, y: float | None
    ) -> tuple[float, float] | None:
        if ref is None:
            return None if x is None or y is None else (x, y)
        place = self._browser.evaluate(f"bench.place({ref})")
        if place is None:
            self.unknown_refs += 1
            return None
        return place[0], place[1]

    def _mouse(self, event: str, x: float, y: float, clicks: int = 1, modifiers: int = 0) -> int:
        """Send a mouse event and keep track of pointer and button; returns the command's id."""
        if event == "mousePressed":
            self._pressed = True
        held = 1 if self._pressed else 0
        if event == "mouseReleased":
            self._pressed, held = False, 0
        self._pointer = (x, y)
        button = "none" if event == "mouseMoved" and not held else "left"
        return self._browser.send(
            "Input.dispatchMouseEvent",
            type=event,
            x=x,
            y=y,
            button=button,
            buttons=held,
            clickCount=clicks,
            modifiers=modifiers,
        )

    def _click(self, x: float, y: float, times: int = 1, modifiers: int = 0) -> None:
        self._let_go()
        numbers = [self._mouse("mouseMoved", x, y, 0, modifiers)]
        for time in range(1, times + 1):
            numbers += [
                self._mouse("mousePressed", x, y, time, modifiers),
                self._mouse("mouseReleased", x, y, time, modifiers),
            ]
        self._browser.answers(numbers)

    def _drag(self, x: float, y: float, to_x: float, to_y: float) -> None:
        self._let_go()
        self._browser.answers([self._mouse("mouseMoved", x, y), self._mouse("mousePressed", x, y)])
        for move in range(1, DRAG_MOVES + 1):
            share = move / DRAG_MOVES
            self._browser.answers(
                [self._mouse("mouseMoved", x + (to_x - x) * share, y + (to_y - y) * share)]
            )
        self._unscroll()
        self._release(to_x, to_y)

    def _let_go(self) -> None:
        """Release a held button, before it is pressed again: moving the pointer with the button
        held would scroll the page by the browser's own clock."""
        if self._pressed:
            self._unscroll()
            self._release(*_known(self._pointer))

    def _release(self, x: float, y: float) -> None:
        """Release the button, and undo what the page scrolled until the event reached it."""
        held = self._pressed
        self._browser.answers([self._mouse("mouseReleased", x, y)])
        if held:
            self._browser.evaluate("bench.unscroll()")

    def _unscroll(self) -> None:
        """Undo scrolling caused by the pointer held beyond an edge: it depends on the real time
        that passed."""
        if self._pressed:
            self._browser.evaluate("bench.unscroll()")

    def _type(self, action: UIAction, at: tuple[float, float] | None) -> None:
        text = action.text or ""
        if self._browser.evaluate(f"bench.choose({action.ref or 0}, {json.dumps(text)})"):
            return
        if at is not None:
            self._click(*at)
        elif action.ref is not None:
            return
        numbers = []
        for character in text:
            numbers += self._character(character)
        self._browser.answers(numbers)

    def _character(self, character: str) -> list[int]:
        named = {"\n": "Enter", "\t": "Tab", " ": "Space"}.get(character)
        if named is not None:
            return self._key(named)
        code = ord(character.upper()) if character.isascii() and character.isalnum() else 0
        down: dict[str, Any] = {"key": character, "text": character, "windowsVirtualKeyCode": code}
        send = self._browser.send
        return [
            send("Input.dispatchKeyEvent", type="keyDown", **down),
            send("Input.dispatchKeyEvent", type="keyUp", **down),
        ]

    def _key(self, name: str, modifiers: int = 0) -> list[int]:
        number, text = NAMED[name]
        key = " " if name == "Space" else name
        fields: dict[str, Any] = {
            "key": key,
            "code": name,
            "windowsVirtualKeyCode": number,
            "modifiers": modifiers,
        }
        send = self._browser.send
        down = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
        return [
            send("Input.dispatchKeyEvent", **down, **fields),
            send("Input.dispatchKeyEvent", type="keyUp", **fields),
        ]

    def _press(self, name: str) -> None:
        held, _, letter = name.rpartition("+")
        if held == "Control":
            self._copied |= letter in "CX"
            fields: dict[str, Any] = {
                "key": letter.lower(),
                "code": f"Key{letter}",
                "windowsVirtualKeyCode": ord(letter),
                "modifiers": MODIFIERS[held],
            }
            send = self._browser.send
            numbers = [
                send(
                    "Input.dispatchKeyEvent", type="rawKeyDown", commands=[EDITS[letter]], **fields
                ),
                send("Input.dispatchKeyEvent", type="keyUp", **fields),
            ]
        else:
            numbers = self._key(letter, MODIFIERS.get(held, 0))
        self._browser.answers(numbers)

    def _scroll(self, action: UIAction, at: tuple[float, float] | None) -> None:
        width, height = self._screen
        x, y = at or (width / 2, height / 2)
        sign = -1 if action.direction in ("up", "left") else 1
        sideways = action.direction in ("left", "right")
        amount = sign * (action.amount or (width if sideways else height) / 2)
        self._browser.call(
            "Input.dispatchMouseEvent",
            type="mouseWheel",
            x=x,
            y=y,
            deltaX=amount if sideways else 0,
            deltaY=0 if sideways else amount,
        )
        self._pointer = (x, y)
        self._browser.evaluate("bench.drawn().then(() => 0)", wait=True)

    def elements(self) -> tuple[Element, ...]:
        """The elements of the page, on the screen and beyond its edges."""
        return tuple(_element(*row) for row in self._browser.evaluate("bench.elements()"))

    def image(self) -> np.ndarray:
        """The screen: (height, width, 3) uint8 RGB."""
        from PIL import Image

        width, height = self._screen
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = self._browser.call(
            "Page.captureScreenshot", format="png", optimizeForSpeed=True, clip=clip
        )
        with Image.open(io.BytesIO(base64.b64decode(shot["data"]))) as image:
            return np.asarray(image.convert("RGB"))

    def ask(self, expression: str) -> Any:
        """The JSON value of a JavaScript expression, which must change nothing; for the experts."""
        return self._browser.evaluate(expression)


def _element(
    ref: int,
    parent: int,
    tag: str,
    text: str,
    value: str,
    name: str,
    classes: list[str],
    x: float,
    y: float,
    width: float,
    height: float,
    flags: list[str],
    color: str,
    background: str,
) -> Element:
    box = float(x), float(y), float(width), float(height)  # JSON has whole numbers as integers
    return Element(
        ref, parent, tag, text, value, name, tuple(classes), *box, tuple(flags), color, background
    )


def _known(place: tuple[float, float] | None) -> tuple[float, float]:
    assert place is not None
    return place
