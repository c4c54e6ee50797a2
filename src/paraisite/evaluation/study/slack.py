"""Slack's conductivity from elastic moduli, the moduli predicted by trees that never saw the compound."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from paraisite.datasets.agl import DALTON, HBAR, K_B, slack_conductivity
from paraisite.evaluation.study.plan import AGL, Folds, Training
from paraisite.model.descriptors import NAMES

MODULI = ("bulk_modulus_vrh", "shear_modulus_vrh")

FOLDS = 5
"""Of formulas: the model of a fold is trained on the other folds."""

TREES = 100


def sound_velocities(
    bulk: np.ndarray, shear: np.ndarray, mean_mass: np.ndarray, site_volume: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Longitudinal and transverse velocity of sound of an isotropic elastic solid, in m/s.

    v_l = √((B + 4G/3)/ρ) and v_t = √(G/ρ).

    Parameters
    ----------
    bulk, shear : numpy.ndarray, shape (n,)
        Moduli B and G in GPa.
    mean_mass : numpy.ndarray, shape (n,)
        Mean atomic mass in u.
    site_volume : numpy.ndarray, shape (n,)
        Volume per atom in Å³.
    """
    density = mean_mass * DALTON / (site_volume * 1e-30)
    return np.sqrt((bulk + 4 * shear / 3) * 1e9 / density), np.sqrt(shear * 1e9 / density)


def debye_temperature(along: np.ndarray, across: np.ndarray, site_volume: np.ndarray) -> np.ndarray:
    """Debye temperature of an isotropic solid, in K.

    ħ/k_B ∛(6π²/V) v with V the volume per atom and v the mean velocity of sound, 3/v³ = 1/v_l³ + 2/v_t³:
    O. L. Anderson, J. Phys. Chem. Solids 24, 909 (1963).

    Parameters
    ----------
    along, across : numpy.ndarray, shape (n,)
        Velocities of sound v_l and v_t in m/s.
    site_volume : numpy.ndarray, shape (n,)
        Volume per atom in Å³.
    """
    velocity = np.cbrt(3 / (along**-3 + 2 * across**-3))
    return HBAR / K_B * np.cbrt(6 * np.pi**2 / (site_volume * 1e-30)) * velocity


def gruneisen(bulk: np.ndarray, shear: np.ndarray) -> np.ndarray:
    """Grüneisen parameter 3/2 (1 + ν)/(2 − 3ν) with Poisson's ratio ν = (3B − 2G)/(6B + 2G).

    V. N. Belomestnykh and E. P. Tesleva, Tech. Phys. 49, 1098 (2004). Moduli in one unit, shape (n,).
    """
    poisson = (3 * bulk - 2 * shear) / (6 * bulk + 2 * shear)
    return 1.5 * (1 + poisson) / (2 - 3 * poisson)


def log_slack(folds: Folds, descriptors: Mapping[str, np.ndarray], run: int) -> dict[str, np.ndarray]:
    """Log10 of Slack's conductivity (W m⁻¹ K⁻¹, 300 K) of every crystal in a run, shape (rows, 1) for each dataset.

    Moduli are what extra trees on composition and structure make of AEL's (`aflow_agl`), trained on rows of the run's
    training part that share no formula with any scored fold. Of these the formulas are dealt into `FOLDS` folds, and
    each crystal asks the trees that were trained on the other folds: so the conductivities of training rows, which a
    recalibration is fitted on, are no better than those of scored rows.

    Parameters
    ----------
    folds : Folds
    descriptors : mapping of str to numpy.ndarray
        `paraisite.model.descriptors` of every dataset, shape (rows, width).
    run : int
    """
    from sklearn.ensemble import ExtraTreesRegressor

    agl = folds.datasets[AGL]
    moduli = np.column_stack([agl.targets[name] for name in MODULI])
    seen = folds.training_mask(Training("II", AGL, "no_overlap", folds.kind), run) & (moduli > 0).all(axis=1)
    formulas = sorted({formula for dataset in folds.datasets.values() for formula in dataset.formulas})
    number = np.random.RandomState(run).permutation(len(formulas)) % FOLDS
    fold_of = dict(zip(formulas, number.tolist(), strict=True))
    fold = {name: np.array([fold_of[f] for f in dataset.formulas]) for name, dataset in folds.datasets.items()}
    predicted = {name: np.empty((len(dataset), 2)) for name, dataset in folds.datasets.items()}
    for i in range(FOLDS):
        rows = seen & (fold[AGL] != i)
        trees = ExtraTreesRegressor(TREES, max_features=0.5, random_state=run)
        trees.fit(descriptors[AGL][rows], np.log(moduli[rows]))
        for name, found in predicted.items():
            if (asked := fold[name] == i).any():
                found[asked] = trees.predict(descriptors[name][asked])
    return {name: _log_conductivity(descriptors[name], *np.exp(found).T) for name, found in predicted.items()}


def _log_conductivity(descriptors: np.ndarray, bulk: np.ndarray, shear: np.ndarray) -> np.ndarray:
    mass, site_volume, ln_sites = (
        descriptors[:, NAMES.index(name)] for name in ("mean_mass", "volume_per_site", "ln_primitive_sites")
    )
    sites = np.exp(ln_sites)
    temperature = debye_temperature(*sound_velocities(bulk, shear, mass, site_volume), site_volume)
    kappa = slack_conductivity(temperature, gruneisen(bulk, shear), mass, site_volume * sites, sites)
    return np.log10(kappa)[:, None]
