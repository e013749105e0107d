"""Recordings of any agent: failures and rewards included, and who played is said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import toys
from pyarrow import parquet
from toysuite import QUICK

from harness.core import Task, UserError
from harness.demos import Demos
from harness.demos.record import RecordingOptions, RecordingSummary, record
from harness.play.progress import PlainProgress, Tally
from harness.play.runner import RunOptions
from harness.records.identity import AgentSpec
from harness.records.traces import read_traces

SURVIVE = toys.toy_task("survive", success=None, max_steps=20)
HARD = toys.toy_task("hard", max_steps=4)
VIEWS = ("state", "image?")


def recorded(
    out: Path,
    entry: str = "strengths:Toucher",
    *,
    tasks: Sequence[Task] = (SURVIVE, HARD),
    keep: str = "all",
    progress: Any = None,
    lanes: int = 1,
    views: Sequence[str] = VIEWS,
) -> RecordingSummary:
    return record(
        [(QUICK, task) for task in tasks],
        out,
        RecordingOptions(views, keep=keep),
        RunOptions(workers=0, lanes=lanes),
        progress or PlainProgress(),
        episodes=3,
        agent=AgentSpec("mine", entry, {}),
    )


def steps_of(folder: Path) -> list[Any]:
    return [
        (demo.row, [(f.observation["state"].tolist(), f.executed, f.reward) for f in demo.frames])
        for demo in Demos(folder)
    ]


def test_all_that_an_agent_did_is_recorded_with_its_rewards(tmp_path: Path) -> None:
    done = recorded(tmp_path / "d")
    demos = Demos(tmp_path / "d")
    assert len(demos) == done.demos == 6
    traces = {trace.case: trace.decoded() for trace in read_traces(tmp_path / "d" / "run")}
    for demo in demos:
        row = demo.row
        assert [frame.executed for frame in demo.frames] == traces[row.case]
        assert [frame.action for frame in demo.frames] == traces[row.case]
        assert row.returned == sum(frame.reward or 0 for frame in demo.frames)
        states = [frame.observation["state"] for frame in demo.frames]
        for frame, after in zip(demo.frames, states[1:]):
            there = np.abs(after[:2] - after[2:]).max() <= 0.5
            assert frame.reward == float(there), "of the step that it led to"
            (spot,) = np.argwhere(frame.observation["image"][..., 0])
            assert (spot[::-1] // 2).tolist() == frame.observation["state"][:2].astype(int).tolist()
    failed = [demo.row.success for demo in demos if demo.row.task == HARD.id]
    assert len(failed) == 3
    assert not all(failed), "failures are kept"
    scored = [demo.row for demo in demos if demo.row.task == SURVIVE.id]
    assert all(row.success is None and row.returned == row.score for row in scored)
    assert any(row.returned for row in scored)
    manifest = json.loads((tmp_path / "d" / "recording.json").read_text())
    assert manifest["agent"]["entry"] == "strengths:Toucher"
    assert manifest["keep"] == "all"
    card = (tmp_path / "d" / "README.md").read_text()
    assert "All episodes of the agent `mine`" in card


def test_lanes_change_no_recording(tmp_path: Path) -> None:
    recorded(tmp_path / "one")
    recorded(tmp_path / "three", lanes=3)
    assert steps_of(tmp_path / "one") == steps_of(tmp_path / "three")


def test_only_successes_are_kept_unless_all_are(tmp_path: Path) -> None:
    done = recorded(tmp_path / "d", tasks=(HARD,), keep="successes")
    rows = Demos(tmp_path / "d").rows
    assert len(rows) == done.demos < 3
    assert all(row.success for row in rows)
    assert "Successful episodes of the agent" in (tmp_path / "d" / "README.md").read_text()


class Interrupting(PlainProgress):
    def update(self, tally: Tally) -> None:
        if tally.done == 3:
            raise KeyboardInterrupt


def test_an_interrupted_recording_goes_on(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        recorded(tmp_path / "cut", progress=Interrupting())
    for change, words in [
        ({"keep": "successes"}, "another --keep"),
        ({"views": ("state",)}, "another --views"),
        ({"entry": "toys:GoodAgent"}, "another --out"),
    ]:
        with pytest.raises(UserError, match=words):
            recorded(tmp_path / "cut", **change)  # type: ignore[arg-type]
    recorded(tmp_path / "cut")
    recorded(tmp_path / "whole")
    assert steps_of(tmp_path / "cut") == steps_of(tmp_path / "whole")


def test_what_cannot_be_recorded_is_said(tmp_path: Path) -> None:
    agent = AgentSpec("mine", "toys:GoodAgent", {})
    for options, played, words in [
        (RecordingOptions(VIEWS, noise=0.1), agent, "noisy-oracle"),
        (RecordingOptions(VIEWS, keep="all"), None, "--agent"),
    ]:
        with pytest.raises(UserError, match=words):
            record(
                [(QUICK, HARD)], tmp_path / "d", options, RunOptions(workers=0), PlainProgress(),
                episodes=1, agent=played,
            )  # fmt: skip
    with pytest.raises(UserError, match="successes or all"):
        RecordingOptions(keep="some")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "recording.json").write_text("[1")
    with pytest.raises(UserError, match=r"recording\.json is damaged"):
        recorded(tmp_path / "d")
    done = recorded(tmp_path / "none", tasks=(HARD,), views=("touch",))
    assert done.demos == 0
    assert "touch" in done.summary.not_run[0].reason


def test_forged_rewards_are_refused(tmp_path: Path) -> None:
    recorded(tmp_path / "d", tasks=(HARD,))
    file = tmp_path / "d" / "data" / "toys" / "hard.parquet"
    table = parquet.read_table(file)
    for column in (pa.array([float("nan")] * len(table)), pa.array(["1"] * len(table))):
        forged = table.set_column(table.column_names.index("reward"), "reward", column)
        sizes = [row.steps for row in Demos(tmp_path / "d").rows]
        with parquet.ParquetWriter(file, forged.schema) as writer:
            for end, size in zip(np.cumsum(sizes), sizes):
                writer.write_table(forged.slice(end - size, size))
        with pytest.raises(UserError, match="reward"):
            Demos(tmp_path / "d").read(0)
    index = tmp_path / "d" / "episodes.parquet"
    rows = parquet.read_table(index)
    parquet.write_table(
        rows.set_column(rows.column_names.index("returned"), "returned",
                        pa.array([float("inf")] * len(rows))), index,
    )  # fmt: skip
    with pytest.raises(UserError, match="returned"):
        Demos(tmp_path / "d")
