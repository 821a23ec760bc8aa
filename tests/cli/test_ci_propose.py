"""`reconciler ci propose`: from a snapshot to a branch and its review, and what is said where that is not possible."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.forge.branches import PROPOSALS
from tests.cli.bench import Bench
from tests.forge.fake_github import FakeGitHub, served_github

SERVICES = ("GITHUB_REPOSITORY", "GITHUB_TOKEN", "GITHUB_API_URL", "GITLAB_CI", "CI_JOB_URL", "GITHUB_STEP_SUMMARY")


def git(place: Path, *words: str) -> str:
    who = ("-c", "user.name=A Person", "-c", "user.email=person@example.com")
    done = subprocess.run(["git", *who, *words], cwd=place, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def remote(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new client, a snapshot of it, mappings.yaml on a remote, and no service's variables."""
    for name in SERVICES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    bench.world.add_client(142, "Zephyr Cycles", active=17)
    bench.world.add_customer(71, "Zephyr Cycles Ltd")
    bench.run("plan", "--save-snapshot", "night.json")
    remote = bench.folder.parent / f"{bench.folder.name}.git"
    git(bench.folder, "init", "-q", "--bare", "-b", "main", str(remote))
    git(remote, "config", "receive.advertisePushOptions", "true")
    git(bench.folder, "init", "-q", "-b", "main")
    git(bench.folder, "add", bench.file.name)
    git(bench.folder, "commit", "-q", "-m", "Start")
    git(bench.folder, "remote", "add", "origin", str(remote))
    git(bench.folder, "push", "-q", "origin", "main")
    monkeypatch.setenv("RECONCILER_STATE", "git:reconciler-state")
    return remote


@pytest.fixture
def github(remote: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    """GitHub, as a job there finds it."""
    fake = FakeGitHub(tokens={"ghs_job": {"pull-requests": "write"}})
    fake.branch_head = lambda name: git(remote, "for-each-ref", "--format=%(objectname)", f"refs/heads/{name}")
    with served_github(fake) as fake:
        monkeypatch.setenv("GITHUB_API_URL", fake.url)
        monkeypatch.setenv("GITHUB_REPOSITORY", fake.repository)
        monkeypatch.setenv("GITHUB_TOKEN", "ghs_job")
        yield fake


def test_a_snapshot_becomes_a_pull_request_without_network_to_either_system(
    bench: Bench, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HALO_URL", "HALO_CLIENT_ID", "HALO_CLIENT_SECRET", "INFIMA_API_KEY"):
        monkeypatch.delenv(name)
    answer = bench.run("ci", "propose", "--snapshot", "night.json")
    assert answer.code == 0, answer.err
    assert f"Branch {PROPOSALS}: pushed, 1 proposed.\nPull request 1: created.\n" in answer.err
    (pull,) = github.open_pulls()
    assert "| Zephyr Cycles (142) | Zephyr Cycles Ltd (71) |" in pull["body"]
    assert "## 1 proposed edit of mappings.yaml" in answer.out


def test_without_a_snapshot_it_reads_both_systems(bench: Bench, github: FakeGitHub) -> None:
    bench.run("apply", "--auto-approve")  # a state that knows nothing of HaloPSA's markers makes each create a question
    asked, written = len(bench.world.requests), bench.writes()
    answer = bench.run("ci", "propose")
    assert answer.code == 0, answer.err
    assert "| Zephyr Cycles (142) | Zephyr Cycles Ltd (71) |" in github.open_pulls()[0]["body"]
    assert len(bench.world.requests) > asked
    assert bench.writes() == written


def test_the_text_goes_to_the_summary_where_there_is_one(
    bench: Bench, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert github.open_pulls() == []
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(bench.folder / "summary.md"))
    answer = bench.run("ci", "propose", "--snapshot", "night.json")
    assert answer.out == ""
    assert "## 1 proposed edit" in (bench.folder / "summary.md").read_text(encoding="utf-8")


def test_what_was_declined_comes_back_when_a_person_asks(bench: Bench, github: FakeGitHub) -> None:
    bench.run("ci", "propose", "--snapshot", "night.json")
    github.end_pull(1)
    answer = bench.run("ci", "propose", "--snapshot", "night.json")
    assert "Again: `reconciler propose --again map-142 --state git:reconciler-state`" in answer.out
    assert github.open_pulls() == []
    again = bench.run("propose", "--again", "map-142", "--state", "git:reconciler-state", "--snapshot", "night.json")
    assert again.code == 0, again.err
    bench.run("ci", "propose", "--snapshot", "night.json")
    assert [pull["number"] for pull in github.open_pulls()] == [2]


def test_an_edit_that_is_not_committed_does_not_count(bench: Bench, github: FakeGitHub) -> None:
    bench.file.write_text("version: 1\nmappings: []\n", encoding="utf-8")
    answer = bench.run("ci", "propose", "--snapshot", "night.json")
    assert answer.code == 0, answer.err
    assert github.open_pulls()[0]["title"] == "mappings.yaml: 1 proposed edit"


def test_on_gitlab_the_push_asks_for_it(bench: Bench, remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_CI", "true")
    answer = bench.run("ci", "propose", "--snapshot", "night.json")
    assert answer.code == 0, answer.err
    assert f"GitLab keeps a merge request for {PROPOSALS}." in answer.err
    assert "close it and delete its branch" in answer.out
    assert git(remote, "show", f"{PROPOSALS}:mappings.yaml").endswith('{id: 71, name: "Zephyr Cycles Ltd"}')


def test_a_remote_without_push_options_is_told(bench: Bench, remote: Path) -> None:
    git(remote, "config", "receive.advertisePushOptions", "false")
    answer = bench.run("ci", "propose", "--snapshot", "night.json", "--forge", "gitlab")
    assert answer.code == 1
    assert "it is no GitLab" in answer.err
    assert "reconciler propose -o patch" in answer.err


@pytest.mark.usefixtures("remote")
def test_elsewhere_the_way_is_a_patch(bench: Bench) -> None:
    answer = bench.run("ci", "propose", "--snapshot", "night.json")
    assert answer.code == 64
    assert "reconciler propose -o patch" in answer.err


def test_a_broken_file_on_the_default_branch_names_its_problem(bench: Bench, remote: Path) -> None:
    bench.file.write_text("version: 1\nmapings: []\n", encoding="utf-8")
    git(bench.folder, "commit", "-q", "-a", "-m", "Broken")
    git(bench.folder, "push", "-q", "origin", "main")
    answer = bench.run("ci", "propose", "--snapshot", "night.json", "--forge", "gitlab")
    assert answer.code == 1
    assert "mapings" in answer.err
    assert git(remote, "for-each-ref", f"refs/heads/{PROPOSALS}") == ""


def test_a_branch_on_which_the_file_is_broken_says_so(bench: Bench, github: FakeGitHub, remote: Path) -> None:
    bench.run("ci", "propose", "--snapshot", "night.json")
    git(bench.folder, "fetch", "-q", "origin")
    git(bench.folder, "checkout", "-q", "-b", "work", f"origin/{PROPOSALS}")
    bench.file.write_text("version: 1\nmapings: []\n", encoding="utf-8")
    git(bench.folder, "commit", "-q", "-a", "-m", "Mine")
    git(bench.folder, "push", "-q", "origin", f"HEAD:{PROPOSALS}")
    theirs = git(remote, "rev-parse", PROPOSALS)
    answer = bench.run("ci", "propose", "--snapshot", "night.json")
    assert answer.code == 0, answer.err
    assert "is not in order" in github.open_pulls()[0]["body"]
    assert git(remote, "rev-parse", PROPOSALS) == theirs


def test_a_branch_from_which_the_file_was_taken_says_so(bench: Bench, github: FakeGitHub) -> None:
    bench.run("ci", "propose", "--snapshot", "night.json")
    git(bench.folder, "fetch", "-q", "origin")
    git(bench.folder, "checkout", "-q", "-b", "work", f"origin/{PROPOSALS}")
    git(bench.folder, "rm", "-q", bench.file.name)
    git(bench.folder, "commit", "-q", "-m", "Mine")
    git(bench.folder, "push", "-q", "origin", f"HEAD:{PROPOSALS}")
    answer = bench.run("ci", "propose", "--snapshot", "night.json")
    assert answer.code == 0, answer.err
    assert "is not in order" in github.open_pulls()[0]["body"]


def test_a_snapshot_of_another_partner_leaves_the_branch_as_it_is(bench: Bench, github: FakeGitHub) -> None:
    """Whose the state is stands in the state, not in the snapshot."""
    bench.run("ci", "propose", "--snapshot", "night.json")
    bench.run("apply", "--auto-approve")
    before = github.branch_head(PROPOSALS)
    bench.world.partner = "Somebody Else"
    bench.run("plan", "--save-snapshot", "other.json", "--state", "directory:elsewhere")
    answer = bench.run("ci", "propose", "--snapshot", "other.json")
    assert answer.code == 1
    assert "Nothing is proposed" in answer.err
    assert "Somebody Else" in answer.err
    assert github.branch_head(PROPOSALS) == before != ""
    assert github.open_pulls()
