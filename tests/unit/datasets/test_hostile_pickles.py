"""Pickles that try to run code, or to use up memory and time: each is refused, and none of it ran.

A reader that did run them would create the file `ran`; that Python's own `pickle` does so with these very bytes is
tested first, so that the absence of the file means something.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paraisite.datasets import unpickle
from paraisite.datasets.study_pickles import STUDY_NAMES, read_study
from paraisite.datasets.table import DatasetError
from paraisite.datasets.unpickle import read_pickle

RAN = "ran"


class Call:
    """Pickles as a call of a function: `__reduce__`, the usual way to run code."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value.encode())]) + value.encode()


def named(module: str, name: str) -> bytes:
    """STACK_GLOBAL of a module and a (perhaps dotted) name."""
    return text(module) + text(name) + b"\x93"


def call(module: str, name: str, *arguments: bytes) -> bytes:
    return named(module, name) + b"(" + b"".join(arguments) + b"tR"


def whole(body: bytes, protocol: int = 4) -> bytes:
    return b"\x80" + bytes([protocol]) + body + b"."


def by_hand(module: str, name: str, argument: str, protocol: int = 0) -> bytes:
    """GLOBAL and REDUCE in the text protocol."""
    return f"c{module}\n{name}\n(V{argument}\ntR.".encode()


TOUCH = f"touch {RAN}"
OPEN = f"open({RAN!r}, 'w').close()"

RUNNING: dict[str, bytes] = {
    **{f"os.system, protocol {p}": pickle.dumps(Call(os.system, TOUCH), p) for p in range(6)},
    "os.system by its own name": by_hand("os", "system", TOUCH),
    "posix.system": whole(call("posix", "system", text(TOUCH))),
    "nt.system where there is one, else posix": whole(b"cposix\nsystem\n" + text(TOUCH) + b"\x85R"),
    "subprocess.run": pickle.dumps(Call(subprocess.run, ["touch", RAN])),
    "subprocess.Popen": whole(call("subprocess", "Popen", b"]" + text("touch") + b"a" + text(RAN) + b"a")),
    "builtins.eval": pickle.dumps(Call(eval, OPEN)),
    "builtins.exec": pickle.dumps(Call(exec, OPEN)),
    "builtins.exec, Python 2": by_hand("__builtin__", "eval", OPEN),
    "builtins.open": pickle.dumps(Call(open, RAN, "w")),
    "builtins.getattr chain": whole(
        call("builtins", "getattr", call("builtins", "__import__", text("os")), text("system")) + text(TOUCH) + b"\x85R"
    ),
    "dotted name through an allowed module": whole(call("numpy", "f2py.os.system", text(TOUCH))),
    "dotted name": whole(call("os", "path.os.system", text(TOUCH))),
    "INST": f"(S'{TOUCH}'\nios\nsystem\n.".encode(),
    "OBJ": b"(cos\nsystem\n" + text(TOUCH) + b"o.",
    "NEWOBJ, then called": whole(
        named("functools", "partial") + named("os", "system") + text(TOUCH) + b"\x86\x81)R"
    ),
    "NEWOBJ_EX, then called": whole(
        named("functools", "partial") + named("subprocess", "run") + b"\x85}" + text("args") + b"]" + text("touch")
        + b"a" + text(RAN) + b"as\x92)R"
    ),
    "code after what looks complete": whole(b"]0" + call("os", "system", text(TOUCH))),
    "popped from the stack": whole(call("os", "system", text(TOUCH)) + b"0]"),
    "inside a list of values": pickle.dumps([1.5, Call(os.system, TOUCH)]),
    "object array": pickle.dumps(np.array([Call(os.system, TOUCH), 2.5], dtype=object)),
    "array of objects written by hand": whole(
        call("numpy._core.multiarray", "_reconstruct", named("numpy", "ndarray"), b"K\x00\x85", b"C\x01b")
        + b"(K\x01K\x01\x85" + call("numpy", "dtype", text("O8"), b"\x89", b"\x88") + b"\x89]"
        + call("os", "system", text(TOUCH)) + b"atb"
    ),
    "pandas.read_pickle": whole(call("builtins", "exec", text(OPEN)) + call("pandas", "read_pickle", text("x"))),
    "copyreg.__newobj__": whole(
        call("copyreg", "__newobj__", named("functools", "partial"), named("os", "system"), text(TOUCH)) + b")R"
    ),
    "state of a function": whole(
        named("builtins", "eval") + text(OPEN) + b"\x85R0" + named("types", "SimpleNamespace") + b")\x81}b"
    ),
    "key of a dictionary": whole(b"}" + call("os", "system", text(TOUCH)) + b"K\x01s"),
    "reducer of a reducer": pickle.dumps(Call(map, Call(eval, f"lambda x: {OPEN}"), [1])),
}  # fmt: skip
"""Everything here creates the file `ran` when `pickle.load` reads it (or fails right after)."""

NOT_RUNNING_HERE: dict[str, bytes] = {
    "nt.system": whole(call("nt", "system", text(TOUCH))),
    "numpy.load": whole(call("numpy", "load", text("evil.npy"), b"N\x88")),
    "numpy.load through its module": whole(call("numpy.lib.npyio", "load", text("evil.npy"))),
    "torch.load": whole(call("torch", "load", text("evil.pt"))),
    "torch storage": whole(call("torch._utils", "_rebuild_tensor_v2", b"K\x01")),
    "joblib.load": whole(call("joblib", "load", text("evil"))),
    "pandas.read_pickle alone": whole(call("pandas.io.pickle", "read_pickle", text("evil.pkl"))),
    "pandas.eval": whole(call("pandas", "eval", text(OPEN))),
    "pymatgen's own loader": whole(call("monty.json", "MontyDecoder.process_decoded", b"}")),
    "pymatgen's parser of expressions": whole(call("pymatgen.core.structure", "Structure.from_file", text("evil"))),
    "importlib": whole(call("importlib", "import_module", text("os"))),
    "dotted name in an allowed class": whole(call("numpy", "ndarray.tofile", text(RAN))),
    "dunder of an allowed class": whole(call("pymatgen.core.structure", "Structure.__init__.__globals__")),
    "registry of extensions, 1": whole(b"\x82\x01"),
    "registry of extensions, 2": whole(b"\x83\x01\x01"),
    "registry of extensions, 4": whole(b"\x84\x01\x01\x01\x01"),
    "persistent id": b"Pos.system\n.",
    "persistent id from the stack": whole(text("os.system") + b"Q"),
    "buffer outside": whole(b"\x97", 5),
    "read-only buffer outside": whole(b"\x97\x98", 5),
    "datetime": whole(call("datetime", "datetime", b"C\x0a" + bytes(10))),
    "set": whole(b"\x8f(K\x01\x90"),
    "name that is a number": whole(b"K\x01" + text("system") + b"\x93"),
    "call of a text": whole(text("os.system") + b")R"),
    "call of the result of a call": whole(call("builtins", "slice", b"K\x01") + b")R"),
    "arguments that are a list": whole(named("builtins", "slice") + b"]R"),
    "reconstructor of a call": whole(call("copyreg", "_reconstructor", text("x"), named("builtins", "object"), b"N")),
    "reconstructor with a base that does something": whole(
        call("copyreg", "_reconstructor", named("numpy", "ndarray"), named("builtins", "object"), text("state"))
    ),
    "bytes of a number": whole(call("builtins", "bytes", b"J\xff\xff\xff\x7f")),
    "codec that runs something": whole(call("_codecs", "encode", text("x"), text("zlib"))),
    "state of a class": whole(named("pymatgen.core.structure", "Structure") + b"}" + text("x") + b"K\x01sb"),
    "state of a list": whole(b"]}" + text("__class__") + b"K\x01sb"),
    "state set twice": whole(named("builtins", "object") + b")\x81}b}b"),
    "append to an object": whole(named("builtins", "object") + b")\x81K\x01a"),
    "items of an object": whole(named("builtins", "object") + b")\x81" + text("x") + b"K\x01s"),
    "key that is a number": whole(b"}K\x01K\x01s"),
    "memo far away": whole(b"]r\xff\xff\xff\xff"),
    "memo below zero": b"]p-1\n.",
    "memo that is not there": whole(b"h\x07"),
    "reads from an empty stack": whole(b"\x86"),
    "no mark": whole(b"t"),
    "unused objects": whole(b"]]"),
    "open mark": whole(b"(]"),
    "nothing": whole(b""),
    "second pickle behind the first": whole(b"]") + pickle.dumps(Call(os.system, TOUCH)),
    "truncated": pickle.dumps([1.0] * 100)[:-40],
    "no end": b"\x80\x04]",
    "claims 2^62 bytes": whole(b"\x8e" + struct.pack("<Q", 1 << 62)),
    "claims 2^62 bytes of an array": whole(b"\x96" + struct.pack("<Q", 1 << 62), 5),
    "claims 2^63 characters": whole(b"\x8d" + struct.pack("<Q", 1 << 63)),
    "claims a number of 2 GiB": whole(b"\x8b" + struct.pack("<i", (1 << 31) - 1)),
    "number of a million digits": b"L" + b"9" * 1_000_000 + b"L\n.",
    "frame beyond the end": whole(b"\x95" + struct.pack("<Q", 1 << 62) + b"]" + b"\x94" * 3),
    "unknown instruction": whole(b"\xfe"),
    "not text": b"c\xff\xfe\nsystem\n.",
    "escape sequences for the terminal": by_hand("\x1b]0;owned\x07\x1b[2J", "x" * 5000, ""),
    "gzip": b"\x1f\x8b\x08" + bytes(20),
    "zip": b"PK\x03\x04" + bytes(20),
    "empty file": b"",
    "text": b"id,kappa\nmp-1,3.4\n",
}  # fmt: skip

# `frame beyond the end` is good data apart from the claim, and no reader of whole files needs frames
HARMLESS = {"frame beyond the end"}


@pytest.fixture(autouse=True)
def nothing_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / RAN).exists(), "the pickle ran"


def refusal(content: bytes, read: Callable[[Path], object]) -> str:
    path = Path("hostile.pkl")
    path.write_bytes(content)
    before = set(sys.modules)
    with pytest.raises(DatasetError) as error:
        read(path)
    new = {m for m in set(sys.modules) - before if m.split(".")[0] not in ("encodings", "numpy", "paraisite")}
    assert not new, f"the pickle had modules imported: {new}"
    message = str(error.value)
    assert message.startswith("hostile.pkl: ")
    assert len(message) < 600
    assert message.isprintable()
    return message


LOAD_ALL = """
import os, pickle, time
from pathlib import Path
top = Path.cwd()
for folder in sorted(top.iterdir()):
    os.chdir(folder)
    try:
        list(pickle.loads(Path("x.pkl").read_bytes()))
    except Exception:
        pass
time.sleep(0.2)  # for what was started in the background
"""


def test_the_attacks_are_real(tmp_path: Path) -> None:
    """Python's own `pickle` runs them, each in a folder of its own."""
    folders = {case: tmp_path / f"{i:03}" for i, case in enumerate(RUNNING)}
    for case, folder in folders.items():
        folder.mkdir()
        (folder / "x.pkl").write_bytes(RUNNING[case])
    subprocess.run([sys.executable, "-c", LOAD_ALL], cwd=tmp_path, capture_output=True, timeout=120)
    harmless = {case for case, folder in folders.items() if not (folder / RAN).exists()}
    assert harmless <= {"dotted name through an allowed module"}  # not every numpy has `os` there
    assert len(RUNNING) - len(harmless) >= 30


@pytest.mark.parametrize("case", RUNNING)
def test_code_is_refused_and_did_not_run(case: str) -> None:
    message = refusal(RUNNING[case], lambda path: read_pickle(path, STUDY_NAMES))
    assert ": byte " in message
    assert "None of it was run; export the data as id_prop" in message
    assert "names '" in message or "the instruction" in message


@pytest.mark.parametrize("case", sorted(NOT_RUNNING_HERE.keys() - HARMLESS))
def test_everything_else_that_is_not_data_is_refused(case: str) -> None:
    refusal(NOT_RUNNING_HERE[case], lambda path: read_pickle(path, STUDY_NAMES))


def test_a_claim_about_frames_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(NOT_RUNNING_HERE["frame beyond the end"])
    assert read_pickle(tmp_path / "x.pkl") == []


def test_the_message_names_what_it_refused() -> None:
    message = refusal(RUNNING["os.system, protocol 4"], read_pickle)
    assert message.startswith("hostile.pkl: byte ")
    assert "it names 'posix.system'" in message
    message = refusal(RUNNING["INST"], read_pickle)
    assert "the instruction INST ('os system')" in message
    message = refusal(NOT_RUNNING_HERE["registry of extensions, 4"], read_pickle)
    assert "the instruction EXT4 (number 16843009)" in message


def plausible_frame(hidden: Any) -> bytes:
    """A pandas frame like the study's with one thing hidden in a column nobody reads."""
    import pandas as pd

    frame = pd.DataFrame({"TC": [1.0, 2.0], "note": np.array(["x", hidden], dtype=object)})
    frame.columns = pd.Index(["TC", "note"], dtype=object)
    return pickle.dumps(frame, 4)


def test_code_inside_a_plausible_frame() -> None:
    pytest.importorskip("pandas")
    message = refusal(plausible_frame(Call(os.system, TOUCH)), read_study)
    assert "posix.system" in message


def test_code_among_structures() -> None:
    pytest.importorskip("pymatgen")
    from pymatgen.core import Lattice, Structure

    structure = Structure(Lattice.cubic(4.2), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    structure.properties["x"] = Call(os.system, TOUCH)
    message = refusal(pickle.dumps([structure]), read_study)
    assert "posix.system" in message


def test_registered_extension_is_refused_too() -> None:
    """EXT codes reach whatever the running program has registered, past any look at the names."""
    import copyreg

    copyreg.add_extension("os", "system", 240)
    try:
        content = whole(b"\x82\xf0" + text(TOUCH) + b"\x85R")
        assert "EXT1 (number 240)" in refusal(content, read_pickle)
    finally:
        copyreg.remove_extension("os", "system", 240)


def random_damage(content: bytes, seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    damaged = bytearray(content)
    for at in rng.integers(0, len(damaged), 1 + seed % 4):
        damaged[at] = rng.integers(256)
    return bytes(damaged[: len(damaged) - seed % 3])


def test_damaged_files_end_in_an_error() -> None:
    """A few bytes changed at random: never an exception of another kind."""
    numbers, objects = np.arange(6.0).reshape(2, 3), np.array(["x", 1], dtype=object)
    good = pickle.dumps({"a": [numbers, np.float64(2.5), "x", (1, None)], "b": objects})
    for seed in range(400):
        message = refusal(random_damage(good, seed), read_study)  # for the good one is neither structures nor a frame
        assert "hostile.pkl" in message


# memory and time

LIMITS = """
import resource, sys, time
from pathlib import Path
from paraisite.datasets.study_pickles import read_study
from paraisite.datasets.table import DatasetError
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.process_time()
try:
    read_study(Path(sys.argv[1]))
except DatasetError as error:
    print("refused:", error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) // 1024, time.process_time() - start)
"""


def within(path: Path, megabytes: int, seconds: float) -> str:
    """Read in a process that may take so much memory and time; return the refusal."""
    limit = megabytes << 20

    def confine() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limit + (3 << 30), limit + (3 << 30)))  # libraries map about 2 GiB
        resource.setrlimit(resource.RLIMIT_CPU, (120, 120))

    done = subprocess.run(
        [sys.executable, "-c", LIMITS, str(path)], capture_output=True, text=True, preexec_fn=confine, timeout=300
    )
    assert done.returncode == 0, done.stderr
    refused, measured = done.stdout.strip().rsplit("\n", 1)
    used, took = measured.split()
    assert refused.startswith("refused: "), done.stdout
    assert float(used) < megabytes
    assert float(took) < seconds
    return refused


def nested(depth: int) -> bytes:
    return whole(b"]" * depth + b"a" * (depth - 1))


def doubling(times: int) -> bytes:
    """Lists of two references to the list before: 2^times ends, a few bytes each ("billion laughs")."""
    out = io.BytesIO()
    out.write(b"]\x94K\x01a0")
    for i in range(times):
        out.write(b"]\x94(j" + struct.pack("<I", i) + b"j" + struct.pack("<I", i) + b"e0")
    out.write(b"j" + struct.pack("<I", times))
    return whole(out.getvalue())


def same_sites(structures: int, sites: int) -> bytes:
    """Distinct structures of one and the same long list of sites."""
    array = (
        call("numpy._core.multiarray", "_reconstruct", named("numpy", "ndarray"), b"K\x00\x85", b"C\x01b")
        + b"(K\x01%b"
        + call("numpy", "dtype", text("f8"), b"\x89", b"\x88")
        + b"\x89%btb"
    )
    element = call("pymatgen.core.periodic_table", "Element", text("Cs"))
    composition = named("pymatgen.core.composition", "Composition") + b")\x81}" + text("_data") + b"}" + element
    composition += b"K\x01ssb"
    position = array % (b"K\x03\x85", b"C\x18" + bytes(24))
    site = named("pymatgen.core.sites", "PeriodicSite") + b")\x81}(" + text("_frac_coords") + position
    site += text("_species") + composition + b"ub"
    cell = array % (b"K\x03K\x03\x86", b"C\x48" + (5.0 * np.eye(3)).tobytes())
    lattice = named("pymatgen.core.lattice", "Lattice") + b")\x81}" + text("_matrix") + cell + b"sb"
    fields = b"}(" + text("_lattice") + lattice + text("_sites") + b"](" + site + b"\x94" + b"h\x00" * (sites - 1)
    fields += b"eu\x94"
    structure = named("pymatgen.core.structure", "Structure") + b")\x81"
    rest = (structure + b"h\x01b") * (structures - 1)
    return whole(b"](" + structure + fields + b"b" + rest + b"e")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (nested(1_000_000), "no structures"),
        (whole(b"(" * 1_000_000), "unused objects"),
        (whole(b"]\x94" + b"h\x00a" * 300_000), "no structures"),  # a list that holds itself over and over
        (doubling(60_000), "no structures"),
        (whole(b"}" + b"".join(text(f"{i}") + b"}s" for i in range(200_000))), "not a list of structures"),
        (whole(b"](" + b"N2" * 200_000 + b"e"), "the instruction DUP"),
        (same_sites(200, 1000), "no conductivities"),
    ],
    ids=["deep", "marks", "itself", "doubling", "wide", "dup", "shared sites"],
)
def test_bombs_stay_small(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.pkl"
    path.write_bytes(content)
    assert says in within(path, megabytes=500, seconds=20)


def test_instructions_are_limited_and_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.pkl"
    path.write_bytes(whole(b"](" + b"}\x94" * 1_000_000 + b"e"))  # the largest thing that a byte makes, remembered
    assert "no structures" in within(path, megabytes=250, seconds=20)  # so the limit is at about a GiB
    monkeypatch.setattr(unpickle, "MAX_INSTRUCTIONS", 1_999_999)
    with pytest.raises(DatasetError, match=r"byte 2000000: more than 1999999 instructions\. None of it was run"):
        read_pickle(path)


def test_sites_cannot_be_multiplied(tmp_path: Path) -> None:
    structures, targets = tmp_path / "structures_x.pkl", tmp_path / "x.pkl"
    structures.write_bytes(same_sites(200, 1000))
    targets.write_bytes(pickle.dumps([1.0] * 200))
    with pytest.raises(DatasetError, match="more sites than its size can hold"):
        read_study(structures, targets)


def test_too_large_a_file(tmp_path: Path) -> None:
    path = tmp_path / "large.pkl"
    with path.open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(DatasetError, match=r"large\.pkl: larger than 64 MiB; export"):
        read_pickle(path)
