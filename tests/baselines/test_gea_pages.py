"""Eyes for pages: what they learn from, what they read, and when they look."""

from __future__ import annotations

import dataclasses
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from baselines.gea.agent import GEA, SHIPPED, reads_of
from baselines.gea.config import Config
from baselines.gea.page_eyes import (
    CHARACTERS,
    NUMBERS,
    SCALE,
    SHAPE,
    TAGS,
    PageEyes,
    as_pixels,
    strip,
)  # fmt: skip
from baselines.gea.page_frames import Labelled, Page, labelled, read_pages
from baselines.gea.pages import PageLoss, measured
from baselines.gea.policy import Policy
from baselines.gea.prompt import SIZES, step_inputs
from baselines.gea.train import Job, configuration, train
from harness.core import UI, Box, Brief, Discrete, Element, Elements, Turn, UserError, stream
from harness.play.environments import narrow

ACTION = UI(160, 210, ("wait", "click"))
PICTURE = Box(SHAPE, "uint8", 0, 255, "", "RGB")
WIDE = Box((667, 375, 3), "uint8", 0, 255, "", "RGB")
PHONE = Box((240, 108, 3), "uint8", 0, 255, "", "RGB")
INIT = SHIPPED / "gea"
SEES = Config(views=("image?", "text?", "dom?"), vision="reader", pixels=168, pages=True)


class Letters:
    bos = None

    def encode(self, text: str) -> list[int]:
        return list(map(ord, text))


def _page(x: int, y: int, word: str = "ab") -> tuple[np.ndarray, list[Labelled]]:
    """A picture with one line in which an `a` is a dark column and a `b` a red one."""
    picture = np.full(SHAPE, 255, np.uint8)
    for place, letter in enumerate(word):
        left = x + 6 * place
        picture[y - 5 : y + 5, left : left + 4] = (0, 0, 0) if letter == "a" else (255, 0, 0)
    edges = tuple(float(x + 6 * place) for place in range(len(word) + 1))
    wide = 6.0 * len(word)
    line = Labelled("button", word, x, y, wide, 11.0, x + wide / 2, y + 1.0, True, edges)
    return picture, [line]


def _file(folder: Path, name: str, rows: list[tuple[np.ndarray, list[Labelled]]]) -> Path:
    file = folder / "miniwob" / f"{name}-0.npz"
    file.parent.mkdir(parents=True, exist_ok=True)

    lines = [json.dumps([dataclasses.astuple(line) for line in each]) for _, each in rows]
    np.savez(file, pictures=np.stack([picture for picture, _ in rows]), pages=np.array(lines))
    return file


def test_labels_are_the_lines_in_the_picture() -> None:
    box = (10.0, 60.0, 40.0, 20.0)
    elements = (
        Element(4, 0, "button", "Go on", "", "", (), *box),
        Element(5, 0, "input_text", "", "", "", (), *box),
    )
    drawn = [
        (4, "Go on", 14.0, 64.0, 30.0, 12.0, 1, [14, 20, 26, 29, 35, 44]),
        (5, "?", 14.0, 84.0, 6.0, 12.0, 1, [14, 20]),  # an empty field is in no prompt
        (9, "Click", 4.0, 4.0, 30.0, 12.0, 0, [4, 8, 12, 16, 20, 34]),  # nor is the instruction
        (4, "beyond", 4.0, 300.0, 30.0, 12.0, 1, [4, 8, 12, 16, 20, 24, 34]),
    ]
    lines = labelled(elements, drawn)
    assert [(line.tag, line.text, line.seen) for line in lines] == [
        ("button", "Go on", True), ("", "?", True), ("", "Click", False),
    ]  # fmt: skip
    assert (lines[0].x, lines[0].y, lines[0].centre_x, lines[0].centre_y) == (14, 70, 30, 70)


def test_a_strip_shows_the_line_and_no_more_than_it_needs() -> None:
    picture, (line,) = _page(60, 100)
    cut, scale, begin = strip(as_pixels(picture), line.line())
    assert (cut.shape, scale, begin) == ((3, 20, 61), 1.0, 52.0)
    assert (cut[0, 10, 8:12] == -1).all()
    # Larger letters are shrunk to the height that is read.
    high = Labelled("p", "ab", 60, 100, 12.0, 36.0, 66, 100, True, (60, 66, 72))
    cut, scale, _ = strip(as_pixels(picture), high.line())
    assert cut.shape[1] == 20
    assert scale == pytest.approx(0.5, abs=0.03)
    # Nothing breaks at the edges of a picture.
    for x, y in ((-1, 0), (158, 209)):
        assert strip(
            as_pixels(picture), Labelled("p", "a", x, y, 9, 11, x, y, True, (x, x)).line()
        )[0].shape[1:2] == (20,)


def test_it_learns_to_find_and_to_read() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    made = []
    for _ in range(16):
        x, y = int(rng.integers(20, 120)), int(rng.integers(60, 190))
        picture, lines = _page(x, y, "ab" if rng.random() < 0.5 else "ba")
        made.append(Page("t", zlib.compress(picture.tobytes()), tuple(lines)))
    eyes = PageEyes()
    loss = PageLoss(eyes)
    optimizer = torch.optim.AdamW(eyes.parameters(), 3e-3)
    with torch.no_grad():
        first = loss(made[12:], stream(0, "kept"))
    for step in range(40):
        parts = loss([made[k] for k in rng.integers(12, size=2)], stream(0, "t", step=step))
        optimizer.zero_grad()
        torch.stack(list(parts.values())).sum().backward()
        optimizer.step()
    with torch.no_grad():
        last = loss(made[12:], stream(0, "kept"))
    for name, share in (("begins", 4), ("numbers", 2), ("tags", 4), ("characters", 4)):
        assert last[name] < first[name] / share, name
    assert "4 pages, 4 lines; found" in measured(eyes, made[12:])
    # A page is read alike whatever was read before.
    alone = eyes.elements(made[0].picture())
    eyes.elements(made[1].picture())
    assert eyes.elements(made[0].picture()) == alone


def test_lines_are_put_together_to_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two lines of a paragraph, and a button before them whose line is lower."""
    found = torch.full((1, 1 + NUMBERS + len(TAGS), 53, 40), -9.0)
    lines = {
        # row, column: x and y in the place, height, width, way to the centre, rank
        (20, 5): ("p", (1, 2, 11, 30, 15, 6, 1)),
        (23, 5): ("p", (1, 1, 11, 12, 15, -5, 1)),
        (30, 9): ("button", (2, 2, 11, 12, 6, 0, 0)),
    }
    for (row, column), (tag, numbers) in lines.items():
        at = found[0, :, row, column]
        at[0] = 9
        at[1 : 1 + NUMBERS] = torch.tensor(numbers) / torch.tensor(SCALE)
        at[1 + NUMBERS + TAGS.index(tag)] = 9
    found[0, 0, 20, 6] = 8  # a place beside a likelier one is not another line
    monkeypatch.setattr(PageEyes, "look", lambda self, pictures: found)

    def read(self: PageEyes, strips: torch.Tensor) -> torch.Tensor:
        """Words of two letters, each as wide as two columns, 18 columns apart."""
        logits = torch.zeros(1, len(CHARACTERS) + 1, strips.shape[3])
        logits[:, -1] = 1
        for number, column in enumerate(range(9, strips.shape[3] - 1, 6)):
            logits[0, CHARACTERS.index("oo "[number % 3]), column : column + 2] = 2
        return logits

    monkeypatch.setattr(PageEyes, "read", read)
    # A word is of a line if its middle is.
    assert PageEyes().elements(np.zeros(SHAPE, np.uint8)) == [
        ("button", "oo", 44.0, 122.0),
        ("p", "oo oo oo", 36.0, 88.0),
    ]


@pytest.mark.parametrize(
    ("picture", "shown"), [(PICTURE, {"image"}), (WIDE, {"image"}), (PHONE, {"dom"})]
)
def test_only_small_pages_are_looked_at(picture: Box, shown: set[str]) -> None:
    assert picture.shape[:2] in SIZES or picture is PHONE
    brief = Brief({"image": picture, "dom": Elements()}, ACTION, "", "")
    assert set(narrow(brief, reads_of(SEES)).observation) == shown
    assert set(narrow(brief, reads_of(SEES, screenshots=False)).observation) == {"dom"}
    without_eyes = dataclasses.replace(SEES, pages=False)
    assert set(narrow(brief, reads_of(without_eyes)).observation) == {"dom"}


def test_what_is_read_in_a_picture_takes_the_place_of_the_elements() -> None:
    looked: list[np.ndarray] = []

    def read(picture: np.ndarray) -> list[tuple[str, str, float, float]]:
        looked.append(picture)
        return [("button", "Go", 80.0, 105.0), ("a", "x", 0.0, 209.0)]

    seen = {"image": _page(20, 100)[0]}

    def inputs(brief: Brief, seen: dict[str, object]) -> tuple[str, int]:
        step = step_inputs(brief, seen, Letters(), SEES, read_page=read)  # type: ignore[arg-type]
        return "".join(map(chr, step.text)), len(step.images)

    page = Brief({"image": PICTURE}, ACTION, "", "")
    element = Element(1, 0, "button", "Go", "", "", (), 70.0, 100.0, 20.0, 10.0)
    told = Brief({"dom": Elements()}, ACTION, "", "")
    assert inputs(page, seen) == (' dom: button "Go" 25 25; a "x" 0 49', 0)
    assert inputs(told, {"dom": (element,)}) == (' dom: button "Go" 25 25', 0)
    assert looked[0] is seen["image"]
    # A picture of that size in which nothing can be pointed at is none of a page.
    game = dataclasses.replace(page, action=Discrete(2))
    assert inputs(game, seen) == ("", 1)
    assert len(looked) == 1


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, list[str]]:
    """The job of eyes that hardly learned, and what its training said."""
    out = tmp_path_factory.mktemp("pages")
    _file(out / "frames", "buttons", [_page(30, 100), _page(50, 150, "ba")])
    job = Job(
        (out / "frames",), out / "model", configuration(INIT, None, {}), steps=2, init=INIT,
        threads=1,
    )  # fmt: skip
    said: list[str] = []
    train("pages", job, said.append)
    return job, said


def test_only_the_eyes_for_pages_learn(taught: tuple[Job, list[str]]) -> None:
    job, said = taught
    assert said[0] == "2 pages of 1 tasks"
    assert "on held-out pages: 1 pages, 1 lines" in said[-1]
    before, after = Policy.load(INIT), Policy.load(job.out)
    assert after.config.pages
    kept = dict(before.named_parameters())
    for name, weight in after.named_parameters():
        if ".reader.page." not in name:
            assert weight.equal(kept[name]), name
    asked = {"weights": str(job.out)}
    assert set(GEA.declares(asked)[0]) == {
        "dom? unless image 210x160 or 667x375", "image? unless dom", "text?", "admissible?",
    }  # fmt: skip


def test_it_plays_what_it_reads(taught: tuple[Job, list[str]]) -> None:
    agent = GEA(weights=str(taught[0].out))
    brief = Brief({"image": PICTURE}, ACTION, "", "MiniWoB++, a browser")
    picture = _page(30, 100)[0]
    turn = Turn(
        brief=brief, instruction="Click", observations=({"image": picture},), actions=(), step=0,
        episode="one", rng_key=7,
    )  # fmt: skip
    (action,) = agent.act([turn])
    assert action.kind in ACTION.kinds
    other = dataclasses.replace(turn, episode="two")
    assert agent.act([other, dataclasses.replace(turn, episode="three")])[1] == action


def test_the_included_eyes_were_made_by_the_recipe() -> None:
    made = json.loads((INIT / "training.json").read_text())["pages"]
    script = (Path(__file__).parents[2] / "baselines/gea/recipes/pages.sh").read_text()
    assert f"--steps {made['steps']} " in script
    assert all(f"/{folder}" in script for folder in made["data"])
    assert GEA.declares({})[0] == GEA.declares({"screenshots": True})[0]
    assert "dom?" in GEA.declares({"screenshots": False})[0]


def test_who_has_no_eyes_for_pages_is_not_asked_to_see_them() -> None:
    states = str(SHIPPED / "gea-state")
    with pytest.raises(UserError, match="no eyes for pages: bench train gea --stage pages"):
        GEA(weights=states, screenshots=True)
    with pytest.raises(UserError, match="screenshots is 'yes': it is true or false"):
        GEA.declares({"weights": states, "screenshots": "yes"})


def test_wrong_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--data"):
        list(read_pages([]))
    with pytest.raises(UserError, match=r"holds no frames; .*--suite miniwob"):
        list(read_pages([tmp_path]))
    picture, lines = _page(30, 100)
    (page,) = read_pages([_file(tmp_path / "good", "a", [(picture, lines)]).parents[1]])
    assert (page.task, page.lines) == ("miniwob/a", tuple(lines))
    np.testing.assert_array_equal(page.picture(), picture)
    broken = {
        "size": ([(picture[:100], lines)], "pictures are uint8"),
        "edges": ([(picture, [dataclasses.replace(lines[0], text="abc")])], "3 characters"),
        "place": ([(picture, [dataclasses.replace(lines[0], x=float("nan"))])], "no number"),
    }
    for name, (rows, problem) in broken.items():
        folder = _file(tmp_path / name, "a", rows).parents[1]
        with pytest.raises(UserError, match=f"holds no frames of pages: .*{problem}"):
            list(read_pages([folder]))
    file = _file(tmp_path / "cut", "a", [(picture, lines)])
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(UserError, match="record it again"):
        list(read_pages([tmp_path / "cut"]))


def test_what_the_stage_lacks_is_said(tmp_path: Path) -> None:
    config = configuration(INIT, None, {})
    with pytest.raises(UserError, match="--init"):
        train("pages", Job((), tmp_path, config), lambda _: None)
    states = SHIPPED / "gea-state"
    with pytest.raises(UserError, match="--stage see"):
        train(
            "pages", Job((), tmp_path, configuration(states, None, {}), init=states), lambda _: None
        )
    with pytest.raises(UserError, match="pages need the reader"):
        Config(pages=True)


def test_a_character_that_is_not_known_is_not_learned() -> None:
    assert len(CHARACTERS) == 95
    picture, (line,) = _page(60, 100)
    strange = dataclasses.replace(line, text="\u00e9b")
    page = Page("t", zlib.compress(picture.tobytes()), (strange,))
    parts = PageLoss(PageEyes())([page], stream(0, "t"))
    assert all(value.isfinite() for value in parts.values())
