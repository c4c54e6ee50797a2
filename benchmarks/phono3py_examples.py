"""Conductivities from the force sets that phono3py publishes: by its own program, and by this package's stages.

    python benchmarks/phono3py_examples.py [--sdist phono3py-4.10.0.tar.gz] [--json FILE]

phono3py's source distribution holds, as examples, forces computed by density functional theory: silicon and zincblende
ZnTe by finite displacements (ZnTe with Born charges), NaCl by random snapshots with a second order of its own. Its own
program (`phono3py-load`) is run as its README says; ours fits force constants and computes the conductivity with the
functions that `paraisite verify` runs. Without --sdist the distribution is downloaded from PyPI and its sha256 checked.
Nothing is unpacked but the files named here.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import h5py
import phono3py
from rich.console import Console
from rich.table import Table

from paraisite.network.downloading import Remote, cache_folder, download
from paraisite.phonons.force_constants import Displacements, count_free, fit
from paraisite.phonons.mesh import converge
from paraisite.phonons.settings import Settings

VERSION = "4.10.0"
SDIST = Remote(
    "https://files.pythonhosted.org/packages/46/85/dd60dd0678ba8a3ec90d447589f830a736f46caf47ed278e6c14c4be713c/"
    f"phono3py-{VERSION}.tar.gz",
    "80bbec50d2d11c11e2629e4b52626a08f6d7d527fea0b015346b4bd56670beeb",
    bytes=11995507,
)
EXAMPLES = {
    "Si (PBEsol)": ("Si-PBEsol", "phono3py_disp.yaml", ("FORCES_FC3",), False, 11),
    "ZnTe (PBEsol)": ("zb-ZnTe-PBEsol", "phono3py_params_ZnTe.yaml.xz", (), False, 11),
    "NaCl (PBEsol)": ("NaCl-rd", "phono3py_params_NaCl.yaml.xz", (), True, 11),
}
"""Folder, file of cells and forces, other files, whether displacements are random, mesh."""
LARGEST = 50_000_000


def unpack(sdist: Path, example: str, names: list[str], folder: Path) -> None:
    """Copy files of an example out of the distribution."""
    with tarfile.open(sdist) as archive:
        for name in names:
            member = archive.getmember(f"phono3py-{VERSION}/example/{example}/{name}")
            content = archive.extractfile(member)
            if content is None or member.size > LARGEST:
                raise ValueError(f"{sdist}: {member.name} is no file of an example")
            (folder / name).write_bytes(content.read())


def their_kappa(folder: Path, cells: str, mesh: int, random: bool) -> float:
    """Isotropic conductivity at 300 K by phono3py's own program, W/m/K."""
    program = [str(Path(sys.executable).parent / "phono3py-load"), cells, *(["--symfc"] if random else [])]
    program += ["--mesh", *[str(mesh)] * 3, "--br", "--ts", "300"]
    subprocess.run(program, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    with h5py.File(folder / ("kappa-m" + 3 * str(mesh) + ".hdf5")) as file:
        return float(file["kappa"][0, :3].mean())


def our_kappa(folder: Path, cells: str, mesh: int, random: bool) -> float:
    """The same by this package."""
    forces = folder / "FORCES_FC3"
    ph3 = phono3py.load(
        folder / cells, forces_fc3_filename=forces if forces.is_file() else None, produce_fc=False, log_level=0
    )
    n_free = count_free(ph3, None) if random else 0
    fit(ph3, Displacements(0, 0, n_free, 0, len(ph3.supercell), len(ph3.phonon_supercell), None))
    (done,), _ = converge(ph3, folder, Settings(mesh=(mesh,) * 3))
    return done.at_room(total=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sdist", type=Path, help="phono3py's source distribution, if it is here")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to FILE")
    options = parser.parse_args()
    sdist = options.sdist
    if sdist is None:
        sdist = cache_folder() / Path(SDIST.url).name
        download(SDIST, sdist)
    shown = Table("crystal", "mesh", "phono3py, W/m/K", "paraisite, W/m/K", "ratio")
    rows = []
    for crystal, (example, cells, others, random, mesh) in EXAMPLES.items():
        found = {}
        for who, kappa in (("phono3py", their_kappa), ("paraisite", our_kappa)):
            with tempfile.TemporaryDirectory() as folder:
                unpack(sdist, example, [cells, *others], Path(folder))
                found[who] = kappa(Path(folder), cells, mesh, random)
        rows.append({"crystal": crystal, "mesh": mesh, **found})
        theirs, ours = found.values()
        shown.add_row(crystal, str(mesh), f"{theirs:.2f}", f"{ours:.2f}", f"{ours / theirs:.4f}")
    Console(width=None if os.isatty(1) else 100).print(shown)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
