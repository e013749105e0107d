"""A task that an agent does not fit is its claim: a verification cannot ask the agent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import toys
from conftest import Notes, Run

from harness.cli.verification import stops_of
from harness.core import Suite
from harness.play.runner import RunOptions
from harness.verify import replay
from harness.verify.knowledge import Knowledge

Play = Callable[..., Run]
TASKS = [toys.toy_task(), toys.toy_task("glide", action="box")]
KNOWN = Knowledge(
    tasks={task.id: task for task in TASKS},
    suite={"toys": Suite("toys", "toys", tuple(TASKS), 3)}.get,
    stops=stops_of,
)


def test_what_the_agent_does_not_fit_is_claimed(play_toys: Play, tmp_path: Path) -> None:
    asked = {"asked": str(tmp_path / "asked")}
    run = play_toys("choosyagents:Choosy", tasks=TASKS, episodes=3, args=asked, workers=0)
    (row,) = run.summary.not_run
    assert row.task == "toys/glide@1"
    found = replay.verify(
        run.path, sample=None, options=RunOptions(workers=0), progress=Notes(), known=KNOWN
    )
    assert found.differences == []
    assert any("that the agent does not fit (toys/glide@1)" in claim for claim in found.claims)
