"""HTTP/1.1 over a plain socket: sending an answer well, and sending it badly on purpose."""

from __future__ import annotations

import socket
import struct
import time
from contextlib import suppress

import httpx

from tests.faults.kinds import Exchange, FaultKind

MANY_HEADERS = 100_000
REASONS = {200: "OK", 201: "Created", 302: "Found", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden"} | {
    404: "Not Found",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
CHUNK = 1_000_000


def send(connection: socket.socket, exchange: Exchange) -> bool:
    """Send the answer, or misbehave as the exchange says; whether the connection may be used again."""
    response = exchange.response
    if response is None:
        return _send_nothing(connection, exchange)
    match exchange.kind:
        case FaultKind.SLOW_BODY:
            return _send_slowly(connection, response, exchange.seconds)
        case FaultKind.TRUNCATED_BODY:
            connection.sendall(_head(response) + response.content[: len(response.content) // 2])
        case FaultKind.LENGTH_TOO_LONG:
            connection.sendall(_head(response, length=len(response.content) + 100) + response.content)
        case FaultKind.LENGTH_TOO_SHORT:
            connection.sendall(_head(response, length=max(len(response.content) - 5, 0)) + response.content)
        case FaultKind.BAD_CHUNKING:
            connection.sendall(_head(response, chunked=True) + b"zz\r\n" + response.content + b"\r\n0\r\n\r\n")
        case FaultKind.EOF_IN_HEADER:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Ty")
        case FaultKind.MANY_HEADERS:
            extra = b"".join(b"X-Header-%d: x\r\n" % number for number in range(MANY_HEADERS))
            connection.sendall(_head(response)[:-2] + extra + b"\r\n" + response.content)
        case FaultKind.ENDLESS_BODY:
            _send_endlessly(connection, response)
        case _:
            body = exchange.body if exchange.body is not None else response.content
            connection.sendall(_head(response, length=len(body)) + body)
            return True
    return False


def _head(response: httpx.Response, *, length: int | None = None, chunked: bool = False) -> bytes:
    size = len(response.content) if length is None else length
    lines = [f"HTTP/1.1 {response.status_code} {REASONS.get(response.status_code, 'Answer')}"]
    dropped = {"content-length", "transfer-encoding"}
    lines += [f"{name}: {value}" for name, value in response.headers.items() if name.lower() not in dropped]
    lines.append("Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _send_nothing(connection: socket.socket, exchange: Exchange) -> bool:
    match exchange.kind:
        case FaultKind.READ_TIMEOUT:
            # The client decides when it has waited long enough; then its end of the connection is closed.
            connection.settimeout(exchange.seconds)
            with suppress(TimeoutError):
                connection.recv(1)
        case FaultKind.RESET | FaultKind.CONNECT_ERROR:
            # A zero linger makes close send RST in place of FIN.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        case _:
            pass
    return False


def _send_slowly(connection: socket.socket, response: httpx.Response, seconds: float) -> bool:
    """One byte at a time, over that many seconds in all or until the client gives up."""
    connection.sendall(_head(response))
    pause = seconds / max(len(response.content), 1)
    for place in range(len(response.content)):
        connection.sendall(response.content[place : place + 1])
        time.sleep(pause)
    return True


def _send_endlessly(connection: socket.socket, response: httpx.Response) -> None:
    connection.sendall(_head(response, chunked=True))
    while True:
        connection.sendall(b"%x\r\n" % CHUNK + b" " * CHUNK + b"\r\n")
