"""BALROG (arXiv 2411.13543): games for language models, without Baba Is AI.

The tasks, the numbers of episodes and the horizons are those of BALROG's configuration
(github.com/balrog-ai/BALROG, balrog/config/config.yaml): Crafter 10 episodes of 2,000 steps, five
levels of BabyAI 10 each, three kinds of TextWorld's games 10 each of 80 commands, eight levels of
MiniHack 5 each of 100 steps, and NetHack 5 games of 100,000 steps, which end after 150 in a row
without a turn. Scores are BALROG's progression, from 0 to 1: the share of 22 achievements, the
share of a game's points, a success, and in NetHack what human players' games say of the levels
reached.

BALROG's average is the mean of its environments' means; each model's figures are here by
environment, from its board (github.com/balrog-ai/experiments, submissions/LLM/*/summary.json).
They are of other episodes, which no seed prescribes, and of prompts of its own.

Not the same as there, so no figure is by the same rule:
- Crafter's first step is the agent's; there it is a noop. There, too, words are missing at the
  edge of the world.
- TextWorld's games come from the package's generator here, of the same kinds and settings, a new
  one for each seed. BALROG plays 25 games of each kind that were made in advance, and has left out
  treasure hunts of at most 20 commands.
- NetHack and MiniHack are of `nle` 1.3 and `minihack` 1.0.2, BALROG's are of forks of older ones.
- Baba Is AI, 40 tasks more, is on no package registry.
"""

from __future__ import annotations

from typing import Any

from harness.core import Normaliser, Reference, Suite, Task

__all__ = ["SUITES"]

TABLE = "balrog"
"""What `bench report --against` calls the board."""
BOARD = "github.com/balrog-ai/experiments, submissions/LLM"
RESULTS = {
    "GPT-4o": (77.60, 33.10, 39.31, 10.00, 0.37),
    "Claude 3.5 Sonnet": (68.00, 32.73, 42.06, 15.00, 0.58),
    "Llama 3.1 70B": (73.20, 31.21, 15.00, 7.50, 0.35),
    "DeepSeek R1": (74.00, 36.36, 21.76, 25.00, 1.38),
    "Gemini 2.5 Pro": (80.00, 55.00, 49.22, 17.50, 1.69),
    "Grok 4": (76.00, 57.27, 62.94, 17.50, 1.76),
}
"""Model -> its progression in ENVIRONMENTS, %."""
ENVIRONMENTS = ("BabyAI", "Crafter", "TextWorld", "MiniHack", "NetHack")
DIFFERS = {
    "BabyAI": "BALROG's own levels and prompt",
    "Crafter": "begins with a noop; BALROG's prompt",
    "TextWorld": "25 games made in advance; BALROG's prompt",
    "MiniHack": "forks of older packages; BALROG's prompt",
    "NetHack": "a fork of an older package; BALROG's prompt",
}
BABYAI = {"goto": 64, "pickup": 64, "open": 128, "putnext": 128, "pick_up_seq_go_to": 128}
"""Level -> its own limit of steps."""
TEXTWORLD: dict[str, tuple[str, dict[str, Any]]] = {
    "treasure-hunter": ("treasure_hunter", {"level": 30}),
    "cooking": (
        "cooking",
        {
            "recipe": 5,
            "take": 5,
            "go": 12,
            "open": True,
            "cook": True,
            "cut": True,
            "drop": False,
            "recipe_seed": 0,
            "split": "test",
        },
    ),
    "coin-collector": ("coin_collector", {"level": 220}),
}
"""Kind -> the package's challenge, and its settings."""
MINIHACK = (
    "Boxoban-Hard",
    "Boxoban-Medium",
    "MazeWalk-9x9",
    "MazeWalk-15x15",
    "Corridor-R3",
    "CorridorBattle-Dark",
    "Quest-Easy",
    "Quest-Medium",
)
HACKED, NETHACKED = 5, 5
"""Episodes of each level of MiniHack, and of NetHack."""
SHARE = Normaliser(0.0, 1.0, "no progress", "all of it", "arXiv 2411.13543: its progression")


def _references(environment: str, metric: str, tasks: int) -> tuple[Reference, ...]:
    place = ENVIRONMENTS.index(environment)
    return tuple(
        Reference(
            model,
            figures[place] / 100,
            metric,
            BOARD,
            DIFFERS[environment],
            table=TABLE,
            row=environment,
            tasks=tasks,
        )
        for model, figures in RESULTS.items()
    )


def _babyai(kind: str) -> Task:
    return Task(
        id=f"balrog/babyai-{kind}@1",
        domain="navigation",
        adapter="adapters.minigrid:MiniGridAdapter",
        params={"id": f"BabyAI-BALROG-{kind}-v0"},
        rule=f"the mission fulfilled (return > 0) within {BABYAI[kind]} steps",
        score="success",
        references=_references("BabyAI", "success_rate", len(BABYAI)),
    )


def _textworld(kind: str) -> Task:
    challenge, settings = TEXTWORLD[kind]
    return Task(
        id=f"balrog/textworld-{kind}@1",
        domain="planning",
        adapter="adapters.textworld:TextWorldAdapter",
        params={"challenge": challenge, "settings": settings},
        max_steps=80,
        success=None,
        rule="the share of the game's points, within 80 commands",
        score="score",
        normaliser=SHARE,
        references=_references("TextWorld", "normalised", len(TEXTWORLD)),
    )


def _minihack(level: str) -> Task:
    return Task(
        id=f"balrog/minihack-{level.lower()}@1",
        domain="games",
        adapter="adapters.nethack:NetHackAdapter",
        params={"id": f"MiniHack-{level}-v0"},
        max_steps=100,
        rule="the level is solved, by the package's own rule, within 100 steps",
        score="success",
        references=_references("MiniHack", "success_rate", len(MINIHACK)),
    )


CRAFTER = Task(
    id="balrog/crafter@1",
    domain="games",
    adapter="adapters.crafter:CrafterAdapter",
    max_steps=2_000,
    success=None,
    rule="achievements unlocked until the player dies, of 22, in 2,000 steps",
    score="achievements",
    normaliser=Normaliser(
        0.0, 22.0, "no achievement", "all 22", "arXiv 2411.13543: its progression"
    ),
    references=_references("Crafter", "normalised", 1),
)
NETHACK = Task(
    id="balrog/nethack@1",
    domain="games",
    adapter="adapters.nethack:NetHackAdapter",
    params={"id": "NetHackChallenge-v0", "no_progress": 150, "skip_more": True},
    max_steps=100_000,
    success=None,
    rule="the share of human games that were won from the dungeon or experience level reached; "
    "100,000 steps, 150 in a row without a turn",
    score="progression",
    normaliser=SHARE,
    references=_references("NetHack", "normalised", 1),
)
MINIHACKS = tuple(_minihack(level) for level in MINIHACK)

SUITES: tuple[Suite, ...] = (
    Suite(
        name="balrog",
        title="BALROG without Baba Is AI, games for language models",
        tasks=(
            *(_babyai(kind) for kind in BABYAI),
            CRAFTER,
            *(_textworld(kind) for kind in TEXTWORLD),
            *MINIHACKS,
            NETHACK,
        ),
        episodes=10,
        in_all=False,
        source="arXiv 2411.13543; balrog/config/config.yaml of balrog-ai/BALROG",
        counts={**{task.id: HACKED for task in MINIHACKS}, NETHACK.id: NETHACKED},
    ),
)
