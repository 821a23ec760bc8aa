"""`reconciler fmt`."""

from __future__ import annotations

from difflib import unified_diff

import click

from reconciler.cli.files import edit_file
from reconciler.cli.options import CommonOptions, common_options
from reconciler.cli.output import safe, say, tell
from reconciler.config.fmt import format_mappings
from reconciler.config.source import decode, read_bytes
from reconciler.errors import ExitCode


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when the file is not in canonical form.")
@click.option("--diff", "show_diff", is_flag=True, help="Write nothing; print what would change.")
@common_options
@click.pass_obj
def fmt(options: CommonOptions, *, check: bool, show_diff: bool) -> int:
    """Bring mappings.yaml into canonical form: order of members and spacing. Comments stay, data stay. No network.

    \b
    Environment: RECONCILER_MAPPINGS.

    \b
    Examples:
      reconciler fmt
      reconciler fmt --check --diff
    """
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
        tell(safe(f"{file} is not in canonical form. Next: reconciler fmt"))
        return ExitCode.ERROR
    if not show_diff:
        edit_file(options.mappings, old, formatted.encode("utf-8"))
        tell(safe(f"{file} formatted."))
    return 0
