"""The params of a task of gym-aloha."""

from __future__ import annotations

from dataclasses import dataclass

from harness.core import UserError

__all__ = ["NAMES", "Settings"]

NAMES = ("transfer_cube", "insertion")


@dataclass(frozen=True)
class Settings:
    """A task's params. Raises UserError where one is wrong."""

    name: str
    """One of NAMES."""
    height: int = 480
    width: int = 640
    """px, of images."""

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise UserError(f"gym-aloha has no task {self.name!r}; it has {', '.join(NAMES)}")
        for what, value in (("height", self.height), ("width", self.width)):
            if type(value) is not int or not 1 <= value <= 2048:
                raise UserError(
                    f"aloha: {what} is a whole number of px from 1 to 2048; got {value!r}"
                )
