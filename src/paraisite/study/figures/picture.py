"""`Picture`: a figure of the study and the data it is drawn from, so that a file can be told to be out of date."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from paraisite.plots.drawing import fingerprint, made_from
from paraisite.study import curves as learning
from paraisite.study import predictions as predicting
from paraisite.study.curves import Curve
from paraisite.study.figures.cross import draw_cross
from paraisite.study.figures.curves import draw_curves
from paraisite.study.figures.elements import draw_elements
from paraisite.study.figures.gains import draw_gains
from paraisite.study.figures.parity import draw_parity
from paraisite.study.plan import STEPS
from paraisite.study.predictions import Prediction
from paraisite.study.table import Cell, cells, load_cells, read_results

T = TypeVar("T")


class Source(NamedTuple):
    """What the figures are drawn from, of one kind of split and one variant; the cells of protocol `nested`."""

    cells: list[Cell]
    predictions: list[Prediction]
    curves: list[Curve]


class Picture(NamedTuple):
    """One figure: name of its file, what it is drawn from, and how."""

    name: str
    data: Sequence[Any]
    draw: Callable[[Sequence[Any], Path, str], None]

    def save(self, folder: Path) -> Path:
        """Draw it into a folder, with the fingerprint of its data."""
        path = folder / self.name
        self.draw(self.data, path, fingerprint(self.data))
        return path

    def is_current(self, folder: Path) -> bool:
        """Whether the file in a folder was drawn from these very data."""
        return made_from(folder / self.name) == fingerprint(self.data)


def load_source(
    path: Path, *, split: str = "paper", agl: str = "no_overlap", mirror: str | Path | None = None
) -> Source:
    """Read what figures need.

    Parameters
    ----------
    path : Path
        A folder of results; or what `study report --format runs` wrote, whose neighbours with ``predictions`` and
        ``curves`` in place of ``runs`` in their name are read as well, where they are.
    split : {"paper", "formula", "prototype"}
    agl : {"no_overlap", "all"}
        Variant of trainings on AGL values.
    mirror : str or Path, optional
        Folder of the datasets, for formulas and conductivities of a folder of results; by default PARAISITE_MIRROR.

    Raises
    ------
    ValueError
        If there are no such results, or they cannot be read.
    """
    if path.is_dir():
        from paraisite.datasets import load

        results = [result for result in read_results(path) if result["split"] == split]
        made, curves = cells(results), learning.gather(results)
        predictions = predicting.gather(results, lambda name: load(name, mirror), agl)
    else:
        made = load_cells(path)
        predictions = _beside(path, "predictions", predicting.load_predictions)
        curves = _beside(path, "curves", learning.load_curves)
    found = Source(
        [c for c in made if c.step in STEPS and c.protocol == "nested" and c.split == split and c.agl in ("", agl)],
        [p for p in predictions if p.split == split and p.agl in ("", agl)],
        [c for c in curves if c.split == split and c.agl in ("", agl)],
    )
    if not found.cells:
        raise ValueError(f"{path}: no result of a step of the study with split {split!r} and AGL rows {agl!r}")
    return found


def _beside(path: Path, what: str, read: Callable[[Path], list[T]]) -> list[T]:
    file = path.with_name(path.name.replace("runs", what))
    return read(file) if file != path and file.is_file() else []


def pictures(source: Source) -> list[Picture]:
    """The figures that there are data for."""
    own = [cell for cell in source.cells if cell.trained_on == cell.tested_on]
    datasets = list(dict.fromkeys(p.trained_on for p in source.predictions))
    if "mix" in datasets:  # which holds these
        datasets = [name for name in datasets if name not in ("l96", "hh143")]
    found = [
        Picture("study_cross.png", source.cells, draw_cross),
        Picture("study_gains.png", own if len({cell.step for cell in own}) > 1 else [], draw_gains),
        Picture("study_curves.png", source.curves, draw_curves),
        Picture("study_parity.png", source.predictions, draw_parity),
    ]
    for name in datasets:
        of = [p for p in source.predictions if p.trained_on == name]
        found.append(Picture(f"study_elements_{name}.png", of, draw_elements))
    return [picture for picture in found if picture.data]
