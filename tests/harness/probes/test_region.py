"""`bench probe region`: planted borders are found, and nothing is found where there is none."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import refused, results_of
from findings import printed_again
from slippytoys import BORDER, HEAVIEST, SLIPPY, SlippyAdapter

from harness.core import Range, UserError
from harness.probes.figure_file import draw
from harness.probes.region.axes import Axis, axes_named, conditions_at, refuse_unseen
from harness.probes.region.border import Forecaster, borders_of
from harness.probes.region.finding import RegionProbe
from harness.probes.region.surface import BATCH, next_places, spread_places, surface_of
from harness.records.plan import label

GRIP = Axis("grip", Range("factor", 0.1, 10.0, nominal=1.0, logarithmic=True))
LOAD = Axis("load", Range("kg", 0.0, 8.0, nominal=2.0, unit="kg"))


def even(count: int) -> list[float]:
    return [(k + 0.5) / count for k in np.random.default_rng(3).permutation(count)]


def test_places_and_values_are_inverse_and_have_three_digits() -> None:
    assert GRIP.place(1.0) == pytest.approx(0.5)
    assert GRIP.value(0.25) == 0.316
    assert [LOAD.value(at) for at in (0, 0.5, 1)] == [0.0, 4.0, 8.0]
    assert LOAD.nominal == 0.25
    assert (GRIP.told(1), LOAD.told(0.5)) == ("10", "4 kg")
    points = np.array([[0.25, 0.5], [1.0, 0.0]])
    assert [label(each.parts) for each in conditions_at([GRIP, LOAD], points)] == [
        "grip=0.316:1+load=4.0:1", "grip=10.0:1+load=0.0:1",
    ]  # fmt: skip


def test_bets_win_nothing_on_average_if_the_set_is_true() -> None:
    """The mean of the capital over all outcomes of three episodes, weighed by their chances."""
    places, rate, truth = [0.2, 0.7, 0.4], 0.5, (0.5, 0.8, 0.6)
    total = 0.0
    for outcomes in np.ndindex(2, 2, 2):
        forecaster, capital, chance = Forecaster(), 1.0, 1.0
        for place, won, true in zip(places, outcomes, truth):
            forecast = min(forecaster.chance(place), rate)
            capital *= forecast / rate if won else (1 - forecast) / (1 - rate)
            chance *= true if won else 1 - true
            forecaster.learn(place, bool(won))
        total += capital * chance
    assert 0 < total <= 1


def test_a_clear_border_is_enclosed_by_the_neighbours_that_show_it() -> None:
    places = even(120)
    found = borders_of(places, [place > 0.4 for place in places], 0.5)
    assert found.rising is not None
    assert found.rising.low < 0.4 < found.rising.high
    assert found.rising.high - found.rising.low < 0.2
    assert (found.falling, found.above, found.below) == (None, False, False)
    turned = borders_of(places, [place < 0.4 for place in places], 0.5)
    assert turned.falling is not None
    assert turned.falling.low < 0.4 < turned.falling.high
    assert turned.rising is None


def test_both_ends_of_a_region_are_found() -> None:
    places = even(200)
    found = borders_of(places, [0.3 < place < 0.7 for place in places], 0.5)
    assert found.rising is not None
    assert found.falling is not None
    assert found.rising.low < 0.3 < found.rising.high
    assert found.falling.low < 0.7 < found.falling.high


def test_intervals_hold_a_planted_border_and_healthy_agents_have_none() -> None:
    rng = np.random.default_rng(5)
    held = named = 0
    for _ in range(40):
        places = rng.random(72)
        chance = np.where(places > 0.4, 0.95, 0.05)
        found = borders_of(places.tolist(), (rng.random(72) < chance).tolist(), 0.5).rising
        held += found is not None and found.low <= 0.4 <= found.high
        healthy = borders_of(places.tolist(), (rng.random(72) < 0.9).tolist(), 0.5)
        named += healthy.rising is not None or healthy.falling is not None
    # Planted is 95 %; 34 of 40 or fewer then have a chance of 1 in 70.
    assert held >= 35
    assert named <= 4


def test_the_next_places_are_distinct_repeatable_and_near_the_border() -> None:
    rng = np.random.default_rng(1)
    places = np.empty((0, 1))
    won = np.empty(0, bool)
    for batch in range(6):
        new = next_places(places, won, 0.5, 7, batch)
        assert np.array_equal(new, next_places(places, won, 0.5, 7, batch))
        assert len(np.unique(new, axis=0)) == BATCH
        assert ((new >= 0) & (new < 1)).all()
        places = np.concatenate([places, new])
        won = np.concatenate([won, rng.random(BATCH) < np.where(new[:, 0] > 0.5, 0.95, 0.05)])
    assert (np.abs(places[BATCH:, 0] - 0.5) < 0.03).mean() > 0.12, "twice as many as evenly"
    assert not np.array_equal(spread_places(2, 7, 0, 12), spread_places(2, 8, 0, 12))
    held_out = rng.random((500, 1))
    wrong = (surface_of(places, won).chance(held_out)[0] >= 0.5) != (held_out[:, 0] > 0.5)
    assert wrong.mean() < 0.04


def test_outcomes_that_are_all_the_same_give_a_band_and_no_border() -> None:
    places = spread_places(1, 0, 0, 36)
    found = RegionProbe(
        axes=(GRIP,), rate=0.5, places=places, successes=np.ones(36, bool), missing=2
    )
    assert found.borders == ()
    mean, low, high = found.surface.chance(places[:1])
    assert 0.8 < low[0] < mean[0] < high[0] <= 1
    text = found.as_text()
    assert "No border between 0.1 and 10: 100 % (90 to 100) of 36 episodes succeeded." in text
    assert "2 planned cases have no score" in text


def test_a_region_of_two_axes_is_a_table_of_80_columns_and_a_figure(tmp_path: Path) -> None:
    places = spread_places(2, 0, 0, 192)
    won = (places[:, 0] > 0.5) & (places[:, 1] < 0.75)
    found = RegionProbe(axes=(GRIP, LOAD), rate=0.5, places=places, successes=won, missing=0)
    sides = {(each.axis, each.fails): each for each in found.borders}
    assert sides.keys() == {(0, "below"), (1, "above")} or sides.keys() == {(0, "below")}
    grip = sides[0, "below"]
    assert grip.low < 0.5 < grip.high
    assert max(map(len, found.as_text(80).splitlines())) <= 80
    assert "+: at least 50 %" in found.as_text()
    plot, *curves = found.plots()
    assert [each.at for each in curves] == ["grip, factor", "load, kg"]
    assert {point.at for each in plot.series for point in each.points} <= set(range(13))
    loads = [p for each in plot.series if each.name == "less above it" for p in each.points]
    assert any(p.low <= 6.0 <= p.high for p in loads if p.low is not None and p.high is not None)
    json.dumps(found.to_json(), allow_nan=False)
    healthy = RegionProbe(
        axes=(GRIP, LOAD), rate=0.5, places=places, successes=np.ones(192, bool), missing=0
    )
    assert len(healthy.plots()) == 2, "there is no border to draw"
    draw(found.plots(), tmp_path / "region.svg", "a region")
    draw(healthy.plots(), tmp_path / "healthy.svg")


def test_of_three_axes_the_two_that_matter_are_shown() -> None:
    places = spread_places(3, 0, 0, 240)
    idle = Axis("paint", Range("share", 0.0, 1.0, nominal=0.0))
    won = (places[:, 0] > 0.45) & (places[:, 2] < 0.6)
    found = RegionProbe(axes=(GRIP, idle, LOAD), rate=0.5, places=places, successes=won, missing=0)
    text = found.as_text()
    assert "chance of success over grip and load, in %; nothing changed in paint" in text
    assert "none shown" in text


def probe(*options: object) -> list[object]:
    given = ["probe", "region", "--agent", "toys:GoodAgent", "--suite", "slippytoys:SUITE"]
    return [*given, "--workers", "0", "--out", "found", *options]


def test_a_planted_border_is_found_in_runs_that_verify(
    tmp_path: Path, bench_here: Callable[..., Any]
) -> None:
    first = bench_here(*probe("--over", "grip", "--episodes", "24"))
    assert first.code == 0, first.err
    said = bench_here(*probe("--over", "grip", "--episodes", "60", "--format", "json"))
    assert said.code == 0, said.err
    found = json.loads(said.out)
    (border,) = found["borders"]
    assert (border["axis"], border["fails"]) == ("grip", "below")
    assert border["low"] <= BORDER <= border["high"]
    assert len(found["episodes"]) == 65
    text = bench_here(*probe("--over", "grip", "--episodes", "60"))
    assert f"Success is less than 50 % where grip is below {border['value']:g} (" in text.out
    printed_again(bench_here, "found", text.out)
    batch = tmp_path / "found" / "batch-003"
    lines = results_of(batch)
    assert len({line["seed"] for line in lines}) == BATCH + 1, "each place has a start of its own"
    checked = bench_here("verify", "found/batch-003", "--sample", "4", "--trust")
    assert checked.code == 0, checked.out + checked.err
    shown = bench_here("show", "found/batch-003", lines[1]["case"], "--trust")
    assert shown.code == 0, shown.err
    reported = bench_here("report", "found/batch-003")
    assert "it is part of bench probe region" in reported.out
    assert "same task and seed, unperturbed" not in reported.out, "there are no such pairs"
    pair = bench_here("compare", "found/batch-003", "found/batch-004", "--robustness")
    refused(pair, "each of its conditions has a start of its own")
    other = bench_here(*probe("--over", "grip", "--episodes", "24", "--rate", "0.9"))
    assert other.code == 2
    assert "Results are never blended: choose another --out" in other.err


def test_two_axes_on_the_command_line(bench_here: Callable[..., Any]) -> None:
    said = bench_here(*probe("--over", "grip,load", "--episodes", "48"))
    assert said.code == 0, said.err
    assert "along each axis, nothing changed in the others" in said.out
    found = json.loads((bench_here("report", "found", "--format", "json")).out)
    for border in found["borders"]:
        truth = BORDER if border["axis"] == "grip" else HEAVIEST
        assert border["low"] <= truth <= border["high"]


WRONG = {
    "unknown": (["--over", "grit"], "did you mean grip"),
    "no range": (["--over", "paint"], "paint has severities only here"),
    "nothing": (["--over", ","], "name 1 to 6 different perturbations"),
    "twice": (["--over", "grip,grip"], "name 1 to 6 different perturbations"),
    "rate": (["--over", "grip", "--rate", "1"], "--rate must lie between 0.02 and 0.98"),
    "nan": (["--over", "grip", "--rate", "nan"], "--rate must lie between 0.02 and 0.98"),
    "few": (["--over", "grip", "--episodes", "11"], "--episodes must lie between 12 and 1200"),
    "family": (["--over", "grip", "--suite", "toysuite:MARKED"], "declares no ranges"),
    "tasks": (["--over", "grip", "--suite", "slippytoys:TWO"], "name one, as in --tasks toys/"),
    "figure": (["--over", "grip", "--figure", "x.txt"], "a figure is a file ending in"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_one_line_with_the_remedy(
    name: str, bench_here: Callable[..., Any], tmp_path: Path
) -> None:
    options, words = WRONG[name]
    refused(bench_here(*probe(*options)), words)
    assert not (tmp_path / "found").exists()


def test_a_missing_package_is_named(
    bench_here: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.gaussian_process", None)
    refused(bench_here(*probe("--over", "grip")), "pip install 'generalist-bench[region]'")


def test_what_only_changes_pictures_needs_an_agent_that_reads_one() -> None:
    camera = Axis("camera", Range("metres", 0.0, 0.3, nominal=0.0, unit="m"))
    for reads in (("state", "image_wrist?"), ("depth",), ("*",)):
        refuse_unseen([GRIP, camera], reads)
    refuse_unseen([GRIP], ("state",))
    with pytest.raises(UserError, match="this agent reads no picture"):
        refuse_unseen([GRIP, camera], ("state?", "expert"))


def test_axes_are_those_that_the_simulator_declares() -> None:
    declared = SlippyAdapter.simulator_perturbations(SLIPPY)
    assert [axis.name for axis in axes_named("load, grip", declared, SLIPPY.id)] == ["load", "grip"]
    with pytest.raises(UserError, match="declares no ranges"):
        axes_named("grip", declared[2:], SLIPPY.id)
