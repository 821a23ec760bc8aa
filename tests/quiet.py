"""An observer for tests that look at something else."""

from __future__ import annotations


def ignore_events(_event: object) -> None:
    """The observer that hears nothing."""
