"""`Predictor`: crystals to predictions with interval, applicability and nearest known compound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import replace
from functools import cached_property
from glob import has_magic
from itertools import islice
from os import PathLike, fspath
from os.path import isdir, isfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import SYMBOLS
from paraisite.crystals.guard import SECONDS, explain
from paraisite.crystals.objects import crystals_of, is_one
from paraisite.crystals.read import checked
from paraisite.crystals.rejection import Rejection
from paraisite.crystals.sites import Disorder
from paraisite.graphs import GraphBatch
from paraisite.graphs.dimensionality import dimensionalities
from paraisite.model.checkpoint import Card, Checkpoint, Known
from paraisite.model.convert import FORMATION_ENERGY
from paraisite.model.descriptors import described, shortest_bonds
from paraisite.model.descriptors import names as descriptor_names
from paraisite.model.electronic import digest, shipped_electronic
from paraisite.model.encoders import encoder_of
from paraisite.model.environment import REACH, build_surrounded
from paraisite.model.fast_kernel import FastKernel
from paraisite.model.model import Model
from paraisite.model.neighbourhood import OUTSIDE, scale_features
from paraisite.model.registry import DEFAULT, ENCODER, locate, registry
from paraisite.model.tensors import GraphTensors
from paraisite.model.volume import shipped_volumes, volume_warning
from paraisite.physics.temperature import log_kappa_at, spread_at
from paraisite.prediction.chart import Chart
from paraisite.prediction.embedding import Embeddings
from paraisite.prediction.options import AXES, CHART, KAPPA, VOLUME_CHANGE, Options, axis_column, temperature_columns
from paraisite.prediction.prediction import COLUMNS, Prediction
from paraisite.prediction.predictions import Predictions
from paraisite.prediction.prepared import Prepared, tensor_ratios, vacuum_reasons
from paraisite.prediction.progress import tracked
from paraisite.processes.limits import TimeExceeded, limited
from paraisite.targets import LEVEL, TARGETS, column

CHUNK = 512
"""Crystals read ahead and predicted together."""

MAX_EDGES = 8192
"""Distinct edges computed at once: bounds the memory of a batch, and keeps it in the processor's cache."""

LARGE = 500
"""Sites of a crystal that may take more time of a chunk than all small ones together."""

SHORT_BOND = 0.6
"""A distance below this share of the sum of covalent radii is in no crystal at ordinary pressure."""

METAL = "probability that it is a metal"

REAL = (
    "kappa_W_mK",
    "kappa_low_W_mK",
    "kappa_high_W_mK",
    "log10_std",
    "applicability",
    "nearest_kappa_W_mK",
    "nearest_distance",
    "band_gap_eV",
    METAL,
)
"""Real numbers of every prediction: columns, and the probability that decides over `is_metal`."""

TEXT = ("nearest_known", "in_training", "nearest_formula", "nearest_id", "nearest_source")
"""Columns that say where a crystal stands among the known ones."""

FOR_TEMPERATURES = ("kappa_particle", "kappa_coherence", "mean_frequency")
"""Properties that kappa at other temperatures is made of, as `log_kappa_at` takes them."""

SAME_COMPOUND = 0.5
"""A known compound of equal formula nearer than this is the crystal; distances as in `Neighbourhood`."""


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
    exact : bool
        Compute every layer as it was trained, also on a processor, where the encoder's fast path is several
        times faster and kappa agrees to 1e-4.

    Examples
    --------
    >>> predictor = Predictor.from_pretrained()                     # doctest: +SKIP
    >>> predictor.predict("crystals/").to_frame()                   # doctest: +SKIP
    """

    def __init__(
        self, checkpoint: Checkpoint, *, device: str = "cpu", mirror: str | Path | None = None, exact: bool = False
    ) -> None:
        self.card: Card = checkpoint.card
        self.known: list[Known] = checkpoint.known
        self.device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        if self.device.startswith("cuda") and not torch.cuda.is_available():
            raise ValueError(f"--device {device}: no CUDA device is visible to torch; use --device cpu")
        self.neighbourhood = checkpoint.neighbourhood
        self._kappa = checkpoint.kappa.to(self.device).eval()
        self._properties = checkpoint.properties.to(self.device).eval() if checkpoint.properties else None
        fast = not exact and self.device == "cpu"
        quick = encoder_of(self.card.kappa.config.encoder).fast if fast else None
        self._encoder = quick(self._kappa.encoder, self.card.cutoff) if quick is not None else None
        self._kernel = FastKernel(checkpoint.kernel) if fast and checkpoint.kernel is not None else checkpoint.kernel
        networks = [n for n in (checkpoint.kappa, checkpoint.properties) if n is not None]
        self.environment = any(n.config.head.environment for n in networks)
        electronic = shipped_electronic()
        self._electronic = electronic if electronic.encoder == digest(self._kappa.encoder) else None
        self._mirror = mirror
        self._energy: Model | None = None
        self._elements = frozenset(self.card.kappa.config.encoder.elements)
        self._known_formulas = {k.formula for k in self.known}

    @classmethod
    def from_pretrained(
        cls, name: str = DEFAULT, *, device: str = "cpu", mirror: str | Path | None = None, exact: bool = False
    ) -> Predictor:
        """Load a model by registry name or folder.

        Raises
        ------
        ModelError, CheckpointError
            If it is not there or not usable.
        """
        return cls(Checkpoint.load(locate(name, mirror)), device=device, mirror=mirror, exact=exact)

    @cached_property
    def chart(self) -> Chart | None:
        """Chart of the known compounds; None for a model that knows none."""
        return Chart.of(self.neighbourhood) if self.neighbourhood is not None and self.known else None

    @property
    def available_properties(self) -> tuple[str, ...]:
        """Names `properties` may hold: auxiliary targets of the checkpoint and the formation energy."""
        networks = (self._kappa, self._properties) if self._properties is not None else (self._kappa,)
        targets = dict.fromkeys(t for n in networks for t in n.config.targets if t != "kappa")
        return (*_parts(targets), *targets, FORMATION_ENERGY)

    def predict(
        self,
        inputs: Any,
        *,
        ids: Iterable[str] | str | None = None,
        level: float = LEVEL,
        properties: Sequence[str] = (),
        temperatures: Sequence[float] = (),
        tensor: bool = False,
        held_out: bool = False,
        allow_vacuum: bool = False,
        disorder: Disorder = "reject",
        progress: bool | None = None,
    ) -> Any:
        """Predict a crystal or any number of them.

        Parameters
        ----------
        inputs : object or iterable
            See `crystals_of`. What is no structure, such as None, becomes a rejected row.
        ids : str or iterable of str, optional
            One for each input, in place of the ids that they have.
        level, properties, temperatures, tensor, held_out, allow_vacuum
            See `Options`, and `stream` for `held_out`.
        disorder : {"reject", "majority"}
            What to do with partly occupied sites.
        progress : bool, optional
            Whether to write on standard error how far it is; by default in terminals and notebooks.

        Returns
        -------
        Prediction or Predictions
            Of one object, or the path of a file with one structure, its prediction; else a list of predictions.

        Raises
        ------
        PropertyError, ModelError, ValueError
            As `stream`; or if there are more or fewer ids than inputs.
        """
        options = Options(level, tuple(properties), tuple(temperatures), tensor, held_out, allow_vacuum)
        single = is_one(inputs)
        names = [ids] if isinstance(ids, str) else ids
        if isinstance(names, Sized) and isinstance(inputs, Sized) and not single and len(names) != len(inputs):
            raise ValueError(f"{len(names)} ids for {len(inputs)} inputs; give one for each")
        total = len(inputs) if isinstance(inputs, Sized) and not single else None
        rows = self.stream(crystals_of(inputs, names, disorder=disorder), options)
        found = Predictions(tracked(rows, total, progress), options)
        if isinstance(inputs, (str, PathLike)):  # of a folder and of a pattern, a list, whatever it holds today
            single = len(found) == 1 and not isdir(inputs) and (isfile(inputs) or not has_magic(fspath(inputs)))
        return found[0] if single else found

    def stream(self, inputs: Any, options: Options = KAPPA) -> Iterator[Prediction]:
        """Predict crystals as they come, in bounded memory; each input gives a row or more, in order.

        Parameters
        ----------
        inputs : iterable
            See `crystals_of`.
        options : Options
            With `held_out`, kappa comes from the members not trained on a compound of the same formula in any stage
            (what the start of the training saw, such as formation energies, aside); from all members where none is
            such, and where the formula stands in no training data.

        Raises
        ------
        PropertyError
            If a property is unknown to the model, or temperatures are asked of a model without phonon properties.
        ModelError
            If the formation energy is asked for and its weights are not on this machine.
        ValueError
            If the level is not between 0 and 1, or is beyond what the calibration supports.
        """
        self._check(options)
        source = crystals_of(inputs)
        while part := list(islice(source, CHUNK)):
            yield from self.finish(self.prepare(part, options), options)

    def embed(
        self,
        inputs: Any,
        *,
        ids: Iterable[str] | None = None,
        allow_vacuum: bool = False,
        disorder: Disorder = "reject",
    ) -> Embeddings:
        """Return the encoder's vector and the descriptors of crystals; parameters as of `predict`."""
        items = crystals_of(inputs, ids, disorder=disorder)
        return Embeddings.concat(list(self.embed_stream(items, allow_vacuum=allow_vacuum)))

    def embed_stream(self, inputs: Any, *, allow_vacuum: bool = False) -> Iterator[Embeddings]:
        """Embed crystals as they come, `CHUNK` at once; of no input there is one empty part."""
        options, source = Options(allow_vacuum=allow_vacuum), crystals_of(inputs)
        columns = descriptor_names(environment=self.environment)
        part = list(islice(source, CHUNK))
        while True:
            prepared = self.prepare(part, options)
            assert prepared.graphs.descriptors is not None
            vectors = self.encode(prepared.graphs)[1].mean(axis=0)
            yield Embeddings.of(prepared, vectors, prepared.graphs.descriptors, columns)
            if not (part := list(islice(source, CHUNK))):
                return

    def encode(self, graphs: GraphBatch) -> tuple[np.ndarray, np.ndarray]:
        """What each network makes of some graphs, before kernels and calibration.

        Returns
        -------
        log_kappa : numpy.ndarray, shape (members, G), float64
        vectors : numpy.ndarray, shape (members, G, width), float32
        """
        config = self.card.kappa.config
        log_kappa = [np.zeros((config.members, 0))]
        vectors = [np.zeros((config.members, 0, config.encoder.vector_width), np.float32)]
        for piece in graphs.split_by_edges(MAX_EDGES):
            values, vector, _ = self._encode(graphs.take(np.arange(piece.start, piece.stop)))
            log_kappa.append(np.log10(values["kappa"]))
            vectors.append(vector)
        return np.concatenate(log_kappa, axis=1), np.concatenate(vectors, axis=1)

    def _encode(self, graphs: GraphBatch) -> tuple[dict[str, np.ndarray], np.ndarray, GraphTensors]:
        tensors = GraphTensors.from_batch(graphs).to(self.device)
        vector = self._encoder(graphs) if self._encoder is not None else None
        values, vector = self._kappa.predict(tensors, vector)
        return values, vector.float().cpu().numpy(), tensors

    def prepare(self, crystals: Iterable[Any], options: Options = KAPPA) -> Prepared:
        """Build graphs and descriptors of some crystals, and note why a crystal has none; no network is asked.

        Of the options, those for vacuum and the tensor count here.
        """
        items = list(crystals_of(crystals))
        large = sum(1 for item in items if (item.n_sites or 0) > LARGE)
        try:
            with limited(SECONDS * max(1, large)):
                prepared = self._prepare(items, options.allow_vacuum)
        except (Exception, TimeExceeded):  # of a crystal that no reader has checked: it costs its own row only
            items = [item if isinstance(item, Rejection) else self._sound(item) for item in items]
            prepared = self._prepare(items, options.allow_vacuum)
        if not options.tensor:
            return prepared
        kept: list[Crystal] = [items[i] for i in prepared.kept.tolist()]
        return replace(prepared, ratios=tensor_ratios(kept))

    def _sound(self, crystal: Crystal) -> Crystal | Rejection:
        """Return the crystal if it can be prepared, else why not."""
        try:
            with limited(SECONDS):
                item = checked(crystal, vacuum=True)
                self._prepare([item], allow_vacuum=True)
        except (Exception, TimeExceeded) as error:
            reason = "its cell, elements or positions are not what a crystal has; check them"
            if isinstance(error, (MemoryError, TimeExceeded)):
                reason = explain(error)
            return Rejection(crystal.id, crystal.source, f"no graph can be made of it: {reason}")
        return item

    def _prepare(self, items: Sequence[Crystal | Rejection], allow_vacuum: bool) -> Prepared:
        reasons = [item.reason if isinstance(item, Rejection) else self._unknown_elements(item) for item in items]
        candidates = [i for i, item in enumerate(items) if not (isinstance(item, Rejection) or reasons[i])]
        some: list[Crystal] = [items[i] for i in candidates]  # type: ignore[misc]
        graphs, kept, rejected, neighbours = build_surrounded(some, self.card.cutoff, self.card.tolerance)
        for k, rejection in rejected.items():
            reasons[candidates[k]] = rejection.reason
        rows = np.array(candidates, dtype=np.int64)[kept]
        known = [some[k] for k in kept.tolist()]
        graphs = described(known, graphs, environment=self.environment, neighbours=neighbours)
        dimensionality = dimensionalities(known, neighbours, REACH)
        empty = vacuum_reasons(known, dimensionality)
        vacuum = np.array([bool(reason) for reason in empty], dtype=bool)
        if vacuum.any() and not allow_vacuum:
            for k in np.flatnonzero(vacuum).tolist():
                reasons[rows[k]] = empty[k]
            bulk = np.flatnonzero(~vacuum)
            rows, graphs, dimensionality, vacuum = rows[bulk], graphs.take(bulk), dimensionality[bulk], vacuum[bulk]
        return Prepared(
            id=[item.id for item in items],
            source=[item.source for item in items],
            formula=[item.formula for item in items],
            n_sites=[item.n_sites for item in items],
            n_elements=[item.n_elements for item in items],
            notes=[() if isinstance(item, Rejection) else item.notes for item in items],
            reason=reasons,
            kept=rows,
            graphs=graphs,
            shortest=shortest_bonds(graphs),
            dimensionality=dimensionality,
            vacuum=vacuum,
            volume_change=np.array([getattr(item, "volume_change", np.nan) for item in items], dtype=np.float64),
        )

    def finish(self, prepared: Prepared, options: Options = KAPPA) -> list[Prediction]:
        """Predict what `prepare` made; see `stream`."""
        columns = self.table(prepared, options)
        rows: list[Prediction] = []
        for values in zip(*columns.values(), strict=True):
            cells: list[Any] = [_number(v) if isinstance(v, float) else v for v in values]
            row = Prediction(*cells[: len(COLUMNS)])
            if row.status != "rejected":
                row.properties = dict(zip(options.further, cells[len(COLUMNS) :], strict=True))
            rows.append(row)
        return rows

    def table(self, prepared: Prepared, options: Options = KAPPA) -> dict[str, list[Any] | np.ndarray]:
        """Predict what `prepare` made, as columns; see `stream`.

        Returns
        -------
        dict of str to list or numpy.ndarray
            `options.columns`, each with an entry for every row of `prepared`. Real numbers are float64 arrays, NaN
            where there is none.
        """
        self._check(options)
        graphs = prepared.graphs
        formulas = [prepared.formula[i] for i in prepared.kept]
        parts = []
        for piece in graphs.split_by_edges(MAX_EDGES):
            taken = graphs.take(np.arange(piece.start, piece.stop))
            parts.append(self._predict(taken, formulas[piece], options))
        n = len(prepared)
        real = {}
        for name in (*REAL, *options.predicted):
            real[name] = np.full(n, np.nan)
            if parts:
                real[name][prepared.kept] = np.concatenate([values[name] for values, _ in parts])
        if options.tensor:
            for axis, ratios in zip(AXES, prepared.ratios.T, strict=True):
                real[axis_column(axis)] = real["kappa_W_mK"].copy()
                real[axis_column(axis)][prepared.kept] *= ratios
        if options.relaxed:
            real[VOLUME_CHANGE] = prepared.volume_change.copy()
        untold = set(prepared.kept[np.isnan(prepared.ratios[:, 0])].tolist()) if options.tensor else set()
        text: dict[str, list[Any]] = {name: [""] * n for name in TEXT}
        status, reason = ["rejected"] * n, list(prepared.reason)
        nearest = np.concatenate([near for _, near in parts]) if parts else np.zeros(0, dtype=np.int64)
        volumes = shipped_volumes()
        ln_ratio, error = volumes.compare(graphs)
        strained = np.where(volumes.far(ln_ratio, error), ln_ratio, 0.0)
        looks = zip(
            prepared.kept.tolist(),
            prepared.shortest,
            prepared.dimensionality == 0,
            prepared.vacuum,
            strained,
            nearest.tolist(),
            strict=True,
        )
        for i, shortest, loose, empty, ln_volume, near in looks:
            if shortest < 1e-3 or not np.isfinite(real["kappa_W_mK"][i]):  # no reader lets such a crystal pass
                what = "two sites coincide" if shortest < 1e-3 else "kappa is not a finite number"
                reason[i] = f"{what}: it cannot be predicted; check the cell and the positions"
                for values in real.values():
                    values[i] = np.nan
                continue
            for name, value in self._place(prepared.formula[i], near, real["nearest_distance"][i]).items():
                text[name][i] = value
            notes = prepared.notes[i]
            if options.held_out and self.seen_by_all(prepared.formula[i]):
                notes = (*notes, "every network has seen a compound of this formula, so that none can be held out")
            if real[METAL][i] > 0.5:
                notes = (*notes, "probably a metal: its electrons conduct heat, too, which kappa leaves out")
            if empty:
                notes = (*notes, "in vacuum, and no training data are: kappa refers to the whole cell, vacuum included")
            if i in untold:
                notes = (*notes, "the tensor could not be predicted: its columns are empty")
            status[i], reason[i] = _warning(
                notes, float(shortest), bool(loose), float(ln_volume), real["applicability"][i]
            )
        columns = {name: getattr(prepared, name) for name in ("id", "source", "formula", "n_sites", "n_elements")}
        columns |= real | text | {"status": status, "reason": reason}
        metal = [None if np.isnan(p) else p > 0.5 for p in real[METAL].tolist()]
        columns |= {"dimensionality": _spread(prepared.dimensionality, prepared.kept, n)}
        columns |= {"vacuum": _spread(prepared.vacuum, prepared.kept, n), "is_metal": metal}
        return {name: columns[name] for name in options.columns}

    def seen_by_all(self, formula: str) -> bool:
        """Whether every network was trained on a compound of this formula: `held_out` cannot help it."""
        return self.card.formula_fold.get(formula, 0) < 0

    def _check(self, options: Options) -> None:
        unknown = [p for p in options.properties if p not in self.available_properties]
        if unknown:
            raise PropertyError(f"unknown property {unknown[0]}; this model has {', '.join(self.available_properties)}")
        lacks = [p for p in FOR_TEMPERATURES if p not in self.available_properties] if options.temperatures else []
        if lacks:
            raise PropertyError(f"--temperatures needs a model that predicts {', '.join(lacks)}, such as {DEFAULT}")
        if FORMATION_ENERGY in options.properties and self._energy is None:
            self._energy = registry()[ENCODER].load(locate(ENCODER, self._mirror)).to(self.device).eval()
        if self.card.calibration:
            self.card.calibration.check_level(options.level)

    def _unknown_elements(self, crystal: Crystal) -> str:
        """Why a crystal cannot be predicted: elements that the model does not know; empty if it knows them."""
        unknown = sorted(set(crystal.numbers.tolist()) - self._elements)
        if not unknown:
            return ""
        names = ", ".join(SYMBOLS[z] for z in unknown)
        return f"element{'s' if len(unknown) > 1 else ''} {names} unknown to the model: it cannot be predicted"

    def _predict(
        self, graphs: GraphBatch, formulas: list[str], options: Options
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Real columns of one batch of graphs, and which known compound is nearest to each (-1 where none is known)."""
        values, vectors, tensors = self._encode(graphs)
        log_members = np.log10(values["kappa"])
        if self._kernel is not None:
            assert graphs.descriptors is not None
            log_members = self._kernel.log_kappa(log_members, vectors, graphs.descriptors)
        log_kappa = log_members.mean(axis=0)
        low = high = std = np.full(len(formulas), np.nan)
        score = distance = kappa_nearest = np.full(len(formulas), np.nan)
        nearest = np.full(len(formulas), -1)
        fold_of = self.card.formula_fold if options.held_out else {}
        unseen = np.array([fold_of.get(f, -1) for f in formulas], dtype=np.int64)
        calibration = self.card.calibration
        if self.neighbourhood is not None:
            assert graphs.descriptors is not None
            near = self.neighbourhood.find(graphs.descriptors)
            score = self.neighbourhood.applicability(near)
            if self.known:
                nearest, distance = near.nearest, near.nearest_distance.astype(np.float64)
                kappa_nearest = np.array([self.known[k].kappa for k in nearest.tolist()], dtype=np.float64)
            if calibration is not None:
                features = scale_features(log_members, calibration.folds, near, graphs.descriptors)
                low, high, std = calibration.interval(log_members, features, options.level)
                for fold in np.unique(unseen[unseen >= 0]).tolist():
                    here = unseen == fold
                    log_kappa[here] = log_members[np.ix_(list(calibration.folds[fold]), here)].mean(axis=0)
                    bounds = calibration.interval(log_members[:, here], features[:, here], options.level, folds=[fold])
                    low[here], high[here], std[here] = bounds
                    score[here] = self.neighbourhood.applicability(near, np.full(len(formulas), fold))[here]
        # at small levels the interval may lie beside kappa; widened to it, it covers no less
        low, high = np.minimum(low, log_kappa), np.maximum(high, log_kappa)
        gap = metal = np.full(len(formulas), np.nan)
        if self._electronic is not None:
            electrons = self._electronic(vectors, graphs)
            gap, metal = electrons.gap, electrons.metal
        every = (10**log_kappa, 10**low, 10**high, std, score, kappa_nearest, distance, gap, metal)
        real = dict(zip(REAL, every, strict=True))
        asked = (*options.properties, *(FOR_TEMPERATURES if options.temperatures else ()))
        found = self._auxiliary(tensors, asked, values, unseen, 10**log_kappa)
        real |= {column(name): found[name] for name in options.properties}
        for temperature in options.temperatures:
            at = log_kappa_at(temperature, *(found[name] for name in FOR_TEMPERATURES))
            wider = np.sqrt(1.0 + (spread_at(temperature) / std) ** 2)
            bounds = (at, at - (log_kappa - low) * wider, at + (high - log_kappa) * wider)
            real |= zip(temperature_columns(temperature), (10**bound for bound in bounds), strict=True)
        if options.chart:
            at = np.full((len(formulas), len(CHART)), np.nan)
            if self.chart is not None and graphs.descriptors is not None:
                at = self.chart(graphs.descriptors)
            real |= zip(CHART, at.T, strict=True)
        return real, nearest

    def _auxiliary(
        self,
        tensors: GraphTensors,
        properties: Sequence[str],
        values: dict[str, np.ndarray],
        unseen: np.ndarray,
        kappa: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """Mean over networks of each property, by name.

        `values` has those of the networks of kappa, each of shape (members, crystals); `unseen` the fold whose networks
        alone count for a crystal, -1 where all do.
        """
        if self._properties is not None and set(properties) & set(self._properties.config.targets):
            values = self._properties.predict(tensors)[0] | values
        if FORMATION_ENERGY in properties and self._energy is not None:
            values = values | self._energy.predict(tensors)[0]

        def mean(name: str) -> np.ndarray:
            every = values[name]
            found = np.asarray(every.mean(axis=0))
            if self.card.calibration is not None and len(every) == self._kappa.config.members:
                for fold in np.unique(unseen[unseen >= 0]).tolist():
                    own = np.ix_(list(self.card.calibration.folds[fold]), unseen == fold)
                    found[unseen == fold] = every[own].mean(axis=0)
            return found

        found, parts = {}, _parts(values)
        for name in properties:
            if name in parts:
                share, rest = parts[name]
                found[name] = kappa * (1.0 - mean(share) if rest else mean(share))
            else:
                found[name] = mean(name)
        return found

    def _place(self, formula: str, nearest: int, distance: float) -> dict[str, str]:
        """Columns `TEXT` of a crystal: whether it was in training, and which known compound is nearest to it."""
        in_training = "formula" if formula in self._known_formulas or formula in self.card.formula_fold else "no"
        if nearest < 0:
            return {"in_training": in_training}
        k = self.known[nearest]
        told = f"{k.formula} ({k.dataset} {k.id}) {float(f'{k.kappa:.3g}'):g} W/m/K"
        if k.formula == formula:  # the crystal itself, a polymorph, or another calculation
            if distance < SAME_COMPOUND:
                in_training = "crystal"
                told += ", itself in training (or one with the same distances)"
            else:
                told += ", same formula in training"
        elif formula in self._known_formulas:
            told += "; same formula in training"
        elif in_training == "formula":
            told += "; same formula in earlier training stages"
        return dict(zip(TEXT, (told, in_training, k.formula, k.id, k.dataset), strict=True))


def _parts(names: Iterable[str]) -> dict[str, tuple[str, bool]]:
    """Parts of kappa that some targets are shares of: the target, and whether the part is what the share leaves."""
    shares = [(name, TARGETS[name].share) for name in names if name in TARGETS]
    return {part: (name, part == share.rest) for name, share in shares if share for part in (share.rest, share.part)}


def _warning(
    notes: tuple[str, ...], shortest: float, loose: bool, ln_volume: float, applicability: float
) -> tuple[str, str]:
    """Status and reason of a predicted row; `ln_volume` is 0 where the volume is as expected."""
    reasons = list(notes)
    if shortest < SHORT_BOND:
        reasons.append(
            f"two sites are closer than {100 * shortest:.0f} % of the sum of their covalent radii: "
            "check that the cell lengths are in Å"
        )
    if ln_volume:
        reasons.append(volume_warning(ln_volume))
    if loose:
        reasons.append("molecules or lone atoms: errors are about three times those of other crystals")
    if applicability < OUTSIDE:
        reasons.append(
            f"outside the training data (applicability {applicability:.3f}): "
            "the interval may be too narrow; verify by a phonon calculation"
        )
    return ("warning", "; ".join(reasons)) if reasons else ("ok", "")


def _spread(values: np.ndarray, kept: np.ndarray, n: int) -> list[Any]:
    """Values of the rows that have a graph, None for the others."""
    every: list[Any] = [None] * n
    for row, value in zip(kept.tolist(), values.tolist(), strict=True):
        every[row] = value
    return every


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
