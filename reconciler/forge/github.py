"""What is kept on GitHub, as little of it as is needed: sticky comments, the one issue, the one pull request of ours.

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
from reconciler.forge.github_api import GitHubApi, GitHubPlace, read_place
from reconciler.forge.offering import Closed, Reviews
from reconciler.forge.words import COMMENT_LIMIT
from reconciler.http.transport import TransportFactory
from reconciler.http.waiting import Deadline
from reconciler.model import Json

__all__ = ["GitHub", "GitHubPlace", "Kept", "read_place"]

WORKFLOW_LOGIN = "github-actions[bot]"
"""Who writes with the token that a workflow is given."""

_GONE = 410
"""What GitHub answers for the issues of a repository that has none."""

_SHORT = 30_000
"""Characters that surely fit, for a text that GitHub called too long."""


class Kept(StrEnum):
    """What was done."""

    CREATED = "created"
    EDITED = "edited"
    UNCHANGED = "unchanged"
    CLOSED = "closed"
    NOTHING = "nothing to do"
    SWITCHED_OFF = "not kept, because issues are switched off in this repository"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A comment or an issue as GitHub has it. `open`, `assignees` and `labels` are about issues only."""

    number: int
    title: str
    body: str
    open: bool = True
    assignees: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()


CLOSED_BY_US = "<!-- reconciler: closed because nothing is left -->"


class GitHub:
    """One repository. Every method looks before it writes and may be called again after any failure."""

    def __init__(self, place: GitHubPlace, *, factory: TransportFactory, deadline: Deadline, rng: Random) -> None:
        self._api = GitHubApi(place, factory=factory, deadline=deadline, rng=rng)

    def close(self) -> None:
        """Close all connections."""
        self._api.close()

    def keep_comment(self, number: int, marker: str, body: Callable[[int], str]) -> Kept:
        """Bring our comment with this marker up to date on an issue or pull request, or write it.

        `body` gives the text for a number of characters: a shorter one is asked for when GitHub finds it too long.
        """
        return self._written(body, lambda text: self._api.settle(lambda: self._put_comment(number, marker, text)))

    def keep_issue(self, marker: str, title: str, body: Callable[[int], str]) -> Kept:
        """Bring our one issue with this marker up to date: edit it, open it again, or write it. Others are closed."""
        return self._written(body, lambda text: self._api.settle(lambda: self._put_issue(marker, title, text)))

    def close_issue(self, marker: str, title: str, body: Callable[[int], str]) -> Kept:
        """Close our issue with a last word, if it is open."""

        def close(text: str) -> Kept:
            found = self._open_issues(marker)
            for issue in found:
                self._close(issue, {"title": title, "body": f"{marker}\n{text}"})
            return Kept.CLOSED if found else Kept.NOTHING

        return self._written(body, lambda text: self._api.settle(lambda: close(text)))

    def address_issue(self, marker: str, *, assignees: Sequence[str], labels: Sequence[str]) -> tuple[str, ...]:
        """Assign our open issue where nobody is, label it where it has none of the labels; whom GitHub did not take.

        Whom people assigned instead stays assigned. A person or label that GitHub refuses costs nothing but itself.
        """
        found: tuple[str, ...] = self._api.settle(lambda: self._address(marker, assignees, labels))
        return found

    def _address(self, marker: str, assignees: Sequence[str], labels: Sequence[str]) -> tuple[str, ...]:
        issue = next(iter(self._open_issues(marker)), None)
        if issue is None:
            return ()
        if labels and not issue.labels.intersection(label.casefold() for label in labels):
            self._api.send("POST", f"/issues/{issue.number}/labels", {"labels": list(labels)})
        if not assignees or issue.assignees:
            return ()
        try:
            answer: Any = self._api.send("POST", f"/issues/{issue.number}/assignees", {"assignees": list(assignees)})
        except (Rejected, NotFound):
            return tuple(assignees)
        taken = _named(answer, "assignees", "login") if isinstance(answer, dict) else frozenset()
        return tuple(name for name in assignees if name.casefold() not in taken)

    def pull_requests_of(self, commit: str) -> tuple[int, ...]:
        """Numbers of the merged pull requests that brought this commit in, ascending."""
        rows = self._api.settle(lambda: list(self._api.pages(f"/commits/{commit}/pulls", ())))
        return tuple(sorted(int(row["number"]) for row in rows if row.get("merged_at")))

    def reviews(self, branch: str, base: str) -> Reviews:
        """What became of the pull requests from `branch` into `base`."""
        rows: list[dict[str, Any]] = self._api.settle(lambda: self._pulls(branch, base))
        ended = [row for row in rows if row["state"] != "open" and CLOSED_BY_US not in str(row.get("body"))]
        newest = max(ended, key=lambda row: str(row["closed_at"]), default=None)
        return Reviews(
            open=next((int(row["number"]) for row in rows if row["state"] == "open"), None),
            closed=None if newest is None else _closed(newest),
            closed_head="" if newest is None else str(newest["head"]["sha"]),
        )

    def keep_pull_request(self, branch: str, base: str, marker: str, title: str, body: Callable[[int], str]) -> Kept:
        """Open the pull request from `branch` into `base`, or bring its text up to date.

        One that a person opened from our branch keeps their words: ours go into a comment.
        """

        def put(text: str) -> Kept:
            row = self._open_pull(branch, base)
            if row is not None:
                return self._put_pull(row, marker, text, {"title": title})
            self._api.send("POST", "/pulls", {"title": title, "body": text, "head": branch, "base": base})
            return Kept.CREATED

        return self._written(body, lambda text: self._api.settle(lambda: put(f"{marker}\n{text}")))

    def close_pull_request(self, branch: str, base: str, marker: str, title: str, body: Callable[[int], str]) -> Kept:
        """Close our pull request with a last word, if there is one open."""

        def close(text: str) -> Kept:
            row = self._open_pull(branch, base)
            if row is None:
                return Kept.NOTHING
            return self._put_pull(row, marker, text, {"title": title, "state": "closed"})

        return self._written(body, lambda text: self._api.settle(lambda: close(f"{marker}\n{CLOSED_BY_US}\n{text}")))

    def _open_pull(self, branch: str, base: str) -> dict[str, Any] | None:
        return next((row for row in self._pulls(branch, base) if row["state"] == "open"), None)

    def _put_pull(self, row: Mapping[str, Any], marker: str, text: str, wanted: dict[str, str]) -> Kept:
        number = int(row["number"])
        found = next(self._own([{**row}], marker, "number"), None)
        if found is None:
            return self._put_comment(number, marker, text.removeprefix(f"{marker}\n"))
        if found.body == text and all(row.get(name) == value for name, value in wanted.items()):
            return Kept.UNCHANGED
        self._api.send("PATCH", f"/pulls/{number}", {**wanted, "body": text})
        return Kept.CLOSED if "state" in wanted else Kept.EDITED

    def _pulls(self, branch: str, base: str) -> list[dict[str, Any]]:
        """The newest hundred pull requests from the branch, of this repository and no fork."""
        owner = self._api.repository.partition("/")[0]
        query = (("head", f"{owner}:{branch}"), ("state", "all"), ("sort", "created"), ("direction", "desc"))
        return [
            row
            for row in self._api.page("/pulls", query, 1)
            if row["base"]["ref"] == base
            and row["head"]["ref"] == branch
            and (row["head"].get("repo") or {}).get("full_name") == self._api.repository
        ]

    # ---- comments and issues ----------------------------------------------------------------------------------------

    def _put_comment(self, number: int, marker: str, body: str) -> Kept:
        text = f"{marker}\n{body}"
        found = next(self._own(self._api.pages(f"/issues/{number}/comments", ()), marker, "id"), None)
        if found is None:
            self._api.send("POST", f"/issues/{number}/comments", {"body": text})
            return Kept.CREATED
        if found.body == text:
            return Kept.UNCHANGED
        self._api.send("PATCH", f"/issues/comments/{found.number}", {"body": text})
        return Kept.EDITED

    def _put_issue(self, marker: str, title: str, body: str) -> Kept:
        text = f"{marker}\n{body}"
        standing = self._open_issues(marker)
        found = standing[0] if standing else self._closed_issue(marker)
        if found is None:
            self._api.send("POST", "/issues", {"title": title, "body": text})
            return Kept.CREATED
        for older in standing[1:]:  # written by a program that did not find its own
            self._close(older, {})
        if found.open and (found.title, found.body) == (title, text):
            return Kept.UNCHANGED
        self._api.send("PATCH", f"/issues/{found.number}", {"title": title, "body": text, "state": "open"})
        return Kept.EDITED

    def _open_issues(self, marker: str) -> list[Text]:
        query = (("state", "open"), ("sort", "created"), ("direction", "asc"))
        found: list[Text] = []
        try:
            found.extend(self._own(self._api.pages("/issues", query), marker, "number"))
        except IncompleteRead:  # thousands of issues, and ours is among the oldest
            if not found:
                raise
        return found

    def _closed_issue(self, marker: str) -> Text | None:
        """Ours among the hundred issues that changed last: it is edited every night that it is needed."""
        query = (("state", "closed"), ("sort", "updated"), ("direction", "desc"))
        return next(self._own(self._api.page("/issues", query, 1), marker, "number"), None)

    def _close(self, issue: Text, words: Mapping[str, Json]) -> None:
        self._api.send("PATCH", f"/issues/{issue.number}", {**words, "state": "closed", "state_reason": "completed"})

    def _own(self, rows: Iterable[dict[str, Any]], marker: str, number: str) -> Iterator[Text]:
        """Texts with the marker that this token's account wrote.

        Who that is is asked when the first marked text is found. Where GitHub does not say, a text of the workflow's
        account is ours; one of another may be, and raises `IncompleteRead`: a second one must not be made.
        """
        for row in rows:
            if "pull_request" in row or not _begins_with(row.get("body"), marker):
                continue
            author = row.get("user") or {}
            known = self._api.who_am_i()
            if _is_of(author, known or WORKFLOW_LOGIN):
                yield Text(
                    number=int(row[number]),
                    title=str(row.get("title") or ""),
                    body=str(row["body"]).replace("\r\n", "\n"),
                    open=row.get("state", "open") == "open",
                    assignees=_named(row, "assignees", "login"),
                    labels=_named(row, "labels", "name"),
                )
            elif not known:
                raise IncompleteRead(
                    f"{str(author.get('login'))!r} wrote a text with our mark (number {row[number]}), and GitHub does "
                    "not say whether that is the account of GITHUB_TOKEN: no second one is written.",
                    system="GitHub",
                    hint="Delete that text if nobody needs it, or give the step `GITHUB_TOKEN: ${{ github.token }}`.",
                )

    def _written(self, body: Callable[[int], str], write: Callable[[str], Kept]) -> Kept:
        """Write the text; once more, shorter, when GitHub finds it too long."""
        try:
            return write(body(COMMENT_LIMIT))
        except Rejected as error:
            if error.status == _GONE:
                return Kept.SWITCHED_OFF
            if error.status != HTTPStatus.UNPROCESSABLE_ENTITY or len(body(COMMENT_LIMIT)) <= _SHORT:
                raise
            return write(body(_SHORT))


def _closed(row: Mapping[str, Any]) -> Closed:
    number, moment = int(row["number"]), datetime.fromisoformat(str(row["closed_at"]))
    return Closed(at=moment, where=pull_request(number), merged=bool(row.get("merged_at")))


def pull_request(number: int) -> str:
    """How a pull request is called."""
    return f"pull request {number}"


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
