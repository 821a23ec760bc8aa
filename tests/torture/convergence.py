"""What has to be true when the faults are over: quiet, converged, isolated (P1, P2, P4)."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.simulator.records import Actor, Row
from tests.faults.kinds import Faults
from tests.torture.contracts import Contract
from tests.torture.evidence import Evidence
from tests.torture.theatre import Theatre
from tests.torture.wide import mended

NIGHT = 24 * 3600.0


def heal(theatre: Theatre) -> list[str]:
    """End all faults, let nights pass, run until it has to be good; returns what is not.

    Two clean runs have to be enough, the first after the settle time; the one after them must send nothing.
    """
    world, evidence = theatre.world, theatre.evidence
    theatre.faults = Faults()
    world.switches = mended(world.switches)
    world.partner = theatre.home
    world.infima_key_revoked = False
    theatre.clock.sleep(max(NIGHT, evidence.settle_seconds + 60))  # type: ignore[attr-defined]
    settled = False
    for _ in range(3):
        before = len(list(evidence.writes()))
        report = theatre.apply()
        quiet = len(list(evidence.writes())) == before
        if settled and not quiet:
            return [f"p1_quiet: run {report.number} wrote although the run before it was converged"]
        if quiet and settled:
            return []
        settled = not list(not_converged(evidence))
        if report.number >= 2 and settled and quiet:
            return []
        theatre.clock.sleep(NIGHT)  # type: ignore[attr-defined]
    return [f"p2_convergence: {what}" for what in not_converged(evidence)]


def not_converged(e: Evidence) -> Iterator[str]:
    """Mappings whose row does not bill what INFIMA counts, and that nothing a person did excuses."""
    last = e.runs[-1]
    note = e.plan_note(last)
    held = note.get("holds", {})
    for c in e.contracts:
        touched = _touched(e, c)
        rows = [e.world.licences[i] for i in sorted(e.own(c)) if i in e.world.licences]
        live = [row for row in rows if not row.get("deleted") and row.get("is_active") is not False]
        wanted = _wanted(e, c)
        counts = [row["count"] for row in live]
        good = not any(counts) if c.retired else counts == [wanted]
        if not e.trusted_marker:  # without a marker nobody can tell whose the other rows are
            known = [row["count"] for row in live if row["id"] not in e.copies()]
            good = good or wanted in counts or (c.retired and not any(known))
        moved = touched or not e.trusted_marker or _guarded(c, live, wanted)
        excused = (
            _for_a_person(e, held.get(c.key, ""), counts)
            or (c.key in held and moved)
            or (c.retired and touched and not e.trusted_marker)
            or (_source_fell(e) and "source-dropped" in note.get("refused_by", ()))
            or (e.foreign and "wrong-tenant" in note.get("refused_by", ()))
            or (note.get("refused_by") and any(_touched(e, each) or _guarded_now(e, each) for each in e.contracts))
        )
        if not good and not excused:
            shown = [(row["id"], row["count"]) for row in live]
            yield f"{c.key} bills {shown}, {wanted} is right; last run {last.exit_code} {last.error} holds {held}"


def _for_a_person(e: Evidence, rule: str, counts: list[int]) -> bool:
    """What only a person can decide: two rows at 0 after a broken assumption, a first count that nobody remembers as
    due, a row whose type and marker Halo's own update wiped off."""
    broken = bool(e.forgotten) or not e.settle_kept
    two = rule == "duplicate-marker" and broken and not any(counts)
    first = rule == "increase" and bool(e.forgotten) and counts == [0]
    return two or first or (rule == "state-lost" and _may_be_lost(e)) or not e.merges


def _may_be_lost(e: Evidence) -> bool:
    """Whether a run can think that the state is not whole: it was lost, or a person put a marker on something."""
    marked = any(
        m.actor is Actor.PERSON and m.action == "create" and m.changes.get(e.marker, (None, None))[1]
        for m in e.mutations
    )
    return bool(e.forgotten) or marked or not e.trusted_marker


def _source_fell(e: Evidence) -> bool:
    """Whether INFIMA really counts so much less than HaloPSA bills that a run has to ask."""
    billed = counted = 0
    for c in e.contracts:
        rows = [row for i in e.own(c) if (row := e.world.licences.get(i)) is not None and not row.get("deleted")]
        clients = [e.world.infima_clients.get(number) for number in c.clients]
        if c.counts and len(rows) == 1 and all(clients):
            billed += rows[0]["count"]
            counted += sum(client.active for client in clients if client is not None)
    return billed - counted > 20 and (billed - counted) * 100 > 20 * billed


def _guarded_now(e: Evidence, c: Contract) -> bool:
    rows = [e.world.licences[i] for i in e.own(c) if i in e.world.licences]
    return _guarded(c, rows, _wanted(e, c))


def _guarded(c: Contract, live: list[Row], wanted: int | None) -> bool:
    """Whether a guard of DESIGN 8 asks a person before this fall or rise."""
    if not c.counts or wanted is None or len(live) != 1:
        return False
    fall, count = live[0]["count"] - wanted, live[0]["count"]
    beyond = fall > 10 and fall * 100 > 30 * count
    steep = count > 0 and -fall > 50 and -fall > count
    return bool(beyond or steep or (wanted in {0, c.quantity(0)} and count > 0 and not c.allow_zero))


def _wanted(e: Evidence, c: Contract) -> int | None:
    if not c.counts:
        return c.quantity(None)
    clients = [e.world.infima_clients.get(number) for number in c.clients]
    if any(client is None for client in clients):
        return None
    return c.quantity(sum(client.active for client in clients if client is not None))


def _touched(e: Evidence, c: Contract) -> bool:
    """Whether a person, or INFIMA's own sync, changed something that this mapping hangs on."""
    own = e.own(c)
    people = [m for m in e.mutations if m.actor in {Actor.PERSON, Actor.DIRECTORY, Actor.HALO}]
    return any(
        (m.kind == "licence" and (m.object_id in own or m.changes.get("client_id", (0, 0))[1] == c.customer))
        or (m.kind == "customer" and m.object_id == c.customer)
        or (m.kind == "client" and m.object_id in c.clients)
        for m in people
    )
