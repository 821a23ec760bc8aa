"""What is known of a change after a run, and the words for it: every drawing, the verdict and the history use these.

The words follow from two facts that the writing keeps: whether a request for the change left this machine, and what
the last listing of HaloPSA shows. "Not written" is said only where no request left, or where a listing that was read
after the request shows the old quantity (FAULTS T2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from reconciler.moments import spelled
from reconciler.planning.changes import Action, Change, Outcome, Settled
from reconciler.state.recorded import OpenRun

NOT_ATTEMPTED = "not attempted"
"""The message of a change for which nothing was sent; why the run ended is said once, for the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How one change ended. `outcome` is None where a run says nothing of a change that it should have told.

    `sent` is true once a request for it left; `checked` when a listing was read after the last of them. `shown` is
    the quantity in the last listing, None where it is not known; `wanted` is what the plan asked for. `exists` says
    that its Subscription is known.
    """

    outcome: Outcome | None
    creates: bool
    sent: bool
    checked: bool
    exists: bool
    before: int | None
    wanted: int | None
    shown: int | None

    @property
    def created(self) -> bool:
        """True when this run made the Subscription, whatever became of its quantity."""
        return self.creates and self.exists and (self.sent or self.outcome is Outcome.APPLIED)

    @property
    def written(self) -> bool:
        """True when this run sent the quantity of an existing Subscription and HaloPSA shows it."""
        if self.creates or self.outcome is Outcome.UNCHANGED:
            return False
        return self.outcome is Outcome.APPLIED or (self.sent and self.shown is not None and self.shown == self.wanted)

    @property
    def not_attempted(self) -> bool:
        """True for a change that the run did not come to: it failed, and nothing was sent for it."""
        return self.outcome is None or (self.outcome is Outcome.FAILED and not self.sent)

    @property
    def after(self) -> int | None:
        """The quantity that HaloPSA shows after the run, None where nobody knows; never what was wanted."""
        if self.shown is not None:
            return self.shown
        if self.outcome is Outcome.APPLIED:
            return self.wanted
        not_made = self.creates and not self.exists and self.checked and self.outcome is Outcome.FAILED
        if self.sent and not not_made:
            return None
        return self.before if not self.creates else 0

    @property
    def word(self) -> str:
        """The one word for it: created, updated, unchanged, held, stale, failed, unknown, or not attempted."""
        if self.outcome is Outcome.APPLIED:
            return "created" if self.creates else "updated"
        return "not attempted" if self.not_attempted else str(self.outcome)

    @property
    def told(self) -> str:
        """The word, and what is known of the writing: "failed: nothing was sent"."""
        return ": ".join(filter(None, (self.word, self.details)))

    @property
    def details(self) -> str:
        """What is known of the writing, where the word alone would leave it open; empty where all is said."""
        match self.outcome:
            case Outcome.APPLIED | Outcome.UNCHANGED:
                return ""
            case Outcome.HELD if not self.sent:
                return "not written"
            case _ if not self.sent:
                base = "nothing was sent" if self.not_attempted else "not written"
                return base if self.wanted is None else f"{base}; {self.wanted} was wanted"
            case _ if self.creates:
                return self._after_create()
            case _:
                return self._after_update()

    def _after_create(self) -> str:
        if self.exists:
            shown = "with a quantity that is not known" if self.shown is None else f"with quantity {self.shown}"
            return f"created {shown}" if self.shown == self.wanted else f"created {shown}; {self.wanted} was wanted"
        if not self.checked:
            return "a create was sent; HaloPSA could not be looked at afterwards"
        return "a create was sent; HaloPSA shows no new Subscription"

    def _after_update(self) -> str:
        if self.shown is None:
            listed = "does not list it any more" if self.checked else "could not be looked at afterwards"
            return f"{self.wanted} was sent; HaloPSA {listed}"
        if self.shown == self.wanted:
            return f"written: HaloPSA shows {self.shown}"
        if self.shown == self.before and self.outcome is Outcome.FAILED:
            return f"not written: HaloPSA still shows {self.shown}; {self.wanted} was wanted"
        return f"{self.wanted} was sent; HaloPSA shows {self.shown}"


def ending_of(change: Change, settled: Settled) -> Ending:
    """What is known of a change after the run."""
    return Ending(
        outcome=settled.outcome,
        creates=change.action is Action.CREATE,
        sent=settled.sent,
        checked=settled.checked,
        exists=settled.subscription_id is not None,
        before=change.live_quantity,
        wanted=change.after.count,
        shown=settled.live_count,
    )


def open_run_in_words(run: OpenRun, zone: tzinfo | None) -> str:
    """What is known of a run that began to write and whose end is not recorded."""
    return (
        f"run {run.run} of {spelled(run.since, zone)} began to write and has not ended: it is under way or was cut "
        "off, and how far it came is not known. The next apply looks and takes what it wrote into the history"
    )


def verdict_sentence(endings: Sequence[Ending], *, refused_by: Sequence[str] = (), halted: bool = False) -> str:
    """How a run ended, in one line. What is not well comes first; "complete" is said only when all of it is well."""
    sent = any(ending.sent or ending.outcome is Outcome.APPLIED for ending in endings)
    if refused_by and not sent:
        return f"Apply refused by {', '.join(refused_by)}. Nothing was written."
    amiss = _amiss(endings)
    done = _done(endings, every=not (amiss or halted))
    if not amiss and not halted:
        return f"Apply complete! {', '.join(done)}."
    unsettled = halted or any(e.outcome in {Outcome.FAILED, Outcome.UNKNOWN, None} for e in endings)
    opening = "Apply incomplete" if unsettled else "Apply finished, but not all was written"
    told = "; ".join(filter(None, [", ".join(amiss), ", ".join(done)]))
    nothing = "" if sent or not unsettled else " Nothing was sent to HaloPSA."
    return f"{opening}: {told}.{nothing}" if told else f"{opening}.{nothing}"


def _amiss(endings: Sequence[Ending]) -> list[str]:
    """What needs a look, the worst first; each row is in one of these at most."""
    told = []
    for outcome in (Outcome.FAILED, Outcome.UNKNOWN, Outcome.STALE, Outcome.HELD):
        here = [e for e in endings if e.outcome is outcome]
        if here:
            waiting = sum(e.not_attempted for e in here)
            apart = f" ({waiting} of them not attempted)" if 0 < waiting < len(here) else ""
            told.append(f"{len(here)} {outcome}{apart}" if waiting < len(here) else f"{len(here)} not attempted")
    untold = sum(e.outcome is None for e in endings)
    return [*told, f"{untold} not told of"] if untold else told


def _done(endings: Sequence[Ending], *, every: bool) -> list[str]:
    """What HaloPSA shows of this run's work; `every` names what there is none of, too."""
    told = []
    kinds = (
        ("created", [e for e in endings if e.created]),
        ("updated", [e for e in endings if e.written]),
        ("unchanged", [e for e in endings if e.outcome is Outcome.UNCHANGED]),
    )
    for word, here in kinds:
        twice = sum(e.outcome in {Outcome.FAILED, Outcome.UNKNOWN, Outcome.STALE} for e in here)
        also = f" ({twice} of these did not end well)" if twice else ""
        if here or every:
            told.append(f"{len(here)} {word}{also}")
    return told


def users(endings: Iterable[Ending]) -> tuple[int, int, int]:
    """Users before and after the run, and the number of changes whose quantity nobody knows now.

    Those are counted with the last quantity that was seen.
    """
    before = after = unknown = 0
    for ending in endings:
        last = ending.before or 0
        before += last
        unknown += ending.after is None and ending.sent
        after += last if ending.after is None else ending.after
    return before, after, unknown
