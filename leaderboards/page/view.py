"""`bench view`: the pages of a folder of runs in a browser, on this machine alone."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from harness.compare.pairs import read_scored_run
from harness.core import UserError
from harness.probes.result_file import read_probe
from leaderboards.compare import compare_runs
from leaderboards.page.compare_page import compare_page
from leaderboards.page.index import index_page, probes_below, run_name, runs_below
from leaderboards.page.probe_page import probe_page
from leaderboards.page.run_page import run_page
from leaderboards.page.send_video import send_video

__all__ = ["View"]

LOOPBACK = "127.0.0.1"
MOST_KEPT = 20
"""Pages in memory: one may have 30 MB."""
MARGIN, ALPHA = 0.05, 0.05
"""As `bench compare` has them by default."""
FOLLOW_S = 10
"""Seconds after which the page of a run that is not finished is loaded again."""


class View:
    """Serves the index at `/`, the page of each run at `/run/NAME`, of each probe at `/probe/FILE`,
    and of two runs; it only reads.

    `/with/BASE` lists the runs that BASE can be compared with, `/compare?base=BASE&new=NEW` is the
    page of a comparison, by the margin and the level that `bench compare` has by default.

    It listens on the loopback address and answers no request that names another host, so that no
    page of a stranger can read it through the browser.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        """`port`: 0 takes a free one. Raises UserError if the folder or the port cannot be had."""
        runs_below(folder)
        self._folder = folder
        self._pages: dict[tuple[Path, ...], tuple[tuple[int, ...], str]] = {}
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
        asked = urlsplit(request.path)
        path = unquote(asked.path)
        try:
            if self._video(request, path):
                return
            page = self._page(path, asked.query)
        except UserError as wrong:
            _send(request, HTTPStatus.OK, f"{wrong}\n", "text/plain")
            return
        if page is None:
            _send(request, HTTPStatus.NOT_FOUND, "there is no such run\n", "text/plain")
        else:
            _send(request, HTTPStatus.OK, page, "text/html")

    def _page(self, path: str, query: str) -> str | None:
        if path == "/":
            return index_page(self._folder, "/run/{}", FOLLOW_S, "/with/{}", probe="/probe/{}")
        # Only what the folder lists is opened: no path comes from the request.
        if path.startswith("/probe/"):
            file = probes_below(self._folder).get(path.removeprefix("/probe/"))
            return None if file is None else probe_page(read_probe(file), file)
        names = {run_name(run, self._folder): run for run in runs_below(self._folder)}
        if path == "/compare":
            base, new = map(names.get, _two_names(query))
            if base is None or new is None:
                return None
            return self._kept((base, new), lambda: self._comparison(base, new))
        name = path.removeprefix("/with/")
        if name in names and name != path:
            to = f"/compare?base={quote(name)}&new={{}}"
            return index_page(self._folder, to, title=f"Compare {name} with")
        run = names.get(path.removeprefix("/run/"))
        if run is None:
            return None
        beside = f"/video/{run_name(run, self._folder)}"
        return self._kept((run,), lambda: run_page(run, FOLLOW_S, beside=beside))

    def _comparison(self, base: Path, new: Path) -> str:
        one, other = (read_scored_run(run, run_name(run, self._folder)) for run in (base, new))
        beside = f"/video/{one.name}", f"/video/{other.name}"
        return compare_page(compare_runs(one, other, MARGIN, ALPHA), one, other, beside)

    def _video(self, request: BaseHTTPRequestHandler, path: str) -> bool:
        """Answer with a video, if the path is that of one of a run that the folder lists."""
        found = re.fullmatch(r"/video/(.+)/(videos/[^/]+\.mp4)", path)
        if found is None:
            return False
        names = {run_name(run, self._folder): run for run in runs_below(self._folder)}
        try:
            send_video(request, names[found[1]], found[2])
        except (KeyError, FileNotFoundError):
            return False
        except ConnectionError:
            pass  # the browser has seen enough of it
        return True

    def _kept(self, runs: tuple[Path, ...], make: Callable[[], str]) -> str:
        """The page of these runs, made again where one of them has changed."""
        stamp = tuple(_stamp(run / file) for run in runs for file in ("episodes.jsonl", "run.json"))
        with self._lock:
            kept = self._pages.pop(runs, None)
            if kept is None or kept[0] != stamp:
                kept = stamp, make()
            self._pages[runs] = kept
            while len(self._pages) > MOST_KEPT:
                self._pages.pop(next(iter(self._pages)))
        return kept[1]


def _two_names(query: str) -> tuple[str, str]:
    """Those of `base` and `new`; empty where the query does not name one."""
    try:
        told = parse_qs(query, max_num_fields=2)
    except ValueError:
        return "", ""
    return told.get("base", [""])[0], told.get("new", [""])[0]


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
