"""`Embeddings`: what the encoder and the descriptors know of crystals, as numbers for other models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

    from paraisite.prediction.prepared import Prepared


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """Vectors and descriptors of n inputs, in their order; NaN where an input is rejected.

    Attributes
    ----------
    id, source, formula, reason : list of str, length n
        `reason` says why an input is rejected, and is empty where it is not.
    vectors : numpy.ndarray, shape (n, width), float32
        The encoder's vector of the crystal, as a mean over the members of the model, which all start from one encoder.
        It knows species and distances within the cutoff.
    descriptors : numpy.ndarray, shape (n, q), float32
        Of composition, bonding and surroundings; see `paraisite.model.descriptors`.
    names : tuple of str, length q
        Of the descriptors.
    """

    id: list[str]
    source: list[str]
    formula: list[str]
    reason: list[str]
    vectors: np.ndarray
    descriptors: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def of(cls, prepared: Prepared, vectors: np.ndarray, descriptors: np.ndarray, names: tuple[str, ...]) -> Embeddings:
        """Spread vectors and descriptors of the G graphs of `prepared` over its rows."""

        def spread(values: np.ndarray) -> np.ndarray:
            rows = np.full((len(prepared), values.shape[1]), np.nan, np.float32)
            rows[prepared.kept] = values
            return rows

        texts = prepared.id, prepared.source, prepared.formula, prepared.reason
        return cls(*texts, spread(vectors), spread(descriptors), names)

    @classmethod
    def concat(cls, parts: Sequence[Embeddings]) -> Embeddings:
        """Put parts of one model together; at least one."""
        id_, source, formula, reason = (
            [text for part in parts for text in getattr(part, name)] for name in ("id", "source", "formula", "reason")
        )
        vectors = np.concatenate([part.vectors for part in parts])
        descriptors = np.concatenate([part.descriptors for part in parts])
        return cls(id_, source, formula, reason, vectors, descriptors, parts[0].names)

    def __len__(self) -> int:
        return len(self.id)

    @property
    def rejected(self) -> np.ndarray:
        """Whether a row has no embedding, shape (n,)."""
        return np.array([bool(reason) for reason in self.reason], dtype=bool)

    def to_arrow(self) -> pa.Table:
        """Return a table: id, source, formula, status, reason, then a column of 32-bit floats for each number."""
        import pyarrow as pa

        from paraisite.prediction.write import utf8

        status = ["rejected" if reason else "ok" for reason in self.reason]
        texts = {"id": self.id, "source": self.source, "formula": self.formula, "status": status, "reason": self.reason}
        names = (*vector_names(self.vectors.shape[1]), *self.names)
        columns = (*self.vectors.T, *self.descriptors.T)
        made: dict[str, Any] = {name: pa.array([utf8(x) for x in text], pa.string()) for name, text in texts.items()}
        made |= {name: pa.array(column, from_pandas=True) for name, column in zip(names, columns, strict=True)}
        return pa.table(made)

    def to_frame(self, library: Literal["pandas", "polars"] = "pandas") -> Any:
        """Return a data frame with the columns of `to_arrow`; see `Predictions.to_frame`."""
        from paraisite.prediction.predictions import frame

        return frame(self.to_arrow(), library)


def vector_names(width: int) -> tuple[str, ...]:
    """Columns of the vector."""
    return tuple(f"vector_{i}" for i in range(width))
