"""The safety rules about the state: whose it is, whether it lasts, and how many creates it would answer for. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from reconciler.moments import spelled
from reconciler.planning.changes import Action, Plan, Violation
from reconciler.planning.rules import Rule, allow_command, probe_command
from reconciler.safety.counts import RuleInput

VANISHED_BINDINGS = 3
"""From so many recorded ids on, all of them missing at once speaks of another tenant, not of deletions."""


def wrong_tenant(given: RuleInput) -> Iterator[Violation]:
    """The state belongs to another Halo instance or INFIMA partner, or every recorded Subscription is gone at once."""
    facts, tenant = given.plan.facts, given.plan.tenant
    known = facts.recorded_tenant
    remedy = f"check HALO_URL, INFIMA_API_KEY and --state; if it is right, run: {allow_command('', Rule.WRONG_TENANT)}"
    if known is not None and known != tenant:
        yield Violation(
            rule=Rule.WRONG_TENANT,
            name="",
            message=(
                f"the state belongs to {known.halo_url} and INFIMA partner {known.infima_partner!r}, this run reads "
                f"{tenant.halo_url} and {tenant.infima_partner!r}"
            ),
            remedy=remedy,
        )
    elif facts.bindings >= VANISHED_BINDINGS and facts.bindings_found == 0:
        yield Violation(
            rule=Rule.WRONG_TENANT,
            name="",
            message=f"HaloPSA knows none of the {facts.bindings} recorded Subscriptions any more",
            remedy=remedy,
            measured=0,
            limit=facts.bindings,
        )


def halo_unfit(given: RuleInput) -> Iterator[Violation]:
    """A probe has found that this HaloPSA cannot be written safely: only a newer probe takes it back."""
    facts = given.plan.facts
    if facts.unfit:
        asked = f" of {spelled(facts.probed_at, UTC)}" if facts.probed_at else ""
        yield Violation(
            rule=Rule.HALO_UNFIT,
            name="",
            message=f"the probe{asked} found that this HaloPSA cannot be written safely: {'; '.join(facts.unfit)}",
            remedy=f"send probe.json to the project; after an update of HaloPSA ask again: {probe_command()}",
        )


def many_creates(given: RuleInput) -> Iterator[Violation]:
    """More new Subscriptions at once than anybody expects of one night."""
    creates = sum(c.action is Action.CREATE and c.key not in given.stopped for c in given.plan.changes)
    limit = given.limits.max_creates
    noun = "Subscription" if creates == 1 else "Subscriptions"
    if creates > limit:
        yield Violation(
            rule=Rule.MANY_CREATES,
            name="",
            message=f"{creates} {noun} would be created, the limit is {limit}{_first_run(given.plan)}",
            remedy=(
                f"if this is the first run, run: {allow_command('', Rule.MANY_CREATES)}; else check the state and "
                "the marker field; or raise limits.max_creates"
            ),
            measured=creates,
            limit=limit,
        )


def _first_run(plan: Plan) -> str:
    """A word about it where nothing of ours exists yet: then that many creates are to be expected."""
    ours = plan.facts.bindings or any(change.before is not None for change in plan.changes)
    return "" if ours else "; nothing of this file is in HaloPSA yet, so this looks like a first run"


def non_durable_state(given: RuleInput) -> Iterator[Violation]:
    """A create in CI while the state lives in the default directory, which dies with the job."""
    if given.plan.facts.durable:
        return
    for change in given.plan.changes:
        if change.action is Action.CREATE:
            yield Violation(
                rule=Rule.STATE_NOT_DURABLE,
                name=change.key,
                message=(
                    "the record of this create would be lost with the CI job, and a lost answer could then lead to "
                    "a second Subscription"
                ),
                remedy=(
                    "keep the state: --state git:reconciler-state, or name a directory that outlives the job with "
                    "--state directory:PATH or RECONCILER_STATE; for this once, run: "
                    f"{allow_command(change.key, Rule.STATE_NOT_DURABLE)}"
                ),
            )
