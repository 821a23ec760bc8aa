"""When an INFIMA client and a HaloPSA customer are surely one firm by their names, and what speaks against it. Pure.

Two names are the same here when nothing but case, spacing, Unicode form, punctuation and a legal suffix tells them
apart. That alone is not enough: there may be a branch, a subsidiary or a typing error of a similar name, and then a
person has to look. No optional library measures likeness here: the answer does not depend on what is installed.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Generic, TypeVar

from reconciler.answers.words import named
from reconciler.model import HaloCustomer, InfimaClient
from reconciler.names import telling_words

_SUFFIXES = {
    "ltd": "ltd", "limited": "ltd", "inc": "inc", "incorporated": "inc", "corp": "corp", "corporation": "corp",
    "llc": "llc", "llp": "llp", "plc": "plc", "company": "company", "gmbh": "gmbh", "mbh": "gmbh", "bv": "bv",
    "pty": "pty", "pte": "pte", "pvt": "pvt", "srl": "srl", "sarl": "sarl",
}  # fmt: skip
"""Legal suffixes that can mean nothing else. "SA", "CO", "NV" and their like are places, too: they tell names apart."""

_ORNAMENTS = str.maketrans("", "", "\u00ae\u2122\u2120\u00a9.'`\u00b4\u2018\u2019")
"""Signs inside a word that say nothing: trade marks, full stops of abbreviations, apostrophes."""

_LOOK_ALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0432\u043a\u043c\u043d\u0442\u03b1\u03b5\u03bf\u03c1\u03c5\u03bd\u03b9\u03ba\u03c7\u03c4\u0131\u0261\u01c0",
    "aeopcyxijsbkmhtaeopuvikxtigl",
)
"""Cyrillic, Greek and other letters that look like Latin ones, in lower case."""

_EXPANDED = str.maketrans(
    {"\u00e4": "ae", "\u00f6": "oe", "\u00fc": "ue", "\u00f8": "oe", "\u00e5": "aa", "\u00e6": "ae"}
)
_ROMAN = re.compile(r"[ivx]+")
_COUNTED = frozenset(
    {"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"}
)
_TWINS = (("rn", "m"), ("vv", "w"), ("i", "l"), ("1", "l"), ("0", "o"))
"""Latin letters and digits that are read for one another: "modern" and "modem", "lone" and "Ione"."""

_TELLING_LETTERS = 6
"""A name of this many letters may be meant although one letter differs; a shorter one may well be another name."""

_MOST_WORDS = 6
_FIRST_WORDS = 12
_MOST_LETTERS = 60
"""Only the beginning of a very long name is compared for likeness; the whole name decides whether two are the same."""


def firm_words(name: str) -> tuple[str, ...]:
    """The words of a name as people see them, without punctuation and invisible characters, in lower case."""
    text = unicodedata.normalize("NFKC", name.translate(_ORNAMENTS)).casefold()
    kept = (_shown(character) for character in unicodedata.normalize("NFKC", text).replace("&", " and "))
    return tuple("".join(kept).split())


def _shown(character: str) -> str:
    kind = unicodedata.category(character)
    return "" if kind == "Cf" else character if kind[0] in "LNMS" else " "


@dataclass(frozen=True, slots=True)
class FirmName:
    """A name taken apart: two names that are the same have one `key`, which leaves out the legal suffix, `form`.

    `words` are those that tell firms apart, without accents, with letters of other alphabets as what they look like.
    `spellings` are those words in the alphabet's order, without accents and with them written out; none where marks are
    more than accents.
    `odd` says why a name like this one is never beyond doubt.
    """

    key: str
    form: tuple[str, ...]
    words: tuple[str, ...]
    spellings: frozenset[str]
    initials: frozenset[str]
    odd: tuple[str, ...]

    @classmethod
    def of(cls, name: str) -> FirmName:
        bare = name.translate(_ORNAMENTS)
        seen = firm_words(bare)
        end = len(seen)
        while end > 1 and seen[end - 1] in _SUFFIXES:
            end -= 1
        key = "".join(seen[:end])
        telling = telling_words(bare)[:_FIRST_WORDS]
        if key and not any(map(str.isalnum, key)):
            telling = (key,)  # a name of signs only
        words = tuple(word.translate(_LOOK_ALIKES) for word in telling)
        mixed = words != telling and any(map(str.isascii, "".join(telling)))
        composed = unicodedata.normalize("NFC", bare.casefold())
        spelled: tuple[tuple[str, ...], ...] = (words, telling_words(composed.translate(_EXPANDED)))
        if any(unicodedata.category(c) in {"Mn", "Mc"} for c in composed):
            spelled = ()  # vowels of Hindi, Thai or Arabic: without them it is another name, not another spelling
        return cls(
            key=key,
            form=tuple(_SUFFIXES[word] for word in seen[end:]),
            words=words,
            spellings=frozenset("".join(sorted(each)) for each in spelled if each),
            initials=frozenset("".join(word[0] for word in each) for each in (words, seen) if len(each) > 1),
            odd=tuple(_oddities(seen[:end], mixed=mixed)),
        )

    @property
    def letters(self) -> str:
        """All letters; of a very long name the first ones."""
        return "".join(self.words)[:_MOST_LETTERS]


def _oddities(words: Sequence[str], *, mixed: bool) -> Iterator[str]:
    roman = len(words) > 1 and _ROMAN.fullmatch(words[-1])
    if roman or any(c.isdigit() for word in words for c in word):
        yield "there is a number in the name: the next one may be another firm"
    elif len(words) > 1 and words[-1] in _COUNTED:
        yield "the name ends with a number: the next one may be another firm"
    elif len(words) > 1 and len(words[-1]) == 1 and words[-1].isascii():
        yield "the name ends with a single letter: the next one may be another firm"
    if mixed:
        yield "the name has letters of another alphabet that look like Latin ones"


Firm = TypeVar("Firm", InfimaClient, HaloCustomer)
Mark = tuple[str, str]


class Register(Generic[Firm]):
    """All firms of one system, looked up by name and by what is near a name."""

    def __init__(self, firms: Iterable[Firm]) -> None:
        self.rows: dict[int, Firm] = {}
        self.names: dict[int, FirmName] = {}
        self._by_mark: defaultdict[Mark, list[int]] = defaultdict(list)
        for firm in firms:
            name = FirmName.of(firm.name)
            self.rows[firm.id], self.names[firm.id] = firm, name
            for mark in _marks(name) | {("name", name.key)} | {("word", word) for word in name.words}:
                self._by_mark[mark].append(firm.id)

    def _marked(self, marks: Iterable[Mark]) -> set[int]:
        return {number for mark in marks for number in self._by_mark.get(mark, ())}

    def called(self, name: FirmName) -> list[Firm]:
        """The firms of the same name, in ascending order of their ids."""
        return [self.rows[number] for number in sorted(self._marked([("name", name.key)]))] if name.key else []

    def near(self, name: FirmName) -> set[int]:
        """The ids of the firms whose names are near this one or the same: docs/propose.md says what near is."""
        return self._marked((_MIRRORED.get(kind, kind), value) for kind, value in _marks(name))

    def sharing(self, name: FirmName) -> set[int]:
        """The ids of those that have a telling word in common with it."""
        return self._marked(("word", word) for word in name.words)

    def perhaps(self, name: FirmName) -> list[Firm]:
        """Those that may be meant by it: its words in another order or spelling, or with one slip of the pen."""
        marks = [("spelling", each) for each in name.spellings]
        if marks and len(name.letters) >= _TELLING_LETTERS:
            marks += [("slip", each) for each in _slips(name.letters)]
        return [self.rows[number] for number in sorted(self._marked(marks))]


_PAIRED = (("whole", "part"), ("letters", "initials"), ("joined", "run"))
_MIRRORED = {one: other for pair in _PAIRED for one, other in (pair, pair[::-1])}
"""One name's whole is looked for among the others' parts, its initials among their letters."""


def _marks(name: FirmName) -> set[Mark]:
    """What a near name has in common with this one; each mark is one way of being near."""
    words = name.words
    if not words:
        return set()
    marks = {("slip", each) for each in _slips(name.letters)}
    marks |= {("letters", name.letters), ("whole", " ".join(sorted(words)))}
    marks |= {("part", " ".join(sorted(part))) for part in _parts(words)}
    marks |= {("initials", each) for each in name.initials}
    marks |= {("spelling", each) for each in name.spellings}
    marks |= {("looks", _read_as(name.letters)), ("joined", "".join(words))}
    marks |= {("run", "".join(run)) for run in _runs(words)}
    if len(words) >= _TWO:
        places = range(1 if len(words) == _TWO else 0, len(words))
        marks |= {("but one", " ".join((*words[:place], "*", *words[place + 1 :]))) for place in places}
    return marks


_TWO = 2
"""Of two words the first one tells: "Acme North" is near "Acme South", "Baker Dental" is not near "Miller Dental"."""


def _parts(words: Sequence[str]) -> Iterator[Sequence[str]]:
    """Every selection of its words; of a very long name its beginnings and its ends."""
    if len(words) <= _MOST_WORDS:
        for length in range(1, len(words) + 1):
            yield from combinations(words, length)
        return
    for place in range(1, len(words) + 1):
        yield words[:place]
        yield words[-place:]


def _runs(words: Sequence[str]) -> Iterator[Sequence[str]]:
    """Words that stand side by side, but not all of them: "Bigbank" is the parent of "Big Bank North"."""
    for start, end in combinations(range(len(words) + 1), 2):
        if end - start < len(words):
            yield words[start:end]


def _read_as(letters: str) -> str:
    """The letters as a person in a hurry reads them."""
    for written, read in _TWINS:
        letters = letters.replace(written, read)
    return letters


def _slips(letters: str) -> set[str]:
    """The letters, and what is left of them without one: two names that share one of these are a slip apart.

    A slip is a letter more, a letter less, another letter, or one that has moved.
    """
    return {letters, *(letters[:place] + letters[place + 1 :] for place in range(len(letters)))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterpart:
    """Which customer a client probably is by its name; None where no one customer stands out.

    `same`: the names are the same, not merely alike. `doubts` are sentences for a person; with none of them and the
    same name it is sure.
    """

    customer: HaloCustomer | None
    same: bool
    doubts: tuple[str, ...] = ()

    @property
    def sure(self) -> bool:
        """True where a person need not look at the names."""
        return self.customer is not None and self.same and not self.doubts

    @property
    def likely(self) -> bool:
        """True where nothing but the names' likeness is to be looked at."""
        return self.customer is not None and not self.same and not self.doubts


class Sameness:
    """Finds the counterparts of clients among customers; both lists are whole, mapped and ignored ones among them."""

    def __init__(self, clients: Iterable[InfimaClient], customers: Iterable[HaloCustomer]) -> None:
        self.clients = Register(clients)
        self.customers = Register(customers)

    def counterpart(self, client: InfimaClient) -> Counterpart:
        """The one customer of this name, or nearly, with everything that speaks against it."""
        name = self.clients.names[client.id]
        called = self.customers.called(name)
        found = called or self.customers.perhaps(name)
        active = [one for one in found if not one.inactive]
        doubts = list(name.odd)
        if len(found) > 1 and called:
            doubts.append(f"{len(found)} customers have this name: {_listed(found)}")
        elif len(found) > 1:
            doubts.append(f"{len(found)} customers may be meant: {_listed(found)}")
        elif found and not active:
            doubts.append(f"the only customer of this name is inactive: {_listed(found)}")
        if len(active) != 1:
            return Counterpart(customer=None, same=bool(called), doubts=tuple(doubts))
        chosen = active[0]
        doubts += self._beside(client, name, chosen)
        return Counterpart(customer=chosen, same=bool(called), doubts=tuple(doubts))

    def alike(self, client: InfimaClient) -> list[HaloCustomer]:
        """The customers whose names have anything in common with the client's, for a person to pick from."""
        name = self.clients.names[client.id]
        return [self.customers.rows[n] for n in sorted(self.customers.near(name) | self.customers.sharing(name))]

    def _beside(self, client: InfimaClient, name: FirmName, chosen: HaloCustomer) -> Iterator[str]:
        """What stands beside this pair in both systems."""
        other = self.customers.names[chosen.id]
        if name.form and other.form and name.form != other.form:
            yield f"the legal forms differ: {client.name}, {chosen.name}"
        yield from (odd for odd in other.odd if odd not in name.odd)
        near_clients = (self.clients.near(name) | self.clients.near(other)) - {client.id}
        if near_clients:
            rows = _listed(self.clients.rows[number] for number in near_clients)
            yield f"other INFIMA clients have names near this one: {rows}"
        near = (self.customers.near(name) | self.customers.near(other)) - {chosen.id}
        if near:
            rows = _listed(self.customers.rows[number] for number in near)
            yield f"other customers have names near this one: {rows}"


def _listed(firms: Iterable[InfimaClient | HaloCustomer]) -> str:
    """The first of them, by id."""
    rows = sorted(firms, key=lambda firm: firm.id)
    told = ", ".join(map(named, rows[:_TOLD]))
    return told if len(rows) <= _TOLD else f"{told} and {len(rows) - _TOLD} more"


_TOLD = 3
