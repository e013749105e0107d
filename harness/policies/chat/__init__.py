"""Chat models as agents: `--agent chat:URL#MODEL`, for any OpenAI-compatible endpoint.

`agent` ties the parts together. `address` says whom to ask, `prompt` what is said, `grammar` how an
action is written in each action space, `forms` how an answer is asked for (tool call, JSON schema,
plain text), `endpoint` sends it, `reply` reads what comes back, `store` keeps replies, `prices`
says what they cost.
"""

from __future__ import annotations

from harness.policies.chat.agent import ChatAgent

__all__ = ["ChatAgent"]
