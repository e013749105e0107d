"""The table of perturbations: what each does, and its parameters at severities 1 to 5. Severity 0 changes nothing.

Levels that a protocol prescribes are among them, so that it needs no parameters of its own: see `gea-rl` in sets.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["GROUPS", "REGISTRY", "SEVERITIES", "Kind"]

SEVERITIES = 5
GROUPS = ("image", "state", "delay", "action", "language", "ui", "burst", "history", "native")


@dataclass(frozen=True)
class Kind:
    """One perturbation."""

    name: str
    group: str
    """One of GROUPS."""
    what: str
    entry: str
    """`module:Class` of its Effect."""
    levels: tuple[Mapping[str, Any], ...]
    """The Effect's parameters, by severity from 1."""


def _kind(
    group: str, module: str, name: str, form: str, what: str, parameter: str, *values: Any
) -> Kind:
    return Kind(
        name,
        group,
        what,
        f"harness.perturb.{module}:{form}",
        tuple({parameter: value} for value in values),
    )


def _image(name: str, form: str, what: str, parameter: str, *values: Any) -> Kind:
    return _kind("image", "image", name, form, what, parameter, *values)


def _action(name: str, form: str, what: str, parameter: str, *values: Any) -> Kind:
    return _kind("action", "action", name, form, what, parameter, *values)


def _words(name: str, form: str, what: str, parameter: str, *values: Any) -> Kind:
    return _kind("language", "language", name, form, what, parameter, *values)


_ALL = (
    _image("image_noise", "GaussianNoise", "normal noise; sigma as a share of 255", "sigma", 0.08, 0.12, 0.18, 0.26, 0.38),
    _image("shot_noise", "ShotNoise", "the noise of few photons; photons for white", "photons", 60, 25, 12, 5, 3),
    _image("impulse_noise", "ImpulseNoise", "a share of the pixels black or white", "share", 0.03, 0.06, 0.09, 0.17, 0.27),
    _image("motion_blur", "MotionBlur", "a mean along a line; its length as a share of the height", "length", 0.03, 0.05, 0.08, 0.11, 0.15),
    _image("defocus_blur", "DefocusBlur", "a mean over a disc; its radius as a share of the height", "radius", 0.013, 0.018, 0.027, 0.036, 0.045),
    _image("brightness", "Brightness", "lighter or darker by a share of 255", "shift", 0.1, 0.2, 0.3, 0.4, 0.5),
    _image("contrast", "Contrast", "less contrast; what is left of it", "factor", 0.4, 0.3, 0.2, 0.1, 0.05),
    _image("hue", "Hue", "hues turned on the colour circle, degrees", "degrees", 15, 30, 60, 90, 180),
    _image("jpeg", "Jpeg", "JPEG compression; quality 0 to 100", "quality", 25, 18, 15, 10, 7),
    _image("occlusion", "Occlusion", "a grey square hides a share of the picture", "area", 0.1, 0.175, 0.25, 0.35, 0.5),
    _image("camera_shift", "CameraShift", "the picture moves by a share of its height", "share", 0.02, 0.05, 0.1, 0.15, 0.2),
    _image("camera_zoom", "CameraZoom", "the middle of the picture, enlarged", "factor", 1.05, 1.1, 1.2, 1.35, 1.5),
    _image("frozen_frames", "FrozenFrames", "each frame is the one before with a probability", "share", 0.1, 0.2, 0.3, 0.5, 0.7),
    _image("dropped_frames", "DroppedFrames", "each frame is black with a probability", "share", 0.1, 0.2, 0.3, 0.5, 0.7),
    _image("blackout", "Blackout", "the cameras are dark for so many steps (none: for good)", "steps", 5, 10, 25, 50, None),
    _kind("state", "state", "state_noise", "StateNoise", "normal noise in real numbers, of their scale", "sigma", 0.005, 0.01, 0.02, 0.05, 0.1),
    _kind("state", "state", "state_bias", "StateBias", "a constant error in real numbers, of their scale", "sigma", 0.005, 0.01, 0.02, 0.05, 0.1),
    _kind("state", "state", "state_dropout", "StateDropout", "each number is 0 with a probability", "share", 0.01, 0.05, 0.1, 0.2, 0.4),
    _kind("delay", "state", "observation_delay", "ObservationDelay", "all views are so many steps old", "steps", 1, 2, 4, 6, 8),
    _action("action_noise", "ActionNoise", "normal noise, a share of the range", "sigma", 0.05, 0.1, 0.2, 0.3, 0.5),
    _action("action_random", "ActionRandom", "a random action with a probability", "share", 0.05, 0.1, 0.25, 0.4, 0.6),
    _action("action_sticky", "ActionSticky", "the action before again, with a probability", "share", 0.05, 0.1, 0.25, 0.4, 0.6),
    _action("action_delay", "ActionDelay", "actions are executed so many steps late", "steps", 1, 2, 4, 6, 8),
    _action("action_dropout", "ActionDropout", "nothing is done, with a probability", "share", 0.05, 0.1, 0.25, 0.4, 0.6),
    _action("action_scale", "ActionScale", "a weaker gain; what is left of it", "factor", 0.9, 0.8, 0.65, 0.5, 0.3),
    _action("action_bias", "ActionBias", "a constant error, a share of the range", "share", 0.02, 0.05, 0.1, 0.15, 0.2),
    _words("typos", "Typos", "each letter within a longer word is mistyped with a probability", "share", 0.02, 0.05, 0.1, 0.15, 0.25),
    _words("letter_case", "LetterCase", "in another case", "style", "lower", "title", "upper", "random", "alternating"),
    Kind(
        "paraphrase",
        "language",
        "the same in other words: a share of the lexicon's phrases, and a sentence around it",
        "harness.perturb.language:Paraphrase",
        tuple({"share": share, "frame": frame} for share, frame in ((0.5, False), (1.0, False), (0.0, True), (0.5, True), (1.0, True))),
    ),
    _words("distractor", "Distractor", "so many sentences beside the point", "count", 1, 2, 3, 4, 6),
    _words("word_dropout", "WordDropout", "each word is missing with a probability", "share", 0.1, 0.2, 0.3, 0.4, 0.6),
    _words("instruction_blackout", "InstructionBlackout", "the last share of the words is missing", "share", 0.2, 0.4, 0.6, 0.8, 1.0),
    _kind("ui", "screen", "ui_zoom", "Zoom", "everything on the screen is larger", "factor", 1.1, 1.25, 1.5, 1.75, 2.0),
    _kind("ui", "screen", "ui_window", "WindowSize", "a window larger by a share of its height, the page in it", "share", 0.1, 0.2, 0.35, 0.5, 1.0),
    _kind("ui", "screen", "ui_ids", "ElementIds", "elements' ids are shuffled in blocks of so many", "block", 2, 8, 32, 128, 4095),
    _kind("burst", "action", "burst", "Burst", "so many random actions in the midst of the episode", "steps", 1, 3, 5, 10, 20),
    _kind("history", "history", "history", "ShorterHistory", "so many past observations fewer (none: the newest alone)", "fewer", 1, 2, 4, 8, None),
)  # fmt: skip

REGISTRY: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}
"""By name."""
