"""Options that every command takes, before or after the command's name, and those that several share."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

from reconciler.cli.output import closest
from reconciler.cli.signals import Stopper
from reconciler.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

DOCUMENTS = ("json", "terraform")
"""Formats of which stdout holds exactly one document, on failure too."""

INPUT_FILE = click.Path(path_type=Path, dir_okay=False)


class OutputFile(click.Path):
    """A file to write. A folder that does not exist is told before anything is read, not after."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.parent.is_dir():
            self.fail(f"{str(path)!r} cannot be written: there is no folder {str(path.parent)!r}.", param, ctx)
        return path


# ---------------------------------------------------------------------------------------------------------------------
# --env-file FILE
# ---------------------------------------------------------------------------------------------------------------------

VARIABLES = (
    "HALO_URL", "HALO_AUTH_URL", "HALO_CLIENT_ID", "HALO_CLIENT_SECRET", "HALO_TENANT", "INFIMA_URL", "INFIMA_API_KEY",
    "RECONCILER_MAPPINGS", "RECONCILER_STATE", "RECONCILER_PROXY", "NOTIFY_URLS", "DEAD_MANS_SWITCH_URL",
    "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
"""What a file of variables may set; each but the last two also as NAME_FILE."""

MAX_BYTES = 64_000


def read_env_file(path: Path) -> dict[str, str]:
    """The variables in the file. Raises `UsageError` with every problem at once; no value is repeated in it.

    The file is read strictly, because it decides which HaloPSA is written to: `NAME=value` on each line, as it stands,
    with nothing to expand and nothing to unquote.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"--env-file {path} cannot be read: {error.strerror}.", hint="Name another file.") from error
    try:
        text = content[: MAX_BYTES + 1].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"--env-file {path} is not UTF-8.", hint="Save it as UTF-8.") from error
    if len(content) > MAX_BYTES:
        raise UsageError(f"--env-file {path} is too large for a list of variables.", hint="Name another file.")
    found: dict[str, str] = {}
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip() and line.lstrip()[0] != "#"]
    problems = [f"line {number}: {problem}" for number, line in lines if (problem := _take(line, found))]
    if problems:
        hint = "Write NAME=value on each line, without quotes; # begins a comment line."
        raise UsageError(f"--env-file {path}: {'; '.join(problems)}.", hint=hint)
    return found


def _take(line: str, found: dict[str, str]) -> str:
    """Put the line's variable into `found`; return what is wrong with it."""
    parts = re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", line)
    if parts is None:
        return "`export` is not needed" if line.startswith("export ") else "not NAME=value"
    name, value = parts.groups()
    known = [*VARIABLES, *(f"{each}_FILE" for each in VARIABLES if not each.startswith("SSL_"))]
    if name not in known:
        near = closest(name, known)
        return f"{name} is not known" + (f", did you mean {near}?" if near else "")
    if name in found:
        return f"{name} is given twice"
    if value != value.strip() or not value.isprintable():
        return f"{name} has a space at an end or a control character"
    if value[:1] in {'"', "'"} or value[-1:] in {'"', "'"}:
        return f"{name} is in quotes"
    found[name] = value
    return ""


def environment_with(found: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment with the file's variables in it.

    A file that has any variable of HaloPSA (or of INFIMA) replaces all that the environment says of that system: an
    address and its secret come from one place.
    """
    named = tuple(system for system in ("HALO_", "INFIMA_") if any(name.startswith(system) for name in found))
    kept = {name: value for name, value in environ.items() if not (named and name.startswith(named))}
    return kept | dict(found)


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


# ---------------------------------------------------------------------------------------------------------------------
# Shell completion: no network, and nothing from a file that cannot be read
# ---------------------------------------------------------------------------------------------------------------------


def complete_keys(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The keys in mappings.yaml."""
    from reconciler.config import list_keys  # noqa: PLC0415 - only a shell asks

    return [key for key in list_keys(context.ensure_object(CommonOptions).mappings) if key.startswith(incomplete)]


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
    return [name for name in ("directory:.reconciler", "git:reconciler-state") if name.startswith(incomplete)]


# ---------------------------------------------------------------------------------------------------------------------
# The common options
# ---------------------------------------------------------------------------------------------------------------------

_SAME_FOR_THE_NEXT = ("--env-file", "--mappings", "--state")


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


def next_command(words: str) -> str:
    """`reconciler WORDS`, to be pasted: with the file of variables, the mappings and the state that this line named."""
    context = click.get_current_context(silent=True)
    options = context.find_object(CommonOptions) if context else None
    given = options.given if options else {}
    return " ".join(["reconciler", words, *(f"{name} {shlex.quote(given[name])}" for name in given)])


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


def _common(*names: str, **settings: Any) -> Callable[[F], F]:
    return click.option(*names, expose_value=False, callback=_remember, **settings)


_COMMON = (
    _common(
        "--mappings", type=INPUT_FILE, envvar="RECONCILER_MAPPINGS", metavar="FILE",
        help="The desired state.  [env: RECONCILER_MAPPINGS; default: mappings.yaml]",
    ),
    _common(
        "--state", envvar="RECONCILER_STATE", metavar="directory:PATH|git:BRANCH", shell_complete=complete_states,
        help="Where bindings, journal and history are kept.  [env: RECONCILER_STATE; default: .reconciler]",
    ),
    _common("-q", "--quiet", is_flag=True, help="No progress on stderr."),
    _common("-v", "--verbose", is_flag=True, help="Show unchanged rows too."),
    _common(
        "--color", type=click.Choice(["auto", "always", "never"]),
        help="Colour of the output; NO_COLOR and FORCE_COLOR are honoured.  [default: auto]",
    ),
)  # fmt: skip

_ENV_FILE = click.option(
    "--env-file", type=INPUT_FILE, metavar="FILE", is_eager=True, expose_value=False, callback=_load_env_file,
    help="Take the variables from FILE: NAME=value on each line. None is loaded by itself.",
)  # fmt: skip


def common_options(command: F) -> F:
    """Add the common options. They may stand before the command's name as well as after it."""
    return _ENV_FILE(options_without_env_file(command))


def options_without_env_file(command: F) -> F:
    """The common options, for the one command that writes such a file."""
    for option in reversed(_COMMON):
        command = option(command)
    return command


# ---------------------------------------------------------------------------------------------------------------------
# Options that several commands share
# ---------------------------------------------------------------------------------------------------------------------


def output_option(*formats: str) -> Callable[[F], F]:
    """Add `-o`; what was chosen is also remembered for the drawing of errors."""

    def remember(context: click.Context, _parameter: click.Parameter, value: str) -> str:
        context.ensure_object(CommonOptions).output = value
        if value == "html" and hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(encoding="utf-8")  # as the page says of itself, whatever the console speaks
        return value

    return click.option(
        "-o", "--output", type=click.Choice(list(formats)), default=formats[0], show_default=True, callback=remember,
        is_eager=True, help="How to draw the result on stdout.",
    )  # fmt: skip


only_option = click.option(
    "--only", multiple=True, metavar="KEY", shell_complete=complete_keys,
    help="This mapping and no other; may be given several times.",
)  # fmt: skip


def selection_options(command: F) -> F:
    """Add --only and --exclude."""
    exclude_option = click.option(
        "--exclude", multiple=True, metavar="KEY", shell_complete=complete_keys,
        help="Leave this mapping out; may be given several times.",
    )  # fmt: skip
    return only_option(exclude_option(command))


def allowance_options(command: F) -> F:
    """Add --allow and --reason."""
    allow_option = click.option(
        "--allow", multiple=True, metavar="RULE[:KEY]", shell_complete=complete_allowances,
        help="Lift exactly this safety rule for this run, for one mapping where KEY is given; needs --reason.",
    )  # fmt: skip
    reason_option = click.option(
        "--reason", metavar="TEXT", help="Why a rule is lifted; it is written into the journal."
    )
    return allow_option(reason_option(command))
