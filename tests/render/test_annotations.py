"""What is said beside the lines of mappings.yaml: the plan's annotations, and the file's problems with their carets."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.config import Diagnostic
from reconciler.config.source import Severity, in_order, quoted
from reconciler.model import Place
from reconciler.plan_document import plan_document
from reconciler.planning.changes import Plan
from reconciler.render.annotations import annotation_lines, diagnostics_document, draw_diagnostics, render_annotations
from tests.builders import build_change, build_mapping, build_plan
from tests.config.generated_files import thorough
from tests.render import stories
from tests.render.golden import assert_golden
from tests.render.hostile import plans
from tests.render.test_terminal import PLANS

COMMAND = re.compile(r"::(error|warning|notice) (?:file=[^,:]+,line=\d+,col=\d+,)?title=[^,:]*::.*")


@pytest.mark.parametrize("name", PLANS)
def test_annotations_read_as_the_golden_file(name: str) -> None:
    assert_golden(f"github-{name}.txt", render_annotations(stories.document(PLANS[name])))


def test_refusal_comes_first_then_holds_then_changes() -> None:
    lines = render_annotations(stories.document(stories.refused_plan())).splitlines()
    assert [line.split()[0] for line in lines] == ["::error", *["::warning"] * 2, *["::notice"] * 4]


def test_held_mapping_is_marked_on_its_line() -> None:
    text = render_annotations(stories.document(stories.night_plan()))
    place = "::warning file=mappings.yaml,line=52,col=5,title=Held%3A infima-107::"
    assert f"{place}Harbour Clinic -> Harbour Clinic. zero: INFIMA counts 0" in text


def test_changes_of_the_edit_come_before_the_others() -> None:
    text = render_annotations(stories.document(stories.against_plan()))
    assert text.index("infima-109") < text.index("infima-102%2C not from this edit")


def test_at_most_ten_and_the_last_says_how_many_are_missing() -> None:
    document = stories.document(build_plan(*(build_change(build_mapping(n)) for n in range(1, 31))))
    lines = render_annotations(document).splitlines()
    assert len(lines) == 10
    assert "title=21 annotations not shown" in lines[-1]


def test_ten_are_all_shown() -> None:
    document = stories.document(build_plan(*(build_change(build_mapping(n)) for n in range(1, 11))))
    lines = render_annotations(document).splitlines()
    assert len(lines) == 10
    assert not any("not shown" in line for line in lines)


def test_nothing_to_say_is_empty() -> None:
    assert render_annotations(stories.document(PLANS["quiet"])) == ""


@given(plan=plans())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_line_is_one_command_of_ours(plan: Plan) -> None:
    text = render_annotations(plan_document(plan, version="0.1.0"))
    assert all(COMMAND.fullmatch(line) for line in text.split("\n") if line)


# --- problems in mappings.yaml ---------------------------------------------------------------------------------------


def diagnostic(
    message: str = "wrong",
    *,
    hint: str = "mend it",
    line: int = 3,
    column: int = 1,
    source: str = "",
    severity: Severity = "error",
    file: str = "m.yaml",
) -> Diagnostic:
    place = Place(file=file, line=line, column=column)
    return Diagnostic(place=place, severity=severity, message=message, hint=hint, source_line=source)


def test_text_has_place_cause_next_step_line_and_caret() -> None:
    drawn = draw_diagnostics([diagnostic(column=5, source="  - key: acme")])
    assert drawn == "m.yaml:3:5: error: wrong — mend it\n  3 |   - key: acme\n    |     ^\n"


def test_a_problem_without_source_line_is_one_line() -> None:
    assert draw_diagnostics([diagnostic(hint="")]) == "m.yaml:3:1: error: wrong\n"


@pytest.mark.parametrize(
    ("source", "column", "cells"),
    [
        ("abc: x", 6, 5),
        ("a\tb: x", 6, 5),
        ("東京: x", 5, 6),
        ("e\u0301a: x", 6, 4),
        ("a\u202eb: x", 6, 5),
        ("a\x1b[2Jb: x", 9, 8),
    ],
)
def test_the_caret_stands_under_the_column(source: str, column: int, cells: int) -> None:
    _, line, caret, _ = draw_diagnostics([diagnostic(column=column, source=source)]).split("\n")
    assert caret == "    | " + " " * cells + "^"
    assert not any(unicodedata.category(c) in {"Cc", "Cf"} for c in line)


def test_a_long_line_is_cut_around_the_caret() -> None:
    _, line, caret, _ = draw_diagnostics([diagnostic(column=50_001, source="x" * 50_000 + "!" + "y" * 50_000)]).split(
        "\n"
    )
    assert len(line) < 120
    assert line[caret.index("^")] == "!"


@thorough
@given(text=st.text(), column=st.integers(1, 50))
def test_no_control_character_is_ever_drawn(text: str, column: int) -> None:
    problem = diagnostic(text, hint=text, source=text, column=column, file=text)
    drawn = draw_diagnostics([problem]).replace("\n", "")
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in drawn)


def test_quoted_spells_out_what_cannot_be_seen() -> None:
    assert quoted("a\u202eb\x1b") == '"a\\u202eb\\x1b"'
    assert len(quoted("x" * 1000)) == 62


def test_errors_come_before_warnings_at_one_place() -> None:
    warning, error = diagnostic("a", severity="warning"), diagnostic("b")
    assert in_order([diagnostic("c", line=4), warning, error])[:2] == (error, warning)


def test_document_counts_and_lists() -> None:
    found = [diagnostic(), diagnostic("hm", severity="warning", hint="")]
    document = diagnostics_document(found)
    assert (document["valid"], document["error_count"], document["warning_count"]) == (False, 1, 1)
    assert document["diagnostics"] == [
        {"file": "m.yaml", "line": 3, "column": 1, "severity": "error", "message": "wrong", "hint": "mend it"},
        {"file": "m.yaml", "line": 3, "column": 1, "severity": "warning", "message": "hm", "hint": ""},
    ]


def test_warnings_alone_leave_the_document_valid() -> None:
    assert diagnostics_document([diagnostic(severity="warning")])["valid"] is True


def test_annotation_is_escaped() -> None:
    hostile = diagnostic("50%\r\n::error::x, y:z", hint="", file="a,b:c.yaml", column=7)
    title = "50%25\\u{d}\\u{a}%3A%3Aerror%3A%3Ax%2C y%3Az"
    expected = f"::error file=a%2Cb%3Ac.yaml,line=3,col=7,title={title}::50%25\\u{{d}}\\u{{a}}::error::x, y:z"
    assert annotation_lines([hostile]) == (expected,)


def test_at_most_ten_annotations_errors_first_and_the_rest_counted() -> None:
    warnings = [diagnostic(f"w{i}", severity="warning") for i in range(4)]
    lines = annotation_lines([*warnings, *(diagnostic(f"e{i}", line=i + 1) for i in range(8))])
    assert len(lines) == 10
    assert [line.split(" ")[0] for line in lines] == ["::error"] * 8 + ["::warning", "::notice"]
    assert "3 more problems" in lines[-1]


def test_ten_problems_are_all_shown() -> None:
    lines = annotation_lines([diagnostic(f"e{i}") for i in range(10)])
    assert [line[:7] for line in lines] == ["::error"] * 10


@thorough
@given(text=st.text())
def test_an_annotation_is_always_one_line(text: str) -> None:
    (line,) = annotation_lines([diagnostic(text, hint=text, file=text)])
    assert "\n" not in line
    assert "\r" not in line
