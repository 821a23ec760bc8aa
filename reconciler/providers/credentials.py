"""Addresses and secrets of the two systems, from the environment only.

Secret and host travel together: both come from the same protected environment, and nothing in mappings.yaml can name
another host (FAULTS 5).
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.errors import UsageError

INFIMA_DEFAULT_URL = "https://app.infimasecapis.com"
MAX_SECRET_BYTES = 16 * 1024

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER_LIKE = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")

_WHERE = {
    "HALO_URL": "the address of your HaloPSA, such as https://acme.halopsa.com",
    "HALO_CLIENT_ID": "the Client ID of the API application: HaloPSA > Configuration > Integrations > Halo PSA API",
    "HALO_CLIENT_SECRET": "the Client Secret, shown once when that application is made",
    "INFIMA_API_KEY": "a partner-level key: INFIMA > Settings > Integrations > API Keys",
}
"""The variables that have to be set, and where their values are found."""


class Secret:
    """A string that never shows itself by accident: repr, str, format and pickle give `***`."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The secret itself, for the one header or body that carries it."""
        return self.__value

    def __repr__(self) -> str:
        return "***"

    def __format__(self, _spec: str) -> str:
        return "***"

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return (Secret, ("***",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a system lives: origin ("https://host[:port]") and path, checked and normalised."""

    origin: str
    path: str = ""

    def __str__(self) -> str:
        return self.origin + self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class HaloCredentials:
    """`url` is the instance without /api, `auth_url` the whole token endpoint."""

    url: Address
    auth_url: Address
    client_id: Secret
    client_secret: Secret
    tenant: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InfimaCredentials:
    """`url` is the host of the reporting API."""

    url: Address
    api_key: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What one run needs to speak to both systems."""

    halo: HaloCredentials
    infima: InfimaCredentials


def read_credentials(environ: Mapping[str, str]) -> Credentials:
    """Read addresses and secrets from environment variables; each secret may also be in a file named by `…_FILE`.

    Raises `UsageError` that lists everything that is missing or wrong, and never repeats a value.
    """
    reader = _VariableReader(environ)
    halo_url = reader.address("HALO_URL", strip="/api", port=True)
    auth_url = reader.address("HALO_AUTH_URL", paths=True, port=True)
    infima_url = reader.address("INFIMA_URL")
    client_id = reader.secret("HALO_CLIENT_ID")
    client_secret = reader.secret("HALO_CLIENT_SECRET")
    api_key = reader.secret("INFIMA_API_KEY")
    tenant = reader.tenant()
    if reader.problems or halo_url is None or client_id is None or client_secret is None or api_key is None:
        problems = "\n".join(f"  {problem}" for problem in reader.problems)
        raise UsageError(
            f"The environment does not say how to reach both systems:\n{problems}",
            hint="Set these variables in the shell or in the CI environment; `reconciler doctor` checks them.",
        )
    return Credentials(
        halo=HaloCredentials(
            url=halo_url,
            auth_url=auth_url or Address(origin=halo_url.origin, path="/auth/token"),
            client_id=client_id,
            client_secret=client_secret,
            tenant=tenant,
        ),
        infima=InfimaCredentials(url=infima_url or Address(origin=INFIMA_DEFAULT_URL), api_key=api_key),
    )


def secret_text(environ: Mapping[str, str], name: str) -> str:
    """What NAME says, or the file that NAME_FILE names; empty where neither is set. It may have several lines.

    Raises `UsageError` that never repeats a value.
    """
    value, file = environ.get(name, ""), environ.get(f"{name}_FILE", "")
    if value and file:
        raise UsageError(f"{name} and {name}_FILE are both set.", hint="Keep one of them.")
    try:
        return _content(file) if file else value
    except ValueError as exc:
        raise UsageError(f"{name}_FILE: the file {exc}.", hint="Name a file that this user can read.") from None


class _VariableReader:
    """Reads variables and collects every problem."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def secret(self, name: str) -> Secret | None:
        """A secret from NAME or from the file that NAME_FILE names."""
        value, file = self._environ.get(name, ""), self._environ.get(f"{name}_FILE", "")
        if value and file:
            self.problems.append(f"{name} and {name}_FILE are both set: keep one of them.")
            return None
        if not value and not file:
            self.problems.append(f"{name} (or {name}_FILE) is not set: {_WHERE[name]}.")
            return None
        try:
            return Secret(_checked(_content(file) if file else value.removesuffix("\n").removesuffix("\r")))
        except ValueError as exc:
            self.problems.append(f"{name}_FILE: the file {exc}." if file else f"{name} {exc}.")
            return None

    def address(self, name: str, *, strip: str = "", paths: bool = False, port: bool = False) -> Address | None:
        """A URL from a variable; None where it is not set or not good. `strip` is a path that is dropped."""
        value = self._environ.get(name, "")
        if not value:
            if name in _WHERE:
                self.problems.append(f"{name} is not set: {_WHERE[name]}.")
            return None
        try:
            address = parse_address(value, port=port)
        except ValueError as exc:
            self.problems.append(f"{name} {exc}.")
            return None
        if paths:
            return Address(origin=address.origin, path=_token_path(address.path))
        if address.path.lower() not in {"", strip}:
            self.problems.append(f"{name} must not have a path: give the host only.")
            return None
        return Address(origin=address.origin)

    def tenant(self) -> str | None:
        """HALO_TENANT, which goes into the token request's query."""
        value = self._environ.get("HALO_TENANT", "")
        if value and not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", value):
            self.problems.append("HALO_TENANT holds characters that no tenant name has.")
            return None
        return value or None


def parse_address(url: str, *, port: bool = False) -> Address:
    """Check and normalise a URL: https, or plain http to loopback only.

    User names, queries, fragments, white space, control and non-ASCII characters, IP addresses that are not loopback,
    and trailing dots are refused. With `port` a port of one's own is permitted (an on-premise HaloPSA); loopback may
    always have one. Raises `ValueError` with a sentence fragment that does not repeat the URL.
    """
    if not all("!" <= c <= "~" for c in url) or "\\" in url:
        raise ValueError("holds a space, a control character or a character outside ASCII")
    if "?" in url or "#" in url or "@" in url:
        raise ValueError("must not have a user name, a query or a fragment")
    try:
        parts = urlsplit(url)
        number = parts.port
    except ValueError:
        raise ValueError("is not a URL") from None
    host = parts.hostname or ""
    if parts.scheme not in {"https", "http"} or not host:
        raise ValueError("must be a URL that starts with https://")
    loopback = host in _LOOPBACK
    if parts.scheme == "http" and not loopback:
        raise ValueError("must start with https://: plain http would show the secret to everyone on the way")
    if not loopback:
        _check_host(host)
    standard = {"https": 443, "http": 80}[parts.scheme]
    if number in {0, None, standard}:
        if number == 0 or parts.netloc.endswith(":"):
            raise ValueError("has no valid port")
        number = None
    if number is not None and not (loopback or port):
        raise ValueError("must not have a port")
    shown = f"[{host}]" if ":" in host else host
    path = parts.path.rstrip("/")
    if path and (not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/"))):
        raise ValueError("has a path that is not plain")
    return Address(origin=f"{parts.scheme}://{shown}" + (f":{number}" if number is not None else ""), path=path)


def _check_host(host: str) -> None:
    if host.endswith("."):
        raise ValueError("must not have a host that ends with a dot")
    labels = host.split(".")
    if ":" in host or _NUMBER_LIKE.fullmatch(labels[-1]):
        raise ValueError("must name a host, not an IP address: a certificate vouches for a name")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):  # noqa: PLR2004 - DNS's own limit
        raise ValueError("has a host name that is not valid")


def _token_path(path: str) -> str:
    """The token endpoint's path; the address of the authorisation server is completed (halopsa.md 2.1)."""
    return {"": "/auth/token", "/auth": "/auth/token"}.get(path.lower(), path)


def _content(file: str) -> str:
    """The text of a secret's file without its last line break."""
    path = Path(file)
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
        content = b""
        if regular:
            with path.open("rb") as opened:
                content = opened.read(MAX_SECRET_BYTES + 1)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "its name is not valid"
        raise ValueError(f"cannot be read ({reason})") from None
    if not regular:
        raise ValueError("is not a regular file")
    if len(content) > MAX_SECRET_BYTES:
        raise ValueError("is too big to hold one secret")
    try:
        return content.decode("ascii").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError("holds characters outside ASCII") from None


def _checked(secret: str) -> str:
    if not secret.strip():
        raise ValueError("is empty")
    if "\n" in secret or "\r" in secret:
        raise ValueError("holds line breaks: a secret is one line")
    if not all(" " <= c <= "~" for c in secret) or secret != secret.strip():
        raise ValueError("holds spaces around the secret, or characters outside printable ASCII")
    return secret
