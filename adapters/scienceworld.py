"""ScienceWorld (arXiv 2203.07540, the `scienceworld` package): thirty primary-school science tasks.

The simulator is a Java program: one process per adapter, reached on the loopback interface with a
token. It exits when the pipe to its standard input closes, so it ends with its worker however that
ends. The package's own wrapper is not used: at every step it also lists the valid actions, which
takes ten times as long as the step.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import subprocess
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, ClassVar

from adapters._reached import Reached
from adapters._text_game import TextGameAdapter
from harness.core import Case, Missing, Task, Text, TimeStep, UserError

__all__ = ["ScienceWorldAdapter", "spread"]

STAGES = ("a quarter of the points", "half of the points", "three quarters", "all points")
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
"""How the simulator's answer to a command that it does not understand begins."""
LOOK = "look at "
JAVA = (
    "-XX:+UseSerialGC",
    "-Xmx1g",
    "-XX:+UnlockExperimentalVMOptions",
    "-XX:hashCode=2",
    "-XX:-UsePerfData",
)
"""With a constant hash code, sets of Java objects keep their order of insertion; with the default,
the order of things in a room depends on how many objects were created before. Performance data
would be a file in /tmp that stays there when the process is killed."""
CLOSING_S = 10.0


class _Java:
    """A Java process with the simulator in it; `server` is the package's PythonInterface."""

    def __init__(self) -> None:
        from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway
        from scienceworld.constants import BASEPATH, JAR_PATH

        port, token, self.process = launch_gateway(
            classpath=JAR_PATH,
            javaopts=[*JAVA, f"-Djava.io.tmpdir={tempfile.gettempdir()}"],
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


class ScienceWorldAdapter(TextGameAdapter):
    """A person in a house of ten rooms does experiments and finds things, by typed commands.

    Commands read "open door to kitchen", "use thermometer on water", "focus on seed". `params`:
    `name` (the package's name of a task), `split` (`train`, `dev` or `test`, the default),
    `simplifications` (the package's, comma-separated) and `move_limit`, both none by default.

    Case.seed -> variation: one of the split, in a fixed order that spreads the first seeds over the
    whole split (`spread`); from the number of variations on they repeat. Some tasks have as few as
    4 test variations.

    Views:
        text            Text   the answer to the last command; after reset, that to "look around"
        admissible      Texts  the valid commands now, sorted: the package's list of some hundreds.
                               It costs ten steps or more
        text_inventory  Text   what the person carries
        text_look       Text   the room
    The last three take no simulated time. Things that no name tells apart (two cups of red paint)
    are listed by the package under names drawn at random, from the same stream that moves the
    animals, so that asking for the list would change what happens. Here the list draws from a
    separate stream, and such things go by their longest plain name ("red paint"). The instruction
    is the task's description.

    Action: Text. "look around" is the no-op: it takes no time. A command that the simulator does
    not understand takes none either and counts in `invalid_actions`. An ambiguous command is
    answered with a list; the next action is the number that is meant.

    Score: 0 to 100 points for the parts of the task; focusing on a wrong thing gives -100 and ends
    the episode. The metric `score` is the points clipped at 0, as in the package's example ("Clip
    negative scores to 0 for average calculation"); the reward is the change of the unclipped
    points. Success: 100 points. `moves` is the simulated time: an action takes 0 or 1, "wait" 10.
    With `move_limit` the episode is truncated once `moves` exceeds it: the package's envStepLimit.

    The expert plays the package's gold path, computed when it is first asked for, in a Java process
    started for that: 2 to 20 s, the genetics tasks being the slowest. It is a fixed list: if
    another action was executed it insists on the one that was due; after the last one it has given
    up.

    Raises UserError on an unknown param value.
    """

    packages: ClassVar[tuple[str, ...]] = ("scienceworld",)
    extra: ClassVar[str] = "scienceworld"
    start_kind: ClassVar[str] = "countable"
    patience_s: ClassVar[float] = 300.0
    """The gold path of a genetics task takes 10 s on one idle core."""

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        absent = super().missing(task)
        if absent is None and shutil.which("java") is None:
            return Missing(
                "ScienceWorld needs Java, and there is no `java` on the PATH",
                "apt-get install default-jre-headless",
            )
        return absent

    def __init__(self, task: Task) -> None:
        self._java = _Java()
        self._server = self._java.server
        self._names = tuple(self._server.getTaskNames())
        classes = self._java.jvm.java.lang.Class
        # The simulator draws from the singleton scala.util.Random; its private field `self` holds
        # the java.util.Random behind it, which `_admissible` exchanges.
        self._random = classes.forName("scala.util.Random$").getField("MODULE$").get(None)
        self._random_source = classes.forName("scala.util.Random").getDeclaredField("self")
        self._random_source.setAccessible(True)
        self._variations: dict[tuple[str, str], list[int]] = {}
        self._gold_paths: dict[tuple[str, int, str], list[str]] = {}
        super().__init__(
            action=Text(300, CHOICES, "one command, as in `admissible`; look around does nothing"),
            embodiment="a person in a house of ten rooms: walks through doors, opens, carries, "
            "pours, mixes and uses things, and focuses on a thing to say that it is the answer",
            simulator="ScienceWorld, a text world with heat, electricity, chemistry and "
            "living things",
            text="the answer to the last command",
            admissible="the valid commands now, sorted",
            look="the room and what can be seen in it",
        )

    def reset(self, case: Case) -> TimeStep:
        params = case.task.params
        self._name, self._simple = params["name"], params.get("simplifications", "")
        self._variation = self._variation_of(case, params.get("split", "test"))
        self._limit = params.get("move_limit", math.inf)
        self._gold: list[str] | None = None
        self._followed = 0
        self._server.load(self._name, self._variation, self._simple, False)
        self._do("look around")
        if self._text.startswith("ERROR"):
            raise UserError(
                f"ScienceWorld does not load {self._name}, variation {self._variation}, "
                f"{self._simple!r}: {self._text}"
            )
        self._points = 0
        self._reached, self._focused = Reached(), False
        self._start_episode(self._server.getTaskDescription(), self._text)
        return self._scored(self._points)

    def step(self, action: Any) -> TimeStep:
        command = self._action.validate(action)
        self._do(command)
        self._focused = command.strip().lower().startswith("focus")
        self._invalid += self._text.startswith(REFUSALS)
        return self._scored(round(100 * self._server.getScore()))

    def expert(self, executed: Any) -> str | None:
        if self._gold is None:
            key = (self._name, self._variation, self._simple)
            if key not in self._gold_paths:
                # The path depends on what its Java process did before, so it gets a new one.
                java = _Java()
                try:
                    java.server.load(*key, True)
                    self._gold_paths[key] = list(java.server.getGoldActionSequence())
                finally:
                    java.close()
            self._gold = self._gold_paths[key]
        elif self._followed < len(self._gold) and executed == self._gold[self._followed]:
            self._followed += 1
        self._gave_up = self._followed == len(self._gold)
        return None if self._gave_up else self._gold[self._followed]

    @classmethod
    def stages(cls, task: Task) -> tuple[str, ...]:
        return STAGES

    @classmethod
    def failure_modes(cls, task: Task) -> tuple[str, ...]:
        return ("wrong_object", "stopped_early")

    def stage(self) -> int:
        return self._reached.note(*(self._points >= points for points in (25, 50, 75)))

    def failure_mode(self) -> tuple[str, ...]:
        # Focusing on a thing that is not the answer ends the episode below 0.
        return ("wrong_object",) if self._points < 0 and self._focused else ()

    def factors(self, case: Case) -> dict[str, str]:
        return {"scene": f"{self._name}, variation {self._variation}, {self._simple}"}

    def state(self) -> bytes:
        return hashlib.blake2b(
            f"{self._moves} {self._points} {self._text}".encode(), digest_size=8
        ).digest()

    def close(self) -> None:
        self._java.close()

    def _admissible(self) -> tuple[str, ...]:
        own = self._random_source.get(self._random)
        self._random_source.set(self._random, self._java.jvm.java.util.Random(0))
        try:
            found = json.loads(self._server.getValidActionObjectCombinationsJSON())["validActions"]
        finally:
            self._random_source.set(self._random, own)
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
            for thing in _indistinguishable(names, plain)
        }
        commands = set()
        for row in found:
            command = row["action"]
            if any(thing in renamed for thing in row["obj_ids"]):
                # Fill the template again, with the plain names in place of the random ones.
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
                f"task {case.task.id}: ScienceWorld has no task {self._name!r}; "
                f"it has {', '.join(self._names)}"
            )
        if split not in SPLITS:
            raise UserError(
                f"task {case.task.id}: the split is one of {', '.join(SPLITS)}, got {split!r}"
            )
        if (self._name, split) not in self._variations:
            self._server.load(self._name, 0, "", False)
            self._variations[self._name, split] = list(
                getattr(self._server, f"getVariations{split.title()}")()
            )
        variations = self._variations[self._name, split]
        return variations[spread(case.seed, len(variations))]

    def _do(self, command: str) -> None:
        self._text = self._server.step(command)
        self._moves = self._server.getNumMoves()

    def _inventory(self) -> str:
        text: str = self._server.freeActionInventory()
        return text

    def _look(self) -> str:
        text: str = self._server.freeActionLook()
        return text

    def _scored(self, points: int) -> TimeStep:
        reward, self._points = points - self._points, points
        over = bool(self._server.getCompleted()) or points < 0
        return self._timestep(
            reward,
            points == 100,
            terminated=over,
            truncated=not over and self._moves > self._limit,
            score=float(max(points, 0)),
            moves=float(self._moves),
        )


def _indistinguishable(names: Mapping[int, str], plain: Mapping[int, list[str]]) -> set[int]:
    """The things that no name tells apart: those with the same plain names, unless each lies in a
    different place and the name of that place is unambiguous."""
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
    """Map `seed` to one of `n` places, 0 <= place < n, spreading consecutive seeds evenly.

    place = seed * stride mod n, where the stride is the smallest number from round(0.618 n) on that
    is coprime to n: n consecutive seeds take each place once, and fewer lie far apart.
    """
    if n == 1:
        return 0
    first = max(1, round(0.618 * n))
    stride = next(step for step in range(first, n + 1) if math.gcd(step, n) == 1)
    return seed * stride % n
