"""Old consoles and hostile names: nothing fails, nothing escapes, nothing hangs on colour."""

from __future__ import annotations

import io
import sys

import pytest

from reconciler.cli.drawing import wants_colour
from reconciler.cli.options import CommonOptions
from reconciler.cli.output import prepare_streams
from tests.cli.bench import Bench

HOSTILE = "\x1b]0;owned\x07\u202eAcme \u4e2d\u6587\n::error::x ##[group]"

COMMANDS = [
    ["status"],
    ["status", "--check-invoices", "-o", "markdown"],
    ["clients"],
    ["customers", "acme"],
    ["check-invoices"],
    ["explain", "infima-101"],
    ["explain"],
    ["map", "--suggest"],
    ["map", "--suggest", "-o", "yaml"],
    ["doctor"],
    ["adopt", "infima-104", "9010", "--reason", "r", "--yes"],
]


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_hostile_names_do_not_reach_the_console(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, arguments: list[str], encoding: str
) -> None:
    for number in (101, 104):
        bench.world.change_client(number, {"name": HOSTILE})
    bench.world.add_client(110, HOSTILE, active=3)
    for number in (11, 14):
        bench.world.person_renames_customer(number, HOSTILE)
    for number in (9001, 9010):
        bench.world.person_renames(number, HOSTILE)
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, newline=""))
    prepare_streams()
    answer = bench.run(*arguments)
    sys.stdout.flush()
    assert answer.code in {0, 1, 3}, answer.err
    told = raw.getvalue().decode("utf-8" if encoding == "ascii" else encoding) + answer.err  # click mends plain ASCII
    assert "Traceback" not in told
    assert not [char for char in told if char in "\x1b\x07\u202e"]
    assert not [line for line in told.splitlines() if line.startswith("::") or "##[" in line]


@pytest.mark.parametrize("columns", ["20", "40", "80", "300"])
@pytest.mark.parametrize("arguments", [["status"], ["check-invoices"], ["doctor"], ["explain", "infima-101"]])
def test_any_width_will_do(bench: Bench, monkeypatch: pytest.MonkeyPatch, arguments: list[str], columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert bench.run(*arguments).code == (3 if "check-invoices" in arguments else 0)


def test_no_colour_codes_without_being_asked(bench: Bench) -> None:
    for arguments in (["status"], ["clients"], ["explain", "infima-101"], ["doctor"]):
        assert "\x1b" not in bench.run(*arguments).text


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_page_is_utf_8_whatever_the_console_speaks(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    bench.world.person_renames_customer(11, "\u4e2d\u6587 Dental")
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, newline=""))
    prepare_streams()
    bench.run("plan", "-o", "html")
    sys.stdout.flush()
    page = raw.getvalue().decode("utf-8")
    assert '<meta charset="utf-8">' in page
    assert "\u4e2d\u6587 Dental" in page


@pytest.mark.skipif(sys.platform == "win32", reason="a console there needs no TERM")
@pytest.mark.parametrize(
    ("environ", "colour"),
    [({}, False), ({"TERM": ""}, False), ({"TERM": "dumb"}, False), ({"TERM": "xterm"}, True),
     ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"FORCE_COLOR": "1"}, True)],
)  # fmt: skip
def test_a_terminal_that_says_nothing_of_itself_gets_no_colour(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], *, colour: bool
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert wants_colour(CommonOptions(), environ) is colour
