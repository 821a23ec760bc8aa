"""state.json: one spelling, nothing half-read, and only the changes that keep one Subscription per mapping."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.errors import StateConflict, StateError
from reconciler.model import MappingKey, SubscriptionId, Tenant
from reconciler.state import document as changes
from reconciler.state.document import ChainHead, StateDocument, decode, encode
from reconciler.state.recorded import BindingOrigin
from tests.state.samples import START, attempt, binding

ACME, BOREALIS = MappingKey("acme"), MappingKey("borealis")
FULL = StateDocument(
    tenant=Tenant(halo_url="https://halo.example.com", infima_partner="Münch & Söhne\n"),
    bindings={ACME: binding("acme", 9001, last_counted=15), BOREALIS: binding("borealis", 9002)},
    attempts={MappingKey("corvid"): attempt("corvid")},
    given_up={MappingKey("dunmore"): (SubscriptionId(3), SubscriptionId(7))},
    last_good_run=START,
    journal=ChainHead(file="journal/x.jsonl", seq=4, hash="a" * 64),
    history=ChainHead(file="history/2026-11.jsonl", seq=2, hash="b" * 64),
)


def test_document_survives_its_spelling() -> None:
    assert decode(encode(FULL), place="state.json") == FULL


def test_file_is_ascii_json_with_one_sorted_line_per_key() -> None:
    lines = encode(FULL).decode("ascii").splitlines()

    assert json.loads("\n".join(lines))["bindings"]["borealis"]["subscription_id"] == 9002
    rows = [line.split(":")[0] for line in lines if line.startswith(('"acme"', '"borealis"'))]
    assert rows == ['"acme"', '"borealis"']


def test_one_changed_key_changes_one_line_and_the_checksum() -> None:
    grown = changes.add_bindings(FULL, [binding("acme", 9001, last_counted=16)])

    differing = [
        old for old, new in zip(encode(FULL).splitlines(), encode(grown).splitlines(), strict=True) if old != new
    ]
    assert [line.split(b":")[0] for line in differing] == [b'"acme"', b'"sha256"']


def test_missing_file_is_the_empty_state() -> None:
    assert decode(None, place="state.json") == StateDocument()


def test_newer_format_says_upgrade() -> None:
    content = encode(FULL).replace(b'"format": 2', b'"format": 3')

    with pytest.raises(StateError, match=r"x/state\.json has format 3") as caught:
        decode(content, place="x/state.json")
    assert "Upgrade" in caught.value.hint


def test_file_cut_anywhere_is_refused_with_the_way_out() -> None:
    content = encode(FULL)
    for end in range(len(content)):
        with pytest.raises(StateError, match=r"x/state\.json is damaged") as caught:
            decode(content[:end], place="x/state.json")
        assert "move it away" in caught.value.hint


def test_any_flipped_byte_is_refused() -> None:
    content = encode(FULL)
    for place in range(len(content)):
        for mask in (0x01, 0x20, 0x80):
            damaged = bytearray(content)
            damaged[place] ^= mask
            with pytest.raises(StateError):
                decode(bytes(damaged), place="state.json")


@pytest.mark.parametrize("content", [b"null", b"[]", b"{}", b'{"format": 1}', b"[" * 100_000, b'"\\ud800"', b"\xff"])
def test_other_json_is_refused(content: bytes) -> None:
    with pytest.raises(StateError, match="damaged"):
        decode(content, place="state.json")


def _forged(old: str, new: str) -> bytes:
    """A file with a right checksum over wrong content."""
    body, _, _ = encode(FULL).decode().partition(',\n"sha256"')
    assert old in body
    body = body.replace(old, new)
    return f'{body},\n"sha256": "{hashlib.sha256(body.encode()).hexdigest()}"\n}}\n'.encode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"subscription_id": 9001', '"subscription_id": "9001"'),
        ('"subscription_id": 9001', '"subscription_id": true'),
        ('"subscription_id": 9001', '"subscription_id": -1'),
        ('"awaiting_first_count": true', '"awaiting_first_count": 1'),
        ('"last_counted": 15', '"last_counted": 15.0'),
        ('"nonce": "n1"', '"nonce": 1'),
        ('"origin": "created"', '"origin": "guessed"'),
        ("05:17:03Z", "05:17:03"),
        ('"last_counted": 15', '"last_counted": 14, "last_counted": 15'),
        ('"seq": 4', '"seq": 4.0'),
        ('"halo_url": "https://halo.example.com"', '"halo_url": null'),
    ],
)
def test_wrong_types_are_refused_even_under_a_right_checksum(old: str, new: str) -> None:
    with pytest.raises(StateError, match="damaged"):
        decode(_forged(old, new), place="state.json")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"format": 2', '"format": 2,\n"later": {}'),
        ('"last_counted": 15', '"last_counted": 15, "later": 1'),
        ('"halo_url"', '"a_later_member": true, "halo_url"'),
        ('"nonce": "n1"', '"key": "other", "nonce": "n1"'),
        ("05:17:03Z", "05:17:03+00:00"),
    ],
)
def test_what_only_another_version_writes_is_refused_and_says_upgrade(old: str, new: str) -> None:
    with pytest.raises(StateError, match="holds something that this version of reconciler does not write") as caught:
        decode(_forged(old, new), place="state.json")
    assert "Upgrade" in caught.value.hint


def test_a_member_at_its_default_is_not_spelled() -> None:
    """So that a member that is added later leaves every file as it is until it says something."""
    settled = replace(binding("acme", 9001), awaiting_first_count=False)
    lines = encode(StateDocument(bindings={ACME: settled})).decode().splitlines()

    assert [line.partition(":")[0] for line in lines if ":" in line] == ['"format"', '"bindings"', '"acme"', '"sha256"']
    assert "awaiting_first_count" not in lines[3]
    assert "last_counted" not in lines[3]


def test_forgery_helper_keeps_a_right_file_right() -> None:
    assert decode(_forged('"acme"', '"acme"'), place="state.json") == FULL


def test_free_key_is_granted() -> None:
    document, granted = changes.grant_attempts(StateDocument(), [attempt("acme")], {})

    assert granted == {"acme"}
    assert document.attempts == {ACME: attempt("acme")}


def test_bound_key_is_not_granted_even_when_replacing() -> None:
    document = StateDocument(bindings={ACME: binding("acme", 1)}, attempts={ACME: attempt("acme", "old")})

    result = changes.grant_attempts(document, [attempt("acme", "new")], {ACME: "old"})

    assert result == (document, frozenset())


@pytest.mark.parametrize(("named", "granted"), [("old", {"acme"}), ("other", set()), (None, set())])
def test_open_attempt_is_replaced_only_by_its_nonce(named: str | None, granted: set[str]) -> None:
    document = StateDocument(attempts={ACME: attempt("acme", "old")})
    replacing = {ACME: named} if named else {}

    _, got = changes.grant_attempts(document, [attempt("acme", "new")], replacing)

    assert got == granted


def test_an_attempt_of_the_same_nonce_is_not_granted_twice() -> None:
    document = StateDocument(attempts={ACME: attempt("acme", "mine")})

    assert changes.grant_attempts(document, [attempt("acme", "mine")], {})[1] == frozenset()


def test_second_attempt_for_a_key_in_one_call_does_not_replace_the_first() -> None:
    pair = [attempt("acme", "a"), attempt("acme", "b")]

    document, _ = changes.grant_attempts(StateDocument(), pair, {ACME: "a"})

    assert document.attempts[ACME].nonce == "a"


def test_settling_leaves_others_attempts() -> None:
    document = StateDocument(attempts={ACME: attempt("acme", "theirs"), BOREALIS: attempt("borealis", "mine")})

    left = changes.settle_attempts(document, {ACME: "mine", BOREALIS: "mine"})

    assert set(left.attempts) == {"acme"}


def test_binding_closes_the_attempt() -> None:
    document = StateDocument(attempts={ACME: attempt("acme")})

    assert changes.add_bindings(document, [binding("acme", 5)]).attempts == {}


def test_who_finds_what_another_run_is_creating_does_not_end_the_wait_for_its_first_count() -> None:
    """The finder read the state before the attempt was recorded; without this the first count counts as a jump."""
    found = replace(binding("acme", 5), origin=BindingOrigin.MARKER, awaiting_first_count=False)
    later = replace(found, bound_at=START + timedelta(hours=1))

    attempted = changes.add_bindings(StateDocument(attempts={ACME: attempt("acme")}), [found])
    bound = changes.add_bindings(StateDocument(bindings={ACME: binding("acme", 5)}), [later])

    assert attempted.bindings[ACME].awaiting_first_count
    assert bound.bindings[ACME].awaiting_first_count


def test_a_confirmed_count_ends_the_wait_for_it() -> None:
    document = StateDocument(bindings={ACME: binding("acme", 5)})
    confirmed = replace(binding("acme", 5), awaiting_first_count=False)

    assert not changes.add_bindings(document, [confirmed]).bindings[ACME].awaiting_first_count


def test_key_bound_elsewhere_is_a_conflict() -> None:
    with pytest.raises(StateConflict, match="acme is bound to Subscription 9001"):
        changes.add_bindings(FULL, [binding("acme", 5)])


def test_subscription_bound_elsewhere_is_a_conflict() -> None:
    with pytest.raises(StateConflict, match="Subscription 9001 is bound to acme"):
        changes.add_bindings(FULL, [binding("zeta", 9001)])


def test_one_call_cannot_bind_one_subscription_twice() -> None:
    with pytest.raises(StateConflict):
        changes.add_bindings(StateDocument(), [binding("acme", 5), binding("borealis", 5)])


def test_binding_that_is_given_up_is_forgotten_with_its_attempt() -> None:
    document = StateDocument(bindings={ACME: binding("acme", 5)}, attempts={ACME: attempt("acme")})

    assert changes.decide(document, ACME, bind=None, give_up=(), take_from=(), abandon=None) == StateDocument()


def test_given_up_subscriptions_add_up() -> None:
    document = StateDocument(bindings={ACME: binding("acme", 5)}, given_up={ACME: (SubscriptionId(9),)})

    given_up = changes.decide(document, ACME, bind=None, give_up=(SubscriptionId(5),), take_from=(), abandon=None)
    assert given_up.given_up == {ACME: (5, 9)}


def test_adopting_what_was_given_up_takes_that_back() -> None:
    document = StateDocument(given_up={ACME: (SubscriptionId(5), SubscriptionId(9))})

    once = changes.add_bindings(document, [binding("acme", 5)])
    assert once.given_up == {ACME: (9,)}


def test_only_a_new_state_notes_what_it_meets_unbound_and_a_binding_ends_it() -> None:
    ours = Tenant(halo_url="https://halo.example", infima_partner="Partner")
    met = changes.meet_systems(StateDocument(), ours, [BOREALIS, ACME])
    assert met.never_bound == {ACME, BOREALIS}
    assert decode(encode(met), place="state.json") == met
    assert changes.meet_systems(met, ours, []).never_bound == {ACME, BOREALIS}
    assert changes.add_bindings(met, [binding("acme", 5)]).never_bound == {BOREALIS}
