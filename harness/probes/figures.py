"""How estimates are written in the tables and the JSON of probes."""

from __future__ import annotations

from harness.stats import Estimate

__all__ = ["estimate_json", "percent", "points"]


def percent(found: Estimate | None, digits: int = 0) -> str:
    """A share in %, with its bounds: `67 (21 to 94)`. Empty without one."""
    return _with_bounds(found, f".{digits}f")


def points(found: Estimate | None, digits: int = 1) -> str:
    """A difference in percentage points, with its bounds and signs. Empty without one."""
    return _with_bounds(found, f"+.{digits}f")


def _with_bounds(found: Estimate | None, form: str) -> str:
    if found is None:
        return ""
    value = f"{100 * found.value:{form}}"
    if found.low is None or found.high is None:
        return value
    return f"{value} ({100 * found.low:{form}} to {100 * found.high:{form}})"


def estimate_json(found: Estimate | None) -> dict[str, float | None] | None:
    """Value and bounds, as shares."""
    return None if found is None else {"value": found.value, "low": found.low, "high": found.high}
