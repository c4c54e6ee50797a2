"""`CrystalFeaturizer` and `KappaRegressor` in the ways of scikit-learn, with the model that ships."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from ase.build import bulk

sklearn = pytest.importorskip("sklearn", reason="needs the extra [train] or [data]")

from sklearn.base import clone  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.linear_model import RidgeCV  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import estimator_checks_generator  # noqa: E402

from paraisite.crystals.crystal import Crystal  # noqa: E402
from paraisite.prediction import Predictor  # noqa: E402
from paraisite.prediction.shortcut import loaded  # noqa: E402
from paraisite.sklearn import CrystalFeaturizer, KappaRegressor  # noqa: E402

CATIONS = {"Li": 1.7, "Na": 2.2, "K": 2.6, "Rb": 2.8, "Mg": 2.0, "Ca": 2.4}
ANIONS = {"F": 2.4, "Cl": 3.4, "Br": 3.7, "O": 2.2}
SALTS = [
    bulk(cation + anion, "rocksalt", a=a + b, cubic=True)
    for cation, a in CATIONS.items()
    for anion, b in ANIONS.items()
]
KAPPA = np.array([4e4 / float(np.mean(salt.get_masses())) ** 1.5 / salt.cell.lengths()[0] for salt in SALTS])


def test_features_are_those_of_embed() -> None:
    predictor = Predictor.from_pretrained()
    embedded = predictor.embed([*SALTS[:3], None])
    found = CrystalFeaturizer().fit_transform(SALTS[:3])
    np.testing.assert_allclose(found[:, :160], embedded.vectors[:3], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[:, 160:], embedded.descriptors[:3], rtol=1e-5, atol=1e-6)
    assert list(CrystalFeaturizer().get_feature_names_out()) == embedded.to_arrow().column_names[5:]
    assert embedded.rejected.tolist() == [False, False, False, True]
    for features, width in (("vector", 160), ("descriptors", found.shape[1] - 160)):
        assert CrystalFeaturizer(features=features).transform(SALTS[:2]).shape == (2, width)


def test_rejected_structures_stop_the_work_or_are_nan() -> None:
    with pytest.raises(ValueError, match="structure 1 cannot be used: None"):
        CrystalFeaturizer().transform([SALTS[0], None])
    found = CrystalFeaturizer(rejected="nan").transform([SALTS[0], None])
    assert np.isnan(found).all(axis=1).tolist() == [False, True]
    mine = KappaRegressor(rejected="nan").fit(SALTS, KAPPA)
    assert np.isnan(mine.predict([None, SALTS[0]])).tolist() == [True, False]
    with pytest.raises(ValueError, match="structure 0"):
        mine.fit([None, *SALTS], [1, *KAPPA])
    for wrong in (CrystalFeaturizer(features="nothing"), CrystalFeaturizer(rejected="nothing")):
        with pytest.raises(ValueError, match="nothing"):
            wrong.fit(SALTS).transform(SALTS)


@pytest.mark.slow
def test_pipelines_clones_and_searches() -> None:
    model = make_pipeline(CrystalFeaturizer(features="descriptors"), StandardScaler(), RidgeCV(np.logspace(-3, 3, 7)))
    scores = cross_val_score(model, SALTS, np.log10(KAPPA), cv=3, scoring="neg_mean_absolute_error")
    assert -scores.mean() < np.abs(np.log10(KAPPA) - np.median(np.log10(KAPPA))).mean()
    search = GridSearchCV(model, {"crystalfeaturizer__features": ["vector", "descriptors"]}, cv=2)
    assert search.fit(SALTS, np.log10(KAPPA)).best_params_
    assert clone(KappaRegressor(folds=3)).get_params()["folds"] == 3
    pandas = pytest.importorskip("pandas")
    frame = CrystalFeaturizer().set_output(transform="pandas").fit_transform(SALTS[:2])
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns[:2]) == ["vector_0", "vector_1"]


def test_a_few_own_values_correct_the_model() -> None:
    """Values five times those of the model are learned, intervals cover them, and `score` is on the logarithm."""
    shifted = 5 * np.array([row.kappa_W_mK for row in loaded("kappa").predict(SALTS)])
    train, test = np.arange(24) % 4 != 0, np.arange(24) % 4 == 0
    some = [salt for salt, used in zip(SALTS, train, strict=True) if used]
    others = [salt for salt, used in zip(SALTS, test, strict=True) if used]
    mine = KappaRegressor().fit(some, shifted[train])
    kappa, std = mine.predict(others, return_std=True)
    assert np.abs(np.log10(kappa / shifted[test])).mean() < 0.15
    assert (std > 0).all()
    low, high = mine.predict_interval(others, 0.8).T
    assert ((low <= kappa) & (kappa <= high)).all()
    assert np.mean((low <= shifted[test]) & (shifted[test] <= high)) >= 0.5
    assert mine.score(others, shifted[test]) > 0.9
    np.testing.assert_array_equal(clone(mine).fit(some, shifted[train]).predict(others), kappa)


def test_what_cannot_be_fitted_is_said() -> None:
    with pytest.raises(NotFittedError):
        KappaRegressor().predict(SALTS)
    for x, y, said in (
        (SALTS[:9], KAPPA[:9], "at least 10"),
        ([SALTS[0]] * 12, KAPPA[:12], "one formula"),
        (SALTS, -KAPPA, "above zero"),
        (SALTS, KAPPA[:5], "inconsistent"),
    ):
        with pytest.raises(ValueError, match=said):
            KappaRegressor().fit(x, y)
    with pytest.raises(ValueError, match="level"):
        KappaRegressor().fit(SALTS, KAPPA).predict_interval(SALTS, 0.99)


ROCKSALT = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]) / 2
IONS = [(11, 17), (11, 35), (19, 17), (12, 8), (20, 8), (3, 9)]


class OfNumbers:
    """Rows of numbers as salts, so that the checks of scikit-learn, which know tables of numbers only, can run."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.two_d_array = True
        return tags

    @staticmethod
    def salts(X: Any) -> list[Crystal]:
        made = []
        for row in np.asarray(X, dtype=float):
            ions = IONS[int(abs(row[-1]) * 7) % len(IONS)]
            made.append(Crystal((5.2 + 0.6 * np.tanh(row[0] / 3)) * np.eye(3), np.repeat(ions, 4), ROCKSALT))
        return made

    def fit(self, X: Any, y: Any = None) -> Any:
        few = slice(40)  # of the 200 rows of some checks, for the time's sake
        return super().fit(self.salts(X)[few], y if y is None else np.asarray(y)[few])  # type: ignore[misc]


class Featurizer(OfNumbers, CrystalFeaturizer):
    def transform(self, X: Any) -> Any:
        return super().transform(self.salts(X))


class Regressor(OfNumbers, KappaRegressor):
    def predict(self, X: Any, return_std: bool = False) -> Any:
        return super().predict(self.salts(X), return_std)


SPARSE = "structures are no matrix that could be sparse"
DO_NOT_APPLY = {
    "check_estimator_sparse_tag": SPARSE,
    "check_estimator_sparse_array": SPARSE,
    "check_estimator_sparse_matrix": SPARSE,
    "check_methods_subset_invariance": "asks for 1e-7; networks in single precision give 1e-5 in other batches",
    "check_methods_sample_order_invariance": "asks for 1e-7, as above",
    "check_regressors_train": "wants a good fit to y that has nothing to do with the crystals made of X",
    "check_array_api_input": "structures are no array",
}
"""Checks that do not apply, and why."""


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [Featurizer(), Regressor(folds=2)], ids=lambda e: type(e).__name__)
def test_checks_of_scikit_learn(estimator: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = []
        for one, check in estimator_checks_generator(estimator):
            name = getattr(check, "func", check).__name__
            if name not in DO_NOT_APPLY:
                check(one)
                run.append(name)
    assert len(run) > 25


def test_matminer() -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("matminer", reason="matminer is not installed")
    from pymatgen.io.ase import AseAtomsAdaptor

    from paraisite.matminer import EncoderFeatures

    structures = [AseAtomsAdaptor.get_structure(salt) for salt in SALTS[:3]]
    featurizer = EncoderFeatures(features="descriptors")
    frame = featurizer.featurize_dataframe(pandas.DataFrame({"structure": structures}), "structure", pbar=False)
    expected = CrystalFeaturizer(features="descriptors").transform(structures)
    np.testing.assert_allclose(frame[featurizer.feature_labels()].to_numpy(), expected, rtol=1e-5, atol=1e-6)
