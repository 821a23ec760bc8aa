"""What a run came to, judged from what it printed."""

from __future__ import annotations

import json

import pytest

from reconciler.errors import ConnectFailed, ReconcilerError, StateLocked, UsageError
from reconciler.forge.result import (
    NO_RESULT,
    Reason,
    Result,
    Verdict,
    azure_commands,
    github_output,
    gitlab_terraform,
    outputs_of,
    read_result,
)
from reconciler.plan_document import dump_document, error_document
from reconciler.plan_document.layout import PlanJson
from reconciler.planning.changes import Outcome, Settled
from tests.builders import build_plan
from tests.render import stories
from tests.workflows.runner import read_outputs


def judged(document: PlanJson) -> Result:
    return read_result(dump_document(document).encode())


def test_a_plan_without_changes_is_clean() -> None:
    result = judged(stories.document(build_plan(*stories.quiet_changes())))
    assert (result.verdict, result.reason, result.attention) == (Verdict.CLEAN, Reason.NONE, 0)


def test_a_plan_with_changes_only_asks_for_nobody() -> None:
    changes = [c for c in stories.night_changes() if c.hold is None]
    result = judged(stories.document(build_plan(*changes)))
    assert (result.verdict, result.reason, result.attention) == (Verdict.CHANGES, Reason.NONE, 0)


def test_each_hold_and_whatever_nobody_claims_waits_for_a_person() -> None:
    result = judged(stories.document(stories.night_plan()))
    assert (result.verdict, result.reason, result.attention) == (Verdict.HELD, Reason.HELD, 5)


def test_a_refused_run_counts_its_rules_beside_what_waits_anyway() -> None:
    result = judged(stories.applied(stories.refused_plan(), exit_code=3))
    assert (result.verdict, result.reason, result.attention) == (Verdict.REFUSED, Reason.REFUSED, 6)


def test_a_new_subscription_waits_to_be_attached() -> None:
    changes = [c for c in stories.night_changes() if c.hold is None]
    result = judged(stories.applied(build_plan(*changes), exit_code=0))
    assert (result.verdict, result.attention) == (Verdict.CLEAN, 1)


@pytest.mark.parametrize(
    ("outcome", "reason"), [(Outcome.FAILED, Reason.WRITE_FAILED), (Outcome.UNKNOWN, Reason.WRITE_UNKNOWN)]
)
def test_a_write_that_did_not_succeed_is_incomplete(outcome: Outcome, reason: Reason) -> None:
    changes = [c for c in stories.night_changes() if c.hold is None]
    document = stories.applied(build_plan(*changes), exit_code=4, infima_102=Settled(outcome=outcome))
    result = judged(document)
    assert (result.verdict, result.reason) == (Verdict.INCOMPLETE, reason)
    assert result.attention == 2, "the write, and the new Subscription"


def test_a_row_that_moved_meanwhile_waits_for_a_person() -> None:
    changes = [c for c in stories.night_changes() if c.hold is None]
    document = stories.applied(build_plan(*changes), exit_code=3, infima_102=Settled(outcome=Outcome.STALE))
    assert judged(document).reason is Reason.STALE


@pytest.mark.parametrize(("code", "reason"), [(130, Reason.INTERRUPTED), (4, Reason.ERROR), (1, Reason.ERROR)])
def test_a_bad_exit_code_is_never_clean(code: int, reason: Reason) -> None:
    result = judged(stories.applied(build_plan(*stories.quiet_changes()), exit_code=code))
    assert (result.verdict, result.reason, result.attention) == (Verdict.INCOMPLETE, reason, 1)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectFailed("no", system="INFIMA"), Reason.INFIMA),
        (ConnectFailed("no", system="HaloPSA"), Reason.HALOPSA),
        (StateLocked("busy"), Reason.STATE),
        (UsageError("no"), Reason.USAGE),
        (ReconcilerError("no"), Reason.ERROR),
    ],
)
def test_an_error_names_its_kind(error: ReconcilerError, reason: Reason) -> None:
    result = read_result(dump_document(error_document(error, version="1")).encode())
    assert (result.verdict, result.reason, result.attention) == (Verdict.FAILED, reason, 1)
    assert result.document is None


@pytest.mark.parametrize(
    "data", [None, b"", b" \n", b"not json", b"[]", b'{"errored": true}', b"{", b"\xff", b"[" * 9999]
)
def test_anything_else_is_a_run_without_a_result(data: bytes | None) -> None:
    assert read_result(data) is NO_RESULT


def test_a_plan_cut_off_in_the_middle_is_a_run_without_a_result() -> None:
    whole = dump_document(stories.document(stories.night_plan())).encode()
    assert {read_result(whole[:end]).reason for end in range(1, len(whole) - 2, 97)} == {Reason.NO_RESULT}


def test_problems_of_the_file_keep_their_lines() -> None:
    document = {
        "errored": True,
        "error": {"code": "config", "message": "m", "diagnostics": [{"line": 7, "message": "x"}]},
    }
    result = read_result(json.dumps(document).encode())
    assert result.reason is Reason.CONFIG
    assert result.error is not None
    assert result.error.problems == ("Line 7: x",)


# ---- outputs for machines: words and numbers, no names, nothing that another value can break out of -----------------


NIGHT = read_result(dump_document(stories.document(stories.night_plan())).encode())


def test_the_outputs_are_the_figures() -> None:
    assert outputs_of(NIGHT) == {
        "verdict": "held", "reason": "held", "attention": "5", "create": "1", "update": "2", "unchanged": "3",
        "held": "2", "users_before": str(NIGHT.document["summary"]["users_before"]),
        "users_after": str(NIGHT.document["summary"]["users_after"]),
    }  # fmt: skip


def test_a_run_without_a_plan_has_no_figures() -> None:
    assert outputs_of(NO_RESULT) == {"verdict": "failed", "reason": "no-result", "attention": "1"}


def test_no_output_holds_a_name() -> None:
    assert all(value.replace("-", "").isalnum() and len(value) < 40 for value in outputs_of(NIGHT).values())


def test_the_runner_reads_back_what_was_written() -> None:
    marks = iter(f"mark-{n}" for n in range(99))
    assert read_outputs(github_output(outputs_of(NIGHT), lambda: next(marks))) == outputs_of(NIGHT)


def test_each_value_has_a_delimiter_of_its_own() -> None:
    marks = iter("abc")
    assert github_output({"x": "1", "y": "2"}, lambda: next(marks)) == "x<<a\n1\na\ny<<b\n2\nb\n"


@pytest.mark.parametrize("value", ["Acme Dental", "a\nb", "", "x" * 41, "::error::"])
def test_anything_but_a_plain_word_is_a_bug(value: str) -> None:
    with pytest.raises(ValueError, match="plain word"):
        github_output({"verdict": value}, lambda: "mark")


def test_gitlab_reads_the_counts() -> None:
    assert json.loads(gitlab_terraform(NIGHT)) == {"create": 1, "update": 2, "delete": 0}
    assert json.loads(gitlab_terraform(NO_RESULT)) == {"create": 0, "update": 0, "delete": 0}


def test_gitlab_counts_what_stands_among_the_changes_of_the_terraform_plan() -> None:
    """Nothing of a refused run; after a run what was written, not what was wanted."""
    refused = read_result(dump_document(stories.document(stories.refused_plan())).encode())
    assert json.loads(gitlab_terraform(refused)) == {"create": 0, "update": 0, "delete": 0}
    failed = Settled(outcome=Outcome.FAILED)
    written = stories.applied(stories.night_plan(), exit_code=4, infima_111=failed)
    result = read_result(dump_document(written).encode())
    assert json.loads(gitlab_terraform(result)) == {"create": 0, "update": 2, "delete": 0}


def test_azure_is_told_of_a_hold_without_failing() -> None:
    text = azure_commands(NIGHT, [("warning", "2 need attention")], "summary.md")
    assert "##vso[task.setvariable variable=reconciler_verdict;isOutput=true]held\n" in text
    assert "##vso[task.logissue type=warning]2 need attention\n" in text
    assert "##vso[task.uploadsummary]summary.md\n" in text
    assert text.endswith("##vso[task.complete result=SucceededWithIssues;]\n")


def test_azure_fails_a_run_that_did_not_come_to_its_end() -> None:
    assert azure_commands(NO_RESULT, [], None).endswith("##vso[task.complete result=Failed;]\n")


def test_a_message_for_azure_cannot_give_commands() -> None:
    text = azure_commands(NIGHT, [("warning", "x\n##vso[task.complete result=Succeeded;] 100%")], None)
    issue = next(line for line in text.splitlines() if "logissue" in line)
    assert issue.count("##vso[") == 1
    assert issue.endswith("100%AZP25")
