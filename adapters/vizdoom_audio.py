"""ViZDoom with sound: the scenario whose monster can be heard and not seen."""

from __future__ import annotations

import ctypes
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from adapters._vizdoom_scenarios import Scenario
from adapters.vizdoom import TICS_PER_SECOND, VizDoomAdapter
from harness.core import Box, Case, Missing, SimulatorPerturbation, Task, TimeStep

__all__ = ["HearingVizDoomAdapter"]

RATE_HZ = 22_050
LIBRARY = "libopenal.so.1"


class HearingVizDoomAdapter(VizDoomAdapter):
    """A scenario of ViZDoom that is about hearing; otherwise as VizDoomAdapter.

    `task.params`: `scenario` (`basic_audio`) and `frame_skip` (tics per step).

    One more view:
        audio    float32 (n, 2)  what the player heard in the tics of the last step, left and right,
                                 as amplitudes from -1 to 1 at 22,050 Hz, the oldest first; 2520
                                 samples for four tics of 1/35 s
    At reset it is what was heard in as many tics before the first decision.

    The engine is started again for every episode (0.7 s), because a kept one goes on with the
    sounds of the episode before. It mixes the sound into memory by OpenAL Soft, without a sound
    device. OpenAL's effects are off, with which version 1.19 ends the engine (ViZDoom's issue 472).
    """

    scenarios: ClassVar[Mapping[str, Scenario]] = {
        "basic_audio": Scenario(
            "Shoot the monster at the opposite wall: it is invisible, but it makes sounds.",
            ends_by_reward=True,
        )
    }

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        """ViZDoom, or the library without which all that is heard is silence."""
        lack = super().missing(task)
        if lack is None and not _has_openal():
            return Missing(
                f"OpenAL Soft ({LIBRARY}) is not installed", "apt-get install libopenal1"
            )
        return lack

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        return ()

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import vizdoom

        self._game.set_audio_buffer_enabled(True)
        self._game.set_audio_sampling_rate(vizdoom.SamplingRate.SR_22050)
        self._game.set_audio_buffer_size(self._skip)
        self._game.add_game_args("+snd_efx 0")
        self._views["audio"] = self._audio
        heard = Box(
            (RATE_HZ * self._skip // TICS_PER_SECOND, 2),
            low=-1.0,
            high=1.0,
            unit="1",
            meaning=f"what was heard since the last decision, left and right, {RATE_HZ} Hz",
        )
        self.brief = dataclasses.replace(
            self.brief, observation={**self.brief.observation, "audio": heard}
        )

    def reset(self, case: Case) -> TimeStep:
        # A kept engine goes on with the sounds of the episode before.
        if self._game.is_running():
            self._game.close()
        return super().reset(case)

    def _audio(self) -> Any:
        return self._last.audio_buffer.astype(np.float32) / np.float32(32_768)


def _has_openal() -> bool:
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return True
