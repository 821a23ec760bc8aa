"""What people are told where they are: when, what, how long, and harmless whatever a name holds."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from markdown_it import MarkdownIt

from reconciler.errors import ConnectFailed
from reconciler.forge.notify import HTML, MARKDOWN, TEXT, Markup, body, is_told, title, urgency
from reconciler.forge.result import NO_RESULT, Result, read_result
from reconciler.forge.words import Occasion, Origin
from reconciler.plan_document import dump_document, error_document, plan_document
from reconciler.plan_document.layout import NeedJson, PlanJson
from reconciler.planning.changes import Plan
from tests.builders import NOW, build_plan
from tests.render import stories
from tests.render.hostile import LISTED, plans

RUN = "https://github.example.com/acme/billing/actions/runs/7"
WHERE = Origin(run_url=RUN, now=NOW)
COMMONMARK = MarkdownIt("commonmark").enable(["table", "strikethrough"])
EVERY_MARKUP = pytest.mark.parametrize("markup", [TEXT, MARKDOWN, HTML], ids=["text", "markdown", "html"])


def need(**given: object) -> NeedJson:
    made: NeedJson = {
        "kind": "held",
        "id": "held:infima-107",
        "key": "infima-107",
        "who": "Harbour Clinic",
        "what": "Zero: INFIMA counts 0 users.",
        "step": "ask the client",
        "rule": "zero",
        "since": "2026-11-20T03:17:00Z",
        "next_invoice": "2026-12-01",
        "users": 12,
        "customer_id": 43,
        "subscription_id": 9007,
    }
    return {**made, **given}  # type: ignore[typeddict-item, return-value] - the test names members


def result_of(document: PlanJson) -> Result:
    return read_result(dump_document(document).encode())


def night(needs: list[NeedJson], met: list[NeedJson] | None = None) -> Result:
    document = stories.applied(build_plan(*stories.quiet_changes()), exit_code=0)
    document["needs"] = needs
    if met:
        document["needs_met"] = met
    return result_of(document)


def told(result: Result, markup: Markup = TEXT, *, limit: int = 30_000, where: Origin = WHERE) -> str:
    return body(result, Occasion.NIGHT, where, markup, limit=limit)


def test_what_waits_is_told_with_its_next_invoice_and_what_to_do() -> None:
    assert told(night([need()])) == (
        "Everything was right already. The quantities in HaloPSA come to 76 users, as before.\n\n"
        "Harbour Clinic (infima-107): held, since 20 Nov 2026, before the invoice of 1 Dec (in 9 days), 12 users\n"
        "Zero: INFIMA counts 0 users.\n"
        "To do: ask the client\n\n"
        f"The run: {RUN}"
    )


def test_a_quiet_night_after_a_quiet_one_is_not_told() -> None:
    assert not is_told(night([]))


def test_what_came_right_is_told_once_by_name() -> None:
    right = night([], [need()])
    assert is_told(right)
    assert title(right, Occasion.NIGHT) == "Nightly reconciliation: right again, nothing waits for a person"
    assert "Waits no longer: Harbour Clinic (held)." in told(right)


def test_right_again_is_not_said_while_something_waits() -> None:
    both = night([need()], [need(id="held:b", key="b", who="Borealis")])
    assert title(both, Occasion.NIGHT) == "Nightly reconciliation: clean, 1 thing waits for a person"
    assert "Waits no longer: Borealis (held)." in told(both)


def test_one_instance_of_many_is_named_in_the_subject() -> None:
    subject = title(night([]), Occasion.NIGHT, "instances/north")
    assert subject == "Nightly reconciliation (instances/north): clean, nothing waits for a person"


def test_many_that_wait_no_longer_are_counted() -> None:
    met = [need(id=f"held:{n}", key=f"k{n}", who=f"Client {n}") for n in range(25)]
    assert "Client 9 (held) and 15 more." in told(night([], met))


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (night([]), "info"),
        (night([], [need()]), "success"),
        (night([need()]), "warning"),
        (result_of(stories.applied(stories.refused_plan(), exit_code=3)), "failure"),
        (NO_RESULT, "failure"),
    ],
)
def test_colours_say_how_urgent_it_is(result: Result, kind: str) -> None:
    assert urgency(result) == kind


def test_a_run_without_a_result_is_told_with_what_to_do() -> None:
    assert title(NO_RESULT, Occasion.APPLIED) == "Reconciliation after an edit: failed, 1 thing waits for a person"
    words = told(NO_RESULT)
    assert "How far the nightly run came is not known." in words
    assert "To do: Look into the log of the run." in words


def test_a_failed_run_names_the_error_once() -> None:
    error = ConnectFailed("INFIMA did not answer.", system="INFIMA", hint="Try again later.")
    words = told(read_result(dump_document(error_document(error, version="0.1.0")).encode()))
    assert words.count("INFIMA did not answer.") == 1
    assert "To do: Try again later." in words


def test_without_a_known_run_there_is_no_link() -> None:
    assert "The run" not in told(night([need()]), where=Origin(run_url="", now=NOW))


@EVERY_MARKUP
@pytest.mark.parametrize("limit", [1, 20, 70, 100, 160, 300, 500, 1_000, 2_000, 7_800])
def test_it_fits_and_counts_what_does_not(markup: Markup, limit: int) -> None:
    needs = [need(id=f"held:{n}", key=f"k{n}", who=f"Client {n} & *Sons*") for n in range(60)]
    words = told(night(needs), markup, limit=limit)
    assert 0 < len(words) <= limit
    kept = words.count("To do:")
    if limit >= 500:
        assert words.index("Client 0 ") < words.index(f"{60 - kept} more: see the run.")
        assert RUN in words
    elif limit >= 160:
        assert RUN in words


@EVERY_MARKUP
def test_one_that_is_longer_than_the_rest_is_not_cut_in_two(markup: Markup) -> None:
    words = told(night([need(what="x" * 900), need(id="held:b", key="b", who="Borealis")]), markup, limit=1_000)
    assert "2 more: see the run." in words
    assert "xxx" not in words


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs).get("href")))
        assert len(attrs) == (1 if tag == "a" else 0)


def assert_harmless(result: Result) -> None:
    """Whatever stands in names, only our own strong words, line breaks and the link to the run are markup."""
    kinds: set[str] = set()
    links = []
    for token in COMMONMARK.parse(told(result, MARKDOWN)):
        for node in (token, *(token.children or ())):
            kinds.add(node.type)
            links += [node.attrs["href"]] if node.type == "link_open" else []
    assert kinds <= {
        "paragraph_open", "paragraph_close", "inline", "text", "text_special", "strong_open", "strong_close",
        "softbreak", "hardbreak", "link_open", "link_close",
    }  # fmt: skip
    assert links == [RUN]
    tags = _Tags()
    tags.feed(told(result, HTML))
    assert {tag for tag, _ in tags.found} <= {"b", "br", "a"}
    assert [href for tag, href in tags.found if tag == "a"] == [RUN]
    for markup in (TEXT, MARKDOWN, HTML):
        words = told(result, markup).replace(RUN, "")
        assert not re.search(r"://|@\S(?<!\u200b)|<[!@]|(?i:www\.)|:\w+:\w*(?=:)", words)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\r]", words)


def test_no_listed_name_is_more_than_words() -> None:
    for name in LISTED:
        assert_harmless(night([need(who=name, key=name, what=name, step=name)], [need(id="x", key="x", who=name)]))


def test_a_mention_of_a_channel_reaches_nobody() -> None:
    words = told(night([need(who="<!channel> <@U123> @everyone <#C1|x> ~town")]))
    assert not re.search(r"<!c|<@U|@e|<#C|~t", words)


@given(plan=plans())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_name_escapes(plan: Plan) -> None:
    assert_harmless(result_of(plan_document(plan, version="0.1.0")))
