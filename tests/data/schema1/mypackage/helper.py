"""What the agent needs."""


def pick(turn, weights):
    """A random action; the weights only move the stream."""
    turn.rng.random(len(weights))
    return turn.brief.action.sample(turn.rng)
