"""A slip of the hand is told by its own words, on the line where it was made."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from reconciler.config import Diagnostic, examine_mappings, parse_mappings
from reconciler.config.checking import mappings_schema
from reconciler.config.edit import NewMapping, add_mappings
from reconciler.config.fmt import format_mappings
from reconciler.config.reading import TABLE_KEYS
from reconciler.model import ClientRef, CustomerRef, HaloCustomerId, InfimaClientId

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
GOOD = """version: 1

defaults:
  subscription:
    name: "INFIMA Security Awareness Training"

mappings:
  - infima_client: {id: 101, name: "Acme Dental"}
    halo_customer: {id: 12, name: "Acme Dental Group"}

  - infima_client: {id: 102, name: "Borealis Freight"}
    halo_customer: {id: 19, name: "Borealis Freight Ltd"}
    quantity: {minimum: 10}

  - infima_client:
      id: 103
      name: "Corvid Labs"
    halo_customer:
      id: 23
      name: "Corvid plc"
"""
LINES = GOOD.splitlines()


def diagnostics(text: str) -> tuple[Diagnostic, ...]:
    return examine_mappings(text, file="m", now=NOW).diagnostics


def told(text: str) -> list[str]:
    return [d.render().removeprefix("m:") for d in diagnostics(text)]


def slip(before: str, after: str) -> str:
    assert before in GOOD
    return GOOD.replace(before, after, 1)


# ---- merges ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "marker",
    ["<<<<<<< HEAD", "<<<<<<<", "=======", ">>>>>>> branch with spaces", "||||||| merged common ancestors",
     "<<<<<<< .mine", ">>>>>>> .r12", "<<<<<<< Updated upstream", ">>>>>>> Stashed changes",
     "%%%%%%% Changes from base",
     "+++++++ Contents of side #2", "<<<<<<<<<<< HEAD"],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_marker_is_named_as_such_wherever_it_stands(marker: str, end: str) -> None:
    for at in range(len(LINES) + 1):
        (found,) = diagnostics(end.join([*LINES[:at], marker, *LINES[at:], ""]))
        assert (found.place.line, found.place.column) == (at + 1, 1)
        assert found.message.startswith("a merge-conflict marker")


def test_every_marker_of_every_conflict_is_told_and_nothing_else() -> None:
    entry = "\n".join(LINES[10:13])
    conflict = f"<<<<<<< HEAD\n{entry}\n||||||| base\n=======\n{entry}\n>>>>>>> branch\n"
    found = diagnostics(GOOD + conflict * 2)
    assert len(found) == 8
    assert {d.message for d in found} == {f"a merge-conflict marker ({mark * 7})" for mark in "<|=>"}
    assert "keep the lines that are right" in found[0].hint


def test_indented_markers_are_markers_in_a_file_that_is_no_yaml() -> None:
    found = diagnostics(slip(LINES[8], f"    <<<<<<< HEAD\n{LINES[8]}\n    =======\n{LINES[8]}\n    >>>>>>> b"))
    assert [(d.place.line, d.place.column) for d in found] == [(9, 5), (11, 5), (13, 5)]


@pytest.mark.parametrize("after", ['"======="', "A ======= B", '"<<<<<<< HEAD"  # ======= a comment'])
def test_the_same_signs_in_a_name_or_a_comment_are_none(after: str) -> None:
    assert told(slip('"Corvid plc"', after) + "# <<<<<<< HEAD\n") == []


# ---- quotes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quote", ['"', "'"])
def test_every_missing_quote_is_told_on_its_line(quote: str) -> None:
    text = GOOD.replace('"', quote)
    places = [found.start() for found in re.finditer(quote, text)]
    assert len(places) == 14
    for at in places:
        found = diagnostics(text[:at] + text[at + 1 :])[0]
        assert found.place.line == text.count("\n", 0, at) + 1
        assert "quote" in found.message + found.hint


@pytest.mark.parametrize(
    ("name", "bare"),
    [("\u201cAcme Dental\u201d", "Acme Dental"), ("\u2018Acme Dental\u2019", "Acme Dental"),
     ("\u201eAcme Dental\u201c", "Acme Dental"), ("\u00abAcme Dental\u00bb", "Acme Dental"),
     ("\uff02Acme\uff02", "Acme"), ('Acme Dental"', "Acme Dental"), ("Acme Dental'", "Acme Dental")],
)  # fmt: skip
def test_quotes_that_are_none_are_a_warning(name: str, bare: str) -> None:
    (found,) = diagnostics(slip('"Acme Dental"', name))
    assert (found.severity, found.place.line, found.place.column) == ("warning", 8, 36)
    assert f'"{bare}"' in found.hint


@pytest.mark.parametrize("name", ['"The \u201cInn\u201d"', "O\u2019Brien", 'The "Inn"', "O'Brien", '"\u201cInn\u201d"'])
def test_quotes_within_a_name_are_its_own(name: str) -> None:
    assert told(slip('"Acme Dental"', name)) == []


# ---- the rest -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "problem", "hint"),
    [
        (
            "    halo_customer: {id: 12",
            "   halo_customer: {id: 12",
            "9:4: this line does not fit the list above",
            "it begins with 3 spaces, and 0 or 4 would fit: begin it with 4 spaces",
        ),
        (
            "    halo_customer: {id: 12",
            "     halo_customer: {id: 12",
            "9:6: this line does not fit the lines above",
            "it begins with 5 spaces, and 0 or 4 would fit: begin it with 4 spaces",
        ),
        (
            "  - infima_client: {id: 101",
            "   - infima_client: {id: 101",
            "8:4: this line does not fit the others",
            "it begins with 3 spaces, such lines elsewhere with 2",
        ),
        (
            "  - infima_client: {id: 102",
            "   - infima_client: {id: 102",
            "11:4: this line does not fit the list above",
            "it begins with 3 spaces, and 2 would fit: begin it with 2 spaces",
        ),
        (
            '      name: "Corvid Labs"',
            '       name: "Corvid Labs"',
            "17:8: this line does not fit the lines above",
            "it begins with 7 spaces, and 0 or 4 or 6 would fit: begin it with 6 spaces",
        ),
        (
            "version: 1",
            " version: 1",
            "1:2: this line does not fit the others",
            "it begins with 1 space, such lines elsewhere with 0",
        ),
        ("version: 1", "version = 1", "1:1: a key without its `:`", "write `version: value`"),
        (
            "    quantity: {min",
            "    quantity {min",
            '13:5: unknown key "quantity {minimum"',
            "write `quantity: `, with a colon and a space behind it",
        ),
        ('"Acme Dental Group"}', '"Acme Dental Group"},', "9:55: a `,` where none belongs", "delete it"),
        (
            '"Acme Dental"}',
            '"Acme Dental"',
            "9:5: a `{` is not closed, or a `,` is missing",
            "close it with `}` on line 8",
        ),
        (
            '"Acme Dental"',
            "`Acme Dental`",
            "8:36: a backtick, which is no quote in YAML",
            'write straight quotes: "..."',
        ),
        (
            "{id: 101, name",
            "{id:101, name",
            '8:21: unknown key "id:101"',
            "write `id: `, with a colon and a space behind it",
        ),
        (
            "    quantity: {minimum: 10}",
            "    price: 2.75",
            '13:12: price: a mapping is wanted, the text "2.75" was found',
            'write, for example, `price: {amount: "2.75", currency: EUR}`',
        ),
        (
            "    quantity: {minimum: 10}",
            "    price: 3",
            "13:12: price: a mapping is wanted, the number 3 was found",
            'write, for example, `price: {amount: "3", currency: EUR}`',
        ),
        (
            "    quantity: {minimum: 10}",
            "    quantity: 1.5",
            '13:15: quantity: a mapping is wanted, the text "1.5" was found',
            "write, for example, `quantity: {minimum: 10}`",
        ),
        (
            "{minimum: 10}",
            "{minimum: 10}\n    price: {amount: 2.75, currency: EUR}",
            "14:21: 2.75 is a number with a fraction",
            'quote it: "2.75"',
        ),
        (
            "    quantity: {min",
            "quantity: {min",
            "13:1: this line does not fit the others",
            "it begins with no space, such lines elsewhere with 4",
        ),
        ("    quantity: {min", "\tquantity: {min", "13:1: a tab", "use spaces, also for indentation"),
        ("    quantity: {min", "  \tquantity: {min", "13:3: a tab", "use spaces, also for indentation"),
    ],
)
def test_a_slip_is_told_by_its_own_words_and_nothing_else_is(before: str, after: str, problem: str, hint: str) -> None:
    (found,) = diagnostics(slip(before, after))
    assert f"{found.place.line}:{found.place.column}: {found.message}" == problem
    assert found.hint == hint


def test_every_line_that_is_moved_is_told_or_changes_nothing() -> None:
    good = parse_mappings(GOOD, file="m", now=NOW).mappings
    for at, line in enumerate(LINES):
        for by in (-2, -1, 1, 2, 3):
            indent = len(line) - len(line.lstrip()) + by
            if indent < 0 or not line:
                continue
            text = "\n".join([*LINES[:at], " " * indent + line.lstrip(), *LINES[at + 1 :], ""])
            found = diagnostics(text)
            if found:
                assert any(abs(d.place.line - (at + 1)) <= 1 for d in found), told(text)
            else:
                assert parse_mappings(text, file="m", now=NOW).mappings == good


def test_a_file_of_old_line_ends_is_told_once() -> None:
    assert told(GOOD.replace("\n", "\r")) == ["1:11: error: an unusual line break (U+000D) — end lines with LF or CRLF"]


@pytest.mark.parametrize(("encoding", "hint"), [("utf-16", "UTF-16"), ("cp1252", "another encoding")])
def test_another_encoding_is_named(encoding: str, hint: str) -> None:
    with pytest.raises(Exception, match="is not UTF-8") as caught:
        parse_mappings(slip("Acme Dental", "Caf\u00e9").encode(encoding), file="m", now=NOW)
    assert hint in getattr(caught.value, "hint", "")


def test_every_member_that_holds_a_mapping_is_known_as_such() -> None:
    schema = mappings_schema()
    found: set[str] = set()

    def walk(node: object) -> None:
        if isinstance(node, dict):
            members = node.get("properties", {})
            for name, member in members.items() if isinstance(members, dict) else ():
                if not isinstance(member, dict):
                    continue
                target = schema["$defs"][member["$ref"].rpartition("/")[2]] if "$ref" in member else member
                if target.get("type") == "object":
                    found.add(name)
            for part in node.values():
                walk(part)
        elif isinstance(node, list):
            for part in node:
                walk(part)

    walk(schema)
    assert found == set(TABLE_KEYS)


# ---- one file, however it was checked out ---------------------------------------------------------------------------


def test_line_ends_and_a_byte_order_mark_mean_nothing() -> None:
    crlf = GOOD.replace("\n", "\r\n")
    read = [parse_mappings(text, file="m", now=NOW) for text in (GOOD, crlf, "\ufeff" + GOOD, "\ufeff" + crlf)]
    assert all(one.sha256 == read[0].sha256 for one in read)
    assert all(one.mappings == read[0].mappings for one in read)
    assert parse_mappings(GOOD + "# a word\n", file="m", now=NOW).sha256 != read[0].sha256


def test_a_byte_order_mark_elsewhere_is_refused() -> None:
    assert told(slip("mappings:", "\ufeffmappings:"))[0].startswith("7:1: error: a byte order mark")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_edit_keeps_mark_and_line_ends(mark: str, end: str) -> None:
    text = mark + GOOD.replace("\n", end)
    new = NewMapping(
        clients=(ClientRef(id=InfimaClientId(77), name="Inn"),),
        customer=CustomerRef(id=HaloCustomerId(88), name="Inn Ltd"),
    )
    edited = add_mappings(text, [new])
    assert edited.startswith(text)
    assert edited.count("\n") == edited.count(end)
    assert format_mappings(text).startswith(f"{mark}version: 1{end}")
