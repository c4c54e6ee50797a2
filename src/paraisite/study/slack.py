"""Slack's conductivity from elastic moduli, the moduli predicted by trees not trained on the compound."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from paraisite.model.descriptors import NAMES
from paraisite.physics.debye import debye_temperature, gruneisen, slack_conductivity, sound_velocities
from paraisite.study.plan import AGL, Folds, Training

MODULI = ("bulk_modulus_vrh", "shear_modulus_vrh")

FOLDS = 5
"""Of formulas: the model of a fold is trained on the other folds."""

TREES = 100


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
