"""The planning domains, one file each: PDDL, words, and how problems are drawn."""

from adapters.pddl.domains import (
    blocksworld,
    elevator,
    ferry,
    gripper,
    hanoi,
    logistics,
    rovers,
    visitall,
)

__all__ = ["DOMAINS"]

DOMAINS = {
    module.DOMAIN.name: module.DOMAIN
    for module in (blocksworld, elevator, ferry, gripper, hanoi, logistics, rovers, visitall)
}
