"""How long this run may still wait, and on which clock."""

from __future__ import annotations

from threading import Event as Flag

from reconciler.clock import Clock
from reconciler.errors import DeadlineExceeded, Interrupted
from reconciler.events import Observer, Waiting

_SLICE_SECONDS = 1.0


class Deadline:
    """The run's total time: every wait goes through it, ends with it, and ends early when the run is stopped.

    `ends_at` is a moment of `clock.monotonic()`. Safe to use from several threads.
    """

    def __init__(self, *, clock: Clock, observer: Observer, ends_at: float) -> None:
        self.clock = clock
        self.ends_at = ends_at
        self._observer = observer
        self._stopped = Flag()

    @property
    def remaining(self) -> float:
        """Seconds that are left, not below 0."""
        return max(0.0, self.ends_at - self.clock.monotonic())

    @property
    def stopped(self) -> bool:
        """True once `stop` was called: reads in flight give up, nothing new starts."""
        return self._stopped.is_set()

    def restart(self, seconds: float) -> None:
        """Let the run's time begin now: a person took time to answer."""
        self.ends_at = self.clock.monotonic() + seconds

    def stop(self) -> None:
        """Make every wait and every read in flight end soon."""
        self._stopped.set()

    def check(self) -> None:
        """Raise `Interrupted` after a stop and `DeadlineExceeded` once the run's time is over."""
        if self.stopped:
            raise Interrupted("The run was stopped.")
        if self.remaining <= 0:
            raise DeadlineExceeded(
                "The run's total time is over.",
                hint="Raise settings.run_timeout_minutes in mappings.yaml, or run with --only for a part.",
            )

    def wait(self, seconds: float, reason: str) -> None:
        """Sleep and say why. Raises `DeadlineExceeded` at once when the run would be over before the end of it."""
        if seconds >= self.remaining:
            raise DeadlineExceeded(
                f"{reason.rstrip('.')}: that takes {seconds:.0f} s, longer than the run's total time permits.",
                hint="Raise settings.run_timeout_minutes in mappings.yaml, or run with --only for a part.",
            )
        self._observer(Waiting(seconds=seconds, reason=reason))
        end = self.clock.monotonic() + seconds
        # In slices, so that a thread which waits minutes for the rate budget does not outlive Ctrl-C.
        while (left := end - self.clock.monotonic()) > 0:
            self.check()
            self.clock.sleep(min(left, _SLICE_SECONDS))
