"""A value that cannot be converted is judged by its owner, in every mode of play alike."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import toys
from conftest import Run
from faulty_agents import EndRaises
from oddvalues import (
    FINE_STEPS,
    KEPT_STEPS,
    ODD_STEPS,
    REFUSED,
    TAKEN,
    TEXTS,
    OddBatch,
)

from harness.core import BadAction, Task, Turn
from harness.play.batching import Batcher
from harness.play.inference import Watch, call_agent
from harness.play.values import AgentFault

Play = Callable[..., Run]

MODES: dict[str, tuple[str, str, dict[str, int]]] = {
    "one lane": ("ToyAdapter", "", {"workers": 0, "lanes": 1}),
    "batched lanes": ("BatchedToy", "", {"workers": 0, "lanes": 2}),
    "workers": ("ToyAdapter", "", {"workers": 2, "lanes": 2}),
    "served": ("ToyAdapter", "Served", {"workers": 2, "lanes": 2}),
}
"""Mode -> (the toy's class, what stands before the agent's class, the options)."""


def by_name(run: Run) -> dict[str, dict[str, Any]]:
    """The results by the name of their task."""
    return {line["task"].partition("/")[2].partition("@")[0]: line for line in run.results}


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> tuple[str, str, dict[str, int]]:
    """The modes of play; Ray is started for those that need it only."""
    adapter, served, options = MODES[request.param]
    if options["workers"]:
        request.getfixturevalue("ray_here")
    return adapter, served, options


def test_an_answer_is_taken_or_is_the_agents_error(
    play_toys: Play, mode: tuple[str, str, dict[str, int]]
) -> None:
    adapter, served, options = mode
    task = functools.partial(toys.toy_task, max_steps=6)
    tasks = [
        task(name, adapter=f"toys:{adapter}", action="box", marker=name)
        for name in (*TAKEN, *REFUSED)
    ] + [task(f"text-{name}", adapter="oddvalues:TextToy", marker=name) for name in TEXTS]
    run = play_toys(f"oddvalues:{served}OddAgent", tasks, episodes=1, **options)
    found = by_name(run)
    assert len(found) == len(tasks)
    for name in TAKEN:
        assert (found[name]["status"], found[name]["steps"]) == ("finished", 6), name
    reasons = {name: words for name, (_, words) in REFUSED.items()}
    reasons |= {f"text-{name}": words for name, (_, words) in TEXTS.items()}
    for name, words in reasons.items():
        line = found[name]
        assert line["status"] == ("agent_error" if words else "finished"), name
        assert words in (line["error"] or ""), name
        assert line["success"] is False, name
        assert (line["steps"] == 1) == (name == "second"), name
    assert run.summary.missing == 0


@pytest.mark.parametrize("how", ["none", "generator", "text", "dict", "set", "answer", "leaves"])
def test_what_is_no_list_of_answers_is_refused_in_words(play_toys: Play, how: str) -> None:
    tasks = [toys.toy_task(action="box", max_steps=3)]
    run = play_toys("oddvalues:OddBatch", tasks, episodes=2, args={"how": how}, lanes=2)
    assert [line["status"] for line in run.results] == ["agent_error"] * 2
    words = "SystemExit" if how == "leaves" else "act must return a list with one answer"
    assert all(words in line["error"] for line in run.results)


def test_rows_of_an_array_are_answers(play_toys: Play) -> None:
    tasks = [toys.toy_task(action="box", max_steps=3)]
    run = play_toys("oddvalues:OddBatch", tasks, episodes=2, args={"how": "array"}, lanes=2)
    assert [line["status"] for line in run.results] == ["finished"] * 2


def test_tensors_of_torch() -> None:
    torch = pytest.importorskip("torch")
    box = toys.ToyAdapter(toys.toy_task(action="box")).brief.action
    plain = torch.tensor([0.5, -0.5])
    value, clipped = box.coerce(plain)
    assert (type(value), value.dtype, clipped) == (np.ndarray, np.float32, False)
    for odd in (plain.clone().requires_grad_() * 1.0, plain.to(torch.bfloat16)):
        with pytest.raises(BadAction, match=r"tensor\.detach\(\)\.float\(\)\.cpu\(\)\.numpy"):
            box.coerce(odd)
    choice = toys.ToyAdapter(toys.toy_task()).brief.action
    assert choice.coerce(torch.tensor([3])) == choice.coerce(np.array([3])) == (3, False)
    assert choice.problem(torch.tensor([True])) is not None
    assert choice.problem(torch.tensor([1, 2])) is not None


def test_a_conversion_that_does_not_return_is_no_answer_in_time(play_toys: Play) -> None:
    run = play_toys(
        "oddvalues:Sleeps",
        [toys.toy_task(max_steps=3), toys.toy_task("bad", max_steps=3, marker="sleep")],
        episodes=1,
        agent_timeout=0.5,
    )
    found = by_name(run)
    assert (found["goal"]["status"], found["bad"]["status"]) == ("finished", "agent_error")
    assert "no answer within 0.5 s" in found["bad"]["error"]


@pytest.mark.parametrize("served", [False, True], ids=["here", "served"])
def test_a_memory_that_cannot_travel(play_toys: Play, ray_here: None, served: bool) -> None:
    tasks = [toys.toy_task(max_steps=3), toys.toy_task("bad", max_steps=3, marker="lock")]
    agent = f"oddvalues:{'Served' if served else ''}Remembers"
    found = by_name(play_toys(agent, tasks, episodes=2, workers=2 if served else 0))
    assert found["goal"]["status"] == "finished"
    assert found["bad"]["status"] == ("agent_error" if served else "finished")
    if served:
        assert "Answer.memory cannot be pickled" in found["bad"]["error"]


def odd_tasks(adapter: str, names: Sequence[str]) -> list[Task]:
    """A task of six steps for each odd value, from step 3 on."""
    kind = "oddvalues:BatchedOddToy" if adapter == "BatchedToy" else "oddvalues:OddToy"
    return [
        toys.toy_task(name, adapter=kind, action="box", odd=name, max_steps=6) for name in names
    ]


def test_a_simulators_odd_value_is_its_own_error(
    play_toys: Play, mode: tuple[str, str, dict[str, int]]
) -> None:
    adapter, served, options = mode
    tasks = odd_tasks(adapter, [*ODD_STEPS, "state", *FINE_STEPS, *KEPT_STEPS, "plain"])
    run = play_toys(f"oddvalues:{served}Watcher", tasks, episodes=1, **options)
    found = by_name(run)
    reasons = {name: words for name, (_, words) in ODD_STEPS.items()}
    for name, words in {**reasons, "state": "state() must return bytes, got str"}.items():
        assert (found[name]["status"], found[name]["success"]) == ("error", None), name
        assert words in found[name]["error"], name
    told = {line["task"]: line["timing"].get("views") for line in lines_of(run)}
    for name in [*FINE_STEPS, *KEPT_STEPS]:
        line = found[name]
        assert (line["status"], line["steps"]) == ("finished", 6), name
        assert line["success"] is found["plain"]["success"], name
        assert line["metrics"].keys() == found["plain"]["metrics"].keys(), name
    for name, (_, words) in KEPT_STEPS.items():
        assert told[f"toys/{name}@1"] == {"state": words}
    assert told["toys/plain@1"] is None
    assert run.summary.agent_errors == 0


def lines_of(run: Run) -> list[Mapping[str, Any]]:
    """The lines with their times."""
    from conftest import read_lines

    return read_lines(run.path)


LAZY = ["lazy-nan", "lazy-fault", "nan-view", "missing", "plain"]


@pytest.mark.parametrize("forgive", [False, True], ids=["raises", "goes on"])
@pytest.mark.parametrize("way", ["here", "served"])
def test_views_drawn_inside_the_agents_call(
    play_toys: Play, request: pytest.FixtureRequest, way: str, forgive: bool
) -> None:
    if way != "here":
        request.getfixturevalue("ray_here")
    run = play_toys(
        f"oddvalues:{'Served' if way == 'served' else ''}Watcher",
        odd_tasks("", LAZY),
        episodes=1,
        args={"reads": ["*"], "touch": "state", "forgive": forgive},
        workers=0 if way == "here" else 2,
    )
    found = by_name(run)
    assert {name: line["status"] for name, line in found.items()} == {
        name: "finished" if name == "plain" else "error" for name in LAZY
    }
    assert all("view" in found[name]["error"] for name in LAZY[:-1])


def test_an_agent_that_does_not_read_a_view_is_not_stopped_by_it(play_toys: Play) -> None:
    views = ["shape", "kind", "nan-view", "list", "missing", "lazy-fault"]
    run = play_toys("oddvalues:Watcher", odd_tasks("", views), 1, args={"reads": []})
    assert {line["status"] for line in run.results} == {"finished"}


def test_a_bad_expert_is_the_simulators_fault(play_toys: Play) -> None:
    run = play_toys("ExpertAgent", odd_tasks("", ["expert"]), episodes=3)
    failed = [line for line in run.results if line["status"] != "finished"]
    assert failed
    assert {line["status"] for line in failed} == {"error"}
    assert all("the expert's action is none" in line["error"] for line in failed)


def test_one_batch_of_odd_answers_harms_no_neighbour() -> None:
    brief = toys.ToyAdapter(toys.toy_task(action="box")).brief
    turns = [Turn(brief, "", (), (), 0, "") for _ in range(3)]
    answers = call_agent(OddBatch("more"), turns, Watch(), 1.0)
    assert [type(answer) for answer in answers] == [AgentFault] * 3
    assert "answered 2 of 1 turn" in answers[0].reason


def test_a_served_agent_that_fails_when_it_is_told_of_an_end_harms_no_other_episode() -> None:
    batcher = Batcher(EndRaises(), 5.0)
    turn = Turn(toys.ToyAdapter(toys.toy_task()).brief, "", ({"state": np.zeros(4)},), (), 0, "")
    told = batcher.end("an episode that it never saw")
    assert isinstance(told, AgentFault)
    assert told.reason.startswith("end: KeyError")
    assert batcher.infer([turn]) == [(0, False)]
    assert batcher.end("") is True
