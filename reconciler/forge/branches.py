"""Two branches of the remote: its default branch, which alone may be applied, and the one that carries proposed edits.

The branch of proposals has one commit for each kind of edit, stands on the newest default branch and is pushed with a
lease. A commit is ours when it says so itself: our address as author and committer, one parent, its number among ours,
and the tree that it was made with. Everything else on the branch is a person's work, and then the whole branch is left
alone. None of this is kept in the state, so a lost state cannot make us overwrite anybody's work.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from reconciler.errors import ConfigError, StateError
from reconciler.moments import timestamp
from reconciler.state.gitcommand import (
    LOCAL_SECONDS,
    NETWORK_SECONDS,
    Git,
    choose_remote,
    clean,
    commit_tree,
    refuse_impossible_branch,
    write_tree,
)

PROPOSALS = "reconciler/proposals"

_NAME, _EMAIL = "reconciler", "reconciler@localhost"
_REFS = "refs/reconciler-proposals"
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--refmap=")
_MOST_COMMITS = 100
"""Ours are one for each kind; a branch with more is somebody else's."""

_UNREACHABLE = "See that `git ls-remote` works here with the same credentials."
_FIELDS = ("%H", "%T", "%P", "%ae", "%ce", "%an", "%s", "%b")
_STAMP = re.compile(r"^Reconciler-Commit: ([0-9]{1,2}) of ([0-9]{1,2}), tree ([0-9a-f]{40,64})$", re.MULTILINE)


class Head(NamedTuple):
    """The remote's default branch and its newest commit."""

    branch: str
    commit: str


def require_head(mappings: Path, environ: Mapping[str, str], *, remote: str | None = None) -> Head:
    """Return the remote's head when mappings.yaml is exactly as it stands there.

    Raises `ConfigError` for an older (or newer) checkout and for a file that was edited after it, `StateError` when
    the remote cannot be asked.
    """
    git = Git(mappings.absolute().parent, environ)
    head = remote_head(git, remote or choose_remote(git))
    here = git.ask("rev-parse", "--verify", "HEAD^{commit}")
    if here != head.commit:
        raise ConfigError(
            f"This checkout is {here[:12]}, but the head of {head.branch} is {head.commit[:12]}: another "
            "mappings.yaml than the newest one must not be applied.",
            hint="Nothing was written. Start the run again: it then checks out the newest one.",
        )
    if git.ask("status", "--porcelain", "--untracked-files=all", "--", mappings.name):
        raise ConfigError(
            f"{mappings.name} is not as it was committed: only what was reviewed may be applied.",
            hint="Commit the edit and merge it.",
        )
    return head


def remote_head(git: Git, remote: str) -> Head:
    """Ask the remote for its default branch. Raises `StateError`."""
    answer = git.run("ls-remote", "--symref", remote, "HEAD", seconds=NETWORK_SECONDS)
    branch = re.search(r"^ref: refs/heads/(.+)\tHEAD$", answer.text, re.MULTILINE)
    commit = re.search(r"^([0-9a-f]+)\tHEAD$", answer.text, re.MULTILINE)
    if not answer.ok or not branch or not commit:
        raise StateError(
            f"The default branch of {remote} cannot be asked for: {answer.complaint or 'no answer'}", hint=_UNREACHABLE
        )
    return Head(branch=branch[1], commit=commit[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedCommit:
    """One commit: the whole of mappings.yaml after it. `subject` and `lines` are safe in a commit message already."""

    subject: str
    lines: tuple[str, ...]
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _BranchCommit:
    """A commit on the branch. It is number `place` of `of` commits of ours; both are 0 where it is a person's."""

    id: str
    tree: str
    author: str
    subject: str
    text: str
    place: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchLook:
    """What the remote has: `tip` is None without a branch; `people` tells of commits there that are not ours."""

    tip: str | None
    commits: tuple[_BranchCommit, ...] = ()
    people: tuple[str, ...] = ()

    @property
    def merged(self) -> bool:
        """True where the default branch has all of it."""
        return self.tip is not None and not self.commits


class ProposalBranch:
    """The branch `name` of `remote`, as it is fetched. Only `put` and `remove` change anything there."""

    def __init__(self, git: Git, *, remote: str, name: str = PROPOSALS) -> None:
        refuse_impossible_branch(git, name, hint="Name another one.")
        self._git = git
        self._remote = remote
        self.name = name
        self._ref = f"refs/heads/{name}"
        self.base: Head = remote_head(git, remote)
        if self.base.branch == name:
            raise StateError(
                f"{name} is the default branch of {remote}: proposals are never pushed there.", hint="Name another one."
            )

    def look(self) -> BranchLook:
        """Fetch the default branch and this one. Raises `StateError`."""
        whole = self._git.ask("rev-parse", "--is-shallow-repository") != "true"
        self._fetch(self.base.branch, "base", *([] if whole else ["--unshallow"]))
        self.base = Head(branch=self.base.branch, commit=self._git.ask("rev-parse", f"{_REFS}/base"))
        failed = f"The branches of {self._remote} cannot be asked for"
        if not self._run("ls-remote", self._remote, self._ref, failed=failed, seconds=NETWORK_SECONDS).strip():
            return BranchLook(tip=None)
        self._fetch(self.name, "tip")
        tip = self._git.ask("rev-parse", f"{_REFS}/tip")
        commits = self._commits(tip)
        return BranchLook(tip=tip, commits=commits, people=_by_people(commits))

    def file(self, path: str, commit: str = "") -> bytes:
        """The file as a commit has it; without one, the default branch. Raises `StateError`."""
        failed = f"{path} is not on the branch {self.name if commit else self.base.branch}"
        blob = f"{commit or self.base.commit}:{path}"
        return self._run("cat-file", "blob", blob, failed=failed, hint="Commit and push it.")

    def put(
        self, look: BranchLook, path: str, commits: Sequence[ProposedCommit], *, now: datetime, options: Sequence[str]
    ) -> bool:
        """Make the branch exactly these commits on the newest default branch; False where it is so already.

        `options` go with a push to a forge that takes wishes in this way. Raises `StateError` when the branch has moved
        since the look, or the remote refuses.
        """
        tip = self._write(path, commits, now)
        if _story(self._commits(tip)) == _story(look.commits) and self._stands_on_base(look):
            return False
        self._push(f"{tip}:{self._ref}", look, [word for option in options for word in ("-o", option)])
        return True

    def remove(self, look: BranchLook) -> None:
        """Delete the branch, if it is still what was looked at."""
        if look.tip is not None:
            self._push(f":{self._ref}", look, [])

    def _write(self, path: str, commits: Sequence[ProposedCommit], now: datetime) -> str:
        who = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", _NAME), ("EMAIL", _EMAIL), ("DATE", timestamp(now)))
        }
        tip = self.base.commit
        with tempfile.TemporaryDirectory(prefix="reconciler-index-") as folder:
            for place, commit in enumerate(commits, 1):
                index = Path(folder) / "index"
                tree = write_tree(self._git, parent=tip, files={path: commit.content}, index=index)
                stamp = f"Reconciler-Commit: {place} of {len(commits)}, tree {tree}"
                message = "\n".join([commit.subject, "", *commit.lines, "", stamp])
                tip = commit_tree(self._git, tree, parent=tip, message=message, identity=who)
        return tip

    def _stands_on_base(self, look: BranchLook) -> bool:
        return bool(look.commits) and self._git.ask("rev-parse", f"{look.commits[0].id}^") == self.base.commit

    def _commits(self, tip: str) -> tuple[_BranchCommit, ...]:
        """The commits that the default branch lacks, oldest first."""
        separated = "%x00".join(_FIELDS)
        limits = (f"--max-count={_MOST_COMMITS}", "--topo-order", "--reverse", f"--format={separated}%x00")
        failed = f"The branch {self.name} cannot be read"
        log = self._run("log", *limits, f"{self.base.commit}..{tip}", failed=failed)
        words = log.decode("utf-8", "replace").split("\0")[:-1]
        rows = zip(*[iter(words)] * len(_FIELDS), strict=True)
        return tuple(_found(row) for row in rows)

    def _fetch(self, branch: str, to: str, *options: str) -> None:
        words = (*_FETCH, *options, self._remote, f"+refs/heads/{branch}:{_REFS}/{to}")
        failed = f"The branch {branch} of {self._remote} cannot be fetched"
        self._run(*words, failed=failed, hint=_UNREACHABLE, seconds=NETWORK_SECONDS)

    def _run(self, *words: str, failed: str, hint: str = "", seconds: float = LOCAL_SECONDS) -> bytes:
        """What git printed. Raises `StateError`, which says what failed and git's own complaint."""
        answer = self._git.run(*words, seconds=seconds)
        if not answer.ok:
            raise StateError(f"{failed}: {answer.complaint}", hint=hint)
        return answer.output

    def _push(self, refs: str, look: BranchLook, options: Sequence[str]) -> None:
        lease = f"--force-with-lease={self._ref}:{look.tip or ''}"
        words = ("push", "--porcelain", "--no-verify", lease, *options, self._remote, refs)
        answer = self._git.run(*words, seconds=NETWORK_SECONDS)
        if answer.ok:
            return
        refused = b"\n".join(line for line in answer.output.splitlines() if line.startswith(b"!"))
        said = " / ".join(filter(None, [clean(refused), answer.complaint])) or f"exit code {answer.code}"
        if "stale info" in said:
            raise StateError(
                f"Somebody pushed to {self.name} just now, so it was left alone.", hint="The next night looks again."
            )
        if "does not support push options" in said:
            raise StateError(
                f"{self._remote} takes no push options, so it is no GitLab.",
                hint="Take the edits as a patch instead: reconciler propose -o patch",
            )
        raise StateError(
            f"{self._remote} did not take the branch {self.name}: {said}",
            hint="May the job push there (in CI: `contents: write`)? Is the branch protected?",
        )


def _found(row: tuple[str, ...]) -> _BranchCommit:
    number, tree, parents, author, committer, name, subject, text = row
    stamps = _STAMP.findall(text)
    ours = author == committer == _EMAIL and len(parents.split()) == 1 and len(stamps) == 1 and stamps[0][2] == tree
    place, of = (int(stamps[0][0]), int(stamps[0][1])) if ours else (0, 0)
    return _BranchCommit(id=number.strip(), tree=tree, author=name, subject=subject, text=text, place=place, of=of)


def _by_people(commits: Sequence[_BranchCommit]) -> tuple[str, ...]:
    """What people did on the branch; empty where it has exactly our commits, in their order."""
    row = [(commit.place, commit.of) for commit in commits]
    if row == [(place, len(commits)) for place in range(1, len(commits) + 1)]:
        return ()
    theirs = tuple(f"{commit.id[:10]} by {commit.author}: {commit.subject}" for commit in commits if not commit.place)
    return theirs or ("commits of this program were taken out",)


def _story(commits: Sequence[_BranchCommit]) -> list[tuple[str, str, str]]:
    return [(commit.tree, commit.subject, commit.text) for commit in commits]
