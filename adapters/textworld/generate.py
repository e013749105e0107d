"""Makes one game with TextWorld's generator: `python generate.py '{"challenge": ..., ...}'`.

A separate process, because the generator iterates over sets, whose order follows the hash seed: the
adapter fixes it with PYTHONHASHSEED.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def generate(request: dict[str, Any]) -> None:
    """Write the game of the first of `seeds` that gives one.

    A seed may give none: its random map may be too small for a quest of the requested length.
    Exits with a message if no seed gives a game.
    """
    from textworld import GameOptions
    from textworld.challenges import CHALLENGES
    from textworld.generator import QuestGenerationError, compile_game

    for seed in request["seeds"]:
        options = GameOptions()
        options.seeds = seed
        options.path = request["path"]
        options.grammar.only_last_action = True  # the objective names the goal, not the way there
        try:
            game = CHALLENGES[f"tw-{request['challenge']}"][1](request["settings"], options)
        except QuestGenerationError:
            continue
        compile_game(game, options)
        return
    raise SystemExit(
        f"none of the seeds {request['seeds']} gives a game of {request['challenge']} "
        f"{request['settings']}"
    )


if __name__ == "__main__":
    generate(json.loads(sys.argv[1]))
