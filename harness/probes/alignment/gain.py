"""What training added: the precision of the agent minus that of the same agent untrained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.probes.alignment.measures import Alignment, Design, replicates
from harness.stats import Interval, paired_difference

__all__ = ["gains"]

PARTS = 40
"""Into how many parts sentences are split, each of which is left out once."""


def gains(
    mine: tuple[np.ndarray, Alignment],
    base: tuple[np.ndarray, Alignment],
    reference: np.ndarray,
    design: Design,
    ks: Sequence[int],
    dims: int,
) -> dict[int, Interval]:
    """k -> the difference of the precisions, with bounds that cover 95 %.

    mine, base: (embedding, its alignment with the reference).

    Sentences of a fold share a map and one another as candidates, so they are no independent
    pairs. The interval is that of a jackknife over parts of the sentences, which leaves them out of
    the maps as well (Efron & Stein 1981, Ann. Stat. 9:586), with Student's quantile. Where all
    sentences come out alike it would shrink to nothing, so it is never narrower than the interval
    of as many independent pairs.
    """
    from scipy.special import stdtrit

    n = len(reference)
    count = min(PARTS, n)
    parts = np.random.default_rng(n).permutation(n) % count
    one, other = (
        replicates(values, reference, design, ks, dims, parts) for values in (mine[0], base[0])
    )
    found = {}
    for column, k in enumerate(ks):
        change = mine[1].found[k] - base[1].found[k]
        told = change[~np.isnan(change)]
        if not len(told):
            continue
        pairs = paired_difference([told])
        drawn = one[:, column] - other[:, column]
        error = float(np.sqrt((count - 1) / count * np.square(drawn - drawn.mean()).sum()))
        half = float(stdtrit(count - 1, 0.975)) * error
        found[k] = Interval(
            pairs.value,
            max(-1.0, min(pairs.low, pairs.value - half)),
            min(1.0, max(pairs.high, pairs.value + half)),
        )
    return found
