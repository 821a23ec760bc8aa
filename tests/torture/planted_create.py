"""The planted bugs of the create protocol, and of journal, state and locks."""

from __future__ import annotations

import json
import threading
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from reconciler.errors import StateError
from reconciler.http.transport import Transport
from reconciler.model import MarkerField
from reconciler.planning import identity
from reconciler.planning.rules import Rule
from reconciler.planning.twins import candidates, namesakes
from reconciler.providers import halo_rows
from reconciler.providers.base import Accepted, Refused, Unclear
from reconciler.providers.halopsa import HaloTarget
from reconciler.state import directory, document, files
from reconciler.state.base import IntentResult
from reconciler.state.files import AppendOnlyFile
from reconciler.state.journal import GENESIS, Journal
from reconciler.state.recorded import BindingOrigin
from reconciler.state.recording import RecordedRun
from reconciler.writing import session as writing
from reconciler.writing.create import Creator
from reconciler.writing.session import WriteSession
from tests.torture.bugs import Planter, bug, spoils
from tests.torture.planted_writes import in_the_body


@spoils("blind retry of a create", WriteSession.write)
def _(original: Any, session: Any, kind: str, *rest: Any) -> Any:
    answer = original(session, kind, *rest)
    if kind != "create" or isinstance(answer, Accepted):
        return answer
    return original(session, kind, *rest)


@spoils("a POST that met a 5xx is sent again below the journal", Transport.write)
def _(original: Any, *args: Any) -> Any:
    reply = original(*args)
    return original(*args) if reply.status >= 500 else reply


@spoils("a POST that met a 401 is sent again with a new token", HaloTarget.send)
def _(original: Any, *args: Any) -> Any:
    answer = original(*args)
    return original(*args) if not isinstance(answer, Accepted) and answer.status == 401 else answer


@bug("the quantity in the create")
def _(plant: Planter) -> None:
    in_the_body(plant, halo_rows.create_body, lambda row: row.update(count=3))


spoils("the marker is not sent", halo_rows.create_body)(lambda original, new, _marker: original(new, MarkerField.NONE))


@spoils("the attempt is not recorded", RecordedRun.record_attempts)
def _(_original: Any, _run: Any, attempts: Any, **_more: Any) -> Any:
    return frozenset(attempt.key for attempt in attempts)


@bug("the attempt is recorded after the post")
def _(plant: Planter) -> None:
    late: dict[str, list[Any]] = {}
    record = RecordedRun.record_attempts

    @plant.instead(RecordedRun.record_attempts)
    def _(_original: Any, run: Any, attempts: Any, **_more: Any) -> Any:
        for attempt in attempts:
            late.setdefault(attempt.run, []).append((run, attempt))
        return frozenset(attempt.key for attempt in attempts)

    @plant.instead(Creator._follow_up)
    def _(original: Any, creator: Any, sent: Any, *rest: Any) -> None:
        keys = {change.key for change in sent}
        for run, attempt in late.pop(creator.session.run, []):
            if attempt.key in keys:
                record(run, [attempt])
        original(creator, sent, *rest)


@spoils("the binding is recorded after the count", RecordedRun.record_bindings)
def _(original: Any, run: Any, bindings: Any) -> None:
    made = [one for one in bindings if one.origin is BindingOrigin.CREATED and one.awaiting_first_count]
    original(run, [one for one in bindings if one not in made])


@spoils("an unknown create counts as failed", Creator._follow_up)
def _(original: Any, creator: Any, sent: Any, answers: Any, *rest: Any) -> None:
    sure = {
        key: Refused(status=500, message=answer.message) if isinstance(answer, Unclear) else answer
        for key, answer in answers.items()
    }
    original(creator, sent, sure, *rest)


@spoils("compare-and-set dropped", document.grant_attempts)
def _(_original: Any, state: Any, attempts: Any, _replacing: Any) -> Any:
    named = {attempt.key: attempt for attempt in attempts}
    return replace(state, attempts={**state.attempts, **named}), frozenset(named)


@spoils("the settle time is ignored", identity.identify)
def _(original: Any, *args: Any, settle: Any, **more: Any) -> Any:
    return original(*args, settle=settle * 0, **more)


spoils("one look instead of two", Creator._look_twice)(lambda _original, _creator, changes: changes)


@spoils("two looks at once instead of a minute apart", Creator._look_twice)
def _(original: Any, creator: Any, changes: Any) -> Any:
    clock = creator.session.clock
    creator.session.clock = _Sleepless(clock)
    try:
        return original(creator, changes)
    finally:
        creator.session.clock = clock


class _Sleepless:
    """A clock on which nobody waits."""

    def __init__(self, clock: Any) -> None:
        self.now = clock.now
        self.monotonic = clock.monotonic

    def sleep(self, seconds: float) -> None:
        pass


@spoils("no second look before a create", WriteSession.freshen)
def _(original: Any, session: Any, requests: int = 1, *, anew: bool = False) -> None:
    original(session, requests)


@spoils("a duplicate marker is ignored", identity.identify)
def _(original: Any, mapping: Any, index: Any, recorded: Any, **more: Any) -> Any:
    hits = sorted(index.by_marker.get(mapping.key, ()), key=lambda row: not row.live)
    known = mapping.subscription_id is not None or mapping.key in recorded.bindings
    one = {**index.by_marker, mapping.key: () if known else tuple(hits[:1])}
    return original(mapping, replace(index, by_marker=one), recorded, **more)


@spoils("a Subscription is adopted by its name", identity.identify)
def _(original: Any, mapping: Any, index: Any, recorded: Any, **more: Any) -> Any:
    told = original(mapping, index, recorded, **more)
    found = namesakes(mapping, candidates(mapping, index, recorded))
    if not found or not any(doubt.rule is Rule.SAME_NAME for doubt in told.doubts):
        return told
    return identity.Identity(subscription=found[0], origin=BindingOrigin.MARKER)


# ---- journal, state, races ------------------------------------------------------------------------------------------


@spoils("a damaged state is read as far as it goes", document.decode)
def _(original: Any, content: Any, **more: Any) -> Any:
    try:
        return original(content, **more)
    except StateError:
        try:
            return document._document(json.loads(content))
        except (ValueError, TypeError, KeyError, AttributeError):
            pass
        raise


@spoils("an unclear answer is journaled as ok", writing._journal_words)
def _(original: Any, answer: Any) -> Any:
    result, message = original(answer)
    return IntentResult.OK if result is IntentResult.UNKNOWN else result, message


@bug("the journal comes after the request")
def _(plant: Planter) -> None:
    late: dict[int, list[Any]] = {}
    intend = RecordedRun.intend

    @plant.instead(RecordedRun.intend)
    def _(_original: Any, run: Any, intent: Any) -> None:
        late.setdefault(threading.get_ident(), []).append((run, intent))

    @plant.instead(HaloTarget.send)
    def _(original: Any, *args: Any) -> Any:
        answer = original(*args)
        for run, intent in late.pop(threading.get_ident(), []):
            intend(run, intent)
        return answer


@spoils("the journal is not fsynced", AppendOnlyFile.append)
def _(original: Any, file: Any, content: bytes, **_more: Any) -> None:
    original(file, content, durable=False)


@spoils("state.json is not fsynced before its rename", files._write_new_file)
def _(original: Any, *args: Any, **more: Any) -> None:
    original(*args, **{**more, "durable": False})


spoils("a rename is not made durable", files._fsync_directory)(lambda _original, _directory: None)


@spoils("a record does not name the one before", Journal.append)
def _(original: Any, journal: Any, *args: Any, **more: Any) -> None:
    journal._prev = GENESIS
    original(journal, *args, **more)


spoils("the state can be read by others", files._set_mode)(lambda original, fd, mode: original(fd, mode | 0o044))
spoils("no lock is taken", directory.run_lock)(lambda _original, *_args, **_more: nullcontext())
