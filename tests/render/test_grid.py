"""Lists in columns, CSV and Markdown: no name gets out of its cell."""

from __future__ import annotations

import csv
import io

import pytest

from reconciler.render.grid import Column, draw_columns, draw_csv, draw_markdown
from reconciler.render.text import display_width

COLUMNS = (Column(title="Key"), Column(title="Users", number=True), Column(title="Note", wrap=True))
HOSTILE = "\x1b[31mred\u202e|x\n=1+1 <b>@team</b>"


def test_columns_stand_under_their_titles() -> None:
    text = draw_columns(COLUMNS, [("acme", 5, "fine"), ("b", 120, "")], width=80, encoding="utf-8")
    assert text == "Key   Users  Note\nacme      5  fine\nb       120  -\n"


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    rows = [("infima-101", 5, "a long note " * 20), ("key-" * 30, 7, "x")]
    text = draw_columns(COLUMNS, rows, width=width, encoding="utf-8")
    assert text.startswith("Key: ") or max(display_width(line) for line in text.splitlines()) <= width


def test_a_wrapped_note_is_told_whole() -> None:
    note = "one two three four five six seven eight nine ten eleven twelve"
    text = draw_columns(COLUMNS, [("k", 1, note)], width=45, encoding="utf-8")
    assert [word for word in note.split() if word not in text.split()] == []


def test_too_narrow_for_columns_becomes_blocks() -> None:
    text = draw_columns(COLUMNS, [("infima-101", 5, "note " * 30)], width=20, encoding="utf-8")
    assert text.splitlines()[:2] == ["Key: infima-101", "Users: 5"]


def test_what_does_not_fit_goes_below_its_row_with_its_title() -> None:
    columns = (*COLUMNS[:2], Column(title="Who"), Column(title="Verdict"))
    rows = [
        ("infima-101", 5, "nightly", "Apply complete! 0 created, 2 updated, 3 unchanged, and more"),
        ("b", 7, "", "x"),
    ]
    text = draw_columns(columns, rows, width=70, encoding="utf-8")
    assert text.splitlines() == [
        "Key         Users  Who",
        "infima-101      5  nightly",
        "    Verdict: Apply complete! 0 created, 2 updated, 3 unchanged, and",
        "    more",
        "b               7  -",
        "    Verdict: x",
    ]


def test_names_cannot_control_the_terminal_nor_break_cp1252() -> None:
    text = draw_columns(COLUMNS, [("\u4e2d", 1, HOSTILE)], width=100, encoding="cp1252")
    text.encode("cp1252")
    assert "\x1b" not in text
    assert len(text.splitlines()) == 2


def test_csv_keeps_cells_apart_and_is_no_formula() -> None:
    text = draw_csv(COLUMNS, [("a,b", 1, '"=cmd()'), ("=1+1", None, HOSTILE)])
    rows = list(csv.reader(io.StringIO(text)))
    assert [len(row) for row in rows] == [3, 3, 3]
    assert rows[1][2].startswith("'")
    assert rows[2][0] == "'=1+1"


def test_markdown_rows_keep_their_cells() -> None:
    text = draw_markdown(COLUMNS, [("a|b", 1, HOSTILE)])
    assert [line.count("|") for line in text.splitlines()] == [4, 4, 4]
    assert "<b>" not in text


@pytest.mark.parametrize("width", [20, 40, 60, 80, 115, 160])
def test_no_terminal_is_too_narrow_for_an_id(width: int) -> None:
    columns = (
        Column(title="Mapping"),
        Column(title="HaloPSA customer", name=True),
        Column(title="Subscription"),
        Column(title="Why", wrap=True),
    )
    key, why = "k" * 64, "held by rule-" + "x" * 50
    text = draw_columns(columns, [(key, "A name " * 20, "#2147483647", why)], width=width, encoding="utf-8")
    for whole in (key, "#2147483647", why.rsplit(maxsplit=1)[-1]):
        assert whole in text
