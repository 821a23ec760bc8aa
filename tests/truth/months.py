"""Months of nights from a seed: what statement and history say, held against the world's own log (FAULTS T6).

`python -m tests.truth.months --histories 200` plays them and prints the figures. People edit, delete and revive
Subscriptions; mappings leave the file, come back, get another key; runs are partial, cut off, hit by faults, or made on
a machine whose clock is hours off. The truth comes from the world's mutations alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from reconciler.simulator.records import Actor, Mutation
from reconciler.simulator.world import World
from tests.clock import VirtualClock
from tests.stage import TEMPLATE
from tests.truth.nights import draw_fate
from tests.truth.scene import Fate, Scene, staged

DAYS = 24
INSTANT = timedelta(microseconds=1)


@dataclass(slots=True, kw_only=True)
class Entry:
    """One mapping of the file: its INFIMA client, and what the file says of it."""

    client: int
    customer: int
    key: str
    adopted: int | None = None
    fixed: int | None = None
    mapped: bool = True

    def lines(self) -> list[str]:
        """Its entry in mappings.yaml."""
        name = f"Client {self.client}"
        told = [
            f"  - key: {self.key}",
            f'    infima_client: {{id: {self.client}, name: "{name}"}}',
            f'    halo_customer: {{id: {self.customer}, name: "{name}"}}',
        ]
        if self.adopted is not None:
            told.append(f"    subscription_id: {self.adopted}")
        if self.fixed is not None:
            told.append(f'    quantity: {{fixed: {self.fixed}, reason: "contract"}}')
        return told


@dataclass(slots=True, kw_only=True)
class Run:
    """A run, and when it was really made."""

    id: str
    begun: datetime
    ended: datetime


@dataclass(slots=True, kw_only=True)
class Months:
    """A world, its file, and its runs."""

    seed: int
    scene: Scene
    entries: list[Entry]
    runs: list[Run] = field(default_factory=list)
    first_day: datetime
    events: int = 0
    adopted: set[int] = field(default_factory=set)

    @property
    def world(self) -> World:
        return self.scene.world

    def write_file(self) -> None:
        """Put the entries into mappings.yaml."""
        limits = "limits: {max_decrease: {users: 100, percent: 100}, max_increase: {users: 100, percent: 100}}"
        lines = ["version: 1", limits, "mappings:"]
        for entry in self.entries:
            lines += entry.lines() if entry.mapped else []
        (self.scene.folder / "mappings.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def subscription_of(self, entry: Entry) -> int | None:
        """The newest one that its customer has."""
        mine = [n for n, row in self.world.licences.items() if row.get("client_id") == entry.customer]
        return max(mine, default=None)


def furnish(folder: Path, seed: int) -> Months:
    """Five or six mappings, some with Subscriptions of their own."""
    rng = Random(seed)  # noqa: S311 - has to repeat
    clock = VirtualClock()
    clock.set(datetime(2026, 9, 20, rng.randrange(24), rng.randrange(60), tzinfo=UTC))
    world, entries = World(clock=clock), []
    for index in range(rng.randint(4, 6)):
        client, customer, users = 101 + index, 11 + index, rng.randint(2, 30)
        world.add_client(client, f"Client {client}", active=users)
        world.add_customer(customer, f"Client {client}")
        entry = Entry(client=client, customer=customer, key=f"infima-{client}")
        if rng.random() < 0.5:
            entry.adopted = world.add_licence(customer, TEMPLATE, users + rng.choice((0, 0, 1)))
        entries.append(entry)
    months = Months(seed=seed, scene=Scene(world, folder, rng), entries=entries, first_day=clock.now())
    months.write_file()
    return months


# ---- what happens ---------------------------------------------------------------------------------------------------


def play(months: Months, days: int = DAYS) -> None:
    """Days with edits by people and one run each, most of them; two quiet ones, and edits that no run sees."""
    rng = months.scene.rng
    for day in range(days):
        quiet = day >= days - 2
        for _ in range(rng.choice((0, 1, 1, 2))):
            _sleep(months, rng.uniform(0.5, 6))
            if not quiet:
                _something_happens(months)
        _sleep(months, rng.uniform(0.5, 8))
        if quiet or rng.random() < 0.85:
            one_run(months, quiet=quiet)
        _sleep(months, rng.uniform(0.5, 5))
    for entry in months.entries:  # behind the last listing
        if (number := months.subscription_of(entry)) is not None:
            months.world.person_sets_count(number, rng.randint(1, 40))
    _sleep(months, 30)


def _sleep(months: Months, hours: float) -> None:
    months.scene.clock.sleep(hours * 3600)


def _something_happens(months: Months) -> None:
    rng, world = months.scene.rng, months.world
    entry = rng.choice(months.entries)
    number = months.subscription_of(entry)
    months.events += 1
    draw = rng.random()
    if draw < 0.4:
        world.users_become(entry.client, rng.randint(1, 40))
    elif draw < 0.6 and number is not None:
        world.person_sets_count(number, rng.randint(1, 40))
    elif draw < 0.68 and number is not None:
        world.change_licence(number, {"deleted": rng.random() < 0.7}, actor=Actor.PERSON)
    elif draw < 0.76 and number is not None:
        world.change_licence(number, {"is_active": rng.random() < 0.5}, actor=Actor.PERSON)
    elif draw < 0.84:
        entry.mapped = not entry.mapped
    elif draw < 0.92 and number is not None:
        entry.key, entry.adopted = f"client-{entry.client}-{rng.randrange(1000)}", number
    else:
        entry.fixed = None if entry.fixed is not None else rng.randint(1, 40)
    if not any(one.mapped for one in months.entries):
        entry.mapped = True
    months.write_file()


def one_run(months: Months, *, quiet: bool) -> None:
    """One apply; something may befall it, and the machine's clock may be hours off."""
    scene, rng = months.scene, months.scene.rng
    fate = Fate() if quiet or rng.random() < 0.7 else draw_fate(rng)[1]
    arguments = ["apply", "--auto-approve", "-o", "json"]
    if not quiet and rng.random() < 0.15:
        arguments += ["--only", rng.choice([one.key for one in months.entries if one.mapped])]
    scene.skew = timedelta(hours=rng.choice((-9, -3, 5, 9))) if not quiet and rng.random() < 0.15 else timedelta()
    begun = scene.clock.now()
    answer = scene.cli(*arguments, fate=fate)
    scene.skew = timedelta()
    try:
        run = json.loads(answer.out).get("run") or {}
    except ValueError:
        run = {}
    if run.get("id"):  # a run has read this file: what it names is ours from now on
        months.adopted |= {one.adopted for one in months.entries if one.mapped and one.adopted is not None}
    months.runs.append(Run(id=run.get("id", ""), begun=begun, ended=scene.clock.now()))


# ---- the truth ------------------------------------------------------------------------------------------------------


def stood(months: Months, number: int, moment: datetime) -> int | None:
    """What a Subscription billed right before a moment; None before it was there."""
    row, present = dict(months.world.licences[number]), True
    for mutation in reversed(_log(months, number)):
        if mutation.time < moment:
            break
        present = present and mutation.action != "create"
        row |= {name: before for name, (before, _) in mutation.changes.items()}
    if not present:
        return None
    live = row.get("is_active") is not False and row.get("deleted") is not True
    return int(row["count"]) if live else 0


def _log(months: Months, number: int) -> list[Mutation]:
    return [m for m in months.world.mutations if m.kind == "licence" and m.object_id == number]


def came_and_went(months: Months, number: int, moment: datetime) -> bool:
    """True where the quantity at that moment differs from the ones at both runs around it, which agree.

    Nothing can know of it: it is counted, and not judged.
    """
    before = [run.ended for run in months.runs if run.ended < moment]
    after = [run.begun for run in months.runs if run.begun >= moment]
    if not before or not after:
        return False
    around = {stood(months, number, before[-1] + INSTANT), stood(months, number, after[0] + INSTANT)}
    return len(around) == 1


@dataclass(slots=True)
class Judged:
    """What came of one history."""

    runs: int = 0
    events: int = 0
    numbers: int = 0
    unknown: int = 0
    unseen: int = 0
    lines: int = 0
    false: list[str] = field(default_factory=list)


def judged(seed: int, folder: Path, days: int = DAYS) -> Judged:
    """Play one history, and hold what is said of it against the log."""
    months, done = furnish(folder, seed), Judged()
    with staged(months.scene):
        play(months, days)
        done.runs, done.events = len(months.runs), months.events
        for sentence in (*_statements(months, done), *_histories(months, done)):
            done.false.append(f"seed {seed}: {sentence}")
    return done


def _statements(months: Months, done: Judged) -> Iterator[str]:
    day, now = months.first_day - timedelta(days=1), months.scene.clock.now()
    while day.date() <= now.date():
        document = _ask(months, "statement", "--month", f"{day:%Y-%m}", "--invoice-day", str(day.day))
        for sentence in _statement(months, done, day, document):
            yield f"statement of {day:%Y-%m-%d}: {sentence}"
        day += timedelta(days=1)


def _statement(months: Months, done: Judged, day: datetime, document: dict[str, Any]) -> Iterator[str]:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    now = months.scene.clock.now()
    end = min(midnight, now)
    numbers = [row["subscription_id"] for row in document["rows"] if row["subscription_id"] is not None]
    yield from (f"Subscription {n} has two lines" for n in set(numbers) if numbers.count(n) > 1)
    total = 0
    for row in document["rows"]:
        said = row["invoice_day"]
        if said is None:
            done.unknown += 1
            if not row["why"]:
                yield f"{row['key']} has no number and no reason"
            continue
        total += said
        done.numbers += 1
        seen = datetime.fromisoformat(row["seen_at"]) + INSTANT
        truth = stood(months, row["subscription_id"], end if document["final"] else seen)
        if said == truth:
            continue
        if came_and_went(months, row["subscription_id"], end):
            done.unseen += 1
            continue
        yield f"{row['key']}, Subscription {row['subscription_id']}: says {said}, and {truth} stood"
    if document["users_invoiced"] not in (None, total):
        yield f"the sum is {document['users_invoiced']}, and the lines come to {total}"
    keys = {row["key"] for row in document["rows"]}
    if now < midnight:
        made = {m.object_id for m in months.world.mutations if m.kind == "licence" and m.action == "create"}
        bills = {n for n in made | months.adopted if stood(months, n, now)}
        yield from (f"no line for Subscription {n}, which has users" for n in sorted(bills - set(numbers)))
        yield from (f"no line for {one.key}" for one in months.entries if one.mapped and one.key not in keys)


def _histories(months: Months, done: Judged) -> Iterator[str]:
    ended = {run.id: run for run in months.runs if run.id}
    for key in {entry.key for entry in months.entries}:
        for line in _ask(months, "history", key).get("changes", []):
            run, number = ended.get(line["run"]), line["subscription_id"]
            if run is None or number is None or line["after"] is None or line["outcome"] == "seen":
                continue
            done.lines += 1
            truth = stood(months, number, run.ended + INSTANT)
            if line["after"] != (truth or 0):
                yield f"history {key}: run {line['run']} says after {line['after']} ({line['outcome']}), {truth} stood"


def _ask(months: Months, *arguments: str) -> dict[str, Any]:
    answer = months.scene.cli(*arguments, "-o", "json")
    if answer.code:
        return {"rows": [], "users_invoiced": None, "changes": []}
    found: dict[str, Any] = json.loads(answer.out)
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--histories", type=int, default=50)
    parser.add_argument("--first", type=int, default=1)
    options = parser.parse_args()
    total = Judged()
    for seed in range(options.first, options.first + options.histories):
        with tempfile.TemporaryDirectory() as folder:
            one = judged(seed, Path(folder))
        for name in ("runs", "events", "numbers", "unknown", "unseen", "lines"):
            setattr(total, name, getattr(total, name) + getattr(one, name))
        total.false += one.false
    print(f"histories {options.histories}, runs {total.runs}, things that people did {total.events}")  # noqa: T201
    print(f"numbers of days compared {total.numbers}, not known {total.unknown}, seen by nobody {total.unseen}")  # noqa: T201
    print(f"lines of history compared {total.lines}; false sentences {len(total.false)}")  # noqa: T201
    for line in total.false[:40]:
        print(f"  {line}")  # noqa: T201
    return bool(total.false)


if __name__ == "__main__":
    sys.exit(main())
