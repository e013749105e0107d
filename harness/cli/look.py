"""`bench list` and `bench doctor`: what there is, and what can run here."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from harness.cli.options import Full
from harness.cli.output import DONE, WITH_ERRORS, print_out, say, terminal_width
from harness.core import UserError

__all__ = ["doctor", "list_"]


def list_(
    what: Annotated[
        Literal["suites", "tasks", "agents", "adapters", "perturbations"],
        typer.Argument(help="What to list."),
    ] = "suites",
    suite: Annotated[str, typer.Option(help="For tasks: the suites.")] = "all",
    full: Full = False,
) -> int:
    """List suites, tasks, agents, adapters or perturbations."""
    from harness.cli import listing, names

    width = terminal_width()
    if what == "suites":
        print_out(listing.list_suites(names.suite_table(), width, full=full))
    elif what == "tasks":
        print_out(listing.list_tasks(names.suites_named(suite), width, full=full))
    elif what == "agents":
        from harness.policies import KINDS

        print_out(listing.list_agents(names.agents(), KINDS, width))
    elif what == "perturbations":
        print_out(listing.list_perturbations(names.adapters(), width, full=full))
    else:
        print_out(listing.list_adapters(names.adapters(), width, full=full))
    return DONE


def doctor(
    deep: Annotated[
        bool, typer.Option("--deep", help="Step one task of each family that is ready.")
    ] = False,
    fix: Annotated[
        str | None,
        typer.Option(
            help="Build a separate interpreter for this family or kind of agents, and name it in "
            "bench.toml."
        ),
    ] = None,
    with_: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="PACKAGE",
            help="With --fix of a family: install this package there too; may be repeated.",
        ),
    ] = None,
) -> int:
    """Say what can run here, and how to fix the rest."""
    from harness.cli.supervisor import relay

    more = tuple(with_ or ())
    if more and fix is None:
        raise UserError("--with adds packages to an interpreter: name its family with --fix NAME")
    if any(not each or each.startswith("-") for each in more):
        raise UserError("--with names a package, as pip does: --with highway-env==1.12.1")
    width = terminal_width()  # the child that looks has no terminal

    def work() -> tuple[str, str, int]:
        from harness.cli import names
        from harness.cli.listing import doctor as examine

        if fix is not None:
            from harness.host.build import fix as build
            from harness.host.build import fix_agent
            from harness.policies.recipes import RECIPES

            if fix in RECIPES and more:
                raise UserError(f"--with is for families; {fix} is a kind of agents")
            if fix in RECIPES:
                return fix_agent(fix, RECIPES[fix], say), "", DONE
            return build(fix, names.adapters(), say, more), "", DONE
        found = examine(names.adapters(), width)
        if not deep:
            return found, "", DONE
        from harness.testing.deep import deep_check

        checked = deep_check(names.adapters(), names.suites_named("smoke")[0].tasks)
        return f"{found}\n\n{checked}", "", DONE if checked.passed else WITH_ERRORS

    return relay(work)
