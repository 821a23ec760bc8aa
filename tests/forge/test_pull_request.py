"""The one pull request from our branch: opened, kept up to date, closed, and what people answered."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.errors import Forbidden
from reconciler.forge.github import Closed, GitHub, Kept
from tests.forge.conftest import short
from tests.forge.fake_github import FakeGitHub, Mood

BRANCH = "reconciler/proposals"
MARK = "<!-- reconciler: proposals -->"


def keep(github: GitHub, text: str, title: str = "3 proposals") -> Kept:
    return github.keep_pull_request(BRANCH, "main", MARK, title, short(text))


def test_it_is_opened_once_and_then_edited(fake: FakeGitHub, github: GitHub) -> None:
    assert keep(github, "hello") is Kept.CREATED
    assert keep(github, "again") is Kept.EDITED
    assert keep(github, "again") is Kept.UNCHANGED
    assert keep(github, "again", "2 proposals") is Kept.EDITED
    (row,) = fake.open_pulls()
    assert (row["title"], row["body"]) == ("2 proposals", f"{MARK}\nagain")
    assert github.reviews(BRANCH, "main").open == row["number"]


@pytest.mark.parametrize("status", [502, 500])
def test_a_lost_answer_opens_no_second_one(status: int, fake: FakeGitHub, github: GitHub) -> None:
    fake.moods.append(Mood(status=status, method="POST", after=True))
    keep(github, "hello")
    assert len(fake.open_pulls()) == 1


def test_what_a_person_opened_keeps_its_words(fake: FakeGitHub, github: GitHub) -> None:
    mine = fake.add_pull("Mine", "My words", BRANCH, login="a-person")
    assert keep(github, "hello") is Kept.CREATED
    assert (mine["title"], mine["body"]) == ("Mine", "My words")
    assert fake.comments_on(mine["number"]) == [f"{MARK}\nhello"]


def test_a_marker_that_a_person_pasted_makes_it_no_ours(fake: FakeGitHub, github: GitHub) -> None:
    mine = fake.add_pull("Mine", f"{MARK}\nMy words", BRANCH, login="a-person")
    keep(github, "hello")
    assert mine["body"] == f"{MARK}\nMy words"


def test_pull_requests_of_other_branches_and_forks_are_not_ours(fake: FakeGitHub, github: GitHub) -> None:
    fake.add_pull("Other", "", "edit")
    fork = fake.add_pull("Fork", f"{MARK}\n", BRANCH)
    fork["head"]["repo"] = {"full_name": "acme/billing-fork"}
    gone = fake.add_pull("Gone", f"{MARK}\n", BRANCH)
    gone["head"]["repo"] = None
    assert github.reviews(BRANCH, "main").open is None


def test_closing_says_why_and_is_no_answer_of_a_person(fake: FakeGitHub, github: GitHub) -> None:
    assert github.close_pull_request(BRANCH, "main", MARK, "Nothing", short("bye")) is Kept.NOTHING
    keep(github, "hello")
    assert github.close_pull_request(BRANCH, "main", MARK, "Nothing", short("bye")) is Kept.CLOSED
    assert fake.open_pulls() == []
    assert github.reviews(BRANCH, "main").closed is None


@pytest.mark.parametrize("merged", [True, False])
def test_the_newest_that_a_person_ended_is_their_answer(*, merged: bool, fake: FakeGitHub, github: GitHub) -> None:
    for day, ending in (("2026-11-20", True), ("2026-11-21", merged)):
        keep(github, "hello")
        (row,) = fake.open_pulls()
        fake.end_pull(row["number"], at=f"{day}T09:00:00Z", merged=ending)
    found = github.reviews(BRANCH, "main")
    assert found.closed == Closed(at=datetime(2026, 11, 21, 9, tzinfo=UTC), where="pull request 2", merged=merged)
    assert found.closed_head == "0" * 40


def test_a_repository_that_lets_no_workflow_open_one_is_told_where_that_is_set(
    fake: FakeGitHub, github: GitHub
) -> None:
    fake.may_open_pulls = False
    with pytest.raises(Forbidden) as told:
        keep(github, "hello")
    assert "Allow GitHub Actions to create and approve pull requests" in told.value.hint


def test_a_text_that_is_too_long_is_written_shorter(fake: FakeGitHub, github: GitHub) -> None:
    fake.moods.append(Mood(status=422, method="POST", message="body is too long"))
    keep(github, "x" * 100_000)
    (row,) = fake.open_pulls()
    assert len(row["body"]) < 31_000
