"""The page of a probe in a real browser."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from findings import Made
from playwright.sync_api import Page

from harness.probes.result_file import read_probe, write_probe
from leaderboards.page.probe_page import probe_page

TAKE = "document.title='taken'"
HOSTILE = f"</script><script>{TAKE}</script><img/src=x/onerror={TAKE}>{'x' * 100}"


def page_of(folder: Path, name: str) -> str:
    """The page of a made-up finding."""
    file = write_probe(folder, Made(name=name), probe=name, title=name, command=name, runs=["a"])
    return probe_page(read_probe(file), file)


@pytest.mark.parametrize(("scheme", "width"), [("light", 375), ("dark", 375), ("dark", 1200)])
def test_everybody_can_read_it(
    opened: Callable[..., Page], tmp_path: Path, scheme: str, width: int
) -> None:
    page = opened(page_of(tmp_path, HOSTILE), width, scheme)
    assert page.title().startswith("</script>")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page).response["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in serious] == []


def test_every_plot_shows_all_its_points(opened: Callable[..., Page], tmp_path: Path) -> None:
    page = opened(page_of(tmp_path, "odd"), 375)
    figures = page.locator("figure[data-plot]")
    assert figures.count() == 3
    for number in range(3):
        dots = figures.nth(number).locator("g[stroke-width] circle, circle")
        assert dots.count() == 5
        for place in range(5):
            x, y = (float(dots.nth(place).get_attribute(name) or "nan") for name in ("cx", "cy"))
            assert math.isfinite(x)
            assert math.isfinite(y)
    assert "even" in page.locator("#points-that-are-lost tbody").inner_text()
    assert "What it comes to is told first." in page.locator("header").inner_text()


def test_a_plot_of_too_many_points_is_left_to_the_tables(tmp_path: Path) -> None:
    file = write_probe(tmp_path, Made(), probe="memory", title="odd", command="")
    told = read_probe(file)
    long = dataclasses.replace(told.plots[0], labels=("row",) * 3000)
    page = probe_page(dataclasses.replace(told, plots=(long, *told.plots[1:])), file)
    assert page.count("<figure ") == 2


def test_without_scripts_the_tables_are_there(opened: Callable[..., Page], tmp_path: Path) -> None:
    page = opened(page_of(tmp_path, "odd"), java_script_enabled=False)
    assert page.locator("#points-that-are-lost tbody tr").count() == 2
