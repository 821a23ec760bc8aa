"""`reconciler history`."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from datetime import tzinfo
from typing import TypeVar

import click

from reconciler.answers.words import plural
from reconciler.cli.explain import find_mapping
from reconciler.cli.options import CommonOptions, common_options, complete_keys_and_names, output_option
from reconciler.cli.output import Part, did_you_mean, safe, say, show_json, show_rows, tell
from reconciler.cli.past import find_run, load_usable, parse_date, zone_of
from reconciler.cli.wiring import open_store
from reconciler.errors import ExitCode, UsageError
from reconciler.history.account import ending_of, lines_of, users_of
from reconciler.model import Json, Mapping, MappingKey, Mappings
from reconciler.moments import moment_in, zone_name
from reconciler.planning.outcomes import open_run_in_words
from reconciler.render.grid import Column
from reconciler.state.history import History, PastChange, PastRun

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
    mappings = load_usable(options)
    zone = zone_of(mappings)
    start = parse_date(since, "--since", zone) if since else None

    def kept(run: PastRun) -> bool:
        return start is None or run.verdict.finished_at >= start

    for one in records.open_runs():
        tell(f"Warning: {open_run_in_words(one, zone)}.")
    runs = records.runs()
    if not wanted:
        _show_runs([run for run in reversed(runs) if kept(run)], output, zone, everything=everything)
        return ExitCode.DONE
    lines = list(lines_of(runs))
    found = _find(mappings, wanted, runs, lines)
    names = {m.key: _both_names(m) for m in mappings.mappings} if mappings else {}
    if isinstance(found, PastRun):
        _show_run(found, [line for line in lines if line.run is found], output, zone, names)
        return ExitCode.DONE
    if output == "text" and found in names:
        say(safe(f"{found}: {names[found]}"))
    mine = [line for line in reversed(lines) if line.change.key == found and kept(line.run)]
    _show_changes(found, mine, output, zone, everything=everything)
    return ExitCode.DONE


def _both_names(mapping: Mapping) -> str:
    """Its INFIMA clients and its HaloPSA customer, as mappings.yaml names them."""
    return f"{', '.join(client.name for client in mapping.infima_clients)} -> {mapping.halo_customer.name}"


def _find(
    mappings: Mappings | None, wanted: str, runs: Sequence[PastRun], lines: Sequence[PastChange]
) -> PastRun | MappingKey:
    """The run or the mapping that is meant. Raises `UsageError`."""
    keys = {line.change.key for line in lines}
    if MappingKey(wanted) in keys:
        return MappingKey(wanted)
    if ids := [run for run in runs if run.info.id == wanted]:
        return ids[-1]
    numbers = {line.change.key for line in lines if str(line.change.subscription_id) == wanted}
    if len(numbers) == 1:
        return numbers.pop()
    ambiguous = ""
    if mappings is not None:  # without mappings.yaml, keys and runs are still known
        try:
            return find_mapping(mappings, wanted).key
        except UsageError as error:
            ambiguous = error.message if "may mean" in error.message else ""
    if len(wanted) >= RUN_PREFIX and any(run.info.id.startswith(wanted) for run in runs):
        return find_run(runs, wanted)
    if ambiguous:
        raise UsageError(ambiguous, hint="Give the key.")
    known = [*sorted(keys), *(str(run.info.id) for run in runs)]
    hint = did_you_mean(wanted, known, "`reconciler status` lists mappings, `reconciler history` runs.")
    raise UsageError(f"The history has nothing about {wanted!r}.", hint=hint)


# ---------------------------------------------------------------------------------------------------------------------
# The drawings
# ---------------------------------------------------------------------------------------------------------------------

_LINE: tuple[Part[PastChange], ...] = (
    (Column(title="Subscription", number=True), lambda line: line.change.subscription_id),
    (Column(title="Action"), lambda line: line.change.action),
    (Column(title="Outcome"), lambda line: line.change.outcome),
    (Column(title="Before", number=True), lambda line: line.change.before),
    (Column(title="After", number=True), lambda line: line.change.after),
    (Column(title="Wanted", number=True), lambda line: line.change.wanted),
    (Column(title="Counted", number=True), lambda line: line.change.counted),
    (Column(title="Rule"), lambda line: line.change.rule),
    (Column(title="Why", wrap=True), lambda line: line.change.message),
)
"""What is drawn of a line, behind whose or which run's it is."""


def _show_runs(runs: list[PastRun], output: str, zone: tzinfo, *, everything: bool) -> None:
    parts: tuple[Part[PastRun], ...] = (
        (Column(title=f"Finished ({zone_name(zone)})"), lambda run: _when(run, zone)),
        (Column(title="Run"), lambda run: run.info.id),
        (Column(title="Ended"), lambda run: ending_of(run.verdict).value),
        (Column(title="Users before", number=True), lambda run: _users(run)[0]),
        (Column(title="Users after", number=True), lambda run: _users(run)[1]),
        (Column(title="Who", name=True), lambda run: run.info.actor),
        (Column(title="Commit"), lambda run: run.info.short_commit),
        (Column(title="Verdict", wrap=True), _verdict),
    )
    if output == "json":
        show_json({"runs": [_run_json(run) for run in runs]})
    else:
        _show_newest(parts, runs, output, "No run is recorded.", everything=everything)


def _show_changes(key: str, lines: list[PastChange], output: str, zone: tzinfo, *, everything: bool) -> None:
    parts: tuple[Part[PastChange], ...] = (
        (Column(title=f"Finished ({zone_name(zone)})"), lambda line: _when(line.run, zone)),
        (Column(title="Run"), lambda line: line.run.info.id),
        *_LINE,
    )
    if output == "json":
        show_json({"key": key, "changes": [_line_json(line) for line in lines]})
    else:
        _show_newest(parts, lines, output, f"Nothing was changed or withheld for {key}.", everything=everything)


def _show_newest(parts: Sequence[Part[T]], rows: list[T], output: str, nothing: str, *, everything: bool) -> None:
    if output == "text" and not rows:
        say(safe(nothing))
        return
    shown = rows[:SHOWN] if output == "text" and not everything else rows
    show_rows(output, parts, shown)
    left = len(rows) - len(shown)
    if left:
        tell(f"{left} older {'line is' if left == 1 else 'lines are'} not shown: add --all.")


def _show_run(
    run: PastRun, lines: list[PastChange], output: str, zone: tzinfo, names: MappingABC[MappingKey, str]
) -> None:
    """One run: who, when, from which commit, how it ended, and its lines."""
    if output == "json":
        show_json({"run": _run_json(run), "changes": [_line_json(line) for line in lines]})
        return
    if output == "text":
        for sentence in _about(run, zone):
            say(safe(sentence))
    if lines:
        parts: tuple[Part[PastChange], ...] = (
            (Column(title="Mapping"), lambda line: line.change.key),
            (Column(title="Whose", name=True), lambda line: names.get(line.change.key, "")),
            *_LINE,
        )
        show_rows(output, parts, lines)
    elif output == "text":
        say("It changed nothing and withheld nothing.")


def _about(run: PastRun, zone: tzinfo) -> list[str]:
    info, verdict = run.info, run.verdict
    told = [
        f"Run {info.id}: {verdict.sentence}",
        f"Command: {info.command}, by {info.actor or 'nobody known'}, exit code {verdict.exit_code}",
        f"From {moment_in(info.started_at, zone)} to {_when(run, zone)} {zone_name(zone)}, by its machine's clock",
    ]
    if info.commit:
        told.append(f"Commit: {info.commit}")
    if users := users_of(run):
        told.append(f"Users: {users[0]} -> {users[1]}")
    told += [f"Lifted for the whole run with {one.by}: {one.rule}, {one.reason}" for one in verdict.lifted]
    return told


def _when(run: PastRun, zone: tzinfo) -> str:
    return moment_in(run.verdict.finished_at, zone)


def _users(run: PastRun) -> tuple[int | None, int | None]:
    return users_of(run) or (None, None)


def _verdict(run: PastRun) -> str:
    lifted = "".join(f" Lifted with {one.by}: {one.rule}, {one.reason}." for one in run.verdict.lifted)
    return f"{run.verdict.sentence}{lifted}"


def _run_json(run: PastRun) -> Json:
    info, verdict = run.info, run.verdict
    before, after = _users(run)
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


def _line_json(line: PastChange) -> Json:
    info, change = line.run.info, line.change
    return {
        "run": info.id,
        "finished_at": line.run.verdict.finished_at.isoformat(),
        "actor": info.actor,
        "commit": info.commit,
        "key": change.key,
        "subscription_id": change.subscription_id,
        "action": change.action,
        "before": change.before,
        "after": change.after,
        "wanted": change.wanted,
        "sent": change.sent,
        "counted": change.counted,
        "rule": change.rule,
        "outcome": change.outcome,
        "held_by": change.held_by,
        "lifted": [{"rule": one.rule, "reason": one.reason, "by": one.by} for one in change.lifted],
        "message": change.message,
    }


def _verify(records: History, output: str) -> int:
    findings = records.verify()
    harmful = [finding for finding in findings if not finding.crash]
    code = ExitCode.ERROR if harmful else ExitCode.DONE
    runs = len(records.runs())
    if output == "json":
        told = [{"file": f.file, "line": f.line, "message": f.message, "crash": f.crash} for f in findings]
        show_json({"runs": runs, "sound": not harmful, "findings": told})
        return code
    for finding in findings:
        say(safe(str(finding)))
    if harmful:
        tell(f"Error: {len(harmful)} of the records are edited or lost. The lines above name them.")
        tell("  What is left is still shown by `reconciler history`; compare with a backup or the branch's commits.")
    else:
        say(f"The records of {plural(runs, 'run')} are whole: no line was edited, cut or lost.")
    return code
