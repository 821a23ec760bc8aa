"""`reconciler report`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click

from reconciler.answers.attached import InvoicesKnown, bound, invoices_known
from reconciler.answers.needs import NeedInput, find_needs
from reconciler.cli.check_invoices import look_at_invoices
from reconciler.cli.files import load_plan_file, write_file
from reconciler.cli.options import INPUT_FILE, CommonOptions, OutputFile, common_options
from reconciler.cli.output import tell
from reconciler.cli.past import PastRecords, load_past, past_month, zone_of
from reconciler.cli.wiring import now
from reconciler.errors import ExitCode
from reconciler.history.account import changes_by_key, recorded_prices
from reconciler.history.timeline import draw_timeline
from reconciler.model import MappingKey
from reconciler.plan_document.write import needs_json
from reconciler.render.html import draw_report
from reconciler.render.html_time import Background, Name


@click.command()
@click.option(
    "--plan", "plan_file", type=INPUT_FILE, metavar="FILE",
    help="Tell of this plan (`plan --out`) or of what became of it (`apply -o json`).",
)  # fmt: skip
@click.option(
    "--month", metavar="YYYY-MM",
    help="The month of movements and audit trail, in settings.timezone.  [default: this one]",
)  # fmt: skip
@click.option(
    "--out", type=OutputFile(), metavar="FILE", default=Path("report.html"), show_default=True,
    help="The file to write.",
)  # fmt: skip
@click.option(
    "--check-invoices", "invoices", is_flag=True,
    help="Read HaloPSA's recurring invoices now, and name the Subscriptions that are on none.",
)  # fmt: skip
@common_options
@click.pass_obj
def report(options: CommonOptions, *, plan_file: Path | None, month: str | None, out: Path, invoices: bool) -> int:
    """Write one offline HTML file: was last night fine, who needs a person, what changed, and why each number.

    It is made from the recorded history and, with --plan, from a plan. Nothing is read from INFIMA or HaloPSA, but
    for --check-invoices, which needs the same environment and rights as the command check-invoices.

    \b
    Examples:
      reconciler report
      reconciler apply --auto-approve -o json > outcome.json; reconciler report --plan outcome.json
      reconciler report --month 2026-10 --out october.html
    """
    moment, past = now(), load_past(options)
    wanted = past_month(month, zone_of(past.mappings), moment)
    document = load_plan_file(plan_file).document if plan_file is not None else None
    recorded = past.recorded
    if invoices:
        seen = look_at_invoices(options)
        recorded = replace(seen.recorded, bindings=bound(seen.changes, seen.recorded, moment))
    around = Background(
        now=moment,
        month=wanted,
        runs=past.runs,
        timeline=draw_timeline(past.runs, past.snapshots),
        names=_names(past, min(wanted.end, moment)),
        by_key=changes_by_key(past.runs),
        needs=needs_json(find_needs(NeedInput(recorded=recorded, mappings=past.mappings, now=moment))),
        invoices=invoices_known(recorded, past.mappings) if past.mappings else InvoicesKnown(),
        looked=invoices,
    )
    text = draw_report(around, document)
    write_file(out, text, what="report")
    size = f"{len(text.encode()) // 1000 + 1} kB"
    tell(f"Saved the report to {out} ({size}). Open it in any browser; it needs no network.")
    return ExitCode.DONE


def _names(past: PastRecords, until: datetime) -> dict[MappingKey, Name]:
    bindings = past.recorded.bindings
    prices = recorded_prices(past.runs, past.snapshots, until)
    return {
        m.key: Name(
            customer=m.halo_customer.name,
            clients=tuple(f"{client.name} ({client.id})" for client in m.infima_clients),
            price=m.price or prices.get(m.key),
            subscription_id=bindings[m.key].subscription_id if m.key in bindings else m.subscription_id,
        )
        for m in (past.mappings.mappings if past.mappings else ())
    }
