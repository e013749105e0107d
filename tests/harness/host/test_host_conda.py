"""`bench doctor --fix` with conda: a program that records what it is asked stands in for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from adapters import ADAPTERS
from harness.core import UserError
from harness.host import build
from harness.host.conda import conda_environment, conda_file
from harness.records.registry import load

STAND_IN = """#!{python}
import os, sys
folder = sys.argv[sys.argv.index("--prefix") + 1]
open({log!r}, "a").write(" ".join(sys.argv) + chr(10))
if {broken}:
    sys.exit("PackagesNotFoundError: " + sys.argv[-1])
os.makedirs(os.path.join(folder, "bin"))
path = os.path.join(folder, "bin", "python")
with open(path, "w") as file:
    file.write("#!/bin/sh" + chr(10) + "echo $0 $* >> {log}" + chr(10))
os.chmod(path, 0o755)
"""


@pytest.fixture
def bin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH; the work is done in another, empty one."""
    folder, here = tmp_path / "bin", tmp_path / "here"
    folder.mkdir()
    here.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    for variable in ("CONDA_EXE", "MAMBA_EXE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(here)
    return folder


def stand_in(path: Path, *, broken: bool = False) -> Path:
    """Write the program; returns the file of what it was asked."""
    log = path.parent / "asked"
    path.write_text(STAND_IN.format(python=sys.executable, log=str(log), broken=broken))
    path.chmod(0o755)
    return log


@pytest.mark.parametrize("name", ["conda", "mamba", "micromamba"])
def test_the_users_program_makes_the_environment(name: str, bin: Path, tmp_path: Path) -> None:
    log, said = stand_in(bin / name), []
    file, folder = tmp_path / "environment.yml", Path(".bench/interpreters/x")
    folder.mkdir(parents=True)
    (folder / "old").touch()
    there = conda_environment("x", file, folder, ["robot==1.0"], said.append)
    assert there == folder / "bin/python"
    made = "create --yes" if name == "micromamba" else "env create"
    steps = [
        f"{bin / name} {made} --file {file} --prefix {folder}",
        f"{there} -m pip install --no-deps robot==1.0",
    ]
    assert log.read_text().splitlines() == steps
    assert said == steps
    assert not (folder / "old").exists(), "an environment is made anew"


def test_a_program_that_only_a_shells_function_knows(
    bin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = stand_in(tmp_path / "conda")
    monkeypatch.setenv("CONDA_EXE", str(tmp_path / "conda"))
    conda_environment("x", tmp_path / "e.yml", Path("there"), [], lambda line: None)
    assert "env create" in log.read_text()


def test_what_conda_says_is_told(bin: Path, tmp_path: Path) -> None:
    stand_in(bin / "conda", broken=True)
    with pytest.raises(UserError, match=r"env create .*failed: PackagesNotFoundError: there"):
        conda_environment("x", tmp_path / "e.yml", Path("there"), [], lambda line: None)


def test_without_conda_the_steps_are_told(bin: Path) -> None:
    with pytest.raises(UserError) as told:
        build.fix("habitat", ADAPTERS, lambda line: None)
    said = str(told.value)
    file = conda_file(load(ADAPTERS["habitat"]))
    assert file is not None
    assert file.is_file()
    assert f"conda env create --file {file} --prefix .bench/interpreters/habitat; " in said
    assert ".bench/interpreters/habitat/bin/python -m pip install --no-deps mani_skill==" in said
    assert said.endswith("--interpreter habitat=.bench/interpreters/habitat/bin/python")
    assert "no conda, mamba, micromamba on PATH" in said
    assert not os.listdir()


def test_an_environment_that_lacks_the_simulator_is_not_written_down(bin: Path) -> None:
    log = stand_in(bin / "conda")
    with pytest.raises(UserError, match="--fix habitat: built, but it does not work"):
        build.fix("habitat", ADAPTERS, lambda line: None)
    assert "environment.yml --prefix .bench/interpreters/habitat" in log.read_text()
    assert not Path("bench.toml").exists()
