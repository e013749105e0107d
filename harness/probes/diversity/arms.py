"""Which trainings are compared: of one set of demonstrations, of all, and of all but one."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core import UserError

__all__ = ["Design", "Training", "Variant", "design_of", "variants_of"]


@dataclass(frozen=True)
class Variant:
    """One value of the second factor: a field of the configuration."""

    field: str = ""
    """Empty: there is no second factor."""
    value: Any = None

    @property
    def changes(self) -> Mapping[str, Any]:
        """Of the configuration."""
        return {self.field: self.value} if self.field else {}

    def __str__(self) -> str:
        if not self.field:
            return ""
        told = self.value if isinstance(self.value, str) else json.dumps(self.value)
        return f"{self.field}={told}"


@dataclass(frozen=True)
class Training:
    """What one training learns from, and for how long."""

    sets: tuple[str, ...]
    """Names of the sets of demonstrations, in their order."""
    steps: int
    """Updates."""

    @property
    def name(self) -> str:
        """A folder's name."""
        return f"{'+'.join(self.sets)}-{self.steps}"


@dataclass(frozen=True)
class Design:
    """The trainings of a probe."""

    sets: tuple[str, ...]
    steps: int

    @property
    def whole(self) -> Training:
        """All sets."""
        return Training(self.sets, self.steps)

    def alone(self, name: str) -> Training:
        """One set, with as many updates as all."""
        return Training((name,), self.steps)

    def alone_alike(self, name: str) -> Training:
        """One set, with as many examples of it as `whole` sees: each set is drawn alike there."""
        return Training((name,), max(1, round(self.steps / len(self.sets))))

    def without(self, name: str) -> Training:
        """All but one set; of two sets that is the other one alone."""
        return Training(tuple(each for each in self.sets if each != name), self.steps)

    def trainings(self) -> tuple[Training, ...]:
        """All that differ."""
        parts = ((self.alone(n), self.alone_alike(n), self.without(n)) for n in self.sets)
        return tuple(dict.fromkeys([self.whole, *itertools.chain.from_iterable(parts)]))


def design_of(sets: Sequence[str], steps: int) -> Design:
    """The trainings of these sets. Raises UserError for fewer than two, or two of one name."""
    if len(set(sets)) != len(sets):
        twice = next(each for each in sets if sets.count(each) > 1)
        raise UserError(f"two folders of demonstrations are called {twice}: rename one")
    if len(sets) < 2:
        raise UserError("name two folders of demonstrations at least, each with --data")
    if steps < len(sets):
        raise UserError(f"--steps {steps}: train for more updates than there are sets")
    return Design(tuple(sets), steps)


def variants_of(text: str | None) -> tuple[Variant, ...]:
    """The values of FIELD=VALUE,VALUE,...; one without a field for None. Raises UserError."""
    if text is None:
        return (Variant(),)
    field, equals, values = text.partition("=")
    words = [each.strip() for each in values.split(",") if each.strip()]
    if (
        not equals
        or not field.isidentifier()
        or len(set(words)) < 2
        or len(set(words)) < len(words)
    ):
        raise UserError(f"--vary {text!r}: write FIELD=VALUE,VALUE, two different values at least")
    found = [Variant(field, _value(word)) for word in words]
    for each in found:
        if not all(letter.isalnum() or letter in "=-_." for letter in str(each)):
            raise UserError(f"--vary {text!r}: a value is letters, digits, -, _ and .")
    return tuple(found)


def _value(word: str) -> Any:
    try:
        return json.loads(word)
    except ValueError:
        return word
