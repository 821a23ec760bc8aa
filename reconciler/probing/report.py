"""probe.json: what a probe found, as a value that is written strictly and read strictly.

No value of a customer, a user or the partner stands in it: names of members, types, statuses, and what we sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec

from reconciler.probing.questions import Question

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
