"""TextWorld (arXiv 1806.11532, the `textworld` package): games from the package's generator."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, ClassVar

from adapters._reached import Reached
from adapters._temporary import temporary_folder
from adapters._text_game import TextGameAdapter
from adapters.textworld import generate
from harness.core import Case, Task, Text, TimeStep, UserError

__all__ = ["TextWorldAdapter"]

CHALLENGES = ("treasure_hunter", "coin_collector", "cooking")
CHOICES = (
    "look",
    "inventory",
    *(f"go {way}" for way in ("north", "east", "south", "west")),
    "take coin",
    "examine cookbook",
    "prepare meal",
    "eat meal",
)
COMMAND = re.compile(r"[a-z0-9' -]*")
FORBIDDEN = frozenset(
    {
        "restart",
        "quit",
        "q",
        "save",
        "restore",
        "undo",
        "script",
        "transcript",
        "unscript",
        "verify",
        "version",
        "then",
    }
)
"""Words that address the interpreter and not the game: some write files, some restart the game.
`then` is among them because it joins commands."""
UNHEARD = "That's not a verb I recognise."
PROMPT = re.compile(r"\s*>\s*(-=[^\n]*)?$")
"""The end of every answer: the prompt and the status line, `-= Attic =-0/1`."""
STAGES = ("half way", "one command away", "won")
"""By how many commands the package's winning policy still needs, against those at the start."""
TRIES = 20
"""Generator seeds that a case offers; the first one almost always gives a game."""
MOST_GAMES = 32
"""Game files that are kept, about a megabyte each."""


class TextWorldAdapter(TextGameAdapter):
    """A person in a house finds a thing, collects a coin or cooks a meal, by typed commands.

    `params`: `challenge` (`treasure_hunter`, `coin_collector` or `cooking`) and `settings`, those
    of the package's challenge of that name.

    Case.seed -> game: the package's generator makes it from seeds drawn from the case's stream,
    skipping seeds for which it finds no quest. It runs in a separate process with a fixed hash
    seed. Game files lie in a temporary folder that is removed with the adapter; the last 32 are
    kept. The objective names the goal alone (`only_last_action`), where the generator's default
    also tells the way there.

    Views:
        text            Text   the game's answer to the last command, without the prompt; after
                               reset, the introduction without the banner
        admissible      Texts  the package's list of commands that change or show something, sorted
        text_inventory  Text   what the person carries
        text_look       Text   the room
    The instruction is the game's objective.

    Action: Text, one command of the letters a-z, digits, spaces, ' and -; upper case is lowered.
    Other characters, and words that address the interpreter (save, restart, undo, ...), get the
    answer that an unknown verb gets. "look" is the no-op. A command that is not in `admissible`
    counts in `invalid_actions`, although the game may understand it as another wording of one that
    is.

    Score: points divided by the game's maximum (the metric `score`, 0 to 1); the reward is the
    points gained. Success: the game says that it is won. A game that is lost (the wrong thing
    taken, an ingredient spoilt) ends.

    The expert is the package's winning policy, recomputed after every action; where there is none,
    it has given up.

    Raises UserError on an unknown param value, RuntimeError where the generator fails.
    """

    packages: ClassVar[tuple[str, ...]] = ("textworld",)
    extra: ClassVar[str] = "textworld"
    own_streams: ClassVar[bool] = True
    start_kind: ClassVar[str] = "countable"
    patience_s: ClassVar[float] = 300.0
    """A reset compiles a game: seconds, ten times as long on a busy machine."""

    def __init__(self, task: Task) -> None:
        import textworld

        self._start = textworld.start
        self._infos = textworld.EnvInfos(
            admissible_commands=True,
            policy_commands=True,
            objective=True,
            inventory=True,
            description=True,
            max_score=True,
        )
        self._folder, self._remove = temporary_folder(self, "bench-textworld-")
        self._games: dict[str, Path] = {}
        self._env: Any = None
        super().__init__(
            action=Text(150, CHOICES, "one command, as in `admissible`; look does nothing"),
            embodiment="a person in a house of several rooms: goes north, east, south and west, "
            "opens, unlocks, takes, carries and uses things",
            simulator="TextWorld, a text adventure",
            text="the game's answer to the last command",
            admissible="the commands possible now, sorted",
            look="the room and what can be seen in it",
        )

    def reset(self, case: Case) -> TimeStep:
        path = self._game_file(case)
        if self._env is not None:
            self._env.close()
        with warnings.catch_warnings():
            # About scores that the interpreter cannot read; TextWorld reads them itself.
            warnings.filterwarnings("ignore", message=".*is not fully supported")
            self._env = self._start(str(path), self._infos)
        self._env.seed(case.simulator_seed % 65536)
        self._game = self._env.reset()
        self._points = 0
        self._challenge, self._reached = str(case.task.params["challenge"]), Reached()
        self._whole = len(self._game["policy_commands"] or ())
        introduction, objective = _clean(self._game.feedback), self._game["objective"]
        start = introduction.find(objective.strip())  # the banner comes before it
        self._start_episode(" ".join(objective.split()), introduction[max(start, 0) :])
        return self._now()

    def step(self, action: Any) -> TimeStep:
        command = " ".join(self._action.validate(action).lower().split())
        self._invalid += command not in self._game["admissible_commands"]
        words = set(command.split())
        if (
            not COMMAND.fullmatch(command)
            or words & FORBIDDEN
            or any(word.startswith("tw-") for word in words)
        ):
            self._text = UNHEARD
        else:
            self._game, _, _ = self._env.step(command)
            self._text = _clean(self._game.feedback)
        return self._now()

    def expert(self, executed: Any) -> str | None:
        policy: list[str] = self._game["policy_commands"]
        self._gave_up = self._gave_up or not policy
        return None if self._gave_up else policy[0]

    @classmethod
    def stages(cls, task: Task) -> tuple[str, ...]:
        return STAGES

    @classmethod
    def failure_modes(cls, task: Task) -> tuple[str, ...]:
        taking = task.params.get("challenge") == "treasure_hunter"
        return ("wrong_object", "stopped_early") if taking else ("stopped_early",)

    def stage(self) -> int:
        left = len(self._game["policy_commands"] or ())
        if not left:  # won, or lost for good
            return self._reached.count
        return self._reached.note(2 * left <= self._whole, left == 1)

    def failure_mode(self) -> tuple[str, ...]:
        taking = self._challenge == "treasure_hunter"
        return ("wrong_object",) if taking and self._game["lost"] else ()

    def factors(self, case: Case) -> dict[str, str]:
        return {"scene": f"game {self._game_file(case).parent.name}"}

    def state(self) -> bytes:
        seen = (self._text, self._game["description"], self._game["inventory"], self._points)
        return hashlib.blake2b(repr(seen).encode(), digest_size=8).digest()

    def close(self) -> None:
        if self._env is not None:
            self._env.close()
        self._remove()

    def _game_file(self, case: Case) -> Path:
        """The file of the case's game, generated unless it is kept from before."""
        challenge, settings = case.task.params["challenge"], dict(case.task.params["settings"])
        if challenge not in CHALLENGES:
            raise UserError(
                f"task {case.task.id}: the challenge is one of {', '.join(CHALLENGES)}, "
                f"got {challenge!r}"
            )
        seeds = case.rng("game").integers(65536, size=TRIES).tolist()
        key = hashlib.blake2b(
            json.dumps([challenge, settings, seeds]).encode(), digest_size=8
        ).hexdigest()
        if key not in self._games:
            path = Path(self._folder, key, "game.z8")
            request = json.dumps(
                {"challenge": challenge, "settings": settings, "seeds": seeds, "path": str(path)}
            )
            # The generator iterates over sets: their order, and so the game, follows the hash seed.
            environment = {**os.environ, "PYTHONHASHSEED": "0"}
            command = [sys.executable, "-W", "ignore", generate.__file__, request]
            done = subprocess.run(
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                env=environment,
            )
            if done.returncode != 0:
                raise RuntimeError(
                    f"TextWorld's generator made no game of {challenge} {settings}: "
                    f"{done.stderr[-2000:]}"
                )
            self._games[key] = path
            if len(self._games) > MOST_GAMES:
                shutil.rmtree(self._games.pop(next(iter(self._games))).parent)
        return self._games[key]

    def _admissible(self) -> tuple[str, ...]:
        return tuple(self._game["admissible_commands"])

    def _inventory(self) -> str:
        text: str = self._game["inventory"]
        return text

    def _look(self) -> str:
        text: str = self._game["description"]
        return text

    def _now(self) -> TimeStep:
        points = self._game["score"] or 0
        reward, self._points = points - self._points, points
        won, lost = bool(self._game["won"]), bool(self._game["lost"])
        score = points / self._game["max_score"]
        return self._timestep(reward, won, terminated=won or lost, score=score)


def _clean(feedback: str) -> str:
    return PROMPT.sub("", feedback).strip()
