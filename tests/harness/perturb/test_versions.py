"""A perturbation whose effect changed has a version: its old cases are reported and never mixed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import toys
from conftest import Notes

from harness.compare.gate import Gate, GateOptions
from harness.compare.pairs import read_scored_run
from harness.core import Brief, Case, Discrete, Perturbation, Suite, UserError
from harness.perturb import REGISTRY, NotApplicable, Pipeline, parse_conditions
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.records.identity import AgentSpec
from harness.records.plan import Plan, label
from harness.records.plan_differences import differences
from harness.records.results import case_results
from harness.verify.episode_replay import find_episode
from harness.verify.perturbed import check_severities
from harness.verify.show import show
from leaderboards.perturbed_results import read_case_arrays
from leaderboards.report import load_report
from leaderboards.robustness_compare import difference_in_differences

TASK = toys.toy_task("a")
SPEC = AgentSpec("ExpertAgent", "toys:ExpertAgent", {})
VERSIONED = (
    "blackout", "dropped_frames", "frozen_frames", "letter_case", "occlusion",
    "paraphrase", "typos",
)  # fmt: skip


def planned(perturb: str) -> Plan:
    suite = Suite("toys", "toys", (TASK,), 4)
    conditions = parse_conditions(perturb, ())
    return make_plan([(suite, TASK)], SPEC, episodes=None, seed=0, perturb=conditions)


def as_version_1(plan: Plan) -> Plan:
    """The plan as it was before its perturbations had versions."""
    return dataclasses.replace(
        plan,
        perturbations=tuple(
            tuple(
                dataclasses.replace(
                    part, params={k: v for k, v in part.params.items() if k != "version"}
                )
                for part in condition
            )
            for condition in plan.perturbations
        ),
    )


def played(plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch, version: int = 2) -> Path:
    for name in VERSIONED:
        monkeypatch.setitem(
            REGISTRY,
            name,
            dataclasses.replace(REGISTRY[name], version=version),  # type: ignore[misc]
        )
    play(SPEC, ["toys"], plan, path, RunOptions(), Notes())
    monkeypatch.undo()
    return path


def test_only_what_changed_has_a_version_and_it_makes_another_case() -> None:
    assert {name for name, kind in REGISTRY.items() if kind.version > 1} == set(VERSIONED)
    new = planned("typos:3,action_random:1+typos:2,hue:1")
    old = as_version_1(new)
    assert [label(each) for each in new.perturbations] == [
        "typos@2:3",
        "action_random:1+typos@2:2",
        "hue:1",
    ]
    assert label(old.perturbations[0]) == "typos:3"
    assert new.hash != old.hash
    assert Case(TASK, 0, new.perturbations[0]).id != Case(TASK, 0, old.perturbations[0]).id
    assert any(each.startswith("other perturbations: typos@2:3") for each in differences(new, old))


def test_a_users_levels_have_the_version_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('perturb = ["typos"]\n[levels.typos]\nshare = [0.5]\n')
    (condition,) = parse_conditions(str(file), ())
    assert condition.parts == (Perturbation("typos", 1, {"share": 0.5, "version": 2}),)


def test_the_old_effect_is_not_played() -> None:
    old = Perturbation("typos", 1, {"share": 0.02})
    body = Brief({}, Discrete(2), "a body", "a simulator")
    with pytest.raises(NotApplicable, match="typos was planned in version 1 and has version 2"):
        Pipeline(Case(TASK, 0, (old,)), body, 1, "go to the red ball")
    new = dataclasses.replace(old, params={"share": 0.02, "version": 2})
    said = Pipeline(Case(TASK, 0, (new,)), body, 1, "go to the red ball")
    assert said.say("go to the red ball") != "go to the red ball"


def test_an_old_run_is_reported_under_its_version_and_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = planned("letter_case:3")
    path = played(as_version_1(new), tmp_path / "old", monkeypatch, version=1)
    named = {row.perturbation for row in load_report(path).perturbations}
    assert named == {"letter_case"}
    with pytest.raises(UserError, match="other perturbations"):
        play(SPEC, ["toys"], new, path, RunOptions(), Notes())
    with pytest.raises(UserError, match=r"letter_case was planned in version 1 .* play new ones"):
        Gate(SPEC, read_scored_run(path), GateOptions())
    perturbed = next(
        result for _, result in case_results(path, as_version_1(new)) if result.perturbations
    )
    with pytest.raises(UserError, match="cannot be shown as its agent saw it: letter_case was"):
        show(find_episode(path, perturbed.case))
    fresh = played(new, tmp_path / "new", monkeypatch)
    assert {row.perturbation for row in load_report(fresh).perturbations} == {"letter_case@2"}
    with pytest.raises(UserError, match="share no perturbed case"):
        difference_in_differences(
            *(read_case_arrays(read_scored_run(each)) for each in (path, fresh))
        )


def test_severities_of_both_versions_have_the_parameters_of_the_registry() -> None:
    for plan in (planned("typos:3"), as_version_1(planned("typos:3"))):
        assert check_severities(plan, "bench run --perturb typos:3") == ([], [])
