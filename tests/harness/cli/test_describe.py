"""`bench describe`: what a policy sees and does in a task."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import toys
import toysuite

from harness.cli.describe import as_text, described
from harness.core import Case, UserError
from harness.policies.profiles import CODES, load_profile, profile_names

ROOT = Path(__file__).parents[3]


def test_a_task_of_a_users_suite() -> None:
    found = described("toys/glide", "toysuite:QUICK", None, True)
    assert found.to_json()["task"] == "toys/glide@1"
    rows = {view.name: view for view in found.views}
    assert rows["image"].drawn
    assert not rows["state"].drawn
    assert (rows["state"].low, rows["state"].high) == (0.0, 7.0)
    assert found.picture is not None
    name, picture = found.picture
    adapter = toys.ToyAdapter(found.task)
    first = adapter.reset(Case(found.task, found.task.first_seed)).observation["image"]
    assert name == "image"
    assert np.array_equal(picture, first() if callable(first) else first)
    assert json.loads(json.dumps(found.to_json()))["views"][0]["shape"] == [4]
    text = as_text(found)
    assert "a point that moves in a square" in text
    assert "action: float32 (2,), from -1 to 1" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_skills_of_a_task() -> None:
    found = described("pddl/blocksworld", None, None, False)
    text = as_text(found)
    assert "skills       pick-up(x: block): pick up block x from the table" in text
    assert "             block: b1, b2, b3" in text
    assert max(map(len, text.splitlines())) <= 80
    told = found.to_json()
    assert told["skills"][2]["parameters"] == {"x": "block", "y": "block"}
    assert told["objects"] == {"block": ["b1", "b2", "b3"]}
    assert "skills" not in described("toys/glide", "toysuite:QUICK", None, False).to_json()


@pytest.mark.parametrize(
    ("task", "suite", "view", "said"),
    [
        ("toys/glied", "toysuite:QUICK", None, "there is no task 'toys/glied'; did you mean"),
        ("toys/glide", "toysuite:QUICK", "state", "--view state: the pictures are image"),
        ("nothing/like-it", None, None, "there is no task 'nothing/like-it'"),
    ],
)
def test_what_cannot_be_described(
    task: str, suite: str | None, view: str | None, said: str
) -> None:
    with pytest.raises(UserError) as told:
        described(task, suite, view, False)
    assert said in str(told.value)


def test_a_task_that_cannot_run_here_is_refused_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lacking = toysuite.Suite("lacking", "x", (toys.toy_task("chalk", fault="missing"),), 1)
    monkeypatch.setattr(toysuite, "LACKING", lacking, raising=False)
    with pytest.raises(UserError, match="cannot run here: there is no chalk to draw the square"):
        described("toys/chalk", "toysuite:LACKING", None, False)


def test_a_layout_is_a_table_and_the_profiles_that_fit_are_named() -> None:
    pytest.importorskip("metaworld")
    found = described("metaworld/reach-v3@1", None, None, False)
    text = as_text(found)
    assert "0-2      eef_position  target_delta  world  0.01 m\n" in text
    assert "profiles     lerobot-metaworld, metaworld-image\n" in text
    assert "lerobot-pusht (missing-field, rate)" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80
    told = found.to_json()
    assert told["schema"] == 1
    assert set(told["suites"]) >= {"metaworld", "smoke"}
    assert told["action"]["layout"][1]["sign"] == "positive closes"
    assert {code for codes in told["profiles"].values() for code in codes} <= set(CODES)


def test_a_picture_is_written_as_png(tmp_path: Path) -> None:
    from PIL import Image

    from harness.cli.describe import _write

    found = described("toys/glide", "toysuite:QUICK", "image", True)
    out = tmp_path / "first.png"
    assert _write(found, out) == f"image of the first observation: {out}"
    assert found.picture is not None
    read = np.asarray(Image.open(io.BytesIO(out.read_bytes())))
    assert np.array_equal(read, found.picture[1])
    with pytest.raises(UserError, match="cannot write"):
        _write(found, tmp_path / "absent" / "first.png")


def test_the_page_names_every_profile_and_every_code() -> None:
    page = (ROOT / "docs/policies/profiles.md").read_text()
    for name in profile_names():
        assert f"| `{name}` | {load_profile(name).title} |" in page
    for code, meaning in CODES.items():
        assert f"| `{code}` | {meaning} |" in page
