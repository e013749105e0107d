"""The plan: from an index to its case and back, and a hash of everything that will be played."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
import toys
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core import Missing, Normaliser, Perturbation, Reference, Suite, Task, UserError
from harness.play.planning import make_plan
from harness.records.case_states import CaseStates
from harness.records.catalogue import select_tasks
from harness.records.identity import AgentSpec
from harness.records.plan import (
    SEED_STRIDE,
    CaseIndex,
    NotRun,
    Plan,
    PlanItem,
    protocol_hash,
    task_from_json,
    task_to_json,
)
from harness.records.plan_differences import differences

CONDITIONS = (
    (Perturbation("noise", 1, {"sigma": 0.1}),),
    (Perturbation("noise", 1), Perturbation("delay", 2)),
)
RICH = toys.toy_task(
    "rich",
    size=6,
    nested={"a": [1, {"b": None}], "c": "ü"},
    control_hz=12.5,
    tags=("one", "two"),
    normaliser=Normaliser(1.0, 3.0, "random", "human", "a table"),
    references=(
        Reference("GEA", 0.9, "success_rate", "arXiv", "other rule"),
        Reference("Gato", 0.8, "success_rate", "arXiv", same_rule=True),
    ),
    first_seed=7,
)


def item(task: Task, episodes: int = 4, **changes: Any) -> PlanItem:
    packages = {"numpy": "1.26"}
    return dataclasses.replace(
        PlanItem("toys", task, episodes, protocol_hash(task, packages), packages, "key"), **changes
    )


def changed(field: str, value: Any) -> PlanItem:
    return item(dataclasses.replace(RICH, **{field: value}))


PLAN = Plan(
    (item(RICH), item(toys.toy_task())),
    3,
    CONDITIONS,
    (NotRun("toys/x@1", "games", "toys", "no chalk", "buy chalk"),),
)


@settings(max_examples=200, deadline=None)
@given(
    counts=st.lists(st.integers(1, 10**6), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
    conditions=st.integers(0, 2),
    first=st.sampled_from([0, 10**9]),
    data=st.data(),
)
def test_a_case_is_found_again(
    counts: list[int], seed: int, conditions: int, first: int, data: st.DataObject
) -> None:
    items = tuple(
        item(toys.toy_task(f"t{number}", first_seed=first), count)
        for number, count in enumerate(counts)
    )
    plan = Plan(items, seed, CONDITIONS[:conditions])
    assert plan.total == sum(counts) * (conditions + 1)
    number = data.draw(st.integers(0, len(counts) - 1))
    condition = data.draw(st.integers(0, conditions))
    episode = data.draw(st.integers(0, counts[number] - 1))
    index = CaseIndex(number, condition, episode)
    case = plan.case(index)
    assert case.task == items[number].task
    assert case.perturbations == plan.conditions[condition]
    assert case.seed == first + seed * SEED_STRIDE + episode
    assert plan.locate(case.task.id, case.seed, list(map(str, case.perturbations))) == index


def test_conditions_may_play_seeds_of_their_own() -> None:
    plan = dataclasses.replace(PLAN, offsets=(100, 0, 2))
    seeds = [plan.case(CaseIndex(0, condition, 1)).seed for condition in range(3)]
    assert seeds == [7 + 3 * SEED_STRIDE + 1 + offset for offset in (100, 0, 2)]
    for condition, seed in enumerate(seeds):
        names = list(map(str, plan.conditions[condition]))
        assert plan.locate("toys/rich@1", seed, names) == CaseIndex(0, condition, 1)
    # The episodes of conditions 1 and 2 overlap, those of the unperturbed one lie elsewhere.
    assert plan.with_seed("toys/rich@1", seeds[2]) == [CaseIndex(0, 1, 3), CaseIndex(0, 2, 1)]
    assert PLAN.with_seed("toys/rich@1", 7 + 3 * SEED_STRIDE) == [
        CaseIndex(0, condition, 0) for condition in range(3)
    ]
    assert plan.hash != PLAN.hash
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    for wrong in ([100, 0], [100, 0, -1], [100, 0, 2.5], "x"):
        with pytest.raises(ValueError, match=r"plan\.offsets"):
            Plan.from_json({**plan.to_json(), "offsets": wrong})


def test_what_is_not_planned_has_no_index() -> None:
    seed = 7 + 3 * SEED_STRIDE
    assert PLAN.locate("toys/rich@1", seed, []) == CaseIndex(0, 0, 0)
    assert PLAN.locate("toys/rich@1", seed + 3, ["noise:1", "delay:2"]) == CaseIndex(0, 2, 3)
    for unplanned in [
        ("toys/other@1", seed, []),
        ("toys/rich@1", seed - 1, []),
        ("toys/rich@1", seed + 4, []),
        ("toys/rich@1", 7, []),
        ("toys/rich@1", seed, ["noise:2"]),
        ("toys/rich@1", seed, ["delay:2", "noise:1"]),
    ]:
        assert PLAN.locate(*unplanned) is None, unplanned


def every_index(plan: Plan) -> list[CaseIndex]:
    return [
        CaseIndex(number, condition, episode)
        for number, entry in enumerate(plan.items)
        for condition in range(len(plan.conditions))
        for episode in range(entry.episodes)
    ]


def test_every_case_has_its_own_id() -> None:
    ids = {PLAN.case(index).id for index in every_index(PLAN)}
    assert len(ids) == PLAN.total == 24
    first = CaseIndex(0, 0, 0)
    assert PLAN.case(first).id == Plan.from_json(PLAN.to_json()).case(first).id


def test_an_item_can_play_some_conditions_only() -> None:
    """`conditions` counts the plan's perturbations from 0; the unperturbed condition is index 0."""
    row = NotRun("toys/goal@1", "navigation", "toys", "no text", "leave it out", "noise:1+delay:2")
    plan = dataclasses.replace(
        PLAN, items=(item(RICH, conditions=(1,)), PLAN.items[1]), not_run=(row,)
    )
    assert [plan.conditions_of(number) for number in range(2)] == [[0, 2], [0, 1]]
    assert (plan.count(0), plan.count(1), plan.total) == (8, 8, 16)
    assert plan.case(CaseIndex(0, 1, 0)).perturbations == CONDITIONS[0], "planned or not"


def test_a_state_is_kept_for_every_case() -> None:
    plan = dataclasses.replace(PLAN, items=(item(RICH, 2), item(toys.toy_task(), 3)))
    states = CaseStates(plan)
    indexes = every_index(plan)
    assert [states[index] for index in indexes] == [0] * 15
    for number, index in enumerate(indexes):
        states[index] = number
    assert [states[index] for index in indexes] == list(range(15)), "no two share a place"
    assert list(states.of(1, 2)) == [12, 13, 14]


def test_run_json_keeps_the_names_of_its_fields() -> None:
    """Directories of earlier versions hold `affinity` and `arms`."""
    fields = dataclasses.replace(PLAN, items=(item(RICH, conditions=(1,)),)).to_json()["items"][0]
    assert list(fields) == [
        "suite",
        "task",
        "episodes",
        "protocol",
        "packages",
        "affinity",
        "arms",
        "own_streams",
    ]
    assert (fields["affinity"], fields["arms"]) == ("key", (1,))


def test_a_plan_comes_back_from_json() -> None:
    text = json.dumps(PLAN.to_json(), allow_nan=False)
    back = Plan.from_json(json.loads(text))
    assert back == PLAN
    assert back.hash == PLAN.hash
    assert json.dumps(back.to_json()) == text
    assert task_from_json(json.loads(json.dumps(task_to_json(RICH)))) == RICH
    assert list(differences(back, PLAN)) == []


def first_item(entry: PlanItem) -> Plan:
    """PLAN with another first item."""
    return dataclasses.replace(PLAN, items=(entry, PLAN.items[1]))


NUMPY_2 = {"numpy": "2"}
CHANGES: dict[str, tuple[Callable[[], Plan], str | None]] = {
    "seed": (lambda: dataclasses.replace(PLAN, seed=4), "seed 4 instead of 3"),
    "episodes": (lambda: first_item(item(RICH, 5)), "5 episodes a task instead of 4"),
    "dropped": (
        lambda: dataclasses.replace(PLAN, items=PLAN.items[:1]),
        "1 task dropped (toys/goal@1)",
    ),
    "added": (
        lambda: dataclasses.replace(
            PLAN, items=(*PLAN.items, *(item(toys.toy_task(name)) for name in "dabc"))
        ),
        "4 tasks added (toys/a@1, toys/b@1, toys/c@1, ...)",
    ),
    "perturbations": (
        lambda: dataclasses.replace(PLAN, perturbations=CONDITIONS[:1]),
        "other perturbations: none instead of noise:1+delay:2",
    ),
    "package": (
        lambda: first_item(item(RICH, protocol=protocol_hash(RICH, NUMPY_2), packages=NUMPY_2)),
        "another protocol for toys/rich@1: numpy 2 instead of 1.26",
    ),
    **{
        field: (
            lambda field=field, value=value: first_item(changed(field, value)),
            "another protocol for toys/rich@1: another rule, horizon or parameter",
        )
        for field, value in {
            "adapter": "toys:BatchedToy",
            "params": {**RICH.params, "size": 7},
            "max_steps": 41,
            "success": "end",
            "rule": "within a cell",
            "score": "success",
            "control_hz": 25.0,
        }.items()
    },
}


@pytest.mark.parametrize("change", CHANGES)
def test_all_that_will_be_played_is_in_the_hash(change: str) -> None:
    make, words = CHANGES[change]
    other = make()
    assert other.hash != PLAN.hash
    assert list(differences(other, PLAN)) == [words]
    assert Plan.from_json(json.loads(json.dumps(other.to_json()))).hash == other.hash


def test_the_order_of_the_tasks_is_part_of_the_plan() -> None:
    assert dataclasses.replace(PLAN, items=PLAN.items[::-1]).hash != PLAN.hash


@pytest.mark.parametrize(("field", "value"), [("tags", ("other",)), ("references", ())])
def test_what_only_goes_with_a_result_is_not_in_the_hash(field: str, value: Any) -> None:
    other = dataclasses.replace(PLAN, items=(changed(field, value), PLAN.items[1]))
    assert other.hash == PLAN.hash
    assert list(differences(other, PLAN)) == []


def test_the_parameters_of_a_perturbation_are_in_the_hash() -> None:
    weak, strong = ((Perturbation("noise", 1, {"sigma": sigma}),) for sigma in (0.1, 0.9))
    assert (
        dataclasses.replace(PLAN, perturbations=(weak,)).hash
        != dataclasses.replace(PLAN, perturbations=(strong,)).hash
    )


def test_the_normaliser_is_in_the_hash() -> None:
    other = changed("normaliser", Normaliser(0.0, 1.0))
    assert dataclasses.replace(PLAN, items=(other, PLAN.items[1])).hash != PLAN.hash


def test_the_protocol_hash_is_of_the_content_and_the_packages() -> None:
    hashes = {
        protocol_hash(task, packages)
        for task in (
            RICH,
            dataclasses.replace(RICH, id="toys/rich@2"),
            dataclasses.replace(RICH, first_seed=8),
        )
        for packages in ({}, {"numpy": "1"}, {"numpy": "2"}, {"scipy": "1"})
    }
    assert len(hashes) == 12
    assert protocol_hash(RICH, {"a": "1", "b": "2"}) == protocol_hash(RICH, {"b": "2", "a": "1"})


# make_plan and select_tasks

SPEC = AgentSpec("good", "toys:GoodAgent", {})
SUITE = Suite("toys", "toys", (*toys.TASKS, toys.toy_task("tagged", tags=("Main", "all"))), 4)
OTHER = Suite("other", "other", (toys.toy_task("extra"), toys.TASKS[0]), 9)


def test_a_plan_of_suites() -> None:
    plan = make_plan(select_tasks([SUITE, OTHER], None), SPEC, episodes=None, seed=2)
    assert [(each.suite, each.task.name, each.episodes) for each in plan.items] == [
        ("toys", "toys/goal", 4),
        ("toys", "toys/glide", 4),
        ("toys", "toys/batch", 4),
        ("toys", "toys/tagged", 4),
        ("other", "toys/extra", 9),
    ]
    assert plan.seed == 2
    assert plan.items[0].env_key == "toys:ToyAdapter toys 8 discrete"
    assert {
        each.episodes
        for each in make_plan(select_tasks([SUITE], None), SPEC, episodes=2, seed=0).items
    } == {2}


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("goal", ["goal"]),
        ("toys/goal", ["goal"]),
        ("GOAL,gl*", ["goal", "glide"]),
        ("toys/g*", ["goal", "glide"]),
        ("*", ["goal", "glide", "batch", "tagged", "extra"]),
        ("tag:main", ["tagged"]),
        ("tag:ALL, extra ,", ["tagged", "extra"]),
        ("[gb]*", ["goal", "glide", "batch"]),
    ],
)
def test_tasks_by_pattern(pattern: str, names: list[str]) -> None:
    assert [task.name for _, task in select_tasks([SUITE, OTHER], pattern)] == [
        f"toys/{name}" for name in names
    ]


@pytest.mark.parametrize("pattern", ["", ",", "goal@1", "tag:main2", "oal", "toys"])
def test_patterns_that_match_nothing_are_refused(pattern: str) -> None:
    with pytest.raises(
        UserError,
        match=r"no task matches; (there are 5: toys/|did you mean ).*The tags are .*tag:Main",
    ):
        select_tasks([SUITE, OTHER], pattern)


def test_rows_that_cannot_run() -> None:
    suite = Suite("toys", "toys", (toys.toy_task(fault="missing"), toys.TASKS[1]), 4)
    plan = make_plan(select_tasks([suite], None), SPEC, episodes=None, seed=0)
    assert [each.task.name for each in plan.items] == ["toys/glide"]
    assert plan.not_run == (
        NotRun.of(
            "toys",
            suite.tasks[0],
            Missing("there is no chalk to draw the square", "buy chalk"),
        ),
    )


@pytest.mark.parametrize(
    ("episodes", "seed"), [(0, 0), (-1, 0), (1_000_001, 0), (1, -1), (1, 1001)]
)
def test_numbers_out_of_range_are_refused(episodes: int, seed: int) -> None:
    with pytest.raises(UserError, match="must lie between"):
        make_plan(select_tasks([SUITE], None), SPEC, episodes=episodes, seed=seed)
