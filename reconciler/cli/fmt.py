"""`reconciler fmt`: mappings.yaml in canonical form, or with today's names."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path

import click

from reconciler.cli.files import FileEdit, edit_file
from reconciler.cli.options import CommonOptions, common_options, next_command
from reconciler.cli.output import safe, say, tell
from reconciler.cli.wiring import load, now, run_context
from reconciler.config.edit import NewName, set_names
from reconciler.config.fmt import format_mappings
from reconciler.config.source import decode, read_bytes
from reconciler.errors import ExitCode
from reconciler.model import Mapping, MappingKey, Mappings
from reconciler.names import alike
from reconciler.planning.doubts import Names, Said


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


def write_names(options: CommonOptions, *, check: bool, show_diff: bool) -> int:
    """Write every new name that is beyond doubt, or show what would be written; tell what is left to a person."""
    mappings = load(options)
    with run_context(options, mappings) as context:
        clients = {row.id: row for row in context.systems.source.clients()}
        customers = {row.id: row for row in context.systems.target.customers()}
        bound = context.store.read().bindings
    found = _sorted_out(mappings, Names.of(mappings.mappings, clients, customers), set(bound))
    _tell_left(found, options.mappings)
    new = [NewName(key=mapping.key, ref=said.ref, name=said.real or "") for mapping, said in found.renamed]
    edit = FileEdit.make(options.mappings, lambda text: set_names(text, new, file=str(options.mappings)), now=now())
    for _, said in found.renamed:
        say(safe(f"{said.what} {said.ref.id}: {said.ref.name!r} -> {said.real!r}"))
    if show_diff:
        for line in edit.patch.splitlines():
            say(safe(line))
    elif not check:
        edit.write()
        tell(safe(_outcome(found, options.mappings)))
    return ExitCode.ERROR if found.doubtful or (check and found.renamed) else ExitCode.DONE


@dataclass(slots=True)
class _Compared:
    """The names that are not today's, beyond doubt or in doubt, and those that have nothing beside them."""

    renamed: list[tuple[Mapping, Said]] = field(default_factory=list)
    doubtful: list[Said] = field(default_factory=list)
    unlisted: list[Said] = field(default_factory=list)


def _sorted_out(mappings: Mappings, names: Names, bound: set[MappingKey]) -> _Compared:
    found = _Compared()
    for mapping in mappings.mappings:
        exists = mapping.subscription_id is not None or mapping.key in bound
        for said in names.said_in(mapping):
            if said.real is None:
                found.unlisted.append(said)
            elif said.differs and (said.others or not (exists or alike(said.ref.name, said.real))):
                found.doubtful.append(said)
            elif said.differs:
                found.renamed.append((mapping, said))
    return found


def _tell_left(found: _Compared, file: Path) -> None:
    for said in found.doubtful:
        tell(
            safe(
                f"Left to you, {said.ref.place or file}: {said.what} {said.ref.id} is called {said.real!r} today, the "
                f"file says {said.ref.name!r}. Is it the right id?"
            )
        )
    for said in found.unlisted:
        tell(safe(f"Not compared: {said.what} {said.ref.id} ({said.ref.name}) is not listed."))


def _outcome(found: _Compared, file: Path) -> str:
    if found.renamed:
        return f"{len(found.renamed)} names written into {file}."
    return f"All {'other ' if found.doubtful or found.unlisted else ''}names are today's."
