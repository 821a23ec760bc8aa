"""A state under any sequence of calls equals a plain model, and is the same after it is opened again."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from reconciler.errors import StateConflict
from reconciler.model import MappingKey, SubscriptionId
from reconciler.state.base import RunState
from reconciler.state.directory import DirectoryState
from reconciler.state.recorded import Attempt, Binding
from tests.state.samples import StillClock, attempt, binding, run_info, verdict

KEYS = st.sampled_from([MappingKey(key) for key in ("acme", "borealis", "corvid")])
NONCES = st.sampled_from(["n1", "n2", "n3"])
SUBSCRIPTIONS = st.integers(1, 4).map(SubscriptionId)


class StateMachine(RuleBasedStateMachine):
    """The model is three dicts; the system is a directory that is closed and opened again at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp())
        self.bindings: dict[MappingKey, Binding] = {}
        self.attempts: dict[MappingKey, Attempt] = {}
        self.given_up: dict[MappingKey, set[SubscriptionId]] = {}
        self.runs = 0
        self.context: AbstractContextManager[RunState] | None = None

    @initialize()
    def start(self) -> None:
        self._open()

    def _open(self) -> None:
        self.store = DirectoryState(self.place / "s", clock=StillClock())
        self.runs += 1
        self.context = self.store.open_run(run_info(f"r{self.runs}"))
        self.run_state = self.context.__enter__()

    @rule(finish=st.booleans())
    def reopen(self, *, finish: bool) -> None:
        assert self.context is not None
        if finish:
            self.run_state.finish(verdict(f"r{self.runs}"))
        self.context.__exit__(None, None, None)
        self._open()

    @rule(rows=st.dictionaries(KEYS, NONCES, min_size=1), replacing=st.dictionaries(KEYS, NONCES))
    def record_attempts(self, rows: dict[MappingKey, str], replacing: dict[MappingKey, str]) -> None:
        granted = set()
        for key, nonce in rows.items():
            standing = self.attempts.get(key)
            if key not in self.bindings and (standing is None or replacing.get(key) == standing.nonce):
                self.attempts[key] = attempt(key, nonce)
                granted.add(key)

        got = self.run_state.record_attempts([attempt(*row) for row in rows.items()], replacing=replacing)
        assert got == granted

    @rule(nonces=st.dictionaries(KEYS, NONCES))
    def settle_attempts(self, nonces: dict[MappingKey, str]) -> None:
        for key, nonce in nonces.items():
            if key in self.attempts and self.attempts[key].nonce == nonce:
                del self.attempts[key]
        self.run_state.settle_attempts(nonces)

    @rule(key=KEYS, subscription=SUBSCRIPTIONS, counted=st.none() | st.integers(0, 2**31 - 1))
    def record_binding(self, key: MappingKey, subscription: SubscriptionId, counted: int | None) -> None:
        row = binding(key, subscription, last_counted=counted)
        owners = {one.subscription_id: owner for owner, one in self.bindings.items()}
        taken = key in self.bindings and self.bindings[key].subscription_id != subscription
        if taken or owners.get(subscription, key) != key:
            try:
                self.run_state.record_bindings([row])
            except StateConflict:
                return
            raise AssertionError("a conflicting binding was recorded")
        self.run_state.record_bindings([row])
        self.bindings[key] = row
        self.attempts.pop(key, None)
        self.given_up.get(key, set()).discard(subscription)

    @rule(key=KEYS, give_up=st.booleans())
    def end_binding(self, key: MappingKey, *, give_up: bool) -> None:
        old = self.bindings.pop(key, None)
        self.attempts.pop(key, None)
        if give_up and old is not None:
            self.given_up.setdefault(key, set()).add(old.subscription_id)
        self.run_state.record_decision(key, give_up=[old.subscription_id] if give_up and old is not None else [])

    @invariant()
    def state_equals_the_model(self) -> None:
        if self.context is None:
            return
        for recorded in (self.run_state.recorded, self.store.read()):
            assert recorded.bindings == self.bindings
            assert recorded.attempts == self.attempts
            assert {key: set(ids) for key, ids in recorded.given_up.items()} == {
                key: ids for key, ids in self.given_up.items() if ids
            }

    def teardown(self) -> None:
        if self.context is not None:
            self.context.__exit__(None, None, None)
            assert self.store.history.verify() == ()
        shutil.rmtree(self.place)


StateMachine.TestCase.settings = settings(
    max_examples=12, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
TestStateMachine = StateMachine.TestCase
