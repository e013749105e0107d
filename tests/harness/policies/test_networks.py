"""TorchScript and ONNX files: the same actions as the network gives by itself, and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bench
from harness.core import Answer, Box, Brief, Discrete, Text, Turn, UserError
from harness.policies.onnx import Onnx
from harness.policies.torchscript import TorchScript
from harness.records.registry import load

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

TORCHSCRIPT = "harness.policies.torchscript:TorchScript"
WEIGHTS = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
PROFILE = """
control_hz = 80.0

[[image]]
key = "image"
view = "image"
shape = [24, 24]
channels = "first"
dtype = "float32"
range = [0.0, 1.0]
orientation = "upright"
colours = "rgb"

[[vector]]
key = "state"
size = 4
parts = [{ view = "proprio", size = 4 }]

[action]
chunk = 3
execute = 2
normalisation = { method = "none" }

[[action.field]]
name = "all"
size = 2
kind = "unknown"
"""


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Linear(torch.nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.weights = torch.nn.Parameter(torch.from_numpy(WEIGHTS))

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        return state @ self.weights.T


class Two(torch.nn.Module):  # type: ignore[misc]
    """A chunk of three actions from a picture and a state."""

    def forward(self, image: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        each = torch.stack([image.mean(dim=[1, 2, 3]), state.sum(dim=1)], dim=1)
        return torch.stack([each, each + 1, each + 2], dim=1)


class Drawing(torch.nn.Module):  # type: ignore[misc]
    def forward(self, state: torch.Tensor) -> torch.Tensor:
        return torch.rand(1, 2)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def scripted(network: Any, file: Path) -> str:
    torch.jit.script(network).save(str(file))
    return str(file)


def linear_onnx(file: Path, dtype: Any = None, external: bool = False) -> str:
    """The network of Linear as ONNX."""
    helper, kinds = onnx.helper, onnx.TensorProto
    kind = kinds.FLOAT if dtype is None else dtype
    weights = onnx.numpy_helper.from_array(np.ascontiguousarray(WEIGHTS.T), "weights")
    nodes = [helper.make_node("MatMul", ["x", "weights"], ["out"])]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("x", kind, [1, 4])],
        [helper.make_tensor_value_info("out", kinds.FLOAT, [1, 2])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(file), save_as_external_data=external, size_threshold=0)
    return str(file)


def balanced(turns: Any) -> list[int]:
    """The same network in numpy."""
    return [int((WEIGHTS @ turn.observation["state"]).argmax()) for turn in turns]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", ["torchscript", "onnx"])
def test_the_results_are_those_of_the_network_itself(kind: str, tmp_path: Path) -> None:
    if kind == "onnx":
        file = linear_onnx(tmp_path / "linear.onnx")
    else:
        file = scripted(Linear(), tmp_path / "linear.pt")

    def results(agent: Any, out: str, **options: Any) -> list[Any]:
        report = bench.evaluate(
            agent, "gym:CartPole-v1", episodes=5, workers=0, out=tmp_path / out, **options
        )
        run = bench.load_run(report.path)
        return [(each.case, each.score, each.digest) for each in run.results()]

    theirs = results(balanced, "function", reads=("state",))
    assert results(f"{kind}:{file}", "file") == theirs
    assert len({score for _, score, _ in theirs}) > 1
    entry = {"onnx": "harness.policies.onnx:Onnx", "torchscript": TORCHSCRIPT}[kind]
    task = load("adapters.gym_task:task_named")("CartPole-v1")
    bench.check_agent(entry, [task], args={"path": file})


def turn(views: dict[str, Any], action: Any, key: int = 0) -> Turn:
    specs = {name: Box(np.shape(value), str(value.dtype)) for name, value in views.items()}
    brief = Brief(specs, action, "", "", control_hz=80.0)
    return Turn(brief, "go", (views,), (), 0, "e", None, None, key)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_profile_names_the_inputs_and_splits_the_chunk(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(PROFILE)
    profile = str(tmp_path / "mine.toml")
    agent = TorchScript(scripted(Two(), tmp_path / "two.pt"), profile=profile)
    assert agent.reads == ("image", "proprio")
    picture = np.full((24, 24, 3), 51, np.uint8)
    asked = turn({"image": picture, "proprio": np.ones(4, np.float32)}, Box((2,)))
    answer = agent.act([asked])[0]
    assert isinstance(answer, Answer)
    np.testing.assert_allclose(answer.actions, [[0.2, 4.0], [1.2, 5.0]], rtol=1e-6)
    np.testing.assert_allclose(answer.rest, [[2.2, 6.0]], rtol=1e-6)
    arguments = {"path": "two.pt", "profile": profile}
    assert TorchScript.declares(arguments) == (("image", "proprio"), 1)
    assert TorchScript.unfit(arguments, asked.brief) is None
    larger = turn({"image": np.zeros((32, 32, 3), np.uint8), "proprio": np.ones(4)}, Box((2,)))
    assert TorchScript.unfit(arguments, larger.brief) is not None
    with pytest.raises(ValueError, match="forward takes state, and is given image, state"):
        TorchScript(scripted(Linear(), tmp_path / "one.pt"), profile=profile).act([asked])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_a_network_draws_depends_on_the_turn_alone(tmp_path: Path) -> None:
    file = scripted(Drawing(), tmp_path / "drawing.pt")
    turns = [turn({"state": np.zeros(4, np.float32)}, Box((2,)), key) for key in range(5)]
    before = torch.get_rng_state()
    alone = [TorchScript(file).act([each])[0].actions[0].tolist() for each in turns]
    again = [turn(each.observation, Box((2,)), each.rng_key) for each in turns[::-1]]
    together = [each.actions[0].tolist() for each in TorchScript(file).act(again)]
    assert alone == together[::-1]
    assert len(set(map(tuple, alone))) == 5
    assert torch.equal(torch.get_rng_state(), before)


def test_onnx_gets_the_dtype_that_it_asks_for(tmp_path: Path) -> None:
    agent = Onnx(linear_onnx(tmp_path / "linear.onnx"))
    state = np.arange(4, dtype=np.float64)
    answer = agent.act([turn({"state": state}, Box((2,)))])[0]
    np.testing.assert_allclose(answer.actions, [WEIGHTS @ state.astype(np.float32)], rtol=1e-6)
    with pytest.raises(ValueError, match=r"shape \(1, 2\); an action of the task has \(3,\)"):
        agent.act([turn({"state": state}, Box((3,)))])
    with pytest.raises(ValueError, match="the task has 5 choices"):
        agent.act([turn({"state": state}, Discrete(5))])


def test_weights_in_another_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = linear_onnx(tmp_path / "linear.onnx", external=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="with its weights in the one file"):
        Onnx(file)


@pytest.mark.parametrize(("kind", "name"), [(TorchScript, "x.pt"), (Onnx, "x.onnx")])
def test_what_is_no_network_is_refused(kind: Any, name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        kind(str(tmp_path / name))
    (tmp_path / name).write_bytes(b"hello")
    with pytest.raises(UserError, match=r"x\.(pt is no file of torch|onnx cannot be loaded)"):
        kind(str(tmp_path / name))
    found = kind.unfit({"path": "x"}, Brief({}, Text(), "", ""))
    assert "an action of the task is Text" in found.reason
