"""`bench probe consistency` and the noise floor of a saved run, by agents with known chances."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from conftest import Notes, Said, plan_of
from findings import printed_again

from harness.compare.noise_floor import noise_floor
from harness.compare.pairs import read_scored_run
from harness.compare.sample_size import sample_size, sample_size_table
from harness.compare.saved_runs import save_base, saved_noise, saved_runs_table
from harness.core import Task, UserError
from harness.play.runner import RunOptions, play
from harness.probes.consistency import Consistency, consistency_of, plays_of, repeated
from harness.records.plan import Plan
from harness.records.stored_run import load_run

SOMETIMES = "drawers:Sometimes"


def played(folder: Path, agent: str, episodes: int, repeat: int, **args: Any) -> Path:
    """The run directory of one play."""
    return played_tasks(folder, agent, [toys.toy_task(max_steps=16)], episodes, repeat, **args)


def played_tasks(
    folder: Path, agent: str, tasks: list[Task], episodes: int, repeat: int, **args: Any
) -> Path:
    spec, plan = plan_of(agent, tasks, episodes, **args)
    path = folder / f"play-{repeat}"
    play(spec, ["toys"], repeated(plan, repeat), path, RunOptions(), Notes())
    return path


def found_in(paths: list[Path]) -> Consistency:
    """The figures of these plays."""
    return consistency_of(plays_of([load_run(path) for path in paths]), len(paths), len(paths))


def test_only_the_agents_draws_differ_between_plays(tmp_path: Path) -> None:
    paths = [played(tmp_path, SOMETIMES, 30, k, chance=0.5) for k in range(2)]
    one, other = ({r.case: r for r in load_run(path).results()} for path in paths)
    assert one.keys() == other.keys()
    assert all(one[case].start == other[case].start != "" for case in one)
    outcomes = np.array([(one[case].success, other[case].success) for case in one])
    assert 4 <= (outcomes[:, 0] & outcomes[:, 1]).sum() <= 14
    assert 8 <= (outcomes[:, 0] ^ outcomes[:, 1]).sum() <= 22


def test_a_repeat_is_another_plan_and_the_first_play_is_not(tmp_path: Path) -> None:
    _, plan = plan_of("GoodAgent", [toys.toy_task()], 3)
    assert repeated(plan, 0).hash == plan.hash
    assert "repeat" not in plan.to_json()
    again = repeated(plan, 2)
    assert again.hash != plan.hash
    assert Plan.from_json(json.loads(json.dumps(again.to_json()))) == again
    path = played(tmp_path, "GoodAgent", 3, 1)
    spec, _ = plan_of("GoodAgent", [toys.toy_task()], 3)
    with pytest.raises(UserError, match="repeat 2 of the cases instead of 1"):
        play(spec, ["toys"], again, path, RunOptions(), Notes())


def test_a_known_chance_is_found(tmp_path: Path) -> None:
    paths = [played(tmp_path, SOMETIMES, 60, k, chance=0.6) for k in range(4)]
    found = found_in(paths)
    assert found.overall is not None
    assert found.overall.discordant is not None
    for interval, truth in (
        *zip(found.overall.all_of, (0.6**j for j in range(1, 5))),
        *zip(found.overall.any_of, (1 - 0.4**j for j in range(1, 5))),
        (found.overall.discordant, 0.48),
    ):
        assert interval.low <= truth <= interval.high
    # All cases are alike to it: whatever varies does so between plays.
    assert found.overall.between_plays is not None
    assert 0.15 < found.overall.between_plays.value < 0.3
    assert found.overall.between_cases is None
    assert "not printed, too few cases" in found.as_text(100)


def test_cases_that_differ_are_told_from_plays_that_differ(tmp_path: Path) -> None:
    paths = [played(tmp_path, "drawers:ByCase", 200, k, chance=0.2) for k in range(4)]
    (row,) = found_in(paths).tasks
    # About half of the goals are reached always, the others with a chance of 0.2.
    assert row.between_plays is not None
    assert row.between_cases is not None
    assert row.between_plays.low <= 0.08 <= row.between_plays.high
    assert row.between_cases.low is not None
    assert row.between_cases.high is not None
    assert row.between_cases.low <= 0.16 <= row.between_cases.high
    assert row.between_cases.low > row.between_plays.high


def test_cases_that_start_otherwise_or_lack_a_score_are_left_out(tmp_path: Path) -> None:
    tasks = [toys.toy_task(fault="raise_on_step", fault_seeds=[1, 2])]
    paths = [played_tasks(tmp_path, SOMETIMES, tasks, 6, k) for k in range(2)]
    found = found_in(paths)
    assert (found.missing, found.tasks[0].cases) == (2, 4)
    assert "2 cases without a score in every play are left out" in found.as_text(200)
    file = paths[1] / "episodes.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line in lines:
        if line["seed"] == 3:
            line["start"] = "f" * len(line["start"])
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = found_in(paths)
    assert (found.unlike, found.tasks[0].cases) == (1, 3)
    assert "did not start alike" in found.as_text(100)


def test_a_task_without_success_has_only_what_differs(tmp_path: Path) -> None:
    tasks = [toys.toy_task("survive", success=None, max_steps=20)]
    found = found_in([played_tasks(tmp_path, SOMETIMES, tasks, 4, k) for k in range(2)])
    assert found.overall is None
    assert found.tasks[0].differ.value > 0
    assert "all 2" not in found.as_text(100)


PROBE = ("probe", "consistency", "--suite", "toysuite:SHORT", "--workers", "0", "--out", "plays")


def test_the_command_says_it(bench_here: Callable[..., Said]) -> None:
    words = (*PROBE, "--agent", SOMETIMES, "--episodes", "8", "--plays", "3")
    said = bench_here(*words, "--figure", "plays.png")
    assert said.code == 0
    assert "mean of tasks" in said.out
    assert "noise floor: two plays come out differently in" in said.out
    assert Path("plays.png").read_bytes().startswith(b"\x89PNG")
    assert "next: bench baseline save NAME plays/play-0 --again plays/play-1" in said.err
    printed_again(bench_here, "plays", said.out)
    again = bench_here(*words, "--format", "json")
    assert again.err.count("nothing is played") == 3
    told = json.loads(again.out)
    assert (told["schema"], told["plays"], told["same"]) == (1, 3, False)
    assert len(told["overall"]["all_of"]) == 3
    saved = bench_here("baseline", "save", "main", "plays/play-0", "--again", "plays/play-1")
    assert saved.code == 0
    assert "noise" in bench_here("baseline", "list").out
    planned = bench_here("plan", "--base", "main").out
    assert "the same for the base's own agent, which draws anew" in planned
    assert "noise: played again, the base's agent differs from itself in" in planned


def test_an_agent_that_draws_nothing_is_played_twice(bench_here: Callable[..., Said]) -> None:
    said = bench_here(*PROBE, "--agent", "toys:GoodAgent", "--plays", "5")
    assert said.code == 0
    told = " ".join(said.out.split())
    assert "every play is the same, so the other 3 plays were not made" in told
    assert "variance" not in told
    assert sorted(path.name for path in Path("plays").glob("play-*")) == ["play-0", "play-1"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--plays", "1"), "--plays must lie between 2 and 100"),
        (("--suite", "toysuite:NOWHERE"), "none of these tasks can run here"),
        (("--agent", "drawers:Nobody"), "Nobody"),
        (("--figure", "plays.txt"), "a figure is a file ending in .png, .svg, .pdf"),
    ],
)
def test_what_cannot_be_played_is_one_line(
    bench_here: Callable[..., Said], words: tuple[str, ...], why: str
) -> None:
    said = bench_here(*PROBE, "--agent", "toys:GoodAgent", *words)
    assert said.code == 2
    assert why in said.err
    assert said.err.count("\n") == 1
    assert not Path("plays").exists()


def test_an_endpoint_has_its_own_noise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drawers.Endpoint.built", itertools.count(1))
    runs = [
        read_scored_run(played(tmp_path / name, "drawers:Endpoint", 40, 0))
        for name in ("one", "other", "third")
    ]
    two, three = noise_floor(runs[0], runs[1:2]), noise_floor(runs[0], runs[1:])
    for found in (two, three):
        assert found.low <= 0.5 <= found.high


def test_noise_is_saved_and_planned_with(tmp_path: Path) -> None:
    paths = [played(tmp_path, SOMETIMES, 40, k, chance=0.9) for k in range(2)]
    registry = tmp_path / "saved.json"
    base = save_base("main", str(paths[0]), registry, [str(paths[1])])
    noise = saved_noise("main", registry)
    assert noise is not None
    assert noise.low <= 0.18 <= noise.high
    assert f"{100 * noise.value:.1f} %" in saved_runs_table(registry)
    size = sample_size(0.1, base=base, noise=noise)
    assert size.noise_passes is not None
    assert size.noise_passes <= size.equal_passes
    assert size.noise_detectable is not None
    assert size.detectable is not None
    assert size.noise_detectable.low <= size.noise_detectable.value <= size.noise_detectable.high
    assert "differences are found from" in " ".join(sample_size_table(size).split())
    save_base("main", str(paths[0]), registry)
    assert saved_noise("main", registry) is None
    assert saved_noise(str(paths[0]), registry) is None


def test_what_is_no_second_play_is_refused(tmp_path: Path) -> None:
    paths = {
        name: played(tmp_path / name, agent, episodes, 0, **args)
        for name, agent, episodes, args in (
            ("base", SOMETIMES, 4, {}),
            ("other", SOMETIMES, 4, {"chance": 0.4}),
            ("longer", SOMETIMES, 5, {}),
        )
    }
    base, other, longer = (read_scored_run(path) for path in paths.values())
    with pytest.raises(UserError, match="by another agent"):
        noise_floor(base, [other])
    with pytest.raises(UserError, match="5 episodes a task instead of 4"):
        noise_floor(base, [longer])
    with pytest.raises(UserError, match="the same play"):
        noise_floor(base, [base])


def test_a_registry_with_an_impossible_noise_is_refused(tmp_path: Path) -> None:
    registry = tmp_path / "saved.json"
    entry = {"run": "runs/main", "noise": 0.5, "noise_low": 0.6, "noise_high": 0.7}
    registry.write_text(json.dumps({"main": entry}))
    with pytest.raises(UserError, match="no share with its bounds"):
        saved_noise("main", registry)
