"""Fifteen crystals of four prototypes, with polymorphs and one crystal twice; as a script, the hashes of its splits."""

from __future__ import annotations

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import NUMBERS
from paraisite.datasets import Dataset

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
CORNERS = np.array([[0.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])


def crystal(id_: str, cell: np.ndarray, symbols: str, positions: object) -> Crystal:
    numbers = np.array([NUMBERS[symbol] for symbol in symbols.split()])
    return Crystal(cell, numbers, np.array(positions, dtype=float), id_)


def rocksalt(a: float, symbols: str) -> Crystal:
    return crystal(f"{symbols} rocksalt", a * FCC, symbols, [[0, 0, 0], [0.5, 0.5, 0.5]])


def conventional_rocksalt(a: float, symbols: str) -> Crystal:
    """The cube of eight sites, whose origin is moved."""
    first, second = symbols.split()
    positions = np.concatenate([CORNERS, CORNERS + np.array([0.5, 0.0, 0.0])]) + np.array([0.1, 0.2, 0.3])
    return crystal(f"{symbols} cube", a * np.eye(3), " ".join([first] * 4 + [second] * 4), positions)


def caesium_chloride(a: float, symbols: str) -> Crystal:
    return crystal(f"{symbols} CsCl", a * np.eye(3), symbols, [[0, 0, 0], [0.5, 0.5, 0.5]])


def zincblende(a: float, symbols: str) -> Crystal:
    return crystal(f"{symbols} zincblende", a * FCC, symbols, [[0, 0, 0], [0.25, 0.25, 0.25]])


def fluorite(a: float, symbols: str) -> Crystal:
    return crystal(f"{symbols} fluorite", a * FCC, symbols, [[0, 0, 0], [0.25] * 3, [0.75] * 3])


CRYSTALS = (
    rocksalt(5.64, "Na Cl"),
    rocksalt(6.29, "K Cl"),
    rocksalt(4.21, "Mg O"),
    rocksalt(4.81, "Ca O"),
    rocksalt(5.16, "Sr O"),
    caesium_chloride(4.12, "Cs Cl"),
    caesium_chloride(3.45, "Na Cl"),
    caesium_chloride(3.83, "Tl Cl"),
    zincblende(5.41, "Zn S"),
    zincblende(5.65, "Ga As"),
    zincblende(4.56, "Mg O"),
    zincblende(5.45, "Ga P"),
    fluorite(5.46, "Ca F F"),
    fluorite(5.80, "Sr F F"),
    conventional_rocksalt(5.70, "Na Cl"),
)
KAPPA = (7.1, 7.0, 60.0, 27.0, 12.0, 1.0, 2.0, 0.7, 27.0, 45.0, 35.0, np.nan, 9.7, 8.5, 7.3)


def dataset() -> Dataset:
    return Dataset("simple", CRYSTALS, {"kappa": np.array(KAPPA)}, ("first",) * 9 + ("second",) * 6)


SPLITS: tuple[tuple[str, dict[str, object]], ...] = (
    ("kfold", {"folds": 3}),
    ("paper", {"runs": [1, 2, 9]}),
    ("formula", {"folds": 3, "seed": 7}),
    ("chemical-system", {"folds": 4}),
    ("prototype", {"folds": 2}),
    ("element", {"min_rows": 3}),
    ("kappa", {}),
    ("kappa", {"above": 5.0, "below": 20.0}),
)

if __name__ == "__main__":
    from paraisite.datasets.saved_split import make_split

    for kind, parameters in SPLITS:
        made = make_split(dataset(), kind, **parameters)
        print(made.name, made.split_hash)
