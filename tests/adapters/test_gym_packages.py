"""Public packages behind `gym:`, in an interpreter that `bench doctor --fix gym --with ...` made.

`make test-heavy` makes it. The result stands in docs/reproductions/gym.md.
"""

from __future__ import annotations

import subprocess
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Said

from harness.records.stored_run import load_run

pytestmark = pytest.mark.heavy
PYTHON = ROOT / ".bench" / "gym" / ".bench" / "interpreters" / "gym" / "bin" / "python"

PLAYED = {
    "highway-env": 'id = "highway_env:highway-v0"\nmax_steps = 8',
    "gym-pusht": 'id = "gym_pusht:gym_pusht/PushT-v0"\nmax_steps = 20',
    "dm-control": 'id = "shimmy:dm_control/cartpole-swingup-v0"\nmax_steps = 20',
    "bsuite": 'id = "shimmy:bsuite/catch-v0"',
    "pybullet-envs-gymnasium": 'id = "pybullet_envs_gymnasium:HopperBulletEnv-v0"\nmax_steps = 20\n'
    "fresh = true",
    "panda-gym": 'id = "panda_gym:PandaReach-v3"\nmax_steps = 20',
    "gymnasium[box2d]": 'id = "LunarLander-v3"\nmax_steps = 40',
    "minigrid": 'id = "minigrid:MiniGrid-DoorKey-5x5-v0"\nmax_steps = 30',
    "flappy-bird-gymnasium": 'id = "flappy_bird_gymnasium:FlappyBird-v0"\nmax_steps = 60',
    "gym-anytrading": 'id = "gym_anytrading:stocks-v0"\nmax_steps = 30',
    "gym 0.26": 'id = "shimmy:GymV26Environment-v0"\nmax_steps = 40\n'
    'kwargs = { env_id = "CartPole-v1" }',
}
"""Package -> the fields of its `[[gym]]` table."""

REFUSED = {
    "mo-gymnasium": (
        "gym:mo_gymnasium:deep-sea-treasure-v0",
        "step() returns 2 rewards instead of one; choose or add them up in a wrapper",
    ),
    "crafter": (
        "gym:crafter:CrafterReward-v1",
        "is registered with the old package gym, not with Gymnasium; bench plays it as a family of "
        "its own: --suite crafter",
    ),
    "crafter by Shimmy": (
        "gym:shimmy:GymV21Environment-v0?kwargs.env_id=crafter:CrafterReward-v1",
        "it has neither reset(seed=...) nor seed(): no episode of it can be played again",
    ),
    "gym 0.26 by the other wrapper": (
        "gym:shimmy:GymV21Environment-v0?kwargs.env_id=CartPole-v1",
        "no episode of it can be played again",
    ),
}
"""What is no environment for us -> its name, and the words that say why with the remedy."""

Results = Mapping[str, list[tuple[Any, ...]]]


def bench(folder: Path, *words: object) -> Said:
    if not PYTHON.exists():
        pytest.fail(f"there is no {PYTHON}: make test-heavy makes it")
    script = Path(sysconfig.get_path("scripts")) / "bench"
    command = [script, *words, "--interpreter", f"gym={PYTHON}"]
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a suite of all packages that can be played, and a run of it."""
    folder = tmp_path_factory.mktemp("packages")
    tables = "\n\n".join(f"[[gym]]\n{fields}" for fields in PLAYED.values())
    (folder / "packages.toml").write_text(f'name = "packages"\nepisodes = 2\n\n{tables}\n')
    played(folder, "one", "--workers", 0)
    return folder


def played(folder: Path, out: str, *options: object) -> Results:
    """Task id -> what its episodes were, from a run with these options."""
    words = ("run", "--agent", "uniform", "--suite", "packages.toml", "--out", out, *options)
    said = bench(folder, *words)
    assert said.code == 0, said
    return results(folder / out)


def results(run: Path) -> Results:
    found: dict[str, list[tuple[Any, ...]]] = {}
    for each in load_run(run).results():
        assert each.status == "finished"
        row = (each.seed, each.start, each.digest, each.score, each.steps, each.success)
        found.setdefault(each.task, []).append(row)
    return {task: sorted(rows) for task, rows in found.items()}


def test_all_are_played(folder: Path) -> None:
    found = results(folder / "one")
    assert len(found) == len(PLAYED)
    assert all(len({digest for _, _, digest, *_ in rows}) == 2 for rows in found.values())


def test_their_versions_are_part_of_the_identity(folder: Path) -> None:
    packages = {
        item.task.params["id"]: item.packages for item in load_run(folder / "one").plan.items
    }
    assert {"Shimmy", "dm_control", "mujoco"} <= packages[
        "shimmy:dm_control/cartpole-swingup-v0"
    ].keys()
    assert {"Shimmy", "bsuite"} <= packages["shimmy:bsuite/catch-v0"].keys()
    assert packages["shimmy:GymV26Environment-v0"]["gym"] == "0.26.2"
    assert "gym-pusht" in packages["gym_pusht:gym_pusht/PushT-v0"]


def test_every_recorded_episode_is_played_again_with_the_same_result(folder: Path) -> None:
    said = bench(folder, "verify", "one", "--trust", "--sample", "all")
    assert said.code == 0, said
    assert f"{2 * len(PLAYED)} episodes played again: all as recorded" in said.err


@pytest.mark.parametrize(
    "options",
    [("--workers", 0, "--lanes", 3), ("--workers", 1, "--lanes", 2)],
    ids=["lanes", "worker"],
)
def test_lanes_and_processes_change_nothing(folder: Path, options: tuple[object, ...]) -> None:
    before, found = results(folder / "one"), played(folder, f"w{options[1]}", *options)
    assert [task for task in before if found[task] != before[task]] == []


def test_an_environment_that_a_seed_does_not_restore_is_named(tmp_path: Path) -> None:
    """A kept one plays on with something of the episode before: without `fresh` it drifts."""
    suite = "gym:pybullet_envs_gymnasium:HopperBulletEnv-v0?max_steps=20"
    said = bench(tmp_path, "verify", "--invariance", "--agent", "uniform", "--suite", suite)
    assert said.code == 1, said
    assert "of 20 cases drift" in said.err
    assert "The cause is the simulator, or what is kept between episodes" in " ".join(
        said.err.split()
    )


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_played_is_named_with_the_remedy_in_one_line(
    tmp_path: Path, name: str
) -> None:
    suite, words = REFUSED[name]
    said = bench(tmp_path, "run", "--agent", "uniform", "--suite", suite, "--workers", 0)
    assert said.code == 2, said
    assert "Traceback" not in said.err
    assert any(words in line for line in said.err.splitlines()), said.err
