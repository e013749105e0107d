"""What answers took, and what was said, is kept with the episode."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
import toys
from conftest import Run

from harness.play.answer_notes import MOST_NAMES, MOST_TRANSCRIPT, AnswerNotes
from harness.play.values import MOST_SAID, Chunk
from harness.records.traces import read_traces
from harness.verify.episode_replay import find_episode
from harness.verify.show import show

Play = Callable[..., Run]


def lines_of(run: Run) -> list[dict[str, Any]]:
    """The lines of episodes.jsonl as they are; `Run.results` lacks `timing`."""
    return [json.loads(line) for line in (run.path / "episodes.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("workers", [0, 1])
def test_the_sums_stand_in_the_results_timing(
    play_toys: Play, workers: int, request: pytest.FixtureRequest
) -> None:
    if workers:
        request.getfixturevalue("ray_here")
    run = play_toys("talkers:Talker", [toys.toy_task()], 2, workers=workers)
    for line in lines_of(run):
        told = line["timing"]["agent"]
        assert told["usd"] == 0.25 * line["steps"]
        assert told["letters"] > line["steps"]
    plain = play_toys("GoodAgent", [toys.toy_task()], 2, out="plain")
    assert all("agent" not in line["timing"] for line in lines_of(plain))
    digests = [{line["digest"] for line in each.results} for each in (plain, run)]
    assert digests[0] == digests[1]


def test_the_transcript_is_shown_and_harmless(play_toys: Play) -> None:
    run = play_toys("talkers:Talker", [toys.toy_task()], 1)
    shown = show(find_episode(run.path, "toys/goal:0"), format="text").text
    assert "asked: which way?" in shown
    assert "answered: that way\\x1b[31m, step 0" in shown
    assert "\x1b" not in shown


def test_lines_of_another_form_are_shown_as_they_are(play_toys: Play) -> None:
    run = play_toys("talkers:FreeTalker", [toys.toy_task()], 1)
    shown = show(find_episode(run.path, "toys/goal:0"), format="text").text
    assert "said: one two\\x1b[2J" in shown


def test_a_transcript_is_bounded(play_toys: Play) -> None:
    run = play_toys("talkers:EndlessTalker", [toys.toy_task()], 1)
    (trace,) = read_traces(run.path)
    assert MOST_SAID <= len(trace.said) <= MOST_TRANSCRIPT
    notes = AnswerNotes()
    for number in range(200):
        notes.add(Chunk([], None, [], {f"figure {number}": 1.0}, "y" * MOST_SAID), first=False)
    assert len(notes.figures) == MOST_NAMES
    assert len(notes.transcript) <= MOST_TRANSCRIPT


def test_a_figure_that_is_no_number_is_the_agents_error(play_toys: Play) -> None:
    run = play_toys("talkers:Braggart", [toys.toy_task()], 1)
    (line,) = run.results
    assert line["status"] == "agent_error"
    assert "tokens" in line["error"]


def test_a_trace_without_a_transcript_is_as_it_was(play_toys: Play) -> None:
    run = play_toys("GoodAgent", [toys.toy_task()], 1)
    (part,) = (run.path / "traces").iterdir()
    assert "said" not in msgpack.unpackb(part.read_bytes())
