"""Runs without the run lock, to show that safety does not hang on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from unittest.mock import patch


@contextmanager
def no_run_lock() -> Iterator[None]:
    """No run takes the lock while this lasts, on either backend."""
    with (
        patch("reconciler.state.directory.run_lock", lambda *_args, **_more: nullcontext()),
        patch("reconciler.state.git.run_lock", lambda *_args, **_more: nullcontext()),
    ):
        yield
