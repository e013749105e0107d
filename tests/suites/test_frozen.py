"""What case ids, protocols and so every stored result depend on, against tests/data/frozen.json.

Somebody who changes or adds something on purpose (with a new version in the task's id) writes the
file again: `python tests/suites/test_frozen.py`.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters import ADAPTERS
from suites import SUITES

FILE = Path(__file__).resolve().parents[1] / "data/frozen.json"


def short_hash(value: Any) -> str:
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=5).hexdigest()


def hashes_of_tasks(suite: str) -> dict[str, str]:
    """Task id -> a hash of all that changes what happens or what scores, in the suite's order."""
    named = {each.name: each for each in importlib.import_module(SUITES[suite]).SUITES}
    return {
        task.id: short_hash([task.content, task.domain, task.tags, named[suite].episodes_of(task)])
        for task in named[suite].tasks
    }


def hashes_of_perturbations(
    registry: Mapping[str, Any],
    sets: Mapping[str, tuple[str, str]],
    hook: str = "simulator_perturbations",
) -> dict[str, str]:
    """Name -> a hash of group and parameters; `FAMILY NAME` for what a simulator does itself, and
    `set NAME` -> a hash of what the set consists of."""
    found = {
        name: short_hash(
            [
                kind.group,
                [dict(kind.params(severity)) for severity in range(1, len(kind.levels) + 1)],
            ]
        )
        for name, kind in registry.items()
    }
    found |= {f"set {name}": short_hash(parts) for name, (_, parts) in sets.items()}
    for family, entry in ADAPTERS.items():
        module, _, name = entry.partition(":")
        adapter = getattr(importlib.import_module(module), name)
        for each in getattr(adapter, hook)():
            found[f"{family} {each.name}"] = short_hash([dict(level) for level in each.levels])
    return found


def text_of(perturbations: Mapping[str, str]) -> str:
    """The file, with a line for each task and each perturbation."""
    frozen = {"perturbations": perturbations, **{name: hashes_of_tasks(name) for name in SUITES}}
    return json.dumps(frozen, indent=0) + "\n"


def differences(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    lost = [f"{name} is gone" for name in expected if name not in found]
    new = [f"{name} is not in the file" for name in found if name not in expected]
    return lost + new + [f"{n} changed" for n in expected if n in found and expected[n] != found[n]]


FROZEN = json.loads(FILE.read_text()) if FILE.exists() else {}


def test_every_suite_is_in_the_file() -> None:
    assert list(FROZEN) == ["perturbations", *SUITES]


@pytest.mark.parametrize("suite", SUITES)
def test_no_task_changes_what_its_id_means(suite: str) -> None:
    found = hashes_of_tasks(suite)
    changed = differences(FROZEN[suite], found)
    assert not changed, (
        f"suite {suite}: {'; '.join(changed)}. Case ids and stored results depend on a task's id, "
        "adapter, params, horizon, rule, score, seeds, domain, tags and number of episodes"
    )
    assert list(found) == list(FROZEN[suite]), f"suite {suite}: its tasks are in another order"


def test_no_perturbation_changes_what_its_name_and_severity_mean() -> None:
    from harness.perturb import REGISTRY, SETS

    changed = differences(FROZEN["perturbations"], hashes_of_perturbations(REGISTRY, SETS))
    assert not changed, (
        f"{'; '.join(changed)}. Case ids and stored results depend on a perturbation's name, group "
        "and the parameters of each severity"
    )


if __name__ == "__main__":
    from harness.perturb import REGISTRY, SETS

    FILE.write_text(text_of(hashes_of_perturbations(REGISTRY, SETS)))
