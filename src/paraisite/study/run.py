"""`run_study`: every training of the study over its nine runs, resumable, in parallel over the cores."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from paraisite.datasets import load, split_hash
from paraisite.files.locking import locked
from paraisite.files.replacing import replacing
from paraisite.files.writing import write_text
from paraisite.model.descriptors import blocks
from paraisite.model.kernel import KernelHead
from paraisite.model.model import Model
from paraisite.model.targets import TargetTransform
from paraisite.processes.limits import peak_memory_MB
from paraisite.processes.spawning import deaf
from paraisite.study.best_epoch import BEST, BestEpoch
from paraisite.study.plan import AGL, DATASETS, STEPS, Folds, Training
from paraisite.study.settings import Settings
from paraisite.study.table import fold_scores, write_result
from paraisite.training.apply import apply, place
from paraisite.training.recipe import Recipe, RecipeError
from paraisite.training.run import initial_model, train_stage
from paraisite.training.stage_data import StageSet
from paraisite.versions import versions

Say = Callable[[str], None]

LogKappa = dict[str, np.ndarray]
"""log10 kappa of the scored rows of each dataset."""


class Study:
    """Data, folds, settings and the folder of a study.

    Parameters
    ----------
    out : Path
        One folder for each training; in it `run-N.json` and, for AGL trainings of step II, weights.
    settings : Settings
    mirror : str or Path, optional
        Folder of the datasets and weights; by default PARAISITE_MIRROR.
    device : {"cpu", "cuda", "auto"}
    split : {"paper", "formula", "prototype"}
    """

    def __init__(
        self,
        out: Path,
        settings: Settings,
        *,
        mirror: str | Path | None = None,
        device: str = "cpu",
        split: str = "paper",
    ) -> None:
        self.out, self.settings, self.mirror, self.device = out, settings, mirror, device
        self.sets = {name: _stage_set(name, mirror) for name in DATASETS}
        parts = self.sets.items()
        self.folds = Folds(
            {name: part.loaded for name, part in parts}, {name: part.kept for name, part in parts}, split
        )

    def result(self, training: Training, run: int) -> Path:
        """The result file of one run."""
        return self.out / training.name / f"run-{run}.json"

    def missing(self, training: Training, runs: Iterable[int]) -> list[int]:
        """Runs whose result (or, for a start of step III, whose weights) is not there yet."""
        needed = [self.result, self.weights] if _starts(training) else [self.result]
        return [run for run in runs if not all(path(training, run).is_file() for path in needed)]

    def weights(self, training: Training, run: int) -> Path:
        """Weights of the networks of one run after their last epoch."""
        return self.out / training.name / f"run-{run}.safetensors"

    def train(self, training: Training, runs: Sequence[int], say: Say) -> None:
        """Train some runs of a training side by side, and write a result file for each.

        Parameters
        ----------
        training : Training
        runs : sequence of int
        say : callable
            Takes each line of progress.

        Raises
        ------
        RecipeError
            If a run holds nothing out or has nothing to train on, or what it starts from is missing.
        """
        seen = np.stack([self.folds.training_mask(training, run) for run in runs])
        for i, run in enumerate(runs):
            if not seen[i].any() or not len(self.folds.split(training.trained_on, run).validation):
                raise RecipeError(f"{training.name}: run {run} leaves nothing to train on, or nothing to score")
        if training.step == "III-kernel":
            self._fit_kernels(training, runs, seen)
        else:
            self._train_networks(training, runs, seen, lambda line: say(f"{training.name}: {line}"))

    def _train_networks(self, training: Training, runs: Sequence[int], seen: np.ndarray, say: Say) -> None:
        settings, part = self.settings, self.sets[training.trained_on]
        recipe = settings.recipe(training)
        run_of = np.repeat(np.arange(len(runs)), settings.members)
        held = np.zeros_like(seen)
        for i, run in enumerate(runs):
            held[i, self.folds.split(training.trained_on, run).validation] = True
        beside: list[LogKappa] = []
        beside_rows: np.ndarray | None = None
        if training.step == "III-combined":
            beside = [self._kernel(training, run, mask, relative=True)[0] for run, mask in zip(runs, seen, strict=True)]
            beside_rows = np.full(seen.shape, np.nan)
            for i, run in enumerate(runs):
                beside_rows[i, self._scored(training.trained_on, run)] = beside[i][training.trained_on]
        model = initial_model(recipe, np.array(runs)[run_of], self.mirror)
        if training.start is not None:
            self._load_start(model, training.start, runs)
        folder = self.out / training.name / f"runs-{'-'.join(map(str, runs))}"
        folder.mkdir(parents=True, exist_ok=True)
        every = settings.score_epochs(training)
        watch = BestEpoch(part.graphs, part.dataset.kappa, held, run_of, every, folder, beside_rows)
        model = train_stage(
            model, recipe, 0, part, seen[run_of], folder, device=self.device, loggers=(), say=say, callbacks=[watch]
        )
        followed = BestEpoch.read(folder)
        assert followed is not None  # written before the stage counts as done
        best = model.select(list(range(model.config.members)))
        best.load_state_dict(load_file(folder / BEST), strict=True)
        for i, run in enumerate(runs):
            members = np.flatnonzero(run_of == i).tolist()
            if _starts(training):
                self._save_run(model, members, self.weights(training, run))
            predicted = {p: self._log_kappa(m.select(members), run) for p, m in (("paper", best), ("nested", model))}
            if beside:
                predicted = {p: {n: (x + beside[i][n]) / 2 for n, x in own.items()} for p, own in predicted.items()}
            self._write(
                training,
                run,
                predicted,
                {
                    "best_epoch": followed["best"][i][0],
                    "curve": [[epoch, round(a[i], 4), round(b[i], 4)] for epoch, a, b in followed["curve"]],
                    "recipe": recipe.model_dump(mode="json", exclude_defaults=True),
                    "seconds": round(followed["seconds"] / len(runs), 1),
                    "layout": self._layout(runs, followed["device"]),
                },
            )
        shutil.rmtree(folder)

    def _fit_kernels(self, training: Training, runs: Sequence[int], seen: np.ndarray) -> None:
        """Set Gaussian processes upon the networks of step II, each fitted on its run's training rows."""
        for i, run in enumerate(runs):
            started = time.monotonic()
            found, recipe = self._kernel(training, run, seen[i])
            self._write(
                training,
                run,
                {"paper": found, "nested": found},  # no epoch is chosen, on whatever rows
                {
                    "recipe": recipe.model_dump(mode="json", exclude_defaults=True),
                    "seconds": round(time.monotonic() - started, 1),
                    "layout": self._layout([run], "cpu"),
                },
            )

    def _kernel(
        self, training: Training, run: int, seen: np.ndarray, *, relative: bool = False
    ) -> tuple[LogKappa, Recipe]:
        """Fit the Gaussian processes of one run; what they say of the scored rows, and the recipe of the networks."""
        part, start = self.sets[training.trained_on], training.start
        assert start is not None
        recipe = self.settings.recipe(start)
        model = initial_model(recipe, np.full(self.settings.members, run), self.mirror)
        self._load_start(model, start, [run])
        model = model.select(list(range(model.config.members)), ("kappa",))
        network, vectors, features = self._apply(model, training.trained_on, np.arange(len(part.dataset)))
        of = blocks(environment=recipe.head.environment)
        rows = np.tile(seen, (self.settings.members, 1))
        kernel = KernelHead.fit(network, vectors, features, np.log10(part.dataset.kappa), rows, of)
        return self._log_kappa(model, run, kernel, relative=relative), recipe

    def _write(self, training: Training, run: int, predicted: dict[str, LogKappa], more: dict[str, Any]) -> None:
        split = self.folds.split(training.trained_on, run)
        memory = peak_memory_MB()
        result = {
            "step": training.step,
            "trained_on": training.trained_on,
            "agl": training.agl,
            "split": training.split,
            "run": run,
            "protocols": {
                protocol: {
                    name: fold_scores(self.sets[name].dataset.kappa[self._scored(name, run)], log_kappa)
                    for name, log_kappa in found.items()
                    if len(log_kappa)
                }
                for protocol, found in predicted.items()
            },
            "predictions": {training.trained_on: self._listed(training.trained_on, run, predicted["nested"])},
            **more,
            "rows": {"train": int(self.folds.training_mask(training, run).sum()), "scored": len(split.validation)},
            "data": {name: self.sets[name].hash for name in DATASETS},
            "split_hash": split_hash(split),
            "peak_memory_MB": memory and round(memory),
            "versions": versions(),
        }
        write_result(self.result(training, run), result)

    def _listed(self, name: str, run: int, predicted: LogKappa) -> dict[str, Any]:
        ids = self.sets[name].dataset.ids
        return {
            "ids": [ids[i] for i in self._scored(name, run)],
            "log_kappa": [round(float(x), 5) for x in predicted[name]],
        }

    @staticmethod
    def _layout(runs: Sequence[int], device: str) -> dict[str, Any]:
        """What besides recipe, data and seed can change the last digits of a result."""
        return {"runs": list(runs), "threads": torch.get_num_threads(), "device": device}

    def _apply(self, model: Model, name: str, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log10 kappa of the networks, their vectors, and the descriptors, on some rows of a dataset."""
        where = place(self.device)
        graphs = self.sets[name].graphs.take(rows)
        assert graphs.descriptors is not None
        values, vectors = apply(model.to(where), graphs, where)
        return np.log10(np.maximum(values["kappa"], 1e-6)), vectors, graphs.descriptors

    def _scored(self, name: str, run: int) -> np.ndarray:
        """Rows of a dataset that a run is scored on: those of its fold with a kappa."""
        rows = self.folds.split(name, run).validation
        return rows[np.isfinite(self.sets[name].dataset.kappa[rows])]

    def _log_kappa(
        self, model: Model, run: int, kernel: KernelHead | None = None, *, relative: bool = False
    ) -> LogKappa:
        """What a model says of the scored rows; the members are averaged, by the mean of log10 kappa.

        With `relative`, a kernel gives not the median of its density but the value whose relative error is expected to
        be least, the median of the density divided by kappa (the (-1)-median of T. Gneiting, J. Am. Stat. Assoc. 106,
        746 (2011)). Of a lognormal density it lies lower, by the variance of ln kappa. The networks' loss, the relative
        error, asks for the same.
        """
        found = {}
        for name in self.sets:
            rows = self._scored(name, run)
            if not len(rows):
                found[name] = np.zeros(0)
                continue
            log_kappa, vectors, features = self._apply(model, name, rows)
            if kernel is not None:
                log_kappa = kernel.log_kappa(log_kappa, vectors, features)
                if relative:
                    log_kappa = log_kappa - np.log(10.0) * kernel.log_std(vectors, features) ** 2
            found[name] = log_kappa.mean(axis=0)
        return found

    def _load_start(self, model: Model, start: Training, runs: Sequence[int]) -> None:
        """Put the weights and the scaler of kappa of the start's networks in place."""
        members = self.settings.members
        state = model.state_dict()
        shift, scale = [], []
        for i, run in enumerate(runs):
            path = self.weights(start, run)
            if not path.is_file():
                raise RecipeError(f"{path} is missing: run step II on {AGL}, variant {start.agl}, first")
            found = load_file(path)
            shift += found.pop("kappa.shift").tolist()
            scale += found.pop("kappa.scale").tolist()
            for name, tensor in found.items():
                state[name][i * members : (i + 1) * members] = tensor
        model.load_state_dict(state, strict=True)
        kind = self.settings.targets["kappa"].transform
        model.transforms = {"kappa": TargetTransform(kind=kind, shift=tuple(shift), scale=tuple(scale))}

    def _save_run(self, model: Model, members: list[int], path: Path) -> None:
        state = {name: tensor[members].contiguous() for name, tensor in model.state_dict().items()}
        transform = model.transforms["kappa"].select(members)
        state["kappa.shift"] = torch.tensor(transform.shift, dtype=torch.float64)
        state["kappa.scale"] = torch.tensor(transform.scale, dtype=torch.float64)
        with replacing(path) as aside:
            save_file(state, aside)


def claim(out: Path, settings: Settings, *, resume: bool) -> None:
    """Take a folder for a study with these settings, or resume one.

    Raises
    ------
    RecipeError
        If it holds results and `resume` is not asked for, or they were made with other settings.
    """
    mark = out / "settings.json"
    text = settings.model_dump_json(indent=1) + "\n"
    steps = tuple(f"{step}-" for step in STEPS)  # what baselines left depends on no setting
    if any(path.parent.name.startswith(steps) for path in out.glob("*/run*")) or any(out.glob("stage-*")):
        if not resume:
            raise RecipeError(f"{out} holds results; use --resume, or give another --output")
        if not mark.is_file() or Settings.model_validate_json(mark.read_text(encoding="utf-8")) != settings:
            raise RecipeError(f"{out} holds results of other settings ({mark}); give another --output")
    out.mkdir(parents=True, exist_ok=True)
    write_text(mark, text)


def run_study(
    trainings: Sequence[Training],
    runs: Sequence[int],
    out: Path,
    settings: Settings,
    *,
    mirror: str | Path | None = None,
    device: str = "cpu",
    workers: int = 1,
    say: Say = print,
) -> list[str]:
    """Train what is missing, several trainings at a time, each after what it starts from.

    Parameters
    ----------
    trainings : sequence of Training
        As `plan.trainings` orders them.
    runs : sequence of int
        Of 1 to 9. All runs of a training are trained side by side in one process.
    out : Path
    settings : Settings
    mirror, device
        As in `Study`.
    workers : int
        Processes; each computes with one thread where there are several.
    say : callable

    Returns
    -------
    list of str
        What failed, a line each; the other trainings are still done.
    """
    with locked(out):
        waiting = list(trainings)
        failed: dict[Training, str] = {}
        context = multiprocessing.get_context("spawn")

        def new_pool() -> ProcessPoolExecutor:
            return ProcessPoolExecutor(workers, context, _one_thread if workers > 1 else None)

        pool = new_pool()
        ended: set[Training] = set()
        at_work: dict[Future[str], Training] = {}
        try:
            while waiting or at_work:
                for training in list(waiting):
                    if training.start in failed:
                        failed[training] = f"{training.name}: not started, as {training.start.name} failed"
                        waiting.remove(training)
                    elif len(at_work) < workers and training.start not in {*waiting, *at_work.values()}:
                        with deaf():
                            future = pool.submit(_work, training, list(runs), out, settings, mirror, device)
                        at_work[future] = training
                        waiting.remove(training)
                finished, _ = wait(at_work, return_when=FIRST_COMPLETED)
                broken: list[Training] = []
                for future in finished:
                    training = at_work.pop(future)
                    try:
                        say(future.result())
                    except BrokenProcessPool:
                        broken.append(training)
                    except Exception as error:
                        failed[training] = f"{training.name}: {type(error).__name__}: {error}"
                        say(failed[training])
                if broken:  # whichever process died, the pool has ended the others too
                    broken += at_work.values()
                    at_work.clear()
                    pool.shutdown()
                    pool = new_pool()
                    for training in broken:
                        if training in ended:
                            failed[training] = f"{training.name}: its process ended twice; out of memory?"
                            say(failed[training])
                        else:
                            ended.add(training)
                            waiting.insert(0, training)
        except BaseException:  # interrupted: a running training would continue for minutes
            for process in multiprocessing.active_children():
                process.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        return list(failed.values())


def _work(
    training: Training, runs: list[int], out: Path, settings: Settings, mirror: str | Path | None, device: str
) -> str:
    """Do one training in a process of a pool; data stay there for the next one."""
    study = Study(out, settings, mirror=mirror, device=device, split=training.split)
    todo = study.missing(training, runs)
    if not todo:
        return f"{training.name}: runs {_ranges(runs)} already done"
    study.train(training, todo, lambda line: print(line, file=sys.stderr, flush=True))
    return f"{training.name}: runs {_ranges(todo)} done"


def _one_thread() -> None:
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"


@cache
def _stage_set(name: str, mirror: str | Path | None) -> StageSet:
    return StageSet(load(name, mirror))


def _starts(training: Training) -> bool:
    """Whether other trainings start from this one."""
    return training.step == "II" and training.trained_on == AGL


def _ranges(runs: Sequence[int]) -> str:
    return ", ".join(map(str, runs))
