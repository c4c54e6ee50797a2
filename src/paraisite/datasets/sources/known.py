"""`SOURCES`: the live sources by name. A new one is one entry here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from paraisite.datasets.sources.aflux import query_aflow
from paraisite.datasets.sources.materials_project import query_mp
from paraisite.datasets.sources.optimade import query_optimade
from paraisite.datasets.sources.phonix import query_phonix


@dataclass(frozen=True, slots=True)
class LiveSource:
    """A database that is asked over the network.

    Attributes
    ----------
    query : callable
        Called with what is asked and ``client=Client``; yields a Crystal, `Labelled` or Rejection for each entry, and
        perhaps a `Shortfall`.
    licence : str
    citation, notes : tuple of str
        For the card of a dataset made of the answer.
    """

    query: Callable[..., Iterator[Any]]
    licence: str
    citation: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def terms(self) -> dict[str, Any]:
        """Arguments of `write_dataset`."""
        return {"licence": self.licence, "citation": self.citation, "notes": self.notes}


SOURCES = {
    "aflow": LiveSource(
        query_aflow,
        "AFLOW's terms (cite)",
        (
            "F. Rose et al., AFLUX: The LUX materials search API for the AFLOW data repositories, "
            "Comput. Mater. Sci. 137, 362 (2017)",
            "C. Toher et al., Phys. Rev. B 90, 174107 (2014)",
            "C. Toher et al., Phys. Rev. Materials 1, 015401 (2017)",
        ),
    ),
    "mp": LiveSource(
        query_mp,
        "Materials Project, CC-BY-4.0 (GNoME entries: CC BY-NC 4.0)",
        (
            "A. Jain et al., The Materials Project: a materials genome approach to accelerating materials innovation, "
            "APL Materials 1, 011002 (2013), doi:10.1063/1.4812323",
        ),
    ),
    "optimade": LiveSource(
        query_optimade,
        "the providers' own",
        ("C. W. Andersen et al., OPTIMADE, an API for exchanging materials data, Sci. Data 8, 217 (2021)",),
    ),
    "phonix": LiveSource(
        query_phonix,
        "CC-BY-4.0",
        (
            "M. Ohnishi et al., Database and deep-learning scalability of anharmonic phonon properties by automated "
            "brute-force first-principles calculations, npj Comput. Mater. 12, 150 (2026)",
        ),
        ("300 K; kappa is the sum of the parts of particles (kappa_particle) and coherences.",),
    ),
}
