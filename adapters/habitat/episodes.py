"""habitat's episode datasets, read as by habitat-lab: JSON, gzipped or not. Nothing is unpickled.

A split's file holds `episodes`. If there is a folder `content` next to it (or the one that its
`content_scenes_path` names), the episodes are read from that folder instead, one file per scene,
sorted by file name. In ObjectNav's files, `goals_by_category` holds the view points at which an
object counts as reached.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from harness.core import UserError

__all__ = ["Episode", "read"]

PREFIX = "data/scene_datasets/"
CONTENT = "{data_path}/content/{scene}.json.gz"


@dataclass(frozen=True)
class Episode:
    """The start and the goal of an episode.

    World frame: y up, metres. Rotations are quaternions (w, x, y, z); those of the files are
    (x, y, z, w).
    """

    name: str
    scene: str
    """Path of the scene; a scene's handle where `scene_dataset` is not `default`."""
    scene_dataset: str
    start: tuple[float, float, float]
    rotation: tuple[float, float, float, float]
    ends: np.ndarray
    """(n, 3) float32, m: reaching any of them is reaching the goal."""
    category: str = ""
    goal_heading: float = 0.0
    """rad to the left of -z: the heading of the camera that took an image goal."""
    place: str = ""
    """Which home it is; empty: the scene is one."""


def read(path: Path, scenes: Path, objects: bool = False) -> tuple[Episode, ...]:
    """All episodes of a split. With `objects`, goals are objects, reached at their view points.

    Raises UserError where a file cannot be read, is no dataset, or names a scene outside the folder
    `scenes`.
    """
    first = _load(path)
    pattern = str(first.get("content_scenes_path", CONTENT))
    parts = [first] if first["episodes"] else []
    folder = path.parent.joinpath(
        *PurePosixPath(
            _inside(pattern.partition("{scene}")[0].replace("{data_path}/", ""), path)
        ).parts
    )
    ending = pattern.partition("{scene}")[2]
    if folder.is_dir():
        parts = [_load(file) for file in sorted(folder.iterdir()) if file.name.endswith(ending)]
    episodes = tuple(
        episode for part in parts for episode in _episodes(part, scenes, objects, path)
    )
    if not episodes:
        raise UserError(f"{path} holds no episode")
    return episodes


def _load(path: Path) -> Mapping[str, Any]:
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        data = json.loads(content)
    except (OSError, EOFError, ValueError) as fault:  # ValueError: not JSON, or not UTF-8
        raise UserError(f"cannot read the episodes in {path}: {fault}") from None
    if not isinstance(data, dict) or not isinstance(data.get("episodes"), list):
        raise UserError(f"{path} is no episode dataset of habitat's: it has no list `episodes`")
    return data


def _episodes(data: Mapping[str, Any], scenes: Path, objects: bool, path: Path) -> list[Episode]:
    try:
        known = (
            {key: _view_points(goals) for key, goals in data.get("goals_by_category", {}).items()}
            if objects
            else {}
        )
        return [_episode(raw, scenes, objects, known, path) for raw in data["episodes"]]
    except (KeyError, TypeError, ValueError, IndexError) as fault:
        raise UserError(
            f"an episode of {path.parent} is not in habitat's format: "
            f"{type(fault).__name__} {fault}"
        ) from None


def _episode(
    raw: Mapping[str, Any], scenes: Path, objects: bool, known: Mapping[str, np.ndarray], path: Path
) -> Episode:
    scene = str(raw["scene_id"])
    dataset = str(raw.get("scene_dataset_config", "default"))
    category = ""
    if objects:
        category = str(raw.get("object_category") or raw["goals"][0]["object_category"])
        ends = known.get(f"{scene.rpartition('/')[2]}_{category}")
        if ends is None:
            ends = _view_points(raw["goals"])
    else:
        ends = np.array([goal["position"] for goal in raw["goals"]], np.float32).reshape(-1, 3)
    if not len(ends):
        raise ValueError(f"episode {raw['episode_id']} has no goal")
    x, y, z, w = (float(part) for part in raw["start_rotation"])
    position = tuple(float(part) for part in raw["start_position"])
    if len(position) != 3:
        raise ValueError(f"start_position {position}")
    inside = _inside(scene[len(PREFIX) :] if scene.startswith(PREFIX) else scene, path)
    if dataset != "default":
        dataset = dataset[2:] if dataset.startswith("./") else dataset
        dataset = str(
            scenes
            / _inside(dataset[len(PREFIX) :] if dataset.startswith(PREFIX) else dataset, path)
        )
    return Episode(
        str(raw["episode_id"]),
        str(scenes / inside),
        dataset,
        (position[0], position[1], position[2]),
        (w, x, y, z),
        ends,
        category,
    )


def _view_points(goals: Sequence[Mapping[str, Any]]) -> np.ndarray:
    places = [view["agent_state"]["position"] for goal in goals for view in goal["view_points"]]
    return np.array(places, np.float32).reshape(-1, 3)


def _inside(name: str, path: Path) -> str:
    """`name`, if it is a path below its folder: a downloaded file must not make the simulator open
    files elsewhere. Raises UserError if it is not."""
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
        raise UserError(
            f"{path.parent} names {name!r}, which is not below its folder: scenes are named "
            "relative to the scenes' folder"
        )
    return name
