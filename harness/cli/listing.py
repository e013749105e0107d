"""The tables of `bench list` and `bench doctor`. Adapters are imported, simulators are not."""

from __future__ import annotations

import importlib.metadata
import textwrap
from collections.abc import Mapping, Sequence

from harness.core import Missing, SimulatorPerturbation, Suite, Task
from harness.core.grammar import counted
from harness.core.text import printable
from harness.host.hosted import Hosted, end_probes
from harness.host.loading import load_adapter
from harness.play.column_widths import WIDTH
from harness.play.text_table import WHOLE, text_table
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


def _table(head: Sequence[str], rows: Sequence[Sequence[object]], width: int) -> str:
    return text_table(head, rows, width=width, figures=True)


def _listed(
    head: Sequence[str],
    rows: Sequence[Sequence[object]],
    width: int,
    spare: str,
    *,
    full: bool,
) -> str:
    """A table with a line for each row, where it fits; else without the column `spare`.

    `full`: nothing is broken or left out.
    """
    whole = text_table(head, rows, width=WHOLE, figures=True)
    if full or max(map(len, whole.splitlines())) <= width:
        return whole
    kept = [number for number, name in enumerate(head) if name != spare]
    narrow = [[row[number] for number in kept] for row in rows]
    return text_table([head[number] for number in kept], narrow, width=width, figures=True)


def list_suites(table: Mapping[str, str], width: int = WIDTH, *, full: bool = False) -> str:
    """One row per suite; the domains where there is room, or `full`."""
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
    head = ["suite", "tasks", "episodes", "in all", "domains", "what it is"]
    return _listed(head, rows, width, "domains", full=full)


def list_tasks(suites: Sequence[Suite], width: int = WIDTH, *, full: bool = False) -> str:
    """One row per task of these suites. `full`: in one table, with the domain and the rule."""
    if not full:
        return "\n\n".join(_tasks_of(suite, width) for suite in suites)
    rows = [
        [task.id, suite.name, task.domain, _horizon(task), " ".join(task.tags), task.rule]
        for suite in suites
        for task in suite.tasks
    ]
    return _table(["task", "suite", "domain", "horizon", "tags", "rule"], rows, WHOLE)


def _tasks_of(suite: Suite, width: int) -> str:
    """The tasks of a suite below what they have in common."""
    domains = ", ".join(sorted({task.domain for task in suite.tasks}))
    rules = list(dict.fromkeys(task.rule for task in suite.tasks))
    rule = rules[0] if len(rules) == 1 else f"{len(rules)} rules: see `bench describe TASK`"
    head = f"{suite.name}: {counted(len(suite.tasks), 'task')}, {domains}; {rule}"
    tagged = any(task.tags for task in suite.tasks)
    rows = [
        [task.id, _horizon(task), *([" ".join(task.tags)] if tagged else [])]
        for task in suite.tasks
    ]
    titles = ["task", "horizon", *(["tags"] if tagged else [])]
    return f"{_filled(head, width)}\n{text_table(titles, rows, width=width)}"


def _horizon(task: Task) -> str:
    return str(task.max_steps or "simulator's")


def _filled(text: str, width: int) -> str:
    return textwrap.fill(printable(text), width, break_on_hyphens=False)


def list_agents(agents: Mapping[str, str], kinds: Mapping[str, Kind], width: int = WIDTH) -> str:
    """One row per agent, with the views that its class declares to read; then one per kind.

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
            _table(["agent", "reads", "what it is"], rows, width),
            _table(["or write", "what plays"], named, width),
        ]
    )


def list_adapters(adapters: Mapping[str, str], width: int = WIDTH, *, full: bool = False) -> str:
    """One row per simulator family; its packages where there is room, or `full`."""
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
    head = ["family", "here", "packages", "what it is"]
    return _listed(head, rows, width, "packages", full=full)


def list_perturbations(
    adapters: Mapping[str, str], width: int = WIDTH, *, full: bool = False
) -> str:
    """One row per perturbation; its parameters at severities 1 to 5 where there is room, or `full`.

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
                _with_range(simulator_perturbation),
            ]
            for simulator_perturbation in load(entry).simulator_perturbations()
        ]
    sets = [["set", name, "", what] for name, (what, _) in SETS.items()]
    head = ["group", "name", "severities 1 to 5", "what it does"]
    return _listed(head, rows + sets, width, "severities 1 to 5", full=full)


def _with_range(declared: SimulatorPerturbation) -> str:
    """What it does, and between which values it may be set."""
    return declared.what + (f"; range {declared.range}" if declared.range is not None else "")


def _levels(levels: Sequence[Mapping[str, object]]) -> str:
    """`sigma 0.1, 0.2`: each parameter with its values."""
    columns = {
        name: ", ".join("none" if level[name] is None else str(level[name]) for level in levels)
        for name in levels[0]
    }
    return "; ".join(f"{name} {values}" for name, values in columns.items())


def doctor(adapters: Mapping[str, str], width: int = WIDTH) -> str:
    """For each family its versions, or what is missing; last, the commands that fix it."""
    rows: list[list[str]] = []
    remedies: dict[str, str] = {}
    for name, entry in adapters.items():
        kind = load_adapter(entry)
        missing = kind.missing()
        if missing is not None:
            rows.append([name, "missing", missing.reason])
            remedies[name] = missing.remedy
            continue
        versions = ", ".join(f"{package} {version}" for package, version in kind.versions().items())
        if issubclass(kind, Hosted):
            versions = f"{versions}; in {kind.interpreter()}"
        rows.append([name, "ready", versions])
        limit = kind.limited()
        if limit is not None:
            rows[-1] = [name, "in part", f"{versions}; {limit.reason}"]
            remedies[name] = limit.remedy
    end_probes()
    wanting = _package("ray")
    if wanting is None:
        rows.append(["parallel", "ready", "ray, for --workers other than 0"])
    else:
        rows.append(["parallel", "missing", wanting.reason])
        remedies["parallel"] = wanting.remedy
    table = _table(["what", "state", "versions, or what is missing"], rows, width)
    if not remedies:
        return table
    fixes = _table(["what", "how to fix it"], list(remedies.items()), width)
    return f"{table}\n\n{fixes}"


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
