"""Rights: a scope that is missing is named; reading Subscriptions is asked for where edit does not imply it (H31)."""

from __future__ import annotations

import itertools
from dataclasses import replace
from urllib.parse import parse_qs

import pytest

from reconciler.errors import Forbidden, NotAuthorised, Rejected
from reconciler.providers.connect import ConnectedSystems
from reconciler.providers.halo_token import READ_LICENCES, SCOPES
from reconciler.simulator.records import Endpoint
from reconciler.simulator.switches import Switches
from reconciler.simulator.world import World
from tests.clock import VirtualClock
from tests.providers.wiring import Wiring

ALL = (*SCOPES, READ_LICENCES)


@pytest.fixture
def world() -> World:
    world = World(clock=VirtualClock())
    world.add_customer(11, "Acme Dental")
    world.add_licence(11, "Training", 5)
    return world


def asked(world: World) -> list[list[str]]:
    """The scopes of each token request."""
    return [parse_qs(r.body)["scope"][0].split() for r in world.requests if r.endpoint is Endpoint.TOKEN]


@pytest.mark.parametrize("status", [401, 403])
def test_where_edit_does_not_imply_read_it_is_asked_for_once(
    world: World, systems: ConnectedSystems, status: int
) -> None:
    world.switches = Switches(edit_implies_read=False, missing_scope_status=status, application_scopes=ALL)  # type: ignore[arg-type]
    assert len(systems.target.subscriptions()) == 1
    assert len(systems.target.subscriptions()) == 1
    assert asked(world)[-1] == list(ALL)
    assert sum(READ_LICENCES in scopes for scopes in asked(world)) == 1


def test_where_edit_implies_read_nothing_more_is_asked_for(world: World, systems: ConnectedSystems) -> None:
    world.switches = Switches(application_scopes=ALL)
    systems.target.subscriptions()
    assert asked(world) == [list(SCOPES)]


@pytest.mark.parametrize(("status", "kind"), [(401, NotAuthorised), (403, Forbidden)])
def test_where_it_is_not_ticked_the_hint_names_it(
    world: World, systems: ConnectedSystems, status: int, kind: type[Exception]
) -> None:
    world.switches = Switches(edit_implies_read=False, missing_scope_status=status)  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(kind) as error:
            systems.target.subscriptions()
        assert "read:softwarelicensing" in error.value.hint  # type: ignore[attr-defined]
        assert "Application Identity" in error.value.hint  # type: ignore[attr-defined]
    assert sum(READ_LICENCES in scopes for scopes in asked(world)) == 1, "a refusal is not asked for again"


def test_a_role_that_lacks_the_right_is_named_and_asked_once(world: World, systems: ConnectedSystems) -> None:
    world.switches = Switches(agent_lacks=(READ_LICENCES,), application_scopes=ALL)
    with pytest.raises(Forbidden) as error:
        systems.target.subscriptions()
    assert "Agent's role" in error.value.hint


REFUSED = [few for number in (1, 2, 3) for few in itertools.combinations(SCOPES, number)]


@pytest.mark.parametrize("refused", REFUSED, ids="+".join)
def test_the_scope_that_was_refused_is_named_and_no_other(
    world: World, systems: ConnectedSystems, refused: tuple[str, ...]
) -> None:
    world.switches = Switches(application_scopes=tuple(scope for scope in SCOPES if scope not in refused))
    with pytest.raises(Rejected) as error:
        systems.target.customers()
    for scope in SCOPES:
        assert (f" {scope}" in error.value.hint) is (scope in refused)
    assert "The client id and the secret are good." in error.value.hint
    assert "Check HALO_CLIENT_ID" not in error.value.hint


def test_a_second_token_that_cannot_be_had_leaves_the_first_refusal_standing(
    world: World, systems: ConnectedSystems
) -> None:
    """The wider request dies with the application: what is told is the listing's refusal, with its hint."""
    world.switches = Switches(edit_implies_read=False, missing_scope_status=403, application_scopes=ALL)
    systems.target.customers()
    world.credentials = replace(world.credentials, halo_client_secret="rotated meanwhile")
    with pytest.raises(Forbidden) as error:
        systems.target.subscriptions()
    assert "read:softwarelicensing" in error.value.hint


def test_a_proxys_password_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_PROXY", "http://alice:open-sesame-7@127.0.0.1:9")
    assert "open-sesame-7" not in Wiring().systems.hide("it said open-sesame-7")
