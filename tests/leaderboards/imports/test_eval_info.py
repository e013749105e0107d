"""LeRobot's eval_info.json: what its figures say, and that impossible ones are refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Said

from harness.core import UserError
from harness.records.stored_run import load_run
from leaderboards.imports.eval_info import PlayedTask, read_eval_info
from leaderboards.report import load_report

Bench = Callable[..., Said]


def several(successes: dict[str, list[int]], episodes: int = 50) -> dict[str, Any]:
    """What eval_policy_all returns: group -> successes of each of its tasks."""
    rows, groups = [], {}
    for group, counts in successes.items():
        won: list[bool] = []
        for number, count in enumerate(counts):
            mine = [k < count for k in range(episodes)]
            won += mine
            rewards = [float(each) for each in mine]
            metrics = {
                "sum_rewards": [2 * each for each in rewards],
                "max_rewards": rewards,
                "successes": mine,
                "video_paths": [],
            }
            rows.append({"task_group": group, "task_id": number, "metrics": metrics})
        groups[group] = aggregated(won)
    everything = [each for row in rows for each in row["metrics"]["successes"]]
    times = {"eval_s": 12.5, "eval_ep_s": 0.25}
    return {"per_task": rows, "per_group": groups, "overall": aggregated(everything) | times}


def aggregated(won: list[bool]) -> dict[str, Any]:
    mean = sum(won) / len(won)
    return {
        "avg_sum_reward": 2 * mean,
        "avg_max_reward": mean,
        "pc_success": mean * 100,
        "n_episodes": len(won),
        "video_paths": [],
    }


def single(won: list[bool], first_seed: int | None = 1000) -> dict[str, Any]:
    """What eval_policy returns."""
    episodes = [
        {
            "episode_ix": number,
            "sum_reward": 3.5,
            "max_reward": 1.0,
            "success": success,
            "seed": None if first_seed is None else first_seed + number,
        }
        for number, success in enumerate(won)
    ]
    pc = sum(won) / len(won) * 100
    figures = {"avg_sum_reward": 3.5, "avg_max_reward": 1.0, "pc_success": pc, "eval_s": 1.0}
    return {"per_episode": episodes, "aggregated": figures}


def read(told: Any) -> list[PlayedTask]:
    return read_eval_info(json.dumps(told).encode())


def refused(told: Any) -> str:
    content = told if isinstance(told, bytes) else json.dumps(told).encode()
    with pytest.raises(UserError) as found:
        read_eval_info(content)
    said = str(found.value)
    assert "\n" not in said
    return said


GOOD = several({"libero_spatial": [40, 45], "libero_goal": [3]})


def changed(path: str, value: Any) -> dict[str, Any]:
    """GOOD with another value at a path such as `per_group.libero_goal.pc_success`."""
    told: Any = copy.deepcopy(GOOD)
    *parts, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = told
    for part in parts:
        place = place[part]
    place[last] = value
    return told  # type: ignore[no-any-return]


def test_both_forms_are_read() -> None:
    tasks = read(GOOD)
    assert [(each.group, each.task, len(each.episodes)) for each in tasks] == [
        ("libero_spatial", "0", 50),
        ("libero_spatial", "1", 50),
        ("libero_goal", "0", 50),
    ]
    assert [sum(episode.success for episode in each.episodes) for each in tasks] == [40, 45, 3]
    (task,) = read(single([True, False, True]))
    assert [(each.success, each.seed) for each in task.episodes] == [
        (True, 1000),
        (False, 1001),
        (True, 1002),
    ]
    # 1 of 3 is no round number, and a later version tells the count and its interval.
    later = single([True, False, False])
    later["aggregated"] |= {"n_success": 1, "pc_success_ci95": [6.1, 79.2]}
    assert read(later)


def test_a_percentage_that_is_no_count_of_its_episodes_is_refused() -> None:
    told = several({"libero_10": [22] * 10})
    told["overall"]["pc_success"] = 43.9
    assert told["overall"]["n_episodes"] == 500
    assert refused(told) == (
        "this eval_info.json is refused: overall.pc_success is 43.9, which is no count of 500 "
        "episodes: 219 are 43.8 %, 220 are 44 %"
    )
    # Of a thousand it could be one, so the file's own episodes decide.
    told = several({"libero_10": [44] * 10}, episodes=100)
    told["overall"]["pc_success"] = 43.9
    assert "overall.pc_success is 43.9, but 440 of its 1000 episodes succeed: 44" in refused(told)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (changed("overall.pc_success", 101), "overall.pc_success is 101, not a percentage"),
        (changed("overall.pc_success", -2.0), "overall.pc_success is -2, not a percentage"),
        (changed("overall.pc_success", "58"), "overall.pc_success is '58', not a finite number"),
        (changed("overall.n_episodes", -150), "overall.n_episodes is -150, not a number of"),
        (changed("overall.n_episodes", 300), "overall.n_episodes is 300, but it tells 150"),
        (changed("overall.n_success", 89), "overall.n_success is 89, but it tells 88"),
        (changed("overall.eval_s", -1.0), "overall.eval_s is -1.0: a negative time"),
        (changed("per_group.libero_goal.pc_success", 8.0), "but 3 of its 50 episodes succeed: 6"),
        (changed("per_group.libero_goal.pc_success", 7.0), "7, which is no count of 50 episodes"),
        (changed("per_group.libero_goal.avg_sum_reward", 0.13), "but its episodes have 0.12"),
        (changed("per_group.other", GOOD["overall"]), "per_group.other.n_episodes is 150, but it"),
        (changed("per_task.0.metrics.successes.3", 1), "successes[3] is 1, not true or false"),
        (changed("per_task.0.metrics.sum_rewards.3", None), "sum_rewards[3] is None, not a finite"),
        (changed("per_task.0.metrics.sum_rewards", [1.0]), "has 1 entries, and successes 50"),
        (changed("per_task.0.task_id", 1), "per_task holds a task twice"),
        (changed("per_task.0.task_group", "../x"), "is '../x', not a name of letters"),
        (changed("per_task.0.task_group", "<script>"), "is '<script>', not a name of letters"),
        (changed("per_task.0.task_id", True), "per_task[0].task_id is True, not a name"),
        (changed("per_task", []), "it tells no episodes"),
        (changed("per_task", {}), "per_task is a table, not a list"),
        ({"overall": GOOD["overall"]}, "it has neither per_task nor per_episode"),
        ({"aggregated": {"pc_success": 50.0}}, "it tells no episodes"),
        ([], "it holds a list, not a table"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(told: Any, said: str) -> None:
    assert said in refused(told)


def test_a_number_that_is_none_is_named() -> None:
    for constant in ("NaN", "Infinity", "-Infinity"):
        text = json.dumps(GOOD).replace('"eval_s": 12.5', f'"eval_s": {constant}')
        assert refused(text.encode()) == (
            f"this is no eval_info.json: eval_s is {constant}, which is no number"
        )
    assert "not finite" in refused(b'{"per_task": [1e999]}')


def test_seeds_that_repeat_are_refused() -> None:
    told = single([True, False])
    told["per_episode"][1]["seed"] = 1000
    assert "holds a seed twice" in refused(told)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"[" * 100_000, b'{"per_task": [], "per_task": []}', b"1" * 10_000],
)
def test_hostile_files_are_refused(content: bytes) -> None:
    assert "this " in refused(content)


def test_the_report_of_an_import_is_marked(bench_here: Bench) -> None:
    Path("eval_info.json").write_text(json.dumps(GOOD))
    said = bench_here(
        "import", "eval_info.json", "--as", "eval_info", "--name", "smolvla", "--out", "it"
    )
    assert (said.code, said.out) == (0, "it\n")
    assert "150 episodes of 3 tasks, unverified and without evidence" in said.err
    report = load_report("it")
    assert report.overall.n == 150
    assert [row.successes for row in report.tasks] == [40, 45, 3]
    assert [row.task for row in report.tasks][2] == "lerobot/libero_goal-0@1"
    assert {row.steps_mean for row in report.tasks} == {None}, "nobody told how many steps"
    for format in ("text", "markdown", "latex", "html"):
        shown = bench_here("report", "it", "--format", format)
        assert shown.code == 0
        words = " ".join(shown.out.split())
        assert "imported from eval" in words
        assert "unverified" in words
        assert ("imported: unverified, no evidence" in words) is (format == "html")
    assert json.loads(bench_here("report", "it", "--format", "json").out)["run"]["imported"] == {
        "format": "eval_info",
        "file": "eval_info.json",
        "sha256": load_run("it").description["imported"]["sha256"],
    }
    again = bench_here("import", "eval_info.json", "--as", "eval_info", "--out", "it")
    assert again.code == 2
    assert "it is there already" in again.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["compare", "it", "it"], "how its episodes started is not known, so none is paired"),
        (["gate", "--agent", "uniform", "--base", "it"], "so none is paired"),
        (["baseline", "save", "x", "it"], "so none is paired"),
        (["verify", "it"], "it has no recorded actions, so there is nothing to replay"),
        (["show", "it", "lerobot/eval:1000"], "so there is nothing to replay"),
        (["export", "it", "--to", "lerobot"], "so there is nothing to replay"),
        (["leaderboard", "add", "it", "--name", "x", "--selection", "y"], "nothing to replay"),
    ],
)
def test_an_import_is_no_evidence(bench_here: Bench, words: list[str], why: str) -> None:
    Path("e.json").write_text(json.dumps(single([True, False, True])))
    assert bench_here("import", "e.json", "--as", "eval_info", "--out", "it").code == 0
    assert [each.seed for each in load_run("it").results()] == [1000, 1001, 1002]
    said = bench_here(*words)
    assert said.code == 2
    assert "was imported from eval_info, unverified: " in said.err
    assert why in said.err
    assert said.err.count("\n") == 1


def test_a_file_that_is_none(bench_here: Bench) -> None:
    said = bench_here("import", "absent.json", "--as", "eval_info")
    assert (said.code, said.err) == (2, "bench: there is no file absent.json\n")
    Path("cut.json").write_text("{")
    said = bench_here("import", "cut.json", "--as", "eval_info")
    assert said.code == 2
    assert said.err.startswith("bench: cut.json: this is no eval_info.json: ")
    Path("large.json").write_bytes(b" " * ((64 << 20) + 1))
    said = bench_here("import", "large.json", "--as", "eval_info")
    assert said.code == 2
    assert "is larger than 64 MiB" in said.err
