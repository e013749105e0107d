"""The table of perturbations: what each does, and its parameters at severities 1 to 5.

The levels of the published protocols are among them, so that the sets of `parse.py` need no
parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["GROUPS", "REGISTRY", "SEVERITIES", "Kind"]

SEVERITIES = 5
GROUPS = (
    "image", "partial", "state", "delay", "action", "language", "ui", "burst", "history", "native",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One perturbation."""

    name: str
    group: str
    """One of GROUPS."""
    what: str
    """What it does, and what its parameter means."""
    entry: str
    """`module:Class` of its Effect."""
    levels: tuple[Mapping[str, Any], ...]
    """The Effect's parameters, by severity from 1."""
    version: int = 1
    """Goes up when the same parameters begin to have another effect.

    From 2 on it is the parameter `version` of a planned perturbation, so that its cases are others.
    """

    def params(self, severity: int) -> Mapping[str, Any]:
        """The parameters of a severity, as a plan has them."""
        return self.versioned(self.levels[severity - 1])

    def versioned(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """The Effect's parameters as a plan has them: with the version, if there was another."""
        return params if self.version == 1 else {**params, "version": self.version}


def _kind(
    name: str, group: str, effect: str, what: str, *, version: int = 1, **levels: tuple[Any, ...]
) -> Kind:
    """`effect`: `module:Class` in this package; `levels`: each parameter's values by severity."""
    return Kind(
        name=name,
        group=group,
        what=what,
        entry=f"harness.perturb.{effect}",
        levels=tuple(dict(zip(levels, values)) for values in zip(*levels.values())),
        version=version,
    )


_ALL = (
    _kind("image_noise", "image", "image:GaussianNoise",
          "normal noise; sigma as a share of 255",
          sigma=(0.08, 0.12, 0.18, 0.26, 0.38)),
    _kind("shot_noise", "image", "image:ShotNoise",
          "Poisson noise of few photons; photons for a white pixel",
          photons=(60, 25, 12, 5, 3)),
    _kind("impulse_noise", "image", "image:ImpulseNoise",
          "a share of the pixels becomes black or white",
          share=(0.03, 0.06, 0.09, 0.17, 0.27)),
    _kind("motion_blur", "image", "image:MotionBlur",
          "a mean along a line; its length as a share of the height",
          length=(0.03, 0.05, 0.08, 0.11, 0.15)),
    _kind("defocus_blur", "image", "image:DefocusBlur",
          "a mean over a disc; its radius as a share of the height",
          radius=(0.013, 0.018, 0.027, 0.036, 0.045)),
    _kind("brightness", "image", "image:Brightness",
          "lighter or darker by a share of 255",
          shift=(0.1, 0.2, 0.3, 0.4, 0.5)),
    _kind("contrast", "image", "image:Contrast",
          "less contrast; the factor that remains",
          factor=(0.4, 0.3, 0.2, 0.1, 0.05)),
    _kind("hue", "image", "image:Hue",
          "hues rotated on the colour circle, in degrees",
          degrees=(15, 30, 60, 90, 180)),
    _kind("jpeg", "image", "image:Jpeg",
          "JPEG compression; quality 0 to 100",
          quality=(25, 18, 15, 10, 7)),
    _kind("camera_shift", "image", "image:CameraShift",
          "the picture moves by a share of its height",
          share=(0.02, 0.05, 0.1, 0.15, 0.2)),
    _kind("camera_zoom", "image", "image:CameraZoom",
          "the middle of the picture is enlarged",
          factor=(1.05, 1.1, 1.2, 1.35, 1.5)),
    _kind("occlusion", "partial", "partial:Occlusion",
          "a share of what is seen is hidden: a grey square of a picture, cells, elements, lines",
          version=2, area=(0.1, 0.175, 0.25, 0.35, 0.5)),
    _kind("frozen_frames", "partial", "partial:FrozenFrames",
          "each frame repeats the last one with a probability",
          version=2, share=(0.1, 0.2, 0.3, 0.5, 0.7)),
    _kind("dropped_frames", "partial", "partial:DroppedFrames",
          "each frame is black, or empty, with a probability",
          version=2, share=(0.1, 0.2, 0.3, 0.5, 0.7)),
    _kind("blackout", "partial", "partial:Blackout",
          "nothing is seen for a number of steps (none: to the end)",
          version=2, steps=(5, 10, 25, 50, None)),
    _kind("state_noise", "state", "state:StateNoise",
          "normal noise in real numbers, relative to their scale",
          sigma=(0.005, 0.01, 0.02, 0.05, 0.1)),
    _kind("state_bias", "state", "state:StateBias",
          "a constant error in real numbers, relative to their scale",
          sigma=(0.005, 0.01, 0.02, 0.05, 0.1)),
    _kind("state_dropout", "state", "state:StateDropout",
          "each number is 0 with a probability",
          share=(0.01, 0.05, 0.1, 0.2, 0.4)),
    _kind("observation_delay", "delay", "state:ObservationDelay",
          "all views are a number of steps old",
          steps=(1, 2, 4, 6, 8)),
    _kind("action_noise", "action", "action:ActionNoise",
          "normal noise, as a share of the range",
          sigma=(0.05, 0.1, 0.2, 0.3, 0.5)),
    _kind("action_random", "action", "action:ActionRandom",
          "a random action is executed instead, with a probability",
          share=(0.05, 0.1, 0.25, 0.4, 0.6)),
    _kind("action_sticky", "action", "action:ActionSticky",
          "the last action is executed again, with a probability",
          share=(0.05, 0.1, 0.25, 0.4, 0.6)),
    _kind("action_delay", "action", "action:ActionDelay",
          "actions are executed a number of steps late",
          steps=(1, 2, 4, 6, 8)),
    _kind("action_dropout", "action", "action:ActionDropout",
          "the action is lost and nothing is done, with a probability",
          share=(0.05, 0.1, 0.25, 0.4, 0.6)),
    _kind("action_scale", "action", "action:ActionScale",
          "a weaker gain; the factor that remains",
          factor=(0.9, 0.8, 0.65, 0.5, 0.3)),
    _kind("action_bias", "action", "action:ActionBias",
          "a constant error, as a share of the range",
          share=(0.02, 0.05, 0.1, 0.15, 0.2)),
    _kind("typos", "language", "language:Typos",
          "each letter inside a longer word is mistyped with a probability",
          version=2, share=(0.02, 0.05, 0.1, 0.15, 0.25)),
    _kind("letter_case", "language", "language:LetterCase",
          "letters in another case",
          version=2, style=('lower', 'title', 'upper', 'random', 'alternating')),
    _kind("paraphrase", "language", "paraphrase:Paraphrase",
          "the same in other words: a share of the phrases, and a sentence around it",
          version=2, share=(0.5, 1.0, 0.0, 0.5, 1.0), frame=(False, False, True, True, True)),
    _kind("distractor", "language", "language:Distractor",
          "a number of irrelevant sentences around it",
          count=(1, 2, 3, 4, 6)),
    _kind("word_dropout", "language", "language:WordDropout",
          "each word is missing with a probability",
          share=(0.1, 0.2, 0.3, 0.4, 0.6)),
    _kind("instruction_blackout", "language", "language:InstructionBlackout",
          "the last share of the words is missing",
          share=(0.2, 0.4, 0.6, 0.8, 1.0)),
    _kind("ui_zoom", "ui", "screen:Zoom",
          "everything on the screen is larger by a factor",
          factor=(1.1, 1.25, 1.5, 1.75, 2.0)),
    _kind("ui_window", "ui", "screen:WindowSize",
          "the window is larger by a share of its height, the page somewhere in it",
          share=(0.1, 0.2, 0.35, 0.5, 1.0)),
    _kind("ui_ids", "ui", "screen:ElementIds",
          "elements' ids are shuffled in blocks of a number of ids",
          block=(2, 8, 32, 128, 4095)),
    _kind("burst", "burst", "action:Burst",
          "a number of random actions in mid-episode",
          steps=(1, 3, 5, 10, 20)),
    _kind("history", "history", "history:ShorterHistory",
          "a number of past observations fewer (none: only the newest is left)",
          fewer=(1, 2, 4, 8, None)),
)  # fmt: skip

REGISTRY: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}
"""By name."""
