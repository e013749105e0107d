"""nano on a CPU answers one turn at a time: the same answers as the general code, in any batch."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from gearig import NANO, SMALL

from baselines.gea.actions import ActionCodec
from baselines.gea.agent import GEA, _asked
from baselines.gea.nano import Nano
from baselines.gea.policy import Policy
from baselines.gea.rvq import ActionTokenizer
from baselines.gea.single import SingleTurns
from baselines.learning.text_tokenizer import NanoTokenizer
from harness.core import UI, ActionSpec, Box, Brief, Discrete, Element, Elements, Text, Turn

READS = ("image?", "grid?", "direction?", "state?", "text?", "dom?", "admissible?")
VIEWS = {
    "image": Box((24, 24, 3), "uint8", 0, 255),
    "grid": Box((7, 6, 3), "uint8", 0, 15),
    "direction": Discrete(4),
    "state": Box((11,)),
    "text": Text(1000),
    "dom": Elements(),
    "admissible": Text(1000),
}
COMMANDS = ("(pick up b1)", "(pick up b2)", "(put down b1)", "(put down b22)")
"""All begin with the same tokens, which have no alternative."""
TOKENIZER = NanoTokenizer.train([*COMMANDS, "click type go left 0 1 2 3 4 5 6 7 8 9 12 34"], 290)
KINDS: dict[str, tuple[ActionSpec, tuple[str, ...]]] = {
    "numbers": (Box((3,), low=-1.0, high=1.0), ("state", "image")),
    "choices": (Discrete(3, ("left", "right", "go")), ("grid", "direction", "text")),
    "commands": (Text(200), ("text", "admissible")),
    "page": (
        UI(160, 210, ("wait", "click", "type", "key"), keys=("Enter",)),
        ("dom", "text", "image"),
    ),
    "nothing": (Discrete(4), ()),
}


def policy(**fields: Any) -> Policy:
    torch.manual_seed(0)
    config = dataclasses.replace(
        NANO, views=READS, history=3, answer_tokens=12, prompt_tokens=48, **fields
    )
    backbone = Nano(config, TOKENIZER, SMALL.codebooks * SMALL.codes)
    tokenizer = ActionTokenizer(SMALL).train()
    tokenizer.losses(torch.rand(256, SMALL.dims) * 2 - 1)
    made = Policy(config, backbone, ActionCodec(TOKENIZER, tokenizer.eval(), config.screen)).eval()
    with torch.no_grad():
        for weight in made.backbone.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return made


def observation(rng: np.random.Generator, names: tuple[str, ...], words: int) -> dict[str, Any]:
    drawn = {
        "image": rng.integers(0, 256, (24, 24, 3), dtype=np.uint8),
        "grid": rng.integers(0, 3, (7, 6, 3), dtype=np.uint8),
        "direction": int(rng.integers(4)),
        "state": rng.normal(0, 20, 11).astype(np.float32),
        "text": "go left " * words + str(rng.integers(99)),
        "dom": (Element(1, 0, "button", "go", "", "id", (), 30.0, 40.0, 9.0, 9.0),),
        "admissible": COMMANDS,
    }
    return {name: drawn[name] for name in names}


def turns(kind: str, episode: int, steps: int = 5, words: int = 3) -> list[Turn]:
    action, names = KINDS[kind]
    brief = Brief({name: VIEWS[name] for name in names}, action, "", f"the world of {kind}")
    rng = np.random.default_rng(episode)
    seen = [observation(rng, names, words) for _ in range(steps)]
    made = [action.sample(rng) if kind != "commands" else COMMANDS[k % 4] for k in range(steps)]
    return [
        Turn(
            brief, f"go to the {episode}", tuple(seen[max(0, k - 2) : k + 1]),
            tuple(made[max(0, k - 2) : k]), k, f"{kind} {episode}", rng_key=episode,
        )
        for k in range(steps)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "fields", [{}, {"vision": "residual", "past_rows": 4, "heads": 3}, {"layers": 1}], ids=repr
)
def test_the_same_answers_as_a_batch_of_one(fields: dict[str, Any]) -> None:
    made = policy(**fields)
    single = SingleTurns(made.backbone)
    short, long = made.config, dataclasses.replace(made.config, text_tokens=400)
    answers = set()
    for kind in KINDS:
        # Two episodes in turns, so that introductions are loaded again; then one of many words,
        # for which the buffers have to grow.
        pairs = zip(turns(kind, 0), turns(kind, 1))
        for turn in [*(turn for pair in pairs for turn in pair), *turns(kind, 2, 4, 60)]:
            made.see_as(long if turn.instruction.endswith("2") else short)
            (prompt,), (grammar,) = _asked(made, [turn], {})
            for temperature in (0.5, 2.0):
                draws = [np.random.default_rng(7) for _ in range(2)]
                (decision,) = made.decide([prompt], [grammar], draws[:1], temperature)
                answer = single.answer(prompt, grammar, draws[1], temperature)
                assert tuple(answer.tokens) == decision.tokens
                assert answer.log_probability == pytest.approx(decision.log_probability, abs=1e-3)
                answers.add(decision.tokens)
            greedy = made.decide([prompt], [grammar])[0].tokens
            assert tuple(single.answer(prompt, grammar).tokens) == greedy
    assert len(answers) > 30
    assert len(single._hidden) > 256


def test_an_answer_does_not_depend_on_the_batch() -> None:
    """Bit for bit: the numbers are equal, whatever was asked before and is asked beside."""
    made = policy(play_temperature=0.5)
    agents = [object.__new__(GEA) for _ in range(2)]
    for agent in agents:
        agent._policy, agent._single = made, SingleTurns(made.backbone)
        agent._exact, agent._temperature = False, 0.5
        agent._inputs, agent._blind_answers = {}, {}
    asked = [turn for kind in KINDS for turn in zip(*(turns(kind, n) for n in range(3)))]
    together = [repr(action) for batch in asked for action in agents[0].act(list(batch))]
    alone = []
    for batch in asked:
        again = [dataclasses.replace(turn) for turn in batch]
        alone += [repr(agents[1].act([turn])[0]) for turn in again[::-1]][::-1]
    assert together == alone
    assert len(set(together)) > 10


def test_codes_are_those_of_the_quantiser() -> None:
    tokenizer = policy().codec.action_tokenizer
    assert isinstance(tokenizer, ActionTokenizer)
    actions = np.random.default_rng(0).uniform(-1, 1, (500, SMALL.dims)).astype(np.float32)
    with torch.no_grad():
        _, codes, _ = tokenizer.quantiser(tokenizer.encoder(torch.from_numpy(actions)))
        output = tokenizer.quantiser.get_output_from_indices(codes)
        decoded = tokenizer.decoder(output).numpy()
    np.testing.assert_array_equal(tokenizer.encode(actions), codes.numpy())
    np.testing.assert_array_equal(tokenizer.decode(codes.numpy()), decoded)
    assert len(np.unique(codes.numpy(), axis=0)) > 20
