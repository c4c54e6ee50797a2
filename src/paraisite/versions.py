"""Versions of what a result depends on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from paraisite import __version__

PACKAGES = (
    "torch",
    "numpy",
    "gemmi",
    "vesin",
    "ase",
    "pymatgen-core",
    "spglib",
    "pyarrow",
    "lightning",
    "scikit-learn",
)


def versions() -> dict[str, str]:
    """Version of ParAIsite, of Python and of each package that is installed (nothing is imported)."""
    found = {"paraisite": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
