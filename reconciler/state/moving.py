"""Moving a state to another place: copied whole, read back and compared, and the old one left with a note.

Both places are locked meanwhile. The copy comes first: a crash in between leaves two equal states, and the same command
again finishes the move. From the note on the old place is refused, so that nobody goes on with what stands still.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from reconciler.errors import StateError
from reconciler.moments import spelled
from reconciler.state.base import RunInfo
from reconciler.state.document import STATE_FILE, StateDocument, decode, encode
from reconciler.state.files import StateFiles
from reconciler.state.history import HISTORY_FOLDER
from reconciler.state.journal import JOURNAL_FOLDER


class HeldState(Protocol):
    """A state under its lock."""

    def files(self) -> StateFiles:
        """What lies there now, read anew."""
        ...

    def put(self, files: Mapping[str, bytes], *, message: str) -> None:
        """Put these files there, state.json last or all in one step."""
        ...


class MovableState(Protocol):
    """A place that can be moved from or to. `spec` is how --state names it."""

    @property
    def spec(self) -> str: ...
    @property
    def location(self) -> str: ...
    def look(self) -> StateDocument: ...
    def hold(self, info: RunInfo) -> AbstractContextManager[HeldState]:
        """Lock the place, so that no run begins there."""
        ...


def move_state(source: MovableState, target: MovableState, info: RunInfo, *, now: datetime) -> StateDocument:
    """Move everything, and return what was moved. Raises `StateError` where that would lose or mix anything."""
    if source.spec == target.spec:
        raise StateError(f"The state is at {source.location} already.", hint="Name another place with --to.")
    if source.look() == StateDocument():
        raise StateError(f"There is no state at {source.location}.", hint="Name the one to move with --state.")
    with source.hold(info) as old, target.hold(info) as new:
        files = _content(old.files())
        document = _document(files, source) or StateDocument()
        refuse_moved(document, source.location)
        arriving = {**files, STATE_FILE: encode(document)}
        _refuse_other(new.files(), arriving, source, target)
        new.put(arriving, message=f"State moved here from {source.spec}")
        seen = _content(new.files())
        if wrong := sorted(name for name, content in arriving.items() if seen.get(name) != content):
            raise StateError(
                f"{wrong[0]} at {target.location} is not what was copied there; {source.location} stays in use.",
                hint="See what writes there, then move again.",
            )
        note = encode(replace(document, moved_to=target.spec, moved_at=now))
        old.put({STATE_FILE: note}, message=f"State moved to {target.spec}")
    return document


def refuse_moved(document: StateDocument, location: str) -> None:
    """Raise `StateError` for a state that was moved away."""
    if document.moved_to:
        when = "" if document.moved_at is None else f" on {spelled(document.moved_at, UTC)}"
        raise StateError(
            f"The state at {location} was moved to {document.moved_to}{when} and is not used any more.",
            hint=f"Use --state {document.moved_to}, or set RECONCILER_STATE to it, in CI as well.",
        )


def _content(files: StateFiles) -> dict[str, bytes]:
    names = [STATE_FILE, *files.names(JOURNAL_FOLDER), *files.names(HISTORY_FOLDER)]
    return {name: content for name in names if (content := files.read(name)) is not None}


def _document(files: Mapping[str, bytes], place: MovableState) -> StateDocument | None:
    content = files.get(STATE_FILE)
    return None if content is None else decode(content, place=f"{STATE_FILE} at {place.location}")


def _refuse_other(
    standing: StateFiles, arriving: Mapping[str, bytes], source: MovableState, target: MovableState
) -> None:
    """A place that holds a state of its own is not written over; one that was moved here, or half copied, is."""
    there = _document(_content(standing), target)
    if there is None or encode(there) == arriving[STATE_FILE] or there.moved_to == source.spec:
        return
    raise StateError(
        f"{target.location} holds a state of its own already.",
        hint=f"See it with: reconciler --state {target.spec} state show. Name an empty place with --to.",
    )
