"""Between a worker and a served agent on one machine: a socket for messages, shared memory for
pictures.

A call through Ray costs both sides half a millisecond and pictures an object in its store. Here a
message costs a tenth of that. Only processes of this user on this machine that know a secret, which
travels through Ray, are let in: names of the kernel's abstract sockets have no permissions. Nothing
remains when a process ends. Linux only; independent of Ray.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import pickle
import secrets
import select
import socket
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from harness.core import Turn
from harness.core.errors import describe
from harness.play.shared_memory import ReadBlocks, WriteBlocks, offsets
from harness.play.turn_codec import TurnDecoder, TurnEncoder

__all__ = ["Address", "Link", "LinkRequest", "Served", "TurnListener", "dumped", "receive_ready"]

Address = tuple[str, bytes]
"""(the name of an abstract socket, the secret)."""
Pack = Callable[[Any], bytes]
Served = tuple[Any, list[str], int]
"""(the answers, what there is to tell, how many other requests wait)."""
Serve = Callable[[list[Turn], bool], Served]
"""Answers turns; the flag: they are not to be in a batch with those of others."""
_PREFIX = struct.Struct("<QB")
"""Bytes of the body, whether a descriptor came with the prefix."""
_PEER = struct.Struct("3i")
SECRET = 16
CONNECT_S = 5.0
STALLED_S = 30.0
"""A link on which a message stands still for so long counts as broken: its process does not run."""


def dumped(value: Any, pack: Pack) -> bytes:
    """Pickled; by `pack`, which can do more and takes longer, where pickle cannot."""
    try:
        return pickle.dumps(value, 5)
    except Exception:
        return pack(value)


def _is_ours(peer: socket.socket) -> bool:
    """Whether a process of this user is at the other end."""
    told = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    return bool(_PEER.unpack(told)[1] == os.geteuid())


def _exactly(peer: socket.socket, size: int) -> bytearray:
    body = bytearray(size)
    view, got = memoryview(body), 0
    while got < size:
        more = peer.recv_into(view[got:])
        if not more:
            raise ConnectionResetError("the other end is gone")
        got += more
    return body


class LinkRequest:
    """Turns that were sent, and what came back."""

    __slots__ = ("fault", "link", "served")

    def __init__(self, link: Link) -> None:
        self.link = link
        self.served: Served | None = None
        self.fault: str | None = None
        """Why there are no answers, if it could not be asked for them."""

    @property
    def lost(self) -> bool:
        """Whether no reply will come."""
        return self.served is None and self.link.lost


class Link:
    """The worker's end. Not thread-safe."""

    def __init__(self, address: Address, pack: Pack) -> None:
        """Raises OSError where nobody of this user listens, as on another machine."""
        name, secret = address
        self.lost = False
        self._pack = pack
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(CONNECT_S)
            self._socket.connect("\0" + name)
            if not _is_ours(self._socket):
                raise PermissionError("another user listens here")
            self._socket.sendall(secret)
            self._socket.settimeout(STALLED_S)
        except BaseException:
            self._socket.close()
            raise
        self._encoder = TurnEncoder()
        self._blocks = WriteBlocks()
        self._sent = 0
        self._requests: dict[int, LinkRequest] = {}

    def fileno(self) -> int:
        return self._socket.fileno()

    def forget(self, episode: str) -> None:
        """This episode is over."""
        self._encoder.forget(episode)

    def send(self, turns: Sequence[Turn], alone: bool) -> LinkRequest:
        """Send them; the request is `lost` if the other end is gone."""
        request = LinkRequest(self)
        packed = self._encoder.pack(turns)
        starts, size = offsets([column.size for column in packed.columns])
        number, descriptor = 0, None
        if packed.columns:
            number, block, descriptor = self._blocks.take(size)
            for start, column in zip(starts, packed.columns):
                rows = block[start : start + column.size].view(column.dtype)
                column.write(rows.reshape((len(column.values), *column.shape)))
        places = [
            (start, len(column.values), column.shape, column.dtype)
            for start, column in zip(starts, packed.columns)
        ]
        self._sent += 1
        self._requests[self._sent] = request
        head = dumped(packed.head, self._pack)
        body = pickle.dumps((self._sent, alone, head, number, places), 5)
        try:
            if descriptor is None:
                self._socket.sendall(_PREFIX.pack(len(body), 0) + body)
            else:
                # The kernel delivers a descriptor with the first byte of what is sent with it.
                socket.send_fds(self._socket, [_PREFIX.pack(len(body), 1)], [descriptor])
                self._socket.sendall(body)
        except OSError:
            self.close()
        finally:
            if descriptor is not None:
                os.close(descriptor)
        return request

    def receive(self) -> None:
        """Read one reply; blocks until it is there."""
        try:
            size, _ = _PREFIX.unpack(_exactly(self._socket, _PREFIX.size))
            body = _exactly(self._socket, size)
        except OSError:
            self.close()
            return
        number, served, fault, freed, given_up = pickle.loads(body)
        self._blocks.release(freed, given_up)
        request = self._requests.pop(number)
        request.served, request.fault = served, fault

    def close(self) -> None:
        """What was sent and not answered is lost."""
        self.lost = True
        self._requests.clear()
        self._socket.close()


def receive_ready(links: Sequence[Link], timeout_s: float | None) -> None:
    """Read what has come on these links; waits for the first as long. None: until one comes."""
    polled = select.poll()
    by_number = {link.fileno(): link for link in links if not link.lost}
    for number in by_number:
        polled.register(number, select.POLLIN)
    for number, _ in polled.poll(None if timeout_s is None else timeout_s * 1000):
        by_number[number].receive()


class TurnListener:
    """The agent's end: threads that read what a worker sends, and answer it."""

    def __init__(self, serve: Serve, pack: Pack) -> None:
        """`serve` blocks until the turns are answered; several threads call it."""
        self._serve = serve
        self._pack = pack
        self.address: Address | None = None
        """None where there is no way to listen: Linux alone has abstract sockets."""
        if sys.platform != "linux":
            return
        name = f"bench-{secrets.token_hex(16)}"
        self._secret = secrets.token_bytes(SECRET)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind("\0" + name)
        self._socket.listen(64)
        self.address = name, self._secret
        _begin(self._accept)

    def _accept(self) -> None:
        while True:
            peer, _ = self._socket.accept()
            _begin(self._let_in, peer)

    def _let_in(self, peer: socket.socket) -> None:
        try:
            peer.settimeout(CONNECT_S)
            allowed = _is_ours(peer) and hmac.compare_digest(_exactly(peer, SECRET), self._secret)
            peer.settimeout(None)
        except OSError:
            allowed = False
        if allowed:
            _Peer(peer, self._serve, self._pack).answer()
        else:
            peer.close()


def _begin(call: Callable[..., None], *given: Any) -> None:
    threading.Thread(target=call, args=given, name="link", daemon=True).start()


class _Peer:
    """One worker, as the agent's process sees it.

    As many threads as there are requests under way, and one more: one of them reads, and answers
    what it read while the next one reads.
    """

    def __init__(self, peer: socket.socket, serve: Serve, pack: Pack) -> None:
        self._socket = peer
        self._serve = serve
        self._pack = pack
        self._decoder = TurnDecoder()
        self._blocks = ReadBlocks()
        self._idle = 0
        self._gone = threading.Event()
        self._reads = threading.Lock()
        self._replies = threading.Lock()
        self._looks = threading.Lock()
        """Guards the blocks and `_idle`."""

    def answer(self) -> None:
        """Read and answer until the worker is gone."""
        while not self._gone.is_set():
            with self._looks:
                self._idle += 1
            with self._reads:
                if self._gone.is_set():
                    return
                try:
                    request = self._read()
                except OSError:
                    self._gone.set()
                    self._socket.close()
                    return
            with self._looks:
                self._idle -= 1
                alone = self._idle == 0
            if alone:
                _begin(self.answer)
            self._reply(*request)
            del request

    def _read(self) -> tuple[int, list[Turn], bool, str | None]:
        """(number of the request, its turns, whether they go alone, why there are none)."""
        prefix, descriptors, _, _ = socket.recv_fds(self._socket, _PREFIX.size, 1)
        if not prefix:
            raise ConnectionResetError("the worker is gone")
        prefix += _exactly(self._socket, _PREFIX.size - len(prefix))
        body = _exactly(self._socket, _PREFIX.unpack(prefix)[0])
        number, alone, head, block, places = pickle.loads(body)
        try:
            return number, self._turns(head, block, places, descriptors), alone, None
        except Exception as fault:  # the worker's loop ends with it, and it is replaced
            return number, [], alone, describe(fault)

    def _turns(
        self,
        head: Any,
        block: int,
        places: Sequence[tuple[int, int, tuple[int, ...], Any]],
        descriptors: Sequence[int],
    ) -> list[Turn]:
        def large(column: int) -> np.ndarray:
            at, count, shape, dtype = places[column]
            return self._blocks.read(block, at, count, shape, dtype)

        with self._looks:
            for descriptor in descriptors:
                self._blocks.add(block, descriptor)
            try:
                return self._decoder.unpack(pickle.loads(head), large)
            finally:
                if places:
                    self._blocks.hold(block)

    def _reply(self, number: int, turns: list[Turn], alone: bool, fault: str | None) -> None:
        answered: Served = [], [], 0
        if fault is None:
            try:
                answered = self._serve(turns, alone)
            except BaseException as raised:
                fault = describe(raised)
        turns.clear()  # what nobody else holds of them can be written over
        with self._looks:
            freed, given_up = self._blocks.freed()
        body = dumped((number, answered, fault, freed, given_up), self._pack)
        with self._replies, contextlib.suppress(OSError):
            self._socket.sendall(_PREFIX.pack(len(body), 0) + body)
