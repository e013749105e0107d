"""A forger who knows bench: every change of what is recorded, and every wrong label, is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from submitting import (
    CHANGES,
    LABELS,
    SEED,
    SUBMISSION,
    SUITES,
    Forger,
    check_entry,
    ours,
    play_run,
)

from harness.records.plan import protocol_hash
from leaderboards.submissions.entry import CLAIMED
from leaderboards.submissions.verdict import ACCEPTED, NOT_HERE, REFUSED, Verdict
from leaderboards.submissions.write import add


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some episodes of it are successes, and some are not."""
    return play_run(tmp_path_factory.mktemp("honest") / "run", "noisy-oracle", 4)


def forge(honest: Path, folder: Path, change: Callable[[Forger], None], seed: int) -> Verdict:
    run = Forger(honest, folder / "run", seed)
    change(run)
    return check_entry(run.submit(folder / "entries"), folder / "unpacked")


def assert_refused(verdict: Verdict, reason: str) -> None:
    assert verdict.outcome == REFUSED, verdict
    assert any(reason in each for each in verdict.reasons), verdict.reasons


def test_an_honest_entry_is_accepted(honest: Path, tmp_path: Path) -> None:
    """Also one that was packed by the forger's own tool, unchanged."""
    entries = tmp_path / "entries"
    path = add(honest, "Agent", SUBMISSION, entries, known=ours(), suites=SUITES).path
    verdict = check_entry(path, tmp_path / "a")
    assert (verdict.outcome, verdict.reasons) == (ACCEPTED, ())
    assert verdict.statement == "all of 16 episodes replayed"
    unchanged = forge(honest, tmp_path, lambda run: None, 0)
    assert unchanged.outcome == ACCEPTED, unchanged.reasons


def test_a_sample_begins_the_others(honest: Path, tmp_path: Path) -> None:
    entries = tmp_path / "entries"
    path = add(honest, "Agent", SUBMISSION, entries, known=ours(), suites=SUITES).path
    verdict = check_entry(path, tmp_path / "a", sample="6")
    assert verdict.outcome == ACCEPTED, verdict.reasons
    assert (verdict.seed, verdict.replayed, verdict.playable, verdict.starts) == (SEED, 6, 16, 10)
    assert sum(drawn for drawn, _ in verdict.by_task.values()) == 6
    assert min(drawn for drawn, _ in verdict.by_task.values()) == 1
    assert "6 of 16 episodes replayed: if 6.2 % (1) were forged, caught with 25 %" in (
        verdict.statement
    )
    assert "10 others start as ours do" in verdict.statement


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_each_change_is_refused(
    honest: Path, tmp_path: Path, change: Callable[[Any], None]
) -> None:
    assert_refused(forge(honest, tmp_path, change, 0), CHANGES[change])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_hundred_more_variants_are_refused(
    honest: Path, tmp_path: Path, change: Callable[[Any], None], seed: int
) -> None:
    assert_refused(forge(honest, tmp_path, change, seed), CHANGES[change])


@pytest.mark.parametrize("label", LABELS, ids=lambda label: label.__name__)
def test_each_wrong_label_is_refused(
    honest: Path, tmp_path: Path, label: Callable[[dict[str, Any]], None]
) -> None:
    run = Forger(honest, tmp_path / "run", 0)
    verdict = check_entry(run.submit(tmp_path / "entries", label), tmp_path / "unpacked")
    assert_refused(verdict, "entry.json contradicts the run's files")


def test_other_seeds_than_the_suites_are_refused(tmp_path: Path) -> None:
    """The best of ten sets of seeds, as it is and under the names of the suite's own episodes."""
    other = play_run(tmp_path / "other", "noisy-oracle", 2, seed=7)
    assert_refused(forge(other, tmp_path / "a", lambda run: None, 0), "--seed 7")

    def renamed(run: Forger) -> None:
        run.run["plan"]["seed"] = 0
        for each in (*run.lines, *run.traces):
            each["seed"] -= 7_000_000
        run.replace_plan(run.plan)

    assert_refused(forge(other, tmp_path / "b", renamed, 0), "start is")


def test_other_packages_are_not_checkable_here(honest: Path, tmp_path: Path) -> None:
    """Whether another version of a simulator plays otherwise cannot be seen on this machine."""

    def newer(run: Forger) -> None:
        item = run.plan.items[0]
        packages = {**item.packages, "minigrid": "99"}
        run.with_item(run.plan, packages=packages, protocol=protocol_hash(item.task, packages))

    verdict = forge(honest, tmp_path, newer, 0)
    assert verdict.outcome == NOT_HERE
    assert any("the version of minigrid is 99" in each for each in verdict.reasons)


def test_what_no_replay_shows_is_claimed_of_every_entry(honest: Path, tmp_path: Path) -> None:
    """Another name for the agent, and a privilege that is hidden everywhere, are not seen."""

    def hidden(run: Forger) -> None:
        run.run["agent"] |= {"name": "a policy", "reads": ["image"], "privileged": False}
        for line in run.lines:
            line["timing"].pop("privileged", None)
            line["metrics"] = {
                name: value for name, value in line["metrics"].items() if "expert" not in name
            }

    verdict = forge(honest, tmp_path, hidden, 0)
    assert verdict.outcome == ACCEPTED, verdict.reasons
    written = verdict.write(tmp_path / "entries" / "forged")
    assert written is not None
    assert CLAIMED in written.read_text()
    assert CLAIMED in (tmp_path / "entries" / "forged" / "entry.json").read_text()
