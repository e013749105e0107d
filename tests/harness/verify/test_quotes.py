"""Published figures and tags are quotes: those of schema 1 were corrected since, and are claims."""

from __future__ import annotations

import dataclasses

import forging
import pytest

from harness.core import Suite
from harness.records.plan import Plan, PlanItem, protocol_hash
from harness.verify.knowledge import Knowledge
from harness.verify.plan_items import check_items

OURS = dataclasses.replace(forging.CLEAR, tags=("gea",))
KNOWN = Knowledge(tasks={OURS.id: OURS}, suite={"toys": Suite("toys", "toys", (OURS,), 1)}.get)
EARLIER = {
    "figures": {"references": (dataclasses.replace(forging.REFERENCE, value=0.01),)},
    "no figures": {"references": ()},
    "tags": {"tags": ()},
}


def checked(schema: int, **fields: object) -> tuple[list[str], list[str]]:
    """(what differs, what is claimed of figures) of a run whose task has these fields."""
    task = dataclasses.replace(OURS, **fields)
    item = PlanItem("toys", task, 1, protocol_hash(task, {}), {}, "toys")
    found = check_items(Plan((item,)), KNOWN, schema)
    claims = [each for each in found.claims if "figures" in each]
    return [each.what for each in found.differences], claims


@pytest.mark.parametrize("fields", EARLIER.values(), ids=EARLIER)
def test_they_are_claims_in_schema_1_and_differences_since(fields: dict[str, object]) -> None:
    claim = "the published figures and tags of toys, which are not those of this version"
    assert checked(1, **fields) == ([], [claim])
    assert checked(2, **fields) == (["the task's description"], [])


@pytest.mark.parametrize("schema", [1, 2])
def test_equal_ones_are_neither(schema: int) -> None:
    assert checked(schema) == ([], [])


@pytest.mark.parametrize("schema", [1, 2])
def test_a_domain_is_no_quote(schema: int) -> None:
    assert checked(schema, domain="planning") == (["the task's description"], [])
