"""Several replicas of a served agent: who is asked, and what a dead or slow one costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import ray
import toys
from conftest import Run, plan_of, read_lines

from harness.core import Turn, UserError
from harness.play import ray_replicas
from harness.play.placement import groups_of, placement
from harness.play.replica_choice import ReplicaChoice
from harness.play.worker_output import Notices

Play = Callable[..., Run]


def turns_of(counts: Path) -> Counter[int]:
    """Process -> the turns that it answered."""
    found: Counter[int] = Counter()
    for line in counts.read_text().splitlines():
        process, size = line.split()
        found[int(process)] += int(size)
    return found


def digests(run: Run) -> list[str]:
    return [line["digest"] for line in run.results]


def test_replicas_share_the_work_and_change_no_result(
    play_toys: Play, ray_here: None, tmp_path: Path
) -> None:
    counts = tmp_path / "counts"
    alone = play_toys("GoodAgent", episodes=20, out="alone")
    run = play_toys(
        "toyreplicas:Waiting",
        episodes=20,
        args={"counts": str(counts)},
        workers=2,
        replicas=3,
        lanes=6,
    )
    assert digests(run) == digests(alone)
    answered = turns_of(counts)
    assert len(answered) == 3, "each replica is asked"
    assert min(answered.values()) > 0.1 * sum(answered.values())


def test_environments_are_built_while_the_agent_is(
    play_toys: Play, ray_here: None, tmp_path: Path
) -> None:
    marks = str(tmp_path / "marks")
    tasks = [toys.toy_task(adapter="toyreplicas:Marking", marks=marks)]
    run = play_toys("toyreplicas:Loading", tasks, args={"marks": marks}, workers=1)
    assert {line["status"] for line in run.results} == {"finished"}
    assert not run.notes.said


def test_an_agent_whose_process_ends_while_it_is_built(play_toys: Play, ray_here: None) -> None:
    with pytest.raises(UserError, match="served agent cannot be built: its process ended"):
        play_toys("toyreplicas:DiesBuilt", workers=1)


def test_a_dead_replica_costs_no_case_and_is_replaced(
    play_toys: Play, ray_here: None, tmp_path: Path
) -> None:
    counts = tmp_path / "counts"
    alone = play_toys("GoodAgent", episodes=20, out="alone")
    run = play_toys(
        "toyreplicas:DiesOnce",
        episodes=20,
        args={"counts": str(counts)},
        workers=2,
        replicas=2,
    )
    assert digests(run) == digests(alone)
    assert len(Path(f"{counts}.born").read_text().split()) == 3, "one of two was started again"
    assert "ended unexpectedly and was started again" in " ".join(run.notes.said)
    assert {line["timing"]["attempt"] for line in read_lines(run.path)} == {1}, "none is to blame"


def test_a_turn_that_kills_every_replica_fails_its_own_case(
    play_toys: Play, ray_here: None, tmp_path: Path
) -> None:
    tasks = [toys.toy_task(), toys.toy_task("deadly", marker="deadly")]
    run = play_toys(
        "toyreplicas:DiesOf",
        tasks,
        episodes=1,
        args={"counts": str(tmp_path / "counts")},
        workers=1,
        replicas=2,
    )
    status = {line["task"]: (line["status"], line["error"]) for line in run.results}
    assert status["toys/goal@1"] == ("finished", None)
    assert status["toys/deadly@1"][0] == "error"
    assert "2 replicas of the served agent died while they answered" in status["toys/deadly@1"][1]


@pytest.mark.parametrize(
    ("episodes", "lanes", "replicas"), [(1, 2, 2), pytest.param(6, 9, 3, marks=pytest.mark.heavy)]
)
def test_a_replica_that_hangs_costs_its_own_requests_only(
    play_toys: Play, ray_here: None, tmp_path: Path, episodes: int, lanes: int, replicas: int
) -> None:
    """With more lanes than groups, requests have several turns, of which one is to blame."""
    tasks = [toys.toy_task(), toys.toy_task("deadly", marker="deadly")]
    alone = play_toys(tasks=tasks, episodes=episodes, out="alone")
    run = play_toys(
        "toyreplicas:HangsOf",
        tasks,
        episodes=episodes,
        args={"counts": str(tmp_path / "counts")},
        workers=1,
        replicas=replicas,
        lanes=lanes,
        agent_timeout=1.0,
    )
    good = [line["digest"] for line in alone.results if line["task"] == "toys/goal@1"]
    assert [line["digest"] for line in run.results if line["task"] == "toys/goal@1"] == good
    deadly = [line for line in run.results if line["task"] == "toys/deadly@1"]
    assert {(line["status"], line["error"]) for line in deadly} == {
        ("agent_error", "no answer within 1 s")
    }
    assert {line["timing"]["attempt"] for line in read_lines(run.path)} == {1}, "none is repeated"
    told = " ".join(run.notes.said)
    assert "of the served agent hung and was started again" in told
    assert "will be played again" not in told, "no worker is lost"


@pytest.mark.heavy
def test_a_replica_that_stands_still_is_replaced(
    play_toys: Play, ray_here: None, tmp_path: Path
) -> None:
    """Heavy for its half a minute."""
    alone = play_toys("GoodAgent", episodes=20, out="alone")
    run = play_toys(
        "toyreplicas:Frozen",
        episodes=20,
        args={"counts": str(tmp_path / "counts")},
        workers=2,
        replicas=2,
        agent_timeout=1.0,
    )
    assert digests(run) == digests(alone)
    assert "served agent ended unexpectedly and was started again" in " ".join(run.notes.said)
    assert {line["timing"]["attempt"] for line in read_lines(run.path)} == {1}, "none is to blame"


@pytest.mark.heavy
def test_a_turn_that_freezes_every_replica_fails_its_own_case(
    play_toys: Play, ray_here: None, tmp_path: Path
) -> None:
    """Heavy for its minutes: whose turn it was is found out by playing cases alone."""
    tasks = [toys.toy_task(), toys.toy_task("deadly", marker="deadly")]
    run = play_toys(
        "toyreplicas:FreezesOf",
        tasks,
        episodes=1,
        args={"counts": str(tmp_path / "counts")},
        workers=1,
        replicas=2,
        agent_timeout=1.0,
    )
    status = {line["task"]: (line["status"], line["error"]) for line in run.results}
    assert status["toys/goal@1"] == ("finished", None)
    assert status["toys/deadly@1"] == ("agent_error", "no answer within 1 s")


def test_what_is_slow_is_asked_less() -> None:
    now = [0.0]
    choice = ReplicaChoice(2, clock=lambda: now[0])
    assert [choice.take(), choice.take()] == [0, 1], "each is tried"
    choice.answered(0, took=1.0, waiting=0)
    choice.answered(1, took=0.01, waiting=0)
    asked = []
    for _ in range(50):
        now[0] += 0.02
        number = choice.take()
        asked.append(number)
        choice.answered(number, took=[1.0, 0.01][number], waiting=0)
    assert set(asked) == {1}
    for _ in range(10):
        now[0] += 10.0
        number = choice.take()
        asked.append(number)
        choice.answered(number, took=0.01, waiting=0)
    assert 0 in asked, "what was slow long ago is tried again"


def test_a_first_answer_that_took_long_is_soon_forgotten() -> None:
    now = [0.0]
    choice = ReplicaChoice(2, clock=lambda: now[0])
    assert [choice.take(), choice.take()] == [0, 1]
    choice.answered(0, took=10.0, waiting=0)  # it had to warm up
    choice.answered(1, took=0.1, waiting=0)
    asked = []
    for _ in range(600):
        number = choice.take()
        asked.append(number)
        now[0] += 0.1
        choice.answered(number, took=0.1, waiting=0)
    assert asked[:100].count(0) == 0
    assert asked[-200:].count(0) > 50


def test_one_that_is_silent_is_not_asked_more_and_more() -> None:
    now = [0.0]
    choice = ReplicaChoice(2, clock=lambda: now[0])
    for number in (choice.take(), choice.take()):
        choice.answered(number, took=0.1, waiting=0)
    stuck = 0
    for _ in range(600):
        now[0] += 0.1
        number = choice.take()
        if number == 0:
            stuck += 1  # it never answers
        else:
            choice.answered(1, took=0.1, waiting=0)
    assert stuck <= 2


def test_a_busy_replica_is_passed_over() -> None:
    choice = ReplicaChoice(2, clock=lambda: 1.0)
    for number in (choice.take(), choice.take()):
        choice.answered(number, took=0.1, waiting=0)
    assert choice.take() == 0
    assert choice.take() == 1
    choice.answered(0, took=0.1, waiting=5)
    assert choice.take() == 1, "five others wait at the first"


def test_one_that_is_gone_is_not_asked_until_it_is_replaced() -> None:
    choice = ReplicaChoice(2)
    choice.ends(0)
    assert [choice.take(), choice.take()] == [1, 1]
    choice.ends(1)
    assert not choice.any_alive()
    choice.begins(0)
    assert choice.any_alive()
    assert choice.take() == 0


@pytest.mark.parametrize(
    ("agent", "gpus", "replicas", "share", "expected"),
    [
        ("toyreplicas:Telling", 0.0, 1, 0.0, (1, 0.0)),
        ("toyreplicas:Telling", 0.0, None, 0.0, (1, 0.0)),
        ("toyreplicas:Telling", 0.0, 3, 0.0, (3, 0.0)),
        ("toyreplicas:Half", 4.0, None, 0.0, (8, 0.0)),
        ("toyreplicas:Half", 4.0, None, 0.25, (7, 0.25)),
        ("toyreplicas:Half", 0.5, 1, 0.25, (1, 0.0)),
        ("toys:GoodAgent", 2.0, 1, 0.25, (0, 0.25)),
    ],
)
def test_how_gpus_are_shared_out(
    agent: str, gpus: float, replicas: int | None, share: float, expected: tuple[int, float]
) -> None:
    adapter = "toyreplicas:Drawn" if share else "toys:ToyAdapter"
    args = {} if agent == "toys:GoodAgent" else {"counts": "x"}
    spec, plan = plan_of(agent, [toys.toy_task(adapter=adapter)], 1, **args)
    found = placement(gpus, spec, plan, replicas)
    assert (found.replicas, found.share) == expected


def test_replicas_that_make_no_sense() -> None:
    with pytest.raises(UserError, match="no served agent"):
        placement(0.0, *plan_of("GoodAgent", [toys.toy_task()], 1), 2)
    spec, plan = plan_of("toyreplicas:Half", [toys.toy_task()], 1, counts="x")
    with pytest.raises(UserError, match=r"asks for 1 GPUs for 2 replicas, Ray finds 0\.5"):
        placement(0.5, spec, plan, 2)


def test_replicas_of_an_agent_that_is_not_served_are_refused_before_ray_starts(
    play_toys: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.play.ray_workers.play_on_ray", None)
    with pytest.raises(UserError, match="no served agent"):
        play_toys("GoodAgent", workers=2, replicas=2)


def test_groups_keep_every_replica_busy() -> None:
    assert groups_of(1, 2, 2) == 2
    assert groups_of(4, 2, 2) == 4
    assert groups_of(8, 1, 2) == 16
    assert groups_of(8, 1, 1) == 1, "where latency is measured, lanes do not wait for one another"


def test_a_machine_that_lacks_a_family_is_not_given_its_cases(
    play_toys: Play, ray_here: None, tmp_path: Path
) -> None:
    lacks = str(tmp_path / "lacks")
    tasks = [toys.toy_task(), toys.toy_task("boxed", adapter="toyreplicas:MissingInOne")]
    alone = play_toys(tasks=tasks, out="alone")
    tasks[1] = toys.toy_task("boxed", adapter="toyreplicas:MissingInOne", lacks=lacks)
    address = ray.get_runtime_context().gcs_address
    run = play_toys(tasks=tasks, workers=2, ray_address=address)
    assert [line["success"] for line in run.results] == [line["success"] for line in alone.results]
    assert not run.summary.not_run
    assert "does not play toys/boxed@1: there is no toy box here" in " ".join(run.notes.said)
    # Where nobody has it, it is a row.
    run = play_toys(tasks=tasks, workers=1, ray_address=address, out="one")
    Path(lacks).unlink()
    run = play_toys(tasks=tasks, workers=1, ray_address=address, out="none")
    assert [(row.task, row.remedy) for row in run.summary.not_run] == [("toys/boxed@1", "buy one")]


def test_a_client_of_which_every_replica_is_gone(
    ray_here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_replicas, "RELAUNCH_S", 0.01)
    client = ray_replicas.ServedAgent([object()], 1.0, Notices())
    client._choice.ends(0)
    lost = [client.submit([Turn.of({"episode": "e"})]) for _ in range(2)]
    assert client.first(lost, wait=True) == [True, True]
    assert not client.watch.overdue()
    ((fault,), _) = client.collect(lost[0])
    assert (fault.status, fault.failed_in) == ("error", "")
    assert client.ended(client.end("e"), wait=False) is True, "nobody is left to be told"
