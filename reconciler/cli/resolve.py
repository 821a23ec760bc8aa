"""`reconciler resolve`."""

from __future__ import annotations

import click

from reconciler.answers import adoption
from reconciler.cli.adopt import REASON_HELP, YES_HELP
from reconciler.cli.attached import say_attached
from reconciler.cli.decision import Decide, carry_out
from reconciler.cli.options import CommonOptions, common_options, complete_keys
from reconciler.errors import UsageError
from reconciler.model import SubscriptionId


@click.command()
@click.argument("key", shell_complete=complete_keys)
@click.option(
    "--adopt",
    "adopted",
    type=click.IntRange(min=1, max=2**31 - 1),
    metavar="ID",
    help="The create did take effect: this Subscription is the one.",
)
@click.option("--abandon", is_flag=True, help="The create took no effect: forget it, so that a new one may be sent.")
@click.option("--recreate", is_flag=True, help="The Subscription is gone: give it up, so that a new one is created.")
@click.option("--attached", is_flag=True, help="It is on a recurring invoice, where no look can show it.")
@click.option("--reason", metavar="TEXT", help=REASON_HELP)
@click.option("--yes", is_flag=True, help=YES_HELP)
@common_options
@click.pass_obj
def resolve(
    options: CommonOptions,
    *,
    key: str,
    adopted: int | None,
    abandon: bool,
    recreate: bool,
    attached: bool,
    reason: str | None,
    yes: bool,
) -> int:
    """Decide what the program must not decide alone: a create without an answer, a Subscription that is gone.

    Exactly one of --adopt, --abandon, --recreate and --attached. It refuses what was seen to be otherwise, and writes
    the state only. --attached is for Subscriptions that the program cannot see on an invoice: it may not read invoices,
    or a line selects by criteria.

    \b
    Environment: HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT (optional), HALO_AUTH_URL (optional),
    INFIMA_API_KEY, INFIMA_URL (optional); each secret also as ..._FILE.

    \b
    Examples:
      reconciler resolve infima-113 --adopt 9055 --reason "found it in HaloPSA"
      reconciler resolve infima-113 --abandon --reason "looked, it is not there"
      reconciler resolve infima-107 --recreate --reason "deleted by mistake"
      reconciler resolve infima-113 --attached --reason "line 3 of contract 71 takes all trainings in"
    """
    if (adopted is not None) + abandon + recreate + attached != 1:
        raise UsageError(
            "resolve takes exactly one of --adopt ID, --abandon, --recreate and --attached.",
            hint=f"`reconciler explain {key}` tells which of them fits.",
        )
    if attached:
        return say_attached(options, key, reason=reason, yes=yes)
    decide: Decide
    if adopted is not None:
        number = SubscriptionId(adopted)
        decide = lambda context: adoption.adopt(context, number)  # noqa: E731 - beside two of its kind
    elif abandon:
        decide = adoption.abandon
    else:
        decide = adoption.recreate
    return carry_out(options, key, decide, command="resolve", reason=reason, yes=yes)
