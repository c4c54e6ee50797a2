"""HTTP on loopback: a server whose answers a test decides, and an imitation of AFLOW's AFLUX on top of it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote


@dataclass
class Answer:
    """Status, headers and body; `cut` promises more bytes than are sent, and then hangs up."""

    body: bytes | str | dict[str, Any] | list[Any] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False

    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclass
class Asked:
    """A request: method, path with query (decoded), headers."""

    method: str
    target: str
    headers: Mapping[str, str]


@dataclass
class Loopback:
    """A running server."""

    url: str
    asked: list[Asked]


@contextmanager
def serve(answer: Callable[[Asked], Answer]) -> Iterator[Loopback]:
    """Serve what `answer` says on a free port of 127.0.0.1."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            request = Asked(self.command, unquote(self.path), dict(self.headers))
            asked.append(request)
            reply = answer(request)
            content = reply.content()
            self.send_response(reply.status)
            given = {key.lower() for key in reply.headers}
            for key, value in reply.headers.items():
                self.send_header(key, value)
            if "content-length" not in given:
                self.send_header("Content-Length", str(len(content) * (2 if reply.cut else 1)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)
            if reply.cut:
                self.wfile.flush()
                self.close_connection = True

        do_GET = do_HEAD = do_POST = _answer

        def log_message(self, *args: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *args: object) -> None:  # who asked may have gone
            pass

    server = Quiet(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Loopback(f"http://127.0.0.1:{server.server_address[1]}", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def agl_entries(n: int) -> list[dict[str, Any]]:
    """`n` rocksalts and zincblendes (conventional and primitive cells) as AFLOW would know them."""
    from itertools import product

    corners = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    kinds = {"rocksalt": 0.5, "zincblende": 0.25}
    made: list[dict[str, Any]] = []
    pairs = product(
        ("Mg", "Ca", "Sr", "Ba", "Zn", "Cd", "Be", "Li", "Na", "K", "Rb", "Cs"), ("O", "S", "Se", "Te", "F")
    )
    for i, ((cation, anion), (kind, shift), primitive) in enumerate(product(pairs, kinds.items(), (False, True))):
        a, species = 4.0 + 0.01 * i, sorted((cation, anion))
        here: dict[str, list[list[float]]] = {}
        for symbol, start in zip(species, (0.0, shift), strict=True):
            sites = [[0.0] * 3] if primitive else corners
            here[symbol] = [[(x + start) % 1.0 for x in site] for site in sites]
        count = 1 if primitive else 4
        edge = a / 2**0.5 if primitive else a
        angle = 60.0 if primitive else 90.0
        name = f"{species[0]}1{species[1]}1_ICSD_{100000 + i}"
        made.append(
            {
                "compound": f"{species[0]}{count}{species[1]}{count}",
                "auid": f"aflow:{i:016x}",
                "aurl": f"aflowlib.duke.edu:AFLOWDATA/ICSD_WEB/FCC/{name}",
                "catalog": "ICSD",
                "spacegroup_relax": 225 if kind == "rocksalt" else 216,
                "Pearson_symbol_relax": "cF8",
                "nspecies": 2,
                "geometry": [round(edge, 6)] * 3 + [angle] * 3,
                "species": species,
                "composition": [count, count],
                "positions_fractional": [site for symbol in species for site in here[symbol]],
                "agl_thermal_conductivity_300K": round(50 / (1 + i), 5),
                "agl_debye": 300.0 + i,
                "agl_gruneisen": 1.5,
                "agl_heat_capacity_Cv_300K": 5.0 * count,
                "agl_thermal_expansion_300K": 4e-5,
                "agl_vibrational_entropy_300K_atom": 0.3,
                "agl_vibrational_free_energy_300K_atom": -10.0,
                "agl_bulk_modulus_static_300K": 60.0 + i,
                "ael_bulk_modulus_vrh": None if i % 7 == 3 else 61.0 + i,
                "ael_shear_modulus_vrh": None if i % 7 == 3 else 30.0 + i,
            }
        )
    assert len(made) >= n
    return made[:n]


def aflux(entries: Sequence[Mapping[str, Any]], *, muted: bool = False) -> Callable[[Asked], Answer]:
    """Answer as AFLUX does (arXiv:1612.05130): keywords with conditions, sorted by the first one, paged."""
    always = ("compound", "auid", "aurl", "spacegroup_relax", "Pearson_symbol_relax")

    def answer(asked: Asked) -> Answer:
        path, _, query = asked.target.partition("?")
        if path != "/API/aflux/":
            return Answer("<html>not found</html>", 404)
        words = re.findall(r"([$A-Za-z_0-9]+)(?:\(([^)]*)\))?", query)
        found = list(entries)
        first = words[0][0]
        fields = []
        page, size = 1, 64
        for word, condition in words:
            name = word.lstrip("$")
            if name == "paging":
                page, size = (int(part) for part in condition.split(","))
            elif name == "format":
                assert condition == "json"
            elif name == "catalog":
                found = [entry for entry in found if entry["catalog"] == condition]
            elif name == "species" and condition:
                found = [entry for entry in found if set(condition.split(",")) <= set(entry["species"])]
            else:
                if condition == "*":
                    found = [entry for entry in found if entry.get(name) is not None]
                elif condition:
                    found = [entry for entry in found if str(entry[name]) == condition]
                fields.append(name)
        found.sort(key=lambda entry: entry[first])
        chosen = [
            {key: entry.get(key) for key in dict.fromkeys((*always, *fields, "species"))}
            for entry in found[(page - 1) * size : page * size]
        ]
        if muted:
            return Answer(chosen)
        start = (page - 1) * size + 1
        return Answer({f"{i} of {len(found)}": entry for i, entry in enumerate(chosen, start)})

    return answer


def every(n: int, failure: Answer, answer: Callable[[Asked], Answer]) -> Callable[[Asked], Answer]:
    """Answer, but fail on every n-th request."""
    count = 0

    def failing(asked: Asked) -> Answer:
        nonlocal count
        count += 1
        return failure if count % n == 0 else answer(asked)

    return failing
