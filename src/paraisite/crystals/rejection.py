"""`Rejection`: an input that could not become a `Crystal`, with the reason; `CrystalError`, its exception."""

from __future__ import annotations

from dataclasses import dataclass


class CrystalError(ValueError):
    """A crystal is unusable; the message says what, where in the input, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """An input that yields no crystal but still yields an output row.

    Attributes
    ----------
    id, source : str
        As in `Crystal`.
    reason : str
        What is wrong, where, and what a person can do about it.
    formula : str
        Reduced formula where it could be read, else empty.
    n_sites, n_elements : int or None
        Counts where they could be read.
    """

    id: str
    source: str
    reason: str
    formula: str = ""
    n_sites: int | None = None
    n_elements: int | None = None
