"""Paraphrases of the suites' instructions, and the names and numbers that stay as they are."""

from __future__ import annotations

import hashlib
import importlib
import itertools
import re

import pytest

from adapters._vizdoom_scenarios import SCENARIOS
from adapters.habitat.adapter import INSTRUCTIONS
from adapters.habitat.rearrange import SKILLS
from adapters.habitat.skill_episodes import INSTRUCTIONS as BY_NAME
from adapters.miniworld.worlds import WORLDS
from adapters.procgen import GAMES
from harness.core import Brief, Case, Discrete, Task
from harness.perturb import REGISTRY, Body, NotApplicable, RandomStreams
from harness.perturb.paraphrase import FRAMES, PHRASES, Paraphrase
from harness.perturb.wording import FILE, reviewed, reviewed_lines
from harness.records.registry import load
from suites import SUITES
from suites.libero_names import NAMES

FILLED = {"{}": "red ball", "{...}": "Some text.", "<>": "Bobine"}
OURS = sorted(
    {
        *(
            str(task.params["instruction"])
            for module in SUITES.values()
            for suite in importlib.import_module(module).SUITES
            for task in suite.tasks
            if "instruction" in task.params
        ),
        *GAMES.values(),
        *(scenario.instruction for scenario in SCENARIOS.values()),
        *(world.text for world in WORLDS.values()),
        "Go to the rubber duck.",
        "Go to the key of the colour that the sign on the wall names. Touch no other object.",
        *(text.format("tv monitor") for text in INSTRUCTIONS.values()),
        *(text for _, text in SKILLS.values()),
        *(text.format(thing="soup can", receptacle="tv stand") for text in BY_NAME.values()),
        *(
            re.sub(r"^[A-Z_]+SCENE[0-9]+_", "", name).replace("_", " ")
            for names in NAMES.values()
            for name in names
        ),
        "Play Ms Pacman.",
        "put a clean soapbar in countertop",
        "find two soapbar and put them in cabinet",
        "clean some fork and put it in countertop",
        "look at alarmclock under the desklamp",
        "pick up the pink block in the sliding cabinet",
        "unstack the blocks",
        "turn off the led light",
        "Your objective is to lift the coin from the floor of the laundry place.",
        "Welcome to TextWorld! Pick-up the keycard from the floor of the scullery.",
        "You do! Your task for today is to retrieve the keycard from the floor of the dish-pit.",
        "Your task is to find a(n) animal. First, focus on the thing. Then, move it to the orange "
        "box in the living room.",
        "Your task is to melt caesium. First, focus on the substance. Then, take actions that will "
        "cause it to change its state of matter.",
        "Select iF6p and click Submit.",
    }
)


def effect(name: str, text: str, seed: int, **params: object) -> str:
    body = Body(Brief({}, Discrete(2), "a body", "a simulator"), 1, text)
    case = Case(Task("toys/said@1", "planning", "toys:ToyAdapter"), seed)
    return str(load(REGISTRY[name].entry)(RandomStreams(case, name), body, **params).say(text))


def reworded(text: str, seed: int = 0, share: float = 1.0) -> str:
    return effect("paraphrase", text, seed, share=share, frame=False)


def is_framed(text: str) -> bool:
    return any(
        text.startswith(before) and text.endswith(after)
        for before, after in (frame.split("{}") for frame in FRAMES)
    )


def test_the_paraphrases_are_frozen() -> None:
    rule = repr((PHRASES, FRAMES)).encode()
    digest = hashlib.blake2b(FILE.read_bytes() + rule, digest_size=8).hexdigest()
    assert (REGISTRY["paraphrase"].version, digest) == (2, "b33836d264b24bd5"), (
        "other paraphrases are another effect: raise the version of paraphrase in registry.py, "
        "and of typos and letter_case where a <> was added or removed, unless only lines of "
        "instructions changed that came with a new version of their tasks"
    )


@pytest.mark.parametrize("text", OURS)
def test_every_instruction_of_a_suite_is_said_in_other_words(text: str) -> None:
    for seed in range(4):
        said = reworded(text, seed)
        assert said != text
        assert not is_framed(said)


def test_every_line_is_found_by_its_own_words_and_every_phrase_is_replaced() -> None:
    for line in reviewed_lines():
        text = "".join(FILLED.get(piece[0], piece[0]) for piece in line.pieces)
        known = reviewed(text)
        assert known is not None
        assert known[0] is line, f"{text} is taken for {known[0].original}"
        choices = [piece[1:] or (FILLED.get(piece[0], piece[0]),) for piece in line.pieces]
        assert all(part for part in itertools.chain(*choices))
        assert any(len(piece) > 1 for piece in line.pieces), f"{text} has no other words"
        assert reworded(text) in map("".join, itertools.product(*choices))


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        (
            "go to the red ball and pick up a key, then open the door after you put a box next to "
            "the blue ball",
            "(walk|move|head|get|proceed) to the red ball and (grab|take|collect) a key, and "
            "(then|after that) open up the door after you (place|set) a box next to the blue ball",
        ),
        (
            "turn on the stove and put the pot on it",
            "switch on the stove and (place|set) the pot .*",
        ),
        (
            "pick up the bowl and place it on the plate",
            "(grab|take|collect) the bowl and (put|set) it.*",
        ),
        ('Please click on "Go to the top".', 'Please (click|press) "Go to the top".'),
        (
            "go to settings, open bluetooth and turn on airplane mode",
            "(walk|move|head|get|proceed) to settings, open up bluetooth and switch on airplane "
            "mode",
        ),
        ("find and open the app", "(locate|look for) and open up the app"),
    ],
)
def test_the_rule_reaches_every_phrase(text: str, pattern: str) -> None:
    for seed in range(10):
        assert re.fullmatch(pattern, reworded(text, seed)), reworded(text, seed)


@pytest.mark.parametrize(
    "text",
    [
        "Then reach over the wall",
        "it has to open it",
        "Look at the open door close to the window",
        "press enter and find out why",
        "put on your coat and close in on it",
        "place an order to open up a shop",
        'Say "open the door"',
        "close to the wall",
    ],
)
def test_the_rule_breaks_no_sentence(text: str) -> None:
    # Where no synonym fits, the text stays whole in a sentence around it.
    for seed in range(10):
        said = reworded(text, seed)
        assert is_framed(said)
        assert text in said


def test_a_higher_share_keeps_what_a_lower_one_replaced() -> None:
    text = "go to the red ball and pick up a key, then open the door and put the box on the table"
    for seed in range(20):
        half, whole = reworded(text, seed, 0.5), reworded(text, seed)
        if not is_framed(half):
            assert all(word in whole.split() or word in text.split() for word in half.split()), (
                half,
                whole,
            )


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("Find the email by Bobine and forward that email to Marcella.", ["Bobine", "Marcella"]),
        ("Select 9hf, FahNBfs, 8Igo, iF6p and click Submit.", ["9hf, FahNBfs, 8Igo, iF6p"]),
        ("Select words similar to abc, defg and click Submit.", ["abc, defg"]),
        ("Enter the value of last name into the text field and press Submit.", ["last name"]),
        ("Order three items that are vegetarian", ["three"]),
        ("Play Montezuma Revenge.", ["Montezuma Revenge"]),
        (
            "Your task is to use chemistry to create the substance 'rust'. A recipe and some "
            "of the ingredients might be found near the bed. When you are done, focus on the rust.",
            ["'rust'", " rust."],
        ),
        ("(pick-up X): pick up block X from the table", ["(pick-up X)", " X "]),
        ("send notes.txt to amy@mail.org, from /amy", ["notes.txt", "amy@mail.org", "/amy"]),
        ("Set an alarm for half past Seven in Berlin", ["Seven", "Berlin"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["typos", "letter_case", "paraphrase", "distractor"])
def test_names_and_numbers_stay(text: str, exact: list[str], name: str) -> None:
    for params, seed in itertools.product(REGISTRY[name].levels, range(3)):
        try:
            said = effect(name, text, seed, **params)
        except NotApplicable:
            continue
        for part in exact:
            assert part in said, (params, said)


def test_text_in_capitals_is_not_all_names() -> None:
    assert effect("letter_case", "PRESS THE BUTTON", 0, style="lower") == "press the button"


@pytest.mark.parametrize(
    ("name", "params", "text"),
    [
        ("typos", {"share": 0.25}, "Run."),
        ("typos", {"share": 0.25}, '"Enter text"'),
        ("letter_case", {"style": "lower"}, "go to the red ball"),
        ("word_dropout", {"share": 0.5}, "Run."),
    ],
)
def test_what_stays_as_it_is_is_not_played(name: str, params: dict[str, object], text: str) -> None:
    with pytest.raises(NotApplicable, match="changes nothing in this instruction"):
        effect(name, text, 0, **params)


def test_a_typo_always_changes_a_letter() -> None:
    for seed in range(300):
        assert effect("typos", "all the balls", seed, share=0.02) != "all the balls"


def test_paraphrase_is_the_class_of_the_registry() -> None:
    assert load(REGISTRY["paraphrase"].entry) is Paraphrase
