"""Reads LeRobot's eval_info.json, and refuses one whose figures cannot be true.

`lerobot-eval` (huggingface/lerobot, src/lerobot/scripts/lerobot_eval.py) writes one of two forms:

    {"per_task": [{"task_group", "task_id",
                   "metrics": {"sum_rewards", "max_rewards", "successes"}}],
     "per_group": {GROUP: {"avg_sum_reward", "avg_max_reward", "pc_success", "n_episodes"}},
     "overall": {the same, and "eval_s", "eval_ep_s"}}

    {"per_episode": [{"episode_ix", "sum_reward", "max_reward", "success", "seed"}],
     "aggregated": {"avg_sum_reward", "avg_max_reward", "pc_success", "eval_s", "eval_ep_s"}}

`pc_success` is a percentage. Later versions add `n_success` and `pc_success_ci95`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core import UserError
from harness.records.safe_json import parse, shown
from harness.records.typed import is_number

__all__ = ["MOST_BYTES", "Episode", "PlayedTask", "read_eval_info"]

MOST_BYTES = 64 << 20
MOST_TASKS = 10_000
MOST_EPISODES = 1_000_000
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_CONSTANT = re.compile(r'"([^"\\]{1,60})"\s*:\s*[^"{}]*?(-?Infinity|NaN)')
ROUNDING = 1e-6
"""The largest relative difference between a mean in the file and that of its own episodes."""


@dataclass(frozen=True)
class Episode:
    """One episode."""

    success: bool
    sum_reward: float
    max_reward: float | None = None
    """None where the file does not tell it, as our own exports do not."""
    seed: int | None = None


@dataclass(frozen=True)
class PlayedTask:
    """One task and its episodes, in the order in which they were played."""

    group: str
    """`libero_spatial`; empty in the form of a single task."""
    task: str
    episodes: tuple[Episode, ...]


def read_eval_info(content: bytes) -> list[PlayedTask]:
    """The tasks and episodes of an eval_info.json.

    Raises UserError that names the first figure that is impossible: a percentage that is no count
    of its episodes, one that the file's own episodes contradict, a value that is not finite, a
    negative number of episodes or seconds. A file without its episodes is refused too.
    """
    try:
        told = parse(content)
    except ValueError as wrong:
        raise UserError(f"this is no eval_info.json: {_in_words(content, wrong)}") from None
    try:
        if not isinstance(told, dict):
            raise ValueError(f"it holds {shown(told)}, not a table")
        if "per_task" in told:
            tasks = _several(told)
        elif "per_episode" in told or "aggregated" in told:
            tasks = [_single(told)]
        else:
            raise ValueError("it has neither per_task nor per_episode")
    except ValueError as wrong:
        raise UserError(f"this eval_info.json is refused: {wrong}") from None
    return tasks


def _in_words(content: bytes, wrong: ValueError) -> str:
    """What is wrong with the JSON; of a NaN, the name of the figure that it stands for."""
    named = _CONSTANT.search(content.decode(errors="replace"))
    if named is None or named[2] not in str(wrong):
        return str(wrong)
    return f"{named[1]} is {named[2]}, which is no number"


def _several(told: Mapping[str, Any]) -> list[PlayedTask]:
    groups = _table(told.get("per_group", {}), "per_group")
    overall = _table(told.get("overall", {}), "overall")
    for name, group in groups.items():
        _check_alone(_table(group, f"per_group.{name[:60]}"), f"per_group.{name[:60]}", None)
    _check_alone(overall, "overall", None)
    rows = _list(told["per_task"], "per_task", MOST_TASKS)
    tasks = [_task(each, f"per_task[{number}]") for number, each in enumerate(rows)]
    if len({(each.group, each.task) for each in tasks}) < len(tasks):
        raise ValueError("per_task holds a task twice")
    everything = [episode for each in tasks for episode in each.episodes]
    _check_episodes(everything)
    for name, group in groups.items():
        own = [episode for each in tasks if each.group == name for episode in each.episodes]
        _check_sums(group, f"per_group.{name[:60]}", own)
    _check_sums(overall, "overall", everything)
    return tasks


def _single(told: Mapping[str, Any]) -> PlayedTask:
    aggregated = _table(told.get("aggregated", {}), "aggregated")
    rows = _list(told.get("per_episode", []), "per_episode", MOST_EPISODES)
    _check_alone(aggregated, "aggregated", len(rows) or None)
    episodes = tuple(
        _episode(_table(row, f"per_episode[{number}]"), number) for number, row in enumerate(rows)
    )
    _check_episodes(episodes)
    seeds = [each.seed for each in episodes if each.seed is not None]
    if len(set(seeds)) < len(seeds):
        raise ValueError("per_episode holds a seed twice: an episode that was counted twice")
    _check_sums(aggregated, "aggregated", episodes)
    return PlayedTask("", "eval", episodes)


def _check_episodes(episodes: Sequence[Episode]) -> None:
    if not episodes:
        raise ValueError("it tells no episodes, so that nothing stands behind its figures")
    if len(episodes) > MOST_EPISODES:
        raise ValueError(f"it has more than {MOST_EPISODES} episodes")


def _task(value: Any, place: str) -> PlayedTask:
    row = _table(value, place)
    names = []
    for field in ("task_group", "task_id"):
        name = row.get(field)
        name = str(name) if type(name) is int else name
        if type(name) is not str or not NAME.fullmatch(name):
            raise ValueError(f"{place}.{field} is {shown(name)}, not a name of letters and digits")
        names.append(name)
    metrics = _table(row.get("metrics"), f"{place}.metrics")
    lists = {}
    for field in ("successes", "sum_rewards", "max_rewards"):
        where = f"{place}.metrics.{field}"
        lists[field] = _list(metrics.get(field), where, MOST_EPISODES)
        if field == "max_rewards" and not lists[field]:
            lists[field] = [None] * len(lists["successes"])
        if len(lists[field]) != len(lists["successes"]):
            raise ValueError(
                f"{where} has {len(lists[field])} entries, and successes {len(lists['successes'])}"
            )
    where = f"{place}.metrics"
    episodes = tuple(
        Episode(
            _boolean(success, f"{where}.successes[{number}]"),
            _number(total, f"{where}.sum_rewards[{number}]"),
            None if most is None else _number(most, f"{where}.max_rewards[{number}]"),
        )
        for number, (success, total, most) in enumerate(
            zip(lists["successes"], lists["sum_rewards"], lists["max_rewards"])
        )
    )
    return PlayedTask(names[0], names[1], episodes)


def _episode(row: Mapping[str, Any], number: int) -> Episode:
    place = f"per_episode[{number}]"
    if row.get("episode_ix") not in (None, number) or type(row.get("episode_ix")) is bool:
        raise ValueError(f"{place}.episode_ix is {shown(row['episode_ix'])}, not {number}")
    seed = row.get("seed")
    if seed is not None and (type(seed) is not int or abs(seed) >= 1 << 62):
        raise ValueError(f"{place}.seed is {shown(seed)}, not a seed")
    return Episode(
        _boolean(row.get("success"), f"{place}.success"),
        _number(row.get("sum_reward"), f"{place}.sum_reward"),
        _number(row.get("max_reward"), f"{place}.max_reward"),
        seed,
    )


def _check_alone(figures: Mapping[str, Any], place: str, episodes: int | None) -> None:
    """Whether figures are possible at all, whatever the episodes were."""
    count = figures.get("n_episodes", episodes)
    if count is not None and (type(count) is not int or not 0 < count <= MOST_EPISODES):
        raise ValueError(f"{place}.n_episodes is {shown(count)}, not a number of episodes")
    for name in ("eval_s", "eval_ep_s"):
        if name in figures and _number(figures[name], f"{place}.{name}") < 0:
            raise ValueError(f"{place}.{name} is {shown(figures[name])}: a negative time")
    if "pc_success" in figures:
        share = _number(figures["pc_success"], f"{place}.pc_success")
        if not 0 <= share <= 100:
            raise ValueError(f"{place}.pc_success is {share:g}, not a percentage")
        if count is not None:
            _check_share(share, count, f"{place}.pc_success")


def _check_share(share: float, count: int, place: str) -> None:
    """Whether a percentage is a count of `count` episodes, exactly or as it was rounded."""
    successes = share / 100 * count
    text = repr(float(share))
    decimals = len(text.partition(".")[2]) if "e" not in text else 15
    for whole in (math.floor(successes), math.ceil(successes)):
        exact = 100 * whole / count
        if math.isclose(exact, share, rel_tol=1e-9, abs_tol=1e-9):
            return
        if round(exact, decimals) == share:
            return
    low, high = math.floor(successes), math.ceil(successes)
    raise ValueError(
        f"{place} is {share:g}, which is no count of {count} episodes: {low} are "
        f"{100 * low / count:g} %, {high} are {100 * high / count:g} %"
    )


def _check_sums(figures: Mapping[str, Any], place: str, episodes: Sequence[Episode]) -> None:
    """Whether figures are those of these episodes."""
    count, successes = len(episodes), sum(each.success for each in episodes)
    for name, found in (("n_episodes", count), ("n_success", successes)):
        if name in figures and figures[name] != found:
            raise ValueError(f"{place}.{name} is {shown(figures[name])}, but it tells {found}")
    if not count:
        raise ValueError(f"{place} has no episodes in per_task")
    if "pc_success" in figures:
        share = float(figures["pc_success"])
        _check_share(share, count, f"{place}.pc_success")
        if round(share / 100 * count) != successes:
            raise ValueError(
                f"{place}.pc_success is {share:g}, but {successes} of its {count} episodes "
                f"succeed: {100 * successes / count:g}"
            )
    for name, values in (
        ("avg_sum_reward", [each.sum_reward for each in episodes]),
        ("avg_max_reward", [each.max_reward for each in episodes if each.max_reward is not None]),
    ):
        if figures.get(name) is not None and len(values) == count:
            told = _number(figures[name], f"{place}.{name}")
            mean = math.fsum(values) / count
            near = ROUNDING * max(1.0, *(abs(each) for each in values))
            if abs(told - mean) > near:
                raise ValueError(f"{place}.{name} is {told:g}, but its episodes have {mean:g}")


def _table(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{place} is {shown(value)}, not a table")
    return value


def _list(value: Any, place: str, most: int) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{place} is {shown(value)}, not a list")
    if len(value) > most:
        raise ValueError(f"{place} has {len(value)} entries; {most} are allowed")
    return value


def _number(value: Any, place: str) -> float:
    if not is_number(value):
        raise ValueError(f"{place} is {shown(value)}, not a finite number")
    return float(value)


def _boolean(value: Any, place: str) -> bool:
    if type(value) is not bool:
        raise ValueError(f"{place} is {shown(value)}, not true or false")
    return value
