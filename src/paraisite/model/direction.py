"""Direction: the diagonal of the lattice thermal conductivity relative to its mean, from a structure alone.

A network chooses the stiffness of each bond from the elements, lengths, valences and surroundings of both ends
(`springs.py` says what it knows of them); the phonons of these springs give Σ C v⊗v at 300 K. It was trained end to
end on that tensor of the PBEsol phonons in `phonondb_harmonic`, that is: on conductivities of modes that all live
equally long. `tools/make_direction.py` trains and scores it. Each member of the ensemble was trained without one fold
of formulas; here their stiffnesses are averaged.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.model.springs import Bonds, Standard, find_bonds, standardise, transport, wave_vectors

LN_STIFFNESS = 11.0
"""ln of the stiffness (u ps⁻²) of a bond as long as the sum of its covalent radii, from which the network starts."""

LARGEST = 6.0
"""Most that the network changes ln of a stiffness by."""

TRANSVERSE = (0.6, -1.6)
"""Largest stiffness across a bond, relative to that along it, and the logit from which the network starts."""

PLANAR = 1.6
"""Most that the tensor of the surroundings changes the stiffness across a bond by, relative to it."""

MAX_SITES = 64
"""Sites of the largest primitive cell whose phonons are computed; the time grows with the cube."""

FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Anisotropy:
    """How a crystal's conductivity depends on direction.

    Attributes
    ----------
    ratios : numpy.ndarray, shape (3,)
        κ_xx, κ_yy, κ_zz over their mean, in the standard setting of the crystal (spglib's, as `verify` writes its
        tensors); the components that symmetry makes equal are exactly equal.
    log10_std : float
        Standard deviation of log10(κ_ii/κ_jj) between two axes that symmetry leaves free, from held-out crystals;
        0 for a cubic crystal.
    inside : bool
        Whether the elements, size and bonds of the crystal are like those it was trained on.
    """

    ratios: np.ndarray
    log10_std: float
    inside: bool


@dataclass(frozen=True, slots=True, eq=False)
class Direction:
    """The trained ensemble.

    Attributes
    ----------
    weights : dict of str to numpy.ndarray
        The first axis of each is that of the members.
    card : dict
        `elements` (atomic numbers trained on), `spread` (of held-out errors), and where it comes from.
    """

    weights: dict[str, np.ndarray]
    card: dict[str, Any]

    @classmethod
    def load(cls, folder: Path | None = None) -> Direction:
        """Load the shipped ensemble, or one of `tools/make_direction.py` from a folder.

        Raises
        ------
        ValueError
            If the card and the weights do not belong together.
        """
        return _shipped() if folder is None else _load(folder)

    def __call__(self, crystal: Crystal, members: Sequence[int] | None = None) -> Anisotropy | None:
        """Predict one crystal.

        Parameters
        ----------
        crystal : Crystal
        members : sequence of int, optional
            Which networks; all by default. Network `fold(formula)` was not trained on a formula.

        Returns
        -------
        Anisotropy or None
            None where no direction can be told: spglib finds no space group, an element lies beyond plutonium, the
            primitive cell has more than `MAX_SITES` sites, or no bond holds the crystal together along some axis.
        """
        if crystal.numbers.max(initial=0) >= self.weights["elements"].shape[1]:
            return None
        cell = standardise(crystal)
        if cell is None:
            return None
        known = np.isin(cell.numbers, self.card["elements"]).all()
        if cell.group_number >= 195:
            return Anisotropy(np.ones(3), 0.0, bool(known))
        if len(cell.numbers) > MAX_SITES:
            return None
        bonds = find_bonds(cell)
        if len(bonds.src) == 0:
            return None
        chosen = np.arange(len(self.weights["elements"])) if members is None else np.asarray(members)
        tensor = transport(cell, bonds, self.stiffness(cell, bonds, chosen), *wave_vectors(cell))
        diagonal = np.diag(tensor).copy()
        if cell.group_number >= 75:
            diagonal[:2] = diagonal[:2].mean()
        if not np.isfinite(diagonal).all() or diagonal.min() <= 1e-6 * diagonal.max():
            return None
        logs = np.log10(diagonal)
        ratios = diagonal / diagonal.mean()
        floor, slope = self.card["spread"]
        std = float(np.hypot(floor, slope * np.ptp(logs)))
        bound = len(np.unique(bonds.dst)) == len(cell.numbers)
        return Anisotropy(ratios, std, bool(known and bound))

    def stiffness(self, cell: Standard, bonds: Bonds, members: np.ndarray) -> np.ndarray:
        """Force constants of each bond that some members choose on the average, shape (b, 3, 3), u ps⁻²."""
        w = {name: value[members] for name, value in self.weights.items()}
        src, dst = bonds.src, bonds.dst
        element = w["elements"][:, cell.numbers]
        x = (bonds.features - w["mean"][:, None]) / w["scale"][:, None]
        both = element[:, dst] + element[:, src]
        x = np.concatenate([x, both], axis=2)

        hidden = _silu(np.concatenate([x, element[:, dst]], axis=2) @ w["message_1"] + w["message_1_bias"][:, None])
        message = (hidden @ w["message_2"] + w["message_2_bias"][:, None]) * bonds.share[:, None]
        first = np.flatnonzero(np.diff(dst, prepend=-1))
        sites = np.zeros((len(members), len(cell.numbers), message.shape[2]))
        sites[:, dst[first]] = np.tanh(np.add.reduceat(message, first, axis=1))

        a, b = sites[:, dst], sites[:, src]
        x = np.concatenate([x, element[:, dst] * element[:, src], a + b, a * b], axis=2)
        x = _silu(x @ w["bond_1"] + w["bond_1_bias"][:, None])
        x = _silu(x @ w["bond_2"] + w["bond_2_bias"][:, None])
        y = x @ w["bond_3"] + w["bond_3_bias"][:, None]
        change = np.clip(y[:, :, 0], -LARGEST, LARGEST) + w["slope"] * bonds.ln_valence + w["offset"]
        along = np.exp(LN_STIFFNESS + change.mean(axis=0)) * bonds.fade
        transverse = along * TRANSVERSE[0] / (1.0 + np.exp(-y[:, :, 1].mean(axis=0) - TRANSVERSE[1]))
        planar = transverse * PLANAR * np.tanh(y[:, :, 2].mean(axis=0))
        stiffness: np.ndarray = (
            (along - transverse)[:, None, None] * bonds.along
            + transverse[:, None, None] * np.eye(3)
            + planar[:, None, None] * bonds.across
        )
        return stiffness


def fold(formula: str) -> int:
    """Fold of a reduced formula, on which the member of that number was not trained."""
    return int(hashlib.sha256(formula.encode()).hexdigest(), 16) % FOLDS


@cache
def _shipped() -> Direction:
    return _load(Path(str(files("paraisite.model") / "auxiliary" / "direction")))


def _load(folder: Path) -> Direction:
    from safetensors.numpy import load_file

    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    weights = load_file(folder / "direction.safetensors")
    if card["members"] != len(weights["elements"]):
        raise ValueError(f"{folder}: the card and the weights differ in the number of members; install it again")
    return Direction({name: value.astype(np.float64) for name, value in weights.items()}, card)


def _silu(x: np.ndarray) -> np.ndarray:
    return x / (1.0 + np.exp(-x))
