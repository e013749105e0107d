"""Which form clients of others speak in: that of a profile, or keys as views."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.core import Brief, UserError
from harness.policies.profiles import Profile, load_profile
from harness.policies.serving.stock import KeysAsViews, StockForm

__all__ = ["ProfileForm", "form_of"]

MOST_NUMBERS = 10_000


def form_of(profile: str, size: int | None) -> StockForm | None:
    """The form; None if neither is given: only clients of bench are answered. Raises UserError."""
    if profile:
        return ProfileForm(load_profile(profile))
    if size is None:
        return None
    if not 1 <= size <= MOST_NUMBERS:
        raise UserError(f"--action-size is a number from 1 to {MOST_NUMBERS}; got {size}")
    return KeysAsViews(size, -1.0, 1.0)


class ProfileForm:
    """Clients speak as to the policy that the profile describes."""

    def __init__(self, profile: Profile) -> None:
        """Raises UserError if the profile says too little to be served."""
        self._profile = profile
        self._brief = profile.brief()

    def views(self, observation: Mapping[str, Any]) -> dict[str, Any]:
        return self._profile.views(observation)

    def prompt(self, observation: Mapping[str, Any]) -> str:
        return self._profile.prompt(observation)

    def brief(self, views: Mapping[str, Any]) -> Brief:
        specs = {name: self._brief.observation[name] for name in views}
        return dataclasses.replace(self._brief, observation=specs)

    def answer_out(self, actions: Any) -> np.ndarray:
        return self._profile.answer_out(actions)
