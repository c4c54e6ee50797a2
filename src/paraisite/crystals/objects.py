"""`crystals_of`: crystals of whatever Python code holds: paths, structures of other libraries, records, or junk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.foreign_json import record_id
from paraisite.crystals.guard import guarded
from paraisite.crystals.pymatgen_json import STRUCTURE_KEYS, read_record
from paraisite.crystals.read import Item, checked, read
from paraisite.crystals.rejection import CrystalError, Rejection
from paraisite.crystals.sites import Disorder

_REMEDY = "give a path, a pymatgen Structure, ase Atoms, JARVIS atoms, an OPTIMADE entry, or a dictionary of one"

_WHOLE = (Crystal, Rejection, str, bytes, os.PathLike, Mapping)
"""Types of one input, though Python could iterate over some."""

_FORMS = (
    ("lattice", "species_and_occu"),  # pymatgen
    ("get_cell", "get_atomic_numbers"),  # ASE
    ("lattice_mat", "to_dict"),  # JARVIS
    ("attributes", "model_dump"),  # OPTIMADE
    ("columns", "iterrows"),  # a data frame: no structure, but no list of inputs either
)
"""Attributes that tell a single object; a Structure, say, is iterable too, over its sites."""


def is_one(value: Any) -> bool:
    """Whether a value is one input, rather than an iterable of inputs."""
    return isinstance(value, _WHOLE) or _form(value) is not None or not isinstance(value, Iterable)


def crystals_of(inputs: Any, ids: Iterable[str] | None = None, *, disorder: Disorder = "reject") -> Iterator[Item]:
    """Make crystals of one input or of any iterable of inputs, one at a time and in order.

    Parameters
    ----------
    inputs : object or iterable
        Paths, folders and patterns as `read` takes them; Crystals and Rejections; pymatgen Structures, ASE Atoms,
        JARVIS atoms, OPTIMADE entries; dictionaries that these write, and records that hold one of all these under
        ``structure``.
    ids : iterable of str, optional
        One for each input; a path that holds several structures appends ``-0``, ``-1``, … to its own. By default the
        id that the object has: ``material_id`` or the like among the properties of a Structure, the info of Atoms, or
        the keys of a record; the stem of a file.
    disorder : {"reject", "majority"}
        What to do with partly occupied sites.

    Yields
    ------
    Crystal or Rejection
        At least one for each input: a rejection of what is no structure, such as None. Slabs and molecules in a box
        pass.

    Raises
    ------
    ValueError
        If there are more or fewer ids than inputs.
    """
    values = [inputs] if is_one(inputs) else inputs
    named = zip(values, repeat(None)) if ids is None else zip(values, ids, strict=True)
    for value, id in named:
        if isinstance(value, (str, os.PathLike)):
            found = read([os.fsdecode(value)], disorder=disorder, vacuum=True)
            yield from found if id is None else _renamed(found, str(id))
        elif isinstance(value, (Crystal, Rejection)):
            yield value if id is None else replace(value, id=str(id))
        else:
            kind = "None" if value is None else type(value).__name__
            item = guarded("", kind, _crystal, value, disorder)
            yield item if id is None else replace(item, id=str(id))


def _renamed(items: Iterator[Item], id: str) -> Iterator[Item]:
    first, second = next(items, None), next(items, None)
    if first is not None and second is not None:
        for k, item in enumerate(chain((first, second), items)):
            yield replace(item, id=f"{id}-{k}")
    elif first is not None:
        yield replace(first, id=id)


def _form(value: Any) -> int | None:
    """Which of `_FORMS` an object has."""
    return next((i for i, names in enumerate(_FORMS) if all(hasattr(value, name) for name in names)), None)


def _crystal(value: Any, disorder: Disorder, id: str = "") -> Item:
    kind = type(value).__name__
    match _form(value):
        case 0:
            own = id or record_id(getattr(value, "properties", None) or {})
            return _made(own, "pymatgen.Structure", Crystal.from_pymatgen, value, disorder=disorder)
        case 1:
            return _made(id or record_id(value.info), "ase.Atoms", Crystal.from_ase, value)
        case 2:
            return checked(read_record(value.to_dict(), id, "jarvis.Atoms", disorder), vacuum=True)
        case 3:
            return checked(read_record(value.model_dump(mode="json"), id, f"optimade.{kind}", disorder), vacuum=True)
        case 4:
            return Rejection(id, kind, "a data frame is not a structure; give its column of structures")
    if isinstance(value, Mapping):
        held = next((value[key] for key in STRUCTURE_KEYS if value.get(key) is not None), None)
        if _form(held) is not None:  # a record with an object in it
            return _crystal(held, disorder, id or record_id(value))
        record = dict(value)
        own = id or record_id(record.get("properties") or {} if "sites" in record else {})
        return checked(read_record(record, own, "dict", disorder), vacuum=True)
    for name in ("structure", "entry"):  # records of databases as objects: of Materials Project, of OPTIMADE's adapters
        if _form(held := getattr(value, name, None)) is not None:
            keys = ("material_id", "entry_id")
            own = next((str(key) for name in keys if (key := getattr(value, name, None))), "")
            return _crystal(held, disorder, id or own)
    return Rejection(id, kind, f"{'None' if value is None else kind} is not a structure; {_REMEDY}")


def _made(id: str, source: str, make: Any, value: Any, **options: Any) -> Item:
    try:
        made: Crystal = make(value, id=id, source=source, vacuum=True, **options)
    except CrystalError as error:  # here, as the id is known by now
        return Rejection(id, source, str(error))
    return made
