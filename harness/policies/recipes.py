"""How the interpreters are made in which agents live that need packages of their own."""

from __future__ import annotations

from collections.abc import Mapping

from harness.host.build import Recipe

__all__ = ["RECIPES"]

RECIPES: Mapping[str, Recipe] = {
    # LeRobot asks for an older torch than there is for the simulators beside it, so it comes
    # without its dependencies: these are those that its policies, trainer and datasets import.
    "lerobot": Recipe(
        pythons=("3.11", "3.10"),
        installs=(
            ("torch==2.14.1", "torchvision==0.29.1"),
            ("--no-deps", "lerobot==0.4.4"),
            (
                "accelerate", "av", "datasets", "deepdiff", "diffusers", "draccus==0.10.0",
                "einops", "gymnasium", "huggingface-hub", "imageio[ffmpeg]", "jsonlines",
                "opencv-python-headless", "packaging", "pandas", "pyarrow", "pynput", "pyserial",
                "rerun-sdk", "safetensors", "termcolor", "tqdm", "wandb",
            ),
        ),
        proof=(
            "lerobot.policies.act.modeling_act",
            "lerobot.policies.diffusion.modeling_diffusion",
        ),
    ),
}  # fmt: skip
