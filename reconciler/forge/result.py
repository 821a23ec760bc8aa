"""What a run came to, read from the JSON that it printed, and what CI systems are told of it: small words and numbers.

Nothing readable is a result too: the worst one. No output for a machine holds a name.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from reconciler.errors import ExitCode, PlanFileError
from reconciler.plan_document.layout import NeedJson, PlanJson
from reconciler.plan_document.read import needs_in, read_plan_file
from reconciler.planning.changes import Outcome
from reconciler.render.document import Kind, View, view
from reconciler.render.terraform import count_actions
from reconciler.render.text import visible


class Verdict(StrEnum):
    """How it ended, from good to bad."""

    CLEAN = "clean"
    CHANGES = "changes"
    HELD = "held"
    REFUSED = "refused"
    INCOMPLETE = "incomplete"
    FAILED = "failed"

    @property
    def came_to_its_end(self) -> bool:
        """True when nothing has to be repeated: all that may be written without a person is written."""
        return self in {Verdict.CLEAN, Verdict.CHANGES, Verdict.HELD}


class Reason(StrEnum):
    """Why it is not clean, for machines: never a name, never free text."""

    NONE = "none"
    HELD = "held"
    STALE = "stale"
    REFUSED = "refused"
    WRITE_FAILED = "write-failed"
    WRITE_UNKNOWN = "write-unknown"
    INTERRUPTED = "interrupted"
    RECORD_MISSING = "record-missing"
    CONFIG = "config"
    USAGE = "usage"
    STATE = "state"
    INFIMA = "infima"
    HALOPSA = "halopsa"
    ERROR = "error"
    NO_RESULT = "no-result"


_REASON_OF_CODE = {
    "config": Reason.CONFIG,
    "usage": Reason.USAGE,
    "plan-file": Reason.USAGE,
    "state": Reason.STATE,
    "state-locked": Reason.STATE,
    "state-conflict": Reason.STATE,
    "interrupted": Reason.INTERRUPTED,
}
_REASON_OF_SYSTEM = {"INFIMA": Reason.INFIMA, "HaloPSA": Reason.HALOPSA}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The error of a run that made no plan. `problems` are those of mappings.yaml, each with its place."""

    message: str
    hint: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Either `document` (a plan, or what apply did) or `error` is there, never both."""

    verdict: Verdict
    reason: Reason
    document: PlanJson | None = None
    error: Told | None = None
    attention: int = 0
    """Things that wait for a person: the length of the one list of needs."""
    needs: tuple[NeedJson, ...] = ()
    """That list. A run that failed has the one that its state remembered."""
    met: tuple[NeedJson, ...] = ()
    """What waited before the run and waits no longer; empty where no run is told."""


LOOKS_AGAIN = (
    "The next run looks at both systems afresh, takes what this one wrote into the history and does what is missing."
)

NO_RESULT = Result(
    verdict=Verdict.FAILED,
    reason=Reason.NO_RESULT,
    error=Told(
        message=(
            "The run ended without a result: it was cancelled, ran out of time, or never started. How far it came is "
            "not known."
        ),
        hint=f"Look into the log of the run. {LOOKS_AGAIN}",
    ),
    attention=1,
)


def read_result(data: bytes | None) -> Result:
    """Judge what `plan -o json` or `apply -o json` printed. Anything else, and None, is NO_RESULT."""
    if not data or not data.strip():
        return NO_RESULT
    error = _error_in(data)
    if error is not None:
        return error
    try:
        document = read_plan_file(data).document
    except PlanFileError:
        return NO_RESULT
    shown = view(document)
    verdict, reason = _judged(document, shown)
    return Result(
        verdict=verdict,
        reason=reason,
        document=document,
        needs=tuple(document.get("needs", ())),
        met=tuple(document.get("needs_met", ())),
        attention=_attention(document, verdict),
    )


def _error_in(data: bytes) -> Result | None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict) or document.get("errored") is not True:
        return None
    system, code = str(error.get("system") or ""), str(error.get("code") or "")
    reason = _REASON_OF_SYSTEM.get(system) or _REASON_OF_CODE.get(code, Reason.ERROR)
    message = str(error.get("message") or "The run failed.")
    told = Told(message=message, hint=str(error.get("hint") or ""), problems=_problems(error.get("diagnostics")))
    needs = needs_in(document.get("needs", []))
    return Result(verdict=Verdict.FAILED, reason=reason, error=told, attention=max(len(needs), 1), needs=needs)


def _problems(diagnostics: object) -> tuple[str, ...]:
    found = [one for one in diagnostics if isinstance(one, dict)] if isinstance(diagnostics, list) else []
    return tuple(
        f"Line {one.get('line')}: {one.get('message')}{f' ({hint})' if (hint := one.get('hint')) else ''}"
        for one in found
    )


def _judged(document: PlanJson, shown: View) -> tuple[Verdict, Reason]:
    """The first that is true decides: what is worst comes first."""
    code = document["run"]["exit_code"] if "run" in document else 0
    ended = code in {ExitCode.DONE, ExitCode.HELD} and all(row.outcome is not None for row in shown.rows)
    cases = (
        (shown.with_outcome(Outcome.UNKNOWN), Verdict.INCOMPLETE, Reason.WRITE_UNKNOWN),
        (shown.with_outcome(Outcome.FAILED), Verdict.INCOMPLETE, Reason.WRITE_FAILED),
        (code == ExitCode.INTERRUPTED, Verdict.INCOMPLETE, Reason.INTERRUPTED),
        ("record_missing" in document.get("run", {}), Verdict.INCOMPLETE, Reason.RECORD_MISSING),
        (shown.refusals, Verdict.REFUSED, Reason.REFUSED),
        (shown.applied and not ended, Verdict.INCOMPLETE, Reason.ERROR),
        (shown.of_kind(Kind.HELD), Verdict.HELD, Reason.HELD),
        (shown.with_outcome(Outcome.STALE), Verdict.HELD, Reason.STALE),
        (not shown.applied and shown.pending_writes, Verdict.CHANGES, Reason.NONE),
    )
    return next(((verdict, reason) for true, verdict, reason in cases if true), (Verdict.CLEAN, Reason.NONE))


def _attention(document: PlanJson, verdict: Verdict) -> int:
    """As many as the one list of needs holds; a run that has to be repeated is never nothing."""
    return max(len(document.get("needs", ())), 0 if verdict.came_to_its_end else 1)


# ---- what CI systems are told ---------------------------------------------------------------------------------------

_PLAIN = re.compile(r"[a-z0-9-]{1,40}")
_FIGURES = {
    "create": "create",
    "update": "update",
    "unchanged": "no_op",
    "held": "held",
    "users_before": "users_before",
    "users_after": "users_after",
}
"""Each output that counts something -> the plan's figure behind it."""


def outputs_of(result: Result) -> dict[str, str]:
    """The outputs of a run: verdict, reason, attention and, where there is a plan, its figures."""
    values = {"verdict": str(result.verdict), "reason": str(result.reason), "attention": str(result.attention)}
    if result.document is None:
        return values
    summary: Mapping[str, object] = result.document["summary"]
    return values | {name: str(summary[figure]) for name, figure in _FIGURES.items()}


def _delimiter() -> str:
    return f"reconciler-{secrets.token_hex(16)}"


def github_output(values: Mapping[str, str], delimiter: Callable[[], str] = _delimiter) -> str:
    """The lines for GITHUB_OUTPUT; each value stands between two lines that nobody can guess."""
    lines = []
    for name, value in values.items():
        if not _PLAIN.fullmatch(value):
            raise ValueError(f"the output {name} is not a plain word")
        mark = delimiter()
        lines += [f"{name}<<{mark}", value, mark]
    return "".join(f"{line}\n" for line in lines)


def gitlab_terraform(result: Result) -> str:
    """The report for GitLab's merge-request widget (`artifacts: reports: terraform`). Nothing is ever deleted.

    It counts what `-o terraform` has among its changes: nothing of a refused run; after apply what was written.
    """
    counted = count_actions(result.document) if result.document is not None else {}
    return json.dumps({"create": counted.get("create", 0), "update": counted.get("update", 0), "delete": 0}) + "\n"


def azure_commands(result: Result, messages: list[tuple[str, str]], summary: str | None) -> str:
    """Azure DevOps' logging commands: variables, issues (`error` or `warning`) and the summary's file."""
    lines = [
        f"##vso[task.setvariable variable=reconciler_{name};isOutput=true]{value}"
        for name, value in outputs_of(result).items()
    ]
    lines += [f"##vso[task.logissue type={level}]{_azure_data(message)}" for level, message in messages]
    if summary is not None:
        lines.append(f"##vso[task.uploadsummary]{_azure_data(summary)}")
    if not result.verdict.came_to_its_end:
        lines.append("##vso[task.complete result=Failed;]")
    elif result.attention:
        lines.append("##vso[task.complete result=SucceededWithIssues;]")
    return "".join(f"{line}\n" for line in lines)


def _azure_data(text: str) -> str:
    """Text behind a logging command: one line, and nothing in it that reads as a command of its own."""
    return visible(text[:4_000]).replace("%", "%AZP25").replace("##", "# #")
