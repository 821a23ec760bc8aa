"""The HTML report: what it says, in which order, and that nobody can put anything into it."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from reconciler.model import UnitPrice
from reconciler.plan_document.layout import PlanJson
from reconciler.render.document import Kind, view
from reconciler.render.html import TEMPLATES, render_html
from tests.builders import build_change, build_mapping, build_plan
from tests.render.hostile import LISTED
from tests.render.htmlpage import KEYS, background, nights, page_of, parse
from tests.render.stories import applied, document, night_plan, quiet_changes, refused_plan


def rows_of(html: str) -> list[list[str]]:
    """The cells of the table of mappings, row by row, as plain text."""
    body = html[html.index('<table id="rows">') :].split("<tbody>", 1)[1].split("</tbody>", 1)[0]
    found = []
    for row in body.split("<tr")[1:]:
        cells = re.split(r"<t[hd]\b[^>]*>", row)[1:]
        found.append([re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", cell)).strip() for cell in cells])
    return found


def headings(html: str) -> list[str]:
    return [text.split(" (")[0] for text in parse(html).text_of("h2") if text]


# ---- what it says ---------------------------------------------------------------------------------------------------


def test_it_is_read_in_this_order() -> None:
    html = page_of(applied(night_plan(), exit_code=3), background(nights(KEYS)))
    assert headings(html) == [
        "The last run was fine. 6 things need a person.",
        "What needs a person",
        "Users over time",
        "Largest movements in November 2026",
        "All mappings",
        "Audit trail of 2026-11",
    ]


def test_its_numbers_are_the_plans() -> None:
    plan = document(night_plan())
    cells = {row[0].split()[-1]: row for row in rows_of(render_html(plan))}
    for change in plan["resource_changes"]:
        before, after = change["change"]["before"], change["change"]["after"]
        row = cells[change["name"]]
        assert row[2] == str(change["quantity"]["counted"])
        assert row[3] == change["quantity"]["rule"]
        assert row[4] == (str(before["count"]) if before else "?")
        assert row[5] == (str(after["count"]) if after else "?")
    assert len(cells) == len(plan["resource_changes"])


def test_its_figures_are_the_summary() -> None:
    plan = document(night_plan())
    summary = plan["summary"]
    seen = parse(render_html(plan))
    figures = dict(zip(seen.text_of("dt"), seen.text_of("dd"), strict=True))
    assert figures["Users"] == f"{summary['users_before']} \u2192 {summary['users_after']}"
    assert [figures[word] for word in ("To create", "To update", "Held", "Unchanged")] == [
        str(summary[name]) for name in ("create", "update", "held", "no_op")
    ]


def test_what_is_held_stands_first_with_reason_and_next_step() -> None:
    html = render_html(document(night_plan()))
    part = html[html.index("What needs a person") : html.index("All mappings")]
    assert part.index("Harbour Clinic") < part.index("Otter &amp; Sons"), "more users are at stake"
    assert "Zero: INFIMA counts 0 users for Harbour Clinic where HaloPSA bills 12." in part
    assert "If the client has really left" in part


def test_a_refused_run_is_bad_and_says_why() -> None:
    html = render_html(document(refused_plan()))
    assert '<section class="verdict bad"' in html
    assert "Refused: a safety rule would stop the whole run." in html
    assert "INFIMA&#39;s counts come to 301 users where HaloPSA bills 812" in html


def test_a_preview_says_that_nothing_was_written() -> None:
    assert "A preview: nothing has been written." in render_html(document(night_plan()))


def test_freshness_names_the_run_and_who() -> None:
    runs = nights(KEYS)
    html = page_of(None, background(runs))
    assert f"Run {runs[-1].info.id} by nightly ended on 22 November 2026 at 05:17 UTC, 2 hours before this page" in html


def test_too_old_a_last_run_is_said_at_the_top() -> None:
    html = page_of(None, background(nights(KEYS)[:-3]))
    assert "look whether the nightly run still runs" in html[: html.index("What needs a person")]


def test_without_a_plan_the_newest_run_is_told() -> None:
    html = page_of(None, background(nights(KEYS), KEYS))
    words = {row[0]: row[1] for row in rows_of(html)}
    assert sorted(set(words.values())) == ["= unchanged", "\u2713 updated"]
    assert len(words) == len(KEYS)


def test_after_a_failed_run_no_row_is_called_unchanged() -> None:
    html = page_of(None, background(nights(KEYS, failed=3)[:-3], KEYS))
    assert "The last run failed" in html
    assert {row[1] for row in rows_of(html)} == {"? not looked at"}


def test_an_empty_history_makes_a_page_as_well() -> None:
    assert "Nothing has run yet." in page_of(None)


def test_before_the_first_run_it_says_what_to_do_and_shows_no_empty_lists() -> None:
    html = page_of(None, background((), KEYS))
    assert headings(html) == ["Nothing has run yet."]
    assert "mappings.yaml has 8 mappings." in html
    assert "<code><span>reconciler</span> <span>plan</span></code>" in html
    assert "<table" not in html


def test_after_an_apply_it_says_created_and_updated() -> None:
    html = page_of(applied(night_plan(), exit_code=3))
    words = {row[0]: row[1] for row in rows_of(html)}
    assert words["Nova Optics GmbH infima-111"] == "\u2713 created"
    assert words["Corvid plc corvid"] == "\u2713 updated"
    seen = parse(html)
    figures = dict(zip(seen.text_of("dt"), seen.text_of("dd"), strict=True))
    assert (figures["Created"], figures["Updated"], figures["Held"]) == ("1", "2", "2")
    assert "To create" not in figures


def test_needs_that_say_the_same_are_one_card_that_names_each() -> None:
    new = [build_change(build_mapping(n, n, name=f"Customer {n}"), subscription=None, after=n) for n in (111, 112, 113)]
    html = page_of(applied(build_plan(*quiet_changes(), *new), exit_code=0))
    part = html[html.index('<ol class="needs">') : html.index("</ol>")]
    assert part.count("<h3>") == 1
    assert "Not seen on a live invoice (3)" in part
    assert "What needs a person (3)" in html
    assert [f"Customer {n}" in part for n in (111, 112, 113)] == [True] * 3
    assert "infima-11" not in part[part.index("Next step:") :]


def test_needs_with_a_step_of_their_own_stay_apart() -> None:
    html = render_html(document(night_plan()))
    part = html[html.index('<ol class="needs">') : html.index("</ol>")]
    assert part.index("<span>zero:infima-107</span>") < part.index("<span>customer-inactive:infima-108</span>")
    assert part.count("<h3>") > 2


def test_a_chart_within_one_day_says_which() -> None:
    at, runs = datetime(2026, 11, 22, 2, tzinfo=UTC), nights(KEYS)[-2:]
    hours = [
        replace(run, verdict=replace(run.verdict, finished_at=at + timedelta(hours=n))) for n, run in enumerate(runs)
    ]
    assert page_of(None, background(tuple(hours), KEYS)).count(">22 Nov 02:00</text>") == 2


@pytest.mark.parametrize("days", [1, 5, 12, 40])
def test_a_chart_of_a_few_weeks_names_days(days: int) -> None:
    runs = nights(KEYS)[-days - 1 :]
    html = page_of(None, background(runs, KEYS))
    for drawing in re.findall(r'<svg class="chart.*?</svg>', html, re.DOTALL):
        named = re.findall(r"<text x=[^>]*>(\d+ (?:Oct|Nov))</text>", drawing)
        assert 1 <= len(named) <= 7
        assert len(named) > 1 or days < 3


def test_the_chart_marks_merges_and_failed_nights() -> None:
    html = page_of(None, background(nights(KEYS, failed=9), KEYS))
    assert "mappings.yaml changed (0123456789)" in html
    assert "13 Nov 2026: failed" in html
    assert html.count('class="cross"') == 3  # in two drawings and the legend


def test_movements_are_of_the_month_and_sorted_by_size() -> None:
    html = page_of(None, background(nights(KEYS), KEYS))
    part = html[html.index("Largest movements") : html.index("All mappings")]
    deltas = [int(found) for found in re.findall(r"\(\+(\d+)\)", part)]
    assert deltas == sorted(deltas, reverse=True)
    assert len(deltas) == 5


def test_unchanged_rows_are_hidden_until_asked_for() -> None:
    html = render_html(document(night_plan()))
    assert len(re.findall('<tr id="row-[0-9]+" class="same">', html)) == len(quiet_changes())
    assert '<input type="checkbox" id="same" class="toggle">' in html


def test_where_nothing_changes_all_rows_are_shown() -> None:
    html = render_html(document(build_plan(*quiet_changes())))
    assert '<input type="checkbox" id="same" class="toggle" checked>' in html


def test_each_row_leads_to_its_story() -> None:
    html = render_html(document(night_plan()))
    ids = {value for tag, attrs in parse(html).tags for name, value in attrs if name == "id"}
    links = {value for tag, attrs in parse(html).tags for name, value in attrs if name == "href"}
    assert {link.removeprefix("#") for link in links if link} <= ids
    assert len([one for one in ids if one and one.startswith("row-")]) == len(night_plan().changes)
    table = html[html.index('<table id="rows">') : html.index("</table>", html.index('<table id="rows">'))]
    assert table.count('<summary aria-label="Why this number') == len(night_plan().changes)


def test_the_audit_trail_tells_each_write() -> None:
    runs = nights(KEYS)
    html = page_of(None, background(runs, KEYS))
    part = html[html.index("Audit trail") :]
    written = sum(len(run.verdict.changes) for run in runs if run.verdict.finished_at.month == 11)
    assert part.count(" applied</li>") == written


def test_held_changes_are_not_called_written() -> None:
    plan = night_plan()
    html = page_of(applied(plan, exit_code=3))
    held = [row for row in rows_of(html) if row[0].startswith("Harbour Clinic")]
    assert held[0][1] == "! held"
    assert held[0][4] == held[0][5]  # what HaloPSA has after the run, not what the plan wanted
    held = [row for row in rows_of(page_of(document(plan))) if row[0].startswith("Harbour Clinic")]
    assert "not written" in held[0][6]


# ---- what nobody can do to it ---------------------------------------------------------------------------------------


def hostile_page(name: str) -> str:
    """A page in which every foreign text is this one."""
    mapping = build_mapping(101, 12, name=name, customer_name=name, subscription_name=name)
    other = build_mapping(102, 13, name=name)
    plan = document(
        build_plan(
            build_change(mapping, before=3, after=5),
            build_change(other, subscription=None),
            warnings=(f"about {name}",),
        )
    )
    runs = nights({"infima-101": name, "infima-102": name}, months=1, actor=f"by {name}", message=f"says {name}")
    return page_of(plan, background(runs, {"infima-101": name}))


def structure(html: str) -> tuple[list[tuple[str, tuple[str, ...]]], int]:
    seen = parse(html)
    return seen.skeleton, seen.comments


TAME = structure(hostile_page("Acme"))


@pytest.mark.parametrize("name", [name for name in LISTED if name.strip()], ids=repr)
def test_no_name_adds_an_element_an_attribute_or_a_comment(name: str) -> None:
    assert structure(hostile_page(name)) == TAME


@pytest.mark.parametrize(
    "name",
    [
        "</script><script>alert(1)</script>",
        '" onmouseover="alert(1)',
        "' autofocus onfocus='alert(1)",
        "</title><svg onload=alert(1)>",
        "</style><link rel=stylesheet href=//evil.example>",
        "<!--<script>",
        "]]><x>",
        "{{ 7*7 }}{% raw %}",
    ],
)
def test_no_markup_gets_through(name: str) -> None:
    html = hostile_page(name)
    assert structure(html) == TAME
    assert "49" not in parse(html).text_of("bdi")


def test_hidden_and_reordering_characters_are_shown_as_codes() -> None:
    html = hostile_page("\u202egnp.exe\u200b")
    assert "\u202e" not in html
    assert "\\u{202e}gnp.exe\\u{200b}" in html


def test_every_name_is_isolated_from_its_surroundings() -> None:
    """Right-to-left names must not turn the numbers beside them around."""
    html = render_html(document(night_plan()))
    part = html[html.index('<table id="rows">') : html.index("</table>")]
    assert part.count("<bdi") >= len(night_plan().changes)


def test_only_its_own_style_and_script_may_run() -> None:
    html = render_html(document(night_plan()))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    assert policy.group(1).startswith("default-src 'none'; ")
    for element in ("style", "script"):
        [content] = re.findall(f"<{element}>(.*?)</{element}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy.group(1)
    assert "unsafe" not in policy.group(1)


def test_nothing_in_it_leads_anywhere_else() -> None:
    for tag, attrs in parse(page_of(document(night_plan()), background(nights(KEYS), KEYS))).tags:
        for name, value in attrs:
            assert name not in {"src", "srcset", "style", "action", "ping", "formaction", "srcdoc"}, tag
            assert not name.startswith("on"), tag
            assert name != "href" or (value or "").startswith("#")


def test_five_hundred_mappings_and_thirteen_months_stay_under_a_megabyte() -> None:
    names = {f"infima-{number}": f"A customer with a rather long name {number} Ltd" for number in range(1000, 1500)}
    around = background(nights(names, months=13, every=12), names)
    price = UnitPrice(amount=Decimal("2.75"), currency="EUR")
    around = replace(around, names={key: replace(name, price=price) for key, name in around.names.items()})
    html = page_of(None, around)
    assert html.count("Estimate: ") == 500
    assert len(html.encode()) < 1_000_000
    assert len(rows_of(html)) == 500


# ---- colours --------------------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    text = colour.lstrip("#")
    text = "".join(char * 2 for char in text) if len(text) == 3 else text
    parts = [int(text[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
@pytest.mark.parametrize("word", ["text", "muted", "blue", "call", "bad", "good"])
def test_every_text_colour_meets_wcag_aa_on_both_grounds(scheme: int, word: str) -> None:
    css = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--(\w+):(#\w+)", re.findall(r":root\{([^}]*)\}", css)[scheme]))
    assert min(contrast(colours[word], colours[ground]) for ground in ("bg", "soft")) >= 4.5


def test_every_state_has_a_sign_and_a_word() -> None:
    """Colour alone carries no meaning."""
    for row in rows_of(page_of(applied(night_plan(), exit_code=3))):
        assert re.fullmatch(r"\S \w[\w ,]*", row[1])


def test_the_view_and_the_page_agree_on_what_is_held() -> None:
    plan: PlanJson = document(night_plan())
    held = {row.key for row in view(plan).of_kind(Kind.HELD)}
    assert {row[0].split()[-1] for row in rows_of(render_html(plan)) if row[1] == "! held"} == held


def test_a_new_subscription_says_that_it_has_to_be_attached() -> None:
    new = build_change(build_mapping(111, 51, name="Nova Optics"), subscription=None, after=14)
    html = page_of(applied(build_plan(*quiet_changes(), new), exit_code=0))
    assert "is new; whether it is on a recurring invoice is not checked." in html
    assert "add a line whose quantity comes from Subscription" in html
    assert "A new Subscription has no price: set that as well." in html
