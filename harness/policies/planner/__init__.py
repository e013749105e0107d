"""Chat models that plan: `--agent planner:URL#MODEL`, over the skills that a family's adapter has.

`plans` says how a plan is written, asked for by a JSON schema and read back; `telling` what the
model is told; `agent` ties them to the endpoint of harness.policies.chat.
"""

from __future__ import annotations

from harness.policies.planner.agent import PlannerAgent

__all__ = ["PlannerAgent"]
