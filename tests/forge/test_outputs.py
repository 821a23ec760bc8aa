"""Outputs for machines: words and numbers, no names, and nothing that another value can break out of."""

from __future__ import annotations

import json

import pytest

from reconciler.forge.result import NO_RESULT, azure_commands, github_output, gitlab_terraform, outputs_of, read_result
from reconciler.plan_document import dump_document
from reconciler.planning.changes import Outcome, Settled
from tests.render import stories
from tests.workflows.runner import read_outputs

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
