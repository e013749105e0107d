"""SIMPLER's four Bridge tasks (arXiv 2405.05941), in ManiSkill 3.

The rule is SIMPLER's for a WidowX arm (`scripts/bridge.sh` and the ManiSkill 3 evaluation of its
code): 24 starts by index, 5 decisions a second, 60 steps (120 for the eggplant), the success of the
last step, real photographs behind the arm and the objects (visual matching).

The published figures are the authors' own in simulation, from `SIMPLER_PERF` in
`simpler_env/utils/metrics.py` of their code: of RT-1-X once over the 24 starts, of Octo the mean of
three seeds. They are of SIMPLER's fork of ManiSkill 2 on SAPIEN 2.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.core import Reference, Suite, Task

__all__ = ["SUITES"]

SOURCE = "arXiv 2405.05941; SIMPLER_PERF in simpler_env/utils/metrics.py of SIMPLER's code"
DIFFERS = "in SIMPLER's fork of ManiSkill 2"
CONTROL = "arm_pd_ee_target_delta_pose_align2_gripper_pd_joint_pos"
NAMES: Mapping[str, tuple[str, int, str, tuple[float, float, float]]] = {
    "spoon-on-towel": (
        "PutSpoonOnTableClothInScene",
        60,
        "put the spoon on the towel",
        (0.0, 0.125, 0.472),
    ),
    "carrot-on-plate": (
        "PutCarrotOnPlateInScene",
        60,
        "put carrot on plate",
        (0.042, 0.083, 0.097),
    ),
    "stack-cube": (
        "StackGreenCubeOnYellowCubeBakedTexInScene",
        60,
        "stack the green block on the yellow block",
        (0.0, 0.0, 0.042),
    ),
    "eggplant-in-basket": (
        "PutEggplantInBasketScene",
        120,
        "put eggplant into yellow basket",
        (0.0, 0.431, 0.569),
    ),
}
"""Task -> the package's name, the horizon, its instruction, and the figures of AGENTS."""
AGENTS = ("RT-1-X", "Octo-Base", "Octo-Small")


def _task(name: str) -> Task:
    registered, steps, instruction, figures = NAMES[name]
    return Task(
        id=f"simpler/{name}@1",
        domain="manipulation",
        adapter="adapters.maniskill:SimplerAdapter",
        params={
            "id": f"{registered}-v1",
            "control_mode": CONTROL,
            "instruction": instruction,
        },
        max_steps=steps,
        success="end",
        rule=f"the package's test holds at the last of {steps} steps; visual matching",
        score="success",
        control_hz=5.0,
        tags=("simpler",),
        references=tuple(
            Reference(agent, figure, "success_rate", SOURCE, DIFFERS, table="simpler", tasks=1)
            for agent, figure in zip(AGENTS, figures)
        ),
    )


SUITES: tuple[Suite, ...] = (
    Suite(
        "simpler",
        "SIMPLER: four Bridge tasks of a WidowX arm before photographs, in ManiSkill 3",
        tuple(map(_task, NAMES)),
        episodes=24,
        source="arXiv 2405.05941; the environments: ManiSkill 3, arXiv 2410.00425",
    ),
)
