"""The statistics of evaluations: pure functions of counts and arrays.

Rates lie in [0, 1]; `level` is a two-sided confidence, `alpha` = 1 - level. Bootstraps and
permutation tests draw from a generator with a fixed seed, never from global random state. scipy is
imported only where it is needed, so that a report does not have to wait for it.

intervals   estimates; one rate, the mean of several, the difference of two independent ones
clusters    what tasks that share their seeds are worth beside independent ones
scores      mean scores, IQM and related aggregates
paired      two agents on the same cases: differences, exact tests, corrections for many tasks
power       how many episodes it takes to find a difference
sequential  tests and intervals that are valid at every look
"""

from harness.stats.clusters import Clusters, design_effect, design_effects
from harness.stats.intervals import (
    Estimate,
    Interval,
    clopper_pearson,
    exact_mean_of_rates,
    mean_of_rates,
    newcombe,
    value_of,
    wilson,
)
from harness.stats.paired import (
    benjamini_hochberg,
    holm,
    mcnemar,
    paired_bounds,
    paired_difference,
    paired_p,
    sign_flip,
)
from harness.stats.power import (
    detectable_difference,
    episodes_for_rates,
    pairs_needed,
    pairs_to_pass,
    power_of_pairs,
)
from harness.stats.scores import (
    Aggregates,
    aggregates,
    are_enough,
    iqm,
    mean_of_scores,
    optimality_gap,
)
from harness.stats.sequential import (
    anytime_mean,
    anytime_rate,
    by_family,
    log_stake,
    mean_of_drawn,
)

__all__ = [
    "Aggregates", "Clusters", "Estimate", "Interval", "aggregates", "anytime_mean",
    "anytime_rate", "are_enough", "benjamini_hochberg", "by_family", "clopper_pearson",
    "design_effect", "design_effects", "detectable_difference", "episodes_for_rates",
    "exact_mean_of_rates", "holm", "iqm",
    "log_stake", "mcnemar",
    "mean_of_drawn", "mean_of_rates", "mean_of_scores", "newcombe", "optimality_gap",
    "paired_bounds", "paired_difference", "paired_p", "pairs_needed", "pairs_to_pass",
    "power_of_pairs", "sign_flip", "value_of", "wilson",
]  # fmt: skip
