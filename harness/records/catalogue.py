"""Names that a user types -> agents and suites.

Those that come with bench have short names; a user's own are named by module, file or Gymnasium id.
"""

from __future__ import annotations

import fnmatch
import importlib
import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness.core import Suite, Task, UserError
from harness.core.errors import suggest
from harness.records.gym_tables import GYM_EXTRA, gym_tasks
from harness.records.identity import AgentSpec
from harness.records.plan import task_from_json
from harness.records.plan_fields import MOST_ITEMS
from harness.records.registry import load
from harness.records.toml_files import read_toml
from harness.records.typed import text

__all__ = ["Kind", "find_agent", "find_suites", "select_tasks", "suite_from_toml"]

GYM_EPISODES = 10
"""Episodes of a Gymnasium environment, which has no protocol that says how many."""
IN_A_FILE = ("name", "title", "episodes", "task", "gym")
"""What a suite in a TOML file may have."""


@dataclass(frozen=True)
class Kind:
    """Agents that are named by where they are: `openpi:ws://HOST:PORT`, `sb3:FILE`."""

    entry: str
    """`module:Class`."""
    argument: str
    """The argument of the class that takes what stands behind the colon."""
    usage: str
    """How it is written, with an example of what stands behind the colon."""
    what: str
    """What it is, in a few words."""


NO_KINDS: Mapping[str, Kind] = MappingProxyType({})


def find_agent(
    name: str,
    args: Mapping[str, Any],
    table: Mapping[str, str],
    kinds: Mapping[str, Kind] = NO_KINDS,
) -> AgentSpec:
    """The agent of this name.

    It is a key of `table` (name -> entry), `KIND:ADDRESS` with a key of `kinds`, or a user's
    `package.module:Class`.

    Raises UserError with the remedy.
    """
    if name in table:
        return AgentSpec(name, table[name], args)
    word, colon, address = name.partition(":")
    if word in kinds:
        kind = kinds[word]
        if not colon:
            raise UserError(f"--agent {name} does not say which: write {kind.usage}")
        if not address.strip():
            raise UserError(f"{name} lacks what stands behind the colon: write {kind.usage}")
        if kind.argument in args:
            raise UserError(f"--agent-arg {kind.argument}: --agent {name} says it already")
        return AgentSpec(name, kind.entry, {kind.argument: address, **args})
    if colon and "://" not in name:
        return AgentSpec(name, name, args)
    raise UserError(
        f"there is no agent {name!r};{_guess(word, [*table, *kinds])} `bench list agents` shows "
        "those that come with bench, and package.module:Class names your own"
    )


def find_suites(names: str, table: Mapping[str, str], gym: str = "") -> list[Suite]:
    """The suites of a comma-separated list.

    A part is a key of `table` (name -> module), `all`, a user's module or TOML file, or `gym:ID`.
    `gym` is the entry of the function that makes the task of a Gymnasium environment, from the text
    after `gym:` or from a table of settings.

    Raises UserError with the remedy.
    """
    suites: list[Suite] = []
    for name in filter(None, (part.strip() for part in names.split(","))):
        if name == "all":
            every = [_shipped(each, table) for each in table]
            suites += [suite for suite in every if suite.in_all]
        else:
            suites.append(_suite_named(name, table, gym))
    if not suites:
        raise UserError("--suite names nothing; `bench list suites` shows what there is")
    unique: dict[str, Suite] = {}
    for suite in suites:
        if unique.setdefault(suite.name, suite) != suite:
            raise UserError(
                f"--suite {names}: two different suites are called {suite.name!r}: rename one"
            )
    return list(unique.values())


def _suite_named(name: str, table: Mapping[str, str], gym: str) -> Suite:
    if name in table:
        return _shipped(name, table)
    if gym and name.startswith("gym:"):
        try:
            task = load(gym)(name.removeprefix("gym:"))
        except ImportError as fault:
            raise UserError(f"{name}: {fault}; {GYM_EXTRA}") from None
        return Suite(
            name,
            f"the Gymnasium environment {name.removeprefix('gym:')}",
            (task,),
            GYM_EPISODES,
            in_all=False,
        )
    if name.endswith(".toml"):
        return suite_from_toml(Path(name), gym)
    if "." in name or ":" in name or importlib.util.find_spec(name) is not None:
        return _from_module(name)
    raise UserError(
        f"there is no suite {name!r};{_guess(name, ['all', *table])} `bench list suites` shows "
        "those that come with bench, gym:ID names a Gymnasium environment, and package.module or "
        "FILE.toml your own"
    )


def _shipped(name: str, table: Mapping[str, str]) -> Suite:
    suites: tuple[Suite, ...] = importlib.import_module(table[name]).SUITES
    for suite in suites:
        if suite.name == name:
            return suite
    raise UserError(f"the module {table[name]} holds no suite {name!r}")


def _from_module(name: str) -> Suite:
    found = load(f"{name}:SUITES") if ":" not in name else load(name)
    suites = (
        [found]
        if isinstance(found, Suite)
        else list(found)
        if isinstance(found, (list, tuple))
        else []
    )
    if len(suites) != 1 or not isinstance(suites[0], Suite):
        module = name.partition(":")[0]
        raise UserError(
            f"{name} must hold one harness.core.Suite, it holds {len(suites) or 'none'}; name one "
            f"with {module}:VARIABLE"
        )
    return suites[0]


NOT = "not:"


def select_tasks(suites: Sequence[Suite], pattern: str | None) -> list[tuple[Suite, Task]]:
    """The tasks of all suites that match `pattern`, each once.

    `pattern`: comma-separated globs over ids without versions, or `tag:NAME`; case does not matter.
    `not:` before a part excludes the tasks that it matches. If all parts exclude, all other tasks
    are chosen. None chooses all.

    Raises UserError when a part matches nothing, or when two suites mean different tasks by one id.
    """
    found: dict[str, tuple[Suite, Task]] = {}
    for suite in suites:
        for task in suite.tasks:
            before = found.setdefault(task.id, (suite, task))
            if before[1].content != task.content:
                where = (
                    f"{before[0].name} and {suite.name}" if before[0] is not suite else suite.name
                )
                raise UserError(
                    f"two different tasks are called {task.id}, in {where}: rename one, or raise "
                    "its version"
                )
    if pattern is None:
        return list(found.values())
    globs = [glob.strip().lower() for glob in pattern.split(",") if glob.strip()]
    for glob in [each.removeprefix(NOT) for each in globs] or [""]:
        if not any(_matches(task, glob) for _, task in found.values()):
            raise UserError(_no_match(glob, [task for _, task in found.values()]))
    out = [each.removeprefix(NOT) for each in globs if each.startswith(NOT)]
    wanted = [each for each in globs if not each.startswith(NOT)] or ["*"]
    kept = [
        (suite, task)
        for suite, task in found.values()
        if any(_matches(task, glob) for glob in wanted)
    ]
    kept = [(suite, task) for suite, task in kept if not any(_matches(task, glob) for glob in out)]
    if not kept:
        raise UserError(
            f"--tasks {pattern!r} leaves nothing: it excludes all tasks that it chooses"
        )
    return kept


def _matches(task: Task, glob: str) -> bool:
    if glob.startswith("tag:"):
        return glob[4:] in (tag.lower() for tag in task.tags)
    name = task.name.lower()
    return fnmatch.fnmatchcase(name, glob) or fnmatch.fnmatchcase(name.partition("/")[2], glob)


def _no_match(glob: str, tasks: Sequence[Task]) -> str:
    tags = sorted({f"tag:{tag}" for task in tasks for tag in task.tags})
    names = [name for task in tasks for name in (task.name, task.name.partition("/")[2])]
    guess = (
        suggest(glob, [*names, *tags])
        or f"there are {len(tasks)}: {', '.join(task.name for task in tasks[:5])}, ..."
    )
    named = f" The tags are {','.join(tags)}." if tags else ""
    return f"--tasks {glob!r}: no task matches; {guess}{named}"


def suite_from_toml(file: Path, gym: str = "") -> Suite:
    """A suite from a TOML file.

    It has `name`, `episodes` and, for each task, a `[[task]]` table with the fields of
    harness.core.Task, or a `[[gym]]` table with the id and the settings of a Gymnasium environment,
    as they stand in `gym:ID?KEY=VALUE`. `success = "none"` stands for a task that has a score only.
    `gym` is as in `find_suites`; without it the file can have no `[[gym]]`.

    Raises UserError when the file cannot be read or a field is wrong.
    """
    content = read_toml(file)
    try:
        for unknown in [key for key in content if key not in IN_A_FILE]:
            guess = suggest(unknown, IN_A_FILE) or f"there is {', '.join(IN_A_FILE)}"
            raise ValueError(f"{unknown[:60]} is unknown; {guess}")
        own, gyms = _tables(content, "task"), _tables(content, "gym")
        if not own and not gyms:
            raise KeyError("task")
        if len(own) + len(gyms) > MOST_ITEMS:
            many = len(own) + len(gyms)
            raise ValueError(f"it has {many} tasks; a suite has at most {MOST_ITEMS}")
        for fields in own:
            if fields.get("success") == "none":  # TOML has no null
                fields["success"] = None
        suite = Suite(
            text(content["name"], "name"),
            text(content.get("title", content["name"]), "title"),
            tuple(map(task_from_json, own)),
            content["episodes"],
            in_all=False,
        )
        # Last, because each environment is tried: whatever else is wrong is told before.
        found = gym_tasks(gyms, gym)
        return replace(
            suite,
            tasks=(*suite.tasks, *(task for task, _ in found)),
            counts={task.id: count for task, count in found if count is not None},
        )
    except UserError as wrong:
        raise UserError(f"{file}: {wrong}") from None
    except KeyError as missing:
        raise UserError(
            f"{file} lacks {missing}: a suite needs name, episodes and at least one [[task]] or "
            "[[gym]]"
        ) from None
    except (TypeError, ValueError) as wrong:
        raise UserError(
            f"{file}: {wrong}; the fields of a [[task]] are those of harness.core.Task"
        ) from None


def _tables(content: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The tables `[[NAME]]` of a file; none if it has none. Raises ValueError."""
    tables = content.get(name, [])
    if name in content and not (
        isinstance(tables, list) and tables and all(isinstance(each, dict) for each in tables)
    ):
        raise ValueError(f"{name} is not a list of one table or more: write [[{name}]]")
    return list(tables)


def _guess(name: str, names: Iterable[str]) -> str:
    guess = suggest(name, names)
    return f" {guess}" if guess else ""
