"""The queue hands out each case once, whatever happens in between; and what the coordinator does
when a simulator never works."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import toys
from conftest import Notes, Run
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core import Case, Perturbation, TimeStep
from harness.play.case_lengths import CaseLengths
from harness.play.case_queue import Queue, Ticket
from harness.play.reset_check import ResetCheck
from harness.records.plan import CaseIndex, Plan, PlanItem

CONDITION = (Perturbation("noise", 1),)


def make_plan(episodes: Sequence[int], keys: Sequence[str], conditions: int = 1) -> Plan:
    items = [
        PlanItem("toys", toys.toy_task(f"t{number}"), count, "p", {}, env_key)
        for number, (count, env_key) in enumerate(zip(episodes, keys))
    ]
    return Plan(tuple(items), perturbations=(CONDITION,) * (conditions - 1))


def cases_of(plan: Plan) -> set[CaseIndex]:
    return {
        CaseIndex(item, condition, episode)
        for item, entry in enumerate(plan.items)
        for condition in range(len(plan.conditions))
        for episode in range(entry.episodes)
    }


plans = st.lists(st.tuples(st.integers(1, 6), st.sampled_from("abc")), min_size=1, max_size=5)


@settings(max_examples=100, deadline=None)
@given(
    shape=plans,
    conditions=st.integers(1, 2),
    shuffle=st.none() | st.integers(0, 9),
    rng=st.randoms(use_true_random=False),
)
def test_each_case_is_handed_out_once_whatever_happens(
    shape: list[tuple[int, str]], conditions: int, shuffle: int | None, rng: random.Random
) -> None:
    plan = make_plan(*zip(*shape), conditions=conditions)
    done = {case for case in cases_of(plan) if rng.random() < 0.3}
    queue = Queue(plan, done.__contains__, shuffle)
    waiting, out, over, dropped = (
        cases_of(plan) - done,
        set[Ticket](),
        set[CaseIndex](),
        set[int](),
    )
    attempts = dict.fromkeys(waiting, 1)
    for _ in range(300):
        if rng.random() < 0.5 or not out:
            ticket = queue.take(rng.sample("abcd", rng.randrange(4)))
            if ticket is None:
                assert {case for case in waiting if case.item not in dropped} == set(), (
                    "there was still a case to hand out"
                )
                if not out:
                    break
                continue
            assert ticket.case.item not in dropped
            assert ticket.case in waiting, "handed out twice, or done before"
            assert ticket.attempt == attempts[ticket.case]
            waiting.remove(ticket.case)
            out.add(ticket)
        elif rng.random() < 0.05 and len(dropped) < len(plan.items):
            item = rng.choice(
                [number for number in range(len(plan.items)) if number not in dropped]
            )
            dropped.add(item)
            rest = {case for case in waiting if case.item == item}
            assert sorted(ticket.case for ticket in queue.drop(item)) == sorted(rest), (
                "what had not been handed out, each once"
            )
        else:
            ticket = rng.choice(sorted(out))
            out.remove(ticket)
            queue.settle(ticket)
            if rng.random() < 0.4 and ticket.case.item not in dropped:
                queue.give_back(ticket._replace(attempt=ticket.attempt + 1))
                waiting.add(ticket.case)
                attempts[ticket.case] += 1
            else:
                over.add(ticket.case)
    assert over | done | {ticket.case for ticket in out} | waiting == cases_of(plan)


def test_a_kept_environment_is_used_to_the_end() -> None:
    plan = make_plan([3, 2, 3], ["a", "b", "a"])
    queue = Queue(plan, lambda index: False)
    first = queue.take([])
    assert first is not None
    assert first.case.item == 0
    taken = [queue.take(["a"]) for _ in range(5)]
    assert [ticket.case.item for ticket in taken if ticket] == [0, 0, 2, 2, 2]
    assert queue.take(["a"]) == Ticket(CaseIndex(1, 0, 0)), "only then another"


def test_workers_begin_with_different_environments() -> None:
    plan = make_plan([9, 9, 9], ["a", "b", "c"])
    queue = Queue(plan, lambda index: False)
    tickets = [queue.take([]) for _ in range(6)]
    assert [ticket.case.item for ticket in tickets if ticket] == [0, 1, 2, 0, 1, 2], (
        "the key that the fewest play"
    )
    queue.settle(Ticket(CaseIndex(1, 0, 0)))
    assert queue.take(["d"]) == Ticket(CaseIndex(1, 0, 2))


def test_what_is_given_back_comes_soon() -> None:
    plan = make_plan([5, 5], ["a", "b"])
    queue = Queue(plan, lambda index: False)
    ticket = queue.take(["a"])
    assert ticket == Ticket(CaseIndex(0, 0, 0))
    queue.take(["a"])
    queue.settle(ticket)
    queue.give_back(ticket._replace(attempt=2))
    assert queue.take(["a"]) == Ticket(CaseIndex(0, 0, 0), attempt=2)


def test_a_shuffled_queue_is_another_order_of_the_same() -> None:
    plan = make_plan([20, 20], ["a", "b"], conditions=2)

    def order(shuffle: int | None) -> list[Ticket]:
        queue = Queue(plan, lambda index: False, shuffle)
        return list(iter(lambda: queue.take(["a"]), None))

    plain, one, other = order(None), order(1), order(2)
    assert sorted(plain) == sorted(one) == sorted(other)
    assert plain != one != other
    assert order(1) == one
    assert [ticket.case.item for ticket in one[:10]] != [0] * 10, "environment keys play no part"


def test_a_million_cases_cost_a_counter_a_task() -> None:
    plan = make_plan([1000] * 1000, [f"k{number % 50}" for number in range(1000)])
    assert plan.total == 1_000_000
    done = [bytearray(b"\x01") * 1000 for _ in plan.items]
    done[700][333] = 0
    tracemalloc.start()
    try:
        queue = Queue(plan, lambda index: bool(done[index.item][index.episode]))
        assert queue.take([]) == Ticket(CaseIndex(700, 0, 333)), "the one that is missing"
        assert queue.take([]) is None
        fresh = Queue(plan, lambda index: False)
        for _ in range(5000):
            assert fresh.take(["k7"]) is not None
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000, f"{peak} bytes"
    left, held = 995_000, ["k7"]
    while (ticket := fresh.take(held)) is not None:
        held = [plan.items[ticket.case.item].env_key]
        left -= 1
    assert left == 0


class NeverWorks(toys.ToyAdapter):
    """Breaks at every second step, in words that it never repeats, and counts its resets."""

    resets: ClassVar[int] = 0

    def reset(self, case: Case) -> TimeStep:
        type(self).resets += 1
        return super().reset(case)

    def step(self, action: Any) -> TimeStep:
        if self.steps:
            raise RuntimeError(f"the simulator broke after {self.resets} resets")
        return super().step(action)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> type[NeverWorks]:
    monkeypatch.setattr(toys, "NeverWorks", NeverWorks, raising=False)
    monkeypatch.setattr(NeverWorks, "resets", 0)
    # What is counted are attempts at cases, not what is tried before them.
    monkeypatch.setattr(ResetCheck, "made", lambda *_: None)
    return NeverWorks


@pytest.mark.parametrize("episodes", [1, 4])
def test_a_case_is_tried_three_times(
    play_toys: Callable[..., Run], counted: type[NeverWorks], episodes: int
) -> None:
    run = play_toys(tasks=[toys.toy_task("bad", adapter="toys:NeverWorks")], episodes=episodes)
    assert [line["status"] for line in run.results] == ["error"] * episodes
    assert counted.resets == 3 * episodes


def test_a_simulator_that_never_works_is_given_up_soon(
    play_toys: Callable[..., Run], counted: type[NeverWorks]
) -> None:
    """Where each attempt hangs for two minutes, 200 cases would take 13 hours."""
    run = play_toys(tasks=[toys.toy_task("bad", adapter="toys:NeverWorks")], episodes=200)
    assert [line["status"] for line in run.results] == ["error"] * 200
    assert counted.resets < 30


def test_messages_about_failed_cases_are_few(
    play_toys: Callable[..., Run], counted: type[NeverWorks]
) -> None:
    notes: Notes = play_toys(
        tasks=[toys.toy_task("bad", adapter="toys:NeverWorks")], episodes=50
    ).notes
    assert 3 <= len(notes.said) <= 5
    assert any("attempts failed and no case was scored" in text for text in notes.said)


def test_nothing_is_lost_when_a_task_is_given_up(
    play_toys: Callable[..., Run], counted: type[NeverWorks], tmp_path: Path
) -> None:
    tasks: list[Any] = [toys.toy_task("bad", adapter="toys:NeverWorks"), toys.toy_task("good")]
    run = play_toys(tasks=tasks, episodes=20, lanes=4)
    assert [line["status"] for line in run.results] == ["error"] * 20 + ["finished"] * 20
    assert run.summary.missing == 20


def makespan(lengths: Sequence[int], episodes: int, *, longest_first: bool) -> float:
    """When two workers are done that play `episodes` cases of each of these lengths."""
    keys = [f"k{number}" for number in range(len(lengths))]
    plan = make_plan([episodes] * len(lengths), keys)
    known = CaseLengths(plan) if longest_first else None
    queue = Queue(plan, lambda case: False, lengths=known)
    free, held = [0.0, 0.0], ["", ""]
    while True:
        worker = free.index(min(free))
        ticket = queue.take([held[worker]])
        if ticket is None:
            return max(free)
        seconds = lengths[ticket.case.item]
        held[worker] = keys[ticket.case.item]
        free[worker] += seconds
        queue.settle(ticket)
        if known is not None:
            known.took(ticket.case.item, seconds)


def test_two_workers_end_together() -> None:
    lengths = [1, 2, 1, 3, 2, 40]
    best = sum(lengths) * 3 / 2
    assert makespan(lengths, 3, longest_first=True) <= best + max(lengths) / 2
    assert makespan(lengths, 3, longest_first=True) < makespan(lengths, 3, longest_first=False)


def test_what_takes_long_is_learned_from_what_is_over() -> None:
    plan = make_plan([4, 4, 4], ["a", "b", "c"])
    known = CaseLengths(plan)
    assert known.left("a") == known.left("b")
    known.took(0, 10.0)
    known.took(1, 1.0)
    known.handed_out(0)
    assert known.left("a") == 30.0
    assert known.left("b") == 4.0
    assert known.left("c") == pytest.approx(4 * 11 / 2), "by the pace of the others"
