"""Runs of schema 1, stored in tests/data/schema1 with what the code that wrote them said of them:
they report, compare, verify and go on as they did. Only the command line is used here.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kernels_of_data
import pytest

from harness.perturb import REGISTRY, SETS
from harness.perturb.effects import is_camera
from harness.records.results import NEW_FIELDS

STORED = Path(__file__).resolve().parents[2] / "data/schema1"
EXPECTED = json.loads((STORED / "expected.json").read_text())
RUNS: dict[str, Any] = EXPECTED["runs"]
JUDGED: dict[str, Any] = EXPECTED["judged"]

SLOW = ("maniskill", "miniwob", "miniworld", "procgen", "scienceworld", "textworld", "vizdoom")
"""Runs whose replay takes more than a second: their simulators start slowly."""
RAISED = ("atari", "miniwob")
"""Runs of families whose tasks have a newer version here."""
OWN = ("own", "perturbed-own", "packaged", "corridor", "stopped", "failing")
"""Runs of agents that are files of a user: only their fingerprints outlive a change of ours."""
VOLATILE = ("schema", "created", "finished", "commit", "bench", "command", "machine")

Bench = Callable[..., tuple[int, str, str]]
"""The command line: exit code, stdout, stderr."""

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""The user's adapter has the first release's names."""


@pytest.fixture
def bench(bench_here: Bench) -> Bench:
    """The command line, in a folder that holds the stored runs and the user's files."""
    shutil.copytree(STORED, ".", dirs_exist_ok=True)
    file = STORED.parents[2] / "bench.toml"
    if file.exists():
        text = file.read_text().replace('= ".bench/', f'= "{file.parent}/.bench/')
        Path("bench.toml").write_text(text)
    return bench_here


@pytest.fixture
def old_perturbations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Perturbations that got a new version plan the cases that they planned in schema 1.

    In the episodes of these runs both versions of a text happen to say the same. Partial
    observability reached cameras alone, and the set `standard` was without missing numbers.
    """
    monkeypatch.setattr("harness.perturb.partial.is_sight", is_camera)
    what, standard = SETS["standard"]
    before_dropout = what, standard.replace("state_dropout:3,", "")
    monkeypatch.setitem(SETS, "standard", before_dropout)  # type: ignore[misc]
    for name, kind in REGISTRY.items():
        if kind.version > 1:
            before = dataclasses.replace(kind, version=1)
            monkeypatch.setitem(REGISTRY, name, before)  # type: ignore[misc]


def run_json(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path("runs") / name / "run.json").read_text())
    return found


def results(name: str) -> list[dict[str, Any]]:
    """The last line of each case as schema 1 has it, without times, in one order."""
    lines = (Path("runs") / name / "episodes.jsonl").read_text().splitlines()
    last = {line["case"]: line for line in map(json.loads, lines)}
    for line in last.values():
        assert {"simulator_s", "agent_s", "asked"} <= line.pop("timing").keys()
        for name in NEW_FIELDS:
            line.pop(name, None)
    return sorted(
        last.values(), key=lambda line: (line["task"], line["seed"], line["perturbations"])
    )


def skip_where_versions_differ(name: str) -> None:
    """A replay, or going on, is refused where a simulator is of another version."""
    for item in run_json(name)["plan"]["items"]:
        for package, recorded in item["packages"].items():
            if package == "procgen-mirror":
                continue
            try:
                here = importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                pytest.skip(f"{package} is not installed")
            if here != recorded:
                pytest.skip(f"the run was made with {package} {recorded}, here is {here}")


def changes(before: Any, now: Any, where: str = "") -> Iterator[str]:
    """What is gone or has another value; fields may have been added."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in before:
            if key in now:
                yield from changes(before[key], now[key], f"{where}.{key}")
            else:
                yield f"{where}.{key} is gone"
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, (one, other) in enumerate(zip(before, now)):
            yield from changes(one, other, f"{where}[{number}]")
    elif isinstance(before, float) and isinstance(now, float):
        if now != pytest.approx(before, rel=1e-9, abs=1e-12):
            yield f"{where}: {now} instead of {before}"
    elif before != now or type(before) is not type(now):
        yield f"{where}: {now!r} instead of {before!r}"


FIGURE = re.compile(r"\S*\.(?P<name>\w+): (?P<now>\S+) instead of (?P<before>\S+)")


def more_cautious(change: str) -> bool:
    """Whether it is one that decision 037 makes: what tasks of one seed share is allowed for.

    A bound is wider or gone, a p-value or a number of pairs larger.
    """
    if change.startswith(".why: "):  # names a bound
        return True
    found = FIGURE.match(change)
    if found is None or found["before"] == "None":
        return False
    name = found["name"]
    if name.endswith(("low", "high")) and found["now"] == "None":
        return True
    if not name.endswith(("low", "high")) and name not in ("p", "adjusted", "detectable", "more"):
        return False
    now, before = float(found["now"]), float(found["before"])
    return now <= before if name.endswith("low") else now >= before


@pytest.mark.parametrize("name", RUNS)
def test_an_old_run_reports_the_same_numbers(name: str, bench: Bench) -> None:
    code, out, err = bench("report", f"runs/{name}", "--format", "json")
    assert code == 0, err
    found = list(changes(RUNS[name]["report"], json.loads(out)))
    if name == "stopped":
        # Tasks that stopped at lucky moments: a mean of theirs has no interval any more.
        assert all(": None instead of" in each and "ci_" in each for each in found), found
    else:
        assert [each for each in found if not more_cautious(each)] == []


@pytest.mark.parametrize("name", [n for n in RUNS if n not in SLOW])
def test_an_old_run_is_verified(name: str, bench: Bench) -> None:
    verify(name, bench)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_an_old_run_of_a_slow_simulator_is_verified(name: str, bench: Bench) -> None:
    verify(name, bench)


def verify(name: str, bench: Bench) -> None:
    skip_where_versions_differ(name)
    if name == "metaworld" and not kernels_of_data.AVAILABLE:
        pytest.skip("its rewards' last digits are those of kernels that this processor lacks")
    code, out, err = bench("verify", f"runs/{name}", "--sample", 12, "--trust")
    if "cannot be played here" in out + err:
        pytest.skip(err)
    if name in RAISED:
        assert "newer versions of these tasks, so that only the files were checked" in err
        assert code == 1, out + err
        return
    assert code == RUNS[name]["verify"], out + err


def test_a_forged_old_run_is_not_verified(bench: Bench) -> None:
    skip_where_versions_differ("oracle")
    file = Path("runs/oracle/episodes.jsonl")
    forged = file.read_text().replace('"steps": 3,', '"steps": 2,', 1)
    assert forged != file.read_text()
    file.write_text(forged)
    assert bench("verify", "runs/oracle", "--sample", 1, "--trust")[0] == 1


@pytest.mark.parametrize("command", JUDGED)
def test_old_runs_are_judged_as_before(command: str, bench: Bench) -> None:
    if command.startswith("gate"):
        skip_where_versions_differ(command.partition("--base runs/")[2].split()[0])
    trusted = ("--trust",) if command.startswith("gate") else ()
    code, out, err = bench(*command.split(), *trusted, "--format", "json")
    expected = JUDGED[command]
    assert code == expected["exit"], out + err
    said = json.loads(out)
    if not command.startswith("report") and "--robustness" not in command:
        starts = [note for note in said["notes"] if note.startswith("how the episodes started")]
        assert len(starts) == 1, "what schema 1 does not say is told"
        said["notes"].remove(starts[0])
    if "--sequential" in command:  # it bets on seeds now, and stops later
        assert said["gate"]["rounds"] >= expected["out"]["gate"]["rounds"]
        return
    found = changes(without_commit(expected["out"]), said)
    assert [each for each in found if not more_cautious(each)] == []


def without_commit(value: Any) -> Any:
    """Without what a run that is made now says of the code that made it."""
    if isinstance(value, dict):
        return {
            k: without_commit(v) for k, v in value.items() if k not in ("commit", "fingerprint")
        }
    return [without_commit(each) for each in value] if isinstance(value, list) else value


@pytest.mark.usefixtures("old_perturbations")
@pytest.mark.parametrize("name", OWN)
def test_the_same_command_makes_the_same_run(name: str, bench: Bench) -> None:
    """Whole: run.json with the agent's fingerprint and the plan's hash, results, traces."""
    skip_where_versions_differ(name)
    before, lines = run_json(name), results(name)
    traces = Path(f"runs/{name}/traces/part-0000.msgpack").read_bytes()
    shutil.rmtree(f"runs/{name}")
    code, _, err = bench(*RUNS[name]["command"].split())
    assert code == RUNS[name]["exit"], err
    now = run_json(name)
    assert now["agent"]["fingerprint"] == before["agent"]["fingerprint"]
    assert list(now) == list(before)
    assert now["agent"].pop("files")  # added later: names the file that changed
    for run in (before, now):
        for row in run["plan"]["not_run"]:
            row.pop("reason"), row.pop("remedy")  # sentences for people
        for item in run["plan"]["items"]:
            item["task"].pop("references"), item["task"].pop("tags")
            item.pop("own_streams", None)  # added later
            if name == "corridor":  # the source of a user's adapter is part of its protocol now
                item.pop("protocol"), item.pop("packages")
                run["plan"].pop("hash", None)
        for key in VOLATILE:
            run.pop(key)
    assert now == before
    again = results(name)
    if name == "corridor":
        for line in (*again, *lines):
            line.pop("protocol")
    assert [list(line) for line in again] == [list(line) for line in lines]
    assert again == lines
    assert Path(f"runs/{name}/traces/part-0000.msgpack").read_bytes() == traces


@pytest.mark.usefixtures("old_perturbations")
def test_an_interrupted_old_run_goes_on_to_the_same_end(bench: Bench) -> None:
    skip_where_versions_differ("own")
    kept = {line["case"]: line for line in map(json.loads, whole_lines("own-partial"))}
    command = RUNS["own"]["command"].replace("--out runs/own", "--out runs/own-partial")
    code, _, err = bench(*command.split(), "--resume")
    assert code == 0, err
    assert results("own-partial") == results("own")
    assert run_json("own-partial")["finished"]
    lines = [json.loads(line) for line in whole_lines("own-partial")]
    assert len(lines) == len(results("own")), "no case was played twice"
    assert lines[: len(kept)] == list(kept.values()), "what was there stays as it was"
    assert bench("verify", "runs/own-partial", "--sample", "all", "--trust")[0] == 0


def whole_lines(name: str) -> list[str]:
    text = (Path("runs") / name / "episodes.jsonl").read_text()
    return text[: text.rfind("\n")].splitlines()


def test_an_old_run_does_not_go_on_with_another_version_of_a_perturbation(bench: Bench) -> None:
    skip_where_versions_differ("own")
    before = Path("runs/own-partial/episodes.jsonl").read_bytes()
    command = RUNS["own"]["command"].replace("--out runs/own", "--out runs/own-partial")
    code, _, err = bench(*command.split(), "--resume")
    assert code == 2
    assert "other perturbations: typos@2:3 instead of typos:3" in err
    assert Path("runs/own-partial/episodes.jsonl").read_bytes() == before


@pytest.mark.usefixtures("old_perturbations")
def test_a_finished_old_run_has_nothing_left_to_play(bench: Bench) -> None:
    skip_where_versions_differ("own")
    before = Path("runs/own/episodes.jsonl").read_bytes()
    code, _, err = bench(*RUNS["own"]["command"].split(), "--resume")
    assert code == 0, err
    assert Path("runs/own/episodes.jsonl").read_bytes() == before


def test_the_same_demonstrations_are_recorded(bench: Bench) -> None:
    """The tables are as they were, but for later columns; pictures are compared unpacked."""
    parquet = pytest.importorskip("pyarrow.parquet")
    skip_where_versions_differ("minigrid")
    Path("demos").rename("before")
    code, _, err = bench(*EXPECTED["demos"]["command"].split())
    assert code == EXPECTED["demos"]["exit"], err
    files = sorted(path.relative_to("before") for path in Path("before").rglob("*.parquet"))
    assert len(files) == 3
    for file in files:
        then, now = parquet.read_table("before" / file), parquet.read_table("demos" / file)
        assert now.schema.metadata == then.schema.metadata
        assert set(now.schema.names) - set(then.schema.names) <= {"start", "factors"}
        now = now.select(then.schema.names)
        assert now.schema.equals(then.schema)
        assert unpacked(now) == unpacked(then)


def test_old_demonstrations_are_read(bench: Bench) -> None:
    pytest.importorskip("pyarrow.parquet")
    from harness.demos import Demos

    first, *_, last = Demos("demos")
    assert first.row.task == "babyai/GoToRedBallGrey@1"
    assert first.frames[0].observation["image_partial"].shape == (56, 56, 3)
    assert last.row.task == "pddl/blocksworld@1"
    assert last.frames[0].action in last.frames[0].observation["admissible"]


def unpacked(table: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        for name, value in row.items():
            if isinstance(value, bytes):
                row[name] = pixels(value)
    return rows


def pixels(picture: bytes) -> bytes:
    import io

    from PIL import Image

    return Image.open(io.BytesIO(picture)).tobytes()
