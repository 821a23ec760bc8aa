"""The plan as Terraform's JSON plan. The same is held against the tools themselves by `make interop`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from reconciler.errors import ConfigError, UsageError
from reconciler.model import SubscriptionId
from reconciler.plan_document import error_document, plan_document
from reconciler.plan_document.layout import PlanJson
from reconciler.planning.changes import Action, Outcome, Plan, Settled, select
from reconciler.render.terraform import count_actions, render_terraform, render_terraform_failure
from tests.builders import build_change, build_hold, build_mapping, build_plan
from tests.render import stories
from tests.render.golden import assert_golden
from tests.render.hostile import plans
from tests.render.test_terminal import OUTCOMES, PLANS

TERRAFORMS = Path(__file__).parent.parent / "golden" / "terraform"
SHOWN = json.loads((TERRAFORMS / "show.json").read_text(encoding="utf-8"))
ERRORED = json.loads((TERRAFORMS / "show-errored.json").read_text(encoding="utf-8"))
"""What `terraform show -json` prints of the configuration beside them; the second plan failed a precondition."""

Drawn = dict[str, Any]


def drawn(document: PlanJson) -> Drawn:
    whole: Drawn = json.loads(render_terraform(document))
    return whole


def planned(plan: Plan) -> Drawn:
    return drawn(stories.document(plan))


def resources(module: Drawn) -> dict[str, Drawn]:
    return {r["name"]: r for r in module["root_module"]["resources"] if r["mode"] == "managed"}


def actions(whole: Drawn) -> dict[str, str]:
    return {row["name"]: row["change"]["actions"][0] for row in whole.get("resource_changes", [])}


def deferred(whole: Drawn) -> dict[str, str]:
    return {row["resource_change"]["name"]: row["reason"] for row in whole["deferred_changes"]}


def verdict(whole: Drawn) -> tuple[bool, bool, bool]:
    return whole["applyable"], whole["complete"], whole["errored"]


def failure() -> str:
    return render_terraform_failure(error_document(ConfigError("mappings.yaml has 2 problems"), version="0.1.0"))


@pytest.mark.parametrize("name", PLANS)
def test_plans_read_as_the_golden_file(name: str) -> None:
    assert_golden(f"terraform-{name}.json", render_terraform(stories.document(PLANS[name])))


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcomes_read_as_the_golden_file(name: str) -> None:
    assert_golden(f"terraform-outcome-{name}.json", render_terraform(OUTCOMES[name]))


def test_a_failure_reads_as_the_golden_file() -> None:
    assert_golden("terraform-failure.json", failure())


# --- Terraform's layout ----------------------------------------------------------------------------------------------

OURS = {"deferred_changes"}
"""Of Terraform's layout too (since 1.9), but a plain Terraform defers nothing."""


def test_every_object_has_terraforms_members_in_terraforms_types() -> None:
    ours = planned(stories.night_plan())
    assert set(ours) - OURS == set(SHOWN) - {"variables"}
    assert {name: type(value) for name, value in ours.items() if name not in OURS} == {
        name: type(SHOWN[name]) for name in ours if name not in OURS
    }
    for name in ("planned_values", "prior_state", "resource_changes", "configuration"):
        assert alike(ours[name], SHOWN[name]), name


def test_checks_are_terraforms_for_both_levels_of_rules() -> None:
    """A whole run's is a check block that failed, a mapping's a resource's failed precondition."""
    ours = planned(stories.refused_plan())["checks"]
    assert {c["address"]["kind"] for c in ours} == {"check", "resource"}
    assert alike(ours, ERRORED["checks"])


def test_a_refused_plan_is_errored_as_terraforms_is() -> None:
    assert verdict(planned(stories.refused_plan())) == verdict(ERRORED) == (False, False, True)


def alike(ours: Any, theirs: Any) -> bool:
    """True where both have the same members all the way down; attributes of a resource are each provider's own."""
    if isinstance(theirs, list):
        return isinstance(ours, list) and all(any(alike(one, known) for known in theirs) for one in ours)
    if not isinstance(theirs, dict):
        return not isinstance(ours, dict | list)
    own = {"values", "sensitive_values", "before", "after", "after_unknown", "before_sensitive", "after_sensitive"}
    own |= {"expressions", "variables", "provider_config"}
    return set(ours) - own == set(theirs) - own and all(alike(ours[n], theirs[n]) for n in set(ours) - own)


def test_alike_can_tell_a_difference() -> None:
    ours = planned(stories.night_plan())
    del ours["resource_changes"][0]["provider_name"]
    assert not alike(ours["resource_changes"], SHOWN["resource_changes"])


def test_a_deferred_change_holds_an_ordinary_one() -> None:
    for row in planned(stories.night_plan())["deferred_changes"]:
        assert set(row) == {"reason", "resource_change"}
        assert alike([row["resource_change"]], SHOWN["resource_changes"])


def test_it_is_one_line_of_ascii() -> None:
    text = render_terraform(stories.document(stories.night_plan()))
    assert text.isascii()
    assert (text.count("\n"), text[-1]) == (1, "\n")


def test_count_is_no_attribute_for_it_is_terraforms_own_word() -> None:
    assert '"count"' not in render_terraform(stories.document(stories.night_plan()))


# --- what it says ----------------------------------------------------------------------------------------------------


def test_changes_are_those_that_would_be_written_and_held_ones_are_deferred() -> None:
    whole = planned(stories.night_plan())
    assert {key: action for key, action in actions(whole).items() if action != "no-op"} == {
        "corvid": "update", "infima-102": "update", "infima-111": "create",
    }  # fmt: skip
    assert deferred(whole) == {"infima-107": "zero", "infima-108": "customer-inactive"}
    assert verdict(whole) == (True, False, False)


def test_a_plan_without_holds_is_complete() -> None:
    assert verdict(planned(build_plan(build_change()))) == (True, True, False)
    assert verdict(planned(build_plan(*stories.quiet_changes()))) == (False, True, False)


def test_planned_values_are_what_halopsa_has_then() -> None:
    values = resources(planned(stories.night_plan())["planned_values"])
    assert {key: r["values"]["quantity"] for key, r in values.items()} == {
        "corvid": 121, "infima-101": 12, "infima-102": 10, "infima-105": 31, "infima-106": 33, "infima-111": 14,
        "infima-107": 12, "infima-108": 8,  # held: they stay
    }  # fmt: skip


def test_a_held_create_is_planned_nowhere() -> None:
    change = build_change(subscription=None, after=3, hold=build_hold())
    whole = planned(build_plan(change))
    assert resources(whole["planned_values"]) == {}
    assert deferred(whole) == {"infima-101": "zero"}


def test_prior_state_is_what_halopsa_has() -> None:
    values = resources(planned(stories.night_plan())["prior_state"]["values"])
    assert values["corvid"]["values"]["quantity"] == 118
    assert "infima-111" not in values


def test_both_sides_of_an_update() -> None:
    (row,) = planned(build_plan(build_change(before=12, after=15)))["resource_changes"]
    same = {
        "id": 9001, "name": "INFIMA Security Awareness Training", "customer_id": 12,
        "customer_name": "Acme Dental", "infima_clients": [{"id": 101, "name": "Acme Dental"}],
    }  # fmt: skip
    assert row["change"]["before"] == same | {"quantity": 12}
    assert row["change"]["after"] == same | {"quantity": 15}
    assert row["change"]["after_unknown"] == {}


def test_what_is_not_known_yet_is_left_out_and_named() -> None:
    unknown = build_change(
        subscription=None, after=None, action=Action.CREATE, hold=build_hold(), mapping=build_mapping(2)
    )
    whole = planned(build_plan(build_change(subscription=None), unknown))
    (row,), (held,) = whole["resource_changes"], whole["deferred_changes"]
    assert "id" not in row["change"]["after"]
    assert row["change"]["after_unknown"] == {"id": True}
    assert held["resource_change"]["change"]["after_unknown"] == {"id": True, "quantity": True}
    assert (row["change"]["before"], row["change"]["before_sensitive"]) == (None, False)


def test_a_retired_mapping_without_subscription_is_no_resource() -> None:
    whole = planned(build_plan(build_change(subscription=None, after=None, action=Action.NO_OP)))
    assert (whole["resource_changes"], resources(whole["planned_values"])) == ([], {})


def test_a_plan_of_selected_mappings_is_not_complete() -> None:
    some = select(build_plan(build_change(), build_change(build_mapping(2))), exclude=["infima-2"])  # type: ignore[list-item]
    assert verdict(planned(some)) == (True, False, False)


# --- refused and failed ----------------------------------------------------------------------------------------------


def test_a_refused_plan_has_nothing_that_could_be_found_in_order() -> None:
    whole = planned(stories.refused_plan())
    assert not {"resource_changes", "configuration"} & set(whole)
    assert resources(whole["planned_values"]) == {}
    assert verdict(whole) == (False, False, True)
    assert deferred(whole)["infima-111"] == "source-dropped"
    assert deferred(whole)["infima-107"] == "zero"
    assert "infima-101" not in deferred(whole), "it is in step"


def test_every_broken_rule_is_a_failed_check() -> None:
    checks = planned(stories.refused_plan())["checks"]
    told = {c["address"]["to_display"]: c["instances"][0]["problems"][0]["message"] for c in checks}
    assert told["check.source-dropped"].startswith("source-dropped: INFIMA's counts come to 301 users")
    assert told["halo_subscription.infima-107"].startswith("zero: INFIMA counts 0")
    assert {c["status"] for c in checks} == {"fail"}


def test_a_lifted_rule_is_no_failed_check() -> None:
    whole = planned(stories.lifted_plan())
    assert whole["checks"] == []
    assert actions(whole)["infima-107"] == "update"


def test_a_failure_has_no_changes_and_says_why() -> None:
    whole = json.loads(failure())
    assert not {"resource_changes", "deferred_changes", "configuration"} & set(whole)
    assert verdict(whole) == (False, False, True)
    assert whole["checks"][0]["status"] == "error"
    assert whole["checks"][0]["instances"][0]["problems"] == [{"message": "mappings.yaml has 2 problems"}]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (render_terraform(stories.document(stories.refused_plan())), (True, False)),
        (render_terraform(stories.document(stories.night_plan())), (False, False)),
        (render_terraform(stories.document(build_plan(build_change()))), (False, True)),
        (failure(), (True, False)),
    ],
    ids=["refused", "held", "whole", "failed"],
)
def test_checkers_that_see_only_resources_find_the_plan_among_them(text: str, told: tuple[bool, bool]) -> None:
    (about,) = [r for r in json.loads(text)["planned_values"]["root_module"]["resources"] if r["mode"] == "data"]
    assert about["address"] == "data.halo_plan.this"
    assert (about["values"]["errored"], about["values"]["complete"]) == told


# --- after apply -----------------------------------------------------------------------------------------------------


def test_outcomes_that_came_right_stand_as_done() -> None:
    whole = drawn(stories.applied(build_plan(build_change(subscription=None, after=7)), exit_code=0))
    (row,) = whole["resource_changes"]
    assert (row["change"]["actions"], row["change"]["after"]["id"]) == (["create"], 9100)
    assert row["change"]["after_unknown"] == {}
    assert verdict(whole) == (False, True, False)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.UNKNOWN, Outcome.STALE])
def test_outcomes_that_did_not_come_right_are_deferred(outcome: Outcome) -> None:
    code = 3 if outcome is Outcome.STALE else 4
    document = stories.applied(build_plan(build_change()), exit_code=code, infima_101=Settled(outcome=outcome))
    whole = drawn(document)
    assert (actions(whole), deferred(whole)) == ({}, {"infima-101": outcome.value})
    assert verdict(whole) == (False, False, code == 4)
    assert resources(whole["planned_values"])["infima-101"]["values"]["quantity"] == 12


def test_a_create_that_got_half_way_shows_what_is_there() -> None:
    half = Settled(outcome=Outcome.FAILED, subscription_id=SubscriptionId(9100), live_count=0, sent=True, checked=True)
    document = stories.applied(build_plan(build_change(subscription=None, after=7)), exit_code=4, infima_101=half)
    whole = drawn(document)
    assert resources(whole["planned_values"])["infima-101"]["values"] | {"name": ""} == {
        "id": 9100, "name": "", "quantity": 0, "customer_id": 12, "customer_name": "Acme Dental",
        "infima_clients": [{"id": 101, "name": "Acme Dental"}],
    }  # fmt: skip
    assert whole["deferred_changes"][0]["resource_change"]["change"]["after"]["quantity"] == 7


def test_a_quantity_that_was_right_already_is_a_no_op() -> None:
    right = Settled(outcome=Outcome.UNCHANGED, live_count=15)
    whole = drawn(stories.applied(build_plan(build_change(before=12, after=15)), exit_code=0, infima_101=right))
    (row,) = whole["resource_changes"]
    assert row["change"]["actions"] == ["no-op"]
    assert row["change"]["before"] == row["change"]["after"]
    assert row["change"]["after"]["quantity"] == 15


def test_a_run_whose_record_is_missing_is_errored() -> None:
    document = stories.applied(build_plan(build_change()), exit_code=4)
    assert verdict(drawn(document)) == (False, True, True)


# --- counting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [stories.document(PLANS[n]) for n in PLANS] + list(OUTCOMES.values()))
def test_counting_counts_what_is_drawn(document: PlanJson) -> None:
    listed = list(actions(drawn(document)).values())
    counted = count_actions(document)
    assert {a: counted[a] for a in ("create", "update")} == {a: listed.count(a) for a in ("create", "update")}


@given(plans())
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_plan_holds_it_is_one_line_and_each_write_is_in_one_place(plan: Plan) -> None:
    document = plan_document(plan, version="0.1.0")
    text = render_terraform(document)
    assert text.isascii()
    assert text.count("\n") == 1
    whole = json.loads(text)
    assert not set(actions(whole)) & set(deferred(whole))
    assert len([a for a in actions(whole).values() if a != "no-op"]) == len(plan.writes)


def test_usage_errors_are_documents_too() -> None:
    text = render_terraform_failure(error_document(UsageError("no such option: --onyl"), version="0.1.0"))
    assert json.loads(text)["errored"] is True
