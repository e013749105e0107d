"""Learning to see from a model that reads states: frames, where is looked, and what is read."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import toys
from gearig import NANO
from toysuite import QUICK

from baselines.gea.agent import GEA, SHIPPED
from baselines.gea.config import Config
from baselines.gea.driver import driven_by_expert, driven_by_model
from baselines.gea.frames import (
    EVERY,
    MOST_OF_A_SCENE,
    Frames,
    played_frames,
    read_frames,
)  # fmt: skip
from baselines.gea.nano import Nano
from baselines.gea.policy import Policy
from baselines.gea.prompt import step_inputs
from baselines.gea.reader import (
    CLOSE,
    PLACE,
    squares_around,
)  # fmt: skip
from baselines.gea.see import BATCHES, student
from baselines.gea.seeing_loss import SeeingLoss, spread
from baselines.gea.train import Job, configuration, train
from harness.core import Agent, Box, Brief, Case, Discrete, Elements, TimeStep, Turn, UserError
from harness.records.catalogue import find_suites, select_tasks
from harness.testing import check_agent
from suites import SUITES

ROOMS = select_tasks(find_suites("babyai", SUITES), "*/GoToObj,*/OpenRedDoor")
LAVA = select_tasks(find_suites("minigrid", SUITES), "*/LavaGapS7")


def test_a_point_is_the_mean_of_the_places_around_it() -> None:
    points = torch.tensor([[0.5, 0.3], [0.11, 0.87], [-0.2, 1.4]])
    shares = spread(points, 5)
    middle = (torch.arange(5) + 0.5) / 5
    torch.testing.assert_close(shares.sum((1, 2)), torch.ones(3))
    assert ((shares > 0).sum((1, 2)) <= 4).all()
    mean = torch.stack([(shares.sum(1) * middle).sum(1), (shares.sum(2) * middle).sum(1)], 1)
    torch.testing.assert_close(mean, points.clamp(0.1, 0.9))


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A barely trained model that sees, and what its training said."""
    out = tmp_path_factory.mktemp("see")
    init = SHIPPED / "gea-state"
    said: list[str] = []
    job = Job((), out / "frames", configuration(init, None, {}), tasks=ROOMS, steps=16, init=init)
    train("frames", job, said.append)
    train("frames", job, said.append)  # what exists is left as it is
    job = dataclasses.replace(job, data=(job.out,), out=out / "model", tasks=(), threads=1)
    with pytest.MonkeyPatch.context() as smaller:
        smaller.setitem(BATCHES, "maps", 24)
        train("see", dataclasses.replace(job, steps=20), said.append)
    return out, said


def test_frames_hold_what_the_other_model_reads(seeing: tuple[Path, list[str]]) -> None:
    frames = list(read_frames([seeing[0] / "frames"]))
    assert [each.task for each in frames] == ["babyai/GoToObj", "babyai/OpenRedDoor"]
    for each, side in zip(frames, (8, 9)):
        assert each.pictures.shape == (16, 168, 168, 3)
        assert each.cells.shape == (16, 7, 7, 3)
        np.testing.assert_allclose(each.pose[:, 2], side and 336 // side / 336)
        assert set(np.rint((each.numbers[:, 0] + 1) * 1.5)) <= {0, 1, 2, 3}
        # The agent stands where it is said to be: its triangle is red in front of grey and black.
        for picture, (x, y, _) in zip(each.pictures, each.pose):
            red, green, blue = picture[int(y * 168), int(x * 168)].astype(int)
            assert red > green + 60
            assert red > blue + 60
    with pytest.raises(UserError, match=r"nothing holds no frames; .*--stage frames"):
        list(read_frames([seeing[0] / "frames", seeing[0] / "nothing"]))
    whole = next((seeing[0] / "frames").rglob("*.npz")).read_bytes()
    cut = seeing[0] / "cut" / "babyai" / "GoToObj-0.npz"
    cut.parent.mkdir(parents=True)
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"GoToObj-0\.npz holds no frames: .*; record it again"):
        list(read_frames([seeing[0] / "cut"]))


def test_the_student_learns_to_see_and_reads_pictures_only(seeing: tuple[Path, list[str]]) -> None:
    out, said = seeing
    first, last = (
        float(line.split("cells ")[1].split()[0])
        for line in said
        if " see/maps/cells" in line and ("step 1/" in line or "step 20/" in line)
    )
    assert last < first / 2
    assert "of cells read" in said[-1]
    views, _ = GEA.declares({"weights": str(out / "model")})
    assert set(views) == {"image? unless dom", "text?", "dom?", "admissible?"}
    # Only the eyes are new: the rest is the other model's.
    before, after = Policy.load(SHIPPED / "gea-state"), Policy.load(out / "model")
    kept = dict(before.named_parameters())
    changed = [n for n, w in after.named_parameters() if n not in kept or not w.equal(kept[n])]
    assert changed
    assert all(name.startswith("backbone.reader.") for name in changed)
    arguments = {"weights": str(out / "model")}
    check_agent(GEA, [task for _, task in ROOMS], args=arguments, steps=3, tolerance=1e-4)


def test_a_task_without_an_expert_is_played_by_the_model(seeing: tuple[Path, list[str]]) -> None:
    out = seeing[0] / "lava"
    job = Job((), out, configuration(SHIPPED / "gea-state", None, {}), tasks=LAVA, steps=12)
    train("frames", dataclasses.replace(job, init=SHIPPED / "gea-state"), lambda _: None)
    (frames,) = read_frames([out])
    assert frames.task == "minigrid/LavaGapS7"
    np.testing.assert_allclose(frames.pose[:, 2], 336 // 7 / 336)
    assert len({tuple(pose) for pose in frames.pose}) > 4, "it walks"


def test_who_drives_sees_what_it_reads_of_the_last_steps() -> None:
    asked: list[Turn] = []

    class Asked(Agent):
        reads = ("count", "absent?")
        history = 2

        def act(self, turns: Any) -> list[Any]:
            asked.extend(turns)
            return [1 for _ in turns]

    class World:
        brief = Brief(dict.fromkeys(("count", "other"), Discrete(9)), Discrete(2), "", "")

    case = Case(toys.toy_task(), 3)
    drive = driven_by_model(Asked(), World(), case)
    executed = None
    for step in range(4):
        seen = TimeStep({"count": lambda step=step: step, "other": 0}, f"count {step}")
        assert drive(seen, executed) == 1
        executed = step % 2
    last = asked[-1]
    assert (last.observations, last.actions) == (({"count": 2}, {"count": 3}), (0,))
    assert (last.step, last.instruction) == (3, "count 3")
    assert set(last.brief.observation) == {"count"}
    assert len({turn.rng.random() for turn in asked}) == 4


def test_what_a_stage_lacks_is_said(tmp_path: Path) -> None:
    job = Job((), tmp_path, NANO, steps=1)
    for stage in ("frames", "see"):
        with pytest.raises(UserError, match="--suite" if stage == "frames" else "--init"):
            train(stage, job, lambda _: None)
    with pytest.raises(UserError, match="--init"):
        train("frames", dataclasses.replace(job, tasks=ROOMS), lambda _: None)
    suite, task = ROOMS[0]
    dark = dataclasses.replace(task, params={**task.params, "image": False})
    played = dataclasses.replace(job, tasks=[(suite, dark)], init=SHIPPED / "gea-state")
    with pytest.raises(UserError, match="shows no picture"):
        train("frames", played, lambda _: None)


def test_of_a_page_the_elements_are_read_and_not_the_picture() -> None:
    config = student(Config(vision="plain", pixels=4))
    assert config.vision == "reader"
    assert config.views[0] == "image?"
    assert "state?" not in config.views
    views = {"image": Box((4, 4, 3), "uint8", 0, 255), "dom": Elements()}
    brief = Brief(views, Discrete(2), "a body", "a simulator")
    seen = {"image": np.zeros((4, 4, 3), np.uint8), "dom": ()}

    class Letters:
        encode = staticmethod(lambda text: list(text.encode()))

    def images(brief: Brief, seen: dict[str, Any]) -> int:
        return len(step_inputs(brief, seen, Letters(), config).images)  # type: ignore[arg-type]

    assert images(brief, seen) == 0
    del views["dom"], seen["dom"]
    assert images(dataclasses.replace(brief, observation=views), seen) == 1


def test_what_is_around_a_point_is_cut_out() -> None:
    side, x, y = 60, 37, 22
    picture = -torch.ones(1, 3, side, side)
    picture[:, :, y - 1 : y + 1, x - 1 : x + 1] = 1
    count = side // PLACE
    # The middles of the outermost places are at -1 and 1.
    point = [(each / PLACE - 0.5) / (count - 1) * 2 - 1 for each in (x, y)]
    (square,) = squares_around(picture, torch.tensor([[point[0], 1.0, point[1], 1.0]]))
    expected = -torch.ones(CLOSE, CLOSE)
    middle = CLOSE // 2
    expected[middle - 1 : middle + 1, middle - 1 : middle + 1] = 1
    torch.testing.assert_close(square[0], expected.expand(3, -1, -1), atol=1e-4, rtol=0)
    assert (square[1] == -1).all()  # a corner, of which three quarters lie outside of the picture


def test_the_reader_tells_numbers_in_their_own_units(nano: Path) -> None:
    config = student(Config.load(nano))
    policy = Policy.new(dataclasses.replace(config, pixels=48), nano)
    backbone = policy.backbone
    assert isinstance(backbone, Nano)
    rng = np.random.default_rng(0)
    nowhere = np.full((6, 3, 2), np.nan, np.float32)
    frames = Frames(
        "t",
        rng.integers(0, 255, (6, 48, 48, 3), dtype=np.uint8),
        np.zeros((6, 0), np.uint8),
        (rng.normal(3, [[0.5, 20.0]], (6, 2))).astype(np.float32),
        nowhere[:, :, 0],
        nowhere,
    )
    loss = SeeingLoss(backbone, [frames])
    scene = loss.reader.scene
    pictures = torch.as_tensor(frames.pictures).movedim(-1, 1) / 127.5 - 1
    with torch.no_grad():
        assert scene(pictures).shape == (6, 0)
        loss.tell()
        told = scene(pictures)
        standard = loss.told(scene.features(pictures)[0])
    torch.testing.assert_close(loss.standardised(told.numpy()), standard, atol=1e-4, rtol=1e-4)
    row = backbone.encode_images([frames.pictures[2]])[0][0]
    wanted = backbone.number_encoder([told[2].numpy()], backbone.device)
    torch.testing.assert_close(row, wanted, atol=1e-3, rtol=0)


def test_an_episode_of_a_scene_gives_few_frames() -> None:
    """They are equally far apart, whatever the length of the episode."""
    views = {"image": Box((8, 8, 3), "uint8", 0, 255)}

    class Endless:
        brief = Brief(views, Discrete(2), "a body", "a simulator")
        steps = 0

        def reset(self, case: object) -> TimeStep:
            return self.step(0)

        def expert(self, executed: object) -> int:
            return 0

        def step(self, action: object) -> TimeStep:
            image = np.full((8, 8, 3), self.steps, np.uint8)
            self.steps += 1
            return TimeStep({"image": image}, "wait")

    config = Config(views=("image?",), pixels=8)
    gaps = set()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        rows, _ = played_frames(
            Endless(), Case(toys.toy_task(), 0), config, rng, 0, driven_by_expert(Endless())
        )
        shown = [int(picture[0, 0, 0]) for picture, *_ in rows]
        assert len(shown) == MOST_OF_A_SCENE
        assert len(set(np.diff(shown))) == 1
        gaps.add(int(np.diff(shown)[0]))
    assert gaps == set(EVERY)


def test_other_pictures_become_the_numbers_of_a_scene(
    nano: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BATCHES, "scenes", 4)
    monkeypatch.setattr("baselines.gea.refine.STEPS", 60)
    monkeypatch.setattr("baselines.gea.refine.BATCH", 16)
    said: list[str] = []
    job = Job((), tmp_path / "frames", NANO, steps=20, init=nano, threads=1)
    toy = dataclasses.replace(toys.toy_task(size=4), max_steps=9)
    train("frames", dataclasses.replace(job, tasks=[(QUICK, toy)]), said.append)
    (frames,) = read_frames([job.out])
    assert frames.cells.shape == (20, 0)
    assert frames.numbers.shape == (20, 4)
    assert np.isnan(frames.pose).all()
    assert np.isnan(frames.points).all()  # nothing says where the toy's picture shows what
    learns = dataclasses.replace(job, data=(job.out,), out=tmp_path / "m")
    train("see", learns, said.append)
    first, last = (
        float(line.split("numbers ")[1].split()[0]) for line in said if line.startswith("refined ")
    )
    assert last < first
    # The same command again, which finds another configuration in the folder, has nothing to do.
    weights = (learns.out / "model.safetensors").read_bytes()
    train("see", dataclasses.replace(learns, config=Config.load(learns.out)), said.append)
    assert (learns.out / "model.safetensors").read_bytes() == weights
    arguments = {"weights": str(learns.out)}
    check_agent(GEA, [toy], args=arguments, steps=3, tolerance=1e-4)
    # Without a map among the frames, what reads maps stays as it is.
    before, after = Policy.load(nano), Policy.load(learns.out)
    torch.manual_seed(0)
    fresh = Policy.new(after.config, learns.out)
    kept = {**dict(fresh.named_parameters()), **dict(before.named_parameters())}
    changed = [name for name, weight in after.named_parameters() if not weight.equal(kept[name])]
    assert changed
    assert all(name.startswith("backbone.reader.scene.") for name in changed)


def test_scenes_of_weight_0_show_what_is_no_map_and_teach_nothing_else(
    seeing: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BATCHES, "maps", 8)
    monkeypatch.setitem(BATCHES, "scenes", 8)
    model = seeing[0] / "model"
    toy = dataclasses.replace(toys.toy_task(size=4), max_steps=9)
    scenes = Job((), tmp_path / "toys", NANO, tasks=[(QUICK, toy)], steps=20, init=model)
    train("frames", scenes, lambda _: None)
    said: list[str] = []
    config = dataclasses.replace(Config.load(model), datasets={"*": 1, "toys": 0})
    data = (seeing[0] / "frames", scenes.out)
    job = Job(data, tmp_path / "m", config, steps=20, init=model, threads=1)
    train("see", job, said.append)
    assert "frames: 32 of maps, 20 of no map" in said
    assert "logits of a map -" in said[-1], "they are none"
    before, after = Policy.load(model), Policy.load(job.out)
    kept = dict(before.named_parameters())
    changed = {n for n, weight in after.named_parameters() if not weight.equal(kept[n])}
    assert {name.split(".")[2] for name in changed} == {"look", "find", "what", "cells"}
    nothing = dataclasses.replace(config, datasets={"toys": 0})
    with pytest.raises(UserError, match="gives every folder of --data the weight 0"):
        train("see", dataclasses.replace(job, out=tmp_path / "n", config=nothing), said.append)
