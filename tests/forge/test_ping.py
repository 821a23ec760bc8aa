"""The dead man's switch is called once for a good night, and its address stays a secret."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import respx

from reconciler.errors import ApiError, UsageError
from reconciler.forge.notify import ping

URL = "https://switch.example.com/0f3c-secret-path"


@pytest.fixture
def switch(tools: dict[str, Any]) -> respx.Route:
    """A monitoring service that answers 200, in the place of the network; any other address is an error."""
    router = respx.MockRouter(assert_all_called=False)
    tools["factory"] = lambda _origin: httpx.MockTransport(router.handler)
    return router.get(URL).respond(200, text="OK")


def test_the_switch_is_called_once(switch: respx.Route, tools: dict[str, Any]) -> None:
    ping(URL, **tools)
    assert switch.call_count == 1


def test_it_is_called_again_when_it_stumbles(switch: respx.Route, tools: dict[str, Any]) -> None:
    switch.side_effect = [httpx.Response(500), httpx.ReadError("cut off"), httpx.Response(429), httpx.Response(200)]
    ping(URL, **tools)
    assert switch.call_count == 4


@pytest.mark.parametrize(("status", "calls"), [(503, 5), (404, 1)])
def test_a_dead_switch_is_an_error_that_keeps_the_address(
    switch: respx.Route, tools: dict[str, Any], status: int, calls: int
) -> None:
    switch.respond(status)
    with pytest.raises(ApiError) as error:
        ping(URL, **tools)
    assert "0f3c" not in f"{error.value} {error.value.hint} {error.value.request}"
    assert switch.call_count == calls


@pytest.mark.parametrize("url", ["http://switch.example.com/x", "ftp://x", "https://user@switch.example.com/x", "x"])
def test_an_address_that_would_show_the_secret_is_refused(url: str, tools: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="DEAD_MANS_SWITCH_URL") as error:
        ping(url, **tools)
    assert url not in str(error.value) or url == "x"
