"""An agent that prints in every way there is, and a simulator that cannot draw."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from toys import GoodAgent, ToyAdapter

from harness.core import Turn, UserError

PRINTED = ("built", "to stdout", "to stderr", "past Python")


class Chatty(GoodAgent):
    def __init__(self) -> None:
        print("built")
        logging.getLogger("bench").info("of no interest")
        logging.getLogger("bench").warning("this agent has a %s", "notice")

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        print("to stdout")
        print("to stderr", file=sys.stderr)
        os.write(1, b"past Python\n")
        return super().act(turns)


class ServedChatty(Chatty):
    served = True


class Unbuilt(GoodAgent):
    """Cannot be built until the file exists."""

    def __init__(self, file: str) -> None:
        print("looking for the weights")
        if not Path(file).exists():
            raise UserError(f"there are no weights at {file}")


class ServedUnbuilt(Unbuilt):
    served = True


class Dark(ToyAdapter):
    def render(self) -> np.ndarray:
        raise RuntimeError("the lamp is broken")
