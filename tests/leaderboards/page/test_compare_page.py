"""The pages of comparisons in a real browser: figures, the cases side by side, their scrubber."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import toys
from axe_playwright_python.sync_playwright import Axe
from conftest import Run, Said
from playwright.sync_api import Locator, Page, expect
from reports import item, line, run_of, write_report_run

from harness.compare.pairs import Pair, TaskPairs, read_scored_run
from harness.core import UserError
from leaderboards.compare import compare_runs
from leaderboards.compare_several import compare_several
from leaderboards.compare_tables import comparison_headline
from leaderboards.page.compare_page import compare_page
from leaderboards.page.media import Media, RunVideos
from leaderboards.page.several_page import several_page
from leaderboards.page.sides import left_out_badge, left_out_table
from leaderboards.tables import signed_points

TAKE = "document.title='taken'"
HOSTILE = f"</script><script>{TAKE}</script><img/src=x/onerror={TAKE}>{'x' * 100}"


def page_of(*paths: Path) -> str:
    runs = [read_scored_run(path, path.name) for path in paths]
    if len(runs) > 2:
        return several_page(compare_several(runs, 0.05), runs)
    return compare_page(compare_runs(*runs, 0.05, 0.05), *runs)


@pytest.fixture(scope="module")
def two(filmed: Callable[[str], Path]) -> str:
    """A good agent against a random one, with the videos of both."""
    return page_of(filmed("GoodAgent"), filmed("RandomAgent"))


def times(case: Locator) -> list[float]:
    found: list[float] = case.locator("video").evaluate_all("all => all.map((v) => v.currentTime)")
    return found


def loaded(case: Locator) -> None:
    case.locator("video").evaluate_all(
        """(all) => Promise.all(all.map((video) => video.readyState > 0 ? 0 :
            new Promise((done) => video.addEventListener("loadedmetadata", done))))"""
    )


def test_the_figures_are_those_of_the_text(
    opened: Callable[..., Page], filmed: Callable[[str], Path], two: str
) -> None:
    runs = [read_scored_run(filmed(name), name) for name in ("GoodAgent", "RandomAgent")]
    compared = compare_runs(*runs, 0.05, 0.05)
    page = opened(two)
    assert page.locator(".summary").inner_text() == comparison_headline(compared)
    assert page.locator(".badges li").first.inner_text() == compared.comparison.verdict
    overall = compared.comparison.overall
    assert overall is not None
    card = page.locator(".cards div").first.inner_text()
    assert signed_points(overall.difference.value) in card
    assert signed_points(overall.difference.low) in card
    rows = json.loads(page.locator("#data").inner_text())["differences"]["rows"]
    assert [row["name"] for row in rows] == [
        "overall",
        *(row.task for row in compared.comparison.tasks),
    ]
    assert rows[1]["low"] == round(100 * compared.comparison.tasks[0].difference.low, 2)
    assert page.locator('figure[data-plot="differences"] svg').count() == 1
    facts = page.locator("#provenance").inner_text()
    assert "toys:RandomAgent" in facts
    assert "state" in facts


def test_its_table_sorts_and_filters(opened: Callable[..., Page], two: str) -> None:
    page = opened(two)
    table = page.locator("#tasks table")
    lost = table.locator("th", has_text="lost")
    column = "td:nth-child({})".format(
        1 + table.locator("th").all_inner_texts().index(lost.inner_text())
    )
    lost.locator(".dt-column-order").click()
    expect(lost).to_have_attribute("aria-sort", "ascending")
    shown = [float(each) for each in table.locator(f"tbody {column}").all_inner_texts()]
    assert shown == sorted(shown)
    page.get_by_label("Filter tasks:").fill("goal07")
    assert table.locator("tbody tr").count() == 1


def test_one_scrubber_moves_both_videos_to_the_same_step(
    opened: Callable[..., Page], two: str
) -> None:
    page = opened(two)
    case = page.locator("details.case").first
    loaded(case)
    scrubber = case.locator("input[type=range]")
    scrubber.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    # Ten frames in a second, one of them a step: in the middle of the fourth frame.
    expect(case.locator("output")).to_have_text("step 3 of 40")
    assert times(case) == pytest.approx([0.35, 0.35], abs=0.01)
    assert case.locator("tr.now td").first.inner_text() == "3"
    page.keyboard.press("End")
    expect(case.locator("output")).to_have_text("step 40 of 40")
    lengths = case.locator("video").evaluate_all("all => all.map((v) => v.duration)")
    # Each stays at its own end, in the second for which the last frame is shown.
    for at, length in zip(times(case), lengths):
        assert length - 1 < at < length
    assert lengths[0] < lengths[1]
    case.locator(".back").click()
    expect(case.locator("output")).to_have_text("step 39 of 40")


def test_both_videos_are_played_by_the_space_bar(opened: Callable[..., Page], two: str) -> None:
    page = opened(two)
    case = page.locator("details.case").first
    loaded(case)
    # A busy machine must not see its end before the space bar is pressed again.
    case.locator("video").evaluate_all("all => all.forEach((v) => { v.playbackRate = 0.1; })")
    case.locator("input[type=range]").focus()
    page.keyboard.press(" ")
    expect(case.locator(".play")).to_have_text("Pause")
    case.locator("video").last.evaluate(
        """(video) => new Promise((done) => video.addEventListener(
            "timeupdate", () => video.currentTime > 0.15 && done()))"""
    )
    page.keyboard.press(" ")
    expect(case.locator(".play")).to_have_text("Play")
    assert case.locator("video").evaluate_all("all => all.every((v) => v.paused)")
    step = int(case.locator("input[type=range]").input_value())
    assert step > 0
    assert times(case)[1] == pytest.approx((step + 0.5) / 10, abs=0.01)


def test_a_case_is_opened_by_keyboard_and_jumps_to_the_first_difference(
    opened: Callable[..., Page], two: str
) -> None:
    page = opened(two)
    case = page.locator("details.case").nth(1)
    assert not case.evaluate("each => each.open")
    case.locator("summary").focus()
    page.keyboard.press("Enter")
    loaded(case)
    first = case.locator(".first")
    step = first.get_attribute("data-step")
    first.focus()
    page.keyboard.press("Enter")
    expect(case.locator("output")).to_have_text(f"step {step} of 40")
    assert case.locator("tr.differs").first.get_attribute("data-step") == step
    assert case.locator("code").all_inner_texts()[0].startswith("bench show ")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 375])
def test_everybody_can_read_it(
    opened: Callable[..., Page], two: str, scheme: str, width: int
) -> None:
    page = opened(two, width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page).response["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in serious] == []


def test_without_scripts_tables_videos_and_steps_are_there(
    opened: Callable[..., Page], two: str
) -> None:
    page = opened(two, java_script_enabled=False)
    assert page.locator("#tasks tbody tr").count() == 15
    case = page.locator("details.case").first
    expect(case.locator("video[controls]").first).to_be_visible()
    expect(case.locator(".player")).not_to_be_visible()
    assert case.locator(".steps tbody tr").count() == 40


def test_without_videos_the_transcripts_stand_beside_each_other(
    opened: Callable[..., Page], play_toys: Callable[..., Run]
) -> None:
    tasks = [toys.toy_task(control_hz=10.0)]
    base = play_toys("talkers:Talker", tasks, 4, out="talker").path
    new = play_toys("RandomAgent", tasks, 4, out="random").path
    page = opened(page_of(base, new))
    case = page.locator("details.case").first
    assert case.locator("video").count() == 0
    row = case.locator('tr[data-step="1"]')
    assert "asked: which way?" in row.locator("td").nth(1).inner_text()
    assert row.locator("td").nth(2).inner_text() in "01234"
    case.locator(".play").click()
    expect(case.locator("output")).to_have_text(re.compile("step [1-9]"))
    case.locator("input[type=range]").focus()
    page.keyboard.press("Home")
    expect(case.locator(".play")).to_have_text("Play")
    page.keyboard.press("ArrowRight")
    expect(case.locator("tr.now")).to_have_attribute("data-step", "1")


def test_what_perturbations_cost_both_is_told(
    opened: Callable[..., Page], bench_here: Callable[..., Said]
) -> None:
    options = "--suite minigrid --tasks LavaGapS7 --episodes 3 --perturb action_dropout:2"
    for agent in ("noop", "uniform"):
        command = f"run --agent {agent} {options} --workers 0 --out {agent}"
        assert bench_here(*command.split()).code == 0
    said = bench_here("compare", "noop", "uniform", "--format", "html")
    assert said.code in (0, 1, 3)
    page = opened(said.out)
    assert page.locator('figure[data-plot="conditions"] svg').count() == 1
    assert "action_dropout" in page.locator("#who-loses-less").inner_text()
    refused = bench_here("compare", "noop", "uniform", "--format", "html", "--robustness")
    assert refused.code == 2
    assert "leave it out" in refused.err


def test_several_runs_have_letters_ranks_and_a_matrix(
    opened: Callable[..., Page], filmed: Callable[[str], Path], two: str
) -> None:
    paths = [filmed(name) for name in ("GoodAgent", "RandomAgent", "ChunkAgent")]
    page = opened(page_of(*paths), 375)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert "Cochran's Q" in page.locator(".summary").inner_text()
    assert page.locator('figure[data-plot="ranks"] svg').count() == 1
    runs = [read_scored_run(path, path.name) for path in paths]
    several = compare_several(runs, 0.05)
    matrix = page.locator("#differences-of-all-pairs tbody tr")
    assert matrix.count() == 3
    named = {row.locator("td").first.inner_text(): row for row in matrix.all()}
    pair = next(each for each in several.contrasts if each.new == "RandomAgent")
    told = named["RandomAgent"].inner_text()
    assert f"{signed_points(pair.difference.value)} *" in told
    assert "-0.0" not in page.locator("#differences-of-all-pairs").inner_text()
    case = page.locator("details.case").first
    assert case.locator("video").count() == 3
    found = Axe().run(page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []


def test_nothing_that_runs_say_becomes_a_part_of_the_page(
    opened: Callable[..., Page], tmp_path: Path
) -> None:
    task = item("toy/hostile@1", suite=HOSTILE, episodes=2, rule=HOSTILE)
    paths = []
    for number, success in enumerate((True, False)):
        run = run_of(task, name=HOSTILE, command=HOSTILE, fingerprint=HOSTILE)
        lines = [line(task, 0, success=success), line(task, 1, "agent_error", error=HOSTILE)]
        told = {"agent": {HOSTILE: 1.0}, "asked": 1, "agent_s": 1.0, "simulator_s": 1.0}
        lines = [{**each, "timing": told, "ended": HOSTILE} for each in lines]
        path = tmp_path / f"{number}<script>"
        paths.append(write_report_run(path, {**run, "created": f"200{number}"}, lines))
    page = opened(page_of(*paths), 375)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert page.title().startswith("</script>")
    assert page.locator("img").count() == 0
    assert page.locator("details.case").count() == 1
    assert HOSTILE[:30] in page.locator("details.case").inner_text()


def test_what_fits_is_inside_and_the_rest_is_linked(filmed: Callable[[str], Path]) -> None:
    runs = [read_scored_run(filmed(name)) for name in ("GoodAgent", "RandomAgent")]
    index = runs[0].plan.locate("toys/goal00@1", 0, ())
    assert index is not None
    case = runs[0].plan.case(index).id
    pair = [(RunVideos(run.path, run.path.name), case) for run in runs]
    size = sum(
        (run.path / str(videos.name(case, "mp4"))).stat().st_size
        for run, (videos, _) in zip(runs, pair)
    )
    inside = Media(size).together(pair)
    assert all(each.video.startswith("data:video/mp4;base64,") for each in inside)
    linked = Media(size - 1).together(pair)
    assert [each.video for each in linked] == [
        f"{run.path.name}/videos/toys_goal00%401-0-{case}.mp4" for run in runs
    ]


def test_pairs_that_were_left_out_are_told_with_the_reason() -> None:
    whole = TaskPairs(toys.toy_task(), "toys", (Pair(0, (), 1.0, 0.0),))
    partial = dataclasses.replace(whole, unlike=2, apart=1)
    assert left_out_table([whole]) == []
    assert left_out_badge([whole]) == []
    assert left_out_badge([whole, partial]) == [("warning", "3 cases left out")]
    (table,) = left_out_table([whole, partial])
    assert {column.name: column.cells for column in table.shown()} == {
        "task": ("toys/goal@1",),
        "pairs": ("1",),
        "started differently": ("2",),
        "drawn differently": ("1",),
    }


def test_of_a_fetched_run_there_are_figures_alone(
    opened: Callable[..., Page], filmed: Callable[[str], Path], bench_here: Callable[..., Said]
) -> None:
    good = filmed("GoodAgent")
    shutil.make_archive("good", "zip", good.parent, good.name)
    said = bench_here("compare", "good.zip", filmed("RandomAgent"), "--format", "html")
    assert said.code == 1
    page = opened(said.out)
    assert "as it was fetched: good.zip" in page.locator("#cases .lead").inner_text()
    case = page.locator("details.case").first
    assert case.locator("video").count() == 1
    assert case.locator("code").count() == 1


def test_a_link_in_videos_is_not_followed(play_toys: Callable[..., Run], tmp_path: Path) -> None:
    tasks = [toys.toy_task(control_hz=10.0)]
    base = play_toys("GoodAgent", tasks, 2, out="good", video="all").path
    new = play_toys("RandomAgent", tasks, 2, out="random", video="all").path
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret of this machine")
    for file in (new / "videos").glob("*.mp4"):
        file.unlink()
        file.symlink_to(secret)
    with pytest.raises(UserError):
        page_of(base, new)
