"""The questions of `reconciler map` about one client. Every answer is written before the next client is asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import click

from reconciler.answers.matching import Match, likely, rank
from reconciler.cli.customers import NOT_FOUND, subscription_in_words
from reconciler.cli.mapsession import Choices, MapSession, Pick
from reconciler.cli.output import safe, tell
from reconciler.errors import ConfigError
from reconciler.model import HaloCustomer, InfimaClient, Mapping, MappingKey, Subscription
from reconciler.names import alike

LETTERS = "acdefghijk"
"""What stands before a line to pick; b is the way back."""

HELP = (
    "Answer with a letter to pick, a customer's id, words to search for, 'ignore because REASON', 'skip', 'b' for the "
    "client before (what was written for it is taken back) or 'quit'. Nothing is written before you confirm."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """The client is not billed, on purpose."""

    reason: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Not now."""


@dataclass(frozen=True, slots=True)
class Quit:
    """Enough for today."""


@dataclass(frozen=True, slots=True)
class Back:
    """To the client before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Together with the clients of this mapping, on its Subscription."""

    mapping: Mapping


Answer = Pick | Join | Ignore | Skip | Back | Quit


@dataclass(slots=True, kw_only=True)
class Dialog:
    """Asks about one client until there is an answer."""

    client: InfimaClient
    session: MapSession
    heading: str
    _shown: list[HaloCustomer] = field(default_factory=list)

    def ask(self) -> Answer:
        """Show proposals and take an answer. End of input counts as `quit`."""
        tell("")
        tell(safe(self.heading))
        self._propose()
        while True:
            answer = self._understand(_prompt("Customer"))
            if answer is not None:
                return answer

    def _propose(self) -> None:
        matches = rank(self.client.name, self.session.customers)
        if not matches:
            tell("  No customer has a name like that. Type words to search for, or 'skip'.")
            return
        self._shown = [match.customer for match in matches]
        for letter, match in zip(LETTERS, matches, strict=False):
            tell(safe(f"  {letter}) {self._line(match.customer)}  {_likeness(match, matches)}"))

    def _understand(self, typed: str) -> Answer | None:  # noqa: PLR0911 - one return for each kind of answer
        words = typed.strip()
        folded = words.casefold()
        match folded:
            case "":
                tell(f"  {HELP}")
                return None
            case "?" | "help":
                tell(f"  {HELP}")
                return None
            case "skip":
                return Skip()
            case "b" | "back":
                return Back()
            case "quit":
                return Quit()
        if folded == "ignore" or folded.startswith("ignore "):
            return self._ignore(words[len("ignore") :].strip())
        if len(folded) == 1 and folded in LETTERS:
            return self._pick_letter(folded)
        if words.isdecimal():
            return self._pick_id(int(words))
        self._search(words)
        return None

    def _ignore(self, rest: str) -> Answer | None:
        reason = rest[len("because") :].strip() if rest.casefold().startswith("because") else rest
        if not reason:
            tell("  Say why: ignore because REASON")
            return None
        question = f"Never bill {self.client.name} ({self.client.id}), because: {reason}?"
        return Ignore(reason=reason) if confirmed(question) else None

    def _pick_letter(self, letter: str) -> Answer | None:
        place = LETTERS.index(letter)
        if place >= len(self._shown):
            tell(f"  There is no {letter}) in the list. {HELP}")
            return None
        return self._pick(self._shown[place])

    def _pick_id(self, number: int) -> Answer | None:
        found = next((c for c in self.session.customers if c.id == number), None)
        if found is None:
            tell(f"  HaloPSA has no customer {number}. {NOT_FOUND}")
            return None
        return self._pick(found)

    def _pick(self, customer: HaloCustomer) -> Answer | None:
        if customer.inactive:
            tell(safe(f"  Customer {customer.id} ({customer.name}) is inactive in HaloPSA: activate it there first."))
            return None
        return self.decide(Pick(customer=customer), sure=False)

    def decide(self, pick: Pick, *, sure: bool) -> Answer | None:
        """Ask what is open once the customer is known: None is the way back. `sure` leaves out the first question."""
        owners = self.session.owners(pick.customer)
        if owners and pick.key is None:
            answer = self._together_or_second(pick, owners)
            if not isinstance(answer, Pick):
                return answer
            pick = answer
        if not sure and not confirmed(pairing(self.client, pick.customer)):
            return None
        if pick.key is None and (taker := self.session.taker(self.client)) is not None:
            tell(safe(f"  The key {taker.key} is taken by the mapping at {taker.place}."))
            answer = self._named(pick, "Key of this one", f"{taker.key}-2")
            if not isinstance(answer, Pick):
                return answer
            pick = answer
        return self.choose(pick, self.session.choices(self.client, pick)) if pick.adopt is None else pick

    def _together_or_second(self, pick: Pick, owners: Sequence[Mapping]) -> Answer | None:
        tell(safe(f"  {pick.customer.name} ({pick.customer.id}) is mapped already:"))
        for letter, mapping in zip(LETTERS, owners, strict=False):
            names = ", ".join(f"{ref.name} ({ref.id})" for ref in mapping.infima_clients)
            tell(safe(f"  {letter}) together with {names} on one Subscription: {joint_quantity(mapping)}"))
        tell("  s) a second Subscription, with a key of its own")
        while (typed := _prompt("Together or second ('b' for back)").strip().casefold()) != "b":
            if typed == "quit":
                return Quit()
            if typed == "s":
                return self._named(pick, "Key of the second one", f"infima-{self.client.id}")
            if len(typed) == 1 and typed in LETTERS[: len(owners)]:
                joined = owners[LETTERS.index(typed)]
                return Join(mapping=joined) if confirmed(joining(self.client, joined)) else None
            tell("  Answer with a letter of the list, 's' or 'b'.")
        return None

    def _named(self, pick: Pick, question: str, usual: str) -> Answer | None:
        """The pick with a key that a person chooses."""
        while (typed := _prompt(f"{question} [{usual}]").strip()) not in {"b", "quit"}:
            second = replace(pick, key=MappingKey(typed or usual))
            try:
                self.session.choices(self.client, second)
            except ConfigError as error:
                problems = [str(problem) for problem in error.diagnostics] or [str(error)]
                tell(safe("  That key cannot be: " + "; ".join(problems)))
                continue
            return second
        return Quit() if typed == "quit" else None

    def choose(self, pick: Pick, choices: Choices) -> Answer | None:
        """The Subscriptions that nobody owns as a list to pick from: adopt one, or make a new one."""
        if not choices.live and not choices.meant:
            return pick
        tell(safe(f"  {pick.customer.name} has Subscriptions that no mapping owns:"))
        for letter, row in zip(LETTERS, choices.live, strict=False):
            tell(safe(f"  {letter}) adopt {subscription_line(row, choices)}"))
        for row in choices.live[len(LETTERS) :]:
            tell(safe(f"     adopt by its id: {subscription_line(row, choices)}"))
        for row in choices.meant:
            if not row.live:
                tell(safe(f"     {subscription_line(row, choices)}; to take that one restore it in HaloPSA first"))
        tell("  n) none of them: make a new one")
        while (typed := _prompt("Subscription ('b' for back)").strip().casefold()) != "b":
            if typed == "quit":
                return Quit()
            if typed == "n":
                return pick
            found = _chosen(typed, choices.live)
            if found is not None:
                return replace(pick, adopt=found)
            tell("  Answer with a letter of the list, the Subscription's id, 'n' or 'b'.")
        return None

    def _search(self, words: str) -> None:
        found = self.session.search(words)
        if not found:
            tell(safe(f"  No customer in HaloPSA matches {words!r}. {NOT_FOUND}"))
            return
        self._shown = list(found[: len(LETTERS)])
        for letter, customer in zip(LETTERS, self._shown, strict=False):
            tell(safe(f"  {letter}) {self._line(customer)}"))
        if len(found) > len(LETTERS):
            tell(f"  and {len(found) - len(LETTERS)} more: type more of the name")

    def _line(self, customer: HaloCustomer) -> str:
        owners = [m for m in self.session.mappings.mappings if m.halo_customer.id == customer.id]
        state = " (inactive)" if customer.inactive else ""
        return f"{customer.name} ({customer.id}){state}" + (
            f" [mapped: {', '.join(m.key + (' (retired)' if m.retired else '') for m in owners)}]" if owners else ""
        )


def _likeness(match: Match, matches: tuple[Match, ...]) -> str:
    first = match is matches[0]
    return f"{match.score} of 100" + (", likely" if first and likely(matches) else "")


def _prompt(text: str) -> str:
    try:
        answer: str = click.prompt(f"  {text}", default="", show_default=False, err=True)
    except click.Abort:
        return "quit"
    return answer


class Confirmation(Enum):
    """What a [y/N] question came to."""

    YES = "yes"
    NO = "no"
    QUIT = "quit"


def ask(question: str) -> Confirmation:
    """A question that only y or yes answers with yes; the end of input is quit, everything else no."""
    tell(safe(f"  {question}"))
    typed = _prompt("[y/N]").strip().casefold()
    return Confirmation.YES if typed in {"y", "yes"} else Confirmation.QUIT if typed == "quit" else Confirmation.NO


def confirmed(question: str) -> bool:
    """Whether the answer is yes."""
    return ask(question) is Confirmation.YES


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


def joint_quantity(mapping: Mapping) -> str:
    """What a combined mapping puts on its Subscription."""
    fixed = mapping.quantity.fixed
    return f"the quantity of {mapping.key} is " + ("their sum" if fixed is None else f"a fixed {fixed}, whoever joins")


def subscription_line(row: Subscription, choices: Choices) -> str:
    """One Subscription of the list, with what speaks for it."""
    marker = f", marker {row.marker}" if row.marker else ""
    return f"{subscription_in_words(row)}{marker}" + (" (may be the one)" if row in choices.meant else "")


def _chosen(typed: str, rows: Sequence[Subscription]) -> Subscription | None:
    if len(typed) == 1 and typed in LETTERS[: len(rows)]:
        return rows[LETTERS.index(typed)]
    return next((row for row in rows if typed in {str(row.id), f"#{row.id}"}), None)
