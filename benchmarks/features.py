"""Embedding against predicting, as a ratio of processor times in one run; and what own values are worth, honestly.

The second part asks on which crystals a score holds. The shipped model was trained on `l96`, `hh143` and `phonix`, so
that scores there are flattered. Each of its networks is taken alone, with the rows of those formulas only that it was
never trained on; own values and test rows are both drawn from these.
"""

from __future__ import annotations

import argparse
import os
import time
from itertools import islice

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np

from paraisite.datasets import grouped_kfold, load
from paraisite.model.descriptors import blocks
from paraisite.prediction import Predictor
from paraisite.study.estimators import Ridge
from paraisite.training.few_values import FewValues

LEVEL = 0.8
"""Of the intervals: a dozen values support no more."""


def ratio(predictor: Predictor, crystals: tuple, turns: int) -> None:
    """Processor times of both, in turns on the same crystals."""
    predictor.predict(crystals[:100], progress=False)  # what is loaded once
    times: dict[str, list[float]] = {"embed": [], "predict": []}
    for _ in range(turns):
        for name in times:
            start = time.process_time()
            if name == "embed":
                rows = sum(len(part.to_arrow()) for part in predictor.embed_stream(crystals))
            else:
                rows = predictor.predict(crystals, progress=False).to_arrow().num_rows
            assert rows == len(crystals)
            times[name].append(time.process_time() - start)
    embed, predict = (np.median(values) for values in times.values())
    print(f"{len(crystals)} crystals: embed {embed:.1f} s, predict {predict:.1f} s, ratio {embed / predict:.2f}")


def own_values(predictor: Predictor, name: str, most: int, rng: np.random.RandomState) -> None:
    """Errors on held-out formulas of one dataset: five folds of each network's unseen rows, at most `most` to learn."""
    data = load(name)
    prepared = predictor.prepare(data.crystals)
    kept = prepared.kept
    log_networks, vectors = predictor.encode(prepared.graphs)
    described, formulas = prepared.graphs.descriptors, np.array(data.formulas)[kept]
    assert described is not None
    log_true = np.log10(data.kappa[kept])
    sound = np.array(data.labels.get("flags", ("",) * len(data)))[kept] == ""
    held_out_by = np.array([predictor.card.formula_fold.get(f, -1) for f in formulas])
    errors: dict[str, list[float]] = {}
    inside: list[bool] = []

    def note(how: str, log_kappa: np.ndarray, rows: np.ndarray) -> None:
        errors.setdefault(how, []).extend(np.abs(log_kappa - log_true[rows]).tolist())

    for m in range(len(log_networks)):
        unseen = np.flatnonzero((held_out_by == m) & sound & np.isfinite(log_true))
        for split in grouped_kfold(formulas[unseen].tolist(), 5, seed=0):
            train, test = unseen[split.train], unseen[split.validation]
            train = np.sort(rng.permutation(train)[:most])
            inner = np.empty(len(train), dtype=np.int64)
            for f, part in enumerate(grouped_kfold(formulas[train].tolist(), 5, seed=1)):
                inner[part.validation] = f
            for how, networks in (("own values, unseen network", [m]), ("(flattered: all networks)", list(range(5)))):
                known = log_networks[networks], vectors[networks]
                fitted = FewValues.fit(
                    *(part[:, train] for part in known),
                    *(described[train], log_true[train], inner),
                    blocks=blocks(environment=predictor.environment),
                )
                at = (part[:, test] for part in known)
                log_kappa, low, high, _ = fitted.predict(*at, described[test], LEVEL)
                note(how, log_kappa, test)
                if networks == [m]:
                    inside += ((low <= log_true[test]) & (log_true[test] <= high)).tolist()
            note("no own values, unseen network", log_networks[m, test], test)
            features = np.concatenate([vectors[m], described], axis=1)
            ridge = Ridge().fit(features[train], log_true[train]).predict(features[test])
            note("ridge on features, unseen network", ridge, test)
            note("median of own values", np.full(len(test), np.median(log_true[train])), test)
    print(f"{name}, at most {most} own values, {len(inside)} held-out rows, MALE:")
    for how, values in sorted(errors.items(), key=lambda item: np.mean(item[1])):
        print(f"  {np.mean(values):.3f}  {how}")
    print(f"  intervals of {LEVEL:.0%} cover {np.mean(inside):.1%} (own values, unseen network)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--crystals", type=int, help="of phonix, for the ratio; all by default")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    predictor = Predictor.from_pretrained()
    ratio(predictor, tuple(islice(load("phonix").crystals, options.crystals)), options.turns)
    rng = np.random.RandomState(1)
    for name, most in (("l96", 40), ("hh143", 40), ("phonix", 40), ("phonix", 160)):
        own_values(predictor, name, most, rng)


if __name__ == "__main__":
    main()
