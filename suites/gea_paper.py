"""Every figure that the GEA paper prints (arXiv 2412.08442v1), by row of its table 2, in percent.

A row has the mean of GEA and of the agents that the paper quotes, and the figure of each task
alone, from the tables of its appendix G. `Row.references` makes from them what a task of ours
carries: its own figure, and the means over all tasks of its row. The label GEA-Base is the agent
before its reinforcement learning, where the paper prints it.

Three figures are computed and not printed: starpilot of Procgen follows from the mean over sixteen
games; that CALVIN's figures speak of the first of five instructions follows from their
denominators, each of which is the number of chains that begin with that instruction; and Procgen's
minimum is 0 in the games that pay 0 or 10, as their figures are tenths of such a return.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.core import Reference

__all__ = ["ROWS", "TABLE", "Quoted", "Row"]

PAPER = "arXiv 2412.08442"
TABLE = "gea"
"""What `bench report --against` calls the paper's table."""


@dataclass(frozen=True)
class Quoted:
    """The mean of another agent over the tasks of a row, as the paper quotes it."""

    label: str
    percent: float
    agent: str = ""
    """What sets it apart, as Reference.agent."""
    privileged: bool = False
    rule: str = ""
    """How its rule is another one than the row's."""


@dataclass(frozen=True)
class Row:
    """A row of the paper's table 2."""

    name: str
    metric: str
    tasks: int
    """How many of our tasks stand for it: a mean is printed only beside all of them."""
    rule: str
    """How the paper measured it."""
    gea: float
    others: tuple[Quoted, ...] = ()
    table: int = 2
    """The number of the table that has the figures of single tasks."""
    by_task: Mapping[str, float] = field(default_factory=dict)
    """Our name of a task, without family and version -> GEA's figure."""
    by_part: Mapping[str, float] = field(default_factory=dict)
    """A part of the episodes of the row's only task -> GEA's figure."""
    computed: frozenset[str] = frozenset()
    """The tasks whose figure is not printed and follows from the mean."""

    def references(
        self, name: str, *, differs: str = "", same_rule: bool = False
    ) -> tuple[Reference, ...]:
        """What the task of this name carries: its own figure, and the means of its row.

        `differs`: how the rule of our task is another one. `same_rule`: it is not; then the figures
        of the task's parts are there too.
        """
        rule = "; ".join(filter(None, (self.rule, differs)))

        def of(quoted: Quoted, tasks: int, table: int, part: str = "", note: str = "") -> Reference:
            return self._reference(quoted, rule, tasks, table, part, note, same_rule=same_rule)

        note = COMPUTED if name in self.computed else ""
        figure = self.by_task.get(name)
        own = [] if figure is None else [of(Quoted("GEA", figure), 1, self.table, note=note)]
        means = [of(each, self.tasks, 2) for each in (Quoted("GEA", self.gea), *self.others)]
        parts = [
            of(Quoted("GEA", percent), 1, self.table, part)
            for part, percent in self.by_part.items()
            if same_rule
        ]
        return (*own, *means, *parts)

    def references_of_part(self, part: str) -> tuple[Reference, ...]:
        """What a task carries that is this part of the row's task, by the same rule: its figure."""
        quoted = Quoted("GEA", self.by_part[part])
        return (self._reference(quoted, self.rule, 1, self.table, "", "", same_rule=True),)

    def _reference(
        self,
        quoted: Quoted,
        rule: str,
        tasks: int,
        table: int,
        part: str,
        note: str,
        *,
        same_rule: bool,
    ) -> Reference:
        return Reference(
            quoted.label,
            round(quoted.percent / 100, 4),
            self.metric,
            f"{PAPER}, table {table}",
            "; ".join(filter(None, (rule, quoted.rule, note))),
            same_rule and not quoted.rule,
            TABLE,
            self.name,
            tasks,
            part,
            quoted.agent,
            quoted.privileged,
        )


COMPUTED = "not printed: it follows from the mean"

METAWORLD = {
    "assembly": 86, "basketball": 100, "button-press": 100, "button-press-topdown": 100,
    "button-press-topdown-wall": 100, "button-press-wall": 92, "coffee-button": 100,
    "coffee-pull": 100, "coffee-push": 100, "dial-turn": 100, "disassemble": 88, "door-close": 100,
    "door-open": 100, "drawer-close": 100, "drawer-open": 100, "faucet-close": 100,
    "faucet-open": 100, "hammer": 100, "handle-press": 100, "handle-press-side": 100,
    "handle-pull": 100, "handle-pull-side": 80, "lever-pull": 80, "peg-insert-side": 100,
    "peg-unplug-side": 98, "pick-out-of-hole": 60, "pick-place": 92, "pick-place-wall": 82,
    "plate-slide": 100, "plate-slide-back": 100, "plate-slide-back-side": 100,
    "plate-slide-side": 96, "push": 100, "push-back": 90, "push-wall": 100, "reach": 60,
    "reach-wall": 94, "shelf-place": 98, "soccer": 76, "stick-pull": 98, "stick-push": 100,
    "sweep": 100, "sweep-into": 90, "window-close": 100, "window-open": 100,
}  # fmt: skip
CALVIN = {
    "turn_off_led": 87.0, "move_slider_left": 100, "rotate_red_block_right": 69.0,
    "open_drawer": 100, "rotate_red_block_left": 95.5, "push_pink_block_right": 100,
    "push_blue_block_right": 65.2, "push_red_block_left": 85.7, "push_pink_block_left": 87.1,
    "push_red_block_right": 31.0, "push_blue_block_left": 88.6, "push_into_drawer": 86.7,
    "rotate_pink_block_left": 100, "turn_on_lightbulb": 97.6, "rotate_pink_block_right": 93.5,
    "rotate_blue_block_right": 78.6, "turn_off_lightbulb": 97.1, "lift_blue_block_table": 100,
    "close_drawer": 100, "rotate_blue_block_left": 95.8, "move_slider_right": 95.4,
    "turn_on_led": 96.4, "lift_blue_block_slider": 63.3, "lift_pink_block_table": 100,
    "lift_red_block_slider": 73.1, "lift_red_block_table": 83.3, "lift_pink_block_slider": 96.0,
}  # fmt: skip
PROCGEN = {
    "bigfish": 43.1, "bossfight": 54.2, "caveflyer": 27.7, "chaser": 54.0, "coinrun": 66,
    "dodgeball": 3.4, "fruitbot": 84.8, "heist": 32, "leaper": 26, "maze": 58, "miner": 27,
    "climber": 46.2, "ninja": 62, "plunder": 4.5, "jumper": 50, "starpilot": 65.1,
}  # fmt: skip
MANISKILL = {
    "StackCube": 4, "PegInsertionSide": 0, "PlugCharger": 0, "PushCube": 52, "PickCube": 12,
}  # fmt: skip
LANGR = {
    "rephrasing": 84, "referring_expressions": 16, "spatial_relationships": 0, "context": 34,
    "irrelevant_text": 86, "multiple_rearrangements": 82, "novel_objects": 96,
    "multiple_objects": 0, "conditional_instructions": 52,
}  # fmt: skip
BABYAI = {
    "GoToRedBallGrey": 88, "GoToRedBall": 97, "GoToRedBallNoDists": 100, "GoToObj": 100,
    "GoToObjS4": 100, "GoToLocalS8N7": 93, "GoToRedBlueBall": 92, "GoToDoor": 100, "Open": 76,
    "OpenRedDoor": 100, "OpenDoorColor": 100, "OpenDoorLoc": 80, "OpenTwoDoors": 100,
    "OpenRedBlueDoors": 100, "Pickup": 41, "PickupLoc": 88, "PickupDist": 94,
}  # fmt: skip
ATARI = {
    "alien": 6.1, "amidar": 0, "assault": 86.5, "asterix": 2.3, "atlantis": 0, "bank_heist": 8.9,
    "battle_zone": 39.2, "beam_rider": 3.1, "boxing": 0, "breakout": 0, "centipede": 50,
    "chopper_command": 30.2, "crazy_climber": 0, "demon_attack": 20.8, "double_dunk": 300,
    "enduro": 0, "fishing_derby": 0, "freeway": 81.1, "frostbite": 2.7, "gopher": 0, "gravitar": 0,
    "hero": 0, "ice_hockey": 0, "jamesbond": 0, "kangaroo": 38.5, "krull": 373,
    "kung_fu_master": 0, "ms_pacman": 27.9, "name_this_game": 0, "phoenix": 0, "pong": 0,
    "qbert": 0.6, "riverraid": 0, "road_runner": 33, "robotank": 307.2, "seaquest": 0.3,
    "space_invaders": 52.7, "star_gunner": 1.4, "time_pilot": 0, "up_n_down": 0,
    "video_pinball": 0, "wizard_of_wor": 0, "yars_revenge": 0, "zaxxon": 0,
}  # fmt: skip

HABITAT = (
    "500 episodes in unseen layouts, the Fetch robot; the goal is the name of {}, not a position{}"
)
SKILL = (
    "; joint positions and base; 300 steps, ended by too many collisions, a drop or a wrong object"
)
STATE = "reads a geometric goal, egomotion or the state"

ROWS: Mapping[str, Row] = {
    row.name: row
    for row in (
        Row(
            "Meta-World",
            "success_rate",
            45,
            "unseen starts, the camera corner3 without proprioception, another version of the "
            "simulator; 50 episodes a task by the figures' steps of 2 (the text says five)",
            94.7,
            (
                Quoted("MLLM + IL (specialist)", 84),
                Quoted("Gato (generalist)", 87.0, "reads proprioception"),
            ),
            5,
            METAWORLD,
        ),
        Row(
            "CALVIN ABC to D",
            "success_rate",
            1,
            "trained on A, B and C; the first of five instructions; the head camera alone, drawn "
            "by EGL",
            90.0,
            (
                Quoted("RoboFlamingo (specialist)", 82.4),
                Quoted("3D Diffuser Actor (specialist)", 92.2, "reads depth"),
            ),
            6,
            by_part=CALVIN,
        ),
        Row(
            "ManiSkill",
            "success_rate",
            5,
            "ManiSkill2, 100 episodes a task, one camera, joint velocities",
            13.6,
            (
                Quoted("IL (specialist)", 6.5, "reads depth; one policy a task"),
                Quoted("DAPG + PPO (specialist)", 47.8, "reads depth; one policy a task"),
            ),
            8,
            MANISKILL,
        ),
        Row(
            "Habitat Pick",
            "success_rate",
            1,
            HABITAT.format(
                "one of 20 objects",
                f"; starts within 2 m of it, facing with noise N(0, 1.57){SKILL}",
            ),
            82.5,
            (
                Quoted("GEA-Base", 60.5),
                Quoted("IL (specialist)", 29),
                Quoted("RL + state (specialist)", 81.0, STATE, privileged=True),
            ),
        ),
        Row(
            "Habitat Place",
            "success_rate",
            1,
            HABITAT.format("one of 10 receptacles", SKILL),
            93.5,
            (Quoted("RL + state (specialist)", 95.5, STATE, privileged=True),),
        ),
        Row(
            "Habitat Nav",
            "success_rate",
            1,
            HABITAT.format(
                "one of 10 receptacles", "; continuous base velocity in Habitat 2.0 houses"
            ),
            62.5,
            (Quoted("RL + state (specialist)", 72, STATE, privileged=True),),
        ),
        Row(
            "Procgen",
            "normalised",
            16,
            "easy mode, test levels, 50 episodes a game; min-max between a random policy and a PPO "
            "expert by Cobbe's reported scores",
            44.0,
            (Quoted("GEA-Base", 36.1), Quoted("BC (specialist)", 25)),
            7,
            PROCGEN,
            computed=frozenset({"starpilot"}),
        ),
        Row(
            "Atari",
            "human_normalised",
            44,
            "{Game}NoFrameskip-v4 as in Dopamine, 10 episodes a game; no-op starts are not "
            "mentioned; |score - random| over human - random, so how a score below random counts "
            "is unclear",
            32.7,
            (
                Quoted("GEA-Base", 40.3),
                Quoted("Gato (generalist)", 31),
                Quoted("Multi-Game DT (specialist)", 85),
            ),
            11,
            ATARI,
        ),
        Row(
            "BabyAI",
            "success_rate",
            17,
            "100 random episodes a level, seeds not published; the 336x336 picture from above",
            91.1,
            (
                Quoted(
                    "Gato (generalist)",
                    93.2,
                    rule="Gato on levels of its own, a score in percent of the expert's that the "
                    "paper takes for the success rate",
                ),
            ),
            10,
            BABYAI,
        ),
        Row(
            "AndroidControl",
            "success_rate",
            1,
            "all steps of the 1,540 test episodes, the goal as instruction; a tap within 5 of 50 "
            "blocks on each axis, one text in the other",
            57.3,
            (Quoted("GPT-4o + set of marks (generalist)", 45),),
        ),
        Row(
            "LangR",
            "success_rate",
            9,
            "100 episodes a split, unseen houses, 32 steps",
            50.0,
            (Quoted("GEA-Base", 15.5), Quoted("MLLM + RL (specialist)", 51)),
            9,
            LANGR,
        ),
    )
}
"""By the row's name."""
