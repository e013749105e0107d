"""`bench doctor --fix`: an interpreter from nothing, with a local wheel in place of a registry."""

from __future__ import annotations

import importlib
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest
import toys
from conftest import Said

import adapters
from harness.core import UserError
from harness.host import build
from harness.host.hosted import Hosted, end_probes
from harness.host.interpreters import VARIABLE, interpreters
from harness.host.loading import load_adapter


class Boxed(toys.ToyAdapter):
    """A toy that needs a package which is not here."""

    packages: ClassVar[tuple[str, ...]] = ("toy-simulator",)
    requirements: ClassVar[tuple[str, ...]] = ("toy-simulator==2.5",)


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The family `boxed`, whose package a folder has; and an empty current directory."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(adapters, "ADAPTERS", {**adapters.ADAPTERS, "boxed": "boxed:Boxed"})
    (tmp_path / "boxed.py").write_text(
        "from harness.core import Adapter\nfrom toys import ToyAdapter\n\n\n"
        "class Boxed(ToyAdapter):\n"
        "    missing = classmethod(Adapter.missing.__func__)\n"
        "    packages = ('toy-simulator',)\n"
        "    requirements = ('toy-simulator==2.5',)\n    guide = 'bench doctor --fix boxed'\n"
    )
    (tmp_path / "toys.py").symlink_to(Path(toys.__file__))
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    for package in ("numpy", "numpy.libs", "msgpack"):
        (libraries / package).symlink_to(Path(sysconfig.get_path("platlib")) / package)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "toy_simulator-2.5-py3-none-any.whl", "w") as wheel:
        info = "toy_simulator-2.5.dist-info"
        wheel.writestr("toy_simulator.pth", str(libraries))
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: toy-simulator\nVersion: 2.5\n"
        )
        wheel.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(
            f"{info}/RECORD",
            f"toy_simulator.pth,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
        )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    yield
    end_probes()
    sys.modules.pop("boxed", None)


@pytest.mark.slow
def test_from_nothing(
    family: None, monkeypatch: pytest.MonkeyPatch, bench_here: Callable[..., Said], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(build, "NEEDED", ())  # numpy and msgpack come with the wheel
    run = ("run", "--agent", "uniform", "--suite", "boxed.toml", "--workers", 0)
    Path("boxed.toml").write_text(
        'name = "boxed"\nepisodes = 2\n[[task]]\nid = "toys/boxed@1"\ndomain = "navigation"\n'
        'adapter = "boxed:Boxed"\nmax_steps = 9\n'
    )
    said = bench_here(*run)
    assert said.code == 2
    assert "bench doctor --fix boxed" in " ".join(said.out.split())
    Path("bench.toml").write_text("# mine\n[interpreters]\natari = '/a'\n\n[later]\nx = 1\n")
    said = bench_here("doctor", "--fix", "boxed")
    assert said.code == 0, said.err
    assert said.out.startswith("boxed: toy-simulator 2.5 in Python ")
    python = ".bench/interpreters/boxed/bin/python"
    assert f"{python} -m pip install toy-simulator==2.5" in said.err
    assert (
        Path("bench.toml").read_text()
        == f"# mine\n[interpreters]\nboxed = \"{python}\"\natari = '/a'\n\n[later]\nx = 1\n"
    )
    Path("bench.toml").write_text(f'[interpreters]\nboxed = "{python}"\n')
    assert issubclass(load_adapter("boxed:Boxed"), Hosted)
    row = next(line for line in bench_here("doctor").out.splitlines() if line.startswith("boxed"))
    assert "ready" in row
    assert "toy-simulator 2.5; in Python" in row
    said = bench_here(*run)
    assert said.code == 0, said.err
    assert "toy-simulator 2.5" in said.out, "its version stands in the report"


def test_more_packages_are_installed_with_those_of_the_family(
    tmp_path: Path, bench_here: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(build, "load", lambda entry: Boxed)

    def environment(name: str, pythons: object, installs: list[list[str]], say: object) -> Path:
        asked.extend(installs)
        raise UserError("enough")

    monkeypatch.setattr(build, "_environment", environment)
    said = bench_here("doctor", "--fix", "gym", "--with", "crafter==1.8.3", "--with", "x[y]")
    assert said.code == 2
    assert asked == [["toy-simulator==2.5", "crafter==1.8.3", "x[y]", "numpy", "msgpack"]]
    for words, told in (
        (("--with", "x"), "name its family with --fix NAME"),
        (("--fix", "gym", "--with=--index-url=x"), "--with names a package, as pip does"),
        (("--fix", "lerobot", "--with", "x"), "lerobot is a kind of agents"),
    ):
        said = bench_here("doctor", *words)
        assert said.code == 2
        assert told in said.err


@pytest.mark.slow
def test_an_interpreter_for_agents(
    family: None, tmp_path: Path, bench_here: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.policies import recipes

    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(build, "NEEDED", ("toy-simulator",))
    recipe = build.Recipe((), (("--no-deps", "toy-simulator==2.5"),), ("numpy", "msgpack"))
    monkeypatch.setattr(recipes, "RECIPES", {"lerobot": recipe})
    said = bench_here("doctor", "--fix", "lerobot")
    assert said.code == 0, said.err
    python = ".bench/interpreters/lerobot/bin/python"
    assert f"{python} -m pip install --no-deps toy-simulator==2.5" in said.err
    assert Path("bench.toml").read_text() == f'[interpreters]\nlerobot = "{python}"\n'
    assert said.out == f"lerobot: {Path(python).absolute()}\n"
    broken = build.Recipe((), recipe.installs, ("no_such_module",))
    with pytest.raises(UserError, match=r"it does not work: .*No module named 'no_such_module'"):
        build.fix_agent("lerobot", broken, print)


def test_what_cannot_be_built(
    tmp_path: Path, bench_here: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, words in (
        ("procgem", "did you mean procgen?"),
        ("langr", "pip cannot install it. Do this instead: "),
    ):
        said = bench_here("doctor", "--fix", name)
        assert (said.code, said.out) == (2, "")
        assert words in said.err
    kind = type("Kind", (toys.ToyAdapter,), {"requirements": ("x",), "pythons": ("3.1",)})
    monkeypatch.setattr(build, "load", lambda entry: kind)
    with pytest.raises(UserError, match=r"needs Python 3\.1 with venv, and none is on PATH"):
        build.fix("x", {"x": "x:Kind"}, print)
    assert not Path("bench.toml").exists()


@pytest.mark.slow
def test_a_package_that_no_registry_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(build, "load", lambda entry: Boxed)
    with pytest.raises(
        UserError,
        match=r"installing toy-simulator==2\.5, numpy, msgpack failed: .*No matching distribution",
    ):
        build.fix("x", {"x": "x:Kind"}, lambda text: None)
    assert not Path("bench.toml").exists()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, '[interpreters]\na = "/p"\n'),
        ("[x]\ny = 1\n", '[x]\ny = 1\n\n[interpreters]\na = "/p"\n'),
        ('[interpreters]\n"a" = "/old" # mine\nb = "/b"\n', '[interpreters]\na = "/p"\nb = "/b"\n'),
        (
            '[interpreters]\nab = "/b"\n[z]\na = 1\n',
            '[interpreters]\na = "/p"\nab = "/b"\n[z]\na = 1\n',
        ),
    ],
)
def test_the_line_in_bench_toml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None, after: str
) -> None:
    file = tmp_path / "bench.toml"
    if before is not None:
        file.write_text(before)
    build.write_line(file, "a", "/p")
    assert file.read_text() == after


def test_lines_that_are_written_at_the_same_time_all_stay(tmp_path: Path) -> None:
    file, names = tmp_path / "bench.toml", [f"n{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: build.write_line(file, name, "/p"), names))
    assert sorted(file.read_text().splitlines()) == sorted(
        ["[interpreters]", *(f'{name} = "/p"' for name in names)]
    )


def test_interpreters_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    assert interpreters() == {}
