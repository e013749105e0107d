"""The shipped models: small, safe to load, part of a run's identity, better than chance."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import read_lines
from safetensors.torch import load_file

import baselines
from baselines.gea.agent import GEA, SHIPPED, GEABase, GEAState, needs
from baselines.gea.train import RECIPES
from harness.core import UserError
from harness.play.planning import make_plan
from harness.play.progress import PlainProgress
from harness.play.runner import RunOptions, play
from harness.records.catalogue import find_agent, find_suites, select_tasks
from harness.records.training_data import read_training_data
from harness.testing import check_agent
from suites import SUITES

MODELS = ("gea-base", "gea-state", "gea")
MIB = 1 << 20


def test_small_and_never_a_pickle() -> None:
    files = [file for file in SHIPPED.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 36 * MIB
    assert {file.suffix for file in files} <= {".json", ".safetensors", ".md"}
    card = (SHIPPED / "README.md").read_text()
    assert all(f"`{name}`" in card for name in MODELS)


def test_they_were_made_by_the_recipe() -> None:
    recipe = json.loads((RECIPES / "nano.json").read_text())
    script = (RECIPES / "nano.sh").read_text()
    changed = {key: _value(text) for key, text in re.findall(r"--set '?(\w+)=([^'\s]+)", script)}
    assert changed
    for name, wanted in (("gea-base", recipe), ("gea-state", recipe | changed)):
        config, made = (
            json.loads((SHIPPED / name / file).read_text())
            for file in ("config.json", "training.json")
        )
        assert {key: config[key] for key in wanted} == wanted
        assert made["sft"]["steps"] == recipe["steps"]
        assert all(folder in script for stage in made.values() for folder in stage["data"])
    assert "rl" not in json.loads((SHIPPED / "gea-base" / "training.json").read_text())
    requested = int(re.findall(r"--steps (\d+)", script)[-1])
    assert requested <= made["rl"]["steps"] < requested + 2 * config["lanes"] * config["rollout"], (
        "whole rollouts are played"
    )
    suites = re.findall(r"--suite (\S+) ", script)[-1]
    chosen = select_tasks(
        find_suites(suites, SUITES), re.findall(r'--tasks "([a-z][^"]*)"', script)[-1]
    )
    assert {task.id for _, task in chosen} == set(made["rl"]["tasks"])


def test_the_eyes_were_made_by_the_recipe_and_the_rest_is_gea_state() -> None:
    script = (RECIPES / "sees.sh").read_text()
    made = json.loads((SHIPPED / "gea" / "training.json").read_text())
    for kind in ("scenes", "maps"):
        eyes = made[f"see-{kind}"]
        assert f"{kind.upper()}=${{{kind.upper()}:-{eyes['steps']}}}" in script
        assert all(f"/{folder}" in script for folder in eyes["data"])
    views = {"image? unless dom", "dom? unless image 210x160 or 667x375", "text?", "admissible?"}
    assert set(GEA.declares({})[0]) == views
    games = made["games"]
    script = (RECIPES / "games.sh").read_text() + script
    assert f'--steps "$(of {games["steps"]})" ' in script
    named = [folder.removeprefix("frames-") for folder in games["data"]]
    assert all(re.search(rf"\b{folder}\b", script) for folder in named)
    saw, before = (read_training_data(kind.trained_on({})).axes for kind in (GEA, GEAState))
    assert saw["task"] > before["task"]
    families = {name.partition("/")[0] for name in saw["task"] - before["task"]}
    assert families == {"minigrid", "miniworld", "vizdoom", "atari", "procgen-train"}
    states, sees = (
        load_file(SHIPPED / name / "model.safetensors") for name in ("gea-state", "gea")
    )
    eyes = {name for name in sees if name.startswith("backbone.reader.")}
    old_eyes = {name for name in states if name.startswith("backbone.eye")}
    assert sees.keys() - eyes == states.keys() - old_eyes
    assert all(states[name].equal(sees[name]) for name in sees.keys() - eyes)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@pytest.mark.parametrize("name", MODELS)
def test_contract(name: str) -> None:
    kind = {"gea": GEA, "gea-state": GEAState, "gea-base": GEABase}[name]
    tasks = [
        task
        for _, task in select_tasks(
            find_suites("smoke", SUITES),
            "*GoToRedBall,metaworld/reach-v3,pddl/blocksworld,smoke/pong",
        )
    ]
    assert len(tasks) == 4
    check_agent(kind, tasks, args={}, steps=4, tolerance=1e-5)


def test_better_than_chance_where_it_is_good(tmp_path: Path) -> None:
    rates: dict[str, Any] = {}
    chosen = select_tasks(find_suites("babyai", SUITES), "*GoToRedBallNoDists,*GoToObj")
    for name in (*MODELS, "uniform"):
        spec = find_agent(name, {}, baselines.AGENTS)
        play(
            spec,
            ["here"],
            make_plan(chosen, spec, episodes=15, seed=0),
            tmp_path / name,
            RunOptions(workers=0),
            PlainProgress(),
        )
        rates[name] = np.mean([line["success"] for line in read_lines(tmp_path / name)])
    assert rates["gea-state"] >= 0.7, rates
    assert rates["gea-base"] >= 0.6, rates
    assert rates["gea"] >= 0.6, rates
    assert rates["uniform"] <= 0.5, rates


def test_gea_reads_maps_of_suites_without_an_expert(tmp_path: Path) -> None:
    """Its eyes learned lava and goals from frames that the model that reads states had played."""
    chosen = select_tasks(find_suites("minigrid", SUITES), "*/LavaGapS7")
    spec = find_agent("gea", {}, baselines.AGENTS)
    plan = make_plan(chosen, spec, episodes=8, seed=0)
    play(spec, ["here"], plan, tmp_path / "run", RunOptions(workers=0), PlainProgress())
    assert np.mean([line["success"] for line in read_lines(tmp_path / "run")]) >= 0.5


def test_their_weights_are_part_of_their_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "gea"
    shutil.copytree(SHIPPED / "gea", copy)
    monkeypatch.setattr(GEA, "files", (str(copy),))
    prints = [find_agent("gea", {}, baselines.AGENTS).fingerprint()]
    with (copy / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    prints.append(find_agent("gea", {}, baselines.AGENTS).fingerprint())
    assert prints[0] != prints[1]


def test_a_run_of_the_gea_that_read_states_does_not_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was called `gea` before the one that sees."""
    chosen = select_tasks(find_suites("babyai", SUITES), "babyai/GoToObj")

    def run() -> None:
        spec = find_agent("gea", {}, baselines.AGENTS)
        plan = make_plan(chosen, spec, episodes=1, seed=0)
        play(spec, ["here"], plan, tmp_path / "run", RunOptions(workers=0), PlainProgress())

    with monkeypatch.context() as then:
        then.setattr(GEA, "shipped", GEAState.shipped)
        then.setattr(GEA, "files", GEAState.files)
        run()
    with pytest.raises(UserError, match=r"^\S+ holds another run: .* weights changed: [^\n]+$"):
        run()


def test_naming_them_needs_no_torch() -> None:
    script = """
import sys

import baselines
from harness.records.registry import load

for entry in baselines.AGENTS.values():
    load(entry)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("baselines.gea.agent.PACKAGES", ("torch", "no_such_package"))
    with pytest.raises(UserError, match=r"no_such_package: pip install 'generalist-bench\[gea\]'"):
        needs()
