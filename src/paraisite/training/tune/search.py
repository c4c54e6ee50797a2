"""`tune`: a search for a better recipe in each outer fold, which sees inner folds of that fold's training rows only."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paraisite.datasets import Dataset, Split, split_hash
from paraisite.files.locking import locked
from paraisite.files.printable import counted
from paraisite.files.writing import write_text
from paraisite.metrics import scores
from paraisite.model.checkpoint import Checkpoint
from paraisite.model.registry import locate
from paraisite.training.recipe import Recipe, RecipeError, SplitConfig
from paraisite.training.replicas import Replicas, plan
from paraisite.training.run import completed, plan_folds, saved_split_of, start_digest
from paraisite.training.stage_data import StageSet, read_stages
from paraisite.training.tune.fit import METRICS, REPORTS, Folds, Watch, fit
from paraisite.training.tune.space import Space

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

Say = Callable[[str], None]

STARTUP = 8
"""Trials drawn at random before Optuna's tree-structured Parzen estimator has a say, and before any is given up."""

STORAGE, MARK = "tune.db", "search.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is searched, and how it is scored.

    Attributes
    ----------
    trials : int
        In each outer fold, all together, those that another call has done included.
    timeout : float, optional
        Seconds after which this call begins no trial any more.
    outer : int
        Folds of the recipe's own split that get a search of their own.
    inner : int
        Folds of an outer fold's training rows that its search scores.
    metric : {"male", "mape", "median_ape"}
        Error that the search makes small, as mean over the inner folds.
    """

    trials: int = 40
    timeout: float | None = None
    outer: int = 1
    inner: int = 4
    metric: str = "male"

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise RecipeError(f"metric {self.metric}: choose from {', '.join(METRICS)}")
        if self.trials < 1 or self.outer < 1 or self.inner < 2:
            raise RecipeError("a search needs at least 1 trial, 1 outer fold and 2 inner folds")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the search of one outer fold found.

    Attributes
    ----------
    fold : int
        From 1.
    trials : list of optuna FrozenTrial
        The first is the recipe as it was.
    best : int
        Position of the best of them.
    recipe : Recipe
        Of the best trial.
    inner : tuple of float
        Error in the search, of the recipe as it was and of the best.
    outer : tuple of dict
        Scores on the rows that the search never had, of these two, each trained on all rows of the search.
    """

    fold: int
    trials: list[FrozenTrial]
    best: int
    recipe: Recipe
    inner: tuple[float, float]
    outer: tuple[dict[str, float], dict[str, float]]

    @property
    def gain(self) -> float:
        """Part of the recipe's error in the search that the best trial saves."""
        return 1.0 - self.inner[1] / self.inner[0]


def completed_recipe(recipe: Recipe, mirror: str | Path | None) -> tuple[Recipe, set[str]]:
    """A recipe with what it takes from the conductivity model it starts from, and the formulas that model has seen."""
    if not recipe.from_conductivity:
        return completed(recipe, None), set()
    start = Checkpoint.load(locate(recipe.initial, mirror))
    return completed(recipe, start.kappa), set(start.card.formula_fold)


class Search:
    """The data, the outer folds and the storage of a search.

    Parameters
    ----------
    space : Space
        With its recipe complete.
    out : Path
        Folder of the search; one that holds the same search is resumed.
    how : Plan
    mirror, device, say
        As in `paraisite.training.run.run`.

    Raises
    ------
    RecipeError
        If `out` holds another search, or the data do not allow such folds.
    """

    def __init__(
        self, space: Space, out: Path, how: Plan, *, mirror: str | Path | None = None, device: str = "cpu", say: Say
    ) -> None:
        import optuna

        self.space, self.recipe, self.out, self.how = space, space.recipe, out, how
        self.mirror, self.device, self.say = mirror, device, say
        if self.recipe.stages[-1].distil:
            last = self.recipe.stages[-1].name
            raise RecipeError(f"stage {last}: distil: true cannot be searched; leave this stage out of the recipe")
        saved = saved_split_of(self.recipe)
        self.data = read_stages(self.recipe, mirror)
        self.replicas = plan_folds(self.recipe, self.data, saved)
        if how.outer > self.replicas.folds:
            raise RecipeError(f"{counted(how.outer, 'outer fold')}: the recipe's split has {self.replicas.folds}")
        for fold in range(how.outer):
            self._inner(self.training_rows(fold))  # complains now
        self._claim()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.storage = optuna.storages.RDBStorage(f"sqlite:///{out.absolute() / STORAGE}")

    def _claim(self) -> None:
        """Take the folder, or make sure that it holds this very search."""
        content = {
            "recipe": self.recipe.model_dump(mode="json"),
            "space": self.space.dump(),
            "inner": self.how.inner,
            "metric": self.how.metric,
            "start": start_digest(self.recipe, self.mirror),
            "data": [[stage.reads, part.hash] for stage, part in zip(self.recipe.stages, self.data, strict=True)],
            "split": split_hash(self.replicas.splits),
        }
        text = json.dumps(content, indent=1) + "\n"
        mark = self.out / MARK
        if (self.out / STORAGE).is_file() and (not mark.is_file() or mark.read_text(encoding="utf-8") != text):
            before = json.loads(mark.read_text(encoding="utf-8")) if mark.is_file() else {}
            other = [key for key, value in content.items() if before.get(key) != json.loads(json.dumps(value))]
            raise RecipeError(
                f"{self.out} holds a search with another {' and '.join(other)} ({mark}); "
                "give another --output or remove that folder"
            )
        self.out.mkdir(parents=True, exist_ok=True)
        write_text(mark, text)

    def study(self, fold: int) -> Study:
        """The trials of one outer fold."""
        import optuna

        pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=REPORTS // 4)
        return optuna.create_study(
            storage=self.storage,
            study_name=f"fold-{fold + 1}",
            direction="minimize",
            pruner=pruner,
            load_if_exists=True,
        )

    def run(self) -> list[Outcome]:
        """Search every outer fold, then train the recipe as it was and the best one found, and score both on it."""
        end = None if self.how.timeout is None else time.monotonic() + self.how.timeout
        with locked(self.out):
            found = []
            for f in range(self.how.outer):
                share = None if end is None else time.monotonic() + (end - time.monotonic()) / (self.how.outer - f)
                study = self.study(f)
                self._search(study, f, share)
                found.append(self._outcome(study, f))
            return found

    def training_rows(self, fold: int) -> list[Dataset]:
        """The rows of every stage that an outer fold may train on; nothing else reaches its search."""
        parts = zip(self.data, self.replicas.training, strict=True)
        return [part.dataset.take(masks[fold]) for part, masks in parts]

    def _search(self, study: Study, fold: int, end: float | None) -> None:
        from optuna.samplers import TPESampler
        from optuna.trial import TrialState

        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):  # of a call that was interrupted
            study.tell(trial.number, state=TrialState.FAIL)
        done = len(finished(study))
        if done >= self.how.trials:
            return
        rows = self.training_rows(fold)
        data, last, inner = [StageSet(part, cutoff=self.recipe.cutoff) for part in rows], rows[-1], self._inner(rows)
        held = [s.validation[np.isfinite(last.kappa[s.validation])] for s in inner.splits]
        folds = Folds(last.kappa, held, inner.fold, self.how.metric)
        self.say(
            f"fold {fold + 1}: {len(last)} of {len(self.data[-1].dataset)} crystals to search with, in "
            f"{inner.folds} inner folds; {self.how.trials - done} of {self.how.trials} trials left"
        )
        while done < self.how.trials and (end is None or time.monotonic() < end or done == 0):
            # a seed of its own for each trial: an interrupted search resumes with the trials it would have had
            study.sampler = TPESampler(n_startup_trials=STARTUP, seed=_seed(self.recipe.seed, fold, done))
            if done == 0 and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
                study.enqueue_trial(self.space.own(), user_attrs={"as_it_was": True})
            self._try(study, study.ask(), fold, data, inner, folds)
            done += 1

    def _inner(self, rows: list[Dataset]) -> Replicas:
        """The folds that a search in these rows scores."""
        split = self.recipe.split
        group = {"kfold": split.group, "saved": "formula"}.get(split.kind, "row")
        config = SplitConfig(kind="kfold", folds=self.how.inner, group=group, earlier=split.earlier, seed=split.seed)
        try:
            inner = plan(config, self.recipe.members, rows)
        except ValueError as error:
            raise RecipeError(f"inner folds: {error}") from None
        known = np.isfinite(rows[-1].kappa)
        if not all(known[side].any() for s in inner.splits for side in s):
            raise RecipeError(f"inner folds: too few crystals with kappa for {self.how.inner} folds")
        return inner

    def _try(self, study: Study, trial: Trial, fold: int, data: list[StageSet], inner: Replicas, folds: Folds) -> None:
        import optuna

        as_it_was = bool(trial.user_attrs.get("as_it_was"))
        if as_it_was:  # keys whose values do not have the recipe's own are left open
            own = self.space.own()
            Space(self.recipe, {key: self.space.keys[key] for key in own}).suggest(trial)
            recipe = self.recipe
        else:
            recipe = self.space.changed(self.space.suggest(trial))

        def report(step: int, error: float) -> None:
            trial.report(error, step)
            if not as_it_was and trial.should_prune():
                raise optuna.TrialPruned

        folder = self._fresh(fold, "search")
        watch = Watch(data[-1].graphs, folds, report)
        callbacks = [watch] if recipe.stages[-1].fit == "network" else []
        try:
            fitted = fit(recipe, data, inner, folder, mirror=self.mirror, device=self.device, callbacks=callbacks)
            errors = folds.errors(fitted.log_kappa(data[-1].graphs, self.device))
        except optuna.TrialPruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            text = f"stopped after {watch.reported * 100 // REPORTS} %"
        else:
            trial.set_user_attr("folds", [round(e, 6) for e in errors])
            study.tell(trial, float(np.mean(errors)))
            text = f"{self.how.metric} {np.mean(errors):.4f}"
        finally:
            shutil.rmtree(folder / "last", ignore_errors=True)
        done = finished(study)
        took = [t.duration.total_seconds() for t in done if t.duration]
        best = study.best_trial
        place = [t.number for t in done].index(best.number)
        self.say(
            f"fold {fold + 1}, trial {len(done)} of {self.how.trials}: {text}; best {best.value:.4f}"
            f"{f' in trial {place + 1}' if place else ' (original recipe)'}; "
            f"about {np.mean(took) * (self.how.trials - len(done)):.0f} s left"
        )

    def _outcome(self, study: Study, fold: int) -> Outcome:
        trials = finished(study)
        first, best = trials[0], study.best_trial
        place = [trial.number for trial in trials].index(best.number)
        recipe = self.space.changed(_chosen(self.space, best)) if place else self.recipe
        errors = (float(first.value or 0.0), float(best.value or 0.0))
        outer = (self._score(study, fold, first, self.recipe), self._score(study, fold, best, recipe))
        return Outcome(fold + 1, trials, place, recipe, errors, outer)

    def _score(self, study: Study, fold: int, trial: FrozenTrial, recipe: Recipe) -> dict[str, float]:
        """Train on all training rows of an outer fold and score the fold, once."""
        key = f"outer-{trial.number}"
        if key not in study.user_attrs:
            which = "the best recipe" if recipe is not self.recipe else "the original recipe"
            self.say(f"fold {fold + 1}: training {which} on all rows of the search, to score it on the held-out ones")
            data = [StageSet(part, cutoff=self.recipe.cutoff) for part in self.training_rows(fold)]
            everything = [np.ones((1, len(part.dataset)), dtype=bool) for part in data]
            rows = Split(np.arange(len(data[-1].dataset)), np.arange(0))
            replicas = Replicas(np.zeros(recipe.members, dtype=np.int64), [rows], everything, {})
            folder = self._fresh(fold, "scored")
            fitted = fit(recipe, data, replicas, folder, mirror=self.mirror, device=self.device)
            shutil.rmtree(folder / "last", ignore_errors=True)
            whole, held = self.data[-1], self.replicas.splits[fold].validation
            held = held[np.isfinite(whole.dataset.kappa[held])]
            log_kappa = fitted.log_kappa(whole.graphs.take(held), self.device)
            study.set_user_attr(key, scores(whole.dataset.kappa[held], 10 ** log_kappa.mean(axis=0)))
        return dict(study.user_attrs[key])

    def _fresh(self, fold: int, what: str) -> Path:
        """Folder of the trainings of one kind; what an interrupted one has left there is removed."""
        folder = self.out / f"fold-{fold + 1}" / what
        shutil.rmtree(folder / "last", ignore_errors=True)
        return folder


def finished(study: Study) -> list[FrozenTrial]:
    """Trials that came to an end or were given up by the pruner, in order."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def _chosen(space: Space, trial: FrozenTrial) -> dict[str, Any]:
    """The values of a trial, as a recipe takes them."""
    import optuna

    return {
        key: values.suggest(optuna.trial.FixedTrial(trial.params), key)  # type: ignore[arg-type]
        for key, values in space.keys.items()
        if key in trial.params
    }


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
