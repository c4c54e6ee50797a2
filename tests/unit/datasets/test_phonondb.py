"""Archives of phononDB: a crystal of springs whose properties are known, and archives that are not as documented."""

from __future__ import annotations

import io
import lzma
import tarfile
from pathlib import Path

import numpy as np
import pytest

from paraisite.datasets import DatasetError, phonondb
from paraisite.datasets.phonondb import read_archive

phonopy = pytest.importorskip("phonopy", reason="lattice dynamics needs the extra [phonons]")

A = 5.3
SPRING = 1.0
"""eV/Å² between nearest neighbours of an fcc crystal of argon, and its lattice constant in Å."""
POSCAR = f"Ar\n1.0\n{A} 0 0\n0 {A} 0\n0 0 {A}\nAr\n4\nDirect\n0 0 0\n0 .5 .5\n.5 0 .5\n.5 .5 0\n"
CONF = "DIM = 2 2 2\nPRIMITIVE_AXIS = 0 1/2 1/2 1/2 0 1/2 1/2 1/2 0  # fcc\n"


def force_sets() -> str:
    """Forces of the springs after one site moved, as phonopy writes them."""
    from phonopy.interface.vasp import read_vasp_from_strings

    cell = read_vasp_from_strings(POSCAR)
    phonons = phonopy.Phonopy(cell, np.diag([2, 2, 2]), primitive_matrix="P", log_level=0)
    phonons.generate_displacements(distance=0.01)
    positions = phonons.supercell.scaled_positions
    (moved,) = phonons.dataset["first_atoms"]
    step = np.array(moved["displacement"])
    apart = positions - positions[moved["number"]]
    apart = (apart - np.rint(apart)) @ phonons.supercell.cell
    length = np.linalg.norm(apart, axis=1)
    forces = np.zeros_like(apart)
    for j in np.flatnonzero(np.isclose(length, A / np.sqrt(2))):
        forces[j] = SPRING * (apart[j] @ step) * apart[j] / length[j] ** 2
    forces[moved["number"]] = -forces.sum(axis=0)

    def line(vector: np.ndarray) -> str:
        return " ".join(f"{x:.15f}" for x in vector)

    lines = [str(len(forces)), "1", str(moved["number"] + 1), line(step), *map(line, forces)]
    return "\n".join(lines) + "\n"


def pack(*members: tuple[str, str | bytes]) -> bytes:
    """Pack files as phononDB does."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in members:
            content = text.encode() if isinstance(text, str) else text
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return lzma.compress(buffer.getvalue(), format=lzma.FORMAT_ALONE)


def made(**changes: str) -> bytes:
    files = {"POSCAR-unitcell": POSCAR, "FORCE_SETS": force_sets(), "phonopy.conf": CONF} | changes
    return pack(*((f"mp-1-20180417/{name}", text) for name, text in files.items() if text))


def test_a_crystal_of_springs() -> None:
    crystal, found = read_archive(made(), id="mp-1", source="made")
    assert (crystal.formula, crystal.n_sites, crystal.id, crystal.source) == ("Ar", 4, "mp-1", "made")
    assert (found["n_primitive"], found["nac"], found["imag_share"]) == (1, 0.0, 0.0)
    # the trace of the dynamical matrix is 12 springs over the mass in the mean; the zone centre is left out
    unit = np.sqrt(1.602176634e-19 / 1e-20 / 1.66053907e-27) / (2 * np.pi) / 1e12  # sqrt(eV/Å²/u) in THz
    points = 1 - 1 / 13**3  # a spacing of 3.06 Å in 30 Å gives 9, or up to 13: all the same here
    expected = 4 * SPRING / 39.948 * unit**2
    assert found["mean_square_frequency"] == pytest.approx(expected / points, rel=2e-3)
    # the largest is that of X: 8 springs over the mass along its axis
    assert found["max_frequency"] == pytest.approx(np.sqrt(8 * SPRING / 39.948) * unit, rel=0.02)
    # a crystal of low frequencies at 300 K: 3 k_B but for (h f / k T)²/12 a mode
    quantum = 1 - (6.62607015e-34 * 1e12) ** 2 * expected / (1.380649e-23 * 300) ** 2 / 12
    assert found["heat_capacity_kB"] == pytest.approx(3 * quantum * points, rel=2e-3)
    # by elasticity c11 = 2 c12 = 2 c44 = 2 springs / a; along the axes both velocities follow, elsewhere they lie near
    along = np.sqrt(2 * SPRING * A**2 / 4 / 39.948) * unit * 2 * np.pi * 100
    assert along < found["sound_long"] < 1.2 * along
    assert 0.5 * along < found["sound_trans"] < along / np.sqrt(2) * 1.001
    assert np.isnan(found["optical_min"])
    assert found["volume_atom"] == pytest.approx(A**3 / 4)
    # C v² / (3 V) with the heat capacity and the weighted velocity
    transport = found["heat_capacity_kB"] * 1.380649e-23 * found["velocity_mean"] ** 2 / (3 * A**3 / 4 * 1e-30)
    assert found["transport_integral"] == pytest.approx(transport, rel=1e-6)


def test_charges_that_cannot_be_read_are_left_out() -> None:
    assert read_archive(made(BORN="default\nwrong"))[1]["nac"] == 0.0


BAD = {
    "nothing": (b"", "cut off"),
    "junk": (b"not an archive at all", "LZMAError"),
    "no tar": (lzma.compress(b"x" * 5000), "ReadError"),
    "other files": (pack(("README", "hello")), "no POSCAR-unitcell and no FORCE_SETS and no phonopy.conf"),
    "no forces": (pack(("POSCAR-unitcell", POSCAR), ("phonopy.conf", CONF)), "no FORCE_SETS"),
    "twice": (pack(("a/FORCE_SETS", "1"), ("b/FORCE_SETS", "2")), "FORCE_SETS is there twice"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_archives(kind: str) -> None:
    archive, reason = BAD[kind]
    with pytest.raises(DatasetError, match=rf"mp-1: .*{reason}.*; fetch the archive again"):
        read_archive(archive, source="mp-1")


def test_a_cut_archive() -> None:
    archive = made()
    with pytest.raises(DatasetError, match="cut off"):
        read_archive(archive[: len(archive) // 2])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"phonopy.conf": "DIM = 90 90 90"}, "a supercell of more than 2000 sites"),
        ({"phonopy.conf": "DIM = 1/0 1 1"}, "ZeroDivisionError"),
        ({"phonopy.conf": "MESH = 2 2 2"}, "KeyError: 'DIM'"),
        ({"POSCAR-unitcell": POSCAR.replace("0 .5 .5", "0 0 0")}, "overlap"),
        ({"POSCAR-unitcell": "MgO"}, "archive: "),
        ({"FORCE_SETS": "4\n1\n"}, "archive: "),
    ],
)
def test_bad_files(changes: dict[str, str], reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        read_archive(made(**changes))


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = lzma.compress(bytes(1 << 20), format=lzma.FORMAT_ALONE)
    assert len(bomb) < 1000
    monkeypatch.setattr(phonondb, "MAX_UNPACKED", 1 << 18)
    with pytest.raises(DatasetError, match="unpacks to more than 0 MiB"):
        read_archive(bomb)
    monkeypatch.setattr(phonondb, "MAX_PACKED", 100)
    with pytest.raises(DatasetError, match="more than 0 MiB"):
        read_archive(bomb)


def test_members_are_not_written_where_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = {"POSCAR-unitcell": POSCAR, "FORCE_SETS": force_sets(), "phonopy.conf": CONF}
    archive = pack(*((f"../../{tmp_path}/{name}", text) for name, text in files.items()), ("evil.py", "boom"))
    assert read_archive(archive)[0].formula == "Ar"
    assert list(tmp_path.iterdir()) == []


def test_links_do_not_count() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("x/POSCAR-unitcell")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(entry)
    with pytest.raises(DatasetError, match="no POSCAR-unitcell"):
        read_archive(lzma.compress(buffer.getvalue()))


def test_without_phonopy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "phonopy", None)
    with pytest.raises(DatasetError, match=r"pip install 'paraisite\[phonons\]'"):
        read_archive(b"")
