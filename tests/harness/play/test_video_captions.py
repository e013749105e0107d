"""Captions fit the picture: every letter is drawn inside it."""

from __future__ import annotations

import numpy as np
import pytest
import toys

pytest.importorskip("PIL")
pytest.importorskip("av")

from harness.core import Case, Perturbation
from harness.play.video import VideoWriter
from harness.play.video_captions import LINE, fitted, written

LONG = "alfworld-synthetic/pick_clean_then_place_in_recep@1"
TEXTS = [
    "",
    "go",
    LONG,
    "x" * 400,
    "Pick up the red cube, put it on the green cube and let go, then go back to the start.",
    "agent_error: ValueError: expected 7 numbers between -1 and 1, got an array of shape (3,)",
    "a\nb\tc",
]


@pytest.mark.parametrize("width", [160, 200, 640])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("most", [1, 3])
def test_no_line_is_wider_than_the_picture(text: str, width: int, most: int) -> None:
    lines = fitted(text, width, most)
    assert 1 <= len(lines) <= most
    # Drawn on a far wider picture, nothing lies beyond the width.
    drawn = written(4 * width, lines, (255, 255, 255))
    assert not drawn[:, width:].any()


def test_all_words_are_there_or_dots_say_that_some_are_not() -> None:
    text = TEXTS[4]
    assert " ".join(fitted(text, 640, 3)) == text
    cut = fitted(text, 160, 2)
    assert cut[-1].endswith("...")
    assert text.startswith(" ".join(cut)[: -len("...")])
    assert "".join(fitted("x" * 100, 200, 9)) == "x" * 100, "a long word is broken"


def test_frames_keep_their_size_when_the_outcome_appears() -> None:
    parts = (Perturbation("action_noise", 3), Perturbation("occlusion", 2))
    writer = VideoWriter(Case(toys.toy_task(LONG.partition("/")[2][:-2]), 0, parts))
    frame = np.zeros((64, 64, 3), np.uint8)
    first = writer.compose(frame, 0, TEXTS[4])
    last = writer.compose(frame, 40, TEXTS[4], TEXTS[5], False)
    assert first.shape == last.shape
    outcome = last[-LINE:]
    assert outcome.any(), "the outcome has a line of its own"
    assert not outcome[:, -4:].any(), "and does not touch the edge"
