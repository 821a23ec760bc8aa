"""The document that `-o json` prints where there is no plan: `errored`, and what went wrong."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, Protocol, TypedDict, runtime_checkable

from msgspec import Meta

from reconciler.errors import ApiError, ConfigError, ReconcilerError
from reconciler.model import Place
from reconciler.plan_document.layout import FORMAT_VERSION, NEEDS, LayoutVersion, NeedJson, says
from reconciler.plan_document.needs import needs_json

Position = Annotated[int, Meta(ge=1)]


class DiagnosticJson(TypedDict):
    """One problem of mappings.yaml."""

    file: Annotated[str, says("The file's name.")]
    line: Annotated[Position, says("Line, from 1.")]
    column: Annotated[Position, says("Column, from 1.")]
    severity: Annotated[Literal["error", "warning"], says("error or warning.")]
    message: Annotated[str, says("What is wrong.")]
    hint: Annotated[str, says("How to mend it; may be empty.")]


class ErrorJson(TypedDict):
    """What went wrong."""

    code: Annotated[str, says("The kind of error, a word that scripts may compare.")]
    message: Annotated[str, says("What happened.")]
    hint: Annotated[str, says("The next step; may be empty.")]
    system: NotRequired[Annotated[str, says("INFIMA or HaloPSA, where one of them is the cause.")]]
    request: NotRequired[Annotated[str, says("Method and path of the request that failed.")]]
    diagnostics: NotRequired[
        Annotated[list[DiagnosticJson], says("Every problem of mappings.yaml, in order of place.")]
    ]


class FailureJson(TypedDict):
    """The whole document. Its members are a plan's; there are no `resource_changes`, so that nothing looks in order."""

    format_version: LayoutVersion
    reconciler_version: str
    applyable: bool
    complete: bool
    errored: bool
    error: Annotated[ErrorJson, says("Why there is no plan. Present on failure only.")]
    needs: NotRequired[Annotated[list[NeedJson], says(NEEDS)]]


@runtime_checkable
class _Diagnostic(Protocol):
    """What an element of `ConfigError.diagnostics` has; `config` does not know this package, nor this it."""

    @property
    def place(self) -> Place: ...
    @property
    def severity(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def hint(self) -> str: ...


def error_document(error: ReconcilerError, *, version: str) -> FailureJson:
    """Return what `-o json` prints on failure: `errored` is true and `error` has code, message and next step."""
    details: ErrorJson = {"code": error.code, "message": error.message, "hint": error.hint}
    if isinstance(error, ApiError):
        details["system"] = error.system
        details["request"] = error.request
    if isinstance(error, ConfigError):
        details["diagnostics"] = [
            {
                "file": diagnostic.place.file,
                "line": diagnostic.place.line,
                "column": diagnostic.place.column,
                "severity": "warning" if str(diagnostic.severity) == "warning" else "error",
                "message": diagnostic.message,
                "hint": diagnostic.hint,
            }
            for diagnostic in error.diagnostics
            if isinstance(diagnostic, _Diagnostic)
        ]
    document: FailureJson = {
        "format_version": FORMAT_VERSION,
        "reconciler_version": version,
        "applyable": False,
        "complete": False,
        "errored": True,
        "error": details,
    }
    if error.needs:
        document["needs"] = needs_json(error.needs)
    return document
