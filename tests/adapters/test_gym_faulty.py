"""Gymnasium environments whose values are odd: what is taken, and what is their own error."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import Run, read_lines

from adapters.gym import GymAdapter
from adapters.gym_task import task_for
from harness.core import Case, Task, UserError
from harness.core.values import BadValue
from harness.testing import ContractError, check_adapter

ID = "faultygym:faultygym/Odd-v0"
Play = Callable[..., Run]


def odd(name: str, success: str | None = None, **params: Any) -> Task:
    """The task of the environment that is odd in this way."""
    return Task(
        f"faultygym/{name.replace(' ', '-').replace(',', '')}@1",
        "games",
        "adapters.gym:GymAdapter",
        {"id": ID, "kwargs": {"odd": name}, **params},
        max_steps=20,
        success=success,
    )


def played(play_toys: Play, *tasks: Task, **options: Any) -> list[dict[str, Any]]:
    """The lines of one episode each of an agent that reads all views."""
    reads = ["state?", "image?", "text?", "state_index?", "state_index_one?", "state_index_many?"]
    run = play_toys("oddvalues:Watcher", tasks, 1, args={"reads": reads}, **options)
    found = {line["task"]: line for line in read_lines(run.path)}
    return [found[task.id] for task in tasks]


RIGHT = {
    "late": True,
    "none, then told": True,
    "lane": True,
    "number": True,
    "two keys agree": True,
}
WRONG = {
    "share": "info['success'] is 0.3: expected True or False",
    "nan": "info['success'] is nan",
    "text": "info['success'] is 'False'",
    "lanes": "info['success'] is an array of shape (2,)",
    "two keys": "two success keys disagree: info['success'] is False and info['is_success'] is",
    "no mapping": "expected a mapping",
    "": "no info of the episode says success",
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_success_in_any_form_of_a_bool(play_toys: Play, name: str) -> None:
    (line,) = played(play_toys, odd(name, "once"))
    assert (line["status"], line["success"], line["steps"]) == ("finished", True, 10)


@pytest.mark.parametrize("name", WRONG)
def test_a_success_that_is_none_of_them_is_the_environments_error(name: str) -> None:
    task = odd(name, "once")
    adapter = GymAdapter(task)

    def play() -> None:
        adapter.reset(Case(task, 0))
        for _ in range(10):
            adapter.step(np.zeros(3, np.float32))

    with pytest.raises(BadValue, match=re.escape(WRONG[name])):
        play()
    adapter.close()


def test_a_named_key_decides(play_toys: Play) -> None:
    (line,) = played(play_toys, odd("two keys", "once", success_key="is_success"))
    assert line["success"] is True
    (line,) = played(play_toys, odd("two keys", "once", success_key="success"), out="other")
    assert line["success"] is False


def test_the_task_of_an_id_finds_a_late_success_and_refuses_two_keys() -> None:
    assert task_for(ID, {"odd": "late"}).success == "once"
    assert task_for(ID, {"odd": "none, then told"}).success == "once"
    assert task_for(ID, {"odd": "share"}).success == "once"
    assert task_for(ID).success is None
    with pytest.raises(UserError, match=r"two success keys disagree.*success_key"):
        task_for(ID, {"odd": "two keys"})
    task = task_for(ID, {"odd": "two keys"}, success_key="success")
    assert (task.success, task.params["success_key"]) == ("once", "success")


ERRORS = {
    "reward nan": "the reward is nan: expected a finite number",
    "reward inf": "the reward is inf",
    "reward none": "the reward is None",
    "reward two": "2 rewards instead of one",
    "flag": "truncated is None: expected True or False",
    "shape": "the view state must have the shape (3,), got (2,)",
    "kind": "the view state must have the dtype float32, got int64",
    "not finite": "the view state holds NaN or infinity",
    "ragged": "inhomogeneous",
    "nothing": "the observation holds objects",
    "part": "the observation lacks the part b",
    "share of a choice": "a Discrete part of the observation is 1.5",
    "choice beyond": "the view state_index is no value of its spec: action 7 does not exist",
    "share of bits": "a MultiBinary part of the observation",
    "half": "the instruction: the text cannot be encoded as UTF-8",
    "half in a view": "the view text: the text cannot be encoded as UTF-8",
    "bytes": "the view text is b'go': expected a text",
    "image of floats": "the view image must have the dtype uint8, got float64",
}


def test_other_values_that_break_their_space_are_its_error_too(play_toys: Play) -> None:
    tasks = [odd(name) for name in ERRORS]
    for name, line in zip(ERRORS, played(play_toys, *tasks)):
        assert line["status"] == "error", name
        assert ERRORS[name] in line["error"], name
        assert line["steps"] in (4, 5), name


TOLD = {
    "outside": {"state": {"outside": 5}},
    "float64": {"state": {"cast": "float64 to float32"}},
    "image of int64": {"image": {"cast": "int64 to uint8"}},
}


def test_what_is_common_is_taken_and_told(play_toys: Play) -> None:
    fine = ["", "reward one", "flags", "buffer", "list", "choices"]
    tasks = [odd(name) for name in (*fine, *TOLD)]
    for name, line in zip([*fine, *TOLD], played(play_toys, *tasks)):
        assert (line["status"], line["steps"], line["score"]) == ("finished", 10, 10.0), name
        assert line["timing"].get("views") == TOLD.get(name), name


@pytest.mark.parametrize("name", ["outside", "float64"])
def test_the_contract_check_refuses_what_a_run_only_tells(name: str) -> None:
    words = "outside its bounds" if name == "outside" else "expected dtype float32, got float64"
    with pytest.raises(ContractError, match=words):
        check_adapter(odd(name), another_process=False)
