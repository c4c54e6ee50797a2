"""`doubts`: whether a column of conductivities can be one in W/m/K, told from a few rows.

Composition and volume alone say of a conductivity what it is within a factor of two or three: `expected`, a fit to
first-principles values that does not depend on the data that are looked at. A column is doubted as a whole where
another reading of it (another unit, a logarithm) is nearer to that by far.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.datasets.dataset import KAPPA, Dataset
from paraisite.datasets.plausibility import page
from paraisite.files.printable import counted

HIGHEST, LOWEST = 3500.0, 1e-3
"""W/m/K at 300 K: natural diamond has 2400, the model fitted to it nearly half as much again without 13C
(A. V. Inyushkin et al., Phys. Rev. B 97, 144305 (2018)). No solid is below a hundredth of W/m/K (the lowest known,
disordered WSe2 across its layers, has 0.05: C. Chiritescu et al., Science 315, 351 (2007)); a tenth of that is left
for what is computed."""

FIT = (
    5.4278, 0.4779, 0.2843, 0.2492, -0.7841, -0.0646, 0.2634, -0.3217, 0.613, 0.9469, -3.1691, -0.9114, -0.6974,
    -0.0836, 0.2536,
)  # fmt: skip
"""Constant and slopes of log10 kappa by the columns of `page`: a Huber regression on phonix, l96, hh143 and aflow_agl,
whose rows count 1, 10, 3 and 0.5. The residuals have a robust standard deviation of 0.22 (hh143) to 0.55 (l96)."""

FEWEST = 4
"""Rows below which a column is not doubted as a whole."""

LOGARITHM = "a logarithm of kappa, such as log10 or ln(1 + kappa): write kappa itself"
READINGS: tuple[tuple[str, Callable[[np.ndarray], np.ndarray]], ...] = (
    ("in W/cm/K: import them with --unit W/cm/K", lambda x: np.log10(x) + 2),
    ("in mW/m/K: import them with --unit mW/m/K", lambda x: np.log10(x) - 3),
    (LOGARITHM, lambda x: x),
    (LOGARITHM, lambda x: x / np.log(10)),
    (LOGARITHM, lambda x: np.log10(np.expm1(x))),
    (LOGARITHM, lambda x: np.log10(10**x - 1)),
)
"""What a column may be instead, and log10 kappa if it is."""


def expected(crystals: Sequence[Crystal]) -> np.ndarray:
    """log10 of the conductivity (W/m/K) that composition and volume suggest, shape (n,)."""
    found: np.ndarray = FIT[0] + page(crystals) @ np.array(FIT[1:])
    return found


def column_doubt(crystals: Sequence[Crystal], kappa: np.ndarray) -> str:
    """Say in a line what is wrong with a whole column; empty where nothing is.

    Of 4800 selections of 5 to 90 rows of phonix, l96, hh143 and aflow_agl (at random, of the lowest and of the highest
    fifth), 18 are doubted as they are, all of the lowest; so are 17 of their 2750 chemical families of 4 rows and more
    (an element, a prototype or both), 14 of them of aflow_agl. In W/cm/K or mW/m/K nearly all are; as log10 most are,
    as ln(1 + kappa) those of 20 rows and more whose conductivities span a decade.
    """
    rows = np.flatnonzero((kappa > 0) & np.isfinite(kappa))
    value = kappa[rows]
    if len(rows) < FEWEST:
        return ""
    if np.ptp(value) == 0:
        return f"all {len(value)} values of kappa are {value[0]:.4g}; is this the right column?"
    own, near = np.log10(value), expected([crystals[i] for i in rows.tolist()])

    def off(log_kappa: np.ndarray) -> float:
        return float(np.minimum(np.nan_to_num(np.abs(log_kappa - near), nan=2.5), 2.5).mean())

    with np.errstate(all="ignore"):
        error, best = min((off(read(value)), reading) for reading, read in READINGS)
    if off(own) - error > 0.3 + 0.5 / np.sqrt(len(value)):
        return (
            f"the values of kappa, read as W/m/K, differ by a factor of {10 ** off(own):.0f} from those expected by "
            f"composition and volume; perhaps they are {best}"
        )
    # no logarithm of a conductivity is larger than that of the highest
    if len(value) >= 20 and value.max() <= np.log1p(HIGHEST) and np.median(value) > 0.8 and np.std(near) > 0:
        alike, span = np.corrcoef(own, near)[0, 1], own.std() / near.std()
        if alike > 0.45 and span < 0.65:  # conductivities spread more than what the fit makes of them
            return (
                f"the values of kappa ({value.min():.3g} to {value.max():.3g}) vary less than expected for these "
                f"crystals; perhaps they are {LOGARITHM}"
            )
    return ""


def doubts(dataset: Dataset, shown: int = 5) -> list[str]:
    """Say in a line each what is wrong with the conductivities of a dataset; `shown` rows are named."""
    if KAPPA not in dataset.targets:
        return []
    kappa = dataset.targets[KAPPA]
    found = []
    for wrong, what in (
        (kappa > HIGHEST, f"above {HIGHEST:g} W/m/K, more than diamond has"),
        ((kappa > 0) & (kappa < LOWEST), f"below {LOWEST:g} W/m/K, less than any solid has"),
    ):
        rows = np.flatnonzero(wrong)  # NaN is neither
        if len(rows):
            named = ", ".join(f"{dataset.crystals[i].id} {kappa[i]:.4g}" for i in rows[:shown])
            found.append(
                f"{counted(len(rows), 'value')} of kappa {what} ({named}{', …' if len(rows) > shown else ''}); if in "
                "another unit, import with --unit"
            )
    if whole := column_doubt(dataset.crystals, kappa):
        found.append(whole)
    return found
