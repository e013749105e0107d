"""Who gets which share of the GPUs, and how many lanes keep replicas of an agent busy.

Independent of Ray.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

from harness.core import UserError
from harness.records.identity import AgentSpec
from harness.records.plan import Plan
from harness.records.registry import load

__all__ = ["LANES_OF_A_GROUP", "Placement", "check_replicas", "groups_of", "placement"]

LANES_OF_A_GROUP = 8
"""Lanes that ask a served agent together, unless the user says how many."""


@dataclass(frozen=True)
class Placement:
    """How the GPUs are shared out."""

    replicas: int
    """Instances of a served agent; 0: every worker builds its own."""
    share: float
    """The GPUs that Ray gives each worker for its simulators."""
    workers: int
    """The most workers for which there are GPUs."""


def check_replicas(spec: AgentSpec, replicas: int | None) -> None:
    """Raises UserError where an agent that is not served is to have replicas."""
    kind = spec.kind()
    if replicas is not None and replicas > 1 and not kind.served and kind.gpus <= 0:
        raise UserError(
            f"--replicas: {spec.name} is no served agent, so every worker builds its own; "
            "give it `served = True`, or leave --replicas out"
        )


def placement(gpus: float, spec: AgentSpec, plan: Plan, replicas: int | None) -> Placement:
    """Share out so many GPUs; `replicas`: of a served agent, or None for as many as fit.

    Without a GPU, the simulators that need one are given none: they say themselves what is missing.

    Raises UserError where the agent needs more, or where replicas of it make no sense.
    """
    check_replicas(spec, replicas)
    kind = spec.kind()
    share = max((load(item.task.adapter).gpus for item in plan.items), default=0.0)
    count = 0
    if kind.served or kind.gpus > 0:
        count = replicas or 1
        if replicas is None and kind.gpus > 0:
            count = max(1, math.floor((gpus - share) / kind.gpus + 1e-9))
    needed = count * kind.gpus
    if needed > gpus + 1e-9:
        of_all = f" for {count} replicas" if count > 1 else ""
        raise UserError(
            f"{spec.name} asks for {needed:g} GPUs{of_all}, Ray finds {gpus:g} here; "
            "name a cluster with --ray-address"
        )
    fit = math.floor((gpus - needed) / share + 1e-9) if share > 0 else sys.maxsize
    return Placement(count, share if fit else 0.0, fit or sys.maxsize)


def groups_of(replicas: int, workers: int, groups: int) -> int:
    """Groups of lanes in each worker, so that each replica finds a request when it is free.

    `groups`: for a single instance; with 1, no group may step while another one waits.
    """
    return groups if groups < 2 else max(groups, math.ceil(2 * replicas / workers))
