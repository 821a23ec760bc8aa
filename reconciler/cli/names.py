"""`reconciler fmt --names`: today's names of clients and customers, written beside the ids that they belong to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from reconciler.cli.edits import FileEdit
from reconciler.cli.options import CommonOptions
from reconciler.cli.output import safe, say, tell
from reconciler.cli.wiring import load, now, run_context
from reconciler.config.edit import NewName, set_names
from reconciler.errors import ExitCode
from reconciler.model import Mapping, MappingKey, Mappings
from reconciler.names import alike
from reconciler.planning.doubts import Names, Said


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
