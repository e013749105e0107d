"""Fit a small policy of LeRobot to demonstrations; runs in the interpreter that has LeRobot.

    .bench/interpreters/lerobot/bin/python tests/faults/wired_lerobot_fit.py DATASET FOLDER

DATASET is what `bench demos --lerobot` wrote, of vectors alone. The network is LeRobot's own ACT
(arXiv 2304.13705) without pictures and without its variational part; FOLDER is what its
`save_pretrained` writes.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

UPDATES, BATCH, RATE = 3000, 64, 1e-3
CHUNK, EXECUTED = 16, 4
"""Steps that are predicted, and that are executed before it is asked again."""
SMALLEST = 1e-3
"""Of the standard deviations by which is divided: what hardly moves is not blown up."""


def read(dataset: Path) -> tuple[dict[str, Any], np.ndarray]:
    """(feature -> float32 (steps, size), the episode of each step)."""
    import pandas as pd

    files = sorted(dataset.glob("data/*/*.parquet"))
    table = pd.concat([pd.read_parquet(file) for file in files])
    names = [name for name in table if name == "action" or name.startswith("observation.")]
    values = {name: np.stack(table[name].to_list()).astype(np.float32) for name in names}
    return values, table["episode_index"].to_numpy()


def chunks(actions: np.ndarray, episodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """((steps, CHUNK, size), and whether it lies beyond the episode's end).

    There the last action stands, as in LeRobot's own datasets.
    """
    places = np.arange(len(actions))[:, None] + np.arange(CHUNK)
    last = np.searchsorted(episodes, episodes, side="right") - 1
    return actions[np.minimum(places, last[:, None])], places > last[:, None]


def fit(dataset: Path, folder: Path) -> None:
    """Train from seed 0 on one core, and save the policy with its processors."""
    import torch
    from lerobot.configs.types import FeatureType, PolicyFeature
    from lerobot.policies.act.configuration_act import ACTConfig
    from lerobot.policies.act.modeling_act import ACTPolicy
    from lerobot.policies.act.processor_act import make_act_pre_post_processors

    torch.manual_seed(0)
    torch.set_num_threads(1)
    values, episodes = read(dataset)
    kinds = {
        "action": FeatureType.ACTION,
        "observation.environment_state": FeatureType.ENV,
        "observation.state": FeatureType.STATE,
    }
    features = {
        name: PolicyFeature(type=kinds[name], shape=value.shape[1:])
        for name, value in values.items()
    }
    config = ACTConfig(
        input_features={name: each for name, each in features.items() if name != "action"},
        output_features={"action": features["action"]},
        chunk_size=CHUNK, n_action_steps=EXECUTED, use_vae=False, dropout=0.0,
        pretrained_backbone_weights=None,
        dim_model=64, n_heads=4, dim_feedforward=256, n_encoder_layers=2, device="cpu",
        normalization_mapping=dict.fromkeys(("STATE", "ENV", "ACTION"), "MEAN_STD"),
    )  # fmt: skip
    stats = {
        name: {
            "mean": torch.as_tensor(value.mean(0)),
            "std": torch.as_tensor(value.std(0).clip(SMALLEST)),
        }
        for name, value in values.items()
    }
    scaled = {
        name: (torch.as_tensor(value) - stats[name]["mean"]) / stats[name]["std"]
        for name, value in values.items()
    }
    moves, beyond = chunks(scaled["action"].numpy(), episodes)
    batches = {**scaled, "action": torch.as_tensor(moves), "action_is_pad": torch.as_tensor(beyond)}
    policy = ACTPolicy(config).train()
    optimiser = torch.optim.AdamW(policy.parameters(), RATE, weight_decay=1e-4)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, UPDATES)
    begun = time.monotonic()
    for update in range(1, UPDATES + 1):
        rows = torch.randint(len(episodes), (BATCH,))
        loss, _ = policy.forward({name: value[rows] for name, value in batches.items()})
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 10.0)
        optimiser.step()
        decay.step()
        if update % 250 == 0:
            took = time.monotonic() - begun
            print(f"{update} updates, loss {loss.item():.4f}, {took:.0f} s", flush=True)
    part = folder.with_name(folder.name + ".part")
    for each in (policy, *make_act_pre_post_processors(config, stats)):
        each.save_pretrained(part)
    part.rename(folder)


if __name__ == "__main__":
    fit(Path(sys.argv[1]), Path(sys.argv[2]))
