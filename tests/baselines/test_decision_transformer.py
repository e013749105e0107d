"""The decision transformer: it gets what it is asked for, and forgets nothing but what it must."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import toys
from conftest import read_lines
from toysuite import QUICK

from baselines.decision_transformer.agent import FOLDER, SHIPPED, DecisionTransformer
from baselines.decision_transformer.config import Body, Config
from baselines.decision_transformer.curve import main, median_of, points, table
from baselines.decision_transformer.data import Episodes
from baselines.decision_transformer.model import Model, scaled, unscaled
from baselines.decision_transformer.players import LinearPolicy, Paddle
from baselines.decision_transformer.search import Checkpoint, search
from baselines.decision_transformer.trainer import TRAINER
from harness.cli.names import suites_named
from harness.core import Answer, Box, Brief, Discrete, Turn, UserError
from harness.demos.record import RecordingOptions, record
from harness.demos.trainer import TrainingRequest
from harness.play.planning import make_plan
from harness.play.progress import PlainProgress
from harness.play.runner import RunOptions, play
from harness.records.catalogue import select_tasks
from harness.records.identity import AgentSpec
from harness.testing import check_agent

SURVIVE = toys.toy_task("survive", success=None, max_steps=20, size=4)
SMALL = {"context": 4, "width": 32, "layers": 1, "heads": 2, "batch": 32, "lr": 5e-3, "steps": 110}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of two strengths in `0.0` and `1.0`, others in `other`, and weights in `model`."""
    place = tmp_path_factory.mktemp("dt")
    for name, epsilon, seed, episodes in (
        ("0.0", 0.0, 0, 24),
        ("1.0", 1.0, 0, 24),
        ("other", 0.5, 1, 6),
    ):
        record(
            [(QUICK, SURVIVE)], place / name, RecordingOptions(("state",), keep="all"),
            RunOptions(workers=0), PlainProgress(), episodes=episodes, seed=seed,
            agent=AgentSpec("wanderer", "strengths:Wanderer", {"epsilon": epsilon}),
        )  # fmt: skip
    train(place, place / "model", ["0.0", "1.0"], validation=(place / "other",))
    return place


def train(folder: Path, out: Path, data: Sequence[str], **options: Any) -> None:
    request = TrainingRequest(
        stage="offline", out=out, data=tuple(folder / name for name in data), changes=SMALL,
        threads=1, **options,
    )  # fmt: skip
    TRAINER.train(request, lambda _: None)


def played(weights: Path, out: Path, target: float, lanes: int = 1) -> np.ndarray:
    """The scores of 12 episodes."""
    arguments = {"weights": str(weights), "target_return": target}
    entry = "baselines.decision_transformer:DecisionTransformer"
    spec = AgentSpec("decision-transformer", entry, arguments)
    plan = make_plan([(QUICK, SURVIVE)], spec, episodes=12, seed=0)
    play(spec, ["toys"], plan, out, RunOptions(workers=0, lanes=lanes), PlainProgress())
    return np.array([line["score"] for line in sorted(read_lines(out), key=lambda e: e["seed"])])


def test_it_gets_what_it_is_asked_for(folder: Path, tmp_path: Path) -> None:
    little, much = (played(folder / "model", tmp_path / str(r), r) for r in (1, 18))
    assert little.mean() + 6 < much.mean()
    again = played(folder / "model", tmp_path / "again", 18, lanes=3)
    np.testing.assert_array_equal(much, again, "lanes change no answer")
    found = points([tmp_path / "18", tmp_path / "1"])
    assert [point.requested for point in found] == [1, 18]
    assert found[1].mean.value == pytest.approx(much.mean())
    assert found[1].mean.low is None, "12 episodes are too few for bounds of a mean"
    assert found[1].median == median_of(much)
    assert f"{much.mean():.1f} | none" in table(found)
    made = json.loads((folder / "model" / "training.json").read_text())["offline"]
    assert made["validation_episodes"] == 6
    assert made["return_error"] < made["return_deviation"] / 2


def test_folders_are_drawn_alike_where_that_is_asked_for(folder: Path) -> None:
    """Two folders of 24 and of 6 episodes, whose windows differ in return."""
    folders = [folder / "0.0", folder / "other"]
    shares = {}
    for alike in (False, True):
        config = Config(views=("state",), context=2, folders_alike=alike)
        known = [Episodes([each], config) for each in folders]
        steps = [each.steps for each in known]
        both = Episodes(folders, config)
        drawn = both.draw(np.random.default_rng(0), 4000).returns[:, 0].double().mean().item()
        first, second = (
            each.draw(np.random.default_rng(1), 4000).returns[:, 0].double().mean().item()
            for each in known
        )
        shares[alike] = (drawn - second) / (first - second)
    assert steps[0] == 4 * steps[1]
    assert shares[False] == pytest.approx(steps[0] / sum(steps), abs=0.06)
    assert shares[True] == pytest.approx(0.5, abs=0.06)
    assert TRAINER.alike == {"folders_alike": True}


@pytest.mark.parametrize("exact", [True, False])
def test_contract(folder: Path, exact: bool) -> None:
    args = {"weights": str(folder / "model"), "exact": exact}
    check_agent(DecisionTransformer, [SURVIVE], args=args, steps=6, tolerance=0 if exact else 1e-5)


def test_a_cut_training_goes_on_to_the_same_weights(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(folder, tmp_path / "whole", ["other"], steps=6)
    with monkeypatch.context() as patched:
        patched.setattr("baselines.learning.learner.CHECKPOINT_S", 0.0)
        patched.setattr("baselines.learning.learner.Metrics.add", _cut)
        with pytest.raises(KeyboardInterrupt):
            train(folder, tmp_path / "cut", ["other"], steps=6)
    train(folder, tmp_path / "cut", ["other"], steps=6)
    whole, cut = (Model.load(tmp_path / name).state_dict() for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def _cut(_: Any, step: int, *rest: Any) -> None:
    if step == 4:
        raise KeyboardInterrupt


def test_the_account(folder: Path) -> None:
    """What was estimated is taken off, once for each step, also where none was asked about."""
    agent = DecisionTransformer(weights=str(folder / "model"), target_return=7)
    brief = toys.ToyAdapter(SURVIVE).brief
    state = np.array([1, 1, 1, 1], np.float32)

    def turn(step: int, memory: Any) -> Turn:
        count = min(step + 1, agent.history)
        observations = ({"state": state},) * count
        return Turn(brief, "", observations, (0,) * (count - 1), step, "e", memory)

    def answer(step: int, memory: Any) -> tuple[int, tuple[float, ...]]:
        (given,) = agent.act([turn(step, memory)])
        assert isinstance(given, Answer)
        found: tuple[int, tuple[float, ...]] = given.memory
        return found

    first = answer(0, None)
    assert first == (0, (7.0,))
    second = answer(1, first)
    paid = second[1][0] - second[1][1]
    assert paid == pytest.approx(1.0, abs=0.35), "at the goal each step is rewarded 1"
    late = answer(3, first)[1]
    assert late == pytest.approx([7 - paid * k for k in range(4)], abs=1e-5)
    assert len(answer(9, (8, late))[1]) == agent.history == 4
    assert answer(5, None)[1] == (7.0,) * 4, "a memory that was lost begins anew"


def test_actions_survive_their_scale() -> None:
    spec = Box((2, 2), "float32", (-1.0, 0.0, 2.0, -3.0), (1.0, 5.0, 4.0, 3.0))
    body = Body({"state": Box((1,))}, spec, 1, 0.0, 1.0, 1.0)
    action = np.array([[0.5, 5.0], [2.0, -1.5]], np.float32)
    row = scaled(action, body)
    assert np.abs(row).max() <= 1
    np.testing.assert_allclose(unscaled(row, body), action, rtol=1e-6)
    model = Model(Config(width=16, heads=2, layers=1), body).eval()
    zeros = torch.zeros(1, 3, 1)
    actions = torch.from_numpy(np.stack([row] * 3))[None]
    steps = torch.zeros(1, 3)
    with torch.no_grad():
        predicted = model(steps, steps, zeros, actions)[0, -1]
        alone = model.last(steps, steps, zeros, actions)[0]
    np.testing.assert_allclose(predicted, alone, atol=1e-6)
    assert alone.abs().max() <= 1


def test_what_does_not_fit_is_said(folder: Path, tmp_path: Path) -> None:
    weights = str(folder / "model")
    for arguments, words in [
        ({"weights": str(tmp_path)}, "bench train decision-transformer"),
        ({"weights": weights, "target_return": "much"}, "target_return"),
        ({"weights": weights, "target_return": float("nan")}, "target_return"),
        ({"weights": weights, "temperature": -1}, "temperature"),
        ({"weights": 3}, "cartpole"),
    ]:
        with pytest.raises(UserError, match=words):
            DecisionTransformer(**arguments)  # type: ignore[arg-type]
    view, action = Box((4,)), Discrete(5)
    for brief, words in [
        (Brief({"state": Box((3,))}, action, "", ""), "its view state"),
        (Brief({"state": view}, Discrete(4), "", ""), "5 choices"),
        (Brief({"state": view}, Box((2,)), "", ""), "5 choices"),
    ]:
        missing = DecisionTransformer.unfit({"weights": weights}, brief)
        assert missing is not None
        assert words in missing.reason
    fits = Brief({"state": view}, action, "", "")
    assert DecisionTransformer.unfit({"weights": weights}, fits) is None
    record(
        [(QUICK, toys.TASKS[0])], tmp_path / "demos", RecordingOptions(("state",)),
        RunOptions(workers=0), PlainProgress(), episodes=1,
    )  # fmt: skip
    for request, words in [
        ({}, "--data"),
        ({"data": (tmp_path / "demos",)}, "--keep all"),
        ({"data": (folder / "0.0",), "changes": {"views": ["touch"]}}, "touch was not recorded"),
        ({"data": (folder / "0.0",), "changes": {"width": 6}}, "width"),
        ({"data": (folder / "0.0",), "changes": {"depth": 6}}, "depth"),
        ({"data": (folder / "0.0",), "validation": (folder / "0.0",)}, "another --seed"),
    ]:
        with pytest.raises(UserError, match=words):
            TRAINER.train(
                TrainingRequest(stage="offline", out=tmp_path / "new", **request),  # type: ignore[arg-type]
                lambda _: None,
            )


def test_runs_that_make_no_curve(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                 monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    spec = AgentSpec("uniform", "toys:RandomAgent", {})
    plan = make_plan([(QUICK, SURVIVE)], spec, episodes=1, seed=0)
    play(spec, ["toys"], plan, tmp_path / "r", RunOptions(workers=0), PlainProgress())
    monkeypatch.setattr("sys.argv", ["curve", str(tmp_path / "r")])
    assert main() == 2
    assert "target_return" in capsys.readouterr().err


def test_bounds_of_a_median_cover_it() -> None:
    """Conover's rule: of 20 values the 6th and the 15th, which cover in 95.9 % of samples."""
    found = median_of(np.arange(20.0))
    assert (found.value, found.low, found.high) == (9.5, 5.0, 14.0)
    assert median_of(np.arange(5.0)).low is None
    drawn = np.sort(np.random.default_rng(0).exponential(size=(4000, 20)), axis=1)
    covered = float(((drawn[:, 5] <= np.log(2)) & (np.log(2) <= drawn[:, 14])).mean())
    assert 0.95 < covered < 0.97
    few = median_of(np.array([0.0] * 18 + [100.0] * 2))
    assert (few.low, few.high) == (0.0, 0.0)


class Slope:
    """An environment whose return is larger the nearer the action is to the observation."""

    class Space:
        shape = (1,)
        low, high = np.array([-1.0]), np.array([1.0])

    observation_space = action_space = Space()

    def reset(self, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
        self.rng, self.left = np.random.default_rng(seed), 8
        self.seen = self.rng.uniform(-1, 1, 1)
        return self.seen, {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        reward = -float(np.square(action - self.seen).sum())
        self.seen, self.left = self.rng.uniform(-1, 1, 1), self.left - 1
        return self.seen, reward, False, self.left == 0, {}


def test_the_search_improves_and_goes_on(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "every": 5, "directions": 4, "best": 2, "step": 0.02, "noise": 0.05, "seed": 3,
    }  # fmt: skip
    files = search(Slope(), tmp_path / "whole", iterations=30, **options)
    search(Slope(), tmp_path / "cut", iterations=10, **options)
    again = search(Slope(), tmp_path / "cut", iterations=30, **options)
    assert [file.name for file in again] == [file.name for file in files]
    first, last = (Checkpoint.load(file) for file in (files[0], files[-1]))
    assert last.score > first.score
    np.testing.assert_array_equal(last.matrix, Checkpoint.load(again[-1]).matrix)
    policy = LinearPolicy(str(files[-1]))
    brief = Brief({"state": Box((1,))}, Box((1,), "float32", -1.0, 1.0), "", "")
    turn = Turn(brief, "", ({"state": np.array([0.5])},), (), 0, "e")
    assert policy.act([turn])[0] == pytest.approx(last.act(np.array([0.5])), abs=1e-6)
    (tmp_path / "bad.json").write_text('{"matrix": [1]}')
    for bad in ("none.json", "bad.json"):
        with pytest.raises(UserError, match=bad):
            LinearPolicy(str(tmp_path / bad))


def test_the_paddle_follows_the_ball() -> None:
    gymnasium = pytest.importorskip("gymnasium")
    gymnasium.register_envs(pytest.importorskip("ale_py"))
    env = gymnasium.make("ALE/Breakout-v5", obs_type="ram")
    brief = Brief({"state": Box((128,), "uint8", 0, 255)}, Discrete(4), "", "")
    returned = {}
    for epsilon in (0.0, 1.0):
        agent = Paddle(epsilon)
        memory, _ = env.reset(seed=0)
        returned[epsilon] = 0.0
        for step in range(250):
            turn = Turn(brief, "", ({"state": memory},), (), step, "e", rng_key=1)
            memory, reward, *_ = env.step(agent.act([turn])[0])
            returned[epsilon] += float(reward)
    env.close()
    assert returned[0.0] >= 5 > 2 >= returned[1.0]
    with pytest.raises(UserError, match="epsilon"):
        Paddle(1.5)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_included_weights_are_small_and_have_a_card(name: str) -> None:
    files = [file for file in (FOLDER / name).iterdir() if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 5 << 20
    assert {file.suffix for file in files} == {".json", ".safetensors"}
    assert (FOLDER.parent / "recipes" / f"{name}.sh").is_file()
    made = json.loads((FOLDER / name / "training.json").read_text())["offline"]
    assert made["return_error"] < made["return_deviation"] / 10
    assert f"`{name}`" in (FOLDER / "README.md").read_text()


def test_cartpole_falls_when_it_is_asked_to(tmp_path: Path) -> None:
    pytest.importorskip("gymnasium")
    ((suite, task),) = select_tasks(suites_named("gym:CartPole-v1"), None)
    entry = "baselines.decision_transformer:DecisionTransformer"
    means = []
    for target in (20, 80):
        spec = AgentSpec("dt", entry, {"target_return": target, "exact": False})
        plan = make_plan([(suite, task)], spec, episodes=8, seed=0)
        options = RunOptions(workers=0, lanes=8)
        play(spec, ["gym"], plan, tmp_path / str(target), options, PlainProgress())
        means.append(np.mean([line["score"] for line in read_lines(tmp_path / str(target))]))
    assert means[0] < 40 < means[1] < 160
