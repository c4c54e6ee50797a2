"""What a worker process does: load the model once, then predict one job after the other, told as lines of JSON.

JSON, not pickles, comes back from the process that reads what strangers sent.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from importlib.resources import as_file, files
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import numpy as np

from paraisite.crystals import Crystal, Rejection, read
from paraisite.crystals.formats import split_name
from paraisite.crystals.read import Item
from paraisite.crystals.write_cif import cif_text
from paraisite.prediction.options import Options
from paraisite.prediction.prediction import Prediction
from paraisite.web import reading
from paraisite.web.columns import CIF
from paraisite.web.jobs import Order, Position, Setup

if TYPE_CHECKING:
    from paraisite.prediction.predictor import Predictor

CHUNK = 64
"""Crystals predicted together,"""

CHUNK_SITES = 4096
"""sites of them, and"""

CHUNK_SECONDS = 1.0
"""time for which they are collected: rows are streamed."""

FIRST = 4
"""Crystals of the first chunk, so that a few are answered at once."""

CAREFUL = 2 * CHUNK
"""Crystals that are predicted one by one from where a worker died."""

STOP = b"stop"

_log = logging.getLogger(__name__)


def serve(pipe: Connection, setup: Setup) -> None:
    """Work until the other end of the pipe is closed."""
    try:
        try:
            predictor = _load(setup)
        except (ValueError, OSError, ImportError) as error:
            _tell(pipe, unusable=str(error))
            return
        _tell(pipe, ready=_facts(predictor), known=_known(predictor))
        while True:
            order = pipe.recv()  # from the parent, whose objects are trusted
            if order != STOP:  # of a job that was over already
                _work(pipe, predictor, order)
    except (EOFError, OSError):
        return


def _load(setup: Setup) -> Predictor:
    from paraisite.prediction import Predictor

    predictor = Predictor.from_pretrained(setup.model, device=setup.device, mirror=setup.mirror)
    with as_file(files("paraisite") / "examples" / "crystals" / "Si.cif") as example:
        list(predictor.stream(read([example])))  # the first request shall not wait for what is loaded on use
    return predictor


def _tell(pipe: Connection, **message: Any) -> None:
    pipe.send_bytes(json.dumps(message, default=lambda number: number.item()).encode())


def _work(pipe: Connection, predictor: Predictor, order: Order) -> None:
    options = order.job.options
    try:
        list(predictor.stream([], options))  # complains now, not with the first row
    except ValueError as error:
        _tell(pipe, refused=str(error))
        return
    _tell(pipe, begun=True)
    sites, since = 0, time.monotonic()
    chunk: list[Item] = []
    size = 1 if order.careful else FIRST

    def flush(at: Position) -> None:
        if size == 1:
            _tell(pipe, at_work=_row(chunk[0]), then=(*at[:2], at[2] + 1))
        rows = [row.row() for row in _predict(predictor, chunk, options)]
        if order.job.structures:
            for row, item in zip(rows, chunk, strict=True):
                row[CIF] = cif_text(item, item.id or "crystal") if isinstance(item, Crystal) else ""
        _tell(pipe, rows=rows, next=(*at[:2], at[2] + 1))

    at = order.start
    for count, (at, item) in enumerate(_items(pipe, order), start=1):
        if count > order.most:
            _tell(pipe, over=True)
            return
        chunk.append(item)
        sites += item.n_sites if isinstance(item, Crystal) else 0
        if len(chunk) >= size or sites >= CHUNK_SITES or time.monotonic() - since > CHUNK_SECONDS:
            flush(at)
            if pipe.poll() and pipe.recv() == STOP:
                break
            if size == FIRST or (size == 1 and count == CAREFUL):
                size = CHUNK
                _tell(pipe, careful=False)
            chunk, sites, since = [], 0, time.monotonic()
    else:
        if chunk:
            flush(at)
    _tell(pipe, end=True)


def _items(pipe: Connection, order: Order) -> Iterator[tuple[Position, Item]]:
    """Yield the structures of an order with their positions; a careful one tells what is at work."""
    start = order.start

    def at_work(id: str, source: str, then: Position) -> None:
        if order.careful:
            _tell(pipe, at_work=_row(Rejection(id, source, "")), then=then)

    for f, upload in enumerate(order.job.uploads):
        if f < start[0]:
            continue
        file = (split_name(upload.name)[0], upload.name, (f + 1, 0, 0))
        at_work(*file)
        for p, part in enumerate(reading.parts(upload, order.job.disorder, order.job.options.allow_vacuum)):
            if (f, p) >= start[:2]:
                at_work(part.id, part.source, (f, p + 1, 0))
                for i, item in enumerate(part.items):
                    if (f, p, i) >= start:
                        yield (f, p, i), item
                        at_work(part.id, part.source, (f, p + 1, 0))
                at_work(*file)


def _predict(predictor: Predictor, chunk: list[Item], options: Options) -> list[Prediction]:
    """Predict crystals; an error that nothing foresaw costs the row of the crystal it comes with."""
    try:
        return predictor.finish(predictor.prepare(chunk, options), options)
    except Exception as error:
        if len(chunk) > 1:
            return [row for item in chunk for row in _predict(predictor, [item], options)]
        _log.error("a crystal cannot be predicted", exc_info=error)
        row = Prediction(**_row(chunk[0]), status="rejected")
        row.reason = "the crystal cannot be predicted; please report it with its file"
        return [row]


def _row(item: Item) -> dict[str, Any]:
    names = ("id", "source", "formula", "n_sites", "n_elements")
    return {name: getattr(item, name) for name in names}


def _facts(predictor: Predictor) -> dict[str, Any]:
    """What the card of the model says, without places on this machine."""
    from paraisite.crystals.elements import SYMBOLS

    card = predictor.card
    facts = card.model_dump(
        mode="json", include={"name", "description", "licence", "limits", "metrics", "versions", "cutoff"}
    )
    calibrated = 0 if card.calibration is None else len(card.calibration.score)
    return facts | {
        "members": card.kappa.config.members,
        "folds": len(card.folds),
        "elements": [SYMBOLS[z] for z in sorted(card.kappa.config.encoder.elements)],
        "properties": list(predictor.available_properties),
        "datasets": {name.replace("\\", "/").rpartition("/")[2]: digest for name, digest in card.datasets.items()},
        "highest_level": calibrated / (calibrated + 1) if calibrated else None,
        "known_compounds": len(predictor.known),
        "held_out": card.holds_formulas_out,
    }


def _known(predictor: Predictor) -> dict[str, Any]:
    """Columns of the compounds with known conductivity, and their places on the chart."""
    chart = predictor.chart
    places = np.zeros((0, 2)) if chart is None else chart.known
    known = [] if chart is None else predictor.known
    return {
        "formula": [k.formula for k in known],
        "id": [k.id for k in known],
        "dataset": [k.dataset for k in known],
        "kappa_W_mK": [k.kappa for k in known],
        "chart_x": [round(x, 4) for x in places[:, 0].tolist()],
        "chart_y": [round(y, 4) for y in places[:, 1].tolist()],
        "share_of_variance": [] if chart is None else [round(share, 4) for share in chart.share.tolist()],
    }
