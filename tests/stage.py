"""A stage for whole runs: the shipped code on the simulator's callables, on a virtual clock, with its state on disk."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from reconciler.clock import Clock
from reconciler.config import parse_mappings
from reconciler.events import Event
from reconciler.model import HaloCustomerId, MappingKey, Mappings, RunId, SubscriptionId
from reconciler.planning.changes import Plan, PlannedRow
from reconciler.planning.observation import PlanOptions, RunContext
from reconciler.planning.rules import Allowance, Rule
from reconciler.providers.connect import ConnectedSystems
from reconciler.run import ApplyRun, Finished, make_plan, read_live, run_apply
from reconciler.simulator.records import Endpoint
from reconciler.simulator.world import World
from reconciler.state.base import RunInfo, StateStore
from reconciler.state.directory import DirectoryState
from reconciler.state.document import STATE_FILE, StateDocument, encode
from reconciler.state.files import PrivateDirectory
from reconciler.state.recorded import Binding, BindingOrigin
from tests.builders import TEMPLATE
from tests.clock import VirtualClock
from tests.faults.app import connect_to
from tests.faults.kinds import Faults
from tests.quiet import ignore_events

NAMES = ("Acme Dental", "Borealis Freight", "Corvid Labs", "Dunmore School", "Eastgate Homes", "Fenwick Law")


class Stage:
    """One world and one state directory; each `plan` and `apply` is a run of its own, as another process would be.

    `remembers=False`: nothing is remembered yet, although the world may hold Subscriptions with markers.
    """

    def __init__(self, world: World, folder: Path, mappings: str, *, remembers: bool = True) -> None:
        self.world = world
        assert isinstance(world.clock, VirtualClock)
        self.clock = world.clock
        self.folder = folder
        self.text = mappings
        self.faults = Faults()
        self.events: list[Event] = []
        self.stop: Callable[[], bool] = lambda: False
        self.durable = True
        self._words = itertools.count(1)
        if remembers:
            remember_markers(world, self.folder / ".reconciler")

    def mappings(self) -> Mappings:
        return parse_mappings(self.text, file="mappings.yaml", now=self.clock.now())

    def systems(self, mappings: Mappings) -> ConnectedSystems:
        return connect_to(
            self.world, mappings.settings, faults=self.faults, clock=self.clock, observer=self.events.append, seed=7
        )

    def store(self) -> StateStore:
        return DirectoryState(self.folder / ".reconciler", clock=self.clock, durable=self.durable)

    @contextmanager
    def context(self) -> Iterator[RunContext]:
        mappings = self.mappings()
        with self.systems(mappings) as systems:
            yield RunContext(
                mappings=mappings,
                systems=systems,
                store=self.store(),
                clock=self.clock,
                observe=self.events.append,
                stop=self.stop,
                nonce=lambda: f"nonce-{next(self._words)}",
            )

    def plan(self, options: PlanOptions | None = None) -> Plan:
        with self.context() as context:
            seen = read_live(context)
        return make_plan(context.mappings, seen.observation, seen.recorded, options or PlanOptions())

    def apply(
        self,
        options: PlanOptions | None = None,
        *,
        confirm: Callable[[Plan], bool] | None = None,
        agreed: Mapping[MappingKey, PlannedRow] | None = None,
    ) -> Finished:
        run = RunId(f"run-{next(self._words)}")
        with self.context() as context:
            sha = context.mappings.sha256
            return run_apply(
                ApplyRun(
                    context=context,
                    info=RunInfo(id=run, command="apply", started_at=self.clock.now(), mappings_sha256=sha),
                    options=options or PlanOptions(),
                    show=ignore_events,  # type: ignore[arg-type] # swallows anything
                    confirm=confirm,
                    agreed=agreed,
                )
            )

    def count_of(self, licence_id: int) -> float:
        return float(self.world.licences[licence_id]["count"])

    def writes(self) -> list[str]:
        """Bodies of all mutating requests received so far."""
        return [r.body for r in self.world.requests if r.mutating]


def remember_markers(world: World, folder: Path, *, field: str = "snowid") -> None:
    """The state as the creates of earlier nights left it: a binding for every marker of the world."""
    bindings = {
        MappingKey(row[field]): Binding(
            key=MappingKey(row[field]),
            subscription_id=SubscriptionId(number),
            customer_id=HaloCustomerId(row["client_id"]),
            origin=BindingOrigin.CREATED,
            bound_at=world.clock.now(),
        )
        for number, row in world.licences.items()
        if re.fullmatch(r"(infima|group)-[0-9]+", str(row.get(field, "")))
    }
    if bindings:
        directory = PrivateDirectory(folder)
        directory.prepare()
        directory.replace(STATE_FILE, encode(StateDocument(bindings=bindings)))


def allow(rule: Rule, key: str | None = None) -> PlanOptions:
    """The wish to lift one rule."""
    return PlanOptions(allowances=(Allowance(rule=rule, reason="test", key=key),))


def small_world(clock: Clock | None = None, *, inactive: bool = False) -> World:
    """Six clients, six customers; three Subscriptions that carry their markers, one that a person made.

    With `inactive` the clients have inactive users, too.
    """
    world = World(clock=clock or VirtualClock())
    for index, name in enumerate(NAMES):
        world.add_client(101 + index, name, active=10 + index, inactive=index if inactive else 0)
        world.add_customer(11 + index, name)
    for index in range(3):
        world.add_licence(11 + index, TEMPLATE, 10 + index, licence_id=9001 + index, snowid=f"infima-{101 + index}")
    world.add_licence(14, TEMPLATE, 13, licence_id=9010)
    world.add_licence(99, "Microsoft 365 Business", 70, licence_id=9050, snowid="ms-subscription")
    return world


def small_mappings(extra: str = "", **changes: str) -> str:
    """The mappings of `small_world`; `changes` replaces the tail of one entry, e.g. c104="    retired: true"."""
    lines = ["version: 1", "mappings:"]
    for index, name in enumerate(NAMES):
        lines += [
            f'  - infima_client: {{id: {101 + index}, name: "{name}"}}',
            f'    halo_customer: {{id: {11 + index}, name: "{name}"}}',
        ]
        if index == 3 and "c104" not in changes:
            lines.append("    subscription_id: 9010")
        if f"c{101 + index}" in changes:
            lines.append(changes[f"c{101 + index}"])
    return "\n".join(lines) + "\n" + extra


def details(stage: Stage) -> list[int]:
    """The ids that were asked for one by one."""
    return [int(r.path.rpartition("/")[2]) for r in stage.world.requests if r.endpoint is Endpoint.LICENCE]


def lose_state(stage: Stage) -> None:
    """The state's folder is gone."""
    shutil.rmtree(stage.folder / ".reconciler")
