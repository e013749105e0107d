"""A video of a run over HTTP: whole, or the bytes that a browser asks for when it seeks."""

from __future__ import annotations

import os
import re
import shutil
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from harness.records.safe_files import open_inside
from leaderboards.page.media import LARGEST_VIDEO

__all__ = ["send_video"]

_RANGE = re.compile(r"bytes=(\d{1,12})-(\d{0,12})")


def send_video(request: BaseHTTPRequestHandler, run: Path, name: str) -> None:
    """Answer with the file `name` below a run directory.

    Raises FileNotFoundError, and UserError if it is a link or too large.
    """
    with open_inside(run, name, LARGEST_VIDEO) as file:
        size = os.fstat(file.fileno()).st_size
        asked = _RANGE.fullmatch(request.headers.get("Range", ""))
        begin, end = 0, size
        if asked is not None:
            begin = int(asked[1])
            end = min(size, int(asked[2]) + 1) if asked[2] else size
            if begin >= end:
                request.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                request.send_header("Content-Range", f"bytes */{size}")
                request.send_header("Content-Length", "0")
                request.end_headers()
                return
            request.send_response(HTTPStatus.PARTIAL_CONTENT)
            request.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
        else:
            request.send_response(HTTPStatus.OK)
        request.send_header("Content-Type", "video/mp4")
        request.send_header("Content-Length", str(end - begin))
        request.send_header("Accept-Ranges", "bytes")
        request.send_header("Cache-Control", "no-store")
        request.send_header("X-Content-Type-Options", "nosniff")
        request.end_headers()
        file.seek(begin)
        if end == size:
            shutil.copyfileobj(file, request.wfile)
        else:
            request.wfile.write(file.read(end - begin))
