"""`Settings`: how the study's networks are trained, from `settings.yml` and the user's changes to it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from paraisite.files.settings import read_mapping
from paraisite.model.model import HeadConfig
from paraisite.study.plan import AGL, Training
from paraisite.training.recipe import Recipe, RecipeError, Stage, Target, assign


class ScoreEvery(BaseModel):
    """Epochs between two looks at the scored fold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agl: int = Field(default=1, ge=1)
    small: int = Field(default=1, ge=1)


class Settings(BaseModel):
    """Everything that the trainings of a study share.

    Attributes
    ----------
    seed, members, head, targets
        As in a `Recipe`; `members` networks for each run.
    initial : str
        Weights of steps II and III.
    agl, small : dict
        Keys of a `Stage` for AGL values, and for the small datasets; the latter train kappa only.
    score_every : ScoreEvery
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 1
    members: int = Field(default=1, ge=1)
    head: HeadConfig = HeadConfig()
    initial: str = "megnet-mp-2018.6.1-eform"
    targets: dict[str, Target]
    agl: dict[str, Any]
    small: dict[str, Any]
    score_every: ScoreEvery = ScoreEvery()

    def recipe(self, training: Training) -> Recipe:
        """The recipe of one training; its networks start from `initial`, or from those of `training.start`."""
        agl = training.trained_on == AGL
        stage = {"name": training.trained_on, "dataset": training.trained_on} | (self.agl if agl else self.small)
        if agl and "targets" not in self.agl:
            stage["targets"] = tuple(self.targets)
        return Recipe(
            name=training.name,
            initial="none" if training.step == "I" else self.initial,
            head=self.head,
            targets=self.targets,
            members=self.members,
            split={"kind": "paper", "earlier": "all"},
            stages=(Stage.model_validate(stage),),
            seed=self.seed,
        )

    def score_epochs(self, training: Training) -> int:
        """Epochs between two scores of the training's fold."""
        return self.score_every.agl if training.trained_on == AGL else self.score_every.small


def load_settings(path: Path | None = None, changes: list[str] | None = None) -> Settings:
    """Read the shipped settings, or those of a file, with changes of the form ``small.epochs=50``.

    Raises
    ------
    RecipeError
        If the file or a change is not usable.
    """
    content = read_mapping(path or _SHIPPED, Settings.model_fields, RecipeError)
    for change in changes or []:
        assign(content, change)
    try:
        settings = Settings.model_validate(content)
        for dataset in (AGL, "l96"):
            settings.recipe(Training("I", dataset))
    except ValidationError as error:
        lines = [f"  {'.'.join(str(p) for p in e['loc']) or 'settings'}: {e['msg']}" for e in error.errors()]
        raise RecipeError(f"{path or 'settings'}: not valid\n" + "\n".join(lines)) from None
    return settings


_SHIPPED = files("paraisite.study") / "settings.yml"
