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
from typing import TYPE_CHECKING, Protocol, TextIO

from reconciler.cli.output import knows_no_escapes, stands_on_terminal
from reconciler.events import (
    Event,
    Noticed,
    PhaseAdvanced,
    PhaseFinished,
    PhaseStarted,
    Waiting,
    WriteSettled,
)
from reconciler.render.text import terminal_safe
from reconciler.state.open import runs_in_ci

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


class Display(Protocol):
    """Where events go. Called under a lock, one event at a time."""

    def show(self, event: Event) -> None:
        """Tell a person about it."""
        ...

    def close(self) -> None:
        """Take down what is still drawn."""
        ...


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
        return ProgressObserver(QuietDisplay(stream))
    if _is_terminal(stream):
        observer = ProgressObserver(LiveDisplay(stream, monotonic, colour=colour))
        stands_on_terminal(observer.close)  # a run that dies in a phase would leave its terminal without a cursor
        return observer
    return ProgressObserver(LineDisplay(stream, monotonic))


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and not knows_no_escapes(os.environ) and not runs_in_ci(os.environ)


class ProgressObserver:
    """An `Observer` that lets one thread at a time through, and falls silent for good at the first failure."""

    def __init__(self, display: Display) -> None:
        self._display: Display | None = display
        # a signal handler may speak up while its own thread is in here
        self._lock = threading.RLock()

    def __call__(self, event: Event) -> None:
        """Show the event; never raises."""
        self._try(lambda display: display.show(event))

    def close(self) -> None:
        """Take down what a run that failed left on the terminal; from then on only notes are told; never raises."""
        self._try(lambda display: display.close())

    def _try(self, step: Callable[[Display], None]) -> None:
        with self._lock:
            if self._display is None:
                return
            try:
                step(self._display)
            except Exception:  # noqa: BLE001 - a closed stderr must not end a run between two writes
                self._display = None


class QuietDisplay:
    """Only notes: they ask for somebody's attention."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, event: Event) -> None:
        if isinstance(event, Noticed):
            _write(self._stream, _note(event, self._stream))

    def close(self) -> None:
        """Nothing is left behind."""


class LineDisplay:
    """A line when a phase ends, and in between when it takes long."""

    def __init__(self, stream: TextIO, monotonic: Callable[[], float]) -> None:
        self._stream = stream
        self._monotonic = monotonic
        self._open: dict[str, _Pace] = {}
        self._waited = float("-inf")

    def show(self, event: Event) -> None:
        now = self._monotonic()
        line = self._line(event, now)
        if line:
            _write(self._stream, line)

    def close(self) -> None:
        """Nothing is left behind."""

    def _line(self, event: Event, now: float) -> str:
        match event:
            case PhaseStarted():
                self._open[event.phase] = _Pace(event, now)
            case PhaseAdvanced() if (pace := self._open.get(event.phase)) and now - pace.told >= INTERVAL:
                pace.told, left = now, pace.left(event, now)
                return f"{_clean(event.phase, self._stream)} ... {_share(event)}{left and ', '}{left}"
            case PhaseFinished():
                return _finished(event, self._open.pop(event.phase, None), now, self._stream)
            case Waiting() if event.seconds >= SHORTEST_WAIT and now - self._waited >= INTERVAL:
                self._waited = now
                return _waiting(event, self._stream)
            case Noticed():
                return _note(event, self._stream)
            case WriteSettled() if event.outcome not in _EXPECTED:
                return _settled(event, self._stream)
        return ""


class LiveDisplay:
    """Open phases as bars at the foot of the terminal; what is over moves up as plain lines.

    The bars are there only while a phase is open, so that a question to the person is never painted over.
    """

    def __init__(self, stream: TextIO, monotonic: Callable[[], float], *, colour: bool) -> None:
        self._stream = stream
        self._monotonic = monotonic
        self._colour = colour
        self._bars: Progress | None = None
        self._open: dict[str, tuple[TaskID, _Pace]] = {}
        self._over = False

    def show(self, event: Event) -> None:
        match event:
            case Noticed():
                self._say(_note(event, self._stream))
            case _ if self._over:
                return  # reads that are still on their way have nothing to tell any more
            case PhaseStarted():
                self._open_phase(event)
            case PhaseAdvanced():
                self._advance(event)
            case PhaseFinished():
                self._close_phase(event)
            case Waiting() if event.seconds >= SHORTEST_WAIT:
                self._say(_waiting(event, self._stream))
            case WriteSettled() if event.outcome not in _EXPECTED:
                self._say(_settled(event, self._stream))

    def _open_phase(self, event: PhaseStarted) -> None:
        if self._bars is None:
            self._bars = _make_bars(self._stream, colour=self._colour)
            self._bars.start()
        task = self._bars.add_task(_clean(event.phase, self._stream), total=event.total, left="")
        self._open[event.phase] = task, _Pace(event, self._monotonic())

    def _advance(self, event: PhaseAdvanced) -> None:
        if self._bars is not None and event.phase in self._open:
            task, pace = self._open[event.phase]
            left = pace.left(event, self._monotonic())
            self._bars.update(task, completed=event.done, total=event.total, left=left)

    def _close_phase(self, event: PhaseFinished) -> None:
        now = self._monotonic()
        task, pace = self._open.pop(event.phase, (None, None))
        if self._bars is not None and task is not None:
            self._bars.remove_task(task)
            if not self._open:
                self._take_down()
        self._say(_finished(event, pace, now, self._stream))

    def close(self) -> None:
        """Take the bars down, forget the phases that never ended, and draw none any more."""
        self._over = True
        self._take_down()

    def _take_down(self) -> None:
        bars, self._bars = self._bars, None
        self._open.clear()
        if bars is not None:
            bars.stop()

    def _say(self, line: str) -> None:
        if self._bars is None:
            _write(self._stream, line)
        else:
            self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)


class _Pace:
    """When a phase began, when it was last told of, how long it takes at least; what is left follows, in words.

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


def _clean(text: str, stream: TextIO) -> str:
    return terminal_safe(text, _PROSE, encoding=getattr(stream, "encoding", None) or "utf-8")


def _share(event: PhaseAdvanced) -> str:
    return f"{event.done}" if event.total is None else f"{event.done} of {event.total}"


def _finished(event: PhaseFinished, pace: _Pace | None, now: float, stream: TextIO) -> str:
    seconds = now - pace.started if pace else 0.0
    return f"{_clean(event.phase, stream)} ... {_clean(event.detail, stream) or 'done'} ({seconds:.1f} s)"


def _waiting(event: Waiting, stream: TextIO) -> str:
    return f"Waiting {event.seconds:.0f} s: {_clean(event.reason, stream)}"


def _note(event: Noticed, stream: TextIO) -> str:
    return f"Note: {_clean(event.message, stream)}"


def _settled(event: WriteSettled, stream: TextIO) -> str:
    why = f": {_clean(event.message, stream)}" if event.message else ""
    return f"Mapping {_clean(event.key, stream)} {_clean(event.outcome, stream)}{why}"


def _write(stream: TextIO, line: str) -> None:
    stream.write(f"{line}\n")
    stream.flush()
