"""The reference agents: each does what its name says and sees only what it may."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from conftest import Run
from scipy import stats

from baselines import AGENTS
from baselines.blind import Blind
from baselines.simple import Noop, Oracle, Uniform
from harness.core import UI, Agent, Box, Brief, Discrete, MultiDiscrete, Spec, Text, Turn, UserError
from harness.records.registry import load
from harness.records.run_file import read_run
from harness.records.traces import Trace, TraceWriter, encode_actions
from harness.testing import check_agent

Play = Callable[..., Run]

SPECS: list[Spec] = [
    Discrete(1),
    Discrete(7, noop=6),
    Box((3,), low=(-1.0, 0.0, 10.0), high=(1.0, 0.5, 20.0), noop=(0.0, 0.25, 0.0)),
    Box((2, 2), "float64"),
    Box((2,), "int32", -2, 2),
    MultiDiscrete((2, 5)),
    Text(choices=("look", "go north")),
    Text(),
    UI(64, 48, ("wait", "click", "type"), texts=("ü", "two words")),
]


LEARNED = ("gea", "gea-state", "gea-base", "transformer-bc", "decision-transformer")
NEED_WEIGHTS = ("transformer-bc", "decision-transformer")
"""They play the bodies that their weights were trained on: see their own tests."""
UNSEEING = [name for name in AGENTS if name not in LEARNED]


class Unreadable(Mapping[str, Any]):
    """Observations that fail when they are read."""

    def __getitem__(self, name: str) -> Any:
        raise AssertionError(f"{name} was read")

    def __iter__(self) -> Any:
        raise AssertionError("the observations were listed")

    def __len__(self) -> int:
        raise AssertionError("the observations were counted")


def turns(spec: Spec, count: int = 1, instruction: str = "", expert: Any = None) -> list[Turn]:
    brief = Brief({"state": Box((4,))}, spec, "a body", "a platform")
    return [
        Turn(brief, instruction, (Unreadable(),), (), step, "episode", None, expert, 99)
        for step in range(count)
    ]


@pytest.mark.parametrize("name", [name for name in AGENTS if name not in NEED_WEIGHTS])
def test_contract(name: str) -> None:
    check_agent(AGENTS[name], toys.SUITE_TASKS)


@pytest.mark.parametrize("name", UNSEEING)
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_their_answers_are_in_the_spec(name: str, spec: Spec) -> None:
    agent: Agent = load(AGENTS[name])()
    for answer in agent.act(turns(spec, 50)):
        spec.validate(answer)
    assert agent.act([]) == []


def test_only_the_oracles_are_privileged() -> None:
    reads = {name: load(entry).reads for name, entry in AGENTS.items()}
    assert not any("expert" in reads.pop(name) for name in LEARNED)
    assert reads == {
        "uniform": (),
        "noop": (),
        "oracle": ("expert",),
        "noisy-oracle": ("expert",),
        "blind": (),
    }


def test_uniform_is_uniform() -> None:
    """By the chi-square and Kolmogorov-Smirnov tests, on 2,000 fixed draws."""
    chosen = Uniform().act(turns(Discrete(7), 2000))
    assert stats.chisquare(np.bincount(chosen, minlength=7)).pvalue > 0.01
    box = Box((2,), low=(-1.0, 0.0), high=(1.0, 5.0))
    drawn = np.stack(Uniform().act(turns(box, 2000)))
    for column, low, width in ((0, -1, 2), (1, 0, 5)):
        assert stats.kstest(drawn[:, column], stats.uniform(low, width).cdf).pvalue > 0.01
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.1
    pairs = np.stack(Uniform().act(turns(MultiDiscrete((2, 3)), 2000)))
    assert stats.chisquare(np.bincount(pairs @ [3, 1], minlength=6)).pvalue > 0.01


def test_uniform_depends_on_the_turn_only() -> None:
    alone = [Uniform().act([turn])[0] for turn in turns(Discrete(1000), 20)]
    assert Uniform().act(turns(Discrete(1000), 20)) == alone
    assert len(set(alone)) > 10


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_noop_does_nothing(spec: Spec) -> None:
    for answer in Noop().act(turns(spec, 3)):
        assert np.array_equal(answer, spec.noop())


def test_the_oracle_plays_the_expert_and_the_noop_once_it_has_given_up() -> None:
    spec = Discrete(7, noop=6)
    assert Oracle().act(
        turns(spec, 1, expert=3) + turns(spec, 1, expert=None) + turns(spec, 1, expert=0)
    ) == [3, 6, 0]


def test_the_oracle_solves_the_toys(play_toys: Play) -> None:
    run = play_toys("baselines.simple:Oracle")
    assert all(line["success"] for line in run.results if line["task"] != "toys/survive@1")


# Blind


def record(path: Path, *episodes: tuple[str, list[Any]]) -> str:
    """The traces of a run, from (instruction, actions) of each episode."""
    (path / "traces").mkdir(parents=True)
    writer = TraceWriter(path / "traces")
    for number, (instruction, actions) in enumerate(episodes):
        writer.append(
            Trace(
                case=f"case{number}",
                task="toys/goal@1",
                seed=number,
                instruction=instruction,
                actions=encode_actions(actions),
                digest="",
            )
        )
    writer.close()
    return str(path)


def blind(agent: Blind, spec: Spec, instruction: str) -> Any:
    return agent.act(turns(spec, 1, instruction))[0]


def test_blind_without_a_record_does_nothing() -> None:
    for spec in SPECS:
        assert np.array_equal(blind(Blind(), spec, "go"), spec.noop())


def test_blind_plays_the_habit_of_the_instruction(tmp_path: Path) -> None:
    agent = Blind(
        record(
            tmp_path / "run",
            ("left", [1, 1, 2]),
            ("right", [2, 3, 3]),
            ("left", [1]),
            ("right", [2, 3]),
            ("wait", [2, 2, 2]),
        )
    )
    assert blind(agent, Discrete(5), "left") == 1
    assert blind(agent, Discrete(5), "right") == 3
    assert blind(agent, Discrete(5), "somewhere") == 2, "an unknown instruction: the habit over all"
    assert blind(agent, Discrete(3), "right") == 0, (
        "a choice that does not exist here is not played"
    )
    assert blind(agent, Text(choices=("look",)), "left") == "look", "nor one of another kind"


def test_blind_plays_the_mean_where_actions_are_continuous(tmp_path: Path) -> None:
    arrays = [np.asarray(each, np.float32) for each in ([0.0, 1.0], [0.5, 0.0], [1.0, 0.5])]
    agent = Blind(record(tmp_path / "run", ("push", arrays[:2]), ("pull", arrays[2:])))
    answer = blind(agent, Box((2,), low=-1.0, high=1.0), "push")
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, [0.25, 0.5])
    np.testing.assert_allclose(blind(agent, Box((2,), low=-1.0, high=1.0), "else"), [0.5, 0.5])
    assert np.array_equal(blind(agent, Box((2,), low=-1.0, high=0.2), "push"), [0, 0]), (
        "out of bounds is not played"
    )
    assert np.array_equal(blind(agent, Box((3,)), "push"), [0, 0, 0]), "another shape is not played"


def test_blind_keeps_the_actions_of_several_families_apart(tmp_path: Path) -> None:
    agent = Blind(
        record(
            tmp_path / "run",
            ("go", [4, 4]),
            ("go", [np.ones(2, np.float32)]),
            ("go", ["look", "go", "go"]),
        )
    )
    assert blind(agent, Discrete(5), "go") == 4
    assert np.array_equal(blind(agent, Box((2,)), "go"), [1, 1])
    assert blind(agent, Text(), "go") == "go"


def test_blind_plays_the_most_frequent_choices_where_there_are_several(tmp_path: Path) -> None:
    played = [np.array(each, np.int64) for each in ([0, 0], [0, 0], [4, 4], [4, 0], [4, 4], [0, 0])]
    answer = blind(Blind(record(tmp_path / "run", ("go", played))), MultiDiscrete((5, 5)), "go")
    assert answer.tolist() == [0, 0]


def test_blind_wants_a_run_with_traces(tmp_path: Path) -> None:
    (tmp_path / "traces").mkdir()
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UserError, match="has no recorded actions"):
            Blind(str(path))
    record(tmp_path / "empty", ("go", []))
    with pytest.raises(UserError, match="has no recorded actions"):
        Blind(str(tmp_path / "empty"))


def test_blind_on_a_real_run(play_toys: Play, tmp_path: Path) -> None:
    """It solves what the instruction gives away, such as a start that is always the same."""
    tasks = [toys.toy_task(), toys.toy_task("glide", action="box")]
    seen = play_toys("GoodAgent", tasks, 8, out="seen")
    run = play_toys("baselines.blind:Blind", tasks, 8, out="run", args={"record": str(seen.path)})
    assert {line["status"] for line in run.results} == {"finished"}
    assert (
        0
        < sum(line["success"] for line in run.results)
        < sum(line["success"] for line in seen.results)
        == 16
    )
    assert all("clipped_actions" not in line["metrics"] for line in run.results)


def test_a_changed_record_is_another_agent(play_toys: Play) -> None:
    seen = play_toys("GoodAgent", out="seen", episodes=1)
    play_toys("baselines.blind:Blind", out="run", args={"record": str(seen.path)})
    (seen.path / "traces" / "part-0000.msgpack").write_bytes(b"")
    part = TraceWriter(seen.path / "traces")
    part.append(
        Trace(case="c", task="t", seed=0, instruction="go", actions=encode_actions([4]), digest="")
    )
    part.close()
    with pytest.raises(UserError, match="source or weights changed"):
        play_toys("baselines.blind:Blind", out="run", args={"record": str(seen.path)})


def test_a_run_records_what_they_read(play_toys: Play) -> None:
    for agent, reads in (
        ("simple:Oracle", ["expert"]),
        ("simple:Uniform", []),
        ("blind:Blind", []),
    ):
        recorded = read_run(play_toys(f"baselines.{agent}", out=agent, episodes=1).path)["agent"]
        assert (recorded["privileged"], recorded["reads"]) == (bool(reads), reads)
