"""PushT: one task, by the rules of LeRobot's evaluation (`lerobot-eval --env.type=pusht`).

That is 50 episodes of at most 300 actions, the environment of episode k reset with seed 1000 + k
(lerobot: configs/eval.py, envs/configs.py, scripts/lerobot_eval.py); `pc_success` is the share of
episodes with a success, `avg_max_reward` the mean of the largest reward of each. Diffusion Policy's
`test/mean_score` is that mean, too (diffusion_policy: env_runner/pusht_image_runner.py), with the
same rewards and 300 actions, from starts that it draws in another way.
"""

from __future__ import annotations

from harness.core import Normaliser, Reference, Suite, Task

__all__ = ["SUITES"]

CARD = "huggingface.co/lerobot/diffusion_pusht, 500 episodes"
VQBET = "huggingface.co/lerobot/vqbet_pusht, 500 episodes"
PAPER = "arXiv 2303.04137, table 2 (images): mean of the last 10 checkpoints of 3 seeds"
STARTS = "starts drawn as in the paper's own code (50 of them for each checkpoint)"


def _paper(label: str, value: float) -> Reference:
    return Reference(label, value, "score", PAPER, rule=STARTS, tasks=1)


TASK = Task(
    id="pusht/PushT@1",
    domain="manipulation",
    adapter="adapters.pusht:PushTAdapter",
    params={"size": 96},
    max_steps=300,
    success="ever",
    rule="95 % of the target covered at any step, which ends the episode; 300 steps",
    score="max_reward",
    normaliser=Normaliser(
        0.0, 1.0, "nothing covered", "95 % covered", "gym_pusht: envs/pusht.py, the reward"
    ),
    control_hz=10.0,
    first_seed=1000,
    references=(
        Reference(
            "Diffusion Policy (LeRobot)", 0.654, "success_rate", CARD, same_rule=True,
            agent="reads the image and the disc's place", tasks=1,
        ),
        Reference(
            "Diffusion Policy (LeRobot)", 0.955, "score", CARD, same_rule=True,
            agent="reads the image and the disc's place", tasks=1,
        ),
        Reference("VQ-BeT (LeRobot)", 0.638, "success_rate", VQBET, same_rule=True, tasks=1),
        Reference("VQ-BeT (LeRobot)", 0.895, "score", VQBET, same_rule=True, tasks=1),
        _paper("Diffusion Policy, CNN", 0.84),
        _paper("Diffusion Policy, transformer", 0.66),
        _paper("LSTM-GMM", 0.54),
    ),
)  # fmt: skip

SUITES: tuple[Suite, ...] = (
    Suite(
        name="pusht",
        title="PushT: push a T onto its target",
        tasks=(TASK,),
        episodes=50,
        source="lerobot: scripts/lerobot_eval.py; arXiv 2303.04137",
    ),
)
