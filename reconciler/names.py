"""When two names are the same, and when they are merely alike: one answer for the whole program.

Ids decide everywhere; names are for people and a second witness (DESIGN 5). Nothing but the standard library is used.
"""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher
from functools import lru_cache

_IGNORABLE = frozenset(
    map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810)))
) | frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
"""Letters and marks that show nothing: joiners, fillers, the empty Braille cell, variation selectors."""

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})
"""Categories that show nothing: controls, zero-width and directional marks, soft hyphens, line breaks, every space."""

LEGAL_FORMS = frozenset(
    {"ltd", "limited", "llc", "llp", "lp", "inc", "incorporated", "corp", "corporation", "co", "company", "plc"}
    | {"gmbh", "ag", "kg", "sa", "sarl", "srl", "bv", "nv", "ab", "as", "oy", "pty", "pte", "pvt"}
    | {"the", "and", "group", "holdings"}
)
"""Words that do not tell one firm from another."""

_COMMON = frozenset(
    {"a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "per", "the", "to", "with"}
    | {"licence", "licences", "license", "licenses", "subscription", "subscriptions", "service", "services"}
    | {"user", "users", "seat", "seats", "month", "monthly", "year", "yearly", "annual", "annually", "plan"}
)
"""Words that any Subscription may have in its name."""

OUR_WORD = "infima"
"""Whatever has it in its name has to do with what is billed here."""

_ALIKE = 0.6


@lru_cache(maxsize=4096)
def folded(name: str) -> str:
    """The part of a name that counts: letters and digits as people see them, whatever their case, spacing and form.

    Invisible characters and spaces are left out alike: where one system shows U+200B or U+2028 between two words, the
    other may have a space or nothing.
    """
    if name.isascii() and name.isprintable():
        return "".join(name.casefold().split())
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(c for c in plain if c not in _IGNORABLE and unicodedata.category(c) not in _UNSEEN)


def same_name(one: str, other: str) -> bool:
    """True when two names differ in nothing but case, spacing, Unicode form and invisible characters."""
    return one == other or folded(one) == folded(other)


LONGEST = 255
"""Characters that mappings.yaml takes for a name; a longer one is cut where it is written."""


def agrees(said: str, real: str) -> bool:
    """True when a name in mappings.yaml is the live one as far as the file can say it.

    A live name that shows nothing at all cannot be written there, so it contradicts nothing.
    """
    if said == real:
        return True
    seen, written = folded(real), folded(said)
    return not seen or written == seen or (len(said) >= LONGEST and seen.startswith(written))


def plain(text: str) -> str:
    """Lower case without accents, invisible characters as spaces: for searching, never for identity."""
    shown = "".join(" " if c in _IGNORABLE or unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in text)
    shown = "".join(c for c in shown if unicodedata.category(c) != "Cf")
    decomposed = unicodedata.normalize("NFKD", shown.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c)).replace("&", " and ")


def telling_words(name: str) -> tuple[str, ...]:
    """The words of a firm's name that tell it from another; all of them where nothing else is left."""
    words = re.findall(r"\w+", plain(name))
    return tuple(word for word in words if word not in LEGAL_FORMS) or tuple(words)


def resembles(name: str, template: str) -> bool:
    """True when a Subscription may well be what the template would make again (DESIGN 7).

    Two significant words in common, or "infima" in its name.
    """
    return OUR_WORD in folded(name) or len(_significant(name) & _significant(template)) >= _WORDS_IN_COMMON


_WORDS_IN_COMMON = 2
_SHORTEST = 3


def _significant(name: str) -> frozenset[str]:
    words = re.findall(r"\w+", plain(name))
    return frozenset(w for w in words if len(w) >= _SHORTEST and w not in _COMMON and not w.isdecimal())


def alike(one: str, other: str) -> bool:
    """True where two firms' names may well mean the same one: a telling word in common, initials, or a mere slip."""
    first, second = telling_words(one), telling_words(other)
    if set(first) & set(second):
        return True
    left, right = "".join(first), "".join(second)
    if not left and not right:
        return False
    if min(len(left), len(right)) >= _SHORTEST and (left in right or right in left):
        return True
    return _initials(one, right) or _initials(other, left) or SequenceMatcher(None, left, right).ratio() >= _ALIKE


def _initials(name: str, short: str) -> bool:
    words = re.findall(r"\w+", plain(name))
    return len(short) > 1 and "".join(w[0] for w in words).startswith(short)
