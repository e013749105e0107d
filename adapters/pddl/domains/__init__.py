"""The planning domains, one file each: its PDDL, its wording and its problem generator.

Agents are shown the PDDL as it stands in these files. A backslash at the end of a line joins it to
the next one, so the line break is not part of that text.
"""

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
