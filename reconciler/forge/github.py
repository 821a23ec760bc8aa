"""GitHub's REST API, as little of it as is needed: sticky comments, the one issue, the pull request of a commit.

Each act looks first and then writes what is missing, so that it may be repeated after any failure: a lost answer makes
no second comment. Only texts that carry our hidden marker *and* were written by our own account are ever touched; a
marker pasted by somebody else is theirs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from random import Random
from typing import Any

from reconciler.errors import (
    ApiError,
    Forbidden,
    IncompleteRead,
    RateLimited,
    Rejected,
    UnreadableAnswer,
    UsageError,
)
from reconciler.forge.words import COMMENT_LIMIT
from reconciler.http.deadline import Deadline
from reconciler.http.decoding import Undecodable, decode_json, error_words
from reconciler.http.redaction import Redactor
from reconciler.http.retry import Retries, retry_after_seconds
from reconciler.http.routes import Call, Reply, Route
from reconciler.http.transport import Transport, TransportFactory
from reconciler.model import Json
from reconciler.providers.credentials import Address, Secret, parse_address

DEFAULT_API = "https://api.github.com"
OWN_LOGIN = "github-actions[bot]"
"""Who writes with the token of a workflow."""

PAGE = 100
MOST_PAGES = 30
LONGEST_WAIT = 120.0
"""Seconds; a limit that lasts longer fails the step, and the next run writes."""

_SECONDS = 30.0
_SHORT = 30_000
"""Characters that surely fit, for a text that GitHub called too long."""

_REPOSITORY = re.compile(r"[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}")


class Kept(StrEnum):
    """What was done."""

    CREATED = "created"
    EDITED = "edited"
    UNCHANGED = "unchanged"
    CLOSED = "closed"
    NOTHING = "nothing to do"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A comment or an issue as GitHub has it. `open` is about issues only."""

    number: int
    title: str
    body: str
    open: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to write, and as whom. `repository` is "owner/name"."""

    api: Address
    repository: str
    token: Secret
    login: str = OWN_LOGIN


def read_place(environ: Mapping[str, str]) -> Place:
    """Read GITHUB_API_URL, GITHUB_REPOSITORY and GITHUB_TOKEN. Raises `UsageError` that repeats no value."""
    hint = "In a workflow GitHub sets the first two; give the step `GITHUB_TOKEN: ${{ github.token }}`."
    try:
        api = parse_address(environ.get("GITHUB_API_URL") or DEFAULT_API, port=True)
    except ValueError as exc:
        raise UsageError(f"GITHUB_API_URL {exc}.", hint=hint) from exc
    repository, token = environ.get("GITHUB_REPOSITORY", ""), environ.get("GITHUB_TOKEN", "")
    if not _REPOSITORY.fullmatch(repository) or repository.partition("/")[2] in {".", ".."}:
        raise UsageError("GITHUB_REPOSITORY is not set to owner/name.", hint=hint)
    if not token or not all("!" <= c <= "~" for c in token):
        raise UsageError("GITHUB_TOKEN is not set.", hint=hint)
    return Place(api=api, repository=repository, token=Secret(token))


class GitHub:
    """One repository. Every method looks before it writes and may be called again after any failure."""

    def __init__(self, place: Place, *, factory: TransportFactory, patience: Deadline, rng: Random) -> None:
        redactor = Redactor()
        redactor.learn(place.token.reveal())
        self._place = place
        self._base = f"{place.api.path}/repos/{place.repository}"
        self._patience = patience
        self._retries = Retries(patience=patience, rng=rng, seconds=LONGEST_WAIT, longest=inf)
        self._transport = Transport(
            system="GitHub",
            routes=self._routes(),
            factory=factory,
            patience=patience,
            rng=rng,
            timeout=_SECONDS,
            redactor=redactor,
            hint=_hint,
        )

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def keep_comment(self, number: int, marker: str, body: Callable[[int], str]) -> Kept:
        """Bring our comment with this marker up to date on an issue or pull request, or write it.

        `body` gives the text for a number of characters: a shorter one is asked for when GitHub finds it too long.
        """
        return self._written(body, lambda text: self._settle(lambda: self._put_comment(number, marker, text)))

    def keep_issue(self, marker: str, title: str, body: Callable[[int], str]) -> Kept:
        """Bring our one issue with this marker up to date: edit it, open it again, or write it."""
        return self._written(body, lambda text: self._settle(lambda: self._put_issue(marker, title, text)))

    def close_issue(self, marker: str, title: str, body: Callable[[int], str]) -> Kept:
        """Close our issue with a last word, if it is open."""

        def close(text: str) -> Kept:
            found = self._open_issue(marker)
            if found is None:
                return Kept.NOTHING
            closing = {"title": title, "body": f"{marker}\n{text}", "state": "closed", "state_reason": "completed"}
            self._send("PATCH", f"/issues/{found.number}", closing)
            return Kept.CLOSED

        return self._written(body, lambda text: self._settle(lambda: close(text)))

    def pull_requests_of(self, commit: str) -> tuple[int, ...]:
        """Numbers of the merged pull requests that brought this commit in, ascending."""
        rows = self._settle(lambda: list(self._pages(f"/commits/{commit}/pulls", ())))
        return tuple(sorted(int(row["number"]) for row in rows if row.get("merged_at")))

    # ---- comments and issues ----------------------------------------------------------------------------------------

    def _put_comment(self, number: int, marker: str, body: str) -> Kept:
        text = f"{marker}\n{body}"
        found = self._own(self._pages(f"/issues/{number}/comments", ()), marker, "id")
        if found is None:
            self._send("POST", f"/issues/{number}/comments", {"body": text})
            return Kept.CREATED
        if found.body == text:
            return Kept.UNCHANGED
        self._send("PATCH", f"/issues/comments/{found.number}", {"body": text})
        return Kept.EDITED

    def _put_issue(self, marker: str, title: str, body: str) -> Kept:
        text = f"{marker}\n{body}"
        found = self._open_issue(marker) or self._closed_issue(marker)
        if found is None:
            self._send("POST", "/issues", {"title": title, "body": text})
            return Kept.CREATED
        if found.open and (found.title, found.body) == (title, text):
            return Kept.UNCHANGED
        self._send("PATCH", f"/issues/{found.number}", {"title": title, "body": text, "state": "open"})
        return Kept.EDITED

    def _open_issue(self, marker: str) -> Text | None:
        query = (("state", "open"), ("sort", "created"), ("direction", "asc"))
        return self._own(self._pages("/issues", query), marker, "number")

    def _closed_issue(self, marker: str) -> Text | None:
        """Ours among the hundred issues that changed last: it is edited every night that it is needed."""
        query = (("state", "closed"), ("sort", "updated"), ("direction", "desc"))
        return self._own(self._page("/issues", query, 1), marker, "number")

    def _own(self, rows: Iterator[dict[str, Any]] | list[dict[str, Any]], marker: str, number: str) -> Text | None:
        for row in rows:
            ours = (row.get("user") or {}).get("login") == self._place.login
            if ours and "pull_request" not in row and _begins_with(row.get("body"), marker):
                title, is_open = str(row.get("title") or ""), row.get("state", "open") == "open"
                body = str(row["body"]).replace("\r\n", "\n")
                return Text(number=int(row[number]), title=title, body=body, open=is_open)
        return None

    def _written(self, body: Callable[[int], str], write: Callable[[str], Kept]) -> Kept:
        """Write the text; once more, shorter, when GitHub finds it too long."""
        try:
            return write(body(COMMENT_LIMIT))
        except Rejected as error:
            if error.status != 422 or len(body(COMMENT_LIMIT)) <= _SHORT:  # noqa: PLR2004 - HTTP's own number
                raise
            return write(body(_SHORT))

    # ---- HTTP -------------------------------------------------------------------------------------------------------

    def _settle(self, act: Callable[[], Any]) -> Any:
        """Do it, again after what passes by itself: `act` looks before it writes."""
        return self._retries.run(act)

    def _pages(self, path: str, query: tuple[tuple[str, str], ...]) -> Iterator[dict[str, Any]]:
        for page in range(1, MOST_PAGES + 1):
            rows = self._page(path, query, page)
            yield from rows
            if len(rows) < PAGE:
                return
        raise IncompleteRead(f"GitHub lists more than {MOST_PAGES * PAGE} entries at {path}.", system="GitHub")

    def _page(self, path: str, query: tuple[tuple[str, str], ...], page: int) -> list[dict[str, Any]]:
        asked = (*query, ("per_page", str(PAGE)), ("page", str(page)))
        rows = self._send("GET", path, None, query=asked)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise UnreadableAnswer(f"GitHub gave no list at {path}.", system="GitHub")
        return rows  # type: ignore[return-value]  # each was just seen to be a dict

    def _send(
        self, method: str, path: str, body: Mapping[str, Json] | None, *, query: tuple[tuple[str, str], ...] = ()
    ) -> Json:
        call = Call(
            method=method,
            origin=self._place.api.origin,
            path=self._base + path,
            query=query,
            headers={
                "Authorization": f"Bearer {self._place.token.reveal()}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
                **({"Content-Type": "application/json"} if body is not None else {}),
            },
            body=json.dumps(body, ensure_ascii=True).encode() if body is not None else b"",
        )
        reply = self._transport.write(call)
        error = self._transport.complaint(call, reply)
        if error is not None:
            raise _limited(error, reply, self._patience) or error
        try:
            return decode_json(reply.body)
        except Undecodable as exc:
            raise UnreadableAnswer(f"GitHub gave {exc} ({call}).", system="GitHub", request=str(call)) from exc

    def _routes(self) -> list[Route]:
        paths = (
            ("GET", r"/issues"),
            ("POST", r"/issues"),
            ("PATCH", r"/issues/[0-9]+"),
            ("GET", r"/issues/[0-9]+/comments"),
            ("POST", r"/issues/[0-9]+/comments"),
            ("PATCH", r"/issues/comments/[0-9]+"),
            ("GET", r"/commits/[0-9a-f]{7,64}/pulls"),
        )
        base, origin = re.escape(self._base), self._place.api.origin
        return [Route(method=method, origin=origin, path=re.compile(base + path)) for method, path in paths]


def _limited(error: ApiError, reply: Reply, patience: Deadline) -> RateLimited | None:
    """The error as what it is, where a 403 or 429 is one of GitHub's rate limits."""
    headers = reply.headers
    words = error_words(reply.body).lower()
    spent = headers.get("x-ratelimit-remaining") == "0" or "rate limit" in words or "retry-after" in headers
    if not isinstance(error, RateLimited) and not (isinstance(error, Forbidden) and spent):
        return None
    limited = RateLimited(
        error.message, system=error.system, request=error.request, hint="GitHub's rate limit is spent."
    )
    now = patience.clock.now()
    reset = headers.get("x-ratelimit-reset", "")
    dated = re.fullmatch(r"[0-9]{1,12}", reset) and headers.get("x-ratelimit-remaining") == "0"
    until = int(reset) - now.timestamp() if dated else 0.0
    limited.retry_after = retry_after_seconds(headers.get("retry-after"), now) or max(until, 0.0) or None
    return limited


def _begins_with(body: object, marker: str) -> bool:
    return isinstance(body, str) and (body == marker or body.startswith((f"{marker}\n", f"{marker}\r\n")))


def _hint(call: Call, status: int) -> str:
    match status:
        case 401:
            return "GITHUB_TOKEN is not valid: give the step `GITHUB_TOKEN: ${{ github.token }}`."
        case 403 | 404:
            right = "pull-requests: write" if "comments" in call.path else "issues: write"
            return f"The job needs `{right}` under `permissions`, and issues must be switched on in the repository."
        case _:
            return ""
