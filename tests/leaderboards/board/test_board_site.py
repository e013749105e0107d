"""What the build writes: equal bytes, feeds and tables that parse, no markup of a stranger's."""

from __future__ import annotations

import csv
import io
import json
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from boardentries import play_entry, small
from conftest import Said
from playwright.sync_api import Page

from harness.cli.names import suites_named
from harness.core import UserError
from leaderboards.board.build import build_site
from leaderboards.submissions.entry import read_entry
from leaderboards.submissions.verdict import Verdict

BABYAI = small(suites_named("babyai")[0])
OURS = {"babyai": BABYAI}
ATOM = "{http://www.w3.org/2005/Atom}"
TAKE = "document.title='taken'"
HOSTILE = f"</script><script>{TAKE}</script><img src=x onerror={TAKE}>\u2028"


def files_of(site: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(site)): file.read_bytes()
        for file in sorted(site.rglob("*"))
        if file.is_file()
    }


def test_equal_entries_give_equal_bytes(site: Any, tmp_path: Path) -> None:
    address = "https://example.org/board"
    build_site([site.entries], tmp_path / "again", site.suites, url=address, hub_dataset="me/board")
    assert files_of(tmp_path / "again") == files_of(site.path)


def test_the_tables_for_programs_agree(site: Any) -> None:
    document = json.loads((site.path / "data" / "board.json").read_text())
    assert document["schema"] == 1
    rows = {
        (suite["suite"], row["entry"]): row for suite in document["suites"] for row in suite["rows"]
    }
    lines = list(csv.DictReader(io.StringIO((site.path / "data" / "rows.csv").read_text())))
    assert {(each["suite"], each["entry"]) for each in lines} == set(rows)
    for each in lines:
        row = rows[each["suite"], each["entry"]]
        assert each["rank_low"] == ("" if row["rank_low"] is None else str(row["rank_low"]))
        assert each["value"] == ("" if row["value"] is None else str(row["value"]))
    ranked = [row for row in rows.values() if row["rank_low"] is not None]
    assert all(row["apart"] is None for row in ranked)
    bounded = [row for row in ranked if row["low"] is not None]
    assert len(bounded) >= 6, "only few scores have no bounds"
    assert all(row["low"] <= row["value"] <= row["high"] for row in bounded)
    tasks = list(csv.DictReader(io.StringIO((site.path / "data" / "tasks.csv").read_text())))
    strong = [each for each in tasks if each["agent"] == "strong"]
    assert len(strong) == len(site.suites["babyai"].tasks)


def test_the_feed_has_every_entry_with_its_verdict(site: Any) -> None:
    feed = ET.parse(site.path / "feed.xml").getroot()
    entries = feed.findall(f"{ATOM}entry")
    assert len(entries) == 10
    for each in entries:
        assert str(each.findtext(f"{ATOM}id")).startswith("urn:sha256:")
        link = each.find(f"{ATOM}link")
        assert link is not None
        address = link.attrib["href"].removeprefix("https://example.org/board/")
        assert (site.path / address).is_file()
    dates = [str(each.findtext(f"{ATOM}updated")) for each in entries]
    assert dates == sorted(dates, reverse=True)
    titles = [each.findtext(f"{ATOM}title") for each in entries]
    assert "forged on babyai: refused" in titles


def test_a_badge_tells_the_figure_or_why_there_is_no_rank(site: Any) -> None:
    for file in (site.path / "badges").iterdir():
        ET.parse(file)
    texts = {
        file.name: ET.parse(file).getroot().attrib["aria-label"]
        for file in (site.path / "badges").iterdir()
    }
    assert " % (" in texts["strong-babyai--babyai.svg"]
    assert texts["forged-babyai--babyai.svg"] == "forged, babyai: refused"
    assert "babyai: privileged, " in texts["seer-babyai--babyai.svg"]


def test_model_cards_hold_ranked_figures_alone(site: Any) -> None:
    found = {file.parent.name: file for file in (site.path / "eval_results").rglob("babyai.yaml")}
    assert set(found) == {
        "strong-babyai", "weak-babyai", "plain-babyai", "wide-3-suites", "wider-3-suites",
        "elsewhere-babyai",
    }  # fmt: skip
    (result,) = yaml.safe_load(found["strong-babyai"].read_text())
    assert result["dataset"] == {"id": "me/board", "task_id": "babyai"}
    assert 0 <= result["value"] <= 100
    assert result["source"]["url"].startswith("https://example.org/board/agents/strong-")
    assert "95 % interval" in result["notes"]
    assert result["evaluation_framework"] == "generalist-bench"


def test_what_an_entry_says_never_becomes_a_part_of_a_page(
    opened: Callable[..., Page], tmp_path: Path
) -> None:
    entries = tmp_path / "entries"
    entries.mkdir()
    hostile = HOSTILE.replace("\u2028", "")
    path = play_entry(
        entries, "fine", [BABYAI], lambda *_: True, verdict=None,
        entry=hostile, args={"a": hostile}, reads=[hostile], renderer=HOSTILE,
    )  # fmt: skip
    digest = read_entry(path).digest
    said = Verdict(outcome="refused", statement=HOSTILE, entry=digest, reasons=(HOSTILE,) * 3)
    said.write(path)
    shutil.copytree(path, entries / hostile.replace("/", ""))
    (entries / hostile.replace("/", "") / "check.json").unlink()
    site = tmp_path / "site"
    build_site([entries], site, OURS)
    everything = [*site.glob("*.html"), *site.glob("suites/*.html"), *site.glob("agents/*.html")]
    assert len(everything) == 4
    for file in everything:
        page = opened(site, str(file.relative_to(site)))
        page.wait_for_timeout(100)
        assert page.title() != "taken"
        assert page.locator("img[src=x]").count() == 0
    for name, text in files_of(site).items():
        assert name.endswith((".json", ".csv")) or b"<script>document" not in text, name


def test_a_verdict_of_any_shape_breaks_nothing(tmp_path: Path) -> None:
    entries = tmp_path / "entries"
    entries.mkdir()
    path = play_entry(entries, "fine", [BABYAI], lambda *_: True)
    check = json.loads((path / "check.json").read_text())
    check |= {"reasons": {"a": 1}, "statement": [[]], "date": 7, "seed": None, "bench": "b" * 9999}
    (path / "check.json").write_text(json.dumps(check))
    assert build_site([entries], tmp_path / "site", OURS).entries == 1


def test_a_board_without_entries_opens(opened: Callable[..., Page], tmp_path: Path) -> None:
    (tmp_path / "entries").mkdir()
    build_site([tmp_path / "entries"], tmp_path / "site", OURS)
    page = opened(tmp_path / "site", "index.html")
    assert "0 agents in 0 entries" in page.locator(".summary").inner_text()
    page = opened(tmp_path / "site", "compare.html")
    assert page.locator("#a option").count() == 0


def test_a_folder_that_is_no_board_is_not_replaced(tmp_path: Path) -> None:
    entries = tmp_path / "entries"
    entries.mkdir()
    play_entry(entries, "fine", [BABYAI], lambda *_: True)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="something else than a board"):
        build_site([entries], mine, OURS)
    assert (mine / "thesis.txt").read_text() == "years of work"
    site = tmp_path / "site"
    build_site([entries], site, OURS)
    (site / "old.html").write_text("")
    build_site([entries], site, OURS)
    assert not (site / "old.html").exists()


def test_the_command_says_what_it_left_out(bench_here: Callable[..., Said], tmp_path: Path) -> None:
    entries = Path("entries")
    entries.mkdir()
    (entries / "empty").mkdir()
    play_entry(entries.absolute(), "fine", [suites_named("pddl")[0]], lambda *_: True, episodes=1)
    said = bench_here("leaderboard", "build", "--entries", "entries", "--out", "site")
    assert said.code == 0
    assert said.out == "site/index.html\n"
    assert "no entry: entries/empty: " in said.err
    assert "1 entry, 1 suite, " in said.err
    page = Path("site/suites/pddl.html").read_text()
    assert "bench leaderboard check entries/fine-pddl --sample all" in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--entries", "nowhere"], "there is no folder nowhere"),
        (["--entries", ".", "--url", "javascript:x"], "write an address"),
        (["--entries", ".", "--hub-dataset", "x"], "write OWNER/NAME"),
    ],
)
def test_wrong_use_is_one_line(
    bench_here: Callable[..., Said], arguments: list[str], words: str
) -> None:
    said = bench_here("leaderboard", "build", "--out", "site", *arguments)
    assert said.code == 2
    assert words in said.err
    assert "Traceback" not in said.err
