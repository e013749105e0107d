"""The index of runs and `bench view`: what is served, to whom, and that a run is followed."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import toys
from conftest import Run, Said

from harness.core import UserError
from leaderboards.page.index import index_page, run_lines, runs_below
from leaderboards.page.view import View


@pytest.fixture
def runs(play_toys: Callable[..., Run], tmp_path: Path) -> Path:
    for name in ("first", "second"):
        play_toys("GoodAgent", [toys.toy_task()], 2, out=f"runs/{name}")
    return tmp_path / "runs"


@pytest.fixture
def view(runs: Path) -> Iterator[View]:
    server = View(runs)
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server
    server.close()
    thread.join()


def asked(view: View, path: str, host: str = "") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", view.port, timeout=60)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_the_index_names_the_runs_and_leads_to_their_pages(view: View) -> None:
    status, page = asked(view, "/")
    assert status == 200
    assert '<a href="/run/first">' in page
    assert 'http-equiv="refresh"' in page
    status, page = asked(view, "/run/second")
    assert status == 200
    assert "GoodAgent: 2 of 2 episodes scored" in page
    assert 'http-equiv="refresh"' not in page


def test_a_run_that_goes_on_is_followed(view: View, runs: Path) -> None:
    run = runs / "first"
    assert "2 of 2 episodes" in asked(view, "/run/first")[1]
    lines = (run / "episodes.jsonl").read_text().splitlines(keepends=True)
    (run / "episodes.jsonl").write_text(lines[0])
    file = run / "run.json"
    told = file.read_text()
    begin = told.index('"finished": "')
    end = told.index('"', begin + len('"finished": "')) + 1
    file.write_text(f'{told[:begin]}"finished": null{told[end:]}')
    page = asked(view, "/run/first")[1]
    assert "1 of 2 episodes" in page
    assert 'http-equiv="refresh"' in page


@pytest.mark.parametrize(
    "path", ["/run/", "/run/../../etc/passwd", "/run/%2e%2e/secret", "/etc/passwd", "/run/third"]
)
def test_only_listed_runs_are_opened(view: View, runs: Path, path: str) -> None:
    (runs.parent / "secret").mkdir()
    (runs / "third").symlink_to(runs / "first")
    assert asked(view, path)[0] == 404


def test_another_host_name_is_not_served(view: View) -> None:
    assert asked(view, "/", "evil.example")[0] == 403
    assert asked(view, "/", f"localhost:{view.port}")[0] == 200


def test_a_run_that_cannot_be_read_says_why(runs: Path) -> None:
    (runs / "broken").mkdir()
    (runs / "broken" / "run.json").write_text("<script>")
    line = next(each for each in run_lines(runs, "{}") if each.name == "broken")
    assert "cannot be read" in line.state
    assert not line.link
    assert "<script>alert" not in index_page(runs)


def test_no_folder_and_no_port_are_one_line(
    runs: Path, view: View, bench_here: Callable[..., Said]
) -> None:
    assert len(runs_below(runs)) == 2
    with pytest.raises(UserError, match="no folder"):
        runs_below(runs / "nothing")
    said = bench_here("view", str(runs), "--port", str(view.port))
    assert said.code == 2
    assert "choose another" in said.err
