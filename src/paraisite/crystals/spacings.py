"""Spacings of lattice planes, in plain Python: for three vectors that is faster than an array."""

from __future__ import annotations

import numpy as np

Vector = list[float]


def plane_spacings(cell: np.ndarray) -> tuple[float, float, float]:
    """Distance between neighbouring planes that two lattice vectors span, for each third one, in Å.

    Parameters
    ----------
    cell : numpy.ndarray, shape (3, 3)
        Lattice vectors as rows, in Å; their volume is not zero.
    """
    a, b, c = cell.tolist()
    across = _cross(b, c), _cross(c, a), _cross(a, b)
    volume = abs(a[0] * across[0][0] + a[1] * across[0][1] + a[2] * across[0][2])
    i, j, k = (volume / (x * x + y * y + z * z) ** 0.5 for x, y, z in across)
    return i, j, k


def _cross(a: Vector, b: Vector) -> Vector:
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
