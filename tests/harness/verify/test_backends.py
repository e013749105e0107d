"""A backend plays a run only where it is equal, and says by name and step where it is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import backendtoys
import numpy as np
import pytest
import toys
from conftest import Notes, Said

import bench
from harness.cli.names import suites_named
from harness.core import Case, UserError
from harness.play.planning import make_plan
from harness.records.identity import AgentSpec
from harness.records.plan import Plan
from harness.verify.backends import compare_all, compare_backend
from harness.verify.invariance import check_invariance

SPEC = AgentSpec("toys:GoodAgent", "toys:GoodAgent", {})
CHOSEN = [(backendtoys.SUITE, task) for task in backendtoys.SUITE.tasks]


def compared(backend: str, episodes: int = 2) -> Any:
    return compare_all(
        backendtoys.SUITE.tasks, backend, episodes=episodes, seed=0, progress=Notes()
    )


def test_what_is_equal_is_equal_in_every_view_and_step() -> None:
    for backend in ("same", "lanes"):
        found = compared(backend)
        assert found.equal
        assert [row.views for row in found.rows] == [("state", "image")] * 2
        assert all(row.episodes == 4 and row.steps > 4 for row in found.rows)  # expert and uniform
        assert f"bench run --backend {backend} plays them" in found.as_text()


@pytest.mark.parametrize(
    ("backend", "step", "what"),
    [("late", 3, "the reward"), ("broken", 2, "it fails:"), ("elsewhere", 0, "the state")],
)
def test_the_first_thing_that_differs_is_named(backend: str, step: int, what: str) -> None:
    (first, *_) = compared(backend).rows
    difference = first.differences[0]
    assert (difference.step, difference.what) == (step, what)
    assert not first.equal


def test_an_episode_that_ends_before_the_difference_does_not_count_as_one() -> None:
    row = compare_backend(
        backendtoys.task(), "late", [Case(backendtoys.task(), 0)], reads=None, most=2
    )
    assert row.equal
    assert row.steps == 4


def test_a_view_that_the_backend_lacks_is_told_and_refused_to_who_reads_it(
    tmp_path: Path,
) -> None:
    found = compared("plain")
    assert found.equal
    assert "plain does not offer image" in found.as_text()
    bench.evaluate(
        toys.GoodAgent, backendtoys.SUITE, backend="plain", workers=0, out=tmp_path / "s"
    )
    with pytest.raises(UserError, match="does not offer image, which the agent reads"):
        bench.evaluate(toys.ImageAgent, backendtoys.SUITE, backend="plain", workers=0)


def test_a_run_on_an_equal_backend_has_the_results_of_the_ordinary_simulator(
    bench_here: Callable[..., Said],
) -> None:
    words = ["run", "--agent", "toys:GoodAgent", "--suite", "backendtoys:SUITE", "--workers", 0]
    assert bench_here(*words, "--out", "plain").code == 0
    lanes = bench_here(*words, "--backend", "lanes", "--lanes", 3, "--out", "fast")
    assert lanes.code == 0, lanes.err
    assert "equal in all of" in lanes.err
    one, two = ({r.case: r for r in bench.load_run(name).results()} for name in ("plain", "fast"))
    assert one.keys() == two.keys()
    for case, result in one.items():
        assert (result.digest, result.start, result.score) == (
            two[case].digest, two[case].start, two[case].score,
        )  # fmt: skip
        assert result.protocol != two[case].protocol
    # It is replayed on the ordinary simulator.
    assert bench_here("verify", "fast", "--sample", "all", "--trust").code == 0
    # Another backend, or none, is another run.
    for other in ((), ("--backend", "same")):
        refused = bench_here(*words, *other, "--out", "fast")
        assert refused.code == 2
        assert "instead of lanes" in refused.err
    again = bench_here(*words, "--backend", "lanes", "--out", "fast")
    assert again.code == 0
    assert "nothing is played" in again.err
    different = bench_here("compare", "plain", "fast")
    assert different.code == 2
    assert "backend lanes instead of None" in different.err


def test_results_on_a_backend_do_not_depend_on_how_it_is_played() -> None:
    found = check_invariance(
        SPEC, CHOSEN, sample=4, workers=0, seed=0, progress=Notes(), backend="lanes"
    )
    assert not found.drifts


def test_what_differs_is_refused_by_name_before_anything_plays(
    bench_here: Callable[..., Said],
) -> None:
    words = ["run", "--agent", "toys:GoodAgent", "--suite", "backendtoys:SUITE", "--workers", 0]
    refused = bench_here(*words, "--backend", "late", "--out", "never")
    assert refused.code == 2
    assert "the backend late is not equal" in refused.err
    assert "step 3: the reward" in refused.err
    assert not Path("never").exists()
    told = bench_here("verify", "--backend", "late", "--suite", "backendtoys:SUITE")
    assert told.code == 1
    assert "100%" in told.out
    assert "refuses them" in told.err


def test_a_task_without_that_backend_is_refused_with_those_there_are() -> None:
    with pytest.raises(UserError, match="no backend 'fast': there is same, lanes"):
        make_plan(CHOSEN, SPEC, episodes=1, seed=0, backend="fast")
    with pytest.raises(UserError, match="leave --backend out"):
        make_plan(
            [(backendtoys.WITHOUT, backendtoys.WITHOUT.tasks[0])],
            SPEC,
            episodes=1,
            seed=0,
            backend="lean",
        )


def test_only_a_plan_with_a_backend_has_another_hash() -> None:
    plans = [make_plan(CHOSEN, SPEC, episodes=1, seed=0, backend=each) for each in ("", "same")]
    assert "backend" not in plans[0].to_json()
    assert plans[0].hash != plans[1].hash
    assert plans[1].items[0].packages["backend"] == "same"
    assert Plan.from_json(plans[1].to_json()) == plans[1]


def test_lean_is_equal_to_meta_world() -> None:
    """One task with contacts and a quaternion. tests/performance/backends.py plays all fifty."""
    (task,) = (each for each in suites_named("metaworld")[0].tasks if "/push-v3@" in each.id)
    row = compare_backend(task, "lean", [Case(task, 3)], reads=("state", "proprio"), most=60)
    assert row.differences == ()
    assert row.steps == 120


def test_the_quaternion_of_a_rotation_is_scipys_to_the_last_bit() -> None:
    import mujoco
    from scipy.spatial.transform import Rotation

    from adapters.metaworld_lean import _Rotation

    rng = np.random.default_rng(0)
    for number in range(400):
        quaternion = rng.normal(size=4)
        if number % 3 == 0:
            quaternion[rng.integers(4, size=2)] *= 1e-9
        matrix = np.zeros(9)
        mujoco.mju_quat2Mat(matrix, quaternion / np.linalg.norm(quaternion))
        ours = _Rotation.from_matrix(matrix.reshape(3, 3)).as_quat()
        assert ours.tobytes() == Rotation.from_matrix(matrix.reshape(3, 3)).as_quat().tobytes()
