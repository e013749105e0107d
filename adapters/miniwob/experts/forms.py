"""Scripts for pages where something must be entered: text, numbers, dates, list entries, ..."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from adapters.miniwob.experts.look import WAIT, Expert, Look, click, plain
from adapters.miniwob.page import Page
from harness.core import UIAction

__all__ = ["EXPERTS", "pick_date"]

ORDINALS = {"1st": 0, "2nd": 1, "3rd": 2}


def _text(look: Look) -> UIAction | None:
    """Enter "Kanesha" into the text field. / Type "NATHALIE" in all lower case letters."""
    text = look.quoted[0]
    for word, form in (("all upper case", text.upper()), ("all lower case", text.lower())):
        text = form if word in look.utterance else text
    return look.form({"#tt": text})


def _password(look: Look) -> UIAction | None:
    for field in look.find("#area input"):
        action = look.fill(field, look.quoted[0])
        if action is not None:
            return action
    return look.click("#subbtn")


def _login(look: Look) -> UIAction | None:
    """A popup may appear when a field is entered."""
    popup = look.click("#popup-cancel")
    return popup or look.form({"#username": look.quoted[0], "#password": look.quoted[1]})


def _focus(look: Look) -> UIAction | None:
    nth = next((n for word, n in ORDINALS.items() if word in look.utterance), 0)
    return click(look.find("#area input")[nth])


def _date(look: Look) -> UIAction | None:
    """The field takes month, day and year in turn, if it is clicked at its left end."""
    month, day, year = look.match(r"(\d+)/(\d+)/(\d+)")
    return _segments(look, f"{year}-{month}-{day}", month + day + year)


def _time(look: Look) -> UIAction | None:
    hour, minute, half = look.match(r"(\d+):(\d+) (AM|PM)")
    clock = int(hour) % 12 + 12 * (half == "PM")
    return _segments(look, f"{clock:02d}:{minute}", f"{int(hour):02d}{minute}{half}")


def _segments(look: Look, value: str, typed: str) -> UIAction | None:
    field = look.first("#tt")
    if field is None:
        return None
    return (
        look.click("#subbtn")
        if field.value == value
        else UIAction("type", x=field.x + 8, y=field.center[1], text=typed)
    )


def _table(look: Look) -> UIAction | None:
    cells = [cell.text for cell in look.find("#tab td")]
    table = dict(zip(cells[::2], cells[1::2]))
    if "value of" in look.utterance:
        return look.form({"#tt": table[look.match(r"value of (.*) into")[0]]})
    return look.form(
        {
            f"#tt{n}": table[label.text.rstrip(":")]
            for n, label in enumerate(look.find("#form label"), 1)
        }
    )


def _word(look: Look) -> UIAction | None:
    words = look.ask("document.querySelector('#area p').textContent").split()
    return look.form(
        {"#answer-input": re.sub("[^a-zA-Z]", "", words[int(look.match(r"the (\d+)")[0]) - 1])}
    )


def _sum(look: Look) -> UIAction | None:
    """1 x 9 = / x + 9 = 41 / 3 - x = 12 / or blocks to count."""
    problem = look.ask("document.querySelector('#math-problem').textContent").strip()
    if look.find(".addition-block"):
        answer = len(look.find(".addition-block"))
    elif "x" in problem and not problem.endswith("="):
        left, right = problem.split("=")
        first, sign, second = left.split()
        known = int(second if first == "x" else first)
        if sign == "+":
            answer = int(right) - known
        elif first == "x":
            answer = int(right) + known
        else:
            answer = known - int(right)
    else:
        first, sign, second = problem.rstrip("= ").split()
        one, two = int(first), int(second)
        answer = {"+": one + two, "-": one - two, "x": one * two}[sign]
    return look.form({"#math-answer": str(answer)})


def _copy(look: Look) -> UIAction | None:
    nth = next((n for word, n in ORDINALS.items() if word in look.utterance), 0)
    return look.form({"#answer-input": look.find("#area textarea")[nth].value})


def _last_word(look: Look) -> UIAction | None:
    field = look.first("#area textarea")
    words = re.findall("[a-zA-Z]+", field.value) if field else []
    answer = look.first("#area input")
    return (look.fill(answer, words[-1]) or look.click("#subbtn")) if words else None


def _movie(look: Look) -> UIAction | None:
    """The form has five layouts; a field's label is the text of the nearest ancestor with one."""
    genre, director, year = look.match(r"for (.*) movies directed by (.*) from year (\d+)")
    around = (
        "(e => { while (!/genre|director|year|date/i.test(e.textContent)) e = e.parentElement;"
        " return e.textContent; })"
    )
    asked = look.ask(f"[...document.querySelectorAll('#area input')].map({around})")
    for field, label in zip(look.find("#area input"), asked):
        text = (
            genre if "genre" in label.lower() else director if "director" in label.lower() else year
        )
        action = look.fill(field, text)
        if action is not None:
            return action
    return look.click("#area button, #area .final, #area .ui-submit")


def _list(look: Look) -> UIAction | None:
    name = look.match(r"Select (.*) from the list")[0]
    field = look.first("#options")
    chosen = look.ask(
        "(e => e.selectedIndex < 0 ? '' : e.options[e.selectedIndex].text)"
        "(document.querySelector('#options'))"
    )
    return (
        look.click("#area button")
        if chosen == name or field is None
        else UIAction("type", ref=field.ref, text=name)
    )


def _several(look: Look) -> UIAction | None:
    """A list with multiple choice: the first entry is clicked, the others with Control held."""
    names = look.match(r"Select (.*) from the scroll list")[0].split(", ")
    chosen = look.ask("[...document.querySelectorAll('#area option:checked')].map(e => e.text)")
    if not set(chosen) <= set(names):
        return look.click("#area option", names[0])
    missing = [name for name in names if name not in chosen]
    if not missing:
        return look.click("#area button")
    option = look.first("#area option", missing[0])
    return (
        None
        if option is None
        else UIAction("click", ref=option.ref, modifier="Control" if chosen else None)
    )


def _radio_and_box(look: Look) -> UIAction | None:
    """Check the 1st radio button and enter the number "20" into the 2nd textbox."""
    radio, box = (ORDINALS[word] for word in look.match(r"the (\w+) radio .* the (\w+) textbox"))
    button = look.find("#area input[type=radio]")[radio]
    return look.form({f"#input-{box + 1}": look.quoted[0]}) if button.checked else click(button)


def _dropdown(look: Look) -> UIAction | None:
    """A list drawn by a script: open it, click the entry, then the button."""
    (name,) = look.match(r"Choose (.*) from the dropdown")
    if look.ask("document.querySelector('#dropdown').value") == name:
        return look.click("#buttons button", look.quoted[0])
    shown = look.first(".selectric-open .selectric-items li", name)
    return click(shown) if shown else look.click(".selectric")


def _autocomplete(look: Look) -> UIAction | None:
    start, end = (*look.quoted, "")[:2]
    item = look.ask(
        "(start, end) => ITEMS.find(e => e.startsWith(start) && e.endsWith(end))", start, end
    )
    field = look.first("#tags")
    if field is None or field.value != item:
        return look.fill(field, item)
    offered = look.first(".ui-menu-item", item)
    return click(offered) if offered else look.click("#subbtn")


class _Guess:
    """Bisects the remaining range of numbers."""

    def __init__(self) -> None:
        self._low, self._high = 0, 9

    def __call__(self, page: Page, utterance: str) -> UIAction | None:
        look = Look(page, utterance)
        for side, shown in (("higher", look.first("#higher")), ("lower", look.first("#lower"))):
            number = int("".join(re.findall(r"\d", shown.text)) or 0) if shown else 0
            if shown and side == "higher":
                self._low = max(self._low, number + 1)
            elif shown:
                self._high = min(self._high, number - 1)
        return look.form({"#tt": str((self._low + self._high) // 2)})


def _spinner(look: Look) -> UIAction | None:
    wanted = int(look.match(r"Select (-?\d+)")[0])
    now = int(look.ask("document.querySelector('#spinner').value"))
    return (
        look.click("#subbtn")
        if now == wanted
        else look.click(".ui-spinner-up" if now < wanted else ".ui-spinner-down")
    )


def _slide(look: Look, css: str, wanted: int) -> UIAction | None:
    """Click the track near the value, then use the arrow keys; None once the value is set."""
    low, high, now, way = look.ask(
        "css => ['min', 'max', 'value', 'orientation'].map(name => $(css).slider('option', name))",
        css,
    )
    track, handle = look.first(css), look.first(f"{css} .ui-slider-handle")
    if now == wanted or track is None or handle is None:
        return None
    sideways = way == "horizontal"
    length = track.width if sideways else track.height
    along = min(max(length * (wanted - low) / (high - low), 1.0), length - 1.0)
    x, y = track.center
    x, y = (track.x + along, y) if sideways else (x, track.y + length - along)
    under = (
        abs(x - handle.center[0]) <= handle.width / 2 + 1
        and abs(y - handle.center[1]) <= handle.height / 2 + 1
    )
    if not under and abs(wanted - now) > 2:
        return UIAction("click", x=x, y=y)
    return UIAction("key", ref=handle.ref, text="ArrowRight" if wanted > now else "ArrowLeft")


def _slider(look: Look) -> UIAction | None:
    return _slide(look, "#slider", int(look.match(r"Select (-?\d+)")[0])) or look.click("#subbtn")


def _sliders(look: Look) -> UIAction | None:
    for n, wanted in enumerate(json.loads(look.match(r"(\[.*\])")[0]), 1):
        action = _slide(look, f"#slider-{n}", wanted)
        if action is not None:
            return action
    return look.click("#subbtn")


def _slider_and_box(look: Look) -> UIAction | None:
    number, box = look.match(r"Select (-?\d+) with the slider, click the (\w+) checkbox")
    button = look.find("#area input[type=checkbox]")[ORDINALS[box]]
    return _slide(look, "#slider", int(number)) or (
        look.click("#subbtn") if button.checked else click(button)
    )


def _hex(look: Look) -> UIAction | None:
    named = look.match(r"Select (\w+) with")[0]
    shown = "getComputedStyle(document.querySelector('#query .cc')).backgroundColor"
    if named:
        value = str(look.ask("name => ui_utils.colorNameToHex(name)", named))[1:].upper()
    else:
        value = "".join(f"{int(part):02X}" for part in re.findall(r"\d+", look.ask(shown))[:3])
    action = look.fill(look.first("#col"), value)
    if action is None and look.find(".jscolor-active"):
        # The wheel lies over the button; a click next to it closes it.
        return UIAction("click", x=80, y=20)
    return action or look.click("#subbtn")


MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def pick_date(look: Look, css: str, month: int, day: int) -> UIAction | None:
    """The next action in jQuery's date picker until the field `css` shows the month and day; the
    year is the picker's."""
    shown = look.first(".ui-datepicker-month")
    if shown is None:
        return look.click(css)
    now = MONTHS.index(shown.text) + 1
    if now != month:
        return look.click(".ui-datepicker-prev" if month < now else ".ui-datepicker-next")
    return (
        WAIT
        if look.ask("$(':animated').length")
        else look.click(".ui-datepicker-calendar td a", str(day))
    )


def _choose_date(look: Look) -> UIAction | None:
    month, day, year = look.match(r"(\d+)/(\d+)/(\d+)")
    field = look.first("#datepicker")
    if field is not None and field.value == f"{month}/{day}/{year}":
        return WAIT if look.find("#ui-datepicker-div") else look.click("#subbtn")
    return pick_date(look, "#datepicker", int(month), int(day))


def _sign(look: Look) -> UIAction | None:
    """Cancel at once, or scroll to the end, sign the name and press the button."""
    if not look.quoted:
        return look.click("#cancel")
    name, button = look.quoted
    if look.ask("document.querySelector('#name').disabled"):
        text = look.first("#text-area")
        return (
            None
            if text is None
            else UIAction(
                "scroll", x=text.center[0], y=text.center[1], direction="down", amount=2000.0
            )
        )
    return look.fill(look.first("#name"), name) or look.click("#area button", button)


def _scroll(look: Look) -> UIAction | None:
    text = look.first("#text-area")
    down = "bottom" in look.utterance
    left = look.ask(
        "(e => [e.scrollTop, e.scrollHeight - e.clientHeight - e.scrollTop])"
        "(document.querySelector('#text-area'))"
    )[down]
    if text is None or left < 2:
        return look.click("#subbtn")
    return UIAction(
        "scroll",
        x=text.center[0],
        y=text.center[1],
        direction="down" if down else "up",
        amount=2000.0,
    )


EXPERTS: dict[str, Callable[[], Expert]] = {
    **dict.fromkeys(("enter-text", "enter-text-2", "enter-text-dynamic"), plain(_text)),
    "enter-password": plain(_password),
    **dict.fromkeys(("login-user", "login-user-popup"), plain(_login)),
    **dict.fromkeys(("focus-text", "focus-text-2"), plain(_focus)),
    "enter-date": plain(_date),
    "enter-time": plain(_time),
    **dict.fromkeys(("read-table", "read-table-2"), plain(_table)),
    "find-word": plain(_word),
    **dict.fromkeys(("simple-arithmetic", "simple-algebra", "visual-addition"), plain(_sum)),
    "text-transform": plain(
        lambda look: look.form({"#tt": look.ask("document.querySelector('#captcha').textContent")})
    ),
    **dict.fromkeys(("copy-paste", "copy-paste-2"), plain(_copy)),
    "scroll-text": plain(_last_word),
    "scroll-text-2": plain(_scroll),
    **dict.fromkeys(("multi-layouts", "multi-orderings"), plain(_movie)),
    "choose-list": plain(_list),
    "click-scroll-list": plain(_several),
    "form-sequence": plain(_slider_and_box),
    "form-sequence-2": plain(_radio_and_box),
    "form-sequence-3": plain(_dropdown),
    **dict.fromkeys(("use-autocomplete", "use-autocomplete-nodelay"), plain(_autocomplete)),
    "guess-number": _Guess,
    "use-spinner": plain(_spinner),
    "use-slider": plain(_slider),
    "use-slider-2": plain(_sliders),
    **dict.fromkeys(("use-colorwheel", "use-colorwheel-2"), plain(_hex)),
    **dict.fromkeys(
        ("choose-date", "choose-date-easy", "choose-date-medium", "choose-date-nodelay"),
        plain(_choose_date),
    ),
    "sign-agreement": plain(_sign),
}
