"""Gymnasium-Robotics (Farama, MuJoCo): mazes for a ball and an ant, and four Fetch tasks."""

from adapters.robotics.fetch import FetchAdapter
from adapters.robotics.maze import AntMazeAdapter, PointMazeAdapter

__all__ = ["AntMazeAdapter", "FetchAdapter", "PointMazeAdapter"]
