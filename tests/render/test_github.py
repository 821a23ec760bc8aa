"""Annotations on mappings.yaml."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings

from reconciler.plan_document import plan_document
from reconciler.planning.changes import Plan
from reconciler.render.annotations import render_annotations
from tests.builders import build_change, build_mapping, build_plan
from tests.render import stories
from tests.render.golden import assert_golden
from tests.render.hostile import plans
from tests.render.test_terminal import PLANS

COMMAND = re.compile(r"::(error|warning|notice) (?:file=[^,:]+,line=\d+,col=\d+,)?title=[^,:]*::.*")


@pytest.mark.parametrize("name", PLANS)
def test_annotations_read_as_the_golden_file(name: str) -> None:
    assert_golden(f"github-{name}.txt", render_annotations(stories.document(PLANS[name])))


def test_refusal_comes_first_then_holds_then_changes() -> None:
    lines = render_annotations(stories.document(stories.refused_plan())).splitlines()
    assert [line.split()[0] for line in lines] == ["::error", *["::warning"] * 2, *["::notice"] * 4]


def test_held_mapping_is_marked_on_its_line() -> None:
    text = render_annotations(stories.document(stories.night_plan()))
    place = "::warning file=mappings.yaml,line=52,col=5,title=Held%3A infima-107::"
    assert f"{place}Harbour Clinic -> Harbour Clinic. zero: INFIMA counts 0" in text


def test_changes_of_the_edit_come_before_the_others() -> None:
    text = render_annotations(stories.document(stories.against_plan()))
    assert text.index("infima-109") < text.index("infima-102%2C not from this edit")


def test_at_most_ten_and_the_last_says_how_many_are_missing() -> None:
    document = stories.document(build_plan(*(build_change(build_mapping(n)) for n in range(1, 31))))
    lines = render_annotations(document).splitlines()
    assert len(lines) == 10
    assert "title=21 annotations not shown" in lines[-1]


def test_ten_are_all_shown() -> None:
    document = stories.document(build_plan(*(build_change(build_mapping(n)) for n in range(1, 11))))
    lines = render_annotations(document).splitlines()
    assert len(lines) == 10
    assert not any("not shown" in line for line in lines)


def test_nothing_to_say_is_empty() -> None:
    assert render_annotations(stories.document(PLANS["quiet"])) == ""


@given(plan=plans())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_line_is_one_command_of_ours(plan: Plan) -> None:
    text = render_annotations(plan_document(plan, version="0.1.0"))
    assert all(COMMAND.fullmatch(line) for line in text.split("\n") if line)
