"""Estimators in the form of scikit-learn: `CrystalFeaturizer` and `KappaRegressor`.

X is a list (or any sequence) of structures, as `paraisite.predict` takes them: `clone`, `Pipeline`, `cross_val_score`
and `GridSearchCV` work on it. scikit-learn comes with the extra ``train`` or ``data``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.metrics import r2_score
from sklearn.utils import Tags, check_consistent_length
from sklearn.utils.validation import check_array, check_is_fitted

from paraisite.crystals.objects import crystals_of
from paraisite.datasets.splits import grouped_kfold
from paraisite.model.calibration import MIN_ROWS
from paraisite.model.descriptors import blocks
from paraisite.model.descriptors import names as descriptor_names
from paraisite.prediction.embedding import vector_names
from paraisite.prediction.shortcut import loaded
from paraisite.targets import LEVEL
from paraisite.training.few_values import FewValues

Rejected = Literal["raise", "nan"]
"""What a structure that cannot be predicted does: stop with the reason, or give a row of NaN."""


class CrystalFeaturizer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Structures to numbers: the encoder's vector and descriptors of composition, bonding and surroundings.

    It has nothing to fit. The encoder was trained on thousands of conductivities: scores on compounds among them are
    flattered (see docs/python.md).

    Parameters
    ----------
    model : str
        A model's name or folder.
    features : {"both", "vector", "descriptors"}
    rejected : {"raise", "nan"}
        Whether a structure that cannot be read or has no neighbours stops the work, or gives a row of NaN.
    """

    def __init__(
        self,
        model: str = "kappa",
        *,
        features: Literal["both", "vector", "descriptors"] = "both",
        rejected: Rejected = "raise",
    ) -> None:
        self.model = model
        self.features = features
        self.rejected = rejected

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return _of_structures(tags)

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters; structures are not looked at."""
        self.get_feature_names_out()
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Features of n structures, shape (n, features), float64.

        Raises
        ------
        ValueError
            If a structure is rejected, unless these are to be NaN.
        """
        wanted = {"vector": (True, False), "descriptors": (False, True), "both": (True, True)}[self.features]
        found = _encoded(self.model, X, self.rejected)
        parts = (found.vectors.mean(axis=0), found.descriptors)
        return found.spread(np.concatenate([part for part, used in zip(parts, wanted, strict=True) if used], axis=1))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the features."""
        predictor = loaded(self.model)
        names = {
            "vector": vector_names(predictor.card.kappa.config.encoder.vector_width),
            "descriptors": descriptor_names(environment=predictor.environment),
        }
        if self.features != "both" and self.features not in names:
            raise ValueError(f"features={self.features!r}: choose both, vector or descriptors")
        return np.array([*names["vector"], *names["descriptors"]] if self.features == "both" else names[self.features])


class KappaRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The networks of a model, corrected by Gaussian processes that are fitted to a few values of one's own.

    This is the recipe ``fit: kernel`` of docs/recipes.md. Intervals are calibrated on rows of the given values that
    some processes did not see, whole formulas at a time. The networks themselves were trained on thousands of
    conductivities: intervals and scores on compounds among them are flattered (see docs/python.md).

    Parameters
    ----------
    model : str
        A model's name or folder.
    folds : int
        Folds of formulas, with a Gaussian process each; fewer where there are fewer formulas.
    seed : int
        Of the folds.
    rejected : {"raise", "nan"}
        What happens in `predict` with a structure that cannot be predicted. `fit` takes none.

    Attributes
    ----------
    fitted_ : FewValues

    Examples
    --------
    >>> mine = KappaRegressor().fit(structures, kappa)                          # doctest: +SKIP
    >>> kappa, log10_std = mine.predict(others, return_std=True)                # doctest: +SKIP
    >>> low, high = mine.predict_interval(others, level=0.9).T                  # doctest: +SKIP
    """

    def __init__(self, model: str = "kappa", *, folds: int = 5, seed: int = 1, rejected: Rejected = "raise") -> None:
        self.model = model
        self.folds = folds
        self.seed = seed
        self.rejected = rejected

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        return _of_structures(tags)

    def fit(self, X: Any, y: Any) -> Self:
        """Fit to structures and their kappa in W m⁻¹ K⁻¹, shape (n,).

        Raises
        ------
        ValueError
            If there are fewer than ten rows or two formulas, a value is not above zero, or a structure is rejected.
        """
        kappa = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        check_consistent_length(X, kappa)
        if kappa.ndim != 1 or not (kappa > 0).all():
            raise ValueError("y must be one list of conductivities (W/m/K), all above zero")
        if len(kappa) < MIN_ROWS:
            raise ValueError(f"{len(kappa)} sample(s) are too few: intervals are calibrated on at least {MIN_ROWS}")
        found = _encoded(self.model, X, "raise")
        formulas = len(set(found.formulas))
        if formulas < 2:
            raise ValueError("all crystals have one formula: intervals are calibrated on at least two")
        fold = np.empty(len(kappa), dtype=np.int64)
        for f, split in enumerate(grouped_kfold(found.formulas, min(self.folds, formulas), self.seed)):
            fold[split.validation] = f
        self.fitted_ = FewValues.fit(
            *(found.log_kappa, found.vectors, found.descriptors, np.log10(kappa), fold),
            blocks=blocks(environment=loaded(self.model).environment),
        )
        return self

    def predict(self, X: Any, return_std: bool = False) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Conductivities (W m⁻¹ K⁻¹), shape (n,); with `return_std`, the standard deviation of log10 kappa too."""
        log_kappa, _, _, std = self._predict(X, LEVEL)
        return (10**log_kappa, std) if return_std else 10**log_kappa

    def predict_interval(self, X: Any, level: float = LEVEL) -> np.ndarray:
        """Lower and upper bound of the interval of kappa (W m⁻¹ K⁻¹), shape (n, 2).

        Raises
        ------
        ValueError
            If the rows of the fit are too few for the level: n rows support n / (n + 1).
        """
        _, low, high, _ = self._predict(X, level)
        return 10 ** np.column_stack([low, high])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R² of log10 kappa, in which the model and its intervals are made."""
        return float(r2_score(np.log10(y), np.log10(self.predict(X)), sample_weight=sample_weight))

    def _predict(self, X: Any, level: float) -> tuple[np.ndarray, ...]:
        check_is_fitted(self)
        found = _encoded(self.model, X, self.rejected)
        made = self.fitted_.predict(found.log_kappa, found.vectors, found.descriptors, level)
        return tuple(found.spread(values) for values in made)


def _of_structures(tags: Tags) -> Tags:
    """Say that X is no table of numbers, and is checked by us."""
    tags.input_tags.two_d_array = False
    tags.no_validation = True
    return tags


class _Encoded(NamedTuple):
    """What a model makes of n structures, of which G are not rejected.

    `log_kappa` has shape (networks, G), `vectors` (networks, G, width), `descriptors` (G, q); `kept` are the rows of
    the G; `n` all of them; `formulas` one for each of the G.
    """

    log_kappa: np.ndarray
    vectors: np.ndarray
    descriptors: np.ndarray
    kept: np.ndarray
    n: int
    formulas: list[str]

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Values of the G as rows of all, NaN elsewhere."""
        rows = np.full((self.n, *values.shape[1:]), np.nan)
        rows[self.kept] = values
        return rows


def _encoded(model: str, X: Any, rejected: Rejected) -> _Encoded:
    from paraisite.prediction.predictor import CHUNK

    if rejected not in ("raise", "nan"):
        raise ValueError(f"rejected={rejected!r}: choose raise or nan")
    predictor = loaded(model)
    values = list(X)

    def parts() -> Iterator[_Encoded]:
        for start in range(0, max(len(values), 1), CHUNK):
            items = [next(crystals_of([value])) for value in values[start : start + CHUNK]]  # a row each, of paths too
            prepared = predictor.prepare(items)
            descriptors = prepared.graphs.descriptors
            assert descriptors is not None
            for i, reason in enumerate(prepared.reason):
                if reason and rejected == "raise":
                    raise ValueError(f"structure {start + i} cannot be used: {reason}")
            formulas = [prepared.formula[i] for i in prepared.kept]
            log_kappa, vectors = predictor.encode(prepared.graphs)
            yield _Encoded(log_kappa, vectors, descriptors, prepared.kept + start, len(prepared), formulas)

    every = list(parts())
    return _Encoded(
        np.concatenate([p.log_kappa for p in every], axis=1),
        np.concatenate([p.vectors for p in every], axis=1),
        np.concatenate([p.descriptors for p in every]),
        np.concatenate([p.kept for p in every]),
        sum(p.n for p in every),
        [formula for p in every for formula in p.formulas],
    )
