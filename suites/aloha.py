"""ALOHA in simulation: two tasks, by the rules of LeRobot's evaluation (`--env.type=aloha`).

That is 50 episodes of at most 400 actions, the environment of episode k reset with seed 1000 + k
(lerobot: configs/eval.py, envs/configs.py, scripts/lerobot_eval.py). The rule of ACT is the same
(act: imitate_episodes.py, eval_bc: the largest reward of an episode is 4), with other seeds and, of
the policy from human demonstrations of the insertion, 500 actions.

Figures are those of LeRobot's model card, which has 500 episodes of its own ACT and of one that was
trained with the paper's code. The paper's table is not here: its text could not be looked up.
"""

from __future__ import annotations

from harness.core import Reference, Suite, Task

__all__ = ["SUITES"]

CARD = "huggingface.co/lerobot/act_aloha_sim_transfer_cube_human, revision 5b65dc6, 500 episodes"


def _card(label: str, value: float) -> Reference:
    return Reference(label, value, "success_rate", CARD, same_rule=True, tasks=1)


def _task(name: str, package: str, rule: str, references: tuple[Reference, ...]) -> Task:
    return Task(
        id=f"aloha/{name}@1",
        domain="manipulation",
        adapter="adapters.aloha:AlohaAdapter",
        params={"name": package, "height": 480, "width": 640},
        max_steps=400,
        success="ever",
        rule=f"{rule} at any step, which ends the episode; 400 steps",
        score="success",
        control_hz=50.0,
        first_seed=1000,
        references=references,
    )


TASKS = (
    _task(
        "TransferCube",
        "transfer_cube",
        "the left gripper touches the cube, and the table does not,",
        (_card("ACT (LeRobot)", 0.876), _card("ACT (the paper's code)", 0.68)),
    ),
    _task(
        "Insertion",
        "insertion",
        "the peg touches the pin in the socket",
        (),
    ),
)

SUITES: tuple[Suite, ...] = (
    Suite(
        name="aloha",
        title="ALOHA in simulation: two arms",
        tasks=TASKS,
        episodes=50,
        source="lerobot: scripts/lerobot_eval.py; arXiv 2304.13705",
    ),
)
