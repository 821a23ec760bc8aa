"""The dead man's switch is called once for a good night, and its address stays a secret."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from reconciler.errors import ApiError, UsageError
from reconciler.forge.ping import ping


class Switch:
    """A monitoring service: the paths that were called, and the statuses it gives, the last one for ever."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.statuses = [200]
        self.url = ""

    def answer(self, path: str) -> int:
        self.called.append(path)
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@pytest.fixture
def switch() -> Iterator[Switch]:
    made = Switch()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(made.answer(self.path))
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"OK")

        def log_message(self, *_words: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}/0f3c-secret-path"
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_switch_is_called_once(switch: Switch, tools: dict[str, Any]) -> None:
    ping(switch.url, **tools)
    assert switch.called == ["/0f3c-secret-path"]


def test_it_is_called_again_when_it_stumbles(switch: Switch, tools: dict[str, Any]) -> None:
    switch.statuses = [500, 429, 200]
    ping(switch.url, **tools)
    assert len(switch.called) == 3


@pytest.mark.parametrize(("status", "calls"), [(503, 5), (404, 1)])
def test_a_dead_switch_is_an_error_that_keeps_the_address(
    switch: Switch, tools: dict[str, Any], status: int, calls: int
) -> None:
    switch.statuses = [status]
    with pytest.raises(ApiError) as error:
        ping(switch.url, **tools)
    assert "0f3c" not in f"{error.value} {error.value.hint} {error.value.request}"
    assert len(switch.called) == calls


@pytest.mark.parametrize("url", ["http://switch.example.com/x", "ftp://x", "https://user@switch.example.com/x", "x"])
def test_an_address_that_would_show_the_secret_is_refused(url: str, tools: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="DEAD_MANS_SWITCH_URL") as error:
        ping(url, **tools)
    assert url not in str(error.value) or url == "x"
