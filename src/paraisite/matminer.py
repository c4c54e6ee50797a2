"""`EncoderFeatures`: the features of `paraisite.sklearn` as a featurizer of matminer (``pip install matminer``)."""

from __future__ import annotations

from typing import Any, Literal

from matminer.featurizers.base import BaseFeaturizer

from paraisite.sklearn import CrystalFeaturizer


class EncoderFeatures(BaseFeaturizer):  # type: ignore[misc]
    """Structure to the encoder's vector and descriptors, one crystal at a time.

    Parameters
    ----------
    model, features
        As of `CrystalFeaturizer`, which is many times faster for lists.

    Examples
    --------
    >>> EncoderFeatures().featurize_dataframe(frame, "structure")               # doctest: +SKIP
    """

    def __init__(self, model: str = "kappa", features: Literal["both", "vector", "descriptors"] = "both") -> None:
        self.model = model
        self.features = features
        self.set_n_jobs(1)  # a process of its own would load the model again

    def featurize(self, structure: Any) -> list[float]:
        """Features of one structure.

        Raises
        ------
        ValueError
            If it cannot be used.
        """
        found: list[float] = CrystalFeaturizer(self.model, features=self.features).transform([structure])[0].tolist()
        return found

    def feature_labels(self) -> list[str]:
        """Names of the features."""
        labels: list[str] = CrystalFeaturizer(self.model, features=self.features).get_feature_names_out().tolist()
        return labels

    def citations(self) -> list[str]:
        """The study that the model continues."""
        return [
            "@article{klochko2024, author = {Klochko, L. and d'Aquin, M. and Togo, A. and Chaput, L.}, "
            "journal = {arXiv:2411.18259}, year = {2024}}"
        ]

    def implementors(self) -> list[str]:
        """Who wrote this."""
        return ["The ParAIsite developers"]
