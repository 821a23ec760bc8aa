"""`reconciler map` on a terminal: the sure matches at once, then client by client, with a way back.

Every answer is written before the next client is asked about.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import Enum
from typing import TypeVar

import click

from reconciler.answers.matching import likely, rank
from reconciler.cli.customers import NOT_FOUND, subscription_in_words
from reconciler.cli.files import FileEdit
from reconciler.cli.mapsession import Choices, Ignore, Join, MapSession, Pick, joint_quantity
from reconciler.cli.options import next_command
from reconciler.cli.output import prompt, safe, tell
from reconciler.errors import ConfigError
from reconciler.model import HaloCustomer, InfimaClient, Mapping, MappingKey, Subscription
from reconciler.names import alike

T = TypeVar("T")

LETTERS = "acdefghijk"
"""What stands before a line to pick; b is the way back."""

HELP = (
    "Answer with a letter to pick, a customer's id, words to search for, 'ignore because REASON', 'skip', 'b' for the "
    "client before (what was written for it is taken back) or 'quit'. Nothing is written before you confirm."
)

_BULK = 2
"""Fewer sure matches are asked about like every other client."""


class Move(Enum):
    """An answer that is none about the client: not now, to the client before, enough for today."""

    SKIP = "skip"
    BACK = "back"
    QUIT = "quit"


Answer = Pick | Join | Ignore | Move

Steps = list[tuple[InfimaClient | None, FileEdit | None]]
"""The answers so far: the client, None for the sure matches; and what was written for it, if anything was."""


# ---- All clients ----------------------------------------------------------------------------------------------------


def talk(session: MapSession, only: InfimaClient | None = None) -> int:
    """Ask about every unmapped client, or about `only` one; each answer is written before the next is asked about."""
    if not session.unmapped():
        tell(safe(f"Every INFIMA client is mapped or ignored. Next: {next_command('plan')}"))
        return 0
    tell(HELP)
    steps: Steps = []
    if only is None and not _sure_ones(session, steps):
        return 0
    total = len(_still_open(session, steps, only))
    while todo := _still_open(session, steps, only):
        client = todo[0]
        total = max(total, len(todo))
        users = "" if client.user_count is None else f", {client.user_count} users on INFIMA's list"
        tell("")
        tell(safe(f"[{total - len(todo) + 1} of {total}] INFIMA client {client.name} ({client.id}){users}"))
        match Dialog(client, session).ask():
            case Move.SKIP:
                steps.append((client, None))
            case Move.BACK:
                _go_back(session, steps)
            case Move.QUIT:
                break
            case answer:
                steps.append((client, session.write(client, answer)))
    left = len(session.unmapped())
    tell(f"{left} unmapped." if left else "Every INFIMA client is mapped or ignored.")
    tell(safe(f"Next: {next_command('plan')}"))
    return 0


def _still_open(session: MapSession, steps: Steps, only: InfimaClient | None) -> list[InfimaClient]:
    asked = {client.id for client, _ in steps if client is not None}
    return [client for client in session.unmapped() if client.id not in asked and only in (None, client)]


def _sure_ones(session: MapSession, steps: Steps) -> bool:
    """Show the pairs of one name and, with one yes, write them all in one edit. False where the person quits."""
    pairs = []
    for client, customer in session.sure():
        if (other := session.taker(client)) is None:
            pairs.append((client, customer))
            continue
        who = f"{client.name} ({client.id})"
        tell(safe(f"{who} needs a key of its own, {other.key} is taken ({other.place}): you are asked about it."))
    if len(pairs) < _BULK:
        return True
    tell(f"{len(pairs)} with the one customer of the same name, which has no Subscription that nobody owns:")
    for client, customer in pairs:
        tell(safe(f"  {client.name} ({client.id}) -> {customer.name} ({customer.id})"))
    answer = _ask(f"Map all {len(pairs)}? If you answer no, you are asked about each one.")
    if answer:
        steps.append((None, session.write_pairs(pairs)))
    return answer is not None


def _go_back(session: MapSession, steps: Steps) -> None:
    """To the answer before: what was written for it is taken back, and it is asked again."""
    if not steps:
        tell("  There is nothing before this one.")
        return
    client, made = steps.pop()
    if made is not None:
        session.take_back(made)
        what = "the sure matches" if client is None else f"{client.name} ({client.id})"
        tell(safe(f"  Taken back: what was written for {what}."))


# ---- One client -----------------------------------------------------------------------------------------------------


class Dialog:
    """Asks about one client until there is an answer. Its questions give None where the person goes back a step."""

    def __init__(self, client: InfimaClient, session: MapSession) -> None:
        self._client = client
        self._session = session
        self._shown: Sequence[HaloCustomer] = ()

    def ask(self) -> Answer:
        """Show proposals and take an answer. End of input counts as `quit`."""
        matches = rank(self._client.name, self._session.customers)
        if matches:
            self._shown = [match.customer for match in matches]
            best = ", likely" if likely(matches) else ""
            _list(
                f"{self._line(match.customer)}  {match.score} of 100{best if match is matches[0] else ''}"
                for match in matches
            )
        else:
            tell("  No customer has a name like that. Type words to search for, or 'skip'.")
        while (answer := self._understand(_prompt("Customer").strip())) is None:
            pass
        return answer

    def _understand(self, words: str) -> Answer | None:  # noqa: PLR0911 - one return for each kind of answer
        match folded := words.casefold():
            case "" | "?" | "help":
                tell(f"  {HELP}")
                return None
            case "skip":
                return Move.SKIP
            case "b" | "back":
                return Move.BACK
            case "quit":
                return Move.QUIT
        if folded == "ignore" or folded.startswith("ignore "):
            return self._ignore(words[len("ignore") :].strip())
        if len(folded) == 1 and folded in LETTERS:
            return self._pick(_by_letter(folded, self._shown), f"There is no {folded}) in the list. {HELP}")
        if words.isdecimal():
            found = next((c for c in self._session.customers if c.id == int(words)), None)
            return self._pick(found, f"HaloPSA has no customer {int(words)}. {NOT_FOUND}")
        self._search(words)
        return None

    def _ignore(self, rest: str) -> Ignore | None:
        reason = rest[len("because") :].strip() if rest.casefold().startswith("because") else rest
        if not reason:
            tell("  Say why: ignore because REASON")
            return None
        question = f"Never bill {self._client.name} ({self._client.id}), because: {reason}?"
        return Ignore(reason) if confirmed(question) else None

    def _pick(self, customer: HaloCustomer | None, missing: str) -> Answer | None:
        if customer is None:
            tell(f"  {missing}")
            return None
        if customer.inactive:
            tell(safe(f"  Customer {customer.id} ({customer.name}) is inactive in HaloPSA: activate it there first."))
            return None
        return self.decide(Pick(customer=customer), sure=False)

    def decide(self, pick: Pick, *, sure: bool) -> Answer | None:
        """Ask what is open once the customer is known: None is the way back. `sure` leaves out the first question."""
        owners = self._session.owners(pick.customer)
        if owners and pick.key is None:
            answer = self._together_or_second(pick, owners)
            if not isinstance(answer, Pick):
                return answer
            pick = answer
        if not sure and not confirmed(pairing(self._client, pick.customer)):
            return None
        if pick.key is None and (taker := self._session.taker(self._client)) is not None:
            tell(safe(f"  The key {taker.key} is taken by the mapping at {taker.place}."))
            answer = self._named(pick, "Key of this one", f"{taker.key}-2")
            if not isinstance(answer, Pick):
                return answer
            pick = answer
        return self.choose(pick, self._session.choices(self._client, pick)) if pick.adopt is None else pick

    def _together_or_second(self, pick: Pick, owners: Sequence[Mapping]) -> Answer | None:
        tell(safe(f"  {pick.customer.name} ({pick.customer.id}) is mapped already:"))
        names = [", ".join(f"{ref.name} ({ref.id})" for ref in mapping.infima_clients) for mapping in owners]
        _list(
            f"together with {named} on one Subscription: {joint_quantity(mapping)}"
            for named, mapping in zip(names, owners, strict=True)
        )
        tell("  s) a second Subscription, with a key of its own")
        while (typed := _prompt("Together or second ('b' for back)").strip().casefold()) != "b":
            if typed == "quit":
                return Move.QUIT
            if typed == "s":
                return self._named(pick, "Key of the second one", f"infima-{self._client.id}")
            if joined := _by_letter(typed, owners):
                return Join(joined) if confirmed(joining(self._client, joined)) else None
            tell("  Answer with a letter of the list, 's' or 'b'.")
        return None

    def _named(self, pick: Pick, question: str, usual: str) -> Pick | Move | None:
        """The pick with a key that a person chooses."""
        while (typed := _prompt(f"{question} [{usual}]").strip()) not in {"b", "quit"}:
            second = replace(pick, key=MappingKey(typed or usual))
            try:
                self._session.choices(self._client, second)
            except ConfigError as error:
                problems = [str(problem) for problem in error.diagnostics] or [str(error)]
                tell(safe("  That key cannot be: " + "; ".join(problems)))
                continue
            return second
        return Move.QUIT if typed == "quit" else None

    def choose(self, pick: Pick, choices: Choices) -> Pick | Move | None:
        """The Subscriptions that nobody owns as a list to pick from: adopt one, or make a new one."""
        if not choices.live and not choices.meant:
            return pick
        tell(safe(f"  {pick.customer.name} has Subscriptions that no mapping owns:"))
        _list(f"adopt {subscription_line(row, choices)}" for row in choices.live)
        for row in choices.live[len(LETTERS) :]:
            tell(safe(f"     adopt by its id: {subscription_line(row, choices)}"))
        for row in choices.meant:
            if not row.live:
                tell(safe(f"     {subscription_line(row, choices)}; to take that one restore it in HaloPSA first"))
        tell("  n) none of them: make a new one")
        while (typed := _prompt("Subscription ('b' for back)").strip().casefold()) != "b":
            if typed == "quit":
                return Move.QUIT
            if typed == "n":
                return pick
            by_id = next((row for row in choices.live if typed in {str(row.id), f"#{row.id}"}), None)
            if found := _by_letter(typed, choices.live) or by_id:
                return replace(pick, adopt=found)
            tell("  Answer with a letter of the list, the Subscription's id, 'n' or 'b'.")
        return None

    def _search(self, words: str) -> None:
        found = self._session.search(words)
        if not found:
            tell(safe(f"  No customer in HaloPSA matches {words!r}. {NOT_FOUND}"))
            return
        self._shown = found[: len(LETTERS)]
        _list(map(self._line, self._shown))
        if len(found) > len(LETTERS):
            tell(f"  and {len(found) - len(LETTERS)} more: type more of the name")

    def _line(self, customer: HaloCustomer) -> str:
        owners = [m for m in self._session.mappings.mappings if m.halo_customer.id == customer.id]
        keys = ", ".join(m.key + (" (retired)" if m.retired else "") for m in owners)
        state = " (inactive)" if customer.inactive else ""
        return f"{customer.name} ({customer.id}){state}" + (f" [mapped: {keys}]" if keys else "")


def _list(lines: Iterable[str]) -> None:
    """Lines to pick from, each behind its letter; those that no letter is left for are left out."""
    for letter, line in zip(LETTERS, lines, strict=False):
        tell(safe(f"  {letter}) {line}"))


def _by_letter(typed: str, rows: Sequence[T]) -> T | None:
    return rows[LETTERS.index(typed)] if len(typed) == 1 and typed in LETTERS[: len(rows)] else None


def _prompt(text: str) -> str:
    try:
        return prompt(f"  {text}")
    except click.Abort:
        return "quit"


def _ask(question: str) -> bool | None:
    """True for y and yes, None for quit and the end of input, False for everything else."""
    tell(safe(f"  {question}"))
    typed = _prompt("[y/N]").strip().casefold()
    return None if typed == "quit" else typed in {"y", "yes"}


def confirmed(question: str) -> bool:
    """Ask, and return whether the answer is y or yes."""
    return bool(_ask(question))


def pairing(client: InfimaClient, customer: HaloCustomer) -> str:
    """The question before a client is billed to a customer; names that have nothing in common are pointed out."""
    doubt = "" if alike(client.name, customer.name) else " Their names have nothing in common."
    return f"Bill INFIMA client {client.name} ({client.id}) to HaloPSA customer {customer.name} ({customer.id})?{doubt}"


def joining(client: InfimaClient, mapping: Mapping) -> str:
    """The question before a client is billed on the Subscription of a mapping that exists."""
    customer = mapping.halo_customer
    known = (customer.name, *(ref.name for ref in mapping.infima_clients))
    doubt = "" if any(alike(client.name, name) for name in known) else " Their names have nothing in common."
    return (
        f"Bill INFIMA client {client.name} ({client.id}) together with {known[1]} on the Subscription of "
        f"{mapping.key}, to HaloPSA customer {customer.name} ({customer.id})?{doubt}"
    )


def subscription_line(row: Subscription, choices: Choices) -> str:
    """One Subscription of the list, with what speaks for it."""
    marker = f", marker {row.marker}" if row.marker else ""
    return f"{subscription_in_words(row)}{marker}" + (" (may be the one)" if row in choices.meant else "")
