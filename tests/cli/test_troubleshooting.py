"""docs/troubleshooting.md names only what exists."""

from __future__ import annotations

import re
from pathlib import Path

from reconciler.answers.explain import find_topic
from reconciler.cli.main import COMMANDS

PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")


def test_every_topic_that_is_named_can_be_looked_up() -> None:
    named = set(re.findall(r"`(?:reconciler )?explain ([a-z-]+)`", PAGE))
    assert len(named) > 8
    assert [name for name in named if find_topic(name) is None] == []


def test_every_command_that_is_named_exists() -> None:
    named = set(re.findall(r"`reconciler ([a-z-]+)", PAGE))
    assert named - set(COMMANDS) == set()


def test_every_question_has_its_answer_here() -> None:
    for question in ("not-updated", "invoice-zero", "renamed", "deleted", "customer-not-found"):
        assert f"`explain {question}`" in PAGE
