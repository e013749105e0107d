"""What is left of a success at a cost of each step in which the expert acted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import toys
from conftest import Notes, plan_of

from harness.cli.report import report
from harness.core import UserError
from harness.play.runner import RunOptions, play
from harness.records.stored_run import load_run
from harness.stats.scores import mean_of_scores
from leaderboards.asked import asked_of


def played(folder: Path, agent: str, episodes: int, *names: str) -> Path:
    tasks = [toys.toy_task(name) for name in names]
    spec, plan = plan_of(agent, tasks, episodes)
    return play(spec, ["toys"], plan, folder, RunOptions(workers=0), Notes()).path


def test_the_cost_of_what_was_asked_is_taken_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = played(tmp_path / "run", "askers:Asker", 120, "one", "other")
    stored = load_run(run)
    one, other, mean = asked_of(stored, 0.05)
    results = [each for each in stored.results() if each.task == one.task]
    worth = {
        (each.start, each.digest): bool(each.success) - 0.05 * each.metrics["expert_steps"]
        for each in results
    }
    wanted = mean_of_scores([np.array(list(worth.values()))])
    assert one.net == wanted
    assert one.asked > 0
    assert mean.net.value == pytest.approx((one.net.value + other.net.value) / 2)
    free = asked_of(stored, 0.0)
    assert [row.net.value for row in free] == pytest.approx([row.success for row in free])
    assert report(run, ask_cost=0.05, format="json") == 0
    told = json.loads(capsys.readouterr().out)["asked"]
    assert [row["net"] for row in told] == [one.net.value, other.net.value, mean.net.value]
    assert report(run) == 0
    assert "COST OF ASKING" not in capsys.readouterr().out


def test_a_wrong_cost_and_an_agent_that_does_not_ask_are_refused(tmp_path: Path) -> None:
    run = played(tmp_path / "run", "GoodAgent", 2, "one")
    for cost in (-0.1, float("nan"), float("inf")):
        with pytest.raises(UserError, match="a number from 0 on"):
            report(run, ask_cost=cost)
    with pytest.raises(UserError, match="asked for no step of the expert"):
        report(run, ask_cost=0.1)
    for more in ({"format": "html"}, {"stages": True}, {"seen": True}, {"against": "gea"}):
        with pytest.raises(UserError, match=r"leave .* out"):
            report(run, ask_cost=0.1, **more)  # type: ignore[arg-type]
