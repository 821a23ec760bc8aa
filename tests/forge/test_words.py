"""The texts that people read: true in every case, harmless whatever a name holds, never longer than permitted."""

from __future__ import annotations

import pytest

from reconciler.errors import ConnectFailed
from reconciler.forge.result import NO_RESULT, Result, read_result
from reconciler.forge.words import COMMENT_LIMIT, Occasion, Origin, body, fitted, origin
from reconciler.plan_document import dump_document, error_document
from reconciler.plan_document.layout import PlanJson
from tests.builders import NOW, build_change, build_mapping, build_plan
from tests.render import stories

WHERE = Origin(run_url="https://github.example.com/acme/billing/actions/runs/7", now=NOW)


def told(document: PlanJson, occasion: Occasion, *, limit: int = COMMENT_LIMIT) -> str:
    return body(read_result(dump_document(document).encode()), occasion, WHERE, limit=limit)


def lead(document: PlanJson, occasion: Occasion) -> str:
    return told(document, occasion).split("\n\n")[1]


def many_holds(number: int) -> PlanJson:
    changes = [
        build_change(build_mapping(200 + n, 500 + n, name=f"Client {n:05}"), before=12, after=0, hold=stories.ZERO)
        for n in range(number)
    ]
    return stories.document(build_plan(*changes))


def test_a_preview_says_what_the_edit_does_and_what_would_happen_anyway() -> None:
    assert lead(stories.document(stories.against_plan()), Occasion.PREVIEW) == (
        "This is a preview: nothing has been written to HaloPSA. Merging the edit changes 2 quantities, 1 quantity "
        "would change tonight with or without it, and 1 Subscription is held. "
        "The quantities would come to 112 users, 6 more. 4 things wait for a person."
    )


def test_an_edit_without_effect_says_so() -> None:
    changes = [
        build_change(
            build_mapping(102, 19, name="Borealis"), before=12, after=13, subscription=9012, caused_by="counts"
        )
    ]
    words = lead(stories.document(build_plan(*changes)), Occasion.PREVIEW)
    assert "Merging the edit changes no quantity, and 1 quantity would change tonight with or without it." in words


def test_a_night_says_what_was_set_and_what_waits() -> None:
    words = lead(stories.applied(stories.night_plan(), exit_code=3), Occasion.NIGHT)
    assert "2 Subscriptions are held. 1 Subscription was created, and 2 quantities were set." in words


def test_a_quiet_night_says_so() -> None:
    words = lead(stories.applied(build_plan(*stories.quiet_changes()), exit_code=0), Occasion.NIGHT)
    assert words.endswith(
        "Everything was right already. The quantities in HaloPSA come to 76 users, as before. "
        "Nothing that was looked at waits for a person."
    )


def test_a_refused_night_promises_nothing() -> None:
    words = lead(stories.applied(stories.refused_plan(), exit_code=3), Occasion.NIGHT)
    assert words.endswith(
        "A safety rule stops the whole run, and nothing is written until a person has decided. "
        "6 things wait for a person."
    )


def test_a_hold_says_how_to_release_it_in_the_browser() -> None:
    held = told(stories.applied(stories.night_plan(), exit_code=3), Occasion.NIGHT)
    quiet = told(stories.applied(build_plan(*stories.quiet_changes()), exit_code=0), Occasion.NIGHT)
    assert "open Actions, then Apply, then Run workflow" in held
    assert "Run workflow" not in quiet


@pytest.mark.parametrize("occasion", list(Occasion))
def test_a_run_without_a_result_says_so(occasion: Occasion) -> None:
    text = body(NO_RESULT, occasion, WHERE)
    assert "The run ended without a result" in text
    assert "Everything was right" not in text


def test_an_error_with_hostile_words_stays_words() -> None:
    error = ConnectFailed("no <img src=x> @everyone\n# heading", system="INFIMA", hint="[click](https://evil.example)")
    text = body(read_result(dump_document(error_document(error, version="1")).encode()), Occasion.NIGHT, WHERE)
    assert "<img" not in text
    assert "@everyone" not in text
    assert "](https://evil" not in text
    assert "\n# heading" not in text


def test_a_comment_fits_however_many_holds_there_are() -> None:
    text = told(many_holds(2000), Occasion.PREVIEW)
    assert len(text) <= COMMENT_LIMIT
    assert "The rest does not fit here. The run's artifacts hold all of it." in text
    assert text.rstrip().endswith("</sub>")


def test_as_many_holds_as_fit_are_all_there() -> None:
    text = told(many_holds(300), Occasion.PREVIEW)
    assert len(text) <= COMMENT_LIMIT
    assert sum(f"Client {n:05}" in text for n in range(300)) == 300


@pytest.mark.parametrize("limit", [2_000, 5_000, 30_000])
def test_a_shorter_text_is_really_shorter(limit: int) -> None:
    assert len(told(many_holds(200), Occasion.PREVIEW, limit=limit)) <= limit


def test_a_cut_closes_what_was_folded() -> None:
    text = fitted("<details><summary>x</summary>\n" + "line\n" * 500 + "</details>", "bottom", 1_000)
    assert len(text) <= 1_000
    assert text.count("<details>") == text.count("</details>") == 1


def test_the_run_is_linked_only_when_it_is_known() -> None:
    known = {
        "GITHUB_SERVER_URL": "https://github.example.com",
        "GITHUB_REPOSITORY": "acme/billing",
        "GITHUB_RUN_ID": "7",
    }
    assert origin(known, NOW) == WHERE
    assert origin({**known, "GITHUB_RUN_ID": "7)(x"}, NOW).run_url == ""
    assert origin({}, NOW).run_url == ""


def test_no_result_is_a_failure() -> None:
    assert isinstance(NO_RESULT, Result)
    assert not NO_RESULT.verdict.came_to_its_end


def test_gitlabs_job_and_azures_build_are_linked_too() -> None:
    assert origin({"CI_JOB_URL": "https://gitlab.example.com/acme/-/jobs/7"}, NOW).run_url.endswith("/-/jobs/7")
    azure = {
        "SYSTEM_COLLECTIONURI": "https://dev.azure.example.com/acme/",
        "SYSTEM_TEAMPROJECT": "Client billing",
        "BUILD_BUILDID": "7",
    }
    expected = "https://dev.azure.example.com/acme/Client%20billing/_build/results?buildId=7"
    assert origin(azure, NOW).run_url == expected
