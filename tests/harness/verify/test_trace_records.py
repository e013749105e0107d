"""What verify keeps of ten million traces fits in memory, and says what a dict would."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.verify.trace_records import TraceRecord, TraceRecords


def record(number: int, **changes: str) -> TraceRecord:
    fields = {"digest": f"{number:020x}", "instruction": f"go to {number % 3}", "pixels": ""}
    part = Path(f"part-{number % 2}.msgpack")
    return TraceRecord(part=part, place=number << 33, length=number, **{**fields, **changes})


def test_the_last_trace_of_a_case_counts_as_in_a_dict() -> None:
    table, expected = TraceRecords(), {}
    for number in range(200):
        case = f"{number % 150:020x}" if number % 7 else f"not a hash {number % 150}"
        expected[case] = record(number, **({"digest": "ABC", "pixels": "\0"} if number % 5 else {}))
        table.add(case, expected[case])
    assert dict(table) == expected
    assert len(table) == len(expected)
    assert all(case in table for case in expected)
    assert table.get("f" * 20) is None
    assert "f" * 20 not in table


def test_a_trace_takes_some_sixty_bytes() -> None:
    table = TraceRecords()
    for number in range(20_000):
        table.add(f"{number:020x}", record(number))
    held = [*vars(table).values(), *(each._packed for each in (table._ids, table._digests))]
    assert sum(map(sys.getsizeof, held)) + sys.getsizeof(table._pixels._packed) < 75 * 20_000
