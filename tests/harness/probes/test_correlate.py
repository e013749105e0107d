"""`bench correlate`: policies in simulated variants beside trials on what stands for the robot."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from conftest import Said
from reports import item, line, run_of, write_report_run

from harness.compare.pairs import ScoredRun, read_scored_run
from harness.core import UserError
from harness.probes.correlate import correlate
from harness.probes.correlate_tables import correlation_text
from harness.records.trials import Trial, as_lines, read_trials

TASK = item("toy/reach@1", episodes=60)
OTHER = item("toy/reach@1", suite="cruder", episodes=60)
RATES = {"a": 0.95, "b": 0.75, "c": 0.6, "d": 0.45, "e": 0.25, "f": 0.05}
HARD = np.random.default_rng(0).random(60)
"""Of each case, for the simulator and for what stands for the robot."""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., ScoredRun]:
    """A run in which a policy solves the cases that are no harder than its rate."""

    def go(name: str, rate: float, of: object = TASK) -> ScoredRun:
        lines = [line(TASK, k, success=bool(HARD[k] < rate)) for k in range(60)]
        suite = TASK if of is TASK else OTHER
        path = tmp_path / f"{name}-{suite.suite}"
        return read_scored_run(write_report_run(path, run_of(suite, name=name), lines), str(path))

    return go


def trials(rates: Mapping[str, float], tried: int = 30, *, paired: bool = True) -> list[Trial]:
    """Of each policy in the first cases; the robot is a little harder."""
    found = []
    for name, rate in rates.items():
        for k in range(tried):
            case = line(TASK, k)["case"] if paired else None
            found.append(
                Trial(
                    policy=name,
                    task="toy/reach@1",
                    success=bool(HARD[k] < rate - 0.05),
                    blinded=True,
                    case=case,
                )
            )
    return found


def test_a_simulator_that_ranks_as_the_robot_does(write: Callable[..., ScoredRun]) -> None:
    runs = [(name, write(name, rate)) for name, rate in RATES.items()]
    # A cruder simulator turns the policies around.
    runs += [(name, write(name, 1 - rate, OTHER)) for name, rate in RATES.items()]
    found = correlate(runs, trials(RATES))
    good, crude = found.variants
    assert (good.variant, crude.variant) == ("toy", "cruder")
    assert good.pearson is not None
    assert good.pearson.value > 0.9
    assert good.violation is not None
    assert good.violation.value < 0.1
    assert crude.spearman is not None
    assert crude.spearman.value < -0.9
    assert [(each.better, each.other) for each in found.apart] == [("toy", "cruder")]
    text = correlation_text(found)
    assert "predicts the robot better than cruder" in " ".join(text.split())
    assert "blinded" in text


def test_trials_that_repeat_cases_are_helped_by_them(write: Callable[..., ScoredRun]) -> None:
    runs = [(name, write(name, rate)) for name, rate in RATES.items()]
    found = {row.policy: row for row in correlate(runs, trials(RATES)).powered}
    half = found["c"]
    assert (half.cases, half.further) == (30, 30)
    assert half.powered is not None
    assert half.power is not None
    assert half.power > 0.3
    truth = (RATES["c"] - 0.05 > HARD).mean()
    assert half.powered.low <= truth <= half.powered.high
    assert half.powered.high - half.powered.low < half.alone.high - half.alone.low
    few = correlate(runs, trials(RATES, 10)).powered[0]
    assert (few.cases, few.powered) == (10, None)
    assert correlate(runs, trials(RATES, paired=False)).powered == ()


def test_four_policies_are_points_only(write: Callable[..., ScoredRun]) -> None:
    some = dict(list(RATES.items())[:4])
    runs = [(name, write(name, rate)) for name, rate in some.items()]
    found = correlate(runs, trials(RATES))
    assert found.variants[0].pearson is None
    assert len(found.variants[0].simulated) == 4
    assert any("not simulated: e, f" in note for note in found.notes)
    assert "Pearson" not in correlation_text(found)


def test_what_does_not_fit_together_is_refused(write: Callable[..., ScoredRun]) -> None:
    run = write("a", 0.5)
    for runs, words in (
        ([("a", run), ("a", run)], "two runs of toy"),
        ([("nobody", run)], "share no policy with a task"),
    ):
        with pytest.raises(UserError, match=words):
            correlate(runs, trials(RATES))


def test_the_commands(
    write: Callable[..., ScoredRun], bench_here: Callable[..., Said], tmp_path: Path
) -> None:
    runs = [write(name, rate) for name, rate in RATES.items()]
    file = tmp_path / "trials.jsonl"
    file.write_text(as_lines(trials(RATES)))
    said = bench_here("import", file, "--as", "trials", "--out", "checked.jsonl")
    assert (said.code, said.out.strip()) == (0, "checked.jsonl")
    assert "180 trials of 6 policies in 1 task, 180 of them blinded" in said.err
    assert read_trials(Path("checked.jsonl")) == trials(RATES)
    assert bench_here("import", file, "--as", "trials", "--out", "checked.jsonl").code == 2
    places = [str(run.path) for run in runs]
    said = bench_here(
        "correlate", *places, "--real", "checked.jsonl", "--format", "json", "--figure", "a.png"
    )
    assert said.code == 0
    page = json.loads(said.out)
    assert page["schema"] == 1
    assert page["variants"][0]["pearson"]["value"] > 0.9
    assert Path("a.png").stat().st_size > 5_000
    for arguments, words in (
        ((f"x={places[0]}", "--real", "checked.jsonl"), "share no policy"),
        ((*places, "--real", "nothing.csv"), "no file nothing.csv"),
        ((*places, "--real", "checked.jsonl", "--figure", "a.bmp"), "ending in"),
    ):
        said = bench_here("correlate", *arguments)
        assert said.code == 2
        assert words in said.err
