"""`Variant`: a training of the study as published, with some of its quirks turned off."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from paraisite.study.plan import AGL, DATASETS

SWITCHES = {
    "skip_pretrained": "MEGNet's weights are not loaded (`strict=False` over keys that do not match), so step II is "
    "step I with another seed",
    "foreign_scaler": "labels are standardised with the scaler of their own dataset and turned back, in loss and "
    "score, with that of AGL (step III) or of both parts together (mix)",
    "scaler_sees_fold": "the scaler of the labels is fitted on all rows, the scored fold among them",
    "best_epoch_on_fold": "the score is that of the best epoch on the very fold, not of the last epoch",
    "schedule_twice": "the cosine schedule goes two steps an epoch: it ends at 600 of 1000, not at 300",
    "score_as_loss": "`l1_loss` selects the mean absolute percentage error, which is then the score",
}
"""What each of the study's quirks does."""

STEPS = ("I", "II", "III")


@dataclass(frozen=True, slots=True)
class Variant:
    """A training of the study with some of the switches off.

    Attributes
    ----------
    step : {"I", "II", "III"}
    trained_on : str
        And tested on. Step III is for the small ones only.
    without : tuple of str
        Switches that are off, of those that change this training.
    """

    step: str
    trained_on: str
    without: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of its folder."""
        return "-".join((self.step, self.trained_on, *(f"without_{switch}" for switch in self.without)))

    @property
    def start(self) -> Variant | None:
        """What step III starts from. Only pretrained weights come through it: the other switches concern the fold."""
        kept = tuple(switch for switch in self.without if switch == "skip_pretrained")
        return Variant("II", AGL, kept) if self.step == "III" else None

    @property
    def starts(self) -> bool:
        """Whether trainings of step III start from this one."""
        return self.step == "II" and self.trained_on == AGL

    def on(self, switch: str) -> bool:
        """Whether a switch is on."""
        return switch not in self.without


def variants(
    steps: Iterable[str] = STEPS, trained_on: Iterable[str] = DATASETS, without: Iterable[str] = ()
) -> list[Variant]:
    """List the trainings asked for, each after what it starts from; a switch that changes nothing in one is left out.

    Raises
    ------
    ValueError
        If a step, dataset or switch is unknown.
    """
    asked = {"step": (tuple(steps), STEPS), "dataset": (tuple(trained_on), DATASETS)}
    asked["switch"] = (tuple(without), tuple(SWITCHES))
    for what, (given, known) in asked.items():
        for name in given:
            if name not in known:
                raise ValueError(
                    f"{what} {name!r} is not part of the study as published; choose from {', '.join(known)}"
                )
    found: dict[Variant, None] = {}
    for step in (s for s in STEPS if s in asked["step"][0]):
        for dataset in (d for d in DATASETS if d in asked["dataset"][0] and not (step == "III" and d == AGL)):
            idle = {"skip_pretrained"} if step == "I" else set()
            if step != "III" and dataset != "mix":
                idle.add("foreign_scaler")
            off = tuple(switch for switch in SWITCHES if switch in asked["switch"][0] and switch not in idle)
            variant = Variant(step, dataset, off)
            if variant.start is not None:
                found[variant.start] = None
            found[variant] = None
    return list(found)
