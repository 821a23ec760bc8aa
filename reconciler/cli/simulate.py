"""`reconciler simulate`: the simulator as a server."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import httpx

from reconciler.answers.words import plural
from reconciler.cli.files import write_file
from reconciler.cli.options import INPUT_FILE, CommonOptions, OutputFile, next_command, options_without_env_file
from reconciler.cli.output import flush, safe, say, tell
from reconciler.clock import SystemClock
from reconciler.config.checking import schema_problems
from reconciler.errors import ExitCode, UsageError
from reconciler.simulator.server import Server, ask
from reconciler.simulator.switches import Switches, switches_as_probed
from reconciler.simulator.world import World
from reconciler.simulator.worlds import demo_world, night_passes, scaled_world, world_document, world_from

CHECK_SECONDS = 0.2
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
MOST_CHANGES = 40


@click.command()
@click.option("--port", type=click.IntRange(0, 65534), default=0, help="HaloPSA's port; INFIMA's is the next. 0: any.")
@click.option("--latency", type=click.FloatRange(0, 60_000), default=0, metavar="MS", help="Delay of every answer.")
@click.option(
    "--world", "world_file", type=INPUT_FILE, metavar="FILE",
    help="A world of your own (docs/practice.md).  [default: the demo's]",
)  # fmt: skip
@click.option("--clients", type=click.IntRange(1, 20_000), metavar="N", help="A made-up world of N clients instead.")
@click.option(
    "--night", "nights", type=click.IntRange(1, 366), is_flag=False, flag_value=1, default=None, metavar="[N]",
    help="Let a night pass, or N: in the simulator that runs at HALO_URL; else before this one starts.",
)  # fmt: skip
@click.option(
    "--probe", "probe_file", type=INPUT_FILE, metavar="FILE",
    help="Behave as the HaloPSA that this probe.json is of.",
)  # fmt: skip
@click.option("--write-world", type=OutputFile(), metavar="FILE", help="Write the world to FILE and end.")
@click.option("--env-file", type=OutputFile(), metavar="FILE", help="Write the variables that a run needs to FILE.")
@click.option("--for", "seconds", type=click.FloatRange(0.1), metavar="SECONDS", help="End by itself after SECONDS.")
@options_without_env_file
@click.pass_context
def simulate(
    context: click.Context, /, *, world_file: Path | None, clients: int | None, nights: int | None,
    probe_file: Path | None, write_world: Path | None, **serving: Any,
) -> int:  # fmt: skip
    """Serve INFIMA's and HaloPSA's API over one made-up world, on 127.0.0.1 only, until Ctrl-C.

    It prints the environment variables that a run against it needs. docs/practice.md is a tour: clients that appear,
    leave, are renamed or fall to nobody, and what to do.

    \b
    Environment: HALO_URL, where --night stands alone: the simulator that is running.

    \b
    Examples:
      reconciler simulate --env-file simulator.env &
      reconciler plan --env-file simulator.env
      reconciler simulate --night
      reconciler simulate --clients 40 --write-world world.json
      reconciler simulate --world world.json --port 8001
      reconciler simulate --probe probe.json --env-file simulator.env
    """
    options = context.ensure_object(CommonOptions)
    alone = not (world_file or clients or probe_file or write_world or any(serving.values()))
    running = os.environ.get("HALO_URL", "")
    if nights is not None and alone and urlsplit(running).hostname in LOOPBACK:
        return _let_pass(running, nights)
    if world_file is not None and clients is not None:
        raise UsageError("--world and --clients are two worlds.", hint="Give one of them.")
    world = _world(world_file, clients)
    if probe_file is not None:
        _behave(world, probe_file)
    for _ in range(nights or 0):
        night_passes(world)
    if write_world is not None:
        write_file(write_world, json.dumps(world_document(world), indent=2) + "\n", what="world", private=False)
        tell(f"Wrote the world to {write_world}. To serve it: reconciler simulate --world {write_world}")
        return ExitCode.DONE
    return _serve(world, options, **serving)


def _serve(
    world: World, options: CommonOptions, *, port: int, latency: float, env_file: Path | None, seconds: float | None
) -> int:
    stopper = options.stopper
    try:
        server = Server(world, latency_ms=latency, port=port)
    except OSError as error:
        raise UsageError(
            f"Port {port} is not available: {error.strerror}.", hint="Leave --port out for a free one."
        ) from error
    with server, stopper.patiently("The simulator has ended."):
        lines = "".join(f"{name}={value}\n" for name, value in server.environment().items())
        say(lines)
        flush()
        if env_file is not None:
            write_file(env_file, lines, what="list of variables")
        if not options.quiet:
            tell("The simulator is running. Ctrl-C ends it.")
        _wait(stopper.event, seconds)
    return ExitCode.DONE


def _let_pass(url: str, nights: int) -> int:
    """Let nights pass in the simulator that runs at `url`, and tell what happened to its world."""
    try:
        before, passed = len(ask(url, "GET", "log")["mutations"]), 0
        for _ in range(nights):
            passed = ask(url, "POST", "night")["nights"]
        happened = ask(url, "GET", "log")["mutations"][before:]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"No simulator answers at {url}.",
            hint="Start one with `reconciler simulate --env-file simulator.env`; HALO_URL has to be as that file says.",
        ) from error
    say(f"Night {passed} has passed. {plural(len(happened), 'change')} in INFIMA and HaloPSA:")
    for change in happened[:MOST_CHANGES]:
        say(safe(f"  {change['kind']} {change['object_id']}: {_told(change['changes'])}"))
    if len(happened) > MOST_CHANGES:
        say(f"  and {len(happened) - MOST_CHANGES} more")
    tell(safe(f"Next: {next_command('plan')}"))
    return ExitCode.DONE


def _told(changes: dict[str, Any]) -> str:
    return ", ".join(f"{name} {old} -> {new}" for name, (old, new) in changes.items())


def _world(world_file: Path | None, clients: int | None) -> World:
    clock = SystemClock()
    if clients is not None:
        return scaled_world(clients, clock=clock)
    if world_file is None:
        return demo_world(clock=clock)
    document = _document(world_file, "world.schema.json", "a world", "docs/practice.md shows the format.")
    try:
        return world_from(document, clock=clock)
    except ValueError as error:
        raise UsageError(f"{world_file}: {error}.", hint="docs/practice.md shows the format.") from error


def _behave(world: World, file: Path) -> None:
    """Set the switches that a probe's answers tell."""
    hint = "Make one with: reconciler probe --customer ID"
    report, before = _document(file, "probe.schema.json", "a probe's report", hint), world.switches.to_json()
    try:
        world.switches = Switches.from_json(before | switches_as_probed(report)).checked()
    except (ValueError, LookupError, TypeError) as error:  # a value that no probe writes: somebody has edited the file
        raise UsageError(f"{file} holds a value that no probe writes: {error}.", hint=hint) from error
    moved = {name: value for name, value in world.switches.to_json().items() if value != before[name]}
    told = ", ".join(f"{name}={value}" for name, value in moved.items()) or "nothing is unusual about it"
    tell(safe(f"As probed: {told}."))


def _document(file: Path, schema: str, what: str, hint: str) -> Any:
    """A JSON file that keeps one of our schemas. Raises `UsageError` with the places where it does not."""
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UsageError(f"{file} is not JSON: {error}.", hint=hint) from error
    problems = schema_problems(document, schema)
    if problems:
        listed = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")  # noqa: PLR2004
        raise UsageError(f"{file} is not {what}: {listed}.", hint=hint)
    return document


def _wait(stop: threading.Event, seconds: float | None) -> None:
    """Until a signal comes or the time is over."""
    left = float("inf") if seconds is None else seconds
    while left > 0 and not stop.wait(min(CHECK_SECONDS, left)):
        left -= CHECK_SECONDS
