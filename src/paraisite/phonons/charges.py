"""Born effective charges and the dielectric tensor, for the non-analytical term of polar crystals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from paraisite.phonons.cells import PhononError

if TYPE_CHECKING:
    from phonopy.structure.atoms import PhonopyAtoms

MAX_TENSOR = 1e3
"""Beyond any element of a charge tensor (in e) or of a dielectric tensor."""


def read_born(text: str, primitive: PhonopyAtoms) -> Any:
    """Read a BORN file of phonopy's.

    Parameters
    ----------
    text : str
        A first line that is a comment, ``default`` or a conversion factor, the dielectric tensor, and the charge tensor
        of each atom that symmetry leaves independent.
    primitive : phonopy.structure.atoms.PhonopyAtoms
        The cell it is meant for.

    Returns
    -------
    dict
        As `Phono3py.nac_params` takes it; without a factor in the file, that of Å and eV.

    Raises
    ------
    PhononError
        If the file does not fit the cell, or its numbers make no sense.
    """
    from phonopy.file_IO import parse_BORN_from_strings
    from phonopy.interface.calculator import get_calculator_physical_units

    try:
        found: Any = parse_BORN_from_strings(text, primitive)
        tensors = np.concatenate([np.reshape(found["dielectric"], (1, 3, 3)), found["born"]])
        if not np.abs(tensors).max() < MAX_TENSOR:  # nor are they NaN
            raise ValueError("its numbers are not finite or implausibly large")
        if not np.linalg.eigvalsh(tensors[0]).min() >= 1:
            raise ValueError("its dielectric tensor has an eigenvalue below that of the vacuum")
    except Exception as error:
        raise PhononError(
            f"the BORN file does not fit the primitive cell of relaxed.vasp ({error}); write one with "
            "phonopy-vasp-born, or by hand: a line with 'default', the dielectric tensor, and a charge tensor for each "
            "independent atom"
        ) from error
    found.setdefault("factor", get_calculator_physical_units("vasp").nac_factor)
    return found
