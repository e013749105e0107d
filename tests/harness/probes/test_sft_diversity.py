"""`bench probe sft-diversity` on a trainer whose gains are known, and its intervals."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import toytrainer
from calibration.training_seeds import coverage
from conftest import Said
from findings import printed_again

import baselines
from harness.core import UserError
from harness.demos.record import RecordingOptions, record
from harness.play.progress import PlainProgress
from harness.play.runner import RunOptions
from harness.probes.diversity.arms import design_of, variants_of
from harness.stats import Interval
from harness.stats.training_seeds import (
    BOOTSTRAP_SEEDS,
    bootstrap_bounds,
    detectable_over_seeds,
    seed_bootstrap,
    seed_interval,
)

Bench = Callable[..., Said]


def test_trainings_are_those_that_differ() -> None:
    design = design_of(["a", "b", "c"], 90)
    assert [each.name for each in design.trainings()] == [
        "a+b+c-90", "a-90", "a-30", "b+c-90", "b-90", "b-30", "a+c-90", "c-90", "c-30", "a+b-90",
    ]  # fmt: skip
    two = design_of(["a", "b"], 90)
    assert two.without("a") == two.alone("b")
    assert len(two.trainings()) == 5
    for sets, steps in ((["a"], 9), (["a", "a"], 9), (["a", "b"], 1)):
        with pytest.raises(UserError):
            design_of(sets, steps)


def test_a_second_factor_is_a_field_with_values() -> None:
    found = variants_of("layers=2,4")
    assert [(str(each), each.changes) for each in found] == [
        ("layers=2", {"layers": 2}),
        ("layers=4", {"layers": 4}),
    ]
    assert variants_of(None)[0].changes == {}
    for text in ("layers", "layers=2", "layers=2,2", "=2,3", "a=x/y,z"):
        with pytest.raises(UserError, match="--vary"):
            variants_of(text)


def test_the_interval_is_that_of_a_t_distribution_where_seeds_differ() -> None:
    """The means 0.1, 0.3, 0.5 have the deviation 0.2: 0.3 -+ 4.3027 * 0.2 / sqrt(3)."""
    seeds = [[np.repeat([1.0, 0.0], [k, 100 - k])] for k in (10, 30, 50)]
    found = seed_interval(seeds)
    assert found.value == pytest.approx(0.3)
    assert found.low == pytest.approx(0.3 - 4.302653 * 0.2 / 3**0.5, abs=1e-5)
    assert found.high == pytest.approx(0.3 + 4.302653 * 0.2 / 3**0.5, abs=1e-5)
    with pytest.raises(ValueError, match="two"):
        seed_interval(seeds[:1])


def test_seeds_that_agree_still_have_the_interval_of_their_episodes() -> None:
    found = seed_interval([[np.zeros(20)]] * 5)
    assert found.low < -0.02
    assert found.high > 0.02
    assert seed_interval([[np.ones(3)]] * 2).high == 1


def test_the_detectable_difference_has_the_power_that_it_says() -> None:
    """Normal means of five seeds: their t test finds it in about 80 %."""
    rng = np.random.default_rng(0)
    shift = detectable_over_seeds(Interval(0, -2.776445 / 5**0.5, 2.776445 / 5**0.5), 5)
    assert shift == 1.0, "no difference of rates is larger"
    scale = 0.1
    shift = detectable_over_seeds(
        Interval(0, -2.776445 * scale / 5**0.5, 2.776445 * scale / 5**0.5), 5
    )
    drawn = rng.normal(shift, scale, (20_000, 5))
    t = drawn.mean(axis=1) / (drawn.std(axis=1, ddof=1) / 5**0.5)
    assert (t > 2.776445).mean() == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize(("spread", "world"), [(0.0, "nearly all"), (0.2, "much to gain")])
def test_the_interval_covers_whether_seeds_matter_or_not(spread: float, world: str) -> None:
    """tests/calibration/training_seeds.py has the whole table."""
    covered, _ = coverage(80, 5, 10, spread, world, drawn_again=False)
    assert covered >= 0.88


def test_the_bootstrap_is_left_out_where_it_does_not_cover() -> None:
    few = [[np.array([0.0, 1.0])]] * (BOOTSTRAP_SEEDS - 1)
    assert seed_bootstrap(few) is None
    many = seed_bootstrap([*few, *few])
    assert many is not None
    assert many == bootstrap_bounds([*few, *few], 0.95, 0)
    assert many.low < many.value < many.high


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Demonstrations of red and of green, in folders of these names."""
    folder = tmp_path_factory.mktemp("colours")
    for task in toytrainer.TASKS:
        record(
            [(toytrainer.SUITE, task)], folder / task.params["marker"],
            RecordingOptions(("state",)), RunOptions(), PlainProgress(), episodes=2,
        )  # fmt: skip
    return folder


@pytest.fixture
def probe(bench_here: Bench, colours: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    monkeypatch.setitem(baselines.TRAINERS, "toy", "toytrainer:TRAINER")

    def go(*more: object, episodes: int = 3) -> Said:
        toytrainer.TRAINED.clear()
        return bench_here(
            "probe", "sft-diversity", "--trainer", "toy", "--suite", "toytrainer:SUITE",
            "--data", colours / "red", "--data", colours / "green", "--steps", 8,
            "--floor", "noop", "--episodes", episodes, "--workers", 0, "--out", "out", *more,
        )  # fmt: skip

    return go


def test_known_gains_are_found_and_nothing_is_done_twice(
    probe: Callable[..., Said], bench_here: Bench
) -> None:
    said = probe("--seeds", 2, "--format", "json", "--figure", "gains.svg")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert "equal updates" in Path("gains.svg").read_text()
    red, green = found["rows"]
    assert (red["set"], green["set"]) == ("red", "green")
    for row in (red, green):
        assert row["own"] == row["all"] == row["own_equal_examples"] == [1.0] * 2
        assert row["all_but"] == row["floor"] == [0.0] * 2
        for name in ("gain", "gain_equal_examples", "transfer"):
            difference = row[name]["difference"]
            assert difference["value"] == 0
            assert difference["low"] < 0 < difference["high"]
            assert row[name]["pairs"] == 6
            assert row[name]["bootstrap"] is None
            assert 0 < row[name]["detectable"] < 1
    matrix = {tuple(each["trained_on"]): each["success"] for each in found["matrix"]}
    assert matrix == {("red", "green"): [1, 1], ("red",): [1, 0], ("green",): [0, 1]}
    assert toytrainer.TRAINED[0] == "words red+green"
    assert len(toytrainer.TRAINED) == 1 + 2 * 5

    again = probe("--seeds", 2)
    assert toytrainer.TRAINED == []
    assert "BabyAI" in again.out
    assert "82.1  84.7  +2.6" in again.out
    assert "trained on (rows)" in again.out
    printed_again(bench_here, "out", again.out)
    floor = bench_here("report", "out/runs/floor-noop/seed-0", "--full")
    assert "part of bench probe sft-diversity" in " ".join(floor.out.split())
    wrong = probe("--seeds", 2, "--set", "fails=7")
    assert wrong.code == 2
    assert "choose another --out" in wrong.err


def test_a_training_seed_that_fails_widens_the_interval(probe: Callable[..., Said]) -> None:
    """With the second value of the factor one of two seeds learns nothing."""
    said = probe("--seeds", 2, "--vary", "fails=9,1", episodes=2)
    assert said.code == 0, said.err
    assert "against fails=9" in said.out
    lost = next(line for line in said.out.splitlines() if re.match(r"red +1 +-50", line))
    assert "-50.0 (-100.0 to +100.0)" in lost, "two seeds, of which one fails, show nothing"
    assert "only vision" in said.out


def test_trainings_start_from_weights_or_from_a_part_of_them(probe: Callable[..., Said]) -> None:
    """The first weights know both words, and `keeps` says whether a training forgets that."""
    Path("base").mkdir()
    Path("base/known.json").write_text(json.dumps({"words": ["green", "red"]}))
    words = ("--seeds", 2, "--init", "base", "--vary", "keeps=true,false")
    said = probe(*words, "--format", "json", episodes=2)
    assert said.code == 0, said.err
    rows = {(row["variant"], row["set"]): row for row in json.loads(said.out)["rows"]}
    for name in ("red", "green"):
        assert rows["keeps=true", name]["all_but"] == [1.0] * 2
        assert rows["keeps=false", name]["all_but"] == [0.0] * 2
        assert rows["keeps=false", name]["own"] == [1.0] * 2
    assert not any(each.startswith("words") for each in toytrainer.TRAINED)
    Path("base/known.json").write_text(json.dumps({"words": []}))
    assert "choose another --out" in probe(*words, episodes=2).err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--init", "nowhere"), "no such folder of weights"),
        (("--init", ".", "--trainer", "decision-transformer"), "starts from nothing"),
        (("--seeds", 1), "two at least"),
        (("--steps", 1), "more updates"),
        (("--trainer", "gae"), "gea"),
        (("--tasks", "*/red"), "leaves no task of"),
        (("--suite", "toysuite:QUICK"), "--suite"),
        (("--figure", "x.txt"), "--figure"),
        (("--episodes", 0), "--episodes"),
        (("--vary", "layers"), "--vary"),
    ],
)
def test_wrong_use_is_told_in_one_line(
    probe: Callable[..., Said], more: tuple[object, ...], told: str
) -> None:
    said = probe(*more)
    assert said.code == 2
    assert told in said.err
    assert "Traceback" not in said.err
