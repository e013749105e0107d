"""Statistics of evaluations: pure functions, axes stated; nothing random but bootstraps with a seed of their own.

Rates lie in [0, 1], `level` is the two-sided confidence. scipy is imported only where it is needed: a closing table must not wait for it.

rates       one rate, the mean of several, the difference of two independent ones
scores      mean scores, IQM and its kin, the probability of improvement
paired      the same cases played by two agents: differences, exact tests, corrections for many tasks
power       how many episodes a difference needs
sequential  tests and intervals that hold at every look
"""

from harness.stats.intervals import Interval, clopper_pearson, mean_of_rates, newcombe, wilson
from harness.stats.paired import (
    benjamini_hochberg,
    bootstrap_tasks,
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
    power_of_pairs,
)
from harness.stats.scores import (
    Aggregates,
    aggregates,
    iqm,
    mean_score,
    optimality_gap,
    probability_of_improvement,
)
from harness.stats.sequential import anytime_mean, anytime_rate, log_stake

__all__ = [
    "Aggregates", "Interval", "aggregates", "anytime_mean", "anytime_rate", "benjamini_hochberg", "bootstrap_tasks", "clopper_pearson",
    "detectable_difference", "episodes_for_rates", "holm", "iqm", "log_stake", "mcnemar", "mean_of_rates", "mean_score", "newcombe",
    "optimality_gap", "paired_bounds", "paired_difference", "paired_p", "pairs_needed", "power_of_pairs", "probability_of_improvement",
    "sign_flip", "wilson",
]  # fmt: skip
