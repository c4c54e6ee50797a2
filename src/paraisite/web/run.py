"""`run`: the service from its start to its end."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
from collections.abc import Callable

import uvicorn

from paraisite.web.app import application
from paraisite.web.jobs import Setup
from paraisite.web.limits import Limits
from paraisite.web.pool import Pool
from paraisite.web.results import Results
from paraisite.web.service import Service
from paraisite.web.visit import House

GRACE_SECONDS = 30
"""Time that requests get to be finished when the service is told to stop."""

MOST_CONNECTIONS = 1000


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address; port 0 takes any free one.

    Raises
    ------
    OSError
        If that cannot be, such as for a port in use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise OSError(
            f"{host}:{port}: {error.strerror or error}; choose another address by --host and --port"
        ) from None


def run(
    setup: Setup,
    limits: Limits,
    listening: socket.socket,
    *,
    workers: int,
    hosts: frozenset[str],
    token: str,
    started: Callable[[], None],
    results: Results,
) -> None:
    """Serve until the process is told to stop by SIGINT or SIGTERM; requests are finished before.

    Parameters
    ----------
    setup : Setup
    limits : Limits
    listening : socket.socket
        Of `listen`.
    workers : int
    hosts : frozenset of str
        Names under which the service may be asked; empty for any.
    token : str
        What requests must carry; empty for none.
    started : callable
        Called when requests can come.
    results : Results
        What the page opens with.

    Raises
    ------
    Unusable
        If the workers cannot load the model.
    """
    # uvicorn repeats the signals that it heard when it is done; by then nobody shall hear them
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    house = House()
    try:
        pool = Pool(setup, workers, limits)
        asyncio.run(_run(Service(pool, limits, setup.model, results), house, listening, hosts, token, started))
    finally:
        house.close()


async def _run(
    service: Service,
    house: House,
    listening: socket.socket,
    hosts: frozenset[str],
    token: str,
    started: Callable[[], None],
) -> None:
    config = uvicorn.Config(
        application(service, house, hosts=hosts, token=token),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config, started)
    try:
        await service.pool.start()
        await server.serve(sockets=[listening])
    finally:
        await service.pool.stop()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._tell()
