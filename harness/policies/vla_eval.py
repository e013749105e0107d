"""`--agent vla-eval:ws://HOST:PORT`: a model server of vla-evaluation-harness, protocol 1.

A message is a map of `type`, `payload`, `seq` and `timestamp` in msgpack, with arrays under keys
that are texts. The client says hello; an episode has a start, observations that are answered by
actions, and an end. The server keeps what belongs to an episode with its connection, so that an
episode whose connection is lost cannot go on.

Sources: vla_eval/protocol/messages.py, connection.py and model_servers/serve.py of
allenai/vla-evaluation-harness 0.8.0.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.core import Turn
from harness.play.values import AgentFault
from harness.policies.openpi import actions_in
from harness.policies.wire.connection import Connection, Lost, Reported
from harness.policies.wire.packing import Malformed, pack_with_texts, unpack
from harness.policies.wire.remote import RemotePolicy

__all__ = ["VlaEval"]

PROTOCOL = 1


class VlaEval(RemotePolicy):
    """A model server of vla-evaluation-harness.

    With a profile, a key of it such as `images/agentview` names a value inside of `images`. Without
    one, pictures go into `images` under their views' names, and other views beside it. The
    instruction is `task_description`.
    """

    health = "/health"

    def __init__(self, address: str, **more: Any) -> None:
        """See RemotePolicy."""
        self._seq = 0
        self._asked: dict[str, int] = {}  # turns of an episode
        self._waited: dict[str, int] = {}  # the number of its last observation
        super().__init__(address, **more)

    def _greet(self, connection: Connection) -> Mapping[str, Any]:
        seq, hello = self._message("hello", {"harness_version": "", "protocol_version": PROTOCOL})
        connection.send(hello)
        payload = _payload(connection.receive(self._limits.reach_s), "hello", seq)
        version = payload.get("protocol_version")
        if version != PROTOCOL:
            raise Malformed(f"it speaks the version {version!r} of the protocol, not {PROTOCOL}")
        return payload

    def _packed(self, turn: Turn) -> Sequence[bytes]:
        messages = []
        asked = self._asked.get(turn.episode, 0)
        if not asked:
            messages.append(self._message("episode_start", {"task": {}})[1])
        seq, message = self._message("observation", self._observation(turn))
        self._waited[turn.episode] = seq
        self._asked[turn.episode] = asked + 1
        return [*messages, message]

    def _read(self, message: bytes, turn: Turn) -> Any:
        payload = _payload(message, "action", self._waited[turn.episode])
        return self._encoding.answer(actions_in(payload), turn)

    def _again(self, turn: Turn) -> bool:
        if self._asked.get(turn.episode, 0) > 1:
            return False
        self._asked.pop(turn.episode, None)
        return True

    def end(self, episodes: Iterable[str]) -> AgentFault | None:  # type: ignore[override]
        for episode in episodes:
            asked = self._asked.pop(episode, 0)
            self._waited.pop(episode, None)
            connection = self._pool.release(episode)
            if connection is not None and asked:
                try:
                    connection.send(self._message("episode_end", {})[1])
                except Lost:  # then its server knows that the episode is over
                    self._pool.lose(episode)
        return None

    def _observation(self, turn: Turn) -> dict[str, Any]:
        sent: dict[str, Any] = {}
        for key, value in self._encoding.observation(turn).items():
            if key == "prompt":
                continue
            if "/" not in key and _is_picture(value):
                key = f"images/{key}"
            *folders, name = key.split("/")
            inside = sent
            for folder in folders:
                inside = inside.setdefault(folder, {})
            inside[name] = value
        return {"task_description": turn.instruction, **sent}

    def _message(self, kind: str, payload: Mapping[str, Any]) -> tuple[int, bytes]:
        """(its number, the message)."""
        self._seq += 1
        message = {"type": kind, "payload": payload, "seq": self._seq, "timestamp": time.time()}
        return self._seq, pack_with_texts(message)


def _is_picture(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 3


def _payload(data: bytes, kind: str, seq: int) -> dict[str, Any]:
    """The payload of a message of this kind. Raises Malformed, and Reported for an error."""
    message = unpack(data)
    if not isinstance(message, dict) or not isinstance(message.get("payload"), dict):
        raise Malformed("it is no message of type, payload, seq and timestamp")
    payload: dict[str, Any] = message["payload"]
    if message.get("type") == "error":
        raise Reported(str(payload.get("error", "without a reason"))[:500])
    if message.get("type") != kind or message.get("seq") != seq:
        raise Malformed(
            f"it is {str(message.get('type'))[:40]!r} {str(message.get('seq'))[:20]}, not {kind} "
            f"{seq}"
        )
    return payload
