"""Entries of `Agent.reads`: a view, one that may be missing, one that another makes needless."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
import toys
from conftest import Run

from baselines.gea.agent import GEA
from harness.core import UI, Box, Brief, Elements, UserError
from harness.core.reads import ENTRY, as_optional, is_optional, view_of
from harness.play.environments import ViewNotOffered, narrow
from harness.play.runner import RunOptions
from harness.policies.serving.stock import KeysAsViews, StockEpisode
from harness.testing import check_agent
from harness.verify import replay
from harness.verify.knowledge import Knowledge

ACTION = UI(8, 8, ("wait", "click"))
PICTURE = Box((8, 8, 3), "uint8", 0, 255, "", "RGB")
WITHOUT_PAGE = Brief({"image": PICTURE}, ACTION, "", "")
PAGE = Brief({"image": PICTURE, "dom": Elements()}, ACTION, "", "")


@pytest.mark.parametrize(
    ("entry", "view", "optional", "as_one"),
    [
        ("image", "image", False, "image?"),
        ("image?", "image", True, "image?"),
        ("image unless dom", "image", False, "image? unless dom"),
        ("image? unless dom", "image", True, "image? unless dom"),
        ("unless", "unless", False, "unless?"),
        ("dom unless image 8x6 or 9x9", "dom", False, "dom? unless image 8x6 or 9x9"),
    ],
)
def test_an_entry_is_taken_apart(entry: str, view: str, optional: bool, as_one: str) -> None:
    assert re.fullmatch(ENTRY, entry)
    assert (view_of(entry), is_optional(entry), as_optional(entry)) == (view, optional, as_one)


@pytest.mark.parametrize(
    ("reads", "brief", "shown"),
    [
        (("image? unless dom", "dom?"), PAGE, {"dom"}),
        (("image? unless dom", "dom?"), WITHOUT_PAGE, {"image"}),
        # Whoever does not read the other view would be shown nothing.
        (("image? unless dom",), PAGE, {"image"}),
        (("image unless dom", "dom?"), PAGE, {"dom"}),
        # Only pictures of some size take the place of the elements.
        (("dom? unless image 9x9 or 8x8", "image?"), PAGE, {"image"}),
        (("dom? unless image 8x9", "image?"), PAGE, {"dom", "image"}),
        (("dom? unless image 8x8", "image?"), WITHOUT_PAGE, {"image"}),
        # The first of two that give way to one another decides.
        (("dom? unless image 8x8", "image? unless dom"), PAGE, {"image"}),
        (("dom? unless image 9x9", "image? unless dom"), PAGE, {"dom"}),
        (("dom? unless image 9x9", "image? unless dom"), WITHOUT_PAGE, {"image"}),
        (GEA.declares({})[0], PAGE, {"dom"}),
        (GEA.declares({})[0], WITHOUT_PAGE, {"image"}),
    ],
)
def test_a_view_is_shown_where_the_other_one_is_not(
    reads: tuple[str, ...], brief: Brief, shown: set[str]
) -> None:
    assert set(narrow(brief, reads).observation) == shown


@pytest.mark.parametrize(
    "entry", ["dom unless image 8", "dom unless image 0x8", "dom unless 8x8 or"]
)
def test_an_entry_with_a_wrong_size_is_none(entry: str) -> None:
    assert not re.fullmatch(ENTRY, entry)


def test_a_view_that_is_needed_is_missed_where_the_other_one_is_missing() -> None:
    with pytest.raises(ViewNotOffered, match="the agent reads 'depth', which this task"):
        narrow(WITHOUT_PAGE, ("depth unless dom", "dom?"))


def test_nobody_draws_what_is_not_looked_at_and_a_replay_neither(
    play_toys: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    draw = toys.ToyAdapter.draw

    def noting(*args: object) -> object:
        drawn.append("")
        return draw(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(toys.ToyAdapter, "draw", noting)
    monkeypatch.setattr(toys.GoodAgent, "reads", ("image? unless state", "state"))
    check_agent(toys.GoodAgent, [toys.toy_task()], steps=3)
    run = play_toys("GoodAgent", [toys.toy_task()], 2)
    found = replay.verify(
        run.path, sample=None, options=RunOptions(), progress=run.notes, known=Knowledge()
    )
    assert found.passed
    assert not drawn
    monkeypatch.setattr(toys.GoodAgent, "reads", ("image?", "state"))
    play_toys("GoodAgent", [toys.toy_task()], 1, out="other")
    assert drawn


def test_an_entry_that_is_none_is_refused() -> None:
    kind = type("Wrong", (toys.GoodAgent,), {"reads": ("image?unless dom", "state")})
    with pytest.raises((UserError, AssertionError), match="reads must be a tuple of names"):
        check_agent(kind, [toys.toy_task()], steps=1)


def test_a_served_agent_is_shown_the_same_of_what_a_client_sends() -> None:
    pixels, page = np.zeros((8, 8, 3), np.uint8), "a page"
    episode = StockEpisode("one", KeysAsViews(2, -1, 1), ("image? unless dom", "dom?"))
    assert set(episode.turn({"image": pixels, "dom": page}).observation) == {"dom"}
    episode = StockEpisode("two", KeysAsViews(2, -1, 1), ("image? unless dom", "dom?"))
    assert set(episode.turn({"image": pixels}).observation) == {"image"}
