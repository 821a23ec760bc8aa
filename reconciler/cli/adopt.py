"""`reconciler adopt`."""

from __future__ import annotations

import click

from reconciler.answers import adoption
from reconciler.cli.decision import carry_out
from reconciler.cli.options import CommonOptions, common_options, complete_keys, output_option
from reconciler.model import SubscriptionId

REASON_HELP = "Why; it is written into the journal and the history."
YES_HELP = "Do not ask. Every check is made all the same."


@click.command()
@click.argument("key", shell_complete=complete_keys)
@click.argument("subscription_id", type=click.IntRange(min=1, max=2**31 - 1))
@click.option("--reason", metavar="TEXT", help=REASON_HELP)
@click.option("--yes", is_flag=True, help=YES_HELP)
@output_option("text", "patch")
@common_options
@click.pass_obj
def adopt(options: CommonOptions, *, key: str, subscription_id: int, reason: str | None, yes: bool, output: str) -> int:
    """Bind mapping KEY to a Subscription that exists already, so that no second one is created.

    It looks at HaloPSA, refuses what is not plainly the mapping's (another customer, inactive, a plain licence, another
    mapping's), and writes the state and `subscription_id` into mappings.yaml, without disturbing a byte of the rest, so
    that the adoption survives the loss of any state. HaloPSA is not touched. The next apply sets the quantity.

    With -o patch, which suits CI, mappings.yaml stays as it is and the edit is printed for `git apply`.

    \b
    Environment: HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT (optional), HALO_AUTH_URL (optional),
    INFIMA_API_KEY, INFIMA_URL (optional); each secret also as ..._FILE.

    \b
    Examples:
      reconciler adopt infima-104 9010 --reason "made by hand in 2024"
      reconciler adopt infima-104 9010 --reason "ticket 4711" --yes
      reconciler adopt infima-104 9010 --reason "ticket 4711" --yes -o patch | git apply
    """
    number = SubscriptionId(subscription_id)
    return carry_out(
        options,
        key,
        lambda context: adoption.adopt(context, number),
        command="adopt",
        reason=reason,
        yes=yes,
        as_patch=output == "patch",
    )
