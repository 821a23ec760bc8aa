"""An MSP's repository as it would stand on GitHub: a bare remote with the program and the workflows, the simulator as
both systems, the fake as GitHub's API; and what people and the clock do to it."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import reconciler
from reconciler.config.fmt import format_mappings
from reconciler.simulator.world import World
from reconciler.simulator.worlds import invoice_line
from tests.faults.server import FaultyServer
from tests.forge.fake_github import FakeGitHub, served_github
from tests.stage import remember_markers, small_mappings
from tests.state.gitworld import git, isolated_git
from tests.workflows.runner import Event, Job, JobRunner, load_workflow

ROOT = Path(__file__).parents[2]
PACKAGE = Path(reconciler.__file__).parent  # the source, or the installed wheel where the tests run without the source
SHIPPED = ("schema", "requirements", ".ci", ".github", "Makefile", "pyproject.toml")
READ, WRITE = "halo-read", "halo-write"
HALO_SECRETS = ("HALO_CLIENT_ID", "HALO_CLIENT_SECRET", "INFIMA_API_KEY")


class Scene:
    """One repository, one HaloPSA, one INFIMA, one GitHub."""

    def __init__(self, folder: Path, server: FaultyServer, github: FakeGitHub) -> None:
        self.folder = folder
        self.server = server
        self.world: World = server.world
        self.github = github
        self.remote = folder / "remote.git"
        self.desk = folder / "desk"
        self.configured = True
        self.proposing: Job | None = None
        """How the last night's second job ended."""
        github.branch_head = self._branch_head
        self.switch_url = ""
        self.notify_urls = ""
        self.issue_variables: dict[str, str] = {}
        self._runs = 0
        self._venv = _tool_environment(folder)
        self.git("init", "-q", "--bare", "-b", "main", str(self.remote), at=folder)
        self.git("init", "-q", "-b", "main", str(self.desk), at=folder)
        self.git("remote", "add", "origin", str(self.remote))
        for name in SHIPPED:
            _copy(ROOT / name, self.desk / name)
        _copy(PACKAGE, self.desk / "reconciler")
        self.write(six_mappings())
        self.commit("Start")
        self._remember_markers()

    def _remember_markers(self) -> None:
        """The state branch as the creates of earlier nights left it, so that no state counts as lost."""
        known = self.folder / "known"
        remember_markers(self.world, known)
        self.git("init", "-q", "-b", "state", str(known), at=self.folder)
        self.git("add", "state.json", at=known)
        self.git("commit", "-q", "-m", "Earlier nights", at=known)
        self.git("push", "-q", str(self.remote), "HEAD:refs/heads/reconciler-state", at=known)

    # ---- what people do ---------------------------------------------------------------------------------------------

    def attach_all(self) -> None:
        """Put every Subscription that is on no recurring invoice on one, as somebody does in HaloPSA."""
        on_one = {
            element["licence_id"]
            for invoice in self.world.invoices.values()
            for line in invoice["lines"]
            for element in line["quantity_subscriptions"]
        }
        for row in self.world.live_subscriptions():
            if row["id"] not in on_one and row["client_id"] in self.world.customers:
                self.world.add_invoice(row["client_id"], "Monthly", [invoice_line(1, row["id"], row["name"])])

    def write(self, mappings: str) -> None:
        (self.desk / "mappings.yaml").write_text(mappings, encoding="utf-8")

    def commit(self, message: str, *, branch: str = "main") -> str:
        """Commit everything on the desk and push it."""
        self.git("add", "--all", "--force")
        self.git("commit", "-q", "-m", message)
        self.git("push", "-q", "origin", f"HEAD:refs/heads/{branch}", "--force")
        return self.head()

    def propose(self, mappings: str, *, branch: str = "edit") -> int:
        """Open a pull request that changes mappings.yaml."""
        self.git("checkout", "-q", "-B", branch, "main")
        self.write(mappings)
        self.commit("Edit mappings.yaml", branch=branch)
        number = self.github.add_pull_request("Edit mappings.yaml")
        self._offer_merge(number, branch)
        return number

    def edit(self, number: int, mappings: str, *, branch: str = "edit") -> None:
        """Push another edit to the pull request."""
        self.write(mappings)
        self.commit("Edit it again", branch=branch)
        self._offer_merge(number, branch)

    def merge(self, number: int) -> str:
        """Merge it; main's new head is the commit that the pull request offered."""
        self.git("fetch", "-q", "origin", f"refs/pull/{number}/merge")
        merged = self.git("rev-parse", "FETCH_HEAD")
        self.git("checkout", "-q", "-B", "main", merged)
        self.git("push", "-q", "origin", "main")
        self.github.merged[merged] = [number]
        return merged

    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def _branch_head(self, name: str) -> str:
        return self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{name}", at=self.remote)

    def _offer_merge(self, number: int, branch: str) -> None:
        """refs/pull/N/merge, as GitHub keeps it: the base is its first parent."""
        tree = self.git("rev-parse", f"{branch}^{{tree}}")
        merge = self.git("commit-tree", tree, "-p", "main", "-p", branch, "-m", f"Merge pull request {number}")
        self.git("push", "-q", "--force", "origin", f"{merge}:refs/pull/{number}/merge")

    # ---- what GitHub does -------------------------------------------------------------------------------------------

    def pull_request(self, number: int, *, fork: bool = False) -> dict[str, Job]:
        """The workflow that every push to a pull request starts."""
        repository = {"full_name": "somebody/billing" if fork else self.github.repository}
        event = {"pull_request": {"number": number, "head": {"repo": repository}}}
        about = {"event_name": "pull_request", "ref": f"refs/pull/{number}/merge", "base_ref": "main"}
        return self.run("plan.yml", {**about, "event": event}, secret=not fork)

    def pushed(self, commit: str) -> Job:
        """The workflow that a push to main starts."""
        about = {"event_name": "push", "ref": "refs/heads/main", "sha": commit, "event": {}}
        return self.run("apply.yml", about)["apply"]

    def by_hand(self, **inputs: str) -> Job:
        """Somebody fills in the form of the apply workflow."""
        about = {"event_name": "workflow_dispatch", "ref": "refs/heads/main", "event": {}}
        return self.run("apply.yml", about, inputs={"only": "", "allow": "", "reason": "", **inputs})["apply"]

    def night(self) -> Job:
        """03:17."""
        jobs = self.run("nightly.yml", _AT_NIGHT)
        self.proposing = jobs["propose"]
        return jobs["reconcile"]

    def propose_again(self) -> Job:
        """The night's second job alone, by what the last night kept."""
        before = Job(name="reconcile", result="success", given={"kept": "success"})
        return self.run("nightly.yml", _AT_NIGHT, done={"reconcile": before})["propose"]

    def run(
        self,
        file: str,
        github: dict[str, Any],
        *,
        secret: bool = True,
        inputs: dict[str, str] | None = None,
        done: dict[str, Job] | None = None,
    ) -> dict[str, Job]:
        """Run every job of a workflow file of the repository that is not `done`, in order."""
        workflow = load_workflow(self.desk / ".github" / "workflows" / file)
        assert workflow["permissions"] == {}
        self._runs += 1
        github = {"sha": self.head(), "repository": self.github.repository, **github}
        known = self.server.environment()
        given = {name: known[name] for name in HALO_SECRETS} if secret and self.configured else {}
        places = {"HALO_URL": known["HALO_URL"], "INFIMA_URL": known["INFIMA_URL"]} if self.configured else {}
        own = {"DEAD_MANS_SWITCH_URL": self.switch_url, "NOTIFY_URLS": self.notify_urls}
        event = Event(
            github=github,
            environment=self._environment(github),
            clone_of=self.remote,
            secrets={
                READ: given,
                WRITE: {**given, **own},
            },
            variables={READ: places, WRITE: {**places, **self.issue_variables}},
            inputs=inputs or {},
        )
        jobs = dict(done or {})
        for name, job in workflow["jobs"].items():
            if name in jobs:
                continue
            token = f"ghs_{secrets.token_hex(16)}"
            self.github.tokens[token] = job["permissions"]
            place = self.folder / f"run-{self._runs}-{name}"
            jobs[name] = JobRunner(name, job, event, place, token=token, done=jobs).run()
            del self.github.tokens[token]  # a job's token dies with it
        return jobs

    def _environment(self, github: dict[str, Any]) -> dict[str, str]:
        return {
            **_bare_environment(self.folder),
            "CI": "true",
            "VENV": str(self._venv),
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.github.url,
            "GITHUB_SERVER_URL": "https://github.example.com",
            "GITHUB_REPOSITORY": self.github.repository,
            "GITHUB_RUN_ID": str(self._runs),
            "GITHUB_ACTOR": "a-person",
            "GITHUB_SHA": github["sha"],
            "GITHUB_EVENT_NAME": github["event_name"],
            "GITHUB_REF": github["ref"],
        }

    def job_environment(self) -> dict[str, str]:
        """What a job of another CI system would find: the credentials, and no variable of GitHub's."""
        return {
            **_bare_environment(self.folder, "A Person"),
            **self.server.environment(),
            "CI": "true",
            "VENV": str(self._venv),
        }

    # ---- inside -----------------------------------------------------------------------------------------------------

    def git(self, *arguments: str, at: Path | None = None) -> str:
        return git(at or self.desk, _bare_environment(self.folder, "A Person"), *arguments)

    def writes(self) -> int:
        """Mutating requests that HaloPSA has received so far."""
        return sum(record.mutating for record in self.world.requests)

    def count_of(self, licence_id: int) -> int:
        return int(self.world.licences[licence_id]["count"])


def six_mappings(**changes: str) -> str:
    """The mappings of the world of `six_clients`, in canonical form; `changes` as in `small_mappings`."""
    return format_mappings(small_mappings(**changes), file="mappings.yaml")


_AT_NIGHT: dict[str, Any] = {"event_name": "schedule", "ref": "refs/heads/main", "event": {}}


def _bare_environment(home: Path, person: str = "") -> dict[str, str]:
    return isolated_git(home, person) | {"PYTHONDONTWRITEBYTECODE": "1"}


def _tool_environment(folder: Path) -> Path:
    """What `make tool notify` would have installed: this Python with its packages, newer than every lock file."""
    venv = folder / "venv"
    venv.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (venv / name).symlink_to(Path(sys.prefix) / name)
    for stamp in (venv / ".tool", venv / ".notify"):
        stamp.touch()
        os.utime(stamp, (4_000_000_000, 4_000_000_000))
    return venv


def _copy(source: Path, to: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, to)


@contextmanager
def staged(folder: Path, world: World) -> Iterator[Scene]:
    """Everything running on 127.0.0.1, and the repository with its first commit."""
    with FaultyServer(world) as server, served_github(FakeGitHub()) as github:
        yield Scene(folder, server, github)
