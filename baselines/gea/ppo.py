"""The stage `rl`: proximal policy optimisation (arXiv 1707.06347) with a share of the SFT loss and PopArt, as in arXiv 2412.08442.

Episodes are played over the harness' own lanes, on training seeds that no evaluation plays. An action is one decision, whatever the number
of its tokens. An episode that a time limit ends counts as ended: what would have followed is not known to anybody.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from baselines.gea.agent import ask
from baselines.gea.config import Config
from baselines.gea.data import Examples
from baselines.gea.learning import Curves, Learner, cosine
from baselines.gea.policy import FILE, Choice, Policy, alike
from baselines.gea.prompt import Look, Prompt
from baselines.gea.train import TRAINING, Job, _note, device, identity
from harness.core import DOMAINS, Agent, Case, Task, TimeStep, Turn, UserError, stream
from harness.demos.training import training_seed, training_task
from harness.host.loading import load_adapter
from harness.play.episode import Episode, Outcome
from harness.play.inference import LocalAgent, Watch
from harness.play.rollout import RolloutLoop

__all__ = ["Rollouts", "Transition", "advantages", "rl"]

CRITIC_EPOCHS = 10
CRITIC_RATE = 10.0
"""Times the learning rate, where the critic learns alone: its head begins at 0, and it learns from features that are computed once."""
FIRST_GUESS = 50
"""Decisions of an episode, until some have ended."""
MOST_FAILURES = 15
"""Of simulators, one after the other: then it is no accident."""


@dataclass(eq=False)
class Transition:
    """One decision and what came of it."""

    prompt: Prompt
    choice: Choice
    domain: int
    reward: float = 0.0


@dataclass
class _Path:
    """An episode under way, or one that has ended."""

    domain: int
    steps: list[Transition] = field(default_factory=list)
    ended: bool = False


def advantages(
    rewards: np.ndarray, values: np.ndarray, following: float, gamma: float, decay: float
) -> np.ndarray:
    """Generalised advantages (arXiv 1506.02438, equation 16) of one stretch of an episode: float64 (T,) each; `following` is the value behind
    its last step, 0 where the episode ended there."""
    after = np.append(values[1:], following)
    errors = rewards + gamma * after - values
    result = np.zeros(len(errors))
    running = 0.0
    for step in reversed(range(len(errors))):
        running = errors[step] + gamma * decay * running
        result[step] = running
    return result


class _Explorer(Agent):
    """Draws its actions, and remembers what it was asked."""

    def __init__(self, policy: Policy, paths: dict[str, _Path]) -> None:
        self.reads, self.history = policy.config.views, policy.config.history  # type: ignore[misc]
        self._policy, self._paths = policy, paths
        self.looks: dict[str, dict[int, Look]] = {}

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """A drawn action for each turn."""
        with self._policy.precision():
            prompts, choices = ask(self._policy, turns, self.looks, self._policy.config.temperature)
        for turn, prompt, choice in zip(turns, prompts, choices):
            path = self._paths[turn.episode]
            path.steps.append(Transition(prompt, choice, path.domain))
        return [
            self._policy.codec.action(turn.brief.action, choice.tokens)
            for turn, choice in zip(turns, choices)
        ]


class Rollouts:
    """Plays suites for ever, lane by lane, each for as many decisions as any other, its tasks as often as one another; gives back stretches of
    episodes. It is also the lanes' feed, and watches their rewards."""

    def __init__(
        self,
        policy: Policy,
        suites: Sequence[Sequence[Task]],
        seed: int,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        """`suites`: the tasks of each; `state`: to go on from. Raises UserError where a task cannot run here."""
        self._policy, self._seed = policy, seed
        self._number: int = state["number"] if state else 0
        self._ended: list[list[int]] = (
            [list(each) for each in state["ended"]] if state else [[0, 0] for _ in suites]
        )
        """Of each suite, how many episodes have ended, and their decisions."""
        self._suites = [[training_task(task) for task in tasks] for tasks in suites]
        for task in (task for tasks in self._suites for task in tasks):
            missing = load_adapter(task.adapter).missing(task)
            if missing is not None:
                raise UserError(
                    f"{task.id} cannot run here: {missing.reason}; {missing.remedy}, or leave it out with --tasks"
                )
        self._paths: dict[str, _Path] = {}
        self._over: list[_Path] = []
        self.finished: list[Outcome] = []
        """Since they were last looked at."""
        self._failed = 0
        self._agent = _Explorer(policy, self._paths)
        watch = Watch()
        client = LocalAgent(self._agent, watch, 3600.0)
        reads, history = self._agent.reads, self._agent.history
        lanes = policy.config.lanes
        self._lanes = RolloutLoop(
            client,
            reads,
            history,
            lanes=lanes,
            groups=1,
            watch=watch,
            report=self._report,
            observer=self,
        )

    def take(self, held: Sequence[str]) -> tuple[int, Case]:
        """The next case, under its suite's number: a task drawn anew, and a training seed that was not played yet."""
        self._number += 1
        rng = stream(self._seed, "rollouts", step=self._number)
        # The shorter a suite's episodes, the more of them.
        chances = np.cumsum(
            [(episodes + 1) / (decisions + FIRST_GUESS) for episodes, decisions in self._ended]
        )
        suite = min(
            int(np.searchsorted(chances, rng.random() * chances[-1], "right")), len(chances) - 1
        )
        task = self._suites[suite][int(rng.integers(len(self._suites[suite])))]
        return suite, Case(task, training_seed(task, 0, self._seed * 100_000 + self._number))

    def begin(self, episode: Episode, first: TimeStep) -> None:
        """An episode begins."""
        self._paths[episode.name] = _Path(DOMAINS.index(episode.case.task.domain))

    def step(self, episode: Episode, seen: TimeStep, last: bool) -> None:
        """Its reward belongs to the decision before."""
        self._paths[episode.name].steps[-1].reward += float(seen.reward)

    def end(self, episode: Episode, outcome: Outcome) -> Outcome:
        """It is over; of a simulator's failure nothing is learned."""
        path = self._paths.pop(episode.name)
        self._agent.looks.pop(episode.name, None)
        self._ended[episode.ticket][0] += 1
        self._ended[episode.ticket][1] += episode.steps
        if outcome.result is not None and outcome.result.status == "finished":
            path.ended = True
            self._over.append(path)
        return outcome

    def _report(self, outcome: Outcome) -> None:
        if outcome.result is None:
            raise UserError(
                f"a task cannot be played: {outcome.missing.reason if outcome.missing else 'unknown'}"
            )
        if outcome.result.status == "agent_error":
            raise RuntimeError(f"{outcome.result.task}: {outcome.result.error}")
        self._failed = self._failed + 1 if outcome.result.status == "error" else 0
        if self._failed > MOST_FAILURES:
            raise RuntimeError(
                f"{self._failed} episodes in a row failed; the last one, {outcome.result.task}: {outcome.result.error}"
            )
        self.finished.append(outcome)

    def collect(self, count: int) -> list[tuple[list[Transition], Transition | None]]:
        """Stretches with `count` decisions or more in all; behind each the decision that follows, None where the episode ended."""
        while sum(self._known()) < count:
            self._lanes.turn(self)
        stretches: list[tuple[list[Transition], Transition | None]] = [
            (path.steps, None) for path in self._over
        ]
        self._over = []
        for path in self._paths.values():
            if (
                len(path.steps) > 1
            ):  # the last one's reward is not known yet: it begins the next stretch
                stretches.append((path.steps[:-1], path.steps[-1]))
                path.steps = path.steps[-1:]
        return [stretch for stretch in stretches if stretch[0]]

    def _known(self) -> Iterator[int]:
        yield from (len(path.steps) for path in self._over)
        yield from (max(0, len(path.steps) - 1) for path in self._paths.values())

    def state(self) -> dict[str, Any]:
        """JSON values to go on from: other episodes than so far."""
        return {"number": self._number, "ended": self._ended}

    def forget(self) -> None:
        """The weights changed: what the vision encoder made of pictures is no longer true."""
        self._agent.looks.clear()

    def stop(self) -> None:
        """Close the environments."""
        self._lanes.close()

    def close(self) -> None:
        """The lanes are closed."""


@dataclass(frozen=True)
class _Lesson:
    """One decision, weighed."""

    transition: Transition
    advantage: float
    target: float


def _weigh(
    policy: Policy, stretches: Sequence[tuple[list[Transition], Transition | None]]
) -> tuple[list[_Lesson], float]:
    """Advantages in units of PopArt's deviation, targets normalised by the moments after these returns; and the mean reward."""
    config = policy.config
    mean, deviation = (
        policy.mean.cpu().numpy().astype(np.float64),
        policy.deviation().cpu().numpy().astype(np.float64),
    )
    kept: list[Transition] = []
    gains: list[float] = []
    returns: list[float] = []
    for steps, following in stretches:
        domain = steps[0].domain
        values = (
            np.asarray([each.choice.values[domain] for each in steps], np.float64)
            * deviation[domain]
            + mean[domain]
        )
        behind = (
            0.0
            if following is None
            else float(following.choice.values[domain]) * deviation[domain] + mean[domain]
        )
        found = advantages(
            np.asarray([each.reward for each in steps]),
            values,
            float(behind),
            config.gamma,
            config.gae,
        )
        kept += steps
        gains += (found / deviation[domain]).tolist()
        returns += (found + values).tolist()
    domains = torch.tensor([each.domain for each in kept], device=policy.mean.device)
    policy.follow_returns(
        torch.tensor(returns, dtype=torch.float32, device=policy.mean.device), domains
    )
    mean, deviation = policy.mean.cpu().numpy(), policy.deviation().cpu().numpy()
    spread = float(np.std(gains)) + 1e-8
    centre = float(np.mean(gains))
    lessons = [
        _Lesson(
            each,
            (gain - centre) / spread,
            (value - float(mean[each.domain])) / float(deviation[each.domain]),
        )
        for each, gain, value in zip(kept, gains, returns)
    ]
    return lessons, float(np.mean([each.reward for each in kept]))


def _loss(policy: Policy, lessons: Sequence[_Lesson], of: int) -> tuple[Tensor, dict[str, float]]:
    """The part that these have in the loss of a minibatch of `of`, and in its figures."""
    config = policy.config
    now, entropy, values = policy.evaluate(
        [each.transition.prompt for each in lessons], [each.transition.choice for each in lessons]
    )
    before = torch.tensor(
        [each.transition.choice.log_probability for each in lessons], device=now.device
    )
    gain = torch.tensor([each.advantage for each in lessons], device=now.device)
    ratio = (now - before).exp()
    clipped = ratio.clamp(1 - config.clip_ratio, 1 + config.clip_ratio)
    parts = {
        "rl/policy": -torch.minimum(ratio * gain, clipped * gain),
        "rl/entropy": entropy,
        "rl/clipped": (ratio != clipped).float(),
        "rl/divergence": ratio - 1 - (now - before),
    }
    if not config.critic_apart:
        domains = torch.tensor([each.transition.domain for each in lessons], device=now.device)
        targets = torch.tensor([each.target for each in lessons], device=now.device)
        parts["rl/value"] = 0.5 * (values.gather(1, domains[:, None])[:, 0] - targets) ** 2
    means = {name: part.sum() / of for name, part in parts.items()}
    loss = (
        means["rl/policy"]
        + config.value * means.get("rl/value", 0.0)
        - config.entropy * means["rl/entropy"]
    )
    return loss, {name: mean.item() for name, mean in means.items()}


def rl(job: Job, say: Callable[[str], None]) -> None:
    """Play and learn for `job.steps` decisions. Raises UserError on wrong use."""
    if not job.tasks:
        raise UserError("--stage rl plays: name suites with --suite")
    if not job.data and job.config.sft_share:
        raise UserError(
            "--stage rl keeps a share of the SFT loss: name demonstrations with --data, or --set sft_share=0"
        )
    if not job.steps:
        raise UserError("--stage rl needs --steps: how many steps it may play")
    folder = job.out / TRAINING / "rl"
    policy, added = _begin(job)
    config = policy.config
    examples = (
        Examples(job.data, config, policy.backbone.words, policy.codec)
        if config.sft_share
        else None
    )
    learner = Learner(
        policy, folder, config.rl_lr, config.weight_decay, config.clip, identity("rl", job)
    )
    played = int(learner.extra.get("played", 0))
    suites = {
        suite.name: [task for of, task in job.tasks if of.name == suite.name]
        for suite, _ in job.tasks
    }
    rollouts = Rollouts(policy, list(suites.values()), job.seed, learner.extra.get("rollouts"))
    curves = Curves(job.out / TRAINING / "curves", say)
    try:
        while played < job.steps:
            policy.eval()
            lessons, reward = _weigh(policy, rollouts.collect(config.rollout * config.lanes))
            alone = played < config.critic_first
            share = 1.0
            if config.rl_falls and not alone:
                share = cosine(
                    played - config.critic_first, job.steps - config.critic_first, config.warmup
                )
            played += len(lessons)
            policy.train()
            figures = {}
            if alone or config.critic_apart:
                figures |= _update_critic(policy, learner, lessons, job.seed)
            if not alone:
                figures |= _update(policy, learner, lessons, examples, job.seed, share)
            rollouts.forget()
            figures |= _successes(rollouts.finished)
            rollouts.finished.clear()
            curves.add(played, job.steps, {"rl/reward": reward, **figures})
            learner.extra = {"played": played, "rollouts": rollouts.state()}
            learner.checkpoint()
    finally:
        rollouts.stop()
        curves.close()
    learner.checkpoint(now=True)
    _finish(job, policy, added, played)


def _successes(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """The success rate by the task's family."""
    families: dict[str, list[bool]] = {}
    for result in (outcome.result for outcome in outcomes if outcome.result is not None):
        families.setdefault(result.task.partition("/")[0], []).append(bool(result.success))
    return {
        f"success/{family}": float(np.mean(found)) for family, found in sorted(families.items())
    }


def _update(
    policy: Policy,
    learner: Learner,
    lessons: Sequence[_Lesson],
    examples: Examples | None,
    seed: int,
    share: float,
) -> dict[str, float]:
    config = policy.config
    figures: defaultdict[str, float] = defaultdict(float)
    for _ in range(config.epochs):
        rng = stream(seed, "update", step=learner.step)
        for part in np.array_split(
            rng.permutation(len(lessons)), min(config.minibatches, len(lessons))
        ):
            figures = defaultdict(float)
            if examples is not None:
                imitation = policy.sft_loss(*examples.draw(rng, min(config.batch, len(part))))
                learner.add(config.sft_share * imitation)
                figures["rl/sft"] = imitation.item()
            chosen = [lessons[place] for place in part]
            for few in alike(
                [each.transition.prompt for each in chosen], -(-len(chosen) // config.at_once)
            ):
                loss, means = _loss(policy, [chosen[place] for place in few], len(chosen))
                learner.add(loss)
                for name, mean in means.items():
                    figures[name] += mean
            figures["rl/gradient"] = learner.update(share)
    return figures


def _update_critic(
    policy: Policy, learner: Learner, lessons: Sequence[_Lesson], seed: int
) -> dict[str, float]:
    """The critic alone, from the hidden states of a policy that does not move meanwhile."""
    rng = stream(seed, "critic", step=learner.step)
    hidden = torch.from_numpy(np.stack([each.transition.choice.hidden for each in lessons])).to(
        policy.mean.device
    )
    domains = torch.tensor([each.transition.domain for each in lessons], device=hidden.device)
    targets = torch.tensor([each.target for each in lessons], device=hidden.device)
    figures: dict[str, float] = {}
    for _ in range(CRITIC_EPOCHS):
        for part in np.array_split(
            rng.permutation(len(lessons)), min(policy.config.minibatches, len(lessons))
        ):
            values = policy.value(hidden[part]).gather(1, domains[part, None])[:, 0]
            loss = 0.5 * ((values - targets[part]) ** 2).mean()
            learner.learn(loss, CRITIC_RATE)
            figures = {"rl/value": loss.item()}
    return figures


def _begin(job: Job) -> tuple[Policy, bool]:
    """The policy that `rl` began with, whatever was saved since; and whether it got a LoRA of its own, which is merged at the end."""
    base = job.out / TRAINING / "rl" / "base"
    if not (base / FILE).is_file():
        source = job.out if (job.out / FILE).is_file() and job.init is None else job.init or job.out
        Policy.load(source)
        base.mkdir(parents=True, exist_ok=True)
        Config.load(source).save(base)
        shutil.copyfile(source / FILE, base / FILE)
    known = Config.load(base)
    policy = Policy.new(dataclasses.replace(job.config, lora=known.lora), job.out, device())
    policy.restore(base / FILE)
    added = bool(job.config.lora and not known.lora and job.config.backbone != "nano")
    if added:
        policy.backbone.add_lora(job.config.lora, job.config.lora_alpha)  # type: ignore[operator]
        policy.to(device())
    return policy, added


def _finish(job: Job, policy: Policy, added: bool, played: int) -> None:
    if added:
        policy.backbone.merge_lora()  # type: ignore[operator]
        for weight in policy.backbone.parameters():
            weight.requires_grad_(True)
        if not policy.config.train_vision:
            policy.backbone.freeze_vision()  # type: ignore[operator]
    policy.config.save(job.out)
    policy.save(job.out / FILE)
    _note(job, "rl", played)
