"""What tests of pages share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from realbrowser import launched


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """For each file anew: while it is there, no other event loop can run in this thread."""
    with launched() as chromium:
        yield chromium
