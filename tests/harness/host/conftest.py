"""Other interpreters for the tests of hosted adapters."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from barepython import make_bare

from harness.host.hosted import end_probes
from harness.host.interpreters import VARIABLE


@pytest.fixture(autouse=True)
def _no_probe_left() -> Iterator[None]:
    yield
    end_probes()


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A virtual environment of this Python with numpy and msgpack alone."""
    return make_bare(tmp_path_factory.mktemp("bare"))


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put families into an interpreter: apart(path, "toys", "minigrid")."""

    def go(python: str, *names: str) -> None:
        monkeypatch.setenv(VARIABLE, json.dumps(dict.fromkeys(names or ("toys",), str(python))))

    return go
