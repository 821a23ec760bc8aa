"""What is proposed, how sure it is, and that each edit keeps every other byte."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.answers import matching
from reconciler.answers.proposals import Confidence, ProposalKind, apply_proposals, standing, suggest
from reconciler.errors import DecisionRefused
from reconciler.model import MappingKey
from reconciler.state.recorded import Fate, Offer, Recorded
from tests.answers.proposing import Proposing
from tests.builders import NOW
from tests.stage import TEMPLATE

Kind, How = ProposalKind, Confidence
ENDED = """approvals:
  - rule: decrease
    key: infima-101
    quantity: {from: 1, to: 5}
    until: 2026-11-21
    reason: "ticket 4711"
"""
IGNORED = 'ignore:\n  - infima_client: {id: 999, name: "Own staff"}\n    reason: "ours"\n'


@pytest.fixture
def stage(tmp_path: Path) -> Proposing:
    made = Proposing(tmp_path)
    made.world.add_client(142, "Zephyr Cycles", active=17)
    made.world.add_customer(71, "Zephyr Cycles Ltd")
    return made


def test_nothing_is_proposed_for_a_file_that_is_true(tmp_path: Path) -> None:
    assert Proposing(tmp_path).proposals() == {}


# ---- new clients ----------------------------------------------------------------------------------------------------


def test_a_new_client_with_the_one_customer_of_its_name_is_sure(stage: Proposing) -> None:
    one = stage.proposals()["map-142"]

    assert (one.kind, one.confidence, one.users) == (Kind.NEW_MAPPING, How.SURE, 17)
    assert one.tonight == "a new Subscription with the quantity 17"
    assert one.command == "reconciler propose --write map-142"
    before = stage.text
    stage.write([one])
    assert stage.text == before + (
        '  - infima_client: {id: 142, name: "Zephyr Cycles"}\n    halo_customer: {id: 71, name: "Zephyr Cycles Ltd"}\n'
    )
    assert stage.proposals() == {}


def test_a_branch_beside_it_makes_it_a_question(stage: Proposing) -> None:
    stage.world.add_customer(72, "Zephyr Freight")
    one = stage.proposals()["map-142"]
    assert (one.confidence, one.command) == (How.ASK, "reconciler map 142 --customer 71")
    assert "Other customers have names near this one: Zephyr Freight (72)." in one.evidence


@pytest.mark.parametrize("name", ["Acme MSP Ltd", "ACME MSP (internal)"])
def test_the_partners_own_staff_is_never_billed_by_itself(tmp_path: Path, name: str) -> None:
    stage = Proposing(tmp_path)
    stage.world.partner = "Acme MSP"
    stage.world.add_client(142, name, active=17)
    stage.world.add_customer(71, name)
    one = stage.proposals()["map-142"]
    assert one.confidence is How.ASK
    assert any(line.endswith("reconciler map 142 --ignore 'our own staff'") for line in one.evidence)


def test_another_spelling_is_likely(stage: Proposing) -> None:
    stage.world.customers[71]["name"] = "Cycles Zephyr"
    assert stage.proposals()["map-142"].confidence is How.LIKELY


def test_a_subscription_that_is_over_makes_it_a_question(stage: Proposing) -> None:
    """Somebody ended it, perhaps because this customer is billed no more."""
    stage.world.add_licence(71, "Infima 2024", 15, licence_id=9044, is_active=False)
    one = stage.proposals()["map-142"]
    assert one.confidence is How.ASK
    said = "It had Subscription 9044 'Infima 2024' (inactive), quantity 15: is it not billed any more, on purpose?"
    assert said in one.evidence


def test_a_client_that_no_customer_is_like_is_for_a_person(stage: Proposing) -> None:
    stage.world.customers[71]["name"] = "Quarry"
    one = stage.proposals()["map-142"]
    assert (one.confidence, one.edit, one.customer, one.command) == (How.ASK, None, "", "reconciler map 142")


@pytest.mark.parametrize(
    ("quantity", "confidence"), [(17, How.LIKELY), (19, How.LIKELY), (15, How.LIKELY), (20, How.ASK), (0, How.ASK)]
)
def test_a_subscription_that_resembles_is_taken_over_where_its_quantity_fits(
    stage: Proposing, quantity: int, confidence: Confidence
) -> None:
    stage.world.add_licence(71, "Awareness Training by hand (INFIMA)", quantity, licence_id=9300)
    one = stage.proposals()["map-142"]

    assert (one.kind, one.confidence) == (Kind.ADOPT, confidence)
    assert "9300" in one.title
    stage.write([one])
    stage.apply()
    assert [row["id"] for row in stage.world.live_subscriptions() if row["client_id"] == 71] == [9300]


def test_several_that_may_be_meant_are_for_a_person(stage: Proposing) -> None:
    for number in (9300, 9301):
        stage.world.add_licence(71, TEMPLATE, 17, licence_id=number)
    one = stage.proposals()["map-142"]
    assert (one.kind, one.confidence, one.edit) == (Kind.ADOPT, How.ASK, None)
    assert one.command == "reconciler map 142"  # it asks which


def test_one_whose_last_day_is_over_is_for_a_person(stage: Proposing) -> None:
    """Taking it over would only be held: an ended Subscription bills nobody."""
    stage.world.add_licence(71, TEMPLATE, 17, licence_id=9300, end_date="2025-01-01T00:00:00")
    one = stage.proposals()["map-142"]
    assert (one.kind, one.confidence, one.edit, one.command) == (Kind.ADOPT, How.ASK, None, "reconciler map 142")
    assert "its Subscription 9300 is over" in one.title
    assert any("(until 1 Jan 2025)" in line for line in one.evidence)


def test_one_that_is_over_is_for_a_person(stage: Proposing) -> None:
    stage.world.add_licence(71, TEMPLATE, 17, licence_id=9300, is_active=False)
    one = stage.proposals()["map-142"]
    assert (one.kind, one.confidence, one.edit) == (Kind.ADOPT, How.ASK, None)


def test_other_subscriptions_of_the_customer_are_no_reason_to_ask(stage: Proposing) -> None:
    stage.world.add_licence(71, "Microsoft 365 Business", 17, licence_id=9300)
    assert stage.proposals()["map-142"].confidence is How.SURE


def test_a_subscription_that_another_mapping_claims_makes_it_a_question(stage: Proposing) -> None:
    """Somebody moved it there, or copied it with its marker: a second one would bill twice all the same."""
    stage.world.person_moves(9001, 71)
    one = stage.proposals()["map-142"]
    assert (one.kind, one.confidence) == (Kind.NEW_MAPPING, How.ASK)
    assert "9001" in one.evidence[-1]


def test_a_customer_that_is_mapped_already_is_asked_about_and_never_sure(tmp_path: Path) -> None:
    stage = Proposing(tmp_path)
    stage.world.add_client(142, "ACME Dental", active=30)
    one = stage.proposals()["map-142"]

    assert (one.kind, one.confidence) == (Kind.COMBINE, How.ASK)
    assert one.command == "reconciler map 142 --customer 11 --key infima-101"
    assert one.evidence[-1] == "For a second one: reconciler map 142 --customer 11 --key infima-142"
    assert one.tonight.startswith("held by increase")
    stage.write([one])
    assert [ref.id for ref in stage.mappings().mappings[0].infima_clients] == [101, 142]
    assert stage.proposals() == {}


def test_a_customer_whose_mapping_is_retired_is_a_question(tmp_path: Path) -> None:
    stage = Proposing(tmp_path, c106="    retired: true")
    stage.world.infima_clients[106].name = "Another"
    stage.world.add_client(142, "Fenwick Law", active=17)
    one = stage.proposals()["map-142"]
    assert (one.kind, one.confidence) == (Kind.NEW_MAPPING, How.ASK)
    assert "The customer was billed through infima-106, which is retired." in one.evidence


def test_one_whose_key_is_taken_hides_nothing_of_the_others(stage: Proposing) -> None:
    stage.text = stage.text.replace("  - infima_client: {id: 106", "  - key: infima-142\n    infima_client: {id: 106")
    stage.world.add_client(143, "Quarry Sport", active=9)
    stage.world.add_customer(72, "Quarry Sport")
    stage.world.add_licence(72, TEMPLATE, 9, licence_id=9300)
    found = stage.proposals()
    assert (found["map-142"].confidence, found["map-142"].edit) == (How.ASK, None)
    assert "infima-142" in found["map-142"].evidence[-1]
    assert (found["map-143"].kind, found["map-143"].confidence) == (Kind.ADOPT, How.LIKELY)


# ---- what the plan of the edited file doubts ------------------------------------------------------------------------


def test_a_customer_that_another_ones_mapping_bills_is_asked_about_with_the_plans_reason(stage: Proposing) -> None:
    """The Subscription of infima-101 went to this customer, under a name that says nothing of training."""
    stage.apply()
    stage.world.licences[9001]["name"] = "Microsoft 365 Business"
    stage.world.person_moves(9001, 71)
    one = stage.proposals()["map-142"]

    assert (one.kind, one.confidence, one.tonight) == (Kind.NEW_MAPPING, How.ASK, "held by same-name")
    assert one.evidence[-1].startswith(
        "With this edit the plan holds the mapping: Zephyr Cycles Ltd is billed through the mapping infima-101 "
    )
    assert one.evidence[-1].endswith("may bill it twice (same-name).")
    assert one.command == "reconciler map 142 --customer 71"


def test_a_mapping_that_may_be_retired_hides_no_doubt_about_another_one(stage: Proposing) -> None:
    stage.apply()
    stage.world.licences[9001]["name"] = "Microsoft 365 Business"
    stage.world.person_moves(9001, 71)
    stage.world.customers[11]["inactive"] = True
    del stage.world.infima_clients[101]
    stage.missing = {101: 20}
    found = stage.proposals()
    assert (found["map-142"].confidence, found["retire-infima-101"].confidence) == (How.ASK, How.ASK)
    assert found["map-142"].tonight == "held by same-name"


def test_a_new_client_beside_a_state_that_was_lost_is_a_question(stage: Proposing) -> None:
    stage.apply()
    one = stage.proposals(Recorded())["map-142"]
    assert (one.confidence, one.tonight) == (How.ASK, "held by state-lost")


def test_one_that_fits_is_a_question_where_another_one_has_the_marker(stage: Proposing) -> None:
    stage.world.add_licence(71, TEMPLATE, 17, licence_id=9300)
    stage.world.add_licence(13, TEMPLATE, 0, licence_id=9301, snowid="infima-142")
    one = stage.proposals()["map-142"]
    assert (one.kind, one.confidence, one.tonight) == (Kind.ADOPT, How.ASK, "held by identity-conflict")
    assert one.command == "reconciler map 142 --customer 71 --subscription 9300"


@pytest.mark.parametrize("quantity", [0, 16])
def test_a_marker_that_only_another_proposal_brings_back_makes_no_question_of_this_one(
    stage: Proposing, quantity: int
) -> None:
    stage.world.add_client(143, "Quarry Sport", active=9)
    stage.world.add_customer(72, "Quarry Sport")
    stage.world.add_licence(72, "Microsoft 365 Business", quantity, licence_id=9300, snowid="infima-143")
    assert stage.proposals()["map-142"].confidence is How.SURE


def test_users_that_were_not_read_tonight_say_nothing_against_a_mapping(stage: Proposing) -> None:
    seen = stage.seen()
    counts = tuple(one for one in seen.observation.user_counts if one.client_id != 142)
    observation = replace(seen.observation, user_counts=counts)
    one = next(o for o in suggest(stage.mappings(), observation, seen.recorded, text=stage.text) if o.key == "map-142")
    assert (one.confidence, one.tonight.partition(":")[0]) == (How.SURE, "held by client-unreadable")


# ---- names ----------------------------------------------------------------------------------------------------------


def test_the_name_of_an_existing_subscription_follows(tmp_path: Path) -> None:
    stage = Proposing(tmp_path)
    stage.world.customers[11]["name"] = 'Acme "Dental" Group'
    one = stage.proposals()["name-infima-101-customer"]

    assert (one.kind, one.confidence, one.tonight) == (Kind.RENAME, How.SURE, "nothing")
    before = stage.text
    stage.write([one])
    assert stage.text == before.replace('11, name: "Acme Dental"', '11, name: "Acme \\"Dental\\" Group"')
    assert stage.proposals() == {}


@pytest.mark.parametrize(
    ("client", "name", "confidence"),
    [(101, "Raven Holdings", How.LIKELY), (105, "Eastgate Homes South", How.ASK), (101, "Corvid Labs", How.LIKELY)],
)
def test_a_name_that_may_be_a_mistyped_id_is_not_sure(
    tmp_path: Path, client: int, name: str, confidence: Confidence
) -> None:
    """Nothing in common; a Subscription that is still to be made."""
    stage = Proposing(tmp_path)
    stage.world.infima_clients[client].name = name
    assert stage.proposals()[f"name-infima-{client}-client-{client}"].confidence is confidence


def test_a_name_beside_an_id_in_doubt_is_a_question(tmp_path: Path) -> None:
    """The Subscription stands at another customer than the file says: the id may be the slip, the name the truth."""
    stage = Proposing(tmp_path)
    stage.apply()
    stage.text = stage.text.replace('{id: 11, name: "Acme Dental"}', '{id: 71, name: "Acme Dental"}')
    stage.world.customers[11]["name"] = "Acme Dental Group"
    stage.world.add_customer(71, "Acme Foundry")
    one = stage.proposals()["name-infima-101-customer"]
    assert one.confidence is How.ASK
    assert "The mapping is held by moved: the name may be right, and the id wrong." in one.evidence


def test_swapped_names_are_a_question(tmp_path: Path) -> None:
    stage = Proposing(tmp_path)
    one, two = stage.world.infima_clients[101], stage.world.infima_clients[102]
    one.name, two.name = two.name, one.name
    assert {each.confidence for each in stage.proposals().values()} == {How.ASK}


# ---- who is gone ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nights", "quantity", "inactive", "confidence"),
    [
        (14, 0, False, How.SURE),
        (14, 12, True, How.LIKELY),
        (14, 0, True, How.SURE),
        (14, 12, False, None),
        (13, 0, True, None),
    ],
)
def test_retired_is_proposed_after_fourteen_nights_where_nobody_is_billed_or_the_customer_is_inactive(
    tmp_path: Path, nights: int, quantity: int, *, inactive: bool, confidence: Confidence | None
) -> None:
    stage = Proposing(tmp_path)
    del stage.world.infima_clients[103]
    stage.missing = {103: nights}
    stage.world.licences[9003]["count"] = quantity
    stage.world.customers[13]["inactive"] = inactive
    one = stage.proposals().get("retire-infima-103")

    assert (None if one is None else one.confidence) == confidence
    if one is not None:
        stage.write([one])
        assert stage.text.count("retired: true") == 1
        assert stage.proposals() == {}
        stage.apply()
        assert stage.count_of(9003) == 0


def test_who_is_listed_again_is_not_retired(tmp_path: Path) -> None:
    stage = Proposing(tmp_path)
    stage.missing, stage.world.licences[9003]["count"] = {103: 20}, 0
    assert stage.proposals() == {}


def test_an_ignored_client_that_is_gone_is_likely_and_never_sure(tmp_path: Path) -> None:
    stage = Proposing(tmp_path, IGNORED)
    stage.missing = {999: 15}
    one = stage.proposals()["ignore-999"]
    assert (one.kind, one.confidence) == (Kind.IGNORE_GONE, How.LIKELY)
    stage.write([one])
    assert "ignore" not in stage.text
    stage.missing = {}
    assert stage.proposals() == {}


# ---- days -----------------------------------------------------------------------------------------------------------


def test_an_approval_that_has_ended_is_removed(tmp_path: Path) -> None:
    stage = Proposing(tmp_path, ENDED)
    one = stage.proposals()["approval-decrease-infima-101"]
    assert (one.kind, one.confidence, one.tonight) == (Kind.APPROVAL_ENDED, How.SURE, "nothing")
    before = stage.text
    stage.write([one])
    assert stage.text == before.removesuffix(ENDED)


def test_a_contract_that_ends_gets_one_comment_at_its_line(tmp_path: Path) -> None:
    stage = Proposing(tmp_path, c103='    quantity: {fixed: 40, reason: "contract", until: 2026-12-20}')
    one = stage.proposals()["fixed-infima-103"]
    assert (one.kind, one.confidence, one.users) == (Kind.FIXED_ENDS, How.SURE, 40)
    before = stage.text
    stage.write([one])
    assert stage.text == before.replace(
        "    quantity: {fixed",
        "    # infima-103: fixed 40 ends 2026-12-20; INFIMA's count on 2026-11-22 is 12. Renew until, or delete fixed, "
        "reason and until.\n    quantity: {fixed",
    )
    assert stage.proposals() == {}
    stage.text = stage.text.replace("until: 2026-12-20", "until: 2026-12-21")
    assert set(stage.proposals()) == {"fixed-infima-103"}


def test_a_contract_that_ends_later_or_has_ended_is_left_alone(tmp_path: Path) -> None:
    for day in ("2026-12-23", "2026-11-21"):
        stage = Proposing(tmp_path / day, c103=f'    quantity: {{fixed: 40, reason: "c", until: {day}}}')
        assert stage.proposals() == {}


# ---- Subscriptions that no mapping has ------------------------------------------------------------------------------


def test_an_unmanaged_subscription_of_a_listed_client_comes_back_into_the_file(stage: Proposing) -> None:
    stage.world.add_licence(71, TEMPLATE, 16, licence_id=9300, snowid="infima-142")
    [one] = stage.proposals().values()

    assert (one.key, one.kind, one.confidence) == ("unmanaged-9300", Kind.UNMANAGED, How.ASK)
    assert one.tonight == "Subscription 9300: 16 -> 17"
    stage.write([one])
    assert stage.proposals() == {}


def test_one_whose_client_is_gone_comes_back_as_a_retired_mapping(tmp_path: Path) -> None:
    stage = Proposing(tmp_path)
    stage.world.add_licence(13, TEMPLATE, 16, licence_id=9300, snowid="infima-500")
    [one] = stage.proposals().values()
    assert one.tonight == "Subscription 9300: 16 -> 0"
    stage.write([one])
    assert "subscription_id: 9300\n    retired: true" in stage.text


def test_one_whose_key_does_not_say_whose_it_is_is_for_a_person(tmp_path: Path) -> None:
    stage = Proposing(tmp_path, IGNORED)
    stage.world.add_licence(13, TEMPLATE, 16, licence_id=9300, snowid="infima-999")
    [one] = stage.proposals().values()
    assert (one.edit, one.command) == (None, "reconciler status")


def test_one_at_zero_needs_nothing(tmp_path: Path) -> None:
    stage = Proposing(tmp_path)
    stage.world.add_licence(13, TEMPLATE, 0, licence_id=9300, snowid="infima-500")
    assert stage.proposals() == {}


# ---- all of them ----------------------------------------------------------------------------------------------------


def test_a_layout_that_takes_no_edit_leaves_it_to_a_person(stage: Proposing) -> None:
    stage.text = "{version: 1, mappings: []}\n"
    found = stage.proposals()
    assert {(one.edit, one.confidence) for one in found.values()} == {(None, How.ASK)}
    assert "layout does not allow" in found["map-142"].evidence[-1]


def test_the_surest_come_first_and_the_order_of_what_was_read_does_not_matter(stage: Proposing) -> None:
    stage.world.add_client(143, "Quarry", active=3)
    before = list(stage.proposals().values())
    assert [one.key for one in before] == ["map-142", "map-143"]
    for table in (stage.world.infima_clients, stage.world.customers):
        rows = list(table.items())[::-1]
        table.clear()
        table.update(rows)
    assert list(stage.proposals().values()) == before


def test_a_fingerprint_is_the_same_while_the_edit_is(stage: Proposing) -> None:
    first = stage.proposals()["map-142"]
    stage.world.users_join(142, 5)
    stage.clock.sleep(24 * 3600)
    assert stage.proposals()["map-142"].fingerprint == first.fingerprint
    stage.world.infima_clients[142].name = "Zephyr  Cycles"
    assert stage.proposals()["map-142"].fingerprint != first.fingerprint


def test_what_was_declined_stands_again_only_when_it_says_something_else(stage: Proposing) -> None:
    one = stage.proposals()["map-142"]
    declined = Offer(key=one.key, title=one.title, fate=Fate.DECLINED, since=NOW)

    assert standing([one], {one.fingerprint: declined}) == ((), (one,))
    assert standing([one], {one.fingerprint: replace(declined, fate=Fate.OFFERED)}) == ((one,), ())
    assert standing([one], {"what it said before": declined}) == ((one,), ())


def test_no_confidence_hangs_on_the_measure_of_likeness(stage: Proposing, monkeypatch: pytest.MonkeyPatch) -> None:
    """With rapidfuzz, without it, with anything: it only orders what a person picks from."""
    for number, name in enumerate(["Zephyr Freight", "Quarry", "Quarri", "Acme Dental", "Nobody", "Dental Acme"]):
        stage.world.add_client(150 + number, name, active=3)
    seen = []
    for measure in (matching.difflib_ratio, lambda _, __: 0.0, lambda _, __: 100.0):
        monkeypatch.setattr(matching, "_ratio", lambda measure=measure: measure)
        seen.append({key: (one.confidence, one.edit) for key, one in stage.proposals().items()})
    assert seen[0] == seen[1] == seen[2]


def test_a_kind_at_a_time_gives_the_same_text(stage: Proposing) -> None:
    stage.text += ENDED
    stage.world.customers[11]["name"] = "Acme Dental Group"
    found = list(stage.proposals().values())
    text = stage.text
    for kind in ProposalKind:
        text = apply_proposals(text, [one for one in found if one.kind is kind])
    assert len({one.kind for one in found}) == 3
    assert text == apply_proposals(stage.text, found[::-1])


def test_since_when_is_told_where_it_is_remembered(stage: Proposing) -> None:
    stage.apply()
    stage.clock.sleep(timedelta(days=3).total_seconds())
    assert "since 22 Nov 2026" in stage.proposals()["map-142"].evidence[0]


def test_no_proposal_ever_is_an_approval_or_a_limit(stage: Proposing) -> None:
    stage.text += ENDED
    before = stage.mappings()
    stage.write(stage.proposals().values())
    after = stage.mappings()
    assert after.limits == before.limits
    assert set(after.approvals) <= set(before.approvals)
    assert MappingKey("infima-142") in {mapping.key for mapping in after.mappings}


# ---- what was read is in doubt --------------------------------------------------------------------------------------


def test_of_a_list_that_lacks_most_mapped_clients_nothing_is_proposed(stage: Proposing) -> None:
    """Beside the new client its branch may have been left out."""
    for number in (101, 102, 103, 104):
        stage.world.person_removes_client(number)
    with pytest.raises(DecisionRefused, match="Nothing is proposed: INFIMA lists 2 of the 6 mapped clients"):
        stage.proposals()


def test_of_counts_that_fell_together_nothing_is_proposed(stage: Proposing) -> None:
    stage.apply()
    for number in (101, 102, 103, 104):
        stage.world.infima_clients[number].active = 1
    with pytest.raises(DecisionRefused, match="Nothing is proposed: INFIMA counts"):
        stage.proposals()
