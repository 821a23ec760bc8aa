"""`reconciler history`."""

from __future__ import annotations

from typing import TypeVar

import click

from reconciler.cli.options import CommonOptions, common_options, complete_keys, output_option
from reconciler.cli.output import safe, say, show_json, show_table, tell
from reconciler.cli.past import parse_date, require_recorded
from reconciler.cli.wiring import open_store
from reconciler.errors import ExitCode, UsageError
from reconciler.history.endings import ending_of
from reconciler.model import Json
from reconciler.render.grid import Cell, Column
from reconciler.state.history import History, PastChange, PastRun

SHOWN = 30

T = TypeVar("T")


@click.command()
@click.argument("key", required=False, shell_complete=complete_keys)
@click.option("--since", metavar="DATE", help="Nothing from before this day (UTC), for example 2026-11-01.")
@click.option("--all", "everything", is_flag=True, help=f"All lines as text too, not only the newest {SHOWN}.")
@click.option("--verify", is_flag=True, help="Find any edited or lost line in history and journal; exit 1 if so.")
@output_option("text", "json", "csv")
@common_options
@click.pass_obj
def history(
    options: CommonOptions, *, key: str | None, since: str | None, everything: bool, verify: bool, output: str
) -> int:
    """List the runs, or what happened to one mapping, newest first. No network but the state's own (git).

    \b
    Examples:
      reconciler history
      reconciler history infima-101
      reconciler history --since 2026-11-01 -o csv > runs.csv
      reconciler history --verify
    """
    if verify and (key or since or everything):
        raise UsageError("--verify looks at everything.", hint="Leave KEY, --since and --all out.")
    records = open_store(options).history
    if verify:
        return _verify(records, output)
    start = parse_date(since, "--since") if since else None
    runs = [run for run in reversed(records.runs()) if start is None or run.verdict.finished_at >= start]
    if key is None:
        _show_runs(runs, output, everything=everything)
        return 0
    known = {change.key for run in records.runs() for change in run.verdict.changes}
    known |= {name for snapshot in records.snapshots() for name in snapshot.quantities}
    wanted = require_recorded(key, known)
    changes = [
        past for past in reversed(records.changes_of(wanted)) if start is None or past.run.verdict.finished_at >= start
    ]
    _show_changes(key, changes, output, everything=everything)
    return 0


def _show_runs(runs: list[PastRun], output: str, *, everything: bool) -> None:
    if output == "json":
        show_json({"runs": [_run_json(run) for run in runs]})
        return
    if not runs and output == "text":
        say("No run is recorded.")
        return
    columns = (
        Column(title="Finished (UTC)"),
        Column(title="Run"),
        Column(title="Ended"),
        Column(title="Users before", number=True),
        Column(title="Users after", number=True),
        Column(title="Who", name=True),
        Column(title="Commit"),
        Column(title="Verdict", wrap=True),
    )
    shown = _newest(runs, output, everything=everything)
    show_table(output, columns, [_run_cells(run) for run in shown])
    _tell_rest(len(runs) - len(shown))


def _show_changes(key: str, changes: list[PastChange], output: str, *, everything: bool) -> None:
    if output == "json":
        show_json({"key": key, "changes": [_change_json(past) for past in changes]})
        return
    if not changes and output == "text":
        say(safe(f"Nothing was changed or withheld for {key}."))
        return
    columns = (
        Column(title="Finished (UTC)"),
        Column(title="Run"),
        Column(title="Action"),
        Column(title="Outcome"),
        Column(title="Before", number=True),
        Column(title="After", number=True),
        Column(title="Counted", number=True),
        Column(title="Rule"),
        Column(title="Why", wrap=True),
    )
    shown = _newest(changes, output, everything=everything)
    show_table(output, columns, [_change_cells(past) for past in shown])
    _tell_rest(len(changes) - len(shown))


def _newest(lines: list[T], output: str, *, everything: bool) -> list[T]:
    return lines[:SHOWN] if output == "text" and not everything else lines


def _tell_rest(left: int) -> None:
    if left:
        tell(f"{left} older {'line is' if left == 1 else 'lines are'} not shown: add --all.")


def _run_cells(run: PastRun) -> tuple[Cell, ...]:
    info, verdict = run.info, run.verdict
    figures: tuple[Cell, Cell] = (None, None) if verdict.decision else (verdict.users_before, verdict.users_after)
    when = f"{verdict.finished_at:%Y-%m-%d %H:%M}"
    return (when, info.id, ending_of(verdict).value, *figures, info.actor, info.commit[:10], verdict.sentence)


def _change_cells(past: PastChange) -> tuple[Cell, ...]:
    change, when = past.change, f"{past.run.verdict.finished_at:%Y-%m-%d %H:%M}"
    figures = (change.before, change.after, change.counted)
    return (when, past.run.info.id, change.action, change.outcome, *figures, change.rule, change.message)


def _run_json(run: PastRun) -> Json:
    info, verdict = run.info, run.verdict
    return {
        "run": info.id,
        "command": info.command,
        "started_at": info.started_at.isoformat(),
        "finished_at": verdict.finished_at.isoformat(),
        "ended": ending_of(verdict).value,
        "exit_code": verdict.exit_code,
        "verdict": verdict.sentence,
        "users_before": None if verdict.decision else verdict.users_before,
        "users_after": None if verdict.decision else verdict.users_after,
        "actor": info.actor,
        "commit": info.commit,
        "mappings_sha256": info.mappings_sha256,
        "reconciler_version": info.version,
        "changes": len(verdict.changes),
    }


def _change_json(past: PastChange) -> Json:
    change = past.change
    return {
        "run": past.run.info.id,
        "finished_at": past.run.verdict.finished_at.isoformat(),
        "actor": past.run.info.actor,
        "commit": past.run.info.commit,
        "subscription_id": change.subscription_id,
        "action": change.action,
        "before": change.before,
        "after": change.after,
        "counted": change.counted,
        "rule": change.rule,
        "outcome": change.outcome,
        "message": change.message,
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
