"""What tokens cost, from a table of the user's own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.core.errors import suggest
from harness.records.toml_files import read_toml

__all__ = ["Price", "read_price"]

PER = 1_000_000
EXAMPLE = '["gpt-4o"]\ninput = 2.5\noutput = 10.0'


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens, in and out."""

    tokens_in: float
    tokens_out: float

    def of(self, tokens_in: int, tokens_out: int) -> float:
        """What these tokens cost, in US dollars."""
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / PER


def read_price(file: str, model: str) -> Price | None:
    """The price of a model; None without a file.

    The TOML file has a table for each model, with `input` and `output`: US dollars for a million
    tokens. Raises UserError when it cannot be read, or lacks the model or a number.
    """
    if not file:
        return None
    content = read_toml(Path(file), "prices: ")
    row = content.get(model)
    if not isinstance(row, dict):
        raise UserError(
            f"{file} has no table [{model!r}]: {suggest(model, content)} write, for example, "
            f"{EXAMPLE!r}"
        )
    numbers = []
    for name in ("input", "output"):
        value: Any = row.get(name)
        if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
            raise UserError(
                f"{file}: {name} of {model} is US dollars for a million tokens, from 0 on; got "
                f"{value!r:.40}"
            )
        numbers.append(float(value))
    return Price(*numbers)
