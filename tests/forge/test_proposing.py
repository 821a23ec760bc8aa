"""Nights in a row: offered, brought up to date, edited by a person, declined, merged, undone, nothing left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.answers.proposals import Proposal
from reconciler.errors import StateError
from reconciler.forge.branches import PROPOSALS, ProposalBranch
from reconciler.forge.github import GitHub
from reconciler.forge.proposals import Proposed
from reconciler.forge.proposing import GitHubReview, GitLabReview, ProposalJob, Review, bring_up_to_date
from reconciler.forge.words import Origin
from reconciler.state.gitcommand import Git
from reconciler.state.recorded import Fate, Offers
from tests.forge.fake_github import FakeGitHub
from tests.forge.proposed import MAPPINGS, ask, proposal
from tests.state.gitworld import bare_remote, clone, git, install_hook

FILE = "mappings.yaml"
GULL = proposal("infima-107")
HERON = proposal("infima-108", number=108, name="Heron")
JANE = ("-c", "user.name=Jane", "-c", "user.email=jane@example.com")


@dataclass
class Stage:
    """A bare remote, a person's desk, and a job that comes every night."""

    folder: Path
    environ: dict[str, str]
    review: Callable[[ProposalBranch, datetime], Review]
    remote: Path = field(init=False)
    desk: Path = field(init=False)
    offers: Offers = field(default_factory=dict)
    nights: int = 0

    def __post_init__(self) -> None:
        self.remote = bare_remote(self.folder, self.environ)
        git(self.remote, self.environ, "config", "receive.advertisePushOptions", "true")
        self.desk = clone(self.remote, self.folder / "desk", self.environ)
        self.commit(MAPPINGS)
        self.git("push", "-q", "origin", "HEAD:main")

    def git(self, *words: str) -> str:
        return git(self.desk, self.environ, *JANE, *words)

    def commit(self, text: str) -> None:
        (self.desk / FILE).write_text(text, encoding="utf-8")
        self.git("add", FILE)
        self.git("commit", "-q", "-m", "An edit")

    def take_branch(self) -> None:
        self.git("fetch", "-q", "origin")
        self.git("checkout", "-q", "-B", "work", f"origin/{PROPOSALS}")

    def merge(self) -> None:
        """Squash it, as GitHub's button does, and leave the branch."""
        self.git("fetch", "-q", "origin")
        self.git("checkout", "-q", "-B", "main", "origin/main")
        self.git("merge", "-q", "--squash", f"origin/{PROPOSALS}")
        self.git("commit", "-q", "-m", "Merged")
        self.git("push", "-q", "origin", "HEAD:main")

    def head(self, branch: str = PROPOSALS) -> str:
        return git(self.remote, self.environ, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")

    def file(self) -> str:
        return git(self.remote, self.environ, "show", f"{PROPOSALS}:{FILE}")

    def night(self, *proposals: Proposal) -> tuple[Proposed, str]:
        self.nights += 1
        place = self.folder / f"job-{self.nights}"
        git(self.folder, self.environ, "clone", "-q", "--depth", "1", self.remote.as_uri(), str(place))
        branch = ProposalBranch(Git(place, self.environ), remote="origin")
        look = branch.look()
        now = datetime.now(UTC)
        job = ProposalJob(
            branch=branch,
            look=look,
            path=FILE,
            text=branch.file(FILE).decode(),
            proposals=proposals,
            known=self.offers,
            remember=self.remember,
            plan_of=lambda _: None,
            now=lambda: now - timedelta(seconds=2),
        )
        report = bring_up_to_date(job, self.review(branch, now))
        return report.told, "\n".join([*report.done, *filter(None, [report.warning])])

    def remember(self, change: Callable[[Offers], Offers]) -> None:
        self.offers = change(self.offers)

    def fates(self) -> dict[str, Fate]:
        return {offer.key: offer.fate for offer in self.offers.values()}


@pytest.fixture
def stage(tmp_path: Path, environ: dict[str, str], fake: FakeGitHub, github: GitHub) -> Stage:
    def review(branch: ProposalBranch, now: datetime) -> Review:
        return GitHubReview(
            github=github, branch=branch.name, base=branch.base.branch, where=Origin(run_url="", now=now)
        )

    stage = Stage(tmp_path, environ, review)
    fake.branch_head = stage.head
    return stage


def the_pull(fake: FakeGitHub) -> dict[str, Any]:
    (row,) = fake.open_pulls()
    return row


def test_it_is_opened_and_brought_up_to_date(stage: Stage, fake: FakeGitHub) -> None:
    _, said = stage.night(GULL, ask("infima-110"))
    assert said == f"Branch {PROPOSALS}: pushed, 1 proposed.\nPull request 1: created."
    assert "Gull Logistics (107)" in the_pull(fake)["body"]
    assert "### 1 thing needs a person" in the_pull(fake)["body"]
    _, said = stage.night(GULL, HERON)
    assert said == f"Branch {PROPOSALS}: pushed, 2 proposed.\nPull request 1: edited."
    assert "Heron" in stage.file()
    assert stage.fates() == {"infima-107": Fate.OFFERED, "infima-108": Fate.OFFERED}


def test_a_night_with_the_same_proposals_pushes_nothing(stage: Stage) -> None:
    stage.night(GULL)
    before = stage.head()
    _, said = stage.night(GULL)
    assert stage.head() == before
    assert f"Branch {PROPOSALS}: unchanged" in said


def test_nothing_left_closes_it_and_deletes_the_branch(stage: Stage, fake: FakeGitHub) -> None:
    stage.night(GULL)
    told, said = stage.night(ask("infima-110"))
    assert "closed, because nothing is left" in said
    assert (fake.open_pulls(), stage.head(), stage.offers) == ([], "", {})
    assert [one.key for one in told.asked] == ["infima-110"]
    _, said = stage.night()
    assert said == "Nothing is proposed."


def test_what_comes_back_after_that_is_offered_anew(stage: Stage, fake: FakeGitHub) -> None:
    stage.night(GULL)
    stage.night()
    stage.night(GULL)
    assert the_pull(fake)["number"] == 2


def test_a_persons_commit_is_left_alone_and_the_text_says_so(stage: Stage, fake: FakeGitHub) -> None:
    stage.night(GULL)
    stage.take_branch()
    stage.commit(stage.file() + "# mine\n")
    stage.git("push", "-q", "origin", f"HEAD:{PROPOSALS}")
    theirs = stage.head()
    told, said = stage.night(GULL, HERON)
    assert stage.head() == theirs
    assert f"Branch {PROPOSALS} is left alone: people worked on it." in said
    assert [one.key for one in told.made] == ["infima-107"]
    assert [one.key for one in told.waiting] == ["infima-108"]
    assert "by Jane: An edit" in the_pull(fake)["body"]
    assert stage.fates() == {"infima-107": Fate.OFFERED}


def test_a_persons_commits_are_left_alone_even_when_nothing_is_proposed(stage: Stage, fake: FakeGitHub) -> None:
    stage.night(GULL)
    stage.take_branch()
    stage.commit(MAPPINGS + "# mine\n")
    stage.git("push", "-q", "origin", f"HEAD:{PROPOSALS}")
    theirs = stage.head()
    stage.night()
    assert stage.head() == theirs
    assert len(fake.open_pulls()) == 1


def test_closing_it_declines_and_only_new_ones_are_offered(stage: Stage, fake: FakeGitHub) -> None:
    stage.night(GULL)
    fake.end_pull(1)
    told, _ = stage.night(GULL)
    assert (fake.open_pulls(), stage.head()) == ([], "")
    assert [one.key for one, _ in told.declined] == ["infima-107"]
    stage.night(GULL, HERON)
    assert the_pull(fake)["number"] == 2
    assert "Gull" not in stage.file()
    assert "<summary>1 declined</summary>" in the_pull(fake)["body"]


def test_deleting_the_branch_declines_as_well(stage: Stage, fake: FakeGitHub) -> None:
    stage.night(GULL)
    git(stage.remote, stage.environ, "update-ref", "-d", f"refs/heads/{PROPOSALS}")
    told, _ = stage.night(GULL)
    assert [one.key for one, _ in told.declined] == ["infima-107"]
    assert fake.open_pulls() == []


def test_one_that_a_person_opened_again_is_offered_again(stage: Stage, fake: FakeGitHub) -> None:
    stage.night(GULL)
    fake.end_pull(1)
    before = stage.head()
    fake.issues[0] |= {"state": "open", "closed_at": None}
    stage.night(GULL)
    assert stage.head() == before
    assert stage.fates() == {"infima-107": Fate.OFFERED}


def test_merged_and_undone_is_declined(stage: Stage, fake: FakeGitHub) -> None:
    stage.night(GULL)
    stage.merge()
    fake.end_pull(1, merged=True)
    stage.night()
    assert stage.fates() == {"infima-107": Fate.TAKEN}
    assert stage.head() == "", "what was merged is cleared away"
    stage.git("revert", "--no-edit", "HEAD")
    stage.git("push", "-q", "origin", "HEAD:main")
    told, _ = stage.night(GULL, HERON)
    assert [offer.where for _, offer in told.declined] == ["pull request 1, undone afterwards"]
    assert the_pull(fake)["number"] == 2


def test_a_branch_with_a_persons_commits_is_free_again_once_it_was_merged(stage: Stage, fake: FakeGitHub) -> None:
    stage.night(GULL)
    stage.take_branch()
    stage.commit(stage.file() + "# mine\n")
    stage.git("push", "-q", "origin", f"HEAD:{PROPOSALS}")
    stage.night(GULL)
    stage.merge()
    fake.end_pull(1, merged=True)
    stage.night(HERON)
    assert the_pull(fake)["number"] == 2
    assert "# mine" in stage.file()
    assert "Heron" in stage.file()


def test_a_branch_with_a_persons_commits_and_no_review_waits_for_them(stage: Stage, fake: FakeGitHub) -> None:
    stage.night(GULL)
    stage.take_branch()
    stage.commit(MAPPINGS + "# mine\n")
    stage.git("push", "-q", "origin", f"HEAD:{PROPOSALS}")
    fake.end_pull(1)
    theirs = stage.head()
    _, said = stage.night(HERON)
    assert stage.head() == theirs
    assert "Merge it, or close and delete it" in said


def test_a_repository_that_forbids_it_has_the_branch_and_remembers_no_offer(stage: Stage, fake: FakeGitHub) -> None:
    fake.may_open_pulls = False
    _, said = stage.night(GULL)
    assert "Allow GitHub Actions to create and approve pull requests. Or open it by hand." in said
    assert stage.offers == {}
    assert stage.head()
    fake.may_open_pulls = True
    _, said = stage.night(GULL)
    assert said.endswith("Pull request 1: created.")


def test_a_remote_that_refuses_is_an_error_and_nothing_is_remembered(stage: Stage, fake: FakeGitHub) -> None:
    install_hook(stage.remote, "pre-receive", "echo 'the ruleset says no' >&2; exit 1")
    with pytest.raises(StateError, match="the ruleset says no"):
        stage.night(GULL)
    assert (stage.offers, fake.open_pulls()) == ({}, [])


# ---- GitLab ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def gitlab(tmp_path: Path, environ: dict[str, str]) -> Stage:
    def review(branch: ProposalBranch, now: datetime) -> Review:
        url = "https://gitlab.example.com/acme/billing/-/jobs/7"
        return GitLabReview(branch=branch.name, base=branch.base.branch, job_url=url, now=now)

    stage = Stage(tmp_path, environ, review)
    script = 'for n in $(seq 0 $((GIT_PUSH_OPTION_COUNT - 1))); do eval echo "\\"\\$GIT_PUSH_OPTION_$n\\""; done'
    install_hook(stage.remote, "post-receive", f'( {script} ) > "{stage.folder}/options"')
    return stage


def test_gitlab_is_asked_for_a_merge_request_by_the_push(gitlab: Stage) -> None:
    _, said = gitlab.night(GULL)
    options = (gitlab.folder / "options").read_text(encoding="utf-8").splitlines()
    assert options[:3] == [
        "merge_request.create",
        "merge_request.target=main",
        "merge_request.title=mappings.yaml: 1 proposed edit",
    ]
    assert options[3].startswith("merge_request.description=1 edit of mappings.yaml")
    assert "GitLab keeps a merge request" in said


def test_on_gitlab_a_deleted_branch_declines(gitlab: Stage) -> None:
    gitlab.night(GULL)
    git(gitlab.remote, gitlab.environ, "update-ref", "-d", f"refs/heads/{PROPOSALS}")
    told, _ = gitlab.night(GULL, HERON)
    assert [one.key for one, _ in told.declined] == ["infima-107"]
    assert [one.key for one in told.made] == ["infima-108"]
    assert gitlab.head()


def test_on_gitlab_what_was_merged_is_taken(gitlab: Stage) -> None:
    gitlab.night(GULL)
    gitlab.take_branch()
    gitlab.git("push", "-q", "origin", "HEAD:main")
    gitlab.night(HERON)
    assert gitlab.fates() == {"infima-107": Fate.TAKEN, "infima-108": Fate.OFFERED}


def test_on_gitlab_our_own_deletion_is_no_answer(gitlab: Stage) -> None:
    gitlab.night(GULL)
    gitlab.night()
    told, _ = gitlab.night(GULL)
    assert [one.key for one in told.made] == ["infima-107"]
