"""What a class declares is checked before anything plays: one line that names the attribute."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import toys
from conftest import plan_of

import bench
from harness.core import Suite, UserError
from harness.host.loading import load_adapter
from harness.play.planning import make_plan
from harness.records.identity import AgentSpec

WRONG = {
    "reads": ["image", ["image"], None, (1, 2), ("",), {"image"}],
    "history": [0, -1, 1.0, "2", None, True],
    "gpus": ["1", -1, float("nan"), float("inf"), None, True],
    "served": [1, "no", None],
    "files": ["weights.pt", None, [1]],
    "outputs": ["out", None],
}
WRONG_ADAPTER = {
    "packages": ["numpy", None, ["numpy"], (1,)],
    "extra": [None, 1],
    "guide": [("a",)],
    "requirements": ["numpy", ["numpy"]],
    "pythons": ["3.11", (3.11,)],
    "conda": [None, ("environment.yml",)],
    "conda_installs": ["mani_skill", None],
    "patience_s": ["a minute", 0, -1, None, float("nan"), float("inf"), True],
    "nondeterminism": [None, True],
    "tolerance": ["0.1", -1, None],
}


def pairs(table: Mapping[str, list[Any]]) -> list[Any]:
    return [
        pytest.param(name, value, id=f"{name}={value!r}")
        for name, values in table.items()
        for value in values
    ]


def declaring(monkeypatch: pytest.MonkeyPatch, base: type, **attributes: Any) -> str:
    """The entry of a class with these attributes."""
    monkeypatch.setattr(toys, "Declares", type("Declares", (base,), attributes), raising=False)
    return "toys:Declares"


def one_line(fault: pytest.ExceptionInfo[UserError], name: str) -> None:
    assert name in str(fault.value)
    assert len(str(fault.value).splitlines()) == 1


@pytest.mark.parametrize(("name", "value"), pairs(WRONG))
def test_an_agents_class_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: Any) -> None:
    entry = declaring(monkeypatch, toys.GoodAgent, **{name: value})
    with pytest.raises(UserError, match=f"toys:Declares has {name} = ") as fault:
        AgentSpec("it", entry, {}).kind()
    one_line(fault, name)


@pytest.mark.parametrize(("name", "value"), pairs({k: WRONG[k] for k in ("reads", "history")}))
def test_an_agent_is_refused_when_it_is_built(
    monkeypatch: pytest.MonkeyPatch, name: str, value: Any
) -> None:
    def build(self: Any) -> None:
        setattr(self, name, value)

    entry = declaring(monkeypatch, toys.GoodAgent, __init__=build)
    with pytest.raises(UserError, match=f"once it is built, has {name} = ") as fault:
        AgentSpec("it", entry, {}).build()
    one_line(fault, name)


@pytest.mark.parametrize(
    "found", [None, "image", ("image", 1), (("image",), 0), (("image",), 1, 2), [("image",), 1]]
)
def test_what_declares_returns_is_checked(monkeypatch: pytest.MonkeyPatch, found: Any) -> None:
    entry = declaring(monkeypatch, toys.GoodAgent, declares=classmethod(lambda cls, args: found))
    with pytest.raises(UserError, match=r"toys:Declares\.declares") as fault:
        AgentSpec("it", entry, {}).to_json()
    one_line(fault, "declares")


def test_declares_may_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    def declares(cls: Any, args: Any) -> Any:
        raise SystemExit("no")

    entry = declaring(monkeypatch, toys.GoodAgent, declares=classmethod(declares))
    with pytest.raises(UserError, match=r"declares failed: SystemExit: no"):
        AgentSpec("it", entry, {}).to_json()


@pytest.mark.parametrize(("name", "value"), pairs(WRONG_ADAPTER))
def test_an_adapters_class_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: Any
) -> None:
    entry = declaring(monkeypatch, toys.ToyAdapter, **{name: value})
    with pytest.raises(UserError, match=f"toys:Declares has {name} = ") as fault:
        load_adapter(entry)
    one_line(fault, name)


@pytest.mark.parametrize(
    ("hook", "found"),
    [("missing", "chalk"), ("missing", True), ("versions", None), ("versions", {"numpy": 2})],
)
def test_what_a_hook_returns_is_checked(
    monkeypatch: pytest.MonkeyPatch, hook: str, found: Any
) -> None:
    answer = classmethod(lambda cls, *args: found)
    entry = declaring(monkeypatch, toys.ToyAdapter, **{hook: answer})
    with pytest.raises(UserError, match=f"{entry}.{hook} returns") as fault:
        plan_of("GoodAgent", [toys.toy_task(adapter=entry)], 1)
    one_line(fault, hook)


@pytest.mark.parametrize("hook", ["missing", "versions", "env_key"])
def test_a_hook_may_raise_anything(monkeypatch: pytest.MonkeyPatch, hook: str) -> None:
    def leave(cls: Any, *args: Any) -> Any:
        raise SystemExit(0)

    entry = declaring(monkeypatch, toys.ToyAdapter, **{hook: classmethod(leave)})
    suite = Suite("toys", "toys", (toys.toy_task(adapter=entry),), 1)
    spec = AgentSpec("it", "toys:GoodAgent", {})
    plan = make_plan([(suite, suite.tasks[0])], spec, episodes=1, seed=0)
    assert not plan.items
    assert "SystemExit: 0 (" in plan.not_run[0].reason
    assert "test_declared.py:" in plan.not_run[0].reason


@pytest.mark.parametrize(
    ("reads", "history"), [("state", 1), (None, 1), ((1,), 1), (("state",), 0), (["state"], "1")]
)
def test_a_function_is_refused_with_what_it_reads(tmp_path: Path, reads: Any, history: Any) -> None:
    with pytest.raises(UserError, match="the policy has"):
        bench.evaluate(
            lambda turns: [0] * len(turns),
            Suite("toys", "toys", toys.TASKS[:1], 1),
            reads=reads,
            history=history,
            out=tmp_path / "run",
        )
    assert not (tmp_path / "run").exists()


def test_a_function_may_name_its_views_in_a_list(tmp_path: Path) -> None:
    suite = Suite("toys", "toys", toys.TASKS[:1], 1)
    played = bench.evaluate(
        lambda turns: [0] * len(turns), suite, reads=["state"], out=tmp_path / "run"
    )
    assert played.summary.missing == 0
