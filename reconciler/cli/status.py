"""`reconciler status`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from reconciler.answers.attached import remember, wanted_of
from reconciler.answers.invoices import Looked, look
from reconciler.answers.status import Attention, StatusRow, last_changes, status_rows
from reconciler.answers.words import plural
from reconciler.cli.drawing import terminal_pen
from reconciler.cli.options import CommonOptions, common_options, only_option, output_option
from reconciler.cli.output import Part, say, show_json, show_rows, tell
from reconciler.cli.wiring import load, open_store, plan_options, run_context
from reconciler.errors import ExitCode
from reconciler.model import Json, MappingKey, SubscriptionId
from reconciler.plan_document.write import needs_json
from reconciler.planning.changes import Change, Plan
from reconciler.planning.observation import RunContext
from reconciler.render.grid import Column
from reconciler.render.markdown import markdown_needs
from reconciler.render.terminal import render_needs
from reconciler.render.words import in_all
from reconciler.run import make_plan, read_live
from reconciler.state.history import PastChange
from reconciler.state.recorded import Recorded


@click.command()
@only_option
@click.option(
    "--check-invoices", "invoices", is_flag=True, help="Read the recurring invoices too: one request for each."
)
@output_option("text", "json", "csv", "markdown")
@common_options
@click.pass_obj
def status(options: CommonOptions, *, only: tuple[str, ...], invoices: bool, output: str) -> int:
    """Show each mapping at a glance: who is paired with whom, both numbers, the last change, what needs attention.

    It reads both systems and writes nothing. What needs attention comes first.

    \b
    Environment: HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT (optional), HALO_AUTH_URL (optional),
    INFIMA_API_KEY, INFIMA_URL (optional); each secret also as ..._FILE.

    \b
    Examples:
      reconciler status
      reconciler status --only infima-101 --check-invoices
      reconciler status -o csv > status.csv
    """
    mappings = load(options)
    chosen = plan_options(mappings, only)
    with run_context(options, mappings) as context:
        seen = read_live(context)
        recorded = seen.recorded
        plan = make_plan(mappings, seen.observation, recorded, chosen)
        if invoices:
            recorded, _, _ = look_now(context, plan.changes, recorded)
            plan = make_plan(mappings, seen.observation, recorded, chosen)
    rows = status_rows(plan, last_changes(open_store(options).history.runs()), recorded)
    if output == "json":
        show_json(_document(plan, rows))
        return ExitCode.DONE
    if rows:
        _draw(output, rows)
    _say_needs(plan, output, options)
    pending = sum(row.attention is Attention.PENDING for row in rows)
    due = f"; {plural(pending, 'change')} {'is' if pending == 1 else 'are'} due at the next apply" if pending else ""
    shown = plural(len(rows), "mapping")
    if not plan.complete:
        shown = f"{len(rows)} of {plural(len(plan.every_change), 'mapping')} shown, all of them looked at"
    tell(f"{shown}; {in_all(len(plan.needs))}{due}.")
    return ExitCode.DONE


def _say_needs(plan: Plan, output: str, options: CommonOptions) -> None:
    """The whole list, whatever --only left out of the table."""
    needs, today = needs_json(plan.needs), plan.taken_at.date()
    if not needs or output == "csv":
        return
    if output == "markdown":
        say("\n" + "\n".join([f"**Waits for a person ({len(needs)}):**", "", *markdown_needs(needs, today)]))
    else:
        say("\n" + render_needs(needs, today, terminal_pen(options)))


def _document(plan: Plan, rows: tuple[StatusRow, ...]) -> dict[str, object]:
    return {
        "taken_at": plan.taken_at.isoformat(),
        "complete": plan.complete,
        "refused": plan.refused,
        "refusals": [
            {"rule": v.rule.value, "message": v.message, "remedy": v.remedy, "measured": v.measured, "limit": v.limit}
            for v in plan.refusals
        ],
        "needs": needs_json(plan.needs),
        "mappings": [_json(row) for row in rows],
        "unmapped_clients": [{"id": c.id, "name": c.name, "user_count": c.user_count} for c in plan.unmapped],
        "unmanaged_subscriptions": [
            {
                "id": one.id,
                "key": one.key,
                "name": one.name,
                "customer_id": one.customer_id,
                "customer_name": one.customer_name,
                "count": one.count,
            }
            for one in plan.unmanaged
        ],
    }


def look_now(
    context: RunContext, changes: Sequence[Change], recorded: Recorded, *, everywhere: bool = True
) -> tuple[Recorded, Looked, dict[MappingKey, SubscriptionId]]:
    """Look at the recurring invoices, however many requests it takes. Raises `ApiError`.

    Returns the records with this look in them, the look itself, and for whose Subscriptions it was.
    """
    wanted = wanted_of(changes, recorded)
    looked, today = Looked(), context.clock.now().date()
    if wanted:
        target, ones = context.systems.target, list(wanted.values())
        looked = look(target, ones, today=today, observe=context.observe, everywhere=everywhere)
    asked = {key: one.subscription_id for key, one in wanted.items()}
    outlook = remember(recorded.outlook, looked, asked, now=context.clock.now())
    return recorded.with_outlook(outlook), looked, asked


def _draw(output: str, rows: tuple[StatusRow, ...]) -> None:
    """A terminal gets the columns that hold anything; spreadsheets and pages get them all."""
    if output != "text":
        show_rows(output, _WIDE, rows)
        return
    kept = [part for part in _NARROW if part[0].wrap or any(part[1](row) not in {None, ""} for row in rows)]
    show_rows(output, kept, rows)


def _pair(row: StatusRow) -> str:
    return f"{' + '.join(client.name for client in row.change.clients)} -> {row.change.customer.name}"


def _subscription(row: StatusRow, *, named: bool) -> str | None:
    before = row.change.before
    if before is None:
        return None
    return f"#{before.id} {before.name}" if named else f"#{before.id}"


_MAPPING: Part[StatusRow] = (Column(title="Mapping"), lambda row: row.change.key)
_NUMBERS: tuple[Part[StatusRow], ...] = (
    (Column(title="INFIMA", number=True), lambda row: row.change.quantity.counted),
    (Column(title="HaloPSA", number=True), lambda row: row.change.before.count if row.change.before else None),
    (Column(title="Rule"), lambda row: row.change.quantity.rule),
    (Column(title="Last change"), lambda row: _last(row.last)),
)
_WIDE: tuple[Part[StatusRow], ...] = (
    _MAPPING,
    (Column(title="INFIMA client", name=True), lambda row: ", ".join(f"{c.name} ({c.id})" for c in row.change.clients)),
    (Column(title="HaloPSA customer", name=True), lambda row: f"{row.change.customer.name} ({row.change.customer.id})"),
    (Column(title="Subscription"), lambda row: _subscription(row, named=True)),
    *_NUMBERS,
    (Column(title="Recurring invoice"), lambda row: row.invoice),
    (Column(title="Attention"), lambda row: row.note),
)
_NARROW: tuple[Part[StatusRow], ...] = (
    _MAPPING,
    (Column(title="INFIMA client -> HaloPSA customer", name=True), _pair),
    (Column(title="Subscription"), lambda row: _subscription(row, named=row.renamed)),
    *_NUMBERS,
    (Column(title="Invoice"), lambda row: row.invoice),
    (Column(title="Attention", wrap=True), lambda row: row.note),
)
"""For a terminal: names share a column, and a Subscription's name shows where people changed it."""


def _last(last: PastChange | None) -> str:
    if last is None:
        return ""
    before = "new" if last.change.before is None else str(last.change.before)
    return f"{last.run.verdict.finished_at:%Y-%m-%d} {before} -> {last.change.after}"


def subscription_json(change: Change) -> Json:
    """The mapping's Subscription as both systems show it now; None without one."""
    before = change.before
    return None if before is None else {"id": before.id, "name": before.name, "count": before.count}


def _json(row: StatusRow) -> Json:
    change, last = row.change, row.last
    return {
        "key": change.key,
        "infima_clients": [
            {"id": c.id, "name": c.name, "active_users": c.active_users, "user_count": c.user_count}
            for c in change.clients
        ],
        "halo_customer": {"id": change.customer.id, "name": change.customer.name},
        "subscription": subscription_json(change),
        "quantity": {
            "counted": change.quantity.counted,
            "rule": change.quantity.rule,
            "result": change.quantity.result,
        },
        "action": change.action.value,
        "hold": None if change.hold is None else change.hold.rule.value,
        "attention": row.note or None,
        "last_change": None
        if last is None
        else {
            "at": last.run.verdict.finished_at.isoformat(),
            "run": last.run.info.id,
            "before": last.change.before,
            "after": last.change.after,
        },
        "needs": [need.id for need in row.needs],
        "invoice": None
        if row.look is None
        else {
            "verdict": row.look.verdict.value,
            "invoices": list(row.look.invoices),
            "looked_at": row.look.looked_at.isoformat(),
            "attached_at": row.look.attached_at.isoformat() if row.look.attached_at else None,
            "word": row.look.word or None,
        },
    }
