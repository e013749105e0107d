"""ViZDoom: ten single-player scenarios of the Farama package (arXiv 1605.02097, 1809.03470).

Rewards, skill and time limit are each scenario's own; an action is one button or none, held for
four tics, as in the package's Vizdoom*-v1 environments with the frame skip of the paper's
experiments. Two scenarios have no time limit (defend_the_line, take_cover); here they end after
2100 tics, the limit of most others. No protocol prescribes a number of episodes or seeds; here
there are fifty, seeds from 0.

Scenarios about finding something belong to `navigation`, those about fighting to `games`.
"""

from __future__ import annotations

from harness.core import Suite, Task

__all__ = ["SUITES"]

FRAME_SKIP = 4
TICS = 2100
NAVIGATION = {
    "my_way_home": "the vest is reached within 2100 tics",
    "health_gathering": "tics alive, minus 100 for dying; 2100 tics",
    "health_gathering_supreme": "tics alive, minus 100 for dying; 2100 tics",
}
GAMES = {
    "deadly_corridor": "map units nearer to the vest, minus 100 for dying; 2100 tics",
    "basic": "the monster is shot within 300 tics",
    "defend_the_center": "monsters killed, minus 1 for dying; 2100 tics",
    "defend_the_line": "monsters killed, minus 1 for dying; 2100 tics (ours)",
    "predict_position": "the monster is hit within 300 tics",
    "take_cover": "tics alive; 2100 tics (ours)",
    "deathmatch": "points for kills; 4200 tics",
}
PRIZES = ("my_way_home", "basic", "predict_position")
ENDLESS = ("defend_the_line", "take_cover")


def _task(scenario: str, domain: str, rule: str) -> Task:
    return Task(
        id=f"vizdoom/{scenario}@1",
        domain=domain,
        adapter="adapters.vizdoom:VizDoomAdapter",
        params={"scenario": scenario, "frame_skip": FRAME_SKIP},
        max_steps=TICS // FRAME_SKIP if scenario in ENDLESS else None,
        success="ever" if scenario in PRIZES else None,
        rule=rule,
        score="success" if scenario == "my_way_home" else "return",
        control_hz=35 / FRAME_SKIP,
    )


SUITES: tuple[Suite, ...] = (
    Suite(
        name="vizdoom",
        title="ViZDoom, ten scenarios",
        tasks=tuple(
            _task(scenario, domain, rule)
            for domain, scenarios in (("navigation", NAVIGATION), ("games", GAMES))
            for scenario, rule in scenarios.items()
        ),
        episodes=50,
        source="arXiv 1605.02097, arXiv 1809.03470",
    ),
    Suite(
        name="vizdoom-audio",
        title="ViZDoom: a monster that is heard and not seen",
        tasks=(
            Task(
                id="vizdoom-audio/basic_audio@1",
                domain="games",
                adapter="adapters.vizdoom_audio:HearingVizDoomAdapter",
                params={"scenario": "basic_audio", "frame_skip": FRAME_SKIP},
                success="ever",
                rule="the invisible monster is shot within 300 tics",
                score="return",
                control_hz=35 / FRAME_SKIP,
            ),
        ),
        episodes=50,
        source="github.com/Farama-Foundation/ViZDoom/pull/648; vizdoom 1.3",
    ),
)
