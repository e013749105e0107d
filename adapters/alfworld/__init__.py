"""ALFWorld (arXiv 2010.03768, the `alfworld` package): household tasks as a text game.

Pitfalls of the packages: importing alfworld creates a folder in the home directory and sets
ALFWORLD_DATA; Fast Downward's translator replaces sys.argv; TextWorld's PddlEnv derives every
admissible command from the grammar at every step, which is nine tenths of the cost of a step.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from adapters._text_game import TextGameAdapter
from adapters.alfworld.expert import next_command
from adapters.alfworld.games import TASK_TYPES, Game, official, official_folder, synthetic
from adapters.alfworld.stages import MODES, STAGES, WHOLE_SPLIT, Course
from harness.core import Case, Missing, Task, Text, TimeStep, UserError

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
TASK_MARK = "TASK MARK"
"""Replaces the task in the grammar, so that games with different tasks share a parsed grammar."""


class AlfWorldAdapter(TextGameAdapter):
    """A person in one room of a house finds, carries, cleans, heats and cools things, by commands.

    `params` of a synthetic game: `task_type` (one of TASK_TYPES). Of an official game: `split`
    (`valid_unseen`, `valid_seen` or `train`) and `data`, the folder that holds `json_2.1.1`, unless
    it is at $ALFWORLD_DATA or ~/.cache/alfworld.

    Case.seed -> game: a synthetic game is drawn from the case's stream (see games.py) until it is
    not already solved; an official game is number seed % n of the split's n games, sorted by path.

    Views:
        text            Text   the answer to the last command; after reset, the introduction: what
                               furniture there is, and the task
        admissible      Texts  the commands that are possible now, sorted
        text_inventory  Text   what is carried
        text_look       Text   what the person stands before
    The instruction is the task, in the package's wording.

    Action: Text. A command that is not in `admissible` does nothing ("Nothing happens.") and counts
    in `invalid_actions`; "look" is the no-op. Success, reward 1: the goal holds, tested after every
    action. The engine, its rules and its wording are TextWorld's PddlState and grammar; a command
    is looked up among the applicable operators, and "go to" is formatted instead of derived.

    The expert sees all facts (expert.py) and gives up where it knows no way to the goal.

    Raises UserError on an unknown param value.
    """

    path_params: ClassVar[tuple[str, ...]] = ("data", "split")
    packages: ClassVar[tuple[str, ...]] = ("alfworld", "textworld", "fast-downward-textworld")
    start_kind: ClassVar[str] = "countable"
    extra: ClassVar[str] = "alfworld"

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
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
    def stages(cls, task: Task) -> tuple[str, ...]:
        return STAGES.get(str(task.params.get("task_type")), WHOLE_SPLIT)

    @classmethod
    def failure_modes(cls, task: Task) -> tuple[str, ...]:
        return MODES

    def __init__(self, task: Task) -> None:
        with _contained():
            import alfworld.agents.utils.misc
            import fast_downward
            import textworld.envs.pddl.logic

            self._logic_of = textworld.envs.pddl.logic.GameLogic
            self._state_of = textworld.envs.pddl.logic.PddlState
            self._info = textworld.generator.game.EntityInfo
            self._demangler = alfworld.agents.utils.misc.Demangler
            self._library: Any = fast_downward.load_lib()
        self._logic: dict[tuple[str, str], Any] = {}
        super().__init__(
            action=Text(150, CHOICES, "one command, as in `admissible`; look does nothing"),
            embodiment="a person in one room of a house: goes to furniture, opens and closes it, "
            "carries one thing at a time, cleans it at a sinkbasin, heats it with a microwave, "
            "cools it with a fridge, and switches lamps on",
            simulator="ALFWorld, a text world of household tasks",
            text="the answer to the last command",
            admissible="the commands possible now, sorted",
            look="what the person stands before",
        )

    def reset(self, case: Case) -> TimeStep:
        params, rng = case.task.params, case.rng("game")
        if "split" not in params and params.get("task_type") not in TASK_TYPES:
            raise UserError(
                f"task {case.task.id}: the task type is one of {', '.join(TASK_TYPES)}, "
                f"got {params.get('task_type')!r}"
            )
        with _contained():
            while True:
                self._game = (
                    official(official_folder(params), case.seed)
                    if "split" in params
                    else synthetic(params["task_type"], rng)
                )
                task = self._load(self._game)
                if "split" in params or not self._state.check_goal():
                    break
        self._list_commands()
        self._start_episode(task, self._derive("#intro#", {}).replace(TASK_MARK, task))
        self._digest = hashlib.blake2b(self._text.encode(), digest_size=8).digest()
        self._course = Course(self._game, self.stages(case.task), self._facts())
        return self._now()

    def step(self, action: Any) -> TimeStep:
        command = " ".join(self._action.validate(action).split())
        operator = self._commands.get(command)
        if operator is None:
            self._text, changes = NOTHING, []
            self._invalid += 1
        else:
            changes = sorted(map(str, self._state.apply(operator)))
            self._text = self._answer(operator)
            self._list_commands()
        self._digest = hashlib.blake2b(
            self._digest + repr((changes, self._invalid)).encode(), digest_size=8
        ).digest()
        return self._now()

    def expert(self, executed: Any) -> str | None:
        command = None if self._gave_up else next_command(self._game, self._facts(), self._names)
        self._gave_up = command is None
        return command

    def _facts(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        return (
            (fact.name, tuple(argument.name for argument in fact.arguments))
            for fact in self._state.facts
        )

    def stage(self) -> int:
        return self._course.stage(self._facts())

    def failure_mode(self) -> tuple[str, ...]:
        return self._course.failure_mode(self._facts())

    def factors(self, case: Case) -> dict[str, str]:
        game = self._game
        whole = hashlib.blake2b(f"{game.domain}{game.problem}".encode(), digest_size=8)
        return {"object": game.target, "scene": f"game {whole.hexdigest()}"}

    def state(self) -> bytes:
        # A digest of all changes of facts so far, and of the number of invalid commands.
        return self._digest

    def close(self) -> None:
        # The library stays loaded: after unloading two of them (`close_lib`), the process crashes
        # when it ends.
        self._library.cleanup()

    def _load(self, game: Game) -> str:
        """Load a game into the engine; returns the task in the package's wording."""
        said = TASK.search(game.grammar)
        task = said[1] if said else ""
        grammar = game.grammar
        if said:
            grammar = grammar.replace(f"Your task is to: {task}", f"Your task is to: {TASK_MARK}")
        logic = self._logic.get((game.domain, grammar))
        if logic is None:
            # Parsing takes a tenth of a second, and nearly always the last grammar is needed again.
            logic = self._logic_of(game.domain, grammar)
            logic.actions["gotolocation"].template = "go to {r}"
            self._logic = {(game.domain, grammar): logic}
        self._rules = logic
        self._state = self._state_of(self._library, game.problem, logic)
        self._infos = {
            v.name: self._info(v.name, v.type) for fact in self._state.facts for v in fact.arguments
        }
        demangler = self._demangler(game_infos=self._infos)
        for info in self._infos.values():
            info.name = demangler.demangle_alfred_name(info.id).strip()
            info.definite, info.indefinite = "the", "a"
        self._names = {name: info.name for name, info in self._infos.items()}
        return task

    def _list_commands(self) -> None:
        """Find the commands that are possible now, with their operators."""
        self._commands: dict[str, Any] = {}
        for operator in self._state.all_applicable_actions():
            words = {
                placeholder.name: self._names[variable.name]
                for placeholder, variable in operator.mapping.items()
            }
            self._commands[operator.command_template.format(**words)] = operator

    def _answer(self, operator: Any) -> str:
        return self._derive(operator.feedback_rule, operator.mapping)

    def _derive(self, rule: str, mapping: Mapping[Any, Any]) -> str:
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

    def _admissible(self) -> tuple[str, ...]:
        return tuple(sorted(self._commands))

    def _inventory(self) -> str:
        return self._answer(self._commands["inventory"])

    def _look(self) -> str:
        return self._answer(self._commands["look"]) if "look" in self._commands else self._text

    def _now(self) -> TimeStep:
        won = bool(self._state.check_goal())
        return self._timestep(float(won), won, terminated=won)


@contextlib.contextmanager
def _contained() -> Iterator[None]:
    """Undo what the packages do to the process: they replace sys.argv, set ALFWORLD_DATA and create
    its folder, by default in the home directory."""
    arguments, data = sys.argv, os.environ.get("ALFWORLD_DATA")
    os.environ["ALFWORLD_DATA"] = data or tempfile.gettempdir()
    try:
        yield
    finally:
        sys.argv = arguments
        os.environ.pop("ALFWORLD_DATA")
        if data is not None:
            os.environ["ALFWORLD_DATA"] = data
