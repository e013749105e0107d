"""Is an agent named that drops in 30 % of its episodes, and are healthy ones left alone?

    python tests/faults/stages.py --folder FOLDER [--runs 100] [--episodes 40] [--worlds a,b,...]
                                   [--first 20]

Each run plays other episodes on a real simulator, and is read by what `bench report --stages` and
`bench compare --stages` call. That an agent dropped something is known from itself: it let go, and
the episode failed. Printed are how often the interval of the share holds 0.3, how often a mode is
named, and how often something is said to have moved between two runs. FOLDER keeps the runs: the
same command goes on.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

sys.path[:0] = [str(folder) for folder in Path(__file__).resolve().parents[:3]]

from failure_modes import played  # noqa: E402
from planted_failures import DropsSometimes  # noqa: E402

from harness.cli.names import suites_named  # noqa: E402
from harness.compare.pairs import read_scored_run  # noqa: E402
from harness.play.episode import agent_key  # noqa: E402
from harness.probes.stage_changes import compare_stages  # noqa: E402
from harness.records.catalogue import select_tasks  # noqa: E402
from harness.records.identity import AgentSpec  # noqa: E402
from harness.records.stored_run import StoredRun, load_run  # noqa: E402
from harness.stats import clopper_pearson  # noqa: E402
from harness.verify.stages import stages_of_run  # noqa: E402
from leaderboards.stages import StageReport, stage_report  # noqa: E402

SHARE = 0.3


@dataclass(frozen=True)
class World:
    """An agent and the tasks that it plays."""

    tasks: str
    agent: str
    arguments: Mapping[str, Any]
    horizon: int = 0
    """Steps of an episode instead of the task's own, where those only cost time."""


PICK, SHORT = "metaworld/pick-place-v3", 120
ROOMS = "babyai/GoToLocalS8N7,babyai/PickupLoc,babyai/Open,babyai/GoToDoor"
WORLDS = {
    "drops": World(PICK, "DropsSometimes", {"share": SHARE}, SHORT),
    "healthy": World(PICK, "DropsSometimes", {"share": 0.0}, SHORT),
    "noisy": World(ROOMS, "Noisy", {"epsilon": 0.85}),
    "noisy again": World(ROOMS, "Noisy", {"epsilon": 0.85, "salt": 1}),
}


def _place(folder: Path, name: str, seed: int) -> Path:
    return folder / f"{name.replace(' ', '-')}-{seed}"


def world_run(folder: Path, name: str, seed: int, episodes: int) -> tuple[StoredRun, int]:
    """A run of a world, played if need be, and in how many of its failures the agent had let go."""
    world = WORLDS[name]
    place = _place(folder, name, seed)
    told = place.with_suffix(".json")
    if not told.exists():
        shutil.rmtree(place, ignore_errors=True)
        DropsSometimes.let_go.clear()
        chosen = select_tasks(suites_named(world.tasks.partition("/")[0]), world.tasks)
        if world.horizon:
            chosen = [
                (suite, dataclasses.replace(task, max_steps=world.horizon))
                for suite, task in chosen
            ]
        spec = AgentSpec(name, f"planted_failures:{world.agent}", dict(world.arguments))
        run = played(chosen, spec, episodes // len(chosen), place, seed)
        stages_of_run(run)
        let_go = [
            result.success
            for index, result in run.cases()
            if agent_key(run.plan.case(index)) in DropsSometimes.let_go
        ]
        told.write_text(json.dumps({"let_go": len(let_go), "failed": let_go.count(False)}))
    return load_run(place), int(json.loads(told.read_text())["failed"])


def share_told(report: StageReport) -> tuple[bool, bool, bool]:
    """Whether the interval of `dropped` holds SHARE, it is named, and another mode is named."""
    rows = {row.mode: row for domain in report.modes for row in domain.modes}
    dropped = rows.get("dropped")
    others = any(row.named for mode, row in rows.items() if mode != "dropped")
    if dropped is None:
        return False, False, others
    low, high = dropped.share.low, dropped.share.high
    holds = low is not None and high is not None and low <= SHARE <= high
    return holds, dropped.named, others


def of_single_runs(
    folder: Path, name: str, runs: int, episodes: int, first: int | None
) -> list[object]:
    """A row of the first table, of the first episodes of each task or of all."""
    told, dropped, failed, count, most = [], 0, 0, 0, Counter[str]()
    for seed in range(runs):
        run, let_go = world_run(folder, name, seed, episodes)
        found = stages_of_run(run, replay=False)
        report = stage_report(
            run, [each for each in found if first is None or each.index.episode < first]
        )
        told.append(share_told(report))
        failed += let_go
        for domain in report.modes:
            count += domain.n
            most.update({row.mode: row.episodes for row in domain.modes})
    dropped = most["dropped"]
    holds, named, others = (sum(each) for each in zip(*told))
    ends = ", ".join(f"{mode} {100 * n / count:.1f}" for mode, n in most.most_common())
    held = holds if WORLDS[name].arguments.get("share") == SHARE else ""
    return [name, runs, count, failed if first is None else "", dropped, held, named, others, ends]


def of_pairs(folder: Path, base: str, new: str, runs: int, episodes: int) -> list[object]:
    """A row of the second table."""
    told = []
    for seed in range(runs):
        for name in (base, new):
            world_run(folder, name, seed, episodes)
        first, second = (read_scored_run(_place(folder, name, seed)) for name in (base, new))
        staged = tuple(stages_of_run(side.stored, replay=False) for side in (first, second))
        found = compare_stages(first, second, (staged[0], staged[1]), 0.05)
        moved = [row.name for row in found.rows if row.moved]
        told.append((bool(moved), "dropped" in moved, len(found.rows)))
    some, dropped, looked = (sum(each) for each in zip(*told))
    bound = clopper_pearson(some, runs)
    return [f"{base}, {new}", runs, looked // runs, some,
            f"{100 * bound.low:.1f} to {100 * bound.high:.1f}", dropped]  # fmt: skip


def main() -> None:
    """Play what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--episodes", type=int, default=40)
    parser.add_argument("--first", type=int, help="look at these of each task and run alone")
    parser.add_argument("--worlds", default=",".join(WORLDS))
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    chosen = given.worlds.split(",")
    size = given.runs, given.episodes
    rows = [of_single_runs(given.folder, name, *size, given.first) for name in chosen]
    heads = [
        "agent", "runs", "episodes", "let go and failed", "found dropped", f"holds {SHARE}",
        "dropped named", "another mode named", "how episodes ended, %",
    ]  # fmt: skip
    print(tabulate(rows, heads, "github"), flush=True)
    rows = [
        of_pairs(given.folder, *pair, *size)
        for pair in (("noisy", "noisy again"), ("healthy", "drops"))
        if set(pair) <= set(chosen)
    ]
    heads = ["base, new", "runs", "looked at", "something moved", "95 %", "dropped moved"]
    print(tabulate(rows, heads, "github"))


if __name__ == "__main__":
    main()
