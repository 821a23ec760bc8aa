"""What people read in a comment, an issue or a job summary: one lead sentence, then the plan's own drawing.

Written to be read aloud to somebody who knows billing and neither git nor this program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconciler.forge.result import Result, Told, Verdict
from reconciler.planning.changes import Outcome
from reconciler.render.document import Kind, View, pending_writes, plural, users_after_apply, view
from reconciler.render.markdown import render_markdown
from reconciler.render.text import markdown_safe

COMMENT_LIMIT = 65_000
"""Characters; GitHub takes 65,536 in a comment and in an issue."""

SUMMARY_LIMIT = 250_000
"""Characters; GitHub takes 1 MiB for a step's summary, and a character has at most four bytes."""

_PROSE = 2_000
_PROBLEMS = 50


class Occasion(StrEnum):
    """What the text is about."""

    PREVIEW = "preview"
    OFFLINE = "offline"
    APPLIED = "applied"
    NIGHT = "night"


_HEADING = {
    Occasion.PREVIEW: "## What this edit would do to billing",
    Occasion.OFFLINE: "## What this edit would do to billing, by the last recorded numbers",
    Occasion.APPLIED: "## What was changed in HaloPSA",
    Occasion.NIGHT: "## Last night's reconciliation",
}
_LEAD = {
    Occasion.PREVIEW: "This is a preview: nothing has been written to HaloPSA.",
    Occasion.OFFLINE: (
        "This is a preview, made without access to INFIMA or HaloPSA from the numbers that were read last: nothing has "
        "been written to HaloPSA."
    ),
    Occasion.APPLIED: "mappings.yaml was edited, and HaloPSA was brought in line with it.",
    Occasion.NIGHT: "Every night the quantities in HaloPSA are set to INFIMA's active users.",
}
_FAILED_LEAD = {
    Occasion.PREVIEW: "No preview could be made. Nothing has been written to HaloPSA.",
    Occasion.OFFLINE: "No preview could be made. Nothing has been written to HaloPSA.",
    Occasion.APPLIED: "The edit was not carried out. The next run reads both systems afresh and does what is missing.",
    Occasion.NIGHT: "The night was not carried out. The next run reads both systems afresh and does what is missing.",
}

RELEASE = (
    "**To let a held change through without a terminal:** open Actions, then Apply, then Run workflow; write what "
    "stands behind each `--allow` above into the field *allow*, and why into *reason*."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a text comes from: the CI run's address (may be empty) and the moment, aware."""

    run_url: str
    now: datetime


def origin(environ: Mapping[str, str], now: datetime) -> Origin:
    """The origin of texts made by this job."""
    server, repository, run = (environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    known = server and repository and run.isdecimal()
    return Origin(run_url=f"{server}/{repository}/actions/runs/{run}" if known else "", now=now)


def body(result: Result, occasion: Occasion, where: Origin, *, limit: int = COMMENT_LIMIT) -> str:
    """The whole text in at most `limit` characters; what was left out is said, and where it can be read."""
    if result.document is None:
        lead = _FAILED_LEAD[occasion]
    else:
        lead = f"{_LEAD[occasion]} {in_plain_words(view(result.document))}"
    parts = [_HEADING[occasion], lead]
    bottom = _bottom(where)
    release = [RELEASE] if result.document is not None and occasion in _AFTER and _is_stopped(result) else []
    room = limit - sum(len(part) + 2 for part in (*parts, *release, bottom))
    if result.document is not None:
        parts += [render_markdown(result.document, limit=room).rstrip(), *release]
    elif result.error is not None:
        parts.append(_error(result.error))
    return fitted("\n\n".join(parts), bottom, limit)


_AFTER = {Occasion.APPLIED, Occasion.NIGHT}


def _is_stopped(result: Result) -> bool:
    return result.verdict in {Verdict.HELD, Verdict.REFUSED}


def in_plain_words(shown: View) -> str:
    """What it comes to, for somebody who hears it read aloud."""
    if shown.refusals:
        return "A safety rule stops the whole run, and nothing is written until a person has decided."
    held = len(shown.of_kind(Kind.HELD))
    waiting = [f"{_number(held, 'Subscription')} {'waits' if held == 1 else 'wait'} for a person"] if held else []
    if shown.applied:
        done = shown.with_outcome(Outcome.APPLIED)
        before, after = users_after_apply(shown.rows)
        told = [f"{_number(len(done), 'quantity')} {'was' if len(done) == 1 else 'were'} set"] if done else []
        told += waiting
        return f"{_listed(told) or 'Everything was right already'}. {_billed(before, after, 'are')}"
    pending = pending_writes(shown)
    here = [row for row in pending if row.caused_by_edit]
    anyway = len(pending) - len(here)
    # without --against nobody knows which change is the edit's doing, unless there is none
    doing = "Merging the edit" if shown.compares_edit or not pending else "A run"
    told = [f"{doing} changes {_number(len(here), 'quantity') if here else 'no quantity'}"]
    told += [f"{_number(anyway, 'quantity')} would change tonight with or without it"] if anyway else []
    summary = shown.document["summary"]
    return f"{_listed(told + waiting)}. {_billed(summary['users_before'], summary['users_after'], 'would be')}"


def _billed(before: int, after: int, verb: str) -> str:
    if before == after:
        return f"{_number(after, 'user')} {'is' if after == 1 else 'are'} billed, as before."
    return f"{_number(after, 'user')} {verb} billed, {abs(after - before)} {'more' if after > before else 'fewer'}."


def _number(count: int, noun: str) -> str:
    return plural(count, noun).replace("quantitys", "quantities")


def _listed(parts: list[str]) -> str:
    """The parts as one sentence, the last joined by "and"."""
    text = ", and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))
    return text[:1].upper() + text[1:]


def _error(error: Told) -> str:
    lines = [f"**{markdown_safe(' '.join(error.message.split()), _PROSE)}**"]
    lines += [f"- {markdown_safe(problem, _PROSE)}" for problem in error.problems[:_PROBLEMS]]
    if len(error.problems) > _PROBLEMS:
        lines.append(f"- and {len(error.problems) - _PROBLEMS} more")
    if error.hint:
        lines += ["", f"To do: {markdown_safe(error.hint, _PROSE)}"]
    return "\n".join([lines[0], "", *lines[1:]]).rstrip()


def _bottom(where: Origin) -> str:
    written = f"Written {where.now:%Y-%m-%d %H:%M} UTC"
    return f"<sub>{written} by [this run]({where.run_url}).</sub>" if where.run_url else f"<sub>{written}.</sub>"


def fitted(text: str, bottom: str, limit: int) -> str:
    """The text with `bottom` under it, cut between two lines where it is longer than `limit` characters."""
    whole = f"{text}\n\n{bottom}\n"
    if len(whole) <= limit:
        return whole
    note = "**The rest does not fit here. The run's artifacts hold all of it.**"
    room = limit - len(note) - len(bottom) - 8
    kept = text[: max(room, 0)].rpartition("\n")[0]
    closing = "\n</details>" if kept.count("<details>") > kept.count("</details>") else ""
    room -= len(closing)
    kept = text[: max(room, 0)].rpartition("\n")[0]
    return f"{kept}{closing}\n\n{note}\n\n{bottom}\n"
