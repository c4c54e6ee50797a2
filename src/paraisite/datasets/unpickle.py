"""`read_pickle`: what a pickle says, as plain data. Nothing in the file, and nothing that it names, is ever run.

A pickle is a program for a small stack machine. Python's own `pickle` runs it: names in the file are imported and
called. Here the program is only followed. `pickletools.genops` cuts the file into instructions, which it does without
executing any, and the class below keeps the stack. A name (`pymatgen.core.structure Structure`) becomes a `Name`, two
texts; calling it with arguments becomes a `Record`, which notes the name, arguments and the state set afterwards. No
name is looked up, imported or called, so no file can have an effect. A list of known names, everything else being
refused, tells people early, and by name, that a file is not what it should be.

What is left for a hostile file is to use up memory and time. The number of bytes and of instructions is limited, no
instruction costs more than the bytes it stands on, nothing recurses, and what is put into dictionaries cannot collide.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paraisite.datasets.table import DatasetError

MAX_BYTES = 64 << 20
"""Largest pickle that is read. The study's take 680 bytes a crystal."""

MAX_INSTRUCTIONS = 10_000_000
"""Most instructions that are followed; they take up at most about 100 bytes of memory each."""

REMEDY = "export the data as id_prop (id_prop.csv and CIFs) or as JSON instead, and import that"

NUMPY_NAMES = frozenset(
    {
        ("_codecs", "encode"),  # how protocols 0 to 2 write bytes, and
        *((builtins, "bytes") for builtins in ("__builtin__", "builtins")),  # none at all
        *((builtins, "slice") for builtins in ("__builtin__", "builtins")),
        ("copy_reg", "_reconstructor"),  # how protocols 0 and 1 make an object; its state follows
        ("copyreg", "_reconstructor"),
        *((builtins, "object") for builtins in ("__builtin__", "builtins")),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
        *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
    }
)
"""Module and name of what arrays are written with."""

_DTYPES = frozenset({"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"})
_OBJECTS = frozenset({"O", "O4", "O8"})

_LITERALS = frozenset(
    """INT BININT BININT1 BININT2 LONG LONG1 LONG4 NONE FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING
    UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8""".split()
)
_REFUSED = {
    **dict.fromkeys(("INST", "OBJ"), "builds an object as Python 2 does"),
    "NEWOBJ_EX": "builds an object with named arguments",
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), "refers to the registry of extensions of the program that wrote it"),
    **dict.fromkeys(("PERSID", "BINPERSID"), "refers to an object outside of the file"),
    **dict.fromkeys(("NEXT_BUFFER", "READONLY_BUFFER"), "refers to a buffer outside of the file"),
}
_MISSING = object()

Values = list[Any] | np.ndarray
"""Content of an array: objects, or numbers."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Name:
    """Module and name that a pickle mentions."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False, repr=False)
class Record:
    """An object as a pickle describes it: the class or function, its arguments, the state set afterwards."""

    kind: Name
    arguments: tuple[Any, ...]
    position: int
    state: Any = _MISSING

    @property
    def fields(self) -> dict[Any, Any]:
        """The state, if it is one of named attributes; else nothing."""
        return self.state if isinstance(self.state, dict) else {}

    def is_a(self, *names: str) -> bool:
        """Whether the class or function bears one of the names (without the module)."""
        return self.kind.name in names


class _Refused(Exception):
    """An instruction is not followed; the message says why."""


def read_pickle(path: str | Path, names: Collection[tuple[str, str]] = NUMPY_NAMES) -> Any:
    """Return what a pickle describes, made of plain data, `Name` and `Record`; nothing is run.

    Parameters
    ----------
    path : str or Path
        The file; any protocol.
    names : collection of (module, name)
        What it may mention.

    Returns
    -------
    object
        Numbers, texts, bytes, None, lists, tuples, dictionaries, `Name` and `Record`. They may refer to one another in
        circles and be nested to any depth: look into them level by level, and neither compare nor print them.

    Raises
    ------
    DatasetError
        If the file cannot be read, is none, is too large, or does or mentions anything else. It names the byte.
    """
    path = Path(path)
    data = _read(path)
    follower, position, n = _Follower(names), 0, 0
    try:
        for n, (instruction, argument, at) in enumerate(pickletools.genops(data), start=1):
            position = at or 0
            if n > MAX_INSTRUCTIONS:
                raise _Refused(f"more than {MAX_INSTRUCTIONS} instructions")
            follower.follow(instruction.name, argument, position)
    except _Refused as error:
        raise DatasetError(f"{path}: byte {position}: {error}. None of it was run; {REMEDY}") from None
    except (ValueError, OverflowError, EOFError) as error:
        if n == 0:
            raise DatasetError(f"{path}: not a pickle; {REMEDY}") from error
        raise DatasetError(
            f"{path}: byte {position}: the pickle cannot be read beyond here; it may be cut off or damaged: copy it "
            f"again, or {REMEDY}"
        ) from error
    if position + 1 != len(data):
        raise DatasetError(
            f"{path}: byte {position + 1}: {len(data) - position - 1} more after the end of the pickle; {REMEDY}"
        )
    return follower.result


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise DatasetError(f"{path}: there is no such file; check the path")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror or error}); check its permissions") from error
    if len(data) > MAX_BYTES:
        raise DatasetError(f"{path}: larger than {MAX_BYTES >> 20} MiB; {REMEDY}")
    if data.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"PK\x03\x04")):
        raise DatasetError(f"{path}: packed; unpack it (gunzip, bunzip2, unxz, unzip) and give the pickle itself")
    return data


class _Follower:
    """The stack of the machine; marks cut it into pieces."""

    def __init__(self, names: Collection[tuple[str, str]]) -> None:
        self.names = frozenset(names)
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.encoded: dict[int, tuple[str, bytes]] = {}
        self.result: Any = None

    def encode(self, text: str) -> bytes:
        """Return a text as bytes, the same ones each time that the file names it again."""
        if id(text) not in self.encoded:
            self.encoded[id(text)] = text, text.encode("latin-1")  # with the text, whose id another could have later
        return self.encoded[id(text)][1]

    def follow(self, instruction: str, argument: Any, position: int) -> None:
        """Follow one instruction."""
        if instruction in _LITERALS:
            self.stack.append(argument)
            return
        match instruction:
            case "MEMOIZE":
                self.memo[len(self.memo)] = self.top()
            case "BINGET" | "LONG_BINGET" | "GET":
                if argument not in self.memo:
                    raise _Refused("it refers to something that it did not define; it is damaged")
                self.stack.append(self.memo[argument])
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                if not 0 <= argument <= position:  # picklers count upwards; anything else could be made to collide
                    raise _Refused("its memo indices are invalid")
                self.memo[argument] = self.top()
            case "MARK":
                self.below.append(self.stack)
                self.stack = []
            case "NEWTRUE" | "NEWFALSE":
                self.stack.append(instruction == "NEWTRUE")
            case "EMPTY_TUPLE":
                self.stack.append(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                items = [self.pop() for _ in range(int(instruction[-1]))]
                self.stack.append(tuple(reversed(items)))
            case "TUPLE":
                items = self.pop_to_mark()
                self.stack.append(tuple(items))
            case "EMPTY_LIST":
                self.stack.append([])
            case "LIST":
                items = self.pop_to_mark()
                self.stack.append(items)
            case "APPEND":
                item = self.pop()
                self.list_().append(item)
            case "APPENDS":
                items = self.pop_to_mark()
                self.list_().extend(items)
            case "EMPTY_DICT":
                self.stack.append({})
            case "DICT":
                items = self.pop_to_mark()
                self.stack.append({})
                self.set_items(items)
            case "SETITEM":
                value, key = self.pop(), self.pop()
                self.set_items([key, value])
            case "SETITEMS":
                self.set_items(self.pop_to_mark())
            case "GLOBAL":
                module, _, name = argument.partition(" ")
                self.name(module, name)
            case "STACK_GLOBAL":
                name, module = self.pop(), self.pop()
                self.name(module, name)
            case "NEWOBJ" | "REDUCE":
                arguments, kind = self.pop(), self.pop()
                self.stack.append(self.record(kind, arguments, position))
            case "BUILD":
                state, record = self.pop(), self.top()
                if not isinstance(record, Record) or record.state is not _MISSING:
                    raise _Refused("it sets the state of an object that cannot have one or already has one")
                record.state = state
            case "BYTEARRAY8":
                self.stack.append(bytes(argument))
            case "POP":
                if self.stack:
                    self.stack.pop()
                else:
                    self.pop_to_mark()
            case "POP_MARK":
                self.pop_to_mark()
            case "PROTO" | "FRAME":
                pass  # the protocol shows in the instructions; frames only help to read ahead
            case "STOP":
                if self.below or len(self.stack) != 1:
                    raise _Refused("it ends with unused objects; it is damaged")
                self.result = self.stack.pop()
            case _:
                why = _REFUSED.get(instruction, "is not used for crystals and tables")
                detail = f" ({_short(argument)})" if argument is not None else ""
                raise _Refused(f"the instruction {instruction}{detail} {why}")

    def top(self) -> Any:
        if not self.stack:
            raise _Refused("it reads from an empty stack; it is damaged")
        return self.stack[-1]

    def pop(self) -> Any:
        self.top()
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        if not self.below:
            raise _Refused("it reads from an empty stack; it is damaged")
        items, self.stack = self.stack, self.below.pop()
        return items

    def list_(self) -> list[Any]:
        found = self.top()
        if type(found) is not list:
            raise _Refused("it appends to something that is not a list")
        return found

    def set_items(self, items: list[Any]) -> None:
        found = self.top()
        if type(found) is not dict:
            raise _Refused("it sets items of something that is not a dictionary")
        if len(items) % 2:
            raise _Refused("a dictionary has a key without a value; it is damaged")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # texts and records have hashes that a file cannot choose
            if not isinstance(key, (str, Record)):
                raise _Refused("a dictionary has a key that is not a text")
            found[key] = value

    def name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise _Refused("it gives a name that is not text")
        if (module, name) not in self.names:
            raise _Refused(f"it names {_short(f'{module}.{name}')}, which is not known to be data")
        self.stack.append(Name(module, name))

    def record(self, kind: Any, arguments: Any, position: int) -> Any:
        if not isinstance(kind, Name) or type(arguments) is not tuple:
            raise _Refused("it calls something that is not a name, or without arguments")
        match kind.module, kind.name:
            case (("copyreg" | "copy_reg"), "_reconstructor"):
                if len(arguments) != 3 or not isinstance(arguments[0], Name) or arguments[2] is not None:
                    raise _Refused(f"it calls {kind} with other arguments than a class, object and None")
                return Record(arguments[0], (), position)
            case ("_codecs", "encode"):
                if len(arguments) != 2 or not isinstance(arguments[0], str) or arguments[1] != "latin1":
                    raise _Refused(f"it calls {kind} with other arguments than a text and latin1")
                return self.encode(arguments[0])
            case (("__builtin__" | "builtins"), "bytes"):
                if arguments:
                    raise _Refused(f"it calls {kind} with arguments")
                return b""
        return Record(kind, arguments, position)


def _short(value: object) -> str:
    """Show a text or number of the file, shortened, with nothing in it that a terminal would obey."""
    text = ascii(value) if isinstance(value, (str, bytes, bool, float)) else f"number {value}"
    return text if len(text) <= 80 else f"{text[:80]}…"


def to_values(value: Any) -> Values:
    """Return the content of an array: numbers as a `numpy.ndarray` (not to be changed), objects as nested lists.

    Parameters
    ----------
    value : Record, list or tuple
        What `read_pickle` gives for an array of the number types of numpy or of objects; lists stay as they are.

    Raises
    ------
    ValueError
        If it is not an array, or one of another kind, or its parts do not fit.
    """
    if isinstance(value, (list, tuple)):
        return list(value)
    if not isinstance(value, Record):
        raise ValueError("not an array")
    if value.is_a("_frombuffer"):
        data, kind, shape, order = _parts(value.arguments, 4)
    elif value.is_a("_reconstruct"):
        _, shape, kind, fortran, data = _parts(value.state, 5)
        if not isinstance(fortran, bool):
            raise ValueError("an array does not say in which order its numbers are")
        order = "F" if fortran else "C"
    else:
        raise ValueError(f"{_short(str(value.kind))} is not an array")
    if not isinstance(shape, tuple) or len(shape) > 4 or not all(type(n) is int and 0 <= n <= MAX_BYTES for n in shape):
        raise ValueError("an array has an impossible shape")
    code = _dtype(kind)
    size = math.prod(shape)
    if code in _OBJECTS:
        if not isinstance(data, list) or len(data) != size:
            raise ValueError("an array of objects does not hold as many as its shape says")
        for n in reversed(shape[1:]):  # numpy lists objects in C order, whatever the array's order in memory
            data = [data[i : i + n] for i in range(0, len(data), n)] if n else []
        return list(data)
    if not isinstance(order, str) or order not in ("C", "F"):
        raise ValueError("an array does not say in which order its numbers are")
    array = np.frombuffer(_raw(data), dtype=code)
    if len(array) != size:
        raise ValueError("an array of numbers does not hold as many as its shape says")
    return array.reshape(shape, order="F" if order == "F" else "C")


def to_scalar(value: Any) -> Any:
    """Return a number of numpy as one of Python; anything else comes back as it is.

    Raises
    ------
    ValueError
        If it is a scalar of another kind than the number types of numpy.
    """
    if not isinstance(value, Record) or not value.is_a("scalar"):
        return value
    kind, data = _parts(value.arguments, 2)
    code = _dtype(kind)
    if code in _OBJECTS:
        raise ValueError("a scalar is an object, not a number")
    found = np.frombuffer(_raw(data), dtype=code)
    if len(found) != 1:
        raise ValueError("a scalar does not hold one number")
    return found[0].item()


def _parts(value: Any, n: int) -> tuple[Any, ...]:
    if not isinstance(value, tuple) or len(value) != n:
        raise ValueError("an array is not written as numpy does it")
    return value


def _raw(data: Any) -> bytes:
    if isinstance(data, str):
        return data.encode("latin-1")  # numpy arrays of Python 2
    if not isinstance(data, bytes):
        raise ValueError("an array of numbers holds something that is not bytes")
    return data


def _dtype(value: Any) -> str:
    """Code of a number type with its byte order, or of objects."""
    if not isinstance(value, Record) or not value.is_a("dtype") or not value.arguments:
        raise ValueError("an array has no type")
    code, state = value.arguments[0], value.state
    if not isinstance(code, str) or code not in _DTYPES | _OBJECTS:
        raise ValueError(f"an array is of type {_short(code) if isinstance(code, str) else 'unknown'}, not of numbers")
    if code in _OBJECTS:
        return code
    order = state[1] if isinstance(state, tuple) and len(state) > 1 else "|"
    return f"{order}{code}" if isinstance(order, str) and order in ("<", ">") else code
