"""One comment and one issue, whatever GitHub answers: found by the hidden mark, edited in place, never twice."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import (
    ApiError,
    Forbidden,
    IncompleteRead,
    NotAuthorised,
    NotFound,
    RateLimited,
    Rejected,
    ServerFailed,
    UsageError,
)
from reconciler.forge.github import GitHub, Kept
from reconciler.forge.github_api import read_place
from tests.clock import VirtualClock
from tests.forge.conftest import connected, short
from tests.forge.fake_github import BOT, FakeGitHub, Mood, served_github

MARK = "<!-- reconciler: preview -->"
NIGHTLY = "<!-- reconciler: nightly -->"


@pytest.fixture
def pull(fake: FakeGitHub) -> int:
    return fake.add_pull_request("An edit")


def test_the_first_comment_is_written(fake: FakeGitHub, github: GitHub, pull: int) -> None:
    assert github.keep_comment(pull, MARK, short("hello")) is Kept.CREATED
    assert fake.comments_on(pull) == [f"{MARK}\nhello"]


def test_the_second_text_replaces_the_first(fake: FakeGitHub, github: GitHub, pull: int) -> None:
    github.keep_comment(pull, MARK, short("hello"))
    assert github.keep_comment(pull, MARK, short("again")) is Kept.EDITED
    assert fake.comments_on(pull) == [f"{MARK}\nagain"]


def test_the_same_text_is_not_written_again(fake: FakeGitHub, github: GitHub, pull: int) -> None:
    github.keep_comment(pull, MARK, short("hello"))
    before = fake.written()
    assert github.keep_comment(pull, MARK, short("hello")) is Kept.UNCHANGED
    assert fake.written() == before


def test_our_comment_is_found_behind_hundreds_of_others(fake: FakeGitHub, github: GitHub, pull: int) -> None:
    for number in range(250):
        fake.add_comment(pull, f"remark {number}")
    github.keep_comment(pull, MARK, short("hello"))
    github.keep_comment(pull, MARK, short("again"))
    assert fake.comments_on(pull) == [f"{MARK}\nagain"]


def test_a_mark_pasted_by_somebody_else_stays_theirs(fake: FakeGitHub, github: GitHub, pull: int) -> None:
    theirs = fake.add_comment(pull, f"{MARK}\nmine now")
    github.keep_comment(pull, MARK, short("hello"))
    assert theirs["body"] == f"{MARK}\nmine now"
    assert fake.comments_on(pull) == [f"{MARK}\nhello"]


def test_our_other_comments_are_left_alone(fake: FakeGitHub, github: GitHub, pull: int) -> None:
    fake.add_comment(pull, f"quoting {MARK}", login=BOT)
    fake.add_comment(pull, "<!-- reconciler: applied -->\ndone", login=BOT)
    github.keep_comment(pull, MARK, short("hello"))
    assert len(fake.comments_on(pull)) == 3


def test_the_issue_is_opened_once_and_edited(fake: FakeGitHub, github: GitHub) -> None:
    assert github.keep_issue(NIGHTLY, "2 need attention", short("a")) is Kept.CREATED
    assert github.keep_issue(NIGHTLY, "3 need attention", short("b")) is Kept.EDITED
    assert [(i["title"], i["body"], i["state"]) for i in fake.issues] == [("3 need attention", f"{NIGHTLY}\nb", "open")]


def test_a_clean_night_closes_the_issue_with_a_last_word(fake: FakeGitHub, github: GitHub) -> None:
    github.keep_issue(NIGHTLY, "1 needs attention", short("a"))
    assert github.close_issue(NIGHTLY, "nothing needs attention", short("all well")) is Kept.CLOSED
    assert [(i["title"], i["body"], i["state"]) for i in fake.issues] == [
        ("nothing needs attention", f"{NIGHTLY}\nall well", "closed")
    ]


def test_nothing_to_close_writes_nothing(fake: FakeGitHub, github: GitHub) -> None:
    assert github.close_issue(NIGHTLY, "t", short("b")) is Kept.NOTHING
    assert fake.written() == []


def test_the_closed_issue_is_opened_again(fake: FakeGitHub, github: GitHub) -> None:
    github.keep_issue(NIGHTLY, "1 needs attention", short("a"))
    github.close_issue(NIGHTLY, "none", short("b"))
    assert github.keep_issue(NIGHTLY, "1 needs attention", short("c")) is Kept.EDITED
    assert [i["state"] for i in fake.issues] == ["open"]


def test_an_issue_or_pull_request_of_somebody_else_is_not_taken(fake: FakeGitHub, github: GitHub) -> None:
    fake.add_issue("mine", f"{NIGHTLY}\nx", login="a-person")
    fake.add_issue("a robot's pull request", f"{NIGHTLY}\nx")["pull_request"] = {}
    assert github.keep_issue(NIGHTLY, "t", short("b")) is Kept.CREATED
    assert [i["title"] for i in fake.issues] == ["mine", "a robot's pull request", "t"]


@pytest.mark.parametrize("login", ["acme-billing[bot]", "a-person", BOT])
def test_every_kind_of_token_finds_its_own_again(
    fake: FakeGitHub, tools: dict[str, Any], pull: int, login: str
) -> None:
    fake.logins["ghs_everything"] = login
    for number in range(3):  # one night each
        with connected(fake, tools, "ghs_everything") as github:
            github.keep_issue(NIGHTLY, f"{number + 1} need attention", short("a"))
            github.keep_comment(pull, MARK, short(f"hello {number}"))
    with connected(fake, tools, "ghs_everything") as github:
        assert github.close_issue(NIGHTLY, "nothing", short("b")) is Kept.CLOSED
    assert [i["state"] for i in fake.issues if "pull_request" not in i] == ["closed"]
    assert fake.comments_on(pull, login=login) == [f"{MARK}\nhello 2"]


def test_an_app_that_is_named_without_its_bot_finds_its_own(fake: FakeGitHub, github: GitHub) -> None:
    fake.logins["ghs_everything"] = "acme-billing"
    fake.add_issue("old", f"{NIGHTLY}\na", login="acme-billing[bot]")
    assert github.keep_issue(NIGHTLY, "t", short("b")) is Kept.EDITED


def test_issues_that_an_older_program_did_not_find_again_are_closed(fake: FakeGitHub, github: GitHub) -> None:
    for night in range(3):
        fake.add_issue(f"night {night}", f"{NIGHTLY}\na")
    fake.add_issue("a person's", f"{NIGHTLY}\na", login="a-person")
    assert github.keep_issue(NIGHTLY, "t", short("b")) is Kept.EDITED
    assert [i["state"] for i in fake.issues] == ["open", "closed", "closed", "open"]
    assert github.close_issue(NIGHTLY, "t", short("b")) is Kept.CLOSED
    assert [i["state"] for i in fake.issues] == ["closed", "closed", "closed", "open"]


def test_who_we_are_is_asked_once_and_only_where_a_marked_text_is_found(
    fake: FakeGitHub, github: GitHub, pull: int
) -> None:
    github.keep_comment(pull, MARK, short("hello"))
    assert "POST /graphql" not in fake.requests
    github.keep_comment(pull, MARK, short("again"))
    github.keep_comment(pull, MARK, short("and again"))
    assert fake.requests.count("POST /graphql") == 1


def test_where_github_does_not_say_who_we_are_nothing_is_doubled(fake: FakeGitHub, github: GitHub, pull: int) -> None:
    fake.knows_viewer = False
    assert github.keep_comment(pull, MARK, short("hello")) is Kept.CREATED  # nothing is there that could be ours
    assert github.keep_comment(pull, MARK, short("again")) is Kept.EDITED  # the workflow's own
    fake.add_issue("night", f"{NIGHTLY}\na", login="acme-billing[bot]")
    before = fake.written()
    for act in (github.keep_issue, github.close_issue):
        with pytest.raises(IncompleteRead, match=r"'acme-billing\[bot\]' wrote a text with our mark") as refused:
            act(NIGHTLY, "t", short("b"))
        assert "GITHUB_TOKEN" in refused.value.hint
    assert fake.written() == before


def test_switched_off_issues_are_said_to_be_so(fake: FakeGitHub, github: GitHub) -> None:
    fake.has_issues = False
    assert github.keep_issue(NIGHTLY, "t", short("b")) is Kept.SWITCHED_OFF
    assert github.close_issue(NIGHTLY, "t", short("b")) is Kept.SWITCHED_OFF


def test_a_company_s_own_machine_has_its_apis_elsewhere(tools: dict[str, Any]) -> None:
    with served_github(FakeGitHub(prefix="/api/v3")) as fake:
        fake.tokens["ghs_everything"] = {"issues": "write"}
        with connected(fake, tools, "ghs_everything") as github:
            for body in "ab":
                github.keep_issue(NIGHTLY, "t", short(body))
        assert [i["body"] for i in fake.issues] == [f"{NIGHTLY}\nb"]
        assert "POST /api/graphql" in fake.requests


@pytest.mark.parametrize(
    ("environ", "api", "graphql"),
    [
        ({}, "https://api.github.com", "/graphql"),
        ({"GITHUB_API_URL": "https://api.github.com"}, "https://api.github.com", "/graphql"),
        ({"GITHUB_SERVER_URL": "https://github.com"}, "https://api.github.com", "/graphql"),
        ({"GITHUB_SERVER_URL": "https://acme.ghe.com"}, "https://api.acme.ghe.com", "/graphql"),
        ({"GITHUB_API_URL": "https://api.acme.ghe.com/"}, "https://api.acme.ghe.com", "/graphql"),
        ({"GITHUB_SERVER_URL": "https://git.example.com"}, "https://git.example.com/api/v3", "/api/graphql"),
        ({"GITHUB_SERVER_URL": "https://git.example.com:8443/"}, "https://git.example.com:8443/api/v3", "/api/graphql"),
        ({"GITHUB_API_URL": "https://git.example.com/api/v3/"}, "https://git.example.com/api/v3", "/api/graphql"),
        ({"GITHUB_API_URL": "https://git.example.com/api/v3", "GITHUB_GRAPHQL_URL": "https://git.example.com/gql"},
         "https://git.example.com/api/v3", "/gql"),
        ({"GITHUB_API_URL": "https://git.example.com/api/v3", "GITHUB_GRAPHQL_URL": "https://other.example.com/gql"},
         "https://git.example.com/api/v3", "/api/graphql"),
    ],
)  # fmt: skip
def test_addresses_of_every_kind_of_github(environ: dict[str, str], api: str, graphql: str) -> None:
    place = read_place({"GITHUB_REPOSITORY": "acme/billing", "GITHUB_TOKEN": "ghs_x", **environ})
    assert (str(place.api), place.graphql) == (api, graphql)


def test_the_pull_request_of_a_commit_is_found(fake: FakeGitHub, github: GitHub) -> None:
    fake.merged["0123abcd"] = [12]
    assert github.pull_requests_of("0123abcd") == (12,)
    assert github.pull_requests_of("ffffffff") == ()


@pytest.mark.parametrize("after", [False, True])
def test_a_lost_answer_makes_no_second_comment(fake: FakeGitHub, github: GitHub, pull: int, *, after: bool) -> None:
    fake.moods.append(Mood(status=502, method="POST", after=after))
    github.keep_comment(pull, MARK, short("hello"))
    assert fake.comments_on(pull) == [f"{MARK}\nhello"]


@pytest.mark.parametrize("after", [False, True])
def test_a_lost_answer_makes_no_second_issue(fake: FakeGitHub, github: GitHub, *, after: bool) -> None:
    fake.moods.append(Mood(status=500, method="POST", after=after))
    github.keep_issue(NIGHTLY, "t", short("b"))
    assert len(fake.issues) == 1


def test_a_rate_limit_is_waited_for_as_long_as_it_says(
    fake: FakeGitHub, github: GitHub, pull: int, clock: VirtualClock
) -> None:
    start = clock.monotonic()
    fake.moods.append(
        Mood(status=403, headers={"Retry-After": "42"}, message="You have exceeded a secondary rate limit")
    )
    github.keep_comment(pull, MARK, short("hello"))
    assert 42 <= clock.monotonic() - start < 60
    assert len(fake.comments_on(pull)) == 1


def test_a_limit_that_lasts_an_hour_is_an_error_at_once(
    fake: FakeGitHub, github: GitHub, pull: int, clock: VirtualClock
) -> None:
    start = clock.monotonic()
    reset = str(int(clock.now().timestamp()) + 3600)
    limited = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    fake.moods.append(Mood(status=403, headers=limited, message="API rate limit exceeded"))
    with pytest.raises(RateLimited):
        github.keep_comment(pull, MARK, short("hello"))
    assert clock.monotonic() - start < 1


def test_a_server_that_stays_broken_is_an_error(fake: FakeGitHub, github: GitHub, pull: int) -> None:
    fake.moods.extend(Mood(status=500) for _ in range(20))
    with pytest.raises(ServerFailed):
        github.keep_comment(pull, MARK, short("hello"))
    assert len(fake.requests) == 5


def test_a_missing_permission_names_itself(fake: FakeGitHub, tools: dict[str, Any], pull: int) -> None:
    fake.tokens["ghs_reader"] = {"contents": "read", "issues": "read", "pull-requests": "read"}
    with connected(fake, tools, "ghs_reader") as github:
        with pytest.raises(Forbidden, match="not accessible") as comment:
            github.keep_comment(pull, MARK, short("hello"))
        with pytest.raises(Forbidden) as issue:
            github.keep_issue(NIGHTLY, "t", short("b"))
    assert "pull-requests: write" in comment.value.hint
    assert "issues: write" in issue.value.hint
    assert fake.comments == []


def test_a_token_that_is_not_valid_is_an_error_without_the_token(
    fake: FakeGitHub, tools: dict[str, Any], pull: int
) -> None:
    with connected(fake, tools, "ghs_revoked0123456789") as github, pytest.raises(NotAuthorised) as error:
        github.keep_comment(pull, MARK, short("hello"))
    assert "revoked" not in str(error.value) + error.value.hint


def test_a_text_that_is_too_long_is_written_shorter(fake: FakeGitHub, github: GitHub, pull: int) -> None:
    fake.moods.append(Mood(status=422, method="POST", message="body is too long"))
    github.keep_comment(pull, MARK, short("x" * 64_000))
    assert [len(text) for text in fake.comments_on(pull)] == [30_000 + len(MARK) + 1]


def test_another_complaint_about_a_short_text_is_an_error(fake: FakeGitHub, github: GitHub, pull: int) -> None:
    fake.moods.append(Mood(status=422, method="POST", message="Validation Failed"))
    with pytest.raises(Rejected, match="Validation Failed"):
        github.keep_comment(pull, MARK, short("hello"))


def test_a_pull_request_that_does_not_exist_is_an_error(fake: FakeGitHub, github: GitHub) -> None:
    with pytest.raises(NotFound):
        github.keep_comment(77, MARK, short("hello"))


def test_an_answer_that_is_no_list_is_an_error(fake: FakeGitHub, github: GitHub, pull: int) -> None:
    fake.moods.extend(Mood(status=200, message="hello") for _ in range(9))
    with pytest.raises(ApiError, match="no list"):
        github.keep_comment(pull, MARK, short("hello"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"GITHUB_TOKEN": ""}, "GITHUB_TOKEN"),
        ({"GITHUB_TOKEN": "two words"}, "GITHUB_TOKEN"),
        ({"GITHUB_REPOSITORY": "../../user"}, "GITHUB_REPOSITORY"),
        ({"GITHUB_REPOSITORY": "acme/.."}, "GITHUB_REPOSITORY"),
        ({"GITHUB_API_URL": "http://api.example.com"}, "GITHUB_API_URL"),
    ],
)
def test_an_environment_that_cannot_be_right_is_refused(changes: dict[str, str], said: str) -> None:
    good = {
        "GITHUB_API_URL": "https://ghe.example.com/api/v3",
        "GITHUB_REPOSITORY": "acme/billing",
        "GITHUB_TOKEN": "ghs_x",
    }
    assert read_place(good).api.path == "/api/v3"
    with pytest.raises(UsageError, match=said):
        read_place(good | changes)


def test_the_issue_is_assigned_and_labelled_once(fake: FakeGitHub, github: GitHub) -> None:
    github.keep_issue(NIGHTLY, "t", short("b"))
    who = ("stranger", "B-Person")
    fake.people.add("B-Person")
    assert github.address_issue(NIGHTLY, assignees=who, labels=("billing",)) == ("stranger",)
    assert github.address_issue(NIGHTLY, assignees=who, labels=("billing",)) == (), "it has somebody now"
    (issue,) = fake.issues
    assert [one["login"] for one in issue["assignees"]] == ["B-Person"]
    assert issue["labels"] == [{"name": "billing"}]


def test_whom_people_assigned_instead_stays(fake: FakeGitHub, github: GitHub) -> None:
    github.keep_issue(NIGHTLY, "t", short("b"))
    fake.issues[0]["assignees"] = [{"login": "c-person"}]
    fake.issues[0]["labels"] = [{"name": "Billing"}]
    before = fake.written()
    assert github.address_issue(NIGHTLY, assignees=("a-person",), labels=("billing", "night")) == ()
    assert fake.written() == before


@pytest.mark.parametrize("status", [404, 422])
def test_a_person_whom_github_refuses_costs_no_more(fake: FakeGitHub, github: GitHub, status: int) -> None:
    github.keep_issue(NIGHTLY, "t", short("b"))
    github.keep_issue(NIGHTLY, "t", short("c"))
    fake.moods.append(Mood(status=status, method="POST", message="Validation Failed"))
    assert github.address_issue(NIGHTLY, assignees=("a-person",), labels=()) == ("a-person",)


def test_without_an_open_issue_nobody_is_assigned(fake: FakeGitHub, github: GitHub) -> None:
    assert github.address_issue(NIGHTLY, assignees=("a-person",), labels=("billing",)) == ()
    assert fake.written() == []
