"""`bench probe`: what a success rate does not say. Each probe is a command of its own."""

from __future__ import annotations

import typer

from harness.cli.probe_alignment import alignment
from harness.cli.probe_consistency import consistency
from harness.cli.probe_forgetting import forgetting
from harness.cli.probe_instruction import instruction
from harness.cli.probe_memory import memory
from harness.cli.probe_modalities import modalities
from harness.cli.probe_region import region
from harness.cli.probe_rl_robustness import rl_robustness
from harness.cli.probe_sft_diversity import sft_diversity
from harness.cli.probe_tokenizer import tokenizer
from harness.cli.probe_wiring import wiring

__all__ = ["probe"]

probe = typer.Typer(
    name="probe",
    help="Evaluate more than a success rate.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
probe.command(name="tokenizer")(tokenizer)
probe.command(name="memory")(memory)
probe.command(name="forgetting")(forgetting)
probe.command(name="modalities")(modalities)
probe.command(name="instruction")(instruction)
probe.command(name="wiring")(wiring)
probe.command(name="consistency")(consistency)
probe.command(name="region")(region)
probe.command(name="alignment")(alignment)
probe.command(name="sft-diversity")(sft_diversity)
probe.command(name="rl-robustness")(rl_robustness)
