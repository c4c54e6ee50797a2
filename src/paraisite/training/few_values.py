"""`FewValues`: the kernel stage on values of one's own, without recipe, dataset or folder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paraisite.model.calibration import Calibration, centres
from paraisite.model.kernel import KernelHead
from paraisite.model.neighbourhood import Neighbourhood, scale_features


@dataclass(frozen=True, slots=True, eq=False)
class FewValues:
    """Gaussian processes over the networks of a model, and intervals calibrated on held-out rows of the same values.

    As a recipe with ``fit: kernel`` and one member does it: every fold has a process of its own, which does not see its
    rows.

    Attributes
    ----------
    networks : numpy.ndarray, shape (folds,), int
        Network under each process; folds take those of the model in turn.
    folds : tuple of tuple of int
        The process of each fold.
    kernel : KernelHead
    neighbourhood : Neighbourhood
    calibration : Calibration
    """

    networks: np.ndarray
    folds: tuple[tuple[int, ...], ...]
    kernel: KernelHead
    neighbourhood: Neighbourhood
    calibration: Calibration

    @classmethod
    def fit(
        cls,
        log_networks: np.ndarray,
        vectors: np.ndarray,
        descriptors: np.ndarray,
        log_true: np.ndarray,
        fold: np.ndarray,
        *,
        blocks: tuple[int, ...],
    ) -> FewValues:
        """Fit to n rows.

        Parameters
        ----------
        log_networks : numpy.ndarray, shape (networks, n)
            log10 kappa by each network of the model.
        vectors : numpy.ndarray, shape (networks, n, width)
        descriptors : numpy.ndarray, shape (n, q)
        log_true : numpy.ndarray, shape (n,)
        fold : numpy.ndarray, shape (n,), int
            That holds out each row, from 0 on.
        blocks : tuple of int
            Widths of the blocks of descriptors.

        Raises
        ------
        ValueError
            If there are fewer rows than a calibration needs.
        """
        number = np.arange(fold.max() + 1)
        networks, folds = number % len(log_networks), tuple((f,) for f in number.tolist())
        training = fold[None, :] != number[:, None]
        log_networks, vectors = log_networks[networks], vectors[networks]
        kernel = KernelHead.fit(log_networks, vectors, descriptors, log_true, training, blocks)
        log_members = kernel.log_kappa(log_networks, vectors, descriptors)
        error = np.abs(log_true - centres(log_members, folds)[fold, np.arange(len(fold))])
        neighbourhood = Neighbourhood.fit(descriptors, log_true, training, error)
        features = scale_features(log_members, folds, neighbourhood.find(descriptors), descriptors)
        calibration = Calibration.fit(folds, fold, log_members, features, log_true)
        return cls(networks, folds, kernel, neighbourhood, calibration)

    def predict(
        self, log_networks: np.ndarray, vectors: np.ndarray, descriptors: np.ndarray, level: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return log10 kappa, the bounds of its interval and its standard deviation, each of shape (crystals,).

        Parameters
        ----------
        log_networks, vectors, descriptors : numpy.ndarray
            As of `fit`, of other crystals.
        level : float
            Nominal coverage of the interval.
        """
        log_members = self.kernel.log_kappa(log_networks[self.networks], vectors[self.networks], descriptors)
        near = self.neighbourhood.find(descriptors)
        features = scale_features(log_members, self.folds, near, descriptors)
        low, high, std = self.calibration.interval(log_members, features, level)
        log_kappa = log_members.mean(axis=0)
        return log_kappa, np.minimum(low, log_kappa), np.maximum(high, log_kappa), std
