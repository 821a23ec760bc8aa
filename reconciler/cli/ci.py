"""`reconciler ci`: what the steps of a workflow call. Each reads the JSON that `plan` or `apply` printed."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

from reconciler.cli.ci_propose import propose
from reconciler.cli.files import write_file
from reconciler.cli.options import CommonOptions, OutputFile, common_options, output_option
from reconciler.cli.output import say, tell
from reconciler.cli.reporting import (
    annotate,
    append_to,
    body_of,
    forge_tools,
    github_of,
    headline,
    listed,
    notice_of,
    read,
    result_option,
    summarise,
)
from reconciler.clock import SystemClock
from reconciler.errors import ExitCode, UsageError
from reconciler.forge.branches import require_head
from reconciler.forge.github import GitHub, Kept
from reconciler.forge.notify import SWITCH, addresses, is_told
from reconciler.forge.notify import notify as send
from reconciler.forge.notify import ping as call
from reconciler.forge.result import azure_commands, github_output, gitlab_terraform, outputs_of
from reconciler.forge.words import SUMMARY_LIMIT
from reconciler.providers.credentials import read_credentials
from reconciler.state.git import GitState
from reconciler.state.places import open_state

SECRETS = ("HALO_CLIENT_ID", "HALO_CLIENT_SECRET", "INFIMA_API_KEY")
COMMENT_MARKERS = {
    "preview": "<!-- reconciler: preview -->",
    "offline": "<!-- reconciler: preview -->",
    "applied": "<!-- reconciler: applied -->",
    "night": "<!-- reconciler: night -->",
}
ISSUES_OFF = "Issues are switched off in this repository (Settings, General, Features), so none is kept."
ISSUE_MARKER = "<!-- reconciler: nightly -->"

_occasion_option = click.option(
    "--as", "occasion", type=click.Choice(list(COMMENT_MARKERS)), default="preview", show_default=True,
    help="What the text is about.",
)  # fmt: skip


@click.group()
def ci() -> None:
    """Report a run to GitHub, GitLab or Azure DevOps.

    \b
    Environment: GITHUB_TOKEN, GITHUB_REPOSITORY, GITHUB_API_URL (optional), DEAD_MANS_SWITCH_URL (optional),
    NOTIFY_URLS (optional).

    \b
    Examples:
      reconciler ci summary --result result.json --as night
      reconciler ci comment --result result.json --pull-request 12
      reconciler ci issue --result result.json
      reconciler ci notify --result result.json
    """


@ci.command()
@common_options
def ready() -> int:
    """Say whether the job has credentials: output `ready` is true or false.

    None at all is a fork or a fresh repository, and a notice. Some but not all is an error: a night must not be
    skipped quietly because one secret was lost.

    \b
    Example:
      reconciler ci ready
    """
    present = any(os.environ.get(name) or os.environ.get(f"{name}_FILE") for name in SECRETS)
    if present:
        read_credentials(os.environ)
    else:
        annotate("notice", "Skipped", "No credentials are configured here: see docs/gitops.md.")
    append_to("GITHUB_OUTPUT", github_output({"ready": "true" if present else "false"}))
    return 0


@ci.command("head-check")
@output_option("text", "json")
@common_options
@click.pass_obj
def head_check(options: CommonOptions, output: str) -> int:  # noqa: ARG001 - -o draws the error
    """Refuse when mappings.yaml is not the newest one of the remote's default branch.

    \b
    Example:
      reconciler ci head-check
    """
    state = open_state(options.state, mappings_path=options.mappings, clock=SystemClock(), environ=os.environ)
    remote = state.remote if isinstance(state, GitState) else None
    head = require_head(options.mappings, os.environ, remote=remote)
    tell(f"{options.mappings} is that of {head.branch} at {head.commit[:12]}, its newest commit.")
    return 0


@ci.command()
@result_option
@common_options
def outputs(*, result_file: Path) -> int:
    """Write verdict, reason and counts to GITHUB_OUTPUT, or to stdout where there is none. No names.

    \b
    Example:
      reconciler ci outputs --result result.json
    """
    values = outputs_of(read(result_file))
    if not append_to("GITHUB_OUTPUT", github_output(values)):
        say("".join(f"{name}={value}\n" for name, value in values.items()))
    return 0


@ci.command()
@result_option
@_occasion_option
@common_options
def summary(*, result_file: Path, occasion: str) -> int:
    """Write the run for people to GITHUB_STEP_SUMMARY, or to stdout where there is none.

    \b
    Example:
      reconciler ci summary --result result.json --as night
    """
    summarise(body_of(read(result_file), occasion)(SUMMARY_LIMIT))
    return 0


@ci.command()
@result_option
@_occasion_option
@click.option("--pull-request", type=click.IntRange(min=1), metavar="NUMBER", help="Comment on this pull request.")
@click.option("--commit", metavar="SHA", help="Comment on the merged pull request that brought this commit in.")
@common_options
@click.pass_obj
def comment(
    options: CommonOptions, *, result_file: Path, occasion: str, pull_request: int | None, commit: str | None
) -> int:
    """Keep one comment on a pull request up to date: found by a hidden mark, edited in place.

    \b
    Examples:
      reconciler ci comment --result result.json --pull-request 12
      reconciler ci comment --result result.json --as applied --commit 0123abc
    """
    if (pull_request is None) == (commit is None):
        raise UsageError("Say where to comment.", hint="Give --pull-request NUMBER or --commit SHA, one of them.")
    if commit is not None and not re.fullmatch(r"[0-9a-f]{7,64}", commit):
        raise UsageError("--commit is not a commit's id.", hint="Give the hexadecimal id, 7 digits or more.")
    text = body_of(read(result_file), occasion)
    with github_of(options) as github:
        numbers = (pull_request,) if pull_request else github.pull_requests_of(commit or "")
        if not numbers:
            tell("The commit came in without a pull request: there is nowhere to comment.")
        for number in numbers:
            kept = github.keep_comment(number, COMMENT_MARKERS[occasion], text)
            tell(f"Comment on pull request {number}: {kept}.")
    return 0


@ci.command()
@result_option
@click.option(
    "--assignees", default="", metavar="NAMES",
    help="GitHub logins, separated by commas: who is assigned where nobody is.",
)  # fmt: skip
@click.option("--labels", default="", metavar="NAMES", help="Labels of the issue, separated by commas.")
@common_options
@click.pass_obj
def issue(options: CommonOptions, *, result_file: Path, assignees: str, labels: str) -> int:
    """Keep the one issue "Nightly reconciliation: N need attention" up to date; close it when nothing does.

    GitHub notifies whom it assigns, and nobody else who does not watch the repository. A person who was assigned by
    hand stays so.

    \b
    Examples:
      reconciler ci issue --result result.json
      reconciler ci issue --result result.json --assignees a-person,b-person --labels billing
    """
    result = read(result_file)
    text, number = body_of(result, "night"), result.attention
    with github_of(options) as github:
        if number:
            title = f"Nightly reconciliation: {number} {'needs' if number == 1 else 'need'} attention"
            kept = github.keep_issue(ISSUE_MARKER, title, text)
            if kept is not Kept.SWITCHED_OFF:
                _address(github, listed(assignees), listed(labels))
        else:
            kept = github.close_issue(ISSUE_MARKER, "Nightly reconciliation: nothing needs attention", text)
        tell(f"Nightly issue: {kept}.")
        if kept is Kept.SWITCHED_OFF and number:
            annotate("warning", "Nightly issue", f"{ISSUES_OFF} {number} need attention: see the summary of this run.")
    return 0


def _address(github: GitHub, assignees: tuple[str, ...], labels: tuple[str, ...]) -> None:
    """Whoever GitHub does not take is a warning: the issue is kept all the same."""
    if assignees or labels:
        refused = github.address_issue(ISSUE_MARKER, assignees=assignees, labels=labels)
        if refused:
            who = "Only people who may write to this repository can be assigned, no teams."
            annotate("warning", "Nightly issue", f"GitHub did not assign {', '.join(refused)}. {who}")


@ci.command()
@result_option
@common_options
@click.pass_obj
def ping(options: CommonOptions, *, result_file: Path) -> int:
    """Call DEAD_MANS_SWITCH_URL, if it is set, when the run came to its end; otherwise stay silent, so that it alarms.

    \b
    Example:
      reconciler ci ping --result result.json
    """
    url, result = os.environ.get(SWITCH, ""), read(result_file)
    if not url:
        tell(f"{SWITCH} is not set: nobody is told when a night is missing.")
    elif not result.verdict.came_to_its_end:
        tell(f"The run is {result.verdict}: the dead man's switch is not called and will raise its alarm.")
    else:
        call(url, **forge_tools(options))
        tell("The dead man's switch was called.")
    return 0


@ci.command()
@result_option
@common_options
def verdict(*, result_file: Path) -> int:
    """End the job: 0 when the run came to its end (holds wait in the issue), 1 when somebody has to look at the run.

    \b
    Example:
      reconciler ci verdict --result result.json
    """
    result = read(result_file)
    level, message = headline(result)
    annotate(level, f"Run {result.verdict}", message)
    return ExitCode.DONE if result.verdict.came_to_its_end else ExitCode.ERROR


@ci.command()
@result_option
@click.option("--out", type=OutputFile(), metavar="FILE", required=True,
              help="Where to write the report.")  # fmt: skip
@common_options
def gitlab(*, result_file: Path, out: Path) -> int:
    """Write the report for GitLab's merge-request widget (artifacts: reports: terraform).

    \b
    Example:
      reconciler ci gitlab --result plan.json --out tfplan.json
    """
    write_file(out, gitlab_terraform(read(result_file)), what="report", private=False)
    return 0


@ci.command()
@result_option
@_occasion_option
@click.option("--summary", "summary_file", type=OutputFile(), metavar="FILE",
              help="Write the summary to FILE and attach it to the run.")  # fmt: skip
@common_options
def azure(*, result_file: Path, occasion: str, summary_file: Path | None) -> int:
    """Print Azure DevOps' logging commands: variables, an issue, the summary, how the step ends.

    \b
    Example:
      reconciler ci azure --result result.json --as night --summary summary.md
    """
    result = read(result_file)
    if summary_file is not None:
        write_file(summary_file, body_of(result, occasion)(SUMMARY_LIMIT), what="summary", private=False)
    level, message = headline(result)
    messages = [(level, message)] if level != "notice" else []
    say(azure_commands(result, messages, str(summary_file.absolute()) if summary_file else None))
    return 0


ci.add_command(propose)


@ci.command()
@result_option
@click.option(
    "--as", "occasion", type=click.Choice(["night", "applied"]), default="night", show_default=True,
    help="What the text is about.",
)  # fmt: skip
@click.option("--always", is_flag=True, help="Send it also when nothing waits for a person.")
@common_options
@click.pass_obj
def notify(options: CommonOptions, *, result_file: Path, occasion: str, always: bool) -> int:
    """Tell people where they are: Teams, Slack, mail, ntfy and a hundred others, by the addresses in NOTIFY_URLS.

    Sent when something waits for a person, and once when all that waited is right again: how it ended, each thing with
    its next invoice and what to do, a link to the run; in the service's markup and within its size. Needs the extra
    `notify` (apprise), whose documentation shows each service's address.

    \b
    Environment: NOTIFY_URLS, addresses separated by spaces or lines, or NOTIFY_URLS_FILE.

    \b
    Examples:
      reconciler ci notify --result result.json
      reconciler ci notify --result result.json --as applied --always
    """
    urls, result = addresses(os.environ), read(result_file)
    if not urls:
        tell("NOTIFY_URLS is not set: nobody is told by message.")
    elif not (always or is_told(result)):
        tell("Nothing waits for a person, and nothing did before: no message is sent.")
    else:
        sent = send(notice_of(result, occasion, options.mappings), urls, os.environ)
        tell(f"Told: {', '.join(sent)}.")
    return 0
