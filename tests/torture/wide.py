"""What a random schedule may contain beyond faults, crashes and people: other servers, settings, and a state that is
lost, restored from an old backup, damaged, or used with another partner's key.

Drawn from a stream of its own, so that a seed plays the same faults and people with and without it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from reconciler.simulator.records import Actor, Endpoint
from reconciler.simulator.switches import Switches
from tests.faults.kinds import Fault, FaultKind
from tests.torture.contracts import Tuning
from tests.torture.theatre import Theatre

UNUSUAL: dict[str, tuple[Any, ...]] = {
    "rate_limit": (12, 40),
    "retry_after": ("none", "seconds", "date", "absurd"),
    "rate_body": ("object", "empty"),
    "post_status": (201,),
    "post_shape": ("object", "array", "empty"),
    "count_shape": ("half", "null", "string", "absent"),
    "count_zero": ("refuse_at_create", "refuse"),
    "update_mode": ("reset",),
    "equal_creates": ("refuse",),
    "lag_reads": (1, 2),
    "page_ceiling": (1, 2, None),
    "paging_ignored": (True,),
    "record_count": ("stale", "wrong", "absent"),
    "order": ("by_name", "changing"),
    "includeinactive_default": (True,),
    "includeinactive_honoured": (False,),
    "licence_type_honoured": (False,),
    "unknown_members": (True,),
    "marker": ("unlisted",),
    "missing_scope_status": (403,),
    "agent_lacks": (("edit:softwarelicensing",), ("read:customers",)),
    "token_seconds": (20, 70, 400),
    "expires_in": ("absent", "zero", "text", "float", "huge", "negative"),
    "scope_in_token_answer": (False,),
    "user_count": ("total", "stale"),
    "status_default": ("all",),
    "status_spelling": ("capital", "upper"),
    "total": ("wrong", "changing", "absent"),
    "limit_over_50": ("clamp",),
    "archived": ("listed", "listed_with_zero"),
    "other_client": (404, 200),
}
"""What else nobody knows about the two vendors, in values that most schedules do not have."""

BAD = ("rate_limit", "count_shape", "count_zero", "update_mode",
       "equal_creates", "paging_ignored", "record_count",
       "order", "agent_lacks", "user_count", "total", "lag_reads", "includeinactive_honoured")  # fmt: skip
"""Those under which a run may rightly never come to its end: they end when the faults do."""

OUTAGES = (
    FaultKind.SERVER_ERROR, FaultKind.UNAVAILABLE, FaultKind.RATE_LIMITED, FaultKind.READ_TIMEOUT, FaultKind.HTML,
    FaultKind.FORBIDDEN,
)  # fmt: skip
"""What a system answers while it is down."""

OTHER_PARTNER = "Another Partner"


def unusual(more: Random, switches: Switches) -> Switches:
    """The server with up to four of its habits exchanged."""
    names = more.sample(sorted(UNUSUAL), more.choice((0, 0, 1, 2, 4)))
    return replace(switches, **{name: more.choice(UNUSUAL[name]) for name in names})


def mended(switches: Switches) -> Switches:
    """The server as it is when nothing is wrong with it any more."""
    plain = Switches()
    return replace(switches, lag_seconds=0, **{name: getattr(plain, name) for name in BAD})


def tuned(more: Random) -> Tuning:
    """Settings of mappings.yaml, most often the usual ones."""
    if more.random() < 0.5:
        return Tuning()
    return Tuning(
        marker=more.choice(("snowid", "snowid", "notes", "third_party_productid", "none")),
        budget=more.choice((240, 240, 40, 15)),
        batch=more.choice((50, 1, 2)),
        marker_wait_seconds=more.choice((60, 0, 5, 600)),
    )


@dataclass(slots=True, kw_only=True)
class Fortune:
    """What befalls the state between two acts, and the backups that somebody made of it."""

    theatre: Theatre
    more: Random
    backups: list[Path] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def strike(self) -> set[str]:
        """One thing, or most often none; says what it was."""
        theatre, more = self.theatre, self.more
        theatre.world.partner, theatre.lasting = theatre.home, ()
        if theatre.folder.exists() and more.random() < 0.3:
            self._back_up()
        if more.random() < 0.7 or not theatre.folder.exists():
            return set()
        choices: dict[str, Callable[[], None]] = {
            "state lost": self._lose,
            "state.json lost": self._lose_document,
            "state from an old backup": self._restore,
            "state.json damaged": self._damage_document,
            "a journal damaged": self._damage_journal,
            "another partner's key": self._change_key,
            "a Subscription ended": self._end_one,
            "a client left or renamed": self._change_client,
            "an outage that lasts": self._outage,
        }
        what = more.choice(sorted(choices))
        choices[what]()
        return {what}

    def _back_up(self) -> None:
        place = self.theatre.folder.parent / f"backup-{len(self.backups)}"
        shutil.copytree(self.theatre.folder, place)
        self.backups.append(place)

    def _lose(self) -> None:
        shutil.rmtree(self.theatre.folder)
        self._forgotten(journals=True)

    def _lose_document(self) -> None:
        (self.theatre.folder / "state.json").unlink(missing_ok=True)
        self._forgotten(journals=False)

    def _restore(self) -> None:
        if not self.backups:
            return
        shutil.rmtree(self.theatre.folder)
        shutil.copytree(self.more.choice(self.backups), self.theatre.folder)
        self._forgotten(journals=True)

    def _damage_document(self) -> None:
        """One bit turns; a run must refuse to work on that. Then a person puts the file back as it was."""
        path = self.theatre.folder / "state.json"
        whole = path.read_bytes() if path.exists() else b""
        if not whole:
            return
        path.write_bytes(_flipped(whole, self.more))
        before = len(list(self.theatre.evidence.writes()))
        report = self.theatre.apply()
        if len(list(self.theatre.evidence.writes())) != before or report.exit_code in {0, None}:
            self.wrong.append(f"pf10_damage: run {report.number} worked on a damaged state.json ({report.exit_code})")
        path.write_bytes(whole)
        self.theatre.disk.settle()

    def _damage_journal(self) -> None:
        evidence = self.theatre.evidence
        names = sorted(evidence.journals())
        if not names:
            return
        path = self.theatre.folder / "journal" / self.more.choice(names)
        if whole := path.read_bytes():
            path.write_bytes(_flipped(whole, self.more))
            evidence.damaged.add(path.name)
        self.theatre.disk.settle()

    def _change_key(self) -> None:
        self.theatre.world.partner = OTHER_PARTNER
        self.theatre.evidence.foreign = True

    def _end_one(self) -> None:
        """A person writes yesterday into the end date of one of our rows; nothing else tells that it is over."""
        theatre, evidence = self.theatre, self.theatre.evidence
        rows = sorted(i for c in evidence.contracts for i in evidence.own(c) if i in theatre.world.licences)
        if rows:
            yesterday = (theatre.clock.now() - timedelta(days=1)).strftime("%Y-%m-%dT00:00:00")
            theatre.world.change_licence(self.more.choice(rows), {"end_date": yesterday}, actor=Actor.PERSON)

    def _change_client(self) -> None:
        """INFIMA deletes a client, or gives it another name."""
        world, evidence = self.theatre.world, self.theatre.evidence
        numbers = sorted(n for c in evidence.contracts for n in c.clients if n in world.infima_clients)
        if numbers and self.more.random() < 0.5:
            world.remove_client(self.more.choice(numbers))
        elif numbers:
            world.change_client(self.more.choice(numbers), {"name": "Renamed in INFIMA"})

    def _outage(self) -> None:
        """From some request of the next act on, an endpoint fails again and again."""
        kind, nth = self.more.choice(OUTAGES), self.more.randint(1, 4)
        at = self.more.choice((Endpoint.WRITE, Endpoint.WRITE, Endpoint.LICENCES, Endpoint.USERS, Endpoint.TOKEN))
        self.theatre.lasting = (Fault(kind=kind, at=at, nth=nth, times=200),)

    def _forgotten(self, *, journals: bool) -> None:
        """What was recorded is not known any more (assumption A4 broken), and maybe not what was journaled."""
        evidence = self.theatre.evidence
        evidence.forgotten.append(len(evidence.requests))
        if journals:
            evidence.without_journal |= {run.run_id for run in evidence.runs}
        self.theatre.disk.settle()


def _flipped(content: bytes, more: Random) -> bytes:
    place = more.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << more.randrange(8))]) + content[place + 1 :]
