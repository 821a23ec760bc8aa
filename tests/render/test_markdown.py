"""The Markdown drawing: goldens, hostile names, and what stays when space is short."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from markdown_it import MarkdownIt

from reconciler.plan_document import plan_document
from reconciler.planning.changes import Plan
from reconciler.render.markdown import render_markdown
from tests.builders import build_change, build_hold, build_mapping, build_plan
from tests.render import stories
from tests.render.golden import assert_golden
from tests.render.hostile import plans, thousand_names
from tests.render.test_terminal import OUTCOMES, PLANS

COMMONMARK = MarkdownIt("commonmark").enable(["table", "strikethrough"])
OWN_HTML = {"<details>", "<summary>", "</summary>", "</details>", "<sub>", "</sub>"}


@pytest.mark.parametrize("name", PLANS)
def test_plan_reads_as_the_golden_file(name: str) -> None:
    assert_golden(f"markdown-{name}.md", render_markdown(stories.document(PLANS[name])))


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcome_reads_as_the_golden_file(name: str) -> None:
    assert_golden(f"markdown-outcome-{name}.md", render_markdown(OUTCOMES[name]))


def test_verdict_comes_first_and_holds_before_changes() -> None:
    text = render_markdown(stories.document(stories.night_plan()))
    assert text.startswith("### Plan: 1 to create, 2 to update, 2 held, 3 unchanged.")
    assert text.index("Held by a safety rule") < text.index("**Changes:**") < text.index("<details>")


def nodes_of(markdown: str) -> tuple[set[str], set[str]]:
    """Kinds of nodes, and HTML tags, that a CommonMark parser finds."""
    kinds, tags = set(), set()
    for token in COMMONMARK.parse(markdown):
        for node in (token, *(token.children or ())):
            kinds.add(node.type)
            if node.type.startswith("html"):
                tags |= set(re.findall(r"<[^>]*>", node.content))
    return kinds, tags


def assert_harmless(markdown: str) -> None:
    kinds, tags = nodes_of(markdown)
    assert not {kind for kind in kinds if kind.startswith(("link", "image", "fence", "code_block", "s_", "em_", "hr"))}
    assert tags <= OWN_HTML


@given(plan=plans())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_name_escapes(plan: Plan) -> None:
    assert_harmless(render_markdown(plan_document(plan, version="0.1.0")))


def named_plan(*, held: int, changed: int) -> Plan:
    """Hostile names, as many held and changed as asked for."""
    hold = build_hold(message="nobody is left", remedy="look into INFIMA")
    names = thousand_names() * 3
    return build_plan(
        *(
            build_change(
                build_mapping(number, number, name=names[number], key=f"key-{number:05}"),
                subscription=number,
                hold=hold if number <= held else None,
            )
            for number in range(1, held + changed + 1)
        )
    )


def test_a_thousand_names_make_a_thousand_table_rows() -> None:
    text = render_markdown(stories.document(named_plan(held=0, changed=1000)), limit=10_000_000)
    assert_harmless(text)
    (table,) = [token for token in COMMONMARK.parse(text) if token.type == "tbody_open"]
    assert table
    assert sum(token.type == "tr_open" for token in COMMONMARK.parse(text)) == 1001


def test_what_is_cut_is_said() -> None:
    text = render_markdown(stories.document(named_plan(held=5, changed=2000)))
    assert len(text) <= 60_000
    missing = re.search(r"_Left out for want of space: (\d+) changes", text)
    assert missing is not None
    assert text.count("| update | `key-") + int(missing[1]) == 2000


def test_holds_are_never_cut() -> None:
    text = render_markdown(stories.document(named_plan(held=400, changed=2000)))
    assert len(text) <= 60_000
    assert len(re.findall(r"^- .*\(`key-\d{5}`\): `zero`, stays at 12$", text, re.MULTILINE)) == 400


def test_holds_pass_the_limit_rather_than_vanish() -> None:
    text = render_markdown(stories.document(named_plan(held=300, changed=1)), limit=1000)
    assert all(f"key-{number:05}" in text for number in range(1, 301))


def test_refusals_are_never_cut() -> None:
    text = render_markdown(stories.document(stories.refused_plan()), limit=100)
    assert "`source-dropped`" in text


def test_nothing_is_said_to_be_cut_where_all_fits() -> None:
    assert "Left out" not in render_markdown(stories.document(stories.night_plan()))


def test_held_create_says_that_nothing_is_created() -> None:
    change = build_change(subscription=None, after=14, hold=build_hold())
    text = render_markdown(stories.document(build_plan(change)))
    assert "no Subscription is created; the plan was one with 14." in text


def test_refused_apply_lists_nothing_as_tried() -> None:
    assert "What was tried" not in render_markdown(OUTCOMES["refused"])
