"""Good inputs of every format, damaged at random: each still ends in items, and no reader meets a surprise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bad_inputs import _tar, _zip, cif, structure
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paraisite.crystals import Crystal, Rejection, read

HEADER = 'Lattice="3.3 0 0 0 3.3 0 0 0 3.3" Properties=species:S:1:pos:R:3 pbc="T T T"'
TEXTS = {
    "a.cif": cif(),
    "b.cif": cif(group="loop_\n_symmetry_equiv_pos_as_xyz\n'x,y,z'\n'-x,-y,-z'"),
    "a.vasp": "NaCl\n1.0\n0 2.8 2.8\n2.8 0 2.8\n2.8 2.8 0\nNa Cl\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n",
    "a.xyz": f"1\n{HEADER}\nPo 0 0 0\n" * 3,
    "a.json": json.dumps([{"mp_id": "a", "structure": structure()}, {"structure": structure("Cu")}]),
    "a.jsonl": json.dumps(structure()) + "\n" + json.dumps(structure("Cu")),
}
TOKENS = [b"nan", b"-1", b"1e999", b"?", b"'", b"\0", b"\xff", b"[", b"{", b"null", b"9" * 20, b"\n", b"loop_", b"[]"]


def seed(name: str, folder: Path) -> bytes:
    """Content of a good file of the name's format."""
    if name in TEXTS:
        return TEXTS[name].encode()
    members: dict[str, str | bytes] = {"a.cif": TEXTS["a.cif"], "b.vasp": TEXTS["a.vasp"]}
    if name == "a.db":
        from ase.build import bulk
        from ase.db import connect

        connect(folder / "seed.db").write(bulk("Cu"))
        return (folder / "seed.db").read_bytes()
    path = folder / f"seed-{name}"
    packed = _zip(path, members) if name == "a.zip" else _tar(path, members, "w" if name == "a.tar" else "w:gz")
    return packed.read_bytes()


damage = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 30), st.sampled_from([b"", *TOKENS])), min_size=1, max_size=4
)


@pytest.mark.parametrize("name", [*TEXTS, "a.db", "a.zip", "a.tar", "a.tar.gz"])
def test_damaged_file_never_surprises(name: str, tmp_path: Path) -> None:
    good = seed(name, tmp_path)
    path = tmp_path / name
    path.write_bytes(good)
    assert all(isinstance(item, Crystal) for item in read([path]))

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(damage)
    def damaged(edits: list[tuple[float, int, bytes]]) -> None:
        data = bytearray(good)
        for place, length, token in edits:
            start = int(place * len(data))
            data[start : start + length] = token
        path.write_bytes(bytes(data))
        items = list(read([path]))
        assert items
        for item in items:
            if isinstance(item, Rejection):
                assert item.reason
                assert "please report" not in item.reason

    damaged()
