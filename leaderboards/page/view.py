"""`bench view`: the pages of a folder of runs in a browser, on this machine alone."""

from __future__ import annotations

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from harness.core import UserError
from leaderboards.page.index import index_page, run_name, runs_below
from leaderboards.page.run_page import run_page

__all__ = ["View"]

LOOPBACK = "127.0.0.1"
FOLLOW_S = 10
"""Seconds after which the page of a run that is not finished is loaded again."""


class View:
    """Serves the index at `/` and the page of each run at `/run/NAME`; it only reads.

    It listens on the loopback address and answers no request that names another host, so that no
    page of a stranger can read it through the browser.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        """`port`: 0 takes a free one. Raises UserError if the folder or the port cannot be had."""
        runs_below(folder)
        self._folder = folder
        self._pages: dict[Path, tuple[tuple[int, int], str]] = {}
        self._lock = threading.Lock()
        view = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                view.answer(self)

            def log_message(self, format: str, *values: Any) -> None:
                pass

        try:
            self._server = ThreadingHTTPServer((LOOPBACK, port), Handler)
        except (OSError, OverflowError) as fault:
            raise UserError(f"--port {port} cannot be had: {fault}; choose another") from None
        self.port = int(self._server.server_address[1])
        self.address = f"http://{LOOPBACK}:{self.port}/"

    def serve(self) -> None:
        """Until `close` is called, or KeyboardInterrupt."""
        self._server.serve_forever()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        if request.headers.get("Host") not in (f"{LOOPBACK}:{self.port}", f"localhost:{self.port}"):
            _send(request, HTTPStatus.FORBIDDEN, "this address is not served", "text/plain")
            return
        path = unquote(urlsplit(request.path).path)
        try:
            page = self._page(path)
        except UserError as wrong:
            _send(request, HTTPStatus.OK, f"{wrong}\n", "text/plain")
            return
        if page is None:
            _send(request, HTTPStatus.NOT_FOUND, "there is no such run\n", "text/plain")
        else:
            _send(request, HTTPStatus.OK, page, "text/html")

    def _page(self, path: str) -> str | None:
        if path == "/":
            return index_page(self._folder, "/run/{}", FOLLOW_S)
        # Only what the folder lists is opened: no path comes from the request.
        names = {run_name(run, self._folder): run for run in runs_below(self._folder)}
        run = names.get(path.removeprefix("/run/"))
        return None if run is None else self._of_run(run)

    def _of_run(self, run: Path) -> str:
        stamp = _stamp(run / "episodes.jsonl"), _stamp(run / "run.json")
        with self._lock:
            kept = self._pages.get(run)
            if kept is None or kept[0] != stamp:
                kept = stamp, run_page(run, FOLLOW_S)
                self._pages[run] = kept
        return kept[1]


def _stamp(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _send(request: BaseHTTPRequestHandler, status: HTTPStatus, text: str, kind: str) -> None:
    body = text.encode()
    request.send_response(status)
    request.send_header("Content-Type", f"{kind}; charset=utf-8")
    request.send_header("Content-Length", str(len(body)))
    request.send_header("Cache-Control", "no-store")
    request.send_header("X-Content-Type-Options", "nosniff")
    request.end_headers()
    request.wfile.write(body)
