"""An agent from which one modality is withheld: a view, or the instruction."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from harness.core import Agent, Brief, Missing, Turn, UserError
from harness.core.agent import ALL_VIEWS, NO_VIEWS
from harness.core.reads import view_of
from harness.probes.changes import withheld
from harness.probes.wrapped import ChangedTurns, WrappedSpec
from harness.records.identity import AgentSpec

__all__ = ["INSTRUCTION", "Withheld", "WithheldSpec", "modalities_of"]

INSTRUCTION = "instruction"


def modalities_of(spec: AgentSpec) -> tuple[str, ...]:
    """The views that an agent reads, and INSTRUCTION.

    Raises UserError for an agent that does not name its views.
    """
    reads = spec.declared()[0]
    if ALL_VIEWS in reads:
        raise UserError(
            f"{spec.name} reads whatever it touches, so what to withhold is not known: let it name "
            "its views in `reads`"
        )
    views = [view_of(entry) for entry in reads if entry not in NO_VIEWS]
    return (*dict.fromkeys(views), INSTRUCTION)


class Withheld(ChangedTurns):
    """Another agent that is shown nothing of one modality, in all steps that it sees."""

    def __init__(self, agent: Agent, modality: str) -> None:
        change = _no_instruction if modality == INSTRUCTION else withheld(modality).turn
        super().__init__(agent, change)


def _no_instruction(turn: Turn) -> Turn:
    return dataclasses.replace(turn, instruction="")


@dataclass(frozen=True)
class WithheldSpec(WrappedSpec):
    """The spec of another agent from which a modality is withheld."""

    modality: str

    @classmethod
    def of(cls, inner: AgentSpec, modality: str) -> WithheldSpec:
        """Of an agent by its own spec."""
        return cls(inner.name, inner.entry, inner.args, inner, modality)

    def change(self) -> tuple[str, Any]:
        """The modality."""
        return "withheld", self.modality

    def unfit(self, brief: Brief) -> Missing | None:
        """As the agent says; and a task without the view has nothing to withhold."""
        if self.modality != INSTRUCTION and self.modality not in brief.observation:
            return Missing(
                f"it has no view {self.modality} to withhold", "leave it out with --tasks"
            )
        return self.inner.unfit(brief)

    def build(self) -> Agent:
        """The agent, wrapped."""
        return Withheld(self.inner.build(), self.modality)
