"""Suites are data: each one loads, is complete, and names adapters that exist."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from adapters import ADAPTERS
from harness.core import DOMAINS, Adapter, BatchedAdapter, Case, Missing, Suite, Task
from harness.play.environments import environment_key
from harness.records.catalogue import find_suites
from harness.records.plan import task_from_json, task_to_json
from harness.records.registry import load
from suites import SUITES

ROOT = Path(__file__).parents[2]
SET_UP_BY_THE_USER = ("habitat", "calvin", "libero", "langr", "androidcontrol", "simpler")
"""Families whose simulator or data is in no package registry."""
FOUND: dict[str, Suite] = {name: find_suites(name, SUITES)[0] for name in SUITES}
EVERY = [(suite, task) for suite in FOUND.values() for task in suite.tasks]
SIMULATORS = ("gymnasium", "minigrid", "ale_py", "metaworld", "mujoco", "ray", "torch")

suites = pytest.mark.parametrize("suite", FOUND.values(), ids=FOUND)


def test_published_suites_have_their_numbers_of_tasks_and_episodes() -> None:
    wanted = {
        "babyai": (17, 100, True),
        "babyai-planning": (9, 100, True),
        "atari": (57, 10, True),
        "atari-sticky": (57, 10, False),
        "metaworld": (50, 50, True),
    }
    assert {
        name: (len(FOUND[name].tasks), FOUND[name].episodes, FOUND[name].in_all) for name in wanted
    } == wanted


def test_all_means_every_suite_that_says_so() -> None:
    every = [suite.name for suite in find_suites("all", SUITES)]
    assert {"babyai", "babyai-planning", "minigrid", "atari", "metaworld"} <= set(every)
    assert not {"smoke", "atari-sticky"} & set(every)
    assert every == [name for name, suite in FOUND.items() if suite.in_all]


def test_the_papers_tasks_are_tagged() -> None:
    tagged = Counter(suite.name for suite, task in EVERY if "gea" in task.tags)
    assert {name: tagged[name] for name in ("babyai", "metaworld", "atari", "atari-sticky")} == {
        "babyai": 17,
        "metaworld": 45,
        "atari": 44,
        "atari-sticky": 44,
    }


@suites
def test_a_suite_is_complete(suite: Suite) -> None:
    assert suite.title
    assert suite.episodes > 0
    assert suite.source or not suite.in_all, "a protocol has a source"
    ids = [task.id for task in suite.tasks]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[^ /@]+/[^ @]+@[1-9]\d*", name) for name in ids)


def test_one_id_is_one_task() -> None:
    known: dict[str, Task] = {}
    for _, task in EVERY:
        same = known.setdefault(task.id, task)
        assert (same.content, same.normaliser, same.domain) == (
            task.content,
            task.normaliser,
            task.domain,
        ), task.id


@suites
def test_tasks_say_how_they_are_scored(suite: Suite) -> None:
    for task in suite.tasks:
        assert task.domain in DOMAINS
        assert task.rule, task.id
        assert task.max_steps is None or task.max_steps > 0
        assert task.success is not None or task.score != "success"
        for reference in task.references:
            assert reference.source, task.id
            assert reference.label
            assert reference.metric
            assert reference.same_rule or reference.rule, (
                f"{task.id}: {reference.label} has another rule and does not say which"
            )
            assert reference.metric != "success_rate" or 0 <= reference.value <= 1
        if task.normaliser is not None:
            assert task.normaliser.source
            assert task.normaliser.low < task.normaliser.high


@suites
def test_tasks_come_back_from_json(suite: Suite) -> None:
    for task in suite.tasks:
        back = task_from_json(json.loads(json.dumps(task_to_json(task), allow_nan=False)))
        assert back == task
        assert back.content == task.content
        assert Case(back, 3).id == Case(task, 3).id


@suites
def test_adapters_load_and_answer_for_each_task(suite: Suite) -> None:
    for task in suite.tasks:
        assert task.adapter.partition(":")[0] in {
            entry.partition(":")[0] for entry in ADAPTERS.values()
        }
        kind = load(task.adapter)
        assert issubclass(kind, (Adapter, BatchedAdapter))
        missing = kind.missing(task)
        assert missing is None or (missing.reason and missing.remedy)
        assert isinstance(kind.has_expert(task), bool)
        assert environment_key(task).startswith(f"{task.adapter} ")


def test_which_tasks_have_an_expert() -> None:
    able = Counter(suite.name for suite, task in EVERY if load(task.adapter).has_expert(task))
    wanted = {"babyai": 17, "babyai-planning": 9, "minigrid": 0, "atari": 0, "metaworld": 50}
    assert {name: able[name] for name in wanted} == wanted


def test_the_suites_cover_all_domains() -> None:
    assert {task.domain for suite, task in EVERY if suite.in_all} >= {
        "manipulation",
        "navigation",
        "games",
        "ui",
        "planning",
    }
    assert {task.domain for task in FOUND["smoke"].tasks} == {
        "manipulation",
        "navigation",
        "games",
        "ui",
        "planning",
    }


def test_smoke_has_a_task_of_every_family_that_set_up_installs() -> None:
    whole = {entry for family, entry in ADAPTERS.items() if family not in SET_UP_BY_THE_USER}
    assert {task.adapter for task in FOUND["smoke"].tasks} >= whole


def test_families_that_the_user_sets_up_say_how() -> None:
    adapters = {task.adapter for suite, task in EVERY if suite.in_all}
    for family in SET_UP_BY_THE_USER:
        missing = load(ADAPTERS[family]).missing()
        assert missing is None or (missing.reason and missing.remedy)
        assert ADAPTERS[family] in adapters, f"--suite all has nothing of {family}"


def test_smoke_shows_no_published_figure_of_another_task() -> None:
    figures = {task.id for suite, task in EVERY if suite.in_all}
    for task in FOUND["smoke"].tasks:
        assert task.id in figures or not task.references, "a task cut short has no published figure"
        assert not (task.id.startswith("smoke/") and task.normaliser), (
            "nor the scale of the whole game"
        )


def test_an_absent_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    for entry in ADAPTERS.values():
        kind = load(entry)
        monkeypatch.setattr(kind, "packages", ("no-such-simulator",))
        remedy = kind.guide or (
            f"pip install 'generalist-bench[{kind.extra}]'"
            if kind.extra
            else "pip install no-such-simulator"
        )
        assert kind.missing() == Missing("the package no-such-simulator is not installed", remedy)


def test_nothing_is_imported_printed_or_set_before_a_task_is_played() -> None:
    script = f"""
import os, sys
before = dict(os.environ)
from adapters import ADAPTERS
from baselines import AGENTS
from suites import SUITES
from harness.records.catalogue import find_suites
from harness.play.environments import environment_key
from harness.records.registry import load
for name in SUITES:
    for task in find_suites(name, SUITES)[0].tasks:
        kind = load(task.adapter)
        kind.missing(task), kind.has_expert(task), environment_key(task)
for entry in (*ADAPTERS.values(), *AGENTS.values()):
    load(entry)
import leaderboards.render, leaderboards.report
assert dict(os.environ) == before, "an environment variable was set"
assert not {set(SIMULATORS)} & sys.modules.keys(), {set(SIMULATORS)} & sys.modules.keys()
"""
    said = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_sticky_actions_make_other_tasks_with_the_same_scale() -> None:
    plain, sticky = (
        {task.name.partition("/")[2]: task for task in FOUND[name].tasks}
        for name in ("atari", "atari-sticky")
    )
    assert plain.keys() == sticky.keys()
    assert not {task.id for task in plain.values()} & {task.id for task in sticky.values()}
    assert all(plain[game].normaliser == sticky[game].normaliser for game in plain)
    short = dataclasses.replace(plain["pong"], max_steps=9)
    assert short.content != plain["pong"].content
