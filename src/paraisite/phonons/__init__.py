"""Conductivity from lattice dynamics: relaxation, force constants and phonons with any ASE calculator."""
