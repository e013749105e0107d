"""config.json of the three baselines: what is good is read as it is, what is not is one line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from baselines.decision_transformer.config import Config as DecisionTransformer
from baselines.gea.config import Config as GEA
from baselines.learning.config_file import StoredConfig
from baselines.transformer_bc.config import Config as TransformerBC
from harness.core import UserError

BASELINES = Path(__file__).resolve().parents[2] / "baselines"
KINDS: dict[str, type[StoredConfig]] = {
    "decision_transformer": DecisionTransformer, "gea": GEA, "transformer_bc": TransformerBC,
}  # fmt: skip
SHIPPED = sorted(BASELINES.glob("*/weights/*/config.json"))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.parent.name)
def test_shipped_files_come_back_as_they_are(file: Path, tmp_path: Path) -> None:
    config = KINDS[file.parents[2].name].load(file.parent)
    config.save(tmp_path)
    assert KINDS[file.parents[2].name].load(tmp_path) == config
    before, after = (json.loads(each.read_text()) for each in (file, tmp_path / "config.json"))
    # An older file may lack newer fields.
    assert _within(before, after)
    changed = type(config).read(file, {"width": 384, "lr": 1})
    assert (changed.width, changed.lr) == (384, 1)  # type: ignore[attr-defined]


def _within(before: Any, after: Any) -> bool:
    if isinstance(before, dict) and isinstance(after, dict):
        return all(name in after and _within(each, after[name]) for name, each in before.items())
    return bool(before == after)


def test_all_three_have_shipped_files() -> None:
    assert {file.parents[2].name for file in SHIPPED} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_file_of_a_stranger_is_one_line(kind: type[StoredConfig], tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    with pytest.raises(UserError, match=f"{tmp_path} holds no weights .*bench train {kind.agent}"):
        kind.load(tmp_path)
    for content, why in (
        ("[1]", f"no configuration of {kind.agent}: it is a list"),
        ("{", "is damaged"),
        ('{"width": 8, "width": 16}', "the key 'width' twice"),
        ('{"lr": NaN}', "holds NaN"),
        ('{"x": ' + "[" * 99 + "]" * 99 + "}", "nested more than"),
        ('{"wdth": 8}', f"of {kind.agent} has no field 'wdth'; did you mean width"),
        ('{"zzz": 8}', "has no field 'zzz'; it has .*width"),
        ('{"width": "8"}', "width is '8', not a whole number"),
        ('{"width": true}', "width is True, not a whole number"),
        ('{"heads": 0}', "heads is 0, not a whole number from 1"),
        ('{"layers": 1000000000}', "layers is 1000000000, not a whole number"),
        ('{"lr": -1}', "lr is -1, not a number from 0 on"),
        ('{"views": "grid"}', "views is 'grid', not a list"),
        ('{"views": [3]}', r"views\[0\] is 3, not a text"),
        (" " * (2 << 20), "larger than 1 MiB"),
    ):
        file.write_text(content)
        with pytest.raises(UserError, match=why) as caught:
            kind.load(tmp_path)
        assert "\n" not in str(caught.value)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(UserError, match="a pipe, not a regular file"):
        kind.load(tmp_path)
    with pytest.raises(UserError, match=r"^width is None, not a whole number"):
        kind.from_json({"width": None})


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"rvq": {"cods": 4}}, "rvq.cods is unknown"),
        ({"rvq": {"codes": 0}}, "rvq.codes is 0, not a whole number from 1"),
        ({"rvq": 3}, "rvq is 3, not a table"),
        ({"weights": {"games": "much"}}, "weights.games is 'much', not a finite number"),
        ({"contexts": {"langr": {"history": 1.5}}}, "contexts.langr.history is 1.5, not a whole"),
    ],
)
def test_tables_within_are_checked_too(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(UserError, match=why):
        GEA.from_json(fields)
    assert GEA.from_json({"rvq": {"codes": 4}}).rvq.code_dim == 1024, "the paper's by default"
