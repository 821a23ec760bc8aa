"""How often `propose` is right about names: a market whose truth is known, because it is made.

    python -m tests.truth.market --pairs 10000 --seed 1

It shares no code with the program but the call that is measured. Partners are made with the trouble that real ones
have: slips, branches, numbered schools, daughters beside parents, initials, umlauts, swapped words, letters of other
alphabets, two firms of one name. What no name can tell is left out: a firm whose customer is not in HaloPSA at all
while a stranger of exactly its name is.
"""

from __future__ import annotations

import argparse
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from time import process_time
from zlib import crc32

from reconciler.answers.sameness import Sameness
from reconciler.model import HaloCustomer, HaloCustomerId, InfimaClient, InfimaClientId

PAIRS_A_PARTNER = 500


def words(text: str) -> tuple[str, ...]:
    """The words of a list that people can read."""
    return tuple(text.split())


BEGINNINGS = words(
    "ba be bo bra ca ce cla co da del dor el fa fen flo ga gar gre ha hol ja ka kel lan len lor ma mer mon na nor ol "
    "or pa pel pra qui ra rev ro sa sel sol ta tan tre ul va ver vol wa wen wil yar zan zel"
)
MIDDLES = words("na ri lo ve do mi ra te sa li no be ka gu")
ENDINGS = words(
    "by dale den field ford gate ham ler ley man mer ner nik ridge rin sen ski son stad ster ton vane well wick worth"
)
TRADES = words(
    "Dental Freight Law Plumbing Bakery Motors Optics Catering Interiors Logistics Engineering Foods Roofing Surveyors "
    "Architects Accountants Veterinary Pharmacy Printing Textiles Farms Brewery Energy Software Insurance Nursery "
    "Fitness Gardens Hotels Security Cleaning Glass Timber Steel Packaging Recruitment Travel Property Finance Marine"
)
PLACES = words("Leeds York Bristol Oslo Bergen Graz Linz Austin Denver Cork Derby Exeter Ghent Lyon Turin Porto Malmo")
FORMS = (
    ("Ltd", "Ltd.", "Limited", "limited"),
    ("LLC", "L.L.C."),
    ("Inc", "Inc.", "Incorporated"),
    ("GmbH",),
    ("plc", "PLC"),
)
LOOK_ALIKES = str.maketrans("aeopcAO", "\u0430\u0435\u043e\u0440\u0441\u0410\u041e")


@dataclass(slots=True)
class Partner:
    """Both lists of one partner, and for each client which kind of trouble it is and whose customer it truly is."""

    rng: Random
    clients: list[InfimaClient] = field(default_factory=list)
    customers: list[HaloCustomer] = field(default_factory=list)
    truth: dict[int, tuple[str, int | None]] = field(default_factory=dict)

    def customer(self, name: str, *, inactive: bool = False) -> int:
        number = HaloCustomerId(len(self.customers) + 1)
        self.customers.append(HaloCustomer(id=number, name=name, inactive=inactive))
        return number

    def client(self, kind: str, name: str, customer: int | None) -> None:
        number = InfimaClientId(len(self.clients) + 1)
        self.clients.append(InfimaClient(id=number, name=name))
        self.truth[number] = (kind, customer)

    # ---- names ----

    def stem(self) -> str:
        pick = self.rng.choice
        middle = pick(MIDDLES) if self.rng.random() < 0.6 else ""
        return (pick(BEGINNINGS) + middle + pick(ENDINGS)).capitalize()

    def firm(self) -> str:
        roll, pick = self.rng.random(), self.rng.choice
        if roll < 0.12:
            return self.stem()
        if roll < 0.24:
            return f"{self.stem()} & {self.stem()}"
        if roll < 0.32:
            return f"{pick(PLACES)} {pick(TRADES)}"
        if roll < 0.42:
            return f"{self.stem()} {pick(TRADES)} {pick(TRADES)}"
        return f"{self.stem()} {pick(TRADES)}"

    def written(self, name: str) -> str:
        """The same name as another person types it."""
        rng = self.rng
        forms = FORMS[crc32(name.encode()) % len(FORMS)]  # a firm has one legal form, however it is written
        if rng.random() < 0.4:
            name = f"{name}{rng.choice((' ', ', '))}{rng.choice(forms)}"
        if rng.random() < 0.2:
            name = name.upper() if rng.random() < 0.5 else name.lower()
        if rng.random() < 0.2:
            name = name.replace(" ", rng.choice(("  ", " - ", "\u00a0", "-")), 1)
        if rng.random() < 0.2:
            name = name.replace("&", "and")
        return unicodedata.normalize("NFD", name) if rng.random() < 0.2 else name

    def slip(self, name: str) -> str:
        """The name with one slip of the pen: a letter more, less, other, or two that changed places."""
        while True:
            place = self.rng.randrange(1, len(name))
            before, here, letter = name[place - 1], name[place], self.rng.choice("aeionrst")
            match self.rng.randrange(4):
                case 0:
                    slipped = name[:place] + name[place + 1 :]
                case 1:
                    slipped = name[:place] + letter + name[place:]
                case 2:
                    slipped = name[:place] + letter + name[place + 1 :]
                case _:
                    slipped = name[: place - 1] + here + before + name[place + 1 :]
            if before.isalpha() and here.isalpha() and slipped.casefold() != name.casefold():
                return slipped


def same(p: Partner) -> None:
    name = p.firm()
    p.client("same", p.written(name), p.customer(p.written(name)))


def near(p: Partner) -> None:
    """The firm with a slip in one of its names; in a third of them a stranger a slip away, and the firm elsewhere."""
    name = p.firm()
    if p.rng.random() < 0.33:
        p.customer(p.slip(name))
        p.client("near", name, p.customer(p.firm()))
    elif p.rng.random() < 0.5:
        p.client("near", p.slip(name), p.customer(name))
    else:
        p.client("near", name, p.customer(p.slip(name)))
        if p.rng.random() < 0.3:
            p.customer(p.slip(name))


def branch(p: Partner) -> None:
    """Two to four branches; some of them HaloPSA bills to the head office."""
    name = f"{p.stem()} {p.rng.choice(TRADES)}"
    office = p.customer(p.written(name)) if p.rng.random() < 0.6 else None
    for place in p.rng.sample(PLACES, p.rng.randint(2, 4)):
        spelled = p.rng.choice((f"{name} {place}", f"{name} ({place})", f"{name} - {place}"))
        if office is not None and p.rng.random() < 0.3:
            p.client("branch", p.rng.choice((spelled, name)), office)
        else:
            customer = p.customer(f"{name} {place}")
            p.client("branch", name if p.rng.random() < 0.1 else spelled, customer)


def numbered(p: Partner) -> None:
    """Schools and stores with numbers; of some the two systems count differently."""
    name, shift = f"{p.stem()} {p.rng.choice(('School', 'Store', 'Clinic'))}", p.rng.random() < 0.25
    roman = p.rng.random() < 0.2
    for number in range(1, p.rng.randint(3, 5)):
        told = number + 1 if shift else number
        spelled = ("I", "II", "III", "IV", "V", "VI")[told - 1] if roman else str(told)
        p.client("numbered", f"{name} {number if not roman else spelled}", p.customer(f"{name} {spelled}"))


def parent(p: Partner) -> None:
    """A parent beside its daughter; INFIMA has the one or the other under the parent's name."""
    name = p.stem()
    above = p.customer(p.written(f"{name}{p.rng.choice(('', ' Group', ' Holdings'))}"))
    below = p.customer(p.written(f"{name} {p.rng.choice(TRADES)}"))
    p.client("parent and daughter", p.rng.choice((name, f"{name} Group")), p.rng.choice((above, below)))


def abbreviation(p: Partner) -> None:
    words = [p.stem(), p.rng.choice(TRADES), p.rng.choice(("Services", "Partners", "Group"))]
    short, long = "".join(word[0] for word in words), " ".join(words)
    if p.rng.random() < 0.3:
        p.customer(short)
        p.client("abbreviation", short if p.rng.random() < 0.5 else long, p.customer(long))
    else:
        p.client("abbreviation", short, p.customer(long))


def umlaut(p: Partner) -> None:
    """Umlauts with dots, without, and written out; in a third of them another firm has the other spelling."""
    stem = p.rng.choice(("M{}ller", "Sch{}fer", "J{}ger", "K{}hler", "Gr{}ner", "B{}cker", "T{}rner")) + p.rng.choice(
        ENDINGS
    )
    dots, bare, out = p.rng.choice((("\u00fc", "u", "ue"), ("\u00e4", "a", "ae"), ("\u00f6", "o", "oe")))
    trade = p.rng.choice(TRADES)
    one, other = (f"{stem.format(each)} {trade}" for each in p.rng.sample((dots, bare, out), 2))
    if p.rng.random() < 0.33:
        p.customer(other)
        p.client("umlaut", one, p.customer(p.rng.choice((p.written(one), p.firm()))))
    else:
        p.client("umlaut", one, p.customer(p.rng.choice((one, other))))


def swapped(p: Partner) -> None:
    words = [p.stem(), p.rng.choice(TRADES), p.rng.choice(PLACES)]
    turned = [words[1], words[0], words[2]]
    if p.rng.random() < 0.3:
        p.customer(" ".join(turned))
        p.client("swapped words", " ".join(words), p.customer(p.rng.choice((p.written(" ".join(words)), p.firm()))))
    else:
        p.client("swapped words", " ".join(turned), p.customer(" ".join(words)))


def homoglyph(p: Partner) -> None:
    """Letters of another alphabet in one of the names; in half of them two firms look the same and are not."""
    name = p.firm()
    odd = name.translate(LOOK_ALIKES)
    if p.rng.random() < 0.5:
        p.client("homoglyph", *((odd, p.customer(name)) if p.rng.random() < 0.5 else (name, p.customer(odd))))
    else:
        p.customer(odd)
        p.client("homoglyph", name, p.customer(p.rng.choice((p.written(name), p.firm()))))


def namesake(p: Partner) -> None:
    """Two firms of one name, and a name whose firm in HaloPSA is over."""
    name = p.firm()
    if p.rng.random() < 0.6:
        ids = [p.customer(f"{name} {form}") for form in p.rng.sample(("Ltd", "LLC", "GmbH", "Inc"), 2)]
        p.client("namesake", p.rng.choice((name, f"{name} Ltd")), p.rng.choice(ids))
    else:
        p.customer(p.written(name), inactive=True)
        p.client("namesake", p.written(name), p.customer(p.firm()))


KINDS: tuple[tuple[Callable[[Partner], None], int], ...] = (
    (same, 50), (near, 10), (branch, 3), (numbered, 3), (parent, 6), (abbreviation, 6), (umlaut, 6), (swapped, 6),
    (homoglyph, 6), (namesake, 5),
)  # fmt: skip


def partners(pairs: int, seed: int) -> Iterator[Partner]:
    """Partners with so many clients together."""
    rng = Random(seed)  # noqa: S311 - has to repeat, not to be secret
    makers, weights = zip(*KINDS, strict=True)
    while pairs > 0:
        made = Partner(rng)
        size = min(pairs, PAIRS_A_PARTNER)
        while len(made.clients) < size:
            rng.choices(makers, weights)[0](made)
        for extra in made.clients[size:]:
            del made.truth[extra.id]
        rng.shuffle(made.clients)
        rng.shuffle(made.customers)
        pairs -= size
        yield made


Tally = dict[str, Counter[str]]


def measure(pairs: int, seed: int) -> tuple[Tally, list[str]]:
    """For each kind how many are what, and in words every sure one that is wrong."""
    tally: Tally = {}
    wrong = []
    for partner in partners(pairs, seed):
        sameness = Sameness(partner.clients, partner.customers)
        for client in partner.clients:
            if client.id not in partner.truth:
                continue
            kind, true = partner.truth[client.id]
            found = sameness.counterpart(client)
            right = found.customer is not None and found.customer.id == true
            word = "sure" if found.sure else "likely" if found.likely else "ask"
            counted = tally.setdefault(kind, Counter())
            counted["pairs"] += 1
            counted[word if word == "ask" else f"{word}, {'right' if right else 'wrong'}"] += 1
            if found.same and found.customer is not None and not right:
                counted["same name, wrong"] += 1
            if found.sure and not right:
                wrong.append(f"{kind}: {client.name!r} taken for {found.customer}")
    return tally, wrong


COLUMNS = ("pairs", "sure, right", "sure, wrong", "likely, right", "likely, wrong", "ask")
"""Besides them "same name, wrong" is counted: what would be wrong if the same name alone were enough."""


def table(tally: Tally) -> str:
    """The figures as a table of Markdown."""
    total: Counter[str] = Counter()
    for counted in tally.values():
        total.update(counted)
    lines = [f"| names | {' | '.join(COLUMNS)} |", f"|---|{'---:|' * len(COLUMNS)}"]
    order = [maker.__name__ for maker, _ in KINDS]
    rows = sorted(tally.items(), key=lambda row: next((n for n, k in enumerate(order) if row[0].startswith(k)), 99))
    for kind, counted in (*rows, ("**all**", total)):
        lines.append(f"| {kind} | {' | '.join(f'{counted[column]:,}' for column in COLUMNS)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began = process_time()
    tally, wrong = measure(asked.pairs, asked.seed)
    print(table(tally))  # noqa: T201
    print(f"\n{process_time() - began:.1f} s of CPU", file=sys.stderr)  # noqa: T201
    for line in wrong[:20]:
        print(f"wrong: {line}", file=sys.stderr)  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
