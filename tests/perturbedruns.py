"""Small perturbed runs written by hand, where every number can be counted."""

from __future__ import annotations

from typing import Any

from resultlines import FAILED, cases_of, line_of

from harness.core import Normaliser, Perturbation, Task
from harness.records.plan import CaseIndex, NotRun, Plan, PlanItem
from leaderboards.perturbed_results import CaseArrays
from leaderboards.schema import PerturbationRow

NOISE, STRONG = (
    (Perturbation("action_noise", 1, {"sigma": 0.05}),),
    (Perturbation("action_noise", 4, {"sigma": 0.3}),),
)
LATE, BURST = (
    (Perturbation("action_delay", 2, {"steps": 2}),),
    (Perturbation("burst", 3, {"steps": 5}),),
)
BOTH = (*NOISE, *LATE)


def item(
    name: str,
    domain: str = "manipulation",
    episodes: int = 10,
    conditions: tuple[int, ...] | None = None,
    own_streams: bool = True,
    **fields: Any,
) -> PlanItem:
    task = Task(f"toy/{name}@1", domain, "toys:ToyAdapter", rule="it is there", **fields)
    protocol = f"protocol of {name}"
    return PlanItem("toy", task, episodes, protocol, {"toy": "1"}, name, conditions, own_streams)


def fill(plan: Plan, wins: dict[tuple[str, int], int | list[float]], **more: Any) -> CaseArrays:
    """The arrays of a run.

    `wins[name, condition]` is the number of successes, the first episodes, or a list of scores. A
    condition that is not named has no results.
    """
    arrays = CaseArrays(plan)
    for index, result in cases_of(plan, lines(plan, wins, **more)):
        arrays.add(index, result)
    return arrays


def lines(
    plan: Plan, wins: dict[tuple[str, int], int | list[float]], burst_steps: float = 5.0
) -> list[dict[str, Any]]:
    found = []
    for number, entry in enumerate(plan.items):
        for condition, parts in enumerate(plan.conditions):
            won = wins.get((entry.task.name.partition("/")[2], condition))
            if won is None:
                continue
            for episode in range(entry.episodes):
                index = CaseIndex(number, condition, episode)
                success = None if isinstance(won, list) else episode < won
                score = won[episode] if isinstance(won, list) else float(bool(success))
                outcome = {**FAILED, "success": success, "score": score}
                metrics = {"burst_steps": burst_steps} if parts == BURST else {}
                found.append(line_of(index, outcome, plan, steps=7, metrics=metrics))
    return found


def row(
    rows: tuple[PerturbationRow, ...],
    perturbation: str,
    severity: int | None,
    domain: str | None = None,
    task: str | None = None,
) -> PerturbationRow:
    (found,) = [
        r
        for r in rows
        if (r.perturbation, r.severity, r.domain, r.task) == (perturbation, severity, domain, task)
    ]
    return found


PLAN = Plan(
    (item("reach"), item("walk", "navigation")), perturbations=(NOISE, STRONG, LATE, BURST, BOTH)
)
WINS: dict[tuple[str, int], int | list[float]] = {
    **{("reach", condition): count for condition, count in enumerate([10, 8, 2, 6, 5, 1])},
    **{("walk", condition): count for condition, count in enumerate([5, 5, 0, 4, 4, 4])},
}
GAMES = Plan(
    (
        item("pong", "games", 4, success=None, normaliser=Normaliser(0, 10)),
        item(
            "snake",
            "games",
            4,
            success=None,
            normaliser=Normaliser(100, 200, "standing still", "the best"),
        ),
        item("raw", "games", 4, success=None),
        item("reach", episodes=4),
    ),
    perturbations=(NOISE, STRONG),
)
SCORES: dict[tuple[str, int], int | list[float]] = {
    ("pong", 0): [4.0, 5, 6, 7],
    ("pong", 1): [2.0, 4, 3, 7],
    ("pong", 2): [0.0, 1, 2, 1],
    ("snake", 0): [200.0, 250, 200, 150],
    ("snake", 1): [200.0, 200, 150, 150],
    ("snake", 2): [100.0, 100, 100, 100],
    ("raw", 0): [3.0, 4, 5, 6],
    ("raw", 1): [3.0, 3, 3, 3],
    ("raw", 2): [3.0, 2, 3, 3],
    ("reach", 0): 4,
    ("reach", 1): 2,
    ("reach", 2): 1,
}


def report_lines() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    rows = (
        NotRun(
            "toy/walk@1", "navigation", "toy", "there is no picture here", "leave it out", "hue:1"
        ),
    )
    return described(
        Plan(
            PLAN.items,
            perturbations=(*PLAN.perturbations, (Perturbation("hue", 1, {"degrees": 15}),)),
            not_run=rows,
        ),
        WINS,
    )


def described(
    plan: Plan, wins: dict[tuple[str, int], int | list[float]]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    agent = {
        "name": "mine",
        "entry": "toys:GoodAgent",
        "args": {},
        "reads": ["image"],
        "history": 1,
        "privileged": False,
        "fingerprint": "f",
    }
    run = {
        "schema": 1,
        "bench": "0.1.0",
        "commit": None,
        "command": "bench run",
        "agent": agent,
        "suites": ["toy"],
        "machine": {},
        "created": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:00:01+00:00",
        "plan": plan.to_json(),
    }
    return run, lines(plan, wins)
