"""Pinned requests, retries of reads only, and every failure in its place of the error tree."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Any

import httpcore
import httpx
import pytest

from reconciler.errors import (
    ApiError,
    ConnectFailed,
    DeadlineExceeded,
    Forbidden,
    Interrupted,
    NotAuthorised,
    NotFound,
    RateLimited,
    Rejected,
    RequestForbidden,
    ResponseLost,
    ServerFailed,
    UnreadableAnswer,
)
from reconciler.events import Event, Waiting
from reconciler.http.redaction import Redactor
from reconciler.http.transport import MAX_ANSWER_BYTES, Call, Route, Transport, origin_of, translate
from reconciler.http.waiting import Deadline
from tests.clock import VirtualClock
from tests.providers.wiring import Server

ORIGIN = "https://halo.example.com"
SECRET = "canary-secret-0042"
OK = httpx.Response(200, json={"ok": True})
ROUTES = (
    Route(method="GET", origin=ORIGIN, path=re.compile(r"/things(/[0-9]+)?")),
    Route(method="POST", origin=ORIGIN, path=re.compile(r"/things")),
)


class Bench:
    def __init__(self, *answers: Any, deadline: float = 1_800.0, jitter: float | None = None) -> None:
        self.server = Server().answer("/things", *(answers or (OK,)))
        self.clock = VirtualClock()
        self.events: list[Event] = []
        self.deadline = Deadline(clock=self.clock, observer=self.events.append, ends_at=deadline)
        redactor = Redactor()
        redactor.learn(SECRET)
        rng = Random(3)  # noqa: S311 - jitter, not a secret
        if jitter is not None:
            rng.uniform = lambda low, high: low + (high - low) * jitter  # type: ignore[method-assign]
        self.transport = Transport(
            system="HaloPSA",
            routes=ROUTES,
            factory=lambda _origin: httpx.MockTransport(self.server),
            deadline=self.deadline,
            rng=rng,
            timeout=60.0,
            redactor=redactor,
        )

    def read(self, **call: Any) -> Any:
        return self.transport.read(Call(**{"method": "GET", "origin": ORIGIN, "path": "/things", **call}))

    def write(self, **call: Any) -> Any:
        return self.transport.write(Call(**{"method": "POST", "origin": ORIGIN, "path": "/things", **call}))

    @property
    def waits(self) -> list[float]:
        return [event.seconds for event in self.events if isinstance(event, Waiting)]


def fail(*answers: Any, **how: Any) -> tuple[ApiError, Bench]:
    bench = Bench(*answers, **how)
    with pytest.raises(ApiError) as caught:
        bench.read()
    return caught.value, bench


# -- what may be asked --------------------------------------------------------------------------------------------

FORBIDDEN = [
    {"method": "DELETE"},
    {"method": "PUT"},
    {"method": "POST", "path": "/things/1"},
    {"path": "/things/"},
    {"path": "/things/x"},
    {"path": "/things/../admin"},
    {"path": "/things/1?x=1"},
    {"path": "/things%2f1"},
    {"path": "//evil.example/things"},
    {"path": "/things/1\n"},
    {"path": ".evil.example/things"},
    {"path": "@evil.example/things"},
    {"path": ":8443/things"},
    {"path": "/other"},
    {"path": ""},
    {"origin": "http://halo.example.com"},
    {"origin": "https://evil.example"},
    {"origin": "https://halo.example.com:8443"},
]


@pytest.mark.parametrize("call", FORBIDDEN, ids=str)
def test_what_is_not_on_the_list_is_never_sent(call: dict[str, str]) -> None:
    bench = Bench()
    with pytest.raises(RequestForbidden):
        bench.read(**call)
    with pytest.raises(RequestForbidden):
        bench.write(**call)
    assert bench.server.requests == []


def test_a_query_is_encoded_and_cannot_leave_its_place() -> None:
    bench = Bench()
    bench.read(query=(("search", "a&b=c#d/../?x\r\nHost: y"),))
    assert bench.server.requests[0].url.params["search"] == "a&b=c#d/../?x\r\nHost: y"


def test_answers_are_asked_for_uncompressed_and_uncached_by_name() -> None:
    bench = Bench()
    bench.read()
    headers = bench.server.requests[0].headers
    assert headers["Accept-Encoding"] == "identity"
    assert headers["Accept"] == "application/json"
    assert re.fullmatch(r"reconciler/\d+\.\d+\.\d+\S*", headers["User-Agent"])


def test_no_cookie_is_ever_sent_back() -> None:
    bench = Bench(httpx.Response(200, json={}, headers={"Set-Cookie": "session=1"}))
    bench.read()
    bench.read()
    assert "cookie" not in bench.server.requests[1].headers


@pytest.mark.parametrize(
    ("url", "origin"),
    [("https://a.example/x?y", "https://a.example"), ("http://[::1]:81/", "http://[::1]:81")],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert origin_of(httpx.URL(url)) == origin


# -- retries ------------------------------------------------------------------------------------------------------

PASSING = [
    httpx.Response(408),
    httpx.Response(429),
    httpx.Response(500),
    httpx.Response(502),
    httpx.Response(503),
    httpx.Response(504),
    httpx.Response(200, text="<html>maintenance</html>"),
    httpx.Response(200, text=""),
    httpx.Response(200, text='{"cut": '),
    httpx.ConnectError("refused"),
    httpx.ReadTimeout("late"),
    httpx.ReadError("reset"),
    httpx.RemoteProtocolError("garbage"),
]


@pytest.mark.parametrize("answer", PASSING, ids=repr)
def test_a_passing_failure_of_a_read_is_tried_again(answer: Any) -> None:
    bench = Bench(answer, OK)
    assert bench.read() == {"ok": True}
    assert len(bench.server.requests) == 2


@pytest.mark.parametrize("answer", PASSING, ids=repr)
def test_a_write_is_never_sent_twice(answer: Any) -> None:
    bench = Bench(answer, OK)
    with suppress(ApiError):
        bench.write()
    assert len(bench.server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "tries"),
    [
        (httpx.Response(500), ServerFailed, 5),
        (httpx.Response(408), ServerFailed, 5),
        (httpx.ConnectError("refused"), ConnectFailed, 5),
        (httpx.ReadError("reset"), ResponseLost, 5),
        (httpx.ReadTimeout("late"), DeadlineExceeded, 5),
        (httpx.Response(200, text="<html>"), UnreadableAnswer, 3),
        (httpx.Response(400), Rejected, 1),
        (httpx.Response(401), NotAuthorised, 1),
        (httpx.Response(403), Forbidden, 1),
        (httpx.Response(404), NotFound, 1),
        (httpx.Response(418), Rejected, 1),
    ],
    ids=repr,
)
def test_a_lasting_failure_ends_in_its_error(answer: Any, kind: type[ApiError], tries: int) -> None:
    error, bench = fail(answer)
    assert type(error) is kind
    assert len(bench.server.requests) == tries
    assert (error.system, error.request) == ("HaloPSA", "GET /things")


def test_waits_grow_and_are_jittered_over_their_whole_range() -> None:
    assert [fail(httpx.Response(500), jitter=j)[1].waits for j in (1.0, 0.5)] == [[0.5, 1, 2, 4], [0.25, 0.5, 1, 2]]


def test_a_rate_limit_without_retry_after_gets_more_patience() -> None:
    error, bench = fail(httpx.Response(429), jitter=1.0)
    assert isinstance(error, RateLimited)
    assert bench.waits == [5, 10, 20, 40, 60, 60, 60]


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7", 7, 8),
        ("1000000000", 60, 60),
        ("999999999", 60, 60),
        ("Sun, 22 Nov 2026 05:00:30 GMT", 30, 31),
        ("Sun, 22 Nov 2037 05:00:30 GMT", 60, 60),
        ("Sun, 22 Nov 2020 05:00:30 GMT", 0, 5),
        ("Sun, 22 Nov 2026 05:00:30 -0000", 30, 31),
        ("0", 0, 5),
        ("-1", 0, 5),
        ("soon", 0, 5),
        ("1.5", 0, 5),
        ("", 0, 5),
    ],
)
def test_retry_after_is_honoured_and_capped(header: str, least: float, most: float) -> None:
    bench = Bench(httpx.Response(429, headers={"Retry-After": header}), OK)
    bench.read()
    (waited,) = bench.waits
    assert least <= waited <= most


def test_a_read_is_bounded_by_time_as_well() -> None:
    error, bench = fail(httpx.Response(429, headers={"Retry-After": "60"}), jitter=1.0)
    assert isinstance(error, RateLimited)
    assert bench.clock.monotonic() <= 300


def test_no_wait_goes_beyond_the_runs_end() -> None:
    error, bench = fail(httpx.Response(429, headers={"Retry-After": "50"}), deadline=30.0)
    assert isinstance(error, RateLimited)
    assert bench.clock.monotonic() == 0


def test_after_the_runs_end_nothing_is_sent() -> None:
    bench = Bench(deadline=10.0)
    bench.clock.sleep(10)
    with pytest.raises(DeadlineExceeded, match="total time"):
        bench.read()
    with pytest.raises(ConnectFailed, match="was not sent"):
        bench.write()
    assert bench.server.requests == []


def test_a_request_gets_no_more_time_than_the_run_has_left() -> None:
    bench = Bench(deadline=100.0)
    bench.clock.sleep(75)
    bench.read()
    assert bench.server.requests[0].extensions["timeout"]["read"] == 25


def test_after_a_stop_nothing_is_sent() -> None:
    bench = Bench()
    bench.deadline.stop()
    for send in (bench.read, bench.write):
        with pytest.raises(Interrupted):
            send()
    assert bench.server.requests == []


# -- answers ------------------------------------------------------------------------------------------------------


def test_a_redirect_names_the_other_host_and_is_not_followed() -> None:
    error, bench = fail(httpx.Response(302, headers={"Location": f"https://evil.example/take?key={SECRET}"}))
    assert isinstance(error, UnreadableAnswer)
    assert "evil.example" in error.message
    assert "take" not in error.message
    assert {request.url.host for request in bench.server.requests} == {"halo.example.com"}


@pytest.mark.parametrize("location", ["/login", "", "http://[", "\x00"])
def test_an_odd_redirect_is_an_error_as_well(location: str) -> None:
    assert isinstance(fail(httpx.Response(301, headers={"Location": location.encode()}))[0], UnreadableAnswer)


def test_an_answer_out_of_a_cache_is_refused() -> None:
    assert "cache" in fail(httpx.Response(200, json={}, headers={"Age": "7200"}))[0].message


def test_a_compressed_answer_is_refused() -> None:
    def zipped(_request: httpx.Request) -> httpx.Response:
        response = httpx.Response(200, json={})
        response.headers["Content-Encoding"] = "gzip"
        return response

    assert "compressed" in fail(zipped)[0].message


class Endless(httpx.SyncByteStream):
    def __init__(self) -> None:
        self.given = 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.given += 1_000_000
            yield b" " * 1_000_000


def test_an_endless_answer_is_cut_off() -> None:
    streams: list[Endless] = []

    def endless(_request: httpx.Request) -> httpx.Response:
        streams.append(Endless())
        return httpx.Response(200, stream=streams[-1])

    assert "bytes" in fail(endless)[0].message
    assert max(stream.given for stream in streams) <= MAX_ANSWER_BYTES + 1_000_000


class Unread(httpx.AsyncByteStream):
    """A body that only asynchronous code could read."""


def test_a_body_that_cannot_be_read_is_a_lost_answer() -> None:
    bench = Bench(lambda _request: httpx.Response(200, stream=Unread()))
    with pytest.raises(ResponseLost):
        bench.write()
    assert len(bench.server.requests) == 1


def test_the_servers_words_end_the_message_without_secrets_or_control_characters() -> None:
    error, _ = fail(httpx.Response(400, json={"message": f"bad \x1b[2J key {SECRET}"}))
    assert error.message == "HaloPSA answered 400: bad [2J key *** (GET /things)."


def test_no_secret_of_a_request_is_part_of_any_message() -> None:
    bench = Bench(httpx.ReadError(f"while sending {SECRET}"))
    call: dict[str, Any] = {"query": (("key", SECRET),), "headers": {"X-API-Key": SECRET}, "body": SECRET.encode()}
    with pytest.raises(ResponseLost) as caught:
        bench.write(**call)
    assert SECRET not in f"{caught.value.message}{caught.value.hint}{caught.value!r}"
    assert SECRET not in repr(Call(method="GET", origin=ORIGIN, path="/things", **call))


def test_the_loggers_of_the_http_libraries_stay_silent(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for name in ("", ".connection", ".http11", ".proxy"):
            assert not logging.getLogger(httpcore.__name__ + name).isEnabledFor(logging.CRITICAL)
        assert not logging.getLogger(httpx.__name__).isEnabledFor(logging.CRITICAL)


# -- error mapping ------------------------------------------------------------------------------------------------

NEVER_LEFT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol", "InvalidURL"}
EXCEPTIONS = sorted(
    (kind for _, kind in inspect.getmembers(httpx, inspect.isclass) if issubclass(kind, Exception)),
    key=lambda kind: kind.__name__,
)


def make(kind: type[Exception]) -> Exception:
    """An instance, whatever the constructor wants."""
    error = kind.__new__(kind)
    Exception.__init__(error, "x")
    error._request = None  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize("kind", EXCEPTIONS, ids=lambda kind: kind.__name__)
def test_every_exception_of_httpx_has_its_counterpart(kind: type[Exception]) -> None:
    expected = ConnectFailed if kind.__name__ in NEVER_LEFT else None
    counterpart = translate(make(kind))
    assert issubclass(counterpart, ApiError)
    assert (counterpart is ConnectFailed) == (expected is ConnectFailed)


@pytest.mark.parametrize("kind", EXCEPTIONS, ids=lambda kind: kind.__name__)
def test_every_exception_of_httpx_leaves_the_transport_as_an_api_error(kind: type[Exception]) -> None:
    error, _ = fail(make(kind))
    assert isinstance(error, ApiError)
    assert error.__cause__ is not None


def test_there_are_exceptions_to_map() -> None:
    assert len(EXCEPTIONS) >= 25
