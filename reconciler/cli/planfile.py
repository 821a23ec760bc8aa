"""Saved plans on disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import PlanFileError

if TYPE_CHECKING:
    from reconciler.plan_document.read import SavedPlan


def load_plan_file(path: Path) -> SavedPlan:
    """Read a saved plan. Raises `PlanFileError` for everything that is not exactly one."""
    from reconciler.plan_document.read import MAX_PLAN_BYTES, read_plan_file  # noqa: PLC0415

    hint = "Make one with: reconciler plan --out FILE"
    try:
        if not path.is_file():
            raise PlanFileError(f"{path} is not a file.", hint=hint)
        if path.stat().st_size > MAX_PLAN_BYTES:
            raise PlanFileError(f"{path} is too large for a plan.", hint=hint)
        return read_plan_file(path.read_bytes())
    except OSError as error:
        raise PlanFileError(f"{path} cannot be read: {error.strerror}.", hint=hint) from error


def save_plan_file(path: Path, text: str, *, what: str = "plan") -> None:
    """Write a plan (or `what` it is) for the owner's eyes only, as it names customers, whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise PlanFileError(
            f"The {what} cannot be written to {path}: {error.strerror}.", hint="Name another file with --out."
        ) from error
