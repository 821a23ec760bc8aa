"""Reads that run side by side on a few threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from reconciler.http.deadline import Deadline

A = TypeVar("A")
B = TypeVar("B")


class ReadPool:
    """A small thread pool for reads. A read on it must not ask it for more: the pool would wait for itself."""

    def __init__(self, workers: int, deadline: Deadline) -> None:
        self._executor = ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="read")
        self._deadline = deadline

    def map(self, read: Callable[[A], B], items: Iterable[A]) -> list[B]:
        """Read all items, at most `workers` at a time, and return the results in the order asked.

        The first failure cancels what has not started, and is raised when nothing is in flight any more.
        """
        futures: list[Future[B]] = [self._executor.submit(read, item) for item in items]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        except BaseException:
            # Ctrl-C: reads in flight look at `stopped` and end within a second.
            self._deadline.stop()
            self._cancel(futures)
            raise
        failed = [f for f in futures if f.done() and not f.cancelled() and f.exception() is not None]
        if failed:
            self._cancel(futures)
            wait([f for f in futures if not f.cancelled()])
        return [f.result() for f in failed or futures]

    def _cancel(self, futures: Iterable[Future[B]]) -> None:
        for future in futures:
            future.cancel()

    def close(self) -> None:
        """Let the threads go; waits for none of them."""
        self._executor.shutdown(wait=False, cancel_futures=True)
