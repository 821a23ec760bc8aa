"""A receiver of webhooks on 127.0.0.1, for messages that real apprise sends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """Takes every request; answers with `status` and `headers`."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, bytes]] = []
        self.authorizations: list[str | None] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.host = ""


@contextmanager
def received() -> Iterator[Receiver]:
    """Serve it on a free port of 127.0.0.1; `host` is its address."""
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.requests.append((self.path, self.rfile.read(int(self.headers.get("Content-Length", 0)))))
            made.authorizations.append(self.headers.get("Authorization"))
            self.send_response(made.status)
            for name, value in made.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_words: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    made.host = f"127.0.0.1:{server.server_address[1]}"
    yield made
    server.shutdown()
    server.server_close()
    thread.join()
