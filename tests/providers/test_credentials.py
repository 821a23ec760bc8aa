"""Secrets stay secret, and only addresses that are beyond doubt are accepted."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from reconciler.errors import UsageError
from reconciler.providers.credentials import Secret, read_credentials
from tests.providers.wiring import ENVIRON, SECRET


def test_a_secret_never_shows_itself() -> None:
    secret = Secret("hunter2-canary")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", "%s" % secret, repr([secret])]  # noqa: UP031
    shown += [
        repr(pickle.dumps(secret)),
        repr(copy.deepcopy(secret)),
        repr(pickle.loads(pickle.dumps(secret)).reveal()),  # noqa: S301 - our own bytes
    ]
    assert not [text for text in shown if "hunter2" in text]


def test_a_secret_can_be_revealed() -> None:
    assert Secret("hunter2").reveal() == "hunter2"


def test_credentials_do_not_show_their_secrets() -> None:
    assert SECRET not in repr(read_credentials(ENVIRON))


def test_defaults_are_halos_own_token_endpoint_and_infimas_public_address() -> None:
    credentials = read_credentials(ENVIRON)
    assert str(credentials.halo.auth_url) == "https://halo.example.com/auth/token"
    assert str(credentials.infima.url) == "https://app.infimasecapis.com"
    assert credentials.halo.tenant is None


def test_everything_that_is_missing_is_said_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        read_credentials({})
    for name in ("HALO_URL", "HALO_CLIENT_ID", "HALO_CLIENT_SECRET", "INFIMA_API_KEY"):
        assert f"{name} " in caught.value.message
    assert caught.value.exit_code == 64


def test_an_empty_variable_counts_as_missing() -> None:
    with pytest.raises(UsageError, match=r"INFIMA_API_KEY .* is not set"):
        read_credentials({**ENVIRON, "INFIMA_API_KEY": ""})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://halo.example.com/", "https://halo.example.com"),
        ("https://halo.example.com/api", "https://halo.example.com"),
        ("https://halo.example.com/api/", "https://halo.example.com"),
        ("HTTPS://Halo.Example.com:443", "https://halo.example.com"),
        ("https://psa.acme.example:8443", "https://psa.acme.example:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:81/api", "http://[::1]:81"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_addresses_are_normalised(written: str, meant: str) -> None:
    assert str(read_credentials({**ENVIRON, "HALO_URL": written}).halo.url) == meant


BAD_URLS = [
    "halo.example.com",
    "http://halo.example.com",
    "http://127.0.0.1.evil.example",
    "http://localhost.evil.example",
    "ftp://halo.example.com",
    "https://",
    "https:///api",
    "https:halo.example.com",
    "https://user@halo.example.com",
    "https://user:password@halo.example.com",
    "https://halo.example.com@evil.example",
    "https://halo.example.com?x=1",
    "https://halo.example.com/#x",
    "https://halo.example.com/other",
    "https://halo.example.com/api/../x",
    "https://halo.example.com.",
    "https://halo..example.com",
    "https://-halo.example.com",
    "https://halo_x.example.com",
    "https://10.0.0.1",
    "https://127.1",
    "https://2130706433",
    "https://0x7f000001",
    "https://[fe80::1]",
    "https://[::1",
    "https://häl.example",
    "https://\uff48alo.example",
    "https://halo.example.com\n",
    "https://halo.example.com\x00",
    " https://halo.example.com",
    "https://halo.example.com\\@evil.example",
    "https://halo.example.com:0",
    "https://halo.example.com:99999",
    "https://halo.example.com:",
    "https://halo.example.com:x",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_doubtful_addresses_are_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(UsageError, match="HALO_URL") as caught:
        read_credentials({**ENVIRON, "HALO_URL": url})
    assert "password" not in caught.value.message


def test_infima_has_no_port_of_its_own() -> None:
    with pytest.raises(UsageError, match="INFIMA_URL must not have a port"):
        read_credentials({**ENVIRON, "INFIMA_URL": "https://infima.example.com:8443"})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://auth.example.com", "https://auth.example.com/auth/token"),
        ("https://auth.example.com/auth/", "https://auth.example.com/auth/token"),
        ("https://auth.example.com/halo/auth/token", "https://auth.example.com/halo/auth/token"),
    ],
)
def test_the_token_endpoint_is_completed(written: str, meant: str) -> None:
    assert str(read_credentials({**ENVIRON, "HALO_AUTH_URL": written}).halo.auth_url) == meant


def from_file(path: Path) -> str:
    environ = {k: v for k, v in ENVIRON.items() if k != "HALO_CLIENT_SECRET"}
    return read_credentials({**environ, "HALO_CLIENT_SECRET_FILE": str(path)}).halo.client_secret.reveal()


@pytest.mark.parametrize("content", [b"from-a-file", b"from-a-file\n", b"from-a-file\r\n"])
def test_a_secret_can_be_in_a_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    assert from_file(tmp_path / "secret") == "from-a-file"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"two\nlines\n", "line breaks"),
        (b"x" * 20_000, "too big"),
        ("gehëim".encode(), "outside ASCII"),
        (b" spaces ", "spaces around"),
        (b"nul\x00", "printable"),
    ],
)
def test_a_file_that_holds_no_single_secret_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(UsageError, match=problem):
        from_file(tmp_path / "secret")


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="HALO_CLIENT_SECRET_FILE: the file cannot be read"):
        from_file(tmp_path / "absent")


def test_a_directory_is_no_secret(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a regular file"):
        from_file(tmp_path)


def test_variable_and_file_together_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="both set"):
        read_credentials({**ENVIRON, "INFIMA_API_KEY_FILE": str(tmp_path / "key")})


def test_a_variable_with_a_trailing_newline_is_tolerated() -> None:
    assert read_credentials({**ENVIRON, "INFIMA_API_KEY": "key-1\n"}).infima.api_key.reveal() == "key-1"


def test_a_tenant_cannot_carry_more_than_a_name() -> None:
    with pytest.raises(UsageError, match="HALO_TENANT"):
        read_credentials({**ENVIRON, "HALO_TENANT": "acme&scope=all"})
