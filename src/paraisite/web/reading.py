"""The structures of the files of a request, in order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from paraisite.crystals.budget import check_json
from paraisite.crystals.files import to_text
from paraisite.crystals.pymatgen_json import read_record
from paraisite.crystals.read import Item, Part, checked, read_member, read_parts
from paraisite.crystals.sites import Disorder
from paraisite.web.jobs import Upload

STRUCTURES = "structures"
"""Key of a JSON body under which there is a list of structures, and their source."""


def parts(upload: Upload, disorder: Disorder, vacuum: bool) -> Iterator[Part]:
    """Yield the parts of a file; see `paraisite.crystals.read.read_parts`."""
    found = _structures(upload) if upload.document else None
    if found is None:
        yield from read_parts(Path(upload.path), upload.name, disorder=disorder, vacuum=vacuum)
        return
    for i, value in enumerate(found):
        part = _part(i, value, disorder)
        yield part._replace(items=map(partial(checked, vacuum=vacuum), part.items))


def _structures(upload: Upload) -> list[Any] | None:
    """The list under `STRUCTURES`; None where the document has another form, which the reader of JSON knows."""
    try:
        text = to_text(Path(upload.path).read_bytes())
        check_json(text, len(text))
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    found = document.get(STRUCTURES) if isinstance(document, dict) else None
    return found if isinstance(found, list) and found else None


def _part(i: int, value: Any, disorder: Disorder) -> Part:
    """A structure: a text of any format, ``{"name": …, "text": …}``, or what the reader of JSON takes for a record."""
    name, text = str(i), value
    if isinstance(value, Mapping) and isinstance(value.get("text"), str):
        name, text = str(value.get("name") or i), value["text"]
    source = f"{STRUCTURES}::{name}"
    items: Iterator[Item]
    if isinstance(text, str):
        items = read_member(name, text.encode("utf-8", "replace"), STRUCTURES, disorder)
    else:
        items = (read_record(record, name, source, disorder) for record in (value,))
    return Part(name, source, items)
