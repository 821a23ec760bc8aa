"""SIGINT, SIGTERM, SIGHUP: a run that only reads ends at once, one that writes finishes the write in flight."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
"""What asks a run to stop: Ctrl-C, a runner's cancellation, a terminal or an ssh connection that went away."""


class Stopper:
    """Remembers that somebody asked to stop."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._patient = False
        self._said = ""

    def stopping(self) -> bool:
        """True once somebody asked to stop."""
        return self.event.is_set()

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Take these signals for as long as the command runs; the earlier handlers come back afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        earlier = {number: signal.signal(number, self._asked) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """From here on a signal lets the write in flight finish and be recorded, and its outcome be told."""
        self._patient = True
        self._said = "Stopping: the write in flight is finished and recorded, no new one is started."
        yield
        self._said = "The writing is over; its result follows."

    @contextmanager
    def patiently(self, said: str) -> Iterator[None]:
        """From here on a signal only sets the event; `said` is told to the person at once."""
        self._patient, self._said = True, said
        try:
            yield
        finally:
            self._patient = False

    def _asked(self, _number: int, _frame: FrameType | None) -> None:
        first = not self.event.is_set()
        self.event.set()
        if not self._patient:
            raise KeyboardInterrupt
        if first:
            with suppress(OSError, ValueError):  # the terminal may be what has gone
                print(f"\n{self._said}", file=sys.stderr, flush=True)  # noqa: T201 - said at once, from the handler
