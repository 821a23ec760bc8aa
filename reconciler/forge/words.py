"""What people read in a comment, an issue or a job summary: one lead sentence, then the plan's own drawing.

Written to be read aloud to somebody who knows billing and neither git nor this program.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from urllib.parse import quote

from reconciler.answers.words import capital, due_words, plural
from reconciler.forge.result import LOOKS_AGAIN, Reason, Result, Told, Verdict
from reconciler.moments import spelled
from reconciler.planning.changes import Outcome
from reconciler.planning.outcomes import Ending
from reconciler.render.document import Kind, View, view
from reconciler.render.markdown import markdown_needs, render_markdown
from reconciler.render.text import markdown_safe
from reconciler.render.words import in_all, users_after_run

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
}
_PREVIEW_FAILED = "No preview could be made. Nothing has been written to HaloPSA."
_NOTHING_SENT = "Nothing was sent to HaloPSA. The next run reads both systems afresh and does what is missing."
_FAILED_LEAD = {
    Occasion.PREVIEW: _PREVIEW_FAILED,
    Occasion.OFFLINE: _PREVIEW_FAILED,
    Occasion.APPLIED: f"The edit was not carried out. {_NOTHING_SENT}",
    Occasion.NIGHT: f"The night was not carried out. {_NOTHING_SENT}",
}
_NO_RESULT_LEAD = {
    Occasion.APPLIED: f"How far the run for this edit came is not known. {LOOKS_AGAIN}",
    Occasion.NIGHT: f"How far the nightly run came is not known. {LOOKS_AGAIN}",
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
    return Origin(run_url=_on_github(environ) or _on_azure(environ) or environ.get("CI_JOB_URL", ""), now=now)


def _on_github(environ: Mapping[str, str]) -> str:
    server, repository, run = (environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run.isdecimal() else ""


def _on_azure(environ: Mapping[str, str]) -> str:
    organisation, project, build = (
        environ.get(name, "") for name in ("SYSTEM_COLLECTIONURI", "SYSTEM_TEAMPROJECT", "BUILD_BUILDID")
    )
    known = organisation and project and build.isdecimal()
    return f"{organisation.rstrip('/')}/{quote(project)}/_build/results?buildId={build}" if known else ""


def body(result: Result, occasion: Occasion, where: Origin, *, limit: int = COMMENT_LIMIT) -> str:
    """The whole text in at most `limit` characters; what was left out is said, and where it can be read."""
    parts = [_HEADING[occasion], f"{lead(result, occasion)} {_waiting(result, where.now.date())}"]
    bottom = written_by(where)
    stopped = occasion in {Occasion.APPLIED, Occasion.NIGHT} and result.verdict in {Verdict.HELD, Verdict.REFUSED}
    release = [RELEASE] if result.document is not None and stopped else []
    room = limit - sum(len(part) + 2 for part in (*parts, *release, bottom))
    if result.document is not None:
        parts += [render_markdown(result.document, limit=room).rstrip(), *release]
    elif result.error is not None:
        parts.append(_error(result.error))
        if result.needs:
            items = markdown_needs(result.needs, where.now.date())
            parts.append("\n".join(["**What waits for a person:**", "", *items]))
    return fitted("\n\n".join(parts), bottom, limit)


def lead(result: Result, occasion: Occasion) -> str:
    """What came of it, in one or two sentences without a name."""
    if result.document is not None:
        shown = view(result.document)
        if shown.applied:
            return after_a_run(shown, occasion)
        return f"{_LEAD.get(occasion, '')} {in_plain_words(shown)}".strip()
    if result.reason is Reason.NO_RESULT:
        return _NO_RESULT_LEAD.get(occasion, _FAILED_LEAD[occasion])
    return _FAILED_LEAD[occasion]


def _waiting(result: Result, today: date) -> str:
    """How many things wait for a person, and before which invoice the first of them is due."""
    if not result.attention:
        return "Nothing that was looked at waits for a person."
    days = [need["next_invoice"] for need in result.needs if need["next_invoice"]]
    due = due_words(date.fromisoformat(min(days)), today) if days else ""
    told = f"{'' if result.needs else 'at least '}{in_all(result.attention)}"
    return f"{capital(told)}{f', the first {due}' if due else ''}."


def after_a_run(shown: View, occasion: Occasion) -> str:
    """What a run came to, for somebody who hears it read aloud. What is not well comes first.

    "Right already" and "brought in line" are said only of a run in which every row is so and was seen to be.
    """
    ends, run = shown.endings, shown.document.get("run")
    told, done = [], _done(ends)
    if run is not None and "record_missing" in run:
        told.append("The record of this run could not be stored: this text is all there is of it.")
    if shown.refusals:
        told.append("A safety rule stops the whole run, and nothing is written until a person has decided.")
        if not any(end.sent for end in ends):
            return " ".join(told)
    elif amiss := _amiss(ends):
        told.append(f"{_listed(amiss)}.")
    elif run is not None and run["exit_code"]:
        told.append("The run did not come to its end.")
    if not told:
        told.append(_all_well(shown, occasion, changed=bool(done)))
    if done:
        told.append(f"{_listed(done)}.")
    elif any(end.outcome in {Outcome.FAILED, None} for end in ends) and not any(end.sent for end in ends):
        told.append("Nothing was sent to HaloPSA.")
    return " ".join([*told, _come_to(shown)])


def _amiss(ends: Sequence[Ending]) -> list[str]:
    """What did not end as planned, the worst first."""
    tally = Counter("not attempted" if end.not_attempted else end.outcome for end in ends)
    order = ("not attempted", Outcome.FAILED, Outcome.UNKNOWN, Outcome.STALE, Outcome.HELD)
    waiting, failed, unknown, stale, held = map(tally.__getitem__, order)
    told = (
        (failed, f"{plural(failed, 'change')} failed"),
        (waiting, f"{plural(waiting, 'change')} {_was(waiting)} not attempted"),
        (unknown, f"the outcome of {plural(unknown, 'change')} is not known"),
        (stale, f"{plural(stale, 'Subscription')} no longer matched the plan and {_was(stale)} left alone"),
        (held, f"{plural(held, 'Subscription')} {'is' if held == 1 else 'are'} held"),
    )
    return [words for number, words in told if number]


def _done(ends: Sequence[Ending]) -> list[str]:
    """What HaloPSA shows of the run's work."""
    created, written = sum(end.created for end in ends), sum(end.written for end in ends)
    told = [f"{plural(created, 'Subscription')} {_was(created)} created"] if created else []
    return [*told, f"{plural(written, 'quantity')} {_was(written)} set"] if written else told


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def _all_well(shown: View, occasion: Occasion, *, changed: bool) -> str:
    if not changed:
        what = "All that was selected" if shown.selected else "Everything"
        return f"{what} was right already."
    if shown.selected:
        return "This run was about selected mappings only."
    if occasion is Occasion.APPLIED:
        return "mappings.yaml was edited, and HaloPSA was brought in line with it."
    return "Every night the quantities in HaloPSA are set to INFIMA's active users."


def _come_to(shown: View) -> str:
    """What all quantities come to, as the run saw them last."""
    before, after, unknown = users_after_run(shown)
    all_of_them = "The selected quantities come" if shown.selected else "The quantities in HaloPSA come"
    doubt = f"; of these {plural(unknown, 'quantity')} could not be seen again" if unknown else ""
    return f"{all_of_them} to {plural(after, 'user')}, {_moved(before, after)}{doubt}."


def _moved(before: int, after: int) -> str:
    return f"{abs(after - before)} {'more' if after > before else 'fewer'}" if after != before else "as before"


def in_plain_words(shown: View) -> str:
    """What a plan comes to, for somebody who hears it read aloud."""
    if shown.refusals:
        return "A safety rule stops the whole run, and nothing is written until a person has decided."
    held = len(shown.of_kind(Kind.HELD))
    waiting = [f"{plural(held, 'Subscription')} {'is' if held == 1 else 'are'} held"] if held else []
    here, anyway = shown.writes_by_cause
    # without --against nobody knows which change is the edit's doing, unless there is none
    doing = "Merging the edit" if shown.compares_edit or not (here or anyway) else "A run"
    told = [f"{doing} changes {plural(len(here), 'quantity') if here else 'no quantity'}"]
    told += [f"{plural(len(anyway), 'quantity')} would change tonight with or without it"] if anyway else []
    before, after = shown.document["summary"]["users_before"], shown.document["summary"]["users_after"]
    come_to = f"The quantities would come to {plural(after, 'user')}, {_moved(before, after)}."
    return f"{_listed(told + waiting)}. {come_to}"


def _listed(parts: list[str]) -> str:
    """The parts as one sentence, the last joined by "and"."""
    return capital(", and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:]))))


def _error(error: Told) -> str:
    lines = [f"**{markdown_safe(' '.join(error.message.split()), _PROSE)}**"]
    lines += [f"- {markdown_safe(problem, _PROSE)}" for problem in error.problems[:_PROBLEMS]]
    if len(error.problems) > _PROBLEMS:
        lines.append(f"- and {len(error.problems) - _PROBLEMS} more")
    if error.hint:
        lines += ["", f"To do: {markdown_safe(error.hint, _PROSE)}"]
    return "\n".join([lines[0], "", *lines[1:]]).rstrip()


def written_by(where: Origin) -> str:
    """When a text was written, and by which CI run."""
    written = f"Written {spelled(where.now, where.now.tzinfo)}"
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
