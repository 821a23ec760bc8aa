"""Where a state is: the place that `--state` names, and moving everything from one place to another.

Both places are locked during a move. The copy comes first: a crash in between leaves two equal states, and the same
command again finishes the move. A note in the old state.json comes last. From then on the old place is refused, so that
nobody goes on with a state that no run writes any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from reconciler.clock import Clock
from reconciler.errors import StateError, UsageError
from reconciler.state.base import RunInfo
from reconciler.state.directory import DirectoryState
from reconciler.state.document import STATE_FILE, StateDocument, encode, refuse_moved
from reconciler.state.files import StateFiles
from reconciler.state.git import DEFAULT_BRANCH, GitState
from reconciler.state.history import HISTORY_FOLDER
from reconciler.state.journal import JOURNAL_FOLDER

Place = DirectoryState | GitState

DEFAULT_DIRECTORY = ".reconciler"

CI_VARIABLES = (
    "GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", "JENKINS_URL", "CODEBUILD_BUILD_ID", "TEAMCITY_VERSION",
    "BITBUCKET_BUILD_NUMBER", "KUBERNETES_SERVICE_HOST",
)  # fmt: skip
"""What CI systems set, beside `CI`: GitHub, GitLab, Azure, Jenkins, CodeBuild, TeamCity, Bitbucket, a pod's job."""

_NOT = frozenset({"", "0", "false", "no", "off"})


def runs_in_ci(environ: Mapping[str, str]) -> bool:
    """True where this machine may be thrown away when the job ends."""
    said = (environ.get(name, "").strip().casefold() for name in ("CI", *CI_VARIABLES))
    return any(value not in _NOT for value in said)


def open_state(spec: str | None, *, mappings_path: Path, clock: Clock, environ: Mapping[str, str]) -> Place:
    """The store that `spec` (--state) or RECONCILER_STATE names, else `.reconciler` beside mappings.yaml.

    Nothing is touched yet. In CI the default directory dies with the job, so it is not durable; a directory that was
    named is taken to be kept (DESIGN 8, `state-not-durable`). Raises `UsageError` for a spec of another kind.
    """
    beside = mappings_path.absolute().parent
    named = (spec or environ.get("RECONCILER_STATE", "")).strip()
    if not named:
        return DirectoryState(beside / DEFAULT_DIRECTORY, clock=clock, durable=not runs_in_ci(environ))
    kind, colon, place = named.partition(":")
    match kind:
        case "directory" if place:
            return DirectoryState(Path(place).expanduser(), clock=clock)
        case "git" if place or not colon:
            return GitState(beside, branch=place or DEFAULT_BRANCH, clock=clock, environ=environ)
    # A one-letter kind is a drive, and a separator before the colon makes it part of a path.
    if colon and kind.isalnum() and len(kind) > 1:
        raise UsageError(
            f"--state {named} is neither directory:PATH nor git:BRANCH.",
            hint="For example: --state git:reconciler-state",
        )
    return DirectoryState(Path(named).expanduser(), clock=clock)


def move_state(source: Place, target: Place, info: RunInfo, *, now: datetime) -> StateDocument:
    """Move everything, and return what was moved. Raises `StateError` where that would lose or mix anything."""
    if source.spec == target.spec:
        raise StateError(f"The state is at {source.location} already.", hint="Name another place with --to.")
    if source.look() == StateDocument():
        raise StateError(f"There is no state at {source.location}.", hint="Name the one to move with --state.")
    with source.hold(info) as old, target.hold(info) as new:
        files = _content(old.files())
        refuse_moved(old.document, source.location)
        arriving = {**files, STATE_FILE: encode(old.document)}
        _refuse_other(new.document, old.document, source, target)
        new.put(arriving, message=f"State moved here from {source.spec}")
        seen = _content(new.files())
        if wrong := sorted(name for name, content in arriving.items() if seen.get(name) != content):
            raise StateError(
                f"{wrong[0]} at {target.location} is not what was copied there; {source.location} stays in use.",
                hint="See what writes there, then move again.",
            )
        note = encode(replace(old.document, moved_to=target.spec, moved_at=now))
        old.put({STATE_FILE: note}, message=f"State moved to {target.spec}")
    return old.document


def _content(files: StateFiles) -> dict[str, bytes]:
    names = [STATE_FILE, *files.names(JOURNAL_FOLDER), *files.names(HISTORY_FOLDER)]
    return {name: content for name in names if (content := files.read(name)) is not None}


def _refuse_other(there: StateDocument, arriving: StateDocument, source: Place, target: Place) -> None:
    """A place that holds a state of its own is not written over; one that was moved here, or half copied, is."""
    if there in (StateDocument(), arriving) or there.moved_to == source.spec:
        return
    raise StateError(
        f"{target.location} holds a state of its own already.",
        hint=f"See it with: reconciler --state {target.spec} state show. Name an empty place with --to.",
    )
