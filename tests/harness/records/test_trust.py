"""Whose tasks may be played: those of our suites and of Gymnasium itself, others on request."""

from __future__ import annotations

import ast
import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import adapters
from harness.cli.names import our_tasks, trust
from harness.core import Perturbation, Task, UserError
from harness.records.plan import Plan
from harness.records.registry import load

ROOT = Path(__file__).resolve().parents[3]
OURS = our_tasks()
TRUST = trust(False)


def gym(env_id: Any, /, task_id: str = "gym/x@1", **kwargs: Any) -> Task:
    params = {"id": env_id, "kwargs": kwargs}
    return Task(task_id, "games", "adapters.gym:GymAdapter", params, success=None)


def test_every_task_of_our_suites_is_trusted() -> None:
    assert [task.id for task in OURS.values() if TRUST.refuse(task) is not None] == []


@pytest.mark.parametrize("name", ["minigrid", "libero", "habitat", "langr", "alfworld", "atari"])
def test_a_task_of_ours_with_another_param_is_not_ours(name: str) -> None:
    task = next(each for each in OURS.values() if each.adapter == adapters.ADAPTERS[name])
    for changed in (
        dataclasses.replace(task, params={**task.params, "data": "/etc"}),
        dataclasses.replace(task, adapter="evil:Adapter"),
        dataclasses.replace(task, id="mine/x@1"),
        dataclasses.replace(task, max_steps=7),
    ):
        said = TRUST.refuse(changed)
        assert said is not None
        assert "--trust" in said
        assert "\n" not in said


def test_the_refusal_names_what_becomes_code_or_a_path() -> None:
    task = next(each for each in OURS.values() if each.adapter == adapters.ADAPTERS["alfworld"])
    said = TRUST.refuse(dataclasses.replace(task, params={"data": "/etc", "split": "x"}))
    assert "files (data, split)" in str(said)
    assert "code (id, kwargs)" in str(TRUST.refuse(gym("this:X-v0")))
    assert "evil:Adapter" in str(TRUST.refuse(dataclasses.replace(task, adapter="evil:Adapter")))


@pytest.mark.parametrize(
    "task",
    [
        gym("CartPole-v1"),
        gym("CartPole-v1", "gym/CartPole-v1@1"),
        gym("Pendulum-v1", g=9.81),
        gym("FrozenLake-v1", map_name="8x8", is_slippery=False),
        gym("FrozenLake-v1", desc=["SF", "HG"]),
        gym("Ant-v5"),
        gym("phys2d/CartPole-v0"),
    ],
    ids=lambda task: str(task.params),
)
def test_an_environment_of_gymnasium_itself_is_trusted(task: Task) -> None:
    assert TRUST.refuse(task) is None


@pytest.mark.parametrize(
    "task",
    [
        gym("this:X-v0"),
        gym("antigravity:CartPole-v1"),
        gym("CartPole-v1:"),
        gym("CartPole"),
        gym("NoSuch-v0"),
        gym("minigrid:MiniGrid-Empty-5x5-v0"),
        gym("GymV26Environment-v0", env_id="this:X-v0"),
        gym("CartPole-v1", entry_point="this:X"),
        gym("CartPole-v1", vector_entry_point="this:X"),
        gym("CartPole-v1", additional_wrappers=[]),
        gym("CartPole-v1", render_mode="human"),
        gym("Ant-v5", xml_file="x"),
        gym("Ant-v5", default_camera_config={"a": "b.c"}),
        gym("Ant-v5", frame_skip=10**9),
        gym("FrozenLake-v1", desc=["/etc/passwd"]),
        gym(["CartPole-v1"]),
        gym(None),
        dataclasses.replace(gym("CartPole-v1"), params={"id": "CartPole-v1", "kwargs": "x"}),
        dataclasses.replace(gym("CartPole-v1"), params={"id": "CartPole-v1", "module": "this"}),
        dataclasses.replace(gym("CartPole-v1"), params={}),
        dataclasses.replace(gym("CartPole-v1"), adapter="adapters.gym:task_for"),
        dataclasses.replace(gym("CartPole-v1"), adapter="adapters.gym:np.load"),
    ],
    ids=lambda task: f"{task.adapter} {task.params}",
)
def test_anything_else_behind_gymnasium_is_not(task: Task) -> None:
    assert "--trust" in str(TRUST.refuse(task))


def test_trust_on_request_is_trust_in_everything() -> None:
    assert trust(True).refuse(gym("this:X-v0")) is None
    trust(True).check([gym("this:X-v0")], Plan((), perturbations=((Perturbation("x", 1),),)))


def test_parameters_of_perturbations_are_plain() -> None:
    plain = Plan((), perturbations=((Perturbation("start", 1, {"steps": 20, "how": "far"}),),))
    TRUST.check(OURS.values(), plain)
    for value in ("/etc/passwd", "a.b", "<script>", 10**12, float("nan"), [[[[1]]]]):
        odd = Plan((), perturbations=((Perturbation("start", 1, {"steps": value}),),))
        with pytest.raises(UserError, match="plain words and numbers"):
            TRUST.check((), odd)


def test_a_refused_plan_names_the_first_task_and_counts_the_others() -> None:
    with pytest.raises(UserError, match=r"^gym/x@1 is not played \(and 1 more tasks\): .*--trust"):
        TRUST.check([gym("this:X-v0"), gym("this:Y-v0")], Plan(()))


def test_to_refuse_imports_nothing_that_the_task_names() -> None:
    script = (
        "import sys\n"
        "from harness.cli.names import trust\n"
        "from harness.core import Task\n"
        "whom = trust(False)\n"
        "for name in ('this', 'antigravity.deep', 'lib2to3', 'venv.__main__'):\n"
        "    assert whom.refuse(Task('a/b@1', 'games', f'{name}:X'))\n"
        "    params = {'id': f'{name}:X-v0', 'kwargs': {}}\n"
        "    assert whom.refuse(Task('a/b@1', 'games', 'adapters.gym:GymAdapter', params))\n"
        "bad = {'this', 'antigravity', 'lib2to3', 'venv'} & sys.modules.keys()\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


# What the adapters declare

OPENS = {
    "Path", "open", "make", "_make", "import_module", "find_spec", "from_pretrained", "compose",
    "load_env_creator",
}  # fmt: skip
"""Calls whose arguments become code or paths."""


def dangerous_params(source: str) -> Iterator[str]:
    """Names of params that stand in an argument of OPENS, in a path, or in an override `a=...`."""
    for node in ast.walk(ast.parse(source)):
        parts: list[ast.AST] = []
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            parts = [*node.args, *node.keywords] if name in OPENS else []
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            parts = [node.right]
        elif isinstance(node, ast.JoinedStr) and any(
            isinstance(each, ast.Constant) and str(each.value).endswith("=") for each in node.values
        ):
            parts = [node]
        for part in parts:
            yield from params_in(part)


def params_in(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        holder = key = None
        if isinstance(each, ast.Subscript):
            holder, key = each.value, each.slice
        elif isinstance(each, ast.Call) and getattr(each.func, "attr", "") == "get" and each.args:
            holder, key = each.func.value, each.args[0]  # type: ignore[attr-defined]
        name = getattr(holder, "attr", getattr(holder, "id", ""))
        if name == "params" and isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.value


FAMILIES = sorted({task.adapter for task in OURS.values()} | set(adapters.ADAPTERS.values()))


@pytest.mark.parametrize("entry", FAMILIES)
def test_an_adapter_declares_the_params_that_become_code_or_paths(entry: str) -> None:
    kind = load(entry)
    declared = {*kind.code_params, *kind.path_params}
    module = Path(sys.modules[kind.__module__].__file__ or "")
    alone = module.parent.name == "adapters"
    files = [module] if alone else sorted(module.parent.glob("*.py"))
    found = {name for file in files for name in dangerous_params(file.read_text())}
    others = {
        name
        for other in FAMILIES
        if load(other).__module__.rpartition(".")[0] == kind.__module__.rpartition(".")[0]
        for name in (*load(other).code_params, *load(other).path_params)
    }
    assert found <= (declared if alone else declared | others)
    names = {name for task in OURS.values() if task.adapter == entry for name in task.params}
    optional = {"data", "root", "kwargs", "make", "tokenizer", "dataset", "scenes", "split"}
    assert declared <= names | optional, "every declared param is one that tasks have"


def test_the_search_finds_params_that_are_paths_or_code() -> None:
    source = (
        "a = Path(params['x'])\nb = folder / task.params.get('y', 'z')\n"
        "c = [f'scene={task.params[\"w\"]}']\nd = gymnasium.make(task.params['v'])\n"
        "e = float(params['u'])\n"
    )
    assert sorted(dangerous_params(source)) == ["v", "w", "x", "y"]
