"""`predict`: a prediction in one line, which users reach as `paraisite.predict`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paraisite.model.registry import DEFAULT

if TYPE_CHECKING:
    from paraisite.prediction.predictor import Predictor


def predict(
    inputs: Any,
    *,
    ids: Iterable[str] | str | None = None,
    model: str | Path = DEFAULT,
    device: str = "cpu",
    mirror: str | Path | None = None,
    **asked: Any,
) -> Any:
    """Predict the lattice thermal conductivity of a crystal or of many.

    Parameters
    ----------
    inputs : object or iterable
        One structure, or any iterable: see `paraisite.crystals.objects.crystals_of`.
    ids : str or iterable of str, optional
        One for each input.
    model : str or Path
        A model's name or folder. It is loaded once and kept.
    device : {"cpu", "cuda", "auto"}
    mirror : str or Path, optional
        Where models that do not ship may be found; by default PARAISITE_MIRROR.
    asked
        As of `Predictor.predict`: ``properties``, ``temperatures``, ``level``, ``tensor``, …

    Returns
    -------
    Prediction or Predictions
        Of one structure one answer; of an iterable a list of them, one for each structure.

    Examples
    --------
    >>> import paraisite
    >>> paraisite.predict("NaCl.cif").kappa_W_mK                                # doctest: +SKIP
    >>> paraisite.predict(structures, temperatures=[300, 700]).to_frame()       # doctest: +SKIP
    """
    return loaded(str(model), device, str(mirror) if mirror else None).predict(inputs, ids=ids, **asked)


@lru_cache(maxsize=2)
def loaded(model: str, device: str = "cpu", mirror: str | None = None) -> Predictor:
    """Predictor of a model, loaded once."""
    from paraisite.prediction.predictor import Predictor

    return Predictor.from_pretrained(model, device=device, mirror=mirror)
