"""A small GitHub over real HTTP: issues, comments and the pull requests of a commit, with its rules and its moods.

It shares no code with the program. Each token has permissions, as a job's has; bodies have GitHub's limit; answers can
be scripted (rate limits, errors before and after the effect).
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

BOT = "github-actions[bot]"
LONGEST_BODY = 65_536
LONGEST_TITLE = 256


@dataclass
class Mood:
    """How the next request that matches ends; `after` lets it have its effect first."""

    status: int
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "Server Error"
    after: bool = False


def account(login: str) -> dict[str, str]:
    """An account as REST shows it."""
    return {"login": login, "type": "Bot" if login.endswith("[bot]") else "User"}


@dataclass
class Refusal(Exception):
    status: int
    message: str


@dataclass
class FakeGitHub:
    """The repository acme/billing. `tokens` says what each may do, such as {"issues": "write"}."""

    repository: str = "acme/billing"
    logins: dict[str, str] = field(default_factory=dict)
    """Whose each token is; a workflow's where it is not named."""
    knows_viewer: bool = True
    """Whether the GraphQL API says whose a token is."""
    has_issues: bool = True
    people: set[str] = field(default_factory=lambda: {"a-person", "b-person"})
    """Who can be assigned."""
    may_open_pulls: bool = True
    """Settings > Actions > General: workflows may open pull requests."""
    branch_head: Callable[[str], str] = field(default=lambda _: "0" * 40)
    """The commit of a branch, empty where there is none; GitHub closes a pull request whose branch is deleted."""
    prefix: str = ""
    """What comes before /repos: "/api/v3" on a company's own machine."""
    tokens: dict[str, dict[str, str]] = field(default_factory=dict)
    issues: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    merged: dict[str, list[int]] = field(default_factory=dict)
    moods: list[Mood] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    url: str = ""
    writer: str = BOT
    lock: threading.RLock = field(default_factory=threading.RLock)

    def add_issue(self, title: str, body: str = "", *, login: str = BOT, state: str = "open") -> dict[str, Any]:
        """An issue that somebody wrote."""
        row = {"number": len(self.issues) + 1, "title": title, "body": body, "user": account(login), "state": state}
        row |= {"assignees": [], "labels": []}
        self.issues.append(row)
        return row

    def add_pull_request(self, title: str) -> int:
        """Pull requests are issues too, and are listed among them."""
        row = self.add_issue(title, login="a-person")
        row["pull_request"] = {"url": "https://api.example.com/pulls"}
        return int(row["number"])

    def add_pull(self, title: str, body: str, head: str, *, login: str = BOT, state: str = "open") -> dict[str, Any]:
        """A pull request from a branch of this repository into main."""
        row = self.add_issue(title, body, login=login, state=state)
        row["pull_request"] = {"url": "https://api.example.com/pulls"}
        row["head"] = {"ref": head, "sha": self.branch_head(head), "repo": {"full_name": self.repository}}
        row |= {"base": {"ref": "main"}, "merged_at": None, "closed_at": None}
        return row

    def end_pull(self, number: int, *, at: str = "", merged: bool = False) -> None:
        """Somebody closes a pull request, or merges it."""
        row = self.issues[number - 1]
        moment = at or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        row |= {"state": "closed", "closed_at": moment, "merged_at": moment if merged else None}

    def open_pulls(self) -> list[dict[str, Any]]:
        """Open pull requests that were opened from a branch."""
        return [row for row in self.issues if "head" in row and row["state"] == "open"]

    def add_comment(self, number: int, body: str, *, login: str = "a-person") -> dict[str, Any]:
        """A comment that somebody wrote."""
        row = {"id": 9_000 + len(self.comments), "issue": number, "body": body, "user": account(login)}
        self.comments.append(row)
        return row

    def comments_on(self, number: int, *, login: str = BOT) -> list[str]:
        """Texts of one account's comments on an issue or pull request."""
        return [c["body"] for c in self.comments if c["issue"] == number and c["user"]["login"] == login]

    def own_issues(self) -> list[dict[str, Any]]:
        """Issues that a workflow opened."""
        return [i for i in self.issues if i["user"]["login"] == BOT]

    def written(self) -> list[str]:
        """Method and path of every request that was to change something."""
        return [r for r in self.requests if not r.startswith("GET") and not r.endswith("/graphql")]

    # ---- answers ----------------------------------------------------------------------------------------------------

    def answer(self, method: str, target: str, token: str, body: bytes) -> tuple[int, dict[str, str], Any]:
        with self.lock:
            self.requests.append(f"{method} {urlsplit(target).path}")
            mood = next((m for m in self.moods if m.method == method), None)
            if mood is not None:
                self.moods.remove(mood)
                if not mood.after:
                    return mood.status, mood.headers, {"message": mood.message}
            try:
                status, answer = self._perform(method, target, token, json.loads(body) if body else {})
            except Refusal as refusal:
                status, answer = refusal.status, {"message": refusal.message}
            return (mood.status, mood.headers, {"message": mood.message}) if mood else (status, {}, answer)

    def _perform(self, method: str, target: str, token: str, asked: dict[str, Any]) -> tuple[int, Any]:
        parts = urlsplit(target)
        if parts.path == "/switch":  # not GitHub's: a dead man's switch that lives at the same address
            return 200, "OK"
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if token not in self.tokens:
            raise Refusal(401, "Bad credentials")
        if (method, parts.path) == ("POST", self.prefix.removesuffix("/v3") + "/graphql"):
            return self._viewer(asked, token)
        prefix = f"{self.prefix}/repos/{self.repository}"
        if not parts.path.startswith(prefix + "/"):
            raise Refusal(404, "Not Found")
        for pattern, verb, scope, act in self._routes():
            found = re.fullmatch(pattern, parts.path.removeprefix(prefix))
            if found and verb == method:
                self._require(token, scope, "read" if method == "GET" else "write", found)
                self.writer = self.logins.get(token, BOT)
                return act(asked, query, *found.groups())
        raise Refusal(404, "Not Found")

    def _viewer(self, asked: dict[str, Any], token: str) -> tuple[int, Any]:
        if "viewer" not in asked["query"] or not self.knows_viewer:
            return 200, {"data": None, "errors": [{"type": "FORBIDDEN", "message": "Resource not accessible"}]}
        return 200, {"data": {"viewer": {"login": self.logins.get(token, BOT)}}}

    def _routes(self) -> list[tuple[str, str, str, Callable[..., tuple[int, Any]]]]:
        return [
            (r"/issues", "GET", "issues", self._list_issues),
            (r"/issues", "POST", "issues", self._create_issue),
            (r"/issues/(\d+)", "PATCH", "issues", self._edit_issue),
            (r"/issues/(\d+)/assignees", "POST", "issues", self._assign),
            (r"/issues/(\d+)/labels", "POST", "issues", self._label),
            (r"/issues/(\d+)/comments", "GET", "comments", self._list_comments),
            (r"/issues/(\d+)/comments", "POST", "comments", self._create_comment),
            (r"/issues/comments/(\d+)", "PATCH", "comments", self._edit_comment),
            (r"/commits/([0-9a-f]+)/pulls", "GET", "pull-requests", self._pulls),
            (r"/pulls", "GET", "pull-requests", self._list_pulls),
            (r"/pulls", "POST", "pull-requests", self._create_pull),
            (r"/pulls/(\d+)", "PATCH", "pull-requests", self._edit_pull),
        ]

    def _require(self, token: str, scope: str, level: str, found: re.Match[str]) -> None:
        """On a pull request `pull-requests` is enough to comment; on an issue `issues` is wanted."""
        granted = self.tokens[token]
        scopes = [scope] if scope != "comments" else ["issues", "pull-requests"]
        if not any(granted.get(name) == "write" or granted.get(name) == level for name in scopes):
            raise Refusal(403, "Resource not accessible by integration")

    def _list_issues(self, _asked: Any, query: dict[str, str]) -> tuple[int, Any]:
        self._require_issues()
        rows = [i for i in self.issues if query.get("state", "open") in {i["state"], "all"}]
        if query.get("direction", "desc") == "desc":
            rows.reverse()
        return 200, self._paged(rows, query)

    def _create_issue(self, asked: Any, _query: Any) -> tuple[int, Any]:
        self._require_issues()
        return 201, self.add_issue(asked["title"], self._checked(asked["body"]), login=self.writer)

    def _require_issues(self) -> None:
        if not self.has_issues:
            raise Refusal(410, "Issues are disabled for this repo")

    def _edit_issue(self, asked: Any, _query: Any, number: str) -> tuple[int, Any]:
        row = self.issues[int(number) - 1]
        row.update({k: v for k, v in asked.items() if k in {"title", "body", "state"}})
        self._checked(row["body"])
        return 200, row

    def _assign(self, asked: Any, _query: Any, number: str) -> tuple[int, Any]:
        """Who cannot be assigned is left out without a word."""
        row = self.issues[int(number) - 1]
        row["assignees"] += [account(login) for login in asked["assignees"] if login in self.people]
        return 201, row

    def _label(self, asked: Any, _query: Any, number: str) -> tuple[int, Any]:
        row = self.issues[int(number) - 1]
        row["labels"] += [{"name": label} for label in asked["labels"]]
        return 200, row["labels"]

    def _list_comments(self, _asked: Any, query: dict[str, str], number: str) -> tuple[int, Any]:
        return 200, self._paged([c for c in self.comments if c["issue"] == int(number)], query)

    def _create_comment(self, asked: Any, _query: Any, number: str) -> tuple[int, Any]:
        if int(number) > len(self.issues):
            raise Refusal(404, "Not Found")
        return 201, self.add_comment(int(number), self._checked(asked["body"]), login=self.writer)

    def _edit_comment(self, asked: Any, _query: Any, number: str) -> tuple[int, Any]:
        row = next(c for c in self.comments if c["id"] == int(number))
        row["body"] = self._checked(asked["body"])
        return 200, row

    def _pulls(self, _asked: Any, query: dict[str, str], commit: str) -> tuple[int, Any]:
        rows = [{"number": n, "merged_at": "2026-11-22T09:00:00Z"} for n in self.merged.get(commit, [])]
        return 200, self._paged(rows, query)

    def _list_pulls(self, _asked: Any, query: dict[str, str]) -> tuple[int, Any]:
        self._close_what_lost_its_branch()
        owner, _, head = query["head"].partition(":")
        rows = [row for row in self.issues if owner == "acme" and row.get("head", {}).get("ref") == head]
        rows = [row for row in rows if query.get("state", "open") in {row["state"], "all"}]
        rows = [{name: value for name, value in row.items() if name != "pull_request"} for row in rows]
        return 200, self._paged(rows[::-1] if query.get("direction", "desc") == "desc" else rows, query)

    def _close_what_lost_its_branch(self) -> None:
        for row in self.open_pulls():
            head = self.branch_head(row["head"]["ref"])
            if head:
                row["head"]["sha"] = head
            else:
                self.end_pull(row["number"])

    def _create_pull(self, asked: Any, _query: Any) -> tuple[int, Any]:
        if not self.may_open_pulls and self.writer == BOT:
            raise Refusal(403, "GitHub Actions is not permitted to create or approve pull requests.")
        if not self.branch_head(asked["head"]) or asked["base"] != "main":
            raise Refusal(422, "Validation Failed")
        if any(row["head"]["ref"] == asked["head"] for row in self.open_pulls()):
            raise Refusal(422, f"A pull request already exists for acme:{asked['head']}.")
        if len(asked["title"]) > LONGEST_TITLE:
            raise Refusal(422, "Validation Failed: title is too long (maximum is 256 characters)")
        return 201, self.add_pull(asked["title"], self._checked(asked["body"]), asked["head"], login=self.writer)

    def _edit_pull(self, asked: Any, _query: Any, number: str) -> tuple[int, Any]:
        row = self.issues[int(number) - 1]
        row["body"], row["title"] = self._checked(asked["body"]), asked["title"]
        if asked.get("state") == "closed":
            self.end_pull(row["number"])
        return 200, row

    def _paged(self, rows: list[Any], query: dict[str, str]) -> list[Any]:
        size, page = int(query.get("per_page", "30")), int(query.get("page", "1"))
        return rows[(page - 1) * size : page * size]

    def _checked(self, body: str) -> str:
        if len(body) > LONGEST_BODY:
            raise Refusal(422, "Validation Failed: body is too long (maximum is 65536 characters)")
        return body


@contextmanager
def served_github(fake: FakeGitHub) -> Iterator[FakeGitHub]:
    """Serve it on a free port of 127.0.0.1; `url` is its API's address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        do_POST = do_PATCH = do_GET  # noqa: N815 - names that the base class asks for

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            status, headers, answer = fake.answer(self.command, self.path, token, body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Type": "application/json"}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_words: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}{fake.prefix}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
