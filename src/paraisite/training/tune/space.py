"""`Space`: which keys of a recipe a search may change, and over which values."""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from paraisite.files.settings import read_mapping
from paraisite.training.recipe import Recipe, RecipeError, assign

if TYPE_CHECKING:
    from optuna import Trial

Scalar = str | int | float | bool | None

WIDTH, DEPTH, LAST, AUXILIARY = "head.width", "head.depth", "stages.last.", "targets.*."
"""Keys, and starts of keys, that stand for others (see `space.yml`)."""

NARROWEST = 8
"""Width below which a layer is not halved any more."""


class Range(BaseModel):
    """Numbers from `low` to `high`, both included; whole ones if both are written without a point."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: int | float
    high: int | float
    step: int | float | None = None
    log: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Range:
        if not self.low < self.high:
            raise ValueError(f"low ({self.low}) must be below high ({self.high})")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("log: true needs a low above 0 and no step")
        if self.step is not None and (self.step <= 0 or (self.whole and not isinstance(self.step, int))):
            raise ValueError(f"step ({self.step}) must be above 0, and whole between whole numbers")
        return self

    @property
    def whole(self) -> bool:
        """Whether it holds integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def has(self, value: Any) -> bool:
        """Whether a value is among its numbers."""
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not self.low <= value <= self.high:
            return False
        steps = (value - self.low) / (self.step or 1)
        return (self.step is None and not self.whole) or abs(steps - round(steps)) < 1e-9

    def suggest(self, trial: Trial, key: str) -> int | float:
        """Let a trial choose one."""
        if self.whole:
            return trial.suggest_int(key, int(self.low), int(self.high), step=int(self.step or 1), log=self.log)
        return trial.suggest_float(key, self.low, self.high, step=self.step, log=self.log)


class Choices(tuple[Any, ...]):
    """Some values to choose from; Optuna knows those that are lists by their text."""

    @staticmethod
    def label(value: Any) -> Scalar:
        """What stands for a value in Optuna and in tables."""
        return value if isinstance(value, (str, int, float, bool, type(None))) else json.dumps(value)

    def has(self, value: Any) -> bool:
        """Whether a value is among them."""
        return value in self

    def suggest(self, trial: Trial, key: str) -> Any:
        """Let a trial choose one."""
        labels = [self.label(value) for value in self]
        return self[labels.index(trial.suggest_categorical(key, labels))]


@dataclass(frozen=True, slots=True)
class Space:
    """What may change in one recipe.

    Attributes
    ----------
    recipe : Recipe
        Complete (`paraisite.training.run.completed`).
    keys : dict of str to Range or Choices
    """

    recipe: Recipe
    keys: dict[str, Range | Choices]

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """Let a trial choose a value for each key."""
        return {key: values.suggest(trial, key) for key, values in self.keys.items()}

    def own(self) -> dict[str, Scalar]:
        """The recipe's own values, as a trial would name them, of the keys whose values have them."""
        content = self.recipe.model_dump(mode="json")
        found = {key: _look_up(content, key) for key in self.keys}
        return {key: Choices.label(value) for key, value in found.items() if self.keys[key].has(value)}

    def changed(self, values: Mapping[str, Any]) -> Recipe:
        """The recipe with other values.

        Raises
        ------
        RecipeError
            If it does not allow them.
        """
        content = copy.deepcopy(self.recipe.model_dump(mode="json"))
        shape = {key: values[key] for key in (WIDTH, DEPTH) if key in values}
        if shape:
            hidden = self.recipe.head.hidden
            width = shape.get(WIDTH, hidden[0] if hidden else NARROWEST)
            content["head"]["hidden"] = [max(width >> i, NARROWEST) for i in range(shape.get(DEPTH, len(hidden)))]
        for key, value in values.items():
            if key not in shape:
                for place in _places(content, key):
                    assign(content, f"{place}={json.dumps(value)}")
        return validated(content, "tune: " + ", ".join(f"{key} = {value}" for key, value in values.items()))

    def dump(self) -> dict[str, Any]:
        """As `space.yml` would have it."""
        return {
            key: list(values) if isinstance(values, Choices) else values.model_dump(exclude_defaults=True)
            for key, values in self.keys.items()
        }


def load_space(recipe: Recipe, path: Path | None = None, fixed: Collection[str] = ()) -> tuple[Space, list[str]]:
    """Read a space, and leave out what a recipe cannot change.

    Parameters
    ----------
    recipe : Recipe
        Complete.
    path : Path, optional
        A YAML file as `space.yml`, the default.
    fixed : collection of str
        Keys that the user has set, such as ``stages.0.epochs``.

    Returns
    -------
    Space
    left_out : list of str
        Keys that are not searched, with the reason.

    Raises
    ------
    RecipeError
        If the file is not usable for this recipe, or nothing is left to search.
    """
    name = str(path or "space.yml")
    found = read_mapping(path or _SHIPPED, (f"those of a recipe, such as {WIDTH}",), RecipeError, name)
    keys = {str(key): _values(name, str(key), values) for key, values in found.items()}
    reasons = {key: _reason(recipe, key, fixed, shipped=path is None) for key in keys}
    space = Space(recipe, {key: values for key, values in keys.items() if reasons[key] is None})
    if not space.keys:
        raise RecipeError(f"{name}: nothing to search in {recipe.name}: " + _listed(reasons))
    content = recipe.model_dump(mode="json")
    for key, values in space.keys.items():  # complains now, rather than in the middle of a search
        try:
            _look_up(content, key)
        except LookupError:
            raise RecipeError(f"{name}: {key}: {recipe.name} has no such key") from None
        for value in values if isinstance(values, Choices) else (values.low, values.high):
            try:
                space.changed({key: value})
            except RecipeError as error:
                raise RecipeError(f"{name}: {key}: {value} is not usable in {recipe.name}; {error}") from None
    return space, [f"{key}: {reason}" for key, reason in reasons.items() if reason is not None]


def validated(content: dict[str, Any], what: str) -> Recipe:
    """Make a recipe of its content.

    Raises
    ------
    RecipeError
        If it is not valid; the message begins with `what`.
    """
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'recipe'}: {e['msg']}" for e in error.errors())
        raise RecipeError(f"{what}: not a valid recipe: {mistakes}") from None


def _values(name: str, key: str, values: Any) -> Range | Choices:
    if isinstance(values, list):
        if len(values) < 2 or len({Choices.label(value) for value in values}) < len(values):
            raise RecipeError(f"{name}: {key}: give at least two choices, all different")
        return Choices(values)
    try:
        return TypeAdapter(Range).validate_python(values)
    except ValidationError as error:
        says = "; ".join(e["msg"] for e in error.errors())
        raise RecipeError(
            f"{name}: {key}: {says}; give a list of choices, or a range such as {{low: 1, high: 3}}"
        ) from None


def _reason(recipe: Recipe, key: str, fixed: Collection[str], *, shipped: bool) -> str | None:
    """Why a key is not searched."""
    networks = [stage for stage in recipe.stages if stage.fit == "network"]
    places = {*_places(recipe.model_dump(mode="json"), key), "head.hidden" if key in (WIDTH, DEPTH) else key}
    if any(place == f or place.startswith(f + ".") for f in fixed for place in places):
        return "set by --set"
    if key.startswith(AUXILIARY) and not any(set(stage.targets) - {"kappa"} for stage in networks):
        return "no stage trains another target than kappa"
    if not networks and key.startswith((LAST, "head.")):
        return "no stage trains weights"
    if shipped and key.startswith("head.") and recipe.from_conductivity:
        return f"the head comes with {recipe.initial}; name the key in --space to draw another"
    return None


def _places(content: dict[str, Any], key: str) -> list[str]:
    """The keys of a recipe that one of a space stands for."""
    if key.startswith(LAST):
        last = max((i for i, stage in enumerate(content["stages"]) if stage["fit"] == "network"), default=0)
        return [f"stages.{last}.{key.removeprefix(LAST)}"]
    if key.startswith(AUXILIARY):
        return [f"targets.{name}.{key.removeprefix(AUXILIARY)}" for name in content["targets"] if name != "kappa"]
    return [key]


def _look_up(content: dict[str, Any], key: str) -> Any:
    """The value of a key, None where its places differ; a LookupError where a place is not one of a recipe."""
    if key in (WIDTH, DEPTH):
        hidden = content["head"]["hidden"]
        made = [max(hidden[0] >> i, NARROWEST) for i in range(len(hidden))] if hidden else None
        return None if hidden != made else hidden[0] if key == WIDTH else len(hidden)
    found = []
    for place in _places(content, key):
        where: Any = content
        for part in place.split("."):
            if isinstance(where, dict) and (part in where or ".rates." in place):
                where = where.get(part, 1.0)  # a rate that is not named is not changed
            elif isinstance(where, list) and part.isdecimal():
                where = where[int(part)]
            else:
                raise LookupError(place)
        found.append(where)
    return found[0] if all(value == found[0] for value in found) else None


def _listed(reasons: Mapping[str, str | None]) -> str:
    return "; ".join(f"{key}: {reason}" for key, reason in reasons.items()) or "it is empty"


_SHIPPED = files("paraisite.training.tune") / "space.yml"
