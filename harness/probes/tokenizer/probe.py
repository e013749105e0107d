"""Makes codecs, measures what they lose, and plays through them.

OUT/codecs/NAME-KEY.npz    a codec; the key stands for all that it was made from
OUT/recorded-KEY.npz       the actions of the held-out episodes
OUT/runs/MODE/NAME         the run directory of a codec: MODE is `replay`, `expert`, `policy` or
                           `trained`
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from harness.core import UserError
from harness.play.inference import Watch
from harness.play.planning import make_plan
from harness.play.progress import SilentProgress
from harness.play.runner import RunOptions, play
from harness.play.watchdog import Interrupts, Watchdog
from harness.policies.description import describe
from harness.probes.tokenizer.codecs import (
    Codec,
    Continuous,
    Uniform,
    digest_of,
    load_codec,
    save_codec,
)
from harness.probes.tokenizer.data import Split
from harness.probes.tokenizer.learn import Training, check_packages, learn
from harness.probes.tokenizer.measures import Loss, loss_of
from harness.probes.tokenizer.variants import CONTINUOUS, Variant
from harness.records.identity import AgentSpec
from harness.records.stored_run import load_run

__all__ = ["Measured", "Probe", "families_of", "gripper_of"]

AGENTS = "harness.probes.tokenizer.agents"
FORMAT = 1
"""Of the codecs on disk: it rises when the same settings make another codec."""

Outcomes = Mapping[tuple[str, int], bool]
"""(task, seed) -> success."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One codec: what it loses, and how it plays."""

    name: str
    family: str
    codec: Codec
    loss: Loss
    outcomes: Mapping[str, Outcomes]
    """Mode -> the held-out episodes that were played."""


class Probe:
    """Measures codecs one by one. All that takes long is kept in a folder, and not done twice."""

    def __init__(
        self,
        split: Split,
        out: Path,
        training: Training,
        options: RunOptions,
        say: Callable[[str], None],
        policy: AgentSpec | None = None,
        trained: Mapping[str, AgentSpec] | None = None,
    ) -> None:
        """`policy`: the agent of the mode `policy`. `trained`: name of a codec -> the agent of the
        mode `trained`, whose own tokens it has."""
        self._split, self._training, self._options = split, training, options
        self._out, self._say, self._policy = out.absolute(), say, policy
        self._trained = trained or {}
        self.not_run: dict[str, str] = {}
        """Task id -> why it cannot run here."""
        self.lost = 0
        """Cases without a result."""
        self.agent_errors = 0
        """Cases that ended with an error of the agent."""

    def measure(
        self, variant: Variant, modes: Sequence[str], handed_in: Codec | None = None
    ) -> Measured:
        """One codec. Raises UserError, and KeyboardInterrupt: the same call then goes on."""
        codec, file = self._codec(variant, handed_in)
        loss = loss_of(codec, self._split.judged_on)
        self._say(f"{variant}: mean squared error {loss.mse:.2g}")
        outcomes = {mode: self._played(variant, mode, file) for mode in modes}
        return Measured(
            name=str(variant), family=variant.family, codec=codec, loss=loss, outcomes=outcomes
        )

    def _codec(self, variant: Variant, handed_in: Codec | None) -> tuple[Codec, Path]:
        """The codec, made unless it was made before, and its file."""
        split = self._split
        parts = [FORMAT, str(variant), split.range.low, split.range.high]
        if handed_in is not None:
            parts += list(handed_in.arrays().values())
        elif variant.codebooks:
            parts += [dataclasses.asdict(self._training), split.learned_from]
        file = self._out / "codecs" / f"{variant}-{_key(*parts)}.npz"
        if not file.is_file():
            save_codec(handed_in or self._made(variant), file)
        return load_codec(file), file

    def _made(self, variant: Variant) -> Codec:
        split = self._split
        if variant.kind == CONTINUOUS:
            return Continuous(split.range)
        if variant.kind == "uniform":
            return Uniform(split.range, variant.codes)
        check_packages()
        return learn(split.range, split.learned_from, variant, self._training)

    def _played(self, variant: Variant, mode: str, codec: Path) -> Outcomes:
        """Play the held-out episodes, and read who succeeded."""
        split = self._split
        args: dict[str, Any] = {"codec": str(codec)}
        if mode == "replay":
            spec = AgentSpec(
                "replay", f"{AGENTS}:CodedReplay", {**args, "recorded": str(self._recorded())}
            )
        elif mode == "expert":
            spec = AgentSpec("expert", f"{AGENTS}:CodedExpert", args)
        elif mode == "trained":
            spec = self._trained[str(variant)]
        else:
            assert self._policy is not None
            args["agent"] = dataclasses.asdict(self._policy)
            spec = AgentSpec(self._policy.name, f"{AGENTS}:CodedAgent", args)
        plan = make_plan(split.chosen, spec, episodes=None, seed=0)
        items = tuple(
            dataclasses.replace(item, episodes=split.episodes[item.task.id]) for item in plan.items
        )
        plan = dataclasses.replace(plan, items=items, seed=split.plan.seed)
        self.not_run |= {row.task: f"{row.reason}; {row.remedy}" for row in plan.not_run}
        if not items:
            why = next(iter(self.not_run.values()))
            raise UserError(f"none of these tasks can be played: {why}")
        suites = list(dict.fromkeys(item.suite for item in items))
        out = self._out / "runs" / mode / str(variant)
        summary = play(spec, suites, plan, out, self._options, SilentProgress())
        if summary.stopped:
            raise UserError(summary.stopped)
        self.not_run |= {row.task: f"{row.reason}; {row.remedy}" for row in summary.not_run}
        told = [
            result
            for result in load_run(out).results()
            if result.status != "error" and result.seed in split.keys.get(result.task, ())
        ]
        self.agent_errors += sum(result.status == "agent_error" for result in told)
        found = {(result.task, result.seed): bool(result.success) for result in told}
        wanted = sum(len(seeds) for task, seeds in split.keys.items() if task not in self.not_run)
        self.lost += wanted - len(found)
        return found

    def _recorded(self) -> Path:
        """The file of the recorded actions."""
        recorded = self._split.recorded
        file = self._out / f"recorded-{_key(sorted(recorded), *recorded.values())}.npz"
        if not file.is_file():
            self._out.mkdir(parents=True, exist_ok=True)
            temporary = file.with_suffix(f".{os.getpid()}.new")
            with temporary.open("wb") as opened:
                np.savez(opened, **recorded)
            os.replace(temporary, file)
        return file


def _key(*parts: Any) -> str:
    return hashlib.blake2b(digest_of(*parts), digest_size=8).hexdigest()


def families_of(split: Split) -> dict[str, str]:
    """Task id -> what is equal of tasks whose episodes of one seed may depend on one another."""
    return {item.task.id: item.family for item in split.plan.items}


def gripper_of(split: Split) -> tuple[int, ...]:
    """The dimensions of a gripper, by the layout of the first task's actions. Raises UserError."""
    _, task = split.chosen[0]
    watch = Watch()
    with Interrupts(SimpleNamespace(interrupted=False)) as interrupts, Watchdog(watch, interrupts):
        layout = describe(task, (), watch, None, False).action.layout
    found: list[int] = []
    place = 0
    for field in layout:
        if "gripper" in field.name:
            found += range(place, place + field.size)
        place += field.size
    return tuple(found)
