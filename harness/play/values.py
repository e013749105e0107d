"""What crosses the border between the rollout loop and foreign code, checked once for all modes.

An answer that cannot be taken is the agent's fault, a timestep or a view that cannot be taken is
the simulator's: with one lane or many, here, in a worker, with a served agent or another
interpreter.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from harness.core import ActionSpec, Answer, Box, SkillCall, Spec, TimeStep, UIAction
from harness.core.batches import on_host
from harness.core.coercion import shown
from harness.core.errors import BadAction, describe
from harness.core.grammar import counted
from harness.core.skills import MOST_CALLS
from harness.core.values import (
    ON_GPU,
    BadValue,
    as_device_view,
    as_flag,
    as_number,
    as_text,
    as_view,
)

__all__ = [
    "AgentFault", "Chunk", "Hung", "SimulatorFault", "ViewReader", "actions_of",
    "checked_confidence", "checked_metrics", "checked_notes", "checked_state", "checked_timestep",
    "listed", "taken",
]  # fmt: skip

MOST_ACTIONS = 1_000_000
"""Of one answer; a trace holds no more either."""
MOST_FIGURES = 64
"""Of one answer."""
MOST_SAID = 20_000
"""Characters of what one answer adds to the transcript."""


class SimulatorFault(BadValue):
    """The adapter broke the contract; the message says how."""


class Hung(BaseException):
    """Raised into a call that does not return.

    A BaseException, so that no `except Exception` in foreign code swallows it.
    """

    def __str__(self) -> str:
        return "it did not return in time"


@dataclass(frozen=True)
class AgentFault:
    """Stands for the answer to a turn that the agent failed to give; `reason` is one line."""

    reason: str
    status: str = "agent_error"
    """`error` where whoever answers for the agent could not be asked (AgentUnavailable)."""
    failed_in: str = "agent"
    """As `Outcome.failed_in`; empty where a process was lost, so that nobody is known to blame."""


Move = tuple[Any, bool]
"""A value of the action spec, and whether it was clipped into the bounds."""


@dataclass(frozen=True)
class Chunk:
    """An `Answer` that was taken."""

    moves: list[Move | AgentFault]
    """An action that is no value of the spec counts when its turn comes."""
    memory: Any
    rest: list[Move | AgentFault] = field(default_factory=list)
    """What may act while the next answer is awaited."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """As `Answer.figures`."""
    said: str = ""
    """As `Answer.said`, in one line of at most MOST_SAID characters."""
    calls: tuple[SkillCall, ...] = ()
    """As `Answer.calls`; there are no moves then."""
    confidence: float | None = None
    """As `Answer.confidence`."""
    ask: bool = False
    """As `Answer.ask`; the only move is what acts if the expert has given up."""


def listed(given: Any, count: int) -> list[Any] | str:
    """What `act` returned for `count` turns as a list, or why it is none, in words.

    Raises what the foreign value's own methods raise.
    """
    unordered = isinstance(given, (str, bytes, Mapping, Set, Answer, UIAction))
    if unordered or not (hasattr(given, "__len__") and hasattr(given, "__iter__")):
        return (
            f"act must return a list with one answer for each turn, got {type(given).__name__} "
            f"{shown(given)}"
        )
    given = on_host(given)  # all at once: each answer by itself would wait for the device
    # One more than wanted is enough to see that there are too many, or no end of them.
    answers = list(itertools.islice(given, count + 1))
    if len(given) == len(answers) == count:
        return answers
    number = len(given) if len(given) != count else len(answers)
    return f"answered {number} of {counted(count, 'turn')}"


def actions_of(answer: Move | Chunk | AgentFault) -> list[Any]:
    """The actions of what `call_agent` returned for a turn; a fault stands for itself."""
    moves = answer.moves if isinstance(answer, Chunk) else [answer]
    return [move if isinstance(move, AgentFault) else move[0] for move in moves]


def taken(answer: Any, spec: ActionSpec) -> Move | Chunk | AgentFault:
    """What the loop executes of an agent's answer: nothing foreign is left of it but the memory.

    An agent that asks another process, where answers were taken already, returns a Chunk or an
    AgentFault itself. Raises KeyboardInterrupt and Hung only, whatever the answer's own methods
    raise.
    """
    if type(answer) is Chunk or type(answer) is AgentFault:
        return answer
    try:
        if isinstance(answer, Answer):
            return _chunk(answer, spec)
        return spec.coerce(answer)
    except BadAction as bad:
        return AgentFault(str(bad)[:500])
    except (KeyboardInterrupt, Hung):
        raise
    except BaseException as fault:
        return AgentFault(f"the answer cannot be converted: {describe(fault)}")


def _chunk(answer: Answer, spec: ActionSpec) -> Chunk | AgentFault:
    if not (isinstance(answer.calls, (tuple, list)) and not answer.calls):
        return _called(answer)
    ask: object = answer.ask
    if type(ask) is not bool:
        return AgentFault(f"Answer.ask must be true or false, got {shown(ask)}")
    moves = _moves(answer.actions, "actions", spec)
    if isinstance(moves, AgentFault):
        return moves
    if answer.ask:
        moves = moves[:1] or [spec.coerce(spec.noop())]
    if not moves:
        return AgentFault("an Answer needs at least one action")
    rest = (
        _moves(answer.rest, "rest", spec) if type(answer.rest) is not tuple or answer.rest else []
    )
    if isinstance(rest, AgentFault):
        return rest
    if not answer.figures and not answer.said and answer.confidence is None and not answer.ask:
        return Chunk(moves, answer.memory, rest)
    try:
        figures, said = checked_notes(answer.figures, answer.said)
        confidence = checked_confidence(answer.confidence)
    except BadValue as bad:
        return AgentFault(str(bad))
    return Chunk(moves, answer.memory, rest, figures, said, (), confidence, answer.ask)


def _called(answer: Answer) -> Chunk | AgentFault:
    """An answer of calls. Whether there are such skills is for whoever plays them to say."""
    given = answer.calls
    if not isinstance(given, (tuple, list)) or len(given) > MOST_CALLS:
        return AgentFault(f"Answer.calls must be a list of at most {MOST_CALLS} SkillCalls")
    if len(answer.actions):
        return AgentFault("an Answer holds actions or calls, and not both")
    try:
        figures, said = checked_notes(answer.figures, answer.said)
        confidence = checked_confidence(answer.confidence)
    except BadValue as bad:
        return AgentFault(str(bad))
    return Chunk([], answer.memory, [], figures, said, tuple(given), confidence)


def checked_notes(figures: Any, said: Any) -> tuple[dict[str, float], str]:
    """`Answer.figures` as finite floats by name, and `Answer.said` as one line. Raises BadValue."""
    if not isinstance(figures, Mapping) or len(figures) > MOST_FIGURES:
        raise BadValue(f"Answer.figures must be at most {MOST_FIGURES} numbers by name")
    taken = {
        as_text(name, "the name of a figure"): as_number(value, f"the figure {shown(name)}")
        for name, value in figures.items()
    }
    return taken, " ".join(as_text(said, "Answer.said")[:MOST_SAID].splitlines())


def checked_confidence(given: Any) -> float | None:
    """`Answer.confidence` as a float, or None where none is given. Raises BadValue."""
    if given is None:
        return None
    taken = as_number(given, "Answer.confidence")
    if not 0.0 <= taken <= 1.0:
        raise BadValue(f"Answer.confidence must be a chance in [0, 1], got {shown(given)}")
    return taken


def _moves(given: Any, part: str, spec: ActionSpec) -> list[Move | AgentFault] | AgentFault:
    """The actions of one part of an answer, up to the first that is no value of the spec."""
    if isinstance(given, (str, bytes, Mapping, Set, UIAction)) or not hasattr(given, "__iter__"):
        return AgentFault(
            f"Answer.{part} must be a list of actions, got {type(given).__name__} {shown(given)}"
        )
    try:
        actions = list(itertools.islice(given, MOST_ACTIONS + 1))
    except TypeError as fault:  # an array without a dimension
        return AgentFault(f"Answer.{part} must be a list of actions: {fault}")
    if len(actions) > MOST_ACTIONS:
        return AgentFault(f"an Answer may hold {MOST_ACTIONS} actions, and this one holds more")
    moves: list[Move | AgentFault] = []
    for action in actions:
        move = taken(action, spec)
        if isinstance(move, Chunk):
            move = AgentFault("an action of an Answer must not be an Answer itself")
        moves.append(move)
        if isinstance(move, AgentFault):
            break  # nothing is executed after it
    return moves


def checked_timestep(seen: Any) -> TimeStep:
    """A timestep whose instruction, reward and flags are plain and whose parts have their types.

    The views are checked when they are read, the metrics at the episode's end. Raises
    SimulatorFault, which names the part. This runs at every step: a timestep in which all is as
    the contract says is returned as it is.
    """
    if (
        type(seen) is TimeStep
        and type(reward := seen.reward) is float
        and reward - reward == 0.0
        and ((over := seen.terminated) is False or over is True)
        and ((over := seen.truncated) is False or over is True)
        and ((success := seen.success) is None or success is False or success is True)
        and type(seen.instruction) is str
        and seen.instruction.isascii()
        and type(seen.observation) is dict
        and type(seen.metrics) is dict
    ):
        return seen
    if not isinstance(seen, TimeStep):
        raise SimulatorFault(f"expected a TimeStep, got {type(seen).__name__} {shown(seen)}")
    for part in ("observation", "metrics"):
        if not isinstance(value := getattr(seen, part), Mapping):
            raise SimulatorFault(f"{part} must be a mapping, got {type(value).__name__}")
    try:
        return TimeStep(
            observation=seen.observation,
            instruction=as_text(seen.instruction, "the instruction"),
            reward=as_number(seen.reward, "the reward"),
            terminated=as_flag(seen.terminated, "terminated"),
            truncated=as_flag(seen.truncated, "truncated"),
            success=None if seen.success is None else as_flag(seen.success, "success"),
            metrics=seen.metrics,
        )
    except BadValue as bad:
        raise SimulatorFault(str(bad)) from None


def checked_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics as finite floats by name. Raises SimulatorFault, which names the metric."""
    try:
        return {
            as_text(name, "the name of a metric"): as_number(value, f"the metric {shown(name)}")
            for name, value in metrics.items()
        }
    except BadValue as bad:
        raise SimulatorFault(str(bad)) from None


def checked_state(state: Any) -> bytes:
    """The simulator's state. Raises SimulatorFault if it is not bytes."""
    if not isinstance(state, bytes):
        raise SimulatorFault(f"state() must return bytes, got {type(state).__name__}")
    return state


QuickViews = Sequence[tuple[str, Callable[[Any], bool]]]
"""Names of views, each with whether a value can be taken as it is, without a look at its parts."""


def _never(value: Any) -> bool:
    return False


class ViewReader:
    """Reads the views of one episode for the loop and the agent, each checked against its spec."""

    __slots__ = ("_specs", "cast", "outside")

    def __init__(self, specs: Mapping[str, Spec]) -> None:
        """`specs` are those of the adapter's brief."""
        self._specs = specs
        self.outside: dict[str, int] = {}
        """View -> how often it was read with a value outside its declared bounds."""
        self.cast: dict[str, str] = {}
        """View -> the dtype in which it came and its own, where it had to be cast."""

    def read(self, observation: Mapping[str, Any], name: str) -> Any:
        """The view's value, drawn if it is lazy.

        Raises SimulatorFault where it is missing or no value of its spec, and what drawing raises.
        """
        try:
            value = observation[name]
        except KeyError:
            raise SimulatorFault(f"the view {name} is missing") from None
        if callable(value):
            value = value()
        spec = self._specs[name]
        if type(spec) is Box and spec.holds(value):
            return value
        try:
            if name.startswith(ON_GPU):
                return as_device_view(spec, value, f"the view {name}")
            view = as_view(spec, value, f"the view {name}")
        except BadValue as bad:
            raise SimulatorFault(str(bad)) from None
        if view.outside:
            self.outside[name] = self.outside.get(name, 0) + 1
        if view.cast:
            self.cast[name] = f"{view.cast} to {view.value.dtype}"
        return view.value

    def read_all(self, observation: Mapping[str, Any], views: QuickViews) -> dict[str, Any]:
        """These views, which `quick` gave, each as `read` gives it; made at every step."""
        if type(observation) is not dict:  # it may draw a view when it is asked for it
            return {name: self.read(observation, name) for name, _ in views}
        seen = {}
        for name, holds in views:
            value = observation.get(name)
            seen[name] = value if holds(value) else self.read(observation, name)
        return seen

    def quick(self, names: Sequence[str]) -> QuickViews:
        """Each of the views with what tells whether a value is one of it as it is."""
        specs = [(name, self._specs[name]) for name in names]
        return [(name, spec.checker() if type(spec) is Box else _never) for name, spec in specs]

    def found(self) -> dict[str, dict[str, Any]]:
        """View -> `outside` (readings) and `cast` (dtypes), for the views that have any."""
        found: dict[str, dict[str, Any]] = {}
        for name, times in sorted(self.outside.items()):
            found.setdefault(name, {})["outside"] = times
        for name, dtype in sorted(self.cast.items()):
            found.setdefault(name, {})["cast"] = dtype
        return found
