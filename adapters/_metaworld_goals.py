"""Meta-World's faucet turned the other way: two of its tasks are one model with two goals."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.core import OWN, Goal

__all__ = ["OTHER_WAY", "Faucet"]

OTHER_WAY = {"faucet-open-v3": "faucet-close-v3", "faucet-close-v3": "faucet-open-v3"}
"""Task -> the task that differs from it by its goal alone."""
SAID = {
    "faucet-open-v3": "Turn the handle of the faucet to open it.",
    "faucet-close-v3": "Turn the handle of the faucet to close it.",
}
HANDLE = {
    "faucet-open-v3": ("handleStartOpen", (-0.04, 0.0, 0.02), (0.175, 0.0, 0.125)),
    "faucet-close-v3": ("handleStartClose", (0.0, 0.0, -0.01), (-0.175, 0.0, 0.125)),
}
"""The package's site on the handle, what it adds to that (m), and where the handle is to be,
measured from the faucet's base (m)."""
NEAR_M = 0.07
"""How near the handle is to be, by the package's own test."""


class Faucet:
    """The environment of one of the two tasks, which can be asked for the other."""

    def __init__(self, env: Any, name: str, other: type) -> None:
        """`other`: the class of the other task's environment."""
        self._env, self._name = env, name
        self._forms = {name: type(env), OTHER_WAY[name]: other}
        self._sites = env.model.site_pos.copy()
        self.goal = Goal(OTHER_WAY[name], SAID[OTHER_WAY[name]], ("direction",))

    def begin(self, *, other: bool) -> None:
        """Before a reset, after `set_task`: which of the two is asked for."""
        # A reset moves the mark of its own goal only.
        self._env.model.site_pos[:] = self._sites
        # The classes have no fields of their own but the constants, which are the same.
        self._env.__class__ = self._forms[self.goal.id if other else self._name]

    def met(self) -> tuple[str, ...]:
        """Ids of the goals that are met."""
        base = self._env.model.body("faucetBase").pos
        found = []
        for name in (self._name, self.goal.id):
            site, offset, target = HANDLE[name]
            handle = self._env.data.site(site).xpos + offset
            if np.linalg.norm(handle - base - target) <= NEAR_M:
                found.append(OWN if name == self._name else name)
        return tuple(found)
