"""The invariants of FAULTS.md section 3 as questions to the world's log, the wire and the files; none asks the program.

Each oracle yields one sentence for each violation. What stands on an assumption that a schedule breaks on purpose
(a settle bound, an unmarked object) asks only for what remains promised then.
"""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256

from reconciler.simulator.records import Actor, Endpoint
from tests.torture import files as state_files
from tests.torture.contracts import UNOWNED, Contract
from tests.torture.evidence import DEFINITE, READ_ENDPOINTS, Evidence, RunReport, Write, whole

Oracle = Callable[[Evidence], Iterator[str]]

FRESH_SECONDS = 60.0
SECOND_LOOK_SECONDS = 60.0
STAMPS = frozenset({"count"})
ORIGINS = frozenset({"https://halo.example.com", "https://app.infimasecapis.com"})
BUDGET_SECONDS = 300.0
LONGEST_RUN = 40 * 60.0
"""Half an hour for a run (DESIGN 5), and the last requests' own time-outs."""


# ---- money ----------------------------------------------------------------------------------------------------------


def m1_exact_value(e: Evidence) -> Iterator[str]:
    """Every count that a request wrote is one that a complete read of that run gave."""
    for m in e.api_mutations():
        if "count" not in m.changes or m.request is None:
            continue
        new = m.changes["count"][1]
        if m.action == "create":
            if new != 0:
                yield f"row {m.object_id} was created with the count {new}"
            continue
        run, owner = e.owner[m.request], e.owner_of(m.object_id)
        if owner is None or new not in e.quantities(run, owner, m.request):
            said = e.quantities(run, owner, m.request) if owner else "no mapping"
            yield f"request {m.request} set row {m.object_id} to {new}; complete reads say {said}"


def m2_single(e: Evidence) -> Iterator[str]:
    """Never two live rows for one mapping while the assumptions hold; never more billed than one of them, ever."""
    for c in e.contracts:
        made = e.created(c)
        if not made:
            continue
        most = max([q for r in e.runs for q in e.quantities(r.number, c)], default=0)
        live: set[int] = set()
        counts: dict[int, float] = {}
        for m in e.mutations:
            if m.kind != "licence" or m.object_id not in made:
                continue
            if m.action == "create":
                live.add(m.object_id)
            if "deleted" in m.changes:
                (live.discard if m.changes["deleted"][1] else live.add)(m.object_id)
            if "count" in m.changes and m.actor is Actor.API:
                counts[m.object_id] = m.changes["count"][1]
            if len(live) > 1 and e.settle_kept and e.trusted_marker and e.refusals_without_effect and not e.forgotten:
                yield f"{c.key} has the live rows {sorted(live)} after mutation {m.number}"
                break
            if sum(counts.get(i, 0) for i in live) > most and not e.nameless:
                yield f"{c.key} bills {[counts.get(i) for i in sorted(live)]} on {sorted(live)}, at most {most} is due"
                break


def m3_frame(e: Evidence) -> Iterator[str]:
    """An update sends an id and a count; a create sends the template; nothing else of a row is changed by a request.

    After a refusal an update may hold what some servers demand, as the run's last listing or its last read of the row
    by itself showed it.
    """
    template = {"type", "client_id", "name", "count", e.marker}
    refused = False
    for w in e.writes():
        allowed = template if w.creates else {"id", "count"}
        if not w.creates and refused:
            shown = next(
                (r for one in reversed(e.listings(w.run, w.record.number)) if (r := one.row(w.element["id"]))), {}
            )
            alone = e.read_alone(w.run, w.element["id"], w.record.number) or {}
            known = [read for read in (shown, alone) if read]
            allowed |= {
                m for m in ("client_id", "name", "type") if any(m in r and w.element.get(m) == r[m] for r in known)
            }
        refused = refused or w.record.status in {400, 422}
        if extra := set(w.element) - allowed:
            yield f"request {w.record.number} sends {sorted(extra)}"
    # What a server demands goes along as it was read: an edit that no listing showed yet is undone by it (H24).
    demanded = {"nothing": set(), "client": {"client_id"}}.get(
        e.world.switches.update_requires, {"client_id", "name", "type"}
    )
    for m in e.api_mutations():
        if m.action != "create" and (extra := set(m.changes) - STAMPS - demanded) and e.merges:
            yield f"request {m.request} changed {sorted(extra)} of row {m.object_id}"


def m4_ownership(e: Evidence) -> Iterator[str]:
    """Rows outside every mapping are equal, field for field, before and after."""
    owned = {number for c in e.contracts for number in e.own(c)}
    for m in e.api_mutations():
        if m.object_id not in owned:
            yield f"request {m.request} changed row {m.object_id}, which belongs to no mapping"
    for number in UNOWNED:
        row = dict(e.start_rows.get(number, {}))
        for m in e.mutations:
            if m.kind == "licence" and m.object_id == number:
                row |= {name: new for name, (_, new) in m.changes.items()}
        if e.world.licences.get(number) != {name: value for name, value in row.items() if value is not None}:
            yield f"row {number} is not what it was"


def m5_guards(e: Evidence) -> Iterator[str]:
    """No write past a guard: computed again from reads and rows, and held against what the run itself withheld."""
    for run in e.runs:
        writes = [w for w in e.writes() if w.run == run.number]
        if not writes:
            continue
        if why := _refused(e, run):
            yield f"run {run.number} wrote although {why}"
        note = e.plan_note(run)
        if note.get("refused_by"):
            yield f"run {run.number} was refused by {note['refused_by']} and wrote"
        for w in writes:
            owner = _owner_of_write(e, w)
            if owner is None:
                continue
            if owner.key in note.get("holds", {}):
                yield f"request {w.record.number} writes for {owner.key}, which the plan holds"
            if why := _held(e, w, owner):
                yield f"request {w.record.number} writes for {owner.key} although {why}"


def _owner_of_write(e: Evidence, w: Write) -> Contract | None:
    if not w.creates:
        return e.owner_of(w.element["id"])
    return next((c for c in e.contracts if w.element.get(e.marker) == c.key), None) or next(
        (c for c in e.contracts if w.element.get("client_id") == c.customer), None
    )


def _held(e: Evidence, w: Write, owner: Contract) -> str:  # noqa: PLR0911 - one a rule
    """The mapping-level rules of DESIGN 8 that can be judged from outside."""
    customers = e.lists(w.run, "/api/Client", "clients", "record_count", w.record.number)
    row = next((r for one in customers[-1:] for r in one.rows if r.get("id") == owner.customer), None)
    if customers and not owner.retired and (row is None or row.get("inactive") is True):
        return "its customer is inactive or gone"
    if w.creates:
        return ""
    seen = next((r for one in e.listings(w.run, w.record.number)[-1:] if (r := one.row(w.element["id"]))), None)
    if seen is not None and seen.get("client_id") != owner.customer:
        return f"its row belongs to customer {seen.get('client_id')}"
    if seen is not None and not _live(seen):
        return "its row is deleted or inactive"
    ended = str((seen or {}).get("end_date") or "")[:10]
    if "2000" < ended < w.record.time.date().isoformat() and not owner.retired and not (seen or {}).get("autorenew"):
        return f"its row ended on {ended}"
    if not owner.counts:
        return ""
    lists = e.listings(w.run, w.record.number)
    shown = [n for one in lists if (n := one.count(w.element["id"])) is not None]
    first, new = (shown[0] if shown else None), w.element["count"]
    if first is None:
        return "no complete listing of the run shows the row"
    if new == 0 and first > 0 and not owner.allow_zero:
        return f"nothing permits the fall {first} -> 0"
    if owner.allow_zero and new == owner.quantity(0):
        return ""  # the reviewed file permits the fall to nobody, whatever that comes to
    fall, rise = first - new, new - first
    if new > 0 and fall > 10 and fall * 100 > 30 * first:
        return f"{first} -> {new} is beyond max_decrease"
    if first > 0 and rise > 50 and rise > first:
        return f"{first} -> {new} is beyond max_increase"
    return ""


def _refused(e: Evidence, run: RunReport) -> str:
    """The run-level rules that can be judged from outside: an empty source, and a source that lost a fifth."""
    wanted = {number for c in e.contracts if c.counts for number in c.clients}
    lists = e.clients_listed(run.number)
    plain = all(not c.included and c.minimum is None and c.maximum is None for c in e.contracts if c.counts)
    if not lists:
        return "INFIMA's clients were never read completely" if wanted else ""
    listed = {row.get("id") for row in lists[0].rows}
    if wanted and 2 * len(wanted & listed) < len(wanted):
        return f"INFIMA listed {len(wanted & listed)} of {len(wanted)} mapped clients"
    if not plain:
        return ""  # a limit on a quantity hides how many users there were: only the program could say
    seal = next((e.seals[n] for n in sorted(e.seals) if e.owner[n] == run.number), None)
    counted_before = state_files.counts_of(seal.state if seal else None)
    bound = state_files.bindings_of(seal.state if seal else None)
    if not counted_before and state_files.found_by_marker(seal.state if seal else None):
        return ""  # a marker that the state did not know: it was lost, and remembers no count to compare with
    live = counted = remembered = 0
    for c in e.contracts:
        now = max(e.quantities(run.number, c), default=None) if c.counts else None
        if now is None:
            continue
        first = e.listings(run.number)[:1]
        marked = {r.get("id") for one in first for r in one.rows if r.get(e.marker) == c.key}
        mine = {  # as far as a run can know
            i for i in e.own(c) if e.trusted_marker or i in {c.pinned, bound.get(c.key)} | marked
        }
        rows = [n for one in first for i in mine if (n := one.count(i)) is not None and _live(one.row(i))]
        row = rows[0] if len(rows) == 1 else 0  # in doubt no fall
        live, counted = live + row, counted + now
        remembered += min(counted_before.get(c.key, row), row)
    expected = min(live, remembered)
    if expected - counted > 20 and (expected - counted) * 100 > 20 * expected:
        return f"INFIMA counts {counted} where {expected} were expected"
    return ""


def m6_no_removal(e: Evidence) -> Iterator[str]:
    """No delete, no deactivation; a count of 0 over a live one only where it is permitted and was read twice."""
    for r in e.requests:
        if r.method in {"DELETE", "PUT", "PATCH"} or r.endpoint is Endpoint.DELETE:
            yield f"request {r.number} is a {r.method} of {r.path}"
    for m in e.api_mutations():
        if m.action == "create":
            continue
        if gone := {"deleted", "is_active", "end_date"} & set(m.changes):
            yield f"request {m.request} changed {sorted(gone)} of row {m.object_id}"
        before, new = m.changes.get("count", (None, None))
        owner = e.owner_of(m.object_id)
        if new != 0 or not before or owner is None or m.request is None or not owner.counts:
            continue
        run = e.owner[m.request]
        paths = [f"/v1/clients/{number}/users" for number in owner.clients]
        reads = [len(e.lists(run, path, "items", "total", m.request)) for path in paths]
        given = e.quantities(run, owner, m.request)
        if not owner.by_record and (not owner.allow_zero or min(reads) < 2 or given != {0}):
            yield f"request {m.request} set row {m.object_id} from {before} to 0 after {reads} reads of {given}"


def m7_missing_is_not_zero(e: Evidence) -> Iterator[str]:
    """No write at all, creates included, for a mapping whose quantity no complete read gave."""
    for w in e.writes():
        owner = _owner_of_write(e, w)
        if owner is not None and not e.quantities(w.run, owner, w.record.number):
            yield f"request {w.record.number} writes for {owner.key}, whose users were not read"


def m8_person_wins(e: Evidence) -> Iterator[str]:
    """A row that the last look before the write shows changed since the first is not written."""
    for w in e.writes():
        if w.creates or w.run < 0:
            continue
        number = w.element["id"]
        lists = e.listings(w.run, w.record.number)
        shown = [n for one in lists if (n := one.count(number)) is not None]
        sent = {x.element.get("count") for x in e.writes() if x.run == w.run and x.element.get("id") == number}
        if not shown:
            yield f"request {w.record.number} writes row {number}, which the run never listed"
        elif shown[-1] != shown[0] and shown[-1] not in sent:
            yield f"request {w.record.number} writes row {number}, seen at {shown[0]} and then at {shown[-1]}"
        age = w.record.time.timestamp() - lists[-1].began_at if lists else 0
        if age > FRESH_SECONDS + 5 and _alone(e, w, age):
            yield f"request {w.record.number} rests on a listing {age:.0f} s old"
        sent_before = [x.record.number for x in e.writes() if x.run == w.run and x.element.get("id") == number]
        sent_before = [n for n in sent_before if n < w.record.number]
        if sent_before and not (lists and lists[-1].began > sent_before[-1]):
            yield f"request {w.record.number} writes row {number} again without a look in between"
        agreed = e.runs[w.run - 1].agreed
        owner = e.owner_of(number)
        if agreed is not None and owner is not None and number not in e.created(owner):
            row = agreed.get(owner.key)
            if row is None or row[0] != number or row[2] != w.element["count"] or row[1] not in shown[:1]:
                yield f"request {w.record.number} writes {owner.key}, which the saved plan has as {row}"


def _alone(e: Evidence, w: Write, seconds: float) -> bool:
    """Whether no other run was under way in the seconds before a write: one that waits moves the clock of both."""
    until = w.record.time.timestamp()
    others = [run for run in e.runs if run.number != w.run and run.last_request]
    return not any(run.started <= until and (run.ended or until) >= until - seconds for run in others)


# ---- create ---------------------------------------------------------------------------------------------------------


def c0_no_candidate(e: Evidence) -> Iterator[str]:
    """A create goes out only when the last complete listing shows no row with its marker and no namesake."""
    for w in e.writes():
        if not w.creates or w.run < 0:
            continue
        owner = _owner_of_write(e, w)
        listings = e.listings(w.run, w.record.number)
        shown = listings[-1:]
        if len(listings) < 2:  # the plan's and a fresh one: one listing is not enough to conclude that nothing exists
            yield f"request {w.record.number} creates on the strength of {len(listings)} complete listings"
        ours = {number for c in e.contracts if c is not owner for number in e.own(c)}
        for row in shown[0].rows if shown and owner is not None else ():
            namesake = row.get("client_id") == w.element.get("client_id") and row.get("name") == w.element.get("name")
            namesake = namesake and row.get("type", 1) == 1 and not row.get("deleted") and row["id"] not in ours
            marked = e.marker != "none" and row.get(e.marker) == owner.key
            if marked or (namesake and not row.get(e.marker)):
                yield f"request {w.record.number} creates {owner.key} beside row {row['id']}"


def c1_c2_attempts(e: Evidence) -> Iterator[str]:
    """Each create stands on its own durable attempt; a second one only when the first surely failed, or settled."""
    nonces: Counter[tuple[str, str]] = Counter()
    earlier: dict[str, tuple[Write, float]] = {}
    losses = list(e.forgotten)
    for w in e.writes():
        if losses and w.record.number > losses[0]:  # nobody remembers what was attempted before
            losses = [number for number in losses if number >= w.record.number]
            earlier.clear()
        owner = _owner_of_write(e, w)
        if not w.creates or owner is None:
            continue
        number, now = w.record.number, w.record.time.timestamp()
        attempt = state_files.attempts_of(e.seals[number].state).get(owner.key)
        if attempt is None:
            yield f"request {number} creates {owner.key} without a durable attempt"
            continue
        nonces[owner.key, attempt["nonce"]] += 1
        if nonces[owner.key, attempt["nonce"]] > 1:
            yield f"request {number} creates {owner.key} a second time on one attempt"
        before = earlier.get(owner.key)
        if before is not None and not _surely_failed(before[0]):
            yield from _too_soon(e, w, owner, before[1])
        earlier[owner.key] = (w, state_files.seconds(attempt["recorded_at"]))
        age = now - state_files.seconds(attempt["recorded_at"])
        if age > FRESH_SECONDS + 5 and _alone(e, w, age):
            yield f"request {number} creates {owner.key} on an attempt that is a minute old"


def _surely_failed(w: Write) -> bool:
    return w.record.status in DEFINITE or "connect-error" in (w.record.fault or "")


def _too_soon(e: Evidence, w: Write, owner: Contract, attempted: float) -> Iterator[str]:
    number, now = w.record.number, w.record.time.timestamp()
    if now - attempted < e.settle_seconds:
        yield f"request {number} creates {owner.key} again {now - attempted:.0f} s after an attempt of unknown outcome"
        return
    clean = [
        one
        for one in e.listings(w.run, number)
        if not any(row.get(e.marker) == owner.key for row in one.rows) and one.began_at > attempted
    ]
    if len(clean) < 2 or clean[-1].began_at - clean[0].began_at < SECOND_LOOK_SECONDS - 1:
        yield f"request {number} creates {owner.key} again after {len(clean)} look(s)"


def c3_body(e: Evidence) -> Iterator[str]:
    """A create is alone in its array, has count 0 and carries its marker."""
    elements = Counter(w.record.number for w in e.writes())
    for w in e.writes():
        if not w.creates:
            continue
        if elements[w.record.number] != 1:
            yield f"request {w.record.number} creates in an array of {elements[w.record.number]}"
        if w.element.get("count") != 0:
            yield f"request {w.record.number} creates with the count {w.element.get('count')}"
        keys = {c.key for c in e.contracts}
        if e.marker != "none" and w.element.get(e.marker) not in keys:
            yield f"request {w.record.number} creates without its marker"


def c4_bound_before_counted(e: Evidence) -> Iterator[str]:
    """The first count on a new row goes out only when its id is recorded durably."""
    made = {number: c for c in e.contracts for number in e.created(c)}
    for w in e.writes():
        number = w.element.get("id")
        if number in made:
            bound = state_files.bindings_of(e.seals[w.record.number].state).get(made[number].key)
            if bound != number:
                yield f"request {w.record.number} sets the count of new row {number}; recorded is {bound}"


def c5_two_hits(e: Evidence) -> Iterator[str]:
    """Two live rows with one marker: neither is written as long as both are shown."""
    for w in e.writes():
        if w.creates or w.run < 0:
            continue
        shown = e.listings(w.run, w.record.number)[-1:]
        markers = Counter(
            str(row.get(e.marker))
            for one in shown
            for row in one.rows
            if row.get(e.marker) and not row.get("deleted") and row.get("is_active") is not False
        )
        mine = next((row.get(e.marker) for one in shown for row in [one.row(w.element["id"])] if row), None)
        owner = e.owner_of(w.element["id"])
        if mine and markers[str(mine)] > 1 and owner is not None and mine == owner.key:
            yield f"request {w.record.number} writes row {w.element['id']}; {markers[str(mine)]} rows say {mine}"


def c6_one_request_per_intent(e: Evidence) -> Iterator[str]:
    """As many creates came in as were intended: no library sent one again."""
    for run in e.runs:
        if run.run_id in e.without_journal or any(name.endswith(f"-{run.run_id}.jsonl") for name in e.damaged):
            continue
        intents = [r for r in e.records(run) if r["kind"] == "intent" and r["facts"]["request"] == "create"]
        sent = len({w.record.number for w in e.writes() if w.run == run.number and w.creates})
        if sent > len(intents):
            yield f"run {run.number} sent {sent} creates for {len(intents)} intents"


# ---- progress -------------------------------------------------------------------------------------------------------


def p3_bounded(e: Evidence) -> Iterator[str]:
    """No more requests to Halo than budgeted in any window, by one run; no run longer than its time."""
    for run in e.runs:
        times = [r.time.timestamp() for r in e.requests if r.system == "halo" and e.owner.get(r.number) == run.number]
        for place in range(e.budget, len(times)):
            if times[place] - times[place - e.budget] < BUDGET_SECONDS:
                yield f"run {run.number} sent {e.budget + 1} requests to Halo within {BUDGET_SECONDS:.0f} s"
                break
        if run.ended - run.started > LONGEST_RUN and len(e.runs) == run.number and e.locked:
            yield f"run {run.number} took {run.ended - run.started:.0f} s"


def p5_no_false_green(e: Evidence) -> Iterator[str]:
    """Exit 0 means that the last complete listing showed every mapping at a quantity that the run read."""
    for run in e.runs:
        if run.exit_code != 0:
            continue
        lists = e.listings(run.number)
        for m in e.mutations:
            reset = m.actor is Actor.API and m.action == "update" and set(m.changes) - STAMPS
            if not (m.actor is Actor.HALO or reset) or m.request is None or e.owner.get(m.request) != run.number:
                continue
            row = next((r for one in lists[-1:] if (r := one.row(m.object_id))), {})  # as far as the run could see it
            seen = all(row.get(name) == new for name, (_, new) in m.changes.items())
            if seen and any(w.record.number == m.request and not w.creates for w in e.writes()):
                yield f"run {run.number} says all is well; its write changed {sorted(m.changes)} of row {m.object_id}"
        for c in e.contracts if not e.nameless else ():
            here = {i for i in e.own(c) if lists and lists[0].row(i)} | e.created(c)  # not a copy made meanwhile
            here = here if e.trusted_marker else e.own(c) - (e.copies() if c.retired else set())
            shown = [n for one in lists[-1:] for i in here if (n := one.count(i)) is not None and _live(one.row(i))]
            if not e.trusted_marker and len(shown) > 1:  # nobody can tell whose the other row is
                shown = [n for n in shown if n in e.quantities(run.number, c)][:1]
            if c.retired:
                if any(shown):
                    yield f"run {run.number} says all is well; {c.key} is retired and bills {shown}"
            elif len(shown) != 1 or shown[0] not in e.quantities(run.number, c):
                yield f"run {run.number} says all is well; {c.key} shows {shown} for {e.quantities(run.number, c)}"


def _live(row: dict[str, object] | None) -> bool:
    return row is not None and row.get("is_active") is not False and not row.get("deleted")


def pf5_no_exception(e: Evidence) -> Iterator[str]:
    """No exception but the program's own leaves it, whatever the servers and the disk do."""
    yield from (f"run {run.number} {run.error}" for run in e.runs if run.error.startswith("broke"))


# ---- journal, races, safety of the wire -----------------------------------------------------------------------------


def j1_intent_first(e: Evidence) -> Iterator[str]:
    """Every mutating request is preceded by a durable intent with its run, its rows and the hash of its bytes."""
    used: Counter[int] = Counter()
    for number in sorted({w.record.number for w in e.writes()}):
        run = e.owner[number]
        used[run] += 1
        intents = [r["facts"] for r in state_files.records(e.seals[number].journals) if r["kind"] == "intent"]
        body = e.requests[number - 1].body
        if len(intents) < used[run]:
            yield f"request {number} left before its intent was on disk"
        elif intents[used[run] - 1]["body_sha256"] != sha256(body.encode()).hexdigest():
            yield f"request {number} is not what its intent says"
        else:
            told = [(x["subscription_id"], x["after"]) for x in intents[used[run] - 1]["entries"]]
            sent = [(w.element.get("id"), w.element.get("count")) for w in e.writes() if w.record.number == number]
            if told != sent:
                yield f"request {number} writes {sent}, its intent says {told}"


def j2_one_outcome(e: Evidence) -> Iterator[str]:
    """Each intent has at most one outcome; a run that ended by itself leaves none out; ok means a clean answer."""
    for run in e.runs:
        records = e.records(run)
        intents = [r["facts"]["number"] for r in records if r["kind"] == "intent"]
        results = Counter(r["facts"]["number"] for r in records if r["kind"] == "outcome")
        for number, times in results.items():
            if times > 1 or number not in intents:
                yield f"run {run.number}: intent {number} has {times} outcomes"
        requests = sorted({w.record.number for w in e.writes() if w.run == run.number})
        for record in records:
            if record["kind"] != "outcome" or record["facts"]["result"] != "ok":
                continue
            place = record["facts"]["number"] - 1
            status = e.requests[requests[place] - 1].status if place < len(requests) else None
            if status is None or not 200 <= status < 300:
                yield f"run {run.number}: intent {place + 1} is ok, the answer was {status}"


def j3_chain(e: Evidence) -> Iterator[str]:
    """Every journal is a chain from its first byte; a last line without an end only where a run crashed."""
    crashed = {r.run_id for r in e.runs if r.crashed or "disk" in r.error or r.exit_code not in {0, 3}}
    for run in e.runs:
        wrote = any(w.run == run.number for w in e.writes())
        there = any(name.endswith(f"-{run.run_id}.jsonl") for name in e.journals())
        if wrote and not there and run.run_id not in e.without_journal:
            yield f"run {run.number} wrote, and its journal is gone"
    for name, content in e.journals().items():
        if name in e.damaged:
            continue
        whole_lines = content.count(b"\n")
        read = len(state_files.records(content))
        torn = not content.endswith(b"\n") and content != b""
        run_id = name.split("-", 1)[1].removesuffix(".jsonl")
        if read != whole_lines or (torn and run_id not in crashed):
            yield f"journal {name}: {read} of {whole_lines} lines hold, torn: {torn}"


def j4_no_lost_records(e: Evidence) -> Iterator[str]:
    """Whatever requests changed stands in an intent of their run."""
    for m in e.api_mutations():
        if m.request is None:
            continue
        seal = e.seals.get(m.request)
        intents = [r["facts"] for r in state_files.records(seal.journals if seal else b"") if r["kind"] == "intent"]
        entries = [x for intent in intents for x in intent["entries"]]
        known = {(x["subscription_id"], x["after"]) for x in entries}
        if m.action == "create":
            found = any(x["subscription_id"] is None and x["after"] == 0 for x in entries)
        else:
            found = "count" not in m.changes or (m.object_id, m.changes["count"][1]) in known
        if not found:
            yield f"mutation {m.number} by request {m.request} stands in no intent"


def j5_private(e: Evidence) -> Iterator[str]:
    """Files 0600, directories 0700, no secret in any of them."""
    known = e.world.credentials
    secrets = [s.encode() for s in (known.halo_client_secret, known.infima_api_key, *e.world.tokens)]
    for path in [e.folder, *e.folder.rglob("*")] if e.folder.exists() else []:
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode != (0o700 if path.is_dir() else 0o600):
            yield f"{path.name} has the mode {mode:o}"
        if path.is_file() and any(secret in path.read_bytes() for secret in secrets):
            yield f"{path.name} holds a secret"


def k1_one_writer(e: Evidence) -> Iterator[str]:
    """With locks on, the writes of two runs do not interleave."""
    if not e.locked:
        return
    seen: list[int] = []
    for w in e.writes():
        if not seen or seen[-1] != w.run:
            seen.append(w.run)
    if len(seen) != len(set(seen)):
        yield f"runs wrote in the order {seen}"


def k3_right_tenant(e: Evidence) -> Iterator[str]:
    """One state, one partner: whose clients the first write counted, theirs are all that follow."""
    home: str | None = None
    losses = list(e.forgotten)
    for w in e.writes():
        if losses and w.record.number > losses[0]:
            losses = [number for number in losses if number >= w.record.number]
            home = None
        here = e.partner_of(w.run)
        home = home or here
        if here != home:
            yield f"request {w.record.number} writes for {here}, the state belongs to {home}"


def s2_s3_wire(e: Evidence) -> Iterator[str]:
    """Nothing goes to another host, and nothing but the listed reads, the token and the one write."""
    for r in e.requests:
        if e.origins.get(r.number, next(iter(ORIGINS))) not in ORIGINS:
            yield f"request {r.number} went to {e.origins[r.number]}"
        token = r.endpoint is Endpoint.TOKEN and r.method == "POST"
        write = r.endpoint is Endpoint.WRITE and r.method == "POST"
        if not (token or write or (r.endpoint in READ_ENDPOINTS and r.method == "GET")):
            yield f"request {r.number} is a {r.method} of {r.path}"


def w17_stops(e: Evidence) -> Iterator[str]:
    """A run to whose writes the server has failed three times in a row, or five times in all, sends no more."""
    for run in e.runs:
        statuses = {w.record.number: w.record.status for w in e.writes() if w.run == run.number}
        failed = [(status or 0) >= 500 for _, status in sorted(statuses.items())]
        for place in range(len(failed)):
            if sum(failed[:place]) >= 5 or (place >= 3 and all(failed[place - 3 : place])):
                yield f"run {run.number} went on writing after {sum(failed[:place])} server errors"
                break


def w9_known_ids(e: Evidence) -> Iterator[str]:
    """An update names an id above 0, a whole number, that a read of this run returned."""
    for w in e.writes():
        number = w.element.get("id", 1)
        if type(number) is not int or number <= 0:
            yield f"request {w.record.number} names the id {number!r}"
        elif "id" in w.element and not any(one.row(number) for one in e.listings(w.run, w.record.number)):
            yield f"request {w.record.number} names the id {number}, which the run did not list"
        if whole(w.element.get("count")) is None or type(w.element.get("count")) is not int:
            yield f"request {w.record.number} sends the count {w.element.get('count')!r}"


ORACLES: tuple[Oracle, ...] = (
    m1_exact_value, m2_single, m3_frame, m4_ownership, m5_guards, m6_no_removal, m7_missing_is_not_zero,
    m8_person_wins, c0_no_candidate, c1_c2_attempts, c3_body, c4_bound_before_counted, c5_two_hits,
    c6_one_request_per_intent, p3_bounded, p5_no_false_green, pf5_no_exception, j1_intent_first, j2_one_outcome,
    j3_chain, j4_no_lost_records, j5_private, k1_one_writer, k3_right_tenant, s2_s3_wire, w9_known_ids, w17_stops,
)  # fmt: skip


def judge(e: Evidence) -> list[str]:
    """Every violation, each with the oracle's name before it."""
    return [f"{oracle.__name__}: {found}" for oracle in ORACLES for found in oracle(e)]
