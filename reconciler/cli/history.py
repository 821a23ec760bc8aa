"""`reconciler history`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from typing import TypeVar

import click

from reconciler.cli.explain import find_mapping
from reconciler.cli.options import CommonOptions, common_options, complete_keys_and_names, output_option
from reconciler.cli.output import closest, safe, say, show_json, show_table, tell
from reconciler.cli.past import both_names, find_run, parse_date, zone_of_file
from reconciler.cli.wiring import load, open_store
from reconciler.errors import ExitCode, ReconcilerError, UsageError
from reconciler.history.account import Line, ending_of, lines_of, users_of
from reconciler.model import Json, MappingKey
from reconciler.moments import moment_in, zone_name
from reconciler.planning.outcomes import open_run_in_words
from reconciler.render.grid import Cell, Column
from reconciler.state.history import History, PastRun

SHOWN = 30
RUN_PREFIX = 4
"""So many characters of a run's id are taken for one, where no mapping is called so."""

T = TypeVar("T")


@click.command()
@click.argument("what", nargs=-1, shell_complete=complete_keys_and_names)
@click.option(
    "--since", metavar="DATE", help="Nothing from before this day (settings.timezone), for example 2026-11-01."
)
@click.option("--all", "everything", is_flag=True, help=f"All lines as text too, not only the newest {SHOWN}.")
@click.option("--verify", is_flag=True, help="Find any edited or lost line in history and journal; exit 1 if so.")
@output_option("text", "json", "csv")
@common_options
@click.pass_obj
def history(
    options: CommonOptions, *, what: tuple[str, ...], since: str | None, everything: bool, verify: bool, output: str
) -> int:
    """List the runs, what happened to one mapping, or one run. Newest first, in the order in which they were recorded.

    WHAT is a run's id, or a mapping's key, the name or id of its INFIMA client or HaloPSA customer, or a Subscription's
    id. After is the quantity that HaloPSA showed, Wanted what the run meant to write; a line called "seen" is a change
    that a listing showed and no run made. No network but the state's own (git).

    \b
    Examples:
      reconciler history
      reconciler history infima-101
      reconciler history acme dental
      reconciler history 3f2a9c1e
      reconciler history --since 2026-11-01 -o csv > runs.csv
      reconciler history --verify
    """
    wanted = " ".join(what).strip()
    if verify and (wanted or since or everything):
        raise UsageError("--verify looks at everything.", hint="Leave WHAT, --since and --all out.")
    records = open_store(options).history
    if verify:
        return _verify(records, output)
    zone = zone_of_file(options)
    start = parse_date(since, "--since", zone) if since else None

    def kept(run: PastRun) -> bool:
        return start is None or run.verdict.finished_at >= start

    for one in records.open_runs():
        tell(f"Warning: {open_run_in_words(one, zone)}.")
    runs = records.runs()
    if not wanted:
        _show_runs([run for run in reversed(runs) if kept(run)], output, zone, everything=everything)
        return 0
    lines = list(lines_of(runs))
    found = _find(options, wanted, runs, lines)
    if isinstance(found, PastRun):
        _show_run(found, [line for line in lines if line.run is found], output, zone, both_names(options))
    else:
        mine = [line for line in reversed(lines) if line.key == found and kept(line.run)]
        if output == "text" and found in (names := both_names(options)):
            say(safe(f"{found}: {names[found]}"))
        _show_changes(found, mine, output, zone, everything=everything)
    return 0


def _find(options: CommonOptions, wanted: str, runs: Sequence[PastRun], lines: Sequence[Line]) -> PastRun | MappingKey:
    """The run or the mapping that is meant. Raises `UsageError`."""
    keys = {line.key for line in lines}
    if MappingKey(wanted) in keys:
        return MappingKey(wanted)
    ids = [run for run in runs if run.info.id == wanted]
    if ids:
        return ids[-1]
    numbers = {line.key for line in lines if str(line.subscription_id) == wanted}
    if len(numbers) == 1:
        return numbers.pop()
    begun = [run for run in runs if run.info.id.startswith(wanted)]
    ambiguous = ""
    try:
        return find_mapping(load(options), wanted).key
    except UsageError as error:
        ambiguous = error.message if "may mean" in error.message else ""
    except ReconcilerError:
        pass  # without mappings.yaml, keys and runs are still known
    if begun and len(wanted) >= RUN_PREFIX:
        return find_run(tuple(runs), wanted)
    if ambiguous:
        raise UsageError(ambiguous, hint="Give the key.")
    near = closest(wanted, [*sorted(keys), *(str(run.info.id) for run in runs)])
    hint = f"Did you mean {near}?" if near else "`reconciler status` lists mappings, `reconciler history` runs."
    raise UsageError(f"The history has nothing about {wanted!r}.", hint=hint)


def _show_runs(runs: list[PastRun], output: str, zone: tzinfo, *, everything: bool) -> None:
    if output == "json":
        show_json({"runs": [_run_json(run) for run in runs]})
        return
    if not runs and output == "text":
        say("No run is recorded.")
        return
    columns = (
        Column(title=f"Finished ({zone_name(zone)})"),
        Column(title="Run"),
        Column(title="Ended"),
        Column(title="Users before", number=True),
        Column(title="Users after", number=True),
        Column(title="Who", name=True),
        Column(title="Commit"),
        Column(title="Verdict", wrap=True),
    )
    shown = _newest(runs, output, everything=everything)
    show_table(output, columns, [_run_cells(run, zone) for run in shown])
    _tell_rest(len(runs) - len(shown))


_LINE: tuple[tuple[Column, Callable[[Line], Cell]], ...] = (
    (Column(title="Subscription", number=True), lambda line: line.subscription_id),
    (Column(title="Action"), lambda line: line.action),
    (Column(title="Outcome"), lambda line: line.outcome),
    (Column(title="Before", number=True), lambda line: line.before),
    (Column(title="After", number=True), lambda line: line.after),
    (Column(title="Wanted", number=True), lambda line: line.wanted),
    (Column(title="Counted", number=True), lambda line: line.counted),
    (Column(title="Rule"), lambda line: line.rule),
    (Column(title="Why", wrap=True), lambda line: line.why),
)
"""What is drawn of a line, behind whose or which run's it is."""


def _show_changes(key: str, lines: list[Line], output: str, zone: tzinfo, *, everything: bool) -> None:
    if output == "json":
        show_json({"key": key, "changes": [_line_json(line) for line in lines]})
        return
    if not lines and output == "text":
        say(safe(f"Nothing was changed or withheld for {key}."))
        return
    shown = _newest(lines, output, everything=everything)
    columns = [Column(title=f"Finished ({zone_name(zone)})"), Column(title="Run"), *(column for column, _ in _LINE)]
    rows = [(_when(line.run, zone), line.run.info.id, *(cell(line) for _, cell in _LINE)) for line in shown]
    show_table(output, columns, rows)
    _tell_rest(len(lines) - len(shown))


def _show_run(run: PastRun, lines: list[Line], output: str, zone: tzinfo, names: Mapping[MappingKey, str]) -> None:
    """One run: who, when, from which commit, how it ended, and its lines."""
    if output == "json":
        show_json({"run": _run_json(run), "changes": [_line_json(line) for line in lines]})
        return
    if output == "text":
        for sentence in _about(run, zone):
            say(safe(sentence))
    if lines:
        columns = [Column(title="Mapping"), Column(title="Whose", name=True), *(column for column, _ in _LINE)]
        rows = [(line.key, names.get(line.key, ""), *(cell(line) for _, cell in _LINE)) for line in lines]
        show_table(output, columns, rows)
    elif output == "text":
        say("It changed nothing and withheld nothing.")


def _about(run: PastRun, zone: tzinfo) -> list[str]:
    info, verdict = run.info, run.verdict
    users = users_of(run)
    told = [
        f"Run {info.id}: {verdict.sentence}",
        f"Command: {info.command}, by {info.actor or 'nobody known'}, exit code {verdict.exit_code}",
        f"From {moment_in(info.started_at, zone)} to {_when(run, zone)} {zone_name(zone)}, by its machine's clock",
    ]
    if info.commit:
        told.append(f"Commit: {info.commit}")
    if users is not None:
        told.append(f"Users: {users[0]} -> {users[1]}")
    told += [f"Lifted for the whole run with {one.by}: {one.rule}, {one.reason}" for one in verdict.lifted]
    return told


def _newest(lines: list[T], output: str, *, everything: bool) -> list[T]:
    return lines[:SHOWN] if output == "text" and not everything else lines


def _tell_rest(left: int) -> None:
    if left:
        tell(f"{left} older {'line is' if left == 1 else 'lines are'} not shown: add --all.")


def _when(run: PastRun, zone: tzinfo) -> str:
    return moment_in(run.verdict.finished_at, zone)


def _run_cells(run: PastRun, zone: tzinfo) -> tuple[Cell, ...]:
    info, verdict = run.info, run.verdict
    before, after = users_of(run) or (None, None)
    lifted = "".join(f" Lifted with {one.by}: {one.rule}, {one.reason}." for one in verdict.lifted)
    ended = ending_of(verdict).value
    return (
        _when(run, zone),
        info.id,
        ended,
        before,
        after,
        info.actor,
        info.short_commit,
        f"{verdict.sentence}{lifted}",
    )


def _run_json(run: PastRun) -> Json:
    info, verdict = run.info, run.verdict
    before, after = users_of(run) or (None, None)
    return {
        "run": info.id,
        "command": info.command,
        "started_at": info.started_at.isoformat(),
        "finished_at": verdict.finished_at.isoformat(),
        "ended": ending_of(verdict).value,
        "exit_code": verdict.exit_code,
        "verdict": verdict.sentence,
        "users_before": before,
        "users_after": after,
        "actor": info.actor,
        "commit": info.commit,
        "mappings_sha256": info.mappings_sha256,
        "reconciler_version": info.version,
        "lifted": [{"rule": one.rule, "reason": one.reason, "by": one.by} for one in verdict.lifted],
        "changes": len(verdict.changes),
    }


def _line_json(line: Line) -> Json:
    info = line.run.info
    return {
        "run": info.id,
        "finished_at": line.run.verdict.finished_at.isoformat(),
        "actor": info.actor,
        "commit": info.commit,
        "key": line.key,
        "subscription_id": line.subscription_id,
        "action": line.action,
        "before": line.before,
        "after": line.after,
        "wanted": line.wanted,
        "sent": line.sent,
        "counted": line.counted,
        "rule": line.rule,
        "outcome": line.outcome,
        "held_by": line.held_by,
        "lifted": [{"rule": one.rule, "reason": one.reason, "by": one.by} for one in line.lifted],
        "message": line.why,
    }


def _verify(records: History, output: str) -> int:
    findings = records.verify()
    harmful = [finding for finding in findings if not finding.crash]
    runs = len(records.runs())
    if output == "json":
        show_json(
            {
                "runs": runs,
                "sound": not harmful,
                "findings": [
                    {"file": f.file, "line": f.line, "message": f.message, "crash": f.crash} for f in findings
                ],
            }
        )
        return ExitCode.ERROR if harmful else 0
    for finding in findings:
        say(safe(str(finding)))
    noun = "run" if runs == 1 else "runs"
    if harmful:
        tell(f"Error: {len(harmful)} of the records are edited or lost. The lines above name them.")
        tell("  What is left is still shown by `reconciler history`; compare with a backup or the branch's commits.")
        return ExitCode.ERROR
    say(f"The records of {runs} {noun} are whole: no line was edited, cut or lost.")
    return 0
