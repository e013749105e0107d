"""The page of pairs computes what `bench compare` computes, to the last digit that is shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from harness.compare.comparison import Comparison, GroupRow
from harness.compare.pairs import pair_up, read_scored_run
from harness.compare.verdict import compare_pairs

Opened = Callable[..., Page]
PAIRS = (
    ("strong", "weak"),
    ("weak", "plain"),
    ("wide", "wider"),
    ("plain", "wider"),
    ("new", "wide"),
)


def entry_of(site: Any, agent: str) -> str:
    return next(each.name for each in site.entries.iterdir() if each.name.startswith(f"{agent}-"))


def found_by_page(opened: Opened, site: Any, base: str, new: str) -> tuple[Page, Any]:
    ids = [entry_of(site, each) for each in (base, new)]
    page = opened(site.path, f"compare.html?a={ids[0]}&b={ids[1]}")
    page.wait_for_selector(f'#comparison[data-pair="{ids[0]} {ids[1]}"]', state="attached")
    return page, page.evaluate("BOARD.found")


def found_by_bench(site: Any, base: str, new: str) -> Comparison:
    one, other = (read_scored_run(site.runs[each], each) for each in (base, new))
    return compare_pairs(pair_up(one, other), 0.05, 0.05)


def same_group(shown: Any, ours: GroupRow) -> None:
    assert (shown["name"], shown["tasks"], shown["n"]) == (ours.name, ours.tasks, ours.n)
    for name, value in (("base", ours.base), ("now", ours.new)):
        assert shown[name] == (None if value is None else pytest.approx(value, abs=1e-9))
    wanted = [ours.difference.value, ours.difference.low, ours.difference.high]
    assert [shown[k] for k in ("value", "low", "high")] == pytest.approx(wanted, abs=1e-9)
    assert shown["p"] == pytest.approx(ours.p, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(("base", "new"), PAIRS)
def test_a_pair_is_compared_as_bench_compares_it(
    opened: Opened, site: Any, base: str, new: str
) -> None:
    page, shown = found_by_page(opened, site, base, new)
    ours = found_by_bench(site, base, new)
    assert ours.overall is not None
    same_group(shown["overall"], ours.overall)
    for group, row in zip(sorted(shown["domains"], key=lambda x: x["name"]),
                          sorted(ours.domains, key=lambda x: x.name), strict=True):  # fmt: skip
        same_group(group, row)
    for group, row in zip(shown["conditions"], ours.perturbations, strict=True):
        same_group({**group, "name": row.name}, row)
    for task, row in zip(shown["tasks"], ours.tasks, strict=True):
        assert (task["task"], task["n"], task["losses"], task["wins"]) == (
            row.task, row.n, row.losses, row.wins,
        )  # fmt: skip
        wanted = [row.difference.value, row.difference.low, row.difference.high]
        assert [task[k] for k in ("value", "low", "high")] == pytest.approx(wanted, abs=1e-9)
        if row.measure == "success" and not ours.perturbations:
            assert task["p"] == pytest.approx(row.p, rel=1e-9)
        else:  # bench draws signs at random; the page counts all of them where they are few
            assert task["p"] == pytest.approx(row.p, abs=0.02)
    low = ours.overall.difference.low
    text = page.locator("#comparison .summary").inner_text()
    assert ("cannot be told apart" in text) == (low <= 0 <= ours.overall.difference.high)
    assert page.locator("#by-task tbody tr").count() == len(ours.tasks)


def test_what_started_otherwise_is_no_pair(opened: Opened, site: Any) -> None:
    page, shown = found_by_page(opened, site, "strong", "elsewhere")
    assert shown["overall"] is None
    assert "No case of both started alike" in page.locator("#comparison").inner_text()


def test_other_protocols_and_the_entry_itself_are_refused(opened: Opened, site: Any) -> None:
    page, _ = found_by_page(opened, site, "strong", "other")
    assert "different protocols are not compared" in page.locator("#comparison").inner_text()
    page, _ = found_by_page(opened, site, "strong", "strong")
    assert "the same entry" in page.locator("#comparison").inner_text()


def test_what_one_must_know_is_said(opened: Opened, site: Any) -> None:
    page, _ = found_by_page(opened, site, "seer", "new")
    said = page.locator("#comparison").inner_text()
    assert "seer is privileged, new is not" in said
    assert "new is unverified: its figures are claims" in said


def test_another_choice_is_compared_and_can_be_linked(opened: Opened, site: Any) -> None:
    page, first = found_by_page(opened, site, "strong", "weak")
    page.locator("#b").select_option(entry_of(site, "plain"))
    page.wait_for_function(f"location.search.endsWith('b={entry_of(site, 'plain')}')")
    page.wait_for_selector(
        f'#comparison[data-pair$=" {entry_of(site, "plain")}"]', state="attached"
    )
    assert page.evaluate("BOARD.found")["overall"]["value"] != first["overall"]["value"]


def test_no_address_reaches_a_script_that_is_no_entry(opened: Opened, site: Any) -> None:
    page = opened(site.path, "compare.html?a=../../evil&b=%3Cscript%3E")
    page.wait_for_selector("#comparison[data-pair]", state="attached")
    loaded = page.evaluate("[...document.scripts].map((each) => each.src)")
    assert all(re.search(r"/(assets|data)/[\w./-]+\.js$", each) for each in loaded)
    assert "evil" not in " ".join(loaded)


def test_a_refused_entry_cannot_be_compared(opened: Opened, site: Any) -> None:
    page = opened(site.path, "compare.html")
    assert "forged-babyai" not in page.locator("#a").inner_html()


def test_entries_of_one_suite_are_offered_first(opened: Opened, site: Any) -> None:
    page = opened(site.path, "compare.html")
    page.wait_for_selector("#comparison[data-pair]", state="attached")
    assert "They share no task" not in page.locator("#comparison").inner_text()
    assert page.locator("#a").input_value() != page.locator("#b").input_value()
    assert page.locator("#b optgroup").first.get_attribute("label") == "Of the same suite"
