"""Perturbations between the adapter and the agent.

`registry.py` lists them, `parse.py` reads `--perturb`, `resolve.py` finds what of it
changes a task, `pipeline.py` applies them to an episode.
The other modules hold the effects, one module for each group.

The randomness of an effect comes from streams keyed by task id, seed, perturbation and step, never
by severity. Severity 0 changes nothing.
"""

from harness.perturb.effects import Body, Effect, NotApplicable, RandomStreams
from harness.perturb.parse import (
    SETS,
    Condition,
    parse_conditions,
    simulator_perturbation_names,
)
from harness.perturb.pipeline import Pipeline
from harness.perturb.registry import GROUPS, REGISTRY, SEVERITIES, Kind
from harness.perturb.resolve import not_observed, resolve

__all__ = [
    "GROUPS", "REGISTRY", "SETS", "SEVERITIES", "Body", "Condition", "Effect", "Kind",
    "NotApplicable", "Pipeline", "RandomStreams", "not_observed", "parse_conditions", "resolve",
    "simulator_perturbation_names",
]  # fmt: skip
