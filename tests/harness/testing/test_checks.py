"""The contract passes what is good and names what is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import faulty
import faulty_agents
import pytest
import toyfaults
import toys
from conftest import ROOT

from harness.core import Answer, Perturbation, Turn
from harness.testing import ContractError, check_adapter, check_agent

NUDGE = Perturbation("nudge", 1)  # the toys do not know it, so it must change nothing in them
RELATED = toys.toy_task("elsewhere")
BAD_ADAPTERS: dict[type, str] = {
    faulty.LeakyAbandoned: "a kept adapter plays another episode",
    faulty.LeakyPerturbation: "after a case of toys/goal@1 nudge:1 another episode is played",
    faulty.LeakyTask: "after a case of toys/elsewhere@1 another episode is played",
    faulty.Unseeded: "two fresh adapters play the same case differently: .* not deterministic",
    faulty.GlobalRandom: "two lanes influence each other",
    faulty.SharedClass: "two lanes influence each other",
    faulty.HashOrder: "another Python process plays another episode",
    faulty.SameStart: r"the seeds \[0, 1, 2, 3\] are all the same episode",
    faulty.CloseBreaks: "closing one adapter changes another",
    faulty.CloseRaises: "close raised RuntimeError: the window is gone already",
    faulty.OverAtReset: "seed 0 is over or solved at reset",
    faulty.NumberEnvKey: "env_key must return a nonempty str, got 7",
    faulty.EarlyImport: "imports tabulate: import it in the constructor",
    faulty.NamesTask: r"the brief names the task \(toys/goal\)",
    faulty.NoEmbodiment: "brief.embodiment is empty",
    faulty.OtherRate: "brief.control_hz is 10.0, the task's is None",
    faulty.NoView: "brief.observation offers no view",
    faulty.LostView: r"the views are \['state'\], the brief offers \['image', 'state'\]",
    faulty.LazyViewOutside: (
        "the view image does not conform to its spec: expected dtype uint8, got int16"
    ),
    faulty.LazyViewUnsteady: "the view image read twice differs",
    faulty.Buffer: "step 1 changed the array of the view state that was returned before",
    faulty.NumpyFlag: r"terminated is .*\(bool_?\): return a bool",
    faulty.SuccessNone: "the task has a success, so return a bool",
    faulty.HalfInstruction: "of the instruction: the text cannot be encoded as UTF-8",
    faulty.MetricText: "the metric 'distance' is 'far'",
    faulty.HalfACollision: "the metric collisions is 0.5, but it is a count",
    faulty.NegativeForce: "the metric contact_force_max is -1.0, but it is 0 or more",
    faulty.ReadMoves: "reading must change nothing",
    faulty.RenderMoves: "render must change nothing",
    faulty.FlatFrame: "frames of one colour",
    faulty.FloatFrame: r"render must return \(H, W, 3\) uint8, got \(64, 64, 3\) float64",
    faulty.ActionKept: "step accepted the action None",
    faulty.ActionMoves: "the refused action None changed the state",
    faulty.ActionError: "raised IndexError instead of BadAction",
    faulty.StateConstant: r"state\(\) stays the same while the views change",
    faulty.StateUnsteady: r"state\(\) asked twice answers differently",
    faulty.ExpertMoves: "asking must change nothing",
    faulty.ExpertAbsent: (
        "the expert's action does not conform to the action spec: action 99 does not exist"
    ),
    faulty.ExpertRandom: "the expert acts differently",
    faulty.ExpertMute: "the expert gives up at once",
    faulty.ExpertStubborn: "expert raised RuntimeError: this is not what I said",
    faulty.LanesLeak: "two lanes influence each other",
    faulty.LaneNumber: "two lanes influence each other",
    faulty.LanesNumber: "one of fewer lanes, plays another episode",
    faulty.LanesTogether: "two lanes influence each other",
    faulty.LanesExtra: "a TimeStep for that lane alone",
}
BAD_AGENTS: dict[type, str] = {
    faulty_agents.ReadsText: "reads must be a tuple of names",
    faulty_agents.NoHistory: "history must be an int of at least 1, got 0",
    faulty_agents.ReadsUnknown: "'depth', which this task does not offer",
    faulty_agents.ReadsTooMuch: (
        r"without the views \['image'\], which it marks as dispensable: act raised KeyError"
    ),
    faulty_agents.NeedsHistory: "with less history than it declares, .* two observations",
    faulty_agents.ActRaises: "act raised ValueError: no weights",
    faulty_agents.TooFew: "4 turns, 1 answers",
    faulty_agents.OneForAll: "act must return a sequence with an answer for every turn, got int",
    faulty_agents.EmptyChunk: "an Answer without actions",
    toyfaults.NaNAgent: "action -1 does not exist",
    faulty_agents.Unseeded: "asked twice, it answers differently",
    faulty_agents.KeepsState: "asked twice, it answers differently",
    toys.BatchDependent: "asked alone, it answers differently",
    faulty_agents.OrderDependent: "asked in the reverse order, it answers differently",
    faulty_agents.WritesTurn: "act changes its turns",
    faulty_agents.WritesMemory: "act changes its turns",
    faulty_agents.EndRaises: "end, of an episode that it does not know, raised KeyError",
    faulty_agents.KeepsEpisodes: "the same episodes played again are answered differently",
    faulty_agents.SeededByInstance: "a fresh instance answers differently",
}


@pytest.mark.parametrize("task", toys.SUITE_TASKS, ids=lambda task: task.id)
def test_good_adapters_pass(task: Any) -> None:
    check_adapter(task, perturbations=[NUDGE])


def test_the_checks_run_alone_where_bench_toml_names_a_family(tmp_path: Path) -> None:
    """As in a user's own tests: nothing told the engine which adapter a family name stands for."""
    (tmp_path / "bench.toml").write_text("[interpreters]\nprocgen = '/usr/bin/python3'\n")
    script = "import harness.testing, toys; harness.testing.check_adapter(toys.TASKS[0])"
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        check=True,
        timeout=120,
    )


@pytest.mark.parametrize("form", BAD_ADAPTERS, ids=lambda form: form.__name__)
def test_check_adapter_names_the_defect(form: type) -> None:
    task = toys.toy_task(adapter=f"faulty:{form.__name__}")
    apart = form in (faulty.HashOrder, faulty.EarlyImport)
    with pytest.raises(ContractError, match=BAD_ADAPTERS[form]) as caught:
        check_adapter(task, others=[RELATED], perturbations=[NUDGE], another_process=apart)
    assert str(caught.value).startswith(f"faulty:{form.__name__}, task toys/goal@1: ")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("raise_on_reset", "reset raised RuntimeError: the simulator broke"),
        ("raise_on_step", "step raised RuntimeError: the simulator broke"),
        ("memory_on_step", "step raised MemoryError"),
        ("solved_at_reset", "seed 0 is over or solved at reset"),
        ("leaky_state", "a kept adapter plays another episode"),
        ("nan_reward", "the reward is nan: return a finite float"),
        (
            "bad_view",
            "the view state does not conform to its spec: expected dtype float32, got float64",
        ),
        (
            "missing",
            "cannot be checked on this machine: there is no chalk to draw the square; buy chalk",
        ),
    ],
)
def test_check_adapter_names_the_faults_on_order(fault: str, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_adapter(toys.toy_task(fault=fault), another_process=False)


def test_whole_episodes_show_what_their_end_leaves_behind() -> None:
    task = toys.toy_task(adapter="faulty:LeakyEnd", success=None, max_steps=200)
    with pytest.raises(ContractError, match="fresh ones play the same: reset must restore"):
        check_adapter(task, another_process=False)
    check_adapter(task, steps=60, another_process=False)


def test_check_agent_names_the_tolerance_where_actions_differ_by_rounding() -> None:
    task = toys.toy_task("glide", action="box")
    args = {"error": 3e-5}
    with pytest.raises(ContractError, match=r"by 3e-05 at most: .*with tolerance=0\.0001; results"):
        check_agent("faulty_agents:Rounds", [task], args=args)
    check_agent("faulty_agents:Rounds", [task], args=args, tolerance=1e-4)
    with pytest.raises(ContractError, match="turns must not influence each other") as caught:
        check_agent("faulty_agents:Rounds", [task], args={"error": 0.3})
    assert "tolerance" not in str(caught.value)


def test_a_fault_keeps_its_cause() -> None:
    with pytest.raises(ContractError) as caught:
        check_adapter(toys.toy_task(fault="raise_on_step"), another_process=False)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_success_of_a_task_without() -> None:
    with pytest.raises(ContractError, match="but the task has none"):
        check_adapter(
            toys.toy_task(adapter="faulty:SuccessAlways", success=None), another_process=False
        )


def test_one_start_is_admitted_on_demand() -> None:
    check_adapter(
        toys.toy_task(adapter="faulty:SameStart"), deterministic_starts=True, another_process=False
    )


def test_a_fixed_number_of_lanes_is_admitted_on_demand() -> None:
    check_adapter(toys.toy_task(adapter="faulty:LanesNumber"), lanes=2, another_process=False)


def test_views_that_are_not_named_are_not_read() -> None:
    check_adapter(
        toys.toy_task(adapter="faulty:LazyViewOutside"), views=["state"], another_process=False
    )
    with pytest.raises(ContractError, match=r"views: \['depth'\] are not on offer"):
        check_adapter(toys.toy_task(), views=["depth"])


def test_no_adapter_at_all() -> None:
    with pytest.raises(ContractError, match="must name a subclass of"):
        check_adapter(toys.toy_task(adapter="toys:GoodAgent"))


def test_others_need_the_same_environment_key() -> None:
    with pytest.raises(ContractError, match="toys/glide@1 has another env_key"):
        check_adapter(
            toys.toy_task(), others=[toys.toy_task("glide", action="box")], another_process=False
        )


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("GoodAgent", {}),
        ("RandomAgent", {}),
        ("ExpertAgent", {}),
        ("ImageAgent", {}),
        ("ChunkAgent", {"length": 4}),
        ("Served", {}),
    ],
)
def test_good_agents_pass(name: str, args: dict[str, Any]) -> None:
    check_agent(f"toys:{name}", toys.SUITE_TASKS, args=args)


@pytest.mark.parametrize("name", ["RaiseOn", "SleepOn", "NaNAgent"])
def test_agents_whose_faults_nothing_calls_for_pass(name: str) -> None:
    check_agent(f"toyfaults:{name}", toys.SUITE_TASKS, args={"marker": "?"})


@pytest.mark.parametrize("form", BAD_AGENTS, ids=lambda form: form.__name__)
def test_check_agent_names_the_defect(form: type) -> None:
    with pytest.raises(ContractError, match=BAD_AGENTS[form]) as caught:
        check_agent(form, [toys.toy_task(), toys.toy_task("survive", success=None)])
    assert str(caught.value).startswith(f"{form.__name__}: ")


def test_an_instance_is_not_built_again() -> None:
    check_agent(faulty_agents.SeededByInstance(), [toys.toy_task()])


class Rounding(toys.GoodAgent):
    """Answers a little less in a large batch, as networks do."""

    def act(self, turns: Any) -> Any:
        return [action * (1 - len(turns) * 1e-7) for action in super().act(turns)]


def test_tolerance_is_for_continuous_actions() -> None:
    tasks = [toys.toy_task("glide", action="box")]
    with pytest.raises(ContractError, match="asked alone, it answers differently"):
        check_agent(Rounding, tasks)
    check_agent(Rounding, tasks, tolerance=1e-5)


def test_memory_comes_back() -> None:
    remembered: list[tuple[int, Any]] = []

    class Remembers(toys.GoodAgent):
        def act(self, turns: Any) -> Any:
            remembered.extend((turn.step, turn.memory) for turn in turns)
            return [Answer([action], turn.step) for turn, action in zip(turns, super().act(turns))]

    check_agent(Remembers, [toys.toy_task()])
    assert any(step > 1 for step, _ in remembered)
    assert all(memory == (step - 1 if step else None) for step, memory in remembered)


def test_every_turn_has_its_own_random_stream() -> None:
    drawn: dict[tuple[str, int], set[int]] = {}

    class Draws(toys.GoodAgent):
        def act(self, turns: list[Turn]) -> Any:
            for turn in turns:
                drawn.setdefault((turn.episode.rpartition(" ")[2], turn.step), set()).add(
                    int(turn.rng.integers(2**60))
                )
            return super().act(turns)

    check_agent(Draws, [toys.toy_task()])
    assert all(len(values) == 1 for values in drawn.values())
    assert len({value for values in drawn.values() for value in values}) == len(drawn)


GLIDE = toys.toy_task("glide", action="box")


def test_check_agent_leaves_out_what_the_agent_refuses_and_plays_the_rest(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    check_agent("choosyagents:Choosy", [GLIDE, toys.TASKS[0]], args={"asked": str(asked)})
    assert len(asked.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (
            "missing",
            r"unfit: it can play none of these tasks, so that nothing was tried \(toys/glide@1: it "
            r"cannot glide\): give a task that it can play, or teach it to",
        ),
        ("word", "unfit must return None or a Missing, got str"),
        ("refuse", "unfit.*there is no profile .x."),
    ],
)
def test_check_agent_says_so_when_nothing_is_left(tmp_path: Path, how: str, words: str) -> None:
    args = {"asked": str(tmp_path / "asked"), "how": how}
    with pytest.raises(ContractError, match=words):
        check_agent("choosyagents:Choosy", [GLIDE], args=args)
