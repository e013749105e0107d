"""GEA as an agent of the harness.

`bench list` imports this module to describe the agent, so PyTorch is imported only when an agent
is built.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from baselines.gea.config import Config
from baselines.gea.prompt import SIZES, PageReader, Prompt, StepInputs, introduction, step_inputs
from baselines.learning.packages import need_packages
from baselines.learning.trained_on import where_trained_on
from harness.core import Agent, Turn, UserError

if TYPE_CHECKING:
    from baselines.gea.grammar import Grammar
    from baselines.gea.policy import Decision, Policy
    from baselines.gea.single import SingleTurns

__all__ = ["GEA", "GEABase", "GEAServed", "GEAState", "infer", "needs", "reads_of"]

BLIND_ANSWERS = 4096
"""Answers that are kept for tasks whose observations have nothing that the agent reads."""
PACKAGES = (
    "einops",
    "peft",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
    "vector_quantize_pytorch",
)
SHIPPED = Path(__file__).parent / "weights"


def needs() -> None:
    """Raises UserError when a package that GEA needs is missing."""
    need_packages("GEA", PACKAGES, "gea")


def reads_of(config: Config, screenshots: bool | None = None) -> tuple[str, ...]:
    """`Agent.reads` of a model with this configuration.

    A `reader` with eyes for pages is shown pictures of the sizes that they can read, and then no
    elements. Without such eyes, or with `screenshots=False`, it is shown the elements and not the
    picture (see `step_inputs`), so a page need not be drawn.
    """
    if config.vision != "reader" or "dom?" not in config.views:
        return config.views
    pictures = ("image?", "image_partial?")
    entries = [f"{view} unless dom" if view in pictures else view for view in config.views]
    if config.pages if screenshots is None else screenshots:
        # First: whether the elements are shown decides whether the picture is.
        sizes = " or ".join(f"{rows}x{columns}" for rows, columns in SIZES)
        entries.remove("dom?")
        entries.insert(0, f"dom? unless image {sizes}")
    return tuple(entries)


class GEA(Agent):
    """The generalist embodied agent of arXiv 2412.08442: one model for every action space.

    It answers in tokens that a grammar of the action space allows. An image is encoded once per
    episode; keys and values are kept within an answer.

    `nano` on a CPU answers each turn by itself (single.py), so an answer does not depend on the
    other turns of a call. Otherwise all turns of a call are one batch, and an answer depends on the
    others by rounding: the last digits of floating-point sums vary with the batch's shape, and
    where two actions are that close, another one may win. `exact=true` infers one turn at a time
    and is free of that.
    """

    reads = Config.views
    history = Config.history
    shipped: ClassVar[Path] = SHIPPED / "gea"
    files = (str(shipped),)

    def __init__(
        self,
        weights: str | None = None,
        exact: bool = False,
        threads: int = 1,
        temperature: float | None = None,
        context: str | None = None,
        untrained: bool = False,
        screenshots: bool | None = None,
    ) -> None:
        """Load the policy, onto the GPU if there is one.

        `weights`: a folder that `bench train gea` wrote; by default the shipped weights.
        `threads`: CPU threads of PyTorch, or 0 to leave its setting. Workers use several cores
        better than threads do, and the answers do not depend on their number.
        `temperature`: at which actions are sampled, 0 for the most likely one; by default that of
        the weights' configuration.
        `context`: a suite whose context the weights' configuration names in `contexts`.
        `untrained`: leave the weights as they were before any training by bench, to compare with.
        `screenshots`: read small pages from their pictures (true) or from their elements (false);
        by default from their pictures if the weights have eyes for pages.

        Raises UserError when there are no weights, when they have no eyes for pages and
        `screenshots` asks for them, or when the temperature is no number >= 0.
        """
        if temperature is not None and not (
            isinstance(temperature, (int, float)) and 0 <= temperature < math.inf
        ):
            raise UserError(
                f"temperature is {temperature!r}: give 0 for the likeliest answer, or a number "
                "above 0 to sample"
            )
        self.reads, self.history = self.declares(  # type: ignore[misc]
            {"weights": weights, "context": context, "screenshots": screenshots}
        )
        import torch

        from baselines.gea.embedding import untrained as untrained_policy
        from baselines.gea.policy import Policy

        if threads:
            torch.set_num_threads(threads)
        make = untrained_policy if untrained else Policy.load
        self._policy = make(weights or self.shipped, "cuda" if torch.cuda.is_available() else "cpu")
        self._policy.see_as(self._policy.config.in_context(context))
        self._single = _single_turns(self._policy)
        self._exact = exact
        self._temperature = (
            self._policy.config.play_temperature if temperature is None else temperature
        )
        self._inputs: dict[str, EpisodeInputs] = {}
        self._blind_answers: dict[Any, Any] = {}

    @classmethod
    def trained_on(cls, arguments: Mapping[str, Any]) -> str:
        return where_trained_on(arguments, Path(__file__).parent / "trained_on" / cls.shipped.name)

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        """As the weights' configuration says.

        Raises UserError when there are no weights, a package is missing, or they have no eyes for
        the pages that `screenshots` asks to see.
        """
        needs()
        config = Config.load(arguments.get("weights") or cls.shipped)
        context = arguments.get("context")
        if context is not None and context not in config.contexts:
            raise UserError(
                f"context is {context!r}: these weights have "
                f"{', '.join(config.contexts) or 'none but their own'}"
            )
        config = config.in_context(context)
        screenshots = arguments.get("screenshots")
        if not isinstance(screenshots, bool | None):
            raise UserError(f"screenshots is {screenshots!r}: it is true or false")
        if screenshots and not config.pages:
            raise UserError(
                "screenshots is true, and these weights have no eyes for pages: "
                "bench train gea --stage pages teaches them to weights that see"
            )
        return reads_of(config, screenshots), config.history

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The most likely action of each turn, or one sampled by the turn's generator."""
        if not turns:
            return []
        actions: dict[int, Any] = {}
        pending: list[int] = []
        for number, turn in enumerate(turns):
            if any(turn.observations):
                pending.append(number)
            else:
                actions[number] = self._act_blindly(turn)
        batches = [[number] for number in pending] if self._exact else [pending] if pending else []
        for batch in batches:
            asked = [turns[number] for number in batch]
            for number, tokens in zip(batch, self._answers(asked, self._temperature)):
                actions[number] = self._policy.codec.decode(turns[number].brief.action, tokens)
        return [actions[number] for number in range(len(turns))]

    def _answers(self, turns: Sequence[Turn], temperature: float) -> list[Sequence[int]]:
        """The tokens of the answers; see `infer`."""
        if self._single is None:
            decisions = infer(self._policy, turns, self._inputs, temperature)[1]
            return [decision.tokens for decision in decisions]
        prompts, grammars = _asked(self._policy, turns, self._inputs)
        return [
            self._single.answer(
                prompt, grammar, turn.rng if temperature else None, temperature or 1.0
            ).tokens
            for turn, prompt, grammar in zip(turns, prompts, grammars)
        ]

    def _act_blindly(self, turn: Turn) -> Any:
        """The most likely action of a turn without any view that the agent reads.

        Such turns differ in little, so their answers are cached.
        """
        key = (
            turn.brief.simulator,
            repr(turn.brief.action),
            turn.instruction,
            len(turn.observations),
            repr(turn.actions),
        )
        if key not in self._blind_answers:
            if len(self._blind_answers) >= BLIND_ANSWERS:
                self._blind_answers.clear()
            tokens = self._answers([turn], 0.0)[0]
            self._blind_answers[key] = self._policy.codec.decode(turn.brief.action, tokens)
        return self._blind_answers[key]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (N, width): see baselines/gea/embedding.py."""
        from baselines.gea.embedding import embed

        return embed(self._policy, texts)

    def end(self, episodes: Iterable[str]) -> None:
        """Drop the inputs of these episodes."""
        for name in episodes:
            self._inputs.pop(name, None)


class GEAState(GEA):
    """GEA without eyes: it reads grids and states, privileged ones too, and no picture."""

    shipped = SHIPPED / "gea-state"
    files = (str(shipped),)


class GEABase(GEA):
    """GEAState before PPO: trained on demonstrations only."""

    shipped = SHIPPED / "gea-base"
    files = (str(shipped),)


class GEAServed(GEA):
    """GEA on a GPU, one instance for all workers. Without `weights`, it sees as GEA does."""

    served = True
    gpus = 1.0


def infer(
    policy: Policy,
    turns: Sequence[Turn],
    inputs: dict[str, Any],
    temperature: float,
) -> tuple[list[Prompt], list[Decision]]:
    """The prompts of turns, and the policy's decisions.

    `inputs` keeps the EpisodeInputs of each episode, by its name, and is updated. Above a
    temperature of 0, decisions are sampled by each turn's own generator.
    """
    prompts, grammars = _asked(policy, turns, inputs)
    rngs = [turn.rng for turn in turns] if temperature else None
    return prompts, policy.decide(prompts, grammars, rngs, temperature or 1.0)


def _asked(
    policy: Policy, turns: Sequence[Turn], inputs: dict[str, Any]
) -> tuple[list[Prompt], list[Grammar]]:
    """The prompts of turns and the grammars of their answers; `inputs` as in `infer`."""
    prompts = [
        _prompt(policy, turn, inputs.setdefault(turn.episode, EpisodeInputs())) for turn in turns
    ]
    grammars = [policy.codec.grammar(turn.brief.action, turn.observation) for turn in turns]
    return prompts, grammars


def _single_turns(policy: Policy) -> SingleTurns | None:
    """What answers one turn at a time, of `nano` on a CPU."""
    from baselines.gea.nano import Nano
    from baselines.gea.single import SingleTurns

    backbone = policy.backbone
    if isinstance(backbone, Nano) and backbone.device.type == "cpu":
        return SingleTurns(backbone)
    return None


def _page_reader(policy: Policy) -> PageReader | None:
    """What reads the pictures of pages, of a model that has eyes for them."""
    from baselines.gea.nano import Nano

    backbone = policy.backbone
    reader = backbone.reader if isinstance(backbone, Nano) else None
    return None if reader is None or reader.page is None else reader.page.elements


class EpisodeInputs(dict[int, StepInputs]):
    """The inputs of the steps in an episode's context, by step, and what stays the same longer."""

    def __init__(self) -> None:
        super().__init__()
        self.introductions: dict[str, tuple[int, ...]] = {}
        """By instruction: an episode's brief never changes."""

    def introduction(self, policy: Policy, turn: Turn) -> tuple[int, ...]:
        """The tokens of the introduction of a turn."""
        if turn.instruction not in self.introductions:
            self.introductions[turn.instruction] = introduction(
                turn.brief, turn.instruction, policy.backbone.text_tokenizer, policy.config
            )
        return self.introductions[turn.instruction]


def _action_tokens(
    policy: Policy, turn: Turn, inputs: StepInputs, action: Any, observation: Mapping[str, Any]
) -> tuple[int, ...]:
    """The tokens of an earlier action, which are computed once while its step is in the context."""
    known = inputs.features.get("action")
    if known is not None and _same_value(known[0], action):
        found: tuple[int, ...] = known[1]
        return found
    tokens = tuple(policy.codec.encode(turn.brief.action, action, observation))
    # A copy: an array may be written to again.
    inputs.features["action"] = (copy.deepcopy(action), tokens)
    return tokens


def _same_value(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and np.array_equal(one, other)
    return type(one) is type(other) and bool(one == other)


def _prompt(policy: Policy, turn: Turn, inputs: EpisodeInputs) -> Prompt:
    config, tokenizer = policy.config, policy.backbone.text_tokenizer
    read_page = _page_reader(policy)
    steps = range(turn.step - len(turn.observations) + 1, turn.step + 1)
    for step in [step for step in inputs if step not in steps]:
        del inputs[step]
    for step, observation in zip(steps, turn.observations):
        # A perturbation may show an earlier step differently than before.
        if step not in inputs or not _equal(inputs[step].source, observation):
            before = [inputs[each] for each in steps if each < step]
            inputs[step] = step_inputs(
                turn.brief, observation, tokenizer, config, earlier=before, read_page=read_page
            )
    encoded = [
        _action_tokens(policy, turn, inputs[step], action, observation)
        for step, action, observation in zip(steps, turn.actions, turn.observations)
    ]
    # A perturbation may show fewer actions than there are steps between the observations.
    missing = len(turn.observations) - 1 - len(encoded)
    actions = (*encoded, *[()] * missing)
    text = inputs.introduction(policy, turn)
    return Prompt(text, tuple(inputs[step] for step in steps), actions)


def _equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two observations are equal: a served agent gets a copy at every call."""
    if one is other:
        return True
    same = all(_same_value(one[name], other[name]) for name in one.keys() & other.keys())
    return same and one.keys() == other.keys()
