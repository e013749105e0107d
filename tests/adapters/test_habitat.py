"""Habitat without the simulator: flats, their files, episode datasets, metrics on known ways, tasks. With it: test_habitat_sim.py."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import math
import sys
from collections import deque
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from adapters.habitat import HabitatAdapter, HabitatRearrangeAdapter, episodes, flat
from adapters.habitat.furniture import CATEGORIES, PIECES, SIZES
from adapters.habitat.glb import box
from adapters.habitat.metrics import Way, compass, heading, pointgoal, rotate_back, yaw
from harness.core import Case, Missing, UserError
from suites.habitat import SUITES

TASKS = {task.name: task for suite in SUITES for task in suite.tasks}
FLATS = [flat.build(number) for number in range(flat.FLATS)]
CELL = 0.05

each_flat = pytest.mark.parametrize("home", FLATS, ids=lambda home: f"flat {home.number}")


# Scenes


def test_a_box_shows_its_faces_outward() -> None:
    faces = box((0.0, 0.0, 0.0), (1.0, 2.0, 3.0), (1.0, 1.0, 1.0))
    area = 0.0
    for _, corners in faces:
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        assert normal @ (corners.mean(0) - [0.5, 1.0, 1.5]) > 0
        area += float(np.linalg.norm(normal))
    assert area == pytest.approx(2 * (1 * 2 + 2 * 3 + 1 * 3))


def test_the_scene_loads_back(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    stage = flat.write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flats.glb", "flats.stage_config.json"]
    told = json.loads(stage.read_text())
    assert (told["up"], told["front"], told["units_to_meters"]) == ([0, 1, 0], [0, 0, -1], 1.0)
    found = trimesh.load(tmp_path / told["render_asset"])
    meshes = [found.geometry[found.graph[node][1]] for node in found.graph.nodes_geometry]
    assert sum(len(mesh.faces) for mesh in meshes) == sum(2 * len(flat.quads(home)) for home in FLATS)
    for home in FLATS:
        mine = [mesh for mesh in meshes if flat.corner(home)[2] - 1 < mesh.bounds[0][2] < flat.corner(home)[2] + 15]
        assert len(mine) == len({colour for colour, _ in flat.quads(home)})
        low, high = np.min([mesh.bounds[0] for mesh in mine], axis=0), np.max([mesh.bounds[1] for mesh in mine], axis=0)
        assert low - flat.corner(home) == pytest.approx([-flat.WALL, 0.0, -flat.WALL], abs=1e-4)
        assert high - flat.corner(home) == pytest.approx([home.width + flat.WALL, flat.HEIGHT, home.depth + flat.WALL], abs=1e-4)
    for mesh in meshes[::7]:
        outward = np.cross(mesh.triangles[:, 1] - mesh.triangles[:, 0], mesh.triangles[:, 2] - mesh.triangles[:, 0])
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        assert (np.einsum("ij,ij->i", outward, mesh.vertex_normals[mesh.faces[:, 0]]) > 0.99).all()


def test_what_is_seen_from_above_is_floor() -> None:
    ups = [corners for _, corners in flat.quads(FLATS[0]) if np.cross(corners[1] - corners[0], corners[2] - corners[0])[1] > 0]
    assert max(float(corners[:, 1].max()) for corners in ups) == flat.HEIGHT, "the walls' tops; the ceiling looks down"
    floor = [corners for corners in ups if (corners[:, 1] == 0).all()]
    area = sum(float(np.prod(np.ptp(corners[:, [0, 2]], axis=0))) for corners in floor)
    assert area == pytest.approx(FLATS[0].width * FLATS[0].depth)


def test_the_scenes_are_those_that_results_were_measured_in() -> None:
    """Another scene, another score: who changes these raises the version of the flat tasks."""
    found = hashlib.blake2b(flat.scene(), digest_size=8).hexdigest()
    assert found == DIGEST


DIGEST = "48df63b93e8a5528"


@each_flat
def test_a_flat_is_furnished(home: flat.Flat) -> None:
    assert home.categories == CATEGORIES
    for index, piece in enumerate(home.pieces):
        room = home.rooms[piece.room].floor
        assert room.grown(-flat.WALL / 2).contains(piece.floor)
        wide, _, deep = SIZES[piece.name]
        assert (piece.floor.x1 - piece.floor.x0, piece.floor.z1 - piece.floor.z0) == pytest.approx(
            (wide, deep) if piece.turn % 2 == 0 else (deep, wide), abs=0.011
        )
        assert not any(piece.floor.meets(other.floor) for other in home.pieces[index + 1 :])


@each_flat
def test_every_room_and_object_can_be_reached(home: flat.Flat) -> None:
    """By a disc of 0.2 m on a grid, from the corridor's middle: more than the body of the tasks needs."""
    free = walkable(home, 0.2)
    start = cell(home.width / 2, (home.corridor.z0 + home.corridor.z1) / 2)
    reached = flood(free, start)
    for room in home.rooms:
        x0, z0 = cell(room.floor.x0, room.floor.z0)
        x1, z1 = cell(room.floor.x1, room.floor.z1)
        assert reached[x0:x1, z0:z1].sum() * CELL**2 > 1.0, f"the {room.kind} of flat {home.number}"
    for category in home.categories:
        for piece in home.of(category):
            alone = flat.Flat(home.number, home.width, home.depth, home.corridor, home.rooms, (piece,))
            points = flat.view_points(alone, category)
            assert any(reached[cell(x, z)] for x, _, z in points), f"{category} of flat {home.number}"


def test_view_points_lie_near_the_object_and_in_its_room() -> None:
    home = FLATS[3]
    for category in home.categories:
        points = flat.view_points(home, category)
        assert len(points)
        for x, y, z in points:
            gaps = [
                math.hypot(max(piece.floor.x0 - x, x - piece.floor.x1, 0), max(piece.floor.z0 - z, z - piece.floor.z1, 0))
                for piece in home.of(category)
                if home.rooms[piece.room].floor.contains(flat.Rectangle(x, z, x, z))
            ]
            assert any(0 < gap < flat.REACH + 1e-3 for gap in gaps)
            assert y == 0


def test_a_piece_looks_away_from_its_wall() -> None:
    for home in FLATS[:4]:
        for piece in home.pieces:
            room = home.rooms[piece.room].floor
            gap = (piece.floor.z0 - room.z0, piece.floor.x0 - room.x0, room.z1 - piece.floor.z1, room.x1 - piece.floor.x1)[piece.turn]
            assert gap < flat.WALL / 2 + flat.INSET + 0.02


def test_pieces_stand_on_the_floor() -> None:
    for name, boxes in PIECES.items():
        assert min(low[1] for low, _, _ in boxes) == 0, name
        assert min(low[2] for low, _, _ in boxes) == 0, name
        assert all(a < b for low, high, _ in boxes for a, b in zip(low, high)), name


def cell(x: float, z: float) -> tuple[int, int]:
    return int(x / CELL), int(z / CELL)


def walkable(home: flat.Flat, radius: float) -> np.ndarray:
    """(n, m) bool: where a disc may stand, from rooms, doors and pieces, not from the mesh."""
    xs, zs = (np.arange(0, size, CELL) + CELL / 2 for size in (home.width, home.depth))
    x, z = np.meshgrid(xs, zs, indexing="ij")
    solids = [piece.floor for piece in home.pieces]
    for room in home.rooms:
        at = room.floor.z1 if room.north else room.floor.z0
        solids += [
            flat.Rectangle(room.floor.x0, at - flat.WALL / 2, room.door, at + flat.WALL / 2),
            flat.Rectangle(room.door + flat.DOOR, at - flat.WALL / 2, room.floor.x1, at + flat.WALL / 2),
            flat.Rectangle(room.floor.x1 - flat.WALL / 2, room.floor.z0, room.floor.x1 + flat.WALL / 2, room.floor.z1),
        ]
    free = (x > radius) & (x < home.width - radius) & (z > radius) & (z < home.depth - radius)
    for solid in solids:
        gap = np.hypot(np.maximum(np.maximum(solid.x0 - x, x - solid.x1), 0), np.maximum(np.maximum(solid.z0 - z, z - solid.z1), 0))
        free &= gap > radius
    return free


def flood(free: np.ndarray, start: tuple[int, int]) -> np.ndarray:
    reached = np.zeros_like(free)
    queue = deque([start])
    while queue:
        i, j = queue.popleft()
        if 0 <= i < free.shape[0] and 0 <= j < free.shape[1] and free[i, j] and not reached[i, j]:
            reached[i, j] = True
            queue += [(i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)]
    return reached


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
    path.write_bytes(gzip.compress(json.dumps(data).encode()) if path.suffix == ".gz" else json.dumps(data).encode())
    return path


@pytest.mark.parametrize("name", ["val.json.gz", "val.json"])
def test_a_split_in_one_file(name: str, tmp_path: Path) -> None:
    data = {"episodes": [an_episode("7", "data/scene_datasets/gibson/A.glb"), an_episode("8", "gibson/B.glb")]}
    first, second = episodes.read(save(tmp_path / name, data), tmp_path / "scenes")
    assert (first.name, first.scene, first.scene_dataset) == ("7", str(tmp_path / "scenes/gibson/A.glb"), "default")
    assert first.start == (1.0, 0.1, 2.0)
    assert first.rotation == (0.8, 0.0, 0.6, 0.0), "w first; the file has it last"
    assert first.ends.tolist() == np.float32([[4.0, 0.1, 2.0]]).tolist()
    assert second.scene.endswith("scenes/gibson/B.glb")


def test_a_split_of_one_file_a_scene_in_the_order_of_names(tmp_path: Path) -> None:
    top = save(tmp_path / "val/val.json.gz", {"episodes": []})
    save(tmp_path / "val/content/B.json.gz", {"episodes": [an_episode("0", "B.glb")]})
    save(tmp_path / "val/content/A.json.gz", {"episodes": [an_episode("0", "A.glb"), an_episode("1", "A.glb")]})
    (tmp_path / "val/content/notes.txt").write_text("not one")
    found = episodes.read(top, tmp_path)
    assert [(Path(one.scene).name, one.name) for one in found] == [("A.glb", "0"), ("A.glb", "1"), ("B.glb", "0")]
    elsewhere = save(tmp_path / "test/test.json.gz", {"episodes": [], "content_scenes_path": "{data_path}/parts/{scene}.json"})
    save(tmp_path / "test/parts/C.json", {"episodes": [an_episode("0", "C.glb")]})
    assert Path(episodes.read(elsewhere, tmp_path)[0].scene).name == "C.glb"


def test_object_goals_are_reached_at_their_view_points(tmp_path: Path) -> None:
    def view(x: float) -> dict:
        return {"agent_state": {"position": [x, 0.0, 0.0], "rotation": [0, 0, 0, 1]}, "iou": 0.5}

    one = {"object_id": 3, "object_category": "chair", "position": [9.0, 0, 0], "view_points": [view(1.0), view(2.0)]}
    other = {"object_id": 4, "object_category": "chair", "position": [8.0, 0, 0], "view_points": [view(3.0)]}
    shared = {
        "episodes": [
            an_episode(
                "0", "hm3d/x/A.basis.glb", goals=[], object_category="chair", scene_dataset_config="./data/scene_datasets/hm3d/h.json"
            )
        ],
        "goals_by_category": {"A.basis.glb_chair": [one, other]},
        "category_to_task_category_id": {"chair": 0},
    }
    found = episodes.read(save(tmp_path / "new.json.gz", shared), tmp_path, objects=True)[0]
    assert (found.category, found.ends[:, 0].tolist()) == ("chair", [1.0, 2.0, 3.0])
    assert found.scene_dataset == str(tmp_path / "hm3d/h.json")
    older = episodes.read(save(tmp_path / "old.json.gz", {"episodes": [an_episode("0", "A.glb", goals=[one])]}), tmp_path, objects=True)[0]
    assert (older.category, len(older.ends)) == ("chair", 2)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x1f\x8b broken", "cannot read"),
        (b"[]", "no list `episodes`"),
        (b'{"episodes": 3}', "no list `episodes`"),
        (b'{"episodes": []}', "holds no episode"),
        (b'{"episodes": [{"episode_id": 1}]}', "not in habitat's format"),
        (json.dumps({"episodes": [an_episode("0", "../../etc/scene.glb")]}).encode(), "not below its folder"),
        (json.dumps({"episodes": [an_episode("0", "/etc/scene.glb")]}).encode(), "not below its folder"),
        (json.dumps({"episodes": [], "content_scenes_path": "{data_path}/../{scene}.json"}).encode(), "not below its folder"),
        (json.dumps({"episodes": [an_episode("0", "A.glb", goals=[])]}).encode(), "has no goal"),
        (json.dumps({"episodes": [an_episode("0", "A.glb", start_rotation=[0, 1])]}).encode(), "not in habitat's format"),
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
    assert (way.success, way.metrics()["spl"]) == (False, 0.0), "the distance must be smaller, not equal"
    assert way.metrics()["soft_spl"] == pytest.approx(0.95)


@pytest.mark.parametrize("distance", [0.0, -1.0, math.inf, math.nan])
def test_a_way_without_length_cannot_be_scored(distance: float) -> None:
    with pytest.raises(ValueError, match="positive and finite"):
        Way((0.0, 0.0, 0.0), distance, near=0.2)


def test_a_turn_to_the_left_is_positive() -> None:
    left = yaw(math.pi / 2)
    assert heading(left) == pytest.approx(math.pi / 2)
    assert rotate_back(left, (-1.0, 0.0, 0.0)) == pytest.approx([0.0, 0.0, -1.0]), "who has turned left looks towards -x"
    assert pointgoal((0.0, 0.0, 0.0), yaw(0.0), (0.0, 5.0, -2.0)) == pytest.approx((2.0, 0.0)), "ahead; height does not count"
    assert pointgoal((0.0, 0.0, 0.0), yaw(0.0), (-1.0, 0.0, 0.0)) == pytest.approx((1.0, math.pi / 2)), "to the left"
    assert pointgoal((1.0, 0.0, 1.0), left, (1.0, 0.0, -2.0)) == pytest.approx((3.0, -math.pi / 2)), "to the right"
    assert compass(yaw(3.0), yaw(-3.0)) == pytest.approx(6.0 - 2 * math.pi)


# Tasks


def test_the_protocols_are_habitat_labs() -> None:
    gibson, hm3d, picture = (
        TASKS[name] for name in ("habitat-pointnav/gibson-val", "habitat-objectnav/hm3d-val", "habitat-imagenav/gibson-val")
    )
    assert (gibson.max_steps, gibson.params["near"], gibson.params["turn"], gibson.params["forward"]) == (500, 0.2, 10.0, 0.25)
    assert (hm3d.max_steps, hm3d.params["near"], hm3d.params["turn"], hm3d.params["radius"]) == (500, 0.1, 30.0, 0.18)
    assert (picture.max_steps, picture.params["near"], picture.params["width_px"]) == (1000, 0.2, 256)
    assert [TASKS[f"habitat-rearrange/{skill}"].max_steps for skill in ("pick", "place")] == [300, 300]
    assert {task.score for task in TASKS.values() if task.domain == "navigation"} == {"spl"}


def test_data_that_is_absent_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HABITAT_DATA", str(tmp_path))
    monkeypatch.setattr(HabitatAdapter, "packages", ())
    monkeypatch.setattr(HabitatRearrangeAdapter, "packages", ())
    task = TASKS["habitat-pointnav/gibson-val"]
    path = tmp_path / "datasets/pointnav/gibson/v1/val/val.json.gz"
    assert HabitatAdapter.missing(task) == Missing(
        f"there is no {path}", "set HABITAT_DATA to the folder that holds datasets/ and scene_datasets/"
    )
    save(path, {"episodes": [an_episode("0", "gibson/A.glb"), an_episode("1", "gibson/A.glb")]})
    (tmp_path / "scene_datasets").mkdir()
    assert HabitatAdapter.missing(task) is None
    with pytest.raises(UserError, match=r"1 of the 1 scenes of its episodes are not there, say .*gibson/A\.glb"):
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
        shapes = {"head_rgb": (4, 6, 3), "head_depth": (4, 6, 1), "joint": (3,), "is_holding": (1,), "relative_resting_position": (3,)}
        self.observation_space = space(spaces={name: space(shape=shape) for name, shape in shapes.items()})
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
        return {"pick_success": self.held, "pick_reward": 0.25, "robot_force": {"accum": 3.0}, "num_steps": 4, "broken": math.nan}

    def close(self) -> None:
        self.episodes = []


def test_pick_speaks_habitat_labs_language(monkeypatch: pytest.MonkeyPatch) -> None:
    space = SimpleNamespace
    rule = space(slack_reward=-0.005, success_reward=10.0, reward_measure="pick_reward", success_measure="pick_success")
    cameras = space(head_depth_sensor=space(min_depth=0.0, max_depth=10.0))
    config = space(task=rule, simulator=space(agents=space(main_agent=space(sim_sensors=cameras))))
    asked: list = []

    def get_config(name: str, overrides: list) -> object:
        asked.extend([name, *overrides])
        return space(habitat=config)

    wrapper = ModuleType("habitat.gym.gym_wrapper")
    wrapper.create_action_space = lambda spaces: space(low=np.array([-1.0, -2.0]), high=np.array([1.0, 2.0]))  # type: ignore[attr-defined]
    wrapper.continuous_vector_action_to_hab_dict = lambda spaces, box, vector: {"vector": vector}  # type: ignore[attr-defined]
    lab, gym, simulator = ModuleType("habitat"), ModuleType("habitat.gym"), ModuleType("habitat_sim")
    lab.get_config, lab.Env, gym.gym_wrapper, simulator.cuda_enabled = get_config, Lab, wrapper, False  # type: ignore[attr-defined]
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
    assert (grasped.success, grasped.terminated, grasped.reward) == (True, False, pytest.approx(0.25 - 0.005 + 10.0))
    assert grasped.metrics == {"pick_success": 1.0, "pick_reward": 0.25, "num_steps": 4.0}
    failed = adapter.step(np.array([-1.0, -2.0], np.float32))
    assert (failed.success, failed.terminated) == (False, True)
    adapter.close()
