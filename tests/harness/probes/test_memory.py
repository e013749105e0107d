"""`bench probe memory` finds how far agents remember of which that is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Notes, Said
from findings import printed_again

from harness.cli.names import suites_named
from harness.compare.pairs import ScoredRun, read_scored_run
from harness.core import Agent, Answer, Box, Brief, Suite, Turn, UserError
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.probes.memory import MemoryProbe, compare_contexts, twins
from harness.probes.truncated import Truncated, TruncatedSpec
from harness.records.catalogue import select_tasks
from harness.records.identity import AgentSpec

pytest.importorskip("minigrid")


def run_of(folder: Path, spec: AgentSpec, size: str, episodes: int) -> ScoredRun:
    """Both twins of this size, played."""
    (suite,) = suites_named("memory")
    chosen = select_tasks([suite], f"memory/{size}-*")
    plan = make_plan(chosen, spec, episodes=episodes, seed=0)
    play(spec, ["memory"], plan, folder, RunOptions(), Notes())
    return read_scored_run(folder)


def probe(folder: Path, size: str, specs: dict[str, AgentSpec], episodes: int = 8) -> MemoryProbe:
    return compare_contexts(
        {label: run_of(folder / label, spec, size, episodes) for label, spec in specs.items()}
    )


def looks(context: int) -> AgentSpec:
    return AgentSpec("looks", "walkers:Looks", {"context": context})


REMEMBERS = AgentSpec("remembers", "walkers:Remembers", {})


@pytest.mark.parametrize(("size", "contexts"), [("S7", (1, 3, 4)), ("S11", (5, 6))])
def test_the_context_that_reaches_the_cue_is_found(
    tmp_path: Path, size: str, contexts: tuple[int, ...]
) -> None:
    found = probe(tmp_path, size, {str(c): looks(c) for c in contexts}, 8 if size == "S7" else 2)
    assert {each.visible.value for each in found.contexts} == {1.0}
    *short, last = [each.hidden.value for each in found.contexts]
    assert last == 1.0
    assert all(each < 1.0 for each in short)
    if contexts[0] > 1:
        return
    assert found.contexts[0].hidden.value == 0.0
    assert found.contexts[0].gap.value == 1.0
    assert found.contexts[0].gap.low > 0
    beyond = found.contexts[0].beyond
    assert beyond is not None
    assert beyond.value == 1.0
    assert beyond.low > 0


def test_cut_history_and_cut_memory_come_to_the_same(tmp_path: Path) -> None:
    runs = {}
    for context in (3, 4):
        specs = {
            "argument": looks(context),
            "history": TruncatedSpec.of(looks(64), context),
            "memory": TruncatedSpec.of(REMEMBERS, context),
        }
        runs[context] = {
            name: dict(run_of(tmp_path / f"{name}{context}", spec, "S7", 2).values)
            for name, spec in specs.items()
        }
    for each in runs.values():
        assert each["argument"] == each["history"] == each["memory"]
    assert runs[3]["memory"] != runs[4]["memory"]


class Sums(Agent):
    """Answers the sum of all that it has seen, which it remembers."""

    reads = ("state",)
    history = 3

    def act(self, turns: Any) -> list[Any]:
        sums = [(turn.memory or 0.0) + float(turn.observation["state"][0]) for turn in turns]
        return [Answer([each], memory=each) for each in sums]


class Counts(Agent):
    """Answers how many observations and actions it is shown."""

    reads = ("state",)
    history = 4

    def act(self, turns: Any) -> list[Any]:
        return [(len(turn.observations), len(turn.actions)) for turn in turns]


BRIEF = Brief({"state": Box((1,), "float32")}, Box((1,), "float32", -1.0, 1.0), "body", "none")


def answers_of(agent: Agent, values: list[float], history: int) -> list[Any]:
    """The actions of an agent that is shown these values, one a step."""
    memory, found = None, []
    shown = [{"state": np.array([each], np.float32)} for each in values]
    for step in range(len(values)):
        first = max(0, step + 1 - history)
        turn = Turn(
            BRIEF, "", tuple(shown[first : step + 1]), tuple(range(first, step)), step, "e", memory
        )
        (answer,) = agent.act([turn])
        memory = answer.memory
        found.append(answer.actions[0])
    return found


@pytest.mark.parametrize("context", [1, 2, 3, 10])
def test_an_answer_depends_on_the_last_turns_alone(context: int) -> None:
    values = [1.0, 10.0, 100.0, 1000.0, 10000.0]
    found = answers_of(Truncated(Sums(), context), values, 3)
    assert found == [sum(values[max(0, k + 1 - context) : k + 1]) for k in range(len(values))]


def test_history_is_cut_too() -> None:
    cut = Truncated(Counts(), 2)
    assert cut.history == 2
    # A host that shows more than was declared, as one before a chunk of actions may.
    assert answers_of(cut, [0.0] * 5, 4) == [(1, 0), (2, 1), (2, 1), (2, 1), (2, 1)]
    assert answers_of(Truncated(Counts(), 9), [0.0] * 5, 4)[-1] == (4, 3)


def test_answers_do_not_depend_on_the_batch() -> None:
    agent = Truncated(Sums(), 2)
    turns = [
        Turn(BRIEF, "", ({"state": np.array([each], np.float32)},), (), 0, str(each))
        for each in (1.0, 2.0)
    ]
    first = agent.act(turns)
    again = [
        Turn(BRIEF, "", turn.observations, (), 1, turn.episode, answer.memory)
        for turn, answer in zip(turns, first)
    ]
    together = [each.actions for each in agent.act(again)]
    alone = [agent.act([each])[0].actions for each in again]
    assert together == alone == [[2.0], [4.0]]


def test_contexts_are_different_agents() -> None:
    prints = {TruncatedSpec.of(REMEMBERS, context).fingerprint() for context in (1, 2)}
    assert len(prints | {REMEMBERS.fingerprint()}) == 3
    told = TruncatedSpec.of(looks(64), 2).to_json()
    assert told["history"] == 2
    assert told["identity"] == {"context": 64, "context_turns": 2}
    assert told["fingerprint"] == TruncatedSpec.of(looks(64), 2).fingerprint()


def test_the_contracts_are_kept() -> None:
    from walkers import Remembers

    from harness.testing import check_adapter, check_agent

    (suite,) = suites_named("memory")
    _, visible = suite.tasks[:2]
    check_adapter(visible, steps=15)
    check_agent(Truncated(Remembers(), 3), [visible])


def test_the_twins_differ_in_one_cell() -> None:
    import dataclasses

    from adapters.minigrid import MiniGridAdapter
    from harness.core import Case

    (suite,) = suites_named("memory")
    for hidden, visible in zip(suite.tasks[::2], suite.tasks[1::2]):
        one, other = MiniGridAdapter(hidden), MiniGridAdapter(visible)
        assert "image" not in one.brief.observation
        assert one.brief.observation.keys() == other.brief.observation.keys()
        for seed in range(3):
            one.reset(Case(hidden, seed))
            other.reset(Case(visible, seed))
            assert one.state() == other.state()
            grids = [each._env.grid.encode() for each in (one, other)]
            ((x, y),) = {(x, y) for x, y, _ in np.argwhere(grids[0] != grids[1]).tolist()}
            assert grids[1][x, y].tolist() == grids[0][1, y - 1].tolist()
            assert one._env.success_pos == other._env.success_pos
            assert x == one._env.success_pos[0] + 1
        one.close()
        other.close()
    assert dataclasses.replace(hidden, id="a/b@1").params["image"] is False


def test_what_is_no_pair_of_twins_is_refused() -> None:
    import toys

    spec = AgentSpec("good", "toys:GoodAgent", {})

    def plan_of(*tasks: Any) -> Any:
        suite = Suite("toys", "toys", tasks, 2)
        return make_plan([(suite, task) for task in tasks], spec, episodes=None, seed=0)

    named = toys.toy_task("a-hidden"), toys.toy_task("a-visible"), toys.toy_task("visible")
    assert twins(plan_of(*named)) == {"toys/a": (0, 1)}
    with pytest.raises(UserError, match="no two tasks are twins"):
        twins(plan_of(toys.toy_task("a-hidden"), toys.toy_task()))
    with pytest.raises(UserError, match="same first_seed"):
        twins(plan_of(toys.toy_task("a-hidden"), toys.toy_task("a-visible", first_seed=5)))
    with pytest.raises(UserError, match="need a success rule"):
        twins(plan_of(toys.toy_task("a-hidden", success=None), toys.toy_task("a-visible")))


SMALL = ("--tasks", "memory/S7-*", "--episodes", 8, "--workers", 0)


def test_the_command_says_it(bench_here: Callable[..., Said]) -> None:
    words = ("probe", "memory", "--agent", "walkers:Remembers", *SMALL, "--contexts", "all,1")
    said = bench_here(*words, "--out", "probed", "--figure", "memory.png")
    assert said.code == 0, said.err
    rows = [" ".join(line.split()) for line in said.out.splitlines()]
    assert rows[3].startswith("1 8 0 (0 to 32) 100 (68 to 100) 100 (")
    assert rows[4].startswith("all 8 100 (68 to 100) 100 (68 to 100) 0 (")
    assert "the longer context is used" in " ".join(said.out.split())
    assert Path("memory.png").read_bytes()[:4] == b"\x89PNG"
    printed_again(bench_here, "probed", said.out)
    again = bench_here(*words, "--out", "probed", "--format", "json")
    told = json.loads(again.out)
    assert told["schema"] == 1
    assert [each["context"] for each in told["contexts"]] == ["1", "all"]
    assert told["contexts"][0]["gap"]["value"] == 1.0
    assert told["contexts"][1]["beyond"] is None
    assert told["missing"] == 0
    set_by_argument = bench_here(
        "probe", "memory", "--agent", "walkers:Looks", *SMALL, "--contexts", "1,4",
        "--context-arg", "context", "--out", "other", "--format", "json",
    )  # fmt: skip
    assert json.loads(set_by_argument.out)["contexts"][1]["hidden"]["value"] == 1.0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--contexts", "1,many"), "write numbers of turns"),
        (("--contexts", "0,1"), "write numbers of turns"),
        (("--contexts", "1"), "name two contexts at least"),
        (("--figure", "memory.txt"), "a figure is a file ending in"),
        (("--suite", "smoke", "--tasks", "*GoTo*"), "no two tasks are twins"),
        (("--agent", "walkers:ReadsAll"), "reads whatever it touches"),
        (("--context-arg", "context", "--agent-arg", "context=3"), "the contexts set it"),
        (("--context-arg", "nothing"), "takes other arguments"),
    ],
)
def test_what_cannot_be_probed_is_one_line(
    bench_here: Callable[..., Said], words: tuple[str, ...], why: str
) -> None:
    given = ("--agent", "walkers:Looks", *SMALL, *words)
    said = bench_here("probe", "memory", *given)
    assert said.code == 2, said
    assert why in said.err.splitlines()[-1]
    assert "Traceback" not in said.err
    assert said.out == ""


def test_equal_agents_use_no_context(tmp_path: Path) -> None:
    """An agent that has no memory has the same gap with every context."""
    forgets = AgentSpec("forgets", "walkers:Forgets", {})
    found = probe(tmp_path, "S7", {"1": TruncatedSpec.of(forgets, 1), "all": forgets}, 4)
    assert found.contexts[0].beyond is not None
    assert found.contexts[0].beyond.value == 0.0
    assert found.contexts[0].beyond.low < 0 < found.contexts[0].beyond.high
    assert "whether the longer context is used is open" in found.as_text(200)
