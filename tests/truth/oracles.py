"""What was said, held against what the world knows. Nothing here uses the program's own words for outcomes.

An oracle is a function from a history and one of its nights to the sentences that are false; `AT_THE_END` are asked
once, when the history is over. Each false sentence names its drawing and the oracle.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import chain

from tests.truth.nights import History, Night

Oracle = Callable[[History, Night], Iterator[str]]
AfterAll = Callable[[History], Iterator[str]]

OUTCOME_DRAWINGS = ("terminal", "terminal -v", "terminal once", "markdown", "summary", "applied")
"""Drawings with a row for each mapping: "before -> after", or a table."""


# ---- T1: every POST is told -----------------------------------------------------------------------------------------


def every_post_is_told(_: History, night: Night) -> Iterator[str]:
    """A mapping that a request was about is named in the JSON with `sent`; an error document is never behind a POST."""
    if night.answer.killed:
        return
    if not night.rows and night.posts:
        yield f"json: {len(night.posts)} requests wrote, and the JSON tells of none"
    for key in night.touched:
        row = night.rows.get(key)
        if night.rows and (row is None or row.get("sent") is not True):
            yield f"json: a request for {key} left, and the JSON does not say so: {row and row.get('outcome')}"


def every_post_is_in_every_drawing(_: History, night: Night) -> Iterator[str]:
    """Each drawing names the mappings that a request was about."""
    for name in OUTCOME_DRAWINGS:
        text = night.texts.get(name)
        for key in night.touched if text is not None and night.rows else ():
            if key not in (text or ""):
                yield f"{name}: {key} is not named, and a request for it left"


# ---- T2: no false "not written", and after is what HaloPSA shows ----------------------------------------------------


def json_rows_are_true(_: History, night: Night) -> Iterator[str]:
    """Outcome, sent and outcome_count of each row."""
    for key, row in night.rows.items():
        outcome, live, before = row.get("outcome"), night.after[key], night.before[key]
        wanted = (row["change"]["after"] or {}).get("count")
        if outcome == "applied" and live != wanted:
            yield f"json: {key} is applied to {wanted}, HaloPSA has {live}"
        if outcome in {"unchanged", "held"} and (live != before or key in night.touched):
            yield f"json: {key} is {outcome}, HaloPSA had {before} and has {live}"
        if outcome in {"failed", "stale"} and not row.get("sent") and key in night.touched:
            yield f"json: {key} is {outcome} and not sent, but a request left"
        if "outcome_count" in row and row["outcome_count"] != live:
            yield f"json: outcome_count of {key} is {row['outcome_count']}, HaloPSA has {live}"


_ROW = re.compile(r"(?P<key>infima-\d+).*?\s(?P<before>\d+|\?) ->\s+(?P<after>\d+|\?)\s+\(")
_CELLS = re.compile(
    r"^\| (?P<action>[^|]*) \| `(?P<key>infima-\d+)` \|[^|]*\| (?P<before>[^|]*) \| (?P<after>[^|]*) \|"
)


def rows_of(night: Night, name: str) -> Iterator[tuple[str, str, str, str]]:
    """(key, before, after, the whole line) of every row in a drawing."""
    for line in night.texts.get(name, "").splitlines():
        found = _ROW.search(line) if name.startswith("terminal") else _CELLS.search(line)
        if found:
            yield found["key"], found["before"].strip(), found["after"].strip(), line


def after_is_what_halopsa_shows(_: History, night: Night) -> Iterator[str]:
    """The number behind the arrow, in every drawing; a question mark only where a request left."""
    for name in OUTCOME_DRAWINGS:
        for key, _before, after, line in rows_of(night, name):
            live = night.after[key]
            if after == "?" and key in night.touched:
                continue
            if after != str(live or 0):
                yield f"{name}: after is {after}, HaloPSA has {live}: {line.strip()}"


def not_written_is_true(_: History, night: Night) -> Iterator[str]:
    """ "not written" of a row whose quantity stayed; "nothing was sent" of one without a request."""
    for name in OUTCOME_DRAWINGS:
        for key, _before, _after, line in rows_of(night, name):
            moved = any(night.ids.get(m.object_id) == key for m in night.mutations)
            if re.search(r"not written|not carried out|no change", line) and moved:
                yield f"{name}: said to be not written: {line.strip()}"
            if re.search(r"nothing was sent|not attempted|not tried", line) and key in night.touched:
                yield f"{name}: said to be not sent: {line.strip()}"


# ---- sentences about the whole run ----------------------------------------------------------------------------------


def sentences_are_true(_: History, night: Night) -> Iterator[str]:
    """Each sentence about the whole run, in every drawing, wherever it stands."""
    for name, text in night.texts.items():
        if name == "stdout" and night.document is None:
            continue
        for pattern, holds in _CLAIMS:
            for found in re.finditer(pattern, text, re.IGNORECASE):
                if not holds(night, found):
                    yield f"{name}: {found[0]!r} is not so"


def _quiet(night: Night, _found: re.Match[str]) -> bool:
    return not night.posts


def _all_right(night: Night, _found: re.Match[str]) -> bool:
    return not night.partial and all(night.after[key] == night.counts[key] for key in night.after)


def _nothing_to_do(night: Night, found: re.Match[str]) -> bool:
    return not night.posts and _all_right(night, found)


def _selected_right(night: Night, _found: re.Match[str]) -> bool:
    return not night.posts and all(night.after[key] == night.counts[key] for key in night.rows)


def _created(night: Night, found: re.Match[str]) -> bool:
    """Not more than were made, and not fewer unless what is not known is said."""
    made = sum(m.action == "create" for m in night.mutations)
    open_ends = sum(row.get("outcome") == "unknown" for row in night.rows.values())
    return made - open_ends <= int(found[1]) <= made


def _updated(night: Night, found: re.Match[str]) -> bool:
    """Existing Subscriptions whose quantity this run moved; what is not known may be among them or not."""
    made = {m.object_id for m in night.mutations if m.action == "create"}
    moved = {m.object_id for m in night.mutations if m.action == "update" and "count" in m.changes} - made
    open_ends = sum(row.get("outcome") in {"unknown", "failed"} for row in night.rows.values())
    return len(moved) - open_ends <= int(found[1]) <= len(moved)


def _every_row_well(night: Night, _found: re.Match[str]) -> bool:
    return all(night.after[key] == night.counts[key] for key in night.rows)


_CLAIMS: tuple[tuple[str, Callable[[Night, re.Match[str]], bool]], ...] = (
    (r"(?:night|edit) was not carried out", _quiet),
    (r"nothing was sent to HaloPSA", _quiet),
    (r"setting quantities \.\.\. (\d+) sent", lambda night, found: int(found[1]) <= len(night.touched)),
    (r"nothing (?:was|has been) (?:written|changed)(?! for)", _quiet),
    (r"before the first write", _quiet),
    (r"everything was right already", _nothing_to_do),
    (r"all that was selected was right already", _selected_right),
    (r"brought in line with it", _all_right),
    (r"apply complete!", _every_row_well),
    (r"nothing needs attention", _every_row_well),
    (r"all is well", _all_right),
    (r"\b(\d+) created\b", _created),
    (r"\b(\d+) subscriptions? (?:was|were) created", _created),
    (r"\b(\d+) updated\b", _updated),
    (r"\b(\d+) quantit(?:y was|ies were) set", _updated),
    (r"apply refused by [^.]*\. nothing was written", _quiet),
)
"""A pattern, and what has to be so wherever it is said."""


def what_is_not_well_comes_first(_: History, night: Night) -> Iterator[str]:
    """The first sentence of summary, comment and issue is about what failed, is unknown or moved."""
    bad = {row.get("outcome") for row in night.rows.values()} & {"failed", "unknown", "stale"}
    for name in ("summary", "applied") if bad else ():
        lines = [line for line in night.texts[name].splitlines() if line and not line.startswith(("#", "<"))]
        first = re.split(r"(?<=[.!]) ", lines[0])[0]
        if not re.search(
            r"failed|not attempted|not known|no longer match|record of this run|not come to its end", first
        ):
            yield f"{name}: begins {first!r} though something is {', '.join(sorted(map(str, bad)))}"


def exit_codes_are_true(_: History, night: Night) -> Iterator[str]:
    """0 only when every mapping of the run is right; a verdict of good only when nothing failed."""
    if night.answer.code == 0 and not all(night.after[k] == night.counts[k] for k in night.rows):
        yield "exit: 0 though not every mapping is right"
    if night.answer.code == 1 and night.posts:
        yield "exit: 1 though a request left"
    good = "verdict=clean" in night.texts["outputs"]
    if good and not all(night.after[k] == night.counts[k] for k in night.rows):
        yield "outputs: verdict=clean though not every mapping is right"
    if good and not night.rows:
        yield "outputs: verdict=clean without a result"


def json_is_json(_: History, night: Night) -> Iterator[str]:
    """stdout is one JSON document, whatever happened."""
    if not night.answer.killed:
        try:
            json.loads(night.answer.out)
        except ValueError:
            yield f"stdout: no JSON: {night.answer.out[:80]!r} {night.answer.err[-200:]!r}"


ORACLES: list[Oracle] = [
    json_is_json,
    every_post_is_told,
    every_post_is_in_every_drawing,
    json_rows_are_true,
    after_is_what_halopsa_shows,
    not_written_is_true,
    sentences_are_true,
    what_is_not_well_comes_first,
    exit_codes_are_true,
]
"""Asked after every night. `needs` and `past` add theirs here."""


# ---- when the history is over ---------------------------------------------------------------------------------------


def every_written_quantity_is_in_the_history(history: History) -> Iterator[str]:
    """What a run wrote stands in its record, with what stood before and after; of a run that was cut off, too."""
    runs = {run.info.started_at: run for run in history.recorded}
    for night in history.nights:
        written = {night.ids[m.object_id] for m in night.mutations if "count" in m.changes or m.action == "create"}
        run = runs.get(night.started_at)
        if written and run is None:
            yield f"history: night {night.number} ({night.story}) wrote {sorted(written)} and is not recorded"
        lines = {line.key: line for line in run.verdict.changes} if run else {}
        for key in sorted(written) if run else ():
            line = lines.get(key)
            if line is None or not line.sent:
                yield f"history: night {night.number} ({night.story}) wrote {key}, not so its record: {line}"
            elif line.after is not None and line.after != night.after[key]:
                yield f"history: night {night.number}, {key}: after {line.after}, HaloPSA had {night.after[key]}"


def history_says_after_is_what_stood(history: History) -> Iterator[str]:
    """No line of the history names another quantity than HaloPSA had after that run."""
    nights = {night.started_at: night for night in history.nights}
    for run in history.recorded:
        night = nights.get(run.info.started_at)
        for line in run.verdict.changes if night else ():
            live = night.after[line.key] if night else None
            if line.after is not None and line.after != (live or 0):
                yield f"history: {run.info.id} ({night and night.story}): {line.key} after {line.after}, was {live}"


AT_THE_END: list[AfterAll] = [every_written_quantity_is_in_the_history, history_says_after_is_what_stood]
"""Asked once, after a last night without faults."""


def false_sentences(history: History, night: Night) -> list[str]:
    """All that the oracles have against a night."""
    found = chain.from_iterable(oracle(history, night) for oracle in ORACLES)
    return [f"seed {history.seed}, night {night.number} ({night.story}): {one}" for one in found]
