"""The story of a probe: look, record the attempt, ask, bring everything to 0, report, remember."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

import reconciler
from reconciler.errors import DecisionRefused, Interrupted, ReconcilerError
from reconciler.events import PhaseFinished, PhaseStarted
from reconciler.http.decoding import text_of
from reconciler.model import HaloCustomerId, ProbeAttempt, RunId
from reconciler.probing.ending import bring_to_zero
from reconciler.probing.exchanges import MOST_REQUESTS, PHASE, Untold
from reconciler.probing.facts import advice, facts_from, unfit
from reconciler.probing.lists import filters, find_envelope, invoice_lines, pages_and_order, whole_lists
from reconciler.probing.making import make_first, make_others
from reconciler.probing.questions import Question
from reconciler.probing.report import UNTOLD, Report
from reconciler.probing.rows import Row
from reconciler.probing.session import ProbeSession
from reconciler.probing.sign_in import limits, sign_in
from reconciler.probing.updates import bad_row, repeat_and_zero, unknown_id, update_one, update_several
from reconciler.state.base import RunInfo, RunState
from reconciler.writing.verdict import command_verdict

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
        left = tuple(Left(subscription_id=n, name=name, quantity=q) for n, name, q in bring_to_zero(session))
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
