"""What every case of an entry came to, as a script that the page of pairs loads.

A script and not JSON, because a page from `file://` may load scripts and may not read files. Every
text in it is data: no character of it can end the script or the text.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from harness.compare.case_values import measure_of
from harness.core.text import printable, shorten
from leaderboards.board.entries import BoardEntry
from leaderboards.board.model import Board
from leaderboards.board.outcomes import TaskOutcomes
from leaderboards.page.embed import as_json

__all__ = ["case_file", "entries_file"]


def entries_file(board: Board) -> str:
    """The entries that can be compared, by agent: a script that starts the page of pairs."""
    listed = [
        {
            "id": entry.id,
            "title": board.titles[entry.agent_id],
            "suites": [printable(shorten(part.suite, 100)) for part in entry.parts],
        }
        for entry in sorted(board.entries, key=lambda each: (each.name, each.id))
        if entry.parts
    ]
    return f"BOARD.start({_as_json(listed)});\n"


def case_file(entry: BoardEntry, board: Board) -> str:
    """The cases of an entry: `BOARD.take({...});`."""
    names: dict[str, int] = {}
    tasks = [
        _task(each, printable(shorten(part.suite, 100)), names)
        for part in entry.parts
        for each in part.outcomes.values()
    ]
    data = {
        "id": entry.id,
        "title": board.titles[entry.agent_id],
        "state": entry.state,
        "privileged": entry.privileged,
        "clock": entry.clock,
        "drawn_by": [*names],
        "tasks": tasks,
    }
    return f"BOARD.take({_as_json(data)});\n"


def _as_json(data: Any) -> str:
    return str(as_json(data))


def _task(outcomes: TaskOutcomes, suite: str, names: dict[str, int]) -> dict[str, Any]:
    """names: the number of each renderer, which is given as they come up."""
    item = outcomes.item
    ids = [names.setdefault(name, len(names)) for name in outcomes.drawn_by]
    measure = measure_of(item.task)
    return {
        "id": item.task.id,
        "suite": suite,
        "domain": item.task.domain,
        "measure": measure,
        "family": item.family,
        "protocol": item.protocol,
        "first_seed": item.task.first_seed,
        "episodes": item.episodes,
        "conditions": [[*each] for each in outcomes.conditions],
        "values": [_values(row, measure) for row in outcomes.values],
        "starts": ["".join(f"{each:08x}" for each in row.tolist()) for row in outcomes.starts],
        "drawn": [_drawn(row, ids) for row in outcomes.renderers],
    }


def _values(row: np.ndarray, measure: str) -> str | list[Any]:
    """Of successes a text of 1, 0 and - (no score); else numbers, null (no score) and "-": -inf."""
    if measure == "success":
        return "".join("-" if math.isnan(each) else str(int(each)) for each in row.tolist())
    return [
        None if math.isnan(each) else "-" if math.isinf(each) else each for each in row.tolist()
    ]


def _drawn(row: np.ndarray, ids: list[int]) -> int | list[int]:
    found = [ids[each] for each in row.tolist()]
    return found[0] if len(set(found)) == 1 else found
