"""What `--perturb` names: perturbations, severities, combinations, and a user's own file."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core import UserError
from harness.perturb import not_observed, parse_conditions

SIMULATOR_PERTURBATIONS = {"wind", "friction"}
CHOSEN: dict[str, list[str]] = {
    "hue": ["hue:1", "hue:2", "hue:3", "hue:4", "hue:5"],
    "hue:2,4": ["hue:2", "hue:4"],
    "hue:2-3, jpeg:1": ["hue:2", "hue:3", "jpeg:1"],
    "hue:2+jpeg:1,5": ["hue:2+jpeg:1", "hue:2+jpeg:5"],
    "hue:1,hue:1": ["hue:1"],
    "wind:0": ["wind:0"],
    "friction=0.4": ['friction:1{"at":0.4}'],
    "hue:2, wind=1e-3+friction=2": ["hue:2", 'wind:1{"at":0.001}+friction:1{"at":2.0}'],
    "hue:1+wind=2": ['hue:1+wind:1{"at":2.0}'],
}


@pytest.mark.parametrize("text", CHOSEN)
def test_how_they_are_chosen(text: str) -> None:
    assert [
        "+".join(map(str, condition.parts))
        for condition in parse_conditions(text, SIMULATOR_PERTURBATIONS)
    ] == CHOSEN[text]


WRONG = {
    "": "--perturb is empty",
    "image_nose:2": "did you mean image_noise",
    "hue:6": "severities 0 to 5",
    "hue:x": "is not a severity",
    "hue+jpeg:1": "needs a severity",
    "hue:1+jpeg": "needs a severity",
    "hue:1+hue:2": "names a perturbation twice",
    "lost.toml": "there is no file",
    "friction=": "write a number, as in friction=0.4",
    "friction=nan": "write a number, as in friction=0.4",
    "friction=inf": "write a number, as in friction=0.4",
    "friction=0.4,2": "write one value, or severities",
    "hue=3": "hue has severities only",
    "frictoin=0.4": "did you mean friction",
    "wind=1+wind=2": "names a perturbation twice",
    "wind=1+friction": "needs a severity",
}


@pytest.mark.parametrize("text", WRONG)
def test_wrong_choices_name_the_remedy(text: str) -> None:
    with pytest.raises(UserError, match=WRONG[text]):
        parse_conditions(text, SIMULATOR_PERTURBATIONS)


def toml(folder: Path, text: str) -> str:
    file = folder / "mine.toml"
    file.write_text(text)
    return str(file)


def test_a_users_own_file(tmp_path: Path) -> None:
    file = toml(
        tmp_path,
        'perturb = ["action_noise", "hue:1+jpeg:2"]\n[levels.action_noise]\nsigma = [0.01, 0.9]\n',
    )
    conditions = parse_conditions(file, SIMULATOR_PERTURBATIONS)
    assert ["+".join(map(str, condition.parts)) for condition in conditions] == [
        'action_noise:1{"sigma":0.01}',
        'action_noise:2{"sigma":0.9}',
        "hue:1+jpeg:2",
    ]


WRONG_FILES: dict[str, str] = {
    "x = ": "cannot be read",
    "perturb = 3": "must be a list of strings",
    'perturb = ["hue"]\nlevel = 1': "it has 'level'",
    'perturb = ["hue"]\n[levels.hue]\ndegree = [1]': "hue takes degrees, not degree",
    'perturb = ["hue"]\n[levels.hue]\ndegrees = 1': "a list of values",
    'perturb = ["hue"]\n[levels.hue]\ndegrees = ["x"]': "hue cannot take degrees = 'x'",
    'perturb = ["occlusion"]\n[levels.occlusion]\narea = [2]': "cannot take area = 2",
    'perturb = ["burst:3"]\n[levels.burst]\nsteps = [1]': "severities 0 to 1",
    'perturb = ["hue"]\n[levels.hues]\ndegrees = [1]': "did you mean hue",
}


@pytest.mark.parametrize("text", WRONG_FILES)
def test_wrong_files_name_the_remedy(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match=WRONG_FILES[text]):
        parse_conditions(toml(tmp_path, text), SIMULATOR_PERTURBATIONS)


@pytest.mark.parametrize("view", ["image", "depth_wrist?", "grid?", "dom", "text_look?", "pddl"])
def test_partial_observability_is_noticed_by_whoever_looks(view: str) -> None:
    assert not_observed("occlusion", ("proprio?", view), 1) == ""
    assert not_observed("dropped_frames", ("proprio?", "admissible?"), 1)
