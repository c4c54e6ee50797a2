"""AGL conductivities by formula, on the split published with CrabNet: a comparison with the field.

A. Y.-T. Wang, S. K. Kauwe, R. J. Murdock and T. D. Sparks, npj Comput. Mater. 7, 77 (2021), predict one value for each
formula from the formula alone. We predict every crystal of a formula and take the median.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from paraisite.crystals.elements import NUMBERS, reduced_formula
from paraisite.datasets import load
from paraisite.datasets.formulas import load_formulas
from paraisite.metrics import scores
from paraisite.study.plan import AGL, Training
from paraisite.study.settings import Settings
from paraisite.training.apply import apply, place
from paraisite.training.run import initial_model, train_stage
from paraisite.training.stage_data import StageSet
from paraisite.versions import versions

SPLIT = "crabnet_agl_split"
SITES = 12
"""Largest denominator of a share; some are rounded: 0.33 and 0.333 stand for a third."""


def run_crabnet(
    out: Path, settings: Settings, *, mirror: str | Path | None, device: str, say: Callable[[str], None]
) -> dict[str, Any]:
    """Train on crystals whose formula is in neither the validation nor the test part, and score the test part once.

    Parameters
    ----------
    out : Path
        Folder of the training; what is there is not done again.
    settings : Settings
        Head, targets, the AGL stage, and the number of networks.
    mirror, device, say
        As in `Study` and `run_study`.

    Returns
    -------
    dict
        Errors on the test part, `mae_W_mK` and `male` among them; rows, hashes, versions.
    """
    table = load_formulas(SPLIT, mirror)
    part = StageSet(load(AGL, mirror))
    formulas = [reduced(formula) for formula in table.formulas]
    unseen = {formulas[i] for name in ("val", "test") for i in table.rows(name)}
    training = np.array([formula not in unseen for formula in part.dataset.formulas])
    recipe = settings.recipe(Training("II", AGL, "all"))
    members = settings.members
    model = initial_model(recipe, np.full(members, -1), mirror)
    out.mkdir(parents=True, exist_ok=True)
    mask = np.tile(training, (members, 1))
    model = train_stage(model, recipe, 0, part, mask, out, device=device, loggers=(), say=say)
    where = place(device)

    crystals: dict[str, list[int]] = {}
    for row, formula in enumerate(part.dataset.formulas):
        crystals.setdefault(formula, []).append(row)
    test = table.rows("test")
    asked = sorted({row for i in test for row in crystals.get(formulas[i], [])})
    values, _ = apply(model.to(where), part.graphs.take(asked), where)
    log_kappa = dict(zip(asked, np.log10(values["kappa"]).mean(axis=0).tolist(), strict=True))
    fallback = float(np.median(np.log10(part.dataset.kappa[training])))
    predicted, without = [], []
    for i in test:
        rows = crystals.get(formulas[i], [])
        predicted.append(np.median([log_kappa[row] for row in rows]) if rows else fallback)
        if not rows:
            without.append(table.formulas[i])
    kappa, found = table.kappa[test], 10 ** np.array(predicted)
    return {
        "split": SPLIT,
        "mae_W_mK": float(np.abs(found - kappa).mean()),
        **scores(kappa, found),
        "fallback": {"formulas": without, "kappa_W_mK": 10**fallback, "what": "median of the training crystals"},
        "rows": {"training_crystals": int(training.sum()), "test_formulas": len(test), "test_crystals": len(asked)},
        "members": members,
        "recipe": recipe.model_dump(mode="json", exclude_defaults=True),
        "data": {AGL: part.hash, SPLIT: table.content_hash},
        "versions": versions(),
    }


def reduced(formula: str) -> str:
    """Reduced formula as `Crystal.formula` writes it, from elements that are each followed by a count or a share.

    Raises
    ------
    ValueError
        If the text is not such a formula.
    """
    found = re.findall(r"([A-Z][a-z]?)(\d+(?:\.\d+)?)", formula)
    if "".join(symbol + count for symbol, count in found) != formula or not found:
        raise ValueError(f"{formula!r}: expected elements with their counts, such as Al1N1Zr2")
    shares = [Fraction(count).limit_denominator(SITES) for _, count in found]
    whole = math.lcm(*(share.denominator for share in shares))
    counts = [int(share * whole) for share in shares]
    return reduced_formula([NUMBERS[symbol] for (symbol, _), n in zip(found, counts, strict=True) for _ in range(n)])
