"""The random streams of perturbations: what they depend on, and what shares them."""

from __future__ import annotations

import numpy as np
import pytest
from effects import NAMES, NUMBERS, TASK, brief, effect, offered
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core import Box, Case
from harness.perturb import REGISTRY, RandomStreams


@pytest.mark.parametrize(
    "name",
    [
        n
        for n, k in REGISTRY.items()
        if k.group in ("image", "partial", "state", "action", "burst", "delay")
    ],
)
def test_randomness_depends_on_task_seed_name_and_step_alone(name: str) -> None:
    """Made again it does the same; another seed does something else, unless nothing is random."""

    def trail(seed: int) -> list[bytes]:
        changed = effect(name, 4, brief(Box((4,), low=-1.0, high=1.0), **offered()), seed=seed)
        rng, found = np.random.default_rng(3), []
        for step in range(30):
            found.append(np.asarray(changed.act(changed.body.action.sample(rng), step)).tobytes())
            for view in changed.views():
                spec = offered()[view]
                if isinstance(spec, Box):
                    found.append(
                        changed.see(
                            view, np.clip(spec.sample(rng), 0, None).astype(spec.dtype), step
                        ).tobytes()
                    )
        return found

    assert trail(0) == trail(0)
    certain = (
        "defocus_blur",
        "contrast",
        "jpeg",
        "camera_zoom",
        "observation_delay",
        "action_delay",
        "action_scale",
        "blackout",
    )
    if name not in certain:
        assert any(trail(seed) != trail(0) for seed in range(1, 6))


@given(one=NAMES, other=NAMES, seeds=st.tuples(NUMBERS, NUMBERS), steps=st.tuples(NUMBERS, NUMBERS))
@settings(deadline=None)
def test_no_two_streams_are_shared(
    one: str, other: str, seeds: tuple[int, int], steps: tuple[int, int]
) -> None:
    def draws(name: str, seed: int, step: int) -> list[tuple[float, ...]]:
        streams = RandomStreams(Case(TASK, seed), name)
        made = [
            streams.step(step),
            streams.step(step, "image"),
            streams.episode(),
            streams.episode("image"),
        ]
        return [tuple(rng.random(4).tolist()) for rng in made]

    first, second = draws(one, seeds[0], steps[0]), draws(other, seeds[1], steps[1])
    assert len(set(first)) == 4
    if one != other or seeds[0] != seeds[1]:
        assert not set(first) & set(second)
    simulator = {
        tuple(Case(TASK, seeds[0]).rng(purpose).random(4).tolist())
        for purpose in ("simulator", "agent", "start")
    }
    assert not set(first) & simulator


def test_severities_share_their_random_streams() -> None:
    """What happens at a low severity happens at a higher one too."""
    image = np.full((20, 20, 3), 100, np.uint8)
    masks = [
        effect("impulse_noise", s, brief(image=Box((20, 20, 3), "uint8", 0, 255))).see(
            "image", image, 3
        )
        != 100
        for s in (1, 5)
    ]
    assert (masks[0] <= masks[1]).all()
    spec = Box((1,), low=-1.0, high=1.0)
    lost = [
        [
            effect("action_dropout", s, brief(spec)).act(np.ones(1, np.float32), k)[0] == 0
            for k in range(200)
        ]
        for s in (1, 5)
    ]
    assert 0 < sum(lost[0]) < sum(lost[1])
    assert all(more or not less for less, more in zip(*lost))
    noise = [
        effect("action_noise", s, brief(spec)).act(np.zeros(1, np.float32), 4)[0] for s in (1, 2)
    ]
    assert noise[1] == pytest.approx(2 * noise[0], rel=1e-6)
