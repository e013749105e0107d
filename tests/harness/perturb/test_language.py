"""Perturbed instructions: data is never touched, and a paraphrase means the same, as BabyAI's
grammar reads it back."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.core import Brief, Case, Discrete, Task
from harness.perturb import REGISTRY, Body, NotApplicable, RandomStreams
from harness.perturb.paraphrase import FRAMES, PHRASES, THENS
from harness.records.registry import load

WORDS = [name for name, kind in REGISTRY.items() if kind.group == "language"]
COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
TYPES = ("ball", "box", "key", "door", "object")
PLACES = ("in front of you", "behind you", "on your left", "on your right")
GRAMMAR = {
    *COLOURS,
    *TYPES,
    "front",
    "behind",
    "left",
    "right",
    "next",
    "after",
    "you",
    "your",
    "the",
    "a",
    "and",
}


def said(name: str, severity: int, text: str, seed: int) -> str:
    kind = REGISTRY[name]
    task = Task("toys/said@1", "planning", "toys:ToyAdapter")
    body = Body(Brief({}, Discrete(2), "a body", "a simulator"), 1, text)
    form = load(kind.entry)
    try:
        return str(
            form(RandomStreams(Case(task, seed), name), body, **kind.levels[severity - 1]).say(text)
        )
    except NotApplicable:
        return text


@st.composite
def missions(draw: st.DrawFn) -> str:
    """What BabyAI's grammar says (arXiv 1810.08272, figure 2)."""

    def thing() -> str:
        words = [
            draw(st.sampled_from(["the", "a"])),
            draw(st.sampled_from(["", *COLOURS])),
            draw(st.sampled_from(TYPES)),
        ]
        return " ".join(filter(None, [*words, draw(st.sampled_from(["", *PLACES]))]))

    def clause() -> str:
        verb = draw(st.sampled_from(["go to", "pick up", "open", "put"]))
        return f"put {thing()} next to {thing()}" if verb == "put" else f"{verb} {thing()}"

    def sentence() -> str:
        return f"{clause()} and {clause()}" if draw(st.booleans()) else clause()

    join = draw(st.sampled_from(["", ", then ", " after you "]))
    return sentence() + join + sentence() if join else sentence()


def read_back(text: str) -> str:
    """The mission that a paraphrase stands for. Raises ValueError where it stands for none."""
    for frame in FRAMES:
        before, after = frame.split("{}")
        if text.startswith(before) and text.endswith(after) and (before or after):
            text = text[len(before) : len(text) - len(after)]
            break
    text = text.removesuffix(".")
    for phrase in ("go to", "pick up", "open", "put", "then"):
        others = THENS if phrase == "then" else PHRASES[phrase][0]
        for other in sorted(others, key=len, reverse=True):
            text = re.sub(rf"(?<!\w){re.escape(other)}(?!\w)", phrase, text)
    thing = (
        rf"(?:the|a)(?: (?:{'|'.join(COLOURS)}))? (?:{'|'.join(TYPES)})(?: (?:{'|'.join(PLACES)}))?"
    )
    clause = rf"(?:(?:go to|pick up|open) {thing}|put {thing} next to {thing})"
    sentence = rf"{clause}(?: and {clause})?"
    if not re.fullmatch(rf"{sentence}(?:(?:, then | after you ){sentence})?", text):
        raise ValueError(text)
    return text


@given(mission=missions(), severity=st.integers(1, 5), seed=st.integers(0, 50))
@settings(max_examples=150, deadline=None)
def test_a_paraphrase_of_a_mission_reads_back_as_that_mission(
    mission: str, severity: int, seed: int
) -> None:
    paraphrase = said("paraphrase", severity, mission, seed)
    assert paraphrase != mission
    assert read_back(paraphrase) == mission


def test_the_real_levels_missions_read_back() -> None:
    gymnasium = pytest.importorskip("gymnasium")
    pytest.importorskip("minigrid")
    level = gymnasium.make("minigrid:BabyAI-BossLevel-v0", disable_env_checker=True)
    missions = {level.reset(seed=seed)[0]["mission"] for seed in range(12)}
    assert len(missions) > 8
    for mission in missions:
        assert read_back(said("paraphrase", 5, mission, 1)) == mission
    level.close()


def test_the_lexicon_names_no_word_of_the_grammar() -> None:
    for phrase, (others, _) in PHRASES.items():
        for other in others:
            assert not GRAMMAR & set(other.split()), phrase
    for frame in FRAMES:
        assert not (set(COLOURS) | set(TYPES)) & set(re.findall(r"\w+", frame.lower()))


PIECES = [
    "Click",
    "on",
    "the",
    '"Enter text"',
    "button",
    "go to",
    "room",
    "42",
    "then",
    "pick up",
    "apples",
    '"x"',
    "it's",
]
SENTENCES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=9)


@given(
    name=st.sampled_from(["typos", "letter_case", "paraphrase", "distractor"]),
    severity=st.integers(1, 5),
    words=SENTENCES,
    seed=st.integers(0, 9),
)
@example(name="typos", severity=5, words=['"Enter text"'], seed=0)
@settings(max_examples=120, deadline=None)
def test_quotations_and_numbers_stay(name: str, severity: int, words: list[str], seed: int) -> None:
    text = " ".join(words)
    changed = said(name, severity, text, seed)
    for data in re.findall(r'"[^"]*"|\b\d+\b', text):
        assert changed.count(data) == text.count(data)


@given(
    name=st.sampled_from(WORDS),
    severity=st.integers(1, 5),
    text=st.text(max_size=60),
    seed=st.integers(0, 5),
)
@settings(max_examples=120, deadline=None)
def test_any_text_is_said_somehow_and_always_the_same(
    name: str, severity: int, text: str, seed: int
) -> None:
    text = f"word {text}"
    first = said(name, severity, text, seed)
    assert isinstance(first, str)
    assert first == said(name, severity, text, seed)


def test_how_much_is_left() -> None:
    text = "go to the red ball and then open the big blue door behind you"
    assert said("instruction_blackout", 5, text, 0) == ""
    assert (
        said("instruction_blackout", 1, text, 0)
        == "go to the red ball and then open the big blue"[
            : len("go to the red ball and then open the big blue")
        ]
    )
    assert said("letter_case", 3, text, 0) == text.upper()
    counts = [len(said("word_dropout", s, text, 3).split()) for s in range(1, 6)]
    assert counts == sorted(counts, reverse=True)
    assert 1 <= counts[-1] < counts[0] < len(text.split())
    assert text in said("distractor", 5, text, 0)
    assert np.mean([said("typos", 5, text, seed) != text for seed in range(20)]) == 1
