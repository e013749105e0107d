"""ManiSkill against the real simulator, on the CPU."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from adapters.maniskill import ManiSkillAdapter, expert, needs
from harness.core import Case, Task, TimeStep, UserError
from harness.testing import check_adapter
from suites.maniskill import PLANNED, SUITES, task_of

pytest.importorskip("mani_skill")
if (lack := ManiSkillAdapter.missing()) is not None:
    pytest.skip(lack.reason, allow_module_level=True)

ROOT = Path(__file__).parents[2]
TASKS = {task.name: task for suite in SUITES for task in suite.tasks}
PICK = TASKS["maniskill-planner/PickCube"]
NUMBERS = ["state", "proprio"]

DOWNLOADS = {
    "AnymalC-Reach-v1", "AnymalC-Spin-v1", "ArchitecTHOR_SceneManipulation-v1",
    "AssemblingKits-v1", "InsertFlower-v1", "OpenCabinetDoor-v1", "OpenCabinetDrawer-v1",
    "PickClutterYCB-v1", "PickCubeWidowXAI-v1", "PickSingleYCB-v1",
    "PutCarrotOnPlateInScene-v1", "PutEggplantInBasketScene-v1",
    "PutSpoonOnTableClothInScene-v1", "ReplicaCADPrepareGroceriesTrain_SceneManipulation-v1",
    "ReplicaCADPrepareGroceriesVal_SceneManipulation-v1",
    "ReplicaCADSetTableTrain_SceneManipulation-v1",
    "ReplicaCADSetTableVal_SceneManipulation-v1",
    "ReplicaCADTidyHouseTrain_SceneManipulation-v1",
    "ReplicaCADTidyHouseVal_SceneManipulation-v1", "ReplicaCAD_SceneManipulation-v1",
    "RoboCasaKitchen-v1", "RotateSingleObjectInHandLevel2-v1",
    "RotateSingleObjectInHandLevel3-v1", "SceneManipulation-v1",
    "StackGreenCubeOnYellowCubeBakedTexInScene-v1", "TurnFaucet-v1", "UnitreeGo2-Reach-v1",
    "UnitreeH1Stand-v1",
}  # fmt: skip
NOTHING_ASKED = {"Empty-v1", "TableTopFreeDraw-v1"}
FURTHER_PACKAGE = {"DrawSVG-v1"}


@pytest.fixture(scope="module")
def pick() -> Iterator[ManiSkillAdapter]:
    adapter = ManiSkillAdapter(PICK)
    yield adapter
    adapter.close()


def view(timestep: TimeStep, name: str) -> np.ndarray:
    return timestep.observation[name]()


def with_params(task: Task, **params: object) -> Task:
    return dataclasses.replace(task, params={**task.params, **params})


def experts() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("expert ")]


def test_the_suites_have_every_task_that_needs_no_download() -> None:
    import mani_skill.envs  # noqa: F401 - registers the tasks
    from mani_skill.utils.registration import REGISTERED_ENVS

    shipped = {task.params["id"] for task in TASKS.values()}
    assert shipped == set(REGISTERED_ENVS) - DOWNLOADS - NOTHING_ASKED - FURTHER_PACKAGE
    for task in TASKS.values():
        steps = REGISTERED_ENVS[task.params["id"]].max_episode_steps
        assert task.max_steps == (
            min(4 * steps, 400) if task.id.startswith("maniskill-planner/") else steps
        ), task.id
    planned = {
        task.params["id"] for task in TASKS.values() if task.id.startswith("maniskill-planner/")
    }
    assert planned == set(expert.SOLUTIONS) == {f"{name}-v1" for name in PLANNED}
    assert {task.id for task in TASKS.values() if ManiSkillAdapter.has_expert(task)} == {
        task.id for task in SUITES[1].tasks
    }


def test_every_expert_is_a_solution_of_the_package() -> None:
    from mani_skill.examples.motionplanning.panda import run

    for name, where in expert.SOLUTIONS.items():
        assert run.MP_SOLUTIONS[name].__name__ == "solve"
        assert getattr(run, where.partition(":")[2]) is run.MP_SOLUTIONS[name]


def test_the_contract_with_an_expert() -> None:
    check_adapter(PICK, steps=6, views=NUMBERS)


@pytest.mark.slow
def test_the_contract_with_images_in_two_processes() -> None:
    check_adapter(TASKS["maniskill/StackCube"], steps=3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "maniskill/TwoRobotPickCube",
        "maniskill/PegInsertionSide",
        pytest.param("maniskill/MS-CartpoleBalance", marks=pytest.mark.heavy),
    ],
)
def test_the_contract_with_two_robots_or_several_scenes_or_no_success(name: str) -> None:
    check_adapter(TASKS[name], steps=5, another_process=False)


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES[:3], ids=lambda suite: suite.name)
def test_every_task_fits_its_brief(suite) -> None:
    for task in suite.tasks:
        adapter = ManiSkillAdapter(task)
        assert adapter.brief.control_hz == task.control_hz, task.id
        assert task.params["control_mode"] in adapter.brief.action.meaning, task.id
        timestep = adapter.reset(Case(task, 0))
        assert (timestep.success is None) == (task.success is None), task.id
        timestep = adapter.step(adapter.brief.action.noop())
        for name in NUMBERS:
            assert adapter.brief.observation[name].problem(view(timestep, name)) is None, (
                task.id,
                name,
            )
        adapter.close()


def test_all_control_modes_of_the_panda() -> None:
    from mani_skill.agents.robots import Panda

    from adapters.maniskill.simulation import MODES

    widths = {
        "pd_joint_pos_vel": 15,
        "pd_joint_delta_pos_vel": 15,
        "pd_ee_delta_pos": 4,
        "pd_ee_target_delta_pos": 4,
    }
    widths |= {mode: 7 for mode in MODES if "ee" in mode and mode.endswith("pose")}
    tried = set()
    for mode in MODES:
        adapter = ManiSkillAdapter(task_of("PushCube", "push", 50, control_mode=mode))
        tried.add(mode)
        assert adapter.brief.action.shape == (widths.get(mode, 8),), mode
        before = view(adapter.reset(Case(PICK, 0)), "state")
        action = adapter.brief.action.sample(np.random.default_rng(0))
        assert not np.array_equal(view(adapter.step(action), "state")[:9], before[:9]), mode
        modes = set(adapter._env.agent.supported_control_modes)
        adapter.close()
    assert tried == modes
    assert Panda.uid == "panda"


@pytest.mark.parametrize("mode", ["pd_joint_pos", "pd_joint_delta_pos", "pd_ee_delta_pose"])
def test_the_noop_action_hardly_moves_the_arm(mode: str) -> None:
    task = task_of("PushCube", "push", 50, control_mode=mode)
    adapter = ManiSkillAdapter(task)
    before = view(adapter.reset(Case(task, 0)), "proprio")
    for _ in range(10):
        timestep = adapter.step(adapter.brief.action.noop())
    after = view(timestep, "proprio")
    assert (
        np.abs(after[:7] - before[:7]).max() < 0.1
    )  # rad; the start is drawn around the rest pose
    assert np.abs(after[7:9] - before[7:9]).max() < 0.002  # m, the fingers
    adapter.close()


def test_views_agree_with_the_scene(pick: ManiSkillAdapter) -> None:
    timestep = pick.reset(Case(PICK, 1))
    state, image, depth = (view(timestep, name) for name in ("state", "image", "depth"))
    assert np.array_equal(state[:18], view(timestep, "proprio"))
    assert "26-28 goal_pos" in pick.brief.observation["state"].meaning
    assert "29-35 obj_pose" in pick.brief.observation["state"].meaning
    assert 0.015 < state[31] < 0.025  # the cube's half edge, m: it lies on the table, z is up
    assert image.std() > 20
    assert image.shape[:2] == depth.shape == (128, 128)
    # The camera stands at (0.3, 0, 0.6) m, looks at (-0.1, 0, 0.1) and sees 90 degrees; hence the
    # depth of the table's plane (z = 0) at an image row.
    down, ahead = (110.5 - 64) / 64, np.array([0.4, 0.5]) / np.hypot(0.4, 0.5)
    assert np.allclose(depth[110, [8, 120]], 0.6 / (ahead[1] + down * ahead[0]), atol=0.002)
    before, frame = image, pick.render()
    assert frame.shape == (512, 512, 3)
    assert frame.std() > 20
    assert np.array_equal(view(timestep, "image"), before)
    for _ in range(12):
        timestep = pick.step(pick.brief.action.sample(np.random.default_rng(0)))
    assert not np.array_equal(view(timestep, "image"), before)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["PickCube", "PickCubeSO100", "TwoRobotPickCube", "TriFingerRotateCubeLevel1"]
)
def test_pictures_show_the_goal_that_the_package_hides(name: str) -> None:
    """In every view of a camera, also after a frame for people, which shows it as well."""
    task = TASKS[f"maniskill/{name}"]
    assert task.id.endswith("@2")
    adapter = ManiSkillAdapter(task)
    timestep = adapter.reset(Case(task, 0))
    shown = view(timestep, "image")
    assert adapter._env._hidden_objects, "the package still lists it"
    hidden = adapter._env._get_obs_sensor_data()
    camera = next(iter(hidden))
    differing = (hidden[camera]["rgb"][0].numpy() != shown).any(2).sum()
    assert differing > 5, f"{differing} pixels of the marker"
    adapter.render()
    before = adapter.state()
    timestep = adapter.reset(Case(task, 0))
    assert np.array_equal(view(timestep, "image"), shown)
    assert adapter.state() == before
    adapter.close()


@pytest.mark.slow
def test_the_versions_of_tasks_follow_what_the_package_hides() -> None:
    from mani_skill.envs.tasks import rotate_cube
    from mani_skill.envs.tasks.dexterity import rotate_single_object_in_hand, rotate_valve
    from mani_skill.envs.tasks.tabletop import pick_cube, two_robot_pick_cube
    from mani_skill.utils.registration import REGISTERED_ENVS

    hides = (
        pick_cube.PickCubeEnv, two_robot_pick_cube.TwoRobotPickCube, rotate_cube.RotateCubeEnv,
        rotate_valve.RotateValveEnv, rotate_single_object_in_hand.RotateSingleObjectInHand,
    )  # fmt: skip
    for task in TASKS.values():
        kind = REGISTERED_ENVS[task.params["id"]].cls
        assert task.id.endswith("@2" if issubclass(kind, hides) else "@1"), task.id


@pytest.mark.slow
@pytest.mark.parametrize(("level", "degrees"), [(0, 90), (2, 180), (4, 360)])
def test_the_instruction_tells_which_way_and_how_far_the_valve_is_to_be_turned(
    level: int, degrees: int
) -> None:
    """The valve is set to an angle, and what the package then says is compared with the words."""
    task = TASKS[f"maniskill/RotateValveLevel{level}"]
    adapter = ManiSkillAdapter(task)
    told = set()
    for seed in range(4):
        words = adapter.reset(Case(task, seed)).instruction
        env = adapter._env
        before, yaw = env.valve.qpos.clone(), _yaw(env.valve_link)
        way = "counter-clockwise" if "counter-clockwise" in words else "clockwise"
        assert f"valve {way}, seen from above, by more than {degrees} degrees" in words
        told.add(way)
        env.valve.set_qpos(before + 0.1)
        # Seen from above a larger yaw is a turn to the left, which is counter-clockwise.
        left = (_yaw(env.valve_link) - yaw + 180) % 360 > 180
        ahead = 1 if left == (way == "counter-clockwise") else -1
        for turned, success in ((degrees - 2, False), (degrees + 2, True), (-degrees - 2, False)):
            env.valve.set_qpos(before + ahead * np.radians(turned))
            assert bool(env.evaluate()["success"]) == success, (words, turned)
    assert told == ({"clockwise", "counter-clockwise"} if level == 4 else {"clockwise"})
    adapter.close()


def _yaw(link) -> float:
    """The heading of a link about the world's z axis, in degrees."""
    w, x, y, z = link.pose.q[0].tolist()
    return float(np.degrees(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))))


def test_a_direction_that_no_episode_draws_is_refused() -> None:
    task = with_params(TASKS["maniskill/PushCube"], instruction="Push {direction}.")
    adapter = ManiSkillAdapter(task)
    with pytest.raises(
        UserError, match=r"the instruction has \{direction\}, and PushCube-v1 draws"
    ):
        adapter.reset(Case(task, 0))
    adapter.close()


def test_a_task_may_set_the_image_size_and_the_reward_mode() -> None:
    task = with_params(
        TASKS["maniskill/StackCube"],
        make={"sensor_configs": {"width": 64, "height": 48}, "reward_mode": "sparse"},
    )
    adapter = ManiSkillAdapter(task)
    assert adapter.brief.observation["image_hand_camera"].shape == (48, 64, 3)
    timestep = adapter.reset(Case(task, 0))
    images = [view(timestep, name) for name in ("image", "image_hand_camera")]
    assert not np.array_equal(*images)
    assert view(timestep, "depth_hand_camera").shape == (48, 64)
    assert adapter.step(adapter.brief.action.noop()).reward == 0.0
    adapter.close()


def test_success_once_and_at_the_end(pick: ManiSkillAdapter) -> None:
    assert PICK.success == "once"
    timestep, steps = pick.reset(Case(PICK, 0)), 0
    while not timestep.success:
        timestep, steps = pick.step(pick.expert(None)), steps + 1
        assert not timestep.terminated
        assert timestep.metrics["success_at_end"] == float(timestep.success)
        assert steps < PICK.max_steps
    assert steps > 50, "the package's horizon of 50 steps would suffice"
    for _ in range(20):
        timestep = pick.step(pick.brief.action.sample(np.random.default_rng(0)))
    assert (timestep.terminated, timestep.truncated, timestep.metrics["success_at_end"]) == (
        False,
        False,
        0.0,
    )


def test_the_expert_holds_still_when_it_is_done(pick: ManiSkillAdapter) -> None:
    pick.reset(Case(PICK, 3))
    actions = []
    for _ in range(110):
        actions.append(pick.expert(None))
        timestep = pick.step(actions[-1])
    assert timestep.success is True
    assert np.array_equal(actions[-1], actions[-2])
    assert experts() == []


def test_an_expert_that_fails_gives_up(pick: ManiSkillAdapter, monkeypatch, caplog) -> None:
    from mani_skill.examples.motionplanning.panda import solutions

    def fails(env, **_):
        env.reset(seed=None)
        env.step(pick.brief.action.noop())
        return -1

    def raises(env, **_):
        raise RuntimeError("no plan")

    for solution in (fails, raises):
        monkeypatch.setattr(solutions, "solvePickCube", solution)
        pick.reset(Case(PICK, 0))
        answers = []
        for _ in range(3):
            answers.append(pick.expert(None))
            timestep = pick.step(pick.brief.action.noop())
        assert answers[1:] == [None, None]
        assert (answers[0] is None) == (solution is raises)
        assert timestep.metrics["expert_gave_up"] == 1.0
    assert "no plan" in caplog.text
    pick.reset(Case(PICK, 0))
    assert "expert_gave_up" not in pick.step(pick.brief.action.noop()).metrics


def test_an_abandoned_expert_leaves_no_thread() -> None:
    adapter = ManiSkillAdapter(PICK)
    adapter.reset(Case(PICK, 0))
    adapter.step(adapter.expert(None))
    assert experts() == ["expert PickCube-v1"]
    adapter.reset(Case(PICK, 1))
    assert experts() == []
    adapter.step(adapter.expert(None))
    adapter.close()
    assert experts() == []


def test_the_environments_horizon_holds_where_the_task_has_none() -> None:
    task = dataclasses.replace(TASKS["maniskill/PushCube"], max_steps=None)
    adapter = ManiSkillAdapter(task)
    adapter.reset(Case(task, 0))
    assert [adapter.step(adapter.brief.action.noop()).truncated for _ in range(50)] == [
        False
    ] * 49 + [True]
    adapter.close()


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"id": "Juggle-v1"}, "has no task 'Juggle-v1'"),
        ({"control_mode": "pd_telepathy"}, "not in supported modes"),
        ({"make": {"colour": "red"}}, "colour"),
        ({"id": "PickSingleYCB-v1"}, "download_asset"),
        ({"id": "AnymalC-Reach-v1", "control_mode": None}, "download_asset"),
    ],
)
def test_what_does_not_exist_or_needs_a_download_is_named(
    params: dict[str, str | None], named: str
) -> None:
    with pytest.raises(UserError, match=named):
        ManiSkillAdapter(with_params(TASKS["maniskill/PickCube"], **params))


def test_a_success_rule_is_refused_where_the_environment_reports_no_success() -> None:
    task = dataclasses.replace(TASKS["maniskill/MS-CartpoleSwingUp"], success="once")
    adapter = ManiSkillAdapter(task)
    with pytest.raises(UserError, match="success=None"):
        adapter.reset(Case(task, 0))
    adapter.close()


def test_the_software_vulkan_driver_is_looked_for(tmp_path, monkeypatch) -> None:
    manifest = tmp_path / "lvp_icd.json"
    monkeypatch.setenv("VK_DRIVER_FILES", str(manifest))
    assert "no software Vulkan" in needs.software_vulkan().reason
    for version, works in (("1.1.230", False), ("1.4.305", True)):
        manifest.write_text(
            json.dumps({"ICD": {"api_version": version, "library_path": "libvulkan_lvp.so"}})
        )
        assert (ManiSkillAdapter.missing(PICK) is None) == works
    manifest.write_text(
        json.dumps({"ICD": {"api_version": "1.4.305", "library_path": "libGLX_nvidia.so.0"}})
    )
    assert "bookworm-backports" in needs.software_vulkan().remedy


def test_nothing_is_imported_before_it_is_needed_and_nothing_is_printed() -> None:
    code = (
        "import sys\n"
        "from adapters.maniskill import ManiSkillAdapter\n"
        "from harness.core import Case\n"
        "from suites.maniskill import SUITES\n"
        # This task's simulator prints something.
        "task = next(task for task in SUITES[1].tasks if 'PullCubeTool' in task.id)\n"
        "assert ManiSkillAdapter.missing(task) is None\n"
        "assert ManiSkillAdapter.env_key(task) and ManiSkillAdapter.has_expert(task)\n"
        "early = {'mani_skill', 'sapien', 'torch', 'gymnasium'} & set(sys.modules)\n"
        "assert not early, early\n"
        "adapter = ManiSkillAdapter(task)\n"
        "timestep = adapter.reset(Case(task, 0))\n"
        "for _ in range(3): timestep = adapter.step(adapter.expert(None))\n"
        # The process ends here without close(), and the expert's thread is still waiting.
        "assert timestep.observation['image']().std() > 0\n"
    )
    run = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(
        run,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
