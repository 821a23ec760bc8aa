"""From options and environment to what a command works with: the file, the state, both systems."""

from __future__ import annotations

import getpass
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingABC
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from random import SystemRandom

from reconciler import __version__
from reconciler.cli.drawing import wants_colour
from reconciler.cli.options import DOCUMENTS, CommonOptions
from reconciler.cli.output import did_you_mean, safe, tell
from reconciler.cli.progress import progress_observer
from reconciler.clock import SystemClock
from reconciler.config import load_mappings, parse_mappings
from reconciler.errors import ConfigError, StateError, UsageError
from reconciler.events import Observer
from reconciler.model import Mapping, MappingKey, Mappings, RunId
from reconciler.planning.observation import PlanOptions, RunContext
from reconciler.planning.rules import Allowance, Rule
from reconciler.providers.connect import connect
from reconciler.providers.credentials import read_credentials
from reconciler.state.base import RunInfo
from reconciler.state.directory import DirectoryState
from reconciler.state.git import GitState
from reconciler.state.gitcommand import Git, authors_of_lines, commit_of, hint_for
from reconciler.state.places import open_state

GIT_SECONDS = 20


def now() -> datetime:
    """This moment, UTC."""
    return SystemClock().now()


def load(options: CommonOptions) -> Mappings:
    """Read mappings.yaml. Raises `ConfigError` with every problem."""
    return _with_authors(load_mappings(options.mappings, now=now()), options.mappings)


def _with_authors(mappings: Mappings, path: Path) -> Mappings:
    """The same mappings, each approval with who brought it in, as far as git tells."""
    if not mappings.approvals:
        return mappings
    authors = authors_of_lines(path, [each.place.line for each in mappings.approvals], os.environ)
    named = (replace(each, approved_by=authors.get(each.place.line, "")) for each in mappings.approvals)
    return replace(mappings, approvals=tuple(named))


def load_at(options: CommonOptions, ref: str) -> Mappings | None:
    """mappings.yaml as it stands at a git reference; None, with a word about it, when it is not usable there.

    Raises `UsageError` when the reference does not exist, or mappings.yaml is in no repository.
    """
    path = options.mappings.absolute()
    if ref.startswith("-"):
        raise UsageError(f"--against {ref}: that is no git reference.")
    git = Git(path.parent, os.environ)
    try:
        known = git.run("rev-parse", "--verify", f"{ref}^{{commit}}", seconds=GIT_SECONDS)
        shown = git.run("show", f"{ref}:./{path.name}", seconds=GIT_SECONDS)
    except StateError as error:
        raise UsageError("--against needs git, and it could not be run.", hint=error.message) from error
    if not known.ok:
        hint = hint_for(known.complaint) or "Fetch it first (in CI: fetch-depth: 0), or name another."
        words = known.complaint or f"exit code {known.code}"
        raise UsageError(f"--against: git knows no commit {ref!r}. It said: {words}", hint=hint)
    if not shown.ok:
        tell(f"{path.name} does not exist at {safe(ref)}: every change comes from this edit.")
        return None
    try:
        return parse_mappings(shown.output, file=f"{ref}:{path.name}", now=now())
    except ConfigError as error:
        tell(f"{safe(error.message)}, so every change is shown as coming from this edit.")
        return None


def open_store(options: CommonOptions) -> DirectoryState | GitState:
    """The state that --state or RECONCILER_STATE names."""
    clock = SystemClock(options.stopper.event)
    return open_state(options.state, mappings_path=options.mappings, clock=clock, environ=os.environ)


def progress(options: CommonOptions) -> Observer:
    """Progress on stderr: quiet where that was asked for, and beside a document that nobody watches."""
    quiet = options.quiet or (options.output in DOCUMENTS and not os.isatty(2))
    return progress_observer(quiet=quiet, colour=wants_colour(options, stream=sys.stderr))


@contextmanager
def run_context(options: CommonOptions, mappings: Mappings) -> Iterator[RunContext]:
    """Both systems connected with the valid file's settings; nothing is sent before the first read.

    Raises `UsageError` for what the environment lacks.
    """
    clock, observe = SystemClock(options.stopper.event), progress(options)
    connection = connect(
        read_credentials(os.environ), mappings.settings, clock=clock, observer=observe, rng=SystemRandom()
    )
    with connection as systems:
        yield RunContext(
            mappings=mappings,
            systems=systems,
            store=open_store(options),
            clock=clock,
            observe=observe,
            stop=options.stopper.stopping,
            nonce=lambda: secrets.token_hex(8),
            writing=options.stopper.writing,
        )


def run_info(options: CommonOptions, mappings: Mappings, command: str) -> RunInfo:
    """What the journal and the history say of a run that writes: who, when, from which commit and file."""
    return RunInfo(
        id=RunId(secrets.token_hex(4)),
        command=command,
        started_at=now(),
        actor=actor(os.environ),
        commit=commit_of(options.mappings, os.environ),
        mappings_sha256=mappings.sha256,
        version=__version__,
    )


def actor(environ: MappingABC[str, str]) -> str:
    """The address of the CI run with the one who started it, else the user's name."""
    server, repository, run = (environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    if server and repository and run:
        return f"{environ.get('GITHUB_ACTOR', 'unknown')} {server}/{repository}/actions/runs/{run}"
    if address := environ.get("CI_JOB_URL") or environ.get("BUILD_BUILDURI"):
        return address
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def plan_options(
    mappings: Mappings,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    allow: Sequence[str] = (),
    reason: str | None = None,
) -> PlanOptions:
    """Check --only, --exclude, --allow and --reason against the file. Raises `UsageError`."""
    for option, names in (("--only", only), ("--exclude", exclude)):
        for name in names:
            require_key(name, mappings, option)
    if only and not set(only) - set(exclude):
        raise UsageError("--only and --exclude leave no mapping over.", hint="Take a key out of one of them.")
    if allow and not (reason or "").strip():
        raise UsageError("--allow needs a reason.", hint="Add --reason '...'; it is written into the journal.")
    if reason and not allow:
        raise UsageError("--reason is given, but there is no --allow.", hint="Name the rule: --allow RULE[:KEY].")
    return PlanOptions(
        only=tuple(MappingKey(k) for k in only),
        exclude=tuple(MappingKey(k) for k in exclude),
        allowances=tuple(_allowance(text, reason or "", mappings) for text in allow),
    )


def _allowance(text: str, reason: str, mappings: Mappings) -> Allowance:
    name, _, key = text.partition(":")
    try:
        rule = Rule(name)
    except ValueError:
        rules = [str(r) for r in Rule if r.liftable]
        raise UsageError(
            f"--allow {text}: there is no safety rule {name!r}.", hint=_hint(name, rules, "The rules are")
        ) from None
    if not rule.liftable:
        unfit = rule is Rule.HALO_UNFIT
        why = "only a newer probe takes it back" if unfit else "there is no number or no one object to write"
        raise UsageError(
            f"--allow {text}: {rule} cannot be lifted, because {why}.",
            hint=f"`reconciler plan` shows what to do instead; so does `reconciler explain {rule}`.",
        )
    if key and rule.level == "run":
        raise UsageError(
            f"--allow {text}: {rule} stops whole runs and takes no mapping.", hint=f"Write --allow {rule}."
        )
    if key:
        require_key(key, mappings, f"--allow {rule}:")
    return Allowance(rule=rule, reason=reason, key=key or None)


def require_key(name: str, mappings: Mappings, option: str) -> Mapping:
    """The mapping called `name`. Raises `UsageError` where there is none; `option` says where the name was written."""
    by_key: dict[str, Mapping] = {m.key: m for m in mappings.mappings}
    if name not in by_key:
        written = f"{option}{name}" if option.endswith(":") else f"{option} {name}"
        hint = _hint(name, list(by_key), "The keys are")
        raise UsageError(f"{written}: mappings.yaml has no mapping with that key.", hint=hint)
    return by_key[name]


def _hint(name: str, choices: Sequence[str], lead: str) -> str:
    shown = ", ".join(choices[:12]) + (", ..." if len(choices) > 12 else "")  # noqa: PLR2004
    return did_you_mean(name, choices, f"{lead} {shown}." if choices else "")


def without_infima(environ: MappingABC[str, str]) -> dict[str, str]:
    """The environment with a stand-in for INFIMA, which is then never asked, so that HaloPSA is checked by itself."""
    stand_in = {"INFIMA_API_KEY": "not-set"}
    return {name: value for name, value in environ.items() if not name.startswith("INFIMA_")} | stand_in


def without_halo(environ: MappingABC[str, str]) -> dict[str, str]:
    """The environment with a stand-in for HaloPSA, which is then never asked."""
    stand_in = {"HALO_URL": "http://127.0.0.1:9", "HALO_CLIENT_ID": "not-set", "HALO_CLIENT_SECRET": "not-set"}
    return {name: value for name, value in environ.items() if not name.startswith("HALO_")} | stand_in
