"""How past runs ended, and whether they looked at everything."""

from __future__ import annotations

from enum import StrEnum

from reconciler.errors import ExitCode
from reconciler.state.base import RunVerdict
from reconciler.state.history import PastRun


class RunEnding(StrEnum):
    """How a run ended, in one word."""

    GOOD = "good"
    HELD = "held"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    INTERRUPTED = "interrupted"
    DECISION = "decision"


_ENDINGS: dict[int, RunEnding] = {
    ExitCode.DONE: RunEnding.GOOD,
    ExitCode.HELD: RunEnding.HELD,
    ExitCode.INCOMPLETE: RunEnding.INCOMPLETE,
    ExitCode.INTERRUPTED: RunEnding.INTERRUPTED,
}
_LOOKED = frozenset({RunEnding.GOOD, RunEnding.HELD, RunEnding.INCOMPLETE})


def ending_of(verdict: RunVerdict) -> RunEnding:
    """The word for a run's exit code; a person's decision about a binding is none of the others."""
    return RunEnding.DECISION if verdict.decision else _ENDINGS.get(verdict.exit_code, RunEnding.FAILED)


def is_partial(run: PastRun) -> bool:
    """True for a run that --only or --exclude kept to some of the mappings."""
    return any(word.split("=")[0] in ("--only", "--exclude") for word in run.info.command.split())


def is_whole(run: PastRun) -> bool:
    """True for a run over all mappings whose reads were complete: what it does not mention was in step.

    Of a run that was cut off nobody knows what it found.
    """
    return ending_of(run.verdict) in _LOOKED and not is_partial(run) and not run.verdict.recovered_by
