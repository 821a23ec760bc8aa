"""Files inside git commits: reading them, and writing a commit without a working tree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reconciler.errors import StateError
from reconciler.state.files import MAX_FILE_BYTES, StateFiles
from reconciler.state.gitcommand import Git


class CommitFiles:
    """`StateFiles` of one commit; of None, no files."""

    def __init__(self, git: Git, commit: str | None) -> None:
        self._git = git
        self._blobs = _list_blobs(git, commit) if commit else {}

    @property
    def all_names(self) -> tuple[str, ...]:
        return tuple(self._blobs)

    def read(self, name: str) -> bytes | None:
        blob = self._blobs.get(name)
        if blob is None:
            return None
        answer = self._git.run("cat-file", "blob", blob)
        if not answer.ok:
            raise StateError(
                f"{name} cannot be read from the state branch: {answer.complaint}",
                hint="The clone may be damaged: `git fsck`. A fresh clone reads the branch anew.",
            )
        return answer.output

    def names(self, folder: str) -> tuple[str, ...]:
        return tuple(
            sorted(
                name
                for name in self._blobs
                if name.startswith(f"{folder}/") and name.endswith(".jsonl") and name.count("/") == 1
            )
        )


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

    `index` is a private index file, so that the user's own is never touched.
    """
    private = {"GIT_INDEX_FILE": str(index)}
    git.ask("read-tree", parent or "--empty", extra=private)
    rows = b""
    for name, content in files.items():
        blob = git.ask("hash-object", "-w", "--stdin", stdin=content)
        rows += f"100644 {blob}\t{name}\0".encode()
    git.ask("update-index", "-z", "--add", "--index-info", stdin=rows, extra=private)
    tree = git.ask("write-tree", extra=private)
    parents = ["-p", parent] if parent else []
    text = "".join(character if character.isprintable() else " " for character in message)
    return git.ask("commit-tree", tree, *parents, "-F", "-", stdin=text.encode() + b"\n", extra=identity)


def _list_blobs(git: Git, commit: str) -> dict[str, str]:
    answer = git.run("ls-tree", "-r", "-z", "-l", commit)
    if not answer.ok:
        raise StateError(f"The state branch cannot be listed: {answer.complaint}", hint="Try a fresh clone.")
    blobs = {}
    for row in answer.output.split(b"\0"):
        if not row:
            continue
        facts, _, name = row.partition(b"\t")
        mode, kind, blob, size = facts.split()
        # Links and submodules are nothing that we wrote.
        if kind == b"blob" and mode == b"100644" and int(size) <= MAX_FILE_BYTES:
            blobs[name.decode("utf-8", "replace")] = blob.decode("ascii")
    return blobs
