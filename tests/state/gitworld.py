"""Real git repositories for tests, far from anybody's configuration."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def isolated_git(home: Path, person: str = "") -> dict[str, str]:
    """An environment in which nobody's git configuration counts; `person` is who commits."""
    name, address = person, f"{person.lower().replace(' ', '.')}@example.com"
    who = {"AUTHOR_NAME": name, "AUTHOR_EMAIL": address, "COMMITTER_NAME": name, "COMMITTER_EMAIL": address}
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **({f"GIT_{name}": value for name, value in who.items()} if person else {}),
    }


def git(place: Path, environ: dict[str, str], *arguments: str) -> str:
    command = ["git", "-C", str(place), *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, check=True, text=True, encoding="utf-8")
    return done.stdout.strip()


def bare_remote(folder: Path, environ: dict[str, str]) -> Path:
    """An empty repository to push to, whose default branch is main."""
    bare = folder / "remote.git"
    git(folder, environ, "init", "-q", "--bare", "-b", "main", str(bare))
    return bare


def clone(bare: Path, to: Path, environ: dict[str, str]) -> Path:
    git(bare.parent, environ, "clone", "-q", str(bare), str(to))
    return to


def install_hook(bare: Path, name: str, script: str) -> None:
    hook = bare / "hooks" / name
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)
