"""PPO: its parts by hand, its rollouts, and a model of `transformers` through all stages."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tinymodels
import torch
import toys
from gearig import NANO, SMALL, TASKS
from toysuite import QUICK

from baselines.gea.agent import GEA
from baselines.gea.config import Config
from baselines.gea.policy import Decision, Policy
from baselines.gea.ppo import advantages
from baselines.gea.rollouts import Rollouts
from baselines.gea.train import RECIPES, Job, train
from harness.core import DOMAINS, UserError
from harness.demos.training import ROLLOUT_SETS
from harness.play.planning import make_plan
from harness.play.progress import PlainProgress
from harness.play.runner import RunOptions, play
from harness.records.identity import AgentSpec
from harness.records.plan import SEED_STRIDE

pytestmark = pytest.mark.filterwarnings(
    "ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"
)


def test_advantages_by_hand() -> None:
    """Three steps with gamma 0.5 and lambda 0.5, worked out by hand."""
    found = advantages(np.array([1.0, 0, 2]), np.array([1.0, 2, 4]), 8.0, 0.5, 0.5)
    np.testing.assert_allclose(found, [1 + 0.25 * (0 + 0.25 * 2), 0 + 0.25 * 2, 2])
    np.testing.assert_allclose(advantages(np.array([1.0]), np.array([3.0]), 0.0, 0.9, 0.95), [-2])


def test_popart_changes_no_value(nano: Path) -> None:
    """The value head follows the moments (arXiv 1602.07714, proposition 1)."""
    policy = Policy.load(nano)
    torch.nn.init.normal_(policy.value_head.weight)
    hidden = torch.randn(5, policy.backbone.width)

    def values() -> torch.Tensor:
        return policy.value(hidden) * policy.return_std() + policy.mean

    with torch.no_grad():
        before, moments = values(), policy.mean.clone()
        policy.update_popart(100 + 20 * torch.randn(64), torch.full((64,), 1))
        np.testing.assert_allclose(values(), before, rtol=1e-4, atol=1e-3)
    assert policy.mean[1] > moments[1]
    assert policy.mean[0] == moments[0]


def test_rollouts(nano: Path) -> None:
    """Each reward belongs to the decision before it; evaluations never play these seeds."""
    policy = Policy.load(nano)
    rollouts = Rollouts(
        policy, [[toys.toy_task(size=4), toys.toy_task("glide", action="box", size=4)]], 0
    )
    segments = rollouts.collect(120)
    rollouts.stop()
    assert sum(len(segment.transitions) for segment in segments) >= 120
    results = [outcome.result for outcome in rollouts.finished]
    assert {result.task for result in results} == {"toys/goal@1", "toys/glide@1"}
    assert min(result.seed for result in results) >= ROLLOUT_SETS.start * SEED_STRIDE
    assert len({result.seed for result in results}) == len(results)
    ended = [segment.transitions for segment in segments if segment.following is None]
    assert len(ended) == len(results)
    assert sorted(sum(each.reward for each in steps) for steps in ended) == sorted(
        result.score for result in results
    )
    for segment in segments:
        steps = segment.transitions
        assert all(each.reward == 0 for each in steps[:-1])
        assert isinstance(steps[0].decision, Decision)
        assert {each.domain for each in steps} == {DOMAINS.index("navigation")}
        if segment.following is None and steps[-1].reward:
            assert steps[-1].reward == 1


def test_a_value_from_before_popart_moved_keeps_its_meaning(nano: Path) -> None:
    """The newest decision of each lane waits for the next rollouts, and PopArt moves in between."""
    policy = Policy.load(nano)
    torch.nn.init.normal_(policy.value_head.weight)
    rollouts = Rollouts(policy, [[toys.toy_task(size=9)]], 0)
    domain = DOMAINS.index("navigation")
    waiting = [each.following for each in rollouts.collect(60) if each.following is not None]
    normalised = [each.decision.values[domain] for each in waiting]  # mean 0, deviation 1
    assert [each.value for each in waiting] == pytest.approx(normalised)
    policy.update_popart(100 + 20 * torch.randn(64), torch.full((64,), domain))
    rollouts.weights_changed()
    segments = rollouts.collect(60)
    rollouts.stop()
    first = {id(each.transitions[0]): each.transitions for each in segments}
    assert any(id(each) in first and len(first[id(each)]) > 1 for each in waiting)
    assert [each.value for each in waiting] == pytest.approx(normalised)
    mean, std = policy.mean[domain].item(), policy.return_std()[domain].item()
    assert min(abs(value * std + mean - value) for value in normalised) > 10, "by today's moments"
    for transition in (each for steps in first.values() for each in steps[1:]):
        assert transition.value == pytest.approx(
            transition.decision.values[domain] * std + mean, rel=1e-5
        )
        assert abs(transition.value) < 50, "the head follows the moments"


def test_suites_get_equally_many_decisions(nano: Path) -> None:
    """Whatever the length of their episodes. A resumed training plays no seed twice."""
    long = [toys.toy_task("survive", success=None, max_steps=20)]
    short = [toys.toy_task("one", size=4, max_steps=2), toys.toy_task("two", size=4, max_steps=2)]
    policy = Policy.load(nano)
    rollouts = Rollouts(policy, [long, short], 0)
    rollouts.collect(1500)
    rollouts.stop()
    played: dict[str, int] = {}
    for outcome in rollouts.finished:
        played[outcome.result.task] = played.get(outcome.result.task, 0) + outcome.result.steps
    shares = {name: steps / sum(played.values()) for name, steps in played.items()}
    assert shares["toys/survive@1"] == pytest.approx(0.5, abs=0.1), shares
    assert shares["toys/one@1"] == pytest.approx(0.25, abs=0.1), shares
    more = Rollouts(policy, [long, short], 0, json.loads(json.dumps(rollouts.state())))
    more.collect(100)
    more.stop()
    assert not {each.result.seed for each in rollouts.finished} & {
        each.result.seed for each in more.finished
    }


APART = {"critic_apart": True, "rl_falls": True, "mixed_precision": True, "at_once": 7}


@pytest.mark.parametrize("changes", [{}, APART], ids=["paper", "apart"])
def test_rl_learns_what_is_rewarded(
    changes: dict[str, Any], nano: Path, data: Path, tmp_path: Path
) -> None:
    """One state and two choices: the probability of the rewarded one rises."""
    task = dataclasses.replace(toys.toy_task(size=2), max_steps=3)
    config = dataclasses.replace(
        NANO,
        sft_share=0.0,
        rl_lr=3e-3,
        entropy=0.0,
        rollout=20,
        lanes=8,
        epochs=2,
        minibatches=2,
        **changes,
    )
    train(
        "rl",
        Job((), tmp_path / "rl", config, tasks=[(QUICK, task)], steps=1600, init=nano),
        lambda _: None,
    )
    made = json.loads((tmp_path / "rl" / "training.json").read_text())
    assert 1600 <= made["rl"]["steps"] < 1800, "the decisions played: whole rollouts"
    rates = []
    for weights in (nano, tmp_path / "rl"):
        rollouts = Rollouts(Policy.load(weights), [[task]], 7)
        rollouts.collect(400)
        rollouts.stop()
        rates.append(np.mean([outcome.result.success for outcome in rollouts.finished]))
    assert rates[1] > rates[0] + 0.1, rates


def test_the_parts_of_a_minibatch_add_up(nano: Path, data: Path, tmp_path: Path) -> None:
    """The number of decisions per forward pass changes an update only by rounding."""
    saved = []
    for at_once in (3, 1000):
        config = dataclasses.replace(NANO, rollout=6, lanes=4, rl_lr=1e-3, at_once=at_once)
        torch.manual_seed(0)
        job = Job(
            (data,),
            tmp_path / str(at_once),
            config,
            tasks=[(QUICK, task) for task in TASKS],
            steps=1,
            init=nano,
        )
        train("rl", job, lambda _: None)
        saved.append(Policy.load(job.out).saved_tensors())
    before = Policy.load(nano).saved_tensors()
    assert any(not torch.equal(saved[0][name], before[name]) for name in before)
    for name in before:
        np.testing.assert_allclose(saved[0][name].detach(), saved[1][name].detach(), atol=1e-4)


def test_only_the_critic_is_trained_at_first(nano: Path, tmp_path: Path) -> None:
    """No other weight changes, and the values grow towards the end of an episode."""
    config = dataclasses.replace(
        NANO, sft_share=0.0, rl_lr=3e-4, rollout=20, lanes=8, critic_first=1600, gamma=0.5
    )
    train(
        "rl",
        Job(
            (),
            tmp_path / "rl",
            config,
            tasks=[(QUICK, toys.toy_task(size=4))],
            steps=1600,
            init=nano,
        ),
        lambda _: None,
    )
    before, policy = Policy.load(nano), Policy.load(tmp_path / "rl")
    moved = {
        name.partition(".")[0]
        for name, value in policy.saved_tensors().items()
        if not torch.equal(value, before.saved_tensors()[name])
    }
    assert moved == {"critic", "value_head", "mean", "square", "seen"}
    rollouts = Rollouts(policy, [[toys.toy_task(size=4)]], 3)
    values: dict[bool, list[float]] = {True: [], False: []}
    domain = DOMAINS.index("navigation")
    for segment in rollouts.collect(1200):
        steps = segment.transitions
        if segment.following is None and steps[-1].reward > 0:
            for each in steps:
                values[each is steps[-1]].append(float(each.decision.values[domain]))
    rollouts.stop()
    assert np.mean(values[True]) > np.mean(values[False]) + 0.1, (
        "the last step before a reward is worth more"
    )


def test_temperature(nano: Path) -> None:
    """`evaluate` agrees with sampling at any temperature; entropy rises with temperature."""
    entropies = []
    for temperature in (0.25, 1.0, 4.0):
        policy = Policy.load(nano)
        policy.config = dataclasses.replace(policy.config, temperature=temperature)
        rollouts = Rollouts(
            policy, [[toys.toy_task(size=4), toys.toy_task("glide", action="box", size=4)]], 0
        )
        steps = [each for segment in rollouts.collect(200) for each in segment.transitions]
        rollouts.stop()
        now, entropy, _ = policy.evaluate(
            [each.prompt for each in steps], [each.decision for each in steps]
        )
        np.testing.assert_allclose(
            now.detach(), [each.decision.log_probability for each in steps], atol=1e-3
        )
        entropies.append(float(entropy.detach().mean()))
    assert entropies[0] < entropies[1] < entropies[2]
    for wrong in ({"temperature": 0.0}, {"play_temperature": -0.1}):
        with pytest.raises(UserError, match="temperature"):
            dataclasses.replace(NANO, **wrong)


@pytest.mark.parametrize("make", [tinymodels.llava_onevision, tinymodels.qwen2_vl])
def test_a_model_of_transformers_passes_all_stages(make: Any, data: Path, tmp_path: Path) -> None:
    """Tokenizer, SFT with LoRA, a PPO update, save, load, play."""
    folder = make(tmp_path / "b")
    config = dataclasses.replace(
        NANO, backbone=str(folder), views=("image?", "state?"), full_prompt=True, lora=2, steps=3,
        batch=4, lanes=2, rollout=3, answer_tokens=8, rvq=dataclasses.replace(SMALL, steps=2),
    )  # fmt: skip
    chosen = [(QUICK, task) for task in TASKS]
    train("tokenizer", Job((data,), tmp_path / "m", config), lambda _: None)
    train("sft", Job((data,), tmp_path / "m", config), lambda _: None)
    saved = Policy.load(tmp_path / "m").saved_tensors()
    assert all("lora_" in name or "model." not in name for name in saved)
    assert any("lora_" in name for name in saved)
    train(
        "rl",
        Job((data,), tmp_path / "rl", config, tasks=chosen, steps=6, init=tmp_path / "m"),
        lambda _: None,
    )
    learned = Policy.load(tmp_path / "rl").saved_tensors()
    assert any(not torch.equal(learned[name], saved[name]) for name in saved if "lora_" in name)
    spec = AgentSpec("gea", "baselines.gea:GEA", {"weights": str(tmp_path / "rl")})
    plan = make_plan(
        [(QUICK, dataclasses.replace(task, max_steps=4)) for task in TASKS],
        spec,
        episodes=1,
        seed=0,
    )
    summary = play(
        spec, ["toys"], plan, tmp_path / "run", RunOptions(workers=0, lanes=2), PlainProgress()
    )
    assert (summary.missing, summary.agent_errors) == (0, 0)


def test_a_lora_added_for_rl_is_merged(data: Path, tmp_path: Path) -> None:
    """The paper's recipe in small: SFT of all weights, PPO by LoRA; the saved model has no LoRA.

    While its suite is played alone, the context is another one.
    """
    config = Config.read(
        RECIPES / "paper.json",
        {
            "backbone": str(tinymodels.llava_onevision(tmp_path / "b")),
            "rvq": dataclasses.asdict(dataclasses.replace(SMALL, steps=2, warmup=0.5)),
            **{"history": 2, "image_rows": 2, "prompt_tokens": 24, "processes": 1, "rl_lora": 2},
            **{"steps": 2, "batch": 4, "lanes": 2, "rollout": 6, "critic_width": 8, "rl_lr": 1e-2},
            "contexts": {QUICK.name: {"history": 4, "image_rows": 1}},
        },
    )
    for stage in ("tokenizer", "sft"):
        train(stage, Job((data,), tmp_path / "m", config), lambda _: None)
    task = [(QUICK, TASKS[0])]
    train(
        "rl",
        Job((data,), tmp_path / "rl", config, tasks=task, steps=6, init=tmp_path / "m"),
        lambda _: None,
    )
    assert Config.load(tmp_path / "rl") == config
    weights = str(tmp_path / "rl")
    assert GEA(weights, threads=0).history == 2
    assert GEA.declares({"weights": weights, "context": QUICK.name}) == (("image?",), 4)
    with pytest.raises(UserError, match=f"these weights have {QUICK.name}"):
        GEA(weights, context="langr", threads=0)
    before, after = (
        Policy.load(tmp_path / "m").saved_tensors(),
        Policy.load(tmp_path / "rl").saved_tensors(),
    )
    assert before.keys() == after.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert any("language_model.layers" in name for name in moved)
    assert not any("embed_tokens" in name for name in moved)
    assert Policy.load(tmp_path / "rl").critic[0].in_features == 2 * 32, "and the pictures' mean"


def test_rows_of_an_image_are_means_over_its_areas(data: Path, tmp_path: Path) -> None:
    """Four patches become two, the upper half and the lower one beside each other, or one."""
    config = dataclasses.replace(
        NANO, backbone=str(tinymodels.llava_onevision(tmp_path / "b")), views=("image?",)
    )
    train("tokenizer", Job((data,), tmp_path / "m", config), lambda _: None)
    backbone = Policy.new(config, tmp_path / "m").backbone
    image = np.random.default_rng(0).integers(0, 255, (16, 16, 3)).astype(np.uint8)
    (whole,), _ = backbone.encode_images([image])
    assert len(whole) == 5, "four patches, and the row that ends an image"
    for count, parts in ((2, [[0, 2], [1, 3]]), (1, [[0, 1, 2, 3]])):
        backbone.config = dataclasses.replace(config, image_rows=count)
        (fewer,), _ = backbone.encode_images([image])
        torch.testing.assert_close(fewer, torch.stack([whole[part].mean(0) for part in parts]))
