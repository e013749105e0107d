"""What a policy server tells beside actions: figures, transcripts, times, its footprint."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from chatserver import chat_server
from conftest import Run
from policyservers import bench_server, stock_server
from talkers import EndlessTalker, FreeTalker, Talker

from harness.core import Box
from harness.play.values import AgentFault, Chunk
from harness.policies.chat import ChatAgent
from harness.policies.wire.nouns import answer_of, as_answer
from harness.policies.wire.packing import Malformed, pack, unpack
from harness.policies.wire.server_timing import timings_of
from harness.records.results import read_results
from harness.verify.episode_replay import find_episode
from leaderboards.render import render
from leaderboards.report import load_report

Play = Callable[..., Run]
POLICY = "harness.policies.openpi:OpenPI"
CHAT = "harness.policies.chat:ChatAgent"
TASKS = [toys.toy_task(max_steps=4), toys.toy_task("far", size=20, max_steps=3)]


def asked(url: str) -> dict[str, Any]:
    return {"address": url, "reach_s": 2.0, "timeout_s": 20.0}


def told(path: Path) -> dict[str, dict[str, float]]:
    """Case -> the sums of its figures, without times."""
    return {
        each.case: {
            name: value
            for name, value in each.timing.get("agent", {}).items()
            if name != "waited_s" and not name.startswith("server_timing.")
        }
        for each in read_results(path)
    }


def transcripts(path: Path) -> list[str]:
    cases = [each.case for each in read_results(path)]
    return [find_episode(path, case).said for case in sorted(cases)]


@pytest.mark.parametrize("kind", [Talker, FreeTalker, EndlessTalker])
@pytest.mark.parametrize("lanes", [1, 3])
def test_figures_and_transcripts_come_through_a_server(
    play_toys: Play, kind: type[Talker], lanes: int
) -> None:
    here = play_toys(f"talkers:{kind.__name__}", TASKS, out="here", lanes=lanes)
    with bench_server(kind(), batch=2) as url:
        there = play_toys(POLICY, TASKS, out="there", args=asked(url), lanes=lanes)
    assert there.results == here.results
    assert told(there.path) == told(here.path)
    assert all("usd" in figures for figures in told(here.path).values())
    assert transcripts(there.path) == transcripts(here.path)
    assert any(transcripts(here.path))


def test_a_served_chat_model_gives_the_lines_that_it_gives_here(play_toys: Play) -> None:
    """With answers that have to be repaired, refusals, and an episode that they end."""

    def model(body: Any) -> Any:
        content = body["messages"][-1]["content"]
        if "no valid action" in content:
            return "left"
        if "ready" in content:
            return "ready"
        return ["sideways", "right", {"refusal": "no"}][len(content) % 3]

    with chat_server(model) as endpoint:
        args: dict[str, Any] = {
            "address": endpoint.address,
            "views": "state",
            "mode": "text",
            "backoff_s": 0.01,
        }
        here = play_toys(CHAT, TASKS, 4, out="here", args=args)
        with bench_server(ChatAgent(**args)) as url:
            there = play_toys(POLICY, TASKS, 4, out="there", args=asked(url))
    assert there.results == here.results
    assert told(there.path) == told(here.path)
    assert sum(each["repaired"] for each in told(here.path).values()) > 0
    assert sum(each["refusals"] for each in told(here.path).values()) > 0
    assert transcripts(there.path) == transcripts(here.path)


@pytest.mark.parametrize(
    "notes",
    [
        {"figures": 7},
        {"figures": {"tokens": "many"}},
        {"figures": {"tokens": float("nan")}},
        {"figures": {"tokens": [1, 2]}},
        {"figures": {7: 1.0}},
        {"figures": {str(number): 1.0 for number in range(65)}},
        {"said": 7},
        {"said": None},
        {"confidence": 1.5},
        {"confidence": "sure"},
        {"confidence": float("nan")},
    ],
)
def test_notes_of_a_stranger_that_are_none_are_refused(notes: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match=r"figures or a transcript|text"):
        answer_of({"chunk": [[np.zeros(2, np.float32), False]], **notes}, Box((2,)))


def test_a_transcript_of_a_stranger_is_one_line_of_bounded_length() -> None:
    found = answer_of({"chunk": [[np.zeros(2), False]], "said": "a\nbc" * 30_000}, Box((2,)))
    assert isinstance(found, Chunk)
    assert len(found.said) == 20_000
    assert "\n" not in found.said


def test_an_answer_that_was_no_action_keeps_its_notes() -> None:
    sent = Chunk(
        [AgentFault("no valid action")], None, [], {"refusals": 1.0}, "it refused", (), 0.5
    )
    found = answer_of(unpack(pack(as_answer(sent))), Box((2,)))
    assert found == sent


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ({}, {}),
        (7, {}),
        ({"server_timing": 7}, {}),
        (
            {"server_timing": {"infer_ms": 3, "prev_total_ms": np.float32(4.5)}},
            {"server_timing.infer_ms": 3.0, "server_timing.prev_total_ms": 4.5},
        ),
        (
            {"policy_timing": {"infer_ms": 2.5}, "server_timing": {"infer_ms": 3.0}},
            {"server_timing.infer_ms": 3.0, "policy_timing.infer_ms": 2.5},
        ),
        ({"server_timing": {"infer_ms": float("nan"), "a": float("inf"), "b": -1}}, {}),
        ({"server_timing": {"infer_ms": True, "x": "3", "y": [1], "z": None, "w": 1e300}}, {}),
        ({"server_timing": {"\x1b[31m": 1, "a b": 1, "": 1, "x" * 41: 1, 7: 1, "ä": 1}}, {}),
    ],
)
def test_the_times_of_a_stranger_are_taken_where_they_are_some(reply: Any, found: Any) -> None:
    assert timings_of(reply) == found


def test_the_times_of_a_stranger_are_bounded_in_number_and_shared_by_turns() -> None:
    found = timings_of({"server_timing": {f"t{number}": 8 for number in range(1000)}}, turns=4)
    assert found == {f"server_timing.t{number}": 2.0 for number in range(16)}


def test_a_run_records_the_times_of_a_server_of_others_and_the_report_tells_them(
    play_toys: Play,
) -> None:
    def policy(observation: dict[str, Any]) -> dict[str, Any]:
        return {"actions": np.zeros((1, 2)), "policy_timing": {"infer_ms": 0.0625}}

    tasks = [toys.toy_task("glide", action="box", size=20, max_steps=3)]
    with stock_server(policy) as url:  # which tells that every answer took it 0.1 ms
        run = play_toys(POLICY, tasks, 2, args=asked(url))
    for result in read_results(run.path):
        assert result.timing["agent"]["server_timing.infer_ms"] == pytest.approx(0.3)
        assert result.timing["agent"]["policy_timing.infer_ms"] == 0.1875
    report = load_report(run.path)
    timing = report.server_timing
    assert timing is not None
    assert (timing.answers, timing.server_ms) == (6, pytest.approx(0.1))
    assert timing.policy_ms == 0.0625
    assert timing.wire_ms == pytest.approx(timing.answer_ms - 0.1)
    page = render(report, "text")
    assert "SERVER TIMING" in page
    assert "ANSWERS\n" not in page
    told = json.loads(render(report, "json"))["server_timing"]
    assert set(told) == {"answers", "answer_ms", "server_ms", "policy_ms"}


@pytest.mark.parametrize(
    "told", [7, {"server_timing.infer_ms": "x"}, {"server_timing.infer_ms": -1}]
)
def test_hostile_lines_tell_no_times(play_toys: Play, told: Any) -> None:
    run = play_toys("RandomAgent", [toys.TASKS[0]], 1)
    file = Path(run.path) / "episodes.jsonl"
    line = json.loads(file.read_text())
    line["timing"]["agent"] = told
    file.write_text(json.dumps(line) + "\n")
    assert load_report(run.path).server_timing is None
