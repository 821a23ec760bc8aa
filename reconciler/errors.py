"""One exception tree. Each branch knows its exit code and, where there is one, the next step.

ReconcilerError                     exit 1
├── UsageError                      exit 64   the command line or the environment is wrong
├── ConfigError                     exit 1    mappings.yaml has problems; carries every diagnostic
├── PlanFileError                   exit 1    a saved plan cannot be used
├── DecisionRefused                 exit 1    what a person decided about a binding does not fit what is live
├── StateError                      exit 1    the state cannot be read or written
│   ├── StateLocked                 exit 1    another run holds it
│   └── StateConflict               exit 1    somebody else changed it first (compare-and-set lost)
├── ApiError                        exit 1    one of the two systems did not give what is needed
│   ├── ConnectFailed               exit 1    no connection: the request surely never left
│   ├── ResponseLost                exit 1    no usable answer: whether the request took effect is unknown
│   ├── DeadlineExceeded            exit 1    the request's or the run's total time is over
│   ├── NotAuthorised               exit 1    401
│   ├── Forbidden                   exit 1    403
│   ├── NotFound                    exit 1    404
│   ├── RateLimited                 exit 1    429, after the permitted waits
│   ├── ServerFailed                exit 1    5xx or 408, after the permitted retries
│   ├── Rejected                    exit 1    any other 4xx, with the server's message
│   ├── UnreadableAnswer            exit 1    an answer that is not what the contract says
│   │   └── AnswerTooLarge          exit 1    an answer of more bytes than are ever read
│   └── IncompleteRead              exit 1    a list that cannot be read completely
├── RequestForbidden                exit 1    a bug here: a host, method or path that is not on the allow-list
├── UnexpectedFailure               exit 4    a bug here, while a run was writing: what was sent is told all the same
└── Interrupted                     exit 130  a person or the runner asked to stop
"""

from __future__ import annotations

import traceback
from enum import IntEnum
from pathlib import PurePath
from typing import Any, ClassVar


class ExitCode(IntEnum):
    """How a command ends, for whoever calls it from a script. The numbers are part of the contract."""

    DONE = 0
    ERROR = 1
    CHANGES = 2  # plan --detailed-exitcode: there is something to do
    HELD = 3  # something was held, refused or stale; the rest was done
    INCOMPLETE = 4  # something failed, is unknown or is not on record
    USAGE = 64
    INTERRUPTED = 130


class ReconcilerError(Exception):
    """Anything this program reports. `hint` is the next step, a sentence without a line break; it may be empty.

    `needs` is what waits for a person (state.recorded.Need), where it was a run that failed.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.ERROR
    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.needs: tuple[Any, ...] = ()


class UsageError(ReconcilerError):
    exit_code = ExitCode.USAGE
    code = "usage"


class ConfigError(ReconcilerError):
    """mappings.yaml cannot be used. `diagnostics` holds every problem (config.Diagnostic), sorted by place."""

    code = "config"

    def __init__(self, message: str, *, diagnostics: tuple[object, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.diagnostics = diagnostics


class PlanFileError(ReconcilerError):
    """A saved plan is unreadable, or was made from other mappings or for other systems."""

    code = "plan-file"


class DecisionRefused(ReconcilerError):
    """What a decision rests on does not fit what HaloPSA, the state and mappings.yaml say."""

    code = "decision-refused"


class StateError(ReconcilerError):
    code = "state"


class StateLocked(StateError):
    code = "state-locked"


class StateConflict(StateError):
    """Somebody else changed the state between our read and our write."""

    code = "state-conflict"


class ApiError(ReconcilerError):
    """One of the two systems did not give what is needed.

    `system` is "INFIMA" or "HaloPSA"; `request` is method and path, never a query, header or body. `next_step` is the
    hint of an error that nobody has a better one for. `retry_after` is how many seconds the server asks to wait.
    """

    code = "api"
    retry_after: float | None = None

    next_step: ClassVar[str] = "Run again; `reconciler doctor` tries each connection and each right by itself."

    def __init__(self, message: str, *, system: str = "", request: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint or self.next_step)
        self.system = system
        self.request = request


class ConnectFailed(ApiError):
    """No connection was made (DNS, TCP, TLS): the request surely never left this machine."""

    code = "connect-failed"
    next_step = "Check the address, and that this machine may reach it; then run again."


class ResponseLost(ApiError):
    """The connection broke or timed out after the request may have been sent."""

    code = "response-lost"
    next_step = "Run again: nothing was decided without the answer."


class DeadlineExceeded(ApiError):
    code = "deadline"
    next_step = "Run again when the system answers in its usual time."


class NotAuthorised(ApiError):
    code = "not-authorised"


class Forbidden(ApiError):
    code = "forbidden"


class NotFound(ApiError):
    code = "not-found"
    next_step = "Check the address: something else answers there, or the object is gone."


class RateLimited(ApiError):
    code = "rate-limited"
    next_step = "Run again later: something else uses the same limit."


class ServerFailed(ApiError):
    code = "server-failed"
    next_step = "Run again later; if it stays, ask whoever runs that system."


class Rejected(ApiError):
    """Any other 4xx. `status` is the HTTP status; the message ends with the server's own words, cut and cleaned.

    `oauth_error` is the error's name where a token endpoint gives one, such as "invalid_scope".
    """

    code = "rejected"

    def __init__(
        self, message: str, *, status: int, oauth_error: str = "", system: str = "", request: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, system=system, request=request, hint=hint)
        self.status = status
        self.oauth_error = oauth_error


class UnreadableAnswer(ApiError):
    """A 2xx answer that is not the JSON which the contract says."""

    code = "unreadable-answer"
    next_step = (
        "Run again; if it stays, something else answers at that address (a sign-in page, a proxy), or its answers have "
        "changed: check the address."
    )


class AnswerTooLarge(UnreadableAnswer):
    """An answer of more bytes than are ever read; a list is then asked for in smaller pages."""

    code = "answer-too-large"
    next_step = "Check what answers at that address: not even ten rows of a list should be as large."


class IncompleteRead(ApiError):
    """A list that cannot be read completely: rows missing, repeated or changing."""

    code = "incomplete-read"
    next_step = "Nothing was decided from a part of it. Run again when nobody is changing it."


class RequestForbidden(ReconcilerError):
    """A request to a host, method or path that is not on the transport's list. Always a bug in this program."""

    code = "request-forbidden"


class Interrupted(ReconcilerError):
    """SIGINT or SIGTERM: no new write was started."""

    exit_code = ExitCode.INTERRUPTED
    code = "interrupted"


class UnexpectedFailure(ReconcilerError):
    """A bug here, met after a request that writes had left. Its cause is the exception that nobody expected."""

    exit_code = ExitCode.INCOMPLETE
    code = "unexpected"


def as_failure(problem: Exception, *, sent: str = "") -> ReconcilerError:
    """The problem as one that is told: our own as it is, an exception that nobody expected with its kind and place.

    Its text stays out: it may hold anything. `sent` says what became of the requests, where nothing else does.
    """
    if isinstance(problem, ReconcilerError):
        return problem
    frames = traceback.extract_tb(problem.__traceback__)
    place = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    failure = UnexpectedFailure(
        f"a fault of reconciler itself ended the writing ({type(problem).__name__}{place}){sent}",
        hint="Nothing more is sent. Look at what was sent, then run again; please report this line.",
    )
    failure.__cause__ = problem
    return failure
