"""Perturbations between adapter and agent: what each does (kinds.py), one file a group, and how they are chosen and composed.

An effect's randomness comes from a stream keyed by task id, seed, its name and the step, never by its severity. Severity 0 is no perturbation.
"""

from harness.perturb.effects import Body, Effect, Luck, NotApplicable
from harness.perturb.parse import SETS, Arm, choose, fit, native_names, unread
from harness.perturb.pipeline import Pipeline
from harness.perturb.registry import GROUPS, KINDS, SEVERITIES, Kind

__all__ = [
    "GROUPS", "KINDS", "SETS", "SEVERITIES", "Arm", "Body", "Effect", "Kind", "Luck", "NotApplicable", "Pipeline", "choose", "fit", "native_names",
    "unread",
]  # fmt: skip
