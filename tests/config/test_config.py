"""Whole files: each bad one gives its expected first error, each good one its expected values."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from reconciler.config import examine_mappings, list_keys, load_mappings, parse_mappings
from reconciler.errors import ConfigError
from reconciler.model import (
    ChangeLimit,
    CountRule,
    Limits,
    Mappings,
    MarkerField,
    QuantityRule,
    RequestBudget,
    Settings,
)

CONFIGS = Path(__file__).parent.parent / "configs"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

HEAD = 'version: 1\nmappings:\n  - infima_client: {id: 101, name: "Acme"}\n    halo_customer: {id: 12, name: "Acme"}\n'


def entry(client: str, customer: str, *more: str) -> str:
    """One more mapping; `client` and `customer` are the insides of their braces."""
    lines = [f"infima_client: {{{client}}}", f"halo_customer: {{{customer}}}", *more]
    return "  - " + "\n    ".join(lines) + "\n"


def problems_of(text: str | bytes) -> list[str]:
    """The errors of a text, as line:column: message."""
    try:
        found = examine_mappings(text, file="m.yaml", now=NOW).diagnostics
    except ConfigError as exc:
        found = exc.diagnostics
    return [f"{d.place.line}:{d.place.column}: {d.message}" for d in found if d.severity == "error"]


def warnings_of(text: str) -> list[str]:
    found = examine_mappings(text, file="m.yaml", now=NOW).diagnostics
    return [f"{d.place.line}:{d.place.column}: {d.message}" for d in found if d.severity == "warning"]


@pytest.mark.parametrize("path", sorted((CONFIGS / "bad").glob("*.yaml")), ids=lambda path: path.stem)
def test_bad_file_gives_the_error_of_its_first_line(path: Path) -> None:
    expected = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    with pytest.raises(ConfigError) as caught:
        load_mappings(path, now=NOW)
    errors = [d for d in caught.value.diagnostics if d.severity == "error"]
    assert f"{errors[0].place.line}:{errors[0].place.column}: {errors[0].message}".startswith(expected)
    assert errors[0].hint


def test_there_are_bad_files_to_walk() -> None:
    assert len(list((CONFIGS / "bad").glob("*.yaml"))) >= 130


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "1:1: the file is empty"),
        (b"\n\n", "1:1: the file is empty"),
        (b"version: 1\nname: \xff\n", "2:7: byte 0xff is not UTF-8"),
        ("version: 1\n".encode("utf-16"), "1:1: byte 0xff is not UTF-8"),
        (HEAD.encode() + b"\xef\xbb\xbf", "5:1: a byte order mark (U+FEFF)"),
        (HEAD.replace("\n", "\r").encode(), "1:11: an unusual line break (U+000D)"),
        (HEAD.replace("\n", "\x85").encode(), "1:11: an unusual line break (U+0085)"),
        (HEAD.replace("\n", "\u2028").encode(), "1:11: an unusual line break (U+2028)"),
        (HEAD.replace("Acme", "Ac\x00me", 1).encode(), "3:39: a control character (U+0000)"),
        (HEAD.replace("Acme", "Ac\x1b[2Jme", 1).encode(), "3:39: a control character (U+001B)"),
        (HEAD.replace("Acme", "Ac\x9bme", 1).encode(), "3:39: a control character (U+009B)"),
        (HEAD.replace("Acme", "Ac\ufffeme", 1).encode(), "3:39: a control character (U+FFFE)"),
        (HEAD.encode() + b"#" * 5_000_000, "1:1: the file is over 5 MB"),
    ],
)
def test_raw_bytes_are_refused_with_their_place(raw: bytes, expected: str) -> None:
    assert problems_of(raw)[0] == expected


def test_all_problems_come_at_once_sorted_by_place() -> None:
    text = (
        "version: 2\nlimits: {max_creates: no}\nmappings:\n"
        '  - infima_client: {id: 0x10, name: "A"}\n    halo_custmer: {id: 1, name: "B"}\n'
        + entry('id: 5, name: "A"', 'id: 1, name: "B"', "quantity: {minimum: 2, maximum: 1}")
        + entry('id: 5, name: "A"', 'id: 1, name: "B"', "key: x")
    )
    assert [problem.split(":")[:2] for problem in problems_of(text)] == [
        ["1", "10"],
        ["2", "23"],
        ["4", "25"],
        ["5", "5"],
        ["8", "25"],
        ["9", "25"],
    ]


def test_a_misspelt_key_is_not_also_called_missing() -> None:
    text = HEAD.replace("halo_customer", "halo_custmer")
    assert problems_of(text) == ['4:5: unknown key "halo_custmer"']


def test_minimal_file() -> None:
    text = (CONFIGS / "good" / "minimal.yaml").read_bytes()
    digest = hashlib.sha256(text).hexdigest()
    assert parse_mappings(text, file="m.yaml", now=NOW) == Mappings(mappings=(), file="m.yaml", sha256=digest)


def test_complete_file_sections() -> None:
    loaded = load_mappings(CONFIGS / "good" / "complete.yaml", now=NOW)
    assert loaded.limits == Limits(
        max_decrease=ChangeLimit(users=5, percent=25),
        max_increase=ChangeLimit(users=20, percent=50),
        max_total_decrease_percent=10,
        max_creates=3,
        decrease_nights=2,
    )
    assert loaded.settings == Settings(
        marker_field=MarkerField.NOTES,
        halo_budget=RequestBudget(requests=400, seconds=300),
        batch=20,
        concurrency=4,
        request_timeout_seconds=30,
        run_timeout_minutes=10,
        marker_wait_seconds=0,
        settle_hours=2,
        timezone=ZoneInfo("Europe/London"),
    )
    assert [(i.client.id, i.client.name, i.reason, i.place.line) for i in loaded.ignored] == [
        (999, "Our own staff", "internal", 67)
    ]


def test_complete_file_approvals() -> None:
    approvals = load_mappings(CONFIGS / "good" / "complete.yaml", now=NOW).approvals
    day = date(2026, 12, 15)
    assert [(a.rule, a.key, a.at_least, a.at_most, a.up_to, a.until) for a in approvals] == [
        ("decrease", "infima-102", 12, 20, None, day),
        ("zero", "corvid", None, None, None, day),
        ("many-creates", None, None, None, 40, day),
    ]
    assert approvals[0].reason == "closed two branches, ticket 4711"


def test_an_approval_may_end_92_days_ahead_and_may_have_ended() -> None:
    text = HEAD + "approvals:\n  - {rule: zero, key: infima-101, reason: x, until: %s}\n"
    assert [problems_of(text % day) for day in ("2020-01-01", "2027-02-22")] == [[], []]
    assert problems_of(text % "2027-02-23") == ["6:53: until 2027-02-23 is more than 92 days ahead"]


def test_complete_file_mappings() -> None:
    loaded = load_mappings(CONFIGS / "good" / "complete.yaml", now=NOW).mappings
    record, active = CountRule.CLIENT_RECORD, CountRule.ACTIVE_USERS
    assert [(m.key, m.quantity, m.place.line, m.place.column) for m in loaded] == [
        ("infima-101", QuantityRule(count=record, minimum=2), 19, 5),
        ("infima-102", QuantityRule(count=active, minimum=10, maximum=40), 22, 5),
        ("corvid", QuantityRule(count=record, minimum=0, included=5, allow_zero=True), 27, 5),
        (
            "infima-105",
            QuantityRule(count=record, minimum=2, fixed=40, reason="contract 2026", until=date(2026, 12, 31)),
            32,
            5,
        ),
        ("infima-106", QuantityRule(count=record, minimum=2), 36, 5),
    ]
    assert [m.subscription_id for m in loaded] == [None, 9012, None, None, None]
    assert [m.retired for m in loaded] == [False, False, False, False, True]
    assert [c.id for c in loaded[2].infima_clients] == [103, 104]
    assert loaded[1].infima_clients[0].name == 'Borealis "Freight"'
    assert {m.subscription_name for m in loaded} == {"Security training"}


def test_odd_but_legal_file() -> None:
    loaded = load_mappings(CONFIGS / "good" / "odd_but_legal.yaml", now=NOW).mappings
    assert [m.key for m in loaded] == ["infima-1", "null-island", "infima-2"]
    assert [m.halo_customer.name for m in loaded] == ["no", "12:30", "12:30"]
    assert loaded[0].quantity == QuantityRule(fixed=0, reason="agreed with the customer")
    assert loaded[0].infima_clients[0].name == "Straße 東京 & Ñandú"
    assert loaded[0].subscription_name == "INFIMA Security Awareness Training"


def test_crlf_line_ends_are_fine() -> None:
    assert len(parse_mappings(HEAD.replace("\n", "\r\n"), file="m", now=NOW).mappings) == 1


def test_a_fixed_quantity_that_has_ended_is_a_warning_and_no_error() -> None:
    text = HEAD + "    quantity: {fixed: 4, reason: x, until: 2026-11-21}\n"
    assert problems_of(text) == []
    assert warnings_of(text) == [
        '5:44: the fixed quantity of "infima-101" ended: it held until 2026-11-21, and the mapping is held since'
    ]


@pytest.mark.parametrize(
    ("zone", "hour", "ended"),
    [
        ("UTC", 0, True),  # midnight of the 1st in UTC
        ("America/Los_Angeles", 7, False),  # 23:00 of the 31st there
        ("America/Los_Angeles", 8, True),
        ("Pacific/Auckland", -14, False),  # 23:00 of the 31st there
        ("Pacific/Auckland", -13, True),
        ("Europe/London", 0, True),
    ],
)
def test_until_is_the_last_day_it_holds_in_the_time_zone_of_the_file(zone: str, hour: int, *, ended: bool) -> None:
    text = HEAD + f"    quantity: {{fixed: 4, reason: x, until: 2026-12-31}}\nsettings: {{timezone: {zone}}}\n"
    now = datetime(2027, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
    [warning] = examine_mappings(text, file="m", now=now).diagnostics
    assert ("ended" in warning.message) is ended


def test_a_time_zone_that_nobody_knows_is_an_error_at_its_place() -> None:
    assert problems_of(HEAD + "settings: {timezone: Europe/Lodnon}\n") == [
        '5:22: timezone: "Europe/Lodnon" is not known'
    ]
    assert problems_of(HEAD + "settings: {timezone: ../etc/localtime}\n") == [
        '5:22: timezone: "../etc/localtime" is not a time zone'
    ]


def test_an_expired_until_of_a_retired_mapping_does_not_matter() -> None:
    assert problems_of(HEAD + "    quantity: {fixed: 4, reason: x, until: 2020-12-31}\n    retired: true\n") == []


def test_until_is_announced_thirty_days_ahead() -> None:
    text = HEAD + "    quantity: {fixed: 4, reason: x, until: 2026-12-22}\n"
    assert [w.split(" holds")[0] for w in warnings_of(text)] == ['5:44: the fixed quantity of "infima-101"']
    assert warnings_of(text.replace("12-22", "12-23")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD.replace('"Acme"', '" Acme"', 1), '3:36: the name " Acme" begins or ends with a space'),
        (
            HEAD + entry('id: 102, name: "B"', 'id: 12, name: "Acne"', "subscription_id: 9"),
            '6:35: HaloPSA customer 12 is called "Acne" here and "Acme" on line 4',
        ),
        (
            HEAD + entry('id: 102, name: "B"', 'id: 12, name: "acme "'),
            "6:25: HaloPSA customer 12 has another mapping on line 4, and both Subscriptions get the same name",
        ),
        (HEAD + "    quantity: {fixed: 4, reason: x, included: 1}\n", "5:37: included has no effect beside fixed"),
        (
            HEAD + entry('id: 102, name: "B"', 'id: 13, name: "B"', "key: INFIMA-101"),
            '7:10: key "INFIMA-101" differs from "infima-101" on line 3 only in case',
        ),
    ],
)  # fmt: skip
def test_warnings_leave_the_file_valid(text: str, expected: str) -> None:
    assert expected in warnings_of(text)
    assert problems_of(text) == []


def test_a_retired_client_may_be_ignored() -> None:
    ignore = 'ignore:\n  - infima_client: {id: 101, name: "Acme"}\n    reason: "left"\n'
    assert problems_of(HEAD + "    retired: true\n" + ignore) == []


def test_a_missing_file_names_init(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file") as caught:
        load_mappings(tmp_path / "none.yaml", now=NOW)
    assert "reconciler init" in caught.value.hint
    assert len(caught.value.diagnostics) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ConfigError, match="a named pipe"):
        load_mappings(tmp_path / "pipe.yaml", now=NOW)


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="this system has no /dev/null")
def test_a_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="a device"):
        load_mappings(Path("/dev/null"), now=NOW)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"directory|cannot be opened"):
        load_mappings(tmp_path, now=NOW)


def test_more_than_twenty_thousand_mappings_are_refused() -> None:
    text = "version: 1\nmappings:\n" + "- {}\n" * 20_001
    assert problems_of(text) == ["20003:3: more than 20,000 mappings"]


def test_a_file_of_errors_lists_two_hundred_and_counts_all() -> None:
    text = "version: 1\nmappings:\n" + "- no\n" * 300
    examination = examine_mappings(text, file="m", now=NOW)
    assert examination.error_count >= 300
    assert len(examination.diagnostics) == 200


@pytest.mark.parametrize(
    "wrong",
    [
        '{rule: decrease, key: a, quantity: {from: "x", to: 3}, until: 2026-12-31, reason: r}',
        "{rule: decrease, key: a, quantity: 5, until: 2026-12-31, reason: r}",
        "{key: a, quantity: {from: 1, to: 3}, until: 2026-12-31, reason: r}",
        "5",
    ],
)
def test_what_is_wrong_behind_two_hundred_other_problems_is_counted_and_breaks_nothing(wrong: str) -> None:
    many = "".join(entry(f'id: "x{n}", name: "Acme {n}"', f'id: {n}, name: "Acme {n}"') for n in range(1, 211))
    text = "version: 1\nmappings:\n" + many
    alone = examine_mappings(text, file="mappings.yaml", now=NOW).error_count
    both = examine_mappings(f"{text}approvals:\n  - {wrong}\n", file="mappings.yaml", now=NOW)
    assert (alone, both.error_count > alone, both.mappings) == (210, True, None)


def test_keys_for_completion_come_from_whatever_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(HEAD + "  - key: b\n  - what\n", encoding="utf-8")
    assert list_keys(path) == ("infima-101", "b")
    path.write_text("mappings: [", encoding="utf-8")
    assert list_keys(path) == ()
    assert list_keys(tmp_path / "none.yaml") == ()
