"""An agent as a user writes one: a single file, which knows `harness.core` alone.

Each action depends on every view, the instruction, the history, the memory and the turn's random
stream, so that the least change of any of them leads the episode elsewhere.
"""

import zlib

import numpy as np

from harness.core import Agent, Answer


class MyAgent(Agent):
    """Answers with chunks of one to `longest` random actions, drawn from all that it is shown."""

    reads = ("grid?", "direction?", "image_partial?", "state?", "text?", "dom?")
    history = 2

    def __init__(self, longest=3):
        self.longest = longest

    def act(self, turns):
        return [self.answer(turn) for turn in turns]

    def answer(self, turn):
        views = [view for seen in turn.observations for _, view in sorted(seen.items())]
        shown = [v.tobytes() if isinstance(v, np.ndarray) else repr(v).encode() for v in views]
        sent = [np.asarray(action).tolist() for action in turn.actions]
        told = f"{turn.instruction} {turn.step} {sent} {turn.memory}".encode()
        seed = [zlib.crc32(b"".join([*shown, told])), int(turn.rng.integers(1 << 30))]
        rng = np.random.default_rng(seed)
        count = int(rng.integers(1, self.longest + 1))
        memory = (turn.memory or 0) + count
        return Answer([turn.brief.action.sample(rng) for _ in range(count)], memory=memory)
