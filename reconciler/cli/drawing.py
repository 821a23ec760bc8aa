"""Plans and errors in the format that -o asks for."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TextIO

from reconciler import __version__
from reconciler.cli.options import DOCUMENTS, CommonOptions
from reconciler.cli.output import clear_terminal, knows_no_escapes, say, stdout_encoding, tell, terminal_width
from reconciler.config import Diagnostic
from reconciler.errors import ConfigError, ReconcilerError
from reconciler.plan_document import dump_document, error_document
from reconciler.plan_document.layout import PlanJson
from reconciler.render.annotations import draw_diagnostics, render_annotations
from reconciler.render.markdown import render_markdown
from reconciler.render.pen import Pen
from reconciler.render.terminal import render_plan
from reconciler.render.terraform import render_terraform, render_terraform_failure
from reconciler.render.text import terminal_safe


def wants_colour(
    options: CommonOptions, environ: Mapping[str, str] = os.environ, *, stream: TextIO | None = None
) -> bool:
    """Colour on `stream` (stdout): --color first, then NO_COLOR, FORCE_COLOR, then whether it is a terminal."""
    if options.color != "auto":
        return options.color == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return (stream or sys.stdout).isatty() and not knows_no_escapes(environ)


def terminal_pen(options: CommonOptions) -> Pen:
    """How stdout is written on."""
    return Pen(
        verbose=options.verbose,
        colour=wants_colour(options),
        width=max(40, min(terminal_width(), 160)),
        encoding=stdout_encoding(),
    )


def draw_plan(document: PlanJson, options: CommonOptions) -> str:
    """The plan in the format that -o asks for."""
    match options.output:
        case "json":
            return dump_document(document)
        case "markdown":
            return render_markdown(document)
        case "html":
            from reconciler.render.html import render_html  # noqa: PLC0415 - jinja2, for one format of six

            return render_html(document)
        case "terraform":
            return render_terraform(document)
        case "github":
            return render_annotations(document)
        case _:
            return render_plan(document, terminal_pen(options))


def report_error(error: ReconcilerError, options: CommonOptions) -> None:
    """Draw an error: with its next step on stderr, and as a valid document on stdout where -o json was asked for."""
    clear_terminal()
    if options.output in DOCUMENTS:
        show_error_document(error, options.output)
    if isinstance(error, ConfigError) and error.diagnostics:
        found = [d for d in error.diagnostics if isinstance(d, Diagnostic)]
        if not (len(found) == 1 and error.message.endswith(found[0].message)):  # said once is enough
            tell(draw_diagnostics(found))
    lines = [terminal_safe(line, width=2_000) for line in error.message.splitlines()] or [""]
    tell("\n".join([f"Error: {lines[0]}", *lines[1:]]))
    if error.hint:
        tell(f"  {terminal_safe(error.hint, width=2_000)}")


def show_error_document(error: ReconcilerError, output: str) -> None:
    """An error as the one document on stdout that -o json and -o terraform promise."""
    failure = error_document(error, version=__version__)
    say(render_terraform_failure(failure) if output == "terraform" else dump_document(failure))
