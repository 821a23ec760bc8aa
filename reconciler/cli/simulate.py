"""`reconciler simulate`: the simulator as a server."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import click

from reconciler.cli.files import write_file
from reconciler.cli.options import CommonOptions, OutputFile, common_options
from reconciler.cli.output import say, tell
from reconciler.clock import SystemClock
from reconciler.errors import UsageError
from reconciler.simulator.demo import demo_world, night_passes, scaled_world
from reconciler.simulator.saved import world_from
from reconciler.simulator.server import serve
from reconciler.simulator.world import World

CHECK_SECONDS = 0.2


@click.command()
@click.option("--port", type=click.IntRange(0, 65534), default=0, help="HaloPSA's port; INFIMA's is the next. 0: any.")
@click.option("--latency", type=click.FloatRange(0, 60_000), default=0, metavar="MS", help="Delay of every answer.")
@click.option(
    "--world", "world_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="A world saved as JSON.  [default: the demo's]",
)  # fmt: skip
@click.option("--clients", type=click.IntRange(1, 20_000), metavar="N", help="A made-up world of N clients instead.")
@click.option(
    "--env-file", type=OutputFile(), metavar="FILE",
    help="Write the variables that a run needs to FILE.",
)  # fmt: skip
@click.option("--for", "seconds", type=click.FloatRange(0.1), metavar="SECONDS", help="End by itself after SECONDS.")
@common_options
@click.pass_obj
def simulate(
    options: CommonOptions,
    *,
    port: int,
    latency: float,
    world_file: Path | None,
    clients: int | None,
    env_file: Path | None,
    seconds: float | None,
) -> int:
    """Serve INFIMA's and HaloPSA's API over one made-up world, on 127.0.0.1 only, until Ctrl-C.

    It prints the environment variables that a run against it needs. Under /_simulator/ (with the header
    X-Simulator-Control) it gives its log and lets a night pass.

    \b
    Examples:
      reconciler simulate --env-file simulator.env &
      set -a; . ./simulator.env; set +a; reconciler plan
      reconciler simulate --clients 1000 --latency 50 --for 600
    """
    if world_file is not None and clients is not None:
        raise UsageError("--world and --clients are two worlds.", hint="Give one of them.")
    world = _world(world_file, clients)
    stopper = options.stopper
    try:
        server = serve(world, latency_ms=latency, port=port, night=night_passes)
    except OSError as error:
        raise UsageError(
            f"Port {port} cannot be had: {error.strerror}.", hint="Leave --port out for a free one."
        ) from error
    with server, stopper.patiently("The simulator has ended."):
        lines = "".join(f"{name}={value}\n" for name, value in server.environment().items())
        say(lines)
        if env_file is not None:
            write_file(env_file, lines, what="list of variables")
        if not options.quiet:
            tell("The simulator is running. Ctrl-C ends it.")
        _wait(stopper.event, seconds)
    return 0


def _world(world_file: Path | None, clients: int | None) -> World:
    clock = SystemClock()
    if clients is not None:
        return scaled_world(clients, clock=clock)
    if world_file is None:
        return demo_world(clock=clock)
    try:
        return world_from(json.loads(world_file.read_text(encoding="utf-8")), clock=clock)
    except OSError as error:
        raise UsageError(f"{world_file} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{world_file} is not a saved world: {error}.") from error


def _wait(stop: threading.Event, seconds: float | None) -> None:
    """Until a signal comes or the time is over."""
    left = float("inf") if seconds is None else seconds
    while left > 0 and not stop.wait(min(CHECK_SECONDS, left)):
        left -= CHECK_SECONDS
