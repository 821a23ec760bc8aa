"""A stage for whole probes: the shipped code on the simulator's callables, on a virtual clock, its state on disk."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reconciler.model import HaloCustomerId, RunId
from reconciler.probing.probe import Probed, look, run_probe
from reconciler.probing.report import Question
from reconciler.probing.session import ProbeSession
from reconciler.simulator.records import System
from reconciler.simulator.server import HALO_URL
from reconciler.simulator.switches import Switches
from reconciler.simulator.world import World
from reconciler.state.base import RunInfo
from reconciler.state.recorded import HaloFacts
from tests.clock import VirtualClock
from tests.stage import Stage

CUSTOMER = 77
OTHER_CUSTOMER = 78
MAPPINGS = "version: 1\nmappings: []\n"


class ProbeStage(Stage):
    """One world with a throw-away customer; each `probe` is a run of its own, as another process would be."""

    def __init__(self, folder: Path, *, world: World | None = None, **switches: Any) -> None:
        super().__init__(world or probe_world(), folder, MAPPINGS, remembers=False)
        self.world.switches = Switches(**switches)
        self.sent: list[int] = []
        self._probes = itertools.count(1)

    def probe(
        self, customer: int = CUSTOMER, *, wait: float = 60.0, stop: Callable[[], bool] = lambda: False
    ) -> Probed:
        number = next(self._probes)
        before = len(self.halo_requests())
        info = RunInfo(id=RunId(f"probe-{number}"), command="probe", started_at=self.clock.now())
        with self.systems(self.mappings()) as systems:
            session = ProbeSession(
                halo=systems.raw,
                clock=self.clock,
                observe=self.events.append,
                stop=stop,
                customer=HaloCustomerId(customer),
                word=f"word{number}",
                wait=wait,
            )
            try:
                look(session)
                with self.store().open_run(info) as state:
                    return run_probe(session, state, info, halo_url=HALO_URL)
            finally:
                self.sent.append(len(self.halo_requests()) - before)

    def halo_requests(self) -> list[Any]:
        return [each for each in self.world.requests if each.system is System.HALO]

    def facts(self) -> HaloFacts:
        return self.store().read().halo

    def probes(self) -> int:
        """How many probes are recorded as begun and not ended."""
        return len(self.store().read().probes)

    def rows_at(self, customer: int = CUSTOMER) -> list[dict[str, Any]]:
        return [row for row in self.world.licences.values() if row.get("client_id") == customer]

    def made(self) -> list[dict[str, Any]]:
        return [row for row in self.rows_at() if str(row["name"]).startswith("reconciler probe, may be deleted")]


def probe_world(rows: int = 130) -> World:
    """A partner with more Subscriptions than a small page holds, inactive ones and an invoice among them."""
    world = World(clock=VirtualClock())
    for customer in range(11, 31):
        world.add_customer(customer, f"Customer {customer}")
    world.add_customer(CUSTOMER, "Throw-away")
    world.add_customer(OTHER_CUSTOMER, "Another throw-away")
    for number in range(rows):
        active = number % 7 != 3
        world.add_licence(11 + number % 20, f"Office {number}", 5 + number % 9, is_active=active, price=2.5)
    line = {"id": 1, "quantity_subscriptions": [{"licence_id": 9001}], "isinactive": False}
    world.add_invoice(11, "Monthly", [line])
    return world


def told(ended: Probed, question: Question) -> str:
    return ended.report.finding(question).answer.value
