"""How long `bench leaderboard build` takes with many agents and tasks, and how soon it opens.

    python tests/performance/board.py [--agents 200] [--tasks 500] [--episodes 5]

Each agent has one entry that plays whole suites, the largest first, until there are as many tasks.
Its outcomes are drawn; the tasks are those of our suites. The pages are opened from file:// in a
headless Chromium.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from boardentries import play_entry  # noqa: E402

from harness.cli.names import suite_table, suites_named  # noqa: E402
from harness.core import Suite, Task  # noqa: E402
from harness.records.plan import CaseIndex  # noqa: E402
from leaderboards.board.build import build_site  # noqa: E402


def _suites(least: int) -> list[Suite]:
    every = [suites_named(name)[0] for name in suite_table()]
    chosen: list[Suite] = []
    known: set[str] = set()
    for suite in sorted(every, key=lambda each: -len(each.tasks)):
        ids = {task.id for task in suite.tasks}
        if len(known) < least and not ids & known and suite.name != "gea":
            chosen.append(suite)
            known |= ids
    return chosen


def _write(entries: Path, number: int, tasks: int, episodes: int) -> None:
    rng = np.random.default_rng(number)
    skill = rng.random()

    def outcome(task: Task, index: CaseIndex) -> bool | float:
        drawn = float(rng.random())
        if task.success is None:
            low, high = (0.0, 1.0) if task.normaliser is None else (
                task.normaliser.low, task.normaliser.high,
            )  # fmt: skip
            return low + (high - low) * drawn * skill
        return drawn < skill

    folder = entries / f"part{number}"
    folder.mkdir(parents=True)
    place = folder / "entries"
    place.mkdir()
    date = f"2026-{1 + number % 12:02}-{1 + number % 28:02}T00:00:00+00:00"
    path = play_entry(
        place, f"agent {number}", _suites(tasks), outcome, episodes=episodes, created=date
    )
    path.rename(entries / f"agent-{number:03}")
    shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, default in (("agents", 200), ("tasks", 500), ("episodes", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--keep", type=Path, help="where entries and site stay")
    asked = parser.parse_args()
    suites = _suites(asked.tasks)
    count = sum(len(each.tasks) for each in suites)
    print(
        f"{asked.agents} agents, {count} tasks in {len(suites)} suites, {asked.episodes} episodes"
    )
    with tempfile.TemporaryDirectory() as folder:
        root = asked.keep or Path(folder)
        entries, site = root / "entries", root / "site"
        if not entries.exists():
            with ProcessPoolExecutor() as pool:
                jobs = [
                    pool.submit(_write, entries, k, asked.tasks, asked.episodes)
                    for k in range(asked.agents)
                ]
                for job in jobs:
                    job.result()
        begun, used = time.perf_counter(), _processor_s()
        built = build_site([entries], site, {each.name: each for each in suites})
        took = time.perf_counter() - begun
        used = _processor_s() - used
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        size = sum(file.stat().st_size for file in site.rglob("*") if file.is_file())
        print(
            f"build: {took:.1f} s, {used:.1f} s of processor time, "
            f"{memory:.2f} GB of memory, {built.files} files, {size / 1e6:.0f} MB"
        )
        _open(site, [each.name for each in suites])


def _processor_s() -> float:
    """Of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _open(site: Path, suites: list[str]) -> None:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    pages = {"index": "index.html", "suite": f"suites/{suites[0]}.html", "pair": "compare.html"}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, path in pages.items():
            page = browser.new_page()
            begun = time.perf_counter()
            page.goto((site / path).as_uri())
            if name == "pair":
                page.wait_for_selector("#comparison[data-pair]")
            else:
                page.wait_for_function("document.querySelector('.dt-container') !== null")
            print(f"{name} opens in {time.perf_counter() - begun:.2f} s")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
