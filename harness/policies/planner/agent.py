"""`PlannerAgent`: a chat model that plans with skills."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from harness.core import Answer, Brief, Missing, SkillCall, SkillsNow, Turn
from harness.play.held import held_action
from harness.play.values import AgentFault
from harness.policies.chat import forms
from harness.policies.chat.agent import VIEWS, Asked, ChatAgent, names_of, whole
from harness.policies.chat.reply import Reply
from harness.policies.planner import plans, telling

__all__ = ["PlannerAgent"]

HISTORY = 2
"""The last action is held where nothing is to be done."""
EXPERT = "expert"
"""In the place of an address: the expert's plans, and no model."""


class PlannerAgent(ChatAgent):
    """Asks a chat model for a whole plan, has the adapter's skills carry it out, and asks again.

    It asks again when a call has failed or the plan has ended, at most `plans` times in an episode.
    After that, and where the model says that nothing is left to do, it holds still. See
    docs/policies/planner.md.
    """

    reads: ClassVar[tuple[str, ...]] = ("skills",)
    wanted: ClassVar[forms.Wanted] = telling.PLAN

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        if arguments.get("address") == EXPERT:
            return ("skills", "expert"), HISTORY
        names = names_of(arguments.get("views", VIEWS))
        return ("skills", *(f"{name}?" for name in names)), HISTORY

    @classmethod
    def unfit(cls, arguments: Mapping[str, Any], brief: Brief) -> Missing | None:
        return None  # the instruction and the skills may be enough

    def __init__(
        self,
        address: str,
        plans: int = 8,
        max_calls: int = 32,
        views: str = VIEWS,
        images: int = 1,
        image_px: int = 512,
        view_chars: int = 8000,
        system: str = "system",
        thought: bool = False,
        mode: str = "auto",
        temperature: float | None = 0.0,
        seed: int = 0,
        max_tokens: int = 1024,
        key_env: str = "",
        cache: str = "",
        prices: str = "",
        concurrency: int = 8,
        retries: int = 5,
        timeout_s: float = 120.0,
        backoff_s: float = 1.0,
        give_up_s: float = 400.0,
    ) -> None:
        """Reads the key; the endpoint is asked at the first turn.

        `address`: URL#MODEL, or `expert`, which plays the expert's plans and asks no model.
        `plans`: how often an episode may ask for a plan. `max_calls`: of one plan. The others are
        those of ChatAgent.

        Raises UserError with the remedy.
        """
        self._plans = whole("plans", plans, 1, 1000)
        self._max_calls = whole("max_calls", max_calls, 1, 200)
        self._expert = address == EXPERT
        if not self._expert:
            super().__init__(
                address,
                views=views,
                history=HISTORY,
                images=images,
                image_px=image_px,
                view_chars=view_chars,
                system=system,
                thought=thought,
                mode=mode,
                temperature=temperature,
                seed=seed,
                max_tokens=max_tokens,
                key_env=key_env,
                cache=cache,
                prices=prices,
                concurrency=concurrency,
                retries=retries,
                timeout_s=timeout_s,
                backoff_s=backoff_s,
                give_up_s=give_up_s,
            )
        said = {"address": address, "views": views}
        self.reads, self.history = self.declares(said)  # type: ignore[misc]

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """An Answer for each turn: a plan, or the no-op where no more plans may be asked for."""
        answers: list[Any] = [None] * len(turns)
        asking = []
        for number, turn in enumerate(turns):
            now, asked = _shown(turn), _asked_before(turn)[0]
            if asked >= self._plans:
                answers[number] = _idle(turn, {}, asked)
            elif not self._expert:
                asking.append(number)
            elif now.plan == ():
                answers[number] = _idle(turn, {}, asked)
            else:
                answers[number] = _planned(turn, now.plan or (), {})
        if asking:
            replies = super().act([turns[number] for number in asking])
            for number, reply in zip(asking, replies):
                answers[number] = reply
        return answers

    def close(self) -> None:
        if not self._expert:
            super().close()

    def _request(
        self, turn: Turn, form: str
    ) -> tuple[list[dict[str, Any]], tuple[Any, ...], int | None]:
        last = _asked_before(turn)[1]
        said = telling.messages(turn, _shown(turn), form, self._telling, last)
        return said, (), self._seed_of(turn)

    def _asked(
        self,
        turn: Turn,
        form: str,
        messages: list[dict[str, Any]],
        possible: tuple[Any, ...],
        seed: int | None,
        until: float,
    ) -> Any:
        now = _shown(turn)
        asked = self._exchange(
            messages,
            form,
            plans.schema(now, self._max_calls, _may_rest(turn)),
            seed,
            until,
            functools.partial(self._read, form, turn),
        )
        if isinstance(asked, AgentFault):
            return asked
        said = _line(turn, form, asked)
        if asked.problem or asked.value:
            return _planned(turn, asked.value or (), asked.figures, said)
        return _idle(turn, {**asked.figures, "plans": 1.0}, self._plans, said)

    def _read(self, form: str, turn: Turn, reply: Reply) -> tuple[SkillCall, ...]:
        value, in_words = forms.value_of(form, reply, telling.PLAN)
        rests = _may_rest(turn)
        return plans.plan_of(value, in_words, _shown(turn), self._max_calls, rests)


def _shown(turn: Turn) -> SkillsNow:
    if turn.skills is None:
        raise ValueError("no skills are shown: a planner plays in the same process, not behind one")
    return turn.skills


def _asked_before(turn: Turn) -> tuple[int, tuple[SkillCall, ...]]:
    """(how often this episode has asked for a plan, its last one)."""
    return turn.memory or (0, ())


def _may_rest(turn: Turn) -> bool:
    """Whether an empty plan, which says that nothing is left to do, makes sense."""
    return bool(_asked_before(turn)[1]) and _shown(turn).failed is None


def _planned(
    turn: Turn, calls: Sequence[SkillCall], figures: Mapping[str, float], said: str = ""
) -> Answer:
    """The answer of a plan; where there is no valid one, to hold still for a step."""
    asked = _asked_before(turn)[0]
    counted = {
        **figures,
        "plans": 1.0,
        "replans": float(asked > 0),
        "calls": float(len(calls)),
        "failed_calls": float(_shown(turn).failed is not None),
    }
    if not calls:
        return _idle(turn, counted, asked + 1, said)
    memory = (asked + 1, tuple(calls))
    return Answer((), memory, figures=counted, said=said, calls=tuple(calls))


def _idle(turn: Turn, figures: Mapping[str, float], asked: int, said: str = "") -> Answer:
    """Hold still for a step. `asked`: the count of plans from now on."""
    action = held_action(turn.brief.action, turn.actions[-1] if turn.actions else None)
    return Answer([action], (asked, _asked_before(turn)[1]), figures=figures, said=said)


def _line(turn: Turn, form: str, asked: Asked) -> str:
    exchanges = list(asked.exchanges)
    return json.dumps({"step": turn.step, "form": form, "exchanges": exchanges})
