"""Profiles from TOML: those that come with bench by name, a user's by path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.core import Field, UserError
from harness.core.errors import suggest
from harness.core.layout import FRAMES, KINDS, REPRESENTATIONS, SIGNS
from harness.policies.profiles.keys import FLIPS, ImageKey, Part, VectorKey
from harness.policies.profiles.moves import ActionField, ActionVector
from harness.policies.profiles.normalisation import (
    METHODS,
    Normalisation,
    numbers,
    read_statistics,
)
from harness.policies.profiles.profile import Profile
from harness.records.toml_files import read_toml
from harness.records.typed import boolean, is_number, text, whole

__all__ = ["load_profile", "profile_names"]

FOLDER = Path(__file__).parent
MOST_ITEMS = 100
"""Keys, parts and fields of a profile."""
MOST_PIXELS = 8192
"""Of a picture's side."""
MOST_ELEMENTS = 10_000
Check = Callable[[Any, str], Any]


def profile_names() -> tuple[str, ...]:
    """The names of the profiles that come with bench."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.toml")))


def load_profile(name: str | Path) -> Profile:
    """The profile of this name, or in this TOML file.

    Raises UserError, with the remedy, where it does not exist or cannot be read.
    """
    if str(name) in profile_names():
        file = FOLDER / f"{name}.toml"
    elif str(name).endswith(".toml"):
        file = Path(name).expanduser()
    else:
        hint = suggest(str(name), profile_names()) or f"there are {', '.join(profile_names())}"
        raise UserError(
            f"there is no profile {str(name)!r}; {hint}; your own is named by FILE.toml"
        )
    content = read_toml(file)
    try:
        return _profile(content, file)
    except UserError as wrong:
        raise UserError(f"{file}: {wrong}") from None
    except (ValueError, TypeError) as wrong:
        raise UserError(f"{file}: {wrong}") from None


def _table(value: Any, place: str, checks: Mapping[str, Check]) -> dict[str, Any]:
    """The checked values of a table. Raises ValueError on a key that is not known."""
    if not isinstance(value, dict):
        raise ValueError(f"{place} is no table")
    found = {}
    for key, each in value.items():
        if key not in checks:
            hint = suggest(key, checks) or f"it can have {', '.join(checks)}"
            raise ValueError(f"{place} has the unknown key {key!r}; {hint}")
        found[key] = checks[key](each, f"{place}.{key}")
    return found


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > MOST_ITEMS:
        raise ValueError(f"{place} is no list of at most {MOST_ITEMS}")
    return value


def _word(*known: str) -> Check:
    def check(value: Any, place: str) -> str:
        if value not in known or type(value) is not str:
            words = ", ".join(repr(each) for each in known if each)
            raise ValueError(f"{place} is {value!r:.80}, not one of {words}")
        return value

    return check


def _real(value: Any, place: str) -> float:
    if not is_number(value) or abs(float(value)) > 1e12:
        raise ValueError(f"{place} is {value!r:.80}, not a number")
    return float(value)


def _positive(value: Any, place: str) -> float:
    number = _real(value, place)
    if number <= 0:
        raise ValueError(f"{place} is {value!r:.80}, not above 0")
    return number


def _pair(value: Any, place: str) -> tuple[float, float]:
    row = numbers(value, place)
    if len(row) != 2 or row[0] == row[1]:
        raise ValueError(f"{place} is not two different numbers")
    return row[0], row[1]


def _size(value: Any, place: str) -> tuple[int, int]:
    side = whole(1, MOST_PIXELS)
    row = _list(value, place)
    if len(row) != 2:
        raise ValueError(f"{place} is not [height, width]")
    return side(row[0], place), side(row[1], place)


def _row(value: Any, place: str) -> tuple[float, ...]:
    return numbers(value, place)


def _indices(value: Any, place: str) -> tuple[int, ...]:
    return tuple(whole(0, MOST_ELEMENTS)(each, place) for each in _list(value, place))


def _mask(value: Any, place: str) -> tuple[bool, ...]:
    return tuple(boolean(each, place) for each in _list(value, place))


ORIENTATIONS = tuple(FLIPS.values())
_IMAGE: dict[str, Check] = {
    "key": text, "view": text, "optional": boolean, "flip": _word(*FLIPS), "bgr": boolean,
    "resize": _size, "pad": boolean, "channels": _word("last", "first"),
    "dtype": _word("uint8", "float32"), "range": _pair, "shape": _size,
    "orientation": _word(*ORIENTATIONS), "colours": _word("rgb", "bgr"),
    "camera": _word("hand", "scene"),
}  # fmt: skip
_PART: dict[str, Check] = {
    "view": text, "field": text, "start": whole(0, MOST_ELEMENTS), "size": whole(1, MOST_ELEMENTS),
    "select": _indices, "constant": _row, "from": _word(*REPRESENTATIONS[:-1]),
    "representation": _word(*REPRESENTATIONS[:-1]), "frame": _word(*FRAMES), "unit": text,
    "sign": _word(*SIGNS), "scale": _real, "offset": _real,
}  # fmt: skip
_FIELD: dict[str, Check] = {
    "name": text, "size": whole(1, MOST_ELEMENTS), "kind": _word(*KINDS), "frame": _word(*FRAMES),
    "unit": text, "representation": _word(*REPRESENTATIONS), "sign": _word(*SIGNS),
    "scale": _real,
}  # fmt: skip
_MAPPING: dict[str, Check] = {
    "ignore": boolean, "to": _word(*REPRESENTATIONS[:-1]), "to_scale": _real, "range": _pair,
    "to_range": _pair, "invert": boolean, "binarise": boolean,
}  # fmt: skip
_STATISTICS: dict[str, Check] = {
    "method": _word("none", *METHODS), "statistics": text, "key": text, "mask": _mask,
    "mean": _row, "std": _row, "min": _row, "max": _row, "q01": _row, "q99": _row,
}  # fmt: skip


def _profile(content: Mapping[str, Any], file: Path) -> Profile:
    files = [str(file)]

    def normalisation(value: Any, place: str) -> Normalisation:
        return _normalisation(value, place, file.parent, files)

    def vector(value: Any, place: str) -> VectorKey:
        checks: dict[str, Check] = {
            "key": text, "parts": _parts, "size": whole(1, MOST_ELEMENTS),
            "dtype": _word("float32", "float64"), "normalisation": normalisation,
        }  # fmt: skip
        return VectorKey(**_needs(_table(value, place, checks), place, "key", "parts"))

    checks: dict[str, Check] = {
        "title": text, "source": text, "prompt": text, "batch": boolean, "control_hz": _positive,
        "settle": whole(0, 10_000), "image": _each(_image), "vector": _each(vector),
        "action": lambda value, place: _action(value, place, normalisation),
    }  # fmt: skip
    found = _needs(_table(content, "the profile", checks), "the profile", "action")
    action, chunk, execute = found.pop("action")
    if chunk is not None and execute is not None and execute > chunk:
        raise ValueError(f"action.execute is {execute}, but a chunk has {chunk} actions")
    images, vectors = found.pop("image", ()), found.pop("vector", ())
    prompt = found.pop("prompt", "")
    keys = [*(each.key for each in (*images, *vectors)), *([prompt] if prompt else [])]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise ValueError(f"two keys are called {twice!r}")
    return Profile(
        name=file.stem, images=images, vectors=vectors, prompt_key=prompt, action=action,
        chunk=chunk, execute=execute, files=tuple(files), **found,
    )  # fmt: skip


def _each(check: Check) -> Check:
    def of_list(value: Any, place: str) -> tuple[Any, ...]:
        items = enumerate(_list(value, place))
        return tuple(check(each, f"{place}[{number}]") for number, each in items)

    return of_list


def _needs(found: dict[str, Any], place: str, *keys: str) -> dict[str, Any]:
    for key in keys:
        if key not in found:
            raise ValueError(f"{place} lacks {key!r}")
    return found


def _image(value: Any, place: str) -> ImageKey:
    return ImageKey(**_needs(_table(value, place, _IMAGE), place, "key", "view"))


def _parts(value: Any, place: str) -> tuple[Part, ...]:
    parts: tuple[Part, ...] = _each(_part)(value, place)
    if not parts:
        raise ValueError(f"{place} is empty")
    return parts


def _part(value: Any, place: str) -> Part:
    found = _table(value, place, _PART)
    if ("constant" in found) == ("view" in found):
        raise ValueError(f"{place} has either a view or a constant")
    if "view" in found and "field" not in found and "size" not in found:
        raise ValueError(f"{place} has neither a field nor start and size")
    if "from" in found:
        if not found.get("representation"):
            raise ValueError(f"{place} has from, but no representation that it becomes")
        found["source"] = found.pop("from")
    return Part(**found)


def _action(
    value: Any, place: str, normalisation: Check
) -> tuple[ActionVector, int | None, int | None]:
    checks: dict[str, Check] = {
        "field": _each(_action_field), "normalisation": normalisation, "clip": _pair,
        "chunk": whole(1, MOST_ELEMENTS), "execute": whole(1, MOST_ELEMENTS),
    }  # fmt: skip
    found = _needs(_table(value, place, checks), place, "field")
    if not found["field"]:
        raise ValueError(f"{place}.field is empty")
    names = [field.theirs.name for field in found["field"] if not field.ignore]
    if len(set(names)) < len(names):
        raise ValueError(f"{place} has two fields of one name")
    vector = ActionVector(
        fields=found["field"],
        normalisation=found.get("normalisation", Normalisation("")),
        clip=found.get("clip"),
    )
    return vector, found.get("chunk"), found.get("execute")


def _action_field(value: Any, place: str) -> ActionField:
    found = _table(value, place, {**_FIELD, **_MAPPING})
    mapping = {key: found.pop(key) for key in _MAPPING if key in found}
    if mapping.get("ignore"):
        found.setdefault("kind", "unknown")
    _needs(found, place, "name", "size", "kind")
    theirs = Field(**found)
    if mapping.get("to") and not theirs.representation:
        raise ValueError(f"{place} has to, but no representation of its own")
    if mapping.get("to_scale") == 0:
        raise ValueError(f"{place}.to_scale is 0")
    return ActionField(theirs=theirs, **mapping)


def _normalisation(value: Any, place: str, folder: Path, files: list[str]) -> Normalisation:
    found = _needs(_table(value, place, _STATISTICS), place, "method")
    method = found["method"]
    if method == "none":
        return Normalisation("none")
    names = METHODS[method]
    mask = found.get("mask", ())
    given: Mapping[str, Any] = found
    if "statistics" in found:
        file = folder / found["statistics"]
        given = read_statistics(file, found.get("key", ""))
        files.append(str(file))
        if not mask and "mask" in given:
            mask = _mask(given["mask"], f"{file}: mask")
        given = {name: numbers(given[name], f"{file}: {name}") for name in names if name in given}
    if any(name not in given for name in names):
        return Normalisation(method, None, mask)
    rows = given[names[0]], given[names[1]]
    if len(rows[0]) != len(rows[1]) or (mask and len(mask) != len(rows[0])):
        raise ValueError(f"{place}: {names[0]}, {names[1]} and mask have different lengths")
    return Normalisation(method, rows, mask)
