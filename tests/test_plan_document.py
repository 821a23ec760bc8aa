"""The plan document: Terraform's layout, its schema, and the strict reader of saved plans."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler.config.checking import schema_text
from reconciler.config.source import Diagnostic
from reconciler.errors import ConfigError, NotFound, PlanFileError, UsageError
from reconciler.model import MappingKey, Place, SubscriptionId
from reconciler.plan_document import dump_document, error_document, plan_document, with_outcomes
from reconciler.plan_document.layout import PlanJson
from reconciler.plan_document.read import read_plan_file
from reconciler.planning.changes import Action, Outcome, Plan, Settled, select
from reconciler.planning.rules import Rule
from tests import plan_schema
from tests.builders import build_change, build_hold, build_mapping, build_plan, build_violation
from tests.render import stories
from tests.render.hostile import plans

SCHEMA = json.loads(schema_text("plan.schema.json"))
VALIDATOR = Draft202012Validator(SCHEMA)


def documented(plan: Plan) -> Any:
    return plan_document(plan, version="0.1.0")


def saved(plan: Plan) -> bytes:
    return dump_document(documented(plan)).encode()


# --- the layout ------------------------------------------------------------------------------------------------------


def test_top_level_members_stand_in_terraforms_order() -> None:
    assert list(documented(stories.night_plan())) == [
        "format_version", "reconciler_version", "timestamp", "applyable", "complete", "errored", "mappings_sha256",
        "halo_url", "infima_partner", "resource_changes", "violations", "unmapped_clients", "unmanaged_subscriptions",
        "warnings", "allowances", "summary", "needs",
    ]  # fmt: skip


def test_update_shows_both_sides() -> None:
    row = documented(build_plan(build_change(before=12, after=15)))["resource_changes"][0]
    side = {"id": 9001, "customer_id": 12, "name": "INFIMA Security Awareness Training"}
    assert row["change"] == {
        "actions": ["update"],
        "before": {**side, "count": 12},
        "after": {**side, "count": 15},
        "after_unknown": {},
    }
    assert row["address"] == "halo_subscription.infima-101"
    assert row["action_reason"] == "update_because_count_changed"
    assert row["place"] == {"file": "mappings.yaml", "line": 10, "column": 5}


def test_id_of_a_create_is_unknown_until_apply() -> None:
    change = documented(build_plan(build_change(subscription=None)))["resource_changes"][0]["change"]
    assert change["before"] is None
    assert "id" not in change["after"]
    assert change["after_unknown"] == {"id": True}


def test_id_of_a_create_is_known_after_apply() -> None:
    outcomes = {MappingKey("infima-101"): Settled(outcome=Outcome.APPLIED, subscription_id=SubscriptionId(9100))}
    plan = build_plan(build_change(subscription=None))
    document = with_outcomes(plan_document(plan, version="0.1.0"), plan, outcomes)
    row = document["resource_changes"][0]
    assert row["change"]["after"] is not None
    assert row["change"]["after"]["id"] == 9100
    assert row["change"]["after_unknown"] == {}
    assert row["outcome"] == "applied"


def test_unknown_count_is_null_and_named_unknown() -> None:
    change = build_change(subscription=None, after=None, action=Action.CREATE, hold=build_hold(Rule.CLIENT_MISSING))
    side = documented(build_plan(change))["resource_changes"][0]["change"]
    assert side["after"]["count"] is None
    assert side["after_unknown"] == {"id": True, "count": True}


def test_no_op_without_subscription_has_no_after() -> None:
    side = documented(build_plan(build_change(subscription=None, after=None, action=Action.NO_OP)))
    assert side["resource_changes"][0]["change"] == {
        "actions": ["no-op"], "before": None, "after": None, "after_unknown": {},
    }  # fmt: skip


def test_held_change_keeps_its_action() -> None:
    row = documented(build_plan(build_change(after=0, hold=build_hold())))["resource_changes"][0]
    assert row["change"]["actions"] == ["update"]
    assert row["hold"] == {"rule": "zero", "message": "the count fell to 0", "remedy": "Ask the client."}


@pytest.mark.parametrize(
    ("plan", "applyable"),
    [
        (stories.night_plan(), True),
        (stories.refused_plan(), False),
        (build_plan(*stories.quiet_changes()), False),
        (build_plan(build_change(hold=build_hold())), False),
    ],
    ids=["changes", "refused", "in step", "held only"],
)
def test_applyable_needs_something_to_write_and_no_refusal(plan: Plan, applyable: bool) -> None:  # noqa: FBT001
    assert documented(plan)["applyable"] is applyable


@pytest.mark.parametrize(
    ("plan", "complete"),
    [
        (build_plan(build_change()), True),
        (build_plan(*stories.quiet_changes()), True),
        (stories.night_plan(), False),
        (stories.refused_plan(), False),
        (stories.lifted_plan(), True),
        (select(build_plan(build_change()), only=[MappingKey("infima-101")]), False),
    ],
    ids=["changes", "in step", "held", "refused", "lifted", "selected"],
)
def test_complete_is_a_plan_that_does_everything(plan: Plan, complete: bool) -> None:  # noqa: FBT001
    assert documented(plan)["complete"] is complete


def test_selected_is_said_only_where_mappings_were_left_out() -> None:
    some = select(build_plan(build_change()), only=[MappingKey("infima-101")])
    assert documented(some)["selected"] is True
    assert "selected" not in documented(stories.night_plan())


def test_caused_by_is_present_only_when_set() -> None:
    rows = documented(build_plan(build_change(), build_change(build_mapping(2), caused_by="counts")))
    assert [row.get("caused_by", "absent") for row in rows["resource_changes"]] == ["absent", "counts"]


# --- the schema ------------------------------------------------------------------------------------------------------


def test_schema_is_a_valid_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_schema_is_what_the_types_say() -> None:
    """Run `make schema` after a change of the layout, and read the difference."""
    assert schema_text("plan.schema.json") == plan_schema.schema_text()


def test_schema_describes_every_member() -> None:
    def undescribed(node: object, path: str) -> list[str]:
        if not isinstance(node, dict):
            return []
        found = []
        for name, member in node.get("properties", {}).items():
            found += [f"{path}.{name}"] if not member.get("description") else []
            found += undescribed(member, f"{path}.{name}")
        return found + undescribed(node.get("items"), f"{path}[]")

    assert undescribed(SCHEMA, "") == []


@pytest.mark.parametrize(
    "document",
    [
        stories.document(stories.night_plan()),
        stories.document(stories.refused_plan()),
        stories.document(stories.lifted_plan()),
        stories.document(stories.against_plan()),
        stories.applied(stories.night_plan(), exit_code=3),
    ],
    ids=["night", "refused", "lifted", "against", "applied"],
)
def test_stories_satisfy_the_schema(document: PlanJson) -> None:
    VALIDATOR.validate(json.loads(dump_document(document)))


@given(plan=plans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_plan_satisfies_schema_and_layout(plan: Plan) -> None:
    document = json.loads(dump_document(documented(plan)))
    VALIDATOR.validate(document)
    read_plan_file(json.dumps(document).encode())


def mutate(document: Any, draw: st.DrawFn) -> None:
    """Change one value, or drop or add one member, somewhere in the document."""
    node = document
    while True:
        step = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if not (isinstance(node[step], dict | list) and node[step]) or draw(st.integers(0, 3)) == 0:
            break
        node = node[step]
    odd = st.sampled_from([None, True, -1, 0, 1, 2**31, 2**60, "", "x", [], {}, ["create"], 1.5, "zero", "run"])
    match draw(st.sampled_from(["set", "drop", "add"])):
        case "drop":
            del node[step]
        case "add" if isinstance(node, dict):
            node["surprise"] = draw(odd)
        case _:
            node[step] = draw(odd)


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_whatever_the_reader_takes_the_schema_takes(data: st.DataObject) -> None:
    """The two statements of the layout agree: the reader is at least as strict as the schema."""
    document = json.loads(dump_document(documented(stories.night_plan())))
    data.draw(st.composite(lambda draw: mutate(document, draw))())
    try:
        read_plan_file(json.dumps(document).encode())
    except PlanFileError:
        return
    assert VALIDATOR.is_valid(document)


# --- the bytes -------------------------------------------------------------------------------------------------------


def test_text_is_ascii_with_a_line_for_each_change() -> None:
    text = saved(stories.night_plan()).decode("ascii")
    assert text.endswith("}\n")
    assert sum(line.startswith('  {"address"') for line in text.splitlines()) == 8


def test_nan_is_never_written() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        dump_document({"number": float("nan")})


def test_bytes_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "import sys; from tests.render import stories; from reconciler.plan_document import dump_document;"
        "sys.stdout.write(dump_document(stories.document(stories.night_plan())))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {dump_document(stories.document(stories.night_plan())).encode()}


# --- reading back ----------------------------------------------------------------------------------------------------


@given(plan=plans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_reading_back_gives_the_rows_that_were_written(plan: Plan) -> None:
    read = read_plan_file(saved(plan))
    assert read.document == json.loads(saved(plan))
    assert set(read.permitted) == {change.key for change in plan.writes}
    for row, change in zip(read.rows, plan.changes, strict=True):
        assert (row.key, row.action, row.hold) == (change.key, change.action, change.hold and change.hold.rule)
        assert row.before == (change.before and change.before.count)
        assert row.subscription_id == (change.before and change.before.id)


def test_saved_plan_names_both_systems_and_the_file() -> None:
    plan = stories.night_plan()
    read = read_plan_file(saved(plan))
    assert (read.tenant, read.mappings_sha256) == (plan.tenant, plan.mappings_sha256)
    assert read.taken_at == plan.taken_at


def test_refused_plan_permits_no_write() -> None:
    assert read_plan_file(saved(stories.refused_plan())).permitted == {}


def test_held_row_permits_no_write() -> None:
    assert "infima-107" not in read_plan_file(saved(stories.night_plan())).permitted


def test_sums_that_leave_a_held_row_out_are_refused() -> None:
    hold = build_hold(Rule.SUBSCRIPTION_GONE)
    document = documented(build_plan(build_change(hold=hold), violations=(build_violation(hold, "infima-101"),)))
    document["summary"]["users_before"] = document["summary"]["users_after"] = 0
    with pytest.raises(PlanFileError, match="contradicts its rows"):
        read_plan_file(dump_document(document).encode())


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not JSON"),
        (b"\x80\x04K\x01.", "not UTF-8"),
        (b"[]", "not a JSON object"),
        (b"{}", "format_version is missing"),
        (b'{"format_version": "1.0", "format_version": "1.0"}', "two members of one name"),
        (b'{"format_version": NaN}', "NaN or infinity"),
        (b'{"format_version": 1e999}', "too large"),
        (b'{"format_version": ' + b"1" * 5000 + b"}", "too many digits"),
        (b'{"format_version": "2.0"}', "is not 1.x"),
        (b'{"format_version": "1.x"}', "format_version is missing or unreadable"),
        (b'{"format_version": "1.\xc2\xb2"}', "format_version is missing or unreadable"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b" " * 50_000_001, "larger than 50 MB"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_file_that_is_no_plan_is_refused_with_a_next_step(data: bytes, problem: str) -> None:
    with pytest.raises(PlanFileError, match=problem) as caught:
        read_plan_file(data)
    assert "reconciler plan --out" in caught.value.hint


def test_every_truncation_is_refused() -> None:
    data = saved(build_plan(build_change()))
    for end in range(0, len(data) - 2, 7):
        with pytest.raises(PlanFileError):
            read_plan_file(data[:end])


def row_of(document: Any, key: str) -> Any:
    return next(row for row in document["resource_changes"] if row["name"] == key)


TAMPERING: dict[str, Callable[[Any], object]] = {
    "count": lambda d: row_of(d, "corvid")["change"]["after"].update(count=500),
    "count as text": lambda d: row_of(d, "corvid")["change"]["after"].update(count="121"),
    "count as true": lambda d: row_of(d, "corvid")["change"]["after"].update(count=True),
    "customer as true": lambda d: row_of(d, "corvid")["halo_customer"].update(id=True),
    "line as float": lambda d: row_of(d, "corvid")["place"].update(line=48.0),
    "count as float": lambda d: row_of(d, "corvid")["change"]["after"].update(count=121.0),
    "count below 0": lambda d: row_of(d, "corvid")["change"]["after"].update(count=-1),
    "count too large": lambda d: row_of(d, "corvid")["change"]["after"].update(count=2**31),
    "count unknown": lambda d: row_of(d, "corvid")["change"]["after"].update(count=None),
    "another id after": lambda d: row_of(d, "corvid")["change"]["after"].update(id=1),
    "no id before": lambda d: row_of(d, "corvid")["change"]["before"].pop("id"),
    "create with a before": lambda d: row_of(d, "corvid")["change"].update(actions=["create"]),
    "two actions": lambda d: row_of(d, "corvid")["change"].update(actions=["update", "create"]),
    "no action": lambda d: row_of(d, "corvid")["change"].update(actions=[]),
    "delete": lambda d: row_of(d, "corvid")["change"].update(actions=["delete"]),
    "hold removed": lambda d: row_of(d, "infima-107").update(hold=None),
    "unknown rule": lambda d: row_of(d, "infima-107")["hold"].update(rule="none"),
    "unknown reason": lambda d: row_of(d, "corvid").update(action_reason="because"),
    "another address": lambda d: row_of(d, "corvid").update(address="halo_subscription.other"),
    "a row twice": lambda d: d["resource_changes"].append(d["resource_changes"][0]),
    "a row less": lambda d: d["resource_changes"].pop(),
    "a member more": lambda d: d.update(extra=1),
    "a member less": lambda d: d.pop("violations"),
    "applyable": lambda d: d.update(applyable=False),
    "summary": lambda d: d["summary"].update(update=1),
    "level": lambda d: d["violations"][0].update(level="run"),
    "allowance of no rule": lambda d: d["allowances"].append({"rule": "all", "key": None, "reason": ""}),
    "errored": lambda d: d.update(errored=True),
    "timestamp": lambda d: d.update(timestamp="yesterday"),
    "timestamp without zone": lambda d: d.update(timestamp="2026-11-22T05:17:03"),
    "rows no list": lambda d: d.update(resource_changes={}),
    "row no object": lambda d: d["resource_changes"].append(1),
}


@pytest.mark.parametrize("name", TAMPERING)
def test_document_that_contradicts_itself_is_refused(name: str) -> None:
    document = copy.deepcopy(documented(stories.night_plan()))
    TAMPERING[name](document)
    with pytest.raises(PlanFileError):
        read_plan_file(json.dumps(document).encode())


def test_member_of_a_newer_minor_version_is_ignored() -> None:
    document = documented(stories.night_plan()) | {"format_version": "1.7", "novelty": 1}
    assert read_plan_file(json.dumps(document).encode()).permitted


def test_mismatch_is_located() -> None:
    document = documented(stories.night_plan())
    document["resource_changes"][2]["halo_customer"]["id"] = "12"
    with pytest.raises(PlanFileError, match=r"resource_changes\[2\]\.halo_customer\.id: Expected `int`, got `str`"):
        read_plan_file(json.dumps(document).encode())


def test_unknown_member_is_located() -> None:
    document = documented(stories.night_plan())
    document["resource_changes"][2]["halo_customer"]["colour"] = None
    with pytest.raises(PlanFileError, match=r"resource_changes\[2\]\.halo_customer\.colour: this format does not know"):
        read_plan_file(json.dumps(document).encode())


# --- failure ---------------------------------------------------------------------------------------------------------


def test_error_document_has_code_message_and_hint() -> None:
    document = error_document(UsageError("No such option.", hint="See --help."), version="0.1.0")
    assert document["errored"] is True
    assert document["applyable"] is False
    assert document["error"] == {"code": "usage", "message": "No such option.", "hint": "See --help."}


def test_error_document_has_no_changes_that_could_be_found_in_order() -> None:
    assert "resource_changes" not in error_document(UsageError("No such option."), version="0.1.0")


def test_error_document_names_system_and_request() -> None:
    error = NotFound("Not there.", system="HaloPSA", request="GET /SoftwareLicence")
    assert error_document(error, version="0.1.0")["error"] == {
        "code": "not-found",
        "message": "Not there.",
        "hint": "Check the address: something else answers there, or the object is gone.",
        "system": "HaloPSA", "request": "GET /SoftwareLicence",
    }  # fmt: skip


def test_error_document_lists_every_diagnostic() -> None:
    place = Place(file="mappings.yaml", line=3, column=7)
    diagnostic = Diagnostic(place=place, severity="error", message="unknown key", hint="did you mean count?")
    document: Any = error_document(ConfigError("1 problem.", diagnostics=(diagnostic,)), version="0.1.0")
    assert document["error"]["diagnostics"] == [
        {
            "file": "mappings.yaml", "line": 3, "column": 7,
            "severity": "error", "message": "unknown key", "hint": "did you mean count?",
        }
    ]  # fmt: skip


def test_error_document_is_no_plan_file() -> None:
    data = dump_document(error_document(UsageError("No such option."), version="0.1.0")).encode()
    with pytest.raises(PlanFileError, match="could not be made"):
        read_plan_file(data)
