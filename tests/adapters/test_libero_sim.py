"""LIBERO itself, in the interpreter of `bench doctor --fix libero`: `make test-heavy` runs it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openpi_client import image_tools
from policyservers import stock_server
from simulatorcases import make_case, step_digests

from harness.core import Adapter, Case, Task
from harness.host.hosted import end_probes
from harness.host.interpreters import VARIABLE, _from_file, interpreter_of
from harness.host.loading import load_adapter
from harness.policies.profiles import load_profile
from harness.testing import check_adapter
from suites.libero import SUITES
from suites.libero_pro import SUITES as PRO

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).parents[2]
ENTRY = "adapters.libero:LiberoAdapter"
TASKS = {task.name: task for suite in (*SUITES, *PRO) for task in suite.tasks}
TASK = TASKS["libero-goal/put_the_bowl_on_the_plate"]
DRAWER = TASKS["libero-goal/open_the_top_drawer_and_put_the_bowl_inside"]
STOVE = TASKS["libero-goal/turn_on_the_stove"]
SWAPPED = TASKS["libero-pro-goal-position/turn_on_the_stove"]
SIZE = 128

BARE = """
import json, os, sys
os.environ["MUJOCO_GL"] = "egl"
import numpy as np
from libero.libero import benchmark, get_libero_path
from libero.libero.envs import OffScreenRenderEnv
suite, name, index, size, actions, out = json.loads(sys.stdin.read())
world = benchmark.get_benchmark(suite)()
number = world.get_task_names().index(name)
task = world.get_task(number)
file = os.path.join(get_libero_path("bddl_files"), task.problem_folder, task.bddl_file)
env = OffScreenRenderEnv(bddl_file_name=file, camera_heights=size, camera_widths=size)
# What loading a model leaves behind would give a second load more random numbers.
env.env.object_property_initializers = []
np.random.seed(index)
env.reset()
seen = env.set_init_state(world.get_task_init_states(number)[index])
frames = []
def note():
    frames.append({
        "image": seen["agentview_image"], "wrist": seen["robot0_eye_in_hand_image"],
        "joints": seen["robot0_joint_pos"], "place": seen["robot0_eef_pos"],
        "turn": seen["robot0_eef_quat"], "fingers": seen["robot0_gripper_qpos"],
        "state": env.get_sim_state(), "solved": env.check_success(),
    })
for _ in range(10):
    seen, *_ = env.step([0.0] * 6 + [-1.0])
note()
for action in actions:
    seen, *_ = env.step(action)
    note()
np.savez(out, words=task.language, **{k: np.array([f[k] for f in frames]) for k in frames[0]})
"""
"""Plays the bare package as openpi's client does, and stores what it saw."""


@pytest.fixture(scope="module")
def there() -> Iterator[str]:
    """Make LIBERO available from whichever interpreter has it, whose path this is, or skip."""
    with pytest.MonkeyPatch.context() as patch:
        python = _from_file(ROOT / "bench.toml").get("libero") or str(
            ROOT / ".bench/interpreters/libero/bin/python"
        )
        patch.setenv(VARIABLE, json.dumps({"libero": python}))
        missing = load_adapter(ENTRY).missing()
        end_probes()
        if missing is not None:
            pytest.skip(f"{missing.reason}: {missing.remedy}")
        yield interpreter_of(ENTRY) or python


def small(task: Task) -> Task:
    """The task with small pictures."""
    return dataclasses.replace(
        task, id=f"{task.name}-small@1", params={**task.params, "size": SIZE}
    )


@pytest.fixture(scope="module")
def adapter(there: str) -> Iterator[Adapter]:
    adapter = load_adapter(ENTRY)(small(TASK))
    yield adapter
    adapter.close()


def play_bare(there: str, folder: Path, task: Task, index: int, actions: np.ndarray) -> Any:
    file = folder / "seen.npz"
    params = task.params
    subprocess.run(
        [there, "-I", "-c", BARE],
        input=json.dumps(
            [params["suite"], params["name"], index, SIZE, actions.tolist(), str(file)]
        ),
        capture_output=True,
        text=True,
        timeout=500,
        check=True,
    )
    return np.load(file)


def view(step: Any, name: str) -> np.ndarray:
    value: Any = step.observation[name]
    return np.asarray(value() if callable(value) else value)


@pytest.mark.timeout(1200)
def test_contract(there: str) -> None:
    check_adapter(small(DRAWER), steps=12)


@pytest.mark.parametrize(
    "task", [TASK, DRAWER, TASKS["libero-pro-goal-position/turn_on_the_stove"]]
)
@pytest.mark.timeout(1200)
def test_it_plays_as_the_bare_package(there: str, tmp_path: Path, task: Task) -> None:
    """States, pictures, proprioception and success at every step, from a kept and a new model."""
    index = 7
    actions = np.random.default_rng(1).uniform(-1, 1, (12, 7)).astype(np.float32)
    expected = play_bare(there, tmp_path, task, index, actions)
    played = small(task)
    adapter = load_adapter(ENTRY)(played)
    try:
        for seed in (3, index + 50):
            step = adapter.reset(Case(played, seed))
            view(step, "image")
            adapter.step(np.ones(7, np.float32))
        step = adapter.reset(Case(played, index))
        assert step.instruction == str(expected["words"])
        for number in range(len(actions) + 1):
            if number:
                step = adapter.step(actions[number - 1])
            assert (np.frombuffer(adapter.state()) == expected["state"][number]).all()
            parts = [expected[key][number] for key in ("joints", "place", "turn", "fingers")]
            assert (view(step, "proprio") == np.concatenate(parts).astype(np.float32)).all()
            for ours, theirs in (("image", "image"), ("image_wrist", "wrist")):
                assert (view(step, ours)[::-1] == expected[theirs][number]).all(), (ours, number)
            assert step.success == expected["solved"][number]
    finally:
        adapter.close()


def test_an_episode_does_not_depend_on_those_before_it(there: str) -> None:
    """The package's drawer draws more random numbers at each load of its model."""
    task = small(DRAWER)
    adapter = load_adapter(ENTRY)(task)
    try:
        first = step_digests(adapter, Case(task, 2), "image", 4)
        for seed in (0, 1, 2):
            again = step_digests(adapter, Case(task, seed), "image", 4)
        assert again == first
    finally:
        adapter.close()


def test_the_first_picture_changes_nothing(there: str) -> None:
    """Making robosuite's OpenGL context solves for the contacts once more, which must not count."""
    name = "KITCHEN_SCENE6_put_the_yellow_and_white_mug_in_the_microwave_and_close_it"
    task = small(TASKS[f"libero-10/{name}"])
    blind, looking = (load_adapter(ENTRY)(task) for _ in range(2))
    try:
        for adapter, view_name in ((blind, "proprio"), (looking, "image")):
            adapter.reset(Case(task, 9))
            states = []
            for number in range(8):
                seen = adapter.step(np.full(7, (-1.0) ** number, np.float32))
                view(seen, view_name)
                states.append(adapter.state())
            if adapter is blind:
                expected = states
        assert states == expected
    finally:
        blind.close()
        looking.close()


def test_lanes_draw_in_contexts_of_their_own(there: str, adapter: Adapter) -> None:
    """robosuite draws with whichever context is current."""
    task = small(STOVE)
    alone = view(adapter.reset(Case(small(TASK), 0)), "image")
    other = load_adapter(ENTRY)(task)
    try:
        both = adapter.reset(Case(small(TASK), 0)), other.reset(Case(task, 0))
        assert view(both[1], "image").std() > 10
        assert (view(both[0], "image") == alone).all()
    finally:
        other.close()


@pytest.mark.parametrize(
    ("name", "view_name"),
    [("friction", "proprio"), ("mass", "proprio"), ("light", "image"), ("texture", "image"),
     ("camera", "image"), ("start", "proprio"), ("initial_state", "image"),
     ("background", "image")],
)  # fmt: skip
def test_perturbations_take_effect_and_the_next_episode_is_clean(
    adapter: Adapter, name: str, view_name: str
) -> None:
    task = small(TASK)
    worst = 1 if name == "background" else 5
    clean = step_digests(adapter, make_case(task), view_name, 3)
    changed = step_digests(adapter, make_case(task, name, worst), view_name, 3)
    if name not in ("friction", "mass"):  # nothing is touched in three steps
        assert changed != clean
    assert step_digests(adapter, make_case(task), view_name, 3) == clean
    assert step_digests(adapter, make_case(task, name, worst), view_name, 3) == changed


@pytest.mark.timeout(900)
def test_openpis_profile_sends_what_its_own_client_sends(
    there: str, tmp_path: Path, bench_here: Callable[..., Any]
) -> None:
    """Keys, pictures turned by 180 degrees, padded and resized, the state, the words, and five
    actions of each answer."""
    steps, chunk = 12, 10
    actions = np.random.default_rng(5).uniform(-1, 1, (30, 7)).astype(np.float32)
    asked: list[dict[str, Any]] = []

    def policy(observation: dict[str, Any]) -> dict[str, Any]:
        asked.append(observation)
        start = 10 * (len(asked) - 1)
        return {"actions": actions[start : start + chunk]}

    executed = np.concatenate([actions[0:5], actions[10:15], actions[20:22]])
    expected = play_bare(there, tmp_path, TASK, 4, executed)
    params = {**TASK.params, "size": SIZE}
    table = ", ".join(f"{key} = {json.dumps(value)}" for key, value in params.items())
    Path("short.toml").write_text(
        f'name = "short"\ntitle = "short"\nepisodes = 1\n[[task]]\nid = "short/bowl@1"\n'
        f'domain = "manipulation"\nadapter = "{ENTRY}"\nmax_steps = {steps}\nsuccess = "ever"\n'
        f'rule = "short"\nscore = "success"\nfirst_seed = 4\ncontrol_hz = 20.0\n'
        f"params = {{ {table} }}\n"
    )
    with stock_server(policy) as url:
        code, out, err = bench_here(
            "run", "--agent", f"openpi:{url}", "--agent-arg", "profile=openpi-libero", "--suite",
            "short.toml", "--workers", 0, "--out", "runs/a",
        )  # fmt: skip
    assert code == 0, err + out
    assert len(asked) == 3, "five actions of each answer are executed"
    for number, observation in zip((0, 5, 10), asked):
        assert set(observation) == {
            "observation/image", "observation/wrist_image", "observation/state", "prompt",
        }  # fmt: skip
        assert observation["prompt"] == str(expected["words"]) == "put the bowl on the plate"
        for key, raw in (("image", "image"), ("wrist_image", "wrist")):
            turned = np.ascontiguousarray(expected[raw][number][::-1, ::-1])
            theirs = image_tools.convert_to_uint8(image_tools.resize_with_pad(turned, 224, 224))
            ours = observation[f"observation/{key}"]
            assert ours.shape == (224, 224, 3)
            assert ours.dtype == np.uint8
            assert (ours == theirs).all(), (key, number)
        state = [
            expected["place"][number],
            axis_angle(expected["turn"][number]),
            expected["fingers"][number],
        ]
        told = observation["observation/state"]
        assert told.shape == (8,)
        assert np.allclose(told, np.concatenate(state), atol=1e-6)
    line = json.loads(Path("runs/a/episodes.jsonl").read_text())
    assert line["steps"] == steps


def axis_angle(quaternion: np.ndarray) -> np.ndarray:
    """The rotation as robosuite's quat2axisangle writes it; `quaternion` is x, y, z, w."""
    angle = 2.0 * np.arccos(np.clip(quaternion[3], -1.0, 1.0))
    return quaternion[:3] / np.sqrt(1.0 - quaternion[3] ** 2) * angle


def test_profiles_fit(adapter: Adapter) -> None:
    for name in ("openpi-libero", "lerobot-libero"):
        profile = load_profile(name)
        assert profile.missing(adapter.brief) is None, name


def test_a_run_is_replayed_as_recorded(there: str, bench_here: Callable[..., Any]) -> None:
    tasks = "put_the_bowl_on_the_plate"
    out = ("--tasks", tasks, "--episodes", 1, "--workers", 0, "--out", "runs/b")
    code, _, err = bench_here("run", "--agent", "uniform", "--suite", "libero-goal", *out)
    assert code == 0, err
    code, said, err = bench_here("verify", "runs/b")
    assert code == 0, err + said


@pytest.mark.timeout(1200)
def test_resampled_starts_come_from_the_regions_of_the_list(there: str) -> None:
    """On a task in which a bowl stands between two things: one draw in two puts it into them."""
    name = "pick_up_the_black_bowl_between_the_plate_and_the_ramekin_and_place_it_on_the_plate"
    prescribed, resampled = (TASKS[f"libero-spatial{end}/{name}"] for end in ("", "-resampled"))

    def starts(task: Task, seeds: range) -> np.ndarray:
        adapter = load_adapter(ENTRY)(small(task))
        try:
            return np.array(
                [view(adapter.reset(Case(small(task), seed)), "state") for seed in seeds]
            )
        finally:
            adapter.close()

    listed, drawn = starts(prescribed, range(12)), starts(resampled, range(5))
    assert (starts(resampled, range(1)) == drawn[:1]).all()
    positions = slice(1, 1 + (listed.shape[1] - 1) // 2)  # time, positions, fewer velocities
    low, high = listed[:, positions].min(0), listed[:, positions].max(0)
    assert (drawn[:, positions] > low - 0.05).all()
    assert (drawn[:, positions] < high + 0.05).all()
    assert np.abs(drawn[:, None] - listed[None]).max(2).min() > 1e-3, "none is on the list"
