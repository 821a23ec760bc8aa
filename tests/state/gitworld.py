"""Real git repositories for tests, far from anybody's configuration."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def isolated_git(home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }


def git(place: Path, environ: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(place), *arguments],
        env=environ,
        capture_output=True,
        check=True,
        text=True,
        encoding="utf-8",
    )
    return done.stdout.strip()


def clone(bare: Path, to: Path, environ: dict[str, str]) -> Path:
    git(bare.parent, environ, "clone", "-q", str(bare), str(to))
    return to


def install_hook(bare: Path, name: str, script: str) -> None:
    hook = bare / "hooks" / name
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)
