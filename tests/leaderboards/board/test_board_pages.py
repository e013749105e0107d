"""The pages of the board in a real browser, from file://."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

Opened = Callable[..., Page]
PAGES = (
    "index.html",
    "suites/babyai.html",
    "suites/atari.html",
    "domains/games.html",
    "agents/strong",
    "tasks/babyai-gotoobj",
    "compare.html?a=weak-babyai&b=strong-babyai",
)


def path_of(site: Path, name: str) -> str:
    """The path of a page whose name ends in a hash."""
    if "." in name:
        return name
    folder, _, begin = name.partition("/")
    found = sorted((site / folder).glob(f"{begin}-*.html"))
    return f"{folder}/{found[0].name}"


def wait(page: Page) -> None:
    """Until the scripts have done what they do."""
    if "compare.html" in page.url:
        page.wait_for_selector("#comparison[data-pair]", state="attached")
    else:
        page.wait_for_selector(".dt-container")


def test_from_the_index_to_an_agent_and_its_task(opened: Opened, site: Any) -> None:
    page = opened(site.path, "index.html")
    assert (
        "10 agents in 10 entries, 8 of which were accepted" in page.locator(".summary").inner_text()
    )
    page.locator("#agents").get_by_label("Filter agents:").fill("strong")
    assert page.locator("#agents tbody tr").count() == 1
    page.locator("#agents tbody a", has_text="strong").first.click()
    assert page.locator("h1").inner_text() == "strong"
    assert "bench leaderboard check" in page.locator("code").first.inner_text()
    assert "claimed, not checked" in page.locator("footer").inner_text()
    table = page.get_by_role("region", name="Robustness in babyai, table")
    assert "action_noise:2" in table.inner_text()
    page.locator("td a", has_text="babyai/GoToObj@1").click()
    assert page.locator("h1").inner_text() == "babyai/GoToObj@1"
    rows = page.locator("#agents tbody tr")
    assert page.locator("#agents tr.grey").count() >= 3
    assert rows.filter(has_text="strong").locator("code").count() == 1


def test_a_suite_sorts_and_tells_who_is_ranked(opened: Opened, site: Any) -> None:
    page = opened(site.path, "suites/babyai.html")
    ranking, apart = page.locator("#ranking"), page.locator("#apart")
    shown = ranking.locator("tbody tr:not(.grey) td:nth-child(3)").all_inner_texts()
    assert set(shown) == {"strong", "weak", "plain", "wide", "wider", "elsewhere"}
    assert ranking.locator("tr.grey").filter(has_text="floor: uniform").count() == 1
    assert "arXiv 2412.08442" in ranking.locator("tr.grey").filter(has_text="GEA").inner_text()
    why = {row.split("\t")[0]: row for row in apart.locator("tbody tr").all_inner_texts()}
    assert "privileged" in why["seer"]
    assert "another protocol" in why["other"]
    assert "unverified" in why["new"]
    assert "refused: the check refused it: success is false, not true" in why["forged"]
    head = ranking.locator("th", has_text="success %")
    for direction in ("ascending", "descending"):
        head.locator(".dt-column-order").click()
        expect(head).to_have_attribute("aria-sort", direction)
        found = [float(x) for x in ranking.locator("tbody td:nth-child(4)").all_inner_texts()]
        assert found == sorted(found, reverse=direction == "descending")
    for name in ("forest", "robustness", "efficiency", "history"):
        assert page.locator(f'figure[data-plot="{name}"] svg').count() >= 1, name


def test_scores_have_a_board_too(opened: Opened, site: Any) -> None:
    page = opened(site.path, "suites/atari.html")
    assert page.locator("#ranking th", has_text="normalised").count() == 1
    assert "1" in page.locator("#ranking tbody tr:not(.grey) td").first.inner_text()


def test_it_is_used_by_keyboard_alone(opened: Opened, site: Any) -> None:
    page = opened(site.path, "suites/babyai.html")
    wait(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    page.locator("#ranking th").first.locator("[tabindex]").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#ranking th").first).to_have_attribute("aria-sort", "ascending")
    page.locator("#ranking tbody a").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/agents/*.html")
    page = opened(site.path, "compare.html")
    wait(page)
    page.locator("#a").focus()
    page.keyboard.press("End")
    page.wait_for_function("location.search.includes('a=wider')")


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1200), ("light", 375)])
def test_everybody_can_read_it(opened: Opened, site: Any, scheme: str, width: int) -> None:
    for name in PAGES:
        page = opened(site.path, path_of(site.path, name), width, scheme)
        wait(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        # It would load the style sheets a second time, which the page's own policy forbids.
        found = Axe().run(page, options={"preload": False}).response["violations"]
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        assert [(each["id"], each["nodes"][0]["html"][:200]) for each in serious] == [], name
        page.close()


def test_it_can_be_printed(opened: Opened, site: Any) -> None:
    page = opened(site.path, "suites/babyai.html")
    wait(page)
    page.emulate_media(media="print")
    assert not page.locator("nav").first.is_visible()
    assert page.locator("#ranking tbody").is_visible()


def test_without_scripts_the_tables_are_there(opened: Opened, site: Any) -> None:
    page = opened(site.path, "suites/babyai.html", java_script_enabled=False)
    assert page.locator("#ranking tbody tr").count() >= 9


def test_every_link_leads_to_a_file(site: Any) -> None:
    for file in site.path.rglob("*.html"):
        for link in re.findall(r'(?:href|src)="([^"]+)"', file.read_text()):
            target = link.partition("#")[0].partition("?")[0]
            if target and not target.startswith("http"):
                assert (file.parent / target).is_file(), f"{file.name}: {link}"
