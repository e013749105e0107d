"""The agent of the package."""

from harness.core import Agent

from .helper import pick


class Packaged(Agent):
    """Reads a table of weights from a file that it is given."""

    files = ()

    def __init__(self, weights, scale=1.0):
        with open(weights) as file:
            self.weights = [float(line) * scale for line in file]

    def act(self, turns):
        return [pick(turn, self.weights) for turn in turns]
