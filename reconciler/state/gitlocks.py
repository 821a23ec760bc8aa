"""Lock files that a killed git left in the clone: without help they stop every later git there for ever.

Of everything that git locks, our commands need the locks of our own refs alone: with a leftover index.lock, HEAD.lock,
packed-refs.lock or shallow.lock they work, so those are left to their owner.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reconciler.state.gitcommand import LOCAL_SECONDS, NETWORK_SECONDS

STALE_AFTER = timedelta(seconds=NETWORK_SECONDS + LOCAL_SECONDS)
"""A git of ours is ended after `NETWORK_SECONDS` at the latest, so no lock of a living one is this old."""


def clear_stale_locks(git_directory: Path, refs: Iterable[str], *, now: datetime) -> None:
    """Remove the locks of these refs that no living git of ours can hold; a younger one may be a reader's.

    To be called under the run lock. One that cannot be removed stays, and the next command tells of it.
    """
    for ref in refs:
        lock = git_directory / f"{ref}.lock"
        with suppress(OSError):
            born = datetime.fromtimestamp(lock.lstat().st_mtime, UTC)
            if now - born > STALE_AFTER:
                lock.unlink()
