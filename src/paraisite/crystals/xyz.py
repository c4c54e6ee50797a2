"""Extended XYZ, through ASE, frame by frame."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator

from paraisite.crystals.check import MAX_SITES
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import SYMBOLS, species_number
from paraisite.crystals.pymatgen_json import record_id
from paraisite.crystals.rejection import CrystalError, Rejection

_MAX_COLUMNS = 1000


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
        try:
            yield _crystal(frame, label, place)
        except CrystalError as error:
            yield Rejection(label, place, str(error))
        frame, index = following, index + 1
    if index == 0:
        yield Rejection(id, source, "no frame in the file; an extended XYZ frame begins with its number of atoms")


def _frames(lines: Iterator[str]) -> Iterator[list[str] | str]:
    """Yield the lines of each frame, or why the rest of the file cannot be cut into frames."""
    for line in lines:
        if not line.strip():
            continue
        if not re.fullmatch(r"\d{1,9}", line.strip()):
            yield f"a frame should begin with its number of atoms, not {line.strip()[:40]!r}; correct the line"
            return
        n = int(line)
        frame = [line]
        for _ in range(n + 1):
            following = next(lines, None)
            if following is None:
                yield f"the file ends before the {n} atoms of the frame; it may be cut off: write it again"
                return
            if n <= MAX_SITES:
                frame.append(following)
        yield frame if n <= MAX_SITES else f"{n} sites are more than the limit of {MAX_SITES}; give the primitive cell"


def _crystal(frame: list[str] | str, id: str, source: str) -> Crystal:
    if isinstance(frame, str):
        raise CrystalError(frame)
    if not re.search(r"lattice\s*=", frame[1], re.IGNORECASE):
        raise CrystalError('the frame has no cell; write Lattice="ax ay az bx by bz cx cy cz" into its second line')
    # ASE makes a list of as many columns as the header states
    if (columns := sum(int(n[:9]) for n in re.findall(r":[RISL]:(\d+)", frame[1]))) > _MAX_COLUMNS:
        raise CrystalError(f"the frame's Properties state {columns} columns; correct them to those of its lines")
    from ase.io.extxyz import read_xyz as ase_read_xyz

    from paraisite.crystals.convert import from_ase

    try:
        atoms = next(ase_read_xyz(io.StringIO("\n".join(line.rstrip("\n") for line in frame) + "\n"), 0))
    except Exception as error:  # ASE's parser raises whatever a line happens to trip
        if isinstance(error, KeyError) and (z := species_number(symbol := str(error.args[0]))):
            raise CrystalError(
                f"the frame holds an element {symbol!r}, unknown to ASE; write it as {SYMBOLS[z]}"
            ) from error
        detail = f"{type(error).__name__}: {error}".splitlines()[0]
        raise CrystalError(f"not a readable extended XYZ frame ({detail}); correct it") from error
    return from_ase(atoms, id=record_id(atoms.info) or id, source=source)
