"""A second simulator in the place of a robot: `python tests/standin/robot.py FOLDER`.

Plays BabyAI's expert with more and more random actions, and agents without any skill, in the
simulator and in one that often executes the last action again, and writes what the latter came to
as trials, for the tables of docs/reproductions/correlate.md. The same command goes on.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import bench

POLICIES: dict[str, tuple[str, dict[str, Any]]] = {
    f"noise {share}": ("noisy-oracle", {"epsilon": share}) for share in (0.0, 0.3, 0.5, 0.7, 0.85)
}
POLICIES |= {"uniform": ("uniform", {}), "no action": ("noop", {})}
TASKS = "babyai/GoToRedBall,babyai/PickupDist"
SIMULATED, TRIED = 60, 25
"""Episodes of a task."""
ROBOT, VARIANTS = "action_sticky:4", "action_random:4"


def main() -> None:
    """Play, write the trials, and print what came of it."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    trials = []
    for name, (agent, given) in POLICIES.items():
        for kind, perturb, episodes in (
            ("simulated", VARIANTS, SIMULATED),
            ("robot", ROBOT, TRIED),
        ):
            place = folder / f"{kind} {name}"
            bench.evaluate(
                agent, "babyai", tasks=TASKS, episodes=episodes, perturb=perturb, workers=0,
                agent_args=given, out=place,
            )  # fmt: skip
        lines = [json.loads(each) for each in (place / "episodes.jsonl").open()]
        cases = {(each["task"], each["seed"]): each for each in lines if not each["perturbations"]}
        trials += [
            {
                "policy": name,
                "task": each["task"],
                "success": each["success"],
                "blinded": True,
                "case": cases[each["task"], each["seed"]]["case"],
            }
            for each in lines
            if each["perturbations"]
        ]
    (folder / "trials.jsonl").write_text("".join(json.dumps(each) + "\n" for each in trials))


if __name__ == "__main__":
    main()
