"""What follows from a report: what later runs take for known, what a person should set, and what forbids writing."""

from __future__ import annotations

from dataclasses import replace

from reconciler.model import HaloFacts, MarkerField, ProbeRecord
from reconciler.probing.questions import MARKERS, Question
from reconciler.probing.report import Answer, ProbeFinding, Report

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
        if finding.answer is not Answer.NO:
            continue
        if question in _NEVER and not (isinstance(finding.value, dict) and finding.value.get("never")):
            continue
        if question is Question.UPDATE_ALONE and finding.value != "refused":
            continue
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
    if findings[Question.UPDATE_TO_ZERO].answer is Answer.NO:
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
    kept = [name for name, value in values.items() if value == "kept"]
    kept += [name for name, value in values.items() if value == "unlisted"]
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
    open_still = {finding.question.value for finding in report.findings if finding.answer is Answer.UNTOLD}
    standing = {name: why for name, why in (known.unfit if known else {}).items() if name in open_still}
    facts = earlier.of(halo_url)
    members, rows = found[Question.UPDATE_ALONE].value, found[Question.PAGE_ROWS].value
    if isinstance(members, tuple):
        facts = replace(facts, update_members=members)
    if isinstance(rows, int):
        facts = replace(facts, page_rows=rows)
    if all(found[question].answer is not Answer.UNTOLD for question in MARKERS.values()):
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
