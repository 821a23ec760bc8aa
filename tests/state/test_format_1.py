"""A state that a version before format 2 wrote: real files, read as they are, and written anew by the next run.

`format-1/` holds eight runs: creates, a hold, a write and a create with an unknown outcome, a decision by hand, and a
run that was killed behind an intent.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from reconciler.errors import StateError
from reconciler.model import MappingKey
from reconciler.state.directory import DirectoryState
from reconciler.state.document import decode, encode
from reconciler.state.journal import read_lines
from reconciler.state.recorded import BindingOrigin
from tests.state.samples import StillClock, attempt, run_info, verdict

OLD = Path(__file__).parent / "format-1"
CONTENT = (OLD / "state.json").read_bytes()


@pytest.fixture
def store(tmp_path: Path, clock: StillClock) -> DirectoryState:
    """A copy of the old state, private as a state is."""
    root = tmp_path / "state"
    shutil.copytree(OLD, root)
    for path in (root, *root.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return DirectoryState(root, clock=clock)


def test_everything_remembered_is_there(store: DirectoryState) -> None:
    recorded = store.read()

    assert recorded.tenant is not None
    assert recorded.tenant.infima_partner == "Northwind Managed IT"
    assert {key: row.subscription_id for key, row in recorded.bindings.items()} == {
        "gull": 9051,
        "infima-101": 9001,
        "infima-102": 9002,
        "infima-103": 9003,
        "infima-104": 9010,
        "infima-105": 9052,
        "infima-120": 9054,
    }
    bound = recorded.bindings[MappingKey("infima-101")]
    assert (bound.key, bound.origin, bound.last_counted) == ("infima-101", BindingOrigin.MARKER, 12)
    assert not bound.awaiting_first_count
    assert recorded.attempts[MappingKey("hill")].nonce == "nonce-11"
    assert recorded.given_up == {"infima-106": (9053,)}
    assert recorded.last_good_run is not None
    assert recorded.damage == ()


def test_every_line_of_every_chain_is_valid(store: DirectoryState) -> None:
    assert [one.message for one in store.history.verify() if not one.crash] == []
    lost = store.history.unfinished().values()
    assert [(reading.records[0].run, reading.unknown_intents) for reading in lost] == [("run-killed", (1,))]
    assert len(store.history.runs()) == 7
    assert store.history.runs()[-1].info.actor == "Zo\xeb of Acme"
    assert [shot.quantities["infima-106"] for shot in store.history.snapshots()] == [15]


def test_the_next_run_writes_it_anew_and_goes_on_with_its_chains(store: DirectoryState) -> None:
    before = store.read()
    with store.open_run(run_info("new")) as run:
        run.record_attempts([attempt("ivy")])
        run.finish(verdict("new"))

    content = (store._directory.root / "state.json").read_bytes()
    after = store.read()
    assert content.startswith(b'{\n"format": 2,')
    assert encode(decode(content, place="state.json")) == content
    assert after.bindings == before.bindings
    assert set(after.attempts) == {"hill", "ivy"}
    assert after.given_up == before.given_up
    assert [one.message for one in store.history.verify() if not one.crash] == []
    assert [run.info.id for run in store.history.runs()][-2:] == ["run-resolve", "new"]


def test_any_flipped_byte_is_refused() -> None:
    for place in range(len(CONTENT)):
        damaged = bytearray(CONTENT)
        damaged[place] ^= 0x01
        with pytest.raises(StateError):
            decode(bytes(damaged), place="state.json")


def _forged(old: str, new: str) -> bytes:
    """The old file with a right checksum over wrong content."""
    body, _, _ = CONTENT.decode().partition(',\n"sha256"')
    assert old in body
    body = body.replace(old, new, 1)
    return f'{body},\n"sha256": "{hashlib.sha256(body.encode()).hexdigest()}"\n}}\n'.encode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"last_counted": 7', '"last_counted": 8, "last_counted": 7'),
        ('"last_counted": 7', '"last_counted": 7, "later": 1'),
        ('"last_counted": 7', '"last_counted": 7.0'),
        ('"awaiting_first_count": false', '"awaiting_first_count": 0'),
        ('"attempts"', '"later": 1,\n"attempts"'),
        ('"customer_id": 41', '"customer_id":41'),
    ],
)
def test_what_the_old_version_never_wrote_is_refused(old: str, new: str) -> None:
    assert decode(_forged('"gull"', '"gull"'), place="state.json") == decode(CONTENT, place="state.json")
    with pytest.raises(StateError, match="damaged"):
        decode(_forged(old, new), place="state.json")


def test_an_edited_old_line_is_found() -> None:
    content = (OLD / "history" / "2026-11.jsonl").read_bytes()
    lines, torn = read_lines(content.replace(b'"outcome": "unknown"', b'"outcome": "applied"', 1))

    assert torn == b""
    assert [number for number, record in lines if record is None] == [5]
    assert json.loads(content.splitlines()[4])["run"] == "run-8"
