"""An agent in another interpreter, as an agent of this one: `--interpreter agent=PATH`.

Turns go over by the protocol that adapters have. Nothing of the agent is imported here: also what
its class declares, and its fingerprint, are asked of the other interpreter.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core import Agent, AgentUnavailable, Answer, Brief, Missing, Turn, UserError
from harness.host.client import Client, HostFault
from harness.host.footprint import checked_footprint
from harness.records.identity import AgentSpec

__all__ = ["AgentFailed", "HostedAgent", "HostedAgentSpec"]

NO_LIMIT_S = 1e7
"""A child has no deadline of its own: whoever calls the agent has one (`--agent-timeout`)."""
MOST_BRIEFS = 1000
"""Briefs that the child keeps; beyond, all are sent again."""


class AgentFailed(Exception):
    """What the agent raised in the other interpreter, as a text."""


@dataclass(frozen=True)
class Remembered:
    """Stands for a memory that the child keeps."""

    child: int
    """The number of the child: another one does not have it."""
    number: int


@dataclass(frozen=True)
class HostedAgentSpec(AgentSpec):
    """An agent by its entry and arguments, and the Python that it lives in.

    What the other interpreter says of the agent's class, its files and its packages is asked once,
    and travels with the spec.
    """

    python: str
    """The path of the interpreter."""

    def kind(self) -> type[Agent]:
        """A class that declares what the agent's own class declares for these arguments."""
        said = self._facts
        fields = {
            **{name: said[name] for name in ("reads", "history", "gpus", "served")},
            **{name: said[name] for name in ("files", "outputs")},
            "spec": self,
            "__module__": said["module"],
        }
        return type(str(said["class"]), (_Declared,), fields)

    def declared(self) -> tuple[tuple[str, ...], int]:
        return self._facts["reads"], self._facts["history"]

    def build(self) -> Agent:
        """Raises UserError with the cause if the interpreter or the agent cannot be started."""
        return HostedAgent(self)

    def fingerprint(self, later: Collection[str] = ()) -> str:
        """16 hexadecimal digits over what the agent's own cover, and over its interpreter."""
        inside = (
            self._ask("fingerprint", list(later)) if later else self._facts["json"]["fingerprint"]
        )
        return self._combined(str(inside))

    def named(self) -> dict[str, str]:
        return dict(self._facts["named"])

    def written_since(self, begun: Mapping[str, Any]) -> list[str]:
        found: list[str] = self._ask("written_since", _plain(begun))
        return found

    def to_json(self, begun: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What run.json says of the agent; `interpreter` has the versions of its packages."""
        said = self._facts["json"] if begun is None else self._ask("to_json", _plain(begun))
        packages = self._facts["packages"]
        versions = json.dumps(packages, sort_keys=True).encode()
        checksum = f"{zlib.crc32(versions):08x}"
        return {
            **said,
            "fingerprint": self._combined(said["fingerprint"]),
            "files": {**said["files"], "interpreter/packages": checksum},
            "interpreter": packages,
        }

    def unfit(self, brief: Brief) -> Missing | None:
        """Why the agent cannot play with this body; asked once of equal ones, in each process."""
        if not self._facts["judges_fit"]:
            return None
        for known, answer in self._fits:
            if known == brief:
                return answer
        found: Missing | None
        with _asked(self) as client:
            found = client.call("agent_unfit", self.entry, dict(self.args), brief)
        self._fits.append((brief, found))
        return found

    @functools.cached_property
    def _fits(self) -> list[tuple[Brief, Missing | None]]:
        return []

    @functools.cached_property
    def _facts(self) -> dict[str, Any]:
        """What `AgentHost.describe` says, and `packages`: python, and each installed package.

        The path of the interpreter is no part of it: the same packages in another place are the
        same agent.
        """
        with _asked(self) as client:
            said = dict(client.call("agent_describe", self.name, self.entry, dict(self.args)))
            said["packages"] = {"python": client.versions["python"], **said["packages"]}
        return said

    def _ask(self, question: str, given: Any) -> Any:
        with _asked(self) as client:
            arguments = self.name, self.entry, dict(self.args)
            return client.call("agent_ask", *arguments, question, [given])

    def _combined(self, inside: str) -> str:
        text = json.dumps([inside, self._facts["packages"]], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class _Declared(Agent):
    """The class of an agent in another interpreter; `HostedAgentSpec.build` makes the agent."""

    spec: HostedAgentSpec

    @classmethod
    def unfit(cls, arguments: Mapping[str, Any], brief: Brief) -> Missing | None:
        return cls.spec.unfit(brief)

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        raise TypeError("this class only declares: the agent itself is built by its spec")


class HostedAgent(Agent):
    """Asks the agent in a child process, which is started again if it dies.

    `act` raises AgentFailed with what the agent raised. It raises AgentUnavailable if the child
    died: when an episode's memory died with it, or when a new child dies at once, too.
    """

    def __init__(self, spec: HostedAgentSpec) -> None:
        """Start the child and build the agent there. Raises UserError if that fails."""
        self._spec = spec
        self._child = 0
        self._client: Client | None = None
        self._briefs: list[Brief] = []
        self.footprint = {}
        with _as_user_error(spec):
            reads, history = self._start()
        self.reads = tuple(reads)  # type: ignore[misc]
        self.history = history  # type: ignore[misc]

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        # Drawn before anything is sent: a view that cannot be drawn is the simulator's fault.
        drawn = [[*map(_kept, turn.observations[:-1]), dict(turn.observation)] for turn in turns]
        for last in (False, True):
            self._require_memories(turns)
            try:
                return self._asked(turns, drawn)
            except HostFault as fault:
                self._end_child()
                if last:
                    raise AgentUnavailable(f"the agent's interpreter failed: {fault}") from None
        raise AssertionError("unreachable")

    def embed(self, texts: Sequence[str]) -> Any:
        try:
            if self._client is None:
                self._start()
            assert self._client is not None
            return self._judged(self._client.call("agent_embed", list(texts)), "embedded")
        except HostFault as fault:
            self._end_child()
            raise AgentUnavailable(f"the agent's interpreter failed: {fault}") from None

    def end(self, episodes: Iterable[str]) -> None:
        if self._client is None:  # what was kept died with the child
            return
        try:
            told = self._judged(self._client.call("agent_end", list(episodes)), "ended")
        except HostFault as fault:
            self._end_child()
            raise AgentUnavailable(f"the agent's interpreter failed: {fault}") from None
        self.footprint = checked_footprint(told)

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _start(self) -> Any:
        """Start a child and build the agent; returns (reads, history)."""
        spec = self._spec
        client = Client(spec.python, spec.entry, NO_LIMIT_S)
        try:
            declared = client.call("agent_build", spec.name, spec.entry, dict(spec.args))
        except BaseException:
            client.kill()
            raise
        self._client, self._child, self._briefs = client, self._child + 1, []
        return declared

    def _asked(self, turns: Sequence[Turn], drawn: Sequence[Sequence[Any]]) -> list[Any]:
        if self._client is None:
            try:
                self._start()
            except UserError as refused:  # it was built before: something around it has changed
                raise HostFault(str(refused)) from None
        assert self._client is not None
        self._client.reset()
        briefs: dict[int, Brief] = {}
        sent = [self._fields(turn, views, briefs) for turn, views in zip(turns, drawn)]
        try:
            said = self._client.call("agent_act", briefs, sent)
        except BaseException:
            self._briefs = []  # it is not known which of them arrived
            raise
        answers = self._judged(said, "answers")
        return [self._answer(each) for each in answers]

    def _fields(self, turn: Turn, views: Sequence[Any], briefs: dict[int, Brief]) -> list[Any]:
        memory = turn.memory.number if isinstance(turn.memory, Remembered) else None
        fields = {
            "instruction": turn.instruction,
            "observations": tuple(views),
            "actions": turn.actions,
            "step": turn.step,
            "expert": turn.expert,
            "skills": turn.skills,
            "rng_key": str(turn.rng_key),  # it has more bits than an integer of msgpack
        }
        return [self._number(turn.brief, briefs), turn.episode, memory, fields]

    def _number(self, brief: Brief, new: dict[int, Brief]) -> int:
        """The number by which the child knows this brief; `new` takes it if it does not."""
        for number, known in enumerate(self._briefs):
            if known is brief:
                return number
        if len(self._briefs) >= MOST_BRIEFS and not new:
            self._briefs.clear()
        self._briefs.append(brief)
        new[len(self._briefs) - 1] = brief
        return len(self._briefs) - 1

    def _answer(self, told: Any) -> Any:
        if told[0] == 0:
            return told[1]
        _, actions, rest, number, *notes = told
        memory = None if number is None else Remembered(self._child, number)
        return Answer(actions, memory, rest, *notes)

    def _judged(self, said: Any, word: str) -> Any:
        kind, value = said
        if kind == "unavailable":
            raise AgentUnavailable(value)
        if kind != word:
            raise AgentFailed(value)
        return value

    def _require_memories(self, turns: Sequence[Turn]) -> None:
        """Raises AgentUnavailable if a turn's memory died with its child."""
        known = self._child if self._client is not None else None
        for turn in turns:
            if isinstance(turn.memory, Remembered) and turn.memory.child != known:
                raise AgentUnavailable("what the agent remembered died with its interpreter")

    def _end_child(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.kill()


def _kept(observation: Mapping[str, Any]) -> dict[str, Any]:
    """The views of an earlier observation, but those that were lost with its step.

    An agent that reads all views on offer (`*`) has only those that were drawn in time: the others
    raise KeyError here, and are missing in the other interpreter.
    """
    found = {}
    for name in observation:
        with contextlib.suppress(KeyError):
            found[name] = observation[name]
    return found


@contextlib.contextmanager
def _asked(spec: HostedAgentSpec) -> Iterator[Client]:
    """A child that answers questions about this agent, and ends with the block."""
    with _as_user_error(spec):
        client = Client(spec.python, spec.entry, NO_LIMIT_S)
        try:
            yield client
        finally:
            client.kill()


@contextlib.contextmanager
def _as_user_error(spec: HostedAgentSpec) -> Iterator[None]:
    try:
        yield
    except HostFault as fault:
        remedy = fault.remedy or "correct --interpreter agent=PATH, or what the agent needs there"
        raise UserError(
            f"{spec.entry} in the interpreter {spec.python}: {fault}; {remedy}"
        ) from None


def _plain(value: Any) -> Any:
    """As JSON: a part of run.json may be of types that cannot pass to another interpreter."""
    return json.loads(json.dumps(value, default=dict))
