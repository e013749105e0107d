"""harness.compare.case_values.value_difference of whole arrays."""

from __future__ import annotations

import numpy as np

from harness.compare.case_values import LEAST

__all__ = ["value_differences"]


def value_differences(base: np.ndarray, new: np.ndarray, measures: np.ndarray) -> np.ndarray:
    """New minus base, in [-1, 1], of values of any shapes that broadcast; nan where one of them is.

    measures: that of each value, as harness.compare.case_values.measure_of names it.
    """
    with np.errstate(invalid="ignore"):
        plain = new - base
        sign = np.sign(np.where(new == base, 0.0, plain))
        low = np.where(np.isfinite(base), base, np.where(new > 0, 0.0, new - LEAST))
        high = np.where(np.isfinite(new), new, np.where(base > 0, 0.0, base - LEAST))
        scale = np.maximum(1.0, np.maximum(np.abs(low), np.abs(high)))
        score = np.clip((high - low) / scale, -1.0, 1.0)
    found = np.where(measures == "success", plain, np.where(measures == "sign", sign, score))
    return np.where(new == base, 0.0, found)
