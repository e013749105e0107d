"""Exports demonstrations as LeRobotDatasets, codebase_version v3.0.

The layout is that of huggingface/lerobot, src/lerobot/datasets:

    meta/info.json                             features, counts, paths
    meta/stats.json                            mean, std, min, max, count of numbers and images
    meta/tasks.parquet                         task_index, with the instruction as pandas index
    meta/episodes/chunk-000/file-000.parquet   lengths, instructions and row ranges of the episodes
    data/chunk-000/file-000.parquet            the steps, one row group for each episode;
                                               images as {bytes, path}

A LeRobotDataset has one set of features, so tasks with different views or actions become several
datasets, each in a separate folder. Text views have the dtype `string`. Lists of texts and elements
have no form there and are left out, and so are tasks whose actions are not numbers.

A view `image...` becomes the feature `observation.images.VIEW`, any other `observation.VIEW`. What
LeRobot's policies and environments call otherwise is named by the caller: ACT and Diffusion Policy
take joints only from `observation.state`, and a state of the world only from
`observation.environment_state` (lerobot/configs/policies.py, 0.4.4).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.core import UI, Box, Discrete, MultiDiscrete, Spec, Text, UserError
from harness.demos.columns import is_image, modules
from harness.demos.dataset import Demo, Demos
from harness.records.safe_files import path_inside

__all__ = ["export"]

CHUNK, FILE = "chunk-000", "file-000.parquet"
FEATURE = re.compile(r"observation(\.[A-Za-z0-9_]+)+")
USUAL_HZ = 10
"""Frames per second of tasks without a control rate, as LeRobot requires one."""
INDICES = {
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}


def export(demos: Demos, out: Path, names: Mapping[str, str] | None = None) -> list[Path]:
    """Write each group of tasks with equal features to a folder OUT/FAMILY[-N].

    `names`: view -> its feature, where it is not to be called as usual. Returns the folders.
    Raises UserError if `out` is not empty, if no task has a view that is named, if two views would
    be one feature, or if nothing can be exported.
    """
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty: name another folder")
    keys = _Keys(names or {})
    groups: dict[tuple[str, str], list[int]] = {}
    for row in demos.rows:
        demo = demos.read(row.index, ())
        features = _features(demo, row.brief, keys)
        if features is not None:
            groups.setdefault(
                (row.task.partition("/")[0], json.dumps([features, _hz(demo)], sort_keys=True)), []
            ).append(row.index)
    if not groups:
        raise UserError(
            f"{demos.folder}: no demonstration has numeric actions, which a LeRobotDataset requires"
        )
    keys.demand_used()
    folders: list[Path] = []
    for (family, described), indices in groups.items():
        number = sum(folder.name.partition("-")[0] == family for folder in folders)
        folders.append(path_inside(out, family if number == 0 else f"{family}-{number + 1}"))
        features, hz = json.loads(described)
        _write(demos, indices, features, hz, folders[-1], keys)
    return folders


class _Keys:
    """Feature of each view."""

    def __init__(self, names: Mapping[str, str]) -> None:
        for view, feature in names.items():
            if not FEATURE.fullmatch(feature):
                raise UserError(
                    f"{view}={feature}: a feature is called like observation.state or "
                    "observation.images.top"
                )
        self._names = names
        self._used: set[str] = set()

    def of(self, name: str, spec: Spec) -> str:
        """The feature of the view `name`."""
        if name in self._names:
            self._used.add(name)
            return self._names[name]
        picture = is_image(name, spec) and len(getattr(spec, "shape", ())) == 3
        return f"observation.images.{name}" if picture else f"observation.{name}"

    def demand_used(self) -> None:
        """Raise UserError if no task has a view that was named."""
        unused = [view for view in self._names if view not in self._used]
        if unused:
            raise UserError(f"no exported demonstration has the view {unused[0]}: see --views")


def _hz(demo: Demo) -> int:
    return max(1, round(demo.brief.control_hz or USUAL_HZ))


def _features(demo: Demo, brief: str, keys: _Keys) -> dict[str, Any] | None:
    """LeRobot's features by name; None if the action is text or a UI action."""
    from harness.demos.columns import brief_from_json

    whole = brief_from_json(brief)
    if isinstance(whole.action, (Text, UI)):
        return None
    features: dict[str, Any] = {}
    for name, spec in whole.observation.items():
        feature, key = _feature(name, spec), keys.of(name, spec)
        if feature is None:
            continue
        if key in features:
            raise UserError(f"two views of {demo.row.task} would be the feature {key}")
        features[key] = feature
    return {**features, "action": _feature("action", whole.action)}


def _feature(name: str, spec: Spec) -> dict[str, Any] | None:
    if is_image(name, spec) and len(getattr(spec, "shape", ())) == 3:
        assert isinstance(spec, Box)
        return {
            "dtype": "image",
            "shape": list(spec.shape),
            "names": ["height", "width", "channels"],
        }
    if isinstance(spec, Box):
        return {"dtype": spec.dtype, "shape": [int(np.prod(spec.shape))], "names": None}
    if isinstance(spec, Discrete):
        return {"dtype": "int64", "shape": [1], "names": None}
    if isinstance(spec, MultiDiscrete):
        return {"dtype": "int64", "shape": [len(spec.nvec)], "names": None}
    return {"dtype": "string", "shape": [1], "names": None} if isinstance(spec, Text) else None


@dataclass(kw_only=True)
class _Moments:
    """Count, sum, sum of squares and extremes of one feature.

    By element; for images by channel, scaled to 0..1.
    """

    count: int = 0
    total: Any = 0.0
    squares: Any = 0.0
    low: Any = np.inf
    high: Any = -np.inf

    def add(self, values: np.ndarray) -> None:
        self.count += len(values)
        self.total, self.squares = self.total + values.sum(0), self.squares + (values**2).sum(0)
        self.low, self.high = (
            np.minimum(self.low, values.min(0)),
            np.maximum(self.high, values.max(0)),
        )

    def to_json(self, frames: int, image: bool) -> dict[str, Any]:
        mean = self.total / self.count
        std = np.sqrt(np.maximum(self.squares / self.count - mean**2, 0.0))
        shape = (-1, 1, 1) if image else (-1,)
        values = {"mean": mean, "std": std, "min": self.low, "max": self.high}
        return {name: np.reshape(value, shape).tolist() for name, value in values.items()} | {
            "count": [frames]
        }


def _write(
    demos: Demos,
    indices: Sequence[int],
    features: dict[str, Any],
    hz: int,
    folder: Path,
    keys: _Keys,
) -> None:
    pa, parquet = modules()
    (folder / "data" / CHUNK).mkdir(parents=True)
    (folder / "meta" / "episodes" / CHUNK).mkdir(parents=True)
    schema = _schema(features)
    tasks: dict[str, int] = {}
    moments = {
        name: _Moments() for name, feature in features.items() if feature["dtype"] != "string"
    }
    episodes, frames = [], 0
    with parquet.ParquetWriter(
        folder / "data" / CHUNK / FILE, schema, compression="snappy"
    ) as writer:
        for number, index in enumerate(indices):
            demo = demos.read(index)
            said = list(dict.fromkeys(frame.instruction for frame in demo.frames))
            rows = []
            for step, frame in enumerate(demo.frames):
                row = _row(demo, frame.observation, frame.action, features, moments, keys)
                task = tasks.setdefault(frame.instruction, len(tasks))
                indices_of_row = (step / hz, step, number, frames + step, task)
                rows.append(row | dict(zip(INDICES, indices_of_row)))
            writer.write_table(pa.Table.from_pylist(rows, schema=schema), row_group_size=len(rows))
            episodes.append(
                {
                    "episode_index": number,
                    "tasks": said,
                    "length": len(rows),
                    "dataset_from_index": frames,
                    "dataset_to_index": frames + len(rows),
                    "data/chunk_index": 0,
                    "data/file_index": 0,
                    "meta/episodes/chunk_index": 0,
                    "meta/episodes/file_index": 0,
                }
            )
            frames += len(rows)
    parquet.write_table(pa.Table.from_pylist(episodes), folder / "meta" / "episodes" / CHUNK / FILE)
    _write_tasks(folder / "meta" / "tasks.parquet", tasks)
    stats = {
        name: each.to_json(frames, features[name]["dtype"] == "image")
        for name, each in moments.items()
    }
    (folder / "meta" / "stats.json").write_text(json.dumps(stats, indent=4))
    info = {
        "codebase_version": "v3.0",
        "robot_type": demos.rows[indices[0]].task.partition("/")[0],
        "total_episodes": len(episodes),
        "total_frames": frames,
        "total_tasks": len(tasks),
        "chunks_size": 1000,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": hz,
        "splits": {"train": f"0:{len(episodes)}"},
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": None,
        "features": features
        | {name: {"dtype": dtype, "shape": [1], "names": None} for name, dtype in INDICES.items()},
    }
    (folder / "meta" / "info.json").write_text(json.dumps(info, indent=4))


def _schema(features: Mapping[str, Any]) -> Any:
    pa, _ = modules()
    fields = []
    for name, feature in {
        **features,
        **{index: {"dtype": dtype, "shape": [1]} for index, dtype in INDICES.items()},
    }.items():
        if feature["dtype"] == "image":
            kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        elif feature["dtype"] == "string":
            kind = pa.string()
        else:
            kind = pa.from_numpy_dtype(np.dtype(feature["dtype"]))
            kind = kind if feature["shape"] == [1] else pa.list_(kind, feature["shape"][0])
        fields.append((name, kind))
    # LeRobot reads with the package `datasets`, which takes the types of the columns from here.
    described = {
        "info": {"features": {name: _huggingface_type(str(name), features) for name, _ in fields}}
    }
    return pa.schema(fields, metadata={"huggingface": json.dumps(described)})


def _huggingface_type(name: str, features: Mapping[str, Any]) -> dict[str, Any]:
    feature = features.get(name, {"dtype": INDICES.get(name), "shape": [1]})
    if feature["dtype"] == "image":
        return {"_type": "Image"}
    value = {"dtype": feature["dtype"], "_type": "Value"}
    return (
        value
        if feature["shape"] == [1]
        else {"feature": value, "length": feature["shape"][0], "_type": "Sequence"}
    )


def _row(
    demo: Demo,
    observation: Mapping[str, Any],
    action: Any,
    features: Mapping[str, Any],
    moments: Mapping[str, _Moments],
    keys: _Keys,
) -> dict[str, Any]:
    from harness.demos.columns import encode

    row: dict[str, Any] = {}
    specs: dict[str, Spec] = {**demo.brief.observation}
    for name, spec, value in [
        *((name, spec, observation[name]) for name, spec in specs.items()),
        ("action", demo.brief.action, action),
    ]:
        key = "action" if name == "action" else keys.of(name, spec)
        if key not in features:
            continue
        if features[key]["dtype"] == "image":
            # Every 16th pixel is enough for the statistics.
            moments[key].add(value.reshape(-1, 3)[::16].astype(np.float64) / 255)
            row[key] = {"bytes": encode(name, spec, value), "path": None}
        elif features[key]["dtype"] == "string":
            row[key] = value
        else:
            flat = np.asarray(value).reshape(-1)
            moments[key].add(flat[None].astype(np.float64))
            row[key] = flat.tolist() if features[key]["shape"] != [1] else flat[0].item()
    return row


def _write_tasks(file: Path, tasks: Mapping[str, int]) -> None:
    """Write the table as pandas writes a frame with the index `task`, without needing pandas."""
    pa, parquet = modules()
    columns = [
        {
            "name": "task_index",
            "field_name": "task_index",
            "pandas_type": "int64",
            "numpy_type": "int64",
            "metadata": None,
        },
        {
            "name": "task",
            "field_name": "task",
            "pandas_type": "unicode",
            "numpy_type": "object",
            "metadata": None,
        },
    ]
    pandas = {"index_columns": ["task"], "column_indexes": [], "columns": columns}
    schema = pa.schema(
        [("task_index", pa.int64()), ("task", pa.string())], metadata={"pandas": json.dumps(pandas)}
    )
    parquet.write_table(pa.table([list(tasks.values()), list(tasks)], schema=schema), file)
