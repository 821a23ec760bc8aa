"""`diff`: from mappings, observation and recorded state to a plan, without touching anything.

It decides for each mapping which Subscription it is (`identity`), what its quantity should be (`quantity`) and what
therefore changes. It withholds nothing: what is doubtful becomes a `Doubt` on the change, and `safety.check` turns
doubts and limits into holds and refusals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.model import (
    ClientRef,
    CountRule,
    CustomerRef,
    InfimaClient,
    InfimaClientId,
    Mapping,
    Mappings,
    Observation,
    Settings,
    Subscription,
    SubscriptionId,
    Tenant,
    UnreadableUsers,
    UserCount,
)
from reconciler.planning.changes import (
    Action,
    ActionReason,
    Change,
    CountedClient,
    Facts,
    Plan,
    SubscriptionState,
    UnmanagedSubscription,
    UnownedSubscription,
)
from reconciler.planning.doubts import Live, Names, contract_doubts, customer_doubts, reading_doubts, warnings_about
from reconciler.planning.identity import Identity, identify
from reconciler.planning.index import DEFAULT_KEY, index_subscriptions
from reconciler.planning.money import differing_prices, live_price, price_for
from reconciler.planning.quantity import (
    Quantity,
    falling_doubt,
    nights_missing,
    nights_of_fall,
    quantity_of,
    settled_quantity,
)
from reconciler.planning.rules import Rule
from reconciler.planning.twins import candidates, counts_were_lost, is_undecided, known_keys, unowned
from reconciler.state.recorded import Binding, Recorded


def diff(mappings: Mappings, observation: Observation, recorded: Recorded) -> Plan:
    """Compare the desired state with what was read. Pure: the same input gives the same plan, in any order of rows."""
    clients = {c.id: c for c in observation.clients}
    customers = {c.id: c for c in observation.customers}
    live = Live(
        clients=clients,
        users={u.client_id: u for u in observation.user_counts},
        customers=customers,
        names=Names.of(mappings.mappings, clients, customers),
        index=index_subscriptions(observation.subscriptions, mappings.mappings, recorded),
    )
    settle = timedelta(hours=mappings.settings.settle_hours)
    now = observation.taken_at.astimezone(mappings.settings.timezone)
    changes: list[Change] = []
    warnings: list[str] = []
    currency, prices = mappings.settings.currency, []
    for mapping in sorted(mappings.mappings, key=lambda m: m.key):
        identity = identify(mapping, live.index, recorded, now=now, settle=settle)
        change = _change(mapping, identity, live, recorded, file=mappings, now=now)
        changes.append(change)
        if mapping.price is not None:
            customer = live.customers.get(mapping.halo_customer.id)
            prices.append((mapping, live_price(identity.subscription, customer, currency)))
        warnings.extend(warnings_about(mapping, change.action, live, now))
    facts = _facts(mappings, changes, live, recorded, observation.tenant)
    return Plan(
        taken_at=observation.taken_at,
        tenant=observation.tenant,
        zone=mappings.settings.timezone,
        mappings_sha256=mappings.sha256,
        changes=tuple(changes),
        facts=facts,
        unmapped=_unmapped(mappings, observation),
        missing=nights_missing(mappings, clients, recorded.missing, today=now.date()),
        unmanaged=_unmanaged(mappings, live, recorded),
        warnings=(*warnings, *filter(None, [differing_prices(prices), _nothing_to_compare(facts, changes)])),
    )


def _nothing_to_compare(facts: Facts, changes: Sequence[Change]) -> str:
    """What `source-dropped` cannot tell after a loss of the state; empty where there was nothing to compare anyway."""
    if not facts.counts_lost or not any(c.mapping.counts_users and c.live_quantity for c in changes):
        return ""
    return (
        "INFIMA's counts cannot be compared with earlier ones: the state does not remember any, so source-dropped "
        "checks nothing in this run. Look at the counts yourself, or name the right state with --state"
    )


def writing_time(plan: Plan, settings: Settings) -> timedelta:
    """How long the plan's writes wait for the request budget at least; nothing while they fit into one window.

    Counted are one post for each create, one for each batch of quantities, and the listings around each group.
    """
    creates = sum(c.action is Action.CREATE for c in plan.writes)
    rows, page = len(plan.changes), plan.facts.page_rows
    return waiting_time(creates, len(plan.writes) - creates, rows=rows, settings=settings, page_rows=page)


def waiting_time(
    creates: int, updates: int, *, rows: int, settings: Settings, page_rows: int | None = None
) -> timedelta:
    """The same for so many creates and updates where a listing has that many rows, in pages of `page_rows`."""
    if not creates and not updates:
        return timedelta()
    groups, batches = (math.ceil(n / settings.batch) for n in (creates, updates))
    listing = max(1, math.ceil(rows / (page_rows or _ROWS_A_PAGE)))
    requests = creates + groups + batches + listing * (_LISTINGS_PER_GROUP * groups + 1)
    windows = (requests - 1) // settings.halo_budget.requests
    return timedelta(seconds=windows * settings.halo_budget.seconds)


_LISTINGS_PER_GROUP = 2  # one right before the creates of a group, one behind them
_ROWS_A_PAGE = 1_000  # what HaloPSA is asked for; where no probe has seen that it grants less


def takes_long(plan: Plan, settings: Settings) -> str:
    """A sentence for people when the writes do not fit into one window of the request budget; empty when they do."""
    needed = writing_time(plan, settings)
    if not needed:
        return ""
    minutes, budget = math.ceil(needed / timedelta(minutes=1)), settings.halo_budget
    told = (
        f"the writes take about {minutes} minutes, because settings.halo_budget lets {budget.requests} requests "
        f"through in {budget.seconds} seconds"
    )
    if needed < timedelta(minutes=settings.run_timeout_minutes):
        return told
    return (
        f"{told}; a run ends after settings.run_timeout_minutes ({settings.run_timeout_minutes}), and the next one "
        "goes on where it stopped"
    )


def _change(
    mapping: Mapping, identity: Identity, live: Live, recorded: Recorded, *, file: Mappings, now: datetime
) -> Change:
    today = now.date()
    clients = count_clients(mapping, live.clients, live.users)
    counted = total_of(clients)
    quantity = quantity_of(mapping, counted, today=today)
    found = identity.subscription
    before = _state_of(found) if found is not None else None
    binding = recorded.bindings.get(mapping.key)
    counted_before = binding.last_counted if binding else None
    created = mapping.key in recorded.attempts or (binding is not None and binding.awaiting_first_count)
    awaiting = found is not None and created  # made by us, and it never got its quantity
    edited_from, edited_since = _edited(before, binding, recorded)
    wanted = file.limits.decrease_nights
    nights = nights_of_fall(
        mapping, quantity, before.count if before else None, counted_before=counted_before,
        remembered=recorded.falls.get(mapping.key, ()) if wanted > 1 else (), today=today,
    )  # fmt: skip
    quantity = settled_quantity(mapping, quantity, nights, wanted)
    action, reason = _action(mapping, identity, before, quantity, awaiting=awaiting)
    if edited_from is not None and reason is ActionReason.COUNT_CHANGED and counted_before == counted:
        reason = ActionReason.CHANGED_IN_HALO
    customer = live.customers.get(mapping.halo_customer.id)
    doubts = (*contract_doubts(mapping, today), *falling_doubt(mapping, nights, wanted), *reading_doubts(mapping, live))
    return Change(
        mapping=mapping,
        action=action,
        reason=reason,
        before=before,
        after=_after(mapping, before, action, quantity),
        customer=CustomerRef(id=customer.id, name=customer.name) if customer else mapping.halo_customer,
        clients=clients,
        quantity=quantity,
        origin=identity.origin,
        counted_before=counted_before,
        awaiting_first_count=awaiting,
        settled_attempt=identity.settled_attempt,
        nights=nights if wanted > 1 else (),
        price=price_for(mapping, found, customer, file.settings.currency),
        unowned=_unowned(mapping, live, recorded, now) if action is Action.CREATE else (),
        candidates=_candidates(mapping, identity, live, recorded),
        edited_from=edited_from,
        edited_since=edited_since,
        doubts=(*identity.doubts, *doubts, *customer_doubts(mapping, action, customer, live)),
    )


LOOKS_HOLD = timedelta(days=7)
"""So long a look at recurring invoices is believed of a Subscription that no mapping has: nights renew it."""


def _unowned(mapping: Mapping, live: Live, recorded: Recorded, now: datetime) -> tuple[UnownedSubscription, ...]:
    looks = {seen.subscription_id: seen for seen in recorded.looks.values()} | {**recorded.other_looks}
    return tuple(
        UnownedSubscription(
            id=row.id,
            name=row.name,
            count=row.count,
            live=row.live,
            invoices=seen.billed_on if (seen := looks.get(row.id)) and now - seen.looked_at <= LOOKS_HOLD else None,
        )
        for row in unowned(mapping, live.index)
    )


def _candidates(mapping: Mapping, identity: Identity, live: Live, recorded: Recorded) -> tuple[SubscriptionState, ...]:
    """The live Subscriptions that a mapping in doubt may mean: those that are named for it, else those it may be."""
    if identity.subscription is not None or not identity.doubts:
        return ()
    index, binding = live.index, recorded.bindings.get(mapping.key)
    given_up = recorded.given_up.get(mapping.key, ())
    named = {mapping.subscription_id, binding.subscription_id if binding else None}
    named |= {hit.id for hit in index.by_marker.get(mapping.key, ()) if hit.id not in given_up}
    found = [index.by_id[number] for number in named if number is not None and number in index.by_id]
    found = found or list(candidates(mapping, index, recorded))
    return tuple(_state_of(one) for one in sorted(found, key=lambda one: one.id) if one.live and one.is_subscription)


def _edited(
    before: SubscriptionState | None, binding: Binding | None, recorded: Recorded
) -> tuple[int | None, datetime | None]:
    """The quantity that the last run saw and when that was, where a person has changed it in HaloPSA since."""
    if before is None or binding is None or binding.subscription_id != before.id:
        return None, None
    last = binding.last_quantity
    if last is None or before.count in {None, last}:
        return None, None
    if any(binding.key in run.keys for run in recorded.open_runs):
        return None, None  # a run that is under way, or was cut off, may have written it
    return last, recorded.last_good_run


def _action(
    mapping: Mapping, identity: Identity, before: SubscriptionState | None, quantity: Quantity, *, awaiting: bool
) -> tuple[Action, ActionReason]:
    if before is None:
        if any(d.rule not in _CREATE_DOUBTS for d in identity.doubts):
            return Action.NO_OP, ActionReason.UNKNOWN_SUBSCRIPTION
        if mapping.retired:
            return Action.NO_OP, ActionReason.NOTHING_TO_RETIRE
        return Action.CREATE, ActionReason.NEW_MAPPING
    if quantity.result is None or before.count is None:
        return Action.NO_OP, ActionReason.UNKNOWN_COUNT
    if quantity.result == before.count:
        return Action.NO_OP, ActionReason.IN_STEP
    return Action.UPDATE, _reason_to_update(mapping, awaiting=awaiting)


_CREATE_DOUBTS = frozenset({Rule.ATTEMPT_OPEN, Rule.SAME_NAME, Rule.RESEMBLES, Rule.STATE_LOST})
"""Doubts that hold a create and leave no doubt that none of the Subscriptions known is the mapping's."""


def _reason_to_update(mapping: Mapping, *, awaiting: bool) -> ActionReason:
    if mapping.retired:
        return ActionReason.RETIRED
    if awaiting:
        return ActionReason.FIRST_COUNT
    return ActionReason.COUNT_CHANGED if mapping.quantity.fixed is None else ActionReason.FIXED


def _after(mapping: Mapping, before: SubscriptionState | None, action: Action, quantity: Quantity) -> SubscriptionState:
    """The other side of the change. Where nothing is written it equals `before`, so that no reader expects a write."""
    if before is not None:
        return before if action is Action.NO_OP else replace(before, count=quantity.result)
    return SubscriptionState(
        id=None,
        count=quantity.result if action is Action.CREATE else None,
        customer_id=mapping.halo_customer.id,
        name=mapping.subscription_name,
    )


def _state_of(subscription: Subscription) -> SubscriptionState:
    """What stands in HaloPSA: a deleted or inactive one bills nobody, whatever number it still carries."""
    return SubscriptionState(
        id=subscription.id, count=subscription.quantity, customer_id=subscription.customer_id, name=subscription.name
    )


def count_clients(
    mapping: Mapping,
    clients: MappingABC[InfimaClientId, InfimaClient],
    users: MappingABC[InfimaClientId, UserCount | UnreadableUsers],
) -> tuple[CountedClient, ...]:
    """Each client's numbers, by the mapping's way of counting; the live name where there is one."""
    rule = mapping.quantity.count
    return tuple(_count(ref, rule, clients.get(ref.id), users.get(ref.id)) for ref in mapping.infima_clients)


def _count(
    ref: ClientRef, rule: CountRule, client: InfimaClient | None, users: UserCount | UnreadableUsers | None
) -> CountedClient:
    read = users if isinstance(users, UserCount) else None
    if rule is CountRule.CLIENT_RECORD:
        active = client.user_count if client else None
    else:
        active = read.active if read and client else None
    return CountedClient(
        id=ref.id,
        name=client.name if client else ref.name,
        active_users=active,
        listed_users=read.listed if read else None,
        user_count=client.user_count if client else None,
    )


def total_of(clients: Sequence[CountedClient]) -> int | None:
    """The sum over all clients, or None when one of them was not read: missing is not zero."""
    known = [one.active_users for one in clients if one.active_users is not None]
    return sum(known) if len(known) == len(clients) else None


def _facts(mappings: Mappings, changes: Sequence[Change], live: Live, recorded: Recorded, tenant: Tenant) -> Facts:
    halo = recorded.halo.of(tenant.halo_url)
    wanted = {ref.id for m in mappings.mappings if m.counts_users for ref in m.infima_clients}
    keys = {m.key for m in mappings.mappings if not m.retired}  # what has left may well be deleted
    bound = [b for b in recorded.bindings.values() if b.key in keys]
    without = [c.mapping for c in changes if c.before is None]
    untried, never_bound = recorded.untried, frozenset(recorded.never_bound)
    return Facts(
        clients_wanted=len(wanted),
        clients_found=len(wanted & live.clients.keys()),
        bindings=len(bound),
        bindings_found=sum(b.subscription_id in live.index.by_id for b in bound),
        recorded_tenant=recorded.tenant,
        durable=recorded.durable,
        undecided=tuple(m.key for m in without if is_undecided(m, live.index, recorded)),
        never_bound=tuple(m.key for m in without if untried or known_keys(m, live.index.keys) & never_bound),
        counts_lost=counts_were_lost(live.index, recorded),
        unfit=tuple(halo.probe.unfit.values()) if halo.probe else (),
        probed_at=halo.probe.at if halo.probe else None,
        page_rows=halo.page_rows,
    )


def _unmapped(mappings: Mappings, observation: Observation) -> tuple[InfimaClient, ...]:
    known = {ref.id for m in mappings.mappings for ref in m.infima_clients} | {i.client.id for i in mappings.ignored}
    return tuple(c for c in sorted(observation.clients, key=lambda c: c.id) if c.id not in known)


def _unmanaged(mappings: Mappings, live: Live, recorded: Recorded) -> tuple[UnmanagedSubscription, ...]:
    """Subscriptions that state or marker call ours, whose key is no longer in the file or was given up."""
    ours: dict[SubscriptionId, str] = {}
    for binding in recorded.bindings.values():
        if binding.key not in live.index.keys:
            ours[binding.subscription_id] = binding.key
    for key, ids in recorded.given_up.items():
        for number in ids:
            ours[number] = key
    for marker, hits in live.index.by_marker.items():
        if marker not in live.index.keys and DEFAULT_KEY.fullmatch(marker):
            for hit in hits:
                ours.setdefault(hit.id, marker)
    claimed = {m.subscription_id for m in mappings.mappings} | {
        b.subscription_id for b in recorded.bindings.values() if b.key in live.index.keys
    }
    left = []
    for number in sorted(ours):
        found = live.index.by_id.get(number)
        if found is None or not found.live or number in claimed:
            continue
        customer = live.customers.get(found.customer_id) if found.customer_id is not None else None
        left.append(
            UnmanagedSubscription(
                id=number,
                key=ours[number],
                name=found.name,
                customer_id=found.customer_id,
                customer_name=customer.name if customer else "",
                count=found.count,
            )
        )
    return tuple(left)
