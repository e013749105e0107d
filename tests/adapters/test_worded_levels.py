"""BabyAI in many words: the grammar and its split, the rooms, and what it is to escape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from adapters import _worded_levels as levels
from adapters import _worded_sentences as words
from adapters.minigrid import MiniGridAdapter
from harness.core import Case, Task, UserError
from harness.demos.training import training_task
from harness.testing import check_adapter
from suites.worded import SUITES

if (absent := MiniGridAdapter.missing()) is not None:
    pytest.skip(absent.reason, allow_module_level=True)

(SUITE,) = SUITES
TASKS = {task.id.partition("/")[2].partition("@")[0]: task for task in SUITE.tasks}


@pytest.fixture(scope="module")
def rooms() -> Iterator[dict[str, MiniGridAdapter]]:
    """An environment of each task."""
    made = {name: MiniGridAdapter(task) for name, task in TASKS.items()}
    yield made
    for adapter in made.values():
        adapter.close()


def test_there_are_648_sentences_and_none_is_in_both_splits() -> None:
    train, held_out = (
        {text for kind in words.KINDS for text in words.sentences(kind, split)}
        for split in words.SPLITS
    )
    assert (len(train), len(held_out)) == (516, 132)
    assert not train & held_out
    for kind in words.KINDS:
        seen = set(" ".join(words.sentences(kind, "train")).split())
        assert set(" ".join(words.sentences(kind, "held-out")).split()) <= seen
        for split in words.SPLITS:
            assert len(words.objects_of(kind, split)) == 18, "every object can be named"


@pytest.mark.parametrize("kind", words.KINDS)
def test_a_seed_has_one_room_and_two_sentences_and_the_expert_solves_it(
    rooms: dict[str, MiniGridAdapter], kind: str
) -> None:
    said: dict[str, set[str]] = {"trained": set(), "heldout": set()}
    for seed in range(12):
        starts = {}
        for name, texts in said.items():
            task, adapter = TASKS[f"{kind}-{name}"], rooms[f"{kind}-{name}"]
            step, executed = adapter.reset(Case(task, seed)), None
            texts.add(step.instruction)
            env = adapter._env
            starts[name] = (env.grid.encode().tobytes(), *map(int, env.agent_pos), env.agent_dir)
            assert env.max_steps == (levels.ESCAPE_STEPS if kind == "EscapeFrom" else 64)
            noun, colour = step.instruction.split()[:-3:-1]
            assert (env.named.type, env.named.color) == (words.NOUNS[noun], colour)
            while not (step.terminated or step.truncated):
                executed = adapter.expert(executed)
                step = adapter.step(executed)
            assert step.success is True, (kind, seed, step.instruction)
        assert starts["trained"] == starts["heldout"]
    assert said["trained"] <= set(words.sentences(kind, "train"))
    assert said["heldout"] <= set(words.sentences(kind, "held-out"))


def test_to_escape_is_to_be_far_away_and_not_to_carry_it(
    rooms: dict[str, MiniGridAdapter],
) -> None:
    task, adapter = TASKS["EscapeFrom-trained"], rooms["EscapeFrom-trained"]
    env = adapter._env
    for seed in range(12):
        adapter.reset(Case(task, seed))
        away = [
            levels.steps_between(env.agent_pos, (n % env.width, n // env.width))
            for n, cell in enumerate(env.grid.grid)
            if cell is not None and cell.type in words.NOUNS.values()
        ]
        assert sum(steps <= levels.NEAR for steps in away) >= 2
        assert levels.steps_between(env.agent_pos, env.named.cur_pos) <= levels.NEAR
        env.agent_pos = _far_from(env)
        verify: Any = env.instrs.verify
        env.carrying = env.named
        assert verify(0) == "continue"
        env.carrying = None
        assert verify(0) == "success"


def _far_from(env: Any) -> tuple[int, int]:
    cells = [(x, y) for x in range(1, env.width - 1) for y in range(1, env.height - 1)]
    far = [c for c in cells if levels.steps_between(c, env.named.cur_pos) == levels.FAR]
    return far[0]


def test_contract() -> None:
    check_adapter(TASKS["EscapeFrom-heldout"], steps=15)


def test_no_demonstration_has_a_held_out_sentence() -> None:
    for task in SUITE.tasks:
        assert training_task(task).params["split"] == "train"


def test_a_split_must_be_one_of_a_worded_level() -> None:
    def task(level: str, split: str) -> Task:
        return Task("babyai/x@1", "navigation", "a:A", params={"id": level, "split": split})

    with pytest.raises(UserError, match=re.escape("BabyAI-Worded... have a split")):
        MiniGridAdapter(task("BabyAI-GoTo-v0", "train"))
    with pytest.raises(UserError, match="the split is one of train, held-out, got 'all'"):
        MiniGridAdapter(task("BabyAI-WordedGoTo-v0", "all"))
