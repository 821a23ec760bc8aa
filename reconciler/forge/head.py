"""Checks that this checkout is what the remote's default branch has now: a re-run of an old job must not apply it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import ConfigError, StateError
from reconciler.state.gitcommand import NETWORK_SECONDS, Git, choose_remote


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The remote's default branch and its newest commit."""

    branch: str
    commit: str


def require_head(mappings: Path, environ: Mapping[str, str], *, remote: str | None = None) -> Head:
    """Return the remote's head when mappings.yaml is exactly as it stands there.

    Raises `ConfigError` for an older (or newer) checkout and for a file that was edited after it, `StateError` when
    the remote cannot be asked.
    """
    git = Git(mappings.absolute().parent, environ)
    head = remote_head(git, remote or choose_remote(git))
    here = git.ask("rev-parse", "--verify", "HEAD^{commit}")
    if here != head.commit:
        raise ConfigError(
            f"This checkout is {here[:12]}, but the head of {head.branch} is {head.commit[:12]}: another "
            "mappings.yaml than the newest one must not be applied.",
            hint="Nothing was written. Start the run again: it then checks out the newest one.",
        )
    if git.ask("status", "--porcelain", "--untracked-files=all", "--", mappings.name):
        raise ConfigError(
            f"{mappings.name} is not as it was committed: only what was reviewed may be applied.",
            hint="Commit the edit and merge it.",
        )
    return head


def remote_head(git: Git, remote: str) -> Head:
    """Ask the remote for its default branch. Raises `StateError`."""
    answer = git.run("ls-remote", "--symref", remote, "HEAD", seconds=NETWORK_SECONDS)
    branch, commit = "", ""
    for line in answer.text.splitlines():
        left, _, right = line.partition("\t")
        if right == "HEAD" and left.startswith("ref: refs/heads/"):
            branch = left.removeprefix("ref: refs/heads/")
        elif right == "HEAD":
            commit = left
    if not answer.ok or not branch or not commit:
        raise StateError(
            f"The default branch of {remote} cannot be asked for: {answer.complaint or 'no answer'}",
            hint="See that `git ls-remote` works here with the same credentials.",
        )
    return Head(branch=branch, commit=commit)
