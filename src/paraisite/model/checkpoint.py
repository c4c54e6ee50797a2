"""Checkpoints: a folder with weights (safetensors) and a card (JSON) that stands alone.

=============================  ==========================================================================
``card.json``                  architecture, element table, transforms, calibration, recipe, hashes, metrics
``kappa.safetensors``          the networks that predict kappa, in half precision
``properties.safetensors``     optional: the networks that predict auxiliary properties
``neighbourhood.safetensors``  optional: known compounds in the space of their descriptors
``kernel.safetensors``         optional: Gaussian processes that turn the networks' kappa into the one predicted
``known.csv``                  optional: formula, id, dataset and kappa of the high-quality training compounds
=============================  ==========================================================================
"""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file as load_tensors
from safetensors.torch import save_file as save_tensors

from paraisite.files.csv_cells import read_rows
from paraisite.files.printable import counted
from paraisite.files.writing import write_csv
from paraisite.model.calibration import Calibration
from paraisite.model.encoders import MOST
from paraisite.model.kernel import KernelHead
from paraisite.model.model import Model, ModelConfig
from paraisite.model.neighbourhood import Neighbourhood
from paraisite.model.targets import TargetTransform

FORMAT = 3
"""1: maps of the encoder's vectors instead of a neighbourhood of descriptors. 2: two other descriptors of symmetry."""
OLDER = {1: "62fd265", 2: "dd49289"}
"""The last commit that writes and reads each older format."""


MAX_CARD_BYTES = 64 << 20


class CheckpointError(ValueError):
    """A folder is not a usable checkpoint; the message names the file and the remedy."""


class NetworkCard(BaseModel):
    """What is needed to rebuild one `Model`."""

    model_config = ConfigDict(extra="forbid")

    config: ModelConfig
    transforms: dict[str, TargetTransform]


class Card(BaseModel):
    """The card of a checkpoint.

    Attributes
    ----------
    format : int
        Version of this layout.
    name, description, licence, limits : str
    kappa : NetworkCard
    properties : NetworkCard or None
    kernel : bool
        Whether a `KernelHead` stands on the networks that predict kappa.
    calibration : Calibration or None
    folds : tuple of tuple of int
        Members of each fold.
    formula_fold : dict of str to int
        For every formula in the training data, the fold whose members were not trained on it; -1 where there is none.
    recipe : dict
        As run, with every default written out.
    datasets : dict of str to str
        Content hash of each dataset.
    split_hash : str
    metrics : dict
    versions : dict of str to str
    cutoff, tolerance : float
        Of the graphs, in Å.
    """

    model_config = ConfigDict(extra="forbid")

    format: int = FORMAT
    name: str
    description: str = ""
    licence: str = ""
    limits: str = ""
    kappa: NetworkCard
    properties: NetworkCard | None = None
    kernel: bool = False
    calibration: Calibration | None = None
    folds: tuple[tuple[int, ...], ...] = ()
    formula_fold: dict[str, int] = Field(default_factory=dict)
    recipe: dict[str, Any] = Field(default_factory=dict)
    datasets: dict[str, str] = Field(default_factory=dict)
    split_hash: str = ""
    metrics: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    cutoff: float = 4.0
    tolerance: float = 1e-3

    @property
    def holds_formulas_out(self) -> bool:
        """Whether some formulas have members not trained on them."""
        return self.calibration is not None and any(fold >= 0 for fold in self.formula_fold.values())


@dataclass(frozen=True, slots=True)
class Known:
    """A compound of the high-quality training data; kappa in W m⁻¹ K⁻¹."""

    formula: str
    id: str
    dataset: str
    kappa: float


@dataclass(slots=True)
class Checkpoint:
    """Everything a checkpoint folder holds."""

    card: Card
    kappa: Model
    properties: Model | None = None
    neighbourhood: Neighbourhood | None = None
    known: list[Known] = field(default_factory=list)
    kernel: KernelHead | None = None

    def save(self, folder: Path) -> None:
        """Write the folder aside, then put it in place of an older one."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            save_tensors(_half(self.kappa), aside / "kappa.safetensors")
            if self.properties is not None:
                save_tensors(_half(self.properties), aside / "properties.safetensors")
            if self.neighbourhood is not None:
                save_arrays(_pack(self.neighbourhood), aside / "neighbourhood.safetensors")
            if self.kernel is not None:
                save_arrays(self.kernel.pack(), aside / "kernel.safetensors")
            if self.known:
                rows = ([k.formula, k.id, k.dataset, f"{k.kappa:.6g}"] for k in self.known)
                write_csv(aside / "known.csv", ["formula", "id", "dataset", "kappa_W_mK"], rows)
            (aside / "card.json").write_text(self.card.model_dump_json() + "\n", encoding="utf-8")
            aside.chmod(0o755)
            for path in aside.iterdir():
                path.chmod(0o644)  # safetensors leaves its files to their owner alone
            if folder.exists():
                old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
                os.replace(folder, old / folder.name)
                os.replace(aside, folder)
                shutil.rmtree(old)
            else:
                os.replace(aside, folder)
        except SafetensorError as error:  # of a full disk, among others
            shutil.rmtree(aside, ignore_errors=True)
            raise CheckpointError(f"{folder}: cannot be written ({error}); is the disk full?") from None
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise

    @classmethod
    def load(cls, folder: Path) -> Checkpoint:
        """Read a checkpoint folder (no network, no pickle, no training package).

        Raises
        ------
        CheckpointError
            If a file is missing, damaged, or written in a newer format.
        """
        try:
            return cls._load(folder)
        except CheckpointError:
            raise
        except (
            ValueError,
            TypeError,
            LookupError,
            ArithmeticError,
            AttributeError,
            OSError,
            RuntimeError,
            MemoryError,
        ) as error:
            what = "its files are incomplete or inconsistent"
            raise CheckpointError(f"{folder}: damaged, fetch or train the model again ({what})") from error

    @classmethod
    def _load(cls, folder: Path) -> Checkpoint:
        card = read_card(folder)
        kappa = _network(folder / "kappa.safetensors", card.kappa)
        properties = _network(folder / "properties.safetensors", card.properties) if card.properties else None
        near = folder / "neighbourhood.safetensors"
        neighbourhood = _unpack(_arrays(near), near, card) if near.is_file() else None
        known = _known(folder / "known.csv") if (folder / "known.csv").is_file() else []
        if neighbourhood is not None and known and len(known) != len(neighbourhood.points):
            raise CheckpointError(
                f"{folder / 'known.csv'}: {len(known)} compounds, {near.name} has {len(neighbourhood.points)}; "
                "fetch or train the model again"
            )
        kernel = _kernel(folder / "kernel.safetensors", card) if card.kernel else None
        return cls(card, kappa, properties, neighbourhood, known, kernel)


def read_card(folder: Path) -> Card:
    """Read the card alone (fast: no weights).

    Raises
    ------
    CheckpointError
        If it is missing, damaged, or written in a newer format.
    """
    path = folder / "card.json"
    if not path.is_file():
        raise CheckpointError(f"{folder}: not a model folder (no card.json); `paraisite train` writes one")
    try:
        if path.stat().st_size > MAX_CARD_BYTES:
            raise CheckpointError(f"{path}: larger than the limit for a card; fetch or train the model again")
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content.get("format") if isinstance(content, dict) else None
        if isinstance(version, int) and version > FORMAT:
            raise CheckpointError(f"{path}: format {version} is newer than this version reads; update paraisite")
        if isinstance(version, int) and version in OLDER:
            raise CheckpointError(
                f"{path}: format {version} is from an older version; train its recipe again, or use that version "
                f"(git checkout {OLDER[version]})"
            )
        card = Card.model_validate(content)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    except (json.JSONDecodeError, UnicodeDecodeError, ValidationError, RecursionError) as error:
        what = _first(error) if isinstance(error, ValidationError) else error
        raise CheckpointError(f"{path}: damaged card, fetch or train the model again ({what})") from None
    if wrong := "; ".join(_impossible(card)):
        raise CheckpointError(f"{path}: not the card of a model ({wrong}); fetch or train the model again")
    return card


def _first(error: ValidationError) -> str:
    """Say where the first wrong value stands, and what is wrong with it."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"


def _impossible(card: Card) -> Iterator[str]:
    """Say what no model has, before anything is built from it."""
    members = card.kappa.config.members
    for name, network in (("kappa", card.kappa), ("properties", card.properties)):
        if network is not None:
            yield from (f"{name}: {what}" for what in _impossible_network(network))
    if not 0.1 <= card.cutoff <= 20 or not 0 <= card.tolerance <= 0.5:
        yield f"cutoff {card.cutoff:g} Å, tolerance {card.tolerance:g} Å"
    calibrated = card.calibration.folds if card.calibration is not None else ()
    if any(not 0 <= member < members for fold in (*card.folds, *calibrated) for member in fold):
        yield f"folds of members that are not among the {members}"
    if any(not -1 <= fold < max(len(card.folds), 1) for fold in card.formula_fold.values()):
        yield f"formulas of folds that are not among the {len(card.folds)}"
    if card.calibration is not None:
        c = card.calibration
        if len(c.row_fold) != len(c.score) or any(not 0 <= fold < len(c.folds) for fold in c.row_fold):
            yield "a calibration with inconsistent rows and folds"
        if len(c.lowest) != len(c.highest) or len(c.weights) != len(c.lowest) + 1:
            yield "a calibration with inconsistent weights and ranges"


def _impossible_network(card: NetworkCard) -> Iterator[str]:
    config, encoder = card.config, card.config.encoder
    if config.members > MOST["members"]:
        yield f"{config.members} members, more than {MOST['members']}"
    if not 1 <= len(config.targets) <= MOST["targets"] or len(set(config.targets)) < len(config.targets):
        yield f"{len(config.targets)} targets, where each must be listed once"
    if not encoder.elements or any(not 1 <= z <= 118 for z in encoder.elements):
        yield "elements that are not between 1 and 118"
    elif len(set(encoder.elements)) < len(encoder.elements):
        yield "elements listed twice"
    if not 0 < encoder.cutoff <= 100:
        yield "a cutoff that is not between 0 and 100 Å"
    yield from encoder.impossible()
    hidden = config.head.hidden
    if len(hidden) > MOST["layers"] or any(not 1 <= width <= MOST["width"] for width in hidden):
        yield f"a head of more than {MOST['layers']} layers, or of widths that are not between 1 and {MOST['width']}"
    for name, transform in card.transforms.items():
        if not len(transform.shift) == len(transform.scale) == config.members:
            yield f"a transform of {name} for another number of members"
        elif not all(map(math.isfinite, (*transform.shift, *transform.scale))):
            yield f"a transform of {name} that is not finite"
    if missing := set(config.targets) - card.transforms.keys():
        yield f"no transform of {sorted(missing)[0]}"


def round_weights(model: Model) -> Model:
    """Round the weights to half precision, in place: what is calibrated must be what is stored."""
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.copy_(tensor.half())
    return model


def _half(model: Model) -> dict[str, Any]:
    return {name: tensor.detach().cpu().half().contiguous() for name, tensor in model.state_dict().items()}


def _network(path: Path, card: NetworkCard) -> Model:
    try:
        with torch.device("meta"):  # no memory is taken for what a card asks for before the weights are as large
            model = Model(card.config, card.transforms)
        if sum(tensor.numel() for tensor in model.state_dict().values()) > MOST["parameters"]:
            raise CheckpointError(f"{path}: its card exceeds the limit of weights; fetch or train it again")
        weights = {name: tensor.float() for name, tensor in load_tensors(path).items()}
        model.load_state_dict(weights, strict=True, assign=True)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise CheckpointError(f"{path}: missing or damaged weights, fetch or train the model again ({error})") from None
    return model.eval()


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        return load_arrays(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: damaged, fetch or train the model again ({error})") from None


def _kernel(path: Path, card: Card) -> KernelHead:
    try:
        head = KernelHead.unpack(_arrays(path))
    except KeyError as error:
        raise CheckpointError(f"{path}: damaged, fetch or train the model again (incomplete: no {error})") from None
    if len(head.members) != card.kappa.config.members:
        wanted = card.kappa.config.members
        raise CheckpointError(
            f"{path}: {counted(len(head.members), 'member')}, not {wanted}; fetch or train the model again"
        )
    return head


def _pack(neighbourhood: Neighbourhood) -> dict[str, np.ndarray]:
    arrays = {f.name: getattr(neighbourhood, f.name) for f in fields(Neighbourhood)}
    arrays["points"] = arrays["points"].astype(np.float16)
    arrays["held_out_distance"] = arrays["held_out_distance"].astype(np.float32)
    return {k: np.ascontiguousarray(v) for k, v in arrays.items()}


def _unpack(arrays: dict[str, np.ndarray], path: Path, card: Card) -> Neighbourhood:
    try:
        parts = {f.name: arrays[f.name] for f in fields(Neighbourhood)}
    except KeyError as error:
        raise CheckpointError(f"{path}: damaged, fetch or train the model again (incomplete: no {error})") from None
    n, q = parts["points"].shape if parts["points"].ndim == 2 else (-1, -1)
    shapes = {"shift": (q,), "scale": (q,), "log_kappa": (n,), "error": (n,), "trained": (len(card.folds), n)}
    if any(parts[k].shape != shape for k, shape in shapes.items()) or parts["held_out_distance"].ndim != 1:
        raise CheckpointError(f"{path}: damaged, fetch or train the model again (inconsistent arrays)")
    return Neighbourhood(**parts | {"points": parts["points"].astype(np.float32)})


def _known(path: Path) -> list[Known]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = read_rows(file)
            return [Known(r["formula"], r["id"], r["dataset"], float(r["kappa_W_mK"])) for r in rows]
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise CheckpointError(f"{path}: damaged, fetch or train the model again ({error})") from None
