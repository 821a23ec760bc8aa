"""`reconciler fmt`: mappings.yaml in canonical form, or with today's names."""

from __future__ import annotations

from difflib import unified_diff

import click

from reconciler.cli.files import FileEdit, edit_file
from reconciler.cli.options import CommonOptions, common_options, next_command
from reconciler.cli.output import safe, say, tell
from reconciler.cli.wiring import load, now, run_context
from reconciler.config.edit import NewName, set_names
from reconciler.config.fmt import format_mappings
from reconciler.config.source import decode, read_bytes
from reconciler.errors import ExitCode
from reconciler.model import MappingKey, Mappings
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
        return _write_names(options, check=check, show_diff=show_diff)
    file = str(options.mappings)
    old = read_bytes(options.mappings)
    text = decode(old, file=file)
    formatted = format_mappings(text, file=file)
    if formatted == text:
        tell(safe(f"{file} is in canonical form."))
        return ExitCode.DONE
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
    return ExitCode.DONE


def _write_names(options: CommonOptions, *, check: bool, show_diff: bool) -> int:
    """Write every new name that is beyond doubt, or show what would be written; tell what is left to a person."""
    mappings, file = load(options), str(options.mappings)
    with run_context(options, mappings) as context:
        clients = {row.id: row for row in context.systems.source.clients()}
        customers = {row.id: row for row in context.systems.target.customers()}
        bound = context.store.read().bindings
    renamed, doubtful, unlisted = _compare(mappings, Names.of(mappings.mappings, clients, customers), set(bound))
    for said in doubtful:
        today = f"{said.what} {said.ref.id} is called {said.real!r} today, the file says {said.ref.name!r}"
        tell(safe(f"Not changed, please decide: {said.ref.place or file}: {today}. Is it the right id?"))
    for said in unlisted:
        tell(safe(f"Not compared: {said.what} {said.ref.id} ({said.ref.name}) is not listed."))
    edit = FileEdit.make(
        options.mappings, lambda text: set_names(text, [new for new, _ in renamed], file=file), now=now()
    )
    for new, said in renamed:
        say(safe(f"{said.what} {said.ref.id}: {said.ref.name!r} -> {new.name!r}"))
    if show_diff:
        for line in edit.patch.splitlines():
            say(safe(line))
    elif not check:
        edit.write()
        others = "other " if doubtful or unlisted else ""
        tell(safe(f"{len(renamed)} names written into {file}." if renamed else f"All {others}names are today's."))
    return ExitCode.ERROR if doubtful or (check and renamed) else ExitCode.DONE


def _compare(
    mappings: Mappings, names: Names, bound: set[MappingKey]
) -> tuple[list[tuple[NewName, Said]], list[Said], list[Said]]:
    """The names that are not today's, beyond doubt and in doubt, and those that have nothing beside them."""
    renamed, doubtful, unlisted = [], [], []
    for mapping in mappings.mappings:
        exists = mapping.subscription_id is not None or mapping.key in bound
        for said in names.said_in(mapping):
            if said.real is None:
                unlisted.append(said)
            elif said.differs and (said.others or not (exists or alike(said.ref.name, said.real))):
                doubtful.append(said)
            elif said.differs:
                renamed.append((NewName(key=mapping.key, ref=said.ref, name=said.real), said))
    return renamed, doubtful, unlisted
