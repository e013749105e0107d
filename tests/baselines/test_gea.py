"""GEA: decoding, the prompts of training and of play, the agent, and resumed training."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tinymodels
import torch
import toys
from conftest import read_lines
from gearig import NANO, SMALL, TASKS
from toysuite import QUICK

from baselines.gea.agent import GEA, infer
from baselines.gea.config import Config
from baselines.gea.data import Examples
from baselines.gea.policy import Policy
from baselines.gea.prompt import introduction
from baselines.gea.train import Job, configuration, train
from harness.cli.train import train as train_command
from harness.core import (
    Brief,
    Case,
    Discrete,
    Turn,
    UserError,
)
from harness.demos import Demos
from harness.play.planning import make_plan
from harness.play.progress import PlainProgress
from harness.play.runner import RunOptions, play
from harness.records.identity import AgentSpec
from harness.testing import check_agent

pytestmark = pytest.mark.filterwarnings(
    "ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"
)


# The model


def turns(policy_views: tuple[str, ...] = ("state", "image"), count: int = 4) -> list[Turn]:
    """Turns of both toys, with contexts of different lengths."""
    found = []
    for number in range(count):
        adapter = toys.ToyAdapter(TASKS[number % 2])
        seen = adapter.reset(Case(TASKS[number % 2], number))
        observations = [
            {
                name: view() if callable(view := seen.observation[name]) else view
                for name in policy_views
            }
        ]
        actions = []
        if number > 1:
            actions.append(adapter.brief.action.sample(np.random.default_rng(number)))
            seen = adapter.step(actions[0])
            observations.append(
                {
                    name: view() if callable(view := seen.observation[name]) else view
                    for name in policy_views
                }
            )
        views = {name: adapter.brief.observation[name] for name in policy_views}
        brief = dataclasses.replace(adapter.brief, observation=views)
        found.append(
            Turn(
                brief,
                seen.instruction,
                tuple(observations),
                tuple(actions),
                len(actions),
                f"e{number}",
                rng_key=number,
            )
        )
    return found


def untrained(config: Config, data: Path, out: Path) -> Policy:
    train("tokenizer", Job((data,), out, config), lambda _: None)
    return Policy.new(config, out).eval()


@pytest.mark.parametrize(
    "make", [None, tinymodels.llava_onevision, tinymodels.qwen2_vl], ids=["nano", "llava", "qwen"]
)
def test_decoding_agrees_with_one_forward_pass(make: Any, data: Path, tmp_path: Path) -> None:
    """Decoding with a cache, in a batch and alone, agrees with one pass over everything."""
    config = NANO if make is None else dataclasses.replace(NANO, backbone=str(make(tmp_path / "b")))
    policy = untrained(
        dataclasses.replace(config, rvq=dataclasses.replace(SMALL, steps=1)), data, tmp_path / "m"
    )
    prompts, decisions = infer(policy, turns(), {}, 1.0)
    with torch.no_grad():
        logs, entropies, values = policy.evaluate(prompts, decisions)
    np.testing.assert_allclose([each.log_probability for each in decisions], logs, atol=2e-4)
    np.testing.assert_allclose(np.stack([each.values for each in decisions]), values, atol=1e-4)
    assert bool(((entropies > 0) & (entropies <= 1 + 1e-6)).all())
    for turn, decision in zip(turns(), decisions):
        assert infer(policy, [turn], {}, 1.0)[1][0].tokens == decision.tokens


def test_the_temperature_of_play(nano: Path, tmp_path: Path) -> None:
    """The weights set it unless an argument does; samples depend on case and step only."""
    warm = tmp_path / "warm"
    shutil.copytree(nano, warm)
    dataclasses.replace(NANO, play_temperature=2.0).save(warm)

    def many_turns() -> list[Turn]:
        return [
            dataclasses.replace(turn, rng_key=key, episode=f"e{key}")
            for key, turn in enumerate(turns(count=1) * 24)
        ]

    def answers(weights: Path, **args: Any) -> list[str]:
        agent = GEA(str(weights), **args)
        alone = [repr(agent.act([turn])[0]) for turn in many_turns()]
        assert [repr(answer) for answer in agent.act(many_turns())] == alone
        return alone

    likeliest, drawn = answers(nano), answers(warm)
    assert len(set(likeliest)) == 1
    assert len(set(drawn)) > 1
    assert answers(warm, temperature=0) == likeliest
    assert answers(nano, temperature=2.0) == drawn
    for wrong in (-1, float("nan"), "hot"):
        with pytest.raises(UserError, match="0 for the likeliest"):
            GEA(str(nano), temperature=wrong)  # type: ignore[arg-type]


def test_the_loss_is_on_the_answer_only(nano: Path) -> None:
    policy = Policy.load(nano)
    prompts, decisions = infer(policy, turns(count=2), {}, 0.0)
    answers = [decision.tokens for decision in decisions]
    with torch.no_grad():
        hidden, batch = policy.backbone.hidden_states(prompts, answers)
        # The place before a token predicts it.
        begin = batch.ids.shape[1] - max(map(len, answers)) - 1
        logits = policy.backbone.logits(hidden[:, begin:-1])
        loss = policy.sft_loss(prompts, answers).item()
    by_hand = [
        -logits[row, place].log_softmax(-1)[token].item()
        for row, answer in enumerate(answers)
        for place, token in enumerate(answer)
    ]
    assert loss == pytest.approx(np.mean(by_hand), rel=1e-5)


def test_examples_are_the_prompts_of_play(data: Path, nano: Path, tmp_path: Path) -> None:
    """A demonstration's prompt for a step equals that of an agent in the same episode."""
    policy = Policy.load(nano)
    examples = Examples((data,), NANO, policy.backbone.text_tokenizer, policy.codec)
    demos = Demos(data)
    index = next(row.index for row in demos.rows if row.task == "toys/goal@1" and row.steps > 2)
    demo = demos.read(index)
    shown = tuple(demo.frames[k].observation for k in (1, 2))
    views = {name: demo.brief.observation[name] for name in ("state", "image")}
    turn = Turn(
        dataclasses.replace(demo.brief, observation=views),
        demo.frames[2].instruction,
        shown,
        (demo.frames[1].executed,),
        2,
        "e",
    )
    (played,), _ = infer(policy, [turn], {}, 0.0)
    example, answer = examples.example(0, index, 2)
    assert (played.introduction, played.actions) == (example.introduction, example.actions)
    for one, other in zip(played.steps, example.steps):
        np.testing.assert_array_equal(one.numbers, other.numbers)
        np.testing.assert_array_equal(one.images[0], other.images[0])
    assert policy.codec.decode(demo.brief.action, answer) == demo.frames[2].action


def test_the_instruction_survives_a_short_prompt(nano: Path) -> None:
    tokenizer = Policy.load(nano).backbone.text_tokenizer
    brief = Brief({}, Discrete(2), "a body " * 50, "a world " * 50)
    for full in (False, True):
        text = tokenizer.decode(
            introduction(
                brief,
                "go to 3 4",
                tokenizer,
                dataclasses.replace(NANO, full_prompt=full, prompt_tokens=24),
            )
        )
        assert text.endswith("Instruction: go to 3 4")


# The agent


def test_contract(nano: Path) -> None:
    check_agent(GEA, TASKS, args={"weights": str(nano)}, steps=5, tolerance=1e-5)


def test_it_learns_to_imitate(data: Path, tmp_path: Path) -> None:
    """40 demonstrations of the discrete toy lift it far above chance on unseen episodes."""
    config = dataclasses.replace(
        NANO, views=("state",), history=1, steps=150, batch=64, weights={"navigation": 1.0}
    )
    for stage in ("tokenizer", "sft"):
        train(stage, Job((data,), tmp_path / "m", config), lambda _: None)
    spec = AgentSpec("gea", "baselines.gea:GEA", {"weights": str(tmp_path / "m")})
    rates = {}
    for name, who in (
        ("gea", spec),
        ("uniform", AgentSpec("uniform", "baselines.simple:Uniform", {})),
    ):
        if name == "gea":
            assert (who.to_json()["reads"], who.to_json()["history"]) == (["state"], 1)
        plan = make_plan(
            [(QUICK, dataclasses.replace(TASKS[0], max_steps=14))], who, episodes=30, seed=0
        )
        play(who, ["toys"], plan, tmp_path / name, RunOptions(workers=0, lanes=8), PlainProgress())
        rates[name] = np.mean([line["success"] for line in read_lines(tmp_path / name)])
    assert rates["gea"] > rates["uniform"] + 0.3, rates


def test_without_weights_the_remedy_is_named(data: Path, tmp_path: Path) -> None:
    without = AgentSpec("gea", "baselines.gea:GEA", {"weights": str(tmp_path / "none")})
    for use in (without.build, without.to_json):
        with pytest.raises(UserError, match=r"bench demos .*bench train gea"):
            use()
    with pytest.raises(UserError, match="no field 'layer'; did you mean layers"):
        configuration(tmp_path, None, {"layer": 3})
    with pytest.raises(UserError, match="recipes are nano, nano-vision, paper"):
        configuration(tmp_path, "big", {})
    with pytest.raises(UserError, match="--stage tokenizer"):
        train("sft", Job((data,), tmp_path / "m", NANO), lambda _: None)
    with pytest.raises(UserError, match="does not load"):
        Policy.new(
            dataclasses.replace(NANO, backbone=str(tmp_path / "none")), _codes(data, tmp_path)
        )
    with pytest.raises(UserError, match="--steps"):
        train_command("gea", tmp_path / "m", stage="rl", suite="toysuite:QUICK")
    with pytest.raises(UserError, match="no view 'smell'"):
        train(
            "sft",
            Job((data,), _codes(data, tmp_path), dataclasses.replace(NANO, views=("smell",))),
            lambda _: None,
        )


def _codes(data: Path, tmp_path: Path) -> Path:
    if not (tmp_path / "c").exists():
        train("tokenizer", Job((data,), tmp_path / "c", NANO, steps=1), lambda _: None)
    return tmp_path / "c"


# Resumed training


@pytest.mark.parametrize(("stage", "muon"), [("tokenizer", False), ("sft", False), ("sft", True)])
def test_a_resumed_training_ends_with_the_same_weights(
    stage: str, muon: bool, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from baselines.learning import learner as learning

    config = dataclasses.replace(NANO, muon=muon)
    monkeypatch.setattr(learning, "CHECKPOINT_S", 0.0)
    ends = {}
    for name in ("whole", "cut"):
        out = tmp_path / name
        if stage == "sft":
            train("tokenizer", Job((data,), out, NANO, steps=2), lambda _: None)
        if name == "cut":
            count = 0

            def cut(
                learner: Any, *, now: bool = False, real: Any = learning.Learner.checkpoint
            ) -> None:
                nonlocal count
                real(learner, now=now)
                count += 1
                if count == 3:
                    raise KeyboardInterrupt

            with monkeypatch.context() as patch:
                patch.setattr(learning.Learner, "checkpoint", cut)
                with pytest.raises(KeyboardInterrupt):
                    train(stage, Job((data,), out, config, steps=6), lambda _: None)
        train(stage, Job((data,), out, config, steps=6), lambda _: None)
        ends[name] = (
            (out / ("actions" if stage == "tokenizer" else "model"))
            .with_suffix(".safetensors")
            .read_bytes()
        )
    assert ends["cut"] == ends["whole"]
    with pytest.raises(UserError, match="another"):
        train(stage, Job((data,), tmp_path / "cut", config, seed=1, steps=6), lambda _: None)
