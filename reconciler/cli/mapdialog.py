"""The questions of `reconciler map`, client by client. Every answer is written before the next question is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click

from reconciler.answers.matching import Proposal, likely, propose
from reconciler.cli.customers import NOT_FOUND, search_customers
from reconciler.cli.edits import FileEdit
from reconciler.cli.output import safe, tell
from reconciler.config import read_text
from reconciler.config.building import DEFAULT_SUBSCRIPTION_NAME
from reconciler.config.source import read_bytes
from reconciler.model import HaloCustomer, InfimaClient, Mappings, Subscription
from reconciler.names import same_name
from reconciler.planning.context import RunContext
from reconciler.planning.index import DEFAULT_KEY, index_subscriptions

LETTERS = "abcdefghij"
HELP = (
    "Answer with a letter to pick, a customer's id, words to search for, 'ignore because REASON', 'skip' or 'quit'. "
    "Nothing is written before you confirm."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """This customer, and the Subscription to adopt where the customer has one already."""

    customer: HaloCustomer
    adopt: Subscription | None = None


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


Answer = Pick | Ignore | Skip | Quit


@dataclass(slots=True, kw_only=True)
class MapSession:
    """What the questions need to know: both systems as read once, and the file as it is by now."""

    file: Path
    context: RunContext
    mappings: Mappings
    clients: tuple[InfimaClient, ...]
    customers: tuple[HaloCustomer, ...]
    listing: tuple[Subscription, ...]
    search: Callable[[str], tuple[HaloCustomer, ...]]

    @classmethod
    def open(cls, file: Path, context: RunContext) -> MapSession:
        """Read both systems once."""
        systems = context.systems
        return cls(
            file=file,
            context=context,
            mappings=context.mappings,
            clients=systems.source.clients(),
            customers=systems.target.customers(),
            listing=systems.target.subscriptions(),
            search=lambda words: search_customers(systems.target, words, inactive=True),
        )

    def unmapped(self) -> list[InfimaClient]:
        """INFIMA clients that the file neither maps nor ignores."""
        known = {ref.id for m in self.mappings.mappings for ref in m.infima_clients}
        known |= {one.client.id for one in self.mappings.ignored}
        return [client for client in self.clients if client.id not in known]

    def owners(self, customer: HaloCustomer) -> tuple[str, ...]:
        """The keys of the mappings that use this customer."""
        return tuple(m.key for m in self.mappings.mappings if m.halo_customer.id == customer.id)

    def namesake(self, customer: HaloCustomer) -> Subscription | None:
        """A live Subscription of the customer that a new mapping would be held for (same-name), if it is nobody's.

        One that carries one of our default keys is left out: it is found again by that marker, or is another client's.
        """
        index = index_subscriptions(self.listing, self.mappings.mappings, self.context.store.read())
        wanted = self._template()
        free = [
            s
            for s in index.by_customer.get(customer.id, ())
            if s.is_subscription and s.live and s.id not in index.claims and same_name(s.name, wanted)
            if not DEFAULT_KEY.fullmatch(s.marker or "")
        ]
        return free[0] if free else None

    def _template(self) -> str:
        """The name that a new Subscription gets by the file's defaults."""
        if self.mappings.mappings:
            return self.mappings.mappings[0].subscription_name
        path = self.file
        node: object = read_text(read_bytes(path), file=str(path))[2]
        for step in ("defaults", "subscription", "name"):
            node = node.get(step) if isinstance(node, dict) else None
        return node if isinstance(node, str) else DEFAULT_SUBSCRIPTION_NAME

    def write(self, edit: Callable[[str], str]) -> None:
        """Change the file as it is now: spliced, checked as a whole, replaced in one step."""
        made = FileEdit.make(self.file, edit, now=self.context.clock.now())
        made.write()
        self.mappings = made.mappings


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
        proposals = propose(self.client.name, self.session.customers)
        if not proposals:
            tell("  No customer has a name like that. Type words to search for, or 'skip'.")
            return
        self._shown = [proposal.customer for proposal in proposals]
        for letter, proposal in zip(LETTERS, proposals, strict=False):
            tell(safe(f"  {letter}) {self._line(proposal.customer)}  {_likeness(proposal, proposals)}"))

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
        return Ignore(reason=reason) if _confirmed(question) else None

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
        owners = self.session.owners(customer)
        if owners:
            tell(safe(f"  Note: {customer.name} is billed through {', '.join(owners)} already; this adds to it."))
        question = (
            f"Bill INFIMA client {self.client.name} ({self.client.id}) to HaloPSA customer {customer.name} "
            f"({customer.id})?"
        )
        if not _confirmed(question):
            return None
        return Pick(customer=customer, adopt=self._adoption(customer))

    def _adoption(self, customer: HaloCustomer) -> Subscription | None:
        found = self.session.namesake(customer)
        if found is None:
            return None
        quantity = "an unknown quantity" if found.count is None else f"quantity {found.count}"
        tell(safe(f"  {customer.name} has a Subscription of that name already: {found.id} {found.name!r}, {quantity}."))
        if _confirmed("Adopt it, so that no second one is created?"):
            return found
        tell("  Then plan holds the mapping (same-name) until somebody decides: reconciler explain same-name")
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
        owners = self.session.owners(customer)
        state = " (inactive)" if customer.inactive else ""
        return f"{customer.name} ({customer.id}){state}" + (f" [mapped: {', '.join(owners)}]" if owners else "")


def _likeness(proposal: Proposal, proposals: tuple[Proposal, ...]) -> str:
    first = proposal is proposals[0]
    return f"{proposal.score} of 100" + (", likely" if first and likely(proposals) else "")


def _prompt(text: str) -> str:
    try:
        answer: str = click.prompt(f"  {text}", default="", show_default=False, err=True)
    except click.Abort:
        return "quit"
    return answer


def _confirmed(question: str) -> bool:
    tell(safe(f"  {question}"))
    return _prompt("yes or no").strip().casefold() in {"y", "yes"}
