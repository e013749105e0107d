"""`openpi:ws://...` against a server that behaves as openpi's own, and against broken ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import msgpack
import numpy as np
import pytest
import toys
from conftest import Run, refused
from openpi_client import msgpack_numpy
from policyservers import dead_address, stock_server, turn_of_a_toy

from harness.core import UserError
from harness.policies.openpi import OpenPI

Play = Callable[..., Run]
POLICY = "harness.policies.openpi:OpenPI"
GLIDE = [toys.toy_task("glide", action="box")]


def good(observation: dict[str, Any]) -> dict[str, Any]:
    """What toys.GoodAgent does."""
    state = observation["state"]
    ahead = np.clip(state[2:] - state[:2], -1, 1).astype(np.float32)
    return {"actions": ahead[None]}


def play(play_toys: Play, url: str, **more: Any) -> Run:
    args = {"address": url, "reach_s": 2.0, "timeout_s": 20.0, **more.pop("args", {})}
    return play_toys(POLICY, tasks=more.pop("tasks", GLIDE), args=args, **more)


@pytest.mark.parametrize("lanes", [1, 4])
def test_a_policy_behind_a_server_gives_the_results_that_it_gives_here(
    play_toys: Play, lanes: int
) -> None:
    here = play_toys("toys:GoodAgent", tasks=GLIDE, out="here", lanes=lanes)
    seen: list[Any] = []

    def policy(observation: dict[str, Any]) -> dict[str, Any]:
        seen.append(observation)
        return good(observation)

    with stock_server(policy, {"robot": "toy"}) as url:
        there = play(play_toys, url, lanes=lanes, out="there")
    assert there.results == here.results
    assert set(seen[0]) == {"state", "image", "prompt"}
    assert seen[0]["image"].shape == (16, 16, 3)
    assert seen[0]["image"].dtype == np.uint8
    assert isinstance(seen[0]["prompt"], str)


def test_workers_ask_over_a_connection_for_each_episode(play_toys: Play, ray_here: None) -> None:
    here = play_toys("toys:GoodAgent", tasks=GLIDE, out="here", episodes=8)
    threads: set[int] = set()

    def policy(observation: dict[str, Any]) -> dict[str, Any]:
        threads.add(threading.get_ident())
        return good(observation)

    with stock_server(policy) as url:
        there = play(play_toys, url, workers=2, lanes=3, episodes=8, out="there")
    assert there.results == here.results
    assert len(threads) > 1


def test_a_chunk_is_executed_as_far_as_it_is_told(play_toys: Play) -> None:
    """Three actions towards the goal, then three away from it."""
    asked: list[int] = []

    def policy(observation: dict[str, Any]) -> dict[str, Any]:
        asked.append(1)
        ahead = good(observation)["actions"]
        return {"actions": np.concatenate([ahead, ahead, -ahead, -ahead, -ahead])}

    far = [toys.toy_task("glide", action="box", size=20)]
    with stock_server(policy) as url:
        run = play(play_toys, url, tasks=far, args={"execute": 1}, out="one")
        assert all(line["success"] for line in run.results)
        assert len(asked) == sum(line["steps"] for line in run.results)
        run = play(play_toys, url, tasks=far, out="all")
        assert not any(line["success"] for line in run.results if line["steps"] >= 5)


def test_what_the_policy_raises_is_the_agents_failure_in_its_last_line(play_toys: Play) -> None:
    def policy(observation: dict[str, Any]) -> dict[str, Any]:
        if observation["prompt"].endswith("struck"):
            raise ValueError("cannot read 'struck'")
        return good(observation)

    tasks = [toys.toy_task("bad", action="box", marker="struck", marker_seeds=[2])]
    with stock_server(policy) as url:
        run = play(play_toys, url, tasks=tasks, lanes=2)
    wrong = [line for line in run.results if line["status"] != "finished"]
    assert [(line["seed"], line["status"]) for line in wrong] == [(2, "agent_error")]
    assert wrong[0]["error"] == "the policy failed: ValueError: cannot read 'struck'"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (b"\xc1\x00", "cannot be read: it is no msgpack message"),
        (msgpack.packb([1]), "cannot be read: it holds no `actions`"),
        ({"action": 1}, "cannot be read: it holds no `actions` but action, server_timing"),
        ({"actions": np.zeros((3, 7))}, "expected an action of shape (2,), got (7,)"),
        (
            {"actions": np.zeros((1, 3, 2))},
            "makes no sense: `actions` have the shape (1, 3, 2); expected [A] or a chunk [H, A]",
        ),
        ({"actions": np.full(2, np.nan)}, "NaN"),
        ({"actions": "left"}, "makes no sense: `actions` are no numbers"),
        ({"actions": np.zeros((0, 2))}, "makes no sense: `actions` hold 0 actions"),
        ("", "the policy failed: (an empty text)"),
        (
            msgpack.packb(
                {
                    "actions": {
                        b"__ndarray__": True,
                        b"data": b"",
                        b"dtype": "<f4",
                        b"shape": [2**40],
                    }
                }
            ),
            "cannot be read: it holds an array of the shape",
        ),
        (
            msgpack.packb(
                {"actions": {b"__ndarray__": True, b"data": b"", b"dtype": "|O", b"shape": [0]}}
            ),
            "which is not taken",
        ),
        (b"\x00" * 300_000, "it is larger than 0.25 MB: raise max_frame_mb"),
    ],
)
def test_an_answer_that_makes_no_sense_is_the_agents_failure(
    play_toys: Play, reply: Any, words: str
) -> None:
    with stock_server(lambda observation: reply) as url:
        run = play(play_toys, url, episodes=1, args={"max_frame_mb": 0.25})
    assert [line["status"] for line in run.results] == ["agent_error"]
    assert words in run.results[0]["error"]


def test_connections_that_break_now_and_then_change_nothing(play_toys: Play) -> None:
    here = play_toys("toys:GoodAgent", tasks=GLIDE, out="here")
    calls = [0]

    def policy(observation: dict[str, Any]) -> dict[str, Any] | None:
        calls[0] += 1
        return None if calls[0] % 3 == 0 else good(observation)

    with stock_server(policy) as url:
        there = play(play_toys, url, lanes=1, out="there")
    assert there.results == here.results


def test_a_server_that_dies_stops_the_run_and_the_same_command_goes_on(play_toys: Play) -> None:
    here = play_toys("toys:GoodAgent", tasks=GLIDE, out="here", episodes=8)
    calls = [0]

    def policy(observation: dict[str, Any]) -> dict[str, Any] | None:
        calls[0] += 1
        return None if calls[0] > 20 else good(observation)

    with stock_server(policy) as url:
        stopped = play(play_toys, url, episodes=8, out="there")
        assert stopped.summary.stopped is not None
        assert "could not be asked in 3 cases in a row" in stopped.summary.stopped
        assert "is lost" in stopped.summary.stopped
        assert 0 < len(stopped.results) < 8
        calls[0] = -(10**6)
        again = play(play_toys, url, episodes=8, out="there")
    assert again.summary.stopped is None
    assert again.results == here.results


def test_a_server_that_stays_silent_is_not_waited_for_forever() -> None:
    ended = threading.Event()

    def policy(observation: dict[str, Any]) -> dict[str, Any]:
        ended.wait(60)
        return good(observation)

    with stock_server(policy) as url:
        agent = OpenPI(url, timeout_s=0.1, reach_s=1.0)
        answers = agent.act([turn_of_a_toy(episode=name) for name in "ab"])
        ended.set()
        agent.close()
    assert {answer.status for answer in answers} == {"error"}
    assert "did not answer within" in answers[0].reason


def test_a_server_that_loads_is_waited_for() -> None:
    begun = time.monotonic()
    with stock_server(good, healthy=lambda: time.monotonic() > begun + 0.3) as url:
        OpenPI(url, reach_s=20.0).close()


def test_a_long_wait_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("harness.policies.wire.remote.SILENT_S", 0.0)
    begun = time.monotonic()
    with stock_server(good, healthy=lambda: time.monotonic() > begun + 0.5) as url:
        OpenPI(url, reach_s=20.0).close()
    waited = [text for text in caplog.messages if "waiting until" in text]
    assert waited == [f"waiting until a policy server is ready at {url}, for 20 s at most"]


def test_no_server_is_wrong_use(bench_here: Callable[..., Any]) -> None:
    url = dead_address()
    common = ("run", "--suite", "toysuite:QUICK", "--agent-arg", "reach_s=0.1", "--workers", 0)
    said = bench_here(*common, "--agent", f"openpi:{url}")
    refused(said, f"no policy server is ready at {url}")
    assert "reach_s=SECONDS" in said.err
    refused(bench_here(*common, "--agent", "openpi:http://localhost:1"), "write ws://HOST:PORT")
    refused(bench_here(*common, "--agent", "openpi:ws://me:pw@localhost:1"), "holds no password")
    refused(bench_here(*common, "--agent", "openpi:"), "openpi:ws://HOST:PORT")


@pytest.mark.parametrize(
    "wrong",
    [{"timeout_s": 0}, {"reach_s": "soon"}, {"max_frame_mb": 1e9}, {"execute": -1}],
)
def test_a_number_out_of_range_is_wrong_use(wrong: dict[str, Any]) -> None:
    with stock_server(good) as url, pytest.raises(UserError, match=next(iter(wrong))):
        OpenPI(url, **wrong)


def test_a_token_is_sent_and_written_nowhere(
    play_toys: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stock_server(good, token="s3cret-42") as url:
        monkeypatch.delenv("BENCH_POLICY_TOKEN", raising=False)
        with pytest.raises(UserError, match="wants another token"):
            OpenPI(url)
        monkeypatch.setenv("BENCH_POLICY_TOKEN", "s3cret-42")
        run = play(play_toys, url)
    assert {line["status"] for line in run.results} == {"finished"}
    for file in run.path.rglob("*"):
        assert not file.is_file() or b"s3cret-42" not in file.read_bytes()


def test_a_server_without_a_fingerprint_is_known_by_its_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with stock_server(good) as url:
        for _ in range(2):
            OpenPI.identity({"address": url})
        told = [each.message for each in caplog.records if "tells no fingerprint" in each.message]
        assert len(told) == 1
        assert OpenPI.identity({"address": url, "timeout_s": 3.0}) == {"address": url}
        assert OpenPI.declares({"address": url}) == (("*",), 1)


def test_a_profile_says_what_is_sent_and_what_the_actions_mean() -> None:
    seen: list[Any] = []

    def policy(observation: Any) -> dict[str, Any]:
        seen.append(observation)
        return {"actions": np.zeros((10, 7), np.float32)}

    with stock_server(policy) as url:
        agent = OpenPI(url, profile="openpi-libero")
        reads, _ = OpenPI.declares({"address": url, "profile": "openpi-libero"})
        assert agent.reads == reads
        assert "*" not in reads
        identity = OpenPI.identity({"address": url, "profile": "openpi-libero"})
        assert len(identity["profile_content"]) == 16
        agent.close()


def test_the_bytes_on_the_wire_are_those_of_openpis_client() -> None:
    """What it would send for the same observation is sent here, byte for byte."""
    raw: list[bytes] = []
    unpackb = msgpack_numpy.unpackb

    def keep(data: bytes) -> Any:
        raw.append(data)
        return unpackb(data)

    with pytest.MonkeyPatch.context() as patch, stock_server(good) as url:
        patch.setattr(msgpack_numpy, "unpackb", keep)
        agent = OpenPI(url)
        agent.act([turn_of_a_toy()])
        agent.close()
    sent = {**turn_of_a_toy().observation, "prompt": "go"}
    assert raw == [msgpack_numpy.packb(sent)]
