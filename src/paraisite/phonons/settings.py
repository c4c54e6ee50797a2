"""`Settings`: every choice of a calculation; they are recorded beside its result, and resuming compares them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from paraisite.physics.temperature import check_temperatures
from paraisite.potentials import DEFAULT_POTENTIAL

ROOM = 300.0
"""K; the temperature of the headline conductivity."""


class Settings(BaseModel):
    """Choices of one calculation; the defaults are the profile of docs/verify.md.

    Attributes
    ----------
    potential : str
        Name of a registered potential, or ``MODULE:FACTORY``.
    temperatures : tuple of float
        K, ascending; 300 K is always among them.
    symprec : float
        Tolerance, in Å, within which the symmetry of the input is found.
    max_force, max_stress : float
        The relaxation ends where no force (eV/Å) and no stress component (GPa) is larger.
    max_relax_steps : int
    supercell_length : float
        The supercell grows until its inscribed sphere has this diameter (Å), or until it would hold more than
        `max_supercell_atoms`.
    max_supercell_atoms : int
    supercell : tuple of int, optional
        Multiples of the conventional cell, given instead of chosen; of the second order too, unless `fc2_supercell` is
        given.
    fc2_supercell_length, max_fc2_supercell_atoms, fc2_supercell
        The same of the second order alone, which reaches farther and takes few displacements.
    displacement : float
        Å.
    reference : bool
        Finite displacements of single atoms and pairs instead of random snapshots fitted by symfc.
    snapshots : int, optional
        Even; given instead of chosen. Half of them are random, the others their opposites: the mean of the forces of
        such a pair is free of the second and the fourth order, of which the latter is noise to the third.
    min_snapshots, max_snapshots : int
        Even. Where more than the latter were needed, third-order elements of atoms farther apart than a cutoff are
        taken as zero: the longest for which that many are enough.
    oversampling, oversampling_cut : float
        Force components of pairs per free element of the force constants, at least, without a cutoff and with one: what
        is cut off acts as noise, of which more of them average out a part.
    fc3_cutoff : float, optional
        Å; given instead of chosen.
    seed : int
        Of the random displacements.
    mesh : tuple of int, optional
        Points along each reciprocal axis of the primitive cell, given instead of chosen.
    mesh_lengths : tuple of float
        Meshes tried in turn, as lengths in Å (points along an axis are the length divided by the spacing of the lattice
        planes), until the conductivity changes by less than `mesh_tolerance`.
    mesh_tolerance : float
    max_mesh_work : float
        A finer mesh is not tried if irreducible wave vectors × wave vectors × bands³ are more: a bound that, unlike
        seconds, does not depend on the machine.
    lbte : bool
        Solve the linearised Boltzmann equation instead of the relaxation-time approximation.
    coherence : bool
        Add the coherence term of the Wigner transport equation (M. Simoncelli, N. Marzari and F. Mauri, Nat. Phys. 15,
        809 (2019)), by which phonons tunnel between modes; it matters where the conductivity is low.
    isotopes : bool
        Scattering by the natural mixture of isotopes.
    imaginary : float
        THz; a mode whose imaginary frequency is larger makes the crystal unstable.
    force : bool
        Compute the conductivity of an unstable crystal too.
    max_hours, max_memory_GB : float
        Bounds of one crystal; no part of what the numbers depend on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    potential: str = DEFAULT_POTENTIAL
    temperatures: tuple[float, ...] = Field(default=tuple(float(t) for t in range(100, 1001, 100)), min_length=1)
    symprec: float = Field(default=0.01, gt=0)
    max_force: float = Field(default=1e-3, gt=0)
    max_stress: float = Field(default=0.01, gt=0)
    max_relax_steps: int = Field(default=300, ge=0)
    supercell_length: float = Field(default=12.0, gt=0)
    max_supercell_atoms: int = Field(default=100, ge=1)
    supercell: tuple[int, int, int] | None = None
    fc2_supercell_length: float = Field(default=20.0, gt=0)
    max_fc2_supercell_atoms: int = Field(default=350, ge=1)
    fc2_supercell: tuple[int, int, int] | None = None
    displacement: float = Field(default=0.03, gt=0)
    reference: bool = False
    snapshots: int | None = Field(default=None, ge=2, multiple_of=2)
    min_snapshots: int = Field(default=16, ge=2, multiple_of=2)
    max_snapshots: int = Field(default=128, ge=2, multiple_of=2)
    oversampling: float = Field(default=1.5, ge=1)
    oversampling_cut: float = Field(default=8.0, ge=1)
    fc3_cutoff: float | None = Field(default=None, gt=0)
    seed: int = 0
    mesh: tuple[int, int, int] | None = None
    mesh_lengths: tuple[float, ...] = Field(default=(24.0, 32.0, 40.0, 50.0), min_length=1)
    mesh_tolerance: float = Field(default=0.05, gt=0)
    max_mesh_work: float = Field(default=1e8, gt=0)
    lbte: bool = False
    coherence: bool = True
    isotopes: bool = False
    imaginary: float = Field(default=0.1, gt=0)
    force: bool = False
    max_hours: float = Field(default=1.0, gt=0)
    max_memory_GB: float = Field(default=10.0, gt=0)

    @model_validator(mode="after")
    def _with_room(self) -> Settings:
        if min(self.temperatures) <= 0:
            raise ValueError("temperatures must be above 0 K")
        object.__setattr__(self, "temperatures", tuple(sorted({*self.temperatures, ROOM})))
        return self


class QuickSettings(BaseModel):
    """Choices of a quick look; the defaults are the profile of docs/verify.md.

    Attributes
    ----------
    profile : {"quick"}
        By which a record of it is never taken for one of `Settings`.
    potential, temperatures, symprec, max_hours, max_memory_GB
        As in `Settings`.
    supercell_length : float
        No atom of the supercell is nearer to its own image (Å), unless that would take more than
        `max_supercell_atoms`.
    max_supercell_atoms : int
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    profile: Literal["quick"] = "quick"
    potential: str = DEFAULT_POTENTIAL
    temperatures: tuple[float, ...] = (ROOM,)
    symprec: float = Field(default=0.01, gt=0)
    supercell_length: float = Field(default=12.0, gt=0)
    max_supercell_atoms: int = Field(default=160, ge=1)
    max_hours: float = Field(default=1.0, gt=0)
    max_memory_GB: float = Field(default=10.0, gt=0)

    @model_validator(mode="after")
    def _with_room(self) -> QuickSettings:
        check_temperatures(self.temperatures)
        object.__setattr__(self, "temperatures", tuple(sorted({*self.temperatures, ROOM})))
        return self
