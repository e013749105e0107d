"""Names become code, or a message that says what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest
import toys

from harness.core import UserError
from harness.records.registry import load


def test_an_entry_names_its_object() -> None:
    assert load("toys:ToyAdapter") is toys.ToyAdapter
    assert load("toys:ToyAdapter.reset") is toys.ToyAdapter.reset


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("toys", "'toys' names nothing: write package.module:Name"),
        ("toys:", "names nothing"),
        (":ToyAdapter", "names nothing"),
        ("../toys:ToyAdapter", "names nothing"),
        ("toys:Toy Adapter", "names nothing"),
        ("toys:toyadapter", "toys:toyadapter: toys has no 'toyadapter'; did you mean ToyAdapter"),
        ("toys:Nothing", r"toys has no 'Nothing'$"),
        (
            "toyz:ToyAdapter",
            "there is no module 'toyz' on the module search path.*did you mean toys",
        ),
        (
            "harness.tesing:check_agent",
            "there is no module 'tesing' in harness; did you mean testing",
        ),
        ("toys.inner:ToyAdapter", "toys is a module, not a package"),
    ],
)
def test_a_misspelt_entry(entry: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load(entry)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        (
            "mine1",
            "import no_such_simulator",
            r"mine1 needs no_such_simulator, which is not installed; .*mine1.py:1\)",
        ),
        (
            "mine2",
            "from toys import Nobody",
            r"importing mine2 failed: ImportError: cannot import name 'Nobody' from 'toys'"
            r".*mine2.py:1\)",
        ),
        ("mine3", "x = 1\n1 / 0", r"failed: ZeroDivisionError: division by zero \(.*mine3.py:2\)"),
        ("mine4", "def broken(:", "failed: SyntaxError: invalid syntax.*mine4.py:1"),
        (
            "mine5",
            "try:\n    {}['a']\nexcept KeyError as e:\n    raise ValueError('b') from e",
            r"failed: KeyError: 'a' \(.*mine5.py:2\)",
        ),
    ],
)
def test_a_module_that_fails_shows_the_cause(
    name: str, source: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.joinpath(f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        load(f"{name}:Agent")
    assert "\n" not in str(caught.value)
