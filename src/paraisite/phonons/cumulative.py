"""Conductivity by mode: how much of it phonons of a mean free path or less carry."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paraisite.files.writing import write_csv
from paraisite.phonons.settings import ROOM

CUMULATIVE = "cumulative.csv"

LONG, SHARE = 10.0, 0.1
"""Lifetimes (ns) that no phonon of a real crystal has at room temperature but the longest waves; a share of the
conductivity carried by them that is worth a warning."""


def cumulative(file: Path, temperature: float = ROOM) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative conductivity against mean free path, from phono3py's kappa-*.hdf5.

    A mode's lifetime is 1/(4πΓ) with Γ the imaginary part of its self-energy as a frequency (all kinds of scattering
    together), and its mean free path the lifetime times the length of its group velocity. That is its relaxation time;
    what it carries is, with `lbte`, by the linearised Boltzmann equation, and may be negative.

    Parameters
    ----------
    file : Path
    temperature : float
        K; one that the file holds.

    Returns
    -------
    mean_free_path : numpy.ndarray, shape (n_modes,)
        Ascending, in nm.
    kappa : numpy.ndarray, shape (n_modes,)
        Isotropic average of phonons as particles up to there, in W m⁻¹ K⁻¹.
    """
    gamma, speed, kappa = _modes(file, temperature)
    with np.errstate(divide="ignore", invalid="ignore"):
        path = np.where(gamma > 0, speed / (4 * np.pi * gamma), 0.0) / 10
    order = np.argsort(path, axis=None)
    return path.ravel()[order], np.cumsum(kappa.ravel()[order])


def long_lived(file: Path, temperature: float = ROOM) -> float:
    """Share of the conductivity of phonons as particles that modes with lifetimes beyond `LONG` carry."""
    gamma, _, kappa = _modes(file, temperature)
    total = kappa.sum()
    return float(kappa[4 * np.pi * gamma * LONG * 1e3 < 1].sum() / total) if total > 0 else 0.0


def _modes(file: Path, temperature: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Γ (THz), speed (THz Å) and conductivity of each mode, shape (n_points, n_bands)."""
    import h5py

    with h5py.File(file, "r") as data:
        at = int(np.argmin(np.abs(data["temperature"][:] - temperature)))
        gamma = data["gamma"][at]
        if "gamma_isotope" in data:
            gamma = gamma + data["gamma_isotope"][:]
        speed = np.linalg.norm(data["group_velocity"][:], axis=-1)
        weight = data["weight"][:]
        if "mode_kappa" in data:
            kappa = data["mode_kappa"][at][..., :3].mean(axis=-1) / weight.sum()
        else:  # by the Wigner transport equation it has none; this is phono3py's own expression for it
            unit = data["kappa_unit_conversion"][()] / weight.sum()
            with np.errstate(divide="ignore", invalid="ignore"):
                each = unit * data["heat_capacity"][at] * speed**2 / 3 / (2 * gamma)
            kappa = np.where(gamma > 0, each, 0.0) * weight[:, None]
    return gamma, speed, kappa


def write_cumulative(path: np.ndarray, kappa: np.ndarray, folder: Path, n: int = 200) -> None:
    """Write n points of it, evenly spaced in the logarithm of the mean free path, from a thousandth on."""
    if not len(kappa) or not kappa[-1] > 0:
        return
    grid = np.geomspace(path[np.argmax(kappa >= 1e-3 * kappa[-1])], path[-1], n)
    values = kappa[np.searchsorted(path, grid * (1 + 1e-12), side="right") - 1]
    rows = ([f"{a:.6g}", f"{b:.6g}"] for a, b in zip(grid, values, strict=True))
    write_csv(folder / CUMULATIVE, ["mean_free_path_nm", "kappa_W_mK"], rows)
