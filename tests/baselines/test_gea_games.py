"""Eyes for games: what they read together, what learns, and what stays as it is."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import toys
from toysuite import QUICK

from baselines.gea import games as stage
from baselines.gea.agent import GEA, SHIPPED
from baselines.gea.config import Config
from baselines.gea.frames import read_frames
from baselines.gea.game_eyes import PIXELS, ROWS, GameEyes, stacked
from baselines.gea.nano import Nano
from baselines.gea.policy import Policy
from baselines.gea.prompt import StepInputs
from baselines.gea.single_inputs import InputRows
from baselines.gea.train import Job, configuration, train
from harness.core import UserError
from harness.demos import Demos
from harness.demos.record import RecordingOptions, record
from harness.play.progress import PlainProgress
from harness.play.runner import RunOptions
from harness.records.catalogue import find_suites, select_tasks
from harness.testing import check_agent
from suites import SUITES

ROOMS = select_tasks(find_suites("babyai", SUITES), "*/GoToObj")
GAME = toys.TASKS[0]
INIT = SHIPPED / "gea"


def _step(pictures: list[np.ndarray]) -> StepInputs:
    before = tuple((each,) for each in pictures[:-1])
    return StepInputs((pictures[-1],), (), np.zeros(0, np.float32), (), earlier=before)


def test_three_pictures_are_read_together() -> None:
    rng = np.random.default_rng(0)
    one, two, three = (rng.integers(0, 256, (PIXELS, PIXELS, 3), dtype=np.uint8) for _ in "123")
    stack = stacked(three, [one, two])
    assert stack.shape == (9, PIXELS, PIXELS)
    for place, picture in enumerate((one, two, three)):
        shown = (stack[3 * place : 3 * place + 3].movedim(0, -1) + 1) * 127.5
        torch.testing.assert_close(shown, torch.as_tensor(picture).float())
    # A play shows twice as many pixels as a recording keeps.
    larger = [np.kron(each, np.ones((2, 2, 1), np.uint8)) for each in (one, two, three)]
    torch.testing.assert_close(stacked(larger[2], larger[:2]), stack)
    torch.testing.assert_close(stacked(three, []), stacked(three, [three, three]))
    torch.testing.assert_close(stacked(three, [one, two, two]), stacked(three, [two, two]))


def test_the_eyes_see_each_game_alone() -> None:
    torch.manual_seed(0)
    eyes = GameEyes(16).eval()
    stacks = torch.rand(3, 9, PIXELS, PIXELS) * 2 - 1
    with torch.no_grad():
        rows = eyes(stacks)
        assert rows.shape == (3, ROWS, 16)
        torch.testing.assert_close(eyes(stacks[1:2])[0], rows[1], atol=1e-5, rtol=1e-5)


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, list[str]]:
    """The job of a barely trained model that plays a toy, and what its training said."""
    out = tmp_path_factory.mktemp("games")
    said: list[str] = []
    states = SHIPPED / "gea-state"
    frames = Job(
        (), out / "frames", configuration(states, None, {}), tasks=ROOMS, steps=8, init=states
    )
    train("frames", frames, said.append)
    for name, views in (("toys", ("image", "state")), ("shown-toys", ("image",))):
        record(
            [(QUICK, GAME)], out / name, RecordingOptions(views), RunOptions(workers=0),
            PlainProgress(), episodes=3,
        )  # fmt: skip
    config = configuration(INIT, None, {"datasets": {"*": 1, "shown-*": 0}})
    job = Job(
        (out / "toys", out / "frames", out / "shown-toys"), out / "model", config, steps=6,
        init=INIT, threads=1,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as smaller:
        smaller.setattr(stage, "BATCH", 8)
        smaller.setattr(stage, "APART", 40)
        train("games", job, said.append)
    return job, said


def test_only_the_eyes_for_games_learn(player: tuple[Job, list[str]]) -> None:
    job, said = player
    assert said[-1].startswith("games are set apart: logits")
    # A data set of weight 0 is not played: its pictures are of no game.
    steps = sum(row.steps for row in Demos(job.data[0]).rows)
    assert f"{steps} steps of demonstrations; {8 + steps} pictures of no game" in said
    before, after = Policy.load(INIT), Policy.load(job.out)
    kept = dict(before.named_parameters())
    changed = [n for n, w in after.named_parameters() if n not in kept or not w.equal(kept[n])]
    assert changed
    assert all(name.startswith("backbone.reader.game.") for name in changed)
    assert Config.load(job.out).games
    # What shows no game is read with the same bits.
    pictures = next(read_frames(job.data[1:2])).pictures[:2]
    with torch.inference_mode():
        for one, other in zip(
            *(policy.backbone.encode_images(pictures)[0] for policy in (before, after))
        ):
            assert one.equal(other)


def test_the_state_is_told_where_it_was_recorded(player: tuple[Job, list[str]]) -> None:
    job, _ = player
    policy = Policy.load(job.out)
    loss = stage.GameLoss(policy, job.data[:1], job.data[1:2], job.config)
    states = np.concatenate(
        [[frame.observation["state"] for frame in demo.frames] for demo in Demos(job.data[0])]
    )
    assert loss.games.numbers == states.shape[1] == 4
    assert loss.state is not None
    with torch.no_grad():
        loss.state.weight.zero_()
        loss.state.bias.zero_()
        parts = loss(np.random.default_rng(0), through=False)
    drawn = loss.games.draw(np.random.default_rng(0), stage.BATCH)
    given = np.stack([each.numbers for each in drawn])
    varies = states.std(0) > 0
    assert (np.isfinite(given) == varies).all(), "a number that never changes is not asked for"
    # They are those of the same step, in standard deviations from the mean.
    possible = ((states - states.mean(0)) / np.where(varies, states.std(0), np.nan)).round(3)
    assert {tuple(row) for row in given[:, varies].round(3)} <= {
        tuple(row) for row in possible[:, varies]
    }
    assert parts["state"].item() == pytest.approx((given[:, varies] ** 2).mean(), rel=1e-4)
    # Where none was recorded, nothing more is learned than before.
    without = stage.GameLoss(
        policy, job.data[2:], job.data[1:2], dataclasses.replace(job.config, datasets={})
    )
    assert without.games.numbers == 0
    assert set(without(np.random.default_rng(0), through=False)) == {"named", "right"}


def test_of_an_earlier_picture_of_a_game_nothing_is_left(player: tuple[Job, list[str]]) -> None:
    policy = Policy.load(player[0].out)
    nano = policy.backbone
    assert isinstance(nano, Nano)
    assert nano.reader is not None
    assert nano.reader.game is not None
    rng = np.random.default_rng(1)
    shown = [rng.integers(0, 256, (168, 168, 3), dtype=np.uint8) for _ in range(3)]
    with torch.inference_mode():
        nano.reader.game.kind[-1].bias.fill_(1000.0)  # everything is a game
        rows = InputRows(nano)
        step, still = _step(shown), _step(shown[2:])
        assert rows.of(step, past=False).shape == (ROWS, policy.config.width)
        assert len(rows.of(step, past=True)) == 0
        # The pictures before it count, alone and in a batch.
        assert np.abs(rows.of(step, past=False) - rows.of(still, past=False)).max() > 1e-3
        again = [_step(shown), _step(shown[2:])]
        nano.encode_inputs(again, keep=True)
        for one, other in zip((step, still), again):
            found = other.features["rows"][0][1].numpy()
            np.testing.assert_allclose(found, rows.of(one, past=False), atol=1e-4)
            assert len(other.features["past"][0][1]) == 0


def test_it_plays_alike_in_any_batch(player: tuple[Job, list[str]]) -> None:
    check_agent(GEA, [GAME], args={"weights": str(player[0].out)}, steps=3, tolerance=1e-4)


def test_what_the_stage_lacks_is_said(player: tuple[Job, list[str]], tmp_path: Path) -> None:
    job = dataclasses.replace(player[0], out=tmp_path / "m")
    for change, words in (
        ({"init": None}, "name them with --init"),
        ({"init": SHIPPED / "gea-state"}, "made by `--stage see`"),
        ({"data": job.data[:1]}, "--stage frames"),
        ({"data": job.data[1:2]}, "bench demos"),
    ):
        with pytest.raises(UserError, match=words):
            train("games", dataclasses.replace(job, **change), lambda _: None)
    with pytest.raises(UserError, match="games need the reader"):
        Config(games=True)
