"""Replies that were given before, by a hash of the request: in memory, and in a folder.

An equal request gets the equal reply, so that a batch that is asked for again costs nothing, and a
rerun with the same folder replays exactly. The folder may be a stranger's: what is no reply there
counts as absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core import AgentUnavailable, UserError
from harness.policies.chat.reply import BadReply, Reply
from harness.records import safe_json
from harness.records.safe_files import read_inside

__all__ = ["Store", "request_hash"]

MOST_FILE = 2 << 20
"""Bytes of a file: a reply of the largest size, written in escapes."""
MOST_KEPT = 4096
"""Replies that are kept in memory."""


def request_hash(url: str, body: Mapping[str, Any]) -> str:
    """64 hexadecimal digits over all that a reply depends on; the key is no part of it."""
    text = json.dumps([url, dict(body)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()


class Store:
    """The replies of one agent. Threads may use it together, and processes its folder."""

    def __init__(self, folder: str = "") -> None:
        """`folder`: where replies are kept for later runs; empty: nowhere.

        Raises UserError when it cannot be made.
        """
        self._folder = Path(folder) if folder else None
        self._kept: OrderedDict[str, Reply] = OrderedDict()
        self._lock = threading.Lock()
        if self._folder is not None:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as fault:
                raise UserError(f"cannot make the cache {folder}: {fault.strerror}") from None

    def get(self, request: str) -> Reply | None:
        """The reply to a request of this hash, or None."""
        with self._lock:
            if request in self._kept:
                self._kept.move_to_end(request)
                return self._kept[request]
        reply = self._read(request)
        if reply is not None:
            self._keep(request, reply)
        return reply

    def put(self, request: str, reply: Reply) -> None:
        """Keep a reply.

        Raises AgentUnavailable when the folder cannot be written to, as when the disk is full: that
        is not the model's failure.
        """
        self._keep(request, reply)
        if self._folder is None:
            return
        file = self._folder / _name(request)
        content = json.dumps({"request": request, "reply": reply.to_json()}).encode()
        try:
            file.parent.mkdir(exist_ok=True)
            # A file of its own first: another process may read or write the same reply.
            handle, temporary = tempfile.mkstemp(dir=file.parent, suffix=".new")
            try:
                with os.fdopen(handle, "wb") as opened:
                    opened.write(content)
                os.replace(temporary, file)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary)
                raise
        except OSError as fault:
            raise AgentUnavailable(f"cannot write to the cache {file}: {fault.strerror}") from None

    def _keep(self, request: str, reply: Reply) -> None:
        with self._lock:
            self._kept[request] = reply
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)

    def _read(self, request: str) -> Reply | None:
        if self._folder is None:
            return None
        try:
            found = safe_json.parse(read_inside(self._folder, _name(request), MOST_FILE))
            if not isinstance(found, dict) or found.get("request") != request:
                return None
            return Reply.from_file(found.get("reply"))
        # Absent, no regular file, too large, no JSON, or no reply: it is asked for.
        except (FileNotFoundError, UserError, BadReply, ValueError):
            return None


def _name(request: str) -> str:
    return f"{request[:2]}/{request}.json"
