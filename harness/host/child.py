"""The child's side: an adapter or an agent, driven by messages.

client.py runs it: `python -I child.py JSON`.

Its Python needs numpy and msgpack. From the parent's folders it can import bench's own packages
only, through an import hook: packages of the parent's interpreter must not mix with the child's.
Requests are [operation, argument...]; answers are ["ok", value] or [kind of fault, text].
"""

from __future__ import annotations

import importlib.machinery
import json
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

MAY_NOT_PASS = ("reset", "step", "view", "skill", "agent_act", "agent_embed")
"""Operations whose answer is foreign: if it cannot pass, the adapter or the agent is at fault."""


class PackageFinder:
    """An import hook for the packages in `places` (top-level name -> folder).

    Finds no other module in those folders.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> Any:
        """Part of Python's import protocol; None leaves the module to the other hooks."""
        if path is not None or name not in self._places:
            return None
        return importlib.machinery.PathFinder.find_spec(name, [self._places[name]])


class Host:
    """The adapter of this process. Its public methods are the operations of the protocol."""

    def __init__(self) -> None:
        self._adapter: Any = None
        self._lanes: list[Any] = []
        self._brief: Any = None
        self._seen: dict[int, Mapping[str, Any]] = {}

    def code(self, entry: str, task: Any) -> dict[str, str]:
        """What the task's results depend on beside the adapter's packages."""
        from harness.host.loading import code_of
        from harness.records.registry import load

        return dict(code_of(load(entry), task))

    def ask(self, entry: str, question: str, arguments: Sequence[Any]) -> Any:
        """The result of the class method `question`, such as `missing` or `versions`."""
        from harness.records.registry import load

        return getattr(load(entry), question)(*arguments)

    def make(self, entry: str, task: Any, lanes: int) -> Any:
        """Build the adapter; returns its brief, or None if the adapter only sets it in reset."""
        from harness.core.lane import Lane, build_adapter
        from harness.records.registry import load

        self._adapter = build_adapter(load(entry), task, lanes)
        self._lanes = [Lane(self._adapter, number) for number in range(lanes)]
        self._brief = getattr(self._adapter, "brief", None)
        return self._brief

    def reset(self, cases: Mapping[int, Any]) -> Any:
        """Start cases on lanes."""
        batch = self._lanes[0].batch
        return self._tell(batch.reset(cases) if batch else {0: self._adapter.reset(cases[0])})

    def step(self, actions: Mapping[int, Any]) -> Any:
        """Execute one action on each of these lanes."""
        batch = self._lanes[0].batch
        return self._tell(batch.step(actions) if batch else {0: self._adapter.step(actions[0])})

    def view(self, lane: int, name: str) -> Any:
        """A view of the lane's last timestep."""
        value = self._seen[lane][name]
        return value() if callable(value) else value

    def render(self, lane: int) -> Any:
        """A frame for people."""
        return self._lanes[lane].render()

    def expert(self, lane: int, executed: Any) -> Any:
        """The expert's action."""
        return self._lanes[lane].expert(executed)

    def skill_objects(self, lane: int) -> Any:
        """What the arguments of its skills may be."""
        return self._lanes[lane].skill_objects()

    def skill(self, lane: int, call: Any, taken: int, executed: Any) -> Any:
        """The next action of a call, or its end."""
        return self._lanes[lane].skill(call, taken, executed)

    def expert_plan(self, lane: int) -> Any:
        """The expert's plan."""
        return self._lanes[lane].expert_plan()

    def stage(self, lane: int) -> Any:
        """How many stages have been reached."""
        return self._lanes[lane].stage()

    def failure_mode(self, lane: int) -> Any:
        """How the episode failed."""
        return self._lanes[lane].failure_mode()

    def factors(self, lane: int, case: Any) -> Any:
        """What the episode is about."""
        return dict(self._lanes[lane].factors(case))

    def other_goals(self, lane: int, case: Any) -> Any:
        """What else could be asked for in the scene."""
        return self._lanes[lane].other_goals(case)

    def goals_met(self, lane: int, executed: Any) -> Any:
        """Ids of the goals that are met."""
        return self._lanes[lane].goals_met(executed)

    def renderer_info(self) -> Any:
        """What draws the views."""
        return self._adapter.renderer_info()

    def close(self) -> None:
        """Free everything."""
        if self._adapter is not None:
            adapter, self._adapter = self._adapter, None
            adapter.close()

    def _tell(self, seen: Mapping[int, Any]) -> Any:
        """[the brief if it changed, {lane: the fields of its timestep, and the simulator's state}].

        The state comes along because the worker needs it after every step: one message, not two.
        """
        from harness.host.wire import LARGE, LAZY

        told = {}
        for lane, timestep in seen.items():
            self._seen[lane] = timestep.observation
            views = {
                name: LAZY if callable(value) or getattr(value, "nbytes", 0) >= LARGE else value
                for name, value in timestep.observation.items()
            }
            state = self._lanes[lane].state()
            told[lane] = [
                views,
                timestep.instruction,
                timestep.reward,
                timestep.terminated,
                timestep.truncated,
                timestep.success,
                timestep.metrics,
                state,
            ]
        brief = self._adapter.brief
        changed = brief is not self._brief
        self._brief = brief
        return [brief if changed else None, told]


def serve(wire: Any) -> None:
    """Answer requests until the other end is gone or sends `close`."""
    from harness.core import BadAction, UserError
    from harness.core.errors import describe
    from harness.core.values import BadValue

    host = Host()
    agents: list[Any] = []
    operations = {
        name: getattr(host, name)
        for name in (
            "code",
            "ask",
            "make",
            "reset",
            "step",
            "view",
            "render",
            "expert",
            "skill_objects",
            "skill",
            "expert_plan",
            "stage",
            "failure_mode",
            "factors",
            "other_goals",
            "goals_met",
            "renderer_info",
            "close",
        )
    }
    while True:
        try:
            operation, *arguments = wire.receive()
        except (EOFError, ConnectionError):
            return
        try:
            if operation.startswith("agent_") and not agents:
                # A child that hosts an adapter is spared the import.
                from harness.host.child_agent import AgentHost

                agents.append(AgentHost())
                operations.update(agents[0].operations)
            for agent in agents if operation == "close" else ():
                agent.close()
            answer = ["ok", operations[operation](*arguments)]
        except (BadAction, BadValue, UserError) as refused:
            answer = [type(refused).__name__, str(refused)]
        except BaseException as fault:
            answer = ["fault", describe(fault)]
        try:
            wire.send(answer)
        except (TypeError, ValueError, OverflowError) as unfit:
            # The adapter returned a value that cannot pass, such as the simulator's own type.
            kind = "BadValue" if operation in MAY_NOT_PASS else "fault"
            wire.send([kind, f"{operation}: {unfit}"])
        except ConnectionError:
            return
        if operation == "close":
            return


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, even inside a simulator's call.

    On other systems than Linux the closed socket ends it, as soon as the simulator returns.
    """
    if sys.platform == "linux":
        import ctypes
        import signal

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def main() -> None:
    """Send the greeting, then answer requests."""
    if sys.version_info < (3, 9):  # noqa: UP036
        sys.exit(f"Python 3.9 or newer is needed, this is {sys.version.split()[0]}")
    told = json.loads(sys.argv[1])
    die_with_parent()
    sys.meta_path.insert(0, PackageFinder(told["places"]))
    sys.path += told["path"]
    import socket

    import msgpack
    import numpy as np

    from harness.host.wire import MAGIC, PROTOCOL, Memory, Wire

    wire = Wire(socket.socket(fileno=told["socket"]), Memory(told["memory"]), writes=True)
    python = ".".join(map(str, sys.version_info[:3]))
    wire.send(
        [
            MAGIC,
            PROTOCOL,
            {
                "python": python,
                "numpy": np.__version__,
                "msgpack": ".".join(map(str, msgpack.version)),
            },
        ]
    )
    serve(wire)


if __name__ == "__main__":
    main()
