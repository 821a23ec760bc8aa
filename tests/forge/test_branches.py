"""The branch with the proposals: built on the newest default branch, and never over a person's work."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.errors import StateError
from reconciler.forge.branches import PROPOSALS, BranchLook, ProposalBranch, ProposedCommit
from reconciler.state.gitcommand import Git
from tests.state.gitworld import bare_remote, clone, git, install_hook

NOW = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 3, 30, tzinfo=UTC)
FILE = "mappings.yaml"
JANE = ("-c", "user.name=Jane", "-c", "user.email=jane@example.com")


@pytest.fixture
def remote(tmp_path: Path, environ: dict[str, str]) -> Path:
    bare = bare_remote(tmp_path, environ)
    git(bare, environ, "config", "uploadpack.allowFilter", "true")
    return bare


@pytest.fixture
def desk(tmp_path: Path, remote: Path, environ: dict[str, str]) -> Path:
    """A person's clone, with three commits on main."""
    desk = clone(remote, tmp_path / "desk", environ)
    for number in range(3):
        person_commits(desk, environ, f"version: {number}\n")
    git(desk, environ, "push", "-q", "origin", "HEAD:main")
    return desk


@pytest.fixture
def job(tmp_path: Path, remote: Path, desk: Path, environ: dict[str, str]) -> Path:
    """What a CI job checks out: one commit without its history. `desk` has pushed already."""
    assert desk.exists()
    place = tmp_path / "job"
    git(tmp_path, environ, "clone", "-q", "--depth", "1", remote.as_uri(), str(place))
    return place


@pytest.fixture
def branch(job: Path, environ: dict[str, str]) -> ProposalBranch:
    return ProposalBranch(Git(job, environ), remote="origin")


def person_commits(desk: Path, environ: dict[str, str], content: str, *more: str) -> None:
    (desk / FILE).write_text(content, encoding="utf-8")
    git(desk, environ, "add", FILE)
    git(desk, environ, *JANE, "commit", "-q", "-m", "An edit", *more)


def on_the_branch(desk: Path, environ: dict[str, str]) -> None:
    git(desk, environ, "fetch", "-q", "origin")
    git(desk, environ, "checkout", "-q", "-B", "edit", f"origin/{PROPOSALS}")


def push(desk: Path, environ: dict[str, str]) -> None:
    git(desk, environ, "push", "-q", "--force", "origin", f"HEAD:{PROPOSALS}")


def commits(*contents: str) -> list[ProposedCommit]:
    return [
        ProposedCommit(subject=f"Edit {number}", lines=(f"- to {content}",), content=f"{content}\n".encode())
        for number, content in enumerate(contents, 1)
    ]


def put(branch: ProposalBranch, *contents: str, now: datetime = NOW, look: BranchLook | None = None) -> bool:
    return branch.put(look or branch.look(), FILE, commits(*contents), now=now, options=())


def tip(remote: Path, environ: dict[str, str]) -> str:
    return git(remote, environ, "rev-parse", PROPOSALS)


def test_one_commit_for_each_kind_without_any_identity(
    branch: ProposalBranch, remote: Path, environ: dict[str, str]
) -> None:
    assert put(branch, "a", "b")
    assert git(remote, environ, "log", "--format=%s %an %cn", "main..reconciler/proposals").splitlines() == [
        "Edit 2 reconciler reconciler",
        "Edit 1 reconciler reconciler",
    ]
    assert git(remote, environ, "show", f"{PROPOSALS}:{FILE}") == "b"


def test_what_stands_there_already_is_not_pushed_again(
    branch: ProposalBranch, remote: Path, environ: dict[str, str]
) -> None:
    put(branch, "a", "b")
    before = tip(remote, environ)
    assert not put(branch, "a", "b", now=LATER)
    assert tip(remote, environ) == before


def test_other_edits_replace_the_old_ones(branch: ProposalBranch, remote: Path, environ: dict[str, str]) -> None:
    put(branch, "a", "b")
    assert put(branch, "c", now=LATER)
    assert git(remote, environ, "log", "--format=%s", "main..reconciler/proposals") == "Edit 1"
    assert git(remote, environ, "show", f"{PROPOSALS}:{FILE}") == "c"


def test_it_moves_with_the_default_branch(
    branch: ProposalBranch, desk: Path, remote: Path, environ: dict[str, str]
) -> None:
    put(branch, "a")
    person_commits(desk, environ, "version: 9\n")
    git(desk, environ, "push", "-q", "origin", "HEAD:main")
    assert put(branch, "a")
    assert git(remote, environ, "rev-parse", f"{PROPOSALS}^") == git(remote, environ, "rev-parse", "main")


def test_the_file_is_the_default_branchs_not_the_checkouts(
    branch: ProposalBranch, desk: Path, environ: dict[str, str]
) -> None:
    person_commits(desk, environ, "version: 9\n")
    git(desk, environ, "push", "-q", "origin", "HEAD:main")
    branch.look()
    assert branch.file(FILE) == b"version: 9\n"
    with pytest.raises(StateError, match=r"other.yaml is not on the branch main"):
        branch.file("other.yaml")


def test_a_persons_commit_is_seen(branch: ProposalBranch, desk: Path, environ: dict[str, str]) -> None:
    put(branch, "a")
    on_the_branch(desk, environ)
    person_commits(desk, environ, "mine\n")
    push(desk, environ)
    (told,) = branch.look().people
    assert "by Jane: An edit" in told


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (("commit", "-q", "--amend", "--no-edit", "--reset-author"), "by Jane: Edit 2"),
        (("commit", "-q", "--amend", "--no-edit"), "by reconciler: Edit 2"),
        (("reset", "-q", "--hard", "HEAD~1"), "commits of this program were taken out"),
        (("revert", "--no-edit", "HEAD"), 'by Jane: Revert "Edit 2"'),
    ],
)
def test_whatever_a_person_did_is_seen(
    what: tuple[str, ...], told: str, branch: ProposalBranch, desk: Path, environ: dict[str, str]
) -> None:
    put(branch, "a", "b")
    on_the_branch(desk, environ)
    git(desk, environ, *JANE, *what)
    push(desk, environ)
    assert told in branch.look().people[0]


def test_an_amended_file_under_our_name_is_a_persons(
    branch: ProposalBranch, desk: Path, environ: dict[str, str]
) -> None:
    put(branch, "a")
    on_the_branch(desk, environ)
    (desk / FILE).write_text("mine\n", encoding="utf-8")
    ours = ("-c", "user.name=reconciler", "-c", "user.email=reconciler@localhost")
    git(desk, environ, *ours, "commit", "-q", "-a", "--amend", "--no-edit")
    push(desk, environ)
    assert branch.look().people


def test_a_merge_of_the_default_branch_into_it_is_a_persons(
    branch: ProposalBranch, desk: Path, environ: dict[str, str]
) -> None:
    """GitHub's button "Update branch"."""
    put(branch, "a")
    (desk / "README").write_text("new\n", encoding="utf-8")
    git(desk, environ, "add", "README")
    git(desk, environ, *JANE, "commit", "-q", "-m", "Elsewhere")
    git(desk, environ, "push", "-q", "origin", "HEAD:main")
    on_the_branch(desk, environ)
    git(desk, environ, *JANE, "merge", "-q", "--no-edit", "origin/main")
    push(desk, environ)
    assert "by Jane: Merge" in branch.look().people[0]


def test_a_push_in_between_is_never_overwritten(
    branch: ProposalBranch, desk: Path, remote: Path, environ: dict[str, str]
) -> None:
    put(branch, "a")
    look = branch.look()
    on_the_branch(desk, environ)
    person_commits(desk, environ, "mine\n")
    push(desk, environ)
    theirs = tip(remote, environ)
    with pytest.raises(StateError, match="Somebody pushed"):
        put(branch, "b", look=look)
    with pytest.raises(StateError, match="Somebody pushed"):
        branch.remove(look)
    assert tip(remote, environ) == theirs


def test_a_branch_that_appears_in_between_is_never_overwritten(
    branch: ProposalBranch, desk: Path, remote: Path, environ: dict[str, str]
) -> None:
    look = branch.look()
    git(desk, environ, "push", "-q", "origin", f"HEAD:{PROPOSALS}")
    before = tip(remote, environ)
    with pytest.raises(StateError, match="Somebody pushed"):
        put(branch, "b", look=look)
    assert tip(remote, environ) == before


def test_it_is_removed(branch: ProposalBranch, remote: Path, environ: dict[str, str]) -> None:
    put(branch, "a")
    branch.remove(branch.look())
    assert branch.look() == BranchLook(tip=None)
    branch.remove(branch.look())
    assert git(remote, environ, "branch", "--list", PROPOSALS) == ""


def test_a_merged_branch_may_be_used_again(branch: ProposalBranch, desk: Path, environ: dict[str, str]) -> None:
    put(branch, "a")
    on_the_branch(desk, environ)
    git(desk, environ, "push", "-q", "origin", "HEAD:main")
    look = branch.look()
    assert look.merged
    assert look.people == ()
    assert put(branch, "b", look=look)


def test_a_remote_that_refuses_is_told_with_its_words(branch: ProposalBranch, remote: Path) -> None:
    install_hook(remote, "pre-receive", "echo 'the ruleset says no' >&2; exit 1")
    with pytest.raises(StateError, match="the ruleset says no") as told:
        put(branch, "a")
    assert "contents: write" in told.value.hint


@pytest.mark.parametrize("name", ["main", "-x", "a..b", "a b"])
def test_a_branch_that_cannot_be_ours_is_refused(name: str, job: Path, environ: dict[str, str]) -> None:
    with pytest.raises(StateError):
        ProposalBranch(Git(job, environ), remote="origin", name=name)


def test_the_users_index_and_files_are_untouched(branch: ProposalBranch, job: Path, environ: dict[str, str]) -> None:
    put(branch, "a")
    assert git(job, environ, "status", "--porcelain") == ""
    assert (job / FILE).read_text(encoding="utf-8") == "version: 2\n"
