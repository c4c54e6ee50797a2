"""The reference server of OPTIMADE on loopback, with crystals loaded into it and failures put around it."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from typing import Any

import numpy as np

from paraisite.crystals import Crystal

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

_databases = itertools.count()


def made_up_crystals(n: int) -> list[Crystal]:
    """`n` crystals, all different: triclinic cells with one to six atoms on a loose grid."""
    rng = np.random.default_rng(7)
    grid = np.array([[x, y, z] for x in (0.0, 0.5) for y in (0.0, 0.5) for z in (0.0, 0.5)])
    crystals = []
    for i in range(n):
        cell = np.diag(rng.uniform(5, 9, 3)) + rng.uniform(-1, 1, (3, 3))
        sites = 1 + i % 6
        positions = grid[:sites] + rng.uniform(0.0, 0.15, (sites, 3))
        crystals.append(Crystal(cell, rng.choice([3, 8, 12, 14, 16, 30], sites), positions, f"c{i:04d}"))
    return crystals


class Failing:
    """ASGI around a server: every n-th request is answered with 503, 429, a cut answer or a page for people."""

    def __init__(self, app: App, n: int) -> None:
        self.app, self.n, self.count, self.failed = app, n, 0, 0

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        self.count += 1
        if not self.n or self.count % self.n:
            return await self.app(scope, receive, send)
        kind = self.failed % 4
        self.failed += 1
        if kind == 3:  # the connection breaks off in the middle

            async def cut(message: Message) -> None:
                if message["type"] == "http.response.body":
                    message = {**message, "body": message["body"][: len(message["body"]) // 2], "more_body": True}
                await send(message)

            await self.app(scope, receive, cut)
            raise ConnectionResetError
        status, headers = [(503, []), (429, [(b"retry-after", b"0")]), (500, [])][kind]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"<html>please wait</html>"})


@contextlib.contextmanager
def optimade_server(crystals: Sequence[Crystal], *, fail_every: int = 0) -> Iterator[tuple[str, Failing]]:
    """Yield the address of a server that holds the crystals, and what counts and spoils its requests."""
    import uvicorn
    from optimade.adapters.structures import Structure
    from optimade.server.config import ServerConfig
    from optimade.server.create_app import create_app

    config = ServerConfig(
        insert_test_data=False, mongo_database=f"loopback{next(_databases)}", page_limit=20, page_limit_max=50
    )  # type: ignore[call-arg]
    app = create_app(config)
    documents = []
    for crystal in crystals:
        resource = Structure.ingest_from(crystal.to_pymatgen()).entry
        documents.append({"id": crystal.id, "type": "structures", **resource.attributes.model_dump(mode="json")})
    app.state.entry_collections["structures"].insert(documents)
    failing = Failing(app, fail_every)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)  # whoever comes before the server is up waits
    server = uvicorn.Server(uvicorn.Config(failing, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", failing
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
