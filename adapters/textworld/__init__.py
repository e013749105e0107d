"""TextWorld (arXiv 1806.11532, the `textworld` package): games in words, made from the case by the package's own generator."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from adapters.textworld import generate
from harness.core import Adapter, Brief, Case, Task, Text, Texts, TimeStep, UserError

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
"""Words that speak to the interpreter and not to the game: some write files, some start it anew. `then` is there because it joins commands."""
UNHEARD = "That's not a verb I recognise."
PROMPT = re.compile(r"\s*>\s*(-=[^\n]*)?$")
"""What ends every answer: the prompt and the status line, `-= Attic =-0/1`."""
TRIES = 20
"""Seeds of the generator that a case offers; almost always the first one does."""
MOST_GAMES = 32
"""Game files that are kept; about a megabyte each."""


class TextWorldAdapter(Adapter):
    """A person in a house of several rooms: finds a thing, collects a coin or cooks a meal, one command a step. `params`: `challenge`
    (`treasure_hunter`, `coin_collector` or `cooking`) and `settings`, those of the package's challenge of that name.

    The game is made by the package's generator, in a process of its own so that no salt of hashes matters, from seeds drawn from the case;
    a seed for which the generator finds no quest is skipped. Files lie in a temporary folder that goes with the adapter; the last 32 games
    are kept. The objective names the goal alone (`only_last_action`), not the way there as the generator's default does.

    Views:
        text            Text   the game's answer to the last command, without the prompt; after reset, the introduction without the banner
        admissible      Texts  the commands that change something or show something now, sorted: the package's list
        text_inventory  Text   what the person carries
        text_look       Text   the room
    The instruction is the game's objective.

    Action: Text, one command of the letters a-z, digits, spaces, ' and -, upper case lowered. Others, and the words that speak to the
    interpreter (save, restart, undo, ...), get the answer that an unknown verb gets. "look" is the no-op. A command that is not in
    `admissible` counts in `invalid_actions`, though the game may understand it as another way to say one that is.

    Score: points by the game's most points (the metric `score`, 0 to 1); the reward is the points won. Success: the game says that it is
    won. A game that is lost (the wrong thing taken, an ingredient spoilt) ends.

    The expert is the package's winning policy, found again after every action. Where it finds none, it has given up.

    Raises UserError where a param does not exist, RuntimeError where the generator fails.
    """

    packages: ClassVar[tuple[str, ...]] = ("textworld",)
    extra: ClassVar[str] = "textworld"
    patience_s: ClassVar[float] = 300.0
    """A reset compiles a game: seconds, ten times as many where the machine is busy."""

    @classmethod
    def env_key(cls, task: Task) -> str:
        """One kept adapter for all games."""
        return "textworld"

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        """Always."""
        return True

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
        self._folder = tempfile.mkdtemp(prefix="bench-textworld-")
        self._remove = weakref.finalize(self, shutil.rmtree, self._folder)
        self._games: dict[str, Path] = {}
        self._env: Any = None
        self._views: Mapping[str, Callable[[], Any]] = {
            "text": lambda: self._text,
            "admissible": lambda: tuple(self._game["admissible_commands"]),
            "text_inventory": lambda: self._game["inventory"],
            "text_look": lambda: self._game["description"],
        }
        self.brief = Brief(
            observation={
                "text": Text(meaning="the game's answer to the last command"),
                "admissible": Texts("the commands possible now, sorted"),
                "text_inventory": Text(meaning="what is carried"),
                "text_look": Text(meaning="the room and what can be seen in it"),
            },
            action=Text(150, CHOICES, "one command, as in `admissible`; look does nothing"),
            embodiment="a person in a house of several rooms: goes north, east, south and west, opens, unlocks, takes, carries and uses things",
            simulator="TextWorld, a text adventure",
        )

    def reset(self, case: Case) -> TimeStep:
        """Make the case's game, or take the one kept from before, and start it."""
        path = self._made(case)
        if self._env is not None:
            self._env.close()
        with (
            warnings.catch_warnings()
        ):  # about scores that the interpreter cannot read: TextWorld reads them itself
            warnings.filterwarnings("ignore", message=".*is not fully supported")
            self._env = self._start(str(path), self._infos)
        self._env.seed(case.simulator_seed % 65536)
        self._game = self._env.reset()
        self._points, self._invalid, self._gave_up = 0, 0, False
        self._objective = " ".join(self._game["objective"].split())
        self._text = _clean(self._game.feedback)
        start = self._text.find(self._game["objective"].strip())
        self._text = self._text[max(start, 0) :]
        return self._seen()

    def step(self, action: Any) -> TimeStep:
        """Give one command."""
        command = " ".join(self.brief.action.validate(action).lower().split())
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
        return self._seen()

    def expert(self, executed: Any) -> str | None:
        """The first command of the winning policy now."""
        policy = self._game["policy_commands"]
        self._gave_up = self._gave_up or not policy
        return None if self._gave_up else policy[0]

    def state(self) -> bytes:
        """A digest of the last answer, the room and what is carried."""
        seen = (self._text, self._game["description"], self._game["inventory"], self._points)
        return hashlib.blake2b(repr(seen).encode(), digest_size=8).digest()

    def close(self) -> None:
        """End the game and remove its files."""
        if self._env is not None:
            self._env.close()
        self._remove()

    def _made(self, case: Case) -> Path:
        challenge, settings = case.task.params["challenge"], dict(case.task.params["settings"])
        if challenge not in CHALLENGES:
            raise UserError(
                f"task {case.task.id}: the challenge is one of {', '.join(CHALLENGES)}, got {challenge!r}"
            )
        seeds = case.rng("game").integers(65536, size=TRIES).tolist()
        key = hashlib.blake2b(
            json.dumps([challenge, settings, seeds]).encode(), digest_size=8
        ).hexdigest()
        if key not in self._games:
            path = Path(self._folder, key, "game.z8")
            told = json.dumps(
                {"challenge": challenge, "settings": settings, "seeds": seeds, "path": str(path)}
            )
            environment = {**os.environ, "PYTHONHASHSEED": "0"}
            command = [sys.executable, "-W", "ignore", generate.__file__, told]
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
                    f"TextWorld's generator made no game of {challenge} {settings}: {done.stderr[-2000:]}"
                )
            self._games[key] = path
            if len(self._games) > MOST_GAMES:
                shutil.rmtree(self._games.pop(next(iter(self._games))).parent)
        return self._games[key]

    def _seen(self) -> TimeStep:
        points = self._game["score"] or 0
        reward, self._points = points - self._points, points
        won, lost = bool(self._game["won"]), bool(self._game["lost"])
        metrics = {
            "score": points / self._game["max_score"],
            "invalid_actions": float(self._invalid),
        }
        if self._gave_up:
            metrics["expert_gave_up"] = 1.0
        return TimeStep(
            self._views, self._objective, float(reward), won or lost, False, won, metrics
        )


def _clean(feedback: str) -> str:
    return PROMPT.sub("", feedback).strip()
