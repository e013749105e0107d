"""`.eval_results/*.yaml`: ranked figures for a model card on the Hugging Face hub.

The format is that of https://huggingface.co/docs/hub/eval-results (huggingface/hub-docs,
docs/hub/eval-results.md): a list of results, each with `dataset.id` (a dataset on the hub that is
registered as a benchmark), `dataset.task_id` (as in that dataset's eval.yaml), `value`, and
optionally `date`, `source` (`url`, `name`), `evaluation_framework` and `notes`. The hub shows no
intervals, so `notes` has them.
"""

from __future__ import annotations

import json
import re

from harness.core import UserError
from leaderboards.board.badge import badge_text
from leaderboards.board.lines import agent_link
from leaderboards.board.model import Row
from leaderboards.submissions.texts import slug

__all__ = ["check_dataset", "hub_file", "hub_path"]

_DATASET = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def check_dataset(name: str) -> str:
    """Raises UserError unless it is the name of a dataset on the hub."""
    if not _DATASET.fullmatch(name):
        raise UserError(f"--hub-dataset {name!r}: write OWNER/NAME of a dataset on the hub")
    return name


def hub_path(row: Row) -> str:
    """Where the file lies in the site: it goes into `.eval_results/` of the model's repository."""
    return f"eval_results/{row.entry.id}/{slug(row.suite)}.yaml"


def hub_file(row: Row, dataset: str, url: str) -> str:
    """The file of a ranked row. Texts are JSON strings, which YAML reads as such."""
    assert row.figure is not None
    rated = row.measure == "success"
    value = round(100 * row.figure.value, 2) if rated else round(row.figure.value, 4)
    n = 0 if row.group is None else row.group.n
    unit = "success in %" if rated else "normalised score"
    notes = f"{unit}, mean over tasks; {badge_text(row)}, 95 % interval, n {n}; {row.entry.state}"
    lines = [
        "- dataset:",
        f"    id: {json.dumps(dataset)}",
        f"    task_id: {json.dumps(row.suite)}",
        f"  value: {value}",
    ]
    if _DATE.match(row.entry.created):
        lines.append(f"  date: {json.dumps(row.entry.created[:10])}")
    if url:
        lines += [
            "  source:",
            f"    url: {json.dumps(url + agent_link(row.entry))}",
            '    name: "Board, with the executed actions"',
        ]
    lines += ['  evaluation_framework: "generalist-bench"', f"  notes: {json.dumps(notes)}"]
    return "\n".join(lines) + "\n"
