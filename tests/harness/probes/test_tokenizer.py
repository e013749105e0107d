"""`bench probe tokenizer` against codecs and tasks of which the right answer is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import toys
from conftest import Notes, Said
from findings import printed_again

from harness.core import Answer, Box, Brief, Suite, Turn, UserError
from harness.demos.dataset import Demos
from harness.demos.record import RecordingOptions, record
from harness.play.runner import RunOptions
from harness.probes.tokenizer.agents import CodedAgent
from harness.probes.tokenizer.codecs import (
    ActionRange,
    Codec,
    Continuous,
    Uniform,
    decoded,
    load_codec,
    save_codec,
)
from harness.probes.tokenizer.data import split
from harness.probes.tokenizer.learn import Training, learn
from harness.probes.tokenizer.measures import loss_of, perplexity
from harness.probes.tokenizer.relation import knee, spearman, standard_error, threshold
from harness.probes.tokenizer.variants import STANDARD, Variant, variants_named

EPISODES = 12
HELD_OUT = 8
SPEC = Box((3,), "float32", (-1.0, 0.0, -2.0), (1.0, 4.0, 2.0))
RANGE = ActionRange.of(SPEC, np.zeros((1, 3)))


def drawn(count: int = 20_000) -> np.ndarray:
    """Uniform in the range."""
    rng = np.random.default_rng(0)
    return RANGE.low + rng.random((count, 3)) * (RANGE.high - RANGE.low)


@pytest.mark.parametrize("codes", [16, 256])
def test_uniform_bins_lose_what_they_must(codes: int) -> None:
    codec = Uniform(RANGE, codes)
    loss = loss_of(codec, drawn())
    assert loss.mse == pytest.approx(1 / (12 * codes**2), rel=0.02)
    assert loss.p99 == pytest.approx([0.99 / (2 * codes)] * 3, rel=0.02)
    assert loss.perplexity == pytest.approx(codes, rel=0.02)
    assert loss.flips == (0, 0, 0)  # an even number of bins keeps every sign
    assert codec.bits == 3 * np.log2(codes)


def test_nothing_leaves_the_range() -> None:
    ends = np.stack([RANGE.low - 1, RANGE.high + 1])
    left = decoded(Uniform(RANGE, 3), SPEC, ends)
    assert all(SPEC.problem(each) is None for each in left)
    np.testing.assert_allclose(left, RANGE.unscale(np.array([[1 / 6] * 3, [5 / 6] * 3])), rtol=1e-6)


def test_without_a_codec_nothing_is_lost() -> None:
    actions = drawn(100).astype(np.float32).astype(np.float64)
    codec = Continuous(RANGE)
    np.testing.assert_array_equal(codec.through(actions), actions)
    assert codec.bits == 96


def test_a_range_without_bounds_is_that_of_the_actions() -> None:
    found = ActionRange.of(Box((2,)), np.array([[1.0, 5.0], [3.0, 5.0]]))
    assert (found.low.tolist(), found.high.tolist()) == ([1.0, 5.0], [3.0, 6.0])


def test_lost_signs_are_counted() -> None:
    actions = np.array([[0.1, 0.5, 0.0], [-0.1, 3.0, 0.0], [0.9, 2.0, 1.9]])
    loss = loss_of(Uniform(RANGE, 3), actions)  # its middle bin has no sign
    assert loss.flips == (2, 0, 0)
    assert loss.signed == (3, 2, 1)
    assert loss.flipped((0, 1)) == (2, 5)


def test_perplexity_of_known_codes() -> None:
    assert perplexity(np.repeat(np.arange(8), 5)) == pytest.approx(8)
    assert perplexity(np.zeros(5)) == 1


@pytest.fixture(scope="module")
def learned() -> tuple[np.ndarray, Codec]:
    """Actions around 16 points, and a codec of 2 x 16 codes that was learned from them."""
    rng = np.random.default_rng(0)
    points = rng.choice(drawn(16), 3000)
    actions = np.clip(points + rng.normal(0, 0.01, points.shape), RANGE.low, RANGE.high)
    return actions, learn(
        RANGE, actions, Variant("rvq", 2, 16), Training(steps=120, hidden=64, lr=3e-3)
    )


def test_a_learned_codec_finds_the_points(learned: tuple[np.ndarray, Codec]) -> None:
    actions, codec = learned
    assert (codec.tokens, codec.codes, codec.bits) == (2, 16, 8)
    assert codec.encode(actions).max() < 16
    # With as many bits, bins of equal width lose twenty times as much.
    assert loss_of(codec, actions).mse < loss_of(Uniform(RANGE, 6), actions).mse / 20


def test_learning_repeats(learned: tuple[np.ndarray, Codec]) -> None:
    actions, _ = learned
    one, other = (
        learn(RANGE, actions, Variant("vq", 1, 16), Training(steps=3, hidden=16)) for _ in range(2)
    )
    np.testing.assert_array_equal(one.decode(one.encode(actions)), other.through(actions))


def test_a_codec_is_stored(tmp_path: Path, learned: tuple[np.ndarray, Codec]) -> None:
    actions, codec = learned
    for each in (codec, Uniform(RANGE, 32), Continuous(RANGE)):
        save_codec(each, tmp_path / "c.npz")
        read = load_codec(tmp_path / "c.npz")
        assert (type(read), read.bits) == (type(each), each.bits)
        np.testing.assert_array_equal(read.through(actions), each.through(actions))
    (tmp_path / "c.npz").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(UserError, match="remove it"):
        load_codec(tmp_path / "c.npz")


def test_geas_tokenizer_says_the_same_as_a_codec(tmp_path: Path) -> None:
    import torch

    from baselines.gea.config import Config, RVQConfig
    from baselines.gea.rvq import ActionTokenizer, denormalise_action, normalise_action
    from harness.cli.probe_tokenizer import _codec_of_gea

    torch.manual_seed(0)
    config = RVQConfig(codebooks=2, codes=32, code_dim=16, hidden=32, layers=3)
    theirs = ActionTokenizer(config)
    actions = drawn(500)
    padded = np.stack([normalise_action(SPEC, each, config.dims) for each in actions])
    theirs.losses(torch.as_tensor(padded))  # makes the codes
    theirs.eval().save(tmp_path)
    Config(rvq=config).save(tmp_path)
    ours = _codec_of_gea(tmp_path, cast(Any, SimpleNamespace(range=RANGE, spec=SPEC)))
    codes = theirs.encode(padded)
    np.testing.assert_array_equal(ours.encode(actions), codes)
    expected = [denormalise_action(SPEC, each) for each in theirs.decode(codes)]
    np.testing.assert_allclose(decoded(ours, SPEC, actions), expected, atol=1e-5)


def test_variants_have_names() -> None:
    assert len(variants_named("*")) == 55
    assert len(variants_named(STANDARD)) == 18
    assert [str(each) for each in variants_named("vq-16, rvq-2x1*")] == [
        "vq-16", "rvq-2x16", "rvq-2x128", "rvq-2x1024",
    ]  # fmt: skip


def test_rank_correlation_of_known_cases() -> None:
    errors = np.array([0.1, 0.2, 0.3, 0.4])
    falling = [np.array([[1] * 8, [1] * 6 + [0] * 2, [1] * 3 + [0] * 5, [0] * 8], float)]
    found = spearman(errors, falling)
    assert found is not None
    assert found.rho == pytest.approx(-1)
    assert found.low == pytest.approx(-1)
    assert -1 <= found.high < -0.7
    assert spearman(errors, [np.ones((4, 8))]) is None


def test_the_rank_correlation_of_nothing_includes_zero() -> None:
    """The interval of unrelated variants excludes 0 about as often as it says."""
    rng = np.random.default_rng(1)
    found = [
        spearman(np.arange(12.0), [(rng.random((12, 30)) < 0.5).astype(float)]) for _ in range(30)
    ]
    excluding = sum(each.low > 0 or each.high < 0 for each in found if each is not None)
    assert excluding <= 6


def test_the_knee_of_known_cases() -> None:
    bits = [16, 8, 4, 2]
    assert knee(bits, [0.0, 0.02, 0.3, 0.9], [0.0, 0.05, 0.1, 0.1]) == 1
    assert knee(bits, [0.5] * 4, [0.1] * 4) is None
    found = threshold([1e-4, 1e-3, 1e-2], [1.0, 0.95, 0.5], 1.0)
    assert (found.holds, found.fails) == (1e-3, 1e-2)
    none = threshold([1e-3], [0.5], 1.0)
    assert (none.holds, none.fails) == (None, 1e-3)


def test_the_standard_error_is_that_of_a_mean_over_tasks() -> None:
    one = np.array([0.0, 0.0, -1.0, -1.0])
    assert standard_error([one]) == pytest.approx(np.std(one, ddof=1) / 2)
    assert standard_error([one, one]) == pytest.approx(np.std(one, ddof=1) / 2 / np.sqrt(2))


GLIDE = toys.toy_task("glide", action="box", size=64, max_steps=100)


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Demonstrations of long ways, on which small errors of recorded actions add up."""
    folder = tmp_path_factory.mktemp("tokenizer") / "d"
    suite = Suite("toys", "toys", (GLIDE,), EPISODES)
    record(
        [(suite, GLIDE)], folder, RecordingOptions(("state",)), RunOptions(), Notes(),
        episodes=EPISODES,
    )  # fmt: skip
    return folder


def arrives(demos: Path, codes: int) -> list[bool]:
    """Which held-out recordings still arrive through so many bins, by our own arithmetic."""
    found = []
    for demo in Demos(demos):
        if demo.row.index >= HELD_OUT:
            break
        point, goal = np.split(demo.frames[0].observation["state"].astype(float), 2)
        there = False
        for frame in demo.frames:
            bins = np.minimum(np.floor((frame.action + 1.0) / 2 * codes), codes - 1)
            point = np.clip(point + (bins + 0.5) / codes * 2 - 1, 0, 63)
            there = there or bool(np.abs(goal - point).max() <= 0.5)
        found.append(there)
    return found


def probed(demos: Path, bench_here: Callable[..., Said], *words: object) -> Said:
    """The command on these demonstrations."""
    return bench_here(
        "probe", "tokenizer", "--data", demos, "--out", "out", "--held-out", HELD_OUT, "--trust",
        *words,
    )  # fmt: skip


def test_replay_fails_where_errors_add_up_and_the_expert_corrects_them(
    demos: Path, bench_here: Callable[..., Said]
) -> None:
    words = (
        "--variants",
        "uniform-16,uniform-64,uniform-256",
        "--format",
        "json",
        "--figure",
        "f.png",
    )
    said = probed(demos, bench_here, *words)
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["judged_on"]["episodes"] == HELD_OUT
    modes = {mode["mode"]: mode for mode in found["modes"]}
    replay = {arm["name"]: arm for arm in modes["replay"]["arms"]}
    assert replay["continuous"]["successes"] == HELD_OUT
    for codes in (16, 64, 256):
        expected = arrives(demos, codes)
        arm = replay[f"uniform-{codes}"]
        assert arm["successes"] == sum(expected)
        assert arm["change"]["value"] == pytest.approx(np.mean(expected) - 1)
        assert arm["change"]["low"] <= np.mean(expected) - 1 <= arm["change"]["high"]
    assert not all(arrives(demos, 16))
    whole = next(codes for codes in (64, 256) if all(arrives(demos, codes)))
    assert modes["replay"]["knees"] == {"uniform": f"uniform-{whole}"}
    assert modes["replay"]["spearman"]["rho"] < -0.5
    # Who sees where it has come to is not led astray by small errors.
    assert {arm["successes"] for arm in modes["expert"]["arms"]} == {HELD_OUT}
    assert modes["expert"]["spearman"] is None
    assert modes["expert"]["knees"] == {"uniform": "uniform-16"}
    assert Path("f.png").read_bytes()[:4] == b"\x89PNG"
    before = {file: file.stat().st_mtime_ns for file in Path("out").rglob("episodes.jsonl")}
    assert len(before) == 8
    again = probed(demos, bench_here, *words)
    assert again.out == said.out
    assert before == {file: file.stat().st_mtime_ns for file in before}


def test_without_play_only_the_losses_are_told(
    demos: Path, bench_here: Callable[..., Said]
) -> None:
    words = ("--data", demos, "--out", "out", "--play", "none", "--variants", "uniform-32")
    said = bench_here("probe", "tokenizer", *words, "--held-out", HELD_OUT, "--figure", "f.svg")
    assert said.code == 0, said.err
    assert "uniform-32" in said.out
    assert "sign flips are those of all dimensions" in said.out
    assert "replay" not in said.out
    assert not Path("out", "runs").exists()
    printed_again(bench_here, "out", said.out)
    assert Path("f.svg").exists()


def test_an_agent_of_the_users_plays_through_codecs(
    demos: Path, bench_here: Callable[..., Said]
) -> None:
    words = ("--variants", "uniform-16", "--play", "none", "--agent", "toys:ChunkAgent")
    said = probed(demos, bench_here, *words, "--agent-arg", "length=40")
    assert said.code == 0, said.err
    assert "policy: the agent acts through the codec" in said.out
    (expected,) = (row for row in said.out.splitlines() if row.startswith("continuous  100.0"))
    assert f"{HELD_OUT}/{HELD_OUT}" in expected
    assert "95 % of the success" in said.out


def test_errors_of_the_agent_are_told(demos: Path, bench_here: Callable[..., Said]) -> None:
    words = ("--variants", "uniform-16", "--play", "none", "--agent", "faulty_agents:ActRaises")
    said = probed(demos, bench_here, *words)
    assert said.code == 4
    assert f"{2 * HELD_OUT} cases ended with an error of the agent: failures" in said.out


def test_every_part_of_an_answer_is_coded(tmp_path: Path) -> None:
    save_codec(Uniform(ActionRange.of(Box((2,), low=-1.0, high=1.0), np.zeros((1, 2))), 4),
               tmp_path / "c.npz")  # fmt: skip
    fields = {"name": "a", "entry": "toys:ChunkAgent", "args": {}}
    agent = CodedAgent(fields, str(tmp_path / "c.npz"))
    assert agent.reads == ("state",)
    brief = Brief({}, Box((2,), low=-1.0, high=1.0), "", "", None)
    turn = Turn(brief, "", ({"state": np.array([1.0, 1, 2, 5], np.float32)},), (), 0, "e")
    (answer,) = agent.act([turn])
    assert isinstance(answer, Answer)
    assert answer.memory == 1
    np.testing.assert_array_equal(answer.actions[0], [0.75, 0.75])
    np.testing.assert_array_equal(answer.actions[1], [0.25, 0.75])


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--variants", "uniform-7"), "there is no such codec"),
        (("--variants", ","), "names no codec"),
        (("--play", "films"), "write replay, expert"),
        (("--figure", "f.bmp"), "a figure is a file ending in .png"),
        (("--agent-arg", "a=1"), "belongs to --agent"),
        (("--held-out", "0"), "--held-out must be at least 1"),
        (("--held-out", EPISODES), "to learn from"),
        (("--tasks", "nothing"), "nothing"),
        (("--gea", "nowhere"), "nowhere"),
        (("--gea", "a/b=nowhere"), "a name is letters"),
        (("--gea", "a=x", "--gea", "a=y"), "another codec is called a"),
        (("--gea", "uniform-16=x"), "another codec is called uniform-16"),
        (("--play", "trained"), "name the weights of the agents with --gea"),
        (("--data", "nowhere"), "holds no demonstrations"),
    ],
)
def test_what_cannot_be_probed_is_one_line(
    demos: Path, bench_here: Callable[..., Said], words: tuple[object, ...], why: str
) -> None:
    said = probed(demos, bench_here, *words)
    assert said.code == 2
    assert why in said.err
    assert said.err.count("\n") == 1


def test_strangers_tasks_are_not_played(demos: Path, bench_here: Callable[..., Said]) -> None:
    said = bench_here("probe", "tokenizer", "--data", demos, "--out", "out")
    assert said.code == 2
    assert "--trust" in said.err


def test_a_task_without_held_out_demonstrations_is_listed(
    tmp_path: Path, bench_here: Callable[..., Said]
) -> None:
    # Its expert has no time to arrive at the first seeds.
    hard = toys.toy_task("hard", action="box", size=64, max_steps=12)
    suite = Suite("toys", "toys", (GLIDE, hard), 24)
    folder = tmp_path / "d"
    record(
        [(suite, task) for task in suite.tasks], folder, RecordingOptions(("state",)),
        RunOptions(), Notes(), episodes=24,
    )  # fmt: skip
    seeds = [row.seed for row in Demos(folder).rows if row.task == hard.id]
    assert seeds
    first = seeds[0] % 1_000_000
    assert first > 0
    found = split(folder, None, first)
    assert [task.id for _, task in found.chosen] == [GLIDE.id]
    assert list(found.left_out) == [hard.id]


def test_names_of_actions_are_no_numbers(tmp_path: Path) -> None:
    task = toys.toy_task()
    suite = Suite("toys", "toys", (task,), 3)
    folder = tmp_path / "d"
    record([(suite, task)], folder, RecordingOptions(("state",)), RunOptions(), Notes(), episodes=3)
    with pytest.raises(UserError, match="no continuous actions"):
        split(folder, None, None)
