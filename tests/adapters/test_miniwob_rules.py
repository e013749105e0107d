"""MiniWoB++: what counts as a success, what an agent can see of it, and what draws it."""

from __future__ import annotations

import re

import miniwobepisodes
import pytest
from miniwobepisodes import TASKS, dom, play_expert, start

from adapters.miniwob import MiniWobAdapter, rendering
from harness.core import Case, Element, TimeStep, UIAction, UserError
from suites.miniwob import ALSO, NEAR

if (missing := MiniWobAdapter.missing()) is not None:
    pytest.skip(f"{missing.reason}: {missing.remedy}", allow_module_level=True)


adapter = miniwobepisodes.adapter


def named(timestep: TimeStep, name: str) -> Element:
    return next(element for element in dom(timestep) if element.name == name)


def submit(adapter: MiniWobAdapter, timestep: TimeStep) -> TimeStep:
    """Click the button that hands the answer in."""
    button = next(e for e in dom(timestep) if e.tag == "button" and e.text == "Submit")
    return adapter.step(UIAction("click", ref=button.ref))


def seed_of(adapter: MiniWobAdapter, name: str, words: str) -> int:
    """The first seed whose instruction matches."""
    return next(k for k in range(60) if re.search(words, start(adapter, name, k).instruction))


@pytest.mark.parametrize("seed", range(4))
def test_of_three_cards_the_greatest_alone_succeeds(adapter: MiniWobAdapter, seed: int) -> None:
    outcomes = []
    for place in range(3):
        timestep = start(adapter, "find-greatest", seed)
        card = [e for e in dom(timestep) if "card" in e.classes][place]
        timestep = adapter.step(UIAction("click", ref=card.ref))
        (number,) = [e.text for e in dom(timestep) if "card-value" in e.classes]
        timestep = adapter.step(UIAction("click", ref=named(timestep, "submit").ref))
        outcomes.append((int(number), timestep.reward, timestep.success))
    outcomes.sort()
    assert [reward for _, reward, _ in outcomes] == [0.1, 0.1, 1.0]
    assert [success for _, _, success in outcomes] == [False, False, True]


def test_a_part_of_the_answer_is_no_success(adapter: MiniWobAdapter) -> None:
    """One box is wrong; the reward is the share of right ones less that of wrong ones."""
    play_until_submit(adapter, Case(TASKS["click-checkboxes-large"], 0))
    timestep = adapter.step(UIAction("wait"))
    boxes = [e for e in dom(timestep) if e.tag == "input_checkbox"]
    adapter.step(UIAction("click", ref=boxes[0].ref))
    timestep = submit(adapter, timestep)
    assert timestep.reward == pytest.approx(1 - 2 / len(boxes))
    assert timestep.reward > 0
    assert (timestep.terminated, timestep.success) == (True, False)


def play_until_submit(adapter: MiniWobAdapter, case: Case) -> None:
    """The expert's episode without its last click."""
    _, actions = play_expert(adapter, case)
    adapter.reset(case)
    for action in actions[:-1]:
        adapter.step(action)


@pytest.mark.parametrize("name", NEAR)
def test_near_is_enough_and_farther_is_not(adapter: MiniWobAdapter, name: str) -> None:
    rewards = []
    for seed in range(3):
        timestep, _ = play_expert(adapter, Case(TASKS[name], seed))
        assert timestep.success, f"seed {seed}: {timestep.reward}"
        rewards.append(timestep.reward)
    assert min(rewards) >= NEAR[name]


@pytest.mark.parametrize(
    ("name", "shift"), [("circle-center", 6), ("find-midpoint", 6), ("right-angle", 14)]
)
def test_a_point_beside_the_right_one_has_a_score_and_no_success(
    adapter: MiniWobAdapter, name: str, shift: int
) -> None:
    _, actions = play_expert(adapter, Case(TASKS[name], 1))
    point = actions[0]
    assert point.x is not None
    assert point.y is not None
    timestep = start(adapter, name, 1)
    timestep = adapter.step(UIAction("click", x=point.x + shift, y=point.y + shift))
    timestep = submit(adapter, timestep)
    assert 0.2 < timestep.reward < NEAR[name]
    assert (timestep.terminated, timestep.success) == (True, False)


def test_another_colour_is_no_success(adapter: MiniWobAdapter) -> None:
    """White for whatever is asked, which had a raw reward above 0 for nearly every colour."""
    seed = seed_of(adapter, "use-colorwheel", "Select (silver|pink|yellow|gold|aqua) ")
    timestep = start(adapter, "use-colorwheel", seed)
    adapter.step(UIAction("key", ref=named(timestep, "col").ref, text="Control+A"))
    adapter.step(UIAction("type", text="FFFFFF"))
    timestep = adapter.step(UIAction("click", x=80, y=20))  # closes the wheel
    timestep = submit(adapter, timestep)
    assert 0.5 < timestep.reward < NEAR["use-colorwheel"]
    assert (timestep.terminated, timestep.success) == (True, False)


def test_two_points_on_one_another_are_a_wrong_answer(adapter: MiniWobAdapter) -> None:
    """They make no angle: the page's reward is not a number."""
    timestep = start(adapter, "bisect-angle")
    vertex = next(e for e in dom(timestep) if "init-blue" in e.classes)
    drawing = next(e for e in dom(timestep) if e.tag == "svg")
    # The page sets its mark as if the drawing began at (0, 50).
    x, y = vertex.center[0] - drawing.x, vertex.center[1] - drawing.y + 50
    timestep = adapter.step(UIAction("click", x=x, y=y))
    timestep = submit(adapter, timestep)
    assert (timestep.reward, timestep.terminated, timestep.success) == (-1.0, True, False)


def test_nothing_generated_is_not_even(adapter: MiniWobAdapter) -> None:
    seed = seed_of(adapter, "generate-number", "an even number")
    timestep = submit(adapter, start(adapter, "generate-number", seed))
    assert (timestep.reward, timestep.terminated, timestep.success) == (1.0, True, False)
    assert play_expert(adapter, Case(TASKS["generate-number"], seed))[0].success


def test_another_radio_button_is_wrong(adapter: MiniWobAdapter) -> None:
    timestep = start(adapter, "form-sequence-2", 0)
    found = re.search(
        r"Check the (\d).* enter the number \"(.*)\" into the (\d)", timestep.instruction
    )
    assert found is not None
    radio, number, field = found.groups()
    buttons = [e for e in dom(timestep) if e.tag == "input_radio"]
    for place, right in ((int(radio) % 3, False), (int(radio) - 1, True)):
        timestep = start(adapter, "form-sequence-2", 0)
        adapter.step(UIAction("click", ref=buttons[place].ref))
        adapter.step(UIAction("type", ref=named(timestep, f"input-{field}").ref, text=number))
        timestep = submit(adapter, timestep)
        assert (timestep.reward, timestep.success) == (1.0, right)


@pytest.mark.parametrize("name", ["use-autocomplete", "use-autocomplete-nodelay"])
def test_the_beginning_of_an_item_is_no_item(adapter: MiniWobAdapter, name: str) -> None:
    seed = seed_of(adapter, name, r'starts with "[^"]*"\.')
    timestep = start(adapter, name, seed)
    (beginning,) = re.findall('starts with "(.*?)"', timestep.instruction)
    timestep = adapter.step(UIAction("type", ref=named(timestep, "tags").ref, text=beginning))
    timestep = submit(adapter, timestep)
    assert (timestep.reward, timestep.success) == (1.0, False)
    assert play_expert(adapter, Case(TASKS[name], seed))[0].success


def test_a_stroke_beside_the_dot_is_no_circle_around_it(adapter: MiniWobAdapter) -> None:
    """A short stroke across a radius: its points are about equally far from the dot, so the page
    gives the full reward."""
    timestep = start(adapter, "draw-circle", 0)
    x, y = named(timestep, "circ").center
    x, y = x + (28 if x < 80 else -28), y + (28 if y < 110 else -28)
    slope = 1 if (x < 80) == (y < 110) else -1
    stroke = UIAction("drag", x=x - 11, y=y + 11 * slope, to_x=x + 11, to_y=y - 11 * slope)
    timestep = submit(adapter, adapter.step(stroke))
    assert timestep.reward == 1.0
    assert (timestep.terminated, timestep.success) == (True, False)
    assert play_expert(adapter, Case(TASKS["draw-circle"], 0))[0].success


def test_a_mere_click_is_no_line(adapter: MiniWobAdapter) -> None:
    timestep = start(adapter, "draw-line", 0)
    x, y = named(timestep, "circ").center
    timestep = submit(adapter, adapter.step(UIAction("click", x=x, y=y)))
    assert timestep.reward > 0
    assert (timestep.terminated, timestep.success) == (True, False)


def test_rules_say_what_counts() -> None:
    for name, task in TASKS.items():
        assert f"at least {NEAR.get(name, 1.0):g}" in task.rule
        assert ALSO.get(name, "") in task.rule
        assert (task.id, task.score) == (f"miniwob/{name}@2", "return")


def test_a_threshold_is_a_share_of_the_full_reward(adapter: MiniWobAdapter) -> None:
    from dataclasses import replace

    for wrong in (0, 1.5, "high"):
        params = {**TASKS["click-test"].params, "threshold": wrong}
        with pytest.raises(UserError, match="threshold"):
            adapter.reset(Case(replace(TASKS["click-test"], params=params), 0))


def test_the_dom_has_the_colours_of_what_is_drawn(adapter: MiniWobAdapter) -> None:
    """What an instruction names by its colour can be told from the rest by its colour."""
    names = {
        "rgb(255, 0, 0)", "rgb(0, 128, 0)", "rgb(0, 0, 255)", "rgb(0, 255, 255)", "rgb(0, 0, 0)",
        "rgb(255, 0, 255)", "rgb(255, 255, 0)",
    }  # fmt: skip
    seen = set()
    for seed in range(3):
        for element in dom(start(adapter, "click-shape", seed)):
            if element.tag in ("rect", "circle", "polygon"):
                seen.add(element.background)
            elif element.tag == "text":
                seen.add(element.color)
    assert seen <= names
    assert len(seen) >= 4


def test_the_dom_has_the_colour_that_no_word_tells(adapter: MiniWobAdapter) -> None:
    timestep = start(adapter, "use-colorwheel-2")
    (patch,) = [e for e in dom(timestep) if "cc" in e.classes]
    shown = timestep.observation["image"]()
    x, y = map(int, patch.center)
    assert patch.background == f"rgb({', '.join(map(str, shown[y, x]))})"


def test_browser_and_fonts_are_part_of_the_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    found = MiniWobAdapter.versions()
    assert list(found) == ["miniwob", "pillow", "browser", "fonts"]
    assert re.fullmatch(r"[A-Z][A-Za-z ]* \d+(\.\d+)+", found["browser"])
    assert re.fullmatch(r".+ for Arial, \d+ faces, [0-9a-f]{8}", found["fonts"])

    printed = rendering._printed

    def another(program: str, *arguments: str) -> str:
        text = printed(program, *arguments)
        return text + "\nSome Sans|Regular|1" if program == "fc-list" else text

    monkeypatch.setattr(rendering, "_printed", another)
    assert rendering.fonts.__wrapped__() not in (found["fonts"], rendering.UNKNOWN)
    monkeypatch.setattr(rendering, "_printed", lambda program, *arguments: "")
    assert rendering.fonts.__wrapped__() == rendering.UNKNOWN
