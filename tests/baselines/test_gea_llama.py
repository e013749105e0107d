"""nano's Llama computes the same as that of transformers."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from baselines.gea.llama import KVCache, Llama

WORDS, WIDTH, LAYERS, HEADS, MLP, LENGTH = 50, 48, 2, 3, 80, 24


@pytest.fixture(scope="module")
def both() -> tuple[Llama, LlamaModel]:
    torch.manual_seed(0)
    theirs = LlamaModel(
        LlamaConfig(
            vocab_size=WORDS, hidden_size=WIDTH, intermediate_size=MLP, num_hidden_layers=LAYERS,
            num_attention_heads=HEADS, max_position_embeddings=512, attn_implementation="sdpa",
        )
    ).eval()  # fmt: skip
    ours = Llama(WORDS, WIDTH, LAYERS, HEADS, MLP).eval()
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize("padding", [(0,), (0, 3, 11)], ids=str)
def test_the_same_hidden_states(both: tuple[Llama, LlamaModel], padding: tuple[int, ...]) -> None:
    ours, theirs = both
    embeds = torch.randn(len(padding), LENGTH, WIDTH)
    mask = torch.ones(len(padding), LENGTH, dtype=torch.int64)
    for row, count in enumerate(padding):
        mask[row, :count] = 0
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    there = mask > 0
    with torch.no_grad():
        expected = theirs(
            inputs_embeds=embeds, attention_mask=mask, position_ids=positions, use_cache=False
        ).last_hidden_state[there]
        torch.testing.assert_close(
            ours(embeds, mask, positions)[there], expected, atol=1e-5, rtol=1e-4
        )
        for cut in (1, LENGTH // 2, LENGTH - 1):  # a prefix, then token by token
            cache: KVCache = []
            parts = [ours(embeds[:, :cut], mask[:, :cut], positions[:, :cut], cache)]
            for at in range(cut, LENGTH):
                parts.append(
                    ours(
                        embeds[:, at : at + 1], mask[:, : at + 1], positions[:, at : at + 1], cache
                    )
                )
            torch.testing.assert_close(torch.cat(parts, 1)[there], expected, atol=1e-5, rtol=1e-4)
            cache = []
            parts = [
                ours(embeds[:, :cut], mask[:, :cut], positions[:, :cut], cache),
                ours(embeds[:, cut:], mask, positions[:, cut:], cache),
            ]
            torch.testing.assert_close(torch.cat(parts, 1)[there], expected, atol=1e-5, rtol=1e-4)


def test_the_same_gradients(both: tuple[Llama, LlamaModel]) -> None:
    ours, theirs = both
    embeds = torch.randn(2, LENGTH, WIDTH)
    mask = torch.ones(2, LENGTH, dtype=torch.int64)
    mask[0, :5] = 0
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    weighed = torch.randn(2, LENGTH, WIDTH) * mask[..., None]
    (ours(embeds, mask, positions) * weighed).sum().backward()
    (
        theirs(
            inputs_embeds=embeds, attention_mask=mask, position_ids=positions, use_cache=False
        ).last_hidden_state
        * weighed
    ).sum().backward()
    expected = dict(theirs.named_parameters())
    for name, weight in ours.named_parameters():
        if name != "embed_tokens.weight":  # the test passes embeddings
            torch.testing.assert_close(weight.grad, expected[name].grad, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("padding", [(0,), (0, 3, 11)], ids=str)
def test_the_states_of_the_last_tokens_alone(
    both: tuple[Llama, LlamaModel], padding: tuple[int, ...]
) -> None:
    ours = both[0]
    embeds = torch.randn(len(padding), LENGTH, WIDTH)
    mask = torch.ones(len(padding), LENGTH, dtype=torch.int64)
    for row, count in enumerate(padding):
        mask[row, :count] = 0
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad():
        every = ours(embeds, mask, positions)
        for last in (1, 4):
            torch.testing.assert_close(ours(embeds, mask, positions, last=last), every[:, -last:])


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("last", [0, 4])
def test_attention_written_out_for_bfloat16(
    both: tuple[Llama, LlamaModel], padding: int, last: int
) -> None:
    """Its states and gradients are as near those of float32 as bfloat16 allows."""
    ours = both[0]
    embeds = torch.randn(2, LENGTH, WIDTH)
    mask = torch.ones(2, LENGTH, dtype=torch.int64)
    mask[0, :padding] = 0
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    weighed = torch.randn(2, LENGTH, WIDTH)[:, -last:] * mask[:, -last:, None]
    found = []
    for short in (False, True):
        ours.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=short):
            hidden = ours(embeds, mask, positions, last=last).float()
        (hidden * weighed).sum().backward()
        query = ours.layers[0].get_parameter("self_attn.q_proj.weight").grad
        assert query is not None
        found.append(((hidden * mask[:, -last:, None]).detach(), query.clone()))
    for exact, rounded in zip(*found):
        assert not torch.equal(exact, rounded), "bfloat16 was not used"
        assert (exact - rounded).norm() < 0.03 * exact.norm()
