"""Scripts for pages where something must be dragged, drawn, or placed at a point."""

from __future__ import annotations

import math
from collections.abc import Callable

from adapters.miniwob.experts.look import Expert, Found, Look, plain
from adapters.miniwob.page import Page
from harness.core import UIAction

__all__ = ["EXPERTS"]

SHIFTS = {"left": (-25.0, 0.0), "right": (25.0, 0.0), "up": (0.0, -25.0), "down": (0.0, 25.0)}
PLACES = {
    "top left": 0, "top center": 1, "top right": 2, "center left": 3, "center right": 5,
    "bottom left": 6, "bottom center": 7, "bottom right": 8,
    "center": 4,  # last, since the names are looked for in this order
}  # fmt: skip


def _drag(found: Found, to: tuple[float, float]) -> UIAction:
    x, y = found.center
    return UIAction("drag", x=x, y=y, to_x=to[0], to_y=to[1])


def _box(look: Look) -> UIAction | None:
    small, large = look.first("#draggableSmall"), look.first("#draggableLarge")
    if small is None or large is None:
        return None
    inside = 0 < small.x - large.x < 30 and 0 < small.y - large.y < 30
    return look.click("#subbtn") if inside else _drag(small, large.center)


def _one_way(look: Look) -> UIAction | None:
    """Drag the circle left. Its transform shows whether it was moved."""
    (way,) = look.match(r"Drag the \w+ (left|right|up|down)")
    shape = look.first("svg circle, svg rect, svg polygon")
    moved = look.ask(
        "document.querySelector('svg circle, svg rect, svg polygon').getAttribute('transform')"
    )
    if shape is None or moved:
        return look.click("#subbtn")
    return _drag(shape, (shape.center[0] + SHIFTS[way][0], shape.center[1] + SHIFTS[way][1]))


TAGS = {"rectangles": "rect", "circles": "circle", "triangles": "polygon"}
SHAPES = "[...document.querySelectorAll('svg *')].filter(e => e.getAttribute('fill') !== 'none')"


def _sort_shapes(look: Look) -> UIAction | None:
    """Drag all shapes of a kind or color into one box, the others into the other box, if any."""
    (kind,) = look.match(r"Drag all (\w+)")
    tags_and_fills = look.ask(f"{SHAPES}.map(e => [e.tagName, e.getAttribute('fill')])")
    boxes = look.find("#shape-container")
    shapes = look.find("svg rect:not(#shape-container), svg circle, svg polygon")
    for shape, (tag, fill) in zip(shapes, tags_and_fills):
        wanted = tag == TAGS[kind] if kind in TAGS else fill == kind
        if not wanted and len(boxes) == 1:
            continue
        box = boxes[0] if wanted else boxes[1]
        inside = (
            box.x + 2 < shape.x < box.x + box.width - 4
            and box.y + 2 < shape.y < box.y + box.height - 4
        )
        if not inside:
            return _drag(shape, box.center)
    return look.click("#subbtn")


def _item(look: Look) -> UIAction | None:
    """Drag Anna-Diana to the 2nd position. The items form a column or a grid."""
    name, where = look.match(r"Drag (\S+) (.*?)\.")
    items = look.find("#sortable li")
    grid = len(items) == 9
    now = next((n for n, item in enumerate(items) if item.text == name), None)
    if now is None:
        return None
    step = 3 if grid else 1
    shifts = {"up by": now - step, "down by": now + step, "left by": now - 1, "right by": now + 1}
    places = (
        PLACES
        if grid
        else {
            "top": 0,
            "bottom": len(items) - 1,
            **{f" {n + 1}{end}": n for n, end in enumerate(("st", "nd", "rd", "th", "th"))},
        }
    )
    target = next((n for words, n in {**shifts, **places}.items() if words in where), None)
    return None if target is None else _onto(items[now], items[target])


def _onto(item: Found, target: Found) -> UIAction:
    """Drag to a point slightly beyond the target's center, so that the other items make room."""
    x, y = target.center
    beyond = 6.0 if target.y > item.y + 1 else -6.0 if target.y < item.y - 1 else 0.0
    aside = 6.0 if target.x > item.x + 1 else -6.0 if target.x < item.x - 1 else 0.0
    return _drag(item, (x + aside, y + beyond))


def _sort_numbers(look: Look) -> UIAction | None:
    items = look.find("#sortable li")
    numbers = [int(item.text) for item in items]
    for place, number in enumerate(sorted(numbers)):
        if numbers[place] != number:
            return _onto(items[numbers.index(number, place)], items[place])
    return look.click("#subbtn")


def _highlight(look: Look) -> UIAction | None:
    nth = {"1st": 0, "2nd": 1, "3rd": 2}.get(look.match(r"the (\d\w\w) paragraph")[0], 0)
    css = "#randomText p" if look.find("#randomText p") else "#randomText"
    wanted = look.find(css)[nth].text
    chosen = look.ask("getSelection().toString()")
    if "".join(chosen.split()) == "".join(wanted.split()):
        return look.click("#subbtn")
    lines = look.ask(
        "(css, nth) => { const r = document.createRange();"
        " r.selectNodeContents(document.querySelectorAll(css)[nth]);"
        " const b = [...r.getClientRects()], f = b[0], l = b[b.length - 1];"
        " return [f.left, f.top + f.height / 2, l.right, l.top + l.height / 2]; }",
        css,
        nth,
    )
    return UIAction("drag", x=lines[0], y=lines[1], to_x=lines[2] + 2, to_y=lines[3])


def _point(look: Look, x: float, y: float) -> UIAction | None:
    """Click a point of the drawing, or submit if the blue mark is there already."""
    mark, svg = look.first("#blue-circle"), look.first("svg")
    if svg is None or (mark is not None and math.dist(mark.center, (x, y)) < 1.5):
        return look.click("#subbtn")
    # The pages assume that the drawing begins at (0, 50).
    return UIAction("click", x=round(x - svg.x), y=round(y - svg.y + 50))


def _center(look: Look) -> UIAction | None:
    circle = look.first("svg .black-circle")
    return None if circle is None else _point(look, *circle.center)


def _midpoint(look: Look) -> UIAction | None:
    one, two = (circle.center for circle in look.find("svg .black-circle"))
    return _point(look, (one[0] + two[0]) / 2, (one[1] + two[1]) / 2)


def _corner(look: Look) -> UIAction | None:
    """A third point that makes a right angle, as far from the corner as the drawing allows."""
    end, corner = look.first("#init-black"), look.first("#init-blue")
    if end is None or corner is None:
        return None
    (ex, ey), (cx, cy) = end.center, corner.center
    length = math.dist((ex, ey), (cx, cy))
    across = (-(ey - cy) / length, (ex - cx) / length)
    points = [
        (cx + sign * reach * across[0], cy + sign * reach * across[1])
        for reach in range(60, 8, -2)
        for sign in (1, -1)
    ]
    inside = [point for point in points if 4 < point[0] < 150 and 56 < point[1] < 178]
    return _point(look, *inside[0]) if inside else None


def _bisect(look: Look) -> UIAction | None:
    corner = look.first("svg .init-blue")
    ends = look.find("svg .init-black")
    if corner is None:
        return None
    cx, cy = corner.center
    ways = [
        (
            (end.center[0] - cx) / math.dist(end.center, corner.center),
            (end.center[1] - cy) / math.dist(end.center, corner.center),
        )
        for end in ends
    ]
    x, y = ways[0][0] + ways[1][0], ways[0][1] + ways[1][1]
    length = math.hypot(x, y)
    return _point(look, cx + 40 * x / length, cy + 40 * y / length)


def _line(look: Look) -> UIAction | None:
    dot = look.first("#circ")
    if dot is None or look.ask("!!document.querySelector('svg path')"):
        return look.click("#area button")
    x, y = dot.center
    if "vertical" in look.utterance:
        return UIAction("drag", x=x, y=max(52.0, y - 30), to_x=x, to_y=y + 30)
    return UIAction("drag", x=max(2.0, x - 30), y=y, to_x=x + 30, to_y=y)


class _Circle:
    """Presses the mouse button, goes around the dot, releases the button, and submits."""

    def __init__(self) -> None:
        self._turn = 0

    def __call__(self, page: Page, utterance: str) -> UIAction | None:
        look = Look(page, utterance)
        dot = look.first("#circ")
        if dot is None:
            return None
        self._turn += 1
        kind = {1: "mouse_down", 18: "mouse_up"}.get(self._turn, "hover")
        if self._turn > 18:
            return look.click("#controls button")
        angle = 2 * math.pi * (self._turn - 1) / 16
        return UIAction(
            kind, x=dot.center[0] + 22 * math.cos(angle), y=dot.center[1] + 22 * math.sin(angle)
        )


def _resize(look: Look) -> UIAction | None:
    """Drag the handle at the lower right corner; the resizable then knows its original size."""
    area, handle = look.first("#tt"), look.first(".ui-resizable-se")
    dimension, change = look.match(r"the (width|height) is (smaller|larger)")
    if area is None or handle is None:
        return None
    if look.ask("!!$('#tt').data('ui-resizable').originalSize"):
        return look.click("#submit")
    step = 15.0 if change == "larger" else -15.0
    x, y = handle.center
    return UIAction(
        "drag",
        x=x,
        y=y,
        to_x=x + step * (dimension == "width"),
        to_y=y + step * (dimension == "height"),
    )


EXPERTS: dict[str, Callable[[], Expert]] = {
    "drag-box": plain(_box),
    **dict.fromkeys(("drag-circle", "drag-single-shape"), plain(_one_way)),
    **dict.fromkeys(("drag-shapes", "drag-shapes-2"), plain(_sort_shapes)),
    **dict.fromkeys(("drag-items", "drag-items-grid"), plain(_item)),
    "drag-sort-numbers": plain(_sort_numbers),
    **dict.fromkeys(("highlight-text", "highlight-text-2"), plain(_highlight)),
    "circle-center": plain(_center),
    "find-midpoint": plain(_midpoint),
    "right-angle": plain(_corner),
    "bisect-angle": plain(_bisect),
    "draw-line": plain(_line),
    "draw-circle": _Circle,
    "resize-textarea": plain(_resize),
}
