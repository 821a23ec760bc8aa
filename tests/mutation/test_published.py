"""docs/reliability.md shows what `make mutation` found, for every module that it judges."""

from __future__ import annotations

import json

import pytest

from tests.figures import DOCUMENT, Figures, document
from tests.mutation.__main__ import GOAL_PERCENT
from tests.mutation.published import FIGURES, percent, table
from tests.mutation.subjects import SUBJECTS


@pytest.fixture
def figures() -> Figures:
    read: Figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    return read


def test_the_document_shows_the_figures(figures: Figures) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == document(text, "mutation", table(figures))


def test_every_module_was_judged_and_reached_the_goal(figures: Figures) -> None:
    assert set(figures) == set(SUBJECTS)
    assert [name for name, row in figures.items() if percent(row) < GOAL_PERCENT or row["wrong"]] == []
    for row in figures.values():
        assert row["killed"] + row["equivalent"] + len(row["survivors"]) == row["mutants"]


def test_a_score_is_never_rounded_up_and_survivors_are_named() -> None:
    row = {"mutants": 1_001, "killed": 999, "equivalent": 1, "survivors": ["7: diff: 1  ->  2"], "wrong": []}
    assert percent(row) == 99.9
    assert "| plan | 1001 | 999 | 1 | 99.9 % |" in table({"plan": row})
    assert "* `plan`, line 7: diff: 1  ->  2" in table({"plan": row})


def test_a_document_without_a_place_for_them_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place"):
        document("# Reliability\n", "mutation", "")
