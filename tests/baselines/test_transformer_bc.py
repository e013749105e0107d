"""transformer-bc: its fusions, its training, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import read_lines

import baselines
from adapters._worded_sentences import KINDS, sentences
from baselines.transformer_bc import TransformerBC
from baselines.transformer_bc.agent import SHIPPED
from baselines.transformer_bc.config import FUSIONS, Config
from baselines.transformer_bc.data import Examples
from baselines.transformer_bc.inputs import Query, token_ids
from baselines.transformer_bc.model import Model
from baselines.transformer_bc.train import train
from harness.core import UserError
from harness.demos.record import RecordingOptions, record
from harness.demos.trainer import TrainingRequest
from harness.play.planning import make_plan
from harness.play.progress import PlainProgress
from harness.play.runner import RunOptions, play
from harness.records.catalogue import find_agent
from harness.testing import check_agent
from suites.worded import SUITES

(SUITE,) = SUITES
TASKS = [task for task in SUITE.tasks if task.id.endswith("-trained@1")]
TINY = {"width": 16, "heads": 2, "layers": 2, "words": 300, "batch": 16, "lr": 5e-3, "steps": 4}


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few demonstrations of each kind of mission."""
    out = tmp_path_factory.mktemp("demos")
    record(
        [(SUITE, task) for task in TASKS],
        out,
        RecordingOptions(("grid", "direction", "image_partial")),
        RunOptions(workers=0),
        PlainProgress(),
        episodes=8,
    )
    return out


@pytest.fixture(scope="module")
def weights(demos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A barely trained model."""
    return trained(demos, tmp_path_factory.mktemp("bc"))


def trained(demos: Path, out: Path, **changes: object) -> Path:
    request = TrainingRequest(
        stage="bc", out=out, data=(demos,), changes={**TINY, **changes}, threads=1
    )
    return train(request, lambda _: None)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_each_fusion_reads_the_words_and_the_views_and_learns_from_both(
    demos: Path, weights: Path, fusion: str
) -> None:
    config = dataclasses.replace(Config.load(weights), fusion=fusion)
    torch.manual_seed(0)
    model = Model(config, Model.load(weights).tokenizer)
    queries, answers = Examples([demos], config, model.tokenizer).draw(np.random.default_rng(0), 12)
    logits = model(queries)
    assert logits.shape == (12, len(config.actions))
    torch.nn.functional.cross_entropy(logits, torch.tensor(answers)).backward()
    dead = [
        name for name, weight in model.named_parameters()
        if weight.grad is None or not weight.grad.any()
    ]  # fmt: skip
    # Softmax is the same with any constant added to all logits, and so is attention with keys.
    assert all(name.endswith("bias") for name in dead), dead
    one, other = queries[0], next(q for q in queries if q.seen is not queries[0].seen)
    said = token_ids("flee from the grey crate", model.tokenizer, config)
    with torch.no_grad():
        base, words, seen, past = model(
            [
                one,
                Query(said, one.seen, one.past),
                Query(one.instruction, other.seen, one.past),
                Query(one.instruction, one.seen, (*one.past, 2)[-3:]),
            ]
        )
    for changed in (words, seen, past):
        assert not torch.allclose(base, changed, atol=1e-6)


def test_padding_changes_nothing(demos: Path, weights: Path) -> None:
    model = Model.load(weights)
    queries, _ = Examples([demos], model.config, model.tokenizer).draw(np.random.default_rng(1), 6)
    empty = Query(token_ids("", model.tokenizer, model.config), queries[0].seen, ())
    with torch.no_grad():
        together = model([*queries, empty])
        alone = torch.cat([model([each]) for each in (*queries, empty)])
    assert torch.allclose(together, alone, atol=1e-5)


def test_the_contract_is_kept_and_embeddings_are_of_the_sentence_alone(weights: Path) -> None:
    check_agent(TransformerBC, TASKS[:2], args={"weights": str(weights)}, steps=3, tolerance=1e-5)
    agent = TransformerBC(str(weights))
    texts = ["go to the red ball", "run away from the yellow latchkey", ""]
    found = agent.embed(texts)
    assert found.shape == (3, 128)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    for text, row in zip(texts, found):
        assert np.allclose(agent.embed([text])[0], row, atol=1e-5)
    assert agent.embed([]).shape == (0, 128)
    random = TransformerBC(str(weights), untrained=True).embed(texts)
    assert np.array_equal(random, TransformerBC(str(weights), untrained=True).embed(texts))
    others = [TransformerBC(str(weights), untrained=seed).embed(texts) for seed in (2, 2, 3)]
    assert np.array_equal(others[0], others[1])
    assert not np.allclose(others[0], others[2])
    assert not np.allclose(others[0], random)
    with pytest.raises(UserError, match="untrained is -1"):
        TransformerBC(str(weights), untrained=-1)
    assert not np.allclose(random, found)


def test_a_training_that_is_cut_off_continues_to_the_same_weights(
    demos: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from baselines.learning import learner

    def stop(self: learner.Learner, *, now: bool = False) -> None:
        saved(self, now=True)
        if self.step == 2 and not cut:
            cut.append(self.step)
            raise KeyboardInterrupt

    saved, cut = learner.Learner.checkpoint, list[int]()
    monkeypatch.setattr(learner.Learner, "checkpoint", stop)
    with pytest.raises(KeyboardInterrupt):
        trained(demos, tmp_path)
    trained(demos, tmp_path)
    assert cut == [2]
    for name in ("model.safetensors", "words.json", "config.json", "training.json"):
        assert (tmp_path / name).read_bytes() == (weights / name).read_bytes(), name
    with pytest.raises(UserError, match="a training with another configuration"):
        trained(demos, tmp_path, lr=1e-3)


def test_it_learns_from_pictures_too_and_keeps_the_best_weights(
    demos: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    held_out = tmp_path / "held-out"
    record(
        [(SUITE, TASKS[0])], held_out, RecordingOptions(("image_partial",)),
        RunOptions(workers=0), PlainProgress(), episodes=2, seed=1,
    )  # fmt: skip
    request = TrainingRequest(
        stage="bc", out=tmp_path / "m", data=(demos,), steps=30, threads=1,
        changes={**TINY, "views": ["image_partial"], "validate_every": 15},
    )  # fmt: skip
    with pytest.raises(UserError, match="name them with --validation"):
        train(request, said.append)
    with pytest.raises(UserError, match="episodes that are learned"):
        train(dataclasses.replace(request, validation=(demos,)), said.append)
    train(dataclasses.replace(request, validation=(held_out,)), said.append)
    losses = [float(line.split()[3].rstrip(",")) for line in said if "validation" in line]
    assert len(losses) == 2
    assert losses[-1] < np.log(7), "chance"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"fusion": "erly"}, "did you mean early"),
        ({"width": 15}, "divisible by heads"),
        ({"width": 10**9}, "whole number from 1 to 4096"),
        ({"layers": True}, "whole number from 1 to 4096"),
        ({"views": []}, "there must be a view"),
        ({"wdth": 8}, "has no field 'wdth'"),
    ],
)
def test_a_wrong_configuration_is_one_line(changes: dict[str, object], why: str) -> None:
    with pytest.raises(UserError, match=why):
        Config.from_json(changes)


def test_what_cannot_be_trained_or_loaded_is_one_line(
    demos: Path, weights: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="name demonstrations with --data"):
        train(TrainingRequest(stage="bc", out=tmp_path), print)
    with pytest.raises(UserError, match="have no view 'image'"):
        trained(demos, tmp_path / "x", views=["image"])
    with pytest.raises(UserError, match="there is no such file"):
        train(TrainingRequest(stage="bc", out=tmp_path, data=(demos,), config="nano"), print)
    with pytest.raises(UserError, match="leave --init out"):
        train(TrainingRequest(stage="bc", out=tmp_path, data=(demos,), init=weights), print)
    with pytest.raises(UserError, match="holds no weights of transformer-bc"):
        TransformerBC(str(tmp_path / "nothing"))
    copy = tmp_path / "copy"
    shutil.copytree(weights, copy)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "width": 32}))
    with pytest.raises(UserError, match="no weights that fit its configuration"):
        TransformerBC(str(copy))
    (copy / "words.json").write_text("{}")
    with pytest.raises(UserError, match="no weights that fit its configuration"):
        TransformerBC(str(copy))
    (copy / "config.json").write_text("[1]")
    with pytest.raises(UserError, match="no configuration of transformer-bc"):
        TransformerBC(str(copy))


def test_a_task_with_other_actions_is_not_played(weights: Path) -> None:
    import toys

    args = {"weights": str(weights)}
    missing = TransformerBC.unfit(args, toys.ToyAdapter(toys.toy_task()).brief)
    assert missing is not None
    assert "one of 7 actions, left, right" in missing.reason


def test_the_shipped_weights_are_small_and_never_learned_a_held_out_sentence() -> None:
    files = [file for file in SHIPPED.iterdir() if file.is_file()]
    assert {file.suffix for file in files} == {".json", ".safetensors"}
    assert sum(file.stat().st_size for file in files) < 5 << 20
    made = json.loads((SHIPPED / "training.json").read_text())["bc"]
    known = {text for kind in KINDS for text in sentences(kind, "train")}
    assert set(made["sentences"]) == known
    config = Config.load(SHIPPED)
    assert config == dataclasses.replace(Config(), actions=config.actions)
    assert made["steps"] == config.steps


def test_the_shipped_weights_follow_held_out_sentences(tmp_path: Path) -> None:
    chosen = [(SUITE, task) for task in SUITE.tasks if task.id.endswith("-heldout@1")]
    spec = find_agent("transformer-bc", {}, baselines.AGENTS)
    plan = make_plan(chosen, spec, episodes=6, seed=0)
    play(spec, ["here"], plan, tmp_path, RunOptions(workers=0, lanes=18), PlainProgress())
    rates = [line["success"] for line in read_lines(tmp_path)]
    assert len(rates) == 18
    assert np.mean(rates) >= 0.7
