"""What our agents say that they were trained on is what their weights record, and no more."""

from __future__ import annotations

import json
from pathlib import Path

import baselines
from baselines.gea.agent import GEABase, GEAState
from baselines.transformer_bc.agent import SHIPPED, TransformerBC
from harness.cli.names import suites_named
from harness.cli.train import _say_what_on
from harness.demos.trainer import TrainingRequest
from harness.host.loading import load_adapter
from harness.records.training_data import (
    FILE,
    TrainingData,
    joined,
    read_training_data,
    write_training_data,
)

GEA_SUITES = "babyai,babyai-planning,metaworld,fetch,pointmaze,miniwob,alfworld-synthetic,pddl"
ROOT = Path(baselines.__file__).parent


def test_transformer_bc_names_the_sentences_of_its_training() -> None:
    data = read_training_data(TransformerBC.trained_on({}))
    recorded = json.loads((SHIPPED / "training.json").read_text())["bc"]
    assert data.axes["instruction"] == set(recorded["sentences"])
    (suite,) = suites_named("babyai-worded")
    trained = {task.id for task in suite.tasks if "-trained@" in task.id}
    assert data.axes["task"] == trained
    assert set(data.axes) == {"task", "instruction"}
    assert TransformerBC.trained_on({"untrained": True}) == ""
    assert TransformerBC.trained_on({"weights": str(ROOT)}) == ""


def test_gea_names_the_tasks_whose_experts_it_saw_and_those_that_it_played() -> None:
    tasks = {
        task.id
        for suite in suites_named(GEA_SUITES)
        for task in suite.tasks
        if load_adapter(task.adapter).has_expert(task)
    }
    assert read_training_data(GEABase.trained_on({})).axes == {"task": tasks}
    recorded = json.loads((ROOT / "gea/weights/gea-state/training.json").read_text())
    assert read_training_data(GEAState.trained_on({})).axes["task"] == tasks | set(
        recorded["rl"]["tasks"]
    )


def test_a_training_says_what_its_data_say(tmp_path: Path) -> None:
    for name, axes in (("a", {"task": ["t"], "start": ["1"]}), ("b", {"task": ["u"]})):
        (tmp_path / name).mkdir()
        write_training_data(tmp_path / name, name, axes)
    out = tmp_path / "out"
    out.mkdir()
    folders = (tmp_path / "a", tmp_path / "b")
    _say_what_on(TrainingRequest(stage="bc", out=out, data=folders))
    found = read_training_data(out)
    assert (found.description, found.axes) == ("a; b", {"task": {"t", "u"}})
    _say_what_on(TrainingRequest(stage="bc", out=out, data=(*folders, tmp_path)))
    assert not (out / FILE).exists()
    assert joined([]) == TrainingData(description="", axes={})
