"""Both systems wired together, on the simulator."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from email.utils import format_datetime
from random import Random

import httpx
import pytest

from reconciler.errors import DeadlineExceeded, Interrupted
from reconciler.model import Settings, SubscriptionId
from reconciler.providers.base import Accepted, CountSource, CountWrite, NewSubscription, SubscriptionTarget
from reconciler.providers.connect import ConnectedSystems, connect
from reconciler.providers.credentials import read_credentials
from reconciler.simulator.server import HALO_URL
from reconciler.simulator.world import World
from tests.clock import VirtualClock
from tests.providers.wiring import API_KEY, ENVIRON, SECRET, Wiring, licence
from tests.quiet import ignore_events


@pytest.fixture
def world() -> World:
    """A thousand clients, each with a customer of its own."""
    world = World(clock=VirtualClock())
    for number in range(1, 1_001):
        world.add_client(number, f"Client {number}", active=3, inactive=2)
        world.add_customer(number + 5_000, f"Client {number}")
    return world


def test_a_thousand_clients_cost_exactly_the_promised_requests(world: World, systems: ConnectedSystems) -> None:
    """A page of a thousand rows with a count of a thousand may have been cut, so it is asked for its end."""
    systems.source.partner()
    assert len(systems.source.clients()) == 1_000
    assert len(systems.target.customers()) == 1_000
    systems.target.subscriptions()
    assert Counter(f"{request.method} {request.path}" for request in world.requests) == {
        "GET /v1/partner": 1,
        "GET /v1/clients": 20,
        "POST /auth/token": 1,
        "GET /api/Client": 2,
        "GET /api/SoftwareLicence": 1,
    }


def test_what_is_created_is_listed_with_its_marker_and_counted(world: World, systems: ConnectedSystems) -> None:
    source, target = systems.source, systems.target
    (count,) = source.user_counts([source.clients()[6].id])
    new = NewSubscription(key="infima-7", customer_id=5_007, name="Training")
    created = target.send(target.prepare_create(new))
    (listed,) = target.subscriptions()
    write = CountWrite(subscription_id=listed.id, count=count.active)
    assert (listed.marker, listed.count) == ("infima-7", 0)
    assert created in {Accepted(subscription_id=listed.id), Accepted()}
    assert target.send(target.prepare_counts([write])) == Accepted()
    assert target.subscriptions()[0].count == 3


def test_the_ports_are_kept(systems: ConnectedSystems) -> None:
    source: CountSource = systems.source
    target: SubscriptionTarget = systems.target
    assert source.partner()
    assert target.customers()


def test_each_origin_gets_its_own_transport() -> None:
    wiring = Wiring(environ={**ENVIRON, "HALO_AUTH_URL": "https://auth.example.com"})
    wiring.systems.close()
    assert sorted(wiring.origins) == ["https://app.infimasecapis.com", "https://auth.example.com", HALO_URL]


def test_the_instance_is_named_without_its_api_path(wiring: Wiring) -> None:
    assert wiring.systems.halo_url == "https://halo.example.com"


def test_after_closing_nothing_is_sent(wiring: Wiring) -> None:
    wiring.systems.close()
    with pytest.raises(Interrupted):
        wiring.source.partner()
    assert wiring.infima.requests == []


def test_the_run_ends_when_the_settings_say(wiring: Wiring) -> None:
    wiring.clock.sleep(30 * 60)
    with pytest.raises(DeadlineExceeded):
        wiring.source.partner()


def test_a_run_can_hide_what_it_must_not_show(wiring: Wiring) -> None:
    assert wiring.systems.hide(f"{SECRET} {API_KEY}") == "*** ***"


def test_nothing_about_a_connection_shows_a_secret(wiring: Wiring) -> None:
    assert not [secret for secret in (SECRET, API_KEY) if secret in repr(wiring.systems)]


def test_the_real_network_is_the_default() -> None:
    from reconciler.clock import SystemClock  # noqa: PLC0415 - only this test needs it

    systems = connect(
        read_credentials({**ENVIRON, "INFIMA_URL": "http://127.0.0.1:9"}),
        Settings(),
        clock=SystemClock(),
        observer=ignore_events,
        rng=Random(1),  # noqa: S311
    )
    systems.close()
    assert systems.halo_url == "https://halo.example.com"


def clock_ahead(wiring: Wiring, **headers: str) -> timedelta | None:
    """What the systems say of the clock after one answer of HaloPSA with these headers."""
    wiring.halo.answer("/api/SoftwareLicence/5", httpx.Response(200, headers=headers, json=licence(5)))
    wiring.target.subscription(SubscriptionId(5))
    return wiring.systems.clock_ahead()


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_the_difference_of_clocks_is_ours_minus_theirs(wiring: Wiring, seconds: int) -> None:
    theirs = wiring.clock.now().replace(microsecond=0) - timedelta(seconds=seconds)
    ahead = clock_ahead(wiring, date=format_datetime(theirs, usegmt=True))
    assert ahead is not None
    assert round(ahead.total_seconds()) == seconds


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}])
def test_no_date_is_no_difference(wiring: Wiring, headers: dict[str, str]) -> None:
    assert clock_ahead(wiring, **headers) is None


def test_a_date_without_a_zone_is_utc(wiring: Wiring) -> None:
    ahead = clock_ahead(wiring, date=format(wiring.clock.now(), "%a, %d %b %Y %H:%M:%S -0000"))
    assert ahead is not None
    assert round(ahead.total_seconds()) == 0
