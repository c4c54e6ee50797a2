"""Units of conductivities, as options and the headings of tables name them."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

UNIT = "W/m/K"
FACTORS = {
    UNIT: Fraction(1),
    "mW/m/K": Fraction(1, 1000),
    "kW/m/K": Fraction(1000),
    "W/cm/K": Fraction(100),
    "mW/cm/K": Fraction(1, 10),
}
"""Units that conductivities may be given in, in W/m/K."""

_SIGNS = ("(", ")", "[", "]", " ", "·", "⋅", "∙", "*", "^", "/", "-1", "−1", "⁻¹", "{", "}", "$", "-", ".")
"""What spellings of one unit differ in: W/(m K), W m-1 K-1, W·m⁻¹·K⁻¹."""

_BEHIND = re.compile(
    r"(?P<name>.*?)\s*(?:[(\[{](?P<bracket>(?:[^()\[\]{}]|\([^()]*\))+)[)\]}]|"
    r"(?:\s/\s*|,\s*|\sin\s+|\s(?=[kmµ]?W\b))(?P<rest>.+))"
)
_KELVIN = re.compile(r"(?:at\s*|T\s*=\s*)?(\d+(?:\.\d+)?)\s*K", re.IGNORECASE)


class Heading(NamedTuple):
    """What the heading of a column says: ``kappa (W/mK, 300 K)`` is its name, a unit, and a temperature.

    `unit` is empty and `kelvin` None where it says nothing of these.
    """

    name: str
    unit: str = ""
    kelvin: float | None = None

    @classmethod
    def parse(cls, text: str) -> Heading:
        """Take a heading apart."""
        name, unit, kelvin = text.strip(), "", None
        while (match := _BEHIND.fullmatch(name)) and match["name"]:
            name = match["name"].strip()
            for part in re.split(r"[,;@]| at ", match["bracket"] or match["rest"]):
                if temperature := _KELVIN.fullmatch(part.strip()):
                    kelvin = float(temperature[1])
                elif part.strip():
                    unit = part.strip()
        return cls(name, unit, kelvin)


def kappa_factor(unit: str) -> Fraction:
    """Return what a conductivity in a unit is multiplied by to be in W/m/K; `W/(m K)` and `W m-1 K-1` are W/m/K too.

    Raises
    ------
    ValueError
        If it is not one of `FACTORS`.
    """

    def bare(text: str) -> str:
        for sign in _SIGNS:
            text = text.replace(sign, "")
        return text

    for known, factor in FACTORS.items():
        if bare(known) == bare(unit):
            return factor
    raise ValueError(f"{unit}: unknown unit of conductivity; choose from {', '.join(FACTORS)}")
