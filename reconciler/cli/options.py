"""Options that every command takes, before or after the command's name, and those that several share."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

from reconciler.cli.envfile import environment_with, read_env_file
from reconciler.cli.signals import Stopper

F = TypeVar("F", bound=Callable[..., Any])

DOCUMENTS = ("json", "terraform")
"""Formats of which stdout holds exactly one document, on failure too."""


class OutputFile(click.Path):
    """A file to write. A folder that does not exist is told before anything is read, not after."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.parent.is_dir():
            self.fail(f"{str(path)!r} cannot be written: there is no folder {str(path.parent)!r}.", param, ctx)
        return path


@dataclass(slots=True, kw_only=True)
class CommonOptions:
    """What the common options came to; filled in while click parses, read by the commands.

    `given` has those of the line that the next command needs as well. `stopper` hears signals from the beginning of a
    command to its end.
    """

    mappings: Path = Path("mappings.yaml")
    state: str | None = None
    quiet: bool = False
    verbose: bool = False
    color: str = "auto"
    output: str = "text"
    given: dict[str, str] = field(default_factory=dict)
    stopper: Stopper = field(default_factory=Stopper)


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    """Keep a common option's value, wherever on the line it stood; a later one wins."""
    options = context.ensure_object(CommonOptions)
    source = context.get_parameter_source(parameter.name or "")
    if value is None or value is False or source is click.core.ParameterSource.DEFAULT:
        return
    setattr(options, parameter.name or "", value)
    _keep_given(context, parameter, value)


def _keep_given(context: click.Context, parameter: click.Parameter, value: object) -> None:
    name = parameter.opts[-1]
    typed = context.get_parameter_source(parameter.name or "") is click.core.ParameterSource.COMMANDLINE
    if typed and name in _SAME_FOR_THE_NEXT:
        context.ensure_object(CommonOptions).given[name] = str(value)


_SAME_FOR_THE_NEXT = ("--env-file", "--mappings", "--state")


def next_command(words: str) -> str:
    """`reconciler WORDS`, to be pasted: with the file of variables, the mappings and the state that this line named."""
    context = click.get_current_context(silent=True)
    options = context.find_object(CommonOptions) if context else None
    given = options.given if options else {}
    return " ".join(["reconciler", words, *(f"{name} {shlex.quote(given[name])}" for name in given)])


def _load_env_file(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    """Make the file's variables this process's until the command is over."""
    if value is None or context.resilient_parsing:
        return
    _keep_given(context, parameter, value)
    before = dict(os.environ)
    after = environment_with(read_env_file(value))

    def restore() -> None:
        os.environ.clear()
        os.environ.update(before)

    context.call_on_close(restore)
    os.environ.clear()
    os.environ.update(after)


_ENV_FILE = click.option(
    "--env-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_load_env_file,
    help="Take the variables from FILE: NAME=value on each line. None is loaded by itself.",
)


def common_options(command: F) -> F:
    """Add the common options. They may stand before the command's name as well as after it."""
    return _ENV_FILE(options_without_env_file(command))


def options_without_env_file(command: F) -> F:
    """The common options, for the one command that writes such a file."""
    decorators = [
        click.option(
            "--mappings",
            type=click.Path(path_type=Path, dir_okay=False),
            envvar="RECONCILER_MAPPINGS",
            metavar="FILE",
            expose_value=False,
            callback=_remember,
            help="The desired state.  [env: RECONCILER_MAPPINGS; default: mappings.yaml]",
        ),
        click.option(
            "--state",
            envvar="RECONCILER_STATE",
            metavar="directory:PATH|git:BRANCH",
            expose_value=False,
            shell_complete=complete_states,
            callback=_remember,
            help="Where bindings, journal and history are kept.  [env: RECONCILER_STATE; default: .reconciler]",
        ),
        click.option(
            "-q", "--quiet", is_flag=True, expose_value=False, callback=_remember, help="No progress on stderr."
        ),
        click.option(
            "-v", "--verbose", is_flag=True, expose_value=False, callback=_remember, help="Show unchanged rows too."
        ),
        click.option(
            "--color",
            type=click.Choice(["auto", "always", "never"]),
            expose_value=False,
            callback=_remember,
            help="Colour of the output; NO_COLOR and FORCE_COLOR are honoured.  [default: auto]",
        ),
    ]
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


def complete_keys(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The keys in mappings.yaml, for shell completion: no network, and nothing from a file that cannot be read."""
    from reconciler.config import list_keys  # noqa: PLC0415 - only a shell asks

    path = context.ensure_object(CommonOptions).mappings
    return [key for key in list_keys(path) if key.startswith(incomplete)]


def complete_keys_and_names(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Keys, and the names of clients and customers in mappings.yaml."""
    from reconciler.config import list_keys, list_names  # noqa: PLC0415 - only a shell asks

    path = context.ensure_object(CommonOptions).mappings
    known = dict.fromkeys([*list_keys(path), *list_names(path)])
    return [name for name in known if name.casefold().startswith(incomplete.casefold())]


def complete_allowances(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Safety rules that can be lifted; behind the colon the keys in mappings.yaml."""
    from reconciler.config import list_keys  # noqa: PLC0415 - only a shell asks
    from reconciler.planning.rules import Rule  # noqa: PLC0415 - as above

    rules = [str(rule) for rule in Rule if rule.liftable]
    rule, colon, _ = incomplete.partition(":")
    if colon and rule in rules:
        rules = [f"{rule}:{key}" for key in list_keys(context.ensure_object(CommonOptions).mappings)]
    return [name for name in rules if name.startswith(incomplete)]


def complete_states(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The two kinds of state, with their usual places."""
    usual = ("directory:.reconciler", "git:reconciler-state")
    return [name for name in usual if name.startswith(incomplete)]


def output_option(*formats: str) -> Callable[[F], F]:
    """Add `-o`; what was chosen is also remembered for the drawing of errors."""

    def remember(context: click.Context, _parameter: click.Parameter, value: str) -> str:
        context.ensure_object(CommonOptions).output = value
        if value == "html" and hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(encoding="utf-8")  # as the page says of itself, whatever the console speaks
        return value

    return click.option(
        "-o",
        "--output",
        type=click.Choice(list(formats)),
        default=formats[0],
        show_default=True,
        callback=remember,
        is_eager=True,
        help="How to draw the result on stdout.",
    )


def selection_options(command: F) -> F:
    """Add --only and --exclude."""
    command = click.option(
        "--exclude",
        multiple=True,
        metavar="KEY",
        shell_complete=complete_keys,
        help="Leave this mapping out; may be given several times.",
    )(command)
    return click.option(
        "--only",
        multiple=True,
        metavar="KEY",
        shell_complete=complete_keys,
        help="This mapping and no other; may be given several times.",
    )(command)


def allowance_options(command: F) -> F:
    """Add --allow and --reason."""
    command = click.option("--reason", metavar="TEXT", help="Why a rule is lifted; it is written into the journal.")(
        command
    )
    return click.option(
        "--allow",
        multiple=True,
        metavar="RULE[:KEY]",
        shell_complete=complete_allowances,
        help="Lift exactly this safety rule for this run, for one mapping where KEY is given; needs --reason.",
    )(command)
