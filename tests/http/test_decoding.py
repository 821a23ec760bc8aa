"""Strict JSON, whole numbers, and other people's words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.http.decoding import Undecodable, clean, decode_json, error_words, text_of, whole_number

BAD_BODIES = [
    b"",
    b"   \n",
    b"<!doctype html><html><title>Maintenance</title></html>",
    b"\xef\xbb\xbf",
    b"\xef\xbb\xbf<html>",
    b"\xef\xbb\xbf\xef\xbb\xbf{}",
    "{}".encode("utf-16"),
    b'{"a": "\xff"}',
    b'{"a": 1',
    b"{'a': 1}",
    b'{"a": NaN}',
    b'{"a": Infinity}',
    b'{"a": -Infinity}',
    b'{"a": 1e400}',
    b'{"a": ' + b"9" * 5_000 + b"}",
    b"[" * 100_000 + b"]" * 100_000,
    b"[" * 65 + b"]" * 65,
    b'{"a":' * 65 + b"1" + b"}" * 65,
    b'{"a":1,"a":2}',
    b'{"a":1,"a" :2}',
    b'{"a" : 1, "a" : 1}',
    b'{"b":":","a":{"c":1,\n"c"\n:2}}',
    b'{"a":1,"\\u0061":2}',
    b'{"a":1} {"a":1}',
    b'"line\nbreak"',
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_what_is_not_strict_json_is_refused(body: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_json(body)


@pytest.mark.parametrize("text", ['{"a":":\\":\\":"}', '{"a" : "x :y", "b":[{"a":1},{"a":2}]}', "[]", '"Message"', "5"])
def test_colons_and_quotes_inside_strings_are_no_second_keys(text: str) -> None:
    assert decode_json(text.encode()) == json.loads(text)


@pytest.mark.parametrize("text", ['{"a":1}', "[]", ' "Zürich"'])
def test_a_byte_order_mark_is_dropped(text: str) -> None:
    assert decode_json(text.encode("utf-8-sig")) == json.loads(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(
    value=json_values, separators=st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]), ascii_only=st.booleans()
)
def test_every_json_value_survives(value: object, separators: tuple[str, str], *, ascii_only: bool) -> None:
    text = json.dumps(value, separators=separators, ensure_ascii=ascii_only)
    assert decode_json(text.encode("utf-8", "surrogatepass")) == value


@given(
    keys=st.lists(st.text(alphabet='ab":\\ ', max_size=3), min_size=1, max_size=5),
    colon=st.sampled_from([":", " :", ": ", "\n:"]),
)
def test_a_key_written_twice_is_always_found(keys: list[str], colon: str) -> None:
    text = "{" + ",".join(f'{json.dumps(key)}{colon}":"' for key in keys) + "}"
    if len(set(keys)) == len(keys):
        assert decode_json(text.encode()) == dict.fromkeys(keys, ":")
    else:
        with pytest.raises(Undecodable):
            decode_json(text.encode())


@pytest.mark.parametrize(("value", "number"), [(0, 0), (5, 5), (5.0, 5), (2**31 - 1, 2**31 - 1)])
def test_whole_numbers_are_accepted(value: object, number: int) -> None:
    assert whole_number(value) == number


@pytest.mark.parametrize(
    "value",
    [None, True, False, "5", "1_000", "٣", 2.5, -1, -1.0, 2**31, float(2**31), float("nan"), float("inf"), [5], {}],
)
def test_nothing_else_is_a_whole_number(value: object) -> None:
    assert whole_number(value) is None


def test_zero_is_no_id() -> None:
    assert whole_number(0, least=1) is None


def test_a_name_is_kept_as_it_is_up_to_a_thousand_characters() -> None:
    assert text_of("\x1b[31m" + "x" * 2_000) == "\x1b[31m" + "x" * 995


@pytest.mark.parametrize("value", [None, 5, ["x"]])
def test_a_name_that_is_no_text_is_empty(value: object) -> None:
    assert text_of(value) == ""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"id": ["The value 'probe' is not valid."]}, "id: The value 'probe' is not valid."),
        ({"[0].count": ["Could not convert."]}, "[0].count: Could not convert."),
        ({"ClassName": "System.Exception", "Message": "Bad count", "StackTraceString": "at Halo.X"}, "Bad count"),
        ({"ClassName": "System.Exception", "Message": None, "StackTraceString": "at Halo.X"}, ""),
        ("No matching custom table", "No matching custom table"),
        ({"error": "invalid_client", "error_description": "No such client"}, "No such client"),
        ({"message": "Forbidden"}, "Forbidden"),
        (5, ""),
    ],
)
def test_the_servers_words_are_found_in_every_known_shape(body: object, words: str) -> None:
    assert error_words(json.dumps(body).encode()) == words


@pytest.mark.parametrize("body", [b"", b"<html>secret</html>", b"not json"])
def test_an_error_body_that_is_not_json_says_nothing(body: bytes) -> None:
    assert error_words(body) == ""


def test_words_cannot_write_to_the_terminal_or_over_several_lines() -> None:
    assert clean("a\x1b[2Jb\r\nc\u202ed\u200be") == "a [2Jb c d e"


def test_words_are_cut() -> None:
    assert clean("x" * 500, 10) == "x" * 9 + "…"
