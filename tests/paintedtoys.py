"""Toys whose adapter names what draws its picture: the text of the variable TOY_RENDERER."""

from __future__ import annotations

import os
from typing import Any

import toys

from harness.core import Task

__all__ = ["VARIABLE", "BatchedPainted", "Painted", "painted_task"]

VARIABLE = "TOY_RENDERER"


def painted_task(name: str = "painted", kind: str = "Painted", **fields: Any) -> Task:
    """A toy task of one of the classes below."""
    return toys.toy_task(name, adapter=f"{__name__}:{kind}", **fields)


class Painted(toys.ToyAdapter):
    """A toy with a renderer; it counts how often it is asked for it."""

    asked = 0

    def renderer_info(self) -> str:
        type(self).asked += 1
        said = os.environ[VARIABLE]
        if said == "broken":
            raise RuntimeError("the context is gone")
        # What is no text breaks the contract.
        return said if said != "7" else 7  # type: ignore[return-value]


class BatchedPainted(toys.BatchedToy):
    """The same with lanes."""

    def renderer_info(self) -> str:
        return os.environ[VARIABLE]
