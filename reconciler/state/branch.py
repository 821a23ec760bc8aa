"""The state branch as a clone of the repository knows it: fetched, decoded, committed on, pushed to, and its files."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from reconciler.clock import Clock
from reconciler.errors import StateError
from reconciler.state.document import STATE_FILE, StateDocument, decode, refuse_other_use
from reconciler.state.files import MAX_FILE_BYTES, StateFiles
from reconciler.state.gitcommand import (
    LOCK_LEFT,
    NETWORK_SECONDS,
    Git,
    GitAnswer,
    clean,
    commit_tree,
    hint_for,
    write_tree,
)
from reconciler.state.history import HISTORY_FOLDER, Finding
from reconciler.state.journal import JOURNAL_FOLDER
from reconciler.state.spelling import format_time

_FETCH_OPTIONS = ("--quiet", "--no-tags", "--no-write-fetch-head", "--refmap=")

_READ_ONLY = re.compile(rf"[Pp]ermission denied|insufficient permission|Read-only file system|{LOCK_LEFT.pattern}")
"""How git says that it may not write into the clone, or that another git is doing so."""


class StateBranch:
    """The branch as this clone knows it: fetched, decoded, pushed to."""

    def __init__(self, git: Git, *, remote: str, branch: str) -> None:
        self.git = git
        self.name = f"{remote}/{branch}"
        self._remote = remote
        self._head = f"refs/heads/{branch}"
        self._in_memory: CommitFiles | None = None
        self._kept = f"refs/reconciler/{branch}" if remote == "origin" else f"refs/reconciler-of/{remote}/{branch}"
        self._lost = f"refs/reconciler-lost/{remote}/{branch}"
        self.tip = git.run("rev-parse", "--verify", "--quiet", f"{self._kept}^{{commit}}").text or None

    @property
    def refs(self) -> tuple[str, ...]:
        """The refs of the user's repository that are ours for this branch."""
        return self._kept, self._lost

    @property
    def files(self) -> CommitFiles:
        return self._in_memory or CommitFiles(self.git, self.tip)

    @property
    def document(self) -> StateDocument:
        """state.json at the tip. Raises `StateError` when damaged, and for a branch that holds something else."""
        files = self.files
        content = files.read(STATE_FILE)
        if content is None:
            refuse_other_use("branch", self.name, files.names_outside({JOURNAL_FOLDER, HISTORY_FOLDER}))
        return decode(content, place=f"{STATE_FILE} on {self.name}")

    def fetch(self) -> None:
        """Learn the remote's newest commit. A branch that is not there yet is the empty state."""
        answer = self._fetch_branch()
        if not answer.ok:
            listing = self.git.run("ls-remote", self._remote, self._head, seconds=NETWORK_SECONDS)
            if listing.ok and not listing.text:
                return self._refuse_if_it_was_there()
            if listing.ok:
                answer = self._fetch_branch()  # another process of this clone was fetching at the same moment
            if not answer.ok:
                raise StateError(
                    f"The state branch {self.name} cannot be fetched: {answer.complaint}",
                    hint=hint_for(answer.complaint) or "See that `git ls-remote` works here with the same credentials.",
                )
        before, self.tip = self.tip, self.git.ask("rev-parse", "--verify", f"{self._kept}^{{commit}}")
        if before is not None and not self.contains(before) and self.rewritten is None:
            self.git.run("update-ref", self._lost, before)
        return None

    @property
    def rewritten(self) -> str | None:
        """The commit that this clone has seen and that a forced push took away; None where all is there."""
        lost = self.git.run("rev-parse", "--verify", "--quiet", f"{self._lost}^{{commit}}").text
        return lost if lost and not self.contains(lost) else None

    def what_was_rewritten(self) -> tuple[Finding, ...]:
        """That the branch was force-pushed, with what can be done about it."""
        lost = self.rewritten
        if lost is None:
            return ()
        message = (
            f"the branch was force-pushed: commit {lost[:10]}, which this clone has seen on it, is gone. Put it back: "
            f"`git push --force {self._remote} {lost}:{self._head}`; or keep what is there now: `git update-ref -d "
            f"{self._lost}`"
        )
        return (Finding(file=self.name, line=1, message=message),)

    def fetch_to_read(self) -> None:
        """As `fetch`, also in a clone that cannot be written to."""
        try:
            self.fetch()
        except StateError as exc:
            if not _READ_ONLY.search(exc.message) or not self._fetch_into_memory():
                raise

    def _fetch_into_memory(self) -> bool:
        """Read the newest commit whole, without writing into the clone; False where that does not work either."""
        newest = self.git.run("ls-remote", self._remote, self._head, seconds=NETWORK_SECONDS).text.partition("\t")[0]
        with tempfile.TemporaryDirectory(prefix="reconciler-objects-") as folder:
            git = self.git.with_new_objects_in(Path(folder))
            fetched = git.run("fetch", *_FETCH_OPTIONS, self._remote, self._head, seconds=NETWORK_SECONDS)
            if not fetched.ok or not git.run("cat-file", "-e", f"{newest}^{{commit}}").ok:
                return False
            self.tip, self._in_memory = newest, CommitFiles(git, newest).load()
        return True

    def _fetch_branch(self) -> GitAnswer:
        refs = f"+{self._head}:{self._kept}"
        return self.git.run("fetch", *_FETCH_OPTIONS, self._remote, refs, seconds=NETWORK_SECONDS)

    def _refuse_if_it_was_there(self) -> None:
        if self.tip is not None:
            raise StateError(
                f"The state branch {self.name} was there before and is gone.",
                hint=(
                    f"Put it back: `git push {self._remote} {self._kept}:{self._head}`. Or start anew, creates are "
                    f"then held until each is decided: `git update-ref -d {self._kept}`."
                ),
            )

    def push(self, commit: str) -> str:
        """Push without force; return what went wrong, or nothing at all when the remote took it."""
        try:
            answer = self.git.run(
                "push", "--porcelain", "--no-verify", self._remote, f"{commit}:{self._head}", seconds=NETWORK_SECONDS
            )
        except StateError as exc:  # it took too long: it may have arrived all the same
            return exc.message
        if answer.ok:
            self.tip = commit
            self.git.run("update-ref", self._kept, commit)  # only a memory: the next fetch sets it, too
            return ""
        refused = b"\n".join(line for line in answer.output.splitlines() if line.startswith(b"!"))
        return " / ".join(filter(None, [clean(refused), answer.complaint])) or f"exit code {answer.code}"

    def contains(self, commit: str) -> bool:
        """True where the branch has the commit: a push whose answer was lost had arrived."""
        return self.tip is not None and self.git.run("merge-base", "--is-ancestor", commit, self.tip).ok

    def commit(self, files: Mapping[str, bytes], message: str, *, folder: Path, clock: Clock) -> str:
        """Write a commit with these files on the newest one; return its id. `folder` is one of ours to work in."""
        now = format_time(clock.now().replace(microsecond=0))
        identity = {**self.git.identity(), "GIT_AUTHOR_DATE": now, "GIT_COMMITTER_DATE": now}
        line = "".join(character if character.isprintable() else " " for character in message)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".index-") as inside:
            tree = write_tree(self.git, parent=self.tip, files=files, index=Path(inside) / "index")
        return commit_tree(self.git, tree, parent=self.tip, message=line, identity=identity)


class CommitFiles:
    """`StateFiles` of one commit; of None, no files."""

    def __init__(self, git: Git, commit: str | None) -> None:
        self._git = git
        self._blobs = _list_blobs(git, commit) if commit else {}
        self._loaded: dict[str, bytes] = {}

    def load(self) -> CommitFiles:
        """Read all files now, so that none needs git later."""
        self._loaded = {name: self.read(name) or b"" for name, blob in self._blobs.items() if blob}
        return self

    def names_outside(self, folders: Collection[str]) -> tuple[str, ...]:
        """The commit's files that are in none of these folders."""
        return tuple(name for name in self._blobs if name.partition("/")[0] not in folders)

    def read(self, name: str) -> bytes | None:
        if name in self._loaded:
            return self._loaded[name]
        if name not in self._blobs:
            return None
        if not self._blobs[name]:
            raise StateError(f"{name} on the state branch is not a regular file.", hint="Remove it from the branch.")
        answer = self._git.run("cat-file", "blob", self._blobs[name])
        if not answer.ok:
            raise StateError(
                f"{name} cannot be read from the state branch: {answer.complaint}",
                hint="The clone may be damaged: `git fsck`. A fresh clone reads the branch anew.",
            )
        return answer.output

    def names(self, folder: str) -> tuple[str, ...]:
        return tuple(sorted(name for name in self._blobs if name.startswith(f"{folder}/") and name.endswith(".jsonl")))


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


def _list_blobs(git: Git, commit: str) -> dict[str, str]:
    """The files in a commit, each with its blob; without one where it is nothing that we wrote: a link, a submodule."""
    answer = git.run("ls-tree", "-r", "-z", "-l", commit)
    if not answer.ok:
        raise StateError(f"The state branch cannot be listed: {answer.complaint}", hint="Try a fresh clone.")
    blobs = {}
    for row in filter(None, answer.output.split(b"\0")):
        facts, _, name = row.partition(b"\t")
        mode, kind, blob, size = facts.split()
        # git gives no number as the size of an object that the clone has lost; reading it says so.
        huge = size.isdigit() and int(size) > MAX_FILE_BYTES
        regular = kind == b"blob" and mode == b"100644" and not huge
        blobs[name.decode("utf-8", "replace")] = blob.decode("ascii") if regular else ""
    return blobs
