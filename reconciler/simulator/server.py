"""Serves a world over real HTTP on 127.0.0.1: one port for each system, because a client is given hosts without a path.

The server is written on plain sockets, so that it is quick and can misbehave byte by byte.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from types import TracebackType
from typing import Self

import httpx

from reconciler.simulator import wire
from reconciler.simulator.app import App, halo_app, infima_app
from reconciler.simulator.control import CONTROL_PREFIX, Night, control
from reconciler.simulator.faults import Exchange, Faults
from reconciler.simulator.world import World

LOOPBACK = "127.0.0.1"
IDLE_SECONDS = 120
"""How long a kept-alive connection may be silent."""


class Server:
    """A world that answers on two loopback ports until its context ends, or its process."""

    def __init__(
        self,
        world: World,
        *,
        faults: Faults | None = None,
        latency_ms: float = 0,
        port: int = 0,
        night: Night | None = None,
    ) -> None:
        self.world = world
        self.faults = faults if faults is not None else Faults()
        self.latency_ms = latency_ms
        self.night = night
        self._connections = count(1)
        self._open: set[socket.socket] = set()
        self._closed = threading.Event()
        self._halo = socket.create_server((LOOPBACK, port), backlog=128)
        self._infima = socket.create_server((LOOPBACK, 0 if port == 0 else port + 1), backlog=128)
        self._serve(self._halo, halo_app(world, faults=self.faults))
        self._serve(self._infima, infima_app(world, faults=self.faults))

    @property
    def halo_url(self) -> str:
        """Base URL of HaloPSA's API."""
        return f"http://{LOOPBACK}:{self._halo.getsockname()[1]}"

    @property
    def infima_url(self) -> str:
        """Base URL of INFIMA's API."""
        return f"http://{LOOPBACK}:{self._infima.getsockname()[1]}"

    def environment(self) -> Mapping[str, str]:
        """The variables that a run against this server needs."""
        known = self.world.credentials
        return {
            "HALO_URL": self.halo_url,
            "HALO_CLIENT_ID": known.halo_client_id,
            "HALO_CLIENT_SECRET": known.halo_client_secret,
            "INFIMA_URL": self.infima_url,
            "INFIMA_API_KEY": known.infima_api_key,
        }

    def close(self) -> None:
        """Stop listening and drop every open connection."""
        self._closed.set()
        for listener in (self._halo, self._infima):
            # Closing alone does not wake a thread that waits in accept.
            _hang_up(listener)
            listener.close()
        for connection in tuple(self._open):
            _hang_up(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _serve(self, listener: socket.socket, app: App) -> None:
        threading.Thread(target=self._accept, args=(listener, app), daemon=True).start()

    def _accept(self, listener: socket.socket, app: App) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            number = next(self._connections)
            threading.Thread(target=self._talk, args=(connection, app, number), daemon=True).start()

    def _talk(self, connection: socket.socket, app: App, number: int) -> None:
        self._open.add(connection)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(IDLE_SECONDS)
            reader = connection.makefile("rb")
            with reader:
                while (request := wire.read_request(reader, number)) is not None:
                    if not wire.send(connection, self._exchange(app, request)):
                        break
                    if request.headers.get("Connection", "").lower() == "close":
                        break
        except (OSError, wire.NotHttp):
            pass  # the client went away, or does not speak HTTP
        finally:
            self._open.discard(connection)
            connection.close()

    def _exchange(self, app: App, request: httpx.Request) -> Exchange:
        if request.url.path.startswith(CONTROL_PREFIX):
            return Exchange(response=control(self.world, self.faults, request, self.night))
        if self.latency_ms:
            time.sleep(self.latency_ms / 1000)
        return app.exchange(request)


def serve(
    world: World,
    *,
    faults: Faults | None = None,
    latency_ms: float = 0,
    port: int = 0,
    night: Night | None = None,
) -> Server:
    """Serve the world at once; use the result as a context manager, or close it.

    `port` is HaloPSA's, INFIMA's is the next one; 0 finds two free ones. `latency_ms` is added to every request.
    `night` is what `POST /_simulator/night` lets happen; raises `OSError` when a port is taken.
    """
    return Server(world, faults=faults, latency_ms=latency_ms, port=port, night=night)


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):  # the other side was quicker
        end.shutdown(socket.SHUT_RDWR)
