"""MiniWoB++'s pages, actions and experts, in a real Chromium."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

import miniwobepisodes
import numpy as np
import pytest
from miniwobepisodes import TASKS, dom, play_expert, start

from adapters.miniwob import MiniWobAdapter
from adapters.miniwob.experts import EXPERTS
from harness.core import BadAction, Case, Element, TimeStep, UIAction, UserError
from harness.testing import check_adapter

if (missing := MiniWobAdapter.missing()) is not None:
    pytest.skip(f"{missing.reason}: {missing.remedy}", allow_module_level=True)


adapter = miniwobepisodes.adapter


def sampled(names: Sequence[str]) -> pytest.MarkDecorator:
    """Every fifth of the pages in CI, all of them where there are minutes."""
    every = pytest.param(tuple(names), id="all", marks=pytest.mark.heavy)
    return pytest.mark.parametrize("names", [pytest.param(tuple(names[::5]), id="some"), every])


def one(timestep: TimeStep, **wanted: str) -> Element:
    """The element with these fields."""
    return next(
        e for e in dom(timestep) if all(getattr(e, name) == value for name, value in wanted.items())
    )


def test_the_suite_lists_every_task_of_the_package() -> None:
    import gymnasium
    import miniwob

    gymnasium.register_envs(miniwob)
    ids = {
        name.removeprefix("miniwob/").rpartition("-v")[0]
        for name in gymnasium.registry
        if name.startswith("miniwob/")
    }
    assert set(TASKS) == ids
    assert len(TASKS) == 128
    assert set(EXPERTS) <= set(TASKS)
    assert len(EXPERTS) >= 100
    assert all(MiniWobAdapter.has_expert(task) == (name in EXPERTS) for name, task in TASKS.items())


def test_contract() -> None:
    check_adapter(TASKS["click-checkboxes"], steps=8, others=[TASKS["copy-paste"]])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stock-market", "use-autocomplete"])
def test_contract_where_the_page_moves(name: str) -> None:
    check_adapter(TASKS[name], steps=10, another_process=False)


@sampled(list(TASKS))
def test_every_page_opens_and_fits_the_brief(adapter: MiniWobAdapter, names: Sequence[str]) -> None:
    for name in names:
        timestep = start(adapter, name)
        assert timestep.instruction, name
        for view, spec in adapter.brief.observation.items():
            assert spec.problem(timestep.observation[view]()) is None, name
        assert len(np.unique(timestep.observation["image"]())) > 2, name
        assert not adapter.step(UIAction("wait")).terminated, name


def test_a_page_depends_on_its_seed_alone(adapter: MiniWobAdapter) -> None:
    """Pages that the package itself marks as not deterministic."""
    for name in ("click-pie", "choose-date", "phone-book", "book-flight"):
        seen = []
        for seed in (3, 4, 3):
            timestep = start(adapter, name, seed)
            timestep = adapter.step(UIAction("click", x=80, y=130))
            seen.append(
                (
                    timestep.instruction,
                    adapter.state(),
                    timestep.observation["image"]().tobytes(),
                    dom(timestep),
                )
            )
        assert seen[0] == seen[2] != seen[1], name


def test_reward_is_raw_and_no_clock_ends_the_episode(adapter: MiniWobAdapter) -> None:
    """The page's limit is 10 s; 20 s of its time pass here, and the reward does not decay."""
    timestep = start(adapter, "click-test")
    for _ in range(80):
        timestep = adapter.step(UIAction("wait"))
        assert (timestep.reward, timestep.terminated, timestep.success) == (0.0, False, False)
    timestep = adapter.step(UIAction("click", ref=one(timestep, tag="button").ref))
    assert (timestep.reward, timestep.terminated, timestep.success) == (1.0, True, True)


def test_a_wrong_answer_is_no_success(adapter: MiniWobAdapter) -> None:
    timestep = start(adapter, "enter-text")
    timestep = adapter.step(UIAction("click", ref=one(timestep, tag="button").ref))
    assert (timestep.reward, timestep.terminated, timestep.success) == (-1.0, True, False)


def test_the_pages_clock_stands_still_between_steps(adapter: MiniWobAdapter) -> None:
    """The price changes every 0.1 s of the page's time, and a step is 0.25 s."""
    timestep = start(adapter, "stock-market")
    assert one(timestep, name="stock-symbol").text
    state, image = adapter.state(), timestep.observation["image"]()
    time.sleep(0.5)
    assert adapter._page.ask("bench.report()")["state"] == int.from_bytes(state, "little")
    np.testing.assert_array_equal(timestep.observation["image"](), image)
    prices = adapter._page.ask("document.querySelectorAll('.plot-point').length")
    adapter.step(UIAction("wait"))
    adapter.step(UIAction("wait"))
    assert adapter._page.ask("document.querySelectorAll('.plot-point').length") == prices + 5


def test_a_click_by_point_and_one_by_ref_do_the_same(adapter: MiniWobAdapter) -> None:
    box = one(start(adapter, "click-checkboxes"), tag="input_checkbox")
    for action in (
        UIAction("click", ref=box.ref),
        UIAction("click", x=box.center[0], y=box.center[1]),
    ):
        timestep = start(adapter, "click-checkboxes")
        timestep = adapter.step(action)
        assert one(timestep, tag="input_checkbox").flags == ("focused", "checked")


def test_lines_are_drawn_where_they_are_said_to_be(adapter: MiniWobAdapter) -> None:
    timestep = start(adapter, "click-checkboxes")
    picture = adapter.render()
    lines = {row[0]: row[1:] for row in adapter.lines_drawn()}
    shown = [e for e in dom(timestep) if e.tag in ("label", "button")]
    assert shown
    for element in shown:
        text, x, y, width, height, seen, edges = lines[element.ref]
        assert (text, seen) == (element.text, 1)
        assert element.x - 1 <= x < x + width <= element.x + element.width + 1
        assert (edges[0], edges[-1]) == pytest.approx((x, x + width), abs=0.1)
        assert edges == sorted(edges)
        assert len(edges) == len(text) + 1
        ink = picture[round(y) : round(y + height), int(x) : int(x + width)].min((0, 2)) < 120
        assert ink[: len(ink) // 3].any()
        assert ink[-len(ink) // 3 :].any()


def test_mouse_keyboard_and_clipboard(adapter: MiniWobAdapter) -> None:
    timestep = start(adapter, "copy-paste")
    source, target = one(timestep, tag="textarea"), one(timestep, tag="input_text")
    adapter.step(UIAction("key", ref=source.ref, text="Control+A"))
    adapter.step(UIAction("key", text="Control+C"))
    timestep = adapter.step(UIAction("key", ref=target.ref, text="Control+V"))
    assert one(timestep, tag="input_text").value == source.value != ""
    adapter.step(UIAction("double_click", x=target.x + 20, y=target.center[1]))
    word = adapter._page.ask("getSelection().toString()")
    assert word in source.value.split(" ")
    timestep = adapter.step(UIAction("type", text="é{'x'}"))
    assert one(timestep, tag="input_text").value == source.value.replace(word, "é{'x'}")
    timestep = start(adapter, "enter-text")
    timestep = adapter.step(
        UIAction("key", ref=one(timestep, tag="input_text").ref, text="Control+V")
    )
    assert one(timestep, tag="input_text").value == "", "the clipboard is empty in the next episode"


def test_scroll_drag_and_lists(adapter: MiniWobAdapter) -> None:
    timestep = start(adapter, "scroll-text-2")
    before = adapter._page.ask("document.querySelector('#text-area').scrollTop")
    adapter.step(UIAction("scroll", direction="down", x=80, y=100, amount=30))
    assert adapter._page.ask("document.querySelector('#text-area').scrollTop") == before + 30
    timestep = start(adapter, "drag-box")
    small = one(timestep, name="draggableSmall")
    timestep = adapter.step(
        UIAction("drag", ref=small.ref, to_x=small.center[0] - 7, to_y=small.center[1] + 9)
    )
    assert one(timestep, name="draggableSmall").x == small.x - 7
    timestep = start(adapter, "choose-list")
    choices = one(timestep, tag="select").text.split("\n")
    timestep = adapter.step(UIAction("type", ref=one(timestep, tag="select").ref, text=choices[-1]))
    assert one(timestep, tag="select").value == choices[-1]


def test_a_mouse_button_held_is_released_before_the_next_episode(adapter: MiniWobAdapter) -> None:
    small = one(start(adapter, "drag-box"), name="draggableSmall")
    adapter.step(UIAction("mouse_down", x=small.center[0], y=small.center[1]))
    timestep = start(adapter, "drag-box")
    adapter.step(UIAction("hover", x=small.center[0], y=small.center[1]))
    timestep = adapter.step(UIAction("hover", x=10, y=190))
    assert one(timestep, name="draggableSmall") == small


def test_unknown_refs_do_nothing_and_are_counted(adapter: MiniWobAdapter) -> None:
    timestep = start(adapter, "click-test")
    image = timestep.observation["image"]()
    timestep = adapter.step(UIAction("click", ref=9999))
    timestep = adapter.step(UIAction("type", ref=9999, text="a"))
    assert timestep.metrics == {"unknown_refs": 2.0}
    np.testing.assert_array_equal(timestep.observation["image"](), image)
    assert start(adapter, "click-test").metrics == {}
    with pytest.raises(BadAction):
        adapter.step({"kind": "navigate_back"})


def test_nothing_leads_away_from_the_page(adapter: MiniWobAdapter) -> None:
    start(adapter, "click-test")
    adapter._page.ask(
        "document.querySelector('#area').insertAdjacentHTML('beforeend', '"
        "<form><a id=out href=click-link.html>out</a><button id=go>go</button></form>')"
    )
    for css in ("#out", "#go"):
        adapter.step(
            UIAction("click", ref=adapter._page.ask(f"bench.ref(document.querySelector('{css}'))"))
        )
    time.sleep(0.3)
    assert adapter._page.ask("location.pathname + location.search").endswith("click-test.html")


def test_flight_pages_have_a_larger_screen(adapter: MiniWobAdapter) -> None:
    timestep = start(adapter, "flight.Alaska")
    assert timestep.observation["image"]().shape == (667, 375, 3)
    field = next(e for e in dom(timestep) if e.tag == "input_text")
    timestep = adapter.step(UIAction("type", ref=field.ref, text="Boston"))
    assert one(timestep, ref=field.ref).value == "Boston"
    assert start(adapter, "click-test").observation["image"]().shape == (210, 160, 3)


@pytest.mark.parametrize(
    "name",
    [
        "login-user-popup",
        "click-menu",
        "choose-date-easy",
        "drag-sort-numbers",
        "email-inbox-forward",
        "book-flight-nodelay",
    ],
)
def test_expert_solves(adapter: MiniWobAdapter, name: str) -> None:
    timestep, _ = play_expert(adapter, Case(TASKS[name], 1))
    assert timestep.success


@sampled(sorted(EXPERTS))
def test_every_expert_solves(adapter: MiniWobAdapter, names: Sequence[str]) -> None:
    def solves(name: str) -> bool:
        return play_expert(adapter, Case(TASKS[name], 0))[0].success is True

    assert [name for name in names if not solves(name)] == []


def test_an_expert_that_finds_no_way_gives_up(adapter: MiniWobAdapter) -> None:
    start(adapter, "click-menu")
    adapter._page.ask("document.querySelector('#area').remove()")
    assert adapter.expert(None) is None
    assert adapter.step(UIAction("wait")).metrics == {"expert_gave_up": 1.0}
    assert adapter.expert(None) is None
    start(adapter, "tic-tac-toe")
    with pytest.raises(UserError, match="no script plays"):
        adapter.expert(None)


def test_unknown_pages_and_params_are_named() -> None:
    for params, words in (({"name": "click-nothing"}, "no page"), ({"mode": "exam"}, "mode")):
        task = dataclasses.replace(
            TASKS["click-test"], params={**TASKS["click-test"].params, **params}
        )
        with pytest.raises(UserError, match=words):
            MiniWobAdapter(task)
