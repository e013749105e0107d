"""Rotations from one representation to another. Their names are in harness/core/layout.py."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["convert"]

Array = np.ndarray[Any, Any]
TINY = 1e-9


def convert(values: Array, old: str, new: str) -> Array:
    """The same rotation in another representation, float64 (n,). Angles are in rad.

    A quaternion need not have the length 1. It becomes a rotation vector whose angle is 2 acos(w),
    from 0 to 2 pi: a w below 0 is not turned into one above. That is what robosuite's
    quat2axisangle does, and with it the states that policies for LIBERO were trained on.
    """
    given = np.asarray(values, np.float64)
    if old == new:
        return given
    if old.startswith("quaternion"):
        quaternion = given if old.endswith("wxyz") else np.roll(given, 1)
        quaternion = quaternion / max(float(np.linalg.norm(quaternion)), TINY)
        if new.startswith("quaternion"):
            return quaternion if new.endswith("wxyz") else np.roll(quaternion, -1)
        if new == "axis_angle":
            return _axis_angle(quaternion)
        return _from_matrix(_of_quaternion(quaternion), new)
    return _from_matrix(_to_matrix(given, old), new)


def _axis_angle(quaternion: Array) -> Array:
    w = float(np.clip(quaternion[0], -1.0, 1.0))
    length = float(np.sqrt(max(0.0, 1.0 - w * w)))
    if length < TINY:
        return np.zeros(3)
    vector: Array = quaternion[1:] * (2.0 * np.arccos(w) / length)
    return vector


def _of_quaternion(quaternion: Array) -> Array:
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _about(axis: int, angle: float) -> Array:
    """The matrix that turns about one axis."""
    matrix = np.eye(3)
    after, last = (axis + 1) % 3, (axis + 2) % 3
    matrix[[after, last], [after, last]] = np.cos(angle)
    matrix[last, after], matrix[after, last] = np.sin(angle), -np.sin(angle)
    return matrix


def _to_matrix(values: Array, representation: str) -> Array:
    if representation == "axis_angle":
        angle = float(np.linalg.norm(values))
        if angle < TINY:
            return np.eye(3)
        half = angle / 2.0
        return _of_quaternion(np.array([np.cos(half), *(values / angle * np.sin(half))]))
    if representation == "euler_xyz":
        x, y, z = (_about(axis, angle) for axis, angle in enumerate(values))
        return z @ y @ x
    if representation == "euler_xyz_intrinsic":
        x, y, z = (_about(axis, angle) for axis, angle in enumerate(values))
        return x @ y @ z
    if representation == "rot6d":
        first = values[:3] / max(float(np.linalg.norm(values[:3])), TINY)
        second = values[3:] - (first @ values[3:]) * first
        second = second / max(float(np.linalg.norm(second)), TINY)
        return np.stack([first, second, np.cross(first, second)], axis=1)
    if representation == "matrix":
        return values.reshape(3, 3)
    raise ValueError(f"{representation!r} is no representation of a rotation")


def _from_matrix(matrix: Array, representation: str) -> Array:
    if representation == "matrix":
        return matrix.reshape(9)
    if representation == "rot6d":
        return np.concatenate([matrix[:, 0], matrix[:, 1]])
    if representation == "euler_xyz":
        # The transposed matrix of fixed axes is that of turned axes by the opposite angles.
        return -_intrinsic(matrix.T)
    if representation == "euler_xyz_intrinsic":
        return _intrinsic(matrix)
    quaternion = _to_quaternion(matrix)
    if representation == "axis_angle":
        return _axis_angle(quaternion)
    if representation == "quaternion_wxyz":
        return quaternion
    if representation == "quaternion_xyzw":
        return np.roll(quaternion, -1)
    raise ValueError(f"{representation!r} is no representation of a rotation")


def _intrinsic(matrix: Array) -> Array:
    """Angles a, b, c with matrix = Rx(a) Ry(b) Rz(c); c is 0 where a and c are not unique."""
    b = float(np.arcsin(np.clip(matrix[0, 2], -1.0, 1.0)))
    if abs(matrix[0, 2]) > 1.0 - 1e-9:
        return np.array([np.arctan2(matrix[2, 1], matrix[1, 1]), b, 0.0])
    a = np.arctan2(-matrix[1, 2], matrix[2, 2])
    return np.array([a, b, np.arctan2(-matrix[0, 1], matrix[0, 0])])


def _to_quaternion(matrix: Array) -> Array:
    """w, x, y, z with w from 0 on; by the largest of the four, which keeps the digits."""
    diagonal = matrix.diagonal()
    squares = np.array([1 + diagonal.sum(), *(1 - diagonal.sum() + 2 * diagonal)])
    largest = int(squares.argmax())
    if largest == 0:
        parts = np.array(
            [
                squares[0],
                matrix[2, 1] - matrix[1, 2],
                matrix[0, 2] - matrix[2, 0],
                matrix[1, 0] - matrix[0, 1],
            ]
        )
    else:
        i = largest - 1
        j, k = (i + 1) % 3, (i + 2) % 3
        parts = np.zeros(4)
        parts[0] = matrix[k, j] - matrix[j, k]
        parts[1 + i] = squares[largest]
        parts[1 + j] = matrix[i, j] + matrix[j, i]
        parts[1 + k] = matrix[i, k] + matrix[k, i]
    quaternion: Array = parts / np.linalg.norm(parts)
    return quaternion if quaternion[0] >= 0 else -quaternion
