"""MiniWoB++ (arXiv 1802.08802; Farama's package `miniwob`): the 128 tasks that it registers.

The package prescribes no evaluation; papers play fifty or a hundred episodes per task, this suite
fifty. Success is a raw reward above 0, that is, before its decay with the wall clock, as in
BrowserGym (browsergym/miniwob/base.py). Partial rewards count in full; tasks that give them are
tagged `partial`.

The horizons are chosen here: forty steps, and sixty for the flights and a few pages that need more.
The page's clock advances by 0.25 s per step (see the adapter).
"""

from __future__ import annotations

from harness.core import Suite, Task

__all__ = ["SUITES"]

NAMES = """
ascending-numbers bisect-angle book-flight book-flight-nodelay buy-ticket choose-date
choose-date-easy choose-date-medium choose-date-nodelay choose-list circle-center click-button
click-button-sequence click-checkboxes click-checkboxes-large click-checkboxes-soft
click-checkboxes-transfer click-collapsible click-collapsible-2 click-collapsible-2-nodelay
click-collapsible-nodelay click-color click-dialog click-dialog-2 click-link click-menu click-menu-2
click-option click-pie click-pie-nodelay click-scroll-list click-shades click-shape click-tab
click-tab-2 click-tab-2-easy click-tab-2-hard click-tab-2-medium click-test click-test-2
click-test-transfer click-widget copy-paste copy-paste-2 count-shape count-sides daily-calendar
drag-box drag-circle drag-cube drag-items drag-items-grid drag-shapes drag-shapes-2
drag-single-shape drag-sort-numbers draw-circle draw-line email-inbox email-inbox-delete
email-inbox-forward email-inbox-forward-nl email-inbox-forward-nl-turk email-inbox-important
email-inbox-nl-turk email-inbox-noscroll email-inbox-reply email-inbox-star-reply enter-date
enter-password enter-text enter-text-2 enter-text-dynamic enter-time find-greatest find-midpoint
find-word flight.AA flight.Alaska flight.Alaska-auto focus-text focus-text-2 form-sequence
form-sequence-2 form-sequence-3 generate-number grid-coordinate guess-number highlight-text
highlight-text-2 hot-cold identify-shape login-user login-user-popup multi-layouts multi-orderings
navigate-tree number-checkboxes odd-or-even order-food phone-book read-table read-table-2
resize-textarea right-angle scroll-text scroll-text-2 search-engine sign-agreement simple-algebra
simple-arithmetic social-media social-media-all social-media-some stock-market terminal text-editor
text-transform tic-tac-toe unicode-test use-autocomplete use-autocomplete-nodelay use-colorwheel
use-colorwheel-2 use-slider use-slider-2 use-spinner visual-addition
""".split()  # noqa: SIM905 - a list would take 128 lines

LONG = frozenset(
    {"click-checkboxes-large", "guess-number", "hot-cold", "number-checkboxes", "tic-tac-toe"}
)
PARTIAL = frozenset(
    {
        "ascending-numbers", "bisect-angle", "circle-center", "click-checkboxes",
        "click-checkboxes-large", "click-checkboxes-soft", "click-checkboxes-transfer",
        "drag-shapes-2", "draw-circle", "draw-line", "find-greatest", "find-midpoint", "flight.AA",
        "flight.Alaska", "flight.Alaska-auto", "hot-cold", "odd-or-even", "phone-book",
        "right-angle", "use-colorwheel", "use-colorwheel-2",
    }
)  # fmt: skip
"""Pages with rewards between 0 and 1, according to the package's docstrings (miniwob/envs)."""
RULE = "the page's raw reward, which does not decay with time, is above 0"


def _task(name: str) -> Task:
    flight = name.startswith("flight.")
    return Task(
        id=f"miniwob/{name}@1",
        domain="ui",
        adapter="adapters.miniwob:MiniWobAdapter",
        params={"name": name, "mode": "train"},
        max_steps=60 if flight or name in LONG else 40,
        success="ever",
        rule=RULE,
        score="success",
        control_hz=4.0,
        tags=("partial",) if name in PARTIAL else (),
    )


SUITES: tuple[Suite, ...] = (
    Suite(
        name="miniwob",
        title="MiniWoB++, 128 tasks",
        tasks=tuple(map(_task, NAMES)),
        episodes=50,
        source="arXiv 1802.08802; Farama miniwob 1.1",
    ),
)
