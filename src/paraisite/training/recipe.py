"""`Recipe`: a whole training, from the initial weights through its `Stage`s to the split it is scored on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from paraisite.files.settings import read_mapping
from paraisite.graphs import CUTOFF
from paraisite.model.encoders import AnyEncoderConfig
from paraisite.model.model import HeadConfig
from paraisite.model.registry import registry
from paraisite.targets import Transform, transform


class RecipeError(ValueError):
    """A recipe is not usable; the message names the file, the key and what is allowed."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _as_file_name(name: str) -> str:
    if not re.fullmatch(r"[^\W_][\w.+ -]{0,99}", name) or name.endswith((" ", ".")):
        raise ValueError(
            f"{name!r} names files too: use letters, digits and . _ + - only, 100 at most, a letter or digit first"
        )
    return name


Name = Annotated[str, AfterValidator(_as_file_name)]
"""A name that folders and files get, which it must not lead out of."""


class Target(_Strict):
    """How one target is trained: its transform, standardised on the training rows, and its weight in the loss.

    In a recipe, the transform is by default that of `paraisite.targets`.
    """

    transform: Transform = "log10"
    weight: float = Field(default=1.0, gt=0.0)


class Stage(_Strict):
    """One training on one dataset.

    Attributes
    ----------
    name : str
    dataset : str or tuple of str
        Name of a dataset, or a folder (a relative path starts from the current directory). Several are joined: rows of
        equal id and formula become one (`paraisite.datasets.join`).
    rename : dict of str to dict of str to str
        For a dataset, new names of some of its targets: values of one quantity by two methods are two targets.
    omit_flagged : bool
        Whether rows that their dataset doubts (label `flags`) are left out of the training; they stay in the scores.
    targets : tuple of str
        Targets of the recipe that this dataset has values of.
    fit : {"network", "kernel"}
        ``network``: train all weights. ``kernel``: leave the networks as they are, those of the stage before or, in the
        only stage, those of the recipe's `initial`, and fit a `KernelHead` on top of them, from what they say about
        kappa (last stage only; what follows is of no effect).
    distil : bool
        Whether one network of each fold learns from all of them (last stage only): what is unknown of a row the fold
        may see is taken from the mean of the fold's networks, as the stage before left them (G. Hinton, O. Vinyals and
        J. Dean, arXiv:1503.02531). With crystals that have no values, this passes most of the gain of an ensemble on
        to a single network.
    kernels : tuple of str
        Targets of few values (with ``distil``) for which the mean is that of a `KernelHead` of each network, from what
        the network says about kappa, rather than of the network's own outputs.
    epochs, batch : int
        Passes over the data; crystals in a step.
    learning_rate : float
        Peak rate of AdamW.
    rates : dict of str to float
        Factor on the learning rate of every parameter whose name starts with the key (the longest key wins):
        ``encoder``, ``encoder.embedding``, ``encoder.blocks.0``, ``head``, ...
    freeze : tuple of str
        Parameters whose name starts with one of these do not change.
    schedule : {"onecycle", "cosine", "constant"}
        ``onecycle``: up during the first tenth, then cosine to nothing (L. N. Smith and N. Topin, arXiv:1708.07120).
    weight_decay : float
        Decoupled, of AdamW (I. Loshchilov and F. Hutter, arXiv:1711.05101).
    loss : {"l1", "l2", "huber", "ape"}
        On standardised targets; ``huber`` turns linear at 0.3. ``ape`` is the absolute percentage error of every target
        with a logarithmic transform (what the study trains with), and ``l1`` of the others.
    rescale : bool, optional
        Whether to refit the target scaler on this stage's training rows, rather than keep the one before. If not
        said: yes, but in the first stage of a recipe whose `initial` has a scaler for the target.
    """

    name: Name
    dataset: str | tuple[str, ...]
    rename: dict[str, dict[str, str]] = Field(default_factory=dict)
    omit_flagged: bool = False
    targets: tuple[str, ...] = ("kappa",)
    fit: Literal["network", "kernel"] = "network"
    distil: bool = False
    kernels: tuple[str, ...] = ()
    epochs: int = Field(default=100, ge=1)
    batch: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0.0)
    rates: dict[str, float] = Field(default_factory=dict)
    freeze: tuple[str, ...] = ()
    schedule: Literal["onecycle", "cosine", "constant"] = "onecycle"
    weight_decay: float = Field(default=0.0, ge=0.0)
    loss: Literal["l1", "l2", "huber", "ape"] = "l1"
    rescale: bool | None = None

    @property
    def datasets(self) -> tuple[str, ...]:
        """Every dataset of the stage."""
        return (self.dataset,) if isinstance(self.dataset, str) else self.dataset

    @property
    def reads(self) -> str:
        """What tells the data of this stage from those of others, and a person what they are."""
        renamed = (f" ({name}: {old} as {new})" for name, pairs in self.rename.items() for old, new in pairs.items())
        return " + ".join(self.datasets) + "".join(renamed)

    @model_validator(mode="after")
    def _renames_own(self) -> Stage:
        if not self.datasets:
            raise ValueError(f"stage {self.name}: no dataset is named")
        unknown = set(self.rename) - set(self.datasets)
        if unknown:
            raise ValueError(f"stage {self.name}: rename: {sorted(unknown)[0]} is not among its datasets")
        return self


class SplitConfig(_Strict):
    """What is held out, and where.

    Attributes
    ----------
    kind : {"kfold", "paper", "holdout", "saved"}
        ``kfold``: each row is held out once. ``paper``: the study's splits. ``holdout``: one random
        part. ``saved``: the folds in `file`.
    file : str, optional
        A split of the last stage's dataset as ``paraisite data split`` writes it (a relative path starts from the
        current directory).
    folds : int
    runs : tuple of int
        Seeds of the study's splits.
    fraction : float
        Held-out part for ``holdout``.
    group : {"formula", "row"}
        Whether compounds of equal formula stay together (``kfold`` only).
    earlier : {"all", "no_overlap", "grouped"}
        Rows of earlier stages a fold may train on: ``all`` of them; none that shares a formula with the fold
        (``no_overlap``, what ``saved`` means if it is not said); or, stricter, folds are folds of the formulas of all
        stages together, so that every row of every stage is held out once (``grouped``, ``kfold`` by formula only).
    seed : int
    """

    kind: Literal["kfold", "paper", "holdout", "saved"] = "kfold"
    file: str | None = None
    folds: int = Field(default=5, ge=2)
    runs: tuple[int, ...] = tuple(range(1, 10))
    fraction: float = Field(default=0.1, gt=0.0, lt=1.0)
    group: Literal["formula", "row"] = "formula"
    earlier: Literal["all", "no_overlap", "grouped"] = "grouped"
    seed: int = 1

    @model_validator(mode="before")
    @classmethod
    def _earlier_of_saved(cls, content: Any) -> Any:
        if isinstance(content, Mapping) and content.get("kind") == "saved":
            return {"earlier": "no_overlap", **content}
        return content

    @model_validator(mode="after")
    def _consistent(self) -> SplitConfig:
        if (self.kind == "saved") != (self.file is not None):
            raise ValueError("give both kind: saved and file: path/to/splits/NAME.json, or neither")
        if self.earlier == "grouped" and (self.kind != "kfold" or self.group != "formula"):
            raise ValueError("earlier: grouped needs kind: kfold and group: formula; use no_overlap or all")
        return self


class Recipe(_Strict):
    """A training that ends with a checkpoint.

    What it leaves out it takes from a conductivity model that it starts from: the head's configuration, with the head's
    weights and scalers of the targets that both have. Two short ones, for many own values and for few:

    .. code-block:: yaml

        name: mine
        initial: kappa
        stages: [{name: mine, dataset: my_dataset/, epochs: 50}]

    .. code-block:: yaml

        name: mine-few
        initial: kappa
        members: 3
        stages: [{name: mine, dataset: my_dataset/, fit: kernel}]

    Attributes
    ----------
    name, description : str
    initial : str
        Weights to start from: the name of a model in the registry, a checkpoint folder (a relative path starts from
        the current directory), or ``none``. A conductivity model gives its head too, if this recipe names no other,
        but not its Gaussian processes.
    head : HeadConfig
        If not given: that of the conductivity model it starts from, else the default.
    targets : dict of str to Target
        ``kappa`` first. If not given: kappa, with the transform of the conductivity model it starts from; all targets
        of that model where ``fit: kernel`` is the only stage.
    members : int
        Networks for each fold; they differ in the initial head, or are different networks of `initial`.
    split : SplitConfig
    stages : tuple of Stage
    seed : int
    precision : str
        As Lightning's trainer takes it.
    encoder : EncoderConfig or None
        Name of an encoder (`paraisite.model.encoders`), or its ``kind`` and what differs from its defaults.
        If not given: that of the conductivity model it starts from, else MEGNet.
    """

    name: Name
    description: str = ""
    initial: str = "none"
    head: HeadConfig = HeadConfig()
    targets: dict[str, Target] = Field(default_factory=lambda: {"kappa": Target()})
    members: int = Field(default=1, ge=1)
    split: SplitConfig = SplitConfig()
    stages: tuple[Stage, ...] = Field(min_length=1)
    seed: int = 1
    precision: Literal["32-true", "64-true", "bf16-mixed"] = "32-true"
    encoder: AnyEncoderConfig | None = None

    @model_serializer(mode="wrap")
    def _without_encoder(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = handler(self)
        if self.encoder is None:  # as recipes were before there was a choice
            content.pop("encoder", None)
        return content

    @property
    def cutoff(self) -> float:
        """Of the graphs, in Å."""
        return CUTOFF if self.encoder is None else self.encoder.cutoff

    @field_validator("targets", mode="before")
    @classmethod
    def _usual_transforms(cls, targets: Any) -> Any:
        if not isinstance(targets, dict):
            return targets
        return {k: {"transform": transform(str(k)), **v} if isinstance(v, dict) else v for k, v in targets.items()}

    @field_validator("targets")
    @classmethod
    def _kappa_first(cls, targets: dict[str, Target]) -> dict[str, Target]:
        if "kappa" not in targets:
            raise ValueError("kappa is missing from the targets")
        return {"kappa": targets["kappa"], **targets}

    @model_validator(mode="after")
    def _targets_known(self) -> Recipe:
        for stage in self.stages:
            unknown = set(stage.targets) - set(self.targets)
            if unknown:
                raise ValueError(f"stage {stage.name}: targets {sorted(unknown)} are not among the recipe's targets")
        if "kappa" not in self.stages[-1].targets:
            raise ValueError(f"the last stage, {self.stages[-1].name}, must train kappa")
        return self

    @model_validator(mode="after")
    def _distil_last(self) -> Recipe:
        for i, stage in enumerate(self.stages):
            if stage.distil and (i == 0 or i < len(self.stages) - 1 or stage.fit == "kernel"):
                raise ValueError(f"stage {stage.name}: distil: true is for the last of several stages that train")
            before = set(self.stages[i - 1].targets) & set(stage.targets) if stage.distil else set()
            for name in stage.kernels:
                if name == "kappa" or not {name, "kappa"} <= before or self.targets[name].transform != "log10":
                    raise ValueError(
                        f"stage {stage.name}: kernels: {name} must be a target other than kappa, with transform: "
                        "log10, that this stage and the previous one train together with kappa, and distil must be true"
                    )
        return self

    @model_validator(mode="after")
    def _kernel_on_networks(self) -> Recipe:
        for i, stage in enumerate(self.stages):
            if stage.fit != "kernel":
                continue
            if i < len(self.stages) - 1:
                raise ValueError(f"stage {stage.name}: fit: kernel is for the last stage")
            if stage.targets != ("kappa",):
                raise ValueError(f"stage {stage.name}: fit: kernel is for kappa only; leave out its targets")
            if i == 0 and not self.from_conductivity:
                raise ValueError(
                    f"stage {stage.name}: fit: kernel needs networks trained on kappa; set initial: kappa or "
                    "another conductivity model, or add a stage before it"
                )
            if i > 0 and "kappa" not in self.stages[i - 1].targets:
                raise ValueError(f"stage {stage.name}: fit: kernel needs kappa among the targets of the previous stage")
        return self

    @property
    def from_conductivity(self) -> bool:
        """Whether `initial` is meant to be a model of conductivity, rather than an encoder or nothing."""
        entry = registry().get(self.initial.lower())
        return self.initial != "none" and (entry is None or entry.kind == "checkpoint")


def shipped_recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(p.name.removesuffix(".yml") for p in _FOLDER.iterdir() if p.name.endswith(".yml"))


def load_recipe(name: str | Path, settings: list[str] | None = None) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    name : str or Path
        A YAML file, or the name of a shipped recipe.
    settings : list of str, optional
        Changes as ``key=value``; a dot goes down, a number picks a stage: ``stages.0.epochs=10``. Values are YAML.

    Raises
    ------
    RecipeError
        If there is no such recipe or it is not valid.
    """
    path = Path(name)
    if not (own := path.is_file()) and str(name) not in shipped_recipes():
        raise RecipeError(f"{name}: neither a file nor a shipped recipe ({', '.join(shipped_recipes())})")
    content = read_mapping(path if own else _FOLDER / f"{name}.yml", Recipe.model_fields, RecipeError, name)
    for setting in settings or []:
        assign(content, setting)
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        lines = [f"  {line}" for line in _mistakes(error)]
        raise RecipeError(f"{name}: not a valid recipe\n" + "\n".join(lines)) from None


def _mistakes(error: ValidationError) -> list[str]:
    """Each mistake with its place, without those that are but consequences of others."""
    errors = error.errors()
    lines = []
    for e in errors:
        place = e["loc"]
        # a list whose only item is wrong is empty to pydantic
        if e["type"] == "too_short" and any(o["loc"][: len(place)] == place for o in errors if o is not e):
            continue
        says = e["msg"]
        if e["type"] == "value_error":
            says = str(e["ctx"]["error"])
        elif e["type"] == "extra_forbidden":
            says = _unknown_key(place)
        lines.append(f"{'.'.join(map(str, place)) or 'recipe'}: {says}")
    return lines


def _unknown_key(place: tuple[int | str, ...]) -> str:
    if place[0] == "encoder" and len(place) > 1:  # its keys are those of its kind
        return "unknown key of this encoder"
    keys = list((_SECTIONS[place[0]] if len(place) > 1 else Recipe).model_fields)
    near = get_close_matches(str(place[-1]), keys, n=1)
    return "unknown key" + (f", did you mean {near[0]}?" if near else f"; the keys are {', '.join(keys)}")


def assign(content: Any, setting: str) -> None:
    """Change one key of nested settings in place, as ``key=value`` says (see `load_recipe`)."""
    key, equals, value = setting.partition("=")
    if not equals:
        raise RecipeError(f"--set {setting}: expected key=value, such as stages.0.epochs=10")
    *parents, last = key.split(".")
    where = content
    try:
        for part in parents:
            where = where[int(part)] if isinstance(where, list) else where.setdefault(part, {})
        if isinstance(where, list):
            where[int(last)] = yaml.safe_load(value)
        else:
            where[last] = yaml.safe_load(value)
    except (IndexError, ValueError, TypeError, AttributeError, yaml.YAMLError):
        raise RecipeError(f"--set {setting}: this recipe has no {key}") from None


_FOLDER = files("paraisite.training") / "recipes"
_SECTIONS: dict[int | str, type[BaseModel]] = {
    "head": HeadConfig,
    "targets": Target,
    "split": SplitConfig,
    "stages": Stage,
}
