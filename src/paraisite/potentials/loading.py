"""`load`: an interatomic potential by name, as an ASE calculator."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paraisite.model.registry import locate, registry

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

DEFAULT_POTENTIAL = "nequix-oam-1-pft"
"""Of phonons: docs/potentials.md compares the potentials."""

RELAXING_POTENTIAL = "tensornet-matpes-pbe-v2025.1"
"""Of relaxations before a prediction, which are many."""


class PotentialError(ValueError):
    """A potential cannot be had or used; the message says which, why, and what to do."""


def unknown_elements(name: str, symbols: Iterable[str]) -> PotentialError:
    """What a calculator raises for elements that its potential was not trained on."""
    return PotentialError(f"{name} does not cover {', '.join(sorted(symbols))}; use another potential")


def names() -> list[str]:
    """Potentials of the registry (`models.yml`)."""
    return [name for name, entry in registry().items() if entry.kind == "potential"]


def full_name(name: str) -> str:
    """The name a result is stored under: of the registry, or ``MODULE:FACTORY`` as given.

    Raises
    ------
    PotentialError
        If it is neither.
    """
    if ":" in name:
        return name
    key = name.lower()
    found = next((known for known in names() if key == known or key in registry()[known].aliases), None)
    if found is None:
        raise PotentialError(
            f"{name}: unknown potential; choose from {', '.join(names())}, or name one as MODULE:FACTORY"
        )
    return found


def load(name: str = DEFAULT_POTENTIAL, mirror: str | Path | None = None, device: str = "cpu") -> Calculator:
    """Load a potential as an ASE calculator of energy (eV), forces (eV/Å) and stress (eV/Å³, Voigt order).

    Nothing is downloaded: weights come from the cache that `paraisite models fetch` fills, or from a mirror.

    Parameters
    ----------
    name : str
        A potential of the registry, or ``MODULE:FACTORY``: a callable without arguments (a calculator's class is one)
        in a module that Python finds, the working folder included.
    mirror : str or Path, optional
        Folder that stands in for the network; by default PARAISITE_MIRROR.
    device : str
        ``cpu``, ``cuda`` or ``auto``; a potential of yours chooses its own.

    Raises
    ------
    PotentialError
        If there is no such potential, its packages are not installed, or its device is not there.
    paraisite.model.registry.ModelError
        If its weights are not on this machine or are not the registered ones.
    """
    name = full_name(name)
    if ":" in name:
        return _made_by(name)
    folder = locate(name, mirror)
    try:
        return registry()[name].load(folder, name, device)
    except ImportError as error:
        raise PotentialError(
            f"{name}: its packages are not installed ({error}); run `make phonons` in a checkout "
            "of paraisite (docs/potentials.md has the commands for another environment)"
        ) from error


def _made_by(name: str) -> Calculator:
    """Call the factory ``MODULE:FACTORY``."""
    module, _, path = name.partition(":")
    if os.getcwd() not in sys.path:  # a console script, unlike `python -m`, does not look there
        sys.path.append(os.getcwd())
    try:
        factory: Any = importlib.import_module(module)
    except (ImportError, ValueError) as error:
        raise PotentialError(f"{name}: module {module or '(empty)'} cannot be imported: {error}") from error
    for part in path.split("."):
        if not hasattr(factory, part):
            raise PotentialError(f"{name}: no {path or 'factory'} found in {module}")
        factory = getattr(factory, part)
    return _checked(factory, name)


def _checked(factory: Callable[[], Any], name: str) -> Calculator:
    """Make a calculator and see that it has what phonons need."""
    try:
        calculator = factory()
    except Exception as error:
        raise PotentialError(
            f"{name}: calling it without arguments failed ({type(error).__name__}: {error}); "
            "it must be a callable that needs none and returns an ASE calculator"
        ) from error
    if not callable(getattr(calculator, "get_forces", None)):
        raise PotentialError(f"{name}: returned {type(calculator).__name__}, which is not an ASE calculator of forces")
    return calculator
