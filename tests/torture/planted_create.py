"""The planted bugs of the create protocol, and of journal, state and locks."""

from __future__ import annotations

import json
import threading
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from reconciler.errors import StateError
from reconciler.http.transport import Transport
from reconciler.model import BindingOrigin, MarkerField
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
from reconciler.state.recording import RecordedRun
from reconciler.writing import session as writing
from reconciler.writing.create import Creator
from reconciler.writing.session import WriteSession
from tests.torture.bugs import Planter, bug
from tests.torture.planted_writes import in_the_body


@bug("blind retry of a create")
def _(plant: Planter) -> None:
    @plant.instead(WriteSession.write)
    def _(original: Any, session: Any, kind: str, *rest: Any) -> Any:
        answer = original(session, kind, *rest)
        if kind != "create" or isinstance(answer, Accepted):
            return answer
        return original(session, kind, *rest)


@bug("a POST that met a 5xx is sent again below the journal")
def _(plant: Planter) -> None:
    @plant.instead(Transport.write)
    def _(original: Any, *args: Any) -> Any:
        reply = original(*args)
        return original(*args) if reply.status >= 500 else reply


@bug("a POST that met a 401 is sent again with a new token")
def _(plant: Planter) -> None:
    @plant.instead(HaloTarget.send)
    def _(original: Any, *args: Any) -> Any:
        answer = original(*args)
        return original(*args) if not isinstance(answer, Accepted) and answer.status == 401 else answer


@bug("the quantity in the create")
def _(plant: Planter) -> None:
    in_the_body(plant, halo_rows.create_body, lambda row: row.update(count=3))


@bug("the marker is not sent")
def _(plant: Planter) -> None:
    plant.instead(halo_rows.create_body)(lambda original, new, _marker: original(new, MarkerField.NONE))


@bug("the attempt is not recorded")
def _(plant: Planter) -> None:
    @plant.instead(RecordedRun.record_attempts)
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


@bug("the binding is recorded after the count")
def _(plant: Planter) -> None:
    @plant.instead(RecordedRun.record_bindings)
    def _(original: Any, run: Any, bindings: Any) -> None:
        made = [one for one in bindings if one.origin is BindingOrigin.CREATED and one.awaiting_first_count]
        original(run, [one for one in bindings if one not in made])


@bug("an unknown create counts as failed")
def _(plant: Planter) -> None:
    @plant.instead(Creator._follow_up)
    def _(original: Any, creator: Any, sent: Any, answers: Any, *rest: Any) -> None:
        sure = {
            key: Refused(status=500, message=answer.message) if isinstance(answer, Unclear) else answer
            for key, answer in answers.items()
        }
        original(creator, sent, sure, *rest)


@bug("compare-and-set dropped")
def _(plant: Planter) -> None:
    @plant.instead(document.grant_attempts)
    def _(_original: Any, state: Any, attempts: Any, _replacing: Any) -> Any:
        named = {attempt.key: attempt for attempt in attempts}
        return replace(state, attempts={**state.attempts, **named}), frozenset(named)


@bug("the settle time is ignored")
def _(plant: Planter) -> None:
    @plant.instead(identity.identify)
    def _(original: Any, *args: Any, settle: Any, **more: Any) -> Any:
        return original(*args, settle=settle * 0, **more)


@bug("one look instead of two")
def _(plant: Planter) -> None:
    plant.instead(Creator._look_twice)(lambda _original, _creator, changes: changes)


@bug("two looks at once instead of a minute apart")
def _(plant: Planter) -> None:
    @plant.instead(Creator._look_twice)
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


@bug("no second look before a create")
def _(plant: Planter) -> None:
    @plant.instead(WriteSession.freshen)
    def _(original: Any, session: Any, requests: int = 1, *, anew: bool = False) -> None:
        original(session, requests)


@bug("a duplicate marker is ignored")
def _(plant: Planter) -> None:
    @plant.instead(identity.identify)
    def _(original: Any, mapping: Any, index: Any, recorded: Any, **more: Any) -> Any:
        hits = sorted(index.by_marker.get(mapping.key, ()), key=lambda row: not row.live)
        known = mapping.subscription_id is not None or mapping.key in recorded.bindings
        one = {**index.by_marker, mapping.key: () if known else tuple(hits[:1])}
        return original(mapping, replace(index, by_marker=one), recorded, **more)


@bug("a Subscription is adopted by its name")
def _(plant: Planter) -> None:
    @plant.instead(identity.identify)
    def _(original: Any, mapping: Any, index: Any, recorded: Any, **more: Any) -> Any:
        told = original(mapping, index, recorded, **more)
        found = namesakes(mapping, candidates(mapping, index, recorded))
        if not found or not any(doubt.rule is Rule.SAME_NAME for doubt in told.doubts):
            return told
        return identity.Identity(subscription=found[0], origin=BindingOrigin.MARKER)


# ---- journal, state, races ------------------------------------------------------------------------------------------


@bug("a damaged state is read as far as it goes")
def _(plant: Planter) -> None:
    @plant.instead(document.decode)
    def _(original: Any, content: Any, **more: Any) -> Any:
        try:
            return original(content, **more)
        except StateError:
            try:
                return document._document(json.loads(content))
            except (ValueError, TypeError, KeyError, AttributeError):
                pass
            raise


@bug("an unclear answer is journaled as ok")
def _(plant: Planter) -> None:
    @plant.instead(writing._journal_words)
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


@bug("the journal is not fsynced")
def _(plant: Planter) -> None:
    @plant.instead(AppendOnlyFile.append)
    def _(original: Any, file: Any, content: bytes, **_more: Any) -> None:
        original(file, content, durable=False)


@bug("state.json is not fsynced before its rename")
def _(plant: Planter) -> None:
    @plant.instead(files._write_new_file)
    def _(original: Any, *args: Any, **more: Any) -> None:
        original(*args, **{**more, "durable": False})


@bug("a rename is not made durable")
def _(plant: Planter) -> None:
    plant.instead(files._fsync_directory)(lambda _original, _directory: None)


@bug("a record does not name the one before")
def _(plant: Planter) -> None:
    @plant.instead(Journal.append)
    def _(original: Any, journal: Any, *args: Any, **more: Any) -> None:
        journal._prev = GENESIS
        original(journal, *args, **more)


@bug("the state can be read by others")
def _(plant: Planter) -> None:
    plant.instead(files._set_mode)(lambda original, fd, mode: original(fd, mode | 0o044))


@bug("no lock is taken")
def _(plant: Planter) -> None:
    plant.instead(directory.run_lock)(lambda _original, *_args, **_more: nullcontext())
