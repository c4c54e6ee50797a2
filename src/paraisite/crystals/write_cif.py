"""`cif_text`: a crystal as a CIF that gives the same crystal when it is read."""

from __future__ import annotations

import re

import numpy as np

from paraisite.crystals.crystal import Crystal


def cif_text(crystal: Crystal, name: str) -> str:
    """Return a CIF in P 1; lengths and angles of the cell, positions as they are, to the last digit.

    Parameters
    ----------
    crystal : Crystal
    name : str
        Of the data block; what a block cannot be called by becomes an underscore.
    """
    from gemmi import cif

    document = cif.Document()
    block = document.add_new_block(re.sub(r"[^!-~]", "_", name))
    lengths = np.linalg.norm(crystal.cell, axis=1)
    for i, axis in enumerate("abc"):
        block.set_pair(f"_cell_length_{axis}", repr(lengths[i].item()))
    for i, angle in enumerate(("alpha", "beta", "gamma")):
        block.set_pair(f"_cell_angle_{angle}", repr(_angle(crystal.cell[i - 2], crystal.cell[i - 1])))
    block.set_pair("_symmetry_space_group_name_H-M", "'P 1'")
    block.set_pair("_symmetry_Int_Tables_number", "1")
    block.init_loop("_symmetry_equiv_pos_", ["as_xyz"]).add_row(["'x, y, z'"])
    columns = ["type_symbol", "label", "occupancy", "fract_x", "fract_y", "fract_z"]
    loop = block.init_loop("_atom_site_", columns)
    for i, (symbol, position) in enumerate(zip(crystal.symbols, crystal.positions.tolist(), strict=True), start=1):
        loop.add_row([symbol, f"{symbol}{i}", "1", *map(repr, position)])
    return document.as_string()


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    """Angle between two vectors in degrees, to the last digits also where its cosine is near 0, 1 or -1.

    W. Kahan, How Futile are Mindless Assessments of Roundoff in Floating-Point Computation? (2006), section 12.
    """
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return 2.0 * np.degrees(np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))).item()
