"""A run that is broken off gives the terminal back as it was."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.cli.output import clear_terminal, stands_on_terminal
from tests.cli.bench import Bench

HIDDEN, SHOWN = b"\x1b[?25l", b"\x1b[?25h"


@pytest.fixture
def deaf_server() -> Iterator[str]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def read_until(terminal: int, wanted: bytes | None) -> bytes:
    """What the terminal shows until `wanted` stands there, or until nobody writes to it any more."""
    seen = b""
    while wanted is None or wanted not in seen:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the last writer has gone
            break
        if not piece:
            break
        seen += piece
    return seen


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_cursor_is_there_again_after_an_interruption(
    bench: Bench, deaf_server: str, number: signal.Signals
) -> None:
    mine, theirs = pty.openpty()
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "HALO_URL": deaf_server, "TERM": "xterm", "PYTHONPATH": root}
    command = [sys.executable, "-m", "reconciler", "plan"]
    with subprocess.Popen(
        command, cwd=bench.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as run:
        os.close(theirs)
        before = read_until(mine, HIDDEN)
        run.send_signal(number)
        after = read_until(mine, None)
        assert run.wait(timeout=20) == 130
    os.close(mine)
    assert HIDDEN in before
    assert after.rindex(SHOWN) > after.rfind(HIDDEN)
    assert b"Interrupted" in after[after.rindex(SHOWN) :]


def test_what_stands_on_the_terminal_is_taken_down_once() -> None:
    taken: list[str] = []
    stands_on_terminal(lambda: taken.append("first"))
    stands_on_terminal(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    stands_on_terminal(lambda: taken.append("last"))
    clear_terminal()
    clear_terminal()
    assert taken == ["last", "first"]
