"""ALFWorld (arXiv 2010.03768, the `alfworld` package): household tasks in words, on TextWorld's PDDL engine.

Traps of the packages: importing alfworld makes a folder in the home directory and sets ALFWORLD_DATA; the translator of Fast Downward
replaces sys.argv; PddlEnv derives every admissible command from the grammar at every step, which is nine tenths of what a step costs.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from adapters.alfworld.expert import next_command
from adapters.alfworld.games import TASK_TYPES, Game, official, official_folder, synthetic
from harness.core import Adapter, Brief, Case, Missing, Task, Text, Texts, TimeStep, UserError

__all__ = ["AlfWorldAdapter"]

CHOICES = (
    "look",
    "inventory",
    "help",
    *(
        f"go to {name} 1"
        for name in (
            "cabinet",
            "countertop",
            "desk",
            "drawer",
            "fridge",
            "microwave",
            "shelf",
            "sidetable",
            "sinkbasin",
            "sofa",
        )
    ),
    *(f"open {name} 1" for name in ("cabinet", "drawer", "fridge", "microwave")),
)
NOTHING = "Nothing happens."
TASK = re.compile(r"Your task is to: (.*?)\.?\"")


class AlfWorldAdapter(Adapter):
    """A person in one room of a house finds things, carries one at a time, and cleans, heats or cools it, one command a step.
    `params` of a synthetic game: `task_type` (one of the six). Of an official one: `split` (`valid_unseen`, `valid_seen` or `train`) and
    `data`, the folder with `json_2.1.1`, if it is not at $ALFWORLD_DATA or ~/.cache/alfworld.

    Case.seed -> game: a synthetic game is drawn from the case's stream (see games.py) until it is not solved already; an official one is
    the k-th of the split, sorted by path, counting anew after the last.

    Views:
        text            Text   the answer to the last command; after reset, the introduction: what furniture there is, and the task
        admissible      Texts  the commands that are possible now, sorted
        text_inventory  Text   what is carried
        text_look       Text   what the person stands before
    The instruction is the task, in the package's words.

    Action: Text. A command that is not in `admissible` does nothing ("Nothing happens.") and counts in `invalid_actions`; "look" is the
    no-op. Success, reward 1: the goal holds, which is tested after every action. The engine, its rules and its words are TextWorld's
    PddlState and grammar; a command is looked up among the operators that apply, "go to" being formatted instead of derived.

    The expert sees all facts (expert.py). Where no way is known it has given up.

    Raises UserError where a param does not exist.
    """

    packages: ClassVar[tuple[str, ...]] = ("alfworld", "textworld", "fast-downward-textworld")
    extra: ClassVar[str] = "alfworld"

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        """The packages, or the official games."""
        absent = super().missing(task)
        if (
            absent is None
            and task is not None
            and "split" in task.params
            and not official_folder(task.params).is_dir()
        ):
            folder = official_folder(task.params)
            return Missing(
                f"there are no official ALFWorld games in {folder}",
                "run alfworld-download, or set ALFWORLD_DATA to where they are",
            )
        return absent

    @classmethod
    def affinity(cls, task: Task) -> str:
        """One kept engine for all games."""
        return "alfworld"

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        """Always."""
        return True

    def __init__(self, task: Task) -> None:
        with _apart():
            import alfworld.agents.utils.misc
            import fast_downward
            import textworld.envs.pddl.logic

            self._logic_of = textworld.envs.pddl.logic.GameLogic
            self._state_of = textworld.envs.pddl.logic.PddlState
            self._info = textworld.generator.game.EntityInfo
            self._demangler = alfworld.agents.utils.misc.Demangler
            self._library: Any = fast_downward.load_lib()
        self._logic: dict[tuple[str, str], Any] = {}
        self._views: Mapping[str, Callable[[], Any]] = {
            "text": lambda: self._text,
            "admissible": lambda: tuple(sorted(self._commands)),
            "text_inventory": lambda: self._answer(self._commands["inventory"]),
            "text_look": lambda: (
                self._answer(self._commands["look"]) if "look" in self._commands else self._text
            ),
        }
        self.brief = Brief(
            observation={
                "text": Text(meaning="the answer to the last command"),
                "admissible": Texts("the commands possible now, sorted"),
                "text_inventory": Text(meaning="what is carried"),
                "text_look": Text(meaning="what the person stands before"),
            },
            action=Text(150, CHOICES, "one command, as in `admissible`; look does nothing"),
            embodiment="a person in one room of a house: goes to furniture, opens and closes it, carries one thing at a time, cleans it at a "
            "sinkbasin, heats it with a microwave, cools it with a fridge, and switches lamps on",
            simulator="ALFWorld, a text world of household tasks",
        )

    def reset(self, case: Case) -> TimeStep:
        """Draw or read the case's game and start it."""
        params, rng = case.task.params, case.rng("game")
        if "split" not in params and params.get("task_type") not in TASK_TYPES:
            raise UserError(
                f"task {case.task.id}: the task type is one of {', '.join(TASK_TYPES)}, got {params.get('task_type')!r}"
            )
        with _apart():
            while True:
                self._game = (
                    official(official_folder(params), case.seed)
                    if "split" in params
                    else synthetic(params["task_type"], rng)
                )
                self._begin(self._game)
                if "split" in params or not self._state.check_goal():
                    break
        self._invalid, self._gave_up = 0, False
        self._refresh()
        self._text = self._derived("#intro#", {}).replace(TASK_MARK, self._task)
        self._digest = hashlib.blake2b(self._text.encode(), digest_size=8).digest()
        return self._seen()

    def step(self, action: Any) -> TimeStep:
        """Give one command."""
        command = " ".join(self.brief.action.check(action).split())
        operator = self._commands.get(command)
        if operator is None:
            self._text, changes = NOTHING, []
            self._invalid += 1
        else:
            changes = sorted(map(str, self._state.apply(operator)))
            self._text = self._answer(operator)
            self._refresh()
        self._digest = hashlib.blake2b(
            self._digest + repr((changes, self._invalid)).encode(), digest_size=8
        ).digest()
        return self._seen()

    def expert(self, executed: Any) -> str | None:
        """The next command towards the goal."""
        facts = (
            (fact.name, tuple(argument.name for argument in fact.arguments))
            for fact in self._state.facts
        )
        command = None if self._gave_up else next_command(self._game, facts, self._names)
        self._gave_up = command is None
        return command

    def state(self) -> bytes:
        """A digest of all facts that have changed, and of the number of invalid commands."""
        return self._digest

    def close(self) -> None:
        """Free the game. The library stays loaded: once two are unloaded (`close_lib`), the process crashes when it ends."""
        self._library.cleanup()

    def _begin(self, game: Game) -> None:
        said = TASK.search(game.grammar)
        self._task = said[1] if said else ""
        grammar = (
            game.grammar.replace(f"Your task is to: {self._task}", f"Your task is to: {TASK_MARK}")
            if said
            else game.grammar
        )
        logic = self._logic.get((game.domain, grammar))
        if logic is None:
            logic = self._logic_of(game.domain, grammar)
            logic.actions["gotolocation"].template = "go to {r}"
            self._logic = {
                (game.domain, grammar): logic
            }  # parsed in a tenth of a second, and nearly always the same
        self._rules = logic
        self._state = self._state_of(self._library, game.problem, logic)
        self._infos = {
            v.name: self._info(v.name, v.type) for fact in self._state.facts for v in fact.arguments
        }
        demangler = self._demangler(game_infos=self._infos)
        for info in self._infos.values():
            info.name, info.definite, info.indefinite = (
                demangler.demangle_alfred_name(info.id).strip(),
                "the",
                "a",
            )
        self._names = {name: info.name for name, info in self._infos.items()}

    def _refresh(self) -> None:
        """The commands now, with their operators."""
        self._commands: dict[str, Any] = {}
        for operator in self._state.all_applicable_actions():
            words = {
                placeholder.name: self._names[variable.name]
                for placeholder, variable in operator.mapping.items()
            }
            self._commands[operator.command_template.format(**words)] = operator

    def _answer(self, operator: Any) -> str:
        return self._derived(operator.feedback_rule, operator.mapping)

    def _derived(self, rule: str, mapping: Mapping[Any, Any]) -> str:
        variables = {
            placeholder.name: self._infos[variable.name]
            for placeholder, variable in mapping.items()
        }
        context = {
            "state": self._state,
            "facts": [],
            "variables": variables,
            "mapping": dict(mapping),
            "entity_infos": self._infos,
        }
        return str(self._rules.grammar.derive(rule, context)).strip()

    def _seen(self) -> TimeStep:
        won = bool(self._state.check_goal())
        metrics = {"invalid_actions": float(self._invalid)}
        if self._gave_up:
            metrics["expert_gave_up"] = 1.0
        return TimeStep(self._views, self._task, float(won), won, False, won, metrics)


TASK_MARK = "TASK MARK"


@contextlib.contextmanager
def _apart() -> Iterator[None]:
    """Undo what the packages do to the process: the arguments, and ALFWORLD_DATA with the folder in the home directory."""
    arguments, data = sys.argv, os.environ.get("ALFWORLD_DATA")
    os.environ["ALFWORLD_DATA"] = data or tempfile.gettempdir()
    try:
        yield
    finally:
        sys.argv = arguments
        os.environ.pop("ALFWORLD_DATA")
        if data is not None:
            os.environ["ALFWORLD_DATA"] = data
