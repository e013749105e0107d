"""Makes the stored runs of schema 1 and what the code that wrote them said of them.

    python tests/data/schema1/make.py CHECKOUT [--procgen PYTHON]

CHECKOUT holds the code to be frozen; it runs in this interpreter, so the versions of the
simulators' packages are this interpreter's. PYTHON is the interpreter that has Procgen. Everything
is played in a temporary folder, with relative paths; what this folder holds of an earlier call is
replaced.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
USER_FILES = ("myagent.py", "failing.py", "myadapter.py", "mysuite.toml", "mypackage")

FAMILIES = {
    "minigrid": "babyai/GoToRedBall,minigrid/FourRooms",
    "atari": "smoke/pong",
    "metaworld": "metaworld/reach-v3",
    "maniskill": "maniskill-planner/PushCube",
    "pointmaze": "pointmaze/umaze",
    "antmaze": "antmaze/umaze",
    "fetch": "fetch/push",
    "miniworld": "miniworld/Sign",
    "vizdoom": "vizdoom/basic",
    "miniwob": "miniwob/click-button",
    "scienceworld": "scienceworld/find-animal",
    "textworld": "textworld/treasure-hunter-5",
    "alfworld": "alfworld-synthetic/pick_and_place_simple",
    "pddl": "pddl/blocksworld,pddl-plan/logistics",
    "gym": "gym/CartPole-v1",
    "procgen": "smoke/starpilot",
}
"""Family -> tasks of the suite `smoke`."""

BABYAI = "--suite babyai --tasks babyai/GoToRedBallGrey,babyai/GoToRedBallNoDists"
CARTPOLE = "--suite smoke --tasks gym/CartPole-v1 --episodes 10"
CONDITIONS = "action_random:1,3,action_delay:2,typos:3,size:2,action_random:3+action_delay:1"
OWN = "--suite smoke --tasks babyai/GoToRedBall,gym/CartPole-v1"

RUNS = {
    **{
        family: f"--agent uniform --suite smoke --tasks {tasks} --episodes 1"
        for family, tasks in FAMILIES.items()
    },
    "uniform": f"--agent uniform {BABYAI} --episodes 12",
    "oracle": f"--agent oracle {BABYAI} --episodes 12",
    "noisy": f"--agent noisy-oracle {BABYAI} --episodes 12",
    "cartpole-uniform": f"--agent uniform {CARTPOLE}",
    "cartpole-noop": f"--agent noop {CARTPOLE}",
    "perturbed-oracle": f"--agent oracle {BABYAI} --episodes 5 --perturb {CONDITIONS}",
    "perturbed-noisy": f"--agent noisy-oracle {BABYAI} --episodes 5 --perturb {CONDITIONS}",
    "perturbed-own": "--agent myagent:MyAgent --suite smoke --tasks babyai/GoToRedBall"
    " --episodes 1 --perturb standard",
    "stopped": f"--agent myagent:MyAgent {BABYAI} --episodes 60 --until-width 0.35",
    "own": f"--agent myagent:MyAgent --agent-arg longest=2 {OWN} --episodes 3"
    " --perturb action_random:3,typos:3,state_noise:3",
    "packaged": "--agent mypackage.agents:Packaged --agent-arg weights=mypackage/weights.txt"
    " --agent-arg scale=0.5 --suite gym:MountainCar-v0 --episodes 1",
    "failing": f"--agent failing:Failing {CARTPOLE}",
    "corridor": "--agent myagent:MyAgent --suite mysuite.toml --perturb friction:1,state_noise:3",
}
"""Name -> options of `bench run`; each is played without workers."""

JUDGED = (
    "compare runs/oracle runs/uniform",
    "compare runs/uniform runs/oracle",
    "compare runs/oracle runs/noisy --correction bh",
    "compare runs/cartpole-uniform runs/cartpole-noop --margin 0.01",
    "compare runs/perturbed-oracle runs/perturbed-noisy",
    "compare runs/perturbed-oracle runs/perturbed-noisy --robustness",
    "report runs/perturbed-noisy --baseline runs/perturbed-oracle",
    "report runs/oracle --against gea",
    "gate --agent noisy-oracle --base runs/oracle --workers 0 --out runs/gate",
    "gate --agent myagent:MyAgent --base runs/oracle --sequential --workers 0 --out runs/early",
    "gate --agent noisy-oracle --base runs/cartpole-uniform --max-episodes 4 --workers 0"
    " --out runs/few",
)
"""Further commands; each is given `--format json`."""

DEMOS = (
    "demos --suite babyai,pddl --tasks babyai/GoToRedBallGrey,pddl/blocksworld --episodes 2"
    " --views grid?,direction?,image_partial?,text?,admissible? --workers 0 --out demos"
)


class Old:
    """The command line of a checkout, in a folder of its own."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        self.checkout, self.folder = checkout, folder

    def __call__(self, command: str) -> subprocess.CompletedProcess[str]:
        """What a command printed and how it ended."""
        words = [sys.executable, str(self.checkout / "bench.py"), *command.split()]
        environment = {**os.environ, "PYTHONPATH": str(self.checkout)}
        done = subprocess.run(
            words, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        print(f"{done.returncode}  bench {command}", flush=True)
        assert done.returncode in (0, 1, 3, 4), done.stderr
        return done


def make(old: Old) -> dict[str, Any]:
    """Play everything; what the test expects, as JSON values."""
    runs: dict[str, Any] = {}
    for name, options in RUNS.items():
        command = f"run {options} --workers 0 --out runs/{name}"
        ended = old(command)
        tidy(old.folder / "runs" / name / "run.json")
        runs[name] = {
            "command": command,
            "exit": ended.returncode,
            "verify": old(f"verify runs/{name} --sample all").returncode,
            "report": json.loads(old(f"report runs/{name} --format json").stdout),
        }
    judged = {}
    for command in JUDGED:
        ended = old(f"{command} --format json")
        judged[command] = {"exit": ended.returncode, "out": json.loads(ended.stdout)}
    return {
        "runs": runs,
        "judged": judged,
        "demos": {"command": DEMOS, "exit": old(DEMOS).returncode},
    }


def tidy(file: Path) -> None:
    """Leave out what is of one machine."""
    run = json.loads(file.read_text())
    run["machine"]["system"] = "Linux"
    file.write_text(json.dumps(run, indent=1) + "\n")


def interrupt(whole: Path, partial: Path) -> None:
    """A copy of a run as a kill leaves one, only worse: every third line is lost, the last one is
    torn, the traces end within a record, and nothing says that the run ended."""
    shutil.copytree(whole, partial)
    lines = (whole / "episodes.jsonl").read_bytes().splitlines(keepends=True)
    kept = [line for number, line in enumerate(lines[:-1]) if number % 3]
    (partial / "episodes.jsonl").write_bytes(b"".join(kept) + lines[-1][: len(lines[-1]) // 2])
    traces = partial / "traces/part-0000.msgpack"
    traces.write_bytes(traces.read_bytes()[:-9])
    run = json.loads((partial / "run.json").read_text())
    (partial / "run.json").write_text(json.dumps({**run, "finished": None}, indent=1) + "\n")


def text_of(expected: dict[str, Any]) -> str:
    """JSON with a line for each run and each command: a change shows where it is."""
    parts = []
    for name, entries in expected.items():
        lines = [f"{json.dumps(key)}: {json.dumps(entry)}" for key, entry in entries.items()]
        parts.append(f"{json.dumps(name)}: {{\n{f',{chr(10)}'.join(lines)}\n}}")
    return f"{{{f',{chr(10)}'.join(parts)}}}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--procgen", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in USER_FILES:
            copy = shutil.copytree if (HERE / file).is_dir() else shutil.copyfile
            copy(HERE / file, folder / file)
        if given.procgen:
            text = f'[interpreters]\nprocgen = "{given.procgen.absolute()}"\n'
            (folder / "bench.toml").write_text(text)
        expected = make(Old(given.checkout.resolve(), folder))
        interrupt(folder / "runs/own", folder / "runs/own-partial")
        for stored in ("runs", "demos"):
            shutil.rmtree(HERE / stored, ignore_errors=True)
        for run in (*RUNS, "own-partial"):
            without = shutil.ignore_patterns("*.png")
            shutil.copytree(folder / "runs" / run, HERE / "runs" / run, ignore=without)
        for part in ("episodes.parquet", "data"):
            copy = shutil.copytree if (folder / "demos" / part).is_dir() else shutil.copyfile
            (HERE / "demos").mkdir(exist_ok=True)
            copy(folder / "demos" / part, HERE / "demos" / part)
    (HERE / "expected.json").write_text(text_of(expected))


if __name__ == "__main__":
    main()
