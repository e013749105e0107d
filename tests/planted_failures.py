"""Agents with one known failure each, for what is to name it. They need nothing of the tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from harness.core import Agent, Answer, Turn, UIAction

AHEAD, LEFT, RIGHT, TOGGLE = 2, 0, 1, 5
EMPTY = 1
GRASPED = 8
"""Steps in which Meta-World's expert closes the gripper until it holds the object."""
NAMES = {4: "door", 5: "key", 6: "ball", 7: "box"}
COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
"""MiniGrid's numbers."""


class Failing(Agent):
    """Answers one turn at a time."""

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [self.one(turn) for turn in turns]

    def one(self, turn: Turn) -> Any:
        """The answer to this turn."""
        raise NotImplementedError


class NeverMoves(Failing):
    """Does nothing."""

    def one(self, turn: Turn) -> Any:
        return turn.brief.action.noop()


class Repeats(Failing):
    """These actions, again and again."""

    def __init__(self, actions: Sequence[Any]) -> None:
        self.actions = actions

    def one(self, turn: Turn) -> Any:
        action = self.actions[turn.step % len(self.actions)]
        return np.array(action, np.float32) if isinstance(action, list) else action


class Clicks(Failing):
    """The same click again and again, where nothing is."""

    def one(self, turn: Turn) -> Any:
        return UIAction("click", x=1.0, y=209.0)


class UnknownRefs(Failing):
    """Clicks what is not on the page."""

    def one(self, turn: Turn) -> Any:
        return UIAction("click", ref=9999 - turn.step)


class Raises(Failing):
    """Raises at its fourth step."""

    def one(self, turn: Turn) -> Any:
        if turn.step >= 3:
            raise RuntimeError("planted")
        return turn.brief.action.noop()


class Stops(Failing):
    """The expert's first `steps` actions, then nothing."""

    reads = ("expert",)

    def __init__(self, steps: int = 1) -> None:
        self.steps = steps

    def one(self, turn: Turn) -> Any:
        goes = turn.step < self.steps and turn.expert is not None
        return turn.expert if goes else turn.brief.action.noop()


class TurnsAround(Failing):
    """Turns to either side, at random: no cycle, and its time runs out."""

    def one(self, turn: Turn) -> Any:
        return int(turn.rng.integers(2))


class NeverToggles(Failing):
    """The expert, but where that opens, it turns to either side, at random."""

    reads = ("expert",)

    def one(self, turn: Turn) -> Any:
        return int(turn.rng.integers(2)) if turn.expert in (None, TOGGLE) else turn.expert


class WalksTo(Failing):
    """Walks in MiniGrid's view to the next thing of a kind, and does `then` in front of it.

    `kind`: a number of MiniGrid's; None: an object that the mission does not name.
    """

    reads = ("grid",)

    def __init__(self, kind: int | None = None, then: int = 6, colour: int | None = None) -> None:
        self.kind, self.then, self.colour = kind, then, colour

    def one(self, turn: Turn) -> Any:
        grid = turn.observation["grid"]
        if self._wants(grid[3, 5], turn.instruction):
            return self.then
        ways: dict[tuple[int, int, int], int | None] = {(3, 6, 0): None}
        queue = list(ways)
        for x, y, way in queue:
            ahead = x + (0, 1, 0, -1)[way], y + (-1, 0, 1, 0)[way]
            inside = 0 <= ahead[0] < 7 and 0 <= ahead[1] < 7
            first = ways[x, y, way]
            if inside and first is not None and self._wants(grid[ahead], turn.instruction):
                return first
            moves = [(LEFT, (x, y, (way - 1) % 4)), (RIGHT, (x, y, (way + 1) % 4))]
            if inside and grid[ahead][0] == EMPTY:
                moves.append((AHEAD, (*ahead, way)))
            for move, after in moves:
                if after not in ways:
                    ways[after] = move if first is None else first
                    queue.append(after)
        free = grid[3, 5, 0] == EMPTY and turn.rng.random() < 0.8
        return AHEAD if free else int(turn.rng.integers(2))

    def _wants(self, cell: Any, mission: str) -> bool:
        kind, colour, _ = (int(each) for each in cell)
        if self.kind is not None:
            return kind == self.kind and self.colour in (None, colour)
        named = NAMES.get(kind, "")
        words = mission.split()
        return bool(named) and not (named in words and COLOURS[colour] in words)


class TakesWrongEnd(Failing):
    """In a Memory level it walks to the junction, and there to a side at random."""

    reads = ("grid",)

    def one(self, turn: Turn) -> Any:
        grid, turned = turn.observation["grid"], turn.memory or 0
        if grid[3, 5, 0] == EMPTY and grid[3, 6, 0] is not None:
            return Answer([AHEAD], memory=turned)
        return Answer([int(turn.rng.integers(2))], memory=turned + 1)


class LetsGo(Failing):
    """The expert until the object is `height` m above where it was, then it opens the gripper.

    `place`: where its height stands in the view `state`; `release`: the action from then on.
    """

    reads = ("expert", "state")

    def __init__(self, place: int, release: Sequence[float], height: float = 0.06) -> None:
        self.place, self.release, self.height = place, release, height

    def one(self, turn: Turn) -> Any:
        now = float(turn.observation["state"][self.place])
        first, gone = turn.memory or (now, False)
        gone = gone or now >= first + self.height
        action = np.array(self.release, np.float32) if gone or turn.expert is None else turn.expert
        return Answer([action], memory=(first, gone))


class Jitters(LetsGo):
    """The same, but it holds on to the object and trembles."""

    def one(self, turn: Turn) -> Any:
        answer = super().one(turn)
        if not answer.memory[1]:
            return answer
        held = np.array(self.release, np.float32)
        held[:3] = turn.rng.uniform(-0.3, 0.3, 3)
        return Answer([held], memory=answer.memory)


class DropsSometimes(Failing):
    """The expert; but in a share of the cases it lifts the object straight up, and lets go of it.

    In Meta-World's pick-place, where the goal is at least 15 cm beside the object: what falls from
    straight above its start is not at the goal. The case decides, and `salt`: agents of other salts
    drop in other cases. `let_go` has the `rng_key` of each episode of this process in which it did.
    """

    reads = ("expert", "state")
    let_go: ClassVar[set[int]] = set()

    def __init__(self, share: float = 0.3, salt: int = 0) -> None:
        self.share, self.salt = share, salt

    def one(self, turn: Turn) -> Any:
        height = float(turn.observation["state"][6])
        if turn.memory is None:
            drops = bool(turn.rng.random(self.salt + 1)[-1] < self.share)
            return Answer([turn.expert], memory=(height, drops, 0, False))
        first, drops, closing, gone = turn.memory
        closing += bool(turn.expert is not None and turn.expert[3] > 0)
        if drops and not gone and height >= first + 0.06:
            gone = True
            self.let_go.add(turn.rng_key)
        # The expert carries at once, so from its first firm hold on the way is straight up.
        lifts = drops and closing >= GRASPED
        action = np.array([0, 0, 1, -1 if gone else 1], np.float32) if lifts else turn.expert
        return Answer([action], memory=(first, drops, closing, gone))


class Noisy(Failing):
    """The expert, but at a share of the steps any action: it fails for no reason of its own.

    Agents of other salts err at other steps.
    """

    reads = ("expert",)

    def __init__(self, epsilon: float = 0.5, salt: int = 0) -> None:
        self.epsilon, self.salt = epsilon, salt

    def one(self, turn: Turn) -> Any:
        rng = np.random.default_rng([turn.rng_key % 2**64, turn.step, self.salt])
        errs = turn.expert is None or rng.random() < self.epsilon
        return turn.brief.action.sample(rng) if errs else turn.expert


class NoAction(Failing):
    """Texts that name no action, each another one."""

    def one(self, turn: Turn) -> Any:
        return f"(fly pig{turn.step} moon)"


class HalfPlan(Failing):
    """The expert's plan without its last half."""

    reads = ("expert",)

    def one(self, turn: Turn) -> Any:
        lines = (turn.expert or "").splitlines()
        return "\n".join(lines[: len(lines) // 2])


class Wanders(Failing):
    """An action that applies now, at random."""

    reads = ("admissible",)

    def one(self, turn: Turn) -> Any:
        known = turn.observation["admissible"]
        return known[int(turn.rng.integers(len(known)))] if known else ""


class WrongText(Failing):
    """Types another text into the first field, and submits."""

    reads = ("dom",)

    def one(self, turn: Turn) -> Any:
        elements = turn.observation["dom"]
        fields = [each for each in elements if each.tag.startswith("input") and not each.value]
        buttons = [each for each in elements if each.tag.startswith("button")]
        if turn.step == 0 and fields:
            return UIAction("click", ref=fields[0].ref)
        if turn.step == 1:
            return UIAction("type", text="planted")
        return UIAction("click", ref=buttons[-1].ref) if buttons else UIAction("wait")


class Approaches(Failing):
    """Walks in MiniWorld to the nearest object, by the state: mostly not the one asked for."""

    reads = ("state",)

    def one(self, turn: Turn) -> Any:
        state = turn.observation["state"]
        x, z, cosine, sine = (float(each) for each in state[:4])
        things = state[5:].reshape(-1, 3)
        there = min(things, key=lambda each: float(np.hypot(each[0] - x, each[1] - z)))
        across, along = float(there[0]) - x, float(there[1]) - z
        # Headings are counter-clockwise from x as seen from above, and z points down there.
        turned = np.arctan2(-along, across) - np.arctan2(sine, cosine)
        turned = float(np.arctan2(np.sin(turned), np.cos(turned)))
        if abs(turned) < 0.4:
            return AHEAD
        return LEFT if turned > 0 else RIGHT


class TakesWrong(Failing):
    """The expert of a text game, but it takes what the task does not name, and then looks."""

    reads = ("expert", "admissible")

    def one(self, turn: Turn) -> Any:
        if turn.memory:
            return Answer(["look"], memory=True)
        for command in turn.observation["admissible"]:
            thing = command.removeprefix("take ").partition(" from ")[0]
            kind = thing.rstrip("0123456789 ")
            if command.startswith("take ") and kind not in turn.instruction.lower():
                return Answer([command], memory=True)
        goes = turn.expert is not None and not turn.expert.startswith("take ")
        return turn.expert if goes else self._any(turn)

    def _any(self, turn: Turn) -> str:
        known = [each for each in turn.observation["admissible"] if each.startswith("go ")]
        return known[int(turn.rng.integers(len(known)))] if known else "look"


class FocusesWrong(Failing):
    """In ScienceWorld, it says that something else than the answer is the answer."""

    reads = ("expert", "admissible")

    def one(self, turn: Turn) -> Any:
        known = [each for each in turn.observation["admissible"] if each.startswith("focus on ")]
        return next((each for each in known if each != turn.expert), "look around")


class HoversNear(Failing):
    """In PointMaze, the expert until 2 m before the goal; from there it creeps, and stops."""

    reads = ("expert", "state")

    def one(self, turn: Turn) -> Any:
        state = turn.observation["state"].astype(np.float64)
        to_goal, speed = state[4:6] - state[:2], state[2:4]
        left = float(np.linalg.norm(to_goal))
        if left > 2 and turn.expert is not None:
            return turn.expert
        wanted = to_goal / left * (0.3 if left > 0.85 else 0.0)
        return np.clip(2 * (wanted - speed), -1, 1).astype(np.float32)


class Drifts(Failing):
    """Pushes somewhere else at every step."""

    def one(self, turn: Turn) -> Any:
        return turn.brief.action.sample(turn.rng)
