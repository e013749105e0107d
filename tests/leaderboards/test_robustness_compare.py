"""Which of two agents loses less to a perturbation."""

from __future__ import annotations

import json

import pytest
from perturbedruns import GAMES, PLAN, SCORES, WINS, fill

from harness.core import UserError
from harness.records.plan import Plan
from leaderboards.robustness_compare import difference_in_differences, render_deltas


def test_who_loses_less() -> None:
    base, new = fill(PLAN, WINS), fill(PLAN, {**WINS, ("reach", 2): 9, ("walk", 2): 5})
    effects = {
        (each.perturbation, each.severity, each.domain): each
        for each in difference_in_differences(base, new)
    }
    strong = effects["action_noise", 4, None]
    assert (
        strong.base_control,
        strong.base_rate,
        strong.new_control,
        strong.new_rate,
    ) == pytest.approx((0.75, 0.1, 0.75, 0.7))
    assert strong.difference.value == pytest.approx(0.6)
    assert strong.difference.low is not None
    assert strong.difference.high is not None
    assert 0 < strong.difference.low < 0.6 < strong.difference.high <= 2
    assert (strong.tasks, strong.pairs) == (2, 20)
    assert effects["action_noise", 1, "navigation"].difference.value == 0
    back = {(e.perturbation, e.severity, e.domain): e for e in difference_in_differences(new, base)}
    assert back["action_noise", 4, None].difference.value == pytest.approx(-0.6)
    for format in ("text", "markdown"):
        assert "+60.0" in render_deltas(list(effects.values()), format)
    assert len(json.loads(render_deltas(list(effects.values()), "json"))["effects"]) == len(effects)
    elsewhere = fill(Plan(PLAN.items, seed=1, perturbations=PLAN.perturbations), WINS)
    with pytest.raises(UserError, match="share no perturbed case"):
        difference_in_differences(base, elsewhere)


def test_who_loses_less_of_the_score() -> None:
    base, new = (
        fill(GAMES, SCORES),
        fill(GAMES, {**SCORES, ("pong", 2): [4.0, 4, 6, 6], ("reach", 2): 4}),
    )
    effects = {
        (each.severity, each.domain, each.measure): each
        for each in difference_in_differences(base, new)
    }
    games = effects[4, "games", "normalised"]
    assert (games.tasks, games.pairs) == (2, 8)
    assert (
        games.base_control,
        games.base_rate,
        games.new_control,
        games.new_rate,
    ) == pytest.approx((0.775, 0.05, 0.775, 0.25))
    assert games.difference.value == pytest.approx(0.2)
    assert games.difference.low is None, "eight pairs of scores are too few"
    assert effects[4, None, "success"].difference.value == pytest.approx(0.75)
    assert (4, "games", "success") not in effects
    text = render_deltas(list(effects.values()), "text")
    assert "WHO LOSES LESS OF THE SCORE" in text
    assert "+0.200" in text
    assert "+75.0" in text
    raw = fill(Plan((GAMES.items[2],), perturbations=GAMES.perturbations), SCORES)
    with pytest.raises(UserError, match="a success or a normalised score"):
        difference_in_differences(raw, raw)
