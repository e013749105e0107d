"""Faster simulators of our tasks that others have written, as adapters, to be compared by
`bench verify --backend candidates:CLASS --suite S` from this folder, and by backends.py.

docs/backends.md says in what each differs from the ordinary simulator, or that it is slower. They
are no part of bench. EnvPool (1.2.5) is needed for those that begin with EnvPool.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from adapters.atari import AtariAdapter
from adapters.metaworld import MetaWorldAdapter
from adapters.minigrid import STEPS, MiniGridAdapter, _pack
from harness.core import Case, Missing, Task, TimeStep
from harness.core.nouns import Brief

EMPTY = 1
"""MiniGrid's number of a cell with nothing in it."""
ONE = {"num_envs": 1, "num_threads": 1}


def _narrowed(brief: Brief, *views: str) -> Brief:
    kept = {name: brief.observation[name] for name in views}
    return Brief(kept, brief.action, brief.embodiment, brief.simulator, brief.control_hz)


def _camel(game: str) -> str:
    return "".join(word.capitalize() for word in game.split("_"))


class EnvPoolMiniGrid(MiniGridAdapter):
    """MiniGrid and BabyAI in C++. A level is drawn from a stream of its own, keyed by the seed."""

    packages: ClassVar[tuple[str, ...]] = ("envpool",)

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        import envpool

        if task is not None and task.params["id"] not in envpool.list_all_envs():
            return Missing(f"EnvPool has no {task.params['id']}", "leave it out")
        return super().missing(task)

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        return False

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.brief = _narrowed(self.brief, "grid", "direction")

    def reset(self, case: Case) -> TimeStep:
        import envpool
        from envpool.minigrid import decode_mission

        # Its seed counts at construction only; it is a C++ int.
        self._pool = envpool.make_gymnasium(self._level, seed=case.seed % 2**31, **ONE)
        seen, _ = self._pool.reset()
        self._steps = 0
        self._said = str(decode_mission(seen["mission"][0]))
        return self._told(seen, 0.0, False, False)

    def step(self, action: Any) -> TimeStep:
        seen, reward, ended, cut, _ = self._pool.step(np.array([action], np.int32))
        self._steps += 1
        return self._told(seen, float(reward[0]), bool(ended[0]), bool(cut[0]))

    def _told(self, seen: Any, reward: float, ended: bool, cut: bool) -> TimeStep:
        views = {"grid": seen["image"][0], "direction": int(seen["direction"][0])}
        won = (ended or cut) and reward > 0
        return TimeStep(views, self._said, reward, ended, cut, won)

    def state(self) -> bytes:
        """As the adapter gives it: where the agent is, what it carries and what is ahead."""
        inside = self._pool._debug_states(np.array([0], np.int32))[0]
        (x, y), turned = inside.agent_pos, inside.agent_dir
        ahead_x, ahead_y = x + STEPS[turned][0], y + STEPS[turned][1]
        at = 3 * (ahead_y * inside.width + ahead_x)
        ahead = tuple(inside.grid[at : at + 3])
        told = _pack(x, y, turned, self._steps)
        if inside.has_carrying:
            what = inside.carrying_type, inside.carrying_color, inside.carrying_state
            told += b"c%d,%d,%d" % what
        return told if ahead[0] == EMPTY else told + b"a%d,%d,%d" % ahead


class EnvPoolMetaWorld(MetaWorldAdapter):
    """Meta-World in C++, on MuJoCo 3.6; starts and goals from a stream of its own, goals unseen."""

    packages: ClassVar[tuple[str, ...]] = ("envpool",)

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        return False

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.brief = _narrowed(self.brief, "state", "proprio")
        self._id = "MetaWorld/" + "".join(part.capitalize() for part in self._name[:-3].split("-"))

    def reset(self, case: Case) -> TimeStep:
        import envpool

        self._pool = envpool.make_gymnasium(self._id + "-v3", seed=case.seed, **ONE)
        seen, _ = self._pool.reset()
        return self._told(seen, 0.0, False, {})

    def step(self, action: Any) -> TimeStep:
        seen, reward, _, cut, info = self._pool.step(action[None])
        return self._told(seen, float(reward[0]), bool(cut[0]), info)

    def _told(self, seen: Any, reward: float, cut: bool, info: Any) -> TimeStep:
        self._observed = seen[0]
        won = bool(info["success"][0]) if info else False
        return TimeStep(self._views, self._instruction, reward, False, cut, won)

    def state(self) -> bytes:
        return bytes(self._observed.tobytes())


class RolloutMetaWorld(MetaWorldAdapter):
    """Meta-World whose physics `mujoco.rollout` steps, as it would for many lanes at once."""

    @staticmethod
    def _form(kind: Any) -> Any:
        import mujoco
        from mujoco import rollout

        physics = int(mujoco.mjtState.mjSTATE_FULLPHYSICS)
        inputs = int(
            mujoco.mjtState.mjSTATE_CTRL
            | mujoco.mjtState.mjSTATE_MOCAP_POS
            | mujoco.mjtState.mjSTATE_MOCAP_QUAT
        )

        class Rolled(kind):  # type: ignore[misc]
            def _step_mujoco_simulation(self, ctrl: Any, n_frames: int) -> None:
                model, data = self.model, self.data
                data.ctrl[:] = ctrl
                state = np.empty(mujoco.mj_stateSize(model, physics))
                mujoco.mj_getState(model, data, state, physics)
                control = np.empty(mujoco.mj_stateSize(model, inputs))
                mujoco.mj_getState(model, data, control, inputs)
                rollout.rollout(
                    model,
                    [data],
                    state[None],
                    np.tile(control, (1, n_frames, 1)),
                    control_spec=inputs,
                    initial_warmstart=data.qacc_warmstart.copy()[None],
                )
                mujoco.mj_rnePostConstraint(model, data)

        return Rolled


class EnvPoolAtari(AtariAdapter):
    """EnvPool's Atari from a start with as many no-ops; one pool an episode.

    Its resets of a used emulator leave traces in 30 games. It has neither the picture in colours as
    ours nor the number of frames.
    """

    packages: ClassVar[tuple[str, ...]] = ("envpool", "ale-py")

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        if task is not None and task.params.get("sticky"):
            return Missing("EnvPool draws sticky actions from a stream of its own", "play `atari`")
        return super().missing(task)

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.brief = _narrowed(self.brief, "state", "image_gray")

    def reset(self, case: Case) -> TimeStep:
        import envpool

        first = super().reset(case)  # for the first picture, of which EnvPool pools nothing
        self._noops = len(self._executed)
        self._pool = envpool.make_gymnasium(
            _camel(self._settings.game) + "-v5", noop_max=30, use_fire_reset=False, stack_num=1,
            img_height=210, img_width=160, max_episode_steps=100_000, seed=_seed(self._noops, 30),
            frame_skip=self._settings.frame_skip, **ONE,
        )  # fmt: skip
        _, info = self._pool.reset()
        self._ram, self._steps = info["ram"][0], 0
        views = {name: first.observation[name] for name in self.brief.observation}
        return TimeStep(views, first.instruction, metrics=first.metrics)

    def step(self, action: Any) -> TimeStep:
        seen, reward, ended, _, info = self._pool.step(np.array([action], np.int32))
        self._ram, self._steps = info["ram"][0], self._steps + 1
        frames = self._noops + self._steps * self._settings.frame_skip
        metrics = {"lives": float(info["lives"][0]), "frames": float(frames)}
        views = {"state": self._ram, "image_gray": lambda: self._averaged(seen[0, 0])}
        return TimeStep(views, self._instruction, float(reward[0]), bool(ended[0]), metrics=metrics)

    def _averaged(self, frame: Any) -> np.ndarray:
        luma = frame.astype(np.float32)
        gray: np.ndarray = np.floor(self._rows @ luma @ self._columns / luma.size + 0.5)
        return gray.astype(np.uint8)

    def state(self) -> bytes:
        return bytes(self._ram.tobytes())


def _seed(noops: int, most: int) -> int:
    """The first seed with which EnvPool's first reset draws so many no-ops, of 1 to `most`."""
    seed = 0
    while True:
        drawn = int(np.random.RandomState(seed)._bit_generator.random_raw())
        if (drawn * most >> 32) + 1 == noops:
            return seed
        seed += 1


class AleVectorAtari(AtariAdapter):
    """ale-py's own vector environment. It does not show the console's memory."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.brief = _narrowed(self.brief, "image_gray")

    def reset(self, case: Case) -> TimeStep:
        from ale_py.vector_env import AtariVectorEnv

        first = super().reset(case)
        self._pool = AtariVectorEnv(
            self._settings.game, 1, num_threads=1, img_height=210, img_width=160, stack_num=1,
            noop_max=self._settings.noop_max, reward_clipping=False, use_fire_reset=False,
            repeat_action_probability=self._settings.sticky, frameskip=self._settings.frame_skip,
            max_num_frames_per_episode=400_000,
        )  # fmt: skip
        seen, info = self._pool.reset(seed=case.seed)
        return self._told(seen, 0.0, False, info, first.instruction)

    def step(self, action: Any) -> TimeStep:
        seen, reward, ended, _, info = self._pool.step(np.array([action]))
        return self._told(seen, float(reward[0]), bool(ended[0]), info, self._instruction)

    def _told(self, seen: Any, reward: float, ended: bool, info: Any, said: str) -> TimeStep:
        metrics = {
            "lives": float(info["lives"][0]),
            "frames": float(info["episode_frame_number"][0]),
        }
        views = {"image_gray": lambda: EnvPoolAtari._averaged(self, seen[0, 0])}  # type: ignore[arg-type]
        return TimeStep(views, said, reward, ended, metrics=metrics)

    def state(self) -> bytes:
        return b""


def main() -> None:
    """Steps per second of processor time of pools of 64 of EnvPool, resets included."""
    import time

    import envpool

    for name in ("BabyAI-GoToLocal-v0", "MiniGrid-DoorKey-8x8-v0", "Pong-v5", "MetaWorld/Push-v3"):
        pool = envpool.make_gymnasium(name, num_envs=64, num_threads=2, seed=0)
        pool.reset()
        rng = np.random.default_rng(0)
        space, steps = pool.action_space, 100 if "v5" in name or "/" in name else 1000
        begun = time.process_time()
        for _ in range(steps):
            actions = (
                rng.integers(space.n, size=64).astype(np.int32)
                if hasattr(space, "n")
                else rng.uniform(-1, 1, (64, *space.shape)).astype(np.float32)
            )
            pool.step(actions)
        print(f"{name:28} {64 * steps / (time.process_time() - begun):9.0f}", flush=True)


if __name__ == "__main__":
    main()
