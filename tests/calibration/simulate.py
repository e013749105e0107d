"""What the intervals cover and how often the tests are wrong: the tables of docs/statistics.md.

    PYTHONPATH=tests python -m calibration.simulate [RUNS]    # 2,000 unless given; some minutes

Everything is drawn from fixed seeds.
"""

from __future__ import annotations

import sys

from calibration.coverage import coverage
from calibration.gates import TESTS
from calibration.hard_cases import SCORES, few_scores, other_tasks, unequal_numbers
from calibration.perturbed import FIGURES, perturbed
from calibration.shared_rooms import RATES, SHARED, mean_rates, shared_rooms
from calibration.stopped import at_every_look, detectable, further, planned_otherwise, until_width
from calibration.verdicts import collapse, false_alarms, false_passes, planned, power


def main() -> None:
    """Print all tables as Markdown."""
    from tabulate import tabulate

    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    triple = ["pass", "regress", "episodes"]
    parts = [
        ("Coverage, nominal 95", ["interval", "world", "covered", "least"], coverage(runs)),
        ("Equal agents: regress, at most 5", ["world", *TESTS], false_alarms(runs)),
        ("Worse by the margin: pass, at most 2.5", ["world", *TESTS], false_passes(runs)),
        (
            "Power",
            [
                "loss",
                *(
                    f"{test}: {each}"
                    for test in ("fixed", "sequential", "Bonferroni")
                    for each in triple
                ),
            ],
            power(runs),
        ),
        (
            "One task of ten falls",
            [
                "points",
                "pooled pass",
                "fixed pass",
                "fixed regress",
                "sequential pass",
                "sequential regress",
            ],
            collapse(runs),
        ),
        ("Planned", ["effect", "discordant", "pairs", "found"], planned(runs)),
        ("Unequal numbers", ["pairs", "discordant", "detectable", "found"], unequal_numbers(runs)),
        ("Planned otherwise", ["to", "pairs", "does"], planned_otherwise(runs)),
        (
            "Detectable",
            ["tasks x pairs", "discordant", "said", "points", "found"],
            detectable(runs // 10),
        ),
        (
            "More pairs",
            ["tasks x pairs", "difference", "said", "pairs", "decided"],
            further(runs // 10),
        ),
        ("Tasks that share rooms: means of rates", RATES, mean_rates(runs)),
        ("Tasks that share rooms: differences", SHARED, shared_rooms(runs // 2)),
        ("Perturbed", ["tasks x seeds", "rate", "room", *FIGURES], perturbed(runs // 2)),
        ("At every look", ["tasks x seeds", "room", "covered"], at_every_look(runs)),
        ("Until a width", ["rate", "episodes", "covered"], until_width(runs)),
        ("Scores", ["scores", "tasks", "episodes", "widest", *SCORES], few_scores(runs // 4)),
        ("Other tasks", ["world", "10 tasks", "20 tasks", "50 tasks"], other_tasks(runs // 4)),
    ]
    for title, heads, rows in parts:
        print(
            f"\n### {title}\n\n{tabulate(rows, heads, 'pipe', disable_numparse=True)}", flush=True
        )


if __name__ == "__main__":
    main()
