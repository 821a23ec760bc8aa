"""Tells a person on stderr what a run is doing: a live display on a terminal, plain lines elsewhere.

Progress is a courtesy. It never writes to stdout, and a run that moves money never fails because of it: whatever goes
wrong here silences it.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from reconciler.cli.output import knows_no_escapes, stands_on_terminal
from reconciler.events import Event, Noticed, PhaseAdvanced, PhaseFinished, PhaseStarted, Waiting, WriteSettled
from reconciler.render.text import terminal_safe
from reconciler.state.places import runs_in_ci

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

MINUTE = 60.0

INTERVAL = 10.0
"""Seconds between two lines about the same phase, or about waiting, where there is no terminal."""

SHORTEST_WAIT = 1.0
"""Seconds; a shorter wait is not worth a line."""

_PROSE = 1000
_EXPECTED = frozenset({"applied", "unchanged", "held"})
"""Outcomes that the drawing of the plan or of the result tells well enough."""


def progress_observer(
    *,
    quiet: bool = False,
    colour: bool = True,
    stream: TextIO | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> ProgressObserver:
    """Return the observer for this terminal, or for this log; `quiet` lets through only what a person must read.

    `stream` is stderr unless a test gives another; `monotonic` is in seconds.
    """
    stream = sys.stderr if stream is None else stream
    if quiet:
        return ProgressObserver(stream)
    if not stream.isatty() or knows_no_escapes(os.environ) or runs_in_ci(os.environ):
        return LineProgress(stream, monotonic)
    observer = LiveProgress(stream, monotonic, colour=colour)
    stands_on_terminal(observer.close)  # a run that dies in a phase would leave its terminal without a cursor
    return observer


class ProgressObserver:
    """An `Observer` that tells notes only: they ask for somebody's attention.

    It lets one thread at a time through, and falls silent for good at the first failure.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._silent = False
        # a signal handler may speak up while its own thread is in here
        self._lock = threading.RLock()

    def __call__(self, event: Event) -> None:
        """Show the event; never raises."""
        self._try(lambda: self._show(event))

    def close(self) -> None:
        """Take down what a run that failed left on the terminal; from then on only notes are told; never raises."""
        self._try(self._end)

    def _try(self, step: Callable[[], None]) -> None:
        with self._lock:
            if self._silent:
                return
            try:
                step()
            except Exception:  # noqa: BLE001 - a closed stderr must not end a run between two writes
                self._silent = True

    def _show(self, event: Event) -> None:
        line = self._line(event)
        if line:
            self._say(line)

    def _end(self) -> None:
        """Nothing is left behind."""

    def _line(self, event: Event) -> str:
        return f"Note: {self._clean(event.message)}" if isinstance(event, Noticed) else ""

    def _say(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()

    def _clean(self, text: str) -> str:
        return terminal_safe(text, _PROSE, encoding=getattr(self._stream, "encoding", None) or "utf-8")


class LineProgress(ProgressObserver):
    """A line when a phase ends, and in between when it takes long."""

    _between_waits = INTERVAL

    def __init__(self, stream: TextIO, monotonic: Callable[[], float]) -> None:
        super().__init__(stream)
        self._monotonic = monotonic
        self._paces: dict[str, _Pace] = {}
        self._waited = float("-inf")

    def _line(self, event: Event) -> str:
        now = self._monotonic()
        match event:
            case PhaseStarted():
                self._paces[event.phase] = _Pace(event, now)
            case PhaseAdvanced() if (pace := self._paces.get(event.phase)) and now - pace.told >= INTERVAL:
                pace.told, left = now, pace.left(event, now)
                done = f"{event.done}" if event.total is None else f"{event.done} of {event.total}"
                return f"{self._clean(event.phase)} ... {done}{left and ', '}{left}"
            case PhaseFinished():
                ended = self._paces.pop(event.phase, None)
                seconds = now - ended.started if ended else 0.0
                return f"{self._clean(event.phase)} ... {self._clean(event.detail) or 'done'} ({seconds:.1f} s)"
            case Waiting() if event.seconds >= SHORTEST_WAIT and now - self._waited >= self._between_waits:
                self._waited = now
                return f"Waiting {event.seconds:.0f} s: {self._clean(event.reason)}"
            case WriteSettled() if event.outcome not in _EXPECTED:
                why = f": {self._clean(event.message)}" if event.message else ""
                return f"Mapping {self._clean(event.key)} {self._clean(event.outcome)}{why}"
        return super()._line(event)


class LiveProgress(LineProgress):
    """Open phases as bars at the foot of the terminal; what is over moves up as plain lines.

    The bars are there only while a phase is open, so that a question to the person is never painted over.
    """

    _between_waits = 0.0

    def __init__(self, stream: TextIO, monotonic: Callable[[], float], *, colour: bool) -> None:
        super().__init__(stream, monotonic)
        self._colour = colour
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._over = False

    def _show(self, event: Event) -> None:
        if self._over and not isinstance(event, Noticed):
            return  # reads that are still on their way have nothing to tell any more
        match event:
            case PhaseStarted():
                self._add_bar(event)
            case PhaseAdvanced():
                self._move_bar(event)
                return
            case PhaseFinished() if self._bars is not None and event.phase in self._tasks:
                self._bars.remove_task(self._tasks.pop(event.phase))
                if not self._tasks:
                    self._take_down()
        super()._show(event)

    def _add_bar(self, event: PhaseStarted) -> None:
        if self._bars is None:
            self._bars = _make_bars(self._stream, colour=self._colour)
            self._bars.start()
        self._tasks[event.phase] = self._bars.add_task(self._clean(event.phase), total=event.total, left="")

    def _move_bar(self, event: PhaseAdvanced) -> None:
        if self._bars is not None and event.phase in self._tasks:
            left = self._paces[event.phase].left(event, self._monotonic())
            self._bars.update(self._tasks[event.phase], completed=event.done, total=event.total, left=left)

    def _end(self) -> None:
        self._over = True
        self._take_down()

    def _take_down(self) -> None:
        bars, self._bars = self._bars, None
        self._tasks.clear()
        if bars is not None:
            bars.stop()

    def _say(self, line: str) -> None:
        if self._bars is None:
            super()._say(line)
        else:
            self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)


class _Pace:
    """When a phase began and when it was last told of; from these it says in words how long the rest takes.

    Time per step alone would promise a night of creates in a minute, until the request budget is used up the first
    time; the time that the budget needs alone would know nothing of a slow server.
    """

    def __init__(self, event: PhaseStarted, now: float) -> None:
        self.started = self.told = now
        self._at_least = event.at_least

    def left(self, event: PhaseAdvanced, now: float) -> str:
        """E.g. "about 35 min left"; empty while nothing can be said."""
        if event.total is None or not 0 < event.done < event.total:
            return ""
        elapsed = now - self.started
        seconds = max(self._at_least - elapsed, elapsed / event.done * (event.total - event.done))
        if seconds < MINUTE:
            return f"about {max(1, math.ceil(seconds))} s left"
        return f"about {math.ceil(seconds / MINUTE)} min left"


def _make_bars(stream: TextIO, *, colour: bool) -> Progress:
    from rich.console import Console  # noqa: PLC0415 - slow to import, and needed on a terminal only
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    class SilencedConsole(Console):
        """rich ends the whole process when its reader has gone, which a run that writes must survive."""

        def on_broken_pipe(self) -> None:
            self.quiet = True

    return Progress(
        SpinnerColumn("line"),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", markup=False),
        console=SilencedConsole(file=stream, no_color=not colour),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=stream is sys.stderr,
    )
