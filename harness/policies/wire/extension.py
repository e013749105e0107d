"""What `bench serve` adds to openpi's protocol, and announces in its metadata.

The stock protocol carries no brief, episode, step or random key. A client of ours that finds the
map `bench` in the metadata sends them; to every other client the server speaks the stock protocol.

    client  {"bench": "act", "session": s, "briefs": {name: brief}, "turns": [turn, ...]}
    server  {"answers": [answer, ...], "server_timing": {...}}
    client  {"bench": "end", "session": s, "episodes": [name, ...]}
    server  {"ended": {name: what the agent raised}, "footprint": {...}}

A brief is sent once in a connection, under a name of the client's choice. The memory of an episode
stays on the server under (session, episode). `asked` counts the answers that the client has of the
episode: a turn that is sent again after a lost connection gets the answer that it had. An answer
carries the figures and the transcript of the agent (`Answer.figures`, `Answer.said`). `footprint`:
what the agent takes on the server, as harness/host/footprint.py says it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.policies.wire.packing import Malformed

__all__ = ["VERSION", "Extension"]

VERSION = 1
MOST_BATCH = 4096
MOST_VIEWS = 1000


@dataclass(frozen=True)
class Extension:
    """What a server of ours says of its agent."""

    agent: str
    """Its name, as on the server's command line."""
    fingerprint: str
    """That of records.identity."""
    reads: tuple[str, ...]
    history: int
    batch: int
    """The most turns of one message."""

    def to_json(self) -> dict[str, Any]:
        """The value of `bench` in the metadata."""
        return {
            "version": VERSION,
            "agent": self.agent,
            "fingerprint": self.fingerprint,
            "reads": list(self.reads),
            "history": self.history,
            "batch": self.batch,
        }

    @classmethod
    def of(cls, metadata: Mapping[Any, Any]) -> Extension | None:
        """What the metadata say; None without the extension, or in another version of it.

        Raises Malformed.
        """
        told = metadata.get("bench")
        if not isinstance(told, Mapping) or told.get("version") != VERSION:
            return None
        reads, history, batch = told.get("reads"), told.get("history"), told.get("batch")
        names = [told.get("agent"), told.get("fingerprint")]
        if (
            not all(isinstance(each, str) and len(each) <= 1000 for each in names)
            or not isinstance(reads, list)
            or len(reads) > MOST_VIEWS
            or not all(isinstance(each, str) and each for each in reads)
            or type(history) is not int
            or type(batch) is not int
            or not 1 <= history <= MOST_BATCH
            or not 1 <= batch <= MOST_BATCH
        ):
            raise Malformed("its metadata announce an agent that lacks a part")
        return cls(str(names[0]), str(names[1]), tuple(reads), history, batch)
