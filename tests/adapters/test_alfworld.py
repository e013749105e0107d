"""The ALFWorld adapter on the real engine: synthetic games, and official ones as downloaded."""

from __future__ import annotations

import ast
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.alfworld import NOTHING, AlfWorldAdapter
from adapters.alfworld.games import TASK_TYPES, synthetic
from harness.core import Case, Task, TimeStep, UserError, stream
from harness.testing import check_adapter
from suites.alfworld import SUITES
from suites.alfworld import TASK_TYPES as SUITE_TYPES

TASKS = {
    task.params.get("task_type", task.params.get("split")): task
    for suite in SUITES
    for task in suite.tasks
}


def play_expert(
    adapter: AlfWorldAdapter, case: Case, astray: float = 0.0
) -> tuple[TimeStep, list[str]]:
    """Play the expert, with some random admissible commands: the last TimeStep and the actions."""
    rng, timestep, done = random.Random(case.seed), adapter.reset(case), list[str]()
    while not timestep.terminated and len(done) < 50:
        wanted = adapter.expert(done[-1] if done else None)
        assert wanted is not None
        assert wanted in timestep.observation["admissible"]()
        done.append(
            rng.choice(timestep.observation["admissible"]()) if rng.random() < astray else wanted
        )
        timestep = adapter.step(done[-1])
    return timestep, done


@pytest.fixture(scope="module")
def adapter() -> Any:
    made = AlfWorldAdapter(TASKS[TASK_TYPES[0]])
    yield made
    made.close()


def write_official(folder: Path, count: int) -> None:
    """Write games as downloaded: json_2.1.1/SPLIT/TYPE-*/TRIAL/{game.tw-pddl,traj_data.json}."""
    for number in range(count):
        game = synthetic(TASK_TYPES[number % 6], stream("test", number))
        trial = folder / "json_2.1.1" / "valid_unseen" / f"{game.task_type}-{number}" / "trial_T0"
        trial.mkdir(parents=True)
        data = {
            "pddl_domain": game.domain,
            "grammar": game.grammar,
            "pddl_problem": game.problem,
            "solvable": number != 1,
        }
        (trial / "game.tw-pddl").write_text(json.dumps(data))
        params = {
            "object_target": game.target,
            "parent_target": game.parent,
            "toggle_target": "",
            "mrecep_target": "",
        }
        (trial / "traj_data.json").write_text(
            json.dumps({"task_type": game.task_type, "pddl_params": params})
        )


def test_contract() -> None:
    others = [TASKS["pick_two_obj_and_place"]]
    check_adapter(TASKS["look_at_obj_in_light"], steps=12, others=others)


def test_suite_names_the_task_types_and_marks_synthetic_games() -> None:
    assert SUITE_TYPES == TASK_TYPES
    drawn, unseen, seen = SUITES
    assert all(
        "synthetic" in task.id and "synthetic" in task.tags and not task.references
        for task in drawn.tasks
    )
    assert (unseen.episodes, seen.episodes) == (134, 140)


@pytest.mark.parametrize("kind", TASK_TYPES)
def test_expert_solves(adapter: AlfWorldAdapter, kind: str) -> None:
    for seed in range(2):
        last, done = play_expert(adapter, Case(TASKS[kind], seed))
        assert last.success
        assert last.reward == 1.0
        assert len(done) <= 20
        assert last.metrics == {"invalid_actions": 0.0}


def test_expert_recovers_from_random_commands(adapter: AlfWorldAdapter) -> None:
    """Random commands in between: things carried away, doors shut, the wrong thing in hand."""
    for kind in TASK_TYPES:
        assert play_expert(adapter, Case(TASKS[kind], 3), astray=0.3)[0].success


def test_an_episode_is_that_of_the_package(adapter: AlfWorldAdapter) -> None:
    """TextWorld's PddlEnv with ALFWorld's names has the same commands, answers and end."""
    import textworld
    from alfworld.agents.environment.alfred_tw_env import AlfredDemangler
    from textworld.envs import PddlEnv

    task = TASKS["pick_heat_then_place_in_recep"]
    timestep = adapter.reset(Case(task, 5))
    game, arguments = adapter._game, sys.argv
    env = AlfredDemangler(PddlEnv(textworld.EnvInfos(admissible_commands=True)))
    env.load({"pddl_domain": game.domain, "grammar": game.grammar, "pddl_problem": game.problem})
    state, rng = env.reset(), random.Random(0)
    sys.argv = arguments
    for step in range(14):
        text, commands = timestep.observation["text"](), timestep.observation["admissible"]()
        assert text == state.feedback.strip()
        assert commands == tuple(
            " ".join(command.split()) for command in state["admissible_commands"]
        )
        assert timestep.success == state["won"]
        fetching = [
            command for command in commands if command.startswith(("take", "heat", "move", "open"))
        ]
        command = rng.choice(fetching if fetching and step % 2 else commands)
        timestep = adapter.step(command)
        spelt = next(c for c in state["admissible_commands"] if " ".join(c.split()) == command)
        state, _, _ = env.step(spelt)


def test_an_inadmissible_command_does_nothing(adapter: AlfWorldAdapter) -> None:
    timestep = adapter.reset(Case(TASKS["pick_and_place_simple"], 0))
    before = timestep.observation["admissible"]()
    for count, command in enumerate(
        ("fly to the moon", "", "take sun 1 from sky 1", "\u2603\n"), 1
    ):
        timestep = adapter.step(command)
        assert timestep.observation["text"]() == NOTHING
        assert timestep.observation["admissible"]() == before
        assert timestep.metrics == {"invalid_actions": float(count)}


def in_the_papers_words(command: str) -> str:
    """As in ALFWorld's paper and in prompts of its time."""
    return re.sub(r"^move (.+) to (.+)$", r"put \1 in/on \2", command)


def test_the_papers_wording_is_a_trap_with_a_way_out(adapter: AlfWorldAdapter) -> None:
    """Its words do nothing, as in the package; with the line of the family's page they all do."""
    page = (Path(__file__).parents[2] / "docs/families/alfworld.md").read_text()
    (line,) = re.findall(r"re\.sub\((.*), command\)", page)
    pattern, replacement = ast.literal_eval(f"({line})")
    for kind in TASK_TYPES:
        for seed in range(2):
            trapped = adapter.reset(Case(TASKS[kind], seed))
            for _ in range(12):
                wanted = adapter.expert(None)
                assert wanted is not None
                if (theirs := in_the_papers_words(wanted)) != wanted:
                    trapped = adapter.step(theirs)
                    assert trapped.observation["text"]() == NOTHING
                    assert trapped.metrics == {"invalid_actions": 1.0}
                    break
                trapped = adapter.step(wanted)
            timestep = adapter.reset(Case(TASKS[kind], seed))
            while not timestep.terminated:
                wanted = adapter.expert(None)
                assert wanted is not None
                command = in_the_papers_words(wanted)
                timestep = adapter.step(re.sub(pattern, replacement, command))
            assert timestep.success
            assert timestep.metrics == {"invalid_actions": 0.0}


def test_only_blanks_around_a_command_are_forgiven(adapter: AlfWorldAdapter) -> None:
    for command, counted in (("  LOOK", 1), ("look.", 2), ("> look", 3), ("  look \n", 3)):
        if counted == 1:
            adapter.reset(Case(TASKS["pick_and_place_simple"], 0))
        assert adapter.step(command).metrics == {"invalid_actions": float(counted)}


def test_the_adapter_leaves_the_process_as_it_was() -> None:
    arguments, data = list(sys.argv), os.environ.get("ALFWORLD_DATA")
    made = AlfWorldAdapter(TASKS["pick_and_place_simple"])
    made.reset(Case(TASKS["pick_and_place_simple"], 1))
    made.close()
    assert (sys.argv, os.environ.get("ALFWORLD_DATA")) == (arguments, data)


def test_a_process_that_closed_several_adapters_ends_without_a_crash() -> None:
    """Unloading the engine's library, as the package offers it, ends in a crash at exit."""
    script = (
        "from adapters.alfworld import AlfWorldAdapter\n"
        "from harness.core import Case\n"
        "from suites.alfworld import SUITES\n"
        "task = SUITES[0].tasks[1]\n"
        "lanes = [AlfWorldAdapter(task) for _ in range(3)]\n"
        "for seed, lane in enumerate(lanes): lane.reset(Case(task, seed))\n"
        "for lane in lanes: lane.close()"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, env=environment
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_official_games(
    adapter: AlfWorldAdapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    official = TASKS["valid_unseen"]
    monkeypatch.setenv("ALFWORLD_DATA", str(tmp_path))
    absent = AlfWorldAdapter.missing(official)
    assert absent is not None
    assert "alfworld-download" in absent.remedy
    assert AlfWorldAdapter.missing(TASKS["pick_and_place_simple"]) is None
    write_official(tmp_path, 3)  # the second one is marked as unsolvable
    assert AlfWorldAdapter.missing(official) is None
    told = [adapter.reset(Case(official, seed)).instruction for seed in range(3)]
    assert told[0] == told[2] != told[1]
    assert play_expert(adapter, Case(official, 0))[0].success
    monkeypatch.delenv("ALFWORLD_DATA")
    elsewhere = Task(
        "test/data@1",
        "planning",
        official.adapter,
        {"split": "valid_unseen", "data": str(tmp_path)},
        max_steps=50,
    )
    assert AlfWorldAdapter.missing(elsewhere) is None
    assert adapter.reset(Case(elsewhere, 0)).instruction == told[0]


def test_an_unknown_task_type_is_answered_with_the_six(adapter: AlfWorldAdapter) -> None:
    with pytest.raises(UserError, match="pick_two_obj_and_place"):
        adapter.reset(
            Case(
                Task(
                    "test/none@1",
                    "planning",
                    "adapters.alfworld:AlfWorldAdapter",
                    {"task_type": "dance"},
                ),
                0,
            )
        )
