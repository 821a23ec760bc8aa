"""`diff`: actions, reasons, numbers; what nobody claims; the same input gives the same plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from reconciler.model import (
    ClientRef,
    CountRule,
    CustomerRef,
    IgnoredClient,
    InfimaClientId,
    MappingKey,
    Place,
    QuantityRule,
    RunId,
    Subscription,
    SubscriptionId,
)
from reconciler.planning.changes import Action, ActionReason, Change, CountedClient, Plan, SubscriptionState
from reconciler.planning.rules import Rule
from reconciler.state.recorded import Attached, BindingOrigin, InvoiceLook, OpenRun
from tests.builders import NOW, TEMPLATE, TENANT, build_mapping, build_mappings, build_observation, build_subscription
from tests.core import (
    KEY,
    SETTLE,
    build_attempt,
    build_binding,
    build_client,
    build_count,
    build_customer,
    build_recorded,
    change_for,
    observe_fitting,
    plan_for,
    plan_of,
    unreadable,
)

MARKED = build_subscription(9001, marker=KEY, count=12)
KNOWN = build_recorded(build_binding(9001))
BY_RECORD = QuantityRule(count=CountRule.CLIENT_RECORD)


def rules_of(change: Change) -> list[Rule]:
    return [doubt.rule for doubt in change.doubts]


# --- actions and reasons ---------------------------------------------------------------------------------------------


def test_update() -> None:
    change = change_for(build_mapping(), 15, MARKED)
    assert (change.action, change.reason) == (Action.UPDATE, ActionReason.COUNT_CHANGED)
    side = SubscriptionState(id=MARKED.id, count=12, customer_id=MARKED.customer_id, name=TEMPLATE)
    assert (change.before, change.after) == (side, replace(side, count=15))
    assert (change.origin, change.doubts, change.hold) == (BindingOrigin.MARKER, (), None)


def test_in_step() -> None:
    change = change_for(build_mapping(), 12, MARKED)
    assert (change.action, change.reason, change.after) == (Action.NO_OP, ActionReason.IN_STEP, change.before)


def test_create() -> None:
    change = change_for(build_mapping(subscription_name="Training"), 15)
    assert (change.action, change.reason, change.before) == (Action.CREATE, ActionReason.NEW_MAPPING, None)
    assert change.after == SubscriptionState(
        id=None, count=15, customer_id=build_mapping().halo_customer.id, name="Training"
    )


def test_retired_goes_to_nobody() -> None:
    change = change_for(build_mapping(retired=True), 15, MARKED)
    assert (change.action, change.reason, change.after.count) == (Action.UPDATE, ActionReason.RETIRED, 0)


def test_retired_stays_at_nobody() -> None:
    change = change_for(build_mapping(retired=True), 15, replace(MARKED, count=0))
    assert (change.action, change.reason) == (Action.NO_OP, ActionReason.IN_STEP)


def test_retired_without_a_subscription_creates_none() -> None:
    change = change_for(build_mapping(retired=True), 15)
    assert (change.action, change.reason) == (Action.NO_OP, ActionReason.NOTHING_TO_RETIRE)
    assert (change.after.id, change.after.count) == (None, None)


def test_retired_and_doubtful_says_that_it_is_doubtful() -> None:
    change = change_for(build_mapping(retired=True), 15, MARKED, build_subscription(9002, marker=KEY))
    assert (change.action, change.reason) == (Action.NO_OP, ActionReason.UNKNOWN_SUBSCRIPTION)
    assert rules_of(change) == [Rule.DUPLICATE_MARKER]


def test_fixed() -> None:
    change = change_for(build_mapping(rule=QuantityRule(fixed=40)), 15, MARKED)
    assert (change.action, change.reason, change.after.count) == (Action.UPDATE, ActionReason.FIXED, 40)


def test_retired_wins_over_fixed() -> None:
    change = change_for(build_mapping(retired=True, rule=QuantityRule(fixed=40)), 15, MARKED)
    assert (change.reason, change.after.count) == (ActionReason.RETIRED, 0)


@pytest.mark.parametrize(
    "recorded", [build_recorded(build_binding(awaiting=True)), build_recorded(attempts=[build_attempt()])]
)
def test_first_count_after_a_create(recorded: object) -> None:
    change = change_for(build_mapping(), 15, replace(MARKED, count=0), recorded=recorded)
    assert (change.reason, change.awaiting_first_count) == (ActionReason.FIRST_COUNT, True)


def test_a_create_awaits_no_first_count_yet() -> None:
    recorded = build_recorded(attempts=[build_attempt(age=SETTLE)])
    change = change_for(build_mapping(), 15, recorded=recorded)
    assert (change.action, change.awaiting_first_count) == (Action.CREATE, False)
    assert change.settled_attempt == recorded.attempts[KEY]


def test_doubtful_identity_leaves_nothing_to_do() -> None:
    change = change_for(build_mapping(), 15, MARKED, build_subscription(9002, marker=KEY))
    assert (change.action, change.reason) == (Action.NO_OP, ActionReason.UNKNOWN_SUBSCRIPTION)


@pytest.mark.parametrize(
    ("rows", "recorded", "rule"),
    [
        ((build_subscription(9002),), build_recorded(), Rule.SAME_NAME),
        ((), build_recorded(attempts=[build_attempt()]), Rule.ATTEMPT_OPEN),
    ],
)
def test_a_doubtful_create_remains_a_create(rows: tuple[object, ...], recorded: object, rule: Rule) -> None:
    change = change_for(build_mapping(), 15, *rows, recorded=recorded)  # type: ignore[arg-type]
    assert (change.action, rules_of(change)) == (Action.CREATE, [rule])


@pytest.mark.parametrize("dead", [{"deleted": True}, {"is_active": False}])
def test_gone_keeps_its_action_and_bills_nobody_whatever_it_carries(dead: dict[str, bool]) -> None:
    change = change_for(build_mapping(), 15, replace(MARKED, count=12, **dead))  # type: ignore[arg-type]
    assert (change.action, rules_of(change)) == (Action.UPDATE, [Rule.SUBSCRIPTION_GONE])
    assert (change.before and change.before.count, change.live_quantity, change.after.count) == (0, 0, 15)


def test_an_unknown_live_count_is_no_update() -> None:
    change = change_for(build_mapping(), 15, replace(MARKED, count=None))
    assert (change.action, change.reason, change.after.count) == (Action.NO_OP, ActionReason.UNKNOWN_COUNT, None)


# --- counting --------------------------------------------------------------------------------------------------------


def test_active_users_are_counted_not_the_record() -> None:
    clients = (build_client(user_count=99),)
    change = change_for(build_mapping(), 15, MARKED, clients=clients, counts=(build_count(active=15, listed=20),))
    assert change.clients == (
        CountedClient(id=InfimaClientId(101), name="Acme Dental", active_users=15, listed_users=20, user_count=99),
    )
    assert (change.quantity.counted, change.after.count) == (15, 15)


def test_the_record_is_trusted_where_the_mapping_says_so() -> None:
    mapping = build_mapping(rule=BY_RECORD)
    change = change_for(mapping, 15, MARKED, clients=(build_client(user_count=17),), counts=(build_count(active=3),))
    assert (change.quantity.counted, change.after.count, change.doubts) == (17, 17, ())


def test_several_clients_are_added_up() -> None:
    mapping = build_mapping(more_clients=[(102, "Acme Labs"), (103, "Acme Care")], rule=QuantityRule(included=5))
    counts = (build_count(101, 4), build_count(102, 0), build_count(103, 11))
    change = change_for(mapping, 15, MARKED, counts=counts)
    assert (change.quantity.counted, change.after.count) == (15, 10)
    assert [c.active_users for c in change.clients] == [4, 0, 11]


@pytest.mark.parametrize("missing", [101, 102])
def test_one_missing_client_of_several_leaves_no_number(missing: int) -> None:
    mapping = build_mapping(more_clients=[(102, "Acme Labs")])
    clients = [build_client(101), build_client(102, "Acme Labs")]
    change = change_for(mapping, 15, MARKED, clients=tuple(c for c in clients if c.id != missing))
    assert (change.quantity.counted, change.quantity.result) == (None, None)
    assert (change.action, change.reason) == (Action.NO_OP, ActionReason.UNKNOWN_COUNT)
    assert rules_of(change) == [Rule.CLIENT_MISSING]


def test_one_unreadable_client_of_several_leaves_no_number() -> None:
    mapping = build_mapping(more_clients=[(102, "Acme Labs")])
    change = change_for(mapping, 15, MARKED, counts=(build_count(101, 20), unreadable(102)))
    assert (change.quantity.result, rules_of(change)) == (None, [Rule.CLIENT_UNREADABLE])


def test_users_of_an_unlisted_client_do_not_count() -> None:
    change = change_for(build_mapping(), 15, MARKED, clients=())
    assert (change.quantity.counted, rules_of(change)) == (None, [Rule.CLIENT_MISSING])


def test_missing_is_not_zero() -> None:
    assert change_for(build_mapping(), 15, MARKED, clients=(), counts=()).action is Action.NO_OP


@pytest.mark.parametrize("mapping", [build_mapping(retired=True), build_mapping(rule=QuantityRule(fixed=40))])
def test_a_number_from_the_file_needs_no_client(mapping: object) -> None:
    change = change_for(mapping, 15, MARKED, clients=(), counts=())  # type: ignore[arg-type]
    assert (change.action, change.doubts) == (Action.UPDATE, ())


def test_a_client_that_is_not_listed_keeps_the_files_name() -> None:
    change = change_for(build_mapping(name="Acme Dental"), 15, MARKED, clients=(), counts=())
    assert (change.clients[0].name, change.clients[0].user_count) == ("Acme Dental", None)


def test_live_names_are_shown() -> None:
    clients, customers = (build_client(name="Acme Dentistry"),), (build_customer(name="Acme Group"),)
    change = change_for(build_mapping(), 15, MARKED, clients=clients, customers=customers)
    assert change.clients[0].name == "Acme Dentistry"
    assert change.customer == CustomerRef(id=build_mapping().halo_customer.id, name="Acme Group")


def test_a_customer_that_is_not_listed_keeps_the_files_name() -> None:
    change = change_for(build_mapping(), 15, MARKED, customers=())
    assert change.customer == build_mapping().halo_customer


def test_the_count_behind_the_live_quantity_comes_from_the_state() -> None:
    recorded = build_recorded(build_binding(last_counted=12))
    assert change_for(build_mapping(), 15, MARKED, recorded=recorded).counted_before == 12
    assert change_for(build_mapping(), 15, MARKED).counted_before is None


def test_the_change_knows_key_and_address() -> None:
    change = change_for(build_mapping(key="acme"), 15)
    assert (change.key, change.address) == ("acme", "halo_subscription.acme")


# --- the plan around the changes -------------------------------------------------------------------------------------


def test_the_plan_says_when_and_for_whom_it_was_made() -> None:
    plan = plan_for(build_mapping(), 15, MARKED)
    assert (plan.taken_at, plan.tenant, plan.mappings_sha256) == (NOW, TENANT, "ab" * 32)
    assert plan.complete
    assert not plan.refused


def test_changes_stand_in_the_order_of_their_keys() -> None:
    mappings = build_mappings(build_mapping(key="b"), build_mapping(102, 13, key="a"), build_mapping(103, 14, key="c"))
    assert [c.key for c in plan_of(mappings, build_observation()).changes] == ["a", "b", "c"]


def test_of_two_mappings_for_one_customer_the_second_is_held() -> None:
    """Both would get Subscriptions of one name: tonight and tomorrow a person decides about the second."""
    first, second = build_mapping(101), build_mapping(102, name="Acme Labs", customer_name="Acme Dental")
    clients = (build_client(101), build_client(102, "Acme Labs"))
    observation = observe_fitting(first, 15, clients=clients, counts=(build_count(101), build_count(102)))
    tonight = plan_of(build_mappings(first, second), observation)
    assert [(c.action, [d.rule for d in c.doubts]) for c in tonight.changes] == [
        (Action.CREATE, []),
        (Action.CREATE, [Rule.SAME_NAME]),
    ]
    remembered = build_recorded(build_binding(9001))
    observed = replace(observation, subscriptions=(MARKED,))
    tomorrow = plan_of(build_mappings(first, second), observed, remembered)
    assert [(c.action, [d.rule for d in c.doubts]) for c in tomorrow.changes] == [
        (Action.UPDATE, []),
        (Action.CREATE, [Rule.SAME_NAME]),
    ]
    assert "infima_clients of infima-101" in tomorrow.changes[1].doubts[0].remedy


def test_one_doubtful_mapping_leaves_the_others_alone() -> None:
    first, second = build_mapping(101), build_mapping(102, 13, name="Borealis")
    observation = observe_fitting(
        second, 15, MARKED, build_subscription(9002, 13, marker=second.key), clients=(build_client(102, "Borealis"),)
    )
    changes = plan_of(build_mappings(first, second), observation).changes
    assert [c.action for c in changes] == [Action.NO_OP, Action.UPDATE]
    assert changes[1].doubts == ()


def facts_of(*, retired: bool = False, recorded: object = None, listed: tuple[int, ...] = (101,)) -> tuple[int, ...]:
    mappings = build_mappings(
        build_mapping(101, more_clients=[(102, "Acme Labs")], retired=retired),
        build_mapping(103, 13, rule=QuantityRule(fixed=4)),
        build_mapping(104, 14, retired=True),
    )
    clients = tuple(build_client(number) for number in listed)
    facts = plan_of(mappings, build_observation(clients=clients, subscriptions=(MARKED,)), recorded).facts  # type: ignore[arg-type]
    return facts.clients_wanted, facts.clients_found, facts.bindings, facts.bindings_found


def test_facts_count_only_clients_whose_users_are_billed() -> None:
    assert facts_of(listed=(101, 103, 104, 999))[:2] == (2, 1)
    assert facts_of(retired=True, listed=(101, 102))[:2] == (0, 0)


def test_facts_count_the_bindings_of_this_file() -> None:
    recorded = build_recorded(build_binding(9001), build_binding(9003, "infima-103"), build_binding(9009, "left"))
    assert facts_of(recorded=recorded)[2:] == (2, 1)


def test_facts_leave_out_what_is_retired() -> None:
    """What has left may well be deleted; that says nothing of the tenant."""
    recorded = build_recorded(build_binding(9001), build_binding(9004, "infima-104"))
    assert facts_of(recorded=recorded)[2:] == (1, 1)


def test_facts_hand_on_what_the_state_says_of_itself() -> None:
    facts = plan_for(build_mapping(), 15, recorded=build_recorded(tenant=TENANT, durable=False)).facts
    assert (facts.recorded_tenant, facts.durable) == (TENANT, False)


def test_unmapped_clients_are_listed_by_id() -> None:
    ignored = IgnoredClient(
        client=ClientRef(id=InfimaClientId(999), name="Own staff"),
        reason="internal",
        place=Place(file="mappings.yaml", line=1, column=1),
    )
    mappings = replace(build_mappings(build_mapping(101, retired=True)), ignored=(ignored,))
    clients = [build_client(number, f"C{number}", user_count=number) for number in (205, 101, 999, 7)]
    plan = plan_of(mappings, build_observation(clients=clients))
    assert [(c.id, c.name, c.user_count) for c in plan.unmapped] == [(7, "C7", 7), (205, "C205", 205)]


# --- Subscriptions that nobody claims any more -----------------------------------------------------------------------


def unmanaged(*rows: object, recorded: object = None, mapping: object = None) -> Plan:
    mapping = mapping or build_mapping(999, 99)
    return plan_for(mapping, 15, *rows, recorded=recorded, customers=(build_customer(12, "Acme"),))  # type: ignore[arg-type]


def test_a_bound_key_that_left_the_file_is_unmanaged() -> None:
    [left] = unmanaged(
        build_subscription(9002, count=7), recorded=build_recorded(build_binding(9002, "acme"))
    ).unmanaged
    assert (left.id, left.key, left.name, left.count) == (9002, "acme", TEMPLATE, 7)
    assert (left.customer_id, left.customer_name) == (12, "Acme")


def test_a_default_marker_that_left_the_file_is_unmanaged() -> None:
    [left] = unmanaged(MARKED).unmanaged
    assert (left.id, left.key) == (9001, KEY)


def test_the_state_knows_better_than_the_marker_whose_it_was() -> None:
    [left] = unmanaged(MARKED, recorded=build_recorded(build_binding(9001, "acme"))).unmanaged
    assert left.key == "acme"


@pytest.mark.parametrize("marker", ["ms-subscription", "infima-", "infima-101x", "xinfima-101", "infima-1 "])
def test_anybodys_marker_is_not_ours(marker: str) -> None:
    assert unmanaged(build_subscription(9001, marker=marker)).unmanaged == ()


def test_a_given_up_subscription_that_still_bills_is_unmanaged() -> None:
    recorded = build_recorded(given_up={KEY: (9002,)})
    [left] = unmanaged(build_subscription(9002), recorded=recorded, mapping=build_mapping()).unmanaged
    assert (left.id, left.key) == (9002, KEY)


@pytest.mark.parametrize("dead", [{"deleted": True}, {"is_active": False}])
def test_what_bills_nobody_is_not_listed(dead: dict[str, bool]) -> None:
    assert unmanaged(build_subscription(9001, marker=KEY, **dead)).unmanaged == ()  # type: ignore[arg-type]


def test_what_halo_does_not_list_is_not_listed() -> None:
    assert unmanaged(recorded=build_recorded(build_binding(9002, "acme"))).unmanaged == ()


def test_what_a_mapping_claims_is_managed() -> None:
    by_id = build_mapping(102, 12, subscription_id=9001)
    assert unmanaged(MARKED, mapping=by_id).unmanaged == ()
    bound = build_recorded(build_binding(9001, "infima-999", customer=99))
    assert unmanaged(MARKED, recorded=bound).unmanaged == ()
    assert unmanaged(MARKED, mapping=build_mapping()).unmanaged == ()


def test_unmanaged_ones_are_listed_by_id_even_without_customer() -> None:
    rows = [build_subscription(number, customer, marker=f"infima-{number}") for number, customer in ((9, None), (3, 5))]
    found = unmanaged(*rows).unmanaged
    assert [(u.id, u.customer_id, u.customer_name) for u in found] == [(3, 5, ""), (9, None, "")]


def test_unmanaged_ones_are_listed_by_id_however_they_are_known() -> None:
    recorded = build_recorded(build_binding(9002, "acme"), given_up={"gone": (8000,)})
    rows = [MARKED, build_subscription(9002), build_subscription(8000)]
    found = unmanaged(*rows, recorded=recorded).unmanaged
    assert [(u.id, u.key) for u in found] == [(8000, "gone"), (9001, KEY), (9002, "acme")]


def test_what_bills_nobody_hides_nothing_behind_it() -> None:
    rows = [build_subscription(8000, marker="infima-7", deleted=True), MARKED]
    assert [u.id for u in unmanaged(*rows).unmanaged] == [9001]


# --- warnings --------------------------------------------------------------------------------------------------------


def warnings(mapping: object, *rows: object, **instead: object) -> tuple[str, ...]:
    return plan_for(mapping, 15, *rows, **instead).warnings  # type: ignore[arg-type]


def test_a_renamed_customer_of_an_existing_subscription_is_a_warning() -> None:
    [told] = warnings(build_mapping(), MARKED, customers=(build_customer(name="Acme Group"),), recorded=KNOWN)
    assert told == (
        "infima-101: HaloPSA customer 12 is now named 'Acme Group', mappings.yaml says 'Acme Dental'; ids decide, "
        "so this holds nothing. Write today's names with: reconciler fmt --names"
    )


def test_a_renamed_client_of_an_existing_subscription_is_a_warning() -> None:
    [told] = warnings(build_mapping(), MARKED, clients=(build_client(name="Acme Dentistry"),), recorded=KNOWN)
    assert told.startswith("infima-101: INFIMA client 101 is now named 'Acme Dentistry'")


def test_at_create_names_are_a_doubt_and_no_warning() -> None:
    assert warnings(build_mapping(), clients=(build_client(name="Acme Dentistry"),)) == ()


@pytest.mark.parametrize(
    ("days", "words"), [(0, "today"), (1, "in 1 day"), (2, "in 2 days"), (30, "in 30 days"), (31, ""), (-1, "")]
)
def test_a_fixed_quantity_that_ends_soon_is_a_warning(days: int, words: str) -> None:
    until = NOW.date() + timedelta(days=days)
    found = warnings(build_mapping(rule=QuantityRule(fixed=12, until=until)), MARKED)
    assert [f"the fixed quantity ends {words} ({until})" in told for told in found] == ([True] if words else [])


def test_a_retired_mapping_has_no_end_to_warn_of() -> None:
    rule = QuantityRule(fixed=12, until=date(2026, 11, 23))
    assert warnings(build_mapping(rule=rule, retired=True), MARKED) == ()


def test_warnings_stand_in_the_order_of_the_keys() -> None:
    rule = QuantityRule(fixed=12, until=NOW.date())
    mappings = build_mappings(*(build_mapping(key=MappingKey(key), rule=rule) for key in "ba"))
    assert [told[:1] for told in plan_of(mappings, build_observation()).warnings] == ["a", "b"]


def test_what_a_person_changed_in_halopsa_since_the_last_run_is_said_of_that_subscription_alone() -> None:
    bound = replace(build_binding(9001), last_quantity=12, last_counted=15)
    row = build_subscription(9001, count=10)
    seen = change_for(build_mapping(), 15, row, recorded=build_recorded(bound, last_good_run=NOW))
    assert (seen.edited_from, seen.edited_since, seen.reason) == (12, NOW, ActionReason.CHANGED_IN_HALO)
    other = replace(bound, subscription_id=SubscriptionId(9002))
    by_file = build_mapping(subscription_id=9001)
    assert change_for(by_file, 15, row, recorded=build_recorded(other, last_good_run=NOW)).edited_from is None


@pytest.mark.parametrize(
    ("last", "counted_then", "shows", "by_a_person"),
    [
        (12, 15, 12, False),  # as the last run left it
        (None, 15, 10, False),  # no run saw it
        (12, 14, 10, None),  # edited, and the count has moved as well: the count is the reason
    ],
)
def test_a_person_is_the_reason_only_where_the_count_has_not_moved(
    last: int | None, counted_then: int, shows: int, *, by_a_person: bool | None
) -> None:
    bound = replace(build_binding(9001), last_quantity=last, last_counted=counted_then)
    row = build_subscription(9001, count=shows)
    seen = change_for(build_mapping(), 15, row, recorded=build_recorded(bound, last_good_run=NOW))
    assert seen.edited_from == (last if by_a_person is None else None)
    assert seen.reason is ActionReason.COUNT_CHANGED


def test_what_a_run_that_has_not_ended_may_have_written_is_no_persons_edit() -> None:
    bound = replace(build_binding(9001), last_quantity=12, last_counted=15)
    row = build_subscription(9001, count=10)
    for keys, edited in [((KEY,), None), (("infima-102",), 12)]:
        run = OpenRun(run=RunId("r1"), journal="r1.jsonl", since=NOW, keys=tuple(map(MappingKey, keys)))
        recorded = build_recorded(bound, last_good_run=NOW, open_runs=(run,))
        assert change_for(build_mapping(), 15, row, recorded=recorded).edited_from == edited


def test_a_fixed_number_that_somebody_changed_keeps_its_own_reason() -> None:
    bound = replace(build_binding(9001), last_quantity=40, last_counted=None)
    fixed = build_mapping(rule=QuantityRule(fixed=40))
    seen = change_for(fixed, 15, build_subscription(9001, count=10), recorded=build_recorded(bound, last_good_run=NOW))
    assert seen.edited_from == 40
    assert seen.reason is not ActionReason.COUNT_CHANGED


def test_beside_a_create_stands_on_which_invoice_a_stranger_was_seen_within_a_week() -> None:
    other = build_subscription(9007, name="Backup")
    for age, invoices in [(timedelta(days=7), (31,)), (timedelta(days=7, seconds=1), None)]:
        look = InvoiceLook(subscription_id=other.id, looked_at=NOW - age, verdict=Attached.YES, invoices=(-40,))
        recorded = build_recorded(other_looks={other.id: look})
        [told] = change_for(build_mapping(), 15, other, recorded=recorded).unowned
        assert told.invoices == invoices


ONE, TWO = (build_subscription(number, marker=KEY, count=5) for number in (9001, 9002))


@pytest.mark.parametrize(
    ("rows", "recorded", "found"),
    [
        ((ONE, TWO), {}, (9001, 9002)),  # two with one marker
        ((TWO, ONE), {"given_up": {KEY: (9001,)}}, ()),  # given up: the other one it is, and no doubt
        ((ONE, TWO, replace(TWO, id=SubscriptionId(9003), deleted=True)), {}, (9001, 9002)),
        ((ONE, TWO, replace(TWO, id=SubscriptionId(9003), type=0)), {}, (9001, 9002)),
        ((build_subscription(9041, name="Awareness training, security"),), {}, (9041,)),  # it resembles
        ((build_subscription(9041, name="Backup"),), {}, ()),
        ((build_subscription(9001, 99, marker=KEY),), {}, ()),  # the very one, at another customer
    ],
)
def test_a_mapping_in_doubt_names_the_live_subscriptions_that_may_be_meant(
    rows: tuple[Subscription, ...], recorded: dict[str, Any], found: tuple[int, ...]
) -> None:
    change = change_for(build_mapping(), 15, *rows, recorded=build_recorded(**recorded))
    assert tuple(one.id for one in change.candidates) == found
