"""Inputs that cannot be read, each written by a function, and what the rejection has to say about them.

`BAD_INPUTS[name](folder)` writes the input under `folder` and returns the path to give to a reader;
`SAYS[name]` is a regular expression that one of the reasons matches; `GOOD[name]` is the number of good crystals
that the input holds beside the bad ones (0 if absent).
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

BAD_INPUTS: dict[str, Callable[[Path], Path]] = {}
SAYS: dict[str, str] = {}
GOOD: dict[str, int] = {}


def bad(says: str, good: int = 0) -> Callable[[Callable[[Path], Path]], Callable[[Path], Path]]:
    """Register a builder under its name."""

    def register(builder: Callable[[Path], Path]) -> Callable[[Path], Path]:
        BAD_INPUTS[builder.__name__] = builder
        SAYS[builder.__name__] = says
        if good:
            GOOD[builder.__name__] = good
        return builder

    return register


def cif(
    sites: str = "Na1 Na 0 0 0 1\nCl1 Cl 0.5 0.5 0.5 1",
    *,
    a: str = "5.64",
    b: str | None = None,
    angles: tuple[str, str, str] = ("90", "90", "90"),
    group: str = "_space_group_name_H-M_alt 'F m -3 m'",
    name: str = "NaCl",
) -> str:
    """A small CIF; rock salt unless told otherwise."""
    return (
        f"data_{name}\n_cell_length_a {a}\n_cell_length_b {b or a}\n_cell_length_c {a}\n_cell_angle_alpha {angles[0]}\n"
        f"_cell_angle_beta {angles[1]}\n_cell_angle_gamma {angles[2]}\n{group}\nloop_\n_atom_site_label\n"
        "_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n_atom_site_occupancy\n"
        f"{sites}\n"
    )


def structure(element: str = "Po", abc: object = (0, 0, 0), a: float = 3.3) -> dict[str, object]:
    """A one-atom cubic structure in pymatgen's JSON form."""
    return {
        "@module": "pymatgen.core.structure",
        "@class": "Structure",
        "lattice": {"matrix": [[a, 0, 0], [0, a, 0], [0, 0, a]]},
        "sites": [{"species": [{"element": element, "occu": 1}], "abc": abc}],
    }


def _write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _zip(path: Path, members: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _tar(path: Path, members: dict[str, str | bytes | tarfile.TarInfo], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


# plain files


@bad("empty")
def empty_file(folder: Path) -> Path:
    return _write(folder / "empty.cif", "")


@bad("empty")
def only_white_space(folder: Path) -> Path:
    return _write(folder / "blank.cif", " \n\n\t\n")


@bad("binary")
def binary_junk(folder: Path) -> Path:
    return _write(folder / "junk.cif", bytes(range(256)) * 40)


@bad("format is not recognised")
def unknown_format(folder: Path) -> Path:
    return _write(folder / "notes.txt", "Dear diary,\ntoday nothing crystallised.\n")


@bad("not a readable CIF.*export it again")
def wrong_extension(folder: Path) -> Path:
    return _write(folder / "letter.cif", "Dear diary,\ntoday nothing crystallised.\n")


@bad("no such file")
def missing_file(folder: Path) -> Path:
    return folder / "missing.cif"


@bad("no file matches the pattern")
def unmatched_glob(folder: Path) -> Path:
    return folder / "*.cif"


@bad("holds no crystal file")
def folder_without_crystals(folder: Path) -> Path:
    inner = folder / "papers"
    inner.mkdir()
    _write(inner / "readme.md", "# Nothing here\n")
    return inner


@bad("broken or circular symbolic link")
def circular_link(folder: Path) -> Path:
    (folder / "a.cif").symlink_to(folder / "b.cif")
    (folder / "b.cif").symlink_to(folder / "a.cif")
    return folder / "a.cif"


@bad("broken or circular symbolic link")
def dangling_link(folder: Path) -> Path:
    (folder / "a.cif").symlink_to(folder / "gone.cif")
    return folder / "a.cif"


@bad("device or other special")
def device(folder: Path) -> Path:
    (folder / "zero.cif").symlink_to("/dev/zero")
    return folder / "zero.cif"


@bad("path cannot be used|no such file")
def name_with_nul(folder: Path) -> Path:
    return folder / "a\0b.cif"


@bad("cannot be read.*(again|permissions)")
def truncated_gz(folder: Path) -> Path:
    text = "".join(f"# {i * 7919 % 10007}\n" for i in range(5000)) + cif()
    return _write(folder / "cut.cif.gz", gzip.compress(text.encode())[:9000])


@bad("compression bomb")
def gz_bomb(folder: Path) -> Path:
    return _write(folder / "bomb.cif.gz", gzip.compress(cif().encode() + b"#" * (65 << 20), 1))


# CIF


@bad("not a readable CIF.*Wrong number of values")
def truncated_cif(folder: Path) -> Path:
    return _write(folder / "cut.cif", cif()[:-12])


@bad("_cell_length_a is missing")
def cif_without_cell(folder: Path) -> Path:
    return _write(folder / "nocell.cif", "data_x\n" + cif()[cif().index("loop_") :])


@bad("no atom sites")
def cif_without_sites(folder: Path) -> Path:
    return _write(folder / "nosites.cif", cif()[: cif().index("loop_")])


@bad("no volume")
def zero_volume(folder: Path) -> Path:
    return _write(folder / "flat.cif", cif(angles=("90", "90", "0.0001"), group=""))


@bad("no volume")
def impossible_angles(folder: Path) -> Path:
    return _write(folder / "angles.cif", cif(angles=("20", "20", "170"), group=""))


@bad("not positive")
def negative_length(folder: Path) -> Path:
    return _write(folder / "negative.cif", cif(a="-5.64"))


@bad(r"site 2 \(Cl1\) has _atom_site_fract_y = nan")
def nan_coordinate(folder: Path) -> Path:
    return _write(folder / "nan.cif", cif("Na1 Na 0 0 0 1\nCl1 Cl 0.5 nan 0.5 1"))


@bad(r"site 2 \(Cl1\) has _atom_site_fract_x = \?")
def unknown_coordinate(folder: Path) -> Path:
    return _write(folder / "unknown.cif", cif("Na1 Na 0 0 0 1\nCl1 Cl ? 0.5 0.5 1"))


@bad(r"site 1 \(Na\) and site 2 \(Cl\) overlap, 0\.0\d Å")
def overlapping_sites(folder: Path) -> Path:
    return _write(folder / "overlap.cif", cif("Na1 Na 0 0 0 1\nCl1 Cl 0.002 0 0 1", group=""))


@bad(r"site 1 \(M1\) is disordered: Fe0\.5Ni0\.5")
def shared_site(folder: Path) -> Path:
    return _write(folder / "alloy.cif", cif("M1 Fe 0 0 0 0.5\nM2 Ni 0 0 0 0.5\nS1 S 0.5 0.5 0.5 1"))


@bad(r"site 1 \(Na1\) is disordered: Na0\.8")
def vacant_site(folder: Path) -> Path:
    return _write(folder / "vacancy.cif", cif("Na1 Na 0 0 0 0.8\nCl1 Cl 0.5 0.5 0.5 1"))


@bad("invalid occupancy: Na1.3")
def occupancy_above_one(folder: Path) -> Path:
    return _write(folder / "crowded.cif", cif("Na1 Na 0 0 0 1.3\nCl1 Cl 0.5 0.5 0.5 1"))


@bad("occupancy abc, not a number")
def occupancy_not_a_number(folder: Path) -> Path:
    return _write(folder / "occupancy.cif", cif("Na1 Na 0 0 0 abc\nCl1 Cl 0.5 0.5 0.5 1"))


@bad(r"site 2 \(Vac1\) holds 'Vac', which is not a chemical element")
def dummy_element(folder: Path) -> Path:
    return _write(folder / "dummy.cif", cif("Na1 Na 0 0 0 1\nVac1 Vac 0.5 0.5 0.5 1"))


@bad("10000 sites are more than the limit of 5000")
def ten_thousand_atoms(folder: Path) -> Path:
    grid = "\n".join(f"Na{i} Na {i % 22 / 22} {i // 22 % 22 / 22} {i // 484 / 22} 1" for i in range(10_000))
    return _write(folder / "big.cif", cif(grid, a="80", group=""))


@bad("more than 5000 sites in the full cell")
def too_many_images(folder: Path) -> Path:
    grid = "\n".join(f"Na{i} Na {0.01 + i / 100} {0.02 + i / 70} {0.03 + i / 90} 1" for i in range(40))
    return _write(folder / "expanding.cif", cif(grid, a="80"))


@bad("space group 'Q 99' is unknown")
def unknown_space_group(folder: Path) -> Path:
    return _write(folder / "group.cif", cif(group="_space_group_name_H-M_alt 'Q 99'"))


@bad("symmetry operator 'x,y,w' cannot be read")
def broken_operator(folder: Path) -> Path:
    return _write(folder / "operator.cif", cif(group="loop_\n_space_group_symop_operation_xyz\n'x,y,z'\n'x,y,w'"))


@bad("does not fit the cell")
def cubic_group_in_orthorhombic_cell(folder: Path) -> Path:
    return _write(folder / "misfit.cif", cif(b="7.1"))


@bad("magnetic symmetry")
def magnetic_cif(folder: Path) -> Path:
    group = "loop_\n_space_group_symop_magn_operation.xyz\n'x,y,z,+1'\n'-x,-y,-z,-1'"
    return _write(folder / "spin.mcif", cif(group=group))


@bad("_cell_length_a is missing", good=1)
def one_bad_block(folder: Path) -> Path:
    broken = "data_broken\n" + cif()[cif().index("loop_") :]
    return _write(folder / "two.cif", cif() + broken)


# POSCAR, extended XYZ


@bad("counts 3 atoms, but coordinate lines follow for 2")
def poscar_with_wrong_counts(folder: Path) -> Path:
    text = "NaCl\n1.0\n5.6 0 0\n0 5.6 0\n0 0 5.6\nNa Cl\n1 2\nDirect\n0 0 0\n0.5 0.5 0.5\n"
    return _write(folder / "POSCAR", text)


@bad("sites are more than the limit")
def poscar_with_huge_counts(folder: Path) -> Path:
    text = "Na\n1.0\n5.6 0 0\n0 5.6 0\n0 0 5.6\nNa\n999999999\nDirect\n0 0 0\n"
    return _write(folder / "huge.vasp", text)


@bad("not a readable POSCAR")
def poscar_without_counts(folder: Path) -> Path:
    return _write(folder / "POSCAR", "NaCl\n1.0\n5.6 0 0\n0 5.6 0\n0 0 5.6\n")


@bad("not a readable POSCAR: no line names the elements")
def poscar_without_element_names(folder: Path) -> Path:
    return _write(folder / "POSCAR", "POSCAR\n1.0\n5.6 0 0\n0 5.6 0\n0 0 5.6\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n")


@bad("no line names the elements")
def poscar_with_words_for_a_comment(folder: Path) -> Path:
    text = "my cell\n1.0\n5.6 0 0\n0 5.6 0\n0 0 5.6\n1 1\nDirect\n0 0 0 T T T\n0.5 0.5 0.5 F F F\n"
    return _write(folder / "POSCAR", text)


@bad("line 6 counts 2 atoms of one element, but they are labelled Cl, Na")
def poscar_whose_labels_contradict_its_counts(folder: Path) -> Path:
    text = "Na\n1.0\n5.6 0 0\n0 5.6 0\n0 0 5.6\n2\nDirect\n0 0 0 Na\n0.5 0.5 0.5 Cl\n"
    return _write(folder / "POSCAR", text)


@bad("line 6 and line 7: 1 element but 2 counts")
def poscar_with_too_few_element_names(folder: Path) -> Path:
    text = "NaCl\n1.0\n5.6 0 0\n0 5.6 0\n0 0 5.6\nNa\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n"
    return _write(folder / "POSCAR", text)


@bad("line 6 holds 'Qq', which is not a chemical element")
def poscar_with_unknown_element(folder: Path) -> Path:
    text = "NaCl\n1.0\n5.6 0 0\n0 5.6 0\n0 0 5.6\nNa Qq\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n"
    return _write(folder / "POSCAR", text)


@bad("no cell.*Lattice=")
def xyz_without_lattice(folder: Path) -> Path:
    return _write(folder / "water.xyz", "3\nwater\nO 0 0 0\nH 0.76 0.59 0\nH -0.76 0.59 0\n")


@bad("not periodic in all three directions")
def xyz_slab(folder: Path) -> Path:
    header = 'Lattice="3.6 0 0 0 3.6 0 0 0 20" Properties=species:S:1:pos:R:3 pbc="T T F"'
    return _write(folder / "slab.xyz", f"1\n{header}\nCu 0 0 0\n")


@bad("has Properties=species:S:9999")
def xyz_with_a_billion_columns(folder: Path) -> Path:
    header = 'Lattice="3.6 0 0 0 3.6 0 0 0 20" Properties=species:S:9999999999999'
    return _write(folder / "wide.xyz", f"1\n{header}\nCu 0 0 0\n")


@bad("ends before the 2 atoms", good=1)
def truncated_xyz(folder: Path) -> Path:
    header = 'Lattice="3.3 0 0 0 3.3 0 0 0 3.3" Properties=species:S:1:pos:R:3 pbc="T T T"'
    return _write(folder / "cut.extxyz", f"1\n{header}\nPo 0 0 0\n2\n{header}\nPo 0 0 0\n")


@bad("the column pos holds '0 zero 0', not 3 numbers", good=2)
def one_bad_frame(folder: Path) -> Path:
    header = 'Lattice="3.3 0 0 0 3.3 0 0 0 3.3" Properties=species:S:1:pos:R:3 pbc="T T T"'
    frames = [f"1\n{header}\nPo 0 {y} 0\n" for y in ("0", "zero", "1")]
    return _write(folder / "frames.xyz", "".join(frames))


# JSON, databases


@bad("not readable JSON")
def broken_json(folder: Path) -> Path:
    return _write(folder / "broken.json", json.dumps(structure())[:-20])


@bad("holds no structure")
def json_of_something_else(folder: Path) -> Path:
    return _write(folder / "settings.json", '{"colour": "red", "size": 3}')


@bad("'Xx', which is not a chemical element")
def json_with_unknown_element(folder: Path) -> Path:
    return _write(folder / "alien.json", json.dumps(structure("Xx")))


@bad("not periodic in all three directions")
def json_slab(folder: Path) -> Path:
    slab = structure()
    slab["lattice"] |= {"pbc": [True, True, False]}  # type: ignore[operator]
    return _write(folder / "slab.json", json.dumps(slab))


@bad("not readable JSON")
def deeply_nested_json(folder: Path) -> Path:
    return _write(folder / "deep.json", "[" * 200_000 + "]" * 200_000)


@bad("coordinate that is not a finite number")
def json_with_nan(folder: Path) -> Path:
    return _write(folder / "nan.json", json.dumps(structure(abc=[0, float("nan"), 0])))


@bad("not a pymatgen structure|three fractional coordinates")
def json_with_wrong_shape(folder: Path) -> Path:
    return _write(folder / "shape.json", json.dumps(structure(abc=[0, 0])))


@bad("holds no structure with lattice", good=2)
def one_bad_record(folder: Path) -> Path:
    records = [{"mp_id": "a", "structure": structure()}, {"mp_id": "b"}, {"mp_id": "c", "structure": structure("Cu")}]
    return _write(folder / "records.json", json.dumps(records))


@bad("line 2 is not readable JSON", good=2)
def one_bad_line(folder: Path) -> Path:
    line = json.dumps(structure())
    return _write(folder / "lines.jsonl", f"{line}\n{line[:50]}\n{line}\n")


@bad("the cell is not three-dimensional", good=1)
def database_with_a_molecule(folder: Path) -> Path:
    from ase import Atoms
    from ase.build import bulk, molecule
    from ase.db import connect

    database = connect(folder / "mixed.db")
    database.write(bulk("Cu"))
    molecules: Atoms = molecule("H2O")
    database.write(molecules)
    return folder / "mixed.db"


@bad("no rows of an ASE database")
def database_of_something_else(folder: Path) -> Path:
    connection = sqlite3.connect(folder / "thumbs.db")
    connection.execute("create table pictures (name text)")
    connection.commit()
    connection.close()
    return folder / "thumbs.db"


@bad("database cannot be read|no rows")
def damaged_database(folder: Path) -> Path:
    return _write(folder / "damaged.db", b"SQLite format 3\0" + b"\x07" * 4096)


@bad("not an SQLite file")
def database_in_name_only(folder: Path) -> Path:
    return _write(folder / "fake.db", "no database\n")


# archives


@bad("holds no crystal file")
def empty_zip(folder: Path) -> Path:
    return _zip(folder / "empty.zip", {})


@bad("holds no crystal file")
def zip_without_crystals(folder: Path) -> Path:
    return _zip(folder / "papers.zip", {"readme.md": "# Nothing"})


@bad("name points outside the archive", good=1)
def zip_with_parent_names(folder: Path) -> Path:
    return _zip(
        folder / "escape.zip", {"../../etc/a.cif": cif(), "/etc/b.cif": cif(), "C:\\c.cif": cif(), "d.cif": cif()}
    )


@bad("nested archives", good=1)
def nested_zip(folder: Path) -> Path:
    inner = _zip(folder / "inner.zip", {"a.cif": cif()}).read_bytes()
    os.remove(folder / "inner.zip")
    return _zip(folder / "outer.zip", {"inner.zip": inner, "disguised.cif": inner, "b.cif": cif()})


@bad("zip bomb", good=1)
def zip_bomb(folder: Path) -> Path:
    return _zip(folder / "bomb.zip", {"bomb.cif": b"#" * (20 << 20), "good.cif": cif()})


@bad("more than the limit of 64 MiB", good=1)
def zip_with_huge_member(folder: Path) -> Path:
    return _zip(folder / "huge.zip", {"huge.cif": b"#" * (65 << 20), "good.cif": cif()})


@bad("not a readable zip archive")
def truncated_zip(folder: Path) -> Path:
    path = _zip(folder / "cut.zip", {f"{i}.cif": cif() for i in range(5)})
    return _write(path, path.read_bytes()[:-200])


@bad("encrypted", good=1)
def encrypted_zip(folder: Path) -> Path:
    return _patch_first(_zip(folder / "secret.zip", {"a.cif": cif(), "b.cif": cif()}), 6, 8, 1)


@bad("cannot be unpacked", good=1)
def zip_with_unknown_compression(folder: Path) -> Path:
    return _patch_first(_zip(folder / "method.zip", {"a.cif": cif(), "b.cif": cif()}), 8, 10, 97)


@bad("cannot be unpacked", good=1)
def zip_with_wrong_checksum(folder: Path) -> Path:
    return _patch_first(_zip(folder / "crc.zip", {"a.cif": cif(), "b.cif": cif()}), 14, 16, 1)


def _patch_first(path: Path, local: int, central: int, value: int) -> Path:
    """Set a two-byte field of the first member, at its offset in the local and in the central header."""
    data = bytearray(path.read_bytes())
    for start, offset in ((data.index(b"PK\x03\x04"), local), (data.index(b"PK\x01\x02"), central)):
        data[start + offset : start + offset + 2] = value.to_bytes(2, "little")
    return _write(path, bytes(data))


@bad("not a readable CIF", good=2)
def zip_with_one_bad_member(folder: Path) -> Path:
    return _zip(folder / "mixed.zip", {"a.cif": cif(), "b.cif": cif()[:-12], "sub/c.cif": cif()})


@bad("is a link", good=1)
def tar_with_links(folder: Path) -> Path:
    link, hard = tarfile.TarInfo("passwd.cif"), tarfile.TarInfo("hard.cif")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    hard.type, hard.linkname = tarfile.LNKTYPE, "a.cif"
    return _tar(folder / "links.tar.gz", {"a.cif": cif(), "passwd.cif": link, "hard.cif": hard})


@bad("device or other special", good=1)
def tar_with_device(folder: Path) -> Path:
    node = tarfile.TarInfo("zero.cif")
    node.type, node.devmajor, node.devminor = tarfile.CHRTYPE, 1, 5
    return _tar(folder / "device.tgz", {"zero.cif": node, "a.cif": cif()})


@bad("name points outside the archive", good=1)
def tar_with_parent_names(folder: Path) -> Path:
    return _tar(folder / "escape.tar", {"../a.cif": cif(), "b.cif": cif()}, "w")


@bad("cannot be read to its end|ends within", good=1)
def truncated_tar(folder: Path) -> Path:
    path = _tar(folder / "cut.tar", {"a.cif": cif(), "b.cif": cif() + "#" * 5000}, "w")
    return _write(path, path.read_bytes()[:3000])


@bad("cannot be read")
def tar_cut_at_its_beginning(folder: Path) -> Path:
    path = _tar(folder / "cut.tar.gz", {"a.cif": cif()})
    return _write(path, path.read_bytes()[:60])


@bad("cannot be read")
def damaged_tar_xz(folder: Path) -> Path:
    path = _tar(folder / "damaged.tar.xz", {"a.cif": cif()}, "w:xz")
    data = path.read_bytes()
    return _write(path, data[:40] + bytes(40) + data[80:])


@bad("cannot be read to its end", good=1)
def tar_xz_damaged_further_on(folder: Path) -> Path:
    path = _tar(folder / "damaged.tar.xz", {"a.cif": cif(), "b.dat": random.Random(0).randbytes(200_000)}, "w:xz")
    data = path.read_bytes()
    return _write(path, data[:100_000] + bytes(200) + data[100_200:])


@bad("members may be missing", good=1)
def tar_cut_within_a_header(folder: Path) -> Path:
    path = _tar(folder / "cut.tar", {"a.cif": cif(), "b.cif": cif()}, "w")
    with tarfile.open(path) as archive:
        start = archive.getmembers()[1].offset
    return _write(path, path.read_bytes()[: start + 100])


@bad("members may be missing", good=1)
def tar_with_a_damaged_header(folder: Path) -> Path:
    path = _tar(folder / "damaged.tar", {"a.cif": cif(), "b.cif": cif(), "c.cif": cif()}, "w")
    with tarfile.open(path) as archive:
        start = archive.getmembers()[1].offset
    data = path.read_bytes()
    return _write(path, data[:start] + b"x" * 100 + data[start + 100 :])


@bad("compression bomb", good=1)
def tar_bomb(folder: Path) -> Path:
    return _tar(folder / "bomb.tar.gz", {"a.cif": cif(), "bomb.dat": b"\0" * (40 << 20)})


@bad("nested archives", good=1)
def nested_tar(folder: Path) -> Path:
    inner = _tar(folder / "inner.tar.gz", {"a.cif": cif()}).read_bytes()
    os.remove(folder / "inner.tar.gz")
    return _tar(folder / "outer.tar.gz", {"inner.tar.gz": inner, "b.cif": cif()})


@bad("plain file only", good=1)
def database_in_an_archive(folder: Path) -> Path:
    return _zip(folder / "db.zip", {"a.db": b"SQLite format 3\0" + b"\0" * 100, "b.cif": cif()})


@bad("not a readable CIF", good=2)
def folder_with_one_bad_file(folder: Path) -> Path:
    inner = folder / "mixed"
    (inner / "sub").mkdir(parents=True)
    _write(inner / "a.cif", cif())
    _write(inner / "b.cif", "nothing")
    _write(inner / "sub" / "c.cif", cif())
    return inner


@bad("not a readable CIF", good=1)
def folder_with_circular_links(folder: Path) -> Path:
    inner = folder / "circle"
    inner.mkdir()
    (inner / "again").symlink_to(inner)
    _write(inner / "kristall-ñ-结晶.cif", cif())
    _write(inner / "ñ.cif", "nothing")
    return inner
