"""Which HaloPSA customer an INFIMA client probably is. Proposals for a person: nothing here ever decides.

Names are compared without legal forms, punctuation and accents. Two are equal in HaloPSA and INFIMA far less often
than one would think ("Acme Dental" is "Acme Dental Group Ltd"), and two alike may be two firms.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from reconciler.model import HaloCustomer, InfimaClient
from reconciler.names import folded

LIKELY = 85
"""From this score on a proposal is worth calling likely, if the runner-up is well behind."""

LEAD = 10
"""Points that a likely proposal is ahead of the runner-up."""

WORTH_SHOWING = 55

_LEGAL_FORMS = frozenset(
    {"ltd", "limited", "llc", "llp", "lp", "inc", "incorporated", "corp", "corporation", "co", "company", "plc"}
    | {"gmbh", "ag", "kg", "sa", "sarl", "srl", "bv", "nv", "ab", "as", "oy", "pty", "pte", "pvt"}
    | {"the", "and", "group", "holdings"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A customer that may be the client; `score` from 0 to 100 is how alike the names are."""

    customer: HaloCustomer
    score: int


def propose(name: str, customers: Iterable[HaloCustomer], *, limit: int = 5) -> tuple[Proposal, ...]:
    """The active customers whose names are most like `name`, best first; ties go by id."""
    ratio = _ratio()
    wanted = _bare(name)
    scored = [Proposal(customer=c, score=_score(wanted, _bare(c.name), ratio)) for c in customers if not c.inactive]
    kept = [p for p in scored if p.score >= WORTH_SHOWING]
    return tuple(sorted(kept, key=lambda p: (-p.score, p.customer.id))[:limit])


def likely(proposals: Sequence[Proposal]) -> bool:
    """True where the first proposal stands out. Even then a person confirms."""
    if not proposals or proposals[0].score < LIKELY:
        return False
    return len(proposals) == 1 or proposals[0].score - proposals[1].score >= LEAD


def sure_matches(
    clients: Sequence[InfimaClient], customers: Sequence[HaloCustomer]
) -> tuple[tuple[InfimaClient, HaloCustomer], ...]:
    """The pairs of the same name where no other client and no other customer, active or not, is named so.

    Even these are only proposed: two firms may have one name.
    """
    clients_by_name: dict[str, list[InfimaClient]] = defaultdict(list)
    customers_by_name: dict[str, list[HaloCustomer]] = defaultdict(list)
    for client in clients:
        clients_by_name[folded(client.name)].append(client)
    for customer in customers:
        customers_by_name[folded(customer.name)].append(customer)
    return tuple(
        (found[0], namesakes[0])
        for name, found in clients_by_name.items()
        if name and len(found) == 1
        if len(namesakes := customers_by_name.get(name, [])) == 1 and not namesakes[0].inactive
    )


def find(words: str, customers: Iterable[HaloCustomer]) -> tuple[HaloCustomer, ...]:
    """The customers whose names hold all the words, in any order, accents and case aside; by name."""
    wanted = _plain(words).split()
    hits = [c for c in customers if all(word in _plain(c.name) for word in wanted)]
    return tuple(sorted(hits, key=lambda c: (_plain(c.name), c.id)))


Ratio = Callable[[str, str], float]
"""How alike two texts are, from 0 to 100."""


def difflib_ratio(one: str, other: str) -> float:
    """The standard library's ratio."""
    return 100 * SequenceMatcher(None, one, other, autojunk=False).ratio()


def _ratio() -> Ratio:
    """rapidfuzz's ratio where it is installed, the standard library's otherwise: they differ in speed, not in kind."""
    try:
        from rapidfuzz import fuzz  # noqa: PLC0415 - optional
    except ImportError:
        return difflib_ratio
    return fuzz.ratio


def _score(one: str, other: str, ratio: Ratio) -> int:
    """The better of the two ways to compare: as written, and with the words in order of the alphabet.

    A name that is wholly the beginning of the other counts as very much alike, but not as the same.
    """
    if not one or not other:
        return 0
    plain = ratio(one, other)
    sorted_words = ratio(" ".join(sorted(one.split())), " ".join(sorted(other.split())))
    score = max(plain, sorted_words)
    short, long = sorted((one.split(), other.split()), key=len)
    if short != long and long[: len(short)] == short:
        score = max(score, 90)
    return round(score)


def _bare(name: str) -> str:
    """The words of a name that tell one firm from another; all of them where nothing else is left."""
    words = re.findall(r"\w+", _plain(name))
    telling = [word for word in words if word not in _LEGAL_FORMS]
    return " ".join(telling or words)


def _plain(text: str) -> str:
    """Lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c)).replace("&", " and ")
