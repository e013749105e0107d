"""Four replicas of a served agent, one killed and one slow: what the others give is used.

    python tests/performance/replicas.py [--turns 3000] [--pace 0.05]

Each replica answers a turn in `--pace` seconds, as an accelerator that is always busy would; the
agent sleeps, so the figures hold on a machine that has other work too. In the disturbed run one
replica takes ten times as long, and one is killed after a tenth of the turns and takes longer to
load again than the run lasts. Prints the turns per second that were answered from then until nine
tenths were, what the replicas that are left can give while they are asked, and the share of it.
Exits 1 if an episode was lost or differs from that of a run in one process.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(Path(__file__).parent)]
import toys  # noqa: E402
from conftest import Notes, plan_of  # noqa: E402

from harness.core import Turn  # noqa: E402
from harness.play.runner import RunOptions, play  # noqa: E402
from harness.records.stored_run import load_run  # noqa: E402

REPLICAS, SLOWER = 4, 10


class Paced(toys.GoodAgent):
    """Takes `pace` seconds for each turn and writes down when it has answered."""

    served = True

    def __init__(self, folder: str, pace: float, slow: bool = False, dies_after: int = 0) -> None:
        """`slow`: the first replica is. `dies_after`: the second is killed after so many turns."""
        self.folder = Path(folder)
        number = self._number()
        if number >= REPLICAS:
            time.sleep(10_000)  # it is loaded again, which takes long
        self.pace = pace * (SLOWER if slow and number == 0 else 1)
        self.dies_after = dies_after if number == 1 else 0
        self.turns = 0
        self.log = (self.folder / f"{number}.txt").open("a", buffering=1)

    def _number(self) -> int:
        """How many replicas were built before this one."""
        for number in range(1000):
            try:
                (self.folder / f"{number}.born").touch(exist_ok=False)
            except FileExistsError:
                continue
            return number
        raise AssertionError("too many replicas")

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        begun = time.time()
        time.sleep(self.pace * len(turns))
        self.turns += len(turns)
        if self.dies_after and self.turns >= self.dies_after:
            os.kill(os.getpid(), signal.SIGKILL)
        self.log.write(f"{begun} {time.time()} {len(turns)}\n")
        return super().act(turns)


@dataclass(frozen=True)
class Call:
    """One batch that a replica answered."""

    replica: int
    begun: float
    ended: float
    turns: int


def calls_of(folder: Path) -> list[Call]:
    """All calls, in the order in which they ended."""
    found = []
    for number in range(REPLICAS):
        for line in (folder / f"{number}.txt").read_text().splitlines():
            begun, ended, turns = line.split()
            found.append(Call(number, float(begun), float(ended), int(turns)))
    return sorted(found, key=lambda call: call.ended)


def rates(calls: Sequence[Call], first: float, last: float) -> tuple[float, float]:
    """(turns per second between these shares of all turns, what the replicas can give).

    A replica can give what it gave while it was asked: its turns by the time that they took, which
    on a busy machine is a little more than it means to sleep.
    """
    total, seen, inside = sum(call.turns for call in calls), 0, list[Call]()
    for call in calls:
        seen += call.turns
        if first * total <= seen <= last * total:
            inside.append(call)
    seconds = inside[-1].ended - inside[0].ended
    supply = 0.0
    for number in {call.replica for call in inside}:
        own = [call for call in inside if call.replica == number]
        supply += sum(call.turns for call in own) / sum(call.ended - call.begun for call in own)
    return sum(call.turns for call in inside[1:]) / seconds, supply


def results(path: Path) -> dict[str, tuple[str, str | None]]:
    """Case -> its status and digest."""
    return {each.case: (each.status, each.digest) for each in load_run(path).results()}


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3000)
    parser.add_argument("--pace", type=float, default=0.05)
    asked = parser.parse_args()
    tasks = [toys.toy_task()]
    rows = []
    with tempfile.TemporaryDirectory() as place:
        spec, plan = plan_of("GoodAgent", tasks, 20)
        play(spec, ["toys"], plan, Path(place, "probe"), RunOptions(), Notes())
        steps = sum(each.steps for each in load_run(Path(place, "probe")).results()) / 20
        episodes = max(64, round(asked.turns / steps))
        spec, plan = plan_of("GoodAgent", tasks, episodes)
        play(spec, ["toys"], plan, Path(place, "alone"), RunOptions(), Notes())
        truth = results(Path(place, "alone"))
        disturbed = {"slow": True, "dies_after": asked.turns // 10 // REPLICAS}
        for name, args in (("four replicas", {}), ("one killed, one slow", disturbed)):
            folder = Path(place, name)
            folder.mkdir()
            agent = {"folder": str(folder), "pace": asked.pace, **args}
            spec, plan = plan_of("replicas:Paced", tasks, episodes, **agent)
            said = Notes()
            options = RunOptions(workers=2, replicas=REPLICAS)
            play(spec, ["toys"], plan, folder / "run", options, said)
            if results(folder / "run") != truth:
                print(f"{name}: other results; {said.said}")
                return 1
            calls = calls_of(folder)
            found, supply = rates(calls, 0.2, 0.9)
            each = [
                sum(call.turns for call in calls if call.replica == number)
                for number in range(REPLICAS)
            ]
            turns = " ".join(map(str, each))
            rows.append([name, episodes, turns, found, supply, found / supply])
    heads = ["run", "episodes", "turns of each replica", "turns/s", "supply", "share"]
    print(tabulate(rows, heads, floatfmt=("", "", "", ".0f", ".0f", ".3f")))
    print("no episode lost, none differs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
