"""How far the volume of a crystal is from the one expected for its composition and coordination.

ln of the volume per atom is learned from descriptors that do not change when all lengths are scaled: means and spreads
of elemental properties, coordination, bond order, the shape of the surroundings, and the volume in units of the bond
length (how open the structure is), together with the share of each element. What scales with the cell is left out, so
that a strain shows as a difference. The model is a ridge regression on Gaussian functions around some of the crystals:
C. K. I. Williams and M. Seeger, Advances in Neural Information Processing Systems 13, 682 (2001). A second set of
weights gives the error to expect, which is larger for layered and molecular crystals. `tools/make_volume.py` makes the
parameters and measures what they are worth (`results/volume.json`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import numpy as np
from safetensors.numpy import load_file

from paraisite.graphs.batch import GraphBatch
from paraisite.model.descriptors import OF_ELEMENT, PROPERTIES, names, width

ELEMENTS = 95
"""Atomic numbers, from 0, that have a share of their own."""

WIDTH = 8.0
"""Of the Gaussian functions, in standard deviations of the features."""

FARTHEST = 5.0
"""Standard deviations beyond which a feature counts as this far: nothing is known out there."""

LINEAR = 0.1
"""Weight of the linear terms relative to the Gaussian ones, which share one penalty."""

SMALLEST = 0.06
"""Difference of ln volume that is never warned of, 2 % in length: functionals differ by as much."""

FILE = "volume.safetensors"


def volume_features(descriptors: np.ndarray) -> np.ndarray:
    """Return what the expected volume depends on, besides the share of each element; none of it has a scale.

    Parameters
    ----------
    descriptors : numpy.ndarray, shape (G, width(True))
        Of `paraisite.model.descriptors`, with the environment.

    Returns
    -------
    numpy.ndarray, shape (G, 55), float64
    """
    of = dict(zip(names(environment=True), descriptors.T, strict=True))
    taken = [f"{statistic}_{name}" for statistic in ("mean", "std") for name in PROPERTIES]
    taken += ["open_shell"]
    taken += [f"{end}_electronegative_{name}" for end in ("least", "most") for name in OF_ELEMENT[:-1]]
    taken += "mass_disorder range_ln_mass entropy elements hydrogen range_electronegativity".split()
    taken += [f"{statistic}_coordination" for statistic in ("mean", "std", "min", "max")]
    taken += [f"{statistic}_order_{order}" for order in (2, 4, 6) for statistic in ("mean", "std")]
    taken += ["ln_primitive_sites", "ln_environments", "std_polarity"]
    shortest = of["mean_relative_bond"]
    volume = of["volume_per_site"]
    ratios = [
        of["std_relative_bond"] / shortest,
        np.log(of["min_relative_bond"] / shortest),
        np.log(of["max_relative_bond"] / shortest),
        np.log(volume / (shortest * of["mean_covalent_radius"]) ** 3),
        np.log(volume / of["bond_length"] ** 3),
        np.log(of["bond_relative_length"] / shortest),
        np.log(of["mean_mass"]),
    ]
    return np.column_stack([*(of[name] for name in taken), *ratios])


def element_shares(graphs: GraphBatch) -> np.ndarray:
    """Share of the sites of each crystal that an element has, by atomic number, shape (G, ELEMENTS)."""
    crystal = np.repeat(np.arange(len(graphs)), np.diff(graphs.node_ptr))
    found = np.zeros((len(graphs), ELEMENTS))
    np.add.at(found, (crystal, graphs.numbers), graphs.node_weight)
    return np.asarray(found / found.sum(axis=1, keepdims=True))


@dataclass(frozen=True, slots=True, eq=False)
class Volumes:
    """Expected volumes per atom.

    Attributes
    ----------
    middle, spread : numpy.ndarray, shape (55,)
        Mean and standard deviation of the features of the crystals that it was fitted on.
    centres : numpy.ndarray, shape (n, 55)
        Where the Gaussian functions stand, in `spread` from `middle`.
    weights : numpy.ndarray, shape (n + 55 + ELEMENTS + 1, 2)
        Of ln volume (Å³ per atom), and of the ln of its error.
    limit : float
        Errors beyond which a difference is worth a warning.
    """

    middle: np.ndarray
    spread: np.ndarray
    centres: np.ndarray
    weights: np.ndarray
    limit: float

    def basis(self, features: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Return the functions that `weights` belong to, shape (G, n + 55 + ELEMENTS + 1)."""
        z = np.clip((features - self.middle) / self.spread, -FARTHEST, FARTHEST)
        square = (z**2).sum(axis=1)[:, None] + (self.centres**2).sum(axis=1) - 2.0 * z @ self.centres.T
        near = np.exp(-np.maximum(square, 0.0) / (2.0 * WIDTH**2))
        return np.hstack([near, LINEAR * z, shares, np.ones((len(z), 1))])

    def compare(self, graphs: GraphBatch) -> tuple[np.ndarray, np.ndarray]:
        """Compare the volume of crystals with the expected one.

        Parameters
        ----------
        graphs : GraphBatch
            G crystals with descriptors.

        Returns
        -------
        ln_ratio : numpy.ndarray, shape (G,)
            ln(volume / expected volume); NaN where the descriptors lack the environment.
        error : numpy.ndarray, shape (G,)
            Its standard error.
        """
        if graphs.descriptors is None or graphs.descriptors.shape[1] < width(True) or not len(graphs):
            return np.full(len(graphs), np.nan), np.full(len(graphs), np.nan)
        described = graphs.descriptors[:, : width(True)]
        found = self.basis(volume_features(described), element_shares(graphs)) @ self.weights
        volume = described[:, names(environment=True).index("volume_per_site")]
        return np.log(volume) - found[:, 0], np.exp(found[:, 1])

    def far(self, ln_ratio: np.ndarray, error: np.ndarray) -> np.ndarray:
        """Whether crystals are worth a warning, bool."""
        size = np.abs(ln_ratio)
        return np.asarray((size > SMALLEST) & (size > self.limit * error))


@cache
def shipped_volumes() -> Volumes:
    """Return the parameters that come with the package."""
    with as_file(files("paraisite.model") / FILE) as path:
        tensors = {name: array.astype(np.float64) for name, array in load_file(path).items()}
    limit = float(tensors.pop("limit")[0])
    return Volumes(**tensors, limit=limit)


def volume_warning(ln_ratio: float) -> str:
    """Return what to say of a crystal that is `far` from the volume expected."""
    change = 100.0 * np.expm1(ln_ratio)
    side = "above" if change > 0 else "below"
    return (
        f"volume {abs(change):.0f} % {side} the one expected for its composition and coordination: "
        "relax the structure first (--relax)"
    )
