"""Spacings of lattice planes and short lattice vectors, in plain Python: for three vectors faster than an array."""

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
    across = cross(b, c), cross(c, a), cross(a, b)
    volume = abs(a[0] * across[0][0] + a[1] * across[0][1] + a[2] * across[0][2])
    i, j, k = (volume / (x * x + y * y + z * z) ** 0.5 for x, y, z in across)
    return i, j, k


_PAIRS = ((0, 1, 2), (0, 2, 1), (1, 2, 0))


def shorten(vectors: list[Vector]) -> bool:
    """Make the vectors of a cell short, by taking one from another while that helps; tell whether it did."""
    changed = False
    for _ in range(200):
        a, b, c = vectors
        square = dot(a, a), dot(b, b), dot(c, c)
        product = dot(b, c), dot(a, c), dot(a, b)
        longest = max(square)
        for i, j, k in _PAIRS:
            if 2 * abs(product[k]) > 1.0001 * min(square[i], square[j]):
                short, long = (i, j) if square[i] <= square[j] else (j, i)
                vectors[long] = add(vectors[long], -round(product[k] / square[short]), vectors[short])
                break
            if square[k] == longest:  # by both of the others
                s, t = (-1 if product[j] > 0 else 1), (-1 if product[i] > 0 else 1)
                if square[i] + square[j] + 2 * (s * product[j] + t * product[i] + s * t * product[k]) < -1e-4 * longest:
                    vectors[k] = add(add(vectors[k], s, vectors[i]), t, vectors[j])
                    break
        else:
            break
        changed = True
    return changed


def dot(a: Vector, b: Vector) -> float:
    """Scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> Vector:
    """Vector product."""
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]


def add(a: Vector, n: int, b: Vector) -> Vector:
    """The sum a + n b."""
    return [a[0] + n * b[0], a[1] + n * b[1], a[2] + n * b[2]]


def reduced(cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Short vectors of the same lattice, and the matrix that makes fractional coordinates those of them.

    Returns
    -------
    short : numpy.ndarray, shape (3, 3)
    change : numpy.ndarray, shape (3, 3)
        Of integers: ``positions @ change`` are coordinates in `short`, and ``change @ short`` is the cell.
    """
    vectors: list[Vector] = cell.tolist()
    if not shorten(vectors):
        return cell, np.eye(3)
    short = np.array(vectors)
    return short, np.rint(cell @ np.linalg.inv(short))
