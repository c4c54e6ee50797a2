"""`Job`: what a worker is asked for, and where in its files it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from paraisite.crystals.sites import Disorder
from paraisite.prediction.options import Options

Position = tuple[int, int, int]
"""Number of a file, of a part of it (a member of an archive), and of a structure in that, from 0."""

START: Position = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a request: where it is, and what its sender calls it.

    With `document`, it is a JSON body, whose structures may be texts, too.
    """

    path: str
    name: str
    document: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """Files to predict.

    Attributes
    ----------
    uploads : tuple of Upload
    options : Options
    disorder : {"reject", "majority"}
    structures : bool
        Whether rows hold the crystal as CIF, too.
    """

    uploads: tuple[Upload, ...]
    options: Options
    disorder: Disorder
    structures: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """A job for a worker.

    Attributes
    ----------
    job : Job
    most : int
        Structures that it may have.
    start : Position
        Where to begin.
    careful : bool
        Predict crystals one by one, and name each before: one of them killed a worker.
    """

    job: Job
    most: int
    start: Position = START
    careful: bool = False


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker loads: a model by name or folder."""

    model: str
    device: str = "cpu"
    mirror: str | None = None


Row = dict[str, Any]
"""A prediction, by column."""
