"""Whatever both systems look like: what is written is valid, disturbs nothing, is not proposed again, makes no twin."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.answers.proposals import Confidence, Proposal, ProposalKind, apply_proposals, suggest
from reconciler.config import parse_mappings
from reconciler.errors import DecisionRefused
from reconciler.model import HaloCustomer, InfimaClient, InfimaClientId, Observation, Subscription
from reconciler.plan import diff
from reconciler.planning.changes import Action, Plan
from reconciler.safety.check import check
from reconciler.state.recorded import MissingNights, Recorded
from tests.builders import NOW, TEMPLATE, build_observation, build_subscription
from tests.core import build_binding, build_client, build_count, build_customer

TODAY = NOW.date()
NAMES = st.sampled_from(
    (
        *("Acme", "ACME Ltd", "Acme Dental", "Acme North", "Acme South", "Borealis", "borealis  GmbH", "Corvid Labs"),
        *("Corvid-Labs", "Dünmore", "Duenmore", "School 1", "School 2", 'Quote "x"', "# no comment", "{a: b}"),
        *("Zephyr Cycles", "Cycles Zephyr", "Quarry Sport", "Tidewater Yoga", "- [x]", "~", "no", "\u200b"),
    )
)
OURS = st.sampled_from([TEMPLATE, "Awareness training by hand", "infima", "Microsoft 365 Business"])


@dataclass(frozen=True)
class Scene:
    """A file, both systems and the state."""

    text: str
    observation: Observation
    recorded: Recorded

    def proposals(self) -> tuple[Proposal, ...]:
        mappings = parse_mappings(self.text, file="mappings.yaml", now=NOW)
        return suggest(mappings, self.observation, self.recorded, text=self.text)

    def with_text(self, text: str) -> Scene:
        return replace(self, text=text)


def spelled(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\u200b", "x") + '"'


@st.composite
def any_scenes(draw: st.DrawFn) -> Scene:
    """Up to eight clients and customers; some mapped under today's names or others, some ignored, some gone."""
    numbers = st.integers(0, 7)
    clients = [build_client(101 + n, draw(NAMES)) for n in sorted(draw(st.sets(numbers, max_size=7)))]
    named = {client.id: client.name for client in clients}
    customers = [
        build_customer(11 + n, named.get(101 + n, "X") if draw(st.integers(0, 2)) else draw(NAMES), inactive=closed)  # type: ignore[call-overload]
        for n in sorted(draw(st.sets(numbers, min_size=1, max_size=7)))
        for closed in [draw(st.integers(0, 5)) == 0]
    ]
    rows = [_row(draw, place) for place in range(draw(st.integers(0, 5)))]
    lines, bindings = ["version: 1", "mappings: # what is billed"], []
    mapped = sorted(draw(st.sets(numbers, max_size=4)))
    for n in mapped:
        lines += _entry(draw, n, clients, customers)
        if draw(st.booleans()):
            bindings.append(build_binding(9001 + n, f"infima-{101 + n}", customer=11 + n))
            name = TEMPLATE
            rows.append(build_subscription(9001 + n, 11 + n, draw(st.integers(0, 30)), name=name))
    if len(lines) == 2:
        lines[1] = "mappings: []"
    if draw(st.booleans()):
        lines += ["", "approvals:", "  - rule: many-creates", "    up_to: 30", "    until: 2026-11-20"]
        lines += ['    reason: "x"  # said']
    ignored = [n for n in draw(st.sets(numbers, max_size=2)) if n not in mapped]
    if ignored:
        lines += ["ignore:"]
        lines += [f'  - {{infima_client: {{id: {101 + n}, name: "i"}}, reason: "r"}} # {n}' for n in ignored]
    missing = {
        InfimaClientId(101 + n): MissingNights(first=TODAY - timedelta(days=30), last=TODAY, nights=20)
        for n in [*mapped, *ignored]
    }
    observation = build_observation(
        clients=clients,
        counts=[build_count(client.id, draw(st.integers(0, 12))) for client in clients],
        customers=customers,
        subscriptions=rows,
    )
    recorded = Recorded(bindings={one.key: one for one in bindings}, missing=missing)
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    return Scene(newline.join(lines) + draw(st.sampled_from(["", newline])), observation, recorded)


def scenes() -> st.SearchStrategy[Scene]:
    """Those whose list of clients is not in doubt as a whole: else nothing is proposed."""
    return any_scenes().filter(_is_proposed)


def _is_proposed(scene: Scene) -> bool:
    try:
        scene.proposals()
    except DecisionRefused:
        return False
    return True


def _row(draw: st.DrawFn, place: int) -> Subscription:
    marker = draw(st.sampled_from([None, None, None, "infima-101", "infima-102", "infima-500", "other"]))
    return build_subscription(
        9100 + place,
        draw(st.integers(11, 18)),
        draw(st.integers(0, 12)),
        name=draw(OURS),
        marker=marker,
        is_active=draw(st.integers(0, 4)) > 0,
    )


def _entry(draw: st.DrawFn, n: int, clients: list[InfimaClient], customers: list[HaloCustomer]) -> list[str]:
    known = {one.id: one.name for one in clients}, {one.id: one.name for one in customers}
    names = [
        known[side].get(number, "Gone") if draw(st.integers(0, 3)) else draw(NAMES)  # type: ignore[call-overload]
        for side, number in enumerate((101 + n, 11 + n))
    ]
    more = draw(st.sampled_from(["", "fixed", "retired"]))
    entry = [
        f"  - infima_client: {{id: {101 + n}, name: {spelled(names[0])}}}  # client {n}",
        f"    halo_customer: {{id: {11 + n}, name: {spelled(names[1])}}}",
    ]
    if more == "fixed":
        entry.append('    quantity: {fixed: 4, reason: "c", until: 2026-12-10} # contract')
    if more == "retired":
        entry.append("    retired: true")
    return entry


def written(scene: Scene, *enough: Confidence) -> list[Proposal]:
    return [one for one in scene.proposals() if one.confidence in enough and one.edit is not None]


def planned(scene: Scene, made: list[Proposal]) -> Plan:
    """The plan of the file with these edits."""
    mappings = parse_mappings(apply_proposals(scene.text, made), file="mappings.yaml", now=NOW)
    plan = diff(mappings, scene.observation, scene.recorded)
    return check(plan, mappings.limits, (), mappings.approvals, today=TODAY)


GIVEN = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)


@GIVEN
@given(scenes())
def test_what_write_makes_is_valid_and_is_not_proposed_again(scene: Scene) -> None:
    for enough in ([Confidence.SURE], [Confidence.SURE, Confidence.LIKELY]):
        made = written(scene, *enough)
        after = scene.with_text(apply_proposals(scene.text, made))
        again = {one.key for one in after.proposals()}
        assert not again & {one.key for one in made}


@GIVEN
@given(scenes())
def test_every_proposal_can_be_written_alone(scene: Scene) -> None:
    for one in scene.proposals():
        if one.edit is not None:
            after = scene.with_text(apply_proposals(scene.text, [one]))
            assert one.key not in {other.key for other in after.proposals()}


GOING = {
    ProposalKind.APPROVAL_ENDED: r"approvals:|  - rule:.*|    (up_to|until|reason):.*",
    ProposalKind.IGNORE_GONE: r"ignore:|  - \{infima_client:.*",
    ProposalKind.NEW_MAPPING: r"mappings: \[\]",
    ProposalKind.ADOPT: r"mappings: \[\]",
}
"""The lines that an edit of this kind may take out."""


@GIVEN
@given(scenes())
def test_no_other_byte_moves(scene: Scene) -> None:
    """Names aside, lines are only added, but for those that were to go; line ends and comments stay."""
    made = written(scene, Confidence.SURE, Confidence.LIKELY)
    before, after = scene.text, apply_proposals(scene.text, made)
    assert ("\r\n" in after) == ("\r\n" in before)
    gone = Counter(_lines(before)) - Counter(_lines(after))
    may_go = [pattern for kind, pattern in GOING.items() if any(one.kind is kind for one in made)]
    assert [line for line in gone.elements() if line and not any(re.fullmatch(each, line) for each in may_go)] == []


def _lines(text: str) -> list[str]:
    return [re.sub(r'name: ".*"\}', "name: ...}", line) for line in text.splitlines()]


@GIVEN
@given(scenes())
def test_no_twin_is_made(scene: Scene) -> None:
    """What the next run would create: never beside a live Subscription for training that no mapping of ours bills."""
    made = written(scene, Confidence.SURE, Confidence.LIKELY)
    plan = planned(scene, made)
    new = {f"infima-{one.edit.clients[0].id}" for one in made if hasattr(one.edit, "clients")}
    creates = [c.mapping.halo_customer.id for c in plan.changes if c.action is Action.CREATE and c.hold is None]
    assert max(Counter(creates).values(), default=0) <= 1
    for change in plan.changes:
        if change.key not in new or change.action is not Action.CREATE:
            continue
        assert change.hold is None or change.hold.rule != "same-name"
        theirs = [row for row in scene.observation.subscriptions if row.customer_id == change.mapping.halo_customer.id]
        training = [row.id for row in theirs if row.live and row.name != "Microsoft 365 Business"]
        assert training == []


OF_A_NUMBER = {None, "zero", "decrease", "increase", "falling"}
"""Rules that hold a change because of its quantity."""


@GIVEN
@given(scenes())
def test_the_plan_doubts_no_mapping_that_is_called_sure_or_likely(scene: Scene) -> None:
    """Each edit that may change what is billed, made alone: tonight holds a number at most, never the mapping."""
    kinds = {ProposalKind.NEW_MAPPING, ProposalKind.ADOPT, ProposalKind.COMBINE, ProposalKind.RETIRE}
    for one in written(scene, Confidence.SURE, Confidence.LIKELY):
        if one.kind in kinds:
            key = one.key.replace("map-", "infima-").removeprefix("retire-")
            hold = next(change.hold for change in planned(scene, [one]).changes if change.key == key)
            assert (None if hold is None else hold.rule) in OF_A_NUMBER
