"""Who plays what is to be imitated: the tasks' experts, or a teacher in their place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.core import UserError
from harness.core.agent import ALL_VIEWS, NO_VIEWS
from harness.core.reads import view_of
from harness.records.identity import AgentSpec

__all__ = ["imitated"]


def imitated(
    folder: str,
    views: Sequence[str],
    images: str,
    noise: float,
    pixels: int | None,
    teacher: AgentSpec | None = None,
    roll_in: AgentSpec | None = None,
) -> AgentSpec:
    """The agent that plays the experts' actions, or a teacher's, and records them itself.

    It writes to `folder` what RecordingOptions names: `views`, pictures as `images` of side
    `pixels`, and `noise`. Raises UserError where an agent cannot act in the experts' place.
    """
    record: dict[str, Any] = {
        "folder": folder,
        "images": images,
        "noise": noise,
        # Left out unless given: a recording of before these options can be resumed.
        **({} if pixels is None else {"pixels": pixels}),
    }
    recorded = list(views)
    if roll_in is not None:
        record["roll_in"] = _written(roll_in)
        recorded += _others(_named("--roll-in", roll_in), recorded)
    if teacher is not None:
        _named("--teacher", teacher)
        record["teacher"] = _written(teacher)
    # In a mapping: the files of a path that is itself an argument count to the agent's identity.
    kind = "Recorder" if teacher is None else "TaughtRecorder"
    return AgentSpec(
        "oracle", f"harness.demos.recorder:{kind}", {"record": record, "views": recorded}
    )


def _written(agent: AgentSpec) -> dict[str, Any]:
    return {"name": agent.name, "entry": agent.entry, "args": dict(agent.args)}


def _named(option: str, agent: AgentSpec) -> tuple[str, ...]:
    """The views that it reads. Raises UserError unless it names each of them."""
    reads = agent.declared()[0]
    if set(reads) & {*NO_VIEWS, ALL_VIEWS}:
        raise UserError(
            f"{option} {agent.name}: it reads {', '.join(reads)}; name an agent that reads views "
            "by their names, and asks no expert"
        )
    return reads


def _others(reads: Sequence[str], views: Sequence[str]) -> list[str]:
    """Those of `reads` that `views` does not have."""
    known = set(map(view_of, views))
    return [entry for entry in reads if view_of(entry) not in known]
