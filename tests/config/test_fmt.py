"""The canonical form: known results, and the promise that nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from reconciler.config import fmt, parse_mappings, read_text
from reconciler.config.fmt import find_comments, format_mappings
from reconciler.config.splice import plain
from reconciler.errors import ConfigError
from reconciler.model import Mappings
from tests.config.generated_files import mappings_files, thorough

MESSY = """\
# header
# more

# about ignore
ignore:  # i
# above staff
- reason: internal   # why
  infima_client: {name: Staff, # n
     id: 9}
  # tail staff
# about mappings
mappings: # m
  # first
  # - commented: out

  - # on dash
    halo_customer: {name: 'A "q"', id: 1}   # cust
    # about key
    key: "no" # kk
    infima_client:  # ic
      # deep
      name: "B" # nm
      id: 5
    quantity: {fixed: 5, until: 2099-12-31,
      # inside
      reason: 'x # y'}
   # odd
  # tail of mappings

version: 1 # v
settings: {batch: 5} # s
  # after settings
# the end
"""

CLEAN = """\
# header
# more

version: 1  # v

# about mappings
mappings:  # m
  # first
  # - commented: out

  # on dash
  # about key
  - key: "no"  # kk
    # ic
    # deep
    # nm
    infima_client: {id: 5, name: "B"}
    halo_customer: {id: 1, name: "A \\"q\\""}  # cust
    # inside
    quantity: {fixed: 5, reason: "x # y", until: 2099-12-31}

  # odd
  # tail of mappings

settings:
  batch: 5  # s

# about ignore
ignore:  # i
  # above staff
  # n
  - infima_client: {id: 9, name: "Staff"}
    reason: "internal"  # why
    # tail staff

# after settings
# the end
"""

LONG = "version: 1\nmappings:\n  - key: big\n    infima_clients: [" + ", ".join(
    f'{{id: {i}, name: "Client number {i}"}}' for i in range(1, 6)
) + ']\n    halo_customer: {id: 1, name: "Big"}\n'  # fmt: skip


def load(text: str) -> Mappings:
    return parse_mappings(text, file="m", now=datetime(2026, 11, 22, tzinfo=UTC))


def comments_of(text: str) -> Counter[str]:
    return Counter(comment for _, comment in find_comments(read_text(text, file="m")[0]))


def test_messy_becomes_clean() -> None:
    assert format_mappings(MESSY) == CLEAN


def test_clean_stays_clean() -> None:
    assert format_mappings(CLEAN) == CLEAN


def test_the_example_of_the_good_configs_is_canonical_but_for_its_alignment() -> None:
    text = (Path(__file__).parent.parent / "configs" / "good" / "complete.yaml").read_text(encoding="utf-8")
    expected = text.replace("9012             #", "9012  #").replace(
        """'Borealis "Freight"'""", '"Borealis \\"Freight\\""'
    )
    assert format_mappings(text) == expected.replace("Borealis Freight Ltd", '"Borealis Freight Ltd"')


def test_a_long_list_of_clients_goes_below_its_key() -> None:
    formatted = format_mappings(LONG)
    assert '    infima_clients:\n      - {id: 1, name: "Client number 1"}\n' in formatted
    assert format_mappings(formatted) == formatted


def test_a_comment_on_the_line_of_a_folded_text_is_kept() -> None:
    text = (
        "version: 1\nmappings: []\nignore:\n  - infima_client: {id: 1, name: A}\n"
        "    reason: >-  # folded\n      because # no comment\n      so\n  # last\n"
    )
    formatted = format_mappings(text)
    assert 'reason: "because # no comment so"' in formatted
    assert comments_of(formatted) == {"# folded": 1, "# last": 1}


def test_crlf_stays_crlf() -> None:
    assert format_mappings(CLEAN.replace("\n", "\r\n")) == CLEAN.replace("\n", "\r\n")


def test_an_invalid_file_is_refused_with_its_problems() -> None:
    with pytest.raises(ConfigError) as caught:
        format_mappings("version: 1\nmapings: []\n")
    assert caught.value.diagnostics


def test_the_editor_line_stays_at_the_top_of_the_file() -> None:
    text = "# yaml-language-server: $schema=x\n# about mappings\nmappings: []\nversion: 1\n"
    expected = "# yaml-language-server: $schema=x\nversion: 1\n\n# about mappings\nmappings: []\n"
    assert format_mappings(text) == expected


@pytest.mark.parametrize("planted", [lambda comments: comments[1:], lambda comments: [*comments, (0, "# more")]])
def test_a_lost_comment_is_noticed(planted: Callable[[list[Any]], list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    attach = fmt._attach
    monkeypatch.setattr(fmt, "_attach", lambda comments, tree, source: attach(planted(comments), tree, source))
    with pytest.raises(ConfigError, match="nothing was changed"):
        format_mappings(CLEAN)


def test_changed_data_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fmt, "quote", lambda text: f'"{text.upper()}"')
    with pytest.raises(ConfigError, match="nothing was changed"):
        format_mappings(CLEAN)


@thorough
@given(text=mappings_files())
def test_data_and_comments_survive_and_a_second_time_changes_nothing(text: str) -> None:
    formatted = format_mappings(text)
    assert plain(read_text(formatted, file="m")[2]) == plain(read_text(text, file="m")[2])
    assert comments_of(formatted) == comments_of(text)
    assert [m.quantity for m in load(formatted).mappings] == [m.quantity for m in load(text).mappings]
    assert format_mappings(formatted) == formatted
