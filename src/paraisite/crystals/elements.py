"""Chemical elements: symbols, atomic numbers, and reduced formulas."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

SYMBOLS: tuple[str, ...] = tuple(
    "X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr "
    "Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt "
    "Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv "
    "Ts Og".split()
)
"""Element symbol by atomic number, 0 to 118; 0 is ``X``, which stands for no element."""

NUMBERS: dict[str, int] = {symbol: z for z, symbol in enumerate(SYMBOLS) if z}
"""Atomic number by element symbol."""

_DUMMIES = {"VA", "VAC", "VACANCY", "DUM", "DUMMY", "WAT", "OH"}  # not vanadium, deuterium, tungsten, oxygen
_GROUPS = {"CN", "HO", "NH", "NO"}  # in capitals, hardly copernicium, holmium, nihonium or nobelium

# hydrogens on an atom that has the site: `O-H`, `CH3`, `H2O`, but not `CH1`, a carbon, or `OD1`
_HYDRATED = re.compile(r"[CNO]-[HD]\d?(?![A-Za-z])|[HD]\d?-?O(?![A-Za-z\d])|[HD]\dO|CH[2-4](?![A-Za-z\d])")

_FRACTION = r"((?:0?\.\d+|1\.0*)(?![\d+-]))"
_TERM = re.compile(rf"(?:{_FRACTION}\s*\*?\s*)?([A-Z][a-z]?)(?:\d[+-])?(?:\s*:?\s*{_FRACTION})?")

_CHARGE = r"[+-]*(?:\d+(?:\.\d*)?)?[+-]*"
_SPECIES = re.compile(rf"(\d{{0,3}})([A-Za-z]{{1,2}})\s*(?:{_CHARGE}|\((?:{_CHARGE}|[IVX]+)\))")

# Pauling's scale as tabulated in the CRC Handbook of Chemistry and Physics and used by pymatgen (periodic_table.json),
# for Z = 1..103; 0 where none is tabulated. It only orders the elements of a formula.
_PAULING: tuple[float, ...] = tuple(
    float(x)
    for x in "2.2 0 0.98 1.57 2.04 2.55 3.04 3.44 3.98 0 0.93 1.31 1.61 1.9 2.19 2.58 3.16 0 0.82 1 1.36 1.54 1.63 "
    "1.66 1.55 1.83 1.88 1.91 1.9 1.65 1.81 2.01 2.18 2.55 2.96 3 0.82 0.95 1.22 1.33 1.6 2.16 1.9 2.2 2.28 2.2 1.93 "
    "1.69 1.78 1.96 2.05 2.1 2.66 2.6 0.79 0.89 1.1 1.12 1.13 1.14 1.13 1.17 1.2 1.2 1.1 1.22 1.23 1.24 1.25 1.1 1.27 "
    "1.3 1.5 2.36 1.9 2.2 2.2 2.28 2.54 2 1.62 2.33 2.02 2 2.2 2.2 0.7 0.9 1.1 1.3 1.5 1.38 1.36 1.28 1.3 1.3 1.3 1.3 "
    "1.3 1.3 1.3 1.3 1.3".split()
)

# Formulas that chemists do not reduce further (the same list as pymatgen's).
_UNREDUCED = {f: f"{f}2" for f in ("O", "N", "F", "Cl", "H")} | {
    f"{m}O": f"{m}2O2" for m in ("Li", "Na", "K", "H", "Cs", "Rb")
}


def electronegativity(symbol: str) -> float:
    """Pauling electronegativity, infinite where none is tabulated."""
    z = NUMBERS[symbol]
    return (_PAULING[z - 1] or math.inf) if z <= len(_PAULING) else math.inf


@lru_cache(maxsize=4096)
def element_number(label: str) -> int:
    """Atomic number meant by a site label, 0 if none.

    Oxidation states (``Fe3+``), counters (``Fe1``), deuterium (``D``, ``2H``) and any case (``FE``) are understood.
    Dummies (``X``, ``Vac``, ``M``, the tetrahedral site ``T1``) are not elements. What claims to be an element and
    nothing else is for `species_number`.
    """
    letters = re.match(r"[^A-Za-z]*([A-Za-z]+)", label)
    if letters is None:
        return 0
    word = letters[1]
    if word.upper() in _DUMMIES or word in _GROUPS or _HYDRATED.match(label):
        return 0
    # `OW1`, `SiT`: a symbol followed by capitals that belong to the label
    prefix = re.match(r"[A-Z][a-z]?(?![a-z])", word)
    return _number(word.title()) or (_number(prefix[0]) if prefix else 0)


@lru_cache(maxsize=4096)
def species_number(symbol: str) -> int:
    """Atomic number of the symbol of a species, 0 if it is none: nothing but one element, whatever its charge.

    Charges and counters (``Fe3+``, ``Fe+3``, ``Fe(III)``, ``Fe1``), isotopes (``D``, ``T``, ``57Fe``) and any case
    (``FE``) are understood; groups (``H2O``, ``NH4``, ``OH``) and dummies are not elements.
    """
    if symbol.strip() == "T":  # `T1` is the tetrahedral site of a zeolite
        return 1
    match = _SPECIES.fullmatch(symbol.strip())
    if match is None or match[2].upper() in _DUMMIES or match[2] in _GROUPS:
        return 0
    return _number(match[2].title())


@lru_cache(maxsize=4096)
def label_number(label: str, elements: frozenset[int]) -> int:
    """Atomic number meant by a site label in a crystal of these elements, 0 if none or more than one could be.

    The elements settle labels that are not symbols: ``Ala`` and ``Hw`` are Al and H, and ``CA1`` is C where there is no
    calcium. Without any, the label alone is read, as by `element_number`.
    """
    z = element_number(label)
    if not elements or z in elements:
        return z
    word = re.match(r"[A-Za-z]+", label)
    if word is None or re.match(r"[HD]\d?-?O(?!\d)|[HD]\dO", label):
        return z
    meant = {n for i in (1, 2) if (n := _number(word[0][:i].title())) in elements}
    return meant.pop() if len(meant) == 1 else z


@lru_cache(maxsize=4096)
def mixture(text: str) -> dict[int, float]:
    """Shares of the elements on a site, where a text says them: ``0.8Nb + 0.2Zr``, ``Fe0.5Ni0.5``, ``Nb, Zr``.

    Returns
    -------
    dict
        Atomic number -> occupancy, NaN where only the elements are named; empty if the text is not a mixture.
    """
    shares: dict[int, float] = {}
    terms = list(_TERM.finditer(text))
    rest = _TERM.sub("", text)
    for before, symbol, after in (term.groups() for term in terms):
        shares[_number(symbol)] = float(before or after or "nan")
    said = any(share == share for share in shares.values()) or (len(terms) > 1 and re.search("[,/&;|]", rest))
    if (
        0 in shares
        or re.search(r"[^\s+,/&;()|-]", rest)
        or not (said or (len(terms) > 1 and re.search("[,/&;|]", rest)))
    ):
        return {}
    return shares


def _number(symbol: str) -> int:
    return 1 if symbol == "D" else NUMBERS.get(symbol, 0)


def is_group(symbol: str) -> bool:
    """Tell whether a text reads like the formula of several atoms (``H2O``, ``OH``) and not like one."""
    parts = re.fullmatch(r"((?:[A-Z][a-z]?\d*-?)+)[\d+-]*", symbol.strip())
    symbols = re.findall("[A-Z][a-z]?", parts[1]) if parts else []
    return len(symbols) > 1 and all(map(_number, symbols))


def reduced_formula(numbers: Iterable[int]) -> str:
    """Reduced formula of a list of atoms, the elements in the order of electronegativity.

    Parameters
    ----------
    numbers : iterable of int, shape (n_sites,)
        Atomic numbers, in any order.

    Returns
    -------
    str
        As `pymatgen.core.Composition.reduced_formula` writes it: ``MgO``, ``Ca(NO3)2``, ``Na2O2``.
    """
    values = numbers.tolist() if hasattr(numbers, "tolist") else numbers
    counts = Counter(SYMBOLS[z] for z in values if z)
    formula = _reduce(tuple(sorted(counts.items())))[0]
    return _UNREDUCED.get(formula, formula)


@lru_cache(maxsize=65536)
def _reduce(counts: tuple[tuple[str, int], ...]) -> tuple[str, int]:
    if not counts:
        return "", 1
    factor = math.gcd(*(n for _, n in counts))
    order = sorted(((symbol, n // factor) for symbol, n in counts), key=lambda c: (electronegativity(c[0]), c[0]))
    tail = ""
    # the two most electronegative elements form a polyanion if their difference is below 1.65 (pymatgen's rule)
    if len(order) >= 3 and electronegativity(order[-1][0]) - electronegativity(order[-2][0]) < 1.65:
        anion, n = _reduce(tuple(order[-2:]))
        if n != 1:
            tail = f"({anion}){n}"
            order = order[:-2]
    return "".join(f"{symbol}{n if n > 1 else ''}" for symbol, n in order) + tail, factor
