"""Crystals in, from any file: `Crystal`, `Rejection` and `read`."""

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.read import count, read
from paraisite.crystals.rejection import CrystalError, Rejection

__all__ = ["Crystal", "CrystalError", "Rejection", "count", "read"]
