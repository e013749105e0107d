"""ViZDoom with sound: what is heard tells where the monster is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from adapters import vizdoom_audio
from adapters.vizdoom_audio import HearingVizDoomAdapter
from harness.core import Case, TimeStep
from harness.testing import check_adapter
from suites.vizdoom import SUITES

(TASK,) = next(suite.tasks for suite in SUITES if suite.name == "vizdoom-audio")
LACK = HearingVizDoomAdapter.missing(TASK)
here = pytest.mark.skipif(LACK is not None, reason=LACK.reason if LACK else "")
LEFT, RIGHT, SHOOT = 1, 2, 3
AIMED = 0.12
"""How far apart the loudness of both ears may be, as a logarithm, to shoot at what is ahead."""


@pytest.fixture(scope="module")
def adapter() -> Iterator[HearingVizDoomAdapter]:
    adapter = HearingVizDoomAdapter(TASK)
    yield adapter
    adapter.close()


def louder_left(timestep: TimeStep) -> float:
    """The logarithm of the loudness of the left ear, less that of the right one."""
    left, right = np.log((timestep.observation["audio"]() ** 2).sum(0) + 1e-9)
    return float(left - right)


def play(adapter: HearingVizDoomAdapter, seed: int, hears: bool) -> TimeStep:
    """The last step of an agent that moves towards what it hears, and shoots where it is ahead."""
    timestep, held = adapter.reset(Case(TASK, seed)), 0
    while not (timestep.terminated or timestep.truncated or timestep.success):
        held = max(0, held - 1)
        side = louder_left(timestep) if hears and not held else 0.0
        if abs(side) > AIMED:
            action = LEFT if side > 0 else RIGHT
        else:
            held = held or 6  # the shot drowns the monster
            action = SHOOT if held > 4 else 0
        timestep = adapter.step(action)
    return timestep


@here
def test_contract() -> None:
    check_adapter(TASK, steps=3, another_process=False, views=("audio", "image"))


@here
@pytest.mark.parametrize("seed", [0, 3])
def test_the_invisible_monster_is_found_by_ear(adapter: HearingVizDoomAdapter, seed: int) -> None:
    assert play(adapter, seed, hears=True).success
    assert not play(adapter, seed, hears=False).success


@here
def test_what_is_heard(adapter: HearingVizDoomAdapter) -> None:
    spec = adapter.brief.observation["audio"]
    heard = adapter.reset(Case(TASK, 0)).observation["audio"]()
    assert spec.problem(heard) is None
    assert heard.shape == (2520, 2), "four tics of 1/35 s at 22,050 Hz"
    assert 0.01 < np.abs(heard).max() < 1


def test_without_the_library_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("vizdoom")
    monkeypatch.setattr(vizdoom_audio, "LIBRARY", "libnosuchthing.so.1")
    missing = HearingVizDoomAdapter.missing(TASK)
    assert missing is not None
    assert "libnosuchthing.so.1" in missing.reason
    assert missing.remedy == "apt-get install libopenal1"
