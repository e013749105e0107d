"""Reads `--perturb`.

The option is a list, separated by commas, of

- `NAME[:SEVERITIES]`, where SEVERITIES are numbers or ranges, separated by commas (`1,3,5`, `1-5`);
  without them all severities are meant
- `NAME=VALUE`, for a perturbation that declares a range: its parameter set to this value
- `A:3+B=0.4`: both together, applied in this order
- names of SETS
- `FILE.toml` with a list `perturb = ["action_noise:1-3", ...]` and, under `[levels.NAME]`, other
  parameters for the severities from 1 on, such as `sigma = [0.1, 0.4]`.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core import AT, Perturbation, UserError
from harness.core.errors import suggest
from harness.perturb.registry import REGISTRY, SEVERITIES
from harness.records.registry import load
from harness.records.toml_files import read_toml

__all__ = ["SETS", "Condition", "parse_conditions", "simulator_perturbation_names"]

SETS: Mapping[str, tuple[str, str]] = {
    "standard": (
        "one or two of every kind at severity 3, action noise at 1, 3 and 5",
        "image_noise:3,motion_blur:3,brightness:3,occlusion:3,camera_shift:3,dropped_frames:3,"
        "state_noise:3,state_dropout:3,observation_delay:3,action_noise:1,3,5,action_random:3,"
        "action_delay:2,paraphrase:3,typos:3,instruction_blackout:5,ui_zoom:3,ui_ids:3,burst:3,"
        "history:2,friction:3,light:3,camera:3,distractors:3,mode:1",
    ),
    "closed-loop": (
        "what a policy in a closed loop must correct: action noise .05-.3, random and sticky "
        "actions .05-.25, delays 1-4, lost frames .1-.5, occlusion .1-.5, lost numbers .1-.4, "
        "history of one, bursts of 3-10; chosen here, the protocol of no paper",
        "action_noise:1-4,action_random:1-3,action_sticky:1-3,action_delay:1-3,"
        "observation_delay:1-3,dropped_frames:1,3,4,occlusion:1,3,5,state_dropout:3-5,"
        "history:2,burst:2-4",
    ),
}
"""Name -> (what the set is for, what it consists of)."""
FORMER_SETS = {"gea-rl": "closed-loop"}
"""Old name, which commands in stored runs contain -> the name now."""


@dataclass(frozen=True)
class Condition:
    """Perturbations that are applied together."""

    parts: tuple[Perturbation, ...]
    """Without parameters unless the user gave some or the effect has another version than 1;
    `resolve` fills in those of the severity."""
    by_set: str = ""
    """The set that it comes from, if any.

    A set covers all kinds of agents, so its conditions that an agent cannot notice are left out.
    Conditions that the user named are always played.
    """


def simulator_perturbation_names(adapters: Iterable[str]) -> set[str]:
    """The names of the simulator-side perturbations of these adapters, given as `module:Class`."""
    return {
        simulator_perturbation.name
        for entry in adapters
        for simulator_perturbation in load(entry).simulator_perturbations()
    }


def parse_conditions(text: str, simulator_names: Collection[str]) -> tuple[Condition, ...]:
    """The conditions that a user asked for, without duplicates.

    `simulator_names`: names of simulator-side perturbations. Raises UserError with the remedy.
    """
    conditions: dict[str, Condition] = {}
    for condition in _read(text, simulator_names, {}):
        conditions.setdefault("+".join(map(str, condition.parts)), condition)
    if not conditions:
        raise UserError("--perturb is empty; `bench list perturbations` shows what there is")
    return tuple(conditions.values())


def _read(
    text: str,
    simulator_names: Collection[str],
    levels: Mapping[str, Sequence[Mapping[str, Any]]],
) -> list[Condition]:
    conditions: list[Condition] = []
    for item, severities in _items(text):
        if item in FORMER_SETS:
            item = _renamed(item)
        if item.endswith(".toml"):
            conditions += _from_file(Path(item), simulator_names)
        elif item in SETS:
            for condition in _read(SETS[item][1], simulator_names, levels):
                others = [
                    tuple(
                        _part(part.name, severity, simulator_names, levels)
                        for part in condition.parts
                    )
                    for severity in severities
                ]
                conditions += [Condition(parts, item) for parts in others or [condition.parts]]
        else:
            conditions += _composed(item, severities, simulator_names, levels)
    return conditions


def _renamed(item: str) -> str:
    now = FORMER_SETS[item]
    warnings.warn(f"the set {item} is called {now} now", DeprecationWarning, stacklevel=2)
    return now


def _items(text: str) -> list[tuple[str, list[int]]]:
    """`a:1,3,b+c:2` -> (a, [1, 3]), (b+c, [2]); a number belongs to the name before it."""
    items: list[tuple[str, list[int]]] = []
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        if re.fullmatch(r"[\d-]+", piece) and items:
            items[-1][1].extend(_severities(piece))
            continue
        before, plus, last = ("", "", piece) if piece.endswith(".toml") else piece.rpartition("+")
        name, colon, severity = (last, "", "") if piece.endswith(".toml") else last.partition(":")
        items.append((f"{before}{plus}{name}", _severities(severity) if colon else []))
    return items


def _severities(text: str) -> list[int]:
    found = re.fullmatch(r"([0-9]{1,3})(?:-([0-9]{1,3}))?", text.strip())
    if not found:
        raise UserError(
            f"--perturb: {text!r} is not a severity; write NAME:3, NAME:1,3,5 or NAME:1-5"
        )
    first = int(found[1])
    return list(range(first, int(found[2] or first) + 1))


def _composed(
    item: str,
    severities: list[int],
    simulator_names: Collection[str],
    levels: Mapping[str, Any],
) -> list[Condition]:
    """`A:3+B` with the severities of B: one condition for each of them.

    The names before the last one carry their severity in `item`.
    """
    *before, last = item.split("+")
    fixed = []
    if "=" in last:
        if severities:
            raise UserError(
                f"--perturb {item!r}: write one value, or severities, as in friction:1-3"
            )
        severities = [1]
    for piece in before:
        if "=" in piece:
            fixed.append(_part(piece.strip(), 1, simulator_names, levels))
            continue
        name, colon, severity = piece.strip().partition(":")
        if not colon or not re.fullmatch("[0-9]{1,3}", severity):
            raise _no_severity(item)
        fixed.append(_part(name, int(severity), simulator_names, levels))
    names = [part.name for part in fixed] + [last.partition("=")[0].strip()]
    if len(set(names)) < len(names):
        raise UserError(
            f"--perturb {item!r} names a perturbation twice: both would draw from one random stream"
        )
    if fixed and not severities:
        raise _no_severity(item)
    every = severities or range(1, (len(levels.get(names[-1], ())) or SEVERITIES) + 1)
    return [
        Condition((*fixed, _part(last.strip(), severity, simulator_names, levels)))
        for severity in every
    ]


def _no_severity(item: str) -> UserError:
    return UserError(
        f"--perturb {item!r}: in a combination each perturbation needs a severity, "
        "as in action_noise:3+occlusion:2, or a value, as in friction=0.4"
    )


def _part(
    name: str,
    severity: int,
    simulator_names: Collection[str],
    levels: Mapping[str, Sequence[Mapping[str, Any]]],
) -> Perturbation:
    name, equals, value = name.partition("=")
    if equals:
        return Perturbation(_part(name, 1, simulator_names, {}).name, 1, {AT: _value(name, value)})
    if name not in REGISTRY and name not in simulator_names:
        guess = (
            suggest(name, [*REGISTRY, *simulator_names, *SETS])
            or "`bench list perturbations` shows them"
        )
        raise UserError(f"--perturb: there is no perturbation {name!r}; {guess}")
    own = levels.get(name)
    most = SEVERITIES if own is None else len(own)
    if severity > most:
        raise UserError(f"--perturb: {name} has severities 0 to {most}, got {severity}")
    params = dict(own[severity - 1]) if own and severity else {}
    kind = REGISTRY.get(name)
    if kind is not None and kind.version > 1 and severity:
        params = dict(kind.versioned(params or kind.levels[severity - 1]))
    return Perturbation(name, severity, params)


def _value(name: str, text: str) -> float:
    """The value of `NAME=VALUE`. Whether it lies in the range, `resolve` says."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if name in REGISTRY:
        raise UserError(f"--perturb {name}={text}: {name} has severities only, as in {name}:3")
    if not math.isfinite(value):
        raise UserError(f"--perturb {name}={text}: write a number, as in friction=0.4")
    return value


def _from_file(file: Path, simulator_names: Collection[str]) -> list[Condition]:
    content = read_toml(file, "--perturb: ")
    unknown = sorted(content.keys() - {"name", "perturb", "levels"})
    asked = content.get("perturb")
    if (
        unknown
        or not isinstance(asked, list)
        or not all(isinstance(item, str) and not item.endswith(".toml") for item in asked)
    ):
        wrong = (
            f"it has {unknown[0]!r}"
            if unknown
            else "perturb must be a list of strings such as 'action_noise:1-3'"
        )
        raise UserError(f"--perturb: {file}: {wrong}; it takes perturb = [...] and [levels.NAME]")
    levels = {
        name: _levels(file, name, table, simulator_names)
        for name, table in _table(file, content.get("levels", {})).items()
    }
    return [condition for item in asked for condition in _read(item, simulator_names, levels)]


def _table(file: Path, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UserError(
            f"--perturb: {file}: [levels.NAME] must be a table with a list of values for each "
            "parameter"
        )
    return value


def _levels(
    file: Path, name: str, table: Any, simulator_names: Collection[str]
) -> list[dict[str, Any]]:
    """`{sigma: [0.1, 0.4]}` -> [{sigma: 0.1}, {sigma: 0.4}]."""
    _part(name, 0, simulator_names, {})
    columns = _table(file, table)
    lengths = {len(values) if isinstance(values, list) else 0 for values in columns.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise UserError(
            f"--perturb: {file}: [levels.{name}] needs a list of values for each parameter, "
            "all of the same length"
        )
    kind = REGISTRY.get(name)
    if kind is not None and set(columns) != set(kind.levels[0]):
        raise UserError(
            f"--perturb: {file}: {name} takes {', '.join(kind.levels[0])}, not {', '.join(columns)}"
        )
    if kind is not None:
        for parameter, values in columns.items():
            _check_values(file, name, parameter, values, kind.levels)
    return [
        {parameter: values[k] for parameter, values in columns.items()}
        for k in range(lengths.pop())
    ]


def _check_values(
    file: Path, name: str, parameter: str, values: list[Any], levels: Sequence[Mapping[str, Any]]
) -> None:
    """Raises UserError on a value that differs in kind from those of the registry's `levels`."""
    ours = [level[parameter] for level in levels]
    for value in values:
        if isinstance(ours[0], str):
            good = value in ours
        elif isinstance(ours[0], bool):
            good = isinstance(value, bool)
        else:
            whole = all(isinstance(each, int) or each is None for each in ours)
            good = (
                isinstance(value, int if whole else (int, float))
                and not isinstance(value, bool)
                and value >= 0
            )
            good = good and (parameter not in ("share", "area", "shift") or value <= 1)
        if not good:
            raise UserError(
                f"--perturb: {file}: {name} cannot take {parameter} = {value!r}; "
                f"the built-in values are {', '.join(map(str, ours))}"
            )
