"""An agent that breaks in some of its episodes, in two ways."""

from harness.core import Agent


class Failing(Agent):
    """Random play, until its stream says otherwise."""

    def act(self, turns):
        return [self.one(turn) for turn in turns]

    def one(self, turn):
        number = turn.rng.random()
        if number < 0.03:
            raise ValueError("this agent gives up")
        if number < 0.06:
            return "not an action"
        return turn.brief.action.sample(turn.rng)
