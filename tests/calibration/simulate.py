"""What the intervals cover and how often the tests are wrong: the tables of docs/statistics.md.

    PYTHONPATH=tests python -m calibration.simulate [RUNS [TITLE ...]]    # 2,000 runs; some minutes

Everything is drawn from fixed seeds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from calibration.coverage import coverage
from calibration.few_episodes import FEW, few_episodes
from calibration.gates import TESTS
from calibration.hard_cases import SCORES, few_scores, other_tasks, unequal_numbers
from calibration.perturbed import FIGURES, perturbed
from calibration.shared_rooms import RATES, SHARED, mean_rates, shared_rooms
from calibration.stopped import at_every_look, detectable, further, planned_otherwise, until_width
from calibration.verdicts import collapse, false_alarms, false_passes, planned, power

TRIPLE = ["pass", "regress", "episodes"]
TABLES: dict[str, tuple[list[str], Callable[[int], list[list[str]]]]] = {
    "Coverage": (["interval", "world", "covered", "least"], coverage),
    "Few episodes": (FEW, few_episodes),
    "Equal agents that regress": (["world", *TESTS], false_alarms),
    "Worse agents that pass": (["world", *TESTS], false_passes),
    "Power": (
        ["loss"]
        + [f"{test}: {each}" for test in ("fixed", "sequential", "Bonferroni") for each in TRIPLE],
        power,
    ),
    "One task of ten falls": (
        [
            "points",
            "pooled pass",
            "fixed pass",
            "fixed regress",
            "sequential pass",
            "sequential regress",
        ],
        collapse,
    ),
    "Planned": (["effect", "discordant", "pairs", "found"], planned),
    "Planned otherwise": (["to", "pairs", "does"], planned_otherwise),
    "Unequal numbers": (["pairs", "discordant", "detectable", "found"], unequal_numbers),
    "Detectable": (
        ["tasks x pairs", "discordant", "said", "points", "found"],
        lambda runs: detectable(runs // 10),
    ),
    "More pairs": (
        ["tasks x pairs", "difference", "said", "pairs", "decided"],
        lambda runs: further(runs // 10),
    ),
    "Shared rooms: means of rates": (RATES, mean_rates),
    "Shared rooms: differences": (SHARED, lambda runs: shared_rooms(runs // 2)),
    "Perturbed runs": (
        ["tasks x seeds", "rate", "room", *FIGURES],
        lambda runs: perturbed(runs // 2),
    ),
    "At every look": (["tasks x seeds", "room", "covered"], at_every_look),
    "Until a width": (["rate", "episodes", "covered"], until_width),
    "Scores": (
        ["scores", "tasks", "episodes", "widest", *SCORES],
        lambda runs: few_scores(runs // 5),
    ),
    "Other tasks": (
        ["world", "10 tasks", "20 tasks", "50 tasks"],
        lambda runs: other_tasks(runs // 4),
    ),
}
"""Title -> heads and what makes the rows from a number of runs."""


def main() -> None:
    """Print all tables as Markdown, each as soon as it is known."""
    from tabulate import tabulate

    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    chosen = sys.argv[2:] or list(TABLES)
    for title in chosen:
        heads, rows = TABLES[title]
        table = tabulate(rows(runs), heads, "pipe", disable_numparse=True)
        print(f"\n### {title}\n\n{table}", flush=True)


if __name__ == "__main__":
    main()
