"""stdout carries the result, stderr everything else."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from reconciler import __version__
from reconciler.cli.options import CommonOptions

if TYPE_CHECKING:
    from reconciler.errors import ReconcilerError
    from reconciler.plan_document import PlanJson


def prepare_streams() -> None:
    """A console that cannot show a character gets its code instead of an exception (cp1252, plain ASCII)."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def wants_colour(options: CommonOptions, environ: Mapping[str, str] = os.environ) -> bool:
    """Colour on stdout: --color first, then NO_COLOR, FORCE_COLOR, then whether stdout is a terminal."""
    if options.color != "auto":
        return options.color == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and environ.get("TERM") != "dumb"


def terminal_style(options: CommonOptions) -> dict[str, Any]:
    """Keyword arguments for the terminal drawings."""
    return {
        "verbose": options.verbose,
        "colour": wants_colour(options),
        "width": max(60, min(shutil.get_terminal_size((100, 24)).columns, 160)),
        "encoding": sys.stdout.encoding or "ascii",
    }


def draw_plan(document: PlanJson, options: CommonOptions) -> str:
    """The plan in the format that -o asks for."""
    match options.output:
        case "json":
            from reconciler.plan_document import dump_document  # noqa: PLC0415

            return dump_document(document)
        case "markdown":
            from reconciler.render.markdown import render_markdown  # noqa: PLC0415

            return render_markdown(document)
        case "html":
            from reconciler.render.html import render_html  # noqa: PLC0415

            return render_html(document)
        case "github":
            from reconciler.render.github import render_annotations  # noqa: PLC0415

            return render_annotations(document)
        case _:
            from reconciler.render.terminal import render_plan  # noqa: PLC0415

            return render_plan(document, **terminal_style(options))


def say(text: str) -> None:
    """Write to stdout."""
    click.echo(text, nl=not text.endswith("\n"), color=True)


def tell(text: str) -> None:
    """Write to stderr."""
    click.echo(text, err=True)


def safe(text: str, width: int = 2_000) -> str:
    """One line of our own words with foreign names in it, harmless on this terminal and in a CI log."""
    from reconciler.render.text import terminal_safe  # noqa: PLC0415

    return terminal_safe(text, width, encoding=sys.stdout.encoding or "ascii")


def report_error(error: ReconcilerError, options: CommonOptions) -> None:
    """Draw an error: with its next step on stderr, and as a valid document on stdout where -o json was asked for."""
    from reconciler.errors import ConfigError  # noqa: PLC0415

    if options.output == "json":
        from reconciler.plan_document import dump_document, error_document  # noqa: PLC0415

        say(dump_document(error_document(error, version=__version__)))
    if isinstance(error, ConfigError) and error.diagnostics:
        from reconciler.config import Diagnostic, draw_diagnostics  # noqa: PLC0415

        found = [d for d in error.diagnostics if isinstance(d, Diagnostic)]
        if not (len(found) == 1 and error.message.endswith(found[0].message)):  # said once is enough
            tell(draw_diagnostics(found))
    from reconciler.render.text import terminal_safe  # noqa: PLC0415

    lines = [terminal_safe(line, width=2_000) for line in error.message.splitlines()] or [""]
    tell("\n".join([f"Error: {lines[0]}", *lines[1:]]))
    if error.hint:
        tell(f"  {terminal_safe(error.hint, width=2_000)}")
