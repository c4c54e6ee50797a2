"""`Features`: what the baselines know of the crystals of the study, each table computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paraisite.datasets.duplicates import same_crystals
from paraisite.model.descriptors import element_table
from paraisite.model.registry import ENCODER, locate
from paraisite.study.plan import AGL, Folds
from paraisite.study.slack import log_slack

if TYPE_CHECKING:
    from paraisite.crystals.crystal import Crystal
    from paraisite.training.stage_data import StageSet


def composition(crystals: Sequence[Crystal]) -> np.ndarray:
    """Mean, standard deviation, least and greatest value over the sites of each elemental property, shape (n, 36).

    The properties of `elements.csv`; the statistics are among those of L. Ward, A. Agrawal, A. Choudhary and
    C. Wolverton, npj Comput. Mater. 2, 16028 (2016). The extremes help all baselines on all datasets; element fractions
    help some and hurt others (splits 11 to 15).
    """
    rows = []
    for crystal in crystals:
        value = element_table()[crystal.numbers]
        std = value.std(axis=0)
        std[std < 1e-6] = 0.0  # equal values, seen through rounding
        rows.append(np.concatenate([value.mean(axis=0), std, value.min(axis=0), value.max(axis=0)]))
    return np.array(rows)


class Features:
    """Tables of features, one row for each crystal of a dataset, each made when it is first asked for.

    Parameters
    ----------
    sets : mapping of str to StageSet
        Datasets with their graphs.
    folds : Folds
        Of these datasets.
    mirror : str or Path, optional
        Folder of the weights; by default PARAISITE_MIRROR.
    """

    def __init__(self, sets: Mapping[str, StageSet], folds: Folds, mirror: str | Path | None = None) -> None:
        self.sets, self.folds, self.mirror = sets, folds, mirror
        # caches of the instance, so that tables go when it goes
        self._composition = cache(lambda name: composition(sets[name].dataset.crystals))
        self._vector = cache(self._make_vector)
        self._agl = cache(self._make_agl)
        self._slack = lru_cache(maxsize=1)(self._make_slack)

    def table(self, kind: str, name: str, run: int) -> np.ndarray:
        """Features of the crystals of a dataset.

        Parameters
        ----------
        kind : {"composition", "structure", "vector", "agl", "slack"}
            `composition`; `paraisite.model.descriptors` of composition, volume, distances and bonding; crystal vectors
            of MEGNet as trained on formation energies, 160 wide; log10 of the conductivity (W m⁻¹ K⁻¹) that AGL gives
            the compound, 1 wide; or that Slack's equation gives it, 1 wide.
        name : str
            Of the dataset.
        run : int
            Matters for ``slack`` only, whose moduli are learned from the run's training part.

        Returns
        -------
        numpy.ndarray, shape (rows, width)
            NaN where AGL has no entry.
        """
        if kind == "slack":
            return self._slack(run)[name]
        makers: dict[str, Callable[[str], np.ndarray]] = {
            "composition": self._composition,
            "structure": self._structure,
            "vector": self._vector,
            "agl": self._agl,
        }
        return makers[kind](name)

    def _structure(self, name: str) -> np.ndarray:
        found = self.sets[name].graphs.descriptors
        assert found is not None
        return found

    def _make_vector(self, name: str) -> np.ndarray:
        from paraisite.model.convert import from_matgl
        from paraisite.training.apply import apply

        return apply(from_matgl(locate(ENCODER, self.mirror)), self.sets[name].graphs, "cpu")[1][0]

    def _make_slack(self, run: int) -> dict[str, np.ndarray]:
        return log_slack(self.folds, {name: self._structure(name) for name in self.folds.datasets}, run)

    def _make_agl(self, name: str) -> np.ndarray:
        """Of the AGL entries of a formula, take those of the same crystal where there are any, else all.

        Several count by their median.
        """
        crystals, agl = self.sets[name].dataset.crystals, self.sets[AGL].dataset
        entries: dict[str, list[int]] = {}
        for row, (formula, kappa) in enumerate(zip(agl.formulas, agl.kappa.tolist(), strict=True)):
            if kappa > 0:
                entries.setdefault(formula, []).append(row)
        candidates = [entries.get(crystal.formula, []) for crystal in crystals]
        # where there is one entry, it makes no difference whether it is of the same crystal
        unclear = [i for i, rows in enumerate(candidates) if len(rows) > 1]
        others = sorted({row for i in unclear for row in candidates[i]})
        compared = [crystals[i] for i in unclear] + [agl.crystals[row] for row in others]
        groups = same_crystals(compared, parts=[0] * len(unclear) + [1] * len(others))
        for group in groups:
            same = [others[k - len(unclear)] for k in group if k >= len(unclear)]
            for k in group:
                if same and k < len(unclear):
                    candidates[unclear[k]] = same
        log_kappa = np.log10(np.where(agl.kappa > 0, agl.kappa, np.nan))
        return np.array([[np.median(log_kappa[rows]) if rows else np.nan] for rows in candidates]).reshape(-1, 1)
