"""Reading: positions are right, duplicates are found at any depth, no text crashes, no word becomes another number."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.config import examine_mappings, parse_mappings, read_text, reading
from reconciler.config.reading import ItemList, SurprisingScalar, Table, resolve_plain
from reconciler.errors import ConfigError
from tests.config.generated_files import mappings_files, thorough

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

_SIGNS = [*"{}[],#'\"|>", "a: ", "- ", "\n", "  ", "&a", "*a", "!!int", "? ", "---", "...", "no", "id: 1", "name: x"]
_FRAGMENTS = [*_SIGNS, "version: 1\n", "mappings:\n", "\t", "\r", "\u2028", "\x85", "\ufeff", "\\u202e", "%YAML 1.2"]


def test_positions_of_keys_and_values() -> None:
    source, _, root = read_text('a: 1\nbéé:\n  - {"c d": [x, "y"]}\n  - >-\n    folded\n\ne: 2\n', file="m")
    assert root is not None
    rows = root["béé"]
    assert isinstance(rows, ItemList)
    table = rows[0]
    assert isinstance(table, Table)
    assert root.spans["a"] == (0, 3, 4)
    key, value, end = table.spans["c d"]
    assert (source.text[key : key + 5], source.text[value:end]) == ('"c d"', '[x, "y"]')
    start, end = rows.spans[1]
    assert source.text[start:end] == ">-\n    folded"
    assert str(source.place(root.spans["e"][0])) == "m:7:1"


@thorough
@given(text=mappings_files())
def test_every_position_holds_what_it_says(text: str) -> None:
    source, _, root = read_text(text, file="m")
    assert root is not None
    for node in _tables(root):
        for name, (key, value, end) in node.spans.items():
            assert source.text.startswith(name, key)
            if type(node[name]) is int:
                assert source.text[value:end] == str(node[name])


def _tables(node: Any) -> list[Table]:
    inner = list(node.values()) if isinstance(node, Table) else list(node) if isinstance(node, ItemList) else []
    return [node for node in [node] if isinstance(node, Table)] + [t for each in inner for t in _tables(each)]


@thorough
@given(text=mappings_files())
def test_the_data_is_what_yaml_says(text: str) -> None:
    """BaseLoader leaves every scalar a text, which is all that has to be equal here."""
    loaded = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - generated text, and BaseLoader makes only text
    assert _texts(read_text(text, file="m")[2]) == _texts(loaded)


def _texts(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _texts(member) for name, member in node.items()}
    return [_texts(item) for item in node] if isinstance(node, list) else str(node)


@given(depth=st.integers(1, 9), width=st.integers(0, 3), flow=st.booleans())
def test_a_duplicate_key_is_found_at_any_depth(depth: int, width: int, *, flow: bool) -> None:
    others = [f"k{i}: 1" for i in range(width)]
    members = ["same: 1", *others, "same: 2"]
    indent = "  " * depth
    opening = "".join(f"{'  ' * i}level:\n" for i in range(depth))
    lines = [f"{indent}{{{', '.join(members)}}}"] if flow else [indent + member for member in members]
    _, problems, _ = read_text(opening + "\n".join(lines), file="m")
    (found,) = problems.all()
    assert found.message == f'duplicate key "same", first on line {depth + 1}'
    assert found.place.line == depth + (1 if flow else width + 2)


@thorough
@given(text=st.one_of(st.text(), st.lists(st.sampled_from(_FRAGMENTS)).map("".join), st.binary()))
def test_no_input_crashes(text: str | bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_mappings(text, file="m", now=NOW)
    assert caught.value.diagnostics


@thorough
@given(text=mappings_files(), data=st.data())
def test_damaged_files_give_diagnostics_or_mappings(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 20))
    filling = data.draw(st.one_of(st.sampled_from(_FRAGMENTS), st.text(max_size=5)))
    examination = examine_mappings(text[:at] + filling + text[at + cut :], file="m", now=NOW)
    assert (examination.mappings is None) == (examination.error_count > 0)
    assert (examination.error_count > 0) == any(d.severity == "error" for d in examination.diagnostics)


@pytest.mark.parametrize("text", ["a: \ud800", b"a: \xed\xa0\x80", b"\xff\xfe", b"\x80"])
def test_what_is_no_text_is_refused(text: str | bytes) -> None:
    with pytest.raises(ConfigError, match="is not UTF-8"):
        parse_mappings(text, file="m", now=NOW)


_NUMERIC = st.text(alphabet="0123456789_:.+-eExXoObabcfnNyYTZ~", min_size=1, max_size=12)


@thorough
@given(text=_NUMERIC)
def test_a_word_is_itself_or_its_plain_decimal_or_refused(text: str) -> None:
    try:
        value = resolve_plain(text)
    except SurprisingScalar:
        return
    if isinstance(value, str):
        assert value == text
        assert yaml.SafeLoader("").resolve(yaml.ScalarNode, text, (True, False)) == "tag:yaml.org,2002:str"
    else:
        assert str(value) == text


@pytest.mark.parametrize("word", ["yes", "Yes", "NO", "on", "Off", "y", "N", "True", "FALSE", "Null", "~", "<<", "="])
def test_ambiguous_words_are_refused(word: str) -> None:
    with pytest.raises(SurprisingScalar):
        resolve_plain(word)


@pytest.mark.parametrize(
    "word", ["yesterday", "north", "Noah", "on-site", "truely", "-", "1st", "3M", "12 Street", "e5"]
)
def test_words_that_only_look_alike_stay_words(word: str) -> None:
    assert resolve_plain(word) == word


@pytest.mark.parametrize("text", ["1" + "_" * 1_000_000 + "x", "2026-12-31 12 people agreed", "12" * 40 + " x"])
def test_long_text_that_begins_like_a_number_is_text(text: str) -> None:
    assert resolve_plain(text) == text


@pytest.mark.parametrize("text", ["1" * 19, "0" * 1_000_000, "1:" * 40 + "1", "1_" * 100_000])
def test_a_number_of_any_length_is_refused_at_once(text: str) -> None:
    with pytest.raises(SurprisingScalar):
        resolve_plain(text)


def test_the_pure_python_parser_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'version: 1\nmappings:\n  - infima_client: {id: 1, name: "Ä"}  # c\n    halo_customer: {id: 2, name: B}\n'
    quick = examine_mappings(text, file="m", now=NOW)
    monkeypatch.setattr(reading, "LOADER", yaml.SafeLoader)
    assert examine_mappings(text, file="m", now=NOW) == quick


def test_ten_thousand_mappings_are_read_and_checked_quickly() -> None:
    entry = '  - infima_client: {{id: {0}, name: "C {0}"}}\n    halo_customer: {{id: {0}, name: "H {0}"}}\n'
    text = "version: 1\nmappings:\n" + "".join(entry.format(i) for i in range(1, 10_001))
    started = time.process_time()
    loaded = parse_mappings(text, file="m", now=NOW)
    assert time.process_time() - started < 8
    assert len(loaded.mappings) == 10_000


def test_a_deep_nest_is_refused_without_effort() -> None:
    started = time.process_time()
    with pytest.raises(ConfigError):
        parse_mappings("[" * 1_000_000, file="m", now=NOW)
    assert time.process_time() - started < 8
