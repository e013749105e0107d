"""Every perturbation on every spec: shapes, dtypes, bounds, streams, severity."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import math
from typing import Any

import numpy as np
import pytest
from effects import (
    SEVERITIES,
    SIZES,
    UI_SPEC,
    bounded_actions,
    boxes,
    brief,
    effect,
    offered,
    pages,
    sights,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core import UI, Box, Discrete, Element, Elements, Text, Texts, UIAction
from harness.perturb import REGISTRY, Effect, NotApplicable


@given(
    name=st.sampled_from([n for n, k in REGISTRY.items() if k.group in ("action", "burst")]),
    severity=st.sampled_from(SEVERITIES),
    spec=bounded_actions(),
    seed=st.integers(0, 5),
)
@settings(max_examples=120, deadline=None)
def test_what_is_executed_conforms(name: str, severity: int, spec: Any, seed: int) -> None:
    try:
        changed = effect(name, severity, brief(spec), seed=seed)
    except NotApplicable:
        assert not isinstance(spec, Box), "bounded boxes are disturbed by every one of them"
        return
    rng = np.random.default_rng(seed)
    for step in range(12):
        sent = spec.sample(rng)
        before = sent.copy() if isinstance(sent, np.ndarray) else sent
        executed = changed.act(sent, step)
        assert spec.problem(executed) is None
        assert type(executed) is type(sent)
        np.testing.assert_array_equal(sent, before)  # what the agent sent is not written into


@given(
    name=st.sampled_from([n for n, k in REGISTRY.items() if k.group == "image"]),
    severity=st.sampled_from(SEVERITIES),
    size=SIZES,
    data=st.data(),
)
@settings(max_examples=120, deadline=None)
def test_pictures_keep_their_form(
    name: str, severity: int, size: tuple[int, int], data: st.DataObject
) -> None:
    shape = (*size, 3) if data.draw(st.booleans()) or name == "hue" else size
    spec = Box(shape, "uint8", 0, 255)
    image = np.random.default_rng(data.draw(st.integers(0, 9))).integers(
        0, 256, shape, dtype=np.uint8
    )
    before = image.copy()
    changed = effect(name, severity, brief(image=spec))
    assert list(changed.views()) == ["image"]
    for step in range(3):
        seen = changed.see("image", image, step)
        assert spec.problem(seen) is None
    np.testing.assert_array_equal(image, before)


@given(
    name=st.sampled_from([n for n, k in REGISTRY.items() if k.group == "partial"]),
    severity=st.sampled_from(SEVERITIES),
    case=sights(),
    seed=st.integers(0, 9),
)
@settings(max_examples=150, deadline=None)
def test_whatever_is_seen_keeps_its_form_and_only_loses(
    name: str, severity: int, case: tuple[Any, Any], seed: int
) -> None:
    """Nothing is seen that is not there, and what the simulator gave is not written into."""
    spec, value = case
    before = copy.deepcopy(value)
    changed = effect(name, severity, brief(view=spec, state=Box((2,)), go=Texts()), seed=seed)
    assert changed.views() == ["view"]
    for step in range(4):
        seen = changed.see("view", value, step)
        assert spec.problem(seen) is None
        assert seen is value or _lost(spec, seen, value) is not None
    np.testing.assert_equal(value, before)


def _lost(spec: Any, seen: Any, value: Any) -> set[Any] | None:
    """What is missing of a view; None if something else changed."""
    if isinstance(spec, Elements):
        there = {each.ref: dataclasses.replace(each, parent=0) for each in value}
        kept = {each.ref: dataclasses.replace(each, parent=0) for each in seen}
        return there.keys() - kept.keys() if kept.items() <= there.items() else None
    if isinstance(spec, Text):
        if not seen:
            return set(range(len(value.split("\n"))))
        lines = list(zip(seen.split("\n"), value.split("\n"), strict=True))
        lost = {number for number, (one, other) in enumerate(lines) if one != other}
        return lost if not any(lines[number][0] for number in lost) else None
    zero = np.clip(0, *spec.bounds())
    lost = {tuple(place) for place in np.argwhere(seen != value).tolist()}
    return lost if all(seen[place] == zero[place] for place in lost) else None


@given(case=sights(), seed=st.integers(0, 9), step=st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_what_is_hidden_stays_hidden_and_more_at_a_higher_severity(
    case: tuple[Any, Any], seed: int, step: int
) -> None:
    spec, value = case
    found = []
    for severity in SEVERITIES:
        changed = effect("occlusion", severity, brief(view=spec), seed=seed)
        found.append(changed.see("view", value, 0))
        np.testing.assert_equal(changed.see("view", value, step), found[-1])
    lost = [_lost(spec, seen, value) for seen in found]
    assert all(less <= more for less, more in itertools.pairwise(lost)), lost  # type: ignore[operator]


def test_occlusion_hides_the_share_that_it_names() -> None:
    grid = np.ones((20, 10, 3), np.uint8)
    lines = "\n".join(f"line {number}" for number in range(600))
    page = tuple(
        Element(number, 0, "div", f"text {number}", "", "", (), 0.0, 0.0, 1.0, 1.0)
        for number in range(1, 601)
    )
    views = {"grid": Box(grid.shape, "uint8", 0, 10), "text": Text(), "dom": Elements()}
    for severity, area in zip(SEVERITIES, (0.1, 0.175, 0.25, 0.35, 0.5)):
        changed = effect("occlusion", severity, brief(**views))
        assert (changed.see("grid", grid, 0) == 0).all(axis=2).mean() == pytest.approx(area)
        seen = changed.see("text", lines, 0).split("\n")
        assert seen.count("") / 600 == pytest.approx(area, abs=0.06)
        assert 1 - len(changed.see("dom", page, 0)) / 600 == pytest.approx(area, abs=0.06)


def test_an_element_keeps_its_fate_under_another_number() -> None:
    """And elements inside a missing one stay, in what contained it."""
    page = pages(60)
    shifted = tuple(
        dataclasses.replace(each, ref=each.ref + 7, parent=each.parent + 7 if each.parent else 0)
        for each in page
    )
    changed = effect("occlusion", 5, brief(dom=Elements()))
    one, other = changed.see("dom", page, 0), changed.see("dom", shifted, 1)
    assert 0 < len(one) < 60
    assert [each.ref + 7 for each in one] == [each.ref for each in other]
    assert any(
        seen.parent != each.parent for seen in one for each in page if seen.ref == each.ref
    ), "a parent is missing"


@given(
    name=st.sampled_from([n for n, k in REGISTRY.items() if k.group == "state"]),
    severity=st.sampled_from(SEVERITIES),
    spec=boxes(),
    data=st.data(),
)
@settings(max_examples=100, deadline=None)
def test_numbers_keep_their_form(name: str, severity: int, spec: Box, data: st.DataObject) -> None:
    if data.draw(st.booleans()):
        spec = dataclasses.replace(spec, high=math.inf)
    value = np.clip(spec.sample(np.random.default_rng(1)), *spec.bounds()).astype(spec.dtype)
    before = value.copy()
    changed = effect(name, severity, brief(state=spec))
    for step in range(3):
        assert spec.problem(changed.see("state", value, step)) is None
    np.testing.assert_array_equal(value, before)


@pytest.mark.parametrize("name", REGISTRY)
def test_each_changes_something_and_more_at_a_higher_severity(name: str) -> None:
    """Over some episodes: how often, or by how much, it differs from what it was given."""
    moved = [np.mean([_moved(name, severity, seed) for seed in range(8)]) for severity in (1, 5)]
    assert moved[1] > 0
    if name not in (
        "letter_case",
        "ui_ids",
        "action_delay",
    ):  # these change everything there is from the first severity on
        assert moved[1] > moved[0]


def _moved(name: str, severity: int, seed: int) -> float:
    on_screen = REGISTRY[name].group == "ui"
    action: Any = UI(60, 90, ("click", "wait")) if on_screen else Box((4,), low=-1.0, high=1.0)
    changed = effect(
        name,
        severity,
        brief(action, **offered()),
        seed=seed,
        history=9,
        instruction='Go to the red ball, then pick up the "key"',
    )
    rng, total = np.random.default_rng(7), 0.0
    if changed.keep(9) != 9:
        return float(9 - changed.keep(9))
    if type(changed).say is not Effect.say:
        said = changed.say(changed.body.instruction)
        return _distance(said, changed.body.instruction)
    for step in range(40):
        if type(changed).act is not Effect.act:
            sent = changed.body.action.sample(rng)
            total += float(np.abs(np.asarray(changed.act(sent, step), np.float64) - sent).sum())
        for view in changed.views():
            spec = offered()[view]
            value = (
                (ELEMENTS,)
                if view == "dom"
                else rng.integers(0, 5)
                if isinstance(spec, Discrete)
                else f"text {step}"
            )
            if isinstance(spec, Box):
                pattern = 0.5 + 0.4 * np.sin(
                    np.arange(math.prod(spec.shape)) * 0.3 + step % 7
                ).reshape(spec.shape)
                value = (pattern * (200 if spec.dtype == "uint8" else 1)).astype(spec.dtype)
            seen = changed.see(view, value, step)
            if isinstance(spec, Box) and seen.shape == value.shape:
                total += float(np.abs(seen.astype(np.float64) - value).mean())
            elif isinstance(spec, Box):
                total += seen.size / value.size
            elif view == "dom":
                total += float(seen != value)
    return total


ELEMENTS = Element(3, 0, "button", "OK", "", "subbtn", (), 4.0, 5.0, 6.0, 7.0)


def _distance(one: str, other: str) -> float:
    from difflib import SequenceMatcher

    return 1.0 - SequenceMatcher(None, one, other, autojunk=False).ratio()


def test_noises_have_the_moments_they_say() -> None:
    image = np.full((200, 200, 3), 120, np.uint8)
    views = {"image": Box(image.shape, "uint8", 0, 255)}
    seen = effect("image_noise", 1, brief(**views)).see("image", image, 0).astype(np.float64)
    assert seen.mean() == pytest.approx(120, abs=0.3)
    assert seen.std() == pytest.approx(0.08 * 255, rel=0.02)
    shot = effect("shot_noise", 1, brief(**views)).see("image", image, 0).astype(np.float64)
    assert shot.mean() == pytest.approx(120, abs=1)
    assert shot.std() == pytest.approx(math.sqrt(120 / 255 * 60) * 255 / 60, rel=0.05)
    impulse = effect("impulse_noise", 5, brief(**views)).see("image", image, 0)
    assert (impulse != 120).any(axis=2).mean() == pytest.approx(0.27, abs=0.01)
    hidden = effect("occlusion", 3, brief(**views)).see("image", image, 0)
    assert (hidden != 120).any(axis=2).mean() == pytest.approx(0.25, abs=0.01)


def test_blurs_keep_the_mean_and_do_not_shift() -> None:
    image = np.zeros((101, 101), np.uint8)
    image[40:61, 40:61] = 200
    rows, columns = np.mgrid[:101, :101]
    for name in ("motion_blur", "defocus_blur", "camera_zoom"):
        for severity in SEVERITIES:
            seen = (
                effect(name, severity, brief(image=Box((101, 101), "uint8", 0, 255)))
                .see("image", image, 2)
                .astype(np.float64)
            )
            centre = (seen * rows).sum() / seen.sum(), (seen * columns).sum() / seen.sum()
            assert centre == pytest.approx((50, 50), abs=0.6), (name, severity)
            if name != "camera_zoom":
                assert seen.mean() == pytest.approx(image.mean(), rel=0.02)


def test_delays() -> None:
    late = effect("observation_delay", 2, brief(**offered()))
    assert [late.see("text", f"t{k}", k) for k in range(5)] == ["t0", "t0", "t0", "t1", "t2"]
    slow = effect("action_delay", 2, brief(Discrete(5, noop=4)))
    assert [slow.act(k, k) for k in range(4)] == [4, 4, 0, 1]


def test_a_burst_happens_once_and_is_told() -> None:
    burst = effect("burst", 3, brief(Discrete(1000)))
    changed = [step for step in range(40) if burst.act(-1, step) != -1]
    assert len(changed) == 5
    assert changed == list(range(changed[0], changed[0] + 5))
    assert 2 <= changed[0] <= 6  # an eighth of a horizon of 50
    assert burst.metrics() == {"burst_steps": 5.0}


NOTHING = {
    "image_noise": brief(state=Box((2,))),
    "hue": brief(image=Box((4, 4), "uint8", 0, 255)),
    "occlusion": brief(state=Box((4,)), direction=Discrete(4), admissible=Texts()),
    "state_noise": brief(
        image=Box((4, 4, 3), "uint8", 0, 255), grid=Box((4, 4, 3), "uint8", 0, 10)
    ),
    "action_noise": brief(Discrete(3)),
    "action_scale": brief(Box((2,))),
    "action_random": brief(Text()),
    "burst": brief(Text()),
    "ui_zoom": brief(Discrete(3)),
}


@pytest.mark.parametrize("name", NOTHING)
def test_where_there_is_nothing_to_change(name: str) -> None:
    with pytest.raises(NotApplicable) as no:
        effect(name, 3, NOTHING[name])
    assert no.value.missing.reason
    for empty in ("typos", "paraphrase", "instruction_blackout"):
        with pytest.raises(NotApplicable):
            effect(empty, 3, brief(), instruction=" ")
        with pytest.raises(NotApplicable):
            effect(empty, 3, brief(), instruction='{"from": "A"}')
    with pytest.raises(NotApplicable):
        effect("history", 1, brief(), history=1)


@given(
    severity=st.sampled_from(SEVERITIES),
    name=st.sampled_from(["ui_zoom", "ui_window", "ui_ids"]),
    data=st.data(),
)
@settings(deadline=None)
def test_a_screen_is_pointed_at_as_it_is_shown(
    severity: int, name: str, data: st.DataObject
) -> None:
    """The expert's action, as the agent would give it, comes back; boxes and points move alike."""
    body = brief(UI_SPEC, image=Box((30, 40, 3), "uint8", 0, 255), dom=Elements())
    changed = effect(name, severity, body, seed=data.draw(st.integers(0, 5)))
    shown = changed.shown(body)
    x, y = data.draw(st.tuples(st.floats(0, 39), st.floats(0, 29)))
    ref, to_ref = data.draw(st.tuples(st.integers(0, 5000), st.integers(1, 5000)))
    for action in (
        UIAction("click", x, y),
        UIAction("drag", ref=ref, to_ref=to_ref),
        UIAction("wait"),
    ):
        outward = changed.outward(action)
        assert shown.action.problem(outward) is None
        back = changed.inward(outward)
        assert (back.kind, back.ref, back.to_ref) == (action.kind, action.ref, action.to_ref)
        if action.x is not None:
            assert (back.x, back.y) == pytest.approx((action.x, action.y), abs=1e-9)
    image = np.zeros((30, 40, 3), np.uint8)
    elements = (ELEMENTS, dataclasses.replace(ELEMENTS, ref=7, parent=3, name=""))
    if "image" in changed.views():
        assert shown.observation["image"].problem(changed.see("image", image, 0)) is None
    seen = changed.see("dom", elements, 0)
    assert Elements().problem(seen) is None
    if name == "ui_ids":
        assert seen[1].parent == seen[0].ref
        assert seen[1].name == ""
        assert changed.inward(UIAction("click", ref=seen[0].ref)) == UIAction("click", ref=3)
    else:
        centre = changed.inward(UIAction("click", *seen[0].center))
        assert (centre.x, centre.y) == pytest.approx(ELEMENTS.center)


def test_beside_the_page_nothing_happens() -> None:
    changed = effect("ui_window", 5, brief(UI_SPEC, dom=Elements()))
    left, top = changed.margin  # type: ignore[attr-defined]
    outside = (
        UIAction("click", left - 1.0, float(top))
        if left
        else UIAction("click", float(left), top - 1.0)
    )
    assert changed.inward(outside) == UIAction("wait")
