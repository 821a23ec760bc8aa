"""A night over 36 mappings: 15 creates, 11 updates, 7 in step, 3 held; three Subscriptions are at 0 afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler.clock import SystemClock
from reconciler.simulator.server import Server
from reconciler.simulator.world import World
from tests.stage import TEMPLATE, remember_markers

CREATED = range(101, 116)
UPDATED = range(201, 212)
IN_STEP = range(301, 308)
HELD = range(401, 404)
RETIRED = (201, 202, 301)
"""Two that this night sets to 0 and one that is at 0 already."""

AT_ZERO = tuple(f"infima-{client}" for client in RETIRED)
EMPTIED, RISEN, CLOSED = HELD
"""Held at what they are: nobody is counted, three times as many are, and a customer that is inactive."""

WITHOUT = ("CI", "GITHUB_ACTIONS", "FORCE_COLOR", "RECONCILER_MAPPINGS", "RECONCILER_STATE", "RECONCILER_PROXY")


def mixed_world() -> World:
    """Both systems as that night finds them."""
    world = World(clock=SystemClock())
    for client in (*CREATED, *UPDATED, *IN_STEP, *HELD):
        users = {EMPTIED: 0, RISEN: 60}.get(client, 20 + client % 10)
        world.add_client(client, f"Client {client}", active=users, inactive=client % 3)
        world.add_customer(client, f"Customer {client}")
        if client not in CREATED:
            count = {**dict.fromkeys(UPDATED, users + 1), 301: 0, EMPTIED: 27, RISEN: 20, CLOSED: 5}.get(client, users)
            world.add_licence(client, TEMPLATE, count, licence_id=9000 + client, snowid=f"infima-{client}")
    world.person_deactivates_customer(CLOSED)
    return world


def mixed_mappings(*, max_creates: int = 20) -> str:
    """Their mappings.yaml; with fewer creates allowed than there are, the run is refused."""
    lines = ["version: 1", f"limits: {{max_creates: {max_creates}}}", "mappings:"]
    for client in (*CREATED, *UPDATED, *IN_STEP, *HELD):
        lines.append(f'  - infima_client: {{id: {client}, name: "Client {client}"}}')
        lines.append(f'    halo_customer: {{id: {client}, name: "Customer {client}"}}')
        lines += ["    retired: true"] if client in RETIRED else []
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """A folder with mappings.yaml and a world behind it, and the program as a shell starts it."""

    folder: Path
    environment: dict[str, str]

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """One command; `more` are variables besides those that reach the world."""
        return subprocess.run(
            [sys.executable, "-m", "reconciler", *words],
            cwd=self.folder,
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def keep(self, name: str, *words: str, **more: str) -> Path:
        """The file that a shell makes of one command's stdout."""
        path = self.folder / name
        path.write_text(self.run(*words, **more).stdout, encoding="utf-8")
        return path


@contextmanager
def mixed_night(folder: Path, *, adoptable: bool = False) -> Iterator[Shell]:
    """The night, served on 127.0.0.1; `adoptable` adds one whose Subscription was made by hand, and a new client."""
    world, mappings = mixed_world(), mixed_mappings()
    if adoptable:
        world.add_client(501, "Client 501", active=7)
        world.add_customer(501, "Customer 501")
        world.add_licence(501, TEMPLATE, 7, licence_id=9501)
        world.add_client(601, "Zephyr Cycles", active=17)
        world.add_customer(601, "Zephyr Cycles")
        mappings += '  - infima_client: {id: 501, name: "Client 501"}\n'
        mappings += '    halo_customer: {id: 501, name: "Customer 501"}\n'
    remember_markers(world, folder / ".reconciler")
    (folder / "mappings.yaml").write_text(mappings, encoding="utf-8")
    with Server(world) as server:
        inherited = {name: value for name, value in os.environ.items() if name not in WITHOUT}
        yield Shell(folder=folder, environment=inherited | dict(server.environment()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """What that night prints with `-o terraform`."""

    mixed: Path
    refused: Path
    failed: Path
    applied: Path


def documents(shell: Shell) -> Documents:
    """Plan it, have it refused, have it fail, then apply it."""
    few = shell.folder / "few.yaml"
    few.write_text(mixed_mappings(max_creates=10), encoding="utf-8")
    return Documents(
        mixed=shell.keep("mixed.json", "plan", "-o", "terraform", "--out", "tonight.json"),
        refused=shell.keep("refused.json", "--mappings", str(few), "plan", "-o", "terraform"),
        failed=shell.keep("failed.json", "plan", "-o", "terraform", INFIMA_API_KEY="another"),
        applied=shell.keep("applied.json", "apply", "--auto-approve", "-o", "terraform"),
    )
