"""`reconciler fmt`."""

from __future__ import annotations

from difflib import unified_diff

import click

from reconciler.cli.files import edit_file
from reconciler.cli.names import write_names
from reconciler.cli.options import CommonOptions, common_options, next_command
from reconciler.cli.output import safe, say, tell
from reconciler.config.fmt import format_mappings
from reconciler.config.source import decode, read_bytes
from reconciler.errors import ExitCode


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when the file is not in canonical form.")
@click.option("--diff", "show_diff", is_flag=True, help="Write nothing; print what would change.")
@click.option("--names", is_flag=True, help="Write today's names of clients and customers instead; reads both systems.")
@common_options
@click.pass_obj
def fmt(options: CommonOptions, *, check: bool, show_diff: bool, names: bool) -> int:
    """Bring mappings.yaml into canonical form: order of members and spacing. Comments stay, data stay. No network.

    With --names it writes today's names beside the ids and disturbs nothing else, so that a client or customer that
    was renamed is not told every night. A name that is another one's live name is left to you: ids may have been
    swapped. So is, where there is no Subscription yet, a quite different name: the id may be mistyped.

    \b
    Environment: RECONCILER_MAPPINGS; with --names also HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT
    (optional), HALO_AUTH_URL (optional), INFIMA_API_KEY, INFIMA_URL (optional); each secret also as ..._FILE.

    \b
    Examples:
      reconciler fmt
      reconciler fmt --check --diff
      reconciler fmt --names --diff
    """
    if names:
        return write_names(options, check=check, show_diff=show_diff)
    file = str(options.mappings)
    old = read_bytes(options.mappings)
    text = decode(old, file=file)
    formatted = format_mappings(text, file=file)
    if formatted == text:
        tell(safe(f"{file} is in canonical form."))
        return 0
    if show_diff:
        before, after = text.splitlines(), formatted.splitlines()
        for line in unified_diff(before, after, file, f"{file} (formatted)", lineterm=""):
            say(safe(line))
    if check:
        tell(safe(f"{file} is not in canonical form. Next: {next_command('fmt')}"))
        return ExitCode.ERROR
    if not show_diff:
        edit_file(options.mappings, old, formatted.encode("utf-8"))
        tell(safe(f"{file} formatted."))
    return 0
