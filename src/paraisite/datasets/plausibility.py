"""What composition and volume alone say of a conductivity: a robust fit, and the nearest crystals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import SYMBOLS, electronegativity
from paraisite.datasets.table import DatasetError

PAGE = (
    "log10 of the mean atomic mass",
    "spread of the masses relative to their mean",
    "log10 of the smallest mass",
    "log10 of the largest mass",
    "mean electronegativity",
    "standard deviation of the electronegativity",
    "range of the electronegativity",
    "mean covalent radius",
    "standard deviation of the covalent radius",
    "log10 of the volume per site",
    "packing by spheres of the covalent radii",
    "log10 of the number of sites",
    "number of elements",
    "entropy of mixing",
)
"""What the fit knows of a crystal: the columns of `page`."""

FEWEST = 40
"""Rows below which a fit of this page says nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Plausibility:
    """How far each value is from what its like would have, in log10; all of shape (n,).

    Attributes
    ----------
    from_fit : numpy.ndarray
        From the robust fit.
    from_neighbours : numpy.ndarray
        From the median of the nearest crystals.
    beyond_neighbours : numpy.ndarray
        `from_fit` less its median over the nearest crystals: what the fit cannot know of this kind of crystal, out.
    neighbours : numpy.ndarray, shape (n, k), int64
        Rows of the nearest crystals, nearest first.
    spread : float
        Robust standard deviation of `from_fit` (1.4826 times the median absolute deviation).
    """

    from_fit: np.ndarray
    from_neighbours: np.ndarray
    beyond_neighbours: np.ndarray
    neighbours: np.ndarray
    spread: float


def plausibility(crystals: Sequence[Crystal], kappa: np.ndarray, *, neighbours: int = 7) -> Plausibility:
    """Compare conductivities with a Huber regression of log10 kappa on `page`, and with the nearest crystals.

    P. J. Huber, Robust Statistics (1981); scikit-learn's `HuberRegressor` with its epsilon of 1.35. Nearest in `page`,
    each column centred at its median and divided by its standard deviation; the row itself does not count.

    Parameters
    ----------
    crystals : sequence of Crystal, length n
        At least `FEWEST`.
    kappa : numpy.ndarray, shape (n,)
        Positive, W m⁻¹ K⁻¹.
    neighbours : int
        How many of the nearest crystals to ask.

    Raises
    ------
    DatasetError
        If scikit-learn is missing.
    """
    try:
        from sklearn.linear_model import HuberRegressor
    except ImportError as error:
        raise DatasetError(
            "looking for outliers needs scikit-learn: pip install 'paraisite[data]', or set the rules units and "
            "outlier to `action: off`"
        ) from error
    from scipy.spatial import cKDTree

    columns = page(crystals)
    columns = (columns - np.median(columns, axis=0)) / (columns.std(axis=0) + 1e-9)
    value = np.log10(kappa)
    residual = value - HuberRegressor(epsilon=1.35, alpha=1e-3, max_iter=5000).fit(columns, value).predict(columns)
    nearest = cKDTree(columns).query(columns, k=min(neighbours + 1, len(value)))[1]
    itself = nearest == np.arange(len(value))[:, None]
    itself[~itself.any(axis=1), -1] = True  # among many equal crystals the row need not be its own nearest
    nearest = nearest[~itself].reshape(len(value), -1)
    return Plausibility(
        from_fit=residual,
        from_neighbours=value - np.median(value[nearest], axis=1),
        beyond_neighbours=residual - np.median(residual[nearest], axis=1),
        neighbours=nearest,
        spread=float(1.4826 * np.median(np.abs(residual - np.median(residual)))),
    )


def page(crystals: Sequence[Crystal]) -> np.ndarray:
    """Describe crystals by `PAGE`, shape (n, len(PAGE)); masses and Cordero's covalent radii are ASE's."""
    from ase.data import atomic_masses, covalent_radii

    pauling = np.array([_finite(electronegativity(symbol)) if z else 0.0 for z, symbol in enumerate(SYMBOLS)])
    rows = []
    for crystal in crystals:
        mass, radius = atomic_masses[crystal.numbers], covalent_radii[crystal.numbers]
        attraction = pauling[crystal.numbers]
        share = np.unique(crystal.numbers, return_counts=True)[1] / crystal.n_sites
        volume = crystal.volume / crystal.n_sites
        rows.append(
            [
                np.log10(mass.mean()),
                mass.std() / mass.mean(),
                np.log10(mass.min()),
                np.log10(mass.max()),
                attraction.mean(),
                attraction.std(),
                np.ptp(attraction),
                radius.mean(),
                radius.std(),
                np.log10(volume),
                4 / 3 * np.pi * (radius**3).mean() / volume,
                np.log10(crystal.n_sites),
                len(share),
                -(share * np.log(share)).sum(),
            ]
        )
    return np.array(rows).reshape(-1, len(PAGE))


def _finite(value: float) -> float:
    """Noble gases, which attract no electrons, have no Pauling electronegativity."""
    return value if np.isfinite(value) else 0.0
