"""The exits for foreign text, held against a thousand hostile names and each sink's own rules (FAULTS 2.8, T12)."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reconciler.render.text import (
    annotation_data,
    annotation_property,
    commonmark_safe,
    csv_cell,
    cut,
    display_width,
    html_message_safe,
    markdown_code,
    markdown_safe,
    message_safe,
    pad,
    terminal_safe,
    visible,
)
from tests.render.hostile import LISTED, names, thousand_names

THOUSAND = thousand_names()
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
COMMONMARK = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def hidden_in(text: str) -> set[str]:
    return {char for char in text if unicodedata.category(char) in HIDDEN}


def parsed_as_command(line: str) -> bool:
    """What a CI runner takes for a command, stated anew: GitHub's two parsers and Azure's."""
    return line.lstrip().startswith("::") or re.search(r"##(?:vso)?\[", line) is not None


def foreign_nodes(markdown: str) -> set[str]:
    """Everything that a CommonMark parser makes of one table cell and one sentence, besides their text."""
    kinds = set()
    for source in (f"| a |\n|---|\n| {markdown} |\n", f"Name: {markdown}\n"):
        for token in COMMONMARK.parse(source):
            kinds.add(token.type)
            kinds |= {child.type for child in token.children or ()}
    table = {f"{part}_{side}" for part in ("table", "thead", "tbody", "tr", "th", "td") for side in ("open", "close")}
    return kinds - table - {"inline", "text", "text_special", "paragraph_open", "paragraph_close"}


def rendered_text(markdown: str) -> str:
    return "".join(
        child.content for token in COMMONMARK.parse(f"Name: {markdown}\n") for child in token.children or ()
    ).removeprefix("Name: ")


# --- terminal and CI log ---------------------------------------------------------------------------------------------


def assert_terminal_safe(name: str) -> None:
    safe = terminal_safe(name)
    assert not hidden_in(safe)
    assert display_width(safe) <= 80
    assert len(safe) <= 163
    for before in ("", "  ", "note "):
        assert not parsed_as_command(before + safe)


def test_a_thousand_names_are_safe_on_a_terminal_and_in_a_log() -> None:
    for name in THOUSAND:
        assert_terminal_safe(name)


@given(name=names)
def test_any_name_is_safe_on_a_terminal_and_in_a_log(name: str) -> None:
    assert_terminal_safe(name)


@given(name=st.text(max_size=20), encoding=st.sampled_from(["ascii", "cp1252", "latin-1", "utf-8"]))
def test_any_name_can_be_encoded(name: str, encoding: str) -> None:
    terminal_safe(name, encoding=encoding).encode(encoding)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Acme Dental", "Acme Dental"),
        ("Müller & Söhne GmbH", "Müller & Söhne GmbH"),
        ("a\x1b[2Jb", "a\\u{1b}[2Jb"),
        ("a\nb", "a\\u{a}b"),
        ("a\u202eb", "a\\u{202e}b"),
        ("::error::x", ": :error: :x"),
        ("##[error]x", "# #[error]x"),
        ("10:30", "10:30"),
        ("x" * 81, "x" * 77 + "..."),
        ("x" * 80, "x" * 80),
    ],
)
def test_names_read_as_they_were_meant(name: str, shown: str) -> None:
    assert terminal_safe(name) == shown


def test_what_a_console_cannot_show_becomes_its_code() -> None:
    assert terminal_safe("Łódź", encoding="cp1252") == "\\u{141}ód\\u{17a}"


def test_million_characters_are_cut_quickly() -> None:
    assert len(terminal_safe("\x1b" * 1_000_000)) <= 80


# --- width -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("é", 1), ("e\u0301", 1), ("字", 2), ("\uff46", 2), ("", 0)])
def test_width_is_counted_in_columns(text: str, columns: int) -> None:
    assert display_width(text) == columns


def test_padding_aligns_wide_text() -> None:
    assert [display_width(pad(text, 6)) for text in ("字", "ab", "e\u0301")] == [6, 6, 6]
    assert pad("7", 3, right=True) == "  7"


@given(text=st.text(max_size=40), width=st.integers(3, 30))
def test_cut_never_exceeds_the_width(text: str, width: int) -> None:
    assert display_width(cut(text, width)) <= width


# --- Markdown --------------------------------------------------------------------------------------------------------


def assert_markdown_safe(name: str) -> None:
    safe = markdown_safe(name)
    assert foreign_nodes(safe) == set()
    assert "\n" not in safe
    text = rendered_text(safe)
    # what forges look for in the rendered text: people, issues, commits, links and pictures
    assert not re.search(r"[@#]\S", text.replace("\u200b", " "))
    assert not re.search(r"(?i)\bgh-\d|www\.\w|://|mailto:\w+@\w", text)
    assert not re.search(r"\b[0-9a-f]{7,40}\b", text)
    assert not re.search(r":[\w+-]+:", text)


def test_a_thousand_names_are_plain_words_in_markdown() -> None:
    for name in THOUSAND:
        assert_markdown_safe(name)


@given(name=names)
def test_any_name_is_plain_words_in_markdown(name: str) -> None:
    assert_markdown_safe(name)


@pytest.mark.parametrize("name", ["Acme Dental", "R&D Ltd", "Smith's (UK)", "a|b", "x_y*z", "<b>", "\\"])
def test_markdown_reads_as_the_name(name: str) -> None:
    assert rendered_text(markdown_safe(name)) == name


def test_option_in_a_remedy_can_be_copied() -> None:
    remedy = "run: reconciler apply --allow zero:infima-107 --reason '...'"
    assert rendered_text(markdown_safe(remedy)) == remedy


def test_a_thousand_names_are_plain_words_in_a_message() -> None:
    """A service may read any of it as Markdown, as a mention or as an address; the words stay what they are."""
    for name in THOUSAND:
        assert "`" not in message_safe(name)
        assert not re.search(r"[@#~]\S(?<!\u200b)|<[!/\w]|://", message_safe(name))
        assert foreign_nodes(commonmark_safe(name)) <= {"text_special"}
        assert unescape(html_message_safe(name)) == message_safe(name)


@pytest.mark.parametrize("name", ["R&D Ltd", "Smith's (UK)", "a|b", "x_y*z", "<b>", "\\", "3. Floor", "infima_client"])
def test_a_message_reads_as_the_name(name: str) -> None:
    for text in (rendered_text(commonmark_safe(name)), message_safe(name)):
        assert text.replace("\u200b", "") == name


def test_thousand_names_are_safe_as_code_too() -> None:
    for name in THOUSAND:
        assert foreign_nodes(markdown_code(name)) <= {"code_inline"}
        assert "|" not in markdown_code(name)


# --- annotations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("escape", [annotation_data, annotation_property])
def test_thousand_names_stay_inside_an_annotation(escape: Callable[[str], str]) -> None:
    for name in THOUSAND:
        safe = escape(name)
        assert not hidden_in(safe)
        assert not re.search(r"%(?!25|3A|2C)", safe)


def test_property_cannot_end_or_add_a_property() -> None:
    for name in THOUSAND:
        assert not set(annotation_property(name)) & {":", ","}


# --- CSV -------------------------------------------------------------------------------------------------------------


def assert_formula_safe(name: str) -> None:
    (row,) = csv.reader(io.StringIO(f"{csv_cell(name)},{csv_cell(7)}\r\n"))
    assert row[1] == "7"
    assert row[0].removeprefix("'") == visible(name)
    assert row[0].lstrip(" \"'\u00a0\u3000")[:1] not in set("=+-@\t\r\0\uff1d\uff0b\uff0d\uff20") or row[0].startswith(
        "'"
    )


def test_a_thousand_names_are_no_formulas() -> None:
    for name in THOUSAND:
        assert_formula_safe(name)


@given(name=names.filter(lambda name: not visible(name).startswith("'")))
def test_no_name_is_a_formula(name: str) -> None:
    assert_formula_safe(name)


@pytest.mark.parametrize(
    ("value", "cell"),
    [(12, "12"), (None, '""'), ("Acme", '"Acme"'), ('a"b', '"a""b"'), ("=1", '"\'=1"'), ("\uff1d1", '"\'\uff1d1"')],
)
def test_cells_are_quoted_and_numbers_bare(value: str | int | None, cell: str) -> None:
    assert csv_cell(value) == cell


def test_list_of_names_covers_every_hidden_category() -> None:
    assert {unicodedata.category(char) for name in LISTED for char in name} >= HIDDEN
