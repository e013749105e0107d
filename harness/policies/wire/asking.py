"""Asks a server that takes one observation at a time, over a connection for each episode."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from harness.core import Turn
from harness.core.errors import describe
from harness.play.values import AgentFault
from harness.policies.encoding import Encoding
from harness.policies.wire.connection import SHORTEST_S, Connection, Limits, Lost, Reported
from harness.policies.wire.packing import Malformed
from harness.policies.wire.pool import Pool

__all__ = ["ask_each"]

ATTEMPTS = 2
"""A turn whose connection is lost is asked again over another one."""


def ask_each(
    turns: Sequence[Turn],
    pool: Pool,
    encoding: Encoding,
    limits: Limits,
    *,
    pack: Callable[[Turn], Sequence[bytes]],
    read: Callable[[bytes, Turn], Any],
    again: Callable[[Turn], bool] = lambda turn: True,
) -> list[Any]:
    """An answer or an AgentFault for each turn, in order.

    `pack` makes the messages of a turn, of which one is answered, `read` the answer of a message.
    All turns are sent before the first answer is waited for. `again`: whether a turn may be sent
    over another connection when its own is lost; a server may keep what belongs to an episode with
    its connection.
    """
    answers: list[Any] = [None] * len(turns)
    left: list[int] = []
    for index, turn in enumerate(turns):
        try:
            answers[index] = encoding.settling(turn)
        except Exception as wrong:
            answers[index] = AgentFault(f"the profile cannot be applied: {describe(wrong)}")
        if answers[index] is None:
            left.append(index)
    for attempt in range(ATTEMPTS):
        lost = _asked(turns, left, answers, pool, limits, pack, read)
        for index, why in lost.items():
            answers[index] = AgentFault(str(why), "error")
        left = [index for index in lost if again(turns[index])]
        if not left or attempt + 1 == ATTEMPTS:
            break
    return answers


def _asked(
    turns: Sequence[Turn],
    left: Sequence[int],
    answers: list[Any],
    pool: Pool,
    limits: Limits,
    pack: Callable[[Turn], Sequence[bytes]],
    read: Callable[[bytes, Turn], Any],
) -> dict[int, Lost]:
    """Fill in the answers of the turns `left`; returns those whose connection was lost."""
    lost: dict[int, Lost] = {}
    sent: list[tuple[int, Connection]] = []
    unreachable: Lost | None = None
    for index in left:
        episode = turns[index].episode
        try:
            messages = pack(turns[index])
        except Exception as wrong:  # a view of a type that the protocol has no form for
            answers[index] = AgentFault(f"its observation cannot be sent: {describe(wrong)}")
            continue
        if unreachable is not None and not pool.begun(episode):
            lost[index] = unreachable  # it was waited for long enough
            continue
        try:
            connection = pool.of(episode)
        except Lost as gone:
            unreachable = lost[index] = gone
            continue
        try:
            for message in messages:
                connection.send(message)
            sent.append((index, connection))
        except Lost as gone:
            lost[index] = gone
            pool.lose(episode)
    # A server answers one after the other: each answer gives the next one its time.
    until = time.monotonic() + limits.answer_s
    for index, connection in sent:
        turn = turns[index]
        try:
            message = connection.receive(max(until - time.monotonic(), SHORTEST_S))
            until = time.monotonic() + limits.answer_s
        except Lost as gone:
            lost[index] = gone
            pool.lose(turn.episode)
            continue
        except Reported as failed:
            answers[index] = AgentFault(f"the policy failed: {failed}")
            pool.lose(turn.episode)
            continue
        except Malformed as wrong:
            answers[index] = AgentFault(f"the server's answer cannot be read: {wrong}")
            pool.lose(turn.episode)
            continue
        try:
            answers[index] = read(message, turn)
        except (Reported, Malformed) as fault:
            said = isinstance(fault, Reported)
            what = "the policy failed" if said else "the server's answer cannot be read"
            answers[index] = AgentFault(f"{what}: {fault}")
            pool.lose(turn.episode)  # nobody knows what else is under way there
        except Exception as wrong:  # numbers that the profile can make no action of
            answers[index] = AgentFault(f"the server's answer makes no sense: {wrong}")
    return lost
