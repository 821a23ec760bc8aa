"""GitHub over HTTP: where it lives, who a token is, lists page by page, and what is tried again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import inf
from random import Random
from typing import Any

from reconciler.errors import (
    ApiError,
    Forbidden,
    IncompleteRead,
    NotFound,
    RateLimited,
    Rejected,
    UnreadableAnswer,
    UsageError,
)
from reconciler.http.decoding import Undecodable, decode_json, error_words
from reconciler.http.redaction import Redactor
from reconciler.http.transport import Call, Query, Reply, Route, Transport, TransportFactory
from reconciler.http.waiting import Deadline, Retries, retry_after_seconds
from reconciler.model import Json
from reconciler.providers.credentials import Address, Secret, parse_address

DEFAULT_SERVER = "https://github.com"

PAGE = 100
MOST_PAGES = 30
LONGEST_WAIT = 120.0
"""Seconds; a limit that lasts longer fails the step, and the next run writes."""

_SECONDS = 30.0
_REPOSITORY = re.compile(r"[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}")
_PATHS = (
    ("GET", "/issues"),
    ("POST", "/issues"),
    ("PATCH", "/issues/[0-9]+"),
    ("POST", "/issues/[0-9]+/(assignees|labels|comments)"),
    ("GET", "/issues/[0-9]+/comments"),
    ("PATCH", "/issues/comments/[0-9]+"),
    ("GET", "/commits/[0-9a-f]{7,64}/pulls"),
    ("GET", "/pulls"),
    ("POST", "/pulls"),
    ("PATCH", "/pulls/[0-9]+"),
)
"""All that is asked for and written below /repos/OWNER/NAME; the transport refuses everything else."""

_WHO_AM_I = "query { viewer { login } }"
"""What every kind of token may ask: a workflow's, an App's, a person's. REST answers none but a person's."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubPlace:
    """Where to write. `repository` is "owner/name"; `graphql` is the path of the other API at the same origin."""

    api: Address
    graphql: str
    repository: str
    token: Secret


def read_place(environ: Mapping[str, str]) -> GitHubPlace:
    """Read GITHUB_API_URL (or GITHUB_SERVER_URL), GITHUB_REPOSITORY and GITHUB_TOKEN.

    Raises `UsageError` that repeats no value.
    """
    hint = "In a workflow GitHub sets the first two; give the step `GITHUB_TOKEN: ${{ github.token }}`."
    variable = "GITHUB_API_URL" if environ.get("GITHUB_API_URL") else "GITHUB_SERVER_URL"
    try:
        address = parse_address(environ.get(variable) or DEFAULT_SERVER, port=True)
    except ValueError as exc:
        raise UsageError(f"{variable} {exc}.", hint=hint) from exc
    api = address if variable == "GITHUB_API_URL" else _api_of(address)
    repository, token = environ.get("GITHUB_REPOSITORY", ""), environ.get("GITHUB_TOKEN", "")
    if not _REPOSITORY.fullmatch(repository) or repository.partition("/")[2] in {".", ".."}:
        raise UsageError("GITHUB_REPOSITORY is not set to owner/name.", hint=hint)
    if not token or not all("!" <= c <= "~" for c in token):
        raise UsageError("GITHUB_TOKEN is not set.", hint=hint)
    return GitHubPlace(api=api, graphql=_graphql_path(api, environ), repository=repository, token=Secret(token))


def _api_of(server: Address) -> Address:
    """The REST API of a GitHub whose pages are at `server`: github.com, a company's *.ghe.com, or its own machine."""
    scheme, _, host = server.origin.partition("://")
    if host == "github.com" or host.endswith(".ghe.com"):
        return Address(origin=f"{scheme}://api.{host}")
    return Address(origin=server.origin, path=f"{server.path}/api/v3")


def _graphql_path(api: Address, environ: Mapping[str, str]) -> str:
    """Where the GraphQL API lies. The token goes to the origin of the REST API and to no other."""
    try:
        named = parse_address(environ.get("GITHUB_GRAPHQL_URL", ""), port=True)
    except ValueError:
        named = None
    if named is not None and named.origin == api.origin and named.path:
        return named.path
    return f"{api.path.removesuffix('/v3')}/graphql"


class GitHubApi:
    """One repository's part of the API, with one token. Paths are those below /repos/OWNER/NAME."""

    def __init__(self, place: GitHubPlace, *, factory: TransportFactory, deadline: Deadline, rng: Random) -> None:
        redactor = Redactor()
        redactor.learn(place.token.reveal())
        self.repository = place.repository
        self.settle = Retries(deadline=deadline, rng=rng, seconds=LONGEST_WAIT, longest=inf).run
        """Repeats an act after a failure that passes by itself; the act must look before it writes."""
        self._place = place
        self._base = f"{place.api.path}/repos/{place.repository}"
        self._login: str | None = None
        self._clock = deadline.clock
        self._transport = Transport(
            system="GitHub",
            routes=self._routes(),
            factory=factory,
            deadline=deadline,
            rng=rng,
            timeout=_SECONDS,
            redactor=redactor,
            hint=_hint,
        )
        self.close = self._transport.close

    def who_am_i(self) -> str:
        """The login of the token's account, asked once; empty where GitHub does not say."""
        if self._login is None:
            try:
                answer: Any = self._call("POST", self._place.graphql, {"query": _WHO_AM_I})
            except (Forbidden, NotFound, Rejected):
                answer = None
            for member in ("data", "viewer", "login"):
                answer = answer.get(member) if isinstance(answer, dict) else None
            self._login = answer if isinstance(answer, str) else ""
        return self._login

    def pages(self, path: str, query: Query = ()) -> Iterator[Row]:
        """Every row of a list. Raises `IncompleteRead` where there are more than 3,000."""
        for page in range(1, MOST_PAGES + 1):
            rows = self.page(path, query, page)
            yield from rows
            if len(rows) < PAGE:
                return
        raise IncompleteRead(f"GitHub lists more than {MOST_PAGES * PAGE} entries at {path}.", system="GitHub")

    def page(self, path: str, query: Query, page: int = 1) -> list[Row]:
        """The rows of one page."""
        rows = self.send("GET", path, query=(*query, ("per_page", str(PAGE)), ("page", str(page))))
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise UnreadableAnswer(f"GitHub gave no list at {path}.", system="GitHub")
        return rows  # type: ignore[return-value]  # each was just seen to be a dict

    def send(self, method: str, path: str, body: Mapping[str, Json] | None = None, *, query: Query = ()) -> Json:
        """One request and its answer. Raises `ApiError` for whatever is not a 2xx with JSON."""
        return self._call(method, self._base + path, body, query)

    def _call(self, method: str, path: str, body: Mapping[str, Json] | None, query: Query = ()) -> Json:
        call = Call(
            method=method,
            origin=self._place.api.origin,
            path=path,
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
            raise _limited(error, reply, self._clock.now()) or error
        try:
            return decode_json(reply.body)
        except Undecodable as exc:
            raise UnreadableAnswer(f"GitHub gave {exc} ({call}).", system="GitHub", request=str(call)) from exc

    def _routes(self) -> list[Route]:
        origin = self._place.api.origin
        patterns = [(method, re.escape(self._base) + path) for method, path in _PATHS]
        patterns.append(("POST", re.escape(self._place.graphql)))
        return [Route(method=method, origin=origin, path=re.compile(pattern)) for method, pattern in patterns]


def _limited(error: ApiError, reply: Reply, now: datetime) -> RateLimited | None:
    """The error as what it is, where a 403 or 429 is one of GitHub's rate limits."""
    headers = reply.headers
    words = error_words(reply.body).lower()
    spent = headers.get("x-ratelimit-remaining") == "0" or "rate limit" in words or "retry-after" in headers
    if not isinstance(error, RateLimited) and not (isinstance(error, Forbidden) and spent):
        return None
    hint = "GitHub's rate limit is spent."
    limited = RateLimited(error.message, system=error.system, request=error.request, hint=hint)
    reset = headers.get("x-ratelimit-reset", "")
    dated = re.fullmatch(r"[0-9]{1,12}", reset) and headers.get("x-ratelimit-remaining") == "0"
    until = int(reset) - now.timestamp() if dated else 0.0
    limited.retry_after = retry_after_seconds(headers.get("retry-after"), now) or max(until, 0.0) or None
    return limited


def _hint(call: Call, status: int) -> str:
    match status:
        case 401:
            return "GITHUB_TOKEN is not valid: give the step `GITHUB_TOKEN: ${{ github.token }}`."
        case 403 | 404 if re.search(r"/pulls(/[0-9]+)?$", call.path):
            return (
                "The job needs `pull-requests: write` under `permissions`, and GitHub has to let workflows open pull "
                "requests: Settings > Actions > General > Allow GitHub Actions to create and approve pull requests."
            )
        case 403 | 404:
            right = "pull-requests: write" if "comments" in call.path else "issues: write"
            return f"The job needs `{right}` under `permissions`, and issues must be switched on in the repository."
        case _:
            return ""
