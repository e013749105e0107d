"""The stage `rl`: proximal policy optimisation (PPO, arXiv 1707.06347) as in arXiv 2412.08442.

That is, with a share of the SFT loss, with returns normalised by PopArt, and with decoding that is
constrained to valid actions.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from baselines.gea.config import Config
from baselines.gea.data import Examples
from baselines.gea.job import Job, identity, record_stage
from baselines.gea.policy import FILE, Policy, length_buckets, trained_tokens
from baselines.gea.pretrained import Pretrained
from baselines.gea.rollouts import Rollouts, Segment, Transition
from baselines.learning import parallel
from baselines.learning.learner import Learner, Metrics, cosine_schedule
from baselines.learning.stages import CHECKPOINTS, device
from harness.core import Task, UserError, stream
from harness.play.outcome import Outcome

__all__ = ["advantages", "rl"]

CRITIC_EPOCHS = 10
CRITIC_LR_FACTOR = 10.0
"""Learning rate of a critic that is trained separately, relative to the policy's.

Its head starts at 0, and its inputs are fixed, so large steps do no harm.
"""


def advantages(
    rewards: np.ndarray, values: np.ndarray, following: float, gamma: float, decay: float
) -> np.ndarray:
    """Generalised advantage estimation (arXiv 1506.02438, equation 16), float64 (T,).

    A_t = sum over k >= 0 of (gamma lambda)^k delta_{t+k}, where
    delta_t = r_t + gamma V_{t+1} - V_t, for T consecutive steps of an episode.

    `rewards`, `values`: float (T,). `following`: the value after the last step, 0 if the episode
    ended there. `decay`: lambda.
    """
    next_values = np.append(values[1:], following)
    deltas = rewards + gamma * next_values - values
    result = np.zeros(len(deltas))
    running = 0.0
    for step in reversed(range(len(deltas))):
        running = deltas[step] + gamma * decay * running
        result[step] = running
    return result


@dataclass(frozen=True)
class _Sample:
    """A transition with what PPO is trained on."""

    transition: Transition
    advantage: float
    """Standardised over all samples of an update."""
    target: float
    """The return, normalised by PopArt: the critic's target."""


def _samples(policy: Policy, segments: Sequence[Segment]) -> tuple[list[_Sample], float]:
    """The samples of segments, and their mean reward.

    Updates PopArt's moments by their returns and those of the other processes.
    """
    config = policy.config
    std = policy.return_std().tolist()
    transitions: list[Transition] = []
    gains: list[float] = []
    returns: list[float] = []
    for segment in segments:
        domain = segment.transitions[0].domain
        values = np.asarray([each.value for each in segment.transitions])
        found = advantages(
            np.asarray([each.reward for each in segment.transitions]),
            values,
            segment.following.value if segment.following else 0.0,
            config.gamma,
            config.gae,
        )
        transitions += segment.transitions
        # Without this, domains with large rewards would dominate the others in the policy's loss.
        gains += (found / std[domain]).tolist()
        returns += (found + values).tolist()
    # Several processes share moments and standardisation, as if one had played all episodes.
    parts = parallel.everyone((returns, [each.domain for each in transitions], gains))
    all_returns, domains, all_gains = (
        [each for part in column for each in part] for column in zip(*parts)
    )
    where = policy.mean.device
    policy.update_popart(
        torch.tensor(all_returns, dtype=torch.float32, device=where),
        torch.tensor(domains, device=where),
    )
    mean, std = policy.mean.tolist(), policy.return_std().tolist()
    spread = float(np.std(all_gains)) + 1e-8
    centre = float(np.mean(all_gains))
    samples = [
        _Sample(
            each,
            (gain - centre) / spread,
            (value - mean[each.domain]) / std[each.domain],
        )
        for each, gain, value in zip(transitions, gains, returns)
    ]
    rewards = parallel.total(sum(each.reward for each in transitions))
    return samples, rewards / len(all_returns)


def _loss(policy: Policy, samples: Sequence[_Sample], size: int) -> tuple[Tensor, dict[str, float]]:
    """What these samples add to the loss and to the metrics of a minibatch of `size` samples.

    For the ratio r = pi(a | s) / pi_old(a | s), the advantage A and clip ratio e, the loss is the
    mean of (arXiv 1707.06347, equations 7 and 9)

        - min(r A, clip(r, 1 - e, 1 + e) A) + value * (V - target)^2 / 2 - entropy * H
    """
    config = policy.config
    now, entropy, values = policy.evaluate(
        [each.transition.prompt for each in samples],
        [each.transition.decision for each in samples],
    )
    before = torch.tensor(
        [each.transition.decision.log_probability for each in samples], device=now.device
    )
    gain = torch.tensor([each.advantage for each in samples], device=now.device)
    ratio = (now - before).exp()
    clipped = ratio.clamp(1 - config.clip_ratio, 1 + config.clip_ratio)
    parts = {
        "rl/policy": -torch.minimum(ratio * gain, clipped * gain),
        "rl/entropy": entropy,
        "rl/clipped": (ratio != clipped).float(),
        # KL(pi_old, pi) from samples of pi_old: r - 1 - log r has the right mean and is never
        # negative.
        "rl/divergence": ratio - 1 - (now - before),
    }
    if not config.critic_apart:
        domains = torch.tensor([each.transition.domain for each in samples], device=now.device)
        targets = torch.tensor([each.target for each in samples], device=now.device)
        parts["rl/value"] = 0.5 * (values.gather(1, domains[:, None])[:, 0] - targets) ** 2
    # Divided by the size of the whole minibatch, so that the gradients of its parts add up to its.
    means = {name: part.sum() / size for name, part in parts.items()}
    loss = (
        means["rl/policy"]
        + config.value * means.get("rl/value", 0.0)
        - config.entropy * means["rl/entropy"]
    )
    return loss, {name: mean.item() for name, mean in means.items()}


def rl(job: Job, say: Callable[[str], None]) -> None:
    """Play and learn until `job.steps` decisions are played.

    Raises UserError when the job lacks tasks, steps or demonstrations, or a task cannot run here.
    """
    if not job.tasks:
        raise UserError("--stage rl plays: name suites with --suite")
    if not job.steps:
        raise UserError("--stage rl needs --steps: how many steps it may play")
    if not job.data and job.config.sft_share:
        raise UserError(
            "--stage rl keeps a share of the SFT loss: name demonstrations with --data, "
            "or --set sft_share=0"
        )
    folder = job.out / CHECKPOINTS / "rl"
    policy, added_lora = _begin(job)
    config = policy.config
    examples = (
        Examples(job.data, config, policy.backbone.text_tokenizer, policy.codec)
        if config.sft_share
        else None
    )
    learner = Learner(
        policy, folder, config.rl_lr, config.weight_decay, config.clip, identity("rl", job)
    )
    played = int(learner.extra.get("played", 0))
    torch.manual_seed(job.seed + parallel.rank())  # what a LoRA drops differs between processes
    suites = _suites(job)
    playing = config.in_context(next(iter(suites))) if len(suites) == 1 else config
    metrics = Metrics(job.out / CHECKPOINTS / "curves", say)
    with _seeing(policy, playing):
        rollouts = Rollouts(
            policy,
            list(suites.values()),
            job.seed,
            learner.extra.get("rollouts", [None] * parallel.size())[parallel.rank()],
            shares=[config.rl_suites.get(name, 1.0) for name in suites],
        )
        try:
            while played < job.steps:
                policy.eval()
                samples, reward = _samples(policy, rollouts.collect(config.rollout * config.lanes))
                critic_only = played < config.critic_first
                lr_factor = 1.0
                if config.rl_falls and not critic_only:
                    lr_factor = cosine_schedule(
                        played - config.critic_first, job.steps - config.critic_first, config.warmup
                    )
                played += int(parallel.total(len(samples)))
                policy.train()
                values: dict[str, float] = {}
                if critic_only or config.critic_apart:
                    values |= _update_critic(policy, learner, samples, job.seed)
                if not critic_only:
                    values |= _update(policy, learner, samples, examples, job, lr_factor)
                rollouts.weights_changed()
                values |= _success_rates(rollouts.finished)
                rollouts.finished.clear()
                metrics.add(played, job.steps, {"rl/reward": reward, **values})
                learner.extra = {
                    "played": played,
                    "rollouts": parallel.everyone(rollouts.state()),
                }
                learner.checkpoint()
        finally:
            rollouts.stop()
            metrics.close()
    learner.checkpoint(now=True)
    if not parallel.rank():
        _finish(job, policy, added_lora, played)


def _suites(job: Job) -> dict[str, list[Task]]:
    """The tasks of each suite that this process plays.

    One suite, if there are as many processes as the shares of the suites add up to; else all.
    """
    found: dict[str, list[Task]] = {}
    for suite, task in job.tasks:
        found.setdefault(suite.name, []).append(task)
    shares = {name: job.config.rl_suites.get(name, 1.0) for name in found}
    places = [name for name, share in shares.items() for _ in range(int(share))]
    if parallel.size() > 1 and len(places) == sum(shares.values()) == parallel.size():
        mine = places[parallel.rank()]
        return {mine: found[mine]}
    return found


@contextlib.contextmanager
def _seeing(policy: Policy, config: Config) -> Iterator[None]:
    """Let the policy see what it is shown as another configuration says."""
    before = policy.config
    policy.see_as(config)
    try:
        yield
    finally:
        policy.see_as(before)


def _success_rates(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """The success rate of each family of tasks, over all processes."""
    mine = [
        (outcome.result.task.partition("/")[0], bool(outcome.result.success))
        for outcome in outcomes
        if outcome.result is not None
    ]
    families: dict[str, list[bool]] = {}
    for family, success in (each for part in parallel.everyone(mine) for each in part):
        families.setdefault(family, []).append(success)
    return {
        f"success/{family}": float(np.mean(found)) for family, found in sorted(families.items())
    }


def _update(
    policy: Policy,
    learner: Learner,
    samples: Sequence[_Sample],
    examples: Examples | None,
    job: Job,
    lr_factor: float,
) -> dict[str, float]:
    """Train on samples for some epochs of minibatches. Returns the last minibatch's metrics."""
    config = policy.config
    values: defaultdict[str, float] = defaultdict(float)
    minibatches = min(config.minibatches, *parallel.everyone(len(samples)))
    process = [parallel.rank()] if parallel.rank() else []
    for _ in range(config.epochs):
        rng = stream(job.seed, "update", *process, step=learner.step)
        for part in np.array_split(rng.permutation(len(samples)), minibatches):
            values = defaultdict(float)
            if examples is not None:
                count = min(config.batch // parallel.size(), len(part))
                drawn = examples.draw(rng, count)
                share = float(trained_tokens(*drawn))
                share /= parallel.total(share)
                with _seeing(policy, job.config):
                    imitation = share * policy.sft_loss(*drawn)
                learner.add(config.sft_share * imitation)
                values["rl/sft"] = imitation.item()
            minibatch = [samples[index] for index in part]
            size = int(parallel.total(len(minibatch)))
            # In several passes, as the activations of a whole minibatch may not fit into memory.
            for few in length_buckets(
                [each.transition.prompt for each in minibatch],
                -(-len(minibatch) // config.at_once),
            ):
                loss, means = _loss(policy, [minibatch[index] for index in few], size)
                learner.add(loss)
                for name, mean in means.items():
                    values[name] += mean
            norm = learner.update(lr_factor)
            for name in values:
                values[name] = parallel.total(values[name])
            values["rl/gradient"] = norm
    return values


def _update_critic(
    policy: Policy, learner: Learner, samples: Sequence[_Sample], seed: int
) -> dict[str, float]:
    """Train the critic only, on the hidden states that acting left behind."""
    rng = stream(seed, "critic", step=learner.step)
    hidden = torch.from_numpy(np.stack([each.transition.decision.hidden for each in samples])).to(
        policy.mean.device
    )
    domains = torch.tensor([each.transition.domain for each in samples], device=hidden.device)
    targets = torch.tensor([each.target for each in samples], device=hidden.device)
    minibatches = min(policy.config.minibatches, *parallel.everyone(len(samples)))
    metrics: dict[str, float] = {}
    for _ in range(CRITIC_EPOCHS):
        for part in np.array_split(rng.permutation(len(samples)), minibatches):
            values = policy.value(hidden[part]).gather(1, domains[part, None])[:, 0]
            loss = 0.5 * ((values - targets[part]) ** 2).sum() / parallel.total(len(part))
            learner.learn(loss, CRITIC_LR_FACTOR)
            metrics = {"rl/value": parallel.total(loss.item())}
    return metrics


def _begin(job: Job) -> tuple[Policy, bool]:
    """(the policy that the stage starts from, whether LoRA was added to it).

    The starting weights are copied when the stage first runs, because it later overwrites them in
    `out`, and a resumed training must build the same model. A LoRA that is added here is merged at
    the end.
    """
    base = job.out / CHECKPOINTS / "rl" / "base"
    if not parallel.rank() and not (base / FILE).is_file():
        source = job.out if (job.out / FILE).is_file() and job.init is None else job.init or job.out
        Policy.load(source)  # raises UserError when there are no weights
        base.mkdir(parents=True, exist_ok=True)
        Config.load(source).save(base)
        shutil.copyfile(source / FILE, base / FILE)
    parallel.everyone(None)  # the first process has copied them
    initial = Config.load(base)
    policy = Policy.new(dataclasses.replace(job.config, lora=initial.lora), job.out, device())
    policy.restore(base / FILE)
    backbone, rank = policy.backbone, job.config.rl_lora or job.config.lora
    if not (isinstance(backbone, Pretrained) and rank and not initial.lora):
        return policy, False
    backbone.add_lora(rank)
    policy.to(device())
    return policy, True


def _finish(job: Job, policy: Policy, added_lora: bool, played: int) -> None:
    """Save the policy, as a model without the LoRA that `_begin` added."""
    backbone = policy.backbone
    if added_lora and isinstance(backbone, Pretrained):
        backbone.merge_lora()
        # peft has frozen the weights, and only trainable ones are saved.
        for weight in backbone.parameters():
            weight.requires_grad_(True)
        if not policy.config.train_vision:
            backbone.freeze_vision()
    policy.config.save(job.out)
    policy.save(job.out / FILE)
    record_stage(job, "rl", played)
