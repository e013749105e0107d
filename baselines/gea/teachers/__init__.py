"""Scripted players of games, to be imitated where a task has no expert.

`bench demos --teacher baselines.gea.teachers:Pong` records what they do (docs/demos.md). Those that
read a console's memory are privileged; who learns from them sees the pictures alone.
"""

from baselines.gea.teachers.atari import Freeway
from baselines.gea.teachers.maze import Maze
from baselines.gea.teachers.pong import Pong, PongFollower
from baselines.gea.teachers.procgen import BigFish, CoinRun
from baselines.gea.teachers.vizdoom import Basic, DefendTheCenter

__all__ = [
    "Basic", "BigFish", "CoinRun", "DefendTheCenter", "Freeway", "Maze", "Pong", "PongFollower",
]  # fmt: skip
