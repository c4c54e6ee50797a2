"""Checkpoints on disk: the same predictions after, and clear words for what is broken."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import astuple, fields, replace
from pathlib import Path

import numpy as np
import pytest
from make_crystals import known_crystals
from make_models import outputs, random_model, tensors
from pydantic import ValidationError
from safetensors.numpy import load_file, save_file

from paraisite.graphs import build
from paraisite.model.calibration import Calibration
from paraisite.model.checkpoint import (
    FORMAT,
    OLDER,
    Card,
    Checkpoint,
    CheckpointError,
    Known,
    NetworkCard,
    read_card,
    round_weights,
)
from paraisite.model.descriptors import descriptors
from paraisite.model.neighbourhood import Neighbourhood, scale_features
from paraisite.model.targets import TargetTransform

CRYSTALS = known_crystals()
DESCRIPTORS = descriptors(CRYSTALS, build(CRYSTALS)[0])
FOLDS = ((0, 1), (2, 3))


def make(name: str = "test", seed: int = 0) -> Checkpoint:
    """A checkpoint with every part, of random weights."""
    rng = np.random.default_rng(seed)
    kappa = random_model(4, seed=seed)
    kappa.transforms = {"kappa": TargetTransform(kind="log10", shift=tuple(rng.normal(size=4)), scale=(0.3,) * 4)}
    properties = random_model(2, seed=seed + 1, attach="vector", targets=("gruneisen", "bulk_modulus_vrh"))
    for model in (kappa, properties):
        round_weights(model)
    n = 60
    cloud = DESCRIPTORS[rng.integers(0, len(CRYSTALS), n)] * rng.normal(1.0, 0.1, (n, 1))
    trained = np.arange(n)[None] % 2 != np.arange(2)[:, None]
    neighbourhood = Neighbourhood.fit(cloud, rng.normal(size=n), trained)
    log_members = rng.normal(size=(4, n))
    features = scale_features(log_members, FOLDS, neighbourhood.find(cloud), cloud)
    calibration = Calibration.fit(FOLDS, np.arange(n) % 2, log_members, features, rng.normal(size=n))
    card = Card(
        name=name,
        description="κ of nothing in particular",
        kappa=NetworkCard(config=kappa.config, transforms=kappa.transforms),
        properties=NetworkCard(config=properties.config, transforms=properties.transforms),
        calibration=calibration,
        folds=FOLDS,
        formula_fold={"NaCl": 1},
        recipe={"stages": [{"name": "III", "epochs": 3}]},
        datasets={"mix": "ab12"},
        metrics={"mape": 0.4},
    )
    known = [Known(f"Na{i}Cl", f"mp-{i}", "l96", 1.2345678 * 1.5**i) for i in range(n)]
    return Checkpoint(card, kappa, properties, neighbourhood, known)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    make().save(tmp_path / "model")
    return tmp_path / "model"


def assert_same_predictions(a: Checkpoint, b: Checkpoint) -> None:
    graphs = tensors(CRYSTALS)
    for one, other in ((a.kappa, b.kappa), (a.properties, b.properties)):
        assert one is not None
        assert other is not None
        values, vector = one.predict(graphs)
        again, vector_again = other.predict(graphs)
        assert list(values) == list(again)
        for name in values:
            np.testing.assert_array_equal(values[name], again[name])
        np.testing.assert_array_equal(vector, vector_again)
    found = []
    for checkpoint in (a, b):
        assert checkpoint.neighbourhood is not None
        assert checkpoint.card.calibration is not None
        near = checkpoint.neighbourhood.find(DESCRIPTORS)
        log_members = np.log10(checkpoint.kappa.predict(graphs)[0]["kappa"])
        features = scale_features(log_members, FOLDS, near, DESCRIPTORS)
        bounds = checkpoint.card.calibration.interval(log_members, features, 0.9)
        found.append((*astuple(near), checkpoint.neighbourhood.applicability(near), features, *bounds))
    for x, y in zip(*found, strict=True):
        np.testing.assert_array_equal(y, x)


def test_a_round_trip_changes_nothing(saved: Path) -> None:
    original, loaded = make(), Checkpoint.load(saved)
    assert loaded.card == original.card
    assert_same_predictions(original, loaded)
    for a, b in zip(original.known, loaded.known, strict=True):
        assert (a.formula, a.id, a.dataset) == (b.formula, b.id, b.dataset)
        assert b.kappa == pytest.approx(a.kappa, rel=1e-5)


def test_saving_what_was_loaded_gives_the_same_files(saved: Path, tmp_path: Path) -> None:
    Checkpoint.load(saved).save(tmp_path / "again")
    names = sorted(p.name for p in saved.iterdir())
    arrays = [f"{name}.safetensors" for name in ("kappa", "neighbourhood", "properties")]
    assert names == sorted(["card.json", "known.csv", *arrays])
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (saved / name).read_bytes(), name


def test_weights_keep_three_digits_without_rounding_before(tmp_path: Path) -> None:
    checkpoint = make()
    checkpoint.kappa = random_model(4, seed=5)
    checkpoint.kappa.transforms = checkpoint.card.kappa.transforms
    checkpoint.save(tmp_path / "model")
    loaded = Checkpoint.load(tmp_path / "model")
    np.testing.assert_allclose(outputs(loaded.kappa, CRYSTALS), outputs(checkpoint.kappa, CRYSTALS), rtol=0, atol=0.05)
    round_weights(checkpoint.kappa)
    np.testing.assert_array_equal(outputs(loaded.kappa, CRYSTALS), outputs(checkpoint.kappa, CRYSTALS))


def test_a_checkpoint_of_the_network_alone(tmp_path: Path) -> None:
    full = make()
    card = Card(name="bare", kappa=full.card.kappa)
    Checkpoint(card, full.kappa).save(tmp_path / "bare")
    assert sorted(p.name for p in (tmp_path / "bare").iterdir()) == ["card.json", "kappa.safetensors"]
    loaded = Checkpoint.load(tmp_path / "bare")
    assert (loaded.properties, loaded.neighbourhood, loaded.known) == (None, None, [])
    np.testing.assert_array_equal(outputs(loaded.kappa, CRYSTALS), outputs(full.kappa, CRYSTALS))


def test_the_folder_can_move(saved: Path, tmp_path: Path) -> None:
    shutil.move(saved, tmp_path / "elsewhere" / "renamed")
    assert_same_predictions(make(), Checkpoint.load(tmp_path / "elsewhere" / "renamed"))


def test_the_card_is_readable_text(saved: Path) -> None:
    text = (saved / "card.json").read_text(encoding="utf-8")
    assert "κ of nothing in particular" in text
    assert json.loads(text)["format"] == FORMAT
    assert read_card(saved) == make().card


# --- saving ----------------------------------------------------------------------------------------------------------


def test_saving_replaces_an_older_folder_as_a_whole(saved: Path) -> None:
    (saved / "left_over.txt").write_text("of an older version")
    newer = make("newer", seed=3)
    newer.save(saved)
    assert not (saved / "left_over.txt").exists()
    assert_same_predictions(newer, Checkpoint.load(saved))
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


@pytest.mark.parametrize("break_it", ["known", "card", "neighbourhood"])
def test_an_error_while_saving_leaves_the_old_folder(break_it: str, saved: Path) -> None:
    before = {p.name: p.read_bytes() for p in saved.iterdir()}
    broken = make("broken", seed=3)
    if break_it == "known":
        broken.known.append(Known("NaCl", "mp-1", "l96", "high"))  # type: ignore[arg-type]
    elif break_it == "card":
        broken.card.recipe["stage"] = object()
    else:
        broken.neighbourhood = replace(broken.neighbourhood, points=None)  # type: ignore[type-var]
    with pytest.raises((ValueError, AttributeError)):
        broken.save(saved)
    assert {p.name: p.read_bytes() for p in saved.iterdir()} == before
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


def test_an_error_while_saving_a_new_folder_leaves_nothing(tmp_path: Path) -> None:
    broken = make()
    broken.card.recipe["stage"] = object()
    with pytest.raises(ValueError, match="serialize"):
        broken.save(tmp_path / "deep" / "model")
    assert list((tmp_path / "deep").iterdir()) == []


def test_parents_are_made(tmp_path: Path) -> None:
    make().save(tmp_path / "a" / "b" / "model")
    assert Checkpoint.load(tmp_path / "a" / "b" / "model").card.name == "test"


# --- damage ----------------------------------------------------------------------------------------------------------


def assert_refused(folder: Path, file: str) -> None:
    with pytest.raises(CheckpointError, match=file.replace(".", r"\.")):
        Checkpoint.load(folder)


@pytest.mark.parametrize("name", ["card.json", "kappa.safetensors", "properties.safetensors"])
def test_a_missing_file_is_named(name: str, saved: Path) -> None:
    (saved / name).unlink()
    assert_refused(saved, name)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nothing: not a model folder .*paraisite train"):
        Checkpoint.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    "name", ["card.json", "kappa.safetensors", "properties.safetensors", "neighbourhood.safetensors"]
)
@pytest.mark.parametrize("damage", ["empty", "truncated", "binary", "text"])
def test_a_damaged_file_is_named(name: str, damage: str, saved: Path) -> None:
    content = (saved / name).read_bytes()
    new = {"empty": b"", "truncated": content[: len(content) // 2], "binary": b"\xff\x00" * 50, "text": b"hello"}
    (saved / name).write_bytes(new[damage])
    assert_refused(saved, name)


@pytest.mark.parametrize(
    "content",
    [
        b"formula,id\nNaCl,mp-1\n",
        b"formula,id,dataset,kappa_W_mK\nNaCl,mp-1,l96,high\n",
        b"formula,id,dataset,kappa_W_mK\nNaCl,mp-1\n",
        b"\xff\xfe\x00",
    ],
    ids=["columns", "number", "short", "binary"],
)
def test_a_damaged_table_of_known_compounds_is_named(content: bytes, saved: Path) -> None:
    (saved / "known.csv").write_bytes(content)
    assert_refused(saved, "known.csv")


@pytest.mark.parametrize("file", ["kappa.safetensors", "properties.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "extra", "shape"])
def test_tensors_must_fit_the_card(file: str, damage: str, saved: Path) -> None:
    arrays = load_file(saved / file)
    name = "head.layers.0.weight"
    if damage == "missing":
        del arrays[name]
    elif damage == "extra":
        arrays["head.layers.9.weight"] = arrays[name]
    else:
        arrays[name] = np.ascontiguousarray(arrays[name][:, :-1])
    save_file(arrays, saved / file)
    with pytest.raises(CheckpointError, match=rf"{file}.*(?s:.*)head\.layers"):
        Checkpoint.load(saved)


@pytest.mark.parametrize("name", [f.name for f in fields(Neighbourhood)])
def test_the_neighbourhood_must_be_complete(name: str, saved: Path) -> None:
    arrays = load_file(saved / "neighbourhood.safetensors")
    del arrays[name]
    save_file(arrays, saved / "neighbourhood.safetensors")
    assert_refused(saved, "neighbourhood.safetensors")


@pytest.mark.parametrize("name", [f.name for f in fields(Neighbourhood) if f.name != "held_out_distance"])
@pytest.mark.parametrize("damage", ["short", "flat"])
def test_arrays_of_the_neighbourhood_must_fit_together(name: str, damage: str, saved: Path) -> None:
    arrays = load_file(saved / "neighbourhood.safetensors")
    whole = arrays[name]
    arrays[name] = np.ascontiguousarray(whole[..., :-1] if damage == "short" else whole.reshape(-1)[:1].reshape(1, 1))
    save_file(arrays, saved / "neighbourhood.safetensors")
    assert_refused(saved, "neighbourhood.safetensors")


def test_the_neighbourhood_must_be_that_of_the_known_compounds(saved: Path) -> None:
    lines = (saved / "known.csv").read_text(encoding="utf-8").splitlines()
    (saved / "known.csv").write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"known\.csv: 59 compounds, neighbourhood\.safetensors has 60"):
        Checkpoint.load(saved)


def test_a_checkpoint_without_a_neighbourhood_does_without(saved: Path) -> None:
    (saved / "neighbourhood.safetensors").unlink()
    loaded = Checkpoint.load(saved)
    assert loaded.neighbourhood is None
    assert len(loaded.known) == 60


@pytest.mark.parametrize(
    "change",
    [
        {"format": FORMAT + 1},
        {"format": "new"},
        {"colour": "red"},
        {"kappa": None},
        {"folds": "all"},
        {"cutoff": "far"},
    ],
    ids=lambda c: next(iter(c)),
)
def test_a_card_that_does_not_fit_is_named(change: dict[str, object], saved: Path) -> None:
    card = json.loads((saved / "card.json").read_text(encoding="utf-8"))
    (saved / "card.json").write_text(json.dumps(card | change), encoding="utf-8")
    assert_refused(saved, "card.json")


def test_a_newer_format_says_so(saved: Path) -> None:
    card = json.loads((saved / "card.json").read_text(encoding="utf-8")) | {"format": FORMAT + 1, "unheard_of": 1}
    (saved / "card.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(CheckpointError, match="newer than this version reads; update"):
        read_card(saved)


@pytest.mark.parametrize("version", OLDER)
def test_an_older_format_names_the_remedy(version: int, saved: Path) -> None:
    card = json.loads((saved / "card.json").read_text(encoding="utf-8")) | {"format": version, "long_gone": 1}
    (saved / "card.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(CheckpointError, match=rf"format {version} .* recipe again.*git checkout {OLDER[version]}"):
        Checkpoint.load(saved)


def test_a_card_that_is_no_object(saved: Path) -> None:
    (saved / "card.json").write_text("[1, 2]")
    assert_refused(saved, "card.json")


def test_a_card_refuses_unknown_entries() -> None:
    with pytest.raises(ValidationError, match="colour"):
        Card(name="x", kappa=make().card.kappa, colour="red")  # type: ignore[call-arg]


BAD_CARDS: dict[str, tuple[list[str | int], object]] = {
    "members": (["kappa", "config", "members"], 10**9),
    "negative-width": (["kappa", "config", "head", "hidden"], [-5]),
    "huge-width": (["kappa", "config", "head", "hidden"], [10**12]),
    "many-layers": (["kappa", "config", "head", "hidden"], [4] * 10**5),
    "many-weights": (["kappa", "config", "head", "hidden"], [65_536, 65_536]),
    "blocks": (["kappa", "config", "encoder", "blocks"], 10**8),
    "steps": (["kappa", "config", "encoder", "set2set_steps"], 10**9),
    "elements": (["kappa", "config", "encoder", "elements"], [10**9]),
    "no-elements": (["kappa", "config", "encoder", "elements"], []),
    "no-layers": (["kappa", "config", "encoder", "readout"], []),
    "gaussians": (["kappa", "config", "encoder", "gaussians"], 10**10),
    "targets": (["kappa", "config", "targets"], []),
    "transforms": (["kappa", "transforms"], {}),
    "cutoff": (["cutoff"], 1e9),
    "tolerance": (["tolerance"], -1.0),
    "folds": (["folds"], [[0, 99]]),
    "formula-fold": (["formula_fold"], {"MgO": 7}),
    "other-shape": (["kappa", "config", "encoder", "embedding"], 17),
}


def test_a_card_cannot_ask_for_what_no_model_has(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """In a process that has little memory: nothing is built before it is known to fit."""
    for name, ((*way, last), value) in BAD_CARDS.items():
        folder = Path(shutil.copytree(tiny_checkpoint, tmp_path / name))
        card = json.loads((folder / "card.json").read_text())
        place = card
        for key in way:
            place = place[key]
        place[last] = value
        (folder / "card.json").write_text(json.dumps(card))
    code = (
        "import resource, sys; from pathlib import Path; from paraisite.model.checkpoint import *\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (3 << 30, 3 << 30))\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    try: Checkpoint.load(path); print('loaded', path)\n"
        "    except CheckpointError as error: print(' '.join(str(error).split()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for name, line in zip(sorted(BAD_CARDS), done.stdout.splitlines(), strict=True):
        assert line.startswith(str(tmp_path / name)), line
        assert "again" in line


@pytest.mark.parametrize("content", [b"", b"[" * 10**6, b"\xff\xfe", b"{}", b"[]", b"NaN", b'{"format": "two"}'])
def test_any_card_is_a_checkpoint_error(tiny_checkpoint: Path, tmp_path: Path, content: bytes) -> None:
    folder = Path(shutil.copytree(tiny_checkpoint, tmp_path / "model"))
    (folder / "card.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"card\.json"):
        Checkpoint.load(folder)


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "other"])
def test_any_damage_of_a_file_is_a_checkpoint_error(tiny_checkpoint: Path, tmp_path: Path, damage: str) -> None:
    for path in sorted(tiny_checkpoint.iterdir()):
        folder = Path(shutil.copytree(tiny_checkpoint, tmp_path / f"{path.name}-model"))
        data = path.read_bytes()
        other = (tiny_checkpoint / "kappa.safetensors").read_bytes()
        bad = {"cut": data[: len(data) // 2], "empty": b"", "text": b"\x00\xff,\n1,2\n" * 9, "other": other}[damage]
        if bad == data or (path.name == "known.csv" and damage in ("cut", "empty")):
            continue
        (folder / path.name).write_bytes(bad)
        with pytest.raises(CheckpointError, match="model"):
            Checkpoint.load(folder)
