"""Habitat without the simulator: episode datasets, metrics on known ways, tasks. With it: test_habitat_sim.py."""

from __future__ import annotations

import dataclasses
import gzip
import json
import math
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from adapters.habitat import HabitatAdapter, HabitatRearrangeAdapter, episodes
from adapters.habitat.metrics import Way, compass, heading, pointgoal, rotate_back, yaw
from harness.core import Case, Missing, UserError
from suites.habitat import SUITES

TASKS = {task.name: task for suite in SUITES for task in suite.tasks}


# Episode datasets


def an_episode(name: str, scene: str, **more: object) -> dict:
    return {
        "episode_id": name,
        "scene_id": scene,
        "start_position": [1.0, 0.1, 2.0],
        "start_rotation": [0.0, 0.6, 0.0, 0.8],
        "info": {"geodesic_distance": 3.0},
        "goals": [{"position": [4.0, 0.1, 2.0], "radius": None}],
        "shortest_paths": None,
        **more,
    }


def save(path: Path, data: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        gzip.compress(json.dumps(data).encode())
        if path.suffix == ".gz"
        else json.dumps(data).encode()
    )
    return path


@pytest.mark.parametrize("name", ["val.json.gz", "val.json"])
def test_a_split_in_one_file(name: str, tmp_path: Path) -> None:
    data = {
        "episodes": [
            an_episode("7", "data/scene_datasets/gibson/A.glb"),
            an_episode("8", "gibson/B.glb"),
        ]
    }
    first, second = episodes.read(save(tmp_path / name, data), tmp_path / "scenes")
    assert (first.name, first.scene, first.scene_dataset) == (
        "7",
        str(tmp_path / "scenes/gibson/A.glb"),
        "default",
    )
    assert first.start == (1.0, 0.1, 2.0)
    assert first.rotation == (0.8, 0.0, 0.6, 0.0), "w first; the file has it last"
    assert first.ends.tolist() == np.float32([[4.0, 0.1, 2.0]]).tolist()
    assert second.scene.endswith("scenes/gibson/B.glb")


def test_a_split_of_one_file_a_scene_in_the_order_of_names(tmp_path: Path) -> None:
    top = save(tmp_path / "val/val.json.gz", {"episodes": []})
    save(tmp_path / "val/content/B.json.gz", {"episodes": [an_episode("0", "B.glb")]})
    save(
        tmp_path / "val/content/A.json.gz",
        {"episodes": [an_episode("0", "A.glb"), an_episode("1", "A.glb")]},
    )
    (tmp_path / "val/content/notes.txt").write_text("not one")
    found = episodes.read(top, tmp_path)
    assert [(Path(one.scene).name, one.name) for one in found] == [
        ("A.glb", "0"),
        ("A.glb", "1"),
        ("B.glb", "0"),
    ]
    elsewhere = save(
        tmp_path / "test/test.json.gz",
        {"episodes": [], "content_scenes_path": "{data_path}/parts/{scene}.json"},
    )
    save(tmp_path / "test/parts/C.json", {"episodes": [an_episode("0", "C.glb")]})
    assert Path(episodes.read(elsewhere, tmp_path)[0].scene).name == "C.glb"


def test_object_goals_are_reached_at_their_view_points(tmp_path: Path) -> None:
    def view(x: float) -> dict:
        return {"agent_state": {"position": [x, 0.0, 0.0], "rotation": [0, 0, 0, 1]}, "iou": 0.5}

    one = {
        "object_id": 3,
        "object_category": "chair",
        "position": [9.0, 0, 0],
        "view_points": [view(1.0), view(2.0)],
    }
    other = {
        "object_id": 4,
        "object_category": "chair",
        "position": [8.0, 0, 0],
        "view_points": [view(3.0)],
    }
    shared = {
        "episodes": [
            an_episode(
                "0",
                "hm3d/x/A.basis.glb",
                goals=[],
                object_category="chair",
                scene_dataset_config="./data/scene_datasets/hm3d/h.json",
            )
        ],
        "goals_by_category": {"A.basis.glb_chair": [one, other]},
        "category_to_task_category_id": {"chair": 0},
    }
    found = episodes.read(save(tmp_path / "new.json.gz", shared), tmp_path, objects=True)[0]
    assert (found.category, found.ends[:, 0].tolist()) == ("chair", [1.0, 2.0, 3.0])
    assert found.scene_dataset == str(tmp_path / "hm3d/h.json")
    older = episodes.read(
        save(tmp_path / "old.json.gz", {"episodes": [an_episode("0", "A.glb", goals=[one])]}),
        tmp_path,
        objects=True,
    )[0]
    assert (older.category, len(older.ends)) == ("chair", 2)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x1f\x8b broken", "cannot read"),
        (b"[]", "no list `episodes`"),
        (b'{"episodes": 3}', "no list `episodes`"),
        (b'{"episodes": []}', "holds no episode"),
        (b'{"episodes": [{"episode_id": 1}]}', "not in habitat's format"),
        (
            json.dumps({"episodes": [an_episode("0", "../../etc/scene.glb")]}).encode(),
            "not below its folder",
        ),
        (
            json.dumps({"episodes": [an_episode("0", "/etc/scene.glb")]}).encode(),
            "not below its folder",
        ),
        (
            json.dumps(
                {"episodes": [], "content_scenes_path": "{data_path}/../{scene}.json"}
            ).encode(),
            "not below its folder",
        ),
        (json.dumps({"episodes": [an_episode("0", "A.glb", goals=[])]}).encode(), "has no goal"),
        (
            json.dumps({"episodes": [an_episode("0", "A.glb", start_rotation=[0, 1])]}).encode(),
            "not in habitat's format",
        ),
    ],
)
def test_what_is_no_dataset_is_said(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "val.json.gz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said):
        episodes.read(path, tmp_path)


# Metrics and frames


def test_a_known_way() -> None:
    way = Way((0.0, 0.0, 0.0), 4.0, near=0.2)
    assert way.metrics()["soft_spl"] == 0
    assert way.moved((3.0, 0.0, 0.0), False, 5.0) == -1.0
    assert way.moved((3.0, 0.0, 0.0), True, 5.0) == 0.0
    assert way.moved((3.0, 0.0, 2.0), False, 0.1) == pytest.approx(4.9)
    assert (way.success, way.metrics()["spl"]) == (False, 0.0)
    way.stopped = True
    assert way.success
    assert way.metrics() == pytest.approx(
        {
            "distance_to_goal": 0.1,
            "spl": 4 / 5,
            "soft_spl": (1 - 0.1 / 4) * 4 / 5,
            "collisions": 1,
            "path_length": 5.0,
            "shortest_path": 4.0,
        }
    )


def test_shorter_than_the_shortest_counts_as_the_shortest() -> None:
    way = Way((0.0, 0.0, 0.0), 4.0, near=0.5)
    way.moved((0.0, 0.0, -3.6), False, 0.4)
    way.stopped = True
    assert way.metrics()["spl"] == 1.0
    assert way.metrics()["soft_spl"] == pytest.approx(0.9)


def test_to_stop_elsewhere_is_no_success() -> None:
    way = Way((0.0, 0.0, 0.0), 4.0, near=0.2)
    way.moved((0.0, 0.0, -3.8), False, 0.2)
    way.stopped = True
    assert (way.success, way.metrics()["spl"]) == (False, 0.0), (
        "the distance must be smaller, not equal"
    )
    assert way.metrics()["soft_spl"] == pytest.approx(0.95)


@pytest.mark.parametrize("distance", [0.0, -1.0, math.inf, math.nan])
def test_a_way_without_length_cannot_be_scored(distance: float) -> None:
    with pytest.raises(ValueError, match="positive and finite"):
        Way((0.0, 0.0, 0.0), distance, near=0.2)


def test_a_turn_to_the_left_is_positive() -> None:
    left = yaw(math.pi / 2)
    assert heading(left) == pytest.approx(math.pi / 2)
    assert rotate_back(left, (-1.0, 0.0, 0.0)) == pytest.approx([0.0, 0.0, -1.0]), (
        "who has turned left looks towards -x"
    )
    assert pointgoal((0.0, 0.0, 0.0), yaw(0.0), (0.0, 5.0, -2.0)) == pytest.approx((2.0, 0.0)), (
        "ahead; height does not count"
    )
    assert pointgoal((0.0, 0.0, 0.0), yaw(0.0), (-1.0, 0.0, 0.0)) == pytest.approx(
        (1.0, math.pi / 2)
    ), "to the left"
    assert pointgoal((1.0, 0.0, 1.0), left, (1.0, 0.0, -2.0)) == pytest.approx(
        (3.0, -math.pi / 2)
    ), "to the right"
    assert compass(yaw(3.0), yaw(-3.0)) == pytest.approx(6.0 - 2 * math.pi)


# Tasks


def test_the_protocols_are_habitat_labs() -> None:
    gibson, hm3d, picture = (
        TASKS[name]
        for name in (
            "habitat-pointnav/gibson-val",
            "habitat-objectnav/hm3d-val",
            "habitat-imagenav/gibson-val",
        )
    )
    assert (
        gibson.max_steps,
        gibson.params["near"],
        gibson.params["turn"],
        gibson.params["forward"],
    ) == (500, 0.2, 10.0, 0.25)
    assert (hm3d.max_steps, hm3d.params["near"], hm3d.params["turn"], hm3d.params["radius"]) == (
        500,
        0.1,
        30.0,
        0.18,
    )
    assert (picture.max_steps, picture.params["near"], picture.params["width_px"]) == (
        1000,
        0.2,
        256,
    )
    assert [TASKS[f"habitat-rearrange/{skill}"].max_steps for skill in ("pick", "place")] == [
        300,
        300,
    ]
    assert {task.score for task in TASKS.values() if task.domain == "navigation"} == {"spl"}


def test_data_that_is_absent_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HABITAT_DATA", str(tmp_path))
    monkeypatch.setattr(HabitatAdapter, "packages", ())
    monkeypatch.setattr(HabitatRearrangeAdapter, "packages", ())
    task = TASKS["habitat-pointnav/gibson-val"]
    path = tmp_path / "datasets/pointnav/gibson/v1/val/val.json.gz"
    assert HabitatAdapter.missing(task) == Missing(
        f"there is no {path}",
        "set HABITAT_DATA to the folder that holds datasets/ and scene_datasets/",
    )
    save(path, {"episodes": [an_episode("0", "gibson/A.glb"), an_episode("1", "gibson/A.glb")]})
    (tmp_path / "scene_datasets").mkdir()
    assert HabitatAdapter.missing(task) is None
    with pytest.raises(
        UserError, match=r"1 of the 1 scenes of its episodes are not there, say .*gibson/A\.glb"
    ):
        HabitatAdapter(task)
    assert HabitatAdapter.missing(TASKS["habitat/pointnav-flat"]) is None
    absent = HabitatRearrangeAdapter.missing(TASKS["habitat-rearrange/pick"])
    assert absent is not None
    assert str(tmp_path / "data/datasets/replica_cad") in absent.reason


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "pointnaw"}, "there is no kind 'pointnaw'"),
        ({"flats": 11}, "flats from 1 to 10"),
        ({"scene": "house"}, "wants a `dataset`"),
    ],
)
def test_a_param_that_does_not_exist_is_said(change: dict, said: str) -> None:
    task = TASKS["habitat/pointnav-flat"]
    with pytest.raises(UserError, match=said):
        HabitatAdapter(dataclasses.replace(task, params={**task.params, **change}))


# Pick and place: against a stand-in for habitat-lab, whose data is its owners'


class Lab:
    """Answers as habitat-lab 0.3's Env does for skills/pick.yaml: depth as a share of its range, three joints, success when told to grasp."""

    def __init__(self, config: object) -> None:
        space = SimpleNamespace
        shapes = {
            "head_rgb": (4, 6, 3),
            "head_depth": (4, 6, 1),
            "joint": (3,),
            "is_holding": (1,),
            "relative_resting_position": (3,),
        }
        self.observation_space = space(
            spaces={name: space(shape=shape) for name, shape in shapes.items()}
        )
        self.action_space = "the spaces"
        self.episodes = ["episode 0", "episode 1"]
        self.seeds: list[int] = []
        self.held, self.episode_over = False, False

    def seed(self, seed: int) -> None:
        self.seeds.append(seed)

    def reset(self) -> dict:
        self.held = self.episode_over = False
        return self.seen()

    def step(self, action: dict) -> dict:
        self.held = bool(action["vector"][-1] > 0)
        self.episode_over = bool(action["vector"][0] == -1)
        return self.seen()

    def seen(self) -> dict:
        return {
            "head_rgb": np.full((4, 6, 3), 7, np.uint8),
            "head_depth": np.full((4, 6, 1), 0.5, np.float32),
            "joint": np.arange(3, dtype=np.float32),
            "is_holding": np.array([self.held], np.float32),
            "relative_resting_position": np.zeros(3, np.float32),
            "obj_start_sensor": np.array([1.0, 2.0, 3.0], np.float32),
        }

    def get_metrics(self) -> dict:
        return {
            "pick_success": self.held,
            "pick_reward": 0.25,
            "robot_force": {"accum": 3.0},
            "num_steps": 4,
            "broken": math.nan,
        }

    def close(self) -> None:
        self.episodes = []


def test_pick_speaks_habitat_labs_language(monkeypatch: pytest.MonkeyPatch) -> None:
    space = SimpleNamespace
    rule = space(
        slack_reward=-0.005,
        success_reward=10.0,
        reward_measure="pick_reward",
        success_measure="pick_success",
    )
    cameras = space(head_depth_sensor=space(min_depth=0.0, max_depth=10.0))
    config = space(task=rule, simulator=space(agents=space(main_agent=space(sim_sensors=cameras))))
    asked: list = []

    def get_config(name: str, overrides: list) -> object:
        asked.extend([name, *overrides])
        return space(habitat=config)

    wrapper = ModuleType("habitat.gym.gym_wrapper")
    wrapper.create_action_space = lambda spaces: space(
        low=np.array([-1.0, -2.0]), high=np.array([1.0, 2.0])
    )  # type: ignore[attr-defined]
    wrapper.continuous_vector_action_to_hab_dict = lambda spaces, box, vector: {"vector": vector}  # type: ignore[attr-defined]
    lab, gym, simulator = (
        ModuleType("habitat"),
        ModuleType("habitat.gym"),
        ModuleType("habitat_sim"),
    )
    lab.get_config, lab.Env, gym.gym_wrapper, simulator.cuda_enabled = (
        get_config,
        Lab,
        wrapper,
        False,
    )  # type: ignore[attr-defined]
    for module in (lab, gym, wrapper, simulator):
        monkeypatch.setitem(sys.modules, module.__name__, module)

    task = TASKS["habitat-rearrange/pick"]
    adapter = HabitatRearrangeAdapter(task)
    assert asked[0] == "benchmark/rearrange/skills/pick.yaml"
    assert "habitat.simulator.habitat_sim_v0.gpu_device_id=-1" in asked
    first = adapter.reset(Case(task, 3))
    lab_env = adapter._env
    assert (lab_env.current_episode, lab_env.seeds) == ("episode 1", [Case(task, 3).simulator_seed])
    for name, spec in adapter.brief.observation.items():
        assert spec.problem(first.observation[name]) is None, name
    assert (first.observation["depth"] == 5.0).all(), "metres again"
    assert first.observation["state_target"].tolist() == [1.0, 2.0, 3.0]
    assert (first.success, first.terminated) == (False, False)
    grasped = adapter.step(np.array([0.0, 2.0], np.float32))
    assert (grasped.success, grasped.terminated, grasped.reward) == (
        True,
        False,
        pytest.approx(0.25 - 0.005 + 10.0),
    )
    assert grasped.metrics == {"pick_success": 1.0, "pick_reward": 0.25, "num_steps": 4.0}
    failed = adapter.step(np.array([-1.0, -2.0], np.float32))
    assert (failed.success, failed.terminated) == (False, True)
    adapter.close()
