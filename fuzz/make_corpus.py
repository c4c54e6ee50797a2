"""Make the seeds, fuzz/corpus/TARGET/*: ``python -m fuzz.make_corpus``. All of them are ours, written here."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.targets import CUT, GOOD, LAST, TARGETS, cell, part

CORPUS = Path(__file__).parent / "corpus"

CELL = """data_{name}
_cell_length_a {a}
_cell_length_b {a}
_cell_length_c {c}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma {gamma}
{symmetry}
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
{sites}
"""
SILICON = CELL.format(
    name="Si",
    a="5.43(1)",
    c=5.43,
    gamma=90,
    symmetry="_symmetry_space_group_name_H-M 'F d -3 m :1'\n_symmetry_Int_Tables_number 227\n"
    "_chemical_formula_sum 'Si1'\n_cell_formula_units_Z 8\n_cell_volume 160.1",
    sites="Si1 Si 0 0 0 1",
)
ZINC_OXIDE = CELL.format(
    name="ZnO",
    a=3.25,
    c=5.2,
    gamma=120,
    symmetry="_space_group_IT_number 186\nloop_\n_space_group_symop_operation_xyz\nx,y,z\n-x,-y,z+1/2\n-y,x-y,z\n"
    "-x+y,-x,z\ny,-x+y,z+1/2\nx-y,x,z+1/2\n-y,-x,z\nx,x-y,z\n-x+y,y,z\ny,x,z+1/2\n-x,-x+y,z+1/2\nx-y,-y,z+1/2",
    sites="Zn1 Zn2+ 0.3333 0.6667 0 1\nO1 O2- 0.3333 0.6667 0.38 1",
)
ALLOY = CELL.format(
    name="alloy", a=4.1, c=4.1, gamma=90, symmetry="_symmetry_space_group_name_Hall '-P 4 2 3'",
    sites="M1 Cu 0 0 0 0.6\nM2 Au 0 0 0 0.4\nM3 . 0.5 0.5 0 0.5",
)  # fmt: skip
PLAIN = f"data_x\n{LAST}"
SITES = "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"
CARTESIAN = b"x\n-40\n0 1 1\n1 0 1\n1 1 0\n1\nSelective dynamics\nCartesian\n0 0 0 T T F Si\n"
FRAME = b'Lattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3 pbc="T T T" material_id=mp-1'
EXTENDED = b"2\n" + FRAME + b"\nNa 0 0 0\nCl 2 2 2\n"

PYMATGEN: dict[str, Any] = {
    "@class": "Structure",
    "lattice": {"matrix": [[0, 2.7, 2.7], [2.7, 0, 2.7], [2.7, 2.7, 0]], "pbc": [True, True, True]},
    "sites": [
        {"species": [{"element": "Si", "occu": 1}], "abc": [0, 0, 0], "label": "Si"},
        {"species": [{"element": "Si", "occu": 0.5}, {"element": "Ge", "occu": 0.5}], "abc": [0.25, 0.25, 0.25]},
    ],
}
JARVIS: dict[str, Any] = {
    "lattice_mat": [[3, 0, 0], [0, 3, 0], [0, 0, 3]],
    "coords": [[0, 0, 0], [0.5, 0.5, 0.5]],
    "elements": ["Cs", "Cl"],
    "cartesian": False,
}
OPTIMADE: dict[str, Any] = {
    "lattice_vectors": [[3, 0, 0], [0, 3, 0], [0, 0, 3]],
    "cartesian_site_positions": [[0, 0, 0]],
    "species_at_sites": ["Po"],
    "species": [{"name": "Po", "chemical_symbols": ["Po", "vacancy"], "concentration": [0.9, 0.1]}],
    "dimension_types": [1, 1, 1],
    "structure_features": [],
}
ASE: dict[str, Any] = {
    "numbers": {"__ndarray__": [[1], "int64", [29]]},
    "positions": {"__ndarray__": [[1, 3], "float64", [0.0, 0.0, 0.0]]},
    "cell": {"array": {"__ndarray__": [[3, 3], "float64", [0, 1.8, 1.8, 1.8, 0, 1.8, 1.8, 1.8, 0]]}},
    "pbc": {"__ndarray__": [[3], "bool", [True, True, True]]},
}
DOCUMENTS: dict[str, Any] = {
    "pymatgen": PYMATGEN,
    "jarvis": {"jid": "JVASP-1", "atoms": JARVIS},
    "optimade": {"data": [{"id": "1", "type": "structures", "attributes": OPTIMADE}], "meta": {}},
    "ase": ASE,
    "ase-database": {"1": {**ASE, "key_value_pairs": {"id": "a"}}, "ids": [1], "nextid": 2},
    "list": [{"material_id": "mp-1", "structure": PYMATGEN}, JARVIS],
    "columns": {"structure": {"0": JARVIS, "1": PYMATGEN}, "k": {"0": 1, "1": 2}},
    "split": {"columns": ["structure"], "index": [0], "data": [[JARVIS]]},
    "cif": {"id": {"string": "c"}, "cif": PLAIN},
    "text": {"structure": json.dumps(JARVIS)},
    "no-rows": {"columns": ["structure"], "index": [0], "data": []},
}
ROW = [
    b"i:55 17",
    b"f:0 0 0 2 2 2",
    b"f:4 0 0 0 4 0 0 0 4",
    b"n:7",
    b't:{"id": "x-1", "kappa": 3}',
    b"-:",
]
EXPRESSIONS = (
    "n_elements <= 3 and applicability > 0.1".replace("n_elements", "n_sites"),
    '"Te" in elements or not ("Sr" in elements)',
    '1 < kappa_W_mK < 2 and status == "ok"',
    "log10(kappa_W_mK) * -2 + abs(n_sites) / 3 >= sqrt(2) - 1",
    'n_sites in (2, 4) and "perovskite" in id and id not in ["mp-1", "x"]',
)


def main() -> None:
    for name, seeds in made().items():
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        for seed, content in seeds.items():
            assert len(content) <= TARGETS[name].longest, (name, seed, len(content))
            (folder / seed).write_bytes(content)
    print({name: len(list((CORPUS / name).iterdir())) for name in TARGETS})


def made() -> dict[str, dict[str, bytes]]:
    """Every seed."""
    documents = {f"{name}.json": json.dumps(value).encode() for name, value in DOCUMENTS.items()}
    cifs = {
        "si.cif": SILICON.encode(),
        "zno.cif": ZINC_OXIDE.encode(),
        "alloy.cif": ALLOY.encode(),
        "two.cif": (PLAIN + ZINC_OXIDE).encode(),
    }
    return {
        "cif": cifs,
        "cif-blocks": {**cifs, "empty-loops.cif": ("data_x\n" + SITES + SITES).encode()},
        "poscar": {"gaas.vasp": GOOD, "cartesian.vasp": CARTESIAN, "names.vasp": GOOD.replace(b"Ga As", b"Ga_d/1\nAs")},
        "xyz": {"one.xyz": EXTENDED, "two.xyz": 2 * EXTENDED, "space.xyz": EXTENDED + b"\x1e" + EXTENDED},
        "xyz-frames": {
            "two": CUT.join(
                [FRAME + b"\nNa 0 0 0\nCl 2 2 2", FRAME.replace(b"R:3", b"R:3:occ:R:1") + b"\nFe 0 0 0 1.0"]
            ),
            "json": FRAME + b' info=_JSON{"a":1} occupancy="_JSON {\\"0\\": {\\"Na\\": 0.5}}"\nNa 0 0 0',
        },
        "json-document": documents,
        "json-list": {**documents, "empty": b"[]", "null": b"null"},
        "json-lines": {"three.jsonl": b"\n".join([*documents.values()][:3]), "blank.jsonl": b"\n{}\n \n[1]\n"},
        "ase-db": {"two.db": _database()},
        "ase-rows": {
            "two": CUT.join([*ROW, *ROW]),
            "short": CUT.join(ROW[:3]),
            "text": CUT.join([*ROW[:4], b"u:\x98", b"-:", *ROW]),
        },
        "archive": _archives(),
        "members": {
            kind.decode(): CUT.join(
                [kind, b"1234567\n" + GOOD, b"\n" + EXTENDED, b"12345678\n" + documents["ase.json"]]
            )
            for kind in (b"zip", b"zipd", b"zipl", b"zipdz", b"tar", b"tarz")
        },
        "where": {str(i): text.encode() for i, text in enumerate(EXPRESSIONS)},
        "pickle": _pickles(),
        "model": _models(),
        "screening": _screenings(),
    }


def _database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.db"
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("pragma page_size = 512")
            database.execute(
                "create table systems (id integer primary key, numbers blob, positions blob, cell blob, pbc integer, "
                "key_value_pairs text, data blob)"
            )
            database.execute("create table information (name text, value text)")
            database.execute("insert into information values ('version', '9')")
            row = [cell(value) for value in ROW]
            for _ in range(2):
                database.execute(
                    "insert into systems (numbers, positions, cell, pbc, key_value_pairs, data) values (?,?,?,?,?,?)",
                    row,
                )
            database.commit()
        return path.read_bytes()


def _archives() -> dict[str, bytes]:
    def zipped(method: int) -> bytes:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            for name in ("a.vasp", "b.cif"):
                archive.writestr(zipfile.ZipInfo(name), GOOD if name == "a.vasp" else PLAIN, method)
        return made.getvalue()

    def tarred(form: int) -> bytes:
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w", format=form) as archive:
            for name in ("a.vasp", "a" * 120 + ".vasp"):
                info = tarfile.TarInfo(name)
                info.size = len(GOOD)
                archive.addfile(info, io.BytesIO(GOOD))
        return made.getvalue()

    tar = tarred(tarfile.GNU_FORMAT)
    return {
        "stored.zip": zipped(zipfile.ZIP_STORED),
        "deflated.zip": zipped(zipfile.ZIP_DEFLATED),
        "bzip2.zip": zipped(zipfile.ZIP_BZIP2),
        "lzma.zip": zipped(zipfile.ZIP_LZMA),
        "gnu.tar": tar,
        "pax.tar": tarred(tarfile.PAX_FORMAT),
        "tar.gz": gzip.compress(tar, mtime=0),
        "tar.xz": lzma.compress(tar),
        "xyz.bz2": bz2.compress(EXTENDED),
        "json.gz": gzip.compress(json.dumps(JARVIS).encode(), mtime=0),
    }


def _pickles() -> dict[str, bytes]:
    import pandas as pd
    from pymatgen.core import Lattice, Structure

    structure = Structure(Lattice.cubic(4.2), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    frame = pd.DataFrame({"mpd_id": [1, 2], "TC": [1.5, 2.5], "structure": [structure, structure]})
    hostile = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."
    return {
        **{f"frame-{protocol}.bin": pickle.dumps(frame, protocol) for protocol in (2, 4)},
        "structures.bin": pickle.dumps([structure], 4),
        "values-0.bin": pickle.dumps([1.0, 2.5], 0),
        "values-4.bin": pickle.dumps(np.array([1.0, 2.5]), 4),
        "objects.bin": pickle.dumps(np.array([1.0, "a", None], dtype=object), 4),
        "hostile.bin": hostile,
        "no-number.bin": b"(F1x\n.",
    }


def _models() -> dict[str, bytes]:
    import torch
    from safetensors.numpy import save
    from safetensors.torch import save as save_tensors

    from paraisite.model.checkpoint import Card, NetworkCard, round_weights
    from paraisite.model.megnet import MEGNetConfig
    from paraisite.model.model import HeadConfig, Model, ModelConfig
    from paraisite.model.targets import TargetTransform

    torch.manual_seed(0)

    def written(members: int, *, kernel: Mapping[str, np.ndarray] | None = None) -> bytes:
        shape = MEGNetConfig(
            elements=(31, 33), embedding=2, gaussians=3, dense=(3, 2), convolution=(3, 2), blocks=1, set2set_steps=1,
            readout=(3, 2),
        )  # fmt: skip
        config = ModelConfig(members=members, encoder=shape, head=HeadConfig(attach="vector", hidden=(3,)))
        transform = TargetTransform(kind="log10", shift=(1.0,) * members, scale=(0.3,) * members)
        network = round_weights(Model(config, {"kappa": transform}))
        card = Card(
            name="x", kappa=NetworkCard(config=config, transforms=network.transforms), kernel=kernel is not None
        )
        weights = save_tensors({name: value.half().contiguous() for name, value in network.state_dict().items()})
        parts = [card.model_dump_json().encode(), weights, b"", save(dict(kernel)) if kernel else b""]
        return CUT.join([*parts, b"formula,id,dataset,kappa_W_mK\nGaAs,mp-1,l96,45.0\n"])

    return {"one": written(1), "two": written(2)}


def _screenings() -> dict[str, bytes]:
    import hashlib

    manifest = json.dumps({"sources": [{"input": "x.zip", "bytes": 10}], "level": 0.9}).encode()
    parts = [part(1), part(2)]
    listed = [
        json.dumps({"part": i, "rows": i + 1, "sha256": hashlib.sha256(content).hexdigest()}).encode()
        for i, content in enumerate(parts)
    ]
    done = b"\n" + b"\n".join(listed)
    return {
        "begun": CUT.join([manifest]),
        "half": CUT.join([manifest, b"\n" + listed[0], parts[0]]),
        "whole": CUT.join([manifest, done, *parts]),
        "changed": CUT.join([manifest.replace(b"0.9", b"0.8"), done, *parts]),
        "finished": CUT.join([b"", b"", b"", b"", parts[0]]),
    }


if __name__ == "__main__":
    main()
