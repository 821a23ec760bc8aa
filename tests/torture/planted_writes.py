"""The planted bugs of reading, judging and updating. Where two guards stand behind each other, the bug takes both.

`spoils(name, what)` replaces `what` by the function that follows, which gets the original first; a bug that replaces
several says so with `plant.instead(what)`. The bugs of the create protocol and of the state are in `planted_create`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from reconciler import apply as applying
from reconciler import plan as planning
from reconciler.errors import ExitCode, IncompleteRead
from reconciler.http.transport import Call, Route
from reconciler.http.waiting import RateLimiter
from reconciler.model import UnreadableUsers, UserCount
from reconciler.planning import doubts, identity, quantity
from reconciler.planning.changes import Action, ActionReason, Change, Outcome, Plan
from reconciler.planning.rules import Level, Rule
from reconciler.providers import halo_rows
from reconciler.providers.base import WriteRequest
from reconciler.providers.halopsa import HaloTarget
from reconciler.providers.infima import InfimaSource
from reconciler.providers.listing import ListPage, PagedList
from reconciler.safety import counts, state
from reconciler.writing import update, verdict
from reconciler.writing.session import WriteSession
from tests.torture.bugs import Planter, bug, spoils


def without_doubts(plant: Planter, *rules: Rule, where: Callable[[Any], bool] = lambda _found: True) -> None:
    """No doubt of these rules about a Subscription for which `where` is true."""

    @plant.instead(identity.identify)
    def _(original: Any, *args: Any, **kwargs: Any) -> Any:
        told = original(*args, **kwargs)
        if not where(told.subscription):
            return told
        return replace(told, doubts=tuple(doubt for doubt in told.doubts if doubt.rule not in rules))


def in_the_body(plant: Planter, builder: Any, change: Callable[[dict[str, Any]], Any]) -> None:
    """`change` spoils every row of what `builder` makes, and the last guard before the request looks away."""

    @plant.instead(builder)
    def _(original: Any, *args: Any, **kwargs: Any) -> Any:
        rows = json.loads(original(*args, **kwargs).body)
        for row in rows:
            change(row)
        return WriteRequest(body=json.dumps(rows, separators=(",", ":")).encode())

    @plant.instead(halo_rows.sent_rows)
    def _(_original: Any, request: Any, *_rest: Any) -> Any:
        return json.loads(request.body)


# ---- update ---------------------------------------------------------------------------------------------------------


@bug("the name is sent in an update")
def _(plant: Planter) -> None:
    in_the_body(plant, halo_rows.counts_body, lambda row: row.update(name="Training"))


@bug("a price is sent in an update")
def _(plant: Planter) -> None:
    in_the_body(plant, halo_rows.counts_body, lambda row: row.update(price=0.0))


@bug("the id 0 is accepted")
def _(plant: Planter) -> None:
    in_the_body(plant, halo_rows.counts_body, lambda row: row.update(id=0))


@bug("one too many")
def _(plant: Planter) -> None:
    in_the_body(plant, halo_rows.counts_body, lambda row: row.update(count=row["count"] + 1))


spoils("a stale row is written", update.still_as_planned)(lambda _original, _session, _target: True)


@spoils("an old listing is good enough", WriteSession.freshen)
def _(original: Any, session: Any, requests: int = 1, *, anew: bool = False) -> None:
    if anew:
        original(session, requests, anew=True)
    else:
        session.target.await_budget(requests)


spoils("no request waits for its turn", RateLimiter._seconds_until_free)(lambda _original, _limiter, _wanted: 0.0)


@spoils("another partner's clients are billed", state.wrong_tenant)
def _(original: Any, given: Any) -> Any:
    facts = replace(given.plan.facts, recorded_tenant=given.plan.tenant)
    return original(replace(given, plan=replace(given.plan, facts=facts)))


@bug("no listing after an unclear batch")
def _(plant: Planter) -> None:
    in_doubt: list[Any] = []

    @plant.instead(update._one_by_one)
    def _(original: Any, session: Any, *rest: Any) -> None:
        in_doubt.append(session)
        original(session, *rest)

    @plant.instead(WriteSession.relist)
    def _(original: Any, session: Any) -> None:
        if in_doubt and in_doubt[-1] is session:
            in_doubt.pop()
        else:
            original(session)


spoils("a saved plan's rows are not held against today's", applying._agreed_writes)(
    lambda original, plan, session, _agreed: original(plan, session, None)
)
spoils("zero is not read twice", applying._still_zero)(lambda _original, *_args: None)


@bug("a deletion where a Subscription was listed")
def _(plant: Planter) -> None:
    @plant.instead(HaloTarget.subscriptions)
    def _(original: Any, target: Any) -> Any:
        found = original(target)
        token = {"Authorization": f"Bearer {target._token.bearer().reveal()}"}
        path = "/api/SoftwareLicence/9002"
        target._transport.write(Call(method="DELETE", origin=target._origin, path=path, headers=token))
        return found

    plant.instead(Route.permits)(lambda _original, *_args: True)


spoils("nothing stops a run whose writes all fail", WriteSession._stop_after_too_many)(
    lambda _original, _session, _answer: None
)


# ---- reading --------------------------------------------------------------------------------------------------------


def forgiving(plant: Planter, *, repeats: bool) -> None:
    """A list that is not as long as it says is taken as it came; with `repeats` also when a row came twice."""

    @plant.instead(PagedList._read_once)
    def _(original: Any, wanted: Any, ask: int) -> Any:
        pages: list[ListPage] = []

        def fetch(start: int, size: int) -> ListPage:
            pages.append(wanted.fetch(start, size))
            return pages[-1]

        try:
            return original(replace(wanted, fetch=fetch), ask)
        except Exception:
            rows = [row for page in pages for row in page.rows]
            unique = {wanted.identify(row): row for row in rows}
            totals = {page.total for page in pages}
            if len(totals) != 1 or None in totals or (len(unique) < len(rows) and not repeats):
                raise
            return list(unique.values()), True


@bug("a list that is too short is taken as it is")
def _(plant: Planter) -> None:
    forgiving(plant, repeats=False)


@bug("a row that came twice stands in for one that was skipped")
def _(plant: Planter) -> None:
    forgiving(plant, repeats=True)


@spoils("only the first page is read", PagedList._read_once)
def _(original: Any, wanted: Any, ask: int) -> Any:
    first = wanted.fetch(0, ask)
    if first.total is not None and 0 < len(first.rows) < first.total:
        return first.rows, True
    return original(wanted, ask)


spoils("without a total the first page is all", PagedList._until_empty)(
    lambda _original, _wanted, rows, *_rest, **_more: rows.all()
)


@spoils("inactive users are billed", InfimaSource._count_users)
def _(original: Any, *args: Any) -> Any:
    count = original(*args)
    return replace(count, active=count.listed - count.without_status) if isinstance(count, UserCount) else count


@bug("missing is zero")
def _(plant: Planter) -> None:
    plant.instead(planning.total_of)(lambda _original, clients: sum(one.active_users or 0 for one in clients))
    plant.instead(doubts.reading_doubts)(lambda _original, *_args: ())


spoils("included users are billed", quantity.apply_rule)(
    lambda original, rule, counted: original(replace(rule, included=0), counted)
)


@spoils("one client that cannot be read stops all others", InfimaSource._counted)
def _(original: Any, *args: Any) -> Any:
    count = original(*args)
    if isinstance(count, UnreadableUsers):
        raise IncompleteRead(count.reason, system="INFIMA")
    return count


def with_changes(plant: Planter, arrange: Callable[[Any, tuple[Change, ...]], Any]) -> None:
    """A plan whose changes are what `arrange` makes of them and of the mappings."""

    @plant.instead(planning.diff)
    def _(original: Any, mappings: Any, *rest: Any) -> Any:
        plan = original(mappings, *rest)
        return replace(plan, changes=tuple(arrange(mappings, plan.changes)))


@bug("the plan is in the order of the file")
def _(plant: Planter) -> None:
    def arrange(mappings: Any, changes: tuple[Change, ...]) -> Any:
        places = {mapping.key: place for place, mapping in enumerate(mappings.mappings)}
        return sorted(changes, key=lambda change: places[change.key])

    with_changes(plant, arrange)


@bug("the plan is in the order of memory")
def _(plant: Planter) -> None:
    with_changes(plant, lambda _, changes: sorted(changes, key=lambda c: hash((c.key, id(c.mapping)))))


@bug("only the first three mappings are planned")
def _(plant: Planter) -> None:
    with_changes(plant, lambda _, changes: changes[:3])


# ---- guards ---------------------------------------------------------------------------------------------------------


spoils("the zero guard is skipped", counts.to_zero)(lambda _original, _given: iter(()))


@spoils("the decrease guard is off by a factor", counts._beyond)
def _(original: Any, difference: int, live: int, limit: Any) -> Any:
    return original(difference, live, replace(limit, users=limit.users * 10))


@spoils("the outage guard is skipped", counts.source_dropped)
def _(original: Any, given: Any) -> Any:
    return original(replace(given, limits=replace(given.limits, max_total_decrease_percent=100)))


@spoils("a refused plan is written all the same", applying.apply)
def _(original: Any, plan: Plan, *args: Any, **kwargs: Any) -> Any:
    kept = tuple(violation for violation in plan.violations if violation.level is not Level.RUN)
    return original(replace(plan, violations=kept), *args, **kwargs)


@bug("a hold holds nothing")
def _(plant: Planter) -> None:
    plant.instead(Change.performs_write)(lambda _original, change: change.action is not Action.NO_OP)

    @plant.instead(applying.apply)
    def _(original: Any, plan: Plan, *args: Any, **kwargs: Any) -> Any:
        changes = tuple(replace(change, hold=None) for change in plan.changes)
        return original(replace(plan, changes=changes), *args, **kwargs)


@bug("a Subscription of another customer is written")
def _(plant: Planter) -> None:
    without_doubts(plant, Rule.MOVED)

    @plant.instead(update._as_planned)
    def _(original: Any, target: Any) -> Any:
        where = (target.change.before or target.change.after).customer_id
        return {**original(target), "customer_id": where}


@bug("a Subscription that is not live is written")
def _(plant: Planter) -> None:
    without_doubts(plant, Rule.SUBSCRIPTION_GONE, where=lambda found: found is not None and not found.live)
    for side in (update._as_planned, update._as_listed):
        plant.instead(side)(lambda original, shown: {**original(shown), "active": None})


@bug("a Subscription past its end date is written")
def _(plant: Planter) -> None:
    without_doubts(plant, Rule.SUBSCRIPTION_GONE, where=lambda found: found is not None and found.live)


@spoils("an inactive customer is billed", doubts.customer_doubts)
def _(original: Any, *args: Any) -> Any:
    return tuple(doubt for doubt in original(*args) if doubt.rule is not Rule.CUSTOMER_INACTIVE)


# ---- verdict --------------------------------------------------------------------------------------------------------


@spoils("what was sent counts as done", update._judge)
def _(original: Any, session: Any, target: Any) -> None:
    live = session.listing.get(target.subscription_id)
    if live is None or live.count == target.after:
        original(session, target)
    else:
        session.settle(target.key, Outcome.APPLIED, at=target.subscription_id)


def good_instead_of(plant: Planter, bad: ExitCode) -> None:
    """A run that should end with `bad` ends with 0."""

    @plant.instead(verdict.exit_code)
    def _(original: Any, *args: Any, **kwargs: Any) -> Any:
        code = original(*args, **kwargs)
        return ExitCode.DONE if code is bad else code


@bug("exit 0 on a hold")
def _(plant: Planter) -> None:
    good_instead_of(plant, ExitCode.HELD)


@bug("exit 0 on an unknown outcome")
def _(plant: Planter) -> None:
    good_instead_of(plant, ExitCode.INCOMPLETE)


spoils("what else the write changed is not looked at", update.changed_besides_count)(
    lambda _original, _before, _now: ""
)
spoils("a row that was seen to move counts as unchanged", update.settle_moved)(
    lambda _original, _session, _targets: None
)


@spoils("a converged row is written again", planning._action)
def _(original: Any, *args: Any, **kwargs: Any) -> Any:
    action, reason = original(*args, **kwargs)
    return (Action.UPDATE, ActionReason.COUNT_CHANGED) if reason is ActionReason.IN_STEP else (action, reason)
