"""Which store a person means: `directory:PATH`, `git:BRANCH`, a plain path, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reconciler.clock import Clock
from reconciler.errors import UsageError
from reconciler.state.directory import DirectoryState
from reconciler.state.git import DEFAULT_BRANCH, GitState

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


def open_state(
    spec: str | None, *, mappings_path: Path, clock: Clock, environ: Mapping[str, str]
) -> DirectoryState | GitState:
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
