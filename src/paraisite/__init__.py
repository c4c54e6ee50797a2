"""ParAIsite: lattice thermal conductivity of crystals by transfer learning, with honest error bars.

>>> import paraisite
>>> paraisite.predict("NaCl.cif").kappa_W_mK                         # doctest: +SKIP
>>> paraisite.predict([structure, atoms, "folder/"]).to_frame()      # doctest: +SKIP

Importing the package imports neither torch nor any file-format library; each room is imported on use.
"""

from importlib import import_module
from typing import Any

__version__ = "0.2.0"

_ROOMS = ("datasets", "plots", "prediction", "sklearn")
"""What is reached as an attribute, as in `paraisite.datasets.load`."""


def __getattr__(name: str) -> Any:
    if name == "predict":
        return import_module("paraisite.prediction.shortcut").predict
    if name in _ROOMS:
        return import_module(f"paraisite.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOMS, "predict"])
