"""Space groups by Hall symbol, Hermann-Mauguin symbol or number, in the spellings that files use."""

from __future__ import annotations

import re
from functools import lru_cache

import gemmi

_SUBSCRIPTS = str.maketrans(
    {chr(0x2080 + i): str(i) for i in range(10)} | dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-")
)
_ORIGINS = str.maketrans("SZ", "12")
_MARKUP = re.compile(r"</?\w+/?>|[_~${}()'\"]|\\(?:it|rm|,|;)?\s*|\s*\[.*?\]")
_NUMBER = re.compile(
    r"[(\s,]\s*(?:no\.?|nr\.?|#)?\s*\d{2,3}\s*\)\s*$|[,(\s]\s*(?:no\.?|nr\.?|#)\s*\d{1,3}\s*\)?\s*$", re.I
)
_SETTING = re.compile(
    r"(.+?)\s*(?:origin\s*(?:choice)?\s*([12])|o\s*([12])|:?\s*(?:([SZR]|H(?=R?$))R?|(h)ex\w*|(r)hom\w*)(?:\s*axes)?)",
    re.I,
)


def by_hall(symbol: str) -> gemmi.GroupOps | None:
    """Return the group of a Hall symbol, None if there is none or it is not understood."""
    try:
        return gemmi.symops_from_hall(symbol) if symbol else None
    except (RuntimeError, ValueError):
        return None


@lru_cache(maxsize=1024)
def by_name(name: str, hexagonal: bool) -> tuple[gemmi.SpaceGroup, ...]:
    """Return the group of a Hermann-Mauguin symbol, short or full.

    Parameters
    ----------
    name : str
        Also with markup (``P6~3~/m m c``, ``P6<sub>3</sub>mc``), with the letter of a setting as ICSD has it
        (``F d -3 m Z``, ``R -3 m H``) or with the number behind it.
    hexagonal : bool
        Whether the axes are hexagonal, not rhombohedral, where the name leaves it open.

    Returns
    -------
    tuple of gemmi.SpaceGroup
        One; two where it has two origin choices and the name does not say which; none if the name is not understood.
    """
    text = name.translate(_SUBSCRIPTS)
    text = re.sub(r"(\d)[\u0304\u0305\u00af]|\\(?:bar|overline)\s*\{?\s*(\d)\}?|(\d)\s*bar", r"-\1\2\3", text)
    text = " ".join(_MARKUP.sub("", _NUMBER.sub("", text)).split())
    tried = [text]
    if setting := _SETTING.fullmatch(text):
        letter = next(filter(None, setting.groups()[1:])).upper()
        tried.append(f"{setting[1]}:{letter.translate(_ORIGINS)}")
    tried += [_shortened(t) for t in tried]
    for candidate in tried:
        group = gemmi.find_spacegroup_by_name(candidate, 90, 120 if hexagonal else 90) if candidate else None
        if group is not None:
            return (group,) if ":" in candidate else _origins(group)
    return ()


@lru_cache(maxsize=1024)
def by_number(number: float, hexagonal: bool) -> tuple[gemmi.SpaceGroup, ...]:
    """Return the reference setting of a group by its number in the International Tables, as `by_name` does."""
    if not (1 <= number <= 230 and number == int(number)):
        return ()
    group = gemmi.find_spacegroup_by_number(int(number))
    if group.ext in ("H", "R"):
        group = gemmi.find_spacegroup_by_name(group.hm, 90, 120 if hexagonal else 90)
    return _origins(group)


@lru_cache(maxsize=256)
def settings(number: int) -> tuple[gemmi.SpaceGroup, ...]:
    """Return all tabulated settings of the group of this number."""
    return tuple(group for group in gemmi.spacegroup_table() if group.number == number)


def _shortened(name: str) -> str:
    """Short form of a full symbol: ``F 4/m -3 2/m`` is ``F m -3 m``; empty if the name is not full."""
    text = name.replace(" ", "")
    if "-3" not in text and text.count("/") < 2:
        return ""
    text = re.sub(r"4[1-3]?/([a-z])(?=-?3)", r"\1", text)
    return re.sub(r"(?<![46])21?/([a-z])", r"\1", text)


def _origins(group: gemmi.SpaceGroup) -> tuple[gemmi.SpaceGroup, ...]:
    if group.ext != "1":
        return (group,)
    return (group, gemmi.find_spacegroup_by_name(f"{group.hm}:2"))
