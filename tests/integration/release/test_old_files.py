"""What earlier versions wrote is read, or refused with the way out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paraisite.crystals import read
from paraisite.datasets import load
from paraisite.datasets.store import FORMAT as DATASET_FORMAT
from paraisite.graphs.build import build
from paraisite.graphs.store import FORMAT as GRAPH_FORMAT
from paraisite.graphs.store import GraphStore
from paraisite.model.checkpoint import FORMAT, OLDER, Checkpoint, CheckpointError
from paraisite.prediction import Predictor
from paraisite.screening.stored import prepare_stored

OLD = Path(__file__).resolve().parents[2] / "data" / "old"
IDS = ["LiF", "MgSi", "NaCl"]


def test_each_format_has_an_example() -> None:
    """A new format needs a new file here; the old one stays."""
    made = {
        "checkpoint-": range(1, FORMAT + 1),
        "dataset-": range(1, DATASET_FORMAT + 1),
        "graphs-": range(1, GRAPH_FORMAT + 1),
    }
    for kind, formats in made.items():
        assert {path.stem for path in OLD.glob(f"{kind}*")} == {f"{kind}{number}" for number in formats}


def test_a_checkpoint_of_format_3_predicts_as_then() -> None:
    rows = Predictor.from_pretrained(str(OLD / "checkpoint-3")).predict(read([OLD / "crystals"]))
    assert [row.id for row in rows] == IDS
    found = [[row.kappa_W_mK, row.kappa_low_W_mK, row.kappa_high_W_mK, row.log10_std] for row in rows]
    then = [
        [6.75254, 0.0228074, 4796.01, 1.52594],
        [7.34702, 0.208583, 252.755, 1.03089],
        [4.34533, 0.0601373, 320.47, 1.24988],
    ]
    np.testing.assert_allclose(np.array(found, dtype=float), then, rtol=1e-4)
    assert [row.nearest_known.split()[0] for row in rows] == ["Na3Cl", "Na12Cl", "Na9Cl"]


@pytest.mark.parametrize("version", OLDER)
def test_older_checkpoints_name_the_commit_that_reads_them(version: int) -> None:
    with pytest.raises(CheckpointError, match=f"format {version} .*git checkout {OLDER[version]}"):
        Checkpoint.load(OLD / f"checkpoint-{version}")


def test_a_dataset_of_format_1_is_read() -> None:
    data = load(OLD / "dataset-1")
    assert list(data.ids) == IDS
    np.testing.assert_array_equal(data.targets["kappa"], [17.0, 2.5, 7.1])
    assert data.content_hash == "6ba2784ea66c5046cf5d8e07dec4cbb57e2d767903dbf4383b7f816bb86ae703"


def test_graphs_of_format_1_are_those_of_today() -> None:
    store = GraphStore(OLD / "graphs-1.parquet")
    rows = [store.read(group) for group in range(len(store.group_rows))]
    assert [id for group in rows for id in group.columns["id"]] == IDS
    crystals = list(read([OLD / "crystals"]))
    for group, part in zip(rows, (crystals[:2], crystals[2:]), strict=True):
        graphs, _, _ = build(part)
        np.testing.assert_allclose(np.sort(group.graphs.distance), np.sort(graphs.distance), rtol=1e-6)


def test_what_older_stores_lack_is_computed_from_their_crystals() -> None:
    store = GraphStore(OLD / "graphs-1.parquet")
    predictor = Predictor.from_pretrained(str(OLD / "checkpoint-3"))
    for group in range(len(store.group_rows)):
        rows = store.read(group)
        assert (rows.dimensionality == -1).all()
        prepared = prepare_stored(predictor, store.header, rows, range(len(rows)))
        assert prepared.dimensionality.tolist() == [3] * len(rows)
        assert not prepared.vacuum.any()
