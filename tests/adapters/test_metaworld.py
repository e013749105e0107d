"""Meta-World against the real simulator."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import Run

from adapters.metaworld import CAMERAS, METRICS, UPSIDE_DOWN, MetaWorldAdapter, _configurations
from harness.core import BadAction, Case, Task, TimeStep, UserError
from harness.testing import check_adapter
from suites.metaworld import SUITES

metaworld = pytest.importorskip("metaworld")

ROOT = Path(__file__).parents[2]
TASKS = {task.params["name"]: task for task in SUITES[0].tasks}
UP = np.array([0, 0, 1, 0], np.float32)


@pytest.fixture(scope="module")
def reach() -> Iterator[MetaWorldAdapter]:
    adapter = MetaWorldAdapter(TASKS["reach-v3"])
    yield adapter
    adapter.close()


def view(timestep: TimeStep, name: str) -> np.ndarray:
    return timestep.observation[name]()


def with_params(task: Task, **params: object) -> Task:
    return dataclasses.replace(task, params={**task.params, **params})


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
    )


def test_the_suite_has_the_packages_tasks_and_splits() -> None:
    assert set(TASKS) == set(metaworld.ALL_V3_ENVIRONMENTS)
    for tag, names in {
        "mt10": metaworld._env_dict.MT10_V3,
        "gea": metaworld._env_dict.ML45_V3["train"],
    }.items():
        assert {name for name, task in TASKS.items() if tag in task.tags} == set(names), tag
    assert all("mt50" in task.tags and task.params["instruction"] for task in TASKS.values())
    assert len({task.params["instruction"] for task in TASKS.values()}) == 50


def test_the_protocol_is_that_of_the_package(reach: MetaWorldAdapter) -> None:
    task = TASKS["reach-v3"]
    assert task.max_steps == reach._env.max_path_length
    assert reach.brief.control_hz == task.control_hz == 80.0
    assert SUITES[0].episodes == 50


@pytest.mark.parametrize(
    ("name", "another_process"), [("peg-insert-side-v3", True), ("window-close-v3", False)]
)
def test_contract(name: str, another_process: bool) -> None:
    check_adapter(
        TASKS[name], steps=16, views=("state", "proprio", "image"), another_process=another_process
    )


def test_seeds_play_each_configuration_of_a_block_once(reach: MetaWorldAdapter) -> None:
    goals = [
        tuple(view(reach.reset(Case(TASKS["reach-v3"], seed)), "state")[-3:]) for seed in range(51)
    ]
    assert len(set(goals)) == 51
    for seed, block, number in [(0, 42, 0), (49, 42, 49), (50, 43, 0)]:
        env = metaworld.ALL_V3_ENVIRONMENTS["reach-v3"]()
        env.set_task(metaworld.MT1("reach-v3", seed=block).train_tasks[number])
        assert goals[seed] == tuple(env.reset()[0][-3:].astype(np.float32))
        env.close()


def test_resampled_starts_are_none_of_the_list(reach: MetaWorldAdapter) -> None:
    (task,) = (each for each in SUITES[1].tasks if each.params["name"] == "reach-v3")
    adapter = MetaWorldAdapter(task)
    drawn = [tuple(view(adapter.reset(Case(task, seed)), "state")[-3:]) for seed in (0, 1, 0)]
    listed = {
        tuple(view(reach.reset(Case(TASKS["reach-v3"], seed)), "state")[-3:]) for seed in range(50)
    }
    assert drawn[0] == drawn[2] != drawn[1]
    assert not listed & set(drawn)
    low, high = (np.array([getattr(np, how)(list(listed), 0)]) for how in ("min", "max"))
    assert (np.abs(np.array(drawn) - (low + high) / 2) <= (high - low) / 2 + 0.05).all()
    adapter.close()
    with pytest.raises(UserError, match="the param starts is 'resampled' or absent, got 'some'"):
        MetaWorldAdapter(with_params(TASKS["reach-v3"], starts="some"))


def test_configurations_are_those_of_the_package() -> None:
    for name in list(TASKS)[::5]:
        assert [task.data for task in _configurations(name, 42)] == [
            task.data for task in metaworld.MT1(name, seed=42).train_tasks
        ], name


def test_a_reused_environment_plays_as_the_bare_package() -> None:
    name = "push-v3"
    env = metaworld.ALL_V3_ENVIRONMENTS[name]()
    env.set_task(metaworld.MT1(name, seed=42).train_tasks[3])
    adapter = MetaWorldAdapter(TASKS[name])
    adapter.reset(Case(TASKS[name], 8))
    for action in np.random.default_rng(0).uniform(-1, 1, (20, 4)).astype(np.float32):
        adapter.step(action)
    timestep = adapter.reset(Case(TASKS[name], 3))
    observed, _ = env.reset()
    for action in np.random.default_rng(1).uniform(-1, 1, (60, 4)).astype(np.float32):
        assert np.array_equal(view(timestep, "state"), observed.astype(np.float32))
        assert np.array_equal(view(timestep, "proprio"), observed[:4].astype(np.float32))
        observed, reward, _, _, info = env.step(action)
        timestep = adapter.step(action)
        assert timestep.reward == reward
        told = {key: timestep.metrics[key] for key in METRICS}
        assert told == {key: float(info[key]) for key in METRICS}
    adapter.close()
    env.close()


@pytest.mark.parametrize(
    "name", ["reach-v3", "button-press-topdown-v3", "assembly-v3", "peg-insert-side-v3"]
)
def test_the_expert_solves(name: str) -> None:
    adapter = MetaWorldAdapter(TASKS[name])
    timestep, executed = adapter.reset(Case(TASKS[name], 0)), None
    assert timestep.success is False
    for _ in range(200):
        executed = adapter.brief.action.validate(
            adapter.expert(executed)
        )  # raises when it is out of bounds
        timestep = adapter.step(executed)
        if timestep.success:
            break
    assert timestep.success is True
    assert not timestep.terminated
    adapter.close()


def test_the_simulator_truncates_at_the_horizon(reach: MetaWorldAdapter) -> None:
    reach.reset(Case(TASKS["reach-v3"], 0))
    ends = [reach.step(-UP).truncated for _ in range(500)]
    assert ends == [False] * 499 + [True]


@pytest.mark.parametrize(
    "action",
    [
        None,
        "up",
        np.zeros(3),
        np.zeros((1, 4)),
        np.full(4, np.nan),
        np.full(4, 1.5, np.float32),
        [2, 0, 0, 0],
    ],
)
def test_bad_actions_are_refused_and_change_nothing(
    reach: MetaWorldAdapter, action: object
) -> None:
    reach.reset(Case(TASKS["reach-v3"], 0))
    before = reach.state()
    with pytest.raises(BadAction):
        reach.step(action)
    assert reach.state() == before


def test_numbers_of_any_type_are_accepted(reach: MetaWorldAdapter) -> None:
    states = set()
    for action in (UP, UP.astype(np.float64), UP.tolist(), UP.astype(int)):
        reach.reset(Case(TASKS["reach-v3"], 0))
        reach.step(action)
        states.add(reach.state())
    assert len(states) == 1


def test_images_are_upright(reach: MetaWorldAdapter) -> None:
    timestep = reach.reset(Case(TASKS["reach-v3"], 0))
    views = [name for name in reach.brief.observation if name.startswith("image")]
    assert len(views) == len(CAMERAS)
    before = {name: view(timestep, name) for name in views}
    for _ in range(30):
        timestep = reach.step(UP)
    after = {name: view(timestep, name) for name in views}
    for name in views:
        assert before[name].std() > 20, f"{name} shows nothing"
        assert reach.brief.observation[name].problem(before[name]) is None
    for name in (
        "image",
        "image_corner",
        "image_corner2",
        "image_corner3",
    ):  # the cyan finger rises with the hand
        assert finger_row(after[name]) < finger_row(before[name]) - 3, name
    hanging = {
        camera
        for camera in CAMERAS
        if reach._env.data.camera(camera).xmat.reshape(3, 3)[2, 1] < -0.1
    }
    assert hanging == UPSIDE_DOWN


def finger_row(image: np.ndarray) -> float:
    red, green, blue = np.moveaxis(image.astype(int), 2, 0)
    rows = np.nonzero((green > red + 60) & (blue > red + 60))[0]
    assert rows.size > 5
    return float(rows.mean())


def test_rendering_changes_nothing(reach: MetaWorldAdapter) -> None:
    def play(draw: bool) -> list[tuple[bytes, float]]:
        timestep, seen = reach.reset(Case(TASKS["reach-v3"], 5)), []
        for action in np.random.default_rng(0).uniform(-1, 1, (12, 4)).astype(np.float32):
            if draw:
                view(timestep, "image")
                assert reach.render().shape == (480, 480, 3)
            timestep = reach.step(action)
            seen.append((reach.state(), timestep.reward))
        return seen

    assert play(True) == play(False)


def test_closing_one_adapter_does_not_break_anothers_images() -> None:
    first, second = MetaWorldAdapter(TASKS["door-open-v3"]), MetaWorldAdapter(TASKS["door-open-v3"])
    images = [
        view(adapter.reset(Case(TASKS["door-open-v3"], 0)), "image") for adapter in (first, second)
    ]
    assert np.array_equal(*images)
    first.close()
    assert np.array_equal(view(second.reset(Case(TASKS["door-open-v3"], 0)), "image"), images[1])
    second.close()


def test_size_camera_and_quality_of_images_are_parameters() -> None:
    params = ({}, {"shadows": True}, {"multisampling": 4}, {"camera": "corner2"})
    images = []
    for change in params:
        task = with_params(TASKS["drawer-open-v3"], size=64, **change)
        adapter = MetaWorldAdapter(task)
        images.append(view(adapter.reset(Case(task, 0)), "image"))
        adapter.close()
    assert {image.shape for image in images} == {(64, 64, 3)}
    for one, other in itertools.combinations(images, 2):
        assert not np.array_equal(one, other)


def test_nothing_is_rendered_unless_read_and_nothing_is_printed() -> None:
    done = run_python(
        "import sys\n"
        "from adapters.metaworld import MetaWorldAdapter\n"
        "from harness.core import Case\n"
        "from suites.metaworld import SUITES\n"
        "task = SUITES[0].tasks[0]\n"
        "assert MetaWorldAdapter.missing(task) is None\n"
        "assert MetaWorldAdapter.env_key(task) and MetaWorldAdapter.has_expert(task)\n"
        "early = {'metaworld', 'mujoco', 'gymnasium'} & set(sys.modules)\n"
        "assert not early, early\n"
        "adapter = MetaWorldAdapter(task)\n"
        "timestep = adapter.reset(Case(task, 0))\n"
        "timestep = adapter.step(adapter.expert(None))\n"
        "timestep.observation['state'](), timestep.observation['proprio'](), adapter.state()\n"
        "assert not adapter._canvases, 'an OpenGL context was made before anything was drawn'\n"
        "assert timestep.observation['image']().std() > 0\n"  # the process ends without close()
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_mujocos_warnings_are_logged(tmp_path, monkeypatch, capfd, caplog) -> None:
    monkeypatch.chdir(tmp_path)
    adapter = MetaWorldAdapter(TASKS["reach-v3"])
    adapter.reset(Case(TASKS["reach-v3"], 0))
    adapter._env.data.qpos[0] = np.nan
    adapter.step(UP)
    adapter.close()
    assert "MuJoCo: Nan" in caplog.text
    assert capfd.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("params", [{"name": "juggle-v3"}, {"camera": "corner5"}])
def test_a_wrong_param_is_named(params: dict[str, str]) -> None:
    with pytest.raises(
        UserError, match=f"Meta-World has no {'task' if 'name' in params else 'camera'} '"
    ):
        MetaWorldAdapter(with_params(TASKS["reach-v3"], **params))


def test_a_horizon_beyond_the_packages_own_is_refused() -> None:
    with pytest.raises(UserError, match="max_steps = 800 is beyond that"):
        MetaWorldAdapter(dataclasses.replace(TASKS["reach-v3"], max_steps=800))


def test_a_users_task_without_a_param_says_what_to_do(play_toys: Callable[..., Run]) -> None:
    """As a TOML file of one's own may have it."""
    task = Task(
        "mine/reach@1",
        "manipulation",
        "adapters.metaworld:MetaWorldAdapter",
        {"name": "reach-v3"},
        max_steps=5,
        success="ever",
    )
    (row,) = play_toys("baselines.simple:Noop", [task], 1, workers=0).summary.not_run
    assert "construction: KeyError: 'instruction'" in row.reason
    assert "give the task's params all that its docstring lists" in row.remedy
