"""The story of a probe: look, record the attempt, ask, bring everything to 0, report, remember."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus

import reconciler
from reconciler.errors import DecisionRefused, Interrupted, ReconcilerError
from reconciler.events import PhaseFinished, PhaseStarted
from reconciler.http.decoding import text_of, whole_number
from reconciler.model import HaloCustomerId, RunId
from reconciler.probing.exchanges import MOST_REQUESTS, PHASE, Untold
from reconciler.probing.making import make_first, make_others
from reconciler.probing.reading import (
    filters,
    find_envelope,
    invoice_lines,
    limits,
    pages_and_order,
    sign_in,
    whole_lists,
)
from reconciler.probing.report import UNTOLD, YES, Question, Report, advice, facts_from, unfit
from reconciler.probing.session import ProbeSession
from reconciler.probing.shapes import Row, quantity
from reconciler.probing.updates import bad_row, first_form, repeat_and_zero, unknown_id, update_one, update_several
from reconciler.state.base import RunInfo, RunState
from reconciler.state.recorded import ProbeAttempt
from reconciler.writing.verdict import command_verdict

ROUNDS = 4
"""So often everything is looked at and set to 0 at the end."""

Step = Callable[[ProbeSession], None]

STEPS: tuple[tuple[Step, tuple[Question, ...]], ...] = (
    (sign_in, (Question.TOKEN_LIFETIME, Question.TOKEN_SCOPES, Question.EDIT_READS)),
    (
        make_first,
        (
            Question.CREATE_AT_ZERO, Question.CREATE_ANSWER, Question.ANSWER_STATUS, Question.TYPE_KEPT,
            Question.MARKER_SNOWID, Question.MARKER_PRODUCTID, Question.MARKER_NOTES, Question.READ_BY_ID,
            Question.COUNT_WHOLE, Question.PRICE_MEMBERS, Question.KNOWN_MEMBERS,
        ),
    ),
    (make_others, (Question.EQUAL_NAMES, Question.CREATE_LISTED)),
    (update_one, (Question.UPDATE_ALONE, Question.UPDATE_REFUSAL, Question.UPDATE_FRAME, Question.READ_AT_ONCE)),
    (repeat_and_zero, (Question.UPDATE_REPEATED, Question.UPDATE_TO_ZERO, Question.CHANGE_LISTED)),
    (unknown_id, (Question.UNKNOWN_ID_READ, Question.UNKNOWN_ID_WRITTEN)),
    (update_several, (Question.ANSWER_OF_SEVERAL,)),
    (bad_row, (Question.BAD_ROW,)),
    (pages_and_order, (Question.PAGING, Question.RECORD_COUNT, Question.ORDER)),
    (filters, (Question.TYPE_FILTER,)),
    (
        whole_lists,
        (
            Question.PAGE_ROWS, Question.UNPAGED_ROWS, Question.DELETED_LISTED, Question.INACTIVE_ASKED,
            Question.INACTIVE_UNASKED,
        ),
    ),
    (invoice_lines, (Question.INVOICE_LINES,)),
    (limits, (Question.LIMIT_HEADERS, Question.LIMIT_RETRY_AFTER, Question.LIMIT_BODY)),
)  # fmt: skip
"""What is asked, in this order, and the questions that each step answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a look at the customer shows before anything is written. `earlier` are rows that other probes left."""

    name: str
    inactive: bool
    others: int
    earlier: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """One Subscription that a probe made, as it stands at the end; `quantity` is None where that could not be seen."""

    subscription_id: int
    name: str
    quantity: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """How a probe ended. `lost` are names whose create may yet appear; `record_missing` says what is not on record."""

    report: Report
    left: tuple[Left, ...]
    lost: tuple[str, ...]
    record_missing: str = ""

    @property
    def clean(self) -> bool:
        """True when everything that it made was seen to stand at 0."""
        return not self.lost and all(one.quantity == 0 for one in self.left)


def look(session: ProbeSession) -> Seen:
    """Read the customer and its Subscriptions. Nothing is written. Raises `DecisionRefused` where it cannot be one."""
    session.halo.customer = session.customer
    try:
        customer = _customer(session)
        rows = find_envelope(session)
    except Untold as why:
        if session.stop():
            raise Interrupted("Interrupted before the first write: nothing was changed.") from why
        if session.trouble is not None:
            raise session.trouble from why
        raise DecisionRefused(f"The probe cannot begin: {why}.", hint="reconciler doctor tries each right.") from why
    return Seen(
        name=text_of(customer.get("name")),
        inactive=bool(customer.get("inactive")),
        others=sum(row.get("client_id") == session.customer and not session.halo.is_own(row) for row in rows),
        earlier=len(session.earlier),
    )


def _customer(session: ProbeSession) -> Row:
    exchange = session.get(f"/api/Client/{session.customer}")
    if exchange.status == HTTPStatus.NOT_FOUND:
        raise DecisionRefused(
            f"HaloPSA knows no customer {session.customer}.", hint="Find its number with: reconciler customers NAME"
        )
    if not exchange.ok or not isinstance(exchange.body, dict):
        raise Untold(f"the customer cannot be read: {exchange.told}")
    return exchange.body


def run_probe(session: ProbeSession, state: RunState, info: RunInfo, *, halo_url: str) -> Probed:
    """Ask everything. The attempt is on record before the first write, and taken off it when all stands at 0.

    Raises `StateError` where nothing can be recorded before the first write, `DecisionRefused` for another's state.
    """
    _refuse_other_tenant(state, halo_url)
    attempt = ProbeAttempt(
        customer_id=HaloCustomerId(session.customer), word=session.word, run=info.id, recorded_at=session.clock.now()
    )
    others = [one for one in state.recorded.probes if one.customer_id != session.customer]
    state.record_probes([*others, attempt])
    session.state = state
    session.observe(PhaseStarted(phase=PHASE, total=MOST_REQUESTS))
    try:
        _ask(session)
    finally:
        session.restart_time()
        session.ending, session.most = True, MOST_REQUESTS
        left = _bring_to_zero(session)
    session.observe(PhaseFinished(phase=PHASE, detail=f"{session.halo.sent} requests"))
    ended = Probed(report=_report(session, left), left=left, lost=tuple(session.lost))
    return _on_record(session, state, ended, others, halo_url=halo_url, run=info.id)


def _refuse_other_tenant(state: RunState, halo_url: str) -> None:
    tenant, probed = state.recorded.tenant, state.recorded.halo.probe
    owner = tenant.halo_url if tenant else probed.halo_url if probed else halo_url
    if owner != halo_url:  # its halo-unfit would be forgotten for the other's findings
        raise DecisionRefused(
            f"This state belongs to {owner}, and HALO_URL is {halo_url}.",
            hint="Check HALO_URL and --state: what one HaloPSA does says nothing of another.",
        )


def _ask(session: ProbeSession) -> None:
    for step, questions in STEPS:
        try:
            step(session)
        except Untold as why:
            for question in questions:
                session.cannot(question, str(why))
    for question in Question:
        session.cannot(question, "an earlier answer left it open")


def _report(session: ProbeSession, left: Sequence[Left]) -> Report:
    findings = session.findings
    return Report(
        format_version="1",
        reconciler_version=reconciler.__version__,
        at=session.clock.now(),
        requests=session.halo.sent,
        made=len(session.made),
        ended_at_zero=not session.lost and all(one.quantity == 0 for one in left),
        unfit=unfit(findings),
        advice=advice(findings),
        findings=tuple(findings[question] for question in Question),
    )


def _on_record(
    session: ProbeSession, state: RunState, ended: Probed, others: Sequence[ProbeAttempt], *, halo_url: str, run: RunId
) -> Probed:
    """Remember what was found; where the state takes it no more, that is told and the answers stand all the same."""
    report = ended.report
    told = sum(finding.answer is not UNTOLD for finding in report.findings)
    words = f"probe: customer {session.customer}, {told} of {len(report.findings)} questions answered"
    verdict = command_verdict(run, words, finished_at=session.clock.now())
    if session.unrecorded is not None:
        return replace(ended, record_missing=session.unrecorded.message)
    try:
        state.record_facts(facts_from(report, state.recorded.halo, halo_url=halo_url))
        if ended.clean:
            state.record_probes(others)
        state.finish(verdict)
    except ReconcilerError as error:
        return replace(ended, record_missing=error.message)
    return ended


# -- the end -----------------------------------------------------------------------------------------------------------


def _bring_to_zero(session: ProbeSession) -> tuple[Left, ...]:
    """Look, set to 0 what is not, look again: what the probe made and what earlier ones left. It raises nothing."""
    shown: dict[int, Row] = {}
    written, one_by_one = bool(session.writes), False
    doubtful = session.writes > session.creates and not _lag_is_known(session)
    for _ in range(ROUNDS):
        with suppress(Untold):
            _look(session, shown, after_write=written)
        above = [number for number, row in sorted(shown.items()) if doubtful or quantity(row) != 0]
        if shown and not above:
            break
        with suppress(Untold):
            written = written or bool(above)
            one_by_one = _set_to_zero(session, above, one_by_one=one_by_one)
            doubtful = doubtful and one_by_one
    unseen: dict[int, Row] = {number: {"name": session.name(0)} for number in session.made}
    earlier = {number: row for row in session.earlier if (number := whole_number(row.get("id"), least=1))}
    left = []
    for number, row in sorted({**earlier, **unseen, **shown}.items()):
        count = quantity(row)
        known = None if doubtful and not count else count
        left.append(Left(subscription_id=number, name=text_of(row.get("name")), quantity=known))
    return tuple(left)


def _lag_is_known(session: ProbeSession) -> bool:
    """Whether it was told how late a change shows; where not, a 0 may be one from before an update."""
    change = session.findings.get(Question.CHANGE_LISTED)
    return session.changed_to is None or (change is not None and change.answer is not UNTOLD)


def _set_to_zero(session: ProbeSession, above: list[int], *, one_by_one: bool) -> bool:
    """Write 0; true where a batch was refused, so that the next round sends each row by itself."""
    if session.along is None and above:
        first_form(session, above[0], 0)
        above = above[1:]
    refused = False
    for group in [[number] for number in above] if one_by_one else [above] if above else []:
        refused = session.update(*((number, 0) for number in group)).refused or refused
    return one_by_one or refused


def _look(session: ProbeSession, shown: dict[int, Row], *, after_write: bool) -> None:
    """Keep every probe's Subscription at this customer as it is now: listed, and read by itself.

    A listing is enough only where it is known to show a change at once. What one look cannot tell hides no other's.
    """
    if after_write:
        session.settle()
    with suppress(Untold):
        _take_listed(session, shown)
    change = session.findings.get(Question.CHANGE_LISTED)
    prompt = session.changed_to is None or (change is not None and change.answer is YES)
    for number in sorted({*session.made, *session.named, *shown}):
        if number in shown and (prompt or session.late_reads):
            continue
        if number in shown:  # the listing may be from before the last change
            shown[number] = {name: value for name, value in shown[number].items() if name != "count"}
        with suppress(Untold):
            _, single = session.read(number)
            if single is not None:
                session.take([single])
                shown[number] = single


def _take_listed(session: ProbeSession, shown: dict[int, Row]) -> None:
    """Those that a listing shows."""
    _, rows = session.listing()
    for row in rows:
        number = session.halo.learn(row)
        if number is not None:
            shown[number] = row
    session.take(rows)
