"""What we keep on GitHub: one comment for each marker, one issue, one pull request.

Each act looks first and then writes what is missing, so that it may be repeated after any failure: a lost answer makes
no second comment. Only texts that carry our hidden marker *and* were written by our own account are ever touched; a
marker pasted by somebody else is theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from random import Random
from typing import Any

from reconciler.errors import IncompleteRead, NotFound, Rejected
from reconciler.forge.github_api import GitHubApi, GitHubPlace, Row
from reconciler.forge.words import COMMENT_LIMIT
from reconciler.http.transport import TransportFactory
from reconciler.http.waiting import Deadline
from reconciler.model import Json

WORKFLOW_LOGIN = "github-actions[bot]"
"""Who writes with the token that a workflow is given."""

CLOSED_BY_US = "<!-- reconciler: closed because nothing is left -->"

_SHORT = 30_000
"""Characters that surely fit, for a text that GitHub called too long."""

Body = Callable[[int], str]
"""A text in at most so many characters."""


class Kept(StrEnum):
    """What was done."""

    CREATED = "created"
    EDITED = "edited"
    UNCHANGED = "unchanged"
    CLOSED = "closed"
    NOTHING = "nothing to do"
    SWITCHED_OFF = "not kept, because issues are switched off in this repository"


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The newest review that a person ended: when, where ("pull request 12"), and whether it was merged.

    `merged` is None where nobody can say: a branch that has gone may have been merged before.
    """

    at: datetime
    where: str
    merged: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviews:
    """The reviews of our branch. `open` is the number of the open one; `closed` the newest that was ended.

    `closed_head` is the commit that the branch had then. One that we ended ourselves, because nothing was left, does
    not count: nobody has answered it.
    """

    open: int | None = None
    closed: Closed | None = None
    closed_head: str = ""


class GitHub:
    """One repository. Every method looks before it writes and may be called again after any failure."""

    def __init__(self, place: GitHubPlace, *, factory: TransportFactory, deadline: Deadline, rng: Random) -> None:
        self._api = GitHubApi(place, factory=factory, deadline=deadline, rng=rng)
        self.close = self._api.close

    # ---- comments and issues ----------------------------------------------------------------------------------------

    def keep_comment(self, number: int, marker: str, body: Body) -> Kept:
        """Bring our comment with this marker up to date on an issue or pull request, or write it."""
        return self._written(body, lambda text: self._put_comment(number, marker, text))

    def _put_comment(self, number: int, marker: str, body: str) -> Kept:
        text = f"{marker}\n{body}"
        found = next(self._own(self._api.pages(f"/issues/{number}/comments"), marker), None)
        if found is None:
            self._api.send("POST", f"/issues/{number}/comments", {"body": text})
            return Kept.CREATED
        if _body(found) == text:
            return Kept.UNCHANGED
        self._api.send("PATCH", f"/issues/comments/{int(found['id'])}", {"body": text})
        return Kept.EDITED

    def keep_issue(self, marker: str, title: str, body: Body) -> Kept:
        """Bring our one issue with this marker up to date: edit it, open it again, or write it. Others are closed."""

        def put(text: str) -> Kept:
            text = f"{marker}\n{text}"
            standing = self._open_issues(marker)
            found = standing[0] if standing else self._closed_issue(marker)
            if found is None:
                self._api.send("POST", "/issues", {"title": title, "body": text})
                return Kept.CREATED
            for older in standing[1:]:  # written by a program that did not find its own
                self._edit_issue(older, _CLOSED)
            if standing and (found.get("title"), _body(found)) == (title, text):
                return Kept.UNCHANGED
            self._edit_issue(found, {"title": title, "body": text, "state": "open"})
            return Kept.EDITED

        return self._written(body, put)

    def close_issue(self, marker: str, title: str, body: Body) -> Kept:
        """Close our issue with a last word, if it is open."""

        def close(text: str) -> Kept:
            found = self._open_issues(marker)
            for issue in found:
                self._edit_issue(issue, {"title": title, "body": f"{marker}\n{text}", **_CLOSED})
            return Kept.CLOSED if found else Kept.NOTHING

        return self._written(body, close)

    def address_issue(self, marker: str, *, assignees: Sequence[str], labels: Sequence[str]) -> tuple[str, ...]:
        """Assign our open issue where nobody is assigned, and label it where it has none of the labels.

        Returns those whom GitHub did not take. Whom people assigned instead stays assigned.
        """
        return self._api.settle(lambda: self._address(marker, assignees, labels))

    def _address(self, marker: str, assignees: Sequence[str], labels: Sequence[str]) -> tuple[str, ...]:
        issue = next(iter(self._open_issues(marker)), None)
        if issue is None:
            return ()
        place = f"/issues/{int(issue['number'])}"
        if labels and not _named(issue, "labels", "name").intersection(label.casefold() for label in labels):
            self._api.send("POST", f"{place}/labels", {"labels": list(labels)})
        if not assignees or _named(issue, "assignees", "login"):
            return ()
        try:
            answer = self._api.send("POST", f"{place}/assignees", {"assignees": list(assignees)})
        except (Rejected, NotFound):
            return tuple(assignees)
        taken = _named(answer, "assignees", "login") if isinstance(answer, dict) else frozenset()
        return tuple(name for name in assignees if name.casefold() not in taken)

    def _open_issues(self, marker: str) -> list[Row]:
        query = (("state", "open"), ("sort", "created"), ("direction", "asc"))
        found: list[Row] = []
        try:
            found.extend(self._own(self._api.pages("/issues", query), marker))
        except IncompleteRead:  # thousands of issues, and ours is among the oldest
            if not found:
                raise
        return found

    def _closed_issue(self, marker: str) -> Row | None:
        """Ours among the hundred issues that changed last: it is edited every night that it is needed."""
        query = (("state", "closed"), ("sort", "updated"), ("direction", "desc"))
        return next(self._own(self._api.page("/issues", query), marker), None)

    def _edit_issue(self, issue: Row, wanted: Mapping[str, Json]) -> None:
        self._api.send("PATCH", f"/issues/{int(issue['number'])}", wanted)

    # ---- pull requests ----------------------------------------------------------------------------------------------

    def pull_requests_of(self, commit: str) -> tuple[int, ...]:
        """Numbers of the merged pull requests that brought this commit in, ascending."""
        rows = self._api.settle(lambda: list(self._api.pages(f"/commits/{commit}/pulls")))
        return tuple(sorted(int(row["number"]) for row in rows if row.get("merged_at")))

    def reviews(self, branch: str, base: str) -> Reviews:
        """What became of the pull requests from `branch` into `base`."""
        rows = self._api.settle(lambda: self._pulls(branch, base))
        ended = [row for row in rows if row["state"] != "open" and CLOSED_BY_US not in str(row.get("body"))]
        newest = max(ended, key=lambda row: str(row["closed_at"]), default=None)
        number = next((int(row["number"]) for row in rows if row["state"] == "open"), None)
        if newest is None:
            return Reviews(open=number)
        closed = Closed(
            at=datetime.fromisoformat(str(newest["closed_at"])),
            where=pull_request(int(newest["number"])),
            merged=bool(newest.get("merged_at")),
        )
        return Reviews(open=number, closed=closed, closed_head=str(newest["head"]["sha"]))

    def keep_pull_request(self, branch: str, base: str, marker: str, title: str, body: Body) -> Kept:
        """Open the pull request from `branch` into `base`, or bring its text up to date.

        One that a person opened from our branch keeps their words: ours go into a comment.
        """

        def put(text: str) -> Kept:
            row = self._open_pull(branch, base)
            if row is not None:
                return self._put_pull(row, marker, text, {"title": title})
            wanted = {"title": title, "body": f"{marker}\n{text}", "head": branch, "base": base}
            self._api.send("POST", "/pulls", wanted)
            return Kept.CREATED

        return self._written(body, put)

    def close_pull_request(self, branch: str, base: str, marker: str, title: str, body: Body) -> Kept:
        """Close our pull request with a last word, if there is one open."""

        def close(text: str) -> Kept:
            row = self._open_pull(branch, base)
            if row is None:
                return Kept.NOTHING
            return self._put_pull(row, marker, f"{CLOSED_BY_US}\n{text}", {"title": title, "state": "closed"})

        return self._written(body, close)

    def _put_pull(self, row: Row, marker: str, body: str, wanted: dict[str, str]) -> Kept:
        number, text = int(row["number"]), f"{marker}\n{body}"
        if next(self._own([row], marker), None) is None:
            return self._put_comment(number, marker, body)
        if _body(row) == text and all(row.get(name) == value for name, value in wanted.items()):
            return Kept.UNCHANGED
        self._api.send("PATCH", f"/pulls/{number}", {**wanted, "body": text})
        return Kept.CLOSED if "state" in wanted else Kept.EDITED

    def _open_pull(self, branch: str, base: str) -> Row | None:
        return next((row for row in self._pulls(branch, base) if row["state"] == "open"), None)

    def _pulls(self, branch: str, base: str) -> list[Row]:
        """The newest hundred pull requests from the branch, of this repository and no fork."""
        owner = self._api.repository.partition("/")[0]
        query = (("head", f"{owner}:{branch}"), ("state", "all"), ("sort", "created"), ("direction", "desc"))
        return [
            row
            for row in self._api.page("/pulls", query)
            if row["base"]["ref"] == base
            and row["head"]["ref"] == branch
            and (row["head"].get("repo") or {}).get("full_name") == self._api.repository
        ]

    # ---- both -------------------------------------------------------------------------------------------------------

    def _own(self, rows: Iterable[Row], marker: str) -> Iterator[Row]:
        """Texts with the marker that this token's account wrote.

        GitHub is asked for the account when the first marked text is found. Where it does not tell, a text of the
        workflow's account is ours. One of another account may be ours: `IncompleteRead` is raised, because a second
        text must not be made.
        """
        for row in rows:
            if "pull_request" in row or not _begins_with(row.get("body"), marker):
                continue
            author, known = row.get("user") or {}, self._api.who_am_i()
            if _is_of(author, known or WORKFLOW_LOGIN):
                yield row
            elif not known:
                number = row.get("number", row.get("id"))
                raise IncompleteRead(
                    f"{str(author.get('login'))!r} wrote a text with our mark (number {number}), and GitHub does "
                    "not say whether that is the account of GITHUB_TOKEN: no second one is written.",
                    system="GitHub",
                    hint="Delete that text if nobody needs it, or give the step `GITHUB_TOKEN: ${{ github.token }}`.",
                )

    def _written(self, body: Body, write: Callable[[str], Kept]) -> Kept:
        """Write the text; once more, shorter, when GitHub finds it too long."""
        text = body(COMMENT_LIMIT)
        try:
            return self._api.settle(lambda: write(text))
        except Rejected as error:
            if error.status == HTTPStatus.GONE:  # GitHub's answer for the issues of a repository that has none
                return Kept.SWITCHED_OFF
            if error.status != HTTPStatus.UNPROCESSABLE_ENTITY or len(text) <= _SHORT:
                raise
        text = body(_SHORT)
        return self._api.settle(lambda: write(text))


_CLOSED: Mapping[str, Json] = {"state": "closed", "state_reason": "completed"}


def pull_request(number: int) -> str:
    """How a pull request is called."""
    return f"pull request {number}"


def _body(row: Row) -> str:
    return str(row["body"]).replace("\r\n", "\n")


def _named(row: Mapping[str, Any], member: str, name: str) -> frozenset[str]:
    """The names in a list of an issue, without regard to case: GitHub has none."""
    entries = row.get(member)
    listed = entries if isinstance(entries, list) else []
    return frozenset(str(entry.get(name)).casefold() for entry in listed if isinstance(entry, dict))


def _is_of(author: Mapping[str, Any], login: str) -> bool:
    """True where `login` wrote it. An App's own name may come without the "[bot]" that its texts are signed with."""
    name = author.get("login")
    return name == login or (author.get("type") == "Bot" and name == f"{login}[bot]")


def _begins_with(body: object, marker: str) -> bool:
    return isinstance(body, str) and (body == marker or body.startswith((f"{marker}\n", f"{marker}\r\n")))
