"""The instruction of a task, as the benchmark's evaluations hand it to an agent."""

from __future__ import annotations

import re

from harness.core import Task, UserError

__all__ = ["instruction_of"]


def instruction_of(task: Task, file: str) -> str:
    """The instruction; `file` is the text of the BDDL file.

    LIBERO's list of tasks makes it from the task's name (`grab_language_from_filename` of
    libero/libero/benchmark/__init__.py), and so do the evaluations of OpenVLA and openpi. The text
    of the BDDL file is another one in libero_spatial, libero_object and half of libero_goal: "Pick
    the akita black bowl next to the plate" instead of "pick up the black bowl next to the plate".

    Raises UserError for another `words` than `name` and `file`.
    """
    words = task.params.get("words", "name")
    if words == "file":
        return file
    if words != "name":
        raise UserError(f"task {task.id}: words is `name` or `file`, got {words!r}")
    # Names of LIBERO-90 and LIBERO-10 begin with the scene: KITCHEN_SCENE10_close_...
    plain = re.sub(r"^[A-Z_]+SCENE\d+_", "", str(task.params["name"]))
    return plain.replace("_", " ")
