"""The state on a branch of the repository's remote: for throw-away runners, and for several machines.

A plain push, which the remote rejects when the branch has moved, is the compare-and-set. Each change of state.json is
one commit on top of the newest one. After any push that did not surely succeed the branch is fetched again: where our
commit is in it, it arrived; otherwise the change is decided anew on the newest state and pushed again, a bounded
number of times.

What is durable when. A create attempt is on the remote before its request is sent: the runner's disk may die with the
job, and this record is what stops a second create. The intents of updates are fsynced on the local disk before each
request and pushed with the run's commit: losing them loses an account of writes that the next run sees in Halo anyway,
and a push for each would cost a second a batch. A journal that a crash left on a machine that stays is pushed by the
next run there.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from reconciler.clock import Clock
from reconciler.errors import StateError
from reconciler.model import Offers, Recorded
from reconciler.state.base import RunInfo, RunState
from reconciler.state.directory import run_lock
from reconciler.state.document import STATE_FILE, StateDocument, decode, encode
from reconciler.state.files import PrivateDirectory, StateFiles
from reconciler.state.gitcommand import LOCK_LEFT, NETWORK_SECONDS, Git, GitAnswer, choose_remote, clean, hint_for
from reconciler.state.gitfiles import CommitFiles, Overlay, write_commit
from reconciler.state.gitlocks import clear_stale_locks
from reconciler.state.history import HISTORY_FOLDER, Finding, History
from reconciler.state.journal import JOURNAL_FOLDER, Journal
from reconciler.state.moving import refuse_moved
from reconciler.state.recording import Edit, Step, change_offers, record_run, recorded_in
from reconciler.state.spelling import format_time

DEFAULT_BRANCH = "reconciler-state"
PUSH_TRIES = 12
UNMOVED_TRIES = 3
"""A remote that refuses a push this often though nobody else changed the branch does not want it."""

_FETCH_OPTIONS = ("--quiet", "--no-tags", "--no-write-fetch-head", "--refmap=")

_READ_ONLY = re.compile(rf"[Pp]ermission denied|insufficient permission|Read-only file system|{LOCK_LEFT.pattern}")
"""How git says that it may not write into the clone, or that another git is doing so."""

T = TypeVar("T")


class GitState:
    """`StateStore` on a branch of a git remote, made at the first write. Reading fetches the branch.

    `repository` is any directory inside the clone. The remote is origin, or the one that is there, or the first word
    of a `branch` such as "upstream/reconciler-state". Raises `StateError` where the remote cannot be reached.
    """

    def __init__(
        self,
        repository: Path,
        *,
        clock: Clock,
        branch: str = DEFAULT_BRANCH,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._git = Git(repository, os.environ if environ is None else environ)
        self._repository = repository
        self._clock = clock
        self._branch = branch
        self._place: tuple[str, str] | None = None

    @property
    def location(self) -> str:
        try:
            branch, remote = self._branch_and_remote()
        except StateError:  # whatever is wrong is told by the first read
            branch, remote = self._branch, "origin"
        return f"branch {branch} of {remote}"

    @property
    def spec(self) -> str:
        """How --state names it."""
        return f"git:{self._branch}"

    @property
    def history(self) -> History:
        """What was recorded over time: the newest known where the remote does not answer, so it works offline."""
        branch = self._state_branch()
        try:
            branch.fetch_to_read()
        except StateError:
            if branch.tip is None:
                raise
        refuse_moved(branch.document, self.location)
        return History(Overlay(branch.files, self._local()), found=branch.what_was_rewritten())

    def read(self) -> Recorded:
        branch = self._state_branch()
        branch.fetch_to_read()
        files = Overlay(branch.files, self._local())
        recorded = recorded_in(branch.document, files, durable=True, location=self.location)
        told = tuple(f"{finding.file}: {finding.message}" for finding in branch.what_was_rewritten())
        return replace(recorded, damage=(*recorded.damage, *told))

    def look(self) -> StateDocument:
        """What state.json says, even where it only says that the state was moved."""
        branch = self._state_branch()
        branch.fetch_to_read()
        return branch.document

    @contextmanager
    def hold(self, info: RunInfo) -> Iterator[HeldBranch]:
        """Lock this clone's place for a move; what another clone pushes meanwhile makes the move fail."""
        branch, local = self._state_branch(), self._local()
        local.prepare()
        with run_lock(local, info, location=self.location):
            self._clear_locks(branch)
            branch.fetch()
            yield HeldBranch(branch, local, self._clock)

    def prove_writable(self) -> None:
        """Push a commit that changes nothing: what a ruleset says to a dry run is not what it says to a push."""
        keeper = self._keeper()
        keeper.update(lambda document, _: Edit(document=document, answer=None), message="Doctor: a write was tried")

    def record_offers(self, change: Callable[[Offers], Offers], *, message: str) -> None:
        change_offers(self._keeper(), change, message=message, location=self.location)

    def _keeper(self) -> _GitKeeper:
        """The newest state, to be changed outside any run."""
        branch, local = self._state_branch(), self._local()
        branch.fetch()
        local.prepare()
        return _GitKeeper(branch, local, self._clock)

    def open_run(self, info: RunInfo) -> AbstractContextManager[RunState]:
        return self._open_run(info)

    @contextmanager
    def _open_run(self, info: RunInfo) -> Iterator[RunState]:
        branch, local = self._state_branch(), self._local()
        local.prepare()
        with run_lock(local, info, location=self.location):
            self._clear_locks(branch)
            branch.fetch()
            keeper = _GitKeeper(branch, local, self._clock)
            with record_run(keeper, info, clock=self._clock, durable=True, location=self.location) as run:
                yield run
            with suppress(StateError):  # what stays here is looked at again by the next run
                keeper.forget_pushed_journals()

    def _state_branch(self) -> StateBranch:
        if not self._git.run("check-ref-format", f"refs/heads/{self._branch}").ok or self._branch.startswith("-"):
            raise StateError(f"{self._branch!r} cannot be a branch.", hint="Name one with --state git:BRANCH.")
        branch, remote = self._branch_and_remote()
        return StateBranch(self._git, remote=remote, branch=branch)

    def _branch_and_remote(self) -> tuple[str, str]:
        """Where the branch is called REMOTE/BRANCH, as git itself writes it, and there is such a remote: those two."""
        if self._place is None:
            first, _, rest = self._branch.partition("/")
            if rest and first in self._git.run("remote").text.splitlines():
                self._place = rest, first
            else:
                self._place = self._branch, choose_remote(self._git)
        return self._place

    @property
    def remote(self) -> str:
        """The remote's name. Raises `StateError` where there is none."""
        return self._branch_and_remote()[1]

    def _common(self) -> Path:
        return Path(self._git.ask("rev-parse", "--path-format=absolute", "--git-common-dir"))

    def _clear_locks(self, branch: StateBranch) -> None:
        clear_stale_locks(self._common(), branch.refs, now=self._clock.now())

    def _local(self) -> PrivateDirectory:
        """Where this clone keeps its lock and the journals that are not pushed yet: inside its git directory."""
        branch, remote = self._branch_and_remote()
        name = branch if remote == "origin" else f"{remote}/{branch}"
        return PrivateDirectory(self._common() / "reconciler" / quote(name, safe=""))


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
        if content is None and files.holds_anything_outside({JOURNAL_FOLDER, HISTORY_FOLDER}):
            raise StateError(
                f"The branch {self.name} has no {STATE_FILE}: it is no state branch.",
                hint="Name a branch that is used for nothing else with --state git:BRANCH.",
            )
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
        if not newest:
            return False
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
                "push",
                "--porcelain",
                "--no-verify",
                self._remote,
                f"{commit}:{self._head}",
                seconds=NETWORK_SECONDS,
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


class HeldBranch:
    """`HeldState` on a branch."""

    def __init__(self, branch: StateBranch, local: PrivateDirectory, clock: Clock) -> None:
        self._branch = branch
        self._local = local
        self._clock = clock

    def files(self) -> StateFiles:
        return Overlay(self._branch.files, self._local)

    def put(self, files: Mapping[str, bytes], *, message: str) -> None:
        """One commit on what was fetched; a branch that moved in between refuses it. Then the branch is read anew."""
        commit = commit_on(self._branch, self._local, self._clock, files, message)
        if refused := self._branch.push(commit):
            raise StateError(
                f"The state branch {self._branch.name} did not take our commit: {refused}",
                hint="May the job push there? Does another run write it right now? Then move again when it is over.",
            )
        self._branch.fetch()


def commit_on(
    branch: StateBranch, local: PrivateDirectory, clock: Clock, files: Mapping[str, bytes], message: str
) -> str:
    """Write a commit with these files on the branch's newest one; return its id."""
    with tempfile.TemporaryDirectory(dir=local.root, prefix=".index-") as folder:
        return write_commit(
            branch.git,
            parent=branch.tip,
            files=files,
            message=message,
            index=Path(folder) / "index",
            identity={**branch.git.identity(), **_dates(clock)},
        )


class _GitKeeper:
    """`Keeper` for one run on a branch."""

    def __init__(self, branch: StateBranch, local: PrivateDirectory, clock: Clock) -> None:
        self._branch = branch
        self._local = local
        self._clock = clock
        self._journal: Journal | None = None  # from `started` on
        self._document = branch.document
        self._overtaken = False

    @property
    def local(self) -> PrivateDirectory:
        return self._local

    @property
    def files(self) -> StateFiles:
        return Overlay(self._branch.files, self._local)

    @property
    def document(self) -> StateDocument:
        return self._document

    def started(self, journal: Journal) -> None:
        self._journal = journal

    def update(self, step: Step[T], *, message: str) -> T:
        """Commit the step on the newest state and push it; decide anew whenever somebody else was faster."""
        refused, unmoved = "", 0
        for number in range(1, PUSH_TRIES + 1):
            base = self._branch.tip
            edit = step(self._document, self._branch.files)
            files = {**self._journals(), **edit.files, STATE_FILE: encode(edit.document)}
            commit = self._commit(files, message)
            refused = self._branch.push(commit)
            if not refused:
                self._document = edit.document
                return edit.answer
            self._fetch_after(refused)
            self._document = self._branch.document
            if self._branch.contains(commit):
                return edit.answer
            self._overtaken = True
            unmoved += self._branch.tip == base
            if unmoved == UNMOVED_TRIES:
                break
            self._clock.sleep(0.05 * number)
        raise StateError(
            f"The state branch {self._branch.name} did not take our commit: {refused}",
            hint="May the job push there (in CI: `contents: write`)? Is the branch protected?",
        )

    def overtaken(self) -> bool:
        """Another clone's push says that its run went on meanwhile, and may have written what was listed here."""
        before = self._branch.tip
        try:
            self._branch.fetch()
        except StateError:
            return True
        moved = self._overtaken or self._branch.tip != before
        if self._branch.tip != before:
            self._document = self._branch.document
        self._overtaken = False
        return moved

    def forget_pushed_journals(self) -> None:
        """Remove the local journals that the branch holds as they are."""
        pushed = self._branch.files
        for name in self._local.names(JOURNAL_FOLDER):
            if self._local.read(name) == pushed.read(name):
                self._local.remove(name)

    def _journals(self) -> dict[str, bytes]:
        """This run's journal so far, and those that crashed runs left here."""
        pushed = self._branch.files
        found = {}
        for name in self._local.names(JOURNAL_FOLDER):
            content = self._local.read(name) or b""
            if content.startswith(pushed.read(name) or b""):
                found[name] = content
        return found if self._journal is None else {**found, self._journal.name: self._journal.content}

    def _commit(self, files: Mapping[str, bytes], message: str) -> str:
        return commit_on(self._branch, self._local, self._clock, files, message)

    def _fetch_after(self, refused: str) -> None:
        try:
            self._branch.fetch()
        except StateError as exc:
            raise StateError(
                f"Whether the state branch {self._branch.name} took our commit is unknown: {refused}",
                hint="Run again when the remote answers: what did arrive is found there. " + exc.hint,
            ) from exc


def _dates(clock: Clock) -> dict[str, str]:
    now = format_time(clock.now().replace(microsecond=0))
    return {"GIT_AUTHOR_DATE": now, "GIT_COMMITTER_DATE": now}
