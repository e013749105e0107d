"""A few steps of every family, against tests/data/golden: the same episodes, briefs and words as
when the files were written, or the message says which package is of another version.

`python tests/test_golden.py FAMILY ...` writes files again, where a change is meant.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kernels_of_data
import pytest

from harness.verify.added_metrics import as_told

TESTS = Path(__file__).resolve().parent
FOLDER = TESTS / "data/golden"
AGENT = TESTS / "data/schema1/myagent.py"
SUITE = "suite.toml"

UNIFORM, EXPERT, LOOKING = "--agent uniform", "--agent oracle", "--agent myagent:MyAgent"
IMAGE = (
    "image_noise:3,shot_noise:3,impulse_noise:3,motion_blur:3,defocus_blur:3,brightness:3,"
    "contrast:3,hue:3,jpeg:3,occlusion:3,camera_shift:3,camera_zoom:3,frozen_frames:3,"
    "dropped_frames:3,blackout:1"
)
STATE = "state_noise:3,state_bias:3,state_dropout:3"
DISCRETE = "action_random:3,action_sticky:5,action_delay:2,action_dropout:3"
CONTINUOUS = "action_noise:3,action_scale:3,action_bias:3"
LANGUAGE = (
    "typos:3,letter_case:4,paraphrase:3,paraphrase:5,distractor:3,word_dropout:3,"
    "instruction_blackout:3"
)
UI = "ui_zoom:3,ui_window:3,ui_ids:3"
OTHERS = "observation_delay:2,burst:2,history:1,typos:2+action_sticky:4"

PLAYED = {
    "minigrid": (
        UNIFORM,
        EXPERT,
        f"{LOOKING} --tasks */GoToRedBall-golden"
        f" --perturb {IMAGE},{DISCRETE},{LANGUAGE},{OTHERS},size:2,distractors:3",
    ),
    "atari": (UNIFORM, f"{UNIFORM} --tasks */pong-golden --perturb mode:1,difficulty:1"),
    "metaworld": (
        UNIFORM,
        f"{EXPERT} --perturb friction:3,mass:3,start:3",
        f"{LOOKING} --perturb {STATE},{CONTINUOUS}",
    ),
    "maniskill": (f"{UNIFORM} --perturb friction:3,mass:3,initial_state:3",),
    "grasp-tail": (f"{UNIFORM} --perturb tail_shape:3,tail:4",),
    "humanoid": (UNIFORM,),
    "pointmaze": (UNIFORM, f"{EXPERT} --perturb friction:3,mass:3"),
    "antmaze": (UNIFORM, EXPERT),
    "fetch": (UNIFORM, EXPERT),
    "hand-touch": (UNIFORM, f"{LOOKING} --perturb friction:3,mass:3,camera:3"),
    "miniworld": (UNIFORM, EXPERT),
    "vizdoom": (UNIFORM, f"{UNIFORM} --tasks */defend_the_center-golden --perturb difficulty:1"),
    "vizdoom-audio": (UNIFORM,),
    "miniwob": (f"{UNIFORM} --perturb font:1", f"{LOOKING} --perturb {UI}"),
    "scienceworld": (EXPERT,),
    "textworld": (UNIFORM,),
    "alfworld": (EXPERT,),
    "pddl": (UNIFORM, EXPERT),
    "gym": (UNIFORM, EXPERT, f"{LOOKING} --perturb {STATE},{DISCRETE}"),
    "procgen": (UNIFORM,),
    "crafter": (UNIFORM, f"{LOOKING} --perturb image_noise:3,action_sticky:5"),
    "nethack": (UNIFORM,),
    "pusht": (EXPERT, f"{LOOKING} --perturb friction:3,texture:3,start:3,image_noise:3"),
    "aloha": (EXPERT, f"{LOOKING} --perturb friction:3,mass:3,{STATE}"),
    "libero": (f"{UNIFORM} --perturb friction:3,mass:3,start:3,initial_state:3",),
}
"""Family -> options of `bench run`, a run each."""

SLOW = (
    "maniskill", "grasp-tail", "humanoid", "miniworld", "miniwob", "scienceworld", "textworld",
    "alfworld", "procgen", "pusht", "aloha", "crafter", "nethack", "libero",
)  # fmt: skip

KERNELS = ("metaworld", "pusht", "aloha", "libero")
"""Families whose rewards, experts or controllers multiply matrices with numpy."""
LAST_DIGITS = ("grasp-tail",)
"""Families whose physics round otherwise on another processor, whatever kernels numpy takes."""

Bench = Callable[..., tuple[int, str, str]]
"""The command line: exit code, stdout, stderr."""


def record(family: str, bench: Bench) -> dict[str, Any]:
    """What the code says now. The current folder must be empty, or have a bench.toml."""
    Path(SUITE).write_bytes((FOLDER / SUITE).read_bytes())
    Path(AGENT.name).write_bytes(AGENT.read_bytes())
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "pillow")}
    runs = {}
    for number, options in enumerate(PLAYED[family]):
        tasks = () if "--tasks" in options else ("--tasks", f"tag:{family}")
        out = ("--workers", 0, "--out", f"runs/{number}")
        code, _, err = bench("run", *options.split(), "--suite", SUITE, *tasks, *out)
        assert code == 0, err
        runs[options] = lines_of(Path(f"runs/{number}"))
        plan = json.loads(Path(f"runs/{number}/run.json").read_text())["plan"]
        for item in plan["items"]:
            versions |= item["packages"]
    return {"versions": versions, "runs": runs, "told": told(family)}


def lines_of(run: Path) -> list[dict[str, Any]]:
    """The results in one order, without what may differ between two equal runs."""
    lines = [json.loads(line) for line in (run / "episodes.jsonl").read_text().splitlines()]
    for line in lines:
        del line["timing"]
    return sorted(lines, key=lambda line: (line["task"], line["seed"], line["perturbations"]))


def told(family: str) -> dict[str, Any]:
    """Task id -> what an agent is told at the start: the brief as JSON, and the instruction."""
    from harness.core import BatchedAdapter, Case
    from harness.demos.columns import brief_to_json
    from harness.host.loading import load_adapter

    found = {}
    for task in tasks_of(family):
        kind = load_adapter(task.adapter)
        batched = issubclass(kind, BatchedAdapter)
        adapter = kind(task, 1) if batched else kind(task)
        case = Case(task, task.first_seed)
        try:
            start = adapter.reset({0: case})[0] if batched else adapter.reset(case)
            brief = json.loads(brief_to_json(adapter.brief))
            found[task.id] = {"instruction": start.instruction, "brief": brief}
        finally:
            adapter.close()
    return found


def tasks_of(family: str) -> list[Any]:
    from harness.records.catalogue import find_suites

    tasks = find_suites(str(FOLDER / SUITE), {})[0].tasks
    return [task for task in tasks if task.tags[0] == family]


def configure_interpreters(folder: Path) -> None:
    """A bench.toml in `folder` with the interpreters of this checkout, by absolute paths."""
    from harness.records.toml_files import read_toml

    named = read_toml(TESTS.parent / "bench.toml", optional=True).get("interpreters", {})
    lines = [f'{name} = "{TESTS.parent / path}"' for name, path in named.items()]
    (folder / "bench.toml").write_text("\n".join(["[interpreters]", *lines, ""]))


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure_interpreters(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_INTERPRETERS", raising=False)


def skip_where_missing(family: str) -> None:
    from harness.host.hosted import end_probes
    from harness.host.loading import load_adapter

    for task in tasks_of(family):
        missing = load_adapter(task.adapter).missing(task)
        if missing is not None:
            end_probes()
            pytest.skip(f"{missing.reason}: {missing.remedy}")


def named(family: str) -> Any:
    return pytest.param(family, marks=[pytest.mark.slow] if family in SLOW else [])


@pytest.mark.parametrize("family", [named(family) for family in PLAYED])
def test_a_few_steps_go_as_ever(family: str, configured: None, bench_here: Bench) -> None:
    skip_where_missing(family)
    if family in KERNELS and not kernels_of_data.AVAILABLE:
        pytest.skip("its last digits are those of kernels that this processor lacks")
    expected = json.loads((FOLDER / f"{family}.json").read_text())
    found = json.loads(json.dumps(record(family, bench_here)))
    versions = [
        f"{name} is {found['versions'].get(name)}, the file was written with {version}"
        for name, version in expected["versions"].items()
        if found["versions"].get(name) != version
    ]
    why = "; ".join(versions) or "every package is of the recorded version: the code differs"
    for options, lines in expected["runs"].items():
        for line, again in zip(lines, found["runs"][options], strict=True):
            where = f"bench run {options}, {line['task']} {line['perturbations']}"
            # A later schema may add fields, and a simulator may measure more of its safety.
            again["metrics"] = as_told(again["metrics"], line["metrics"])
            if family in LAST_DIGITS:
                assert again["metrics"] == pytest.approx(line["metrics"], rel=1e-4), (
                    f"{where}: {why}"
                )
                again |= {name: line[name] for name in ("metrics", "digest")}
            if versions:  # a protocol names them
                again["protocol"] = line["protocol"]
            assert {name: again.get(name) for name in line} == line, f"{where}: {why}"
    assert list(found["told"]) == list(expected["told"])
    for task, told in expected["told"].items():
        # A view may be added: only agents that name it read it.
        views = found["told"][task]["brief"]["observation"]
        found["told"][task]["brief"]["observation"] = {
            name: spec for name, spec in views.items() if name in told["brief"]["observation"]
        }
        # As text, so that the order of the views counts too.
        assert json.dumps(found["told"][task], indent=1) == json.dumps(told, indent=1), why


def _bench(*words: object) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "bench", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def main() -> None:
    from adapters import ADAPTERS
    from harness.host.interpreters import name_families

    name_families(ADAPTERS)
    for family in sys.argv[1:] or PLAYED:
        with tempfile.TemporaryDirectory() as folder:
            configure_interpreters(Path(folder))
            os.chdir(folder)
            content = record(family, _bench)
            os.chdir(TESTS)
        (FOLDER / f"{family}.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
