"""How GEA represents instructions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tinymodels
import torch

from baselines.gea.agent import GEA
from baselines.gea.config import Config
from baselines.gea.pretrained import Pretrained

TEXTS = ["go to the red ball", "pick up the blue box", "open the door on your left", "go"]


def test_a_row_depends_on_its_text_alone() -> None:
    gea = GEA()
    rows = gea.embed(TEXTS)
    assert (rows.shape, rows.dtype) == ((4, 128), np.float32)
    alone = np.concatenate([gea.embed([text]) for text in reversed(TEXTS)])[::-1]
    np.testing.assert_allclose(rows, alone, atol=1e-5)
    assert gea.embed([]).shape == (0, 128)


def test_untrained_it_is_the_same_model_with_other_weights() -> None:
    state = torch.random.get_rng_state()
    one, other = GEA(untrained=True), GEA(untrained=True)
    assert torch.equal(state, torch.random.get_rng_state())
    rows = one.embed(TEXTS)
    np.testing.assert_array_equal(rows, other.embed(TEXTS))
    assert not np.allclose(rows, GEA().embed(TEXTS), atol=0.1)


@pytest.mark.parametrize("make", [tinymodels.llava_onevision, tinymodels.qwen2_vl])
def test_the_states_are_those_that_the_last_block_reads(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    backbone = Pretrained(Config(backbone=str(make(tmp_path)), history=1), 4).eval()
    ids = torch.tensor([[7, 8, 9, 10], [11, 12, 13, 14]])
    with torch.inference_mode():
        states = backbone.text_states(ids)
        output = backbone.model(input_ids=ids, output_hidden_states=True)
    torch.testing.assert_close(states, output.hidden_states[-2])
