"""`reconciler check-invoices`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

import click

from reconciler.answers.attached import NEW_HAS_NO_PRICE, invoice_note, remember
from reconciler.answers.invoices import Looked
from reconciler.answers.words import due_words, plural
from reconciler.cli.options import CommonOptions, common_options, only_option, output_option
from reconciler.cli.output import Part, safe, show_json, show_rows, tell
from reconciler.cli.status import look_now, subscription_json
from reconciler.cli.wiring import load, now, open_store, plan_options, run_context, run_info
from reconciler.errors import ExitCode, StateError
from reconciler.model import Json, MappingKey, Mappings, SubscriptionId
from reconciler.plan import diff
from reconciler.planning.changes import Change, select
from reconciler.render.grid import Column
from reconciler.run import read_live
from reconciler.state.recorded import Attached, InvoiceLook, Recorded, screen_numbers
from reconciler.writing.verdict import command_verdict

BILLS_NOTHING = frozenset({Attached.NO, Attached.DISABLED})


@click.command("check-invoices")
@only_option
@output_option("text", "json", "csv", "markdown")
@common_options
@click.pass_obj
def check_invoices(options: CommonOptions, *, only: tuple[str, ...], output: str) -> int:
    """Find Subscriptions that are on no live recurring invoice, and so bill nothing. Exit code 3 where there is one.

    It looks at all recurring invoices, however many requests that takes within settings.halo_budget, and stops when
    every Subscription is found. Lines that select by criteria are "perhaps": only HaloPSA knows what they catch.
    HaloPSA is only read. What was seen is remembered in the state, for status, report and the nightly issue.

    \b
    Environment: HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT (optional), HALO_AUTH_URL (optional),
    INFIMA_API_KEY, INFIMA_URL (optional); each secret also as ..._FILE.
    Rights: the scope read:invoices, and on the Agent's role Invoices read.

    \b
    Examples:
      reconciler check-invoices
      reconciler check-invoices --only infima-113 -o json
    """
    seen = look_at_invoices(options, only)
    _remember(options, seen)
    rows = seen.rows
    without = len(seen.changes) - len(rows) - sum(change.mapping.retired for change in seen.changes)
    nothing = [one for _, one in rows if one.verdict in BILLS_NOTHING]
    code = ExitCode.HELD if nothing else ExitCode.DONE
    if output == "json":
        told = [_json(change, one, seen.day_of(change)) for change, one in rows]
        show_json({"subscriptions": told, "mappings_without_subscription": without, "bill_nothing": len(nothing)})
        return code
    if rows:
        _draw(output, seen)
    tally = {verdict: sum(one.verdict is verdict for _, one in rows) for verdict in Attached}
    words = ", ".join(f"{n} {verdict}" for verdict, n in tally.items() if n)
    tell(f"{plural(len(rows), 'Subscription')}: {words or 'nothing to look for'}.")
    if without:
        tell(f"Without a Subscription yet, or with one in doubt: {plural(without, 'mapping')}. See: reconciler status")
    if nothing:
        tell(
            "Next, in HaloPSA: open the customer's recurring invoice, add a line whose quantity comes from the "
            f"Subscription, and save it. {NEW_HAS_NO_PRICE} reconciler never touches invoices."
        )
    return code


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicesSeen:
    """What one look at the recurring invoices showed. `changes` tell whose Subscription is which, and no numbers."""

    mappings: Mappings
    changes: tuple[Change, ...]
    recorded: Recorded
    looked: Looked
    asked: Mapping[MappingKey, SubscriptionId]
    at: datetime

    @property
    def rows(self) -> list[tuple[Change, InvoiceLook]]:
        """Each mapping with what was seen, the worst first."""
        looks, asked = self.recorded.looks, self.asked
        order = list(Attached)
        rows = [(change, looks[change.key]) for change in self.changes if change.key in asked and change.key in looks]
        return sorted(rows, key=lambda row: (order.index(row[1].verdict), row[0].key))

    def day_of(self, change: Change) -> date | None:
        """The day of the customer's next invoice."""
        return self.looked.invoice_days.get(change.mapping.halo_customer.id)


def look_at_invoices(options: CommonOptions, only: tuple[str, ...] = ()) -> InvoicesSeen:
    """Read HaloPSA: whose Subscription is which, and where each stands on recurring invoices. Counts nobody's users."""
    mappings = load(options)
    chosen = plan_options(mappings, only)
    # without mappings nobody's users are counted: which Subscription is whose does not hang on numbers
    with run_context(options, replace(mappings, mappings=())) as context:
        seen = read_live(context)
        changes = select(diff(mappings, seen.observation, seen.recorded), only=chosen.only).changes
        recorded, looked, asked = look_now(context, changes, seen.recorded)
        moment = context.clock.now()
    return InvoicesSeen(mappings=mappings, changes=changes, recorded=recorded, looked=looked, asked=asked, at=moment)


def _remember(options: CommonOptions, seen: InvoicesSeen) -> None:
    """Keep what was seen. Where the state cannot take it, that is said, and the answer stands all the same."""
    if not any(key in seen.recorded.bindings for key in seen.asked):
        return  # before the first apply there is nothing that these looks could be remembered with
    info = run_info(options, seen.mappings, "check-invoices")
    found = [one for _, one in seen.rows]
    nothing = sum(one.verdict in BILLS_NOTHING for one in found)
    told = f"check-invoices: looked for {plural(len(found), 'Subscription')}, {nothing} bill nothing"
    try:
        with open_store(options).open_run(info) as state:
            outlook = remember(state.recorded.outlook, seen.looked, seen.asked, now=seen.at)
            state.finish(command_verdict(info.id, told, finished_at=now()), outlook=outlook)
    except StateError as error:
        tell(safe(f"The result of this check could not be saved in the state: {error.message} {error.hint}".strip()))


def _draw(output: str, seen: InvoicesSeen) -> None:
    today = seen.at.date()
    parts: tuple[Part[tuple[Change, InvoiceLook]], ...] = (
        (Column(title="Verdict"), lambda row: str(row[1].verdict)),
        (Column(title="Mapping"), lambda row: row[0].key),
        (Column(title="HaloPSA customer", name=True), lambda row: f"{row[0].customer.name} ({row[0].customer.id})"),
        (Column(title="Subscription"), lambda row: _subscription(*row)),
        (Column(title="Quantity", number=True), lambda row: row[0].before.count if row[0].before else None),
        (
            Column(title="Next invoice"),
            lambda row: due_words(seen.day_of(row[0]), today).removeprefix("before the invoice of "),
        ),
        (Column(title="Where", wrap=True), lambda row: invoice_note(row[1])),
    )
    show_rows(output, parts, seen.rows)


def _subscription(change: Change, one: InvoiceLook) -> str:
    return f"#{one.subscription_id} {change.before.name if change.before else ''}".strip()


def _json(change: Change, one: InvoiceLook, day: date | None) -> Json:
    numbers = zip(one.invoices, screen_numbers(one.invoices), strict=True)
    return {
        "key": change.key,
        "halo_customer": {"id": change.customer.id, "name": change.customer.name},
        "subscription": subscription_json(change),
        "verdict": one.verdict.value,
        "invoices": [{"id": number, "number": shown} for number, shown in numbers],
        "next_invoice": day.isoformat() if day else None,
    }
