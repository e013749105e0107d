from __future__ import annotations

import csv
import dataclasses
import io
import json
import random
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import toys

from harness.core import DOMAINS, Normaliser, Reference, Task, UserError
from harness.records.plan import NotRun, Plan, PlanItem
from harness.stats import Estimate, mean_of_rates, wilson
from leaderboards.render import FORMATS, render
from leaderboards.report import build, load_report, summary
from leaderboards.schema import Report, to_json
from leaderboards.tables import WIDTH

SEED = 3
HUMAN = Normaliser(low=10.0, high=30.0)


def item(
    name: str = "toy/reach@1",
    suite: str = "toy",
    domain: str = "planning",
    episodes: int = 4,
    **task: Any,
) -> PlanItem:
    return PlanItem(
        suite,
        Task(name, domain, "adapters.toy:Toy", **task),
        episodes,
        "0123456789ab",
        {"toysim": "1.2"},
        name,
    )


def game(name: str, episodes: int = 4, **task: Any) -> PlanItem:
    return item(name, "atari", "games", episodes, **{"success": None, "normaliser": HUMAN, **task})


def run_of(*items: PlanItem, not_run: Sequence[NotRun] = (), **agent: Any) -> dict[str, Any]:
    who = {
        "name": "walker",
        "entry": "my.agents:Walker",
        "args": {},
        "reads": ["image", "state"],
        "privileged": False,
        "fingerprint": "ab",
    }
    return {
        "schema": 1,
        "bench": "0.1.0",
        "created": "2025-06-01T10:00:00+00:00",
        "finished": "2025-06-01T10:05:00+00:00",
        "command": "bench run",
        "agent": who | agent,
        "plan": Plan(items, SEED, (), tuple(not_run)).to_json(),
        "machine": {"cores": 2},
    }


def line(
    of: PlanItem,
    episode: int,
    status: str = "finished",
    success: bool = False,
    score: float = 0.0,
    **fields: Any,
) -> dict[str, Any]:
    """A line of episodes.jsonl as the store writes it."""
    case = Plan((of,), SEED).case(0, episode)
    finished, has_success = status == "finished", of.task.success is not None
    return {
        "case": case.id,
        "task": of.task.id,
        "seed": case.seed,
        "perturbations": [],
        "status": status,
        "success": (success if finished else False if status == "agent_error" else None)
        if has_success
        else None,
        "score": score if finished else None,
        "normalised": None,
        "steps": 10,
        "ended": ("success" if success else "horizon") if finished else status,
        "metrics": {},
        "error": None if finished else "RuntimeError: no",
        "digest": "",
        "protocol": "0123456789ab",
        "timing": {"simulator_s": 0.5, "agent_s": 0.25, "worker": "w0", "attempt": 1},
        **fields,
    }


def successes(of: PlanItem, count: int, among: int | None = None) -> list[dict[str, Any]]:
    return [line(of, k, success=k < count) for k in range(of.episodes if among is None else among)]


def scores(of: PlanItem, *values: float) -> list[dict[str, Any]]:
    return [line(of, k, score=value) for k, value in enumerate(values)]


def test_every_planned_case_is_accounted_for():
    reach = item(episodes=6)
    lines = [
        line(reach, 0, success=True),
        line(reach, 1),
        line(reach, 2, "agent_error", steps=1),
        line(reach, 3, "error"),
        line(reach, 5, success=True),
    ]
    (row,) = build(run_of(reach), lines).tasks
    assert (row.planned, row.n, row.successes, row.agent_errors, row.errors, row.partial) == (
        6,
        4,
        2,
        1,
        1,
        True,
    )
    assert row.interval == wilson(2, 4)
    assert row.rate_if_missing_fail == 2 / 6
    assert row.steps_mean == 10  # an episode that an error cut short says nothing of the length
    assert row.ended == {"agent_error": 1, "horizon": 1, "success": 2}
    assert (row.simulator_s, row.agent_s) == (2.0, 1.0)


def test_an_error_that_was_played_again_counts_as_what_it_then_was():
    reach = item(episodes=3)
    lines = [
        line(reach, 0, "error"),
        line(reach, 1, "error"),
        line(reach, 0, "error"),
        line(reach, 1, success=True),
        line(reach, 2),
    ]
    (row,) = build(run_of(reach), lines).tasks
    assert (row.n, row.successes, row.errors) == (2, 1, 1)


@pytest.mark.parametrize("hits", [0, 5])
def test_none_and_all_of_n_show_their_bounds(hits):
    reach = item(episodes=5)
    report = build(run_of(reach), successes(reach, hits))
    for row in (report.tasks[0], report.overall):
        assert row.success_rate == hits / 5
        assert row.interval.high - row.interval.low == pytest.approx(0.4345, abs=1e-4)


def test_domains_and_overall_are_means_of_task_rates():
    small, large, other = (
        item(),
        item("toy/far@1", episodes=40),
        item("nav/go@1", "nav", "navigation", 10),
    )
    report = build(
        run_of(small, large, other),
        [*successes(small, 4), *successes(large, 10), *successes(other, 5)],
    )
    domains = {group.domain: group for group in report.domains}
    assert tuple(domains) == DOMAINS
    assert domains["planning"].success_rate == (1.0 + 0.25) / 2
    assert (
        report.overall.success_rate
        == report.overall.normalised
        == pytest.approx((1.0 + 0.25 + 0.5) / 3)
    )
    assert report.overall.interval == mean_of_rates([4, 10, 5], [4, 40, 10])
    assert (
        domains["ui"].tasks,
        domains["ui"].n,
        domains["ui"].success_rate,
        domains["ui"].successes,
    ) == (0, 0, None, None)
    assert [group.suite for group in report.suites] == ["toy", "nav"]


def test_a_task_without_results_is_in_no_mean_but_lowers_the_worst_case():
    done, open_ = item(), item("toy/far@1")
    overall = build(run_of(done, open_), successes(done, 3)).overall
    assert (
        overall.tasks,
        overall.tasks_with_result,
        overall.planned,
        overall.n,
        overall.partial,
    ) == (2, 1, 8, 4, True)
    assert (overall.success_rate, overall.rate_if_missing_fail) == (0.75, 0.375)


def test_scores():
    pong = game("atari/pong@1")
    report = build(run_of(pong), scores(pong, 10, 20, 30, 60))
    (row,) = report.tasks
    assert (row.successes, row.interval, row.rate_if_missing_fail) == (None, None, None)
    assert (row.score.value, row.score_median, row.normalised) == (30.0, 25.0, 1.0)
    assert row.score.low < 10 < 50 < row.score.high
    assert report.overall.normalised == 1.0
    assert report.overall.success_rate is None


def test_an_agents_error_scores_the_low_end_or_nothing_where_there_is_none():
    pong, free = game("atari/pong@1"), game("free/run@1", normaliser=None)
    lines = [
        *scores(pong, 30, 30, 30),
        line(pong, 3, "agent_error"),
        *scores(free, 5, 7, 9),
        line(free, 3, "agent_error"),
    ]
    report = build(run_of(pong, free), lines)
    pong_row, free_row = report.tasks
    assert (pong_row.n, pong_row.agent_errors, pong_row.score.value, pong_row.normalised) == (
        4,
        1,
        25.0,
        0.75,
    )
    assert (free_row.n, free_row.agent_errors, free_row.score.value, free_row.normalised) == (
        4,
        1,
        7.0,
        None,
    )
    assert report.overall.normalised == 0.75


def test_normalised_scores_over_tasks():
    games = [game(f"atari/game{k}@1") for k in range(3)]
    report = build(
        run_of(*games),
        [x for k, g in enumerate(games) for x in scores(g, 10, 20 + k, 30, 40 + 20 * k)],
    )
    found = report.suites[0].scores
    means = [0.75, (0 + 0.55 + 1 + 2.5) / 4, (0 + 0.6 + 1 + 3.5) / 4]
    assert (found.tasks, found.episodes, found.low_name, found.high_name) == (
        3,
        4,
        "random",
        "human",
    )
    assert found.mean.value == pytest.approx(sum(means) / 3)
    assert found.median.value == pytest.approx(means[1])
    assert found.iqm.value == pytest.approx((0.5 + 0.55 + 0.6 + 1 + 1 + 1) / 6)
    assert found.optimality_gap.value == pytest.approx((1 + 0.5 + 1 + 0.45 + 1 + 0.4) / 12)
    assert found.iqm.low < found.iqm.value < found.iqm.high
    assert report.domains[DOMAINS.index("games")].scores == found


def test_ragged_scores_have_no_iqm_and_no_interval_and_say_so():
    one, two = game("atari/one@1"), game("atari/two@1")
    report = build(run_of(one, two), [*scores(one, 10, 20, 30, 40), *scores(two, 30, 30)])
    found = report.overall.scores
    assert (found.episodes, found.iqm) == (None, None)
    assert found.mean == found.median == Estimate(0.875, None, None)
    assert found.optimality_gap.value == pytest.approx(0.1875)
    assert "differ in their number of episodes" in " ".join(render(report, "text").split())


def test_one_score_a_task_has_no_interval():
    one = game("atari/one@1", episodes=1)
    report = build(run_of(one), scores(one, 20))
    assert report.tasks[0].score.low is None
    assert report.overall.scores.iqm == Estimate(0.5, None, None)


def test_the_mean_of_both_kinds():
    reach, pong = item(), game("atari/pong@1")
    overall = build(
        run_of(reach, pong), [*successes(reach, 1), *scores(pong, 20, 20, 20, 20)]
    ).overall
    assert (overall.success_rate, overall.normalised) == (0.25, 0.375)


def test_the_order_of_the_lines_changes_nothing():
    tasks = [item(episodes=20), *(game(f"atari/game{k}@1", 20) for k in range(4))]
    rng = random.Random(1)
    lines = [
        line(t, k, success=rng.random() < 0.5, score=rng.random() * 40)
        for t in tasks
        for k in range(20)
    ]
    first = render(build(run_of(*tasks), lines), "json")
    rng.shuffle(lines)
    assert render(build(run_of(*tasks), lines), "json") == first


def test_tasks_that_cannot_run():
    played, absent, resumed = item(), item("toy/lost@1"), item("toy/found@1")
    rows = [
        NotRun(t.task.id, "planning", "toy", "no browser", "install one") for t in (absent, resumed)
    ]
    report = build(
        run_of(played, absent, resumed, not_run=rows),
        [*successes(played, 1), *successes(resumed, 2)],
    )
    assert [row.task for row in report.tasks] == ["toy/reach@1", "toy/found@1"]
    assert [row.task for row in report.not_run] == [
        "toy/lost@1"
    ]  # a later resume, elsewhere, could play the other one


def test_perturbed_episodes_never_blend_into_the_clean_row():
    reach = item()
    run = run_of(reach)
    run["plan"]["perturbations"] = [[{"name": "noise", "severity": 2, "params": {}}]]
    lines = [*successes(reach, 4), *(line(reach, k, perturbations=["noise:2"]) for k in range(4))]
    (row,) = build(run, lines).tasks
    assert (row.n, row.success_rate) == (4, 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "toy/other@1"}, "line 2: .* toy/other@1"),
        ({"seed": 0}, "line 2: run.json does not plan"),
        ({"perturbations": ["noise:1"]}, "line 2: run.json does not plan"),
        ({"timing": None}, "line 2 is no episode"),
        ({"score": None}, "line 2 is no episode"),
        ({"score": float("nan")}, "no finite number"),
    ],
)
def test_evidence_that_was_tampered_with_is_refused(change, message):
    reach = item()
    with pytest.raises(UserError, match=message):
        build(run_of(reach), [line(reach, 0), line(reach, 1, **change)])


def test_a_line_without_a_field_is_refused():
    reach = item()
    bad = line(reach, 0)
    del bad["status"]
    with pytest.raises(UserError, match="line 1 is no episode"):
        build(run_of(reach), [bad])


def test_load_reads_a_run_directory_and_leaves_out_a_torn_line(tmp_path: Path):
    reach = item()
    (tmp_path / "run.json").write_text(json.dumps(run_of(reach)))
    text = "".join(json.dumps(x) + "\n" for x in successes(reach, 2))
    (tmp_path / "episodes.jsonl").write_text(text[:-20])
    (row,) = load_report(tmp_path).tasks
    assert (row.n, row.successes, row.partial) == (3, 2, True)
    with pytest.raises(UserError, match="not a run directory"):
        load_report(tmp_path / "elsewhere")


def test_memory_does_not_grow_with_the_lines():
    reach = item(episodes=30_000)
    build(run_of(reach), [])
    tracemalloc.start()
    (row,) = build(
        run_of(reach), (line(reach, 0) | {"seed": 3_000_000 + k} for k in range(30_000))
    ).tasks
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert row.n == 30_000
    assert peak < 60 * row.n  # a dict a line would take thousands of bytes


# Formats


@pytest.fixture
def mixed() -> Report:
    """All that a report can hold: several suites, rules and references, missing cases, tasks that cannot run."""
    published = (
        Reference("GEA", 91.1, "success %", "arXiv 2412.08442", "another camera"),
        Reference("Bot", 99.0, "success %", "the authors", "", True),
    )
    long = "opens every door of the largest maze with_two_keys & 100 % of the boxes"
    toys = [
        item(f"toy/task{k}@1", episodes=5, rule="return > 0" if k else long, references=published)
        for k in range(70)
    ]
    own = [
        game(
            f"atari/game_{k}@1",
            references=(Reference("DQN", 7.5 * k, "mean score", "Mnih 2015", "", True),),
            rule="points",
        )
        for k in range(3)
    ]
    rows = [
        NotRun(
            f"ui/click{k}@1",
            "ui",
            "miniwob",
            "there is no browser",
            "apt install chromium chromium-driver",
        )
        for k in range(57)
    ]
    lines = [x for k, t in enumerate(toys) if k != 69 for x in successes(t, k % 6)]
    lines += [x for k, t in enumerate(own) for x in scores(t, 12, 20, 28, 30 + k)]
    lines[0] |= {"status": "error", "success": None, "score": None}
    lines[6] |= {"status": "agent_error", "success": False, "score": None, "ended": "agent_error"}
    return build(run_of(*toys, *own, not_run=rows, args={"noise": 0.1}) | {"finished": None}, lines)


def test_text_fits_a_terminal_and_shows_every_task(mixed: Report):
    text = render(mixed, "text")
    assert max(map(len, text.splitlines())) <= WIDTH
    words = " ".join(text.split())
    for row in mixed.tasks:
        assert row.task in text
    for said in (
        "walker (my.agents:Walker noise=0.1): reads image, state",
        "suites toy, atari, miniwob; seed 3; bench 0.1.0; toysim 1.2",
        "not finished",
        "means of the rates of these tasks, each weighing the same",
        "partial: 1 error",
        "1 agent error",
        "57 tasks miniwob ui there is no browser apt install chromium chromium-driver",
    ):
        assert said in words
    assert text.count("91.1") == 1  # a figure of the suite, not of each of its 70 tasks
    assert "another rule: another camera" in words
    assert [line.split()[-2:] for line in text.splitlines() if line.startswith("atari/game_")] == [
        ["DQN", "0"],
        ["DQN", "7.5"],
        ["DQN", "15"],
    ]
    assert [
        line.split()[0]
        for line in text.splitlines()
        if line.split()[:1] and line.split()[0] in DOMAINS
    ] == list(DOMAINS)


def test_a_privileged_agent_is_called_so():
    reach = item()
    text = render(
        build(run_of(reach, reads=["expert"], privileged=True), successes(reach, 4)), "text"
    )
    assert text.startswith("walker (my.agents:Walker): privileged: sees the expert\n")


def test_long_names_are_never_broken():
    long = item("toy/" + "a" * 90 + "@1", rule="r" * 200)
    text = render(build(run_of(long), [line(long, 0, "agent_error")]), "text")
    assert long.task.id in text


def test_json_is_the_documented_schema(mixed: Report):
    found = json.loads(render(mixed, "json"))
    assert found == to_json(mixed)
    assert list(found) == [
        "schema",
        "run",
        "overall",
        "domains",
        "suites",
        "tasks",
        "perturbations",
        "not_run",
    ]
    assert found["schema"] == 1
    documented = [
        "task",
        "domain",
        "suite",
        "rule",
        "planned",
        "n",
        "successes",
        "agent_errors",
        "errors",
        "partial",
        "success_rate",
        "ci_low",
        "ci_high",
    ]
    documented += ["rate_if_missing_fail", "score_mean", "normalised", "steps_mean", "reference"]
    assert set(documented) <= set(found["tasks"][0])
    assert found["tasks"][0]["reference"][0] == {
        "label": "GEA",
        "value": 91.1,
        "metric": "success %",
        "source": "arXiv 2412.08442",
        "rule": "another camera",
        "same_rule": False,
        "table": "",
        "row": "",
    }
    assert [row["domain"] for row in found["domains"]] == list(DOMAINS)
    assert len(found["not_run"]) == 57
    assert set(found["not_run"][0]) == {
        "task",
        "domain",
        "suite",
        "reason",
        "remedy",
        "perturbation",
    }
    assert found["run"]["packages"] == {"toysim": "1.2"}


def test_csv_holds_every_task(mixed: Report):
    rows = list(csv.DictReader(io.StringIO(render(mixed, "csv"))))
    assert [row["task"] for row in rows] == [row.task for row in mixed.tasks]
    assert float(rows[2]["success_rate"]) == 0.4
    assert rows[69]["success_rate"] == ""
    assert json.loads(rows[0]["reference"])[0]["label"] == "GEA"


def test_markdown_and_latex_are_escaped():
    odd = item("toy/a|b_<i>@1", rule="50 % & more_ {x} $y ~ \\ #1 ^2")
    report = build(run_of(odd), successes(odd, 1))
    markdown, latex = render(report, "markdown"), render(report, "latex")
    assert "toy/a\\|b\\_&lt;i&gt;@1" in markdown
    table = [line for line in markdown.splitlines() if line.startswith("| toy/")]
    assert len(table) == 1
    assert "50 \\% \\& more\\_ \\{x\\} \\$y" in latex
    assert "toy/a|b\\_\\ensuremath{<}i\\ensuremath{>}@1" in latex
    assert "50 % &" not in latex


def test_long_latex_tables_break_over_pages(mixed: Report):
    latex = render(mixed, "latex")
    assert latex.count("\\begin{longtable}") == latex.count("\\end{longtable}") == 1
    assert latex.count("\\begin{tabular}") == latex.count("\\end{tabular}") >= 4


def test_text_from_a_file_does_not_steer_the_terminal():
    odd = item("toy/\x1b[2Ja@1", rule="one\ntwo\x07")
    report = build(run_of(odd, name="x\x1b]0;y\x07"), successes(odd, 1))
    for name in ("text", "markdown", "latex"):
        assert not {"\x1b", "\x07"} & set(render(report, name))


def test_an_empty_run_renders():
    rows = [NotRun("ui/click@1", "ui", "miniwob", "no browser", "install one")]
    report = build(run_of(not_run=rows), [])
    for name in FORMATS:
        assert render(report, name)
    assert "ui/click@1" in render(report, "text")
    assert "0 of 0 episodes" in summary(report)


def test_an_unknown_format_is_refused(mixed: Report):
    with pytest.raises(UserError, match="choose text, markdown"):
        render(mixed, "pdf")


def test_summary(mixed: Report):
    total = mixed.overall
    rates = [f"{100 * rate:.1f}" for rate in dataclasses.astuple(total.interval)]
    assert summary(mixed).splitlines() == [
        "walker: 356 of 362 episodes scored, 72 of 73 tasks",
        f"{total.successes} of 344 succeeded; mean of task rates {rates[0]} % [{rates[1]}, {rates[2]}]",
        f"mean of task rates and normalised scores {total.normalised:.3f}",
        f"{total.ended['horizon']} of 356 hit the horizon",
        "1 ended in an error of the agent: they count as failures",
        "partial: 1 error, 5 not played",
        "57 tasks cannot run here: the report names the remedies",
    ]


def test_the_report_of_a_run_that_was_really_played(play_toys):
    run = play_toys(episodes=3, workers=0)
    report = load_report(run.path)
    assert report.overall.n == report.overall.planned == len(run.results)
    assert report.overall.successes == sum(bool(result["success"]) for result in run.results)
    assert [row.task for row in report.tasks] == list(
        dict.fromkeys(task.id for task in toys.SUITE_TASKS)
    )
    for name in FORMATS:
        assert render(report, name)
