"""Only episodes that started alike make a pair."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toys
from conftest import Run, Said

from harness.compare.pairs import Key, ScoredRun, pair_up, read_scored_run
from harness.core import UserError

Play = Callable[..., Run]
EPISODES = 6


@pytest.fixture
def runs(play_toys: Play) -> tuple[Path, Path]:
    task = toys.toy_task()
    return tuple(  # type: ignore[return-value]
        play_toys(agent, [task], EPISODES, out=agent).path for agent in ("GoodAgent", "RandomAgent")
    )


def change(run: Path, how: Callable[[dict[str, Any]], None]) -> None:
    file = run / "episodes.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line in lines:
        how(line)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def other_start(line: dict[str, Any]) -> None:
    line["start"] = "0" * 16


def test_two_agents_start_alike(runs: tuple[Path, Path]) -> None:
    (found,) = pair_up(*map(read_scored_run, runs))
    assert (len(found.pairs), found.missing, found.unlike, found.unknown) == (EPISODES, 0, 0, 0)


def test_what_started_differently_is_no_pair(runs: tuple[Path, Path]) -> None:
    change(runs[1], lambda line: other_start(line) if line["seed"] % 3 == 0 else None)
    (found,) = pair_up(*map(read_scored_run, runs))
    assert {pair.seed % 3 for pair in found.pairs} == {1, 2}
    assert (len(found.pairs), found.missing, found.unlike, found.unknown) == (4, 0, 2, 0)


def test_runs_of_which_nothing_started_alike_are_not_compared(
    runs: tuple[Path, Path], bench_here: Callable[..., Said]
) -> None:
    change(runs[1], other_start)
    with pytest.raises(UserError, match="no case of toys/goal@1 started alike"):
        pair_up(*map(read_scored_run, runs))
    said = bench_here("compare", *runs)
    assert said.code == 2
    assert "does not fix the start" in said.err


def test_where_a_run_does_not_say_so_it_pairs_as_before(runs: tuple[Path, Path]) -> None:
    change(runs[0], lambda line: line.pop("start") and None)
    (found,) = pair_up(*map(read_scored_run, runs))
    assert (len(found.pairs), found.unlike, found.unknown) == (EPISODES, 0, EPISODES)


@pytest.mark.parametrize(
    ("perturbations", "pairs"),
    [(("state_noise:3",), 0), (("friction:2",), 1), (("friction:2", "state_noise:3"), 1)],
)
def test_what_the_simulator_changes_pairs_where_its_control_did(
    runs: tuple[Path, Path], perturbations: tuple[str, ...], pairs: int
) -> None:
    key: Key = ("toys/goal@1", 3, perturbations)
    sides = [
        ScoredRun(side.name, side.stored, {}, {key: name, ("toys/goal@1", 3, ()): "the same"})
        for side, name in zip(map(read_scored_run, runs), ("one", "another"), strict=True)
    ]
    assert (sides[0].start_of(key) == sides[1].start_of(key)) is bool(pairs)


def test_compare_says_what_did_not_start_alike_or_is_not_known(
    runs: tuple[Path, Path], bench_here: Callable[..., Said]
) -> None:
    said = bench_here("compare", *runs, "--format", "json")
    assert not [note for note in json.loads(said.out)["notes"] if "start" in note]
    change(runs[1], lambda line: other_start(line) if line["seed"] == 0 else None)
    said = bench_here("compare", *runs)
    assert "1 of 6 cases did not start alike in the two runs, and make no pairs" in " ".join(
        said.out.split()
    )
    change(runs[0], lambda line: line.pop("start") and None)
    said = bench_here("compare", *runs)
    assert "is not recorded of 6 of 6 cases" in " ".join(said.out.split())
