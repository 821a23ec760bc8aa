"""Edits that keep true what the file says: names, approvals, ignored clients, remarks."""

from __future__ import annotations

from datetime import date

import pytest

from reconciler.config.edit import NewName, add_remark, remove_approval, remove_ignore, set_names
from reconciler.errors import ConfigError
from reconciler.model import ClientRef, CustomerRef, HaloCustomerId, InfimaClientId, MappingKey

TEXT = """\
version: 1

mappings:
  - infima_client: {id: 1, name: 'Acme'}  # the first
    halo_customer: {id: 2, name: "Acme"}
    quantity: {fixed: 4, reason: "x", until: 2026-12-31}
  - key: both
    infima_clients:
      - {id: 2, name: Two}
      - {id: 3, name: Three}  # number three
    halo_customer:
      id: 2
      name: Acme

approvals:
  - rule: decrease
    key: both
    quantity: {from: 1, to: 5}
    until: 2026-11-21
    reason: "old"
  - rule: decrease
    key: both
    quantity: {from: 1, to: 5}
    until: 2026-12-21
    reason: "new"

ignore:
  - infima_client: {id: 7, name: "Own staff"}
    reason: "ours"
  - infima_client: {id: 8, name: "Sandbox"}
    reason: "ours"
"""


def client(number: int) -> ClientRef:
    return ClientRef(id=InfimaClientId(number), name="as it was")


def test_names_are_written_beside_their_ids_and_nothing_else_moves() -> None:
    customer = CustomerRef(id=HaloCustomerId(2), name="as it was")
    names = [
        NewName(key=MappingKey("infima-1"), ref=client(1), name='The "Inn"\n& more'),
        NewName(key=MappingKey("both"), ref=client(3), name="Drei"),
        NewName(key=MappingKey("both"), ref=customer, name="Acme Ltd"),
    ]
    expected = TEXT.replace("'Acme'", '"The \\"Inn\\" & more"').replace("name: Three", 'name: "Drei"')
    expected = expected.replace("name: Acme\n", 'name: "Acme Ltd"\n')
    assert set_names("\ufeff" + TEXT, names) == "\ufeff" + expected
    assert set_names(TEXT, []) == TEXT


@pytest.mark.parametrize("number", [2, 9])
def test_a_name_of_an_id_that_the_mapping_does_not_have_is_refused(number: int) -> None:
    with pytest.raises(ConfigError, match=f"infima-1 has no client or customer {number}"):
        set_names(TEXT, [NewName(key=MappingKey("infima-1"), ref=client(number), name="x")])


def test_of_two_approvals_only_the_one_that_ended_goes() -> None:
    after = remove_approval(TEXT, "decrease", "both", date(2026, 11, 21))
    start, end = TEXT.index("  - rule"), TEXT.index("  - rule", TEXT.index("old"))
    assert after == TEXT[:start] + TEXT[end:]
    assert remove_approval(TEXT, "decrease", "both", date(2026, 11, 22)) == TEXT


def test_an_ignored_client_goes_with_its_section_when_it_is_the_last() -> None:
    after = remove_ignore(TEXT, InfimaClientId(7))
    assert after == TEXT.replace('  - infima_client: {id: 7, name: "Own staff"}\n    reason: "ours"\n', "")
    assert remove_ignore(after, InfimaClientId(8)) == TEXT[: TEXT.index("\nignore:")]
    assert remove_ignore("\ufeff" + TEXT, InfimaClientId(99)) == "\ufeff" + TEXT


def test_a_remark_stands_above_the_quantity() -> None:
    after = add_remark(TEXT.replace("\n", "\r\n"), "infima-1", "ends\nsoon")
    assert after == TEXT.replace("    quantity: {fixed", "    # ends soon\n    quantity: {fixed").replace("\n", "\r\n")


def test_a_remark_without_a_quantity_is_refused() -> None:
    with pytest.raises(ConfigError, match="layout does not allow"):
        add_remark(TEXT, "both", "ends soon")
