"""Perturbations between adapter and agent: what each does (kinds.py), one file a group, and how they are chosen and composed.

An effect's randomness comes from a stream keyed by task id, seed, its name and the step, never by its severity. Severity 0 is no perturbation.
"""

from harness.perturb.effects import Body, Effect, NotApplicable, RandomStreams
from harness.perturb.parse import (
    SETS,
    Condition,
    parse_conditions,
    resolve,
    not_observed,
    simulator_perturbation_names,
)
from harness.perturb.pipeline import Pipeline
from harness.perturb.registry import GROUPS, REGISTRY, SEVERITIES, Kind

__all__ = [
    "GROUPS", "REGISTRY", "SETS", "SEVERITIES", "Condition", "Body", "Effect", "Kind", "RandomStreams", "NotApplicable", "Pipeline", "parse_conditions", "resolve", "simulator_perturbation_names",
    "not_observed",
]  # fmt: skip
