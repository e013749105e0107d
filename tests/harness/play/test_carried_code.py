"""The user's modules and files reach machines that lack them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import ray
import toys
from conftest import plan_of

from harness.play import carried_code
from harness.play.carried_code import CarriedCode, carry, moved
from harness.play.ray_actors import Place

AGENT = """
from pathlib import Path

from harness.core import Agent
from farhelp.words import WORD


class Far(Agent):
    def __init__(self, weights, again=""):
        self.weights = Path(weights)

    def act(self, turns):
        return [turn.brief.action.noop() for turn in turns]
"""


@pytest.fixture
def carried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CarriedCode:
    """What travels of an agent whose module imports another one, with a folder of weights."""
    home = tmp_path / "home"
    (home / "farhelp").mkdir(parents=True)
    (home / "faragent.py").write_text(AGENT)
    (home / "farhelp" / "__init__.py").write_text("")
    (home / "farhelp" / "words.py").write_text("WORD = 'far'\n")
    (home / "weights" / "deep").mkdir(parents=True)
    (home / "weights" / "deep" / "a.bin").write_bytes(b"\x00\x01")
    monkeypatch.chdir(home)
    monkeypatch.syspath_prepend(str(home))
    spec, plan = plan_of("faragent:Far", [toys.toy_task()], 1, weights="weights")
    return carry(spec, plan, pytest.fail)


def test_modules_with_what_they_import_and_the_files_that_arguments_name(
    carried: CarriedCode, tmp_path: Path
) -> None:
    assert {"faragent.py", "farhelp/__init__.py", "farhelp/words.py"} <= set(carried.modules)
    assert not any(name.startswith("harness/") for name in carried.modules)
    modules, arguments = carried.unpack(tmp_path / "there")
    assert (Path(arguments["weights"]) / "deep" / "a.bin").read_bytes() == b"\x00\x01"
    words = "import faragent; print(faragent.WORD, faragent.__file__)"
    # Without the module's own folder, as on another machine.
    said = subprocess.run(
        [sys.executable, "-c", words],
        env={"PYTHONPATH": modules, "PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split() == ["far", str(Path(modules) / "faragent.py")]


def test_an_argument_names_what_travelled(carried: CarriedCode) -> None:
    spec, _ = plan_of("faragent:Far", [toys.toy_task()], 1, weights="weights")
    assert moved(spec, {"weights": "/there/weights"}).args == {"weights": "/there/weights"}
    assert moved(spec, {}) is spec


def test_what_is_too_much_is_said_and_left_out(
    carried: CarriedCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carried_code, "MOST_BYTES", 1)
    spec, plan = plan_of("faragent:Far", [toys.toy_task()], 1, weights="weights")
    said: list[str] = []
    found = carry(spec, plan, said.append)
    assert found.modules == carried.modules
    assert (found.arguments, found.files) == ({}, {})
    assert "--agent-arg weights=weights is too much to send" in said[0]


@pytest.mark.parametrize("name", ["../out.py", "/etc/out.py", "a/../../out.py"])
def test_nothing_is_written_outside(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leads out"):
        CarriedCode({name: b""}).unpack(tmp_path / "there")
    assert not list(tmp_path.rglob("out.py"))


@ray.remote
class Elsewhere:
    """A process of Ray that is told that the driver is on another machine."""

    def settle(self, place: Place) -> tuple[str, dict[str, str]]:
        _, arguments = place.settle("worker-0")
        import faragent

        return faragent.__file__, dict(arguments)


def test_a_worker_on_another_machine_imports_what_travelled(
    carried: CarriedCode, ray_here: None
) -> None:
    place = Place([path for path in sys.path if "home" not in path], None, "?", ray.put(carried))
    actor = Elsewhere.remote()
    file, arguments = ray.get(actor.settle.remote(place))
    folder = Path(file).parents[2]
    assert Path(file).parts[-3:] == ("carried", "modules", "faragent.py")
    assert Path(arguments["weights"]).is_relative_to(folder)
    assert folder.stat().st_mode & 0o077 == 0, "nobody else reads it"
    del actor


def test_on_the_drivers_machine_nothing_is_unpacked(carried: CarriedCode, ray_here: None) -> None:
    here = ray.get_runtime_context().get_node_id()
    place = Place(sys.path, None, here, ray.put(carried))
    file, arguments = ray.get(Elsewhere.remote().settle.remote(place))
    assert "carried" not in Path(file).parts
    assert arguments == {}
