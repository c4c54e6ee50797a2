"""`Predictor`: crystals to predictions with interval, applicability and nearest known compound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import SYMBOLS
from paraisite.crystals.rejection import CrystalError, Rejection
from paraisite.graphs import GraphBatch, build
from paraisite.model.applicability import OUTSIDE
from paraisite.model.checkpoint import Card, Checkpoint, Known
from paraisite.model.convert import FORMATION_ENERGY, from_matgl
from paraisite.model.descriptors import described, shortest_bonds
from paraisite.model.model import Model
from paraisite.model.registry import DEFAULT, ENCODER, locate
from paraisite.model.tensors import GraphTensors
from paraisite.prediction.prediction import PROPERTY_COLUMNS, Prediction

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

CHUNK = 256
"""Crystals read ahead and predicted together."""

MAX_EDGES = 4096
"""Distinct edges computed at once: bounds the memory of a batch, and keeps it in the processor's cache."""

SHORT_BOND = 0.6
"""A distance below this share of the sum of covalent radii is in no crystal at ordinary pressure."""

SAME_COMPOUND = 0.5
"""A known compound of equal formula nearer than this, in standard deviations of the training data, is the crystal."""


class PropertyError(ValueError):
    """A property cannot be predicted with these models; the message lists the ones that can."""


class Predictor:
    """Predicts conductivities with one checkpoint.

    Parameters
    ----------
    checkpoint : Checkpoint
    device : str
        ``cpu``, ``cuda`` or ``auto``.
    mirror : str or Path, optional
        Where models that do not ship may be found; by default PARAISITE_MIRROR.

    Examples
    --------
    >>> from paraisite.crystals.read import read
    >>> predictor = Predictor.from_pretrained()                     # doctest: +SKIP
    >>> predictor.predict(read(["examples/crystals"]))              # doctest: +SKIP
    """

    def __init__(self, checkpoint: Checkpoint, *, device: str = "cpu", mirror: str | Path | None = None) -> None:
        self.card: Card = checkpoint.card
        self.known: list[Known] = checkpoint.known
        self.device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        if self.device.startswith("cuda") and not torch.cuda.is_available():
            raise ValueError(f"--device {device}: no CUDA device is visible to torch; use --device cpu")
        self.applicability = checkpoint.applicability
        self._kappa = checkpoint.kappa.to(self.device).eval()
        self._properties = checkpoint.properties.to(self.device).eval() if checkpoint.properties else None
        self._kernel = checkpoint.kernel
        networks = (checkpoint.kappa, checkpoint.properties)
        self._describe = self._kernel is not None or any(n is not None and n.config.head.descriptors for n in networks)
        self._mirror = mirror
        self._energy: Model | None = None
        self._elements = frozenset(self.card.kappa.config.encoder.elements)
        self._known_formulas = {k.formula for k in self.known}

    @classmethod
    def from_pretrained(
        cls, name: str = DEFAULT, *, device: str = "cpu", mirror: str | Path | None = None
    ) -> Predictor:
        """Load a model by registry name or folder.

        Raises
        ------
        ModelError, CheckpointError
            If it is not there or not usable.
        """
        return cls(Checkpoint.load(locate(name, mirror)), device=device, mirror=mirror)

    @property
    def available_properties(self) -> tuple[str, ...]:
        """Names `properties` may hold: auxiliary targets of the checkpoint and the formation energy."""
        targets = (self._properties or self._kappa).config.targets
        return (*(t for t in targets if t != "kappa"), FORMATION_ENERGY)

    def predict(
        self,
        crystals: Iterable[Crystal | Rejection | Structure | Atoms],
        *,
        level: float = 0.9,
        properties: Sequence[str] = (),
        held_out: bool = False,
    ) -> list[Prediction]:
        """Predict any number of crystals; see `stream`."""
        return list(self.stream(crystals, level=level, properties=properties, held_out=held_out))

    def stream(
        self,
        crystals: Iterable[Crystal | Rejection | Structure | Atoms],
        *,
        level: float = 0.9,
        properties: Sequence[str] = (),
        held_out: bool = False,
    ) -> Iterator[Prediction]:
        """Predict crystals as they come, in bounded memory; n inputs give n rows, in order.

        Parameters
        ----------
        crystals : iterable of Crystal, Rejection, pymatgen Structure or ase Atoms
        level : float
            Share of truths the interval shall cover.
        properties : sequence of str
            Auxiliary properties, from `available_properties`.
        held_out : bool
            Let only networks speak that never saw a compound of the same formula in any stage, for kappa (what the
            start of the training saw, such as formation energies, aside).
            All networks speak where none is such, and where the formula stands in no training data.

        Raises
        ------
        PropertyError
            If a property is unknown to the model.
        ModelError
            If the formation energy is asked for and its weights are not on this machine.
        ValueError
            If the level is not between 0 and 1, or is beyond what the calibration supports.
        """
        self._check(level, properties)
        source = iter(crystals)
        while part := list(islice(source, CHUNK)):
            yield from self._chunk([_as_crystal(c) for c in part], level, properties, held_out)

    def _check(self, level: float, properties: Sequence[str]) -> None:
        unknown = [p for p in properties if p not in self.available_properties]
        if unknown:
            raise PropertyError(f"unknown property {unknown[0]}; this model has {', '.join(self.available_properties)}")
        if FORMATION_ENERGY in properties and self._energy is None:
            self._energy = from_matgl(locate(ENCODER, self._mirror)).to(self.device).eval()
        if self.card.calibration:
            self.card.calibration.check_level(level)

    def _chunk(
        self, items: list[Crystal | Rejection], level: float, properties: Sequence[str], held_out: bool
    ) -> Iterator[Prediction]:
        rows: list[Prediction | None] = [None] * len(items)
        candidates: list[int] = []
        for i, item in enumerate(items):
            if isinstance(item, Rejection):
                rows[i] = _rejected(item)
            elif unknown := sorted({int(z) for z in item.numbers} - self._elements):
                names = ", ".join(SYMBOLS[z] for z in unknown)
                plural = "s" if len(unknown) > 1 else ""
                rows[i] = _rejected(
                    _reject(item, f"element{plural} {names} unknown to the model: it cannot be predicted")
                )
            else:
                candidates.append(i)
        graphs, kept, rejected = build(
            [items[i] for i in candidates],  # type: ignore[misc]
            cutoff=self.card.cutoff,
            tolerance=self.card.tolerance,
        )
        for k, rejection in rejected.items():
            rows[candidates[k]] = _rejected(rejection)
        order = [candidates[k] for k in kept.tolist()]
        for piece in graphs.split_by_edges(MAX_EDGES):
            which = np.arange(piece.start, piece.stop)
            crystals = [items[order[g]] for g in which]
            for g, row in zip(
                which, self._batch(graphs.take(which), crystals, level, properties, held_out), strict=True
            ):
                rows[order[g]] = row
        yield from (row for row in rows if row is not None)

    def _batch(
        self, graphs: GraphBatch, crystals: list[Any], level: float, properties: Sequence[str], held_out: bool
    ) -> list[Prediction]:
        if self._describe:
            graphs = described(crystals, graphs)
        tensors = GraphTensors.from_batch(graphs).to(self.device)
        values, vector = self._kappa.predict(tensors)
        log_members = np.log10(values["kappa"])
        vectors = vector.float().cpu().numpy()
        if self._kernel is not None:
            assert graphs.descriptors is not None
            log_members = self._kernel.log_kappa(log_members, vectors, graphs.descriptors)
        extra = self._auxiliary(tensors, properties, values)
        formulas = [c.formula for c in crystals]

        log_kappa = log_members.mean(axis=0)
        low = high = std = np.full(len(crystals), np.nan)
        score = np.full(len(crystals), np.nan)
        near = None
        if self.applicability is not None:
            score = self.applicability.score(vectors)
            near = self.applicability.known_distances(vectors) if self.known else None
        calibration = self.card.calibration
        if calibration is not None and self.applicability is not None:
            distance = self.applicability.nearest_trained_known(vectors)
            low, high, std = calibration.interval(log_members, distance, level)
            if held_out:
                for i, formula in enumerate(formulas):
                    fold = self.card.formula_fold.get(formula, -1)
                    if fold >= 0:
                        one = slice(i, i + 1)
                        log_kappa[i] = log_members[list(calibration.folds[fold]), i].mean()
                        bounds = calibration.interval(log_members[:, one], distance[:, one], level, folds=[fold])
                        low[i], high[i], std[i] = (b[0] for b in bounds)

        squeezed = shortest_bonds(graphs)
        rows = []
        for i, crystal in enumerate(crystals):
            row = Prediction(
                id=crystal.id,
                source=crystal.source,
                formula=formulas[i],
                n_sites=crystal.n_sites,
                n_elements=crystal.n_elements,
                kappa_W_mK=_number(10 ** log_kappa[i]),
                kappa_low_W_mK=_number(10 ** low[i]),
                kappa_high_W_mK=_number(10 ** high[i]),
                log10_std=_number(std[i]),
                applicability=_number(score[i]),
                nearest_known=self._describe_nearest(formulas[i], near[i]) if near is not None else "",
                properties={column: _number(v[i]) for column, v in extra.items()},
            )
            _warn(row, crystal, float(squeezed[i]))
            rows.append(row)
        return rows

    def _auxiliary(
        self, tensors: GraphTensors, properties: Sequence[str], values: dict[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Mean over networks of each property, by column name, in the order asked for."""
        if self._properties is not None and set(properties) & set(self._properties.config.targets):
            values |= self._properties.predict(tensors)[0]
        if FORMATION_ENERGY in properties and self._energy is not None:
            values |= self._energy.predict(tensors)[0]
        return {PROPERTY_COLUMNS.get(p, p): values[p].mean(axis=0) for p in properties}

    def _describe_nearest(self, formula: str, distance: np.ndarray) -> str:
        nearest = int(np.argmin(distance))
        same = [i for i, k in enumerate(self.known) if k.formula == formula] if formula in self._known_formulas else []
        if same:  # a crystal that is in training is its own nearest compound
            own = min(same, key=lambda i: distance[i])
            if distance[own] < SAME_COMPOUND:
                k = self.known[own]
                return f"{_compound(k)}, itself in training (or one with the same distances)"
        k = self.known[nearest]
        if same:
            seen = "; same formula in training"
        elif formula in self.card.formula_fold:
            seen = "; same formula in earlier training stages"
        else:
            seen = ""
        return _compound(k) + seen


def _compound(k: Known) -> str:
    return f"{k.formula} ({k.dataset} {k.id}) {float(f'{k.kappa:.3g}'):g} W/m/K"


def _as_crystal(item: Any) -> Crystal | Rejection:
    if isinstance(item, (Crystal, Rejection)):
        return item
    kind = type(item).__name__
    try:
        if hasattr(item, "lattice") and hasattr(item, "species_and_occu"):
            return Crystal.from_pymatgen(item, source="pymatgen.Structure")
        if hasattr(item, "get_cell") and hasattr(item, "get_atomic_numbers"):
            return Crystal.from_ase(item, source="ase.Atoms")
    except CrystalError as error:
        return Rejection("", kind, str(error))
    raise TypeError(f"cannot predict a {kind}; give a Crystal, a pymatgen Structure or ase Atoms")


def _reject(crystal: Crystal, reason: str) -> Rejection:
    return Rejection(crystal.id, crystal.source, reason, crystal.formula, crystal.n_sites, crystal.n_elements)


def _rejected(item: Rejection) -> Prediction:
    return Prediction(
        id=item.id,
        source=item.source,
        formula=item.formula,
        n_sites=item.n_sites,
        n_elements=item.n_elements,
        status="rejected",
        reason=item.reason,
    )


def _warn(row: Prediction, crystal: Crystal, shortest: float) -> None:
    reasons = list(crystal.notes)
    if shortest < SHORT_BOND:
        reasons.append(
            f"two sites are closer than {100 * shortest:.0f} % of the sum of their covalent radii: "
            "check that the cell lengths are in Å"
        )
    if row.applicability is not None and row.applicability < OUTSIDE:
        reasons.append(
            f"outside the training data (applicability {row.applicability:.3f}): "
            "the interval may be too narrow; verify by a phonon calculation"
        )
    if reasons:
        row.status, row.reason = "warning", "; ".join(reasons)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
