"""The base of a reviewed edit: mappings.yaml as it stands at another commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

from reconciler.cli.output import safe, tell
from reconciler.cli.wiring import Wiring
from reconciler.config import parse_mappings
from reconciler.errors import ConfigError, UsageError
from reconciler.model import Mappings

GIT_SECONDS = 20


def load_base(wiring: Wiring, ref: str) -> Mappings | None:
    """mappings.yaml as it stands at a git reference; None, with a word about it, when it is not usable there.

    Raises `UsageError` when the reference does not exist, or mappings.yaml is in no repository.
    """
    path = wiring.options.mappings.absolute()
    if ref.startswith("-"):
        raise UsageError(f"--against {ref}: that is no git reference.")
    _git(path.parent, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", problem=f"git knows no commit {ref!r}")
    text = _git(path.parent, "show", f"{ref}:./{path.name}", problem="")
    if text is None:
        tell(f"{path.name} does not exist at {safe(ref)}: every change comes from this edit.")
        return None
    try:
        return parse_mappings(text, file=f"{ref}:{path.name}", today=wiring.clock.now().date())
    except ConfigError as error:
        tell(f"{safe(error.message)}, so every change is put down to this edit.")
        return None


def _git(folder: Path, *words: str, problem: str) -> bytes | None:
    """What git prints; on failure `UsageError` with `problem`, or None where `problem` is empty."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, no shell; the reference cannot be an option
            ["git", "-C", str(folder), *words],  # noqa: S607 - the user's own git
            capture_output=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError("--against needs git, and it could not be run.") from error
    if done.returncode == 0:
        return done.stdout
    if problem:
        raise UsageError(f"--against: {problem}.", hint="Fetch it first (in CI: fetch-depth: 0), or name another.")
    return None
