"""The one proxy that is used: RECONCILER_PROXY. What the environment says of proxies otherwise is told, not followed.

A proxy carries https only, through CONNECT: it sees host names and nothing of what is said. Plain http, which goes to
this machine alone, never takes it.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from reconciler.errors import UsageError

VARIABLE = "RECONCILER_PROXY"
OTHERS = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")

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
    value = environ.get(VARIABLE, "")
    if not value:
        return None
    try:
        return _parsed(value)
    except ValueError as exc:
        why = str(exc) if type(exc) is ValueError and str(exc).startswith(("has", "must")) else "is not a URL"
        raise UsageError(
            f"{VARIABLE} {why}.", hint="Give it as http://proxy.example.com:3128, or http://name:password@host:port."
        ) from None


def _parsed(value: str) -> Proxy:
    if not all("!" <= c <= "~" for c in value):
        raise ValueError("has a space, a control character or a character outside ASCII")
    parts = urlsplit(value)
    port = parts.port
    if parts.scheme not in _PORTS or not _HOST.fullmatch(parts.hostname or ""):
        raise ValueError("must be a URL that starts with http:// or https://")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("must not have a path, a query or a fragment")
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = b"Basic " + b64encode(pair.encode())
    return Proxy(
        scheme=parts.scheme, host=parts.hostname or "", port=port or _PORTS[parts.scheme], authorization=authorization
    )


def proxy_secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What of RECONCILER_PROXY must never be shown: the password, and the header's value."""
    proxy = read_proxy(environ)
    if proxy is None or proxy.authorization is None:
        return ()
    password = unquote(urlsplit(environ[VARIABLE]).password or "")
    return tuple(filter(None, (password, proxy.authorization.removeprefix(b"Basic ").decode())))


def unused_proxy(environ: Mapping[str, str]) -> str:
    """The name of a variable that names a proxy which is not used; empty where there is none, or one is used."""
    if environ.get(VARIABLE):
        return ""
    return next((name for name in OTHERS if environ.get(name)), "")


def proxy_hint(environ: Mapping[str, str]) -> str:
    """What to say of proxies where no connection came about; empty where there is nothing to say."""
    if unused := unused_proxy(environ):
        return f"{unused} is set and is not used: where this machine needs a proxy, set {VARIABLE} to its address."
    return f"{VARIABLE} is used: check that this proxy lets the host through." if environ.get(VARIABLE) else ""
