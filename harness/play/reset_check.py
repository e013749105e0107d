"""Does `reset(seed)` fix the start? A user's simulator is asked before its first episode.

Where it does not, two runs cannot be compared in pairs, and a run that goes on is another one.
"""

from __future__ import annotations

import logging

from harness.core import Adapter, BatchedAdapter, Case
from harness.core.lane import Lane, build_adapter
from harness.host.loading import code_of, load_adapter
from harness.play.closing import close
from harness.play.inference import Watch, watched
from harness.play.start_digest import start_digest
from harness.play.values import checked_state
from harness.records.registry import load

__all__ = ["ResetCheck", "reset_problem"]

log = logging.getLogger("bench")


class ResetCheck:
    """Checks every environment key of users' own families once, and logs what it finds."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._known: set[str] = set()

    def before(self, case: Case, key: str) -> None:
        """Check the case's environment, unless one of its key was checked before."""
        if key in self._known:
            return
        self._known.add(key)
        try:
            # Asked here, also of an adapter in another interpreter: one more child costs seconds.
            own = code_of(load(case.task.adapter), case.task)
            problem = reset_problem(case, self._watch) if own else None
        except KeyboardInterrupt:
            raise
        except BaseException:  # whatever it is, it is told when the case is played
            return
        if problem is not None:
            log.warning("%s: %s", case.task.id, problem)


def reset_problem(case: Case, watch: Watch) -> str | None:
    """Whether equal resets start differently, and how; None: they start alike.

    Resets twice in one environment, and once in another. Raises what the simulator raises.
    """
    kind = load_adapter(case.task.adapter)
    if kind.nondeterminism:
        return None
    first, second = _starts(kind, case, watch, 2)
    (elsewhere,) = _starts(kind, case, watch, 1)
    if first == second == elsewhere:
        return None
    if first != elsewhere:
        where, remedy = "in two new environments", ""
    elif case.task.params.get("fresh") is True:
        return None
    else:
        where = "in one environment"
        remedy = "; fresh = true in the task's params plays each episode in a new environment"
    return (
        f"reset(seed) does not fix the start: two resets with one seed differ {where}. Runs of it "
        f"cannot be compared in pairs, and a replay differs{remedy}"
    )


def _starts(
    kind: type[Adapter | BatchedAdapter], case: Case, watch: Watch, times: int
) -> list[str]:
    """How the case starts in a new environment that is reset so many times."""
    with watched(watch, kind.patience_s):
        adapter = build_adapter(kind, case.task)
    lane = Lane(adapter)
    found = []
    try:
        for _ in range(times):
            with watched(watch, kind.patience_s):
                first = lane.reset(case)
                state = checked_state(lane.state())
                found.append(start_digest(lane.adapter.brief.observation, first, state))
    finally:
        close(adapter, watch)
    return found
