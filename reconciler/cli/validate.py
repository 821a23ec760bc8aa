"""`reconciler validate`."""

from __future__ import annotations

import json

import click

from reconciler.cli.options import CommonOptions, common_options, output_option
from reconciler.cli.output import say, tell
from reconciler.clock import SystemClock
from reconciler.config import Diagnostic, examine_mappings
from reconciler.config.source import read_bytes
from reconciler.errors import ConfigError, ExitCode
from reconciler.render.annotations import annotation_lines, diagnostics_document, draw_diagnostics


@click.command()
@output_option("text", "json", "github")
@common_options
@click.pass_obj
def validate(options: CommonOptions, output: str) -> int:
    """Check mappings.yaml alone, without network: every problem at once, each with its place.

    \b
    Examples:
      reconciler validate
      reconciler --mappings acme.yaml validate -o json
    """
    try:
        examination = examine_mappings(
            read_bytes(options.mappings), file=str(options.mappings), now=SystemClock().now()
        )
    except ConfigError as error:  # what is no text has a place as well, and a pull request shows it there
        if output == "github":
            for line in annotation_lines(d for d in error.diagnostics if isinstance(d, Diagnostic)):
                say(line)
        raise
    found = examination.diagnostics
    match output:
        case "json":
            document = diagnostics_document(found) | {"error_count": examination.error_count}
            say(json.dumps(document, indent=2, ensure_ascii=True))
        case "github":
            for line in annotation_lines(found):
                say(line)
        case _:
            if found:
                tell(draw_diagnostics(found))
    if examination.mappings is None:
        noun = "problem" if examination.error_count == 1 else "problems"
        listed = sum(d.severity == "error" for d in found)
        rest = f", of which the first {listed} are listed" if listed < examination.error_count else ""
        tell(f"{options.mappings}: {examination.error_count} {noun}{rest}.")
        return ExitCode.ERROR
    if output == "text":
        mappings = examination.mappings
        retired = sum(m.retired for m in mappings.mappings)
        say(
            f"{options.mappings} is valid: {len(mappings.mappings)} mappings"
            f"{f' ({retired} retired)' if retired else ''}, {len(mappings.ignored)} ignored clients."
        )
    return 0
