"""Run directories as somebody might make them who means harm.

`mutants` changes every place of a valid run.json; the others are made by hand. See
tests/harness/records/test_hostile.py.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack

ODD: tuple[Any, ...] = (
    None, True, -1, 0, 10**30, 1.5, -0.0, 1e308, "", "x", "\x1b[2J\u202e\ud800", "../../x", "a/b@c",
    "canary:Adapter", [], [1], ["x"], [[]], {}, {"x": 1}, {"": None}, [None, None],
)  # fmt: skip


Spoil = Callable[[Any], Any]
"""Spoils a Place."""


# Changes of run.json


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The keys that lead to every value in a JSON document, lists up to their second entry."""
    if way:
        yield way
    inner: list[tuple[Any, Any]] = list(value.items()) if isinstance(value, dict) else []
    inner = list(enumerate(value))[:2] if isinstance(value, list) else inner
    for key, each in inner:
        yield from places(each, (*way, key))


def changed(document: Any, way: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    copy = json.loads(json.dumps(document))
    holder = copy
    for key in way[:-1]:
        holder = holder[key]
    change(holder, way[-1])
    return copy


def mutants(run: dict[str, Any], each: int, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """run.json with one value changed to another type, `each` times for every place."""
    rng = random.Random(seed)
    for way in places(run):
        name = ".".join(map(str, way))
        for number in range(each):
            value = rng.choice(ODD)
            yield f"{name} = {value!a:.40} ({number})", changed(run, way, _put(value))
        if isinstance(way[-1], str):
            yield f"{name} is gone", changed(run, way, lambda holder, key: holder.pop(key))
            yield f"{name} is called otherwise", changed(run, way, _rename)
        else:
            yield f"{name} twice", changed(run, way, lambda holder, key: holder.append(holder[key]))


def _put(value: Any) -> Callable[[Any, Any], None]:
    def put(holder: Any, key: Any) -> None:
        holder[key] = value

    return put


def _rename(holder: Any, key: Any) -> None:
    holder[f"{key}\x1b[2J"] = holder.pop(key)


# Directories


class Place:
    """A copy of a valid run, to be spoilt."""

    def __init__(self, good: Path, path: Path, outside: Path) -> None:
        shutil.copytree(good, path)
        self.path, self.outside = path, outside
        self.run = json.loads((path / "run.json").read_text())
        self.lines = (path / "episodes.jsonl").read_text().splitlines()
        (self.part,) = (path / "traces").iterdir()
        with self.part.open("rb") as file:
            self.traces = list(msgpack.Unpacker(file))

    def write(self, name: str, content: bytes | str) -> None:
        raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        (self.path / name).write_bytes(raw)

    def save(self) -> None:
        self.write("run.json", json.dumps(self.run))
        self.write("episodes.jsonl", "".join(line + "\n" for line in self.lines))
        self.part.write_bytes(b"".join(msgpack.packb(each, default=None) for each in self.traces))

    def replace(self, name: str, make: Callable[[Path], Any]) -> None:
        file = self.path / name
        shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)
        make(file)


def make_socket(path: Path) -> None:
    before = os.getcwd()
    os.chdir(path.parent)  # the address of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(before)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


KINDS: dict[str, Callable[[Path], Any]] = {
    "a pipe": os.mkfifo,
    "a link to an endless device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path),
    "a link outside": lambda path: path.symlink_to("/etc/passwd"),
    "a link that leads nowhere": lambda path: path.symlink_to(path.parent / "nowhere"),
    "a directory": Path.mkdir,
    "a socket": make_socket,
    "a file of 1 TiB": _sparse,
}
TEXTS: dict[str, bytes | str] = {
    "empty": b"",
    "a zero byte": b"\0",
    "no UTF-8": b"\xff\xfe{}",
    "a mark before it": b"\xef\xbb\xbf{}",
    "a list": "[]",
    "a number": "5",
    "deep lists": "[" * 100_000,
    "deep tables": '{"a":' * 100_000,
    "deep, but whole": "[" * 900 + "]" * 900,
    "many empty lists": "[" + "[]," * 4_000_000 + "[]]",
    "34 MB of text": json.dumps({"schema": 1, "x": "x" * 34_000_000}),
    "torn": '{"schema": 1, "plan": {',
    "another schema": '{"schema": 2}',
    "a schema that is true": '{"schema": true}',
    "a schema of many digits": '{"schema": 1' + "0" * 5000 + "}",
}


def _with(field: str, value: str) -> Spoil:
    """run.json with this raw JSON as the value of a field."""

    def spoil(place: Place) -> None:
        marked = changed(place.run, tuple(_key(key) for key in field.split(".")), _put("@@"))
        place.write("run.json", json.dumps(marked).replace('"@@"', value))

    return spoil


def _key(text: str) -> int | str:
    return int(text) if text.isdigit() else text


VALUES = {
    "huge": "1" + "0" * 5000,
    "large": "1" + "0" * 300,
    "NaN": "NaN",
    "infinite": "-Infinity",
    "too large": "1e999",
    "deep": "[" * 500 + "]" * 500,
    "twice": '{"a": 1, "a": 2}',
}
FIELDS = (
    "plan.seed", "plan.items.0.episodes", "plan.items.0.task.first_seed",
    "plan.items.0.task.params.x", "plan.items.0.task.max_steps", "plan.perturbations.0.0.severity",
    "agent.args.x", "agent.history", "machine.cores", "stopped",
)  # fmt: skip
FREE = ("plan.items.0.task.params.x", "agent.args.x", "machine.cores")
"""May hold any JSON value."""


def _plan(change: Callable[[dict[str, Any]], Any]) -> Spoil:
    def spoil(place: Place) -> None:
        change(place.run["plan"])
        place.save()

    return spoil


def _many_items(count: int, episodes: int) -> Callable[[dict[str, Any]], None]:
    def change(plan: dict[str, Any]) -> None:
        first = plan["items"][0]
        slim = {**first["task"], "references": [], "tags": [], "rule": ""}
        plan["items"] = [
            {**first, "task": {**slim, "id": f"a/b{k}@1"}, "episodes": episodes}
            for k in range(count)
        ]

    return change


def _conditions(count: int) -> Callable[[dict[str, Any]], None]:
    def change(plan: dict[str, Any]) -> None:
        made = [[{"name": f"x{k}", "severity": 1, "params": {}}] for k in range(count)]
        plan["perturbations"] = made
        for item in plan["items"]:
            item["arms"] = list(range(min(count, 2000)))

    return change


PLANS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "more cases than memory": lambda plan: (
        plan["items"][0].update(episodes=10**6) or _conditions(100)(plan)
    ),
    "no episodes": lambda plan: plan["items"][0].update(episodes=0),
    "many tasks of many episodes": _many_items(2000, 10**6),
    "too many conditions": _conditions(6000),
    "the same task twice": lambda plan: plan["items"].append(plan["items"][0]),
    "the same condition twice": lambda plan: plan["perturbations"].append(plan["perturbations"][0]),
    "an empty condition": lambda plan: plan["perturbations"].append([]),
    "a normaliser of no width": lambda plan: plan["items"][0]["task"].update(
        normaliser={"low": 1, "high": 1}
    ),
    "a task without a family": lambda plan: plan["items"][0]["task"].update(id="x"),
    "a domain of its own": lambda plan: plan["items"][0]["task"].update(domain="x"),
}


def _line(change: dict[str, Any]) -> Spoil:
    def spoil(place: Place) -> None:
        place.lines[0] = json.dumps({**json.loads(place.lines[0]), **change})
        place.save()

    return spoil


LINES: dict[str, dict[str, Any]] = {
    "a score that is no number": {"score": "1"},
    "no score": {"score": None},
    "steps of many digits": {"steps": 10**400},
    "a seed of its own": {"seed": 10**18},
    "a task of its own": {"task": "\x1b[2J/x@1"},
    "metrics that are a list": {"metrics": [1]},
    "a metric that is a text": {"metrics": {"x": "1"}},
    "a status that is a list": {"status": []},
    "a success that is 1": {"success": 1},
    "a time that is a text": {"timing": {"agent_s": "1"}},
    "an error that is a table": {"error": {}},
    "perturbations that are a text": {"perturbations": "x"},
}
RAW_LINES: dict[str, bytes] = {
    "a line of 2 MB": b'{"x": "' + b"x" * 2_000_000 + b'"}\n',
    "a deep line": b"[" * 100_000 + b"\n",
    "a number of 5000 digits": b'{"seed": 1' + b"0" * 5000 + b"}\n",
    "a line that is a list": b"[]\n",
    "a line that is no UTF-8": b"\xff\xff\n",
    "zeros without an end": b"\0" * 3_000_000,
}


def directories() -> Iterator[tuple[str, Spoil]]:
    """(name, how to spoil a copy of a valid run): every command must refuse it."""
    for name in ("run.json", "episodes.jsonl"):
        for kind, make in KINDS.items():
            if (name, kind) != ("episodes.jsonl", "a link that leads nowhere"):
                yield f"{name} is {kind}", lambda place, n=name, m=make: place.replace(n, m)
    for what, text in TEXTS.items():
        yield f"run.json: {what}", lambda place, t=text: place.write("run.json", t)
    for field in FIELDS:
        for what, value in VALUES.items():
            if what != "large" or field not in FREE:
                yield f"{field} is {what}", _with(field, value)
    for what, change in PLANS.items():
        yield f"a plan with {what}", _plan(change)
    for what, line in LINES.items():
        yield what, _line(line)
    for what, raw in RAW_LINES.items():
        yield what, lambda place, r=raw: place.write("episodes.jsonl", r)


# Traces


def _actions(change: dict[str, Any] | Callable[[], dict[str, Any]]) -> Spoil:
    def spoil(place: Place) -> None:
        actions = change() if callable(change) else change
        for trace in place.traces:
            trace["actions"] = {**trace["actions"], **actions} if "shape" in actions else actions
        place.save()

    return spoil


def _part(content: Callable[[], bytes]) -> Spoil:
    return lambda place: place.part.write_bytes(content())


def _header(kind: int, count: int, rest: bytes = b"") -> bytes:
    return struct.pack(">BI", kind, count) + rest


TRACES: dict[str, Spoil] = {
    "a zlib bomb": _actions(
        lambda: {"shape": [10**9], "dtype": "|u1", "data": zlib.compress(bytes(10**8), 9)}
    ),
    "many small rows": _actions(
        lambda: {
            "plain": False,
            "shape": [10**8, 1],
            "dtype": "|u1",
            "data": zlib.compress(bytes(10**8)),
        }
    ),
    "rows of no size": _actions({"plain": False, "shape": [10**9, 0], "data": zlib.compress(b"")}),
    "a shape of many axes": _actions({"shape": [1] * 1000}),
    "a negative shape": _actions({"shape": [-1]}),
    "a shape of large sizes": _actions({"shape": [2**62, 2**62]}),
    "objects": _actions({"shape": [1], "dtype": "O"}),
    "a dtype of 1 GB": _actions({"shape": [1], "dtype": "V1000000000"}),
    "other data": _actions({"shape": [3], "data": b"x"}),
    "many texts": _actions(lambda: {"texts": ["ab"] * 3_000_000}),
    "texts that are numbers": _actions({"texts": [1, 2]}),
    "texts in lists": _actions(lambda: {"texts": [[]] * 900_000}),
    "deep screens": _actions({"ui": ["[" * 100_000]}),
    "no actions": _actions({}),
    "an extension": _part(lambda: msgpack.packb(msgpack.ExtType(5, b"x"))),
    "an array of four billion": _part(lambda: _header(0xDD, 2**32 - 1, b"\x90" * 10**7)),
    "a map of four billion": _part(lambda: _header(0xDF, 2**32 - 1, b"\x80" * 10**7)),
    "deep arrays": _part(lambda: b"\x91" * 10**6),
    "empty arrays": _part(lambda: _header(0xDD, 900_000, b"\x90" * 900_000) * 20),
    "numbers": _part(lambda: b"\x00" * 10**6),
    "no msgpack": _part(lambda: b"\xc1" * 100),
    "a record of 300 MB": lambda place: _large(place.part),
    "a pipe": lambda place: place.replace("traces/part-0000.msgpack", os.mkfifo),
    "an endless device": lambda place: place.replace(
        "traces/part-0000.msgpack", KINDS["a link to an endless device"]
    ),
    "a link to the traces of others": lambda place: place.replace(
        "traces", lambda path: path.symlink_to(place.outside / "traces")
    ),
    "a file in place of the folder": lambda place: place.replace("traces", Path.touch),
}


def _large(part: Path) -> None:
    with part.open("wb") as file:
        file.write(_header(0xC6, 300 << 20))
        file.truncate((300 << 20) + 5)


# What names code


def _canary(change: Callable[[dict[str, Any]], Any]) -> Spoil:
    def spoil(place: Place) -> None:
        change(place.run)
        place.save()

    return spoil


def _task(**fields: Any) -> Spoil:
    def change(run: dict[str, Any]) -> None:
        for item in run["plan"]["items"]:
            item["task"].update(fields)
            item["suite"] = f"gym:{fields.get('params', {}).get('id', 'canary')}"

    return _canary(change)


GYM = "adapters.gym:GymAdapter"
CODE: dict[str, Spoil] = {
    "an adapter": _task(adapter="canary:Adapter"),
    "an adapter in a package": _task(adapter="canary.deep:Adapter"),
    "an adapter that is a program": _task(adapter="venv.__main__:X"),
    "a function of ours": _task(adapter="harness.records.registry:load"),
    "a module before a Gymnasium id": _task(
        adapter=GYM, params={"id": "canary:X-v0", "kwargs": {}}
    ),
    "an entry point": _task(
        adapter=GYM, params={"id": "CartPole-v1", "kwargs": {"entry_point": "canary:X"}}
    ),
    "a wrapper": _task(
        adapter=GYM, params={"id": "CartPole-v1", "kwargs": {"additional_wrappers": ["canary:X"]}}
    ),
    "another id of Gymnasium's": _task(
        adapter=GYM, params={"id": "GymV26Environment-v0", "kwargs": {"env_id": "canary:X"}}
    ),
    "a file": _task(adapter=GYM, params={"id": "Ant-v5", "kwargs": {"xml_file": "/etc/passwd"}}),
    "a folder": _task(
        adapter="adapters.alfworld:AlfWorldAdapter", params={"split": "..", "data": "/etc"}
    ),
    "pickles": _task(adapter="adapters.langr:LangRAdapter", params={"split": "../../x"}),
}
"""What is refused by the commands that play; those that only read may read it."""
