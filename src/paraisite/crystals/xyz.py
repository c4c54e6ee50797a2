"""Extended XYZ, frame by frame: what a crystal is made of, and nothing of what programs write beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from paraisite.crystals.check import MAX_SITES
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import species_number
from paraisite.crystals.foreign_json import record_id
from paraisite.crystals.guard import guarded
from paraisite.crystals.isotopes import heavy_hydrogen
from paraisite.crystals.rejection import CrystalError, Rejection
from paraisite.crystals.sites import occupancy_notes, unknown_element
from paraisite.files.printable import counted

MAX_FRAME = 16 << 20
"""Longest frame, in characters; one of `MAX_SITES` sites with forces and more takes a tenth."""

_MAX_COLUMNS = 1000

_CLOSING = {"'": "'", '"': '"', "{": "}", "[": "]"}
_TOKEN = re.compile(r"""\\(?P<escaped>.)|(?P<open>["'{[])|(?P<space>\s+)|(?P<equal>=)|(?P<text>[^\\"'{\[\s=]+)""", re.S)

_BOOLEANS = dict.fromkeys(("T", "true", "True", "TRUE", "1"), True) | dict.fromkeys(
    ("F", "false", "False", "FALSE", "0"), False
)

_COLUMNS = {"species": "symbols", "pos": "positions", "Z": "numbers"}
"""Columns of a frame by ASE's names for them, which files may use, too."""


def read_xyz(lines: Iterable[str], *, id: str, source: str) -> Iterator[Crystal | Rejection]:
    """Yield a crystal or a rejection for each frame; a frame that cannot be read does not stop the others.

    Parameters
    ----------
    lines : iterable of str
        The file, line by line.
    """
    frames = _frames(iter(lines))
    frame = next(frames, None)
    index = 0
    while frame is not None:
        following = next(frames, None)
        several = index > 0 or following is not None
        label, place = (f"{id}-{index}", f"{source}#{index}") if several else (id, source)
        yield guarded(label, place, _crystal, frame, label, place)
        frame, index = following, index + 1
    if index == 0:
        yield Rejection(id, source, "no frame in the file; an extended XYZ frame begins with its number of atoms")


def _frames(lines: Iterator[str]) -> Iterator[list[str] | str]:
    """Yield the lines of each frame, or why it, or the rest of the file, cannot be cut into frames."""
    for line in lines:
        if not line.strip():
            continue
        if not re.fullmatch(r"\d{1,9}", line.strip()):
            yield f"a frame should begin with its number of atoms, not {line.strip()[:40]!r}; correct the line"
            return
        n = int(line.strip())  # of separators that int() does not take for space, too
        frame, size = [line], 0
        for _ in range(n + 1):
            following = next(lines, None)
            if following is None:
                yield f"the file ends before the {counted(n, 'atom')} of the frame; it may be cut off: write it again"
                return
            size += len(following)
            if n <= MAX_SITES and size <= MAX_FRAME:
                frame.append(following)
        if n > MAX_SITES:
            yield f"{n} sites are more than the limit of {MAX_SITES}; give the primitive cell"
        elif size > MAX_FRAME:
            yield f"the frame is longer than {MAX_FRAME >> 20} MiB; write fewer columns"
        else:
            yield frame


def _crystal(frame: list[str] | str, id: str, source: str) -> Crystal:
    if isinstance(frame, str):
        raise CrystalError(frame)
    info = _pairs(frame[1].strip())
    if "lattice" not in info:
        raise CrystalError('the frame has no cell; write Lattice="ax ay az bx by bz cx cy cz" into its second line')
    cell = _numbers(info["lattice"], "Lattice", 9).reshape(3, 3)
    rows = [line.split() for line in frame[2:]]
    columns = _columns(info.get("properties", "species:S:1:pos:R:3"), rows)
    if "positions" not in columns or not columns.keys() & {"symbols", "numbers"}:
        raise CrystalError("the frame's Properties lack pos or species; write species:S:1:pos:R:3")
    positions = _table(columns["positions"], "pos", 3)
    notes: list[str] = []
    mass = None
    if "numbers" in columns:
        numbers = _table(columns["numbers"], "Z", 1)[:, 0].astype(np.int64)
    else:
        words = [row[0] if len(row) == 1 else "" for row in columns["symbols"]]
        numbers = np.array([species_number(word) for word in words], dtype=np.int64)
        if len(numbers) and not numbers.all():
            site = int(numbers.argmin())
            raise unknown_element(f"site {site + 1}", words[site])
        hydrogen = [(f"site {i + 1} ({words[i]})", words[i]) for i in np.flatnonzero(numbers == 1).tolist()]
        heavy, mass = heavy_hydrogen(hydrogen)
        notes += heavy
    for name, table in columns.items():
        if name.lower().startswith("occ"):
            _check_occupancy(_table(table, name, 1)[:, 0], name)
    notes += occupancy_notes(_plain(info.get("occupancy")))
    pbc = _booleans(info["pbc"]) if "pbc" in info else [True]
    names = {key: _plain(text) for key, text in info.items() if text.startswith("_JSON ") or _is_name(text)}
    label = record_id({key: name for key, name in names.items() if isinstance(name, str)})
    crystal = Crystal.from_arrays(cell, pbc, numbers, positions, id=label or id, source=source)
    return replace(crystal, notes=tuple(dict.fromkeys(notes)), hydrogen_mass=mass)


def _pairs(line: str) -> dict[str, str]:
    """Keys and values of a frame's second line, as text; quotes, brackets and escapes as ASE reads them.

    A key without a value has ``T``. `Lattice`, `Properties` and `pbc` are found in any case.
    """
    pairs: list[list[list[str]]] = [[[]]]
    at = 0
    while at < len(line) and (token := _TOKEN.match(line, at)):
        at = token.end()
        if token["open"]:
            close = re.escape(_CLOSING[token["open"]])
            inside = re.compile(rf"(?:[^\\{close}]|\\.)*", re.S).match(line, at)
            assert inside is not None
            pairs[-1][-1].append(re.sub(r"\\(.)", r"\1", inside[0], flags=re.S))
            at = inside.end() + 1
        elif token["space"]:
            if pairs[-1][-1]:
                pairs.append([[]])
        elif token["equal"]:
            if len(pairs) > 1 and pairs[-1] == [[]]:
                pairs.pop()
            pairs[-1].append([])
        else:
            pairs[-1][-1].append(token["escaped"] or token["text"])
    found = {}
    for key, *values in ([("".join(part)) for part in pair] for pair in pairs):
        name = key.lower() if key.lower() in ("lattice", "properties", "pbc") else key
        if key:
            found[name] = "=".join(values) if values else "T"
    return found


def _plain(text: str | None) -> Any:
    """What a value says that may be JSON."""
    if text is not None and text.startswith("_JSON "):
        try:
            return json.loads(text[6:])
        except (ValueError, RecursionError):
            return text
    return text


def _is_name(text: str) -> bool:
    """Whether a value can be an id: numbers, which count frames or say what was computed, are none."""
    words = re.findall(r"[^\s,]+", text) if len(text) < 1000 else []
    return any(word not in _BOOLEANS and not _is_row([word], 1) for word in words)


def _booleans(text: str) -> list[bool]:
    words = re.findall(r"[^\s,]+", text)
    if len(words) not in (1, 3) or not all(word in _BOOLEANS for word in words):
        raise CrystalError(f'the frame has pbc="{text[:40]}"; write pbc="T T T"')
    return [_BOOLEANS[word] for word in words]


def _numbers(text: str, what: str, n: int) -> np.ndarray:
    try:
        values = np.array(re.findall(r"[^\s,]+", text), dtype=float)
    except ValueError:
        values = np.zeros(0)
    if len(values) != n:
        raise CrystalError(f'the frame has {what}="{text[:60]}", which is not {n} numbers; correct it')
    return values


def _columns(properties: str, rows: list[list[str]]) -> dict[str, list[list[str]]]:
    """Words of the columns that `Properties` names, by ASE's name of each."""
    parts = properties.split(":")
    names, kinds, widths = parts[::3], parts[1::3], parts[2::3]
    if not all(width.isdecimal() and len(width) < 10 for width in widths) or not set(kinds) <= set("RISL"):
        raise CrystalError(f"the frame has Properties={properties[:60]}; write name:type:columns of each column")
    ends = np.cumsum([0, *map(int, widths)]).tolist()
    if ends[-1] > _MAX_COLUMNS:
        raise CrystalError(
            f"the frame's Properties state {counted(ends[-1], 'column')}; correct them to those of its lines"
        )
    if (short := next((i for i, row in enumerate(rows) if len(row) < ends[-1]), None)) is not None:
        raise CrystalError(
            f"site {short + 1} has {counted(len(rows[short]), 'column')} instead of {ends[-1]}; correct its line"
        )
    found = {}
    for name, start, stop in zip(names, ends, ends[1:], strict=False):
        if name in _COLUMNS or name in _COLUMNS.values() or name.lower().startswith("occ"):
            found[_COLUMNS.get(name, name)] = [row[start:stop] for row in rows]
    return found


def _table(rows: list[list[str]], name: str, width: int) -> np.ndarray:
    try:
        return np.array([[float(word) for word in row] for row in rows]).reshape(len(rows), width)
    except ValueError as error:
        words = next((" ".join(row) for row in rows if not _is_row(row, width)), "")
        raise CrystalError(
            f"the column {name} holds {words[:60]!r}, not {counted(width, 'number')}; correct it"
        ) from error


def _is_row(row: list[str], width: int) -> bool:
    try:
        return len([float(word) for word in row]) == width
    except ValueError:
        return False


def _check_occupancy(values: np.ndarray, name: str) -> None:
    partly = np.flatnonzero(~(np.abs(values - 1.0) <= 1e-3))
    if len(partly):
        site = int(partly[0])
        raise CrystalError(f"site {site + 1} is disordered: {name} {values[site]:.4g}; give an ordered structure")
