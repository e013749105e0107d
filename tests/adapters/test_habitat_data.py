"""Habitat's episode datasets: how they are read; absent and broken ones are named."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from adapters.habitat import HabitatAdapter, HabitatRearrangeAdapter, episodes
from harness.core import Missing, UserError
from suites.habitat import SUITES

TASKS = {task.name: task for suite in SUITES for task in suite.tasks}


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


def test_a_split_with_one_file_per_scene_is_read_in_the_order_of_names(tmp_path: Path) -> None:
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
def test_a_broken_dataset_is_named(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "val.json.gz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said):
        episodes.read(path, tmp_path)


def test_absent_data_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
