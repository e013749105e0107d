"""Are planted failures named? A confusion matrix of failure modes, over several families.

    python tests/faults/failure_modes.py [--episodes 10] [--families minigrid,pddl,...]
    python tests/faults/failure_modes.py --experts SUITES [--tasks GLOBS] [--episodes 10]

Each agent of tests/planted_failures.py fails in one known way. Its run is played, its failures are
replayed, and the first mode of each is counted. Printed are a row for each planted failure, and all
of them as a matrix. With --experts, the successes of the experts are replayed instead: in how many
did the hooks alone see all stages but the last?
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

from harness.cli.names import suites_named  # noqa: E402
from harness.core import Suite, Task  # noqa: E402
from harness.core.failure_modes import FAILURE_MODES  # noqa: E402
from harness.play.planning import make_plan  # noqa: E402
from harness.play.progress import progress_for  # noqa: E402
from harness.play.runner import RunOptions, play  # noqa: E402
from harness.records.catalogue import select_tasks  # noqa: E402
from harness.records.identity import AgentSpec  # noqa: E402
from harness.records.stored_run import StoredRun, load_run  # noqa: E402
from harness.stats.intervals import wilson  # noqa: E402
from harness.verify.stages import StagedEpisode, replay_stages, stages_of_run  # noqa: E402

OPEN, LIFT = [0.0, 0.0, 0.3, -1.0], [0.0, 0.0, 0.3, 1.0]


@dataclass(frozen=True)
class Planted:
    """An agent that fails in a known way in some tasks."""

    family: str
    tasks: str
    mode: str
    agent: str
    arguments: Mapping[str, Any]


def _planted(family: str, tasks: str, mode: str, agent: str, **arguments: Any) -> Planted:
    return Planted(family, tasks, mode, agent, arguments)


PLANTED = (
    _planted("babyai", "babyai/GoToLocalS8N7", "never_moved", "NeverMoves"),
    _planted("babyai", "babyai/GoToLocalS8N7", "loop", "Repeats", actions=[0, 0, 1]),
    _planted("babyai", "babyai/GoToLocalS8N7", "stopped_early", "Stops", steps=2),
    _planted("babyai", "babyai/GoToLocalS8N7", "wrong_object", "WalksTo"),
    _planted("babyai", "babyai/GoToRedBall", "out_of_time", "TurnsAround"),
    _planted("babyai", "babyai/OpenDoorColor", "near_goal", "NeverToggles"),
    _planted("babyai", "babyai/GoToLocalS8N7", "agent_error", "Raises"),
    _planted("minigrid", "minigrid/LavaGapS7", "collided", "WalksTo", kind=9, then=2),
    _planted("minigrid", "minigrid/MemoryS11", "other_goal", "TakesWrongEnd"),
    _planted("minigrid", "minigrid/RedBlueDoors*", "other_goal", "WalksTo",
             kind=4, then=5, colour=2),
    _planted("metaworld", "metaworld/pick-place-v3", "never_moved", "NeverMoves"),
    _planted("metaworld", "metaworld/pick-place-v3", "stopped_early", "Stops", steps=20),
    _planted("metaworld", "metaworld/pick-place-v3", "loop", "Repeats",
             actions=[[1.0, 0.0, 0.0, 0.0], [-1.0, 0.0, 0.0, 0.0]]),
    _planted("metaworld", "metaworld/pick-place-v3", "collided", "Repeats",
             actions=[[0.0, 0.0, -1.0, 1.0]]),
    _planted("metaworld", "metaworld/pick-place-v3", "dropped", "LetsGo", place=6, release=OPEN),
    _planted("metaworld", "metaworld/pick-place-v3", "near_goal", "Jitters", place=6, release=LIFT),
    _planted("pddl", "pddl/blocksworld", "never_moved", "NeverMoves"),
    _planted("pddl", "pddl/blocksworld", "invalid_action", "NoAction"),
    _planted("pddl", "pddl/blocksworld", "stopped_early", "Stops", steps=1),
    _planted("pddl", "pddl/*", "out_of_time", "Wanders"),
    _planted("pddl-plan", "pddl-plan/blocksworld", "stopped_early", "HalfPlan"),
    _planted("pddl-plan", "pddl-plan/blocksworld", "invalid_action", "NoAction"),
    _planted("miniwob", "miniwob/enter-text", "never_moved", "NeverMoves"),
    _planted("miniwob", "miniwob/enter-text", "stopped_early", "WrongText"),
    _planted("miniwob", "miniwob/enter-text", "invalid_action", "UnknownRefs"),
    _planted("miniwob", "miniwob/enter-text", "loop", "Clicks"),
    _planted("fetch", "fetch/pick-and-place", "never_moved", "NeverMoves"),
    _planted("fetch", "fetch/pick-and-place", "collided", "Repeats",
             actions=[[0.0, 0.0, -1.0, -1.0]]),
    _planted("fetch", "fetch/pick-and-place", "dropped", "LetsGo", place=5, height=0.05,
             release=[0.0, 0.0, 1.0, 1.0]),
    _planted("fetch", "fetch/reach", "stopped_early", "Stops", steps=1),
    _planted("maniskill-planner", "maniskill-planner/PickCube", "never_moved", "NeverMoves"),
    _planted("maniskill-planner", "maniskill-planner/PickCube", "stopped_early", "Stops", steps=30),
    _planted("miniworld", "miniworld/OneRoom", "never_moved", "NeverMoves"),
    _planted("miniworld", "miniworld/OneRoom", "collided", "Repeats", actions=[2]),
    _planted("miniworld", "miniworld/OneRoom", "loop", "Repeats", actions=[2, 0, 0, 2, 0]),
    _planted("miniworld", "miniworld/Sign", "wrong_object", "Approaches"),
    _planted("textworld", "*treasure-hunter*", "never_moved", "NeverMoves"),
    _planted("textworld", "*treasure-hunter*", "invalid_action", "NoAction"),
    _planted("textworld", "*treasure-hunter*", "wrong_object", "TakesWrong"),
    _planted("textworld", "*coin*", "stopped_early", "Stops", steps=2),
    _planted("alfworld-synthetic", "*/*heat*", "never_moved", "NeverMoves"),
    _planted("alfworld-synthetic", "*/*heat*", "invalid_action", "NoAction"),
    _planted("alfworld-synthetic", "*/*heat*", "stopped_early", "Stops", steps=3),
    _planted("alfworld-synthetic", "*/*", "wrong_object", "TakesWrong"),
    _planted("scienceworld", "scienceworld/find-animal", "never_moved", "NeverMoves"),
    _planted("scienceworld", "scienceworld/find-animal", "invalid_action", "NoAction"),
    _planted("scienceworld", "scienceworld/find-animal", "wrong_object", "FocusesWrong"),
    _planted("pointmaze", "pointmaze/umaze", "never_moved", "NeverMoves"),
    _planted("pointmaze", "pointmaze/umaze", "collided", "Repeats", actions=[[1.0, 1.0]]),
    _planted("pointmaze", "pointmaze/open", "near_goal", "HoversNear"),
    _planted("pointmaze", "pointmaze/medium", "out_of_time", "Drifts"),
    _planted("antmaze", "antmaze/umaze", "stopped_early", "Stops", steps=40),
    _planted("antmaze", "antmaze/umaze", "never_moved", "NeverMoves"),
)  # fmt: skip
EXPERTS = "babyai,babyai-planning,metaworld,pddl,miniwob,fetch,maniskill-planner,miniworld"


def played(
    tasks: Sequence[tuple[Suite, Task]],
    spec: AgentSpec,
    episodes: int,
    folder: Path,
    seed: int = 0,
) -> StoredRun:
    """A run of an agent, in this process."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        plan = make_plan(tasks, spec, episodes=episodes, seed=seed)
        suites = [suite.name for suite, _ in tasks]
        play(spec, suites, plan, folder, RunOptions(workers=0), progress_for())
    return load_run(folder)


def first_mode(each: StagedEpisode) -> str:
    """The mode under which a table counts it."""
    if each.result.success:
        return "success"
    if each.found is None:
        return f"unknown: {each.unknown}"
    return each.found.modes[0] if each.found.modes else "none"


def confusion(rows: Sequence[tuple[Planted, Counter[str]]]) -> str:
    """Planted modes by named modes, failures alone."""
    whole: dict[str, Counter[str]] = {}
    for planted, counts in rows:
        whole.setdefault(planted.mode, Counter()).update(counts)
    named = [mode for mode in (*FAILURE_MODES, "none") if any(mode in c for c in whole.values())]
    lines = [
        [mode, *(whole[mode][name] or "" for name in named)]
        for mode in FAILURE_MODES
        if mode in whole
    ]
    return tabulate(lines, ["planted", *named], tablefmt="github")


def experts(suites: str, globs: str | None, episodes: int) -> str:
    """How many successes of the experts have all stages but the last, by the hooks alone."""
    counts: dict[tuple[str, ...], list[int]] = {}
    missed = []
    spec = AgentSpec("oracle", "baselines.simple:Oracle", {})
    with tempfile.TemporaryDirectory() as folder:
        tasks = select_tasks(suites_named(suites), globs)
        run = played(tasks, spec, episodes, Path(folder) / "run")
        won = {index: result for index, result in run.cases() if result.success}
        for each in replay_stages(run, won):
            if each.found is None or not each.found.stages:
                continue
            counted = counts.setdefault(each.found.stages, [0, 0])
            whole = each.found.stage >= len(each.found.stages) - 1
            counted[0] += whole
            counted[1] += 1
            if not whole:
                missed.append(f"{each.result.task} {each.found.stage}")
    rows = [[", ".join(stages), f"{seen} of {n}"] for stages, (seen, n) in counts.items()]
    table = tabulate(rows, ["stages", "seen by the hook before the success"], tablefmt="github")
    lines = [f"{what}: {n}" for what, n in Counter(missed).most_common(40)]
    return "\n".join([table, "", *lines])


def main() -> None:
    """Play, replay and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--families", default="")
    parser.add_argument("--experts", default="", help="suites whose experts are played instead")
    parser.add_argument("--tasks", help="only these tasks of them, as `bench run` takes it")
    given = parser.parse_args()
    if given.experts:
        print(experts(given.experts, given.tasks, given.episodes))
        return
    rows: list[tuple[Planted, Counter[str]]] = []
    lines, right, failures = [], 0, 0
    for planted in PLANTED:
        if given.families and planted.family not in given.families.split(","):
            continue
        spec = AgentSpec(planted.mode, f"planted_failures:{planted.agent}", dict(planted.arguments))
        with tempfile.TemporaryDirectory() as folder:
            tasks = select_tasks(suites_named(planted.family), planted.tasks)
            count = max(1, given.episodes // len(tasks))
            found = stages_of_run(played(tasks, spec, count, Path(folder) / "run"))
        counts = Counter(map(first_mode, found))
        failed = sum(n for name, n in counts.items() if name != "success")
        right, failures = right + counts[planted.mode], failures + failed
        told = ", ".join(f"{name} {n}" for name, n in counts.most_common())
        lines.append([planted.family, planted.tasks, planted.agent, planted.mode,
                      f"{counts[planted.mode]} of {failed}", told])  # fmt: skip
        rows.append((planted, counts))
        print(f"{planted.family} {planted.agent}: {told}", file=sys.stderr)
    heads = ["family", "tasks", "agent", "planted", "named first", "all first modes"]
    print(tabulate(lines, heads, tablefmt="github"))
    print(f"\n{confusion(rows)}\n")
    bound = wilson(right, failures)
    print(f"{right} of {failures} failures are named by the planted mode first "
          f"({100 * bound.low:.1f} to {100 * bound.high:.1f} %)")  # fmt: skip


if __name__ == "__main__":
    main()
