"""Names of keys as other programs write them."""

from __future__ import annotations

import pytest

from adapters.miniwob.page import KEYS
from harness.core import UI, BadAction, UIAction
from harness.core.keys import key_named

SPEC = UI(100, 80, ("wait", "key", "click"), keys=KEYS, modifiers=("Control", "Shift"))


@pytest.mark.parametrize("key", KEYS)
def test_a_key_of_the_spec_means_itself(key: str) -> None:
    assert SPEC.coerce({"kind": "key", "text": key}) == (UIAction("key", text=key), False)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        # Playwright
        ("Control+a", "Control+A"),
        ("ControlOrMeta+c", "Control+C"),
        ("Control+KeyV", "Control+V"),
        ("ArrowDown", "ArrowDown"),
        (" ", "Space"),
        ("Shift+Tab", "Shift+Tab"),
        # Selenium: the names, and the characters that they stand for
        ("Keys.ENTER", "Enter"),
        ("Keys.RETURN", "Enter"),
        ("RETURN", "Enter"),
        ("Keys.ARROW_DOWN", "ArrowDown"),
        ("ARROW_LEFT", "ArrowLeft"),
        ("Keys.PAGE_UP", "PageUp"),
        ("BACK_SPACE", "Backspace"),
        ("Keys.CONTROL+a", "Control+A"),
        ("\ue007", "Enter"),
        ("\ue015", "ArrowDown"),
        ("\ue009a", "Control+A"),
        ("\ue008\ue004", "Shift+Tab"),
        # xdotool, pyautogui and plain speech
        ("ctrl+v", "Control+V"),
        ("ctrl-v", None),
        ("Page_Down", "PageDown"),
        ("Prior", "PageUp"),
        ("esc", "Escape"),
        ("up", "ArrowUp"),
        ("Page Down", "PageDown"),
        # Nothing of these
        ("A+Control", None),
        ("Control", None),
        ("Alt+F4", None),
        ("Control+Shift+A", None),
        ("a", None),
        ("+", None),
        ("Keys.", None),
        ("Control+" * 1000 + "A", None),
    ],
)
def test_names_of_other_programs(given: str, key: str | None) -> None:
    assert key_named(given, KEYS) == key
    if key is None:
        with pytest.raises(BadAction, match="does not exist here"):
            SPEC.coerce({"kind": "key", "text": given})
    else:
        taken, _ = SPEC.coerce({"kind": "key", "text": given})
        assert taken.text == key


def test_a_modifier_may_have_another_name() -> None:
    click = {"kind": "click", "x": 1, "y": 2, "modifier": "Keys.CONTROL"}
    assert SPEC.coerce(click)[0].modifier == "Control"
    with pytest.raises(BadAction, match="'Alt' of a click"):
        SPEC.coerce({**click, "modifier": "Alt"})
