"""Does an agent use what was exchanged or withheld? By its actions, then by what it loses.

Success alone is a weak witness: where none of twenty plays is lost, a loss of 16 points may still
be true. But an agent draws its randomness from its case, so that one which ignores a view acts in
the very same way whatever is shown there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from harness.compare.pairs import Key, ScoredRun
from harness.probes.figures import percent
from harness.records.traces import action_bytes, read_traces
from harness.stats import Interval

__all__ = [
    "LEAST_PLAYS",
    "MARGIN",
    "altered_plays",
    "is_told",
    "is_view",
    "judged_use",
    "use_sentence",
]

LEAST_PLAYS = 14
"""From which on equal actions in all plays say something: what alters one play in five would have
shown itself in 95 % of such probes, since 0.8 ** 14 < 0.05."""
MARGIN = 0.1
"""A loss that is smaller than this for certain, as a share, is called small."""
NAMES = {
    "instruction": ("its instruction", "an empty one"),
    "empty words": ("its instruction", "an empty one"),
    "shuffled words": ("the order of its words", "another one"),
}
"""What is exchanged or withheld -> (what it is called, what was there instead); else a view."""
CONTRADICTED = "contradicted words"
OTHER = "other "
"""How the name of a row begins in which a view of another episode is shown."""


def is_view(name: str) -> bool:
    """Whether a row of this name is about a view."""
    return name not in (*NAMES, CONTRADICTED)


def is_told(name: str) -> bool:
    """Whether a sentence is said of a row of this name: a contradiction has no right answer."""
    return name != CONTRADICTED


def altered_plays(whole: ScoredRun, other: ScoredRun, cases: Iterable[Key]) -> int | None:
    """In how many of these cases, which both runs played, an executed action differs.

    A case in which the agent raised in one of the runs differs. None where it raised in both runs
    of a case, which says nothing of what it uses. Raises UserError where a trace is damaged.
    """
    names = set()
    for key in cases:
        index = whole.plan.locate(*key)
        assert index is not None
        names.add(whole.plan.case(index).id)
    first, second = _actions(whole, names), _actions(other, names)
    if not names <= first.keys() | second.keys():
        return None
    return sum(first.get(name) != second.get(name) for name in names)


def _actions(run: ScoredRun, wanted: set[str]) -> dict[str, bytes]:
    """Case -> a digest of the actions that were executed, of those that were played to the end."""
    whole = {result.case for _, result in run.stored.cases() if result.status == "finished"}
    found = {}
    for trace in read_traces(run.path):
        if trace.case in wanted & whole:
            actions = trace.decoded()
            text = b"%d " % len(actions) + action_bytes(actions)
            found[trace.case] = hashlib.blake2b(text, digest_size=16).digest()
    return found


def judged_use(plays: int, altered: int | None, lost: Interval, corrected: Interval) -> str:
    """`uses`, `ignores`, `small` (acts differently and loses little), or `undecided`.

    lost: the share of success that is lost, with its 95 % interval; corrected: the same at the
    level that allows for how many rows there are.
    """
    if corrected.low > 0:
        return "uses"
    if altered == 0 and plays >= LEAST_PLAYS:
        return "ignores"
    return "small" if altered != 0 and lost.high < MARGIN else "undecided"


def use_sentence(name: str, use: str, plays: int, altered: int | None, lost: Interval) -> str:
    """What is said of a row of this name, as judged_use has it."""
    view = name.removeprefix(OTHER)
    instead = "another episode's" if name != view else "an empty one"
    what, instead = NAMES.get(name, (view, instead))
    cost = f"{instead} costs {percent(lost)} points"
    if use == "uses":
        return f"uses {what}: {cost}"
    if use == "ignores":
        most = 100 * (1 - 0.05 ** (1 / plays))
        return (
            f"does not use {what}: {instead} changes no action in any of {plays} plays (at 95 %: "
            f"in less than {most:.0f} % of all)"
        )
    acts = f", and changes actions in {altered} of {plays} plays" if altered else ""
    if use == "small":
        return f"needs {what} little: {cost}{acts}"
    return f"cannot tell whether it needs {what}: {cost}{acts or f' in {plays} plays'}"
