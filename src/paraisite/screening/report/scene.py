"""`scene`: a crystal as balls, sticks and a cell, for the page to draw."""

from __future__ import annotations

from typing import Any

import numpy as np

from paraisite.crystals import Crystal
from paraisite.crystals.elements import SYMBOLS

BOND = 1.15
"""Sites closer than this times the sum of their covalent radii (as ASE has them) are joined."""

ON_FACE = 1e-3
"""Sites nearer to a face of the cell, in fractions of an edge, are repeated on the face opposite."""


def scene(crystal: Crystal) -> dict[str, Any]:
    """Lay a crystal out to be drawn.

    Returns
    -------
    dict
        `cell`, three vectors in Å; `atoms`, lists of x, y, z (Å, from the middle of the cell) and index of the
        element; `bonds`, pairs of indices of atoms; `elements`, lists of symbol, colour and radius in Å. Distances are
        those that are seen: atoms of the cell with those on its faces repeated.
    """
    from ase.data import covalent_radii
    from ase.data.colors import jmol_colors
    from scipy.spatial import cKDTree

    wrapped = crystal.positions - np.floor(crystal.positions + ON_FACE)
    places, kinds = [wrapped], [crystal.numbers]
    for axis in range(3):
        at, z = np.concatenate(places), np.concatenate(kinds)
        low = np.abs(at[:, axis]) < ON_FACE
        places, kinds = [at, at[low] + np.eye(3)[axis]], [z, z[low]]
    at, z = np.concatenate(places), np.concatenate(kinds)
    xyz = (at - 0.5) @ crystal.cell
    numbers = sorted(set(z.tolist()))
    radius = covalent_radii[z]
    i, j = cKDTree(xyz).query_pairs(2 * BOND * radius.max(), output_type="ndarray").T
    near = np.linalg.norm(xyz[i] - xyz[j], axis=1) < BOND * (radius[i] + radius[j])
    return {
        "cell": np.round(crystal.cell, 3).tolist(),
        "atoms": [[*row, numbers.index(n)] for row, n in zip(np.round(xyz, 2).tolist(), z.tolist(), strict=True)],
        "bonds": np.stack([i, j], axis=1)[near].tolist(),
        "elements": [
            [SYMBOLS[n], "#" + bytes(int(255 * c) for c in jmol_colors[n]).hex(), round(float(covalent_radii[n]), 2)]
            for n in numbers
        ],
    }
