"""Scripts for pages where the right element must be found and clicked: buttons, links, tabs, ..."""

from __future__ import annotations

from collections.abc import Callable

from adapters.miniwob.experts.look import WAIT, Expert, Found, Look, click, plain
from adapters.miniwob.page import Page
from harness.core import UIAction

__all__ = ["EXPERTS"]


def _button(look: Look) -> UIAction | None:
    """Click the "okay" button. / Click button ONE. / Click the button."""
    text = look.quoted[0] if look.quoted else look.match(r"button (\w+)")[0]
    return look.click("#area button", text or None)


class _InOrder:
    """Click button ONE, then click button TWO.

    It counts its clicks, because the page does not show that ONE was clicked.
    """

    def __init__(self) -> None:
        self._clicked = 0

    def __call__(self, page: Page, utterance: str) -> UIAction | None:
        self._clicked += 1
        return Look(page, utterance).click("#subbtn" if self._clicked == 1 else "#subbtn2")


def _toggle(look: Look, boxes: list[tuple[Found, bool, bool]]) -> UIAction | None:
    """Click the first of (box, its state, the wanted state) whose states differ; submit if none."""
    wrong = next((box for box, now, wanted in boxes if now != wanted), None)
    return look.click("#subbtn, #submit, #submitRow button") if wrong is None else click(wrong)


def _checkboxes(look: Look) -> UIAction | None:
    """Select k85q, zi and click Submit. / Select words similar to water and click Submit."""
    names = set(
        look.match(r"(?:Select|similar to) (?:words similar to )?(.*) and click Submit")[0].split(
            ", "
        )
    )
    labels, inputs = look.find("#area label"), look.find("#area label input")
    if "similar" in look.utterance:
        synonyms = [set(words) for words in look.ask("SYNONYMS")]
        names = {word for words in synonyms if words & names for word in words}
    return _toggle(
        look, [(box, box.checked, label.text in names) for label, box in zip(labels, inputs)]
    )


def _shades(look: Look) -> UIAction | None:
    (color,) = look.match(r"shades of (\w+)")
    return _toggle(
        look,
        [
            (span, "selected" in span.classes, span.data["color"] == color)
            for span in look.find("#area span")
        ],
    )


def _digit(look: Look) -> UIAction | None:
    """Draw the number "4" in the checkboxes."""
    pattern = [
        bool(cell)
        for row in look.ask("number => PATTERNS[number]", int(look.quoted[0]))
        for cell in row
    ]
    boxes = look.find("#checkboxes input")
    return _toggle(look, [(box, box.checked, wanted) for box, wanted in zip(boxes, pattern)])


def _odd_or_even(look: Look) -> UIAction | None:
    numbers = [int(found.text) for found in look.find(".display-number")]
    odd, even = look.find("button.odd"), look.find("button.even")
    chosen = [pair[number % 2 == 0] for number, pair in zip(numbers, zip(odd, even))]
    return _toggle(look, [(button, "selected" in button.classes, True) for button in chosen])


def _radio(look: Look) -> UIAction | None:
    name = look.match(r"Select (.*) and click Submit")[0]
    return _toggle(
        look,
        [
            (look.find("#area label input")[n], box.checked, True)
            for n, box in _labelled(look, name)
        ],
    )


def _labelled(look: Look, name: str) -> list[tuple[int, Found]]:
    inputs = look.find("#area label input")
    return [
        (n, inputs[n]) for n, label in enumerate(look.find("#area label")) if label.text == name
    ]


def _collapsible(look: Look) -> UIAction | None:
    if not look.find(".ui-accordion-content"):
        return look.click("#area h3")
    return WAIT if look.ask("$(':animated').length") else look.click("#subbtn")


def _hidden_link(look: Look) -> UIAction | None:
    """Find a link in a tab or section that may be closed."""
    name = look.quoted[0]
    shown = look.first(".alink", name)
    if shown is not None:
        return WAIT if look.ask("$(':animated').length") else click(shown)
    opener = look.ask(
        "name => { const links = [...document.querySelectorAll('.alink')];"
        " const link = links.find(e => e.textContent === name); if (!link) return 0;"
        " const id = link.closest('[role=tabpanel]').getAttribute('aria-labelledby');"
        " return bench.ref(document.getElementById(id)); }",
        name,
    )
    # Without such a link it is the page that rewards the tab itself.
    return UIAction("click", ref=opener) if opener else look.click("#area a", "Tab #2")


def _dialog(look: Look) -> UIAction | None:
    name = look.quoted[0]
    return (
        look.click(".ui-dialog-titlebar-close")
        if name == "x"
        else look.click(".ui-dialog button", name)
    )


def _menu(look: Look) -> UIAction | None:
    """Select Delphinia>Rachelle>Ammamaria."""
    return _along(look, look.match(r"Select (.*)")[0].split(">"), "#menu li > div")


def _along(look: Look, path: list[str], css: str) -> UIAction | None:
    """Hover over the entries of a menu until the last one shows, and click that."""
    shown = {found.text: found for found in look.find(css)}
    if path[-1] in shown:
        return click(shown[path[-1]])
    deepest = next((name for name in reversed(path) if name in shown), None)
    return None if deepest is None else UIAction("hover", ref=shown[deepest].ref)


ICONS = {
    "disk": "Save",
    "seek-start": "Prev",
    "stop": "Stop",
    "play": "Play",
    "seek-end": "Next",
    "zoomin": "Zoom In",
    "zoomout": "Zoom Out",
}


def _icon_menu(look: Look) -> UIAction | None:
    if not look.find("#menu"):
        return look.click("#open-menu")
    icon = look.ask(
        "(document.querySelector('#query .ui-icon') || {className: ''}).className"
    ).rpartition("ui-icon-")[2]
    name = ICONS[icon] if icon else look.quoted[1]
    path = ["Playback", name] if name in ("Prev", "Stop", "Play", "Next") else [name]
    return _along(look, path, "#menu li > div")


def _color(look: Look) -> UIAction | None:
    (color,) = look.match(r"Click on the (\w+)")
    return click(
        next((box for box in look.find("#area .color") if box.data["color"] == color), None)
    )


def _widget(look: Look) -> UIAction | None:
    return look.click(f'#area [data-type="{look.quoted[0]}"]')


def _coordinate(look: Look) -> UIAction | None:
    x, y = look.match(r"\((-?\d),(-?\d)\)")
    return look.click(f'circle[id="({x},{y})"]')


def _figure(look: Look) -> UIAction | None:
    shape = look.ask(
        "(e => e.tagName + ' ' + e.textContent)"
        "(document.querySelector('#area_svg').lastElementChild)"
    )
    tag, _, text = shape.partition(" ")
    if tag == "text":
        return look.click(f"button[data-type={'digit' if text.strip().isdigit() else 'letter'}]")
    return look.click(f"button[data-type={NAMES[tag]}]")


def _shapes(look: Look) -> list[tuple[int, set[str]]]:
    """(ref, the words that describe it) of every shape in the drawing."""
    drawn = look.ask(
        "[...document.querySelectorAll('#area_svg *')].map(e => ["
        "bench.ref(e), e.tagName, e.textContent, e.getAttribute('fill'),"
        " parseFloat(e.getAttribute('font-size')) || e.getBBox().width])"
    )
    shapes: list[tuple[int, set[str]]] = []
    for ref, tag, text, fill, size in drawn:
        large = "large" if size > 15 else "small"
        kind = "shape" if tag != "text" else "digit" if text.isdigit() else "letter"
        name = text if tag == "text" else NAMES[tag]
        shapes.append((ref, {large, fill, kind, name, "item"}))
    return shapes


NAMES = {"rect": "rectangle", "circle": "circle", "polygon": "triangle"}


def _shape(look: Look) -> UIAction | None:
    """Click on a small aqua t."""
    wanted = set(look.match(r"Click on a (.*)")[0].split())
    ref = next((ref for ref, words in _shapes(look) if wanted <= words), None)
    return None if ref is None else UIAction("click", ref=ref)


def _count(look: Look) -> UIAction | None:
    """How many large ms are there?"""
    wanted = set(look.match(r"How many (.*)s are there")[0].split())
    return look.click(
        "#count-buttons button", str(sum(wanted <= words for _, words in _shapes(look)))
    )


def _pie(look: Look) -> UIAction | None:
    """The center unfolds the pie, whose slices then grow."""
    if look.find("#divWheel text", "+"):
        return look.click("#wheelnav-divWheel-spreader")
    slices = look.first("#divWheel text", look.quoted[0])
    return click(slices) if slices is not None and slices.height > 20 else WAIT


def _ascending(look: Look) -> UIAction | None:
    covers = sorted(look.find("svg rect"), key=lambda cover: int(cover.data["index"]))
    return click(covers[0]) if covers else look.click("svg text", "1")


def _tree(look: Look) -> UIAction | None:
    """Click the entry, or open the folders above it by their handles; a folder can be the entry."""
    ref = look.ask(
        """name => {
            const shown = element => element.getBoundingClientRect().height;
            const all = [...document.querySelectorAll('#tree span')];
            const spans = all.filter(e => e.textContent === name);
            for (const span of spans) if (shown(span)) return bench.ref(span);
            let up = spans[0].parentElement.parentElement;
            for (; up.id !== 'tree'; up = up.parentElement) {
                const handle = up.tagName === 'LI' && up.firstElementChild;
                const closed = up.classList.contains('expandable');
                if (handle && shown(handle) && closed) return bench.ref(handle);
            }
            return 0;
        }""",
        look.quoted[0],
    )
    return UIAction("click", ref=ref) if ref else None


def _number(look: Look) -> UIAction | None:
    """Generate a number less than 8. / an odd number."""
    shown = look.first("#display-number")
    limit = look.match(r"than (\d+)")[0]
    if shown is not None and shown.text.isdigit():
        number = int(shown.text)
        good = {
            "less": number < int(limit or 0),
            "greater": number > int(limit or 0),
            "odd": number % 2 == 1,
            "even": number % 2 == 0,
        }
        if good[next(word for word in good if f" {word} " in look.utterance)]:
            return look.click("#submit")
    return look.click("#generate")


def _stock(look: Look) -> UIAction | None:
    price = look.first("#stock-price")
    limit = look.match(r"\$([\d.]+)\.$")[0]
    return (
        look.click("#buy")
        if price and price.text and float(price.text[1:]) <= float(limit)
        else WAIT
    )


def _greatest(look: Look) -> UIAction | None:
    cards = look.ask(
        "[...document.querySelectorAll('.card')]"
        ".map(e => [+e.textContent, e.className, bench.ref(e)])"
    )
    _, classes, ref = max(cards)
    return UIAction("click", ref=ref) if "hidden" in classes else look.click("#submit, #subbtn")


EXPERTS: dict[str, Callable[[], Expert]] = {
    **dict.fromkeys(
        ("click-test", "click-test-2", "click-test-transfer", "click-button", "unicode-test"),
        plain(_button),
    ),
    "click-button-sequence": _InOrder,
    **dict.fromkeys(
        (
            "click-checkboxes",
            "click-checkboxes-large",
            "click-checkboxes-soft",
            "click-checkboxes-transfer",
        ),
        plain(_checkboxes),
    ),
    "click-shades": plain(_shades),
    "number-checkboxes": plain(_digit),
    "odd-or-even": plain(_odd_or_even),
    "click-option": plain(_radio),
    **dict.fromkeys(("click-collapsible", "click-collapsible-nodelay"), plain(_collapsible)),
    **dict.fromkeys(
        (
            "click-collapsible-2",
            "click-collapsible-2-nodelay",
            "click-tab-2",
            "click-tab-2-easy",
            "click-tab-2-medium",
            "click-tab-2-hard",
        ),
        plain(_hidden_link),
    ),
    "click-tab": plain(lambda look: look.click("#area a", look.match(r"(Tab #\d)")[0])),
    "click-link": plain(lambda look: look.click(".alink", look.quoted[0])),
    **dict.fromkeys(("click-dialog", "click-dialog-2"), plain(_dialog)),
    "click-menu": plain(_menu),
    "click-menu-2": plain(_icon_menu),
    "click-color": plain(_color),
    "click-widget": plain(_widget),
    "grid-coordinate": plain(_coordinate),
    "identify-shape": plain(_figure),
    "click-shape": plain(_shape),
    "count-shape": plain(_count),
    "click-pie": plain(_pie),
    "ascending-numbers": plain(_ascending),
    "navigate-tree": plain(_tree),
    "generate-number": plain(_number),
    "stock-market": plain(_stock),
    "find-greatest": plain(_greatest),
}
