"""What `doctor` makes of the facts: one check a line, each with its fix. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.answers.needs import OVERDUE_AFTER
from reconciler.answers.words import named, plural
from reconciler.errors import ReconcilerError
from reconciler.model import InfimaClient, Mappings, MarkerField, Subscription, Tenant, UnreadableUsers, UserCount
from reconciler.moments import CLOCK_TOLERANCE, spelled
from reconciler.planning.rules import probe_command
from reconciler.state.recorded import BindingOrigin, HaloFacts, ProbeRecord, Recorded

SAMPLE = 10
"""How many clients' users are counted, to see whether INFIMA's client list has the same numbers."""

PROBE_TOLERANCE = timedelta(days=180)
"""HaloPSA is updated several times a year; an older probe is worth another one."""


class CheckStatus(StrEnum):
    """How a check ended."""

    OK = "ok"
    LOOK = "look"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the check-up. `fix` is the next step, empty where nothing needs one."""

    name: str
    status: CheckStatus
    message: str
    fix: str = ""


def ok(name: str, message: str) -> Check:
    """All is well."""
    return Check(name=name, status=CheckStatus.OK, message=message)


def look(name: str, message: str, fix: str) -> Check:
    """It works, and somebody should know this."""
    return Check(name=name, status=CheckStatus.LOOK, message=message, fix=fix)


def failed(name: str, message: str, fix: str) -> Check:
    """It does not work."""
    return Check(name=name, status=CheckStatus.FAILED, message=message, fix=fix)


def skipped(name: str, why: str) -> Check:
    """It could not be tried."""
    return Check(name=name, status=CheckStatus.SKIPPED, message=f"not tried: {why}")


def from_error(name: str, error: ReconcilerError) -> Check:
    """A check that ended in an error."""
    first = error.message.splitlines()[0] if error.message else type(error).__name__
    return failed(name, first, error.hint)


def connected(checks: Iterable[Check]) -> bool:
    """True when nothing failed."""
    return all(check.status is not CheckStatus.FAILED for check in checks)


def verdict(checks: Sequence[Check]) -> str:
    """The last line."""
    bad = sum(check.status is CheckStatus.FAILED for check in checks)
    notes = sum(check.status is CheckStatus.LOOK for check in checks)
    if bad:
        return f"Not connected: {plural(bad, 'check')} failed."
    if notes:
        return f"Connected. {notes} {'thing is' if notes == 1 else 'things are'} worth a look."
    return "Connected."


def check_scopes(granted: frozenset[str] | None, needed: Sequence[str]) -> Check:
    """The scopes that the token answer names against those that are needed."""
    name = "HaloPSA scopes"
    if granted is None:
        return ok(name, "HaloPSA does not say which it granted; each right is tried below")
    missing = [] if "all" in granted else sorted(set(needed) - granted)
    more = sorted(granted - set(needed) - {"read:softwarelicensing"})  # asked for where edit does not imply it
    if missing:
        fix = "In HaloPSA, tick them on the application's Permissions tab: nothing works without."
        return failed(name, f"not granted: {', '.join(missing)}", fix)
    if more:
        fix = f"Untick them on the application's Permissions tab: only {', '.join(needed)} are needed."
        return look(name, f"more is granted than needed: {', '.join(more)}", fix)
    return ok(name, f"exactly {', '.join(needed)}")


def check_clients(mappings: Mappings | None, clients: Sequence[InfimaClient]) -> Check:
    """Whether the key sees the clients that the file names: one that is limited to a client sees only that."""
    name = "INFIMA clients"
    listed = {client.id for client in clients}
    wanted = {ref.id for m in mappings.mappings if not m.retired for ref in m.infima_clients} if mappings else set()
    missing = sorted(wanted - listed)
    if not clients:
        return failed(name, "the list is empty", "Check that INFIMA_API_KEY is a partner-level key.")
    if len(clients) == 1 and (len(wanted) > 1 or not wanted):
        fix = "Make a partner-level key: INFIMA > Settings > Integrations > API Keys."
        status = failed if missing else look
        return status(name, "only one is listed: the key is probably limited to that client", fix)
    if missing:
        shown = ", ".join(str(number) for number in missing[:5]) + (", ..." if len(missing) > 5 else "")  # noqa: PLR2004
        fix = "Set retired: true for those that have left; plan holds the others (client-missing)."
        return look(name, f"{len(clients)} listed; {len(missing)} mapped ones are not among them: {shown}", fix)
    return ok(name, f"{len(clients)} listed")


def sample_of(mappings: Mappings | None, clients: Sequence[InfimaClient]) -> tuple[InfimaClient, ...]:
    """The clients worth counting: mapped ones first, and those with inactive users, which tell the two apart."""
    wanted = {ref.id for m in mappings.mappings for ref in m.infima_clients} if mappings else set()
    ranked = sorted(clients, key=lambda c: (c.id not in wanted, -(c.inactive_user_count or 0), c.id))
    return tuple(ranked[:SAMPLE])


def check_counters(sample: Sequence[InfimaClient], counts: Sequence[UserCount | UnreadableUsers]) -> Check:
    """Whether `user_count` on the client list equals the counted active users, so that it may be trusted."""
    name = "INFIMA counts"
    read = {count.client_id: count for count in counts if isinstance(count, UserCount)}
    if not read:
        why = next((count.reason for count in counts if isinstance(count, UnreadableUsers)), "no client has users")
        return failed(name, f"no client's users could be read: {why}", "Check that the key may read users.")
    pairs = [(client, read[client.id]) for client in sample if client.id in read]
    if all(client.user_count is None for client, _ in pairs):
        return ok(name, "the client list has no user_count: keep count: active_users, the default")
    wrong = [(client, count) for client, count in pairs if client.user_count != count.active]
    if not wrong:
        return ok(
            name, f"user_count equals the active users of all {len(pairs)} clients tried: client_record may be used"
        )
    client, count = wrong[0]
    meaning = "all users" if client.user_count == count.listed else "something else"
    return look(
        name,
        f"user_count is not the number of active users for {len(wrong)} of {len(pairs)} clients tried, such as "
        f"{named(client)}: it says {client.user_count}, {count.active} are active. It seems to "
        f"count {meaning}",
        "Keep count: active_users, the default; client_record would give another number.",
    )


def check_marker(mappings: Mappings | None, recorded: Recorded, listing: Sequence[Subscription]) -> Check:
    """Whether HaloPSA gives markers back on the Subscriptions that this program made."""
    name = "Marker"
    field = mappings.settings.marker_field if mappings else MarkerField.SNOWID
    if field is MarkerField.NONE:
        return look(name, "switched off", "Bindings live in the state only: keep the state safe.")
    live = {s.id: s for s in listing if s.live}
    made = [
        live[b.subscription_id]
        for b in recorded.bindings.values()
        if b.origin is BindingOrigin.CREATED and b.subscription_id in live
    ]
    back = sum(s.marker is not None for s in made)
    keys = {m.key for m in mappings.mappings} if mappings else set()
    marked = sum(s.marker in keys for s in live.values())
    if made and back < len(made):
        fix = "The recorded bindings carry on alone: keep the state safe, or name another settings.marker_field."
        return look(name, f"{len(made) - back} of {len(made)} created Subscriptions lost their {field}", fix)
    if marked:
        return ok(name, f"{marked} Subscriptions carry their mapping's key in {field}")
    found = (recorded.halo.probe.answers if recorded.halo.probe else {}).get(f"marker-{field}", "")
    if found.startswith("yes:"):
        return ok(name, f"{field}; the probe found that HaloPSA keeps it")
    if found.startswith("no:"):
        return look(name, f"{field}; the probe found {found[4:]}", f"See what to do: {probe_command()}, docs/probe.md")
    return ok(name, f"{field}; whether HaloPSA keeps it shows with the first create")


def check_state(recorded: Recorded, location: str, tenant: Tenant | None, *, unfinished: int) -> Check:
    """What the state holds, and whether it belongs to these two systems."""
    name = "State"
    known = recorded.tenant
    if known is not None and tenant is not None and known != tenant:
        fix = "Check HALO_URL, INFIMA_API_KEY and --state: every plan is refused (wrong-tenant)."
        return failed(name, f"{location} belongs to {known.halo_url} and {known.infima_partner!r}", fix)
    if not recorded.durable:
        fix = (
            "Use --state git:reconciler-state, or name a directory that is kept; until then no Subscription is created."
        )
        return look(name, f"{location} dies with this CI job", fix)
    if recorded.attempts:
        first = min(recorded.attempts)
        fix = f"Nothing, if you can wait. Sooner: reconciler explain {first}"
        return look(name, f"{location}: {len(recorded.attempts)} creates without an answer, such as {first}", fix)
    if unfinished:
        fix = "If none is running now, the next apply heals what they left."
        return look(name, f"{location}: {unfinished} runs without an end, crashed or under way", fix)
    return ok(name, f"{location}: {len(recorded.bindings)} bindings; a write was tried")


def check_proxy(used: str, unused: str) -> Check:
    """Which proxy is used; a variable that names one and is not followed is worth a look."""
    name = "Proxy"
    if used:
        return ok(name, f"RECONCILER_PROXY: {used}")
    if unused:
        fix = "Where this machine needs a proxy, set RECONCILER_PROXY to its address; no other variable is followed."
        return look(name, f"{unused} is set and is not used: both systems are reached directly", fix)
    return ok(name, "none")


def check_habits(facts: HaloFacts) -> Check:
    """What earlier runs have found out about this HaloPSA, and this program therefore does."""
    name = "HaloPSA's habits"
    if not facts.update_members and facts.probe and facts.probe.answers.get("update-alone", "").startswith("yes:"):
        return ok(name, "the probe found that an update needs an id and a count, and nothing else")
    if not facts.update_members:
        return ok(name, "nothing unusual was seen yet: an update is an id and a count")
    return ok(name, f"an update must also hold {', '.join(facts.update_members)}, unchanged; every update does")


def check_probe(recorded: Recorded, halo_url: str | None, now: datetime) -> Iterator[Check]:
    """What the newest probe of this HaloPSA found, how old it is, and whether one was cut off."""
    name, probed = "Probe", recorded.halo.probe_of(halo_url or "")
    again = f"Ask again, on a throw-away customer: {probe_command()}"
    for cut_off in recorded.probes:
        began = spelled(cut_off.recorded_at, now.tzinfo)
        told = f"one at customer {cut_off.customer_id} began on {began} and did not see all that it made stand at 0"
        yield look(name, told, f"It is finished by the next: {probe_command(str(cut_off.customer_id))}")
    if probed is None:
        told = "this HaloPSA was not asked yet; the worse case is assumed of what no documentation tells"
        yield Check(name=name, status=CheckStatus.OK, message=told, fix=f"Ask it: {probe_command()}")
        return
    for why in probed.unfit.values():
        yield failed(name, f"every apply is refused (halo-unfit): {why}", f"Send probe.json to the project. {again}")
    for advice in probed.advice:
        yield look(name, advice, again)
    old = now - probed.at > PROBE_TOLERANCE
    yield (look(name, _findings(probed, now), again) if old else ok(name, _findings(probed, now)))


def _findings(probed: ProbeRecord, now: datetime) -> str:
    answers = probed.answers
    days = (now - probed.at).days
    tally = {word: sum(answer.startswith(f"{word}:") for answer in answers.values()) for word in ("yes", "no")}
    untold = len(answers) - sum(tally.values())
    when = f"{spelled(probed.at, now.tzinfo)}, {plural(days, 'day')} ago"
    no = [f"{name} ({answer[4:]})" for name, answer in answers.items() if answer.startswith("no:")]
    told = f"{when}: {tally['yes']} yes, {tally['no']} no, {untold} could not be told"
    return f"{told}. No: {'; '.join(no)}" if no else told


def check_last_run(recorded: Recorded, now: datetime) -> Check:
    """How long ago a run ended well; `now` is in the file's time zone."""
    name = "Last good run"
    last = recorded.last_good_run
    if last is None:
        return ok(name, "none yet")
    hours = int((now - last) / timedelta(hours=1))
    when = f"{spelled(last, now.tzinfo)}, {hours} h ago"
    if now - last > OVERDUE_AFTER:
        return look(name, when, "See whether the nightly run still runs, and what it holds: reconciler status")
    return ok(name, when)


def check_clock(ahead: timedelta | None) -> Check:
    """Whether this machine and the servers agree on the time."""
    name = "Clock"
    if ahead is None:
        return ok(name, "the servers do not tell their time")
    seconds = round(ahead.total_seconds())
    if abs(ahead) > CLOCK_TOLERANCE:
        way = "ahead of" if seconds > 0 else "behind"
        fix = "Set this machine's clock (time synchronisation): ages and `until` dates are judged by it."
        return look(name, f"this machine is {abs(seconds)} s {way} the servers", fix)
    return ok(name, "agrees with the servers")
