"""CSV and JSON of plain values, in which every text is escaped for its format."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.core.text import escape_csv

__all__ = ["csv_page", "json_page"]


def json_page(value: Any, indent: int | None = 1) -> str:
    """JSON in ASCII without control characters. Raises ValueError for a NaN or an infinity."""
    text = json.dumps(value, indent=indent, allow_nan=False)
    return text.replace("\x7f", "\\u007f")  # the one control character that json leaves


def csv_page(names: Sequence[str], records: Iterable[Mapping[str, Any]]) -> str:
    """A line of names, and one for each record; lists and dicts are JSON in their cells.

    A text that a spreadsheet would compute begins with a quote.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, [escape_csv(name) for name in names], lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({escape_csv(name): _cell(value) for name, value in record.items()})
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, (Mapping, list, tuple)):
        return json_page(value, indent=None)
    return escape_csv(value) if isinstance(value, str) else value
