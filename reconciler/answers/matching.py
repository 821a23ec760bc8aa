"""Which HaloPSA customers have names like an INFIMA client's, best first: for a person to pick from.

Nothing here decides. What is beyond doubt is told by `sameness`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from reconciler.model import HaloCustomer
from reconciler.names import plain, telling_words

LIKELY = 85
"""From this score on a match is worth calling likely, if the runner-up is well behind."""

LEAD = 10
"""Points that a likely match is ahead of the runner-up."""

WORTH_SHOWING = 55


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A customer that may be the client; `score` from 0 to 100 is how alike the names are."""

    customer: HaloCustomer
    score: int


def rank(name: str, customers: Iterable[HaloCustomer], *, limit: int = 5) -> tuple[Match, ...]:
    """The active customers whose names are most like `name`, best first; ties go by id."""
    ratio = _ratio()
    wanted = _bare(name)
    scored = [Match(customer=c, score=_score(wanted, _bare(c.name), ratio)) for c in customers if not c.inactive]
    kept = [p for p in scored if p.score >= WORTH_SHOWING]
    return tuple(sorted(kept, key=lambda p: (-p.score, p.customer.id))[:limit])


def likely(matches: Sequence[Match]) -> bool:
    """True where the first match stands out. Even then a person confirms."""
    if not matches or matches[0].score < LIKELY:
        return False
    return len(matches) == 1 or matches[0].score - matches[1].score >= LEAD


def find(words: str, customers: Iterable[HaloCustomer]) -> tuple[HaloCustomer, ...]:
    """The customers whose names hold all the words, in any order, accents and case aside; by name."""
    wanted = plain(words).split()
    hits = [c for c in customers if all(word in plain(c.name) for word in wanted)]
    return tuple(sorted(hits, key=lambda c: (plain(c.name), c.id)))


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
    return " ".join(telling_words(name))
