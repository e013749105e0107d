"""The examples that GEA is trained on, and how a prompt is built and encoded."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
import toys
from toysuite import QUICK

from baselines.gea.backbone import IGNORED
from baselines.gea.config import Config, RVQConfig
from baselines.gea.data import Examples
from baselines.gea.policy import Policy
from baselines.gea.prompt import introduction, step_inputs
from baselines.gea.train import Job, train
from baselines.learning.encoders import CellEncoder
from harness.core import UI, Box, Brief, Discrete, Element, Elements, UIAction, UserError
from harness.demos.record import RecordingOptions, record
from harness.play.progress import PlainProgress
from harness.play.runner import RunOptions

CONFIG = Config(
    views=("state",), rvq=RVQConfig(codes=16, code_dim=8, hidden=32, steps=5, batch=64), words=300,
    width=32, layers=1, heads=2, mlp=32, numbers=8, history=3, batch=8, steps=1, text_tokens=64,
)  # fmt: skip
BOTH = (toys.TASKS[0], dataclasses.replace(toys.TASKS[0], domain="planning"), toys.TASKS[1])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Three sets: one task in two domains, and a continuous task. 30 % of actions are random."""
    made = []
    for number, task in enumerate(BOTH):
        out = tmp_path_factory.mktemp("demos") / "d"
        suite = dataclasses.replace(QUICK, name=f"quick{number}", tasks=(task,))
        options = RunOptions(workers=0)
        record(
            [(suite, task)],
            out,
            RecordingOptions(("state",), noise=0.3),
            options,
            PlainProgress(),
            episodes=6,
            seed=number,
        )
        made.append(out)
    return tuple(made)


@pytest.fixture(scope="module")
def examples(
    folders: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Examples, Policy]:
    out = tmp_path_factory.mktemp("m")
    for stage in ("tokenizer", "sft"):
        train(stage, Job(folders, out, CONFIG), lambda _: None)
    policy = Policy.load(out)
    return Examples(folders, CONFIG, policy.backbone.text_tokenizer, policy.codec), policy


def test_a_task_of_two_domains_is_drawn_from_both(
    examples: tuple[Examples, Policy], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = examples
    drawn = []
    real = found.example
    monkeypatch.setattr(found, "example", lambda *which: drawn.append(which) or real(*which))
    found.draw(np.random.default_rng(0), 1000)
    steps = {
        (number, row.index, step)
        for number, demos in enumerate(found._sets)
        for row in demos.rows
        for step in range(row.steps)
    }
    assert set(drawn) <= steps
    assert len(set(drawn)) > 0.8 * len(steps), "every step of every set can be drawn"


def test_tasks_are_drawn_by_their_weight(
    examples: tuple[Examples, Policy], folders: tuple[Path, ...]
) -> None:
    """3 to 1 within a domain. Weight 0 is never drawn, and the last matching pattern counts."""
    _, policy = examples
    names = [task.id for task in BOTH]

    def drawn(patterns: dict[str, float]) -> Counter[str]:
        found = Examples(
            folders,
            dataclasses.replace(CONFIG, tasks=patterns),
            policy.backbone.text_tokenizer,
            policy.codec,
        )
        return Counter(found._sets[number].rows[index].task for number, index in drawn_from(found))

    def drawn_from(found: Examples) -> list[tuple[int, int]]:
        seen: list[tuple[int, int]] = []
        real = found.example
        found.example = lambda number, index, step: (
            seen.append((number, index)) or real(number, index, step)
        )  # type: ignore[method-assign]
        found.draw(np.random.default_rng(0), 2000)
        return seen

    weighed = drawn({names[0]: 9, "*": 1, names[2]: 3})
    # The planning domain, half of all examples, has the first task only.
    assert abs(weighed[names[2]] / 2000 - 0.5 * 3 / 4) < 0.04, weighed
    assert set(drawn({names[2]: 0})) == {names[0]}
    with pytest.raises(UserError, match="that has a weight"):
        drawn({"*": 0})


def test_rare_cells_get_a_row_each() -> None:
    """A wall, a floor and two objects: nine rows for the surroundings, then one row per object."""
    grid = np.full((7, 7, 3), (1, 0, 0), np.uint8)
    grid[:, 0] = (2, 5, 0)
    grid[3, 4], grid[5, 2] = (6, 0, 0), (5, 4, 0)
    moved, empty = grid.copy(), np.full((7, 7, 3), (1, 0, 0), np.uint8)
    moved[3, 4], moved[3, 5] = grid[3, 5], grid[3, 4]
    encoder = CellEncoder(32)
    rows, other, none = encoder([grid, moved, empty], torch.device("cpu"))
    assert (len(rows), len(other), len(none)) == (11, 11, 9)
    assert not torch.allclose(rows[9], other[9]), "the ball is elsewhere"
    assert torch.equal(rows[10], other[10]), "the key is not"
    assert torch.allclose(encoder([moved], torch.device("cpu"))[0], other, atol=1e-6), (
        "whatever the batch"
    )


def test_a_grid_of_characters_is_left_out(examples: tuple[Examples, Policy]) -> None:
    """NetHack's cells have more codes than the model has rows for."""
    tokenizer = examples[1].backbone.text_tokenizer
    config = dataclasses.replace(CONFIG, views=("grid?",))

    def read(shape: tuple[int, ...], high: float | None) -> int:
        spec = Box(shape, "uint8", 0, high)
        seen = {"grid": np.full(shape, 5, np.uint8)}
        return len(
            step_inputs(Brief({"grid": spec}, Discrete(2), "", ""), seen, tokenizer, config).cells
        )

    assert [read((7, 7, 3), 10), read((7, 7, 3), 15)] == [1, 1]
    assert [read((79, 21, 2), 255), read((7, 7, 3), 16), read((4, 7, 3), 10)] == [0, 0, 0]


def test_targets_are_the_experts_answers(
    examples: tuple[Examples, Policy],
) -> None:
    """A target is the expert's answer at that step; there is none where noise replaced it."""
    found, policy = examples
    supervised = skipped = 0
    for number, demos in enumerate(found._sets):
        for row in demos.rows:
            demo = demos.read(row.index)
            for step in range(row.steps):
                prompt, answer = found.example(number, row.index, step)
                begin = step - len(prompt.actions)
                for place in range(len(prompt.actions)):
                    frame = demo.frames[begin + place]
                    same = bool(np.array_equal(frame.action, frame.executed))
                    assert (place in prompt.supervised) is same
                    supervised, skipped = supervised + same, skipped + (not same)
                policy.backbone.encode_inputs(prompt.steps, keep=False)
                batch = policy.backbone.collate([prompt], [answer])
                targets = batch.targets[0]
                at = targets != IGNORED
                assert bool((targets[at] == batch.ids[0][at]).all())
                expected = [
                    token
                    for place in prompt.supervised
                    for token in found.example(number, row.index, begin + place)[1]
                ]
                assert targets[at].tolist() == [*expected, *answer]
    assert supervised > 20
    assert skipped > 20


def test_a_batch_in_parts_has_the_loss_of_the_whole(
    examples: tuple[Examples, Policy], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, policy = examples
    drawn = found.draw(np.random.default_rng(1), 9)
    losses = []
    for parts in (1, 4, 20):
        monkeypatch.setattr("baselines.gea.policy.SFT_PARTS", parts)
        with torch.no_grad():
            losses.append(policy.sft_loss(*drawn).item())
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-4)


def test_a_cached_introduction_changes_no_answer(examples: tuple[Examples, Policy]) -> None:
    found, policy = examples
    prompts, _ = found.draw(np.random.default_rng(2), 12)
    kind = toys.ToyAdapter(toys.TASKS[0]).brief.action
    grammar = policy.codec.grammar(kind, {})
    rng = np.random.default_rng
    fresh = []
    for prompt in prompts:
        policy.eval()  # clears the cache
        fresh += policy.decide([prompt], [grammar], [rng(3)])
    kept = [policy.decide([prompt], [grammar], [rng(3)])[0] for prompt in prompts for _ in range(2)]
    together = policy.decide(prompts, [grammar] * len(prompts), [rng(3) for _ in prompts])
    for number, one in enumerate(fresh):
        for other in kept[2 * number : 2 * number + 2]:
            assert (one.tokens, one.log_probability) == (other.tokens, other.log_probability)
            np.testing.assert_array_equal(one.values, other.values)
        assert one.log_probability == pytest.approx(together[number].log_probability, abs=1e-4)


def test_a_long_instruction_keeps_its_two_ends(examples: tuple[Examples, Policy]) -> None:
    tokenizer = examples[1].backbone.text_tokenizer
    brief = Brief({}, Discrete(2), "a body", "a world")
    long = "In the beginning. " + "blah " * 200 + "The goal is 7."
    text = tokenizer.decode(introduction(brief, long, tokenizer, CONFIG))
    assert "In the beg" in text
    assert text.endswith("The goal is 7.")
    assert len(introduction(brief, "x" * 5000, tokenizer, CONFIG)) <= CONFIG.prompt_tokens


def test_the_prompt_gives_places_in_the_blocks_of_a_click(
    examples: tuple[Examples, Policy],
) -> None:
    _, policy = examples
    brief = Brief(
        {"dom": Elements("the page")}, UI(160, 210, ("click", "wait")), "a mouse", "a page"
    )
    button = Element(7, 0, "button", "OK", "", "", (), 40.0, 105.0, 20.0, 10.0)
    config = dataclasses.replace(CONFIG, views=("dom",))
    text = policy.backbone.text_tokenizer.decode(
        step_inputs(brief, {"dom": (button,)}, policy.backbone.text_tokenizer, config).text
    )
    assert text == ' dom: button "OK" 15 26'
    click = policy.codec.encode(brief.action, UIAction("click", ref=7), {"dom": (button,)})
    assert policy.backbone.text_tokenizer.decode(click).startswith("click 15 26")
