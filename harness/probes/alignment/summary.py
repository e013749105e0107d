"""What came of the probe, as text and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.core.grammar import counted
from harness.probes.alignment.compare import Pair, Settings
from harness.probes.alignment.gate import Success
from harness.probes.alignment.measures import FOLDS, Alignment, Tested
from harness.probes.alignment.sentences import Sentences
from harness.probes.figures import estimate_json, points
from harness.probes.result import Finding, Plot, Point, Section, Series

__all__ = ["Summary"]


@dataclass(frozen=True, kw_only=True)
class Summary(Finding):
    """Everything."""

    agent: str
    gate: float
    successes: tuple[Success, ...]
    """Of every task that was asked for; none where the gate is 0."""
    sentences: Sentences | None
    """None: the agent passes the gate nowhere, so nothing was compared."""
    sides: Mapping[str, tuple[str, int]]
    """Name of an embedding -> (what it is of, D)."""
    pairs: tuple[Pair, ...]
    settings: Settings
    untrained: str
    """Why there is no untrained agent; empty: there is one."""

    of_a_file: bool = False
    """Whether the sentences are no tasks' instructions; then the mean over tasks must pass."""

    def passes(self, task: str) -> bool:
        """Whether the sentences of a task are read."""
        return all(each.rate.value >= self.gate for each in self.successes if each.task == task)

    def sections(self) -> list[Section]:
        """Tables of 80 columns, and what they mean."""
        found = [Section(before=tuple(self._what()))]
        if self.sentences is None:
            return found
        found += self._tables("all sentences", lambda pair: pair.across)
        if any(pair.within is not None for pair in self.pairs):
            found += self._tables("among sentences of the same task", lambda pair: pair.within)
        gains = [
            f"  {pair.one} and {pair.other}, P@{k}: {points(gain)}"
            for pair in self.pairs
            for k, gain in pair.gain.items()
        ]
        if gains:
            title = "beyond the untrained agent, all sentences, in points (95 %):"
            found.append(Section(title=title, before=tuple(gains)))
        return found

    def plots(self) -> list[Plot]:
        """Precision beside chance and null, for each k."""
        return [each for k in self.settings.ks if (each := self._plot(k)) is not None]

    def _plot(self, k: int) -> Plot | None:
        known = [(f"{pair.one} / {pair.other}", pair.across.precision[k]) for pair in self.pairs]
        told = [(name, found) for name, found in known if found is not None]
        if not told:
            return None
        reached = [
            Point(at=place, value=100 * found.value) for place, (_, found) in enumerate(told)
        ]
        nulls = [Point(at=place, value=100 * found.null) for place, (_, found) in enumerate(told)]
        chance = told[0][1].chance
        return Plot(
            title=f"P@{k}, all sentences; line: chance",
            kind="rows",
            value="precision in %",
            labels=tuple(name for name, _ in told),
            series=(
                Series(name="reached", points=tuple(reached)),
                Series(name="95 % of the null", points=tuple(nulls)),
            ),
            least=0,
            most=100,
            marks=() if chance is None else (100 * chance,),
        )

    def _what(self) -> Iterator[str]:
        for each in () if self.of_a_file else self.successes:
            if not self.passes(each.task):
                yield (
                    f"left out: {each.task}: {self.agent} succeeds in {each.successes} of "
                    f"{each.n}, under the gate of {self.gate:g}"
                )
        if self.sentences is None:
            yield f"{self.agent} passes the gate of {self.gate:g} nowhere: nothing is compared"
            return
        for task, why in self.sentences.left_out.items():
            yield f"without sentences: {task}: {why}"
        n, tasks = len(self.sentences.texts), len(set(self.sentences.groups))
        held = -(-n // FOLDS)
        yield (
            f"{counted(n, 'sentence')} of {counted(tasks, 'task')}; {FOLDS} maps, each tried on "
            f"the {held} at most that were held out; "
            f"{counted(self.settings.permutations, 'permutation')}"
        )
        if self.successes:
            yield f"{self.agent} succeeds in {self._own_success()} of the episodes of these tasks"
        for name, (what, width) in self.sides.items():
            yield f"{name}: {what}, {width} numbers"
        if self.untrained:
            yield f"no untrained agent: {self.untrained}"

    def _own_success(self) -> str:
        rates = [each for each in self.successes if self.of_a_file or self.passes(each.task)]
        return f"{sum(each.successes for each in rates)} of {sum(each.n for each in rates)}"

    def _tables(self, title: str, chosen: Callable[[Pair], Alignment | None]) -> list[Section]:
        told = [(f"{p.one} / {p.other}", found) for p in self.pairs if (found := chosen(p))]
        ks = self.settings.ks
        chances = tuple(f"  {line}" for line in self._chances([found for _, found in told]))
        head = ["pair", *(word for k in ks for word in (f"P@{k}", "null", "p"))]
        rows = [
            [name, *(cell for k in ks for cell in _cells(found.precision[k], 100, 1))]
            for name, found in told
        ]
        precision = Section.table(f"{title}, precision in %", head, rows, before=chances)
        head = ["pair", "RSA", "null", "p", "CKA", "null", "p"]
        rows = [[name, *_cells(f.rsa, 1, 2), *_cells(f.cka, 1, 2)] for name, f in told]
        return [precision, Section.table(f"{title}, RSA and CKA", head, rows)]

    def _chances(self, found: list[Alignment]) -> Iterator[str]:
        """What guessing reaches, which is the same for all pairs."""
        for k in self.settings.ks:
            known = next((each.precision[k] for each in found if each.precision[k]), None)
            if known is None or known.chance is None:
                yield f"P@{k}: no sentence is sought among more than {k}"
            else:
                yield f"P@{k}: chance {100 * known.chance:.1f}, over {known.of} sentences"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "schema": 1,
            "agent": self.agent,
            "gate": self.gate,
            "tasks": [
                {
                    "task": each.task,
                    "successes": each.successes,
                    "n": each.n,
                    "success": estimate_json(each.rate),
                    "passes": self.passes(each.task),
                }
                for each in self.successes
            ],
            "sentences": None if self.sentences is None else len(self.sentences.texts),
            "sentences_by_task": {}
            if self.sentences is None
            else dict(Counter(self.sentences.groups)),
            "left_out": {} if self.sentences is None else dict(self.sentences.left_out),
            "folds": FOLDS,
            "permutations": self.settings.permutations,
            "embeddings": {
                name: {"what": what, "width": width} for name, (what, width) in self.sides.items()
            },
            "untrained": self.untrained,
            "pairs": [
                {
                    "one": pair.one,
                    "other": pair.other,
                    "across_tasks": _alignment_json(pair.across),
                    "within_tasks": _alignment_json(pair.within),
                    "beyond_untrained": {
                        str(k): estimate_json(gain) for k, gain in pair.gain.items()
                    },
                }
                for pair in self.pairs
            ],
        }


def _cells(found: Tested | None, scale: float, digits: int) -> list[str]:
    if found is None:
        return ["", "", ""]
    return [
        f"{scale * found.value:.{digits}f}",
        f"{scale * found.null:.{digits}f}",
        f"{found.p:.3f}",
    ]


def _alignment_json(found: Alignment | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "dims": found.dims,
        "precision": {str(k): _tested_json(each) for k, each in found.precision.items()},
        "rsa": _tested_json(found.rsa),
        "cka": _tested_json(found.cka),
        "cka_biased": _tested_json(found.cka_biased),
    }


def _tested_json(found: Tested | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "value": found.value,
        "null_95": found.null,
        "p": found.p,
        "chance": found.chance,
        "of": found.of,
    }
