"""octoDNS, the nearest relative in Python: as many records as Subscriptions, from one YAML tree to another."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rivals.kinds import Ground, Missing, Rival, Subscription

WANTED = "octodns==1.22.0"
LABEL = "octoDNS, YAML to YAML"
ZONE = "example.com"
CONFIG = f"""---
providers:
  source:
    class: octodns.provider.yaml.YamlProvider
    directory: ./source
  target:
    class: octodns.provider.yaml.YamlProvider
    directory: ./target
zones:
  {ZONE}.:
    sources: [source]
    targets: [target]
"""


def octodns(cache: Path) -> Rival | Missing:
    """Install octoDNS into an environment of its own, unless it is there already."""
    home = cache / WANTED.replace("==", "-")
    if reason := _install(home):
        return Missing(label=LABEL, reason=reason)
    words = {"plan": [], "apply": ["--doit"]}
    return Rival(
        name="octodns",
        label=LABEL,
        command=lambda job: [str(home / "bin" / "octodns-sync"), "--config-file", "config.yaml", *words[job]],
        prepare=_prepare,
        reset=lambda folder: _copy(folder / "before.yaml", folder / "target" / f"{ZONE}.yaml"),
        requests=lambda ground: {},  # noqa: ARG005 - no network
        offline=True,
    )


def applied(folder: Path) -> bool:
    """Whether the target says what the source says."""
    source, target = (folder / side / f"{ZONE}.yaml" for side in ("source", "target"))
    return _records(source) == _records(target)


def _install(home: Path) -> str:
    if (home / "installed").exists():
        return ""
    shutil.rmtree(home, ignore_errors=True)
    for command in (
        [sys.executable, "-m", "venv", str(home)],
        [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", WANTED],
    ):
        done = subprocess.run(  # noqa: S603 - fixed words
            command, env=os.environ, capture_output=True, text=True, check=False
        )
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
            return f"cannot be installed: {lines[-1]}"
    (home / "installed").touch()
    return ""


def _prepare(folder: Path, ground: Ground) -> None:
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    for side in ("source", "target"):
        (folder / side).mkdir()
    due = [(each, each.due) for each in ground.subscriptions]
    held = [(each, each.count) for each in ground.subscriptions]
    (folder / "source" / f"{ZONE}.yaml").write_text(_tree(due), encoding="utf-8")
    (folder / "before.yaml").write_text(_tree(held), encoding="utf-8")


def _tree(quantities: Sequence[tuple[Subscription, int]]) -> str:
    records = (f"client-{each.client}:\n  ttl: 3600\n  type: TXT\n  value: '{count}'\n" for each, count in quantities)
    return "---\n" + "".join(records)


def _records(file: Path) -> list[str]:
    """The lines of a tree without the quotes and the default TTL, which octoDNS writes in its own way."""
    lines = file.read_text(encoding="utf-8").replace("'", "").replace('"', "").splitlines()
    return [line for line in lines if line.strip() != "ttl: 3600"]


def _copy(before: Path, after: Path) -> None:
    shutil.copyfile(before, after)
