"""`--control-rate` and `--latency` as a clock."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.core import UserError
from harness.core.text import printable
from harness.records.control_clock import MOST_LATENCIES, ControlClock
from harness.records.results import read_results
from harness.records.safe_files import read_regular

__all__ = ["control_clock"]

MOST_BYTES = 1 << 20
_TIME = re.compile(r"(\d+(?:\.\d*)?|\.\d+) ?(ms|s)")
_RATE = re.compile(r"(\d+(?:\.\d*)?|\.\d+) ?(?:hz)?", re.IGNORECASE)
_WRITE = (
    "write 80ms, 0.08s, a file with milliseconds in its lines, or a run with a measured latency"
)


def control_clock(rate: str | None, latency: str | None) -> ControlClock | None:
    """The clock of a run; None if neither option is given: then simulated time waits.

    `rate`: `real`, the control rate of each body, which is the default beside a latency, or a
    number of Hz. `latency`: `80ms`, `0.08s`, a file that holds a number of milliseconds in each
    line, or a run directory whose latencies were measured; None: measured as it plays.

    Raises UserError with the remedy.
    """
    if rate is None and latency is None:
        return None
    try:
        return ControlClock(_hertz(rate), () if latency is None else _latencies(latency))
    except ValueError as wrong:
        raise UserError(f"--control-rate, --latency: {wrong}") from None


def _hertz(text: str | None) -> float | None:
    if text is None or text == "real":
        return None
    found = _RATE.fullmatch(text.strip())
    if found is None:
        raise UserError(
            f"--control-rate {text!r}: write real, for the rate of each body, or a number of Hz"
        )
    return float(found[1])


def _latencies(text: str) -> tuple[float, ...]:
    found = _TIME.fullmatch(text.strip())
    if found is not None:
        return (float(found[1]) / (1000.0 if found[2] == "ms" else 1.0),)
    path = Path(text)
    try:
        values = tuple(_of_run(path) if path.is_dir() else _of_file(path))
    except FileNotFoundError:
        raise UserError(f"--latency {text!r}: there is no such file; {_WRITE}") from None
    if not values:
        raise UserError(f"--latency {text!r}: it holds no latency; {_WRITE}")
    return values


def _of_file(path: Path) -> Iterator[float]:
    lines = read_regular(path, MOST_BYTES).decode("utf-8", "replace").splitlines()
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                value = float(line) / 1000.0
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                raise UserError(
                    f"--latency {path}: line {number} is {printable(line[:40])!r}, not a number "
                    "of milliseconds"
                )
            yield value


def _of_run(path: Path) -> Iterator[float]:
    """The measured latencies of a run, the first MOST_LATENCIES."""
    count = 0
    for result in read_results(path):
        clock = result.timing.get("clock")
        told = clock.get("latencies") if isinstance(clock, Mapping) else None
        for value in told if isinstance(told, list) else ():
            if type(value) in (int, float) and math.isfinite(value) and count < MOST_LATENCIES:
                count += 1
                yield float(value)
