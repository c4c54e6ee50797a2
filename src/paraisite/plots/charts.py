"""Figures of predictions: `parity`, `calibration`, `temperature`, `intervals`; each draws into axes and returns them.

Conductivities are in W m⁻¹ K⁻¹. Without ``ax`` a figure of pyplot is made, which notebooks show by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from paraisite.plots.drawing import COLOURS, FAINT, INK, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAND = 2.0
"""Half width of the band around the diagonal, as a factor."""

PREDICTED, DATA = "κ, predicted (W m⁻¹ K⁻¹)", "κ, data (W m⁻¹ K⁻¹)"


def axes_or_new(ax: Axes | None, width: float, height: float) -> Axes:
    """Return the axes, or those of a new figure of this size in inches."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.figure(figsize=(width, height), layout="constrained").add_subplot()


def parity(
    true: ArrayLike,
    predicted: ArrayLike,
    *,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    groups: Sequence[str] | None = None,
    note: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw predicted over true conductivities, both axes logarithmic and alike, with the band of a factor of 2.

    Parameters
    ----------
    true, predicted : array_like, shape (n,)
        Pairs in which one is not finite or not above zero are left out.
    low, high : array_like, shape (n,), optional
        Bounds of the intervals.
    groups : sequence of str, length n, optional
        Name of the group of each point; each has a colour.
    note : str, optional
        In the corner; by default the number of points, the share within the band and the mean absolute log10 error.
    ax : matplotlib.axes.Axes, optional

    Raises
    ------
    ValueError
        If no pair is left.
    """
    true, predicted = np.asarray(true, dtype=float), np.asarray(predicted, dtype=float)
    with np.errstate(invalid="ignore"):
        used = (true > 0) & (predicted > 0) & np.isfinite(true) & np.isfinite(predicted)
    if not used.any():
        raise ValueError("no pair of conductivities above zero is there to draw")
    ax = axes_or_new(ax, 4.6, 4.6)
    both = np.concatenate([true[used], predicted[used]])
    ends = np.array([both.min() / 1.4, both.max() * 1.4])
    ax.fill_between(ends, ends / BAND, ends * BAND, color="0.92", linewidth=0, zorder=0)
    ax.plot(ends, ends, color=FAINT, linewidth=1, zorder=1)
    of = np.array(["" for _ in true] if groups is None else groups)
    for name, colour in zip(dict.fromkeys(of[used].tolist()), COLOURS * (len(of) // len(COLOURS) + 1), strict=False):
        rows = used & (of == name)
        if low is not None and high is not None:
            bounds = np.stack([np.asarray(low, dtype=float)[rows], np.asarray(high, dtype=float)[rows]])
            ax.vlines(true[rows], *bounds, color=colour, alpha=0.35, linewidth=0.7, zorder=1)
        ax.scatter(true[rows], predicted[rows], s=14, color=colour, alpha=0.45, linewidth=0, zorder=2, label=name)
    ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal", xlabel=DATA, ylabel=PREDICTED)
    for axis in (ax.xaxis, ax.yaxis):
        _plain_numbers(axis, *ends)
    if note is None:
        apart = np.abs(np.log10(predicted[used] / true[used]))
        within = 100 * np.mean(apart <= np.log10(BAND))
        note = f"n = {used.sum()}\n{within:.0f} % within a factor of 2\nMALE {apart.mean():.3f}"
    ax.text(0.04, 0.96, note, transform=ax.transAxes, va="top", fontsize=9, color=INK)
    if groups is not None:
        ax.legend(loc="lower right", fontsize=9, frameon=False)
    quiet(ax)
    return ax


def calibration(true: ArrayLike, intervals: Mapping[float, ArrayLike], *, ax: Axes | None = None) -> Axes:
    """Draw the share of truths that intervals cover over their nominal coverage.

    Parameters
    ----------
    true : array_like, shape (n,)
    intervals : mapping of float to array_like, shape (n, 2)
        Lower and upper bounds, by nominal coverage (between 0 and 1): ``{level: regressor.predict_interval(x, level)
        for level in (0.5, 0.8, 0.9)}``. A bound that is NaN covers nothing.
    ax : matplotlib.axes.Axes, optional

    Notes
    -----
    The bars are intervals of 95 % for a share k / n of independent rows: E. B. Wilson, J. Am. Stat. Assoc. 22, 209
    (1927).
    """
    true = np.asarray(true, dtype=float)
    n, z = len(true), 1.96
    levels = np.array(sorted(intervals))
    bounds = [np.asarray(intervals[level], dtype=float).T for level in levels.tolist()]
    share = np.array([np.mean((low <= true) & (true <= high)) for low, high in bounds])
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    ax = axes_or_new(ax, 4.6, 4.6)
    ax.plot([0, 1], [0, 1], color=FAINT, linewidth=1, zorder=1)
    ax.vlines(levels, middle - reach, middle + reach, color=COLOURS[0], linewidth=1.5, alpha=0.5)
    ax.plot(levels, share, "o-", color=COLOURS[0], markersize=5, linewidth=1)
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="nominal coverage", ylabel="share of truths covered")
    ax.text(0.04, 0.96, f"n = {n}", transform=ax.transAxes, va="top", fontsize=9, color=INK)
    quiet(ax)
    return ax


def temperature(
    predictions: Any, *, measured: tuple[ArrayLike, ArrayLike] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw kappa against temperature with its interval, both axes logarithmic.

    Parameters
    ----------
    predictions : Prediction or iterable of Prediction
        With temperatures: ``paraisite.predict(x, temperatures=range(100, 1001, 100))``. Rejected ones are left out.
    measured : (array_like, array_like), optional
        Temperatures (K) and conductivities to compare with.
    ax : matplotlib.axes.Axes, optional

    Raises
    ------
    ValueError
        If no prediction has temperatures.
    """
    ax = axes_or_new(ax, 5.4, 4.0)
    drawn = 0
    for row in [predictions] if hasattr(predictions, "properties") else predictions:
        cells = ((re.fullmatch(r"kappa_([\d.e+]+)K_W_mK", name), name) for name in row.properties)
        columns = sorted((float(match[1]), name.removesuffix("_W_mK")) for match, name in cells if match)
        if not columns:
            continue
        at = [t for t, _ in columns]
        low, kappa, high = ([row.properties[f"{c}{end}_W_mK"] for _, c in columns] for end in ("_low", "", "_high"))
        colour = COLOURS[drawn % len(COLOURS)]
        label = " ".join(dict.fromkeys(text for text in (row.formula, row.id) if text))
        ax.plot(at, kappa, "o-" if len(at) < 20 else "-", color=colour, markersize=3, label=label)
        if None not in low and None not in high:
            ax.fill_between(at, low, high, color=colour, alpha=0.15, linewidth=0)
        drawn += 1
    if not drawn:
        raise ValueError("no prediction has kappa at temperatures; predict with temperatures=[...]")
    if measured is not None:
        ax.plot(*measured, "s", color=INK, markersize=5, fillstyle="none", label="data")
    ax.set(xscale="log", yscale="log", xlabel="temperature (K)", ylabel="κ (W m⁻¹ K⁻¹)")
    _plain_numbers(ax.xaxis, *ax.get_xlim())
    _plain_numbers(ax.yaxis, *ax.get_ylim())
    ax.legend(frameon=False, fontsize=9)
    quiet(ax)
    return ax


def intervals(predictions: Iterable[Any], *, true: Sequence[float] | None = None, ax: Axes | None = None) -> Axes:
    """Draw kappa and its interval of each crystal, one below the other.

    Parameters
    ----------
    predictions : iterable of Prediction
        From top to bottom. Rejected ones have a line without a point.
    true : sequence of float, optional
        Conductivities to compare with, one for each.
    ax : matplotlib.axes.Axes, optional
    """
    rows = list(predictions)
    ax = axes_or_new(ax, 5.4, 1.0 + 0.26 * len(rows))
    place = np.arange(len(rows))
    low, kappa, high = (
        np.array([getattr(row, name) for row in rows], dtype=float)
        for name in ("kappa_low_W_mK", "kappa_W_mK", "kappa_high_W_mK")
    )
    ax.hlines(place, low, high, color=COLOURS[4], linewidth=3)
    ax.plot(kappa, place, "o", color=COLOURS[0], markersize=5, label="predicted")
    if true is not None:
        ax.plot(true, place, "D", color=COLOURS[5], markersize=5, fillstyle="none", label="data")
        ax.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    ax.set_yticks(place, [row.id or row.formula or row.source for row in rows])
    ax.set(xscale="log", ylim=(len(rows) - 0.5, -0.5), xlabel="κ (W m⁻¹ K⁻¹)")
    _plain_numbers(ax.xaxis, *ax.get_xlim())
    ax.grid(axis="x", color="0.92")
    quiet(ax)
    return ax


def _plain_numbers(axis: Any, low: float, high: float) -> None:
    """Label a logarithmic axis with 1, 2, 5, or with powers of ten where there are more than two of these."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())
