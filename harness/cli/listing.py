"""The tables of `bench list` and `bench doctor`. Adapters are imported, simulators are not."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence

from harness.core import Missing, Suite
from harness.host.hosted import Hosted, end_probes
from harness.host.loading import load_adapter
from harness.play.text_table import text_table
from harness.records.catalogue import Kind, find_suites
from harness.records.registry import load

__all__ = [
    "doctor",
    "list_adapters",
    "list_agents",
    "list_perturbations",
    "list_suites",
    "list_tasks",
]


def _table(head: Sequence[str], rows: Sequence[Sequence[object]], width: int = 76) -> str:
    return text_table(head, rows, widths=[None] * (len(head) - 1) + [width], figures=True)


def list_suites(table: Mapping[str, str]) -> str:
    """One line per suite."""
    rows = []
    for suite in (find_suites(name, table)[0] for name in table):
        domains = ", ".join(sorted({task.domain for task in suite.tasks}))
        rows.append(
            [
                suite.name,
                len(suite.tasks),
                suite.episodes,
                "yes" if suite.in_all else "",
                domains,
                suite.title,
            ]
        )
    return _table(["suite", "tasks", "episodes", "in all", "domains", "what it is"], rows)


def list_tasks(suites: Sequence[Suite]) -> str:
    """One line per task of these suites."""
    rows = []
    for suite in suites:
        for task in suite.tasks:
            horizon = task.max_steps or "simulator's"
            rows.append([task.id, suite.name, task.domain, horizon, " ".join(task.tags), task.rule])
    return _table(["task", "suite", "domain", "horizon", "tags", "rule"], rows, 60)


def list_agents(agents: Mapping[str, str], kinds: Mapping[str, Kind]) -> str:
    """One line per agent, with the views that its class declares to read; then one per kind.

    A kind is named only: its class may need packages that are not here.
    """
    rows = []
    for name, entry in agents.items():
        kind = load(entry)
        reads = ", ".join(kind.reads) or "the instruction alone"
        rows.append(
            [
                name,
                "privileged: the expert's action" if "expert" in kind.reads else reads,
                _first_sentence(kind),
            ]
        )
    named = [[kind.usage, kind.what] for kind in kinds.values()]
    named.append(["package.module:Class", "your own class"])
    return "\n\n".join(
        [
            _table(["agent", "reads", "what it is"], rows),
            _table(["or write", "what plays"], named),
        ]
    )


def list_adapters(adapters: Mapping[str, str]) -> str:
    """One line per simulator family."""
    rows = []
    for name, entry in adapters.items():
        kind = load_adapter(entry)
        rows.append(
            [
                name,
                "ready" if kind.missing() is None else "missing",
                ", ".join(kind.packages),
                _first_sentence(kind),
            ]
        )
    return _table(["family", "here", "packages", "what it is"], rows)


def list_perturbations(adapters: Mapping[str, str]) -> str:
    """One line per perturbation with its parameters at severities 1 to 5.

    First those between adapter and agent, then those of simulators, then the sets.
    """
    from harness.perturb import REGISTRY, SETS

    rows = [[kind.group, kind.name, _levels(kind.levels), kind.what] for kind in REGISTRY.values()]
    for family, entry in adapters.items():
        rows += [
            [
                family,
                simulator_perturbation.name,
                _levels(simulator_perturbation.levels),
                simulator_perturbation.what,
            ]
            for simulator_perturbation in load(entry).simulator_perturbations()
        ]
    sets = [["set", name, "", what] for name, (what, _) in SETS.items()]
    head = ["group", "name", "severities 1 to 5", "what it does"]
    return text_table(head, rows + sets, widths=[None, None, 44, 60])


def _levels(levels: Sequence[Mapping[str, object]]) -> str:
    """`sigma 0.1, 0.2`: each parameter with its values."""
    columns = {
        name: ", ".join("none" if level[name] is None else str(level[name]) for level in levels)
        for name in levels[0]
    }
    return "; ".join(f"{name} {values}" for name, values in columns.items())


def doctor(adapters: Mapping[str, str]) -> str:
    """For each family its versions, or what is missing and the command that fixes it."""
    rows: list[list[str]] = []
    for name, entry in adapters.items():
        kind = load_adapter(entry)
        missing = kind.missing()
        if missing is not None:
            rows.append([name, "missing", missing.reason, missing.remedy])
            continue
        versions = ", ".join(f"{package} {version}" for package, version in kind.versions().items())
        if issubclass(kind, Hosted):
            versions = f"{versions}; in {kind.interpreter()}"
        rows.append([name, "ready", versions, ""])
        limit = kind.limited()
        if limit is not None:
            rows[-1] = [name, "in part", f"{versions}; {limit.reason}", limit.remedy]
    end_probes()
    rows.append(_state("parallel", _package("ray"), "ray, for --workers other than 0"))
    return _table(["what", "state", "versions, or what is missing", "how to fix it"], rows)


def _first_sentence(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split()).partition(". ")[0].rstrip(".")


def _package(name: str) -> Missing | None:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Missing(
            f"the package {name} is not installed", f"pip install 'generalist-bench[{name}]'"
        )
    return None


def _state(name: str, missing: Missing | None, versions: str) -> list[str]:
    return (
        [name, "ready", versions, ""]
        if missing is None
        else [name, "missing", missing.reason, missing.remedy]
    )
