"""The backend `lean` of Meta-World: the package's own tasks with less Python around each step.

MuJoCo takes a tenth to a third of a step of Meta-World. The rest is Python that asks for
general-purpose code to do a little: scipy checks a rotation matrix before it becomes a quaternion,
every contact becomes an object, numpy splits and stacks arrays of three numbers. Here the same
numbers come from the same operations in the same order, without that. The rewards and successes are
those of the package: its functions are used as they are, with two of their helpers exchanged.

Whether the numbers are equal to the last bit is not assumed: see docs/backends.md.
"""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from adapters.metaworld import MetaWorldAdapter

__all__ = ["LeanMetaWorldAdapter"]

DOWN = (1.0, 0.0, 1.0, 0.0)
"""The orientation that every step gives to the hand's target."""


class LeanMetaWorldAdapter(MetaWorldAdapter):
    """As MetaWorldAdapter, with the same views, rewards and states."""

    packages = (*MetaWorldAdapter.packages, "scipy")

    @staticmethod
    def _form(kind: Any) -> Any:
        return _lean(kind)


class _Lean:
    """Comes before a class of Meta-World and answers in its place.

    Each method has the docstring, and the result, of the method of that name in the package.
    """

    # What the package looks up by name at every step is looked up once.
    @functools.cached_property
    def _bodies(self: Any) -> dict[str, int]:
        return {self.model.body(number).name: number for number in range(self.model.nbody)}

    @functools.cached_property
    def _sites(self: Any) -> dict[str, int]:
        return {self.model.site(number).name: number for number in range(self.model.nsite)}

    @functools.cached_property
    def _claws(self: Any) -> tuple[int, int]:
        return self._bodies["rightclaw"], self._bodies["leftclaw"]

    @functools.cached_property
    def _ends(self: Any) -> tuple[int, int]:
        return self._sites["rightEndEffector"], self._sites["leftEndEffector"]

    @functools.cached_property
    def _pads(self: Any) -> tuple[int, int]:
        return self.model.geom("leftpad_geom").id, self.model.geom("rightpad_geom").id

    def get_body_com(self: Any, body_name: str) -> Any:
        return self.data.xpos[self._bodies[body_name]]

    def get_endeff_pos(self: Any) -> Any:
        return self.data.xpos[self._bodies["hand"]]

    @property
    def tcp_center(self: Any) -> Any:
        right, left = self._ends
        sites = self.data.site_xpos
        return (sites[right] + sites[left]) / 2.0

    def _get_site_pos(self: Any, site_name: str) -> Any:
        return self.data.site_xpos[self._sites[site_name]].copy()

    def _set_pos_site(self: Any, name: str, pos: Any) -> None:
        self.data.site_xpos[self._sites[name]] = pos[:3]

    def set_xyz_action(self: Any, action: Any) -> None:
        data = self.data
        target = data.mocap_pos
        target += action.clip(-1, 1) * self.action_scale
        target[0] = target[0].clip(self.mocap_low, self.mocap_high)
        data.mocap_quat[:] = DOWN

    def touching_object(self: Any, object_geom_id: int) -> bool:
        contact, force = self.data.contact, self.data.efc_force
        left, right = self._pads
        sums: list[Any] = [0, 0]
        for number, pair in enumerate(contact.geom.tolist()):
            if object_geom_id in pair:
                for side, pad in enumerate((left, right)):
                    if pad in pair:
                        sums[side] += force[contact.efc_address[number]]
        return bool(sums[0] > 0 and sums[1] > 0)

    def _get_curr_obs_combined_no_goal(self: Any) -> Any:
        places = self.data.xpos
        right, left = self._claws
        apart = places[right] - places[left]
        objects, turned = self._get_pos_objects(), self._get_quat_objects()
        count = len(objects) // 3
        if not count or len(objects) != 3 * count or len(turned) != 4 * count:
            return super()._get_curr_obs_combined_no_goal()  # type: ignore[misc]
        seen = np.zeros(4 + self._obs_obj_max_len)
        seen[:3] = places[self._bodies["hand"]]
        # BLAS adds the three products, as in numpy's norm, so that the sum has the same bits.
        seen[3] = min(max(math.sqrt(apart.dot(apart)) / 0.1, 0.0), 1.0)
        for number in range(count):
            begin = 4 + 7 * number
            seen[begin : begin + 3] = objects[3 * number : 3 * number + 3]
            seen[begin + 3 : begin + 7] = turned[4 * number : 4 * number + 4]
        return seen

    def _get_obs(self: Any) -> Any:
        goal = self._get_pos_goal()
        if self._partially_observable:
            goal = np.zeros_like(goal)
        now = self._get_curr_obs_combined_no_goal()
        seen = np.concatenate((now, self._prev_obs, goal))
        self._prev_obs = now
        return seen

    def do_simulation(self: Any, ctrl: Any, n_frames: int) -> None:
        self._step_mujoco_simulation(ctrl, n_frames)

    def step(self: Any, action: Any) -> Any:
        if self._did_see_sim_exception:
            return super().step(action)  # type: ignore[misc]
        self.set_xyz_action(action[:3])
        if self.curr_path_length >= self.max_path_length:
            raise ValueError("You must reset the env manually once truncate==True")
        self.do_simulation([action[-1], -action[-1]], self.frame_skip)
        self.curr_path_length += 1
        for name, position in self._target_site_config:
            self._set_pos_site(name, position)
        _forward()(self.model, self.data)
        space = self.sawyer_observation_space
        seen = self._get_obs().clip(space.low, space.high)
        self._last_stable_obs = seen
        reward, info = self.evaluate_state(seen, action)
        truncate = self.curr_path_length == self.max_path_length
        return seen.copy(), reward, False, truncate, info


@functools.cache
def _forward() -> Any:
    import mujoco

    return mujoco.mj_forward


@functools.cache
def _lean(kind: type) -> type:
    """The class of an environment with the methods of `_Lean`, and its own with quick helpers."""
    from metaworld.utils import reward_utils

    quick = types.SimpleNamespace(**vars(reward_utils))
    quick.tolerance = functools.partial(_tolerance, reward_utils.tolerance)
    helpers = {"Rotation": _Rotation, "reward_utils": quick}
    own: dict[str, Any] = {}
    for name in dir(kind):
        function = getattr(kind, name)
        if not isinstance(function, types.FunctionType) or name in vars(_Lean):
            continue
        if function.__code__.co_freevars == ("func",):  # the package's assert_task_is_set
            function = function.__closure__[0].cell_contents  # type: ignore[index]
        if helpers.keys() & set(_names(function.__code__)):
            own[name] = types.FunctionType(
                function.__code__,
                {**function.__globals__, **helpers},
                name,
                function.__defaults__,
                function.__closure__,
            )
            own[name].__kwdefaults__ = function.__kwdefaults__
    return type(f"Lean{kind.__name__}", (_Lean, kind), own)


def _names(code: types.CodeType) -> Iterator[str]:
    """The global names that a function uses, also in its comprehensions."""
    yield from code.co_names
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _names(const)


class _Rotation:
    """scipy's Rotation, of which Meta-World uses `from_matrix(matrix).as_quat()` alone."""

    def __init__(self, quaternion: np.ndarray) -> None:
        self._quaternion = quaternion

    @classmethod
    def from_matrix(cls, matrix: Any) -> _Rotation:
        """The quaternion (x, y, z, w) of a rotation matrix, by scipy's operations in its order.

        scipy orthogonalises a matrix that is none first; MuJoCo's are made from unit quaternions.
        """
        m = matrix.tolist()
        trace = m[0][0] + m[1][1] + m[2][2]
        decision = [m[0][0], m[1][1], m[2][2], trace]
        i = decision.index(max(decision))
        q = [0.0, 0.0, 0.0, 0.0]
        if i == 3:
            q[0], q[1], q[2] = m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1]
            q[3] = 1 + trace
        else:
            j, k = (i + 1) % 3, (i + 2) % 3
            q[i] = 1 - trace + 2 * m[i][i]
            q[j], q[k] = m[j][i] + m[i][j], m[k][i] + m[i][k]
            q[3] = m[k][j] - m[j][k]
        norm = math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
        return cls(np.array([each / norm for each in q]))

    def as_quat(self) -> np.ndarray:
        """(x, y, z, w)."""
        return self._quaternion


def _tolerance(
    original: Any,
    x: Any,
    bounds: tuple[Any, Any] = (0.0, 0.0),
    margin: Any = 0.0,
    sigmoid: str = "gaussian",
    value_at_margin: float = 0.1,
) -> Any:
    """`reward_utils.tolerance` of one number; other cases are left to the original."""
    lower, upper = bounds
    if (
        sigmoid != "long_tail"
        or not isinstance(x, float)
        or not margin > 0
        or lower > upper
        or not 0 < value_at_margin < 1
    ):
        return original(x, bounds, margin, sigmoid, value_at_margin)
    number, low, high = float(x), float(lower), float(upper)
    if low <= number <= high:
        return 1.0
    away = (low - number if number < low else number - high) / float(margin)
    return 1 / ((away * math.sqrt(1 / value_at_margin - 1)) ** 2 + 1)
