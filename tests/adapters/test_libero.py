"""LIBERO's files of initial states, and its adapter on a small fake of `OffScreenRenderEnv`.

This tests the protocol: initial states by index, idle steps, success. It shows nothing about the
simulator, on which check_adapter was run separately (docs/reproductions/libero.md).
"""

from __future__ import annotations

import dataclasses
import io
import os
import pickle
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

from adapters.libero import LiberoAdapter, initial_states
from harness.core import Case, UserError
from harness.records.catalogue import find_suites
from suites import SUITES

TASK = find_suites("libero-goal", SUITES)[0].tasks[0]
STATES = np.arange(12, dtype=np.float64).reshape(3, 4)


def saved(content: bytes) -> bytes:
    """A file as torch.save writes it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")
    return out.getvalue()


class Evil:
    def __reduce__(self) -> Any:
        return os.mkdir, ("harm",)


@pytest.mark.parametrize("protocol", [2, 4])
def test_initial_states_are_read(protocol: int) -> None:
    assert (initial_states(saved(pickle.dumps(STATES, protocol))) == STATES).all()


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"PK",
        saved(b""),
        saved(pickle.dumps([1])),
        saved(pickle.dumps(STATES)[:-30]),
        saved(pickle.dumps(np.zeros(3))),
        saved(pickle.dumps(STATES[:0])),
    ],
)
def test_a_file_that_holds_no_table_is_refused(file: bytes) -> None:
    with pytest.raises(UserError, match="initial states"):
        initial_states(file)


def test_a_pickled_call_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"it holds \w+\.mkdir"):
        initial_states(saved(pickle.dumps(Evil(), 2)))
    assert os.listdir(tmp_path) == []


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


class Env:
    """Counts; its goal holds from the fourth step after the idle ones on."""

    made: ClassVar[list[Env]] = []

    def __init__(self, **arguments: Any) -> None:
        self.arguments, self.language_instruction = arguments, "do it"
        self.settings = {name: os.environ.get(name) for name in ("LIBERO_CONFIG_PATH", "MUJOCO_GL")}
        self.config = Path(str(self.settings["LIBERO_CONFIG_PATH"]), "config.yaml").read_text()
        self.sim = self
        Env.made.append(self)

    def reset(self) -> dict[str, np.ndarray]:
        self.taken, self.fixtures = list[list[float]](), float(np.random.rand())
        return self.seen()

    def set_init_state(self, state: np.ndarray) -> dict[str, np.ndarray]:
        self.start = state
        return self.seen()

    def seen(self) -> dict[str, np.ndarray]:
        sizes = {
            "robot0_joint_pos": 7,
            "robot0_eef_pos": 3,
            "robot0_eef_quat": 4,
            "robot0_gripper_qpos": 2,
        }
        return {name: np.full(size, len(self.taken), np.float64) for name, size in sizes.items()}

    def step(self, action: Any) -> Any:
        self.taken.append(list(action))
        return self.seen(), 0.0, False, {}

    def check_success(self) -> bool:
        return len(self.taken) >= 14

    def get_sim_state(self) -> np.ndarray:
        return self.start + len(self.taken)

    def render(self, camera_name: str, width: int, height: int) -> np.ndarray:
        picture = np.zeros((height, width, 3), np.uint8)
        picture[0] = 255 if camera_name == "agentview" else 100
        return picture

    def close(self) -> None:
        pass


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "libero" / "libero"
    for folder, end in (("bddl_files", "bddl"), ("init_files", "pruned_init")):
        (home / folder / "libero_goal").mkdir(parents=True)
        content = b"" if end == "bddl" else saved(pickle.dumps(STATES, 2))
        (home / folder / "libero_goal" / f"{TASK.params['name']}.{end}").write_bytes(content)
    (home / "assets").mkdir()
    envs: Any = ModuleType("libero.libero.envs")
    envs.OffScreenRenderEnv = Env
    for name, module in (
        ("libero", ModuleType("libero")),
        ("libero.libero", ModuleType("libero.libero")),
        ("libero.libero.envs", envs),
    ):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("adapters.libero._home", lambda: home)
    monkeypatch.setattr(LiberoAdapter, "packages", ())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("LIBERO_CONFIG_PATH", raising=False)
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    Env.made.clear()
    return home


def test_an_episode_starts_from_an_initial_state_and_idle_steps(package: Path) -> None:
    adapter = LiberoAdapter(TASK)
    (env,) = Env.made
    before = np.random.get_state()[1].copy()
    fixtures = []
    for seed in (0, 1, 2, 4):
        step = adapter.reset(Case(TASK, seed))
        assert (env.start == STATES[seed % 3]).all(), "wraps around after the last"
        assert env.taken == [[0.0] * 6 + [-1.0]] * 10
        assert (step.success, step.terminated, step.instruction) == (False, False, "do it")
        fixtures.append(env.fixtures)
    assert fixtures[1] == fixtures[3] != fixtures[0], "the fixtures are drawn with the index"
    assert (np.random.get_state()[1] == before).all(), "numpy's global generator is as it was"
    for count in range(4):
        step = adapter.step(np.zeros(7, np.float32))
        assert (step.success, step.terminated, step.reward) == (
            (True, True, 1.0) if count == 3 else (False, False, 0.0)
        )


def test_views_are_upright_and_complete(package: Path) -> None:
    adapter = LiberoAdapter(TASK)
    views: Any = adapter.reset(Case(TASK, 0)).observation
    for name, spec in adapter.brief.observation.items():
        assert spec.problem(views[name]()) is None, name
    picture = views["image"]()
    assert picture.shape == (256, 256, 3)
    assert picture[-1].min() == 255, "the first row of the simulator is the last"
    assert picture[0].max() == 0
    assert views["image_wrist"]()[-1].min() == 100
    assert not Env.made[0].arguments["use_camera_obs"], "cameras draw when they are read"


def test_a_horizon_beyond_robosuites_raises_it(package: Path) -> None:
    LiberoAdapter(TASK)
    LiberoAdapter(dataclasses.replace(TASK, max_steps=1500))
    assert [env.arguments.get("horizon") for env in Env.made] == [None, 1510], "with 10 idle steps"


def test_the_package_asks_no_question_and_leaves_no_file(package: Path) -> None:
    LiberoAdapter(TASK)
    (env,) = Env.made
    assert env.settings["MUJOCO_GL"] == "egl"
    assert f'"assets": "{package / "assets"}"' in env.config
    assert not {"LIBERO_CONFIG_PATH", "MUJOCO_GL"} & os.environ.keys()
    (package.parents[1] / ".libero").mkdir()
    (package.parents[1] / ".libero" / "config.yaml").write_text("the user's")
    with pytest.raises(
        FileNotFoundError, match="None"
    ):  # the fake reads the variable, which is not set now
        LiberoAdapter(TASK)


def test_a_missing_package_or_dataset_is_named(package: Path) -> None:
    assert LiberoAdapter.missing(TASK) is None
    (package / "assets").rmdir()
    missing = LiberoAdapter.missing(TASK)
    assert missing is not None
    assert "lacks its assets" in missing.reason
    (package / "init_files" / "libero_goal" / f"{TASK.params['name']}.pruned_init").unlink()
    with pytest.raises(UserError, match="libero has no task"):
        LiberoAdapter(TASK)
