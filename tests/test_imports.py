"""Which third-party packages each room may import, so that no simulator slips in."""

from __future__ import annotations

import functools
import pickle
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from harness.core import Case
from harness.play.case_queue import Ticket
from harness.records.identity import AgentSpec
from harness.records.plan import CaseIndex
from suites import babyai

ROOT = Path(__file__).resolve().parents[1]
OURS = ("harness", "suites", "adapters", "baselines", "leaderboards")
GRAPH = grimp.build_graph(*OURS, include_external_packages=True)
ALLOWED = {
    "harness.core": {"numpy"},
    "harness.records": {"fsspec", "numpy", "msgpack", "tomli"},
    "harness.stats": {"numpy", "scipy"},
    "harness.host": {"numpy", "msgpack"},
    "harness.perturb": {"numpy", "scipy", "cv2"},
    "harness.play": {"numpy", "rich", "ray", "av", "PIL", "tabulate"},
    "harness.compare": {"numpy", "fsspec"},
    "harness.verify": {"numpy", "PIL"},
    "harness.demos": {"numpy", "pyarrow", "PIL"},
    "harness.policies": {
        "PIL",
        "gymnasium",
        "httpx",
        "lerobot",
        "msgpack",
        "numpy",
        "onnxruntime",
        "torch",
        "websockets",
    },
    "harness.probes": {
        "matplotlib",
        "numpy",
        "scipy",
        "sklearn",
        "threadpoolctl",
        "torch",
        "transformers",
        "vector_quantize_pytorch",
    },
    "harness.testing": {"numpy"},
    "harness.cli": {"typer", "pandas"},
    "leaderboards": {
        "jinja2",
        "matplotlib",
        "mlflow",
        "msgpack",
        "numpy",
        "pyarrow",
        "scipy",
        "tabulate",
        "tensorboard",
        "trackio",
        "wandb",
    },
    "suites": set(),
}
"""tabulate stands in two places only: both escape every cell before they lay out a table."""


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_nothing_beyond_its_list(package: str) -> None:
    modules = {package, *GRAPH.find_descendants(package)}
    imported = {
        name.partition(".")[0]
        for module in modules
        for name in GRAPH.find_modules_directly_imported_by(module)
    }
    foreign = imported - set(OURS) - sys.stdlib_module_names
    assert foreign <= ALLOWED[package]


def test_every_room_has_a_list() -> None:
    rooms = {name for name in GRAPH.find_children("harness") if GRAPH.find_children(name)}
    assert rooms == {name for name in ALLOWED if name.startswith("harness.")}
    assert len(rooms) <= 15


@functools.lru_cache(None)
def longest_chain(module: str) -> tuple[str, ...]:
    imported = GRAPH.find_modules_directly_imported_by(module)
    chains = [longest_chain(each) for each in sorted(imported) if each.partition(".")[0] in OURS]
    return (module, *max(chains, key=len, default=()))


def test_the_longest_import_chain_is_that_of_the_architecture_page() -> None:
    found = max((longest_chain(m) for m in GRAPH.modules if m.startswith(OURS)), key=len)
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert f"{len(found)} modules, each importing the next" in page, "\n".join(found)


def test_importing_bench_loads_nothing_heavy() -> None:
    script = (
        "import sys, bench\n"
        "heavy = {'numpy', 'typer', 'rich', 'harness', 'leaderboards'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
        "assert 'evaluate' in dir(bench)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


WORKER = """
import pickle, sys, time
import ray.cloudpickle
before = set(sys.modules)
from harness.play.ray_actors import Place, _Worker
spec, given = pickle.loads(bytes.fromhex(sys.argv[1]))
options = {"lanes": 1, "groups": 1, "observed": None, "clock": None}
worker = _Worker("one", ray.cloudpickle.dumps(spec), [], Place(sys.path, None), options, 60.0)
said = worker.exchange([given])
while not said.outcomes:
    said = worker.exchange([])
assert said.outcomes[0].result.status == "finished", said
print(*sorted(set(sys.modules) - before))
"""


def test_a_worker_imports_what_its_family_needs_and_no_more() -> None:
    task = next(task for task in babyai.SUITES[0].tasks if task.id.startswith("babyai/GoToObj@"))
    given = Ticket(CaseIndex(0, 0, 0)), Case(task, seed=1)
    spec = AgentSpec("uniform", "baselines.simple:Uniform", {})
    script = [sys.executable, "-c", WORKER, pickle.dumps((spec, given)).hex()]
    done = subprocess.run(script, check=True, cwd=ROOT, capture_output=True, text=True)
    loaded = done.stdout.split()
    ours = {name for name in loaded if name.partition(".")[0] in OURS}
    rooms = {name.split(".")[1] for name in ours if name.startswith("harness.")}
    assert rooms == {"core", "host", "perturb", "play", "records"}
    families = {name for name in ours if name.startswith("adapters.") and "._" not in name}
    assert families == {"adapters.minigrid"}
    assert not any(name.startswith(("suites", "leaderboards")) for name in ours)
    foreign = {name.partition(".")[0] for name in loaded} - set(OURS) - sys.stdlib_module_names
    assert {name for name in foreign if not name.startswith(("_cython", "_sysconfigdata"))} == {
        "farama_notifications",
        "gymnasium",
        "minigrid",
        "networkx",
        "numpy",
        "pygame",
    }
