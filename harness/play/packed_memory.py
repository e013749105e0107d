"""The memory of a served agent travels between the processes as bytes.

Only the agent's process packs and unpacks it: a worker needs none of the agent's packages, and
runs none of its code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core import Turn
from harness.core.errors import describe
from harness.play.values import AgentFault, Chunk

__all__ = ["PackedMemory", "infer_packed"]


@dataclass(frozen=True)
class PackedMemory:
    """A pickled memory."""

    data: bytes


def infer_packed(
    infer: Callable[[Sequence[Turn]], list[Any]],
    turns: Sequence[Turn],
    pack: Callable[[Any], bytes],
    unpack: Callable[[bytes], Any],
) -> list[Any]:
    """The answers of `infer` to turns whose memory is packed, with their memory packed.

    A memory that cannot be packed or unpacked is the agent's fault, in that turn alone.
    """
    given: list[Turn] = []
    answers: list[Any] = []
    for turn in turns:
        try:
            given.append(_unpacked(turn, unpack))
            answers.append(None)
        except BaseException as fault:
            answers.append(AgentFault(f"its memory cannot be unpickled: {describe(fault)}"))
    told = iter(infer(given))
    return [_packed(next(told), pack) if answer is None else answer for answer in answers]


def _unpacked(turn: Turn, unpack: Callable[[bytes], Any]) -> Turn:
    if not isinstance(turn.memory, PackedMemory):
        return turn
    return dataclasses.replace(turn, memory=unpack(turn.memory.data))


def _packed(answer: Any, pack: Callable[[Any], bytes]) -> Any:
    if not isinstance(answer, Chunk) or answer.memory is None:
        return answer
    try:
        return dataclasses.replace(answer, memory=PackedMemory(pack(answer.memory)))
    except BaseException as fault:
        return AgentFault(
            "Answer.memory cannot be pickled, which a served agent's must be: " + describe(fault)
        )
