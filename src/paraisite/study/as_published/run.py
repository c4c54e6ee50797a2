"""`AsPublished`: trains and scores the study as its own code does, quirks and all.

What is not a switch is the study's own too: head, rectifiers, batches, epochs, rates and the nine splits.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from paraisite.datasets import load
from paraisite.files.locking import locked
from paraisite.files.replacing import replacing
from paraisite.model.model import Model
from paraisite.model.targets import TargetTransform
from paraisite.study.as_published.follow import Follow
from paraisite.study.as_published.labels import Labels
from paraisite.study.as_published.module import PublishedModule, as_the_study
from paraisite.study.as_published.variants import STEPS, Variant
from paraisite.study.plan import AGL, Folds, Training
from paraisite.study.run import Say
from paraisite.study.settings import Settings
from paraisite.study.table import fold_scores, write_result
from paraisite.training.data import StageData
from paraisite.training.progress import progress_callback
from paraisite.training.recipe import Recipe, RecipeError
from paraisite.training.run import initial_model
from paraisite.training.stage_data import StageSet
from paraisite.training.trainer import fit
from paraisite.versions import versions

SETTINGS = Path(__file__).with_name("settings.yml")

STUDY_EPOCHS = 300
"""Of the study; with fewer the schedule ends at the same rate."""


class AsPublished:
    """Trains and scores the study as published.

    Parameters
    ----------
    out : Path
        One folder for each variant; in it `run-N.json` and, for AGL trainings of step II, weights.
    settings : Settings
        As `settings.yml` beside this file: one network for each run.
    mirror : str or Path, optional
    device : {"cpu", "cuda", "auto"}

    Raises
    ------
    RecipeError
        If the settings differ from the study: another head, several members, targets besides kappa.
    """

    def __init__(self, out: Path, settings: Settings, *, mirror: str | Path | None = None, device: str = "cpu") -> None:
        if settings.members != 1 or settings.head.attach != "readout" or settings.head.descriptors:
            raise RecipeError("--as-published needs members: 1 and a head with attach: readout and no descriptors")
        if [*settings.targets] != ["kappa"] or settings.targets["kappa"].transform != "log10p1":
            raise RecipeError("--as-published needs kappa as the only target, with transform: log10p1")
        self.out, self.settings, self.mirror, self.device = out, settings, mirror, device
        self._sets: dict[str, StageSet] = {}

    def result(self, variant: Variant, run: int) -> Path:
        """The result file of one run."""
        return self.out / variant.name / f"run-{run}.json"

    def weights(self, variant: Variant, run: int) -> Path:
        """Weights of the best epoch of one run, with its scaler."""
        return self.out / variant.name / f"run-{run}.safetensors"

    def missing(self, variant: Variant, runs: Iterable[int]) -> list[int]:
        """Runs that are still to do."""
        needed = [self.result, self.weights] if variant.starts else [self.result]
        return [run for run in runs if not all(path(variant, run).is_file() for path in needed)]

    def run(self, asked: Sequence[Variant], runs: Sequence[int], say: Say) -> None:
        """Train what is missing, one training after the other, the runs of each side by side."""
        with locked(self.out):
            for variant in asked:
                todo = self.missing(variant, runs)
                if todo:
                    self.train(variant, todo, partial(_say_of, variant.name, say))
                done = f"runs {', '.join(map(str, todo))} done" if todo else "already done"
                say(f"{variant.name}: {done}")

    def train(self, variant: Variant, runs: Sequence[int], say: Say) -> None:
        """Train some runs side by side, and write a result file for each."""
        name, begun = variant.trained_on, time.monotonic()
        part = self._set(name)
        kappa = part.dataset.kappa
        if not np.isfinite(kappa).all():
            raise RecipeError(f"{name}: rows without kappa: {int(np.sum(~np.isfinite(kappa)))}; the study has none")
        folds = Folds({name: part.loaded}, {name: part.kept})
        splits = [folds.split(name, run) for run in runs]
        held = [split.validation for split in splits]
        training = np.zeros((len(runs), len(kappa)), dtype=bool)
        for i, split in enumerate(splits):
            training[i, split.train] = True

        model, scaler = self._model(variant, runs)
        labels = Labels.fit(kappa, part.dataset.part_sizes, training, variant, scaler)
        # outputs are standardised values: what turns them back is not the model's to know
        one, none = (1.0,) * len(runs), (0.0,) * len(runs)
        model.transforms = {"kappa": TargetTransform(kind="identity", shift=none, scale=one)}
        recipe, every = self._recipe(variant)
        stage = recipe.stages[0]
        weight = torch.as_tensor(training)[:, :, None].float()
        target = torch.as_tensor(labels.values, dtype=torch.float32)[:, :, None]
        data = StageData(part.graphs, target, weight, stage.batch, recipe.seed)
        pace = (2 if variant.on("schedule_twice") else 1) * STUDY_EPOCHS / stage.epochs
        module = PublishedModule(model, stage, data.steps * stage.epochs, recipe.seed, labels.back, pace)
        follow = Follow(part.graphs, held, labels, every, keep=variant.starts)
        watching = [follow, progress_callback(name, say)]
        fit(module, data, stage.epochs, watching, device=self.device, logger=False, enable_checkpointing=False)
        facts = {
            "recipe": recipe.model_dump(mode="json"),
            "data": {name: part.hash},
            "layout": {"runs": list(runs), "threads": torch.get_num_threads(), "device": module.device.type},
            "seconds": round((time.monotonic() - begun) / len(runs), 1),
            "versions": versions(),
        }
        for i, run in enumerate(runs):
            if variant.starts:
                self._save(follow.weights, labels.back, i, self.weights(variant, run))
            found = {}
            for which, (score, epoch, predicted) in (("best", follow.best[i]), ("last", follow.last[i])):
                log_kappa = np.log10(np.maximum(labels.kappa(predicted, i, held[i]), 1e-6))
                metrics = fold_scores(kappa[held[i]], log_kappa)
                found[which] = {"epoch": epoch, "score": float(f"{score:.6g}"), "kappa": metrics}
            rows = {"train": int(training[i].sum()), "scored": len(held[i])}
            self._write(variant, run, found, {"rows": rows, **facts})

    def _write(self, variant: Variant, run: int, found: dict[str, dict[str, Any]], facts: dict[str, Any]) -> None:
        best = variant.on("best_epoch_on_fold")
        looks = best or variant.on("scaler_sees_fold")
        taken = found["best" if best else "last"]
        result = {
            "step": " without ".join((f"{variant.step} as published", *variant.without)),
            "trained_on": variant.trained_on,
            "agl": "all" if variant.trained_on == AGL or variant.start else "",
            "split": "paper",
            "run": run,
            "variant": {"step": variant.step, "without": list(variant.without)},
            "score": taken["score"],
            # by the study's own protocol as long as anything looks at the fold
            "protocols": {"paper" if looks else "nested": {variant.trained_on: taken["kappa"]}},
            **found,
            **facts,
        }
        write_result(self.result(variant, run), result)

    def _recipe(self, variant: Variant) -> tuple[Recipe, int]:
        """The recipe of a variant, and the epochs between two scores. Steps differ by their seed, as in the study."""
        training = Training(variant.step, variant.trained_on)
        recipe = self.settings.recipe(training)
        changes: dict[str, Any] = {"seed": recipe.seed + STEPS.index(variant.step)}
        if variant.on("skip_pretrained"):
            changes["initial"] = "none"
        if not variant.on("score_as_loss"):
            changes["stages"] = (recipe.stages[0].model_copy(update={"loss": "l1"}),)
        return recipe.model_copy(update=changes), self.settings.score_epochs(training)

    def _set(self, name: str) -> StageSet:
        if name not in self._sets:
            self._sets[name] = StageSet(load(name, self.mirror))
        return self._sets[name]

    def _model(self, variant: Variant, runs: Sequence[int]) -> tuple[Model, tuple[np.ndarray, np.ndarray] | None]:
        """The networks to start from; in step III, the scaler that comes with them."""
        recipe, _ = self._recipe(variant)
        model = as_the_study(initial_model(recipe, np.array(runs), self.mirror))
        if variant.start is None:
            return model, None
        state = model.state_dict()
        shift, scale = [], []
        for i, run in enumerate(runs):
            found = load_file(self.weights(variant.start, run))
            shift.append(found.pop("shift").tolist())
            scale.append(found.pop("scale").tolist())
            for name, tensor in found.items():
                state[name][i] = tensor
        model.load_state_dict(state, strict=True)
        return model, (np.array(shift), np.array(scale))

    @staticmethod
    def _save(weights: Mapping[str, Tensor], back: tuple[np.ndarray, np.ndarray], i: int, path: Path) -> None:
        state = {name: tensor[i].contiguous() for name, tensor in weights.items()}
        state |= {name: torch.as_tensor(values[i]) for name, values in zip(("shift", "scale"), back, strict=True)}
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as aside:
            save_file(state, aside)


def _say_of(name: str, say: Say, line: str) -> None:
    say(f"{name}: {line}")
