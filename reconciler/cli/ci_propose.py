"""`reconciler ci propose`: the night's proposals as one branch and one pull request."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from reconciler import __version__
from reconciler.answers.proposals import suggest
from reconciler.cli.options import INPUT_FILE, CommonOptions, common_options
from reconciler.cli.output import safe, tell
from reconciler.cli.propose import read_facts
from reconciler.cli.reporting import annotate, github_of, summarise
from reconciler.cli.wiring import now, open_store
from reconciler.config import parse_mappings
from reconciler.config.source import decode
from reconciler.errors import ConfigError, UsageError
from reconciler.forge.branches import PROPOSALS, ProposalBranch
from reconciler.forge.proposals import body
from reconciler.forge.proposing import GitHubReview, GitLabReview, NightReport, ProposalJob, bring_up_to_date
from reconciler.forge.words import SUMMARY_LIMIT, origin
from reconciler.model import Mappings
from reconciler.plan_document import plan_document
from reconciler.plan_document.layout import PlanJson
from reconciler.planning.attribution import attribute
from reconciler.planning.observation import PlanOptions
from reconciler.planning.snapshot import Snapshot
from reconciler.run import make_plan
from reconciler.state.git import GitState
from reconciler.state.gitcommand import Git, choose_remote


@click.command("propose")
@click.option(
    "--snapshot", type=INPUT_FILE, metavar="FILE",
    help="Propose from what `plan --save-snapshot` kept, without credentials of HaloPSA or INFIMA.",
)  # fmt: skip
@click.option(
    "--forge", type=click.Choice(["auto", "github", "gitlab"]), default="auto", show_default=True,
    help="Where the branch is reviewed; auto looks at the environment.",
)  # fmt: skip
@click.option("--branch", default=PROPOSALS, show_default=True, metavar="NAME", help="The branch with the proposals.")
@common_options
@click.pass_obj
def propose(options: CommonOptions, *, snapshot: Path | None, forge: str, branch: str) -> int:
    """Keep one pull request with the edits of mappings.yaml that INFIMA and HaloPSA suggest.

    It is opened, brought up to date, and closed when nothing is left, on one branch with a commit for each kind of
    edit. Commits of people on that branch are never overwritten: it is then left to them. What a person closes or
    undoes is not proposed again, until `propose --again`. The text is also written to GITHUB_STEP_SUMMARY, or to
    stdout where there is none. HaloPSA is never written. On other systems: `reconciler propose -o patch`.

    \b
    Environment: GITHUB_TOKEN, GITHUB_REPOSITORY, GITHUB_API_URL (optional); on GitLab nothing but the right to push.

    \b
    Examples:
      reconciler ci propose --snapshot snapshot.json
      reconciler ci propose
    """
    forge = _forge(forge)
    store = open_store(options)
    git = Git(options.mappings.absolute().parent, os.environ)
    remote = store.remote if isinstance(store, GitState) else choose_remote(git)
    proposals = ProposalBranch(git, remote=remote, name=branch)
    look = proposals.look()
    path = git.ask("rev-parse", "--show-prefix") + options.mappings.name
    content = proposals.file(path)
    mappings = parse_mappings(content, file=path, now=now())
    seen = read_facts(options, mappings, snapshot)
    recorded = store.read()
    # A snapshot carries the state that it was made with: whose it is, the state of this repository says.
    known = replace(seen.recorded, offers=recorded.offers, tenant=recorded.tenant or seen.recorded.tenant)
    text = decode(content, file=path)
    job = ProposalJob(
        branch=proposals, look=look, path=path, text=text,
        proposals=suggest(mappings, seen.observation, known, text=text),
        known=recorded.offers,
        remember=lambda change: store.record_offers(change, message="What was proposed, and what people answered"),
        plan_of=_planner(mappings, seen),
        now=now,
        state=store.spec if isinstance(store, GitState) else "",
        remembers=recorded.durable,
    )  # fmt: skip
    report = _reviewed(options, forge, job)
    for line in report.done:
        tell(safe(line))
    if report.warning:
        annotate("warning", "Proposals", report.warning)
    summarise(body(report.told, origin(os.environ, now()), limit=SUMMARY_LIMIT))
    return 0


def _forge(named: str) -> str:
    """The forge that is meant. Raises `UsageError` where the environment tells of none."""
    if named != "auto":
        return named
    if os.environ.get("GITHUB_REPOSITORY"):
        return "github"
    if os.environ.get("GITLAB_CI"):
        return "gitlab"
    raise UsageError(
        "Nothing here says that this is GitHub or GitLab.",
        hint="Name it with --forge; on other systems take the edits as a patch: reconciler propose -o patch",
    )


def _reviewed(options: CommonOptions, forge: str, job: ProposalJob) -> NightReport:
    """Bring the branch and its review up to date where it is reviewed."""
    name, base = job.branch.name, job.branch.base.branch
    if forge == "gitlab":
        review = GitLabReview(branch=name, base=base, job_url=os.environ.get("CI_JOB_URL", ""), now=now())
        return bring_up_to_date(job, review)
    where = origin(os.environ, now())
    with github_of(options) as github:
        return bring_up_to_date(job, GitHubReview(github=github, branch=name, base=base, where=where))


def _planner(base: Mappings, seen: Snapshot) -> Callable[[str | bytes], PlanJson | None]:
    """Plans for a text of mappings.yaml, with what comes of the edit told apart from what comes anyway."""

    def plan_of(text: str | bytes) -> PlanJson | None:
        try:
            edited = parse_mappings(text, file=base.file, now=now())
        except ConfigError:
            return None
        made = make_plan(edited, seen.observation, seen.recorded, PlanOptions())
        made = attribute(made, make_plan(base, seen.observation, seen.recorded, PlanOptions()))
        return plan_document(made, version=__version__)

    return plan_of
