"""Gymnasium-Robotics (Farama, MuJoCo): mazes, a Fetch arm, and a hand with touch sensors."""

from adapters.robotics.fetch import FetchAdapter
from adapters.robotics.hand import HandAdapter
from adapters.robotics.maze import AntMazeAdapter, PointMazeAdapter

__all__ = ["AntMazeAdapter", "FetchAdapter", "HandAdapter", "PointMazeAdapter"]
