"""`reconciler validate`."""

from __future__ import annotations

import json
from collections.abc import Iterable

import click

from reconciler.answers.words import plural
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
    file = str(options.mappings)
    try:
        examination = examine_mappings(read_bytes(options.mappings), file=file, now=SystemClock().now())
    except ConfigError as error:  # what is no text has a place as well, and a pull request shows it there
        if output == "github":
            _annotate(d for d in error.diagnostics if isinstance(d, Diagnostic))
        raise
    found, mappings, count = examination.diagnostics, examination.mappings, examination.error_count
    if output == "json":
        say(json.dumps(diagnostics_document(found) | {"error_count": count}, indent=2, ensure_ascii=True))
    elif output == "github":
        _annotate(found)
    elif found:
        tell(draw_diagnostics(found))
    if mappings is None:
        listed = sum(d.severity == "error" for d in found)
        rest = f", of which the first {listed} are listed" if listed < count else ""
        tell(f"{file}: {plural(count, 'problem')}{rest}.")
        return ExitCode.ERROR
    if output == "text":
        retired = sum(m.retired for m in mappings.mappings)
        among = f" ({retired} retired)" if retired else ""
        say(f"{file} is valid: {len(mappings.mappings)} mappings{among}, {len(mappings.ignored)} ignored clients.")
    return ExitCode.DONE


def _annotate(found: Iterable[Diagnostic]) -> None:
    for line in annotation_lines(found):
        say(line)
