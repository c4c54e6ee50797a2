"""`run`: a recipe from its datasets to a checkpoint, resumable after every stage and within one."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import torch
import yaml
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor

from paraisite.datasets import DatasetError, Split, split_hash
from paraisite.datasets.doubts import doubts
from paraisite.datasets.registry import find
from paraisite.datasets.saved_split import SavedSplit, read_split
from paraisite.files.locking import locked
from paraisite.files.printable import counted
from paraisite.files.replacing import replacing
from paraisite.files.writing import write_json, write_text
from paraisite.model.calibration import MIN_ROWS
from paraisite.model.checkpoint import Checkpoint
from paraisite.model.descriptors import blocks
from paraisite.model.kernel import KernelHead
from paraisite.model.model import Model, ModelConfig
from paraisite.model.registry import DEFAULT, ENCODER, ModelError, locate, registry
from paraisite.model.targets import TargetTransform
from paraisite.training.apply import apply, place
from paraisite.training.data import StageData
from paraisite.training.finish import finish
from paraisite.training.module import StageModule
from paraisite.training.progress import progress_callback
from paraisite.training.recipe import Recipe, RecipeError, Stage, Target
from paraisite.training.replicas import Replicas, plan
from paraisite.training.stage_data import StageSet, masks_without_flagged, read_stages, usable
from paraisite.training.trainer import fit

SAVES = 10
"""Times a stage saves its state, at the ends of epochs."""


def run(
    recipe: Recipe,
    out: Path,
    *,
    mirror: str | Path | None = None,
    device: str = "auto",
    loggers: tuple[str, ...] = ("csv",),
    say: Callable[[str], None] = print,
) -> Path:
    """Train a recipe.

    Parameters
    ----------
    recipe : Recipe
    out : Path
        Folder of this run. What is already there is not done again.
    mirror : str or Path, optional
        Folder that holds datasets and weights; by default PARAISITE_MIRROR.
    device : {"auto", "cpu", "cuda"}
    loggers : tuple of {"csv", "tensorboard", "mlflow"}
    say : callable
        Takes each line of progress.

    Returns
    -------
    Path
        The checkpoint, ``out/model``; beside it `metrics.json`, `out_of_fold.csv` and `rejections.csv`.

    Raises
    ------
    RecipeError
        If `out` holds another recipe's run.
    DatasetError, ModelError
        If data or initial weights are missing.
    """
    start, formulas = _start(recipe, mirror)
    begun_from = digest(start)
    recipe = completed(recipe, start if recipe.from_conductivity else None)
    _refuse_another_run(out, recipe)
    _loggers(loggers, out, "")  # complains now if one is not installed
    _refuse_missing_data(recipe)
    saved = saved_split_of(recipe)
    started = time.monotonic()
    data = read_stages(recipe, mirror)
    for reads, s in {stage.reads: s for stage, s in zip(recipe.stages, data, strict=True)}.items():
        size = f"{counted(len(s.dataset), 'crystal')}, {s.graphs.n_edges} distinct edges"
        say(f"{reads}: {size}, {len(s.rejections)} rejected")
        for line in doubts(s.dataset):
            say(f"warning: {reads}: {line}")
    for stage, part in zip(recipe.stages, data, strict=True):
        for target in stage.targets:
            usable(part.dataset, target, recipe)
    replicas = plan_folds(recipe, data, saved)
    say(f"{counted(len(replicas.fold), 'member')}: {counted(replicas.folds, 'fold')} × {recipe.members}")
    with locked(out):
        _claim(out, recipe, data, replicas, begun_from)
        seen = sum(formula in formulas for formula in data[-1].dataset.formulas)
        if seen:
            say(
                f"{seen} of {len(data[-1].dataset)} crystals have a formula that {recipe.initial} was trained on: "
                "the scores below are not independent of these"
            )

        model: Model | None = None
        properties: Model | None = None
        for i, (stage, part) in enumerate(zip(recipe.stages, data, strict=True)):
            model, mask, shared = begin_stage(model, recipe, i, replicas, mirror)
            if stage.fit == "kernel":
                say(f"stage {stage.name}: Gaussian processes on the unchanged networks")
                continue
            taught = None
            if stage.distil:
                say(f"stage {stage.name}: distilling the {recipe.members} networks of each fold into one")
                if not _done(out, i, stage).is_file():
                    taught = lesson(of_every_fold(model, replicas), replicas, i, stage, part, device)
                model, replicas, mask = first_of_each_fold(model, replicas, i)
            model = train_stage(
                model, recipe, i, part, mask, out, device=device, loggers=loggers, say=say, taught=taught
            )
            if recipe.stages[-1].fit == "network" and set(stage.targets) - {"kappa"} - set(recipe.stages[-1].targets):
                properties = _properties(model, recipe, i, replicas, shared=shared)
        assert model is not None
        checkpoint, metrics = finish(recipe, model, properties, data, replicas, formulas, out, device=device)
        checkpoint.save(out / "model")
        write_json(out / "metrics.json", metrics)
        say(f"finished in {time.monotonic() - started:.0f} s; the model is {out / 'model'}")
        return out / "model"


def completed(recipe: Recipe, start: Model | None) -> Recipe:
    """Fill in what a recipe leaves to the conductivity model that it starts from, if it starts from one.

    Parameters
    ----------
    recipe : Recipe
    start : Model or None
        The networks of that model.

    Returns
    -------
    Recipe
        With the head, the targets and the first stage's `rescale` that will be used.

    Raises
    ------
    RecipeError
        If ``fit: kernel`` is the only stage, and the recipe names another head or other targets than the networks have.
    """
    changes: dict[str, object] = {
        "stages": tuple(
            s.model_copy(update={"rescale": i > 0 or start is None}) if s.rescale is None else s
            for i, s in enumerate(recipe.stages)
        )
    }
    if start is not None:
        as_they_are = recipe.stages[0].fit == "kernel"
        if recipe.encoder is None and start.config.encoder != ModelConfig().encoder:
            changes["encoder"] = start.config.encoder
        if "head" not in recipe.model_fields_set:
            changes["head"] = start.config.head
        if "targets" not in recipe.model_fields_set:
            names = start.config.targets if as_they_are else ("kappa",)
            changes["targets"] = {name: Target(transform=start.transforms[name].kind) for name in names}
    recipe = recipe.model_copy(update=changes)
    if (
        start is not None
        and as_they_are
        and (recipe.head != start.config.head or _shared(recipe, start) != [*recipe.targets])
    ):
        raise RecipeError(
            f"stage {recipe.stages[0].name}: fit: kernel uses the networks of {recipe.initial} unchanged; "
            "remove head and targets from the recipe"
        )
    return recipe


def begin_stage(
    model: Model | None, recipe: Recipe, index: int, replicas: Replicas, mirror: str | Path | None
) -> tuple[Model, np.ndarray, bool]:
    """Networks that a stage starts from, the rows that each trains on, and whether all folds share them.

    Parameters
    ----------
    model : Model or None
        As the stage before left them; None before the first.
    recipe : Recipe
    index : int
        Number of the stage.
    replicas : Replicas
    mirror : str or Path, optional
    """
    # folds that have seen the same rows so far have the same networks
    shared = all((mask == mask[0]).all() for mask in replicas.training[: index + 1])
    fold = np.full(recipe.members, -1) if shared else replicas.fold
    if model is None:
        model = initial_model(recipe, fold, mirror)
    elif not shared:
        model = of_every_fold(model, replicas)
    return model, replicas.training[index][np.maximum(fold, 0)], shared


def of_every_fold(model: Model, replicas: Replicas) -> Model:
    """Networks for each fold: those that folds share so far, once for each."""
    if model.config.members == len(replicas.fold):
        return model
    return model.select(np.tile(np.arange(model.config.members), replicas.folds).tolist())


def first_of_each_fold(model: Model, replicas: Replicas, index: int) -> tuple[Model, Replicas, np.ndarray]:
    """The first network of each fold, the folds of one network each, and the rows that each trains on in a stage."""
    first = [int(np.flatnonzero(replicas.fold == f)[0]) for f in range(replicas.folds)]
    model = of_every_fold(model, replicas).select(first)
    return model, replace(replicas, fold=np.arange(replicas.folds)), replicas.training[index]


def lesson(
    model: Model, replicas: Replicas, index: int, stage: Stage, part: StageSet, device: str
) -> dict[str, np.ndarray]:
    """What the networks of each fold say together about the targets of a stage, each of shape (folds, rows).

    Means are taken where the networks are trained: of log10 kappa rather than of kappa. Of `stage.kernels`, Gaussian
    processes on the networks predict, from the values that each fold may see.
    """
    where = place(device)
    values, vectors = apply(model.to(where).eval(), part.graphs, where)
    model.to("cpu")
    if stage.kernels:
        described, log_kappa = part.graphs.descriptors, np.log10(values["kappa"])
        assert described is not None
        seen, of = replicas.training[index][replicas.fold], blocks(environment=model.config.head.environment)
        for name in stage.kernels:
            with np.errstate(invalid="ignore", divide="ignore"):
                log_true = np.log10(part.dataset.targets[name])
            kernel = KernelHead.fit(log_kappa, vectors, described, log_true, seen, of)
            values[name] = 10.0 ** kernel.log_kappa(log_kappa, vectors, described)
    found = {}
    for name in set(stage.targets) & values.keys():
        plain = model.transforms[name].model_copy(update={"shift": (0.0,), "scale": (1.0,)})
        space = plain.forward(values[name])
        found[name] = plain.inverse(torch.stack([space[replicas.fold == f].mean(dim=0) for f in range(replicas.folds)]))
    return found


def initial_model(recipe: Recipe, fold: np.ndarray, mirror: str | Path | None) -> Model:
    """Networks before the first stage: drawn at random, then replaced by what `initial` has of them.

    That is the encoder and, from networks with an equal head and common targets, the head with the outputs and the
    transforms of these. Replica r takes network r, modulo their number.

    Each replica is drawn from a seed made of the recipe's seed, its fold and its number within the fold,
    so that one network can be repeated alone.
    """
    encoder = {} if recipe.encoder is None else {"encoder": recipe.encoder}
    config = ModelConfig(members=len(fold), head=recipe.head, targets=tuple(recipe.targets), **encoder)
    model = Model(config)
    state = model.state_dict()
    single = config.model_copy(update={"members": 1})
    seen: dict[int, int] = {}
    for r, f in enumerate(fold.tolist()):
        number = seen[f] = seen.get(f, -1) + 1
        torch.manual_seed(_seed(recipe.seed, "initial", f, number))
        for name, tensor in Model(single).state_dict().items():
            state[name][r] = tensor[0]
    start, _ = _start(recipe, mirror)
    if start is not None:
        if type(start.config.encoder) is not type(config.encoder):
            raise RecipeError(f"{recipe.initial}: its encoder differs from that of the recipe")
        common = _shared(recipe, start) if start.config.head == recipe.head else []
        networks = [r % start.config.members for r in range(len(fold))]
        source = start.select(networks, tuple(common) or None)
        columns = [config.targets.index(name) for name in common]
        last = f"head.layers.{len(model.head.layers) - 1}."
        for name, tensor in source.state_dict().items():
            if name.startswith(last) and common:
                state[name][:, :, columns] = tensor
            elif name.startswith("encoder.") or common:
                if state[name].shape != tensor.shape:
                    raise RecipeError(f"{recipe.initial}: {name} does not have the shape that this recipe needs")
                state[name].copy_(tensor)
        model.transforms = {name: source.transforms[name] for name in common}
    model.load_state_dict(state)
    return model


def _shared(recipe: Recipe, start: Model) -> list[str]:
    """Targets that the recipe and the networks it starts from have in common, transformed alike."""
    kinds = {name: transform.kind for name, transform in start.transforms.items() if name in start.config.targets}
    return [name for name, target in recipe.targets.items() if kinds.get(name) == target.transform]


def _start(recipe: Recipe, mirror: str | Path | None) -> tuple[Model | None, set[str]]:
    """Networks that `initial` names, and the formulas they were trained on if they are of conductivity."""
    if recipe.initial == "none":
        return None, set()
    entry = registry().get(recipe.initial.lower())
    if entry is not None and entry.kind == "potential":
        raise RecipeError(f"initial: {recipe.initial} is a potential; start from {DEFAULT}, {ENCODER} or none")
    try:
        folder = locate(recipe.initial, mirror)
    except ModelError as error:
        raise ModelError(f"initial: {error}") from None
    if not recipe.from_conductivity:
        return registry()[recipe.initial.lower()].load(folder), set()
    checkpoint = Checkpoint.load(folder)
    return checkpoint.kappa, set(checkpoint.card.formula_fold)


def digest(start: Model | None) -> str:
    """Sha256 of the networks that a run starts from, transforms included; empty without any."""
    if start is None:
        return ""
    content = hashlib.sha256()
    for name, tensor in sorted(start.state_dict().items()):
        content.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    content.update(repr(sorted(start.transforms.items())).encode())
    return content.hexdigest()


def start_digest(recipe: Recipe, mirror: str | Path | None) -> str:
    """Sha256 of what `initial` names."""
    return digest(_start(recipe, mirror)[0])


def _refuse_missing_data(recipe: Recipe) -> None:
    """Look for every folder before the first is read."""
    for stage in recipe.stages:
        for name in stage.datasets:
            path = Path(name).expanduser()
            if find(name) is None and not path.exists():
                raise RecipeError(
                    f"stage {stage.name}: dataset {name} is neither a known dataset (paraisite data list) nor a "
                    f"folder: there is no {path.absolute()} (a relative path starts from the current directory)"
                )


def saved_split_of(recipe: Recipe) -> SavedSplit | None:
    """Read the split that the recipe names by its file, if it does."""
    if recipe.split.file is None:
        return None
    path = Path(recipe.split.file).expanduser()
    if not path.is_file():
        raise RecipeError(
            f"split: there is no {path.absolute()} (a relative path starts from the current directory); "
            "make it with paraisite data split"
        )
    return read_split(path)


def plan_folds(recipe: Recipe, data: list[StageSet], saved: SavedSplit | None) -> Replicas:
    """Draw the folds, and make sure that enough rows are held out to calibrate an interval on."""
    last = data[-1].dataset
    doubted = data[-1].flagged & recipe.stages[-1].omit_flagged
    known = np.isfinite(last.kappa) & ~doubted
    rows, folds = int(known.sum()), recipe.split.folds
    what = f"{counted(rows, 'crystal')} with kappa" + (" that is not flagged" if doubted.any() else "")
    few = f"{last.name} has {what}; {folds} folds need at least {{}}"
    needed = _needed(folds)
    if recipe.split.kind == "kfold" and rows < needed:
        more = next((n for n in range(folds, rows + 1) if _needed(n) <= rows), None)
        remedy = f"use split.folds={more}" if more else f"any number of folds needs at least {MIN_ROWS + 1}"
        raise RecipeError(f"{few.format(needed)}; {remedy}")
    try:
        splits = None if saved is None else _of_kept_rows(saved, data[-1])
        replicas = plan(recipe.split, recipe.members, [d.dataset for d in data], splits)
    except DatasetError as error:
        raise RecipeError(f"split: {recipe.split.file}: {error}") from None
    except ValueError as error:
        raise RecipeError(f"split: {error}") from None
    replicas = replace(replicas, training=masks_without_flagged(recipe, data, replicas.training))
    held = np.zeros((replicas.folds, len(last)), dtype=bool)
    for f, split in enumerate(replicas.splits):
        held[f, split.validation] = known[split.validation]
    # each fold is scored with an interval from rows of the others; a single one from its other half
    calibrating = min(int((held & ~own).sum()) or int(own.sum()) // 2 for own in held)
    if calibrating >= MIN_ROWS:
        return replicas
    if recipe.split.kind == "kfold":  # large groups of equal formula
        raise RecipeError(few.format(MIN_ROWS + int(held.sum(axis=1).max())))
    remedy = {"saved": "another split"}.get(recipe.split.kind, "kind: kfold, a larger fraction")
    raise RecipeError(
        f"split: of {last.name} only {calibrating} held-out rows are left to calibrate an interval on; "
        f"at least {MIN_ROWS}: use {remedy}, or more data"
    )


def _needed(folds: int) -> int:
    """Rows of which, without the largest fold, `MIN_ROWS` stay."""
    return -(-MIN_ROWS * folds // (folds - 1))


def _of_kept_rows(saved: SavedSplit, part: StageSet) -> list[Split]:
    """The folds of the file in the rows that have a graph."""
    number = np.full(len(part.loaded), -1)
    number[part.kept] = np.arange(len(part.kept))
    splits = [Split(*(number[rows][number[rows] >= 0] for rows in split)) for split in saved.of(part.loaded)]
    known = np.isfinite(part.dataset.kappa)
    for fold, split in zip(saved.folds, splits, strict=True):
        if not known[split.train].any() or not known[split.validation].any():
            raise ValueError(f"fold {fold.name} of {saved.name} has no usable crystal with kappa on one of its sides")
    return splits


def train_stage(
    model: Model,
    recipe: Recipe,
    index: int,
    part: StageSet,
    mask: np.ndarray,
    out: Path,
    *,
    device: str,
    loggers: tuple[str, ...],
    say: Callable[[str], None],
    callbacks: Sequence[Callback] = (),
    taught: dict[str, np.ndarray] | None = None,
) -> Model:
    """Train one stage, or load it where it is done already.

    Parameters
    ----------
    model : Model
        Networks to start from; trained in place.
    recipe : Recipe
    index : int
        Number of the stage.
    part : StageSet
    mask : numpy.ndarray, shape (members, rows), bool
        Rows each member trains on.
    out : Path
        Folder of the run.
    device, loggers, say
        As in `run`.
    callbacks : sequence of lightning Callback
        Called besides our own while the stage trains.
    taught : dict of str to numpy.ndarray, shape (members, rows), optional
        Values of targets where the data have none.
    """
    stage = recipe.stages[index]
    values = {name: usable(part.dataset, name, recipe) for name in stage.targets}
    model.transforms = {
        name: TargetTransform.fit(target.transform, values[name], mask)
        if name in stage.targets and (stage.rescale is not False or name not in model.transforms)
        else model.transforms.get(name, TargetTransform(shift=(0.0,) * len(mask), scale=(1.0,) * len(mask)))
        for name, target in recipe.targets.items()
    }
    assert part.graphs.descriptors is not None
    model.fit_descriptors(part.graphs.descriptors, mask)
    done = _done(out, index, stage)
    if done.is_file():
        model.load_state_dict(load_file(done), strict=True)
        say(f"stage {stage.name}: already done, read from {done.name}")
        return model

    target, weight = _targets(model, recipe, stage, values, mask, taught or {})
    seed = _seed(recipe.seed, stage.name)
    batches = StageData(part.graphs, target, weight, stage.batch, seed)
    module = StageModule(model, stage, batches.steps * stage.epochs, seed)
    state = out / f"stage-{index}-{stage.name}"
    saver = ModelCheckpoint(
        dirpath=state,
        filename="state",
        every_n_epochs=max(1, stage.epochs // SAVES),
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    callbacks = [*callbacks, saver, progress_callback(stage.name, say)]
    before = state / "state.ckpt"
    fit(
        module,
        batches,
        stage.epochs,
        callbacks,
        device=device,
        state=before if before.is_file() else None,
        precision=recipe.precision,
        logger=_loggers(loggers, out, stage.name),
        log_every_n_steps=batches.steps,
    )
    model.to("cpu").requires_grad_(True)
    with replacing(done) as aside:
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, aside)
    before.unlink(missing_ok=True)
    return model


def _done(out: Path, index: int, stage: Stage) -> Path:
    """The weights after a stage."""
    return out / f"stage-{index}-{stage.name}.safetensors"


def _targets(
    model: Model,
    recipe: Recipe,
    stage: Stage,
    values: dict[str, np.ndarray],
    mask: np.ndarray,
    taught: dict[str, np.ndarray],
) -> tuple[Tensor, Tensor]:
    """Transformed targets and weights, (members, rows, targets); weight 0 where unknown or not to be seen."""
    shape = (*mask.shape, len(recipe.targets))
    target, weight = torch.zeros(shape), torch.zeros(shape)
    for t, name in enumerate(recipe.targets):
        if name in stage.targets:
            known = values[name]
            if name in taught:
                known = np.where(np.isfinite(known), known, taught[name])
            transformed = model.transforms[name].forward(known)
            usable = torch.isfinite(transformed) & torch.as_tensor(mask)
            target[:, :, t] = torch.where(usable, transformed, 0.0)
            weight[:, :, t] = usable * recipe.targets[name].weight
    return target, weight


def _properties(model: Model, recipe: Recipe, index: int, replicas: Replicas, *, shared: bool) -> Model:
    """One network of each fold as it is after a stage, for the auxiliary targets that the last one does not train."""
    members = [0] if shared else [int(np.flatnonzero(replicas.fold == f)[0]) for f in range(replicas.folds)]
    later = {"kappa", *recipe.stages[-1].targets}
    return model.select(members, tuple(t for t in recipe.stages[index].targets if t not in later))


def _refuse_another_run(out: Path, recipe: Recipe) -> None:
    path = out / "recipe.yml"
    if _begun(out) and not path.is_file():
        raise RecipeError(f"{out} holds a model or stages without {path.name}; give another --output")
    if _begun(out) and path.is_file() and _read_recipe(path) != recipe:
        raise RecipeError(f"{out} holds a run of another recipe ({path}); give another --output or remove that folder")


def _begun(out: Path) -> bool:
    """Whether a folder holds more than a run that stopped before its first training; a kernel alone trains nothing."""
    return any(out.glob("stage-*")) or (out / "model").exists()


def _claim(out: Path, recipe: Recipe, data: list[StageSet], replicas: Replicas, begun_from: str) -> None:
    """Mark the folder as that of this run; refuse to resume from weights that were trained on other rows."""
    mark = out / "data.json"
    made_from = {
        "start": begun_from,
        "data": [[stage.reads, d.hash] for stage, d in zip(recipe.stages, data, strict=True)],
        "split": split_hash(replicas.splits),
    }
    now = json.dumps(made_from, indent=1)
    if _begun(out) and mark.is_file() and mark.read_text(encoding="utf-8") != now:
        raise RecipeError(
            f"{out} holds a run on other data, on another split, or from another version of {recipe.initial}; give "
            "another --output or remove that folder"
        )
    out.mkdir(parents=True, exist_ok=True)
    write_text(mark, now)
    write_text(out / "recipe.yml", yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False))


def _read_recipe(path: Path) -> Recipe | None:
    """The recipe of a run; one that an older version wrote lacks settings that have come since."""
    try:
        return Recipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError):
        return None


def _loggers(names: tuple[str, ...], out: Path, stage: str) -> list[pl.loggers.Logger]:
    made: list[pl.loggers.Logger] = []
    for name in names:
        try:
            if name == "csv":
                made.append(pl.loggers.CSVLogger(out, name="logs", version=stage))
            elif name == "tensorboard":
                made.append(pl.loggers.TensorBoardLogger(out, name="tensorboard", version=stage))
            elif name == "mlflow":
                store = str(out / "mlflow")
                made.append(pl.loggers.MLFlowLogger(experiment_name=out.name, run_name=stage, save_dir=store))
            else:
                raise RecipeError(f"--logger {name}: choose csv, tensorboard or mlflow")
        except ModuleNotFoundError as error:
            raise RecipeError(f"--logger {name}: {error}; install it first: pip install {name}") from None
    return made


def _seed(*parts: object) -> int:
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:4], "little") >> 1
