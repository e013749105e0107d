"""Where the time, the tokens and the money of a run went, by task, for its page.

All episodes count, perturbed ones and those that ended in an error too: they were paid as well.
What the lines of a run say of it may be a stranger's: what is malformed there is left out.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.core import Result
from harness.core.text import printable, shorten
from leaderboards.answers import AnswersRow
from leaderboards.tables import Column, Table

__all__ = ["Spending", "told_table"]

MOST_POINTS = 1500
"""Episodes of a plot; of more, equally spaced ones."""
MOST_ROWS = 60
"""Tasks of a plot, those that took most first."""
LONGEST = 80
LARGEST = 1e18
TOKENS = ("tokens_in", "tokens_out")
SHOWN = frozenset(
    (
        *("answers", "invalid", "repaired", "impossible", "refusals", "requests", "cached"),
        *(*TOKENS, "usd"),
    )
)
"""Figures of answers that stand in tables of their own."""


@dataclass
class _Spent:
    """One number for each episode of a task; NaN where its line does not tell."""

    success: array[float] = field(default_factory=lambda: array("f"))
    tokens_in: array[float] = field(default_factory=lambda: array("d"))
    tokens_out: array[float] = field(default_factory=lambda: array("d"))
    usd: array[float] = field(default_factory=lambda: array("d"))
    answers: array[float] = field(default_factory=lambda: array("d"))
    agent_s: array[float] = field(default_factory=lambda: array("d"))


class Spending:
    """Takes the results of a run."""

    def __init__(self) -> None:
        self._tasks: dict[str, _Spent] = {}

    def add(self, result: Result) -> None:
        """Take what the line of an episode says."""
        spent = self._tasks.setdefault(result.task, _Spent())
        told = result.timing.get("agent")
        told = told if isinstance(told, Mapping) else {}
        spent.success.append(math.nan if result.success is None else result.success)
        for name in (*TOKENS, "usd"):
            getattr(spent, name).append(_number(told.get(name)))
        spent.answers.append(_number(result.timing.get("asked")))
        spent.agent_s.append(_number(result.timing.get("agent_s")))

    def table(self) -> list[Table]:
        """A row for each task that was asked anything, then one for the whole run."""
        tasks = [(name, spent) for name, spent in self._tasks.items() if _sum(spent.answers)]
        if not tasks:
            return []
        if len(tasks) > 1:
            tasks.append(("overall", _all(tasks)))
        rows = [_row(name, spent) for name, spent in tasks]
        heads = list(dict.fromkeys(head for row in rows for head in row))
        columns = tuple(
            Column(head, tuple(row.get(head, "") for row in rows), "figure" if head else "name")
            for head in heads
        )
        lead = (
            "Means of an episode. The time of an answer: the mean of an episode, of which p50 and "
            "p95 are over episodes. US $ a success: all that was paid, over the successes."
        )
        return [Table("time, tokens and cost", columns, lead, total=len(tasks) > 1)]

    def plots(self) -> dict[str, list[dict[str, Any]]]:
        """`tokens`: a point for each episode; `answers`: seconds of an answer by task."""
        points = []
        for name, spent in self._tasks.items():
            tokens = _tokens(spent)
            points += [
                {"task": _short(name), "tokens": int(count), "ended": _ended(success)}
                for count, success in zip(tokens.tolist(), spent.success)
                if not math.isnan(count)
            ]
        step = -(-len(points) // MOST_POINTS) or 1
        rows = []
        for name, spent in self._tasks.items():
            seconds = _seconds(spent)
            if len(seconds):
                low, middle, high = (float(np.quantile(seconds, q)) for q in (0.05, 0.5, 0.95))
                rows.append(
                    {"task": _short(name), "p5": low, "p50": middle, "p95": high, "n": len(seconds)}
                )
        rows.sort(key=lambda row: -float(str(row["p50"])))
        return {"tokens": points[::step], "answers": rows[:MOST_ROWS]}

    def sentence(self) -> str:
        """How success and the number of tokens go together; empty where too little is told."""
        pairs = [
            (count, success)
            for spent in self._tasks.values()
            for count, success in zip(_tokens(spent).tolist(), spent.success)
            if not (math.isnan(count) or math.isnan(success))
        ]
        if len(pairs) < 8 or len({count for count, _ in pairs}) < 2:
            return ""
        pairs.sort()
        quarter = len(pairs) // 4
        few, many = pairs[:quarter], pairs[-quarter:]
        return (
            f"Of the {quarter} episodes with the fewest tokens (up to {few[-1][0]:,.0f}) "
            f"{100 * sum(won for _, won in few) / quarter:.0f} % succeeded, of the {quarter} with "
            f"the most (from {many[0][0]:,.0f} on) "
            f"{100 * sum(won for _, won in many) / quarter:.0f} %."
        )


def told_table(rows: Sequence[AnswersRow]) -> list[Table]:
    """What an agent tells of its answers besides what chat models tell: sums, by task."""
    names = list(dict.fromkeys(name for row in rows for name in row.figures if name not in SHOWN))
    if not names:
        return []
    columns = [Column("", tuple(row.task or "overall" for row in rows), "name")]
    columns += [
        Column(
            shorten(name.replace("_", " "), LONGEST),
            tuple(f"{row.figures[name]:,.6g}" if name in row.figures else "" for row in rows),
        )
        for name in names
    ]
    lead = "Sums over episodes of what the agent itself says of its answers; nobody checks it."
    return [Table("what the agent tells of its answers", tuple(columns), lead, total=True)]


def _row(name: str, spent: _Spent) -> dict[str, str]:
    row = {"": name, "episodes": str(len(spent.success))}
    episodes = len(spent.success)
    row["answers"] = f"{_sum(spent.answers) / episodes:.1f}"
    seconds = _seconds(spent)
    for share in (50, 95):
        found = float(np.quantile(seconds, share / 100)) if len(seconds) else None
        row[f"ms an answer, p{share}"] = "" if found is None else _figure(1000 * found)
    row["agent s"] = _figure(_sum(spent.agent_s) / episodes)
    for column in TOKENS:
        told = _told(getattr(spent, column))
        row[column.replace("_", " ")] = f"{told.mean():,.0f}" if len(told) else ""
    tokens = _tokens(spent)
    tokens = tokens[~np.isnan(tokens)]
    row["tokens p95"] = f"{np.quantile(tokens, 0.95):,.0f}" if len(tokens) else ""
    usd, wins = _told(spent.usd), int(np.nansum(np.asarray(spent.success)))
    row["US $"] = f"{usd.mean():.4f}" if len(usd) else ""
    row["US $ a success"] = f"{usd.sum() / wins:.4f}" if len(usd) and wins else ""
    return row


def _all(tasks: Sequence[tuple[str, _Spent]]) -> _Spent:
    whole = _Spent()
    for _, spent in tasks:
        for name, values in vars(spent).items():
            getattr(whole, name).extend(values)
    return whole


def _tokens(spent: _Spent) -> np.ndarray:
    """Of each episode, in and out together, shape (episodes,); NaN where its line does not tell."""
    both = np.stack([np.asarray(getattr(spent, name)) for name in TOKENS])
    found: np.ndarray = np.where(np.isnan(both).all(axis=0), np.nan, np.nansum(both, axis=0))
    return found


def _seconds(spent: _Spent) -> np.ndarray:
    """Of an answer: the mean of each episode that was asked anything."""
    answers, seconds = np.asarray(spent.answers), np.asarray(spent.agent_s)
    told = (answers > 0) & ~np.isnan(seconds)
    found: np.ndarray = seconds[told] / answers[told]
    return found


def _told(values: array[float]) -> np.ndarray:
    every = np.asarray(values)
    found: np.ndarray = every[~np.isnan(every)]
    return found


def _sum(values: array[float]) -> float:
    return float(np.nansum(np.asarray(values)))


def _number(value: Any) -> float:
    if type(value) in (int, float) and 0 <= value <= LARGEST:
        return float(value)
    return math.nan


def _figure(value: float) -> str:
    """Without an exponent, with three digits or more."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value >= 1 else f"{value:.4f}"


def _ended(success: float) -> str:
    return "no success rule" if math.isnan(success) else "succeeded" if success else "failed"


def _short(text: str) -> str:
    return printable(shorten(text, LONGEST))
