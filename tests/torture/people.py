"""Histories of people: they adopt, rename, swap, move and lose the state, name a wrong one, map a customer twice.

Nobody in them lifts a rule. The oracle reads the simulator's own log: every create is held against what the customer
had at that moment, by a truth that is kept here and that the program does not see. A live twin that no rule announced
is a create for a customer that had one already.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

from reconciler.answers.adoption import DecisionContext, adopt, recreate
from reconciler.config.edit import set_subscription_id
from reconciler.errors import DecisionRefused, StateError
from reconciler.model import MappingKey, RunId, SubscriptionId
from reconciler.planning.index import index_subscriptions
from reconciler.planning.rules import Rule
from reconciler.simulator.records import Actor, Mutation, Row
from reconciler.simulator.world import World
from reconciler.state.base import RunInfo
from reconciler.state.directory import DirectoryState
from reconciler.state.places import move_state
from tests.clock import VirtualClock
from tests.stage import NAMES, TEMPLATE, Stage
from tests.torture.sweep import Result, workplace

MARKERS = ("kept", "dropped", "unlisted")
"""Halo keeps the marker; keeps none; shows it in the detail alone."""

OURS = (TEMPLATE, "Awareness training, old contract", "INFIMA", "infima security", "Security Awareness (renamed)")
FOREIGN = "E-learning 2024"
"""A name that no rule can take for ours."""
OTHERS = ("Backup seats", "Microsoft 365 Business", "Room for training")
NIGHT = 24 * 3600.0


@dataclass(slots=True)
class Line:
    """One mapping as the file says it; `clients` are ids by the names that stand beside them."""

    key: str
    clients: dict[str, int]
    customer: int
    customer_name: str
    subscription: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What there was when a night began: what each customer had for training, and what of it had the template's name.

    `known` are the ids that the state had under keys which left the file.
    """

    trained: dict[int, set[int]]
    namesakes: dict[int, set[int]]
    known: set[int]


@dataclass(slots=True, kw_only=True)
class History:
    """A partner with a few customers, its file, and everything that people do to them."""

    rng: Random
    stage: Stage
    lines: list[Line]
    place: str = ".reconciler"
    trained: set[int] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    makers: dict[int, str] = field(default_factory=dict)
    given_up: dict[str, set[int]] = field(default_factory=dict)
    doubtful: dict[str, set[str]] = field(default_factory=dict)

    # ---- what people do ---------------------------------------------------------------------------------------------

    def night(self) -> None:
        """One apply; nobody lifts anything."""
        self._write_file()
        before = len(self.stage.world.mutations)
        had = {line.customer: self._trained_at(line.customer) for line in self.lines}
        named = {number: self._named_ours(rows) for number, rows in had.items()}
        if self._forgotten():
            self.doubtful[self.place] = {line.key for line in self.lines}
        keys, bindings = {line.key for line in self.lines}, self._store().look().bindings
        known = {int(bound.subscription_id) for key, bound in bindings.items() if key not in keys}
        known -= {line.subscription for line in self.lines if line.subscription is not None}
        try:
            finished = self.stage.apply()
        except StateError:
            self.words.add("refused state")
            return
        if any(c.hold is not None and c.hold.rule in _TWIN_RULES for c in finished.plan.changes):
            self.words.add("held")
        told = {line.key for line in self.lines if _new_state_told(line.key, finished.plan.warnings)}
        told -= self.doubtful.get(self.place, set())
        self._judge(self.stage.world.mutations[before:], Before(trained=had, namesakes=named, known=known), told)
        self.stage.clock.sleep(NIGHT)

    def adopt(self) -> None:
        """As the command does it: the state, and then the line in the file."""
        line = self.rng.choice(self.lines)
        rows = [r for r in self._live() if r["client_id"] == line.customer]
        if rows:
            self._decide(line, lambda context: adopt(context, SubscriptionId(self.rng.choice(rows)["id"])), "adopted")

    def give_up(self) -> None:
        """Somebody deletes a Subscription, and gives it up so that a new one is made."""
        line = self.rng.choice(self.lines)
        bound = self._store().look().bindings.get(MappingKey(line.key))
        if bound is not None and line.subscription is None:
            self.stage.world.person_deletes(bound.subscription_id)
            if self._decide(line, recreate, "given up"):
                self.given_up.setdefault(line.key, set()).add(bound.subscription_id)

    def bring_back(self) -> None:
        """What was deleted or made inactive is restored in Halo."""
        rows = self.stage.world.licences.items()
        if gone := [number for number, row in rows if row.get("deleted") or row.get("is_active") is False]:
            self.stage.world.person_edits(self.rng.choice(gone), deleted=False, is_active=True)
            self.words.add("brought back")

    def make_by_hand(self) -> None:
        name = self.rng.choice(OURS + OTHERS)
        made = self.stage.world.person_creates(self.rng.choice(self.lines).customer, name, self.rng.randint(0, 9))
        if name in OURS:
            self.trained.add(made)
        self.words.add("made by hand")

    def grow(self) -> None:
        self.stage.world.users_join(self.rng.choice(list(self.rng.choice(self.lines).clients.values())), 1)

    def adopt_as_before(self) -> None:
        """Adopted by a version that wrote nothing into the file, under any name: the state alone knows."""
        line = self.rng.choice(self.lines)
        if (
            line.subscription is None
            and not self._trained_at(line.customer)
            and self.stage.world.switches.marker == "kept"
        ):
            made = self.stage.world.person_creates(line.customer, FOREIGN, 5)
            number = made
            self._decide(
                line, lambda context: replace(adopt(context, SubscriptionId(number)), write_id=None), "as before"
            )
            bound = self._store().look().bindings.get(MappingKey(line.key))
            if bound is not None and bound.subscription_id == number:  # else nobody can know what it is
                self.trained.add(number)
                self.makers[number] = line.key

    def rename(self) -> None:
        if rows := self._live():
            self.stage.world.person_renames(self.rng.choice(rows)["id"], self.rng.choice(OURS))
            self.words.add("renamed")

    def deactivate(self) -> None:
        if rows := self._live():
            self.stage.world.person_deactivates(self.rng.choice(rows)["id"])
            self.words.add("deactivated")

    def swap(self) -> None:
        """Two ids change places in the file, the names stay."""
        if len(self.lines) > 1:
            one, other = self.rng.sample(self.lines, 2)
            if self.rng.random() < 0.5:
                first, second = self.rng.choice(list(one.clients)), self.rng.choice(list(other.clients))
                one.clients[first], other.clients[second] = other.clients[second], one.clients[first]
            else:
                one.customer, other.customer = other.customer, one.customer
            self.words.add("swapped")

    def second_mapping(self) -> None:
        """A new client for a customer that is mapped already."""
        line = self.rng.choice(self.lines)
        name, number = self._new_client(line)
        self.lines.append(Line(f"infima-{number}", {name: number}, line.customer, line.customer_name))
        self.words.add("second mapping")

    def combine(self) -> None:
        """A new client goes on the Subscription of one that is mapped already."""
        line = self.rng.choice(self.lines)
        name, number = self._new_client(line)
        line.clients[name] = number
        self.words.add("combined")

    def _new_client(self, line: Line) -> tuple[str, int]:
        number = 200 + len(self.stage.world.infima_clients)
        name = f"{line.customer_name} {number}"
        self.stage.world.add_client(number, name, active=3)
        return name, number

    def rekey(self) -> None:
        """A key is renamed in the file; the Subscription stays under the old one, and may be inactive by then."""
        line = self.rng.choice(self.lines)
        bound = self._store().look().bindings.get(MappingKey(line.key))
        if bound is not None and self.rng.random() < 0.5:
            self.stage.world.person_deactivates(bound.subscription_id)
        old, line.key = line.key, f"{line.key}-b"
        self.makers = {number: line.key if key == old else key for number, key in self.makers.items()}
        if old in self.given_up:
            self.given_up[line.key] = self.given_up.pop(old)
        self.words.add("key renamed")

    def rename_party(self) -> None:
        """A client or a customer gets another name in its system; the file keeps the old one."""
        line, world = self.rng.choice(self.lines), self.stage.world
        new = f"{line.customer_name} Group {len(world.mutations)}"
        if self.rng.random() < 0.5:
            world.person_renames_client(self.rng.choice(list(line.clients.values())), new)
        else:
            world.person_renames_customer(line.customer, new)
        self.words.add("party renamed")

    def old_installation(self) -> None:
        """What a version before this one left: one adopted in the state alone, the others made; then the state goes."""
        self.adopt_as_before()
        self.night()
        if self.rng.random() < 0.5:
            self.lose_state()
            self.night()
        else:
            self.wrong_state()

    def begin_twice(self) -> None:
        """A state that was lost before anything was made, and a decision by hand in the new one."""
        self.adopt_as_before()
        self.lose_state()
        self.adopt_as_before()

    def change_mind(self) -> None:
        """One is given up for a later one, comes back, and the state that knew of it is lost."""
        self.night()
        self.give_up()
        self.night()
        left = sorted(number for numbers in self.given_up.values() for number in numbers)
        if left:
            number = self.rng.choice(left)
            self.stage.world.person_edits(number, deleted=False, is_active=True)
            for later in self._later(number, self.makers.get(number, "")):
                self.stage.world.person_deactivates(later)
            self.lose_state()
            self.words.add("mind changed")

    def confuse(self) -> None:
        """A second mapping comes for a customer while the ids of two customers change places in the file."""
        self.night()
        self.second_mapping()
        if len(self.lines) > 2:
            one, other = self.rng.sample(self.lines[:-1], 2)
            one.customer, other.customer = other.customer, one.customer
            self.words.add("confused")

    def lose_state(self) -> None:
        shutil.rmtree(self.stage.folder / self.place, ignore_errors=True)
        self.doubtful.pop(self.place, None)
        self.words.add("state lost")

    def wrong_state(self) -> None:
        """For one night a mistyped --state."""
        right, self.place = self.place, f"typo-{self.rng.randint(1, 2)}"
        self.night()
        self.place = right
        self.words.add("wrong state")

    def move_state(self) -> None:
        source, self.place = self._store(), f"moved-{self.rng.randint(1, 3)}"
        info = RunInfo(id=RunId("mv"), command="state move", started_at=self.stage.clock.now())
        try:
            move_state(source, self._store(), info, now=self.stage.clock.now())
            self.doubtful[self.place] = self.doubtful.pop(source.spec.rpartition("/")[2], set())
            self.words.add("state moved")
        except StateError:
            self.place = source.spec.rpartition("/")[2]

    # ---- the truth --------------------------------------------------------------------------------------------------

    def _live(self) -> list[Row]:
        rows = [self.stage.world.licences[n] for n in sorted(self.trained)]
        return [row for row in rows if not row.get("deleted") and row.get("is_active") is not False]

    def _trained_at(self, customer: int) -> set[int]:
        return {row["id"] for row in self._live() if row["client_id"] == customer}

    def _forgotten(self) -> bool:
        """Whether there is no state, and a marker of the file tells a loss from a first run."""
        keys, here = {line.key for line in self.lines}, (self.stage.folder / self.place).exists()
        rows = self.stage.world.licences.values() if self.stage.world.switches.marker == "kept" else ()
        return not here and any(row.get("snowid") in keys and self._is_listed(row) for row in rows)

    def _is_listed(self, row: Row) -> bool:
        all_listed = self.stage.world.switches.includeinactive_honoured
        return not row.get("deleted") and (all_listed or row.get("is_active") is not False)

    def _named_ours(self, rows: set[int]) -> set[int]:
        return {number for number in rows if self.stage.world.licences[number]["name"] == TEMPLATE}

    def _not_live(self, known: set[int], customer: int) -> set[int]:
        """Those of the known ids that are inactive Subscriptions of the customer with the template's name."""
        rows = [self.stage.world.licences[number] for number in known]
        return {
            row["id"]
            for row in rows
            if row["client_id"] == customer
            and row["name"] == TEMPLATE
            and row.get("is_active") is False
            and not row.get("deleted")
        }

    def _owned(self, but: str) -> set[int]:
        """What other lines of the file have by their id, or by a create of their own."""
        world = self.stage.world
        by_file = {line.subscription for line in self.lines if line.key != but and line.subscription}
        keys = {line.key for line in self.lines if line.key != but}
        made = {n for n, row in world.licences.items() if self.makers.get(n) in keys}
        return by_file | made

    def _swapped(self) -> set[str]:
        """Keys of lines whose name is another's live name: nothing may be written for them."""
        world = self.stage.world
        clients = {c.name: c.id for c in world.infima_clients.values()}
        customers = {str(row["name"]): number for number, row in world.customers.items()}
        return {
            line.key
            for line in self.lines
            if any(clients.get(name, number) != number for name, number in line.clients.items())
            or customers.get(line.customer_name, line.customer) != line.customer
        }

    def _renamed(self) -> set[str]:
        """Keys of lines with a name that is not the live one: nothing may be created for them."""
        world = self.stage.world
        return {
            line.key
            for line in self.lines
            if any(world.infima_clients[number].name != name for name, number in line.clients.items())
            or world.customers[line.customer]["name"] != line.customer_name
        }

    def _judge(self, mutations: list[Mutation], before: Before, told: set[str]) -> None:
        swapped, renamed = self._swapped(), self._renamed()
        for each in mutations:
            if each.actor is Actor.PERSON or each.kind != "licence":
                continue
            request = next((r for r in self.stage.world.requests if r.number == each.request), None)
            key = _key_in(request.body if request is not None and each.action == "create" else "")
            pinned = (line.key for line in self.lines if line.subscription == each.object_id)
            owner = next(pinned, "") or key or self.makers.get(each.object_id, "")
            if owner in swapped:
                self.wrong.append(f"swapped: {each.object_id} of {owner} was written under another's name")
            if each.action == "create":
                self._judge_create(each.object_id, key, before, told, renamed)
            else:
                self._judge_update(each.object_id, owner)

    def _judge_create(self, number: int, key: str, before: Before, told: set[str], renamed: set[str]) -> None:
        customer = self.stage.world.licences[number]["client_id"]
        left = self.given_up.get(key, set())
        twins = before.trained.get(customer, set()) - self._owned(key) - left
        names = {str(self.stage.world.licences[twin]["name"]) for twin in twins}
        if twins and key in told and names == {FOREIGN}:
            # Neither a marker nor the name tells a lost state from a first run: it is nobody's from then on
            self.trained -= twins
            self.words.add("twin of which only the new state was told")
        elif twins:
            self.wrong.append(f"twin: {number} for {key} beside {sorted(twins)}, which no rule announced")
        elif namesakes := before.namesakes.get(customer, set()) - left:
            self.wrong.append(f"second: {number} for {key} beside {sorted(namesakes)} of the same name")
        elif known := self._not_live(before.known, customer) - left:
            self.wrong.append(f"known: {number} for {key} beside {sorted(known)}, which the state knows")
        if key in renamed:
            self.wrong.append(f"renamed: {number} was created for {key}, and a name is not the live one")
        self.trained.add(number)
        self.makers[number] = key
        self.words.add("created")

    def _judge_update(self, number: int, owner: str) -> None:
        """What a person gave up for a later one is not written again without a person's word."""
        later = self._later(number, owner)
        if number in self.given_up.get(owner, set()) and later and self.stage.world.switches.marker == "kept":
            self.wrong.append(f"given up: {number} of {owner} was written, and {later} came after it")

    def _later(self, number: int, key: str) -> list[int]:
        """What was made for this key after that one, as far as HaloPSA lists it."""
        made = [n for n, maker in self.makers.items() if maker == key and n > number]
        return [n for n in made if self._is_listed(self.stage.world.licences[n])]

    # ---- tools ------------------------------------------------------------------------------------------------------

    def _store(self) -> DirectoryState:
        return DirectoryState(self.stage.folder / self.place, clock=self.stage.clock)

    def _decide(self, line: Line, decide: Callable[[DecisionContext], object], word: str) -> bool:
        self._write_file()
        mappings = self.stage.mappings()
        mapping = next(m for m in mappings.mappings if m.key == line.key)
        with self.stage.systems(mappings) as systems:
            listing = systems.target.subscriptions()
        info = RunInfo(id=RunId("by-hand"), command="adopt", started_at=self.stage.clock.now())
        try:
            with self._store().open_run(info) as run:
                context = DecisionContext(
                    mapping=mapping,
                    index=index_subscriptions(listing, mappings.mappings, run.recorded),
                    recorded=run.recorded,
                    now=self.stage.clock.now(),
                    settle=_SETTLE,
                )
                found = decide(context)
                run.record_decision(
                    mapping.key,
                    bind=found.bind,
                    give_up=found.give_up,
                    take_from=found.take_from,
                    abandon=found.settle,  # type: ignore[attr-defined]
                )
        except (DecisionRefused, StateError):
            return False
        self.given_up.get(line.key, set()).discard(found.bind.subscription_id if found.bind else 0)  # type: ignore[attr-defined]
        if (number := found.write_id) is not None:  # type: ignore[attr-defined]
            self.stage.text = set_subscription_id(self.stage.text, line.key, number)
            line.subscription = number
        self.words.add(word)
        return True

    def _write_file(self) -> None:
        rows = ["version: 1", "mappings:"]
        for line in self.lines:
            clients = ", ".join(f'{{id: {number}, name: "{name}"}}' for name, number in line.clients.items())
            rows.append(f"  - key: {line.key}\n    infima_clients: [{clients}]")
            rows.append(f'    halo_customer: {{id: {line.customer}, name: "{line.customer_name}"}}')
            if line.subscription is not None:
                rows.append(f"    subscription_id: {line.subscription}")
        self.stage.text = "\n".join(rows) + "\n"
        self.stage.store = self._store  # type: ignore[method-assign]


_SETTLE = timedelta(hours=20)
ACTS = (
    "night", "night", "night", "adopt", "adopt", "adopt", "give_up", "bring_back", "make_by_hand", "make_by_hand",
    "rename", "deactivate", "grow", "grow", "adopt_as_before", "old_installation", "old_installation", "begin_twice",
    "change_mind", "change_mind", "confuse", "combine", "rename_party", "rekey", "rekey", "swap", "swap",
    "second_mapping", "lose_state", "wrong_state", "move_state",
)  # fmt: skip


def _new_state_told(key: str, warnings: Sequence[str]) -> bool:
    """Whether the plan said that the state is new: as a whole, or for this mapping."""
    return any(re.search(rf"is new(:| for .*\b{key}\b)", warning) for warning in warnings)


def _key_in(body: str) -> str:
    """The key for which a create was sent: its marker; without one, none."""
    rows = json.loads(body) if body else []
    return str(rows[0].get("snowid", "")) if rows and isinstance(rows, list) else ""


def play_history(seed: int) -> Result:
    """One history of people, with the markers in one of three positions."""
    rng, folder = Random(f"{seed} people"), workplace()  # noqa: S311 - has to repeat
    world = World(clock=VirtualClock())
    marker, all_listed = MARKERS[seed % len(MARKERS)], rng.random() < 0.7
    world.switches = replace(world.switches, marker=marker, includeinactive_honoured=all_listed)
    lines = []
    for place in range(rng.randint(1, 4)):
        client, customer, name = 101 + place, 11 + place, NAMES[place]
        world.add_client(client, name, active=rng.choice((2, 9, 30)))
        world.add_customer(customer, name)
        lines.append(Line(f"infima-{client}", {name: client}, customer, name))
    stage = Stage(world, folder, "", remembers=False)
    history = History(rng=rng, stage=stage, lines=lines, words={f"markers {world.switches.marker}"})
    try:
        for _ in range(rng.randint(3, 9)):
            getattr(history, rng.choice(ACTS))()
        history.night()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Result(what=f"people {seed}", violations=history.wrong, reached=history.words)


_TWIN_RULES = frozenset({Rule.SAME_NAME, Rule.RESEMBLES, Rule.STATE_LOST, Rule.NAME_SWAPPED, Rule.IDENTITY_CONFLICT})
