"""Of several workers one checks the resets of a task, and none is left unchecked."""

from __future__ import annotations

from pathlib import Path

import pytest
import toys

from harness.core import Case
from harness.play.case_queue import Ticket
from harness.play.environments import EnvSlot
from harness.play.inference import Watch
from harness.play.reset_check import ResetCheck
from harness.play.reset_duty import ResetDuty
from harness.play.worker_handle import WorkerHandle
from harness.records.plan import CaseIndex

ONE, OTHER = toys.toy_task("one"), toys.toy_task("other")


@pytest.fixture
def pair() -> tuple[ResetDuty, WorkerHandle, WorkerHandle]:
    return ResetDuty(), WorkerHandle("a", 1, 60.0), WorkerHandle("b", 1, 60.0)


def test_who_is_given_the_first_case_checks(
    pair: tuple[ResetDuty, WorkerHandle, WorkerHandle],
) -> None:
    duty, a, b = pair
    assert duty.given(a, [Case(ONE, 0), Case(ONE, 1)]) == [ONE.id]
    assert duty.given(b, [Case(ONE, 2), Case(OTHER, 0)]) == [OTHER.id]
    assert duty.given(a, [Case(ONE, 3), Case(OTHER, 1)]) == [ONE.id]


@pytest.mark.parametrize("played", [False, True])
def test_a_worker_that_is_lost_before_it_has_played_leaves_it_to_another(
    pair: tuple[ResetDuty, WorkerHandle, WorkerHandle], played: bool
) -> None:
    duty, a, b = pair
    duty.given(a, [Case(ONE, 0)])
    if played:
        duty.played(a, Case(ONE, 0))
    duty.lost(a)
    assert duty.given(b, [Case(ONE, 1)]) == ([] if played else [ONE.id])


def test_a_worker_that_gives_all_its_cases_back_leaves_it_to_another(
    pair: tuple[ResetDuty, WorkerHandle, WorkerHandle],
) -> None:
    duty, a, b = pair
    for episode in range(2):
        a.give(Ticket(CaseIndex(0, 0, episode)), Case(ONE, episode))
    duty.given(a, a.held.values())
    duty.returned(a, a.gave_back(Ticket(CaseIndex(0, 0, 1))))
    assert duty.given(b, [Case(ONE, 1)]) == []  # it still holds one
    duty.returned(a, a.gave_back(Ticket(CaseIndex(0, 0, 0))))
    assert duty.given(b, [Case(ONE, 0)]) == [ONE.id]


def test_a_process_resets_what_it_is_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    reset: list[str] = []
    monkeypatch.setattr(
        ResetCheck, "_start_of", lambda _, slot, case: reset.append(case.task.id) or "start"
    )
    monkeypatch.setattr("harness.play.reset_check.code_of", lambda *_: [Path("of_a_user.py")])
    check, case = ResetCheck(Watch(), tasks=()), Case(ONE, 0)
    slot = EnvSlot("key", toys.ToyAdapter(ONE))
    check.made(slot, case)
    assert reset == []
    assert check.late == set()
    check.take_on([OTHER.id])
    assert check.late == set()
    check.take_on([ONE.id])
    assert check.late == {ONE.id}  # its environment is there already
    check.made(slot, case)
    assert reset == [ONE.id]
    assert check.late == set()
    check.take_on([ONE.id])
    assert check.late == set()
    check.made(EnvSlot("key", toys.ToyAdapter(OTHER)), Case(OTHER, 0))
    assert reset == [ONE.id, OTHER.id]
