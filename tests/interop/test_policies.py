"""The policies of docs/policy.md and the night of `make interop`, without the tools."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.interop.__main__ import MARKS, NEIGHBOURS, wrong
from tests.interop.judges import JUDGES, Judged
from tests.interop.night import AT_ZERO, CREATED, HELD, IN_STEP, UPDATED, Documents, documents, mixed_night
from tests.interop.policies import PAGE, policies, write_policies

TEXT = PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with mixed_night(tmp_path_factory.mktemp("night")) as shell:
        made = documents(shell)
        yield {name: json.loads(getattr(made, name).read_text(encoding="utf-8")) for name in Documents.__slots__}


def at_zero(document: dict[str, Any]) -> set[str]:
    """Whom "nobody at 0" finds, in both places where tools look."""
    changed = {row["name"] for row in document["resource_changes"] if row["change"]["after"]["quantity"] == 0}
    planned = document["planned_values"]["root_module"]["resources"]
    assert changed == {row["name"] for row in planned if row["values"].get("quantity") == 0}
    return changed


@pytest.mark.parametrize("name", ["mixed", "applied"])
def test_a_mixed_night_counts_15_create_and_11_update(night: dict[str, Any], name: str) -> None:
    actions = [row["change"]["actions"] for row in night[name]["resource_changes"]]
    assert (len(CREATED), len(UPDATED)) == (15, 11)
    assert (actions.count(["create"]), actions.count(["update"]), actions.count(["no-op"])) == (15, 11, len(IN_STEP))
    assert len(night[name]["deferred_changes"]) == len(HELD)
    assert at_zero(night[name]) == set(AT_ZERO)


@pytest.mark.parametrize("name", ["refused", "failed"])
def test_a_plan_that_is_refused_or_failed_is_never_in_order(night: dict[str, Any], name: str) -> None:
    document = night[name]
    assert document["errored"] is True
    assert not {"resource_changes", "configuration"} & set(document)
    assert [row["type"] for row in document["planned_values"]["root_module"]["resources"]] == ["halo_plan"]


def test_the_page_has_policies_for_three_tools() -> None:
    assert {name.partition("/")[0] for name in policies()} == {"policy", "checkov", "features"}
    assert len(policies()) == 4


def test_they_lie_where_the_page_says(tmp_path: Path) -> None:
    write_policies(tmp_path)
    for name, text in policies().items():
        assert (tmp_path / name).read_text(encoding="utf-8") == text
        assert f"`{name}`" in TEXT


def test_checkovs_policies_look_at_attributes_that_there_are(night: dict[str, Any]) -> None:
    resources = night["mixed"]["planned_values"]["root_module"]["resources"]
    for name, text in policies().items():
        if name.startswith("checkov/"):
            policy = yaml.safe_load(text)
            (of,) = policy["definition"]["resource_types"]
            meant = [r for r in resources if r["type"] == of.removeprefix("data.")]
            assert meant
            assert all(policy["definition"]["attribute"] in r["values"] for r in meant)
            assert policy["metadata"]["id"] in TEXT.partition(text)[0]


def test_the_other_policies_name_members_that_there_are(night: dict[str, Any]) -> None:
    mixed = night["mixed"]
    rego, feature = policies()["policy/halo.rego"], policies()["features/halo.feature"]
    assert set(re.findall(r"\binput\.(\w+)", rego)) <= set(mixed)
    (changed,) = [row for row in mixed["resource_changes"] if row["name"] == "infima-201"]
    members = set(re.findall(r"row\.change\.(?:after|before)\.(\w+)", rego))
    assert members <= set(changed["change"]["after"])
    resources = mixed["planned_values"]["root_module"]["resources"]
    values = {name for resource in resources for name in resource["values"]}
    assert set(re.findall(r"contain (\w+)", feature)) <= values
    assert set(re.findall(r"I have (\w+)", feature)) == {resource["type"] for resource in resources}


def test_the_pages_table_is_of_every_tool_and_of_this_night() -> None:
    table = TEXT.partition(MARKS[0])[2].partition(MARKS[1])[0]
    for tool in (*JUDGES, *NEIGHBOURS):
        assert re.search(rf"^\| {tool}\b", table, re.MULTILINE), tool
    counts = f"{len(CREATED)} create, {len(UPDATED)} update"
    assert table.count(counts) == 2 * len(JUDGES)
    assert table.count(f"at 0: {len(AT_ZERO)}") == 2 * 3
    assert "WRONG" not in table


def test_what_would_be_wrong_is_called_so() -> None:
    right = Judged(create=15, update=11, at_zero=frozenset(AT_ZERO), content=True, words="")
    assert wrong("mixed", right) == ""
    assert wrong("mixed", Judged(create=14, update=11, content=True, words=""))
    assert wrong("mixed", Judged(create=15, update=11, at_zero=frozenset(), content=True, words=""))
    assert wrong("refused", Judged(create=0, update=0, content=True, words=""))
    assert wrong("failed", Judged(create=15, update=11, content=False, words=""))
    assert wrong("refused", Judged(create=0, update=0, content=False, words="")) == ""
