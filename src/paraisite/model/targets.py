"""Target transforms: from physical values to the space a network is trained in, and back."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from paraisite.targets import Transform


class TargetTransform(BaseModel):
    """``y = (f(x) - shift) / scale``, f being the identity, log10 x, the study's log10(x + 1), or ln(x / (1 - x)).

    `shift` and `scale` have one entry for each member: a member's scaler knows only what that member trained on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Transform = "log10"
    shift: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)

    @classmethod
    def fit(cls, kind: Transform, values: np.ndarray, training: np.ndarray) -> TargetTransform:
        """Fit mean and standard deviation of f(values).

        Parameters
        ----------
        kind : {"identity", "log10", "log10p1", "logit"}
        values : numpy.ndarray, shape (rows,)
            Physical values; NaN where unknown.
        training : numpy.ndarray, shape (members, rows), bool
            Rows each member trains on.

        Raises
        ------
        ValueError
            If a member has no known value, or a value lies outside the domain of f.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            mapped = _forward(kind, np.asarray(values, dtype=np.float64))
        bad = np.flatnonzero(np.isfinite(values) & ~np.isfinite(mapped))
        if len(bad):
            raise ValueError(f"row {bad[0]}: the value {values[bad[0]]:g} has no {kind}; remove or correct it")
        shift, scale = [], []
        for m, rows in enumerate(training):
            known = mapped[rows & np.isfinite(mapped)]
            if len(known) == 0:
                raise ValueError(f"member {m} has no training row with a value for this target")
            shift.append(float(known.mean()))
            scale.append(float(known.std()) if np.ptp(known) > 0 else 1.0)  # std of equal values is not always 0
        return cls(kind=kind, shift=tuple(shift), scale=tuple(scale))

    def forward(self, values: np.ndarray) -> Tensor:
        """Transform physical values, shape (rows,), for each member: (members, rows), float32, NaN kept."""
        with np.errstate(invalid="ignore", divide="ignore"):
            mapped = _forward(self.kind, np.asarray(values, dtype=np.float64))
        shift, scale = np.array(self.shift)[:, None], np.array(self.scale)[:, None]
        return torch.as_tensor((mapped - shift) / scale, dtype=torch.float32)

    def inverse(self, outputs: Tensor) -> np.ndarray:
        """Turn network outputs, shape (members, rows), into physical values, float64."""
        y = outputs.detach().cpu().double().numpy()
        mapped = y * np.array(self.scale)[:, None] + np.array(self.shift)[:, None]
        if self.kind == "identity":
            return mapped
        if self.kind == "logit":
            return 1.0 / (1.0 + np.exp(np.clip(-mapped, -300.0, 300.0)))
        power = 10.0 ** np.clip(mapped, -300.0, 300.0)
        return power if self.kind == "log10" else np.maximum(power - 1.0, 1e-6)

    def select(self, members: list[int]) -> TargetTransform:
        """The transform of some of the members."""
        picked = {"shift": tuple(self.shift[m] for m in members), "scale": tuple(self.scale[m] for m in members)}
        return self.model_copy(update=picked)


def _forward(kind: Transform, x: np.ndarray) -> np.ndarray:
    if kind == "log10":
        return np.log10(x)
    if kind == "logit":
        return np.log(x / (1.0 - x))
    return np.log10(x + 1.0) if kind == "log10p1" else x
