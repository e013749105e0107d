"""An error as one line, whatever class it has."""

from __future__ import annotations

import pytest

from harness.core.errors import describe


class Unreadable(Exception):
    def __str__(self) -> str:
        raise SystemExit(0)


class NoText(Exception):
    def __str__(self) -> str:
        return 3  # type: ignore[return-value]


@pytest.mark.parametrize("kind", [Unreadable, NoText])
def test_a_message_that_cannot_be_read_is_told_so(kind: type[Exception]) -> None:
    assert describe(kind()) == f"{kind.__name__}: (its message cannot be read)"


def test_a_message_is_one_line_of_bounded_length() -> None:
    assert describe(ValueError("a\n  b\x85c\u2028d")) == "ValueError: a b c d"
    assert len(describe(ValueError("x" * 10**7))) < 600
