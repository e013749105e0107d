"""Skills of BabyAI, carried out by its own bot: go to an object, fetch it, open a door, explore.

The bot (minigrid.utils.baby_ai_bot) works off a stack of subgoals. Here a call puts its subgoals
on an empty stack of one bot, which remembers what has been in sight since the episode's start. The
bot opens doors, fetches keys and clears its way by itself, as it does where it is the expert.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adapters._babyai_bot import faults, made
from harness.core import Skill, SkillCall, SkillEnd

__all__ = ["SKILLS", "Controller", "mentioned"]

KINDS = ("ball", "box", "key", "door")
COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
PLACES = {
    "left": "on your left",
    "right": "on your right",
    "front": "in front of you",
    "behind": "behind you",
}
"""BabyAI's word for where an object was at the start -> how missions say it."""
THING = "object"
SKILLS = (
    Skill(
        "go_to",
        (("object", THING),),
        "walk until the object is in the cell ahead, opening doors and looking for it on the way",
    ),
    Skill("pick_up", (("object", THING),), "go to the object and pick it up; the hands are free"),
    Skill("put_next_to", (("object", THING),), "put what is carried into a cell beside the object"),
    Skill("drop", (), "put down what is carried, where it blocks nothing"),
    Skill(
        "open",
        (("door", THING),),
        # A mission to open a door is fulfilled by the act, not by its being open.
        "go to the door and open it, with its key if it is locked; an open one is closed first",
    ),
    Skill("toggle", (("object", THING),), "go to a door or a box and toggle it: open or close it"),
    Skill("explore", (), "walk until something comes in sight that was not seen before"),
)
MOST_EXPLORING = 64
"""Steps of one `explore`, which may wait for a way that a perturbation keeps closing."""
TOGGLE, DONE = 5, 6


class Controller:
    """Carries out the calls of one episode. Made right after the reset."""

    def __init__(self, env: Any) -> None:
        """`env`: a level of BabyAI, unwrapped."""
        self._env = env
        self._bot = made(env)
        self._bot.stack.clear()
        self._bot._process_obs()  # what is in sight at the start
        # Lists of our own: those of the mission's verifier decide what counts.
        self._named = {_name(each): list(each.obj_set) for each in mentioned(env.instrs)}
        self._target: Any = None
        """What the bot is told of the object of the call: a verifier.ObjDesc."""
        self._held: list[Any] = []
        """The objects that the call may mean."""
        self._toggled = False
        self._seen = 0

    def objects(self) -> Mapping[str, tuple[str, ...]]:
        """All names of colour and kind, and those of the mission, which may say where."""
        plain = [*KINDS, *(f"{colour} {kind}" for colour in COLOURS for kind in KINDS)]
        # The mission's own come last: what stands first would be taken for what is wanted.
        return {THING: tuple(dict.fromkeys([*plain, *self._named]))}

    def act(self, call: SkillCall, taken: int, executed: Any) -> int | SkillEnd:
        """As Adapter.skill."""
        try:
            if taken == 0:
                refused = self._begin(call)
                if refused:
                    return SkillEnd(False, refused)
                # The last action was another call's: `done` is one after which nothing is undone.
                executed = DONE
            self._locate()
            return self._next(call, taken, executed)
        except faults() as fault:
            self._bot.stack.clear()
            # One of the bot's own messages begins with a stray digit.
            return SkillEnd(False, str(fault).lstrip("0") or "the bot finds no way to do it")

    def _next(self, call: SkillCall, taken: int, executed: Any) -> int | SkillEnd:
        if call.skill == "toggle" and self._toggled:
            return SkillEnd(True)
        if call.skill == "explore":
            return self._explore(taken, executed)
        self._bot.stack.pushed = 0
        action = int(self._bot.replan(executed))
        if self._bot.stack:
            return action
        if call.skill == "toggle":
            self._toggled = True
            return TOGGLE
        wrong = self._undone(call)
        return SkillEnd(not wrong, wrong)

    def _explore(self, taken: int, executed: Any) -> int | SkillEnd:
        from minigrid.utils.baby_ai_bot import ExploreSubgoal

        bot = self._bot
        bot._process_obs()
        if taken and int(bot.vis_mask.sum()) > self._seen:
            bot.stack.clear()
            return SkillEnd(True)
        if taken >= MOST_EXPLORING:
            return SkillEnd(False, f"nothing new came in sight in {MOST_EXPLORING} steps")
        bot.stack.pushed = 0
        action = int(bot.replan(executed))
        if not bot.stack:
            bot.stack.append(ExploreSubgoal(bot))
            # Its first half clears explorations away, so the second half is called alone.
            action = self._planned()
        return action

    def _planned(self) -> int:
        """The action that the subgoals on the stack ask for, as the bot's `replan` finds it."""
        bot, found = self._bot, None
        while bot.stack and found is None:
            bot.stack[-1].update_agent_attributes()
            found = bot.stack[-1].replan_before_action()
        bot._remember_current_state()
        return DONE if found is None else int(found)

    def _begin(self, call: SkillCall) -> str:
        """Put the subgoals of a call on the stack; why it cannot be begun."""
        from minigrid.envs.babyai.core.verifier import ObjDesc
        from minigrid.utils.baby_ai_bot import (
            DropSubgoal,
            GoNextToSubgoal,
            OpenSubgoal,
            PickupSubgoal,
        )

        bot, carrying = self._bot, self._env.carrying
        bot.stack.clear()
        self._target, self._held, self._toggled = None, [], False
        if call.arguments:
            self._target, self._held = ObjDesc(None), self._called(call.arguments[0])
            self._locate()
            if not self._target.obj_set:
                return f"there is no {call.arguments[0]}"
        if call.skill == "pick_up" and carrying is not None:
            return f"it carries the {carrying.color} {carrying.type} already"
        if call.skill in ("put_next_to", "drop") and carrying is None:
            return "it carries nothing"
        to = self._target
        if call.skill == "open" and any(each.type != "door" for each in to.obj_set):
            return f"{call.arguments[0]} is no door"
        if call.skill == "toggle" and any(each.type not in ("door", "box") for each in to.obj_set):
            return f"{call.arguments[0]} is neither a door nor a box"
        ahead = self._env.grid.get(*self._env.front_pos)
        goals: Mapping[str, Callable[[], list[Any]]] = {
            "go_to": lambda: [GoNextToSubgoal(bot, to)],
            "toggle": lambda: [GoNextToSubgoal(bot, to)],
            "pick_up": lambda: [PickupSubgoal(bot), GoNextToSubgoal(bot, to)],
            "put_next_to": lambda: [DropSubgoal(bot), GoNextToSubgoal(bot, to, reason="PutNext")],
            "open": lambda: [OpenSubgoal(bot), GoNextToSubgoal(bot, to, reason="Open")],
            "drop": lambda: [
                DropSubgoal(bot),
                *([] if ahead is None else [GoNextToSubgoal(bot, bot._find_drop_pos())]),
            ],
            "explore": lambda: [],
        }
        bot._process_obs()
        self._seen = int(bot.vis_mask.sum())
        bot.stack.extend(goals[call.skill]())
        return ""

    def _called(self, name: str) -> list[Any]:
        """The objects of this name: those that the mission means, or all of a colour and kind."""
        if name in self._named:
            return self._named[name]
        colour, _, kind = name.rpartition(" ")
        return [
            each for each, _ in self._placed() if each.type == kind and colour in ("", each.color)
        ]

    def _placed(self) -> list[tuple[Any, tuple[int, int]]]:
        """(object, cell) of all that stands on the map."""
        grid = self._env.grid
        cells = [(x, y) for x in range(grid.width) for y in range(grid.height)]
        return [(each, cell) for cell in cells if (each := grid.get(*cell)) is not None]

    def _locate(self) -> None:
        """Tell the bot where the objects of the call are now; what is carried is nowhere."""
        if self._target is not None:
            found = [
                (each, cell)
                for each, cell in self._placed()
                if any(each is one for one in self._held)
            ]
            self._target.obj_set = [each for each, _ in found]
            self._target.obj_poss = [cell for _, cell in found]

    def _undone(self, call: SkillCall) -> str:
        """What is not as the call asked although the bot has worked it off; empty: all is."""
        carrying = self._env.carrying
        ahead = self._env.grid.get(*self._env.front_pos)
        held = self._held
        if call.skill == "pick_up" and not any(carrying is each for each in held):
            return "it could not be picked up"
        if call.skill in ("put_next_to", "drop") and carrying is not None:
            return "it could not be put down"
        if call.skill == "open" and not any(each.is_open for each in held):
            return "the door did not open"
        if call.skill == "go_to" and not any(ahead is each for each in held):
            return "it is not in the cell ahead"
        return ""

    def plan(self) -> tuple[SkillCall, ...]:
        """What the mission asks for, as calls in the order of the bot's own plan.

        Parts of a sequence that the verifier has seen done are left out.
        """
        calls = _calls(self._env.instrs)
        carrying = self._env.carrying
        if carrying is None or not calls:
            return calls
        first = calls[0]
        if first.skill == "pick_up" and any(
            carrying is each for each in self._called(first.arguments[0])
        ):
            return calls[1:]
        return (SkillCall("drop"), *calls) if first.skill == "pick_up" else calls


def _calls(instr: Any) -> tuple[SkillCall, ...]:
    from minigrid.envs.babyai.core import verifier

    if isinstance(instr, verifier.GoToInstr):
        return (SkillCall("go_to", (_name(instr.desc),)),)
    if isinstance(instr, verifier.OpenInstr):
        return (SkillCall("open", (_name(instr.desc),)),)
    if isinstance(instr, verifier.PickupInstr):
        # Put down at once, as the bot does, so that the hands are free for what comes next.
        return (SkillCall("pick_up", (_name(instr.desc),)), SkillCall("drop"))
    if isinstance(instr, verifier.PutNextInstr):
        moved, beside = _name(instr.desc_move), _name(instr.desc_fixed)
        return (SkillCall("pick_up", (moved,)), SkillCall("put_next_to", (beside,)))
    parts = [(instr.instr_a, instr.a_done), (instr.instr_b, instr.b_done)]
    if isinstance(instr, verifier.AfterInstr):
        parts.reverse()
    return tuple(call for part, done in parts if done != "success" for call in _calls(part))


def mentioned(instr: Any) -> list[Any]:
    """The descriptions in a mission, which its verifier keeps up to date."""
    found = [
        each
        for name in ("desc", "desc_move", "desc_fixed")
        if (each := getattr(instr, name, None)) is not None
    ]
    for name in ("instr_a", "instr_b"):
        if hasattr(instr, name):
            found += mentioned(getattr(instr, name))
    return found


def _name(described: Any) -> str:
    """`red ball`, `object`, `key on your left`: the mission's words, without an article."""
    place = PLACES.get(described.loc, "")
    return " ".join(filter(None, (described.color, described.type or THING, place)))
