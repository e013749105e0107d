"""The one loop that plays cases on lanes, in this process and in every worker.

A lane plays one episode at a time and is refilled the moment it is free. Lanes come in groups:
while one group waits for a served agent, the next one steps. Environments are kept and reused for
the next case with the same environment key.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from harness.core import BadAction, Case, Turn, UserError
from harness.perturb.effects import NotApplicable
from harness.play.answers import Answers
from harness.play.case_queue import CaseSource
from harness.play.endings import Endings, EpisodeObserver, ObserverMaker
from harness.play.environments import EnvSlot, Unfit
from harness.play.episode import Episode
from harness.play.fit import FitCheck
from harness.play.inference import AgentClient, AgentFault, LocalAgent, Watch
from harness.play.lanes import Group, Lane
from harness.play.late_answers import LateAnswers
from harness.play.outcome import (
    AGENT,
    SHARED,
    Outcome,
    fault_place,
    outcome_of,
    reason_of,
)
from harness.play.reset_check import ResetCheck
from harness.play.starts import SOLVED_AT_START, cannot_run, missing_here, start
from harness.play.straight import play_on
from harness.play.values import SimulatorFault, checked_timestep
from harness.records.control_clock import ControlClock

__all__ = ["RolloutLoop"]

clock = time.perf_counter


class RolloutLoop:
    """All lanes of one process."""

    def __init__(
        self,
        agent: AgentClient,
        reads: Sequence[str],
        history: int,
        *,
        lanes: int,
        groups: int,
        watch: Watch,
        report: Callable[[Outcome], None],
        observed: ObserverMaker | None = None,
        observer: EpisodeObserver | None = None,
        resets: ResetCheck | None = None,
        clock: ControlClock | None = None,
        fit: FitCheck | None = None,
    ) -> None:
        """`reads` and `history` are the agent's.

        `report` is called once for every case taken from the source, as soon as its outcome is
        known. `observed` makes an `observer`. `resets` checks new environments. With a `clock`
        simulated time does not wait for the agent. `fit` says whether the agent can play in an
        environment; without it, it can in all.
        """
        self._agent = agent
        self._elsewhere = getattr(agent, "elsewhere", False)
        self._reads = tuple(reads)
        self._history = history
        self._watch = watch
        self._report = report
        late = None if clock is None else LateAnswers(clock)
        self._observer = observer if observed is None else observed.observer(watch)
        self._straight: LocalAgent | None = None
        """Where `play_on` can play what this loop otherwise does in rounds."""
        if type(agent) is LocalAgent and lanes == 1 and clock is None:
            self._straight = agent
        groups = min(groups, lanes)
        sizes = [lanes // groups + (k < lanes % groups) for k in range(groups)]
        self._resets, self._fit = resets, fit
        self._groups = [Group(size, watch, self._check_made) for size in sizes]
        self._endings = Endings(agent, watch, self._observer, late, report)
        self._answers = Answers(watch, late, self._end, self._fail)

    def _check_made(self, slot: EnvSlot, case: Case) -> None:
        """Check the resets of a new environment, unless the agent will not play in it."""
        if self._resets is not None and (self._fit is None or self._fit(slot) is None):
            self._resets.made(slot, case)

    def _check_fit(self, slot: EnvSlot) -> None:
        """Raises Unfit where the agent cannot play in this environment."""
        unfit = None if self._fit is None else self._fit(slot)
        if unfit is not None:
            raise Unfit(unfit)

    def busy(self) -> bool:
        """Whether any episode is being played, or its end is still being told."""
        return bool(self._endings.told) or self._playing()

    def _playing(self) -> bool:
        return any(lane.episode is not None for group in self._groups for lane in group.lanes)

    def playing(self) -> list[Any]:
        """The tickets of the episodes being played."""
        return [
            lane.episode.ticket
            for group in self._groups
            for lane in group.lanes
            if lane.episode is not None
        ] + self._endings.tickets()

    def turn(self, source: CaseSource) -> None:
        """One round over all groups: collect the answers, step, refill, submit the next batch.

        With one group this is lockstep. With two, each group's batch is answered while the other
        group steps, so a served agent and the simulators work at the same time.
        """
        if self._endings.told:
            self._endings.settle(wait=not self._playing())
        if self._straight is not None and self._play_on(self._straight, source):
            return
        for group in self._groups if len(self._groups) == 1 else self._answered():
            if group.asked is not None:
                self._collect(group, *group.asked)
            self._step(group)
            self._refill(group, source)
            episode = group.lanes[0].episode
            straight = self._straight is not None and episode is not None and episode.plain
            group.asked = None if straight else self._submit(group)

    def _play_on(self, agent: LocalAgent, source: CaseSource) -> bool:
        """Play the only lane's episode for a while, without rounds; whether it can be played so."""
        (group,) = self._groups
        (lane,) = group.lanes
        if lane.episode is None:
            self._refill(group, source)
        episode = lane.episode
        if episode is None:
            return True
        if not episode.plain:
            return False
        stop = play_on(episode, agent, self._observer)
        if stop.ended:
            self._end(lane, "finished", None, stop.ended)
        elif stop.answer is not None:
            self._answers.take(group, lane, stop.answer, stop.seconds)
        elif stop.queued is not None:
            self._end(lane, stop.queued.status, stop.queued.reason, failed_in=AGENT)
        elif stop.refused is not None:
            self._end(lane, "agent_error", str(stop.refused))
        elif stop.fault is not None:
            self._fail(group, episode.slot, "step", stop.fault)
        return True

    def _answered(self) -> list[Group]:
        """The groups that can go on: all but those that wait while another one is answered."""
        asked = [group.asked for group in self._groups if group.asked is not None]
        if len(asked) < 2 or not self._elsewhere:
            return self._groups
        idle = [group for group in self._groups if group.asked is None]
        stepping = any(lane.episode is not None for group in idle for lane in group.lanes)
        self._watch.cases = [ticket for _, _, tickets in asked for ticket in tickets]
        ready = iter(self._agent.first([request for request, _, _ in asked], not stepping))
        return [group for group in self._groups if group.asked is None or next(ready)]

    def adopt(self, kept: Sequence[Sequence[EnvSlot]]) -> None:
        """Begin with the environments that `release` of a loop with as many lanes returned."""
        for group, slots in zip(self._groups, kept):
            group.environments.adopt(slots)

    def release(self) -> list[list[EnvSlot]]:
        """The environments of each group, which are the caller's from now on; no episode is played.

        Those of a loop that is interrupted in an episode are to be closed.
        """
        if self._observer is not None:
            self._observer.close()
        return [
            group.environments.release([lane.slot for lane in group.lanes if lane.slot is not None])
            for group in self._groups
        ]

    def close(self) -> None:
        """Close all environments."""
        for group in self._groups:
            group.environments.close([lane.slot for lane in group.lanes if lane.slot is not None])
        if self._observer is not None:
            self._observer.close()

    def _refill(self, group: Group, source: CaseSource) -> None:
        for lane in group.lanes:
            while lane.episode is None:  # again if the reset failed
                taken = source.take(group.environments.keys(lane.slot))
                if taken is None:
                    break
                self._start(group, lane, *taken)

    def _start(self, group: Group, lane: Lane, ticket: Any, case: Case) -> None:
        begun = clock()
        episode = Episode(ticket, case)
        watch = self._watch
        watch.cases = episode.tickets
        where = "construction"
        before, lane.slot = lane.slot, None
        try:
            slot = lane.slot = group.environments.slot(case, before)
            self._check_fit(slot)
            where = "reset"
            first, episode.draws = start(
                slot, case, lambda: watch.guard("simulator", slot.patience, episode.tickets)
            )
            self._check_fit(slot)  # again where the adapter describes itself only now
            where = "view"  # the agent's views are drawn
            episode.begin(slot, first, self._reads, self._history)
            if self._resets is not None:
                self._resets.began(case, episode.start, episode.draws > 0)
            episode.simulator_s += clock() - begun
            if episode.solved:
                watch.deadline = 0.0
                # Nothing is left to ask the agent, or to watch.
                self._report(outcome_of(episode, "finished", None, SOLVED_AT_START))
                return
            if self._observer is not None:
                self._observer.begin(episode, first)
        except (Unfit, UserError, NotApplicable) as refusal:
            watch.deadline = 0.0
            self._report(cannot_run(ticket, case, refusal))
        except KeyboardInterrupt:
            raise
        except BaseException as fault:
            watch.deadline = 0.0
            if lane.slot is not None:
                self._fail(group, lane.slot, where, None)
            absent = where == "construction" and isinstance(fault, ImportError)
            missing = missing_here(case.task) if absent else None
            if missing is not None:
                self._report(Outcome(ticket=ticket, missing=missing))
                return
            reason, failed_in = reason_of(where, fault), fault_place(where, fault)
            self._report(Outcome.failed(episode, "error", reason, failed_in))
        else:
            watch.deadline = 0.0
            lane.episode = episode

    def _submit(self, group: Group) -> tuple[Any, list[Lane], list[Any]] | None:
        asked: list[Lane] = []
        turns: list[Turn] = []
        tickets: list[Any] = []
        for lane in group.lanes:
            episode = lane.episode
            if episode is None or episode.pending:  # empty, or still inside a chunk of actions
                continue
            where = "expert"
            try:
                turn = episode.turn(self._watch)
                if self._elsewhere:
                    where = "view"
                    episode.draw(self._watch)
            except KeyboardInterrupt:
                raise
            except BaseException as fault:
                self._watch.deadline = 0.0
                self._fail(group, episode.slot, where, fault)
            else:
                turns.append(turn)
                asked.append(lane)
                tickets.append(episode.ticket)
        if not turns:
            return None
        self._watch.cases = tickets
        return self._agent.submit(turns), asked, tickets

    def _collect(self, group: Group, ticket: Any, asked: list[Lane], tickets: list[Any]) -> None:
        self._watch.cases = tickets
        answers, seconds = self._agent.collect(ticket)
        share = seconds / len(asked)
        for lane, answer in zip(asked, answers):
            if lane.episode is not None:  # else ended by a fault of what its lane shares
                self._answers.take(group, lane, answer, share, seconds)

    def _step(self, group: Group) -> None:
        """Execute one action in every lane that has one.

        This runs once per environment step of the whole benchmark, so it sets the fields of the
        watch itself instead of calling `Watch.guard`. Lanes of a batched simulator are gathered
        and stepped in one call.
        """
        together: dict[int, dict[int, tuple[Lane, Any]]] = {}
        watch = self._watch
        for lane in group.lanes:
            episode = lane.episode
            if episode is None or not episode.pending:
                continue
            move = episode.pending.popleft()
            if type(move) is AgentFault:
                self._end(lane, move.status, move.reason, failed_in=AGENT)
                continue
            action, clipped = move
            if clipped:
                episode.clipped += 1
            try:
                action = episode.executes(action)
            except KeyboardInterrupt:
                raise
            except BaseException as fault:
                self._end(lane, "error", reason_of("perturbation", fault))
                continue
            slot = episode.slot
            if slot.batch is not None:
                together.setdefault(id(slot.batch), {})[slot.number] = lane, action
                continue
            watch.phase, watch.cases = "simulator", episode.tickets
            begun = clock()
            watch.deadline = begun + slot.patience
            try:
                try:
                    told = slot.step(action)
                except BadAction as bad:
                    # Within the spec, but refused by the simulator: a command that does not parse.
                    watch.deadline = 0.0
                    own = episode.skills is None and episode.answered(action)
                    status = "agent_error" if own else "error"
                    self._end(lane, status, str(bad))
                    continue
                seen = checked_timestep(told)
                ended = episode.advance(action, seen)
                episode.simulator_s += clock() - begun
                if self._observer is not None:
                    self._observer.step(episode, seen, bool(ended))
            except KeyboardInterrupt:
                raise
            except BaseException as fault:
                watch.deadline = 0.0
                self._fail(group, slot, "step", fault)
                continue
            watch.deadline = 0.0
            if ended:
                self._end(lane, "finished", None, ended)
            elif episode.skills is not None:
                self._answers.go_on(group, lane)
        if together:
            for moves in together.values():
                self._step_together(group, moves)

    def _step_together(self, group: Group, moves: dict[int, tuple[Lane, Any]]) -> None:
        """One step of a simulator that several lanes share; if it fails, all of them fail."""
        begun = clock()
        slots = [lane.slot for lane, _ in moves.values() if lane.slot is not None]
        batch = slots[0].batch
        assert batch is not None
        self._watch.guard(
            "simulator",
            slots[0].patience,
            [lane.episode.ticket for lane, _ in moves.values() if lane.episode is not None],
        )
        ended: list[tuple[Lane, str]] = []
        try:
            seen: Any = batch.step({number: action for number, (_, action) in moves.items()})
            for number, (lane, action) in moves.items():
                if number not in seen:
                    raise SimulatorFault(f"step returned no timestep of lane {number}")
                step = checked_timestep(seen[number])
                assert lane.episode is not None
                lane.episode.simulator_s += (clock() - begun) / len(moves)
                how = lane.episode.advance(action, step)
                if self._observer is not None:
                    self._observer.step(lane.episode, step, bool(how))
                if how:
                    ended.append((lane, how))
        except KeyboardInterrupt:
            raise
        except BaseException as fault:
            self._watch.deadline = 0.0
            self._fail(group, slots[0], "step", fault)
            return
        self._watch.deadline = 0.0
        for lane, how in ended:
            self._end(lane, "finished", None, how)
        for lane, _ in moves.values():
            if lane.episode is not None and lane.episode.skills is not None:
                self._answers.go_on(group, lane)

    def _fail(self, group: Group, slot: EnvSlot, where: str, fault: BaseException | None) -> None:
        """End every episode in this slot's environment and close it: its state is unknown now.

        `fault` in one of these episodes is to blame; None: one that has ended already.
        """
        lanes = [lane for lane in group.lanes if lane.slot and lane.slot.adapter is slot.adapter]
        reason, failed_in = "another episode of this shared simulator failed", SHARED
        if fault is not None:
            reason = reason_of(where, fault)
            if sum(lane.episode is not None for lane in lanes) == 1:
                failed_in = fault_place(where, fault)
        for lane in lanes:
            if lane.episode is not None:
                self._end(lane, "error", reason, failed_in=failed_in)
            lane.slot = None
        group.environments.drop(slot)

    def _end(
        self,
        lane: Lane,
        status: str,
        reason: str | None,
        ended: str = "",
        failed_in: str = "",
    ) -> None:
        episode = lane.episode
        assert episode is not None
        lane.episode = None
        self._endings.add(episode, outcome_of(episode, status, reason, ended, failed_in))
