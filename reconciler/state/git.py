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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from reconciler.clock import Clock
from reconciler.errors import StateError
from reconciler.state.base import RunInfo, RunState
from reconciler.state.branch import Overlay, StateBranch
from reconciler.state.directory import run_lock
from reconciler.state.document import STATE_FILE, StateDocument, encode, refuse_moved
from reconciler.state.files import PrivateDirectory, StateFiles
from reconciler.state.gitcommand import Git, choose_remote, clear_stale_locks, refuse_impossible_branch
from reconciler.state.history import History
from reconciler.state.journal import JOURNAL_FOLDER, Journal
from reconciler.state.recorded import Offers, Recorded
from reconciler.state.recording import Edit, Step, change_offers, record_run, recorded_in

DEFAULT_BRANCH = "reconciler-state"
PUSH_TRIES = 12
UNMOVED_TRIES = 3
"""A remote that refuses a push this often though nobody else changed the branch does not want it."""

T = TypeVar("T")


class GitState:
    """`StateStore` on a branch of a git remote, made at the first write. Reading fetches the branch.

    `repository` is any directory inside the clone. The remote is origin, or the one that is there, or the first word
    of a `branch` such as "upstream/reconciler-state". Raises `StateError` where the remote cannot be reached.
    """

    def __init__(
        self, repository: Path, *, clock: Clock, branch: str = DEFAULT_BRANCH, environ: Mapping[str, str] | None = None
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
        with self._locked(info) as (branch, local):
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

    @contextmanager
    def open_run(self, info: RunInfo) -> Iterator[RunState]:
        with self._locked(info) as (branch, local):
            keeper = _GitKeeper(branch, local, self._clock)
            with record_run(keeper, info, clock=self._clock, durable=True, location=self.location) as run:
                yield run
            with suppress(StateError):  # what stays here is looked at again by the next run
                keeper.forget_pushed_journals()

    @contextmanager
    def _locked(self, info: RunInfo) -> Iterator[tuple[StateBranch, PrivateDirectory]]:
        """The newest branch, under this clone's run lock."""
        branch, local = self._state_branch(), self._local()
        local.prepare()
        with run_lock(local, info, location=self.location):
            clear_stale_locks(self._common(), branch.refs, now=self._clock.now())
            branch.fetch()
            yield branch, local

    def _state_branch(self) -> StateBranch:
        refuse_impossible_branch(self._git, self._branch, hint="Name one with --state git:BRANCH.")
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

    def _local(self) -> PrivateDirectory:
        """Where this clone keeps its lock and the journals that are not pushed yet: inside its git directory."""
        branch, remote = self._branch_and_remote()
        name = branch if remote == "origin" else f"{remote}/{branch}"
        return PrivateDirectory(self._common() / "reconciler" / quote(name, safe=""))


class HeldBranch:
    """A branch during a move: what state.json says there, all files, and a way to write more."""

    def __init__(self, branch: StateBranch, local: PrivateDirectory, clock: Clock) -> None:
        self.document = branch.document  # refuses a branch that holds something else
        self._branch = branch
        self._local = local
        self._clock = clock

    def files(self) -> StateFiles:
        return Overlay(self._branch.files, self._local)

    def put(self, files: Mapping[str, bytes], *, message: str) -> None:
        """One commit on what was fetched; a branch that moved in between refuses it. Then the branch is read anew."""
        commit = self._branch.commit(files, message, folder=self._local.root, clock=self._clock)
        if refused := self._branch.push(commit):
            raise StateError(
                f"The state branch {self._branch.name} did not take our commit: {refused}",
                hint="May the job push there? Does another run write it right now? Then move again when it is over.",
            )
        self._branch.fetch()


class _GitKeeper:
    """`Keeper` for one run on a branch."""

    def __init__(self, branch: StateBranch, local: PrivateDirectory, clock: Clock) -> None:
        self._branch = branch
        self.local = local
        self._clock = clock
        self._journal: Journal | None = None  # from `started` on
        self.document = branch.document
        self._overtaken = False

    @property
    def files(self) -> StateFiles:
        return Overlay(self._branch.files, self.local)

    def started(self, journal: Journal) -> None:
        self._journal = journal

    def update(self, step: Step[T], *, message: str) -> T:
        """Commit the step on the newest state and push it; decide anew whenever somebody else was faster."""
        refused, unmoved = "", 0
        for number in range(1, PUSH_TRIES + 1):
            base = self._branch.tip
            edit = step(self.document, self._branch.files)
            files = {**self._journals(), **edit.files, STATE_FILE: encode(edit.document)}
            commit = self._branch.commit(files, message, folder=self.local.root, clock=self._clock)
            refused = self._branch.push(commit)
            if not refused:
                self.document = edit.document
                return edit.answer
            self._fetch_after(refused)
            self.document = self._branch.document
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
        if moved := self._branch.tip != before:
            self.document = self._branch.document
        overtaken, self._overtaken = self._overtaken or moved, False
        return overtaken

    def forget_pushed_journals(self) -> None:
        """Remove the local journals that the branch holds as they are."""
        pushed = self._branch.files
        for name in self.local.names(JOURNAL_FOLDER):
            if self.local.read(name) == pushed.read(name):
                self.local.remove(name)

    def _journals(self) -> dict[str, bytes]:
        """This run's journal so far, and those that crashed runs left here."""
        pushed = self._branch.files
        here = {name: self.local.read(name) or b"" for name in self.local.names(JOURNAL_FOLDER)}
        found = {name: content for name, content in here.items() if content.startswith(pushed.read(name) or b"")}
        return found if self._journal is None else {**found, self._journal.name: self._journal.content}

    def _fetch_after(self, refused: str) -> None:
        try:
            self._branch.fetch()
        except StateError as exc:
            raise StateError(
                f"Whether the state branch {self._branch.name} took our commit is unknown: {refused}",
                hint="Run again when the remote answers: what did arrive is found there. " + exc.hint,
            ) from exc
