"""How GEA represents instructions, and what it is before its training: for comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from baselines.gea.config import Config
from baselines.gea.policy import Policy
from baselines.gea.prompt import instruction_tokens

__all__ = ["embed", "untrained"]

AT_ONCE = 64
"""Instructions of a forward pass."""


@torch.inference_mode()
def embed(policy: Policy, texts: Sequence[str]) -> np.ndarray:
    """float32 (N, width): instructions, without a body and an observation.

    The mean over the tokens of an instruction of `Backbone.text_states`. Texts of equal length are
    encoded together, so nothing is padded.
    """
    backbone = policy.backbone
    tokenizer = backbone.text_tokenizer
    begin = [] if tokenizer.bos is None else [tokenizer.bos]
    ids = [instruction_tokens(text, tokenizer, policy.config) for text in texts]
    rows = np.empty((len(texts), backbone.width), np.float32)
    for length in sorted({len(each) for each in ids}):
        same = [number for number, each in enumerate(ids) if len(each) == length]
        for part in (same[k : k + AT_ONCE] for k in range(0, len(same), AT_ONCE)):
            given = torch.tensor([begin + ids[k] for k in part], device=backbone.device)
            states = backbone.text_states(given)[:, len(begin) :]
            rows[part] = states.float().mean(1).cpu().numpy()
    return rows


def untrained(folder: str | Path, device: str = "cpu") -> Policy:
    """The policy of a folder of weights before any training by bench, with its tokenizers.

    Weights are drawn with the seed 0; those of a pretrained backbone are its own.
    """
    where = Path(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Policy.new(Config.load(where), where, device).eval()
