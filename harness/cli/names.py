"""What names on the command line stand for: our agents, suites and adapters, or a user's."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from harness.core import Suite, Task, UserError
from harness.host import interpreters
from harness.perturb import Condition, parse_conditions, simulator_perturbation_names
from harness.records import catalogue
from harness.records.identity import AgentSpec
from harness.records.registry import load

if TYPE_CHECKING:
    from harness.demos.trainer import Trainer
    from harness.records.trust import Trust

__all__ = [
    "adapters", "agent_named", "agents", "gym_task", "know_families", "our_tasks",
    "perturbations_named", "suite_table", "suites_named", "trainer_named", "trust",
]  # fmt: skip

GYM = "adapters.gym:GymAdapter"
GYM_TASK = "harness.cli.names:gym_task"
"""Makes the task of `--suite gym:ID` and of a `[[gym]]` table."""
TASK_NAMED = "adapters.gym_task:task_named"
PATIENCE_S = 300.0
"""How long a suite may take to load, in seconds."""
GYM_TRUST = "adapters._gym_trust:not_of_gymnasium"
"""Says why a task is no environment that Gymnasium itself registers."""


def adapters() -> Mapping[str, str]:
    """Family name to adapter entry."""
    import adapters as ours

    return ours.ADAPTERS


def agents() -> Mapping[str, str]:
    """Agent name to entry."""
    import baselines as ours

    return ours.AGENTS


def trainer_named(name: str) -> Trainer:
    """What `bench train NAME` calls. Raises UserError."""
    import baselines as ours
    from harness.core.errors import suggest
    from harness.demos.trainer import Trainer

    if name not in ours.TRAINERS:
        hint = suggest(name, ours.TRAINERS) or f"there are {', '.join(ours.TRAINERS)}"
        raise UserError(f"there is no trainer {name!r}; {hint}")
    found = load(ours.TRAINERS[name])
    assert isinstance(found, Trainer)
    return found


def suite_table() -> Mapping[str, str]:
    """Suite name to the module that holds it."""
    import suites as ours

    return ours.SUITES


def know_families() -> None:
    """Tell the engine which names bench.toml and --interpreter may use."""
    from harness.policies import KINDS

    interpreters.name_families(adapters(), KINDS)


def agent_named(name: str, arguments: Mapping[str, Any], profile_check: str = "on") -> AgentSpec:
    """The agent, its class loaded here or in its interpreter. Raises UserError with the remedy.

    `profile_check`: `off` becomes the agent's argument of that name.
    """
    from harness.policies import KINDS

    if profile_check == "off":
        agent_named(name, arguments)  # what is wrong without it is told first
        try:
            return agent_named(name, {**arguments, "profile_check": "off"})
        except UserError:
            raise UserError(f"--profile-check off: the agent {name} has no profile") from None
    spec = catalogue.find_agent(name, arguments, agents(), KINDS)
    python = interpreters.interpreter_of_agent(name)
    if python is not None:
        from harness.host.agents import HostedAgentSpec

        spec = HostedAgentSpec(spec.name, spec.entry, spec.args, python)
    spec.kind()
    return spec


def suites_named(text: str) -> list[Suite]:
    """The suites of a comma-separated list. Raises UserError with the remedy.

    A user's module and an environment that is tried have PATIENCE_S to return.
    """
    if {name.strip() for name in text.split(",")} <= set(suite_table()):
        return catalogue.find_suites(text, suite_table(), GYM_TASK)
    from harness.play.inference import Watch, watched
    from harness.play.watchdog import Interrupts, Watchdog

    watch = Watch()
    with (
        Interrupts(SimpleNamespace(interrupted=False)) as interrupts,
        Watchdog(watch, interrupts),
        watched(watch, PATIENCE_S),
    ):
        return catalogue.find_suites(text, suite_table(), GYM_TASK)


def gym_task(named: str | Mapping[str, Any]) -> Task:
    """The task of `ID?KEY=VALUE`, or of a table of settings, made where its environment is played.

    Raises UserError with the remedy.
    """
    from harness.host.hosted import Hosted
    from harness.host.loading import load_adapter

    kind = load_adapter(GYM)
    make = functools.partial(kind.result_of, TASK_NAMED) if issubclass(kind, Hosted) else None
    made = (make or load(TASK_NAMED))(named)
    if not isinstance(made, Task):
        raise UserError("the interpreter of gym made no task; correct its path in bench.toml")
    return made


def our_tasks() -> dict[str, Task]:
    """All tasks of our suites, by id."""
    return {task.id: task for name in suite_table() for task in suites_named(name)[0].tasks}


def trust(everyone: bool) -> Trust:
    """Whom a command trusts that plays tasks which a file names. `everyone`: `--trust`."""
    from harness.records.trust import EVERYONE, Trust

    if everyone:
        return EVERYONE
    ours = our_tasks()
    families = {*adapters().values(), *(task.adapter for task in ours.values())}
    return Trust(ours.get, families, lambda task: str(load(GYM_TRUST)(task)))


def perturbations_named(text: str | None) -> Sequence[Condition]:
    """What `--perturb` names. Raises UserError with the remedy."""
    if text is None:
        return ()
    return parse_conditions(text, simulator_perturbation_names(adapters().values()))
