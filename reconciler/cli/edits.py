"""Edits of mappings.yaml by a command: written into the file, or printed as a patch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from difflib import unified_diff
from pathlib import Path

from reconciler.cli.files import edit_file
from reconciler.config import parse_mappings
from reconciler.config.source import decode, read_bytes
from reconciler.model import Mappings


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEdit:
    """What the file holds, what it is to hold, and the mappings that come of it."""

    path: Path
    old: bytes
    new: bytes
    mappings: Mappings

    @classmethod
    def make(cls, path: Path, edit: Callable[[str], str], *, now: datetime) -> FileEdit:
        """The edit, checked as a whole; nothing is written. Raises `ConfigError` for what would not be valid."""
        old = read_bytes(path)
        return cls.of(path, old, edit(decode(old, file=str(path))), now=now)

    @classmethod
    def of(cls, path: Path, old: bytes, text: str, *, now: datetime) -> FileEdit:
        """The same where the file was read before: `write` refuses where it holds something else than `old` by then."""
        new = text.encode("utf-8")
        return cls(path=path, old=old, new=new, mappings=parse_mappings(new, file=str(path), now=now))

    @property
    def changes(self) -> bool:
        """False where the file says it already."""
        return self.old != self.new

    def write(self) -> None:
        """Put it into the file. Raises `ConfigError` when somebody changed the file in between."""
        if self.changes:
            edit_file(self.path, self.old, self.new)

    @property
    def patch(self) -> str:
        """The edit as a patch that `git apply` takes; empty where nothing changes."""
        before, after = (text.decode("utf-8").splitlines(keepends=True) for text in (self.old, self.new))
        name = self.path.as_posix().removeprefix("./")
        name = self.path.name if self.path.is_absolute() or ".." in self.path.parts else name
        lines = unified_diff(before, after, f"a/{name}", f"b/{name}")
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def changed_lines(old: bytes, new: bytes) -> list[str]:
    """What an edit changes, as a diff's lines with two lines around each change, without the names of files."""
    before, after = (text.decode("utf-8").splitlines() for text in (old, new))
    return list(unified_diff(before, after, lineterm="", n=2))[2:]
