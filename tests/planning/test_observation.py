"""Which reads a plan needs, and what becomes of them when one fails or somebody stops."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from reconciler.errors import ServerFailed
from reconciler.model import (
    ClientRef,
    CountRule,
    IgnoredClient,
    InfimaClient,
    InfimaClientId,
    QuantityRule,
    Subscription,
    UserCount,
)
from reconciler.planning.observation import count_more, every_client_to_bill, observe
from reconciler.state.recorded import Recorded
from tests.builders import build_context, build_mapping, build_mappings, build_subscription
from tests.core import build_client, build_count, build_customer

RECORD = QuantityRule(count=CountRule.CLIENT_RECORD)
WALKED, BY_RECORD = build_mapping(101), build_mapping(102, rule=RECORD)
RETIRED, FIXED = build_mapping(103, retired=True), build_mapping(104, rule=QuantityRule(fixed=3))


@pytest.mark.parametrize(
    ("mappings", "walked"),
    [
        ([], False),
        ([WALKED], True),
        ([BY_RECORD], False),
        ([RETIRED], False),
        ([FIXED], False),
        ([BY_RECORD, RETIRED, FIXED], False),
        ([BY_RECORD, WALKED, RETIRED], True),
    ],
)
def test_users_are_walked_when_one_mapping_needs_it(mappings: list[Any], *, walked: bool) -> None:
    assert any(mapping.walks_users for mapping in mappings) is walked


class Systems:
    """Both systems in a few lines; `partner` may be made to wait or to fail."""

    def __init__(self) -> None:
        self.answer = threading.Event()
        self.answer.set()
        self.failure: Exception | None = None

    def partner(self) -> str:
        assert self.answer.wait(30)
        if self.failure is not None:
            raise self.failure
        return "Acme MSP"

    def clients(self) -> tuple[InfimaClient, ...]:
        return (build_client(),)

    def user_counts(self, client_ids: Sequence[InfimaClientId]) -> tuple[UserCount, ...]:
        return tuple(build_count(number) for number in client_ids)

    def customers(self) -> tuple[Any, ...]:
        return (build_customer(),)

    def subscriptions(self) -> tuple[Subscription, ...]:
        return (build_subscription(),)

    def subscription(self, number: int) -> Subscription:
        return build_subscription(number)


def watch(systems: Systems) -> Any:
    return observe(build_context(systems, systems, mappings=build_mappings(build_mapping())), Recorded())


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("observe")]


def test_a_read_that_fails_leaves_no_thread_behind() -> None:
    systems = Systems()
    systems.failure = ServerFailed("INFIMA answered 500")
    with pytest.raises(ServerFailed) as caught:  # which keeps the frames, and with them the pool
        watch(systems)
    for thread in readers():
        thread.join(2)
    assert (caught.value.message, readers()) == ("INFIMA answered 500", [])


def test_whoever_interrupts_a_read_does_not_wait_for_it() -> None:
    systems = Systems()
    systems.answer.clear()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background process may ignore it
    stop = threading.Timer(0.1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
    fuse = threading.Timer(20, systems.answer.set)
    stop.start()
    fuse.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            watch(systems)
        assert not systems.answer.is_set()
    finally:
        stop.join()
        signal.signal(signal.SIGINT, before)
        fuse.cancel()
        systems.answer.set()
        for thread in readers():
            if thread.ident is not None:  # one that was never started has nothing to wait for
                thread.join(2)


def test_who_might_be_billed_is_everybody_but_the_ignored() -> None:
    ignored = IgnoredClient(client=ClientRef(id=InfimaClientId(102), name="Staff"), reason="ours", place=WALKED.place)
    mappings = replace(build_mappings(WALKED), ignored=(ignored,))
    listed = [build_client(number) for number in (103, 101, 102)]
    assert every_client_to_bill(mappings, listed) == (101, 103)


def test_only_clients_that_were_not_counted_yet_are_counted_besides() -> None:
    systems = Systems()
    seen = watch(systems)
    assert [one.client_id for one in seen.user_counts] == [101]
    context = build_context(systems, systems, mappings=build_mappings(build_mapping()))
    assert count_more(context, seen, [InfimaClientId(101)]) is seen
    more = count_more(context, seen, map(InfimaClientId, (103, 101, 99)))
    assert [one.client_id for one in more.user_counts] == [99, 101, 103]
