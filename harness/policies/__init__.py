"""Everybody else's agents: policy servers, chat models and checkpoints as they lie.

`KINDS` says which word before the colon of `--agent KIND:ADDRESS` names which class, so that
nothing of a kind is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.records.catalogue import Kind

__all__ = ["KINDS"]

KINDS: Mapping[str, Kind] = {
    "openpi": Kind(
        "harness.policies.openpi:OpenPI",
        "address",
        "openpi:ws://HOST:PORT",
        "a policy server of openpi, or of `bench serve`",
    ),
    "vla-eval": Kind(
        "harness.policies.vla_eval:VlaEval",
        "address",
        "vla-eval:ws://HOST:PORT",
        "a model server of vla-evaluation-harness",
    ),
    "starvla": Kind(
        "harness.policies.starvla:StarVLA",
        "address",
        "starvla:ws://HOST:PORT",
        "a policy server of starVLA",
    ),
    "chat": Kind(
        "harness.policies.chat:ChatAgent",
        "address",
        "chat:URL#MODEL",
        "a chat model behind an OpenAI-compatible endpoint",
    ),
    "planner": Kind(
        "harness.policies.planner:PlannerAgent",
        "address",
        "planner:URL#MODEL",
        "a chat model that plans with a family's skills; planner:expert plays the expert's plans",
    ),
    "lerobot": Kind(
        "harness.policies.lerobot:LeRobot",
        "path",
        "lerobot:FOLDER",
        "a policy of LeRobot, in an interpreter of its own",
    ),
    "sb3": Kind(
        "harness.policies.sb3:SB3",
        "path",
        "sb3:FILE.zip",
        "a checkpoint of Stable-Baselines3",
    ),
    "torchscript": Kind(
        "harness.policies.torchscript:TorchScript",
        "path",
        "torchscript:FILE.pt",
        "a TorchScript file, with a profile",
    ),
    "onnx": Kind(
        "harness.policies.onnx:Onnx", "path", "onnx:FILE.onnx", "an ONNX file, with a profile"
    ),
}
