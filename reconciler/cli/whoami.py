"""Who runs this, and from which commit: for the journal and the history."""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

GIT_SECONDS = 5


def actor(environ: Mapping[str, str]) -> str:
    """The address of the CI run with the one who started it, else the user's name."""
    server, repository, run = (environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    if server and repository and run:
        return f"{environ.get('GITHUB_ACTOR', 'unknown')} {server}/{repository}/actions/runs/{run}"
    for variable in ("CI_JOB_URL", "BUILD_BUILDURI"):
        if environ.get(variable):
            return environ[variable]
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def ask_commit(environ: Mapping[str, str], mappings: Path) -> Callable[[], str]:
    """`commit`, asked in the background: git takes a while to answer, and a run has reading to do meanwhile."""
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="git")
    answer = pool.submit(commit, environ, mappings)
    pool.shutdown(wait=False)
    return answer.result


def commit(environ: Mapping[str, str], mappings: Path) -> str:
    """The commit that mappings.yaml is checked out from; in CI without a repository the event's; else empty.

    git is asked first: a CI job may check out something newer than the event that started it.
    """
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, no shell
            ["git", "-C", str(mappings.absolute().parent), "rev-parse", "HEAD"],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        names = ("GITHUB_SHA", "CI_COMMIT_SHA", "BUILD_SOURCEVERSION")
        return next((environ[name] for name in names if environ.get(name)), "")
    return done.stdout.strip()
