"""probe.json: every question that a probe asks, what it found, and what follows from that for later runs.

No value of a customer, a user or the partner stands in it: names of members, types, statuses, and what we sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

import msgspec

from reconciler.model import MarkerField
from reconciler.state.recorded import HaloFacts, ProbeRecord


class Question(StrEnum):
    """The questions' names, in the order in which the report has them."""

    asks: str

    def __new__(cls, name: str, asks: str) -> Self:
        """A member is its name; `asks` is the question in words, so that yes and no are answers."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.asks = asks
        return member

    TOKEN_LIFETIME = "token-lifetime", "Does the token's answer say how long it lives, as a whole number of seconds?"
    TOKEN_SCOPES = "token-scopes", "Does the token's answer name all scopes that were asked for?"
    EDIT_READS = (
        "edit-reads",
        "May a token for edit:softwarelicensing read Subscriptions without read:softwarelicensing?",
    )
    CREATE_AT_ZERO = (
        "create-at-zero",
        "Can a Subscription be created with the quantity 0, and has it that quantity then?",
    )
    CREATE_ANSWER = "create-answer", "Does the answer to a create name the new Subscription's id?"
    ANSWER_STATUS = "answer-status", "Is a write that worked answered with 200?"
    TYPE_KEPT = "type-kept", "Is what was created as a Subscription shown as a Subscription (type 1)?"
    EQUAL_NAMES = "equal-names", "Can one customer have two Subscriptions of the same name?"
    MARKER_SNOWID = "marker-snowid", "Does a listing give back what was written into snowid at the create?"
    MARKER_PRODUCTID = (
        "marker-third_party_productid",
        "Does a listing give back what was written into third_party_productid at the create?",
    )
    MARKER_NOTES = "marker-notes", "Does a listing give back what was written into notes at the create?"
    CREATE_LISTED = "create-listed", "Does the first listing after a create show the new Subscription?"
    CHANGE_LISTED = "change-listed", "Does the first listing after an update show the new quantity?"
    READ_AT_ONCE = "read-at-once", "Does a single read right after a write show it?"
    READ_BY_ID = "read-by-id", "Can one Subscription be read by its id alone, without the customer's?"
    UPDATE_ALONE = "update-alone", "Is an update that holds an id and a count, and nothing else, taken?"
    UPDATE_REFUSAL = "update-refusal", "Does a refused update say in words which member is missing?"
    UPDATE_FRAME = "update-frame", "Does an update of the count leave every other member as it was?"
    UPDATE_REPEATED = "update-repeated", "Is the same update taken a second time?"
    UPDATE_TO_ZERO = "update-to-zero", "Can a quantity be set back to 0?"
    ANSWER_OF_SEVERAL = "answer-of-several", "Does the answer to several updates have every one of them?"
    UNKNOWN_ID_READ = "unknown-id-read", "Is an id that does not exist answered with 404 when it is read?"
    UNKNOWN_ID_WRITTEN = "unknown-id-written", "Does an update of an id that does not exist leave nothing behind?"
    BAD_ROW = "bad-row", "Are the good rows of a batch written where one row is bad?"
    COUNT_WHOLE = "count-whole", "Is the quantity given as a whole number?"
    PRICE_MEMBERS = "price-members", "Does a Subscription's row have price and monthly_price, as numbers?"
    KNOWN_MEMBERS = "known-members", "Are all members of a row in HaloPSA's published text?"
    ENVELOPE = "envelope", 'Is the list of Subscriptions in the member "licences"?'
    PAGING = "paging", "Does the second page hold other rows than the first?"
    RECORD_COUNT = "record-count", "Is record_count the number of rows of the whole list?"
    ORDER = "order", "Is the order kept that was asked for (by id, either way)?"
    TYPE_FILTER = "type-filter", "Does licence_type leave rows of the other type out?"
    INACTIVE_ASKED = "inactive-asked", "Does includeinactive decide whether inactive rows are listed?"
    INACTIVE_UNASKED = "inactive-unasked", "Are inactive rows listed where nothing is said of them?"
    DELETED_LISTED = "deleted-listed", "Does a listing hold deleted rows?"
    PAGE_ROWS = "page-rows", "Does a page hold as many rows as were asked for (1,000)?"
    UNPAGED_ROWS = "unpaged-rows", "Does a listing that asks for no pages hold all rows?"
    INVOICE_LINES = (
        "invoice-lines",
        "Does the list of recurring invoices hold their lines, with whose quantity they take?",
    )
    LIMIT_HEADERS = "limit-headers", "Do answers tell in a header how many requests are left?"
    LIMIT_RETRY_AFTER = "limit-retry-after", "Does the answer at the request limit (429) say how long to wait?"
    LIMIT_BODY = "limit-body", "Does the answer at the request limit (429) say so in words?"


MARKERS: dict[str, Question] = {
    "snowid": Question.MARKER_SNOWID,
    "third_party_productid": Question.MARKER_PRODUCTID,
    "notes": Question.MARKER_NOTES,
}
"""The question about each field that could carry a mapping's key."""

Value = None | bool | int | str | tuple[str, ...] | dict[str, int]
"""What was seen, for programs: a word of a closed list, a number of ours, names of members."""


class Answer(StrEnum):
    """How a question was answered; it is never guessed."""

    YES = "yes"
    NO = "no"
    UNTOLD = "could not be told"


YES, NO, UNTOLD = Answer.YES, Answer.NO, Answer.UNTOLD


def yes_if(fact: object) -> Answer:
    """Yes where it is so, else no."""
    return YES if fact else NO


def _said(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One request and its answer without a foreign value: names of members and the types of what they hold."""

    request: Annotated[str, _said("Method and path; {id} stands for a number.")]
    query: Annotated[tuple[str, ...], _said("The query, with our own values; {id} stands for a number.")] = ()
    sent: Annotated[Any, _said("What was sent: our own values, {id} and {customer} for numbers.")] = None
    status: Annotated[int | None, _said("HTTP status; null where no complete answer came.")] = None
    answer: Annotated[Any, _said("The answer's shape: each member with the type of its value.")] = None
    headers: Annotated[tuple[str, ...], _said("Names of headers that speak of limits and waiting.")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeFinding:
    """One question with its answer."""

    question: Annotated[Question, _said("The question's name; it stays the same in later versions.")]
    asks: Annotated[str, _said("The question in words.")]
    answer: Annotated[Answer, _said("What was seen; nothing is guessed.")]
    detail: Annotated[str, _said("What was seen in words, or why it could not be told.")]
    value: Annotated[Value, _said("What was seen, for programs: simulate --probe reads it.")] = None
    exchange: Annotated[Shape | None, _said("The exchange that shows it.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that one probe found."""

    format_version: Annotated[Literal["1"], _said("Version of this layout.")]
    reconciler_version: Annotated[str, _said("The program that asked.")]
    at: Annotated[datetime, _said("When it ended, UTC.")]
    requests: Annotated[int, msgspec.Meta(ge=0, description="Requests that it sent, the token's among them.")]
    made: Annotated[int, msgspec.Meta(ge=0, description="Subscriptions that it made.")]
    ended_at_zero: Annotated[bool, _said("Whether everything it made was seen to stand at 0 at the end.")]
    unfit: Annotated[
        dict[str, str], _said("By question, why this HaloPSA cannot be written safely; then apply refuses.")
    ]
    advice: Annotated[tuple[str, ...], _said("What to set in mappings.yaml, or to know.")]
    findings: Annotated[tuple[ProbeFinding, ...], _said("Every question, in a fixed order.")]

    def finding(self, question: Question) -> ProbeFinding:
        """The answer to one question."""
        return next(one for one in self.findings if one.question is question)


def encode_report(report: Report) -> str:
    """The file's content, indented for people."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


# -- what follows from it ----------------------------------------------------------------------------------------------

FRAME = frozenset(
    {"name", "type", "client_id", "site_id", "price", "purchase_price", "monthly_price", "monthly_cost", "notes"}
    | {"billing_cycle", "start_date", "end_date", "is_active", "deleted", "status", "item_id", "supplier_id"}
    | {"snowid", "third_party_productid", "product_sku", "autorenew", "term_duration"}
)
"""Members that an update of the quantity must never change: what a person or an integration has set (FAULTS M3)."""

_UNFIT = {
    Question.ENVELOPE: 'the list of Subscriptions is not in the member "licences"',
    Question.COUNT_WHOLE: "the quantity is not given as a whole number",
    Question.TYPE_KEPT: "what is created as a Subscription does not become one",
    Question.CREATE_LISTED: "no listing shows a new Subscription within the time that was waited",
    Question.CHANGE_LISTED: "no listing shows a new quantity within the time that was waited",
    Question.UPDATE_ALONE: "an update of the quantity is refused in every form",
}
_NEVER = {Question.CREATE_LISTED, Question.CHANGE_LISTED}


def unfit(findings: dict[Question, ProbeFinding]) -> dict[str, str]:
    """By question, why this HaloPSA cannot be written safely; empty where it can, as far as it was told."""
    reasons = {}
    for question, why in _UNFIT.items():
        finding = findings[question]
        if question in _NEVER:
            grave = isinstance(finding.value, dict) and bool(finding.value.get("never"))
        else:
            grave = question is not Question.UPDATE_ALONE or finding.value == "refused"
        if finding.answer is NO and grave:
            reasons[question.value] = why
    if findings[Question.CREATE_AT_ZERO].value == "changed":
        reasons[Question.CREATE_AT_ZERO.value] = "a Subscription that is created with the quantity 0 has another one"
    changed = findings[Question.UPDATE_FRAME].value
    if isinstance(changed, tuple) and (kept := sorted(FRAME & set(changed))):
        reasons[Question.UPDATE_FRAME.value] = f"an update of the quantity changes {', '.join(kept)} besides"
    return reasons


def advice(findings: dict[Question, ProbeFinding]) -> tuple[str, ...]:
    """What a person should set in mappings.yaml, or know, because this HaloPSA is not as reconciler assumes."""
    told = [_marker_advice(findings)]
    if findings[Question.CREATE_AT_ZERO].value == "refused":
        told.append(
            "HaloPSA takes no new Subscription at the quantity 0, so reconciler can create none: make it by hand, then "
            "run reconciler adopt KEY ID."
        )
    if findings[Question.UPDATE_TO_ZERO].answer is NO:
        told.append("no quantity can be set back to 0: end the Subscription of a client who has left by hand.")
    changed = findings[Question.UPDATE_FRAME].value
    if isinstance(changed, tuple) and changed and not FRAME & set(changed):
        told.append(
            f"an update of the quantity changes {', '.join(changed)} besides: apply will call every update failed for "
            "it. Please send probe.json to the project."
        )
    if findings[Question.PAGING].value == "repeats":
        told.append("page two repeats page one: a list that is longer than one page cannot be read, and plan fails.")
    return tuple(one for one in told if one)


def _marker_advice(findings: dict[Question, ProbeFinding]) -> str:
    values = {name: findings[question].value for name, question in MARKERS.items()}
    if values[MarkerField.SNOWID] not in {"dropped", "overwritten"}:
        return ""
    kept = [name for best in ("kept", "unlisted") for name, value in values.items() if value == best]
    if kept:
        setting = f"settings: {{marker_field: {kept[0]}}}"
        return f"snowid does not keep a marker, {kept[0]} does. Write into mappings.yaml: {setting}"
    return (
        "no field keeps a marker. Write into mappings.yaml: settings: {marker_field: none}. Only the state then says "
        "which Subscription is whose: keep it safe, best with --state git:reconciler-state."
    )


def facts_from(report: Report, earlier: HaloFacts, *, halo_url: str) -> HaloFacts:
    """What later runs take for known. What could not be told this time stays as an earlier probe found it."""
    found = {finding.question: finding for finding in report.findings}
    known = earlier.probe_of(halo_url)
    open_still = {finding.question.value for finding in report.findings if finding.answer is UNTOLD}
    standing = {name: why for name, why in (known.unfit if known else {}).items() if name in open_still}
    facts = earlier.of(halo_url)
    members, rows = found[Question.UPDATE_ALONE].value, found[Question.PAGE_ROWS].value
    if isinstance(members, tuple):
        facts = replace(facts, update_members=members)
    if isinstance(rows, int):
        facts = replace(facts, page_rows=rows)
    if all(found[question].answer is not UNTOLD for question in MARKERS.values()):
        lost = {"dropped", "overwritten"}
        facts = replace(facts, lost_markers=tuple(n for n, q in MARKERS.items() if found[q].value in lost))
    lags = [found[question].value for question in (Question.CREATE_LISTED, Question.CHANGE_LISTED)]
    if all(isinstance(lag, dict) and "never" not in lag for lag in lags):
        facts = replace(facts, lag_seconds=max(lag["seconds"] for lag in lags if isinstance(lag, dict)))
    record = ProbeRecord(
        at=report.at,
        halo_url=halo_url,
        answers={one.question.value: f"{one.answer.value}: {one.detail}" for one in report.findings},
        unfit={**standing, **report.unfit},
        advice=report.advice,
    )
    return replace(facts, probe=record)
