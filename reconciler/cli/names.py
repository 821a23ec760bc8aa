"""`reconciler fmt --names`: today's names of clients and customers, written beside the ids that they belong to."""

from __future__ import annotations

from reconciler.cli.edits import FileEdit
from reconciler.cli.options import CommonOptions
from reconciler.cli.output import safe, say, tell
from reconciler.cli.wiring import load, now, run_context
from reconciler.config.edit import NewName, set_names
from reconciler.errors import ExitCode
from reconciler.model import Mapping
from reconciler.names import alike
from reconciler.planning.witness import Names, Said


def write_names(options: CommonOptions, *, check: bool, show_diff: bool) -> int:
    """Write every new name that is beyond doubt, or show what would be written; tell what is left to a person."""
    mappings = load(options)
    with run_context(options, mappings) as context:
        clients = {row.id: row for row in context.systems.source.clients()}
        customers = {row.id: row for row in context.systems.target.customers()}
        bound = context.store.read().bindings
    names = Names.of(mappings.mappings, clients, customers)
    renamed: list[tuple[Mapping, Said]] = []
    doubtful: list[Said] = []
    for mapping in mappings.mappings:
        exists = mapping.subscription_id is not None or mapping.key in bound
        for said in names.said_in(mapping):
            if said.differs:
                doubt = bool(said.others) or not (exists or alike(said.ref.name, said.real or ""))
                if doubt:
                    doubtful.append(said)
                else:
                    renamed.append((mapping, said))
    for said in doubtful:
        where = said.ref.place or options.mappings
        tell(
            safe(
                f"Left to you, {where}: {said.what} {said.ref.id} is called {said.real!r} today, the file says "
                f"{said.ref.name!r}. Is it the right id?"
            )
        )
    new = [NewName(key=mapping.key, ref=said.ref, name=said.real or "") for mapping, said in renamed]
    edit = FileEdit.make(options.mappings, lambda text: set_names(text, new, file=str(options.mappings)), now=now())
    for _, said in renamed:
        say(safe(f"{said.what} {said.ref.id}: {said.ref.name!r} -> {said.real!r}"))
    if show_diff:
        for line in edit.patch.splitlines():
            say(safe(line))
    elif not check:
        edit.write()
        tell(safe(f"{len(renamed)} names written into {options.mappings}." if renamed else "All names are today's."))
    return ExitCode.ERROR if doubtful or (check and renamed) else ExitCode.DONE
