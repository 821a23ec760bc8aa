"""A server on 127.0.0.1 that does with each connection what a script says."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress


class Loopback:
    """A server that hands each connection to a script and remembers what it got."""

    def __init__(self, script: Callable[[Loopback, socket.socket], None], tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.closing = threading.Event()
        self._script, self._tls = script, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            try:
                if self._tls is not None:
                    with self._tls.wrap_socket(connection, server_side=True) as secured:
                        self._script(self, secured)
                else:
                    self._script(self, connection)
            except OSError:
                return

    def receive(self, connection: socket.socket) -> bool:
        """Take in one request; False when the other side has closed."""
        got = b""
        while b"\r\n\r\n" not in got:
            part = connection.recv(65_536)
            if not part:
                return False
            got += part
        length = re.search(rb"content-length: (\d+)", got, re.IGNORECASE)
        while length and len(got.partition(b"\r\n\r\n")[2]) < int(length[1]):
            got += connection.recv(65_536)
        self.requests.append(got)
        return True

    def close(self) -> None:
        self.closing.set()
        with suppress(OSError):
            # Closing alone would leave a thread that waits in accept() with a socket that still listens.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)


def answering(*parts: bytes, pause: float = 0.0, close: bool = False) -> Callable[[Loopback, socket.socket], None]:
    """Answer every request of a connection with these parts, a pause before each."""

    def script(server: Loopback, connection: socket.socket) -> None:
        while server.receive(connection):
            for part in parts:
                if server.closing.wait(pause):
                    return
                connection.sendall(part)
            if close:
                return

    return script
