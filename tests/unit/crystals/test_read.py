"""`read` and `count`: every kind of input, in order, with ids and sources."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from bad_inputs import cif, structure

from paraisite.crystals import Crystal, Rejection, count, read

POSCAR = "NaCl\n1.0\n0 2.82 2.82\n2.82 0 2.82\n2.82 2.82 0\nNa Cl\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n"


def good(*inputs: str | Path, **options: str) -> list[Crystal]:
    items = list(read(inputs, **options))  # type: ignore[arg-type]
    assert all(isinstance(item, Crystal) for item in items), items
    return items  # type: ignore[return-value]


def names(items: list[Crystal]) -> list[tuple[str, str]]:
    return [(item.id, Path(item.source).name) for item in items]


@pytest.fixture
def nacl(tmp_path: Path) -> Path:
    path = tmp_path / "NaCl.v1.cif"
    path.write_text(cif())
    return path


def zipped(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def test_file_id_is_the_stem_and_source_the_path(nacl: Path) -> None:
    (crystal,) = good(str(nacl))
    assert (crystal.id, crystal.source, crystal.formula, crystal.n_sites) == ("NaCl.v1", str(nacl), "NaCl", 8)
    assert crystal.volume == pytest.approx(5.64**3)


def test_a_single_path_is_an_input(nacl: Path) -> None:
    assert len(list(read(nacl))) == len(list(read(str(nacl)))) == 1
    assert count(nacl) == 1


def test_reading_is_lazy(nacl: Path) -> None:
    def inputs() -> Iterator[Path]:
        yield nacl
        raise AssertionError("read on before it was asked to")

    assert isinstance(next(read(inputs())), Crystal)


@pytest.mark.parametrize("name", ["NaCl.txt", "NaCl", "NaCl.json", "POSCAR", "NaCl.cif.txt"])
def test_content_decides_the_format(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("# a comment\n" + cif())
    assert good(path)[0].n_sites == 8


@pytest.mark.parametrize(
    "data",
    [
        cif().replace("\n", "\r\n").encode(),
        cif().replace("\n", "\r").encode(),
        b"\xef\xbb\xbf" + cif().encode(),
        b"# H\xfcckel, \xc5ngstr\xf6m\n" + cif().encode(),
        "# Hückel, κ, 结晶\n".encode() + cif().encode(),
    ],
    ids=["windows", "old mac", "byte order mark", "latin-1", "utf-8"],
)
def test_line_ends_and_encodings(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.cif"
    path.write_bytes(data)
    assert good(path)[0].n_sites == 8


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_compressed_file(suffix: str, pack, tmp_path: Path) -> None:
    path = tmp_path / f"NaCl.cif{suffix}"
    path.write_bytes(pack(cif().encode()))
    (crystal,) = good(path)
    assert crystal.id == "NaCl"
    assert names(good(tmp_path)) == [(crystal.id, path.name)]  # a folder is searched for them, too


def test_folder_is_read_recursively_in_order(tmp_path: Path) -> None:
    for name in ("b.cif", "a/z.cif", "a/b.vasp", "notes.md", ".hidden.cif", "__MACOSX/x.cif", "c/POSCAR"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(POSCAR if "vasp" in name or "POSCAR" in name else cif())
    items = good(tmp_path)
    expected = ["__MACOSX/x.cif", "a/b.vasp", "a/z.cif", "b.cif", "c/POSCAR"]
    assert [str(Path(i.source).relative_to(tmp_path)) for i in items] == expected
    assert count([tmp_path]) == 5


def test_glob_is_sorted(tmp_path: Path) -> None:
    for name in ("b.cif", "a.cif", "sub/c.cif"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(cif())
    assert [i.id for i in good(f"{tmp_path}/*.cif")] == ["a", "b"]
    assert [i.id for i in good(f"{tmp_path}/**/*.cif")] == ["a", "b", "c"]
    assert [i.id for i in good(f"{tmp_path}/**")] == ["a", "b", "c"]
    assert count([f"{tmp_path}/*.cif"]) == 2


def test_an_entry_without_status_costs_itself_only(tmp_path: Path) -> None:
    """As in a folder that may be listed but not entered; here by a link to a name that no file can have."""
    (tmp_path / "a" / "x.cif").parent.mkdir()
    (tmp_path / "a" / "x.cif").symlink_to("n" * 300)
    for name in ("a/b.cif", "a/y.cif", "c.cif"):
        (tmp_path / name).write_text(cif())
    for where in (tmp_path, f"{tmp_path}/**"):
        items = list(read([where]))
        assert [Path(item.source).name for item in items] == ["b.cif", "x.cif", "y.cif", "c.cif"]
        assert [isinstance(item, Rejection) for item in items] == [False, True, False, False]


def test_file_whose_name_is_a_pattern(tmp_path: Path) -> None:
    path = tmp_path / "x[1].cif"
    path.write_text(cif())
    assert good(path)[0].id == "x[1]"


def test_zip_members_in_order(tmp_path: Path) -> None:
    path = zipped(tmp_path / "c.zip", {"b.cif": cif(), "sub/a.vasp": POSCAR, "readme.txt": "x", "__MACOSX/b.cif": "x"})
    assert [(i.id, i.source) for i in good(path)] == [("b", f"{path}::b.cif"), ("a", f"{path}::sub/a.vasp")]
    assert count([path]) == 2


def test_zip_member_without_a_name(tmp_path: Path) -> None:
    path = tmp_path / "c.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo(""), "x")
        archive.writestr("a.cif", cif())
    assert [i.id for i in good(path)] == ["a"]
    assert count([path]) == 1


@pytest.mark.parametrize("name", ["c.tar.gz", "c.tgz", "c.tar", "c.tar.bz2", "c.tar.xz", "unnamed"])
def test_tar_members_in_order(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    mode = {"c.tar": "w", "c.tar.bz2": "w:bz2", "c.tar.xz": "w:xz"}.get(name, "w:gz")
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for member, text in {"./b.cif": cif(), "sub/a.vasp": POSCAR, "readme": "x"}.items():
            info = tarfile.TarInfo(member)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    assert names(good(path)) == [("b", "b.cif"), ("a", "a.vasp")]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gz"])
@pytest.mark.parametrize("text", [cif(), POSCAR, json.dumps(structure())], ids=["cif", "poscar", "json"])
def test_standard_input(pack, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(pack(text.encode()))))
    (crystal,) = good("-")
    assert crystal.source == "-"
    assert crystal.id == "stdin"


def test_zip_on_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    data = zipped(tmp_path / "c.zip", {"a.cif": cif(), "b.cif": cif()}).read_bytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Pipe(data)))
    assert [i.source for i in good("-")] == ["-::a.cif", "-::b.cif"]


def test_order_is_that_of_the_inputs(nacl: Path, tmp_path: Path) -> None:
    items = list(read([tmp_path / "missing.cif", nacl, tmp_path / "none.*", nacl]))
    assert [isinstance(i, Crystal) for i in items] == [False, True, False, True]


@pytest.mark.parametrize("kind", ["direct", "cartesian"])
def test_poscar_written_by_ase(kind: str, tmp_path: Path) -> None:
    from ase.build import bulk
    from ase.io import write

    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    write(tmp_path / "CONTCAR", atoms, format="vasp", direct=kind == "direct")
    (crystal,) = good(tmp_path / "CONTCAR")
    assert crystal.id == "CONTCAR"
    assert np.allclose(crystal.positions % 1, atoms.get_scaled_positions() % 1)
    assert crystal.numbers.tolist() == atoms.numbers.tolist()


def test_poscar_dialects(tmp_path: Path) -> None:
    old = POSCAR.replace("\nNa Cl\n", "\n").replace("NaCl\n", "Na Cl\n", 1)
    selective = POSCAR.replace("Direct\n0 0 0\n0.5 0.5 0.5", "Selective\nDirect\n0 0 0 T T F\n0.5 0.5 0.5 F F F")
    negative = POSCAR.replace("1.0", "-44.8")
    velocities = POSCAR + "\n0.1 0.2 0.3\nand so on\n"
    hashed = POSCAR.replace("Na Cl", "Na_pv/6a2f546d Cl/0")
    for i, text in enumerate((old, selective, negative, velocities, hashed)):
        (tmp_path / f"{i}.vasp").write_text(text)
    for crystal in good(tmp_path):
        assert crystal.symbols == ["Na", "Cl"]
        assert crystal.volume == pytest.approx(44.8, rel=2e-3)


VASP4 = "{}\n1.0\n0 2.82 2.82\n2.82 0 2.82\n2.82 2.82 0\n{}\nDirect\n0 0 0{}\n0.25 0.25 0.25{}\n"


@pytest.mark.parametrize(
    ("comment", "counts", "labels", "symbols"),
    [
        ("POSCAR", "2", (" Si", " Si"), ["Si", "Si"]),
        ("POSCAR", "1 1", (" Mg", " O"), ["Mg", "O"]),
        ("C Si bulk", "1 1 # two", (" Si4+", " C4-"), ["Si", "C"]),
        ("Na", "2", (" T T T", " F F F"), ["Na", "Na"]),
        ("Mg O", "1 1", (" T T T", " F F F"), ["Mg", "O"]),
        ("In P", "1 1", ("", " P"), ["In", "P"]),
    ],
)
def test_poscar_without_a_line_of_elements(
    comment: str, counts: str, labels: tuple[str, str], symbols: list[str], tmp_path: Path
) -> None:
    (tmp_path / "POSCAR").write_text(VASP4.format(comment, counts, *labels))
    (crystal,) = good(tmp_path / "POSCAR")
    assert crystal.symbols == symbols
    from_comment = comment.split() == list(dict.fromkeys(symbols))
    assert crystal.notes == (("elements taken from the comment line",) if from_comment else ())


def test_poscar_with_labels_behind_the_flags(tmp_path: Path) -> None:
    text = VASP4.format("my cell", "1 1", " T T T Mg", " F F F O").replace("Direct", "Selective dynamics\nDirect")
    (tmp_path / "POSCAR").write_text(text)
    (crystal,) = good(tmp_path / "POSCAR")
    assert crystal.symbols == ["Mg", "O"]
    assert not crystal.notes


@pytest.mark.parametrize("comment", ["data_MgO", "[MgO] test", "{MgO}"])
def test_the_comment_of_a_poscar_may_say_anything(comment: str, tmp_path: Path) -> None:
    (tmp_path / "POSCAR").write_text(POSCAR.replace("NaCl", comment, 1))
    assert good(tmp_path / "POSCAR")[0].formula == "NaCl"


def test_symbols_of_a_poscar_in_other_spellings(tmp_path: Path) -> None:
    (tmp_path / "POSCAR").write_text(POSCAR.replace("Na Cl", "NA D ! salt"))
    assert good(tmp_path / "POSCAR")[0].symbols == ["Na", "H"]


def test_extended_xyz_written_by_ase(tmp_path: Path) -> None:
    from ase.build import bulk
    from ase.io import write

    frames = [bulk("Cu"), bulk("NaCl", "rocksalt", a=5.64), bulk("ZnO", "wurtzite", a=3.25, c=5.2)]
    frames[1].info["note"] = 'say "cheese"'
    write(tmp_path / "many.xyz", frames, format="extxyz")
    write(tmp_path / "one.extxyz", frames[2], format="extxyz")
    items = good(tmp_path / "many.xyz", tmp_path / "one.extxyz")
    assert names(items) == [
        ("many-0", "many.xyz#0"),
        ("many-1", "many.xyz#1"),
        ("many-2", "many.xyz#2"),
        ("one", "one.extxyz"),
    ]
    assert [i.formula for i in items] == ["Cu", "NaCl", "ZnO", "ZnO"]
    assert count([tmp_path / "many.xyz"]) is None


def test_ase_database(tmp_path: Path) -> None:
    from ase.build import bulk
    from ase.db import connect

    for name in ("d.db", "d.json"):
        database = connect(tmp_path / name)
        database.write(bulk("Cu"))
        database.write(bulk("NaCl", "rocksalt", a=5.64), material_id="mp-22862")
        items = good(tmp_path / name)
        assert names(items) == [("d-1", f"{name}#1"), ("mp-22862", f"{name}#2")]
        assert [i.formula for i in items] == ["Cu", "NaCl"]
    assert count([tmp_path / "d.db"]) == 2


PO, CU = structure("Po"), structure("Cu", a=2.6)


@pytest.mark.parametrize(
    ("document", "ids"),
    [
        (PO, ["f"]),
        ([PO], ["f"]),
        ([PO, CU], ["f-0", "f-1"]),
        ({"structure": PO, "mp_id": "mp-1"}, ["mp-1"]),
        ([{"structure": PO, "material_id": "mp-1"}, {"structure": CU, "kappa": 1}], ["mp-1", "f-1"]),
        ({"a": PO, "b": CU}, ["a", "b"]),
        ({"a": {"structure": PO}, "b": {"structure": CU, "id": 7}}, ["a", "7"]),
        ({"index": [5, 9], "columns": ["structure", "y"], "data": [[PO, 1], [CU, 2]]}, ["f-5", "f-9"]),
    ],
)
def test_json_documents(document: object, ids: list[str], tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text(json.dumps(document))
    packed = tmp_path / "f.json.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for file in (path, packed):
        items = good(file)
        assert [i.id for i in items] == ids
        assert [i.formula for i in items] == ["Po", "Cu"][: len(ids)]


@pytest.mark.parametrize("name", ["f.jsonl", "f.json", "f.jsonl.gz"])
def test_json_lines(name: str, tmp_path: Path) -> None:
    text = f"{json.dumps(PO)}\n\n{json.dumps({'structure': CU, 'id': 'copper'})}\n"
    data = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    items = good(tmp_path / name)
    assert [i.id for i in items] == ["f-0", "copper"]
    assert [i.source for i in items] == [f"{tmp_path / name}#1", f"{tmp_path / name}#3"]


def test_json_written_by_pymatgen(tmp_path: Path) -> None:
    from pymatgen.core import Lattice, Structure

    ordered = Structure(Lattice.hexagonal(3.25, 5.2), ["Zn2+", "O2-"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.38]])
    path = tmp_path / "s.json"
    path.write_text(ordered.to_json())
    (crystal,) = good(path)
    assert np.allclose(crystal.cell, ordered.lattice.matrix)
    assert np.allclose(crystal.positions, ordered.frac_coords)
    assert crystal.symbols == ["Zn", "O"]


def test_json_disorder_follows_the_policy(tmp_path: Path) -> None:
    from pymatgen.core import Lattice, Structure

    path = tmp_path / "s.json"
    path.write_text(Structure(Lattice.cubic(4), [{"Fe": 0.7, "Ni": 0.3}], [[0, 0, 0]]).to_json())
    (item,) = read([path])
    assert isinstance(item, Rejection)
    assert "site 1" in item.reason
    assert "Fe0.7Ni0.3" in item.reason
    (crystal,) = good(path, disorder="majority")
    assert crystal.symbols == ["Fe"]


def test_a_rejection_tells_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "x.cif"
    path.write_text(cif("Na1 Na 0 0 0 1\nCl1 Cl 0.002 0 0 1", group=""))
    (item,) = read([path])
    assert isinstance(item, Rejection)
    assert (item.formula, item.n_sites, item.n_elements) == ("NaCl", 2, 2)


def test_reading_cif_imports_no_heavy_library(nacl: Path) -> None:
    import subprocess

    code = (
        "import sys; from paraisite.crystals import read; assert len(list(read(sys.argv[1:]))) == 1; "
        "print([m for m in ('torch', 'ase', 'pymatgen', 'scipy', 'pandas') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code, str(nacl)], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_nested_document_ends_no_program_that_lifted_the_recursion_limit(tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text("[" * 200_000)
    code = (
        "import sys\n"
        "from paraisite.crystals import Rejection, read\n"
        "sys.setrecursionlimit(100_000)\n"
        "[row] = read([sys.argv[1]])\n"
        "assert isinstance(row, Rejection) and 'not readable JSON' in row.reason, row\n"
        "assert sys.getrecursionlimit() == 100_000\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
