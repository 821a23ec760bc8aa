"""Which store a person means: `directory:PATH`, `git:BRANCH`, a plain path, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reconciler.clock import Clock
from reconciler.errors import UsageError
from reconciler.state.directory import DirectoryState

DEFAULT_DIRECTORY = ".reconciler"


def open_state(spec: str | None, *, mappings_path: Path, clock: Clock, environ: Mapping[str, str]) -> DirectoryState:
    """The store that `spec` (--state) or RECONCILER_STATE names, else `.reconciler` beside mappings.yaml.

    Nothing is touched yet. In CI the default directory dies with the job, so it is not durable; a directory that was
    named is taken to be kept (DESIGN 8, `state-not-durable`). Raises `UsageError` for a spec without a place.
    """
    beside = mappings_path.absolute().parent
    named = spec or environ.get("RECONCILER_STATE", "").strip()
    if not named:
        return DirectoryState(beside / DEFAULT_DIRECTORY, clock=clock, durable=not environ.get("CI"))
    kind, colon, place = named.partition(":")
    if colon and not place:
        raise UsageError(f"--state {named} names no place.", hint="Write directory:PATH or git:BRANCH.")
    match kind if colon else "":
        case "directory":
            return DirectoryState(Path(place).expanduser(), clock=clock)
        case _:
            return DirectoryState(Path(named).expanduser(), clock=clock)
