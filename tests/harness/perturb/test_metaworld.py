"""On a real simulator: the oracle loses by action noise, more by stronger noise, and nothing by
image noise, for it does not look."""

from __future__ import annotations

import itertools
from pathlib import Path

import conftest
import pytest

import suites
from harness.perturb import parse_conditions
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.records.catalogue import find_suites, select_tasks
from harness.records.identity import AgentSpec
from harness.records.traces import read_traces
from leaderboards.report import load_report

pytest.importorskip("metaworld")


@pytest.mark.slow
def test_the_oracle_falls_with_action_noise_and_not_with_image_noise(tmp_path: Path) -> None:
    spec = AgentSpec("oracle", "baselines.simple:Oracle", {})
    chosen = select_tasks(find_suites("metaworld", suites.SUITES), "hammer-v3,basketball-v3")
    plan = make_plan(
        chosen,
        spec,
        episodes=4,
        seed=0,
        perturb=parse_conditions("action_noise:1,3,5,image_noise:5", ()),
    )
    play(spec, ["metaworld"], plan, tmp_path, RunOptions(), conftest.Notes())
    report = load_report(tmp_path)
    rows = {
        (row.perturbation, row.severity): row
        for row in report.perturbations
        if row.task is None and row.domain is None
    }
    noise = [rows["action_noise", severity] for severity in (1, 3, 5)]
    control = noise[0].control_rate or 0.0
    assert control >= 0.75
    for weaker, stronger in itertools.pairwise(noise):
        assert weaker.interval is not None
        assert stronger.interval is not None
        assert stronger.interval.value <= weaker.interval.high
    worst = noise[-1]
    assert worst.difference is not None
    assert worst.retention is not None
    assert worst.difference.high < 0  # its paired interval lies below 0
    assert worst.retention.value < 0.6
    unseen = rows["image_noise", 5]
    assert unseen.difference is not None
    assert (unseen.success_rate, unseen.difference.value) == (unseen.control_rate, 0.0)
    digests = {trace.case: trace.digest for trace in read_traces(tmp_path)}
    lines = conftest.results_of(tmp_path)
    clean = {
        (line["task"], line["seed"]): digests[line["case"]]
        for line in lines
        if not line["perturbations"]
    }
    noisy = [
        line
        for line in lines
        if line["perturbations"] and line["perturbations"][0].startswith("image_noise")
    ]
    assert len(noisy) == 8
    assert all(digests[line["case"]] == clean[line["task"], line["seed"]] for line in noisy)
