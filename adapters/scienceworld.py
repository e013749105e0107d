"""ScienceWorld (arXiv 2203.07540, the `scienceworld` package): thirty tasks of a primary school's science lessons, played in words.

The simulator is a Java program: one process for each adapter, spoken to on the loopback with a token. It lives as long as the pipe to its
standard input, so it dies with its worker, however that ends. The package's own wrapper is not used: at every step it also lists the
valid actions, which takes ten times as long as the step.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from harness.core import Adapter, Brief, Case, Missing, Task, Text, Texts, TimeStep, UserError

__all__ = ["ScienceWorldAdapter", "spread"]

SPLITS = ("train", "dev", "test")
ROOMS = (
    "kitchen",
    "hallway",
    "bathroom",
    "art studio",
    "workshop",
    "bedroom",
    "living room",
    "outside",
    "greenhouse",
    "foundry",
)
CHOICES = (
    "look around",
    "inventory",
    "wait1",
    *(f"{verb} {room}" for room in ROOMS for verb in ("open door to", "go to")),
)
REFUSALS = ("No known action matches", "Unknown action")
"""How the simulator begins its answer to what it does not understand."""
LOOK = "look at "
JAVA = ("-XX:+UseSerialGC", "-Xmx1g", "-XX:+UnlockExperimentalVMOptions", "-XX:hashCode=2")
"""The constant hash code makes sets of Java objects keep their order of insertion: else the order of things in a room depends on how many
objects there were before."""
CLOSING_S = 10.0


class _Java:
    """A Java process with the simulator in it; `server` is the package's PythonInterface."""

    def __init__(self) -> None:
        from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway
        from scienceworld.constants import BASEPATH, JAR_PATH

        port, token, self.process = launch_gateway(
            classpath=JAR_PATH,
            javaopts=list(JAVA),
            die_on_exit=True,
            cwd=BASEPATH,
            enable_auth=True,
            return_proc=True,
        )
        parameters = GatewayParameters(port=port, auth_token=token, auto_field=True)
        self._gateway: Any = JavaGateway(gateway_parameters=parameters, java_process=self.process)
        self.jvm = self._gateway.jvm
        self.server: Any = self.jvm.scienceworld.runtime.pythonapi.PythonInterface()

    def close(self) -> None:
        self._gateway.shutdown()
        self.process.stdin.close()
        try:
            self.process.wait(CLOSING_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class ScienceWorldAdapter(Adapter):
    """A person in a house of ten rooms does an experiment or finds things, one command a step: "open door to kitchen", "use thermometer
    on water", "focus on seed". `params`: `name` (the package's name of a task), `split` (`train`, `dev` or `test`, which is the default),
    `simplifications` (as the package's, separated by commas; none unless given) and `move_limit` (none unless given).

    Case.seed -> variation: one of the task's split, in a fixed order that spreads the first seeds over the whole split (`spread`); from the
    number of variations on they repeat. Some tasks have as few as 4 test variations.

    Views:
        text            Text   the answer to the last command; after reset, that to "look around"
        admissible      Texts  the valid commands now, sorted: the package's list, some hundreds of them. It costs ten steps or more
        text_inventory  Text   what the person carries
        text_look       Text   the room
    The last three take no time in the simulation. The package lists things that no name tells apart (two cups of red paint) under names
    drawn at random, and draws from the stream that also moves the animals, so that to ask for the list changes what happens. Here the list
    has a stream of its own, and such things go by their longest plain name ("red paint"). The instruction is the task's description.

    Action: Text. "look around" is the no-op: it takes no time. What the simulator does not understand takes none either and counts in
    `invalid_actions`. An ambiguous command is answered with a list; the next action is the number meant.

    Score: 0 to 100 points for the parts of the task; focusing on a wrong thing is -100 and ends the episode. The metric `score` is that
    with what is negative set to 0, as the package's example does ("Clip negative scores to 0 for average calculation"); the reward is the
    change of the unclipped score. Success: 100 points. `moves` is the simulated time: an action takes 0 or 1, "wait" 10. With
    `move_limit` the episode is truncated once `moves` exceeds it: the package's envStepLimit.

    The expert plays the package's gold path, made when the expert is first asked, in a Java process of its own: 2 to 20 s, the genetics
    tasks being the slowest. It is a fixed list: where another action was executed it insists on the one that was due, and after the last
    one it has given up.

    Raises UserError where a param does not exist.
    """

    packages: ClassVar[tuple[str, ...]] = ("scienceworld",)
    extra: ClassVar[str] = "scienceworld"
    patience_s: ClassVar[float] = 300.0
    """The gold path of a genetics task takes 10 s on one idle core."""

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        """The package, or Java."""
        absent = super().missing(task)
        if absent is None and shutil.which("java") is None:
            return Missing(
                "ScienceWorld needs Java, and there is no `java` on the PATH",
                "apt-get install default-jre-headless",
            )
        return absent

    @classmethod
    def env_key(cls, task: Task) -> str:
        """One kept Java process for all tasks."""
        return "scienceworld"

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        """Always."""
        return True

    def __init__(self, task: Task) -> None:
        self._java = _Java()
        self._server = self._java.server
        self._names = tuple(self._server.getTaskNames())
        classes = self._java.jvm.java.lang.Class
        self._chance = classes.forName("scala.util.Random$").getField("MODULE$").get(None)
        self._stream = classes.forName("scala.util.Random").getDeclaredField("self")
        self._stream.setAccessible(True)
        self._tests: dict[tuple[str, str], list[int]] = {}
        self._paths: dict[tuple[str, int, str], list[str]] = {}
        self._text = ""
        self._views: Mapping[str, Callable[[], Any]] = {
            "text": lambda: self._text,
            "admissible": self._admissible,
            "text_inventory": lambda: self._server.freeActionInventory(),
            "text_look": lambda: self._server.freeActionLook(),
        }
        self.brief = Brief(
            observation={
                "text": Text(meaning="the answer to the last command"),
                "admissible": Texts("the valid commands now, sorted"),
                "text_inventory": Text(meaning="what is carried"),
                "text_look": Text(meaning="the room and what can be seen in it"),
            },
            action=Text(300, CHOICES, "one command, as in `admissible`; look around does nothing"),
            embodiment="a person in a house of ten rooms: walks through doors, opens, carries, pours, mixes and uses things, and focuses "
            "on a thing to say that it is the answer",
            simulator="ScienceWorld, a text world with heat, electricity, chemistry and living things",
        )

    def reset(self, case: Case) -> TimeStep:
        """Load the variation of `case.seed`."""
        params = case.task.params
        self._name, self._simple = params["name"], params.get("simplifications", "")
        self._variation = self._variation_of(case, params.get("split", "test"))
        self._limit = params.get("move_limit", math.inf)
        self._gold: list[str] | None = None
        self._followed, self._invalid, self._gave_up = 0, 0, False
        self._server.load(self._name, self._variation, self._simple, False)
        self._do("look around")
        if self._text.startswith("ERROR"):
            raise UserError(
                f"ScienceWorld does not load {self._name}, variation {self._variation}, {self._simple!r}: {self._text}"
            )
        self._points = 0
        self._instruction = self._server.getTaskDescription()
        return self._seen(self._points)

    def step(self, action: Any) -> TimeStep:
        """Give one command."""
        command = self.brief.action.validate(action)
        self._do(command)
        self._invalid += self._text.startswith(REFUSALS)
        return self._seen(round(100 * self._server.getScore()))

    def expert(self, executed: Any) -> str | None:
        """The command of the gold path that is due, or None after the last."""
        if self._gold is None:
            key = (self._name, self._variation, self._simple)
            if key not in self._paths:
                java = (
                    _Java()
                )  # the path depends on what its Java process did before, so it gets a new one
                try:
                    java.server.load(*key, True)
                    self._paths[key] = list(java.server.getGoldActionSequence())
                finally:
                    java.close()
            self._gold = self._paths[key]
        elif self._followed < len(self._gold) and executed == self._gold[self._followed]:
            self._followed += 1
        self._gave_up = self._followed == len(self._gold)
        return None if self._gave_up else self._gold[self._followed]

    def state(self) -> bytes:
        """A digest of the last answer, and the simulated time."""
        return hashlib.blake2b(
            f"{self._moves} {self._points} {self._text}".encode(), digest_size=8
        ).digest()

    def close(self) -> None:
        """End the Java process."""
        self._java.close()

    def _admissible(self) -> tuple[str, ...]:
        own = self._stream.get(self._chance)
        self._stream.set(self._chance, self._java.jvm.java.util.Random(0))
        try:
            found = json.loads(self._server.getValidActionObjectCombinationsJSON())["validActions"]
        finally:
            self._stream.set(self._chance, own)
        templates = {
            row["template_id"]: row["action_example"]
            for row in json.loads(self._server.getPossibleActionsWithIDs())
        }
        # The numbers that answer an ambiguous request have no template.
        names = {
            row["obj_ids"][0]: row["action"][len(LOOK) :]
            for row in found
            if templates.get(row["template_id"]) == f"{LOOK}OBJ"
        }
        known = json.loads(self._server.getAllObjectIdsTypesReferentsLUTJSON())
        plain = {
            thing: [
                name
                for name in known.get(str(thing), {}).get("referents", ())
                if not name.startswith("ERROR")
            ]
            for thing in names
        }
        renamed = {
            thing: max(plain[thing], key=lambda name: (len(name), name))
            for thing in _alike(names, plain)
        }
        commands = set()
        for row in found:
            command = row["action"]
            if any(thing in renamed for thing in row["obj_ids"]):
                words = iter(renamed.get(thing, names[thing]) for thing in row["obj_ids"])
                command = "".join(
                    next(words) if part == "OBJ" else part
                    for part in re.split("(OBJ)", templates[row["template_id"]])
                )
            commands.add(command)
        return tuple(sorted(commands))

    def _variation_of(self, case: Case, split: str) -> int:
        if self._name not in self._names:
            raise UserError(
                f"task {case.task.id}: ScienceWorld has no task {self._name!r}; it has {', '.join(self._names)}"
            )
        if split not in SPLITS:
            raise UserError(
                f"task {case.task.id}: the split is one of {', '.join(SPLITS)}, got {split!r}"
            )
        if (self._name, split) not in self._tests:
            self._server.load(self._name, 0, "", False)
            self._tests[self._name, split] = list(
                getattr(self._server, f"getVariations{split.title()}")()
            )
        variations = self._tests[self._name, split]
        return variations[spread(case.seed, len(variations))]

    def _do(self, command: str) -> None:
        self._text = self._server.step(command)
        self._moves = self._server.getNumMoves()

    def _seen(self, points: int) -> TimeStep:
        reward, self._points = points - self._points, points
        over = bool(self._server.getCompleted()) or points < 0
        metrics = {
            "score": float(max(points, 0)),
            "moves": float(self._moves),
            "invalid_actions": float(self._invalid),
        }
        if self._gave_up:
            metrics["expert_gave_up"] = 1.0
        return TimeStep(
            self._views,
            self._instruction,
            float(reward),
            over,
            not over and self._moves > self._limit,
            points == 100,
            metrics,
        )


def _alike(names: Mapping[int, str], plain: Mapping[int, list[str]]) -> set[int]:
    """The things that no name tells apart: those with the same plain names, unless each lies in a place of its own that one name means."""
    listed, groups = Counter(names.values()), defaultdict(list)
    for thing in names:
        groups[frozenset(plain[thing])].append(thing)
    alike = set()
    for key, things in groups.items():
        places = [re.split(" in | on ", names[thing], maxsplit=1)[1:] for thing in things]
        apart = len({*map(tuple, places)}) == len(things) and all(
            place and listed[place[0]] == 1 for place in places
        )
        if key and len(things) > 1 and not apart:
            alike.update(things)
    return alike


def spread(seed: int, n: int) -> int:
    """The place of `seed` among `n`: n seeds in a row take each place once, and fewer lie apart (steps of about 0.618 n)."""
    stride = (
        next(step for step in range(max(1, round(0.618 * n)), n + 1) if math.gcd(step, n) == 1)
        if n > 1
        else 1
    )
    return seed * stride % n
