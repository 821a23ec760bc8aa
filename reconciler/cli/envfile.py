"""`--env-file FILE`: the variables of a run from a file that somebody names; none is ever loaded by itself.

The file is read strictly, because it decides which HaloPSA is written to: `NAME=value` on each line, as it stands, with
nothing to expand and nothing to unquote. Who names an address names its secret: where the file says anything of HaloPSA
(or INFIMA), whatever else the environment says of it counts no more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from reconciler.cli.output import closest
from reconciler.errors import UsageError

NAMES = (
    "HALO_URL", "HALO_AUTH_URL", "HALO_CLIENT_ID", "HALO_CLIENT_SECRET", "HALO_TENANT", "INFIMA_URL", "INFIMA_API_KEY",
    "RECONCILER_MAPPINGS", "RECONCILER_STATE", "RECONCILER_PROXY", "NOTIFY_URLS", "DEAD_MANS_SWITCH_URL",
    "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
"""What a file may set; each but the last two also as NAME_FILE."""

MAX_BYTES = 64_000
_SYSTEMS = ("HALO_", "INFIMA_")
_LINE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)")


def read_env_file(path: Path) -> dict[str, str]:
    """The variables in the file. Raises `UsageError` with every problem at once; no value is repeated in it."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"--env-file {path} cannot be read: {error.strerror}.", hint="Name another file.") from error
    try:
        text = content[: MAX_BYTES + 1].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"--env-file {path} is not UTF-8.", hint="Save it as UTF-8.") from error
    if len(content) > MAX_BYTES:
        raise UsageError(f"--env-file {path} is too large for a list of variables.", hint="Name another file.")
    found: dict[str, str] = {}
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            problem = _take(line, found)
            if problem:
                problems.append(f"line {number}: {problem}")
    if problems:
        hint = "Write NAME=value on each line, without quotes; # begins a comment line."
        raise UsageError(f"--env-file {path}: {'; '.join(problems)}.", hint=hint)
    return found


def _take(line: str, found: dict[str, str]) -> str:
    """Put the line's variable into `found`; return what is wrong with it."""
    parts = _LINE.fullmatch(line)
    if parts is None:
        return "`export` is not needed" if line.startswith("export ") else "not NAME=value"
    name, value = parts.groups()
    known = [*NAMES, *(f"{each}_FILE" for each in NAMES if not each.startswith("SSL_"))]
    if name not in known:
        near = closest(name, known)
        return f"{name} is not known" + (f", did you mean {near}?" if near else "")
    if name in found:
        return f"{name} is given twice"
    if value != value.strip() or not value.isprintable():
        return f"{name} has a space at an end or a control character"
    if value[:1] in {'"', "'"} or value[-1:] in {'"', "'"}:
        return f"{name} is in quotes"
    found[name] = value
    return ""


def environment_with(found: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment, with all that it says of a system replaced where the file names that system."""
    named = tuple(system for system in _SYSTEMS if any(name.startswith(system) for name in found))
    kept = {name: value for name, value in environ.items() if not (named and name.startswith(named))}
    return kept | dict(found)
