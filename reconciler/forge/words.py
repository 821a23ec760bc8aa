"""What people read in a comment, an issue or a job summary: one lead sentence, then the plan's own drawing.

Written to be read aloud to somebody who knows billing and neither git nor this program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconciler.forge.result import Result, Told
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
    Occasion.PREVIEW: "This is a preview. Nothing has been written to HaloPSA; merging this pull request does that.",
    Occasion.OFFLINE: (
        "This is a preview made without access to INFIMA or HaloPSA, from the numbers that the last run kept. "
        "Nothing has been written to HaloPSA."
    ),
    Occasion.APPLIED: "mappings.yaml was edited, and HaloPSA was brought in line with it.",
    Occasion.NIGHT: "Every night the quantities in HaloPSA are set to INFIMA's active users.",
}
_FAILED_LEAD = {
    Occasion.PREVIEW: "No preview could be made. Nothing has been written to HaloPSA.",
    Occasion.OFFLINE: "No preview could be made. Nothing has been written to HaloPSA.",
    Occasion.APPLIED: "The edit could not be carried out.",
    Occasion.NIGHT: "The nightly run could not be carried out.",
}


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
    failed = result.document is None
    parts = [_HEADING[occasion], (_FAILED_LEAD if failed else _LEAD)[occasion]]
    bottom = _bottom(where)
    room = limit - sum(len(part) + 2 for part in (*parts, bottom))
    if result.document is not None:
        parts.append(render_markdown(result.document, limit=room).rstrip())
    elif result.error is not None:
        parts.append(_error(result.error))
    return fitted("\n\n".join(parts), bottom, limit)


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
