"""Agents that answer odd values, and toys that show odd values: what is taken, and whose fault."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from toys import BatchedToy, ToyAdapter

from harness import core
from harness.core import Agent, Brief, Task, Text, TimeStep, Turn

HALF = "ab\ud83dcd"
"""Half of an emoji, as a cut-off JSON text gives it."""


class Tensor:
    """Refuses to become an array, as a tensor does that requires a gradient."""

    def detach(self) -> Any:
        raise AssertionError("nobody detaches it")

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


class Leaves:
    """Ends the process, whatever is asked of it."""

    def _leave(self, *_: Any, **__: Any) -> Any:
        raise SystemExit(0)

    __array__ = __index__ = __len__ = __iter__ = __float__ = _leave


class Unprintable:
    """Raises when it is printed."""

    def __repr__(self) -> str:
        raise OSError("no repr")


class Sly(str):
    """A text that lies about itself."""

    __slots__ = ()

    def __len__(self) -> int:
        raise OSError("no length")

    def encode(self, *_: Any, **__: Any) -> Any:
        raise OSError("no bytes")


Odd = Callable[[Any], Any]

Answer: Any = core.Answer
TAKEN: dict[str, Odd] = {
    "tuple": tuple,
    "list": lambda action: [float(x) for x in action],
    "float64": lambda action: np.asarray(action, np.float64),
    "scalars": lambda action: [np.float32(x) for x in action],
    "integers": lambda action: np.asarray(action).astype(int),
    "chunk-array": lambda action: Answer(np.stack([action] * 3)),
    "chunk-generator": lambda action: Answer(x for x in [action] * 3),
    "far": lambda action: np.asarray(action) * 1e30,
}
"""What an agent may answer in a Box, made from the plain action."""

REFUSED: dict[str, tuple[Odd, str]] = {
    "none": (lambda _: None, "expected numbers"),
    "dict": (lambda action: {"action": action}, "expected numbers"),
    "text": (lambda _: "left", "expected numbers"),
    "tensor": (lambda _: Tensor(), "tensor.detach().float().cpu().numpy()"),
    "tensors": (lambda _: [Tensor(), Tensor()], "tensor.detach().float().cpu().numpy()"),
    "ragged": (lambda _: [[0.1], [0.2, 0.3]], "cannot be converted"),
    "object": (lambda _: np.array([None, None], object), "got object"),
    "complex": (lambda action: np.asarray(action) + 0j, "got complex"),
    "bool": (lambda action: np.asarray(action) > 0, "got bool"),
    "nan": (lambda action: np.asarray(action) * np.nan, "NaN"),
    "batch": (lambda action: np.asarray(action)[None], "of shape (2,), got (1, 2)"),
    "huge": (lambda _: 10**1_000_000, "expected numbers"),
    "leaves": (lambda _: Leaves(), "SystemExit"),
    "unprintable": (lambda _: Unprintable(), "expected numbers"),
    "empty": (lambda _: Answer([]), "at least one action"),
    "letters": (lambda _: Answer("left"), "must be a list of actions, got str"),
    "mapping": (lambda _: Answer({"a": 1}), "must be a list of actions, got dict"),
    "number": (lambda _: Answer(5), "must be a list of actions, got int"),
    "no-axis": (lambda _: Answer(np.array(1.0)), "must be a list of actions"),
    "endless": (lambda action: Answer(itertools.repeat(action)), "holds more"),
    "nested": (lambda action: Answer([Answer([action])]), "an Answer itself"),
    "leaving-chunk": (lambda _: Answer(Leaves()), "SystemExit"),
    "second": (lambda action: Answer([action, None]), "expected numbers"),
}
"""What it may not answer there, and a word of the reason."""

TEXTS: dict[str, tuple[Odd, str]] = {
    "half": (lambda _: HALF, "half of a surrogate pair"),
    "half-in-chunk": (lambda _: Answer([HALF]), "half of a surrogate pair"),
    "bytes": (lambda _: b"look", "expected text"),
    "long": (lambda _: "x" * 101, "at most 100 characters"),
    "sly": (lambda _: Sly("look"), ""),
}
"""Answers where a text is wanted; no reason: it is taken."""


class OddAgent(Agent):
    """Answers what the instruction's last word names; the plain action where there is none."""

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return [self._one(turn) for turn in turns]

    def _one(self, turn: Turn) -> Any:
        plain, name = turn.brief.action.noop(), turn.instruction.split()[-1]
        if name in TAKEN:
            return TAKEN[name](plain)
        return (REFUSED | TEXTS).get(name, (lambda action: action, ""))[0](plain)


class ServedOddAgent(OddAgent):
    """One for all workers."""

    served = True


class OddBatch(Agent):
    """Answers all turns at once with a value that is no list of answers."""

    def __init__(self, how: str) -> None:
        self.how = how

    def act(self, turns: Sequence[Turn]) -> Any:
        actions: list[Any] = [turn.brief.action.noop() for turn in turns]
        return {
            "none": None,
            "generator": (action for action in actions),
            "text": "a" * len(turns),
            "dict": dict(enumerate(actions)),
            "set": set(range(len(turns))),
            "answer": Answer(actions),
            "leaves": Leaves(),
            "array": np.stack(actions),
            "more": [*actions, 0],
        }[self.how]


class Remembers(Agent):
    """Keeps a memory that no process but its own can hold, for the instructions with `lock`."""

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return [self._one(turn) for turn in turns]

    def _one(self, turn: Turn) -> Any:
        count = (turn.memory or {"count": 0})["count"] + 1
        assert count == turn.step + 1
        memory = {"count": count, "what": threading.Lock() if "lock" in turn.instruction else len}
        return Answer([turn.brief.action.noop()], memory)


class ServedRemembers(Remembers):
    """One for all workers."""

    served = True


class Sleeper:
    """Takes an hour to become a number."""

    def __index__(self) -> int:
        time.sleep(3600)
        return 0


class Sleeps(Agent):
    """Answers a Sleeper where the instruction says `sleep`."""

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return [Sleeper() if "sleep" in turn.instruction else 0 for turn in turns]


class Watcher(Agent):
    """Reads these views at each turn and does nothing."""

    def __init__(self, reads: Sequence[str] = ("state",), touch: str = "", forgive: bool = False):
        """`touch`: the view that it looks at; `forgive`: it goes on when that raises."""
        self.reads = tuple(reads)  # type: ignore[misc]
        self.touch, self.forgive = touch, forgive

    @classmethod
    def declares(cls, arguments: Any) -> tuple[tuple[str, ...], int]:
        return tuple(arguments.get("reads", ("state",))), 1

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        for turn in turns:
            for view in filter(None, [self.touch]):
                try:
                    assert np.isfinite(turn.observation[view]).all()
                except Exception:
                    if not self.forgive:
                        raise
        return [turn.brief.action.noop() for turn in turns]


class ServedWatcher(Watcher):
    """One for all workers."""

    served = True


def replace(seen: TimeStep, **parts: Any) -> TimeStep:
    """The timestep with other parts, whatever their types."""
    return dataclasses.replace(seen, **parts)


def _view(change: Callable[[np.ndarray], Any]) -> Callable[[TimeStep], TimeStep]:
    return lambda seen: replace(
        seen, observation={**seen.observation, "state": change(seen.observation["state"])}
    )


def _raise(fault: BaseException) -> Any:
    raise fault


ODD_STEPS: dict[str, tuple[Callable[[TimeStep], Any], str]] = {
    "shape": (_view(lambda state: state[:2]), "the view state must have the shape (4,), got (2,)"),
    "kind": (_view(lambda state: state.astype(int)), "the view state must have the dtype float32"),
    "nan-view": (_view(lambda state: state * np.nan), "the view state holds NaN"),
    "infinite": (_view(lambda state: state + np.inf), "the view state holds NaN or infinity"),
    "list": (_view(list), "the view state must be an array"),
    "absent-view": (_view(lambda _: None), "the view state must be an array"),
    "lazy-nan": (_view(lambda state: lambda: state * np.nan), "the view state holds NaN"),
    "lazy-fault": (_view(lambda _: lambda: _raise(OSError("no canvas"))), "no canvas"),
    "missing": (lambda seen: replace(seen, observation={}), "the view state is missing"),
    "no-views": (lambda seen: replace(seen, observation=None), "observation must be a mapping"),
    "no-step": (lambda _: None, "expected a TimeStep, got NoneType"),
    "success-share": (lambda seen: replace(seen, success=0.3), "success is 0.3"),
    "success-nan": (lambda seen: replace(seen, success=float("nan")), "success is nan"),
    "success-text": (lambda seen: replace(seen, success="False"), "success is 'False'"),
    "success-two": (lambda seen: replace(seen, success=np.array([True, False])), "success is an"),
    "reward-nan": (lambda seen: replace(seen, reward=float("nan")), "the reward is nan"),
    "reward-none": (lambda seen: replace(seen, reward=None), "the reward is None"),
    "reward-text": (lambda seen: replace(seen, reward="1"), "the reward is '1'"),
    "reward-two": (lambda seen: replace(seen, reward=np.ones(2)), "the reward is an array"),
    "terminated": (lambda seen: replace(seen, terminated=None), "terminated is None"),
    "metrics": (lambda seen: replace(seen, metrics=[1]), "metrics must be a mapping"),
    "metric": (lambda seen: replace(seen, metrics={"a": "b"}), "the metric 'a' is 'b'"),
    "metric-nan": (lambda seen: replace(seen, metrics={"a": np.nan}), "the metric 'a' is nan"),
    "metric-name": (lambda seen: replace(seen, metrics={3: 1.0}), "the name of a metric is 3"),
    "instruction": (lambda seen: replace(seen, instruction=b"go"), "the instruction is b'go'"),
    "half": (lambda seen: replace(seen, instruction=HALF), "half of a surrogate pair"),
}
"""What a simulator may not say, and words of the reason."""

FINE_STEPS: dict[str, Callable[[TimeStep], Any]] = {
    "success-array": lambda seen: replace(seen, success=np.array([bool(seen.success)])),
    "success-number": lambda seen: replace(seen, success=float(seen.success or 0)),
    "reward-array": lambda seen: replace(seen, reward=np.array([seen.reward])),
    "reward-bool": lambda seen: replace(seen, reward=np.bool_(seen.reward > 0)),
    "flags": lambda seen: replace(
        seen, terminated=np.bool_(seen.terminated), truncated=int(seen.truncated)
    ),
    "metrics-numpy": lambda seen: replace(
        seen, metrics={name: np.array([value]) for name, value in seen.metrics.items()}
    ),
}
"""What it may say in another type: the episode is the same as without it."""

KEPT_STEPS: dict[str, tuple[Callable[[TimeStep], Any], dict[str, Any]]] = {
    "float64": (_view(lambda state: state.astype(np.float64)), {"cast": "float64 to float32"}),
    "outside": (_view(lambda state: state + np.float32(100)), {"outside": 3}),
}
"""What is taken and told, and how."""


class OddToy(ToyAdapter):
    """From step 3 on, what it says is changed as the task's `odd` names."""

    def seen(self) -> TimeStep:
        odd = self.task.params.get("odd", "")
        changes = {
            **{name: change for name, (change, _) in ODD_STEPS.items()},
            **FINE_STEPS,
            **{name: change for name, (change, _) in KEPT_STEPS.items()},
        }
        seen = super().seen()
        return changes[odd](seen) if self.steps >= 3 and odd in changes else seen

    def expert(self, executed: Any) -> Any:
        if self.task.params.get("odd") == "expert" and self.steps >= 3:
            return np.full(2, np.nan)
        return super().expert(executed)

    def state(self) -> bytes:
        told: Any = super().state()
        return str(told) if self.task.params.get("odd") == "state" and self.steps >= 3 else told


class BatchedOddToy(BatchedToy):
    """Many of them at once."""

    form: ClassVar[type[ToyAdapter]] = OddToy


class TextToy(ToyAdapter):
    """Takes any text and stays where it is."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.brief = Brief(
            observation=self.brief.observation,
            action=Text(100, ("look",)),
            embodiment=self.brief.embodiment,
            simulator=self.brief.simulator,
        )

    @classmethod
    def env_key(cls, task: Task) -> str:
        return "text toy"

    def step(self, action: Any) -> TimeStep:
        self.brief.action.validate(action)
        self.steps += 1
        return self.seen()
