"""`bench doctor --deep` on families that are well, broken, dying, hanging and not here."""

from __future__ import annotations

import pytest
from toys import ToyAdapter, toy_task

from harness.core import Task
from harness.testing import deep


class Gone(ToyAdapter):
    """A family whose packages are not here."""

    @classmethod
    def missing(cls, task: object = None) -> object:  # type: ignore[override]
        return "no chalk"


class Counted(ToyAdapter):
    """Its state depends on how many of it were made before."""

    made = 0

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        type(self).made += 1
        self.number = self.made

    def state(self) -> bytes:
        return super().state() + bytes([self.number])


def verdicts(**tasks: str) -> dict[str, str]:
    table = {
        name: toy_task(name, adapter=adapter, **({"fault": fault} if fault else {}))
        for name, (adapter, _, fault) in (
            (name, entry.partition(" ")) for name, entry in tasks.items()
        )
    }
    examined = deep.deep_check(
        {name: task.adapter for name, task in table.items()}, tuple(table.values())
    )
    assert examined.passed == all(row[2] == "yes" for row in examined.rows)
    for row in examined.rows:
        assert row[0] in str(examined)
        assert (float(row[3]) > 0) == (row[2] == "yes") if row[3] else row[2] != "yes"
    return {row[0]: row[2] for row in examined.rows}


@pytest.mark.parametrize("adapter", ["toys:ToyAdapter", "toys:BatchedToy"])
def test_a_good_family_of_either_form_is_stepped(adapter: str) -> None:
    assert verdicts(toys=adapter) == {"toys": "yes"}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("leaky_state", "the same case plays another episode the second time"),
        ("bad_view", "the view state does not conform to its spec"),
        ("raise_on_reset", "the simulator broke"),
        ("segfault", "the process died"),
    ],
)
def test_a_broken_family_is_a_row_that_says_why(fault: str, said: str) -> None:
    assert said in verdicts(toys=f"toys:ToyAdapter {fault}")["toys"]


def test_environments_that_differ_from_one_another_are_noticed() -> None:
    said = verdicts(toys=f"{__name__}:Counted")["toys"]
    assert "a new environment plays another episode of the same case" in said


def test_a_hanging_family_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deep, "PATIENCE_S", 3.0)
    assert verdicts(toys="toys:ToyAdapter hang") == {"toys": "no: nothing came back in 3 s"}


def test_families_that_are_missing_or_have_no_task() -> None:
    assert deep.deep_check({"gone": f"{__name__}:Gone"}, ()).rows == []
    assert "no task" in deep.deep_check({"toys": "toys:ToyAdapter"}, ()).rows[0][2]
