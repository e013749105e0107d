"""Files that somebody made who means harm, against every command that reads such files.

Each is refused in one line: nothing of it is imported, nothing is written outside, and neither time
nor memory is lost.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import hostile
import hostilearchives
import hostilenumbers
import pytest
from conftest import Notes

from harness.cli.names import perturbations_named, suites_named
from harness.core import UserError
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.records.catalogue import select_tasks
from harness.records.identity import AgentSpec

TESTS = Path(__file__).resolve().parents[2]
MOST_MB = 1000
REFUSED, DIFFERS = (2,), (1, 2)
CANARY = "import pathlib, os\npathlib.Path(os.environ['CANARY']).write_text(__name__)\n"
FILES = ("run.json is", "episodes.jsonl is")


class Rig(NamedTuple):
    """A valid run, and folders in which hostile ones are made and read."""

    good: Path
    other: Path
    """The same, of another agent."""
    folder: Path
    outside: Path
    case: str


class Job(NamedTuple):
    """A command, and the exit codes that are right."""

    name: str
    cwd: Path
    command: Sequence[object]
    codes: tuple[int, ...]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    folder = tmp_path_factory.mktemp("hostile")
    chosen = select_tasks(suites_named("pddl,smoke"), "pddl/hanoi*,pddl/ferry*,gym/CartPole-v1")
    for name in ("good", "other"):
        agent = "Uniform" if name == "good" else "Noop"
        spec = AgentSpec(agent.lower(), f"baselines.simple:{agent}", {})
        conditions = perturbations_named("action_random:2")
        plan = make_plan(chosen, spec, episodes=2, seed=0, perturb=conditions)
        play(spec, ["pddl", "smoke"], plan, folder / name, RunOptions(), Notes())
    outside = folder / "outside"
    shutil.copytree(folder / "good", outside)
    (folder / "path").mkdir()
    for name in ("canary.py", "canary_agent.py"):
        (folder / "path" / name).write_text(CANARY)
    line = json.loads((folder / "good" / "episodes.jsonl").read_text().splitlines()[0])
    return Rig(folder / "good", folder / "other", folder, outside, line["case"])


def readers(rig: Rig, path: str) -> Iterator[tuple[tuple[int, ...], Sequence[object]]]:
    """Every command that reads a run directory, with the codes for one that is no run."""
    for form in ("text", "json"):
        yield REFUSED, ("report", path, "--format", form)
    yield REFUSED, ("report", rig.good, "--baseline", path)
    yield REFUSED, ("compare", path, rig.other)
    yield REFUSED, ("compare", rig.other, path, "--format", "json")
    yield REFUSED, ("compare", path, rig.other, "--robustness")
    yield REFUSED, gate(path)
    yield DIFFERS, verify(path)
    yield REFUSED, ("show", path, rig.case)
    yield REFUSED, ("show", path, "--failures")
    yield REFUSED, ("plan", "--base", path)
    yield REFUSED, ("baseline", "save", "odd", path)


def gate(path: str) -> tuple[object, ...]:
    return "gate", "--agent", "noop", "--base", path, "--workers", 0, "--out", f"{path}-gate"


def verify(path: str) -> tuple[object, ...]:
    return "verify", path, "--sample", 2


def read_by_commands(rig: Rig, jobs: Iterable[Job]) -> list[str]:
    """What went wrong, with the commands and inputs that did it."""
    listed = [
        {
            "name": job.name,
            "cwd": str(job.cwd),
            "command": list(map(str, job.command)),
            "codes": job.codes,
        }
        for job in jobs
    ]
    files = rig.folder / "jobs.json", rig.folder / "results.json"
    files[0].write_text(json.dumps(listed))
    canary = rig.folder / "canary-sang"
    before = snapshot(rig.outside)
    search = [str(TESTS.parent), str(TESTS), str(rig.folder / "path")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(search), "CANARY": str(canary)}
    subprocess.run(
        [sys.executable, TESTS / "hostilereader.py", *files],
        check=True,
        env=environment | {"COLUMNS": "100"},
        cwd=rig.folder,
    )
    wrong = [
        f"{each['name']}: bench {' '.join(each['command'])}: {why}\n{each['err'][-1500:]}"
        for each in json.loads(files[1].read_text())
        for why in faults(each)
    ]
    if canary.exists():
        wrong.append(f"{canary.read_text()} was imported")
    if snapshot(rig.outside) != before:
        wrong.append("something was written outside")
    return wrong


def faults(result: dict[str, Any]) -> Iterator[str]:
    code, err = result["code"], result["err"]
    if code not in result["codes"]:
        yield f"exit code {code}, not one of {result['codes']}"
    if "Traceback" in err or "\x1b" in err:
        yield "a traceback or a terminal escape"
    if code == 2 and not (err.startswith("bench: ") and err.count("\n") == 1):
        yield "more or less than one line"
    if code == 2 and result["out"]:
        yield "output besides the refusal"
    if result["peak"] > MOST_MB:
        yield f"{result['peak']} MB"


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def spoilt(rig: Rig, number: int, spoil: Any) -> Path:
    """A folder of its own with the hostile run `run` in it."""
    cwd = rig.folder / f"case{number}"
    cwd.mkdir()
    spoil(hostile.Place(rig.good, cwd / "run", rig.outside))
    return cwd


def clean(rig: Rig) -> None:
    for path in rig.folder.glob("case*"):
        shutil.rmtree(path)


def test_what_is_no_run_is_refused_by_every_command(rig: Rig) -> None:
    jobs = []
    for number, (name, spoil) in enumerate(hostile.directories()):
        cwd = spoilt(rig, number, spoil)
        every = list(readers(rig, "run"))
        # All commands where a file is no file; elsewhere some of them, in turn.
        chosen = every if name.startswith(FILES) else [every[(number + k) % 12] for k in (0, 3, 7)]
        jobs += [Job(name, cwd, command, codes) for codes, command in chosen]
    assert len({job.name for job in jobs}) > 100
    assert read_by_commands(rig, jobs) == []
    clean(rig)


def test_damaged_and_bloated_traces(rig: Rig) -> None:
    jobs = [
        Job(name, cwd, command, codes)
        for number, (name, spoil) in enumerate(hostile.TRACES.items())
        for cwd in [spoilt(rig, number, spoil)]
        for codes, command in ((DIFFERS, verify("run")), (DIFFERS, ("show", "run", rig.case)))
    ]
    assert read_by_commands(rig, jobs) == []
    clean(rig)


def test_nothing_that_a_run_names_is_imported_or_opened(rig: Rig) -> None:
    jobs = []
    for number, (name, spoil) in enumerate(hostile.CODE.items()):
        cwd = spoilt(rig, number, spoil)
        jobs += [
            Job(name, cwd, gate("run"), REFUSED),
            Job(name, cwd, verify("run"), DIFFERS),
            Job(name, cwd, ("show", "run", rig.case), REFUSED),
            Job(name, cwd, ("report", "run"), (0, 2)),
            Job(name, cwd, ("compare", "run", rig.other), (0, 1, 2, 3)),
        ]
    assert read_by_commands(rig, jobs) == []
    clean(rig)


def test_reading_imports_no_adapter_and_no_agent(rig: Rig) -> None:
    script = (
        "import sys\n"
        "from harness.cli.app import main\n"
        "sys.argv = ['bench', *sys.argv[1:]]\n"
        "try:\n"
        "    main(supervise=False)\n"
        "except SystemExit:\n"
        "    pass\n"
        "loaded = [name for name in sys.modules if name.startswith(('adapters.', 'baselines.'))]\n"
        "assert not loaded, loaded\n"
        "assert not {'gymnasium', 'ray', 'torch'} & sys.modules.keys()\n"
    )
    for words in (
        ("report", rig.good, "--format", "json"),
        ("compare", rig.good, rig.other),
        ("compare", rig.good, rig.other, "--robustness"),
        ("plan", "--base", rig.good),
        ("show", rig.good, "--failures"),
    ):
        subprocess.run([sys.executable, "-c", script, *words], check=True, cwd=TESTS.parent)


def test_a_run_directory_is_not_searched_for_modules_and_programs(rig: Rig) -> None:
    """Also if it is the current folder, and its tasks are trusted."""

    def spoil(place: hostile.Place) -> None:
        hostile.CODE["an adapter"](place)
        place.write("run.json", (place.path / "run.json").read_text().replace("canary:", "own:"))
        place.write("own.py", CANARY)
        place.write("program", f"#!/bin/sh\ntouch {rig.folder / 'canary-sang'}\n")
        (place.path / "program").chmod(0o755)
        place.write("bench.toml", '[interpreters]\ngym = "./program"\npddl = "./program"\n')

    own = spoilt(rig, 0, spoil) / "run"
    spoilt(rig, 1, lambda place: place.write("bench.toml", (own / "bench.toml").read_bytes()))
    jobs = [
        Job("a module", own, (*verify("."), "--trust"), DIFFERS),
        Job("a module", own, (*gate("."), "--trust"), REFUSED),
        Job("a module", own, ("report", "."), (0,)),
        Job("a program", rig.folder / "case1" / "run", verify("."), (0, 1)),
    ]
    assert read_by_commands(rig, jobs) == []
    clean(rig)


def test_every_place_of_run_json_may_hold_anything(rig: Rig) -> None:
    """Most are refused; what is left is a run that somebody may have made."""
    run = json.loads((rig.good / "run.json").read_text())
    jobs = []
    for number, (name, mutant) in enumerate(hostile.mutants(run, each=1, seed=17)):
        cwd = rig.folder / f"case{number}"
        (cwd / "run").mkdir(parents=True)
        (cwd / "run" / "run.json").write_text(json.dumps(mutant))
        (cwd / "run" / "episodes.jsonl").symlink_to("x") if number % 50 == 0 else shutil.copy(
            rig.good / "episodes.jsonl", cwd / "run"
        )
        (cwd / "run" / "traces").mkdir()
        shutil.copy(rig.good / "traces" / "part-0000.msgpack", cwd / "run" / "traces")
        _, command = list(readers(rig, "run"))[number % 12]
        jobs.append(Job(name, cwd, command, (0, 1, 2, 3, 4)))
    assert len({job.name for job in jobs}) > 200
    assert read_by_commands(rig, jobs) == []
    clean(rig)


def test_numbers_at_the_edge_of_what_is_allowed(rig: Rig) -> None:
    """They are read, and no figure of a report becomes NaN or infinite."""
    jobs = []
    for number, (name, spoil) in enumerate(hostilenumbers.numbers(seed=23)):
        cwd = spoilt(rig, number, spoil)
        forms = ("text", "markdown", "latex", "csv", "json")
        commands = [("report", "run", "--format", form) for form in forms]
        commands += [
            ("report", "run", "--against", "gea"),
            ("report", rig.good, "--baseline", "run", "--format", "json"),
            ("compare", "run", rig.other, "--format", "json"),
            ("compare", "run", rig.other, "--robustness", "--format", "json"),
            ("plan", "--base", "run"),
        ]
        chosen = (
            ("report", "run", "--format", "json"),
            *(commands[(number + k) % 10] for k in (0, 4)),
        )
        jobs += [Job(name, cwd, command, (0, 1, 2, 3, 4)) for command in chosen]
    assert read_by_commands(rig, jobs) == []
    clean(rig)


def test_archives(rig: Rig) -> None:
    jobs = []
    for number, (name, make) in enumerate(hostilearchives.ARCHIVES.items()):
        cwd = rig.folder / f"case{number}"
        cwd.mkdir()
        make(rig.good, cwd / "base.zip")
        for base in ("base.zip", f"file://{cwd}/base.zip"):
            jobs += [
                Job(name, cwd, ("compare", base, rig.other), REFUSED),
                Job(name, cwd, ("plan", "--base", base), REFUSED),
                Job(name, cwd, ("baseline", "save", "odd", base), REFUSED),
                Job(name, cwd, gate(base), REFUSED),
                Job(name, cwd, ("report", rig.good, "--baseline", base), REFUSED),
            ]
    assert read_by_commands(rig, jobs) == []
    assert not list(rig.folder.glob("case*/runs")), "no name was saved"
    clean(rig)


def test_saved_names(rig: Rig) -> None:
    jobs = []
    registries = {**hostilearchives.REGISTRIES, "a pipe": b"", "an endless device": b""}
    for number, (name, content) in enumerate(registries.items()):
        cwd = rig.folder / f"case{number}"
        (cwd / "runs").mkdir(parents=True)
        file = cwd / "runs" / "baselines.json"
        if content:
            file.write_bytes(content)
        else:
            hostile.KINDS["a pipe" if name == "a pipe" else "a link to an endless device"](file)
        jobs += [
            Job(name, cwd, ("compare", "odd", rig.other), REFUSED),
            Job(name, cwd, ("plan", "--base", "odd"), REFUSED),
            Job(name, cwd, gate("odd"), REFUSED),
            Job(name, cwd, ("baseline", "list"), (0, 2)),
        ]
    assert read_by_commands(rig, jobs) == []
    clean(rig)


@pytest.mark.parametrize("name", ["run.json", "run.json.new", "episodes.jsonl", "traces", "videos"])
def test_no_run_is_written_through_a_link(rig: Rig, tmp_path: Path, name: str) -> None:
    run, kept = tmp_path / "run", tmp_path / "kept"
    shutil.copytree(rig.good, run)
    shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(kept)
    kept.mkdir() if name in ("traces", "videos") else kept.write_text("mine")
    before = kept.read_bytes() if kept.is_file() else b""
    spec = AgentSpec("uniform", "baselines.simple:Uniform", {})
    chosen = select_tasks(suites_named("pddl"), "pddl/hanoi*")
    with pytest.raises(UserError, match="symbolic link"):
        play(
            spec, ["pddl"], make_plan(chosen, spec, episodes=2, seed=0), run, RunOptions(), Notes()
        )
    assert list(kept.iterdir()) == [] if kept.is_dir() else kept.read_bytes() == before
