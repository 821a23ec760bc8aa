"""`make bench` and `make bench-quick`: the program as a user runs it, beside the limit, against the simulator.

Every round runs the program and the limit one after the other against one server process, so that a busy machine
slows both. Request counts must be exactly those that the design states; ratios are told, and in the quick run held
against twice those of the last full run (ratios.json).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import (
    HERE,
    Figures,
    Sample,
    careful_requests,
    figures,
    kept_environment,
    pages,
    run,
    simulator,
)
from reconciler.simulator.worlds import scaled_world
from tests.scaled import scaled_mappings_yaml

RATIOS = HERE / "ratios.json"
PAGE = HERE.parent / "docs" / "performance.md"
ENDPOINTS = (
    "halo.token",
    "infima.partner",
    "infima.clients",
    "infima.users",
    "halo.customers",
    "halo.licences",
    "halo.invoices",
)
TOLERANCE = 2.0
LARGEST = 10_000
UNLIMITED = "settings: {halo_budget: {requests: 100000, seconds: 300}}\n"
"""The request budget is policy, not speed: with the default, 1,000 creates take as long as the budget says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One row of the table."""

    clients: int
    mode: str
    story: str
    latency: int

    @property
    def name(self) -> str:
        """How the row is called, in the table and in ratios.json."""
        words = {"unchanged": "plan, nothing changed", "changed": "apply, 10 % changed", "empty": "apply, first run"}
        return f"{words[self.story]}, N={self.clients:,}, {self.mode}, {self.latency} ms"

    @property
    def is_arithmetic(self) -> bool:
        """True for rows that wait for minutes, or that a row of the other mode tells already: creates count nobody."""
        if self.story == "empty":
            return self.mode == "active_users" or (self.clients == LARGEST and self.latency > 0)
        return self.clients == LARGEST and self.mode == "active_users" and self.latency > 0

    @property
    def is_short(self) -> bool:
        """True for the rows that the budgets speak of and that take about a second: they are run more often."""
        return self.clients < LARGEST and self.mode == "client_record" and self.story != "empty"

    @property
    def limit_name(self) -> str | None:
        """What the limit script does for it; it knows no create protocol."""
        return {"unchanged": "plan", "changed": "apply"}.get(self.story)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a row came to."""

    scenario: Scenario
    program: Figures
    limit: Figures | None

    @property
    def ratios(self) -> dict[str, float]:
        """Program over limit."""
        if self.limit is None:
            return {}
        return {"cpu": self.program.cpu / self.limit.cpu, "wall": self.program.wall / self.limit.wall}


QUICK = (
    Scenario(clients=100, mode="client_record", story="empty", latency=0),
    Scenario(clients=100, mode="active_users", story="unchanged", latency=0),
    Scenario(clients=1_000, mode="client_record", story="unchanged", latency=0),
    Scenario(clients=1_000, mode="client_record", story="unchanged", latency=50),
    Scenario(clients=1_000, mode="client_record", story="changed", latency=50),
)


def scenarios() -> Iterator[Scenario]:
    """The whole table. What only repeats arithmetic for an hour is left out; performance.md says which and why."""
    for clients in (100, 1_000, LARGEST):
        for latency in (0, 50):
            for mode in ("client_record", "active_users"):
                for story in ("unchanged", "changed", "empty"):
                    scenario = Scenario(clients=clients, mode=mode, story=story, latency=latency)
                    if not scenario.is_arithmetic:
                        yield scenario


def measure(scenario: Scenario, rounds: int) -> Result:
    """Run the program and the limit in turn; every run starts from the same world and without state."""
    mine: list[Sample] = []
    limit: list[Sample] = []
    seen: list[Mapping[str, int]] = []
    with tempfile.TemporaryDirectory() as name, simulator(scenario.clients, scenario.latency, scenario.story) as server:
        folder, world = Path(name), scaled_world(scenario.clients)
        text = scaled_mappings_yaml(world, count=scenario.mode) + UNLIMITED
        (folder / "mappings.yaml").write_text(text, encoding="utf-8")
        environment = {**kept_environment(), **server.environment}
        for _ in range(rounds):
            shutil.rmtree(folder / "state", ignore_errors=True)
            mine.append(run(_command(scenario), folder=folder, environment=environment))
            seen.append(server.requests())
            if scenario.limit_name:
                script = [sys.executable, str(HERE / "limit.py"), scenario.limit_name, scenario.mode]
                limit.append(run(script, folder=folder, environment=environment))
                server.requests()
    check_requests(scenario, seen)
    return Result(
        scenario=scenario,
        program=figures(mine, seen[-1]),
        limit=figures(limit, {}) if limit else None,
    )


def _command(scenario: Scenario) -> list[str]:
    words = ["plan"] if scenario.story == "unchanged" else ["apply", "--auto-approve"]
    return [sys.executable, "-m", "reconciler", "--state", "directory:state", *words]


def check_requests(scenario: Scenario, seen: Sequence[Mapping[str, int]]) -> None:
    """Raises SystemExit when a run made other requests than DESIGN 12 permits. Listings of a first run are bounded."""
    number = scenario.clients
    changed = _changed(number) if scenario.story == "changed" else 0
    for counts in seen:
        looks = 0 if scenario.story == "unchanged" else 1  # no world of these has more than a page of invoices
        wanted = careful_requests(number, scenario.mode, changed=changed, invoices=looks)
        if scenario.story == "empty":
            groups = pages(number, 50)
            wanted |= {"halo.write": number + groups, "halo.licences": counts.get("halo.licences", 0)}
            if counts.get("halo.licences", 0) > (groups + 2) * (pages(number, 1_000) + 1):
                raise SystemExit(f"{scenario.name}: {counts['halo.licences']} listings for {groups} groups of creates")
        if dict(counts) != wanted:
            raise SystemExit(f"{scenario.name}: requests {dict(counts)}, wanted {wanted}")


def _changed(number: int) -> int:
    world = scaled_world(number, changed=0.1)
    due = {f"infima-{client_id}": client.active for client_id, client in world.infima_clients.items()}
    return sum(row["count"] != due[row["snowid"]] for row in world.licences.values())


def start_up(rounds: int) -> dict[str, Figures]:
    """What it costs to start, beside Python itself."""
    python = sys.executable
    commands = {
        "python -c pass": [python, "-c", "pass"],
        "reconciler --version": [python, "-m", "reconciler", "--version"],
        "reconciler --help": [python, "-m", "reconciler", "--help"],
        "reconciler plan --help": [python, "-m", "reconciler", "plan", "--help"],
        "reconciler validate, 1,000 mappings": [python, "-m", "reconciler", "validate"],
    }
    samples: dict[str, list[Sample]] = {name: [] for name in commands}
    environment = kept_environment()
    with tempfile.TemporaryDirectory() as name:
        text = scaled_mappings_yaml(scaled_world(1_000))
        (Path(name) / "mappings.yaml").write_text(text, encoding="utf-8")
        for _ in range(rounds):
            for label, command in commands.items():
                samples[label].append(run(command, folder=Path(name), environment=environment))
    return {label: figures(runs, {}) for label, runs in samples.items()}


# ---------------------------------------------------------------------------------------------------------------------
# Telling
# ---------------------------------------------------------------------------------------------------------------------


def table(results: Sequence[Result], started: Mapping[str, Figures], rounds: int) -> str:
    """The measured part of docs/performance.md."""
    bare = started["python -c pass"]
    lines = [
        f"Made by `make bench` ({rounds} rounds a row, {3 * rounds} where a run takes about a second; Python",
        f"{platform.python_version()}, {os.cpu_count()} cores; trust the ratios more than the seconds).",
        "",
        "| start | CPU | times `python -c pass` |",
        "|---|---:|---:|",
        *(f"| `{name}` | {f.cpu * 1000:.0f} ms | {f.cpu / bare.cpu:.1f} |" for name, f in started.items()),
        "",
        "| run | requests | wall | times the limit | CPU | times the limit | memory |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(_row(result) for result in results),
        "",
        "Requests of each run, by endpoint:",
        "",
        "| run | " + " | ".join(name.partition(".")[2] for name in ENDPOINTS) + " | posts |",
        "|---|" + "---:|" * (len(ENDPOINTS) + 1),
        *(_requests_row(result) for result in results),
    ]
    return "\n".join(lines) + "\n"


def _row(result: Result) -> str:
    mine, ratios = result.program, result.ratios
    wall, cpu = (f"{ratios[what]:.1f}" if ratios else "-" for what in ("wall", "cpu"))
    return (
        f"| {result.scenario.name} | {sum(mine.requests.values()):,} | {mine.wall:.2f} s | {wall} "
        f"| {mine.cpu:.2f} s | {cpu} | {mine.memory:.0f} MiB |"
    )


def _requests_row(result: Result) -> str:
    counts = [
        *(result.program.requests.get(name, 0) for name in ENDPOINTS),
        result.program.requests.get("halo.write", 0),
    ]
    return f"| {result.scenario.name} | " + " | ".join(f"{count:,}" for count in counts) + " |"


def write_page(text: str) -> None:
    """Put the tables between the two marks of docs/performance.md; the words around them stay."""
    page = PAGE.read_text(encoding="utf-8")
    begin, end = "<!-- measured: begin -->\n", "<!-- measured: end -->"
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    PAGE.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")


def hold_against_last(results: Sequence[Result], started: Mapping[str, Figures]) -> list[str]:
    """The ratios that are more than twice those of the last full run."""
    known: dict[str, dict[str, float]] = json.loads(RATIOS.read_text(encoding="utf-8"))
    found = {result.scenario.name: result.ratios for result in results} | {"start": start_ratios(started)}
    return [
        f"{name}: {what} is {value:.1f} times, {known[name][what]:.1f} times in the table"
        for name, values in found.items()
        for what, value in values.items()
        if name in known and value > TOLERANCE * known[name][what]
    ]


def start_ratios(started: Mapping[str, Figures]) -> dict[str, float]:
    """CPU of each start over that of bare Python."""
    bare = started["python -c pass"].cpu
    return {name: figure.cpu / bare for name, figure in started.items()}


def main() -> None:
    """Measure, tell, and fail on what is worse than promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few rows, held against the last full run")
    parser.add_argument("--rounds", type=int, help="runs of each row (full: 5, quick: 3)")
    options = parser.parse_args()
    rounds = options.rounds or (3 if options.quick else 5)
    started = start_up(max(rounds, 7))
    results = []
    for scenario in QUICK if options.quick else scenarios():
        results.append(measure(scenario, 3 * rounds if scenario.is_short else rounds))
        print(_row(results[-1]), flush=True)  # noqa: T201
    if options.quick:
        worse = hold_against_last(results, started)
        print("\n".join(worse) or "All requests as designed, all ratios within twice the table's.")  # noqa: T201
        sys.exit(bool(worse))
    write_page(table(results, started, rounds))
    ratios = {r.scenario.name: r.ratios for r in results if r.ratios} | {"start": start_ratios(started)}
    rounded = {name: {what: round(value, 2) for what, value in values.items()} for name, values in ratios.items()}
    RATIOS.write_text(json.dumps(rounded, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
