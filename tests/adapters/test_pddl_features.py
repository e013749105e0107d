"""PDDL of competition shape: carried out as its semantics says, or refused by its name."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from adapters.pddl.reader import read
from adapters.pddl.strips import Domain, Ground, Problem
from adapters.pddl.words import instruction, problem_pddl
from harness.core import UserError

OBJECTS = (("p1", "place"), ("p2", "place"), ("p3", "place"))
PROBLEM = Problem(OBJECTS, (("at", "p1"),), (("seen", "p3"),))
MOVES = "(at ?b) (not (at ?a))"
WORDS = {"at": "you are at {0}", "seen": "{0} was seen", "free": "you are free"}


def domain(
    need: str | None = "(at ?a)",
    effect: str = f"(and {MOVES} (seen ?b))",
    parameters: str = "?a ?b - place",
    more: str = "",
) -> Domain:
    precondition = "" if need is None else f":precondition {need}"
    return Domain(
        f"(define (domain d) (:types place thing) {more} "
        "(:predicates (at ?x - place) (seen ?x - place) (free)) "
        f"(:action go :parameters ({parameters}) {precondition} :effect {effect}))",
        "You walk.",
        WORDS,
        {"go": "go from {0} to {1}"},
        lambda rng, size: PROBLEM,
    )


def plan(which: Domain, problem: Problem = PROBLEM) -> list[str] | None:
    ground = Ground(which, problem)
    found = ground.plan(ground.init)
    return None if found is None else [" ".join(ground.actions[number]) for number in found]


@pytest.mark.parametrize(
    ("which", "actions"),
    [
        (domain(), 9),
        (domain(need="(and (at ?a) (not (seen ?b)))"), 9),
        (domain(need="(and (at ?a) (not (= ?a ?b)))"), 6),
        (domain(need="(and (at ?a) (= ?a ?a))"), 9),
        (domain(need="(and (at ?a) (and (not (free))))"), 9),
        (domain(parameters="?a - (either place thing) ?b - place"), 9),
        (domain(need=None), 9),
        (domain(need="()"), 9),
        (domain(need="(and)"), 9),
        (domain(effect=f"(and {MOVES} (seen ?b) (not (seen ?b)))"), 9),
    ],
)
def test_a_supported_feature_is_carried_out(which: Domain, actions: int) -> None:
    assert len(Ground(which, PROBLEM).actions) == actions
    assert plan(which) == ["go p1 p3"]


def test_a_negative_precondition_bars_what_holds() -> None:
    # p2 must be seen first, and may be entered only while it is not.
    which = domain(need="(and (at ?a) (not (seen ?b)) (not (= ?a ?b)))")
    goal = Problem(OBJECTS, (("at", "p1"), ("seen", "p3")), (("seen", "p2"), ("at", "p3")))
    assert plan(which, goal) is None
    there = Problem(OBJECTS, (("at", "p1"),), (("seen", "p2"), ("at", "p3")))
    assert plan(which, there) == ["go p1 p2", "go p2 p3"]
    ground = Ground(which, there)
    after = ground.after(ground.init, ground.numbers["go", "p1", "p2"])
    assert after is not None
    assert [" ".join(ground.actions[k]) for k in ground.applicable(after)] == [
        "go p2 p1",
        "go p2 p3",
    ]


def test_what_never_changes_can_bar_an_action() -> None:
    which = domain(need="(and (at ?a) (not (free)))")
    with pytest.raises(ValueError, match="no action can bring about"):
        Ground(which, Problem(OBJECTS, (("at", "p1"), ("free",)), (("seen", "p3"),)))


def test_constants_are_objects_of_every_problem() -> None:
    which = domain(effect=f"(and {MOVES} (seen home))", more="(:constants home - place)")
    problem = Problem(OBJECTS, (("at", "p1"),), (("seen", "home"),))
    assert len(plan(which, problem) or ()) == 1
    assert "place: p1, p2, p3, home" in instruction(which, problem, Ground(which, problem))


def test_a_goal_that_holds_or_is_empty_needs_no_action() -> None:
    for goal in ((("at", "p1"),), ()):
        problem = Problem(OBJECTS, (("at", "p1"),), goal)
        ground = Ground(domain(), problem)
        assert (ground.plan(ground.init), ground.share(ground.init)) == ([], 1.0)


def test_the_instruction_tells_negative_preconditions() -> None:
    which = domain(need="(and (at ?a) (not (seen ?b)) (not (= ?a ?b)))")
    told = instruction(which, PROBLEM, Ground(which, PROBLEM))
    assert "Needed: you are at A. Must not hold: B was seen; A is the same as B. From" in told
    told = instruction(domain(need=None), PROBLEM, Ground(domain(need=None), PROBLEM))
    assert "Needed: nothing. From then on" in told


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"need": "(or (at ?a) (free))"}, r"disjunctive preconditions \(or\)"),
        ({"need": "(and (not (or (at ?a) (free))))"}, r"disjunctive preconditions \(or\)"),
        ({"need": "(forall (?c - place) (seen ?c))"}, r"quantifiers \(forall\)"),
        ({"need": "(exists (?c - place) (seen ?c))"}, r"quantifiers \(exists\)"),
        ({"need": "(imply (free) (at ?a))"}, r"implications \(imply\)"),
        ({"need": "(> (fuel) 0)"}, r"numeric conditions \(>\)"),
        ({"effect": f"(and {MOVES} (when (at ?a) (seen ?b)))"}, r"conditional effects \(when\)"),
        ({"effect": f"(and {MOVES} (forall (?c - place) (seen ?c)))"}, r"quantifiers \(forall\)"),
        ({"effect": f"(and {MOVES} (increase (total-cost) 1))"}, r"action costs \(increase\)"),
        ({"more": "(:functions (total-cost) - number)"}, r"action costs \(:functions\)"),
        ({"more": "(:derived (free) (at p1))"}, r"derived predicates \(:derived\)"),
        ({"more": "(:durative-action slow)"}, r"durative actions \(:durative-action\)"),
        ({"effect": "(and (lost ?b))"}, r"\(lost \?b\), which :predicates does not declare"),
        ({"effect": "(and (seen ?c))"}, r"no parameter \?c"),
        ({"effect": "(and (= ?a ?b))"}, r"\(= \?a \?b\), which :predicates does not declare"),
        ({"effect": "(and (seen home))"}, "home, which is neither a constant nor an object"),
    ],
)
def test_any_other_feature_is_refused_by_its_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=named):
        Ground(domain(**change), PROBLEM)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(define (domain d)", "lacks 1 closing"),
        ("(define (domain d)) (extra)", r"goes on after its last parenthesis, at '\)'"),
        ("", "lacks 1 closing"),
        (") (", "goes on"),
    ],
)
def test_unbalanced_text_is_refused(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read(text)


@pytest.mark.parametrize(
    "which",
    [
        domain(need="(and (at ?a) (not (seen ?b)) (not (= ?a ?b)))"),
        domain(need="(and (at ?a) (not (free)))", more="(:constants home - place)"),
        domain(need=None),
        domain(effect=f"(and {MOVES} (seen ?b) (not (seen ?a)) (free))", need="(not (free))"),
    ],
)
def test_unified_planning_agrees_on_what_applies_and_what_follows(which: Domain) -> None:
    shortcuts = pytest.importorskip("unified_planning.shortcuts")
    from unified_planning.io import PDDLReader

    shortcuts.get_environment().credits_stream = None
    ground = Ground(which, PROBLEM)
    text = problem_pddl(which, PROBLEM, PROBLEM.init)
    problem = PDDLReader().parse_problem_string(which.pddl, text)
    (go,) = problem.actions
    pairs = list(itertools.product(problem.all_objects, repeat=2))
    rng = np.random.default_rng(0)
    with shortcuts.SequentialSimulator(problem) as simulator:
        theirs, mine = simulator.get_initial_state(), ground.init
        for _ in range(4):
            fits = {
                ("go", one.name, other.name): (one, other)
                for one, other in pairs
                if simulator.is_applicable(theirs, go, (one, other))
            }
            numbers = ground.applicable(mine)
            assert {ground.actions[number] for number in numbers} == set(fits)
            if not numbers:
                break
            number = int(rng.choice(numbers))
            after = ground.after(mine, number)
            assert after is not None
            theirs, mine = simulator.apply(theirs, go, fits[ground.actions[number]]), after
            assert {" ".join(atom) for atom in ground.holds(mine)} == {
                " ".join((fact.fluent().name, *(str(each) for each in fact.args)))
                for fact in problem.initial_values
                if theirs.get_value(fact).is_true()
            }
