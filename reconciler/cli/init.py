"""`reconciler init`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from reconciler import __version__
from reconciler.cli.options import common_options
from reconciler.cli.output import prompt, safe, say, tell
from reconciler.config.checking import schema_text
from reconciler.errors import ExitCode, StateError, UsageError
from reconciler.moments import find_zone
from reconciler.state.gitcommand import Git
from reconciler.templates import Template, templates

CURRENCY = re.compile("[A-Z]{3}")


@click.command()
@click.argument("directory", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--no-workflows", is_flag=True, help="Leave GitHub's workflows out.")
@click.option("--currency", metavar="CODE", help="Currency of the prices in HaloPSA, such as EUR.  [default: asked]")
@click.option(
    "--timezone", metavar="ZONE", help="Time zone that days are meant in, such as Europe/London.  [default: asked]"
)
@common_options
def init(*, directory: Path, no_workflows: bool, currency: str | None, timezone: str | None) -> int:
    """Start a repository: mappings.yaml with comments, schema, workflows, editor settings. Never overwrites a file.

    On a terminal it asks for currency and time zone; an empty answer leaves them out. Where there is no git repository
    it makes one. No network, and no variables are needed.

    \b
    Examples:
      reconciler init
      reconciler init billing --no-workflows
      reconciler init --currency EUR --timezone Europe/Dublin
    """
    asks = sys.stdin.isatty() and not (directory / "mappings.yaml").exists()
    currency = _settled(currency, "Currency of your prices, such as EUR", _check_currency, asks=asks)
    timezone = _settled(timezone, "Time zone, such as Europe/London", _check_timezone, asks=asks)
    schema = schema_text("mappings.schema.json")
    wanted = templates(schema, workflows=not no_workflows, currency=currency, timezone=timezone)
    kept = [template for template in wanted if not _write(directory / template.path, template)]
    made = [template for template in wanted if template not in kept]
    for template in made:
        say(safe(f"  created  {template.path}  ({template.purpose})"))
    for template in kept:
        say(safe(f"  kept     {template.path}  (it was there already and is as it was)"))
    _start_repository(directory)
    if made:
        _tell_what_is_missing(directory, kept)
    if not no_workflows:
        tell(
            f"For the workflows: make pin VERSION={__version__} (or put the program's wheel into vendor/), and commit;"
        )
        tell("docs/gitops.md has the rest.")
    tell(
        "For real use set HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET and INFIMA_API_KEY, or write them to a file for"
    )
    tell("--env-file FILE. To practise first: reconciler simulate --env-file simulator.env")
    there = "" if directory == Path() else f"cd {directory}, then "
    tell("\n" + safe(f"Next: {there}reconciler doctor"))
    return ExitCode.DONE


def _settled(given: str | None, question: str, check: Callable[[str], str], *, asks: bool) -> str:
    """What the option says, or what a person answers; a wrong answer is asked for again. Raises `UsageError`."""
    if given is not None:
        if problem := check(given):
            raise UsageError(problem, hint="Leave the option out to be asked.")
        return given
    while asks:
        answer = prompt(question).strip()
        problem = check(answer) if answer else ""
        if not problem:
            return answer
        tell(safe(problem))
    return ""


def _check_currency(code: str) -> str:
    return "" if CURRENCY.fullmatch(code) else f"{code!r} is not a currency: three capital letters, such as EUR."


def _check_timezone(name: str) -> str:
    return "" if find_zone(name) else f"{name!r} is not a time zone of the IANA database, such as Europe/London."


def _start_repository(directory: Path) -> None:
    """Make a git repository where there is none; where git is missing or says no, say so and go on."""
    git = Git(directory, os.environ)
    try:
        inside = git.run("rev-parse", "--is-inside-work-tree")
        if inside.ok or "not a git repository" not in inside.complaint:
            return
        made = git.run("init", "-q", "-b", "main")
    except StateError as error:
        tell(safe(f"No git repository was made: {error.message}"))
        return
    if made.ok:
        say("  created  .git  (a git repository: mappings.yaml is reviewed and kept in it)")
    else:
        tell(safe(f"No git repository was made: {made.complaint}"))


def _tell_what_is_missing(directory: Path, kept: Sequence[Template]) -> None:
    """Say which lines a file that was kept has to have, where it lacks one."""
    for template in kept:
        if template.path in {".gitignore", ".gitattributes"} and not _holds(directory / template.path, template.text):
            tell(safe(f"Add to {template.path}:"))
            for line in template.text.splitlines():
                tell(f"    {line}")


def _write(path: Path, template: Template) -> bool:
    """Write a new file; False where something is there already. Raises `UsageError` when it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(template.text)
        if template.executable:
            path.chmod(0o755)
    except FileExistsError:
        if not path.parent.is_dir():
            raise UsageError(f"{path.parent} is not a directory.", hint="Name another directory.") from None
        return False
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.", hint="Name a directory that you may write to."
        ) from error
    return True


def _holds(path: Path, text: str) -> bool:
    """True when the file that was kept has all the lines that matter."""
    try:
        standing = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return all(line in standing for line in text.splitlines() if not line.startswith("#"))
