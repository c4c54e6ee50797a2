"""`ask_spglib`: one way to call spglib, whatever its version does where it finds nothing."""

from __future__ import annotations

from typing import Any

import numpy as np


def ask_spglib(function: str, cell: np.ndarray, positions: np.ndarray, numbers: np.ndarray, symprec: float) -> Any:
    """Call a function of spglib on a crystal.

    Parameters
    ----------
    function : str
        Such as ``get_symmetry_dataset`` or ``find_primitive``.
    cell : numpy.ndarray, shape (3, 3)
        Lattice vectors as rows, in Å.
    positions : numpy.ndarray, shape (n, 3)
        Fractional.
    numbers : numpy.ndarray, shape (n,), int
    symprec : float
        Å.

    Returns
    -------
    object
        What the function returns; None if it finds nothing, as where two atoms are at one place.
    """
    import spglib  # slow to import

    try:
        return getattr(spglib, function)((cell.tolist(), positions.tolist(), numbers.tolist()), symprec=symprec)
    except spglib.SpglibError:  # some versions raise, others return None
        return None
