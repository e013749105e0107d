"""Demonstrations: what is recorded is what was played, and nothing that an evaluation plays."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from toysuite import QUICK

import suites
from harness.core import (
    UI,
    Box,
    Brief,
    Discrete,
    Element,
    Elements,
    MultiDiscrete,
    Spec,
    Task,
    Text,
    Texts,
    UIAction,
    UserError,
)
from harness.demos import Demos
from harness.demos.columns import (
    arrow_type,
    brief_from_json,
    brief_to_json,
    decode,
    encode,
    shrunk,
)
from harness.demos.lerobot import export
from harness.demos.record import RecordingOptions, RecordingSummary, record
from harness.demos.training import (
    DEMO_SETS,
    EVALUATION_SETS,
    ROLLOUT_SETS,
    training_seed,
    training_task,
)
from harness.play.progress import PlainProgress, Tally
from harness.play.runner import RunOptions
from harness.records.catalogue import find_suites
from harness.records.plan import SEED_STRIDE
from harness.records.registry import load
from harness.records.traces import read_traces

VIEWS = ("state", "image?")


def recorded(
    out: Path,
    *,
    tasks: Sequence[Task] = toys.TASKS,
    episodes: int = 3,
    noise: float = 0.0,
    progress: Any = None,
) -> RecordingSummary:
    chosen = [(QUICK, task) for task in tasks]
    return record(
        chosen,
        out,
        RecordingOptions(VIEWS, noise=noise),
        RunOptions(workers=0),
        progress or PlainProgress(),
        episodes=episodes,
    )


def content(folder: Path) -> list[Any]:
    return [
        (
            demo.row,
            [
                (f.instruction, f.observation["state"].tolist(), np.asarray(f.action).tolist())
                for f in demo.frames
            ],
        )
        for demo in Demos(folder)
    ]


def test_what_is_recorded_is_what_was_played(tmp_path: Path) -> None:
    done = recorded(tmp_path / "d")
    assert done.demos == 9
    traces = {trace.case: trace for trace in read_traces(tmp_path / "d" / "run")}
    for demo in Demos(tmp_path / "d"):
        played = traces[demo.row.case].decoded()
        assert [np.asarray(frame.executed).tolist() for frame in demo.frames] == [
            np.asarray(action).tolist() for action in played
        ]
        assert demo.row.steps == len(demo.frames) == len(played)
        assert demo.brief.embodiment == "a point that moves in a square"
        for frame in demo.frames:
            for name, spec in demo.brief.observation.items():
                assert spec.problem(frame.observation[name]) is None
            x, y = (np.argwhere(frame.observation["image"][..., 0])[0][::-1] // 2).tolist()
            assert [x, y] == np.floor(frame.observation["state"][:2]).astype(int).tolist()
            assert frame.instruction == "go to {:.0f} {:.0f}".format(
                *frame.observation["state"][2:]
            )
    card = (tmp_path / "d" / "README.md").read_text()
    assert "| toys/glide@1 | toys" in card
    assert "| navigation |       3 |          9 |      9 | 100.0 %" in card
    assert not (tmp_path / "d" / "recorded").exists()


def test_failures_are_left_out(tmp_path: Path) -> None:
    task = toys.toy_task("short", max_steps=9)
    done = recorded(tmp_path / "d", tasks=[task], episodes=20, noise=0.4)
    assert 0 < done.demos < 20
    demos = Demos(tmp_path / "d")
    assert len(demos) == done.demos
    frames = [frame for demo in demos for frame in demo.frames]
    assert any(frame.action != frame.executed for frame in frames)
    assert all(
        frame.action == toys.towards(Discrete(5), *np.split(frame.observation["state"], 2))
        for frame in frames
    )
    assert f"{done.demos} |" in (tmp_path / "d" / "README.md").read_text()


def test_shrunk_pictures_are_what_an_agent_that_shrinks_them_sees(tmp_path: Path) -> None:
    """They are stored without loss, and the brief says their size."""
    recorded(tmp_path / "whole", tasks=toys.TASKS[:1], episodes=1)
    small = RecordingOptions(VIEWS, "webp", pixels=6)
    record(
        [(QUICK, toys.TASKS[0])], tmp_path / "small", small, RunOptions(workers=0),
        PlainProgress(), episodes=1,
    )  # fmt: skip
    (whole,), (shrunken,) = Demos(tmp_path / "whole"), Demos(tmp_path / "small")
    assert shrunken.brief.observation["image"].shape[:2] == (6, 6)
    assert "WebP (lossless), shrunk to 6 x 6 pixels" in (tmp_path / "small/README.md").read_text()
    for one, other in zip(whole.frames, shrunken.frames, strict=True):
        seen = shrunk(one.observation["image"], 6)
        np.testing.assert_array_equal(seen, other.observation["image"])
    grey, spec = np.arange(256, dtype=np.uint8).reshape(16, 16), Box((16, 16), "uint8", 0, 255)
    stored = encode("image_gray", spec, grey, "webp")
    np.testing.assert_array_equal(decode("image_gray", spec, stored), grey)
    # A file of that size whose canvas is larger would take its memory before it is looked at.
    stored = stored[:21] + b"\xff\xff\xff\x0f" + stored[25:]
    with pytest.raises(ValueError, match="not of the size"):
        decode("image_gray", spec, stored)
    with pytest.raises(UserError, match="--pixels"):
        RecordingOptions(pixels=0)


class Interrupting(PlainProgress):
    def update(self, tally: Tally) -> None:
        if tally.done == 4:
            raise KeyboardInterrupt


def test_an_interrupted_recording_goes_on(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        recorded(tmp_path / "cut", progress=Interrupting())
    recorded(tmp_path / "cut")
    recorded(tmp_path / "whole")
    assert content(tmp_path / "cut") == content(tmp_path / "whole")
    again = recorded(tmp_path / "cut")
    assert again.demos == 9


def test_another_recording_in_the_same_place_is_refused(tmp_path: Path) -> None:
    recorded(tmp_path / "d", tasks=toys.TASKS[:1], episodes=1)
    with pytest.raises(UserError, match="choose another --out"):
        recorded(tmp_path / "d", tasks=toys.TASKS[:1], episodes=2)


def test_training_and_evaluation_share_no_seed() -> None:
    """Whatever `bench run --seed` and `--episodes` say.

    The ranges of the sets are disjoint; where seeds only count along a list, the split differs.
    """
    sets = [EVALUATION_SETS, DEMO_SETS, ROLLOUT_SETS]
    assert all(one.stop <= other.start for one, other in itertools.pairwise(sets))
    for name in suites.SUITES:
        for task in find_suites(name, suites.SUITES)[0].tasks:
            evaluated = task.first_seed + EVALUATION_SETS.stop * SEED_STRIDE
            assert task.first_seed + DEMO_SETS.start * SEED_STRIDE >= evaluated
            assert (
                evaluated
                <= training_seed(task, 0, 0)
                <= training_seed(task, len(ROLLOUT_SETS) - 1, SEED_STRIDE - 1)
                < 2**31
            )
            if not load(task.adapter).fixed_episode_list(task):
                assert training_task(task).params.get("split") in (None, "train")
    libero = find_suites("libero-goal", suites.SUITES)[0].tasks[0]
    with pytest.raises(UserError, match="fixed list of episodes"):
        training_task(libero)


def test_seeds_of_demonstrations(tmp_path: Path) -> None:
    recorded(tmp_path / "d", tasks=toys.TASKS[:1], episodes=2)
    assert [row.seed for row in Demos(tmp_path / "d").rows] == [
        1001 * SEED_STRIDE,
        1001 * SEED_STRIDE + 1,
    ]


ELEMENT = Element(1, 0, "button", "ok", "", "b1", ("big",), 1.0, 2.0, 3.0, 4.0, ("clickable",))
VALUES: list[tuple[str, Spec, Any]] = [
    ("image", Box((5, 4, 3), "uint8", 0, 255), np.arange(60, dtype=np.uint8).reshape(5, 4, 3)),
    ("image_gray", Box((5, 4), "uint8", 0, 255), np.arange(20, dtype=np.uint8).reshape(5, 4)),
    ("depth", Box((2, 2), low=0.0, unit="m"), np.array([[0, 1.5], [2, 3]], np.float32)),
    ("state", Box((2,), "float64", (-1.0, 0.0), (1.0, float("inf"))), np.array([0.25, 8])),
    ("direction", Discrete(4, ("a", "b", "c", "d"), noop=2), 3),
    ("state_cells", MultiDiscrete((2, 5)), np.array([1, 4])),
    ("text", Text(20, ("a", "b")), "ü\n"),
    ("admissible", Texts("now"), ("go", "stay")),
    (
        "action",
        UI(64, 48, ("wait", "click", "key"), keys=("Enter",)),
        UIAction("click", x=3.0, y=4.5),
    ),
    ("dom", Elements("all"), (ELEMENT,)),
]


@pytest.mark.parametrize(("name", "spec", "value"), VALUES, ids=[name for name, _, _ in VALUES])
def test_every_kind_of_value_survives(name: str, spec: Spec, value: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    file = io.BytesIO()
    parquet.write_table(
        pa.table({"v": pa.array([encode(name, spec, value)], arrow_type(name, spec))}), file
    )
    back = decode(name, spec, parquet.read_table(file).column("v")[0].as_py())
    assert type(back) is type(value)
    np.testing.assert_equal(back, value)
    brief = Brief(
        {name: spec} if name != "action" else {},
        spec if name == "action" else Discrete(2),
        "body",
        "world",
        5.0,
    )
    assert brief_from_json(brief_to_json(brief)) == brief


def test_a_lerobot_dataset(tmp_path: Path) -> None:
    """The layout that LeRobotDatasetMetadata loads.

    See src/lerobot/datasets/io_utils.py and utils.py of codebase_version v3.0.
    """
    import pandas
    import pyarrow.parquet as parquet
    from PIL import Image

    recorded(tmp_path / "d")
    folders = export(Demos(tmp_path / "d"), tmp_path / "lr")
    assert [folder.name for folder in folders] == ["toys", "toys-2"]
    info = json.loads((folders[1] / "meta" / "info.json").read_text())
    assert (info["codebase_version"], info["total_episodes"], info["splits"]) == (
        "v3.0",
        3,
        {"train": "0:3"},
    )
    assert info["features"]["action"] == {"dtype": "float32", "shape": [2], "names": None}
    tasks = pandas.read_parquet(folders[1] / "meta" / "tasks.parquet")
    assert tasks.index.name == "task"
    assert tasks["task_index"].tolist() == list(range(info["total_tasks"]))
    episodes = pandas.read_parquet(folders[1] / "meta" / "episodes")
    data = parquet.ParquetFile(folders[1] / info["data_path"].format(chunk_index=0, file_index=0))
    rows = data.read().to_pylist()
    assert data.num_row_groups == 3
    assert set(rows[0]) == set(info["features"])
    assert [row["index"] for row in rows] == list(range(info["total_frames"]))
    glides = [demo for demo in Demos(tmp_path / "d") if demo.row.task == "toys/glide@1"]
    for number, demo in enumerate(glides):
        place = slice(episodes["dataset_from_index"][number], episodes["dataset_to_index"][number])
        for step, (row, frame) in enumerate(zip(rows[place], demo.frames)):
            assert (row["frame_index"], row["episode_index"]) == (step, number)
            assert row["timestamp"] == pytest.approx(step / info["fps"])
            assert row["action"] == frame.action.tolist()
            assert tasks.index[row["task_index"]] == frame.instruction
            np.testing.assert_array_equal(
                np.asarray(Image.open(io.BytesIO(row["observation.images.image"]["bytes"]))),
                frame.observation["image"],
            )
    stats = json.loads((folders[1] / "meta" / "stats.json").read_text())
    actions = np.stack([frame.action for demo in glides for frame in demo.frames])
    np.testing.assert_allclose(stats["action"]["mean"], actions.mean(0), rtol=1e-6)
    with pytest.raises(UserError, match="not empty"):
        export(Demos(tmp_path / "d"), tmp_path / "lr")


def test_features_are_called_as_lerobot_calls_them(tmp_path: Path) -> None:
    recorded(tmp_path / "d")
    demos = Demos(tmp_path / "d")
    named = {"image": "observation.images.top"}
    folders = export(demos, tmp_path / "lr", named)
    features = [json.loads((each / "meta/info.json").read_text())["features"] for each in folders]
    pictures = [feature for each in features for feature in each if "images" in feature]
    assert pictures
    assert set(pictures) == {"observation.images.top"}
    for names, words in [
        ({"image": "pictures"}, "a feature is called like observation.state"),
        ({"picture": "observation.image"}, "no exported demonstration has the view picture"),
        ({"image": "observation.place", "state": "observation.place"}, "two views of toys/"),
    ]:
        with pytest.raises(UserError, match=words):
            export(demos, tmp_path / "refused", names)
    assert not (tmp_path / "refused").exists()


def test_what_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="bench demos --suite"):
        Demos(tmp_path)
    with pytest.raises(UserError, match="png, jpeg, webp"):
        RecordingOptions(images="gif")
    with pytest.raises(UserError, match="set"):
        record(
            [(QUICK, toys.TASKS[0])],
            tmp_path / "d",
            RecordingOptions(VIEWS),
            RunOptions(),
            PlainProgress(),
            episodes=1,
            seed=100,
        )
    recorded(tmp_path / "d", tasks=toys.TASKS[:1], episodes=1)
    import pyarrow as pa
    import pyarrow.parquet as parquet

    rows = parquet.read_table(tmp_path / "d" / "episodes.parquet").to_pylist()
    parquet.write_table(
        pa.Table.from_pylist([{**rows[0], "file": "../elsewhere.parquet"}]),
        tmp_path / "d" / "episodes.parquet",
    )
    with pytest.raises(UserError, match="outside"):
        Demos(tmp_path / "d").read(0)
