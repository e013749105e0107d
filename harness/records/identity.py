"""Who played, and on what: the fingerprint of an agent, and the machine of a run.

The fingerprint decides whether a run directory may go on with the same command. It covers what can
change an agent's answers: its entry, arguments, source, and the files that it declares or that an
argument names. Sources of harness.core are left out, so that runs outlive a new version of bench.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core import Agent, UserError
from harness.records.declared import check_agent_class, check_reading, declared
from harness.records.registry import load

__all__ = ["UNNAMED", "AgentSpec", "machine", "source_commit"]

UNNAMED = "unnamed"
"""The fingerprint of an agent that nobody can build again: a live object or a function."""

SAMPLE = 1 << 30
"""In bytes. Larger files are not hashed whole, but their size and three samples of 1 MiB."""


@dataclass(frozen=True)
class AgentSpec:
    """An agent by its entry and arguments, from which every worker builds its own instance."""

    name: str
    entry: str
    """`module:Class`."""
    args: Mapping[str, Any]
    """JSON values for the constructor."""

    def kind(self) -> type[Agent]:
        """The class. Raises UserError if it is no Agent or does not take these arguments."""
        kind = load(self.entry)
        if not (inspect.isclass(kind) and issubclass(kind, Agent)):
            raise UserError(
                f"{self.entry} is no agent: write "
                f"`class {self.entry.rpartition(':')[2]}(harness.core.Agent)`; see docs/agents.md"
            )
        if inspect.isabstract(kind):
            raise UserError(
                f"{self.entry} is abstract: it lacks {', '.join(sorted(kind.__abstractmethods__))}"
            )
        check_agent_class(kind, self.entry)
        try:
            inspect.signature(kind).bind(**self.args)
        except TypeError as fault:
            raise UserError(
                f"{self.entry} takes other arguments: {fault}. It is "
                f"{kind.__name__}{inspect.signature(kind)}; use --agent-arg k=v"
            ) from None
        return kind

    def declared(self) -> tuple[tuple[str, ...], int]:
        """(reads, history) as the class declares them for these arguments. Raises UserError."""
        return declared(self.kind(), self.entry, self.args)

    def build(self) -> Agent:
        """The agent. Raises UserError with the cause when its constructor fails."""
        agent = self.of_class(self.kind(), self.entry, self.args)
        check_reading(f"{self.entry}, once it is built,", agent.reads, agent.history)
        return agent

    @staticmethod
    def of_class(kind: type[Agent], entry: str, args: Mapping[str, Any]) -> Agent:
        """An agent of this class. Raises UserError with the cause when its constructor fails."""
        try:
            return kind(**args)
        except (UserError, KeyboardInterrupt):
            raise
        except BaseException as fault:
            raise UserError(
                f"the agent {entry} cannot be built: {type(fault).__name__}: {fault}"
            ) from fault

    def fingerprint(self) -> str:
        """16 hexadecimal digits over entry, arguments, source, declared files and named files.

        The source is that of the class and of each class that it inherits from: all Python files
        of its folder if that is a package, else the file of its module. Named files are those
        whose path is an argument.
        """
        kind = self.kind()
        return self.digest(kind, kind.files)

    def digest(self, kind: type[Agent], files: Sequence[str]) -> str:
        """The fingerprint of an agent of this class that comes with these files."""
        content = json.dumps([self.entry, dict(self.args)], sort_keys=True)
        digest = hashlib.blake2b(content.encode(), digest_size=8)
        for file in _sources(kind):
            digest.update(file.name.encode() + file.read_bytes())
        for name in files:
            if not os.path.exists(name):
                raise UserError(
                    f"{self.entry} declares the file {name}, which is missing: install its package "
                    "again"
                )
            _hash_path(digest, Path(name))
        for value in self.args.values():
            if isinstance(value, str) and len(value) < 4096 and os.path.exists(value):
                _hash_path(digest, Path(value))
        return digest.hexdigest()

    def to_json(self) -> dict[str, Any]:
        """What run.json says of the agent."""
        kind = self.kind()
        reads, history = self.declared()
        return {
            "name": self.name,
            "entry": self.entry,
            "args": dict(self.args),
            "reads": list(reads),
            "history": history,
            "privileged": "expert" in reads,
            "served": kind.served or kind.gpus > 0,
            "fingerprint": self.fingerprint(),
        }


def _sources(kind: type) -> Iterator[Path]:
    for ancestor in kind.__mro__:
        module = sys.modules.get(ancestor.__module__)
        file = getattr(module, "__file__", None)
        contract = ancestor.__module__.split(".")[:2] == ["harness", "core"]
        if file is None or contract or ancestor.__module__ in ("builtins", "abc"):
            continue
        path = Path(file)
        yield from (
            sorted(path.parent.glob("*.py")) if (path.parent / "__init__.py").exists() else [path]
        )


def _hash_path(digest: Any, path: Path) -> None:
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        size = file.stat().st_size
        digest.update(f"{file.relative_to(path)} {size}".encode())
        with file.open("rb") as handle:
            if size <= SAMPLE:
                while block := handle.read(1 << 22):
                    digest.update(block)
            else:
                for place in (0, size // 2, size - (1 << 20)):
                    handle.seek(place)
                    digest.update(handle.read(1 << 20))


def machine() -> dict[str, Any]:
    """The machine: enough to understand a difference, nothing that identifies a person."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
    }


def source_commit(folder: Path) -> str | None:
    """The commit of the checkout in `folder`, with `-dirty` if it has changes; None without one."""
    # --no-optional-locks: a run that is killed must not leave a lock file in the checkout.
    command = [
        "git",
        "--no-optional-locks",
        "-C",
        str(folder),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=12",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
