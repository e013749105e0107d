"""The index of runs and `bench view`: what is served, to whom, and that a run is followed."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import toys
from conftest import Run, Said
from findings import Made

from harness.core import UserError
from harness.probes.result_file import write_probe
from leaderboards.page import media
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


def asked_raw(view: View, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", view.port, timeout=60)
    connection.request("GET", path, headers=dict(headers))
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def asked(view: View, path: str, host: str = "") -> tuple[int, str]:
    status, content = asked_raw(view, path, {"Host": host} if host else {})
    return status, content.decode()


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


def test_two_runs_are_compared(
    view: View, runs: Path, play_toys: Callable[..., Run], browser: Any
) -> None:
    play_toys("RandomAgent", [toys.toy_task()], 2, out="runs/a & b")
    page = browser.new_page()
    page.goto(view.address)
    page.get_by_label("Compare a & b with another run").click()
    assert page.locator("h1").inner_text() == "Compare a & b with"
    page.get_by_role("link", name="first", exact=True).click()
    assert page.locator("h1").inner_text() == "GoodAgent against RandomAgent"
    assert "base a & b (RandomAgent), new first (GoodAgent)" in page.locator("header").inner_text()
    page.close()
    status, text = asked(view, "/compare?base=first&new=first")
    assert status == 200
    assert "a comparison needs two" in text
    for query in ("", "?base=first", "?base=first&new=../secret", "?base=first&new=second&new=a"):
        assert asked(view, f"/compare{query}")[0] == 404
    assert asked(view, "/with/third")[0] == 404


def test_videos_that_do_not_fit_are_served(
    view: View, runs: Path, play_toys: Callable[..., Run], browser: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(media, "MOST_BYTES", 0)
    play_toys("RandomAgent", [toys.toy_task(control_hz=10.0)], 2, out="runs/a & b", video="all")
    page = browser.new_page()
    page.goto(f"{view.address}run/a%20%26%20b")
    video = page.locator("video").first
    length = video.evaluate(
        """(video) => new Promise((done) => {
            video.onseeked = () => done(video.currentTime);
            video.onloadedmetadata = () => { video.currentTime = 4; };
            video.load();
        })"""
    )
    page.close()
    assert length == 4
    name = next((runs / "a & b" / "videos").glob("*.mp4"))
    path = f"/video/a%20%26%20b/videos/{name.name}"
    for told, status, content in (
        ("bytes=2-5", 206, name.read_bytes()[2:6]),
        ("bytes=100-", 206, name.read_bytes()[100:]),
        ("nonsense", 200, name.read_bytes()),
        ("bytes=99999999-", 416, b""),
    ):
        assert asked_raw(view, path, {"Range": told}) == (status, content)
    (runs / "secret.mp4").write_bytes(b"secret")
    name.unlink()
    name.symlink_to(runs / "secret.mp4")
    assert b"symbolic link" in asked_raw(view, path, {})[1]
    for wrong in ("/video/a%20%26%20b/videos/..%2Frun.mp4", "/video/third/videos/x.mp4", "/video/"):
        assert asked_raw(view, wrong, {})[0] == 404


@pytest.mark.parametrize(
    "path", ["/run/", "/run/../../etc/passwd", "/run/%2e%2e/secret", "/etc/passwd", "/run/third"]
)
def test_only_listed_runs_are_opened(view: View, runs: Path, path: str) -> None:
    (runs.parent / "secret").mkdir()
    (runs / "third").symlink_to(runs / "first")
    assert asked(view, path)[0] == 404


def test_probes_are_listed_and_shown(view: View, runs: Path) -> None:
    told = {"probe": "memory", "title": "odd & even", "command": ""}
    write_probe(runs / "a & b", Made(), **told)
    write_probe(runs, Made(), file="kept.probe.json", **told)
    write_probe(runs / "first", Made(), **told)  # what lies in a run is none
    (runs / "linked.probe.json").symlink_to(runs / "kept.probe.json")
    (runs / "wrong.probe.json").write_text("<script>")
    page = asked(view, "/")[1]
    assert '<a href="/probe/a%20%26%20b/probe.json">' in page
    assert page.count('<a href="/probe/') == 2
    assert "wrong.probe.json is not what a probe writes" in page
    status, page = asked(view, "/probe/a%20%26%20b/probe.json")
    assert status == 200
    assert "<h1>odd &amp; even</h1>" in page
    for wrong in ("/probe/", "/probe/linked.probe.json", "/probe/first/probe.json", "/probe/../x"):
        assert asked(view, wrong)[0] == 404
    assert "/probe/" not in index_page(runs)


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
