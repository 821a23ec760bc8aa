"""What a connection stands on: sockets that end at the request's deadline, the certificates, the proxy.

A timeout per read does not stop a server that sends one byte every few seconds. Here the network stream itself knows
when the whole request must be over, so that no slow answer wins (FAULTS I6). Only public interfaces of httpcore are
used: a `NetworkBackend` and the streams that it hands out.

The one proxy that is used is RECONCILER_PROXY; other variables that name a proxy are reported and not used. It carries
https only, through CONNECT, so that it sees host names and no content. Plain http, which goes to this machine alone,
never takes it.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import sys
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpcore

from reconciler.errors import Interrupted, UsageError

CONNECT_SECONDS = 15.0
_SLICE_SECONDS = 0.5
_WRITE_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDeadline:
    """What one request may spend: its deadline on the machine's monotonic clock, and who may stop it early."""

    deadline: float
    clock: Callable[[], float]
    stopped: Callable[[], bool]

    def seconds(self) -> float:
        """Seconds that are left; 0 or less when the request's time is over. Raises `Interrupted` when stopped."""
        if self.stopped():
            raise Interrupted("The run was stopped.")
        return self.deadline - self.clock()


REQUEST_DEADLINE: ContextVar[RequestDeadline] = ContextVar("REQUEST_DEADLINE")
"""The allowance of the request that this thread is sending. Connections are shared by threads, requests are not."""


def _seconds_left(over: type[httpcore.TimeoutException]) -> float:
    """Seconds that the current request still has. Raises `over` when there are none, `Interrupted` when stopped."""
    left = REQUEST_DEADLINE.get().seconds()
    if left <= 0:
        raise over("the request's time is over")
    return left


class DeadlineStream(httpcore.NetworkStream):
    """A stream whose reads and writes last no longer than the current request's allowance."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the allowance is stricter
        while True:
            left = _seconds_left(httpcore.ReadTimeout)
            try:
                return self._inner.read(max_bytes, timeout=min(left, _SLICE_SECONDS))
            except httpcore.ReadTimeout:
                continue  # a slice is over, not yet the request: look whether the run was stopped

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - the allowance is stricter
        for start in range(0, len(buffer), _WRITE_BYTES):
            left = _seconds_left(httpcore.WriteTimeout)
            self._inner.write(buffer[start : start + _WRITE_BYTES], timeout=left)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _seconds_left(httpcore.ConnectTimeout)
        return DeadlineStream(self._inner.start_tls(ssl_context, server_hostname, min(left, timeout or left)))

    def close(self) -> None:
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class DeadlineBackend(httpcore.NetworkBackend):
    """Opens connections within the current request's allowance, address after address.

    Each address gets a fair share of the time, so that dead ones leave enough for a good one; an address that was dead
    is tried last from then on.
    """

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()
        self._dead: set[str] = set()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        allowance = REQUEST_DEADLINE.get()
        end = allowance.clock() + min(allowance.seconds(), timeout or CONNECT_SECONDS)
        addresses = sorted(_addresses(host, port), key=lambda address: address in self._dead)
        failures: list[str] = []
        for number, address in enumerate(addresses):
            left = min(allowance.seconds(), end - allowance.clock())
            if left <= 0:
                raise httpcore.ConnectTimeout("the request's time is over")
            try:
                share = left / (len(addresses) - number)
                stream = self._inner.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                self._dead.add(address)
                failures.append(f"{address}: {exc}")
            else:
                self._dead.discard(address)
                return DeadlineStream(stream)
        why = "; ".join(failures) or "it has no address"
        raise httpcore.ConnectError(f"{host} port {port} does not answer ({why})")


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise httpcore.ConnectError(f"the name {host} cannot be resolved") from exc
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


# ---- the certificates ------------------------------------------------------------------------------------------------


def tls_context() -> ssl.SSLContext:
    """Verify against the machine's own trust store, TLS 1.2 or newer; nothing switches verification off.

    Where OpenSSL has a bundle of its own, as on Linux, it is read once and shared: truststore would read it again for
    each connection (tens of milliseconds), and holds its context's lock during the handshake, so that connections
    would wait for each other beyond any deadline when a server stalls. Elsewhere (macOS, Windows, unusual builds)
    truststore knows where the certificates are; there each connection has a context of its own.
    """
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    paths = ssl.get_default_verify_paths()
    if file or folder:
        return _named_context(file, folder, paths.cafile)
    if sys.platform not in {"win32", "darwin"} and paths.cafile:
        return _openssl_context(paths.cafile, paths.capath)
    import truststore  # noqa: PLC0415 - most machines never need it

    return _hardened(truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def _named_context(file: str | None, folder: str | None, machines: str | None) -> ssl.SSLContext:
    """The certificates that SSL_CERT_FILE and SSL_CERT_DIR name; a folder alone comes on top of the machine's own."""
    if folder:
        _check_folder(folder)
    try:
        return _openssl_context(file or machines, folder)
    except OSError as exc:  # ssl.SSLError is one
        why = "holds no certificate" if isinstance(exc, ssl.SSLError) else f"cannot be read ({exc.strerror})"
        raise UsageError(
            f"SSL_CERT_FILE names {file or machines}, which {why}.",
            hint="Name a file of PEM certificates (-----BEGIN CERTIFICATE-----), or unset the variable.",
        ) from None


_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")


def _check_folder(folder: str) -> None:
    try:
        names = [each.name for each in Path(folder).iterdir()]
    except OSError as exc:
        raise UsageError(
            f"SSL_CERT_DIR names {folder}, which cannot be read ({exc.strerror}).",
            hint="Name a folder of certificates, or unset the variable.",
        ) from None
    if not any(map(_HASHED.fullmatch, names)):
        raise UsageError(
            f"SSL_CERT_DIR names {folder}, which holds no certificate under its hash.",
            hint="Run `openssl rehash` on that folder, or name a file with SSL_CERT_FILE.",
        )


@lru_cache(maxsize=4)
def _openssl_context(cafile: str | None, capath: str | None) -> ssl.SSLContext:
    context = _hardened(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    context.load_verify_locations(cafile=cafile, capath=capath)
    return context


def _hardened(context: ssl.SSLContext) -> ssl.SSLContext:
    """PROTOCOL_TLS_CLIENT has already switched on the checks of certificate and host name."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


# ---- the proxy -------------------------------------------------------------------------------------------------------

PROXY_VARIABLE = "RECONCILER_PROXY"
OTHER_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")

_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_PORTS = {"http": 3128, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """Where the proxy listens. `authorization` is the value of its header, None without a user name."""

    scheme: str
    host: str
    port: int
    authorization: bytes | None = field(default=None, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def read_proxy(environ: Mapping[str, str]) -> Proxy | None:
    """The proxy that RECONCILER_PROXY names; None where it is not set. Raises `UsageError` that repeats no value."""
    value = environ.get(PROXY_VARIABLE, "")
    if not value:
        return None
    if not all("!" <= c <= "~" for c in value):
        raise _unusable("has a space, a control character or a character outside ASCII")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise _unusable("is not a URL") from None
    host = parts.hostname or ""
    if parts.scheme not in _PORTS or not _HOST.fullmatch(host):
        raise _unusable("must be a URL that starts with http:// or https://")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise _unusable("must not have a path, a query or a fragment")
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = b"Basic " + b64encode(pair.encode())
    return Proxy(scheme=parts.scheme, host=host, port=port or _PORTS[parts.scheme], authorization=authorization)


def _unusable(why: str) -> UsageError:
    hint = "Give it as http://proxy.example.com:3128, or http://name:password@host:port."
    return UsageError(f"{PROXY_VARIABLE} {why}.", hint=hint)


def proxy_secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What of RECONCILER_PROXY must never be shown: the password, and the header's value."""
    proxy = read_proxy(environ)
    if proxy is None or proxy.authorization is None:
        return ()
    password = unquote(urlsplit(environ[PROXY_VARIABLE]).password or "")
    return tuple(filter(None, (password, proxy.authorization.removeprefix(b"Basic ").decode())))


def unused_proxy(environ: Mapping[str, str]) -> str:
    """The name of a variable that names a proxy which is not used; empty where there is none, or one is used."""
    if environ.get(PROXY_VARIABLE):
        return ""
    return next((name for name in OTHER_PROXY_VARIABLES if environ.get(name)), "")


def proxy_hint(environ: Mapping[str, str]) -> str:
    """What to say of proxies where no connection came about; empty where there is nothing to say."""
    if environ.get(PROXY_VARIABLE):
        return f"{PROXY_VARIABLE} is used: check that this proxy lets the host through."
    if unused := unused_proxy(environ):
        return (
            f"{unused} is set and is not used: where this machine needs a proxy, set {PROXY_VARIABLE} to its address."
        )
    return ""
