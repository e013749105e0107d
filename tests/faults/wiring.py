"""How often does `bench probe wiring` name a planted fault first, and how often is it wrong?

    python tests/faults/wiring.py --folder FOLDER [--policies toy,pose,...] [--healthy 20]

Each policy of tests/faults/wired_policies.py works as it is, and is broken in each way that applies
to it. The healthy runs are of the same policies on other cases, unbroken. FOLDER keeps what was
trained and a line for each race in results.jsonl: the same command goes on, and other commands add
to it. Printed are a row for each of these policies, and every fault that was not named first.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from wired_faults import Work
from wired_policies import WORKS

from harness.core import Agent, Case
from harness.probes.fork import Brancher
from harness.probes.wiring.episodes import Stage
from harness.probes.wiring.verdict import NONE, Verdict, diagnose
from harness.stats.intervals import wilson

CASES = 20
EPISODES = 150
HEALTHY = "healthy"


def judged(agent: Agent, cases: Sequence[Case]) -> Verdict:
    """What the probe says of an agent in these cases."""
    with Brancher(agent, None, 120.0) as brancher:
        stage = Stage(brancher, agent, lambda result: result.score, True, EPISODES)
        return diagnose(stage, cases)


class Results:
    """The lines of results.jsonl."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "results.jsonl"
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        self.rows: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def known(self, policy: str, fault: str, seed: int) -> bool:
        """Whether this race was run."""
        return any((row["policy"], row["fault"], row["seed"]) == (policy, fault, seed)
                   for row in self.rows)  # fmt: skip

    def add(self, policy: str, fault: str, seed: int, names: Sequence[str], said: Verdict) -> None:
        """Keep what a race said."""
        row = {
            "policy": policy,
            "fault": fault,
            "seed": seed,
            "names": list(names),
            "faults": said.faults,
            "healthy": said.race.healthy,
            "cases": len(said.race.unchanged),
            "successes": sum(each.success is True for each in said.race.unchanged),
            "episodes": said.episodes,
        }
        self.rows.append(row)
        with self._file.open("a") as file:
            file.write(json.dumps(row) + "\n")
        first = said.faults[0] if said.faults else NONE
        print(f"{policy}, {fault}, {seed}: {first}; {row['episodes']} episodes", file=sys.stderr)


def play(
    name: str, work: Work, results: Results, seeds: int, healthy: int, faults: Sequence[str]
) -> None:
    """All races of one policy that are not known. `faults`: of these alone, if there are any."""
    for seed in range(seeds):
        for fault, (agent, names) in work.broken.items():
            if fault in (faults or [fault]) and not results.known(name, fault, seed):
                results.add(name, fault, seed, names, judged(agent, work.cases(seed, CASES)))
    for seed in range(20, 20 + healthy):
        if not results.known(name, HEALTHY, seed):
            results.add(name, HEALTHY, seed, (), judged(work.policy, work.cases(seed, CASES)))


def table(rows: Sequence[dict[str, Any]]) -> str:
    """A row for each policy and one for all, and what was missed."""
    policies = list(dict.fromkeys(row["policy"] for row in rows))
    lines, told = [], []
    for policy in [*policies, "all"]:
        some = [row for row in rows if policy in (row["policy"], "all")]
        well = [row for row in some if row["fault"] == HEALTHY]
        # A fault with which it succeeds all the same is none.
        broken = [row for row in some if row["fault"] != HEALTHY and not row["healthy"]]
        right = sum(row["faults"][:1] != [] and row["faults"][0] in row["names"] for row in broken)
        alarms = sum(bool(row["faults"]) for row in well)
        bound = wilson(alarms, len(well)) if well else None
        lines.append([
            policy, f"{right} of {len(broken)}",
            statistics.median(row["cases"] for row in broken) if broken else "",
            statistics.median(row["episodes"] for row in broken) if broken else "",
            max((row["episodes"] for row in broken), default=""),
            f"{alarms} of {len(well)} ({100 * bound.low:.1f} to {100 * bound.high:.1f} %)"
            if bound
            else "",
            sum(row["healthy"] for row in well),
        ])  # fmt: skip
    for row in rows:
        where = f"{row['policy']}, {row['fault']}, {row['seed']}"
        if row["fault"] == HEALTHY:
            told += [f"false alarm: {where}: {row['faults']}"] if row["faults"] else []
        elif row["healthy"]:
            told.append(f"harmless: {where}: it succeeds all the same")
        elif not row["faults"] or row["faults"][0] not in row["names"]:
            told.append(f"missed: {where} ({row['successes']} of {row['cases']} succeed): "
                        f"{'; '.join(row['faults']) or NONE}")  # fmt: skip
    heads = ["policy", "named first", "median cases", "median episodes", "most episodes",
             "false alarms (95 %)", "succeed at once"]  # fmt: skip
    return "\n".join([tabulate(lines, heads, tablefmt="github"), "", *told])


def main() -> None:
    """Play what is wanting and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--policies", default=",".join(WORKS), help="empty: the table of all alone")
    parser.add_argument("--seeds", type=int, default=1, help="sets of cases for each fault")
    parser.add_argument("--healthy", type=int, default=20, help="healthy runs of each policy")
    parser.add_argument("--faults", default="", help="of these alone, separated by commas")
    options = parser.parse_args()
    results = Results(options.folder)
    names = list(filter(None, options.policies.split(",")))
    for name in names:
        work, faults = WORKS[name](options.folder), list(filter(None, options.faults.split(",")))
        play(name, work, results, options.seeds, options.healthy, faults)
        work.policy.close()
    print(table([row for row in results.rows if not names or row["policy"] in names]))


if __name__ == "__main__":
    main()
