"""`reconciler ci notify`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from reconciler.cli.options import CommonOptions, common_options
from reconciler.cli.output import tell
from reconciler.cli.reporting import notice_of, read, result_option
from reconciler.forge.notify import addresses, is_told
from reconciler.forge.notify import notify as send


@click.command()
@result_option
@click.option(
    "--as",
    "occasion",
    type=click.Choice(["night", "applied"]),
    default="night",
    show_default=True,
    help="What the text is about.",
)
@click.option("--always", is_flag=True, help="Send it also when nothing waits for a person.")
@common_options
@click.pass_obj
def notify(options: CommonOptions, *, result_file: Path, occasion: str, always: bool) -> int:
    """Tell people where they are: Teams, Slack, mail, ntfy and a hundred others, by the addresses in NOTIFY_URLS.

    Sent when something waits for a person, and once when all that waited is right again: how it ended, each thing with
    its next invoice and what to do, a link to the run; in the service's markup and within its size. Needs the extra
    `notify` (apprise), whose documentation shows each service's address.

    \b
    Environment: NOTIFY_URLS, addresses separated by spaces or lines, or NOTIFY_URLS_FILE.

    \b
    Examples:
      reconciler ci notify --result result.json
      reconciler ci notify --result result.json --as applied --always
    """
    urls, result = addresses(os.environ), read(result_file)
    if not urls:
        tell("NOTIFY_URLS is not set: nobody is told by message.")
    elif not (always or is_told(result)):
        tell("Nothing waits for a person, and nothing did before: no message is sent.")
    else:
        sent = send(notice_of(result, occasion, options.mappings), urls, os.environ)
        tell(f"Told: {', '.join(sent)}.")
    return 0
