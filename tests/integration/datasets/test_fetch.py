"""`fetch` over real (loopback) HTTP and from a mirror: verified, converted, cached, and the same either way."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import math
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from serving import Behaviour, FileServer

from paraisite.datasets import Dataset, DatasetError, load, registry
from paraisite.datasets.fetch import fetch
from paraisite.datasets.formulas import load_formulas
from paraisite.datasets.places import place
from paraisite.datasets.registry import DatasetCard, Upstream
from paraisite.datasets.store import read_card
from paraisite.network import downloading

Serve = Callable[..., None]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_server: FileServer) -> Path:
    """A cache of its own, no mirror, and the loopback server in place of the world."""
    monkeypatch.setattr(downloading, "WAITS", (0.0, 0.0))
    monkeypatch.delenv("PARAISITE_MIRROR", raising=False)
    monkeypatch.setenv("PARAISITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PARAISITE_UPSTREAM", file_server.url)
    return tmp_path / "cache"


def path_of(url: str) -> str:
    """Path under which the loopback server stands in for an address."""
    return "/" + url.removeprefix("https://")


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def assert_same(found: Dataset, expected: Dataset) -> None:
    """The same to the bit."""
    assert found.content_hash == expected.content_hash
    assert found.ids == expected.ids
    assert found.provenance == expected.provenance
    assert found.labels == expected.labels
    assert list(found.targets) == list(expected.targets)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a.cell, b.cell)
        np.testing.assert_array_equal(a.numbers, b.numbers)
        np.testing.assert_array_equal(a.positions, b.positions)
        assert a.notes == b.notes


# --- a made-up dataset ----------------------------------------------------------------------------------------------


def record(mp_id: str, symbols: str, a: float, heat_capacity: float) -> dict[str, object]:
    sites = [
        {"species": [{"element": symbol, "occu": 1}], "abc": [i / 2] * 3, "label": symbol}
        for i, symbol in enumerate(symbols.split())
    ]
    structure = {"lattice": {"matrix": [[a, 0, 0], [0, a, 0], [0, 0, a]]}, "sites": sites}
    return {"mp_id": mp_id, "formula": "", "structure": structure, "heat_capacity": heat_capacity}


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, file_server: FileServer) -> DatasetCard:
    """The dataset `toy` of two crystals, in the registry and on the server."""
    records = [record("mp-1", "Cs Cl", 4.12, 48.5), record("mp-2", "Cs Br", 4.3, 49.0)]
    content = gzip.compress(json.dumps(records).encode() + b" " * 200_000, compresslevel=0, mtime=0)
    url = f"https://example.org/{'0' * 40}/toy.json.gz"
    card = DatasetCard(
        name="toy", title="Toy", mirror=("made/toy.json.gz",), converter="matcalc", rows=2, licence="CC0",
        citation=("nobody",), units={"heat_capacity": "J/mol/K of cells"}, fidelity="DFT", notes=("made up",),
        content_hash="1ca9bb1a96024b3c2d8b6621cc1371e72ba2d204f337e51a3a090a11117d0a71",
        upstream=(Upstream(url=url, bytes=len(content), sha256=hashlib.sha256(content).hexdigest()),),
    )  # fmt: skip
    monkeypatch.setitem(registry(), "toy", card)
    file_server.files[path_of(url)] = content
    return card


def test_fetch_then_load(toy: DatasetCard, cache: Path, file_server: FileServer) -> None:
    with pytest.raises(DatasetError, match=r"toy is not on this machine .*run `paraisite data fetch toy`"):
        load("toy")
    assert place(toy) == ""
    told: list[tuple[str, int, int]] = []
    folder = fetch("TOY", progress=lambda *args: told.append(args))
    assert folder == cache / "datasets" / "toy"
    size = toy.upstream[0].bytes
    assert told[-1] == ("toy", size, size)
    assert place(toy) == "cache"
    data = load("toy")
    assert data.ids == ("mp-1", "mp-2")
    assert data.name == "toy"
    assert data.labels == {"fidelity": ("DFT", "DFT")}
    # 48.5 J/(mol K) of a cell of two sites
    assert data.targets["heat_capacity_cv_atom"][0] == pytest.approx(48.5 / 8.314462618 / 2, rel=1e-9)
    assert data[1].source == f"{toy.upstream[0].url}#1"
    card = read_card(folder)
    assert (card.licence, card.citation, card.notes) == ("CC0", ("nobody",), ("made up",))
    file_server.asked.clear()
    fetch("toy")
    assert file_server.asked == []


def test_the_mirror_gives_the_same(toy: DatasetCard, cache: Path, tmp_path: Path, file_server: FileServer) -> None:
    content = file_server.files.pop(path_of(toy.upstream[0].url))
    assert isinstance(content, bytes)
    with pytest.raises(DatasetError, match=r"made.toy\.json\.gz does not exist; the mirror must hold made/toy"):
        fetch("toy", tmp_path / "mirror")
    assert not cache.exists()
    (tmp_path / "mirror" / "made").mkdir(parents=True)
    (tmp_path / "mirror" / "made" / "toy.json.gz").write_bytes(content)
    from_mirror = load("toy", tmp_path / "mirror")
    assert place(toy, tmp_path / "mirror") == "mirror"
    fetch("toy", tmp_path / "mirror")
    assert_same(load("toy"), from_mirror)
    assert file_server.asked == []


def test_a_changed_mirror_is_refused(toy: DatasetCard, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    records = [record("mp-1", "Cs Cl", 4.12, 48.5), record("mp-2", "Cs Br", 4.3, 49.1)]
    (tmp_path / "made" / "toy.json.gz").write_bytes(gzip.compress(json.dumps(records).encode()))
    with pytest.raises(DatasetError, match=r"toy: .*toy\.json\.gz .*not the registered data .*in the mirror"):
        load("toy", tmp_path)


def test_a_flipped_byte_is_refused_named_and_not_cached(toy: DatasetCard, cache: Path, file_server: FileServer) -> None:
    path = path_of(toy.upstream[0].url)
    file_server.behave[path] = [Behaviour(change=lambda content: content[:-9] + b"!" + content[-8:])]
    with pytest.raises(DatasetError, match=rf"toy: {file_server.url}{path}: not the registered file .*expected "):
        fetch("toy")
    assert files_in(cache) == []
    fetch("toy")
    assert len(load("toy")) == 2


def test_a_cut_connection_is_resumed(toy: DatasetCard, file_server: FileServer) -> None:
    path = path_of(toy.upstream[0].url)
    file_server.behave[path] = [Behaviour(cut=100_000)]
    told: list[int] = []
    fetch("toy", progress=lambda name, done, total: told.append(done))
    (first, start), (second, rest) = file_server.asked
    assert (first, start, second) == (path, "", path)
    assert 80_000 < int(rest.removeprefix("bytes=").removesuffix("-")) <= 100_000
    assert told[-1] == toy.upstream[0].bytes
    assert len(load("toy")) == 2


def test_a_damaged_cache_says_so_and_is_renewed(toy: DatasetCard, cache: Path, file_server: FileServer) -> None:
    folder = fetch("toy")
    parquet = folder / "dataset.parquet"
    good = load("toy")
    parquet.write_bytes(parquet.read_bytes()[:-50] + b"x" * 50)
    with pytest.raises(DatasetError, match=r"dataset\.parquet"):
        load("toy")
    fetch("toy")
    assert_same(load("toy"), good)
    assert len(file_server.asked) == 1  # the verified download was still there


def test_force_makes_it_anew(toy: DatasetCard) -> None:
    folder = fetch("toy")
    (folder / "card.json").write_text((folder / "card.json").read_text().replace("made up", "made down"))
    fetch("toy")
    assert read_card(folder).notes == ("made down",)
    fetch("toy", force=True)
    assert read_card(folder).notes == ("made up",)


def test_a_cache_of_another_version_is_not_taken(toy: DatasetCard, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch("toy")
    monkeypatch.setitem(registry(), "toy", toy.model_copy(update={"content_hash": "1" * 64}))
    with pytest.raises(DatasetError, match=r"does not hold what the registry .*paraisite data fetch toy"):
        load("toy")
    with pytest.raises(DatasetError, match=r"registered ones, but what was made of them is not .*please report"):
        fetch("toy")


def test_no_network_and_unknown_names(toy: DatasetCard, file_server: FileServer) -> None:
    with pytest.raises(DatasetError, match="l97: unknown dataset; choose from l96, hh143"):
        fetch("l97")
    file_server.stop()
    with pytest.raises(DatasetError, match=r"toy: .*refused .*try again later"):
        fetch("toy")


# --- the real ones ---------------------------------------------------------------------------------------------------


def serve_files(file_server: FileServer, card: DatasetCard, folder: Path) -> None:
    """Serve the upstream files of a dataset, which are in a folder under their own names."""
    for upstream in card.upstream:
        file_server.files[path_of(upstream.url)] = folder / upstream.url.rpartition("/")[2]


def reconstruct(
    file_server: FileServer, monkeypatch: pytest.MonkeyPatch, name: str, made: dict[str, bytes]
) -> DatasetCard:
    """Serve upstream files that were made anew (by the end of their address), under their own checksums."""
    card = registry()[name]
    upstreams = []
    for upstream in card.upstream:
        content = next((content for end, content in made.items() if upstream.url.endswith(end)), None)
        if content is not None:
            digest = hashlib.sha256(content).hexdigest()
            upstream = upstream.model_copy(update={"bytes": len(content), "sha256": digest})
            file_server.files[path_of(upstream.url)] = content
        upstreams.append(upstream)
    monkeypatch.setitem(registry(), name, card.model_copy(update={"upstream": tuple(upstreams)}))
    return registry()[name]


@pytest.mark.data
@pytest.mark.parametrize("name", ["l96", "hh143"])
def test_the_pickles_give_what_the_mirror_gives(mirror: Path, cache: Path, file_server: FileServer, name: str) -> None:
    card = registry()[name]
    serve_files(file_server, card, mirror / "legacy")
    folder = fetch(name)
    assert files_in(cache / "downloads") == sorted(path_of(upstream.url)[1:] for upstream in card.upstream)
    assert_same(load(name), load(name, mirror))
    assert load(name).content_hash == card.content_hash
    assert load(folder).labels["fidelity"] == ("DFT",) * card.rows
    # and from the neutral copies
    fetch(name, mirror, force=True)
    assert_same(load(name), load(name, mirror))


@pytest.mark.data
def test_mix_is_fetched_as_its_parts(mirror: Path, cache: Path, file_server: FileServer) -> None:
    for name in ("l96", "hh143"):
        serve_files(file_server, registry()[name], mirror / "legacy")
    fetch("hh143")
    with pytest.raises(DatasetError, match=r"l96 is not on this machine .*fetch l96"):
        load("mix")
    folder = fetch("mix")
    assert_same(load("mix"), load("mix", mirror))
    assert_same(load(folder), load("mix", mirror))
    assert len(file_server.asked) == 4
    assert place(registry()["mix"]) == "cache"


@pytest.mark.data
@pytest.mark.parametrize("file", ["Dataset1.pkl", "structures_Dataset1.pkl"])
def test_a_flipped_byte_of_a_real_file(mirror: Path, cache: Path, file_server: FileServer, file: str) -> None:
    card = registry()["l96"]
    serve_files(file_server, card, mirror / "legacy")
    (path,) = [path for path in file_server.files if path.endswith(f"/{file}")]
    at = 12345
    change = lambda content: content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]  # noqa: E731
    file_server.behave[path] = [Behaviour(change=change)]
    with pytest.raises(DatasetError, match=rf"/{file}: not the registered file"):
        fetch("l96")
    assert not any(found.endswith((f"/{file}", f"/{file}.part", ".parquet")) for found in files_in(cache))
    fetch("l96")
    assert load("l96").content_hash == card.content_hash


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("name", ["matcalc_elasticity", "matcalc_heat_capacity"])
def test_matcalc_from_its_own_files(mirror: Path, file_server: FileServer, name: str) -> None:
    card = registry()[name]
    serve_files(file_server, card, mirror / "matcalc")
    fetch(name)
    data = load(name)
    assert_same(data, load(name, mirror))
    assert len(data) == card.rows
    with pytest.raises(ValueError, match="has no conductivities; it has"):
        _ = data.kappa


@pytest.mark.slow
@pytest.mark.data
def test_heat_capacities_are_those_of_300_k(mirror: Path) -> None:
    """Per atom they lie below Dulong and Petit's 3 k_B, and near the AGL values of the same formulas at 300 K."""
    data, agl = load("matcalc_heat_capacity", mirror), load("aflow_agl", mirror)
    known = dict(zip(agl.formulas, agl.targets["heat_capacity_cv_atom"], strict=True))
    found = data.targets["heat_capacity_cv_atom"]
    assert ((found > 0) & (found < 3)).all()
    difference = [
        value - known[formula] for formula, value in zip(data.formulas, found, strict=True) if formula in known
    ]
    assert len(difference) > 500
    assert abs(np.median(difference)) < 0.1


@pytest.mark.data
def test_formulas_from_their_own_files(mirror: Path, cache: Path, file_server: FileServer) -> None:
    card = registry()["crabnet_agl_split"]
    with pytest.raises(DatasetError, match=r"crabnet_agl_split is not on this machine"):
        load_formulas("crabnet_agl_split")
    serve_files(file_server, card, mirror / "crabnet_agl_split")
    folder = fetch("crabnet_agl_split")
    assert sorted(path.name for path in folder.iterdir()) == ["test.csv", "train.csv", "val.csv"]
    table = load_formulas("crabnet_agl_split")
    assert table.content_hash == card.content_hash == load_formulas("crabnet_agl_split", mirror).content_hash
    assert [len(table.rows(part)) for part in ("train", "val", "test")] == [3422, 733, 732]
    assert (table.formulas[0], table.kappa[0]) == ("Ho2In1Ni2", 4.07935)
    assert (table.formulas[table.rows("test")[0]], table.kappa[table.rows("test")[0]]) == ("Al1N1Zr2", 14.2322)
    file_server.asked.clear()
    fetch("crabnet_agl_split")
    assert file_server.asked == []
    (folder / "val.csv").write_text("formula,target\nNa1Cl1,7\n")
    with pytest.raises(DatasetError, match=r"hold 4155 rows .*not the 4887 of the registry"):
        load_formulas("crabnet_agl_split")
    with pytest.raises(DatasetError, match="holds formulas without crystals; read it with load_formulas"):
        load("crabnet_agl_split", mirror)
    with pytest.raises(DatasetError, match="l96: not a dataset of formulas; choose from crabnet_agl_split"):
        load_formulas("l96", mirror)


def agl_files(mirror: Path) -> dict[str, bytes]:
    """The AGL table and CrabNet's moduli as published, rewritten from the neutral table (rows in another order)."""
    with (mirror / "aflow_agl" / "id_prop.csv").open() as file:
        rows = list(csv.DictReader(file))
    random.Random(0).shuffle(rows)
    lines = [
        "compound,aurl,log(kappa),spacegroup_relax,agl_debye,agl_gruneisen,agl_heat_capacity_Cp_300K,"
        "agl_heat_capacity_Cv_300K,agl_thermal_expansion_300K,agl_vibrational_entropy_300K_atom,"
        "agl_vibrational_free_energy_300K_atom,agl_bulk_modulus_static_300K,agl_bulk_modulus_isothermal_300K"
    ]
    moduli: dict[str, list[str]] = {}
    for i, row in enumerate(rows):
        lines.append(
            f"X,aflowlib.duke.edu:AFLOWDATA/ICSD_WEB/FCC/{row['id']},{math.log10(float(row['kappa'])):.9g},"
            f"{row['space_group']},{row['debye_temperature']},{row['gruneisen']},0,{row['heat_capacity_cv']},"
            f"{row['thermal_expansion']},{row['vibrational_entropy_atom']},{row['vibrational_free_energy_atom']},"
            f"{row['bulk_modulus_static']},0"
        )
        for modulus in ("bulk_modulus_vrh", "shear_modulus_vrh"):
            part = f"ael_{modulus}/{('train', 'val', 'test')[i % 3]}.csv"
            if row[modulus]:
                moduli.setdefault(part, ["cif_id,target", "Not1There1_ICSD_1,1.0"]).append(
                    f"{row['id']},{row[modulus]}"
                )
    files = {"dataset_5578.csv": lines, **moduli}
    return {end: ("\n".join(text) + "\n").encode() for end, text in files.items()}


def serve_cifs(file_server: FileServer, mirror: Path, card: DatasetCard) -> dict[str, str]:
    """Serve the 5578 CIFs one by one with their listing; return the path of each by its name."""
    (upstream,) = [upstream for upstream in card.upstream if upstream.git_tree]
    base = upstream.url.replace("https://github.com/", "/raw.githubusercontent.com/").replace("/tree/", "/")
    entries, paths = [], {}
    with zipfile.ZipFile(mirror / "aflow_agl" / "cif.zip") as archive:
        for name in archive.namelist():
            content = archive.read(name)
            paths[name] = f"{base}/{name}"
            file_server.files[paths[name]] = content
            sha = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            entries.append(
                {"path": name, "mode": "100644", "type": "blob", "sha": sha, "size": len(content), "url": ""}
            )
    listing = json.dumps({"sha": upstream.git_tree, "url": "", "tree": entries, "truncated": False}).encode()
    file_server.files[listing_path(upstream)] = listing
    return paths


def listing_path(upstream: Upstream) -> str:
    return f"/api.github.com/repos/liudakl/ParAIsite/git/trees/{upstream.git_tree}"


@pytest.mark.data
@pytest.mark.slow
def test_aflow_from_5578_single_files(
    mirror: Path, cache: Path, file_server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = reconstruct(file_server, monkeypatch, "aflow_agl", agl_files(mirror))
    paths = serve_cifs(file_server, mirror, card)
    bad = paths["Ca1S1_ICSD_186785.cif"]
    file_server.behave[bad] = [Behaviour(change=lambda content: content.replace(b"Ca", b"Cs", 1))]
    for i, path in enumerate(list(paths.values())[100:400:100]):
        file_server.behave[path] = [Behaviour(cut=i * 300), Behaviour(status=503)]
    with pytest.raises(DatasetError, match=r"Ca1S1_ICSD_186785\.cif: not the registered file \(git blob "):
        fetch("aflow_agl")
    assert not (cache / "datasets").exists()
    assert not any("Ca1S1_ICSD_186785" in name for name in files_in(cache))
    had = [path for path in paths.values() if (cache / "downloads" / path[1:]).exists()]
    assert 100 < len(had) < 5578
    file_server.asked.clear()
    fetch("aflow_agl")
    asked = [path for path, _ in file_server.asked]
    assert not set(asked) & set(had)  # goes on where it was
    assert len(asked) >= 5578 - len(had)
    assert_same(load("aflow_agl"), load("aflow_agl", mirror))
    assert load("aflow_agl").content_hash == card.content_hash


@pytest.mark.data
def test_a_changed_listing_is_refused(mirror: Path, cache: Path, file_server: FileServer) -> None:
    card = registry()["aflow_agl"]
    serve_cifs(file_server, mirror, card)
    (upstream,) = [upstream for upstream in card.upstream if upstream.git_tree]
    path = listing_path(upstream)
    content = file_server.files[path]
    assert isinstance(content, bytes)
    document = json.loads(content)
    document["tree"][7]["sha"] = document["tree"][8]["sha"]
    file_server.files[path] = json.dumps(document).encode()
    with pytest.raises(
        DatasetError, match=rf"{path}: not the registered file \(git tree .*expected {upstream.git_tree}"
    ):
        fetch("aflow_agl")
    assert files_in(cache) == []


@pytest.mark.data
@pytest.mark.slow
def test_mp_stable_from_printed_structures(
    mirror: Path, file_server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scans rewritten by pymatgen's own printing: two tables that overlap, with rows that have no structure."""
    expected = load("mp_stable", mirror)
    header = "index,mpd_id,structure,res_1,mean"
    texts = {}
    for crystal in expected:
        structure = crystal.to_pymatgen()
        structure.add_site_property("magmom", [0.001 * i for i in range(len(structure))])
        texts[crystal.id] = str(structure)
    ids = list(texts)
    random.Random(1).shuffle(ids)
    scans = []
    for part in (ids[:1000], ids[900:]):
        rows = [f'{i},{id_},"{texts[id_]}",1.5,2.5' for i, id_ in enumerate(part)]
        rows[5:5] = ["5,mp-999999999,[],1.5,2.5"]
        scans.append(("\n".join([header, *rows]) + "\n").encode())
    made = {
        "stable_scan.MDP.model_Dataset1.results.csv": scans[0],
        "testLaurent.model_Dataset1.results.csv": scans[1],
    }
    card = reconstruct(file_server, monkeypatch, "mp_stable", made)
    fetch("mp_stable")
    assert_same(load("mp_stable"), expected)
    assert load("mp_stable").content_hash == card.content_hash
    assert load("mp_stable").labels == {"fidelity": ("",) * 2228}
