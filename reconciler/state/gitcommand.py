"""git as a program that is called: each call bounded in time, asked no questions, its words cleaned of credentials.

The user's configuration decides how the remote is reached (credential helpers, `http.extraheader`, ssh). Hooks,
signing and housekeeping are off: they belong to the user's own commits. Only objects and refs below
`refs/reconciler` are written in the user's repository (`clear_stale_locks` is for the locks of these refs); its
index, HEAD and files are never touched.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

from reconciler.errors import StateError

LOCAL_SECONDS = 30.0
NETWORK_SECONDS = 90.0

STALE_AFTER = timedelta(seconds=NETWORK_SECONDS + LOCAL_SECONDS)
"""A git of ours is ended after `NETWORK_SECONDS` at the latest, so no lock of a living one is this old."""

_SETTINGS = (
    f"core.hooksPath={os.devnull}",
    "core.fsmonitor=false",
    "commit.gpgSign=false",
    "push.gpgSign=false",
    "push.followTags=false",
    "push.recurseSubmodules=no",
    "fetch.recurseSubmodules=no",
    "fetch.prune=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "credential.interactive=false",
    "advice.detachedHead=false",
)
# A hook or another git may have set these for its own repository; tracing would print what is secret.
_FOREIGN = re.compile(
    r"GIT_(DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|COMMON_DIR|NAMESPACE|PREFIX"
    r"|QUARANTINE_PATH|INTERNAL_.*|TRACE.*|CURL_VERBOSE|PUSH_OPTION.*|AUTHOR_.*|COMMITTER_.*)"
)
_IDENTITY = re.compile(r"GIT_(AUTHOR|COMMITTER)_(NAME|EMAIL)")
_CREDENTIALS = re.compile(r"(://)\S*@|((?:authorization|extraheader)\S*\s*[:=]?\s*).*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitAnswer:
    """How a git command ended. `complaint` is one clean line of what it said on stderr."""

    code: int
    output: bytes
    complaint: str

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def text(self) -> str:
        return self.output.decode("utf-8", "replace").strip()


class Git:
    """git in one repository. Raises `StateError` when git is missing or takes too long."""

    def __init__(self, repository: Path, environ: Mapping[str, str], *, more: Mapping[str, str] | None = None) -> None:
        self._repository = repository
        self._environ = {**_environment(environ), **(more or {})}
        self._program = shutil.which("git", path=self._environ.get("PATH"))

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        seconds: float = LOCAL_SECONDS,
        extra: Mapping[str, str] | None = None,
    ) -> GitAnswer:
        """Run one command to its end, whatever its exit code."""
        if self._program is None:
            raise StateError("git is not installed here.", hint="Install git, or use --state directory:PATH.")
        settings = chain.from_iterable(("-c", setting) for setting in _SETTINGS)
        try:
            # A process group of its own: Ctrl-C reaches this program, which decides, and not a push that is under way.
            process = subprocess.Popen(  # noqa: S603 - no shell; every argument is ours
                [self._program, "-C", str(self._repository), *settings, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**self._environ, **(extra or {})},
                start_new_session=True,
            )
        except OSError as exc:
            raise StateError(f"git cannot be started: {exc.strerror}.") from exc
        with process:
            try:
                output, complaint = process.communicate(stdin, timeout=seconds)
            except subprocess.TimeoutExpired as exc:
                _end(process)
                raise StateError(
                    f"git {arguments[0]} took longer than {seconds:.0f} seconds and was stopped.",
                    hint="See whether the remote answers: `git ls-remote`.",
                ) from exc
            except BaseException:
                _end(process)
                raise
        return GitAnswer(code=process.returncode, output=output, complaint=clean(complaint))

    def with_new_objects_in(self, folder: Path) -> Git:
        """The same repository, with new objects in `folder`: for a clone that cannot be written to."""
        objects = self.ask("rev-parse", "--path-format=absolute", "--git-path", "objects")
        places = {"GIT_OBJECT_DIRECTORY": str(folder), "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects}
        return Git(self._repository, self._environ, more=places)

    def ask(self, *arguments: str, stdin: bytes = b"", extra: Mapping[str, str] | None = None) -> str:
        """Run a local command that must succeed; return its output. Raises `StateError`."""
        answer = self.run(*arguments, stdin=stdin, extra=extra)
        if not answer.ok:
            words = answer.complaint or f"exit code {answer.code}"
            raise StateError(f"git {arguments[0]} failed: {words}", hint=hint_for(words))
        return answer.text

    def identity(self) -> dict[str, str]:
        """Variables that name the author where neither git's configuration nor the environment does."""
        missing = {}
        for setting, value in (("name", "reconciler"), ("email", "reconciler@localhost")):
            if not self.run("config", f"user.{setting}").ok:
                for role in ("AUTHOR", "COMMITTER"):
                    variable = f"GIT_{role}_{setting.upper()}"
                    if not self._environ.get(variable):
                        missing[variable] = value
        return missing


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


def choose_remote(git: Git) -> str:
    """The remote that is meant where nobody names one: origin, the current branch's, or the only one.

    Raises `StateError` outside a repository, and where nothing says which of several is meant.
    """
    inside = git.run("rev-parse", "--git-dir")
    if not inside.ok:
        raise StateError(f"A git repository is needed here: {inside.complaint}", hint=hint_for(inside.complaint))
    remotes = git.run("remote").text.splitlines()
    if "origin" in remotes:
        return "origin"
    branch = git.run("symbolic-ref", "--quiet", "--short", "HEAD").text
    upstream = git.run("config", f"branch.{branch}.remote").text if branch else ""
    if upstream in remotes:
        return upstream
    if len(remotes) == 1:
        return remotes[0]
    if remotes:
        raise StateError(
            f"Which remote is meant? There are {', '.join(remotes)}, and none is named origin.",
            hint=f"Name it, for example --state git:{remotes[0]}/reconciler-state, or in RECONCILER_STATE.",
        )
    raise StateError("This git repository has no remote named origin, nor any other.", hint=_ADD_REMOTE)


def refuse_impossible_branch(git: Git, branch: str, *, hint: str) -> None:
    """Raise `StateError` where git takes no branch of this name; where git says why it could not look, in its words."""
    answer = git.run("check-ref-format", f"refs/heads/{branch}")
    if not answer.ok and answer.complaint:  # of a name that is wrong it says nothing
        raise StateError(f"git check-ref-format failed: {answer.complaint}", hint=hint_for(answer.complaint))
    if not answer.ok or branch.startswith("-"):
        raise StateError(f"{branch!r} cannot be a branch.", hint=hint)


_ADD_REMOTE = "Add it: `git remote add origin URL`. Or keep the state in a directory: --state directory:.reconciler"


LOCK_LEFT = re.compile(r"\.lock': File exists")
"""How git says that another git has the lock, or had it when it was killed."""


def hint_for(complaint: str) -> str:
    """What to do about git's own words, where they are about the repository as such; else nothing."""
    if "not a git repository" in complaint:
        return (
            "Run it inside the clone of your repository. There is none yet? `git init`, then `git remote add origin "
            "URL`. Without git the state is kept in a directory: --state directory:.reconciler"
        )
    if LOCK_LEFT.search(complaint):
        return (
            "Another git works in this clone, or one that was killed left its lock file. A run clears it once it is "
            "two minutes old: run again then."
        )
    if "dubious ownership" in complaint:
        return "The folder belongs to another user. If that is as it should be, run the command that git names."
    return ""


def clear_stale_locks(git_directory: Path, refs: Iterable[str], *, now: datetime) -> None:
    """Remove the lock files of these refs that no living git of ours can hold; a younger one may be a reader's.

    A killed git leaves them, and they stop every later git there for ever. Our commands need no other locks: with a
    leftover index.lock, HEAD.lock, packed-refs.lock or shallow.lock they work. To be called under the run lock. One
    that cannot be removed stays, and the next command tells of it.
    """
    for ref in refs:
        lock = git_directory / f"{ref}.lock"
        with suppress(OSError):
            if now - datetime.fromtimestamp(lock.lstat().st_mtime, UTC) > STALE_AFTER:
                lock.unlink()


def commit_of(file: Path, environ: Mapping[str, str]) -> str:
    """The commit that `file` is checked out from; in CI without a repository the event's; else empty.

    Where the file is not what the commit has, "-dirty" stands behind it, as `git describe` writes it. git is asked
    first: a CI job may check out something newer than the event that started it.
    """
    with suppress(StateError):  # the run does not hang on it
        git = Git(file.absolute().parent, environ)
        head = git.run("rev-parse", "--verify", "HEAD", seconds=5)
        if head.ok:
            changes = git.run("status", "--porcelain", "--ignored", "--", file.name, seconds=5)
            return head.text + ("-dirty" if changes.ok and changes.output.strip() else "")
    names = ("GITHUB_SHA", "CI_COMMIT_SHA", "BUILD_SOURCEVERSION")
    return next((environ[name] for name in names if environ.get(name)), "")


def authors_of_lines(file: Path, lines: Sequence[int], environ: Mapping[str, str]) -> dict[int, str]:
    """Who brought these lines of `file` in, in which commit and when; lines that git knows nothing of are left out."""
    known: dict[int, str] = {}
    with suppress(StateError, ValueError):
        git = Git(file.absolute().parent, environ)
        for line in lines:
            answer = git.run("blame", "--porcelain", "-L", f"{line},{line}", "--", file.name, seconds=LOCAL_SECONDS)
            said = dict(row.split(" ", 1) for row in answer.text.splitlines()[1:] if " " in row) if answer.ok else {}
            commit = answer.text.split(" ", 1)[0]
            if said.get("author-time") and commit.strip("0"):
                day = datetime.fromtimestamp(int(said["author-time"]), UTC).date()
                known[line] = f"{said.get('author', 'unknown')}, commit {commit[:12]} of {day}"
    return known


def clean(complaint: bytes) -> str:
    """git's words on one line, without credentials and control characters, at most 400 characters long."""
    lines = complaint.decode("utf-8", "replace").splitlines()
    masked = (_CREDENTIALS.sub(lambda found: f"{found[1] or found[2]}***", line).strip() for line in lines)
    text = " / ".join(line for line in masked if line)
    return "".join(character if character.isprintable() else " " for character in text)[:400]


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if not _FOREIGN.fullmatch(name) or _IDENTITY.fullmatch(name)}
    return {**kept, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", "LANGUAGE": ""}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and the transport it started: ending git alone would leave us waiting for the transport's output."""
    if not hasattr(os, "killpg"):
        process.kill()
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
