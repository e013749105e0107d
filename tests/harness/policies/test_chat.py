"""A chat model as an agent, against an endpoint that speaks the documented format."""

from __future__ import annotations

import base64
import io
import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import toys
from chatserver import ChatServer, chat_server
from conftest import Notes
from PIL import Image

from harness.cli.names import agent_named
from harness.core import Suite, Task, UserError
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.policies.chat.store import Store
from harness.verify.episode_replay import find_episode
from harness.verify.show import show

NAMES = ("stay", "left", "right", "up", "down")
QUICK = {"backoff_s": 0.01, "timeout_s": 5.0, "views": "state"}


def last_text(body: Mapping[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else content[0]["text"]


def go_right(body: Mapping[str, Any]) -> str:
    return "ready" if "ready" in last_text(body) else "right"


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "episodes.jsonl").read_text().splitlines()]


@pytest.fixture
def chat(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Play toys by a server's model: the lines of episodes.jsonl."""

    def go(
        server: ChatServer,
        tasks: list[Task] | None = None,
        episodes: int = 1,
        out: str = "run",
        lanes: int = 1,
        **args: Any,
    ) -> list[dict[str, Any]]:
        spec = agent_named(f"chat:{server.address}", {**QUICK, **args})
        suite = Suite("toys", "toys", tuple(tasks or [toys.toy_task(max_steps=3)]), episodes)
        chosen = [(suite, task) for task in suite.tasks]
        plan = make_plan(chosen, spec, episodes=None, seed=0)
        play(spec, ["toys"], plan, tmp_path / out, RunOptions(lanes=lanes), Notes())
        return lines_of(tmp_path / out)

    return go


Chat = Callable[..., list[dict[str, Any]]]


@pytest.mark.parametrize(
    ("abilities", "form"),
    [
        (("tools", "json_schema"), "tools"),
        (("json_schema",), "json_schema"),
        (("json_object",), "json_object"),
        ((), "text"),
    ],
)
def test_the_form_of_answer_is_found_out_once(
    chat: Chat, abilities: tuple[str, ...], form: str, tmp_path: Path
) -> None:
    with chat_server(go_right, abilities) as server:
        (line,) = chat(server)
    assert line["status"] == "finished"
    assert line["timing"]["agent"]["answers"] == line["steps"]
    assert line["timing"]["agent"]["tokens_in"] == 100 * line["steps"]
    shown = show(find_episode(tmp_path / "run", "toys/goal:0"), format="text").text
    assert "asked: [state]" in shown
    assert "right" in shown
    asked = ["ready" in last_text(each) for each in server.requests]
    tried = ("tools", "json_schema", "json_object", "text").index(form) + 1
    assert asked == [True] * tried + [False] * line["steps"]


def test_the_conversation_holds_the_last_observations_and_actions(chat: Chat) -> None:
    with chat_server(go_right) as server:
        chat(server, history=2, mode="text")
    first, *_, last = server.requests
    assert [each["role"] for each in first["messages"]] == ["system", "user"]
    assert [each["role"] for each in last["messages"]] == ["system", "user", "assistant", "user"]
    assert last["messages"][2]["content"] == "Action: right"
    opening = first["messages"][0]["content"]
    assert ", ".join(NAMES) in opening
    assert "Instruction: go to" in first["messages"][1]["content"]
    assert last["messages"][-1]["content"].endswith("What is the next action?")
    assert first["temperature"] == 0
    assert first["seed"] == 0


def test_images_go_along_as_png_for_the_newest_observations_only(chat: Chat) -> None:
    with chat_server(go_right) as server:
        chat(server, views="image,state", history=3, images=1, image_px=32, mode="text")
    last = server.requests[-1]["messages"]
    assert [type(each["content"]) for each in last[1::2]] == [str, str, list]
    text, picture = last[-1]["content"]
    assert text["text"].endswith("The images: [image].")
    head, _, body = picture["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(body))) as opened:
        assert max(opened.size) <= 32


def test_a_wrong_answer_is_repaired_once(chat: Chat) -> None:
    def confused(body: Mapping[str, Any]) -> str:
        return "left" if "no valid action" in last_text(body) else "sideways"

    with chat_server(confused, ()) as server:
        (line,) = chat(server, mode="text")
    assert line["status"] == "finished"
    told = line["timing"]["agent"]
    assert (told["invalid"], told["repaired"]) == (line["steps"], line["steps"])
    correction = last_text(server.requests[1])
    assert "'sideways' is no action; expected one of stay, left" in correction
    assert server.requests[1]["messages"][-2]["content"].endswith("Action: sideways")


@pytest.mark.parametrize(
    "said", ["sideways", "raw:", "raw:[[[[", {"refusal": "I cannot help with that"}]
)
def test_an_answer_that_is_wrong_twice_is_the_agents_error_or_the_noop(
    chat: Chat, said: Any
) -> None:
    with chat_server(lambda body: said) as server:
        (line,) = chat(server, mode="text")
        assert line["status"] == "agent_error"
        assert line["error"].startswith("no valid action")
        assert line["timing"]["agent"]["invalid"] == 1
        (noop,) = chat(server, mode="text", on_invalid="noop", out="noop")
    assert noop["status"] == "finished"
    assert noop["timing"]["agent"]["invalid"] == noop["steps"]
    assert noop["timing"]["agent"]["repaired"] == 0
    refusals = 2 * noop["steps"] if isinstance(said, dict) else 0
    assert noop["timing"]["agent"]["refusals"] == refusals


@pytest.mark.parametrize(
    "trouble",
    [
        (429, {"Retry-After": "0"}, "slow down"),
        (503, {}, "overloaded"),
        (500, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, "oops"),
        (502, {"Retry-After": "soon"}, "oops"),
        "close",
        "garbage",
        "nonsense",
        "deep",
        "huge",
    ],
)
def test_trouble_that_passes_is_no_failure(chat: Chat, trouble: Any) -> None:
    with chat_server(go_right) as server:
        server.troubles.extend([trouble] * 3)
        (line,) = chat(server, mode="text")
    assert line["status"] == "finished"
    assert line["timing"]["agent"]["retries"] == 3


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ((503, {}, "overloaded \x1b[31m"), "was asked 2 times: status 503: overloaded"),
        ("garbage", "no chat completion"),
        ("huge", "more than 4194304 bytes"),
        ("silence", "no answer within 0.3 s"),
        ("trickle", "did not come to an end in time"),
        ((401, {}, "bad key"), "set the environment variable"),
        ((404, {}, "no such model"), "look at the URL"),
        ((307, {"Location": "http://elsewhere.example/v1"}, ""), "redirects to http://elsewhere"),
        ((429, {}, "insufficient_quota"), "quota is used up"),
    ],
)
def test_trouble_that_stays_is_an_error_and_never_the_agents(
    chat: Chat, trouble: Any, words: str
) -> None:
    with chat_server(go_right) as server:
        server.troubles.extend([trouble] * 100)
        (line,) = chat(server, mode="text", retries=1, timeout_s=0.3)
    assert line["status"] == "error"
    assert words in line["error"]
    assert "\x1b" not in line["error"]


def test_an_endpoint_that_is_not_there_is_an_error_and_is_told_at_once(
    chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    with chat_server(go_right) as server:
        pass
    (line,) = chat(server, mode="text", retries=2)
    assert line["status"] == "error"
    assert "ConnectError" in line["error"]
    told = [text for text in caplog.messages if "ConnectError" in text]
    assert len(told) == 1, "not for each attempt"
    assert told[0].endswith("; a request is tried up to 3 times")


def test_a_request_that_is_refused_is_the_agents_error(chat: Chat) -> None:
    with chat_server(go_right) as server:
        server.troubles.append((400, {}, "this conversation is too long"))
        (line,) = chat(server, mode="text")
    assert line["status"] == "agent_error"
    assert "too long" in line["error"]
    assert len(server.requests) == 1


def test_parameters_that_an_endpoint_does_not_take_are_left_out(chat: Chat) -> None:
    with chat_server(go_right) as server:
        server.refuses = {
            "max_tokens": "Unsupported parameter: use max_completion_tokens instead",
            "temperature": "temperature does not support 0 with this model",
            "seed": "unknown field seed",
        }
        (line,) = chat(server, mode="text")
    assert line["status"] == "finished"
    last = server.requests[-1]
    assert last["max_completion_tokens"] == 512
    assert not {"max_tokens", "temperature", "seed"} & last.keys()
    assert len(server.requests) == 3 + line["steps"]


def test_lanes_are_asked_at_the_same_time(chat: Chat) -> None:
    together = []

    def slow(body: Mapping[str, Any]) -> str:
        until = time.monotonic() + 5
        while server.answers_at_once < 2 and not together and time.monotonic() < until:
            time.sleep(0.005)
        together.append(server.answers_at_once)
        return go_right(body)

    with chat_server(slow) as server:
        lines = chat(server, episodes=4, lanes=4, mode="text")
        alone = chat(server, episodes=4, lanes=4, mode="text", concurrency=1, out="alone")
    assert server.most_at_once > 1
    digests = [{line["case"]: line["digest"] for line in each} for each in (lines, alone)]
    assert digests[0] == digests[1]


def test_a_cache_replays_without_an_endpoint(chat: Chat, tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    with chat_server(go_right, ("json_object",)) as server:
        server.refuses = {"seed": "unknown field seed"}
        first = chat(server, episodes=2, cache=cache)
    again = chat(server, episodes=2, cache=cache, out="again", retries=0)
    assert [line["digest"] for line in again] == [line["digest"] for line in first]
    for one, two in zip(first, again):
        asked, replayed = one["timing"]["agent"], two["timing"]["agent"]
        assert replayed["requests"] == 0
        assert replayed["cached"] == replayed["answers"]
        assert replayed["tokens_in"] == asked["tokens_in"]


def test_a_cache_that_cannot_be_written_is_not_the_models_failure(
    chat: Chat, tmp_path: Path
) -> None:
    def breaks(body: Mapping[str, Any]) -> str:
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        (tmp_path / "cache").touch()
        return go_right(body)

    with chat_server(breaks) as server:
        (line,) = chat(server, mode="text", cache=str(tmp_path / "cache"))
    assert line["status"] == "error"
    assert "cannot write to the cache" in line["error"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"request": "other", "reply": {}}',
        b'{"request": "%s", "reply": {"content": 7}}',
        b'{"request": "%s", "reply": {"calls": [[1, 2]], "content": "", "refusal": "", '
        b'"finish": "", "tokens_in": 0, "tokens_out": 0}}',
        b" " * (3 << 20),
    ],
)
def test_what_is_no_reply_in_a_cache_counts_as_absent(tmp_path: Path, content: bytes) -> None:
    request = "ab" * 32
    file = tmp_path / "ab" / f"{request}.json"
    file.parent.mkdir()
    file.write_bytes(content.replace(b"%s", request.encode()))
    assert Store(str(tmp_path)).get(request) is None
    file.unlink()
    file.symlink_to("/dev/zero")
    assert Store(str(tmp_path)).get(request) is None


def test_the_key_goes_to_the_endpoint_and_nowhere_else(
    chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret-1234")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another-1234")
    with chat_server(go_right) as server:
        chat(server, mode="text", key_env="MY_KEY", cache=str(tmp_path / "cache"))
        assert {each["Authorization"] for each in server.headers} == {"Bearer sk-secret-1234"}
        server.headers.clear()
        chat(server, mode="text", out="none")
        assert not any("Authorization" in each for each in server.headers)
        server.troubles.extend([(401, {}, "wrong key: sk-secret-1234")] * 9)
        (line,) = chat(server, mode="text", key_env="MY_KEY", out="wrong")
    assert "wrong key: (the key)" in line["error"]
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert b"sk-secret" not in file.read_bytes(), file


def test_prices_are_those_of_the_users_table(chat: Chat, tmp_path: Path) -> None:
    table = tmp_path / "prices.toml"
    table.write_text("[tiny]\ninput = 1.0\noutput = 10.0\n")
    with chat_server(go_right) as server:
        (line,) = chat(server, mode="text", prices=str(table))
        told = line["timing"]["agent"]
        assert told["usd"] == pytest.approx(line["steps"] * (100 * 1.0 + 7 * 10.0) / 1e6)
        table.write_text("[tinny]\ninput = 1.0\noutput = 10.0\n")
        with pytest.raises(UserError, match="did you mean tinny"):
            chat(server, prices=str(table), out="other")
        table.write_text("[tiny]\ninput = -1\noutput = nan\n")
        with pytest.raises(UserError, match="US dollars for a million tokens"):
            chat(server, prices=str(table), out="other")


def test_a_task_that_shows_nothing_that_can_be_told_does_not_run(
    chat: Chat, tmp_path: Path
) -> None:
    with chat_server(go_right) as server:
        assert chat(server, views="text") == []
    rows = json.loads((tmp_path / "run" / "run.json").read_text())["plan"]["not_run"]
    assert "none of the views" in rows[0]["reason"]
    assert "state" in rows[0]["remedy"]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1:1/v1", "names no model"),
        ("ftp://host/v1#m", "no http or https URL"),
        ("http://me:secret@host/v1#m", "would be stored"),
        ("http://[::1/v1#m", "is no URL"),
        ("http://host:99999/v1#m", "is no URL"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused(address: str, words: str) -> None:
    spec = agent_named(f"chat:{address}", {})
    with pytest.raises(UserError, match=words):
        spec.build()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"mode": "shout"}, "mode is one of auto, tools, schema, text"),
        ({"history": 0}, "history is a whole number from 1"),
        ({"views": "expert"}, "names of views"),
        ({"timeout_s": "long"}, "timeout_s is a number"),
        ({"key_env": "NO_SUCH_KEY"}, "NO_SUCH_KEY holds no key"),
    ],
)
def test_a_wrong_argument_is_refused(args: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        agent_named("chat:http://127.0.0.1:1/v1#m", args).build()


def test_a_key_is_not_sent_unencrypted_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "k")
    with pytest.raises(UserError, match="unencrypted"):
        agent_named("chat:http://10.0.0.1/v1#m", {"key_env": "MY_KEY"}).build()


def test_how_an_endpoint_is_reached_is_no_part_of_the_fingerprint(tmp_path: Path) -> None:
    def fingerprint(**args: Any) -> str:
        return agent_named("chat:http://127.0.0.1:1/v1#m", args).fingerprint()

    assert fingerprint() == fingerprint(timeout_s=3.0, cache=str(tmp_path), key_env="MY_KEY")
    assert fingerprint() != fingerprint(history=2)
