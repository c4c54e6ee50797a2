"""`page`: the HTML of a report, one file that needs nothing else."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from paraisite.files.printable import counted
from paraisite.prediction.table import kind, short
from paraisite.screening.report.census import Census
from paraisite.screening.shortlist import PROBABILITY, SYSTEM

Row = Mapping[str, Any]

_RANKED = {
    "expected": ("the lowest κ first", "the highest κ first"),
    "probability": ("the most probable first",) * 2,
    "bound": ("the lowest lower bound first", "the highest upper bound first"),
    "uncertainty": ("the least certain first",) * 2,
}


@dataclass(frozen=True)
class Figure:
    """A picture and what stands below it."""

    path: Path
    caption: str
    wide: bool = False


def page(
    census: Census,
    candidates: Sequence[Row],
    scenes: Sequence[Mapping[str, Any] | None],
    uncertain: Sequence[Row],
    figures: Sequence[Figure],
    provenance: Mapping[str, str],
    level: float | None = None,
) -> str:
    """Put a report together.

    Parameters
    ----------
    census : Census
    candidates : sequence of mapping
        Rows of the shortlist, with `cif`, the name of a file in the folder ``cifs``, or empty.
    scenes : sequence of mapping or None
        What `scene` made of each candidate's crystal.
    uncertain : sequence of mapping
        Rows with the widest intervals.
    figures : sequence of Figure
    provenance : mapping of str to str
        What the table was made of and with.
    level : float, optional
        Of the intervals.
    """
    here = files(__package__)
    text = {
        name: here.joinpath(name).read_text("utf-8")
        for name in ("page.html", "page.css", "page.js", "marks.css", "plots.js")
    }
    wish = census.wish
    rows = sum(census.summary.counts.values())
    shown = [s for s in scenes if s is not None]
    number = iter(range(len(shown)))
    at = [None if s is None else next(number) for s in scenes]
    return Template(text["page.html"]).substitute(
        css=text["marks.css"] + text["page.css"],
        js=text["page.js"],
        plots=text["plots.js"],
        points=_embedded(
            {
                "points": _points(census),
                "predicted": census.summary.predicted,
                "bounds": [bound for bound in (wish.below, wish.above) if bound is not None],
            }
        ),
        title=escape(f"Screening of {rows:,} {'crystal' if rows == 1 else 'crystals'}"),
        subtitle=escape(
            "Thermal conductivity of the lattice at 300 K (in a metal, electrons add to it)"
            f"{f'; wanted: {wish.words}' if wish.words else ''}"
        ),
        tiles=_tiles(census),
        figures="\n".join(_figure(figure) for figure in figures),
        candidates_intro=escape(_intro(census, len(candidates))),
        candidates=_candidates(candidates, at, _columns(level), bounded=wish.bounded),
        uncertain=_table(_columns(level), [_cells(row) for row in uncertain], "uncertain"),
        reasons=_reasons(census),
        provenance=_definitions(provenance),
        scenes=_embedded(shown),
    )


def _embedded(value: Any) -> str:
    """JSON that ends no script."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _points(census: Census) -> list[list[Any]]:
    """Formula, id, kappa, the bounds of its interval, and whether there is a warning, of each crystal that is drawn."""
    return [
        [formula, id, *(float(f"{v:.4g}") if np.isfinite(v) else None for v in values), int(warning)]
        for (formula, id, warning), values in zip(census.names, census.points.T.tolist(), strict=True)
    ]


def _tiles(census: Census) -> str:
    counts, wish = census.summary.counts, census.wish
    tiles = [
        (f"{census.summary.predicted:,}", "predicted"),
        (f"{counts['warning']:,}", "of them with a warning"),
        (f"{counts['rejected']:,}", "rejected"),
        (short(census.median), "median κ (W/m/K)"),
    ]
    if wish.bounded:
        tiles += [
            (f"{census.within:,}", f"predicted {wish.words}"),
            (f"{census.expected:,.0f}", f"expected {wish.words}"),
        ]
    return "\n".join(f'<div class="tile"><b>{escape(n)}</b><span>{escape(what)}</span></div>' for n, what in tiles)


def _figure(figure: Figure) -> str:
    data = base64.b64encode(figure.path.read_bytes()).decode()
    wide = ' class="wide"' if figure.wide else ""
    caption = escape(figure.caption)
    image = f'<img alt="{caption}" src="data:image/png;base64,{data}">'
    return f"<figure{wide}>{image}<figcaption>{caption}</figcaption></figure>"


def _intro(census: Census, n: int) -> str:
    wish = census.wish
    if not n:
        return "No crystal meets the criteria."
    said = [f"{counted(n, 'crystal')}, {_RANKED[wish.rank][wish.high]}"]
    if wish.per_system:
        said.append(f"at most {wish.per_system} of each chemical system")
    if wish.bounded:
        said.append(f"P is the probability of {wish.words}, for a normal distribution of log10 κ")
    return "; ".join(said) + "."


_Column = tuple[str, bool]
"""Heading, and whether the cells are numbers."""


def _columns(level: float | None) -> list[_Column]:
    return [
        ("#", True),
        ("crystal", False),
        ("kind", False),
        ("κ (W/m/K)", True),
        ("interval" if level is None else f"{100 * level:.4g} % interval", True),
        ("spread of log10 κ", True),
        ("applicability", True),
        ("sites", True),
        ("nearest known", False),
    ]


def _cells(row: Row) -> list[str]:
    id, source, formula = (escape(str(row[name])) for name in ("id", "source", "formula"))
    warning = f'<small class="warning">{escape(row["reason"])}</small>' if row["status"] == "warning" else ""
    low, high = row["kappa_low_W_mK"], row["kappa_high_W_mK"]
    interval = f"{short(low)} – {short(high)}" if low is not None and high is not None else "–"
    width = high / low if low and high else None
    cif = f' <a href="cifs/{escape(row["cif"])}">CIF</a>' if row.get("cif") else ""
    named = f'<b>{formula}</b><small title="{source}">{id}{cif}</small>'
    return [
        _cell(str(row["rank"]), row["rank"]),
        f'<td class="text" data-key="{formula}">{named}{warning}</td>',
        f'<td class="text">{escape(kind(row.get("dimensionality"), row.get("band_gap_eV"), row.get("is_metal")))}</td>',
        _cell(short(row["kappa_W_mK"]), row["kappa_W_mK"]),
        _cell(interval, width, title="sorted by the ratio of the ends"),
        _cell(short(row["log10_std"]), row["log10_std"]),
        _cell(short(row["applicability"]), row["applicability"]),
        _cell(str(row["n_sites"]), row["n_sites"]),
        f'<td class="text">{escape(row["nearest_known"])}</td>',
    ]


def _cell(text: str, key: float | None, title: str = "") -> str:
    told = f' title="{escape(title)}"' if title else ""
    return f'<td class="number" data-key="{"" if key is None else repr(key)}"{told}>{escape(text)}</td>'


def _candidates(rows: Sequence[Row], scenes: Sequence[int | None], columns: list[_Column], *, bounded: bool) -> str:
    columns.insert(1, ("structure", False))
    if bounded:
        columns.insert(6, ("P", True))
    lines, attributes = [], []
    for row, scene in zip(rows, scenes, strict=True):
        cells = _cells(row)
        label = escape(f"{row['formula']} ({row['id']})")
        picture = (
            f'<canvas class="structure" width="104" height="88" role="img" data-scene="{scene}" aria-label="{label}">'
            "</canvas>"
            if scene is not None
            else "<small>no picture</small>"
        )
        cells.insert(1, f"<td>{picture}</td>")
        if bounded:
            p = row[PROBABILITY]
            cells.insert(6, _cell(_percent(p), p))
        lines.append(cells)
        words = escape(f"{row['formula']} {row['id']} {row[SYSTEM]}")
        kappa, low, high = (row[f"kappa{end}_W_mK"] for end in ("", "_low", "_high"))
        ratio = high / low if low and high else ""
        attributes.append(
            f' data-system="{escape(row[SYSTEM])}" data-words="{words}" data-kappa="{kappa}" data-ratio="{ratio}"'
        )
    return _table(columns, lines, "candidates", attributes)


def _percent(share: float | None) -> str:
    if share is None:
        return "–"
    return "> 99 %" if share > 0.995 else "< 1 %" if share < 0.005 else f"{100 * share:.0f} %"


def _table(columns: Sequence[_Column], rows: Sequence[list[str]], id: str, attributes: Sequence[str] = ()) -> str:
    head = "".join(
        f'<th{" class=number" if number else ""}><button type="button">{escape(name)}</button></th>'
        for name, number in columns
    )
    more = attributes or [""] * len(rows)
    body = "\n".join(f"<tr{attribute}>{''.join(cells)}</tr>" for attribute, cells in zip(more, rows, strict=True))
    return f'<div class="scroll"><table id="{id}"><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def _reasons(census: Census) -> str:
    lines = census.summary.lines()
    items = "".join(f"<li>{escape(line)}</li>" for line in lines[:-1])
    return f"<p>{escape(lines[-1])}.</p>{f'<ul>{items}</ul>' if items else ''}"


def _definitions(provenance: Mapping[str, str]) -> str:
    return f"<dl>{''.join(f'<dt>{escape(k)}</dt><dd>{escape(v)}</dd>' for k, v in provenance.items())}</dl>"
