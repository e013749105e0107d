"""`bench serve`: what is played through it equals what is played here, and nobody can harm it."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgpack
import numpy as np
import pytest
import toys
from conftest import Run, results_of
from openpi_client import msgpack_numpy
from openpi_client.websocket_client_policy import WebsocketClientPolicy
from policyservers import bench_server, get, serve_process, turn_of_a_toy
from servedagents import Fails, LooksBack, Remembers
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from harness.core import Agent, UserError
from harness.policies.openpi import OpenPI

Play = Callable[..., Run]
POLICY = "harness.policies.openpi:OpenPI"
pytestmark = pytest.mark.filterwarnings(
    "ignore:connect.. must be used as a context manager:DeprecationWarning"  # openpi's client
)
BOTH = [toys.toy_task(), toys.toy_task("glide", action="box"), toys.toy_task("stay", success="end")]


def asked(url: str, **more: Any) -> dict[str, Any]:
    return {"address": url, "reach_s": 2.0, "timeout_s": 20.0, **more}


@pytest.mark.parametrize(
    ("name", "agent"),
    [
        ("toys:GoodAgent", toys.GoodAgent()),
        ("toys:RandomAgent", toys.RandomAgent()),
        ("toys:ChunkAgent", toys.ChunkAgent()),
        ("toys:ImageAgent", toys.ImageAgent()),
        ("toys:ExpertAgent", toys.ExpertAgent()),
        ("servedagents:Remembers", Remembers()),
        ("servedagents:LooksBack", LooksBack()),
        ("servedagents:Fails", Fails()),
    ],
)
@pytest.mark.parametrize("lanes", [1, 5])
def test_a_served_agent_gives_the_results_that_it_gives_here(
    play_toys: Play, name: str, agent: Agent, lanes: int
) -> None:
    here = play_toys(name, tasks=BOTH, out="here", lanes=lanes)
    with bench_server(agent, batch=3) as url:
        there = play_toys(POLICY, tasks=BOTH, out="there", args=asked(url), lanes=lanes)
    assert there.results == here.results, [x["error"] for x in (*here.results, *there.results)]
    assert len(here.results) == here.summary.planned
    assert {line["status"] for line in here.results} <= {"finished", "agent_error"}
    assert ("agent_error" in {line["status"] for line in here.results}) == (name.endswith("Fails"))


@pytest.mark.parametrize("agent", ["toys:ChunkAgent", "servedagents:LooksBack"])
def test_workers_ask_the_same_server(play_toys: Play, ray_here: None, agent: str) -> None:
    kinds = {"toys:ChunkAgent": toys.ChunkAgent, "servedagents:LooksBack": LooksBack}
    here = play_toys(agent, tasks=BOTH, out="here", lanes=2)
    with bench_server(kinds[agent]()) as url:
        there = play_toys(POLICY, tasks=BOTH, out="there", args=asked(url), workers=2, lanes=3)
    assert there.results == here.results, [x["error"] for x in (*here.results, *there.results)]


def moves_of(answer: Any) -> list[Any]:
    return [(action.tolist(), clipped) for action, clipped in answer.moves]


def test_two_clients_that_play_the_same_case_do_not_share_its_memory(play_toys: Play) -> None:
    here = play_toys("servedagents:Remembers", tasks=BOTH, out="here")
    with bench_server(Remembers()) as url:
        first = OpenPI(**asked(url))
        turns = [turn_of_a_toy(episode="e1")]
        alone = first.act(turns)[0]
        there = play_toys(POLICY, tasks=BOTH, out="there", args=asked(url))
        second = OpenPI(**asked(url))
        assert moves_of(second.act(turns)[0]) == moves_of(alone)
        later = first.act([turn_of_a_toy(episode="e1", step=1)])[0]
        assert moves_of(later) != moves_of(alone)
        first.close()
        second.close()
    assert there.results == here.results, [x["error"] for x in (*here.results, *there.results)]


def test_a_lost_reply_does_not_move_the_episode_on(play_toys: Play) -> None:
    """The turn is sent again over another connection, and gets the answer that it had."""
    with bench_server(Remembers()) as url:
        policy = OpenPI(**asked(url))
        reference = OpenPI(**asked(url))
        for step in range(4):
            turn = turn_of_a_toy(step=step)
            expected = moves_of(reference.act([turn])[0])
            assert policy._bench is not None
            line = policy._pool.of("")
            # It is sent, and the connection is cut before the reply is read.
            taken = line._socket.recv
            line._socket.recv = lambda timeout, line=line, taken=taken: (
                taken(timeout=timeout),
                line._socket.socket.shutdown(socket.SHUT_RDWR),
                taken(timeout=timeout),
            )
            assert moves_of(policy.act([turn])[0]) == expected
        policy.close()
        reference.close()


def test_an_episode_that_the_server_does_not_know_is_an_error_and_not_the_agents() -> None:
    with bench_server(Remembers()) as url:
        policy = OpenPI(**asked(url))
        policy.act([turn_of_a_toy()])
        port = urlsplit(url).port
    with bench_server(Remembers(), port=port):
        answer = policy.act([turn_of_a_toy(step=1)])[0]
        assert (answer.status, "does not know this episode" in answer.reason) == ("error", True)
        policy.end(["e"])
        assert policy.act([turn_of_a_toy()])[0].moves
        policy.close()


def test_a_server_with_another_agent_is_not_asked_any_more() -> None:
    with bench_server(Remembers()) as url:
        policy = OpenPI(**asked(url))
        policy.act([turn_of_a_toy()])
        port = urlsplit(url).port
    from harness.core import AgentUnavailable

    with (
        bench_server(Remembers(), fingerprint="another", port=port),
        pytest.raises(AgentUnavailable, match="another agent answers there"),
    ):
        policy.act([turn_of_a_toy(step=1)])
    policy.close()


def test_openpis_own_client_can_ask() -> None:
    with bench_server(toys.ChunkAgent(length=3), size=2) as url:
        client = WebsocketClientPolicy(url)
        assert client.get_server_metadata()["bench"]["agent"] == "an agent"
        state = np.array([0, 0, 3, 1], np.float32)
        for _ in range(3):
            reply = client.infer({"state": state, "prompt": "go there"})
            assert reply["actions"].shape == (3, 2)
            assert reply["actions"][0].tolist() == [1.0, 1.0]
            assert reply["server_timing"]["infer_ms"] > 0
        with pytest.raises(RuntimeError, match="the agent reads the view 'state'"):
            client.infer({"prompt": "go there"})
        again = WebsocketClientPolicy(url)
        assert again.infer({"state": state})["actions"].shape == (3, 2)
        again._ws.close()


def test_openpis_own_client_is_told_what_the_agent_raised() -> None:
    class Broken(toys.GoodAgent):
        def act(self, turns: Any) -> Any:
            raise ValueError("no weights")

    with bench_server(Broken(), size=2) as url:
        client = WebsocketClientPolicy(url)
        with pytest.raises(RuntimeError, match="ValueError: no weights"):
            client.infer({"state": np.zeros(4, np.float32)})
        with pytest.raises(ConnectionClosed):
            client.infer({"state": np.zeros(4, np.float32)})


def test_a_client_of_others_is_refused_where_nothing_says_what_it_sends() -> None:
    with bench_server(toys.GoodAgent()) as url:
        client = WebsocketClientPolicy(url)
        with pytest.raises(RuntimeError, match="--profile P or --action-size N"):
            client.infer({"state": np.zeros(4, np.float32)})


def test_health_and_token(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench_server(toys.GoodAgent(), token="s3cret") as url:
        assert get(url, "/healthz") == (200, b"OK\n")
        for key in (None, "s3cre", "S3cret"):
            with pytest.raises(InvalidStatus, match="401"):
                WebsocketClientPolicy(url, api_key=key)
        WebsocketClientPolicy(url, api_key="s3cret")._ws.close()
        monkeypatch.delenv("BENCH_POLICY_TOKEN", raising=False)
        with pytest.raises(UserError, match="BENCH_POLICY_TOKEN"):
            OpenPI(**asked(url))
        monkeypatch.setenv("BENCH_POLICY_TOKEN", "s3cret")
        OpenPI(**asked(url)).close()
        monkeypatch.setenv("MINE", "s3cret")
        OpenPI(**asked(url, token_env="MINE")).close()
        with pytest.raises(UserError, match="OTHER is not set"):
            OpenPI(**asked(url, token_env="OTHER"))


def test_a_page_in_a_browser_cannot_ask() -> None:
    with bench_server(toys.GoodAgent()) as url, pytest.raises(InvalidStatus, match="403"):
        connect(url, origin="http://127.0.0.1:8000")  # type: ignore[arg-type]


def test_others_than_so_many_are_refused() -> None:
    with (
        bench_server(toys.GoodAgent(), max_connections=2) as url,
        connect(url) as first,
        connect(url) as second,
    ):
        for connection in (first, second):
            assert connection.recv()
        with pytest.raises(InvalidStatus, match="503"):
            connect(url)
        first.close()
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                with connect(url):
                    break
            except InvalidStatus:
                time.sleep(0.02)
        else:
            pytest.fail("the connection that was closed still counts")


def test_a_connection_that_says_nothing_is_closed() -> None:
    with bench_server(toys.GoodAgent(), idle_s=0.1) as url, connect(url) as connection:
        connection.recv()
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001


def test_a_frame_beyond_the_limit_is_refused() -> None:
    with bench_server(toys.GoodAgent(), max_frame_mb=0.01) as url, connect(url) as connection:
        connection.recv()
        connection.send(b"x" * 20_000)
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


def test_an_agent_that_hangs_fails_its_turn_and_ends_the_server() -> None:
    class Sleeps(toys.GoodAgent):
        def act(self, turns: Any) -> Any:
            time.sleep(3600)

    with bench_server(Sleeps(), agent_timeout=0.1) as url:
        policy = OpenPI(**asked(url))
        answer = policy.act([turn_of_a_toy()])[0]
        assert (answer.status, answer.reason) == ("agent_error", "no answer within 0.1 s")
        policy.close()


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("a text", "a message is binary"),
        (b"\xc1", "it is no msgpack message"),
        (msgpack.packb([1]), "a message is a map"),
        (msgpack.packb({"bench": "fly"}), "there is no request 'fly'"),
        (msgpack.packb({"bench": "act"}), "it holds no session"),
        (msgpack.packb({"bench": "act", "session": "s"}), "it holds no turns"),
        (
            msgpack.packb({"bench": "act", "session": "s", "briefs": {}, "turns": [{}]}),
            "it holds a turn that lacks a part",
        ),
        (
            msgpack.packb({"bench": "act", "session": "s", "briefs": {"a": 1}, "turns": []}),
            "it holds no brief",
        ),
        (msgpack.packb({"bench": "end", "session": "s", "episodes": [1]}), "it holds no episodes"),
        (
            msgpack.packb({"x": {b"__noun__": "Task", b"fields": {}}}),
            "it holds the unknown noun 'Task'",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(message: Any, words: str) -> None:
    with bench_server(toys.GoodAgent(), size=2) as url, connect(url) as connection:
        connection.recv()
        connection.send(message)
        said = connection.recv(timeout=20)
        assert isinstance(said, str)
        assert words in said
        with pytest.raises(ConnectionClosed):
            connection.recv(timeout=20)
        assert get(url, "/healthz")[0] == 200


def test_beyond_this_machine_a_token_is_required(bench_here: Callable[..., Any]) -> None:
    said = bench_here("serve", "--agent", "uniform", "--host", "0.0.0.0")
    assert said.code == 2
    assert "--token-env NAME" in said.err


def test_the_command_serves_and_ends_when_it_is_told(tmp_path: Path) -> None:
    with serve_process("--agent", "uniform", cwd=tmp_path) as (process, url):
        assert url.startswith("ws://127.0.0.1:")
        client = WebsocketClientPolicy(url)
        fingerprint = client.get_server_metadata()["bench"]["fingerprint"]
        assert len(fingerprint) == 16
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        with pytest.raises(ConnectionClosed):
            client._ws.recv(timeout=20)
        assert process.stderr is not None
        assert process.stderr.read() == "the server has ended\n"


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["uniform", "servedagents:Remembers"])
def test_a_run_of_real_simulators_is_the_same_through_a_server(
    bench_here: Callable[..., Any], tmp_path: Path, agent: str
) -> None:
    common = ("--suite", "babyai,gym:CartPole-v1", "--tasks", "*GoToObj*,*CartPole*")
    common = (*common, "--episodes", "3", "--workers", "0")
    assert bench_here("run", "--agent", agent, *common, "--out", "here").code == 0
    with serve_process("--agent", agent, cwd=tmp_path) as (process, url):
        run = ("run", "--agent", f"openpi:{url}", *common, "--lanes", "2", "--out", "there")
        assert bench_here(*run).code == 0
        # The same command finds its run, and so does one with another way to the same agent.
        other = url.replace("127.0.0.1", "localhost")
        again = bench_here("run", "--agent", f"openpi:{other}", *common, "--out", "there")
        assert "nothing is played" in again.err
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert results_of(tmp_path / "there") == results_of(tmp_path / "here")
    recorded = json.loads((tmp_path / "there" / "run.json").read_text())["agent"]
    played = json.loads((tmp_path / "here" / "run.json").read_text())["agent"]
    assert recorded["identity"] == {
        "server": {"agent": agent, "fingerprint": played["fingerprint"]}
    }
    assert (recorded["reads"], recorded["history"]) == (played["reads"], played["history"])
    with serve_process("--agent", "noop", cwd=tmp_path) as (process, url):
        said = bench_here("run", "--agent", f"openpi:{url}", *common, "--out", "there")
        assert said.code == 2
        assert "holds another run" in said.err
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_reply_is_what_openpis_packing_makes_of_it() -> None:
    with bench_server(toys.GoodAgent(), size=2) as url, connect(url, compression=None) as raw:
        assert "bench" in msgpack_numpy.unpackb(raw.recv())
        raw.send(msgpack_numpy.packb({"state": np.zeros(4, np.float32)}))
        reply = msgpack.unpackb(raw.recv())
        assert set(reply["actions"]) == {b"__ndarray__", b"data", b"dtype", b"shape"}


class LooksAtLibero(Agent):
    """Rests, and shows in the gripper's number how bright the upper left corner is."""

    reads = ("image", "proprio")

    def act(self, turns: Any) -> Any:
        answers = []
        for turn in turns:
            assert turn.brief.action.shape == (7,)
            assert turn.observation["proprio"].shape == (8,)
            corner = float(turn.observation["image"][0, 0, 0]) / 255
            answers.append(np.array([0, 0, 0, 0, 0, 0, corner], np.float32))
        return answers


def test_a_profile_says_what_a_client_of_others_sends() -> None:
    """Of the picture that the policy is sent the agent sees the mirror image, which is upright."""
    picture = np.zeros((224, 224, 3), np.uint8)
    picture[0, -1] = 255
    seen = {
        "observation/image": picture,
        "observation/wrist_image": picture,
        "observation/state": np.zeros(8, np.float32),
        "prompt": "open the drawer",
    }
    with bench_server(LooksAtLibero(), profile="openpi-libero") as url:
        client = WebsocketClientPolicy(url)
        assert client.infer(seen)["actions"].tolist() == [[0, 0, 0, 0, 0, 0, 1]]
        with pytest.raises(RuntimeError, match="the observation lacks 'observation/state'"):
            client.infer({name: seen[name] for name in seen if name != "observation/state"})


def test_a_profile_and_a_size_are_one_too_many(bench_here: Callable[..., Any]) -> None:
    said = bench_here(
        *("serve", "--agent", "uniform", "--profile", "openpi-libero", "--action-size", 7)
    )
    assert said.code == 2
    assert "leave one of the two out" in said.err
    said = bench_here("serve", "--agent", "uniform", "--action-size", 0)
    assert said.code == 2
    assert "--action-size is a number from 1" in said.err
