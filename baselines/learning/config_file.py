"""The configuration of a trained model as a file: config.json, stored next to its weights.

A folder of weights may come from a stranger, so the file is bounded, and every field is checked
against the type of the dataclass before anything is made of it.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import json
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from harness.core import UserError
from harness.core.errors import suggest
from harness.records.safe_files import read_regular
from harness.records.safe_json import parse, shown
from harness.records.typed import Check, boolean, fields_of, list_of, number, table_of, text, whole

__all__ = ["FILE", "StoredConfig", "read_json", "size", "write_json"]

FILE = "config.json"
MOST_BYTES = 1 << 20
MOST_ENTRIES = 4096
"""Of a list or a table."""
MOST = 1 << 31
"""Of a whole number."""

Self = TypeVar("Self", bound="StoredConfig")


class StoredConfig:
    """Base of the frozen dataclasses that say with what a model is made and trained.

    Fields may be bool, int, float, str, tuples of one of these, tables from texts to these, and
    dataclasses of such fields. Numbers are finite and at least 0.
    """

    agent: ClassVar[str]
    """What the model is called in messages."""
    remedy: ClassVar[str]
    """The commands that make weights; `{folder}` stands for their folder."""
    bounds: ClassVar[Mapping[str, Check]] = {}
    """Narrower checks of some fields than their type says."""

    def save(self, folder: Path) -> None:
        """Write config.json."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / FILE, dataclasses.asdict(self))  # type: ignore[call-overload]

    @classmethod
    def load(cls: type[Self], folder: str | Path) -> Self:
        """The configuration in a folder of weights. Raises UserError when there is none."""
        file = Path(folder) / FILE
        try:
            return cls.read(file)
        except FileNotFoundError:
            raise UserError(
                f"{folder} holds no weights of {cls.agent}: it has no {FILE}. "
                f"Make some with {cls.remedy.format(folder=folder)}"
            ) from None

    @classmethod
    def read(cls: type[Self], file: Path, changes: Mapping[str, Any] | None = None) -> Self:
        """The configuration in a JSON file, with some fields changed.

        Raises FileNotFoundError, and UserError when the file or a change is not valid.
        """
        known = _checked(cls, read_json(file), f"{file} is no configuration of {cls.agent}: ")
        return cls(**{**known, **_checked(cls, changes or {}, "")})

    @classmethod
    def from_json(cls: type[Self], fields: Mapping[str, Any]) -> Self:
        """From JSON values; what is not named is as by default. Raises UserError."""
        return cls(**_checked(cls, fields, ""))


def size(most: int) -> Check:
    """A whole number from 1 to `most`."""
    return whole(1, most)


def read_json(file: Path) -> Any:
    """What a JSON file of at most 1 MiB holds. Raises FileNotFoundError, and UserError."""
    content = read_regular(file, MOST_BYTES)
    try:
        return parse(content)
    except ValueError as wrong:
        raise UserError(f"{file} is damaged: {wrong}") from None


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file that people can read."""
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _checked(cls: type[StoredConfig], fields: Any, place: str) -> dict[str, Any]:
    if not isinstance(fields, Mapping):
        raise UserError(f"{place}it is {shown(fields)}, not a table of fields")
    checks = _checks(cls)
    for name in fields:
        if name not in checks:
            near = suggest(str(name), list(checks))
            raise UserError(
                f"{place}a configuration of {cls.agent} has no field {shown(name)}; "
                + (near or f"it has {', '.join(checks)}")
            )
    try:
        return {name: checks[name](value, name) for name, value in fields.items()}
    except ValueError as wrong:
        raise UserError(f"{place}{wrong}") from None


def _checks(cls: type) -> dict[str, Check]:
    hints, bounds = typing.get_type_hints(cls), getattr(cls, "bounds", {})
    return {
        each.name: bounds.get(each.name) or _check_of(hints[each.name])
        for each in dataclasses.fields(cls)
    }


def _check_of(hint: Any) -> Check:
    """What a value of this type is checked with. Raises TypeError for one of another kind."""
    simple: Mapping[Any, Check] = {
        bool: boolean, int: whole(0, MOST), float: _from_zero, str: text,
    }  # fmt: skip
    if hint in simple:
        return simple[hint]
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        made, checks = hint, _checks(hint)
        may_lack = frozenset(checks)
        return lambda value, place: made(**fields_of(value, place, checks, may_lack))
    kinds = typing.get_args(hint)
    if typing.get_origin(hint) is tuple and kinds[1:] == (...,):
        return list_of(_check_of(kinds[0]), MOST_ENTRIES)
    if typing.get_origin(hint) is collections.abc.Mapping and kinds[0] is str:
        return table_of(_check_of(kinds[1]), MOST_ENTRIES)
    raise TypeError(f"{hint} is no type of a field that can be stored")


def _from_zero(value: Any, place: str) -> float:
    found = number(value, place)
    if found < 0:
        raise ValueError(f"{place} is {shown(value)}, not a number from 0 on")
    return found
