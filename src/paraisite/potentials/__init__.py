"""Interatomic potentials by name, and relaxation with any ASE calculator."""

from paraisite.potentials.loading import DEFAULT_POTENTIAL, PotentialError, full_name, load, names

__all__ = ["DEFAULT_POTENTIAL", "PotentialError", "full_name", "load", "names"]
