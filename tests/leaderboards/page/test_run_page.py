"""The page of a run in a real browser: what it shows, and that it asks nobody for anything."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import toys
from axe_playwright_python.sync_playwright import Axe
from conftest import Run, Said
from playwright.sync_api import Page, expect
from reports import game, item, line, run_of, scores, write_report_run

from harness.core import Reference, Result
from harness.records.plan import CaseIndex
from harness.records.stored_run import StoredRun
from leaderboards.page.plots import plots_of
from leaderboards.page.run_page import run_page
from leaderboards.report import load_report

TAKE = "document.title='taken'"
HOSTILE = f"</script><script>{TAKE}</script><img/src=x/onerror={TAKE}>{'x' * 100}"


@pytest.fixture(scope="module")
def toy_page(filmed: Callable[[str], Path]) -> str:
    """A run with failures and videos that the page shows."""
    return run_page(filmed("RandomAgent"))


def test_the_page_sorts_and_filters(opened: Callable[..., Page], toy_page: str) -> None:
    page = opened(toy_page)
    assert "RandomAgent: 30 of 30 episodes" in page.locator(".summary").inner_text()
    assert page.locator('figure[data-plot="forest"] svg').count() == 1
    table = page.locator("#toys table")
    steps = table.locator("th", has_text="steps").first
    column = "td:nth-child({})".format(
        1 + table.locator("th").all_inner_texts().index(steps.inner_text())
    )
    for direction in ("ascending", "descending"):
        steps.locator(".dt-column-order").click()
        expect(steps).to_have_attribute("aria-sort", direction)
        shown = [float(each) for each in table.locator(f"tbody {column}").all_inner_texts() if each]
        assert shown == sorted(shown, reverse=direction == "descending")
    page.get_by_label("Filter toys:").fill("goal07")
    assert table.locator("tbody tr").count() == 1


def test_the_page_is_used_by_keyboard_alone(opened: Callable[..., Page], toy_page: str) -> None:
    page = opened(toy_page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#main$"))
    heading = page.locator("#toys th").first.locator("[tabindex]").first
    heading.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#toys th").first).to_have_attribute("aria-sort", "ascending")


def test_a_failure_has_its_video_and_the_command_that_plays_it_again(
    opened: Callable[..., Page], toy_page: str
) -> None:
    page = opened(toy_page)
    card = page.locator(".gallery li").first
    assert "bench show" in card.locator("code").inner_text()
    video = card.locator("video")
    length = video.evaluate(
        """async (video) => {
            video.load();
            await new Promise((done, failed) => {
                video.onloadedmetadata = done; video.onerror = () => failed(video.error.message);
            });
            video.muted = true;
            await video.play();
            return video.duration;
        }"""
    )
    assert length > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 375])
def test_everybody_can_read_it(
    opened: Callable[..., Page], toy_page: str, scheme: str, width: int
) -> None:
    page = opened(toy_page, width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page).response["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in serious] == []


def test_without_scripts_the_tables_are_there(opened: Callable[..., Page], toy_page: str) -> None:
    page = opened(toy_page, java_script_enabled=False)
    assert page.locator("#toys tbody tr").count() == 15


def test_scores_have_a_profile(opened: Callable[..., Page], tmp_path: Path) -> None:
    games = [game("atari/one@1", 3), game("atari/two@1", 3)]
    lines = [x for each in games for x in scores(each, 10.0, 400.0, 7000.0)]
    page = opened(run_page(write_report_run(tmp_path / "run", run_of(*games), lines)))
    assert page.locator('figure[data-plot="profile"] svg').count() == 1
    assert page.locator('figure[data-plot="forest"]').count() == 0


def test_a_published_mean_is_no_figure_of_a_task(tmp_path: Path) -> None:
    figures = tuple(
        Reference(f"of {tasks}", value, "success_rate", "a paper", "", True, tasks=tasks)
        for tasks, value in ((1, 0.4), (2, 0.7), (None, 0.8))
    )
    tasks = [item(name, episodes=2, references=figures) for name in ("toy/a@1", "toy/b@1")]
    lines = [line(each, k, success=True) for each in tasks for k in range(2)]
    report = load_report(write_report_run(tmp_path / "run", run_of(*tasks), lines))
    for row in plots_of(report, ())["forest"]:
        assert [each["value"] for each in row["published"]] == [40.0]


def test_nothing_that_a_run_says_becomes_a_part_of_the_page(
    opened: Callable[..., Page], tmp_path: Path
) -> None:
    task = item("toy/hostile@1", episodes=2, rule=HOSTILE)
    lines = [line(task, 0, success=True), line(task, 1, "agent_error", error=HOSTILE)]
    run = run_of(task, name=HOSTILE, command=HOSTILE)
    page = opened(run_page(write_report_run(tmp_path / "run", run, lines)), 375)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert page.title().startswith("</script>")
    assert page.locator("img").count() == 0
    assert HOSTILE[:30] in page.locator("h1").inner_text()
    data = json.loads(page.locator("#data").inner_text())
    assert data["forest"][0]["task"] == "toy/hostile@1"


def test_tokens_money_and_time_are_told_and_transcripts_are_read(
    opened: Callable[..., Page], play_toys: Callable[..., Run], tmp_path: Path
) -> None:
    tasks = [toys.toy_task("near"), toys.toy_task("unreachable", size=40, max_steps=5)]
    page = opened(run_page(play_toys("talkers:Spender", tasks, 6).path))
    for plot in ("tokens", "answers"):
        assert page.locator(f'figure[data-plot="{plot}"] svg').count() == 1
    data = json.loads(page.locator("#data").inner_text())
    assert len(data["tokens"]) == 12
    assert {each["ended"] for each in data["tokens"]} == {"succeeded", "failed"}
    heads = page.locator("#time-tokens-and-cost th").all_inner_texts()
    assert [each.strip(" \n↕") for each in heads][:2] == ["", "episodes"]
    overall = page.locator("#time-tokens-and-cost tfoot td").all_inner_texts()
    assert overall[:2] == ["overall", "12"]
    assert page.locator("#what-the-agent-tells-of-its-answers tfoot td").nth(1).inner_text()
    card = page.locator(".gallery li").first
    assert "5 answers in" in card.inner_text()
    assert "tokens in 500" in card.inner_text()
    said = card.locator("pre").first
    expect(said).not_to_be_visible()
    card.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(said).to_be_visible()
    assert said.inner_text() == "asked: which way?"
    assert "that way\\x1b[31m, step 0" in card.locator("pre").nth(1).inner_text()


def test_the_results_are_read_once(
    play_toys: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = play_toys("RandomAgent", [toys.toy_task()], 3)
    read: list[int] = []
    cases = StoredRun.cases

    def counted(self: StoredRun) -> Iterator[tuple[CaseIndex, Result]]:
        read.append(1)
        return cases(self)

    monkeypatch.setattr(StoredRun, "cases", counted)
    run_page(run.path)
    assert read == [1]


def test_a_floor_that_is_given_stands_on_the_page(play_toys: Callable[..., Run]) -> None:
    run = play_toys("GoodAgent", [toys.toy_task()], 3, out="good").path
    floor = play_toys("RandomAgent", [toys.toy_task()], 3, out="floor").path
    assert '"floor":null' in run_page(run)
    assert '"floor_agent":"RandomAgent"' in run_page(run, floors=[floor])


def test_figures_of_answers_that_are_no_figures_are_left_out(tmp_path: Path) -> None:
    task = item(episodes=3)
    told = {"tokens_in": 10**400, "usd": -1, "bytes": True, "tokens_out": "7", "letters": 5}
    timing = {"simulator_s": 0.5, "agent_s": 0.25, "asked": 10**400, "agent": told}
    lines = [line(task, k, timing=timing) for k in range(3)]
    page = run_page(write_report_run(tmp_path / "run", run_of(task), lines))
    assert "tokens in" not in page
    assert "letters 5" in page


def test_a_link_in_videos_is_not_followed(play_toys: Callable[..., Run], tmp_path: Path) -> None:
    run = play_toys("RandomAgent", [toys.toy_task()], 2, video="failures")
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret of this machine")
    for file in (run.path / "videos").glob("*.mp4"):
        file.unlink()
        file.symlink_to(secret)
    from harness.core import UserError

    with pytest.raises(UserError):
        run_page(run.path)


def test_the_command_writes_the_page_as_it_is(bench_here: Callable[..., Said]) -> None:
    command = ["run", "--agent", "noop", "--suite", "pddl", "--tasks", "gripper"]
    assert bench_here(*command, "--episodes", "1", "--workers", "0", "--out", "r").code == 0
    said = bench_here("report", "r", "--format", "html")
    assert said.code == 0
    assert said.out.startswith("<!doctype html>")
    assert said.out == run_page("r")
