"""Random schedules: one to three runs with faults, crashes, people, lag and late effects, alone or at once."""

from __future__ import annotations

import errno
import shutil
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from random import Random

from reconciler.errors import ApiError
from reconciler.simulator.records import Endpoint
from reconciler.simulator.switches import Switches
from tests.faults.kinds import (
    EVENTS,
    LIST_FAULTS,
    STATUSES,
    WRITE_FAULTS,
    Fault,
    FaultKind,
    Faults,
    endpoints_of,
    moments_of,
)
from tests.state.unlocked import no_run_lock
from tests.torture.contracts import TEMPLATE, Tuning, random_scene
from tests.torture.convergence import heal
from tests.torture.evidence import DEFINITE
from tests.torture.oracles import judge
from tests.torture.sweep import Result, reached, workplace
from tests.torture.theatre import Fate, Theatre, deterministic
from tests.torture.wide import Fortune, tuned, unusual

SETTLE_HOURS = 20
LATE = (5.0, 90.0, 600.0, 7200.0)
POINTS = ("", "", "", "request", "answer", "fsync", "write", "rename", "state-", "state-record", "state-intend",
          "state-conclude", "state-finish")  # fmt: skip
TIGHT = ("state-record_attempts", "state-record_attempts", "state-intend", "state-record_ground")
"""Where it gets narrow: a run that ends shortly after one of these is in the middle of something."""
LIST_TROUBLE = tuple(sorted(LIST_FAULTS | {FaultKind.FORBIDDEN, FaultKind.NOT_FOUND, FaultKind.COUNTS_LOW}))
WRITE_TROUBLE = tuple(k for k in FaultKind if Endpoint.WRITE in endpoints_of(k) and k not in EVENTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Temper:
    """What a schedule may contain beyond faults and crashes."""

    unlocked: bool
    settle_broken: bool


def play_schedule(seed: int, *, wide: bool = True) -> Result:
    """One schedule, wholly given by its seed, judged by every oracle and by convergence after it.

    Without `wide` the servers are the usual ones and nothing befalls the state.
    """
    rng = Random(seed)  # noqa: S311 - has to repeat
    temper = Temper(unlocked=rng.random() < 0.5, settle_broken=rng.random() < 0.05)
    more = Random(f"{seed} wide") if wide else None  # noqa: S311 - has to repeat
    switches, tuning = _switches(rng), Tuning()
    if more is not None:
        switches, tuning = unusual(more, switches), tuned(more)
    folder = workplace()
    theatre = Theatre(random_scene(rng, switches, tuning), folder, seed=seed, settle_hours=SETTLE_HOURS)
    evidence = theatre.evidence
    evidence.locked = not temper.unlocked
    evidence.settle_kept = not temper.settle_broken
    evidence.trusted_marker = switches.marker == "kept" and tuning.marker != "none"
    evidence.merges = switches.update_mode == "merge"
    fortune = Fortune(theatre=theatre, more=more) if more is not None else None
    seen: set[str] = set()
    try:
        with deterministic(theatre), no_run_lock() if temper.unlocked else nullcontext():
            for _ in range(rng.randint(1, 3)):
                seen |= _one_act(theatre, rng, temper)
                seen |= fortune.strike() if fortune is not None else set()
            violations = [*(fortune.wrong if fortune is not None else []), *heal(theatre)]
            violations += judge(evidence)
            seen |= reached(theatre)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Result(what=f"seed {seed}", violations=violations, reached=seen)


def _switches(rng: Random) -> Switches:
    """What is unknown about the vendors, drawn. Lag stays far below the settle time."""
    lag = rng.choice((0.0, 0.0, 0.0, 3.0, 45.0, 200.0, 4000.0))
    return Switches(
        lag_seconds=lag,
        lag_of=rng.choice(("both", "creates", "changes")),
        marker=rng.choice(("kept", "kept", "kept", "kept", "kept", "dropped", "overwritten")),
        count_shape=rng.choice(("int", "int", "float")),
        page_ceiling=rng.choice((100, 100, 1000, 3)),
        record_count=rng.choice(("present", "present", "rows", "zero", "absent")),
        post_shape=rng.choice(("object", "object", "object", "auto", "first", "array", "without_id", "empty")),
        update_requires=rng.choice(("nothing", "nothing", "nothing", "client", "client_name_type")),
        refusal_shape=rng.choice(("exception", "database", "binding", "parsing", "string", "empty")),
        bad_element=rng.choice(("reject_all", "apply_good", "apply_until_bad")),
        unknown_id=rng.choice(("not_found", "create", "bad_request")),
        total=rng.choice(("present", "present", "absent")),
        status_filter=rng.choice(("honoured", "ignored", "refused")),
        retry_after=rng.choice(("none", "seconds", "absurd")),
        deleted_listed=rng.random() < 0.3,
    )


def _one_act(theatre: Theatre, rng: Random, temper: Temper) -> set[str]:
    """One run or two at once, with what befalls them; then some time passes and somebody may do something."""
    saved = None
    if rng.random() < 0.15:
        theatre.faults = Faults()
        with suppress(ApiError):  # a revoked key: then there is no plan to save
            saved = theatre.plan()
        _people(theatre, rng)
    theatre.faults = Faults([*_faults(theatre, rng), *theatre.lasting])
    fates = [_fate(rng)]
    words: set[str] = set()
    if saved is None and rng.random() < 0.35:
        fates.append(_fate(rng))
        words.add("two runs at once")
        fates = [replace(f, power=False) for f in fates]  # one machine loses power for both, or for none
        theatre.race(fates)
    else:
        confirm = partial(_hesitate, theatre, rng) if rng.random() < 0.3 else None
        theatre.apply(fates[0], saved=saved, confirm=confirm)
    pause = rng.choice((1.0, 60.0, 3600.0, 30000.0, 86400.0))
    if not temper.settle_broken and _open_question(theatre) and pause == 86400.0:
        words.add("settle time passed")
    theatre.clock.sleep(pause)  # type: ignore[attr-defined]
    if rng.random() < 0.5:
        _people(theatre, rng)
        words.add("people")
    return words


def _hesitate(theatre: Theatre, rng: Random) -> None:
    """A person looks at the plan for a while, and somebody else does something meanwhile."""
    theatre.clock.sleep(rng.choice((1.0, 30.0, 90.0, 600.0)))  # type: ignore[attr-defined]
    if rng.random() < 0.7:
        _people(theatre, rng)


def _open_question(theatre: Theatre) -> bool:
    return any("unknown" in r.outcomes.values() or r.crashed for r in theatre.evidence.runs)


def _fate(rng: Random) -> Fate:
    draw = rng.random()
    if draw < 0.45:
        return Fate()
    kind = rng.choice(POINTS)
    most = 140 if kind == "" else 24
    at = rng.randint(1, most)
    if draw < 0.7:
        since, narrow = rng.choice(TIGHT), rng.choice(("", "", kind))
        return Fate(
            at=rng.randint(1, 30),
            kind=narrow,
            since=since,
            power=rng.random() < 0.4,
            half=rng.random() < 0.5,
        )
    if draw < 0.9:
        return Fate(at=at, kind=kind, power=rng.random() < 0.4, half=rng.random() < 0.5)
    if draw < 0.95:
        return Fate(at=at, kind=kind, ending="stop")
    return Fate(
        at=at, kind=rng.choice(("fsync", "write", "rename", "")), ending=str(rng.choice((errno.ENOSPC, errno.EIO)))
    )


def _faults(theatre: Theatre, rng: Random) -> list[Fault]:
    """None to three faults, more than a third at a write, for that is where money is."""
    script = []
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        where = rng.random()
        if where < 0.4:
            kind, endpoint = rng.choice(WRITE_TROUBLE), Endpoint.WRITE
        else:
            kind = rng.choice(LIST_TROUBLE if where < 0.7 else tuple(FaultKind))
            endpoint = rng.choice(sorted(endpoints_of(kind)))
        after = rng.choice(moments_of(kind, endpoint))
        if kind in STATUSES and after and int(kind.value[:3]) in DEFINITE:
            after = False  # a definite no that took effect: DESIGN 7 takes Halo at its word there
        if kind is FaultKind.PERSON_EDITS_MARKER:
            theatre.evidence.trusted_marker = False
        target = rng.choice([None, *sorted(theatre.world.licences)])
        late = (*LATE, 30 * 3600.0) if not theatre.evidence.settle_kept else LATE
        seconds = rng.choice(late if kind in WRITE_FAULTS else (5.0, 90.0, 600.0))
        nth = rng.randint(1, 3 if endpoint is Endpoint.WRITE else 6)
        script.append(
            Fault(kind=kind, at=endpoint, nth=nth, after=after, seconds=seconds, row=rng.randint(0, 3), target=target)
        )
    return script


def _people(theatre: Theatre, rng: Random) -> None:
    """Somebody in Halo or in INFIMA does something ordinary or something odd."""
    world, own = theatre.world, sorted({i for c in theatre.scene.contracts for i in theatre.evidence.own(c)})
    clients = [n for c in theatre.scene.contracts for n in c.clients if n in world.infima_clients]
    for _ in range(rng.randint(1, 2)):
        number = rng.choice(own) if own else None
        client = rng.choice(clients) if clients else None
        match rng.randint(0, 10):
            case 0 | 1 | 2 if client is not None:
                world.users_join(client, rng.choice((1, 2, 60)))
            case 3 | 4 if client is not None:
                world.users_leave(client, rng.choice((1, 2, 30)))
            case 5 if number is not None:
                world.person_sets_count(number, rng.choice((0, 5, 77)))
            case 6 if number is not None:
                world.person_renames(number, "Renamed by hand")
            case 7 if number is not None:
                rng.choice((world.person_deletes, world.person_deactivates, world.person_activates))(number)
            case 8 if number is not None:
                world.person_moves(number, 99)
            case 9:
                _person_creates(theatre, rng)
            case 10:
                c = rng.choice(theatre.scene.contracts)
                rng.choice((world.person_deactivates_customer, world.person_activates_customer))(c.customer)
            case _:
                pass


def _person_creates(theatre: Theatre, rng: Random) -> None:
    """By hand: something else, a namesake, or a copy with our marker on it (assumption A3 broken: two hits)."""
    c = rng.choice(theatre.scene.contracts)
    match rng.randint(0, 2):
        case 0:
            theatre.world.person_creates(c.customer, "Backup seats", 4)
        case 1:
            theatre.world.person_creates(c.customer, TEMPLATE, 4)
        case _:
            field = theatre.evidence.marker if theatre.evidence.marker != "none" else "snowid"
            theatre.world.person_creates(c.customer, TEMPLATE, 4, **{field: c.key})
