"""Files inside git commits: reading them, and writing a commit without a working tree."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import StateError
from reconciler.state.files import MAX_FILE_BYTES, StateFiles
from reconciler.state.gitcommand import Git


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One file in a commit. Links and submodules are not regular, and nothing that we wrote."""

    blob: str
    regular: bool


class CommitFiles:
    """`StateFiles` of one commit; of None, no files."""

    def __init__(self, git: Git, commit: str | None) -> None:
        self._git = git
        self._entries = _list_entries(git, commit) if commit else {}
        self._loaded: dict[str, bytes] = {}

    def load(self) -> CommitFiles:
        """Read all files now, so that none needs git later."""
        self._loaded = {name: self.read(name) or b"" for name, entry in self._entries.items() if entry.regular}
        return self

    def holds_anything_outside(self, folders: Collection[str]) -> bool:
        """True where the commit has files outside these folders."""
        return any(name.partition("/")[0] not in folders for name in self._entries)

    def read(self, name: str) -> bytes | None:
        if name in self._loaded:
            return self._loaded[name]
        entry = self._entries.get(name)
        if entry is None:
            return None
        if not entry.regular:
            raise StateError(f"{name} on the state branch is not a regular file.", hint="Remove it from the branch.")
        answer = self._git.run("cat-file", "blob", entry.blob)
        if not answer.ok:
            raise StateError(
                f"{name} cannot be read from the state branch: {answer.complaint}",
                hint="The clone may be damaged: `git fsck`. A fresh clone reads the branch anew.",
            )
        return answer.output

    def names(self, folder: str) -> tuple[str, ...]:
        prefix = f"{folder}/"
        return tuple(sorted(name for name in self._entries if name.startswith(prefix) and name.endswith(".jsonl")))


class Overlay:
    """`StateFiles` of a branch, and on top of them the files of this machine that were not pushed yet."""

    def __init__(self, pushed: StateFiles, local: StateFiles) -> None:
        self._pushed = pushed
        self._local = local

    def read(self, name: str) -> bytes | None:
        pushed, local = self._pushed.read(name), self._local.read(name)
        if pushed is None or (local is not None and local.startswith(pushed)):
            return local
        return pushed

    def names(self, folder: str) -> tuple[str, ...]:
        return tuple(sorted({*self._pushed.names(folder), *self._local.names(folder)}))


def write_commit(
    git: Git, *, parent: str | None, files: Mapping[str, bytes], message: str, index: Path, identity: Mapping[str, str]
) -> str:
    """Write a commit that has the parent's files with `files` put in their place; return its id.

    `index` is a private index file, so that the user's own is never touched. The message is one line.
    """
    tree = write_tree(git, parent=parent, files=files, index=index)
    text = "".join(character if character.isprintable() else " " for character in message)
    return commit_tree(git, tree, parent=parent, message=text, identity=identity)


def write_tree(git: Git, *, parent: str | None, files: Mapping[str, bytes], index: Path) -> str:
    """Write the parent's files with `files` put in their place, each as a regular file; return the tree's id."""
    private = {"GIT_INDEX_FILE": str(index)}
    git.ask("read-tree", parent or "--empty", extra=private)
    rows = b""
    for name, content in files.items():
        blob = git.ask("hash-object", "-w", "--stdin", stdin=content)
        rows += f"100644 {blob}\t{name}\0".encode()
    git.ask("update-index", "-z", "--add", "--index-info", stdin=rows, extra=private)
    return git.ask("write-tree", extra=private)


def commit_tree(git: Git, tree: str, *, parent: str | None, message: str, identity: Mapping[str, str]) -> str:
    """Write a commit of this tree; return its id. The caller makes sure that the message is safe."""
    parents = ["-p", parent] if parent else []
    return git.ask("commit-tree", tree, *parents, "-F", "-", stdin=message.encode() + b"\n", extra=identity)


def _list_entries(git: Git, commit: str) -> dict[str, _Entry]:
    answer = git.run("ls-tree", "-r", "-z", "-l", commit)
    if not answer.ok:
        raise StateError(f"The state branch cannot be listed: {answer.complaint}", hint="Try a fresh clone.")
    entries = {}
    for row in filter(None, answer.output.split(b"\0")):
        facts, _, name = row.partition(b"\t")
        mode, kind, blob, size = facts.split()
        # git gives no number as the size of an object that the clone has lost; reading it says so.
        huge = size.isdigit() and int(size) > MAX_FILE_BYTES
        regular = kind == b"blob" and mode == b"100644" and not huge
        entries[name.decode("utf-8", "replace")] = _Entry(blob=blob.decode("ascii"), regular=regular)
    return entries
