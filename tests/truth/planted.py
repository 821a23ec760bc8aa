"""False sentences put back in, each as it was once said: the oracles of this directory have to find every one.

A plant is a name and the exchanges that say it: (object, attribute, what stands there instead).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from reconciler import run
from reconciler.cli import apply as cli_apply
from reconciler.errors import ExitCode
from reconciler.forge import result, words
from reconciler.plan_document import write
from reconciler.planning.changes import Outcome
from reconciler.planning.outcomes import Ending
from reconciler.render import document, markdown, terminal
from reconciler.state.recording import RecordedRun
from reconciler.writing import session, verdict
from reconciler.writing.session import WriteSession

Exchange = tuple[Any, str, Any]


def _property(get: Callable[[Any], Any]) -> property:
    return property(get)


def _old_sentence(endings: Sequence[Ending], *, refused_by: Sequence[str] = (), halted: bool = False) -> str:
    applied = [e for e in endings if e.outcome is Outcome.APPLIED]
    created = sum(e.creates for e in applied)
    return f"Apply incomplete: {created} created, {len(applied) - created} updated."


def _told_without(name: str) -> Callable[[WriteSession, Any], Any]:
    real = WriteSession.told

    def told(self: WriteSession, key: Any) -> Any:
        return replace(real(self, key), **{name: None if name == "live_count" else False})

    return told


def _stale_listing(self: WriteSession, key: Any) -> Any:
    """What the plan's listing showed instead of the last one."""
    settled = self.outcomes[key]
    frame = self.frames.get(settled.subscription_id) if settled.subscription_id else None
    real = _REAL_TOLD(self, key)
    return replace(real, live_count=frame.count) if frame is not None else real


_REAL_TOLD = WriteSession.told
_REAL_BODY = words.after_a_run
_REAL_SETTLED = write._settled


def _without_record(self: RecordedRun, cut: Any, verdict_: Any) -> None:
    """A run that was cut off is forgotten."""


def _wanted_as_after(change: Any, *more: Any) -> Any:
    return replace(_REAL_LINE(change, *more), after=change.after.count)


_REAL_LINE = verdict._history_line


def _always_zero(*_: Any, **__: Any) -> ExitCode:
    return ExitCode.DONE


def _recovered_as_wanted(*arguments: Any, **more: Any) -> Any:
    made = _REAL_RECOVERED(*arguments, **more)
    return replace(made, changes=tuple(replace(c, after=c.wanted, sent=True) for c in made.changes))


def _recovered_as_before(*arguments: Any, **more: Any) -> Any:
    made = _REAL_RECOVERED(*arguments, **more)
    return replace(made, changes=tuple(replace(c, after=c.before, sent=False) for c in made.changes))


_REAL_RECOVERED = verdict.recovered


def _unsettled_as_failed(row: Any, change: Any, settled: Any) -> Any:
    told = _REAL_SETTLED(row, change, settled)
    told.pop("sent", None)
    return told


def _no_count(row: Any, change: Any, settled: Any) -> Any:
    told = _REAL_SETTLED(row, change, settled)
    if "outcome_count" in told:
        told["outcome_count"] = change.after.count or 0
    return told


def _raise_after(self: Any, *_: Any, **__: Any) -> None:
    raise run.StateError("the state takes nothing")


def _ending(**facts: Any) -> Callable[..., Ending]:
    real = document._ending

    def ending(*arguments: Any) -> Ending:
        return replace(real(*arguments), **facts)

    return ending


def _sent(get: Callable[[Ending], Any], name: str) -> list[Exchange]:
    return [(Ending, name, _property(get))]


PLANTS: Mapping[str, list[Exchange]] = {
    "Everything was right already, after failed writes": [
        (words, "_amiss", lambda _ends: []),
        (words, "_done", lambda _ends: []),
    ],
    "brought in line, after failed writes": [
        (
            words,
            "after_a_run",
            lambda _shown, _occasion: "The file was edited, and HaloPSA was brought in line with it.",
        )
    ],
    "what failed comes after what went well": [
        (words, "after_a_run", lambda shown, occasion: "Every night. " + _REAL_BODY(shown, occasion))
    ],
    "failed, not written, of a quantity that was written": _sent(lambda _e: "not written", "details"),
    "nothing was sent, of a request that left": _sent(lambda _e: "nothing was sent", "details"),
    "after is what was wanted": _sent(lambda e: e.wanted, "after"),
    "after is what stood before": _sent(lambda e: e.before or 0, "after"),
    "0 created, where a Subscription was made": [(verdict, "verdict_sentence", _old_sentence)],
    "updated, of a quantity that failed": [(Ending, "written", _property(lambda e: e.sent and not e.creates))],
    "created, of a create that was refused": [(Ending, "created", _property(lambda e: e.creates and e.sent))],
    "not attempted, of a Subscription that exists at 0": [
        (Ending, "not_attempted", _property(lambda e: e.outcome is Outcome.FAILED)),
    ],
    "sent is not told": [(write, "_settled", _unsettled_as_failed)],
    "outcome_count is what was wanted": [(write, "_settled", _no_count)],
    "what the last listing shows is what the first showed": [(WriteSession, "told", _stale_listing)],
    "complete, though something failed": [
        (verdict, "verdict_sentence", lambda _endings, **_: "Apply complete! 0 created, 0 updated, 0 unchanged.")
    ],
    "exit 0, though something failed": [(verdict, "exit_code", _always_zero)],
    "a night without a result was not carried out": [
        (words, "_NO_RESULT_LEAD", {}),
    ],
    "an error instead of outcomes when the record is refused": [(run, "_record_verdict", _raise_after)],
    "what a killed run wrote is in no history": [(RecordedRun, "record_cut_off", _without_record)],
    "a killed run wrote all it wanted": [(run, "recovered", _recovered_as_wanted)],
    "a killed run wrote nothing": [(run, "recovered", _recovered_as_before)],
    "the history's after is what was wanted": [(verdict, "_history_line", _wanted_as_after)],
    "a verdict of clean, though something failed": [
        (result, "_judged", lambda *_: (result.Verdict.CLEAN, result.Reason.NONE)),
    ],
    "what is not well is left out of a drawing": [(terminal, "_outcomes", lambda *_, **__: [])],
    "what was tried is left out of the summary": [(markdown, "_tried", lambda _shown: iter(()))],
    "an outcome is applied though HaloPSA shows another number": [
        (session, "Settled", lambda **facts: _REAL_SETTLED_CLASS(**(facts | {"outcome": Outcome.APPLIED}))),
    ],
    "no JSON when something failed": [
        (cli_apply, "with_outcomes", lambda *_, **__: {}),
        (cli_apply, "draw_plan", lambda *_: ""),
    ],
}
"""At least twenty; the first of each group is one that was really said."""

_REAL_SETTLED_CLASS = session.Settled


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Let the program say that false sentence."""
    with ExitStack() as stack:
        for target, attribute, instead in PLANTS[name]:
            stack.enter_context(patch.object(target, attribute, instead))
        yield
