"""Actions as tokens: every answer decodes to a valid action, and every action has an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gearig import NANO, SMALL

from baselines.gea.actions import ActionCodec
from baselines.gea.bins import BinTokenizer, Tokenizer
from baselines.gea.config import RVQConfig
from baselines.gea.rvq import ActionTokenizer, denormalise_action, normalise_action
from baselines.gea.train import Job, train
from baselines.learning.text_tokenizer import NanoTokenizer
from harness.core import UI, Box, Discrete, Element, MultiDiscrete, Spec, Text, UIAction, UserError
from harness.demos import Demos

BINS = RVQConfig(kind="uniform", codes=16)
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
        640, 480, ("wait", "click", "type", "key", "scroll", "drag", "open_app", "navigate_back"),
        keys=("Enter", "Control+A"), modifiers=("Shift",), texts=("ü", "two words"),
        apps=("Clock", "Files"),
    ),
]  # fmt: skip


@pytest.fixture(scope="module", params=["rvq", "uniform"])
def codec(request: pytest.FixtureRequest) -> ActionCodec:
    torch.manual_seed(0)
    tokenizer: Tokenizer
    if request.param == "uniform":
        tokenizer = BinTokenizer(BINS)
    else:
        tokenizer = ActionTokenizer(SMALL).train()
        tokenizer.losses(torch.rand(256, SMALL.dims) * 2 - 1)
    return ActionCodec(
        NanoTokenizer.train(["click drag at 1 2", "scroll up", "stay left right"], 290),
        tokenizer.eval(),
        50,
    )


def test_bins_lose_half_their_width_at_most() -> None:
    tokenizer = BinTokenizer(BINS)
    actions = np.random.default_rng(0).uniform(-1, 1, (500, BINS.dims)).astype(np.float32)
    actions[0], actions[1], actions[2:, 5:] = -1, 1, np.nan
    codes = tokenizer.encode(actions)
    assert codes.shape == (500, BINS.dims)
    assert (codes.min(), codes.max()) == (0, BINS.codes - 1)
    errors = np.abs(tokenizer.decode(codes) - actions)
    assert 0.9 / BINS.codes < np.nanmax(errors) <= 1 / BINS.codes + 1e-6
    assert tokenizer.error(actions) == pytest.approx(1 / (3 * BINS.codes**2), rel=0.1)
    with pytest.raises(UserError, match="it is rvq or uniform"):
        RVQConfig(kind="vq")


def test_padding_is_no_part_of_the_reconstruction_error() -> None:
    """Two elements of 21 that come back as 0: their squares, not theirs and 19 zeros."""
    torch.manual_seed(0)
    tokenizer = ActionTokenizer(SMALL).train()
    spec = Box((2,), low=-1.0, high=1.0)
    actions = np.stack(
        [normalise_action(spec, action, SMALL.dims) for action in ([0.5, -0.5], [1.0, 0.0])] * 40
    )
    assert np.isnan(actions[:, 2:]).all()
    tokenizer.losses(torch.from_numpy(actions))
    tokenizer.eval()
    for weight in tokenizer.decoder[-1].parameters():
        torch.nn.init.zeros_(weight)
    with torch.no_grad():
        error, _ = tokenizer.losses(torch.from_numpy(actions))
    assert error.item() == pytest.approx((0.25 + 0.25 + 1.0) / 4)
    assert tokenizer.error(actions) == pytest.approx(error.item())
    torch.nn.init.ones_(tokenizer.decoder[-1].bias[2:])
    assert tokenizer.error(actions) == pytest.approx(error.item()), "padding is not looked at"


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_whatever_is_decoded_is_an_action(codec: ActionCodec, spec: Any) -> None:
    """100 random walks through the grammar of each spec."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        grammar = codec.grammar(spec, {})
        state, tokens = grammar.start, list[int]()
        while not grammar.is_complete(state):
            allowed = grammar.allowed(state)
            eos = codec.text_tokenizer.eos
            token = eos if eos in allowed and len(tokens) > 12 else int(rng.choice(allowed))
            state = grammar.next_state(state, token)
            tokens.append(token)
        assert spec.problem(codec.decode(spec, tokens)) is None


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_every_action_has_an_answer_that_the_grammar_accepts(codec: ActionCodec, spec: Any) -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        action = spec.sample(rng)
        tokens = codec.encode(spec, action, {})
        assert codec.grammar(spec, {}).accepts(tokens)
        assert not codec.grammar(spec, {}).accepts(tokens[:-1])
        back = codec.decode(spec, tokens)
        if isinstance(spec, UI):
            assert codec.encode(spec, back, {}) == tokens
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


def test_an_element_becomes_the_block_of_its_centre(codec: ActionCodec) -> None:
    spec = UI(100, 100, ("wait", "click", "type"), modifiers=("Shift",))
    element = Element(7, 0, "button", "ok", "", "", (), 40.0, 60.0, 20.0, 10.0)
    text = codec.text_tokenizer.decode(
        codec.encode(spec, UIAction("click", ref=7, modifier="Shift"), {"dom": (element,)})
    )
    assert text == "click 25 32 with Shift"
    assert (
        codec.text_tokenizer.decode(
            codec.encode(spec, UIAction("type", ref=7, text="at home"), {"dom": (element,)})
        )
        == "type at 25 32 at home"
    )
    assert (
        codec.text_tokenizer.decode(
            codec.encode(spec, UIAction("click", ref=8), {"dom": (element,)})
        )
        == "wait"
    )
    assert (
        codec.decode(spec, codec.encode(spec, UIAction("type", text="at 3 4"), {})).text == "at 3 4"
    )


def test_only_admissible_commands(codec: ActionCodec) -> None:
    commands = ("go", "go north", "take lamp")
    grammar = codec.grammar(Text(), {"admissible": commands})
    for text in (*commands, "go south", "", "take"):
        assert grammar.accepts(codec.encode(Text(), text, {})) == (text in commands)


def test_normalised_actions() -> None:
    box = Box((2, 2), low=(-1.0, 0.0, 10.0, -2.0), high=(1.0, 0.5, 20.0, 2.0))
    action = np.array([[0.5, 0.5], [10, -1]], np.float32)
    values = normalise_action(box, action, 6)
    np.testing.assert_allclose(values, [0.5, 1, -1, -0.5, np.nan, np.nan])
    np.testing.assert_allclose(denormalise_action(box, values), action)
    np.testing.assert_allclose(
        denormalise_action(box, normalise_action(box, action, 3)), [[0.5, 0.5], [10, 0]]
    )
    free = Box((2,))
    np.testing.assert_allclose(
        denormalise_action(free, normalise_action(free, np.array([3.0, -0.5]), 2)),
        [3, -0.5],
        rtol=1e-5,
    )


def test_the_tokenizer_learns(data: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    train("tokenizer", Job((data,), tmp_path, NANO), lines.append)
    error = float(lines[-1].split(": ")[1].split()[0])
    glides = [demo for demo in Demos(data) if demo.row.task == "toys/glide@1"]
    actions = np.stack(
        [
            normalise_action(demo.brief.action, frame.action, 21)
            for demo in glides
            for frame in demo.frames
        ]
    )
    assert error < 0.05 * float(actions[:, :2].var(0).mean())
