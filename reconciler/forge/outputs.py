"""Verdict, counts and reason for the steps and systems that come after: small words and numbers, never a name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from reconciler.forge.result import Result
from reconciler.render.terraform import count_actions
from reconciler.render.text import visible

_PLAIN = re.compile(r"[a-z0-9-]{1,40}")


def outputs_of(result: Result) -> dict[str, str]:
    """The outputs of a run: verdict, reason, attention and, where there is a plan, its figures."""
    values = {"verdict": str(result.verdict), "reason": str(result.reason), "attention": str(result.attention)}
    return values | {name: str(figure) for name, figure in result.figures().items()}


def github_output(values: Mapping[str, str], delimiter: Callable[[], str]) -> str:
    """The lines for GITHUB_OUTPUT; each value stands between two lines that nobody can guess."""
    lines = []
    for name, value in values.items():
        if not _PLAIN.fullmatch(value):
            raise ValueError(f"the output {name} is not a plain word")
        mark = delimiter()
        lines += [f"{name}<<{mark}", value, mark]
    return "".join(f"{line}\n" for line in lines)


def gitlab_terraform(result: Result) -> str:
    """The report for GitLab's merge-request widget (`artifacts: reports: terraform`). Nothing is ever deleted.

    It counts what `-o terraform` has among its changes: nothing of a refused run; after apply what was written.
    """
    counted = count_actions(result.document) if result.document is not None else {}
    return json.dumps({"create": counted.get("create", 0), "update": counted.get("update", 0), "delete": 0}) + "\n"


def azure_commands(result: Result, messages: list[tuple[str, str]], summary: str | None) -> str:
    """Azure DevOps' logging commands: variables, issues (`error` or `warning`) and the summary's file."""
    lines = [
        f"##vso[task.setvariable variable=reconciler_{name};isOutput=true]{value}"
        for name, value in outputs_of(result).items()
    ]
    lines += [f"##vso[task.logissue type={level}]{_azure_data(message)}" for level, message in messages]
    if summary is not None:
        lines.append(f"##vso[task.uploadsummary]{_azure_data(summary)}")
    if not result.verdict.came_to_its_end:
        lines.append("##vso[task.complete result=Failed;]")
    elif result.attention:
        lines.append("##vso[task.complete result=SucceededWithIssues;]")
    return "".join(f"{line}\n" for line in lines)


def _azure_data(text: str) -> str:
    """Text behind a logging command: one line, and nothing in it that reads as a command of its own."""
    return visible(text[:4_000]).replace("%", "%AZP25").replace("##", "# #")
