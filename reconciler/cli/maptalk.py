"""`reconciler map` on a terminal: the sure matches at once, then client by client, with a way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.cli.files import FileEdit
from reconciler.cli.mapdialog import HELP, Back, Confirmation, Dialog, Ignore, Join, Quit, Skip, ask, joint_quantity
from reconciler.cli.mapsession import MapSession, Pick, new_mapping, new_mappings
from reconciler.cli.options import next_command
from reconciler.cli.output import safe, say, tell
from reconciler.config.edit import add_ignore, add_mapping, add_mappings, client_ref, join_client
from reconciler.config.splice import quote
from reconciler.errors import ConfigError
from reconciler.model import InfimaClient, Mapping


def write_answer(session: MapSession, client: InfimaClient, answer: Pick | Join | Ignore) -> FileEdit | None:
    """Write the answer and say what was written. None where it could not be, and the edit was printed instead."""
    match answer:
        case Ignore():
            return _write_ignore(session, client, answer.reason)
        case Join():
            return _write_join(session, client, answer.mapping)
        case Pick():
            return _write_mapping(session, client, answer)


def _write_ignore(session: MapSession, client: InfimaClient, reason: str) -> FileEdit:
    ref = client_ref(client)
    made = session.write(lambda text: add_ignore(text, ref, reason, file=str(session.file)))
    say(safe(f"Ignored {client.name} ({client.id}): {reason}."))
    return made


def _write_mapping(session: MapSession, client: InfimaClient, pick: Pick) -> FileEdit:
    entry = new_mapping(client, pick)
    made = session.write(lambda text: add_mapping(text, entry, file=str(session.file)))
    adopted = f", adopting Subscription {pick.adopt.id}" if pick.adopt else ""
    say(safe(f"Mapped {client.name} ({client.id}) -> {pick.customer.name} ({pick.customer.id}){adopted}."))
    _tell_doubts(session, [client])
    return made


def _tell_doubts(session: MapSession, clients: Sequence[InfimaClient]) -> None:
    for client, doubt in session.doubts(clients):
        tell(safe(f"  Note: plan will hold {client.name} ({doubt.rule}): {doubt.message}. Next: {doubt.remedy}"))


def _write_join(session: MapSession, client: InfimaClient, mapping: Mapping) -> FileEdit | None:
    ref = client_ref(client)
    try:
        made = session.write(lambda text: join_client(text, mapping.key, ref, file=str(session.file)))
    except ConfigError as error:
        tell(safe(f"{error} Nothing was written. Write this in the mapping at {mapping.place}, for its client:"))
        say(safe(f"    key: {mapping.key}"))
        say("    infima_clients:")
        for one in (*mapping.infima_clients, ref):
            say(safe(f"      - {{id: {one.id}, name: {quote(one.name)}}}"))
        return None
    names = ", ".join(f"{one.name} ({one.id})" for one in mapping.infima_clients)
    say(
        safe(
            f"Mapped {client.name} ({client.id}) -> {mapping.halo_customer.name} ({mapping.halo_customer.id}), "
            f"together with {names}: {joint_quantity(mapping)}."
        )
    )
    return made


@dataclass(frozen=True, slots=True)
class _Step:
    """One answer: the client, None for the sure matches; and what was written for it, if anything was."""

    client: InfimaClient | None
    made: FileEdit | None = None


def talk(session: MapSession, only: InfimaClient | None = None) -> int:
    """Ask about every unmapped client, or about `only` one; each answer is written before the next is asked about."""
    if not session.unmapped():
        tell(safe(f"Every INFIMA client is mapped or ignored. Next: {next_command('plan')}"))
        return 0
    tell(HELP)
    steps: list[_Step] = []
    if only is None and not _sure_ones(session, steps):
        return 0
    total = len(_still_open(session, steps, only))
    while todo := _still_open(session, steps, only):
        client = todo[0]
        total = max(total, len(todo))
        users = "" if client.user_count is None else f", {client.user_count} users on INFIMA's list"
        heading = f"[{total - len(todo) + 1} of {total}] INFIMA client {client.name} ({client.id}){users}"
        answer = Dialog(client=client, session=session, heading=heading).ask()
        match answer:
            case Pick() | Join() | Ignore():
                steps.append(_Step(client, write_answer(session, client, answer)))
            case Skip():
                steps.append(_Step(client))
            case Back():
                _go_back(session, steps)
            case Quit():
                break
    left = len(session.unmapped())
    tell(f"{left} unmapped." if left else "Every INFIMA client is mapped or ignored.")
    tell(safe(f"Next: {next_command('plan')}"))
    return 0


def _still_open(session: MapSession, steps: Sequence[_Step], only: InfimaClient | None) -> list[InfimaClient]:
    asked = {step.client.id for step in steps if step.client is not None}
    return [client for client in session.unmapped() if client.id not in asked and only in (None, client)]


_BULK = 2
"""Fewer sure matches are asked about like every other client."""


def _sure_ones(session: MapSession, steps: list[_Step]) -> bool:
    """Show the pairs of one name and, with one yes, write them all in one edit. False where the person quits."""
    pairs = session.sure()
    taken = [(client, other) for client, _ in pairs if (other := session.taker(client)) is not None]
    for client, other in taken:
        who = f"{client.name} ({client.id})"
        tell(safe(f"{who} needs a key of its own, {other.key} is taken ({other.place}): you are asked about it."))
    pairs = [pair for pair in pairs if session.taker(pair[0]) is None]
    if len(pairs) < _BULK:
        return True
    tell(f"{len(pairs)} with the one customer of the same name, which has no Subscription that nobody owns:")
    for client, customer in pairs:
        tell(safe(f"  {client.name} ({client.id}) -> {customer.name} ({customer.id})"))
    answer = ask(f"Map all {len(pairs)}? With no you are asked about each.")
    if answer is not Confirmation.YES:
        return answer is Confirmation.NO
    entries = new_mappings(pairs)
    made = session.write(lambda text: add_mappings(text, entries, file=str(session.file)))
    say(f"Mapped {len(pairs)} clients to the customers of their names.")
    _tell_doubts(session, [client for client, _ in pairs])
    steps.append(_Step(None, made))
    return True


def _go_back(session: MapSession, steps: list[_Step]) -> None:
    """To the answer before: what was written for it is taken back, and it is asked again."""
    if not steps:
        tell("  There is nothing before this one.")
        return
    step = steps.pop()
    if step.made is not None:
        session.take_back(step.made)
        what = "the sure matches" if step.client is None else f"{step.client.name} ({step.client.id})"
        tell(safe(f"  Taken back: what was written for {what}."))
