"""`reconciler propose`."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import cast

import click

from reconciler import __version__
from reconciler.answers.proposals import Confidence, Proposal, apply_proposals, clients_to_weigh, standing, suggest
from reconciler.answers.words import plural
from reconciler.cli.drawing import terminal_pen
from reconciler.cli.files import FileEdit, load_snapshot
from reconciler.cli.options import INPUT_FILE, CommonOptions, common_options, next_command, output_option
from reconciler.cli.output import did_you_mean, safe, say, show_json, tell
from reconciler.cli.wiring import now, open_store, run_context
from reconciler.config import parse_mappings
from reconciler.config.source import decode, read_bytes
from reconciler.errors import UsageError
from reconciler.model import Json, Mappings
from reconciler.moments import timestamp
from reconciler.plan_document.layout import FORMAT_VERSION
from reconciler.planning.observation import PlanOptions, count_more
from reconciler.planning.snapshot import Snapshot
from reconciler.render.proposals import ProposalJson, ProposalsJson, render_proposals
from reconciler.run import make_plan, read_live
from reconciler.state.recorded import Fate, Offers


@click.command()
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--write", is_flag=True, help="Make the sure ones in mappings.yaml; with KEY exactly these.")
@click.option("--likely", is_flag=True, help="The likely ones too, with --write or -o patch.")
@output_option("text", "json", "patch")
@click.option(
    "--snapshot", type=INPUT_FILE, metavar="FILE",
    help="Propose from a file of `plan --save-snapshot`, without network and without credentials.",
)  # fmt: skip
@click.option("--again", multiple=True, metavar="KEY", help="Propose again what was declined; it writes the state.")
@common_options
@click.pass_obj
def propose(
    options: CommonOptions,
    *,
    keys: tuple[str, ...],
    write: bool,
    likely: bool,
    output: str,
    snapshot: Path | None,
    again: tuple[str, ...],
) -> int:
    """Propose the edits of mappings.yaml that INFIMA and HaloPSA suggest, each with its evidence and what comes of it.

    New clients, new names, clients that are gone, contracts and approvals that end, Subscriptions that no mapping has.
    Sure ones need no look, likely ones do, and what is asked only a person can say. It reads both systems and never
    writes to them; it proposes no approval and no higher limit.

    \b
    Environment: HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT (optional), HALO_AUTH_URL (optional),
    INFIMA_API_KEY, INFIMA_URL (optional); each secret also as ..._FILE. With --snapshot none of them.

    \b
    Examples:
      reconciler propose
      reconciler propose --write
      reconciler propose --write map-142
      reconciler propose --likely -o patch | git apply
      reconciler propose --snapshot last-night.json -o json
      reconciler propose --again map-142
    """
    _check(write=write, likely=likely, output=output)
    old = read_bytes(options.mappings)
    text, mappings = decode(old, file=str(options.mappings)), parse_mappings(old, file=str(options.mappings), now=now())
    seen = read_facts(options, mappings, snapshot)
    found = suggest(mappings, seen.observation, seen.recorded, text=text)
    made, declined = standing(found, _offers(options, seen, again))
    if keys:
        made, declined = _named(keys, found), ()
    wanted = _wanted(made, likely=likely, named=bool(keys), writes=write or output == "patch")
    edit = FileEdit.of(options.mappings, old, apply_proposals(text, wanted, file=str(options.mappings)), now=now())
    if write:
        edit.write()
    written = {one.key for one in wanted} if write else set()
    _draw(options, edit, _document(seen, made, declined, written))
    _sum_up(made, wanted, edit, seen, write=write)
    return 0


def _document(
    seen: Snapshot, made: Sequence[Proposal], declined: Sequence[Proposal], written: Collection[str]
) -> ProposalsJson:
    return ProposalsJson(
        format_version=FORMAT_VERSION,
        reconciler_version=__version__,
        taken_at=timestamp(seen.observation.taken_at),
        proposals=[_json(one, written) for one in made],
        declined=[_json(one, written) for one in declined],
    )


def _check(*, write: bool, likely: bool, output: str) -> None:
    if write and output == "patch":
        raise UsageError("--write and -o patch contradict each other.", hint="Give one of them.")
    if likely and not write and output != "patch":
        raise UsageError("--likely goes with --write or with -o patch.", hint="Without them all proposals are shown.")


def _draw(options: CommonOptions, edit: FileEdit, document: ProposalsJson) -> None:
    match options.output:
        case "patch":
            if hasattr(sys.stdout, "reconfigure"):  # as bytes that git takes, whatever the console speaks
                sys.stdout.reconfigure(encoding="utf-8", newline="")
            if edit.changes:
                say(edit.patch)
        case "json":
            show_json(cast("dict[str, Json]", document))
        case _:
            say(render_proposals(document, terminal_pen(options)))
            tell("")


def read_facts(options: CommonOptions, mappings: Mappings, snapshot: Path | None) -> Snapshot:
    """Both systems and the state, or a file that was kept of them."""
    if snapshot is not None:
        return load_snapshot(snapshot, what="what is proposed is made")
    with run_context(options, mappings) as context:
        seen = read_live(context)
        wanted = clients_to_weigh(mappings, seen.observation)
        return Snapshot(observation=count_more(context, seen.observation, wanted), recorded=seen.recorded)


def _json(one: Proposal, written: Collection[str]) -> ProposalJson:
    return ProposalJson(
        key=one.key, kind=one.kind.value, confidence=one.confidence.value, client=one.client, customer=one.customer,
        title=one.title, evidence=list(one.evidence), users=one.users, tonight=one.tonight, command=one.command,
        editable=one.edit is not None, written=one.key in written, fingerprint=one.fingerprint,
    )  # fmt: skip


def _offers(options: CommonOptions, seen: Snapshot, again: Sequence[str]) -> Offers:
    """What became of earlier proposals; what is asked for again is forgotten in the state, too."""
    offers = seen.recorded.offers
    if not again:
        return offers
    store = open_store(options)
    kept = store.read().offers
    declined = {one.key for one in kept.values() if one.fate is Fate.DECLINED}
    for key in again:
        if key not in declined:
            names = ", ".join(sorted(declined))
            raise UsageError(
                f"--again {key}: nothing of that key was declined.",
                hint=f"Declined are: {names}." if names else f"The state in {store.location} has nothing declined.",
            )
    store.record_offers(lambda standing: _without(standing, again), message=f"Proposed again: {', '.join(again)}")
    return _without({**offers, **kept}, again)


def _without(offers: Offers, keys: Sequence[str]) -> Offers:
    return {fingerprint: one for fingerprint, one in offers.items() if one.key not in keys}


def _named(keys: Sequence[str], found: Sequence[Proposal]) -> tuple[Proposal, ...]:
    by_key = {one.key: one for one in found}
    for key in keys:
        if key not in by_key:
            hint = did_you_mean(key, list(by_key), "`reconciler propose` lists what is proposed.")
            raise UsageError(f"{key} is not proposed.", hint=hint)
    return tuple(by_key[key] for key in dict.fromkeys(keys))


def _wanted(made: Sequence[Proposal], *, likely: bool, named: bool, writes: bool) -> list[Proposal]:
    """Those whose edits are to be made: the named ones, else those that are sure enough."""
    if named:
        for one in made:
            if one.edit is None and writes:
                raise UsageError(f"{one.key}: only a person can say what to write.", hint=f"Next: {one.command}")
        return [one for one in made if one.edit is not None]
    enough = {Confidence.SURE, Confidence.LIKELY} if likely else {Confidence.SURE}
    return [one for one in made if one.confidence in enough and one.edit is not None]


def _sum_up(
    made: Sequence[Proposal], wanted: Sequence[Proposal], edit: FileEdit, seen: Snapshot, *, write: bool
) -> None:
    counts = [f"{sum(one.confidence is how for one in made)} {how}" for how in Confidence]
    tell(f"{plural(len(made), 'proposal')}: {', '.join(counts)}." if made else "0 proposals.")
    if not wanted:
        if write:
            tell("Nothing was written: nothing is sure." if made else "Nothing was written.")
        return
    plan = make_plan(edit.mappings, seen.observation, seen.recorded, PlanOptions())
    for refusal in plan.refusals:
        tell(safe(f"With these edits the next run would be refused by {refusal.rule}: {refusal.message}."))
        tell(safe(f"  To do: {refusal.remedy}"))
    if write:
        tell(safe(f"Wrote {plural(len(wanted), 'proposal')} into {edit.path}. Next: {next_command('plan')}"))
