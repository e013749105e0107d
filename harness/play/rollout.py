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
from harness.play.case_queue import CaseSource
from harness.play.drawn_by import note_renderer
from harness.play.endings import Endings, EpisodeObserver
from harness.play.environments import EnvSlot, Unfit
from harness.play.episode import Episode
from harness.play.fit import FitCheck
from harness.play.inference import AgentClient, AgentFault, Watch
from harness.play.lanes import Group, Lane
from harness.play.late_answers import LateAnswers
from harness.play.outcome import (
    AGENT,
    SHARED,
    Outcome,
    VideoSelection,
    fault_place,
    outcome_of,
    reason_of,
)
from harness.play.starts import SOLVED_AT_START, cannot_run, missing_here, start
from harness.play.values import Chunk, SimulatorFault, checked_timestep
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
        video: VideoSelection | None = None,
        observer: EpisodeObserver | None = None,
        made: Callable[[EnvSlot, Case], None] | None = None,
        clock: ControlClock | None = None,
        fit: FitCheck | None = None,
    ) -> None:
        """`reads` and `history` are the agent's.

        `report` is called once for every case taken from the source, as soon as its outcome is
        known. A `video` takes the place of an `observer`. `made` is called as by Environments. With
        a `clock` simulated time does not wait for the agent. `fit` says whether the agent can play
        in an environment; without it, it can in all.
        """
        self._agent = agent
        self._elsewhere = getattr(agent, "elsewhere", False)
        self._reads = tuple(reads)
        self._history = history
        self._watch = watch
        self._report = report
        self._late = None if clock is None else LateAnswers(clock)
        self._observer: Any = observer
        if video is not None:
            from harness.play.video import VideoRecorder

            self._observer = VideoRecorder(video, watch)
        groups = min(groups, lanes)
        sizes = [lanes // groups + (k < lanes % groups) for k in range(groups)]
        self._made, self._fit = made, fit
        self._groups = [Group(size, watch, self._check_made) for size in sizes]
        self._endings = Endings(agent, watch, self._observer, self._late, report)

    def _check_made(self, slot: EnvSlot, case: Case) -> None:
        """Call `made` with a new environment, unless the agent will not play in it."""
        if self._made is not None and (self._fit is None or self._fit(slot) is None):
            self._made(slot, case)

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
        for group in self._groups if len(self._groups) == 1 else self._answered():
            if group.asked is not None:
                self._collect(group, *group.asked)
            self._step(group)
            self._refill(group, source)
            group.asked = self._submit(group)

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
            episode = lane.episode
            if episode is None:  # ended by the fault of an environment that its lane shared
                continue
            episode.agent_s += share
            episode.asked += 1
            # A lazy view is drawn inside the agent's call: its failure is the simulator's, whatever
            # the agent made of it.
            fault = episode.view_fault if episode.lazy else None
            if episode.renderer is None and fault is None:
                fault = note_renderer(episode, self._watch)
            if fault is not None:
                self._fail(group, episode.slot, "view", fault)
            elif type(answer) is tuple and self._late is None and episode.skills is None:
                episode.pending.append(answer)  # a plain action, as most answers are
            elif isinstance(answer, AgentFault):
                self._end(lane, answer.status, answer.reason, failed_in=answer.failed_in)
            else:
                if isinstance(answer, Chunk):
                    episode.memory = answer.memory
                    if answer.figures or answer.said:
                        episode.notes.add(answer)
                    if answer.calls:
                        refused = episode.begin_calls(answer.calls)
                        if refused is not None:
                            self._end(lane, "agent_error", refused, failed_in=AGENT)
                            continue
                if self._late is not None:
                    self._late.take(episode, answer, seconds)
                elif isinstance(answer, Chunk):
                    episode.pending.extend(answer.moves)
                else:
                    episode.pending.append(answer)
                if episode.skills is not None:
                    self._continue(group, lane)

    def _continue(self, group: Group, lane: Lane) -> None:
        """Queue the next action of the skill that the agent called, if nothing is queued."""
        episode = lane.episode
        if episode is None or episode.pending:
            return
        try:
            move = episode.skill_move(self._watch)
        except KeyboardInterrupt:
            raise
        except BaseException as fault:
            self._watch.deadline = 0.0
            self._fail(group, episode.slot, "skill", fault)
            return
        if move is not None:
            episode.pending.append(move)

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
                self._continue(group, lane)
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
                self._continue(group, lane)

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
