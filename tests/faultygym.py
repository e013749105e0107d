"""A small Gymnasium environment with odd values, registered on import as `faultygym/Odd-v0`."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces


class Odd(gymnasium.Env[Any, Any]):
    """Ten steps; the observation is (step, a drawn number, 0). `odd` names what is odd in it."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(self, odd: str = "") -> None:
        self.odd = odd
        self.observation_space = SPACES.get(odd, spaces.Box(-10, 10, (3,), np.float32))
        self.action_space = spaces.Box(-1, 1, (3,), np.float32)
        self.buffer = np.zeros(3, np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, Any]:
        super().reset(seed=seed)
        self.t, self.x = 0, float(self.np_random.uniform(-1, 1))
        return self.shown(), {}

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, Any]:
        assert self.action_space.contains(action)
        self.t += 1
        over, late = self.t >= 10, self.t >= 5
        reward: Any = {
            "reward nan": float("nan"),
            "reward inf": float("inf"),
            "reward none": None,
            "reward two": np.ones(2),
            "reward one": np.ones(1),
        }.get(self.odd, 1.0)
        infos: dict[str, Any] = {
            "late": {"is_success": True} if over else {},
            "none, then told": {"success": over if over else None},
            "share": {"success": 0.3},
            "nan": {"success": float("nan")},
            "text": {"success": "False"},
            "lanes": {"success": np.array([True, False])},
            "lane": {"success": np.array([over])},
            "number": {"success": float(over)},
            "two keys": {"success": False, "is_success": True},
            "two keys agree": {"success": over, "is_success": over},
            "no mapping": [("success", True)],
        }
        if not late and self.odd.startswith("reward") and self.odd != "reward one":
            reward = 1.0
        return (
            self.shown(),
            reward,
            np.array([over]) if self.odd == "flags" else over,
            None if self.odd == "flag" and late else False,
            infos.get(self.odd, {}),
        )

    def shown(self) -> Any:
        whole = np.array([self.t, self.x, 0], np.float32)
        if self.odd == "buffer":
            self.buffer[:] = whole
            return self.buffer
        if self.odd in PARTS:
            return PARTS[self.odd](self.t)
        if self.t < 5 and self.odd not in ("float64", "list"):
            return whole
        odd: dict[str, Any] = {
            "float64": whole.astype(np.float64),
            "list": whole.tolist(),
            "outside": whole + np.float32(100),
            "shape": whole[:2],
            "kind": whole.astype(np.int64),
            "not finite": whole * np.float32(np.nan),
            "ragged": [1.0, [2.0], 3.0],
            "nothing": None,
        }
        return odd.get(self.odd, whole)


SPACES: dict[str, Any] = {
    "part": spaces.Dict(a=spaces.Box(-1, 1, (1,)), b=spaces.Discrete(3)),
    "choices": spaces.Dict(
        one=spaces.Discrete(3, start=-1),
        many=spaces.MultiDiscrete([2, 3]),
        bits=spaces.MultiBinary(2),
    ),
    "share of a choice": spaces.Discrete(3),
    "choice beyond": spaces.Discrete(3),
    "share of bits": spaces.MultiBinary(2),
    "half": spaces.Dict(mission=spaces.Text(50), x=spaces.Box(-1, 1, (1,))),
    "half in a view": spaces.Text(50),
    "bytes": spaces.Text(50),
    "image of floats": spaces.Box(0, 255, (20, 20, 3), np.uint8),
    "image of int64": spaces.Box(0, 255, (20, 20, 3), np.uint8),
}
PARTS: dict[str, Any] = {
    "part": lambda t: {"a": np.zeros(1, np.float32), **({"b": 1} if t < 5 else {})},
    "choices": lambda t: {
        "one": np.int32(-1), "many": np.array([1, 2]), "bits": np.array([True, False])
    },
    "share of a choice": lambda t: 1.5 if t >= 5 else 1,
    "choice beyond": lambda t: 7 if t >= 5 else 1,
    "share of bits": lambda t: np.full(2, 0.5 if t >= 5 else 1.0),
    "half": lambda t: {"mission": "go \ud83d" if t >= 5 else "go", "x": np.zeros(1, np.float32)},
    "half in a view": lambda t: "go \ud83d" if t >= 5 else "go",
    "bytes": lambda t: b"go" if t >= 5 else "go",
    "image of floats": lambda t: np.zeros((20, 20, 3), np.float64 if t >= 5 else np.uint8),
    "image of int64": lambda t: np.full((20, 20, 3), 200),
}  # fmt: skip

gymnasium.register("faultygym/Odd-v0", entry_point="faultygym:Odd")
