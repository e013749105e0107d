"""`bench probe instruction` names agents that do not listen, and no others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import planted_listeners
import pytest
import toys
from conftest import Said

from harness.core import Suite, UserError
from harness.probes.instruction import InstructionProbe, Play, followed_mean, judge, margins
from harness.probes.told_otherwise import WORDS, OtherPictures, OtherWords, other_views
from harness.records.catalogue import select_tasks
from harness.records.identity import AgentSpec
from harness.stats import paired_bounds

TASK = toys.toy_task()
SIDES = ("now", "before")


def plays(
    listens: float, done: float = 0.9, *, starts: int = 40, differs: str = "goal", seed: int = 0
) -> list[Play]:
    """Starts of an agent that follows the words in a share of them, else does one goal always."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(starts):
        acts = rng.random(2) < done
        favourite = bool(rng.integers(2))
        follows = rng.random() < listens
        sides = [SIDES[not (follows or favourite == bool(side))] for side in range(2)]
        control, changed = (each if act else "neither" for each, act in zip(sides, acts))
        found.append(
            Play(task=TASK, family="toys", seed=number, differs=(differs,),
                 control=control, changed=changed)
        )  # fmt: skip
    return found


def probe(found: list[Play], **more: object) -> InstructionProbe:
    rows, tasks = judge(found)
    fields = {"left_out": {}, "goal_views": (), "arms": None, "unchecked": (), **more}
    return InstructionProbe(rows=rows, tasks=tasks, **fields)  # type: ignore[arg-type]


def test_who_follows_and_who_does_not_is_said() -> None:
    (said,) = probe(plays(1.0)).verdicts()
    assert said.startswith("follows the words: asked for another goal, it does that in 8")
    (said,) = probe(plays(0.0)).verdicts()
    assert said.startswith("ignores the words: does what was asked before in ")
    (said,) = probe(plays(0.5)).verdicts()
    assert said.startswith("cannot tell whether it follows the words")
    (said,) = probe(plays(1.0, 0.0)).verdicts()
    assert said == "does neither goal in any of its 80 plays: the words cannot be judged"


def test_a_single_word_that_is_ignored_is_named() -> None:
    found = [*plays(1.0, differs="object"), *plays(0.0, differs="colour", seed=1)]
    told = probe(found)
    assert any(each.startswith("ignores the colour: ") for each in told.verdicts())
    assert {row.name: row.verdict for row in told.rows}["object"] == "follows"
    assert "ignores the colour" in told.as_text()
    assert json.loads(json.dumps(told.to_json()))["rows"][0]["n"] == 80


def test_who_reads_the_goal_needs_no_words() -> None:
    (said,) = probe(plays(1.0), goal_views=("state",)).verdicts()
    assert said == "reads a privileged goal (state): it needs no words"


def drawn(runs: int, starts: int, done: float, listens: float) -> tuple[np.ndarray, np.ndarray]:
    """(followed, done) of starts, shape (runs, 1, starts), as `plays` draws them."""
    rng = np.random.default_rng(1)
    acts = rng.random((runs, 1, starts, 2)) < done
    favourite = rng.integers(2, size=(runs, 1, starts, 1)) == np.arange(2)
    signs = np.where((rng.random((runs, 1, starts, 1)) < listens) | favourite, 1, -1)
    return (acts * signs).sum(-1) / 2, acts.sum(-1) / 2


def test_healthy_agents_are_seldom_charged_and_deaf_ones_are_found() -> None:
    """Simulated outcomes, 100 agents of each kind, with the verdict of three rows."""

    def charged(listens: float, done: float) -> int:
        value = margins(*drawn(100, 40, done, listens))
        sums = -np.minimum(value, 0).sum(-1), np.maximum(value, 0).sum(-1)
        counts = np.full((100, 1), 40.0)
        _, high = paired_bounds(*sums, np.square(value).sum(-1), counts, 1 - 0.05 / 3)
        return int((high < 0).sum())

    assert charged(1.0, 0.4) == charged(1.0, 0.9) == 0
    assert charged(0.6, 0.9) <= 5
    assert charged(0.0, 0.9) >= 95


def test_the_interval_covers_known_shares() -> None:
    """1,000 runs of 20 starts, of which 933 and more must be covered."""
    for done, listens in ((0.3, 1.0), (0.9, 0.25), (0.9, 1.0), (0.5, 0.5)):
        value, _ = drawn(1000, 20, done, listens)
        sums = -np.minimum(value, 0).sum(-1), np.maximum(value, 0).sum(-1)
        low, high = paired_bounds(*sums, sum(sums), np.full((1000, 1), 20.0))
        covered = ((low - 1e-9 <= done * listens) & (done * listens <= high + 1e-9)).sum()
        assert covered >= 933, (done, listens)
        one = followed_mean([value[0, 0]])
        assert (one.low, one.high) == pytest.approx((low[0], high[0]))


def test_margins_are_what_is_followed_less_half_of_what_is_done() -> None:
    found = margins(np.array([1.0, 0.0, -1.0, 0.5]), np.array([1.0, 1.0, 1.0, 0.5]))
    assert np.allclose(found * 1.5, [0.5, -0.5, -1.5, 0.25])
    assert np.abs(found).max() <= 1


def test_no_start_that_counts_is_said() -> None:
    with pytest.raises(UserError, match="no start is left"):
        judge([])


@pytest.mark.parametrize(("agent", "said"), [("Memorises", "the words"), ("ColourBlind", "the c")])
def test_real_plays_of_planted_agents(
    agent: str, said: str, bench_here: Callable[..., Said], tmp_path: Path
) -> None:
    from harness.cli.names import suites_named

    ((_, task),) = select_tasks(suites_named("babyai"), "babyai/GoToLocalS8N7")
    seeds = range(task.first_seed, task.first_seed + 40)
    planted_listeners.Memorises.learned = planted_listeners.learn(task, seeds)
    words = ("--agent", f"planted_listeners:{agent}", "--suite", "babyai", "--workers", 0)
    chosen = ("--tasks", task.name, "--episodes", 24, "--arms", "none", "--out", "probed")
    found = bench_here("probe", "instruction", *words, *chosen)
    assert found.code == 0, found.err
    assert f"ignores {said}" in " ".join(found.out.split())
    assert (tmp_path / "probed" / "asked" / "goals.jsonl").is_file()
    assert bench_here("verify", "probed/asked").code == 0


@pytest.mark.parametrize(("agent", "said"), [("SaysDone", "follows"), ("DeafSaysDone", "ignores")])
def test_real_plays_of_minigrids_own_levels(
    agent: str, said: str, bench_here: Callable[..., Said]
) -> None:
    words = ("--agent", f"planted_listeners:{agent}", "--suite", "minigrid", "--workers", 0)
    chosen = ("--tasks", "*GoToDoor*", "--episodes", 20, "--arms", "none", "--out", "probed")
    found = bench_here("probe", "instruction", *words, *chosen)
    assert found.code == 0, found.err
    assert found.out.startswith(f"{said} the words: ")
    assert "so no play shows that its other goals can be reached" in " ".join(found.out.split())


def test_a_task_without_other_goals_is_refused(bench_here: Callable[..., Said]) -> None:
    words = ("--agent", "uniform", "--suite", "minigrid", "--tasks", "*FourRooms*", "--episodes", 1)
    found = bench_here("probe", "instruction", *words, "--workers", 0)
    assert found.code == 2
    assert "another goal can be asked for" in found.err
    wrong = bench_here("probe", "instruction", *words, "--arms", "wrods")
    assert wrong.code == 2
    assert "--arms 'wrods'" in wrong.err


def test_instructions_are_emptied_shuffled_and_contradicted() -> None:
    said = "go to the red ball."
    assert WORDS["empty"](said) == ""
    assert sorted(WORDS["shuffled"](said).split()) == sorted(said.split())
    assert WORDS["contradicted"](said) == "go to the red ball. Do not go to the red ball."
    spec = AgentSpec("follows", "planted_listeners:Follows", {})
    prints = {OtherWords.of(spec, way).fingerprint() for way in WORDS}
    assert len(prints | {spec.fingerprint()}) == 4


def test_a_view_of_another_episode_is_shown() -> None:
    suite = Suite("toys", "toys", (TASK,), 1)
    shown = other_views({TASK.id: (suite.tasks[0], 5)}, ("state",))
    spec = OtherPictures.of(AgentSpec("good", "toys:GoodAgent", {}), "state", shown["state"])
    brief = toys.ToyAdapter(TASK).brief
    assert spec.unfit(brief) is None
    assert OtherPictures.of(spec.inner, "depth", ()).unfit(brief) is not None
