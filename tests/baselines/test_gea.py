"""GEA: its answers are always actions, what it learns from is what it is asked, and every stage goes on where it was cut."""

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

from baselines.gea.actions import ActionCodec
from baselines.gea.agent import GEA, ask
from baselines.gea.config import Config
from baselines.gea.data import Examples
from baselines.gea.policy import Policy
from baselines.gea.prompt import introduction
from baselines.gea.rvq import ActionTokenizer, denormalised, normalised
from baselines.gea.train import Job, configuration, train
from baselines.gea.words import OwnWords
from harness.cli.train import train as train_command
from harness.core import (
    UI,
    Box,
    Brief,
    Case,
    Discrete,
    Element,
    MultiDiscrete,
    Spec,
    Text,
    Turn,
    UIAction,
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


# Actions as tokens

SPECS: list[Spec] = [
    Discrete(5, ("stay", "left", "right", "up", "up left")),
    Discrete(12),
    Box((3,), low=(-1.0, 0.0, 10.0), high=(1.0, 0.5, 20.0)),
    Box((2,), "int32", -2, 2),
    Box((30,), low=-1.0, high=1.0),
    Box((2,)),
    MultiDiscrete((2, 11)),
    Text(20, ("look", "go north ü")),
    UI(
        640, 480, ("wait", "click", "type", "key", "scroll", "drag", "open_app", "navigate_back"), keys=("Enter", "Control+A"),
        modifiers=("Shift",), texts=("ü", "two words"), apps=("Clock", "Files"),
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def codec() -> ActionCodec:
    torch.manual_seed(0)
    tokenizer = ActionTokenizer(SMALL).train()
    tokenizer.losses(torch.rand(256, SMALL.dims) * 2 - 1)
    return ActionCodec(
        OwnWords.train(["click drag at 1 2", "scroll up", "stay left right"], 290),
        tokenizer.eval(),
        50,
    )


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_whatever_is_decoded_is_an_action(codec: ActionCodec, spec: Any) -> None:
    """Random walks through the grammar, 100 a spec."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        grammar = codec.grammar(spec, {})
        state, tokens = grammar.start, list[int]()
        while not grammar.over(state):
            allowed = grammar.allowed(state)
            eos = codec.words.eos
            token = eos if eos in allowed and len(tokens) > 12 else int(rng.choice(allowed))
            state = grammar.step(state, token)
            tokens.append(token)
        assert spec.problem(codec.action(spec, tokens)) is None


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_every_action_has_an_answer_that_the_grammar_takes(codec: ActionCodec, spec: Any) -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        action = spec.sample(rng)
        tokens = codec.tokens(spec, action, {})
        assert codec.grammar(spec, {}).takes(tokens)
        assert not codec.grammar(spec, {}).takes(tokens[:-1])
        back = codec.action(spec, tokens)
        if isinstance(spec, UI):
            assert codec.tokens(spec, back, {}) == tokens
            assert (back.kind, back.text, back.direction) == (
                action.kind,
                action.text,
                action.direction,
            )
            for name, size in (("x", 640), ("y", 480), ("to_x", 640)):
                if getattr(action, name) is not None:
                    assert (
                        abs(getattr(back, name) - getattr(action, name)) <= size / 100
                    )  # half a block
        elif not isinstance(spec, Box):
            np.testing.assert_array_equal(back, action)


def test_an_element_becomes_its_place(codec: ActionCodec) -> None:
    spec = UI(100, 100, ("wait", "click", "type"), modifiers=("Shift",))
    element = Element(7, 0, "button", "ok", "", "", (), 40.0, 60.0, 20.0, 10.0)
    said = codec.words.decode(
        codec.tokens(spec, UIAction("click", ref=7, modifier="Shift"), {"dom": (element,)})
    )
    assert said == "click 25 32 with Shift"
    assert (
        codec.words.decode(
            codec.tokens(spec, UIAction("type", ref=7, text="at home"), {"dom": (element,)})
        )
        == "type at 25 32 at home"
    )
    assert (
        codec.words.decode(codec.tokens(spec, UIAction("click", ref=8), {"dom": (element,)}))
        == "wait"
    )
    assert (
        codec.action(spec, codec.tokens(spec, UIAction("type", text="at 3 4"), {})).text == "at 3 4"
    )


def test_only_admissible_commands(codec: ActionCodec) -> None:
    commands = ("go", "go north", "take lamp")
    grammar = codec.grammar(Text(), {"admissible": commands})
    for text in (*commands, "go south", "", "take"):
        assert grammar.takes(codec.tokens(Text(), text, {})) == (text in commands)


def test_normalised_actions() -> None:
    box = Box((2, 2), low=(-1.0, 0.0, 10.0, -2.0), high=(1.0, 0.5, 20.0, 2.0))
    action = np.array([[0.5, 0.5], [10, -1]], np.float32)
    values = normalised(box, action, 6)
    np.testing.assert_allclose(values, [0.5, 1, -1, -0.5, 0, 0])
    np.testing.assert_allclose(denormalised(box, values), action)
    np.testing.assert_allclose(denormalised(box, normalised(box, action, 3)), [[0.5, 0.5], [10, 0]])
    free = Box((2,))
    np.testing.assert_allclose(
        denormalised(free, normalised(free, np.array([3.0, -0.5]), 2)), [3, -0.5], rtol=1e-5
    )


def test_the_tokenizer_learns(data: Path, tmp_path: Path) -> None:
    said: list[str] = []
    train("tokenizer", Job((data,), tmp_path, NANO), said.append)
    error = float(said[-1].split(": ")[1].split()[0])
    glides = [demo for demo in Demos(data) if demo.row.task == "toys/glide@1"]
    actions = np.stack(
        [
            normalised(demo.brief.action, frame.action, 21)
            for demo in glides
            for frame in demo.frames
        ]
    )
    assert error < 0.05 * float(actions.var(0).mean())


# The model


def turns(policy_views: tuple[str, ...] = ("state", "image"), count: int = 4) -> list[Turn]:
    """Turns of different length, of both toys."""
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


def hardly(config: Config, data: Path, out: Path) -> Policy:
    train("tokenizer", Job((data,), out, config), lambda _: None)
    return Policy.new(config, out).eval()


@pytest.mark.parametrize(
    "make", [None, tinymodels.llava_onevision, tinymodels.qwen2_vl], ids=["nano", "llava", "qwen"]
)
def test_step_by_step_is_as_all_at_once(make: Any, data: Path, tmp_path: Path) -> None:
    """Decoding with kept keys and values, in a batch and alone, says the same as one pass over the whole, up to rounding."""
    config = NANO if make is None else dataclasses.replace(NANO, backbone=str(make(tmp_path / "b")))
    policy = hardly(
        dataclasses.replace(config, rvq=dataclasses.replace(SMALL, steps=1)), data, tmp_path / "m"
    )
    prompts, choices = ask(policy, turns(), {}, 1.0)
    with torch.no_grad():
        logs, entropies, values = policy.evaluate(prompts, choices)
    np.testing.assert_allclose([choice.log_probability for choice in choices], logs, atol=2e-4)
    np.testing.assert_allclose(np.stack([choice.values for choice in choices]), values, atol=1e-4)
    assert bool(((entropies > 0) & (entropies <= 1 + 1e-6)).all())
    for turn, choice in zip(turns(), choices):
        assert ask(policy, [turn], {}, 1.0)[1][0].tokens == choice.tokens


def test_the_temperature_of_play(nano: Path, tmp_path: Path) -> None:
    """The weights say it unless the argument does; what is drawn depends on case and step alone."""
    warm = tmp_path / "warm"
    shutil.copytree(nano, warm)
    dataclasses.replace(NANO, play_temperature=2.0).save(warm)

    def asked() -> list[Turn]:
        return [
            dataclasses.replace(turn, rng_key=key, episode=f"e{key}")
            for key, turn in enumerate(turns(count=1) * 24)
        ]

    def answers(weights: Path, **args: Any) -> list[str]:
        agent = GEA(str(weights), **args)
        alone = [repr(agent.act([turn])[0]) for turn in asked()]
        assert [repr(answer) for answer in agent.act(asked())] == alone
        return alone

    likeliest, drawn = answers(nano), answers(warm)
    assert len(set(likeliest)) == 1
    assert len(set(drawn)) > 1
    assert answers(warm, temperature=0) == likeliest
    assert answers(nano, temperature=2.0) == drawn
    for wrong in (-1, float("nan"), "hot"):
        with pytest.raises(UserError, match="0 for the likeliest"):
            GEA(str(nano), temperature=wrong)  # type: ignore[arg-type]


def test_the_loss_is_on_the_answer_alone(nano: Path) -> None:
    policy = Policy.load(nano)
    prompts, choices = ask(policy, turns(count=2), {}, 0.0)
    answers = [choice.tokens for choice in choices]
    with torch.no_grad():
        logits, _ = policy.backbone(prompts, answers)
        loss = policy.sft_loss(prompts, answers).item()
    by_hand = [
        -logits[row, place].log_softmax(-1)[token].item()
        for row, answer in enumerate(answers)
        for place, token in enumerate(answer)
    ]
    assert loss == pytest.approx(np.mean(by_hand), rel=1e-5)


def test_examples_are_what_the_agent_is_asked(data: Path, nano: Path, tmp_path: Path) -> None:
    """The prompt of step k of a demonstration, and that of an agent in the same episode, token by token."""
    policy = Policy.load(nano)
    examples = Examples((data,), NANO, policy.backbone.words, policy.codec)
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
    (asked,), _ = ask(policy, [turn], {}, 0.0)
    example, answer = examples.example(0, index, 2)
    assert (asked.text, asked.actions) == (example.text, example.actions)
    for one, other in zip(asked.looks, example.looks):
        np.testing.assert_array_equal(one.numbers, other.numbers)
        np.testing.assert_array_equal(one.images[0], other.images[0])
    assert policy.codec.action(demo.brief.action, answer) == demo.frames[2].action


def test_the_instruction_survives_a_short_prompt(nano: Path) -> None:
    words = Policy.load(nano).backbone.words
    brief = Brief({}, Discrete(2), "a body " * 50, "a world " * 50)
    for full in (False, True):
        said = words.decode(
            introduction(
                brief,
                "go to 3 4",
                words,
                dataclasses.replace(NANO, full_prompt=full, prompt_tokens=24),
            )
        )
        assert said.endswith("Instruction: go to 3 4")


# The agent


def test_contract(nano: Path) -> None:
    check_agent(GEA, TASKS, args={"weights": str(nano)}, steps=5, tolerance=1e-5)


def test_it_learns_to_imitate(data: Path, tmp_path: Path) -> None:
    """From 40 demonstrations of the discrete toy, in a few seconds: far above chance on episodes that it never saw."""
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
    with pytest.raises(UserError, match="no field 'layer'; it has"):
        configuration(tmp_path, None, {"layer": 3})
    with pytest.raises(UserError, match="recipes are nano, paper"):
        configuration(tmp_path, "big", {})
    with pytest.raises(UserError, match="--stage tokenizer"):
        train("sft", Job((data,), tmp_path / "m", NANO), lambda _: None)
    with pytest.raises(UserError, match="does not load"):
        Policy.new(
            dataclasses.replace(NANO, backbone=str(tmp_path / "none")), _codes(data, tmp_path)
        )
    with pytest.raises(UserError, match="--steps"):
        train_command("gea", "rl", tmp_path / "m", suite="toysuite:QUICK")
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


# Training goes on


@pytest.mark.parametrize(("stage", "muon"), [("tokenizer", False), ("sft", False), ("sft", True)])
def test_a_cut_training_goes_on_to_the_same_end(
    stage: str, muon: bool, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from baselines.gea import learning

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
