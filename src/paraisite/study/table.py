"""The study's tables from its result files: cells with mean and std over runs, and the paired gain of each step."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from paraisite.files.csv_cells import csv_text, read_rows
from paraisite.files.printable import counted
from paraisite.files.writing import write_json
from paraisite.metrics import scores
from paraisite.study.plan import DATASETS, STEPS, VARIANTS

METRICS = ("mape", "median_ape", "male", "spearman")
KEYS = ("step", "trained_on", "tested_on", "protocol", "agl", "split")
COLUMNS = (*KEYS, "runs", *(f"{metric}_{what}" for metric in METRICS for what in ("mean", "std")))
PROTOCOLS = ("paper", "nested")


Key = tuple[str, str, str, str, str, str]


class Cell(NamedTuple):
    """One cell: what was trained and tested, and each metric of each run, in the order of the runs."""

    step: str
    trained_on: str
    tested_on: str
    protocol: str
    agl: str
    split: str
    runs: tuple[int, ...]
    values: dict[str, np.ndarray]

    def row(self) -> dict[str, Any]:
        """One row of the table; std is that of the runs (n - 1), None for a single one."""
        found: dict[str, Any] = dict(zip(KEYS, self[: len(KEYS)], strict=True)) | {"runs": len(self.runs)}
        for metric in METRICS:
            values = self.values[metric]
            found[f"{metric}_mean"] = float(values.mean())
            found[f"{metric}_std"] = float(values.std(ddof=1)) if len(values) > 1 else None
        return found


def fold_scores(kappa: np.ndarray, log_kappa: np.ndarray) -> dict[str, float]:
    """The metrics of predicted log10 kappa on a fold, to the six digits that a result file keeps."""
    return {metric: float(f"{value:.6g}") for metric, value in scores(kappa, 10**log_kappa).items()}


def write_result(path: Path, result: dict[str, Any]) -> None:
    """Write the result file of one run, and the folder it stands in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, result)


def read_results(folder: Path) -> list[dict[str, Any]]:
    """Read every `run-N.json` below a folder.

    Raises
    ------
    ValueError
        If there is none, or one of them is damaged.
    """
    found = []
    for path in sorted(folder.glob("*/run-*.json")):
        try:
            found.append(json.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise ValueError(f"{path}: not a result file ({error}); remove it and run the study again") from None
    if not found:
        raise ValueError(f"{folder}: no results (*/run-N.json); make them with: paraisite study run -o {folder}")
    return found


def cells(results: Iterable[dict[str, Any]]) -> list[Cell]:
    """Gather the runs of each cell, in the order of the study's tables.

    A training that saw no AGL row counts for both variants, so it stands in the table once, with an empty `agl`.
    """
    gathered: dict[Key, dict[int, dict[str, float]]] = {}
    for result in results:
        for protocol, tested in result["protocols"].items():
            for dataset, found in tested.items():
                key = (result["step"], result["trained_on"], dataset, protocol, result["agl"], result["split"])
                gathered.setdefault(key, {})[result["run"]] = found
    order: tuple[Sequence[str], ...] = (STEPS, DATASETS, DATASETS, PROTOCOLS, ("", *VARIANTS), ())

    def rank(key: Key) -> tuple[tuple[int, str], ...]:
        """Known names in their order, others (baselines) after them."""
        return tuple((known.index(k) if k in known else len(known), k) for k, known in zip(key, order, strict=True))

    return [_cell(key, gathered[key]) for key in sorted(gathered, key=lambda key: (key[5], key[3], rank(key)))]


def load_cells(path: Path) -> list[Cell]:
    """Cells of a folder of results, or of a file that `as_runs` wrote.

    Raises
    ------
    ValueError
        If there are no results, or they cannot be read.
    """
    if path.is_dir():
        return cells(read_results(path))
    gathered: dict[Key, dict[int, dict[str, float]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(read_rows(file), start=2):
            try:
                step, trained_on, tested_on, protocol, agl, split = (row[key] for key in KEYS)
                values = {metric: float(row[metric]) for metric in METRICS}
                gathered.setdefault((step, trained_on, tested_on, protocol, agl, split), {})[int(row["run"])] = values
            except (KeyError, TypeError, ValueError):
                raise ValueError(f"{path}: line {number} is not a run of a study (--format runs writes them)") from None
    return [_cell(key, found) for key, found in gathered.items()]


def _cell(key: Key, found: dict[int, dict[str, float]]) -> Cell:
    runs = tuple(sorted(found))
    return Cell(*key, runs, {metric: np.array([found[run][metric] for run in runs]) for metric in METRICS})


class Gain(NamedTuple):
    """What one step gains over another in one metric, paired by run."""

    better: Cell
    worse: Cell
    metric: str
    wins: int
    runs: int
    difference: float
    p_value: float


def gain(better: Cell, worse: Cell, metric: str, test_share: float = 0.25) -> Gain:
    """Compare two cells run by run.

    The p-value is that of the corrected resampled t-test, two-sided: with differences d of n runs,
    t = mean(d) / sqrt((1/n + test/train) var(d)) with n - 1 degrees of freedom (C. Nadeau and Y. Bengio, Machine
    Learning 52, 239 (2003)); plain t-tests take overlapping folds for independent ones.

    Parameters
    ----------
    better, worse : Cell
        Tested on the same dataset.
    metric : str
        An error: lower is better.
    test_share : float
        Rows scored over rows trained on.

    Raises
    ------
    ValueError
        If they have fewer than two runs in common.
    """
    from scipy.stats import t as student

    runs = [run for run in better.runs if run in worse.runs]
    if len(runs) < 2:
        raise ValueError(
            f"{better[:5]} and {worse[:5]} have {counted(len(runs), 'run')} in common; a comparison needs two"
        )
    a = better.values[metric][[better.runs.index(run) for run in runs]]
    b = worse.values[metric][[worse.runs.index(run) for run in runs]]
    away = b - a
    spread = np.sqrt((1 / len(runs) + test_share) * away.var(ddof=1))
    p = 2 * student.sf(abs(away.mean()) / spread, len(runs) - 1) if spread > 0 else float(not away.any())
    return Gain(better, worse, metric, int((away > 0).sum()), len(runs), float(away.mean()), float(p))


def gains(made: Sequence[Cell], metric: str = "mape") -> list[Gain]:
    """The gain of step II over I, and of every III over II, train = test, in each protocol, variant and split."""
    found = []
    own = [cell for cell in made if cell.trained_on == cell.tested_on]
    for better in own:
        for worse in own:
            same = better[1:4] == worse[1:4] and better.split == worse.split and worse.agl in ("", better.agl)
            enough = len(set(better.runs) & set(worse.runs)) > 1
            if same and enough and (worse.step, better.step) in (("I", "II"), *(("II", step) for step in STEPS[2:])):
                found.append(gain(better, worse, metric))
    return found


def spread(values: Sequence[float] | np.ndarray) -> str:
    """Mean (standard deviation, n - 1) to three digits; the value alone where there is only one."""
    std = f" ({np.std(values, ddof=1):.3f})" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{std}"


def as_csv(made: Sequence[Cell]) -> str:
    """The table as CSV, full precision to six digits."""
    rows = (cell.row() for cell in made)
    return csv_text(
        COLUMNS, ([f"{row[c]:.6g}" if isinstance(row[c], float) else row[c] for c in COLUMNS] for row in rows)
    )


def as_runs(made: Sequence[Cell]) -> str:
    """Every run of every cell as CSV, to six digits: what all the tables are made of."""
    rows = (
        [*cell[: len(KEYS)], run, *(f"{cell.values[metric][i]:.6g}" for metric in METRICS)]
        for cell in made
        for i, run in enumerate(cell.runs)
    )
    return csv_text((*KEYS, "run", *METRICS), rows)


def as_markdown(made: Sequence[Cell]) -> str:
    """The table as Markdown: mean (std) of each metric."""
    lines = ["| " + " | ".join((*KEYS, "runs", *METRICS)) + " |", "| " + " | ".join(["---"] * (len(KEYS) + 5)) + " |"]
    lines += ["| " + " | ".join(_texts(cell)) + " |" for cell in made]
    return "\n".join(lines) + "\n"


def as_latex(made: Sequence[Cell]) -> str:
    """The table as a LaTeX tabular (booktabs)."""
    heads = [name.replace("_", r"\_") for name in (*KEYS, "runs", *METRICS)]
    lines = [
        r"\begin{tabular}{" + "l" * len(KEYS) + "r" * 5 + "}",
        r"\toprule",
        " & ".join(heads) + r" \\",
        r"\midrule",
    ]
    lines += [" & ".join(text.replace("_", r"\_") for text in _texts(cell)) + r" \\" for cell in made]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


FORMATS = {"md": as_markdown, "csv": as_csv, "latex": as_latex, "runs": as_runs}


def _texts(cell: Cell) -> list[str]:
    row = cell.row()
    found = [str(row[key]) or "–" for key in KEYS] + [str(row["runs"])]
    return found + [spread(cell.values[metric]) for metric in METRICS]
