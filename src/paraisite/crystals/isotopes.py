"""Deuterium and tritium, which no network knows from hydrogen."""

from __future__ import annotations

from paraisite.crystals.elements import is_isotope, species_number


def isotope_note(name: str, symbol: str) -> str:
    """Note on a site whose species is an isotope of hydrogen, empty for any other; `name` is how to call the site."""
    if species_number(symbol) != 1 or not is_isotope(symbol):
        return ""
    return f"{name} ({symbol}) was read as hydrogen: the model does not know isotopes, and heavier atoms conduct less"
