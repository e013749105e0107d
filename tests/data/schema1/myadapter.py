"""A simulator as a user wrote one for the first release, with that release's names of the hooks."""

import numpy as np

from harness.core import Adapter, Box, Brief, Discrete, Native, TimeStep


class Corridor(Adapter):
    """A walker in a corridor: it must reach the right end; ice carries it on."""

    inexact = "a simulator may round otherwise tomorrow"
    tolerance = 1e-6

    def __init__(self, task):
        self.length = task.params["length"]
        position = Box((1,), "float32", 0.0, float(self.length), "m", "from the left end")
        self.brief = Brief(
            observation={"state": position},
            action=Discrete(3, ("left", "stay", "right"), noop=1),
            embodiment="a walker",
            simulator="a corridor",
        )

    @classmethod
    def natives(cls, task=None):
        return (
            Native(
                "friction", "steps that are twice as long, with a probability", ({"share": 0.3},)
            ),
        )

    @classmethod
    def affinity(cls, task):
        return f"corridor {task.params['length']}"

    @classmethod
    def listed(cls, task):
        return task.params["length"] == 5

    def reset(self, case):
        self.ice = case.native("friction")
        self.rng = case.rng("perturbation", "friction")
        self.position = int(case.rng("start").integers(self.length // 2))
        return self.seen()

    def step(self, action):
        move = self.brief.action.check(action) - 1
        if self.ice and self.rng.random() < self.ice["share"]:
            move *= 2
        self.position = min(max(self.position + move, 0), self.length)
        return self.seen(reward=-0.1)

    def seen(self, reward=0.0):
        done = self.position == self.length
        view = np.array([self.position], np.float32)
        return TimeStep({"state": view}, "walk to the right end", reward, done, success=done)

    def state(self):
        return bytes([self.position])
